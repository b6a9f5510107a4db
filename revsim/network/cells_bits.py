"""Programs of bit patterns and of floats by their codes, for operators of ONNX."""

from dataclasses import dataclass

from revsim.network.words import Ops, Program, V, Word


@dataclass(frozen=True)
class AnyShift:
    """x shifted by y places within `bits` bits, y of any sign.

    A y below 0 or from `bits` on leaves 0, and -1 of a negative number that goes right: ONNX
    BitShift.
    """

    bits: int
    signed: bool
    right: bool

    def __call__(self, ops: Ops[V], x: Word[V], y: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        within = ops.wrap(y, self.bits, signed=False)
        beyond = ops.less(ops.constant(self.bits - 1), within)
        emptied, out = ops.constant(0), x
        for k in range((self.bits - 1).bit_length()):
            if self.right:
                moved = ops.shift_right(out, 1 << k)
            else:
                moved = ops.wrap(ops.sum([(1 << (1 << k), out)]), self.bits, self.signed)
            out = ops.select(ops.bit(within, k), moved, out)
        if self.right and self.signed:
            emptied = ops.sum([(-1, ops.less(x, ops.constant(0)))])
        return (ops.select(beyond, emptied, out),)


@dataclass(frozen=True)
class Same:
    """x, for changes of form alone."""

    def __call__(self, ops: Ops[V], x: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        del ops
        return (x,)


@dataclass(frozen=True)
class Wrapped:
    """The number that x's low bits stand for in another type: a cast between integers."""

    bits: int
    signed: bool

    def __call__(self, ops: Ops[V], x: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        return (ops.wrap(x, self.bits, self.signed),)


@dataclass(frozen=True)
class Truth:
    """1 where x is not 0 (of floats: neither of the zeros)."""

    floats: bool = False

    def __call__(self, ops: Ops[V], x: Word[V]) -> tuple[Word[V], ...]:
        """One word in 0..1."""
        if self.floats:
            x = merged(ops, x)
        return (ops.invert(ops.equal(x, ops.constant(0))),)


@dataclass(frozen=True)
class Power:
    """x to a whole power from 0 on, wrapped after each product."""

    exponent: int
    bits: int
    signed: bool

    def __call__(self, ops: Ops[V], x: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        made = ops.constant(1)
        for digit in bin(self.exponent)[2:]:
            made = ops.wrap(ops.multiply(made, made), self.bits, self.signed)
            if digit == "1":
                made = ops.wrap(ops.multiply(made, x), self.bits, self.signed)
        return (made,)


@dataclass(frozen=True)
class Running:
    """The sums (products) of the first 1, 2, ... arguments, wrapped; `exclusive` leaves each out
    of its own, `backward` goes from the last to the first."""

    product: bool
    exclusive: bool
    backward: bool
    bits: int
    signed: bool

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """As many words as arguments."""
        total, out = ops.constant(int(self.product)), []
        for word in reversed(words) if self.backward else words:
            longer = ops.multiply(total, word) if self.product else ops.add(total, word)
            longer = ops.wrap(longer, self.bits, self.signed)
            out.append(total if self.exclusive else longer)
            total = longer
        return tuple(reversed(out)) if self.backward else tuple(out)


@dataclass(frozen=True)
class Between:
    """min(max(x, low), high) with the ends as arguments behind x, each of them only if it is used.

    Where low exceeds high the result is high.
    """

    low: bool
    high: bool

    def __call__(self, ops: Ops[V], x: Word[V], *ends: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        if self.low:
            x = ops.greatest(x, ends[0])
        return (ops.least(x, ends[-1]) if self.high else x,)


@dataclass(frozen=True)
class Chosen:
    """Second argument where the first, an index, is one of `numbers`, else the third (OneHot)."""

    numbers: tuple[int, ...]

    def __call__(self, ops: Ops[V], x: Word[V], on: Word[V], off: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        found = ops.constant(0)
        for number in self.numbers:
            found = ops.bitwise("or", found, ops.equal(x, ops.constant(number)))
        return (ops.select(ops.narrowed(found, 0, 1), on, off),)


@dataclass(frozen=True)
class IndexedGreatest:
    """The label of the greatest value, the first of equal ones: n values, then their n labels."""

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        count = len(words) // 2
        best, label = words[0], words[count]
        for word, other in zip(words[1:count], words[count + 1 :], strict=True):
            wins = ops.less(best, word)
            best, label = ops.select(wins, word, best), ops.select(wins, other, label)
        return (label,)


# --- floats by their codes (network/floats.py) --------------------------------------------------


@dataclass(frozen=True)
class ZerosMerged:
    """A program that takes -0.0 for 0.0, as comparisons do."""

    program: Program

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """What the program makes."""
        return tuple(self.program(ops, *(merged(ops, word) for word in words)))


def merged(ops: Ops[V], code: Word[V]) -> Word[V]:
    """The code, -1 turned into 0."""
    return ops.add(code, ops.equal(code, ops.constant(-1)))


@dataclass(frozen=True)
class FloatMagnitude:
    """|x|: the sign is dropped."""

    def __call__(self, ops: Ops[V], x: Word[V]) -> tuple[Word[V], ...]:
        """One code."""
        negative = ops.less(x, ops.constant(0))
        size = ops.select(negative, ops.sum([(-1, x)], -1), x)
        return (ops.narrowed(size, 0, max(-1 - x.low, x.high)),)


@dataclass(frozen=True)
class FloatSignum:
    """The code of -1.0, 0.0 or 1.0, `one` being that of the last."""

    one: int

    def __call__(self, ops: Ops[V], x: Word[V]) -> tuple[Word[V], ...]:
        """One code."""
        zero, one, minus = ops.constant(0), ops.constant(self.one), ops.constant(-1 - self.one)
        below = ops.less(x, ops.constant(-1))
        return (ops.select(below, minus, ops.select(ops.less(zero, x), one, zero)),)
