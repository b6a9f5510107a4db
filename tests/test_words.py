"""Programs of words are the same on wires as on integers, and leave nothing behind."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest

from revsim.circuit.registers import Encoding
from revsim.lower.cells import Cell
from revsim.network.cells import run_cells
from revsim.simulator.apply import apply

Ranges = Sequence[tuple[int, int]]


def rows_of(ranges: Ranges, seed: int = 0, most: int = 1 << 16) -> np.ndarray:
    """Every combination where there are few, else random ones with the ends among them."""
    count = 1
    for low, high in ranges:
        count *= high - low + 1
    if count <= most:
        return np.array(list(product(*(range(low, high + 1) for low, high in ranges))))
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.integers(low, high, 4096, endpoint=True) for low, high in ranges], axis=1)
    ends = list(product(*((low, high) for low, high in ranges[:10])))
    rows[: len(ends), : len(ranges[:10])] = ends
    return rows


def on_wires(program: object, ranges: Ranges, rows: np.ndarray, limits=None, executor="numba"):
    """Results of a program as a circuit, int64 [rows, words]; raises where a wire is not clean."""
    expected = run_cells(program, ranges, rows)
    low, high = limits or (int(expected.min()), int(expected.max()))
    cell = Cell(
        "cell",
        program,
        tuple(Encoding.unsigned(*ends) for ends in ranges),
        tuple(ranges),
        tuple(range(len(ranges))),
        Encoding.unsigned(low, high),
        (low, high),
        expected.shape[1],
    )
    definition = split_ports(cell)
    given = {f"x{k}": cell.inputs[k].encode(rows[:, k]) for k in range(len(ranges))}
    out = apply(definition, given, executor=executor)
    for name, value in given.items():
        assert (out[name] == value.astype(np.int64)).all()
    found = [out[f"y{k}"].astype(np.uint64) for k in range(expected.shape[1])]
    return np.stack([cell.encoding.decode(column) for column in found], axis=1), definition


def split_ports(cell: Cell):
    """The copy with a port per register, since the simulator's integers have 62 bits."""
    from dataclasses import replace

    from revsim.circuit.definition import Port

    made = cell.copy()
    ports = [Port(f"x{k}", e.width) for k, e in enumerate(cell.inputs)]
    ports += [Port(f"y{k}", cell.encoding.width, True) for k in range(cell.results)]
    return replace(made, ports=tuple(ports))


def same(program: object, ranges: Ranges, limits=None) -> None:
    rows = rows_of(ranges)
    found, _ = on_wires(program, ranges, rows, limits)
    expected = run_cells(program, ranges, rows)
    wrong = np.flatnonzero((found != expected).any(axis=1))
    assert not len(wrong), (rows[wrong[0]], found[wrong[0]], expected[wrong[0]])


class Written:
    """A program from a function of the operations."""

    def __init__(self, function: Callable) -> None:
        self.function = function

    def __call__(self, ops, *words):
        made = self.function(ops, *words)
        return made if isinstance(made, tuple) else (made,)


BYTE = (-128, 127)
RANGES = [
    (BYTE, BYTE),
    ((0, 255), (-5, 9)),
    ((3, 20), (-9, -2)),
    ((-7, 100), (5, 5)),
    ((0, 1), (-3, 4)),
]


@pytest.mark.parametrize("ranges", RANGES, ids=str)
@pytest.mark.parametrize(
    "function",
    [
        lambda o, a, b: o.add(a, b),
        lambda o, a, b: o.subtract(a, b),
        lambda o, a, b: o.sum([(3, a), (-5, b), (7, a)], 11),
        lambda o, a, b: o.sum([(4, o.sum([(1, a), (1, b)], 3)), (-3, a)]),
        lambda o, a, b: o.multiply(a, b),
        lambda o, a, b: o.multiply(o.add(a, b), o.subtract(a, b)),
        lambda o, a, b: o.multiply(o.multiply(a, a), b),
        lambda o, a, b: o.shift_right(o.sum([(5, a), (3, b)]), 2),
        lambda o, a, b: o.shift_right(a, 9),
        lambda o, a, b: o.less(a, b),
        lambda o, a, b: o.equal(a, b),
        lambda o, a, b: o.invert(o.equal(o.add(a, b), o.constant(4))),
        lambda o, a, b: o.select(o.less(a, b), o.sum([(2, b)], 1), a),
        lambda o, a, b: o.select(o.less(a, o.constant(7)), o.constant(3), b),
        lambda o, a, b: o.select(o.less(o.constant(2), b), o.constant(3), o.constant(-8)),
        lambda o, a, b: o.least(a, b),
        lambda o, a, b: o.greatest(o.add(a, b), b),
        lambda o, a, b: o.greatest(a, o.constant(4)),
        lambda o, a, b: o.bitwise("and", a, b),
        lambda o, a, b: o.bitwise("or", a, b),
        lambda o, a, b: o.bitwise("xor", a, b),
        lambda o, a, b: o.wrap(o.sum([(3, a), (1, b)]), 6, True),
        lambda o, a, b: o.wrap(o.multiply(a, b), 5, False),
        lambda o, a, b: (o.bit(a, 3), o.bit(o.add(a, b), 9), o.constant(1)),
    ],
)
def test_operations(function: Callable, ranges: Ranges) -> None:
    same(Written(function), ranges)
