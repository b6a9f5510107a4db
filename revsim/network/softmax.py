"""SOFTMAX of 8-bit tensors in fixed point, word by word as TensorFlow Lite's reference kernel.

d = q - max; e(d), exp in Q0.31, is a table of at most 256 numbers; the sum of all e in Q12.19 is
brought to one leading bit, its reciprocal found by three Newton steps, and every output is
e * reciprocal, rounded twice. Sources: tensorflow/lite/kernels/internal/reference/softmax.h and
common.h (GetReciprocal); gemmlowp/fixedpoint/fixedpoint.h (exp_on_negative_values,
one_over_one_plus_x_for_x_in_0_1).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from revsim.errors import InputError
from revsim.network.cells_order import Greatest
from revsim.network.cells_tflite import fixed_multiplier
from revsim.network.fixed_point import ONE, UNIT, exponential
from revsim.network.fixed_point import high_product as high_product_of
from revsim.network.operators import Table
from revsim.network.sums import Integers
from revsim.network.words import Ops, V, Word

SUM_BITS: Final = 12
"""Integer bits of the sum."""
CLASSES_LIMIT: Final = 1 << SUM_BITS


@dataclass(frozen=True)
class Softmax:
    """Outputs of all arguments: `exponentials` int64 [m] is e(d) for d = 1 - m .. 0.

    `bits`: 8, or 16 for a 16-bit output of an 8-bit input; `low`: the least output, that of 0.
    """

    exponentials: Integers
    low: int
    bits: int = 8

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """As many words as arguments."""
        if len(words) >= CLASSES_LIMIT:
            raise InputError(f"softmax of {len(words)} values; at most {CLASSES_LIMIT - 1}")
        if len(words) == 1:  # exp(0) / exp(0), rounded to the greatest number
            return (ops.constant(self.low + (1 << self.bits) - 1),)
        (top,) = ops.call(Greatest(), *words)
        exponential, share = Exponential(self.exponentials), Share(self.low, self.bits)
        powers = [ops.call(exponential, word, top)[0] for word in words]
        scale = ops.call(Scale(), *powers)
        return tuple(ops.call(share, e, *scale)[0] for e in powers)


@dataclass(frozen=True)
class Scale:
    """1 / (sum of all arguments) as (reciprocal, over, half).

    Each argument, a number in Q0.31, is divided by 2^12 with rounding and added up: the sum, in
    Q12.19, is 2^over * 1.xxx; `reciprocal` is 1 / 1.xxx in Q0.31 and `half` is 2^over.
    """

    def __call__(self, ops: Ops[V], *powers: Word[V]) -> tuple[Word[V], ...]:
        """Three words."""
        parts = [ops.shift_right(ops.sum([(1, e)], 1 << 11), SUM_BITS) for e in powers]
        total = ops.sum([(1, part) for part in parts])
        # The greatest argument of all has e = 1, so that the sum is at least 1.
        total = ops.narrowed(total, 1 << 19, total.high)
        most = total.high.bit_length() - 20
        shifted = ops.sum([(1 << (SUM_BITS - most), total)])
        missing = []
        for place in reversed(range(most.bit_length())):
            step = 1 << place
            short = ops.less(shifted, ops.constant(1 << (32 - step)))
            shifted = ops.select(short, ops.sum([(1 << step, shifted)]), shifted)
            shifted = ops.narrowed(shifted, 0, (1 << 32) - 1)
            missing.append((-step, short))
        over = ops.narrowed(ops.sum(missing, most), 0, most)
        fraction = ops.sum([(1, ops.narrowed(shifted, 1 << 31, (1 << 32) - 1))], -(1 << 31))
        return reciprocal(ops, fraction), over, _power(ops, over)


@dataclass(frozen=True)
class Exponential:
    """e(x - top) for x <= top."""

    exponentials: Integers

    def __call__(self, ops: Ops[V], x: Word[V], top: Word[V]) -> tuple[Word[V], ...]:
        """One word in 0..2^31-1."""
        least = 1 - len(self.exponentials)
        difference = ops.narrowed(ops.subtract(x, top), least, 0)
        return (ops.single(Table(least, self.exponentials), difference),)


def reciprocal(ops: Ops[V], fraction: Word[V]) -> Word[V]:
    """1 / (1 + f) of f in Q0.31, by three Newton steps for 1 / d, d = (1 + f) / 2.

    It starts at 48/17 - 32/17 d, which is off by at most 1/17; each step squares that error.
    """
    half = ops.shift_right(ops.sum([(1, fraction)], 1 << 31), 1)
    start = ops.sum([(1, high_product(ops, half, ops.constant(-1010580540)))], 1515870810)
    x = ops.narrowed(start, UNIT * 15 // 16, UNIT * 2)
    for _ in range(3):
        product = ops.narrowed(high_product(ops, half, x), UNIT * 15 // 16, UNIT * 17 // 16)
        error = ops.sum([(-1, product)], UNIT)
        x = ops.sum([(1, x), (4, high_product(ops, x, error))])
        x = ops.narrowed(x, UNIT * 15 // 16, UNIT * 33 // 16)
    return ops.least(ops.sum([(2, x)]), ops.constant(ONE))


@dataclass(frozen=True)
class Share:
    """low + e * reciprocal / 2^(over + 31 - bits), rounded after each of both divisions.

    `half` is 2^over. The output is clamped to `bits` bits from `low`.
    """

    low: int
    bits: int

    def __call__(
        self, ops: Ops[V], e: Word[V], reciprocal: Word[V], over: Word[V], half: Word[V]
    ) -> tuple[Word[V], ...]:
        """One word."""
        product = high_product(ops, reciprocal, e)
        # Of a rounded division by 2^(over + 31 - bits) the bits below the rounded one count for
        # nothing: product >= 0.
        top = ops.shift_right(product, 30 - self.bits)
        value = ops.shift_right(ops.add(top, half), 1)
        for place in range(over.high.bit_length()):
            less = ops.shift_right(value, 1 << place)
            value = ops.select(ops.bit(over, place), less, value)
        value = ops.least(value, ops.constant((1 << self.bits) - 1))
        return (ops.sum([(1, value)], self.low),)


def high_product(ops: Ops[V], a: Word[V], b: Word[V]) -> Word[V]:
    """a * b / 2^31, nearest integer, ties up: gemmlowp's SaturatingRoundingDoublingHighMul.

    Its truncating division of a product minus 2^30 - 1 below 0 is the same number.
    """
    return ops.shift_right(ops.sum([(1, ops.multiply(a, b))], 1 << 30), 31)


def _power(ops: Ops[V], exponent: Word[V]) -> Word[V]:
    """2^exponent."""
    found = ops.constant(1)
    for place in range(exponent.high.bit_length()):
        more = ops.sum([(1 << (1 << place), found)])
        found = ops.select(ops.bit(exponent, place), more, found)
    return ops.narrowed(found, 1, 1 << exponent.high)


# --- the table of exponentials, in plain integers ------------------------------------------------


def softmax(scale: float, beta: float = 1.0, low: int = -128, bits: int = 8) -> Softmax:
    """SOFTMAX of an 8-bit tensor of a scale (float32); `low` is -128 for int8, 0 for uint8.

    >>> from revsim.network.cells import run_cells
    >>> run_cells(softmax(1 / 16), [(-128, 127)] * 3, np.array([[10, 10, -128]])).tolist()
    [[0, 0, -128]]
    """
    factor = min(float(np.float32(beta)) * float(np.float32(scale)) * (1 << 26), float(ONE))
    multiplier, left = fixed_multiplier(factor)
    if left < 0:
        raise InputError(f"softmax: a scale of {scale} is too small")
    least = -math.floor(31 * (1 << 26) / (1 << left))
    return Softmax(
        np.array(
            [
                exponential(high_product_of(d << left, multiplier), 5) if d >= least else 0
                for d in range(-255, 1)
            ],
            dtype=np.int64,
        ),
        low,
        bits,
    )
