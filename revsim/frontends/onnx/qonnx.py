"""QONNX: Quant, BipolarQuant, MultiThreshold and Trunc, the quantisers of Brevitas and FINN.

In a QONNX model every value is a float; a quantiser makes those of a grid. Between two of them the
model scales, shifts and normalises in float32; all of that is folded into thresholds on integer
sums (onnx_folding.py), by carrying out the model's own chain. Formulas: qonnx, custom_op/general.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from revsim.frontends.onnx.builder import Array, Builder, Constant, Maker, Refusal, Step, maker
from revsim.frontends.onnx.folding import closed
from revsim.frontends.onnx.quantised import scale_of
from revsim.frontends.onnx.reals import Quantiser, Real, floats_of, give, grid, operand, real
from revsim.network.reals import ROUNDINGS, Stage

BREVITAS = ("onnx.brevitas", "qonnx.custom_op.general", "finn.custom_op.general")


def _register(operator: str) -> Callable[[Maker], Maker]:
    def register(function: Maker) -> Maker:
        for domain in BREVITAS:
            maker(operator, domain=domain)(function)
            maker(operator, domain=domain, floats=True)(function)
        return function

    return register


def _floats(builder: Builder, step: Step) -> Real:
    """The first input; constants keep their floats, which need not be whole."""
    value = builder.value(step, 0)
    if isinstance(value, Constant):
        floats = np.asarray(value.array, dtype=np.float32)
        if floats.size == 0 or not np.isfinite(floats).all():
            raise Refusal(f"its constant {step.inputs[0]!r} is empty, or holds NaN or infinity")
        return Real(Constant(floats), floats.shape)
    return real(value, step.inputs[0])


def _finish(builder: Builder, step: Step, value: Real, rule: Quantiser, after: Stage) -> None:
    made = closed(builder, value, rule, step.outputs[0])
    give(builder, step, Real(made, made.shape, (after,)))


def _number(builder: Builder, step: Step, place: int, what: str) -> float:
    found = floats_of(builder.value(step, place))
    if found is None or found.size != 1 or not np.isfinite(found).all():
        raise Refusal(f"its {what} must be one constant number")
    return float(found.ravel()[0])


@_register("BipolarQuant")
def _bipolar(builder: Builder, step: Step) -> None:
    """scale where x >= 0, else -scale; held as one bit."""
    value, scale = _floats(builder, step), scale_of(builder, step, 1)
    after = grid(2, -1, operand(scale, value.shape, "scale"))
    _finish(builder, step, value, _bits(2, after), after)


def _bits(levels: int, after: Stage, thresholds: tuple[Array, ...] = ()) -> Quantiser:
    stage = Stage("reached", thresholds or (np.zeros(1, np.float32),))
    return Quantiser(stage, np.dtype(np.uint8), 0, levels - 1, {"to_float": (after,)}, True)


@_register("MultiThreshold")
def _multi_threshold(builder: Builder, step: Step) -> None:
    """out_scale * (number of thresholds reached) + out_bias."""
    value = _floats(builder, step)
    found = floats_of(builder.value(step, 1))
    if found is None or found.ndim != 2 or found.size == 0:
        raise Refusal("its thresholds must be constants of shape [channels, steps]")
    if np.isnan(found).any() or (np.diff(found, axis=1) < 0).any():
        raise Refusal("its thresholds must be in ascending order")
    layout = step.attributes.get("data_layout", b"").decode()
    axis = layout.index("C") if "C" in layout else len(value.shape) - 1 if layout else 1
    if not layout and len(value.shape) == 3:
        axis = 2
    columns: list[Array] = []
    for column in found.T.astype(np.float32):
        lengths = [len(column) if a == axis else 1 for a in range(len(value.shape))]
        columns.append(operand_of(column.reshape(lengths), value.shape))
    scale = float(step.attributes.get("out_scale", 1.0))
    bias = float(step.attributes.get("out_bias", 0.0))
    if not (scale > 0 and np.isfinite(bias) and float(2 * bias / scale).is_integer()):
        raise Refusal(f"out_bias {bias:g} is no multiple of half of out_scale {scale:g}")
    half = int(2 * bias / scale)
    after = grid(2, half, scale / 2) if half % 2 else grid(1, half // 2, scale)
    _finish(builder, step, value, _bits(len(columns) + 1, after, tuple(columns)), after)


def operand_of(array: Array, shape: tuple[int, ...]) -> Array:
    """Thresholds of one step as [1] or [values]; infinite ones are never or always reached."""
    limit = np.finfo(np.float32).max
    return operand(np.clip(array, -limit, limit), shape, "thresholds")


@_register("Quant")
@_register("IntQuant")
def _quant(builder: Builder, step: Step) -> None:
    """(round(clip(x / scale + zero)) - zero) * scale, to a number of bits."""
    value = _floats(builder, step)
    scale = operand(scale_of(builder, step, 1), value.shape, "scale")
    zero = floats_of(builder.value(step, 2))
    bits = _number(builder, step, 3, "bit width")
    signed, narrow = step.attributes.get("signed", 1), step.attributes.get("narrow", 0)
    mode = step.attributes.get("rounding_mode", b"ROUND").decode().upper()
    if zero is None or (np.asarray(zero) % 1).any():
        raise Refusal("its zero point must be a constant of whole numbers")
    if bits not in range(1, 33) or mode not in ROUNDINGS:
        raise Refusal(f"bit width {bits:g} and rounding {mode} are not read", "1 to 32 bits")
    offset = operand(zero, value.shape, "zero point")
    if bits == 1 and signed:
        if offset.any():
            raise Refusal("one signed bit with a zero point")
        after = grid(2, -1, scale)
        _finish(builder, step, value, _bits(2, after), after)
        return
    width = int(bits)
    low = -(1 << (width - 1)) + bool(narrow) if signed else 0
    high = (1 << (width - 1)) - 1 if signed else (1 << width) - 1 - bool(narrow)
    rule = np.array([list(ROUNDINGS).index(mode)])
    ends = (np.array([low], np.int64), np.array([high], np.int64))
    after = grid(1, -offset.astype(np.int64), scale)
    dtype = np.dtype(f"{'' if signed else 'u'}int{next(b for b in (8, 16, 32, 64) if b >= width)}")
    fields: dict[str, Any] = {"to_float": (after,)}
    if len(scale) == len(offset) == 1:
        fields = {"scale": float(scale[0]), "zero": int(offset[0])}
    stage = Stage("quant", (scale, offset, *ends, rule))
    quantiser = Quantiser(stage, dtype, low, high, fields, False)
    _finish(builder, step, value, quantiser, after)


@_register("Trunc")
def _trunc(builder: Builder, step: Step) -> None:
    """The upper bits of an integer: round(x / scale + zero) divided by a power of two, rounded."""
    value = real(builder.value(step, 0), step.inputs[0])
    scale = scale_of(builder, step, 1)
    zero = _number(builder, step, 2, "zero point")
    bits, mode = _number(builder, step, 3, "input bit width"), step.attributes.get("rounding_mode")
    mode = (mode or b"FLOOR").decode().upper()
    if len(step.inputs) > 5:
        raise Refusal("Trunc of version 2 is not read", "export with qonnx operator set 1")
    kept = _number(builder, step, 4, "output bit width")
    if scale.size != 1 or zero != 0 or not 1 <= kept <= bits <= 32 or mode not in ROUNDINGS:
        raise Refusal("it is read with one scale, zero point 0 and at most 32 bits")
    factor = np.array([2.0 ** (bits - kept)], np.float32)
    s = scale.reshape(1).astype(np.float32)
    for name, array in (("divide", s), ("round", None), ("divide", factor)):
        stage = Stage(name, () if array is None else (array,))
        value = replace(value, stages=(*value.stages, stage))
    low, high = -(1 << int(kept)) + 1, (1 << int(kept)) - 1
    ends = (np.array([low], np.int64), np.array([high], np.int64))
    rule = np.array([list(ROUNDINGS).index(mode)])
    one, none = np.ones(1, np.float32), np.zeros(1, np.float32)
    stage = Stage("quant", (one, none, *ends, rule))
    after = grid(1, 0, s)
    fields = {"scale": float(s[0]), "zero": 0}
    quantiser = Quantiser(stage, np.dtype(np.int32), low, high, fields, False)
    _finish(builder, step, value, quantiser, after)
