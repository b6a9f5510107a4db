"""Does a wrong gate show? Every single-gate mutant, forgotten uncomputation, smuggled erasure."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from revsim.circuit.builder import Builder
from revsim.circuit.definition import (
    Call,
    Circuit,
    CircuitItem,
    Controls,
    Definition,
    Gates,
    Layer,
    Table,
)
from revsim.circuit.gates import CSWAP, CX, ERASE, OP, ROLE, TALLY, C, Role
from revsim.circuit.program import flatten
from revsim.circuit.registers import Encoding
from revsim.circuit.validate import linear_layers
from revsim.errors import CheckError, InputError
from revsim.formats.qasm3 import load
from revsim.lower.layer import LoweredLayer, lower
from revsim.network.bundled import bundled, bundled_data
from revsim.network.network import Network
from revsim.network.operators import Clamp, Dense, Relu, Requantise
from revsim.proof.directed import bits_of_rows, directed_rows
from revsim.proof.mutants import Mutant, mutants_of
from revsim.proof.mutate import (
    MutationReport,
    mutate_circuit,
    mutate_definition,
    mutation_report,
)
from revsim.proof.subject import Subject, subject_of_circuit, subject_of_definition
from revsim.schedule.policy import compile_network
from revsim.simulator import plain
from revsim.simulator.counters import Counters
from revsim.simulator.ensemble import Ensemble, data_set, uniform
from revsim.simulator.lanes import planes_of
from revsim.simulator.run import simulate
from revsim.simulator.tally import Spectrum, Tally

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


def gates_only(table: Table) -> Table:
    return table[(table[:, OP] != ERASE) & (table[:, OP] != TALLY)]


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
    states. A relu Fredkin on a bit above the largest positive value may as well be a swap: that
    bit is 0 whenever the sign is. A comparison with a constant may use one control where another
    is implied by it, or hold a gate for a carry that this neuron's weights never send. Each equal
    mutant is a gate that a later pass could make smaller; none is a gate that nobody checks.
    """
    report = mutate_definition(small_layer(rounding).copies[neuron])
    show(report.text())
    assert report.exhaustive
    assert report.rows == 1 << 12
    assert not report.survivors
    assert report.noticed > 0.98 * report.mutants


def digits_bits(rows: np.ndarray, neuron: int) -> np.ndarray:  # type: ignore[type-arg]
    layer = lower(bundled("digits"))[0]
    return bits_of_rows(rows, layer.inputs, layer.sums[neuron].wires)


def test_directed_rows_catch_what_the_data_leave_open(show: Show) -> None:
    """All mutants of a neuron with 64 inputs of 5 bits: 2^320 inputs, so nothing is exhaustive.

    The data leave about 2 % open, since some pixels are 0 in every image and a bit that never
    moves cannot show its gates. Directed rows move every bit and reach both ends of the sum. What
    they leave is a relu Fredkin that could be a swap (see the small neuron above): a handful of
    gates in thousands, hence the bound of 0.1 %.
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


def replaced(table: Table, mutant: Mutant) -> Table:
    rows = np.array(mutant.rows, dtype=np.int32).reshape(-1, table.shape[1])
    return np.concatenate([table[: mutant.row], rows, table[mutant.row + 1 :]])


def noticed_by_plain_rows(
    definition: Definition, subject: Subject, table: Table, lists: tuple[Controls, ...]
) -> bool:
    """Whether a gate table differs from a definition in the readable executor."""
    flat = Definition(
        "mutant",
        definition.ports,
        flatten(definition).wires - definition.port_wires,
        (Gates(table, lists),),
    )
    ports = np.arange(definition.port_wires, dtype=np.int32)
    found = []
    for one in (definition, flat):
        planes = planes_of(None, subject.rows, subject.start.shape[1])
        state, counters = subject.start[ports].copy(), Counters(planes)
        plain.run(one, state, ports, counters)
        found.append((state & planes[0], counters.violations))
    assert not found[0][1]
    return bool(found[1][1]) or bool((found[0][0] != found[1][0]).any())


def judged_definitions() -> Iterator[tuple[Definition, int]]:
    for path in CIRCUITS:
        for definition in load(path).definitions():
            yield definition, 1
    yield small_layer().copies[0], 23


def test_fast_and_readable_executor_agree_on_every_verdict() -> None:
    compared = 0
    for definition, stride in judged_definitions():
        subject = subject_of_definition(definition)
        mutants, lists = mutants_of(subject.table, subject.controls)
        gates = len(flatten(definition).table)  # the FREE rows behind them are not part of a body
        unnoticed = {(f.row, f.description) for f in mutation_report(subject).equal}
        rows_unnoticed = {row for row, _ in unnoticed}
        for mutant in mutants[::stride]:
            table = replaced(subject.table[:gates], mutant)
            table = np.concatenate([table[: len(table)]])
            if mutant.row not in rows_unnoticed:
                assert noticed_by_plain_rows(definition, subject, table, lists), mutant
                compared += 1
        slow = [
            m
            for m in mutants
            if m.row in rows_unnoticed
            and not noticed_by_plain_rows(
                definition, subject, replaced(subject.table[:gates], m), lists
            )
        ]
        assert len(slow) == len(unnoticed), definition.name
    assert compared > 500
