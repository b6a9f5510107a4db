"""Definitions at many positions, in the kernels: blocks of positions as lanes, over threads.

A batch is a few `Calls` that follow each other and do not touch what another one writes: where
each has few positions (a dense layer has one), threads take whole calls instead of lanes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import numpy.typing as npt

from revsim.circuit.banks import Calls
from revsim.circuit.registers import Wires
from revsim.simulator.code import Code, run_lanes
from revsim.simulator.code_cache import CODES
from revsim.simulator.fold import CallFold
from revsim.simulator.lanes import Words
from revsim.simulator.threads import in_threads

TASKS = 4
"""Tasks per thread into which one call is cut, so that no thread waits long for another."""
COUNTERS = 1 << 21
"""Counters of inner ERASEs and TALLYs that one task may hold: 16 MB."""


@dataclass(frozen=True, eq=False)
class Ready:
    """One `Calls` ready to run: its code and the device wires of its ports, int32 [positions,
    ports]; `suspect` uint8 [lanes] is set where a promise broke, lane = position * words + word.

    `broken`: of each task that broke one, its first such lane and what the ports that the code
    changes held there before, uint64 [kept ports].
    """

    calls: Calls
    code: Code
    wires: Wires
    suspect: npt.NDArray[np.uint8]
    fold: CallFold | None
    broken: list[tuple[int, Words]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)


def codes_of(calls: Sequence[Calls], threads: int, executor: str) -> list[Code]:
    """The codes of some calls, those that are not remembered made by several threads."""
    return in_threads(lambda c: CODES.get(c.recipe, c.inverse, executor), calls, threads)


def ready(calls: Calls, code: Code, wires: Wires, state: Words, total: int) -> Ready:
    """Get a call ready to run on a state that is as the call will find it; `wires`: its table."""
    suspect = np.zeros(len(wires) * state.shape[1], dtype=np.uint8)
    fold = None
    if code.erased or code.tallies:
        fold = CallFold(total, len(wires), calls.channels, code.cause_of, code.is_and, True)
    return Ready(calls, code, wires, suspect, fold)


def run_batch(batch: Sequence[Ready], state: Words, planes: Words, threads: int) -> None:
    """Run calls that are independent of each other, in any order, on all lanes."""
    pieces = 1 if threads == 1 else -(-TASKS * threads // max(1, len(batch)))
    tasks = [(one, *cut) for one in batch for cut in _cuts(one, state.shape[1], pieces)]
    in_threads(lambda task: _run(task[0], task[1], task[2], state, planes), tasks, threads)


def _cuts(one: Ready, words: int, pieces: int) -> list[tuple[int, int]]:
    """Lanes of the tasks of one call: whole positions, and whole blocks where that is possible."""
    lanes = len(one.wires) * words
    block = one.code.body.block_words(lanes)
    if lanes <= block:
        return [(0, lanes)]
    step = words * block // np.gcd(words, block)
    counters = (one.code.erased + 3 * one.code.tallies) * (step // words)
    most = max(1, COUNTERS // counters) if counters else lanes
    size = step * int(max(1, min(most, -(-lanes // (pieces * step)))))
    return [(first, min(first + size, lanes)) for first in range(0, lanes, size)]


def _run(one: Ready, first: int, last: int, state: Words, planes: Words) -> None:
    code, words = one.code, state.shape[1]
    here = slice(first // words, last // words)
    positions = here.stop - here.start
    ones = np.zeros((code.erased, positions), dtype=np.int64)
    joint = np.zeros((code.tallies, positions, 3), dtype=np.int64)
    before = state.take(one.wires[here].take(code.kept, axis=1), axis=0)
    run_lanes(code, state, one.wires, code.checked, first, last, planes, ones, joint, one.suspect)
    if one.suspect[first:last].any():
        lane = int(np.flatnonzero(one.suspect[first:last])[0])
        position, word = divmod(lane, words)
        with one.lock:
            one.broken.append((first + lane, before[position, :, word].copy()))
    if one.fold is not None:
        with one.lock:
            one.fold.add(here.start, ones, joint)
