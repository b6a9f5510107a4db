"""One bit erased in a finite time: a two-state jump process whose level 1 is raised steadily.

Rates are k0 e^(E/2) from 1 to 0 and k0 e^(-E/2) from 0 to 1 (detailed balance at every E); energies
in k_B T, times in 1 / k0. P(1) obeys dp/dt = -k (p - r) with k = 2 cosh(E/2), r = 1 / (1 + e^E).
It is solved in small intervals with k constant and r a straight line: exact where the ramp is slow
(p follows r) and where it is fast (p stays), second order between.
"""

import math
from dataclasses import dataclass

import numpy as np

from revsim.errors import InputError

INTERVALS = 2000
LARGEST_TOP = 200.0


@dataclass(frozen=True)
class Erasure:
    """What an erasure does to a bit that starts at 0 and to one that starts at 1.

    `work_from`: mean work in k_B T, all of it heat at the end of the cycle; `error_from`: P(1) at
    the end. Both are straight lines in P(1) at the start, whatever the device is tuned to.
    """

    duration: float
    top: float
    tuned_to: float
    work_from: tuple[float, float]
    error_from: tuple[float, float]

    def work(self, ones: float | None = None) -> float:
        """Mean work in k_B T on a bit that is 1 with probability `ones` (None: as tuned to)."""
        return self._between(self.work_from, ones)

    def error(self, ones: float | None = None) -> float:
        """P(1 at the end) of such a bit."""
        return self._between(self.error_from, ones)

    def _between(self, ends: tuple[float, float], ones: float | None) -> float:
        p = self.tuned_to if ones is None else ones
        return ends[0] + p * (ends[1] - ends[0])


def erase(duration: float, top: float, tuned_to: float = 0.5) -> Erasure:
    """Erase a bit in a time `duration` / k0: ramp level 1 up to `top` k_B T, then drop it to 0.

    The device is tuned to P(1) = tuned_to: the ramp starts, by a sudden jump, at the energy
    ln((1 - p) / p) where such a bit is at rest. Before the drop the two states are cut off from
    each other (a barrier is raised), so that the cycle closes with whatever the bit then holds.

    >>> slow = erase(1e4, 20.0)
    >>> round(slow.work(), 4), slow.error() < 1e-8
    (0.6935, True)
    """
    if not 0 < tuned_to < 1:
        raise InputError(f"a device can be tuned to P(1) between 0 and 1, not to {tuned_to}")
    if not 0 < duration < math.inf:
        raise InputError(f"the duration of an erasure must be above 0 and finite, got {duration}")
    first = math.log((1 - tuned_to) / tuned_to)
    if not first < top <= LARGEST_TOP:
        raise InputError(
            f"the top of the ramp must lie above {first:.3g} and at most at {LARGEST_TOP:g} k_B T, "
            f"got {top}"
        )
    edges = np.linspace(first, top, INTERVALS + 1)
    resting = 1 / (1 + np.exp(edges))
    dt = duration / INTERVALS
    rate = 2 * np.cosh((edges[1:] + edges[:-1]) / 4)
    kept = np.exp(-rate * dt)
    lag = -np.diff(resting) / (rate * dt)  # p - r where the ramp has long gone on
    softplus = np.logaddexp(0.0, -edges)
    following = softplus[:-1] - softplus[1:]  # integral of r over E
    share = (1 - kept) / (rate * dt) * (edges[1] - edges[0])
    apart = np.concatenate([[1.0], np.cumprod(kept)])  # P(1) from 1 less P(1) from 0
    p, work = 0.0, float(following.sum())
    width = float(edges[1] - edges[0])
    table = np.stack([resting[:-1], resting[1:], kept, lag, share], axis=1).tolist()
    for before, after, left, behind, weight in table:
        gap = p - before - behind
        work += gap * weight + behind * width
        p = after + behind + gap * left
    p_from = p, p + float(apart[-1])
    work_from = work - top * p, work + first + float(apart[:-1] @ share) - top * p_from[1]
    return Erasure(duration, top, tuned_to, work_from, p_from)


def erase_to(error: float, duration: float, tuned_to: float = 0.5) -> Erasure:
    """The ramp that leaves P(1) = error after the given time, its top found by bisection.

    Any error is within reach of any time, at a price: the faster and the cleaner, the higher the
    ramp. Raises InputError where that would be above 200 k_B T.

    >>> found = erase_to(0.01, 100.0)
    >>> round(found.error(), 9), found.work() > 0.637
    (0.01, True)
    """
    if not 0 < error < tuned_to:
        raise InputError(f"the error of an erasure must lie between 0 and {tuned_to}, got {error}")
    low, high = math.log((1 - tuned_to) / tuned_to) + 1e-9, LARGEST_TOP
    if erase(duration, high, tuned_to).error() > error:
        raise InputError(
            f"no ramp up to {high:g} k_B T leaves an error of {error} in {duration} / k0"
        )
    for _ in range(60):
        middle = (low + high) / 2
        if erase(duration, middle, tuned_to).error() > error:
            low = middle
        else:
            high = middle
    return erase(duration, high, tuned_to)
