"""Pragmas: what a schedule adds to a circuit and OpenQASM has no word for."""

import re

from revsim.circuit.definition import Alloc, Free, Layer, Mark
from revsim.circuit.registers import Encoding, Register, wires
from revsim.formats.qasm3.notes import integers
from revsim.formats.qasm3.state import State, erase, listed_registers
from revsim.formats.qasm3.tokens import Token, shortened, unquoted


def pragma(state: State, token: Token) -> None:
    """Read one pragma; those of other programs are passed over."""
    cursor, line = state.cursor, token.line
    word, _, rest = token.text.partition("pragma")[2].strip().partition(" ")
    if not word.startswith("revsim."):
        return
    match word.removeprefix("revsim."):
        case "circuit":
            found = cursor.arguments(rest, line, ("name", "policy", "input", "order"))
            state.facts |= found.named
        case "layer":
            _layer(state, rest, line)
        case "begin":
            state.scope.flush()
            state.scope.layer = " ".join(cursor.arguments(rest, line, ()).plain)
        case "roles":
            state.roles = (rest, line)
        case "alloc":
            for register in listed_registers(state, rest, line):
                state.scope.add(Alloc(register))
        case "free":
            for register in listed_registers(state, rest, line):
                state.scope.add(Free(register))
        case "mark":
            head = re.match(r'\s*("(?:[^"\\]|\\.)*"|\w+)', rest)
            name = unquoted(head[1]) if head else None
            if head is None or name is None:
                raise cursor.fail('a mark needs a name: pragma revsim.mark "z" q ...', line)
            state.scope.add(Mark(name, tuple(listed_registers(state, rest[head.end() :], line))))
        case "erase":
            name, _, text = rest.strip().partition(" ")
            registers = listed_registers(state, name, line)
            if len(registers) != 1:
                raise cursor.fail("write: pragma revsim.erase name cause=...", line)
            erase(state, registers[0], text, line)
        case "constant":
            _constant(state, rest, line)
        case "inputs" | "outputs":
            role = word.removeprefix("revsim.")[:-1]
            listed = listed_registers(state, rest, line)
            if {id(r) for r in listed} != {id(r) for r in state.chosen[role]}:
                raise cursor.fail(f"{word} must name every {role}, and nothing else", line)
            state.chosen[role] = listed
        case other:
            raise cursor.fail(f"unknown pragma revsim.{shortened(other)}", line)


def _layer(state: State, rest: str, line: int) -> None:
    cursor = state.cursor
    found = cursor.arguments(rest, line, ("kind", "macs", "neurons", "linear"))
    if len(found.plain) != 1:
        raise cursor.fail('a layer needs one name: pragma revsim.layer "dense" kind=...', line)
    linear = []
    for word in found.named.get("linear", "").split():
        if word not in state.known:
            raise cursor.fail(f"the layer names a definition {word!r} that is not there yet", line)
        linear.append(state.known[word].definition)
    numbers = [integers(cursor, found.named.get(key, "0"), line) for key in ("macs", "neurons")]
    if any(len(n) != 1 for n in numbers):
        raise cursor.fail("macs and neurons are one whole number each", line)
    macs, neurons = (n[0] for n in numbers)
    kind = found.named.get("kind", "")
    state.layers.append(Layer(found.plain[0], kind, macs, tuple(linear), neurons))


def _constant(state: State, rest: str, line: int) -> None:
    cursor = state.cursor
    found = cursor.arguments(rest, line, ("value",))
    roles = [w for w in found.plain if w in ("input", "output")]
    names = [w for w in found.plain if w not in ("input", "output")]
    value = integers(cursor, found.named.get("value", "0"), line)
    if not names or len(value) != 1:
        raise cursor.fail("write: pragma revsim.constant name value=5", line)
    token = Token("word", names[0], line)
    state.scope.enter(cursor, token, [])
    register = Register(names[-1], wires([]), Encoding(value[0], ()))
    state.registers[names[0]] = register
    state.aliases.add(names[0])
    for role in roles:
        state.chosen[role].append(register)
