"""What adiabatic logic families demand of a circuit, checked gate by gate.

    C1  a gate writes only a wire that is known to be 0, or takes a value back
    C2  what is computed on the way is uncomputed by the gates that computed it
    C3  every level is a bijection of its wires
    C4  controls hold while what they computed is up
    C5  all paths have equally many levels (buffers fill the gaps)
    C6  a value has one reader (splitters serve more)
    C7  no complement without a second pair of rails
    series  at most four switches in series

Which family demands which: `DEMANDS`. What a family gives by construction is not demanded: a stage
of 2LAL, S2LAL or Q2LAL builds a new copy of every wire (C1, C4) and the next stage takes the old
one back, so that a level must be a bijection (C3); a retractile cascade takes back with its falling
clocks whatever it computed (C2, C3), so what a circuit erases on the way is there no gate. Switches
must not close across a voltage nor open under a current; C1, C2, C4 say so in terms of logic.

"Known to be 0" is what the gates themselves show: the sum of everything that was XORed onto the
wire cancels, or the gate carries the role `compute`, which the simulator checks on every lane.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from revsim.circuit.definition import Call, Circuit, Definition
from revsim.circuit.gates import CSWAP, ERASE, SWAP, Role, X
from revsim.circuit.graph import Step, require_at_most, steps, wire_names
from revsim.circuit.registers import Register
from revsim.errors import InputError

GATE_LIMIT: Final = 1_000_000
SERIES_LIMIT: Final = 4
"""Pass gates in series beyond which a level is too slow: 2 to 4 is usual."""

DEMANDS: Final = {
    "retractile": ("C1", "C4", "series"),
    "2lal": ("C2", "C3", "C5", "C7", "series"),
    "s2lal": ("C2", "C3", "C5", "C7", "series"),
    "q2lal": ("C2", "C3", "C5", "series"),
    "ecrl": ("C5", "series"),
    "pfal": ("C5", "series"),
    "aqfp": ("C5", "C6"),
}
"""Rules that a circuit can break, by family. AQFP is asked as irreversible logic; SCRL is left out,
since no phase table of it was found."""

Terms = frozenset[frozenset[tuple[int, bool]]]
State = tuple[int, Terms]
"""What a wire holds: an unknown value (0: none) XOR a sum of products of values."""
_ZERO: Final[State] = (0, frozenset())


@dataclass(frozen=True)
class Violation:
    """Gate number `gate` breaks `rule`; `what` says how, in the user's names of wires."""

    rule: str
    gate: int
    what: str


@dataclass(frozen=True)
class Examined:
    """A circuit as adiabatic logic would see it.

    `levels`: ticks from input to output. `nodes`: values that gates make; a gate that takes back
    what another wrote makes none, since on a retractile cascade the falling clock does it.
    `violations` of all rules, whatever the family.
    """

    levels: int
    nodes: int
    violations: tuple[Violation, ...]

    def of(self, family: str) -> tuple[Violation, ...]:
        """Violations of what one family demands; an InputError for a family without phase table."""
        if family not in DEMANDS:
            known = ", ".join(DEMANDS)
            why = "no sourced phase table" if family == "scrl" else "unknown logic family"
            raise InputError(f"{family!r}: {why}; choose one of {known}")
        return tuple(v for v in self.violations if v.rule in DEMANDS[family])


def examine(circuit: Circuit | Definition) -> Examined:
    """Levels, nodes and violations of every rule; at most a million gates.

    >>> from revsim.circuit.builder import Builder
    >>> b = Builder("copy"); p, q = b.port("p", 1), b.port("q", 1, zero=True); b.cx(p, q)
    >>> examine(b.build())
    Examined(levels=1, nodes=1, violations=())
    """
    subject = circuit if isinstance(circuit, Circuit) else _alone(circuit)
    require_at_most(subject, GATE_LIMIT, "the check of a logic family", "check its definitions")
    names = wire_names(subject)
    walk = _Walk(lambda wire: names.get(wire, f"local {wire - subject.width}"))
    violations = tuple(_violations(subject, walk))
    return Examined(max(walk.level.values(), default=0), walk.nodes, violations)


def check_family(circuit: Circuit | Definition, family: str) -> tuple[Violation, ...]:
    """Every violation of what a family demands, gates numbered in order of execution, calls opened.

    At most a million gates. Raises InputError for a family that is unknown or without phase table.

    >>> from revsim.circuit.builder import Builder
    >>> b = Builder("copy"); p, q = b.port("p", 2), b.port("q", 1, zero=True)
    >>> b.cx(p[:1], q); b.cx(p[1:], q)
    >>> [(v.rule, v.gate) for v in check_family(b.build(), "retractile")]
    [('C1', 1)]
    """
    return examine(circuit).of(family)


def _alone(definition: Definition) -> Circuit:
    """A definition as a circuit: ports come in and go out."""
    every = np.arange(definition.port_wires, dtype=np.int32)
    first, registers = 0, []
    for port in definition.ports:
        registers.append(Register(port.name, every[first : first + port.width]))
        first += port.width
    inputs = [r for r, p in zip(registers, definition.ports, strict=True) if not p.zero_in]
    body = (Call(definition, every),)
    return Circuit(definition.name, len(every), body, tuple(inputs), tuple(registers))


@dataclass
class _Walk:
    """What is known of every wire while the gates pass by.

    A wire is a new node after each ERASE. `holds_up` lists the nodes that rest on a node, which
    computed them; `rests_on` the reverse. `level` is where a value arises, `read` where it is last
    read; `reader` and `writer` are gates.
    """

    names: Callable[[int], str]
    states: dict[int, State] = field(default_factory=dict)
    numbers: dict[State, int] = field(default_factory=dict)
    swapped: dict[tuple[int, State, State], tuple[State, State]] = field(default_factory=dict)
    node: dict[int, int] = field(default_factory=dict)
    wire_of: list[int] = field(default_factory=list)
    holds_up: dict[int, set[int]] = field(default_factory=dict)
    rests_on: dict[int, set[int]] = field(default_factory=dict)
    level: dict[int, int] = field(default_factory=dict)
    read: dict[int, int] = field(default_factory=dict)
    reader: dict[int, int] = field(default_factory=dict)
    writer: dict[int, int] = field(default_factory=dict)
    unknowns: int = 0
    nodes: int = 0

    def unknown(self) -> State:
        self.unknowns += 1
        return self.unknowns, frozenset()

    def state(self, wire: int) -> State:
        return self.states.get(wire, _ZERO)

    def number(self, wire: int) -> int:
        return self.numbers.setdefault(self.state(wire), len(self.numbers))

    def new_node(self, wire: int) -> int:
        self.node[wire] = len(self.wire_of)
        self.wire_of.append(wire)
        return self.node[wire]

    def node_of(self, wire: int) -> int:
        return self.node[wire] if wire in self.node else self.new_node(wire)


def _violations(circuit: Circuit, walk: _Walk) -> Iterator[Violation]:
    outputs = {int(w) for r in circuit.outputs for w in r.wires}
    kept = outputs | {int(w) for r in circuit.inputs for w in r.wires}
    for register in circuit.inputs:
        walk.states |= {int(w): walk.unknown() for w in register.wires}
    for gate, step in enumerate(steps(circuit)):
        name = f"gate {gate} ({step.name})"
        if step.opcode == ERASE:
            wire = step.targets[0]
            yield Violation("C3", gate, f"{name} erases {walk.names(wire)}: no bijection")
            walk.states[wire] = _ZERO
            walk.new_node(wire)  # the old one stays up until its clock falls
            continue
        if step.opcode == SWAP:  # wires cross, nothing is switched
            _exchange(walk, *step.targets)
            continue
        yield from _static(walk, gate, name, step)
        yield from _levels(walk, gate, name, step)
        before = [walk.state(w) for w in step.targets]
        zero = [b == _ZERO or step.role == Role.COMPUTE for b in before]
        known = walk.unknowns
        _write(walk, step, zero)
        for wire, old, was_zero in zip(step.targets, before, zero, strict=True):
            if walk.state(wire) == old:
                continue
            walk.writer[wire] = gate
            back = walk.state(wire) == _ZERO
            base, terms = walk.state(wire)
            walk.nodes += base > known or len(terms) > len(old[1])
            if not (was_zero or back or step.opcode == X):
                yield Violation("C1", gate, f"{name} writes {walk.names(wire)}, not known to be 0")
            if step.opcode != X:
                yield from _held(walk, gate, name, wire, outputs)
            _note_controls(walk, step, wire, back)
    for wire, state in walk.states.items():
        if wire not in kept and state != _ZERO:
            gate = walk.writer.get(wire, 0)
            text = f"{walk.names(wire)}, last written by gate {gate}, is never uncomputed"
            yield Violation("C2", gate, text)


def _exchange(walk: _Walk, first: int, second: int) -> None:
    walk.states[first], walk.states[second] = walk.state(second), walk.state(first)
    walk.node[first], walk.node[second] = walk.node_of(second), walk.node_of(first)
    walk.wire_of[walk.node[first]], walk.wire_of[walk.node[second]] = first, second
    for table in (walk.level, walk.read, walk.writer):
        table[first], table[second] = table.get(second, 0), table.get(first, 0)


def _static(walk: _Walk, gate: int, name: str, step: Step) -> Iterator[Violation]:
    """Rules that need no history but who read a value before: series, C6, C7."""
    if len(step.controls) > SERIES_LIMIT:
        text = f"{name} has {len(step.controls)} controls in series, more than {SERIES_LIMIT}"
        yield Violation("series", gate, text)
    constant = all(walk.state(w) == _ZERO for w in step.targets)
    if step.opcode == X and not constant:
        yield Violation("C7", gate, f"{name} inverts {walk.names(step.targets[0])}: quad rail")
    for wire, positive in step.controls:
        if not positive:
            yield Violation("C7", gate, f"{name} reads the complement of {walk.names(wire)}")
        value = walk.number(wire)
        if value in walk.reader:
            text = f"{name} reads {walk.names(wire)}, which gate {walk.reader[value]} has read"
            yield Violation("C6", gate, text)
        walk.reader.setdefault(value, gate)


def _levels(walk: _Walk, gate: int, name: str, step: Step) -> Iterator[Violation]:
    """Give the gate the first level at which all that it reads is there; C5 for what waits."""
    used = [w for w in step.wires if walk.state(w) != _ZERO]
    level = 1 + max((walk.level.get(w, 0) for w in used), default=0)
    level = max([level, *(walk.read.get(w, 0) for w in step.targets)])
    for wire in used:
        reached = max(walk.level.get(wire, 0), walk.read.get(wire, 0) - 1)
        if level - 1 > reached:
            waits = level - 1 - reached
            text = f"{name}: {walk.names(wire)} waits {waits} level{'s' if waits > 1 else ''}"
            yield Violation("C5", gate, text)
        walk.read[wire] = max(walk.read.get(wire, 0), level)
    for wire in step.targets:
        walk.level[wire] = level
        walk.read[wire] = level


def _write(walk: _Walk, step: Step, zero: list[bool]) -> None:
    """What the targets hold after the gate; equal sums cancel."""
    if step.opcode == CSWAP:
        control = walk.number(step.controls[0][0])
        first, second = (walk.state(w) for w in step.targets)
        key = control, first, second
        after = walk.swapped.pop(key, None) or (walk.unknown(), walk.unknown())
        if first == second:
            after = first, second
        walk.swapped[control, after[0], after[1]] = first, second
        walk.states |= dict(zip(step.targets, after, strict=True))
        return
    target = step.targets[0]
    controls = frozenset((walk.number(w), positive) for w, positive in step.controls)
    nothing = walk.numbers.setdefault(_ZERO, len(walk.numbers))
    if (nothing, True) in controls:
        return
    base, terms = _ZERO if zero[0] else walk.state(target)
    walk.states[target] = base, terms ^ {controls - {(nothing, False)}}


def _held(walk: _Walk, gate: int, name: str, wire: int, outputs: set[int]) -> Iterator[Violation]:
    """C4: a wire changes under something that it computed; outputs are latched and may stay up."""
    own = walk.node_of(wire)
    for node in sorted(walk.holds_up.get(own, ())):
        target = walk.wire_of[node]
        if target not in outputs and node != own:
            text = f"{name} changes {walk.names(wire)} while {walk.names(target)} rests on it"
            yield Violation("C4", gate, text)
            return


def _note_controls(walk: _Walk, step: Step, wire: int, back: bool) -> None:
    own = walk.node_of(wire)
    if back:
        for control in walk.rests_on.pop(own, ()):
            walk.holds_up[control].discard(own)
        return
    controls = {walk.node_of(w) for w, _ in step.controls}
    walk.rests_on.setdefault(own, set()).update(controls)
    for control in controls:
        walk.holds_up.setdefault(control, set()).add(own)
