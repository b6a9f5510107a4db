"""The four steps in order: load, compile, simulate, verify."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.assembly import assemble
from revsim.circuit.banks import TensorCircuit
from revsim.circuit.definition import Circuit
from revsim.errors import InputError
from revsim.evidence import (
    accuracy_of,
    command_of,
    data_digest,
    describe_network,
    model_digest,
    tuned_report,
)
from revsim.graphs.verification import verify_graph
from revsim.ledger.ledgers import check_scope
from revsim.ledger.streams import stream_identity
from revsim.network.arrays import integers as whole_rows
from revsim.network.bundled import BUNDLED, bundled, bundled_data, held_out, is_bundled, names_for
from revsim.network.files import load_npz, write_npy, write_npz
from revsim.network.graph import Graph
from revsim.network.network import Network
from revsim.network.reference import check_rows
from revsim.physics.cooling import check_refrigerator
from revsim.report.report import Report, erasure_table
from revsim.sampling import Sample
from revsim.schedule.graphs import compile_graph
from revsim.schedule.policy import Policy, compile_network
from revsim.simulator.ensemble import Ensemble, data_set, inputs_in_all, uniform
from revsim.simulator.executors import check_every_gate, executor_named
from revsim.simulator.run import simulate
from revsim.streaming import check_stream, stream_report
from revsim.verification import known_of, run_report

ENUMERATE_BY_DEFAULT = 1 << 20
DEFAULT_POLICIES = ("conventional", "activation_reset", "uncompute", "bennett")
"""The policies that `verify` runs without one; the others are asked for by name."""
DEFAULT_RUNS = (*((policy, "destroy") for policy in DEFAULT_POLICIES), ("bennett", "keep"))
"""What `verify` runs without a policy."""


def load(model: str | Path) -> Network | Graph:
    """A network from an .npz file or the name of a bundled one; a graph from .tflite or .onnx.

    >>> load("xor").inputs
    2
    """
    if str(model) in BUNDLED:
        return bundled(str(model))
    path = Path(model)
    if path.suffix == ".npz":
        return load_npz(path)
    if path.suffix == ".tflite":
        from revsim.frontends.tflite.reader import from_tflite

        return from_tflite(path)
    if path.suffix == ".onnx":
        from revsim.frontends.onnx.reader import from_onnx

        return from_onnx(path)
    if os.path.exists(path):  # False, not an error, for a name that no file can have
        raise InputError(
            f"{model}: only .npz, .tflite and .onnx models are read; see `revsim verify --help`"
        )
    raise InputError(f"{model}: neither a file nor a bundled network ({names_for(str(model))})")


def load_network(model: str | Path) -> Network:
    """`load` where only a chain of layers will do."""
    found = load(model)
    if not isinstance(found, Network):
        raise InputError(f"{model}: a graph of tensors; this works on chain networks so far")
    return found


def compile_model(
    model: Network | Graph, policy: str | Policy = "activation_reset", input: str = "destroy"
) -> Circuit | TensorCircuit:
    """Compile a network (`compile_network`) or a graph of tensors (`compile_graph`) to a circuit.

    >>> compile_model(load("xor"), "bennett").policy
    'bennett'
    """
    if isinstance(model, Graph):
        if not isinstance(policy, str):
            raise InputError(f"{model.name}: a graph is compiled under a policy's name")
        return compile_graph(model, policy, input)
    return compile_network(model, policy, input)


def default_ensemble(network: Network) -> tuple[Ensemble, npt.NDArray[np.int64] | None]:
    """The bundled data of a bundled network; all inputs of a small one; otherwise an error."""
    found = bundled_data(network.name) if is_bundled(network) else None
    if found is not None:
        return data_set(found[0]), found[1]
    if inputs_in_all(network.input_low, network.input_high) <= ENUMERATE_BY_DEFAULT:
        return uniform(network.input_low, network.input_high), None
    raise InputError(
        f"network {network.name!r} has too many inputs to enumerate; give data "
        "(--data FILE) or --ensemble random:ROWS"
    )


def verify(
    network: Network | Graph | str | Path,
    ensemble: Ensemble | npt.ArrayLike | Mapping[str, npt.ArrayLike] | None = None,
    *,
    labels: npt.ArrayLike | None = None,
    policy: str | None = None,
    input: str | None = None,
    temperature_k: float = 300.0,
    efficiency: float | None = None,
    executor: str | None = None,
    threads: int | None = None,
    stream: bool = False,
    switching: bool = False,
    scope: str = "bit",
    tuned_to: Ensemble | npt.ArrayLike | None = None,
    pseudocount: float = 0.0,
    population: str | None = None,
    device: str | None = None,
    provenance: dict[str, Any] | None = None,
) -> Report:
    """Compile a network, run every gate on every row, and hold it to checks, identities, the paper.

    ensemble: an `Ensemble`, rows [rows, inputs], or None for the network's own data. policy and
    input: None runs all four policies with the input destroyed and bennett with it kept.
    temperature_k: the device's, in kelvin; efficiency: of a refrigerator that holds it there in a
    room of 300 K, as a fraction of Carnot (None: no wall energy). stream: the rows are consecutive
    inputs of a device that keeps its neurons' states. executor: literal (default) evaluates every
    gate on its own in compiled kernels, fused runs whole definitions by fewer operations, faster,
    numpy every gate in plain NumPy, slower: the same figures bit for bit (see `simulate`), and the
    report says which ran. switching: count the flips of every wire too (half as long again to twice
    as long). scope: what a reset may look at, bit, register, layer or kept; the ledger that follows
    heads the energy table (ledger/ledgers.py: SCOPES). tuned_to: also what a device pays whose
    resets and gates are tuned to this other ensemble, `pseudocount` rows added to each value.
    population: the name of an estimator (ledger/estimators.py); the rows are then a sample, and the
    report adds estimates and intervals for its population. device: of a graph, dedicated (default:
    every position its own hardware) or shared. A graph's ensemble is samples in the model's own
    shape, or arrays by name of its inputs; see graphs/verification.py.
    Raises InputError on anything that does not fit.

    >>> report = verify("xor", policy="uncompute")
    >>> report.holds, round(report.runs[0].total.given_kept, 6)
    (True, 1.0)
    """
    check_refrigerator(temperature_k, efficiency)
    check_every_gate(executor_named(executor), switching=switching)
    temperature_k = float(temperature_k)
    in_memory = labels is not None or tuned_to is not None
    if provenance is None and not in_memory and isinstance(ensemble, Ensemble | None):
        asked = {"policy": policy, "input": input, "temperature": temperature_k}
        asked |= {"efficiency": efficiency, "stream": stream, "switching": switching}
        asked |= {"scope": scope, "population": population, "device": device}
        asked |= {"executor": executor}
        provenance = {"argv": command_of(network, ensemble, asked)}
    check_scope(scope)
    network = load(network) if isinstance(network, str | Path) else network
    if isinstance(network, Graph):
        asked_of_chains = {
            "stream": stream, "switching": switching, "tuned_to": tuned_to is not None,
            "population": population is not None,
        }  # fmt: skip
        for option, given in asked_of_chains.items():
            if given:
                raise InputError(f"{network.name}: {option} is for chain networks so far")
        return verify_graph(
            network,
            ensemble,
            _runs(policy, input),
            labels=labels,
            temperature_k=temperature_k,
            efficiency=efficiency,
            executor=executor,
            threads=threads,
            scope=scope,
            device=device or "dedicated",
            provenance=provenance,
        )
    if not isinstance(network, Network):
        raise InputError(
            f"verify takes a Network, a Graph, a file or a name, not {type(network).__name__}"
        )
    if device is not None:
        raise InputError("device is for graphs: a chain network has each value at one place")
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
    sample = None if population is None else Sample.of(network, ensemble, population, stream)
    known = known_of(network, ensemble)
    accuracy = accuracy_of(network, known.values, labels, test)
    streamed = stream_report(network, ensemble, known.values, executor, threads) if stream else None
    reports = []
    erased: list[tuple[Any, ...]] = []
    for chosen, choice in _runs(policy, input):
        circuit = compile_network(network, chosen, choice)
        report, rows = run_report(
            circuit,
            known,
            executor=executor,
            threads=threads,
            switching=switching,
            sample=sample,
        )
        if tuned_to is not None:
            report = tuned_report(
                report, circuit, ensemble, tuned_to, pseudocount, executor, threads
            )
        if streamed is not None:
            also = stream_identity(streamed.stream)
            report = replace(report, identities=(*report.identities, also))
        reports.append(report)
        erased += rows
    return assemble(
        known,
        ensemble,
        reports,
        erasure_table(erased),
        network=describe_network(network),
        accuracy=accuracy,
        digests={"model": model_digest(network), "data": data_digest(ensemble)},
        provenance=provenance,
        temperature_k=temperature_k,
        efficiency=efficiency,
        scope=scope,
        stream=streamed,
        population=None if sample is None else sample.claims(known.values, reports),
    )


def _runs(policy: str | None, input: str | None) -> Sequence[tuple[str, str]]:
    if policy is None and input is None:
        return DEFAULT_RUNS
    if policy is None:
        return [(name, input or "destroy") for name in DEFAULT_POLICIES]
    return [(policy, input or "destroy")]


def run_to_files(
    circuit: Circuit,
    rows: npt.NDArray[Any],
    output: str | Path,
    tensors: str | Path | None,
    name: str = "input",
    executor: str | None = None,
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
        circuit,
        data_set(integers, name=name),
        executor=executor,
        on_mark=on_mark if tensors is not None else None,
    )
    if tensors is not None:
        named = {n: np.stack([v[k] for k in sorted(v)], axis=1) for n, v in seen.items()}
        write_npz(tensors, named)
    write_npy(output, run.outputs)
    return {
        "rows": len(integers),
        "outputs": run.outputs.shape[1],
        **run.evaluated.as_dict(),
    }
