"""Post-training quantisation: a float network and data become a `Graph` of 8-bit integers.

Activations are int8 with one scale and zero point per tensor, from the range that the data shows
(stretched to hold 0): real = scale * (q - zero). Weights are int8, symmetric, one scale per output
channel; biases int32 at scale_in * scale_weight. Sums are exact in 32 bits and go to the output's
scale by TensorFlow Lite's rule (a 31-bit multiplier, two roundings; Jacob et al., CVPR 2018,
section 2.2 and gemmlowp) or, with power-of-two scales, by one rounding shift, ties up. Functions
are tables of 256 entries, pools keep their input's scale, an addition is one weighted sum
round((m1 (q1 - z1) + m2 (q2 - z2)) / 2^16) with ties up. This is the meaning of the graph: the
reference and the circuit agree on it bit for bit; what it differs from the floats is measured.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.frontends.floats.folding import folded
from revsim.frontends.floats.network import (
    FloatNetwork,
    FloatNode,
    Move,
    Plus,
    Pointwise,
    Sums,
    Window,
    run_floats,
)
from revsim.frontends.floats.ranges import Quantiser, observed, quantiser_for
from revsim.frontends.multipliers import requantise
from revsim.network.cells import Composed, Elementwise, Sum
from revsim.network.cells_order import Greatest
from revsim.network.graph import Cells, Graph, Linear, Node, Tensor, Wiring
from revsim.network.graph_reference import run_graph
from revsim.network.operators import Clamp, Divide, Offset, Requantise, Single, Table
from revsim.network.sums import Integers

LOW, HIGH = -128, 127
SUM_LIMIT: Final = 1 << 31
BLOCK: Final = 64
"""Rows that are run at a time."""
ADD_BITS: Final = 16


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The integer graph, how inputs become integers, and what quantising it changed.

    accuracy_before, accuracy_after: share of rows whose greatest output is the label, in floats and
    in integers; None without labels. error: root mean square of the difference of the outputs,
    relative to the root mean square of the float outputs.
    """

    graph: Graph
    quantiser: Quantiser
    rows: int
    notes: tuple[str, ...]
    error: float
    accuracy_before: float | None = None
    accuracy_after: float | None = None

    def quantise(self, rows: npt.NDArray[Any]) -> Integers:
        """Real inputs [rows, ...] as the graph's integers, int64 [rows, ...]."""
        return self.quantiser.quantise(np.asarray(rows, dtype=np.float64))

    def summary(self) -> list[str]:
        """What a user should know, a line each."""
        lines = [f"{self.graph.name}: quantised to int8 on {self.rows:,} rows"]
        lines.append(f"outputs differ from the floats by {self.error:.2%} (root mean square)")
        if self.accuracy_before is not None:
            lines.append(
                f"accuracy {self.accuracy_before:.2%} in floats, {self.accuracy_after:.2%} in int8"
            )
        return lines + list(self.notes)


def calibrate(
    model: Any,
    data: Any,
    labels: Any = None,
    *,
    percentile: float = 100.0,
    power_of_two: bool = False,
) -> Calibrated:
    """Quantise a float network to int8 by the ranges that its tensors have on the data.

    model: an .onnx file (a path, its bytes or a ModelProto), a torch.nn.Module or a FloatNetwork,
    with one input and one output. data: real rows [rows, ...] of its input; labels: int [rows].
    percentile: share in % of a tensor's values that must lie in its range (100: all; less clips
    outliers on both sides alike). power_of_two: scales are powers of two, so that requantising is a
    shift. Raises InputError where a layer is not known, all of them named, or the data does not fit
    or is not finite.
    """
    network = float_network(model, data)
    rows = checked_rows(network, data)
    labels = None if labels is None else np.asarray(labels)
    if not 50 < percentile <= 100:
        raise InputError(f"percentile must lie in 50..100 (50 excluded), got {percentile}")
    if labels is not None and np.shape(labels) != (len(rows),):
        raise InputError(f"{len(rows)} rows and labels of shape {np.shape(labels)}")
    ready = folded(network)
    builder = _Builder(ready, observed(ready, rows, percentile, BLOCK), power_of_two)
    graph = builder.graph()
    entry = builder.held[ready.input]
    error, before, after = _compared(ready, graph, entry, builder.held[ready.output], rows, labels)
    return Calibrated(graph, entry, len(rows), tuple(ready.notes), error, before, after)


def float_network(model: Any, data: Any) -> FloatNetwork:
    """Whatever holds a float network, read."""
    if isinstance(model, FloatNetwork):
        return model
    if hasattr(model, "named_modules"):
        from revsim.frontends.torch.operations import read_floats
        from revsim.frontends.torch.trace import rows_of, trace

        return read_floats(trace(model, rows_of(data)))
    from revsim.frontends.floats.onnx import floats_from_onnx

    return floats_from_onnx(model)


def checked_rows(network: FloatNetwork, data: Any) -> npt.NDArray[np.float64]:
    """Data as float64 [rows, size], or an InputError."""
    rows = np.asarray(data.detach().cpu().numpy() if hasattr(data, "detach") else data)
    shape = network.shapes[network.input]
    size = network.size(network.input)
    if rows.dtype.kind not in "fiub":
        raise InputError(f"{network.name}: data must be numbers, got {rows.dtype}")
    if rows.ndim == 0 or len(rows) == 0 or int(np.prod(rows.shape[1:], dtype=np.int64)) != size:
        wanted = ", ".join(str(n) for n in ("rows", *shape))
        raise InputError(f"{network.name}: data of shape {list(rows.shape)}; expected [{wanted}]")
    flat = rows.reshape(len(rows), size).astype(np.float64)
    bad = np.argwhere(~np.isfinite(flat))
    if len(bad):
        raise InputError(f"{network.name}: data row {bad[0][0]}, value {bad[0][1]} is not finite")
    return flat


def _compared(
    network: FloatNetwork,
    graph: Graph,
    entry: Quantiser,
    last: Quantiser,
    rows: npt.NDArray[np.float64],
    labels: npt.NDArray[Any] | None,
) -> tuple[float, float | None, float | None]:
    """(relative error, accuracy in floats, accuracy in integers) over all rows."""
    squares, difference, right = 0.0, 0.0, [0, 0]
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        real = run_floats(network, block)[network.output]
        whole = run_graph(graph, {graph.inputs[0]: entry.quantise(block)})[graph.outputs[0]]
        squares += float((real**2).sum())
        difference += float(((last.real(whole) - real) ** 2).sum())
        if labels is not None:
            own = np.asarray(labels[start : start + BLOCK])
            right[0] += int((real.argmax(axis=1) == own).sum())
            right[1] += int((whole.argmax(axis=1) == own).sum())
    error = math.sqrt(difference / squares) if squares else math.sqrt(difference)
    if labels is None or network.size(network.output) < 2:
        return error, None, None
    return error, right[0] / len(rows), right[1] / len(rows)


class _Builder:
    """Nodes of the graph as they are made; `held` says what each tensor's integers stand for."""

    def __init__(
        self,
        network: FloatNetwork,
        ranges: dict[str, tuple[float, float]],
        power_of_two: bool,
    ) -> None:
        self.network, self.ranges, self.power_of_two = network, ranges, power_of_two
        self.held: dict[str, Quantiser] = {}
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []

    def graph(self) -> Graph:
        """Quantise every node in order."""
        network = self.network
        self._hold(network.input, self._quantiser(network.input))
        done: set[str] = set()
        for node in network.nodes:
            if node.name in done:
                continue
            after = self._fused(node)
            self._quantised(node, after)
            if after is not None:
                done.add(after.name)
        return Graph(
            network.name,
            self.tensors,
            tuple(self.nodes),
            (network.input,),
            (network.output,),
            source=network.source,
            sha256=network.sha256,
        )

    def _fused(self, node: FloatNode) -> FloatNode | None:
        """The clip that alone reads the sums of a node: it becomes part of it."""
        readers = self.network.readers(node.output)
        if not isinstance(node.step, Sums | Plus) or len(readers) != 1:
            return None
        (reader,) = readers
        clips = isinstance(reader.step, Pointwise) and reader.step.ends is not None
        return reader if clips and node.output != self.network.output else None

    def _quantised(self, node: FloatNode, after: FloatNode | None) -> None:
        step = node.step
        output = node.output if after is None else after.output
        if isinstance(step, Sums):
            self._sums(node, step, after, output)
        elif isinstance(step, Plus):
            self._plus(node, after, output)
        elif isinstance(step, Pointwise):
            self._table(node, step)
        elif isinstance(step, Window):
            self._window(node, step)
        elif isinstance(step, Move):
            held = self.held[node.inputs[0]]
            self._hold(output, held)
            self._node(node, Wiring(step.name, step.index, (held.zero,)), output)
        else:
            raise InputError(f"{self.network.name}: node {node.name!r} was not folded")

    def _sums(self, node: FloatNode, step: Sums, after: FloatNode | None, output: str) -> None:
        entry = self.held[node.inputs[0]]
        scales = np.abs(step.weights).max(axis=1) / HIGH
        # A bias must fit 31 bits at the scale of its sums; a channel without weights has scale 1.
        scales = np.maximum(scales, np.abs(step.bias) / (entry.scale * (1 << 30)))
        scales = np.where(scales > 0, scales, 1.0)
        if self.power_of_two:
            scales = 2.0 ** np.ceil(np.log2(scales))
        weights = np.rint(step.weights / scales[:, None]).astype(np.int64)
        bias = np.rint(step.bias / (entry.scale * scales)).astype(np.int64)
        # No finer than the sums: a multiplier above 1 would add no information.
        leaving = self._quantiser(output, float(entry.scale * scales[np.abs(weights).any(axis=1)]
                                                .max(initial=0.0)))  # fmt: skip
        linear = Linear(
            step.kind,
            weights,
            bias - entry.zero * weights.sum(axis=1),
            step.reads,
            entry.zero,
        )
        low, high = linear.bounds(LOW, HIGH)
        if max(int(-low.min()), int(high.max())) >= SUM_LIMIT:
            raise InputError(
                f"{self.network.name}, node {node.name!r}: sums reach {low.min()}..{high.max()}, "
                "beyond the 32 bits of an accumulator; scale its weights or its input down"
            )
        activations: tuple[Single, ...] = (
            self._requantise(entry.scale * scales / leaving.scale),
            Offset(np.array([leaving.zero])),
            _clamp(leaving, after),
        )
        positions, channels = linear.positions, linear.channels
        identity = np.array_equal(step.order, np.arange(len(step.order)))
        raw = output if identity else f"{output}.channels_last"
        self._hold(output, leaving)
        if not identity:
            self.tensors[raw] = Tensor(
                raw, (positions, channels), LOW, HIGH, leaving.scale, leaving.zero
            )
        self._node(node, linear, raw, activations, after is not None)
        if not identity:
            wiring = Wiring("transpose", step.order)
            self.nodes.append(Node(f"{node.name}.transpose", wiring, (raw,), output))

    def _requantise(self, factors: npt.NDArray[np.float64]) -> Requantise:
        if self.power_of_two:
            shift = -np.log2(factors).astype(np.int64)
            left = np.maximum(-shift, 0)
            return Requantise(np.maximum(shift, 0), left=left if left.any() else None)
        return requantise(factors, "double", self.network.name)

    def _plus(self, node: FloatNode, after: FloatNode | None, output: str) -> None:
        entries = [self.held[name] for name in node.inputs]
        leaving = self._quantiser(output)
        places = ADD_BITS
        factors = [e.scale / leaving.scale for e in entries]
        if self.power_of_two:
            places = max(0, *(-round(math.log2(f)) for f in factors))
        weights = [round(f * 2**places) for f in factors]
        zeros = sum(w * e.zero for w, e in zip(weights, entries, strict=True))
        operators = (
            Requantise(np.array([places])),
            Offset(np.array([leaving.zero])),
            _clamp(leaving, after),
        )
        program = Composed((Sum(tuple(weights), -zeros), Elementwise(operators)))
        size = self.network.size(output)
        reads = np.arange(2 * size).reshape(2, size).T
        self._hold(output, leaving)
        self._node(node, Cells("add", program, reads), output, neurons=after is not None)

    def _table(self, node: FloatNode, step: Pointwise) -> None:
        entry = self.held[node.inputs[0]]
        low, high = step.fixed or self.ranges[node.output]
        leaving = quantiser_for(low, high, self.power_of_two)
        levels = np.arange(LOW, HIGH + 1)
        with np.errstate(over="ignore"):
            values = leaving.quantise(step.apply(entry.real(levels)))
        program = Elementwise((Table(LOW, values),))
        reads = np.arange(self.network.size(node.output))[:, None]
        self._hold(node.output, leaving)
        self._node(node, Cells(step.name, program, reads), node.output, neurons=True)

    def _window(self, node: FloatNode, step: Window) -> None:
        held = self.held[node.inputs[0]]
        self._hold(node.output, held)
        if step.name == "max":
            reads = step.reads.transpose(1, 0, 2).reshape(-1, step.reads.shape[2])
            self._node(node, Cells("max_pool", Greatest(), reads), node.output)
            return
        positions, channels, taps = step.reads.shape
        linear = Linear(
            "average_pool",
            np.ones((channels, taps), dtype=np.int64),
            np.zeros(channels, dtype=np.int64),
            step.reads,
            held.zero,
        )
        activations = (Divide(np.array([taps])),)
        if positions == 1:
            self._node(node, linear, node.output, activations)
            return
        raw = f"{node.output}.channels_last"
        self.tensors[raw] = Tensor(raw, (positions, channels), LOW, HIGH, held.scale, held.zero)
        self._node(node, linear, raw, activations)
        order = np.arange(positions * channels).reshape(positions, channels).T.ravel()
        wiring = Wiring("transpose", order)
        self.nodes.append(Node(f"{node.name}.transpose", wiring, (raw,), node.output))

    def _quantiser(self, tensor: str, least: float = 0.0) -> Quantiser:
        low, high = self.ranges[tensor]
        return quantiser_for(low, high, self.power_of_two, least)

    def _hold(self, tensor: str, held: Quantiser) -> None:
        self.held[tensor] = held
        shape = self.network.shapes[tensor]
        self.tensors[tensor] = Tensor(tensor, shape, LOW, HIGH, held.scale, held.zero)

    def _node(
        self,
        node: FloatNode,
        operator: Wiring | Linear | Cells,
        output: str,
        activations: tuple[Single, ...] = (),
        neurons: bool = False,
    ) -> None:
        self.nodes.append(Node(node.name, operator, node.inputs, output, activations, neurons))


def _ends(held: Quantiser, after: FloatNode | None) -> tuple[int, int]:
    """The range that a clip leaves to the integers of a tensor."""
    if after is None:
        return LOW, HIGH
    low, high = after.step.ends  # type: ignore[union-attr,misc]
    return int(held.quantise(np.array(low))), int(held.quantise(np.array(high)))


def _clamp(held: Quantiser, after: FloatNode | None) -> Clamp:
    return Clamp(*_ends(held, after))
