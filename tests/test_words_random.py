"""Random programs of words, and random literals: the same on wires as on integers, nothing left."""

from dataclasses import dataclass

import numpy as np
import pytest
from test_words import SumAndDifference, Written, same

from revsim.circuit.builder import Builder
from revsim.lower.literals import all_of, both, choose, differ, either, write
from revsim.lower.netlist import FALSE, TRUE
from revsim.network.operators import Clamp, Divide, Offset, Relu, Requantise, Table, Wrap
from revsim.network.words import Ops, V, Word
from revsim.simulator.apply import apply

REACH = 2000
"""Words that may go further are not read on."""


@dataclass(frozen=True)
class Apart:
    """(least, greatest, whether they differ): three results of unlike ranges."""

    def __call__(self, ops: Ops[V], a: Word[V], b: Word[V]) -> tuple[Word[V], ...]:
        return ops.least(a, b), ops.greatest(a, b), ops.invert(ops.equal(a, b))


def random_single(rng: np.random.Generator, word: Word):
    low, high = word.low, word.high
    ends = np.sort(rng.integers(low - 3, high + 4, 2)).tolist()
    rounding = ["floor", "half_up", "half_away", "half_even"][int(rng.integers(4))]
    choices = [
        Clamp(*ends),
        Relu(),
        Offset(rng.integers(-20, 20, 1)),
        Requantise(rng.integers(0, 5, 1), rounding),
        Requantise(rng.integers(3, 9, 1), "half_up", rng.integers(1, 99, 1)),
        Divide(rng.integers(1, 9, 1)),
        Wrap(int(rng.integers(2, 6))),
    ]
    if high - low < 64:
        choices.append(Table(low, rng.integers(-30, 30, high - low + 1)))
    return choices[int(rng.integers(len(choices)))]


def random_program(seed: int):
    """Eight operations on words made before; the last three words are the results."""

    def program(ops, *words):
        rng = np.random.default_rng(seed)
        made = list(words)

        def some() -> Word:
            return made[int(rng.integers(len(made)))]

        def condition() -> Word:
            return ops.less(some(), some()) if rng.integers(2) else ops.bit(some(), 1)

        while len(made) < 10:
            a, b = some(), some()
            kind = int(rng.integers(12))
            if kind == 0:
                new = ops.sum([(int(w), some()) for w in rng.integers(-6, 7, 3)], 5)
            elif kind == 1:
                new = ops.multiply(a, b)
            elif kind == 2:
                new = ops.shift_right(a, int(rng.integers(1, 4)))
            elif kind == 3:
                new = ops.equal(a, b)
            elif kind == 4:
                new = ops.select(condition(), a, b)
            elif kind == 5:
                new = ops.bitwise(("and", "or", "xor")[int(rng.integers(3))], a, b)
            elif kind == 6:
                new = ops.wrap(a, int(rng.integers(1, 6)), bool(rng.integers(2)))
            elif kind == 7:
                new = ops.select(condition(), ops.constant(int(rng.integers(-9, 9))), a)
            elif kind == 8:
                made += ops.call(SumAndDifference(), a, b)
                continue
            elif kind == 9:
                made += ops.call(Apart(), a, b)
                continue
            elif kind == 10:
                new = ops.single(random_single(rng, a), a)
            else:
                once = ops.single(random_single(rng, a), a)
                new = ops.single(random_single(rng, once), once)
            if max(-new.low, new.high) < REACH:
                made.append(new)
        return tuple(made[-3:])

    return program


@pytest.mark.parametrize("seed", range(80))
def test_random_programs(seed: int) -> None:
    """Whatever programs are made of, in any order, some of it in units, read once or twice."""
    rng = np.random.default_rng(seed)
    ranges = []
    for _ in range(2):
        low = int(rng.integers(-12, 8))
        ranges.append((low, low + int(rng.integers(1, 20))))
    same(Written(random_program(seed)), ranges)


WIRES = 4


def literal_values(literals: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """[rows, literals] of literals on the first wires."""
    bits = rows[:, None] >> np.maximum(literals >> 1, 0) & 1
    return np.where(literals >= 0, bits ^ (literals & 1), literals == TRUE)


@pytest.mark.parametrize("seed", range(20))
def test_random_literals(seed: int) -> None:
    """Known, complemented and repeated literals, both ways at once: the truth of every function."""
    rng = np.random.default_rng(seed)
    rows = np.arange(1 << WIRES)
    every = np.array([FALSE, TRUE, *range(2 * WIRES)], dtype=np.int32)
    p, q = rng.choice(every, (2, 12))
    few = rng.choice(every[2:], int(rng.integers(1, 4))) if seed % 2 else p[:3]
    condition = int(rng.choice(every))
    v, w, chosen = (literal_values(x, rows) for x in (p, q, np.array([condition])))
    cases = [
        (lambda b: both(b, p, q), v & w),
        (lambda b: either(b, p, q), v | w),
        (lambda b: differ(b, p, q), v ^ w),
        (lambda b: choose(b, condition, p, q), np.where(chosen == 1, v, w)),
        (lambda b: np.array([all_of(b, few)]), literal_values(few, rows).all(axis=1)[:, None]),
        (lambda b: np.array([all_of(b, q)]), w.all(axis=1)[:, None]),
    ]
    for function, expected in cases:
        b = Builder("literals")
        b.port("x", WIRES)
        y = b.port("y", expected.shape[1], zero=True)
        start = b.mark()
        made = function(b)
        stop = b.mark()
        write(b, made, y)
        b.undo(start, stop)
        after = apply(b.build(), {"x": rows})
        assert (after["x"] == rows).all()
        assert ((after["y"][:, None] >> np.arange(len(y)) & 1) == expected).all()


def test_a_range_that_is_known_better_than_the_operators_know() -> None:
    """A table takes a word of a narrower range than what comes before it could reach."""

    def program(ops, a, b):
        above = ops.subtract(ops.greatest(a, b), b)  # never below 0
        clamped = ops.narrowed(ops.single(Clamp(-20, 12), above), 0, 12)
        return (ops.single(Table(0, np.arange(13)[::-1] * 5), clamped),)

    same(Written(program), [(-8, 7), (-8, 7)])


def test_known_from_a_literal_and_its_complement() -> None:
    """All of p, q, r and not p is no gate."""
    b = Builder("never")
    b.port("x", 3)
    assert all_of(b, np.array([0, 4, 2, 1])) == FALSE
    assert not b.build().body


def test_one_operator_on_words_of_unlike_ranges() -> None:
    """Results are held alike: what is made for the shorter word is not that of the longer."""

    def program(ops, a, b):
        short, long = ops.sum([(1, a), (-1, b)]), ops.sum([(5, a), (-7, b)], 3)
        return tuple(ops.single(Clamp(0, 3), word) for word in (short, long))

    same(Written(program), [(0, 5), (-2, 4)])
