"""Division of one word by another: quotients and remainders, bit by bit (restoring division)."""

from dataclasses import dataclass

from revsim.errors import InputError
from revsim.network.cells import EXACT, Overflow, absolute
from revsim.network.words import Ops, V, Word


@dataclass(frozen=True)
class Quotient:
    """x / y rounded towards 0, or down where `floor` (Python's //).

    A divisor must not be 0: declare its range without it, or nothing is promised there.

    >>> from revsim.network.cells import run_cells
    >>> import numpy as np
    >>> rows = np.array([[-7, 2], [7, -2]])
    >>> [run_cells(Quotient(f), [(-9, 9)] * 2, rows).ravel().tolist() for f in (False, True)]
    [[-3, -3], [-4, -4]]
    """

    floor: bool = False
    overflow: Overflow = EXACT

    def __call__(self, ops: Ops[V], x: Word[V], y: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        quotient, remainder, opposite = _divided(ops, x, y)
        result = quotient
        if opposite is not None:
            down = ops.sum([(-1, quotient)])
            if self.floor:
                inexact = ops.invert(ops.equal(remainder, ops.constant(0)))
                down = ops.subtract(down, inexact)
            result = ops.select(opposite, down, quotient)
        return (self.overflow.of(ops, result),)


@dataclass(frozen=True)
class Remainder:
    """x - y * (x / y): with the sign of y where the quotient is rounded down (`floor`, Python's %),
    with that of x where it is rounded towards 0 (C's %, ONNX fmod=1)."""

    floor: bool = True

    def __call__(self, ops: Ops[V], x: Word[V], y: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        _, remainder, opposite = _divided(ops, x, y)
        result = remainder
        if x.low < 0:
            negative = ops.less(x, ops.constant(0))
            result = ops.select(negative, ops.sum([(-1, remainder)]), remainder)
        if self.floor and opposite is not None:
            inexact = ops.invert(ops.equal(remainder, ops.constant(0)))
            corrected = ops.bitwise("and", opposite, inexact)
            result = ops.select(corrected, ops.add(result, y), result)
            least = -_span(y) + 1 if y.low < 0 else 0
            result = ops.narrowed(result, least, _span(y) - 1 if y.high > 0 else 0)
        return (result,)


def _span(word: Word[V]) -> int:
    return max(-word.low, word.high, 1)


def _divided(ops: Ops[V], x: Word[V], y: Word[V]) -> tuple[Word[V], Word[V], Word[V] | None]:
    """(|x| // |y|, |x| % |y|, whether the signs differ; None where they never do)."""
    if y.low == y.high == 0:
        raise InputError("a division by 0: the divisor is the constant 0")
    top, bottom = absolute(ops, x), absolute(ops, y)
    zero = ops.constant(0)
    signs = [ops.less(word, zero) for word in (x, y)]
    differ = None
    if any(sign.high for sign in signs):
        differ = ops.bitwise("xor", signs[0], signs[1])
        differ = ops.narrowed(differ, 0, 1)
    greatest = max(bottom.high - 1, 0)
    remainder, bits = ops.constant(0), []
    for place in reversed(range(top.high.bit_length())):
        remainder = ops.sum([(2, remainder), (1, ops.bit(top, place))])
        fits = ops.invert(ops.less(remainder, bottom))
        remainder = ops.select(fits, ops.subtract(remainder, bottom), remainder)
        remainder = ops.narrowed(remainder, 0, min(greatest, remainder.high))
        bits.append((1 << place, fits))
    quotient = ops.sum(bits)
    least = top.low // bottom.high
    return ops.narrowed(quotient, least, top.high // max(bottom.low, 1)), remainder, differ
