"""Cell programs: what one output of an elementwise operator computes, on words (words.py).

A program is a frozen dataclass of parameters that is called with the operations and its arguments
and gives a tuple of words. It is written once: `Numbers` runs it on NumPy, `lower/words.py` makes
gates of it. Further programs: order (cells_order.py), division (cells_division.py), the
quantised operators of TensorFlow Lite (cells_tflite.py, softmax.py) and of ONNX (cells_onnx.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Final

import numpy as np

from revsim.errors import InputError
from revsim.network.operators import Single
from revsim.network.sums import Integers
from revsim.network.words import Numbers, Ops, Program, V, Word

RELATIONS: Final = ("less", "less_or_equal", "greater", "greater_or_equal", "equal", "not_equal")


@dataclass(frozen=True)
class Overflow:
    """What becomes of a result: its low `bits` bits, signed or not; exact where `bits` is 0."""

    bits: int = 0
    signed: bool = True

    def of(self, ops: Ops[V], word: Word[V]) -> Word[V]:
        """The word as it is stored."""
        return ops.wrap(word, self.bits, self.signed) if self.bits else word


EXACT: Final = Overflow()


@dataclass(frozen=True)
class Sum:
    """The sum of all arguments times `weights` (all 1 where empty), plus `constant`.

    >>> run_cells(Sum((1, -1)), [(-8, 7), (-8, 7)], np.array([[3, 5]])).tolist()
    [[-2]]
    """

    weights: tuple[int, ...] = ()
    constant: int = 0
    overflow: Overflow = EXACT

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        weights = self.weights or (1,) * len(words)
        total = ops.sum(list(zip(weights, words, strict=True)), self.constant)
        return (self.overflow.of(ops, total),)


@dataclass(frozen=True)
class Product:
    """The product of all arguments, reduced after each multiplication."""

    overflow: Overflow = EXACT

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        total = words[0]
        for word in words[1:]:
            total = self.overflow.of(ops, ops.multiply(total, word))
        return (total,)


@dataclass(frozen=True)
class Elementwise:
    """Operators on single values (operators.py, scales.py) in turn, parameters of shape [1].

    QUANTIZE is Offset, Requantise, Offset, Clamp; LOGISTIC and TANH of 8 bits are a Table.
    """

    operators: tuple[Single, ...]

    def __call__(self, ops: Ops[V], word: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        for operator in self.operators:
            word = ops.single(operator, word)
        return (word,)


@dataclass(frozen=True)
class Composed:
    """Programs in turn, each given what the one before it makes.

    >>> from revsim.network.operators import Divide
    >>> both = Composed((Sum(), Elementwise((Divide(np.array([2])),))))
    >>> run_cells(both, [(-8, 7), (-8, 7)], np.array([[3, 4]])).tolist()
    [[4]]
    """

    programs: tuple[Program, ...]

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """The words of the last program."""
        made = words
        for program in self.programs:
            made = tuple(program(ops, *made))
        return made


@dataclass(frozen=True)
class Clip:
    """min(max(x, low), high); with three arguments the ends are words: x, low, high."""

    low: int | None = None
    high: int | None = None

    def __call__(self, ops: Ops[V], word: Word[V], *ends: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        low = ends[0] if ends else None if self.low is None else ops.constant(self.low)
        high = ends[1] if ends else None if self.high is None else ops.constant(self.high)
        if low is not None:
            word = ops.greatest(word, low)
        return (word if high is None else ops.least(word, high),)


@dataclass(frozen=True)
class Negative:
    """-x."""

    overflow: Overflow = EXACT

    def __call__(self, ops: Ops[V], word: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        return (self.overflow.of(ops, ops.sum([(-1, word)])),)


@dataclass(frozen=True)
class Absolute:
    """|x|; wrapped, the least number is its own absolute value."""

    overflow: Overflow = EXACT

    def __call__(self, ops: Ops[V], word: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        return (self.overflow.of(ops, absolute(ops, word)),)


def absolute(ops: Ops[V], word: Word[V]) -> Word[V]:
    """|x|: the complement of a negative number's bits, plus one."""
    if word.low >= 0:
        return word
    negative = ops.less(word, ops.constant(0))
    turned = ops.select(negative, ops.sum([(-1, word)]), word)
    least = 0 if word.high >= 0 else -word.high
    return ops.narrowed(turned, least, max(-word.low, word.high))


@dataclass(frozen=True)
class Signum:
    """-1, 0 or 1."""

    def __call__(self, ops: Ops[V], word: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        zero = ops.constant(0)
        positive, negative = ops.less(zero, word), ops.less(word, zero)
        return (ops.narrowed(ops.subtract(positive, negative), -1, 1),)


@dataclass(frozen=True)
class Compare:
    """Whether first RELATION second: 1 or 0. `relation`: one of RELATIONS.

    >>> run_cells(Compare("less"), [(0, 9), (0, 9)], np.array([[3, 5], [5, 5]])).tolist()
    [[1], [0]]
    """

    relation: str

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise InputError(
                f"comparison {self.relation!r} is unknown; choose one of {', '.join(RELATIONS)}"
            )

    def __call__(self, ops: Ops[V], a: Word[V], b: Word[V]) -> tuple[Word[V], ...]:
        """One word in 0..1."""
        if self.relation in ("greater", "less_or_equal"):
            a, b = b, a
        if self.relation in ("equal", "not_equal"):
            found = ops.equal(a, b)
        else:
            found = ops.less(a, b)
        opposite = self.relation in ("less_or_equal", "greater_or_equal", "not_equal")
        return (ops.invert(found) if opposite else found,)


@dataclass(frozen=True)
class Where:
    """Second argument where the first, a word in 0..1, is 1, else the third."""

    def __call__(self, ops: Ops[V], c: Word[V], a: Word[V], b: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        return (ops.select(c, a, b),)


@dataclass(frozen=True)
class Bitwise:
    """`and`, `or`, `xor` of all arguments in two's complement; on words in 0..1, the logic."""

    rule: str

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        found = words[0]
        for word in words[1:]:
            found = ops.bitwise(self.rule, found, word)
        return (found,)


@dataclass(frozen=True)
class Complement:
    """Every bit inverted: -1 - x, or 2^bits - 1 - x of an unsigned number (bits=1: logical not)."""

    bits: int = 0

    def __call__(self, ops: Ops[V], word: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        return (ops.sum([(-1, word)], (1 << self.bits) - 1 if self.bits else -1),)


@dataclass(frozen=True)
class Shift:
    """x shifted left by the second argument (right, rounding down, where `right`).

    Without a second argument by `places`. A shift of `overflow.bits` or more leaves 0 (-1 where a
    negative number goes right). The second argument is never negative.
    """

    right: bool = False
    places: int = 0
    overflow: Overflow = EXACT

    def __call__(self, ops: Ops[V], word: Word[V], *by: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        if not by:
            return (self._fixed(ops, word, self.places),)
        if by[0].low < 0:
            raise InputError(f"a shift by {by[0].low}..{by[0].high} places; it must be 0 or more")
        for k in range(by[0].high.bit_length()):
            word = ops.select(ops.bit(by[0], k), self._fixed(ops, word, 1 << k), word)
        return (word,)

    def _fixed(self, ops: Ops[V], word: Word[V], places: int) -> Word[V]:
        if self.right:
            return ops.shift_right(word, min(places, 62))
        if self.overflow.bits and places >= self.overflow.bits:
            return ops.constant(0)
        return self.overflow.of(ops, ops.sum([(1 << places, word)]))


# --- programs beside the circuit -----------------------------------------------------------------


def run_cells(program: Program, ranges: Sequence[tuple[int, int]], values: Integers) -> Integers:
    """A program on integers: int64 [rows, arguments] to int64 [rows, words of the result].

    `ranges` are the declared ends of each argument.
    """
    ops = Numbers()
    given = [ops.given(values[:, k], *ends) for k, ends in enumerate(ranges)]
    made = [np.broadcast_to(word.value, len(values)) for word in program(ops, *given)]
    return np.stack(made, axis=1)


def program_bytes(program: object) -> bytes:
    """Name and parameters of a program, arrays in full: equal bytes, equal function."""
    out = type(program).__name__.encode() + b"("
    for field in fields(program):  # type: ignore[arg-type]
        out += field.name.encode() + b"=" + _value_bytes(getattr(program, field.name)) + b","
    return out + b")"


def _value_bytes(value: object) -> bytes:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}".encode() + value.tobytes()
    if isinstance(value, tuple):
        return b"[" + b";".join(_value_bytes(v) for v in value) + b"]"
    return program_bytes(value) if is_dataclass(value) else repr(value).encode()
