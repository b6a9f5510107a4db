"""Integers in, lanes out: 64 rows of the ensemble share one word of each wire.

Row r stands in bit r % 64 of word r // 64 of every wire. Padding lanes (rows past the last) hold 0
at the start and enter no count, no hash and no check.
"""

import numpy as np
import numpy.typing as npt

from revsim.circuit.registers import Wires
from revsim.errors import InputError

Words = npt.NDArray[np.uint64]
Raw = npt.NDArray[np.uint64]

VECTOR = 8
"""Words of a vector, which kernels load and store at once: 8 x 64 bits."""
MEMORY_LIMIT = 4 << 30
"""Bytes that the state of the device may take for all rows at once."""


def words_for(rows: int) -> int:
    """Words needed for `rows` lanes."""
    return (rows + 63) // 64


def padded_words(rows: int) -> int:
    """Words that a run of `rows` lanes takes: one, or whole vectors."""
    words = words_for(rows)
    return words if words <= 1 else -(-words // VECTOR) * VECTOR


def check_memory(wires: int, rows: int, words: int) -> None:
    """Raise InputError where `words` words of each wire are more than a device may take."""
    if wires * words * 8 > MEMORY_LIMIT:
        raise InputError(
            f"{rows:,} rows on {wires:,} wires need {wires * words * 8 >> 20:,} MiB, the limit is "
            f"{MEMORY_LIMIT >> 20:,} MiB, and all rows of a run are held at once: use fewer rows"
        )


def pack(bits: npt.NDArray[np.bool_], words: int | None = None) -> Words:
    """Bits of one wire (bool [rows]) as uint64 [words], padded with 0."""
    padded = np.zeros((words_for(len(bits)) if words is None else words) * 64, dtype=np.bool_)
    padded[: len(bits)] = bits
    return np.packbits(padded, bitorder="little").view(np.uint64)


def unpack(words: Words, rows: int) -> npt.NDArray[np.bool_]:
    """Inverse of `pack`: bool [rows] (or [wires, rows] for uint64 [wires, words])."""
    octets = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(octets, axis=-1, bitorder="little")[..., :rows].astype(np.bool_)


def write(state: Words, wires: Wires, raw: Raw) -> None:
    """Set a register of at most 64 wires to unsigned integers (uint64 [rows]), wire 0 lowest.

    >>> state = np.zeros((3, 1), np.uint64)
    >>> write(state, np.array([0, 1, 2], np.int32), np.array([5, 2], np.uint64))
    >>> read(state, np.array([0, 1, 2], np.int32), 2).tolist()
    [5, 2]
    """
    for k, wire in enumerate(wires):
        bits = ((raw >> np.uint64(k)) & np.uint64(1)).astype(np.bool_)
        state[wire] = pack(bits, state.shape[1])


def read(state: Words, wires: Wires, rows: int) -> Raw:
    """A register as unsigned integers, of its first 64 wires: uint64 [rows]."""
    octets = np.zeros((rows, 8), dtype=np.uint8)
    packed = np.packbits(unpack(state[wires[:64]], rows), axis=0, bitorder="little")
    octets[:, : len(packed)] = packed.T
    return octets.view(np.uint64).reshape(rows)


def planes_of(weights: npt.NDArray[np.int64] | None, rows: int, words: int | None = None) -> Words:
    """Weights as bit planes: uint64 [planes, words]; plane p holds bit p of each row's weight.

    A weighted count of ones is then sum over p of 2^p * popcount(wire & plane p), exact in
    integers. Without weights there is one plane, which masks the padding lanes.
    """
    if weights is None:
        return pack(np.ones(rows, dtype=np.bool_), words)[None, :]
    count = max(1, int(weights.max(initial=0)).bit_length())
    return np.stack([pack((weights >> p) & 1 == 1, words) for p in range(count)])


def weighted_ones(wire: Words, planes: Words) -> int:
    """Total weight of the lanes where a wire is 1."""
    ones = np.bitwise_count(planes & wire).sum(axis=1, dtype=np.int64)
    return sum(int(n) << p for p, n in enumerate(ones))


def aligned(words: int) -> Words:
    """Uninitialised uint64 [words] on a 64-byte boundary, so that no vector straddles a line."""
    buffer = np.empty(words + 8, dtype=np.uint64)
    offset = (-buffer.__array_interface__["data"][0] % 64) // 8
    return buffer[offset : offset + words]
