"""A5: what resets and gates pay that are tuned to another ensemble than the one they meet.

A reset tuned to q and fed with p pays the cross entropy H(p) + D(p||q) on average; a gate pays
H(in) - H(out) + D(p||q) - D(Pp||Pq), P being its map (Wolpert and Kolchinsky, arXiv 1806.04103).
Where q gives 0 to what p holds the cost is infinite, and it is said where.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.simulator.ensemble import probabilities
from revsim.simulator.tally import Distribution, GateTally, Tally

Floats = npt.NDArray[np.float64]
SHOWN = 8
"""Most reasons that are put into words; all are counted."""


def cross_entropy(p: npt.ArrayLike, q: npt.ArrayLike) -> float:
    """-sum p log2 q in bits: the heat of a reset tuned to q that meets p; infinite where q is 0.

    >>> round(cross_entropy([0.9, 0.1], [0.8, 0.2]), 6)
    0.521928
    """
    data, tuned = _pair(p, q)
    met = data > 0
    if bool((tuned[met] == 0).any()):
        return math.inf
    return float(-(data[met] * np.log2(tuned[met])).sum())


def relative_entropy(p: npt.ArrayLike, q: npt.ArrayLike) -> float:
    """D(p||q) in bits, never below 0; infinite where q is 0 and p is not."""
    data, tuned = _pair(p, q)
    met = data > 0
    return max(0.0, cross_entropy(data, tuned) + float((data[met] * np.log2(data[met])).sum()))


def _pair(p: npt.ArrayLike, q: npt.ArrayLike) -> tuple[Floats, Floats]:
    data, tuned = probabilities(p, "data"), probabilities(q, "the prior")
    if data.shape != tuned.shape:
        raise InputError(f"data has {len(data)} cells, the prior has {len(tuned)}")
    return data, tuned


def gate_mismatch(p: npt.ArrayLike, q: npt.ArrayLike, outputs: Sequence[int]) -> float:
    """D(p||q) - D(Pp||Pq) in bits for a gate that sends input state k to `outputs[k]`.

    Infinite wherever D(p||q) is: a state that q never holds has no tuned path back.

    >>> round(gate_mismatch([0.81, 0.09, 0.09, 0.01], [0.25] * 4, [0, 0, 0, 1]), 6)
    0.711915
    """
    data, tuned = _pair(p, q)
    if len(outputs) != len(data) or min(outputs) < 0:
        raise InputError(f"a gate of {len(data)} input states needs as many outputs, 0 or more")
    before = relative_entropy(data, tuned)
    if math.isinf(before):
        return math.inf
    after = relative_entropy(np.bincount(outputs, data), np.bincount(outputs, tuned))
    return max(0.0, before - after)


@dataclass(frozen=True)
class MismatchRow:
    """One (layer, cause) in bits: cross entropies per bit and per register, infinite included."""

    layer: str
    cause: str
    per_bit: float
    per_register: float


@dataclass(frozen=True)
class Mismatch:
    """What a device tuned to one ensemble pays on another, in bits per inference.

    `gate_local`: gates of netlists run as processes of their own, None where there are none.
    `reasons`: where a cost is infinite, in words, the first few of `infinite` places.
    """

    tuned_to: str
    data: str
    rows: tuple[MismatchRow, ...]
    gate_local: float | None
    reasons: tuple[str, ...]
    infinite: int

    @property
    def per_bit(self) -> float:
        """Each bit reset by itself."""
        return sum((row.per_bit for row in self.rows), 0.0)

    @property
    def per_register(self) -> float:
        """Each register reset by itself."""
        return sum((row.per_register for row in self.rows), 0.0)


def mismatch(
    met: Tally, tuned: Tally, data: str, tuned_to: str, pseudocount: float = 0.0
) -> Mismatch:
    """A5 of two runs of one circuit: `met` on the data, `tuned` on the ensemble of the designer,
    both simulated with `values=True`.

    pseudocount: rows added to every value of every bit, register and gate of the prior (0.5 is
    Krichevsky and Trofimov's choice); 0, the default, takes the prior at its word.
    """
    if not 0 <= pseudocount < math.inf:
        raise InputError(f"the pseudocount must be 0 or more, got {pseudocount}")
    if [e.register for e in met.erasures] != [e.register for e in tuned.erasures]:
        raise InputError("a mismatch compares two runs of one circuit, these erase differently")
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    reasons: list[str] = []
    infinite = 0

    def note(places: list[int], words: Callable[[int], str]) -> None:
        nonlocal infinite
        infinite += len(places)
        reasons.extend(f"infinite: {words(k)}" for k in places[: SHOWN - len(reasons)])

    def where(
        ones: npt.NDArray[np.int64], prior: npt.NDArray[np.int64], name: str, layer: str
    ) -> float:
        costs = _bits(ones, prior, met.total, tuned.total, pseudocount)
        note(
            np.flatnonzero(np.isinf(costs)).tolist(),
            lambda k: (
                f"{name} bit {k} of layer {layer} is {int(prior[k] == 0)} in {data} "
                f"but never in {tuned_to}"
            ),
        )
        return float(costs.sum())

    for here, there in zip(met.inner, tuned.inner, strict=True):
        cost = where(here.ones, there.ones, f"resets of {here.definition}", here.layer)
        found.setdefault((here.layer, here.cause), []).append((cost, cost))
    for one, other in zip(met.erasures, tuned.erasures, strict=True):
        name = f"register {one.register}"
        bits = where(one.ones, other.ones, name, one.layer)
        joint = _joint(one.values, other.values, met.total, tuned.total, len(one.ones), pseudocount)
        if math.isinf(joint) and not math.isinf(bits):
            words = f"{name} of layer {one.layer} holds values in {data}, never in {tuned_to}"
            note([0], lambda _, words=words: words)  # type: ignore[misc]
        found.setdefault((one.layer, one.cause), []).append((bits, joint))
    gates = None
    if met.gates:
        gates = 0.0
        for tally, prior in zip(met.gates, tuned.gates, strict=True):
            drops = _gates(tally, prior, met.total, tuned.total, pseudocount)
            gates += float(drops.sum())
            layer = tally.layer
            note(
                np.flatnonzero(np.isinf(drops)).tolist(),
                lambda k, layer=layer: (  # type: ignore[misc]
                    f"gate {k} of layer {layer} meets inputs in {data} that {tuned_to} never has"
                ),
            )
    rows = tuple(
        MismatchRow(*key, *(sum((cost[k] for cost in costs), 0.0) for k in range(2)))
        for key, costs in found.items()
    )
    return Mismatch(tuned_to, data, rows, gates, tuple(reasons), infinite)


def _bits(
    ones: npt.NDArray[np.int64],
    prior: npt.NDArray[np.int64],
    total: int,
    prior_total: int,
    pseudocount: float,
) -> Floats:
    """Cross entropy of each bit."""
    p, q = ones / total, (prior + pseudocount) / (prior_total + 2 * pseudocount)
    costs = np.zeros(len(p))
    for data, tuned in ((p, q), (1 - p, 1 - q)):
        with np.errstate(divide="ignore"):
            costs -= np.where(data > 0, data * np.log2(np.where(data > 0, tuned, 1.0)), 0.0)
    return costs + 0.0


def _joint(
    met: Distribution | None,
    tuned: Distribution | None,
    total: int,
    prior_total: int,
    width: int,
    pseudocount: float,
) -> float:
    """Cross entropy of a whole register."""
    if met is None or tuned is None:
        raise InputError("a mismatch per register needs runs with values=True")
    place = np.minimum(np.searchsorted(tuned.keys, met.keys), len(tuned.keys) - 1)
    prior = np.where(tuned.keys[place] == met.keys, tuned.weight[place], 0) + pseudocount
    if bool((prior == 0).any()):
        return math.inf
    q = prior / (prior_total + pseudocount * 2.0**width)
    return float(-(met.weight / total * np.log2(q)).sum() + 0.0)


def _gates(
    met: GateTally, tuned: GateTally, total: int, prior_total: int, pseudocount: float
) -> Floats:
    """H(in) - H(out) + D(p||q) - D(Pp||Pq) of each two-input gate."""
    p, q = _cells(met, total), _cells(tuned, prior_total) + pseudocount
    p, q = p / total, q / (prior_total + 4 * pseudocount)
    # Output 1 on cell 3 alone (AND) or on cells 1 and 2 (XOR); sums over each output's cells.
    shape = np.where(met.is_and[:, None], [0, 0, 0, 1], [0, 1, 1, 0]).astype(bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = np.where(p > 0, -p * np.log2(q), 0.0).sum(axis=1)
        for chosen in (shape, ~shape):
            into, outof = (p * chosen).sum(axis=1), (q * chosen).sum(axis=1)
            cost += np.where(into > 0, into * np.log2(outof), 0.0)
    return np.where(np.isnan(cost), math.inf, cost) + 0.0


def _cells(tally: GateTally, total: int) -> Floats:
    """Weights of the input states 0..3 of each gate, first input counting fastest."""
    both, first, second = (tally.joint[:, k].astype(np.float64) for k in range(3))
    return np.stack([total - first - second + both, first - both, second - both, both], axis=1)
