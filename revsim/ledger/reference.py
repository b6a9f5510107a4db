"""Entropies and activities from the integer reference: independent of every circuit.

Joint entropies of integer vectors come from exact counting by ranking (columns are merged into one
integer key; keys are ranked again whenever they would pass 62 bits), never from hashes, so that
they check the hashes of the simulator.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.ledger.ledgers import bit_entropies
from revsim.simulator.statistics import spectrum_of_values
from revsim.simulator.tally import Spectrum

Integers = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]


def keys_of(values: npt.NDArray[np.generic]) -> tuple[Integers, int]:
    """One integer per row of integers [rows, n], equal exactly where rows are equal; and their
    number of bits."""
    keys = np.zeros(len(values), dtype=np.int64)
    size = 1
    for raw in values.T:
        column = raw.astype(np.int64)
        low, high = int(column.min()), int(column.max())
        span = high - low + 1
        if size * span >= 1 << 62:
            ranks, keys = np.unique(keys, return_inverse=True)
            size = len(ranks)
        if size * span >= 1 << 62:
            ranks, column = np.unique(column, return_inverse=True)
            low, span = 0, len(ranks)
        keys = keys * span + (column - low)
        size *= span
    return keys, (size - 1).bit_length()


def joint_entropy(values: npt.NDArray[np.generic], weights: Integers | None = None) -> float:
    """H of the rows of an integer array [rows, n], in bits, weights int64 [rows] or None.

    >>> joint_entropy(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
    2.0
    """
    return spectrum_of_vectors(values, weights).entropy


def spectrum_of_vectors(
    values: npt.NDArray[np.generic], weights: Integers | None = None
) -> Spectrum:
    """How often each distinct row of integers [rows, n] occurs."""
    keys, bits = keys_of(values)
    return spectrum_of_values(keys.astype(np.uint64), bits, weights)


COLUMNS = 1 << 22
"""Values that are sorted at once: 32 MB and as much again for their order."""


def column_entropies(
    values: npt.NDArray[np.generic], weights: npt.NDArray[np.generic] | None = None
) -> npt.NDArray[np.float64]:
    """H of each column by itself, in bits: float64 [n].

    weights: int64 [rows], or [rows, n] where each column has its own (a column without weight has
    0 bits), or None.

    >>> column_entropies(np.array([[0, 5], [1, 5]])).tolist()
    [1.0, 0.0]
    """
    rows, columns = values.shape
    out = np.zeros(columns)
    step = max(1, COLUMNS // max(1, rows))
    for first in range(0, columns, step):
        part = values[:, first : first + step]
        if weights is None or weights.ndim == 1:
            given = weights
        else:
            given = weights[:, first : first + step]
        out[first : first + step] = _entropies(part, given)
    return out


def _entropies(
    values: npt.NDArray[np.generic], weights: npt.NDArray[np.generic] | None
) -> npt.NDArray[np.float64]:
    """Columns sorted; the weight of each run of equal values; p log2 p summed per column."""
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    first = np.ones(values.shape, dtype=np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    if weights is None:
        mass = np.ones(values.shape, dtype=np.int64)
    elif weights.ndim == 1:
        mass = weights[order].astype(np.int64)
    else:
        mass = np.take_along_axis(weights, order, axis=0).astype(np.int64)
    starts = np.flatnonzero(first.T.ravel())  # runs, column after column
    runs = np.add.reduceat(mass.T.ravel(), starts) if len(starts) else np.zeros(0, np.int64)
    column = starts // max(1, values.shape[0])
    total = np.bincount(column, runs, values.shape[1])
    p = runs / np.maximum(total, 1)[column]
    logs = np.log2(p, out=np.zeros_like(p), where=p > 0)
    return np.maximum(-np.bincount(column, p * logs, values.shape[1]), 0.0)


@dataclass(frozen=True)
class LayerEntropies:
    """Information that flows through one layer, in bits: before, after the linear part, after."""

    name: str
    kind: str
    H_in: float
    H_z: float
    H_out: float
    separate_loss: float
    """Sum over neurons of H(z_i) - H(y_i): activations taken one by one (theorem T6)."""
    injective: bool
    """Whether different inputs have different z, on the rows of the ensemble (theorem T9)."""
    least_merge: float
    """What the linear part loses at least if two rows meet: 2 / total weight, in bits."""
    relu_gap: float | None = None
    """How far relu is from theorem T10 in any neuron of the layer; None without a relu."""


@dataclass(frozen=True, eq=False)
class Neurons:
    """Neurons of one layer; `pattern_entropy` is the joint entropy of all their states.

    Per neuron, float64 [n]: `activity` p; `state_entropy` h2(p) of its one-bit state;
    `value_entropy` H of its whole output; `given_state` H(value given state), so that
    value_entropy = state_entropy + given_state.
    """

    layer: str
    activity: npt.NDArray[np.float64]
    state_entropy: npt.NDArray[np.float64]
    value_entropy: npt.NDArray[np.float64]
    given_state: npt.NDArray[np.float64]
    pattern_entropy: float
    columns: Integers
    """Which outputs of the layer the neurons are, int64 [n]."""


def layer_entropies(
    name: str,
    kind: str,
    x: npt.NDArray[np.generic],
    z: npt.NDArray[np.generic],
    y: npt.NDArray[np.generic],
    weights: Integers | None,
    relu: bool = False,
    one_by_one: bool = True,
) -> LayerEntropies:
    """Entropies of one layer's input, z and output, integers [rows, n] each.

    `one_by_one`: each y depends on one z alone; not so where a choice closes the layer, whose
    separate loss is that of a layer that keeps nothing.
    """
    separate = 0.0
    if one_by_one:
        separate = float((column_entropies(z, weights) - column_entropies(y, weights)).sum())
    else:
        separate = float(column_entropies(z, weights).sum())
    before, after = spectrum_of_vectors(x, weights), spectrum_of_vectors(z, weights)
    return LayerEntropies(
        name,
        kind,
        before.entropy,
        after.entropy,
        joint_entropy(y, weights),
        separate,
        bool(before.times.sum() == after.times.sum()),
        2 / (len(x) if weights is None else int(weights.sum())),
        max(relu_gap(z[:, k], weights) for k in range(z.shape[1])) if relu else None,
    )


def relu_gap(z: npt.NDArray[np.generic], weights: Integers | None = None) -> float:
    """Theorem T10 on one neuron's z, integers [rows]: how far H(z) - H(relu z) is from
    P(z <= 0) H(z given z <= 0), in bits."""
    column = z.astype(np.int64)[:, None]
    off = column[:, 0] <= 0
    weight = np.ones(len(z), dtype=np.int64) if weights is None else weights
    lost = joint_entropy(column, weights) - joint_entropy(np.maximum(column, 0), weights)
    share = float(weight[off].sum() / weight.sum())
    inside = joint_entropy(column[off], weight[off]) if share > 0 else 0.0
    return abs(lost - share * inside)


def neuron_statistics(
    layer: str,
    y: npt.NDArray[np.generic],
    active: Bits,
    weights: Integers | None,
    columns: Integers | None = None,
) -> Neurons:
    """Activity and entropies of the neurons of one layer: y integers [rows, n].

    `columns`: those of the n outputs that are neurons, None where all are; `active`: bool [rows,
    neurons].
    """
    columns = np.arange(y.shape[1]) if columns is None else columns
    y = y[:, columns]
    if weights is None:
        ones, total = active.sum(axis=0, dtype=np.int64), len(y)
    else:
        ones, total = weights @ active.astype(np.int64), int(weights.sum())
    activity = ones / total
    inside = np.zeros(y.shape[1])
    for state, share in ((active, activity), (~active, 1 - activity)):
        chosen = state if weights is None else state * weights[:, None]
        inside += share * column_entropies(y, chosen)
    return Neurons(
        layer,
        activity,
        bit_entropies(ones, total),
        column_entropies(y, weights),
        inside,
        joint_entropy(active, weights),
        columns,
    )
