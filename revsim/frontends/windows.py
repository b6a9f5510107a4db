"""Where convolutions and pools read: windows over an image of [channels, ...space]."""

from collections.abc import Sequence

import numpy as np

from revsim.errors import InputError
from revsim.network.sums import Integers


def window_reads(
    shape: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    begins: Sequence[int],
    ends: Sequence[int],
    dilations: Sequence[int],
    ceil: bool = False,
) -> tuple[Integers, tuple[int, ...]]:
    """(reads int64 [positions, channels, taps], -1 outside the image; lengths of the output).

    shape: channels, then the lengths of the space axes, of which there may be any number; the
    others have one entry per space axis. ceil: a last window may hang over the end, as long as it
    begins inside (the rule of PyTorch and ONNX).

    >>> reads, out = window_reads((1, 3), (2,), (1,), (0,), (1,), (1,))
    >>> reads[:, 0].tolist(), out
    ([[0, 1], [1, 2], [2, -1]], (3,))
    """
    channels, space = shape[0], tuple(shape[1:])
    rank = len(space)
    if not all(len(part) == rank for part in (kernel, strides, begins, ends, dilations)):
        raise InputError(f"windows of {len(kernel)} axes over an image of {rank}")
    if min([*kernel, *strides, *dilations], default=1) < 1 or min([*begins, *ends], default=0) < 0:
        raise InputError("kernels, strides and dilations must be 1 or more, padding 0 or more")
    lengths, index, inside = [], np.zeros((1,) * (2 * rank), np.int64), np.True_
    for axis in range(rank):
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        free = space[axis] + begins[axis] + ends[axis] - reach
        if free < 0:
            raise InputError(f"a window of {reach} does not fit into an axis of {space[axis]}")
        count = free // strides[axis] + 1
        if ceil and free % strides[axis] and count * strides[axis] < space[axis] + begins[axis]:
            count += 1
        lengths.append(count)
        starts = np.arange(count) * strides[axis] - begins[axis]
        places = starts[:, None] + np.arange(kernel[axis]) * dilations[axis]
        form = [1] * (2 * rank)
        form[axis], form[rank + axis] = count, kernel[axis]
        places = places.reshape(form)
        index = index * space[axis] + places
        inside = inside & (places >= 0) & (places < space[axis])
    size = int(np.prod(space, dtype=np.int64))
    positions = int(np.prod(lengths, dtype=np.int64))
    index = np.where(inside, index, -1).reshape(positions, 1, -1)
    offsets = size * np.arange(channels).reshape(1, channels, 1)
    return np.where(index >= 0, index + offsets, -1), tuple(lengths)
