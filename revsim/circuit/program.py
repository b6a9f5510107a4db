"""A definition made ready to run: all its gates in a row, wires renamed to slots.

What it calls is walked through call by call (walk/), never copied, in two passes: backward for the
last use of each wire, forward for slots. A gate costs 9 bytes meanwhile, 8 of which stay.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Call, Controls, Definition, Gates, Loop, Table
from revsim.circuit.gates import CCX, COLUMNS, CX, OP, TALLY
from revsim.circuit.kernels import gradual
from revsim.circuit.memo import remembered
from revsim.circuit.packed import SLOTS, Rows, unpack
from revsim.circuit.registers import Wires
from revsim.circuit.walk import kernels
from revsim.circuit.walk.hierarchy import control_lists as control_lists
from revsim.circuit.walk.hierarchy import controls_of, walk
from revsim.errors import InputError

LEAF_GATES = 1 << 20
"""Largest leaf that is one program: 8 MB of rows."""
CACHED_PROGRAMS = 512
"""Programs that are remembered; a neuron of 64 inputs takes about 150 kilobytes."""


_last_uses, _assign_slots, _flat_rows = (
    gradual(kernel) for kernel in (kernels.last_uses, kernels.assign_slots, kernels.flat_rows)
)


@dataclass(frozen=True, eq=False)
class Flat:
    """A definition without calls: wires are ports, own locals, then the locals of each callee."""

    table: Table
    controls: tuple[Controls, ...]
    wires: int
    tallies: int


@dataclass(frozen=True, eq=False)
class Program:
    """What a kernel runs: `rows` uint64 (see packed.py) on `slots` wires, ports first.

    A FREE stands after the last use of each local, unless that gate promises its target to be 0
    after it, which is checked there. Controls of MCX i stand in `control_wires[starts[i]:
    starts[i + 1]]` with polarity in `control_polarity` (1 positive). `cause_of` int64 [erased]: the
    cause of each ERASE; `is_and` bool [tallies]: whether the gate that a TALLY announces is an AND
    (else an XOR); `writes` int32 [ports]: how many gates write each port.
    """

    definition: Definition
    inverse: bool
    rows: Rows
    starts: npt.NDArray[np.int64]
    control_wires: Wires
    control_polarity: npt.NDArray[np.uint8]
    slots: int
    cause_of: npt.NDArray[np.int64]
    is_and: npt.NDArray[np.bool_]
    writes: npt.NDArray[np.int32]

    @cached_property
    def table(self) -> Table:
        """The rows as a gate table on slots, int32 [rows, 6]. Raises InputError on 2^19 slots."""
        if self.slots > SLOTS:
            raise InputError(
                f"definition {self.definition.name!r} has {self.slots:,} wires in use at once; a "
                f"program has at most {SLOTS:,}"
            )
        return unpack(self.rows, self.cause_of)

    @property
    def erased(self) -> int:
        """Number of ERASEs."""
        return len(self.cause_of)

    @property
    def tallies(self) -> int:
        """Number of TALLYs."""
        return len(self.is_and)

    @property
    def controls(self) -> tuple[Controls, ...]:
        """The control lists of MCX rows, on slots."""
        return controls_of(self.starts, self.control_wires, self.control_polarity)


@remembered
def _announcing(definition: Definition) -> npt.NDArray[np.uint8]:
    """Opcodes of all CNOTs, Toffolis and TALLYs below a definition, in order."""
    parts = [np.zeros(0, dtype=np.uint8)]
    for item in definition.body:
        if isinstance(item, Gates):
            opcodes = item.table[:, OP].astype(np.uint8)
            parts.append(opcodes[np.isin(opcodes, (CX, CCX, TALLY))])
            continue
        called = _announcing(item.definition)[:: -1 if item.inverse else 1]
        parts.append(np.tile(called, item.count if isinstance(item, Loop) else 1))
    return np.concatenate(parts)


def tallied_ands(definition: Definition, inverse: bool = False) -> npt.NDArray[np.bool_]:
    """`Program.is_and`, without the program: which TALLYs announce a Toffoli, bool [tallies]."""
    opcodes = _announcing(definition)[:: -1 if inverse else 1]
    gates = np.flatnonzero(opcodes != TALLY)
    following = np.searchsorted(gates, np.flatnonzero(opcodes == TALLY))
    return np.append(opcodes[gates] == CCX, False)[following]


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


def flatten(definition: Definition) -> Flat:
    """All gates of a definition in one table; callee locals get wires of their own."""
    gone = walk(definition)
    table = np.empty((gone.gates, COLUMNS), dtype=np.int32)
    lists = _empty_lists(gone.mcx, gone.controls)
    tallies = _flat_rows(gone.gates, gone.runs, gone.flat, gone.table, *gone.lists, table, *lists)
    return Flat(table, controls_of(*lists), gone.wires, tallies)


def _empty_lists(
    lists: int, controls: int
) -> tuple[npt.NDArray[np.int64], Wires, npt.NDArray[np.uint8]]:
    return (
        np.zeros(lists + 1, dtype=np.int64),
        np.empty(controls, dtype=np.int32),
        np.empty(controls, dtype=np.uint8),
    )


def compile_program(definition: Definition, inverse: bool = False) -> Program:
    """The program of a definition, forward or inverse.

    >>> from revsim.circuit.builder import Builder
    >>> b = Builder("copy and back"); p = b.port("p", 1); t = b.local("t")
    >>> b.cx(p, t); b.cx(p, t)
    >>> compile_program(b.build()).table[:, 0].tolist()  # cx, cx, free
    [1, 1, 7]
    """
    if inverse and definition.erases:
        raise InputError("an ERASE has no inverse: uncompute the register instead of erasing it")
    gone = walk(definition, inverse)
    ports = definition.port_wires
    last = np.full(1 + gone.wires, -1, dtype=np.int32)
    erased, tallies = _last_uses(
        gone.gates, gone.runs, gone.flat, gone.table, *gone.lists[:2], last
    )
    last[: 1 + ports] = -1
    slot = np.full(1 + gone.wires, -1, dtype=np.int32)
    slot[: 1 + ports] = 0, *range(ports)
    rows = np.empty(gone.gates + int((last >= 0).sum()), dtype=np.uint64)
    lists = _empty_lists(gone.mcx, gone.controls)
    cause_of = np.empty(erased, dtype=np.int64)
    is_and = np.zeros(tallies, dtype=np.bool_)
    writes = np.zeros(ports + 1, dtype=np.int32)
    used, slots = _assign_slots(
        gone.gates, gone.runs, gone.flat, gone.table, *gone.lists, last, slot,
        rows, *lists, cause_of, is_and, writes,
    )  # fmt: skip
    return Program(
        definition, inverse, rows[:used], *lists, slots, cause_of, is_and, writes[:ports]
    )


program_of = lru_cache(maxsize=CACHED_PROGRAMS)(compile_program)
"""`compile_program`, memoised by identity of the definition."""
