"""A definition and all that it calls as arrays, each definition once, so that kernels walk them."""

from array import array
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Controls, Definition, Gates, Loop, Table
from revsim.circuit.gates import COLUMNS, EXTRA, MCX, OP
from revsim.circuit.registers import Wires

Int64s = npt.NDArray[np.int64]
Polarity = npt.NDArray[np.uint8]


def control_lists(controls: tuple[Controls, ...]) -> tuple[Int64s, Wires, Polarity]:
    """Control lists as arrays: (starts, wires, polarity), list i at starts[i]:starts[i + 1]."""
    starts = np.cumsum([0, *(len(c) for c in controls)]).astype(np.int64)
    listed = np.array([w for c in controls for w, _ in c], dtype=np.int32)
    polarity = np.array([p for c in controls for _, p in c], dtype=np.uint8)
    return starts, listed, polarity


def controls_of(starts: Int64s, listed: Wires, polarity: Polarity) -> tuple[Controls, ...]:
    """The control lists that arrays stand for."""
    pairs = list(zip(listed.tolist(), polarity.astype(bool).tolist(), strict=True))
    cuts = starts.tolist()
    return tuple(tuple(pairs[a:b]) for a, b in pairwise(cuts))


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """What kernels.py walks through; columns of `definitions` and `items` stand there.

    `lists` are (starts, wires, polarity) of all control lists. Counted out, the definition has
    `gates` rows, `mcx` of them MCX, with `controls` controls in all; `depth` levels of calls take
    `room` entries of a frame.
    """

    definitions: Int64s
    items: Int64s
    wires: Wires
    table: Table
    lists: tuple[Int64s, Wires, Polarity]
    gates: int
    mcx: int
    controls: int
    depth: int
    room: int

    def start(self, backward: bool, fill: int, no_wire: int) -> tuple[Int64s, Int64s, Wires]:
        """(stack, run, frame) before the first gate, all entries of the frame but one `fill`."""
        stack = np.zeros((self.depth, 5), dtype=np.int64)
        stack[0] = len(self.definitions) - 1, 0, 0, 1, backward
        run = np.zeros(8, dtype=np.int64)
        run[7] = fill
        frame = np.full(self.room, fill, dtype=np.int32)
        frame[0] = no_wire
        return stack, run, frame


@dataclass(eq=False)
class _Reading:
    """The arrays while definitions are read, callees first."""

    number: dict[Definition, int] = field(default_factory=dict)
    definitions: list[tuple[int, int, int, int]] = field(default_factory=list)
    items: "array[int]" = field(default_factory=lambda: array("q"))
    wires: list[Wires] = field(default_factory=list)
    used: int = 0
    tables: list[Table] = field(default_factory=list)
    rows: int = 0
    lists: list[Controls] = field(default_factory=list)
    first_list: dict[int, int] = field(default_factory=dict)
    totals: list[tuple[int, int, int, int, int]] = field(default_factory=list)

    def add(self, definition: Definition) -> int:
        """The number of a definition, read if it is not yet."""
        if definition in self.number:
            return self.number[definition]
        own = array("q")
        gates = mcx = controls = depth = room = 0
        for item in definition.body:
            if isinstance(item, Gates):
                gates += len(item.table)
                listed = self._controls(item)
                if listed >= 0:
                    which = item.table[item.table[:, OP] == MCX, EXTRA].tolist()
                    mcx += len(which)
                    controls += sum(len(item.controls[i]) for i in which)
                own.extend((-1, self.rows, len(item.table), max(listed, 0), 0))
                self.tables.append(item.table)
                self.rows += len(item.table)
                continue
            callee = self.add(item.definition)
            ports, turns, start = item.definition.port_wires, 1, self.used
            if isinstance(item, Loop):
                turns = item.count
                self.wires += item.base, item.stride
                self.used += 2 * ports
            else:
                self.wires.append(item.wires)
                self.used += ports
            below = self.totals[callee]
            gates, mcx, controls = (
                gates + turns * below[0], mcx + turns * below[1], controls + turns * below[2],
            )  # fmt: skip
            if below[3] > depth:
                depth = below[3]
            if below[4] > room:
                room = below[4]
            stride = start + (ports if isinstance(item, Loop) else 0)
            own.extend((callee, start, turns, stride, item.inverse))
        first = len(self.items) // 5
        self.items.extend(own)
        number = self.number[definition] = len(self.definitions)
        last = len(self.items) // 5
        self.definitions.append((first, last, definition.port_wires, definition.wires))
        self.totals.append((gates, mcx, controls, depth + 1, room + definition.wires + 1))
        return number

    def _controls(self, gates: Gates) -> int:
        """The first of the control lists of a table, or -1; lists that tables share stand once."""
        if not gates.controls:
            return -1
        if id(gates.controls) not in self.first_list:
            self.first_list[id(gates.controls)] = len(self.lists)
            self.lists += gates.controls
        return self.first_list[id(gates.controls)]


def hierarchy_of(definition: Definition) -> Hierarchy:
    """The arrays of a definition; a table that stands alone is not copied."""
    reading = _Reading()
    reading.add(definition)
    wires = np.concatenate([np.zeros(0, np.int32), *reading.wires]).astype(np.int32, copy=False)
    return Hierarchy(
        np.array(reading.definitions, dtype=np.int64),
        np.array(reading.items, dtype=np.int64).reshape(-1, 5),
        wires,
        _joined(reading.tables),
        control_lists(tuple(reading.lists)),
        *reading.totals[-1],
    )


def _joined(tables: list[Table]) -> Table:
    """Tables one behind the other, writable and in one piece: kernels are compiled for that."""
    if len(tables) == 1:
        table = np.ascontiguousarray(tables[0], dtype=np.int32)
        return table if table.flags.writeable else table.copy()
    return np.concatenate([np.zeros((0, COLUMNS), np.int32), *tables])
