"""Operators on one value that real models need beside those of operators.py: offsets, divisions,
scaling in floating point, and staircases of thresholds. Parameters are int64 or float32 [n], one
per value, or [1] for all."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.network.sums import Bounds, Integers


@dataclass(frozen=True, eq=False)
class Offset:
    """z + amount; a change of meaning that costs no gate."""

    amount: Integers
    kind = "offset"

    def apply(self, x: Integers) -> Integers:
        """Elementwise."""
        return np.asarray(x + self.amount)

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Both ends moved."""
        return self.apply(low), self.apply(high)

    def check(self, width: int, where: str) -> int:
        """As many outputs as inputs."""
        return _fits(self.amount, width, where)


@dataclass(frozen=True, eq=False)
class Divide:
    """z / divisor rounded to the nearest integer, ties away from 0; divisor int64 >= 1.

    (z + d // 2) // d above 0 and -((-z + d // 2) // d) below: average pooling as TensorFlow Lite's
    reference kernels do it.

    >>> Divide(np.array([4])).apply(np.array([[6, -6, 5, -5]])).tolist()
    [[2, -2, 1, -1]]
    """

    divisor: Integers
    kind = "divide"

    def apply(self, x: Integers) -> Integers:
        """Elementwise."""
        return np.asarray(np.sign(x) * ((np.abs(x) + self.divisor // 2) // self.divisor))

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Monotone."""
        return self.apply(low), self.apply(high)

    def check(self, width: int, where: str) -> int:
        """As many outputs as inputs; divisors of at least 1."""
        if int(self.divisor.min()) < 1:
            raise InputError(f"{where}: divisors must be 1 or more, got {self.divisor.min()}")
        return _fits(self.divisor, width, where)


@dataclass(frozen=True, eq=False)
class Rescale:
    """rint(float32(z) * multiplier), multiplier float32 > 0, ties to even: the ONNX rule.

    What onnxruntime's kernels compute: the sum is rounded to float32 first, the product again.

    >>> Rescale(np.array([0.5], np.float32)).apply(np.array([[1, 3, -1, -3]])).tolist()
    [[0, 2, 0, -2]]
    """

    multiplier: npt.NDArray[np.float32]
    kind = "rescale"

    def apply(self, x: Integers) -> Integers:
        """Elementwise."""
        return np.asarray(np.rint(x.astype(np.float32) * self.multiplier), dtype=np.int64)

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Monotone: each rounding is."""
        return self.apply(low), self.apply(high)

    def check(self, width: int, where: str) -> int:
        """As many outputs as inputs; finite multipliers above 0."""
        if not bool((np.isfinite(self.multiplier) & (self.multiplier > 0)).all()):
            raise InputError(f"{where}: multipliers must be finite and greater than 0")
        return _fits(self.multiplier, width, where)


@dataclass(frozen=True, eq=False)
class Staircase:
    """How many thresholds z reaches: the number of t in thresholds[j] with z >= t.

    thresholds: int64 [n, steps], ascending. The MultiThreshold of FINN and QONNX.

    >>> Staircase(np.array([[0, 3]])).apply(np.array([[-1], [0], [3]])).ravel().tolist()
    [0, 1, 2]
    """

    thresholds: Integers
    kind = "staircase"

    def apply(self, x: Integers) -> Integers:
        """Elementwise."""
        return np.asarray((x[..., None] >= self.thresholds).sum(axis=-1), dtype=np.int64)

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Monotone."""
        return self.apply(low), self.apply(high)

    def check(self, width: int, where: str) -> int:
        """As many outputs as inputs; thresholds in order."""
        if self.thresholds.ndim != 2 or bool((np.diff(self.thresholds, axis=1) < 0).any()):
            raise InputError(f"{where}: thresholds must be [values, steps] in ascending order")
        return _fits(self.thresholds, width, where)


def _fits(parameter: npt.NDArray[np.generic], width: int, where: str) -> int:
    if len(parameter) not in (1, width):
        raise InputError(f"{where}: {len(parameter)} parameters for {width} values")
    return width
