"""Kernels that copy ports between the state and the frame of a block of lanes."""

from typing import Any

import numpy as np

from revsim.circuit.kernels import jit
from revsim.simulator.lanes import VECTOR
from revsim.simulator.vectors import fetch, instructions, transpose

_load, _store, _ = instructions(VECTOR)
_, _put, _ = instructions(1)


@jit
def locate(start: int, last: int, words: int, place: Any, at: Any) -> None:
    """The position and word of each lane of a block; a short block repeats its last lane, so that
    whatever its gates promise holds there too."""
    for k in range(place.shape[0]):
        lane = min(start + k, last - 1)
        place[k] = lane // words
        at[k] = lane - place[k] * words


@jit
def gather(
    frame: Any,
    slot: int,
    state: Any,
    wires: Any,
    ports: Any,
    place: Any,
    at: Any,
    size: int,
    vectors: bool,
) -> None:
    """Copy `ports` of a block of lanes into the frame, from `slot` on; where `vectors` are copied,
    a block of fewer lanes, `size`, repeats its last vector.

    Indices are unsigned, so that Numba does not ask each whether it counts from the end.
    """
    block, words, count = place.shape[0], state.shape[1], ports.shape[0]
    if vectors:
        for k in range(0, block, VECTOR):
            near = min(k, size - VECTOR)
            here, word = np.uint64(place[near]), at[near]
            for i in range(count):
                wire = np.int64(wires[here, np.uint64(ports[i])])
                _store(frame, (slot + i) * block + k, _load(state, wire * words + word))
        return
    starts = np.empty(VECTOR, np.int64)
    whole = count - count % VECTOR if block > 1 and words == 1 else 0
    for i in range(0, whole, VECTOR):
        for k in range(0, block, VECTOR):
            together = True  # eight ports of eight lanes, where the former stand side by side
            for lane in range(VECTOR):
                starts[lane] = wires[place[k + lane], ports[i]]
                for j in range(1, VECTOR):
                    together &= wires[place[k + lane], ports[i + j]] == starts[lane] + j
            if together:
                transpose(state, starts, frame, (slot + i) * block + k, block)
            else:
                for lane in range(k, k + VECTOR):
                    for j in range(i, i + VECTOR):
                        word = np.int64(wires[place[lane], ports[j]])
                        _put(frame, (slot + j) * block + lane, fetch(state, word))
    for k in range(block):
        here, word = np.uint64(place[k]), at[k]
        for i in range(whole, count):
            wire = np.int64(wires[here, np.uint64(ports[i])])
            _put(frame, (slot + i) * block + k, fetch(state, wire * words + word))


@jit
def scatter(
    frame: Any, state: Any, wires: Any, kept: Any, place: Any, at: Any, size: int, vectors: bool
) -> None:
    """Copy the `kept` ports of the first `size` lanes of a block back."""
    block, words = place.shape[0], state.shape[1]
    for p in kept:
        port = np.uint64(p)
        if vectors:
            for k in range(0, size, VECTOR):
                word = np.int64(wires[np.uint64(place[k]), port]) * words + at[k]
                _store(state, word, _load(frame, np.int64(p) * block + k))
        else:
            for k in range(size):
                word = np.int64(wires[np.uint64(place[k]), port]) * words + at[k]
                _put(state, word, fetch(frame, np.int64(p) * block + k))
