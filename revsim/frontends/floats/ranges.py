"""Ranges of float tensors on data, and the 8-bit scales that hold them."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.frontends.floats.network import FloatNetwork, run_floats
from revsim.network.sums import Integers

LEVELS: Final = 255
BINS: Final = 4096
"""Bins of the histogram from which percentiles are taken: they are exact to a 4096th."""


@dataclass(frozen=True)
class Quantiser:
    """real = scale * (q - zero), q in -128..127.

    >>> half = Quantiser(0.5, -128)
    >>> half.quantise(np.array([0.0, 1.3, 1e9])).tolist(), half.real(np.array([-125])).tolist()
    ([-128, -125, 127], [1.5])
    """

    scale: float
    zero: int

    def quantise(self, values: npt.NDArray[Any]) -> Integers:
        """rint(value / scale) + zero in float32, held in -128..127; int64, any shape.

        ONNX's QuantizeLinear.
        """
        with np.errstate(over="ignore"):
            reals = np.asarray(values, dtype=np.float32) / np.float32(self.scale)
        places = np.rint(reals).astype(np.float64) + self.zero
        return np.asarray(np.clip(np.nan_to_num(places, nan=self.zero), -128, 127), dtype=np.int64)

    def real(self, whole: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """What integers stand for."""
        return np.asarray(self.scale * (np.asarray(whole, dtype=np.float64) - self.zero))


def quantiser_for(low: float, high: float, power_of_two: bool, least: float = 0.0) -> Quantiser:
    """The finest scale, at least `least`, with which low..high and 0 fit into -128..127.

    >>> quantiser_for(0.0, 6.0, power_of_two=True)
    Quantiser(scale=0.03125, zero=-128)
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max((high - low) / LEVELS, least)
    if scale < np.finfo(np.float32).tiny:  # a tensor that is always 0
        scale = 1.0
    if power_of_two:
        scale = 2.0 ** math.ceil(math.log2(scale))
    else:
        scale = float(np.float32(scale))
    return Quantiser(scale, int(np.clip(round(-128 - low / scale), -128, 127)))


def observed(
    network: FloatNetwork, rows: npt.NDArray[np.float64], percentile: float, block: int
) -> dict[str, tuple[float, float]]:
    """The range of every tensor on the data: all of its values, or a share of them in %."""
    ends: dict[str, tuple[float, float]] = {}
    for start in range(0, len(rows), block):
        for name, values in run_floats(network, rows[start : start + block]).items():
            low, high = float(values.min()), float(values.max())
            if not (math.isfinite(low) and math.isfinite(high)):
                raise InputError(f"{network.name}: tensor {name!r} is not finite on the data")
            if name in ends:
                low, high = min(low, ends[name][0]), max(high, ends[name][1])
            ends[name] = low, high
    if percentile == 100:
        return ends
    counts = {name: np.zeros(BINS, dtype=np.int64) for name in ends}
    for start in range(0, len(rows), block):
        for name, values in run_floats(network, rows[start : start + block]).items():
            if ends[name][0] < ends[name][1]:
                counts[name] += np.histogram(values, BINS, ends[name])[0]
    return {name: _trimmed(*ends[name], counts[name], percentile) for name in ends}


def _trimmed(
    low: float, high: float, counts: npt.NDArray[np.int64], percentile: float
) -> tuple[float, float]:
    if not low < high:
        return low, high
    edges = np.linspace(low, high, BINS + 1)
    below = np.cumsum(counts) / counts.sum()
    outside = (1 - percentile / 100) / 2
    first = int(np.searchsorted(below, outside, side="right"))
    last = int(np.searchsorted(below, 1 - outside, side="left"))
    return float(edges[first]), float(edges[min(last, BINS - 1) + 1])
