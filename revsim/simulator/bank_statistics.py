"""Banks of registers: integers in and out, and the joint statistics of every register at once."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from revsim.circuit.banks import Bank, BankErase, WireTable
from revsim.circuit.registers import Encoding
from revsim.simulator.lanes import Raw, Words, unpack
from revsim.simulator.tally import BankTally, SharedRegisters, Spectrum
from revsim.simulator.threads import in_threads

Integers = npt.NDArray[np.int64]

VALUES = 1 << 22
"""Values that are read at once: 32 MB."""
DIRECT_BITS = 16
"""Registers up to this width are counted in a table of all their values, wider ones by hashing."""


def write_bank(state: Words, bank: Bank, values: Integers) -> None:
    """Set the registers of a bank: int64 [rows, registers], row r in bit r % 64 of word r // 64."""
    raw = bank.encoding.encode(values)
    for k in range(bank.wires.shape[1]):
        bits = ((raw >> np.uint64(k)) & np.uint64(1)).astype(np.uint8)
        octets = np.packbits(bits, axis=0, bitorder="little").T
        padded = np.zeros((bank.size, 8 * state.shape[1]), dtype=np.uint8)
        padded[:, : octets.shape[1]] = octets
        state[bank.wires[:, k]] = padded.view(np.uint64)


def raw_values(state: Words, wires: WireTable, rows: int, executor: str) -> Raw:
    """Registers as unsigned integers: uint64 [rows, registers] from wires [registers, width].

    In memory the rows of a register follow each other: that is how they are read and counted.
    """
    out = np.zeros((len(wires), rows), dtype=np.uint64).T
    if executor != "numpy":
        from revsim.simulator.counting import kernels

        kernels.bank_values(state, np.ascontiguousarray(wires, dtype=np.int32), rows, out.T)
        return out
    for k in range(wires.shape[1]):
        out |= unpack(state[wires[:, k]], rows).T.astype(np.uint64) << np.uint64(k)
    return out


def decode(raw: Raw, encoding: Encoding) -> Integers:
    """Integers of registers, as `Encoding.decode`, in one pass where the bits are plain binary."""
    if encoding.weights == tuple(1 << k for k in range(encoding.width)):
        return np.asarray(raw.astype(np.int64) + encoding.offset)
    return encoding.decode(raw)


def read_bank(state: Words, bank: Bank, rows: int, executor: str) -> Integers:
    """The integers that a bank holds: int64 [rows, registers]."""
    return decode(raw_values(state, bank.wires, rows, executor), bank.encoding)


def ones_of(state: Words, wires: WireTable, planes: Words) -> Integers:
    """Weight of the rows in which each wire is 1: int64, of the shape of `wires`."""
    out = np.zeros(wires.shape, dtype=np.int64)
    for p, plane in enumerate(planes):
        out += np.bitwise_count(state[wires] & plane).sum(axis=-1, dtype=np.int64) << p
    return out


def pools_of(places: Integers, shape: tuple[int, int]) -> tuple[Integers, Integers]:
    """Registers in the order in which shared hardware pools them, and where each pool starts.

    A pool is the registers of one channel; where a value has several registers in a bank, the
    first ones of all positions are one pool, the second ones another.

    >>> order, starts = pools_of(np.array([0, 1, 2, 3]), (2, 2))
    >>> order.tolist(), starts.tolist()
    ([0, 2, 1, 3], [0, 2, 4])
    """
    by_place = np.argsort(places, kind="stable")
    sorted_places = places[by_place]
    new = np.flatnonzero(np.diff(sorted_places, prepend=-1))
    rank = np.empty(len(places), dtype=np.int64)
    rank[by_place] = np.arange(len(places)) - np.repeat(new, np.diff(np.append(new, len(places))))
    channel = places % shape[1]
    order = np.lexsort((places, channel, rank))
    fresh = np.diff(channel[order], prepend=-1) != 0
    fresh |= np.diff(rank[order], prepend=-1) != 0
    return order, np.append(np.flatnonzero(fresh), len(places))


def pooled_spectrum(
    state: Words,
    wires: WireTable,
    starts: Integers,
    rows: int,
    weights: Integers | None,
    executor: str,
) -> Spectrum:
    """Spectra of pools of registers as one: pool i is the registers starts[i]..starts[i + 1] - 1 of
    `wires` [registers, width], all values of all of them counted together."""
    parts = []
    for first, last in _chunks(starts, max(1, VALUES // max(rows, 1))):
        here = starts[first : last + 1]
        values = raw_values(state, wires[here[0] : here[-1]], rows, executor)
        count = _count_fast if executor != "numpy" else _count_plain
        parts.append(Spectrum.of(count(values, here - here[0], wires.shape[1], weights)))
    return Spectrum.sum(parts)


def spectra_of(
    state: Words,
    wires: WireTable,
    pool: int,
    rows: int,
    weights: Integers | None,
    executor: str,
    threads: int,
) -> tuple[Spectrum, Spectrum]:
    """Spectra of registers, wires [registers, width], and of each `pool` of them that follow each
    other, as one each."""
    largest = pool * (rows if weights is None else int(weights.sum()))
    if executor != "numpy" and wires.shape[1] <= DIRECT_BITS and largest < VALUES:
        return _count_registers(state, wires, pool, rows, weights, threads, largest)
    every, pools = np.arange(len(wires) + 1), np.arange(0, len(wires) + 1, pool)
    each = pooled_spectrum(state, wires, every, rows, weights, executor)
    if pool == 1:
        return each, each
    return each, pooled_spectrum(state, wires, pools, rows, weights, executor)


def _count_registers(
    state: Words,
    wires: WireTable,
    pool: int,
    rows: int,
    weights: Integers | None,
    threads: int,
    largest: int,
) -> tuple[Spectrum, Spectrum]:
    from revsim.simulator.counting import kernels

    def times_of(part: WireTable) -> tuple[Integers, Integers]:
        counts, pooled = np.zeros((2, 1 << wires.shape[1]), dtype=np.int64)
        times, pooled_times = (np.zeros(n + 1, np.int64) for n in (largest // pool, largest))
        kernels.count_registers(
            state,
            part,
            pool,
            np.zeros(1, np.int64) if weights is None else weights,
            weights is not None,
            np.empty(rows, dtype=np.int64),
            counts,
            pooled,
            times,
            pooled_times,
        )
        return times, pooled_times

    pools = np.ascontiguousarray(wires, dtype=np.int32).reshape(-1, pool, wires.shape[1])
    parts = [part.reshape(-1, wires.shape[1]) for part in np.array_split(pools, threads)]
    both = zip(*in_threads(times_of, parts, threads), strict=True)
    each, pooled = (Spectrum.of_times(np.sum(times, axis=0)) for times in both)
    return each, each if pool == 1 else pooled


def _chunks(starts: Integers, registers: int) -> list[tuple[int, int]]:
    """Runs of whole pools (first, last + 1) of about so many registers."""
    out, first = [], 0
    while first < len(starts) - 1:
        last = int(np.searchsorted(starts, starts[first] + registers, "right")) - 1
        last = max(last, first + 1)
        out.append((first, last))
        first = last
    return out


def _count_fast(values: Raw, starts: Integers, width: int, weights: Integers | None) -> Integers:
    from revsim.simulator.counting import kernels

    largest = int(np.diff(starts).max(initial=0)) * len(values)
    direct = width <= DIRECT_BITS
    size = 1 << (width if direct else (2 * largest).bit_length())
    out = np.empty(values.size, dtype=np.int64)
    found = kernels.count_values(
        np.ascontiguousarray(values.T),
        starts,
        np.zeros(1, np.int64) if weights is None else weights,
        weights is not None,
        np.zeros(0 if direct else size, dtype=np.uint64),
        np.zeros(size, dtype=np.int64),
        out,
    )
    return out[:found]


def _count_plain(values: Raw, starts: Integers, width: int, weights: Integers | None) -> Integers:
    parts = [np.zeros(0, dtype=np.int64)]
    for first, last in pairwise(starts.tolist()):
        _, place = np.unique(values[:, first:last], return_inverse=True)
        given = None if weights is None else np.repeat(weights, last - first)
        parts.append(np.bincount(place.ravel(), given).astype(np.int64))
    return np.concatenate(parts)


def tally_of(
    items: Sequence[BankErase],
    state: Words,
    planes: Words,
    rows: int,
    weights: Integers | None,
    executor: str,
    threads: int = 1,
) -> BankTally:
    """What erasing banks throws away, register by register, and as shared hardware sees it.

    The banks are of one width and arrangement and share no wire; they are counted as one.
    """
    first = items[0]
    wires = np.concatenate([item.bank.wires for item in items])
    places = np.concatenate([item.places for item in items])
    ones = ones_of(state, wires, planes)
    order, starts = pools_of(places, first.shape)
    sizes = np.diff(starts)
    joint, shared = [], []
    for number in np.unique(sizes).tolist():
        chosen = order[np.repeat(sizes == number, sizes)]
        each, pooled = spectra_of(state, wires[chosen], number, rows, weights, executor, threads)
        summed = ones[chosen].reshape(-1, number, wires.shape[1]).sum(axis=1)
        joint.append(each)
        shared.append(SharedRegisters(number, summed, pooled))
    name = first.bank.name
    return BankTally(
        first.layer, first.cause, name, first.value_of, ones, Spectrum.sum(joint), tuple(shared)
    )
