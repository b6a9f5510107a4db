"""Float ONNX operators as steps on real numbers, by the table `CALIBRATED`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from revsim.frontends.floats import layers as layers
from revsim.frontends.floats.network import FloatNetwork, Pointwise
from revsim.frontends.onnx.builder import Array, Builder, Constant, Refusal, Step
from revsim.frontends.shapes import places


@dataclass
class Reading:
    """The network so far. A value is a `Constant` or the name of a tensor of the network."""

    network: FloatNetwork
    known: Builder
    tensors: dict[str, str] = field(default_factory=dict)

    def tensor(self, step: Step, place: int = 0) -> str:
        """An input that depends on the model's input."""
        name = step.inputs[place] if place < len(step.inputs) else ""
        if name not in self.tensors:
            raise Refusal(f"its input {name!r} is a constant")
        return self.tensors[name]

    def shape(self, step: Step, place: int = 0) -> tuple[int, ...]:
        """The shape of such an input."""
        return self.network.shapes[self.tensor(step, place)]

    def constant(self, step: Step, place: int, what: str) -> Array:
        """An input that must be known."""
        found = self.optional(step, place)
        if found is None:
            raise Refusal(f"its {what} must be a constant")
        return found

    def optional(self, step: Step, place: int) -> Array | None:
        """A known input, or None where it is left out."""
        name = step.inputs[place] if place < len(step.inputs) else ""
        if name in self.tensors:
            raise Refusal(f"its input {name!r} depends on the model's input")
        value = self.known.values.get(name)
        return value.array if isinstance(value, Constant) else None


Maker = Callable[[Reading, Step], str]
CALIBRATED: dict[str, Maker] = {}
"""Operator of ONNX -> how it is read; a maker returns the name of the tensor that it made."""
M = TypeVar("M", bound=Maker)


def maker(*operators: str) -> Callable[[M], M]:
    """Register how operators are read."""

    def register(function: M) -> M:
        CALIBRATED.update(dict.fromkeys(operators, function))
        return function

    return register


def _out(step: Step) -> str:
    return step.outputs[0]


@maker("Gemm")
def _gemm(reading: Reading, step: Step) -> str:
    attributes = step.attributes
    if attributes.get("transA"):
        raise Refusal("transA turns the input")
    weights = reading.constant(step, 1, "weights") * attributes.get("alpha", 1.0)
    bias = reading.optional(step, 2)
    if bias is not None:
        width = weights.shape[0 if attributes.get("transB") else 1]
        bias = np.broadcast_to(bias * attributes.get("beta", 1.0), (1, width)).ravel()
    weights = weights if attributes.get("transB") else weights.T
    return layers.dense(reading.network, step.name, reading.tensor(step), weights, bias, _out(step))


@maker("MatMul")
def _matmul(reading: Reading, step: Step) -> str:
    weights = reading.constant(step, 1, "second factor")
    if weights.ndim != 2:
        raise Refusal(f"weights of shape {list(weights.shape)}")
    return layers.dense(
        reading.network, step.name, reading.tensor(step), weights.T, None, _out(step)
    )


@maker("Conv")
def _conv(reading: Reading, step: Step) -> str:
    weights = reading.constant(step, 1, "weights")
    geometry = _geometry(reading, step, weights.shape[2:])
    return layers.convolution(
        reading.network,
        step.name,
        reading.tensor(step),
        weights,
        reading.optional(step, 2),
        _out(step),
        groups=int(step.attributes.get("group", 1)),
        **geometry,
    )


def _geometry(reading: Reading, step: Step, kernel: Sequence[int]) -> dict[str, Any]:
    """strides, begins, ends and dilations of a window, explicit or by auto_pad."""
    rank = len(kernel)
    attributes = step.attributes
    strides = [int(n) for n in attributes.get("strides", [1] * rank)]
    dilations = [int(n) for n in attributes.get("dilations", [1] * rank)]
    pads = [int(n) for n in attributes.get("pads", [0] * (2 * rank))]
    auto = attributes.get("auto_pad", b"NOTSET")
    auto = auto.decode() if isinstance(auto, bytes) else auto
    if auto.startswith("SAME") and rank and min(strides) > 0:
        space = reading.shape(step)[2:]
        total = [
            max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
            for n, s, k, d in zip(space, strides, kernel, dilations, strict=True)
        ]
        less, more = [t // 2 for t in total], [t - t // 2 for t in total]
        pads = less + more if auto == "SAME_UPPER" else more + less
    return {
        "strides": strides,
        "begins": pads[:rank],
        "ends": pads[rank:],
        "dilations": dilations,
    }


@maker("MaxPool", "AveragePool")
def _pool(reading: Reading, step: Step) -> str:
    attributes = step.attributes
    kernel = [int(n) for n in attributes.get("kernel_shape", [])]
    if len(step.outputs) > 1:
        raise Refusal("its indices are asked for")
    return layers.pool(
        reading.network,
        step.name,
        reading.tensor(step),
        _out(step),
        kernel,
        ceil=bool(attributes.get("ceil_mode", 0)),
        count_padding=step.operator == "MaxPool" or bool(attributes.get("count_include_pad", 0)),
        kind="max" if step.operator == "MaxPool" else "mean",
        **_geometry(reading, step, kernel),
    )


@maker("GlobalAveragePool")
def _global_pool(reading: Reading, step: Step) -> str:
    return layers.mean_of_all(reading.network, step.name, reading.tensor(step), _out(step))


@maker("ReduceMean")
def _reduce_mean(reading: Reading, step: Step) -> str:
    axes = step.attributes.get("axes")
    axes = reading.optional(step, 1) if axes is None else axes
    rank = len(reading.shape(step))
    given = sorted(int(a) % rank for a in (range(rank) if axes is None else axes))
    if given != list(range(2, rank)):
        raise Refusal(f"a mean over axes {given}; only that over all space axes is known")
    keep = bool(step.attributes.get("keepdims", 1))
    return layers.mean_of_all(reading.network, step.name, reading.tensor(step), _out(step), keep)


@maker("GlobalMaxPool")
def _global_max(reading: Reading, step: Step) -> str:
    space = reading.shape(step)[2:]
    rank = len(space)
    ones, none = [1] * rank, [0] * rank
    return layers.pool(
        reading.network,
        step.name,
        reading.tensor(step),
        _out(step),
        space,
        strides=ones,
        begins=none,
        ends=none,
    )


@maker("BatchNormalization")
def _normalisation(reading: Reading, step: Step) -> str:
    what = ("scale", "shift", "mean", "variance")
    gamma, beta, mean, variance = (reading.constant(step, k + 1, what[k]) for k in range(4))
    scale, shift = layers.normalisation(
        mean, variance, gamma, beta, float(step.attributes.get("epsilon", 1e-5))
    )
    form = (-1, *[1] * (len(reading.shape(step)) - 2))
    return layers.affine(
        reading.network,
        step.name,
        reading.tensor(step),
        scale.reshape(form),
        shift.reshape(form),
        _out(step),
    )


@maker("Add", "Sub", "Mul", "Div")
def _arithmetic(reading: Reading, step: Step) -> str:
    held = [name in reading.tensors for name in step.inputs]
    network, kind = reading.network, step.operator
    if all(held):
        if kind != "Add":
            raise Refusal(f"{kind} of two values that depend on the input", "use additions")
        x, y = reading.tensor(step, 0), reading.tensor(step, 1)
        return layers.plus(network, step.name, x, y, _out(step))
    place = held.index(True)
    constant = np.asarray(reading.constant(step, 1 - place, "constant"), dtype=np.float64)
    if kind == "Div" and (place == 1 or not constant.all()):
        raise Refusal("a division by the input or by 0")
    scale, shift = {
        "Add": (np.ones(()), constant),
        "Sub": (np.ones(()), -constant) if place == 0 else (-np.ones(()), constant),
        "Mul": (constant, np.zeros(())),
        "Div": (1 / np.where(constant == 0, 1, constant), np.zeros(())),
    }[kind]
    return layers.affine(network, step.name, reading.tensor(step, place), scale, shift, _out(step))


@maker("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Mish", "HardSwish", "Abs")
def _named(reading: Reading, step: Step) -> str:
    names = {"HardSwish": "hard_swish"}
    return _pointwise(
        reading, step, layers.FUNCTIONS[names.get(step.operator, step.operator.lower())]
    )


def _pointwise(reading: Reading, step: Step, function: Pointwise) -> str:
    return layers.pointwise(reading.network, step.name, reading.tensor(step), function, _out(step))


@maker("Gelu")
def _gelu(reading: Reading, step: Step) -> str:
    near = step.attributes.get("approximate", b"none") == b"tanh"
    return _pointwise(reading, step, layers.FUNCTIONS["gelu_tanh" if near else "gelu"])


@maker("LeakyRelu")
def _leaky(reading: Reading, step: Step) -> str:
    return _pointwise(reading, step, layers.leaky_relu(float(step.attributes.get("alpha", 0.01))))


@maker("Elu")
def _elu(reading: Reading, step: Step) -> str:
    return _pointwise(reading, step, layers.elu(float(step.attributes.get("alpha", 1.0))))


@maker("HardSigmoid")
def _hard_sigmoid(reading: Reading, step: Step) -> str:
    slope = float(step.attributes.get("alpha", 0.2))
    shift = float(step.attributes.get("beta", 0.5))
    function = Pointwise(
        "hard_sigmoid", lambda x: np.clip(slope * x + shift, 0, 1), None, (0.0, 1.0)
    )
    return _pointwise(reading, step, function)


@maker("Clip")
def _clip(reading: Reading, step: Step) -> str:
    low, high = reading.optional(step, 1), reading.optional(step, 2)
    ends = (
        float(step.attributes.get("min", -math.inf) if low is None else low),
        float(step.attributes.get("max", math.inf) if high is None else high),
    )
    if not ends[0] <= ends[1]:
        raise Refusal(f"it clips to {ends[0]}..{ends[1]}")
    return _pointwise(reading, step, layers.clip("clip", *ends))


@maker("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast")
def _same_values(reading: Reading, step: Step) -> str:
    x, shape = reading.tensor(step), reading.shape(step)
    attributes, kind = step.attributes, step.operator
    rank = len(shape)
    new: Sequence[int] = shape
    if kind == "Flatten":
        axis = int(attributes.get("axis", 1))
        axis = axis + rank if axis < 0 else axis
        new = math.prod(shape[:axis]), math.prod(shape[axis:])
    elif kind == "Reshape":
        given = attributes.get("shape")
        given = reading.constant(step, 1, "shape") if given is None else given
        new = _reshaped(shape, [int(n) for n in given])
    elif kind in ("Squeeze", "Unsqueeze"):
        axes = attributes.get("axes")
        axes = reading.optional(step, 1) if axes is None else axes
        new = _squeezed(shape, None if axes is None else [int(a) for a in axes], kind)
    elif kind == "Cast":
        if int(attributes.get("to", 0)) not in (1, 10, 11):
            raise Refusal("a conversion to integers")
    elif len(step.outputs) > 1 and step.outputs[1]:
        raise Refusal("its mask is asked for")
    if kind in ("Identity", "Dropout", "Cast"):
        return x
    return layers.reshape(reading.network, step.name, x, new, _out(step), kind.lower())


def _reshaped(shape: tuple[int, ...], given: list[int]) -> list[int]:
    new = [shape[k] if n == 0 and k < len(shape) else n for k, n in enumerate(given)]
    if -1 in new:
        rest = math.prod(n for n in new if n != -1)
        new[new.index(-1)] = math.prod(shape) // rest if rest else 0
    return new


def _squeezed(shape: tuple[int, ...], axes: list[int] | None, kind: str) -> list[int]:
    if kind == "Squeeze":
        gone = {a % len(shape) for a in axes} if axes is not None else set()
        return [n for k, n in enumerate(shape) if not (k in gone if gone else n == 1)]
    new = list(shape)
    total = len(shape) + len(axes or [])
    for axis in sorted(a % total for a in axes or []):
        new.insert(axis, 1)
    return new


@maker("Transpose")
def _transpose(reading: Reading, step: Step) -> str:
    shape = reading.shape(step)
    order = [int(a) for a in step.attributes.get("perm", range(len(shape))[::-1])]
    if sorted(order) != list(range(len(shape))):
        raise Refusal(f"order {order} of {len(shape)} axes")
    index = places(shape).transpose(order)
    return layers.moved(
        reading.network, step.name, reading.tensor(step), index, _out(step), "transpose"
    )


@maker("Pad")
def _pad(reading: Reading, step: Step) -> str:
    shape = reading.shape(step)
    given = step.attributes.get("pads")
    given = reading.constant(step, 1, "pads") if given is None else given
    value = reading.optional(step, 2)
    mode = step.attributes.get("mode", b"constant")
    if mode != b"constant" or (value is not None and float(value) != 0) or len(step.inputs) > 3:
        raise Refusal("padding other than with 0 on all axes")
    pads = [int(n) for n in given]
    rank = len(shape)
    if len(pads) != 2 * rank or min(pads) < 0 or sum(pads) > 1 << 16:
        raise Refusal(f"pads {pads} of a tensor of {rank} axes")
    index = np.pad(
        places(shape), list(zip(pads[:rank], pads[rank:], strict=True)), constant_values=-1
    )
    return layers.moved(reading.network, step.name, reading.tensor(step), index, _out(step), "pad")
