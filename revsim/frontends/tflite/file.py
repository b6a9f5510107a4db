"""A TensorFlow Lite file as plain data: tensors, operators, options, each checked as it is read.

The only module that touches the flatbuffer. A file that is cut off or altered makes the reader of
package `tflite` fail in many ways; here they all become one InputError. Nothing is allocated
before the sizes that the file claims have been compared with the bytes it has.

Schema: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

import hashlib
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError, missing
from revsim.frontends.shapes import check_shape, size_of
from revsim.network.sums import Integers

FILE_LIMIT: Final = 256 << 20
"""Bytes of the largest file that is read."""
COUNT_LIMIT: Final = 20_000
"""Most tensors, operators or buffers of a model."""
CONSTANT_LIMIT: Final = 1 << 27
"""Most constant values of a model, all tensors together."""

RANGES: Final = {
    "bool": (0, 1),
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-32768, 32767),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 60), (1 << 60) - 1),
}
"""Range of every type of which tensors are made; int64 only ever holds indices here."""
ITEMS: Final = {
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "bool": np.uint8,
    "float32": np.float32,
}
"""Types whose constants are read."""
OPTIONS: Final = {
    "CONV_2D": (
        "Conv2DOptions",
        "Padding StrideH StrideW DilationHFactor DilationWFactor FusedActivationFunction",
    ),
    "DEPTHWISE_CONV_2D": (
        "DepthwiseConv2DOptions",
        "Padding StrideH StrideW DilationHFactor DilationWFactor DepthMultiplier "
        "FusedActivationFunction",
    ),
    "TRANSPOSE_CONV": ("TransposeConvOptions", "Padding StrideH StrideW FusedActivationFunction"),
    "FULLY_CONNECTED": (
        "FullyConnectedOptions",
        "FusedActivationFunction WeightsFormat KeepNumDims",
    ),
    "AVERAGE_POOL_2D": (
        "Pool2DOptions",
        "Padding StrideH StrideW FilterHeight FilterWidth FusedActivationFunction",
    ),
    "MAX_POOL_2D": (
        "Pool2DOptions",
        "Padding StrideH StrideW FilterHeight FilterWidth FusedActivationFunction",
    ),
    "ADD": ("AddOptions", "FusedActivationFunction"),
    "SUB": ("SubOptions", "FusedActivationFunction"),
    "MUL": ("MulOptions", "FusedActivationFunction"),
    "SOFTMAX": ("SoftmaxOptions", "Beta"),
    "LEAKY_RELU": ("LeakyReluOptions", "Alpha"),
    "MEAN": ("ReducerOptions", "KeepDims"),
    "CONCATENATION": ("ConcatenationOptions", "Axis FusedActivationFunction"),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        "BeginMask EndMask EllipsisMask NewAxisMask ShrinkAxisMask",
    ),
    "GATHER": ("GatherOptions", "Axis BatchDims"),
    "PACK": ("PackOptions", "Axis"),
    "UNPACK": ("UnpackOptions", "Axis"),
    "VAR_HANDLE": ("VarHandleOptions", "Container SharedName"),
    "CALL_ONCE": ("CallOnceOptions", "InitSubgraphIndex"),
}
"""Operator: the table of its options and the fields that are read."""


@dataclass(frozen=True, eq=False)
class FileTensor:
    """A tensor as the file gives it; `data` is its constant, flat, or None.

    scales float32 [n] and zeros int64 [n]: n is 1 for all values, or one per slice along `axis`,
    or 0 for a tensor that is not quantised.
    """

    number: int
    name: str
    type: str
    shape: tuple[int, ...]
    data: npt.NDArray[Any] | None
    scales: npt.NDArray[np.float32]
    zeros: Integers
    axis: int
    where: str

    @property
    def size(self) -> int:
        """Number of values."""
        return size_of(self.shape)

    @cached_property
    def constant(self) -> Integers:
        """The constant in its shape, int64; an InputError where the file has none."""
        if self.data is None:
            raise InputError(f"{self.where}: must be a constant of the file; it is computed")
        return self.data.astype(np.int64).reshape(self.shape)

    @cached_property
    def scale(self) -> np.float32:
        """The one scale of all values."""
        if len(self.scales) > 1:
            raise InputError(
                f"{self.where}: needs one quantisation scale for all values, has {len(self.scales)}"
            )
        return np.float32(self._sound(self.scales)[0])

    @cached_property
    def zero(self) -> int:
        """The one zero point of all values, within the type."""
        zeros = self._zeros()
        if len(zeros) != 1:
            raise InputError(f"{self.where}: needs one zero point for all values")
        return int(zeros[0])

    def per_channel(self, axis: int) -> tuple[npt.NDArray[np.float32], Integers]:
        """(scales, zero points) per slice along `axis`, repeated where there is only one."""
        channels = self.shape[axis]
        scales, zeros = self._sound(self.scales), self._zeros()
        if len(scales) not in (1, channels) or len(zeros) not in (1, len(scales)):
            raise InputError(
                f"{self.where}: {len(scales)} scales and {len(zeros)} zero points for "
                f"{channels} channels"
            )
        if len(scales) > 1 and self.axis != axis:
            raise InputError(
                f"{self.where}: is quantised along axis {self.axis}; its channels are axis {axis}"
            )
        return np.broadcast_to(scales, channels), np.broadcast_to(zeros, channels)

    def _sound(self, scales: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if len(scales) == 0:
            raise InputError(f"{self.where}: has no quantisation scale; quantise the model fully")
        tiny = np.finfo(np.float32).tiny
        bad = scales[~(np.isfinite(scales) & (scales >= tiny))]
        if len(bad):
            raise InputError(f"{self.where}: scale {bad[0]!s} is no positive normal number")
        return scales

    def _zeros(self) -> Integers:
        zeros = self.zeros if len(self.zeros) else np.zeros(1, dtype=np.int64)
        low, high = RANGES.get(self.type, (-(1 << 31), (1 << 31) - 1))
        if bool(((zeros < low) | (zeros > high)).any()):
            raise InputError(f"{self.where}: a zero point lies outside {low}..{high}")
        return zeros


@dataclass(frozen=True, eq=False)
class FileOperator:
    """One operator: tensors by number (-1: left out) and the options of its kind."""

    number: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the node is called in graphs and messages, such as conv_2d_3."""
        return f"{self.kind.lower()}_{self.number}"


@dataclass(frozen=True, eq=False)
class Subgraph:
    """Tensors, operators in order, and the numbers of input and output tensors."""

    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A file: its subgraphs (the first is the model) and the sha256 of its bytes."""

    path: str
    sha256: str
    description: str
    subgraphs: tuple[Subgraph, ...]


def read_model(path: str | Path) -> ModelFile:
    """Read and check a .tflite file.

    Raises InputError, naming file, operator and tensor, for a file that cannot be read, is no
    TensorFlow Lite file, is cut off, or contradicts itself; and where package tflite is absent.
    """
    try:
        import tflite
    except ImportError:
        raise missing("reading .tflite files", "tflite", "tflite") from None
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > FILE_LIMIT:
            raise InputError(f"{path}: {size:,} bytes; files of up to {FILE_LIMIT:,} are read")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(content) < 8 or content[4:8] != b"TFL3":
        raise InputError(
            f"{path}: no TensorFlow Lite file (bytes 4 to 8 must be TFL3); other model formats "
            "are read by their own ending"
        )
    with _readable(str(path)):
        model = tflite.Model.GetRootAs(content, 0)
        if model.Version() != 3:
            raise InputError(f"{path}: schema version {model.Version()}; version 3 is read")
        reader = _Reader(str(path), content, model, tflite)
        count = reader.count(model.SubgraphsLength(), 4, "subgraphs")
        if count == 0:
            raise InputError(f"{path}: holds no subgraph")
        subgraphs = tuple(reader.subgraph(index) for index in range(count))
        description = (model.Description() or b"").decode("utf-8", "replace")
    return ModelFile(str(path), hashlib.sha256(content).hexdigest(), description, subgraphs)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """Whatever an altered flatbuffer makes the reader raise, as one InputError."""
    try:
        yield
    except InputError:
        raise
    except (
        struct.error,
        IndexError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        MemoryError,
    ) as error:
        raise InputError(
            f"{where}: the file is damaged or cut off ({type(error).__name__}); fetch it again"
        ) from error


@dataclass(eq=False)
class _Reader:
    path: str
    content: bytes
    model: Any
    tflite: Any
    constants: int = 0

    def count(self, claimed: int, bytes_each: int, what: str) -> int:
        """A length that the file claims, compared with the bytes it has."""
        if claimed > COUNT_LIMIT or claimed * bytes_each > len(self.content):
            raise InputError(
                f"{self.path}: claims {claimed:,} {what}; the file is damaged, or has more than "
                f"{COUNT_LIMIT:,}"
            )
        return int(claimed)

    def subgraph(self, index: int) -> Subgraph:
        graph = self.model.Subgraphs(index)
        tensors = tuple(
            self._tensor(graph.Tensors(i), i)
            for i in range(self.count(graph.TensorsLength(), 4, "tensors"))
        )
        operators = tuple(
            self._operator(graph.Operators(i), i, len(tensors))
            for i in range(self.count(graph.OperatorsLength(), 4, "operators"))
        )
        where = f"{self.path}, subgraph {index}"
        return Subgraph(
            tensors,
            operators,
            _numbers(graph.InputsAsNumpy(), len(tensors), f"{where}, inputs", 0),
            _numbers(graph.OutputsAsNumpy(), len(tensors), f"{where}, outputs", 0),
        )

    def _tensor(self, tensor: Any, number: int) -> FileTensor:
        name = (tensor.Name() or b"").decode("utf-8", "replace")
        where = f"{self.path}, tensor {number} {_short(name)!r}"
        with _readable(where):
            types = {v: k.lower() for k, v in vars(self.tflite.TensorType).items() if k[0] != "_"}
            kind = types.get(tensor.Type(), f"type {tensor.Type()}")
            shape = check_shape(_vector(tensor.ShapeAsNumpy()), where, least=0)
            if tensor.Sparsity() is not None:
                raise InputError(f"{where}: is stored sparsely; convert the model without sparsity")
            scales, zeros = np.zeros(0, np.float32), np.zeros(0, np.int64)
            axis, quantisation = 0, tensor.Quantization()
            if quantisation is not None:
                scales = np.asarray(_vector(quantisation.ScaleAsNumpy()), np.float32)
                zeros = np.asarray(_vector(quantisation.ZeroPointAsNumpy()), np.int64)
                axis = quantisation.QuantizedDimension()
            data = self._constant(tensor.Buffer(), kind, shape, where)
            return FileTensor(number, name, kind, shape, data, scales, zeros, axis, where)

    def _constant(
        self, number: int, kind: str, shape: tuple[int, ...], where: str
    ) -> npt.NDArray[Any] | None:
        if number == 0:
            return None  # buffer 0 is empty by convention
        if not 0 < number < self.model.BuffersLength():
            raise InputError(f"{where}: names buffer {number} of {self.model.BuffersLength()}")
        buffer = self.model.Buffers(number)
        if buffer.Offset() > 1:
            raise InputError(f"{where}: its values lie outside the flatbuffer, which is not read")
        if buffer.DataLength() == 0:
            return None
        raw = buffer.DataAsNumpy()
        if kind not in ITEMS:
            return None  # an operator that needs this constant says which types it takes
        item = np.dtype(ITEMS[kind]).newbyteorder("<")
        if len(raw) != size_of(shape) * item.itemsize:
            raise InputError(
                f"{where}: {len(raw)} bytes for {size_of(shape)} values of type {kind} and shape "
                f"{list(shape)}"
            )
        self.constants += size_of(shape)
        if self.constants > CONSTANT_LIMIT:
            raise InputError(f"{self.path}: more than {CONSTANT_LIMIT:,} constant values")
        return np.frombuffer(raw, dtype=item)

    def _operator(self, operator: Any, number: int, tensors: int) -> FileOperator:
        where = f"{self.path}, operator {number}"
        with _readable(where):
            kind = self._kind(operator.OpcodeIndex(), where)
            where = f"{where} ({kind})"
            return FileOperator(
                number,
                kind,
                _numbers(operator.InputsAsNumpy(), tensors, f"{where}, inputs", -1),
                _numbers(operator.OutputsAsNumpy(), tensors, f"{where}, outputs", 0),
                self._options(operator, kind, where),
            )

    def _kind(self, index: int, where: str) -> str:
        if not 0 <= index < self.model.OperatorCodesLength():
            raise InputError(
                f"{where}: names operator code {index} of {self.model.OperatorCodesLength()}"
            )
        code = self.model.OperatorCodes(index)
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        names = {v: k for k, v in vars(self.tflite.BuiltinOperator).items() if k[0] != "_"}
        if number not in names:
            raise InputError(f"{where}: operator code {number} is unknown to package tflite")
        if names[number] == "CUSTOM":
            return _short((code.CustomCode() or b"CUSTOM").decode("utf-8", "replace"))
        return str(names[number])

    def _options(self, operator: Any, kind: str, where: str) -> Mapping[str, Any]:
        if kind not in OPTIONS:
            return {}
        table, fields = OPTIONS[kind]
        given, wanted = operator.BuiltinOptionsType(), getattr(self.tflite.BuiltinOptions, table)
        raw = operator.BuiltinOptions()
        if given != wanted or raw is None:
            raise InputError(f"{where}: has no {table}; the file is damaged or not converted whole")
        options = getattr(self.tflite, table)()
        options.Init(raw.Bytes, raw.Pos)
        return {field: getattr(options, field)() for field in fields.split()}


def _vector(values: Any) -> Any:
    """A vector of the flatbuffer; the reader gives the number 0 for one that is absent."""
    return [] if isinstance(values, int) else values


def _numbers(values: Any, tensors: int, where: str, least: int) -> tuple[int, ...]:
    numbers = _vector(values)
    if len(numbers) > COUNT_LIMIT:
        raise InputError(f"{where}: {len(numbers):,} of them; at most {COUNT_LIMIT:,} are read")
    out = tuple(int(n) for n in numbers)
    for n in out:
        if not least <= n < tensors:
            raise InputError(f"{where}: tensor {n} does not exist; there are 0..{tensors - 1}")
    return out


def _short(name: str) -> str:
    """A name from the file, fit for a message of one line."""
    name = "".join(c if c.isprintable() else "?" for c in name)
    return name if len(name) <= 40 else name[:37] + "..."
