"""What the readers of ONNX nodes share: the values between nodes, and the graph being built.

A node's `Maker` takes its inputs from the builder and sets its outputs. A value between nodes is

    Constant  known numbers: initialisers, and whatever is computed from constants alone
    Held      a tensor of the graph: integers that depend on the inputs

or one of the values that stand for floats (onnx_reals.py). A maker that cannot do a node raises
`Refusal(reason, remedy)`; the reader collects all of them before it gives up.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.frontends.shapes import VALUE_LIMIT
from revsim.network.graph import Cells, Linear, Node, Tensor, Wiring
from revsim.network.operators import Single
from revsim.network.sums import Integers
from revsim.network.words import Program

Array = npt.NDArray[Any]
SIZE_LIMIT = 1 << 26
"""Most values of one constant; tensors that data flow through: shapes.VALUE_LIMIT."""


class Refusal(Exception):
    """A node that cannot be read: why, and what the user can do about it."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True, eq=False)
class Constant:
    """Known numbers, of the model's type and shape."""

    array: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """As in the model."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's name of the model's type."""
        return self.array.dtype


@dataclass(frozen=True, eq=False)
class Held:
    """A tensor of the graph. `dtype` is the model's type, which decides where sums wrap."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    low: int
    high: int

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Step:
    """One node of the model: what a maker is given. Outputs and inputs left out are ''."""

    name: str
    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    version: int
    """Version of the operator set that the model imports for the node's domain."""
    proto: Any = None


@dataclass
class Builder:
    """The graph so far, and the model's values by name."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    uses: dict[str, int] = field(default_factory=dict)
    """How many nodes (and model outputs) read each value of the model."""

    # --- a node's inputs ------------------------------------------------------------------------

    def given(self, step: Step, place: int) -> bool:
        """Whether an optional input is there."""
        return place < len(step.inputs) and step.inputs[place] != ""

    def value(self, step: Step, place: int) -> Any:
        """Input number `place`, of whatever kind."""
        if not self.given(step, place):
            raise Refusal(f"input {place} is missing")
        return self.values[step.inputs[place]]

    def constant(self, step: Step, place: int, what: str, default: Any = None) -> Array:
        """An input that must be known; `default` where it is left out and may be."""
        if not self.given(step, place) and default is not None:
            return np.asarray(default)
        value = self.value(step, place)
        if not isinstance(value, Constant):
            raise Refusal(
                f"its {what} ({step.inputs[place]!r}) depends on the model's input",
                f"give {what} as an initialiser",
            )
        return value.array

    def held(self, step: Step, place: int) -> Held:
        """An input as a tensor of the graph; a constant becomes one, wired from nothing."""
        value = self.value(step, place)
        if isinstance(value, Constant):
            return self.materialised(value, step.inputs[place])
        if not isinstance(value, Held):
            raise Refusal(
                f"its input {step.inputs[place]!r} is a float",
                "quantise the model first: QuantizeLinear before the node, DequantizeLinear after",
            )
        return value

    def materialised(self, constant: Constant, name: str) -> Held:
        """A constant of integers as a tensor that a wiring makes from nothing."""
        if constant.dtype.kind not in "iub":
            raise Refusal(f"its input {name!r} holds floats")
        levels, index = np.unique(constant.array.astype(np.int64), return_inverse=True)
        return self.wired(
            name, "constant", [], -1 - index.ravel(), constant.shape, constant.dtype,
            tuple(int(v) for v in levels),
        )  # fmt: skip

    # --- tensors and nodes ----------------------------------------------------------------------

    def fresh(self, name: str) -> str:
        """The name, or with a number behind it the first that no tensor and node has yet."""
        taken, number, out = {n.name for n in self.nodes} | set(self.tensors), 1, name or "tensor"
        while out in taken:
            number, out = number + 1, f"{name}.{number}"
        return out

    def tensor(
        self, name: str, shape: Sequence[int], dtype: Any, low: int, high: int, **more: Any
    ) -> Held:
        """A new tensor of the graph; `more` are further fields of Tensor (scale, zero)."""
        size = checked_size(shape)
        if size == 0:
            raise Refusal(f"tensor {name!r} of shape {list(shape)} has no values")
        name, shape = self.fresh(name), tuple(int(length) for length in shape)
        self.tensors[name] = Tensor(name, shape, int(low), int(high), **more)
        return Held(name, shape, np.dtype(dtype), int(low), int(high))

    def wired(
        self,
        name: str,
        kind: str,
        inputs: Sequence[Held],
        index: Integers,
        shape: Sequence[int],
        dtype: Any,
        constants: tuple[int, ...] = (),
    ) -> Held:
        """A tensor whose values are moved (Wiring): inputs laid flat one behind the other."""
        ends = [(t.low, t.high) for t in inputs] + [(c, c) for c in constants]
        low, high = min(e[0] for e in ends), max(e[1] for e in ends)
        out = self.tensor(name, shape, dtype, low, high)
        operator = Wiring(kind, np.asarray(index, dtype=np.int64).ravel(), constants)
        self.nodes.append(Node(out.name, operator, tuple(t.name for t in inputs), out.name))
        return out

    def computed(
        self,
        name: str,
        kind: str,
        program: Program,
        inputs: Sequence[Held],
        reads: Integers,
        shape: Sequence[int],
        dtype: Any,
        ends: tuple[int, int],
        neurons: bool = False,
    ) -> Held:
        """A tensor that one program makes at many positions (Cells), its values in `ends`."""
        out = self.tensor(name, shape, dtype, *ends)
        operator = Cells(kind, program, np.asarray(reads, dtype=np.int64))
        names = tuple(t.name for t in inputs)
        self.nodes.append(Node(out.name, operator, names, out.name, neurons=neurons))
        return out

    def summed(
        self,
        name: str,
        linear: Linear,
        source: Held,
        shape: Sequence[int],
        dtype: Any,
        ends: tuple[int, int],
        activations: Sequence[Single] = (),
        neurons: bool = False,
    ) -> Held:
        """A tensor of weighted sums and activations; shape is that of [positions, channels]."""
        out = self.tensor(name, shape, dtype, *ends)
        self.nodes.append(
            Node(out.name, linear, (source.name,), out.name, tuple(activations), neurons)
        )
        return out

    def rescaled(self, held: Held, **more: Any) -> Held:
        """The same tensor with further fields set (scale, zero), where it has none yet."""
        tensor = self.tensors[held.name]
        if tensor.scale is None:
            self.tensors[held.name] = replace(tensor, **more)
        return held


def ends_of(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Least and greatest number of an integer type, those of 2 and 4 bits included."""
    if dtype.kind == "b":
        return 0, 1
    found = re.fullmatch(r"(u?)int(\d+)", dtype.name)
    if not found:
        raise Refusal(f"numbers of type {dtype.name} are not integers")
    bits = int(found[2])
    return (0, (1 << bits) - 1) if found[1] else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


Maker = Callable[[Builder, Step], None]
"""Reads the inputs of a node from the builder and sets `builder.values` of its outputs."""
MAKERS: dict[tuple[str, str], Maker] = {}
"""(domain, operator) -> how it is read on integers. The domain of ONNX itself is ''."""
FLOAT_MAKERS: dict[tuple[str, str], Maker] = {}
"""The same where an input is a float that varies (onnx_reals.py)."""
M = TypeVar("M", bound=Maker)


def maker(*operators: str, domain: str = "", floats: bool = False) -> Callable[[M], M]:
    """Registers a function as the reader of these operators."""

    def register(function: M) -> M:
        for operator in operators:
            (FLOAT_MAKERS if floats else MAKERS)[domain, operator] = function
        return function

    return register


def checked_size(shape: Sequence[int]) -> int:
    """Number of values of a shape, refused before anything of that size is made."""
    size = 1
    for length in shape:
        if length < 0:
            raise Refusal(f"a shape of {list(shape)} has a negative length")
        size *= int(length)
    if size > VALUE_LIMIT:
        raise InputError(f"a tensor of shape {list(shape)} has more than {VALUE_LIMIT:,} values")
    return size
