"""ONNX quantisers between floats and integers, the floats held by their codes.

QuantizeLinear divides in floating point and rounds half to even, as the standard has it: gates of
the whole division, not an approximation of it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from revsim.frontends.onnx.builder import Array, Builder, Constant, Held, Refusal, Step
from revsim.frontends.onnx.operators import by_value, on_words
from revsim.frontends.onnx.words import computed, held, is_float, kind_of, to_words
from revsim.frontends.shapes import places
from revsim.network.cells_order import Greatest, Least
from revsim.network.floats import (
    FORMATS,
    Dequantise,
    FloatQuotient,
    FloatSum,
    Format,
    Quantise,
)
from revsim.network.words import Ops, V, Word


def spread(parameter: Array, shape: tuple[int, ...], step: Step) -> Array:
    """A scale or zero point as one value for each of a tensor's: per tensor, axis or block."""
    if parameter.size == 1:
        return np.broadcast_to(parameter.reshape(()), shape)
    axis = int(step.attributes.get("axis", 1)) % len(shape)
    block = int(step.attributes.get("block_size", 0))
    if block:
        return np.repeat(parameter, block, axis).take(range(shape[axis]), axis)
    if parameter.ndim != 1 or len(parameter) != shape[axis]:
        raise Refusal(f"scales of shape {list(parameter.shape)} do not fit {list(shape)}")
    return np.broadcast_to(parameter.reshape([-1] + [1] * (len(shape) - 1 - axis)), shape)


def _parameters(builder: Builder, step: Step, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Known scales and zero points, one for each value of the tensor, flat."""
    scale = builder.constant(step, 1, "scale")
    if not bool((np.isfinite(scale) & (scale > 0)).all()):
        raise Refusal("its scales must be finite and greater than 0")
    zero = builder.constant(step, 2, "zero point", np.zeros((), np.int64))
    return spread(scale, shape, step).reshape(-1), spread(zero, shape, step).reshape(-1)


def _output_type(builder: Builder, step: Step) -> Any:
    from onnx import helper

    if builder.given(step, 2):
        return np.dtype(builder.value(step, 2).dtype)
    element = step.attributes.get("output_dtype", 0)
    return np.dtype(helper.tensor_dtype_to_np_dtype(element) if element else np.uint8)


@on_words("QuantizeLinear")
def _quantise(builder: Builder, step: Step) -> None:
    source = held(builder, step, 0)
    dtype = _output_type(builder, step)
    kind, form = kind_of(dtype), FORMATS.get(source.dtype.name)
    if step.attributes.get("precision", 0):
        raise Refusal("its precision is set; only that of its input is made")
    if form is None or form.bits > 32 or is_float(dtype) or kind.bits > 16:
        raise Refusal(f"quantising {source.dtype} to {dtype} is not made")
    each = np.arange(source.size)[:, None]
    if not isinstance(builder.value(step, 1), Constant):
        more = [held(builder, step, place) for place in (1, 2)]
        if any(one.size != 1 for one in more):
            raise Refusal("a variable scale must be a single number")
        one = np.zeros_like(each)
        builder.values[step.outputs[0]] = computed(
            builder, step.outputs[0], "quantise", Quantise(form, *kind.ends), [source, *more],
            [each, one, one], source.shape, dtype,
        )  # fmt: skip
        return
    scale, zero = _parameters(builder, step, source.shape)
    if scale.dtype != source.dtype:
        raise Refusal(f"{source.dtype} over a scale of {scale.dtype} is not made")
    rows = np.stack([to_words(scale), zero.astype(np.int64)], axis=1)

    def make(name: str, row: Any, at: Any) -> Held:
        program = Quantise(form, *kind.ends, int(row[0]), int(row[1]))
        return computed(
            builder, name, "quantise", program, [source], [each[at]], (len(at),), dtype
        )  # fmt: skip

    by_value(builder, step, rows, source.shape, make)


@on_words("DequantizeLinear")
def _dequantise(builder: Builder, step: Step) -> None:
    source = held(builder, step, 0)
    scale, zero = _parameters(builder, step, source.shape)
    form = FORMATS.get(scale.dtype.name)
    if step.attributes.get("output_dtype", 0):
        raise Refusal("its output type is set; only that of its scale is made")
    if form is None or form.bits > 32 or kind_of(source.dtype).bits > 16 or is_float(source.dtype):
        raise Refusal(f"{source.dtype} times a scale of {scale.dtype} is not made")
    rows = np.stack([to_words(scale), zero.astype(np.int64)], axis=1)
    each = np.arange(source.size)[:, None]

    def make(name: str, row: Any, at: Any) -> Held:
        program = Dequantise(form, int(row[0]), int(row[1]))
        return computed(
            builder, name, "dequantise", program, [source], [each[at]], (len(at),), scale.dtype
        )  # fmt: skip

    by_value(builder, step, rows, source.shape, make)


@dataclass(frozen=True)
class DynamicScale:
    """(max(greatest, 0) - min(least, 0)) / levels: what DynamicQuantizeLinear scales by."""

    form: Format
    levels: int

    def __call__(self, ops: Ops[V], least: Word[V], most: Word[V]) -> tuple[Word[V], ...]:
        """One code."""
        zero = ops.constant(0)
        ends = ops.greatest(most, zero), ops.least(least, zero)
        (width,) = FloatSum(self.form, minus=True)(ops, *ends)
        return FloatQuotient(self.form)(ops, width, ops.constant(self.levels))


@dataclass(frozen=True)
class DynamicZero:
    """saturate(rint((0 - min(least, 0)) / scale)): the integer that stands for 0."""

    form: Format
    high: int

    def __call__(self, ops: Ops[V], least: Word[V], scale: Word[V]) -> tuple[Word[V], ...]:
        """One word in 0..high."""
        below = ops.sum([(-1, ops.least(least, ops.constant(0)))], -1)
        above = ops.greatest(below, ops.constant(0))
        return Quantise(self.form, 0, self.high, None, 0)(ops, above, scale)


@on_words("DynamicQuantizeLinear")
def _dynamic(builder: Builder, step: Step) -> None:
    source = held(builder, step, 0)
    form, y, name = FORMATS[source.dtype.name], np.dtype(np.uint8), step.outputs[0]
    whole = places((1, source.size))
    least, most = (
        computed(
            builder, f"{name}.{end}", end, program, [source], [whole], (), source.dtype
        )
        for end, program in (("least", Least()), ("greatest", Greatest()))
    )  # fmt: skip
    one, each = np.zeros((1, 1), np.int64), np.arange(source.size)[:, None]
    levels = int(to_words(np.asarray([255], source.dtype))[0])
    scale = computed(
        builder, step.outputs[1], "scale", DynamicScale(form, levels), [least, most], [one, one],
        (), source.dtype,
    )  # fmt: skip
    zero = computed(
        builder, step.outputs[2], "zero", DynamicZero(form, 255), [least, scale], [one, one], (), y
    )
    builder.values[step.outputs[0]] = computed(
        builder, name, "quantise", Quantise(form, 0, 255), [source, scale, zero],
        [each, 0 * each, 0 * each], source.shape, y,
    )  # fmt: skip
    builder.values[step.outputs[1]], builder.values[step.outputs[2]] = scale, zero
