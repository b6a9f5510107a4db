"""What the integer reference says of a graph on an ensemble, without any circuit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.graphs.rows import circuit_rows, directed_samples, ends_of, unflat_rows
from revsim.ledger.comparison import Activity, activity
from revsim.ledger.reference import (
    LayerEntropies,
    Neurons,
    column_entropies,
    joint_entropy,
    neuron_statistics,
    spectrum_of_vectors,
)
from revsim.network.graph import Graph, Linear, Node, Wiring
from revsim.network.graph_reference import run_node
from revsim.schedule.views import inputs_of, outputs_of, views_of
from revsim.simulator.ensemble import Ensemble, data_set, inputs_in_all

Integers = npt.NDArray[np.int64]
Values = dict[str, npt.NDArray[np.signedinteger]]
"""Tensors by name and weighted sums by NODE.z: integers [rows, size] in small types."""

MEMORY_LIMIT = 2 << 30
"""Bytes that all tensors of all rows may take."""


@dataclass(frozen=True, eq=False)
class GraphKnown:
    """A graph on rows by the integer reference alone.

    `ensemble`: what a circuit is given (inputs, then states); `values`: every tensor; `directed`:
    rows that reach corners which data do not, and all tensors of them. `layers`: one per node that
    computes; `cuts`: bits held after each of them, the input's first.
    """

    graph: Graph
    ensemble: Ensemble
    values: Values
    directed: Ensemble
    directed_values: Values
    layers: tuple[LayerEntropies, ...]
    neurons: tuple[Neurons, ...]
    cuts: tuple[float, ...]
    H_Y: float
    distinct: int
    ceiling: bool

    @property
    def H_X(self) -> float:
        """Entropy of what is given, in bits."""
        return self.cuts[0]

    @cached_property
    def activity(self) -> Activity:
        """The paper's counts over all neurons."""
        return activity(self.neurons)


def known_of_graph(graph: Graph, samples: Ensemble) -> GraphKnown:
    """Run the integer reference once, node by node, and take its entropies and activities.

    samples: rows of all inputs side by side; of a graph with a state, consecutive steps.
    """
    weights = samples.weights
    given = circuit_rows(graph, unflat_rows(graph, samples.rows))
    ensemble = replace(samples, rows=_side_by_side(graph, given))
    if graph.state and weights is not None:
        raise InputError(f"{graph.name}: steps of a stream have no weights")
    values = all_values(graph, given)
    corners = circuit_rows(graph, directed_samples(graph))
    computed = [node for node in graph.nodes if not isinstance(node.operator, Wiring)]
    neurons = tuple(_neurons(graph, n, values, weights) for n in computed if n.neurons)
    distinct = ensemble.distinct
    classes = {n: class_of(v) for n, v in values.items() if not n.endswith(".z")}
    return GraphKnown(
        graph,
        ensemble,
        values,
        data_set(_side_by_side(graph, corners), name="directed"),
        all_values(graph, corners),
        tuple(_entropies(graph, node, values, classes, weights) for node in computed),
        neurons,
        tuple(_cuts(graph, values, weights)),
        _together(classes, outputs_of(graph), weights),
        distinct,
        ensemble.at_ceiling and distinct < inputs_in_all(*ends_of(graph)),
    )


def _side_by_side(graph: Graph, given: Mapping[str, Integers]) -> Integers:
    return np.concatenate([given[n] for n in inputs_of(graph)], axis=1)


def all_values(graph: Graph, given: Mapping[str, Integers]) -> Values:
    """Every tensor and every weighted sum, in the smallest types that hold them."""
    rows = len(next(iter(given.values())))
    values: Values = {}
    taken = 0

    def keep(name: str, found: Integers) -> None:
        nonlocal taken
        ends = int(found.min(initial=0)), int(found.max(initial=0))
        kind = next(k for k in (np.int8, np.int16, np.int32, np.int64) if _holds(k, *ends))
        values[name] = found.astype(kind)
        taken += values[name].nbytes
        if taken > MEMORY_LIMIT:
            raise InputError(
                f"{graph.name}: all tensors of {rows:,} rows take more than "
                f"{MEMORY_LIMIT >> 30} GiB: use fewer rows"
            )

    for name, found in given.items():
        keep(name, found)
    for node in graph.nodes:
        read = {name: values[name].astype(np.int64) for name in node.inputs}
        z, y = run_node(graph, node, read)
        if z is not None:
            keep(f"{node.name}.z", z)
        keep(node.output, np.broadcast_to(y, (rows, y.shape[1])))
    return values


def _holds(kind: type, low: int, high: int) -> bool:
    info = np.iinfo(kind)
    return bool(info.min <= low and high <= info.max)


def class_of(values: npt.NDArray[np.generic]) -> Integers:
    """A number per row, equal exactly where rows are equal: int64 [rows].

    >>> class_of(np.array([[1, 2], [0, 0], [1, 2]])).tolist()
    [1, 0, 1]
    """
    if not values.shape[1]:
        return np.zeros(len(values), dtype=np.int64)
    held = np.ascontiguousarray(values)
    rows = held.view(np.dtype((np.void, held.dtype.itemsize * held.shape[1]))).ravel()
    return np.unique(rows, return_inverse=True)[1].astype(np.int64)


def _together(
    classes: Mapping[str, Integers], names: Sequence[str], weights: Integers | None
) -> float:
    return joint_entropy(np.stack([classes[name] for name in names], axis=1), weights)


def _entropies(
    graph: Graph,
    node: Node,
    values: Values,
    classes: Mapping[str, Integers],
    weights: Integers | None,
) -> LayerEntropies:
    """What goes into a node, its weighted sums (its input where it has none), what comes out."""
    x = np.stack([classes[name] for name in node.inputs], axis=1)
    before = spectrum_of_vectors(x, weights)
    z = values.get(f"{node.name}.z")
    y = values[node.output]
    if isinstance(node.operator, Linear):
        z = y if z is None else z
        after = spectrum_of_vectors(class_of(z)[:, None], weights)
        separate = float((column_entropies(z, weights) - column_entropies(y, weights)).sum())
    else:  # a choice among several values: no more is lost than all of them hold
        after = before
        separate = float(sum(column_entropies(values[n], weights).sum() for n in node.inputs))
    total = len(y) if weights is None else int(weights.sum())
    return LayerEntropies(
        node.name,
        node.kind,
        before.entropy,
        after.entropy,
        _together(classes, (node.output,), weights),
        separate,
        bool(before.times.sum() == after.times.sum()),
        2 / total,
    )


def _neurons(graph: Graph, node: Node, values: Values, weights: Integers | None) -> Neurons:
    """A neuron is active where its value is above the zero of its tensor."""
    y = values[node.output]
    return neuron_statistics(node.name, y, y > graph.tensors[node.output].zero, weights)


def _cuts(graph: Graph, values: Values, weights: Integers | None) -> list[float]:
    """Bits held at the start and after each node that computes: every tensor that is read later.

    What a device that erases each tensor at its last use holds then, from exact counts.
    """
    views = views_of(graph)
    made = [r for r in views.roots if r.constant is None]
    classes = {r.name: class_of(values[r.name]) for r in made}
    last = {r.name: int(v) for r, v in zip(views.roots, views.last, strict=True)}
    computed = [k for k, n in enumerate(graph.nodes) if not isinstance(n.operator, Wiring)]
    given = [r.name for r in made if r.maker < 0]
    out = [_together(classes, given, weights)]
    for k in computed:
        live = [r.name for r in made if r.maker <= k < last[r.name]]
        out.append(_together(classes, live, weights) if live else 0.0)
    return out
