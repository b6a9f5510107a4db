"""Weighted sums between quantised tensors: Conv, MatMul, Gemm and means.

Each takes Reals (onnx_reals.py) and gives a Real whose base is the sums; they become a node when a
quantiser closes the chain. The input needs one scale, weights are integers times a scale.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from revsim.frontends.onnx.builder import (
    Builder,
    Constant,
    Refusal,
    Step,
    checked_size,
    maker,
)
from revsim.frontends.onnx.reals import (
    Grid,
    Real,
    Sums,
    floats_of,
    give,
    grid,
    grid_of,
    moved,
    operand,
    real,
    then,
)
from revsim.frontends.shapes import (
    channels_first,
    check_reads,
    places,
    size_of,
    transposed_windows,
    windows,
)
from revsim.network.cells_onnx import Dot
from revsim.network.graph import Linear
from revsim.network.reals import Floats
from revsim.network.sums import Integers

# --- weights and biases ----------------------------------------------------------------------


def weights_of(value: Any, name: str, axis: int) -> tuple[Integers, Floats]:
    """Known weights as int64 and their scale, float32 [1] or [length of `axis`]."""
    found = real(value, name)
    if not isinstance(found.base, Constant):
        raise Refusal(f"its weights {name!r} depend on the model's input")
    if len(found.stages) != 1 or found.stages[0].operation != "grid":
        array = floats_of(found)
        assert array is not None
        return weights_of(Constant(array), name, axis)
    step, offset, scale = found.stages[0].operands
    whole = found.base.array.ravel().astype(np.int64) * step + offset
    integers = whole.reshape(found.shape)
    if len(scale) == 1:
        return integers, scale
    rows = np.moveaxis(scale.reshape(found.shape), axis, 0).reshape(found.shape[axis], -1)
    if (rows != rows[:, :1]).any():
        raise Refusal(f"its weights {name!r} have a scale for each element", "one per channel")
    return integers, np.ascontiguousarray(rows[:, 0])


def summed(
    builder: Builder,
    step: Step,
    x: Grid,
    weights: Integers,
    scale: Floats,
    reads: Integers,
    layout: Integers,
    shape: Sequence[int],
    channel: Integers,
    bias: tuple[Any, str, Floats] | None = None,
    kind: str = "",
) -> Real:
    """sum of weights * floats of x at reads, as a Real of pending sums.

    weights: int64 [channels, taps]; scale [1] or [channels]; layout: see Sums; channel: which
    channel each value of the model's output is, for scales and bias.
    """
    product = (x.scale * scale).astype(np.float32)
    if not bool((np.isfinite(product) & (product > 0)).all()):
        raise Refusal("the scales of its input and weights give one that is not above 0")
    integers = np.zeros(len(weights), dtype=np.int64)
    added = None
    if bias is not None:
        value, name, factor = bias
        integers, added = _bias(value, name, product * factor, len(weights), factor)
    held, zero, linear_weights = x.held, x.zero, weights * x.step
    if (reads < 0).any() and zero is None:
        raise Refusal("its input is padded with 0, which is none of the input's numbers")
    size = int(np.abs(linear_weights).max(initial=0)) * max(-held.low, held.high)
    if size * max(weights.shape[1], 1) >= 1 << 60:
        raise Refusal("its sums leave 61 bits")
    linear = Linear(
        kind or step.operator.lower(),
        linear_weights,
        weights.sum(axis=1) * x.offset + integers,
        reads,
        0 if zero is None else zero,
    )
    places_of = product if len(product) == 1 else product[channel]
    out = Real(
        Sums(step.outputs[0], linear, held, layout),
        tuple(int(n) for n in shape),
        (grid(1, 0, places_of),),
    )
    return out if added is None else then(out, "add", added if len(added) == 1 else added[channel])


def _bias(
    value: Any, name: str, scale: Floats, channels: int, factor: Floats
) -> tuple[Integers, Floats | None]:
    """A bias as integers of the sums' scale, or as floats to be added after scaling."""
    if isinstance(value, Real) and isinstance(value.base, Constant) and len(value.stages) == 1:
        step, offset, own = value.stages[0].operands
        if value.stages[0].operation == "grid" and np.allclose(own * factor, scale, rtol=1e-5):
            flat = value.base.array.ravel().astype(np.int64) * step + offset
            if flat.size in (1, channels):
                return np.broadcast_to(flat, (channels,)).astype(np.int64), None
    array = floats_of(value)
    if array is None:
        raise Refusal(f"its bias {name!r} depends on the model's input")
    given = np.squeeze(array)
    spread = operand(given.astype(np.float32) * factor, (channels,), "bias")
    return np.zeros(channels, dtype=np.int64), None if not spread.any() else spread


# --- sums ------------------------------------------------------------------------------------


def window_of(step: Step, size: Sequence[int], kernel: Sequence[int]) -> Any:
    """(strides, dilations, padding before, padding behind, size of the output) of a node."""
    axes = len(size)
    strides = list(step.attributes.get("strides", [1] * axes))
    dilations = list(step.attributes.get("dilations", [1] * axes))
    pads = list(step.attributes.get("pads", [0] * 2 * axes))
    mode = step.attributes.get("auto_pad", b"NOTSET").decode()
    if not len(strides) == len(dilations) == len(kernel) == axes or len(pads) != 2 * axes:
        raise Refusal(f"its strides, dilations or pads do not have {axes} axes")
    if min([*strides, *dilations, *kernel]) < 1 or min(pads) < 0:
        raise Refusal("its strides, dilations and kernel must be 1 or more, its pads 0 or more")
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        out = [-(-n // s) for n, s in zip(size, strides, strict=True)]
        lack = [
            max((o - 1) * s + span - n, 0)
            for n, s, span, o in zip(size, strides, spans, out, strict=True)
        ]
        before = [n // 2 if mode == "SAME_UPPER" else n - n // 2 for n in lack]
        behind = [n - b for n, b in zip(lack, before, strict=True)]
        return strides, dilations, before, behind, out
    before, behind = (pads[:axes], pads[axes:]) if mode == "NOTSET" else ([0] * axes, [0] * axes)
    whole = [n + b + a for n, b, a in zip(size, before, behind, strict=True)]
    up = bool(step.attributes.get("ceil_mode", 0))
    out = []
    for n, total, span, s, b in zip(size, whole, spans, strides, before, strict=True):
        count = (total - span) // s + 1
        if up and (total - span) % s and count * s < n + b:
            count += 1
        out.append(count)
    if min(out) < 1:
        raise Refusal(f"its window {list(kernel)} does not fit into {list(size)}")
    return strides, dilations, before, behind, out


def convolved(
    builder: Builder, step: Step, x: Grid, shape: Sequence[int], weights: Integers, scale: Floats,
    bias: Any = None,
) -> Real:  # fmt: skip
    """Conv of [batch, channels, ...] with weights [channels out, channels in / group, ...]."""
    if len(shape) < 3 or weights.ndim != len(shape):
        raise Refusal(f"its input {list(shape)} does not fit weights {list(weights.shape)}")
    batch, channels, *size = shape
    group, kernel = int(step.attributes.get("group", 1)), weights.shape[2:]
    if group < 1 or channels != weights.shape[1] * group or len(weights) % group:
        raise Refusal(
            f"{channels} channels in {group} groups do not fit weights {list(weights.shape)}"
        )
    strides, dilations, before, _, out = window_of(step, size, kernel)
    positions, taps = checked_size([batch, *out]), size_of(kernel)
    check_reads(positions * taps * channels, f"node {step.name!r}")
    flat = windows(size, kernel, strides, dilations, before, out)
    reads = channels_first(flat, batch, int(np.prod(size)), channels)
    reads = reads.transpose(0, 2, 1).reshape(positions, group, -1)
    layout, channel = channels_first_layout(batch, positions // batch, len(weights))
    return summed(
        builder, step, x, weights.reshape(len(weights), -1), scale, reads, layout,
        (batch, len(weights), *out), channel, bias, f"conv{len(size)}d",
    )  # fmt: skip


@maker("ConvTranspose", floats=True)
def _transposed(builder: Builder, step: Step) -> None:
    """Weights [channels in, channels out / group, ...]; as sums at the places of the output."""
    value = real(builder.value(step, 0), step.inputs[0])
    weights, scale = weights_of(builder.value(step, 1), step.inputs[1], 1)
    bias = _bias_input(builder, step, 2)
    shape, axes = value.shape, len(value.shape) - 2
    group = int(step.attributes.get("group", 1))
    padding = step.attributes.get("auto_pad", b"NOTSET")
    if axes < 1 or weights.ndim != len(shape) or shape[1] != len(weights) or padding != b"NOTSET":
        raise Refusal(f"its input {list(shape)} does not fit weights {list(weights.shape)}")
    if group != 1 or "output_shape" in step.attributes:
        raise Refusal("groups and a given output shape are not read in it")
    strides = list(step.attributes.get("strides", [1] * axes))
    dilations = list(step.attributes.get("dilations", [1] * axes))
    pads = list(step.attributes.get("pads", [0] * 2 * axes))
    more = list(step.attributes.get("output_padding", [0] * axes))
    kernel, size = weights.shape[2:], shape[2:]
    if not len(strides) == len(dilations) == len(more) == axes or len(pads) != 2 * axes:
        raise Refusal(f"its strides, dilations or pads do not have {axes} axes")
    if min([*strides, *dilations]) < 1 or min([*pads, *more]) < 0:
        raise Refusal("its strides and dilations must be 1 or more, its pads 0 or more")
    out = [
        (n - 1) * s + (k - 1) * d + 1 - pads[a] - pads[a + axes] + more[a]
        for a, (n, k, s, d) in enumerate(zip(size, kernel, strides, dilations, strict=True))
    ]
    if min(out) < 1:
        raise Refusal(f"its output would have the shape {out}")
    positions = checked_size([shape[0], *out])
    check_reads(positions * size_of(kernel) * shape[1], f"node {step.name!r}")
    flat = transposed_windows(size, kernel, strides, dilations, pads[:axes], out)
    reads = channels_first(flat, shape[0], size_of(size), shape[1]).transpose(0, 2, 1)
    matrix = np.moveaxis(weights, 1, 0).reshape(weights.shape[1], -1)
    layout, channel = channels_first_layout(shape[0], size_of(out), len(matrix))
    made = summed(
        builder, step, grid_of(builder, value, step.inputs[0]), matrix, scale,
        reads.reshape(positions, 1, -1), layout, (shape[0], len(matrix), *out), channel, bias,
        "transpose_conv",
    )  # fmt: skip
    give(builder, step, made)


def channels_first_layout(batch: int, space: int, channels: int) -> tuple[Integers, Integers]:
    """(layout, channel of each value) of [batch, channels, space] from [batch, space, channels]."""
    layout = places((batch, space, channels)).transpose(0, 2, 1).ravel()
    return layout, layout % channels


@maker("Conv", floats=True)
def _conv(builder: Builder, step: Step) -> None:
    value = real(builder.value(step, 0), step.inputs[0])
    weights, scale = weights_of(builder.value(step, 1), step.inputs[1], 0)
    bias = _bias_input(builder, step, 2)
    x = grid_of(builder, value, step.inputs[0])
    give(builder, step, convolved(builder, step, x, value.shape, weights, scale, bias))


def _bias_input(builder: Builder, step: Step, place: int, factor: float = 1.0) -> Any:
    if not builder.given(step, place):
        return None
    return builder.value(step, place), step.inputs[place], np.array([factor], np.float32)


@maker("MatMul", floats=True)
def _matmul(builder: Builder, step: Step) -> None:
    a, b = (real(builder.value(step, k), step.inputs[k]) for k in (0, 1))
    give(builder, step, multiplied(builder, step, a, b))


def multiplied(
    builder: Builder, step: Step, a: Real, b: Real, bias: Any = None, alpha: float = 1.0
) -> Real:
    """MatMul, by NumPy's rules of shapes; one of the factors or both may vary."""
    factor = np.float32(alpha)
    first, second = a.shape, b.shape
    left = (1, *first) if len(first) == 1 else first
    right = (*second, 1) if len(second) == 1 else second
    if not left or not right or left[-1] != right[-2]:
        raise Refusal(f"shapes {list(first)} and {list(second)} do not fit")
    rows, inner, columns = left[-2], left[-1], right[-1]
    try:
        batch = np.broadcast_shapes(left[:-2], right[:-2])
    except ValueError:
        raise Refusal(f"shapes {list(first)} and {list(second)} do not fit") from None
    whole = checked_size(batch)
    check_reads(whole * rows * columns * inner, f"node {step.name!r}")
    # Flat places of [batch, rows, inner] of a and of [batch, inner, columns] of b.
    at_a = np.broadcast_to(places(left), (*batch, rows, inner)).reshape(whole, rows, inner)
    at_b = np.broadcast_to(places(right), (*batch, inner, columns)).reshape(whole, inner, columns)
    shape = [*batch, *([rows] if len(first) > 1 else []), *([columns] if len(second) > 1 else [])]
    if isinstance(b.base, Constant):
        weights, scale = weights_of(b, step.inputs[1], len(second) - 1)
        x = grid_of(builder, a, step.inputs[0])
        flat = weights.ravel()[at_b]
        same = bool((flat == flat[:1]).all())
        if same:
            matrix: Integers = np.asarray(flat[0].T)
            reads: Integers = at_a.reshape(whole * rows, 1, inner)
            layout = np.arange(whole * rows * columns)
        else:
            reads = at_a.transpose(1, 0, 2)
            matrix = flat.transpose(0, 2, 1).reshape(-1, inner)
            layout = places((rows, whole, columns)).transpose(1, 0, 2).ravel()
            scale = scale if len(scale) == 1 else np.tile(scale, whole)
        channel = layout % len(matrix)
        _one_scale_a_row(scale, matrix, step.inputs[1])
        return summed(builder, step, x, matrix, scale * factor, reads, layout, shape, channel, bias)
    if isinstance(a.base, Constant):
        weights, scale = weights_of(a, step.inputs[0], max(len(first) - 2, 0))
        x = grid_of(builder, b, step.inputs[1])
        flat = weights.ravel()[at_a]
        if not bool((flat == flat[:1]).all()):
            raise Refusal("its constant left factor has several matrices")
        _one_scale_a_row(scale, flat[0], step.inputs[0])
        reads = at_b.transpose(0, 2, 1).reshape(whole * columns, 1, inner)
        layout = places((whole, columns, rows)).transpose(0, 2, 1).ravel()
        return summed(
            builder, step, x, flat[0], scale * factor, reads, layout, shape, layout % rows, bias
        )
    if bias is not None:
        raise Refusal("both its factors vary and it has a bias", "add the bias afterwards")
    x, y = grid_of(builder, a, step.inputs[0]), grid_of(builder, b, step.inputs[1])
    if x.step != 1 or y.step != 1:
        raise Refusal("both its factors vary and one is bipolar")
    taps_a = np.repeat(at_a[:, :, None, :], columns, axis=2)
    taps_b = np.repeat(at_b.transpose(0, 2, 1)[:, None], rows, axis=1) + x.held.size
    reads = np.concatenate([taps_a, taps_b], axis=3).reshape(-1, 2 * inner)
    corners = [
        inner * (u + x.offset) * (v + y.offset)
        for u in (x.held.low, x.held.high)
        for v in (y.held.low, y.held.high)
    ]
    ends = min(corners), max(corners)
    held = builder.computed(
        step.outputs[0], "matmul", Dot(x.offset, y.offset), [x.held, y.held], reads, shape,
        np.dtype(np.int32), ends,
    )  # fmt: skip
    return Real(held, tuple(shape), (grid(1, 0, np.float32(x.scale * y.scale) * factor),))


def _one_scale_a_row(scale: Floats, matrix: Integers, name: str) -> None:
    if len(scale) not in (1, len(matrix)):  # a vector with a scale for each of its values
        raise Refusal(f"its weights {name!r} have a scale for each element", "one per channel")


@maker("Gemm", floats=True)
def gemm(builder: Builder, step: Step) -> None:
    """alpha * A * B + beta * C."""
    operands: list[Real] = []
    for place, key in ((0, "transA"), (1, "transB")):
        value = real(builder.value(step, place), step.inputs[place])
        if len(value.shape) != 2:
            raise Refusal(f"its input {step.inputs[place]!r} has shape {list(value.shape)}")
        if step.attributes.get(key, 0):
            index = places(value.shape).T
            value = moved(builder, value, index, index.shape, step.name, "transpose")
        operands.append(value)
    a, b = operands
    bias = _bias_input(builder, step, 2, step.attributes.get("beta", 1.0))
    alpha = float(step.attributes.get("alpha", 1.0))
    give(builder, step, multiplied(builder, step, a, b, bias, alpha))


@maker("AveragePool", "GlobalAveragePool", "ReduceMean", floats=True)
def _average(builder: Builder, step: Step) -> None:
    value = real(builder.value(step, 0), step.inputs[0])
    give(builder, step, averaged(builder, step, value))


def averaged(builder: Builder, step: Step, value: Real) -> Real:
    """Means of windows (or of whole axes), as sums over a number of values."""
    x = grid_of(builder, value, step.inputs[0])
    if step.operator == "ReduceMean":
        taps, shape = _reduced(builder, step, value.shape)
    else:
        taps, shape = pooled(step, value.shape)
    included = bool(step.attributes.get("count_include_pad", 0))
    counts = np.full(len(taps), taps.shape[1]) if included else (taps >= 0).sum(axis=1)
    weights = np.ones((1, taps.shape[1]), dtype=np.int64)
    layout = np.arange(len(taps))
    out = summed(
        builder, step, x, weights, np.ones(1, np.float32), taps[:, None, :], layout, shape,
        np.zeros(len(taps), np.int64), None, "averagepool",
    )  # fmt: skip
    if (counts == counts[0]).all():
        counts = counts[:1]
    (first,) = out.stages
    scale = first.operands[2] / counts.astype(np.float32)
    return replace(out, stages=(grid(1, 0, scale.astype(np.float32)),))


def pooled(step: Step, shape: Sequence[int]) -> tuple[Integers, tuple[int, ...]]:
    """(what each output of a pool reads: int64 [outputs, taps], -1 for padding; its shape)."""
    if len(shape) < 3:
        raise Refusal(f"its input has shape {list(shape)}; expected [batch, channels, ...]")
    batch, channels, *size = shape
    kernel = list(step.attributes.get("kernel_shape", size))
    if "Global" in step.operator:
        kernel = size
    strides, dilations, before, _, out = window_of(step, size, kernel)
    check_reads(checked_size([batch, channels, *out]) * size_of(kernel), step.name)
    flat = windows(size, kernel, strides, dilations, before, out)
    start = (np.arange(batch * channels) * int(np.prod(size)))[:, None, None]
    taps = np.where(flat >= 0, start + flat, -1).reshape(-1, flat.shape[1])
    return taps, (batch, channels, *out)


def _reduced(
    builder: Builder, step: Step, shape: Sequence[int]
) -> tuple[Integers, tuple[int, ...]]:
    axes = step.attributes.get("axes")
    if axes is None and builder.given(step, 1):
        axes = builder.constant(step, 1, "axes").ravel().tolist()
    axes = range(len(shape)) if not axes else [a % len(shape) for a in axes]
    kept = [a for a in range(len(shape)) if a not in set(axes)]
    taps = places(shape).transpose([*kept, *sorted(set(axes))])
    taps = taps.reshape(int(np.prod([shape[a] for a in kept], dtype=np.int64)), -1)
    keep = step.attributes.get("keepdims", 1)
    return taps, tuple(
        1 if a in set(axes) else n for a, n in enumerate(shape) if keep or a not in set(axes)
    )
