"""The operations of a netlist with what makes and what reads each value; adders brought out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.simulator.fused.netlist import RESULTS
from revsim.simulator.scheduling.adders import kernels

Int32s = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Graph:
    """Operations on own literals 2 * value + complement, where value 0 is constant 0.

    kind int8 [operations]; operands int32 [operations, 3] and results int32 [operations, 2], -1 for
    none; producer int32 [values]: which operation made it, -1 for ports; second uint8 [values]:
    whether it is a carry; uses int32 [values]; readers int32 [values, 2]: the first and the last
    operation that reads it, -1 for none. others int32: literals that are read at the end.
    """

    kind: npt.NDArray[np.int8]
    operands: Int32s
    results: Int32s
    producer: Int32s
    second: Bytes
    uses: Int32s
    readers: Int32s
    others: Int32s


def graph_of(
    kind: npt.NDArray[np.int8], operands: Int32s, given: int, others: Int32s, share: bool = True
) -> Graph:
    """The graph of operations; `given` values are there before, `others` are literals in use.

    share: adders are brought out where their bits are read by something else too.
    """
    made = np.array(RESULTS)[kind]
    results = (given + np.cumsum(made) - made)[:, None] + np.arange(2)
    results = np.where(np.arange(2) < made[:, None], results, -1).astype(np.int32)
    graph = _linked(kind.copy(), operands.copy(), results, given + int(made.sum()), others)
    if not share:
        return graph
    instead = 2 * np.arange(len(graph.uses) + 2 * len(kind), dtype=np.int32)
    values = kernels.share_sums(
        graph.kind,
        graph.operands,
        graph.results,
        graph.producer,
        graph.uses,
        graph.readers,
        instead,
    )
    return _read_instead(graph, instead, values)


def _read_instead(graph: Graph, instead: Int32s, values: int) -> Graph:
    """The graph with other literals read for some values, without operations that nothing reads."""

    def read(literals: Int32s) -> Int32s:
        found = instead[literals >> 1] ^ (literals & 1)
        return np.asarray(np.where(literals < 0, literals, found), dtype=np.int32)

    graph = _linked(graph.kind, read(graph.operands), graph.results, values, read(graph.others))
    alive = np.ones(len(graph.kind), dtype=np.uint8)
    kernels.drop_unread(graph.kind, graph.operands, graph.results, graph.uses, alive)
    kept = alive == 1
    return _linked(
        graph.kind[kept], graph.operands[kept], graph.results[kept], values, graph.others
    )


def _linked(
    kind: npt.NDArray[np.int8], operands: Int32s, results: Int32s, values: int, others: Int32s
) -> Graph:
    producer, second = np.full(values, -1, dtype=np.int32), np.zeros(values, dtype=np.uint8)
    uses, readers = np.zeros(values, dtype=np.int32), np.full((values, 2), -1, dtype=np.int32)
    kernels.link(kind, operands, results, others, producer, second, uses, readers)
    return Graph(kind, operands, results, producer, second, uses, readers, others)
