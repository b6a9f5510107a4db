"""From a netlist to code for the fused kernel."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from revsim.simulator.fused.netlist import Netlist
from revsim.simulator.scheduling import kernels
from revsim.simulator.scheduling.adders.graph import Graph, graph_of
from revsim.simulator.scheduling.adders.sums import sums_of
from revsim.simulator.scheduling.layout import ENDS, NUMBERS, READS, WRITES

Int32s = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]

FOREVER = np.iinfo(np.int32).max
TOGETHER = 32
"""What so many nodes leave behind is counted after them, in runs of one kind."""

_SHAPE = np.array([READS, WRITES, NUMBERS, ENDS], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Schedule:
    """Code on `slots` slots: int32, see `layout`.

    `loaded` int32: the ports that it reads, which stand in slots 1, 2, ... at the start. `changed`
    int32: the ports that it changes; the new values stand in slots `results` int32, complemented
    where `results_flipped` uint8 is 1. `erased_flipped` uint8 [erased] and `tallied_flipped` uint8
    [tallies, 2]: where what is counted is the complement of what is meant.
    """

    code: Int32s
    slots: int
    loaded: Int32s
    changed: Int32s
    results: Int32s
    results_flipped: Bytes
    erased_flipped: Bytes
    tallied_flipped: Bytes

    @property
    def arrays(self) -> tuple[npt.NDArray[np.generic], ...]:
        """All arrays."""
        results = (self.changed, self.results, self.results_flipped)
        return (self.code, self.loaded, *results, self.erased_flipped, self.tallied_flipped)


def schedule(netlist: Netlist) -> Schedule:
    """Order the operations of a netlist and give each value a slot."""
    given = netlist.ports + 1  # value 0 is constant 0, then come the ports, then results
    operands = netlist.operands + 2
    looked_at = (netlist.erased, netlist.tallied.ravel(), netlist.free, netlist.role)
    others = np.concatenate([netlist.outputs[:, 1], *looked_at]) + 2
    graph = graph_of(netlist.kind, operands, given, others)
    if not _can_run(graph):
        graph = graph_of(netlist.kind, operands, given, others, share=False)
    sums = sums_of(graph)
    while True:
        node, order, stuck = _ordered(graph, sums.of, sums.first)
        if stuck < 0:
            break
        sums.of[sums.of == stuck] = -1

    flipped = np.zeros(len(graph.uses), dtype=np.uint8)
    summed = sums.of >= 0
    wanted = (sums.results >= 0) & np.repeat(summed[sums.first], np.diff(sums.bounds))
    flipped[sums.results[wanted]] = sums.negative[wanted]
    rows = np.full((len(graph.kind), 6), -1, dtype=np.int32)
    kernels.without_complements(
        order, graph.kind, graph.operands, graph.results, summed.view(np.uint8), rows, flipped
    )
    ends = np.cumsum([0, *map(len, looked_at)]) + len(netlist.outputs)
    erased, tallied, free, role = (graph.others[lo:hi] for lo, hi in pairwise(ends.tolist()))
    tallied = tallied.reshape(-1, 2)
    rank = np.empty(len(graph.kind), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    looked = kernels.rows_looked_at(
        erased, tallied, free, role, flipped, graph.producer, rank[node], TOGETHER
    )
    code, alias = kernels.written(
        rows, order, *looked, TOGETHER, _SHAPE[:3].sum(axis=0), flipped, sums.of, sums.bounds,
        sums.results, sums.term_bounds, sums.terms, sums.weights, sums.constants,
    )  # fmt: skip
    kernels.rename(code, _SHAPE, alias)

    literals = graph.others[: len(netlist.outputs)]
    results = alias[literals >> 1]
    last = np.full(len(alias), -1, dtype=np.int32)
    kernels.last_uses(code, _SHAPE, last)
    last[results] = last[0] = FOREVER
    loaded = np.flatnonzero(last[1:given] >= 0).astype(np.int32)
    slot = np.full(len(alias), -1, dtype=np.int32)
    slot[0] = 0
    slot[loaded + 1] = np.arange(1, len(loaded) + 1)
    slots = kernels.assign_slots(code, _SHAPE, last, slot, len(loaded) + 1)
    return Schedule(
        code,
        int(slots),
        loaded,
        netlist.outputs[:, 0].copy(),
        slot[results],
        ((literals & 1) ^ flipped[literals >> 1]).astype(np.uint8),
        _flips(erased, flipped),
        _flips(tallied, flipped),
    )


def _can_run(graph: Graph) -> bool:
    alone, none = np.full(len(graph.kind), -1, dtype=np.int32), np.zeros(0, dtype=np.int32)
    return len(_ordered(graph, alone, none)[1]) == len(graph.kind)


def _ordered(graph: Graph, sum_of: Int32s, first: Int32s) -> tuple[Int32s, Int32s, int]:
    """(node, order, stuck): the node that each operation belongs to, a sum or itself; nodes in an
    order in which they can run; a sum that waits for another one that waits for it, or -1."""
    count = len(graph.kind)
    node = np.arange(count, dtype=np.int32)
    inside = sum_of >= 0
    node[inside] = first[sum_of[inside]]
    order, ready = np.empty(count, dtype=np.int32), np.zeros(count, dtype=np.uint8)
    done = kernels.order_nodes(node, graph.operands, graph.producer, order, ready)
    waiting = np.flatnonzero((ready[first] == 0) & inside[first])
    return node, order[:done], int(waiting[0]) if len(waiting) else -1


def _flips(literals: Int32s, flipped: Bytes) -> Bytes:
    return np.asarray((literals & 1) ^ flipped[literals >> 1], dtype=np.uint8)


def in_words(plan: Schedule, block: int) -> npt.NDArray[np.uint32]:
    """The code of a schedule with word offsets in a frame of `block` words a slot for slots."""
    code = kernels.scaled(plan.code, _SHAPE, block)
    return np.asarray(code, dtype=np.uint32)
