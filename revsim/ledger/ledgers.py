"""The ledgers: one erasure, counted by rival definitions of "erased".

All are exact for the ensemble of the run, in bits per inference:

    reset_count   A0  bits under ERASE: a device that pays one bit each, whatever the data
    per_bit       A1  sum over bits of h2(p): each bit reset by itself, tuned to its statistics
    per_register  A2  sum over ERASEs of the register's joint entropy
    per_group     -   sum over runs of ERASEs of one (layer, cause) of their joint entropy
    given_kept    A3  sum over groups of H(before) - H(after) of everything kept
    gate_local    A4  sum over gates of a netlist of H(in) - H(out); fan-out is free
    ones_flipped  A6  expected ones under ERASE; a count of flips, never an energy

reset_count >= per_bit >= per_register >= per_group >= given_kept >= 0 for every circuit and every
ensemble (theorem T2). Which of them is heat depends on what a reset may look at, its scope.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.simulator.tally import (
    BankTally,
    ErasureTally,
    GateTally,
    GroupTally,
    InnerTally,
    PositionsGates,
    PositionsTally,
    Spectrum,
    Tally,
)

LEDGERS = (
    ("reset_count", "A0"),
    ("per_bit", "A1"),
    ("per_register", "A2"),
    ("per_group", "-"),
    ("given_kept", "A3"),
    ("gate_local", "A4"),
    ("ones_flipped", "A6"),
)
"""Names people see and theory's symbols."""
LADDER = ("reset_count", "per_bit", "per_register", "per_group", "given_kept")
"""From the greatest to the least, for every circuit and every ensemble."""
SCOPES = {
    "bit": ("per_bit", "each bit is reset by itself, tuned to its statistics"),
    "register": ("per_register", "each register is reset by itself, tuned to its statistics"),
    "layer": ("per_group", "all that one layer erases for one cause is reset together"),
    "kept": ("given_kept", "a reset may look at everything that is kept"),
}
"""What a reset may look at: the ledger that is then its least heat, and that in words."""


def check_scope(scope: str) -> str:
    """A scope that there is, or an InputError."""
    if scope not in SCOPES:
        raise InputError(
            f"unknown scope {scope!r}; a reset may look at its {', '.join(SCOPES)}: choose one"
        )
    return scope


@dataclass(frozen=True)
class Ledgers:
    """Bits per inference by each definition; None where a definition does not apply."""

    reset_count: float = 0.0
    per_bit: float = 0.0
    per_register: float = 0.0
    per_group: float = 0.0
    given_kept: float = 0.0
    gate_local: float | None = None
    ones_flipped: float = 0.0

    def __add__(self, other: "Ledgers") -> "Ledgers":
        gate_local = (
            None
            if self.gate_local is None and other.gate_local is None
            else (self.gate_local or 0.0) + (other.gate_local or 0.0)
        )
        return Ledgers(
            self.reset_count + other.reset_count,
            self.per_bit + other.per_bit,
            self.per_register + other.per_register,
            self.per_group + other.per_group,
            self.given_kept + other.given_kept,
            gate_local,
            self.ones_flipped + other.ones_flipped,
        )


@dataclass(frozen=True)
class LedgerRow:
    """The ledgers of one (layer, cause)."""

    layer: str
    cause: str
    ledgers: Ledgers


def bit_entropies(ones: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.float64]:
    """h2(ones / total) in bits for each entry, from integer weights.

    >>> bit_entropies(np.array([1, 0, 4]), 4).round(4).tolist()
    [0.8113, 0.0, 0.0]
    """
    p = np.asarray(ones, dtype=np.float64) / total
    out = np.zeros(len(p))
    inner = (p > 0) & (p < 1)
    q = p[inner]
    out[inner] = -(q * np.log2(q) + (1 - q) * np.log2(1 - q))
    return out


def of_erasure(tally: ErasureTally, total: int) -> Ledgers:
    """One ERASE of a register; per_group and given_kept belong to its group and are 0 here."""
    return Ledgers(
        reset_count=float(len(tally.ones)),
        per_bit=float(bit_entropies(tally.ones, total).sum()),
        per_register=tally.joint.entropy,
        ones_flipped=float(tally.ones.sum()) / total,
    )


def of_inner(tally: InnerTally, total: int) -> Ledgers:
    """Single-bit ERASEs of a netlist, one at a time: no reset finds two bits at once, so that
    per_register and per_group are per_bit."""
    entropy = float(bit_entropies(tally.ones, total).sum())
    return Ledgers(
        reset_count=float(len(tally.ones)),
        per_bit=entropy,
        per_register=entropy,
        per_group=entropy,
        ones_flipped=float(tally.ones.sum()) / total,
    )


def of_bank(tally: BankTally, total: int, device: str = "dedicated") -> Ledgers:
    """One ERASE of all registers of a bank. On shared hardware a register is tuned to what it finds
    at all its positions together, and pays that at each of them."""
    per_bit = float(bit_entropies(tally.ones.ravel(), total).sum())
    per_register = tally.joint.entropy_within(total)
    if device == "shared":
        per_bit = per_register = 0.0
        for pool in tally.shared:
            within = total * pool.positions
            bits = bit_entropies(pool.ones.ravel(), within)
            per_bit += pool.positions * float(bits.sum())
            per_register += pool.positions * pool.joint.entropy_within(within)
    return Ledgers(
        reset_count=float(tally.ones.size),
        per_bit=per_bit,
        per_register=per_register,
        ones_flipped=float(tally.ones.sum()) / total,
    )


def of_positions(tally: PositionsTally, total: int, device: str = "dedicated") -> Ledgers:
    """Single-bit ERASEs of netlists at many positions, as `of_inner`."""
    if device == "shared":
        entropy = sum(
            places * _bits_within(found, total * places) for places, found in tally.shared
        )
    else:
        entropy = _bits_within(tally.ones, total)
    return Ledgers(
        reset_count=float(tally.erased),
        per_bit=entropy,
        per_register=entropy,
        per_group=entropy,
        ones_flipped=float((tally.ones.weight * tally.ones.times).sum()) / total,
    )


def _bits_within(ones: Spectrum, total: int) -> float:
    """Sum of h2(ones / total) over bits whose weights of ones are given as a spectrum."""
    return float((ones.times * bit_entropies(ones.weight, total)).sum())


def of_position_gates(tally: PositionsGates, total: int, device: str = "dedicated") -> Ledgers:
    """gate_local of two-input gates of netlists at many positions, as `of_gates`."""
    if device == "shared":
        lost = 0.0
        for places, inputs, output in tally.shared:
            within = total * places
            lost += places * (inputs.entropy_within(within) - output.entropy_within(within))
    else:
        lost = tally.inputs.entropy_within(total) - tally.output.entropy_within(total)
    return Ledgers(gate_local=lost)


def of_group(tally: GroupTally) -> Ledgers:
    """per_group and given_kept of one group, all readings taken at that group."""
    return Ledgers(
        per_group=sum(found.entropy for found in tally.joint),
        given_kept=tally.before.entropy - tally.after.entropy,
    )


def of_gates(tally: GateTally, total: int) -> Ledgers:
    """gate_local: sum over two-input gates of H(inputs) - H(output), fan-out free."""
    both, first, second = (tally.joint[:, k].astype(np.float64) for k in range(3))
    cells = np.stack([both, first - both, second - both, total - first - second + both]) / total
    logs = np.log2(cells, out=np.zeros_like(cells), where=cells > 0)
    inputs = -(cells * logs).sum(axis=0)
    ones = np.where(tally.is_and, both, first + second - 2 * both)
    outputs = bit_entropies(ones.astype(np.int64), total)
    return Ledgers(gate_local=float((inputs - outputs).sum()))


DEVICES = ("dedicated", "shared")
"""Every position of a layer its own hardware, or one piece of hardware for all of a channel."""


def ledger_rows(tally: Tally, device: str = "dedicated") -> tuple[LedgerRow, ...]:
    """The ledgers of every (layer, cause), in order of first appearance.

    device: "dedicated" or "shared" (see `DEVICES`), which differ in per_bit, per_register and
    gate_local of circuits of tensors. Their difference is the price of time-shared hardware.
    """
    if device not in DEVICES:
        raise InputError(f"unknown device {device!r}; choose one of {', '.join(DEVICES)}")
    rows: dict[tuple[str, str], Ledgers] = {}

    def add(layer: str, cause: str, ledgers: Ledgers) -> None:
        rows[layer, cause] = rows.get((layer, cause), Ledgers()) + ledgers

    for inner in tally.inner:
        add(inner.layer, inner.cause, of_inner(inner, tally.total))
    for gates in tally.gates:
        add(gates.layer, "gate_output", of_gates(gates, tally.total))
    for erasure in tally.erasures:
        add(erasure.layer, erasure.cause, of_erasure(erasure, tally.total))
    for positions in tally.positions:
        add(positions.layer, positions.cause, of_positions(positions, tally.total, device))
    for found in tally.position_gates:
        add(found.layer, "gate_output", of_position_gates(found, tally.total, device))
    for bank in tally.banks:
        add(bank.layer, bank.cause, of_bank(bank, tally.total, device))
    for group in tally.groups:
        add(group.layer, group.cause, of_group(group))
    order = {name: k for k, name in enumerate(dict.fromkeys(layer for layer, _ in rows))}
    ordered = sorted(rows.items(), key=lambda item: order[item[0][0]])
    return tuple(LedgerRow(layer, cause, _tidy(ledgers)) for (layer, cause), ledgers in ordered)


def _tidy(ledgers: Ledgers) -> Ledgers:
    """Rounding noise of a difference of entropies below 1e-12 is 0."""
    given = ledgers.given_kept
    return replace(ledgers, given_kept=0.0) if abs(given) < 1e-12 else ledgers


def switching_of(tally: Tally) -> dict[str, float] | None:
    """Expected flips of all wires per inference, by layer; None where they were not counted.

    Every gate that changes its target counts one flip per wire it changes, a reset counts its
    ones; loading the input does not count. A number of flips for device models, never an energy
    and no bound. The sum over layers is that of the whole circuit.
    """
    if tally.toggles is None:
        return None
    return {layer: flips / tally.total for layer, flips in tally.toggles.items()}


def total_of(rows: Iterable[LedgerRow]) -> Ledgers:
    """Sum of ledger rows."""
    out = Ledgers()
    for row in rows:
        out = out + row.ledgers
    return out
