"""A graph in the making: what the node makers of TensorFlow Lite's operators work with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from revsim.errors import InputError
from revsim.frontends.shapes import check_reads, check_shape
from revsim.frontends.tflite.file import RANGES, FileOperator, FileTensor, ModelFile, Subgraph
from revsim.network.graph import Cells, Linear, Node, State, Tensor, Wiring
from revsim.network.operators import Requantise, Single
from revsim.network.sums import Integers
from revsim.network.words import Program

TOTAL_READS: Final = 1 << 27
"""Most reads of a whole model, likewise a bound on memory."""


@dataclass(eq=False)
class Draft:
    """Tensors and nodes made so far. Numbers are those of the file's tensors.

    `rounding` is "double" or "single" (multipliers.py). Of variables: `handles` names them by the
    tensor of their handle, `values` is the tensor that holds each now, `started` the constant that
    each is before the first step.
    """

    file: ModelFile
    graph: Subgraph
    rounding: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    state: dict[str, State] = field(default_factory=dict)
    handles: dict[int, str] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    started: dict[str, FileTensor] = field(default_factory=dict)
    reads: int = 0

    def __post_init__(self) -> None:
        taken: set[str] = set()
        self.names = []
        for tensor in self.graph.tensors:
            name = tensor.name or f"tensor {tensor.number}"
            while name in taken:
                name += f" #{tensor.number}"
            taken.add(name)
            self.names.append(name)

    def tensor(self, number: int) -> FileTensor:
        """The file's tensor of this number."""
        return self.graph.tensors[number]

    def declare(self, number: int, low: int | None = None, high: int | None = None) -> str:
        """Declare a tensor of the graph in low..high (the range of its type where not given)."""
        tensor = self.tensor(number)
        ends = RANGES[tensor.type]
        shape = check_shape(tensor.shape, tensor.where)
        name = self.names[number]
        if name in self.tensors:
            raise InputError(f"{tensor.where}: is made twice")
        self.tensors[name] = Tensor(
            name,
            shape,
            ends[0] if low is None else low,
            ends[1] if high is None else high,
            float(tensor.scales[0]) if len(tensor.scales) == 1 else None,
            int(tensor.zeros[0]) if len(tensor.zeros) == 1 else 0,
            number,
        )
        return name

    def widen(self, name: str, low: int, high: int) -> None:
        """Widen the range of a tensor that has been declared."""
        tensor = self.tensors[name]
        self.tensors[name] = replace(tensor, low=min(low, tensor.low), high=max(high, tensor.high))

    def given(self, number: int) -> str:
        """The graph's tensor of this number; a constant of the file becomes a wiring of itself."""
        name = self.names[number]
        if name in self.tensors:
            return name
        tensor = self.tensor(number)
        if tensor.data is None:
            raise InputError(f"{tensor.where}: is read before any operator makes it")
        constant = tensor.constant.reshape(-1)
        values, where = np.unique(constant, return_inverse=True)
        self.declare(number, int(values[0]), int(values[-1]))
        self.nodes.append(
            Node(
                f"constant_{number}",
                Wiring("constant", -1 - where.reshape(-1), tuple(values.tolist())),
                (),
                name,
            )
        )
        return name

    def wire(
        self,
        operator: FileOperator,
        index: Integers,
        inputs: Sequence[int],
        output: int = 0,
        constants: tuple[int, ...] = (),
    ) -> None:
        """A node that moves the values of the inputs, laid end to end, to output `output`."""
        self._count(index.size, operator)
        names = tuple(self.given(number) for number in inputs)
        ends = [(self.tensors[n].low, self.tensors[n].high) for n in names]
        low = min([e[0] for e in ends] + list(constants))
        high = max([e[1] for e in ends] + list(constants))
        name = operator.name if len(operator.outputs) == 1 else f"{operator.name}_{output}"
        self.nodes.append(
            Node(
                name,
                Wiring(operator.kind.lower(), index.reshape(-1).astype(np.int64), constants),
                names,
                self.declare(operator.outputs[output], low, high),
            )
        )

    def cells(
        self,
        operator: FileOperator,
        program: Program,
        reads: Integers,
        inputs: Sequence[int],
        ends: tuple[int, int] | None = None,
        neurons: bool = False,
    ) -> None:
        """A node that runs one program at every row of `reads`."""
        self._count(reads.size, operator)
        names = tuple(self.given(number) for number in inputs)
        low, high = ends or (None, None)
        self.nodes.append(
            Node(
                operator.name,
                Cells(operator.kind.lower(), program, reads),
                names,
                self.declare(operator.outputs[0], low, high),
                neurons=neurons,
            )
        )

    def linear(
        self,
        operator: FileOperator,
        sums: Linear,
        source: str,
        activations: tuple[Single, ...],
        ends: tuple[int, int],
        neurons: bool,
    ) -> None:
        """A node of weighted sums of the tensor `source`, each through `activations`."""
        self._count(sums.reads.size, operator)
        output = self.declare(operator.outputs[0], *ends)
        self.nodes.append(Node(operator.name, sums, (source,), output, activations, neurons))

    def pooled(
        self,
        operator: FileOperator,
        program: Callable[[int], Program],
        reads: Integers,
        ends: tuple[int, int],
        neurons: bool,
    ) -> None:
        """Cells that read what lies under windows, without padding (reads of -1).

        Windows with equally many values under them share `program(how many)`; where there are
        several such groups, each has a node and a wiring puts their outputs in order.
        """
        counts = (reads >= 0).sum(axis=1)
        kinds = [int(c) for c in np.unique(counts)]
        if kinds[0] == 0:
            raise self.fail(operator, "a window lies in the padding altogether")
        inside = np.take_along_axis(reads, np.argsort(reads < 0, axis=1, kind="stable"), axis=1)
        if len(kinds) == 1:
            reads = inside[:, : kinds[0]]
            self.cells(operator, program(kinds[0]), reads, operator.inputs, ends, neurons)
            return
        self._count(reads.size, operator)
        source, name, parts = self.given(operator.inputs[0]), self.names[operator.outputs[0]], []
        for count in kinds:
            own = inside[counts == count, :count]
            part = f"{name}, windows of {count}"
            self.tensors[part] = Tensor(part, (len(own),), *ends)
            cells = Cells(operator.kind.lower(), program(count), own)
            self.nodes.append(
                Node(f"{operator.name}_{count}", cells, (source,), part, neurons=neurons)
            )
            parts.append(part)
        back = np.argsort(np.argsort(counts, kind="stable"), kind="stable")
        output = self.declare(operator.outputs[0], *ends)
        self.nodes.append(Node(operator.name, Wiring("order", back), tuple(parts), output))

    def check_sum(
        self, operator: FileOperator, low: int, high: int, once: Requantise, bits: int = 32
    ) -> None:
        """An InputError where a sum in low..high, moved left by `once`, may leave its register.

        There the reference kernels overflow, and no result of theirs is to be reproduced.
        """
        left = 0 if once.left is None else int(once.left.max())
        if max(-low, high + 1) << left > 1 << (bits - 1):
            raise self.fail(
                operator,
                f"its sums may leave {bits} bits, where the kernels overflow; use smaller scales",
            )

    def same_scale(self, operator: FileOperator, part: int, whole: int) -> None:
        """An InputError unless two tensors have one type, scale and zero point."""
        a, b = self.tensor(part), self.tensor(whole)
        if a.type != b.type or not (
            np.array_equal(a.scales, b.scales) and np.array_equal(a.zeros, b.zeros)
        ):
            raise self.fail(
                operator,
                f"tensors {part} and {whole} differ in type, scale or zero point, which these "
                "kernels do not rescale; requantise one of them in the model",
            )

    def listed(self, operator: FileOperator, place: int) -> list[int]:
        """A constant input as a list of integers."""
        tensor = self.input(operator, place)
        if tensor.size > 64 or tensor.type not in ("int32", "int64"):
            raise InputError(f"{tensor.where}: must be a short list of integers")
        return [int(v) for v in tensor.constant.reshape(-1)]

    def number(self, operator: FileOperator, place: int) -> int:
        """A constant input that is one integer."""
        tensor = self.input(operator, place)
        if tensor.size != 1:
            raise InputError(f"{tensor.where}: must be one number")
        return int(tensor.constant.reshape(-1)[0])

    def input(self, operator: FileOperator, place: int) -> FileTensor:
        """The input at a place, which must be there."""
        if place >= len(operator.inputs) or operator.inputs[place] < 0:
            raise self.fail(operator, f"input {place} is missing")
        return self.tensor(operator.inputs[place])

    def axis(self, operator: FileOperator, axis: int, rank: int) -> int:
        """An axis, counted from the back where negative."""
        if not -rank <= axis < rank:
            raise self.fail(operator, f"axis {axis} of {rank} axes")
        return axis % rank

    def where(self, operator: FileOperator) -> str:
        """How messages call an operator."""
        return f"{self.file.path}, operator {operator.number} ({operator.kind})"

    def fail(self, operator: FileOperator, message: str) -> InputError:
        """An InputError about one operator."""
        return InputError(f"{self.where(operator)}: {message}")

    def _count(self, reads: int, operator: FileOperator) -> None:
        self.reads += reads
        check_reads(reads, self.where(operator))
        if self.reads > TOTAL_READS:
            raise InputError(f"{self.file.path}: nodes would read more than {TOTAL_READS:,} values")
