"""Exact requantisation: y = round(multiplier * v / 2^shift) by any rounding rule, in columns.

A monotone integer step function is `(m v + b) >> s` for the right (m, b, s), proven by comparing
the positions of all its steps on the reachable range of v. Two-rounding rules need another offset
for negative v, and half-to-even adds the parity of the quotient; both are one more term.
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
    signed_digits,
    sum_columns,
    weighted_bits,
)
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Port
from revsim.circuit.registers import Encoding, Wires
from revsim.errors import InputError

Int64s = npt.NDArray[np.int64]
STEP_LIMIT = 1 << 20
"""Most steps of a requantiser that are compared one by one."""


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


def shortest_affine(
    function: Callable[[Int64s], Int64s], low: int, high: int, scale: float
) -> Affine:
    """The affine form with the fewest signed digits that equals a monotone step function.

    `function` maps int64 [n] to int64 [n] and must not decrease on [low, high]; `scale` is its
    slope. For each (m, s) near scale * 2^s the offsets that put every step in the right place are
    an interval; an empty one is retried with a second offset for negative v. Raises InputError if
    none is found or there are more than 2^20 steps.

    >>> shortest_affine(lambda v: (3 * v + 4) >> 3, 0, 100, 3 / 8)
    Affine(m=3, b=4, shift=3, b_negative=0, even=False)
    """
    targets, positions = _steps(function, low, high)
    if not len(targets):
        return Affine(0, int(function(np.array([low]))[0]), 0)
    # (v, y): the value at v is at least y, at most y; at each step and at both ends.
    least = np.append(positions, low), np.append(targets, targets[0] - 1)
    greatest = np.append(positions - 1, high), np.append(targets - 1, targets[-1])
    best: tuple[int, Affine] | None = None
    for shift in range(0, 40):
        centre = scale * 2.0**shift
        if centre < 0.5 or centre * max(abs(low), abs(high), 1) > 2.0**60:
            continue
        reach = min(40, int(centre / 128) + 1)
        for m in range(max(1, int(centre) - reach), int(centre) + reach + 2):
            digits = len(signed_digits(np.array([m]))[0])
            if best is not None and digits >= best[0]:
                continue
            found = _offsets(m, shift, least, greatest)
            if found is None:
                continue
            price = digits + (1 if found.b_negative else 0)
            if best is None or price < best[0]:
                best = (price, found)
        if best is not None and shift > best[1].shift + 4:
            break
    if best is None:
        raise InputError("requantiser: no multiply-and-shift of fewer than 40 bits equals the rule")
    return best[1]


def _steps(function: Callable[[Int64s], Int64s], low: int, high: int) -> tuple[Int64s, Int64s]:
    """Every value y that is reached by a step, and the least v with function(v) >= y."""
    first, last = (int(function(np.array([v]))[0]) for v in (low, high))
    if last - first > STEP_LIMIT:
        raise InputError(f"requantiser: {last - first} steps, more than {STEP_LIMIT}")
    targets = np.arange(first + 1, last + 1, dtype=np.int64)
    below, above = np.full(len(targets), low), np.full(len(targets), high)
    while len(targets) and int((above - below).max()) > 1:
        middle = (below + above) // 2
        reached = function(middle) >= targets
        above, below = np.where(reached, middle, above), np.where(reached, below, middle)
    return targets, above


def _offsets(
    m: int, shift: int, least: tuple[Int64s, Int64s], greatest: tuple[Int64s, Int64s]
) -> Affine | None:
    """Offsets with y(v) >= w for (v, w) in `least` and y(v) <= w for (v, w) in `greatest`.

    One for all v, or else one for each sign of v.
    """
    lowest = (least[1] << shift) - m * least[0]
    highest = ((greatest[1] + 1) << shift) - m * greatest[0] - 1
    bounds = []
    for under, over in ((least[0] < 0, greatest[0] < 0), (least[0] >= 0, greatest[0] >= 0)):
        low = int(lowest[under].max()) if under.any() else None
        high = int(highest[over].min()) if over.any() else None
        bounds.append((low, high))
    lows = [b[0] for b in bounds if b[0] is not None]
    highs = [b[1] for b in bounds if b[1] is not None]
    if max(lows, default=-(1 << 62)) <= min(highs, default=1 << 62):
        return Affine(m, _roundest(max(lows, default=None), min(highs, default=None)), shift)
    for low, high in bounds:
        if low is not None and high is not None and low > high:
            return None
    negative, positive = (_roundest(low, high) for low, high in bounds)
    return Affine(m, positive, shift, negative - positive)


def _roundest(low: int | None, high: int | None) -> int:
    """The number in [low, high] with the most trailing zeros: fewest constant bits."""
    if low is None or high is None:
        return int(low if low is not None else high if high is not None else 0)
    zeros = 0
    while ((high >> (zeros + 1)) << (zeros + 1)) >= low:
        zeros += 1
        if zeros > 62:
            return 0
    return (high >> zeros) << zeros


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
