"""One bit as two levels: work and error of its erasure, exactly.

Energies are in k_B T, entropies in nats.

Level 0 has energy 0, level 1 energy E; a device moves E and the bath moves the bit:

    jump in E          work dE if the bit is 1, which is certain at a fixed state
    wait at E          p1 relaxes to 1 / (1 + e^E) at the rate k0 (e^(E/2) + e^(-E/2))

Both steps are exact, so that averages over all paths come from two numbers, without sampling.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from revsim.errors import InputError
from revsim.physics.double_well import Floats
from revsim.physics.landauer import binary_entropy

LN2 = math.log(2.0)


def entropy_nats(p: float) -> float:
    """h(p) in nats."""
    return binary_entropy(p) * LN2


def check_probability(p: float, what: str) -> float:
    """The probability, or an InputError that says which one is none."""
    if not 0.0 <= p <= 1.0:
        raise InputError(f"{what} must lie in 0..1, got {p}")
    return p


def raise_slowly(top: float) -> float:
    """Work of raising level 1 from 0 to `top`, infinitely slowly: ln 2 - ln(1 + e^-top).

    >>> round(raise_slowly(20.0), 9)
    0.693147178
    """
    return LN2 - math.log1p(math.exp(-top))


def partial_erasure(error: float) -> float:
    """Least work to reset a fair bit and fail with probability `error`: ln 2 - h(error).

    >>> partial_erasure(0.5), round(partial_erasure(0.0), 6)
    (0.0, 0.693147)
    """
    return LN2 - entropy_nats(check_probability(error, "the error of an erasure"))


def szilard_work(error: float) -> float:
    """Most work that Szilard's engine draws from one bit measured wrongly with probability `error`:
    ln 2 - h(error), the information gained (Sagawa and Ueda 2009)."""
    return partial_erasure(check_probability(error, "the error of a measurement"))


def szilard_cycle(error: float) -> float:
    """The same less the reset of the memory, whose outcomes are fair: -h(error), never above 0."""
    return szilard_work(error) - partial_erasure(0.0)


def reset_together(joint: Floats) -> float:
    """Least work to reset correlated bits at once: the entropy of their joint distribution.

    joint: probabilities float64 [2, ..., 2], one axis per bit.

    >>> same = np.array([[0.5, 0.0], [0.0, 0.5]])
    >>> round(reset_together(same), 6), round(reset_separately(same), 6)
    (0.693147, 1.386294)
    """
    p = _distribution(joint)
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def reset_separately(joint: Floats) -> float:
    """Least work to reset each bit by itself: the sum of their entropies."""
    p = _distribution(joint)
    axes = range(p.ndim)
    ones = [float(p.take(1, axis=k).sum()) for k in axes]
    return sum(entropy_nats(one) for one in ones)


def _distribution(joint: Floats) -> Floats:
    p = np.asarray(joint, dtype=np.float64)
    if bool((p < 0).any()) or abs(float(p.sum()) - 1) > 1e-9 or set(p.shape) != {2}:
        raise InputError("a joint distribution of bits has shape [2, ..., 2] and sums to 1")
    return p


@dataclass(frozen=True)
class Drive:
    """Averages over all paths of one driven bit; work in k_B T.

    `work` <W>, `ones` P(bit = 1 at the end), `weighted` E[exp(-W)], `weighted_zero`
    E[exp(-W); bit = 0 at the end].
    """

    work: float
    ones: float
    weighted: float
    weighted_zero: float


def drive(levels: Sequence[float] | Floats, wait: float, start: float = 0.5) -> Drive:
    """Move level 1 through `levels` (k_B T), waiting `wait` / k0 after each jump.

    wait inf: full relaxation. start: P(1) at the start; levels[0] is the energy there.

    >>> tenth = drive(np.linspace(0, 20, 11), math.inf)
    >>> round(tenth.work, 6), round(tenth.weighted, 6)
    (1.280099, 0.5)
    """
    check_probability(start, "the probability that the bit is 1")
    if not wait >= 0:
        raise InputError(f"the wait after a jump must be 0 or more, got {wait}")
    energies = np.asarray(levels, dtype=np.float64)
    jumps = np.diff(energies)
    resting = 1 / (1 + np.exp(energies[1:]))
    decay = np.exp(-2 * np.cosh(energies[1:] / 2) * wait) if wait else np.ones(len(jumps))
    work, one = 0.0, start
    zeros, ones = 1 - start, start  # both weighted by exp(-W)
    for jump, rest, left in zip(jumps, resting, decay, strict=True):
        work += one * jump
        one = rest + (one - rest) * left
        ones *= math.exp(-jump)
        total = zeros + ones
        ones = rest * total + (ones - rest * total) * left
        zeros = total - ones
    return Drive(float(work), float(one), float(zeros + ones), float(zeros))
