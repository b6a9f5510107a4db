"""`verify` for graphs: circuits of tensors held against the integer reference, as for chains.

The same report: layers are the nodes that compute (wirings have no row), neurons the values of
nodes with an activation function. What a DAG changes is said where an identity does not apply.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.assembly import assemble
from revsim.circuit.banks import TensorCircuit
from revsim.circuit.survey import counts_by_layer, facts_of, recipes_of, tensor_width
from revsim.errors import InputError
from revsim.evidence import (
    INVERSE_STATES,
    bank_erasures,
    circuit_check,
    data_digest,
    shares_right,
)
from revsim.graphs.known import GraphKnown, Values, known_of_graph
from revsim.graphs.rows import ends_of, flat_rows, samples_of
from revsim.ledger import identities
from revsim.ledger.comparison import compare
from revsim.ledger.identities import Identity
from revsim.ledger.ledgers import DEVICES, LedgerRow, ledger_rows, total_of
from revsim.ledger.pointwise import POINTWISE_ROWS, pointwise_spread
from revsim.ledger.states import neuron_states
from revsim.network.arrays import integers as whole_rows
from revsim.network.graph import Graph, Wiring
from revsim.network.reals import dequantise
from revsim.report.report import Check, Report, RunReport, erasure_table
from revsim.schedule.graphs import compile_graph
from revsim.schedule.policy import policy_named
from revsim.simulator.apply import reversible_both_ways
from revsim.simulator.ensemble import Ensemble, data_set, inputs_in_all, uniform
from revsim.simulator.run import Run, simulate

Integers = npt.NDArray[np.int64]

ENUMERATE_BY_DEFAULT = 1 << 16
"""Most inputs of a graph that are all run where no data are given."""
INVERSE_GATES = 1 << 21
"""Gates in the definitions of one circuit that are run there and back (a few seconds)."""


def verify_graph(
    graph: Graph,
    ensemble: Ensemble | npt.ArrayLike | Mapping[str, npt.ArrayLike] | None,
    runs: Sequence[tuple[str, str]],
    *,
    labels: npt.ArrayLike | None = None,
    temperature_k: float = 300.0,
    efficiency: float | None = None,
    executor: str | None = None,
    threads: int | None = None,
    scope: str = "bit",
    device: str = "dedicated",
    provenance: Mapping[str, Any] | None = None,
) -> Report:
    """`pipeline.verify` for a graph; `runs`: policies and input choices.

    ensemble: samples in the model's shape, by name where there are several inputs, or an `Ensemble`
    whose rows are the values of all inputs side by side; of a graph with a state, consecutive
    steps. device: dedicated or shared (ledger/ledgers.py: DEVICES).
    """
    if device not in DEVICES:
        raise InputError(f"unknown device {device!r}; choose one of {', '.join(DEVICES)}")
    if ensemble is None:
        ensemble = default_samples(graph)
    elif not isinstance(ensemble, Ensemble):
        ensemble = data_set(flat_rows(graph, samples_of(graph, ensemble)))
    known = known_of_graph(graph, ensemble)
    accuracy = graph_accuracy(known, labels)
    reports: list[RunReport] = []
    erased: list[tuple[Any, ...]] = []
    for policy, choice in runs:
        report, rows = graph_run_report(
            compile_graph(graph, policy, choice), known, threads, device, executor
        )
        reports.append(report)
        erased += rows
    return assemble(
        known,
        ensemble,
        reports,
        erasure_table(erased, banks=True),
        network=describe_graph(graph, device),
        accuracy=accuracy,
        digests={"model": graph_digest(graph), "data": samples_digest(graph, ensemble)},
        provenance=provenance,
        temperature_k=temperature_k,
        efficiency=efficiency,
        scope=scope,
    )


def default_samples(graph: Graph) -> Ensemble:
    """All inputs of a small graph; otherwise an error that says what to give."""
    low, high = ends_of(graph)
    if inputs_in_all(low, high) > ENUMERATE_BY_DEFAULT or graph.state:
        raise InputError(
            f"{graph.name}: give samples (--data FILE, as .npy in the model's shape or .npz with "
            "labels) or --ensemble random:ROWS"
        )
    return uniform(low, high)


def graph_run_report(
    circuit: TensorCircuit,
    known: GraphKnown,
    threads: int | None = None,
    device: str = "dedicated",
    executor: str | None = None,
) -> tuple[RunReport, list[tuple[Any, ...]]]:
    """Run every gate of a circuit of tensors on the ensemble and hold it to all that is known.

    Returns the report of this run and its rows of the erasures table.
    """
    wrong: list[str] = []
    how = executor, threads
    run = _held_to(circuit, known.ensemble, known.values, wrong, "in row", how, pointwise=True)
    how, corners = (executor, 1), known.directed_values
    extra = _held_to(circuit, known.directed, corners, wrong, "on directed input", how)
    rows = ledger_rows(run.tally, device)
    chosen = policy_named(circuit.policy)
    keeps = circuit.input_choice != "destroy"
    loss = known.H_X - known.H_Y
    layerwise = chosen.layerwise and not keeps
    report = RunReport(
        policy=circuit.policy,
        input=circuit.input_choice,
        order=circuit.order,
        kept="output" if not keeps else "output and input",
        circuit_checks=_checks(circuit, run, extra, wrong),
        identities=(
            identities.telescoping(rows, run.tally),
            identities.ladder(rows),
            identities.circuit_end(run.tally, known.H_X if keeps else known.H_Y),
            identities.circuit_loss(None, rows),
            identities.bennett(rows, chosen.clean, keeps, loss),
            identities.floor(rows, keeps, loss),
            cut_losses(known, rows if layerwise else None),
            identities.neuron_reset(known.neurons),
            neuron_states(rows, known.neurons, {}, known.ensemble.weights),
            identities.linear_loss(known.layers),
            identities.relu_loss(known.layers),
            identities.pointwise(run.tally, known.ensemble.weights),
            identities.tuned_elsewhere(None, rows),
        ),
        comparison=compare(rows, known.activity, known.ceiling, keeps),
        rows=rows,
        gates=counts_by_layer(circuit),
        width=tensor_width(circuit),
        evaluated=run.evaluated,
        pointwise=pointwise_spread(run.tally, known.ensemble.weights),
        hardware={name: total_of(ledger_rows(run.tally, name)) for name in DEVICES},
    )
    return report, bank_erasures(circuit, run.tally, device)


def _held_to(
    circuit: TensorCircuit,
    ensemble: Ensemble,
    values: Values,
    wrong: list[str],
    where: str,
    how: tuple[str | None, int | None],
    pointwise: bool = False,
) -> Run:
    """Run a circuit in an executor, on threads (`how`); every tensor that it marks and every output
    that differs is named."""

    def on_mark(name: str, places: Integers, found: Integers) -> None:
        different = np.argwhere(values[name][:, places] != found)
        if len(different):
            row, k = (int(v) for v in different[0])
            has = values[name][row, places[k]]
            wrong.append(
                f"{name}[{places[k]}] is {found[row, k]} {where} {row}, the reference has {has}"
            )

    few = pointwise and len(ensemble.rows) <= POINTWISE_ROWS
    executor, threads = how
    run = simulate(
        circuit,
        ensemble,
        executor=executor,
        threads=threads,
        on_mark=on_mark,
        strict=False,
        pointwise=few,
    )
    expected = np.concatenate([values[bank.name] for bank in circuit.outputs], axis=1)
    different = np.argwhere(run.outputs != expected)
    if len(different):
        wrong.append(f"the output differs from the reference {where} {int(different[0][0])}")
    return run


def cut_losses(known: GraphKnown, rows: Sequence[LedgerRow] | None) -> Identity:
    """T6 on a DAG: what each node erases, given everything kept, is the fall of the entropy of all
    tensors that are read later; values taken one by one lose no less.

    `rows`, where the policy works node by node and destroys the input: given_kept of each node is
    held against exact counts, and what is erased beside the nodes (outputs that were copied)
    against the rest.
    """
    residual: float | None = None
    statement = "given_kept of a node = fall of H(all tensors read later)"
    if rows is None:
        statement += " (for policies that go node by node and destroy the input)"
    else:
        falls = [before - after for before, after in pairwise(known.cuts)]
        named = [layer.name for layer in known.layers]
        given = [total_of(r for r in rows if r.layer == name).given_kept for name in named]
        rest = total_of(r for r in rows if r.layer not in named).given_kept
        separate = [layer.H_z - layer.H_out - layer.separate_loss for layer in known.layers]
        residual = max(
            *(abs(a - b) for a, b in zip(falls, given, strict=True)),
            abs(rest - (known.cuts[-1] - known.H_Y)),
            *separate,
            0.0,
        )
    return Identity("layer_sum", "T6", statement, residual)


# --- circuit checks -----------------------------------------------------------------------------


def _checks(
    circuit: TensorCircuit, run: Run, extra: Run, wrong: Sequence[str]
) -> tuple[Check, ...]:
    broken = [*run.tally.violations, *extra.tally.violations]
    rows = f"{len(run.ensemble.rows):,} rows, {len(extra.ensemble.rows)} directed inputs"
    return (
        circuit_check("outputs", wrong, f"readable tensors equal the reference on {rows}"),
        circuit_check(
            "ancillas",
            [str(v) for v in broken if v.check == "ancillas"],
            f"all wires released at 0 on {rows}",
        ),
        *_linear_checks(circuit),
        circuit_check(
            "roles",
            [str(v) for v in broken if v.check == "roles"],
            f"computes and uncomputes as promised on {rows}",
        ),
    )


def _linear_checks(circuit: TensorCircuit) -> tuple[Check, Check]:
    """No definition of a policy without netlists erases; a sample of them is its own way back."""
    if circuit.policy == "conventional":
        why = "does not apply: netlists erase inside their layers"
        return Check("linear_layers", None, why), Check("inverse", None, why)
    recipes = recipes_of(circuit)
    erasing = [
        f"ERASE inside {layer}: {r.name}" for r, layer in recipes.items() if facts_of(r).erases
    ]
    chosen, gates = [], 0
    by_layer: dict[str, list[Any]] = {}
    for recipe, layer in recipes.items():
        by_layer.setdefault(layer, []).append(recipe)
    for turn in range(max(map(len, by_layer.values()), default=0)):
        for own in by_layer.values():
            if turn < len(own) and gates + facts_of(own[turn]).counts.gates <= INVERSE_GATES:
                gates += facts_of(own[turn]).counts.gates
                chosen.append(own[turn])
    one_way = [
        f"{r.name} is not undone by its inverse"
        for r in chosen
        if not reversible_both_ways(r.make(), keep=False)
    ]
    tried = f"{len(chosen):,} of {len(recipes):,} definitions"
    return (
        circuit_check("linear_layers", erasing, f"no ERASE in {len(recipes):,} definitions"),
        circuit_check("inverse", one_way, f"{tried} undone on {INVERSE_STATES} random states"),
    )


# --- the head of a report -------------------------------------------------------------------------


def describe_graph(graph: Graph, device: str) -> dict[str, Any]:
    """A graph in plain values."""
    computed = [n for n in graph.nodes if not isinstance(n.operator, Wiring)]
    return {
        "name": graph.name,
        "inputs": sum(graph.tensors[n].size for n in graph.inputs),
        "outputs": sum(graph.tensors[n].size for n in graph.outputs),
        "layers": [
            {
                "name": node.name,
                "kind": node.kind,
                "macs": node.macs,
                "neurons": graph.tensors[node.output].size if node.neurons else 0,
            }
            for node in computed
        ],
        "macs": graph.macs,
        "source": Path(graph.source).name,
        "licence": graph.licence,
        "device": device,
    }


def graph_accuracy(known: GraphKnown, labels: npt.ArrayLike | None) -> dict[str, Any] | None:
    """Share of rows whose class is the label: the greatest of one output vector, the first of
    several, or the one value of an output of one; None without labels or with several outputs.

    A vector is compared as the model's floats where it has some: scales and biases that follow the
    last integers, one a class, may change which is greatest.
    """
    graph = known.graph
    if labels is None or len(graph.outputs) != 1:
        return None
    output = graph.tensors[graph.outputs[0]]
    scores = known.values[output.name]
    if output.size == 1:
        predicted, classes = scores[:, 0], output.high + 1
    else:
        real = dequantise(output, scores) if output.to_float else scores
        predicted, classes = real.argmax(axis=1), output.size
    return shares_right(predicted, whole_rows(labels, "labels", 1), classes)


def graph_digest(graph: Graph) -> str:
    """sha256 of the model's file; of a graph made in memory, of its tensors and nodes."""
    if graph.sha256:
        return graph.sha256
    model = hashlib.sha256()
    for tensor in graph.tensors.values():
        model.update(repr((tensor.name, tensor.shape, tensor.low, tensor.high)).encode())
    for node in graph.nodes:
        model.update(repr((node.name, node.kind, node.inputs, node.output)).encode())
        for name in ("weights", "bias", "reads", "index"):
            array = getattr(node.operator, name, None)
            if array is not None:
                model.update(np.ascontiguousarray(array, dtype=np.int64).tobytes())
    return model.hexdigest()


def samples_digest(graph: Graph, ensemble: Ensemble) -> str:
    """sha256 of the sorted rows with their weights; of a graph with a state, in their order."""
    if not graph.state:
        return data_digest(ensemble)
    rows = np.ascontiguousarray(ensemble.rows, dtype=np.int64)
    return hashlib.sha256(rows.tobytes()).hexdigest()
