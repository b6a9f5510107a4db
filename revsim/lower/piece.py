"""Pieces of an activation: one function of a value, forward, with the result written last.

`start(builder, value)` computes what is needed on fresh wires and gives the function that then
XORs the result into given wires. Undone afterwards it is a stage or part of a copy; left standing
it is the forward program from which a conventional netlist is made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from revsim.blocks.columns import Terms, sum_columns, weighted_bits
from revsim.blocks.compare import at_least_constant_open
from revsim.blocks.lookup import lookup
from revsim.circuit.builder import Builder
from revsim.circuit.registers import Encoding, Integers, Wires
from revsim.lower.scale import Scale
from revsim.lower.stage import Stage, Value, nothing
from revsim.lower.steps import Steps

Write = Callable[[Wires], None]
Start = Callable[[Builder, Wires], Write]


@dataclass(frozen=True, eq=False)
class Piece:
    """A function of a value held as `before`; the result, in the encoding `after`, is unsigned.

    `wires`: where the result is but a choice of the value's wires, which one holds each of its
    bits, -1 for a bit that is always 0; `flips`: which of its bits are then complemented.
    `reads` is false where the value does not matter.
    """

    name: str
    before: Value
    after: Encoding
    start: Start
    wires: tuple[int, ...] | None = None
    flips: tuple[int, ...] = ()
    reads: bool = True

    def forward(self, b: Builder, value: Wires) -> Wires:
        """The result on fresh wires, nothing undone."""
        write = self.start(b, value)
        result = b.local("result", self.after.width)
        write(result)
        return result

    def stage(self, cause: str) -> Stage:
        """The same in place: the old value is garbage where the result is not part of it."""
        width, result = self.before.encoding.width, self.after.width
        if self.wires is not None:
            return self._moved(cause)

        def emit(b: Builder, value: Wires, fresh: Wires) -> None:
            begin = b.mark()
            write = self.start(b, value)
            end = b.mark()
            write(fresh)
            b.undo(begin, end)

        kept = tuple(range(width, width + result))
        old = tuple(range(width))
        return Stage(
            self.name, cause, width, result, emit, kept, self.after, old, before=self.before
        )

    def _moved(self, cause: str) -> Stage:
        assert self.wires is not None
        width, zeros = self.before.encoding.width, self.wires.count(-1)
        fresh = iter(range(width, width + zeros))
        value = tuple(w if w >= 0 else next(fresh) for w in self.wires)
        left = tuple(w for w in range(width) if w not in value)
        flipped = list(self.flips)

        def emit(b: Builder, wires: Wires, fresh: Wires) -> None:
            b.x(np.concatenate([wires, fresh])[list(value)][flipped])

        gates = emit if flipped else nothing
        return Stage(
            self.name, cause, width, zeros, gates, value, self.after, left, before=self.before
        )


def moved(
    name: str, before: Value, after: Encoding, wires: Sequence[int], flips: Sequence[int] = ()
) -> Piece:
    """A piece whose result is a choice of wires."""
    held = np.flatnonzero(np.array(wires) >= 0)
    places = np.array(wires, dtype=np.int64)[held]
    flipped = list(flips)

    def start(b: Builder, value: Wires) -> Write:
        def write(y: Wires) -> None:
            b.cx(value[places], y[held])
            b.x(y[flipped])

        return write

    return Piece(name, before, after, start, tuple(wires), tuple(flips))


def constant(before: Value, after: Encoding, number: int) -> Piece:
    """The same result for every value: nothing but NOTs."""

    def start(b: Builder, value: Wires) -> Write:
        return lambda y: b.x(y[_ones(number)])

    return Piece(f"always {number + after.offset}", before, after, start, reads=False)


def table(before: Value, after: Encoding, entries: Integers) -> Piece:
    """entries[v - before.low], int64, as raw contents of the result, by a lookup."""
    raw = before.encoding.encode(np.arange(before.low, before.high + 1)).astype(np.int64)
    bits = before.encoding.width
    whole = np.zeros(1 << bits, dtype=np.int64)
    whole[raw] = entries

    def start(b: Builder, value: Wires) -> Write:
        return lambda y: lookup(b, value, y, whole)

    return Piece(f"table of {len(entries)} entries", before, after, start)


def scaled(before: Value, after: Encoding, form: Scale, steps: Steps) -> Piece:
    """A form, clipped to first..last: raw contents of the result; columns, then a clamp.

    The columns cost what `sum_columns` does; a side that clamps takes one comparison with a
    constant, none where the sign tells, and the value goes out through one Toffoli per bit.
    """
    ends = [v for v in (before.low, -1, 0, before.high) if before.low <= v <= before.high]
    reached = np.concatenate(form.bounds(np.array(ends)))
    lowest, highest = int(reached.min()), int(reached.max())
    width = max(int(v if v >= 0 else ~v).bit_length() for v in (lowest, highest)) + (lowest < 0)
    name = f"scale {form.m}/2^{form.shift}"
    first, last = max(lowest, steps.first), min(highest, steps.last)
    if (first, last) == (lowest, highest):
        cut = _plain_shift(before, form)
        if cut is not None:
            held = before.encoding.width - cut
            wires = [cut + k if k < held else -1 for k in range(after.width)]
            return moved(name, before, after, wires)

    def start(b: Builder, value: Wires) -> Write:
        drop = form.shift - form.cut
        terms = _terms(b, value, before.encoding, form)
        if form.m == 1 and terms.constant == 0 and not (form.even or form.b_negative):
            total = value[drop : drop + width]  # a register is no narrower than its values
        else:
            total = sum_columns(b, terms, drop + width)[drop:]
        return clipped(b, total, lowest, highest, first, last)

    return Piece(name, before, after, start)


def clipped(b: Builder, total: Wires, lowest: int, highest: int, first: int, last: int) -> Write:
    """y ^= min(max(total, first), last) for a total in lowest..highest, two's complement where
    lowest < 0 and unsigned elsewhere; 0 <= first <= last. `total` may be changed until undone."""
    bias = 0
    if lowest < 0:
        bias = 1 << (len(total) - 1)
        b.x(total[-1:])
    above = at_least_constant_open(b, total, last + 1 + bias) if highest > last else -1
    reached = at_least_constant_open(b, total, first + bias) if lowest < first else -1
    ends = [wire for wire in (above, reached) if wire >= 0]
    inside = reached
    if above >= 0:
        wire = b.local("inside")
        b.cx(ends, np.full(len(ends), wire[0]))
        if reached < 0:
            b.x(wire)
        inside = int(wire[0])

    def write(y: Wires) -> None:
        bits = min(len(y), len(total) - (bias > 0), last.bit_length())
        if not ends:
            b.cx(total[:bits], y[:bits])
            return
        others = np.flatnonzero(total[:bits] != inside)
        b.ccx(inside, total[others], y[others])
        if len(others) < bits:  # the top bit tells whether `first` is reached
            b.cx(inside, y[bits - 1])
        if above >= 0:
            b.cx(above, y[_ones(last)])
        if reached >= 0 and first:
            b.x(y[_ones(first)])
            b.cx(reached, y[_ones(first)])

    return write


def searched(before: Value, after: Encoding, steps: Steps) -> Piece:
    """Any monotone function: its step found bit by bit, each by one comparison.

    Of 2^n - 1 steps the middle one is compared first; which one comes next is looked up by what
    is known so far. n comparisons and small tables, where every step compared would take 2^n - 1.
    """
    positions, counts = np.unique(steps.positions, return_counts=True)
    values = steps.first + np.append(0, np.cumsum(counts))
    bits = len(positions).bit_length()
    padded = np.append(values, np.full((1 << bits) - len(values), values[-1]))
    encoding = before.encoding
    signed = before.signed
    # Raw contents that mean at least position k; a step beyond the last is never reached.
    raw = positions - encoding.offset + ((1 << (encoding.width - 1)) if signed else 0)
    raw = np.append(raw, np.full((1 << bits) - 1 - len(raw), 1 << encoding.width))
    changed = int(values[0] ^ values[-1])
    if len(positions) == 1 and 2 * raw[0] == 1 << encoding.width and changed.bit_count() == 1:
        top = changed.bit_length() - 1  # the register's top bit tells, and is all that changes
        wires = [encoding.width - 1 if k == top else -1 for k in range(after.width)]
        flips = _ones(steps.first ^ (changed if signed else 0))
        return moved("threshold", before, after, wires, flips)

    def start(b: Builder, value: Wires) -> Write:
        if signed:
            b.x(value[-1:])
        found = np.array(
            [at_least_constant_open(b, value, int(raw[(1 << (bits - 1)) - 1]))], dtype=np.int32
        )
        for level in range(1, bits):
            step = 1 << (bits - 1 - level)
            limits = raw[step - 1 :: 2 * step]
            found = np.append(_reaches(b, value, found, limits), found)
        if not np.array_equal(values, steps.first | np.arange(len(values))):
            return lambda y: lookup(b, found, y, padded)

        def write(y: Wires) -> None:
            b.cx(found, y[: len(found)])
            b.x(y[_ones(steps.first)])

        return write

    return Piece(f"{len(positions)} steps", before, after, start)


def _reaches(b: Builder, value: Wires, known: Wires, limits: Integers) -> np.int32:
    """A wire that holds value >= limits[known]: the last carry of value + 2^n - limit."""
    n = len(value)
    limit = b.local("limit", n)
    lookup(b, known, limit, (1 << n) - limits)
    weights = np.int64(1) << np.tile(np.arange(n, dtype=np.int64), 2)
    terms = weighted_bits(np.concatenate([value, limit]), weights)
    return np.int32(sum_columns(b, terms, n + 1)[-1])


def _plain_shift(before: Value, form: Scale) -> int | None:
    """How many wires a form drops that does nothing else, None where it does."""
    total = form.m * before.encoding.offset + form.b
    plain = (form.m, form.b_negative, form.even, total) == (1, 0, False, 0)
    return min(form.shift, before.encoding.width) if plain else None


def _terms(b: Builder, value: Wires, encoding: Encoding, form: Scale) -> Terms:
    """A form's sum over 2^cut as weighted bits of the register and, it may be, of a flag."""
    above = [
        sum(-(1 << k) if negative else 1 << k for k, negative in form.digits if k >= form.cut - i)
        for i in range(len(value))
    ]
    weights = np.array(encoding.weights, dtype=np.int64) * np.array(above, dtype=np.int64)
    total = form.m * encoding.offset + form.b
    wires = value
    signed = bool(encoding.weights) and encoding.weights[-1] < 0
    if form.even:  # the offset is a multiple of 2^(shift + 1): bit `shift` is that of v
        place = min(form.shift, len(weights) - 1)
        if form.shift < len(weights) or signed:
            weights[place] += 1
    if form.b_negative and signed and encoding.offset == 0:
        weights[-1] += form.b_negative
    elif form.b_negative:
        flag = at_least_constant_open(b, value, -encoding.offset)
        total += form.b_negative
        inside = np.flatnonzero(value == flag)
        if len(inside):
            weights[inside] -= form.b_negative
        else:
            wires = np.append(value, np.int32(flag))
            weights = np.append(weights, -form.b_negative)
    return weighted_bits(wires.astype(np.int32), weights >> form.cut, total >> form.cut)


def _ones(number: int) -> list[int]:
    return [k for k in range(number.bit_length()) if number >> k & 1]
