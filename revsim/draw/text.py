"""Drawings in plain text, 80 columns wide: the gates of a small circuit, the hierarchy of any.

A wire is a row, time runs to the right. `*` is a control that acts on 1, `o` one that acts on 0;
`+` is the target of a controlled NOT, `X` a NOT, `x` the two wires of a swap, `|0` an ERASE.
Index 0 of a register is its least significant bit; the highest bit is drawn on top.
"""

from collections.abc import Iterator

from revsim.circuit.definition import (
    Alloc,
    Circuit,
    Definition,
    Erase,
    Export,
    Free,
    Gates,
    Mark,
)
from revsim.circuit.gates import ERASE, GATES
from revsim.circuit.graph import Step, calls_of, require_at_most, steps, wire_names
from revsim.circuit.measures import Counts, circuit_counts, counts
from revsim.errors import InputError

SYMBOLS = """\
X not   + target   * control   o negative control   x swap   |0 erase
index 0 is the least significant bit; a 0 behind a name: the wire starts at 0"""
COLUMNS = 80
WIRE_LIMIT = 40
GATE_LIMIT = 120
LINE_LIMIT = 200
"""Lines of a hierarchy after which the rest is only counted."""

_NAME_WIDTH = 20


def draw_gates(circuit: Circuit) -> str:
    """The gates of a circuit of at most 40 wires and 120 gates, wrapped into bands.

    A `0` behind a name says that the wire holds 0 at the start. Raises InputError above the
    limits, which names `draw_hierarchy`.

    >>> from revsim.formats.qasm3 import loads
    >>> print(draw_gates(loads('''OPENQASM 3.0;
    ... @revsim.input
    ... qubit[2] a;
    ... @revsim.output
    ... qubit both;
    ... ccx a[0], a[1], both;
    ... negctrl @ x a[0], a[1];
    ... reset a[0];''')))
    a[1]   --*--+-----
    a[0]   --*--o-|0--
    both 0 --+--------
    """
    instead = "draw the hierarchy instead (revsim draw --hierarchy; draw_hierarchy)"
    require_at_most(circuit, GATE_LIMIT, "a drawing of gates", instead)
    every = list(steps(circuit))
    wires = max([circuit.width, *(w + 1 for step in every for w in step.wires)])
    if wires > WIRE_LIMIT:
        raise InputError(
            f"circuit {circuit.name!r} has {wires} wires, a drawing of gates takes at most "
            f"{WIRE_LIMIT}: {instead}"
        )
    order, names = _rows(circuit, wires)
    row_of = {wire: row for row, wire in enumerate(order)}
    columns = _packed(every, row_of)
    label = max((len(n) for n in names), default=0)
    per_band = max(1, (COLUMNS - label - 3) // 3)
    bands = []
    for start in range(0, max(1, len(columns)), per_band):
        cells = [_column(column, row_of) for column in columns[start : start + per_band]]
        lines = [
            f"{name.ljust(label)} -{''.join(cell[row] for cell in cells)}-"
            for row, name in enumerate(names)
        ]
        bands.append("\n".join(lines))
    return "\n\n".join(bands)


def _rows(circuit: Circuit, wires: int) -> tuple[list[int], list[str]]:
    """Wires from top to bottom and their labels: registers as declared, highest bit on top."""
    names = wire_names(circuit)
    names |= {w: f"local {w - circuit.width}" for w in range(circuit.width, wires)}
    groups: dict[str, list[int]] = {}
    for wire in range(wires):
        groups.setdefault(names[wire].partition("[")[0], []).append(wire)
    order = [wire for group in groups.values() for wire in reversed(group)]
    inputs = {w for register in circuit.inputs for w in register.wires.tolist()}
    short = [names[w][-_NAME_WIDTH:] for w in order]  # the index stands at the end
    widest = max((len(name) for name in short), default=0)
    labels = [
        name.ljust(widest) + ("" if w in inputs else " 0")
        for name, w in zip(short, order, strict=True)
    ]
    return order, labels


def _packed(every: list[Step], row_of: dict[int, int]) -> list[list[Step]]:
    """Columns of gates whose vertical spans do not touch, each gate as early as possible."""
    columns: list[list[Step]] = []
    next_free = [0] * len(row_of)
    for step in every:
        rows = [row_of[w] for w in step.wires]
        span = range(min(rows), max(rows) + 1)
        column = max(next_free[row] for row in span)
        if column == len(columns):
            columns.append([])
        columns[column].append(step)
        for row in span:
            next_free[row] = column + 1
    return columns


def _column(column: list[Step], row_of: dict[int, int]) -> list[str]:
    """Three characters for each row."""
    cells = ["---"] * len(row_of)
    for step in column:
        rows = [row_of[w] for w in step.wires]
        for row in range(min(rows), max(rows) + 1):
            cells[row] = "-|-"
        for wire, positive in step.controls:
            cells[row_of[wire]] = "-*-" if positive else "-o-"
        symbol = GATES[step.opcode].symbol
        for wire in step.targets:
            cells[row_of[wire]] = f"|{symbol}-" if step.opcode == ERASE else f"-{symbol}-"
    return cells


def draw_hierarchy(circuit: Circuit, lines: int = LINE_LIMIT) -> str:
    """The tree of definitions of any circuit: calls, ports and gate counts of each.

    A definition is opened where it is met first. At most `lines` lines are drawn, the rest is
    counted in a last line.
    """
    out: list[str] = []
    left = 0
    for line in _tree(circuit):
        if len(out) < lines:
            out.append(line if len(line) <= COLUMNS else line[: COLUMNS - 3] + "...")
        else:
            left += 1
    if left:
        out.append(f"... and {left} more lines")
    return "\n".join(out)


def _tree(circuit: Circuit) -> Iterator[str]:
    total = circuit_counts(circuit)
    yield f"{circuit.name}: {circuit.width} device wires, {_in_words(total)}"
    opened: set[Definition] = set()
    own = Counts()
    for item in circuit.body:
        if not isinstance(item, Gates):
            continue
        own += circuit_counts(Circuit("", circuit.width, (item,), (), ()))
    erased = sum(len(i.register.wires) for i in circuit.body if isinstance(i, Erase))
    other = sum(isinstance(i, Alloc | Export | Free | Mark) for i in circuit.body)
    notes = [f"gates of its own: {_in_words(own)}"] if own.gates else []
    notes += [f"erases {erased} bits"] if erased else []
    notes += [f"bookkeeping: {other} alloc, free or mark"] if other else []
    yield from (f"|  {note}" for note in notes)
    yield from _children(circuit, "", opened)


def _children(owner: Circuit | Definition, indent: str, opened: set[Definition]) -> Iterator[str]:
    forward, backward = calls_of(owner)
    called = list({**forward, **backward})
    for number, definition in enumerate(called):
        last = number == len(called) - 1
        times = f"{forward[definition]} x" if forward[definition] else ""
        if backward[definition]:
            times += f"{' and ' if times else ''}{backward[definition]} x inverse"
        ports = ", ".join(
            p.name if p.width == 1 else f"{p.name}[{p.width}]" for p in definition.ports[:6]
        ) + (", ..." if len(definition.ports) > 6 else "")
        again = definition in opened
        words = "see above" if again else _in_words(counts(definition))
        local = f", {definition.locals} local" if definition.locals and not again else ""
        fork = "`-" if last else "|-"
        ports = f"; ports {ports}" if ports and not again else ""
        yield f"{indent}{fork} {times} {definition.name}: {words}{local}{ports}"
        if not again:
            opened.add(definition)
            yield from _children(definition, indent + ("   " if last else "|  "), opened)


def _in_words(total: Counts) -> str:
    """`12 gates (4 ccx, 8 cx)`."""
    parts = (
        (total.toffoli, "ccx"),
        (total.cnot, "cx"),
        (total.x, "x"),
        (total.fredkin, "cswap"),
        (total.swap, "swap"),
        (total.mcx, "mcx"),
        (total.erase, "erase"),
    )
    listed = ", ".join(f"{n} {name}" for n, name in parts if n)
    word = "gate" if total.gates == 1 else "gates"
    return f"{total.gates} {word}" + (f" ({listed})" if listed else "")
