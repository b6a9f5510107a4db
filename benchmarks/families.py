"""Families of networks whose training sees whole numbers: every rounding is in the forward pass.

A family has latent parameters near -1..1, a forward pass that computes with the very integers of
the finished network, and that network's operators. Images are int [rows, 64], pixels 0..16.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from autograd import Node, clip, join, relu, softmax, spread, through
from training import Floats, Generator, Schedule

from revsim.network.operators import (
    Argmax,
    Clamp,
    Conv2d,
    Dense,
    Integers,
    Operator,
    Part,
    Relu,
    Requantise,
    Table,
    TopK,
    products,
)

LIMIT = 7
"""Weights are -7..7 (4 bits), biases whole numbers of any size."""
BIAS_UNIT = 64.0
"""Integer worth of a latent bias of 1."""


@dataclass(frozen=True)
class Family:
    """One network to train.

    `shapes` of its parameters (a shape with one entry is a bias); `logits(nodes, x)` and
    `operators(parameters)`; `temperature`: integer logits that make one; `state`: as in Network.
    """

    name: str
    shapes: Sequence[tuple[int, ...]]
    logits: Callable[[list[Node], Floats], Node]
    operators: Callable[[list[Floats]], tuple[Operator, ...]]
    temperature: float
    schedule: Schedule = field(default_factory=lambda: Schedule(decay=0.0, rate=1e-2))
    state: tuple[tuple[int, int], ...] = ()


def initial(shapes: Sequence[tuple[int, ...]], generator: Generator) -> list[Floats]:
    """Small random weights, biases 0."""
    return [np.zeros(s) if len(s) == 1 else generator.normal(0, 0.4, s).clip(-1, 1) for s in shapes]


# --- whole numbers, as nodes for training and as arrays for the network ---------------------------


def whole(p: Floats, limit: float = LIMIT) -> Integers:
    """Latent weights as integers -limit..limit."""
    return np.rint(np.clip(p, -1, 1) * limit).astype(np.int64)


def whole_bias(p: Floats) -> Integers:
    """Latent biases as integers."""
    return np.rint(p * BIAS_UNIT).astype(np.int64)


def weights(p: Node, limit: float = LIMIT) -> Node:
    """Integer weights whose gradient is that of the latent ones."""
    return through(whole(p.value, limit).astype(np.float64), clip(p, -1, 1) * limit)


def bias(p: Node) -> Node:
    """Integer biases, likewise."""
    return through(whole_bias(p.value).astype(np.float64), p * BIAS_UNIT)


def shifted(z: Node, shift: int) -> Node:
    """z / 2^shift, ties up."""
    half = (1 << shift) >> 1
    return through(np.floor((z.value + half) / 2**shift), z * 2.0**-shift)


def fired(z: Node, shift: int, high: int = 15) -> Node:
    """Relu, right shift, clamp to 0..high."""
    return clip(shifted(relu(z), shift), 0, high)


def fires(n: int, shift: int, columns: Integers | None = None, high: int = 15) -> list[Operator]:
    """The operators of `fired` on n values: all, or those columns of more."""
    steps = (Relu(), Requantise(np.full(n, shift)), Clamp(0, high))
    return [step if columns is None else Part(step, columns) for step in steps]


# --- convolution ----------------------------------------------------------------------------------


def convolution_index(size: int, channels: int, out: int) -> Integers:
    """[outputs, inputs]: entry of a flat kernel [out, 3, 3, channels], stride 2, padding 1."""
    places = size // 2
    index = np.full((places, places, out, size, size, channels), -1)
    entry = np.arange(out * 9 * channels).reshape(out, 3, 3, channels)
    for y, x, dy, dx in np.ndindex(places, places, 3, 3):
        row, column = 2 * y + dy - 1, 2 * x + dx - 1
        if 0 <= row < size and 0 <= column < size:
            index[y, x, :, row, column] = entry[:, dy, dx]
    return index.reshape(places * places * out, -1)


FIRST, SECOND = convolution_index(8, 1, 4), convolution_index(4, 4, 8)


def convolved(p: list[Node], x: Floats) -> Node:
    """8 x 8 x 1 to 4 x 4 x 4 to 2 x 2 x 8 to 10."""
    tiled = [
        Node(np.tile(b.value, n), (b, lambda g, n=n: g.reshape(n, -1).sum(0)))
        for b, n in ((bias(p[1]), 16), (bias(p[3]), 4))
    ]
    h = fired(Node(x) @ spread(weights(p[0]), FIRST).T + tiled[0], 4)
    h = fired(h @ spread(weights(p[2]), SECOND).T + tiled[1], 4)
    return h @ weights(p[4]).T + bias(p[5])


def convolution(p: list[Floats]) -> tuple[Operator, ...]:
    k1, k2 = whole(p[0]).reshape(4, 3, 3, 1), whole(p[2]).reshape(8, 3, 3, 4)
    step = {"stride": (2, 2), "padding": (1, 1, 1, 1)}
    return (
        Conv2d(k1, whole_bias(p[1]), (8, 8, 1), **step),
        *fires(64, 4),
        Conv2d(k2, whole_bias(p[3]), (4, 4, 4), **step),
        *fires(32, 4),
        Dense(whole(p[4]), whole_bias(p[5])),
        Argmax(),
    )


# --- recurrence: the image row by row -------------------------------------------------------------

STATE = 16


def recurred(p: list[Node], x: Floats) -> Node:
    """h = fired(W (row, h) + b) over the eight rows; logits from the last h."""
    w, b = weights(p[0]).T, bias(p[1])
    h = Node(np.zeros((len(x), STATE)))
    for row in x.reshape(-1, 8, 8).swapaxes(0, 1):
        h = fired(join(Node(row), h) @ w + b, 4)
    return h @ weights(p[2]).T + bias(p[3])


def recurrence(p: list[Floats]) -> tuple[Operator, ...]:
    """One step: (row, h) to (h, one-hot class)."""
    readout = np.concatenate([np.eye(STATE, dtype=np.int64), whole(p[2])])
    constants = np.concatenate([np.zeros(STATE, np.int64), whole_bias(p[3])])
    return (
        Dense(whole(p[0]), whole_bias(p[1])),
        *fires(STATE, 4),
        Dense(readout, constants),
        TopK(1, np.arange(STATE, STATE + 10)[None]),
    )


# --- additive coupling ----------------------------------------------------------------------------

HALF = 32


def coupled(p: list[Node], x: Floats) -> Node:
    """y1 = x1 + F(x2), y2 = x2 + G(y1), then logits."""
    x1, x2 = Node(x[:, :HALF]), Node(x[:, HALF:])
    y1 = x1 + fired(x2 @ weights(p[0]).T + bias(p[1]), 4)
    y2 = x2 + fired(y1 @ weights(p[2]).T + bias(p[3]), 4)
    return join(y1, y2) @ weights(p[4]).T + bias(p[5])


def coupling(p: list[Floats]) -> tuple[Operator, ...]:
    """Halves are carried along beside F and G, which act on the last 32 columns."""
    one, none = np.eye(HALF, dtype=np.int64), np.zeros((HALF, HALF), np.int64)
    zero, last = np.zeros(2 * HALF, np.int64), np.arange(2 * HALF, 3 * HALF)
    f, g = whole(p[0]), whole(p[2])
    return (
        Dense(np.block([[one, none], [none, one], [none, f]]), np.append(zero, whole_bias(p[1]))),
        *fires(HALF, 4, last),
        Dense(
            np.block([[one, none, one], [none, one, none], [g, none, g]]),
            np.append(zero, whole_bias(p[3])),
        ),
        *fires(HALF, 4, last),
        Dense(np.block([[one, none, none], [none, one, one]]), zero),
        Dense(whole(p[4]), whole_bias(p[5])),
        Argmax(),
    )


# --- attention: rows of the image as tokens -------------------------------------------------------

TOKENS, WIDTH = 8, 4


def attended(p: list[Node], x: Floats) -> Node:
    """o_i = sum_j relu(q_i k_j) v_j; relu in place of softmax: Wortsman et al., 2309.08586."""
    rows = Node(x.reshape(-1, TOKENS, 8))
    q, k, v = (
        clip(shifted(rows @ weights(p[n]).T + bias(p[n + 1]).reshape(TOKENS, WIDTH), 4), -8, 7)
        for n in (0, 2, 4)
    )
    a = fired(q @ k.T, 3)
    o = clip(shifted(a @ v, 4), -8, 7)
    return o.reshape(-1, TOKENS * WIDTH) @ weights(p[6]).T + bias(p[7])


def attention(p: list[Floats]) -> tuple[Operator, ...]:
    each = TOKENS * WIDTH
    blocks = [np.kron(np.eye(TOKENS, dtype=np.int64), whole(p[n])) for n in (0, 2, 4)]
    constants = [whole_bias(p[n]) for n in (1, 3, 5)]
    scores = [
        [(1, i * WIDTH + d, each + j * WIDTH + d) for d in range(WIDTH)]
        for i in range(TOKENS)
        for j in range(TOKENS)
    ]
    carried = [[(1, 2 * each + n)] for n in range(each)]
    mixed = [
        [(1, i * TOKENS + j, TOKENS**2 + j * WIDTH + d) for j in range(TOKENS)]
        for i in range(TOKENS)
        for d in range(WIDTH)
    ]
    return (
        Dense(np.concatenate(blocks), np.concatenate(constants)),
        Requantise(np.full(3 * each, 4)),
        Clamp(-8, 7),
        products(scores + carried),
        *fires(TOKENS**2, 3, np.arange(TOKENS**2)),
        products(mixed),
        Requantise(np.full(each, 4)),
        Clamp(-8, 7),
        Dense(whole(p[6]), whole_bias(p[7])),
        Argmax(),
    )


# --- tables on edges ------------------------------------------------------------------------------

BLOCKS, MIDDLE, ENTRIES, TOP = 16, 8, (65, 64), 127
KNOTS = 9


def hats(entries: int) -> Floats:
    """[KNOTS, entries]: linear interpolation between evenly spaced knots."""
    place = np.linspace(0, KNOTS - 1, entries)
    return np.maximum(1 - np.abs(place - np.arange(KNOTS)[:, None]), 0)


def look_up(table: Node, place: Node) -> Node:
    """table[e, place[row, e]]; on the way back to `place`, the slope of the table there."""
    edges, entries = table.value.shape
    at = place.value.astype(np.int64)
    index = at + entries * np.arange(edges)
    up, down = np.minimum(at + 1, entries - 1), np.maximum(at - 1, 0)
    lines = np.arange(edges)
    slope = (table.value[lines, up] - table.value[lines, down]) / np.maximum(up - down, 1)
    return Node(
        table.value.ravel()[index],
        (
            table,
            lambda g: np.bincount(index.ravel(), g.ravel(), edges * entries).reshape(edges, -1),
        ),
        (place, lambda g: g * slope),
    )


def edges(p: Node, entries: int) -> Node:
    """Tables [edges, entries] of integers from their knots."""
    smooth = p @ Node(hats(entries))
    return through(np.rint(np.clip(smooth.value, -1, 1) * TOP), clip(smooth, -1, 1) * TOP)


def blocks(x: Floats) -> Floats:
    """Sums of 2 x 2 pixels, 0..64."""
    return x.reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, BLOCKS)


def tabled(p: list[Node], x: Floats) -> Node:
    """Every edge has a function of its own; a neuron adds up its edges (Liu et al., 2404.19756)."""
    inner = look_up(edges(p[0], ENTRIES[0]), Node(np.tile(blocks(x), MIDDLE)))
    h = clip(shifted(inner.reshape(-1, MIDDLE, BLOCKS).sum(2), 4), -32, 31)
    copies = Node(np.tile(h.value, 10), (h, lambda g: g.reshape(-1, 10, MIDDLE).sum(1)))
    outer = look_up(edges(p[1], ENTRIES[1]), copies + 32.0)
    return outer.reshape(-1, 10, MIDDLE).sum(2)


def tables(p: list[Floats]) -> tuple[Operator, ...]:
    pixel = np.arange(64).reshape(8, 8)
    sums = np.zeros((BLOCKS, 64), np.int64)
    for n in range(BLOCKS):
        y, x = 2 * (n // 4), 2 * (n % 4)
        sums[n, pixel[y : y + 2, x : x + 2].ravel()] = 1
    first, second = (
        edges(Node(knots), entries).value.astype(np.int64)
        for knots, entries in zip(p, ENTRIES, strict=True)
    )
    add = [
        np.kron(np.eye(n, dtype=np.int64), np.ones((1, m), np.int64))
        for n, m in ((MIDDLE, BLOCKS), (10, MIDDLE))
    ]
    return (
        Dense(np.tile(sums, (MIDDLE, 1)), np.zeros(MIDDLE * BLOCKS, np.int64)),
        Table(0, first),
        Dense(add[0], np.zeros(MIDDLE, np.int64)),
        Requantise(np.full(MIDDLE, 4)),
        Clamp(-32, 31),
        Dense(np.tile(np.eye(MIDDLE, dtype=np.int64), (10, 1)), np.zeros(10 * MIDDLE, np.int64)),
        Table(-32, second),
        Dense(add[1], np.zeros(10, np.int64)),
        Argmax(),
    )


# --- experts --------------------------------------------------------------------------------------

EXPERTS, EACH = 16, 4


def expert_logits(k: int, balance: float) -> Callable[[list[Node], Floats], Node]:
    """The logits of the k experts that a router chooses; the choice itself has no gradient.

    Forward a gate is 0 or 1; on the way back it is the router's softmax, with a pull towards equal
    use in proportion to `balance` (Fedus, Zoph, Shazeer, arXiv 2101.03961).
    """

    def of(p: list[Node], x: Floats) -> Node:
        router = Node(x) @ weights(p[0]).T + bias(p[1])
        order = np.argsort(-router.value, axis=1, kind="stable")[:, :k]
        mask = np.zeros_like(router.value)
        np.put_along_axis(mask, order, 1.0, axis=1)
        excess = balance * (mask.mean(0) - k / EXPERTS)
        soft = softmax(router * (1 / 64.0))
        gate = Node(mask, (soft, lambda g: g + excess / len(x)))
        h = fired(Node(x) @ weights(p[2]).T + bias(p[3]), 4).reshape(-1, EXPERTS, EACH)
        chosen = (h * gate.reshape(-1, EXPERTS, 1)).reshape(-1, EXPERTS * EACH)
        return chosen @ weights(p[4]).T + bias(p[5])

    return of


def experts(k: int) -> Callable[[list[Floats]], tuple[Operator, ...]]:
    def of(p: list[Floats]) -> tuple[Operator, ...]:
        n = EXPERTS * EACH
        gated = products([[(1, u // EACH, EXPERTS + u)] for u in range(n)])
        return (
            Dense(
                np.concatenate([whole(p[0]), whole(p[2])]),
                np.concatenate([whole_bias(p[1]), whole_bias(p[3])]),
            ),
            *fires(n, 4, np.arange(EXPERTS, EXPERTS + n)),
            TopK(k, np.arange(EXPERTS)[None]),
            gated,
            Dense(whole(p[4]), whole_bias(p[5])),
            Argmax(),
        )

    return of


def _experts(k: int, name: str, balance: float = 1.0) -> Family:
    n = EXPERTS * EACH
    shapes = [(EXPERTS, 64), (EXPERTS,), (n, 64), (n,), (10, n), (10,)]
    return Family(name, shapes, expert_logits(k, balance), experts(k), 64.0)


EACH_TOKEN = TOKENS * WIDTH
FAMILIES = (
    Family(
        "digits_conv",
        [(4, 9), (4,), (8, 36), (8,), (10, 32), (10,)],
        convolved,
        convolution,
        64.0,
    ),
    Family(
        "digits_rows",
        [(STATE, 8 + STATE), (STATE,), (10, STATE), (10,)],
        recurred,
        recurrence,
        32.0,
        state=tuple((8 + n, n) for n in range(STATE)),
    ),
    Family(
        "digits_coupling",
        [(HALF, HALF), (HALF,), (HALF, HALF), (HALF,), (10, 2 * HALF), (10,)],
        coupled,
        coupling,
        128.0,
    ),
    Family(
        "digits_attention",
        [*[(WIDTH, 8), (EACH_TOKEN,)] * 3, (10, EACH_TOKEN), (10,)],
        attended,
        attention,
        32.0,
    ),
    Family("digits_kan", [(MIDDLE * BLOCKS, KNOTS), (10 * MIDDLE, KNOTS)], tabled, tables, 64.0),
    _experts(1, "digits_moe_top1"),
    _experts(2, "digits_moe_top2"),
    _experts(2, "digits_moe_free", balance=0.0),
)
