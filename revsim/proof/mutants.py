"""Every single-gate mutant of a gate table: what one wrong gate could look like.

    dropped   the gate is left out (an ERASE that is forgotten is one of these)
    rewired   a control and a target change places
    negated   a control acts where it is 0
    retyped   another gate on the same wires: ccx to cx, cx to x or swap, cswap to swap or ccx, ...

A mutant never touches a wire that its gate does not touch, so that liveness is what it was. A gate
that is given a wire it does not have (x to cx) would be a different circuit, not a wrong gate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from revsim.circuit.definition import Controls, Table
from revsim.circuit.gates import (
    CCX,
    CSWAP,
    CX,
    ERASE,
    GATES,
    MCX,
    SWAP,
    Role,
    X,
)

Row = tuple[int, int, int, int, int, int]
"""One row of a gate table: opcode, a, b, c, role, extra."""
Variant = tuple[str, tuple[Row, ...]]

LONGEST = 3
"""Most rows that replace one gate: a negated control stands between two NOTs."""


@dataclass(frozen=True)
class Mutant:
    """`rows` in place of row `row` of a gate table; `kind` is one of the words above."""

    row: int
    kind: str
    rows: tuple[Row, ...]


def mutants_of(
    table: Table, controls: Sequence[Controls]
) -> tuple[tuple[Mutant, ...], tuple[Controls, ...]]:
    """All mutants of all gates in order, and the control lists with those of the mutants appended.

    >>> import numpy as np
    >>> found, _ = mutants_of(np.array([[CX, 0, -1, 1, 0, 0]], dtype=np.int32), ())
    >>> [m.kind for m in found]
    ['dropped', 'rewired', 'negated', 'retyped', 'retyped']
    """
    lists = list(controls)
    found: list[Mutant] = []
    for number, values in enumerate(table.tolist()):
        op, a, b, c, role, extra = values
        if op == ERASE or GATES[op].counted:
            row = (op, a, b, c, role, extra)
            found.extend(Mutant(number, kind, rows) for kind, rows in _variants(row, lists))
    return tuple(found), tuple(lists)


def _variants(row: Row, lists: list[Controls]) -> Iterator[Variant]:
    op, a, b, c, role, _ = row
    yield "dropped", ()
    if op == CX:
        yield "rewired", (_gate(CX, c, -1, a),)
        yield "negated", _around(a, row)
        yield "retyped", (_gate(X, -1, -1, c, role),)
        yield "retyped", (_gate(SWAP, -1, a, c),)
    elif op == CCX:
        yield "rewired", (_gate(CCX, c, b, a),)
        yield "rewired", (_gate(CCX, a, c, b),)
        yield "negated", _around(a, row)
        yield "negated", _around(b, row)
        yield "retyped", (_gate(CX, a, -1, c, role),)
        yield "retyped", (_gate(CX, b, -1, c, role),)
    elif op == SWAP:
        yield "retyped", (_gate(CX, b, -1, c),)
        yield "retyped", (_gate(CX, c, -1, b),)
    elif op == CSWAP:
        yield "rewired", (_gate(CSWAP, b, a, c),)
        yield "rewired", (_gate(CSWAP, c, b, a),)
        yield "negated", _around(a, row)
        yield "retyped", (_gate(SWAP, -1, b, c),)
        yield "retyped", (_gate(CCX, a, b, c),)
    elif op == MCX:
        yield from _listed(row, lists)


def _listed(row: Row, lists: list[Controls]) -> Iterator[Variant]:
    """Mutants of a gate with a control list: each needs a list of its own."""
    _, _, _, target, role, extra = row
    controls = lists[extra]
    for k, (wire, positive) in enumerate(controls):
        before, after = controls[:k], controls[k + 1 :]
        changed = (
            ("rewired", (*before, (target, positive), *after), wire, int(Role.IN_PLACE)),
            ("negated", (*before, (wire, not positive), *after), target, role),
            ("retyped", (*before, *after), target, role),
        )
        for kind, listed, onto, promise in changed:
            lists.append(listed)
            yield kind, ((MCX, -1, -1, onto, promise, len(lists) - 1),)


def _gate(op: int, a: int, b: int, c: int, role: int = int(Role.IN_PLACE)) -> Row:
    """A replaced gate promises something only about a wire that the old gate promised it of."""
    return op, a, b, c, role, 0


def _around(control: int, row: Row) -> tuple[Row, ...]:
    around = _gate(X, -1, -1, control)
    return around, row, around


def gate_text(row: Row, lists: Sequence[Controls], names: Sequence[str]) -> str:
    """A gate in the words of the text form, such as `ccx a, b[0], carry`.

    >>> gate_text((CCX, 0, 1, 2, 0, 0), (), ("a", "b[0]", "carry"))
    'ccx a, b[0], carry'
    """
    op, a, b, c, _, extra = row
    if op == MCX:
        signs = "".join("ctrl @ " if positive else "negctrl @ " for _, positive in lists[extra])
        used = [*(wire for wire, _ in lists[extra]), c]
        return f"{signs}x {', '.join(names[wire] for wire in used)}"
    return f"{GATES[op].qasm} {', '.join(names[wire] for wire in (a, b, c) if wire >= 0)}"


def mutant_text(
    mutant: Mutant, table: Table, lists: Sequence[Controls], names: Sequence[str]
) -> str:
    """A mutant in words: `cx a, b becomes x b`."""
    op, a, b, c, role, extra = table[mutant.row].tolist()
    old = gate_text((op, a, b, c, role, extra), lists, names)
    new = "; ".join(gate_text(row, lists, names) for row in mutant.rows)
    return f"{old} becomes {new or 'nothing'}"
