"""Erasures that fail: after an ERASE each wire holds 1 with a given probability, lane by lane.

A bit erased in a finite time, or with a finite push, is left wrong now and then (physics/ramp.py).
Failures are independent of what the bit held, of each other and of the inputs. What is left on a
wire stays there: whatever uses that wire next starts from a 1 instead of a 0. (The local wires of a
definition are 0 whenever it is entered; they are used many times inside it.)
"""

from dataclasses import dataclass

import numpy as np

from revsim.errors import InputError
from revsim.simulator.lanes import Words

NOTHING: Words = np.zeros((0, 0), dtype=np.uint64)
"""What erasures leave over where none fails."""

DRAWS = 4096
"""Failures drawn at once."""
LONGEST = 1 << 50
"""Longest gap between failures, so that places stay below 2^63."""


@dataclass(frozen=True)
class EraseFaults:
    """`probability` that an erased wire holds 1; `seed` of the failures."""

    probability: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.probability <= 1.0:
            raise InputError(
                f"the probability that an erasure fails must lie in 0..1, got {self.probability}"
            )
        if self.seed < 0:
            raise InputError(f"the seed must be 0 or more, got {self.seed}")


class FaultStream:
    """Failures of the erasures of one run, in their order; lives inside `simulate` only.

    All lanes of all erased wires stand in one row, and the gaps between failures in it follow the
    geometric distribution: exact, and quick where failures are rare.
    """

    def __init__(self, faults: EraseFaults, rows: int) -> None:
        self._rows = rows
        self._probability = faults.probability
        self._stream = np.random.default_rng(faults.seed)
        self._end = 0
        self._places = np.zeros(0, dtype=np.int64)
        self._drawn = -1
        """Place of the last failure drawn; `_places` are those that no ERASE has come to yet."""

    def next(self, wires: int, words: int) -> Words:
        """What the next erased wires hold: uint64 [wires, words], padding lanes 0.

        >>> FaultStream(EraseFaults(1.0), rows=3).next(1, 1).tolist()
        [[7]]
        """
        out = np.zeros((wires, words), dtype=np.uint64)
        first, self._end = self._end, self._end + wires * self._rows
        while self._probability > 0 and self._drawn < self._end:
            gaps = np.minimum(self._stream.geometric(self._probability, DRAWS), LONGEST)
            places = self._drawn + np.cumsum(gaps)
            self._drawn = int(places[-1])
            self._places = np.concatenate([self._places, places])
        count = int(np.searchsorted(self._places, self._end))
        wire, row = np.divmod(self._places[:count] - first, self._rows)
        self._places = self._places[count:]
        lanes = np.uint64(1) << (row % 64).astype(np.uint64)
        np.bitwise_or.at(out, (wire, row // 64), lanes)
        return out
