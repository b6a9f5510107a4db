"""All kernels of the simulator: literal bit-parallel gates, transposition, hashes, counting.

Every gate of the list is evaluated on its own; nothing is fused or skipped. The vector instructions
that the gates are made of stand in `vectors.py`.
"""

from typing import Any

import numpy as np

from revsim.circuit.kernels import jit
from revsim.simulator.vectors import VECTOR, gates, popcount

BLOCKS = (1, 8, 16, 32, 64)
"""Words per block for which a gate loop is compiled; a single word needs no vectors."""


def _gate_loop(block: int) -> Any:
    """The loop over vector gates for one block width.

    A width known at compile time makes each gate straight vector code, without a loop of its own:
    1.4 (64 words) to 1.8 times (8 words) as fast.
    """
    gate_x, gate_cx, gate_ccx, gate_swap, gate_cswap, or_into = gates(min(block, VECTOR))

    @jit
    def gate_loop(code: Any, first: int, frame: Any, dirty: int, broken: int) -> int:
        """Run gates from row `first` up to one that is no vector gate; returns its row."""
        for g in range(first, code.shape[0]):
            kind = code[g, 0]
            a = np.int64(code[g, 1]) * block
            b = np.int64(code[g, 2]) * block
            c = np.int64(code[g, 3]) * block
            if kind == 8:  # a Toffoli in place, first because it is frequent
                for k in range(0, block, 8):
                    gate_ccx(frame, a + k, b + k, c + k)
                continue
            if kind == 4:  # a CNOT in place
                for k in range(0, block, 8):
                    gate_cx(frame, a + k, a + k, c + k)
                continue
            role = kind & 3
            opcode = kind >> 2
            if role == 1:
                for k in range(0, block, 8):
                    or_into(frame, c + k, c + k, broken + k)
            if opcode == 2:
                for k in range(0, block, 8):
                    gate_ccx(frame, a + k, b + k, c + k)
            elif opcode == 1:
                for k in range(0, block, 8):
                    gate_cx(frame, a + k, a + k, c + k)
            elif opcode == 7:  # FREE
                for k in range(0, block, 8):
                    or_into(frame, c + k, c + k, dirty + k)
            elif opcode == 0:
                for k in range(0, block, 8):
                    gate_x(frame, c + k, c + k, c + k)
            elif opcode == 4:
                for k in range(0, block, 8):
                    gate_cswap(frame, a + k, b + k, c + k)
            elif opcode == 3:
                for k in range(0, block, 8):
                    gate_swap(frame, b + k, b + k, c + k)
            else:
                return g
            if role == 2:
                for k in range(0, block, 8):
                    or_into(frame, c + k, c + k, broken + k)
        return int(code.shape[0])

    return gate_loop


_gates_1, _gates_8, _gates_16, _gates_32, _gates_64 = (_gate_loop(block) for block in BLOCKS)


@jit
def run_blocks(
    code: Any,
    starts: Any,
    control_wires: Any,
    control_polarity: Any,
    state: Any,
    wires: Any,
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
    """Run a program on words first..last of `state`, `block` words (one of BLOCKS) at a time.

    code: int32 [rows, 4] with 4 * opcode + role, then wires a, b, c (ERASE: a is the counter,
    MCX: a is the control list, TALLY: c is the counter). state: uint64 [device wires, words];
    `wires` are the device wires of the ports. frame: uint64 [(slots + 3) * block]; the last three
    rows collect broken FREEs, broken roles and a scratch word. planes: uint64 [planes, words].
    ones: int64 [erased], joint: int64 [tallies, 3], suspect: uint8 [words], set to 1 where an
    ancilla (bit 0) or a role (bit 1) was not clean on a lane that counts. left_over: uint64
    [erased, words], what each ERASE leaves where erasures fail, or [0, 0] where it leaves 0.
    """
    ports = wires.shape[0]
    weights = planes.shape[0]
    dirty = slots * block
    broken = dirty + block
    scratch = broken + block
    for start in range(first, last, block):
        size = min(block, last - start)
        for p in range(ports):
            for k in range(size):
                frame[p * block + k] = state[wires[p], start + k]
        frame[ports * block : (slots + 3) * block] = np.uint64(0)
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
            role = code[g, 0] & 3  # role 1 has been checked by the loop
            opcode = code[g, 0] >> 2
            a = np.int64(code[g, 1]) * block
            b = np.int64(code[g, 2]) * block
            c = np.int64(code[g, 3]) * block
            if opcode == 6:  # ERASE
                counter = code[g, 1]
                for p in range(weights):
                    total = np.int64(0)
                    for k in range(size):
                        total += popcount(frame[c + k] & planes[p, start + k])
                    ones[counter] += total << p
                for k in range(size):
                    frame[c + k] = np.uint64(0)
                if left_over.shape[0]:
                    for k in range(size):
                        frame[c + k] = left_over[counter, start + k]
            elif opcode == 8:  # TALLY
                counter = code[g, 3]
                for p in range(weights):
                    both, left, right = np.int64(0), np.int64(0), np.int64(0)
                    for k in range(size):
                        mask = planes[p, start + k]
                        both += popcount(frame[a + k] & frame[b + k] & mask)
                        left += popcount(frame[a + k] & mask)
                        right += popcount(frame[b + k] & mask)
                    joint[counter, 0] += both << p
                    joint[counter, 1] += left << p
                    joint[counter, 2] += right << p
            else:  # MCX
                listed = code[g, 1]
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
        for p in range(ports):
            for k in range(size):
                state[wires[p], start + k] = frame[p * block + k]
        for k in range(size):
            counts = np.uint64(0)
            for p in range(weights):
                counts |= planes[p, start + k]
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
            opcode = code[g, 0] >> 2
            if opcode >= 7:  # FREE, TALLY
                continue
            a = np.int64(code[g, 1]) * block
            b = np.int64(code[g, 2]) * block
            c = np.int64(code[g, 3]) * block
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
                    for i in range(starts[code[g, 1]], starts[code[g, 1] + 1]):
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
def hash_rows(
    state: Any, wires: Any, tables: Any, first: int, last: int, rows: int, out: Any
) -> None:
    """XOR hash of a set of wires for each row: out uint64 [rows, 2], words first..last only.

    tables: uint64 [chunks of 64 wires, 8, 256, 2], the XOR of the keys of the ones in each byte.
    """
    matrix = np.zeros(64, np.uint64)
    count = wires.shape[0]
    byte = np.uint64(255)
    for word in range(first, last):
        base = word * 64
        here = min(64, rows - base)
        for r in range(here):
            out[base + r, 0] = np.uint64(0)
            out[base + r, 1] = np.uint64(0)
        for chunk in range(tables.shape[0]):
            matrix[:] = np.uint64(0)
            for k in range(min(64, count - 64 * chunk)):
                matrix[k] = state[wires[64 * chunk + k], word]
            transpose(matrix)
            for r in range(here):
                value = matrix[r]
                low, high = np.uint64(0), np.uint64(0)
                for i in range(8):
                    entry = np.int64((value >> np.uint64(8 * i)) & byte)
                    low ^= tables[chunk, i, entry, 0]
                    high ^= tables[chunk, i, entry, 1]
                out[base + r, 0] ^= low
                out[base + r, 1] ^= high


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
