"""Directed inputs: rows that drive a layer where random rows hardly ever go.

A sum of many random terms stays near its mean, so that its top bits, the clamp and long carries are
never at work. These rows reach both ends of every exact range, both sides of zero and some levels
above it, and each input on its own.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from revsim.circuit.registers import Encoding, Wires
from revsim.network.network import Network, NetworkLayer
from revsim.network.sums import Product, Terms

Integers = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]

LEVELS = 8
"""Levels from zero to the greatest sum at which every neuron is tried."""
NEURONS = 256
"""So many neurons of a layer are tried, evenly spread where there are more."""


def directed_rows(network: Network, random: int = 256, seed: int = 0) -> Integers:
    """Directed rows for the first layer of a network: int64 [rows, inputs].

    >>> from revsim.network.arrays import from_arrays
    >>> directed_rows(from_arrays([[[1, -1]]], input_range=(0, 3)), random=0).tolist()[:4]
    [[0, 0], [3, 3], [0, 3], [3, 0]]
    """
    return layer_rows(network.layers[0], random, seed)


def layer_rows(layer: NetworkLayer, random: int = 256, seed: int = 0) -> Integers:
    """Directed rows for one layer: int64 [rows, inputs of the layer].

    In order: all low, all high; per neuron the least and the greatest sum and rows on the way
    between them, just below zero and just above each level; one input high among low ones; one low
    among high ones; `random` independent uniform rows from `seed`. Repeated rows are left out.
    """
    low, high = layer.input_low, layer.input_high
    one_high = np.tile(low, (len(low), 1))
    np.fill_diagonal(one_high, high)
    one_low = np.tile(high, (len(low), 1))
    np.fill_diagonal(one_low, low)
    parts = [np.stack([low, high]), one_high, one_low]
    if layer.linear is not None and not isinstance(layer.linear, Product):
        chosen = np.linspace(0, len(layer.z_low) - 1, min(len(layer.z_low), NEURONS), dtype=int)
        parts.insert(
            1, np.concatenate([_extremes(layer.linear.terms(j), low, high) for j in chosen])
        )
    stream = np.random.default_rng(seed)
    parts.append(stream.integers(low, high + 1, size=(random, len(low))))
    rows = np.concatenate(parts)
    first = np.unique(rows, axis=0, return_index=True)[1]
    return rows[np.sort(first)]


def _extremes(terms: Terms, low: Integers, high: Integers) -> Integers:
    """Rows with the least and the greatest sum, and those on the way that pass a level.

    The way leads input by input from the one end to the other, so that the sum only grows.
    """
    weights = np.zeros(len(low), dtype=np.int64)
    weights[terms.inputs] = terms.weights
    least = np.where(weights >= 0, low, high)
    greatest = np.where(weights >= 0, high, low)
    sums = terms.bias + int(weights @ least) + np.cumsum(np.abs(weights) * (high - low))
    levels = max(int(sums[-1]), 0) * np.arange(LEVELS) // LEVELS
    below_zero = int(np.searchsorted(sums, 0))  # so many inputs moved leave the sum below zero
    moved = [0, len(weights), below_zero, *(np.searchsorted(sums, levels) + 1).tolist()]
    return np.stack([np.concatenate([greatest[:m], least[m:]]) for m in moved])


def bits_of_rows(rows: Integers, encodings: Sequence[Encoding], wires: Wires) -> Bits:
    """The bits that a neuron reads, bool [rows, wires]: `wires` count through all registers.

    >>> bits_of_rows(np.array([[1, 2]]), [Encoding.unsigned(0, 3)] * 2, np.array([0, 3])).tolist()
    [[True, True]]
    """
    columns = [
        (encoding.encode(rows[:, k])[:, None] >> np.arange(encoding.width, dtype=np.uint64)) & 1
        for k, encoding in enumerate(encodings)
    ]
    bits: Bits = np.concatenate(columns, axis=1)[:, wires] == 1
    return bits
