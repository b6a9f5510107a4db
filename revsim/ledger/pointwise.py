"""T11: Landauer bounds an average; each single run has a surprise of its own.

For a row that a group of erasures takes from the state (r, k) to (0, k) the pointwise ledger is
-log2 p(r given k) = log2 of p(after) / p(before), at least 0; its mean over the ensemble is
given_kept of that group. A layer that draws at random (dropout, sampling, stochastic rounding) can
raise entropy, so that H(in) - H(out) is negative: such a value is reported as it is, never clipped.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.simulator.tally import Tally

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

POINTWISE_ROWS = 1 << 16
"""Most rows for which `verify` also keeps what each group throws away of each row (T11)."""


@dataclass(frozen=True)
class Spread:
    """A pointwise ledger over the rows of an ensemble, in bits; the median is the lower one."""

    least: float
    median: float
    most: float
    mean: float


def pointwise_rows(tally: Tally) -> dict[tuple[str, str], Floats]:
    """Bits that each (layer, cause) throws away of each row: float64 [rows].

    Needs a run with `pointwise=True`.
    """
    out: dict[tuple[str, str], Floats] = {}
    for group in tally.groups:
        if group.pointwise is None:
            raise InputError("the pointwise ledger needs a run with pointwise=True")
        key = group.layer, group.cause
        out[key] = out[key] + group.pointwise if key in out else group.pointwise
    return out


def pointwise_total(tally: Tally) -> Floats:
    """Bits that the whole run throws away of each row: float64 [rows]."""
    total = np.zeros(tally.rows)
    for values in pointwise_rows(tally).values():
        total += values
    return total


def pointwise_spread(tally: Tally, weights: Integers | None) -> Spread | None:
    """Spread of the whole run's pointwise ledger; None where the run did not record it."""
    if any(group.pointwise is None for group in tally.groups):
        return None
    return spread(pointwise_total(tally), weights)


def spread(values: Floats, weights: Integers | None = None) -> Spread:
    """Least, median, most and mean over rows of positive weight.

    >>> spread(np.array([0.0, 0.0, 3.0]), np.array([1, 1, 2]))
    Spread(least=0.0, median=0.0, most=3.0, mean=1.5)
    """
    weight = np.ones(len(values), dtype=np.int64) if weights is None else weights
    order = np.argsort(values, kind="stable")
    order = order[weight[order] > 0]
    gone, ordered = np.cumsum(weight[order]), values[order]
    middle = ordered[np.searchsorted(gone, (int(gone[-1]) + 1) // 2)]
    mean = float(ordered @ weight[order]) / int(gone[-1])
    return Spread(float(ordered[0]), float(middle), float(ordered[-1]), mean)
