"""Parts of a transformer layer with 8-bit weights as graphs: an attention head, a slice of the MLP.

Weights are int8 [inputs, outputs] with one scale per column, as weight-only quantisation stores
them; activations get int8 scales from real rows, as in calibrate.py: real = scale * (q - zero).
What is not a sum by constants is a program on words:

    scores   sum over k of query[i, k] * key[j, k], rescaled by s_q s_k / (sqrt(width) s)
    shares   softmax along j: a table of 256 exponentials and an integer reciprocal (softmax.py)
    context  sum over j of (share[i, j] + 128) * value[j, k], rescaled
    gelu     a table of 256 entries

Reference: Vaswani et al., arXiv 1706.03762, section 3.2; GELU: Hendrycks and Gimpel, 1606.08415.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.frontends.floats.layers import gelu
from revsim.frontends.floats.ranges import Quantiser, quantiser_for
from revsim.frontends.multipliers import into, requantise
from revsim.network.cells import Composed, Elementwise
from revsim.network.cells_onnx import Dot
from revsim.network.graph import Cells, Graph, Linear, Node, Tensor, Wiring
from revsim.network.operators import Single, Table
from revsim.network.softmax import softmax
from revsim.network.sums import Integers

LOW, HIGH = -128, 127
SHARES = Quantiser(1 / 256, -128)
"""Softmax's own scale: shares from 0 to 255/256."""
Reals = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Projection:
    """int8 weights [inputs, outputs], a scale per column float32 [outputs], a bias [outputs]."""

    weights: Integers
    scales: Reals
    bias: Reals

    def columns(self, first: int, count: int) -> "Projection":
        """Some of the outputs."""
        own = slice(first, first + count)
        return Projection(self.weights[:, own], self.scales[own], self.bias[own])

    def real(self, x: Reals) -> npt.NDArray[np.float64]:
        """x @ (weights * scales) + bias."""
        return np.asarray(x.astype(np.float64) @ (self.weights * self.scales) + self.bias)


def projection_of(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> Projection:
    """W_<name>_int8 [inputs, outputs], W_<name>_scale [1, outputs] and b_<name> [outputs]."""
    keys = f"W_{name}_int8", f"W_{name}_scale", f"b_{name}"
    missing = [key for key in keys if key not in arrays]
    if missing:
        raise InputError(f"no array {missing[0]!r}; the file holds {', '.join(list(arrays)[:8])}")
    weights, scales, bias = (np.asarray(arrays[key]) for key in keys)
    if weights.dtype != np.int8 or weights.ndim != 2 or scales.size != weights.shape[1]:
        raise InputError(f"{keys[0]}: int8 [inputs, outputs] with a scale per column")
    return Projection(weights.astype(np.int64), scales.ravel(), bias.ravel())


def head_floats(
    x: Reals, query: Projection, key: Projection, value: Projection
) -> dict[str, npt.NDArray[np.float64]]:
    """The tensors of one attention head in real numbers, x [tokens, inputs]."""
    q, k, v = (p.real(x) for p in (query, key, value))
    scores = q @ k.T / math.sqrt(q.shape[1])
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    return {"x": x.astype(np.float64), "query": q, "key": k, "value": v, "scores": scores,
            "shares": shares, "context": shares @ v}  # fmt: skip


def attention_head(
    x: Reals, query: Projection, key: Projection, value: Projection, name: str = "head"
) -> Graph:
    """One head on as many tokens as x [tokens, inputs] has; x gives the ranges of all tensors."""
    real = head_floats(x, query, key, value)
    tokens, width = real["query"].shape
    graph = _Parts(name, real)
    graph.tensor("x")
    for part, projection in (("query", query), ("key", key), ("value", value)):
        graph.project("x", part, projection)
    q, k, v = (graph.held[part] for part in ("query", "key", "value"))
    scores = graph.tensor("scores")
    row, column = np.meshgrid(np.arange(tokens), np.arange(tokens), indexing="ij")
    inner = np.arange(width)
    reads = np.concatenate(
        [
            row.reshape(-1, 1) * width + inner,
            tokens * width + column.reshape(-1, 1) * width + inner,
        ],
        axis=1,
    )
    factor = q.scale * k.scale / (math.sqrt(width) * scores.scale)
    program = Composed((Dot(-q.zero, -k.zero), Elementwise(_to(factor, scores))))
    graph.node("scores", Cells("scores", program, reads), ("query", "key"))
    graph.tensor("shares", SHARES)
    rows = np.arange(tokens * tokens).reshape(tokens, tokens)
    graph.node("shares", Cells("softmax", softmax(scores.scale), rows), ("scores",))
    context = graph.tensor("context")
    token, channel = np.meshgrid(np.arange(tokens), np.arange(width), indexing="ij")
    reads = np.concatenate(
        [
            token.reshape(-1, 1) * tokens + np.arange(tokens),
            tokens * tokens + np.arange(tokens) * width + channel.reshape(-1, 1),
        ],
        axis=1,
    )
    factor = SHARES.scale * v.scale / context.scale
    program = Composed((Dot(-SHARES.zero, -v.zero), Elementwise(_to(factor, context))))
    graph.node("context", Cells("context", program, reads), ("shares", "value"))
    return graph.graph("x", "context")


def mlp_slice(x: Reals, up: Projection, name: str = "mlp") -> Graph:
    """Hidden units of the MLP, sums and GELU, on the tokens of x [tokens, inputs]."""
    hidden = up.real(x)
    graph = _Parts(name, {"x": x.astype(np.float64), "hidden": hidden, "gelu": gelu(hidden)})
    graph.tensor("x")
    entry = graph.project("x", "hidden", up)
    leaving = graph.tensor("gelu")
    values = leaving.quantise(gelu(entry.real(np.arange(LOW, HIGH + 1))))
    program = Elementwise((Table(LOW, values),))
    reads = np.arange(hidden.size)[:, None]
    graph.node("gelu", Cells("gelu", program, reads), ("hidden",), neurons=True)
    return graph.graph("x", "gelu")


@dataclass
class _Parts:
    """A graph in the making: `real` are its tensors in real numbers, which give their scales."""

    name: str
    real: Mapping[str, npt.NDArray[np.float64]]
    held: dict[str, Quantiser] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def tensor(self, name: str, held: Quantiser | None = None) -> Quantiser:
        values = self.real[name]
        held = held or quantiser_for(float(values.min()), float(values.max()), False)
        self.held[name] = held
        self.tensors[name] = Tensor(name, values.shape, LOW, HIGH, held.scale, held.zero)
        return held

    def node(
        self,
        output: str,
        operator: Wiring | Linear | Cells,
        inputs: tuple[str, ...],
        activations: tuple[Single, ...] = (),
        neurons: bool = False,
    ) -> None:
        self.nodes.append(Node(output, operator, inputs, output, activations, neurons))

    def project(self, source: str, output: str, projection: Projection) -> Quantiser:
        """Sums by constants at every token; the bias is rounded to the scale of the sums."""
        entry, leaving = self.held[source], self.tensor(output)
        scales = entry.scale * projection.scales.astype(np.float64)
        bias = np.rint(projection.bias / scales).astype(np.int64)
        weights = projection.weights.T
        tokens, inputs = self.real[source].shape
        reads = np.arange(tokens * inputs).reshape(tokens, 1, inputs)
        start = bias - entry.zero * weights.sum(axis=1)
        linear = Linear("dense", np.ascontiguousarray(weights), start, reads)
        self.node(output, linear, (source,), _to(scales / leaving.scale, leaving))
        return leaving

    def graph(self, source: str, output: str) -> Graph:
        return Graph(self.name, self.tensors, tuple(self.nodes), (source,), (output,))


def _to(factors: npt.ArrayLike, held: Quantiser) -> tuple[Single, ...]:
    """From sums to a tensor's integers, by TensorFlow Lite's rule."""
    factors = np.atleast_1d(np.asarray(factors, dtype=np.float64))
    return (requantise(factors, "double", "transformer"), *into(held.zero, LOW, HIGH))
