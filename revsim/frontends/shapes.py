"""Index arithmetic of model files: which value of a tensor stands where after a move, and which
values a window of a convolution or a pool reads. An index of -1 is padding.

Moves are made on `places(shape)`, the array of flat indices, with NumPy's own operations: what
NumPy does to the indices the wiring does to the values.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from revsim.errors import InputError
from revsim.network.sums import Integers

VALUE_LIMIT = 1 << 20
"""Most values of one tensor, whose wires take 64 MiB then; larger ones are refused before anything
is allocated."""
READ_LIMIT = 1 << 25
"""Most reads of one node (positions times taps), likewise."""


def size_of(shape: Sequence[int]) -> int:
    """Values of a tensor, in Python's own integers, which do not overflow."""
    size = 1
    for n in shape:
        size *= int(n)
    return size


def check_shape(shape: Sequence[int], where: str, least: int = 1) -> tuple[int, ...]:
    """The shape; an InputError for a dimension below `least` or too many values."""
    if len(shape) > 8 or any(int(n) < least for n in shape) or size_of(shape) > VALUE_LIMIT:
        raise InputError(
            f"{where}: shape {_short(shape)}; at most 8 dimensions of at least {least} and "
            f"{VALUE_LIMIT:,} values are read"
        )
    return tuple(int(n) for n in shape)


def check_reads(count: int, where: str) -> None:
    """An InputError where a node would read more values than fit into memory."""
    if count > READ_LIMIT:
        raise InputError(
            f"{where}: would read {count:,} values, more than the limit of {READ_LIMIT:,}"
        )


def _short(shape: Sequence[int]) -> str:
    listed = ", ".join(str(int(n)) for n in shape[:8])
    return f"[{listed}{', ...' if len(shape) > 8 else ''}]"


def places(shape: Sequence[int], start: int = 0) -> Integers:
    """Flat indices of a tensor of this shape, counted from `start`.

    >>> places((2, 3)).T.ravel().tolist()
    [0, 3, 1, 4, 2, 5]
    """
    return np.arange(start, start + size_of(shape), dtype=np.int64).reshape(shape)


def broadcast(shapes: Sequence[Sequence[int]], output: Sequence[int]) -> Integers:
    """int64 [values of the output, inputs]: what each output value reads of inputs laid end to end.

    Raises InputError where a shape cannot be broadcast to `output`.

    >>> broadcast([(2, 2), (2,)], (2, 2)).tolist()
    [[0, 4], [1, 5], [2, 4], [3, 5]]
    """
    columns, start = [], 0
    for shape in shapes:
        try:
            spread = np.broadcast_to(places(shape, start), tuple(output))
        except ValueError:
            raise InputError(f"shape {list(shape)} cannot be broadcast to {list(output)}") from None
        columns.append(spread.reshape(-1))
        start += size_of(shape)
    return np.stack(columns, axis=1)


def same_padding(
    size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[list[int], list[int]]:
    """(padding before, size of the output) of padding SAME: the odd one goes behind.

    >>> same_padding((32,), (3,), (2,), (1,))
    ([0], [16])
    """
    out = [-(-n // s) for n, s in zip(size, strides, strict=True)]
    before = [
        max((o - 1) * s + (k - 1) * d + 1 - n, 0) // 2
        for n, k, s, d, o in zip(size, kernel, strides, dilations, out, strict=True)
    ]
    return before, out


def valid_padding(
    size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[list[int], list[int]]:
    """(padding before, size of the output) of padding VALID: none, and windows that fit."""
    out = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, s, d in zip(size, kernel, strides, dilations, strict=True)
    ]
    return [0] * len(out), out


def windows(
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    before: Sequence[int],
    out: Sequence[int],
) -> Integers:
    """What each window reads: int64 [windows, taps], flat places in a space of `size`, -1 outside.

    Any number of axes, row-major, windows in the order of the output.

    >>> windows((3,), (2,), (1,), (1,), (1,), (3,)).tolist()
    [[-1, 0], [0, 1], [1, 2]]
    """
    axes = []
    for n, k, s, d, b, o in zip(size, kernel, strides, dilations, before, out, strict=True):
        at = np.arange(o)[:, None] * s + np.arange(k)[None, :] * d - b
        axes.append(np.where((at >= 0) & (at < n), at, -1))
    return _joined(axes, size)


def transposed_windows(
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    before: Sequence[int],
    out: Sequence[int],
) -> Integers:
    """What each output of a transposed convolution reads: int64 [outputs, taps], -1 for none.

    Input i reaches output i * stride - before + k * dilation through tap k, so output o reads,
    through tap k, input (o + before - k * dilation) / stride where that is whole and inside.

    >>> transposed_windows((2,), (2,), (2,), (1,), (0,), (4,)).tolist()
    [[0, -1], [-1, 0], [1, -1], [-1, 1]]
    """
    axes = []
    for n, k, s, d, b, o in zip(size, kernel, strides, dilations, before, out, strict=True):
        at = np.arange(o)[:, None] + b - np.arange(k)[None, :] * d
        whole = (at % s == 0) & (at >= 0) & (at < n * s)
        axes.append(np.where(whole, at // s, -1))
    return _joined(axes, size)


def _joined(axes: Sequence[Integers], size: Sequence[int]) -> Integers:
    """Places per axis, each [outputs, taps], to flat places [all outputs, all taps]."""
    flat = np.zeros((1, 1), dtype=np.int64)
    for at, n in zip(axes, size, strict=True):
        outer, inner = flat[:, None, :, None], at[None, :, None, :]
        joined = np.where((outer >= 0) & (inner >= 0), outer * n + inner, -1)
        flat = joined.reshape(flat.shape[0] * at.shape[0], flat.shape[1] * at.shape[1])
    return flat


def channels_last(flat: Integers, batches: int, space: int, channels: int) -> Integers:
    """Windows of a space as reads of [batches, space, channels]: [batches * n, taps, channels]."""
    at = flat[None, :, :, None]
    batch = np.arange(batches)[:, None, None, None]
    reads = np.where(at >= 0, (batch * space + at) * channels + np.arange(channels), -1)
    return reads.reshape(batches * flat.shape[0], flat.shape[1], channels)


def channels_first(flat: Integers, batches: int, space: int, channels: int) -> Integers:
    """Windows of a space as reads of [batches, channels, space]: [batches * n, taps, channels]."""
    at = flat[None, :, :, None]
    batch = np.arange(batches)[:, None, None, None]
    reads = np.where(at >= 0, (batch * channels + np.arange(channels)) * space + at, -1)
    return reads.reshape(batches * flat.shape[0], flat.shape[1], channels)


def split_points(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """(start, stop) of consecutive parts of the given sizes.

    >>> split_points([2, 3])
    [(0, 2), (2, 5)]
    """
    ends = np.cumsum([0, *sizes]).tolist()
    return list(pairwise(ends))
