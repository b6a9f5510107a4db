"""Operators that compare values with one another: the greatest, its index, the k greatest.

They look at several values at once, so they close a layer; ties always go to the lowest index.
"""

from dataclasses import dataclass

import numpy as np

from revsim.errors import InputError
from revsim.network.sums import Bounds, Integers


@dataclass(frozen=True)
class Argmax:
    """Index of the greatest element, ties to the lowest index: int64 [rows, 1]."""

    kind = "argmax"

    def apply(self, x: Integers) -> Integers:
        """Over each row."""
        winners: Integers = np.argmax(x, axis=1).astype(np.int64)
        return winners[:, None]

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """0 to n - 1."""
        return np.zeros(1, np.int64), np.full(1, len(low) - 1, np.int64)

    def groups_of(self, width: int) -> Integers:
        """All values in one group."""
        return np.arange(width, dtype=np.int64)[None]

    def check(self, width: int, where: str) -> int:
        """One output, whatever comes in."""
        return 1


@dataclass(frozen=True, eq=False)
class TopK:
    """1 for each of the k greatest values of a group, 0 for the others (ties: lowest index first).

    groups: int64 [groups, n], the columns that compete; every other column goes through unchanged.
    None: all columns in one group. TopK(1) is a one-hot argmax, the choice of hard attention.

    >>> TopK(2).apply(np.array([[3, 5, 5, 4], [7, 7, 7, 0]])).tolist()
    [[0, 1, 1, 0], [1, 1, 0, 0]]
    """

    k: int
    groups: Integers | None = None
    kind = "top_k"

    def groups_of(self, width: int) -> Integers:
        """The groups, [groups, n]."""
        return np.arange(width, dtype=np.int64)[None] if self.groups is None else self.groups

    def apply(self, x: Integers) -> Integers:
        """Over each row and group."""
        y = x.copy()
        for group in self.groups_of(x.shape[1]):
            order = np.argsort(-x[:, group], axis=1, kind="stable")
            mask = np.zeros((len(x), len(group)), dtype=np.int64)
            np.put_along_axis(mask, order[:, : self.k], 1, axis=1)
            y[:, group] = mask
        return y

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """0 to 1 in the groups."""
        chosen = self.groups_of(len(low)).ravel()
        low, high = low.copy(), high.copy()
        low[chosen], high[chosen] = 0, 1
        return low, high

    def check(self, width: int, where: str) -> int:
        """Check groups and k against `width` inputs; the number of outputs."""
        groups = self.groups_of(width)
        _check_groups(groups, width, where)
        found, times = np.unique(groups, return_counts=True)
        if int(times.max()) > 1:
            raise InputError(
                f"{where}: column {found[times.argmax()]} stands in two places of the groups"
            )
        if not 1 <= self.k < groups.shape[1]:
            raise InputError(
                f"{where}: k = {self.k} of {groups.shape[1]} values chooses nothing; expected "
                f"1 <= k < {groups.shape[1]}"
            )
        return width


@dataclass(frozen=True, eq=False)
class Maximum:
    """The greatest value of each group: max pooling. groups int64 [outputs, n], may overlap.

    >>> Maximum(np.array([[0, 1], [1, 2]])).apply(np.array([[3, -5, 4]])).tolist()
    [[3, 4]]
    """

    groups: Integers
    kind = "maximum"

    def groups_of(self, width: int) -> Integers:
        """The groups, [outputs, n]."""
        return self.groups

    def apply(self, x: Integers) -> Integers:
        """Over each row and group."""
        greatest: Integers = x[:, self.groups].max(axis=2)
        return greatest

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """The greatest lower end and the greatest upper end."""
        return low[self.groups].max(axis=1), high[self.groups].max(axis=1)

    def check(self, width: int, where: str) -> int:
        """Check the groups against `width` inputs; the number of outputs."""
        _check_groups(self.groups, width, where)
        if any(len(np.unique(group)) < len(group) for group in self.groups):
            raise InputError(f"{where}: a group names a column twice")
        return len(self.groups)


def _check_groups(groups: Integers, width: int, where: str) -> None:
    if groups.ndim != 2 or groups.size == 0:
        raise InputError(f"{where}: groups have shape {groups.shape}; expected [groups, values]")
    if int(groups.min()) < 0 or int(groups.max()) >= width:
        raise InputError(
            f"{where}: groups name columns {groups.min()}..{groups.max()}; there are 0..{width - 1}"
        )


def pool_groups(
    shape: tuple[int, int, int], size: tuple[int, int], stride: tuple[int, int] | None = None
) -> Integers:
    """Groups int64 [outputs, size] of a max pool on a flat (height, width, channels) image.

    Windows of `size` at steps of `stride` (default: side by side), no padding; outputs are flat
    [height, width, channels] as well.

    >>> pool_groups((2, 4, 1), (2, 2)).tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    down, across = size if stride is None else stride
    height, width, channels = shape
    pixel = np.arange(height * width * channels, dtype=np.int64).reshape(shape)
    return np.array(
        [
            pixel[y : y + size[0], x : x + size[1], c].ravel()
            for y in range(0, height - size[0] + 1, down)
            for x in range(0, width - size[1] + 1, across)
            for c in range(channels)
        ],
        dtype=np.int64,
    ).reshape(-1, size[0] * size[1])


Choice = Argmax | TopK | Maximum
