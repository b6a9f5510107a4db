"""What is put to the test: a definition or a circuit as one gate table on a packed set of rows.

Calls are flattened. Locals stand on wires behind those of the device; every call begins with the
same ones, since each must leave them 0, and FREE rows after the call check that it does.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import (
    Alloc,
    Call,
    Circuit,
    CircuitItem,
    Controls,
    Definition,
    Erase,
    Free,
    Gates,
    Loop,
    Mark,
    Table,
)
from revsim.circuit.gates import COLUMNS, ERASE, EXTRA, FREE, MCX, OP, ROLE, TALLY, C
from revsim.circuit.program import flatten
from revsim.circuit.registers import Register, Wires
from revsim.errors import InputError
from revsim.simulator.lanes import Words, pack, padded_words

Bits = npt.NDArray[np.bool_]

EXHAUSTIVE_BITS = 20
"""Up to so many input bits all inputs are tried where none are given."""
ORDER_SEED = 20250313
"""Rows stand in a random but fixed order, so that any few of them are a fair sample."""


@dataclass(frozen=True, eq=False)
class Probe:
    """The joint spectrum of `wires` is read after `position` rows of the table."""

    position: int
    wires: Wires


@dataclass(frozen=True, eq=False)
class Subject:
    """A gate table with its inputs.

    `table` int32 [gates, 6] on wires called `names`; `start` uint64 [wires, words] holds `rows`
    lanes. `watched` are the wires whose final values are the result, `probes` what the tally of a
    circuit reads on the way. `exhaustive`: the rows are all that its inputs can be.
    """

    name: str
    table: Table
    controls: tuple[Controls, ...]
    names: tuple[str, ...]
    start: Words
    rows: int
    watched: Wires
    probes: tuple[Probe, ...]
    exhaustive: bool


def all_bits(width: int) -> Bits:
    """Every setting of `width` bits: bool [2^width, width].

    >>> all_bits(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    if width > EXHAUSTIVE_BITS:
        raise InputError(
            f"{width} input bits are too many to try all inputs (the limit is {EXHAUSTIVE_BITS}): "
            "give rows"
        )
    every = np.arange(1 << width, dtype=np.int64)
    bits: Bits = (every[:, None] >> np.arange(width)) & 1 == 1
    return bits


def subject_of_definition(definition: Definition, bits: Bits | None = None) -> Subject:
    """A definition with its ports watched; ports promised to be 0 are given 0.

    `bits`: bool [rows, wires of the other ports]; all inputs where it is None.
    """
    given = np.flatnonzero(
        np.concatenate([np.full(p.width, not p.zero_in) for p in definition.ports])
        if definition.ports
        else np.zeros(0, dtype=np.bool_)
    ).astype(np.int32)
    ports = np.arange(definition.port_wires, dtype=np.int32)
    whole = _Table(len(ports))
    whole.add(Call(definition, ports))
    names = [definition.name_of(w) for w in range(definition.wires)]
    return whole.subject(definition.name, names, given, bits, ports)


def subject_of_circuit(circuit: Circuit, bits: Bits | None = None) -> Subject:
    """A circuit; its inputs and outputs are watched, the rest of it enters by the tally.

    `bits`: bool [rows, wires of all input registers, in order]; all inputs where it is None.
    """
    whole = _Table(circuit.width)
    device = np.arange(circuit.width, dtype=np.int32)
    steps = [item for item in circuit.body if not isinstance(item, Alloc | Mark)]
    reset = [item for item in steps if not isinstance(item, Free)]
    following = dict(zip(map(id, reset), reset[1:], strict=False))
    for item in steps:
        if isinstance(item, Erase):
            whole.probe(item.register.wires)
        whole.add(item)
        if isinstance(item, Erase):
            after = following.get(id(item))
            if not isinstance(after, Erase) or after.group != item.group:
                whole.probe(device)
    whole.probe(device)
    given = _joined(circuit.inputs)
    watched = np.union1d(given, _joined(circuit.outputs)).astype(np.int32)
    return whole.subject(circuit.name, _device_names(circuit), given, bits, watched)


class _Table:
    """Collects the gates of a body on `width` wires and of everything that it calls."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.locals = 0
        self.rows = 0
        self.tallies = 0
        self.tables: list[Table] = []
        self.controls: list[Controls] = []
        self.probes: list[Probe] = []

    def add(self, item: CircuitItem) -> None:
        if isinstance(item, Gates):
            self._append(item)
        elif isinstance(item, Erase | Free):
            self._append(Gates(_on_each(ERASE if isinstance(item, Erase) else FREE, item.register)))
        elif isinstance(item, Call | Loop):
            for call in item.calls() if isinstance(item, Loop) else (item,):
                self._call(call)

    def probe(self, wires: Wires) -> None:
        self.probes.append(Probe(self.rows, wires))

    def _call(self, call: Call) -> None:
        flat = flatten(call.definition)
        gates = Gates(flat.table, flat.controls)
        inner = flat.wires - call.definition.port_wires
        own = np.arange(self.width, self.width + inner, dtype=np.int32)
        self.locals = max(self.locals, inner)
        self._append(
            (gates.inverse() if call.inverse else gates).mapped(np.concatenate([call.wires, own]))
        )
        self._append(Gates(_on_each(FREE, Register("locals", own))))

    def _append(self, gates: Gates) -> None:
        table = gates.table.copy()
        table[table[:, OP] == MCX, EXTRA] += len(self.controls)
        tally = table[:, OP] == TALLY
        table[tally, EXTRA] = np.arange(self.tallies, self.tallies + int(tally.sum()))
        self.tallies += int(tally.sum())
        self.controls.extend(gates.controls)
        self.tables.append(table)
        self.rows += len(table)

    def subject(
        self, name: str, names: Sequence[str], given: Wires, bits: Bits | None, watched: Wires
    ) -> Subject:
        rows = all_bits(len(given)) if bits is None else bits
        if rows.ndim != 2 or rows.shape[1] != len(given) or len(rows) == 0:
            raise InputError(
                f"{name}: input bits must have shape [rows, {len(given)}], got {rows.shape}"
            )
        rows = rows[np.random.default_rng(ORDER_SEED).permutation(len(rows))]
        wires = self.width + self.locals
        words = padded_words(len(rows))
        start = np.zeros((wires, words), dtype=np.uint64)
        for k, wire in enumerate(given):
            start[wire] = pack(rows[:, k], words)
        every = _told_apart([*names, *(f"inner {k}" for k in range(wires - len(names)))])
        table = np.concatenate(self.tables) if self.tables else np.zeros((0, COLUMNS), np.int32)
        return Subject(
            name,
            table.astype(np.int32),
            tuple(self.controls),
            tuple(every),
            start,
            len(rows),
            watched,
            tuple(self.probes),
            bits is None,
        )


def _told_apart(names: Sequence[str]) -> list[str]:
    """Locals of one definition may share a name; those get the number of their wire as well."""
    times = Counter(names)
    return [f"{name} (wire {w})" if times[name] > 1 else name for w, name in enumerate(names)]


def _on_each(op: int, register: Register) -> Table:
    table = np.full((len(register.wires), COLUMNS), -1, dtype=np.int32)
    table[:, OP], table[:, C] = op, register.wires
    table[:, [ROLE, EXTRA]] = 0
    return table


def _joined(registers: Sequence[Register]) -> Wires:
    parts = [r.wires for r in registers]
    return np.concatenate(parts).astype(np.int32) if parts else np.zeros(0, dtype=np.int32)


def _device_names(circuit: Circuit) -> list[str]:
    """Wires of the device by the first register that names them."""
    names = [""] * circuit.width
    for register in (*circuit.inputs, *circuit.registers, *circuit.outputs):
        for k, wire in enumerate(register.wires):
            single = len(register.wires) == 1
            names[wire] = names[wire] or (register.name if single else f"{register.name}[{k}]")
    return [name or f"wire {w}" for w, name in enumerate(names)]
