"""Real factors as integers, the way TensorFlow Lite's kernels write them, and clamps of outputs.

Reference: quantization_util.cc and kernel_util.cc of TensorFlow Lite.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.frontends.tflite.file import FileTensor
from revsim.network.cells_tflite import fixed_multiplier
from revsim.network.operators import Clamp, Offset, Requantise, Single

ROUNDINGS: Final = ("double", "single")
FUSED: Final = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH", 5: "SIGN_BIT"}
"""Fused activation functions by their number in the schema."""
CLAMPS: Final = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
"""Those that are clamps."""


def requantise(
    factors: npt.ArrayLike, rounding: str, where: str, sum_bits: int = 32, extra: int = 0
) -> Requantise:
    """round(factor * z * 2^extra) as the kernels do it, one factor for all or one per channel.

    rounding "double": two roundings, the reference kernels; "single": one, as XNNPACK rounds.
    sum_bits 64: the rule of 64-bit sums (16-bit activations), with 16-bit multipliers.

    >>> requantise([0.5], "double", "example").apply(np.array([[7, -7]])).tolist()
    [[4, -3]]
    """
    real = np.atleast_1d(np.asarray(factors, dtype=np.float64))
    if not bool((np.isfinite(real) & (real > 0)).all()):
        raise InputError(f"{where}: its scales make a factor of {real.min()}; fetch it again")
    pairs = [fixed_multiplier(float(f)) for f in real]
    # A factor below 2^-32 is 0, as in QuantizeMultiplier.
    whole, exponent = np.array(
        [pair if pair[1] >= -31 else (0, 0) for pair in pairs], dtype=np.int64
    ).T
    if int(exponent.max()) > (14 if sum_bits == 64 else 30):
        raise InputError(f"{where}: its scales differ by a factor of 2^{int(exponent.max())}")
    if sum_bits == 64:
        short = np.where(whole < 0x7FFF0000, (whole + (1 << 15)) >> 16, 0x7FFF)
        return Requantise(15 - exponent, "half_up", short)
    return fixed(whole, exponent, rounding, extra)


def fixed(
    multiplier: npt.ArrayLike, exponent: npt.ArrayLike, rounding: str, extra: int = 0
) -> Requantise:
    """round(multiplier * 2^(exponent - 31) * z * 2^extra): MultiplyByQuantizedMultiplier."""
    whole, power = np.atleast_1d(multiplier).astype(np.int64), np.atleast_1d(exponent)
    if rounding == "single":
        left = np.full(power.shape, extra, dtype=np.int64)
        return Requantise(31 - power, "half_up", whole, left if extra else None)
    left = np.maximum(power, 0) + extra
    return Requantise(np.maximum(-power, 0), "tflite_double", whole, left if left.any() else None)


def clamp_ends(
    tensor: FileTensor, fused: int, ends: tuple[int, int], where: str
) -> tuple[int, int]:
    """Least and greatest integer of an output after its fused activation function.

    `ends` are those of its type. Raises InputError for an activation function that is no clamp.
    """
    low, high = ends
    name = FUSED.get(fused, f"number {fused}")
    if name not in CLAMPS:
        raise InputError(f"{where}: fused activation function {name} is no clamp")
    if name == "NONE":
        return ends

    def quantised(value: float) -> int:
        quotient = float(np.float32(value) / tensor.scale)
        return tensor.zero + int(np.floor(abs(quotient) + 0.5)) * (1 if quotient >= 0 else -1)

    low = max(low, quantised(-1.0) if name == "RELU_N1_TO_1" else tensor.zero)
    if name != "RELU":
        high = min(high, quantised(1.0 if name == "RELU_N1_TO_1" else 6.0))
    if low > high:
        raise InputError(f"{where}: its scale and zero point leave {name} no value")
    return low, high


def into(zero: int, low: int, high: int) -> tuple[Single, ...]:
    """What follows a requantisation: the zero point added, then the clamp."""
    shift = (Offset(np.array([zero], dtype=np.int64)),) if zero else ()
    return (*shift, Clamp(low, high))
