"""The kernels that run gates, bit-parallel; `counting/kernels.py` counts what they leave.

Every gate of the list is evaluated on its own; nothing is fused or skipped. The vectors that the
gates work on are those of `simulator/vectors.py`.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from revsim.circuit.gates import CSWAP, ERASE, FREE, SWAP, TALLY
from revsim.circuit.kernels import jit
from revsim.circuit.packed import KIND, SLOT, SLOTS
from revsim.simulator.lanes import VECTOR
from revsim.simulator.literal.layout import (
    CNOT,
    END,
    FULL,
    GATE,
    HALF,
    MAJ,
    SPARE,
    UMA,
    UNFULL,
    UNHALF,
)
from revsim.simulator.ports.kernels import gather, locate, scatter
from revsim.simulator.vectors import add_counts, instructions, popcount

_KIND, _SLOT = np.uint64((1 << KIND) - 1), np.uint64(SLOTS - 1)
_A, _B, _C = (np.uint64(KIND + k * SLOT) for k in range(3))
_GATE, _CNOT = np.uint64(4 * GATE), np.uint64(4 * CNOT)  # kinds of those that promise nothing

AGAIN = 128
"""Mark of a lane whose block broke a promise somewhere: run again in blocks of one vector, its
counts left out."""

_load, _store, _splat = instructions(VECTOR)


@jit
def _places(row: Any, block: int) -> Any:
    """Where the wires of a row begin in the frame."""
    return (
        np.int64((row >> _A) & _SLOT) * block,
        np.int64((row >> _B) & _SLOT) * block,
        np.int64(row >> _C) * block,
    )


@jit
def _count_ones(
    ones: Any,
    counter: int,
    frame: Any,
    c: int,
    planes: Any,
    place: Any,
    at: Any,
    base: int,
    size: int,
    vectors: bool,
) -> None:
    """Add to each position's count the weight of the rows of a block on which a wire is 1."""
    words = planes.shape[1]
    for p in range(planes.shape[0]):
        if vectors:
            held = np.int64(0)
            for k in range(0, size, VECTOR):
                held += popcount(_load(frame, c + k) & _load(planes, p * words + at[k]))
                if k + VECTOR == size or place[k + VECTOR] != place[k]:
                    ones[counter, place[k] - base] += held << p
                    held = np.int64(0)
        elif words == 1 and size % VECTOR == 0:
            mask = _splat(np.int64(planes[p, 0]))
            for k in range(0, size, VECTOR):
                here = counter * ones.shape[1] + place[k] - base
                add_counts(ones, here, _load(frame, c + k) & mask, p)
        else:
            for k in range(size):
                word = frame[c + k] & planes[p, at[k]]
                ones[counter, place[k] - base] += popcount(word) << p


@jit
def _count_pairs(
    joint: Any,
    counter: int,
    frame: Any,
    a: int,
    b: int,
    planes: Any,
    place: Any,
    at: Any,
    base: int,
    size: int,
    vectors: bool,
    counts: Any,
) -> None:
    """The same for both of two wires, the first and the second; `counts` int64 [24] is scratch."""
    words = planes.shape[1]
    for p in range(planes.shape[0]):
        if vectors:
            for k in range(0, size, VECTOR):
                mask = _load(planes, p * words + at[k])
                one, other = _load(frame, a + k) & mask, _load(frame, b + k) & mask
                joint[counter, place[k] - base, 0] += popcount(one & other) << p
                joint[counter, place[k] - base, 1] += popcount(one) << p
                joint[counter, place[k] - base, 2] += popcount(other) << p
        elif words == 1 and size % VECTOR == 0:
            mask = _splat(np.int64(planes[p, 0]))
            for k in range(0, size, VECTOR):
                counts[:] = 0
                one, other = _load(frame, a + k) & mask, _load(frame, b + k) & mask
                add_counts(counts, np.int64(0), one & other, p)
                add_counts(counts, np.int64(VECTOR), one, p)
                add_counts(counts, np.int64(2 * VECTOR), other, p)
                for i in range(VECTOR):
                    for which in range(3):
                        held = counts[which * VECTOR + i]
                        joint[counter, place[k + i] - base, which] += held
        else:
            for k in range(size):
                mask_k, here = planes[p, at[k]], place[k] - base
                one_k, other_k = frame[a + k] & mask_k, frame[b + k] & mask_k
                joint[counter, here, 0] += popcount(one_k & other_k) << p
                joint[counter, here, 1] += popcount(one_k) << p
                joint[counter, here, 2] += popcount(other_k) << p


@lru_cache
def runner(block: int) -> Any:
    """`run_lanes` for blocks of so many words, compiled when first called.

    A width known at compile time makes each gate straight vector code, without a loop of its own.
    """
    width = min(block, VECTOR)
    load, store, splat = instructions(width)
    load_all, store_all, _ = instructions(block)
    read, _, _ = instructions(1)

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
        frame: Any,
        planes: Any,
        ones: Any,
        joint: Any,
        suspect: Any,
        left_over: Any,
    ) -> None:
        """Run a program on lanes first..last.

        A lane here is one word of one position: lane = position * words + word, where `state` is
        uint64 [device wires, words] and `wires` int32 [positions, ports] the device wires of the
        ports at each position. `kept`: the ports that the program changes for good, which alone
        are stored; `restored`: those it changes and changes back.
        code: uint64 [rows] of kind and slots a, b, c (ERASE: a is the counter, MCX: a is the
        control list, TALLY: c is the counter). frame: uint64 [(slots + SPARE) * block]; the last
        rows hold ones and zeros. planes: uint64 [planes, words]. Counts of the positions from that
        of lane `first` on: ones int64 [erased, positions], joint int64 [tallies, positions, 3].
        suspect: uint8 [lanes], set where an ancilla (bit 0), a role (bit 1) or a restored port
        (bit 2) was not as promised on a row that counts; in blocks of several vectors `AGAIN`,
        and nothing is stored. left_over: uint64 [erased, words], what each ERASE leaves where
        erasures fail, or [0, 0] where it leaves 0.
        """
        ports, words, weights = wires.shape[1], state.shape[1], planes.shape[0]
        base = first // words
        vectors = block > 1 and words % width == 0 and first % width == 0 and last % width == 0
        every = np.arange(ports)
        place, at = np.empty(block, np.int64), np.empty(block, np.int64)
        counted, counts = np.empty(block, np.uint64), np.empty(3 * VECTOR, np.int64)
        clean = False
        for start in range(first, last, block):
            size = min(block, last - start)
            locate(start, last, words, place, at)
            gather(frame, 0, state, wires, every, place, at, size, vectors)
            if not clean:  # locals end at 0, unless a promise breaks
                frame[ports * block : (slots + SPARE) * block] = np.uint64(0)
                frame[slots * block : (slots + 1) * block] = ~np.uint64(0)
            dirty, broken = splat(0), splat(0)
            g = np.int64(0)
            while True:
                row = read(code, g)
                g += 1
                a, b, c = _places(row, block)
                while row & _KIND == _GATE:
                    for k in range(0, block, width):
                        both = load(frame, a + k) & load(frame, b + k)
                        store(frame, c + k, load(frame, c + k) ^ both)
                    row = read(code, g)
                    g += 1
                    a, b, c = _places(row, block)
                while row & _KIND == _CNOT:
                    for k in range(0, block, width):
                        store(frame, c + k, load(frame, c + k) ^ load(frame, a + k))
                    row = read(code, g)
                    g += 1
                    a, b, c = _places(row, block)
                kind = np.int64(row & _KIND)
                form = kind >> 2
                before = splat(-(kind & 1))  # the promise that c is 0 before, or after, or none
                after = splat(-((kind >> 1) & 1))
                if form == FULL:
                    carry = np.int64(read(code, g) >> _C) * block
                    g += 1
                    for k in range(0, block, width):
                        one, other, total = (
                            load(frame, a + k),
                            load(frame, b + k),
                            load(frame, c + k),
                        )
                        old = load(frame, carry + k)
                        other ^= one
                        total ^= one
                        new = old ^ (other & total)
                        broken |= (old & before) | (new & after)
                        store(frame, carry + k, new ^ one)
                        other ^= one
                        store(frame, c + k, total ^ other)
                elif form == UNFULL:
                    carry = np.int64(read(code, g) >> _C) * block
                    g += 1
                    for k in range(0, block, width):
                        one, other, total = (
                            load(frame, a + k),
                            load(frame, b + k),
                            load(frame, c + k),
                        )
                        total ^= other
                        other ^= one
                        old = load(frame, carry + k) ^ one
                        new = old ^ (other & total)
                        broken |= (old & before) | (new & after)
                        store(frame, carry + k, new)
                        store(frame, c + k, total ^ one)
                elif form == GATE:
                    for k in range(0, block, width):
                        old = load(frame, c + k)
                        new = old ^ (load(frame, a + k) & load(frame, b + k))
                        store(frame, c + k, new)
                        broken |= (old & before) | (new & after)
                elif form == CNOT:
                    for k in range(0, block, width):
                        old = load(frame, c + k)
                        new = old ^ load(frame, a + k)
                        store(frame, c + k, new)
                        broken |= (old & before) | (new & after)
                elif form == HALF:
                    for k in range(0, block, width):
                        one, other, old = load(frame, a + k), load(frame, b + k), load(frame, c + k)
                        new = old ^ (one & other)
                        broken |= (old & before) | (new & after)
                        store(frame, c + k, new)
                        store(frame, b + k, other ^ one)
                elif form == UNHALF:
                    for k in range(0, block, width):
                        one, other, old = load(frame, a + k), load(frame, b + k), load(frame, c + k)
                        other ^= one
                        new = old ^ (one & other)
                        broken |= (old & before) | (new & after)
                        store(frame, c + k, new)
                        store(frame, b + k, other)
                elif form == MAJ:  # gates cx to, bit; cx to, a; ccx a, bit, to of each row
                    last_row = g + c // block
                    waiting = load_all(frame, a)  # the whole block in registers
                    while g < last_row:
                        _, bit, to = _places(read(code, g), block)
                        g += 1
                        one, other = load_all(frame, bit), load_all(frame, to)
                        one ^= other
                        waiting ^= other
                        store_all(frame, bit, one)
                        store_all(frame, a, waiting)
                        waiting = other ^ (waiting & one)
                        a = to
                    store_all(frame, a, waiting)
                elif form == UMA:  # gates ccx to, bit, a; cx a, to; cx to, bit of each row
                    last_row = g + c // block
                    waiting = load_all(frame, a)
                    while g < last_row:
                        _, bit, to = _places(read(code, g), block)
                        g += 1
                        one, other = load_all(frame, bit), load_all(frame, to)
                        waiting ^= other & one
                        other ^= waiting
                        store_all(frame, a, waiting)
                        store_all(frame, bit, one ^ other)
                        a, waiting = to, other
                    store_all(frame, a, waiting)
                elif form == END:
                    break
                elif form == FREE:
                    for k in range(0, block, width):
                        dirty |= load(frame, c + k)
                elif form == CSWAP:
                    for k in range(0, block, width):
                        left = load(frame, b + k)
                        old = load(frame, c + k)
                        change = load(frame, a + k) & (left ^ old)
                        new = old ^ change
                        store(frame, b + k, left ^ change)
                        store(frame, c + k, new)
                        broken |= (old & before) | (new & after)
                elif form == SWAP:
                    for k in range(0, block, width):
                        new = load(frame, b + k)
                        old = load(frame, c + k)
                        store(frame, b + k, old)
                        store(frame, c + k, new)
                        broken |= (old & before) | (new & after)
                elif form == ERASE:
                    counter = a // block
                    _count_ones(ones, counter, frame, c, planes, place, at, base, size, vectors)
                    for k in range(0, block, width):
                        broken |= load(frame, c + k) & before
                        store(frame, c + k, splat(0))
                    if left_over.shape[0]:
                        for k in range(size):
                            frame[c + k] = left_over[counter, at[k]]
                        for k in range(0, block, width):
                            broken |= load(frame, c + k) & after
                elif form == TALLY:
                    _count_pairs(
                        joint, c // block, frame, a, b, planes, place, at, base, size, vectors,
                        counts,
                    )  # fmt: skip
                else:  # MCX
                    listed = a // block
                    for k in range(0, block, width):
                        change = splat(-1)
                        for i in range(starts[listed], starts[listed + 1]):
                            control = load(frame, np.int64(control_wires[i]) * block + k)
                            change &= control ^ splat(np.int64(control_polarity[i]) - 1)
                        old = load(frame, c + k)
                        new = old ^ change
                        store(frame, c + k, new)
                        broken |= (old & before) | (new & after)
            clean = popcount(dirty | broken) == 0
            if block > width and not clean:
                suspect[start : start + size] = np.uint8(AGAIN)
                continue
            if not clean or len(restored):
                for k in range(size):
                    counted[k] = np.uint64(0)
                    for p in range(weights):
                        counted[k] |= planes[p, at[k]]
            if not clean:
                store(frame, slots * block, dirty)
                store(frame, slots * block + width, broken)
                for k in range(size):
                    if frame[slots * block + k] & counted[k]:
                        suspect[start + k] |= np.uint8(1)
                    if frame[slots * block + width + k] & counted[k]:
                        suspect[start + k] |= np.uint8(2)
            for p in restored:
                for k in range(size):
                    if (state[wires[place[k], p], at[k]] ^ frame[p * block + k]) & counted[k]:
                        suspect[start + k] |= np.uint8(4)
            scatter(frame, state, wires, kept, place, at, size, vectors)

    return run_lanes


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

    Arguments as for `run_lanes`, but `state` is only read. toggles: int64 [planes], raised by the
    flips on the lanes of each plane. Every gate is: which lanes change, then that change applied.
    """
    ports = wires.shape[0]
    scratch = frame.shape[0] - block
    one = scratch - block
    for start in range(first, last, block):
        size = min(block, last - start)
        frame[:one] = np.uint64(0)
        frame[one:] = ~np.uint64(0)
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
                if opcode == 0:
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
