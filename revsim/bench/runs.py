"""Calls that are timed: a definition on random lanes, by an executor."""

from collections.abc import Callable

import numpy as np

from revsim.circuit.definition import Definition
from revsim.simulator.counters import Counters
from revsim.simulator.lanes import Words, planes_of


def random_state(wires: int, words: int, seed: int = 0) -> Words:
    """Random words uint64 [wires, words]."""
    return np.random.default_rng(seed).integers(0, 1 << 64, (wires, words), dtype=np.uint64)


def lanes_of(
    definition: Definition,
    words: int,
    executor: str = "literal",
    threads: int = 1,
    counted: bool = True,
    state: Words | None = None,
) -> Callable[[], None]:
    """A call that runs a definition on `state` (random lanes without it), in place.

    counted: False takes no row into any count, so that erasures cost what resets cost.
    """
    from revsim.simulator import fast, plain

    held = random_state(definition.port_wires, words) if state is None else state
    wires = np.arange(definition.port_wires, dtype=np.int32)
    planes = planes_of(None, 64 * words, words) if counted else np.zeros((0, words), np.uint64)
    if executor == "numpy":
        return lambda: plain.run(definition, held, wires, Counters(planes))

    def run() -> None:
        fast.run(definition, held, wires, Counters(planes), threads=threads, executor=executor)

    return run
