"""Definitions and circuits: frozen values that hold gates as arrays and never flatten as a whole.

A `Definition` has ports and local wires that are 0 when it is entered and 0 when it is left. Its
wires are numbered ports first, in order, then locals. Its body is a tuple of

    Gates        a table of gates, one row each (columns: gates.py)
    Call         another definition on some of these wires, forward or inverse
    Loop         the same call `count` times, its wires advanced by `stride` each time

A `Circuit` is a body on the wires of a device plus the items that only a schedule writes:

    Alloc, Free  a register starts to be used, ends (all its wires must be 0)
    Erase        a register is set to 0 whatever it holds: the only irreversible step
    Export       a copy of a register leaves the device, declared kept or not
    Mark         a named tensor can be read here; costs nothing and changes nothing
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from revsim.circuit.gates import ERASE, INVERSE_ROLE, OP, ROLE
from revsim.circuit.gates import A as COLUMN_A
from revsim.circuit.gates import C as COLUMN_C
from revsim.circuit.registers import Register, Wires
from revsim.errors import InputError

Table = npt.NDArray[np.int32]
Controls = tuple[tuple[int, bool], ...]
"""Controls of one MCX: (wire, polarity) pairs; polarity False is a negative control."""

_INVERSE_ROLE = np.array(INVERSE_ROLE, dtype=np.int32)


@dataclass(frozen=True, eq=False)
class Gates:
    """A run of gates: `table` is int32 [gates, 6]; MCX rows index `controls` (column EXTRA)."""

    table: Table
    controls: tuple[Controls, ...] = ()

    def inverse(self) -> "Gates":
        """The same gates backward: every gate is its own inverse, compute becomes uncompute."""
        if bool((self.table[:, OP] == ERASE).any()):
            raise InputError(
                "an ERASE has no inverse: uncompute the register instead of erasing it"
            )
        table = self.table[::-1].copy()
        table[:, ROLE] = _INVERSE_ROLE[table[:, ROLE]]
        return Gates(table, self.controls)

    def mapped(self, wires: Wires) -> "Gates":
        """The same gates on other wires: wire w becomes wires[w]."""
        lookup = np.append(wires, np.int32(-1)).astype(np.int32)  # -1 (no wire) stays -1
        table = self.table.copy()
        table[:, COLUMN_A : COLUMN_C + 1] = lookup[self.table[:, COLUMN_A : COLUMN_C + 1]]
        controls = tuple(tuple((int(lookup[w]), p) for w, p in c) for c in self.controls)
        return Gates(table, controls)


@dataclass(frozen=True, eq=False)
class Call:
    """`definition` on `wires` (one per port wire, in port order)."""

    definition: "Definition"
    wires: Wires
    inverse: bool = False


@dataclass(frozen=True, eq=False)
class Loop:
    """`count` calls of `definition`; call i uses the wires base + i * stride."""

    definition: "Definition"
    count: int
    base: Wires
    stride: Wires
    inverse: bool = False

    def calls(self) -> tuple[Call, ...]:
        """The calls in the order in which they run (last first where the loop is inverted)."""
        order = range(self.count - 1, -1, -1) if self.inverse else range(self.count)
        return tuple(
            Call(self.definition, (self.base + i * self.stride).astype(np.int32), self.inverse)
            for i in order
        )


@dataclass(frozen=True)
class Port:
    """A named run of wires that the caller gives; `zero_in` promises that it arrives as 0."""

    name: str
    width: int
    zero_in: bool = False


BodyItem = Gates | Call | Loop


@dataclass(frozen=True, eq=False)
class Definition:
    """A named circuit with ports and local wires; compared by identity.

    `local_registers` names runs of locals as (name, first wire, width), in order. `causes` names
    what the ERASE rows of the body (conventional netlists only) are for.
    """

    name: str
    ports: tuple[Port, ...]
    locals: int
    body: tuple[BodyItem, ...]
    local_registers: tuple[tuple[str, int, int], ...] = ()
    causes: tuple[str, ...] = ()

    @cached_property
    def port_wires(self) -> int:
        """Number of wires that the caller gives."""
        return sum(port.width for port in self.ports)

    @cached_property
    def wires(self) -> int:
        """Ports plus own locals (not those of called definitions)."""
        return self.port_wires + self.locals

    @cached_property
    def erases(self) -> bool:
        """Whether an ERASE stands anywhere below; memoised."""
        for item in self.body:
            if isinstance(item, Gates):
                if bool((item.table[:, OP] == ERASE).any()):
                    return True
            elif item.definition.erases:
                return True
        return False

    def name_of(self, wire: int) -> str:
        """A wire in the user's words, such as `acc[3]`."""
        start = 0
        for port in self.ports:
            if start <= wire < start + port.width:
                return f"{port.name}[{wire - start}]"
            start += port.width
        place = bisect_right(self.local_registers, wire, key=lambda register: register[1])
        name, first, width = self.local_registers[place - 1] if place else ("", 0, 0)
        if first <= wire < first + width:
            return f"{name}[{wire - first}]"
        return f"wire {wire}"


@dataclass(frozen=True, eq=False)
class Alloc:
    """A register comes into use; its wires hold 0."""

    register: Register


@dataclass(frozen=True, eq=False)
class Free:
    """A register goes out of use; every wire must hold 0 on every lane."""

    register: Register


@dataclass(frozen=True, eq=False)
class Erase:
    """`register` is set to 0 whatever it holds.

    `cause` and `layer` say why and where, `value_of` whose value dies. Consecutive erasures of one
    (layer, cause) form a group: `given_kept` is read before and after the whole group.
    """

    register: Register
    cause: str
    layer: str
    value_of: str

    @property
    def group(self) -> tuple[str, str]:
        """(layer, cause)."""
        return self.layer, self.cause


@dataclass(frozen=True, eq=False)
class Export:
    """A copy of `register` leaves the device under a name.

    `kept`: whether resets may use the copy from then on. Only what is declared counts as kept: a
    record that nobody can reach pays for nothing.
    """

    register: Register
    name: str
    kept: bool


@dataclass(frozen=True, eq=False)
class Mark:
    """Tensor `name` can be read here: one register per element, in element order."""

    name: str
    registers: tuple[Register, ...]


@dataclass(frozen=True)
class Layer:
    """What a schedule says of one layer.

    `linear` are the definitions that must not erase; `linear_toffolis` the Toffolis of the linear
    part, computed and uncomputed, once, whatever the policy makes of it.
    """

    name: str
    kind: str
    macs: int = 0
    linear: tuple[Definition, ...] = ()
    neurons: int = 0
    linear_toffolis: int = 0


CircuitItem = Gates | Call | Loop | Alloc | Free | Erase | Export | Mark


@dataclass(frozen=True, eq=False)
class Circuit:
    """A body on `width` wires with named inputs and outputs; `ranges` are declared inputs' ends.

    At the start every wire but the inputs holds 0; at the end every wire that is neither an input,
    an output nor declared `left_over` must hold 0. `layer_of` gives the layer name of each body
    item ("" for none), so that every number can be broken down.
    """

    name: str
    width: int
    body: tuple[CircuitItem, ...]
    inputs: tuple[Register, ...]
    outputs: tuple[Register, ...]
    layers: tuple[Layer, ...] = ()
    layer_of: tuple[str, ...] = ()
    policy: str = "as_written"
    input_choice: str = "as_written"
    order: str = ""
    registers: tuple[Register, ...] = field(default=())
    ranges: tuple[tuple[int, int], ...] = ()

    def definitions(self) -> tuple[Definition, ...]:
        """Every definition that is called, callees first, each once."""
        seen: dict[int, Definition] = {}

        def visit(definition: Definition) -> None:
            if id(definition) not in seen:
                for item in definition.body:
                    if isinstance(item, Call | Loop):
                        visit(item.definition)
                seen[id(definition)] = definition

        for item in self.body:
            if isinstance(item, Call | Loop):
                visit(item.definition)
        return tuple(seen.values())

    def __repr__(self) -> str:
        return (
            f"Circuit({self.name!r}, policy={self.policy!r}, input={self.input_choice!r}, "
            f"{self.width} device wires, {len(self.body)} items, "
            f"{len(self.definitions())} definitions)"
        )
