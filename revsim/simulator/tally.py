"""What a simulation leaves behind: exact integer counts, from which every ledger is computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.simulator.counters import Violation

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """How often each weight occurs among the distinct values of something.

    `weight` int64 sorted, `times` int64: all that an entropy needs, whatever the values were and
    in whatever order the rows came.
    """

    weight: Integers
    times: Integers

    @classmethod
    def of(cls, counts: npt.NDArray[Any]) -> "Spectrum":
        """Spectrum of positive integer counts (zeros are left out)."""
        positive = counts[counts > 0].astype(np.int64)
        if len(positive) and int(positive.max()) <= 4 * len(positive) + 1024:
            histogram = np.bincount(positive)
            weight = np.flatnonzero(histogram)
            return cls(weight.astype(np.int64), histogram[weight].astype(np.int64))
        weight, times = np.unique(positive, return_counts=True)
        return cls(weight, times.astype(np.int64))

    @classmethod
    def of_times(cls, times: Integers) -> "Spectrum":
        """Spectrum from how often each weight occurs, int64 [largest + 1]; 0 is left out."""
        weight = np.flatnonzero(times[1:]) + 1
        return cls(weight.astype(np.int64), times[weight])

    @classmethod
    def sum(cls, spectra: "Sequence[Spectrum]") -> "Spectrum":
        """Several spectra as one: how often each weight occurs in all of them."""
        weight, place = np.unique(
            np.concatenate([np.zeros(0, np.int64), *(s.weight for s in spectra)]),
            return_inverse=True,
        )
        times = np.zeros(len(weight), dtype=np.int64)
        np.add.at(times, place, np.concatenate([times[:0], *(s.times for s in spectra)]))
        return cls(weight, times)

    def entropy_within(self, total: int) -> float:
        """Sum of -p log2 p over all weights, p = weight / total: for the spectra of many things as
        one, each of weight `total`, the sum of their entropies.

        >>> two_coins = Spectrum.sum([Spectrum.of(np.array([1, 1]))] * 2)
        >>> two_coins.entropy_within(2)
        2.0
        """
        p = self.weight / total
        return float(-(self.times * p * np.log2(p)).sum()) + 0.0

    @property
    def entropy(self) -> float:
        """Shannon entropy in bits of the distribution weight / total.

        >>> Spectrum.of(np.array([2, 1, 1])).entropy
        1.5
        """
        total = int((self.weight * self.times).sum())
        if total == 0:
            return 0.0
        p = self.weight / total
        return max(0.0, float(-(self.times * p * np.log2(p)).sum()))


@dataclass(frozen=True, eq=False)
class Distribution:
    """Which values stood in a register, and with what weight: `keys` sorted, each once.

    Keys of two runs of one circuit are the same where the values are: unsigned integers of a
    register of at most 64 wires, its bits as bytes of a wider one. `weight` int64, positive.
    """

    keys: npt.NDArray[Any]
    weight: Integers


@dataclass(frozen=True, eq=False)
class ErasureTally:
    """One ERASE of a register: `ones` int64 [bits] is the weight of the rows with that bit 1.

    `values` is recorded on request only.
    """

    layer: str
    cause: str
    register: str
    value_of: str
    ones: Integers
    joint: Spectrum
    values: Distribution | None = None


@dataclass(frozen=True, eq=False)
class InnerTally:
    """Single-bit ERASEs inside a conventional netlist: `ones` int64 [erased bits]."""

    layer: str
    cause: str
    definition: str
    ones: Integers


@dataclass(frozen=True, eq=False)
class GroupTally:
    """The whole device with its kept exports, read before and after one group of erasures.

    `joint`: for each unbroken run of ERASEs in the group, all that it resets, taken together.
    `pointwise` (on request) float64 [rows]: log2 of after / before, the weights of the rows that
    share a row's own state: what this group throws away of that row, in bits; 0 for weight 0.
    """

    layer: str
    cause: str
    before: Spectrum
    after: Spectrum
    joint: tuple[Spectrum, ...] = ()
    pointwise: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class GateTally:
    """Two-input gates of a netlist: `joint` int64 [gates, 3] are weights of (a and b, a, b);
    `is_and` bool [gates] tells AND from XOR."""

    layer: str
    joint: Integers
    is_and: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SharedRegisters:
    """What registers used at `positions` places one after the other hold, all places counted.

    `ones` int64 [registers, bits] is the weight of the (row, place) pairs with that bit 1; `joint`
    the spectra of the registers as one. A pair's total weight is positions * that of the run.
    """

    positions: int
    ones: Integers
    joint: Spectrum


@dataclass(frozen=True, eq=False)
class BankTally:
    """One ERASE of all registers of a bank: `ones` int64 [registers, bits] is the weight of the
    rows with that bit 1, `joint` the spectra of all registers as one.

    `shared`: the same for a device whose channels have one register each, used at all positions;
    one entry per number of positions.
    """

    layer: str
    cause: str
    bank: str
    value_of: str
    ones: Integers
    joint: Spectrum
    shared: tuple[SharedRegisters, ...]


@dataclass(frozen=True, eq=False)
class PositionsTally:
    """Single-bit ERASEs inside netlists that stand at many positions, folded.

    `erased`: how many (ERASE, position) pairs there are; `ones`: of each, the weight of the rows
    that hold 1, as a spectrum. `shared`: for each number of positions that one netlist serves on
    shared hardware, the spectrum of the weights of (row, position) pairs that hold 1.
    """

    layer: str
    cause: str
    erased: int
    ones: Spectrum
    shared: tuple[tuple[int, Spectrum], ...]


@dataclass(frozen=True, eq=False)
class PositionsGates:
    """Two-input gates of netlists at many positions, folded: spectra of the weights of each
    pattern of the two `inputs` and of each value of the `output`. `shared` as above."""

    layer: str
    inputs: Spectrum
    output: Spectrum
    shared: tuple[tuple[int, Spectrum, Spectrum], ...]


@dataclass(frozen=True, eq=False)
class Tally:
    """All counts of one run over an ensemble of total weight `total`.

    `toggles`: by layer, the weight of all flips of wires while gates and erasures execute; None
    where they were not counted. `gate_evaluations`: gates, each evaluated on its own, times rows;
    `equivalent_gates`: gates times rows whose results came of fewer operations on whole
    definitions, never to be added to them. The last three are those of a circuit of tensors.
    """

    total: int
    rows: int
    erasures: tuple[ErasureTally, ...]
    inner: tuple[InnerTally, ...]
    groups: tuple[GroupTally, ...]
    gates: tuple[GateTally, ...]
    initial: Spectrum
    final: Spectrum
    violations: tuple[Violation, ...] = ()
    gate_evaluations: int = 0
    toggles: Mapping[str, int] | None = None
    seconds: float = field(default=0.0, compare=False)
    banks: tuple[BankTally, ...] = ()
    positions: tuple[PositionsTally, ...] = ()
    position_gates: tuple[PositionsGates, ...] = ()
    equivalent_gates: int = 0
