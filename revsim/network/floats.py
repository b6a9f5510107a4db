"""Floating point in whole numbers: IEEE 754 arithmetic as cell programs, rounded half to even.

A float is held as its `code`, the whole number that has its place in the order of floats: the bits
where they are positive, -1 minus the bits without the sign where they are negative. So -0.0 is -1,
negation is -1 - code, and comparing floats is comparing codes (but for the two zeros). Subnormal
numbers and infinities are dealt with; NaN is never made: where IEEE 754 asks for it (0/0,
inf - inf, 0 * inf) nothing is promised.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from revsim.network.sums import Integers
from revsim.network.words import Ops, V, Word


@dataclass(frozen=True)
class Format:
    """Bits of exponent and fraction; the code has one more, the sign.

    >>> FLOAT32.infinity == 0x7F800000, FLOAT32.one == 0x3F800000
    (True, True)
    """

    exponent: int
    fraction: int

    @property
    def bits(self) -> int:
        """Of the whole number."""
        return 1 + self.exponent + self.fraction

    @property
    def bias(self) -> int:
        """Exponent field of 1.0."""
        return (1 << (self.exponent - 1)) - 1

    @property
    def infinity(self) -> int:
        """Code of +inf; that of -inf is -1 less it."""
        return ((1 << self.exponent) - 1) << self.fraction

    @property
    def one(self) -> int:
        """Code of 1.0."""
        return self.bias << self.fraction

    @property
    def ordered(self) -> tuple[int, int]:
        """Codes of -inf and +inf: everything but NaN."""
        return -1 - self.infinity, self.infinity


FLOAT16: Final = Format(5, 10)
BFLOAT16: Final = Format(8, 7)
FLOAT32: Final = Format(8, 23)
FLOAT64: Final = Format(11, 52)
FORMATS: Final = {"float16": FLOAT16, "bfloat16": BFLOAT16, "float32": FLOAT32, "float64": FLOAT64}


def codes(values: npt.NDArray[Any]) -> Integers:
    """Codes of an array of floats of one of the formats, int64 of its shape.

    >>> codes(np.array([0.0, -0.0, 1.0, -1.0], np.float16)).tolist()
    [0, -1, 15360, -15361]
    """
    bits = values.dtype.itemsize * 8
    raw = np.ascontiguousarray(values).view(f"i{bits // 8}").reshape(values.shape).astype(np.int64)
    return np.where(raw < 0, raw ^ ((1 << (bits - 1)) - 1), raw)


def from_codes(numbers: Integers, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The floats of some codes, bit for bit."""
    kind = np.dtype(dtype)
    bits = kind.itemsize * 8
    raw = np.where(numbers < 0, numbers ^ ((1 << (bits - 1)) - 1), numbers)
    return raw.astype(f"i{bits // 8}").view(kind)


# --- parts --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """A float taken apart: (-1)^negative * significand * 2^(exponent - bias - fraction)."""

    negative: Word[Any]
    magnitude: Word[Any]
    """The code of the absolute value."""
    exponent: Word[Any]
    significand: Word[Any]


def parts(ops: Ops[V], form: Format, code: Word[V]) -> Parts:
    """The parts of a code that is not NaN; the exponent of subnormal numbers is 1."""
    negative = ops.less(code, ops.constant(0))
    turned = ops.sum([(-1, code)], -1)
    magnitude = ops.narrowed(ops.select(negative, turned, code), 0, form.infinity)
    field = ops.shift_right(magnitude, form.fraction)
    fraction = ops.wrap(magnitude, form.fraction, signed=False)
    normal = ops.less(ops.constant(0), field)
    significand = ops.sum([(1, fraction), (1 << form.fraction, normal)])
    return Parts(negative, magnitude, ops.sum([(1, field), (-1, normal)], 1), significand)


def rounded(
    ops: Ops[V], form: Format, negative: Word[V], significand: Word[V], exponent: Word[V]
) -> Word[V]:
    """The code of the float nearest to (-1)^negative * significand * 2^(exponent - bias - f).

    Bits of the significand below the last that counts only need to say whether all are 0.
    """
    f = form.fraction
    if significand.high < 1 << (f + 1):
        moved = f + 2 - significand.high.bit_length()
        significand = ops.sum([(1 << moved, significand)])
        exponent = ops.sum([(1, exponent)], -moved)
    significand, exponent, bits = normalised(ops, significand, exponent)
    spare = bits - 1 - f
    some = ops.bit(significand, bits - 1)
    exponent = ops.select(some, ops.sum([(1, exponent)], spare), ops.constant(1))
    # Below the least exponent the significand is shifted on, to a subnormal number or to 0.
    missing = ops.greatest(ops.sum([(-1, exponent)], 1), ops.constant(0))
    significand = shifted(ops, significand, ops.least(missing, ops.constant(bits + 1)))
    exponent = ops.greatest(exponent, ops.constant(1))
    whole = ops.shift_right(significand, spare)
    rest = ops.wrap(significand, spare, signed=False)
    up = ops.less(ops.constant(1 << (spare - 1)), ops.add(rest, ops.bit(whole, 0)))
    exponent = ops.least(exponent, ops.constant((1 << form.exponent) - 1))
    code = ops.sum([(1 << f, exponent), (1, whole), (1, up)], -(1 << f))
    return signed(ops, negative, ops.least(code, ops.constant(form.infinity)))


def signed(ops: Ops[V], negative: Word[V], magnitude: Word[V]) -> Word[V]:
    """The code of a number by its sign and the code of its absolute value."""
    return ops.select(negative, ops.sum([(-1, magnitude)], -1), magnitude)


def normalised(
    ops: Ops[V], significand: Word[V], exponent: Word[V]
) -> tuple[Word[V], Word[V], int]:
    """Shifted left until its top bit is set (0 stays 0): significand, exponent, bits."""
    bits = significand.high.bit_length()
    for place in reversed(range((bits - 1).bit_length())):
        step = 1 << place
        small = ops.less(significand, ops.constant(1 << max(bits - step, 0)))
        moved = ops.sum([(1 << step, ops.wrap(significand, max(bits - step, 1), signed=False))])
        significand = ops.narrowed(ops.select(small, moved, significand), 0, (1 << bits) - 1)
        exponent = ops.sum([(1, exponent), (-step, small)])
    return significand, exponent, bits


def shifted(ops: Ops[V], a: Word[V], places: Word[V]) -> Word[V]:
    """a shifted right, its last bit set where a 1 was shifted out (the sticky bit)."""
    zero = ops.constant(0)
    for k in range(places.high.bit_length()):
        step = 1 << k
        lost = ops.less(zero, ops.wrap(a, min(step, a.high.bit_length()), signed=False))
        moved = ops.bitwise("or", ops.shift_right(a, step), lost)
        a = ops.narrowed(ops.select(ops.bit(places, k), moved, a), 0, max(a.high, 1))
    return a


# --- programs -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class FloatSum:
    """x + y, or x - y where `minus`.

    >>> x = np.array([[1.5, 0.1], [2.0**-149, -1e-3]], np.float32)
    >>> from revsim.network.cells import run_cells
    >>> made = run_cells(FloatSum(FLOAT32), [FLOAT32.ordered] * 2, codes(x))
    >>> bool((from_codes(made[:, 0], np.float32) == x[:, 0] + x[:, 1]).all())
    True
    """

    form: Format
    minus: bool = False

    def __call__(self, ops: Ops[V], x: Word[V], y: Word[V]) -> tuple[Word[V], ...]:
        """One code."""
        if self.minus:
            y = ops.sum([(-1, y)], -1)
        form, a, b = self.form, parts(ops, self.form, x), parts(ops, self.form, y)
        swap = ops.less(a.magnitude, b.magnitude)
        big, small = _swapped(ops, swap, a, b), _swapped(ops, swap, b, a)
        distance = ops.narrowed(ops.subtract(big.exponent, small.exponent), 0, 1 << form.exponent)
        distance = ops.least(distance, ops.constant(form.fraction + 4))
        high = ops.sum([(8, big.significand)])
        low = shifted(ops, ops.sum([(8, small.significand)]), distance)
        differ = ops.bitwise("xor", a.negative, b.negative)
        total = ops.select(differ, ops.subtract(high, low), ops.add(high, low))
        total = ops.narrowed(total, 0, high.high + low.high)
        cancelled = ops.bitwise("and", differ, ops.equal(total, ops.constant(0)))
        negative = ops.select(cancelled, ops.constant(0), big.negative)
        made = rounded(ops, form, negative, total, ops.sum([(1, big.exponent)], -3))
        infinite = ops.equal(big.magnitude, ops.constant(form.infinity))
        return (ops.select(infinite, signed(ops, big.negative, big.magnitude), made),)


def _swapped(ops: Ops[V], swap: Word[V], a: Parts, b: Parts) -> Parts:
    return Parts(
        ops.select(swap, b.negative, a.negative),
        ops.select(swap, b.magnitude, a.magnitude),
        ops.select(swap, b.exponent, a.exponent),
        ops.select(swap, b.significand, a.significand),
    )


@dataclass(frozen=True)
class FloatProduct:
    """x * y."""

    form: Format

    def __call__(self, ops: Ops[V], x: Word[V], y: Word[V]) -> tuple[Word[V], ...]:
        """One code."""
        form, a, b = self.form, parts(ops, self.form, x), parts(ops, self.form, y)
        negative = ops.narrowed(ops.bitwise("xor", a.negative, b.negative), 0, 1)
        product = ops.multiply(a.significand, b.significand)
        exponent = ops.sum([(1, a.exponent), (1, b.exponent)], -form.bias - form.fraction)
        made = rounded(ops, form, negative, product, exponent)
        infinity = ops.constant(form.infinity)
        endless = signed(ops, negative, infinity)
        for one in (a, b):
            made = ops.select(ops.equal(one.magnitude, infinity), endless, made)
        return (made,)


@dataclass(frozen=True)
class FloatQuotient:
    """x / y; by 0 an infinity."""

    form: Format

    def __call__(self, ops: Ops[V], x: Word[V], y: Word[V]) -> tuple[Word[V], ...]:
        """One code."""
        form, a, b = self.form, parts(ops, self.form, x), parts(ops, self.form, y)
        negative = ops.narrowed(ops.bitwise("xor", a.negative, b.negative), 0, 1)
        top, first, _ = normalised(ops, a.significand, a.exponent)
        bottom, second, _ = normalised(ops, b.significand, b.exponent)
        zero, infinity = ops.constant(0), ops.constant(form.infinity)
        nothing = ops.equal(bottom, zero)
        bottom = ops.select(nothing, ops.constant(1 << form.fraction), bottom)
        bottom = ops.narrowed(bottom, 1 << form.fraction, bottom.high)
        digits, rest = quotient(ops, top, bottom, form.fraction + 4)
        sticky = ops.less(zero, rest)
        exponent = ops.sum([(1, first), (-1, second)], form.bias - 4)
        made = rounded(ops, form, negative, ops.sum([(2, digits), (1, sticky)]), exponent)
        for unbounded in (nothing, ops.equal(a.magnitude, infinity)):
            made = ops.select(unbounded, signed(ops, negative, infinity), made)
        vanishing = ops.equal(b.magnitude, infinity)
        return (ops.select(vanishing, signed(ops, negative, zero), made),)


def quotient(ops: Ops[V], top: Word[V], bottom: Word[V], digits: int) -> tuple[Word[V], Word[V]]:
    """(floor(top / bottom * 2^(digits - 1)), remainder) for 0 <= top < 2 * bottom."""
    remainder, bits = top, []
    for place in reversed(range(digits)):
        fits = ops.invert(ops.less(remainder, bottom))
        left = ops.select(fits, ops.subtract(remainder, bottom), remainder)
        remainder = ops.narrowed(left, 0, bottom.high - 1)
        bits.append((1 << place, fits))
        if place:
            remainder = ops.sum([(2, remainder)])
    return ops.sum(bits), remainder


def cut(ops: Ops[V], form: Format, a: Parts, bits: int, spare: int) -> Word[V]:
    """|a| times 2^spare, at most 2^(bits + spare), cut off to a whole number; its last bit is set
    where anything but 0 was cut off."""
    large = ops.less(ops.constant((form.bias + bits) << form.fraction), a.magnitude)
    exponent = ops.select(large, ops.constant(form.bias + bits), a.exponent)
    exponent = ops.narrowed(exponent, 1, form.bias + bits)
    significand = ops.select(large, ops.constant(1 << form.fraction), a.significand)
    wide = ops.sum([(1 << (spare + max(bits - form.fraction, 0)), significand)])
    places = ops.sum([(-1, exponent)], form.bias + max(bits, form.fraction))
    return shifted(ops, wide, ops.least(places, ops.constant(wide.high.bit_length())))


def nearest(ops: Ops[V], form: Format, a: Parts, bits: int) -> Word[V]:
    """|a| rounded to the nearest whole number, half to even, and to at most 2^bits."""
    wide = cut(ops, form, a, bits, 2)
    whole, rest = ops.shift_right(wide, 2), ops.wrap(wide, 2, signed=False)
    up = ops.less(ops.constant(2), ops.add(rest, ops.bit(whole, 0)))
    return ops.narrowed(ops.add(whole, up), 0, 1 << bits)


@dataclass(frozen=True)
class FloatRound:
    """The nearest whole number, as a float; ties to even."""

    form: Format

    def __call__(self, ops: Ops[V], x: Word[V]) -> tuple[Word[V], ...]:
        """One code."""
        form, a = self.form, parts(ops, self.form, x)
        whole = nearest(ops, form, a, form.fraction)
        at = ops.constant(form.bias + form.fraction)
        small = rounded(ops, form, a.negative, whole, at)
        large = ops.constant((form.bias + form.fraction) << form.fraction)
        return (ops.select(ops.less(a.magnitude, large), small, x),)


@dataclass(frozen=True)
class Quantise:
    """saturate(rint(x / scale) + zero), x / scale rounded to a float first: QuantizeLinear.

    Arguments: the code of x, then that of the scale and the zero point where they are not given
    here. The result lies in low..high.
    """

    form: Format
    low: int
    high: int
    scale: int | None = None
    zero: int | None = None

    def __call__(self, ops: Ops[V], x: Word[V], *more: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        known: Sequence[int | None] = (self.scale, self.zero)
        left = list(more)
        scale, zero = (left.pop(0) if k is None else ops.constant(k) for k in known)
        (ratio,) = FloatQuotient(self.form)(ops, x, scale)
        a = parts(ops, self.form, ratio)
        whole = nearest(ops, self.form, a, (self.high - self.low).bit_length() + 1)
        number = ops.select(a.negative, ops.sum([(-1, whole)]), whole)
        return (clamped(ops, ops.add(number, zero), self.low, self.high),)


@dataclass(frozen=True)
class Dequantise:
    """(q - zero) * scale as a float, q of at most 16 bits: DequantizeLinear."""

    form: Format
    scale: int
    zero: int

    def __call__(self, ops: Ops[V], q: Word[V]) -> tuple[Word[V], ...]:
        """One code."""
        form = self.form
        scale = parts(ops, form, ops.constant(self.scale))
        number = ops.sum([(1, q)], -self.zero)
        below = ops.less(number, ops.constant(0))
        size = ops.select(below, ops.sum([(-1, number)]), number)
        size = ops.narrowed(size, 0, max(-number.low, number.high, 1))
        product = ops.multiply(size, scale.significand)
        nothing = ops.equal(size, ops.constant(0))
        negative = ops.narrowed(ops.bitwise("xor", below, scale.negative), 0, 1)
        made = rounded(ops, form, negative, product, scale.exponent)
        return (ops.select(nothing, signed(ops, scale.negative, ops.constant(0)), made),)


@dataclass(frozen=True)
class FloatToInteger:
    """A float cut off to a whole number, of which the low `bits` bits are kept.

    Numbers beyond the type wrap around, as they do in NumPy; ONNX leaves them open.
    """

    form: Format
    bits: int
    signed: bool

    def __call__(self, ops: Ops[V], x: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        a = parts(ops, self.form, x)
        whole = ops.shift_right(cut(ops, self.form, a, 32, 1), 1)
        number = ops.select(a.negative, ops.sum([(-1, whole)]), whole)
        return (ops.wrap(number, self.bits, self.signed),)


@dataclass(frozen=True)
class IntegerToFloat:
    """The float nearest to a whole number."""

    form: Format

    def __call__(self, ops: Ops[V], x: Word[V]) -> tuple[Word[V], ...]:
        """One code."""
        below = ops.less(x, ops.constant(0))
        size = ops.select(below, ops.sum([(-1, x)]), x)
        size = ops.narrowed(size, 0, max(-x.low, x.high, 1))
        at = ops.constant(self.form.bias + self.form.fraction)
        return (rounded(ops, self.form, below, size, at),)


def clamped(ops: Ops[V], a: Word[V], low: int, high: int) -> Word[V]:
    """The nearest number in low..high."""
    return ops.least(ops.greatest(a, ops.constant(low)), ops.constant(high))
