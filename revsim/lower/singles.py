"""Operators on one value (operators.py, scales.py) as programs of words, exact on the whole range.

A monotone operator is first tried as the shortest multiply-and-shift that equals it on every value
that can come (blocks/requantise.py). Where there is none, or too many steps to compare, the
operator's own definition is computed, rounding for rounding.
"""

from typing import Final

import numpy as np

from revsim.blocks.requantise import Affine, power_of_two, shortest_affine
from revsim.errors import InputError
from revsim.lower.forms import digits
from revsim.network.cells_division import Quotient
from revsim.network.operators import (
    Clamp,
    Divide,
    Offset,
    Relu,
    Requantise,
    Rescale,
    Sign,
    Single,
    Staircase,
    Table,
    Threshold,
    Wrap,
)
from revsim.network.words import Ops, V, Word

SEARCH_LIMIT: Final = 1 << 12
"""Most steps of an operator for which the shortest multiply-and-shift is looked for."""
TABLE_BITS: Final = 8
"""Bits of a value up to which any operator may be a table."""


def single(ops: Ops[V], operator: Single, word: Word[V]) -> Word[V]:
    """The operator's result; parameters have shape [1]."""
    low, high = _ends(operator, word)
    if low == high and not isinstance(operator, Table | Wrap):
        return ops.constant(low)
    return ops.narrowed(_made(ops, operator, word), low, high)


def _made(ops: Ops[V], operator: Single, word: Word[V]) -> Word[V]:
    match operator:
        case Relu():
            return ops.greatest(word, ops.constant(0))
        case Clamp():
            return clamped(ops, word, operator.low, operator.high)
        case Threshold():
            return ops.invert(ops.less(word, ops.constant(int(operator.thresholds[0]))))
        case Sign():
            return ops.sum([(-2, ops.less(word, ops.constant(0)))], 1)
        case Wrap():
            return ops.wrap(word, operator.bits, signed=False)
        case Offset():
            return ops.sum([(1, word)], int(operator.amount[0]))
        case Requantise():
            return _requantised(ops, operator, word)
        case Divide():
            return _divided(ops, operator, word)
        case Rescale():
            return _rescaled(ops, operator, word)
        case Staircase():
            return _climbed(ops, operator, word)
    return ops.single(operator, word)  # a table


def clamped(ops: Ops[V], word: Word[V], low: int, high: int) -> Word[V]:
    """min(max(word, low), high)."""
    word = ops.greatest(word, ops.constant(low))
    return ops.least(word, ops.constant(high))


def affine(ops: Ops[V], word: Word[V], form: Affine) -> Word[V]:
    """(m v + b + [v < 0] b_negative + parity(v)) >> shift."""
    terms = [(form.m, word)]
    if form.b_negative and word.low < 0:
        terms.append((form.b_negative, ops.less(word, ops.constant(0))))
    if form.even:
        terms.append((1, ops.bit(word, form.shift)))
    return ops.shift_right(ops.sum(terms, form.b), form.shift)


def _ends(operator: Single, word: Word[V]) -> tuple[int, int]:
    low, high = operator.bounds(np.array([word.low]), np.array([word.high]))
    return int(low[0]), int(high[0])


def _shortest(operator: Single, word: Word[V], scale: float) -> Affine | None:
    """The shortest multiply-and-shift, None where none is found in the time that is given to it."""
    low, high = _ends(operator, word)
    if high - low > SEARCH_LIMIT:
        return None
    try:
        return shortest_affine(
            lambda v: np.asarray(operator.apply(v[:, None])[:, 0]), word.low, word.high, scale
        )
    except InputError:
        return None


def _requantised(ops: Ops[V], operator: Requantise, word: Word[V]) -> Word[V]:
    shift = int(operator.shift[0])
    left = 0 if operator.left is None else int(operator.left[0])
    multiplier = 1 if operator.multiplier is None else int(operator.multiplier[0])
    if multiplier == 0:
        return ops.constant(0)
    double = operator.rounding == "tflite_double"
    found = None
    if operator.multiplier is not None:
        scale = multiplier * 2.0 ** (left - shift - 31 * double)
        found = _shortest(operator, word, scale)
    if found is not None and len(digits(found.m)) <= len(digits(multiplier)) + 2:
        return affine(ops, word, found)
    product = ops.sum([(multiplier << left, word)])
    if not double:
        return affine(ops, product, power_of_two(shift, operator.rounding))
    # The nudge and the truncation of the first division make one rounding, ties up.
    high = ops.shift_right(ops.sum([(1, product)], 1 << 30), 31)
    return affine(ops, high, power_of_two(shift, "half_away"))


def _divided(ops: Ops[V], operator: Divide, word: Word[V]) -> Word[V]:
    divisor = int(operator.divisor[0])
    if divisor & (divisor - 1) == 0:
        return affine(ops, word, power_of_two(divisor.bit_length() - 1, "half_away"))
    found = _shortest(operator, word, 1 / divisor)
    if found is not None:
        return affine(ops, word, found)
    # Ties away from 0 are ties up, less one below 0 where there are ties at all.
    tie = ops.less(word, ops.constant(0)) if divisor % 2 == 0 else ops.constant(0)
    nudged = ops.sum([(1, word), (-1, tie)], divisor // 2)
    return Quotient(floor=True)(ops, nudged, ops.constant(divisor))[0]


def _rescaled(ops: Ops[V], operator: Rescale, word: Word[V]) -> Word[V]:
    scale = float(operator.multiplier[0])
    found = _shortest(operator, word, scale)
    if found is not None:
        return affine(ops, word, found)
    if word.high - word.low < 1 << TABLE_BITS:
        return _tabled(ops, operator, word)
    numerator, denominator = scale.as_integer_ratio()
    shift = denominator.bit_length() - 1
    exact = Requantise(np.array([shift]), "half_even", np.array([numerator]))
    if not _equal(operator, exact, word):
        raise InputError(
            f"float32 rounding of a value in {word.low}..{word.high} times {scale} is no exact "
            "multiply-and-shift; clamp the value before it"
        )
    product = ops.sum([(numerator, word)])
    return affine(ops, product, power_of_two(shift, "half_even"))


def _equal(first: Single, second: Single, word: Word[V]) -> bool:
    """Whether two monotone operators agree on every value."""
    if word.high - word.low > 1 << 22 or max(-word.low, word.high) >= 1 << 38:
        return False
    values = np.arange(word.low, word.high + 1)[:, None]
    return bool(np.array_equal(first.apply(values), second.apply(values)))


def _climbed(ops: Ops[V], operator: Staircase, word: Word[V]) -> Word[V]:
    thresholds = [t for t in operator.thresholds[0].tolist() if word.low < t <= word.high]
    always = int((operator.thresholds[0] <= word.low).sum())
    width = (word.high - word.low).bit_length()
    if width <= TABLE_BITS and len(thresholds) * width > 100:
        return _tabled(ops, operator, word)
    below = [(-1, ops.less(word, ops.constant(int(t)))) for t in thresholds]
    return ops.sum(below, always + len(thresholds))


def _tabled(ops: Ops[V], operator: Single, word: Word[V]) -> Word[V]:
    values = np.arange(word.low, word.high + 1)[:, None]
    return ops.single(Table(word.low, operator.apply(values)[:, 0]), word)
