"""Programs in the form that the kernels read, and a cache of them that is bounded in bytes."""

import os
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from mmap import mmap
from threading import Lock

import numpy as np
import numpy.typing as npt

from revsim.circuit.banks import Recipe
from revsim.circuit.definition import Definition, Table
from revsim.circuit.gates import (
    CCX,
    CSWAP,
    CX,
    ERASE,
    EXTRA,
    FREE,
    MCX,
    OP,
    ROLE,
    SWAP,
    TALLY,
    A,
    B,
    C,
    X,
)
from revsim.circuit.measures import counts
from revsim.circuit.program import Program, gates_below, program_of
from revsim.circuit.registers import Wires
from revsim.circuit.survey import note
from revsim.errors import InputError
from revsim.simulator.layout import KIND, SLOT, SLOTS, SPARE
from revsim.simulator.linked import is_linked, link, without_double_checks

Rows = npt.NDArray[np.uint64]

NO_PORTS: Wires = np.zeros(0, dtype=np.int32)

PROGRAM_GATES = 1 << 23
"""Most gates of one definition that stands at positions: its program takes 16 bytes a gate."""
PROGRAM_GATES_LINKED = 1 << 25
"""The same for a definition that calls others (simulator/linked.py): 8 bytes a gate."""
CACHE_MEGABYTES = "REVSIM_PROGRAM_CACHE_MB"
"""Environment variable: how many megabytes of programs are kept for the next batch."""


@dataclass(frozen=True, eq=False)
class Code:
    """What `kernels.run_lanes` runs: `rows` uint64 [rows] on `slots` wires, ports first.

    `writes` int32 [ports]: how many gates write each port; those `restored` int32 are changed back
    in the end, those `kept` are not. Control lists as in `Program`. `cause_of`
    int64 [erased]: the cause of each ERASE among `causes`; `is_and` bool [tallies]: whether the
    gate that a TALLY announces is an AND (else an XOR). `gates`: gates of one call.
    """

    name: str
    rows: Rows
    writes: npt.NDArray[np.int32]
    restored: Wires
    starts: npt.NDArray[np.int64]
    control_wires: Wires
    control_polarity: npt.NDArray[np.uint8]
    slots: int
    causes: tuple[str, ...]
    cause_of: npt.NDArray[np.int64]
    is_and: npt.NDArray[np.bool_]
    gates: int

    @cached_property
    def bytes(self) -> int:
        """Memory that the arrays take."""
        lists = (self.starts, self.control_wires, self.control_polarity)
        ports = (self.writes, self.restored, self.kept)
        return sum(a.nbytes for a in (self.rows, *lists, *ports, self.cause_of, self.is_and))

    @cached_property
    def kept(self) -> Wires:
        """Ports that are changed for good."""
        return np.setdiff1d(np.flatnonzero(self.writes), self.restored).astype(np.int32)

    @property
    def erased(self) -> int:
        """Number of ERASEs."""
        return len(self.cause_of)

    @property
    def tallies(self) -> int:
        """Number of TALLYs."""
        return len(self.is_and)


def encode(table: Table, slots: int, erased: int = 0) -> Rows:
    """A gate table on `slots` slots in the kernels' form: uint64 [rows] (see `kernels.run_lanes`).

    ERASEs are numbered from `erased` on. A NOT is written as a Toffoli whose
    controls hold 1, a CNOT as one of whose controls one does.
    """
    if slots + SPARE > SLOTS:
        raise InputError(
            f"a program on {slots:,} wires at once; the fast executor takes {SLOTS - SPARE:,}: "
            'use smaller definitions, or executor="numpy"'
        )
    opcodes = table[:, OP]
    a, b, c = (np.maximum(table[:, column], 0) for column in (A, B, C))
    one = slots + 3
    a[opcodes == X] = one
    b[(opcodes == X) | (opcodes == CX)] = one
    a[opcodes == ERASE] = erased + np.arange(int((opcodes == ERASE).sum()))
    a[opcodes == MCX] = table[opcodes == MCX, EXTRA]
    c[opcodes == TALLY] = table[opcodes == TALLY, EXTRA]
    fields = np.stack([4 * opcodes + np.maximum(table[:, ROLE], 0), a, b, c]).astype(np.uint64)
    shifts = np.array([0, KIND, KIND + SLOT, KIND + 2 * SLOT], dtype=np.uint64)
    return np.asarray(np.bitwise_or.reduce(fields << shifts[:, None], axis=0))


def code_of(program: Program) -> Code:
    """The code of a program."""
    table = program.table
    opcodes = table[:, OP]
    definition = program.definition
    return Code(
        definition.name,
        encode(without_double_checks(table), program.slots),
        _writes(table, definition.port_wires),
        NO_PORTS,
        program.starts,
        program.control_wires,
        program.control_polarity,
        program.slots,
        definition.causes,
        table[opcodes == ERASE, EXTRA].astype(np.int64),
        tallied_gates(opcodes),
        counts(definition).gates,
    )


def linked_code(definition: Definition, inverse: bool) -> Code:
    """The same from the programs of what the definition calls."""
    linker = link(definition, inverse)
    rows = np.empty(sum(len(part.table) for part in linker.parts), dtype=np.uint64)
    writes = np.zeros(definition.port_wires, dtype=np.int32)
    starts = [np.zeros(1, dtype=np.int64)]
    wires, polarity = [NO_PORTS], [np.zeros(0, dtype=np.uint8)]
    causes, ands = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.bool_)]
    row = erased = tallies = lists = controls = 0
    for part in linker.parts:
        table = part.moved(tallies, lists)
        rows[row : row + len(table)] = encode(table, linker.slots, erased)
        writes += _writes(table, definition.port_wires)
        starts.append(part.controls[0][1:] + controls)
        wires.append(part.slots[part.controls[1]])
        polarity.append(part.controls[2])
        opcodes = table[:, OP]
        causes.append(table[opcodes == ERASE, EXTRA].astype(np.int64))
        ands.append(tallied_gates(opcodes))
        row, lists, controls = (
            row + len(table),
            lists + len(starts[-1]),
            controls + len(polarity[-1]),
        )
        erased, tallies = erased + len(causes[-1]), tallies + len(ands[-1])
    return Code(
        definition.name,
        rows,
        writes,
        NO_PORTS,
        np.concatenate(starts),
        np.concatenate(wires),
        np.concatenate(polarity),
        linker.slots,
        definition.causes,
        np.concatenate(causes),
        np.concatenate(ands),
        counts(definition).gates,
    )


def _writes(table: Table, ports: int) -> npt.NDArray[np.int32]:
    """How many gates write each port (both wires of a swap are written)."""
    opcodes = table[:, OP]
    targets = table[(opcodes != FREE) & (opcodes != TALLY), C]
    pairs = table[(opcodes == SWAP) | (opcodes == CSWAP), B]
    both = np.concatenate([targets, pairs])
    return np.bincount(both[both < ports], minlength=ports).astype(np.int32)


def tallied_gates(opcodes: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """For each TALLY among these opcodes, whether the gate it announces is an AND (else an XOR)."""
    tallies = np.flatnonzero(opcodes == TALLY)
    gates = np.flatnonzero((opcodes == CCX) | (opcodes == CX))
    following = gates[np.searchsorted(gates, tallies)]
    return np.asarray(opcodes[following] == CCX)


def compile_code(definition: Definition, inverse: bool) -> Code:
    """The code of a definition of any size up to the limits above, remembered nowhere."""
    gates = gates_below(definition)
    linked = is_linked(definition, gates)
    most = PROGRAM_GATES_LINKED if linked else PROGRAM_GATES
    if gates > most:
        raise InputError(
            f"definition {definition.name!r} has {gates:,} gates; one that stands at positions has "
            f"at most {most:,}: split the layer into smaller definitions"
        )
    if linked:
        return linked_code(definition, inverse)
    return code_of(program_of.__wrapped__(definition, inverse))


TRIALS = 8
"""Words of random rows on which a definition is tried: one vector."""


def find_restored(code: Code, definition: Definition) -> Code:
    """The code with the ports found that it changes and changes back, such as a wire that is
    complemented while it is read.

    A port counts as restored where an even number of gates writes it, it does not start at 0 by
    promise, and 512 random runs leave it as it was. Every run checks that it is.
    """
    from revsim.simulator import kernels

    ports = definition.port_wires
    zero = np.repeat([p.zero_in for p in definition.ports], [p.width for p in definition.ports])
    even = (code.writes > 0) & (code.writes % 2 == 0) & ~zero
    if not even.any():
        return code
    state = np.random.default_rng(0).integers(0, 1 << 64, (ports, TRIALS), dtype=np.uint64)
    state[zero] = 0
    before = state.copy()
    kernels.run_lanes(
        code.rows,
        code.starts,
        code.control_wires,
        code.control_polarity,
        state,
        np.arange(ports, dtype=np.int32)[None],
        np.arange(ports, dtype=np.int32),
        NO_PORTS,
        code.slots,
        0,
        TRIALS,
        TRIALS,
        np.empty((code.slots + SPARE) * TRIALS, dtype=np.uint64),
        np.zeros((1, TRIALS), dtype=np.uint64),
        np.zeros((code.erased, 1), dtype=np.int64),
        np.zeros((code.tallies, 1, 3), dtype=np.int64),
        np.zeros(TRIALS, dtype=np.uint8),
        np.zeros((0, 0), dtype=np.uint64),
    )
    restored = np.flatnonzero(even & (state == before).all(axis=1))
    return replace(code, restored=restored.astype(np.int32))


PAGES = 1 << 16
"""Bytes from which rows are worth pages of their own."""


def _in_pages(rows: Rows) -> Rows:
    """Rows in memory that goes back to the system when they are forgotten: thousands of codes of
    all sizes that come and go leave a heap full of holes."""
    if rows.nbytes < PAGES:
        return rows
    held: Rows = np.frombuffer(mmap(-1, rows.nbytes), dtype=np.uint64)
    held[:] = rows
    return held


class CodeCache:
    """Codes of recipes, least recently used first out, bounded in bytes; safe among threads."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[Hashable, bool], Code] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @property
    def bytes(self) -> int:
        """Memory that the codes held take."""
        return self._bytes

    def get(self, recipe: Recipe, inverse: bool) -> Code:
        """The code of a recipe, made if it is not held."""
        key = (recipe.key or recipe, inverse)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        definition = recipe.make()
        code = find_restored(compile_code(definition, inverse), definition)
        note(recipe, definition, code.slots)
        if code.bytes <= _limit():
            code = replace(code, rows=_in_pages(code.rows))
        with self._lock:
            if key not in self._held and code.bytes <= _limit():
                self._held[key] = code
                self._bytes += code.bytes
            while self._bytes > _limit():
                self._bytes -= self._held.popitem(last=False)[1].bytes
        return code


def _limit() -> int:
    given = os.environ.get(CACHE_MEGABYTES, "768")
    if not (given.isascii() and given.isdigit()):
        raise InputError(f"{CACHE_MEGABYTES} must be a whole number of megabytes, got {given!r}")
    return int(given) << 20


CODES = CodeCache()
"""Codes of this process."""
