"""From text to a `Circuit`: one pass over the statements.

A name must be declared before it is used, so that a definition cannot call itself. Everything is
checked where it stands and reported with its line.
"""

import numpy as np

from revsim.circuit.definition import Circuit, Free
from revsim.circuit.validate import validate
from revsim.errors import InputError
from revsim.formats.qasm3.definitions import body_with_roles, definition
from revsim.formats.qasm3.notes import all_used, read_notes
from revsim.formats.qasm3.pragmas import pragma
from revsim.formats.qasm3.scope import Scope, end, let
from revsim.formats.qasm3.state import State, declare, enter, reset
from revsim.formats.qasm3.statements import application, barrier
from revsim.formats.qasm3.tokens import Cursor, shortened


def read(text: str, source: str, name: str) -> Circuit:
    """The circuit that a text describes; `name` where the text does not give one."""
    cursor = Cursor(text, source)
    state = State(cursor, text, Scope("circuit", name))
    _version(cursor)
    while cursor.now.kind != "end":
        if cursor.now.kind == "pragma":
            pragma(state, cursor.take())
        else:
            _statement(state)
    return _circuit(state, name)


def _version(cursor: Cursor) -> None:
    if cursor.now.kind == "end":
        raise cursor.fail("the file holds no statement; it must begin with 'OPENQASM 3.0;'")
    if not cursor.at("OPENQASM"):
        raise cursor.fail(
            f"the first statement must be 'OPENQASM 3.0;', found {shortened(cursor.now.text)!r}"
        )
    begun = cursor.take().line
    if cursor.now.text not in ("3", "3.0", "3.1"):
        raise cursor.fail(f"version 3 of OpenQASM is read, found {cursor.now.text!r}", begun)
    cursor.take()
    end(cursor, begun)


def _statement(state: State) -> None:
    cursor, scope = state.cursor, state.scope
    notes = read_notes(cursor)
    token = cursor.now
    match token.text:
        case "include":
            cursor.take()
            if cursor.now.text != '"stdgates.inc"':
                raise cursor.fail("only 'include \"stdgates.inc\";' is supported", token.line)
            cursor.take()
            end(cursor, token.line)
        case "qubit":
            declare(state, notes)
        case "let":
            alias, run = let(cursor, scope)
            enter(state, alias, run, notes, is_alias=True)
        case "gate" | "def":
            definition(cursor, scope, state.known, state.text, notes)
        case "reset":
            reset(state, notes)
        case "barrier":
            barrier(cursor, scope, notes)
        case "}":
            raise cursor.fail("'}' closes nothing here")
        case _:
            application(cursor, scope, state.known, notes, state.text)
    all_used(cursor, notes, token)


def _circuit(state: State, name: str) -> Circuit:
    cursor, scope = state.cursor, state.scope
    scope.flush()
    scope.layer = ""
    for register in state.chosen["work"]:
        scope.add(Free(register))
    before = np.ones(scope.width, dtype=np.uint8)
    for register in state.chosen["input"]:
        before[register.wires] = 0
    after = np.zeros(scope.width, dtype=np.uint8)
    body = body_with_roles(cursor, scope, before, after, state.roles)
    keep = state.aliases if state.device else set(state.registers) - state.aliases
    circuit = Circuit(
        name=state.facts.get("name", name),
        width=scope.width,
        body=tuple(body),
        inputs=tuple(state.chosen["input"]),
        outputs=tuple(state.chosen["output"]),
        layers=tuple(state.layers),
        layer_of=tuple(scope.layers),
        policy=state.facts.get("policy", "as_written"),
        input_choice=state.facts.get("input", "as_written"),
        order=state.facts.get("order", ""),
        registers=tuple(r for ident, r in state.registers.items() if ident in keep),
    )
    try:
        return validate(circuit)
    except InputError as error:
        raise InputError(f"{cursor.source}: {error}") from None
