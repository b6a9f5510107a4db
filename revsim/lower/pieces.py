"""The activations of a channel as pieces: monotone runs by their steps, tables, and wraps.

Requantise, offset, divide, clamp, relu and the like one after the other are one monotone function.
It becomes whichever costs the fewest Toffolis: a shift that is but a choice of wires, a multiply
and shift with a clamp, or a search for its step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from revsim.blocks.requantise import power_of_two
from revsim.circuit.registers import Encoding
from revsim.errors import InputError
from revsim.lower.piece import Piece, constant, moved, scaled, searched, table
from revsim.lower.scale import Scale, scale_of, shortest_scale
from revsim.lower.stage import Value
from revsim.lower.steps import STEP_LIMIT, Steps, own, steps_of, through
from revsim.network.operators import (
    TABLE_LIMIT,
    Clamp,
    Offset,
    Relu,
    Requantise,
    Single,
    Table,
    Wrap,
)
from revsim.network.sums import Integers

FEW = 4096
"""Steps up to which a shorter multiplier is looked for; beyond, a rule's own one is taken."""
SEARCHED = 1 << 16
"""Most steps of a function that is no multiply-and-shift."""
EMPTY = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Run:
    """Some of the activations, in order: monotone ones, or a table with all that follows it, or a
    wrap. `low` and `high`, int64 [channels], are the range of what comes in, `low_out` and
    `high_out` that of what goes out."""

    operators: tuple[Single, ...]
    low: Integers
    high: Integers
    low_out: Integers
    high_out: Integers
    steps: tuple[Steps | None, ...] = ()


def runs_of(operators: Sequence[Single], low: Integers, high: Integers) -> tuple[Run, ...]:
    """The activations as runs, for sums in low..high (int64 [channels])."""
    runs: list[Run] = []
    rest = list(operators)
    while rest:
        wide = int((high - low).max()) >= TABLE_LIMIT
        count = 1
        if isinstance(rest[0], Table) or (
            not wide and any(isinstance(o, Table | Wrap) for o in rest)
        ):
            count = len(rest)
        elif not isinstance(rest[0], Wrap):
            while count < len(rest) and not isinstance(rest[count], Table | Wrap):
                count += 1
        taken, rest = tuple(rest[:count]), rest[count:]
        monotone = not any(isinstance(o, Table | Wrap) for o in taken)
        steps: tuple[Steps | None, ...] = (None,) * len(low)
        if monotone:
            known = direct(own(taken, 0)) is not None
            steps = steps_of(taken, low, high, FEW if known else STEP_LIMIT)
        start = low, high
        for operator in taken:
            low, high = operator.bounds(low, high)
        runs.append(Run(taken, *start, low, high, steps))
    return tuple(runs)


def pieces_of(
    runs: Sequence[Run], channel: int, after: Encoding, held: Encoding | None = None
) -> tuple[Piece, ...]:
    """The pieces of one channel; the last ends in the encoding `after`.

    The first says how it wants its value held (`before`; in the encoding `held` where it is given),
    the others take what comes.
    """
    pieces: list[Piece] = []
    for place, run in enumerate(runs):
        operators = own(run.operators, channel)
        low, high = int(run.low[channel]), int(run.high[channel])
        natural = Encoding.unsigned(low, high)
        if place < len(runs) - 1:
            out = Encoding.unsigned(int(run.low_out[channel]), int(run.high_out[channel]))
        else:
            out = after
        if isinstance(operators[0], Wrap) and len(operators) == 1:
            pieces += _wrapped(operators[0], low, high, held, out)
        elif any(isinstance(o, Table | Wrap) for o in operators):
            pieces.append(_tabulated(operators, Value(held or natural, low, high), out))
        else:
            pieces += _monotone(operators, run.steps[channel], low, high, held, out)
        held = pieces[-1].after
    return tuple(pieces)


def _tabulated(operators: tuple[Single, ...], before: Value, out: Encoding) -> Piece:
    """All of the operators on every value at once."""
    values = np.arange(before.low, before.high + 1)[:, None]
    for operator in operators:
        if isinstance(operator, Table):
            low, high = operator.low, operator.low + operator.values.shape[-1] - 1
            if int(values.min()) < low or int(values.max()) > high:
                raise InputError(
                    f"(table) has entries for {low}..{high} and gets {values.min()}..{values.max()}"
                )
        values = operator.apply(values)
    return table(before, out, values[:, 0] - out.offset)


def _wrapped(
    operator: Wrap, low: int, high: int, held: Encoding | None, out: Encoding
) -> list[Piece]:
    """The low wires of a register whose offset is a multiple of 2^bits."""
    encoding, pieces = _aligned(held, 1 << operator.bits, low, high)
    ends = operator.bounds(np.array([low]), np.array([high]))
    low_out, high_out = int(ends[0][0]), int(ends[1][0])
    plain = Encoding.unsigned(0, high_out)
    wires = [k if k < encoding.width else -1 for k in range(plain.width)]
    pieces.append(moved(f"wrap to {operator.bits} bits", Value(encoding, low, high), plain, wires))
    if plain != out:
        pieces += _moved_by(Value(plain, low_out, high_out), out)
    return pieces


def _aligned(
    held: Encoding | None, block: int, low: int, high: int
) -> tuple[Encoding, list[Piece]]:
    """An encoding whose offset is a multiple of `block`, and what leads there."""
    wanted = Encoding.unsigned(low // block * block, high)
    if held is None or held.offset % block == 0:
        return held or wanted, []
    return wanted, _moved_by(Value(held, low, high), wanted)


def _moved_by(before: Value, out: Encoding) -> list[Piece]:
    """The same integer in another encoding."""
    low, high = before.low, before.high
    steps = Steps(low, high, low - out.offset, high - out.offset, EMPTY, EMPTY)
    return [scaled(before, out, Scale(1, -out.offset, 0), steps)]


def _monotone(
    operators: tuple[Single, ...],
    steps: Steps | None,
    low: int,
    high: int,
    held: Encoding | None,
    out: Encoding,
) -> list[Piece]:
    steps = None if steps is None else steps.minus(out.offset)
    if steps is not None and len(steps.targets) <= FEW:
        return [_stepped(steps, held, out)]
    form = direct(operators)
    if form is not None:
        ends = through(operators, np.array([[low], [high]]))[:, 0] - out.offset
        form = replace(form, b=form.b - (out.offset << form.shift))
        line = Steps(low, high, int(ends[0]), int(ends[1]), EMPTY, EMPTY)
        pieces: list[Piece] = []
        if form.even and held is not None:
            held, pieces = _aligned(held, 2 << form.shift, low, high)
        return [*pieces, _scaled(line, form, held, out)]
    if steps is not None:
        form = _shortest(steps, held)[0]
        if form is not None:
            return [_scaled(steps, form, held, out)]
    for place, operator in enumerate(operators):
        if isinstance(operator, Requantise) and operator.rounding == "tflite_double":
            parts = *operators[:place], *_two_roundings(operator), *operators[place + 1 :]
            return _in_two(parts, place + 1, low, high, held, out)
    if len(operators) > 1:
        return _in_two(operators, 1, low, high, held, out)
    if steps is not None and len(steps.targets) <= SEARCHED:
        return [_searched(steps, held, out)]
    raise InputError(
        f"({operators[0].kind}) has {high - low} values with more than {SEARCHED} uneven steps; "
        "clamp what it gives"
    )


def _two_roundings(operator: Requantise) -> tuple[Requantise, Requantise]:
    """tflite_double by its parts.

    The doubling high multiply divides p = v m, moved by 2^30 or 1 - 2^30, by 2^31 towards 0, which
    is (p + 2^30) >> 31 for either sign; then comes a shift that rounds ties away from 0.
    """
    first = Requantise(
        np.array([31]), "half_up", multiplier=operator.multiplier, left=operator.left
    )
    return first, Requantise(operator.shift, "half_away")


def _in_two(
    operators: tuple[Single, ...],
    cut: int,
    low: int,
    high: int,
    held: Encoding | None,
    out: Encoding,
) -> list[Piece]:
    first, second = operators[:cut], operators[cut:]
    ends = through(first, np.array([[low], [high]]))[:, 0]
    middle = Encoding.unsigned(int(ends[0]), int(ends[1]))
    pieces: list[Piece] = []
    for part, start, stop, before, after in (
        (first, low, high, held, middle),
        (second, int(ends[0]), int(ends[1]), middle, out),
    ):
        (steps,) = steps_of(part, np.array([start]), np.array([stop]))
        pieces += _monotone(part, steps, start, stop, before, after)
    return pieces


def direct(operators: Sequence[Single]) -> Scale | None:
    """The formula that operators are by their own definition, clamps left out; None for others.

    >>> direct((Requantise(np.array([3]), "half_up", np.array([5])), Offset(np.array([2]))))
    Scale(m=5, b=20, shift=3, b_negative=0, even=False, cut=0)
    """
    form = Scale(1, 0, 0)
    for operator in operators:
        if isinstance(operator, Offset):
            form = replace(form, b=form.b + (int(operator.amount[0]) << form.shift))
        elif isinstance(operator, Requantise):
            shift, rounding = int(operator.shift[0]), operator.rounding
            m = 1 if operator.multiplier is None else int(operator.multiplier[0])
            m <<= 0 if operator.left is None else int(operator.left[0])
            rounded = scale_of(
                power_of_two(shift, "floor" if rounding == "tflite_double" else rounding)
            )
            signed = bool(rounded.b_negative) or rounded.even
            known = (form.m, form.shift) == (1, 0) and not (signed and form.b)
            if not known or rounding == "tflite_double" or m == 0 or (rounded.even and m > 1):
                return None
            form = replace(rounded, m=m, b=rounded.b + m * form.b)
        elif not isinstance(operator, Clamp | Relu):
            return None
    return form


def _stepped(steps: Steps, held: Encoding | None, out: Encoding) -> Piece:
    """A function of known steps, in the cheapest form; targets are raw contents of the result."""
    low, high = steps.low, steps.high
    if not len(steps.targets):
        encoding = held or Encoding.unsigned(low, high)
        return constant(Value(encoding, low, high), out, steps.first)
    different = len(np.unique(steps.positions))
    if different == 1:
        return _searched(steps, held, out)
    form, toffolis = _shortest(steps, held)
    width = (high - low).bit_length()
    levels = different.bit_length()
    search = (levels - 1) * width + (1 << levels) - levels - 1
    if form is None or search < toffolis + _clamps(steps, form):
        return _searched(steps, held, out)
    return _scaled(steps, form, held, out)


def _shortest(steps: Steps, held: Encoding | None) -> tuple[Scale | None, int]:
    """The cheapest form for a register held so, and its Toffolis."""
    found = shortest_scale(steps, None if held is None else held.offset)
    if found is None or (held is not None and found[0].even and held.offset):
        return None, 0  # the parity of v is not that of its register
    return found


def _clamps(steps: Steps, form: Scale) -> int:
    """About what the ends of a form cost: a comparison with what lies above the last value."""
    top = int(form.bounds(np.array([steps.high]))[1][0])
    return max(0, top.bit_length() - steps.last.bit_length()) if top > steps.last else 0


def _searched(steps: Steps, held: Encoding | None, out: Encoding) -> Piece:
    """The first comparison is free where the register's top bit can be its answer."""
    encoding = held
    if encoding is None:
        positions = np.unique(steps.positions)
        middle = (1 << (len(positions).bit_length() - 1)) - 1
        encoding = Encoding.signed(steps.low, steps.high, int(positions[middle]))
    return searched(Value(encoding, steps.low, steps.high), out, steps)


def _scaled(steps: Steps, form: Scale, held: Encoding | None, out: Encoding) -> Piece:
    low, high = steps.low, steps.high
    encoding = held
    if encoding is None:
        two_sided = bool(form.b_negative) or form.even
        if form.m == 1 and not two_sided:  # the constant joins that of the sum
            offset = -form.b
            encoding = (
                Encoding.unsigned(offset, high)
                if low >= offset
                else Encoding.signed(low, high, offset)
            )
        elif two_sided:
            encoding = Encoding.unsigned(0, high) if low >= 0 else Encoding.signed(low, high)
        else:
            encoding = Encoding.unsigned(low, high)
    return scaled(Value(encoding, low, high), out, form, steps)
