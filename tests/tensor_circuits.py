"""A judge of circuits of graphs: nodes lowered by truth tables, and a small graph of every kind.

Nothing here is shared with revsim's own lowering of nodes: definitions are written minterm by
minterm.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from revsim.circuit.banks import Recipe
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.registers import Encoding
from revsim.lower.activation import chains
from revsim.lower.forward_netlist import netlist_of
from revsim.lower.stage import Value
from revsim.lower.tiles import LoweredNode, Tile
from revsim.network.graph import Cells, Graph, Linear, Node, Tensor, Wiring
from revsim.network.operators import Clamp, Relu
from revsim.network.words import Numbers
from revsim.schedule.views import encoding_of


def minterms(
    name: str,
    inputs: Sequence[Encoding],
    outputs: Sequence[Encoding],
    function: Callable[[list[int]], list[int]],
) -> Definition:
    """x, y -> x, y ^ function(x), one multi-controlled NOT per true bit of the truth table."""
    b = Builder(name)
    x = b.port("x", sum(e.width for e in inputs))
    y = b.port("y", sum(e.width for e in outputs), zero=True)
    for raw in range(1 << len(x)):
        values, start = [], 0
        for e in inputs:
            field = raw >> start & ((1 << e.width) - 1)
            values.append(int(e.decode(np.array([field], dtype=np.uint64))[0]))
            start += e.width
        if any(not e.low <= v <= e.high for e, v in zip(inputs, values, strict=True)):
            continue
        out, start = 0, 0
        for e, v in zip(outputs, function(values), strict=True):
            out |= int(e.encode(np.array([v]))[0]) << start
            start += e.width
        controls = [(int(w), bool(raw >> k & 1)) for k, w in enumerate(x)]
        for k, w in enumerate(y):
            if out >> k & 1 and controls:
                b.mcx(controls, int(w))
            elif out >> k & 1:
                b.x(w)
    return b.build()


def _recipe(definition: Definition) -> Recipe:
    return Recipe(definition.name, definition.ports, lambda: definition)


def lower_by_tables(graph: Graph) -> tuple[LoweredNode, ...]:
    """Every node of a small graph as tiles."""
    return tuple(_lower(graph, node) for node in graph.nodes)


def _lower(graph: Graph, node: Node) -> LoweredNode:
    given = [graph.tensors[name] for name in node.inputs]
    encodings = tuple(encoding_of(t) for t in given)
    out = encoding_of(graph.tensors[node.output])
    operator = node.operator
    if isinstance(operator, Wiring):
        return LoweredNode(node, encodings, out, ())
    if isinstance(operator, Cells):
        return LoweredNode(node, encodings, out, (_cells(node, operator, given, out),))
    padding = int(encodings[0].encode(np.array([operator.pad_value]))[0])
    tiles = tuple(_channel(node, operator, c, encodings[0], out) for c in range(operator.channels))
    return LoweredNode(node, encodings, out, tiles, padding)


def _cells(node: Node, operator: Cells, given: Sequence[Tensor], out: Encoding) -> Tile:
    starts = np.cumsum([0, *(t.size for t in given)])
    sources = np.searchsorted(starts, operator.reads[0], side="right") - 1
    encodings = [encoding_of(given[s]) for s in sources]

    def function(values: list[int]) -> list[int]:
        ops = Numbers()
        words = [
            ops.given(np.array([v]), e.low, e.high) for v, e in zip(values, encodings, strict=True)
        ]
        return [int(np.ravel(w.value)[0]) for w in operator.program(ops, *words)]

    results = len(function([e.low for e in encodings]))
    copy = minterms(node.name, encodings, [out] * results, function)
    writes = np.arange(len(operator.reads) * results).reshape(-1, results)
    return Tile(operator.reads, writes, _recipe(copy), _recipe(netlist_of(copy)))


def _channel(node: Node, operator: Linear, c: int, encoding: Encoding, out: Encoding) -> Tile:
    reads = operator.reads[:, operator.group_of[c]]
    writes = (np.arange(len(reads)) * operator.channels + c)[:, None]
    weights, bias = operator.weights[c], int(operator.bias[c])
    inputs = [encoding] * len(weights)

    def total(values: list[int]) -> list[int]:
        return [int(weights @ np.array(values)) + bias]

    def value(values: list[int]) -> list[int]:
        z = np.array([total(values)])
        for activation in node.activations:
            z = activation.apply(z)
        return [int(z[0, 0])]

    copy = minterms(f"{node.name} {c}", inputs, [out], value)
    parts = _recipe(copy), _recipe(netlist_of(copy))
    if not node.activations:
        return Tile(reads, writes, *parts)
    low, high = (int(v[c]) for v in operator.bounds(encoding.low, encoding.high))
    z = Encoding.signed(low, high)
    (stages,) = chains([node.activations], [Value(z, low, high)])
    assert stages[-1].encoding == out, (stages[-1].encoding, out)
    linear = _recipe(minterms(f"{node.name} sum {c}", inputs, [z], total))
    return Tile(reads, writes, *parts, linear, z, stages)


# --- a small graph with everything in it ----------------------------------------------------------


@dataclass(frozen=True)
class Add:
    """a + b, clamped to 0..3."""

    def __call__(self, ops, a, b):  # type: ignore[no-untyped-def]
        return (ops.single(Clamp(0, 3), ops.add(a, b)),)


@dataclass(frozen=True)
class Greatest:
    """The greatest of any number of words."""

    def __call__(self, ops, *words):  # type: ignore[no-untyped-def]
        best = words[0]
        for word in words[1:]:
            best = ops.greatest(best, word)
        return (best,)


def small_graph(low: int = 0) -> Graph:
    """conv + relu, a second conv, a residual sum, a pool, a padded and joined view, dense.

    Four pixels of 2 bits; `low` moves their range, so that offsets and padding are at work.
    """
    T = Tensor
    tensors = {
        t.name: t
        for t in (
            T("x", (1, 4, 1), low, low + 3),
            T("a", (1, 4, 1), 0, 3),
            T("b", (1, 4, 1), 0, 3),
            T("sum", (1, 4, 1), 0, 3),
            T("pool", (1, 2, 1), 0, 3),
            T("wide", (1, 4), 0, 3),
            T("y", (1, 2), -7, 8),
        )
    }
    reads = np.array([[[p - 1, p]] for p in range(4)])  # the first position reads padding
    relu = (Relu(), Clamp(0, 3))
    return Graph(
        "small",
        tensors,
        (
            Node("conv", Linear("conv2d", np.array([[1, 1]]), np.array([-1 - 2 * low]), reads, low),
                 ("x",), "a", relu, neurons=True),
            Node("conv2", Linear("conv2d", np.array([[1, -1]]), np.array([1]), reads, 0),
                 ("a",), "b", relu, neurons=True),
            Node("add", Cells("add", Add(), np.array([[p, 4 + p] for p in range(4)])),
                 ("a", "b"), "sum"),
            Node("pool", Cells("max_pool", Greatest(), np.array([[0, 1], [2, 3]])),
                 ("sum",), "pool"),
            Node("join", Wiring("concat", np.array([1, 0, -1, 2]), (2,)), ("pool", "a"), "wide"),
            Node("dense", Linear("dense", np.array([[1, -1, 1, 0], [1, 1, 0, 1]]),
                 np.array([-2, -3]), np.array([[[0, 1, 2, 3]]])), ("wide",), "y"),
        ),
        ("x",),
        ("y",),
    )  # fmt: skip
