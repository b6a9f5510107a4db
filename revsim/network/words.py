"""Words: whole numbers of known range, and the operations of which cell programs are made.

A cell program is written once, against `Ops`. `Numbers` runs it on NumPy integers, which is its
meaning; `lower/words.py` runs the same program on wires, which is its circuit. Ranges are exact
intervals and are the same in both: they are computed here, from the ranges of the arguments alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from revsim.errors import InputError
from revsim.network.operators import Single
from revsim.network.sums import Integers

V = TypeVar("V")
RANGE_LIMIT = 1 << 62


class Program(Protocol):
    """A frozen dataclass of parameters that computes words from words."""

    def __call__(self, ops: Any, *words: Any) -> Sequence[Any]:
        """The outputs of one cell."""


@dataclass(frozen=True, eq=False)
class Word(Generic[V]):
    """A whole number in low..high, held as `value`: an array of integers or a register."""

    value: V
    low: int
    high: int

    @property
    def is_constant(self) -> bool:
        """Whether only one number is possible."""
        return self.low == self.high


class Ops(ABC, Generic[V]):
    """The operations. Arguments and results are words; conditions are words in 0..1.

    Public methods compute ranges (and refuse what leaves 62 bits); the methods with an underscore
    do the work and are what a backend gives.
    """

    # --- what a backend gives -------------------------------------------------------------------

    @abstractmethod
    def _constant(self, number: int) -> V: ...
    @abstractmethod
    def _sum(
        self, weights: Sequence[int], words: Sequence[Word[V]], constant: int, low: int, high: int
    ) -> V: ...
    @abstractmethod
    def _multiply(self, a: Word[V], b: Word[V], low: int, high: int) -> V: ...
    @abstractmethod
    def _shift_right(self, a: Word[V], places: int, low: int, high: int) -> V: ...
    @abstractmethod
    def _less(self, a: Word[V], b: Word[V]) -> V: ...
    @abstractmethod
    def _equal(self, a: Word[V], b: Word[V]) -> V: ...
    @abstractmethod
    def _select(self, condition: Word[V], a: Word[V], b: Word[V], low: int, high: int) -> V: ...
    @abstractmethod
    def _bitwise(self, rule: str, a: Word[V], b: Word[V], low: int, high: int) -> V: ...
    @abstractmethod
    def _low_bits(self, a: Word[V], bits: int) -> V: ...
    @abstractmethod
    def _single(self, operator: Single, a: Word[V], low: int, high: int) -> V: ...

    # --- what programs use ----------------------------------------------------------------------

    def constant(self, number: int) -> Word[V]:
        """A number that is known."""
        return Word(self._constant(int(number)), int(number), int(number))

    def sum(self, terms: Sequence[tuple[int, Word[V]]], constant: int = 0) -> Word[V]:
        """constant + sum of weight * word."""
        low = high = int(constant)
        for weight, word in terms:
            ends = weight * word.low, weight * word.high
            low, high = low + min(ends), high + max(ends)
        weights = [int(w) for w, _ in terms]
        words = [w for _, w in terms]
        return self._made(self._sum(weights, words, int(constant), low, high), low, high)

    def add(self, a: Word[V], b: Word[V]) -> Word[V]:
        """a + b."""
        return self.sum([(1, a), (1, b)])

    def subtract(self, a: Word[V], b: Word[V]) -> Word[V]:
        """a - b."""
        return self.sum([(1, a), (-1, b)])

    def multiply(self, a: Word[V], b: Word[V]) -> Word[V]:
        """a * b."""
        ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
        low, high = min(ends), max(ends)
        return self._made(self._multiply(a, b, low, high), low, high)

    def shift_right(self, a: Word[V], places: int) -> Word[V]:
        """floor(a / 2^places)."""
        low, high = a.low >> places, a.high >> places
        return self._made(self._shift_right(a, places, low, high), low, high)

    def less(self, a: Word[V], b: Word[V]) -> Word[V]:
        """1 where a < b, else 0."""
        if a.high < b.low or a.low >= b.high:
            return self.constant(int(a.high < b.low))
        return Word(self._less(a, b), 0, 1)

    def equal(self, a: Word[V], b: Word[V]) -> Word[V]:
        """1 where a == b, else 0."""
        if a.high < b.low or b.high < a.low:
            return self.constant(0)
        if a.is_constant and b.is_constant:
            return self.constant(1)
        return Word(self._equal(a, b), 0, 1)

    def invert(self, condition: Word[V]) -> Word[V]:
        """1 - condition."""
        return self.sum([(-1, condition)], 1)

    def select(self, condition: Word[V], a: Word[V], b: Word[V]) -> Word[V]:
        """a where the condition is 1, else b."""
        if condition.is_constant:
            return a if condition.low else b
        low, high = min(a.low, b.low), max(a.high, b.high)
        return self._made(self._select(condition, a, b, low, high), low, high)

    def least(self, a: Word[V], b: Word[V]) -> Word[V]:
        """min(a, b)."""
        chosen = self.select(self.less(b, a), b, a)
        return self.narrowed(chosen, min(a.low, b.low), min(a.high, b.high))

    def greatest(self, a: Word[V], b: Word[V]) -> Word[V]:
        """max(a, b)."""
        chosen = self.select(self.less(a, b), b, a)
        return self.narrowed(chosen, max(a.low, b.low), max(a.high, b.high))

    def bitwise(self, rule: str, a: Word[V], b: Word[V]) -> Word[V]:
        """`and`, `or`, `xor` of two's complement numbers, as wide as the wider one needs."""
        if rule not in ("and", "or", "xor"):
            raise InputError(f"bitwise {rule!r}; choose and, or, xor")
        bits = max(_bits(v) for v in (a.low, a.high, b.low, b.high))
        signed = min(a.low, b.low) < 0
        low, high = (-(1 << bits) if signed else 0), (1 << bits) - 1
        return self._made(self._bitwise(rule, a, b, low, high), low, high)

    def wrap(self, a: Word[V], bits: int, signed: bool) -> Word[V]:
        """The number that the low `bits` bits of a stand for, unsigned or two's complement."""
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
        if low <= a.low and a.high <= high:
            return a
        if a.is_constant:
            number = a.low & ((1 << bits) - 1)
            return self.constant(number - (1 << bits) if number > high else number)
        raw = self._made(self._low_bits(a, bits), 0, (1 << bits) - 1)
        if not signed:
            return raw
        half = 1 << (bits - 1)
        turned = Word(self._low_bits(self.sum([(1, raw)], half), bits), 0, (1 << bits) - 1)
        return self.sum([(1, turned)], -half)

    def single(self, operator: Single, a: Word[V]) -> Word[V]:
        """An operator on one value (operators.py), its parameters of shape [1]."""
        ends = operator.bounds(np.array([a.low]), np.array([a.high]))
        low, high = int(ends[0][0]), int(ends[1][0])
        return self._made(self._single(operator, a, low, high), low, high)

    def call(self, program: Program, *words: Word[V]) -> tuple[Word[V], ...]:
        """program(self, *words), as one unit: on wires, equal calls share one definition."""
        return tuple(program(self, *words))

    def bit(self, a: Word[V], place: int) -> Word[V]:
        """Bit `place` of a, two's complement below 0: a word in 0..1."""
        return self.wrap(self.shift_right(a, place), 1, signed=False)

    def narrowed(self, a: Word[V], low: int, high: int) -> Word[V]:
        """The same number, promised by the program's author to lie in low..high wherever a result
        depends on it."""
        return Word(a.value, max(a.low, low), min(a.high, high))

    @staticmethod
    def _made(value: V, low: int, high: int) -> Word[V]:
        if max(-low, high) >= RANGE_LIMIT:
            raise InputError(f"a number may reach {low}..{high}, which leaves 62 bits")
        return Word(value, low, high)


class Numbers(Ops[Integers]):
    """Words as NumPy integers, all lanes at once.

    >>> ops = Numbers()
    >>> a = ops.given(np.array([3, -4]), -8, 7)
    >>> absolute = ops.greatest(a, ops.sum([(-1, a)]))
    >>> absolute.value.tolist(), (absolute.low, absolute.high)
    ([3, 4], (-7, 8))
    """

    def given(self, values: Integers, low: int, high: int) -> Word[Integers]:
        """An argument."""
        return Word(np.asarray(values, dtype=np.int64), low, high)

    def _constant(self, number: int) -> Integers:
        return np.array(number, dtype=np.int64)

    def _sum(
        self,
        weights: Sequence[int],
        words: Sequence[Word[Integers]],
        constant: int,
        low: int,
        high: int,
    ) -> Integers:
        total = np.array(constant, dtype=np.int64)
        for weight, word in zip(weights, words, strict=True):
            total = total + weight * word.value
        return total

    def _multiply(self, a: Word[Integers], b: Word[Integers], low: int, high: int) -> Integers:
        return a.value * b.value

    def _shift_right(self, a: Word[Integers], places: int, low: int, high: int) -> Integers:
        return np.asarray(a.value >> places)

    def _less(self, a: Word[Integers], b: Word[Integers]) -> Integers:
        return (a.value < b.value).astype(np.int64)

    def _equal(self, a: Word[Integers], b: Word[Integers]) -> Integers:
        return np.asarray(a.value == b.value, dtype=np.int64)

    def _select(
        self, condition: Word[Integers], a: Word[Integers], b: Word[Integers], low: int, high: int
    ) -> Integers:
        return np.where(condition.value == 1, a.value, b.value)

    def _bitwise(
        self, rule: str, a: Word[Integers], b: Word[Integers], low: int, high: int
    ) -> Integers:
        operation = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}[rule]
        return np.asarray(operation(a.value, b.value), dtype=np.int64)

    def _low_bits(self, a: Word[Integers], bits: int) -> Integers:
        return a.value & np.int64((1 << bits) - 1)

    def _single(self, operator: Single, a: Word[Integers], low: int, high: int) -> Integers:
        return np.asarray(operator.apply(a.value[..., None])[..., 0])


def _bits(number: int) -> int:
    """Bits of a two's complement number beside its sign."""
    return (number if number >= 0 else ~number).bit_length()
