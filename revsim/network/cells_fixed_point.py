"""Cell programs of TensorFlow Lite's reference kernels: sums of rescaled words, pools, softmax.

Each is the integer arithmetic of the kernel, rounding for rounding. The fixed-point routines are
those of gemmlowp (fixedpoint.h); its saturating rounding doubling high multiply of a and b is
floor((a * b + 2^30) / 2^31) on both sides of 0, since its nudge and its truncating division
together make one rounding of ties upwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from revsim.network.operators import Single, Table
from revsim.network.sums import Integers


@dataclass(frozen=True, eq=False)
class Chain:
    """One word through operators on single values (parameters [1]), in order."""

    operators: tuple[Single, ...]

    def __call__(self, ops: Any, *words: Any) -> Sequence[Any]:
        """One word to one word."""
        (word,) = words
        return (through(ops, self.operators, word),)


@dataclass(frozen=True, eq=False)
class RescaledSum:
    """output(sum of sign * term((word - zero) * 2^left)): ADD and SUB.

    `terms` and `output` are operators on single values, each with parameters [1].
    """

    zeros: tuple[int, ...]
    left: int
    signs: tuple[int, ...]
    terms: tuple[Single, ...]
    output: tuple[Single, ...]

    def __call__(self, ops: Any, *words: Any) -> Sequence[Any]:
        """As many words as terms to one."""
        unit = 1 << self.left
        scaled = [
            (sign, ops.single(term, ops.sum([(unit, word)], -unit * zero)))
            for sign, term, word, zero in zip(
                self.signs, self.terms, words, self.zeros, strict=True
            )
        ]
        return (through(ops, self.output, ops.sum(scaled)),)


@dataclass(frozen=True, eq=False)
class Total:
    """output(constant + sum of the words): average pools and means."""

    constant: int
    output: tuple[Single, ...]

    def __call__(self, ops: Any, *words: Any) -> Sequence[Any]:
        """Any number of words to one."""
        return (through(ops, self.output, ops.sum([(1, word) for word in words], self.constant)),)


@dataclass(frozen=True, eq=False)
class Softmax:
    """Softmax of 8-bit integers: exponentials from a table, one reciprocal, one product each.

    `exponentials` maps x - max(x), from -255 to 0, to exp in Q0.31 (tflite rule: entries below
    the kernel's least difference are 0). Results run from `low` to low + 255.
    """

    exponentials: Table
    low: int

    def __call__(self, ops: Any, *words: Any) -> Sequence[Any]:
        """Any number of words to as many."""
        top = words[0]
        for word in words[1:]:
            top = ops.greatest(top, word)
        exps = []
        for word in words:
            below = ops.subtract(word, top)
            below = ops.narrowed(below, self.exponentials.low, 0)
            exps.append(ops.single(self.exponentials, below))
        # Q12.19; the largest word alone contributes exp(0) = 2^19.
        rounded = [ops.shift_right(ops.sum([(1, e)], 1 << 11), 12) for e in exps]
        total = ops.sum([(1, r) for r in rounded])
        total = ops.narrowed(total, 1 << 19, len(words) << 19)
        reached = [
            ops.less(ops.constant((1 << (19 + k)) - 1), total)
            for k in range(1, (len(words) << 19).bit_length() - 19)
        ]
        normal = ops.sum([(1 << 12, total)])
        for k, above in enumerate(reached, start=1):
            normal = ops.select(above, ops.sum([(1 << (12 - k), total)]), normal)
        normal = ops.narrowed(normal, 1 << 31, (1 << 32) - 1)
        scale = _reciprocal(ops, ops.shift_right(normal, 1))
        out = []
        for e in exps:
            product = high_product(ops, scale, e)
            share = _rounded_shift(ops, product, 23)
            for k, above in enumerate(reached, start=1):
                share = ops.select(above, _rounded_shift(ops, product, 23 + k), share)
            out.append(ops.sum([(1, ops.least(share, ops.constant(255)))], self.low))
        return out


def _reciprocal(ops: Any, half: Any) -> Any:
    """1 / (1 + x) in Q0.31 for half = (1 + x) / 2 in Q0.31, by three Newton steps.

    The first guess 48/17 - 32/17 * half is wrong by at most 1/17, and each step squares the error,
    which is where the promised ranges come from.
    """
    x = ops.sum([(1, high_product(ops, half, ops.constant(-1010580540)))], 1515870810)
    for bits in (25, 21, 14):
        left = ops.sum([(-1, high_product(ops, half, x))], 1 << 29)
        left = ops.narrowed(left, -(1 << bits), 1 << bits)
        x = ops.sum([(1, x), (4, high_product(ops, x, left))])
        x = ops.narrowed(x, 15 << 25, (1 << 30) + 64)
    return ops.least(ops.sum([(2, x)]), ops.constant((1 << 31) - 1))


def high_product(ops: Any, a: Any, b: Any) -> Any:
    """floor((a * b + 2^30) / 2^31): gemmlowp's SaturatingRoundingDoublingHighMul."""
    return ops.shift_right(ops.sum([(1, ops.multiply(a, b))], 1 << 30), 31)


def _rounded_shift(ops: Any, a: Any, places: int) -> Any:
    """a / 2^places to the nearest, for a >= 0."""
    return ops.shift_right(ops.sum([(1, a)], 1 << (places - 1)), places)


def through(ops: Any, operators: Sequence[Single], word: Any) -> Any:
    """A word through operators in order."""
    for operator in operators:
        word = ops.single(operator, word)
    return word


def exponentials(multiplier: int, left: int, span: int = 255) -> Table:
    """exp of a difference -span..0 of integers, in Q0.31: gemmlowp's exp_on_negative_values.

    The difference is scaled to Q5.26 by `multiplier` / 2^31 * 2^left; differences of more than
    floor(31 * 2^26 / 2^left) give 0, as the kernel skips them.

    >>> exponentials(1 << 30, 23).values[-1]
    np.int64(2147483647)
    """
    least = -((31 << 26) >> left)
    entries = [_exp(_high((d << left), multiplier)) if d >= least else 0 for d in range(-span, 1)]
    return Table(-span, np.array(entries, dtype=np.int64))


_FACTORS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""exp(-2^k) in Q0.31 for k = -2..4."""


def _exp(a: int) -> int:
    """exp of a <= 0 in Q5.26, in Q0.31."""
    if a == 0:
        return (1 << 31) - 1
    quarter = 1 << 24
    rest = (a & (quarter - 1)) - quarter
    x = (rest << 5) + (1 << 28)
    x2 = _high(x, x)
    x3, x4 = _high(x2, x), _high(x2, x2)
    series = _half(_high(_rounded(x4, 2) + x3, 715827883) + x2)
    result = 1895147668 + _high(1895147668, x + series)
    remainder = rest - a
    for k, factor in enumerate(_FACTORS):
        if remainder & (1 << (24 + k)):
            result = _high(result, factor)
    return result


def _high(a: int, b: int) -> int:
    return (a * b + (1 << 30)) >> 31


def _half(a: int) -> int:
    return _rounded(a, 1)


def _rounded(a: int, places: int) -> int:
    """a / 2^places, ties away from 0."""
    mask = (1 << places) - 1
    return (a >> places) + ((a & mask) > (mask >> 1) + (a < 0))


def one(value: int) -> Integers:
    """A parameter that is one number for all: int64 [1]."""
    return np.array([value], dtype=np.int64)
