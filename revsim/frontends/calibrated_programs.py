"""Cell programs of calibrated graphs."""

from dataclasses import dataclass
from typing import Any

from revsim.network.operators import Single


@dataclass(frozen=True, eq=False)
class Apply:
    """Operators on one value, one after the other."""

    operators: tuple[Single, ...]

    def __call__(self, ops: Any, word: Any) -> tuple[Any]:
        """The one output."""
        for operator in self.operators:
            word = ops.single(operator, word)
        return (word,)


@dataclass(frozen=True)
class Greatest:
    """The greatest of any number of words."""

    def __call__(self, ops: Any, *words: Any) -> tuple[Any]:
        """By pairs, so that the depth grows with the logarithm of their number."""
        while len(words) > 1:
            pairs = [ops.greatest(a, b) for a, b in zip(words[::2], words[1::2], strict=False)]
            words = (*pairs, *words[len(words) - len(words) % 2 :])
        return (words[0],)


@dataclass(frozen=True)
class AddScaled:
    """clamp(floor((first * a + second * b + constant + 2^(places-1)) / 2^places) + zero)."""

    first: int
    second: int
    constant: int
    places: int
    zero: int
    low: int
    high: int

    def __call__(self, ops: Any, a: Any, b: Any) -> tuple[Any]:
        """The one output."""
        half = 1 << (self.places - 1) if self.places else 0
        total = ops.sum([(self.first, a), (self.second, b)], self.constant + half)
        moved = ops.sum([(1, ops.shift_right(total, self.places))], self.zero)
        if moved.high < self.low or moved.low > self.high:
            return (ops.constant(self.low if moved.high < self.low else self.high),)
        if moved.low < self.low:
            moved = ops.greatest(moved, ops.constant(self.low))
        if moved.high > self.high:
            moved = ops.least(moved, ops.constant(self.high))
        return (moved,)
