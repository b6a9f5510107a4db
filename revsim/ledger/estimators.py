"""Entropy of a population from the counts of a sample, in bits.

The plug-in entropy of a sample is biased low: with K possible values and N independent rows by
about (K - 1) / (2 N ln 2). Each estimator takes counts n_i of the values seen and corrects that in
its own way. None is needed where the data set itself is the ensemble: its entropies are exact.

    plug_in        sum of -p log2 p with p = n / N
    miller_madow   + (values seen - 1) / (2 N ln 2); G. Miller (1955)
    chao_shen      coverage C = 1 - f1 / N, Horvitz-Thompson; A. Chao, T.-J. Shen (2003)
    grassberger    log2 N - sum n G(n) / (N ln 2); P. Grassberger, arXiv physics/0307138 (2003)
    nsb            Bayes, prior flat in the entropy; I. Nemenman, F. Shafee, W. Bialek (2001)
"""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError, missing
from revsim.simulator.ensemble import probabilities

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Estimator = Callable[[npt.ArrayLike, float], float]
"""From counts of the values seen and the number of possible values to an entropy in bits."""

BIAS: Final = 0.01
"""Bits of bias up to which a sample is large enough."""
LN2: Final = math.log(2)


def counted(counts: npt.ArrayLike) -> Counts:
    """Positive counts int64 [m] (zeros left out), or an InputError that says what is wrong."""
    given = np.asarray(counts)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iub"):
        raise InputError(f"counts must be a list of whole numbers, got {given.dtype} {given.shape}")
    if bool((given < 0).any()):
        raise InputError(f"counts: entry {int(np.flatnonzero(given < 0)[0])} is negative")
    positive = given[given > 0].astype(np.int64)
    if len(positive) == 0:
        raise InputError("counts: nothing was counted")
    return positive


def plug_in(counts: npt.ArrayLike, cells: float = math.inf) -> float:
    """Entropy of the sample itself: exact for it, biased low for its population.

    >>> round(plug_in([10, 5, 3, 2]), 6)
    1.742738
    """
    n = counted(counts)
    p = n / n.sum()
    return max(0.0, float(-(p * np.log2(p)).sum()))


def miller_madow(counts: npt.ArrayLike, cells: float = math.inf) -> float:
    """Plug-in + (m - 1) / (2 N ln 2), m values seen among N rows (Miller 1955).

    >>> round(miller_madow([10, 5, 3, 2]), 6)
    1.85094
    """
    n = counted(counts)
    return plug_in(n) + (len(n) - 1) / (2 * int(n.sum()) * LN2)


def chao_shen(counts: npt.ArrayLike, cells: float = math.inf) -> float:
    """Coverage-adjusted Horvitz-Thompson estimate (Chao and Shen 2003).

    -sum C p log2(C p) / (1 - (1 - C p)^N) with C = 1 - f1 / N, f1 the values seen once; where all
    were seen once, f1 = N - 1.

    >>> round(chao_shen([10, 5, 3, 1, 1]), 6)
    2.087338
    """
    n = counted(counts)
    total = int(n.sum())
    once = int((n == 1).sum())
    coverage = 1 - (total - 1 if once == total else once) / total
    p = coverage * n / total
    if coverage == 0:  # a single row
        return 0.0
    return max(0.0, float(-(p * np.log2(p) / (1 - (1 - p) ** total)).sum()))


def grassberger(counts: npt.ArrayLike, cells: float = math.inf) -> float:
    """log2 N - sum n G(n) / (N ln 2) (Grassberger 2003); needs scipy.

    G(n) = psi(n) + (-1)^n / 2 (psi((n + 1) / 2) - psi(n / 2)).

    >>> round(grassberger([10, 5, 3, 1, 1]), 6)
    2.181538
    """
    psi = _special("grassberger").digamma
    n = counted(counts)
    sign = np.where(n % 2 == 0, 0.5, -0.5)
    g = psi(n) + sign * (psi((n + 1) / 2) - psi(n / 2))
    total = int(n.sum())
    return float((math.log(total) - (n * g).sum() / total) / LN2)


def nsb(counts: npt.ArrayLike, cells: float = math.inf) -> float:
    """Posterior mean entropy under the prior of Nemenman, Shafee and Bialek (2001); needs scipy.

    `cells`: the number K of possible values, at least those seen. A mixture of Dirichlet priors of
    concentration b each, weighted by d xi / db, xi = psi(K b + 1) - psi(b + 1), which is nearly
    flat in the entropy; one integral over ln b.

    >>> round(nsb([10, 5, 3, 1, 1], 8), 6)
    2.055141
    """
    special = _special("nsb")
    n = counted(counts)
    if not math.isfinite(cells) or cells < len(n):
        raise InputError(
            f"nsb needs the number of possible values, at least the {len(n)} seen; got {cells}"
        )
    if cells == 1:
        return 0.0
    total = int(n.sum())
    value, times = np.unique(n, return_counts=True)

    def log_weight(u: Floats) -> Floats:
        """Log of evidence times prior times b at ln b = u, up to a constant."""
        b = np.exp(u)
        evidence = special.betaln(cells * b, total)
        for v, k in zip(value.tolist(), times.tolist(), strict=True):
            evidence = evidence - k * special.betaln(b, v)
        slope = cells * special.polygamma(1, cells * b + 1) - special.polygamma(1, b + 1)
        return np.asarray(evidence + np.log(np.maximum(slope, 1e-300)) + u)

    u = _around_peak(log_weight)
    logs = log_weight(u)
    weight = np.exp(logs - logs.max())
    b = np.exp(u)
    size = total + cells * b
    inside = (cells - len(n)) * b * special.digamma(b + 1)
    for v, k in zip(value.tolist(), times.tolist(), strict=True):
        inside = inside + k * (v + b) * special.digamma(v + b + 1)
    mean = special.digamma(size + 1) - inside / size
    return float((weight * mean).sum() / weight.sum() / LN2)


def _around_peak(log_weight: Callable[[Floats], Floats]) -> Floats:
    """Evenly spaced ln b over all that matters of a peaked weight (the rest is below e^-46).

    On such a grid a plain sum is the trapezoid rule, which converges exponentially.
    """
    low, high = -30.0, 30.0
    for _ in range(6):
        u = np.linspace(low, high, 2001)
        logs = log_weight(u)
        seen = np.flatnonzero(logs > logs.max() - 46)
        near = max(int(seen[0]) - 1, 0), min(int(seen[-1]) + 1, len(u) - 1)
        if near[1] - near[0] > len(u) // 2:
            break
        low, high = float(u[near[0]]), float(u[near[1]])
    return u


def _special(name: str) -> Any:
    try:
        from scipy import special
    except ImportError as error:
        raise missing(f"estimator {name}", "scipy", "stats") from error
    return special


ESTIMATORS: Final[dict[str, Estimator]] = {
    "plug_in": plug_in,
    "miller_madow": miller_madow,
    "chao_shen": chao_shen,
    "grassberger": grassberger,
    "nsb": nsb,
}
OF_COVERAGE: Final = ("chao_shen", "grassberger", "nsb")
"""Estimators that also work while values are still missing, once N > 2^(H/2)."""


def estimator(name: str) -> Estimator:
    """The estimator of that name, or an InputError that lists the names."""
    if name not in ESTIMATORS:
        raise InputError(f"unknown estimator {name!r}; choose one of {', '.join(ESTIMATORS)}")
    if name in ("grassberger", "nsb"):
        _special(name)
    return ESTIMATORS[name]


# --- what a sample of a known distribution would show, and how large a sample must be -----------


def plug_in_bias(cells: float, rows: int) -> float:
    """Leading bias of the plug-in entropy in bits: -(K - 1) / (2 N ln 2).

    >>> round(plug_in_bias(2, 1000), 6)
    -0.000721
    """
    return -(cells - 1) / (2 * rows * LN2)


def rows_needed(cells: float, bias: float = BIAS) -> float:
    """Rows at which the plug-in bias over `cells` values is `bias` bits: (K - 1) / (2 bias ln 2).

    >>> round(rows_needed(256), 1)
    18394.4
    """
    if not bias > 0:
        raise InputError(f"the bias must be above 0 bits, got {bias}")
    return (cells - 1) / (2 * bias * LN2)


def ceiling(rows: int) -> float:
    """Greatest joint entropy that `rows` rows can show: log2 N bits.

    >>> ceiling(1024)
    10.0
    """
    return math.log2(rows)


def expected_plug_in(p: npt.ArrayLike, rows: int) -> float:
    """Exact expectation of the plug-in entropy of `rows` independent rows drawn from p [K].

    Sum over values of E[-(k / N) log2(k / N)], k binomial: no sampling.

    >>> round(expected_plug_in([0.5, 0.5], 10), 6)
    0.923499
    """
    k = np.arange(1, rows + 1)
    terms = -(k / rows) * np.log2(k / rows)
    return float(sum((_binomial(q, rows)[1:] * terms).sum() for q in probabilities(p, "p")))


def expected_miller_madow(p: npt.ArrayLike, rows: int) -> float:
    """Exact expectation of the Miller-Madow estimate of `rows` independent rows drawn from p [K].

    The values seen are expected to be sum of 1 - (1 - p)^N.

    >>> round(expected_miller_madow([0.5, 0.5], 10), 6)
    0.995492
    """
    q = probabilities(p, "p")
    seen = float((1 - (1 - q) ** rows).sum())
    return expected_plug_in(q, rows) + (seen - 1) / (2 * rows * LN2)


def _binomial(p: float, rows: int) -> Floats:
    """Probabilities of 0..rows successes: float64 [rows + 1], by ratios of neighbours."""
    if p <= 0 or p >= 1:
        return np.where(np.arange(rows + 1) == (rows if p >= 1 else 0), 1.0, 0.0)
    k = np.arange(rows)
    ratios = np.log((rows - k) / (k + 1)) + math.log(p) - math.log1p(-p)
    logs = np.concatenate([[0.0], np.cumsum(ratios)]) + rows * math.log1p(-p)
    return np.asarray(np.exp(logs))
