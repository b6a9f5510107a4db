"""A decision tree on integers (CART: Breiman et al., 1984), and the same as threshold layers."""

from dataclasses import dataclass

import numpy as np

from revsim.network.operators import Argmax, Dense, Integers, Operator, Threshold

CLASSES = 10


@dataclass(frozen=True)
class Leaf:
    """The commonest class of the rows that come here."""

    label: int


@dataclass(frozen=True)
class Split:
    """Rows with feature >= threshold go to `above`, the others to `below`."""

    feature: int
    threshold: int
    below: "Tree"
    above: "Tree"


Tree = Leaf | Split


def grow(rows: Integers, labels: Integers, depth: int, fewest: int = 3) -> Tree:
    """Splits that lower the Gini impurity most; leaves hold at least `fewest` rows."""
    counts = np.bincount(labels, minlength=CLASSES)
    best = None if depth == 0 or counts.max() == len(labels) else best_split(rows, labels, fewest)
    if best is None:
        return Leaf(int(counts.argmax()))
    above = rows[:, best[0]] >= best[1]
    below, upper = (grow(rows[part], labels[part], depth - 1, fewest) for part in (~above, above))
    return Split(*best, below, upper)


def best_split(rows: Integers, labels: Integers, fewest: int) -> tuple[int, int] | None:
    """(feature, threshold) of the least sum over both sides of n - sum of squared counts / n."""
    one_hot = np.eye(CLASSES)[labels]
    best, least = None, np.inf
    for feature in range(rows.shape[1]):
        column = rows[:, feature]
        values = np.unique(column)[1:]
        above = one_hot.T @ (column[:, None] >= values)  # [classes, values]
        counts = above.sum(0)
        fits = (counts >= fewest) & (len(labels) - counts >= fewest)
        if not fits.any():
            continue
        below = one_hot.sum(0)[:, None] - above
        impure = -(above**2).sum(0) / counts - (below**2).sum(0) / np.maximum(
            len(labels) - counts, 1
        )
        impure = np.where(fits, impure, np.inf)
        if impure.min() < least - 1e-9:
            best, least = (feature, int(values[impure.argmin()])), impure.min()
    return best


def as_layers(tree: Tree, features: int) -> tuple[Operator, ...]:
    """Comparisons, then leaves (all comparisons on the path as they must be), then classes.

    Exactly one leaf is 1, so that the logits are one-hot and argmax makes no mistake.
    """
    splits: list[Split] = []
    leaves: list[tuple[int, list[tuple[int, int]]]] = []

    def walk(at: Tree, path: list[tuple[int, int]]) -> None:
        if isinstance(at, Leaf):
            leaves.append((at.label, path))
            return
        number = len(splits)
        splits.append(at)
        walk(at.below, [*path, (number, -1)])
        walk(at.above, [*path, (number, 1)])

    walk(tree, [])
    compare = np.zeros((len(splits), features), np.int64)
    compare[np.arange(len(splits)), [s.feature for s in splits]] = 1
    meet = np.zeros((len(leaves), len(splits)), np.int64)
    needed = np.zeros(len(leaves), np.int64)
    classes = np.zeros((CLASSES, len(leaves)), np.int64)
    for k, (label, path) in enumerate(leaves):
        for number, sign in path:
            meet[k, number] = sign
        needed[k] = sum(sign == 1 for _, sign in path)
        classes[label, k] = 1
    return (
        Dense(compare, np.zeros(len(splits), np.int64)),
        Threshold(np.array([s.threshold for s in splits], np.int64)),
        Dense(meet, np.zeros(len(leaves), np.int64)),
        Threshold(needed),
        Dense(classes, np.zeros(CLASSES, np.int64)),
        Argmax(),
    )


def decide(tree: Tree, row: Integers) -> int:
    """The class of one row, walking down the tree."""
    while isinstance(tree, Split):
        tree = tree.above if row[tree.feature] >= tree.threshold else tree.below
    return tree.label
