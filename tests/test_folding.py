"""Folded programs: the bits, counts and broken promises of their gates, by fewer operations."""

import numpy as np
import pytest

from revsim.blocks.registry import BLOCKS
from revsim.circuit.definition import Definition
from revsim.circuit.program import Program, program_of
from revsim.simulator.code import NO_PORTS, code_of, run_lanes
from revsim.simulator.folding.symbolic import fold
from revsim.simulator.fused.netlist import evaluate
from revsim.simulator.lanes import Words

pytest.importorskip("numba")


def literally(program: Program, before: Words) -> tuple[np.ndarray, ...]:
    """What the literal executor makes of uint64 [ports, words], each word a lane of its own: ports
    after, ones under each ERASE, joint counts of each TALLY, broken promises."""
    code = code_of(program)
    ports, words = before.shape
    state = before.T.reshape(-1, 1).copy()
    wires = np.arange(words * ports, dtype=np.int32).reshape(words, ports)
    ones = np.zeros((code.erased, words), dtype=np.int64)
    joint = np.zeros((code.tallies, words, 3), dtype=np.int64)
    suspect = np.zeros(words, dtype=np.uint8)
    every = np.full((1, 1), ~np.uint64(0))
    run_lanes(code, state, wires, NO_PORTS, 0, words, every, ones, joint, suspect)
    return state.reshape(words, ports).T, ones, joint, suspect


def assert_folds(program: Program, before: Words) -> None:
    """The netlist of a program does what its gates do on these words."""
    found = evaluate(fold(program), before)
    ports, ones, joint, suspect = literally(program, before)
    np.testing.assert_array_equal(found["ports"], ports)
    np.testing.assert_array_equal(np.bitwise_count(found["erased"]), ones)
    first, second = found["tallied"][:, 0], found["tallied"][:, 1]
    for k, words in enumerate((first & second, first, second)):
        np.testing.assert_array_equal(np.bitwise_count(words), joint[:, :, k])
    broken = sum(bit * (found[name] != 0).any(axis=0) for bit, name in ((1, "free"), (2, "role")))
    np.testing.assert_array_equal(broken, suspect)


def zero_ports(definition: Definition) -> np.ndarray:
    """Ports that are 0 by promise: bool [ports]."""
    return np.repeat([p.zero_in for p in definition.ports], [p.width for p in definition.ports])


def some_words(definition: Definition, random: np.random.Generator, words: int = 24) -> Words:
    """Random words of the ports; half of them keep the promise of 0, some are sparse."""
    ports = definition.port_wires
    state = random.integers(0, 1 << 64, (ports, words), dtype=np.uint64)
    state[:, ::3] &= random.integers(0, 1 << 64, state[:, ::3].shape, dtype=np.uint64)
    state[zero_ports(definition), ::2] = 0
    return state


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_blocks_fold(block) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(0)
    for width in (block.least_width, 3, 8, 13):
        if block.least_width <= width <= block.most_width:
            definition = block.build(width)
            for inverse in (False, True):
                assert_folds(program_of(definition, inverse), some_words(definition, random))
