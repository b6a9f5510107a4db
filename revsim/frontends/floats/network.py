"""A network of real numbers: what calibration starts from, and its forward pass in NumPy.

Readers of float models (onnx.py, torch/operations.py) make a `FloatNetwork`; calibrate.py makes
integers of it. Tensors are flat, in the model's own order, one sample a row. There are six steps:

    Sums       weighted sums at positions: dense layers and convolutions
    Affine     a scale and a shift per channel: batch normalisation, constants added or multiplied
    Pointwise  a function of each value
    Window     the greatest or the mean of some values at positions: pools
    Move       values moved: flatten, transpose, zero padding
    Plus       two tensors added
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.network.sums import Integers

Reals = npt.NDArray[np.float64]
GATHERED = 1 << 22
"""Most values that a step gathers at a time."""


@dataclass(frozen=True, eq=False)
class Sums:
    """y[order] of z[p, c] = bias[c] + sum of weights[c, k] * x[reads[p, group of c, k]].

    weights float64 [channels, taps], bias float64 [channels], reads int64 [positions, groups,
    taps], -1 where a tap finds 0; order int64 [values]: where each output stands in z laid flat.
    """

    kind: str
    weights: Reals
    bias: Reals
    reads: Integers
    order: Integers

    def apply(self, x: Reals) -> Reals:
        """float64 [rows, values] to float64 [rows, outputs]."""
        positions, groups, taps = self.reads.shape
        weights = self.weights.reshape(groups, -1, taps).transpose(0, 2, 1)

        def sums(rows: Reals) -> Reals:
            z = gathered(rows, self.reads).transpose(2, 0, 1, 3).reshape(groups, -1, taps) @ weights
            z = z.reshape(groups, len(rows), positions, -1).transpose(1, 2, 0, 3)
            flat = z.reshape(len(rows), positions, -1) + self.bias
            return np.asarray(flat.reshape(len(rows), -1)[:, self.order])

        return in_blocks(sums, x, self.reads.size)


@dataclass(frozen=True, eq=False)
class Affine:
    """scale[c] * x + shift[c], c = channel_of each value; float64 [channels], int64 [values]."""

    scale: Reals
    shift: Reals
    channel_of: Integers

    def apply(self, x: Reals) -> Reals:
        """Elementwise."""
        return x * self.scale[self.channel_of] + self.shift[self.channel_of]


@dataclass(frozen=True, eq=False)
class Pointwise:
    """A function of each value: a clip where `ends` are given, else `function`.

    `fixed` is the range of its results where that is known beforehand (a sigmoid: 0..1).
    """

    name: str
    function: Callable[[Reals], Reals]
    ends: tuple[float, float] | None = None
    fixed: tuple[float, float] | None = None

    def apply(self, x: Reals) -> Reals:
        """Elementwise."""
        return np.asarray(self.function(x), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Window:
    """The greatest (`max`) or the mean (`mean`) of the values under each window.

    reads int64 [positions, channels, taps], -1 where a tap finds 0 (means only); the outputs are
    laid [channels, positions].
    """

    name: str
    reads: Integers

    def apply(self, x: Reals) -> Reals:
        """float64 [rows, values] to float64 [rows, outputs]."""
        order = self.reads.transpose(1, 0, 2).reshape(-1, self.reads.shape[2])

        def pooled(rows: Reals) -> Reals:
            seen = gathered(rows, order)
            return np.asarray(seen.max(axis=2) if self.name == "max" else seen.mean(axis=2))

        return in_blocks(pooled, x, order.size)


@dataclass(frozen=True, eq=False)
class Move:
    """y[e] = x[index[e]], 0 where the index is -1."""

    name: str
    index: Integers

    def apply(self, x: Reals) -> Reals:
        """float64 [rows, values] to float64 [rows, outputs]."""
        return gathered(x, self.index)


@dataclass(frozen=True)
class Plus:
    """The sum of two tensors of one size."""

    name: str = "add"

    def apply(self, x: Reals, y: Reals) -> Reals:
        """Elementwise."""
        return x + y


Step = Sums | Affine | Pointwise | Window | Move | Plus


@dataclass(frozen=True, eq=False)
class FloatNode:
    """One step with the names of the tensors that it reads and makes."""

    name: str
    step: Step
    inputs: tuple[str, ...]
    output: str


@dataclass(eq=False)
class FloatNetwork:
    """Steps in order of running, shapes by tensor, one input, one output, and what was left out.

    Readers add nodes through `add`, which returns the name of the tensor made.
    """

    name: str
    input: str
    shapes: dict[str, tuple[int, ...]]
    nodes: list[FloatNode] = field(default_factory=list)
    output: str = ""
    notes: list[str] = field(default_factory=list)
    source: str = ""
    sha256: str = ""

    def size(self, tensor: str) -> int:
        """Number of values of a tensor."""
        return int(np.prod(self.shapes[tensor], dtype=np.int64))

    def add(
        self, name: str, step: Step, inputs: tuple[str, ...], shape: tuple[int, ...], output: str
    ) -> str:
        """One node more."""
        if output in self.shapes:
            raise InputError(f"{self.name}: tensor {output!r} is made twice")
        self.shapes[output] = shape
        self.nodes.append(FloatNode(name, step, inputs, output))
        return output

    def readers(self, tensor: str) -> list[FloatNode]:
        """Nodes that read a tensor."""
        return [node for node in self.nodes if tensor in node.inputs]


def run_floats(network: FloatNetwork, rows: npt.NDArray[np.floating]) -> dict[str, Reals]:
    """Every tensor, float64 [rows, size], for rows [rows, ...] of the input."""
    values = {network.input: np.asarray(rows, dtype=np.float64).reshape(len(rows), -1)}
    if values[network.input].shape[1] != network.size(network.input):
        shape = ", ".join(str(n) for n in ("rows", *network.shapes[network.input]))
        raise InputError(f"{network.name}: data of shape {rows.shape}; expected [{shape}]")
    with np.errstate(over="ignore", invalid="ignore"):
        for node in network.nodes:
            values[node.output] = node.step.apply(*(values[name] for name in node.inputs))
    return values


def gathered(x: Reals, places: Integers) -> Reals:
    """x[:, places], 0 where a place is -1."""
    found = x[:, places]
    return found if places.min(initial=0) >= 0 else np.where(places >= 0, found, 0.0)


def in_blocks(function: Callable[[Reals], Reals], x: Reals, taps: int) -> Reals:
    """A function of rows on a few rows at a time, so that what it gathers stays small."""
    rows = max(1, GATHERED // max(1, taps))
    return np.concatenate([function(x[k : k + rows]) for k in range(0, max(1, len(x)), rows)])
