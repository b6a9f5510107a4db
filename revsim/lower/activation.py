"""Activations: each operator of a neuron as one stage that works in place and names its garbage.

A stage takes the wires that hold the neuron's value and some fresh wires, runs reversible gates on
them, and says which of these wires now hold the new value, which are garbage (and by which cause
they would have to be erased) and which hold 0 again. It erases nothing: only a schedule does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from revsim.blocks.add import add_constant
from revsim.blocks.clamp import clamp_in_place
from revsim.blocks.requantise import Affine, power_of_two, requantise, shortest_affine
from revsim.blocks.select import relu_in_place, threshold_in_place
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.registers import Encoding, Wires
from revsim.errors import InputError
from revsim.network.operators import Bounds, Clamp, Operator, Relu, Requantise, Sign, Threshold

Emit = Callable[[Builder, Wires, Wires], None]


@dataclass(frozen=True)
class Value:
    """What is known of a neuron's value on its way: encoding of its wires and exact range."""

    encoding: Encoding
    low: int
    high: int

    @property
    def signed(self) -> bool:
        """Whether the top bit has a negative weight."""
        return bool(self.encoding.weights) and self.encoding.weights[-1] < 0


@dataclass(frozen=True, eq=False)
class Stage:
    """One operator of one neuron.

    `emit(builder, value, fresh)` writes the gates. `value`, `garbage` and `clean` index the wires
    [old value | fresh] (index 0 first): where the result, the garbage and the zeros are.
    `operator` is what the stage does to the integer, None where only the encoding changes;
    `before` is what is known of the value that comes in.
    """

    name: str
    cause: str
    width: int
    fresh: int
    emit: Emit
    value: tuple[int, ...]
    encoding: Encoding
    garbage: tuple[int, ...]
    clean: tuple[int, ...] = ()
    operator: Operator | None = None
    before: Value = Value(Encoding(0, ()), 0, 0)

    @cached_property
    def definition(self) -> Definition:
        """The stage on its own: ports `value` and `fresh`."""
        b = Builder(self.name)
        value = b.port("value", self.width)
        fresh = b.port("fresh", self.fresh, zero=True)
        self.emit(b, value, fresh)
        return b.build()


def nothing(b: Builder, value: Wires, fresh: Wires) -> None:
    """A stage without gates: wires only change their meaning."""


def chains(
    operators: Sequence[tuple[Operator, ...]], starts: Sequence[Value], compared: bool
) -> tuple[tuple[Stage, ...], ...]:
    """All stages of every neuron, in order, for values in the encodings and ranges of `starts`.

    Chains are equally long: where one neuron changes its encoding, the others have a step without
    gates. `compared`: an argmax follows, so all values end in one encoding.
    """
    values = list(starts)
    steps: list[list[Stage]] = []

    def recode(targets: Sequence[int | None], width: int = 0) -> None:
        if all(target is None for target in targets):
            return
        step = [
            replace(_same(value) if target is None else _recode(value, target, width), before=value)
            for value, target in zip(values, targets, strict=True)
        ]
        values[:] = [Value(s.encoding, v.low, v.high) for s, v in zip(step, values, strict=True)]
        steps.append(step)

    for alike in zip(*operators, strict=True):
        recode([_wanted_offset(operator, j, values[j]) for j, operator in enumerate(alike)])
        step = []
        for j, operator in enumerate(alike):
            stage = replace(_stage(operator, j, values[j]), operator=operator, before=values[j])
            low, high = (int(v[0]) for v in _bounds(operator, j, values[j]))
            step.append(stage)
            values[j] = Value(stage.encoding, low, high)
        steps.append(step)
    if compared and len({_order(v, values) for v in values}) > 1:
        recode([0] * len(values), max(_recoded_width(v, 0) for v in values))
    return tuple(zip(*steps, strict=True)) if steps else ((),) * len(values)


def _order(value: Value, among: Sequence[Value]) -> tuple[int, int]:
    """What must agree for registers to compare like their values (zeros are added on top)."""
    encoding = value.encoding
    return encoding.offset, encoding.width if any(v.signed for v in among) else 0


def _wanted_offset(operator: Operator, neuron: int, value: Value) -> int | None:
    """The offset that a value needs before an operator, None where it is well as it is."""
    around = _threshold_of(operator, neuron)
    if around is None:
        return 0 if value.encoding.offset else None
    return None if value.encoding.offset == around and value.signed else around


def _threshold_of(operator: Operator, neuron: int) -> int | None:
    """The number that a threshold or sign compares with: its z is held minus that number."""
    if isinstance(operator, Threshold):
        return int(operator.thresholds[neuron])
    return 0 if isinstance(operator, Sign) else None


def _bounds(operator: Operator, neuron: int, value: Value) -> Bounds:
    single = for_neuron(operator, neuron)
    return single.bounds(np.array([value.low]), np.array([value.high]))


def for_neuron(operator: Operator, neuron: int) -> Operator:
    """The operator as it acts on one neuron alone."""
    if isinstance(operator, Requantise):
        multiplier = operator.multiplier
        return Requantise(
            operator.shift[neuron : neuron + 1],
            operator.rounding,
            None if multiplier is None else multiplier[neuron : neuron + 1],
        )
    if isinstance(operator, Threshold):
        return Threshold(operator.thresholds[neuron : neuron + 1])
    return operator


def _stage(operator: Operator, neuron: int, value: Value) -> Stage:
    if isinstance(operator, Relu):
        return _relu(value)
    if isinstance(operator, Requantise):
        return _requantise(operator, neuron, value)
    if isinstance(operator, Clamp):
        return _clamp(operator, value)
    if isinstance(operator, Threshold):
        return _threshold(value, Encoding(0, (1,)))
    if isinstance(operator, Sign):
        return _threshold(value, Encoding(-1, (2,)))
    raise InputError(f"{operator.kind} is no elementwise operator")


def _range(first: int, stop: int) -> tuple[int, ...]:
    return tuple(range(first, stop))


def _same(value: Value) -> Stage:
    """A step in which a neuron waits for the others."""
    width = value.encoding.width
    return Stage("same", "offset", width, 0, nothing, _range(0, width), value.encoding, ())


def _step_of(encoding: Encoding) -> int:
    """Bits by which an encoding counts in steps of a power of two (a sign counts in twos)."""
    return abs(encoding.weights[0]).bit_length() - 1 if encoding.weights else 0


def _recoded_width(value: Value, offset: int) -> int:
    before = value.encoding
    return max(
        _step_of(before) + before.width + 1,
        Encoding.signed(value.low, value.high, offset).width,
    )


def _recode(value: Value, offset: int, width: int = 0) -> Stage:
    """To two's complement around another offset: add the difference, one bit wider if needed."""
    before = value.encoding
    target = max(_recoded_width(value, offset), width)
    difference = before.offset - offset
    step, signed = _step_of(before), value.signed
    # Wires are [old | fresh]: the first fresh ones are the zeros below a coarse step.
    order = (
        *_range(before.width, before.width + step),
        *_range(0, before.width),
        *_range(before.width + step, target),
    )

    def emit(b: Builder, wires: Wires, fresh: Wires) -> None:
        above = fresh[step:]
        if signed and len(above):  # sign extension
            b.cx(np.full(len(above), wires[-1], dtype=np.int32), above)
        add_constant(b, np.concatenate([wires, fresh])[list(order)], difference)

    return Stage(
        f"offset by {difference}",
        "offset",
        before.width,
        target - before.width,
        emit,
        order,
        Encoding(offset, Encoding.twos_complement(target).weights),
        (),
    )


def _relu(value: Value) -> Stage:
    """Fredkins controlled by the sign move a negative value's bits into the garbage register."""
    width = len(value.encoding.weights)
    if not value.signed or width == 0:
        return Stage("relu", "activation", width, 0, nothing, _range(0, width), value.encoding, ())
    kept = max(value.high, 0).bit_length()
    encoding = Encoding(0, tuple(1 << k for k in range(kept)))
    return Stage(
        f"relu of {width} bits",
        "activation",
        width,
        width - 1,
        relu_in_place,
        _range(0, kept),
        encoding,
        (*_range(width, 2 * width - 1), width - 1),
        _range(kept, width - 1),
    )


def affine_of(operator: Requantise, neuron: int, low: int, high: int) -> Affine:
    """The multiply-and-shift that equals a neuron's requantiser on [low, high], proven by steps."""
    shift = int(operator.shift[neuron])
    if operator.multiplier is None:
        return power_of_two(shift, operator.rounding)
    single = for_neuron(operator, neuron)
    scale = int(operator.multiplier[neuron]) / 2.0**shift
    if operator.rounding == "tflite_double":
        scale /= 2.0**31
    try:
        return shortest_affine(lambda v: single.apply(v[:, None])[:, 0], low, high, scale)
    except InputError as error:
        raise InputError(
            f"operator requantise, value {neuron} ({operator.rounding}): {error}; "
            "use another rounding or multiplier"
        ) from None


def _requantise(operator: Requantise, neuron: int, value: Value) -> Stage:
    """A plain shift drops wires; the rest is computed on fresh wires, the old value garbage."""
    affine = affine_of(operator, neuron, value.low, value.high)
    width = len(value.encoding.weights)
    if (affine.m, affine.b, affine.b_negative, affine.even) == (1, 0, 0, False):
        cut = min(affine.shift, width - 1 if value.signed else width)
        left = width - cut
        encoding = (
            Encoding.twos_complement(left)
            if value.signed
            else Encoding(0, tuple(1 << k for k in range(left)))
        )
        return Stage(
            f"shift by {affine.shift}",
            "requantise",
            width,
            0,
            nothing,
            _range(cut, width),
            encoding,
            _range(0, cut),
        )
    low, high = (int(affine.apply(np.array([v]))[0]) for v in (value.low, value.high))
    signed = low < 0
    result = Encoding.signed(low, high).width if signed else high.bit_length()
    before = value.encoding

    def emit(b: Builder, wires: Wires, fresh: Wires) -> None:
        start = b.mark()
        total = requantise(b, wires, before, affine, len(fresh))
        stop = b.mark()
        b.cx(total, fresh)
        b.undo(start, stop)

    return Stage(
        f"requantise {affine.m}/2^{affine.shift}",
        "requantise",
        width,
        result,
        emit,
        _range(width, width + result),
        Encoding.twos_complement(result)
        if signed
        else Encoding(0, tuple(1 << k for k in range(result))),
        _range(0, width),
    )


def _clamp(operator: Clamp, value: Value) -> Stage:
    """Fredkins swap an out-of-range value with the constant at the end it passed."""
    width = len(value.encoding.weights)
    bias = 1 << (width - 1) if value.signed else 0  # two's complement + bias is unsigned
    low, high = operator.low + bias, operator.high + bias
    top = (1 << width) - 1
    name = f"clamp to {operator.low}..{operator.high}"
    if high < 0 or low > top:  # out of reach: what is left is a constant, which takes no wire
        constant = Encoding(operator.high if high < 0 else operator.low, ())
        return Stage(name, "clamp", width, 0, nothing, (), constant, _range(0, width))
    low, high = max(low, 0), min(high, top)
    kept = high.bit_length()
    upper = kept if high < top else 0
    lower = low.bit_length()
    flags = (1 if upper and high + 1 != 1 << kept else 0) + (1 if lower else 0)

    def emit(b: Builder, wires: Wires, fresh: Wires) -> None:
        if bias:
            b.x(wires[-1])
        cuts = np.split(fresh, [upper, upper + lower])
        named: dict[str, Wires] = {}
        if upper:
            named["garbage_high"] = cuts[0]
        if lower:
            named["garbage_low"] = cuts[1]
            named["flag_low"] = cuts[2][-1:]
        if flags > (1 if lower else 0):
            named["flag_high"] = cuts[2][:1]
        clamp_in_place(b, wires, low, high, **named)

    return Stage(
        name,
        "clamp",
        width,
        upper + lower + flags,
        emit,
        _range(0, kept),
        Encoding(-bias, tuple(1 << k for k in range(kept))),
        (*_range(kept, width), *_range(width, width + upper + lower + flags)),
    )


def _threshold(value: Value, encoding: Encoding) -> Stage:
    """The value is held minus the threshold, so that the complement of its sign is the answer."""
    width = len(value.encoding.weights)
    return Stage(
        f"threshold of {width} bits",
        "activation",
        width,
        0,
        lambda b, wires, fresh: threshold_in_place(b, wires),
        (width - 1,),
        encoding,
        _range(0, width - 1),
    )
