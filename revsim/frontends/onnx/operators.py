"""ONNX operators on whole numbers, bits and the codes of floats, value by value.

`WORDS` says how an operator is read whose variable inputs are all tensors of the graph (`Held`);
operators on quantised reals are read elsewhere. Integers wrap around as their type does.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from revsim.frontends.onnx.builder import Builder, Constant, Held, Maker, Refusal, Step
from revsim.frontends.onnx.moves import MOVES, known_shape, placements, rounds
from revsim.frontends.onnx.words import (
    Kind,
    alike,
    computed,
    held,
    is_float,
    kind_of,
    materialised,
    moved,
)
from revsim.frontends.shapes import broadcast, places
from revsim.network.cells import (
    Absolute,
    Bitwise,
    Compare,
    Complement,
    Negative,
    Overflow,
    Product,
    Signum,
    Sum,
    Where,
)
from revsim.network.cells_bits import (
    AnyShift,
    Between,
    Chosen,
    FloatMagnitude,
    FloatSignum,
    Power,
    Truth,
    Wrapped,
    ZerosMerged,
)
from revsim.network.cells_division import Quotient, Remainder
from revsim.network.cells_order import Greatest, Least
from revsim.network.floats import (
    FORMATS,
    FloatProduct,
    FloatQuotient,
    FloatRound,
    FloatSum,
    FloatToInteger,
    IntegerToFloat,
)
from revsim.network.words import Program

WORDS: dict[str, Maker] = {}


def on_words(*operators: str) -> Callable[[Maker], Maker]:
    """Registers a function as the reader of these operators on whole numbers."""

    def register(function: Maker) -> Maker:
        for operator in operators:
            WORDS[operator] = function
        return function

    return register


def elementwise(
    builder: Builder,
    step: Step,
    program: Program,
    sources: list[Held],
    dtype: Any = None,
    wide: bool = False,
) -> None:
    """A program at every value of the inputs, broadcast together."""
    try:
        shape = np.broadcast_shapes(*(source.shape for source in sources))
    except ValueError as error:
        raise Refusal(f"shapes {[list(s.shape) for s in sources]} do not broadcast") from error
    reads = [broadcast([source.shape], shape) for source in sources]
    builder.values[step.outputs[0]] = computed(
        builder, step.outputs[0], step.operator.lower(), program, sources, reads, shape,
        sources[0].dtype if dtype is None else dtype, wide=wide, neurons=step.operator == "Relu",
    )  # fmt: skip


def inputs_of(builder: Builder, step: Step) -> list[Held]:
    """All inputs that are there, in the same form."""
    given = [k for k in range(len(step.inputs)) if builder.given(step, k)]
    return alike(builder, [held(builder, step, place) for place in given])


def overflow_of(kind: Kind) -> Overflow:
    """Wrapping around as a type does."""
    return Overflow(kind.bits, kind.signed)


# --- moves --------------------------------------------------------------------------------------


@on_words(*MOVES)
def _move(builder: Builder, step: Step) -> None:
    if step.attributes.get("reduction", b"none") != b"none":
        _scatter_reduced(builder, step)
        return
    for name, placement in zip(step.outputs, placements(builder, step), strict=True):
        sources = [held(builder, step, place) for place in placement.sources]
        nothing = np.zeros((), sources[0].dtype)
        builder.values[name] = moved(
            builder, name, step.operator.lower(), sources, placement.index, placement.index.shape,
            nothing if (placement.index < 0).any() else None,
        )  # fmt: skip


def _scatter_reduced(builder: Builder, step: Step) -> None:
    """Data and updates meet one update a place at a time, in the order in which they are given."""
    rule = step.attributes["reduction"].decode()
    data, updates = alike(builder, [held(builder, step, 0), held(builder, step, 2)])
    kind = kind_of(data.dtype)
    form = FORMATS.get(data.dtype.name)
    programs: dict[str, Program] = {
        "max": Greatest(),
        "min": Least(),
        "add": FloatSum(form) if form else Sum((), 0, overflow_of(kind)),
        "mul": FloatProduct(form) if form else Product(overflow_of(kind)),
    }
    for number, sources in enumerate(rounds(builder, step)):
        name = f"{step.outputs[0]}.{number}"
        met = np.flatnonzero(sources >= 0)
        new = computed(
            builder, name, f"scatter_{rule}", programs[rule], [data, updates],
            [met[:, None], sources[met][:, None]], (len(met),), data.dtype, wide=kind.bits == 32,
        )  # fmt: skip
        index = places(data.shape).reshape(-1).copy()
        index[met] = data.size + np.arange(len(met))
        data = moved(builder, f"{name}.placed", "scatter", [data, new], index, data.shape)
    builder.values[step.outputs[0]] = data


@on_words("Shape", "Size")
def _shape(builder: Builder, step: Step) -> None:
    builder.values[step.outputs[0]] = Constant(known_shape(builder, step))


@on_words("EyeLike")
def _eye(builder: Builder, step: Step) -> None:
    from onnx import helper

    given = builder.value(step, 0)
    element = step.attributes.get("dtype")
    dtype = given.dtype if element is None else helper.tensor_dtype_to_np_dtype(element)
    rows, columns = given.shape
    eye = np.eye(rows, columns, int(step.attributes.get("k", 0)), dtype=dtype)
    builder.values[step.outputs[0]] = Constant(eye)


# --- arithmetic ---------------------------------------------------------------------------------


@on_words("Add", "Sub", "Mul", "Sum")
def _arithmetic(builder: Builder, step: Step) -> None:
    sources = inputs_of(builder, step)
    dtype = sources[0].dtype
    kind, form = kind_of(dtype), FORMATS.get(dtype.name)
    program: Program
    if form is not None:
        if len(sources) != 2:
            raise Refusal("sums of more than two floats depend on their order")
        minus = step.operator == "Sub"
        program = FloatProduct(form) if step.operator == "Mul" else FloatSum(form, minus)
    elif step.operator == "Mul":
        program = Product(overflow_of(kind))
    else:
        program = Sum((1, -1) if step.operator == "Sub" else (), 0, overflow_of(kind))
    whole = form is None and step.operator == "Mul" and kind.bits > 16
    elementwise(builder, step, program, sources, wide=whole)


@on_words("Div", "Mod")
def _division(builder: Builder, step: Step) -> None:
    sources = inputs_of(builder, step)
    dtype = sources[0].dtype
    form = FORMATS.get(dtype.name)
    if step.operator == "Div":
        program: Program = (
            FloatQuotient(form) if form else Quotient(False, overflow_of(kind_of(dtype)))
        )
    elif form:
        raise Refusal("a remainder of floats is not made")
    else:
        program = Remainder(floor=not step.attributes.get("fmod", 0))
    elementwise(builder, step, program, sources)


@on_words("Pow")
def _power(builder: Builder, step: Step) -> None:
    base, powers = held(builder, step, 0), builder.constant(step, 1, "exponent")
    if is_float(base.dtype) or powers.dtype.kind not in "iu" or int(powers.min()) < 0:
        raise Refusal("only whole powers from 0 on of integers are made")
    kind = kind_of(base.dtype)
    shape = np.broadcast_shapes(base.shape, powers.shape)
    exponents = np.broadcast_to(powers, shape).reshape(-1)
    reads = broadcast([base.shape], shape)
    by_value(
        builder, step, exponents, shape,
        lambda name, value, at: computed(
            builder, name, "pow", Power(int(value), kind.bits, kind.signed), [base], [reads[at]],
            (len(at),), base.dtype, wide=kind.bits > 16,
        ),
    )  # fmt: skip


def by_value(builder: Builder, step: Step, values: Any, shape: Any, make: Any) -> None:
    """One node for each distinct value of a known parameter, their results put together."""
    distinct, which = np.unique(values, return_inverse=True, axis=0)
    groups = [np.flatnonzero(which.reshape(-1) == k) for k in range(len(distinct))]
    name = step.outputs[0]
    parts = [
        make(f"{name}.{k}", value, at)
        for k, (value, at) in enumerate(zip(distinct, groups, strict=True))
    ]
    index = np.argsort(np.concatenate(groups), kind="stable")
    builder.values[name] = moved(builder, name, "gather", parts, index, shape)


@on_words("Abs", "Neg", "Sign", "Relu", "Round", "Ceil", "Floor")
def _single(builder: Builder, step: Step) -> None:
    source = held(builder, step, 0)
    kind, form = kind_of(source.dtype), FORMATS.get(source.dtype.name)
    if form is not None:
        programs: dict[str, Program] = {
            "Abs": FloatMagnitude(),
            "Neg": Complement(),
            "Sign": FloatSignum(form.one),
            "Round": FloatRound(form),
        }
    else:
        programs = {
            "Abs": Absolute(overflow_of(kind)),
            "Neg": Negative(overflow_of(kind)),
            "Sign": Signum(),
        }
    if step.operator == "Relu":
        zero = materialised(builder, Constant(np.zeros((), source.dtype)), f"{step.name}.zero")
        elementwise(builder, step, Greatest(), alike(builder, [source, zero]))
        return
    if step.operator not in programs:
        raise Refusal(f"{step.operator} of {source.dtype} is not made")
    elementwise(builder, step, programs[step.operator], [source])


# --- comparison and choice ----------------------------------------------------------------------

RELATIONS = {
    "Equal": "equal",
    "Less": "less",
    "Greater": "greater",
    "LessOrEqual": "less_or_equal",
    "GreaterOrEqual": "greater_or_equal",
}


@on_words(*RELATIONS)
def _compare(builder: Builder, step: Step) -> None:
    sources = inputs_of(builder, step)
    program: Program = Compare(RELATIONS[step.operator])
    if is_float(sources[0].dtype):
        program = ZerosMerged(program)
    elementwise(builder, step, program, sources, np.bool_)


@on_words("Max", "Min")
def _extreme(builder: Builder, step: Step) -> None:
    program = Greatest() if step.operator == "Max" else Least()
    elementwise(builder, step, program, inputs_of(builder, step))


@on_words("Clip")
def _clip(builder: Builder, step: Step) -> None:
    low, high = builder.given(step, 1), builder.given(step, 2)
    sources = inputs_of(builder, step)
    dtype = sources[0].dtype
    for name, there in (("min", low), ("max", high)):
        if name in step.attributes and not there:  # versions before 11 of the operator set
            value = Constant(np.asarray(step.attributes[name], dtype))
            sources.append(materialised(builder, value, f"{step.name}.{name}"))
    low, high = low or "min" in step.attributes, high or "max" in step.attributes
    elementwise(builder, step, Between(low, high), alike(builder, sources))


@on_words("Where")
def _where(builder: Builder, step: Step) -> None:
    condition = held(builder, step, 0)
    chosen = alike(builder, [held(builder, step, 1), held(builder, step, 2)])
    elementwise(builder, step, Where(), [condition, *chosen], chosen[0].dtype)


@on_words("OneHot")
def _one_hot(builder: Builder, step: Step) -> None:
    source, values = held(builder, step, 0), held(builder, step, 2)
    depth = int(builder.constant(step, 1, "depth").ravel()[0])
    if not 1 <= depth <= 1 << 16:
        raise Refusal(f"its depth is {depth}")
    rank = len(source.shape) + 1
    axis = int(step.attributes.get("axis", -1)) % rank
    form = FORMATS.get(source.dtype.name)
    if form is not None:  # the standard: floats are cut off to integers first
        reads = [np.arange(source.size)[:, None]]
        source = computed(
            builder, f"{step.outputs[0]}.index", "cast", FloatToInteger(form, 32, signed=True),
            [source], reads, source.shape, np.int32,
        )  # fmt: skip
    count = int(np.prod(source.shape, dtype=np.int64))
    each = np.arange(count)[:, None]
    parts = []
    for k in range(depth):
        program = Chosen((k - depth, k))
        parts.append(
            computed(
                builder,
                f"{step.outputs[0]}.{k}",
                "onehot",
                program,
                [source, values],
                [each, np.broadcast_to([[1, 0]], (count, 2))],
                source.shape,
                values.dtype,
            )
        )
    index = np.moveaxis(places((depth, *source.shape)), 0, axis)
    builder.values[step.outputs[0]] = moved(
        builder, step.outputs[0], "stack", parts, index, index.shape
    )


# --- bits ---------------------------------------------------------------------------------------


@on_words("And", "Or", "Xor", "BitwiseAnd", "BitwiseOr", "BitwiseXor")
def _bitwise(builder: Builder, step: Step) -> None:
    rule = step.operator.removeprefix("Bitwise").lower()
    elementwise(builder, step, Bitwise(rule), inputs_of(builder, step))


@on_words("Not", "BitwiseNot")
def _complement(builder: Builder, step: Step) -> None:
    source = held(builder, step, 0)
    kind = kind_of(source.dtype)
    elementwise(builder, step, Complement(0 if kind.signed else kind.bits), [source])


@on_words("BitShift")
def _shift(builder: Builder, step: Step) -> None:
    sources = inputs_of(builder, step)
    kind, way = kind_of(sources[0].dtype), step.attributes.get("direction", b"")
    if way not in (b"LEFT", b"RIGHT"):
        raise Refusal(f"its direction is {way!r}; LEFT or RIGHT is meant")
    elementwise(builder, step, AnyShift(kind.bits, kind.signed, way == b"RIGHT"), sources)


# --- types --------------------------------------------------------------------------------------


@on_words("Cast", "CastLike", "BitCast")
def _cast(builder: Builder, step: Step) -> None:
    from onnx import helper

    source = held(builder, step, 0)
    if step.operator == "CastLike":
        dtype = np.dtype(builder.value(step, 1).dtype)
    else:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(step.attributes["to"]))
    kind, before, after = kind_of(dtype), FORMATS.get(source.dtype.name), FORMATS.get(dtype.name)
    if step.operator == "BitCast":
        if before or after or (kind.bits != kind_of(source.dtype).bits and kind.bits != 8):
            raise Refusal(f"the bits of {source.dtype} as {dtype} are not made")
        program: Program = Wrapped(kind.bits, kind.signed)
    elif dtype == np.bool_:
        program = Truth(before is not None)
    elif before == after:
        program = Wrapped(kind.bits, kind.signed)
    elif before is None and after is not None:
        program = IntegerToFloat(after)
    elif before is not None and after is None and kind.form == "word":
        program = FloatToInteger(before, kind.bits, kind.signed)
    else:
        raise Refusal(f"a cast of {source.dtype} to {dtype} is not made")
    elementwise(builder, step, program, [source], dtype)
