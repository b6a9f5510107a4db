"""Small networks made by hand, one for each family of architectures; no training, no data.

Their inputs are few enough to enumerate, so everything about them is exact. Weights that have no
reason to be what they are come from a fixed seed.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from revsim.network.network import Network
from revsim.network.operators import (
    Argmax,
    Clamp,
    Dense,
    Integers,
    Operator,
    Part,
    Relu,
    Requantise,
    Table,
    Threshold,
    TopK,
    Wrap,
    products,
    table,
)


def _dense(weights: Sequence[Sequence[int]], bias: Sequence[int] | None = None) -> Dense:
    matrix = np.array(weights, dtype=np.int64)
    return Dense(matrix, np.zeros(len(matrix), np.int64) if bias is None else np.array(bias))


def _network(
    name: str, low: int | list[int], high: list[int], *operators: Operator, **options: object
) -> Network:
    ends = np.array(high, dtype=np.int64)
    least = np.broadcast_to(np.array(low, dtype=np.int64), ends.shape).copy()
    return Network(name, least, ends, operators, "made by hand", **options)  # type: ignore[arg-type]


def _columns(*columns: int) -> Integers:
    return np.array(columns, dtype=np.int64)


def coupling(bits: int = 4, seed: int = 0) -> Network:
    """An additive coupling block (RevNet): y1 = x1 + F(x2), y2 = x2 + G(y1) mod 2^bits.

    F and G are tables of seeded random entries, no bijections, and the block is one all the same.
    Inputs x1, x2 and outputs y1, y2 in 0..2^bits-1.

    >>> from revsim.network.reference import run_reference
    >>> rows = np.stack(np.divmod(np.arange(256), 16), axis=1)
    >>> len(np.unique(run_reference(coupling(), rows)[-1].y, axis=0))
    256
    """
    size = 1 << bits
    random = np.random.default_rng(seed)
    first, second = (Table(0, random.integers(0, size, size)) for _ in range(2))
    return _network(
        "coupling",
        0,
        [size - 1] * 2,
        _dense([[1, 0], [0, 1], [0, 1]]),  # x1, x2, x2
        Part(first, _columns(2)),
        _dense([[1, 0, 1], [0, 1, 0]]),  # x1 + F(x2), x2
        Part(Wrap(bits), _columns(0)),
        _dense([[1, 0], [1, 0], [0, 1]]),  # y1, y1, x2
        Part(second, _columns(1)),
        _dense([[1, 0, 0], [0, 1, 1]]),  # y1, x2 + G(y1)
        Part(Wrap(bits), _columns(1)),
    )


def residual(bits: int = 4) -> Network:
    """A plain residual block: y = x + relu(-x), which is relu(x), on signed integers."""
    half = 1 << (bits - 1)
    return _network(
        "residual",
        -half,
        [half - 1],
        _dense([[1], [-1]]),
        Part(Relu(), _columns(1)),
        _dense([[1, 1]]),
    )


def softmax_logits(logits: int = 3, top: int = 3) -> Network:
    """All that a softmax sees of its logits 0..top: their differences."""
    rows = np.eye(logits, dtype=np.int64)
    return _network("softmax", 0, [top] * logits, _dense((rows[:-1] - rows[1:]).tolist()))


def layer_norm(top: int = 3) -> Network:
    """A layer norm of three values 0..top: their direction (z - mean) / std as a label.

    The differences d1 = z1 - z2 and d2 = z2 - z3 are the direction times a length; as one number
    (2 top + 1) d1 + d2 they are looked up in a table that divides out their common factor.
    """
    side = 2 * top + 1

    def label(code: int) -> int:
        first, second = divmod(code + top, side)
        second -= top
        common = max(int(np.gcd(first, second)), 1)
        return side * (first // common) + second // common

    reach = side * top + top
    return _network(
        "layer_norm",
        0,
        [top] * 3,
        _dense([[side, 1 - side, -1]]),
        table(label, -reach, reach),
    )


def attention(tokens: int = 3, seed: int = 0) -> Network:
    """One hard attention head, seeded: each token is two numbers 0..1, each score q . k.

    Queries, keys and values are 2 x 2 integer maps of the tokens; token t puts out the value of
    the token whose key agrees best with its query, ties to the first.
    """
    random = np.random.default_rng(seed)
    maps = random.integers(-2, 3, (3, 2, 2))
    width = 2 * tokens
    # Layer 1: queries, keys and values of all tokens, in this order.
    rows = np.zeros((3 * width, width), dtype=np.int64)
    for which, t in np.ndindex(3, tokens):
        rows[which * width + 2 * t :][:2, 2 * t : 2 * t + 2] = maps[which]
    query, key, value = (
        [[which * width + 2 * t + c for c in range(2)] for t in range(tokens)] for which in range(3)
    )
    # Layer 2: the scores q_t . k_s, then the values as they are.
    scores: list[list[tuple[int, ...]]] = [
        [(1, query[t][c], key[s][c]) for c in range(2)]
        for t in range(tokens)
        for s in range(tokens)
    ]
    passed: list[list[tuple[int, ...]]] = [[(1, v)] for pair in value for v in pair]
    groups = np.arange(tokens * tokens).reshape(tokens, tokens)
    first = tokens * tokens
    mixed = [
        [(1, int(groups[t, s]), first + 2 * s + c) for s in range(tokens)]
        for t in range(tokens)
        for c in range(2)
    ]
    return _network(
        "attention",
        0,
        [1] * width,
        _dense(rows.tolist()),
        products(scores + passed),
        TopK(1, groups),
        products(mixed),
    )


def attention_scores(scores: int = 3, top: int = 3) -> Network:
    """What a hard attention head keeps of its scores 0..top: the index of the greatest."""
    return _network("attention_scores", 0, [top] * scores, Argmax())


def mixture(experts: int = 4, chosen: int = 1, seed: int = 1) -> Network:
    """A mixture of experts: a router beside relu experts, of which the `chosen` best are added up.

    Two inputs 0..7; router logits and experts are seeded random sums of them.
    """
    random = np.random.default_rng(seed)
    weights = random.integers(-3, 4, (2 * experts, 2))
    bias = random.integers(-6, 7, 2 * experts)
    ours = np.arange(experts, 2 * experts)
    return _network(
        "mixture",
        0,
        [7, 7],
        _dense(weights.tolist(), bias.tolist()),
        Part(Relu(), ours),
        TopK(chosen, np.arange(experts)[None]),
        products([[(1, e, experts + e) for e in range(experts)]]),
    )


def kan(inputs: int = 2, hidden: int = 2, seed: int = 2) -> Network:
    """A net whose edges are functions and whose nodes add (Kolmogorov-Arnold): tables on edges.

    Inputs -8..7. Every edge has a table of its own, a seeded random smooth curve of small integers.
    """
    random = np.random.default_rng(seed)

    def edges(count: int, low: int, high: int) -> Table:
        place = np.linspace(-1, 1, high - low + 1)
        a, b, c = random.normal(0, 3, (3, count, 1))
        curves = a * place + b * place**2 + c * np.sin(3 * place)
        return Table(low, np.rint(curves).astype(np.int64))

    copies = np.tile(np.eye(inputs, dtype=np.int64), (hidden, 1))  # one per edge
    sums = np.kron(np.eye(hidden, dtype=np.int64), np.ones((1, inputs), dtype=np.int64))
    return _network(
        "kan",
        -8,
        [7] * inputs,
        _dense(copies.tolist()),
        edges(inputs * hidden, -8, 7),
        _dense(sums.tolist()),
        Clamp(-8, 7),
        edges(hidden, -8, 7),
        _dense([[1] * hidden]),
    )


def edge(function: Callable[[int], int], low: int, high: int, name: str) -> Network:
    """One edge of such a net: a single table."""
    return _network(name, low, [high], table(function, low, high))


def recurrence(multiplier: int = 5, bits: int = 8, keep: bool = False) -> Network:
    """A linear state-space recurrence on a stream: s' = multiplier s + x mod 2^bits, x in 0..3.

    Inputs (x, s); outputs (s',), or (s', x) where the input is kept. An odd multiplier is
    invertible, so s' and x tell s.
    """
    rows = [[1, multiplier], [1, 0]] if keep else [[1, multiplier]]
    return _network(
        "recurrence_kept" if keep else "recurrence",
        0,
        [3, (1 << bits) - 1],
        _dense(rows),
        Part(Wrap(bits), _columns(0)),
        state=((1, 0),),
    )


def shift_register(bits: int = 8) -> Network:
    """The simplest recurrent net: s' = (s + 2^bits x) >> 1 remembers the last `bits` inputs x."""
    return _network(
        "shift_register",
        0,
        [1, (1 << bits) - 1],
        _dense([[1 << bits, 1]]),
        Requantise(_columns(1), "floor"),
        state=((1, 0),),
    )


def binary_net() -> Network:
    """Three majority-like binary neurons on windows of five bits, one on top of them."""
    return _network(
        "binary",
        0,
        [1] * 5,
        _dense([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1]]),
        Threshold(_columns(2, 2, 2)),
        _dense([[1, 1, 1]]),
        Threshold(_columns(2)),
    )


def tree(keep: bool = False) -> Network:
    """A decision tree of depth 2 on two numbers 0..7: x0 < 4, then x1 < 2 or x1 < 6; the leaf 0..3.

    With `keep`, the three comparisons come out beside the leaf.
    """
    leaf: list[tuple[int, ...]] = [(2, 0), (1, 1), (-1, 0, 1), (1, 0, 2)]  # 2a + (a ? c : b)
    kept: list[list[tuple[int, ...]]] = [[(1, k)] for k in range(3)] if keep else []
    return _network(
        "tree_kept" if keep else "tree",
        0,
        [7, 7],
        _dense([[1, 0], [0, 1], [0, 1]]),
        Threshold(_columns(4, 2, 6)),
        products([leaf, *kept]),
    )


HANDMADE: Final[dict[str, Callable[[], Network]]] = {
    "coupling": coupling,
    "residual": residual,
    "softmax": softmax_logits,
    "layer_norm": layer_norm,
    "attention": attention,
    "mixture": mixture,
    "kan": kan,
    "recurrence": recurrence,
    "shift_register": shift_register,
    "binary": binary_net,
    "tree": tree,
}
"""Networks by name."""
