"""`simulate`: every gate of a circuit on every row of an ensemble, and what that erased.

Items of the body run one after the other on all rows, so that an ERASE sees the whole ensemble and
its counts are folded at once. Between items nothing is kept but the packed state of the device.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.circuit.banks import TensorCircuit
from revsim.circuit.definition import (
    Alloc,
    Call,
    Circuit,
    Definition,
    Erase,
    Export,
    Free,
    Gates,
    Loop,
    Mark,
)
from revsim.circuit.measures import counts_of_item
from revsim.circuit.program import tallied_ands
from revsim.circuit.registers import Register, Wires
from revsim.circuit.validate import validate
from revsim.errors import CheckError, InputError
from revsim.simulator import plain
from revsim.simulator.counters import Counters, Violation
from revsim.simulator.ensemble import Ensemble
from revsim.simulator.executors import Evaluated, check_every_gate, executor_named
from revsim.simulator.faults import EraseFaults, FaultStream
from revsim.simulator.groups import groups_of
from revsim.simulator.lanes import (
    Words,
    check_memory,
    padded_words,
    planes_of,
    unpack,
    weighted_ones,
    write,
)
from revsim.simulator.statistics import (
    distribution_of_wires,
    lost_bits,
    spectrum_of_wires,
    standing_of_wires,
    values_of,
)
from revsim.simulator.tally import ErasureTally, GateTally, GroupTally, InnerTally, Spectrum, Tally

Integers = npt.NDArray[np.int64]
OnMark = Callable[[str, Any, Integers], None]
"""Called with (tensor name, element index, int64 [rows]) wherever a tensor can be read; from a
circuit of tensors with (name, element indices int64 [registers], int64 [rows, registers])."""
OnErase = Callable[[Erase, npt.NDArray[np.bool_]], None]
"""Called with each ERASE of a register and what it throws away, bool [wires, rows]."""

INTEGER_BITS = 63
"""Widest register that is read or written as an integer."""


@dataclass(frozen=True, eq=False)
class Run:
    """`outputs` int64 [rows, outputs] and the tally of one simulation, and which executor ran."""

    circuit: Circuit | TensorCircuit
    ensemble: Ensemble
    outputs: Integers
    tally: Tally
    executor: str

    @property
    def evaluated(self) -> Evaluated:
        """How many gates ran on how many rows, and how."""
        return Evaluated(self.executor, self.tally.gate_evaluations, self.tally.equivalent_gates)


@dataclass
class _Device:
    """State of a run in progress; lives inside `simulate` only."""

    state: Words
    rows: int
    planes: Words
    weights: Integers | None
    live: set[int]
    allocates: bool
    erasures: list[ErasureTally] = field(default_factory=list)
    inner: list[InnerTally] = field(default_factory=list)
    groups: list[GroupTally] = field(default_factory=list)
    gates: list[GateTally] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    suspects: set[int] = field(default_factory=set)
    toggles: dict[str, int] | None = None
    fused: int = 0
    values: bool = False
    pointwise: bool = False
    exported: int = 0
    faults: FaultStream | None = None

    def counters(self, layer: str) -> Counters:
        """Counters of one item of the body."""
        toggles = None if self.toggles is None else 0
        return Counters(self.planes, layer, toggles=toggles, faults=self.faults)

    def flipped(self, layer: str, toggles: int | None) -> None:
        """Book the flips of one item on its layer."""
        if self.toggles is not None and toggles is not None:
            self.toggles[layer] = self.toggles.get(layer, 0) + toggles

    def spectrum(self, wires: Wires | None = None) -> Spectrum:
        """Of some wires together, or of everything kept."""
        chosen = self.kept() if wires is None else wires
        return spectrum_of_wires(self.state, chosen, self.rows, self.weights)

    def kept(self) -> Wires:
        """All wires in use, and the copies of exports that are declared kept."""
        return np.array(sorted(self.live), dtype=np.int32)

    def standing(self) -> Integers | None:
        """For each row the weight of the rows in its state, where that is asked for."""
        if not self.pointwise:
            return None
        return standing_of_wires(self.state, self.kept(), self.rows, self.weights)


def simulate(
    circuit: Circuit | TensorCircuit,
    ensemble: Ensemble,
    *,
    executor: str | None = None,
    threads: int | None = None,
    on_mark: OnMark | None = None,
    on_erase: OnErase | None = None,
    strict: bool = True,
    switching: bool = False,
    values: bool = False,
    pointwise: bool = False,
    faults: EraseFaults | None = None,
) -> Run:
    """Run every gate of `circuit` on every row of `ensemble`.

    executor: "literal" (default) evaluates every gate on its own in compiled kernels, "fused" runs
    whole definitions by fewer operations that its gates were folded into, faster, and "numpy" every
    gate in plain NumPy: the readable judge, slower, and what runs where Numba is absent. All give
    the same outputs and the same counts of what is erased, bit for bit; `evaluated` of the run says
    how many gates were evaluated and how many replaced.
    strict: raise CheckError at a wire that is released while not 0 or at a broken role; otherwise
    list them in `tally.violations`. On request: switching, the flips of every wire
    (`tally.toggles`; takes up to twice as long); values, which values stood in each register that
    is erased; pointwise, what each group throws away of each row; faults, erasures that fail (then
    no wire is promised to be 0, and the tally says what every ERASE saw). Raises InputError where
    rows do not fit the input registers.
    """
    executor = executor_named(executor)
    check_every_gate(executor, switching=switching, faults=faults is not None)
    if threads is not None and threads < 1:
        raise InputError(f"threads must be 1 or more, got {threads}")
    if switching and faults is not None:
        raise InputError("switching is not counted where erasures fail: ask for one of the two")
    threads = (os.cpu_count() or 1) if threads is None else threads
    if isinstance(circuit, TensorCircuit):
        from revsim.simulator.tensors import simulate_tensors

        if on_erase is not None or switching or values or faults is not None:
            raise InputError(
                "a circuit of tensors counts its erasures only: no switching, no values of "
                "registers, no erasures that fail"
            )
        outputs, tally = simulate_tensors(
            circuit, ensemble, executor, threads, on_mark, strict, pointwise
        )
        return Run(circuit, ensemble, outputs, tally, executor)
    validate(circuit)
    started = time.perf_counter()
    rows = len(ensemble.rows)
    words = padded_words(rows)
    check_memory(circuit.width, rows, words)
    device = _load(circuit, ensemble, words)
    device.toggles = {} if switching else None
    device.values, device.pointwise = values, pointwise
    device.faults = None if faults is None else FaultStream(faults, rows)
    initial = device.spectrum()
    groups = groups_of(circuit)
    evaluations = 0
    for position, item in enumerate(circuit.body):
        layer = circuit.layer_of[position] if circuit.layer_of else ""
        group = groups.get(position)
        if group is not None and group.first == position:
            before, stood, joint = device.spectrum(), device.standing(), []
        if group is not None and position in group.batches:
            joint.append(device.spectrum(group.batches[position]))
        if on_erase is not None and isinstance(item, Erase):
            on_erase(item, unpack(device.state[item.register.wires], rows))
        _step(circuit, device, item, layer, executor, threads, on_mark)
        if group is not None and group.last == position:
            lost = lost_bits(stood, device.standing())
            device.groups.append(
                GroupTally(*group.key, before, device.spectrum(), tuple(joint), lost)
            )
        evaluations += counts_of_item(item).gates
    final = device.spectrum()
    if device.suspects and faults is None:
        word = sorted(device.suspects)[0]
        named = _replay(circuit, ensemble, word)
        unnamed = Violation(
            "ancillas", "", circuit.name, "a wire that only one executor", 64 * word
        )
        device.violations += named or [unnamed]
    if circuit.ranges and faults is None:  # compiled from a network
        device.violations += _left_behind(circuit, ensemble, device)
    if strict and device.violations:
        raise CheckError(str(device.violations[0]))
    outputs = np.zeros((rows, len(circuit.outputs)), dtype=np.int64)
    for k, register in enumerate(circuit.outputs):
        outputs[:, k] = _decode(device, register)
    tally = Tally(
        ensemble.total,
        rows,
        tuple(device.erasures),
        tuple(device.inner),
        tuple(device.groups),
        tuple(device.gates),
        initial,
        final,
        tuple(device.violations),
        (evaluations - device.fused) * rows,
        None if device.toggles is None else dict(device.toggles),
        time.perf_counter() - started,
        equivalent_gates=device.fused * rows,
    )
    return Run(circuit, ensemble, outputs, tally, executor)


def _load(circuit: Circuit, ensemble: Ensemble, words: int) -> _Device:
    rows = len(ensemble.rows)
    given = ensemble.rows.shape[1]
    if given != len(circuit.inputs):
        raise InputError(
            f"ensemble {ensemble.name!r} has {given} values per row, circuit {circuit.name!r} "
            f"takes {len(circuit.inputs)}"
        )
    copies = sum(len(i.register.wires) for i in circuit.body if isinstance(i, Export) and i.kept)
    state = np.zeros((circuit.width + copies, words), dtype=np.uint64)
    for k, register in enumerate(circuit.inputs):
        column = ensemble.rows[:, k].astype(np.int64)
        if len(register.wires) > INTEGER_BITS:
            raise InputError(
                f"register {register.name!r} has {len(register.wires)} wires; inputs take at most "
                f"{INTEGER_BITS}: split it"
            )
        low, high = register.encoding.low, register.encoding.high
        if circuit.ranges:  # declared by the network, perhaps narrower than the bits
            low, high = max(low, circuit.ranges[k][0]), min(high, circuit.ranges[k][1])
        bad = np.flatnonzero((column < low) | (column > high))
        if len(bad):
            raise InputError(
                f"ensemble {ensemble.name!r}, row {bad[0]}: register {register.name!r} is "
                f"{column[bad[0]]}, it takes {low}..{high}"
            )
        write(state, register.wires, register.encoding.encode(column))
    planes = planes_of(ensemble.weights, rows, words)
    allocates = any(isinstance(item, Alloc) for item in circuit.body)
    live = {int(w) for r in circuit.inputs for w in r.wires}
    if not allocates:  # a circuit read from a text: every wire is in use from start to end
        live = set(range(circuit.width))
    return _Device(state, rows, planes, ensemble.weights, live, allocates)


def _step(
    circuit: Circuit,
    device: _Device,
    item: object,
    layer: str,
    executor: str,
    threads: int,
    on_mark: OnMark | None,
) -> None:
    if isinstance(item, Call | Loop):
        for call in item.calls() if isinstance(item, Loop) else (item,):
            _call(device, call, layer, executor, threads)
    elif isinstance(item, Gates):
        counters = device.counters(layer)
        plain.run_gates(item, device.state, counters, _names_of(circuit))
        device.violations += counters.violations
        device.flipped(layer, counters.toggles)
    elif isinstance(item, Erase):
        _erase(device, item)
    elif isinstance(item, Alloc):
        _must_be_zero(circuit, device, item.register, layer)
        device.live.update(int(w) for w in item.register.wires)
    elif isinstance(item, Free):
        _free(circuit, device, item, layer)
    elif isinstance(item, Export) and item.kept:
        copy = range(circuit.width + device.exported, len(device.state))[: len(item.register.wires)]
        device.state[copy] = device.state[item.register.wires]
        device.live.update(copy)
        device.exported += len(copy)
    elif isinstance(item, Mark) and on_mark is not None:
        for k, register in enumerate(item.registers):
            on_mark(item.name, k, _decode(device, register))


def _call(device: _Device, call: Call, layer: str, executor: str, threads: int) -> None:
    counters = device.counters(layer)
    if executor != "numpy":
        from revsim.simulator import fast

        fast.run(
            call.definition,
            device.state,
            call.wires,
            counters,
            call.inverse,
            threads,
            executor=executor,
        )
    else:
        plain.run(call.definition, device.state, call.wires, counters, call.inverse)
    device.violations += counters.violations
    device.suspects |= counters.suspects
    device.fused += counters.fused
    device.flipped(layer, counters.toggles)
    for cause in dict.fromkeys(c for c, _ in counters.ones):
        ones = np.array([n for c, n in counters.ones if c == cause], dtype=np.int64)
        device.inner.append(InnerTally(layer, cause, call.definition.name, ones))
    if counters.joint:
        joint = np.array(counters.joint, dtype=np.int64)
        is_and = tallied_ands(call.definition, call.inverse)
        device.gates.append(GateTally(layer, joint, is_and))


def _erase(device: _Device, item: Erase) -> None:
    wires = item.register.wires
    ones = np.array([weighted_ones(device.state[w], device.planes) for w in wires], dtype=np.int64)
    joint = spectrum_of_wires(device.state, wires, device.rows, device.weights)
    found = None
    if device.values:
        found = distribution_of_wires(device.state, wires, device.rows, device.weights)
    device.erasures.append(
        ErasureTally(item.layer, item.cause, item.register.name, item.value_of, ones, joint, found)
    )
    device.flipped(item.layer, int(ones.sum()))
    device.state[wires] = 0
    if device.faults is not None:
        device.state[wires] = device.faults.next(len(wires), device.state.shape[1])


def _must_be_zero(circuit: Circuit, device: _Device, register: Register, layer: str) -> None:
    """A register that comes into use, or goes out of it, must hold 0 on every lane."""
    counters = device.counters(layer)
    for k, wire in enumerate(register.wires):
        name = f"{register.name}[{k}]"
        counters.must_be_zero(device.state[wire], "ancillas", circuit.name, name)
    device.violations += counters.violations


def _free(circuit: Circuit, device: _Device, item: Free, layer: str) -> None:
    _must_be_zero(circuit, device, item.register, layer)
    if device.allocates:
        device.live.difference_update(int(w) for w in item.register.wires)


def _decode(device: _Device, register: Register) -> Integers:
    if len(register.wires) > INTEGER_BITS:
        raise InputError(
            f"register {register.name!r} has {len(register.wires)} wires; integers of more than "
            f"{INTEGER_BITS} bits cannot be read: split it"
        )
    return register.encoding.decode(values_of(device.state, register.wires, device.rows))


def _names_of(circuit: Circuit) -> Definition:
    """A stand-in definition whose wire names are those of the circuit's registers."""
    named = circuit.registers or (*circuit.inputs, *circuit.outputs)
    runs = tuple(
        (r.name, int(r.wires[0]), len(r.wires))
        for r in named
        if len(r.wires) and bool((np.diff(r.wires) == 1).all())
    )
    return Definition(circuit.name, (), circuit.width, (), runs, ("erase",))


def _left_behind(circuit: Circuit, ensemble: Ensemble, device: _Device) -> list[Violation]:
    """What a compiled network must leave: its outputs, its input where kept, zeros elsewhere."""
    counters = Counters(device.planes)
    stays = {int(w) for r in circuit.outputs for w in r.wires}
    if circuit.input_choice != "destroy":
        for k, register in enumerate(circuit.inputs):
            stays.update(int(w) for w in register.wires)
            changed = np.flatnonzero(_decode(device, register) != ensemble.rows[:, k])
            if len(changed):
                name = f"{register.name} (kept input, changed)"
                counters.violations.append(
                    Violation("ancillas", "", circuit.name, name, int(changed[0]))
                )
    for wire in range(circuit.width):
        if wire not in stays:
            name = f"device wire {wire} at the end"
            counters.must_be_zero(device.state[wire], "ancillas", circuit.name, name)
    return counters.violations


def _replay(circuit: Circuit, ensemble: Ensemble, word: int) -> Sequence[Violation]:
    """Run the 64 rows of one word in plain NumPy, to name the wires that break a promise."""
    rows = slice(64 * word, 64 * (word + 1))
    weights = None if ensemble.weights is None else ensemble.weights[rows]
    part = Ensemble(ensemble.name, ensemble.rows[rows], weights)
    found = simulate(circuit, part, executor="numpy", strict=False).tally.violations
    return [Violation(v.check, v.layer, v.definition, v.wire, v.row + 64 * word) for v in found]
