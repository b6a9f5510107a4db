"""Layers of torch.nn as steps of a `FloatNetwork`."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from revsim.frontends.floats import layers
from revsim.frontends.floats.network import FloatNetwork, Pointwise
from revsim.frontends.onnx.builder import Array, Refusal
from revsim.frontends.torch.trace import Traced


@dataclass
class Reading:
    """The float network so far; `tensors` names the tensor that each node of torch.fx made."""

    traced: Traced
    network: FloatNetwork
    tensors: dict[str, str] = field(default_factory=dict)

    def held(self, value: Any) -> bool:
        """Whether a value depends on the input."""
        return getattr(value, "name", None) in self.tensors

    def known(self, value: Any) -> Array:
        """A value that does not."""
        found = self.traced.results[value.name] if hasattr(value, "op") else value
        return np.asarray(found.detach().numpy() if hasattr(found, "detach") else found)


Maker = Callable[[Reading, Any, str, str], str]


def _linear(reading: Reading, part: Any, x: str, name: str) -> str:
    bias = None if part.bias is None else part.bias.detach().numpy()
    return layers.dense(reading.network, name, x, part.weight.detach().numpy(), bias, name)


def _conv(reading: Reading, part: Any, x: str, name: str) -> str:
    if part.padding_mode != "zeros":
        raise Refusal(f"padding mode {part.padding_mode!r}; only zeros")
    begins, ends = convolution_padding(part)
    return layers.convolution(
        reading.network,
        name,
        x,
        part.weight.detach().numpy(),
        None if part.bias is None else part.bias.detach().numpy(),
        name,
        strides=part.stride,
        begins=begins,
        ends=ends,
        dilations=part.dilation,
        groups=part.groups,
    )


def convolution_padding(part: Any) -> tuple[list[int], list[int]]:
    """Zeros before and after each axis; `same` puts the odd one behind."""
    rank = len(part.kernel_size)
    if part.padding == "valid":
        return [0] * rank, [0] * rank
    if part.padding == "same":
        total = [(k - 1) * d for k, d in zip(part.kernel_size, part.dilation, strict=True)]
        return [t // 2 for t in total], [t - t // 2 for t in total]
    return list(part.padding), list(part.padding)


def _normalisation(reading: Reading, part: Any, x: str, name: str) -> str:
    if part.running_mean is None:
        raise Refusal("it keeps no running mean, so that it depends on the batch")
    mean, variance = part.running_mean.numpy(), part.running_var.numpy()
    gamma = np.ones_like(mean) if part.weight is None else part.weight.detach().numpy()
    beta = np.zeros_like(mean) if part.bias is None else part.bias.detach().numpy()
    scale, shift = layers.normalisation(mean, variance, gamma, beta, part.eps)
    form = (-1, *[1] * (len(reading.network.shapes[x]) - 2))
    return layers.affine(reading.network, name, x, scale.reshape(form), shift.reshape(form), name)


def pool_geometry(part: Any, rank: int) -> dict[str, Any]:
    """Kernel, strides, padding and dilations of a pool of torch.nn, one entry per axis."""

    def each(value: Any) -> list[int]:
        return list(value) if isinstance(value, tuple | list) else [int(value)] * rank

    padding = each(part.padding)
    return {
        "kernel": each(part.kernel_size),
        "strides": each(part.kernel_size if part.stride is None else part.stride),
        "begins": padding,
        "ends": padding,
        "dilations": each(getattr(part, "dilation", 1)),
        "ceil": bool(part.ceil_mode),
    }


def _pool(reading: Reading, part: Any, x: str, name: str) -> str:
    largest = type(part).__name__.startswith("Max")
    if getattr(part, "return_indices", False) or getattr(part, "divisor_override", None):
        raise Refusal("its indices or another divisor are asked for")
    geometry = pool_geometry(part, len(reading.network.shapes[x]) - 2)
    return layers.pool(
        reading.network,
        name,
        x,
        name,
        geometry.pop("kernel"),
        count_padding=largest or bool(part.count_include_pad),
        kind="max" if largest else "mean",
        **geometry,
    )


def _mean(reading: Reading, part: Any, x: str, name: str) -> str:
    size = part.output_size
    if any(n != 1 for n in (size if isinstance(size, tuple | list) else [size])):
        raise Refusal(f"output size {size}; only 1 is read: use AvgPool with a kernel")
    return layers.mean_of_all(reading.network, name, x, name)


def _flatten(reading: Reading, part: Any, x: str, name: str) -> str:
    shape = reading.network.shapes[x]
    first, last = part.start_dim % len(shape), part.end_dim % len(shape)
    new = (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
    return layers.reshape(reading.network, name, x, new, name, "flatten")


def _function(make: Callable[[Any], Pointwise]) -> Maker:
    def read(reading: Reading, part: Any, x: str, name: str) -> str:
        return layers.pointwise(reading.network, name, x, make(part), name)

    return read


def _softplus(part: Any) -> Pointwise:
    if part.beta != 1:
        raise Refusal(f"beta = {part.beta}; only 1 is read")
    return layers.FUNCTIONS["softplus"]


def _always(name: str) -> Maker:
    return _function(lambda part: layers.FUNCTIONS[name])


MAKERS: dict[str, Maker] = {
    "Linear": _linear,
    **dict.fromkeys(("Conv1d", "Conv2d"), _conv),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d"), _normalisation),
    **dict.fromkeys(("MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d"), _pool),
    **dict.fromkeys(("AdaptiveAvgPool1d", "AdaptiveAvgPool2d"), _mean),
    "Flatten": _flatten,
    "ReLU": _always("relu"),
    "ReLU6": _always("relu6"),
    "Hardtanh": _function(lambda part: layers.clip("hardtanh", part.min_val, part.max_val)),
    "LeakyReLU": _function(lambda part: layers.leaky_relu(part.negative_slope)),
    "ELU": _function(lambda part: layers.elu(part.alpha)),
    "Sigmoid": _always("sigmoid"),
    "Tanh": _always("tanh"),
    "GELU": _function(
        lambda part: layers.FUNCTIONS["gelu_tanh" if part.approximate == "tanh" else "gelu"]
    ),
    "SiLU": _always("silu"),
    "Mish": _always("mish"),
    "Softplus": _function(_softplus),
    "Softsign": _always("softsign"),
    "Hardswish": _always("hard_swish"),
    "Hardsigmoid": _always("hard_sigmoid"),
}
"""Layer of torch.nn -> how it is read."""
LAST = ("Softmax", "LogSoftmax")
"""Layers that are left out at the end, since they change no order."""
