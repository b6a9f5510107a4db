"""Operators that add: dense layers, convolutions, sums of products of two values.

Each output is a polynomial of the inputs, of degree one (dense, convolution) or two (product), and
`terms(j)` spells out the j-th: that is all that a circuit needs to know, whichever operator it is.
All arithmetic is exact in int64; a network refuses sums that might leave 62 bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bounds = tuple[Integers, Integers]


def _none() -> Integers:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Terms:
    """One output: bias + sum weights[i] x[inputs[i]] + sum coefficients[t] x[left[t]] x[right[t]].

    All int64, one-dimensional; `inputs` without repetition, weights without zeros.
    """

    inputs: Integers
    weights: Integers
    bias: int
    left: Integers = field(default_factory=_none)
    right: Integers = field(default_factory=_none)
    coefficients: Integers = field(default_factory=_none)


@dataclass(frozen=True, eq=False)
class Dense:
    """z = x W' + b: weights int64 [outputs, inputs], bias int64 [outputs].

    `bits` forces the width of the accumulator (two's complement); None takes the exact width.
    """

    weights: Integers
    bias: Integers
    bits: int | None = None
    kind = "dense"

    def apply(self, x: Integers) -> Integers:
        """int64 [rows, inputs] to int64 [rows, outputs], exact."""
        return x @ self.weights.T + self.bias

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Exact interval of each sum: every input at whichever end pushes it there."""
        positive: Integers = np.maximum(self.weights, 0)
        negative: Integers = np.minimum(self.weights, 0)
        return (
            positive @ low + negative @ high + self.bias,
            positive @ high + negative @ low + self.bias,
        )

    def magnitude(self, span: Floats) -> Floats:
        """Greatest absolute value of any partial sum, for inputs of absolute value up to `span`."""
        return np.abs(self.weights).astype(np.float64) @ span + np.abs(self.bias)

    def terms(self, j: int) -> Terms:
        """Output j."""
        used = np.flatnonzero(self.weights[j])
        return Terms(used, self.weights[j, used], int(self.bias[j]))

    @property
    def macs(self) -> int:
        """Multiply-accumulates (zero weights included, as is usual)."""
        return int(self.weights.size)

    def check(self, width: int, where: str) -> int:
        """Check shapes against `width` inputs; the number of outputs."""
        if self.weights.ndim != 2 or self.weights.shape[1] != width:
            raise InputError(
                f"{where}: weights have shape {self.weights.shape}; expected [outputs, {width}], "
                "since that many values come in"
            )
        if self.weights.shape[0] == 0:
            raise InputError(f"{where}: a dense layer needs at least one output")
        return _check_bias(self.bias, self.weights.shape[0], where)


def _check_bias(bias: Integers, outputs: int, where: str) -> int:
    if bias.shape != (outputs,):
        raise InputError(
            f"{where}: bias has shape {bias.shape}; expected [{outputs}], one per output"
        )
    return outputs


@dataclass(frozen=True, eq=False)
class Conv2d:
    """A convolution (cross-correlation) of an image, channels last, flat in the order of `shape`.

    weights int64 [out channels, kernel height, kernel width, in channels / groups], bias int64
    [out channels]; `shape` (height, width, channels) of the input; `stride` and `dilation` down
    and across; `padding` (top, left, bottom, right) pixels of the value `pad_value`, which is a
    tensor's zero point where it has one. Out channels are split evenly among `groups` of in
    channels (groups = channels: depthwise). The output is flat [height, width, out channels] with
    height = (h + top + bottom - dilation (kernel - 1) - 1) // stride + 1, as in ONNX and TFLite.

    >>> blur = Conv2d(np.ones((1, 2, 2, 1), np.int64), np.zeros(1, np.int64), (2, 3, 1))
    >>> blur.output_shape, blur.apply(np.arange(6)[None]).tolist()
    ((1, 2, 1), [[8, 12]])
    """

    weights: Integers
    bias: Integers
    shape: tuple[int, int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pad_value: int = 0
    bits: int | None = None
    kind = "conv2d"

    @cached_property
    def output_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the output."""
        top, left, bottom, right = self.padding
        whole = self.shape[0] + top + bottom, self.shape[1] + left + right
        reach = [d * (k - 1) for d, k in zip(self.dilation, self.weights.shape[1:3], strict=True)]
        high, wide = (
            (n - r - 1) // s + 1 for n, r, s in zip(whole, reach, self.stride, strict=True)
        )
        return high, wide, len(self.weights)

    @cached_property
    def taps(self) -> Integers:
        """int64 [positions, kernel height x width]: the pixel under each weight, -1 for padding."""
        high, wide, _ = self.output_shape
        axes = []
        for k, count in enumerate((high, wide)):
            start = np.arange(count) * self.stride[k] - self.padding[k]
            place = start[:, None] + np.arange(self.weights.shape[1 + k]) * self.dilation[k]
            axes.append(np.where((place >= 0) & (place < self.shape[k]), place, -1))
        rows, columns = axes[0][:, None, :, None], axes[1][None, :, None, :]
        pixels = np.where((rows >= 0) & (columns >= 0), rows * self.shape[1] + columns, -1)
        return pixels.reshape(high * wide, -1).astype(np.int64)

    def _sums(self, x: Any, weights: Any, pad: Any) -> Any:
        # x [rows, inputs] against the kernel, tap by tap, so that no window is ever copied out.
        rows, channels, groups = len(x), self.shape[2], self.groups
        outputs, each = len(weights), weights.shape[3]
        image = np.full((rows, self.shape[0] * self.shape[1] + 1, channels), pad, dtype=x.dtype)
        image[:, :-1] = x.reshape(rows, -1, channels)  # the last pixel, index -1, is the padding
        split = image.reshape(rows, -1, groups, each)
        kernel = weights.reshape(groups, outputs // groups, -1, each)
        total = np.zeros((rows, len(self.taps), groups, outputs // groups), dtype=x.dtype)
        for tap in range(self.taps.shape[1]):
            for group in range(groups):
                seen = split[:, self.taps[:, tap], group]
                total[:, :, group] += seen @ kernel[group, :, tap].T
        return total.reshape(rows, -1)

    def _bias(self) -> Integers:
        return np.tile(self.bias, len(self.taps))

    def apply(self, x: Integers) -> Integers:
        """int64 [rows, inputs] to int64 [rows, outputs], exact; a few million values at a time."""
        outputs = len(self.taps) * len(self.weights)
        step = max(1, (1 << 22) // max(outputs, x.shape[1]))
        parts = [
            self._sums(x[k : k + step], self.weights, self.pad_value)
            for k in range(0, max(len(x), 1), step)
        ]
        total: Integers = np.concatenate(parts) + self._bias()
        return total

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Exact interval of each sum: every input at whichever end pushes it there."""
        positive, negative = np.maximum(self.weights, 0), np.minimum(self.weights, 0)
        ends = []
        for up, down in ((low, high), (high, low)):
            sums = self._sums(up[None], positive, self.pad_value)
            ends.append((sums + self._sums(down[None], negative, self.pad_value))[0] + self._bias())
        return ends[0], ends[1]

    def magnitude(self, span: Floats) -> Floats:
        """Greatest absolute value of any partial sum, for inputs of absolute value up to `span`."""
        size = np.abs(self.weights).astype(np.float64)
        sums: Floats = self._sums(span[None].astype(np.float64), size, abs(self.pad_value))[0]
        return sums + np.abs(self._bias())

    def terms(self, j: int) -> Terms:
        """Output j: position j // out channels, channel j % out channels."""
        position, channel = divmod(j, len(self.weights))
        each = self.weights.shape[3]
        first = channel // (len(self.weights) // self.groups) * each
        kernel = self.weights[channel].reshape(-1, each)
        pixels = self.taps[position]
        inside = pixels >= 0
        inputs = pixels[inside, None] * self.shape[2] + first + np.arange(each)
        weights, inputs = kernel[inside].ravel(), inputs.ravel()
        bias = int(self.bias[channel]) + self.pad_value * int(kernel[~inside].sum())
        used = weights != 0
        return Terms(inputs[used], weights[used], bias)

    def as_dense(self) -> Dense:
        """The same sums as a dense layer.

        >>> blur = Conv2d(np.ones((1, 2, 2, 1), np.int64), np.zeros(1, np.int64), (2, 3, 1))
        >>> blur.as_dense().weights.tolist()
        [[1, 1, 0, 1, 1, 0], [0, 1, 1, 0, 1, 1]]
        """
        outputs = len(self.taps) * len(self.weights)
        weights = np.zeros((outputs, int(np.prod(self.shape))), dtype=np.int64)
        bias = np.zeros(outputs, dtype=np.int64)
        for j in range(outputs):
            terms = self.terms(j)
            weights[j, terms.inputs], bias[j] = terms.weights, terms.bias
        return Dense(weights, bias, self.bits)

    @property
    def macs(self) -> int:
        """Multiply-accumulates: every weight at every position, padding included."""
        return int(self.weights.size) * len(self.taps)

    def check(self, width: int, where: str) -> int:
        """Check shapes against `width` inputs; the number of outputs."""
        if len(self.shape) != 3 or min(self.shape) < 1 or int(np.prod(self.shape)) != width:
            raise InputError(
                f"{where}: an image of shape {tuple(self.shape)} [height, width, channels] does "
                f"not hold the {width} values that come in"
            )
        channels, groups = self.shape[2], self.groups
        if self.weights.ndim != 4 or self.weights.size == 0:
            raise InputError(
                f"{where}: weights have shape {self.weights.shape}; expected [out channels, "
                "kernel height, kernel width, in channels / groups]"
            )
        if groups < 1 or channels % groups or len(self.weights) % groups:
            raise InputError(
                f"{where}: {groups} groups do not divide {channels} channels in and "
                f"{len(self.weights)} out"
            )
        if self.weights.shape[3] * groups != channels:
            raise InputError(
                f"{where}: weights read {self.weights.shape[3]} channels in each of {groups} "
                f"groups, the image has {channels}"
            )
        for name, values, least, count in (
            ("stride", self.stride, 1, 2),
            ("dilation", self.dilation, 1, 2),
            ("padding", self.padding, 0, 4),
        ):
            if len(values) != count or min(values) < least:
                raise InputError(f"{where}: {name} must be {count} integers >= {least}: {values}")
        if min(self.output_shape) < 1:
            raise InputError(
                f"{where}: a kernel of {self.weights.shape[1]} x {self.weights.shape[2]} does not "
                f"fit the padded image of shape {tuple(self.shape)}"
            )
        _check_bias(self.bias, len(self.weights), where)
        return int(np.prod(self.output_shape))


@dataclass(frozen=True, eq=False)
class Product:
    """Sums of products of two values: attention, gating, experts weighted by a mask.

    Term t adds coefficients[t] * x[left[t]] * x[right[t]] to output target[t], and coefficients[t]
    * x[left[t]] alone where right[t] is -1; all int64 [terms]. `bias` int64 [outputs] has one
    entry per output. `products` writes one down from lists. `bits` as in `Dense`.

    >>> products([[(2, 0, 1), (-1, 0)]]).apply(np.array([[3, 5]])).tolist()  # 2 x0 x1 - x0
    [[27]]
    """

    left: Integers
    right: Integers
    coefficients: Integers
    target: Integers
    bias: Integers
    bits: int | None = None
    kind = "product"

    def _summed(self, values: Any) -> Any:
        # values [rows, terms] added up by target, in the order of the terms
        total = np.zeros((len(values), len(self.bias)), dtype=values.dtype)
        for output in np.unique(self.target):
            total[:, output] = values[:, self.target == output].sum(axis=1)
        return total

    def apply(self, x: Integers) -> Integers:
        """int64 [rows, inputs] to int64 [rows, outputs], exact."""
        right = np.where(self.right >= 0, x[:, self.right], 1)
        total: Integers = self._summed(self.coefficients * x[:, self.left] * right) + self.bias
        return total

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Each term at its own extremes: exact where no input stands in two terms of an output."""
        alone, square = self.right < 0, self.left == self.right
        first = np.stack([low[self.left], high[self.left]])
        second = np.where(alone, 1, np.stack([low[self.right], high[self.right]]))
        corners = np.concatenate([first * second, first * second[::-1]])
        least, greatest = corners.min(axis=0), corners.max(axis=0)
        straddles = (first[0] < 0) & (first[1] > 0)
        ends = (first**2).min(axis=0)
        least = np.where(square, np.where(straddles, 0, ends), least)
        scaled = np.stack([self.coefficients * least, self.coefficients * greatest])
        sums = self._summed(np.stack([scaled.min(axis=0), scaled.max(axis=0)])) + self.bias
        return sums[0], sums[1]

    def magnitude(self, span: Floats) -> Floats:
        """Greatest absolute value of any partial sum, for inputs of absolute value up to `span`."""
        right = np.where(self.right >= 0, span[self.right], 1.0)
        sums: Floats = self._summed((np.abs(self.coefficients) * span[self.left] * right)[None])[0]
        return sums + np.abs(self.bias)

    def terms(self, j: int) -> Terms:
        """Output j; equal terms are joined, x times itself stays a product."""
        own = np.flatnonzero(self.target == j)
        weights: dict[int, int] = {}
        pairs: dict[tuple[int, int], int] = {}
        for t in own.tolist():
            i, k, c = int(self.left[t]), int(self.right[t]), int(self.coefficients[t])
            if k < 0:
                weights[i] = weights.get(i, 0) + c
            else:
                pair = (min(i, k), max(i, k))
                pairs[pair] = pairs.get(pair, 0) + c
        single = sorted((i, w) for i, w in weights.items() if w)
        double = sorted((*p, c) for p, c in pairs.items() if c)
        columns = np.array(double, dtype=np.int64).reshape(-1, 3).T
        alone = np.array(single, dtype=np.int64).reshape(-1, 2).T
        return Terms(alone[0], alone[1], int(self.bias[j]), columns[0], columns[1], columns[2])

    @property
    def macs(self) -> int:
        """Multiply-accumulates: one a term."""
        return len(self.left)

    def check(self, width: int, where: str) -> int:
        """Check shapes and indices against `width` inputs; the number of outputs."""
        count = len(self.left)
        for name in ("left", "right", "coefficients", "target"):
            if getattr(self, name).shape != (count,):
                raise InputError(
                    f"{where}: {name} has shape {getattr(self, name).shape}; expected [{count}], "
                    "one per term"
                )
        if self.bias.ndim != 1 or len(self.bias) == 0:
            raise InputError(f"{where}: bias needs one entry per output, at least one")
        for name, least, limit in (
            ("left", 0, width),
            ("right", -1, width),
            ("target", 0, len(self.bias)),
        ):
            values = getattr(self, name)
            bad = np.flatnonzero((values < least) | (values >= limit))
            if len(bad):
                raise InputError(
                    f"{where}: {name} of term {bad[0]} is {values[bad[0]]}; expected "
                    f"{least}..{limit - 1}"
                )
        return len(self.bias)


def products(
    outputs: Sequence[Sequence[tuple[int, ...]]], bias: Sequence[int] | None = None
) -> Product:
    """A `Product` from lists: per output its terms, (coefficient, i) or (coefficient, i, k).

    >>> gate = products([[(1, 0, 2)], [(1, 1)]], bias=[0, 5])  # x0 x2 and x1 + 5
    >>> gate.apply(np.array([[4, 3, 1], [4, 3, 0]])).tolist()
    [[4, 8], [0, 8]]
    """
    rows = [(c, i, (*rest, -1)[0], k) for k, terms in enumerate(outputs) for c, i, *rest in terms]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    constants = np.zeros(len(outputs), np.int64) if bias is None else np.array(bias, np.int64)
    return Product(columns[1], columns[2], columns[0], columns[3], constants)


Sum = Dense | Conv2d | Product
