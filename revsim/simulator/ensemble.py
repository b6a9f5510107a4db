"""Ensembles: the rows over which every probability and entropy of a report is taken.

Rows with optional integer weights. The default ensemble is the data set itself; every entropy is
then exact for that data set. Enumerated ensembles (all inputs, uniform or under a product prior)
have no ceiling; a data set of mostly distinct rows has one: no joint entropy exceeds log2 rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError

Rows = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]

ENUMERATION_LIMIT = 1 << 24
"""Most rows that are enumerated."""
CHUNK = 4096
"""Rows per random stream, so that rows depend on the seed and their index and nothing else."""
CEILING = 0.5
"""Above this share of distinct rows a sample says nothing about joint entropies."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """`rows`: integers [rows, inputs]; `weights`: int64 [rows] or None for one each.

    `enumerated`: every input that has a weight stands in it exactly once. `seed` is set for random
    rows.
    """

    name: str
    rows: Rows
    weights: Integers | None = None
    enumerated: bool = False
    seed: int | None = None

    @property
    def total(self) -> int:
        """Sum of the weights."""
        return len(self.rows) if self.weights is None else int(self.weights.sum())

    @property
    def distinct(self) -> int:
        """Number of different rows of positive weight."""
        kept = self.rows if self.weights is None else self.rows[self.weights > 0]
        if self.enumerated:
            return len(kept)
        return len(np.unique(kept, axis=0))

    @property
    def at_ceiling(self) -> bool:
        """Whether joint entropies are capped by the number of rows (samples only).

        What counts is the distribution: rows that all stand k times are as few as those that stand
        once, so weights are first divided by their greatest common divisor; with unequal weights
        the rows count as 2^H(X).
        """
        if self.enumerated:
            return False
        if self.weights is not None and len(np.unique(self.weights[self.weights > 0])) > 1:
            p = self.weights[self.weights > 0] / self.total
            return bool(-(p * np.log2(p)).sum() > np.log2(CEILING * max(self.distinct, 1)))
        _, place = np.unique(self.rows, axis=0, return_inverse=True)
        standing = np.bincount(place.ravel(), self.weights).astype(np.int64)
        standing = standing[standing > 0]
        return len(standing) > CEILING * int((standing // np.gcd.reduce(standing)).sum())


def checked(rows: Rows, weights: Any | None, what: str) -> tuple[Rows, Integers | None]:
    """Rows and weights with the shapes and signs that an ensemble needs, or an InputError."""
    if rows.ndim != 2 or rows.shape[0] == 0:
        raise InputError(
            f"{what}: there are no rows"
            if rows.ndim == 2
            else f"{what}: shape {rows.shape}; expected [rows, inputs]"
        )
    if rows.dtype.kind not in "iub":
        if rows.dtype.kind != "f":
            raise InputError(f"{what}: rows must be integers, got {rows.dtype}")
        if not bool(np.isfinite(rows).all()):
            place = np.argwhere(~np.isfinite(rows))[0]
            value = rows[tuple(place)]
            raise InputError(f"{what}: row {place[0]}, input {place[1]} is {value}, no integer")
        if bool((rows != np.floor(rows)).any()):
            raise InputError(f"{what}: rows contain fractions; quantise to integers first")
    if weights is None:
        return rows, None
    given = np.asarray(weights)
    if given.shape != (len(rows),):
        raise InputError(f"{what}: weights have shape {given.shape}; expected [{len(rows)}]")
    if given.dtype.kind not in "iub":
        if given.dtype.kind != "f":
            raise InputError(f"{what}: weights must be whole numbers, got {given.dtype}")
        if not bool(np.isfinite(given).all()):
            place = int(np.flatnonzero(~np.isfinite(given))[0])
            raise InputError(f"{what}: the weight of row {place} is {given[place]}, not a number")
        if bool((given != np.floor(given)).any()):
            raise InputError(f"{what}: weights must be whole numbers; multiply them up")
    if bool((given < 0).any()):
        raise InputError(f"{what}: row {int(np.flatnonzero(given < 0)[0])} has a negative weight")
    if not bool((given > 0).any()):
        raise InputError(f"{what}: all weights are 0")
    if float(given.astype(np.float64).sum()) >= 2.0**53:
        raise InputError(f"{what}: weights add up to 2^53 or more; divide them down")
    return rows, given.astype(np.int64)


def data_set(rows: Rows, weights: Any | None = None, name: str = "data") -> Ensemble:
    """The data set as the ensemble: integers [rows, inputs], optional whole weights [rows]."""
    try:
        given = np.asarray(rows)
    except ValueError as error:
        raise InputError(f"ensemble {name!r}: rows of unequal length") from error
    rows, checked_weights = checked(given, weights, f"ensemble {name!r}")
    return Ensemble(name, rows, checked_weights)


def inputs_in_all(low: Sequence[int] | Integers, high: Sequence[int] | Integers) -> int:
    """How many different inputs the declared ranges allow; 2^62 for any number above that.

    >>> inputs_in_all([0, -1], [1, 3]), inputs_in_all([0] * 1000, [255] * 1000) == 1 << 62
    (10, True)
    """
    total = 1
    for size in (np.asarray(high, dtype=np.int64) - np.asarray(low, dtype=np.int64) + 1).tolist():
        total *= size
        if total > 1 << 62:
            return 1 << 62
    return total


def uniform(
    low: Sequence[int] | Integers, high: Sequence[int] | Integers, name: str = "uniform"
) -> Ensemble:
    """Every input in the declared ranges once; the first input counts fastest.

    >>> uniform([0, -1], [1, 0]).rows.tolist()
    [[0, -1], [1, -1], [0, 0], [1, 0]]
    """
    lows, highs = np.asarray(low, dtype=np.int64), np.asarray(high, dtype=np.int64)
    sizes = [int(v) for v in highs - lows + 1]
    total = inputs_in_all(lows, highs)
    if total > ENUMERATION_LIMIT:
        bits = float(sum(np.log2(s) for s in sizes))
        raise InputError(
            f"ensemble {name}: the declared inputs span 2^{bits:.1f} rows, more than 2^24; "
            "use the data set or random:ROWS"
        )
    kind = np.min_scalar_type(
        min(int(lows.min(initial=0)), -int(highs.max(initial=0)) - 1)
    )  # signed, holds both
    rows = np.empty((total, len(sizes)), dtype=kind)
    period = 1
    for k, size in enumerate(sizes):
        column = np.repeat(np.arange(size), period)
        rows[:, k] = (np.tile(column, total // (period * size)) + lows[k]).astype(kind)
        period *= size
    return Ensemble(name, rows, None, enumerated=True)


def probabilities(values: npt.ArrayLike, what: str) -> npt.NDArray[np.float64]:
    """A distribution as float64 [cells], or an InputError where it is none (sum 1 to 1e-9).

    >>> probabilities([0.5, 0.5], "a coin").sum()
    np.float64(1.0)
    """
    try:
        p = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}: expected a list of probabilities, got {values!r:.60}") from error
    if p.ndim != 1 or not len(p):
        raise InputError(f"{what}: expected a list of probabilities, got shape {p.shape}")
    for bad, is_not in ((~np.isfinite(p), "no number in 0..1"), (p < 0, "negative")):
        if bool(bad.any()):
            place = int(np.flatnonzero(bad)[0])
            raise InputError(f"{what}: probability {place} is {is_not}, got {p[place]:g}")
    if abs(float(p.sum()) - 1) > 1e-9:
        raise InputError(f"{what}: probabilities add up to {float(p.sum()):.9g}, not to 1")
    return p


def product(low: Sequence[int] | Integers, marginals: Sequence[Any], name: str) -> Ensemble:
    """Every input, weighted by a product of marginals (one list of probabilities per input).

    Weights are whole multiples of 2^-44 of the total, so that every sum is exact; rows whose
    probability rounds to 0 drop out.
    """
    lows = np.asarray(low, dtype=np.int64)
    if not isinstance(marginals, Sequence | np.ndarray):
        raise InputError(f"ensemble {name}: expected one marginal an input, got {marginals!r:.60}")
    if len(marginals) != len(lows):
        raise InputError(f"ensemble {name}: {len(marginals)} marginals for {len(lows)} inputs")
    for k, marginal in enumerate(marginals):
        probabilities(marginal, f"ensemble {name}: the marginal of input {k}")
    highs = lows + np.array([len(m) for m in marginals]) - 1
    every = uniform(lows, highs, name)
    probability = np.ones(len(every.rows))
    for k, marginal in enumerate(marginals):
        probability *= np.asarray(marginal, dtype=np.float64)[every.rows[:, k] - lows[k]]
    weights = np.rint(probability * 2.0**44).astype(np.int64)
    kept = weights > 0
    return Ensemble(name, every.rows[kept], weights[kept], enumerated=True)


def random_rows(
    low: Sequence[int] | Integers, high: Sequence[int] | Integers, rows: int, seed: int
) -> Ensemble:
    """`rows` independent uniform inputs; row r depends on the seed and r only."""
    lows, highs = np.asarray(low, dtype=np.int64), np.asarray(high, dtype=np.int64)
    if not isinstance(rows, Integral) or not 1 <= rows <= ENUMERATION_LIMIT:
        raise InputError(f"ensemble random: the number of rows must lie in 1..2^24, got {rows}")
    if not isinstance(seed, Integral) or seed < 0:
        raise InputError(f"ensemble random: the seed must be 0 or more, got {seed}")
    chunks = []
    for chunk in range(-(-rows // CHUNK)):
        stream = np.random.default_rng(np.random.SeedSequence([seed, chunk]))
        here = min(CHUNK, rows - chunk * CHUNK)
        chunks.append(stream.integers(lows, highs + 1, size=(here, len(lows))))
    return Ensemble(f"random:{rows}", np.concatenate(chunks), None, seed=seed)
