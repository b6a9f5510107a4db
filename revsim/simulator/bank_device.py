"""A device of banks: the state of a run of a circuit of tensors, what it must take and leave."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from revsim.circuit.banks import (
    Bank,
    BankMark,
    TensorCircuit,
)
from revsim.circuit.registers import Wires
from revsim.errors import InputError
from revsim.simulator.bank_statistics import read_bank, write_bank
from revsim.simulator.counters import Violation
from revsim.simulator.ensemble import Ensemble
from revsim.simulator.lanes import Words, check_memory, planes_of, words_for
from revsim.simulator.statistics import lost_bits, spectrum_of_wires, standing_of_wires
from revsim.simulator.tally import (
    BankTally,
    GroupTally,
    PositionsGates,
    PositionsTally,
    Spectrum,
)

Integers = npt.NDArray[np.int64]
OnTensor = Callable[[str, Integers, Integers], None]
"""Called with (tensor name, places int64 [registers], values int64 [rows, registers])."""


@dataclass
class Cuts:
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


CUTS: WeakKeyDictionary[TensorCircuit, dict[tuple[int, int, bool], list[bool]]] = (
    WeakKeyDictionary()
)
"""By circuit, and there by threads, words and whether tensors are read."""


@dataclass
class Group:
    """A group of erasures in progress: what was read before it and, run by run, what it resets."""

    key: tuple[str, str]
    before: Spectrum
    stood: Integers | None
    joint: list[Spectrum] = field(default_factory=list)


@dataclass
class Device:
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
    group: Group | None = None
    banks: list[BankTally] = field(default_factory=list)
    inner: list[PositionsTally] = field(default_factory=list)
    gates: list[PositionsGates] = field(default_factory=list)
    groups: list[GroupTally] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    evaluations: int = 0
    fused: int = 0
    cuts: Cuts = field(default_factory=Cuts)
    replays: int = 0

    def spectrum(self, wires: Wires | None = None) -> Spectrum:
        """Of some wires together, or of everything in use."""
        chosen = np.flatnonzero(self.live).astype(np.int32) if wires is None else wires
        return spectrum_of_wires(self.state, chosen, self.rows, self.weights, self.threads)

    def standing(self) -> Integers | None:
        """For each row the weight of the rows in its state, where that is asked for."""
        if not self.pointwise:
            return None
        kept = np.flatnonzero(self.live).astype(np.int32)
        return standing_of_wires(self.state, kept, self.rows, self.weights)

    def enter(self, key: tuple[str, str] | None) -> Group | None:
        """Be in the group of a key, or in none; the group before it is closed. Where one ends and
        the next begins nothing runs, so that one reading serves both."""
        if self.group is not None and self.group.key == key:
            return self.group
        read = None
        if self.group is not None:
            read = self.spectrum(), self.standing()
            (after, stands), group = read, self.group
            lost = lost_bits(group.stood, stands)
            self.groups.append(
                GroupTally(*group.key, group.before, after, tuple(group.joint), lost)
            )
            self.group = None
        if key is not None:
            self.group = Group(key, *(read or (self.spectrum(), self.standing())))
        return self.group


def load(circuit: TensorCircuit, ensemble: Ensemble, executor: str, threads: int) -> Device:
    """A device with an ensemble on its inputs; InputError where it does not fit or is too large."""
    rows, given = ensemble.rows.shape
    takes = sum(bank.size for bank in circuit.inputs)
    if given != takes:
        raise InputError(
            f"ensemble {ensemble.name!r} has {given} values per row, circuit {circuit.name!r} "
            f"takes {takes}"
        )
    words = words_for(rows)
    check_memory(circuit.width, rows, words)
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
    return Device(
        circuit, state, rows, planes, ensemble.weights, ensemble.total, live, executor, threads,
        False,
    )  # fmt: skip


def must_be_zero(device: Device, banks: Sequence[Bank], layer: str) -> None:
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


def read_mark(device: Device, item: BankMark, on_mark: OnTensor) -> None:
    """Give the registers of a tensor, which can be read here, to whom they are for."""
    values = read_bank(device.state, item.bank, device.rows, device.executor)
    on_mark(item.name, item.places, values)


def left_behind(device: Device, ensemble: Ensemble) -> None:
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
