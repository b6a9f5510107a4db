"""Elementwise operators, pools and softmax of TensorFlow Lite: cell programs.

Reference: the reference kernels' headers (add.h, pooling.h, softmax.h, quantize.h and others).
"""

import numpy as np

from revsim.errors import InputError
from revsim.frontends.multipliers import clamp_ends, fixed_point, into, requantise
from revsim.frontends.shapes import broadcast, places
from revsim.frontends.tflite_draft import Draft
from revsim.frontends.tflite_file import RANGES, FileOperator
from revsim.frontends.tflite_sums import window_reads
from revsim.network.cells_fixed_point import (
    Chain,
    RescaledSum,
    Softmax,
    Total,
    exponentials,
    one,
)
from revsim.network.operators import Clamp, Divide, Offset, Single
from revsim.network.sums import Integers


def add(draft: Draft, operator: FileOperator) -> None:
    """ADD and SUB: both inputs brought to twice the greater scale, then to the output's."""
    a, b = (draft.tensor(n) for n in operator.inputs)
    out, where = draft.tensor(operator.outputs[0]), draft.where(operator)
    left = 15 if out.type == "int16" else 20
    twice = 2 * np.float64(max(a.scale, b.scale))
    back = twice / ((1 << left) * np.float64(out.scale))
    if back >= 1:
        raise draft.fail(operator, "its output's scale is too small for the kernels")
    fused = operator.options["FusedActivationFunction"]
    ends = clamp_ends(out, fused, RANGES[out.type], where)
    terms = tuple(requantise([np.float64(t.scale) / twice], draft.rounding, where) for t in (a, b))
    program = RescaledSum(
        (a.zero, b.zero),
        left,
        (1, -1 if operator.kind == "SUB" else 1),
        terms,
        (requantise([back], draft.rounding, where), *into(out.zero, *ends)),
    )
    reads = _broadcast(draft, operator)
    draft.cells(operator, program, reads, operator.inputs, ends, fused != 0)


def average_pool_2d(draft: Draft, operator: FileOperator) -> None:
    """AVERAGE_POOL_2D: nearest integer of the mean of what lies under the window."""
    options, x = operator.options, draft.tensor(operator.inputs[0])
    if len(x.shape) != 4:
        raise draft.fail(operator, f"its input has shape {x.shape}; four dimensions are expected")
    kernel = options["FilterHeight"], options["FilterWidth"]
    strides = options["StrideH"], options["StrideW"]
    taps = window_reads(draft, operator, kernel, strides, (1, 1), x.shape)
    fused = options["FusedActivationFunction"]
    out = draft.tensor(operator.outputs[0])
    ends = clamp_ends(out, fused, RANGES[out.type], draft.where(operator))
    reads = taps.transpose(0, 2, 1).reshape(-1, taps.shape[1])
    counts = (reads >= 0).sum(axis=1)
    if len(set(counts.tolist())) != 1:
        raise draft.fail(operator, "windows over padding are not supported yet")
    after: tuple[Single, ...] = (Divide(one(int(counts[0]))), *_clamp(fused, ends))
    draft.cells(operator, Total(0, after), reads, operator.inputs, ends, fused != 0)


def softmax(draft: Draft, operator: FileOperator) -> None:
    """SOFTMAX of 8 bits along the last axis."""
    x, out = draft.tensor(operator.inputs[0]), draft.tensor(operator.outputs[0])
    beta = float(operator.options["Beta"])
    if not 0 < beta < 1e6:
        raise draft.fail(operator, f"beta {beta} must be greater than 0")
    if x.shape != out.shape or x.type != out.type:
        raise draft.fail(operator, "its output has another shape or type than its input")
    real = min(beta * float(x.scale) * (1 << 26), (1 << 31) - 1.0)
    whole, left = (int(v[0]) for v in fixed_point([real]))
    if left < 0:
        raise draft.fail(operator, "its input's scale is too small for the kernels")
    program = Softmax(exponentials(whole, left), RANGES[out.type][0])
    reads = places((x.size // x.shape[-1], x.shape[-1]))
    draft.cells(operator, program, reads, operator.inputs)


def quantize(draft: Draft, operator: FileOperator) -> None:
    """QUANTIZE of integers: to another scale, zero point or type."""
    x, out = draft.tensor(operator.inputs[0]), draft.tensor(operator.outputs[0])
    factor = np.float64(x.scale) / np.float64(out.scale)
    low, high = RANGES[out.type]
    before = (Offset(one(-x.zero)),) if x.zero else ()
    once = requantise([factor], draft.rounding, draft.where(operator))
    chain = Chain((*before, once, *into(out.zero, low, high)))
    draft.cells(operator, chain, places((x.size, 1)), operator.inputs)


def _clamp(fused: int, ends: tuple[int, int]) -> tuple[Single, ...]:
    return (Clamp(*ends),) if fused else ()


def _broadcast(draft: Draft, operator: FileOperator) -> Integers:
    shapes = [draft.tensor(n).shape for n in operator.inputs]
    try:
        return broadcast(shapes, draft.tensor(operator.outputs[0]).shape)
    except InputError as error:
        raise draft.fail(operator, str(error)) from None
