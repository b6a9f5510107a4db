"""Joint statistics of registers and of the whole device, from exact counts over rows.

Where numba is absent the same is counted in NumPy, by comparing whole states instead of hashes;
the values of few rows are read in NumPy too, before a kernel could be loaded.
"""

import numpy as np
import numpy.typing as npt

from revsim.circuit.kernels import HAVE_NUMBA
from revsim.circuit.registers import Wires
from revsim.simulator.lanes import Raw, Words, read, unpack, words_for
from revsim.simulator.tally import Distribution, Spectrum
from revsim.simulator.threads import in_threads

Integers = npt.NDArray[np.int64]
HASH_SEED = 20250313
"""Seed of the keys of the state hash; any value gives the same entropies."""
DIRECT_BITS = 20
"""Registers up to this width are counted in a table, wider ones by their values as keys."""
VALUE_BITS = 64
"""Registers up to this width are read as integers, wider ones as hashes."""
CROWDED = 16
"""Patterns per row up to which each pattern of a register has a counter of its own."""
SHARED = 1 << 14
"""Words from which threads share the hashing of a state: half a millisecond's work."""
FEW_ROWS = 256
"""Rows whose values are read in NumPy, at 5 microseconds a wire."""


def values_of(state: Words, wires: Wires, rows: int) -> Raw:
    """A register of at most 64 wires as unsigned integers: uint64 [rows]."""
    if not HAVE_NUMBA or rows <= FEW_ROWS:
        return read(state, wires, rows)
    from revsim.simulator.counting import kernels

    out = np.zeros(rows, dtype=np.uint64)
    kernels.register_values(state, np.ascontiguousarray(wires, dtype=np.int32), rows, out)
    return out


def spectrum_of_values(values: Raw, bits: int, weights: Integers | None) -> Spectrum:
    """Spectrum of a column of integers below 2^bits."""
    if bits <= DIRECT_BITS:
        # Weighted sums in float64 are exact: the total weight stays below 2^53.
        return Spectrum.of(np.bincount(values.astype(np.int64), weights, minlength=1))
    keys = np.zeros((len(values), 2), dtype=np.uint64)
    keys[:, 0] = values
    return spectrum_of_keys(keys, weights)


def spectrum_of_keys(keys: npt.NDArray[np.uint64], weights: Integers | None) -> Spectrum:
    """Spectrum of 128-bit keys uint64 [rows, 2]."""
    if not HAVE_NUMBA:
        return spectrum_of_rows(keys, weights)
    from revsim.simulator.counting import kernels

    size = 1 << max(4, (2 * len(keys) - 1).bit_length())
    counts = np.zeros(size, dtype=np.int64)
    given = np.zeros(1, dtype=np.int64) if weights is None else weights
    scratch = np.zeros((size, 2), dtype=np.uint64)
    kernels.count_keys(keys, given, weights is not None, scratch, counts)
    return Spectrum.of(counts)


def spectrum_of_wires(
    state: Words, wires: Wires, rows: int, weights: Integers | None, threads: int = 1
) -> Spectrum:
    """Spectrum of the joint state of any number of wires; from 65 on by a 128-bit XOR hash per row.

    Two different states share a hash with probability below rows^2 / 2^129.
    """
    if len(wires) == 0:
        return Spectrum.of(np.array([rows if weights is None else int(weights.sum())]))
    narrow = len(wires) <= DIRECT_BITS and 1 << len(wires) <= CROWDED * rows
    if HAVE_NUMBA and weights is None and rows > FEW_ROWS and narrow:
        return Spectrum.of(_patterns(state, wires, rows))
    if len(wires) <= VALUE_BITS:
        return spectrum_of_values(values_of(state, wires, rows), len(wires), weights)
    if not HAVE_NUMBA:
        return spectrum_of_rows(np.packbits(unpack(state[wires], rows), axis=0).T, weights)
    return spectrum_of_keys(_hashes(state, wires, rows, threads), weights)


def _patterns(state: Words, wires: Wires, rows: int) -> Integers:
    """How many rows hold each pattern of up to 24 wires: int64 [2^wires]."""
    from revsim.simulator.counting import kernels

    counts = np.zeros(1 << len(wires), dtype=np.int64)
    count = kernels.count_minterms if len(wires) <= 4 else kernels.count_patterns
    count(state, np.ascontiguousarray(wires, dtype=np.int32), rows, counts)
    return counts


def _hashes(state: Words, wires: Wires, rows: int, threads: int = 1) -> npt.NDArray[np.uint64]:
    """The 128-bit hash of each row's state on some wires: uint64 [rows, 2]; those of parts of the
    wires, XORed, are that of all."""
    from revsim.simulator.counting import kernels

    def halves_of(part: Wires) -> npt.NDArray[np.uint64]:
        halves = np.zeros((2, 64 * words_for(rows)), dtype=np.uint64)
        kernels.hash_rows(state, part, halves)
        return halves

    parts = threads if len(wires) * words_for(rows) >= SHARED else 1
    split = np.array_split(np.ascontiguousarray(wires, dtype=np.int32), parts)
    halves = np.bitwise_xor.reduce(in_threads(halves_of, split, parts))
    return np.ascontiguousarray(halves[:, :rows].T)


def spectrum_of_rows(rows: npt.NDArray[np.generic], weights: Integers | None) -> Spectrum:
    """Spectrum of the rows of an array [rows, n], by sorting them: no hash, no numba."""
    found = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    return Spectrum.of(np.bincount(found, weights))


def lost_bits(before: Integers | None, after: Integers | None) -> npt.NDArray[np.float64] | None:
    """Bits that each row loses between two readings of `standing_of_wires`; None without them.

    >>> lost_bits(np.array([1, 1, 2]), np.array([2, 4, 2])).tolist()
    [1.0, 2.0, 0.0]
    """
    if before is None or after is None:
        return None
    return np.where(before > 0, np.log2(np.maximum(after, 1) / np.maximum(before, 1)), 0.0)


def standing_of_wires(state: Words, wires: Wires, rows: int, weights: Integers | None) -> Integers:
    """For each row the weight of all rows that agree with it on these wires: int64 [rows].

    >>> two_rows_alike = np.array([[0b011]], dtype=np.uint64)
    >>> standing_of_wires(two_rows_alike, np.array([0], np.int32), 3, None).tolist()
    [2, 2, 1]
    """
    if len(wires) == 0:
        return np.full(rows, rows if weights is None else weights.sum(), dtype=np.int64)
    if len(wires) <= DIRECT_BITS:
        values = values_of(state, wires, rows).astype(np.int64)
        # Weighted sums in float64 are exact: the total weight stays below 2^53.
        return np.bincount(values, weights).astype(np.int64)[values]
    keys: npt.NDArray[np.generic] = (
        _hashes(state, wires, rows)
        if HAVE_NUMBA
        else np.packbits(unpack(state[wires], rows), axis=0).T
    )
    order = np.lexsort(keys.T)
    fresh = np.ones(rows, dtype=np.bool_)
    fresh[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    place = np.empty(rows, dtype=np.int64)
    place[order] = np.cumsum(fresh) - 1
    return np.bincount(place, weights).astype(np.int64)[place]


def distribution_of_wires(
    state: Words, wires: Wires, rows: int, weights: Integers | None
) -> Distribution:
    """Which values stand in a register of any width, and with what weight."""
    if len(wires) <= DIRECT_BITS:
        counts = np.bincount(values_of(state, wires, rows).astype(np.int64), weights)
        held = np.flatnonzero(counts)
        return Distribution(held.astype(np.uint64), counts[held].astype(np.int64))
    if len(wires) <= 64:
        keys: npt.NDArray[np.generic] = values_of(state, wires, rows)
    else:
        octets = np.ascontiguousarray(np.packbits(unpack(state[wires], rows), axis=0).T)
        keys = octets.view(f"S{octets.shape[1]}")[:, 0]
    values, place = np.unique(keys, return_inverse=True)
    weight = np.bincount(place, weights).astype(np.int64)
    return Distribution(values[weight > 0], weight[weight > 0])
