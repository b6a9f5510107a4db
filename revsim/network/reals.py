"""Real numbers at the edge of an integer network: what floats its integers stand for.

A model states how floats become integers and integers floats, one float32 operation after the other
(QuantizeLinear, Sub, Div, BatchNormalization, ...). A `Stage` is one such operation on each value;
a tensor of a graph carries the stages that lead to it from the model's floats and back. `quantise`
and `dequantise` apply them, with the rounding to float32 after each operation that the model's own
runtime has.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.network.sums import Integers

Floats = npt.NDArray[Any]
"""float32; of results of a quantiser, int64."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One operation on each value: a name of OPERATIONS and its further operands.

    Each operand is [1], one for all values, or [n], one for each value of a tensor laid flat.
    """

    operation: str
    operands: tuple[Floats, ...] = ()

    def apply(self, x: Floats, places: Integers | None = None) -> Floats:
        """The operation on [..., n] values; `places` says which values of the tensor those are."""
        chosen = (o if len(o) == 1 or places is None else o[places] for o in self.operands)
        return OPERATIONS[self.operation](x, *chosen)

    def __repr__(self) -> str:
        operands = (f"{o[0]:g}" if len(o) == 1 else f"[{len(o)}]" for o in self.operands)
        return f"{self.operation}({', '.join(operands)})"


def evaluate(stages: Sequence[Stage], x: Floats, places: Integers | None = None) -> Floats:
    """The stages in turn on [..., n] values, each rounded to float32.

    >>> halves = Stage("grid", (np.ones(1, np.int64), np.array([-2]), np.array([0.5], np.float32)))
    >>> evaluate([halves, Stage("relu")], np.array([1, 5])).tolist()
    [0.0, 1.5]
    """
    with np.errstate(all="ignore"):
        for stage in stages:
            x = stage.apply(x, places)
    return x


def _grid(q: Floats, step: Integers, offset: Integers, scale: Floats) -> Floats:
    return np.asarray((q * step + offset).astype(np.float32) * scale)


def _quantise(x: Floats, scale: Floats, zero: Integers, low: Integers, high: Integers) -> Floats:
    whole = np.clip(np.rint(x / scale), -(2.0**62), 2.0**62) + zero
    return np.clip(whole.astype(np.float64), low, high).astype(np.int64)


def _rounded_quantise(
    x: Floats, scale: Floats, zero: Floats, low: Integers, high: Integers, rule: Integers
) -> Floats:
    """QONNX Quant: clipped before it is rounded (qonnx/custom_op/general/intquant.py)."""
    clipped = np.clip(x / scale + zero, low.astype(np.float32), high.astype(np.float32))
    rounded = tuple(ROUNDINGS.values())[int(rule[0])](clipped)
    return np.asarray(rounded, dtype=np.int64)


def _reached(x: Floats, *thresholds: Floats) -> Floats:
    count = np.zeros(np.broadcast_shapes(x.shape, thresholds[0].shape), dtype=np.int64)
    for threshold in thresholds:
        count += x >= threshold
    return count


ROUNDINGS: Final[Mapping[str, Callable[[Floats], Floats]]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "FLOOR": np.floor,
    "CEIL": np.ceil,
    "DOWN": np.trunc,
    "UP": lambda x: np.asarray(np.sign(x) * np.ceil(np.abs(x))),
    "HALF_UP": lambda x: np.asarray(np.sign(x) * np.floor(np.abs(x) + np.float32(0.5))),
    "HALF_DOWN": lambda x: np.asarray(np.sign(x) * np.ceil(np.abs(x) - np.float32(0.5))),
}
"""Rounding modes of QONNX by their names."""


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x.astype(np.float64))), dtype=np.float32)


def _tanh(x: Floats) -> Floats:
    return np.asarray(np.tanh(x.astype(np.float64)), dtype=np.float32)


def _erf(x: Floats) -> Floats:
    from math import erf

    return np.asarray(np.vectorize(erf, otypes=[np.float32])(x))


def _gelu(x: Floats) -> Floats:
    half, root = np.float32(0.5), np.float32(2**0.5)
    return np.asarray(half * x * (1 + _erf(x / root)), dtype=np.float32)


OPERATIONS: Final[Mapping[str, Callable[..., Floats]]] = {
    "grid": _grid,  # (integer * step + offset) * scale: where every chain from integers begins
    "quantise": _quantise,
    "quant": _rounded_quantise,
    "reached": _reached,  # how many of the operands a value reaches
    "float": lambda x: x.astype(np.float32),
    "add": lambda x, a: x + a,
    "subtract": lambda x, a: x - a,
    "subtract_from": lambda x, a: a - x,
    "multiply": lambda x, a: x * a,
    "divide": lambda x, a: x / a,
    "divide_into": lambda x, a: a / x,
    "power": lambda x, a: np.power(x, a, dtype=np.float32),
    "relu": lambda x: np.maximum(x, np.float32(0)),
    "clip": np.clip,
    "leaky_relu": lambda x, a: np.where(x < 0, x * a, x),
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "gelu": _gelu,
    "erf": _erf,
    "exp": lambda x: np.exp(x.astype(np.float64)).astype(np.float32),
    "log": lambda x: np.log(x.astype(np.float64)).astype(np.float32),
    "sqrt": np.sqrt,
    "absolute": np.abs,
    "negative": np.negative,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "hard_sigmoid": lambda x, a, b: np.clip(x * a + b, np.float32(0), np.float32(1)),
    "hard_swish": lambda x: x * np.clip(x / np.float32(6) + np.float32(0.5), 0, 1),
    "elu": lambda x, a: np.where(x < 0, a * np.expm1(x), x),
    "softplus": lambda x: np.log1p(np.exp(x.astype(np.float64))).astype(np.float32),
}
"""The float32 operations a model may put between its integers, by name."""
QUANTISERS: Final = ("quantise", "quant", "reached")
"""Those that end in integers."""


def stages_of(scale: float, zero: int) -> tuple[Stage, ...]:
    """scale * (q - zero), as DequantizeLinear has it."""
    one, offset = np.ones(1, np.int64), np.array([-zero], np.int64)
    return (Stage("grid", (one, offset, np.array([scale], np.float32))),)


def quantise(tensor: Any, floats: Any) -> Integers:
    """Floats of a model as the integers of a graph's input: [rows, ...] to int64 [rows, ...].

    tensor: a `graph.Tensor` whose `from_float` or `scale` says how (QuantizeLinear: round half to
    even, saturate). Raises InputError for a tensor without either and for values that are no
    numbers.

    >>> from revsim.network.graph import Tensor
    >>> quantise(Tensor("x", (2,), 0, 255, scale=0.5, zero=3), [[0.25, 9.0]]).tolist()
    [[3, 21]]
    """
    given = np.asarray(floats, dtype=np.float32)
    if np.isnan(given).any():
        raise InputError(f"input {tensor.name!r}: holds values that are not numbers (NaN)")
    stages = tensor.from_float
    if not stages:
        if tensor.scale is None:
            raise InputError(
                f"input {tensor.name!r}: the model does not say which integers floats become; give "
                f"integers in {tensor.low}..{tensor.high}"
            )
        ends = (np.array([n], np.int64) for n in (tensor.zero, tensor.low, tensor.high))
        stages = (Stage("quantise", (np.array([tensor.scale], np.float32), *ends)),)
    flat = given.reshape(len(given), -1)
    if flat.shape[1] != tensor.size:
        raise InputError(
            f"input {tensor.name!r}: {flat.shape[1]} values per row, expected {tensor.size}"
        )
    return np.asarray(evaluate(stages, flat), dtype=np.int64).reshape(given.shape)


def dequantise(tensor: Any, integers: Any) -> npt.NDArray[np.float32]:
    """The model's floats for integers of a tensor: [rows, ...] to float32 [rows, ...].

    Raises InputError for a tensor of a model that has no floats there.

    >>> from revsim.network.graph import Tensor
    >>> dequantise(Tensor("y", (2,), 0, 255, scale=0.5, zero=3), [[3, 21]]).tolist()
    [[0.0, 9.0]]
    """
    stages = tensor.to_float
    if not stages and tensor.scale is not None:
        stages = stages_of(tensor.scale, tensor.zero)
    if not stages:
        raise InputError(f"tensor {tensor.name!r}: the model has integers there and no floats")
    given = np.asarray(integers, dtype=np.int64)
    flat = given.reshape(len(given), -1)
    return np.asarray(evaluate(stages, flat), dtype=np.float32).reshape(given.shape)
