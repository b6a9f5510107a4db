"""Float operators on quantised tensors, value by value: arithmetic, functions, moves, order.

Each takes Reals (onnx_reals.py) and gives Reals; nothing is computed until a quantiser closes the
chain. Moves act on the integers, and so does what only compares.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from revsim.frontends.onnx.builder import (
    Array,
    Builder,
    Constant,
    Held,
    Refusal,
    Step,
    checked_size,
    maker,
)
from revsim.frontends.onnx.evaluator import evaluated
from revsim.frontends.onnx.operators import WORDS
from revsim.frontends.onnx.reals import (
    QUANTISE,
    Outside,
    Pair,
    Parts,
    Real,
    Sums,
    floats_of,
    give,
    grid,
    grid_of,
    moved,
    operand,
    real,
    settled,
    then,
    written,
)
from revsim.frontends.shapes import broadcast, places
from revsim.network.reals import Stage
from revsim.network.sums import Integers

# --- arithmetic ------------------------------------------------------------------------------

BINARY = {
    "Add": ("add", "add"),
    "Sub": ("subtract", "subtract_from"),
    "Mul": ("multiply", "multiply"),
    "Div": ("divide", "divide_into"),
}
"""Operator: (stage where the second input is known, stage where the first is)."""


@maker(*BINARY, floats=True)
def _binary(builder: Builder, step: Step) -> None:
    a, b = builder.value(step, 0), builder.value(step, 1)
    give(builder, step, arithmetic(builder, step, a, b, BINARY[step.operator]))


def arithmetic(builder: Builder, step: Step, a: Any, b: Any, operations: tuple[str, str]) -> Real:
    """Two floats, either of which may be known."""
    forward, backward = operations
    known_a, known_b = floats_of(a), floats_of(b)
    if known_b is not None:
        return scaled(builder, step, a, known_b, forward)
    if known_a is not None:
        return scaled(builder, step, b, known_a, backward)
    return paired(builder, step, a, b, forward)


def scaled(builder: Builder, step: Step, value: Any, known: Array, operation: str) -> Real:
    """A float and a constant."""
    found = real(value, step.inputs[0])
    shape = np.broadcast_shapes(found.shape, known.shape)
    if shape != found.shape:
        index = np.broadcast_to(places(found.shape), shape)
        found = moved(builder, found, index, shape, step.name, "expand")
    given = operand(known, shape, "constant")
    if operation in ("divide", "multiply") and not given.all():
        raise Refusal("it multiplies or divides by 0")
    return then(found, operation, given)


def paired(builder: Builder, step: Step, a: Any, b: Any, operation: str) -> Real:
    """Two floats that vary."""
    if operation == "divide":
        raise Refusal("it divides one tensor by another", "multiply by a table of 1 / x instead")
    first, second = real(a, step.inputs[0]), real(b, step.inputs[1])
    for found, name in ((first, step.inputs[0]), (second, step.inputs[1])):
        if not isinstance(found.base, Held | Sums):
            raise Refusal(f"its input {name!r} is not quantised", QUANTISE)
    first, second = settled(builder, first), settled(builder, second)
    shape = np.broadcast_shapes(first.shape, second.shape)
    reads = broadcast([first.shape, second.shape], shape) - np.array([0, first.size])
    return Real(Pair(operation, first, second, reads), shape)


UNARY = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Erf": "erf", "Exp": "exp", "Log": "log",
    "Sqrt": "sqrt", "Abs": "absolute", "Neg": "negative", "Sign": "sign", "Floor": "floor",
    "Ceil": "ceil", "Round": "round", "HardSwish": "hard_swish", "Softplus": "softplus",
    "Gelu": "gelu",
}  # fmt: skip


@maker(*UNARY, floats=True)
def _unary(builder: Builder, step: Step) -> None:
    value = real(builder.value(step, 0), step.inputs[0])
    if step.attributes.get("approximate", b"none") != b"none":
        raise Refusal("Gelu is read in its exact form only", "export it with approximate='none'")
    give(builder, step, then(value, UNARY[step.operator]))


@maker("LeakyRelu", "Elu", "HardSigmoid", floats=True)
def _sloped(builder: Builder, step: Step) -> None:
    value = real(builder.value(step, 0), step.inputs[0])
    name = {"LeakyRelu": "leaky_relu", "Elu": "elu", "HardSigmoid": "hard_sigmoid"}[step.operator]
    slope = {"LeakyRelu": 0.01, "Elu": 1.0, "HardSigmoid": 0.2}[step.operator]
    operands = [np.array([step.attributes.get("alpha", slope)], np.float32)]
    if name == "hard_sigmoid":
        operands.append(np.array([step.attributes.get("beta", 0.5)], np.float32))
    give(builder, step, then(value, name, *operands))


@maker("PRelu", floats=True)
def _prelu(builder: Builder, step: Step) -> None:
    value = real(builder.value(step, 0), step.inputs[0])
    slope = floats_of(builder.value(step, 1))
    if slope is None:
        raise Refusal("its slope depends on the model's input")
    give(builder, step, then(value, "leaky_relu", operand(slope, value.shape, "slope")))


@maker("Clip", floats=True)
def _clip(builder: Builder, step: Step) -> None:
    value = real(builder.value(step, 0), step.inputs[0])
    ends = []
    for place, key, infinite in ((1, "min", -np.inf), (2, "max", np.inf)):
        end = step.attributes.get(key, infinite)
        if builder.given(step, place):
            found = floats_of(builder.value(step, place))
            if found is None or found.size != 1:
                raise Refusal(f"its {key} is no single constant")
            end = float(found.ravel()[0])
        ends.append(np.array([end], np.float32))
    give(builder, step, then(value, "clip", *ends))


@maker("Pow", floats=True)
def _power(builder: Builder, step: Step) -> None:
    exponent = floats_of(builder.value(step, 1))
    value = real(builder.value(step, 0), step.inputs[0])
    if exponent is None:
        raise Refusal("its exponent depends on the model's input")
    give(builder, step, then(value, "power", operand(exponent, value.shape, "exponent")))


@maker("BatchNormalization", floats=True)
def _normalised(builder: Builder, step: Step) -> None:
    """x * (scale / sqrt(variance + epsilon)) + (bias - mean * that), as onnxruntime has it."""
    value = real(builder.value(step, 0), step.inputs[0])
    found = [floats_of(builder.value(step, k)) for k in range(1, 5)]
    if any(array is None for array in found) or len(value.shape) < 2:
        raise Refusal("its scale, bias, mean and variance must be constants")
    scale, bias, mean, variance = (np.asarray(a, dtype=np.float32).ravel() for a in found)
    channels = value.shape[1]
    if any(len(a) != channels for a in (scale, bias, mean, variance)):
        raise Refusal(f"its parameters do not have {channels} channels")
    epsilon = np.float32(step.attributes.get("epsilon", 1e-5))
    if not all(np.isfinite(a).all() for a in (scale, bias, mean, variance, epsilon)):
        raise Refusal("its parameters hold NaN or infinity")
    if (variance + epsilon <= 0).any():
        raise Refusal("its variance is negative")
    slope = scale / np.sqrt(variance + epsilon)
    start = bias - mean * slope
    axes = (channels, *(1 for _ in value.shape[2:]))
    for operation, array in (("multiply", slope), ("add", start)):
        value = then(value, operation, operand(array.reshape(axes), value.shape, "scale"))
    give(builder, step, value)


@maker("Identity", "Dropout", floats=True)
def _identity(builder: Builder, step: Step) -> None:
    give(builder, step, builder.value(step, 0))


@maker("Shape", floats=True)
def _shape(builder: Builder, step: Step) -> None:
    shape = real(builder.value(step, 0), step.inputs[0]).shape
    ends = slice(step.attributes.get("start", 0), step.attributes.get("end"))
    builder.values[step.outputs[0]] = Constant(np.array(shape, dtype=np.int64)[ends])


@maker("Cast", floats=True)
def _cast(builder: Builder, step: Step) -> None:
    if step.attributes.get("to") not in (1, 10, 11):  # FLOAT, FLOAT16, DOUBLE
        raise Refusal("it casts floats to integers", "quantise with QuantizeLinear instead")
    if step.attributes["to"] != 1:
        raise Refusal("it casts to another float than float32", "export the model in float32")
    give(builder, step, real(builder.value(step, 0), step.inputs[0]))


# --- moves and order -------------------------------------------------------------------------

MOVES = (
    "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Gather", "Expand", "Tile",
    "Split", "DepthToSpace", "SpaceToDepth",
)  # fmt: skip


@maker(*MOVES, floats=True)
def _move(builder: Builder, step: Step) -> None:
    """What ONNX's evaluator does to the flat places of the input, the wiring does to its values."""
    value = real(builder.value(step, 0), step.inputs[0])
    given = {step.inputs[0]: places(value.shape)}
    for place in range(1, len(step.inputs)):
        if builder.given(step, place):
            given[step.inputs[place]] = builder.constant(step, place, f"input {place}")
    for place, index in enumerate(evaluated(step, given)):
        out = moved(builder, value, index, index.shape, step.outputs[place], step.operator.lower())
        give(builder, step, out, place)


@maker("Pad", floats=True)
def _pad(builder: Builder, step: Step) -> None:
    """Padding with the integer that stands for 0, or with the tensor's own values."""
    value = real(builder.value(step, 0), step.inputs[0])
    mode, rank = step.attributes.get("mode", b"constant").decode(), len(value.shape)
    pads = step.attributes.get("pads")
    if pads is None:
        pads = builder.constant(step, 1, "pads").ravel().tolist()
    axes = list(range(rank))
    if builder.given(step, 3):
        axes = [int(a) % rank for a in builder.constant(step, 3, "axes").ravel()]
    if len(pads) != 2 * len(axes) or min(pads) < 0 or mode not in ("constant", "edge", "reflect"):
        raise Refusal(f"pads {list(pads)[:8]} in mode {mode!r} are not read")
    widths = [(0, 0)] * rank
    for k, axis in enumerate(axes):
        widths[axis] = int(pads[k]), int(pads[k + len(axes)])
    checked_size([n + sum(w) for n, w in zip(value.shape, widths, strict=True)])
    filling = {"constant_values": -1} if mode == "constant" else {}
    index = np.pad(places(value.shape), widths, mode=mode, **filling)
    if mode != "constant":
        give(builder, step, moved(builder, value, index, index.shape, step.name, "pad"))
        return
    filler = step.attributes.get("value", 0.0)
    if builder.given(step, 2):
        filler = float(builder.constant(step, 2, "constant").ravel()[0])
    x = grid_of(builder, value, step.inputs[0])
    if filler != 0 or x.zero is None:
        raise Refusal(
            f"it pads with {filler:g}, which is none of the input's numbers", "pad with 0"
        )
    out = builder.wired(
        step.outputs[0], "pad", [x.held], index, index.shape, x.held.dtype, (x.zero,)
    )
    give(builder, step, Real(out, index.shape, (grid(x.step, x.offset, x.scale),)))


@maker("Concat", floats=True)
def _concat(builder: Builder, step: Step) -> None:
    parts = [real(builder.value(step, k), step.inputs[k]) for k in range(len(step.inputs))]
    give(builder, step, concatenated(builder, step, parts))


def concatenated(builder: Builder, step: Step, parts: Sequence[Real]) -> Real:
    """Floats put together along an axis."""
    starts = np.cumsum([0, *(p.size for p in parts)])
    axis = int(step.attributes.get("axis", 0))
    try:
        index = np.concatenate(
            [places(p.shape, int(s)) for p, s in zip(parts, starts, strict=False)], axis
        )
    except ValueError as error:
        raise Refusal(f"its inputs do not fit ({str(error)[:80]})") from None
    parts = [
        p if isinstance(p.base, Pair | Parts | Outside) else settled(builder, p) for p in parts
    ]
    return joined(builder, step, parts, index)


def joined(builder: Builder, step: Step, parts: Sequence[Real], index: Integers) -> Real:
    """Floats put together: at once where all have the same stages, else after their quantiser."""
    held = [p.base for p in parts if isinstance(p.base, Held)]
    if len(held) == len(parts) and all(_alike(p.stages, parts[0].stages) for p in parts[1:]):
        dtype = held[0].dtype
        out = builder.wired(step.outputs[0], "concat", held, index.ravel(), index.shape, dtype)
        return Real(out, index.shape, parts[0].stages)
    return Real(Parts(tuple(parts), index.ravel()), index.shape)


def _alike(a: Sequence[Stage], b: Sequence[Stage]) -> bool:
    return written(a) == written(b) and all(len(o) == 1 for s in a for o in s.operands)


ORDER = ("MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "TopK", "ArgMax", "ArgMin")


@maker(*ORDER, floats=True)
def _order(builder: Builder, step: Step) -> None:
    """An increasing function keeps order, so the integers are compared in place of the floats."""
    value = real(builder.value(step, 0), step.inputs[0])
    if not value.monotone:
        raise Refusal("its input's floats do not rise with their integers", QUANTISE)
    value = settled(builder, value)
    if isinstance(value.base, Held):
        _check_distinct(value, value.base)
    inner = WORDS.get(step.operator)
    if inner is None:
        raise Refusal(f"operator {step.operator} is not read")
    kept = builder.values[step.inputs[0]]
    base = value.base
    if not isinstance(base, Held):
        raise Refusal("its input is a constant")
    builder.values[step.inputs[0]] = replace(base, shape=value.shape)
    try:
        inner(builder, step)
    finally:
        builder.values[step.inputs[0]] = kept
    counts = step.operator in ("ArgMax", "ArgMin")
    for place, name in enumerate(step.outputs):
        found = builder.values.get(name)
        if isinstance(found, Held) and not counts and place == 0:
            builder.rescaled(found, to_float=value.stages)
            builder.values[name] = Real(found, found.shape, value.stages)


def _check_distinct(value: Real, held: Held) -> None:
    """Equal floats of unequal integers would be ordered by their index."""
    from revsim.network.reals import evaluate

    if held.high - held.low >= 1 << 22:
        raise Refusal(f"its input has {held.high - held.low + 1} levels", "quantise it to 8 bits")
    floats = evaluate(value.stages, np.arange(held.low, held.high + 1)[:, None])[:, 0]
    if (np.diff(floats) <= 0).any():
        raise Refusal("different integers of its input stand for the same float", QUANTISE)


@maker("Softmax", "LogSoftmax", floats=True)
def _softmax(builder: Builder, step: Step) -> None:
    raise Refusal(
        "its float exponentials and quotient of a whole row have no integer rule in ONNX",
        "export the model without it: the largest logit is the same class",
    )
