"""Small .tflite files from a description, for tests that need no model of anybody's.

content = model_bytes([T((1, 4)), T((3, 4), data=weights, scale=0.5), T((1, 3))],
                      [Op("FULLY_CONNECTED", (0, 1, -1), (2,))], (0,), (2,))
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

TYPES = {
    "int8": (9, np.int8),
    "uint8": (3, np.uint8),
    "int16": (7, np.int16),
    "int32": (2, np.int32),
    "int64": (4, np.int64),
    "bool": (6, np.uint8),
    "float32": (0, np.float32),
    "resource": (13, np.int32),
}


@dataclass
class T:
    """A tensor; `data` makes it a constant, `raw` gives the bytes of its buffer as they are."""

    shape: tuple[int, ...]
    type: str = "int8"
    data: Any = None
    scale: float | Sequence[float] | None = 0.5
    zero: int | Sequence[int] = 0
    axis: int = 0
    name: str | None = None
    raw: bytes | None = None


@dataclass
class Op:
    """An operator; `options` are the fields of its options table, which `table` names."""

    kind: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Mapping[str, Any] = field(default_factory=dict)
    table: str | None = None


def options_table(kind: str) -> str | None:
    """The table that holds an operator's options in the schema, None where none is read."""
    from revsim.frontends.tflite.file import OPTIONS

    return OPTIONS[kind][0] if kind in OPTIONS else None


def model_bytes(
    tensors: Sequence[T],
    operators: Sequence[Op],
    inputs: Sequence[int],
    outputs: Sequence[int],
    more: Sequence[tuple[Sequence[T], Sequence[Op]]] = (),
    version: int = 3,
) -> bytes:
    """A .tflite file of one model; `more` are further subgraphs without inputs and outputs."""
    import flatbuffers
    import tflite

    b = flatbuffers.Builder(1024)
    graphs = [(tensors, operators, inputs, outputs), *((t, o, (), ()) for t, o in more)]
    codes = sorted({op.kind for _, ops, _, _ in graphs for op in ops})
    buffers = [_buffer(b, tflite, None)]
    made = [_subgraph(b, tflite, graph, codes, buffers) for graph in graphs]
    code_offsets = []
    for kind in codes:
        number = getattr(tflite.BuiltinOperator, kind, tflite.BuiltinOperator.CUSTOM)
        custom = b.CreateString(kind)
        tflite.OperatorCodeStart(b)
        if number == tflite.BuiltinOperator.CUSTOM:
            tflite.OperatorCodeAddCustomCode(b, custom)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(number, 127))
        tflite.OperatorCodeAddBuiltinCode(b, number)
        tflite.OperatorCodeAddVersion(b, 1)
        code_offsets.append(tflite.OperatorCodeEnd(b))
    subgraphs, code_vector = _offsets(b, made), _offsets(b, code_offsets)
    buffer_vector = _offsets(b, buffers)
    description = b.CreateString("made by revsim's tests")
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, version)
    tflite.ModelAddOperatorCodes(b, code_vector)
    tflite.ModelAddSubgraphs(b, subgraphs)
    tflite.ModelAddDescription(b, description)
    tflite.ModelAddBuffers(b, buffer_vector)
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def _subgraph(b: Any, tflite: Any, graph: Any, codes: list[str], buffers: list[int]) -> int:
    tensors, operators, inputs, outputs = graph
    made = [_tensor(b, tflite, t, k, buffers) for k, t in enumerate(tensors)]
    ops = [_operator(b, tflite, op, codes) for op in operators]
    parts = _offsets(b, made), _numbers(b, inputs), _numbers(b, outputs), _offsets(b, ops)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, parts[0])
    tflite.SubGraphAddInputs(b, parts[1])
    tflite.SubGraphAddOutputs(b, parts[2])
    tflite.SubGraphAddOperators(b, parts[3])
    return tflite.SubGraphEnd(b)


def _tensor(b: Any, tflite: Any, t: T, number: int, buffers: list[int]) -> int:
    code, item = TYPES[t.type]
    raw = t.raw
    if raw is None and t.data is not None:
        raw = np.ascontiguousarray(np.asarray(t.data), dtype=item).tobytes()
    buffer = len(buffers)
    buffers.append(_buffer(b, tflite, raw))
    name, shape = b.CreateString(t.name or f"t{number}"), _numbers(b, t.shape)
    quantisation = None
    if t.scale is not None:
        scales = np.atleast_1d(np.asarray(t.scale, dtype=np.float32))
        zeros = np.broadcast_to(np.asarray(t.zero, dtype=np.int64), np.shape(scales))
        vectors = b.CreateNumpyVector(scales), b.CreateNumpyVector(np.array(zeros))
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, vectors[0])
        tflite.QuantizationParametersAddZeroPoint(b, vectors[1])
        tflite.QuantizationParametersAddQuantizedDimension(b, t.axis)
        quantisation = tflite.QuantizationParametersEnd(b)
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, code)
    tflite.TensorAddBuffer(b, buffer)
    tflite.TensorAddName(b, name)
    if quantisation is not None:
        tflite.TensorAddQuantization(b, quantisation)
    return tflite.TensorEnd(b)


def _buffer(b: Any, tflite: Any, raw: bytes | None) -> int:
    if raw is None:
        tflite.BufferStart(b)
        return tflite.BufferEnd(b)
    b.StartVector(1, len(raw), 16)
    b.head -= len(raw)
    b.Bytes[b.head : b.head + len(raw)] = raw
    vector = b.EndVector()
    tflite.BufferStart(b)
    tflite.BufferAddData(b, vector)
    return tflite.BufferEnd(b)


def _operator(b: Any, tflite: Any, op: Op, codes: list[str]) -> int:
    table = op.table or options_table(op.kind)
    options = None
    if table is not None:
        values = {
            k: b.CreateString(v)
            if isinstance(v, str)
            else _numbers(b, v)
            if isinstance(v, Sequence)
            else v
            for k, v in op.options.items()
        }
        getattr(tflite, f"{table}Start")(b)
        for k, v in values.items():
            getattr(tflite, f"{table}Add{k}")(b, v)
        options = getattr(tflite, f"{table}End")(b)
    inputs, outputs = _numbers(b, op.inputs), _numbers(b, op.outputs)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, codes.index(op.kind))
    tflite.OperatorAddInputs(b, inputs)
    tflite.OperatorAddOutputs(b, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, table))
        tflite.OperatorAddBuiltinOptions(b, options)
    return tflite.OperatorEnd(b)


def _numbers(b: Any, values: Sequence[int]) -> int:
    return b.CreateNumpyVector(np.array(values, dtype=np.int32))


def _offsets(b: Any, values: Sequence[int]) -> int:
    b.StartVector(4, len(values), 4)
    for value in reversed(values):
        b.PrependUOffsetTRelative(value)
    return b.EndVector()
