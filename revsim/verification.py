"""One run held against what the integer reference knows: checks, identities, comparison.

`Known` is everything that can be said of a network on an ensemble without any circuit; each
compiled circuit is then run and compared with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Circuit
from revsim.circuit.measures import Counts, circuit_width, counts_of_item
from revsim.evidence import circuit_checks, circuit_loss_of, erasures_of
from revsim.ledger import identities
from revsim.ledger.comparison import Activity, activity, compare
from revsim.ledger.ledgers import ledger_rows, switching_of
from revsim.ledger.pointwise import POINTWISE_ROWS, pointwise_spread
from revsim.ledger.reference import LayerEntropies, Neurons, layer_entropies, neuron_statistics
from revsim.ledger.states import neuron_states
from revsim.network.network import Network
from revsim.network.reference import LayerValues, run_reference
from revsim.proof.directed import directed_rows
from revsim.report.report import RunReport
from revsim.sampling import Sample
from revsim.schedule.policy import policy_named
from revsim.simulator.ensemble import Ensemble, data_set, inputs_in_all
from revsim.simulator.run import Run, simulate

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Known:
    """A network on an ensemble by the integer reference alone.

    `values`: every layer's tensors; `layers`, `neurons`: their entropies and activities; `tensors`:
    by the names that circuits mark; `directed`, `expected`: inputs that reach corners which data do
    not, and their outputs.
    """

    ensemble: Ensemble
    values: tuple[LayerValues, ...]
    layers: tuple[LayerEntropies, ...]
    neurons: tuple[Neurons, ...]
    tensors: Mapping[str, npt.NDArray[Any]]
    directed: Integers
    expected: npt.NDArray[Any]
    distinct: int
    ceiling: bool

    @property
    def H_X(self) -> float:
        """Entropy of the inputs in bits."""
        return self.layers[0].H_in

    @property
    def H_Y(self) -> float:
        """Entropy of the outputs in bits."""
        return self.layers[-1].H_out

    @cached_property
    def activity(self) -> Activity:
        """The paper's counts over all neurons."""
        return activity(self.neurons)


def known_of(network: Network, ensemble: Ensemble) -> Known:
    """Run the integer reference once and take its entropies and activities."""
    weights = ensemble.weights
    values = run_reference(network, ensemble.rows)
    both = list(zip(network.layers, values, strict=True))
    active = [layer.active(v.y) for layer, v in both]
    layers = tuple(
        layer_entropies(
            layer.name,
            layer.kind,
            v.x,
            v.z,
            v.y,
            weights,
            relu=any("relu" in a.kind for a in layer.activations),
            one_by_one=layer.choice is None,
        )
        for layer, v in both
    )
    neurons = tuple(
        neuron_statistics(layer.name, v.y, states, weights, layer.neuron_columns)
        for (layer, v), states in zip(both, active, strict=True)
        if layer.neurons
    )
    tensors: dict[str, npt.NDArray[Any]] = {}
    for (layer, v), states in zip(both, active, strict=True):
        for tensor, value in (("z", v.z), ("y", v.y), ("state", states)):
            tensors[f"{layer.name}.{tensor}"] = value
    directed = directed_rows(network)
    expected = run_reference(network, directed)[-1].y
    distinct = ensemble.distinct
    every = inputs_in_all(network.input_low, network.input_high)
    ceiling = ensemble.at_ceiling and distinct < every
    return Known(ensemble, values, layers, neurons, tensors, directed, expected, distinct, ceiling)


def run_report(
    circuit: Circuit,
    known: Known,
    *,
    executor: str | None = None,
    threads: int | None = None,
    switching: bool = False,
    sample: Sample | None = None,
) -> tuple[RunReport, list[tuple[Any, ...]]]:
    """Run every gate of a compiled circuit on the ensemble and hold it to all that is known.

    Returns the report of this run and its rows of the erasures table.
    """
    wrong: list[str] = []
    states: dict[str, list[Integers]] = {}

    def on_mark(name: str, element: int, values: Integers) -> None:
        expected = known.tensors[name][:, element]
        layer, _, tensor = name.rpartition(".")
        if tensor == "state":
            states.setdefault(layer, []).append(values)
        different = np.flatnonzero(expected != values)
        if len(different):
            row = int(different[0])
            is_, has = values[row], expected[row]
            wrong.append(f"{name}[{element}] is {is_} in row {row}, the reference has {has}")

    run = simulate(
        circuit,
        known.ensemble,
        executor=executor,
        threads=threads,
        on_mark=on_mark,
        on_erase=None if sample is None else sample.watch(circuit),
        strict=False,
        switching=switching,
        pointwise=len(known.ensemble.rows) <= POINTWISE_ROWS,
    )
    if sample is not None:
        sample.saw(run)
    extra = simulate(circuit, data_set(known.directed), executor=executor, threads=1, strict=False)
    if not wrong:
        wrong += _differences(run, known.values[-1].y, "in row")
    wrong += _differences(extra, known.expected, "on directed input")
    rows = ledger_rows(run.tally)
    loss = circuit_loss_of(circuit, known.ensemble)
    gates: dict[str, Counts] = {}
    for item, layer in zip(circuit.body, circuit.layer_of, strict=True):
        gates[layer] = gates.get(layer, Counts()) + counts_of_item(item)
    keeps = circuit.input_choice != "destroy"
    chosen = policy_named(circuit.policy)
    H_X, H_Y, weights = known.H_X, known.H_Y, known.ensemble.weights
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
                known.layers, H_X, H_Y, rows if chosen.layerwise and not keeps else None
            ),
            identities.neuron_reset(known.neurons),
            neuron_states(rows, known.neurons, states, weights),
            identities.linear_loss(known.layers),
            identities.relu_loss(known.layers),
            identities.pointwise(run.tally, weights),
            identities.tuned_elsewhere(None, rows),
        ),
        comparison=compare(rows, known.activity, known.ceiling, keeps),
        rows=rows,
        gates=gates,
        width=circuit_width(circuit),
        evaluated=run.evaluated,
        switching=switching_of(run.tally),
        pointwise=pointwise_spread(run.tally, weights),
        circuit_loss=loss,
    )
    return report, erasures_of(circuit, run.tally)


def _differences(run: Run, expected: npt.NDArray[Any], where: str) -> list[str]:
    different = np.argwhere(run.outputs != expected)
    if not len(different):
        return []
    return [f"the output differs from the reference {where} {int(different[0][0])}"]


def _kept(circuit: Circuit) -> str:
    if circuit.input_choice == "destroy":
        return "output"
    return "output and input" + (" (exported)" if circuit.input_choice == "return" else "")
