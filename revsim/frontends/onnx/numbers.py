"""ONNX models of integers, bits and float codes as a graph, for given inputs.

Here every number is what it is: integers wrap around in their type, floats are IEEE 754 floats
(onnx_words.py says how they are held). Scales, zero points, weights, shapes, axes and whatever else
must be known before there is a circuit may be inputs of the model; they are taken from the values
given. `KNOWN` says which inputs of which operator these are; all others are wires.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from revsim.errors import InputError
from revsim.frontends.onnx import floats, order
from revsim.frontends.onnx.builder import MAKERS, Array, Builder, Constant, Held, Refusal, Step
from revsim.frontends.onnx.evaluator import evaluated
from revsim.frontends.onnx.operators import WORDS
from revsim.frontends.onnx.reader import MALFORMED, STANDARD, numbers, refusals, step_of
from revsim.frontends.onnx.reader import ordered as in_order
from revsim.frontends.onnx.words import (
    Pair,
    ends_of,
    from_words,
    is_float,
    kind_of,
    materialised,
    to_words,
)
from revsim.network.graph import Cells, Graph, Linear
from revsim.network.sums import Integers

KNOWN: Final[dict[str, tuple[int, ...]]] = {
    "Reshape": (1,),
    "Squeeze": (1,),
    "Unsqueeze": (1,),
    "Expand": (1,),
    "Tile": (1,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Gather": (1,),
    "GatherElements": (1,),
    "GatherND": (1,),
    "ScatterElements": (1,),
    "ScatterND": (1,),
    "Compress": (1,),
    "ReverseSequence": (1,),
    "CenterCropPad": (1,),
    "Pad": (1, 3),
    "Trilu": (1,),
    "OneHot": (1,),
    "TopK": (1,),
    "ReduceMax": (1,),
    "ReduceMin": (1,),
    "ReduceSum": (1,),
    "CumSum": (1,),
    "CumProd": (1,),
    "Pow": (1,),
    "Range": (0, 1, 2),
    "ConstantOfShape": (0,),
    "CastLike": (1,),
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 3, 4, 5, 6, 7, 8),
    "QLinearMatMul": (1, 2, 3, 4, 5, 6, 7),
    "ConvInteger": (1, 2, 3),
    "MatMulInteger": (1, 2, 3),
}
"""Inputs that must be known to make a circuit, by operator; ConvInteger's are weights and zero
points, GatherND's are indices, Pow's is the exponent."""

MOVEMENT: Final = (
    "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile", "Transpose",
    "Slice", "Split", "Concat", "Gather", "GatherElements", "GatherND", "Compress", "Trilu",
    "ReverseSequence", "CenterCropPad", "Pad", "DepthToSpace", "SpaceToDepth", "Where", "Shape",
    "Size", "EyeLike", "Constant", "ConstantOfShape",
)  # fmt: skip
"""Operators that do not look at floats: among these alone NaN is allowed as an input."""


READERS: Final = (floats, order)
"""Rooms whose makers stand in `WORDS` once they are imported."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A model for given inputs. `wires` are the inputs that vary, by name in the graph; `outputs`
    the model's, in order: tensors of the graph, or arrays where nothing is left to compute."""

    graph: Graph
    wires: Mapping[str, Array]
    outputs: tuple[Held | Array, ...]
    divisions: tuple[tuple[Step, Held | Array, Held | Array], ...]

    @property
    def kind(self) -> str:
        """`gates`, `wiring` (values only move), or `constant` (no output depends on a wire)."""
        if not self.graph.nodes:
            return "constant"
        if any(isinstance(node.operator, Cells | Linear) for node in self.graph.nodes):
            return "gates"
        moving = any(node.inputs for node in self.graph.nodes)
        return "wiring" if moving else "constant"

    def check(self, values: Mapping[str, Integers]) -> None:
        """Raise InputError where these values divide by 0 or make a float that is no number.

        values: every tensor of the graph. ONNX leaves the first open, NaN has no circuit here.
        """
        for step, *operands in self.divisions:
            first, second = (
                _array(values, one) if isinstance(one, Held) else one for one in operands
            )
            where = f"{self.graph.name}, node {step.name!r} ({step.operator})"
            if first.dtype.kind in "iub":
                if bool((second == 0).any()):
                    raise InputError(f"{where}: a division by 0; ONNX leaves its result open")
                continue
            with np.errstate(all="ignore"):
                made = UNSAFE[step.operator](first, second)
            if bool(np.isnan(made).any()):
                raise InputError(f"{where}: a result that is no number (0/0, inf - inf or 0 * inf)")

    def given(self) -> dict[str, Integers]:
        """The inputs as one row of words each."""
        return {name: to_words(array)[None, :] for name, array in self.wires.items()}

    def made(self, values: Mapping[str, Integers]) -> list[Array]:
        """The model's outputs from the words of the graph's output tensors, int64 [1, words]."""
        return [_array(values, out) if isinstance(out, Held) else out for out in self.outputs]


UNSAFE: Final[dict[str, Callable[[Array, Array], Any]]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Mod": np.remainder,
    "QuantizeLinear": np.divide,
    "DynamicQuantizeLinear": lambda x, _: x / np.abs(x).max(),  # a scale of 0
}
"""Operators of two operands that may divide by 0 or make NaN."""


def _array(values: Mapping[str, Integers], held: Held) -> Array:
    words = values[held.name].reshape(-1)
    return from_words(words, held.dtype, held.shape, isinstance(held, Pair))


def read_numbers(model: Any, arrays: Sequence[Array]) -> Reading:
    """A ModelProto and the values of its inputs, in order, as a graph.

    Raises InputError that names every node that cannot be read, or the input that lies outside what
    a circuit of it can take.
    """
    name = model.graph.name or "model"
    builder, steps = Builder(name), steps_of(model)
    known = {
        step.inputs[place]
        for step in steps
        for place in KNOWN.get(step.operator, ())
        if place < len(step.inputs)
    }
    floats = any(step.operator not in MOVEMENT for step in steps)
    for tensor in model.graph.initializer:
        builder.values[tensor.name] = Constant(numbers(tensor, name))
    free = [value for value in model.graph.input if value.name not in builder.values]
    if len(free) != len(arrays):
        raise InputError(f"{name}: {len(arrays)} arrays for {len(free)} inputs")
    for value in (*model.graph.input, *model.graph.output):
        if value.type.WhichOneof("value") not in (None, "tensor_type"):
            raise InputError(f"{name}: {value.name!r} is no tensor")
    wires: dict[str, Array] = {}
    for value, array in zip(free, arrays, strict=True):
        if value.name in known or array.size == 0:
            builder.values[value.name] = Constant(array)
            continue
        held = _input(builder, value.name, array, floats)
        builder.values[value.name] = held
        wires[held.name] = array
    refused: list[tuple[Step, Refusal]] = []
    unsafe: list[tuple[Step, Held | Array, Held | Array]] = []
    for step in in_order(steps, set(builder.values), name):
        try:
            _take(builder, step, floats)
            unsafe += _unsafe(builder, step)
        except Refusal as refusal:
            refused.append((step, refusal))
        except MALFORMED as error:
            what = f"{type(error).__name__}: {' '.join(str(error).split())[:80]}"
            refused.append((step, Refusal(f"its inputs or attributes do not fit ({what})")))
        for out in step.outputs:
            builder.values.setdefault(out, None)  # of a node that was refused
    if refused:
        raise InputError(refusals(name, refused))
    outputs = [_output(builder, value.name) for value in model.graph.output]
    names = tuple(dict.fromkeys(out.name for out in outputs if isinstance(out, Held)))
    graph = Graph(
        name, builder.tensors, tuple(builder.nodes), tuple(builder.inputs), names, source=name
    )
    return Reading(graph, wires, tuple(outputs), tuple(unsafe))


def knows(node: Any) -> bool:
    """Whether the operator of a NodeProto has a reader, or is computed from constants."""
    domain = "" if node.domain in STANDARD else node.domain
    read = domain == "" and node.op_type in {*WORDS, "Constant", "ConstantOfShape", "Range"}
    return read or (domain, node.op_type) in MAKERS


def steps_of(model: Any) -> tuple[Step, ...]:
    """The nodes of a ModelProto, as makers take them."""
    versions = {o.domain: o.version for o in model.opset_import}
    return tuple(step_of(node, versions, number) for number, node in enumerate(model.graph.node))


def _input(builder: Builder, name: str, array: Array, ordered: bool) -> Held:
    """An input as wires, its values inside what they can take."""
    try:
        kind = kind_of(array.dtype)
    except Refusal as refusal:
        raise InputError(f"{builder.name}, input {name!r}: {refusal.reason}") from None
    low, high = ends_of(array.dtype, ordered)
    pair = kind.form != "word"
    if ordered and _has_nan(array):
        raise InputError(f"{builder.name}, input {name!r}: NaN has no place in an order")
    shape = (*array.shape, 2) if pair else array.shape
    held = builder.tensor(name, shape, array.dtype, low, high)
    builder.inputs.append(held.name)
    return Pair(held.name, array.shape, held.dtype, low, high) if pair else held


def _has_nan(array: Array) -> bool:
    return is_float(array.dtype) and bool(np.isnan(array.astype(np.float64)).any())


def _take(builder: Builder, step: Step, ordered: bool) -> None:
    """One node: what depends on nothing is computed at once, the rest by its maker."""
    if step.operator in ("If", "Loop", "Scan"):
        raise Refusal("how often it runs depends on values: no fixed circuit")
    values = [builder.values.get(name) for name in step.inputs]
    if any(name and builder.values.get(name) is None for name in step.inputs):
        return  # behind a node that was refused
    known = all(isinstance(value, Constant) for value in values if value is not None)
    if known and step.domain == "":
        given = {name: builder.values[name].array for name in step.inputs if name}
        for out, array in zip(step.outputs, evaluated(step, given), strict=False):
            builder.values[out] = Constant(array)
        return
    for name, value in zip(step.inputs, values, strict=False):
        if ordered and isinstance(value, Constant) and _has_nan(value.array):
            raise Refusal(f"its input {name!r} holds NaN, which has no place in an order")
    maker = WORDS.get(step.operator) if step.domain == "" else None
    maker = maker or MAKERS.get((step.domain, step.operator))
    if maker is None:
        raise Refusal(f"operator {step.operator} is not known")
    maker(builder, step)


def _unsafe(builder: Builder, step: Step) -> list[tuple[Step, Held | Array, Held | Array]]:
    """A node whose values have to be looked at before its result can be trusted."""
    if step.operator not in UNSAFE:
        return []
    first, second = (builder.values.get(name) for name in (step.inputs * 2)[:2])
    if first is None or second is None:
        return []  # behind a node that was refused
    if isinstance(first, Constant) and isinstance(second, Constant):
        return []
    if step.operator == "QuantizeLinear" and isinstance(second, Constant):
        return []
    if step.operator in ("Add", "Sub", "Mul") and not is_float(first.dtype):
        return []
    operands = [one.array if isinstance(one, Constant) else one for one in (first, second)]
    return [(step, operands[0], operands[1])]


def _output(builder: Builder, name: str) -> Held | Array:
    value = builder.values.get(name)
    if isinstance(value, Constant):
        if builder.inputs and value.array.size and value.array.dtype.kind in "iubfV":
            return materialised(builder, value, name)
        return value.array
    if not isinstance(value, Held):
        raise InputError(f"{builder.name}: output {name!r} is not made of numbers")
    return value
