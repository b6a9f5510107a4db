"""Claims about a population: the data set is then a sample of independent rows.

By default a data set is the ensemble, every number is exact for it, and no error bar is printed.
On request each compared quantity gets an estimate, an interval, and a verdict on its difference
from each reading, taken as a pair row by row:

    above         the lower limit of (quantity - reading) is above 0
    below         its upper limit is below 0
    not resolved  neither
    refused       the sample is too small for this quantity; the note says how many rows it needs

A joint entropy over m values needs more than 72 m rows for a bias below 0.01 bit. Estimators that
count what is missing (chao_shen, grassberger, nsb) need 2^(H/2) rows and values that repeat.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.ledger.bootstrap import (
    REPLICATES,
    Bits,
    Floats,
    Integers,
    interval,
    resampled,
    resampled_bit_entropy,
    resampled_joint_entropy,
    resampled_ones,
)
from revsim.ledger.estimators import (
    OF_COVERAGE,
    Estimator,
    estimator,
    plug_in,
    rows_needed,
)
from revsim.ledger.intervals import (
    any_distribution,
    bit_entropy_limits,
    bit_standard_error,
    through,
    wilson,
)
from revsim.physics.landauer import CROSSING
from revsim.simulator.ensemble import Ensemble

DEFAULT: Final = "miller_madow"
CONFIDENCE: Final = 0.95
SEED: Final = 0
UNRESOLVED: Final = "not resolved"
WARN_DISTINCT, REFUSE_DISTINCT = 0.1, 0.5
"""Shares of different values among the rows: joint entropies are doubtful, meaningless."""
READINGS: Final = ("active neurons", "changed neurons")
LEAST_ROWS: Final = math.ceil(rows_needed(2))
"""Rows below which not even one bit is known to 0.01 bit of bias."""


@dataclass(frozen=True, eq=False)
class Joint:
    """A joint entropy: `labels` int64 [rows] are 0..m-1, `cells` the values that are possible."""

    name: str
    labels: Integers
    cells: float
    sign: int = 1

    @property
    def counts(self) -> Integers:
        """Rows of each value."""
        return np.bincount(self.labels)


@dataclass(frozen=True, eq=False)
class Quantity:
    """A sum of entropies that can be read row by row.

    `bits`: bool [bits, rows], one h2 each; `joint`: joint entropies with signs; `ones`: int64, bits
    of which only the number of ones is known; `refused`: why it cannot be estimated at all.
    """

    name: str
    bits: Bits | None = None
    joint: tuple[Joint, ...] = ()
    ones: Integers | None = None
    refused: str = ""


@dataclass(frozen=True)
class Difference:
    """Quantity minus reading in bits, with its limits, and the verdict."""

    reading: str
    estimate: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """`above`, `below` or `not resolved`."""
        return "above" if self.low > 0 else "below" if self.high < 0 else UNRESOLVED


@dataclass(frozen=True)
class Claim:
    """One quantity: estimate and limits in bits (None where refused) and its differences."""

    quantity: str
    estimate: float | None
    low: float | None
    high: float | None
    method: str
    differences: tuple[Difference, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Neuron:
    """One neuron: Wilson limits of its activity p and of h2(p) in bits, and the latter's analytic
    standard error; each by itself, not all at once."""

    name: str
    activity: float
    low: float
    high: float
    state_entropy: float
    standard_error: float
    entropy_low: float
    entropy_high: float

    @property
    def crossing(self) -> str:
        """Whether p is above p* = 0.7729, where h2(p) = p: `above`, `below`, `not resolved`."""
        return "above" if self.low > CROSSING else "below" if self.high < CROSSING else UNRESOLVED


@dataclass(frozen=True, eq=False)
class Population:
    """All claims: of each neuron, of their states, and of each run (policy, input, claims)."""

    estimator: str
    rows: int
    confidence: float
    replicates: int
    seed: int
    constant_neurons: int
    neurons: tuple[Neuron, ...]
    readings: tuple[Claim, ...]
    states: tuple[Claim, ...]
    runs: tuple[tuple[str, str, tuple[Claim, ...]], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON.

        `any_distribution_bits`: how far a plug-in entropy of so many rows may be from its mean,
        whatever is sampled.
        """
        return {
            "estimator": self.estimator,
            "rows": self.rows,
            "confidence": self.confidence,
            "bootstrap": {"replicates": self.replicates, "seed": self.seed},
            "any_distribution_bits": any_distribution(self.rows, self.confidence),
            "constant_neurons": self.constant_neurons,
            "neurons": [{**vars(n), "crossing": n.crossing} for n in self.neurons],
            "readings": [_plain(c) for c in self.readings],
            "states": [_plain(c) for c in self.states],
            "runs": [
                {"policy": policy, "input": choice, "claims": [_plain(c) for c in claims]}
                for policy, choice, claims in self.runs
            ],
        }


def _plain(claim: Claim) -> dict[str, Any]:
    return {
        **{k: v for k, v in vars(claim).items() if k != "differences"},
        "differences": [{**vars(d), "verdict": d.verdict} for d in claim.differences],
    }


def check_sample(ensemble: Ensemble, name: str) -> None:
    """Refuse what is no sample of independent rows, or too small a one for anything."""
    estimator(name)
    if ensemble.enumerated:
        raise InputError(
            f"ensemble {ensemble.name!r} holds every input: it is the population and leaves "
            "nothing to estimate; leave --population out, or give a sample"
        )
    if ensemble.weights is not None:
        raise InputError(
            f"ensemble {ensemble.name!r} has weights: a claim about a population needs rows that "
            "were drawn one by one; repeat rows instead of weighing them"
        )
    rows = len(ensemble.rows)
    if rows < LEAST_ROWS:
        raise InputError(
            f"{rows} rows are too few for a claim about a population: even one bit needs "
            f"{LEAST_ROWS} for a bias below 0.01 bit"
        )


def claims(
    active: Bits,
    states: Sequence[Quantity],
    runs: Sequence[tuple[str, str, Sequence[Quantity]]],
    name: str = DEFAULT,
    confidence: float = CONFIDENCE,
    replicates: int = REPLICATES,
    seed: int = SEED,
    names: Sequence[str] = (),
) -> Population:
    """Estimates, intervals and verdicts for quantities of one sample.

    active: bool [neurons, rows]; states: quantities of neuron states; runs: (policy, input,
    quantities); names: of the neurons. Deterministic: the same seed gives the same limits.
    """
    given = [q for quantities in (states, *(q for _, _, q in runs)) for q in quantities]
    chosen = estimator(name)
    drawn: dict[int, list[Floats]] = {k: [] for k, q in enumerate(given) if _by_rows(q, name)}
    readings: list[list[Floats]] = [[], []]
    rows = active.shape[1]
    for counts in resampled(rows, replicates, seed):
        for kept, values in zip(
            readings, _readings(resampled_ones(counts, active), rows), strict=True
        ):
            kept.append(values)
        for k, kept in drawn.items():
            kept.append(_replicates(counts, given[k]))
    sample = _Sample(active, [np.concatenate(r) for r in readings], name, chosen, confidence)
    found = [
        sample.claim(q, np.concatenate(drawn[k]) if k in drawn else None)
        for k, q in enumerate(given)
    ]
    out = iter(found)
    return Population(
        name,
        rows,
        confidence,
        replicates,
        seed,
        int((active.all(axis=1) | ~active.any(axis=1)).sum()),
        sample.of_neurons(names),
        sample.of_readings(),
        tuple(next(out) for _ in states),
        tuple((policy, choice, tuple(next(out) for _ in q)) for policy, choice, q in runs),
    )


def _readings(ones: Integers, rows: int) -> tuple[Floats, Floats]:
    """Active and changed neurons from ones [..., neurons]; the second unbiased by N / (N - 1)."""
    p = ones / rows
    return p.sum(axis=-1), (2 * p * (1 - p)).sum(axis=-1) * rows / (rows - 1)


def _by_rows(quantity: Quantity, name: str) -> bool:
    return not quantity.refused and quantity.ones is None and not _too_small(quantity, name)


def _replicates(counts: npt.NDArray[np.float32], quantity: Quantity) -> Floats:
    out = np.zeros(len(counts))
    if quantity.bits is not None:
        out += resampled_bit_entropy(counts, quantity.bits)
    for joint in quantity.joint:
        out += joint.sign * resampled_joint_entropy(counts, joint.labels)
    return out


def _too_small(quantity: Quantity, name: str) -> str:
    """Why the sample is too small for a quantity's joint entropies, or nothing."""
    worst, why = 0, ""
    for joint in quantity.joint:
        counts = joint.counts
        rows, seen = int(counts.sum()), len(counts)
        if name in OF_COVERAGE:
            needed = max(math.ceil(seen / REFUSE_DISTINCT), math.ceil(2 ** (plug_in(counts) / 2)))
        else:
            needed = math.ceil(rows_needed(seen))
        if rows < needed and needed > worst:
            worst = needed
            why = (
                f"{joint.name} takes {seen:,} values in {rows:,} rows; it needs {needed:,} or more"
            )
    return why


def _doubtful(quantity: Quantity) -> str:
    for joint in quantity.joint:
        share = (int(joint.labels.max()) + 1) / len(joint.labels)
        if share > WARN_DISTINCT:
            return f"doubtful: {share:.0%} of the rows show different values of {joint.name}"
    return ""


@dataclass(frozen=True, eq=False)
class _Sample:
    """One sample's readings with their replicates, and how claims are made of it."""

    active: Bits
    replicates: Sequence[Floats]
    name: str
    estimator: Estimator
    confidence: float

    @property
    def rows(self) -> int:
        return int(self.active.shape[1])

    def values(self) -> tuple[float, float]:
        active, changed = _readings(self.active.sum(axis=1), self.rows)
        return float(active), float(changed)

    def of_readings(self) -> tuple[Claim, ...]:
        return tuple(
            Claim(reading, value, *interval(value, drawn, self.confidence), "row bootstrap")
            for reading, value, drawn in zip(READINGS, self.values(), self.replicates, strict=True)
        )

    def of_neurons(self, names: Sequence[str]) -> tuple[Neuron, ...]:
        ones = self.active.sum(axis=1)
        p_low, p_high = wilson(ones, self.rows, self.confidence)
        low, high = bit_entropy_limits(ones, self.rows, self.confidence)
        return tuple(
            Neuron(
                names[k] if names else str(k),
                n / self.rows,
                float(p_low[k]),
                float(p_high[k]),
                self.estimator([n, self.rows - n], 2),
                bit_standard_error(n / self.rows, self.rows),
                float(low[k]),
                float(high[k]),
            )
            for k, n in enumerate(ones.tolist())
        )

    def claim(self, quantity: Quantity, drawn: Floats | None) -> Claim:
        if quantity.refused:
            return Claim(quantity.name, None, None, None, "refused", (), quantity.refused)
        if quantity.ones is not None:
            return self._bit_by_bit(quantity.name, quantity.ones)
        if drawn is None:
            why = _too_small(quantity, self.name)
            return Claim(quantity.name, None, None, None, "refused", (), why)
        value = sum(j.sign * self.estimator(j.counts, j.cells) for j in quantity.joint)
        if quantity.bits is not None:
            value += self._of_bits(quantity.bits.sum(axis=1))
        differences = tuple(
            Difference(
                reading, value - bound, *interval(value - bound, drawn - against, self.confidence)
            )
            for reading, bound, against in zip(
                READINGS, self.values(), self.replicates, strict=True
            )
        )
        limits = interval(value, drawn, self.confidence)
        return Claim(
            quantity.name, value, *limits, "row bootstrap", differences, _doubtful(quantity)
        )

    def _of_bits(self, ones: Integers) -> float:
        """Sum of the estimator over bits, each number of ones worked out once."""
        total = 0.0
        for n, times in zip(*np.unique(ones, return_counts=True), strict=True):
            total += int(times) * self.estimator([int(n), self.rows - int(n)], 2)
        return total

    def _bit_by_bit(self, name: str, ones: Integers) -> Claim:
        """Resets of which rows are not known: all their Wilson limits hold at once (Bonferroni)."""
        every = len(ones) + len(self.active)
        share = 1 - (1 - self.confidence) / max(every, 1)
        low, high = (float(v.sum()) for v in bit_entropy_limits(ones, self.rows, share))
        value = self._of_bits(ones)
        p_low, p_high = wilson(self.active.sum(axis=1), self.rows, share)
        bounds = (p_low, p_high), through(lambda p: 2 * p * (1 - p), p_low, p_high)
        differences = tuple(
            Difference(reading, value - bound, low - float(top.sum()), high - float(least.sum()))
            for reading, bound, (least, top) in zip(READINGS, self.values(), bounds, strict=True)
        )
        note = "limits from all bits at once, whatever their correlations: wider than needed"
        return Claim(name, value, low, high, "simultaneous Wilson", differences, note)
