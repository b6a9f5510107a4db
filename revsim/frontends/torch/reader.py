"""`from_torch`: PyTorch modules as graphs of integers.

A module is traced with torch.fx, so that its own forward method says what happens in which order,
and run once, so that every shape is known. A module that torch.ao.quantization has converted is
taken as it is (torch_quantised.py); a float module is quantised by revsim on data (calibrate.py).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from revsim.errors import InputError, missing
from revsim.frontends.floats import layers as layers
from revsim.frontends.floats.network import FloatNetwork, Pointwise
from revsim.frontends.onnx.builder import Array, Refusal
from revsim.frontends.shapes import check_shape, places
from revsim.network.graph import Graph


def from_torch(
    module: Any, data: Any = None, labels: Any = None, *, name: str | None = None, **options: Any
) -> Graph:
    """A torch.nn.Module as a `Graph`; needs the package torch.

    Quantised modules (torch.ao.quantization, eager mode, converted; Brevitas, which exports itself
    as QONNX) keep their own integers; data is then one or more rows that show the input's shape. A
    float module is quantised to int8 on `data`, real rows [rows, ...] (see revsim.calibrate, which
    takes the same options and says how accurate the result is). Raises InputError, naming every
    layer that cannot be read.
    """
    from revsim.frontends.torch.brevitas import is_brevitas, read_brevitas
    from revsim.frontends.torch.quantised import is_quantised, read_quantised

    if data is None:
        raise InputError(
            "from_torch(module, data): data are rows of the module's input; they show its shape "
            "and, for a float module, the ranges to quantise by"
        )
    rows = rows_of(data)
    if hasattr(module, "modules") and is_brevitas(module):
        return read_brevitas(module, rows, name or type(module).__name__)
    traced = trace(module, rows, name)
    if is_quantised(traced):
        return read_quantised(traced)
    from revsim.frontends.floats.calibrate import calibrate

    return calibrate(read_floats(traced), rows, labels, **options).graph


@dataclass(frozen=True, eq=False)
class Traced:
    """A module's operations in order, and what each gave for the first row of the data.

    operations: nodes of torch.fx; results: what each node made, by its name.
    """

    name: str
    module: Any
    operations: tuple[Any, ...]
    results: Mapping[str, Any]
    parts: Mapping[str, Any]

    def is_size(self, operation: Any) -> bool:
        """Whether a node gave a number or a shape, which the run has already used."""
        found = self.results[operation.name]
        return isinstance(found, int | float | tuple) and not any(
            hasattr(v, "dtype") for v in (found if isinstance(found, tuple) else ())
        )

    def shape(self, operation: Any) -> tuple[int, ...]:
        """The shape of what a node made."""
        return tuple(int(n) for n in self.results[operation.name].shape)


def rows_of(data: Any) -> Array:
    """Data given as a tensor or array, as an array of at least one row."""
    rows = np.asarray(data.detach().cpu().numpy() if hasattr(data, "detach") else data)
    if rows.ndim < 2 or len(rows) == 0 or rows.dtype.kind not in "fiub":
        raise InputError(f"data: numbers [rows, ...], not {rows.dtype} of shape {list(rows.shape)}")
    return rows


def trace(module: Any, rows: Array, name: str | None = None) -> Traced:
    """The operations of a module in evaluation mode."""
    try:
        import torch
        from torch import fx
    except ImportError:
        raise missing("a PyTorch module", "torch", "torch") from None
    called = name or type(module).__name__
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"from_torch takes a torch.nn.Module, not {type(module).__name__}")
    training = [part for part in module.modules() if part.training]
    module.eval()
    results: dict[str, Any] = {}

    try:
        traced = fx.symbolic_trace(module)
        with torch.no_grad():
            interpreter = fx.Interpreter(traced)
            run_node = interpreter.run_node

            def recorded(operation: Any) -> Any:
                results[operation.name] = run_node(operation)
                return results[operation.name]

            interpreter.run_node = recorded
            interpreter.run(torch.as_tensor(rows[:1], dtype=torch.float32))
    except Exception as error:  # whatever a user's forward method does
        line = str(error).strip().splitlines()[0][:160] if str(error).strip() else ""
        raise InputError(
            f"{called}: cannot be traced ({type(error).__name__}: {line}); its forward method must "
            f"take one tensor shaped like a row of the data, {list(rows.shape[1:])}, without "
            "branches on values"
        ) from None
    finally:
        for part in training:
            part.training = True
    parts = dict(traced.named_modules())
    return Traced(called, module, tuple(traced.graph.nodes), results, parts)


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


def read_floats(traced: Traced) -> FloatNetwork:
    """The operations of a float module as a `FloatNetwork`."""
    entry = next(o for o in traced.operations if o.op == "placeholder")
    shape = check_shape(traced.shape(entry), f"{traced.name}, input")
    network = FloatNetwork(traced.name, entry.name, {entry.name: shape}, source="torch")
    reading = Reading(traced, network, {entry.name: entry.name})
    refused = []
    behind: set[str] = set()
    last = _last(traced)
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
            refused.append(f"  {operation.name} ({_called(traced, operation)}): {error}")
            behind.add(operation.name)
    if refused:
        count = f"{len(refused)} layer{'s' if len(refused) > 1 else ''}"
        raise InputError("\n".join([f"{traced.name}: {count} cannot be read", *refused]))
    if last is None or last.name not in reading.tensors:
        raise InputError(f"{traced.name}: forward must return one tensor that depends on its input")
    network.output = reading.tensors[last.name]
    return network


def _last(traced: Traced) -> Any:
    (end,) = (o for o in traced.operations if o.op == "output")
    return end.args[0] if hasattr(end.args[0], "op") else None


def _called(traced: Traced, operation: Any) -> str:
    if operation.op == "call_module":
        return type(traced.parts[operation.target]).__name__
    return str(getattr(operation.target, "__name__", operation.target))


def _read(reading: Reading, operation: Any, last: bool) -> str:
    """One operation as a step; the name of the tensor that it makes."""
    import torch

    if not hasattr(reading.traced.results[operation.name], "dtype"):
        raise Refusal("it gives several tensors")
    x = operation.args[0] if operation.args else next(iter(operation.all_input_nodes))
    if operation.op == "call_module":
        part = reading.traced.parts[operation.target]
    else:
        called = _called(reading.traced, operation)
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
LAST = ("Softmax", "LogSoftmax")
"""Layers that are left out at the end, since they change no order."""
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
