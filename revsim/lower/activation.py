"""Activations: each operator of a neuron as one stage that works in place and names its garbage."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import numpy as np

from revsim.blocks.add import add_constant
from revsim.blocks.clamp import clamp_in_place
from revsim.blocks.requantise import Affine, power_of_two, requantise
from revsim.blocks.select import relu_in_place, threshold_in_place
from revsim.circuit.builder import Builder
from revsim.circuit.registers import Encoding, Wires
from revsim.errors import InputError
from revsim.lower.scale import shortest_scale
from revsim.lower.stage import Stage, Value, nothing
from revsim.lower.steps import STEP_LIMIT, steps_of
from revsim.lower.table import table_stage
from revsim.network.operators import (
    Clamp,
    Relu,
    Requantise,
    Sign,
    Single,
    Table,
    Threshold,
    Wrap,
    parameters,
)


def chains(
    operators: Sequence[Sequence[Single | None]],
    starts: Sequence[Value],
    compared: Sequence[int] = (),
) -> tuple[tuple[Stage, ...], ...]:
    """All stages of every neuron, in order, for values in the encodings and ranges of `starts`.

    `operators`: per neuron, None where it is let through. Chains are equally long: where one neuron
    changes, the others may have a step without gates. Equal steps are one `Stage`, so neurons
    share its definition. `compared`: these values compete in a choice that follows, so they end in
    encodings whose registers compare as they do.
    """
    values = list(starts)
    steps: list[list[Stage]] = []
    made: dict[Hashable, Stage] = {}

    def shared(key: Hashable, make: Callable[[], Stage]) -> Stage:
        if key not in made:
            made[key] = make()
        return made[key]

    def recode(targets: Sequence[int | None], width: int = 0) -> None:
        if all(target is None for target in targets):
            return
        step = [
            shared(
                (value, target, width),
                lambda v=value, t=target: replace(  # type: ignore[misc]
                    _same(v) if t is None else _recode(v, t, width), before=v
                ),
            )
            for value, target in zip(values, targets, strict=True)
        ]
        values[:] = [Value(s.encoding, v.low, v.high) for s, v in zip(step, values, strict=True)]
        steps.append(step)

    for alike in zip(*operators, strict=True):
        recode([_wanted_offset(operator, values[j]) for j, operator in enumerate(alike)])
        step = []
        for j, operator in enumerate(alike):
            value = values[j]
            key = None if operator is None else parameters(operator)
            try:
                stage = shared((value, key), lambda o=operator, v=value: _step(o, v))  # type: ignore[misc]
            except InputError as error:
                kind = "" if operator is None else operator.kind
                raise InputError(f"operator {kind}, value {j} {error}") from None
            step.append(stage)
            low, high = (value.low, value.high) if operator is None else _bounds(operator, value)
            values[j] = Value(stage.encoding, low, high)
        steps.append(step)
    competing = [values[k] for k in compared]
    if len({_order(v, competing) for v in competing}) > 1:
        among = set(compared)
        recode(
            [0 if k in among else None for k in range(len(values))],
            max(_recoded_width(v, 0) for v in competing),
        )
    return tuple(zip(*steps, strict=True)) if steps else ((),) * len(values)


def _step(operator: Single | None, value: Value) -> Stage:
    stage = _same(value) if operator is None else _stage(operator, value)
    return replace(stage, operator=operator, before=value)


def _order(value: Value, among: Sequence[Value]) -> tuple[int, int, bool]:
    """What must agree for registers to compare like their values (zeros are added on top)."""
    encoding = value.encoding
    signed = any(v.signed for v in among)
    return encoding.offset, encoding.width if signed else 0, value.signed


def _wanted_offset(operator: Single | None, value: Value) -> int | None:
    """The offset that a value needs before an operator, None where it is well as it is."""
    offset = value.encoding.offset
    if operator is None or isinstance(operator, Table):
        return None  # a table reads any encoding
    if isinstance(operator, Wrap) and _step_of(value.encoding) == 0:
        return None if offset % (1 << operator.bits) == 0 else 0
    around = threshold_of(operator)
    if around is None:
        return 0 if offset else None
    return None if offset == around and value.signed else around


def threshold_of(operator: Single) -> int | None:
    """The number that a threshold or sign compares with: its z is held minus that number."""
    if isinstance(operator, Threshold):
        return int(operator.thresholds[0])
    return 0 if isinstance(operator, Sign) else None


def _bounds(operator: Single, value: Value) -> tuple[int, int]:
    low, high = operator.bounds(np.array([value.low]), np.array([value.high]))
    return int(low[0]), int(high[0])


def _stage(operator: Single, value: Value) -> Stage:
    if isinstance(operator, Relu):
        return _relu(value)
    if isinstance(operator, Requantise):
        return _requantise(operator, value)
    if isinstance(operator, Clamp):
        return _clamp(operator, value)
    if isinstance(operator, Threshold):
        return _threshold(value, Encoding(0, (1,)))
    if isinstance(operator, Sign):
        return _threshold(value, Encoding(-1, (2,)))
    if isinstance(operator, Wrap):
        return _wrap(operator, value)
    if not isinstance(operator, Table):
        raise InputError("has no stage in place")
    return table_stage(operator, value)


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


def affine_of(operator: Requantise, low: int, high: int) -> Affine:
    """The multiply-and-shift that equals a neuron's requantiser on [low, high], proven by steps."""
    shift = int(operator.shift[0])
    if operator.multiplier is None:
        return power_of_two(shift, operator.rounding)
    (steps,) = steps_of((operator,), np.array([low]), np.array([high]))
    if steps is None:
        raise InputError(
            f"({operator.rounding}): has more than {STEP_LIMIT} steps; clamp before it"
        )
    if not len(steps.targets):
        return Affine(0, steps.first, 0)
    found = shortest_scale(steps, 0, whole=True)
    if found is None:
        raise InputError(
            f"({operator.rounding}): no multiply-and-shift equals the rule; "
            "use another rounding or multiplier"
        )
    form = found[0]
    return Affine(form.m, form.b, form.shift, form.b_negative)


def _requantise(operator: Requantise, value: Value) -> Stage:
    """A plain shift drops wires; the rest is computed on fresh wires, the old value garbage."""
    affine = affine_of(operator, value.low, value.high)
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


def _wrap(operator: Wrap, value: Value) -> Stage:
    """The low bits are the result, the others are dropped; a short signed value is extended."""
    width, bits = value.encoding.width, operator.bits
    missing = max(0, bits - width) if value.signed else 0
    kept = min(bits, width + missing)

    def emit(b: Builder, wires: Wires, fresh: Wires) -> None:
        if len(fresh):
            b.cx(np.full(len(fresh), wires[-1], dtype=np.int32), fresh)

    return Stage(
        f"wrap to {bits} bits",
        "wrap",
        width,
        missing,
        emit,
        _range(0, kept),
        Encoding(0, tuple(1 << k for k in range(kept))),
        _range(kept, width),
    )
