"""Every cell program against a formula of its own, in integers and as a circuit."""

import math
from fractions import Fraction

import numpy as np
import pytest
from test_words import on_wires, rows_of, same

from revsim.errors import InputError
from revsim.network.cells import (
    RELATIONS,
    Absolute,
    Bitwise,
    Clip,
    Compare,
    Complement,
    Composed,
    Elementwise,
    Negative,
    Overflow,
    Product,
    Shift,
    Signum,
    Sum,
    Where,
    program_bytes,
    run_cells,
)
from revsim.network.cells_division import Quotient, Remainder
from revsim.network.cells_onnx import ScaledProduct, fitted_sum
from revsim.network.cells_order import ArgGreatest, Greatest, Least, TopIndices, TopValues
from revsim.network.cells_tflite import (
    fixed_multiplier,
    leaky_relu,
    quantised_product,
    quantised_sum,
)
from revsim.network.operators import Divide, Relu
from revsim.network.softmax import softmax

BYTE, UBYTE, SHORT = (-128, 127), (0, 255), (-32768, 32767)
NIBBLE = (-8, 7)


def wrapped(value: int, bits: int, signed: bool) -> int:
    value %= 1 << bits
    return value - (1 << bits) if signed and value >> (bits - 1) else value


def truncated(a: int, b: int) -> int:
    return math.trunc(Fraction(a, b))


def top(values: tuple[int, ...], k: int, least: bool) -> list[int]:
    return sorted(range(len(values)), key=lambda i: (values[i] if least else -values[i], i))[:k]


I8, U8, I16, I32 = Overflow(8, True), Overflow(8, False), Overflow(16, True), Overflow(32, True)
INT32 = (-(1 << 31), (1 << 31) - 1)


def mean_of(count):
    """The sum of so many words over their number, ties away from 0."""
    return Composed((Sum(), Elementwise((Divide(np.array([count])),))))


CASES = [
    (Sum(), [BYTE, BYTE], lambda a, b: [a + b]),
    (Sum((1, -1), 3, I8), [BYTE, BYTE], lambda a, b: [wrapped(a - b + 3, 8, True)]),
    (Sum(overflow=U8), [UBYTE, UBYTE], lambda a, b: [wrapped(a + b, 8, False)]),
    (Sum(overflow=I32), [INT32, INT32], lambda a, b: [wrapped(a + b, 32, True)]),
    (Sum(), [BYTE] * 5, lambda *v: [sum(v)]),
    (Product(), [BYTE, BYTE], lambda a, b: [a * b]),
    (Product(U8), [UBYTE, UBYTE], lambda a, b: [wrapped(a * b, 8, False)]),
    (Product(I16), [SHORT, SHORT], lambda a, b: [wrapped(a * b, 16, True)]),
    (Product(), [NIBBLE] * 3, lambda a, b, c: [a * b * c]),
    (mean_of(5), [(-4, 4)] * 5, lambda *v: [math.floor(Fraction(abs(sum(v)), 5) + Fraction(1, 2))
                                           * (1 if sum(v) >= 0 else -1)]),
    (mean_of(4), [BYTE] * 4, lambda *v: [(abs(sum(v)) + 2) // 4 * (1 if sum(v) >= 0 else -1)]),
    (Clip(-3, 40), [BYTE], lambda a: [min(max(a, -3), 40)]),
    (Clip(), [NIBBLE, (-8, 0), (0, 7)], lambda a, b, c: [min(max(a, b), c)]),
    (Clip(high=5), [BYTE], lambda a: [min(a, 5)]),
    (Elementwise((Relu(),)), [BYTE], lambda a: [max(a, 0)]),
    (Negative(), [BYTE], lambda a: [-a]),
    (Negative(I8), [BYTE], lambda a: [wrapped(-a, 8, True)]),
    (Absolute(), [BYTE], lambda a: [abs(a)]),
    (Absolute(I8), [BYTE], lambda a: [wrapped(abs(a), 8, True)]),
    (Absolute(), [(3, 9)], lambda a: [abs(a)]),
    (Absolute(), [(-9, -3)], lambda a: [abs(a)]),
    (Signum(), [BYTE], lambda a: [(a > 0) - (a < 0)]),
    (Complement(), [BYTE], lambda a: [~a]),
    (Complement(8), [UBYTE], lambda a: [255 - a]),
    (Complement(1), [(0, 1)], lambda a: [1 - a]),
    (Where(), [(0, 1), BYTE, UBYTE], lambda c, a, b: [a if c else b]),
    *(
        (Bitwise(rule), ranges, lambda a, b, f=f: [f(a, b)])
        for rule, f in (("and", int.__and__), ("or", int.__or__), ("xor", int.__xor__))
        for ranges in ([UBYTE, UBYTE], [BYTE, BYTE], [(0, 1), (0, 1)])
    ),
    (Bitwise("xor"), [UBYTE] * 3, lambda a, b, c: [a ^ b ^ c]),
    *(
        (Compare(relation), [BYTE, UBYTE], lambda a, b, f=f: [int(f(a, b))])
        for relation, f in zip(
            RELATIONS,
            (int.__lt__, int.__le__, int.__gt__, int.__ge__, int.__eq__, int.__ne__),
            strict=True,
        )
    ),
    (Shift(places=3, overflow=U8), [UBYTE], lambda a: [wrapped(a << 3, 8, False)]),
    (Shift(places=9, overflow=U8), [UBYTE], lambda a: [0]),
    (Shift(places=2), [BYTE], lambda a: [a << 2]),
    (Shift(True, 3), [BYTE], lambda a: [a >> 3]),
    (Shift(overflow=U8), [UBYTE, (0, 15)], lambda a, b: [wrapped(a << b, 8, False)]),
    (Shift(True), [UBYTE, UBYTE], lambda a, b: [a >> b]),
    (Shift(True), [BYTE, (0, 9)], lambda a, b: [a >> b]),
    (Greatest(), [BYTE, BYTE], lambda *v: [max(v)]),
    (Greatest(), [(-2, 5)] * 5, lambda *v: [max(v)]),
    (Least(), [(0, 9), (-3, 4), (2, 20)], lambda *v: [min(v)]),
    *(
        (
            ArgGreatest(least, last),
            [(-2, 3)] * 5,
            lambda *v, least=least, last=last: [
                [i for i, x in enumerate(v) if x == (min if least else max)(v)][-1 if last else 0]
            ],
        )
        for least in (False, True)
        for last in (False, True)
    ),
    *(
        (kind(k, least), [(0, 4)] * 5,
         lambda *v, k=k, least=least, kind=kind: [
             i if kind is TopIndices else v[i] for i in top(v, k, least)])
        for kind in (TopValues, TopIndices)
        for k in (1, 3, 5)
        for least in (False, True)
    ),
    (Quotient(), [UBYTE, (1, 255)], lambda a, b: [a // b]),
    (Quotient(), [BYTE, (-128, -1)], lambda a, b: [truncated(a, b)]),
    (Quotient(overflow=I8), [BYTE, (-128, -1)], lambda a, b: [wrapped(truncated(a, b), 8, True)]),
    (Quotient(floor=True), [BYTE, (1, 127)], lambda a, b: [a // b]),
    (Quotient(), [BYTE, (7, 7)], lambda a, b: [truncated(a, b)]),
    (Remainder(), [BYTE, (-128, -1)], lambda a, b: [a % b]),
    (Remainder(), [BYTE, (1, 127)], lambda a, b: [a % b]),
    (Remainder(floor=False), [BYTE, (1, 127)], lambda a, b: [a - b * truncated(a, b)]),
    (Quotient(), [INT32, (1, (1 << 31) - 1)], lambda a, b: [truncated(a, b)]),
]  # fmt: skip


@pytest.mark.parametrize(("program", "ranges", "formula"), CASES, ids=lambda v: str(v)[:60])
def test_program(program, ranges, formula) -> None:
    rows = rows_of(ranges)
    expected = np.array([formula(*row) for row in rows.tolist()])
    assert (run_cells(program, ranges, rows) == expected).all()
    found, _ = on_wires(program, ranges, rows)
    assert (found == expected).all()


@pytest.mark.parametrize("floor", [False, True])
def test_division_by_either_sign(floor: bool) -> None:
    """With divisors of both signs; what a division by 0 gives is not promised, but it is clean."""
    rows = rows_of([BYTE, (-9, 9)])
    held = rows[:, 1] != 0
    by = [lambda a, b: a // b, lambda a, b: a % b]
    if not floor:
        by = [truncated, lambda a, b: a - b * truncated(a, b)]
    for program, formula in zip((Quotient(floor), Remainder(floor)), by, strict=True):
        expected = np.array([formula(a, b) for a, b in rows[held].tolist()])
        found, _ = on_wires(program, [BYTE, (-9, 9)], rows, limits=(-128, 128))
        assert (found[held, 0] == expected).all()


# --- quantised operators -------------------------------------------------------------------------


def doubled(x: int, factor: float, shift: int) -> int:
    """(x * 2^shift) * factor with the two roundings of the reference kernels, as C++ writes them.

    SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT (gemmlowp fixedpoint.h).
    """
    m, exponent = fixed_multiplier(factor)
    product = (x << shift << max(exponent, 0)) * m
    nudge = 1 << 30 if product >= 0 else 1 - (1 << 30)
    high = truncated(product + nudge, 1 << 31)
    n = max(-exponent, 0)
    mask = (1 << n) - 1
    threshold = (mask >> 1) + (high < 0)
    return (high >> n) + ((high & mask) > threshold)


def single32(*scales: float) -> list[float]:
    return [float(np.float32(s)) for s in scales]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("subtract", [False, True])
def test_quantised_sum(bits: int, subtract: bool) -> None:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    scales, zeros = (0.021, 0.0543, 0.06), (-3, 5, -11) if bits == 8 else (0, 0, 0)
    program = quantised_sum(scales, zeros, low, high, bits, subtract)
    shift = 20 if bits == 8 else 15
    first, second, out = single32(*scales)
    twice = 2 * max(first, second)

    def formula(a: int, b: int) -> int:
        left = doubled(a - zeros[0], first / twice, shift)
        right = doubled(b - zeros[1], second / twice, shift)
        total = left - right if subtract else left + right
        return min(max(doubled(total, twice / ((1 << shift) * out), 0) + zeros[2], low), high)

    ranges = [(low, high)] * 2
    rows = rows_of(ranges)[:: 7 if bits == 8 else 1]
    expected = [formula(a, b) for a, b in rows.tolist()]
    assert run_cells(program, ranges, rows)[:, 0].tolist() == expected
    assert on_wires(program, ranges, rows)[0][:, 0].tolist() == expected


@pytest.mark.parametrize("ends", [BYTE, SHORT])
def test_quantised_product(ends) -> None:
    scales, zeros = (0.021, 0.0543, 0.0123), (-3, 5, -11)
    program = quantised_product(scales, zeros, *ends)
    first, second, out = single32(*scales)
    rows = rows_of([ends] * 2)[::7]
    expected = [
        min(max(doubled((a + 3) * (b - 5), first * second / out, 0) - 11, ends[0]), ends[1])
        for a, b in rows.tolist()
    ]
    assert run_cells(program, [ends] * 2, rows)[:, 0].tolist() == expected
    assert on_wires(program, [ends] * 2, rows)[0][:, 0].tolist() == expected


@pytest.mark.parametrize("ends", [BYTE, SHORT])
def test_leaky_relu(ends) -> None:
    program = leaky_relu((0.5, 0.31), 0.1, (7, -4), *ends)
    before, after, slope = single32(0.5, 0.31, 0.1)
    rows = rows_of([ends])
    factors = before / after, before * slope / after
    expected = [
        min(max(doubled(q - 7, factors[q < 7], 0) - 4, ends[0]), ends[1])
        for q in rows[:, 0].tolist()
    ]
    assert run_cells(program, [ends], rows)[:, 0].tolist() == expected
    assert on_wires(program, [ends], rows)[0][:, 0].tolist() == expected


@pytest.mark.parametrize("seed", range(6))
def test_fitted_sum(seed: int) -> None:
    """QLinearAdd on all pairs of bytes, ties to even among them (equal scales, halves)."""
    rng = np.random.default_rng(seed)
    scales = rng.uniform(0.01, 0.2, 3) if seed < 4 else np.array([0.5, 0.25 * seed, 1.0])
    zeros = rng.integers(0, 256, 3)
    sa, sb, sy = (np.float32(s) for s in scales)
    rows = rows_of([UBYTE] * 2)
    real = (rows[:, 0] - zeros[0]).astype(np.float32) * (sa / sy)
    real = real + (rows[:, 1] - zeros[1]).astype(np.float32) * (sb / sy)
    expected = np.clip(np.rint(real).astype(int) + zeros[2], 0, 255)
    slopes = float(sa / sy), float(sb / sy)
    at_zero = float(zeros[2] - zeros[0] * slopes[0] - zeros[1] * slopes[1])
    line = np.arange(256)
    program = fitted_sum(expected.reshape(256, 256), line, line, slopes, at_zero)
    assert (run_cells(program, [UBYTE] * 2, rows)[:, 0] == expected).all()
    found, _ = on_wires(program, [UBYTE] * 2, rows[::5])
    assert (found[:, 0] == expected[::5]).all()


def test_scaled_product() -> None:
    """QLinearMul's form, halves to even."""
    same(ScaledProduct(-7, 3, 5, 1, 4, -20, 40), [(0, 31), (0, 31)])


@pytest.mark.parametrize(("count", "low"), [(1, -128), (2, -128), (5, 0), (9, -128)])
def test_softmax(count: int, low: int) -> None:
    """As a circuit; and close to the real softmax, which the fixed point approximates."""
    program = softmax(0.07, low=low)
    rng = np.random.default_rng(count)
    rows = low + np.minimum(255, rng.integers(0, 256, (300, count)) // rng.integers(1, 9, (300, 1)))
    ranges = [(low, low + 255)] * count
    expected = run_cells(program, ranges, rows)
    powers = np.exp(0.07 * (rows - rows.max(axis=1, keepdims=True)))
    real = 256 * powers / powers.sum(axis=1, keepdims=True)
    assert np.abs(np.minimum(real, 255) + low - expected).max() < 1
    assert (on_wires(program, ranges, rows)[0] == expected).all()


def test_promised_ranges_of_the_reciprocal() -> None:
    """The Newton steps stay where `narrowed` says, and end near 2^62 / (2^31 + f)."""
    from revsim.network.softmax import ONE, reciprocal
    from revsim.network.words import Numbers

    class Strict(Numbers):
        def narrowed(self, a, low, high):
            assert a.value.min() >= low
            assert a.value.max() <= high
            return super().narrowed(a, low, high)

    ops = Strict()
    f = np.unique(np.r_[np.arange(0, ONE, 9973), ONE - np.arange(3), np.arange(3)])
    found = reciprocal(ops, ops.given(f, 0, ONE)).value
    assert np.abs(found - (1 << 62) / ((1 << 31) + f)).max() < 8


def test_bad_parameters() -> None:
    for make, match in (
        (lambda: Compare("lesser"), "lesser"),
        (lambda: run_cells(Bitwise("nand"), [NIBBLE] * 2, np.zeros((1, 2), int)), "nand"),
        (lambda: run_cells(TopValues(4), [NIBBLE] * 2, np.zeros((1, 2), int)), "best 4 of 2"),
        (lambda: run_cells(Quotient(), [NIBBLE, (0, 0)], np.zeros((1, 2), int)), "division by 0"),
        (lambda: run_cells(Shift(), [NIBBLE] * 2, np.zeros((1, 2), int)), "0 or more"),
        (lambda: fixed_multiplier(0.0), "greater than 0"),
        (lambda: fixed_multiplier(math.inf), "finite"),
        (lambda: leaky_relu((1.0, 1.0), -0.1, (0, 0), -128, 127), "slope"),
        (lambda: quantised_sum((1.0, 1.0, 1.0), (0, 0, 0), 0, 1, bits=4), "8 or 16"),
        (lambda: run_cells(Product(), [INT32] * 3, np.zeros((1, 3), int)), "62 bits"),
    ):
        with pytest.raises(InputError, match=match):
            make()


def test_program_bytes_tell_programs_apart() -> None:
    programs = [p for p, _, _ in CASES] + [softmax(0.1), softmax(0.2)]
    assert len({program_bytes(p) for p in programs}) == len(set(map(repr, programs[:-2]))) + 2
    assert program_bytes(softmax(0.1)) == program_bytes(softmax(0.1))


def test_same_is_strict() -> None:
    """The comparison that the other tests rest on notices a result that is off by one."""

    class Off(Sum):
        def __call__(self, ops, *words):
            (word,) = super().__call__(ops, *words)
            off = 0 if hasattr(ops, "given") and type(ops).__name__ == "Numbers" else 1
            return (ops.sum([(1, word)], off),)

    with pytest.raises(AssertionError):
        same(Off(), [NIBBLE, NIBBLE], limits=(-16, 16))
