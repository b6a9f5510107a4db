"""What one body being read has said so far, and the operands that its statements name."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from revsim.circuit.definition import CircuitItem, Controls, Definition, Gates
from revsim.circuit.gates import COLUMNS
from revsim.formats.qasm3.names import RESERVED, RESERVED_INSIDE, WIRE_LIMIT, indexed
from revsim.formats.qasm3.tokens import Cursor, Token


@dataclass(frozen=True)
class Known:
    """A definition that the file has given so far; `depth` counts the levels below it."""

    definition: Definition
    is_gate: bool
    depth: int


@dataclass(frozen=True)
class Operand:
    """Wires as the user wrote them: `indices` within the register `name`."""

    name: str
    indices: Sequence[int]
    wires: Sequence[int]
    whole: int

    @property
    def text(self) -> str:
        """The shortest spelling."""
        return indexed(self.name, self.indices, self.whole)


@dataclass
class Scope:
    """One body being read; `kind` is circuit, def or gate."""

    kind: str
    name: str
    runs: dict[str, Sequence[int]] = field(default_factory=dict)
    declared_on: dict[str, int] = field(default_factory=dict)
    width: int = 0
    items: list[CircuitItem] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)
    layer: str = ""
    causes: list[str] = field(default_factory=list)
    depth: int = 0
    tallies: int = 0
    rows: "array[int]" = field(default_factory=lambda: array("i"))
    controls: list[Controls] = field(default_factory=list)

    def declare(self, cursor: Cursor, token: Token, width: int) -> range:
        """New wires under a new name."""
        if self.width + width > WIRE_LIMIT:
            raise cursor.fail(
                f"{token.text!r} brings the number of wires to {self.width + width}; the text "
                f"form holds at most {WIRE_LIMIT} in one circuit or definition",
                token.line,
            )
        run = range(self.width, self.width + width)
        self.enter(cursor, token, run)
        self.width += width
        return run

    def enter(self, cursor: Cursor, token: Token, run: Sequence[int]) -> None:
        """A new name for wires, old or new."""
        if token.text in (RESERVED if self.kind == "circuit" else RESERVED_INSIDE):
            raise cursor.fail(
                f"{token.text!r} is a word or gate of OpenQASM and cannot name a register here; "
                f"call it {token.text + '_'!r}, for example",
                token.line,
            )
        if token.text in self.declared_on:
            raise cursor.fail(
                f"{token.text!r} is declared twice, first on line {self.declared_on[token.text]}",
                token.line,
            )
        self.runs[token.text] = run
        self.declared_on[token.text] = token.line

    def row(self, op: int, a: int, b: int, c: int, extra: int = 0) -> None:
        """One more gate."""
        self.rows.extend((op, a, b, c, 0, extra))

    def add(self, item: CircuitItem) -> None:
        """One more item, after the gates so far."""
        self.flush()
        self.items.append(item)
        self.layers.append(self.layer)

    def flush(self) -> None:
        """Turn the gates so far into a table."""
        if self.rows:
            table = np.array(self.rows, dtype=np.int32).reshape(-1, COLUMNS)
            self.items.append(Gates(table, tuple(self.controls)))
            self.layers.append(self.layer)
            self.rows = array("i")
            self.controls = []

    def spelled(self, wire: int) -> str:
        """A wire in the user's words."""
        for name, run in self.runs.items():
            if wire in run:
                return indexed(name, [run.index(wire)], len(run))
        return f"wire {wire}"


def operand(cursor: Cursor, scope: Scope, begun: int) -> Operand:
    """`q`, `q[2]`, `q[0:3]`, `q[0:2:6]` (start:step:stop) or `q[{0, 2}]`."""
    token = cursor.word("the name of a register", begun)
    run = scope.runs.get(token.text)
    if run is None:
        known = ", ".join(list(scope.runs)[:12]) or "none"
        raise cursor.fail(
            f"{token.text!r} is not declared in {where(scope)}; declared are: {known}", token.line
        )
    indices: Sequence[int] = range(len(run))
    if cursor.accept("["):
        indices = _indices(cursor, token, begun)
        cursor.expect("]", f"the index of {token.text!r}", begun)
        if not indices:
            raise cursor.fail(f"the index of {token.text!r} selects no wire", begun)
        top = max(indices[0], indices[-1]) if isinstance(indices, range) else max(indices)
        if top >= len(run):
            raise cursor.fail(
                f"index {top} is out of range: {token.text!r} has {len(run)} "
                f"wire{'s' if len(run) > 1 else ''}, 0..{len(run) - 1}",
                token.line,
            )
    picked = (
        run
        if len(indices) == len(run) and indices == range(len(run))
        else [run[i] for i in indices]
    )
    return Operand(token.text, indices, picked, len(run))


def _indices(cursor: Cursor, token: Token, begun: int) -> Sequence[int]:
    what = f"the index of {token.text!r}"
    if cursor.accept("{"):
        listed = [cursor.number(what, begun)]
        while cursor.accept(","):
            listed.append(cursor.number(what, begun))
        cursor.expect("}", what, begun)
        return listed
    first = cursor.number(what, begun)
    if not cursor.accept(":"):
        return range(first, first + 1)
    last, step = cursor.number(what, begun), 1
    if cursor.accept(":"):
        step, last = last, cursor.number(what, begun)
    return range(first, last + 1, max(step, 1))


def where(scope: Scope) -> str:
    """A scope in words."""
    return "this circuit" if scope.kind == "circuit" else f"{scope.kind} {scope.name!r}"


def operands(cursor: Cursor, scope: Scope, begun: int) -> list[Operand]:
    """A list of operands up to the semicolon."""
    out = [operand(cursor, scope, begun)]
    while cursor.accept(","):
        out.append(operand(cursor, scope, begun))
    return out


def let(cursor: Cursor, scope: Scope) -> tuple[Token, Sequence[int]]:
    """`let name = a[0:2] ++ b;`: another name for wires that are there already."""
    begun = cursor.take().line
    token = cursor.word("the name of the alias", begun)
    cursor.expect("=", f"'let {token.text}'", begun)
    pieces = [operand(cursor, scope, begun)]
    while cursor.accept("++"):
        pieces.append(operand(cursor, scope, begun))
    end(cursor, begun)
    run = pieces[0].wires if len(pieces) == 1 else [w for piece in pieces for w in piece.wires]
    no_repeat(cursor, scope, run, f"the alias {token.text!r}", begun)
    scope.enter(cursor, token, run)
    return token, run


def end(cursor: Cursor, begun: int) -> None:
    """The semicolon."""
    cursor.expect(";", "this statement", begun)


def no_repeat(cursor: Cursor, scope: Scope, used: Sequence[int], what: str, begun: int) -> None:
    """Refuse `what` where it uses a wire twice."""
    if isinstance(used, range) or len(set(used)) == len(used):
        return
    seen: set[int] = set()
    for wire in used:
        if wire in seen:
            raise cursor.fail(f"{what} uses {scope.spelled(wire)} twice", begun)
        seen.add(wire)


def width_of(cursor: Cursor, begun: int) -> int:
    """`qubit` or `qubit[n]`."""
    cursor.take()
    if not cursor.accept("["):
        return 1
    width = cursor.number("the width of a register", begun)
    cursor.expect("]", f"'qubit[{width}'", begun)
    if not 1 <= width <= WIRE_LIMIT:
        raise cursor.fail(
            f"a register of {width} wires is not possible: between 1 and {WIRE_LIMIT} are", begun
        )
    return width
