"""Sums of bits at powers of two as ladders: chains of full adders side by side, for the kernel.

A sum of bits leaves one bit in each column, whatever order its adders come in. So they are laid out
as the machine likes it: chains that go up the columns together, each with its carry in a register.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from revsim.simulator.scheduling.layout import CHAINS, LADDER

Bytes = npt.NDArray[np.uint8]
ZERO = 0
"""The value that is constant 0."""
LEAST_PLACES = {8: 2, 4: 2, 2: 2, 1: 1}
"""Fewest places of a ladder of so many chains, unless their carries in are bits of the sum too."""


@dataclass
class Columns:
    """Bits still to be added, by column: values as they stand and, in `complemented`, values whose
    complement counts. `total` is what each column holds; new values are numbered from `fresh` on.
    """

    plain: list[list[int]]
    complemented: list[list[int]]
    total: list[int]
    fresh: int
    code: list[int] = field(default_factory=list)

    def ladder(self, size: int, chains: int, complements: bool, first: int, last: int) -> None:
        """Let `chains` chains take a bit each from columns first..last."""
        bits = self.complemented if complements else self.plain
        spare = self.plain[first]
        most = chains if complements else max(0, len(spare) - chains)
        given = [spare.pop() for _ in range(min(most, chains, len(spare)))]
        self.code += [LADDER + 4 * complements + size, last - first + 1]
        self.code += given + [ZERO] * (chains - len(given))
        for k in range(first, last + 1):
            taken = [bits[k].pop() for _ in range(min(chains, len(bits[k])))]
            self.code += [self.total[k], *taken, *[ZERO] * (chains - len(taken)), self.fresh]
            self.total[k] = self.fresh
            self.fresh += 1
        carries = list(range(self.fresh, self.fresh + chains))
        self.fresh += chains
        self.code += carries
        if last + 1 < len(self.plain):
            self.plain[last + 1] += carries


def columns_of(
    terms: list[tuple[int, int]], flipped: Bytes, constant: int, width: int, fresh: int
) -> Columns:
    """Bits of the sum constant + sum of weight * value, mod 2^width; flipped uint8 [values]: where
    the complement of a value stands for it. New values are numbered from `fresh` on.

    Weights are written in signed digits, of which -b 2^k = ~b 2^k - 2^k.
    """
    plain: list[list[int]] = [[] for _ in range(width)]
    complemented: list[list[int]] = [[] for _ in range(width)]
    half = 1 << (width - 1)
    values = np.array([value for value, _ in terms], dtype=np.int32)
    weights = np.array([weight for _, weight in terms], dtype=np.int64)
    weights = (weights + half & 2 * half - 1) - half
    size = np.abs(weights)
    digits = (size ^ 3 * size) >> 1
    for k in range(width):
        here = np.flatnonzero(digits >> k & 1)
        negative = (weights[here] < 0) ^ (size[here] >> k + 1 & 1 == 1)
        constant -= int(negative.sum()) << k
        other = negative ^ (flipped[values[here]] == 1)
        plain[k] += values[here[~other]].tolist()
        complemented[k] += values[here[other]].tolist()
    for k in range(width):
        if constant >> k & 1:
            complemented[k].append(ZERO)
    total = [bits.pop() if bits else ZERO for bits in plain]
    return Columns(plain, complemented, total, fresh)


def ladders(columns: Columns) -> None:
    """Add up all bits of the columns, mod 2^columns."""
    for size in range(len(CHAINS) - 1, -1, -1):
        chains = CHAINS[size]
        while True:
            runs = [(*_longest(columns.complemented, chains), True)]
            if chains > 1:
                runs.append((*_longest(columns.plain, chains), False))
            places, first, complements = max(runs)
            if not places:
                break
            columns.ladder(size, chains, complements, first, first + places - 1)
    while any(columns.plain):  # a few bits are left: one of each column, and up to the top
        first = next(k for k, bits in enumerate(columns.plain) if bits)
        columns.ladder(0, 1, False, first, len(columns.plain) - 1)


def _longest(bits: list[list[int]], chains: int) -> tuple[int, int]:
    """(places, first) of the longest run of columns with a bit for each chain, or (0, 0)."""
    best, start = (0, 0), 0
    heights = [*map(len, bits), 0]
    for k, height in enumerate(heights):
        if height < chains:
            places = k - start
            if places >= LEAST_PLACES[chains] or (places == 1 and heights[start] >= 2 * chains):
                best = max(best, (places, start))
            start = k + 1
    return best
