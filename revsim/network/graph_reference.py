"""A graph in plain NumPy integers: the reference that circuits must equal bit for bit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.network.graph import Cells, Graph, Node
from revsim.network.sums import Integers
from revsim.network.words import Numbers

Values = dict[str, Integers]
"""Tensors by name, int64 [rows, values of the tensor laid flat]."""


def check_given(graph: Graph, given: Mapping[str, npt.NDArray[Any]]) -> Values:
    """Inputs and state as int64 [rows, size] in their ranges, or an InputError."""
    wanted = (*graph.inputs, *(s.input for s in graph.state))
    out: Values = {}
    for name in wanted:
        tensor = graph.tensors[name]
        if name not in given:
            raise InputError(f"{graph.name}: no values were given for input {name!r}")
        rows = np.asarray(given[name])
        without_batch = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
        if rows.ndim == 0 or rows.shape[1:] not in (tensor.shape, without_batch, (tensor.size,)):
            expected = ", ".join(str(n) for n in ("rows", *tensor.shape))
            raise InputError(
                f"{graph.name}, input {name!r}: shape {rows.shape}; expected [{expected}]"
            )
        if rows.dtype.kind not in "iub":
            raise InputError(
                f"{graph.name}, input {name!r}: values must be integers, got {rows.dtype}; "
                "quantise the data first"
            )
        flat = rows.reshape(len(rows), tensor.size)
        bad = np.argwhere((flat < tensor.low) | (flat > tensor.high))
        if len(bad):
            row, place = (int(v) for v in bad[0])
            raise InputError(
                f"{graph.name}, input {name!r}: row {row}, value {place} is {flat[row, place]}, "
                f"outside {tensor.low}..{tensor.high}"
            )
        out[name] = flat.astype(np.int64)
    if len({len(v) for v in out.values()}) > 1:
        counts = ", ".join(f"{n!r}: {len(v)}" for n, v in out.items())
        raise InputError(f"{graph.name}: inputs have unequal numbers of rows ({counts})")
    return out


def run_graph(graph: Graph, given: Mapping[str, npt.NDArray[Any]]) -> Values:
    """Every tensor of a graph, int64 [rows, size], from its inputs and its state a step before.

    A node with activations also gives its weighted sums, under the name `NODE.z`.
    """
    values = check_given(graph, given)
    for node in graph.nodes:
        z, values[node.output] = run_node(graph, node, values)
        if z is not None:
            values[f"{node.name}.z"] = z
    return values


def run_node(graph: Graph, node: Node, values: Mapping[str, Integers]) -> tuple[Any, Integers]:
    """(weighted sums or None, output) of one node, checked against the output's range."""
    rows = len(next(iter(values.values()))) if values else 1
    held = [np.zeros((rows, 0), np.int64), *(values[name] for name in node.inputs)]
    x = np.concatenate(held, axis=1)
    z = None
    if isinstance(node.operator, Cells):
        y = _run_cells(graph, node, node.operator, x)
    else:
        y = node.operator.apply(x)
        if node.activations:
            z, channels = y, y.reshape(len(y), -1, node.operator.channels)  # type: ignore[union-attr]
            for activation in node.activations:
                channels = activation.apply(channels)
            y = channels.reshape(len(y), -1)
    tensor = graph.tensors[node.output]
    bad = np.argwhere((y < tensor.low) | (y > tensor.high))
    if len(bad):
        row, place = (int(v) for v in bad[0])
        raise InputError(
            f"{graph.name}, node {node.name!r}: value {place} is {y[row, place]} in row {row}, "
            f"outside the declared {tensor.low}..{tensor.high} of tensor {node.output!r}"
        )
    return z, y


def _run_cells(graph: Graph, node: Node, cells: Cells, x: Any) -> Integers:
    ops = Numbers()
    tensors = [graph.tensors[name] for name in node.inputs]
    starts = np.cumsum([0, *(t.size for t in tensors)])
    words = []
    for argument in range(cells.reads.shape[1]):
        places = cells.reads[:, argument]
        sources = np.unique(np.searchsorted(starts, places, side="right") - 1)
        low = min(tensors[s].low for s in sources)
        high = max(tensors[s].high for s in sources)
        words.append(ops.given(x[:, places], low, high))
    made = cells.program(ops, *words)
    shape = len(x), cells.positions
    columns = [np.broadcast_to(word.value, shape) for word in made]
    return np.stack(columns, axis=2).reshape(len(x), -1)


def run_stream(
    graph: Graph, steps: Mapping[str, npt.NDArray[Any]]
) -> tuple[Mapping[str, npt.NDArray[np.int64]], Values]:
    """A graph with a state on consecutive inputs: (what each step was given, every tensor).

    steps: int64 [steps, ...] per input, in order of time. The state inputs of a step are the
    outputs that feed them of the step before. What each step was given are the rows on which a
    circuit of the graph is run.
    """
    count = len(next(iter(steps.values())))
    state = {s.input: s.initial.reshape(1, -1) for s in graph.state}
    given: list[dict[str, Integers]] = []
    made: list[Values] = []
    for t in range(count):
        given.append({**{n: np.asarray(v)[t : t + 1] for n, v in steps.items()}, **state})
        made.append(run_graph(graph, given[-1]))
        state = {s.input: made[-1][s.output] for s in graph.state}
    flat = [check_given(graph, g) for g in given]
    return (
        {n: np.concatenate([g[n] for g in flat]) for n in flat[0]},
        {n: np.concatenate([m[n] for m in made]) for n in made[0]},
    )
