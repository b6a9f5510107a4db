"""What a compiled circuit leaves behind, where it books its losses, and what it accepts."""

from dataclasses import replace

import numpy as np
import pytest

from revsim.circuit.definition import Circuit, Erase, Free
from revsim.circuit.gates import OP
from revsim.errors import CheckError, InputError
from revsim.network.arrays import from_arrays
from revsim.pipeline import load, verify
from revsim.schedule.policy import compile_network
from revsim.simulator.ensemble import data_set, uniform
from revsim.simulator.run import simulate

INPUTS = uniform([0, 0], [3, 3])


def toy(policy: str, choice: str) -> Circuit:
    return compile_network(load("toy"), policy, choice)


def without(circuit: Circuit, keep: list[bool]) -> Circuit:
    body = tuple(item for item, kept in zip(circuit.body, keep, strict=True) if kept)
    layers = tuple(name for name, kept in zip(circuit.layer_of, keep, strict=True) if kept)
    return replace(circuit, body=body, layer_of=layers)


def test_a_bennett_circuit_without_its_backward_pass_is_noticed() -> None:
    circuit = toy("bennett", "keep")
    names = [getattr(item, "definition", circuit).name for item in circuit.body]
    copied = max(k for k, name in enumerate(names) if "copy" in name)
    cut = without(circuit, [k <= copied for k in range(len(circuit.body))])
    with pytest.raises(CheckError, match="at the end"):
        simulate(cut, INPUTS)


@pytest.mark.parametrize("policy", ["activation_reset", "uncompute", "bennett"])
def test_an_input_left_on_the_device_is_noticed(policy: str) -> None:
    circuit = toy(policy, "destroy")
    destroyed = [
        isinstance(item, Erase | Free) and "layer1.layer_input" in item.register.name
        for item in circuit.body
    ]
    with pytest.raises(CheckError):
        simulate(without(circuit, [not d for d in destroyed]), INPUTS)


def test_an_erasure_booked_on_another_layer_breaks_the_layer_sum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def misbooked(*arguments: str) -> Circuit:
        circuit = compile_network(*arguments)
        body = tuple(
            replace(item, layer="layer1") if isinstance(item, Erase) else item
            for item in circuit.body
        )
        return replace(circuit, body=body)

    monkeypatch.setattr("revsim.pipeline.compile_network", misbooked)
    run = verify("toy", policy="activation_reset").runs[0]
    assert {i.id for i in run.identities if i.holds is False} == {"layer_sum"}


def test_a_gate_dropped_from_a_linear_definition_fails_the_inverse_check() -> None:
    from revsim.simulator.apply import reversible_both_ways

    definition = toy("activation_reset", "destroy").layers[0].linear[0]
    gates = definition.body[0]
    assert reversible_both_ways(definition)
    last = int(np.flatnonzero(gates.table[:, OP] == 2)[-1])  # a Toffoli that uncomputes a carry
    short = replace(gates, table=np.delete(gates.table, last, axis=0))
    assert not reversible_both_ways(replace(definition, body=(short,)))


def test_rows_outside_the_declared_range_are_refused_by_simulate_too() -> None:
    circuit = compile_network(from_arrays([[[3, 3]]], input_range=(0, 4), output="none"))
    with pytest.raises(InputError, match=r"it takes 0\.\.4"):
        simulate(circuit, data_set([[7, 7]]))


def test_fractions_are_no_rows() -> None:
    with pytest.raises(InputError, match="fractions"):
        data_set([[0.5, 1.0]])
