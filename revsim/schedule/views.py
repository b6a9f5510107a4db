"""Which registers a graph's tensors are made of: wirings are views, and a bank lives as long as one
of its registers is read.

Registers are numbered through all *roots* one behind the other. A root is what has registers of its
own: an input, a state, the output of a node that computes, or one constant of a wiring. Every
tensor is then an array of register numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.circuit.registers import Encoding
from revsim.network.graph import Cells, Graph, Linear, Node, Tensor, Wiring

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Root:
    """Registers start..start+size-1, of one encoding, arranged as (positions, channels).

    `maker` is the number of the node that makes them, -1 for an input; `constant` is the value of a
    constant, as an unsigned number, None elsewhere.
    """

    name: str
    start: int
    size: int
    encoding: Encoding
    shape: tuple[int, int]
    maker: int
    constant: int | None = None


@dataclass(frozen=True, eq=False)
class Views:
    """`roots` in order; `registers`: per tensor int64 [size]; `last`: per root the number of the
    last node that reads it, len(nodes) where an output is made of it, its maker where nothing is.
    """

    roots: tuple[Root, ...]
    registers: Mapping[str, Integers]
    last: Integers

    def roots_of(self, registers: Integers) -> Integers:
        """The roots, each once, that these registers belong to."""
        return np.unique(self.root_of(registers))

    def root_of(self, registers: Integers) -> Integers:
        """The root of each register."""
        starts = np.array([root.start for root in self.roots], dtype=np.int64)
        return np.asarray(np.searchsorted(starts, registers, side="right") - 1)


def encoding_of(tensor: Tensor) -> Encoding:
    """Tensors are held unsigned from their declared lowest value on."""
    return Encoding.unsigned(tensor.low, tensor.high)


def inputs_of(graph: Graph) -> tuple[str, ...]:
    """What a circuit of the graph is given: its inputs, then its states, in order."""
    return (*graph.inputs, *(s.input for s in graph.state))


def outputs_of(graph: Graph) -> tuple[str, ...]:
    """What a circuit of the graph gives: its outputs, then its states a step later, in order."""
    return (*graph.outputs, *(s.output for s in graph.state))


def read_of(node: Node) -> Integers:
    """The elements of its inputs, laid flat one behind the other, that a node reads."""
    if isinstance(node.operator, Wiring):
        return node.operator.index[node.operator.index >= 0]
    reads = node.operator.reads
    return reads[reads >= 0]


def views_of(graph: Graph) -> Views:
    """The registers behind every tensor of a graph, and how long they are needed.

    >>> turned = Node("turn", Wiring("transpose", np.array([1, 0])), ("x",), "y")
    >>> pair = {n: Tensor(n, (2,), 0, 1) for n in "xy"}
    >>> views_of(Graph("g", pair, (turned,), ("x",), ("y",))).registers["y"].tolist()
    [1, 0]
    """
    roots: list[Root] = []
    registers: dict[str, Integers] = {}
    count = 0

    def root(
        name: str, size: int, tensor: Tensor, shape: tuple[int, int], maker: int, value: int | None
    ) -> Integers:
        nonlocal count
        roots.append(Root(name, count, size, encoding_of(tensor), shape, maker, value))
        count += size
        return np.arange(count - size, count, dtype=np.int64)

    for name in inputs_of(graph):
        tensor = graph.tensors[name]
        channels = tensor.shape[-1] if tensor.shape and tensor.size else 1
        shape = tensor.size // channels, channels
        registers[name] = root(name, tensor.size, tensor, shape, -1, None)
    for k, node in enumerate(graph.nodes):
        tensor, operator = graph.tensors[node.output], node.operator
        if isinstance(operator, Wiring):
            held = [registers[name] for name in node.inputs]
            given = sum(map(len, held))
            used = set((-1 - operator.index[operator.index < 0]).tolist())
            for j, value in enumerate(operator.constants):
                name = f"{node.name}.constant[{j}]"
                made = root(name, int(j in used), tensor, (1, 1), k, value - tensor.low)
                held.append(made if j in used else np.zeros(1, dtype=np.int64))
            places = np.where(operator.index < 0, given - 1 - operator.index, operator.index)
            flat = np.concatenate(held) if held else np.zeros(0, dtype=np.int64)
            registers[node.output] = flat[places]
        else:
            shape = operator.positions, tensor.size // max(1, operator.positions)
            registers[node.output] = root(node.output, tensor.size, tensor, shape, k, None)
    views = Views(tuple(roots), registers, np.array([r.maker for r in roots], dtype=np.int64))
    for k, node in enumerate(graph.nodes):
        if isinstance(node.operator, Linear | Cells):
            held = [registers[name] for name in node.inputs]
            flat = np.concatenate(held) if held else np.zeros(0, dtype=np.int64)
            views.last[views.roots_of(flat[np.unique(read_of(node))])] = k
    for name in outputs_of(graph):
        views.last[views.roots_of(registers[name])] = len(graph.nodes)
    return views
