"""The cheapest multiply-and-shift that steps where a given function does, exactly.

Let the function reach y_i at t_i. For an m at shift s some offset b puts every step of
(m v + b) >> s in its place exactly if for all i, j

    (y_i << s) - m t_i <= ((y_j << s) - 1) - m (t_j - 1),
    that is  m / 2^s > (y_i - y_j) / (t_i - t_j + 1)

(the sign turned where t_i - t_j + 1 < 0). So all such slopes m / 2^s fill one open interval,
whatever the shift. Each leaves b some room, and the room pays for bits that need not be added: a
signed digit 2^k of m adds the register without the bits that would stand below column `cut`, at an
error of less than 2^cut - 2^k. Outside the steps the formula may go on as it likes: a clamp
follows. Where no slope serves both signs of v (rules that round ties away from 0), each sign gets
an offset of its own; powers of two that round half to even add the parity of the quotient.
"""

from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from revsim.blocks.columns import heights_toffolis
from revsim.blocks.requantise import Affine
from revsim.lower.steps import Steps
from revsim.network.sums import Integers

TRIES = 6
"""Multipliers whose Toffolis are counted, of those that add the fewest bits."""
EXTRA_SHIFTS = 5
"""Shifts beyond the first with a multiplier at which cheaper ones are looked for."""
CANDIDATES = 512
"""Most multipliers that are compared."""
FAR = 1 << 62


@dataclass(frozen=True)
class Scale:
    """y = (m v + b + [v < 0] b_negative + parity(v)) >> shift, less what `cut` leaves out.

    parity(v) is bit `shift` of v (half to even, m = 1 only). Of a register that holds v, digit
    2^k of m (signed digits) adds the bits from cut - k on; cut is less than the register's width,
    so that the top bit is always added, and 2^cut divides b_negative.
    """

    m: int
    b: int
    shift: int
    b_negative: int = 0
    even: bool = False
    cut: int = 0

    @property
    def digits(self) -> tuple[tuple[int, bool], ...]:
        """(place, whether it is -1) of each signed digit of m, least place first."""
        triple = 3 * self.m
        return tuple(
            (k, bool(self.m >> (k + 1) & 1))
            for k in range(triple.bit_length())
            if (self.m ^ triple) >> (k + 1) & 1
        )

    @property
    def errors(self) -> tuple[int, int]:
        """How much too high and too low the sum can be for what is left out."""
        below = [(negative, (1 << self.cut) - (1 << k)) for k, negative in self.digits]
        high = sum(max(e, 0) for negative, e in below if negative)
        return high, sum(max(e, 0) for negative, e in below if not negative)

    def bounds(self, v: Integers) -> tuple[Integers, Integers]:
        """The least and the greatest that y can be at v, whatever register holds v."""
        total = self.m * v + self.b + np.where(v < 0, self.b_negative, 0)
        if self.even:
            total = total + ((v >> self.shift) & 1)
        high, low = self.errors
        return (total - low) >> self.shift, (total + high) >> self.shift


Found = tuple[Scale, int]
"""A form and its Toffolis, forward."""


@dataclass(frozen=True, eq=False)
class _Marks:
    """y(at[i]) >= least[i] and y(until[j]) <= most[j], for values of v on one side of 0."""

    at: Integers
    least: Integers
    until: Integers
    most: Integers

    def with_ends(self, steps: Steps) -> "_Marks":
        """No less than `first` at the low end, no more than `last` at the high one."""
        return _Marks(
            np.append(self.at, steps.low),
            np.append(self.least, steps.first),
            np.append(self.until, steps.high),
            np.append(self.most, steps.last),
        )

    def offsets(self, m: Integers, shift: Integers) -> tuple[Integers, Integers]:
        """The least and the greatest b that serve, for each of many forms; crossed if none."""
        low, high = np.full(len(m), -FAR), np.full(len(m), FAR)
        if len(self.at):
            low = ((self.least << shift[:, None]) - m[:, None] * self.at).max(axis=1)
        if len(self.until):
            ends = ((self.most + 1) << shift[:, None]) - 1 - m[:, None] * self.until
            high = ends.min(axis=1)
        return low, high

    def slopes(self) -> tuple[float, float]:
        """The open interval of slopes for which some offset serves (to rounding)."""
        if not len(self.at) or not len(self.until):
            return 0.0, np.inf
        at, until = self.at.astype(np.float64), self.until.astype(np.float64)
        least, most = self.least.astype(np.float64), self.most.astype(np.float64) + 1

        def worst(slope: float) -> tuple[float, float]:
            i, j = int((least - slope * at).argmax()), int((most - slope * until).argmin())
            return float(least[i] - most[j]), float(at[i] - until[j])

        ends = []
        steepest = float(most.max() - least.min()) + 2.0
        for slope, sign in ((0.0, 1), (steepest, -1)):  # Newton from either side of what is convex
            for _ in range(64):
                rise, run = worst(slope)
                if rise < slope * run or run * sign <= 0 or rise / run == slope:
                    break
                slope = rise / run
            ends.append(slope)
        return ends[0], ends[1]


def shortest_scale(steps: Steps, offset: int | None = None, whole: bool = False) -> Found | None:
    """The cheapest form that steps like `steps`, None where there is none.

    `whole`: no clamp follows, so it must hold up to both ends, and nothing is left out.

    `offset`: what the register that holds v is short of v by (None: the lowest v where one offset
    serves both signs, 0 where the signs differ, and anything at all for a power of two); b is
    chosen so that the constant of the columns is round. Proven at every step.

    >>> halves = Steps(0, 7, 0, 4, np.arange(1, 5), np.array([1, 3, 5, 7]))
    >>> shortest_scale(halves)[0]
    Scale(m=1, b=1, shift=1, b_negative=0, even=False, cut=0)
    """
    every = _Marks(steps.positions, steps.targets, steps.positions - 1, steps.targets - 1)
    if whole:
        every = every.with_ends(steps)
    best = _best(steps, (every,), steps.low if offset is None else offset, whole)
    if best is not None and best[0].m == 1:
        return best
    even = _parity(steps)
    if even is not None and not whole:
        return even, 2 * (steps.last - steps.first).bit_length()
    if steps.low >= 0 or steps.high < 0:
        return best
    signed = _best(steps, _sides(steps, every, whole), offset or 0, whole)
    if best is None or (signed is not None and signed[1] < best[1]):
        return signed
    return best


def _sides(steps: Steps, every: _Marks, whole: bool) -> tuple[_Marks, ...]:
    """The marks below 0 and from 0 on, the values at -1 and 0 among them where no clamp helps."""
    at, least, until, most = every.at, every.least, every.until, every.most
    before, after = (int(v) for v in steps.at(np.array([-1, 0])))
    if whole or after > steps.first:
        at, least = np.append(at, 0), np.append(least, after)
    if whole or before < steps.last:
        until, most = np.append(until, -1), np.append(most, before)
    return tuple(
        _Marks(at[a], least[a], until[u], most[u])
        for a, u in ((at < 0, until < 0), (at >= 0, until >= 0))
    )


def _best(steps: Steps, sides: tuple[_Marks, ...], offset: int, whole: bool) -> Found | None:
    ends = [side.slopes() for side in sides]
    low, high = max(e[0] for e in ends), min(e[1] for e in ends)
    if not low < high:
        return None
    m, shift = _multipliers(low, high, max(abs(steps.low), abs(steps.high), 1), len(steps.targets))
    if not len(m):
        return None
    width = (steps.high - steps.low).bit_length()
    bounds = [side.offsets(m, shift) for side in sides]
    room = np.min([high - low for low, high in bounds], axis=0)
    cut, bits = _cuts(m, shift, room, width, len(sides) > 1)
    if whole:
        digits = np.bitwise_count(m ^ (3 * m)).astype(np.int64)
        cut, bits = 0 * cut, np.where(room < 0, FAR, digits)
    best: Found | None = None
    for k in np.argsort(bits, kind="stable")[:TRIES].tolist():
        if room[k] < 0:
            break
        own = [(int(low[k]), int(high[k])) for low, high in bounds]
        form = Scale(int(m[k]), 0, int(shift[k]), cut=int(cut[k]))
        form = _with_offsets(form, own, steps, offset)
        price = _toffolis(form, width, offset, steps)
        if best is None or price < best[1]:
            best = form, price
    if best is not None and not _agrees(best[0], steps):
        raise AssertionError(f"{best[0]} does not step where it must")
    return best


def _multipliers(low: float, high: float, reach: int, steps: int) -> tuple[Integers, Integers]:
    """Odd multipliers and their shifts (or any at shift 0), their ratio between low and high."""
    top = min(high, 2 * low + 1.0)
    found: list[Integers] = []
    shifts: list[int] = []
    left = max(1, min(CANDIDATES, (1 << 22) // steps))
    for shift in range(62):
        if top * 2.0**shift * reach > 2.0**60 or left <= 0 or len(found) > EXTRA_SHIFTS:
            break
        start = int(np.floor(low * 2.0**shift)) + 1
        stop = int(np.ceil(top * 2.0**shift)) - 1
        if shift:
            start |= 1  # even ones stood at a lower shift
        if stop < start and not found:
            continue
        found.append(np.arange(start, stop + 1, 2 if shift else 1, dtype=np.int64)[:left])
        shifts.append(shift)
        left -= len(found[-1])
    if not found:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.concatenate(found), np.repeat(shifts, [len(f) for f in found])


def _cuts(
    m: Integers, shift: Integers, room: Integers, width: int, two: bool
) -> tuple[Integers, Integers]:
    """The greatest cut for which the errors fit the room, and how many bits are added then.

    Two offsets must differ by a multiple of 2^cut, for which some of the room is set aside.
    """
    digits = (m ^ (3 * m)) >> 1
    cut = np.zeros(len(m), dtype=np.int64)
    for c in range(1, min(int(shift.max(initial=0)), width - 1) + 1):
        below = digits & ((1 << c) - 1)
        errors = ((np.bitwise_count(below).astype(np.int64) + two) << c) - below
        cut[(errors <= room) & (c <= shift) & (m > 1)] = c
    bits = np.where(room < 0, FAR, 0)
    for k in range(int(digits.max(initial=0)).bit_length()):
        bits += (digits >> k & 1) * np.maximum(1, width - np.maximum(0, cut - k))
    return cut, bits


def _with_offsets(form: Scale, bounds: list[tuple[int, int]], steps: Steps, offset: int) -> Scale:
    """The form with the roundest offsets; where they allow it, no clamp is needed at the ends."""
    m, shift = form.m, form.shift
    high_error, low_error = form.errors
    bounds = [(low + low_error, high - high_error) for low, high in bounds]
    least = (steps.first << shift) - m * steps.low + low_error
    most = ((steps.last + 1) << shift) - 1 - m * steps.high - high_error
    low, high = bounds[0]
    bounds[0] = (max(low, least), high) if least <= high else (low, high)
    low, high = bounds[-1]
    bounds[-1] = (low, min(high, most)) if low <= most else (low, high)
    for own, other in ((0, -1), (-1, 0)):  # a side without a mark of its own follows the other
        low, high = bounds[own]
        low = low if low > -FAR >> 1 else min(high, bounds[other][0])
        bounds[own] = low, high if high < FAR >> 1 else max(low, bounds[other][1])
    base = m * offset
    low, high = bounds[-1]
    if len(bounds) == 1:
        return replace(form, b=roundest(low + base, high + base) - base)
    difference = roundest(bounds[0][0] - high, bounds[0][1] - low)
    low, high = max(low, bounds[0][0] - difference), min(high, bounds[0][1] - difference)
    return replace(form, b=roundest(low + base, high + base) - base, b_negative=difference)


def roundest(low: int, high: int) -> int:
    """The integer in low..high with the most trailing zeros.

    >>> roundest(5, 17), roundest(-3, 9)
    (16, 0)
    """
    if low <= 0 <= high:
        return 0
    zeros = 0
    while (high >> (zeros + 1)) << (zeros + 1) >= low:
        zeros += 1
    return (high >> zeros) << zeros


def _parity(steps: Steps) -> Scale | None:
    """A power of two that rounds half to even, if that is what the steps are."""
    if len(steps.positions) < 2:
        return None
    mean = (int(steps.positions[-1]) - int(steps.positions[0])) / (len(steps.positions) - 1)
    shift = round(np.log2(max(mean, 1.0)))
    half = (1 << shift) >> 1
    middle = int(steps.targets[0]) << shift
    # What is added to v before it is rounded: a multiple of 2^(shift + 1) keeps the parity.
    moved = round((middle - half - int(steps.positions[0])) / (2 << shift)) * (2 << shift)
    form = Scale(1, moved + half - 1, shift, 0, True)
    return form if shift and _agrees(form, steps) else None


def _agrees(form: Scale, steps: Steps) -> bool:
    """Whether a form, clamped, is the function: at every step, and monotone between them."""
    ends = [v for v in (steps.low, -1, 0, steps.high) if steps.low <= v <= steps.high]
    v = np.concatenate([steps.positions - 1, steps.positions, np.array(ends, dtype=np.int64)])
    least, most = (np.clip(y, steps.first, steps.last) for y in form.bounds(v))
    return bool((least == steps.at(v)).all() and (most == least).all())


def _toffolis(form: Scale, width: int, offset: int, steps: Steps) -> int:
    """Forward Toffolis of the columns of a form on a register of so many bits."""
    ends = np.concatenate(form.bounds(np.array([steps.low, steps.high])))
    high = max(int(v if v >= 0 else ~v).bit_length() for v in ends) + 1
    top = high + form.shift - form.cut
    change = [0] * (top + 1)
    total = form.m * offset + form.b
    for k, negative in form.digits:
        left = max(0, form.cut - k)
        change[min(k + left - form.cut, top)] += 1
        change[min(k + width - form.cut, top)] -= 1
        total -= ((1 << width) - (1 << left)) << k if negative else 0
    heights = list(accumulate(change[:top]))
    extra = 0 if form.b_negative == 0 else 2
    return heights_toffolis(heights, (total >> form.cut) % (1 << top)) + extra


def scale_of(affine: Affine) -> Scale:
    """The same formula, nothing left out."""
    return Scale(affine.m, affine.b, affine.shift, affine.b_negative, affine.even)
