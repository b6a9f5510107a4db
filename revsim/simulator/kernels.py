"""All kernels of the simulator: literal bit-parallel gates, transposition, hashes, counting.

Every gate of the list is evaluated on its own; nothing is fused or skipped. The vector instructions
that the gates are made of stand in `vectors.py`.
"""

from typing import Any

import numpy as np

from revsim.circuit.kernels import jit
from revsim.simulator.layout import KIND, SLOT, SLOTS, SPARE
from revsim.simulator.vectors import VECTOR, checked_word, gates, popcount

BLOCKS = (1, 8, 16, 32, 64)
"""Words per block for which a gate loop is compiled; a single word needs no vectors."""


_KIND, _SLOT = np.uint64((1 << KIND) - 1), np.uint64(SLOTS - 1)
_A, _B, _C = (np.uint64(KIND + k * SLOT) for k in range(3))


def _gate_loop(block: int) -> Any:
    """The loop over vector gates for one block width.

    A width known at compile time makes each gate straight vector code, without a loop of its own:
    1.4 (64 words) to 1.8 times (8 words) as fast. NOT, CNOT and Toffoli are one branch, since a
    branch that the processor guesses wrong takes as long as several gates: c ^= a & b, where a NOT
    and a CNOT read wires that hold 1.
    """
    width = min(block, VECTOR)
    gate_ccx, gate_checked, gate_swap, gate_cswap, or_into = gates(width)

    @jit
    def gate_loop(code: Any, first: int, frame: Any, dirty: int, broken: int) -> int:
        """Run gates from row `first` up to one that is no vector gate; returns its row."""
        seen = np.uint64(0)
        for g in range(first, code.shape[0]):
            row = code[g]
            kind = np.int64(row & _KIND)
            a = np.int64((row >> _A) & _SLOT) * block
            b = np.int64((row >> _B) & _SLOT) * block
            c = np.int64((row >> _C) & _SLOT) * block
            if kind < 12:  # NOT, CNOT, Toffoli
                if block == 1:
                    seen |= checked_word(frame, a, b, c, -(kind & 1), -((kind >> 1) & 1))
                elif kind & 3:
                    for k in range(0, block, 8):
                        gate_checked(
                            frame, a + k, b + k, c + k, broken + k, -(kind & 1), -((kind >> 1) & 1)
                        )
                else:
                    for k in range(0, block, 8):
                        gate_ccx(frame, a + k, b + k, c + k)
                continue
            role = kind & 3
            opcode = kind >> 2
            if role == 1:
                for k in range(0, block, 8):
                    or_into(frame, c + k, c + k, broken + k)
            if opcode == 7:  # FREE
                for k in range(0, block, 8):
                    or_into(frame, c + k, c + k, dirty + k)
            elif opcode == 4:
                for k in range(0, block, 8):
                    gate_cswap(frame, a + k, b + k, c + k)
            elif opcode == 3:
                for k in range(0, block, 8):
                    gate_swap(frame, b + k, b + k, c + k)
            else:
                frame[broken] |= seen
                return g
            if role == 2:
                for k in range(0, block, 8):
                    or_into(frame, c + k, c + k, broken + k)
        frame[broken] |= seen
        return int(code.shape[0])

    return gate_loop


_gates_1, _gates_8, _gates_16, _gates_32, _gates_64 = (_gate_loop(block) for block in BLOCKS)


@jit
def run_lanes(
    code: Any,
    starts: Any,
    control_wires: Any,
    control_polarity: Any,
    state: Any,
    wires: Any,
    kept: Any,
    restored: Any,
    slots: int,
    first: int,
    last: int,
    block: int,
    frame: Any,
    planes: Any,
    ones: Any,
    joint: Any,
    suspect: Any,
    left_over: Any,
) -> None:
    """Run a program on lanes first..last, `block` (one of BLOCKS) words at a time.

    A lane here is one word of one position: lane = position * words + word, where `state` is
    uint64 [device wires, words] and `wires` int32 [positions, ports] the device wires of the ports
    at each position. `kept`: the ports that the program changes for good, which alone are stored;
    `restored`: those it changes and changes back.
    code: uint64 [rows] of kind and slots a, b, c (ERASE: a is the counter, MCX: a is the control
    list, TALLY: c is the counter). frame: uint64 [(slots + SPARE) * block]; the last rows collect
    broken FREEs and broken roles, are scratch, and hold ones and zeros. planes: uint64 [planes,
    words]. Counts of the positions from that of lane `first` on: ones int64 [erased, positions],
    joint int64 [tallies, positions, 3]. suspect: uint8 [lanes], set where an ancilla (bit 0), a
    role (bit 1) or a restored port (bit 2) was not as promised on a row that counts. left_over:
    uint64 [erased, words], what each ERASE leaves where erasures fail, or [0, 0] where it leaves 0.
    """
    ports = wires.shape[1]
    words = state.shape[1]
    weights = planes.shape[0]
    dirty = slots * block
    broken = dirty + block
    scratch = broken + block
    base = first // words
    place = np.zeros(block, np.int64)
    at = np.zeros(block, np.int64)
    for start in range(first, last, block):
        size = min(block, last - start)
        for k in range(size):
            place[k] = (start + k) // words
            at[k] = (start + k) - place[k] * words
        k = 0
        while k < size:  # lanes of one position stand one behind the other
            run = min(words - at[k], size - k)
            for p in range(ports):
                wire = wires[place[k], p]
                for i in range(run):
                    frame[p * block + k + i] = state[wire, at[k] + i]
            k += run
        frame[ports * block : (slots + SPARE) * block] = np.uint64(0)
        frame[(slots + 3) * block : (slots + 4) * block] = ~np.uint64(0)
        g = 0
        while g < code.shape[0]:
            if block == 64:
                g = _gates_64(code, g, frame, dirty, broken)
            elif block == 32:
                g = _gates_32(code, g, frame, dirty, broken)
            elif block == 16:
                g = _gates_16(code, g, frame, dirty, broken)
            elif block == 8:
                g = _gates_8(code, g, frame, dirty, broken)
            else:
                g = _gates_1(code, g, frame, dirty, broken)
            if g == code.shape[0]:
                break
            row = code[g]
            role = np.int64(row & _KIND) & 3  # role 1 has been checked by the loop
            opcode = np.int64(row & _KIND) >> 2
            first_slot = np.int64((row >> _A) & _SLOT)
            last_slot = np.int64((row >> _C) & _SLOT)
            a = first_slot * block
            b = np.int64((row >> _B) & _SLOT) * block
            c = last_slot * block
            if opcode == 6:  # ERASE
                counter = first_slot
                for p in range(weights):
                    for k in range(size):
                        ones[counter, place[k] - base] += (
                            popcount(frame[c + k] & planes[p, at[k]]) << p
                        )
                for k in range(size):
                    frame[c + k] = np.uint64(0)
                if left_over.shape[0]:
                    for k in range(size):
                        frame[c + k] = left_over[counter, at[k]]
            elif opcode == 8:  # TALLY
                counter = last_slot
                for p in range(weights):
                    for k in range(size):
                        mask = planes[p, at[k]]
                        here = place[k] - base
                        joint[counter, here, 0] += popcount(frame[a + k] & frame[b + k] & mask) << p
                        joint[counter, here, 1] += popcount(frame[a + k] & mask) << p
                        joint[counter, here, 2] += popcount(frame[b + k] & mask) << p
            else:  # MCX
                listed = first_slot
                for k in range(size):
                    frame[scratch + k] = ~np.uint64(0)
                for i in range(starts[listed], starts[listed + 1]):
                    w = np.int64(control_wires[i]) * block
                    if control_polarity[i] == 1:
                        for k in range(size):
                            frame[scratch + k] &= frame[w + k]
                    else:
                        for k in range(size):
                            frame[scratch + k] &= ~frame[w + k]
                for k in range(size):
                    frame[c + k] ^= frame[scratch + k]
            if role == 2:
                for k in range(size):
                    frame[broken + k] |= frame[c + k]
            g += 1
        for k in range(size):
            counts = np.uint64(0)
            for p in range(weights):
                counts |= planes[p, at[k]]
            for p in restored:
                if (state[wires[place[k], p], at[k]] ^ frame[p * block + k]) & counts:
                    suspect[start + k] |= np.uint8(4)
            for p in kept:
                state[wires[place[k], p], at[k]] = frame[p * block + k]
            if frame[dirty + k] & counts != np.uint64(0):
                suspect[start + k] |= np.uint8(1)
            if frame[broken + k] & counts != np.uint64(0):
                suspect[start + k] |= np.uint8(2)


@jit
def count_toggles(
    code: Any,
    starts: Any,
    control_wires: Any,
    control_polarity: Any,
    state: Any,
    wires: Any,
    first: int,
    last: int,
    block: int,
    frame: Any,
    planes: Any,
    toggles: Any,
) -> None:
    """Run a program on words first..last of `state` and count how often its gates flip a wire.

    Arguments as for `run_blocks`, but `state` is only read. toggles: int64 [planes], raised by the
    flips on the lanes of each plane. Every gate is: which lanes change, then that change applied.
    """
    ports = wires.shape[0]
    scratch = frame.shape[0] - block
    for start in range(first, last, block):
        size = min(block, last - start)
        frame[:] = np.uint64(0)
        for p in range(ports):
            for k in range(size):
                frame[p * block + k] = state[wires[p], start + k]
        for g in range(code.shape[0]):
            row = code[g]
            opcode = np.int64(row & _KIND) >> 2
            if opcode >= 7:  # FREE, TALLY
                continue
            first_slot = np.int64((row >> _A) & _SLOT)
            a = first_slot * block
            b = np.int64((row >> _B) & _SLOT) * block
            c = np.int64((row >> _C) & _SLOT) * block
            pair = opcode == 3 or opcode == 4
            for k in range(size):
                change = ~np.uint64(0)
                if opcode == 1:
                    change = frame[a + k]
                elif opcode == 2:
                    change = frame[a + k] & frame[b + k]
                elif opcode == 3:
                    change = frame[b + k] ^ frame[c + k]
                elif opcode == 4:
                    change = frame[a + k] & (frame[b + k] ^ frame[c + k])
                elif opcode == 6:  # ERASE
                    change = frame[c + k]
                elif opcode == 5:  # MCX
                    for i in range(starts[first_slot], starts[first_slot + 1]):
                        control = frame[np.int64(control_wires[i]) * block + k]
                        change &= control if control_polarity[i] == 1 else ~control
                frame[scratch + k] = change
                frame[c + k] ^= change
                if pair:
                    frame[b + k] ^= change
            for p in range(planes.shape[0]):
                flips = np.int64(0)
                for k in range(size):
                    flips += popcount(frame[scratch + k] & planes[p, start + k])
                toggles[p] += 2 * flips if pair else flips


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
def hash_rows(state: Any, wires: Any, rows: int, out: Any) -> None:
    """XOR of the keys of the wires that are 1, row by row, into out uint64 [rows, 2].

    64 wires at a time: their keys are combined in a table for each four of them, their words are
    transposed, and each row looks up 16 entries.
    """
    matrix = np.zeros(64, np.uint64)
    table = np.zeros((16, 16, 2), np.uint64)
    for start in range(0, wires.shape[0], 64):
        here = min(64, wires.shape[0] - start)
        table[:] = np.uint64(0)
        for k in range(here):
            bit = 1 << (k & 3)
            low = wire_key(np.int64(wires[start + k]), 0)
            high = wire_key(np.int64(wires[start + k]), 1)
            for entry in range(bit):
                table[k >> 2, bit + entry, 0] = table[k >> 2, entry, 0] ^ low
                table[k >> 2, bit + entry, 1] = table[k >> 2, entry, 1] ^ high
        for word in range((rows + 63) // 64):
            matrix[:] = np.uint64(0)
            for k in range(here):
                matrix[k] = state[wires[start + k], word]
            transpose(matrix)
            for r in range(min(64, rows - 64 * word)):
                value = matrix[r]
                low, high = np.uint64(0), np.uint64(0)
                for i in range(16):
                    nibble = np.int64(value & np.uint64(15))
                    low ^= table[i, nibble, 0]
                    high ^= table[i, nibble, 1]
                    value >>= np.uint64(4)
                out[64 * word + r, 0] ^= low
                out[64 * word + r, 1] ^= high


@jit
def bank_values(state: Any, wires: Any, rows: int, out: Any) -> None:
    """Registers of one width up to 64 as unsigned integers: wires int32 [registers, width], out
    uint64 [rows, registers]. As many registers as fit are transposed together."""
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
            for r in range(min(64, rows - 64 * word)):
                value = matrix[r]
                for i in range(here):
                    out[64 * word + r, start + i] = (value >> np.uint64(i * width)) & mask


@jit
def count_values(
    values: Any, starts: Any, weights: Any, weighted: bool, keys: Any, counts: Any, out: Any
) -> int:
    """Weight of each distinct value of each pool; returns how many entries of `out` it took.

    values: uint64 [rows, registers]; pool i is the registers starts[i]..starts[i + 1]. counts:
    int64 [size] of zeros, keys: uint64 [size], size a power of two above the values of a pool, or
    above the largest value (no two values then share a slot). out: int64, zeros excepted.
    """
    mask = np.uint64(counts.shape[0] - 1)
    found = 0
    direct = keys.shape[0] == 0
    for pool in range(starts.shape[0] - 1):
        first, last = starts[pool], starts[pool + 1]
        for count in range(2):  # add all up; then take each sum out once
            for r in range(values.shape[0]):
                weight = weights[r] if weighted else np.int64(1)
                if weight == 0:
                    continue
                for k in range(first, last):
                    value = values[r, k]
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
