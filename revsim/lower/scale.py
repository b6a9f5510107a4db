"""The shortest multiplier that steps where a given function does: (m v + b) >> s, exactly.

Let the function reach y_i at t_i. For an m at shift s some offset b puts every step in its place
exactly if for all i, j

    (y_i << s) - m t_i <= ((y_j << s) - 1) - m (t_j - 1),
    that is  m / 2^s > (y_i - y_j) / (t_i - t_j + 1)

(the sign turned where t_i - t_j + 1 < 0). So all such slopes m / 2^s fill one open interval,
whatever the shift, and the number in it with the fewest signed digits is the cheapest. Outside
the steps the formula may go on as it likes: a clamp follows. Where no slope serves both signs of v
(rules that round ties away from 0), each sign gets an offset of its own; powers of two that round
half to even add the parity of the quotient.
"""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from revsim.blocks.columns import heights_toffolis
from revsim.blocks.requantise import Affine
from revsim.lower.steps import Steps
from revsim.network.sums import Integers

Found = tuple[Affine, int]
"""An affine form and its Toffolis, forward."""
TRIES = 24
"""Multipliers whose offsets and price are looked at, of those with the fewest digits."""
EXTRA_SHIFTS = 7
"""Shifts beyond the first with a multiplier at which shorter ones are looked for."""
FAR = 1 << 62


@dataclass(frozen=True, eq=False)
class _Marks:
    """y(at[i]) >= least[i] and y(until[j]) <= most[j], for values of v on one side of 0."""

    at: Integers
    least: Integers
    until: Integers
    most: Integers

    def offsets(self, m: int, shift: int) -> tuple[int, int]:
        """The least and the greatest b that serve, empty where they cross."""
        low = int(((self.least << shift) - m * self.at).max(initial=-FAR))
        high = int((((self.most + 1) << shift) - 1 - m * self.until).min(initial=FAR))
        return low, high

    def slopes(self) -> tuple[float, float]:
        """The open interval of slopes for which some offset serves (to rounding)."""
        if not len(self.at) or not len(self.until):
            return 0.0, np.inf
        at, until = self.at.astype(np.float64), self.until.astype(np.float64)
        least, most = self.least.astype(np.float64), self.most.astype(np.float64) + 1

        def worst(slope: float) -> tuple[float, float]:
            i, j = int((least - slope * at).argmax()), int((most - slope * until).argmin())
            return least[i] - most[j], at[i] - until[j]

        ends = []
        steepest = float(most.max() - least.min()) + 2.0
        for slope, sign in ((0.0, 1), (steepest, -1)):  # Newton from either side; convex
            for _ in range(64):
                rise, run = worst(slope)
                if rise < slope * run or run * sign <= 0:
                    break
                slope, before = rise / run, slope
                if slope == before:
                    break
            ends.append(slope)
        return ends[0], ends[1]


def shortest_scale(steps: Steps, offset: int | None = None, split: bool = True) -> Found | None:
    """The cheapest affine form that steps like `steps`, None where there is none.

    `offset`: what the register that holds v is short of v by (None: the lowest v where one offset
    serves both signs, 0 where the signs differ, and anything at all for a power of two); b is
    chosen so that the constant of the columns is round. `split`: whether forms with an offset of
    their own for v < 0, or with parity, will do. Proven at every step before it is returned.

    >>> halves = Steps(0, 7, 0, 4, np.arange(1, 5), np.array([1, 3, 5, 7]))
    >>> shortest_scale(halves)[0]
    Affine(m=1, b=1, shift=1, b_negative=0, even=False)
    """
    every = _Marks(steps.positions, steps.targets, steps.positions - 1, steps.targets - 1)
    best = _best(steps, (every,), steps.low if offset is None else offset)
    if not split or (best is not None and best[0].m == 1):
        return best
    even = _parity(steps)
    if even is not None:
        return even, 2 * (steps.last - steps.first).bit_length()
    if steps.low >= 0 or steps.high < 0:
        return best
    signed = _best(steps, _sides(steps), offset or 0)
    if best is None or (signed is not None and signed[1] < best[1]):
        return signed
    return best


def _sides(steps: Steps) -> tuple[_Marks, ...]:
    """The marks below 0 and from 0 on, the values at -1 and 0 among them."""
    at, least = steps.positions, steps.targets
    until, most = steps.positions - 1, steps.targets - 1
    before, after = (int(v) for v in steps.at(np.array([-1, 0])))
    if after > steps.first:
        at, least = np.append(at, 0), np.append(least, after)
    if before < steps.last:
        until, most = np.append(until, -1), np.append(most, before)
    return tuple(
        _Marks(at[a], least[a], until[u], most[u])
        for a, u in ((at < 0, until < 0), (at >= 0, until >= 0))
    )


def _best(steps: Steps, sides: tuple[_Marks, ...], offset: int) -> Found | None:
    ends = [side.slopes() for side in sides]
    low, high = max(e[0] for e in ends), min(e[1] for e in ends)
    if not low <= high * (1 + 1e-9):
        return None
    width = (steps.high - steps.low).bit_length()
    best: Found | None = None
    for m, shift in _multipliers(low, high, max(abs(steps.low), abs(steps.high), 1)):
        affine = _with_offsets(m, shift, sides, steps, offset)
        if affine is None:
            continue
        price = _toffolis(affine, width, offset, steps)
        if best is None or price < best[1]:
            best = affine, price
    if best is not None and not _agrees(best[0], steps):
        raise AssertionError(f"{best[0]} does not step where it must")
    return best


def _multipliers(low: float, high: float, reach: int) -> list[tuple[int, int]]:
    """Odd multipliers with their shifts whose ratio lies in low..high, fewest digits first."""
    found: list[tuple[int, int, int]] = []
    first: int | None = None
    margin = 1e-12 * high if np.isfinite(high) else 0.0
    top = min(high + margin, 2 * low + 1.0) if low > 0 else min(high + margin, 1.0)
    for shift in range(62):
        if top * 2.0**shift * reach > 2.0**60 or (
            first is not None and shift > first + EXTRA_SHIFTS
        ):
            break
        start = max(1, int(np.ceil((low - margin) * 2.0**shift)))
        stop = int(np.floor(top * 2.0**shift))
        if stop < start:
            continue
        if first is None:
            first = shift
        candidates = np.arange(start, min(stop, start + 4096) + 1, dtype=np.int64)
        if shift:
            candidates = candidates[candidates & 1 == 1]  # even ones stood at a lower shift
        digits = np.bitwise_count(candidates ^ (3 * candidates))
        order = np.argsort(digits, kind="stable")[:TRIES]
        found += [(int(digits[k]), shift, int(candidates[k])) for k in order]
    return [(m, shift) for _, shift, m in sorted(found)[:TRIES]]


def _with_offsets(
    m: int, shift: int, sides: tuple[_Marks, ...], steps: Steps, offset: int
) -> Affine | None:
    """The form with the roundest offsets; where they allow it, no clamp is needed at the ends."""
    bounds = [side.offsets(m, shift) for side in sides]
    if any(low > high for low, high in bounds):
        return None
    least = (steps.first << shift) - m * steps.low
    most = ((steps.last + 1) << shift) - 1 - m * steps.high
    low, high = bounds[0]
    bounds[0] = (max(low, least), high) if least <= high else (low, high)
    low, high = bounds[-1]
    bounds[-1] = (low, min(high, most)) if low <= most else (low, high)
    for own, other in ((0, -1), (-1, 0)):  # a side without a mark of its own follows the other
        low, high = bounds[own]
        low = low if low > -FAR else min(high, bounds[other][0])
        bounds[own] = low, high if high < FAR else max(low, bounds[other][1])
    base = m * offset
    if len(bounds) == 1:
        low, high = bounds[0]
        return Affine(m, roundest(low + base, high + base) - base, shift)
    low, high = bounds[1]
    difference = roundest(bounds[0][0] - high, bounds[0][1] - low)
    low, high = max(low, bounds[0][0] - difference), min(high, bounds[0][1] - difference)
    return Affine(m, roundest(low + base, high + base) - base, shift, difference)


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


def _parity(steps: Steps) -> Affine | None:
    """A power of two that rounds half to even, if that is what the steps are."""
    if len(steps.positions) < 2:
        return None
    mean = (int(steps.positions[-1]) - int(steps.positions[0])) / (len(steps.positions) - 1)
    shift = round(np.log2(max(mean, 1.0)))
    half = (1 << shift) >> 1
    middle = int(steps.targets[0]) << shift
    # What is added to v before it is rounded: a multiple of 2^(shift + 1) keeps the parity.
    moved = round((middle - half - int(steps.positions[0])) / (2 << shift)) * (2 << shift)
    form = Affine(1, moved + half - 1, shift, 0, True)
    return form if shift and _agrees(form, steps) else None


def _agrees(affine: Affine, steps: Steps) -> bool:
    """Whether a form, clamped, is the function: at every step, and monotone between them."""
    ends = [v for v in (steps.low, -1, 0, steps.high) if steps.low <= v <= steps.high]
    v = np.concatenate([steps.positions - 1, steps.positions, np.array(ends, dtype=np.int64)])
    return bool((np.clip(affine.apply(v), steps.first, steps.last) == steps.at(v)).all())


def _toffolis(affine: Affine, width: int, offset: int, steps: Steps) -> int:
    """Forward Toffolis of the columns of m v + b."""
    extra = 0 if affine.b_negative == 0 else 2
    ends = affine.apply(np.array([steps.low, steps.high]))
    top = max(int(v if v >= 0 else ~v).bit_length() for v in ends) + affine.shift + 1
    m, triple = affine.m, 3 * affine.m
    change = [0] * (top + 1)
    for k in range((m ^ triple).bit_length() - 1):
        if (m ^ triple) >> (k + 1) & 1:  # a digit: the whole register stands from column k on
            change[min(k, top)] += 1
            change[min(k + width, top)] -= 1
    minus = (m & ~triple) >> 1
    total = m * offset + affine.b - minus * ((1 << width) - 1)
    return heights_toffolis(list(accumulate(change[:top])), total % (1 << top)) + extra
