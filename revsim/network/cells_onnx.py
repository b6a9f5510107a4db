"""Cell programs of quantised ONNX operators with two variable arguments.

onnxruntime adds and multiplies quantised tensors in float32. On two arguments of 8 bits that is a
table of 65,536 entries; the programs here are short integer formulas found to equal it everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import gcd
from typing import TypeVar

import numpy as np

from revsim.errors import InputError
from revsim.network.operators import Clamp, Requantise, Staircase
from revsim.network.sums import Integers
from revsim.network.words import Ops, V, Word

Exceptions = tuple[tuple[int, int, int], ...]
"""(first argument, second argument, amount by which the formula must be corrected there)."""
EXCEPTION_LIMIT = 24
SHIFT_LIMIT = 34


@dataclass(frozen=True)
class ScaledSum:
    """clamp((first * a + second * b + constant) / 2^shift), ties to even: QLinearAdd and its like.

    With `thresholds`, `low` plus how many of them the sum reaches (ties that no shift gives).

    >>> from revsim.network.cells import run_cells
    >>> run_cells(ScaledSum(1, 1, 0, 1, 0, 9), [(0, 9)] * 2, np.array([[2, 3], [4, 3]])).tolist()
    [[2], [4]]
    """

    first: int
    second: int
    constant: int
    shift: int
    low: int
    high: int
    exceptions: Exceptions = ()
    thresholds: tuple[int, ...] = ()

    def bare(self) -> "ScaledSum":
        """The sum alone, its weights without a common factor."""
        common = gcd(self.first, self.second) or 1
        first, second = self.first // common, self.second // common
        return replace(self, first=first, second=second, constant=0, shift=0)

    def __call__(self, ops: Ops[V], a: Word[V], b: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        total = ops.sum([(self.first, a), (self.second, b)], self.constant)
        return (_ended(ops, self, total, a, b),)


@dataclass(frozen=True)
class ScaledProduct:
    """clamp((factor * (a + first) * (b + second) + constant) / 2^shift), ties to even: QLinearMul.

    >>> from revsim.network.cells import run_cells
    >>> run_cells(ScaledProduct(0, 0, 1, 0, 1, 0, 9), [(0, 9)] * 2, np.array([[2, 3]])).tolist()
    [[3]]
    """

    first: int
    second: int
    factor: int
    constant: int
    shift: int
    low: int
    high: int
    exceptions: Exceptions = ()
    thresholds: tuple[int, ...] = ()

    def bare(self) -> "ScaledProduct":
        """The product alone."""
        return replace(self, factor=1, constant=0, shift=0)

    def __call__(self, ops: Ops[V], a: Word[V], b: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        product = ops.multiply(ops.sum([(1, a)], self.first), ops.sum([(1, b)], self.second))
        total = ops.sum([(self.factor, product)], self.constant)
        return (_ended(ops, self, total, a, b),)


@dataclass(frozen=True)
class Dot:
    """Sum over k of (a[k] + first) * (b[k] + second), a the first half of the arguments."""

    first: int = 0
    second: int = 0

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        half = len(words) // 2
        moved_a = [ops.sum([(1, w)], self.first) for w in words[:half]]
        moved_b = [ops.sum([(1, w)], self.second) for w in words[half:]]
        products = [ops.multiply(a, b) for a, b in zip(moved_a, moved_b, strict=True)]
        return (ops.sum([(1, p) for p in products]),)


def _ended(
    ops: Ops[V], program: ScaledSum | ScaledProduct, total: Word[V], a: Word[V], b: Word[V]
) -> Word[V]:
    if program.thresholds:
        reached = ops.single(Staircase(np.array([program.thresholds])), total)
        return ops.sum([(1, reached)], program.low)
    rounded = ops.single(Requantise(np.array([program.shift]), "half_even"), total)
    clamped = ops.single(Clamp(program.low, program.high), rounded)
    if not program.exceptions:
        return clamped
    terms = [(1, clamped)]
    for first, second, amount in program.exceptions:
        here = ops.bitwise(
            "and", ops.equal(a, ops.constant(first)), ops.equal(b, ops.constant(second))
        )
        terms.append((amount, here))
    return ops.narrowed(ops.sum(terms), program.low, program.high)


P = TypeVar("P", ScaledSum, ScaledProduct)


def fitted_sum(
    wanted: Integers, a: Integers, b: Integers, slopes: tuple[float, float], at_zero: float
) -> ScaledSum:
    """The shortest ScaledSum that equals a table: wanted[i, j] for arguments a[i] and b[j].

    The table is near slopes[0] * a + slopes[1] * b + at_zero before it is clamped. Raises
    InputError where no formula comes near enough.
    """
    low, high = int(wanted.min()), int(wanted.max())

    def made(shift: int, exceptions: Exceptions = ()) -> ScaledSum:
        first, second, constant = (_fixed(v, shift) for v in (*slopes, at_zero))
        return ScaledSum(first, second, constant, shift, low, high, exceptions)

    def value(p: ScaledSum) -> Integers:
        return np.asarray(p.first * a[:, None] + p.second * b[None, :] + p.constant)

    return _shortest(wanted, a, b, made, value)


def fitted_product(
    wanted: Integers,
    a: Integers,
    b: Integers,
    offsets: tuple[int, int],
    slope: float,
    at_zero: float,
) -> ScaledProduct:
    """The shortest ScaledProduct that equals a table near slope * product + at_zero."""
    low, high = int(wanted.min()), int(wanted.max())
    product = (a[:, None] + offsets[0]) * (b[None, :] + offsets[1])

    def made(shift: int, exceptions: Exceptions = ()) -> ScaledProduct:
        factor, constant = _fixed(slope, shift), _fixed(at_zero, shift)
        return ScaledProduct(*offsets, factor, constant, shift, low, high, exceptions)

    def value(p: ScaledProduct) -> Integers:
        return np.asarray(p.factor * product + p.constant)

    return _shortest(wanted, a, b, made, value)


def _fixed(number: float, shift: int) -> int:
    return round(number * float(1 << shift))


def _shortest(
    wanted: Integers,
    a: Integers,
    b: Integers,
    made: Callable[..., P],
    value: Callable[[P], Integers],
) -> P:
    best, fewest = 0, wanted.size + 1
    for shift in range(SHIFT_LIMIT + 1):
        program = made(shift)
        different = int((_rounded(program, value(program)) != wanted).sum())
        if different < fewest:
            best, fewest = shift, different
        if different == 0:
            return program
    program = made(best)
    if fewest > EXCEPTION_LIMIT:
        return _stepped(program, wanted, value)
    amounts = wanted - _rounded(program, value(program))
    places = np.argwhere(amounts)
    return made(best, tuple((int(a[i]), int(b[j]), int(amounts[i, j])) for i, j in places))


def _stepped(program: P, wanted: Integers, value: Callable[[P], Integers]) -> P:
    """The same sum or product without scaling, and the thresholds at which the table rises.

    For scales whose ratio puts results in the middle of two at many places.
    """
    bare = program.bare()
    totals, place = np.unique(value(bare), return_inverse=True)
    least, most = np.full(len(totals), program.high), np.full(len(totals), program.low)
    np.minimum.at(least, place.ravel(), wanted.ravel())
    np.maximum.at(most, place.ravel(), wanted.ravel())
    if (least != most).any() or (np.diff(least) < 0).any():
        raise InputError("no integer formula was found that equals its float32 arithmetic")
    levels = np.arange(program.low + 1, program.high + 1)
    return replace(bare, thresholds=tuple(int(t) for t in totals[np.searchsorted(least, levels)]))


def _rounded(program: ScaledSum | ScaledProduct, total: Integers) -> Integers:
    rounded = Requantise(np.array([program.shift]), "half_even").apply(total)
    return np.clip(rounded, program.low, program.high)
