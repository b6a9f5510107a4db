"""Reading `gate` and `def`: head, annotations, local registers and body."""

import re

import numpy as np

from revsim.circuit.definition import BodyItem, CircuitItem, Definition, Port
from revsim.errors import InputError
from revsim.formats.qasm3.names import DEPTH_LIMIT, RESERVED
from revsim.formats.qasm3.notes import Notes, all_used, integers, name_of, read_notes, words
from revsim.formats.qasm3.roles import Flags, corrected, inferred, with_roles
from revsim.formats.qasm3.scope import Known, Scope, end, let, width_of
from revsim.formats.qasm3.statements import application, barrier, reset_in_definition
from revsim.formats.qasm3.tokens import Cursor, Token, shortened


def definition(
    cursor: Cursor, outer: Scope, known: dict[str, Known], text: str, notes: Notes
) -> None:
    """Read one `gate` or `def` and enter it in `known`."""
    begun = cursor.now.line
    kind = cursor.take().text
    token = cursor.word(f"the name of the {kind}", begun)
    if token.text in known or token.text in outer.runs:
        raise cursor.fail(f"{token.text!r} is declared twice", begun)
    if token.text in RESERVED:
        raise cursor.fail(f"{token.text!r} is a word of OpenQASM; choose another name", begun)
    scope = Scope(kind, token.text)
    ports = (_gate_ports if kind == "gate" else _def_ports)(cursor, scope, begun)
    name = name_of(cursor, notes, token.text)
    zero = words(cursor, notes, "zero")
    for word in zero:
        if word not in scope.runs:
            raise cursor.fail(f"@revsim.zero names {word!r}, which is no port", begun)
    scope.causes = words(cursor, notes, "causes")
    ports = [Port(p.name, p.width, p.name in zero) for p in ports]
    ports = _renamed(cursor, notes, ports, begun)
    roles = notes.pop("roles", ("", begun))
    port_wires = scope.width
    cursor.expect("{", f"the head of {kind} {token.text!r}", begun)
    local = _locals(cursor, scope, notes)
    while not cursor.accept("}"):
        if cursor.now.kind == "end":
            raise cursor.fail(
                f"{kind} {token.text!r} is not closed: '}}' is missing; the file may be cut short",
                begun,
            )
        _inner(cursor, scope, known, text, local)
    scope.flush()
    if scope.depth > DEPTH_LIMIT:
        raise cursor.fail(
            f"{kind} {token.text!r} stands on {scope.depth} levels of definitions; at most "
            f"{DEPTH_LIMIT} are supported",
            begun,
        )
    before = np.ones(scope.width, dtype=np.uint8)
    before[:port_wires] = [p.zero_in for p in ports for _ in range(p.width)]
    after = np.ones(scope.width, dtype=np.uint8)
    after[:port_wires] = 0
    body = body_with_roles(cursor, scope, before, after, roles)
    found = Definition(
        name,
        tuple(ports),
        scope.width - port_wires,
        tuple(item for item in body if isinstance(item, BodyItem)),
        tuple(local),
        tuple(scope.causes),
    )
    known[token.text] = Known(found, kind == "gate", scope.depth)


def _gate_ports(cursor: Cursor, scope: Scope, begun: int) -> list[Port]:
    if cursor.at("("):
        raise cursor.fail("a gate with angles or parameters is not supported", begun)
    ports = []
    while True:
        token = cursor.word("the name of a wire of the gate", begun)
        scope.declare(cursor, token, 1)
        ports.append(Port(token.text, 1))
        if not cursor.accept(","):
            return ports


def _def_ports(cursor: Cursor, scope: Scope, begun: int) -> list[Port]:
    ports: list[Port] = []
    cursor.expect("(", f"the name of def {scope.name!r}", begun)
    while not cursor.accept(")"):
        if ports:
            cursor.expect(",", f"port {ports[-1].name!r}", begun)
        if not cursor.at("qubit"):
            raise cursor.fail(
                f"ports are qubits: write qubit[n] name; {cursor.found(begun)}", begun
            )
        width = width_of(cursor, begun)
        token = cursor.word("the name of a port", begun)
        scope.declare(cursor, token, width)
        ports.append(Port(token.text, width))
    return ports


def _locals(cursor: Cursor, scope: Scope, notes: Notes) -> list[tuple[str, int, int]]:
    """Registers that `@revsim.local sum[4] carry` gives to a def."""
    line = notes.get("local", ("", 0))[1]
    out = []
    for word in words(cursor, notes, "local"):
        found = re.fullmatch(r"([A-Za-z_]\w*)(?:\[(\d{1,12})\])?", word, re.ASCII)
        if found is None or found[2] == "0":
            raise cursor.fail(
                f"{shortened(word)!r} is no local register: write @revsim.local name or name[4]",
                line,
            )
        if scope.kind == "gate":
            raise cursor.fail("a gate has no wires of its own: write 'def' instead", line)
        width = int(found[2] or 1)
        first = scope.declare(cursor, Token("word", found[1], line), width).start
        out.append((found[1], first, width))
    return out


def _renamed(cursor: Cursor, notes: Notes, ports: list[Port], begun: int) -> list[Port]:
    """Ports with the names (and the ports of no wires) that `@revsim.ports` gives."""
    if "ports" not in notes:
        return ports
    text, line = notes.pop("ports")
    found = cursor.arguments(text, line, ("widths",))
    default = " ".join(str(port.width) for port in ports)
    widths = integers(cursor, found.named.get("widths", default), line)
    if len(widths) != len(found.plain) or [w for w in widths if w] != [p.width for p in ports]:
        raise cursor.fail("@revsim.ports does not fit the ports of this definition", line)
    rest = iter(ports)
    return [
        Port(name, width, bool(width) and next(rest).zero_in)
        for name, width in zip(found.plain, widths, strict=True)
    ]


def _inner(
    cursor: Cursor,
    scope: Scope,
    known: dict[str, Known],
    text: str,
    local: list[tuple[str, int, int]],
) -> None:
    """One statement inside a definition."""
    if cursor.now.kind == "pragma":
        raise cursor.fail("a pragma cannot stand inside a definition")
    notes = read_notes(cursor)
    token = cursor.now
    match token.text:
        case "qubit":
            if scope.kind == "gate":
                raise cursor.fail("a gate has no wires of its own: write 'def' instead of 'gate'")
            width = width_of(cursor, token.line)
            name = cursor.word("the name of the register", token.line)
            end(cursor, token.line)
            local.append((name.text, scope.declare(cursor, name, width).start, width))
        case "let":
            let(cursor, scope)
        case "gate" | "def" | "include":
            raise cursor.fail(f"{token.text!r} cannot stand inside {scope.kind} {scope.name!r}")
        case "reset":
            reset_in_definition(cursor, scope, notes)
        case "barrier":
            barrier(cursor, scope, notes)
        case _:
            application(cursor, scope, known, notes, text)
    all_used(cursor, notes, token)


def body_with_roles(
    cursor: Cursor, scope: Scope, before: Flags, after: Flags, text: tuple[str, int]
) -> list[CircuitItem]:
    """The items of a body with their roles: found by the rule, then corrected as the file says."""
    roles = inferred(scope.items, before, after)
    if text[0]:
        try:
            roles = corrected(scope.items, roles, text[0].split("//")[0])
        except InputError as error:
            raise cursor.fail(str(error), text[1]) from None
    return with_roles(scope.items, roles)
