"""Reverse-mode differentiation in plain NumPy, as much of it as the bundled networks need.

A `Node` holds a value and, per parent, how a gradient of the node becomes one of the parent. Steps
that a circuit takes on whole numbers (rounding, choosing the greatest) are taken in the forward
pass; on the way back gradients pass straight through them.
"""

from collections.abc import Callable, Sequence
from itertools import count

import numpy as np
from training import Floats, Gradients

Back = Callable[[Floats], Floats]
_numbers = count()


class Node:
    """A value in a computation; nodes are numbered in the order in which they are made."""

    def __init__(self, value: Floats, *parents: tuple["Node", Back]) -> None:
        self.value = value
        self.parents = parents
        self.number = next(_numbers)

    def __add__(self, other: "Node | Floats | float") -> "Node":
        if not isinstance(other, Node):
            return Node(self.value + other, (self, lambda g: _summed(g, self.value.shape)))
        return Node(
            self.value + other.value,
            (self, lambda g: _summed(g, self.value.shape)),
            (other, lambda g: _summed(g, other.value.shape)),
        )

    def __mul__(self, other: "Node | Floats | float") -> "Node":
        if not isinstance(other, Node):
            return Node(self.value * other, (self, lambda g: _summed(g * other, self.value.shape)))
        return Node(
            self.value * other.value,
            (self, lambda g: _summed(g * other.value, self.value.shape)),
            (other, lambda g: _summed(g * self.value, other.value.shape)),
        )

    def __matmul__(self, other: "Node") -> "Node":
        a, b = self.value, other.value
        return Node(
            a @ b,
            (self, lambda g: _summed(g @ b.swapaxes(-1, -2), a.shape)),
            (other, lambda g: _summed(a.swapaxes(-1, -2) @ g, b.shape)),
        )

    @property
    def T(self) -> "Node":
        """The last two axes exchanged."""
        return Node(self.value.swapaxes(-1, -2), (self, lambda g: g.swapaxes(-1, -2)))

    def reshape(self, *shape: int) -> "Node":
        """The same values in another shape."""
        return Node(self.value.reshape(shape), (self, lambda g: g.reshape(self.value.shape)))

    def columns(self, start: int, stop: int) -> "Node":
        """A slice of the last axis."""

        def back(g: Floats) -> Floats:
            out = np.zeros_like(self.value)
            out[..., start:stop] = g
            return out

        return Node(self.value[..., start:stop], (self, back))

    def sum(self, axis: int) -> "Node":
        """Over one axis."""
        shape = self.value.shape
        return Node(
            self.value.sum(axis),
            (self, lambda g: np.broadcast_to(np.expand_dims(g, axis), shape)),
        )


def _summed(g: Floats, shape: tuple[int, ...]) -> Floats:
    """A gradient summed over the axes along which its value was repeated."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape)))) if g.ndim > len(shape) else g
    repeated = tuple(k for k, n in enumerate(shape) if n == 1 and g.shape[k] > 1)
    return g.sum(axis=repeated, keepdims=True) if repeated else g


def join(*nodes: Node) -> Node:
    """Along the last axis."""
    ends = np.cumsum([node.value.shape[-1] for node in nodes])
    starts = ends - [node.value.shape[-1] for node in nodes]
    parents = [
        (node, lambda g, a=a, b=b: g[..., a:b])
        for node, a, b in zip(nodes, starts, ends, strict=True)
    ]
    return Node(np.concatenate([node.value for node in nodes], axis=-1), *parents)


def spread(kernel: Node, index: np.ndarray) -> Node:
    """Entries of a flattened kernel placed by `index` (-1: zero): weights that are shared."""
    size = kernel.value.size
    flat = np.append(kernel.value.ravel(), 0.0)

    def back(g: Floats) -> Floats:
        whole = np.bincount(index.ravel() % (size + 1), g.ravel(), size + 1)
        return whole[:-1].reshape(kernel.value.shape)

    return Node(flat[index], (kernel, back))


def clip(x: Node, low: float, high: float) -> Node:
    """Into low..high; no gradient where it cuts."""
    inside = (x.value >= low) & (x.value <= high)
    return Node(np.clip(x.value, low, high), (x, lambda g: g * inside))


def relu(x: Node) -> Node:
    """max(x, 0)."""
    return clip(x, 0.0, np.inf)


def through(value: Floats, x: Node) -> Node:
    """`value` on the way forward, the gradient of `x` on the way back."""
    return Node(value, (x, lambda g: g))


def softmax(x: Node) -> Node:
    """Along the last axis."""
    powers = np.exp(x.value - x.value.max(-1, keepdims=True))
    shares = powers / powers.sum(-1, keepdims=True)
    return Node(shares, (x, lambda g: shares * (g - (g * shares).sum(-1, keepdims=True))))


def cross_entropy(logits: Node, targets: Floats) -> Node:
    """Mean over rows of -sum targets log softmax(logits); float64 [1]."""
    shifted = logits.value - logits.value.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    error = (np.exp(logs) - targets) / len(targets)
    return Node(
        -(targets * logs).sum(keepdims=True)[0] / len(targets), (logits, lambda g: g * error)
    )


def gradients(loss: Node, parameters: Sequence[Node]) -> list[Floats]:
    """Of a loss with one entry, by each parameter."""
    found: dict[int, Node] = {}
    waiting = [loss]
    while waiting:
        node = waiting.pop()
        if node.number not in found:
            found[node.number] = node
            waiting += [parent for parent, _ in node.parents]
    sums: dict[int, Floats] = {loss.number: np.ones_like(loss.value)}
    for number in sorted(found, reverse=True):
        for parent, back in found[number].parents:
            if number in sums:
                g = back(sums[number])
                sums[parent.number] = sums[parent.number] + g if parent.number in sums else g
    return [sums.get(p.number, np.zeros_like(p.value)) for p in parameters]


def of_batches(loss: Callable[[list[Node], Floats, Floats], Node]) -> Gradients:
    """What `training.fit` asks for, from a loss of parameters, inputs and targets."""

    def given(parameters: list[Floats], x: Floats, targets: Floats) -> list[Floats]:
        nodes = [Node(p) for p in parameters]
        return gradients(loss(nodes, x, targets), nodes)

    return given
