"""A traced float module as a `FloatNetwork`: its operations, in layers, functions and methods."""

from typing import Any

import numpy as np

from revsim.errors import InputError
from revsim.frontends.floats import layers
from revsim.frontends.floats.network import FloatNetwork
from revsim.frontends.onnx.builder import Refusal
from revsim.frontends.shapes import check_shape, places
from revsim.frontends.torch.layers import LAST, MAKERS, Reading
from revsim.frontends.torch.trace import Traced


def read_floats(traced: Traced) -> FloatNetwork:
    """The operations of a float module as a `FloatNetwork`."""
    entry = next(o for o in traced.operations if o.op == "placeholder")
    shape = check_shape(traced.shape(entry), f"{traced.name}, input")
    network = FloatNetwork(traced.name, entry.name, {entry.name: shape}, source="torch")
    reading = Reading(traced, network, {entry.name: entry.name})
    refused = []
    behind: set[str] = set()
    last = traced.last
    for operation in traced.operations:
        if operation.op in ("placeholder", "get_attr", "output"):
            continue
        given = [argument.name for argument in operation.all_input_nodes]
        if any(name in behind for name in given):
            behind.add(operation.name)
            continue
        if not any(name in reading.tensors for name in given):
            continue
        if traced.is_size(operation):
            continue
        try:
            reading.tensors[operation.name] = _read(reading, operation, operation is last)
        except (Refusal, InputError) as error:
            refused.append(f"  {operation.name} ({traced.called(operation)}): {error}")
            behind.add(operation.name)
    if refused:
        count = f"{len(refused)} layer{'s' if len(refused) > 1 else ''}"
        raise InputError("\n".join([f"{traced.name}: {count} cannot be read", *refused]))
    if last is None or last.name not in reading.tensors:
        raise InputError(f"{traced.name}: forward must return one tensor that depends on its input")
    network.output = reading.tensors[last.name]
    return network


def _read(reading: Reading, operation: Any, last: bool) -> str:
    """One operation as a step; the name of the tensor that it makes."""
    import torch

    if not hasattr(reading.traced.results[operation.name], "dtype"):
        raise Refusal("it gives several tensors")
    x = operation.args[0] if operation.args else next(iter(operation.all_input_nodes))
    if operation.op == "call_module":
        part = reading.traced.parts[operation.target]
    else:
        called = reading.traced.called(operation)
        if called in ARITHMETIC:
            return _arithmetic(reading, operation, ARITHMETIC[called])
        if called in MOVES:
            return _move(reading, operation, called)
        part = _as_module(operation, called)
    name = type(part).__name__
    if not reading.held(x):
        raise Refusal("its first argument does not depend on the input")
    source = reading.tensors[x.name]
    if isinstance(part, torch.nn.Identity | torch.nn.modules.dropout._DropoutNd):
        return source
    if name in LAST and last:
        reading.network.notes.append(
            f"the last {name} is left out: outputs are scores before it, in the same order"
        )
        return source
    if callable(getattr(part, "weight", None)):
        raise Refusal("quantised, but its input is not: use static quantisation, not dynamic")
    if name not in MAKERS:
        raise Refusal("this kind of layer cannot be calibrated; see `revsim supported`")
    return MAKERS[name](reading, part, source, operation.name)


def _as_module(operation: Any, called: str) -> Any:
    """The layer that a function or method stands for, its arguments those of the layer."""
    from torch import nn

    layer = FUNCTIONS.get(called)
    if layer is None:
        raise Refusal("this function cannot be calibrated; see `revsim supported`")
    arguments = {
        k: v
        for k, v in operation.kwargs.items()
        if k not in ("input", "training") and v is not None and not k.startswith("_")
    }
    try:
        return getattr(nn, layer)(*operation.args[1:], **arguments)
    except (TypeError, ValueError):
        raise Refusal(f"its arguments are not those of nn.{layer}; use that layer") from None


FUNCTIONS = {
    "relu": "ReLU", "relu_": "ReLU", "relu6": "ReLU6", "hardtanh": "Hardtanh",
    "leaky_relu": "LeakyReLU", "sigmoid": "Sigmoid", "tanh": "Tanh", "gelu": "GELU",
    "silu": "SiLU", "mish": "Mish", "elu": "ELU", "softplus": "Softplus", "softsign": "Softsign",
    "hardswish": "Hardswish", "hardsigmoid": "Hardsigmoid", "max_pool1d": "MaxPool1d",
    "max_pool2d": "MaxPool2d", "avg_pool1d": "AvgPool1d", "avg_pool2d": "AvgPool2d",
    "adaptive_avg_pool1d": "AdaptiveAvgPool1d", "adaptive_avg_pool2d": "AdaptiveAvgPool2d",
    "softmax": "Softmax", "log_softmax": "LogSoftmax", "dropout": "Dropout",
}  # fmt: skip
"""Functions and methods -> the layer of torch.nn whose arguments they take after the input."""
ARITHMETIC = {
    "add": "add", "iadd": "add", "sub": "sub", "isub": "sub", "mul": "mul", "imul": "mul",
    "truediv": "div", "itruediv": "div", "div": "div", "add_": "add", "mul_": "mul",
}  # fmt: skip
MOVES = (
    "flatten", "view", "reshape", "squeeze", "unsqueeze", "permute", "transpose", "contiguous",
    "mean",
)  # fmt: skip


def _arithmetic(reading: Reading, operation: Any, kind: str) -> str:
    first, second = operation.args[:2]
    if operation.kwargs:
        raise Refusal(f"with {', '.join(operation.kwargs)}")
    network, name = reading.network, operation.name
    if reading.held(first) and reading.held(second):
        if kind != "add":
            raise Refusal(f"{kind} of two values that depend on the input; only additions are read")
        x, y = reading.tensors[first.name], reading.tensors[second.name]
        return layers.plus(network, name, x, y, name)
    swapped = not reading.held(first)
    value = np.asarray(reading.known(first if swapped else second), dtype=np.float64)
    if kind == "div" and (swapped or not value.all()):
        raise Refusal("a division by the input or by 0")
    one, none = np.ones(()), np.zeros(())
    scale, shift = {
        "add": (one, value),
        "sub": (-one, value) if swapped else (one, -value),
        "mul": (value, none),
        "div": (1 / np.where(value == 0, 1, value), none),
    }[kind]
    x = reading.tensors[(second if swapped else first).name]
    return layers.affine(network, name, x, scale, shift, name)


def _move(reading: Reading, operation: Any, called: str) -> str:
    """Flatten, view and their like by the shapes of the run; transposes by their axes."""
    x = operation.args[0]
    if not reading.held(x):
        raise Refusal("its first argument does not depend on the input")
    source, name = reading.tensors[x.name], operation.name
    shape, new = reading.traced.shape(x), reading.traced.shape(operation)
    if called == "contiguous":
        return source
    if called == "mean":
        axes = operation.args[1] if len(operation.args) > 1 else operation.kwargs.get("dim")
        axes = [axes] if isinstance(axes, int) else list(axes or range(len(shape)))
        if sorted(a % len(shape) for a in axes) != list(range(2, len(shape))):
            raise Refusal("only a mean over all space axes is read")
        return layers.mean_of_all(reading.network, name, source, name, len(new) == len(shape))
    if called in ("permute", "transpose"):
        order = list(range(len(shape)))
        axes = operation.args[1:]
        if called == "transpose":
            a, b = (axis % len(shape) for axis in axes)
            order[a], order[b] = b, a
        else:
            given = axes[0] if isinstance(axes[0], tuple | list) else axes
            order = [axis % len(shape) for axis in given]
        index = places(shape).transpose(order)
        return layers.moved(reading.network, name, source, index, name, "transpose")
    return layers.reshape(reading.network, name, source, new, name, "reshape")
