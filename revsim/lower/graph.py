"""`lower_graph`: every node of a graph as tiles, reversible throughout."""

from functools import lru_cache

from revsim.circuit.registers import Encoding
from revsim.lower.cells import lower_cells
from revsim.lower.channels import lower_linear
from revsim.lower.tiles import LoweredNode
from revsim.network.graph import Graph, Linear, Node, Wiring


@lru_cache(maxsize=16)
def lower_graph(graph: Graph) -> tuple[LoweredNode, ...]:
    """The nodes in order; memoised by identity of the graph.

    Every tensor is held unsigned, its declared lowest value as offset. Raises InputError, naming
    the node, for one that has no circuit.
    """
    return tuple(_lower_node(graph, node) for node in graph.nodes)


def _lower_node(graph: Graph, node: Node) -> LoweredNode:
    if isinstance(node.operator, Linear):
        return lower_linear(graph, node)
    if isinstance(node.operator, Wiring):
        tensors = [graph.tensors[name] for name in (*node.inputs, node.output)]
        encodings = tuple(Encoding.unsigned(t.low, t.high) for t in tensors)
        return LoweredNode(node, encodings[:-1], encodings[-1], ())
    return lower_cells(graph, node)
