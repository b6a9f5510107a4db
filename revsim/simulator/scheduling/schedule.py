"""From a netlist to code for the fused kernel."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.simulator.fused.netlist import HALF, Netlist
from revsim.simulator.scheduling import kernels, layout
from revsim.simulator.scheduling.layout import NUMBERS, READS, WRITES

Int32s = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]

FOREVER = np.iinfo(np.int32).max
COUNTED_TOGETHER = 32
"""What operations leave behind is counted after so many of them, in runs of one kind."""

_READS, _WRITES, _NUMBERS = (np.array(t, dtype=np.int64) for t in (READS, WRITES, NUMBERS))


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
    operations = len(netlist.kind)
    first = netlist.ports + 1  # value 0 is constant 0, then come the ports, then results
    made = np.where(netlist.kind >= HALF, 2, 1)
    values = first + int(made.sum())
    rows = np.full((operations, 6), -1, dtype=np.int32)
    flipped = np.zeros(values, dtype=np.uint8)
    kernels.without_complements(netlist.kind, netlist.operands + 2, rows, flipped)

    producer = np.full(values, -1, dtype=np.int64)  # the operation that makes a value
    producer[first:] = np.repeat(np.arange(operations), made)
    looked_at = [_looked_at(netlist, flipped)]
    extra = np.concatenate([r for r in looked_at if len(r)] or [rows[:0]])
    ready = producer[extra[:, 1]]
    joint = extra[:, 0] == layout.JOINT
    ready[joint] = np.maximum(ready[joint], producer[extra[joint, 2]])
    window = (ready // COUNTED_TOGETHER + 1) * COUNTED_TOGETHER - 0.5
    key = np.concatenate([np.arange(operations, dtype=np.float64), window])
    kinds = np.concatenate([np.zeros(operations, dtype=np.int64), extra[:, 0]])
    order = np.lexsort((kinds, key))
    code = kernels.packed(np.concatenate([rows, extra]), order, _READS + _WRITES + _NUMBERS)

    literals = netlist.outputs[:, 1] + 2
    results = literals >> 1
    last = np.full(values, -1, dtype=np.int32)
    kernels.last_uses(code, _READS, _WRITES, _NUMBERS, last)
    last[results] = FOREVER
    loaded = np.flatnonzero(last[1:first] >= 0).astype(np.int32)
    slot = np.full(values, -1, dtype=np.int32)
    slot[0] = 0
    last[0] = FOREVER
    slot[loaded + 1] = np.arange(1, len(loaded) + 1)
    slots = kernels.assign_slots(code, _READS, _WRITES, _NUMBERS, last, slot, len(loaded) + 1)
    return Schedule(
        code,
        int(slots),
        loaded,
        netlist.outputs[:, 0].copy(),
        slot[results],
        ((literals & 1) ^ flipped[results]).astype(np.uint8),
        _flips(netlist.erased, flipped),
        _flips(netlist.tallied, flipped),
    )


def _flips(literals: Int32s, flipped: Bytes) -> Bytes:
    own = literals + 2
    return np.asarray((own & 1) ^ flipped[own >> 1], dtype=np.uint8)


def _looked_at(netlist: Netlist, flipped: Bytes) -> Int32s:
    """Rows that look at values: counts, and checks that a value is 0."""
    parts = []

    def add(kind: Int32s | int, *columns: Int32s) -> None:
        rows = np.full((len(columns[0]), 6), -1, dtype=np.int32)
        rows[:, 0] = kind
        for k, column in enumerate(columns):
            rows[:, 1 + k] = column
        parts.append(rows)

    erased, tallied = (netlist.erased + 2) >> 1, (netlist.tallied + 2) >> 1
    add(layout.COUNT, erased, np.arange(len(erased), dtype=np.int32))
    add(layout.JOINT, tallied[:, 0], tallied[:, 1], np.arange(len(tallied), dtype=np.int32))
    for kind, literals in ((layout.FREE, netlist.free), (layout.ROLE, netlist.role)):
        add(kind + _flips(literals, flipped).astype(np.int32), (literals + 2) >> 1)
    return np.concatenate(parts)


def in_words(plan: Schedule, block: int) -> npt.NDArray[np.uint32]:
    """The code of a schedule with word offsets in a frame of `block` words a slot for slots."""
    code = kernels.scaled(plan.code, _READS, _WRITES, _NUMBERS, block)
    return np.asarray(code, dtype=np.uint32)
