"""From a `Circuit` to text: definitions callees first, then registers, then the body.

`qasm3.registers.py` decides which registers are declared and how; here stands what is written for
each definition and each item of a body.
"""

from collections.abc import Iterator

import numpy as np

from revsim.circuit.definition import (
    Alloc,
    Call,
    Circuit,
    Controls,
    Definition,
    Erase,
    Export,
    Free,
    Gates,
    Layer,
    Loop,
    Mark,
)
from revsim.circuit.gates import ERASE, FREE, GATES, MCX, OP, TALLY, A, B, C
from revsim.circuit.measures import circuit_counts
from revsim.errors import InputError
from revsim.formats.qasm3.names import RESERVED_INSIDE, WIRE_LIMIT, Names
from revsim.formats.qasm3.registers import Declarations, Frame, declare
from revsim.formats.qasm3.roles import corrections, inferred
from revsim.formats.qasm3.tokens import quoted


def write(circuit: Circuit) -> Iterator[str]:
    """The lines of the text form."""
    if circuit.width > WIRE_LIMIT:
        raise InputError(
            f"circuit {circuit.name!r} has {circuit.width} wires; the text form holds at most "
            f"{WIRE_LIMIT}"
        )
    yield from _header(circuit)
    definitions = _definitions(circuit)
    names = Names()
    spelled: dict[int, str] = {}
    gate_form: set[int] = set()
    for definition in definitions:
        spelled[id(definition)] = names.new(definition.name)
        if _fits_gate(definition, gate_form):
            gate_form.add(id(definition))
        yield ""
        yield from _Writer(spelled, gate_form).definition(definition)
    if circuit.layers:
        yield ""
        yield from (_layer(layer, spelled) for layer in circuit.layers)
    yield ""
    declarations = declare(circuit, names)
    yield from declarations.lines
    yield ""
    yield from _Writer(spelled, gate_form).circuit(circuit, declarations)


def _header(circuit: Circuit) -> Iterator[str]:
    counts = circuit_counts(circuit)
    yield "OPENQASM 3.0;"
    yield 'include "stdgates.inc";'
    yield (
        f"// {circuit.width} wires; {counts.gates} gates: {counts.toffoli} ccx, {counts.cnot} cx, "
        f"{counts.x} x, {counts.fredkin} cswap, {counts.swap} swap, {counts.mcx} with ctrl @, "
        f"{counts.erase} reset"
    )
    yield "// Index 0 of a register is its least significant bit."
    words = [f"name={quoted(circuit.name)}"]
    for key, value, default in (
        ("policy", circuit.policy, "as_written"),
        ("input", circuit.input_choice, "as_written"),
        ("order", circuit.order, ""),
    ):
        if value != default:
            words.append(f"{key}={quoted(value)}")
    yield f"pragma revsim.circuit {' '.join(words)}"


def _definitions(circuit: Circuit) -> list[Definition]:
    """Definitions of the body, then those that only a layer names; callees always first."""
    known = {id(d): d for d in circuit.definitions()}
    for layer in circuit.layers:
        for definition in layer.linear:
            body = tuple(item for item in definition.body if not isinstance(item, Gates))
            for inner in (*Circuit("", 0, body, (), ()).definitions(), definition):
                known.setdefault(id(inner), inner)
    return list(known.values())


def _layer(layer: Layer, spelled: dict[int, str]) -> str:
    words = [quoted(layer.name), f"kind={quoted(layer.kind)}"]
    words += [f"macs={layer.macs}"] if layer.macs else []
    words += [f"neurons={layer.neurons}"] if layer.neurons else []
    if layer.linear:
        words.append(f"linear={quoted(' '.join(spelled[id(d)] for d in layer.linear))}")
    return f"pragma revsim.layer {' '.join(words)}"


def _fits_gate(definition: Definition, gate_form: set[int]) -> bool:
    """Whether `gate` can say it: 1-wide ports, no locals, nothing but gates and such calls."""
    if definition.locals or not definition.ports or any(p.width != 1 for p in definition.ports):
        return False
    for item in definition.body:
        if isinstance(item, Gates):
            if bool(np.isin(item.table[:, OP], (ERASE, TALLY)).any()):
                return False
        elif id(item.definition) not in gate_form:
            return False
    return True


class _Writer:
    """Writes bodies; knows the identifiers of the definitions and which of them are `gate`s."""

    def __init__(self, spelled: dict[int, str], gate_form: set[int]) -> None:
        self._spelled = spelled
        self._gate_form = gate_form

    def definition(self, definition: Definition) -> Iterator[str]:
        """Annotations, head and body of one definition."""
        name = self._spelled[id(definition)]
        ports = [p for p in definition.ports if p.width]
        calls = [item for item in definition.body if not isinstance(item, Gates)]
        called = {self._spelled[id(call.definition)] for call in calls}
        names = Names({name, *called}, RESERVED_INSIDE)
        idents = [names.new(p.name) for p in ports]
        if name != definition.name:
            yield f"@revsim.name {quoted(definition.name)}"
        if [p.name for p in definition.ports] != idents:
            line = "@revsim.ports " + " ".join(quoted(p.name) for p in definition.ports)
            if len(ports) != len(definition.ports):
                line += f' widths="{" ".join(str(p.width) for p in definition.ports)}"'
            yield line
        zero = [ident for ident, p in zip(idents, ports, strict=True) if p.zero_in]
        if zero:
            yield f"@revsim.zero {' '.join(zero)}"
        if definition.causes and definition.causes != ("erase",):
            yield "@revsim.causes " + " ".join(quoted(c) for c in definition.causes)
        before = np.ones(definition.wires, dtype=np.uint8)
        before[: definition.port_wires] = np.repeat(
            np.array([p.zero_in for p in definition.ports], dtype=np.uint8),
            np.array([p.width for p in definition.ports], dtype=np.int64),
        )
        after = np.ones(definition.wires, dtype=np.uint8)
        after[: definition.port_wires] = 0
        roles = corrections(definition.body, inferred(definition.body, before, after))
        if roles:
            yield f"@revsim.roles {roles}"
        frame = Frame(names)
        for ident, port in zip(idents, ports, strict=True):
            frame.add(ident, port.width)
        line = "@revsim.local"
        for wish, width in _locals(definition):
            ident = names.new(wish)
            frame.add(ident, width)
            word = ident if width == 1 else f"{ident}[{width}]"
            if len(line) + len(word) > 98:
                yield line
                line = "@revsim.local"
            line += f" {word}"
        if not line.endswith("local"):
            yield line
        if id(definition) in self._gate_form:
            yield f"gate {name} {', '.join(idents)} {{"
        else:
            typed = zip(ports, idents, strict=True)
            yield f"def {name}({', '.join(_typed(p.width, ident) for p, ident in typed)}) {{"
        for item in definition.body:
            for line in self._item(item, frame, definition.causes):
                yield "  " + line
        yield "}"

    def circuit(self, circuit: Circuit, declarations: Declarations) -> Iterator[str]:
        """The body of the circuit, with pragmas for what OpenQASM has no word for."""
        frame = declarations.frame
        before = np.ones(circuit.width, dtype=np.uint8)
        for register in circuit.inputs:
            before[register.wires] = 0
        roles = corrections(
            circuit.body, inferred(circuit.body, before, np.zeros(circuit.width, np.uint8))
        )
        if roles:
            yield f"pragma revsim.roles {roles}"
        layers = circuit.layer_of or ("",) * len(circuit.body)
        layer = ""
        for item, name in zip(circuit.body[: declarations.items], layers, strict=False):
            if name != layer:
                yield f"pragma revsim.begin {quoted(name)}"
                layer = name
            if isinstance(item, Alloc | Free):
                word = "alloc" if isinstance(item, Alloc) else "free"
                yield f"pragma revsim.{word} {declarations.ident(item.register)}"
                declarations.in_use(item.register)
            elif isinstance(item, Mark):
                idents = " ".join(declarations.ident(r) for r in item.registers)
                yield f"pragma revsim.mark {quoted(item.name)} {idents}".rstrip()
            elif isinstance(item, Export):
                raise InputError(
                    f"{circuit.name!r} exports register {item.register.name!r}: the text form has "
                    "no word for exports; leave them to circuits made in Python"
                )
            elif isinstance(item, Erase):
                yield from _erase(item, layer, declarations)
            else:
                yield from self._item(item, frame, ())

    def _item(
        self, item: Gates | Call | Loop, frame: Frame, causes: tuple[str, ...]
    ) -> Iterator[str]:
        if isinstance(item, Gates):
            yield from _rows(item, frame, causes)
            return
        name = self._spelled[id(item.definition)]
        calls = item.calls() if isinstance(item, Loop) else (item,)
        for call in calls:
            if id(item.definition) in self._gate_form:
                inverse = "inv @ " if call.inverse else ""
                yield f"{inverse}{name} {', '.join(frame.wire(w) for w in call.wires.tolist())};"
                continue
            words = []
            start = 0
            for port in item.definition.ports:
                if port.width:
                    line, word = frame.span(call.wires[start : start + port.width])
                    yield from (line,) if line else ()
                    words.append(word)
                start += port.width
            if call.inverse:
                yield "@revsim.inverse"
            yield f"{name}({', '.join(words)});"


def _typed(width: int, ident: str) -> str:
    return f"qubit {ident}" if width == 1 else f"qubit[{width}] {ident}"


def _locals(definition: Definition) -> list[tuple[str, int]]:
    """Locals as (name, width) that cover them in order; unnamed runs are called `work`."""
    out: list[tuple[str, int]] = []
    next_wire = definition.port_wires
    for name, first, width in sorted(definition.local_registers, key=lambda r: r[1]):
        if first < next_wire or not width or first + width > definition.wires:
            continue
        if first > next_wire:
            out.append(("work", first - next_wire))
        out.append((name, width))
        next_wire = first + width
    if next_wire < definition.wires:
        out.append(("work", definition.wires - next_wire))
    return out


def _erase(item: Erase, layer: str, declarations: Declarations) -> Iterator[str]:
    words = []
    for key, value, default in (
        ("cause", item.cause, "erase"),
        ("layer", item.layer, layer),
        ("value_of", item.value_of, item.register.name),
    ):
        if value != default:
            words.append(f"{key}={quoted(value)}")
    ident = declarations.ident(item.register)
    if not len(item.register.wires):
        yield " ".join(["pragma revsim.erase", ident, *words])
        return
    if words:
        yield f"@revsim.erase {' '.join(words)}"
    yield f"reset {ident};"


def _rows(gates: Gates, frame: Frame, causes: tuple[str, ...]) -> Iterator[str]:
    wire = frame.wire
    for op, a, b, c, _, extra in gates.table.tolist():
        if op == MCX:
            yield _mcx(gates.controls[extra], c, frame)
        elif op == TALLY:
            yield "@revsim.tally"
            yield f"barrier {wire(a)}, {wire(b)};"
        elif op == ERASE:
            if not causes:
                raise InputError(
                    "a gate table of the circuit itself holds an ERASE: write an Erase item, "
                    "which says its cause and layer"
                )
            if extra:
                yield f"@revsim.erase cause={quoted(causes[extra])}"
            yield f"reset {wire(c)};"
        elif op == FREE:
            raise InputError("FREE is written by the compiler of programs, not in a body")
        else:
            columns = {A: a, B: b, C: c}
            used = (A, B, C)[3 - GATES[op].arity :] if GATES[op].arity != 2 else _pair(op)
            yield f"{GATES[op].qasm} {', '.join(wire(columns[k]) for k in used)};"


def _pair(op: int) -> tuple[int, int]:
    """Columns of a gate on two wires: control and target, or the two that a swap exchanges."""
    return (A, C) if GATES[op].controls else (B, C)


def _mcx(controls: Controls, target: int, frame: Frame) -> str:
    """`ctrl(2) @ negctrl @ x ...`: one modifier for each run of equal polarity."""
    runs: list[tuple[bool, int]] = []
    for _, positive in controls:
        if runs and runs[-1][0] == positive:
            runs[-1] = (positive, runs[-1][1] + 1)
        else:
            runs.append((positive, 1))
    words = []
    for positive, count in runs:
        word = "ctrl" if positive else "negctrl"
        words.append(f"{word} @ " if count == 1 else f"{word}({count}) @ ")
    wires = ", ".join(frame.wire(w) for w in (*(w for w, _ in controls), target))
    return f"{''.join(words)}x {wires};"
