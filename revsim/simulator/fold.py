"""What definitions at many positions erase, folded into spectra as they run.

An entropy is a sum of -w/N log2(w/N) over weights w, so it is enough to know how often each weight
occurs: exact integers, in any order, and small however many positions a network has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from revsim.simulator.tally import PositionsGates, PositionsTally, Spectrum

Integers = npt.NDArray[np.int64]
HISTOGRAM = 1 << 20
"""Largest total weight for which a histogram of all weights is kept."""
MERGED = 64
"""Spectra that are held before they are added up."""


@dataclass
class SpectrumSum:
    """A sum of spectra in progress."""

    parts: list[Spectrum] = field(default_factory=list)

    def add(self, part: Spectrum) -> None:
        """Add one more."""
        self.parts.append(part)
        if len(self.parts) >= MERGED:
            self.parts = [Spectrum.sum(self.parts)]

    def result(self) -> Spectrum:
        """All of them as one."""
        return Spectrum.sum(self.parts)


def cells_of(joint: Integers) -> Integers:
    """Weights int64 [..., 3] of (a and b, a, b) as those of the patterns 11, 10, 01: [..., 3]."""
    both, first, second = joint[..., 0], joint[..., 1], joint[..., 2]
    return np.stack([both, first - both, second - both], axis=-1)


def gate_spectra(
    joint: Integers, is_and: npt.NDArray[np.bool_], total: int
) -> tuple[Spectrum, Spectrum]:
    """Spectra of input patterns and of outputs of gates: `joint` int64 [gates, places, 3]."""
    cells = cells_of(joint)
    rest = total - cells.sum(axis=-1)
    ones = np.where(is_and[:, None], cells[..., 0], cells[..., 1] + cells[..., 2])
    inputs = Spectrum.of(np.concatenate([cells.ravel(), rest.ravel()]))
    return inputs, Spectrum.of(np.concatenate([ones.ravel(), (total - ones).ravel()]))


class CallFold:
    """Counts of one `Calls` in progress: chunks of positions come in, whatever their order."""

    def __init__(
        self,
        total: int,
        positions: int,
        channels: Integers | None,
        cause_of: Integers,
        is_and: npt.NDArray[np.bool_],
        kernels: bool = False,
    ) -> None:
        self.total = total
        self.cause_of, self.is_and = cause_of, is_and
        self.channel = np.zeros(positions, np.int64) if channels is None else channels
        self.positions_of = np.bincount(self.channel)
        pools = len(self.positions_of)
        self.ones = [SpectrumSum() for _ in range(int(cause_of.max(initial=-1)) + 1)]
        self.inputs, self.output = SpectrumSum(), SpectrumSum()
        self.histograms: tuple[Integers, Integers, Integers] | None = None
        if kernels and total <= HISTOGRAM:
            self.histograms = (
                np.zeros((max(1, len(self.ones)), total + 1), dtype=np.int64),
                np.zeros(total + 1, dtype=np.int64),
                np.zeros(total + 1, dtype=np.int64),
            )
        self.pooled = np.zeros((len(cause_of), pools), dtype=np.int64)
        self.pooled_joint = np.zeros((len(is_and), pools, 3), dtype=np.int64)

    def add(self, first: int, ones: Integers, joint: Integers) -> None:
        """Counts of whole positions from `first` on: ones int64 [erased, positions], joint int64
        [tallies, positions, 3]."""
        if self.histograms is not None:
            from revsim.simulator.counting import kernels

            channel = self.channel[first : first + ones.shape[1]]
            kernels.fold_counts(
                ones,
                self.cause_of,
                joint,
                self.is_and,
                self.total,
                channel,
                *self.histograms,
                self.pooled,
                self.pooled_joint,
            )
            return
        for cause, found in enumerate(self.ones):
            found.add(Spectrum.of(ones[self.cause_of == cause].ravel()))
        channel = self.channel[first : first + ones.shape[1]]
        for pool in np.unique(channel):
            self.pooled[:, pool] += ones[:, channel == pool].sum(axis=1)
            self.pooled_joint[:, pool] += joint[:, channel == pool].sum(axis=1)
        if len(self.is_and):
            inputs, output = gate_spectra(joint, self.is_and, self.total)
            self.inputs.add(inputs)
            self.output.add(output)

    def close(self) -> None:
        """All chunks are in: histograms become spectra."""
        if self.histograms is not None:
            ones, inputs, output = self.histograms
            for found, times in zip(self.ones, ones, strict=False):
                found.add(Spectrum.of_times(times))
            self.inputs.add(Spectrum.of_times(inputs))
            self.output.add(Spectrum.of_times(output))
            self.histograms = None

    def tallies(self, layer: str, causes: Sequence[str]) -> list[PositionsTally]:
        """What the ERASEs threw away, one entry per cause."""
        out = []
        for number, found in enumerate(self.ones):
            chosen = self.cause_of == number
            shared = [
                (places, Spectrum.of(self.pooled[chosen][:, self.positions_of == places].ravel()))
                for places in self._numbers()
            ]
            erased = int(chosen.sum()) * len(self.channel)
            out.append(PositionsTally(layer, causes[number], erased, found.result(), tuple(shared)))
        return out

    def gates(self, layer: str) -> list[PositionsGates]:
        """What the gates found at their inputs."""
        if not len(self.is_and):
            return []
        shared = [
            (
                places,
                *gate_spectra(
                    self.pooled_joint[:, self.positions_of == places],
                    self.is_and,
                    self.total * places,
                ),
            )
            for places in self._numbers()
        ]
        return [PositionsGates(layer, self.inputs.result(), self.output.result(), tuple(shared))]

    def _numbers(self) -> list[int]:
        return [int(n) for n in np.unique(self.positions_of) if n]


def fold_tallies(tallies: Sequence[PositionsTally]) -> tuple[PositionsTally, ...]:
    """One entry per (layer, cause)."""
    groups: dict[tuple[str, str], list[PositionsTally]] = {}
    for tally in tallies:
        groups.setdefault((tally.layer, tally.cause), []).append(tally)
    return tuple(
        PositionsTally(
            *key,
            sum(t.erased for t in found),
            Spectrum.sum([t.ones for t in found]),
            tuple(
                (places, Spectrum.sum([s for t in found for n, s in t.shared if n == places]))
                for places in sorted({n for t in found for n, _ in t.shared})
            ),
        )
        for key, found in groups.items()
    )


def fold_gates(tallies: Sequence[PositionsGates]) -> tuple[PositionsGates, ...]:
    """One entry per layer."""
    groups: dict[str, list[PositionsGates]] = {}
    for tally in tallies:
        groups.setdefault(tally.layer, []).append(tally)
    out = []
    for layer, found in groups.items():
        entries = [entry for t in found for entry in t.shared]
        shared = [
            (
                places,
                Spectrum.sum([i for n, i, _ in entries if n == places]),
                Spectrum.sum([o for n, _, o in entries if n == places]),
            )
            for places in sorted({n for n, _, _ in entries})
        ]
        inputs = Spectrum.sum([t.inputs for t in found])
        output = Spectrum.sum([t.output for t in found])
        out.append(PositionsGates(layer, inputs, output, tuple(shared)))
    return tuple(out)
