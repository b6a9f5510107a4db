"""Whole circuits in the Fredkin basis: two rails inside, one rail at the border.

Wire w of the device gets a second rail, wire width + w, that holds its complement while w is used.
All computing is done by definitions in controlled swaps (`fredkin.py`). At the border, and nowhere
else, stand NOTs, which supply constant ones and take them back, and CNOTs, which split an input
into rails and join them again: at the end, and before an ERASE, which conserves nothing anyway. So
inputs, outputs and every erased bit are those of the circuit that was rewritten.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from revsim.circuit.definition import (
    Alloc,
    Call,
    Circuit,
    CircuitItem,
    Definition,
    Erase,
    Free,
    Gates,
    Loop,
    Port,
)
from revsim.circuit.fredkin import conservative, ones_of
from revsim.circuit.gates import COLUMNS, CX, OP, ROLE, A, B, C, Role, X
from revsim.circuit.registers import Register, Wires


def in_fredkin_basis(circuit: Circuit) -> Circuit:
    """A circuit of the same inputs, outputs and erasures that computes by CSWAPs alone.

    Device wires: those of the circuit, their complements, the constant ones that definitions
    borrow. Raises InputError where a definition erases inside (a conventional netlist).

    >>> from revsim.circuit.measures import circuit_counts
    >>> from revsim.formats.qasm3 import loads
    >>> not_x = loads("OPENQASM 3.0;\\n@revsim.input\\n@revsim.output\\nqubit q;\\nx q;")
    >>> counted = circuit_counts(in_fredkin_basis(not_x))  # one CSWAP between two borders
    >>> counted.fredkin, counted.x, counted.cnot
    (1, 4, 2)
    """
    width = circuit.width
    calls = [_calls(item, width) for item in circuit.body]
    borrowed = max((ones_of(c.definition) for each in calls for c in each), default=0)
    ones = np.arange(2 * width, 2 * width + borrowed, dtype=np.int32)
    allocates = any(isinstance(item, Alloc) for item in circuit.body)
    live = {int(w) for r in circuit.inputs for w in r.wires}
    given = _sorted(live)
    if not allocates:  # read from a text: every wire is in use from start to end
        live = set(range(width))
    start: list[CircuitItem] = [_constants(ones), _constants(_sorted(live) + width)]
    if allocates:
        registers = Register("ones", ones), Register("input_not", given + width)
        start = [*(Alloc(r) for r in registers if len(r.wires)), *start]
    items = [("", item) for item in (*start, _split(given, width))]
    for position, item in enumerate(circuit.body):
        new: Sequence[CircuitItem] = (item,)
        if calls[position]:
            new = [_on_rails(call, width, ones) for call in calls[position]]
        elif isinstance(item, Erase):
            new = (_split(_erased_from(circuit, position), width), item)
        elif isinstance(item, Alloc):
            live |= set(item.register.wires.tolist())
            other = _complement(item.register, width)
            new = (item, Alloc(other), _constants(other.wires))
        elif isinstance(item, Free) and allocates:
            live -= set(item.register.wires.tolist())
            other = _complement(item.register, width)
            new = (_constants(other.wires, back=True), Free(other), item)
        layer = circuit.layer_of[position] if circuit.layer_of else ""
        items += [(layer, part) for part in new]
    left = _sorted(live)
    end = _split(left, width), _constants(left + width, back=True), _constants(ones, back=True)
    items += [("", item) for item in end]
    items = [(k, i) for k, i in items if not (isinstance(i, Gates) and not len(i.table))]
    named = [_complement(r, width) for r in circuit.registers]
    if named and borrowed:
        named.append(Register("ones", ones))
    return replace(
        circuit,
        width=2 * width + borrowed,
        body=tuple(item for _, item in items),
        layer_of=tuple(layer for layer, _ in items) if circuit.layer_of else (),
        layers=tuple(
            replace(layer, linear=tuple(conservative(d) for d in layer.linear))
            for layer in circuit.layers
        ),
        registers=(*circuit.registers, *named),
    )


def _calls(item: CircuitItem, width: int) -> list[Call]:
    """The calls that an item stands for; loose gates become a definition of their own."""
    if isinstance(item, Gates):
        used = item.table[:, A : C + 1]
        listed = [w for controls in item.controls for w, _ in controls]
        wires = np.union1d(used[used >= 0], listed).astype(np.int32)
        place = np.full(width, -1, dtype=np.int32)
        place[wires] = np.arange(len(wires), dtype=np.int32)
        loose = Definition("gates", (Port("wires", len(wires)),), 0, (item.mapped(place),))
        return [Call(conservative(loose), wires)]
    if isinstance(item, Call | Loop):
        calls = item.calls() if isinstance(item, Loop) else (item,)
        return [Call(conservative(c.definition), c.wires, c.inverse) for c in calls]
    return []


def _on_rails(call: Call, width: int, ones: Wires) -> Call:
    lent = ones[: ones_of(call.definition)]
    wires = np.concatenate([call.wires, call.wires + width, lent]).astype(np.int32)
    return Call(call.definition, wires, call.inverse)


def _erased_from(circuit: Circuit, position: int) -> Wires:
    """Wires of the run of erasures that begins here, none within it: gates would part its group."""

    def same(place: int) -> bool:
        here, there = circuit.body[position], circuit.body[place]
        return isinstance(here, Erase) and isinstance(there, Erase) and here.group == there.group

    wires: list[int] = []
    if not (position and same(position - 1)):
        place = position
        while place < len(circuit.body) and same(place):
            item = circuit.body[place]
            wires += item.register.wires.tolist() if isinstance(item, Erase) else ()
            place += 1
    return np.array(wires, dtype=np.int32)


def _constants(wires: Wires, back: bool = False) -> Gates:
    """NOT on each wire: constant ones, supplied or taken back."""
    return _gates(X, -1, wires, Role.UNCOMPUTE if back else Role.COMPUTE)


def _split(wires: Wires, width: int) -> Gates:
    """CNOT of each bit onto its other rail: from 1 to the complement, or from there to 1."""
    return _gates(CX, wires, wires + width, Role.IN_PLACE)


def _gates(opcode: int, control: "Wires | int", target: Wires, role: Role) -> Gates:
    table = np.zeros((len(target), COLUMNS), dtype=np.int32)
    table[:, OP], table[:, A], table[:, B], table[:, C] = opcode, control, -1, target
    table[:, ROLE] = role
    return Gates(table)


def _complement(register: Register, width: int) -> Register:
    return Register(f"{register.name}_not", register.wires + np.int32(width))


def _sorted(wires: set[int]) -> Wires:
    return np.array(sorted(wires), dtype=np.int32)
