"""The program of a large definition put together from the programs of what it calls.

Flattening a definition takes 160 bytes a gate for a while; a softmax of a thousand classes has
twenty million gates, but few definitions that it calls a thousand times. Each of these is made a
program once and then moved, call by call, to the slots of its caller: 8 bytes a gate.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Definition, Gates, Loop, Table
from revsim.circuit.gates import COLUMNS, EXTRA, FREE, MCX, OP, ROLE, TALLY, A, C, Role
from revsim.circuit.program import control_lists, is_leaf, program_of
from revsim.circuit.registers import Wires

LINKED_GATES = 1 << 21
"""Definitions with calls and more gates than this are linked: others are flattened."""

_NO_CONTROLS = np.zeros(1, dtype=np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8)


@dataclass(frozen=True, eq=False)
class Part:
    """A gate table on wires of its own and the slot of each of these; control lists as in
    `Program`. A table may stand in many parts."""

    table: Table
    controls: tuple[npt.NDArray[np.int64], Wires, npt.NDArray[np.uint8]]
    slots: Wires

    def moved(self, tallies: int, lists: int) -> Table:
        """The table on slots; tallies and control lists are numbered from these on."""
        lookup = np.append(self.slots, np.int32(-1)).astype(np.int32)  # -1 (no wire) stays -1
        table = self.table.copy()
        table[:, A : C + 1] = lookup[self.table[:, A : C + 1]]
        tally = self.table[:, OP] == TALLY
        table[tally, EXTRA] = np.arange(tallies, tallies + int(tally.sum()))
        table[self.table[:, OP] == MCX, EXTRA] += lists
        return table


@dataclass(eq=False)
class Linker:
    """The parts of one definition; `slots` that they take in all, ports first.

    Every wire of the definition has a slot of its own; what is called finds its locals above.
    """

    parts: list[Part] = field(default_factory=list)
    slots: int = 0
    _programs: dict[tuple[Definition, bool], Part] = field(default_factory=dict)

    def add(self, definition: Definition, inverse: bool, wires: Wires) -> None:
        """A definition on the slots of its wires, locals among them; its locals end at 0."""
        self.slots = max(self.slots, int(wires.max(initial=-1)) + 1)
        free = self.slots
        for item in reversed(definition.body) if inverse else definition.body:
            if isinstance(item, Gates):
                gates = item.inverse() if inverse else item
                self.parts.append(Part(gates.table, control_lists(gates.controls), wires))
                continue
            calls = item.calls() if isinstance(item, Loop) else (item,)
            for call in reversed(calls) if inverse else calls:
                self._call(call.definition, call.inverse != inverse, wires[call.wires], free)
        ends = wires[definition.port_wires :]
        frees = np.full((len(ends), COLUMNS), -1, dtype=np.int32)
        frees[:, OP], frees[:, C], frees[:, ROLE], frees[:, EXTRA] = (
            FREE, np.arange(len(ends)), 0, 0,
        )  # fmt: skip
        self.parts.append(Part(frees, _NO_CONTROLS, ends))

    def _call(self, definition: Definition, inverse: bool, ports: Wires, free: int) -> None:
        """A call whose locals take the slots from `free` on."""
        if not is_leaf(definition):
            inner = np.arange(free, free + definition.locals, dtype=np.int32)
            self.add(definition, inverse, np.concatenate([ports, inner]))
            return
        key = definition, inverse
        if key not in self._programs:
            made = program_of.__wrapped__(definition, inverse)
            lists = made.starts, made.control_wires, made.control_polarity
            own = np.arange(made.slots, dtype=np.int32)
            self._programs[key] = Part(without_double_checks(made.table), lists, own)
        program = self._programs[key]
        inner = np.arange(free, free + len(program.slots) - len(ports), dtype=np.int32)
        self.parts.append(Part(program.table, program.controls, np.concatenate([ports, inner])))
        self.slots = max(self.slots, free + len(inner))


def link(definition: Definition, inverse: bool) -> Linker:
    """The parts of a definition, one behind the other."""
    linker = Linker()
    linker.add(definition, inverse, np.arange(definition.wires, dtype=np.int32))
    return linker


def is_linked(definition: Definition, gates: int) -> bool:
    """Whether a definition of so many gates is put together from what it calls."""
    return gates > LINKED_GATES and any(not isinstance(item, Gates) for item in definition.body)


def without_double_checks(table: Table) -> Table:
    """Without each FREE of a wire that the gate before it uncomputed, where it is checked."""
    free = table[:, OP] == FREE
    gate = np.maximum.accumulate(np.where(free, 0, np.arange(len(table))))
    before = table[gate]
    double = free & (before[:, ROLE] == Role.UNCOMPUTE) & (before[:, C] == table[:, C])
    return np.asarray(table[~double])
