"""`Graph`: a real network as tensors and nodes, the form into which model files are read.

A tensor is an array of integers of one declared range. A node makes one tensor from others, in one
of three ways:

    Wiring   moves values: reshape, transpose, slice, concatenate, gather, pad. No gate at all.
    Linear   weighted sums, one weight row per channel, the same at every position.
    Cells    one program on whole numbers (words.py), the same at every position.

Positions are what a circuit puts into lanes: one definition per channel or cell, run everywhere.
A `Network` is the chain on a flat vector of scalars; a `Graph` is for everything larger.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.network.operators import Single
from revsim.network.reals import Stage
from revsim.network.sums import Integers
from revsim.network.words import Program as Program

RANGE_LIMIT = 1 << 61
"""No value of a graph may leave this range, so that int64 arithmetic stays exact."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """Integers of one `shape` (that of one sample, as in the model) in low..high.

    `scale` and `zero` say which real number an integer stands for, scale * (q - zero), where the
    model says so; where its float operations are others, `from_float` leads from the model's floats
    to the integers of an input and `to_float` back to floats (reals.py). `number` is the tensor's
    index in the model file, if it has one.
    """

    name: str
    shape: tuple[int, ...]
    low: int
    high: int
    scale: float | None = None
    zero: int = 0
    number: int | None = None
    from_float: tuple[Stage, ...] = ()
    to_float: tuple[Stage, ...] = ()

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Wiring:
    """output[e] = inputs[index[e]], the inputs laid flat one behind the other.

    index: int64 [values of the output]; an entry -1 - k stands for constants[k]. `kind` is the
    model's word for it.

    >>> Wiring("pad", np.array([-1, 0, 1]), (7,)).apply(np.array([[4, 5]])).tolist()
    [[7, 4, 5]]
    """

    kind: str
    index: Integers
    constants: tuple[int, ...] = ()

    def apply(self, values: Integers) -> Integers:
        """int64 [rows, values of the inputs] to int64 [rows, values of the output]."""
        held = _with_constants(values, self.constants)
        return np.asarray(held[:, _places(self.index, values.shape[1])])


@dataclass(frozen=True, eq=False)
class Linear:
    """z[p, c] = bias[c] + sum over k of weights[c, k] * input[reads[p, group of c, k]].

    weights int64 [channels, taps], bias int64 [channels], reads int64 [positions, groups, taps];
    channels are split evenly among the groups (one group: a dense layer or plain convolution; as
    many as channels: depthwise). A read of -1 finds `pad_value`, a constant of the input's range.
    The output is flat [positions, channels].

    >>> two = Linear("dense", np.array([[1, -2]]), np.array([3]), np.array([[[0, 1]]]))
    >>> two.apply(np.array([[5, 1]])).tolist(), two.macs
    ([[6]], 2)
    """

    kind: str
    weights: Integers
    bias: Integers
    reads: Integers
    pad_value: int = 0

    @property
    def channels(self) -> int:
        """Number of weight rows."""
        return len(self.weights)

    @property
    def positions(self) -> int:
        """How many places every channel is computed at."""
        return len(self.reads)

    @cached_property
    def group_of(self) -> Integers:
        """The group whose taps each channel reads, int64 [channels]."""
        return np.asarray(np.arange(self.channels) // (self.channels // self.reads.shape[1]))

    @property
    def macs(self) -> int:
        """Multiply-accumulates, zero weights and padding included, as is usual."""
        return self.positions * int(self.weights.size)

    def apply(self, values: Integers) -> Integers:
        """int64 [rows, values of the input] to int64 [rows, positions * channels], exact."""
        groups = self.reads.shape[1]
        weights = self.weights.reshape(groups, self.channels // groups, -1)
        held = _with_constants(values, (self.pad_value,))
        places = _places(self.reads, values.shape[1])
        out = np.empty((len(values), self.positions, groups, weights.shape[1]), dtype=np.int64)
        # Products of at most 53 bits are exact in floating point, where matrix products are fast.
        exact = self._largest(values) < 2.0**53
        for row, held_row in enumerate(held):
            for group in range(groups):
                taps, matrix = held_row[places[:, group]], weights[group].T
                if exact:
                    out[row, :, group] = np.rint(taps.astype(np.float64) @ matrix)
                else:
                    out[row, :, group] = taps @ matrix
        return out.reshape(len(values), -1) + np.tile(self.bias, self.positions)

    def _largest(self, values: Integers) -> float:
        span = max(float(np.abs(values).max(initial=0)), abs(self.pad_value))
        return float(np.abs(self.weights).astype(np.float64).sum(axis=1).max(initial=0.0)) * span

    def bounds(self, low: int, high: int) -> tuple[Integers, Integers]:
        """Exact range of z per channel, int64 [channels], for inputs in low..high."""
        up, down = np.maximum(self.weights, 0).sum(axis=1), np.minimum(self.weights, 0).sum(axis=1)
        return up * low + down * high + self.bias, up * high + down * low + self.bias


@dataclass(frozen=True, eq=False)
class Cells:
    """(output[p, 0], ...) = program(input[reads[p, 0]], input[reads[p, 1]], ...) at every p.

    reads: int64 [positions, arguments] into the inputs laid flat one behind the other. The program
    gives the same number of words at each position; the output is flat [positions, words].
    """

    kind: str
    program: Program
    reads: Integers

    @property
    def positions(self) -> int:
        """How many times the program is run."""
        return len(self.reads)


@dataclass(frozen=True, eq=False)
class Node:
    """One step: `output` is `operator` of `inputs`, and after a Linear each activation in turn.

    Activations are operators on single values (operators.py) whose parameters are per channel,
    [channels], or one for all, [1]. `neurons` says that its outputs are neurons in the paper's
    sense: an activation function of the model acts on them (saturation alone does not count).
    """

    name: str
    operator: Wiring | Linear | Cells
    inputs: tuple[str, ...]
    output: str
    activations: tuple[Single, ...] = ()
    neurons: bool = False

    @property
    def kind(self) -> str:
        """Operators in order, such as `conv2d+requantise+clamp`."""
        return "+".join([self.operator.kind, *(a.kind for a in self.activations)])

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.operator.macs if isinstance(self.operator, Linear) else 0


@dataclass(frozen=True, eq=False)
class State:
    """On a stream, tensor `input` is what tensor `output` was a step before; `initial` at first."""

    input: str
    output: str
    initial: Integers


@dataclass(frozen=True, eq=False)
class Graph:
    """Tensors by name and the nodes that make them, in an order in which they can be run.

    `inputs` and `outputs` are what the caller gives and gets, in the model's order; `state` pairs
    are inputs and outputs beside them. Raises InputError, naming the node, where a tensor is
    missing, made twice or too late, a read leaves its tensor, or a shape does not fit.
    """

    name: str
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    state: tuple[State, ...] = ()
    source: str = ""
    licence: str = ""
    sha256: str = field(default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensors", unified(self.tensors, self.nodes))
        made = {*self.inputs, *(s.input for s in self.state)}
        for name in made:
            self._tensor(name, "inputs")
        for node in self.nodes:
            self._check(node, made)
            made.add(node.output)
        for name in (*self.outputs, *(s.output for s in self.state)):
            if name not in made:
                raise InputError(f"{self.name}: output tensor {name!r} is made by no node")

    def _tensor(self, name: str, where: str) -> Tensor:
        if name not in self.tensors:
            raise InputError(f"{self.name}, {where}: there is no tensor {name!r}")
        tensor = self.tensors[name]
        if tensor.low > tensor.high or max(-tensor.low, tensor.high) >= 1 << 63:
            raise InputError(
                f"{self.name}, {where}: tensor {name!r} has the range {tensor.low}..{tensor.high}"
            )
        return tensor

    def _check(self, node: Node, made: set[str]) -> None:
        where = f"node {node.name!r} ({node.operator.kind})"
        for name in node.inputs:
            self._tensor(name, where)
            if name not in made:
                raise InputError(f"{self.name}, {where}: tensor {name!r} is read before it is made")
        output = self._tensor(node.output, where)
        if node.output in made:
            raise InputError(f"{self.name}, {where}: tensor {node.output!r} is made twice")
        given = sum(self.tensors[name].size for name in node.inputs)
        operator = node.operator
        if isinstance(operator, Wiring):
            reads, count = operator.index, len(operator.index)
            least = -len(operator.constants)
        elif isinstance(operator, Linear):
            reads, least = operator.reads, -1
            count = operator.positions * operator.channels
            taps = operator.reads.shape[2:]
            if operator.weights.shape[1:] != taps or len(operator.bias) != operator.channels:
                raise InputError(
                    f"{self.name}, {where}: weights {operator.weights.shape} and bias "
                    f"{operator.bias.shape} do not fit {taps} taps"
                )
            if len(node.inputs) != 1:
                raise InputError(f"{self.name}, {where}: takes one input, not {len(node.inputs)}")
        else:
            reads, count, least = operator.reads, output.size, 0
            if len(reads) == 0 or output.size % len(reads):
                raise InputError(
                    f"{self.name}, {where}: {len(reads)} cells do not fill {output.shape}"
                )
        if reads.size and not (least <= int(reads.min()) and int(reads.max()) < given):
            raise InputError(
                f"{self.name}, {where}: reads {reads.min()}..{reads.max()} of {given} values"
            )
        if count != output.size:
            raise InputError(
                f"{self.name}, {where}: makes {count} values for a tensor of shape {output.shape}"
            )

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference."""
        return sum(node.macs for node in self.nodes)

    def key(self, node: Node) -> Hashable:
        """Equal keys, equal function on equal ranges: what a compiled node may be cached by."""
        ranges = tuple((self.tensors[n].low, self.tensors[n].high) for n in node.inputs)
        out = self.tensors[node.output]
        return ranges, (out.low, out.high), id(node.operator)

    def __repr__(self) -> str:
        shapes = " ".join(
            f"{n}{list(self.tensors[n].shape)}" for n in (*self.inputs, *self.outputs)
        )
        return f"Graph({self.name!r}, {shapes}, {len(self.nodes)} nodes, {self.macs:,} MACs)"


def unified(tensors: Mapping[str, Tensor], nodes: Sequence[Node]) -> Mapping[str, Tensor]:
    """The tensors with ranges widened until wires that move keep their meaning.

    Tensors joined by a wiring share one range, the hull of theirs and of its constants, since a
    register that is only moved keeps its encoding.
    """
    ranges = {name: (t.low, t.high) for name, t in tensors.items()}
    wirings = [node for node in nodes if isinstance(node.operator, Wiring)]
    changed = True
    while changed:
        changed = False
        for node in wirings:
            joined = [n for n in (*node.inputs, node.output) if n in ranges]
            ends = [ranges[name] for name in joined]
            constants = node.operator.constants  # type: ignore[union-attr]
            low = min([e[0] for e in ends] + list(constants))
            high = max([e[1] for e in ends] + list(constants))
            for name in joined:
                if ranges[name] != (low, high):
                    ranges[name] = low, high
                    changed = True
    return {
        name: t if ranges[name] == (t.low, t.high) else replace(t, low=low, high=high)
        for name, t in tensors.items()
        for low, high in (ranges[name],)
    }


def _with_constants(values: Integers, constants: Sequence[int]) -> Integers:
    held = np.broadcast_to(np.array(constants, dtype=np.int64), (len(values), len(constants)))
    return np.concatenate([values, held], axis=1)


def _places(index: Integers, count: int) -> npt.NDArray[np.int64]:
    """Reads as places in values followed by constants: -1 - k is place count + k."""
    return np.where(index < 0, count - 1 - index, index)
