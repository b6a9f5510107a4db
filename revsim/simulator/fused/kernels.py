"""The kernel that runs a schedule on lanes: vectors in registers, one row after the other."""

from typing import Any

import numpy as np
from numba.extending import register_jitable

from revsim.circuit.kernels import jit
from revsim.simulator.ports.kernels import gather, locate
from revsim.simulator.vectors import (
    fetch,
    instructions,
    majority,
    majority_not,
    number,
    parity,
    parity_not,
    popcount,
)


# Not kept on disk by themselves: numba pickles signatures, and one that names a class of ours, the
# vector, could not be read any more once that is renamed.
@register_jitable
def _add(x: Any, s: Any, c: Any) -> Any:
    return parity(x, s, c), majority(x, s, c)


@register_jitable
def _add_not(x: Any, s: Any, c: Any) -> Any:
    return parity_not(x, s, c), majority_not(x, s, c)


def _ladders(width: int, add: Any) -> Any:
    """ladder(code, at, frame, rows, chains) from the first carry on; returns what follows."""
    load, store, _ = instructions(width)

    @jit
    def ladder(code: Any, at: int, frame: Any, rows: int, chains: int) -> int:
        if chains == 1:
            c0 = load(frame, number(code, at))
            at += 1
            for _ in range(rows):
                s = load(frame, number(code, at))
                s, c0 = add(load(frame, number(code, at + 1)), s, c0)
                store(frame, number(code, at + 2), s)
                at += 3
            store(frame, number(code, at), c0)
            return at + 1
        if chains == 2:
            c0 = load(frame, number(code, at))
            c1 = load(frame, number(code, at + 1))
            at += 2
            for _ in range(rows):
                s = load(frame, number(code, at))
                s, c0 = add(load(frame, number(code, at + 1)), s, c0)
                s, c1 = add(load(frame, number(code, at + 2)), s, c1)
                store(frame, number(code, at + 3), s)
                at += 4
            store(frame, number(code, at), c0)
            store(frame, number(code, at + 1), c1)
            return at + 2
        c0 = load(frame, number(code, at))
        c1 = load(frame, number(code, at + 1))
        c2 = load(frame, number(code, at + 2))
        c3 = load(frame, number(code, at + 3))
        at += 4
        if chains == 4:
            for _ in range(rows):
                s = load(frame, number(code, at))
                s, c0 = add(load(frame, number(code, at + 1)), s, c0)
                s, c1 = add(load(frame, number(code, at + 2)), s, c1)
                s, c2 = add(load(frame, number(code, at + 3)), s, c2)
                s, c3 = add(load(frame, number(code, at + 4)), s, c3)
                store(frame, number(code, at + 5), s)
                at += 6
            store(frame, number(code, at), c0)
            store(frame, number(code, at + 1), c1)
            store(frame, number(code, at + 2), c2)
            store(frame, number(code, at + 3), c3)
            return at + 4
        c4 = load(frame, number(code, at))
        c5 = load(frame, number(code, at + 1))
        c6 = load(frame, number(code, at + 2))
        c7 = load(frame, number(code, at + 3))
        at += 4
        for _ in range(rows):
            s = load(frame, number(code, at))
            s, c0 = add(load(frame, number(code, at + 1)), s, c0)
            s, c1 = add(load(frame, number(code, at + 2)), s, c1)
            s, c2 = add(load(frame, number(code, at + 3)), s, c2)
            s, c3 = add(load(frame, number(code, at + 4)), s, c3)
            s, c4 = add(load(frame, number(code, at + 5)), s, c4)
            s, c5 = add(load(frame, number(code, at + 6)), s, c5)
            s, c6 = add(load(frame, number(code, at + 7)), s, c6)
            s, c7 = add(load(frame, number(code, at + 8)), s, c7)
            store(frame, number(code, at + 9), s)
            at += 10
        store(frame, number(code, at), c0)
        store(frame, number(code, at + 1), c1)
        store(frame, number(code, at + 2), c2)
        store(frame, number(code, at + 3), c3)
        store(frame, number(code, at + 4), c4)
        store(frame, number(code, at + 5), c5)
        store(frame, number(code, at + 6), c6)
        store(frame, number(code, at + 7), c7)
        return at + 8

    return ladder


def _loops(width: int) -> Any:
    """run(code, frame, spare, ...) on frames of `width` words a slot."""
    load, store, _ = instructions(width)
    ladder, ladder_not = _ladders(width, _add), _ladders(width, _add_not)

    @jit
    def run(code: Any, first: int, frame: Any, dirty: int, broken: int) -> int:
        """Run code from place `first` on up to a run of rows that count; returns its place.

        frame: uint64. dirty, broken: word offsets where what is not 0 is collected.
        """
        at = first
        while at < code.shape[0]:
            kind: Any = number(code, at)
            count: Any = number(code, at + 1)
            stop = at
            at += 2
            if kind >= 27:
                at = ladder_not(code, at, frame, count, 1 << (kind - 27))
            elif kind >= 23:
                at = ladder(code, at, frame, count, 1 << (kind - 23))
            elif kind == 15:  # FULL
                for _ in range(count):
                    x = load(frame, number(code, at))
                    y = load(frame, number(code, at + 1))
                    z = load(frame, number(code, at + 2))
                    store(frame, number(code, at + 3), x ^ y ^ z)
                    store(frame, number(code, at + 4), majority(x, y, z))
                    at += 5
            elif kind == 16:  # FULL_NOT
                for _ in range(count):
                    x = load(frame, number(code, at))
                    y = load(frame, number(code, at + 1))
                    z = load(frame, number(code, at + 2))
                    store(frame, number(code, at + 3), x ^ y ^ z)
                    store(frame, number(code, at + 4), majority_not(x, y, z))
                    at += 5
            elif kind < 4:
                for _ in range(count):
                    x = load(frame, number(code, at))
                    y = load(frame, number(code, at + 1))
                    if kind == 0:  # XOR
                        x ^= y
                    elif kind == 1:  # AND
                        x &= y
                    elif kind == 2:  # AND_NOT
                        x &= ~y
                    else:  # NOR
                        x = ~(x | y)
                    store(frame, number(code, at + 2), x)
                    at += 3
            elif kind < 12:
                for _ in range(count):
                    x = load(frame, number(code, at))
                    y = load(frame, number(code, at + 1))
                    z = load(frame, number(code, at + 2))
                    if kind == 4:  # XOR3
                        z ^= x ^ y
                    elif kind == 5:  # AND_XOR
                        z ^= x & y
                    elif kind == 6:  # AND_NOT_XOR
                        z ^= x & ~y
                    elif kind == 7:  # NOR_XOR
                        z ^= ~(x | y)
                    elif kind == 8:  # MUX
                        z ^= x & (y ^ z)
                    elif kind == 9:  # MUX_NOT
                        z ^= x & ~(y ^ z)
                    elif kind == 10:  # MAJORITY
                        z = majority(x, y, z)
                    else:  # MAJORITY_NOT
                        z = majority_not(x, y, z)
                    store(frame, number(code, at + 3), z)
                    at += 4
            elif kind < 15:
                for _ in range(count):
                    x = load(frame, number(code, at))
                    y = load(frame, number(code, at + 1))
                    store(frame, number(code, at + 2), x ^ y)
                    if kind == 12:  # HALF
                        x &= y
                    elif kind == 13:  # HALF_NOT
                        x &= ~y
                    else:  # HALF_NOR
                        x = ~(x | y)
                    store(frame, number(code, at + 3), x)
                    at += 4
            elif kind < 19:  # COUNT, JOINT
                return stop
            else:  # FREE, ROLE and the same of complements
                into = dirty if kind < 21 else broken
                seen = load(frame, into)
                for _ in range(count):
                    x = load(frame, number(code, at))
                    seen |= x if kind & 1 else ~x
                    at += 1
                store(frame, into, seen)
        return int(code.shape[0])

    return run


_run_1, _run_8 = _loops(1), _loops(8)
_load_8, _store_8, _splat_8 = instructions(8)
_, _put, _ = instructions(1)


@jit
def _count(
    code: Any, at: int, frame: Any, block: int, size: int, together: bool, place: Any, word: Any,
    planes: Any, base: int, ones: Any, joint: Any,
) -> int:  # fmt: skip
    """Count what a run of COUNT or JOINT rows looks at; returns where the next run starts."""
    kind, count = code[at], code[at + 1]
    at += 2
    for _ in range(count):
        for p in range(planes.shape[0]):
            a = np.int64(code[at])
            if kind == 17:
                counter = code[at + 1]
                if together:
                    held = _load_8(frame, a) & _load_8(planes, p * planes.shape[1] + word[0])
                    ones[counter, place[0] - base] += popcount(held) << p
                else:
                    for k in range(size):
                        held_word = frame[a + k] & planes[p, word[k]]
                        ones[counter, place[k] - base] += popcount(held_word) << p
            else:
                b, counter = np.int64(code[at + 1]), code[at + 2]
                for k in range(size):
                    first, second = frame[a + k] & planes[p, word[k]], frame[b + k]
                    here = place[k] - base
                    joint[counter, here, 0] += popcount(first & second) << p
                    joint[counter, here, 1] += popcount(first) << p
                    joint[counter, here, 2] += popcount(second & planes[p, word[k]]) << p
        at += 2 if kind == 17 else 3
    return at


@jit
def run_lanes(
    code: Any, state: Any, wires: Any, loaded: Any, changes: Any, slots: int, first: int, last: int,
    block: int, planes: Any, ones: Any, joint: Any, suspect: Any,
) -> None:  # fmt: skip
    """Run a schedule on lanes first..last, `block` (1 or 8) words at a time.

    Lanes, state, wires, planes, ones, joint and suspect as for `code.run_lanes`. code: uint32, with
    word offsets in the place of slots. loaded: int32, ports that stand in slots 1, 2, ...; changes:
    int32 [4, n], ports that change, the slots where the new values stand, whether complemented, and
    whether the port must be as before and is not written.
    """
    frame = np.empty((slots + 2) * block + 8, np.uint64)
    frame = frame[(-frame.ctypes.data >> 3) & 7 :]  # on a line of the cache
    words = state.shape[1]
    dirty, broken = slots * block, (slots + 1) * block
    base = first // words
    place, word = np.empty(block, np.int64), np.empty(block, np.int64)
    counting = np.empty(block, np.uint64)  # rows that count
    for start in range(first, last, block):
        size = min(block, last - start)
        locate(start, last, words, place, word)
        for k in range(size):
            counting[k] = np.uint64(0)
            for p in range(planes.shape[0]):
                counting[k] |= planes[p, word[k]]
        together = block == 8 and size == 8 and word[7] == word[0] + 7
        for k in range(block):
            frame[k] = frame[dirty + k] = frame[broken + k] = np.uint64(0)
        gather(frame, 1, state, wires, loaded, place, word, size, together)
        at = np.int64(0)
        while at < code.shape[0]:
            if block == 1:
                at = _run_1(code, at, frame, dirty, broken)
            else:
                at = _run_8(code, at, frame, dirty, broken)
            if at < code.shape[0]:
                at = _count(
                    code, at, frame, block, size, together, place, word,
                    planes, base, ones, joint,
                )  # fmt: skip
        for i in range(changes.shape[1]):
            which = np.uint64(i)
            port, result = np.uint64(changes[0, which]), np.int64(changes[1, which]) * block
            flips = np.int64(-changes[2, which])
            if together and not changes[3, which]:
                home = np.int64(wires[np.uint64(place[0]), port]) * words + word[0]
                _store_8(state, home, _load_8(frame, result) ^ _splat_8(flips))
                continue
            for k in range(size):
                home = np.int64(wires[np.uint64(place[k]), port]) * words + word[k]
                new = fetch(frame, result + k) ^ np.uint64(flips)
                if not changes[3, which]:
                    _put(state, home, new)
                elif (fetch(state, home) ^ new) & counting[k]:
                    suspect[start + k] |= np.uint8(4)
        for k in range(size):
            if frame[dirty + k] & counting[k]:
                suspect[start + k] |= np.uint8(1)
            if frame[broken + k] & counting[k]:
                suspect[start + k] |= np.uint8(2)
