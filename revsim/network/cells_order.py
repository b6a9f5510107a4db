"""Programs that order words: least and greatest, their index, the k greatest in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from revsim.errors import InputError
from revsim.network.words import Ops, V, Word


@dataclass(frozen=True)
class Greatest:
    """The greatest of all arguments, compared in pairs (max-pool windows)."""

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        return (_tournament(ops.greatest, words),)


@dataclass(frozen=True)
class Least:
    """The least of all arguments."""

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """One word."""
        return (_tournament(ops.least, words),)


def _tournament(better: Callable[[Word[V], Word[V]], Word[V]], words: Sequence[Word[V]]) -> Word[V]:
    """The best of at least one word, in rounds."""
    left = list(words)
    while len(left) > 1:
        pairs = [better(a, b) for a, b in zip(left[::2], left[1::2], strict=False)]
        left = pairs + left[len(left) - len(left) % 2 :]
    return left[0]


@dataclass(frozen=True)
class ArgGreatest:
    """The index of the greatest argument (the least one where `least`).

    Of equal ones the first, or the last where `last` (ONNX: select_last_index).

    >>> from revsim.network.cells import run_cells
    >>> import numpy as np
    >>> three = np.array([[4, 9, 9]])
    >>> [run_cells(ArgGreatest(last=l), [(0, 9)] * 3, three).item() for l in (False, True)]
    [1, 2]
    """

    least: bool = False
    last: bool = False

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """One word, 0 to the number of arguments less one."""
        best, index = words[0], ops.constant(0)
        for k, word in enumerate(words[1:], start=1):
            wins = _beats(ops, word, best, self.least, self.last)
            best = ops.select(wins, word, best)
            index = ops.select(wins, ops.constant(k), index)
        return (index,)


@dataclass(frozen=True)
class TopValues:
    """The k greatest arguments, greatest first (the least ones, least first, where `least`)."""

    k: int
    least: bool = False

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """k words."""
        return tuple(value for value, _ in _best(ops, words, self.k, self.least))


@dataclass(frozen=True)
class TopIndices:
    """Their indices, in the same order; of equal values the lowest index comes first.

    >>> from revsim.network.cells import run_cells
    >>> import numpy as np
    >>> run_cells(TopIndices(2), [(0, 9)] * 4, np.array([[4, 9, 1, 9]])).tolist()
    [[1, 3]]
    """

    k: int
    least: bool = False

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """k words."""
        return tuple(index for _, index in _best(ops, words, self.k, self.least))


def _beats(ops: Ops[V], a: Word[V], b: Word[V], least: bool, equal: bool) -> Word[V]:
    """Whether a is better than b, or, where `equal`, as good."""
    if equal:
        return ops.invert(_beats(ops, b, a, least, False))
    return ops.less(a, b) if least else ops.less(b, a)


def _best(
    ops: Ops[V], words: Sequence[Word[V]], k: int, least: bool
) -> list[tuple[Word[V], Word[V]]]:
    """(value, index) of the k best: each value is inserted into a list that stays in order."""
    if not 1 <= k <= len(words):
        raise InputError(f"the best {k} of {len(words)} values: choose 1 to {len(words)}")
    held: list[tuple[Word[V], Word[V]]] = []
    for number, word in enumerate(words):
        new = word, ops.constant(number)
        # A new value beats a place and all behind it, which move back by one; an equal value, which
        # came earlier, stays before it.
        wins = [_beats(ops, word, value, least, False) for value, _ in held]
        after = []
        for place, ahead in enumerate([*held, new][:k]):
            moved = new
            if place:
                moved = _either(ops, wins[place - 1], held[place - 1], new)
            after.append(_either(ops, wins[place], moved, ahead) if place < len(held) else moved)
        held = after
    return held


def _either(
    ops: Ops[V], condition: Word[V], a: tuple[Word[V], Word[V]], b: tuple[Word[V], Word[V]]
) -> tuple[Word[V], Word[V]]:
    return ops.select(condition, a[0], b[0]), ops.select(condition, a[1], b[1])
