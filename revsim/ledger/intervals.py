"""How far an estimate may be from its population: intervals for one bit and for any counts.

All limits are in bits. `confidence` is the share of samples whose interval holds the population's
value, 0.95 unless said otherwise. Sums over correlated neurons need `bootstrap.py`.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.ledger.estimators import counted

Floats = npt.NDArray[np.float64]


def standard_error(counts: npt.ArrayLike) -> float:
    """Standard error of the plug-in entropy in bits: sqrt((sum p log2(p)^2 - H^2) / N).

    The linear term vanishes for a uniform distribution; use the bootstrap near it.

    >>> round(standard_error([9000, 1000]), 6)
    0.00951
    """
    n = counted(counts)
    p = n / n.sum()
    logs = np.log2(p)
    spread = float((p * logs**2).sum()) - float((p * logs).sum()) ** 2
    return math.sqrt(max(spread, 0.0) / int(n.sum()))


def bit_standard_error(p: float, rows: int) -> float:
    """Standard error of the plug-in h2(p) in bits: sqrt(p (1 - p) / N) |log2((1 - p) / p)|.

    >>> round(bit_standard_error(0.1, 10_000), 6)
    0.00951
    """
    if not 0 <= p <= 1:
        raise InputError(f"a probability must lie in 0..1, got {p}")
    if p in (0, 1):
        return 0.0
    return math.sqrt(p * (1 - p) / rows) * abs(math.log2((1 - p) / p))


def check_confidence(confidence: float) -> float:
    """The confidence, or an InputError where it does not lie between 0 and 1."""
    if not 0 < confidence < 1:
        raise InputError(f"the confidence must lie between 0 and 1, got {confidence}")
    return confidence


def wilson(ones: npt.ArrayLike, rows: int, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Limits of the probability of a bit that was 1 in `ones` of `rows` rows (Wilson 1927).

    ones: int [n]; gives float64 [n] twice. Never empty, also for a bit that never changed.

    >>> [v.round(4).tolist() for v in wilson([0, 50], 100)]
    [[0.0, 0.4038], [0.037, 0.5962]]
    """
    z = NormalDist().inv_cdf((1 + check_confidence(confidence)) / 2)
    counted_ones = np.asarray(ones)
    if rows < 1 or bool(((counted_ones < 0) | (counted_ones > rows)).any()):
        raise InputError(f"ones must lie in 0..{rows}, and there must be rows")
    p = counted_ones / rows
    middle = (p + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * np.sqrt(p * (1 - p) / rows + z * z / (4 * rows * rows))
    return np.where(p == 0, 0.0, middle - half), np.where(p == 1, 1.0, middle + half)


def bit_entropy_limits(
    ones: npt.ArrayLike, rows: int, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Limits of h2(p) in bits: the Wilson limits of p through h2, which turns at 1/2.

    Where the limits of p lie on either side of 1/2 the upper one is 1 bit.

    >>> [v.round(4).tolist() for v in bit_entropy_limits([0, 50], 100)]
    [[0.0, 0.9731], [0.2283, 1.0]]
    """
    return through(h2, *wilson(ones, rows, confidence))


def through(f: Callable[[Floats], Floats], low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Limits of f(p) from limits of p, for f that rises up to p = 1/2 and falls from there on."""
    ends = f(low), f(high)
    top = np.where((low < 0.5) & (high > 0.5), f(np.full(low.shape, 0.5)), np.maximum(*ends))
    return np.minimum(*ends), top


def h2(p: npt.ArrayLike) -> Floats:
    """Entropy of bits that are 1 with probability p: float64 of the same shape, in bits.

    >>> h2([0.0, 0.5, 1.0]).tolist()
    [0.0, 1.0, 0.0]
    """
    one = np.asarray(p, dtype=np.float64)
    out = np.zeros(one.shape)
    for q in (one, 1 - one):
        out -= q * np.log2(q, out=np.zeros(one.shape), where=q > 0)
    return out + 0.0


def any_distribution(rows: int, confidence: float = 0.95) -> float:
    """Half width e in bits with P(|H - E H| > e) <= 1 - confidence whatever is sampled.

    H is the plug-in entropy: 2 exp(-N e^2 / (2 log2(N)^2)) is solved for e (Antos and
    Kontoyiannis 2001). It says nothing about the bias E H - H(population).

    >>> round(any_distribution(10_000), 3)
    0.361
    """
    check_confidence(confidence)
    return math.log2(rows) * math.sqrt(2 * math.log(2 / (1 - confidence)) / rows)
