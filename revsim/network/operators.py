"""The operators of an integer network: what each computes, and the exact range of its result.

Every operator is a frozen dataclass with two methods. `apply(x)` takes int64 [rows, n] and gives
int64 [rows, m]; `bounds(low, high)` takes int64 [n] each and gives the exact range of every output
for inputs anywhere in the given ranges. Rounding is part of an operator, never a global choice.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError

Integers = npt.NDArray[np.int64]
Bounds = tuple[Integers, Integers]

ROUNDINGS: Final = ("floor", "half_up", "half_away", "half_even", "tflite_double")


@dataclass(frozen=True, eq=False)
class Dense:
    """z = x W' + b: weights int64 [outputs, inputs], bias int64 [outputs].

    `bits` forces the width of the accumulator (two's complement); None takes the exact width.
    """

    weights: Integers
    bias: Integers
    bits: int | None = None
    kind = "dense"

    def apply(self, x: Integers) -> Integers:
        """int64 [rows, inputs] to int64 [rows, outputs], exact."""
        return x @ self.weights.T + self.bias

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Exact interval of each sum: every input at whichever end pushes it there."""
        positive: Integers = np.maximum(self.weights, 0)
        negative: Integers = np.minimum(self.weights, 0)
        return (
            positive @ low + negative @ high + self.bias,
            positive @ high + negative @ low + self.bias,
        )


@dataclass(frozen=True)
class Relu:
    """max(z, 0)."""

    kind = "relu"

    def apply(self, x: Integers) -> Integers:
        """Elementwise."""
        return np.maximum(x, 0)

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Both ends clipped at 0."""
        return np.maximum(low, 0), np.maximum(high, 0)


@dataclass(frozen=True, eq=False)
class Requantise:
    """round(multiplier * z / 2^shift), shift and multiplier int64 [n].

    rounding: `floor`; `half_up` (ties up, the add-then-shift of most integer kernels); `half_away`
    (ties away from 0); `half_even` (ONNX); `tflite_double` (TensorFlow Lite's reference: a
    saturating rounding doubling high multiply by a 31-bit `multiplier`, then a rounding right
    shift by `shift`, two roundings; gemmlowp fixedpoint.h).
    """

    shift: Integers
    rounding: str = "half_up"
    multiplier: Integers | None = None
    kind = "requantise"

    def apply(self, x: Integers) -> Integers:
        """Elementwise, columns in order."""
        product = x if self.multiplier is None else x * self.multiplier
        if self.rounding == "tflite_double":
            nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
            high = np.sign(nudged) * (np.abs(nudged) >> 31)  # C++ division truncates toward 0
            remainder = high & ((np.int64(1) << self.shift) - 1)
            threshold = (((np.int64(1) << self.shift) - 1) >> 1) + (high < 0)
            rounded: Integers = (high >> self.shift) + (remainder > threshold)
            return rounded
        return round_shift(product, self.shift, self.rounding)

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """All rules are monotone for a multiplier >= 0 (checked when a network is made)."""
        return self.apply(low[None, :])[0], self.apply(high[None, :])[0]


def round_shift(x: Integers, shift: Integers, rounding: str) -> Integers:
    """x / 2^shift rounded to an integer by one of the single-rounding rules, elementwise.

    >>> x, shift = np.array([-3, -2, -1, 1, 2, 3]), np.array(1)
    >>> [round_shift(x, shift, r).tolist() for r in ("floor", "half_up", "half_away")]
    [[-2, -1, -1, 0, 1, 1], [-1, -1, 0, 1, 1, 2], [-2, -1, -1, 1, 1, 2]]
    >>> round_shift(x, shift, "half_even").tolist()
    [-2, -1, 0, 0, 1, 2]
    """
    one = np.int64(1)
    half = np.where(shift > 0, one << np.maximum(shift - 1, 0), 0)
    if rounding == "floor":
        return x >> shift
    if rounding == "half_up":
        return (x + half) >> shift
    if rounding == "half_away":
        return (x + half - ((x < 0) & (shift > 0))) >> shift
    odd = (x >> shift) & 1  # half_even: a tie goes up only from an odd quotient
    return (x + half - np.where(shift > 0, 1 - odd, 0)) >> shift


@dataclass(frozen=True)
class Clamp:
    """min(max(z, low), high)."""

    low: int
    high: int
    kind = "clamp"

    def apply(self, x: Integers) -> Integers:
        """Elementwise."""
        return np.clip(x, self.low, self.high)

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Both ends clipped."""
        return np.clip(low, self.low, self.high), np.clip(high, self.low, self.high)


@dataclass(frozen=True, eq=False)
class Threshold:
    """1 where z >= threshold, else 0; thresholds int64 [n]."""

    thresholds: Integers
    kind = "threshold"

    def apply(self, x: Integers) -> Integers:
        """Elementwise, columns in order."""
        return (x >= self.thresholds).astype(np.int64)

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """0 or 1, constant where the threshold is out of reach."""
        return self.apply(low[None, :])[0], self.apply(high[None, :])[0]


@dataclass(frozen=True)
class Sign:
    """+1 where z >= 0, else -1 (binary neurons)."""

    kind = "sign"

    def apply(self, x: Integers) -> Integers:
        """Elementwise."""
        return np.where(x >= 0, np.int64(1), np.int64(-1))

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """-1 or +1."""
        return self.apply(low), self.apply(high)


@dataclass(frozen=True)
class Argmax:
    """Index of the greatest element, ties to the lowest index: int64 [rows, 1]."""

    kind = "argmax"

    def apply(self, x: Integers) -> Integers:
        """Over each row."""
        winners: Integers = np.argmax(x, axis=1).astype(np.int64)
        return winners[:, None]

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """0 to n - 1."""
        return np.zeros(1, np.int64), np.full(1, len(low) - 1, np.int64)


Operator = Dense | Relu | Requantise | Clamp | Threshold | Sign | Argmax
NEURON_KINDS: Final = ("relu", "clamp", "sign", "threshold")
"""Operators whose scalar outputs are neurons; logits and requantised sums are none."""


def check_operator(operator: Operator, width: int, where: str) -> int:
    """Check shapes and parameters against `width` inputs; returns the number of outputs."""
    if isinstance(operator, Dense):
        weights, bias = operator.weights, operator.bias
        if weights.ndim != 2 or weights.shape[1] != width:
            raise InputError(
                f"{where}: weights have shape {weights.shape}; expected [outputs, {width}], "
                "since that many values come in"
            )
        if weights.shape[0] == 0:
            raise InputError(f"{where}: a dense layer needs at least one output")
        if bias.shape != (weights.shape[0],):
            raise InputError(
                f"{where}: bias has shape {bias.shape}; expected [{weights.shape[0]}], one per "
                "output"
            )
        return int(weights.shape[0])
    if isinstance(operator, Requantise):
        _check_requantise(operator, width, where)
    elif isinstance(operator, Clamp) and operator.low > operator.high:
        raise InputError(f"{where}: clamp from {operator.low} to {operator.high} is empty")
    elif isinstance(operator, Threshold) and operator.thresholds.shape != (width,):
        raise InputError(
            f"{where}: thresholds have shape {operator.thresholds.shape}; expected [{width}]"
        )
    return 1 if isinstance(operator, Argmax) else width


def _check_requantise(operator: Requantise, width: int, where: str) -> None:
    if operator.rounding not in ROUNDINGS:
        raise InputError(
            f"{where}: unknown rounding {operator.rounding!r}; choose one of {', '.join(ROUNDINGS)}"
        )
    if operator.shift.shape != (width,):
        raise InputError(f"{where}: shifts have shape {operator.shift.shape}; expected [{width}]")
    if int(operator.shift.min()) < 0 or int(operator.shift.max()) > 62:
        raise InputError(
            f"{where}: shifts must lie in 0..62, got {operator.shift.min()}..{operator.shift.max()}"
        )
    multiplier = operator.multiplier
    if multiplier is not None and multiplier.shape != (width,):
        raise InputError(f"{where}: multipliers have shape {multiplier.shape}; expected [{width}]")
    if multiplier is not None and (int(multiplier.min()) < 0 or int(multiplier.max()) >= 1 << 31):
        raise InputError(f"{where}: multipliers must lie in 0..2^31-1")
    if operator.rounding == "tflite_double" and multiplier is None:
        raise InputError(f"{where}: rounding tflite_double needs a multiplier per value")
