"""Does a wrong gate show? Every single-gate mutant, forgotten uncomputation, smuggled erasure."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from differential import counted

from revsim.circuit.builder import Builder
from revsim.circuit.definition import (
    Call,
    Circuit,
    CircuitItem,
    Definition,
    Erase,
    Gates,
    Layer,
    Mark,
    Table,
)
from revsim.circuit.gates import ERASE, EXTRA, OP, ROLE, C, Role
from revsim.circuit.program import flatten
from revsim.circuit.validate import linear_layers
from revsim.errors import CheckError, InputError
from revsim.formats.qasm3 import load
from revsim.lower.layer import LoweredLayer, lower
from revsim.network.bundled import bundled, bundled_data
from revsim.network.network import Network
from revsim.network.operators import Clamp, Dense, Integers, Relu, Requantise
from revsim.proof.directed import bits_of_rows, directed_rows
from revsim.proof.mutants import Mutant, mutant_text, mutants_of
from revsim.proof.mutate import (
    mutate_circuit,
    mutate_definition,
    mutation_report,
)
from revsim.proof.subject import Bits, Subject, subject_of_circuit, subject_of_definition
from revsim.schedule.policy import compile_network
from revsim.simulator import plain
from revsim.simulator.counters import Counters, Violation
from revsim.simulator.ensemble import Ensemble, Rows, data_set, uniform
from revsim.simulator.executors import EXECUTORS
from revsim.simulator.lanes import planes_of
from revsim.simulator.run import simulate
from revsim.simulator.tally import Tally

CIRCUITS = sorted((Path(__file__).resolve().parents[1] / "circuits").glob("*.qasm"))
EXHAUSTIVE_BITS = 16

Show = Callable[[str], None]


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    """Print past pytest's capture: the counts are a result, not a by-product."""

    def printed(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end="")

    return printed


# --- every circuit of the folder ------------------------------------------------------------------


@pytest.mark.parametrize("path", CIRCUITS, ids=lambda path: path.stem)
def test_no_wrong_gate_of_a_circuit_goes_unnoticed(path: Path, show: Show) -> None:
    circuit = load(path)
    if sum(len(r.wires) for r in circuit.inputs) > EXHAUSTIVE_BITS:
        pytest.skip("too many input bits to try all inputs")
    report = mutate_circuit(circuit)
    show(report.text())
    assert report.exhaustive
    assert report.noticed > 0
    assert not report.survivors
    assert report.mutants == report.noticed + len(report.equal)


def test_circuits_of_the_folder_were_found() -> None:
    assert len(CIRCUITS) >= 5


# --- neurons --------------------------------------------------------------------------------------


def small_layer(rounding: str = "half_up") -> LoweredLayer:
    """Two neurons with four 3-bit inputs and 5-bit weights, relu, shift by 2, clamp to 0..12."""
    weights = np.array([[13, -7, -16, 5], [15, -9, 6, -11]])
    network = Network(
        "small",
        np.full(4, -3),
        np.full(4, 4),
        (
            Dense(weights, np.array([-3, 40])),
            Relu(),
            Requantise(np.array([2, 2]), rounding),
            Clamp(0, 12),
        ),
    )
    return lower(network)[0]


@pytest.mark.parametrize("rounding", ["half_up", "half_even"])
@pytest.mark.parametrize("neuron", [0, 1])
def test_no_wrong_gate_of_a_compiled_neuron_goes_unnoticed(
    neuron: int, rounding: str, show: Show
) -> None:
    """All 2^12 inputs, so that what is not noticed is equal.

    Equal mutants exist because the compiler works with ranges and not with the set of reachable
    states. The clamp tests bits that are never 1 together for these weights, so that one Toffoli
    could go. With other weights it is a relu Fredkin on a bit above the largest positive value: it
    may as well be a swap, since that bit is 0 whenever the sign is. An equal mutant is a gate that
    a later pass could make smaller, not a gate that nobody checks.
    """
    report = mutate_definition(small_layer(rounding).copies[neuron])
    show(report.text())
    assert report.exhaustive
    assert report.rows == 1 << 12
    assert not report.survivors
    assert report.noticed > 0.98 * report.mutants


def digits_bits(rows: Integers, neuron: int) -> Bits:
    layer = lower(bundled("digits"))[0]
    return bits_of_rows(rows, layer.inputs, layer.sums[neuron].wires)


def test_directed_rows_catch_what_the_data_leave_open(show: Show) -> None:
    """All mutants of a neuron with 64 inputs of 5 bits: 2^320 inputs, so nothing is exhaustive.

    The data leave a few in a hundred open: some pixels are 0 in every image, and a bit that never
    moves cannot show its gates. Directed rows move every bit and reach both ends of the sum. This
    neuron is one that hardly ever fires; what is left are relu Fredkins whose bit happens to be 0
    on all of its few active rows. Hence a bound of 0.1 %.
    """
    network = bundled("digits")
    neuron = 26
    definition = lower(network)[0].copies[neuron]
    data = bundled_data("digits")
    assert data is not None
    from_data = mutate_definition(definition, digits_bits(data[0], neuron))
    directed = mutate_definition(definition, digits_bits(directed_rows(network), neuron))
    for name, report in (("data", from_data), ("directed rows", directed)):
        share = len(report.survivors) / report.mutants
        show(f"{name}, {report.rows} rows: {report.line()} ({share:.4%})")
    for finding in directed.survivors:
        show(f"  survives: row {finding.row}, {finding.description}")
    assert not directed.exhaustive
    assert directed.mutants > 20_000
    assert len(directed.survivors) < 0.001 * directed.mutants
    assert len(directed.survivors) < len(from_data.survivors) < 0.05 * from_data.mutants


def test_directed_rows_stay_in_range_and_reach_both_ends() -> None:
    network = bundled("digits")
    rows = directed_rows(network, random=100, seed=3)
    layer = network.layers[0]
    assert layer.linear is not None
    z = layer.linear.apply(rows)
    assert (rows >= network.input_low).all()
    assert (rows <= network.input_high).all()
    np.testing.assert_array_equal(z.min(axis=0), layer.z_low)
    np.testing.assert_array_equal(z.max(axis=0), layer.z_high)
    assert len(np.unique(rows, axis=0)) == len(rows)
    np.testing.assert_array_equal(rows, directed_rows(network, random=100, seed=3))


def test_directed_rows_without_a_linear_part() -> None:
    network = Network("relu", np.array([-2, -2]), np.array([3, 5]), (Relu(),))
    assert directed_rows(network, random=0).tolist() == [[-2, -2], [3, 5], [3, -2], [-2, 5]]


# --- the judge is judged --------------------------------------------------------------------------


def with_mutant(table: Table, mutant: Mutant) -> Table:
    rows = np.array(mutant.rows, dtype=np.int32).reshape(-1, table.shape[1])
    return np.concatenate([table[: mutant.row], rows, table[mutant.row + 1 :]])


def differs_in_plain_rows(definition: Definition, subject: Subject, body: Gates) -> bool:
    """Whether a flat body differs from its definition in the readable executor."""
    inner = flatten(definition).wires - definition.port_wires
    flat = Definition("mutant", definition.ports, inner, (body,))
    ports = np.arange(definition.port_wires, dtype=np.int32)
    planes = planes_of(None, subject.rows, subject.start.shape[1])
    found = []
    for one in (definition, flat):
        state, counters = subject.start[ports].copy(), Counters(planes)
        plain.run(one, state, ports, counters)
        found.append((state & planes[0], bool(counters.violations)))
    assert not found[0][1]
    return found[1][1] or bool((found[0][0] != found[1][0]).any())


def definitions_to_judge() -> Iterator[tuple[Definition, int]]:
    for path in CIRCUITS:
        for definition in load(path).definitions():
            yield definition, 1
    yield small_layer().copies[0], 23


def test_the_readable_executor_confirms_every_verdict() -> None:
    compared = 0
    for definition, stride in definitions_to_judge():
        subject = subject_of_definition(definition)
        mutants, lists = mutants_of(subject.table, subject.controls)
        equal = {(f.row, f.description) for f in mutation_report(subject).equal}
        body = subject.table[: len(flatten(definition).table)]  # FREE rows are no part of a body
        for number, mutant in enumerate(mutants):
            key = mutant.row, mutant_text(mutant, subject.table, lists, subject.names)
            if number % stride and key not in equal:
                continue
            gates = Gates(with_mutant(body, mutant), lists)
            found = differs_in_plain_rows(definition, subject, gates)
            assert found == (key not in equal), f"{definition.name}: {key}"
            compared += 1
    assert compared > 400


@pytest.mark.parametrize("name", ["half_adder_erasing", "majority", "relu8"])
def test_the_simulator_confirms_every_verdict_where_something_is_erased(name: str) -> None:
    """Gates of the circuit itself, mutated in its body and simulated with all counts compared."""
    circuit = load(next(p for p in CIRCUITS if p.stem == name))
    inputs = circuit.inputs
    every = uniform([r.encoding.low for r in inputs], [r.encoding.high for r in inputs])
    expected = simulate(circuit, every, threads=1)
    subject = subject_of_circuit(circuit)
    equal = {(f.row, f.description) for f in mutation_report(subject).equal}
    first = circuit.body[0]
    assert isinstance(first, Gates)
    for mutant in mutants_of(first.table, first.controls)[0]:
        gates = Gates(with_mutant(first.table, mutant), first.controls)
        changed = replace(circuit, body=(gates, *circuit.body[1:]))
        run = simulate(changed, every, threads=1, strict=False)
        same = (run.outputs == expected.outputs).all() and not run.tally.violations
        same = same and counted(run.tally) == counted(expected.tally)
        key = mutant.row, mutant_text(mutant, subject.table, subject.controls, subject.names)
        assert same == (key in equal), key


def test_a_reset_that_is_left_out_shows_in_the_tally() -> None:
    """The seven bits that relu swaps out: every output is right without resetting them."""
    report = mutate_circuit(load(next(p for p in CIRCUITS if p.stem == "relu8")))
    assert dict(report.noticed_by)["tally"] == 7


def test_a_broken_original_is_refused() -> None:
    b = Builder("dirty")
    x, t = b.port("x", 1), b.local("t", 1)
    b.cx(x, t)
    with pytest.raises(CheckError, match="dirty: the circuit without any mutation releases"):
        mutate_definition(b.build())


def test_too_many_inputs_to_try_all_of_them() -> None:
    b = Builder("wide")
    x, t = b.port("x", 40), b.port("t", 1, zero=True)
    b.cx(x[:1], t)
    with pytest.raises(InputError, match="40 input bits"):
        mutate_definition(b.build())
    few = mutate_definition(b.build(), np.zeros((3, 40), dtype=np.bool_))
    assert few.line() == "wide: 5 mutants, 2 noticed, 0 equal, 3 survive"
    assert few.survivors[0].description == "cx x[0], t[0] becomes nothing"
    with pytest.raises(InputError, match=r"shape \[rows, 40\]"):
        mutate_definition(b.build(), np.zeros((3, 41), dtype=np.bool_))


# --- an erasure where none may be -----------------------------------------------------------------


def toy(policy: str = "activation_reset", input: str = "destroy") -> Circuit:
    return compile_network(bundled("toy"), policy, input)


def toy_inputs() -> Ensemble:
    network = bundled("toy")
    return uniform(network.input_low, network.input_high)


def erasure(wire: int) -> Gates:
    table = np.full((1, 6), -1, dtype=np.int32)
    table[0, [OP, C, ROLE, EXTRA]] = ERASE, wire, Role.IN_PLACE, 0
    return Gates(table)


def exchanged(circuit: Circuit, old: Definition, new: Definition) -> Circuit:
    """The circuit with one definition in place of another, in its calls and in its layers."""
    body: tuple[CircuitItem, ...] = tuple(
        replace(item, definition=new) if isinstance(item, Call) and item.definition is old else item
        for item in circuit.body
    )
    layers: tuple[Layer, ...] = tuple(
        replace(layer, linear=tuple(new if d is old else d for d in layer.linear))
        for layer in circuit.layers
    )
    return replace(circuit, body=body, layers=layers)


def unexplained(tally: Tally) -> float:
    """Lost entropy that no group of erasures accounts for."""
    explained = sum(g.before.entropy - g.after.entropy for g in tally.groups)
    return tally.initial.entropy - tally.final.entropy - explained


@pytest.mark.parametrize("policy", ["activation_reset", "uncompute"])
def test_an_erasure_inside_a_linear_definition_is_found(policy: str) -> None:
    circuit = toy(policy)
    assert linear_layers(circuit) == ()
    old = circuit.layers[0].linear[1]
    inside = (*old.body, erasure(old.port_wires - 1))
    new = replace(old, body=inside, causes=("smuggled",))
    bad = exchanged(circuit, old, new)
    assert linear_layers(bad) == (f"layer1: {old.name}",)
    tally = simulate(bad, toy_inputs(), threads=1, strict=False).tally
    assert [(i.layer, i.cause, i.definition) for i in tally.inner] == [
        ("layer1", "smuggled", old.name)
    ]


def test_an_erasure_inside_a_definition_that_is_undone_is_refused() -> None:
    circuit = toy("bennett", "keep")
    old = circuit.layers[0].linear[0]
    new = replace(old, body=(*old.body, erasure(0)), causes=("smuggled",))
    with pytest.raises(InputError, match="called backward but erases"):
        simulate(exchanged(circuit, old, new), toy_inputs(), threads=1)


@pytest.mark.parametrize(("cause", "number"), [("layer_input", -1), ("activation", 0)])
def test_an_erasure_among_the_gates_breaks_the_telescoping_sum(
    cause: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind or inside a group. The validator refuses it; were it blind, the readings around the
    groups would still see that something was lost between them.

    The bit is one of x1 + x2 - 3 that nothing else on the device tells by then: erasing a bit that
    other wires still determine would lose nothing, and then there is no loss to find.
    """
    circuit = toy()
    assert abs(unexplained(simulate(circuit, toy_inputs(), threads=1).tally)) < 1e-9
    group = [
        k
        for k, item in enumerate(circuit.body)
        if isinstance(item, Erase) and item.group == ("layer1", cause)
    ]
    assert len(group) > 1
    place = group[number] + 1
    marked = next(item for item in circuit.body if isinstance(item, Mark))
    assert marked.name == "layer1.z"
    smuggled = erasure(int(marked.registers[2].wires[1]))
    bad = replace(
        circuit,
        body=(*circuit.body[:place], smuggled, *circuit.body[place:]),
        layer_of=(*circuit.layer_of[:place], "layer1", *circuit.layer_of[place:]),
    )
    with pytest.raises(InputError, match="ERASE among its gates"):
        simulate(bad, toy_inputs())
    monkeypatch.setattr("revsim.simulator.run.validate", lambda circuit: circuit)
    assert unexplained(simulate(bad, toy_inputs(), threads=1, strict=False).tally) > 0.1


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_forgotten_uncomputation_names_definition_layer_wire_and_row(executor: str) -> None:
    circuit = toy("uncompute")
    old = circuit.layers[0].linear[1]
    gates = old.body[0]
    assert isinstance(gates, Gates)
    last = int(np.flatnonzero(gates.table[:, ROLE] == Role.UNCOMPUTE)[0])
    wire = old.name_of(int(gates.table[last, C]))
    body = (Gates(np.delete(gates.table, last, axis=0), gates.controls), *old.body[1:])
    bad = exchanged(circuit, old, replace(old, body=body))
    rows = toy_inputs().rows

    def violations(some: Rows) -> list[Violation]:
        run = simulate(bad, data_set(some), threads=1, strict=False, executor=executor)
        return list(run.tally.violations)

    found = violations(rows)[0]
    assert (found.check, found.layer, found.definition) == ("ancillas", "layer1", old.name)
    assert found.wire == wire
    assert violations(rows[found.row : found.row + 1])
    assert found.row == 0 or not violations(rows[: found.row])
    with pytest.raises(CheckError) as error:
        simulate(bad, toy_inputs(), threads=1, executor=executor)
    for word in ("layer1", old.name, wire, f"row {found.row}"):
        assert word in str(error.value)


# --- counts do not depend on the order of the data ------------------------------------------------


@pytest.mark.parametrize("policy", ["conventional", "activation_reset", "uncompute", "bennett"])
def test_shuffled_data_give_the_same_counts(policy: str) -> None:
    stream = np.random.default_rng(7)
    rows = stream.integers(0, 4, size=(300, 2)) & stream.integers(0, 4, size=(300, 2))
    weights = stream.integers(0, 5, size=300)
    order = stream.permutation(300)
    circuit = toy(policy)
    first = simulate(circuit, data_set(rows, weights), threads=1)
    second = simulate(circuit, data_set(rows[order], weights[order]), threads=1)
    assert counted(first.tally) == counted(second.tally)
    np.testing.assert_array_equal(first.outputs[order], second.outputs)
