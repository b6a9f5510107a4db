"""`simulate` for circuits of tensors: whole banks and all positions of a definition at a time.

The same meaning and the same counts as running every position as a call of its own and every
register as an ERASE of its own; what is counted per register or per position is folded at once.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
import numpy.typing as npt

from revsim.circuit.banks import (
    Bank,
    BankAlloc,
    BankErase,
    BankFree,
    BankMark,
    BankSet,
    Calls,
    TensorCircuit,
    TensorItem,
)
from revsim.circuit.gates import OP
from revsim.circuit.measures import counts
from revsim.circuit.program import flatten
from revsim.circuit.registers import Wires
from revsim.errors import CheckError, InputError
from revsim.simulator import plain
from revsim.simulator.bank_statistics import read_bank, tally_of, write_bank
from revsim.simulator.body import BodyRun, runs_of
from revsim.simulator.code import Code, tallied_gates
from revsim.simulator.counters import PositionCounters, Violation
from revsim.simulator.ensemble import Ensemble
from revsim.simulator.fold import CallFold, fold_gates, fold_tallies
from revsim.simulator.lanes import Words, planes_of, words_for
from revsim.simulator.statistics import spectrum_of_wires, standing_of_wires
from revsim.simulator.tally import (
    BankTally,
    GroupTally,
    PositionsGates,
    PositionsTally,
    Spectrum,
    Tally,
)

if TYPE_CHECKING:
    from revsim.simulator.positions import Ready

Integers = npt.NDArray[np.int64]
OnTensor = Callable[[str, Integers, Integers], None]
"""Called with (tensor name, places int64 [registers], values int64 [rows, registers])."""

REPLAYS = 3
"""Broken promises that are looked up in plain NumPy; each may take seconds."""


@dataclass
class _Group:
    """A group of erasures in progress: what was read before it and, run by run, what it resets."""

    key: tuple[str, str]
    before: Spectrum
    stood: Integers | None
    joint: list[Spectrum] = field(default_factory=list)


@dataclass
class _Device:
    """State of a run in progress; lives inside `simulate_tensors` only."""

    circuit: TensorCircuit
    state: Words
    rows: int
    planes: Words
    weights: Integers | None
    total: int
    live: npt.NDArray[np.bool_]
    executor: str
    threads: int
    pointwise: bool
    group: _Group | None = None
    banks: list[BankTally] = field(default_factory=list)
    inner: list[PositionsTally] = field(default_factory=list)
    gates: list[PositionsGates] = field(default_factory=list)
    groups: list[GroupTally] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    evaluations: int = 0
    cuts: "_Cuts" = field(default_factory=lambda: _Cuts())
    replays: int = 0

    def spectrum(self, wires: Wires | None = None) -> Spectrum:
        """Of some wires together, or of everything in use."""
        chosen = np.flatnonzero(self.live).astype(np.int32) if wires is None else wires
        return spectrum_of_wires(self.state, chosen, self.rows, self.weights)

    def standing(self) -> Integers | None:
        """For each row the weight of the rows in its state, where that is asked for."""
        if not self.pointwise:
            return None
        kept = np.flatnonzero(self.live).astype(np.int32)
        return standing_of_wires(self.state, kept, self.rows, self.weights)

    def enter(self, key: tuple[str, str] | None) -> _Group | None:
        """Be in the group of a key, or in none; the group before it is closed."""
        if self.group is not None and self.group.key != key:
            stood, stands = self.group.stood, self.standing()
            lost = None
            if stood is not None and stands is not None:
                ratio = np.maximum(stands, 1) / np.maximum(stood, 1)
                lost = np.where(stood > 0, np.log2(ratio), 0.0)
            joint = tuple(self.group.joint)
            before, after = self.group.before, self.spectrum()
            self.groups.append(GroupTally(*self.group.key, before, after, joint, lost))
            self.group = None
        if self.group is None and key is not None:
            self.group = _Group(key, self.spectrum(), self.standing())
        return self.group


def simulate_tensors(
    circuit: TensorCircuit,
    ensemble: Ensemble,
    executor: str,
    threads: int,
    on_mark: OnTensor | None = None,
    strict: bool = True,
    pointwise: bool = False,
) -> tuple[Integers, Tally]:
    """Outputs int64 [rows, values of all outputs] and the tally; arguments as for `simulate`.

    Rows of the ensemble are the values of all inputs, tensor after tensor. Raises InputError where
    they do not fit or the state would not; CheckError as `simulate` does.
    """
    started = time.perf_counter()
    check(circuit)
    device = _load(circuit, ensemble, executor, threads)
    device.pointwise = pointwise
    initial = device.spectrum()
    cuts = _CUTS.setdefault(circuit, {})
    key = threads, device.state.shape[1], on_mark is None
    if key in cuts:
        device.cuts = _Cuts(cuts[key], known=True)
    for run in runs_of(circuit):
        if isinstance(run.items[0], BankErase):
            _erase(device, run.items, on_mark)
        elif executor == "numba" and any(isinstance(item, Calls) for item in run.items):
            _call_fast(device, run, on_mark)
        else:
            for item in run.items:
                _step(device, item, run.layer, on_mark)
    if executor == "numba":
        cuts[key] = device.cuts.answers
    device.enter(None)
    final = device.spectrum()
    _left_behind(device, ensemble)
    if strict and device.violations:
        raise CheckError(str(device.violations[0]))
    outputs = [read_bank(device.state, b, device.rows, executor) for b in circuit.outputs]
    tally = Tally(
        device.total,
        device.rows,
        (),
        (),
        tuple(device.groups),
        (),
        initial,
        final,
        tuple(device.violations),
        device.evaluations * device.rows,
        None,
        time.perf_counter() - started,
        tuple(device.banks),
        fold_tallies(device.inner),
        fold_gates(device.gates),
    )
    return np.concatenate(outputs, axis=1), tally


_CHECKED: WeakSet[TensorCircuit] = WeakSet()


def check(circuit: TensorCircuit) -> None:
    """Raise InputError where tables do not fit their ports, banks or the device, or a position is
    given a wire twice; once a circuit."""
    if circuit in _CHECKED:
        return
    for item in circuit.body:
        if isinstance(item, Calls):
            widths = [port.width for port in item.recipe.ports]
            if [table.shape[1] for table in item.wires] != widths:
                raise InputError(
                    f"definition {item.recipe.name!r}: ports of {widths} wires, given tables of "
                    f"{[table.shape for table in item.wires]}"
                )
            _check_ports(item)
            tables: Sequence[Wires] = item.wires
        else:
            tables = (item.bank.wires,)
            if item.bank.wires.shape[1] != item.bank.encoding.width:
                raise InputError(f"bank {item.bank.name!r}: wires and encoding differ in width")
        for table in tables:
            if table.size and not 0 <= int(table.min()) <= int(table.max()) < circuit.width:
                raise InputError(f"{circuit.name!r}: a wire outside 0..{circuit.width - 1}")
    _CHECKED.add(circuit)


def _check_ports(calls: Calls) -> None:
    """Each wire at one port of a position, as in a call: a definition may change for a time what it
    reads, and wires that it takes for two would be one."""
    ordered = np.sort(calls.table, axis=1)
    twice = np.argwhere(ordered[:, 1:] == ordered[:, :-1])
    if len(twice):
        position, place = twice[0].tolist()
        raise InputError(
            f"definition {calls.recipe.name!r}: position {position} is given wire "
            f"{ordered[position, place]} at two ports; copy it first"
        )


def _load(circuit: TensorCircuit, ensemble: Ensemble, executor: str, threads: int) -> _Device:
    rows, given = ensemble.rows.shape
    takes = sum(bank.size for bank in circuit.inputs)
    if given != takes:
        raise InputError(
            f"ensemble {ensemble.name!r} has {given} values per row, circuit {circuit.name!r} "
            f"takes {takes}"
        )
    words = words_for(rows)
    from revsim.simulator.run import MEMORY_LIMIT

    if circuit.width * words * 8 > MEMORY_LIMIT:
        raise InputError(
            f"{rows} rows on {circuit.width:,} wires need {circuit.width * words * 8 >> 20} MiB, "
            f"the limit is {MEMORY_LIMIT >> 20} MiB, and all rows of a run are held at once: use "
            "fewer rows"
        )
    state = np.zeros((circuit.width, words), dtype=np.uint64)
    live = np.zeros(circuit.width, dtype=np.bool_)
    first = 0
    for number, bank in enumerate(circuit.inputs):
        values = ensemble.rows[:, first : first + bank.size].astype(np.int64)
        low, high = bank.encoding.low, bank.encoding.high
        if circuit.ranges:  # declared by the network, perhaps narrower than the bits
            low, high = max(low, circuit.ranges[number][0]), min(high, circuit.ranges[number][1])
        bad = np.argwhere((values < low) | (values > high))
        if len(bad):
            row, place = bad[0]
            raise InputError(
                f"ensemble {ensemble.name!r}, row {row}: value {place} of {bank.name!r} is "
                f"{values[row, place]}, it takes {low}..{high}"
            )
        write_bank(state, bank, values)
        live[bank.wires] = True
        first += bank.size
    planes = planes_of(ensemble.weights, rows, words)
    return _Device(
        circuit, state, rows, planes, ensemble.weights, ensemble.total, live, executor, threads,
        False,
    )  # fmt: skip


def _step(device: _Device, item: TensorItem, layer: str, on_mark: OnTensor | None) -> None:
    """One item by itself."""
    if isinstance(item, Calls):
        _call_plain(device, item, layer)
    elif isinstance(item, BankAlloc | BankFree):
        _must_be_zero(device, [item.bank], layer)
        device.live[item.bank.wires] = isinstance(item, BankAlloc)
    elif isinstance(item, BankSet):
        device.enter(None)
        chosen = [k for k in range(item.bank.wires.shape[1]) if item.value >> k & 1]
        device.state[item.bank.wires[:, chosen]] ^= ~np.uint64(0)
        device.evaluations += item.bank.size * len(chosen)
    elif isinstance(item, BankErase):
        device.state[item.bank.wires] = 0
        device.evaluations += item.bank.wires.size
    elif on_mark is not None:
        values = read_bank(device.state, item.bank, device.rows, device.executor)
        on_mark(item.name, item.places, values)


def _erase(device: _Device, items: Sequence[TensorItem], on_mark: OnTensor | None) -> None:
    """An unbroken run of ERASEs of one (layer, cause), bookkeeping among them.

    What they throw away is read before the first one, banks of one width together; should a wire be
    erased twice, which finds nothing the second time, bank by bank.
    """
    erased = [item for item in items if isinstance(item, BankErase)]
    group = device.enter((erased[0].layer, erased[0].cause))
    assert group is not None
    wires = np.concatenate([item.bank.wires.ravel() for item in erased])
    once = np.zeros(device.circuit.width, dtype=np.bool_)
    once[wires] = True
    group.joint.append(device.spectrum(np.flatnonzero(once).astype(np.int32)))
    together = int(once.sum()) == len(wires)

    def tally(some: Sequence[BankErase]) -> None:
        device.banks.append(
            tally_of(
                some, device.state, device.planes, device.rows, device.weights, device.executor
            )
        )

    if together:
        alike: dict[tuple[int, str, tuple[int, int]], list[BankErase]] = {}
        for item in erased:
            key = item.bank.wires.shape[1], item.value_of, item.shape
            alike.setdefault(key, []).append(item)
        for some in alike.values():
            tally(some)
    for frees, part in groupby(items, lambda one: isinstance(one, BankFree)):
        if frees:
            _free(device, [one.bank for one in part if isinstance(one, BankFree)])
            continue
        for one in part:
            if isinstance(one, BankErase) and not together:
                tally([one])
            _step(device, one, erased[0].layer, on_mark)


def _free(device: _Device, banks: Sequence[Bank]) -> None:
    """Banks go out of use, all at once."""
    assert device.group is not None
    _must_be_zero(device, banks, device.group.key[0])
    device.live[np.concatenate([bank.wires.ravel() for bank in banks])] = False


@dataclass
class _Cuts:
    """Where batches of calls end: found out in the first run of a circuit, then remembered."""

    answers: list[bool] = field(default_factory=list)
    known: bool = False
    asked: int = 0

    def here(self, depends: Callable[[], bool]) -> bool:
        """The next answer."""
        if not self.known:
            self.answers.append(depends())
        self.asked += 1
        return self.answers[self.asked - 1]


_CUTS: WeakKeyDictionary[TensorCircuit, dict[tuple[int, int, bool], list[bool]]] = (
    WeakKeyDictionary()
)
"""By circuit, and there by threads, words and whether tensors are read."""


class _Batch:
    """Calls that touch nothing that another of them changes; lives inside `_call_fast` only.

    Banks that come into use among them are checked before they run, tensors read after.
    """

    def __init__(self, device: _Device, layer: str, on_mark: OnTensor | None) -> None:
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
            _must_be_zero(device, self.allocs, self.layer)
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
            _step(device, item, self.layer, self.on_mark)
        if not device.cuts.known:
            for _, _, table in self.calls:
                self.written[table] = self.read[table] = False
            for item in self.marks:
                self.read[item.bank.wires] = False
        self.calls.clear()
        self.allocs.clear()
        self.marks.clear()


def _call_fast(device: _Device, run: BodyRun, on_mark: OnTensor | None) -> None:
    from revsim.simulator import positions

    batch = _Batch(device, run.layer, on_mark)
    calls = [item for item in run.items if isinstance(item, Calls)]
    following = iter(positions.codes_of(calls, device.threads))
    for item in run.items:
        if isinstance(item, Calls):
            batch.add(item, next(following))
        elif isinstance(item, BankAlloc):
            batch.alloc(item.bank)
        elif isinstance(item, BankMark):
            batch.mark(item)
    batch.run()


def _call_plain(device: _Device, calls: Calls, layer: str) -> None:
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
    is_and = tallied_gates(flatten(definition).table[:, OP])
    fold = CallFold(device.total, len(table), calls.channels, causes, is_and)
    ones = np.array(counters.ones_at, dtype=np.int64).reshape(len(causes), len(table))
    joint = np.array(counters.joint_at, dtype=np.int64).reshape(len(is_and), len(table), 3)
    fold.add(0, ones, joint)
    _book(device, fold, layer, definition.causes)
    device.evaluations += counts(definition).gates * len(table)


def _book(device: _Device, fold: CallFold, layer: str, causes: Sequence[str]) -> None:
    fold.close()
    device.inner += fold.tallies(layer, causes)
    device.gates += fold.gates(layer)


_OWN: WeakSet[Calls] = WeakSet()


def _check_own(calls: Calls, table: Wires, code: Code) -> None:
    """Raise InputError where two positions share a wire that one of them changes; once a call."""
    if calls not in _OWN:
        plain.check_own(code.name, table, code.kept)
        _OWN.add(calls)


def _replay(device: _Device, one: "Ready", layer: str) -> None:
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


def _must_be_zero(device: _Device, banks: Sequence[Bank], layer: str) -> None:
    """Record the first wire of banks that does not hold 0 on every row that counts."""
    counts = np.bitwise_or.reduce(device.planes, axis=0)
    wires = np.concatenate([bank.wires.ravel() for bank in banks])
    if not (device.state[wires] & counts).any():
        return
    for bank in banks:
        lanes = counts & device.state[bank.wires]
        if lanes.any():
            register, bit, word = np.argwhere(lanes)[0]
            value = int(lanes[register, bit, word])
            row = 64 * int(word) + (value & -value).bit_length() - 1
            wire = f"{bank.name}[{register}] bit {bit}"
            device.violations.append(Violation("ancillas", layer, device.circuit.name, wire, row))
            return


def _left_behind(device: _Device, ensemble: Ensemble) -> None:
    """What a circuit must leave: its outputs, its input where kept, zeros elsewhere."""
    circuit = device.circuit
    stays = np.zeros(circuit.width, dtype=np.bool_)
    for bank in circuit.outputs:
        stays[bank.wires] = True
    if circuit.input_choice != "destroy":
        first = 0
        for bank in circuit.inputs:
            stays[bank.wires] = True
            held = read_bank(device.state, bank, device.rows, device.executor)
            bad = np.argwhere(held != ensemble.rows[:, first : first + bank.size])
            first += bank.size
            if len(bad):
                name = f"{bank.name}[{bad[0][1]}] (kept input, changed)"
                device.violations.append(
                    Violation("ancillas", "", circuit.name, name, int(bad[0][0]))
                )
    rest = np.flatnonzero(~stays)
    lanes = np.bitwise_or.reduce(device.planes, axis=0) & device.state[rest]
    if lanes.any():
        wire, word = np.argwhere(lanes)[0]
        value = int(lanes[wire, word])
        row = 64 * int(word) + (value & -value).bit_length() - 1
        name = f"device wire {rest[wire]} at the end"
        device.violations.append(Violation("ancillas", "", circuit.name, name, row))
