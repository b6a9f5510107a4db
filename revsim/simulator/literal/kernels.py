"""The kernels that run gates, bit-parallel; `counting/kernels.py` counts what they leave.

Every gate of the list is evaluated on its own; nothing is fused or skipped. The vector instructions
that the gates are made of stand in `gate_vectors.py`.
"""

from typing import Any

import numpy as np

from revsim.circuit.kernels import jit
from revsim.circuit.packed import KIND, SLOT, SLOTS
from revsim.simulator.literal.gate_vectors import VECTOR, checked_word, gates, popcount
from revsim.simulator.literal.layout import BLOCKS, SPARE

_KIND, _SLOT = np.uint64((1 << KIND) - 1), np.uint64(SLOTS - 1)
_A, _B, _C = (np.uint64(KIND + k * SLOT) for k in range(3))


@jit
def with_constants(rows: Any, one: int) -> Any:
    """Rows of code from packed gates: what is not read by a NOT or CNOT is wire `one`."""
    code = np.empty_like(rows)
    both = np.uint64(one) << _A | np.uint64(one) << _B
    second = np.uint64(one) << _B
    for row in range(len(rows)):
        kind = rows[row] & _KIND
        code[row] = rows[row] | (both if kind < 4 else second if kind < 8 else np.uint64(0))
    return code


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
        g = np.int64(0)  # typed, since numba compiles a function once for each literal
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
