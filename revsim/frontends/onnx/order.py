"""ONNX operators along axes and windows: the greatest, the best, running sums."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from revsim.frontends.onnx.builder import Builder, Constant, Held, Refusal, Step
from revsim.frontends.onnx.moves import axis_of, listed
from revsim.frontends.onnx.operators import on_words, overflow_of
from revsim.frontends.onnx.words import (
    computed,
    held,
    is_float,
    kind_of,
    materialised,
    moved,
)
from revsim.frontends.shapes import places, windows
from revsim.network.cells import Sum
from revsim.network.cells_bits import IndexedGreatest, Running, ZerosMerged
from revsim.network.cells_order import ArgGreatest, Greatest, Least, TopIndices, TopValues
from revsim.network.sums import Integers
from revsim.network.words import Program


def lines(shape: Sequence[int], axes: Sequence[int]) -> tuple[Integers, tuple[int, ...]]:
    """Places along some axes, int64 [positions, values], and the shape of the positions.

    >>> lines((2, 3), (0,))[0].tolist()
    [[0, 3], [1, 4], [2, 5]]
    """
    kept = [k for k in range(len(shape)) if k not in axes]
    flat = places(shape).transpose([*kept, *axes])
    left = tuple(shape[k] for k in kept)
    return flat.reshape(int(np.prod(left, dtype=np.int64)), -1), left


@on_words("ReduceMax", "ReduceMin", "ReduceSum")
def _reduce(builder: Builder, step: Step) -> None:
    source, axes = held(builder, step, 0), listed(builder, step, "axes", 1)
    rank = len(source.shape)
    if not axes:
        axes = [] if step.attributes.get("noop_with_empty_axes", 0) else list(range(rank))
    axes = sorted({axis % rank for axis in axes})
    reads, left = lines(source.shape, axes)
    kept = step.attributes.get("keepdims", 1)
    shape = tuple(1 if k in axes else n for k, n in enumerate(source.shape)) if kept else left
    if step.operator == "ReduceSum":
        if is_float(source.dtype):
            raise Refusal("sums of floats depend on their order")
        program: Program = Sum((), 0, overflow_of(kind_of(source.dtype)))
    else:
        program = Greatest() if step.operator == "ReduceMax" else Least()
    builder.values[step.outputs[0]] = computed(
        builder, step.outputs[0], step.operator.lower(), program, [source], [reads], shape,
        source.dtype,
    )  # fmt: skip


@on_words("ArgMax", "ArgMin")
def _index(builder: Builder, step: Step) -> None:
    source = held(builder, step, 0)
    axis = axis_of(step, len(source.shape))
    reads, left = lines(source.shape, [axis])
    last = bool(step.attributes.get("select_last_index", 0))
    program: Program = ArgGreatest(least=step.operator == "ArgMin", last=last)
    kept = tuple(1 if k == axis else n for k, n in enumerate(source.shape))
    builder.values[step.outputs[0]] = computed(
        builder, step.outputs[0], step.operator.lower(), _merging(source, program), [source],
        [reads], kept if step.attributes.get("keepdims", 1) else left, np.int64, numbers=True,
    )  # fmt: skip


def _merging(source: Held, program: Program) -> Program:
    return ZerosMerged(program) if is_float(source.dtype) else program


@on_words("TopK")
def _top(builder: Builder, step: Step) -> None:
    source = held(builder, step, 0)
    given = step.attributes["k"] if "k" in step.attributes else builder.constant(step, 1, "k")
    count = int(np.ravel(given)[0])
    axis = axis_of(step, len(source.shape), -1)
    least = not step.attributes.get("largest", 1)
    if not 1 <= count <= source.shape[axis]:
        raise Refusal(f"the best {count} of {source.shape[axis]} values are asked for")
    values = _merging(source, TopValues(count, least))
    indices = _merging(source, TopIndices(count, least))
    for name, program, dtype in zip(
        step.outputs, (values, indices), (source.dtype, np.dtype(np.int64)), strict=False
    ):
        if name:
            builder.values[name] = _along(
                builder, name, "topk", program, source, axis, count, dtype, numbers=dtype is not
                source.dtype,
            )  # fmt: skip


def _along(
    builder: Builder,
    name: str,
    kind: str,
    program: Program,
    source: Held,
    axis: int,
    results: int,
    dtype: Any,
    numbers: bool = False,
) -> Any:
    """A program that makes `results` values of all along an axis, put back along it."""
    reads, left = lines(source.shape, [axis])
    made = computed(
        builder, f"{name}.lines", kind, program, [source], [reads], (*left, results), dtype,
        results=results, numbers=numbers,
    )  # fmt: skip
    index = np.moveaxis(places((*left, results)), -1, axis)
    return moved(builder, name, "transpose", [made], index, index.shape)


@on_words("CumSum", "CumProd")
def _running(builder: Builder, step: Step) -> None:
    source = held(builder, step, 0)
    if is_float(source.dtype):
        raise Refusal("running sums of floats are not made")
    kind, rank = kind_of(source.dtype), len(source.shape)
    axis = int(builder.constant(step, 1, "axis").ravel()[0])
    if not -rank <= axis < rank:
        raise Refusal(f"its axis {axis} does not fit {rank} dimensions")
    program = Running(
        step.operator == "CumProd",
        bool(step.attributes.get("exclusive", 0)),
        bool(step.attributes.get("reverse", 0)),
        kind.bits,
        kind.signed,
    )
    wide = step.operator == "CumProd" and kind.bits > 16
    length = source.shape[axis % rank]
    reads, left = lines(source.shape, [axis % rank])
    made = computed(
        builder, f"{step.outputs[0]}.lines", step.operator.lower(), program, [source], [reads],
        (*left, length), source.dtype, results=length, wide=wide,
    )  # fmt: skip
    index = np.moveaxis(places((*left, length)), -1, axis % rank)
    builder.values[step.outputs[0]] = moved(
        builder, step.outputs[0], "transpose", [made], index, index.shape
    )


# --- windows ------------------------------------------------------------------------------------


@on_words("MaxPool")
def _max_pool(builder: Builder, step: Step) -> None:
    source = held(builder, step, 0)
    batches, channels, *space = source.shape
    at, out = pool_windows(step, space)
    lead = np.arange(batches * channels)[:, None, None] * int(np.prod(space))
    reads = np.where(at >= 0, at + lead, -1).reshape(-1, at.shape[1])
    shape = (batches, channels, *out)
    index = len(step.outputs) > 1 and step.outputs[1] != ""
    _windowed(builder, step.outputs[0], source, reads, shape, None)
    if index:
        order = None
        if step.attributes.get("storage_order", 0):
            turned = np.arange(len(space), 0, -1) + 1
            columns = places(source.shape).transpose(0, 1, *turned).reshape(-1)
            order = np.argsort(columns)
        _windowed(builder, step.outputs[1], source, reads, shape, order, indices=True)


def pool_windows(step: Step, space: Sequence[int]) -> tuple[Integers, list[int]]:
    """(what each window reads, -1 outside; size of the output) of ONNX's pools."""
    kernel = [int(n) for n in step.attributes["kernel_shape"]]
    rank = len(kernel)
    if rank != len(space):
        raise Refusal(f"a window of {kernel} over {list(space)}")
    strides = [int(n) for n in step.attributes.get("strides", [1] * rank)]
    dilations = [int(n) for n in step.attributes.get("dilations", [1] * rank)]
    pads = [int(n) for n in step.attributes.get("pads", [0] * 2 * rank)]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    mode = step.attributes.get("auto_pad", b"NOTSET")
    if mode in (b"SAME_UPPER", b"SAME_LOWER"):
        out = [-(-n // s) for n, s in zip(space, strides, strict=True)]
        total = [
            max((o - 1) * s + r - n, 0)
            for o, s, r, n in zip(out, strides, reach, space, strict=True)
        ]
        before = [(t + (mode == b"SAME_LOWER")) // 2 for t in total]
        return windows(space, kernel, strides, dilations, before, out), out
    before, after = pads[:rank], pads[rank:]
    out = []
    for n, r, s, b, a in zip(space, reach, strides, before, after, strict=True):
        room = n + b + a - r
        count = room // s + 1
        if step.attributes.get("ceil_mode", 0):
            count = -(-room // s) + 1
            count -= (count - 1) * s >= n + b  # no window starts behind the input
        out.append(count)
    return windows(space, kernel, strides, dilations, before, out), out


def _windowed(
    builder: Builder,
    name: str,
    source: Held,
    reads: Integers,
    shape: tuple[int, ...],
    order: Integers | None,
    indices: bool = False,
) -> None:
    """Windows grouped by how many values they have; padding is left out of them."""
    sizes = (reads >= 0).sum(axis=1)
    parts, groups = [], []
    for size in np.unique(sizes):
        at = np.flatnonzero(sizes == size)
        inside = reads[at][reads[at] >= 0].reshape(len(at), int(size))
        if size == 0:
            raise Refusal("a window of its pool has no value of the input")
        if not indices:
            made = computed(
                builder, f"{name}.{size}", "maxpool", Greatest(), [source], [inside], (len(at),),
                source.dtype,
            )  # fmt: skip
        else:
            made = _chosen_places(builder, f"{name}.{size}", source, inside, order)
        parts.append(made)
        groups.append(at)
    index = np.argsort(np.concatenate(groups), kind="stable")
    builder.values[name] = moved(builder, name, "maxpool", parts, index, shape)


def _chosen_places(
    builder: Builder, name: str, source: Held, inside: Integers, order: Integers | None
) -> Held:
    """Which value of the whole input each window's greatest is: the window's index looked up."""
    numbers = inside if order is None else order[inside]
    table = np.unique(numbers)
    known = materialised(builder, Constant(table.astype(np.int32)), f"{name}.places")
    where = np.searchsorted(table, numbers)
    # Places are never -1, so that merging the two zeros of floats leaves them alone.
    program = _merging(source, IndexedGreatest())
    return computed(
        builder, name, "argmaxpool", program, [source, known], [inside, where],
        (len(inside),), np.int64, numbers=True,
    )  # fmt: skip
