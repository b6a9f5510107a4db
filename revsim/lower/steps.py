"""Where a monotone function of one integer steps up: all that is to be known of it.

A chain of activations such as requantise, offset, clamp is one such function per channel. It is
fixed by its value at the low end and by the positions of its steps (at most 255 of them where it
ends in a clamp to 8 bits), so two circuits that agree there agree everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from revsim.network.operators import Single, single
from revsim.network.sums import Integers

STEP_LIMIT = 1 << 20
"""Most steps of one function that are found one by one."""
CELLS = 1 << 22
"""Most steps of all channels that are bisected at once."""


@dataclass(frozen=True, eq=False)
class Steps:
    """A monotone function on low..high: `first` at `low`, `last` at `high`, and between them
    `targets[i]` (int64, every value first + 1..last) is reached from `positions[i]` on."""

    low: int
    high: int
    first: int
    last: int
    targets: Integers
    positions: Integers

    def minus(self, amount: int) -> "Steps":
        """The function less a constant."""
        return replace(
            self,
            first=self.first - amount,
            last=self.last - amount,
            targets=self.targets - amount,
        )

    def at(self, v: Integers) -> Integers:
        """The function itself.

        >>> Steps(0, 9, 5, 7, np.array([6, 7]), np.array([3, 3])).at(np.array([2, 3])).tolist()
        [5, 7]
        """
        return np.asarray(self.first + np.searchsorted(self.positions, v, side="right"))


def through(operators: Sequence[Single], x: Integers) -> Integers:
    """The operators one after the other; x int64 [rows, channels]."""
    for operator in operators:
        x = operator.apply(x)
    return x


def steps_of(
    operators: Sequence[Single], low: Integers, high: Integers, most: int = STEP_LIMIT
) -> tuple[Steps | None, ...]:
    """The steps of every channel, bisected for all channels at once; low and high int64 [channels].

    The operators must be monotone, with parameters per channel. None for a channel that has more
    than `most` steps.

    >>> from revsim.network.operators import Clamp, Requantise
    >>> chain = Requantise(np.array([4])), Clamp(0, 2)
    >>> (found,) = steps_of(chain, np.array([-99]), np.array([99]))
    >>> found.targets.tolist(), found.positions.tolist()
    ([1, 2], [8, 24])
    """
    first, last = (through(operators, ends[None])[0] for ends in (low, high))
    counts = np.where(last - first > most, 0, last - first)
    if int(counts.max(initial=0)) * len(low) > CELLS and len(low) > 1:
        return tuple(
            steps_of(own(operators, c), low[c : c + 1], high[c : c + 1], most)[0]
            for c in range(len(low))
        )
    targets = np.minimum(first + 1 + np.arange(int(counts.max(initial=0)))[:, None], last)
    below, above = (np.broadcast_to(ends, targets.shape) for ends in (low, high))
    while targets.size and int((above - below).max()) > 1:
        middle = (below + above) >> 1
        reached = through(operators, middle) >= targets
        above, below = np.where(reached, middle, above), np.where(reached, below, middle)
    columns = zip(*(v.tolist() for v in (low, high, first, last)), strict=True)
    return tuple(
        Steps(
            start,
            stop,
            least,
            greatest,
            np.ascontiguousarray(targets[: greatest - least, c]),
            np.ascontiguousarray(above[: greatest - least, c]),
        )
        if greatest - least <= most
        else None
        for c, (start, stop, least, greatest) in enumerate(columns)
    )


def own(operators: Sequence[Single], channel: int) -> tuple[Single, ...]:
    """The operators as they act on one channel."""
    return tuple(o for o in (single(operator, channel) for operator in operators) if o is not None)
