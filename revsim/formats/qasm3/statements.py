"""Statements that definitions and the circuit share: gates, calls, resets, barriers.

Every function reads one statement from the cursor, checks it completely, and adds to the scope.
Messages name the line on which the statement begins.
"""

import difflib
import re
from collections.abc import Sequence

from revsim.circuit.definition import Call, Definition
from revsim.circuit.gates import CCX, CSWAP, CX, ERASE, GATES, MCX, SWAP, TALLY, X
from revsim.circuit.registers import wires
from revsim.formats.qasm3.names import KEYWORDS, OTHER_GATES, SUPPORTED_GATES, WIRE_LIMIT
from revsim.formats.qasm3.notes import Notes
from revsim.formats.qasm3.scope import Known, Operand, Scope, end, no_repeat, operand, operands
from revsim.formats.qasm3.tokens import Cursor, Token

OPCODES = {GATES[code].qasm: code for code in (X, CX, CCX, SWAP, CSWAP)}
_CONTROLS_OF = {"x": 0, "cx": 1, "ccx": 2}


def barrier(cursor: Cursor, scope: Scope, notes: Notes) -> None:
    """A barrier says nothing here, unless `@revsim.tally` stands before it."""
    begun = cursor.take().line
    listed = [] if cursor.at(";") else operands(cursor, scope, begun)
    end(cursor, begun)
    if notes.pop("tally", None) is None:
        return
    pair = [w for one in listed for w in one.wires]
    if len(pair) != 2:
        raise cursor.fail(f"@revsim.tally needs a barrier on two wires, got {len(pair)}", begun)
    no_repeat(cursor, scope, pair, "the tally", begun)
    scope.row(TALLY, pair[0], pair[1], -1, scope.tallies)
    scope.tallies += 1


def reset_in_definition(cursor: Cursor, scope: Scope, notes: Notes) -> None:
    """`reset` inside a `def`: an ERASE of a conventional netlist, with a cause."""
    begun = cursor.take().line
    if scope.kind == "gate":
        raise cursor.fail("a gate cannot reset: write 'def' instead of 'gate'", begun)
    target = operand(cursor, scope, begun)
    end(cursor, begun)
    cause = scope.causes[0] if scope.causes else "erase"
    if "erase" in notes:
        text, line = notes.pop("erase")
        cause = cursor.arguments(text, line, ("cause",)).named.get("cause", cause)
    if cause not in scope.causes:
        scope.causes.append(cause)
    for wire in target.wires:
        scope.row(ERASE, -1, -1, wire, scope.causes.index(cause))


def application(
    cursor: Cursor, scope: Scope, known: dict[str, Known], notes: Notes, text: str
) -> None:
    """A gate or a call, with its modifiers; `text` is the file, for a better message."""
    begun = cursor.now.line
    runs: list[tuple[bool, int]] = []
    inverse = False
    while cursor.now.text in ("ctrl", "negctrl", "inv", "pow"):
        word = cursor.take().text
        if word == "pow":
            raise cursor.fail("'pow' is not supported: write the gate as often as it acts", begun)
        count = 1
        if word != "inv" and cursor.accept("("):
            count = cursor.number(f"the count of {word!r}", begun)
            cursor.expect(")", f"'{word}({count}'", begun)
            if not 1 <= count <= WIRE_LIMIT:
                raise cursor.fail(
                    f"'{word}({count})' needs a count of at least 1 wire and at most {WIRE_LIMIT}",
                    begun,
                )
        cursor.expect("@", f"{word!r}", begun)
        if word == "inv":
            inverse = not inverse
        else:
            runs.append((word == "ctrl", count))
    token = cursor.word("the name of a gate", begun)
    if token.text in OPCODES:
        _gate(cursor, scope, token, runs, begun)
        return
    found = known.get(token.text)
    if found is None:
        raise cursor.fail(_unknown(token, scope, known, text), token.line)
    if runs:
        raise cursor.fail(
            f"'ctrl @' is supported for x, cx and ccx, not for {token.text!r}: add the control "
            "inside its definition",
            begun,
        )
    if scope.kind == "gate" and not found.is_gate:
        raise cursor.fail(
            f"gate {scope.name!r} calls {token.text!r}, which is a def: write {scope.name!r} as "
            "a def too",
            begun,
        )
    if not found.is_gate and inverse:
        raise cursor.fail(
            "OpenQASM has no 'inv @' for a def: put @revsim.inverse on the line before", begun
        )
    if notes.pop("inverse", None) is not None:
        inverse = not inverse
    if inverse and found.definition.erases:
        raise cursor.fail(
            f"{token.text!r} erases something, so that it cannot be called backward", begun
        )
    scope.depth = max(scope.depth, found.depth + 1)
    reader = _call_gate if found.is_gate else _call_def
    reader(cursor, scope, token, found.definition, inverse)


def _gate(
    cursor: Cursor, scope: Scope, token: Token, runs: list[tuple[bool, int]], begun: int
) -> None:
    name = token.text
    opcode = OPCODES[name]
    if cursor.at("("):
        raise cursor.fail(f"gate {name!r} takes no angle or parameter", begun)
    if runs and name not in _CONTROLS_OF:
        raise cursor.fail(
            f"'ctrl @ {name}' is not supported; supported are ctrl @ and negctrl @ before x, cx "
            "and ccx, and cswap",
            begun,
        )
    if not runs and _plain_gate(cursor, scope, opcode):
        return
    given = operands(cursor, scope, begun)
    end(cursor, begun)
    extra = sum(count for _, count in runs)
    arity = extra + GATES[opcode].arity
    if len(given) != arity:
        raise cursor.fail(f"{name!r} acts on {arity} wires here, {len(given)} are given", begun)
    polarity = [positive for positive, count in runs for _ in range(count)]
    polarity += [True] * _CONTROLS_OF.get(name, 0)
    for used in _lanes(cursor, scope, name, given, begun):
        if runs:
            scope.row(MCX, -1, -1, used[-1], len(scope.controls))
            scope.controls.append(tuple(zip(used, polarity, strict=False)))
        else:
            _row(scope, opcode, used)


def _row(scope: Scope, opcode: int, used: Sequence[int]) -> None:
    """One gate without control list; `used` in the order of the text."""
    if len(used) == 1:
        scope.row(opcode, -1, -1, used[0])
    elif len(used) == 3:
        scope.row(opcode, used[0], used[1], used[2])
    elif opcode == SWAP:
        scope.row(opcode, -1, used[0], used[1])
    else:
        scope.row(opcode, used[0], -1, used[1])


def _plain_gate(cursor: Cursor, scope: Scope, opcode: int) -> bool:
    """Read a gate on single wires by the shortcut; False where anything is out of the ordinary."""
    words, stop = cursor.plain_operands()
    used: list[int] = []
    for name, index in zip(words[::2], words[1::2], strict=True):
        run = scope.runs.get(name or "", ())
        place = int(index) if index else 0
        if place >= len(run) or (index is None and len(run) != 1):
            return False
        used.append(run[place])
    if len(used) != GATES[opcode].arity or len(set(used)) != len(used):
        return False
    cursor.skip_to(stop)
    _row(scope, opcode, used)
    return True


def _lanes(
    cursor: Cursor, scope: Scope, name: str, given: list[Operand], begun: int
) -> list[tuple[int, ...]]:
    """Broadcasting: registers of equal width act wire by wire, single wires repeat."""
    longest = max(len(one.wires) for one in given)
    for one in given:
        if len(one.wires) not in (1, longest):
            raise cursor.fail(
                f"{name!r} is given registers of {longest} and {len(one.wires)} wires "
                f"({one.text}); widths must be equal or 1",
                begun,
            )
    columns = [list(one.wires) * (1 if len(one.wires) == longest else longest) for one in given]
    lanes = list(zip(*columns, strict=True))
    if len(given) > 1:
        for used in lanes:
            if len(set(used)) != len(used):
                no_repeat(cursor, scope, used, f"gate {name!r}", begun)
    return lanes


def _call_gate(
    cursor: Cursor, scope: Scope, token: Token, definition: Definition, inverse: bool
) -> None:
    if cursor.at("("):
        raise cursor.fail(
            f"{token.text!r} is a gate: write its wires without parentheses", token.line
        )
    given = operands(cursor, scope, token.line)
    end(cursor, token.line)
    if len(given) != definition.port_wires:
        raise cursor.fail(
            f"{token.text!r} acts on {definition.port_wires} wires, {len(given)} are given",
            token.line,
        )
    for used in _lanes(cursor, scope, token.text, given, token.line):
        scope.add(Call(definition, wires(used), inverse))


def _call_def(
    cursor: Cursor, scope: Scope, token: Token, definition: Definition, inverse: bool
) -> None:
    begun = token.line
    ports = [port for port in definition.ports if port.width]
    cursor.expect("(", f"the def {token.text!r}", begun)
    given = [] if cursor.at(")") else operands(cursor, scope, begun)
    cursor.expect(")", f"the operands of {token.text!r}", begun)
    end(cursor, begun)
    if len(given) != len(ports):
        raise cursor.fail(f"{token.text!r} has {len(ports)} ports, {len(given)} are given", begun)
    used: list[int] = []
    for port, one in zip(ports, given, strict=True):
        if len(one.wires) != port.width:
            raise cursor.fail(
                f"port {port.name!r} of {token.text!r} has {port.width} wires, {one.text} has "
                f"{len(one.wires)}",
                begun,
            )
        used.extend(one.wires)
    no_repeat(cursor, scope, used, f"the call of {token.text!r}", begun)
    scope.add(Call(definition, wires(used), inverse))


def _unknown(token: Token, scope: Scope, known: dict[str, Known], text: str) -> str:
    name = token.text
    supported = ", ".join(SUPPORTED_GATES)
    if name in OTHER_GATES:
        return (
            f"gate {name!r} is not supported: revsim runs circuits that permute bits, with "
            f"{supported}, ctrl @ x and negctrl @ x"
        )
    if name in KEYWORDS:
        return (
            f"{name!r} is not part of the subset that revsim reads: qubit, let, gate, def, reset, "
            f"barrier, calls, {supported} with ctrl @, negctrl @ and inv @"
        )
    if scope.kind != "circuit" and name == scope.name:
        return f"{scope.kind} {name!r} calls itself; a circuit has no end then"
    later = re.search(rf"^[ \t]*(?:gate|def)[ \t]+{name}\b", text, re.MULTILINE)
    if later:
        line = text.count("\n", 0, later.start()) + 1
        return (
            f"{name!r} is used before its definition on line {line}: move that up (definitions "
            "that call each other in a circle are not possible)"
        )
    close = difflib.get_close_matches(name, [*known, *SUPPORTED_GATES], 1)
    hint = f"; did you mean {close[0]!r}?" if close else f"; built in are {supported}"
    return f"there is no gate or definition {name!r}{hint}"
