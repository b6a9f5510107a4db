"""Operators of TensorFlow Lite that move values and compute nothing: wirings.

Each is done on the array of places of its input (shapes.py): what NumPy does to the places, the
wiring does to the values.
"""

from collections.abc import Sequence

import numpy as np

from revsim.frontends.shapes import places, size_of, split_points
from revsim.frontends.tflite.draft import Draft
from revsim.frontends.tflite.file import FileOperator
from revsim.network.sums import Integers


def reshape(draft: Draft, operator: FileOperator) -> None:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: the same values in another shape."""
    number = operator.inputs[0]
    _move(draft, operator, places((draft.tensor(number).size,)), [number])


def transpose(draft: Draft, operator: FileOperator) -> None:
    """TRANSPOSE: axes in the order that the second input names."""
    x = draft.tensor(operator.inputs[0])
    order = draft.listed(operator, 1)
    if sorted(order) != list(range(len(x.shape))):
        raise draft.fail(operator, f"order {order} is no permutation of {len(x.shape)} axes")
    _move(draft, operator, places(x.shape).transpose(order), [operator.inputs[0]])


def pad(draft: Draft, operator: FileOperator) -> None:
    """PAD and PADV2: the input's zero point, or the third input, around the values."""
    x = draft.tensor(operator.inputs[0])
    amounts = draft.tensor(operator.inputs[1]).constant
    if amounts.shape != (len(x.shape), 2) or int(amounts.min()) < 0:
        raise draft.fail(operator, f"paddings of shape {amounts.shape} for {len(x.shape)} axes")
    padded = tuple(n + int(a) + int(b) for n, (a, b) in zip(x.shape, amounts.tolist(), strict=True))
    _expect(draft, operator, padded)
    value = x.zero if len(x.scales) else 0
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        value = draft.number(operator, 2)
    moved = np.pad(places(x.shape), amounts.tolist(), constant_values=-1)
    _move(draft, operator, moved, [operator.inputs[0]], constants=(value,))


def concatenation(draft: Draft, operator: FileOperator) -> None:
    """CONCATENATION along an axis; parts of another scale would have to be rescaled."""
    parts = [draft.tensor(number) for number in operator.inputs]
    out = draft.tensor(operator.outputs[0])
    if operator.options["FusedActivationFunction"] != 0:
        raise draft.fail(operator, "a fused activation function is not supported here")
    for part in parts:
        draft.same_scale(operator, part.number, out.number)
    axis = draft.axis(operator, operator.options["Axis"], len(parts[0].shape))
    starts = np.cumsum([0, *(part.size for part in parts)]).tolist()
    try:
        moved = np.concatenate(
            [places(p.shape, start) for p, start in zip(parts, starts, strict=False)], axis
        )
    except ValueError:
        raise draft.fail(operator, "its inputs have shapes that cannot be joined") from None
    _move(draft, operator, moved, operator.inputs)


def pack(draft: Draft, operator: FileOperator) -> None:
    """PACK: inputs of one shape along a new axis."""
    parts = [draft.tensor(number) for number in operator.inputs]
    for part in parts:
        draft.same_scale(operator, part.number, operator.outputs[0])
    axis = draft.axis(operator, operator.options["Axis"], len(parts[0].shape) + 1)
    starts = np.cumsum([0, *(part.size for part in parts)]).tolist()
    try:
        moved = np.stack(
            [places(p.shape, start) for p, start in zip(parts, starts, strict=False)], axis
        )
    except ValueError:
        raise draft.fail(operator, "its inputs have unequal shapes") from None
    _move(draft, operator, moved, operator.inputs)


def unpack(draft: Draft, operator: FileOperator) -> None:
    """UNPACK: one output per place along an axis."""
    x = draft.tensor(operator.inputs[0])
    axis = draft.axis(operator, operator.options["Axis"], len(x.shape))
    if len(operator.outputs) != x.shape[axis]:
        raise draft.fail(operator, f"{len(operator.outputs)} outputs for {x.shape[axis]} places")
    for k in range(len(operator.outputs)):
        _move(draft, operator, places(x.shape).take([k], axis), [operator.inputs[0]], k)


def split(draft: Draft, operator: FileOperator) -> None:
    """SPLIT: equal parts along the axis that the first input names."""
    x = draft.tensor(operator.inputs[1])
    axis = draft.axis(operator, draft.number(operator, 0), len(x.shape))
    count = len(operator.outputs)
    if count == 0 or x.shape[axis] % count:
        raise draft.fail(operator, f"axis {axis} of {x.shape} has no {count} equal parts")
    _split(draft, operator, operator.inputs[1], axis, [x.shape[axis] // count] * count)


def split_v(draft: Draft, operator: FileOperator) -> None:
    """SPLIT_V: parts of the sizes that the second input names, one of which may be -1."""
    x = draft.tensor(operator.inputs[0])
    axis = draft.axis(operator, draft.number(operator, 2), len(x.shape))
    sizes = draft.listed(operator, 1)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(sizes) - 1
    if min(sizes) < 1 or sum(sizes) != x.shape[axis] or len(sizes) != len(operator.outputs):
        raise draft.fail(operator, f"parts {sizes} do not make up axis {axis} of {x.shape}")
    _split(draft, operator, operator.inputs[0], axis, sizes)


def _split(draft: Draft, operator: FileOperator, number: int, axis: int, sizes: list[int]) -> None:
    whole = places(draft.tensor(number).shape)
    for k, (start, stop) in enumerate(split_points(sizes)):
        part = np.take(whole, np.arange(start, stop), axis)
        _move(draft, operator, part, [number], k)


def slice_(draft: Draft, operator: FileOperator) -> None:
    """SLICE: `size` values from `begin` along every axis; a size of -1 takes the rest."""
    x = draft.tensor(operator.inputs[0])
    begin, size = draft.listed(operator, 1), draft.listed(operator, 2)
    if not len(begin) == len(size) == len(x.shape):
        raise draft.fail(operator, f"begin {begin} and size {size} for {len(x.shape)} axes")
    spans = []
    for n, b, s in zip(x.shape, begin, size, strict=True):
        stop = n if s == -1 else b + s
        if not 0 <= b < stop <= n:
            raise draft.fail(operator, f"begin {begin} and size {size} leave shape {x.shape}")
        spans.append(slice(b, stop))
    _move(draft, operator, places(x.shape)[tuple(spans)], [operator.inputs[0]])


def strided_slice(draft: Draft, operator: FileOperator) -> None:
    """STRIDED_SLICE: Python's slices, with masks for open ends, single places and new axes."""
    x = draft.tensor(operator.inputs[0])
    begin, end, strides = (draft.listed(operator, k) for k in (1, 2, 3))
    if not len(begin) == len(end) == len(strides) or len(begin) > 16:
        raise draft.fail(operator, "begin, end and strides have unequal lengths")
    if 0 in strides:
        raise draft.fail(operator, "a stride is 0")
    masks = operator.options

    def has(mask: str, k: int) -> bool:
        return bool(masks[mask] >> k & 1)

    spans: list[slice | int | None] = []
    ellipsis, axis = masks["EllipsisMask"], 0
    if ellipsis.bit_count() > 1:
        raise draft.fail(operator, "more than one ellipsis")
    for k in range(len(begin)):
        if has("EllipsisMask", k):
            later = range(k + 1, len(begin))
            skipped = len(x.shape) - axis - sum(not has("NewAxisMask", j) for j in later)
            spans += [slice(None)] * skipped
            axis += skipped
        elif has("NewAxisMask", k):
            spans.append(None)
        elif axis >= len(x.shape):
            raise draft.fail(operator, f"slices more than the {len(x.shape)} axes of its input")
        elif has("ShrinkAxisMask", k):
            if not -x.shape[axis] <= begin[k] < x.shape[axis]:
                raise draft.fail(operator, f"place {begin[k]} leaves axis {axis} of {x.shape}")
            spans.append(begin[k])
            axis += 1
        else:
            spans.append(
                slice(
                    None if has("BeginMask", k) else begin[k],
                    None if has("EndMask", k) else end[k],
                    strides[k],
                )
            )
            axis += 1
    _move(draft, operator, places(x.shape)[tuple(spans)], [operator.inputs[0]])


def gather(draft: Draft, operator: FileOperator) -> None:
    """GATHER: places along an axis that a constant names."""
    x, indices = draft.tensor(operator.inputs[0]), draft.tensor(operator.inputs[1])
    if operator.options["BatchDims"] != 0:
        raise draft.fail(operator, "batch dimensions are not supported")
    axis = draft.axis(operator, operator.options["Axis"], len(x.shape))
    at = indices.constant
    if bool(((at < 0) | (at >= x.shape[axis])).any()):
        raise draft.fail(operator, f"indices leave axis {axis} of {x.shape}")
    rest = x.size // x.shape[axis]
    if rest * at.size != draft.tensor(operator.outputs[0]).size:
        raise draft.fail(operator, f"makes {rest * at.size} values, not those of its output")
    _move(draft, operator, places(x.shape).take(at, axis), [operator.inputs[0]])


def _move(
    draft: Draft,
    operator: FileOperator,
    moved: Integers,
    inputs: Sequence[int],
    output: int = 0,
    constants: tuple[int, ...] = (),
) -> None:
    """Checks the result against the declared output and adds the wiring."""
    if output >= len(operator.outputs):
        raise draft.fail(operator, "has no output")
    out = draft.tensor(operator.outputs[output])
    if moved.size != out.size:
        raise draft.fail(
            operator, f"makes values of shape {moved.shape} for an output of {out.shape}"
        )
    draft.wire(operator, moved, inputs, output, constants)


def _expect(draft: Draft, operator: FileOperator, shape: tuple[int, ...]) -> None:
    given = draft.tensor(operator.outputs[0]).shape
    if size_of(shape) != size_of(given):
        raise draft.fail(operator, f"makes a shape {shape} for an output of {given}")
