"""Quantised PyTorch modules (torch.ao.quantization, converted) as graphs, integer for integer.

The rules are those of the engine fbgemm. Weighted sums are exact integers; to an output they go as
y = clamp(rint((float32(sum) + bias / (s_x s_w)) * (s_x s_w / s_y)) + z_y), every step in float32
(fbgemm, QuantUtilsAvx2.cc, requantizeOutputProcessingAvx2). That is monotone in the sum, so the
graph holds it exactly, as the sums at which it steps (a Staircase). Functions of one tensor are
tables that the module itself fills in, an addition is a weighted sum that is compared with the
module's on all pairs of values.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.frontends.floats import layers
from revsim.frontends.onnx.builder import Refusal
from revsim.frontends.torch.layers import convolution_padding, pool_geometry
from revsim.frontends.torch.operations import MOVES
from revsim.frontends.torch.trace import Traced
from revsim.network.cells import Composed, Elementwise, Sum, run_cells
from revsim.network.cells_order import Greatest
from revsim.network.graph import Cells, Graph, Linear, Node, Tensor, Wiring
from revsim.network.operators import Clamp, Offset, Requantise, Single, Staircase, Table
from revsim.network.sums import Integers

Step = Callable[[Integers], Integers]
PAIRS = 1 << 16


def is_quantised(traced: Traced) -> bool:
    """Whether any operation gave a quantised tensor."""
    return any(getattr(found, "is_quantized", False) for found in traced.results.values())


def read_quantised(traced: Traced) -> Graph:
    """A converted module as a `Graph`; inputs and outputs are the integers, not the floats."""
    reader = _Reader(traced)
    refused = []
    behind: set[str] = set()
    for operation in traced.operations:
        if operation.op in ("placeholder", "get_attr", "output"):
            continue
        if any(argument.name in behind for argument in operation.all_input_nodes):
            behind.add(operation.name)
            continue
        if traced.is_size(operation):
            continue
        try:
            reader.values[operation.name] = reader.read(operation)
        except (Refusal, InputError) as error:
            refused.append(f"  {operation.name} ({traced.called(operation)}): {error}")
            behind.add(operation.name)
    if refused:
        count = f"{len(refused)} layer{'s' if len(refused) > 1 else ''}"
        raise InputError("\n".join([f"{traced.name}: {count} cannot be read", *refused]))
    (end,) = (o for o in traced.operations if o.op == "output")
    last = reader.values.get(getattr(end.args[0], "name", ""))
    if last is None:
        raise InputError(f"{traced.name}: forward must return one tensor made of quantised ones")
    inputs, nodes = tuple(reader.inputs), tuple(reader.nodes)
    return Graph(traced.name, reader.tensors, nodes, inputs, (last.name,), source="torch")


def output_steps(
    scale: npt.NDArray[np.float32],
    multiplier: npt.NDArray[np.float32],
    bias: npt.NDArray[np.float32],
    zero: int,
    ends: tuple[int, int],
    per_channel: bool,
) -> Step:
    """fbgemm's requantisation of sums int64 [..., channels]; parameters float32 [channels].

    One scale for all channels is inverted before the bias is multiplied by it; per channel the bias
    is divided.
    """
    one = np.float32(1)
    shifted = bias / scale if per_channel else bias * (one / scale)

    def step(sums: Integers) -> Integers:
        reals = (sums.astype(np.float32) + shifted) * multiplier
        return np.asarray(np.clip(np.rint(reals).astype(np.int64) + zero, *ends))

    return step


def thresholds(step: Step, low: Integers, high: Integers, ends: tuple[int, int]) -> Integers:
    """Where a monotone step function of sums reaches ends[0] + 1, + 2, ..., ends[1].

    step: sums int64 [n, channels] to outputs; low, high: the range of each sum, int64 [channels].
    Returns int64 [channels, ends[1] - ends[0]], high + 1 where a level is not reached.
    """
    levels = np.arange(ends[0] + 1, ends[1] + 1)[:, None]
    below = np.broadcast_to(low - 1, (len(levels), len(low))).copy()
    above = np.broadcast_to(high + 1, below.shape).copy()
    while bool((above - below > 1).any()):
        middle = (below + above) // 2
        reached = step(middle) >= levels
        above = np.where(reached, middle, above)
        below = np.where(reached, below, middle)
    return above.T.copy()


class _Reader:
    """The graph so far; `values` is the tensor that each operation made."""

    def __init__(self, traced: Traced) -> None:
        self.traced = traced
        self.values: dict[str, Tensor] = {}
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.inputs: list[str] = []

    def read(self, operation: Any) -> Tensor:
        """One operation as nodes of the graph; the tensor that it makes."""
        result = self.traced.results[operation.name]
        part = self.traced.parts[operation.target] if operation.op == "call_module" else None
        called = self.traced.called(operation)
        first = operation.args[0] if operation.args else operation.all_input_nodes[0]
        if called in ("Quantize", "quantize_per_tensor"):
            return self._entry(operation)
        x = self.values.get(getattr(first, "name", ""))
        if x is None:
            raise Refusal("it acts on floats; only what lies between quant and dequant is read")
        if called in ("DeQuantize", "dequantize", "Identity", "contiguous") or "Dropout" in called:
            return x
        if not getattr(result, "is_quantized", False):
            raise Refusal("it gives floats inside the network; quantise it too")
        if part is not None and callable(getattr(part, "weight", None)):
            return self._sums(operation, part, x, called)
        if called in ("add", "add_relu"):
            return self._addition(operation, x, called)
        if called in ("MaxPool1d", "MaxPool2d"):
            return self._largest(operation, part, x)
        if called in ("AvgPool1d", "AvgPool2d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d"):
            return self._mean(operation, part, x)
        if called in ("Flatten", *MOVES) and called != "mean":
            return self._moved(operation, x, called)
        return self._table(operation, part, x)

    def _tensor(self, operation: Any, shape: tuple[int, ...] = (), suffix: str = "") -> Tensor:
        """A tensor with the scale and zero point of what an operation made."""
        result = self.traced.results[operation.name]
        if str(result.dtype) not in ("torch.quint8", "torch.qint8"):
            raise Refusal(f"it gives {result.dtype}; only 8-bit tensors are read")
        low = -128 if str(result.dtype) == "torch.qint8" else 0
        name = operation.name + suffix
        scale, zero = float(result.q_scale()), int(result.q_zero_point())
        shape = shape or tuple(int(n) for n in result.shape)
        self.tensors[name] = Tensor(name, shape, low, low + 255, scale, zero)
        return self.tensors[name]

    def _node(
        self,
        operator: Wiring | Linear | Cells,
        inputs: tuple[Tensor, ...],
        output: Tensor,
        activations: tuple[Single, ...] = (),
        neurons: bool = False,
    ) -> Tensor:
        names = tuple(tensor.name for tensor in inputs)
        node = Node(output.name, operator, names, output.name, activations, neurons)
        self.nodes.append(node)
        return output

    def _entry(self, operation: Any) -> Tensor:
        if self.inputs:
            raise Refusal("a second tensor is quantised; networks with one input are read")
        self.inputs.append(operation.name)
        return self._tensor(operation)

    def _sums(self, operation: Any, part: Any, x: Tensor, called: str) -> Tensor:
        result, weight = self.traced.results[operation.name], part.weight()
        per_channel = "channel" in str(weight.qscheme())
        if per_channel:
            scales = weight.q_per_channel_scales().numpy().astype(np.float32)
            zeros = weight.q_per_channel_zero_points().numpy().astype(np.int64)
        else:
            scales = np.array([weight.q_scale()], dtype=np.float32)
            zeros = np.array([weight.q_zero_point()], dtype=np.int64)
        whole = weight.int_repr().numpy().astype(np.int64)
        whole -= zeros.reshape(-1, *[1] * (whole.ndim - 1))
        bias = part.bias()
        floats = np.zeros(len(whole)) if bias is None else bias.detach().numpy()
        product = np.float32(x.scale) * np.broadcast_to(scales, len(whole))
        rectified, zero = "ReLU" in called, int(result.q_zero_point())
        linear = self._linear(part, whole, x)
        low = -128 if str(result.dtype) == "torch.qint8" else 0
        step = output_steps(
            product,
            product / np.float32(result.q_scale()),
            floats.astype(np.float32),
            zero,
            (zero if rectified else low, low + 255),
            per_channel,
        )
        return self._laid(operation, linear, x, step, rectified)

    def _linear(self, part: Any, whole: Integers, x: Tensor) -> Linear:
        rows = whole.reshape(len(whole), -1)
        if whole.ndim == 2:
            kind, reads = "dense", np.arange(x.size).reshape(-1, 1, whole.shape[1])
        else:
            begins, ends = convolution_padding(part)
            reads, _ = layers.window_reads(
                x.shape[1:], whole.shape[2:], part.stride, begins, ends, part.dilation
            )
            reads = reads.reshape(len(reads), part.groups, -1)
            kind = "conv" if part.groups == 1 or part.groups < x.shape[1] else "depthwise_conv"
        return Linear(kind, rows, -x.zero * rows.sum(axis=1), reads, x.zero)

    def _laid(self, operation: Any, linear: Linear, x: Tensor, step: Step, neurons: bool) -> Tensor:
        """Sums and their steps, and where there are positions the wires that put channels first."""
        first = linear.positions == 1 or linear.kind == "dense"
        shape = () if first else (linear.positions, linear.channels)
        out = self._tensor(operation, shape, "" if first else ".channels_last")
        sums = linear.bounds(x.low, x.high)
        if max(int(-sums[0].min()), int(sums[1].max())) >= 1 << 31:
            raise Refusal("its sums leave 32 bits")
        steps = Staircase(thresholds(step, *sums, (out.low, out.high)))
        activations = (steps, Offset(np.array([out.low])))
        self._node(linear, (x,), out, activations, neurons)
        if first:
            return out
        order = np.arange(out.size).reshape(out.shape).T.ravel()
        return self._node(Wiring("transpose", order), (out,), self._tensor(operation))

    def _addition(self, operation: Any, x: Tensor, called: str) -> Tensor:
        y = self.values.get(getattr(operation.args[1], "name", ""))
        if y is None:
            raise Refusal("it adds a constant; only two quantised tensors are added")
        if y.shape != x.shape:
            raise Refusal(f"shapes {list(x.shape)} and {list(y.shape)} are added")
        out = self._tensor(operation)
        program = addition(x, y, out, called == "add_relu")
        reads = np.arange(2 * x.size).reshape(2, x.size).T
        neurons = called == "add_relu"
        return self._node(Cells("add", program, reads), (x, y), out, neurons=neurons)

    def _largest(self, operation: Any, part: Any, x: Tensor) -> Tensor:
        reads, _ = layers.window_reads(x.shape[1:], **pool_geometry(part, len(x.shape) - 2))
        reads = layers.without_padding(reads).transpose(1, 0, 2).reshape(-1, reads.shape[2])
        return self._node(Cells("max_pool", Greatest(), reads), (x,), self._tensor(operation))

    def _mean(self, operation: Any, part: Any, x: Tensor) -> Tensor:
        """float32 of the sum of q - z, times 1 / count, rounded half to even, plus z."""
        if "Adaptive" in type(part).__name__:
            if self.traced.results[operation.name].numel() != x.shape[1]:
                raise Refusal("only an output size of 1 is read: use AvgPool with a kernel")
            reads = np.arange(x.size).reshape(1, x.shape[1], -1)
        else:
            geometry = pool_geometry(part, len(x.shape) - 2)
            if any(geometry["begins"]) or geometry["ceil"] or part.divisor_override:
                raise Refusal("a mean over padding, hanging windows or with another divisor")
            reads, _ = layers.window_reads(x.shape[1:], **geometry)
        _, channels, taps = reads.shape
        weights = np.ones((channels, taps), dtype=np.int64)
        bias = np.full(channels, -taps * x.zero)
        linear = Linear("average_pool", weights, bias, reads, x.zero)
        ends = x.low, x.high

        def step(sums: Integers) -> Integers:
            reals = sums.astype(np.float32) * (np.float32(1) / np.float32(taps))
            return np.asarray(np.clip(np.rint(reals).astype(np.int64) + x.zero, *ends))

        return self._laid(operation, linear, x, step, False)

    def _moved(self, operation: Any, x: Tensor, called: str) -> Tensor:
        if called in ("permute", "transpose"):
            raise Refusal("axes are exchanged between quantised layers")
        return self._node(Wiring("reshape", np.arange(x.size)), (x,), self._tensor(operation))

    def _table(self, operation: Any, part: Any, x: Tensor) -> Tensor:
        """A function of each value: the module or function itself on all 256 values."""
        import torch

        out = self._tensor(operation)
        if x.shape != out.shape or len(operation.all_input_nodes) != 1:
            raise Refusal("this kind of quantised layer cannot be read; see `revsim supported`")
        levels = torch._make_per_tensor_quantized_tensor(
            torch.arange(x.low, x.high + 1).to(torch.int8 if x.low < 0 else torch.uint8),
            x.scale,
            x.zero,
        )
        function = part
        if part is None:
            others, named = operation.args[1:], operation.kwargs

            def function(given: Any) -> Any:
                if operation.op == "call_method":
                    return getattr(given, operation.target)(*others, **named)
                return operation.target(given, *others, **named)

        with torch.no_grad():
            made = function(levels)
        values = made.int_repr().numpy().astype(np.int64)
        program = Elementwise((Table(x.low, values),))
        reads = np.arange(x.size)[:, None]
        kind_name = self.traced.called(operation).lower()
        return self._node(Cells(kind_name, program, reads), (x,), out, neurons=True)


def addition(x: Tensor, y: Tensor, out: Tensor, rectified: bool) -> Composed:
    """torch's quantised addition as one weighted sum, equal to it on all 65,536 pairs of values.

    torch computes rint((s_x (q_x - z_x) + s_y (q_y - z_y)) / s_out) + z_out in float32.
    """
    import torch

    def levels(tensor: Tensor) -> Any:
        kind = torch.int8 if tensor.low < 0 else torch.uint8
        return torch.arange(tensor.low, tensor.high + 1).to(kind)

    pairs = torch.cartesian_prod(levels(x), levels(y))
    given = [
        torch._make_per_tensor_quantized_tensor(pairs[:, k].contiguous(), t.scale, t.zero)
        for k, t in enumerate((x, y))
    ]
    function = torch.ops.quantized.add_relu if rectified else torch.ops.quantized.add
    wanted = function(*given, scale=out.scale, zero_point=out.zero).int_repr().numpy()
    integers = pairs.numpy().astype(np.int64)
    if x.scale is None or y.scale is None or out.scale is None:
        raise Refusal("a tensor without a scale is added")
    least = 0
    for places in range(30, 10, -1):
        for rounding in ("half_even", "half_up"):
            weights = round(x.scale / out.scale * 2**places), round(y.scale / out.scale * 2**places)
            operators: tuple[Single, ...] = (
                Requantise(np.array([places]), rounding),
                Offset(np.array([out.zero])),
                Clamp(max(out.low, out.zero) if rectified else out.low, out.high),
            )
            constant = -weights[0] * x.zero - weights[1] * y.zero
            program = Composed((Sum(weights, constant), Elementwise(operators)))
            ends = [(t.low, t.high) for t in (x, y)]
            wrong = int((run_cells(program, ends, integers)[:, 0] != wanted).sum())
            if wrong == 0:
                return program
            least = min(least, wrong) or wrong
    raise Refusal(
        f"no weighted sum gives its {PAIRS:,} results (at best {least} differ, where float32 "
        "rounds a tie); change one of its scales in the last place"
    )
