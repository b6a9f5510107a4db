"""The paper's own device in gates: one-bit neuron states, reset one by one, compared exactly."""

from dataclasses import replace

import numpy as np
import pytest

import revsim as rs
from revsim.circuit.definition import Call, Circuit, Erase
from revsim.circuit.registers import Encoding
from revsim.ledger.reference import joint_entropy
from revsim.lower.state import state_definition
from revsim.report.report import Report
from revsim.simulator.apply import apply, reversible_both_ways

SIGNED = Encoding.twos_complement
ENCODINGS = [
    Encoding(3, ()),
    Encoding(0, ()),
    Encoding(0, (1,)),
    Encoding(-1, (2,)),
    Encoding(0, (1, 2, 4, 8)),
    Encoding(-5, (1, 2, 4, 8)),
    Encoding(4, (1, 2)),
    Encoding(-8, (2, 4, 8)),
    *(SIGNED(width) for width in range(1, 6)),
    Encoding(6, SIGNED(4).weights),
    Encoding(-7, (4, 8, -16)),
]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_a_state_is_whether_the_value_is_above_zero(encoding: Encoding) -> None:
    definition = state_definition(encoding)
    raw = np.arange(1 << encoding.width, dtype=np.uint64)
    found = apply(definition, {"value": raw, "state": np.zeros_like(raw)})
    np.testing.assert_array_equal(found["value"], raw)
    np.testing.assert_array_equal(found["state"], encoding.decode(raw) > 0)
    assert reversible_both_ways(definition)


def device_of(name: str, choice: str) -> Report:
    net = rs.load(name)
    ensemble = rs.uniform(net.input_low, net.input_high)
    return rs.verify(net, ensemble, policy="neuron_reset", input=choice)


@pytest.mark.parametrize("choice", ["destroy", "keep", "return"])
@pytest.mark.parametrize("name", ["xor", "toy", "digits20"])
def test_the_device_erases_what_the_theorem_says_of_its_neurons(name: str, choice: str) -> None:
    report = device_of(name, choice)
    assert report.holds
    (run,) = report.runs
    erased, counted = run.causes()["neuron_state"], report.activity
    assert erased.reset_count == counted.neuron_states
    assert erased.per_bit == pytest.approx(counted.neuron_entropy, abs=1e-12)
    assert erased.per_register == erased.per_bit  # registers of one bit
    assert erased.ones_flipped == pytest.approx(counted.active_neurons, abs=1e-12)
    by_id = {i.id: i for i in run.identities}
    assert by_id["neuron_states"].holds and by_id["neuron_states"].residual < 1e-12
    if choice != "destroy":  # nothing else is erased, and what is kept tells the states
        assert run.total == erased
        assert erased.given_kept == 0


def test_the_input_is_erased_first_as_the_policy_says() -> None:
    """So the input may look at states and output, and the states at the output alone."""
    net = rs.load("toy")
    x = rs.uniform(net.input_low, net.input_high).rows
    layers = rs.run_reference(net, x)
    states = np.hstack(
        [v.y[:, s.neuron_columns] > 0 for s, v in zip(net.layers, layers, strict=True)]
    )
    kept = joint_entropy(np.hstack([states, layers[-1].y]))
    causes = device_of("toy", "destroy").runs[0].causes()
    assert causes["layer_input"].given_kept == pytest.approx(joint_entropy(x) - kept)
    assert causes["neuron_state"].given_kept == pytest.approx(kept - joint_entropy(layers[-1].y))


def test_comparison_with_the_readings_is_exact_and_like_with_like() -> None:
    """On all 2^20 inputs the device's per_bit against both readings is the neurons' own margin."""
    report = device_of("digits20", "keep")
    assert not report.ensemble["ceiling"]
    margins = {(c.quantity, c.reading): c for c in report.runs[0].comparison}
    for reading in ("active neurons", "changed neurons"):
        ours, theirs = (margins[q, reading] for q in ("neuron_state.per_bit", "neuron_entropy"))
        assert ours.margin == pytest.approx(theirs.margin, abs=1e-12)
        assert ours.holds == theirs.holds and ours.note == theirs.note
    assert margins["neuron_state.per_bit", "active neurons"].holds is False
    assert "9 of 12 neurons have p > p*" in margins["neuron_state.per_bit", "active neurons"].note
    assert (
        margins["neuron_state.per_bit", "changed neurons"].margin > report.activity.changed_neurons
    )
    assert "states of the device" in str(report)


def test_each_state_has_a_register_of_its_own_and_a_reset_of_its_own() -> None:
    circuit = rs.compile(rs.load("digits"), "neuron_reset", "keep")
    resets = [item for item in circuit.body if isinstance(item, Erase)]
    assert len(resets) == 32
    assert all(len(item.register.wires) == 1 for item in resets)
    assert len({int(item.register.wires[0]) for item in resets}) == 32


def test_the_neuron_states_identity_does_not_apply_elsewhere() -> None:
    for policy in ("uncompute", "activation_reset"):
        (run,) = rs.verify("toy", policy=policy).runs
        assert {i.id: i.holds for i in run.identities}["neuron_states"] is None


def test_a_device_that_resets_another_bit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drop the gates that write one state: the reset then finds 0 and the identity fails."""

    def broken(*arguments: str) -> Circuit:
        circuit = compile_network(*arguments)
        first = next(
            k
            for k, item in enumerate(circuit.body)
            if isinstance(item, Call) and item.definition.name.startswith("state of")
        )
        body = (*circuit.body[:first], *circuit.body[first + 1 :])
        layers = (*circuit.layer_of[:first], *circuit.layer_of[first + 1 :])
        return replace(circuit, body=body, layer_of=layers)

    from revsim.schedule.policy import compile_network

    monkeypatch.setattr("revsim.pipeline.compile_network", broken)
    report = rs.verify("toy", policy="neuron_reset")
    failed = {i.id for i in report.runs[0].identities if i.holds is False}
    assert failed == {"neuron_states"}
    assert {c.id for c in report.runs[0].circuit_checks if c.holds is False} == {"outputs"}
