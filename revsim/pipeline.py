"""The four steps in order: load, compile, simulate, verify."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Circuit
from revsim.circuit.measures import Counts, circuit_width, counts_of_item
from revsim.errors import InputError
from revsim.evidence import (
    accuracy_of,
    circuit_checks,
    circuit_loss_of,
    command_of,
    describe_network,
    erasures_of,
    neuron_table,
    provenance_of,
    tuned_report,
)
from revsim.ledger import identities
from revsim.ledger.comparison import activity, compare
from revsim.ledger.ledgers import check_scope, ledger_rows, switching_of
from revsim.ledger.pointwise import POINTWISE_ROWS, pointwise_spread
from revsim.ledger.reference import LayerEntropies, Neurons, layer_entropies, neuron_statistics
from revsim.ledger.states import neuron_states
from revsim.ledger.streams import stream_identity
from revsim.ledger.verdicts import conditions
from revsim.network.arrays import integers as whole_rows
from revsim.network.bundled import BUNDLED, bundled, bundled_data, held_out, names_for
from revsim.network.files import load_npz, write_npy, write_npz
from revsim.network.network import Network
from revsim.network.reference import check_rows, run_reference
from revsim.physics.cooling import check_refrigerator
from revsim.proof.directed import directed_rows
from revsim.report.report import Report, RunReport, erasure_table
from revsim.sampling import Sample
from revsim.schedule.policy import compile_network, policy_named
from revsim.simulator.ensemble import Ensemble, data_set, uniform
from revsim.simulator.run import simulate
from revsim.streaming import check_stream, stream_report

ENUMERATE_BY_DEFAULT = 1 << 20
DEFAULT_POLICIES = ("conventional", "activation_reset", "uncompute", "bennett")
"""The policies that `verify` runs without one; the others are asked for by name."""
DEFAULT_RUNS = (*((policy, "destroy") for policy in DEFAULT_POLICIES), ("bennett", "keep"))
"""What `verify` runs without a policy."""


def load(model: str | Path) -> Network:
    """A network from an .npz file or the name of a bundled one.

    >>> load("xor").inputs
    2
    """
    if str(model) in BUNDLED:
        return bundled(str(model))
    path = Path(model)
    if path.suffix == ".npz":
        return load_npz(path)
    if os.path.exists(path):  # False, not an error, for a name that no file can have
        raise InputError(f"{model}: only .npz networks are read; see `revsim verify --help`")
    raise InputError(f"{model}: neither a file nor a bundled network ({names_for(str(model))})")


def default_ensemble(network: Network) -> tuple[Ensemble, npt.NDArray[np.int64] | None]:
    """The bundled data of a bundled network; all inputs of a small one; otherwise an error."""
    if network.name in BUNDLED:
        found = bundled_data(network.name)
        if found is not None:
            return data_set(found[0]), found[1]
    if _inputs_in_all(network) <= ENUMERATE_BY_DEFAULT:
        return uniform(network.input_low, network.input_high), None
    raise InputError(
        f"network {network.name!r} has too many inputs to enumerate; give data "
        "(--data FILE) or --ensemble random:ROWS"
    )


def _inputs_in_all(network: Network) -> int:
    """How many different inputs the declared ranges allow."""
    return int(np.prod((network.input_high - network.input_low + 1).astype(object)))


def verify(
    network: Network | str | Path,
    ensemble: Ensemble | npt.ArrayLike | None = None,
    *,
    labels: npt.ArrayLike | None = None,
    policy: str | None = None,
    input: str | None = None,
    temperature_k: float = 300.0,
    efficiency: float | None = None,
    threads: int | None = None,
    stream: bool = False,
    switching: bool = False,
    scope: str = "bit",
    tuned_to: Ensemble | npt.ArrayLike | None = None,
    pseudocount: float = 0.0,
    population: str | None = None,
    provenance: dict[str, Any] | None = None,
) -> Report:
    """Compile a network, run every gate on every row, and hold it to checks, identities, the paper.

    ensemble: an `Ensemble`, rows [rows, inputs], or None for the network's own data. policy and
    input: None runs all four policies with the input destroyed and bennett with it kept.
    temperature_k: the device's, in kelvin; efficiency: of a refrigerator that holds it there in a
    room of 300 K, as a fraction of Carnot (None: no wall energy). stream: the rows are consecutive
    inputs of a device that keeps its neurons' states. switching: count the flips of every wire too
    (half as long again to twice as long). scope: what a reset may look at, bit, register, layer or
    kept; the ledger that follows heads the energy table (ledger/ledgers.py: SCOPES). tuned_to: also
    what a device pays whose resets and gates are tuned to this other ensemble, `pseudocount` rows
    added to each value. population: the name of an estimator (ledger/estimators.py); the rows are
    then a sample, and the report adds estimates and intervals for its population.
    Raises InputError on anything that does not fit.

    >>> report = verify("xor", policy="uncompute")
    >>> report.holds, round(report.runs[0].total.given_kept, 6)
    (True, 1.0)
    """
    check_refrigerator(temperature_k, efficiency)
    temperature_k = float(temperature_k)
    in_memory = labels is not None or tuned_to is not None
    if provenance is None and not in_memory and isinstance(ensemble, Ensemble | None):
        asked = {"policy": policy, "input": input, "temperature": temperature_k}
        asked |= {"efficiency": efficiency, "stream": stream, "switching": switching}
        asked |= {"scope": scope, "population": population}
        provenance = {"argv": command_of(network, ensemble, asked)}
    check_scope(scope)
    network = load(network) if isinstance(network, str | Path) else network
    if not isinstance(network, Network):
        raise InputError(f"verify takes a Network, a file or a name, not {type(network).__name__}")
    test = None
    if ensemble is None:
        ensemble, own = default_ensemble(network)
        if labels is None and own is not None:
            labels, test = own, held_out(network.name)
    elif not isinstance(ensemble, Ensemble):
        ensemble = data_set(check_rows(network, np.asarray(ensemble)))
    if tuned_to is not None and not isinstance(tuned_to, Ensemble):
        tuned_to = data_set(check_rows(network, np.asarray(tuned_to)), name="tuned_to")
    if stream:
        check_stream(ensemble)
    runs = _runs(policy, input)
    distinct = ensemble.distinct
    ceiling = ensemble.at_ceiling and distinct < _inputs_in_all(network)
    sample = None if population is None else Sample.of(network, ensemble, population, stream)
    reference = run_reference(network, ensemble.rows)
    accuracy = accuracy_of(network, reference, labels, test)
    weights = ensemble.weights
    layers = tuple(
        layer_entropies(
            layer.name,
            layer.kind,
            values.x,
            values.z,
            values.y,
            weights,
            relu=any("relu" in a.kind for a in layer.activations),
            one_by_one=layer.choice is None,
        )
        for layer, values in zip(network.layers, reference, strict=True)
    )
    neurons = tuple(
        neuron_statistics(
            layer.name, values.y, layer.active(values.y), weights, layer.neuron_columns
        )
        for layer, values in zip(network.layers, reference, strict=True)
        if layer.neurons
    )
    tensors = {
        f"{layer.name}.{tensor}": value
        for layer, values in zip(network.layers, reference, strict=True)
        for tensor, value in zip(
            ("z", "y", "state"), (values.z, values.y, layer.active(values.y)), strict=True
        )
    }
    streamed = stream_report(network, ensemble, reference, threads) if stream else None
    directed = directed_rows(network)
    expected = run_reference(network, directed)[-1].y
    reports = []
    erased: list[tuple[Any, ...]] = []
    for chosen, choice in runs:
        circuit = compile_network(network, chosen, choice)
        report, rows = _run_report(
            circuit,
            ensemble,
            tensors,
            layers,
            neurons,
            (directed, expected),
            threads,
            ceiling,
            switching,
            sample,
        )
        if tuned_to is not None:
            report = tuned_report(report, circuit, ensemble, tuned_to, pseudocount, threads)
        if streamed is not None:
            also = stream_identity(streamed.stream)
            report = replace(report, identities=(*report.identities, also))
        reports.append(report)
        erased += rows
    return Report(
        network=describe_network(network),
        ensemble={
            "name": ensemble.name,
            "rows": len(ensemble.rows),
            "distinct": distinct,
            "ceiling": ceiling,
            "seed": ensemble.seed,
        },
        accuracy=accuracy,
        activity=activity(neurons),
        layers=layers,
        H_X=layers[0].H_in,
        H_Y=layers[-1].H_out,
        runs=tuple(reports),
        temperature_k=temperature_k,
        scope=scope,
        conditions=conditions(neurons),
        efficiency=efficiency,
        neurons=neuron_table(neurons),
        erasures=erasure_table(erased),
        population=None if sample is None else sample.claims(reference, reports),
        provenance={**provenance_of(network, ensemble), **(provenance or {})},
        stream=streamed,
    )


def _runs(policy: str | None, input: str | None) -> Sequence[tuple[str, str]]:
    if policy is None and input is None:
        return DEFAULT_RUNS
    if policy is None:
        return [(name, input or "destroy") for name in DEFAULT_POLICIES]
    return [(policy, input or "destroy")]


def _run_report(
    circuit: Circuit,
    ensemble: Ensemble,
    tensors: Mapping[str, npt.NDArray[Any]],
    layers: Sequence[LayerEntropies],
    neurons: Sequence[Neurons],
    directed: tuple[npt.NDArray[np.int64], npt.NDArray[Any]],
    threads: int | None,
    ceiling: bool,
    switching: bool,
    sample: Sample | None,
) -> tuple[RunReport, list[tuple[Any, ...]]]:
    wrong: list[str] = []
    states: dict[str, list[npt.NDArray[np.int64]]] = {}

    def on_mark(name: str, element: int, values: npt.NDArray[np.int64]) -> None:
        known = tensors[name][:, element]
        layer, _, tensor = name.rpartition(".")
        if tensor == "state":
            states.setdefault(layer, []).append(values)
        different = np.flatnonzero(known != values)
        if len(different):
            row = int(different[0])
            wrong.append(
                f"{name}[{element}] is {values[row]} in row {row}, the reference has {known[row]}"
            )

    on_erase = None if sample is None else sample.watch(circuit)
    run = simulate(
        circuit,
        ensemble,
        threads=threads,
        on_mark=on_mark,
        on_erase=on_erase,
        strict=False,
        switching=switching,
        pointwise=len(ensemble.rows) <= POINTWISE_ROWS,
    )
    if sample is not None:
        sample.saw(run)
    known = tensors[f"{layers[-1].name}.y"]
    if not wrong and bool((run.outputs != known).any()):
        row = int(np.argwhere(run.outputs != known)[0][0])
        wrong.append(f"the output differs from the reference in row {row}")
    extra = simulate(circuit, data_set(directed[0]), threads=1, strict=False)
    if bool((extra.outputs != directed[1]).any()):
        row = int(np.argwhere(extra.outputs != directed[1])[0][0])
        wrong.append(f"the output differs from the reference on directed input {row}")
    rows = ledger_rows(run.tally)
    keeps = circuit.input_choice != "destroy"
    chosen = policy_named(circuit.policy)
    loss = circuit_loss_of(circuit, ensemble)
    H_X, H_Y = layers[0].H_in, layers[-1].H_out
    gates: dict[str, Counts] = {}
    for item, layer in zip(circuit.body, circuit.layer_of, strict=True):
        gates[layer] = gates.get(layer, Counts()) + counts_of_item(item)
    report = RunReport(
        policy=circuit.policy,
        input=circuit.input_choice,
        order=circuit.order,
        kept=_kept(circuit),
        circuit_checks=circuit_checks(circuit, run, extra, wrong),
        identities=(
            identities.telescoping(rows, run.tally),
            identities.ladder(rows),
            identities.circuit_end(run.tally, H_X if keeps else H_Y),
            identities.circuit_loss(loss, rows),
            identities.bennett(rows, chosen.clean, keeps, H_X - H_Y),
            identities.floor(rows, keeps, H_X - H_Y),
            identities.layer_sum(
                layers, H_X, H_Y, rows if chosen.layerwise and not keeps else None
            ),
            identities.neuron_reset(neurons),
            neuron_states(rows, neurons, states, ensemble.weights),
            identities.linear_loss(layers),
            identities.relu_loss(layers),
            identities.pointwise(run.tally, ensemble.weights),
            identities.tuned_elsewhere(None, rows),
        ),
        comparison=compare(rows, activity(neurons), ceiling, keeps),
        rows=rows,
        gates=gates,
        width=circuit_width(circuit),
        gate_evaluations=run.tally.gate_evaluations,
        switching=switching_of(run.tally),
        pointwise=pointwise_spread(run.tally, ensemble.weights),
        circuit_loss=loss,
    )
    return report, erasures_of(circuit, run.tally)


def _kept(circuit: Circuit) -> str:
    if circuit.input_choice == "destroy":
        return "output"
    return "output and input" + (" (exported)" if circuit.input_choice == "return" else "")


def run_to_files(
    circuit: Circuit,
    rows: npt.NDArray[Any],
    output: str | Path,
    tensors: str | Path | None,
    name: str = "input",
) -> dict[str, Any]:
    """Run a circuit on integers [rows, inputs] and write the outputs (.npy), and tensors (.npz).

    Both files are written at the end, whole or not at all. `name` is what messages call the rows.
    """
    given = np.asarray(rows)
    if given.ndim != 2 or given.shape[1] != len(circuit.inputs):
        raise InputError(
            f"{name}: shape {given.shape}; {circuit.name!r} takes [rows, {len(circuit.inputs)}]"
        )
    integers = whole_rows(given, name)
    seen: dict[str, dict[int, npt.NDArray[np.int64]]] = {}

    def on_mark(name: str, element: int, values: npt.NDArray[np.int64]) -> None:
        seen.setdefault(name, {})[element] = values

    run = simulate(
        circuit, data_set(integers, name=name), on_mark=on_mark if tensors is not None else None
    )
    if tensors is not None:
        named = {n: np.stack([v[k] for k in sorted(v)], axis=1) for n, v in seen.items()}
        write_npz(tensors, named)
    write_npy(output, run.outputs)
    return {
        "rows": len(integers),
        "outputs": run.outputs.shape[1],
        "gate_evaluations": run.tally.gate_evaluations,
    }
