"""A leaf of the hierarchy made ready to run: one flat gate table with wires renamed to slots.

Only definitions of at most `LEAF_GATES` gates are flattened; larger ones are run call by call.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Call, Controls, Definition, Gates, Loop, Table
from revsim.circuit.gates import ERASE, EXTRA, MCX, OP, TALLY
from revsim.circuit.kernels import assign_slots
from revsim.circuit.memo import remembered
from revsim.circuit.registers import Wires

LEAF_GATES = 1 << 18
"""Largest flattened leaf: about 6 MB of table."""
CACHED_PROGRAMS = 512
"""Programs that are remembered; a neuron of 64 inputs takes about half a megabyte."""


@dataclass(frozen=True, eq=False)
class Flat:
    """A definition without calls: wires are ports, own locals, then the locals of each callee."""

    table: Table
    controls: tuple[Controls, ...]
    wires: int
    tallies: int


@dataclass(frozen=True, eq=False)
class Program:
    """What a kernel runs: `table` int32 [rows, 6] on `slots` wires, FREE rows after last uses.

    Ports are slots 0..ports-1. `released[row]` is the flat wire that a FREE row releases, -1
    elsewhere. Controls of MCX rows stand in `control_wires[starts[i]:starts[i+1]]` with polarity
    in `control_polarity` (1 positive).
    """

    definition: Definition
    inverse: bool
    table: Table
    released: Wires
    starts: npt.NDArray[np.int64]
    control_wires: Wires
    control_polarity: npt.NDArray[np.uint8]
    slots: int
    erased: int
    tallies: int


@remembered
def gates_below(definition: Definition) -> int:
    """Rows of all gate tables below a definition."""
    total = 0
    for item in definition.body:
        if isinstance(item, Gates):
            total += len(item.table)
        elif isinstance(item, Call):
            total += gates_below(item.definition)
        else:
            total += gates_below(item.definition) * item.count
    return total


def is_leaf(definition: Definition) -> bool:
    """Whether a definition is small enough to be flattened into one program."""
    return gates_below(definition) <= LEAF_GATES


def control_lists(
    controls: tuple[Controls, ...],
) -> tuple[npt.NDArray[np.int64], Wires, npt.NDArray[np.uint8]]:
    """Control lists as arrays: (starts, wires, polarity)."""
    starts = np.cumsum([0, *(len(c) for c in controls)]).astype(np.int64)
    listed = np.array([w for c in controls for w, _ in c], dtype=np.int32)
    polarity = np.array([p for c in controls for _, p in c], dtype=np.uint8)
    return starts, listed, polarity


def flatten(definition: Definition) -> Flat:
    """All gates of a definition in one table; callee locals get wires of their own."""
    tables: list[Table] = []
    controls: list[Controls] = []
    wires = definition.wires
    tallies = 0

    def visit(d: Definition, mapping: Wires, inverse: bool) -> None:
        nonlocal wires, tallies
        for item in reversed(d.body) if inverse else d.body:
            if isinstance(item, Gates):
                gates = (item.inverse() if inverse else item).mapped(mapping)
                if gates.controls:
                    gates.table[gates.table[:, OP] == MCX, EXTRA] += len(controls)
                    controls.extend(gates.controls)
                tally = gates.table[:, OP] == TALLY
                count = int(tally.sum())
                if count:
                    gates.table[tally, EXTRA] = np.arange(tallies, tallies + count)
                    tallies += count
                tables.append(gates.table)
                continue
            calls = item.calls() if isinstance(item, Loop) else (item,)
            for call in reversed(calls) if inverse else calls:
                inner = np.arange(wires, wires + call.definition.locals, dtype=np.int32)
                wires += call.definition.locals
                visit(
                    call.definition,
                    np.concatenate([mapping[call.wires], inner]),
                    call.inverse != inverse,
                )

    visit(definition, np.arange(definition.wires, dtype=np.int32), False)
    table = np.concatenate(tables) if tables else np.zeros((0, 6), dtype=np.int32)
    return Flat(table, tuple(controls), wires, tallies)


@lru_cache(maxsize=CACHED_PROGRAMS)
def program_of(definition: Definition, inverse: bool = False) -> Program:
    """The program of a leaf, forward or inverse; memoised by identity of the definition.

    >>> from revsim.circuit.builder import Builder
    >>> b = Builder("copy and back"); p = b.port("p", 1); t = b.local("t")
    >>> b.cx(p, t); b.cx(p, t)
    >>> program_of(b.build()).table[:, 0].tolist()  # cx, cx, free
    [1, 1, 7]
    """
    flat = flatten(definition)
    gates = Gates(flat.table, flat.controls)
    if inverse:
        gates = gates.inverse()
    starts, listed, polarity = control_lists(gates.controls)
    table, renamed, released, slots = assign_slots(
        np.ascontiguousarray(gates.table), starts, listed, definition.port_wires, flat.wires
    )
    erased = int((table[:, OP] == ERASE).sum())
    return Program(
        definition,
        inverse,
        table,
        released,
        starts,
        renamed,
        polarity,
        int(slots),
        erased,
        flat.tallies,
    )
