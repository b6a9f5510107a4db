"""What a file has said so far about the circuit itself: its registers, roles and erasures."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from revsim.circuit.definition import Erase, Layer
from revsim.circuit.registers import Register, wires
from revsim.errors import InputError
from revsim.formats.qasm3.names import REGISTER_LIMIT, indexed
from revsim.formats.qasm3.notes import ROLES, Notes, encoding_of, name_of
from revsim.formats.qasm3.registers import plain
from revsim.formats.qasm3.scope import Known, Scope, end, operand, width_of
from revsim.formats.qasm3.tokens import Cursor, Token, shortened

_OPERAND = re.compile(r"(\w+)(?:\[([^\]]*)\])?", re.ASCII)


@dataclass
class State:
    """What the file has said so far."""

    cursor: Cursor
    text: str
    scope: Scope
    known: dict[str, Known] = field(default_factory=dict)
    registers: dict[str, Register] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)
    chosen: dict[str, list[Register]] = field(default_factory=lambda: {role: [] for role in ROLES})
    device: str = ""
    layers: list[Layer] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    roles: tuple[str, int] = ("", 0)


def declare(state: State, notes: Notes) -> None:
    """Read `qubit[n] name;` with the annotations before it."""
    cursor = state.cursor
    begun = cursor.now.line
    width = width_of(cursor, begun)
    token = cursor.word("the name of the register", begun)
    end(cursor, begun)
    if state.device or ("device" in notes and state.scope.width):
        raise cursor.fail(
            "@revsim.device must be the only qubit declaration; name parts of it with 'let'", begun
        )
    run = state.scope.declare(cursor, token, width)
    if notes.pop("device", None) is not None:
        state.device = token.text
    else:
        if not any(role in notes for role in ROLES):
            notes |= {"input": ("", begun), "output": ("", begun)}
        enter(state, token, run, notes, is_alias=False)


def enter(state: State, token: Token, run: Sequence[int], notes: Notes, is_alias: bool) -> None:
    """A register with the roles and the encoding that its annotations give."""
    cursor = state.cursor
    check_width(cursor, token.text, len(run), token.line)
    given = [role for role in ROLES if role in notes]
    if len(given) > 1 and given != ["input", "output"]:
        raise cursor.fail(
            f"{token.text!r} cannot be {' and '.join(given)} at once; only input and output go "
            "together (an input that is overwritten)",
            token.line,
        )
    if is_alias and {"work", "left_over"} & set(given):
        raise cursor.fail("an alias can be input or output, not work or left_over", token.line)
    encoding = None
    for word in ("encoding", *ROLES):
        if word not in notes:
            continue
        found = encoding_of(cursor, *notes.pop(word), len(run))
        if found and encoding:
            raise cursor.fail(f"the encoding of {token.text!r} is given twice", token.line)
        encoding = found or encoding
    name = name_of(cursor, notes, token.text)
    register = Register(name, wires(run), encoding or plain(len(run)))
    if token.text in state.known:
        raise cursor.fail(f"{token.text!r} already names a definition", token.line)
    state.registers[token.text] = register
    if is_alias:
        state.aliases.add(token.text)
    for role in given:
        state.chosen[role].append(register)


def check_width(cursor: Cursor, name: str, width: int, line: int) -> None:
    """Refuse a register that is too wide to stand for an integer."""
    if width > REGISTER_LIMIT:
        raise cursor.fail(
            f"register {name!r} has {width} wires; it stands for one integer and has at most "
            f"{REGISTER_LIMIT}: split it",
            line,
        )


def reset(state: State, notes: Notes) -> None:
    """Read `reset q[0:3];`: an ERASE of these wires."""
    cursor = state.cursor
    begun = cursor.take().line
    target = operand(cursor, state.scope, begun)
    end(cursor, begun)
    text, line = notes.pop("erase", ("", begun))
    erase(state, view(state, target.name, target.indices, begun), text, line)


def erase(state: State, register: Register, text: str, line: int) -> None:
    """An ERASE; `text` says cause, layer and whose value dies."""
    found = state.cursor.arguments(text, line, ("cause", "layer", "value_of"))
    if found.plain:
        raise state.cursor.fail(
            f"{found.plain[0]!r} is not understood: write cause=, layer= or value_of=", line
        )
    state.scope.add(
        Erase(
            register,
            found.named.get("cause", "erase"),
            found.named.get("layer", state.scope.layer),
            found.named.get("value_of", register.name),
        )
    )


def view(state: State, name: str, indices: Sequence[int], line: int) -> Register:
    """A declared register, or a part of one under its spelling."""
    if name == state.device:
        check_width(state.cursor, name, len(indices), line)
        text = indexed(name, indices, state.scope.width)
        return Register(text, wires([state.scope.runs[name][i] for i in indices]))
    register = state.registers[name]
    if len(indices) == len(register.wires) and list(indices) == list(range(len(indices))):
        return register
    picked = register.wires[np.asarray(indices, dtype=np.intp)]
    return Register(indexed(name, indices, len(register.wires)), picked)


def listed_registers(state: State, text: str, line: int) -> list[Register]:
    """Registers named in a pragma, with or without an index."""
    out = []
    position = 0
    text = text.split("//")[0]
    while position < len(text):
        if text[position] in " \t\r,":
            position += 1
            continue
        found = _OPERAND.match(text, position)
        if found is None or found[1] not in state.scope.runs:
            raise state.cursor.fail(
                f"{shortened(found[0] if found else text[position:])!r} is no declared register",
                line,
            )
        position = found.end()
        if found[2] is None and found[1] != state.device:
            out.append(state.registers[found[1]])
            continue
        inner = Cursor(f"{found[0]};", state.cursor.source)
        try:
            one = operand(inner, state.scope, 1)
        except InputError as error:
            raise state.cursor.fail(str(error).partition("line 1: ")[2], line) from None
        out.append(view(state, one.name, one.indices, line))
    return out
