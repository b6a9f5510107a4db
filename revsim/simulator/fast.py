"""The Numba executor: leaves of the hierarchy as programs on cache-sized blocks of lanes.

Same meaning as `plain.run`, same arguments. Where a promise is broken it only notes the word of
lanes; `simulate` then replays those lanes in plain NumPy to name the wire.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Definition, Gates, Loop
from revsim.circuit.gates import ERASE, EXTRA, MCX, OP, ROLE, TALLY, A, C
from revsim.circuit.program import CACHED_PROGRAMS, Program, is_leaf, program_of
from revsim.circuit.registers import Wires
from revsim.simulator import kernels, plain
from revsim.simulator.counters import Counters
from revsim.simulator.faults import NOTHING
from revsim.simulator.lanes import Words

CACHE_BYTES = 1 << 20
"""Size of a frame that still lives in the level-2 cache."""


@lru_cache(maxsize=CACHED_PROGRAMS)
def code_of(program: Program) -> npt.NDArray[np.int32]:
    """The table in the form that the kernel reads: int32 [rows, 4] (see `kernels.run_blocks`)."""
    table = program.table
    code = np.zeros((len(table), 4), dtype=np.int32)
    code[:, 0] = 4 * table[:, OP] + np.maximum(table[:, ROLE], 0)
    code[:, 1:] = np.maximum(table[:, A : C + 1], 0)
    erase = table[:, OP] == ERASE
    code[erase, 1] = np.arange(int(erase.sum()))
    listed = table[:, OP] == MCX
    code[listed, 1] = table[listed, EXTRA]
    tally = table[:, OP] == TALLY
    code[tally, 3] = table[tally, EXTRA]
    return code


@lru_cache(maxsize=1024)
def block_words(slots: int, words: int) -> int:
    """Words per block, one of `kernels.BLOCKS`: the least that holds `words`, as long as the frame
    fits the cache."""
    fitting = CACHE_BYTES // (8 * max(slots, 1))
    enough = next((b for b in kernels.BLOCKS if b >= words), kernels.BLOCKS[-1])
    return max(b for b in kernels.BLOCKS if b <= max(min(enough, fitting), kernels.BLOCKS[0]))


def run(
    definition: Definition,
    state: Words,
    wires: Wires,
    counters: Counters,
    inverse: bool = False,
    threads: int = 1,
    keep: bool = True,
) -> None:
    """Run a definition on `wires` of `state` (uint64 [device wires, words]), in place.

    `keep` False: a leaf that is run once only, so its program is not remembered.
    """
    if is_leaf(definition):
        _leaf(definition, state, wires, counters, inverse, threads, keep)
        return
    frame = np.zeros((definition.wires, state.shape[1]), dtype=np.uint64)
    frame[: definition.port_wires] = state[wires]
    for item in reversed(definition.body) if inverse else definition.body:
        if isinstance(item, Gates):
            gates = item.inverse() if inverse else item
            plain.run_gates(gates, frame, counters, definition)
            continue
        calls = item.calls() if isinstance(item, Loop) else (item,)
        for call in reversed(calls) if inverse else calls:
            run(call.definition, frame, call.wires, counters, call.inverse != inverse, threads)
    for wire in range(definition.port_wires, definition.wires):
        counters.must_be_zero(frame[wire], "ancillas", definition.name, definition.name_of(wire))
    state[wires] = frame[: definition.port_wires]


def _leaf(
    definition: Definition,
    state: Words,
    wires: Wires,
    counters: Counters,
    inverse: bool,
    threads: int,
    keep: bool,
) -> None:
    program = (program_of if keep else program_of.__wrapped__)(definition, inverse)
    code = (code_of if keep else code_of.__wrapped__)(program)
    wires = np.ascontiguousarray(wires)
    words = state.shape[1]
    block = block_words(program.slots, words // max(1, threads))
    cuts = _cuts(words, block, threads)
    suspect = np.zeros(words, dtype=np.uint8)
    left_over = NOTHING
    if counters.faults is not None:
        left_over = counters.faults.next(program.erased, words)

    def part(first: int, last: int) -> tuple[npt.NDArray[np.int64], ...]:
        toggles = np.zeros(len(counters.planes), dtype=np.int64)
        if counters.toggles is not None:  # before the gates run, which change the state
            kernels.count_toggles(
                code,
                program.starts,
                program.control_wires,
                program.control_polarity,
                state,
                wires,
                first,
                last,
                block,
                aligned((program.slots + 1) * block),
                counters.planes,
                toggles,
            )
        ones = np.zeros(program.erased, dtype=np.int64)
        joint = np.zeros((program.tallies, 3), dtype=np.int64)
        frame = aligned((program.slots + 3) * block)
        kernels.run_blocks(
            code,
            program.starts,
            program.control_wires,
            program.control_polarity,
            state,
            wires,
            program.slots,
            first,
            last,
            block,
            frame,
            counters.planes,
            ones,
            joint,
            suspect,
            left_over,
        )
        return ones, joint, toggles

    others = [_pool(len(cuts) - 1).submit(part, *cut) for cut in cuts[1:]]
    parts = [part(*cuts[0]), *(other.result() for other in others)]
    if program.erased:
        ones = np.sum([p[0] for p in parts], axis=0).tolist()
        causes = program.table[program.table[:, OP] == ERASE, EXTRA].tolist()
        names = program.definition.causes
        counters.ones.extend((names[c], n) for c, n in zip(causes, ones, strict=True))
    if program.tallies:
        joint = np.sum([p[1] for p in parts], axis=0).tolist()
        counters.joint.extend((both, left, right) for both, left, right in joint)
    if counters.toggles is not None:
        flips = np.sum([p[2] for p in parts], axis=0).tolist()
        counters.toggles += sum(n << plane for plane, n in enumerate(flips))
    if suspect.any():
        counters.suspects.update(np.flatnonzero(suspect).tolist())


@lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads that stay for the next call: starting them takes as long as a million gates."""
    return ThreadPoolExecutor(threads, "revsim")


if hasattr(os, "register_at_fork"):  # a forked process has the pool but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _cuts(words: int, block: int, threads: int) -> list[tuple[int, int]]:
    """Word ranges, one per thread, each a whole number of blocks (the last may be shorter)."""
    blocks = -(-words // block)
    share = -(-blocks // max(1, threads)) * block
    return [(first, min(first + share, words)) for first in range(0, words, share)]


def aligned(words: int) -> Words:
    """Uninitialised uint64 [words] on a 64-byte boundary, so that no vector straddles a line."""
    buffer = np.empty(words + 8, dtype=np.uint64)
    offset = (-buffer.__array_interface__["data"][0] % 64) // 8
    return buffer[offset : offset + words]
