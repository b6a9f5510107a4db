"""Weighted sums of TensorFlow Lite: convolutions, transposed convolutions, dense layers.

acc = sum of (q_x - z_x)(q_w - z_w) + bias, requantised, plus z_out, clamped. Zero points are
folded into weights and bias; padding is the input's zero point. Reference: conv.h,
depthwise_conv.h, fully_connected.h and transpose_conv.h of the reference kernels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.frontends.multipliers import clamp_ends, into, requantise
from revsim.frontends.shapes import (
    channels_last,
    check_reads,
    places,
    same_padding,
    size_of,
    transposed_windows,
    valid_padding,
    windows,
)
from revsim.frontends.tflite.draft import Draft
from revsim.frontends.tflite.file import RANGES, FileOperator, FileTensor
from revsim.network.graph import Linear
from revsim.network.sums import Integers


def conv_2d(draft: Draft, operator: FileOperator) -> None:
    """CONV_2D: weights [channels, height, width, depth], grouped where the input is deeper."""
    x, weights = draft.tensor(operator.inputs[0]), draft.tensor(operator.inputs[1])
    _ranks(draft, operator, x, weights)
    channels, height, width, depth = weights.shape
    groups = x.shape[3] // depth
    if x.shape[3] % depth or channels % groups:
        raise draft.fail(operator, f"weights {weights.shape} do not fit an input {x.shape}")
    taps = _taps(draft, operator, (height, width), x.shape)
    # [positions, taps, depth of the input] to [positions, groups, taps * depth of a group]
    split = taps.reshape(len(taps), height * width, groups, depth).transpose(0, 2, 1, 3)
    reads = split.reshape(len(taps), groups, -1)
    _sums(draft, operator, weights.constant.reshape(channels, -1), reads, axis=0)


def depthwise_conv_2d(draft: Draft, operator: FileOperator) -> None:
    """DEPTHWISE_CONV_2D: weights [1, height, width, depth * multiplier]."""
    x, weights = draft.tensor(operator.inputs[0]), draft.tensor(operator.inputs[1])
    _ranks(draft, operator, x, weights)
    one, height, width, channels = weights.shape
    if one != 1 or channels % x.shape[3]:
        raise draft.fail(operator, f"weights {weights.shape} do not fit an input {x.shape}")
    reads = _taps(draft, operator, (height, width), x.shape).transpose(0, 2, 1)
    rows = weights.constant.reshape(height * width, channels).T
    _sums(draft, operator, np.ascontiguousarray(rows), reads, axis=3)


def fully_connected(draft: Draft, operator: FileOperator) -> None:
    """FULLY_CONNECTED: weights [channels, depth]; the input is read in rows of `depth`."""
    x, weights = draft.tensor(operator.inputs[0]), draft.tensor(operator.inputs[1])
    if operator.options["WeightsFormat"] != 0:
        raise draft.fail(operator, "its weights are shuffled; convert the model without that")
    if len(weights.shape) != 2 or x.size % weights.shape[1]:
        raise draft.fail(operator, f"weights {weights.shape} do not fit an input {x.shape}")
    reads = places((x.size // weights.shape[1], 1, weights.shape[1]))
    _sums(draft, operator, weights.constant, reads, axis=0)


def transpose_conv(draft: Draft, operator: FileOperator) -> None:
    """TRANSPOSE_CONV: inputs are output shape, weights [channels, height, width, depth], input."""
    weights, x = draft.tensor(operator.inputs[1]), draft.tensor(operator.inputs[2])
    _ranks(draft, operator, x, weights)
    out = draft.tensor(operator.outputs[0])
    channels, height, width, depth = weights.shape
    if depth != x.shape[3] or len(out.shape) != 4 or out.shape[3] != channels:
        raise draft.fail(operator, f"weights {weights.shape} do not fit an input {x.shape}")
    strides = _strides(draft, operator)
    kernel, size, space = (height, width), x.shape[1:3], out.shape[1:3]
    padding = operator.options["Padding"]
    expected = [
        -(-n // s) if padding == 0 else -(-(n - k + 1) // s)
        for n, k, s in zip(space, kernel, strides, strict=True)
    ]
    if expected != list(size):
        raise draft.fail(operator, f"an output {out.shape} does not fit an input {x.shape}")
    before = same_padding(space, kernel, strides, (1, 1))[0] if padding == 0 else [0, 0]
    check_reads(x.shape[0] * size_of(space) * height * width * depth, draft.where(operator))
    flat = transposed_windows(size, kernel, strides, (1, 1), before, space)
    reads = channels_last(flat, x.shape[0], size_of(size), depth)
    rows = weights.constant.reshape(channels, -1)
    _sums(draft, operator, rows, reads.reshape(len(reads), 1, -1), axis=0, first=2)


def _ranks(draft: Draft, operator: FileOperator, x: FileTensor, weights: FileTensor) -> None:
    if len(x.shape) != 4 or len(weights.shape) != 4 or 0 in (*x.shape, *weights.shape):
        raise draft.fail(
            operator, f"input {x.shape} and weights {weights.shape} must have four dimensions"
        )


def _strides(draft: Draft, operator: FileOperator) -> tuple[int, int]:
    strides = operator.options["StrideH"], operator.options["StrideW"]
    if min(strides) < 1 or max(strides) > 1 << 16:
        raise draft.fail(operator, f"strides {strides} must be at least 1")
    return strides


def _taps(
    draft: Draft, operator: FileOperator, kernel: tuple[int, int], shape: Sequence[int]
) -> Integers:
    """What each window reads: int64 [positions, taps, depth], -1 for padding."""
    strides = _strides(draft, operator)
    dilations = operator.options["DilationHFactor"], operator.options["DilationWFactor"]
    return window_reads(draft, operator, kernel, strides, dilations, shape)


def window_reads(
    draft: Draft,
    operator: FileOperator,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    shape: Sequence[int],
) -> Integers:
    """What each window of an image [batches, height, width, depth] reads, after checks."""
    batches, depth, size = shape[0], shape[3], shape[1:3]
    if min(*strides, *dilations, *kernel) < 1 or max(*strides, *dilations, *kernel) > 1 << 16:
        raise draft.fail(
            operator, f"window {kernel}, strides {strides} and dilations {dilations} must be >= 1"
        )
    padding = operator.options["Padding"]
    if padding not in (0, 1):
        raise draft.fail(operator, f"padding {padding} is neither SAME nor VALID")
    rule = same_padding if padding == 0 else valid_padding
    before, out = rule(size, kernel, strides, dilations)
    expected = (batches, *out)
    given = draft.tensor(operator.outputs[0]).shape
    if given[:3] != expected or min(out) < 1:
        raise draft.fail(operator, f"its output has shape {given}; its windows make {expected}")
    check_reads(batches * size_of(out) * size_of(kernel) * depth, draft.where(operator))
    flat = windows(size, kernel, strides, dilations, before, out)
    return channels_last(flat, batches, size_of(size), depth)


def _sums(
    draft: Draft,
    operator: FileOperator,
    rows: Integers,
    reads: Integers,
    axis: int,
    first: int = 0,
) -> None:
    """The node of weight rows [channels, taps] at `reads`; `axis` is the weights' channel axis.

    `first` is the place of the input among the operator's tensors, 2 in TRANSPOSE_CONV.
    """
    where = draft.where(operator)
    x, weights = draft.tensor(operator.inputs[first]), draft.tensor(operator.inputs[1])
    out = draft.tensor(operator.outputs[0])
    if weights.type != ("uint8" if x.type == "uint8" else "int8"):
        raise draft.fail(operator, f"weights of type {weights.type} for an input of {x.type}")
    scales, zeros = weights.per_channel(axis)
    rows = rows - zeros[:, None]
    bias, wide = _bias(draft, operator, 3 if first == 2 else 2, len(rows))
    factors = _factors(operator, x, weights, scales, out)
    source = draft.given(operator.inputs[first])
    ends = clamp_ends(out, operator.options["FusedActivationFunction"], RANGES[out.type], where)
    sums = Linear(operator.kind.lower(), rows, bias - x.zero * rows.sum(axis=1), reads, x.zero)
    held = draft.tensors[source]
    least, greatest = sums.bounds(held.low, held.high)
    once = requantise(factors, draft.rounding, where, 64 if wide else 32)
    draft.check_sum(operator, int(least.min()), int(greatest.max()), once, 48 if wide else 32)
    draft.linear(
        operator,
        sums,
        source,
        (once, *into(out.zero, *ends)),
        ends,
        operator.options["FusedActivationFunction"] != 0,
    )


def _bias(draft: Draft, operator: FileOperator, place: int, channels: int) -> tuple[Integers, bool]:
    """(bias int64 [channels], whether the sum has 64 bits).

    With 16-bit activations the kernels sum in 64 bits, but for convolutions with a bias of 32.
    """
    short = draft.tensor(operator.inputs[2 if place == 3 else 0]).type != "int16"
    number = operator.inputs[place] if len(operator.inputs) > place else -1
    if number < 0:
        return np.zeros(channels, dtype=np.int64), not short
    tensor = draft.tensor(number)
    allowed = (
        ("int32",) if short else ("int64", "int32") if operator.kind == "CONV_2D" else ("int64",)
    )
    if tensor.type not in allowed:
        raise draft.fail(
            operator, f"bias of type {tensor.type}; the kernels take {' or '.join(allowed)} here"
        )
    bias = tensor.constant.reshape(-1)
    if len(bias) != channels:
        raise draft.fail(operator, f"{len(bias)} biases for {channels} channels")
    if bool((np.abs(bias) >= 1 << 47).any()):
        raise draft.fail(operator, "biases must stay within 48 bits")
    return bias, tensor.type == "int64"


def _factors(
    operator: FileOperator,
    x: FileTensor,
    weights: FileTensor,
    scales: npt.NDArray[np.float32],
    out: FileTensor,
) -> npt.NDArray[Any]:
    """Real factor per channel, float64: s_x s_w / s_out.

    The product of the first two is rounded to float32 in dense layers of one scale and in 8-bit
    unsigned models, as GetQuantizedConvolutionMultipler does; elsewhere it is formed in double.
    """
    short = len(weights.scales) == 1 and (operator.kind == "FULLY_CONNECTED" or x.type == "uint8")
    if short:
        product = (x.scale * scales).astype(np.float64)
    else:
        product = np.float64(x.scale) * scales.astype(np.float64)
    return product / np.float64(out.scale)
