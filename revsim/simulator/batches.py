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
)
from revsim.circuit.measures import counts
from revsim.circuit.program import program_of
from revsim.circuit.registers import Wires
from revsim.simulator import plain
from revsim.simulator.bank_device import Device, OnTensor, must_be_zero, read_mark
from revsim.simulator.body import BodyRun
from revsim.simulator.code import Code
from revsim.simulator.counters import PositionCounters, Violation
from revsim.simulator.fold import CallFold
from revsim.simulator.fused.body import Fused

if TYPE_CHECKING:
    from revsim.simulator.positions import Ready

REPLAYS = 3
"""Broken promises that are looked up in plain NumPy; each may take seconds."""


class Batch:
    """Calls that touch nothing that another of them changes; lives inside `call_fast` only.

    Banks that come into use among them are checked before they run, tensors read after.
    """

    def __init__(self, device: Device, layer: str, on_mark: OnTensor | None) -> None:
        self.device, self.layer, self.on_mark = device, layer, on_mark
        self.calls: list[tuple[Calls, Code, Wires]] = []
        self.allocs: list[Bank] = []
        self.marks: list[BankMark] = []
        if not device.cuts.known:
            self.written = np.zeros(device.circuit.width, dtype=np.bool_)
            self.read = np.zeros(device.circuit.width, dtype=np.bool_)

    def add(self, calls: Calls, code: Code) -> None:
        """One more call, after those that it depends on have run."""
        device, table = self.device, calls.table
        _check_own(calls, table, code)
        key = (self.layer, "+".join(code.causes)) if code.causes else None
        inside = None if device.group is None else device.group.key
        # Calls of many lanes keep all threads busy by themselves.
        large = len(table) * device.state.shape[1] > 64 * device.threads
        if large or key != inside or device.cuts.here(lambda: self._depends(table, code)):
            self.run()
        if key != inside:
            device.enter(key)
        self.calls.append((calls, code, table))
        if isinstance(code.body, Fused):
            device.fused += code.gates * len(table)
        else:
            device.evaluations += code.gates * len(table)
        if large:
            self.run()
        elif not device.cuts.known:
            self.written[table[:, code.kept]] = True
            self.read[table] = True

    def _depends(self, table: Wires, code: Code) -> bool:
        writes = table[:, code.kept]
        return bool(self.written[table].any() or self.read[writes].any())

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
        ready = [
            positions.ready(calls, code, table, device.state, device.total)
            for calls, code, table in self.calls
        ]
        positions.run_batch(ready, device.state, device.planes, device.threads)
        for one in ready:
            if one.fold is not None:
                _book(device, one.fold, self.layer, one.code.causes)
            if one.suspect.any():
                _replay(device, one, self.layer)
        for item in self.marks:
            assert self.on_mark is not None
            read_mark(device, item, self.on_mark)
        if not device.cuts.known:
            for _, _, table in self.calls:
                self.written[table] = self.read[table] = False
            for item in self.marks:
                self.read[item.bank.wires] = False
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
    is_and = program_of(definition, calls.inverse).is_and
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
    words = device.state.shape[1]
    position, word = divmod(int(np.flatnonzero(one.suspect)[0]), words)
    found: list[Violation] = []
    if device.replays < REPLAYS:
        device.replays += 1
        ports = device.state[one.wires[position], word : word + 1]
        ports[one.code.kept] = one.before[position, :, word : word + 1]
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
