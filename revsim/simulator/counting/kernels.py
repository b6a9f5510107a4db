"""Kernels that read packed registers and count what they hold: transposition, hashes, counts."""

from typing import Any

import numpy as np

from revsim.circuit.kernels import jit
from revsim.simulator.vectors import instructions, popcount, where

_load, _store, _splat = instructions(64)


@jit
def transpose(words: Any) -> None:
    """Transpose a 64 x 64 bit matrix (uint64 [64]) in place (Warren, Hacker's Delight, 7-3)."""
    width = 32
    mask = np.uint64(0x00000000FFFFFFFF)
    while width != 0:
        shift = np.uint64(width)
        k = 0
        while k < 64:
            change = ((words[k] >> shift) ^ words[k + width]) & mask
            words[k] ^= change << shift
            words[k + width] ^= change
            k = (k + width + 1) & ~width
        width >>= 1
        mask = mask ^ (mask << np.uint64(width)) if width else mask


@jit
def register_values(state: Any, wires: Any, rows: int, out: Any) -> None:
    """Registers of at most 64 wires as unsigned integers: out uint64 [rows]."""
    matrix = np.zeros(64, np.uint64)
    for word in range((rows + 63) // 64):
        matrix[:] = np.uint64(0)
        for k in range(wires.shape[0]):
            matrix[k] = state[wires[k], word]
        transpose(matrix)
        base = word * 64
        for r in range(min(64, rows - base)):
            out[base + r] = matrix[r]


@jit
def wire_key(wire: int, half: int) -> Any:
    """Half 0 or 1 of the 128-bit key of a device wire: output 2 * wire + half of splitmix64
    (Steele, Lea, Flood, OOPSLA 2014), from the seed of the hash."""
    z = np.uint64(20250313) + np.uint64(2 * wire + half + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@jit
def hash_rows(state: Any, wires: Any, out: Any) -> None:
    """XOR of the keys of the wires that are 1, row by row, into out uint64 [2, words * 64]: halves
    of hashes, with a hash for each padding lane too.

    The hashes of 64 rows stay in registers: the key of a wire enters where its word has a 1.
    """
    wide = out.shape[1]
    keys = np.empty((2, 256), np.uint64)
    for start in range(0, wires.shape[0], 256):
        here = min(256, wires.shape[0] - start)
        for k in range(here):
            keys[0, k] = wire_key(np.int64(wires[start + k]), np.int64(0))
            keys[1, k] = wire_key(np.int64(wires[start + k]), np.int64(1))
        for word in range(wide // 64):
            low, high = _load(out, 64 * word), _load(out, wide + 64 * word)
            for k in range(here):
                held = state[wires[start + k], word]
                low ^= where(held, _splat(np.int64(keys[0, k])))
                high ^= where(held, _splat(np.int64(keys[1, k])))
            _store(out, 64 * word, low)
            _store(out, wide + 64 * word, high)


@jit
def bank_values(state: Any, wires: Any, rows: int, out: Any) -> None:
    """Registers of one width up to 64 as unsigned integers: wires int32 [registers, width], out
    uint64 [registers, rows], so that each register is written from end to end. As many registers
    as fit are transposed together."""
    registers, width = wires.shape
    if width == 0:
        out[:] = np.uint64(0)
        return
    each = 64 // width
    matrix = np.zeros(64, np.uint64)
    mask = ~np.uint64(0) >> np.uint64(64 - width)
    for start in range(0, registers, each):
        here = min(each, registers - start)
        for word in range((rows + 63) // 64):
            matrix[:] = np.uint64(0)
            for i in range(here):
                for k in range(width):
                    matrix[i * width + k] = state[wires[start + i, k], word]
            transpose(matrix)
            for i in range(here):
                shift = np.uint64(i * width)
                for r in range(min(64, rows - 64 * word)):
                    out[start + i, 64 * word + r] = (matrix[r] >> shift) & mask


@jit
def transpose_bytes(planes: Any, first: int) -> None:
    """Eight words from `first` on as 8 x 8 bit matrices, byte by byte, transposed: bit j of byte i
    of word k goes to bit k of byte i of word j."""
    for stage in range(3):
        shift = np.uint64(4 >> stage)
        mask = np.uint64(0x0F0F0F0F0F0F0F0F)
        if stage == 1:
            mask = np.uint64(0x3333333333333333)
        elif stage == 2:
            mask = np.uint64(0x5555555555555555)
        width = 4 >> stage
        for k in range(8):
            if k & width == 0:
                low, high = first + k, first + k + width
                change = ((planes[low] >> shift) ^ planes[high]) & mask
                planes[low] ^= change << shift
                planes[high] ^= change


@jit
def count_registers(
    state: Any, wires: Any, pool: int, weights: Any, weighted: bool, values: Any,
    counts: Any, pooled: Any, times: Any, pooled_times: Any,
) -> None:  # fmt: skip
    """How often each weight occurs among the values of registers, into times int64 [largest + 1],
    and, where `pool` > 1, among those of each so many registers as one, into `pooled_times`.

    wires: int32 [registers, width], up to 16 wide. values: int64 [rows] scratch. counts, pooled:
    int64 [2^width] of zeros, left so.
    """
    rows, width, size = values.shape[0], wires.shape[1], counts.shape[0]
    planes = np.zeros(16, np.uint64)
    touched = np.empty(size, np.int64)
    for start in range(0, wires.shape[0], pool):
        found = 0
        for register in range(start, start + pool):
            for word in range((rows + 63) // 64):
                for k in range(width):
                    planes[k] = state[wires[register, k], word]
                for k in range(width, 16):
                    planes[k] = np.uint64(0)
                transpose_bytes(planes, np.int64(0))
                if width > 8:
                    transpose_bytes(planes, np.int64(8))
                for r in range(min(64, rows - 64 * word)):
                    shift = np.uint64(r & 56)
                    value = (planes[r & 7] >> shift) & np.uint64(255)
                    if width > 8:
                        value |= ((planes[8 + (r & 7)] >> shift) & np.uint64(255)) << np.uint64(8)
                    values[64 * word + r] = np.int64(value)
            for r in range(rows):
                counts[values[r]] += weights[r] if weighted else np.int64(1)
            for i in range(min(rows, size)):  # each sum is taken out once
                value = values[i] if rows < size else i
                weight = counts[value]
                if weight != 0:
                    counts[value] = 0
                    times[weight] += 1
                    if pool > 1:
                        if pooled[value] == 0:
                            touched[found] = value
                            found += 1
                        pooled[value] += weight
        for i in range(found):
            pooled_times[pooled[touched[i]]] += 1
            pooled[touched[i]] = 0


@jit
def count_values(
    values: Any, starts: Any, weights: Any, weighted: bool, keys: Any, counts: Any, out: Any
) -> int:
    """Weight of each distinct value of each pool; returns how many entries of `out` it took.

    values: uint64 [registers, rows]; pool i is the registers starts[i]..starts[i + 1]. counts:
    int64 [size] of zeros, keys: uint64 [size], size a power of two above the values of a pool, or
    above the largest value (no two values then share a slot). out: int64, zeros excepted.
    """
    mask = np.uint64(counts.shape[0] - 1)
    found = 0
    direct = keys.shape[0] == 0
    for pool in range(starts.shape[0] - 1):
        first, last = starts[pool], starts[pool + 1]
        for count in range(2):  # add all up; then take each sum out once
            for k in range(first, last):
                for r in range(values.shape[1]):
                    weight = weights[r] if weighted else np.int64(1)
                    if weight == 0:
                        continue
                    value = values[k, r]
                    place = np.int64(value & mask)
                    if not direct:
                        slot = value * np.uint64(0x9E3779B97F4A7C15)
                        place = np.int64((slot ^ (slot >> np.uint64(32))) & mask)
                        # A slot taken out holds -1 until the pool is done: it ends no search.
                        while counts[place] != 0 and keys[place] != value:
                            place = np.int64((np.uint64(place) + np.uint64(1)) & mask)
                    if count == 0:
                        counts[place] += weight
                        if not direct:
                            keys[place] = value
                    elif counts[place] > 0:
                        out[found] = counts[place]
                        found += 1
                        counts[place] = 0 if direct else -1
        if not direct:
            counts[:] = 0
    return found


@jit
def fold_counts(
    ones: Any,
    cause_of: Any,
    joint: Any,
    is_and: Any,
    total: int,
    channel: Any,
    ones_times: Any,
    inputs_times: Any,
    output_times: Any,
    pooled: Any,
    pooled_joint: Any,
) -> None:
    """Counts of one chunk of positions into histograms: ones int64 [erased, positions], joint int64
    [tallies, positions, 3]; the histograms int64 [causes, total + 1] and [total + 1] say how often
    each weight occurs, the sums `pooled` [erased, channels] and `pooled_joint` [tallies, channels,
    3] are over positions of one channel. All as in `fold.CallFold.add`."""
    for i in range(ones.shape[0]):
        for p in range(ones.shape[1]):
            ones_times[cause_of[i], ones[i, p]] += 1
            pooled[i, channel[p]] += ones[i, p]
    for i in range(joint.shape[0]):
        for p in range(joint.shape[1]):
            both, first, second = joint[i, p, 0], joint[i, p, 1], joint[i, p, 2]
            inputs_times[both] += 1
            inputs_times[first - both] += 1
            inputs_times[second - both] += 1
            inputs_times[total - first - second + both] += 1
            held = both if is_and[i] else first + second - 2 * both
            output_times[held] += 1
            output_times[total - held] += 1
            for k in range(3):
                pooled_joint[i, channel[p], k] += joint[i, p, k]


@jit
def count_keys(keys: Any, weights: Any, weighted: bool, table: Any, counts: Any) -> int:
    """Weight of each distinct key (uint64 [rows, 2]) by open addressing; returns how many.

    table: uint64 [size, 2] scratch, counts: int64 [size] zeros, size a power of two > rows.
    """
    mask = np.uint64(counts.shape[0] - 1)
    distinct = 0
    for r in range(keys.shape[0]):
        weight = weights[r] if weighted else np.int64(1)
        if weight == 0:
            continue
        low, high = keys[r, 0], keys[r, 1]
        slot = (low ^ (high >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
        place = np.int64((slot ^ (slot >> np.uint64(32))) & mask)
        while counts[place] != 0 and (table[place, 0] != low or table[place, 1] != high):
            place = np.int64((np.uint64(place) + np.uint64(1)) & mask)
        if counts[place] == 0:
            table[place, 0] = low
            table[place, 1] = high
            distinct += 1
        counts[place] += weight
    return distinct


@jit
def count_minterms(state: Any, wires: Any, rows: int, counts: Any) -> None:
    """How many rows hold each pattern of up to 4 wires, into counts int64 [2^wires].

    For each set of wires the rows are counted in which all of them are 1, a chunk of words at a
    time; a pattern's rows are those less the ones that have further ones (inclusion, exclusion).
    """
    chunk = 256
    width = wires.shape[0]
    sets = 1 << width
    both = np.zeros((16, chunk), np.uint64)
    words = (rows + 63) // 64
    for start in range(0, words, chunk):
        here = min(chunk, words - start)
        both[0, :here] = ~np.uint64(0)
        if start + here == words and rows % 64:
            both[0, here - 1] = (np.uint64(1) << np.uint64(rows % 64)) - np.uint64(1)
        for chosen in range(sets):
            ones = np.int64(0)
            for k in range(width):  # the set without its last wire came before
                if chosen >> (k + 1) == 0 and chosen >> k == 1:
                    wire, rest = wires[k], chosen - (1 << k)
                    for i in range(here):
                        both[chosen, i] = both[rest, i] & state[wire, start + i]
            for i in range(here):
                ones += popcount(both[chosen, i])
            counts[chosen] += ones
    for k in range(width):
        for chosen in range(sets):
            if chosen >> k & 1 == 0:
                counts[chosen] -= counts[chosen + (1 << k)]


@jit
def count_patterns(state: Any, wires: Any, rows: int, counts: Any) -> None:
    """How many rows hold each pattern of up to 24 wires, into counts int64 [2^wires].

    64 rows at a time: eight wires make a byte of each row's pattern. Counters of up to 8 wires
    stand four times, since the next row often raises the same one.
    """
    width = wires.shape[0]
    planes = np.zeros(24, np.uint64)
    apart = np.zeros((4, 256), np.int64)
    for word in range((rows + 63) // 64):
        for k in range(width):
            planes[k] = state[wires[k], word]
        for k in range(width, 24):
            planes[k] = np.uint64(0)
        here = min(64, rows - 64 * word)
        transpose_bytes(planes, np.int64(0))
        if width <= 8:
            for r in range(here):
                value = (planes[r & 7] >> np.uint64(r & 56)) & np.uint64(255)
                apart[r & 3, np.int64(value)] += 1
            continue
        transpose_bytes(planes, np.int64(8))
        if width > 16:
            transpose_bytes(planes, np.int64(16))
        for r in range(here):
            shift = np.uint64(r & 56)
            value = (planes[r & 7] >> shift) & np.uint64(255)
            value |= ((planes[8 + (r & 7)] >> shift) & np.uint64(255)) << np.uint64(8)
            value |= ((planes[16 + (r & 7)] >> shift) & np.uint64(255)) << np.uint64(16)
            counts[np.int64(value)] += 1
    if width <= 8:
        for value in range(1 << width):
            for part in range(4):
                counts[value] += apart[part, value]
