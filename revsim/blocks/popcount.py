"""Popcount: how many of these wires hold 1, with as few Toffolis as any circuit can have.

Bits of equal weight stand in a column. A full adder turns three of them into one sum bit, left in
the column, and one carry in the next column, for one Toffoli; a half adder ends a column of two.
All columns advance together, round by round, so that depth grows with the logarithm of the count.
"""

from itertools import zip_longest

import numpy as np

from revsim.blocks.block import Block, Costs, Values, define, price
from revsim.blocks.check import distinct, width_is
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Port
from revsim.circuit.registers import Integers, Wires


def popcount(b: Builder, bits: Wires) -> Wires:
    """The wires of the number of ones in `bits`: n.bit_length() of them, index 0 lowest.

    Forward only: `bits` and the fresh carries hold a reversible scramble, and the result lies among
    them, until the caller undoes the call with `b.undo`. n - w Toffolis (w = ones in the binary
    form of n, the proved optimum), 5 CNOTs per full adder (n - n.bit_length() of them), 1 per half
    adder (n.bit_length() - w), as many locals as Toffolis; depth below 10 log2(n).
    Source: Boyar, Peralta, Theoretical Computer Science 396 (2008). Raises InputError for a wire
    given twice.

    >>> from revsim.circuit.measures import counts
    >>> counts(define("ones", popcount, Port("bits", 64))).toffoli
    63
    """
    distinct(b, "popcount", bits)
    columns = [bits] if len(bits) else []
    while any(len(column) > 1 for column in columns):
        sums, carries = [], [bits[:0]]
        settled = True  # no carry can come from below any more
        for column in columns:
            left, carry = _reduced(b, column, settled)
            sums.append(left)
            carries.append(carry)
            settled = settled and len(column) == 1
        if not len(carries[-1]):
            carries.pop()
        # Old wires go first and new ones wait, so that depth is logarithmic.
        columns = [np.concatenate(pair) for pair in zip_longest(sums, carries, fillvalue=bits[:0])]
    return np.concatenate([bits[:0], *columns])


def _reduced(b: Builder, column: Wires, settled: bool) -> tuple[Wires, Wires]:
    # One round on one column: the wires left in it and the carries out of it. A half adder saves
    # no wire, so it waits until nothing else can join the two.
    if len(column) == 2 and settled:
        carry = b.local("carry")
        b.ccx(column[:1], column[1:], carry)
        b.cx(column[:1], column[1:])
        return column[1:], carry
    groups = len(column) // 3
    if groups == 0:
        return column, column[:0]
    # The majority is x ^ (x ^ y)(x ^ z); the sum x ^ y ^ z is left on x.
    x, y, z = column[: 3 * groups].reshape(groups, 3).T
    carry = b.local("carries", groups)
    b.cx(x, y)
    b.cx(x, z)
    b.ccx(y, z, carry)
    b.cx(x, carry)
    b.cx(y, x)
    b.cx(z, x)
    return np.concatenate([column[3 * groups :], x]), carry


def popcount_copy(b: Builder, bits: Wires, count: Wires) -> None:
    """count ^= number of ones in `bits`, which are kept: compute, copy out, undo.

    Twice the gates of `popcount` and one CNOT per wire of `count` (len(bits).bit_length() wires).
    """
    width_is(b, "popcount_copy", "count", count, len(bits).bit_length())
    distinct(b, "popcount_copy", bits, count)
    start = b.mark()
    found = popcount(b, bits)
    stop = b.mark()
    b.cx(found, count)
    b.undo(start, stop)


# --- promises -----------------------------------------------------------------------------------


def popcount_cost(n: int) -> Costs:
    """What `popcount` costs forward."""
    full, half = n - n.bit_length(), n.bit_length() - n.bit_count()
    return price(n - n.bit_count(), 5 * full + half, ancillas=n - n.bit_count())


def _ones(n: int, v: Values) -> Values:
    found: Integers = np.bitwise_count(v["bits"]).astype(np.int64)
    return {**v, "count": v["count"] ^ found}


def _copy_cost(n: int) -> Costs:
    forward = popcount_cost(n)
    return price(
        2 * forward["toffoli"], 2 * forward["cnot"] + n.bit_length(), ancillas=forward["ancillas"]
    )


BLOCKS = (
    Block(
        "popcount_copy",
        "count ^= number of ones in bits",
        lambda n: define("popcount", popcount_copy, Port("bits", n), Port("count", n.bit_length())),
        _ones,
        _copy_cost,
        "Boyar, Peralta, Theoretical Computer Science 396 (2008)",
    ),
)
