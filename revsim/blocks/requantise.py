"""Exact requantisation: y = round(multiplier * v / 2^shift) by any rounding rule, in columns.

A monotone integer step function is `(m v + b) >> s` for the right (m, b, s) (lower/scale.py finds
them). Two-rounding rules need another offset for negative v, and half-to-even adds the parity of
the quotient; both are one more term.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.blocks.block import Block, Values, define, mask
from revsim.blocks.columns import (
    Terms,
    copied_sum,
    copied_sum_cost,
    sum_columns,
    weighted_bits,
)
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Port
from revsim.circuit.registers import Encoding, Wires
from revsim.errors import InputError

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Affine:
    """y = (m v + b + [v < 0] b_negative + parity(v)) >> shift.

    parity(v) is bit `shift` of v (half-to-even, m = 1 only). `b_negative` is 0 where one offset
    serves both signs.
    """

    m: int
    b: int
    shift: int
    b_negative: int = 0
    even: bool = False

    def apply(self, v: Int64s) -> Int64s:
        """The formula in integers, elementwise: the meaning of the block."""
        total = self.m * v + self.b + np.where(v < 0, self.b_negative, 0)
        if self.even:
            total = total + ((v >> self.shift) & 1)
        return total >> self.shift


def power_of_two(shift: int, rounding: str) -> Affine:
    """The affine form of a plain shift: costs no multiplication at all.

    >>> power_of_two(3, "half_away")
    Affine(m=1, b=4, shift=3, b_negative=-1, even=False)
    """
    half = (1 << shift) >> 1
    if rounding == "floor" or shift == 0:
        return Affine(1, 0, shift)
    if rounding == "half_up":
        return Affine(1, half, shift)
    if rounding == "half_away":
        return Affine(1, half, shift, -1)
    return Affine(1, half - 1, shift, 0, True)


def requantise_terms(
    value: Wires, encoding: Encoding, affine: Affine, sign: np.int32 | None
) -> Terms:
    """m v + b and its corrections as terms; `sign` is the wire that is 1 where v < 0.

    Both corrections join the weight of the bit that they follow (the sign, bit `shift` of v), so
    that no bit stands twice in one column.
    """
    weights = affine.m * np.array(encoding.weights, dtype=np.int64)
    if affine.b_negative and sign is not None:
        weights[value == sign] += affine.b_negative
    if affine.even and encoding.offset == 0:
        if affine.shift < len(value):
            weights[affine.shift] += 1
        elif sign is not None:  # bit `shift` of a short negative number is its sign
            weights[value == sign] += 1
    return weighted_bits(value, weights, affine.m * encoding.offset + affine.b)


def requantise(
    b: Builder, value: Wires, encoding: Encoding, affine: Affine, result_width: int
) -> Wires:
    """y mod 2^result_width of a register, forward: undo with `b.undo`.

    `value` is unsigned or two's complement (top bit the sign) with offset 0. Costs the columns of
    m's signed digits and the constant; a plain shift with no constant costs nothing.
    """
    if encoding.offset:
        raise InputError("requantise: the register must carry no offset")
    signed = bool(encoding.weights) and encoding.weights[-1] < 0
    terms = requantise_terms(value, encoding, affine, value[-1] if signed else None)
    return sum_columns(b, terms, affine.shift + result_width)[affine.shift :]


# --- promises -----------------------------------------------------------------------------------


def _rounded(v: Int64s, shift: int, rounding: str) -> Int64s:
    """v / 2^shift by the rule's own words: the floor, and one more above (or at) the middle."""
    quotient, twice = v >> shift, 2 * (v & mask(shift))
    tie = {"floor": False, "half_up": True, "half_away": v >= 0, "half_even": quotient % 2 == 1}
    up = (twice > 1 << shift) | ((twice == 1 << shift) & tie[rounding])
    rounded: Int64s = quotient + (up & (rounding != "floor"))
    return rounded


def _block(
    name: str, affine: Affine, signed: bool, rule: Callable[[Int64s], Int64s], most: int
) -> Block:
    def encoding(n: int) -> Encoding:
        return Encoding.twos_complement(n) if signed else Encoding.unsigned(0, mask(n))

    def width(n: int) -> int:
        ends = affine.apply(np.array([encoding(n).low, encoding(n).high], dtype=np.int64))
        return max(int(v if v >= 0 else ~v).bit_length() for v in ends) + 1

    def terms(n: int) -> Terms:
        wires = np.arange(n, dtype=np.int32)
        return requantise_terms(wires, encoding(n), affine, wires[-1] if signed else None)

    def meaning(n: int, v: Values) -> Values:
        y = rule(encoding(n).decode(v["value"].astype(np.uint64)))
        return {**v, "y": v["y"] ^ (y & mask(width(n)))}

    return Block(
        f"requantise[{name}, {'signed' if signed else 'unsigned'}]",
        "y ^= round(multiplier * value / 2^shift)",
        lambda n: define(
            "requantise",
            lambda b, value, y: copied_sum(b, terms(n), y, affine.shift),
            Port("value", n),
            Port("y", width(n)),
        ),
        meaning,
        lambda n: copied_sum_cost(terms(n), width(n), affine.shift),
        "a monotone step function as multiply, add, shift; sums by columns",
        least_width=1,
        most_width=most,
    )


def _shift_block(shift: int, rounding: str, signed: bool) -> Block:
    def rule(v: Int64s) -> Int64s:
        return _rounded(v, shift, rounding)

    return _block(f"{rounding} {shift}", power_of_two(shift, rounding), signed, rule, 60)


BLOCKS = (
    *(
        _shift_block(shift, rounding, signed)
        for shift, rounding in (
            *((3, rounding) for rounding in ("floor", "half_up", "half_away", "half_even")),
            (1, "half_even"),
        )
        for signed in (False, True)
    ),
    *(
        _block("11 v + 5 over 16", Affine(11, 5, 4), signed, lambda v: (11 * v + 5) // 16, 54)
        for signed in (False, True)
    ),
    _block(  # the correction of negative values reaches into the columns of the sign itself
        "13 v + 100 over 256, 77 less below 0",
        Affine(13, 100, 8, -77),
        True,
        lambda v: np.where(v < 0, 13 * v + 23, 13 * v + 100) // 256,
        54,
    ),
)
