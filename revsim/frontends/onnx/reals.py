"""Floats between a model's quantised tensors, as integers with float32 stages that act on them.

A `Real` is what DequantizeLinear makes, and every float value after it: integers of a base and the
model's own operations on each of them, not yet carried out. At the next quantiser the chain becomes
integer operators (onnx_folding.py); floats are never computed in the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from revsim.frontends.onnx.builder import Array, Builder, Constant, Held, Refusal, Step
from revsim.network.graph import Linear
from revsim.network.reals import Floats, Stage, evaluate
from revsim.network.sums import Integers

QUANTISE = (
    "put QuantizeLinear and DequantizeLinear around it (onnxruntime.quantization.quantize_static)"
)


@dataclass(frozen=True, eq=False)
class Sums:
    """Weighted sums that are in no node yet, so that what follows becomes their activations.

    Value e of the model, flat, is value layout[e] of the sums' [positions, channels].
    """

    name: str
    linear: Linear
    source: Held
    layout: Integers


@dataclass(frozen=True, eq=False)
class Outside:
    """A float input of the model before any quantiser."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Pair:
    """`operation` of two variable floats, each with its own stages."""

    operation: str
    first: "Real"
    second: "Real"
    places: Integers
    """int64 [values, 2]: which value of each a result is made of."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Floats of different scales put together: value e is value index[e] of the parts laid flat."""

    parts: tuple["Real", ...]
    index: Integers


@dataclass(frozen=True, eq=False)
class Real:
    """float32 of `shape`: the stages on each integer of the base, in the same flat order."""

    base: Held | Constant | Sums | Outside | Pair | Parts
    shape: tuple[int, ...]
    stages: tuple[Stage, ...] = ()

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def monotone(self) -> bool:
        """Whether all values are the same increasing function of their integers."""
        return all(len(o) == 1 for s in self.stages for o in s.operands) and all(
            _increases(s) for s in self.stages
        )


@dataclass(frozen=True, eq=False)
class Quantiser:
    """The last stage of a chain: floats to integers in low..high of a type of the model."""

    stage: Stage
    dtype: Any
    low: int
    high: int
    fields: dict[str, Any]
    """Further fields of the tensor: scale and zero."""
    neurons: bool = False
    """Whether the quantiser itself is an activation function (a sign, thresholds)."""


ALWAYS = (
    "add", "subtract", "relu", "clip", "sigmoid", "tanh", "erf", "exp", "log", "sqrt", "sign",
    "floor", "ceil", "round", "softplus", "float", "quant", "reached", "quantise", "elu",
)  # fmt: skip


def direction(stage: Stage) -> Array | None:
    """+1 where a stage never decreases, -1 where it never increases, per operand; or None."""
    name, operands = stage.operation, stage.operands
    one = np.ones(1, dtype=np.int64)
    if name in ALWAYS:
        return one
    if name == "grid":
        return np.where(operands[0] * np.sign(operands[2]) < 0, -1, 1)
    if name in ("multiply", "divide"):
        return np.where(operands[0] < 0, -1, 1)
    if name in ("subtract_from", "negative"):
        return -one
    if name in ("leaky_relu", "hard_sigmoid") and bool((operands[0] >= 0).all()):
        return one
    return None


def _increases(stage: Stage) -> bool:
    found = direction(stage)
    return found is not None and bool((found > 0).all())


def outside(name: str, shape: tuple[int, ...]) -> Real:
    """A float input of the model."""
    return Real(Outside(name, shape), shape)


def floats_of(value: Any) -> Array | None:
    """The numbers of a constant, whether as they are or with stages; None for what varies."""
    if isinstance(value, Constant):
        return value.array
    if isinstance(value, Real) and isinstance(value.base, Constant):
        return np.asarray(evaluate(value.stages, known(value.base))).reshape(value.shape)
    return None


def known(constant: Constant) -> Array:
    """A constant as a row of values: integers as int64, floats as float32."""
    array = constant.array.reshape(1, -1)
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int64)


def real(value: Any, name: str) -> Real:
    """A value as a Real: constants of floats and of integers, held integers as they are."""
    if isinstance(value, Real):
        return value
    if isinstance(value, Constant):
        array = np.asarray(value.array)
        whole = _whole(array)
        if whole is None:
            raise Refusal(f"its input {name!r} holds floats that are not quantised", QUANTISE)
        return Real(Constant(whole), array.shape, (grid(),))
    if isinstance(value, Held):
        return Real(value, value.shape, (grid(),))
    raise Refusal(f"its input {name!r} cannot be used here")


def _whole(array: Array) -> Integers | None:
    """An array of whole numbers as int64, or None."""
    wide = array.astype(np.float64)
    if not np.isfinite(wide).all() or (np.abs(wide) >= 2.0**31).any() or (wide % 1).any():
        return None
    return wide.astype(np.int64)


def grid(step: Any = 1, offset: Any = 0, scale: Any = 1.0) -> Stage:
    """(integer * step + offset) * scale."""
    whole = (np.atleast_1d(np.asarray(v, dtype=np.int64)).ravel() for v in (step, offset))
    return Stage("grid", (*whole, np.atleast_1d(np.asarray(scale, dtype=np.float32)).ravel()))


def operand(array: Any, shape: Sequence[int], what: str) -> Floats:
    """A constant operand as [1] or, broadcast to the shape, [values] float32; finite."""
    given = np.asarray(array, dtype=np.float32)
    if np.isnan(given).any() or np.isinf(given).any():
        raise Refusal(f"its {what} holds NaN or infinity")
    if given.size == 1:
        return given.reshape(1)
    try:
        spread = np.broadcast_to(given, shape)
    except ValueError:
        raise Refusal(
            f"its {what} of shape {list(given.shape)} does not fit {list(shape)}"
        ) from None
    return np.ascontiguousarray(spread).ravel()


def written(stages: Sequence[Stage]) -> list[tuple[str, list[bytes]]]:
    """Stages as something that can be compared."""
    return [(s.operation, [o.tobytes() for o in s.operands]) for s in stages]


def then(value: Real, operation: str, *operands: Floats) -> Real:
    """The value with one more stage."""
    return replace(value, stages=(*value.stages, Stage(operation, operands)))


def give(builder: Builder, step: Step, value: Any, place: int = 0) -> None:
    """Sets an output; sums that several nodes read become a tensor of the graph at once."""
    name = step.outputs[place]
    if isinstance(value, Real) and isinstance(value.base, Sums) and builder.uses.get(name, 0) > 1:
        value = settled(builder, value)
    builder.values[name] = value


def settled(builder: Builder, value: Real, last: str = "") -> Real:
    """The same floats with a base that is a tensor of the graph (or a constant).

    `last` names an output of the model: the sums get its name and all its stages.
    """
    if isinstance(value.base, Held | Constant):
        return value
    if not isinstance(value.base, Sums):
        raise Refusal("its float input is not quantised", QUANTISE)
    sums = value.base
    low, high = sums.linear.bounds(sums.source.low, sums.source.high)
    ends = int(low.min()), int(high.max())
    # Unless it is an output, further stages are values of their own in the model.
    stages = value.stages if last else value.stages[:1]
    held = placed(
        builder, sums, value.shape, np.dtype(np.int32), ends, (), False, last or sums.name,
        to_float=stages,
    )  # fmt: skip
    return replace(value, base=held)


def placed(
    builder: Builder,
    sums: Sums,
    shape: Sequence[int],
    dtype: Any,
    ends: tuple[int, int],
    activations: Sequence[Any],
    neurons: bool,
    name: str,
    **more: Any,
) -> Held:
    """Sums and activations as a node, and the wiring from [positions, channels] to the model's."""
    linear, layout = sums.linear, sums.layout
    if np.array_equal(layout, np.arange(len(layout))):
        held = builder.summed(
            name, linear, sums.source, shape, dtype, ends, activations, neurons
        )  # fmt: skip
        return builder.rescaled(held, **more) if more else held
    flat = (linear.positions, linear.channels)
    last = builder.summed(
        f"{name}.channels_last", linear, sums.source, flat, dtype, ends, activations, neurons
    )
    held = builder.wired(name, "channels_first", [last], layout, shape, dtype)
    return builder.rescaled(held, **more) if more else held


def moved(
    builder: Builder, value: Real, index: Integers, shape: Sequence[int], name: str, kind: str
) -> Real:
    """value[index] of a flat Real, in a new shape; no integer changes."""
    shape, index = tuple(int(n) for n in shape), index.ravel()
    same = len(index) == value.size and np.array_equal(index, np.arange(value.size))
    if same:
        return replace(value, shape=shape)
    stages = tuple(
        Stage(s.operation, tuple(o if len(o) == 1 else o[index] for o in s.operands))
        for s in value.stages
    )
    base = value.base
    permuted = len(index) == value.size and len(np.unique(index)) == len(index)
    if isinstance(base, Constant):
        return Real(Constant(base.array.ravel()[index].reshape(shape)), shape, stages)
    if isinstance(base, Sums) and permuted:
        return Real(replace(base, layout=base.layout[index]), shape, stages)
    if isinstance(base, Parts):
        return Real(replace(base, index=base.index[index]), shape, stages)
    if isinstance(base, Pair):
        return Real(replace(base, places=base.places[index]), shape, stages)
    if isinstance(base, Outside):
        raise Refusal("the float input is moved before it is quantised", "quantise it first")
    held = settled(builder, value).base
    assert isinstance(held, Held)
    return Real(builder.wired(name, kind, [held], index, shape, held.dtype), shape, stages)


@dataclass(frozen=True, eq=False)
class Grid:
    """A tensor whose floats are (step * q + offset) * scale, the same for all values."""

    held: Held
    step: int
    offset: int
    scale: np.float32

    @property
    def zero(self) -> int | None:
        """The integer that stands for 0, if there is one in the tensor's range."""
        q, rest = divmod(-self.offset, self.step)
        return q if rest == 0 and self.held.low <= q <= self.held.high else None


def grid_of(builder: Builder, value: Any, name: str) -> Grid:
    """A variable float input of a linear operator; refused where its floats are no such grid."""
    found = real(value, name)
    if isinstance(found.base, Outside):
        raise Refusal(f"its input {name!r} is the model's float input", QUANTISE)
    found = settled(builder, found)
    stages = list(found.stages)
    first = stages.pop(0) if stages else grid()
    scalar = all(len(o) == 1 for s in found.stages for o in s.operands)
    if first.operation != "grid" or not scalar or not isinstance(found.base, Held):
        raise Refusal(f"its input {name!r} has no single scale", QUANTISE)
    step, offset, scale = (o[0] for o in first.operands)
    for stage in stages:
        if stage.operation not in ("multiply", "divide"):
            raise Refusal(f"its input {name!r} is a float ({stage.operation})", QUANTISE)
        factor = stage.operands[0][0]
        scale = scale * factor if stage.operation == "multiply" else scale / factor
    return Grid(found.base, int(step), int(offset), np.float32(scale))
