"""Elementwise operators, pools, reductions and softmax of TensorFlow Lite: cell programs.

Reference: the reference kernels' headers (add.h, sub.h, mul.h, pooling.h, reduce.h, softmax.h,
leaky_relu.h, quantize.h) and the Prepare functions beside them, which form the multipliers.
"""

from collections.abc import Callable

import numpy as np

from revsim.errors import InputError
from revsim.frontends.multipliers import clamp_ends, fixed, into, requantise
from revsim.frontends.shapes import broadcast, places
from revsim.frontends.tflite.draft import Draft
from revsim.frontends.tflite.file import RANGES, FileOperator, FileTensor
from revsim.frontends.tflite.sums import window_reads
from revsim.network import fixed_point
from revsim.network.cells import Absolute, Composed, Elementwise, Negative, Overflow, Sum
from revsim.network.cells_order import ArgGreatest, Greatest, Least
from revsim.network.cells_tflite import LeakyRelu, QuantisedProduct, QuantisedSum, fixed_multiplier
from revsim.network.operators import Clamp, Divide, Offset, Single, Table
from revsim.network.softmax import softmax as softmax_of
from revsim.network.words import Program

Ends = tuple[int, int]


def add(draft: Draft, operator: FileOperator) -> None:
    """ADD and SUB: both inputs brought to twice the greater scale, then to the output's."""
    a, b, out = _two(draft, operator)
    where, left = draft.where(operator), 15 if out.type == "int16" else 20
    twice = 2 * np.float64(max(a.scale, b.scale))
    back = twice / ((1 << left) * np.float64(out.scale))
    if back >= 1:
        raise draft.fail(operator, "its output's scale is too small for the kernels")
    ends = _fused_ends(draft, operator)
    first, second = (
        requantise([np.float64(t.scale) / twice], draft.rounding, where, extra=left) for t in (a, b)
    )
    program = QuantisedSum(
        first,
        second,
        requantise([back], draft.rounding, where),
        (a.zero, b.zero, out.zero),
        *ends,
        subtract=operator.kind == "SUB",
    )
    _elementwise(draft, operator, program, ends)


def mul(draft: Draft, operator: FileOperator) -> None:
    """MUL: the product of both, rescaled."""
    a, b, out = _two(draft, operator)
    factor = np.float64(a.scale) * np.float64(b.scale) / np.float64(out.scale)
    ends = _fused_ends(draft, operator)
    program = QuantisedProduct(
        requantise([factor], draft.rounding, draft.where(operator)),
        (a.zero, b.zero, out.zero),
        *ends,
    )
    _elementwise(draft, operator, program, ends)


def maximum(draft: Draft, operator: FileOperator) -> None:
    """MAXIMUM and MINIMUM of inputs of one scale."""
    for tensor in _two(draft, operator)[:2]:
        draft.same_scale(operator, tensor.number, operator.outputs[0])
    program = Greatest() if operator.kind == "MAXIMUM" else Least()
    _elementwise(draft, operator, program, None)


def pool(draft: Draft, operator: FileOperator) -> None:
    """AVERAGE_POOL_2D and MAX_POOL_2D: of what lies under each window, without the padding."""
    options, x = operator.options, draft.tensor(operator.inputs[0])
    if len(x.shape) != 4:
        raise draft.fail(operator, f"its input has shape {x.shape}; four dimensions are expected")
    draft.same_scale(operator, x.number, operator.outputs[0])
    kernel = options["FilterHeight"], options["FilterWidth"]
    strides = options["StrideH"], options["StrideW"]
    taps = window_reads(draft, operator, kernel, strides, (1, 1), x.shape)
    reads = taps.transpose(0, 2, 1).reshape(-1, taps.shape[1])
    ends = _fused_ends(draft, operator)
    clamp = (Clamp(*ends),) if options["FusedActivationFunction"] else ()

    def program(count: int) -> Program:
        if operator.kind == "MAX_POOL_2D":
            return Composed((Greatest(), Elementwise(clamp)))
        return Composed((Sum(), Elementwise((Divide(np.array([count])), *clamp))))

    draft.pooled(operator, program, reads, ends, options["FusedActivationFunction"] != 0)


def mean(draft: Draft, operator: FileOperator) -> None:
    """MEAN over axes: the factor takes up the division by their size, its fraction cut off.

    QuantizedMeanOrSum of reduce.h: the multiplier is shifted left by the bits of the count (as far
    as the shift allows) and divided by it, rounding down.
    """
    x, out = draft.tensor(operator.inputs[0]), draft.tensor(operator.outputs[0])
    axes = {draft.axis(operator, a, len(x.shape)) for a in draft.listed(operator, 1)}
    kept = [a for a in range(len(x.shape)) if a not in axes]
    reads = places(x.shape).transpose([*kept, *sorted(axes)])
    reads = reads.reshape(-1, int(np.prod([x.shape[a] for a in sorted(axes)], dtype=np.int64)))
    count = reads.shape[1]
    if len(reads) != out.size:
        raise draft.fail(operator, f"makes {len(reads)} values for an output of {out.shape}")
    multiplier, exponent = fixed_multiplier(float(np.float64(x.scale) / np.float64(out.scale)))
    shift = min(count.bit_length() - 1, 32, 31 + exponent)
    if shift < 0:
        raise draft.fail(operator, "its input's scale is too small for the kernels")
    multiplier, exponent = (multiplier << shift) // count, exponent - shift
    once = fixed([multiplier], [exponent], draft.rounding)
    low, high = RANGES[x.type]
    draft.check_sum(operator, (low - x.zero) * count, (high - x.zero) * count, once)
    after = Elementwise((once, *into(out.zero, *RANGES[out.type])))
    program = Composed((Sum((), -x.zero * count), after))
    draft.cells(operator, program, reads, operator.inputs[:1])


def softmax(draft: Draft, operator: FileOperator) -> None:
    """SOFTMAX of 8 bits along the last axis."""
    x, out = draft.tensor(operator.inputs[0]), draft.tensor(operator.outputs[0])
    beta = float(operator.options["Beta"])
    if not 0 < beta < 1e6:
        raise draft.fail(operator, f"beta {beta} must be greater than 0")
    if x.shape != out.shape or x.type != out.type or len(x.shape) == 0:
        raise draft.fail(operator, "its output has another shape or type than its input")
    try:
        program = softmax_of(float(x.scale), beta, RANGES[out.type][0])
    except InputError as error:
        raise draft.fail(operator, str(error)) from None
    if x.shape[-1] >= 1 << 12:
        raise draft.fail(operator, f"{x.shape[-1]} values; the kernels sum at most 4,095")
    reads = places((x.size // x.shape[-1], x.shape[-1]))
    draft.cells(operator, program, reads, operator.inputs[:1])


def quantize(draft: Draft, operator: FileOperator) -> None:
    """QUANTIZE of integers: to another scale, zero point or type."""
    x, out = _one(draft, operator)
    factor = np.float64(x.scale) / np.float64(out.scale)
    low, high = RANGES[out.type]
    once = requantise([factor], draft.rounding, draft.where(operator))
    held = RANGES[x.type]
    draft.check_sum(operator, held[0] - x.zero, held[1] - x.zero, once)
    _chain(draft, operator, (*_from(x), once, *into(out.zero, low, high)))


def relu(draft: Draft, operator: FileOperator) -> None:
    """RELU, RELU6 and RELU_N1_TO_1 by themselves: rescaled (RELU), then clamped."""
    x, out = _one(draft, operator)
    fused = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}[operator.kind]
    ends = clamp_ends(out, fused, RANGES[out.type], draft.where(operator))
    if operator.kind == "RELU":
        factor = np.float64(x.scale) / np.float64(out.scale)
        once = requantise([factor], draft.rounding, draft.where(operator))
        operators: tuple[Single, ...] = (*_from(x), once, *into(out.zero, *ends))
    else:
        draft.same_scale(operator, x.number, out.number)
        operators = (Clamp(*ends),)
    _chain(draft, operator, operators, ends, neurons=True)


def leaky_relu(draft: Draft, operator: FileOperator) -> None:
    """LEAKY_RELU: one factor above zero, another below; both are formed in float32."""
    x, out = _one(draft, operator)
    alpha, where = np.float32(operator.options["Alpha"]), draft.where(operator)
    if not 0 < alpha < 1e6:
        raise draft.fail(operator, f"slope {alpha} must be greater than 0")
    above = requantise([x.scale / out.scale], draft.rounding, where)
    below = requantise([x.scale * alpha / out.scale], draft.rounding, where)
    program = LeakyRelu(above, below, (x.zero, out.zero), *RANGES[out.type])
    draft.cells(operator, program, places((x.size, 1)), operator.inputs, neurons=True)


def logistic(draft: Draft, operator: FileOperator) -> None:
    """LOGISTIC of 8 bits: a table, its output of scale 1/256 and zero point -128."""
    _, out = _one(draft, operator)
    if out.zero != -128:
        raise draft.fail(operator, f"zero point {out.zero}; the kernels write -128")
    _curve(draft, operator, lambda a: fixed_point.rounded(fixed_point.logistic(a, 4), 23) - 128)


def tanh(draft: Draft, operator: FileOperator) -> None:
    """TANH of 8 bits: a table, its output of scale 1/128 and zero point 0."""
    _curve(draft, operator, lambda a: fixed_point.rounded(fixed_point.tanh(a, 4), 24))


def _curve(draft: Draft, operator: FileOperator, curve: Callable[[int], int]) -> None:
    """A function of Q4.27 as a table; beyond the kernel's input radius it is saturated."""
    x, out = _one(draft, operator)
    low, high = RANGES[out.type]
    real = float(x.scale) * (1 << 27)
    left = fixed_multiplier(real)[1]
    # CalculateInputRadius: inputs of at least this size are saturated.
    radius = (15 << 27) >> left if left >= 0 else (15 << 27) << -left
    once = requantise([real], "double", draft.where(operator))
    entries = []
    for q in range(low, high + 1):
        value = q - x.zero
        if abs(value) >= radius:
            entries.append(high if value > 0 else low)
        else:
            scaled = int(once.apply(np.array([value]))[0])
            entries.append(min(max(curve(scaled), low), high))
    _chain(draft, operator, (Table(low, np.array(entries, dtype=np.int64)),))


def absolute(draft: Draft, operator: FileOperator) -> None:
    """ABS: |q - z| rescaled where the scales differ."""
    x, out = _one(draft, operator)
    once: tuple[Single, ...] = ()
    if x.scale != out.scale:
        factor = np.float64(x.scale / out.scale)
        once = (requantise([factor], draft.rounding, draft.where(operator)),)
    after = Elementwise((*once, *into(out.zero, *RANGES[out.type])))
    program = Composed((Elementwise(_from(x)), Absolute(), after))
    draft.cells(operator, program, places((x.size, 1)), operator.inputs)


def negative(draft: Draft, operator: FileOperator) -> None:
    """NEG of plain 32-bit integers, modulo 2^32."""
    x, _ = _one(draft, operator)
    program = Negative(Overflow(32))
    draft.cells(operator, program, places((x.size, 1)), operator.inputs)


def arg_max(draft: Draft, operator: FileOperator) -> None:
    """ARG_MAX and ARG_MIN along an axis: the first place of the greatest (least) value."""
    x, out = draft.tensor(operator.inputs[0]), draft.tensor(operator.outputs[0])
    axis = draft.axis(operator, draft.number(operator, 1), len(x.shape))
    reads = np.moveaxis(places(x.shape), axis, -1).reshape(-1, x.shape[axis])
    if len(reads) != out.size:
        raise draft.fail(operator, f"makes {len(reads)} values for an output of {out.shape}")
    program = ArgGreatest(least=operator.kind == "ARG_MIN")
    draft.cells(operator, program, reads, operator.inputs[:1], (0, x.shape[axis] - 1))


def _one(draft: Draft, operator: FileOperator) -> tuple[FileTensor, FileTensor]:
    """Input and output of an elementwise operator of one input."""
    if len(operator.inputs) != 1 or len(operator.outputs) != 1:
        raise draft.fail(operator, "takes one input and makes one output")
    x, out = draft.tensor(operator.inputs[0]), draft.tensor(operator.outputs[0])
    if x.size != out.size:
        raise draft.fail(operator, f"an input of {x.shape} does not make an output of {out.shape}")
    return x, out


def _two(draft: Draft, operator: FileOperator) -> tuple[FileTensor, FileTensor, FileTensor]:
    """Inputs and output of an elementwise operator of two inputs."""
    if len(operator.inputs) != 2 or len(operator.outputs) != 1:
        raise draft.fail(operator, "takes two inputs and makes one output")
    a, b = (draft.tensor(number) for number in operator.inputs)
    return a, b, draft.tensor(operator.outputs[0])


def _from(x: FileTensor) -> tuple[Single, ...]:
    """q - z of an input."""
    return (Offset(np.array([-x.zero])),) if x.zero else ()


def _chain(
    draft: Draft,
    operator: FileOperator,
    operators: tuple[Single, ...],
    ends: Ends | None = None,
    neurons: bool = False,
) -> None:
    """The node of a function of single values."""
    size = draft.tensor(operator.inputs[0]).size
    program = Elementwise(operators)
    draft.cells(operator, program, places((size, 1)), operator.inputs, ends, neurons)


def _elementwise(draft: Draft, operator: FileOperator, program: Program, ends: Ends | None) -> None:
    """The node of a function of two tensors, broadcast to the output."""
    shapes = [draft.tensor(n).shape for n in operator.inputs]
    try:
        reads = broadcast(shapes, draft.tensor(operator.outputs[0]).shape)
    except InputError as error:
        raise draft.fail(operator, str(error)) from None
    neurons = operator.options.get("FusedActivationFunction", 0) != 0
    draft.cells(operator, program, reads, operator.inputs, ends, neurons)


def _fused_ends(draft: Draft, operator: FileOperator) -> Ends:
    """Least and greatest output after the fused activation function."""
    out = draft.tensor(operator.outputs[0])
    fused = operator.options["FusedActivationFunction"]
    return clamp_ends(out, fused, RANGES[out.type], draft.where(operator))
