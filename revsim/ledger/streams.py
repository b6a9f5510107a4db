"""Streams: states that stay on the device from one inference to the next, and are overwritten (T8).

The ensemble is that of consecutive pairs. s(t-1) is forgotten when s(t) is written, and what that
costs depends on what the reset may see:

    state_entropy       sum of h2(p): nothing; every state is reset, then written
    given_next          sum of H(s_i(t-1) given s_i(t)): the neuron's own new value
    joint_given_next    H(s(t-1) given s(t)): the new values of all neurons
    joint_given_input   H(s(t-1) given X(t)): everything kept, since X(t) tells the rest

They descend in this order, for every stream, and the last is at most H(X(t-1) given X(t)). The
paper's count is `changed_neurons_stream`, the mean number of neurons that toggle.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.ledger.comparison import Comparison
from revsim.ledger.identities import Identity
from revsim.ledger.reference import joint_entropy
from revsim.physics.landauer import CROSSING, binary_entropy
from revsim.simulator.ensemble import Ensemble

Bits = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
DRIFT_LEVEL = 0.01
"""Chance of calling a stationary stream non-stationary, all neurons together."""


@dataclass(frozen=True, eq=False)
class Stream:
    """What consecutive pairs say, in bits per inference; arrays float64 [neurons].

    `activity`: P(s_i(t-1) = 1); `changed`: P(s_i(t-1) != s_i(t)); `state_entropy`: h2 of activity;
    `given_next`: H(s_i(t-1) given s_i(t)); `flip`: the larger of P(changed given s_i(t) = 0, 1).
    `ceiling`: so many pairs are distinct that joint entropies say nothing beyond these rows.
    `drifting`: neurons whose activity differs between the halves of the stream.
    """

    names: tuple[str, ...]
    pairs: int
    distinct: int
    ceiling: bool
    activity: Floats
    changed: Floats
    state_entropy: Floats
    given_next: Floats
    flip: Floats
    joint_given_next: float
    joint_given_input: float
    inputs_given_next: float
    drifting: tuple[str, ...] = ()

    @property
    def changed_neurons_stream(self) -> float:
        """Mean number of neurons that toggle from one inference to the next."""
        return float(self.changed.sum())

    @property
    def restless(self) -> tuple[str, ...]:
        """Neurons that leave one of their values more often than p*: what they cost may be less
        than their toggle rate."""
        return tuple(self.names[k] for k in np.flatnonzero(self.flip > CROSSING))


def stream_ledger(
    names: Sequence[str], before: Bits, after: Bits, pairs: Ensemble, drifting: Sequence[str] = ()
) -> Stream:
    """The ledgers of a stream: states bool [pairs, neurons] and the inputs they come from.

    `pairs`: integers [pairs, 2 inputs], X(t-1) beside X(t), with weights where pairs are not
    equally likely. Every entropy is exact for these pairs.

    >>> flips = np.array([[0, 1], [1, 0]] * 2)  # a neuron that alternates
    >>> found = stream_ledger(["a"], flips[:, :1] > 0, flips[:, 1:] > 0, Ensemble("", flips))
    >>> found.changed_neurons_stream, float(found.given_next.sum())
    (1.0, 0.0)
    """
    weights = pairs.weights
    old, new = (_share(states, pairs) for states in (before, after))
    both, changed = _share(before & after, pairs), _share(before != after, pairs)
    # H(old given new) = sum over the new value b of P(b) h2(P(old = 1 given b)), never negative.
    on, off = _ratio(both, new), _ratio(old - both, 1 - new)
    given_next = new * entropies(on) + (1 - new) * entropies(off)
    inputs = pairs.rows.shape[1] // 2
    x_before, x_after = pairs.rows[:, :inputs], pairs.rows[:, inputs:]
    return Stream(
        tuple(names),
        len(pairs.rows),
        pairs.distinct,
        pairs.at_ceiling,
        old,
        changed,
        entropies(old),
        given_next,
        np.maximum(np.where(new > 0, 1 - on, 0), off),
        conditional_entropy(before, after, weights),
        conditional_entropy(before, x_after, weights),
        conditional_entropy(x_before, x_after, weights),
        tuple(drifting),
    )


def conditional_entropy(
    of: npt.NDArray[Any], given: npt.NDArray[Any], weights: Integers | None = None
) -> float:
    """H(of given `given`) in bits, rows of integers [rows, n] and [rows, m]; exact counting.

    >>> conditional_entropy(np.array([[0], [1], [0], [0]]), np.array([[0], [0], [1], [1]]))
    0.5
    """
    known = joint_entropy(given, weights)
    return max(0.0, joint_entropy(np.hstack([of, given]), weights) - known)


def _share(states: Bits, pairs: Ensemble) -> Floats:
    if pairs.weights is None:
        return np.asarray(states.sum(axis=0, dtype=np.int64) / len(states))
    return np.asarray(pairs.weights @ states.astype(np.int64) / pairs.total)


def _ratio(part: Floats, whole: Floats) -> Floats:
    found: Floats = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return np.clip(found, 0.0, 1.0)


def entropies(p: Floats) -> Floats:
    """h2 of each probability, in bits."""
    return np.array([binary_entropy(v) for v in p.tolist()])


def drifting(states: Bits) -> Bits:
    """Which neurons are active at different rates in the two halves of a stream: bool [neurons].

    states bool [rows, neurons], in order. The gap of the two activities is held against its
    standard error; correlated rows count as fewer, by (1 + r)/(1 - r) for a two-state chain with
    correlation r from one row to the next (Bartlett 1946), r from each half's own toggle rate. A
    neuron drifts where so large a gap has a chance below 1 % for all neurons together
    (Bonferroni). A neuron that is constant in each half, but not the same, drifts.

    >>> halves = np.array([[0, 1]] * 50 + [[1, 1]] * 50) > 0
    >>> drifting(halves).tolist()
    [True, False]
    """
    rows, neurons = states.shape
    halves = states[: rows // 2], states[rows // 2 :]
    if min(len(half) for half in halves) < 1 or not neurons:
        return np.zeros(neurons, dtype=np.bool_)
    shares = [half.mean(axis=0) for half in halves]
    gap = abs(shares[0] - shares[1]) - sum(0.5 / len(half) for half in halves)
    variance = np.zeros(neurons)
    for half, p in zip(halves, shares, strict=True):
        spread = p * (1 - p)
        toggles = (half[1:] != half[:-1]).mean(axis=0) if len(half) > 1 else 2 * spread
        renewal = np.divide(toggles, 2 * spread, out=np.ones(neurons), where=spread > 0)  # 1 - r
        renewal = np.clip(renewal, 1 / len(half), 2.0)
        variance += spread / len(half) * (2 - renewal) / renewal
    z = np.divide(gap, np.sqrt(variance), out=np.full(neurons, np.inf), where=variance > 0)
    chance = np.array([math.erfc(max(v, 0.0) / math.sqrt(2)) for v in z.tolist()])
    return np.asarray((gap > 0) & (chance * neurons < DRIFT_LEVEL))


# --- what must hold, and what the paper claims ----------------------------------------------------


def stream_identity(stream: Stream | None) -> Identity:
    """T8: what overwriting costs descends as the reset sees more; None without a stream.

    state_entropy >= given_next >= joint_given_next >= joint_given_input >= 0, the last at most
    H(X(t-1) given X(t)); and each neuron's given_next is at least its toggle rate where it flips
    no more often than p*, whatever its new value.
    """
    residual: float | None = None
    if stream is not None:
        steps = (
            float(stream.state_entropy.sum()),
            float(stream.given_next.sum()),
            stream.joint_given_next,
            stream.joint_given_input,
            0.0,
        )
        calm = stream.flip <= CROSSING
        shortfall = (stream.changed - stream.given_next)[calm]
        residual = max(
            0.0,
            *(low - high for high, low in pairwise(steps)),
            stream.joint_given_input - stream.inputs_given_next,
            float(shortfall.max(initial=0.0)),
        )
    statement = "sum of h2 >= given new value >= given all new states >= given X(t)"
    return Identity("stream", "T8", statement, residual)


def compare_stream(stream: Stream) -> tuple[Comparison, ...]:
    """What it costs to overwrite kept states against the neurons that change in the stream."""
    bound = stream.changed_neurons_stream
    quantities = (
        ("state_entropy", float(stream.state_entropy.sum()), False),
        ("given_next", float(stream.given_next.sum()), False),
        ("joint_given_next", stream.joint_given_next, True),
        ("joint_given_input", stream.joint_given_input, True),
    )
    out = []
    for quantity, value, joint in quantities:
        holds: bool | None = value >= bound - 1e-12
        note = "like with like: one-bit states, toggles of the same states"
        if quantity == "given_next":
            many = f"{len(stream.restless)} of {len(stream.names)}"
            note = f"like with like; {many} neurons leave a value more often than p*"
        if joint and stream.ceiling:
            holds, note = None, "not compared: a joint entropy of data at their log2 N ceiling"
        if stream.drifting:
            note += "; the stream is not stationary"
        out.append(Comparison("changed neurons in the stream", bound, quantity, value, holds, note))
    return tuple(out)
