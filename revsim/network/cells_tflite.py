"""Cell programs of TensorFlow Lite's quantised operators, as its reference kernels compute them.

A value q of a tensor stands for scale * (q - zero). Real factors become a 31-bit multiplier and a
shift (`fixed_multiplier`), applied with two roundings (`Requantise`, rounding `tflite_double`).
Sources: tensorflow/lite/kernels/internal/reference/{add,sub,mul,leaky_relu}.h, common.h,
quantization_util.cc, and the Prepare functions of the kernels of the same names.
"""

import math
from dataclasses import dataclass

import numpy as np

from revsim.errors import InputError
from revsim.network.operators import Clamp, Requantise
from revsim.network.words import Ops, V, Word


def fixed_multiplier(factor: float) -> tuple[int, int]:
    """(multiplier, exponent): factor = multiplier * 2^(exponent - 31), 2^30 <= multiplier < 2^31.

    The fraction is rounded to 31 bits, ties away from 0. Raises InputError unless factor > 0 and
    finite.

    >>> fixed_multiplier(0.75), fixed_multiplier(3.0)
    ((1610612736, 0), (1610612736, 2))
    """
    if not (math.isfinite(factor) and factor > 0):
        raise InputError(f"a scale must be finite and greater than 0, got {factor}")
    fraction, exponent = math.frexp(factor)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        return 1 << 30, exponent + 1
    return multiplier, exponent


def rescaled(factor: float, extra: int = 0) -> Requantise:
    """Multiplication by factor * 2^extra, where the 2^extra is applied to the value beforehand.

    Factors below 2^-31 give 0, as the reference's own shift limit does.
    """
    multiplier, exponent = fixed_multiplier(factor)
    if exponent < -31:
        multiplier, exponent = 0, 0
    left = max(exponent, 0) + extra
    return Requantise(
        np.array([max(-exponent, 0)]),
        "tflite_double",
        np.array([multiplier]),
        np.array([left]) if left else None,
    )


@dataclass(frozen=True)
class QuantisedSum:
    """ADD and SUB: out = clamp(zero + rescale(first(q1 - z1) +- second(q2 - z2))).

    Both operands are brought to twice the larger scale with `2^shift` steps (20 bits for 8-bit
    tensors, 15 for 16-bit ones), added, and brought to the output's scale. `quantised_sum` makes
    it from scales.
    """

    first: Requantise
    second: Requantise
    output: Requantise
    zeros: tuple[int, int, int]
    low: int
    high: int
    subtract: bool = False

    def __call__(self, ops: Ops[V], a: Word[V], b: Word[V]) -> tuple[Word[V], ...]:
        """One word in low..high."""
        left = ops.single(self.first, ops.sum([(1, a)], -self.zeros[0]))
        right = ops.single(self.second, ops.sum([(1, b)], -self.zeros[1]))
        total = ops.sum([(1, left), (-1 if self.subtract else 1, right)])
        moved = ops.sum([(1, ops.single(self.output, total))], self.zeros[2])
        return (ops.single(Clamp(self.low, self.high), moved),)


def quantised_sum(
    scales: tuple[float, float, float],
    zeros: tuple[int, int, int],
    low: int,
    high: int,
    bits: int = 8,
    subtract: bool = False,
) -> QuantisedSum:
    """ADD (SUB) of two tensors; `scales` and `zeros` of first, second, output; `bits` 8 or 16.

    >>> from revsim.network.cells import run_cells
    >>> half = quantised_sum((0.5, 0.5, 0.5), (0, 0, 0), -128, 127)
    >>> run_cells(half, [(-128, 127)] * 2, np.array([[3, 4], [100, 100]])).ravel().tolist()
    [7, 127]
    """
    if bits not in (8, 16):
        raise InputError(f"a quantised sum has 8 or 16 bits, not {bits}")
    shift = 20 if bits == 8 else 15
    first, second, out = (float(np.float32(s)) for s in scales)
    twice = 2 * max(first, second)
    return QuantisedSum(
        rescaled(first / twice, shift),
        rescaled(second / twice, shift),
        rescaled(twice / ((1 << shift) * out)),
        zeros,
        low,
        high,
        subtract,
    )


@dataclass(frozen=True)
class QuantisedProduct:
    """MUL: out = clamp(zero + rescale((q1 - z1) * (q2 - z2)))."""

    output: Requantise
    zeros: tuple[int, int, int]
    low: int
    high: int

    def __call__(self, ops: Ops[V], a: Word[V], b: Word[V]) -> tuple[Word[V], ...]:
        """One word in low..high."""
        x, y = (ops.sum([(1, w)], -z) for w, z in zip((a, b), self.zeros[:2], strict=True))
        moved = ops.sum([(1, ops.single(self.output, ops.multiply(x, y)))], self.zeros[2])
        return (ops.single(Clamp(self.low, self.high), moved),)


def quantised_product(
    scales: tuple[float, float, float], zeros: tuple[int, int, int], low: int, high: int
) -> QuantisedProduct:
    """MUL of two tensors; `scales` and `zeros` of first, second, output.

    >>> from revsim.network.cells import run_cells
    >>> half = quantised_product((0.5, 0.5, 0.5), (0, 0, 0), -128, 127)
    >>> run_cells(half, [(-128, 127)] * 2, np.array([[3, 4], [-3, 3]])).ravel().tolist()
    [6, -4]
    """
    first, second, out = (float(np.float32(s)) for s in scales)
    return QuantisedProduct(rescaled(first * second / out), zeros, low, high)


@dataclass(frozen=True)
class LeakyRelu:
    """out = clamp(zero + above(q - z)) for q >= z, clamp(zero + below(q - z)) elsewhere."""

    above: Requantise
    below: Requantise
    zeros: tuple[int, int]
    low: int
    high: int

    def __call__(self, ops: Ops[V], word: Word[V]) -> tuple[Word[V], ...]:
        """One word in low..high."""
        value = ops.sum([(1, word)], -self.zeros[0])
        zero = ops.constant(0)
        negative = ops.less(value, zero)
        up = ops.single(self.above, ops.greatest(value, zero))
        down = ops.single(self.below, ops.least(value, zero))
        moved = ops.sum([(1, ops.select(negative, down, up))], self.zeros[1])
        return (ops.single(Clamp(self.low, self.high), moved),)


def leaky_relu(
    scales: tuple[float, float], alpha: float, zeros: tuple[int, int], low: int, high: int
) -> LeakyRelu:
    """LEAKY_RELU from the scales and zeros of input and output; alpha > 0.

    >>> from revsim.network.cells import run_cells
    >>> program = leaky_relu((1.0, 1.0), 0.25, (0, 0), -128, 127)
    >>> run_cells(program, [(-128, 127)], np.array([[-8], [5]])).ravel().tolist()
    [-2, 5]
    """
    if not alpha > 0:
        raise InputError(f"a leaky ReLU needs a slope greater than 0, got {alpha}")
    before, after = (float(np.float32(s)) for s in scales)
    slope = float(np.float32(alpha))
    return LeakyRelu(rescaled(before / after), rescaled(before * slope / after), zeros, low, high)
