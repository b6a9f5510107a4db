"""Cell programs on numbers of any length: words of 32 bits, one behind the other.

A graph holds numbers of at most 62 bits, while models have int64, uint64 and float64. A value of
these types takes two words of a tensor, `PAIR`: its low 32 bits, and its high 32 bits plus 2^31
where the type is signed, both in 0..2^32-1. `Wide` runs a program written for single words on
them, by an `Ops` whose words are themselves made of words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from revsim.errors import InputError
from revsim.network.operators import Single
from revsim.network.words import RANGE_LIMIT, Ops, Program, V, Word

LIMB = 32
HALF = 16
PAIR = (0, (1 << LIMB) - 1)
"""Ends of the words of a value that takes two."""

Limbs = tuple[Word[V], ...]
"""sum of limb[k] * 2^(32 k); all but the last lie in 0..2^32-1, the last carries the sign."""


@dataclass(frozen=True)
class Wide:
    """A program whose arguments and results may take two words each.

    `arguments` and `results` say of each one: `word`, or `signed` or `unsigned` for a pair.

    >>> import numpy as np
    >>> from revsim.network.cells import Overflow, Sum, run_cells
    >>> add = Wide(Sum((), 0, Overflow(64, False)), ("unsigned", "unsigned"), ("unsigned",))
    >>> run_cells(add, [PAIR] * 4, np.array([[2**32 - 1, 7, 1, 0]])).tolist()
    [[0, 8]]
    """

    program: Program
    arguments: tuple[str, ...]
    results: tuple[str, ...]

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """One or two words a result."""
        wide, left, given = WideOps(ops), list(words), []
        for form in self.arguments:
            if form == "word":
                given.append(wide.given(left.pop(0)))
            else:
                given.append(wide.pair(left.pop(0), left.pop(0), form == "signed"))
        out: list[Word[V]] = []
        for form, made in zip(self.results, self.program(wide, *given), strict=True):
            out += wide.taken(made, form)
        return tuple(out)


class WideOps(Ops[Limbs[V]], Generic[V]):
    """Operations on numbers of any length, by operations on their limbs."""

    def __init__(self, ops: Ops[V]) -> None:
        self.ops = ops

    # --- between words and limbs ----------------------------------------------------------------

    def given(self, word: Word[V]) -> Word[Limbs[V]]:
        """A word as a number."""
        return Word(self._cut([word]), word.low, word.high)

    def pair(self, low: Word[V], high: Word[V], signed: bool) -> Word[Limbs[V]]:
        """A number from its two words."""
        half = 1 << (LIMB - 1) if signed else 0
        top = self.ops.sum([(1, high)], -half)
        return Word((low, top), -half << LIMB, ((1 << LIMB) - half << LIMB) - 1)

    def taken(self, number: Word[Limbs[V]], form: str) -> list[Word[V]]:
        """The words of a number in one of the forms of `Wide`."""
        if form == "word":
            limbs = number.value
            if len(limbs) == 1:
                return [self.ops.narrowed(limbs[0], number.low, number.high)]
            terms = [(1 << (LIMB * k), limb) for k, limb in enumerate(limbs)]
            return [self.ops.narrowed(self.ops.sum(terms), number.low, number.high)]
        low, high = self._extended(number.value, 2)
        half = 1 << (LIMB - 1) if form == "signed" else 0
        return [low, self.ops.narrowed(self.ops.sum([(1, high)], half), *PAIR)]

    def _cut(self, columns: Sequence[Word[V]]) -> Limbs[V]:
        """Columns of any length, worth 2^(32 k) each, as limbs: carries go on."""
        ops, carry = self.ops, None
        limbs: list[Word[V]] = []
        pending = list(columns)
        while pending or (carry is not None):
            terms = [(1, pending.pop(0))] if pending else []
            terms += [] if carry is None else [(1, carry)]
            column = terms[0][1] if len(terms) == 1 else ops.sum(terms)
            if not pending and -PAIR[1] - 1 <= column.low and column.high <= PAIR[1]:
                return (*limbs, column)
            limbs.append(ops.wrap(column, LIMB, signed=False))
            carry = ops.shift_right(column, LIMB)
        return tuple(limbs)

    def _extended(self, limbs: Limbs[V], count: int) -> Limbs[V]:
        """As many limbs as are wanted, the sign going on; more are dropped where they hold none."""
        ops, out = self.ops, list(limbs[:count])
        while len(out) < count:
            top = out[-1]
            out[-1] = ops.wrap(top, LIMB, signed=False)
            out.append(ops.shift_right(top, LIMB))
        return tuple(out)

    def _fitted(self, limbs: Limbs[V], low: int, high: int) -> Limbs[V]:
        """No more limbs than the range needs, the last one within it."""
        count = _limbs(low, high)
        top = limbs[min(count, len(limbs)) - 1]
        if len(limbs) > count and low < 0:
            sign = self.ops.narrowed(limbs[count], -1, 0)
            top = self.ops.sum([(1, top), (1 << LIMB, sign)])
        limbs = limbs[:count]
        place = LIMB * (len(limbs) - 1)
        return (*limbs[:-1], self.ops.narrowed(top, low >> place, high >> place))

    # --- operations -----------------------------------------------------------------------------

    def _constant(self, number: int) -> Limbs[V]:
        out = []
        while not -PAIR[1] - 1 <= number <= PAIR[1]:
            out.append(self.ops.constant(number & PAIR[1]))
            number >>= LIMB
        return (*out, self.ops.constant(number))

    def _columns(self, terms: Sequence[tuple[int, Word[V]]], constant: int) -> Limbs[V]:
        """Words worth 2^(16 k) each, summed."""
        ops = self.ops
        columns: dict[int, list[tuple[int, Word[V]]]] = {}
        for place, word in terms:
            column, odd = divmod(place, 2)
            if not odd:
                columns.setdefault(column, []).append((1, word))
                continue
            low = ops.wrap(word, HALF, signed=False)
            columns.setdefault(column, []).append((1 << HALF, low))
            columns.setdefault(column + 1, []).append((1, ops.shift_right(word, HALF)))
        number, known = constant, []
        while not -PAIR[1] - 1 <= number <= PAIR[1]:
            known.append(number & PAIR[1])
            number >>= LIMB
        known.append(number)
        count = max([*columns, len(known) - 1]) + 1
        known += [0] * (count - len(known))
        return self._cut([ops.sum(columns.get(k, []), known[k]) for k in range(count)])

    def _sum(
        self,
        weights: Sequence[int],
        words: Sequence[Word[Limbs[V]]],
        constant: int,
        low: int,
        high: int,
    ) -> Limbs[V]:
        if _limbs(low, high) == 1 and all(len(w.value) == 1 for w in words) and _short(weights):
            terms = [(w, word.value[0]) for w, word in zip(weights, words, strict=True)]
            return (self.ops.narrowed(self.ops.sum(terms, constant), low, high),)
        terms = []
        for weight, word in zip(weights, words, strict=True):
            for k, limb in enumerate(word.value):
                for place, digit in _digits(weight):
                    terms.append((2 * k + place, self.ops.sum([(digit, limb)])))
        return self._fitted(self._columns(terms, constant), low, high)

    def _multiply(self, a: Word[Limbs[V]], b: Word[Limbs[V]], low: int, high: int) -> Limbs[V]:
        terms = []
        for j, right in enumerate(b.value):
            small = max(-right.low, right.high + 1) <= 1 << HALF
            halves = [right] if small else [
                self.ops.wrap(right, HALF, signed=False), self.ops.shift_right(right, HALF)
            ]  # fmt: skip
            for h, part in enumerate(halves):
                for i, left in enumerate(a.value):
                    terms.append((2 * (i + j) + h, self.ops.multiply(left, part)))
        return self._fitted(self._columns(terms, 0), low, high)

    def _shift_right(self, a: Word[Limbs[V]], places: int, low: int, high: int) -> Limbs[V]:
        whole, rest = divmod(places, LIMB)
        limbs = a.value
        if whole >= len(limbs):
            return (self.ops.shift_right(limbs[-1], LIMB + 1),)
        out = []
        for k in range(whole, len(limbs)):
            moved = self.ops.shift_right(limbs[k], rest)
            if rest and k + 1 < len(limbs):
                above = self.ops.wrap(limbs[k + 1], rest, signed=False)
                moved = self.ops.sum([(1, moved), (1 << (LIMB - rest), above)])
            out.append(moved)
        return self._fitted(tuple(out), low, high)

    def _less(self, a: Word[Limbs[V]], b: Word[Limbs[V]]) -> Limbs[V]:
        x, y = self._aligned(a, b)
        below = self.ops.less(x[0], y[0])
        for left, right in zip(x[1:], y[1:], strict=True):
            same = self.ops.equal(left, right)
            below = self.ops.select(same, below, self.ops.less(left, right))
        return (below,)

    def _equal(self, a: Word[Limbs[V]], b: Word[Limbs[V]]) -> Limbs[V]:
        x, y = self._aligned(a, b)
        same = self.ops.equal(x[0], y[0])
        for left, right in zip(x[1:], y[1:], strict=True):
            same = self.ops.select(self.ops.equal(left, right), same, self.ops.constant(0))
        return (same,)

    def _aligned(self, *numbers: Word[Limbs[V]]) -> list[Limbs[V]]:
        count = max(len(number.value) for number in numbers)
        return [self._extended(number.value, count) for number in numbers]

    def _select(
        self,
        condition: Word[Limbs[V]],
        a: Word[Limbs[V]],
        b: Word[Limbs[V]],
        low: int,
        high: int,
    ) -> Limbs[V]:
        (which,) = condition.value
        x, y = self._aligned(a, b)
        chosen = [self.ops.select(which, s, t) for s, t in zip(x, y, strict=True)]
        return self._fitted(tuple(chosen), low, high)

    def _bitwise(
        self, rule: str, a: Word[Limbs[V]], b: Word[Limbs[V]], low: int, high: int
    ) -> Limbs[V]:
        x, y = self._aligned(a, b)
        out = [self.ops.bitwise(rule, s, t) for s, t in zip(x, y, strict=True)]
        return self._fitted(tuple(out), low, high)

    def _low_bits(self, a: Word[Limbs[V]], bits: int) -> Limbs[V]:
        whole, rest = divmod(bits, LIMB)
        limbs = self._extended(a.value, whole + (rest > 0))
        if rest:
            return (*limbs[:-1], self.ops.wrap(limbs[-1], rest, signed=False))
        return (*limbs[:-1], self.ops.wrap(limbs[-1], LIMB, signed=False))

    def _single(self, operator: Single, a: Word[Limbs[V]], low: int, high: int) -> Limbs[V]:
        (word,) = self.taken(a, "word")
        return self._cut([self.ops.single(operator, word)])

    @staticmethod
    def _made(value: Any, low: int, high: int) -> Word[Any]:
        if max(-low, high) >= RANGE_LIMIT**4:
            raise InputError(f"a number may reach {low}..{high}, which leaves 248 bits")
        return Word(value, low, high)


def _limbs(low: int, high: int) -> int:
    """Limbs that hold every number of a range."""
    count = 1
    while not -PAIR[1] - 1 <= low or not high <= PAIR[1]:
        low, high, count = low >> LIMB, high >> LIMB, count + 1
    return count


def _short(weights: Sequence[int]) -> bool:
    return all(abs(weight) <= 1 << (LIMB - 4) for weight in weights)


def _digits(weight: int) -> list[tuple[int, int]]:
    """(place, digit) of a weight in base 2^16, all with its sign."""
    sign, left, out, place = (-1 if weight < 0 else 1), abs(weight), [], 0
    while left:
        if left & ((1 << HALF) - 1):
            out.append((place, sign * (left & ((1 << HALF) - 1))))
        left, place = left >> HALF, place + 1
    return out
