"""Programs of words are the same on wires as on integers, and leave nothing behind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

from revsim.circuit.registers import Encoding
from revsim.lower.cells import Cell
from revsim.network import cells
from revsim.network.cells import run_cells
from revsim.network.operators import (
    ROUNDINGS,
    Clamp,
    Divide,
    Offset,
    Relu,
    Requantise,
    Rescale,
    Sign,
    Staircase,
    Table,
    Threshold,
    Wrap,
)
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


def on_wires(program: object, ranges: Ranges, rows: np.ndarray, limits=None, executor="literal"):
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


# --- operators on one value ----------------------------------------------------------------------

ONE = np.array


def _requantise(shift: int, rounding: str, multiplier: int | None = None, left: int = 0):
    return Requantise(
        ONE([shift]),
        rounding,
        None if multiplier is None else ONE([multiplier]),
        ONE([left]) if left else None,
    )


SINGLES = [
    (Relu(), (-100, 80)),
    (Relu(), (4, 9)),
    (Clamp(-3, 17), (-128, 127)),
    (Clamp(40, 50), (-8, 7)),
    (Clamp(0, 255), (-3000, 3000)),
    *((_requantise(3, rounding), (-200, 333)) for rounding in ROUNDINGS[:4]),
    *((_requantise(7, rounding, 93), (-1000, 3000)) for rounding in ROUNDINGS[:4]),
    *((_requantise(9, rounding, 93, 2), (-1000, 3000)) for rounding in ROUNDINGS[:4]),
    (_requantise(6, "tflite_double", 1504729001), (-20000, 30000)),
    (_requantise(0, "tflite_double", 1504729001, 3), (-200, 300)),
    (_requantise(2, "tflite_double", 1504729001, 20), (-255, 255)),
    (Threshold(ONE([5])), (-9, 9)),
    (Threshold(ONE([-50])), (-9, 9)),
    (Sign(), (-9, 9)),
    (Wrap(4), (-100, 100)),
    (Offset(ONE([-17])), (-9, 9)),
    *((Divide(ONE([d])), (-400, 401)) for d in (1, 2, 3, 6, 49, 64)),
    (Divide(ONE([6])), (-30000, 30000)),
    *((Rescale(ONE([m], np.float32)), (-3000, 2000)) for m in (0.5, 0.013, 1.5, 0.75, 3.0, 0.1)),
    (Rescale(ONE([1.5], np.float32)), (-100, 100)),
    (Staircase(ONE([[-5, 0, 0, 3, 40]])), (-60, 60)),
    (Staircase(np.sort(np.random.default_rng(1).integers(-100, 100, (1, 40)))), (-128, 127)),
    (Table(-3, ONE([9, -4, 0, 7, 7, 100, -1])), (-3, 3)),
    (Table(-128, np.random.default_rng(2).integers(-9999, 9999, 256)), (-128, 127)),
]


@pytest.mark.parametrize(("operator", "ends"), SINGLES, ids=lambda v: getattr(v, "kind", str(v)))
def test_single(operator, ends: tuple[int, int]) -> None:
    """An operator alone, and after a sum whose bits are not made yet."""
    low, high = ends
    values = np.arange(low, high + 1)[:, None]
    expected = operator.apply(values)
    assert (run_cells(cells.Elementwise((operator,)), [ends], values) == expected).all()
    same(cells.Elementwise((operator,)), [ends])

    def after_sum(ops, a, b):
        return ops.single(operator, ops.narrowed(ops.subtract(a, b), low, high))

    half = (low + high) // 2
    rows = np.stack([values[:, 0] + half, np.full(len(values), half)], axis=1)
    ranges = [(low + half, high + half), (min(half, 0), max(half, 0))]
    found, _ = on_wires(Written(after_sum), ranges, rows)
    assert (found == expected).all()


def both_ways(ops, a, b):
    """Two results of one unit, one of them read on; units of equal shape and unequal meaning."""
    low, high = ops.call(SumAndDifference(), a, b)
    more = ops.call(SumAndDifference(), b, a)
    return low, high, ops.multiply(high, a), more[0], more[1], ops.call(SumAndDifference(), a, a)[1]


@dataclass(frozen=True)
class SumAndDifference:
    """(a + b, a - b)."""

    def __call__(self, ops, a, b):
        return ops.add(a, b), ops.subtract(a, b)


@pytest.mark.parametrize(
    ("function", "ranges"),
    [
        (lambda o, a, b: o.select(o.less(a, b), o.constant(-300), b), [(0, 9), (3, 4)]),
        (lambda o, a, b: o.bitwise("xor", a, o.sum([(-1, a)], -1)), [(-8, 7), (0, 1)]),
        (lambda o, a, b: o.equal(o.sum([(2, b), (1, o.invert(b))]), o.constant(3)), [(0, 1)] * 2),
        (lambda o, a, b: o.single(Clamp(0, 99), o.single(Clamp(-5, 5), a)), [(-9, 9), (0, 1)]),
        (both_ways, [(-8, 7), (-8, 7)]),
        (both_ways, [(0, 15), (-8, 7)]),
        (lambda o, a, b: o.call(SumAndDifference(), a, b), [(0, 15), (-8, 7)]),
    ],
)
def test_corners(function: Callable, ranges: Ranges) -> None:
    """What only some combinations reach: far constants, a wire and its complement, units."""
    same(Written(function), ranges)


def test_declared_range_narrower_than_the_operators() -> None:
    """Only values of the declared range come; the register has no room for others."""
    rows = np.arange(-5, 7)[:, None]
    program = cells.Elementwise((Offset(ONE([3])), Clamp(-99, 99)))
    found, _ = on_wires(program, [(-100, 100)], rows, limits=(-2, 9))
    assert (found == rows + 3).all()


def loose(ops, number: int):
    """A number that its bits know and its range, 0..63, does not."""
    return ops.bitwise("or", ops.constant(number & 42), ops.wrap(ops.constant(number), 6, False))


@pytest.mark.parametrize("number", [0, 5, 9, 40])
@pytest.mark.parametrize("ranges", [[(0, 7)], [(0, 15)], [(3, 60)]], ids=str)
def test_a_promise_about_a_branch_that_is_never_chosen(ranges: Ranges, number: int) -> None:
    """What is promised of a - b and a + b holds only where they are read, perhaps nowhere."""

    def function(ops, a):
        b = loose(ops, number)
        less, more = ops.subtract(a, b), ops.add(a, b)
        below, beyond = ops.less(a, b), ops.less(ops.constant(a.high), more)
        least, most = ops.narrowed(less, 0, a.high), ops.narrowed(more, 0, a.high)
        far = ops.sum([(1, a)], 70)
        return (
            ops.select(below, a, least),
            ops.select(below, far, ops.sum([(3, least), (1, a)])),
            ops.select(beyond, far, most),
            ops.select(beyond, far, ops.shift_right(ops.add(most, a), 1)),
        )

    same(Written(function), ranges)
