"""Quantised operators of ONNX and of onnxruntime's domain com.microsoft.

Each is read as what it means: DequantizeLinear, the float operator, QuantizeLinear. The folding of
that chain is the operator's own rule (onnx_folding.py): for weighted sums

    y = saturate(rint(float32(sum) * ((s_a * s_b) / s_y)) + z_y)

which is what onnxruntime's kernels compute, so the forms QLinear* and QDQ of a model are the same
network. A saturation whose lower end stands for 0 is the ReLU that the quantiser folded into it.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from revsim.frontends.onnx import chains as onnx_chains
from revsim.frontends.onnx import sums as onnx_sums
from revsim.frontends.onnx.builder import (
    Array,
    Builder,
    Constant,
    Held,
    Refusal,
    Step,
    ends_of,
    maker,
)
from revsim.frontends.onnx.folding import closed
from revsim.frontends.onnx.reals import (
    Outside,
    Quantiser,
    Real,
    floats_of,
    give,
    grid,
    grid_of,
    real,
    settled,
    then,
    written,
)
from revsim.network.reals import Stage, stages_of

MICROSOFT = "com.microsoft"

# --- scales and zero points ------------------------------------------------------------------


def scale_of(builder: Builder, step: Step, place: int) -> Array:
    """A scale: float32, finite, above 0 and not denormal."""
    value = floats_of(builder.value(step, place))
    name = step.inputs[place]
    if value is None:
        raise Refusal(f"its scale {name!r} depends on the model's input", "make it an initialiser")
    scale = np.asarray(value, dtype=np.float32)
    if scale.size == 0:
        raise Refusal(f"its scale {name!r} is empty")
    if not bool((np.isfinite(scale) & (scale >= np.finfo(np.float32).tiny)).all()):
        raise Refusal(f"its scale {name!r} must be finite and above 0, got {scale.ravel()[0]}")
    return scale


def zero_of(builder: Builder, step: Step, place: int, dtype: Any = np.uint8) -> Array:
    """A zero point; 0 of the type where it is left out."""
    if not builder.given(step, place):
        return np.zeros((), dtype=dtype)
    value = builder.constant(step, place, "zero point")
    if value.size == 0:
        raise Refusal(f"its zero point {step.inputs[place]!r} is empty")
    ends_of(value.dtype)
    return value


def spread(array: Array, shape: tuple[int, ...], axis: int, block: int = 0) -> Array:
    """A scale or zero point as [1], or as [values] where there is one for each of an axis."""
    if array.size == 1:
        return array.reshape(1)
    if not shape or not -len(shape) <= axis < len(shape):
        raise Refusal(f"axis {axis} is none of {len(shape)} axes")
    axis %= len(shape)
    if block:
        array = np.repeat(array, block, axis=axis)
        array = array[tuple(slice(0, n) for n in shape)] if array.ndim == len(shape) else array
        if array.shape != shape:
            raise Refusal(f"its scales do not fit {list(shape)} in blocks of {block}")
        return np.ascontiguousarray(array).ravel()
    if array.size != shape[axis]:
        raise Refusal(f"{array.size} scales for {shape[axis]} slices along axis {axis}")
    lengths = [shape[axis] if a == axis else 1 for a in range(len(shape))]
    whole = np.broadcast_to(array.reshape(lengths), shape)
    return np.ascontiguousarray(whole).ravel()


def dequantised(value: Any, scale: Array, zero: Array, axis: int = 1, block: int = 0) -> Real:
    """(q - zero) * scale of a tensor or constant of integers."""
    if not isinstance(value, Held | Constant):
        raise Refusal("its input is no tensor of integers")
    ends_of(value.dtype)
    s, z = (spread(a, value.shape, axis, block) for a in (scale, zero.astype(np.int64)))
    return Real(value, value.shape, (grid(1, -z, s),))


def quantiser(
    scale: Array, zero: Array, shape: tuple[int, ...], axis: int = 1, dtype: Any = None
) -> Quantiser:
    """QuantizeLinear: saturate(rint(x / scale) + zero), to the type of the zero point."""
    kind = zero.dtype if dtype is None else dtype
    low, high = ends_of(kind)
    s, z = spread(scale, shape, axis), spread(zero.astype(np.int64), shape, axis)
    ends = (np.array([v], np.int64) for v in (low, high))
    stage = Stage("quantise", (s.astype(np.float32), z, *ends))
    fields: dict[str, Any] = {"to_float": (grid(1, -z, s),)}
    if len(s) == len(z) == 1:
        fields = {"scale": float(s[0]), "zero": int(z[0])}
    relu = bool((z == low).all())
    return Quantiser(stage, kind, low, high, fields, relu)


# --- the operators of quantisation ----------------------------------------------------------


@maker("QuantizeLinear", floats=True)
@maker("QuantizeLinear", domain=MICROSOFT, floats=True)
def _quantize(builder: Builder, step: Step) -> None:
    from onnx import helper

    value = real(builder.value(step, 0), step.inputs[0])
    dtype: Any = np.uint8
    if step.attributes.get("output_dtype"):
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(step.attributes["output_dtype"]))
    zero = zero_of(builder, step, 2, dtype)
    if step.attributes.get("block_size", 0):
        raise Refusal("it quantises in blocks along an axis", "quantise per tensor")
    rule = quantiser(scale_of(builder, step, 1), zero, value.shape, step.attributes.get("axis", 1))
    activated = any(s.operation not in ("grid", "multiply") for s in value.stages)
    summed = not isinstance(value.base, Held | Constant | Outside)
    rule = replace(rule, neurons=rule.neurons and (summed or activated))
    builder.values[step.outputs[0]] = closed(builder, value, rule, step.outputs[0])


@maker("DequantizeLinear")
@maker("DequantizeLinear", domain=MICROSOFT)
def _dequantize(builder: Builder, step: Step) -> None:
    value = builder.value(step, 0)
    if not isinstance(value, Held | Constant):
        raise Refusal("its input is no tensor of integers")
    scale, zero = scale_of(builder, step, 1), zero_of(builder, step, 2, value.dtype)
    axis, block = step.attributes.get("axis", 1), step.attributes.get("block_size", 0)
    give(builder, step, dequantised(value, scale, zero, axis, block))


@maker("DynamicQuantizeLinear", floats=True)
def _dynamic(builder: Builder, step: Step) -> None:
    raise Refusal(
        "its scale depends on the data, which a fixed circuit cannot have",
        "quantise statically: onnxruntime.quantization.quantize_static with calibration data",
    )


def _triple(builder: Builder, step: Step, place: int, axis: int = 1) -> Real:
    """Inputs place, place + 1, place + 2 of a node: a tensor, its scale and its zero point."""
    value = builder.value(step, place)
    if not isinstance(value, Held | Constant):
        raise Refusal(f"its input {step.inputs[place]!r} is no tensor of integers")
    zero = zero_of(builder, step, place + 2, value.dtype)
    return dequantised(value, scale_of(builder, step, place + 1), zero, axis)


def _close(builder: Builder, step: Step, value: Real, place: int, axis: int = 1) -> None:
    """The output, quantised by the scale and zero point at inputs place and place + 1."""
    rule = quantiser(
        scale_of(builder, step, place), zero_of(builder, step, place + 1), value.shape, axis
    )
    builder.values[step.outputs[0]] = closed(builder, value, rule, step.outputs[0])


@maker("QLinearConv")
def _qlinear_conv(builder: Builder, step: Step) -> None:
    x, w = _triple(builder, step, 0), _triple(builder, step, 3, axis=0)
    weights, scale = onnx_sums.weights_of(w, step.inputs[3], 0)
    held = grid_of(builder, x, step.inputs[0])
    bias: Any = None
    if builder.given(step, 8):
        value = builder.value(step, 8)
        if not isinstance(value, Constant) or value.dtype.kind not in "iu":
            raise Refusal("its bias must be a constant of int32")
        product = (held.scale * scale).astype(np.float32)
        per_channel = product if len(product) == value.array.size else product[:1]
        whole = Real(value, value.shape, (grid(1, 0, per_channel),))
        bias = (whole, step.inputs[8], np.ones(1, np.float32))
    out = onnx_sums.convolved(builder, step, held, x.shape, weights, scale, bias)
    _close(builder, step, out, 6)


@maker("QLinearMatMul")
@maker("QLinearMatMul", domain=MICROSOFT)
def _qlinear_matmul(builder: Builder, step: Step) -> None:
    a, b = _triple(builder, step, 0, axis=-2), _triple(builder, step, 3, axis=-1)
    _close(builder, step, onnx_sums.multiplied(builder, step, a, b), 6, axis=-2)


@maker("QGemm", domain=MICROSOFT)
def _qgemm(builder: Builder, step: Step) -> None:
    rows = 0 if step.attributes.get("transB", 0) else 1
    a, b = _triple(builder, step, 0), _triple(builder, step, 3, axis=rows)
    names = {"A": a, "B": b}
    inner = replace(step, inputs=("A", "B"), operator="Gemm")
    if builder.given(step, 6):
        value = builder.value(step, 6)
        (_, _, sa), (_, _, sb) = a.stages[0].operands, b.stages[0].operands
        alpha = np.float32(step.attributes.get("alpha", 1.0))
        columns = b.shape[rows]
        sb = sb if len(sb) == 1 else np.asarray(scale_of(builder, step, 4)).ravel()
        scale = (sa * sb * alpha).astype(np.float32)
        if not isinstance(value, Constant) or value.array.size not in (1, columns):
            raise Refusal("its bias must be a constant with one value per column")
        scale = scale if len(scale) == value.array.size else scale[:1]
        names["C"] = Real(value, value.shape, (grid(1, 0, scale),))
        inner = replace(inner, inputs=("A", "B", "C"))
    kept = {name: builder.values.get(name) for name in names}
    builder.values.update(names)
    try:
        onnx_sums.gemm(builder, inner)
    finally:
        builder.values.update(kept)
    out = builder.values[step.outputs[0]]
    if builder.given(step, 7):
        _close(builder, step, out, 7)


@maker("ConvInteger", "MatMulInteger")
def _integer(builder: Builder, step: Step) -> None:
    """Sums of (a - z_a) * (b - z_b) as int32; nothing is rounded."""
    values = []
    for place, axis in ((0, -2), (1, 0 if step.operator == "ConvInteger" else -1)):
        value = builder.value(step, place)
        if not isinstance(value, Held | Constant):
            raise Refusal(f"its input {step.inputs[place]!r} is no tensor of integers")
        zero = zero_of(builder, step, 2 + place, value.dtype)
        values.append(dequantised(value, np.ones((), np.float32), zero, axis))
    a, b = values
    if step.operator == "ConvInteger":
        weights, scale = onnx_sums.weights_of(b, step.inputs[1], 0)
        x = grid_of(builder, a, step.inputs[0])
        out = onnx_sums.convolved(builder, step, x, a.shape, weights, scale)
    else:
        out = onnx_sums.multiplied(builder, step, a, b)
    held = settled(builder, out).base
    assert isinstance(held, Held)
    builder.values[step.outputs[0]] = replace(held, shape=out.shape)


# --- onnxruntime's own ----------------------------------------------------------------------


@maker("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def _qlinear_binary(builder: Builder, step: Step) -> None:
    a, b = _triple(builder, step, 0), _triple(builder, step, 3)
    operation = "add" if step.operator == "QLinearAdd" else "multiply"
    joined = onnx_chains.arithmetic(builder, step, a, b, (operation, operation))
    _close(builder, step, joined, 6)


@maker("QLinearAveragePool", "QLinearGlobalAveragePool", domain=MICROSOFT)
def _qlinear_average(builder: Builder, step: Step) -> None:
    """Means of windows. onnxruntime adds floats in the windows of QLinearAveragePool; this is the
    exact sum, which differs where a mean lies in the middle of two results to within rounding."""
    if step.attributes.get("channels_last", 0):
        raise Refusal("its channels come last", "export with channels first")
    x = _triple(builder, step, 0)
    _close(builder, step, onnx_sums.averaged(builder, step, x), 3)


UNARY = {"QLinearSigmoid": "sigmoid", "QLinearLeakyRelu": "leaky_relu"}


@maker(*UNARY, domain=MICROSOFT)
def _qlinear_unary(builder: Builder, step: Step) -> None:
    x = _triple(builder, step, 0)
    slope = np.array([step.attributes.get("alpha", 0.01)], np.float32)
    operands = (slope,) if step.operator == "QLinearLeakyRelu" else ()
    _close(builder, step, then(x, UNARY[step.operator], *operands), 3)


@maker("QLinearConcat", domain=MICROSOFT)
def _qlinear_concat(builder: Builder, step: Step) -> None:
    parts = [_triple(builder, step, place) for place in range(2, len(step.inputs), 3)]
    _close(builder, step, onnx_chains.concatenated(builder, step, parts), 0)


# --- the edge -------------------------------------------------------------------------------


def output(builder: Builder, value: Any, name: str) -> Held:
    """A float output of the model: the integers behind it, with the floats they stand for."""
    if not isinstance(value, Real):
        raise Refusal("it is a float")
    if isinstance(value.base, Outside):
        raise Refusal("it is a float input", "quantise it")
    found = settled(builder, value, name)
    if isinstance(found.base, Constant):
        raise Refusal("it is a constant float")
    held = found.base
    assert isinstance(held, Held)
    tensor = builder.tensors[held.name]
    stages = tensor.to_float
    if tensor.scale is not None:
        stages = stages_of(tensor.scale, tensor.zero)
    if (stages and written(stages) != written(found.stages)) or tensor.shape != value.shape:
        held = builder.wired(name, "output", [held], np.arange(held.size), value.shape, held.dtype)
        stages = ()
    if not stages:
        tensor = builder.tensors[held.name]
        builder.tensors[held.name] = replace(tensor, to_float=found.stages)
    return held
