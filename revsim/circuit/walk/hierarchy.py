"""A definition and all that it calls as arrays, each definition once, so that kernels walk them."""

from array import array
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Controls, Definition, Gates, Loop, Table
from revsim.circuit.gates import COLUMNS, EXTRA, MCX, OP
from revsim.circuit.registers import Wires
from revsim.circuit.walk import kernels

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
class Walk:
    """The gates of a definition in order, where they stand: `runs` int64 [runs, 5] of rows of
    `table` and `flat`, columns in kernels.py.

    `lists` are (starts, wires, polarity) of the control lists of all tables. Counted out, there are
    `gates` rows, `mcx` of them MCX, with `controls` controls in all, on `wires` flat wires: ports,
    locals, then the locals of each call.
    """

    runs: Int64s
    flat: npt.NDArray[np.uint32]
    table: Table
    lists: tuple[Int64s, Wires, Polarity]
    gates: int
    mcx: int
    controls: int
    wires: int


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
    totals: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)

    def add(self, definition: Definition) -> int:
        """Read a definition; returns its number."""
        own, called = array("q"), dict[int, int]()
        gates = mcx = controls = runs = 0
        entries, wires = definition.wires + 1, definition.wires
        for item in definition.body:
            if isinstance(item, Gates):
                listed = self._controls(item)
                if listed >= 0:
                    which = item.table[item.table[:, OP] == MCX, EXTRA].tolist()
                    mcx += len(which)
                    controls += sum(len(item.controls[i]) for i in which)
                own.extend((-1, self.rows, len(item.table), max(listed, 0), 0))
                self.tables.append(item.table)
                self.rows += len(item.table)
                gates += len(item.table)
                runs += 1
                continue
            callee = self.number.get(item.definition, -1)
            if callee < 0:
                callee = self.add(item.definition)
            turns, start, stride = 1, self.used, self.used
            if isinstance(item, Loop):
                turns, stride = item.count, start + len(item.base)
                self.wires += item.base, item.stride
                self.used += 2 * len(item.base)
            else:
                self.wires.append(item.wires)
                self.used += len(item.wires)
            own.extend((callee, start, turns, stride, item.inverse))
            called[callee] = called.get(callee, 0) + turns
        for callee, turns in called.items():
            below = self.totals[callee]
            gates += turns * below[0]
            mcx += turns * below[1]
            controls += turns * below[2]
            runs += turns * below[3]
            entries += turns * below[4]
            wires += turns * (below[5] - self.definitions[callee][2])
        first = len(self.items) // 5
        self.items.extend(own)
        number = self.number[definition] = len(self.definitions)
        last = len(self.items) // 5
        self.definitions.append((first, last, definition.port_wires, definition.wires))
        self.totals.append((gates, mcx, controls, runs, entries, wires))
        return number

    def _controls(self, gates: Gates) -> int:
        """The first of the control lists of a table, or -1; lists that tables share stand once."""
        if not gates.controls:
            return -1
        if id(gates.controls) not in self.first_list:
            self.first_list[id(gates.controls)] = len(self.lists)
            self.lists += gates.controls
        return self.first_list[id(gates.controls)]


def walk(definition: Definition, backward: bool = False) -> Walk:
    """All gates of a definition in order, forward or backward; a table that stands alone is not
    copied."""
    reading = _Reading()
    reading.add(definition)
    table, lists = _joined(reading.tables), control_lists(tuple(reading.lists))
    gates, mcx, controls, runs_, entries, wires = reading.totals[-1]
    runs = np.zeros((runs_, 5), dtype=np.int64)
    flat = np.empty(entries, dtype=np.uint32)
    flat[: definition.wires + 1] = np.arange(definition.wires + 1)
    if len(reading.definitions) == 1 == runs_:
        runs[0] = (gates - 1, gates, -1, 1, 0) if backward else (0, gates, 1, 1, 0)
    else:
        kernels.walk(
            np.array(reading.definitions, dtype=np.int64),
            np.array(reading.items, dtype=np.int64).reshape(-1, 5),
            np.concatenate([np.zeros(0, np.int32), *reading.wires]).astype(np.int32, copy=False),
            len(reading.definitions) - 1,
            1,
            int(backward),
            runs,
            flat,
            np.array([0, definition.wires + 1, definition.wires]),
        )
    return Walk(runs, flat, table, lists, gates, mcx, controls, wires)


def _joined(tables: list[Table]) -> Table:
    """Tables one behind the other, writable and in one piece: kernels are compiled for that."""
    if len(tables) == 1:
        table = np.ascontiguousarray(tables[0], dtype=np.int32)
        return table if table.flags.writeable else table.copy()
    return np.concatenate([np.zeros((0, COLUMNS), np.int32), *tables])
