"""Calls that are timed: a definition on random lanes, by an executor."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from revsim.circuit.definition import Definition
from revsim.circuit.gates import CX
from revsim.circuit.packed import KIND
from revsim.circuit.program import compile_program
from revsim.simulator.code import NO_PORTS, compile_code, run_lanes
from revsim.simulator.counters import Counters
from revsim.simulator.lanes import Words, planes_of
from revsim.simulator.literal.body import END_ROW, Literal, encode
from revsim.simulator.literal.layout import CNOT

KINDS, ROLES = np.uint64((1 << KIND) - 1), np.uint64(3)


def random_state(wires: int, words: int, seed: int = 0) -> Words:
    """Random words uint64 [wires, words]."""
    return np.random.default_rng(seed).integers(0, 1 << 64, (wires, words), dtype=np.uint64)


def kernel_of(
    definition: Definition,
    words: int,
    executor: str = "literal",
    counted: bool = True,
    state: Words | None = None,
    grouped: bool = True,
) -> Callable[[], None]:
    """A call of the kernel alone, on one thread: `lanes_of` less what Python does around it.

    Ports that are promised to be 0 are 0 unless a state is given. grouped: False has the literal
    kernel fetch and store the wires of each gate by itself.
    """
    code = compile_code(definition, False, executor)
    if not grouped:
        assert isinstance(code.body, Literal)
        packed = compile_program(definition).rows
        rows = encode(packed, code.body.slots)
        cnots = (packed & KINDS) >> np.uint64(2) == CX
        rows[cnots] = packed[cnots] & ~KINDS | packed[cnots] & ROLES | np.uint64(4 * CNOT)
        code = replace(code, body=replace(code.body, rows=np.append(rows, END_ROW)))
    held = clean_state(definition, words) if state is None else state
    ports = np.arange(definition.port_wires, dtype=np.int32)[None]
    planes = planes_of(None, 64 * words, words) if counted else np.zeros((0, words), np.uint64)
    ones = np.zeros((code.erased, 1), dtype=np.int64)
    joint = np.zeros((code.tallies, 1, 3), dtype=np.int64)
    suspect = np.zeros(words, dtype=np.uint8)
    return lambda: run_lanes(code, held, ports, NO_PORTS, 0, words, planes, ones, joint, suspect)


def clean_state(definition: Definition, words: int) -> Words:
    """Random lanes on the ports of a definition, 0 where that is promised."""
    state = random_state(definition.port_wires, words)
    state[np.repeat([p.zero_in for p in definition.ports], [p.width for p in definition.ports])] = 0
    return state


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
