"""Row bootstrap: whole rows are drawn again, so that neurons keep their correlations.

One replicate draws N of N rows with replacement; row r then counts c_r times. For a bit per row
the ones of all replicates are one matrix product, counts [replicates, rows] @ bits [rows, bits],
of whole numbers below 2^24, which single precision holds exactly: replicates depend on the seed and
their number alone, not on threads or on how the work was cut.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.ledger.intervals import check_confidence, h2
from revsim.ledger.reference import keys_of

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]

REPLICATES: Final = 1000
ROW_LIMIT: Final = 1 << 20
"""Most rows that are drawn again."""
CELLS: Final = 1 << 24
"""Entries of one block of a matrix product."""
FEW: Final = 512
"""Values up to which a joint entropy is counted as one bit per value."""


def resampled(rows: int, replicates: int, seed: int) -> Iterator[Singles]:
    """Blocks of how often each row was drawn: float32 [block, rows], whole numbers.

    >>> [block.sum(axis=1).tolist() for block in resampled(5, 2, seed=0)]
    [[5.0, 5.0]]
    """
    if not 1 <= rows <= ROW_LIMIT:
        raise InputError(f"the bootstrap takes 1 to {ROW_LIMIT:,} rows, got {rows:,}")
    if replicates < 2:
        raise InputError(f"the bootstrap needs 2 replicates or more, got {replicates}")
    if seed < 0:
        raise InputError(f"the seed must be 0 or more, got {seed}")
    size = max(1, CELLS // rows)
    for first in range(0, replicates, size):
        numbers = range(first, min(first + size, replicates))
        out = np.empty((len(numbers), rows), dtype=np.float32)
        for place, number in enumerate(numbers):
            stream = np.random.default_rng(np.random.SeedSequence([seed, number]))
            drawn = stream.integers(0, rows, size=rows)
            out[place] = np.bincount(drawn, minlength=rows)
        yield out


def resampled_ones(counts: Singles, bits: Bits) -> Integers:
    """Ones of each bit in each replicate: int64 [replicates, bits].

    counts: a block of `resampled`; bits: bool [bits, rows], one row per wire as in the simulator.
    """
    size = max(1, CELLS // bits.shape[1])
    blocks = [
        np.rint(counts @ bits[first : first + size].T.astype(np.float32)).astype(np.int64)
        for first in range(0, len(bits), size)
    ]
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((len(counts), 0), np.int64)


def resampled_bit_entropy(counts: Singles, bits: Bits) -> Floats:
    """Sum over bits (bool [bits, rows]) of h2(ones / rows) in each replicate, in bits."""
    rows = bits.shape[1]
    table = h2(np.arange(rows + 1) / rows)
    out = np.zeros(len(counts))
    size = max(1, CELLS // len(counts))  # the ones of many bits are summed as they come
    for first in range(0, len(bits), size):
        out += table[resampled_ones(counts, bits[first : first + size])].sum(axis=1)
    return out


def resampled_joint_entropy(counts: Singles, labels: Integers) -> Floats:
    """Entropy of labels 0..m-1 (int64 [rows], each present) in each replicate, in bits."""
    rows, values = len(labels), int(labels.max()) + 1
    terms = np.arange(rows + 1) / rows
    terms[1:] *= -np.log2(terms[1:])
    if values <= FEW:
        found = resampled_ones(counts, np.arange(values)[:, None] == labels)
    else:
        order = np.argsort(labels, kind="stable")
        starts = np.searchsorted(labels[order], np.arange(values))
        found = np.rint(np.add.reduceat(counts[:, order], starts, axis=1)).astype(np.int64)
    return np.asarray(terms[found].sum(axis=1))


def interval(estimate: float, replicates: Floats, confidence: float = 0.95) -> tuple[float, float]:
    """Limits of what `estimate` estimates, from replicates of the plug-in quantity.

    The replicates' deviations from their mean stand for those of the estimate from the truth, so
    that the upper quantile gives the lower limit ("basic" interval; Davison and Hinkley 1997).
    Their mean is left out: it repeats the bias that the estimator has corrected already.
    """
    tail = (1 - check_confidence(confidence)) / 2
    low, high = np.quantile(replicates - replicates.mean(), [tail, 1 - tail])
    return estimate - float(high), estimate - float(low)


def labels_of(values: npt.NDArray[np.generic]) -> Integers:
    """One label 0..m-1 per row of integers [rows, n], equal exactly where rows are: int64 [rows].

    >>> labels_of(np.array([[7, 0], [1, 1], [7, 0]])).tolist()
    [1, 0, 1]
    """
    found = np.unique(keys_of(values)[0], return_inverse=True)[1]
    return np.asarray(found, dtype=np.int64)
