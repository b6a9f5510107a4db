"""The circuits that benchmarks run: gate lists of four shapes, as definitions.

All wires are ports and no gate has a role, so that a list means the same to every simulator. A
list longer than a leaf of the hierarchy is a row of calls, cut between adders.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from revsim.blocks.add import add_in_place
from revsim.blocks.block import define
from revsim.blocks.columns import signed_digits
from revsim.circuit.definition import Call, Definition, Gates, Port, Table
from revsim.circuit.gates import CCX, COLUMNS, CSWAP, CX, OP, ROLE, A, B, C, X
from revsim.circuit.program import LEAF_GATES
from revsim.circuit.registers import Wires
from revsim.circuit.validate import check_gates

WEIGHT_BITS, WEIGHT_DEVIATION = 8, 30
"""Weights are int8, drawn from a normal distribution of this deviation."""
VALUE_BITS, SUM_BITS = 8, 20
"""Inputs of a layer are unsigned, its sums are kept modulo 2^20."""


def random_list(wires: int, gates: int, seed: int = 0) -> Definition:
    """10 % NOT, 40 % CNOT, 40 % Toffoli, 10 % Fredkin on wires drawn uniformly.

    >>> random_list(8, 100).body[0].table.shape
    (100, 6)
    """
    name = f"{gates:,} random gates"
    return _drawn(name, wires, gates, seed, {X: 0.1, CX: 0.4, CCX: 0.4, CSWAP: 0.1})


def linear_list(wires: int, gates: int, seed: int = 0) -> Definition:
    """20 % NOT, 80 % CNOT: what a simulator of stabilisers can run as well."""
    return _drawn(f"{gates:,} linear gates", wires, gates, seed, {X: 0.2, CX: 0.8})


def _drawn(name: str, wires: int, gates: int, seed: int, mix: dict[int, float]) -> Definition:
    stream = np.random.default_rng(seed)
    table = np.zeros((gates, COLUMNS), dtype=np.int32)
    table[:, OP] = stream.choice(list(mix), size=gates, p=list(mix.values()))
    chosen = stream.integers(0, wires, size=(gates, 3), dtype=np.int32)
    while True:  # the three wires of a gate differ
        a, b, c = chosen.T
        twice = np.flatnonzero((a == b) | (a == c) | (b == c))
        if not len(twice):
            break
        chosen[twice] = stream.integers(0, wires, size=(len(twice), 3), dtype=np.int32)
    table[:, [A, B, C]] = chosen
    table[table[:, OP] == X, A] = -1
    table[(table[:, OP] == X) | (table[:, OP] == CX), B] = -1
    return _definition(name, (Port("wires", wires),), table, np.zeros(0, dtype=np.int64))


def adder_chain(gates: int, width: int = 16, registers: int = 16, seed: int = 0) -> Definition:
    """Adders in place (Cuccaro, Draper, Kutin, Moulton, quant-ph/0410184), at least `gates` gates.

    Adder k adds a register drawn at random into register k mod `registers`. Ports `r0`, `r1`, ...
    of `width` wires and `carry`, which holds 0 between adders.

    >>> adder_chain(10_000).port_wires, len(adder_chain(10_000).body[0].table)
    (257, 10028)
    """
    adder = _adder(width)
    count = -(-gates // len(adder))
    targets = np.arange(count) % registers
    sources = np.random.default_rng(seed).integers(0, registers, size=count)
    sources[sources == targets] = (targets[sources == targets] + 1) % registers
    wires = np.arange(registers * width, dtype=np.int32).reshape(registers, width)
    carry = np.full((count, 1), registers * width, dtype=np.int32)
    table = _placed(adder, np.concatenate([wires[sources], wires[targets], carry], axis=1))
    ports = *(Port(f"r{k}", width) for k in range(registers)), Port("carry", 1)
    seams = np.arange(1, count) * len(adder)
    return _definition(f"{count:,} adders", ports, table.reshape(-1, COLUMNS), seams)


def layer_weights(inputs: int, outputs: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """The weights of `multiply_accumulate`: int64 [outputs, inputs] within int8, without -128."""
    most = (1 << WEIGHT_BITS - 1) - 1
    drawn = np.random.default_rng(seed).normal(0, WEIGHT_DEVIATION, size=(outputs, inputs))
    return np.clip(np.rint(drawn), -most, most).astype(np.int64)


def multiply_accumulate(inputs: int, outputs: int, seed: int = 0) -> Definition:
    """y[o] += sum of weight[o, i] * x[i] mod 2^20: one adder in place per signed digit.

    A digit -1 complements the accumulator, adds and complements it again. About 267 gates a
    multiply-accumulate. Ports `x0`, ... (8 wires), `zero` (20 wires, the high bits of the
    addends), `carry`, `y0`, ... (20 wires); `zero` and `carry` hold 0 between adders.
    """
    index, shift, negative = signed_digits(layer_weights(inputs, outputs, seed).ravel())
    order = np.lexsort((shift, index))  # neuron by neuron, weight by weight
    index, shift, negative = index[order], shift[order], negative[order]
    output, source = np.divmod(index, inputs)
    values = np.arange(inputs * VALUE_BITS, dtype=np.int32).reshape(inputs, VALUE_BITS)
    zero = np.arange(SUM_BITS, dtype=np.int32) + values.size
    carry = values.size + SUM_BITS
    sums = np.arange(outputs * SUM_BITS, dtype=np.int32).reshape(outputs, SUM_BITS) + carry + 1
    lengths = 6 * (SUM_BITS - shift) - 4 + negative * 2 * (SUM_BITS - shift)
    ends = np.cumsum(lengths)
    table = np.empty((int(ends[-1]) if len(ends) else 0, COLUMNS), dtype=np.int32)
    for down in np.unique(shift):
        for sign in (False, True):
            chosen = np.flatnonzero((shift == down) & (negative == sign))
            width = SUM_BITS - int(down)
            addend = np.zeros((len(chosen), width), dtype=np.int32) + zero[:width]
            addend[:, :VALUE_BITS] = values[source[chosen], :width]
            target = sums[output[chosen], down:]
            carries = np.full((len(chosen), 1), carry, dtype=np.int32)
            rows = _adder(width, sign)
            starts = ends[chosen] - lengths[chosen]
            table[starts[:, None] + np.arange(len(rows))] = _placed(
                rows, np.concatenate([addend, target, carries], axis=1)
            )
    ports = (
        *(Port(f"x{k}", VALUE_BITS) for k in range(inputs)),
        Port("zero", SUM_BITS),
        Port("carry", 1),
        *(Port(f"y{k}", SUM_BITS) for k in range(outputs)),
    )
    name = f"{inputs} x {outputs} multiply-accumulates"
    return _definition(name, ports, table, ends[:-1])


@cache
def _adder(width: int, complemented: bool = False) -> Table:
    """Gates of y += x (or y -= x) on wires x, y, carry: those of `add_in_place`, without roles."""
    adder = define("adder", add_in_place, Port("x", width), Port("y", width))
    (gates,) = adder.body
    assert isinstance(gates, Gates) and adder.locals == 1
    table = gates.table.copy()
    table[:, ROLE] = 0
    if complemented:
        turn = np.full((width, COLUMNS), -1, dtype=np.int32)
        turn[:, [OP, ROLE, COLUMNS - 1]] = X, 0, 0
        turn[:, C] = np.arange(width, 2 * width)
        table = np.concatenate([turn, table, turn])
    table.setflags(write=False)
    return table


def _placed(rows: Table, wires: Wires) -> Table:
    """A gate table on other wires, once per row of `wires` int32 [places, wires of the table].

    int32 [places, rows, 6].
    """
    lookup = np.concatenate([wires, np.full((len(wires), 1), -1, dtype=np.int32)], axis=1)
    out = np.broadcast_to(rows, (len(wires), *rows.shape)).copy()
    out[:, :, A : C + 1] = lookup[:, rows[:, A : C + 1]]  # -1 (no wire) stays -1
    return out


def _definition(
    name: str, ports: tuple[Port, ...], table: Table, seams: npt.NDArray[np.int64]
) -> Definition:
    """The definition of a gate table, in one part or in calls of parts that are leaves.

    `seams`: rows before which it may be cut; anywhere where there are none.
    """
    wires = sum(port.width for port in ports)
    check_gates(Gates(table), wires, name)
    if len(table) <= LEAF_GATES:
        return Definition(name, ports, 0, (Gates(table),))
    if not len(seams):
        seams = np.arange(1, len(table))
    cuts = [0]
    while len(table) - cuts[-1] > LEAF_GATES:
        cuts.append(int(seams[np.searchsorted(seams, cuts[-1] + LEAF_GATES, side="right") - 1]))
    every = np.arange(wires, dtype=np.int32)
    parts = (
        Definition(f"{name}, part {k}", ports, 0, (Gates(table[first:last]),))
        for k, (first, last) in enumerate(zip(cuts, [*cuts[1:], len(table)], strict=True))
    )
    return Definition(name, ports, 0, tuple(Call(part, every) for part in parts))
