"""From a netlist to code for the fused kernel."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from revsim.simulator.fused.netlist import Netlist
from revsim.simulator.scheduling import kernels, layout
from revsim.simulator.scheduling.adders.graph import Graph, graph_of
from revsim.simulator.scheduling.adders.sums import DEAD, Sum, sums_of
from revsim.simulator.scheduling.ladders import columns_of, ladders
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
        node, order, stuck = _ordered(graph, sums)
        if stuck is None:
            break
        sums.remove(stuck)

    flipped = np.zeros(len(graph.uses), dtype=np.uint8)
    summed = np.zeros(len(graph.kind), dtype=np.uint8)
    for one in sums:
        summed[one.operations] = 1
        for value, negative in zip(one.results, one.negative, strict=True):
            if value != DEAD:
                flipped[value] = negative
    rows = np.full((len(graph.kind), 6), -1, dtype=np.int32)
    kernels.without_complements(
        order, graph.kind, graph.operands, graph.results, summed, rows, flipped
    )
    ends = np.cumsum([0, *map(len, looked_at)]) + len(netlist.outputs)
    erased, tallied, free, role = (graph.others[lo:hi] for lo, hi in pairwise(ends.tolist()))
    extra = _looked_at(erased, tallied.reshape(-1, 2), free, role, flipped)
    code, alias = _written(graph, sums, node, order, rows, extra, flipped)

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
        _flips(tallied.reshape(-1, 2), flipped),
    )


def _can_run(graph: Graph) -> bool:
    return len(_ordered(graph, [])[1]) == len(graph.kind)


def _ordered(graph: Graph, sums: list[Sum]) -> tuple[Int32s, Int32s, Sum | None]:
    """(node, order, stuck): the node that each operation belongs to, a sum or itself; nodes in an
    order in which they can run; a sum that waits for another one that waits for it, if any."""
    count = len(graph.kind)
    node = np.arange(count, dtype=np.int32)
    for one in sums:
        node[one.operations] = one.operations[0]
    order, ready = np.empty(count, dtype=np.int32), np.zeros(count, dtype=np.uint8)
    done = kernels.order_nodes(node, graph.operands, graph.producer, order, ready)
    waiting = [one for one in sums if not ready[one.operations[0]]]
    return node, order[:done], waiting[0] if waiting else None


def _written(
    graph: Graph,
    sums: list[Sum],
    node: Int32s,
    order: Int32s,
    rows: Int32s,
    extra: Int32s,
    flipped: Bytes,
) -> tuple[Int32s, Int32s]:
    """Code on values, and alias int32 [values, old and new]: what stands for a value.

    Rows of one kind are put together as far as windows of `TOGETHER` nodes go; what looks at values
    comes at the end of the window that makes them.
    """
    rank = np.empty(len(graph.kind), dtype=np.int64)
    rank[order] = np.arange(len(order))
    rank = rank[node]
    made_at = np.append(rank, -1)[graph.producer]  # -1: there from the start
    ready = made_at[extra[:, 1]]
    joint = extra[:, 0] == layout.JOINT
    ready[joint] = np.maximum(ready[joint], made_at[extra[joint, 2]])
    own = np.flatnonzero(rows[:, 0] >= 0)
    window = (ready // TOGETHER + 1) * TOGETHER - 0.5
    key = np.concatenate([rank[own].astype(np.float64), window])
    every = np.concatenate([rows[own], extra])
    kinds = np.concatenate([np.zeros(len(own), dtype=np.int64), extra[:, 0]])
    line = np.lexsort((kinds, key))
    fresh = len(graph.uses)
    alias = np.arange(fresh, dtype=np.int32)
    parts, start = [], 0
    for one in sorted(sums, key=lambda s: int(rank[s.operations[0]])):
        stop = int(np.searchsorted(key[line], rank[one.operations[0]]))
        parts.append(kernels.packed(every, line[start:stop], _SHAPE[:3].sum(axis=0)))
        start = stop
        bits = columns_of(one.terms, flipped, one.constant, len(one.results), fresh)
        ladders(bits)
        fresh = bits.fresh
        parts.append(np.array(bits.code, dtype=np.int32))
        for value, total in zip(one.results, bits.total, strict=True):
            if value != DEAD:
                alias[value] = total
    parts.append(kernels.packed(every, line[start:], _SHAPE[:3].sum(axis=0)))
    alias = np.concatenate([alias, np.arange(len(alias), fresh, dtype=np.int32)])
    while (alias[alias] != alias).any():  # a bit that passes a sum unchanged may be one of another
        alias = alias[alias]
    code = np.concatenate(parts)
    kernels.rename(code, _SHAPE, alias)
    return code, alias


def _flips(literals: Int32s, flipped: Bytes) -> Bytes:
    return np.asarray((literals & 1) ^ flipped[literals >> 1], dtype=np.uint8)


def _looked_at(
    erased: Int32s, tallied: Int32s, free: Int32s, role: Int32s, flipped: Bytes
) -> Int32s:
    """Rows that look at values: counts, and checks that a value is 0."""
    parts = []

    def add(kind: Int32s | int, *columns: Int32s) -> None:
        rows = np.full((len(columns[0]), 6), -1, dtype=np.int32)
        rows[:, 0] = kind
        for k, column in enumerate(columns):
            rows[:, 1 + k] = column
        parts.append(rows)

    add(layout.COUNT, erased >> 1, np.arange(len(erased), dtype=np.int32))
    add(layout.JOINT, *(tallied >> 1).T, np.arange(len(tallied), dtype=np.int32))
    for kind, literals in ((layout.FREE, free), (layout.ROLE, role)):
        add(kind + _flips(literals, flipped).astype(np.int32), literals >> 1)
    return np.concatenate(parts)


def in_words(plan: Schedule, block: int) -> npt.NDArray[np.uint32]:
    """The code of a schedule with word offsets in a frame of `block` words a slot for slots."""
    code = kernels.scaled(plan.code, _SHAPE, block)
    return np.asarray(code, dtype=np.uint32)
