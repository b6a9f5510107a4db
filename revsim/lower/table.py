"""Tables: a value looked up, and as little left over as the table throws away.

Of all values with one entry, a value is told apart by its rank among them. A table without two
equal entries has no ranks: the value is looked up and then looked up backward, which takes it to 0,
so nothing is left over. Elsewhere the rank is what is left over, as long as the way back is a
table of moderate size; otherwise the old value is.
"""

import numpy as np

from revsim.blocks.lookup import lookup
from revsim.circuit.builder import Builder
from revsim.circuit.registers import Encoding, Integers, Wires
from revsim.lower.stage import Stage, Value
from revsim.network.operators import Table

BACKWARD_LIMIT = 12
"""Address bits (entry and rank) up to which the way back is looked up."""


def reached(operator: Table, value: Value) -> tuple[Integers, Integers, Encoding, int]:
    """Every value that can come: (register contents, entries, encoding of the entries, bits).

    Contents and entries are int64, as unsigned numbers. The low `bits` wires of the register are
    the address: they tell all values apart, whatever the encoding.
    """
    values = np.arange(value.low, value.high + 1)
    raw = value.encoding.encode(values)
    exact = value.encoding.decode(raw) == values  # a coarse encoding skips some
    step = abs(value.encoding.weights[0]) if value.encoding.weights else 1
    bits = min(value.encoding.width, ((value.high - value.low) // step).bit_length())
    low, high = operator.bounds(np.array([value.low]), np.array([value.high]))
    encoding = Encoding.natural(int(low[0]), int(high[0]))
    entries = encoding.encode(operator.apply(values[exact, None])[:, 0])
    return raw[exact].astype(np.int64), entries.astype(np.int64), encoding, bits


def spread(address: Integers, entries: Integers, bits: int) -> Integers:
    """A whole table int64 [2^bits] with 0 where no value comes; of addresses the low bits count."""
    whole = np.zeros(1 << bits, dtype=np.int64)
    whole[address & ((1 << bits) - 1)] = entries
    return whole


def ranks(entries: Integers) -> Integers:
    """For each entry, how many equal ones stand before it.

    >>> ranks(np.array([7, 3, 7, 7])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(entries, kind="stable")
    ordered = entries[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    out = np.empty(len(entries), dtype=np.int64)
    out[order] = np.arange(len(entries)) - np.repeat(first, np.diff(np.append(first, len(entries))))
    return out


def table_stage(operator: Table, value: Value) -> Stage:
    """A table of one column (values int64 [m]) on a value."""
    raw, entries, encoding, bits = reached(operator, value)
    width, result = value.encoding.width, encoding.width
    rank = ranks(entries)
    extra = int(rank.max(initial=0)).bit_length()
    backward = result + extra <= BACKWARD_LIMIT and extra < width

    def forward(b: Builder, wires: Wires, fresh: Wires) -> None:
        lookup(b, wires[:bits], fresh[:result], spread(raw, entries, bits))

    def emit(b: Builder, wires: Wires, fresh: Wires) -> None:
        forward(b, wires, fresh)
        if backward:
            lookup(b, wires[:bits], fresh[result:], spread(raw, rank, bits))
            lookup(b, fresh, wires, spread(entries + (rank << result), raw, result + extra))

    fresh = result + (extra if backward else 0)
    old = tuple(range(width))
    left = tuple(range(width + result, width + fresh)) if backward else old
    return Stage(
        f"table of {len(entries)} entries",
        "table",
        width,
        fresh,
        emit,
        tuple(range(width, width + result)),
        encoding,
        left,
        old if backward else (),
        forward=forward,
    )
