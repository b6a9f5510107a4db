"""ONNX operators that move values: where each value of the output comes from.

`placements(builder, step)` gives for every output of such a node the places of its values in the
inputs, laid flat one behind the other, whatever the values are. What decides about places (shapes,
axes, indices, pads) must be known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from revsim.errors import InputError
from revsim.frontends.onnx_builder import Array, Builder, Refusal, Step
from revsim.frontends.shapes import places, size_of, split_points
from revsim.network.sums import Integers


@dataclass(frozen=True, eq=False)
class Placement:
    """output.flat[e] = inputs.flat[index[e]]; the inputs are those in `sources`.

    index: int64 of the output's shape; -1 is 0, or what else the operator puts there.
    """

    index: Integers
    sources: tuple[int, ...] = (0,)


Move = Callable[[Builder, Step], list[Placement]]
MOVES: dict[str, Move] = {}


def move(*operators: str) -> Callable[[Move], Move]:
    """Registers how these operators move values."""

    def register(function: Move) -> Move:
        for operator in operators:
            MOVES[operator] = function
        return function

    return register


def placements(builder: Builder, step: Step) -> list[Placement]:
    """One placement an output; raises Refusal where a parameter is not known or does not fit."""
    try:
        return MOVES[step.operator](builder, step)
    except (ValueError, IndexError, TypeError, InputError) as error:
        line = str(error).splitlines()[0][:120]
        raise Refusal(f"its shapes or indices do not fit ({line})") from error


def shape_of(builder: Builder, step: Step, place: int = 0) -> tuple[int, ...]:
    """The shape of an input."""
    return tuple(int(n) for n in builder.value(step, place).shape)


def flat_of(builder: Builder, step: Step, place: int = 0, start: int = 0) -> Integers:
    """Places of an input's values in its own shape."""
    return places(shape_of(builder, step, place), start)


def listed(builder: Builder, step: Step, name: str, place: int) -> list[int] | None:
    """A list of integers: an attribute of old versions, an input of new ones; None if absent."""
    if name in step.attributes:
        given = step.attributes[name]
        return [int(v) for v in np.atleast_1d(given)]
    if not builder.given(step, place):
        return None
    return [int(v) for v in np.atleast_1d(builder.constant(step, place, name))]


def axis_of(step: Step, rank: int, default: int = 0) -> int:
    """The attribute `axis`, counted from 0."""
    axis = int(step.attributes.get("axis", default))
    if not -rank <= axis < rank:
        raise Refusal(f"its axis {axis} does not fit {rank} dimensions")
    return axis % rank


# --- shapes -------------------------------------------------------------------------------------


@move("Identity", "Dropout", "StopGradient")
def _identity(builder: Builder, step: Step) -> list[Placement]:
    return [Placement(flat_of(builder, step))]


@move("Reshape")
def _reshape(builder: Builder, step: Step) -> list[Placement]:
    flat, wanted = flat_of(builder, step), listed(builder, step, "shape", 1) or []
    if not step.attributes.get("allowzero", 0):
        wanted = [flat.shape[k] if n == 0 else n for k, n in enumerate(wanted)]
    return [Placement(flat.reshape(wanted))]


@move("Flatten")
def _flatten(builder: Builder, step: Step) -> list[Placement]:
    flat = flat_of(builder, step)
    axis = int(step.attributes.get("axis", 1))
    axis += flat.ndim if axis < 0 else 0
    return [Placement(flat.reshape(size_of(flat.shape[:axis]), size_of(flat.shape[axis:])))]


@move("Squeeze")
def _squeeze(builder: Builder, step: Step) -> list[Placement]:
    flat, axes = flat_of(builder, step), listed(builder, step, "axes", 1)
    return [Placement(np.squeeze(flat, None if axes is None else tuple(axes)))]


@move("Unsqueeze")
def _unsqueeze(builder: Builder, step: Step) -> list[Placement]:
    flat, axes = flat_of(builder, step), listed(builder, step, "axes", 1) or []
    return [Placement(np.expand_dims(flat, tuple(axes)))]


@move("Transpose")
def _transpose(builder: Builder, step: Step) -> list[Placement]:
    return [Placement(np.transpose(flat_of(builder, step), step.attributes.get("perm")))]


@move("Expand")
def _expand(builder: Builder, step: Step) -> list[Placement]:
    flat, wanted = flat_of(builder, step), listed(builder, step, "shape", 1) or []
    return [Placement(np.broadcast_to(flat, np.broadcast_shapes(flat.shape, tuple(wanted))))]


@move("Tile")
def _tile(builder: Builder, step: Step) -> list[Placement]:
    return [Placement(np.tile(flat_of(builder, step), listed(builder, step, "repeats", 1) or []))]


@move("DepthToSpace")
def _depth_to_space(builder: Builder, step: Step) -> list[Placement]:
    flat, block = flat_of(builder, step), int(step.attributes["blocksize"])
    n, c, h, w = flat.shape
    if step.attributes.get("mode", b"DCR") == b"DCR":
        cut = flat.reshape(n, block, block, c // block**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        cut = flat.reshape(n, c // block**2, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    return [Placement(cut.reshape(n, c // block**2, h * block, w * block))]


@move("SpaceToDepth")
def _space_to_depth(builder: Builder, step: Step) -> list[Placement]:
    flat, block = flat_of(builder, step), int(step.attributes["blocksize"])
    n, c, h, w = flat.shape
    cut = flat.reshape(n, c, h // block, block, w // block, block)
    order = (0, 1, 3, 5, 2, 4) if step.attributes.get("mode", b"DCR") == b"CRD" else (
        0, 3, 5, 1, 2, 4
    )  # fmt: skip
    return [Placement(cut.transpose(order).reshape(n, c * block**2, h // block, w // block))]


# --- parts --------------------------------------------------------------------------------------


@move("Slice")
def _slice(builder: Builder, step: Step) -> list[Placement]:
    flat = flat_of(builder, step)
    starts, ends = listed(builder, step, "starts", 1) or [], listed(builder, step, "ends", 2) or []
    axes = listed(builder, step, "axes", 3) or list(range(len(starts)))
    steps = listed(builder, step, "steps", 4) or [1] * len(starts)
    cut: list[slice] = [slice(None)] * flat.ndim
    for axis, start, end, stride in zip(axes, starts, ends, steps, strict=True):
        # Python's None is what a far negative end of a step backwards means.
        stop = None if stride < 0 and end < -flat.shape[axis] else end
        cut[axis] = slice(start, stop, stride)
    return [Placement(flat[tuple(cut)])]


@move("Split")
def _split(builder: Builder, step: Step) -> list[Placement]:
    flat = flat_of(builder, step)
    axis = axis_of(step, flat.ndim)
    sizes, length, count = listed(builder, step, "split", 1), flat.shape[axis], len(step.outputs)
    if sizes is None:
        even = -(-length // count)
        sizes = [max(0, min(even, length - k * even)) for k in range(count)]
    if sum(sizes) != length or len(sizes) != count:
        raise Refusal(f"parts of {sizes} do not make up a length of {length}")
    return [
        Placement(np.take(flat, range(start, stop), axis)) for start, stop in split_points(sizes)
    ]


@move("Concat")
def _concat(builder: Builder, step: Step) -> list[Placement]:
    parts, start = [], 0
    for place in range(len(step.inputs)):
        parts.append(flat_of(builder, step, place, start))
        start += parts[-1].size
    axis = axis_of(step, parts[0].ndim)
    return [Placement(np.concatenate(parts, axis), tuple(range(len(parts))))]


@move("Gather")
def _gather(builder: Builder, step: Step) -> list[Placement]:
    flat = flat_of(builder, step)
    chosen = builder.constant(step, 1, "indices")
    return [Placement(np.take(flat, chosen, axis_of(step, flat.ndim)))]


@move("GatherElements")
def _gather_elements(builder: Builder, step: Step) -> list[Placement]:
    flat = flat_of(builder, step)
    axis, chosen = axis_of(step, flat.ndim), builder.constant(step, 1, "indices")
    return [Placement(flat[_elements(chosen, axis, flat.shape[axis])])]


def _elements(chosen: Array, axis: int, length: int) -> tuple[Array, ...]:
    """Index arrays of the elements that GatherElements and ScatterElements mean."""
    grid: list[Array] = list(np.indices(chosen.shape))
    grid[axis] = np.where(chosen < 0, chosen + length, chosen)
    return tuple(grid)


@move("GatherND")
def _gather_nd(builder: Builder, step: Step) -> list[Placement]:
    flat, chosen = flat_of(builder, step), builder.constant(step, 1, "indices")
    batch = int(step.attributes.get("batch_dims", 0))
    lead = [np.expand_dims(g, tuple(range(batch, chosen.ndim - 1))) for g in
            np.indices(flat.shape[:batch])]  # fmt: skip
    return [Placement(flat[(*lead, *np.moveaxis(chosen, -1, 0))])]


@move("Compress")
def _compress(builder: Builder, step: Step) -> list[Placement]:
    flat, chosen = flat_of(builder, step), builder.constant(step, 1, "condition")
    axis = axis_of(step, flat.ndim) if "axis" in step.attributes else None
    return [Placement(np.compress(chosen, flat, axis))]


@move("ReverseSequence")
def _reverse_sequence(builder: Builder, step: Step) -> list[Placement]:
    flat, lengths = flat_of(builder, step), builder.constant(step, 1, "sequence_lens")
    batch = int(step.attributes.get("batch_axis", 1))
    time = int(step.attributes.get("time_axis", 0))
    turned = np.moveaxis(flat.copy(), (batch, time), (0, 1))
    for row, length in zip(turned, lengths, strict=True):
        row[:length] = row[:length][::-1].copy()
    return [Placement(np.moveaxis(turned, (0, 1), (batch, time)))]


# --- values put in ------------------------------------------------------------------------------


@move("Pad")
def _pad(builder: Builder, step: Step) -> list[Placement]:
    flat, pads = flat_of(builder, step), listed(builder, step, "pads", 1) or []
    axes = listed(builder, step, "axes", 3) or list(range(flat.ndim))
    before, after = [0] * flat.ndim, [0] * flat.ndim
    for k, axis in enumerate(axes):
        before[axis], after[axis] = pads[k], pads[k + len(axes)]
    cut = tuple(
        slice(max(-b, 0), n - max(-a, 0)) for b, a, n in zip(before, after, flat.shape, strict=True)
    )
    widths = [(max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)]
    mode = step.attributes.get("mode", b"constant").decode()
    if mode == "constant":
        # The value is an input like any other, behind the data; without one it is 0.
        given = builder.given(step, 2)
        fill = flat.size if given else -1
        padded = np.pad(flat[cut], widths, constant_values=fill)
        return [Placement(padded, (0, 2) if given else (0,))]
    return [Placement(np.pad(flat[cut], widths, mode=mode))]


@move("Trilu")
def _trilu(builder: Builder, step: Step) -> list[Placement]:
    flat = flat_of(builder, step)
    k = int(builder.constant(step, 1, "k", 0).ravel()[0])
    rows, columns = np.indices(flat.shape[-2:])
    upper = bool(step.attributes.get("upper", 1))
    return [Placement(np.where(columns - rows >= k if upper else columns - rows <= k, flat, -1))]


@move("CenterCropPad")
def _center_crop_pad(builder: Builder, step: Step) -> list[Placement]:
    flat, wanted = flat_of(builder, step), listed(builder, step, "shape", 1) or []
    axes = [int(a) for a in step.attributes.get("axes", range(flat.ndim))]
    for axis, length in zip(axes, wanted, strict=True):
        have = flat.shape[axis]
        if have > length:
            start = (have - length) // 2
            flat = np.take(flat, range(start, start + length), axis)
        widths = [(0, 0)] * flat.ndim
        missing = max(length - have, 0)
        widths[axis] = missing // 2, missing - missing // 2
        flat = np.pad(flat, widths, constant_values=-1)
    return [Placement(flat)]


def scattered(builder: Builder, step: Step) -> tuple[Integers, list[Integers]]:
    """ScatterElements and ScatterND: the data's places, and per round the places in the updates.

    Each round holds at most one update a place, -1 elsewhere; what comes later is in later rounds.
    """
    flat, chosen = flat_of(builder, step), builder.constant(step, 1, "indices")
    updates = flat_of(builder, step, 2)
    if step.operator == "ScatterElements":
        axis = axis_of(step, flat.ndim)
        at = flat[_elements(chosen, axis, flat.shape[axis])]
    else:
        at = flat[tuple(np.moveaxis(chosen, -1, 0))]
    if at.shape != updates.shape:
        raise Refusal(f"updates of shape {list(updates.shape)} do not fit {list(at.shape)}")
    rounds: list[Integers] = []
    seen = np.zeros(flat.size, dtype=np.int64)
    for place, source in zip(at.ravel(), updates.ravel(), strict=True):
        number = int(seen[place])
        if number == len(rounds):
            rounds.append(np.full(flat.size, -1, dtype=np.int64))
        rounds[number][place] = source
        seen[place] += 1
    return flat, rounds


@move("ScatterElements", "ScatterND", "Scatter")
def _scatter(builder: Builder, step: Step) -> list[Placement]:
    if step.attributes.get("reduction", b"none") != b"none":
        raise Refusal("a reduction computes; it is no move")
    flat, rounds = scattered(builder, step)
    index = flat.reshape(-1).copy()
    for updates in rounds:
        index = np.where(updates >= 0, flat.size + updates, index)
    return [Placement(index.reshape(flat.shape), (0, 2))]


def known_shape(builder: Builder, step: Step) -> Any:
    """Shape and Size: what is known of an input that varies."""
    shape = shape_of(builder, step)
    if step.operator == "Size":
        return np.array(size_of(shape), dtype=np.int64)
    start = int(step.attributes.get("start", 0))
    end = int(step.attributes.get("end", len(shape)))
    return np.array(shape[slice(start, end)], dtype=np.int64)
