"""The Numba executor: leaves of the hierarchy as programs on cache-sized blocks of lanes.

Same meaning as `plain.run`, same arguments. Where a promise is broken it only notes the word of
lanes; `simulate` then replays those lanes in plain NumPy to name the wire.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Definition, Gates, Loop
from revsim.circuit.program import CACHED_PROGRAMS, compile_program, is_leaf
from revsim.circuit.registers import Wires
from revsim.simulator import plain
from revsim.simulator.code import NO_PORTS, compile_code, run_lanes
from revsim.simulator.counters import Counters
from revsim.simulator.faults import NOTHING
from revsim.simulator.fused.body import Fused
from revsim.simulator.lanes import Words, aligned
from revsim.simulator.literal import kernels
from revsim.simulator.literal.body import encode
from revsim.simulator.literal.layout import SPARE
from revsim.simulator.threads import pool

_code = lru_cache(maxsize=CACHED_PROGRAMS)(compile_code)


def run(
    definition: Definition,
    state: Words,
    wires: Wires,
    counters: Counters,
    inverse: bool = False,
    threads: int = 1,
    keep: bool = True,
    executor: str = "literal",
) -> None:
    """Run a definition on `wires` of `state` (uint64 [device wires, words]), in place.

    `keep` False: a leaf that is run once only, so its program is not remembered.
    """
    if is_leaf(definition):
        _leaf(definition, state, wires, counters, inverse, threads, keep, executor)
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
            backward = call.inverse != inverse
            run(call.definition, frame, call.wires, counters, backward, threads, executor=executor)
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
    executor: str,
) -> None:
    code = (_code if keep else compile_code)(definition, inverse, executor)
    wires = np.ascontiguousarray(wires)
    words = state.shape[1]
    block = code.body.block_words(words // max(1, threads))
    cuts = _cuts(words, block, threads)
    suspect = np.zeros(words, dtype=np.uint8)
    left_over = NOTHING
    if isinstance(code.body, Fused):
        counters.fused += code.gates
    if counters.faults is not None:
        left_over = counters.faults.next(code.erased, words)

    single = None if counters.toggles is None else compile_program(definition, inverse)

    def part(first: int, last: int) -> tuple[npt.NDArray[np.int64], ...]:
        toggles = np.zeros(len(counters.planes), dtype=np.int64)
        if single is not None:  # before the gates run, which change the state
            kernels.count_toggles(
                encode(single.rows, single.slots),
                single.starts,
                single.control_wires,
                single.control_polarity,
                state,
                wires,
                first,
                last,
                block,
                aligned((single.slots + SPARE) * block),
                counters.planes,
                toggles,
            )
        ones = np.zeros((code.erased, 1), dtype=np.int64)
        joint = np.zeros((code.tallies, 1, 3), dtype=np.int64)
        run_lanes(
            code, state, wires[None], NO_PORTS, first, last,
            counters.planes, ones, joint, suspect, left_over,
        )  # fmt: skip
        return ones[:, 0], joint[:, 0], toggles

    others = [pool(len(cuts) - 1).submit(part, *cut) for cut in cuts[1:]]
    parts = [part(*cuts[0]), *(other.result() for other in others)]
    if code.erased:
        ones = np.sum([p[0] for p in parts], axis=0).tolist()
        causes = code.cause_of.tolist()
        counters.ones.extend((code.causes[c], n) for c, n in zip(causes, ones, strict=True))
    if code.tallies:
        joint = np.sum([p[1] for p in parts], axis=0).tolist()
        counters.joint.extend((both, left, right) for both, left, right in joint)
    if counters.toggles is not None:
        flips = np.sum([p[2] for p in parts], axis=0).tolist()
        counters.toggles += sum(n << plane for plane, n in enumerate(flips))
    if suspect.any():
        counters.suspects.update(np.flatnonzero(suspect).tolist())


def _cuts(words: int, block: int, threads: int) -> list[tuple[int, int]]:
    """Word ranges, one per thread, each a whole number of blocks (the last may be shorter)."""
    blocks = -(-words // block)
    share = -(-blocks // max(1, threads)) * block
    return [(first, min(first + share, words)) for first in range(0, words, share)]
