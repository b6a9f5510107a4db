"""Erasures that fail: exact at the ends, as often as asked, the same in both executors."""

import math

import numpy as np
import pytest

import revsim as rs
from revsim.circuit.definition import Circuit
from revsim.errors import InputError
from revsim.formats.qasm3 import loads
from revsim.pipeline import default_ensemble, load
from revsim.schedule.policy import POLICIES, compile_network
from revsim.simulator.faults import EraseFaults, FaultStream
from revsim.simulator.run import Run, simulate

TWO_BITS = loads("""
OPENQASM 3.0;
@revsim.input
@revsim.output
qubit[2] pair;
@revsim.erase cause="test"
reset pair;
""")


def run(circuit: Circuit, faults: EraseFaults | None, executor: str | None = None) -> Run:
    network = load("toy")
    return simulate(circuit, default_ensemble(network)[0], faults=faults, executor=executor)


def test_an_erasure_fails_as_often_as_asked_whatever_it_held() -> None:
    rows = np.arange(1 << 16).reshape(-1, 1) % 4
    left = simulate(TWO_BITS, rs.data_set(rows), faults=EraseFaults(0.2, seed=1)).outputs[:, 0]
    bits = np.stack([left & 1, left >> 1])
    spread = math.sqrt(0.2 * 0.8 / len(rows))
    assert (abs(bits.mean(axis=1) - 0.2) < 4 * spread).all()
    assert abs((bits[0] & bits[1]).mean() - 0.04) < 4 * math.sqrt(0.04 / len(rows))
    for value in range(4):  # independent of what the bits were
        chosen = bits[:, rows[:, 0] == value]
        assert (abs(chosen.mean(axis=1) - 0.2) < 8 * spread).all()


@pytest.mark.parametrize("policy", list(POLICIES))
def test_a_probability_of_0_changes_nothing(policy: str) -> None:
    circuit = compile_network(load("toy"), policy)
    clean, faulty = run(circuit, None), run(circuit, EraseFaults(0.0))
    assert (clean.outputs == faulty.outputs).all()
    assert not faulty.tally.violations
    for a, b in zip(clean.tally.erasures, faulty.tally.erasures, strict=True):
        assert (a.ones == b.ones).all()


def test_a_probability_of_1_leaves_ones() -> None:
    rows = np.array([[0], [1], [0], [0]])
    failed = simulate(TWO_BITS, rs.data_set(rows), faults=EraseFaults(1.0))
    assert failed.outputs[:, 0].tolist() == [3, 3, 3, 3]
    assert failed.tally.erasures[0].ones.tolist() == [1, 0]  # what it saw, not what it left


@pytest.mark.parametrize("policy", list(POLICIES))
def test_both_executors_fail_alike_and_by_the_seed(policy: str) -> None:
    circuit = compile_network(load("toy"), policy)
    faults = EraseFaults(0.1, seed=5)
    fast, plain = run(circuit, faults, "literal"), run(circuit, faults, "numpy")
    assert (fast.outputs == plain.outputs).all()
    for a, b in zip(fast.tally.erasures, plain.tally.erasures, strict=True):
        assert (a.ones == b.ones).all()
    for c, d in zip(fast.tally.inner, plain.tally.inner, strict=True):
        assert (c.ones == d.ones).all()
    if policy == "conventional":  # where the next gates read what an erasure left
        assert (run(circuit, EraseFaults(0.1, seed=6)).outputs != fast.outputs).any()


def test_bennett_with_its_input_kept_has_nothing_that_could_fail() -> None:
    circuit = compile_network(load("toy"), "bennett", "keep")
    assert (run(circuit, EraseFaults(1.0)).outputs == run(circuit, None).outputs).all()


def test_padding_lanes_stay_0() -> None:
    left = FaultStream(EraseFaults(1.0), rows=70).next(3, 8)
    assert [[int(w).bit_count() for w in wire] for wire in left] == [[64, 6, *[0] * 6]] * 3


@pytest.mark.parametrize("probability", [1e-4, 0.01, 0.3, 0.9, 1e-300])
def test_failures_do_not_depend_on_how_many_wires_are_asked_for_at_once(probability: float) -> None:
    faults = EraseFaults(probability, seed=2)
    together = FaultStream(faults, rows=1000).next(300, 16)
    stream = FaultStream(faults, rows=1000)
    apart = np.concatenate([stream.next(count, 16) for count in (1, 2, 0, 97, 200)])
    assert (together == apart).all()
    failures = int(np.bitwise_count(together).sum())
    spread = math.sqrt(300_000 * probability * (1 - probability))
    assert abs(failures - 300_000 * probability) <= 4 * spread


def test_what_cannot_be_is_refused() -> None:
    for probability in (-0.1, 1.1, math.nan):
        with pytest.raises(InputError, match="probability"):
            EraseFaults(probability)
    with pytest.raises(InputError, match="seed"):
        EraseFaults(0.1, seed=-1)
    with pytest.raises(InputError, match="switching"):
        simulate(TWO_BITS, rs.data_set([[0]]), switching=True, faults=EraseFaults(0.1))
