"""Layers as steps of a `FloatNetwork`: what the readers of float models share.

Every function adds one node and returns the name of its output. Shapes keep the model's leading
batch axis of 1; images are [1, channels, ...space].
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.frontends.floats.network import (
    Affine,
    FloatNetwork,
    Move,
    Plus,
    Pointwise,
    Reals,
    Sums,
    Window,
)
from revsim.frontends.shapes import channels_first, check_reads, size_of, windows
from revsim.network.sums import Integers

Array = npt.NDArray[Any]


def dense(
    network: FloatNetwork, name: str, x: str, weights: Array, bias: Array | None, output: str
) -> str:
    """x @ weights.T + bias on the last axis; weights [outputs, inputs]."""
    shape = network.shapes[x]
    if not shape or weights.ndim != 2 or weights.shape[1] != shape[-1]:
        raise InputError(f"weights {list(weights.shape)} do not fit an input of {list(shape)}")
    positions = network.size(x) // shape[-1]
    reads = np.arange(network.size(x)).reshape(positions, 1, shape[-1])
    order = np.arange(positions * len(weights))
    step = Sums("dense", _reals(weights), _bias(bias, len(weights)), reads, order)
    return network.add(name, step, (x,), (*shape[:-1], len(weights)), output)


def convolution(
    network: FloatNetwork,
    name: str,
    x: str,
    weights: Array,
    bias: Array | None,
    output: str,
    *,
    strides: Sequence[int],
    begins: Sequence[int],
    ends: Sequence[int],
    dilations: Sequence[int],
    groups: int = 1,
) -> str:
    """A convolution of any number of space axes; weights [outputs, inputs / groups, ...]."""
    shape = network.shapes[x]
    given, channels = _image(shape), len(weights)
    if groups < 1 or channels % groups or weights.shape[1] * groups != given[0]:
        raise InputError(
            f"weights {list(weights.shape)} in {groups} groups do not fit an input of {list(shape)}"
        )
    reads, lengths = window_reads(given, weights.shape[2:], strides, begins, ends, dilations)
    positions = len(reads)
    order = np.arange(positions * channels).reshape(positions, channels).T.ravel()
    step = Sums(
        "conv" if groups == 1 or groups < given[0] else "depthwise_conv",
        _reals(weights.reshape(channels, -1)),
        _bias(bias, channels),
        reads.reshape(positions, groups, -1),
        order,
    )
    return network.add(name, step, (x,), (1, channels, *lengths), output)


def pool(
    network: FloatNetwork,
    name: str,
    x: str,
    output: str,
    kernel: Sequence[int],
    *,
    strides: Sequence[int],
    begins: Sequence[int],
    ends: Sequence[int],
    dilations: Sequence[int] | None = None,
    ceil: bool = False,
    count_padding: bool = True,
    kind: str = "max",
) -> str:
    """A `max` or `mean` pool. A mean over windows of unequal size is refused."""
    given = _image(network.shapes[x])
    dilations = dilations or [1] * len(kernel)
    reads, lengths = window_reads(given, kernel, strides, begins, ends, dilations, ceil)
    if kind == "max":
        reads = without_padding(reads)
    elif bool((reads < 0).any()) and (ceil or not count_padding):
        raise InputError("a mean whose windows hold unequal numbers of values; pad the input first")
    shape = (1, given[0], *lengths)
    return network.add(name, Window(kind, reads), (x,), shape, output)


def without_padding(reads: Integers) -> Integers:
    """Windows of a maximum with a value of their own in place of padding: it changes none."""
    outside = reads < 0
    if bool(outside.all(axis=2).any()):
        raise InputError("a window lies in the padding alone")
    first = np.take_along_axis(reads, outside.argmin(axis=2)[:, :, None], axis=2)
    return np.where(outside, first, reads)


def mean_of_all(network: FloatNetwork, name: str, x: str, output: str, keep: bool = True) -> str:
    """The mean over all space axes, which stay with length 1 or, without `keep`, go."""
    given = _image(network.shapes[x])
    reads = np.arange(network.size(x)).reshape(1, given[0], -1)
    shape = (1, given[0], *([1] * (len(given) - 1) if keep else []))
    return network.add(name, Window("mean", reads), (x,), shape, output)


def affine(
    network: FloatNetwork, name: str, x: str, scale: Array, shift: Array, output: str
) -> str:
    """scale * x + shift, both broadcast to the shape of x as NumPy does."""
    shape = network.shapes[x]
    try:
        pair = [np.broadcast_to(_reals(v), shape).ravel() for v in (scale, shift)]
    except ValueError:
        raise InputError(
            f"constants of shape {list(np.shape(scale))} and {list(np.shape(shift))} do not "
            f"stretch over {list(shape)}"
        ) from None
    axis = _channel_axis(np.shape(scale), np.shape(shift), shape)
    if axis is None:
        channel_of = np.arange(network.size(x))
    else:
        channel_of = np.moveaxis(np.zeros(shape, np.int64), axis, -1)
        channel_of = np.moveaxis(channel_of + np.arange(shape[axis]), -1, axis).ravel()
    first = np.unique(channel_of, return_index=True)[1]
    step = Affine(pair[0][first], pair[1][first], channel_of)
    return network.add(name, step, (x,), shape, output)


def _channel_axis(scale: tuple[int, ...], shift: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """The one axis along which constants vary; the channels where they vary along none."""
    varied = set()
    for constant in (scale, shift):
        for axis, length in enumerate(constant, start=len(shape) - len(constant)):
            if length > 1:
                varied.add(axis)
    if not varied:
        return 1 if len(shape) > 1 else 0
    return varied.pop() if len(varied) == 1 else None


def normalisation(
    mean: Array, variance: Array, gamma: Array, beta: Array, epsilon: float
) -> tuple[Reals, Reals]:
    """Batch normalisation as (scale, shift): gamma / sqrt(variance + epsilon), beta - mean * it."""
    spread = _reals(variance) + epsilon
    if not bool((spread > 0).all()):
        raise InputError("a normalisation whose variance is not above 0")
    scale = _reals(gamma) / np.sqrt(spread)
    return scale, _reals(beta) - _reals(mean) * scale


def reshape(
    network: FloatNetwork, name: str, x: str, shape: Sequence[int], output: str, kind: str
) -> str:
    """The same values under another shape."""
    if int(np.prod(shape, dtype=np.int64)) != network.size(x):
        raise InputError(f"shape {list(network.shapes[x])} cannot become {list(shape)}")
    step = Move(kind, np.arange(network.size(x)))
    return network.add(name, step, (x,), tuple(int(n) for n in shape), output)


def moved(network: FloatNetwork, name: str, x: str, index: Integers, output: str, kind: str) -> str:
    """Values moved: index int64 of the output's shape, places in x laid flat, -1 for 0."""
    return network.add(name, Move(kind, index.ravel()), (x,), index.shape, output)


def plus(network: FloatNetwork, name: str, x: str, y: str, output: str) -> str:
    """The sum of two tensors of one shape."""
    shapes = network.shapes[x], network.shapes[y]
    if shapes[0] != shapes[1]:
        raise InputError(f"tensors of shape {list(shapes[0])} and {list(shapes[1])} are added")
    return network.add(name, Plus(), (x, y), shapes[0], output)


def pointwise(network: FloatNetwork, name: str, x: str, step: Pointwise, output: str) -> str:
    """A function of each value."""
    return network.add(name, step, (x,), network.shapes[x], output)


def clip(name: str, low: float, high: float) -> Pointwise:
    """relu, relu6, hardtanh: values held in low..high."""
    return Pointwise(name, lambda x: np.clip(x, low, high), (float(low), float(high)))


def leaky_relu(slope: float) -> Pointwise:
    """x above 0, slope * x below."""
    return Pointwise("leaky_relu", lambda x: np.where(x > 0, x, slope * x))


def elu(alpha: float) -> Pointwise:
    """x above 0, alpha * (e^x - 1) below."""
    return Pointwise("elu", lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))


def sigmoid(x: Reals) -> Reals:
    """1 / (1 + e^-x)."""
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


def erf(x: Reals) -> Reals:
    """The error function."""
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), dtype=np.float64)


def gelu(x: Reals) -> Reals:
    """x times the normal distribution function."""
    return np.asarray(0.5 * x * (1 + erf(x / math.sqrt(2))))


def _gelu_tanh(x: Reals) -> Reals:
    return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))


def _named(
    name: str, function: Callable[[Reals], Reals], fixed: tuple[float, float] | None = None
) -> Pointwise:
    return Pointwise(name, function, None, fixed)


FUNCTIONS = {
    step.name: step
    for step in (
        clip("relu", 0, math.inf),
        clip("relu6", 0, 6),
        _named("sigmoid", sigmoid, (0.0, 1.0)),
        _named("tanh", np.tanh, (-1.0, 1.0)),
        _named("gelu", gelu),
        _named("gelu_tanh", _gelu_tanh),
        _named("silu", lambda x: x * sigmoid(x)),
        _named("softplus", lambda x: np.logaddexp(0, x)),
        _named("softsign", lambda x: x / (1 + np.abs(x)), (-1.0, 1.0)),
        _named("mish", lambda x: x * np.tanh(np.logaddexp(0, x))),
        _named("hard_sigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1), (0.0, 1.0)),
        _named("hard_swish", lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
        _named("abs", np.abs),
    )
}
"""Functions of one value without parameters, by revsim's names."""


def window_reads(
    image: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    begins: Sequence[int],
    ends: Sequence[int],
    dilations: Sequence[int],
    ceil: bool = False,
) -> tuple[Integers, tuple[int, ...]]:
    """(reads int64 [positions, channels, taps], -1 outside the image; lengths of the output).

    image: channels, then the space axes; the others have one entry per space axis. ceil: a last
    window may hang over the end, as long as it begins inside (PyTorch and ONNX).

    >>> reads, out = window_reads((1, 3), (2,), (1,), (0,), (1,), (1,))
    >>> reads[:, 0].tolist(), out
    ([[0, 1], [1, 2], [2, -1]], (3,))
    """
    channels, space = image[0], image[1:]
    if not all(len(part) == len(space) for part in (kernel, strides, begins, ends, dilations)):
        raise InputError(f"windows of {len(kernel)} axes over an image of {len(space)}")
    if min([*kernel, *strides, *dilations], default=1) < 1 or min([*begins, *ends], default=0) < 0:
        raise InputError("kernels, strides and dilations must be 1 or more, padding 0 or more")
    lengths = []
    for n, k, s, b, e, d in zip(space, kernel, strides, begins, ends, dilations, strict=True):
        free = n + b + e - (k - 1) * d - 1
        if free < 0:
            raise InputError(f"a window of {(k - 1) * d + 1} does not fit into {n} values")
        hanging = ceil and free % s > 0 and (free // s + 1) * s < n + b
        lengths.append(free // s + 1 + hanging)
    check_reads(size_of(lengths) * size_of(kernel) * channels, "windows")
    flat = windows(space, kernel, strides, dilations, begins, lengths)
    reads = channels_first(flat, 1, size_of(space), channels)
    return reads.transpose(0, 2, 1), tuple(lengths)


def _image(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) < 3 or shape[0] != 1:
        raise InputError(f"takes images [1, channels, ...], not a tensor of shape {list(shape)}")
    return shape[1:]


def _reals(values: Any) -> Reals:
    reals = np.asarray(values, dtype=np.float64)
    if not bool(np.isfinite(reals).all()):
        raise InputError("a weight or constant is not finite")
    return reals


def _bias(bias: Array | None, channels: int) -> Reals:
    out = np.zeros(channels) if bias is None else _reals(bias).ravel()
    if len(out) != channels:
        raise InputError(f"a bias of {len(out)} values for {channels} channels")
    return out
