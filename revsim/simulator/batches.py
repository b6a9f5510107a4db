"""Calls of definitions on a device of banks: all positions at once, and many calls together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np

from revsim.circuit.banks import (
    Bank,
    BankAlloc,
    BankMark,
    Calls,
    WireTable,
)
from revsim.circuit.measures import counts
from revsim.circuit.program import tallied_ands
from revsim.circuit.registers import Wires
from revsim.simulator import plain
from revsim.simulator.bank_device import Device, OnTensor, must_be_zero, read_mark
from revsim.simulator.body import BodyRun
from revsim.simulator.code import Code
from revsim.simulator.counters import PositionCounters, Violation
from revsim.simulator.fold import CallFold
from revsim.simulator.fused.body import Fused
from revsim.simulator.tables import Tables

if TYPE_CHECKING:
    from revsim.simulator.positions import Ready

REPLAYS = 3
"""Broken promises that are looked up in plain NumPy; each may take seconds."""
TABLES = 1 << 22
"""Bytes of tables of wires, for each thread, from which a batch is run: few enough that the next
channels of a layer find one to write their columns into."""


class Batch:
    """Calls that touch nothing that another of them changes; lives inside `call_fast` only.

    Banks that come into use among them are checked before they run, tensors read after.
    """

    def __init__(self, device: Device, layer: str, on_mark: OnTensor | None) -> None:
        self.device, self.layer, self.on_mark = device, layer, on_mark
        self.calls: list[tuple[Calls, Code, Wires]] = []
        self.allocs: list[Bank] = []
        self.marks: list[BankMark] = []
        self.tables, self.bytes = Tables(), 0
        self.once: dict[int, tuple[WireTable, WireTable]] = {}
        if not device.cuts.known:
            self.written = np.zeros(device.circuit.width, dtype=np.bool_)
            self.read = np.zeros(device.circuit.width, dtype=np.bool_)

    def add(self, calls: Calls, code: Code) -> None:
        """One more call, after those that it depends on have run."""
        device, table = self.device, self.tables.of(calls)
        _check_own(calls, table, code)
        key = (self.layer, "+".join(code.causes)) if code.causes else None
        inside = None if device.group is None else device.group.key
        full = self.bytes > 0 and self.bytes + table.nbytes > TABLES * device.threads
        if full or key != inside or device.cuts.here(lambda: self._depends(calls, code, table)):
            self.run()
            table = self.tables.of(calls)
        if key != inside:
            device.enter(key)
        self.calls.append((calls, code, table))
        self.bytes += table.nbytes
        if isinstance(code.body, Fused):
            device.fused += code.gates * len(table)
        else:
            device.evaluations += code.gates * len(table)
        if not device.cuts.known:
            self.written[table[:, code.kept]] = True
            for wires in calls.wires:
                self.read[self._once(wires)] = True

    def _depends(self, calls: Calls, code: Code, table: Wires) -> bool:
        if not (self.calls or self.marks):
            return False
        return bool(self.read[table[:, code.kept]].any()) or any(
            self.written[self._once(wires)].any() for wires in calls.wires
        )

    def _once(self, wires: WireTable) -> WireTable:
        """Each wire of a table once; channels of a layer share the tables of what they read."""
        if id(wires) not in self.once:
            self.once[id(wires)] = wires, np.unique(wires)
        return self.once[id(wires)][1]

    def alloc(self, bank: Bank) -> None:
        """A bank comes into use."""
        if self.device.cuts.here(lambda: bool(self.written[bank.wires].any())):
            self.run()
        self.allocs.append(bank)

    def mark(self, item: BankMark) -> None:
        """A tensor can be read after the calls so far, before any that changes it."""
        if self.on_mark is not None:
            self.marks.append(item)
            if not self.device.cuts.known:
                self.read[item.bank.wires] = True

    def run(self) -> None:
        """Run what there is."""
        from revsim.simulator import positions

        device = self.device
        if self.allocs:
            must_be_zero(device, self.allocs, self.layer)
            device.live[np.concatenate([bank.wires.ravel() for bank in self.allocs])] = True
        ready = [positions.ready(*one, device.state, device.total) for one in self.calls]
        positions.run_batch(ready, device.state, device.planes, device.threads)
        for one in ready:
            if one.fold is not None:
                _book(device, one.fold, self.layer, one.code.causes)
            if one.broken:
                _replay(device, one, self.layer)
        for item in self.marks:
            assert self.on_mark is not None
            read_mark(device, item, self.on_mark)
        if not device.cuts.known:
            for calls, code, table in self.calls:
                self.written[table[:, code.kept]] = False
                for wires in calls.wires:
                    self.read[self._once(wires)] = False
            self.once.clear()
            for item in self.marks:
                self.read[item.bank.wires] = False
        self.tables.done()
        self.bytes = 0
        self.calls.clear()
        self.allocs.clear()
        self.marks.clear()


def call_fast(device: Device, run: BodyRun, on_mark: OnTensor | None) -> None:
    """A run of calls in the compiled executor, as many together as touch nothing of each other."""
    from revsim.simulator import positions

    batch = Batch(device, run.layer, on_mark)
    calls = [item for item in run.items if isinstance(item, Calls)]
    following = iter(positions.codes_of(calls, device.threads, device.executor))
    for item in run.items:
        if isinstance(item, Calls):
            batch.add(item, next(following))
        elif isinstance(item, BankAlloc):
            batch.alloc(item.bank)
        elif isinstance(item, BankMark):
            batch.mark(item)
    batch.run()


def call_plain(device: Device, calls: Calls, layer: str) -> None:
    """One call in the readable executor, all positions as lanes."""
    definition = calls.recipe.make()
    device.enter((layer, "+".join(definition.causes)) if definition.causes else None)
    table = calls.table
    counters = PositionCounters(
        np.tile(device.planes, len(table)), layer, words=device.state.shape[1]
    )
    plain.run_positions(definition, device.state, table, counters, calls.inverse)
    device.violations += counters.violations
    causes = np.array([definition.causes.index(c) for c in counters.causes], dtype=np.int64)
    is_and = tallied_ands(definition, calls.inverse)
    fold = CallFold(device.total, len(table), calls.channels, causes, is_and)
    ones = np.array(counters.ones_at, dtype=np.int64).reshape(len(causes), len(table))
    joint = np.array(counters.joint_at, dtype=np.int64).reshape(len(is_and), len(table), 3)
    fold.add(0, ones, joint)
    _book(device, fold, layer, definition.causes)
    device.evaluations += counts(definition).gates * len(table)


def _book(device: Device, fold: CallFold, layer: str, causes: Sequence[str]) -> None:
    fold.close()
    device.inner += fold.tallies(layer, causes)
    device.gates += fold.gates(layer)


_OWN: WeakSet[Calls] = WeakSet()


def _check_own(calls: Calls, table: Wires, code: Code) -> None:
    """Raise InputError where two positions share a wire that one of them changes; once a call."""
    if calls not in _OWN:
        plain.check_own(code.name, table, code.kept)
        _OWN.add(calls)


def _replay(device: Device, one: "Ready", layer: str) -> None:
    """Run one word of one position in plain NumPy, to name the wires that break a promise."""
    lane, before = min(one.broken, key=lambda found: found[0])
    position, word = divmod(lane, device.state.shape[1])
    found: list[Violation] = []
    if device.replays < REPLAYS:
        device.replays += 1
        ports = device.state[one.wires[position], word : word + 1]
        ports[one.code.kept, 0] = before
        counters = PositionCounters(device.planes[:, word : word + 1], layer)
        every = np.arange(len(ports), dtype=np.int32)
        definition, given = one.calls.recipe.make(), ports.copy()
        plain.run(definition, ports, every, counters, one.calls.inverse)
        changed = (ports ^ given) & np.bitwise_or.reduce(counters.planes, axis=0)
        for port in one.code.restored[changed[one.code.restored].any(axis=1)].tolist():
            name = f"{definition.name_of(port)} (read, changed)"
            counters.must_be_zero(changed[port], "ancillas", definition.name, name)
        found = [
            Violation(v.check, layer, v.definition, v.wire, v.row + 64 * word, position)
            for v in counters.violations
        ]
    unnamed = Violation("ancillas", layer, one.code.name, "a wire", 64 * word, position)
    device.violations += found or [unnamed]
