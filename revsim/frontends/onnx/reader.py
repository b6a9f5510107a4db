"""`from_onnx`: a quantised ONNX model as a `Graph` of integers.

The file is read with the package onnx (extra `onnx`). Nodes are taken in an order in which they can
be run; what depends on constants alone is computed by ONNX's own reference evaluator, everything
else by the makers that the neighbouring modules register: quantised operators and folded
DequantizeLinear - operator - QuantizeLinear (onnx_quantised.py), QONNX (qonnx.py), operators on
integers (operators.py). All nodes that cannot be read are named in one error.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from revsim.errors import InputError, missing
from revsim.frontends.onnx import chains, operators, order, qonnx, quantised, sums
from revsim.frontends.onnx.builder import (
    FLOAT_MAKERS,
    MAKERS,
    SIZE_LIMIT,
    Array,
    Builder,
    Constant,
    Held,
    Refusal,
    Step,
    checked_size,
    ends_of,
)
from revsim.frontends.onnx.evaluator import evaluated
from revsim.frontends.onnx.operators import WORDS
from revsim.frontends.onnx.reals import Real, outside
from revsim.network.graph import Graph, Node

READERS = (operators, order, sums, chains, quantised, qonnx)
"""Modules that register makers of nodes when they are imported."""
MALFORMED = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)
"""What a maker may stumble over in a node that contradicts itself."""
FILE_LIMIT = 1 << 30
NODE_LIMIT = 20_000
LISTED = 40
"""Most nodes that one error names."""
STANDARD = ("", "ai.onnx")


def from_onnx(
    model: Any, constants: Mapping[str, Any] | None = None, name: str | None = None
) -> Graph:
    """A path, the file's bytes or an onnx.ModelProto as a Graph.

    A symbolic first length (the batch) is taken as 1. `constants` gives inputs of the model that
    are to be taken as constants, by name. Raises InputError for files that are no ONNX model, for
    models that contradict themselves, and once for all nodes that cannot be read.
    """
    proto, data, called = opened(model)
    if proto.functions:
        proto = _inlined(proto, called)
    called = name or called
    return read_model(proto, constants or {}, called, sha256(data).hexdigest() if data else "")


def read_model(proto: Any, constants: Mapping[str, Any], name: str, digest: str = "") -> Graph:
    """A ModelProto as a Graph (see from_onnx)."""
    builder = Builder(name)
    graph = proto.graph
    versions = {("" if o.domain in STANDARD else o.domain): o.version for o in proto.opset_import}
    for tensor in graph.initializer:
        builder.values[tensor.name] = Constant(numbers(tensor, name))
    for sparse in graph.sparse_initializer:
        raise InputError(f"{name}: initialiser {sparse.values.name!r} is sparse; make it dense")
    for given, array in constants.items():
        builder.values[given] = Constant(np.asarray(array))
    for value in graph.input:
        if value.name not in builder.values:
            _take_input(builder, value)
    if not constants and is_float(proto):
        raise InputError(FLOAT_MODEL.format(name=name))
    steps = [step_of(node, versions, number) for number, node in enumerate(graph.node)]
    builder.uses = Counter([n for s in steps for n in s.inputs] + [o.name for o in graph.output])
    refused: list[tuple[Step, Refusal]] = []
    for step in ordered(steps, set(builder.values), name):
        try:
            with np.errstate(all="ignore"):  # what is not finite is refused by its maker
                take(builder, step)
        except Refusal as refusal:
            refused.append((step, refusal))
        except InputError as error:
            refused.append((step, Refusal(str(error))))
        except MALFORMED as error:
            what = f"{type(error).__name__}: {str(error)[:80]}"
            refused.append((step, Refusal(f"its inputs or attributes do not fit ({what})")))
        if any(out and out not in builder.values for out in step.outputs):
            builder.values.update(dict.fromkeys(step.outputs))  # of a refused node
    if refused:
        raise InputError(refusals(name, refused))
    outputs = [_give_output(builder, value.name) for value in graph.output]
    nodes = [
        replace(node, name=f"{node.operator.kind}_{number}")  # tensors keep the model's names
        for number, node in enumerate(needed(builder.nodes, outputs))
    ]
    kept = {*outputs, *builder.inputs, *(node.output for node in nodes)}
    return Graph(
        name=name,
        tensors={name: t for name, t in builder.tensors.items() if name in kept},
        nodes=tuple(nodes),
        inputs=tuple(value.name for value in graph.input if value.name in builder.inputs),
        outputs=tuple(outputs),
        source=name,
        sha256=digest,
    )


QUANTISING = ("Quant", "QLinear", "QGemm", "Integer", "Dequantize", "Threshold", "Trunc")
FLOAT_MODEL = (
    "{name}: a float model. Quantise it: onnxruntime.quantization.quantize_static(IN, OUT, reader) "
    "with calibration data, or let revsim do it on data of yours with `--calibrate DATA`"
)


def is_float(proto: Any) -> bool:
    """Whether a model computes in floats and has no quantised operator at all."""
    inputs = {value.type.tensor_type.elem_type for value in proto.graph.input}
    weighed = any(node.op_type in ("Conv", "Gemm", "MatMul") for node in proto.graph.node)
    quantised = any(word in node.op_type for node in proto.graph.node for word in QUANTISING)
    return weighed and not quantised and inputs <= {1, 10, 11}  # FLOAT, FLOAT16, DOUBLE


def needed(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes on which the outputs depend, in order."""
    wanted, out = set(outputs), []
    for node in reversed(nodes):
        if node.output in wanted:
            wanted |= set(node.inputs)
            out.append(node)
    return out[::-1]


def take(builder: Builder, step: Step) -> None:
    """One node: folded if all its inputs are known, otherwise read by its maker."""
    inputs = [builder.values.get(name) for name in step.inputs if name]
    if any(name and builder.values[name] is None for name in step.inputs):
        if not is_known(step):
            raise unknown(step)
        return  # behind a node that was refused
    floats = any(isinstance(value, Real) for value in inputs)
    maker = (FLOAT_MAKERS if floats else MAKERS).get((step.domain, step.operator))
    if maker is None and not floats and step.domain == "":
        maker = WORDS.get(step.operator)
    if maker is None and not floats:
        from revsim.frontends.packages import onnx_maker

        maker = onnx_maker(step.domain, step.operator)
    known = all(isinstance(value, Constant) for value in inputs)
    if known and step.domain == "" and step.operator not in KEPT:
        for out, array in zip(step.outputs, folded(builder, step), strict=False):
            builder.values[out] = Constant(array)
        return
    if maker is None:
        raise unknown(step)
    maker(builder, step)


def is_known(step: Step) -> bool:
    """Whether any table has the operator, whatever its inputs may be."""
    key = step.domain, step.operator
    if key in MAKERS or key in FLOAT_MAKERS or (step.domain == "" and step.operator in WORDS):
        return True
    from revsim.frontends.packages import onnx_maker

    return onnx_maker(*key) is not None


def unknown(step: Step) -> Refusal:
    """An operator that no table has."""
    where = f" of domain {step.domain!r}" if step.domain else ""
    return Refusal(f"operator {step.operator}{where} is not known", "see `revsim supported`")


def folded(builder: Builder, step: Step) -> list[Array]:
    """The outputs of a node whose inputs are all constants."""
    given = {name: builder.values[name].array for name in step.inputs if name}
    return evaluated(step, given)


KEPT = ("DequantizeLinear",)
"""Operators whose makers know more about a constant than its floats."""


def ordered(steps: Sequence[Step], known: set[str], name: str) -> list[Step]:
    """The nodes so that each comes after what it reads; a cycle or a missing value is an error."""
    maker_of: dict[str, int] = {}
    for number, step in enumerate(steps):
        for out in step.outputs:
            if out and (out in maker_of or out in known):
                raise InputError(f"{name}: value {out!r} is made twice")
            maker_of[out] = number
    waiting = [0] * len(steps)
    readers: dict[int, list[int]] = {}
    for number, step in enumerate(steps):
        for value in step.inputs:
            if value == "" or value in known:
                continue
            if value not in maker_of:
                raise InputError(
                    f"{name}, node {step.name!r} ({step.operator}): its input {value!r} is made by "
                    "no node and is no initialiser"
                )
            waiting[number] += 1
            readers.setdefault(maker_of[value], []).append(number)
    ready = [number for number, count in enumerate(waiting) if count == 0]
    done: list[Step] = []
    for number in ready:
        done.append(steps[number])
        for reader in readers.get(number, ()):
            waiting[reader] -= 1
            if waiting[reader] == 0:
                ready.append(reader)
    if len(done) < len(steps):
        stuck = next(s for s, count in zip(steps, waiting, strict=True) if count)
        raise InputError(f"{name}: node {stuck.name!r} ({stuck.operator}) reads its own output")
    return done


def refusals(name: str, refused: Sequence[tuple[Step, Refusal]]) -> str:
    """All nodes that cannot be read, one line each: name, operator, reason and what to do."""
    count = f"{len(refused)} node{'s' if len(refused) > 1 else ''}"
    lines = [f"{name}: {count} cannot be read"]
    for step, refusal in refused[:LISTED]:
        remedy = f"; {refusal.remedy}" if refusal.remedy else ""
        what = f"{step.name[:60]} ({step.operator[:40]}): {refusal.reason[:160]}{remedy}"
        lines.append("  " + "".join(c if c.isprintable() else "?" for c in what))
    if len(refused) > LISTED:
        lines.append(f"  and {len(refused) - LISTED} more")
    return "\n".join(lines)


def numbers(tensor: Any, name: str) -> Array:
    """A TensorProto as an array; refused if it lies outside the file or has the wrong length."""
    from onnx import TensorProto, numpy_helper

    where = f"{name}, initialiser {tensor.name!r}"
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise InputError(f"{where}: its data lie in another file; save the model as one file")
    size = 1
    for length in tensor.dims:
        size *= length
        if length < 0 or size > SIZE_LIMIT:
            raise InputError(f"{where}: shape {list(tensor.dims)[:8]} is not possible here")
    try:
        array = np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:
        line = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise InputError(f"{where}: {line}") from error
    if array.size != size:
        raise InputError(f"{where}: {array.size} values for shape {list(tensor.dims)}")
    return array


def opened(model: Any) -> tuple[Any, bytes, str]:
    """(ModelProto, content of the file, name) of a path, bytes or ModelProto, checked."""
    try:
        import onnx
    except ImportError:
        raise missing("an ONNX model", "onnx", "onnx") from None
    if isinstance(model, onnx.ModelProto):
        return model, b"", model.graph.name or "model"
    if isinstance(model, bytes):
        data, name = model, "model"
    else:
        path = Path(model)
        name = path.name
        try:
            if path.stat().st_size > FILE_LIMIT:
                raise InputError(f"{name}: larger than {FILE_LIMIT >> 20} MB")
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from None
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception as error:  # DecodeError of protobuf, whichever implementation is installed
        raise InputError(
            f"{name}: not an ONNX model, or damaged ({type(error).__name__})"
        ) from None
    if not proto.graph.node or not proto.opset_import:
        raise InputError(f"{name}: not an ONNX model: it has no nodes or names no operator set")
    if not all(isinstance(word, str) for word in _words(proto.graph)):
        raise InputError(f"{name}: damaged: a name in it is no text")
    if len(proto.graph.node) > NODE_LIMIT:
        raise InputError(f"{name}: {len(proto.graph.node)} nodes; at most {NODE_LIMIT} are read")
    return proto, data, name


def _words(graph: Any) -> Iterator[Any]:
    """All names that nodes and values have; protobuf gives bytes where one is no UTF-8."""
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        yield value.name


def _inlined(proto: Any, name: str) -> Any:
    """The model with its own functions written out."""
    from onnx import inliner

    try:
        return inliner.inline_local_functions(proto)
    except Exception as error:
        line = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise InputError(f"{name}: its functions cannot be written out ({line})") from error


def step_of(node: Any, versions: Mapping[str, int], number: int) -> Step:
    """A NodeProto as a step, its attributes as plain values."""
    from onnx import helper

    domain = "" if node.domain in STANDARD else node.domain
    name = node.name or f"{node.op_type}_{number}"
    try:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    except Exception as error:
        raise InputError(f"node {name!r} ({node.op_type}): an attribute has no value") from error
    return Step(
        name, node.op_type, domain, tuple(node.input), tuple(node.output), attributes,
        versions.get(domain, 1), node,
    )  # fmt: skip


def input_shape(value: Any, name: str) -> tuple[int, ...]:
    """The shape of a model's input, its first length 1 where it is symbolic (the batch)."""
    if not value.type.HasField("tensor_type"):
        raise InputError(f"{name}, input {value.name!r}: not a tensor")
    out = []
    for place, dim in enumerate(value.type.tensor_type.shape.dim):
        length = dim.dim_value if dim.HasField("dim_value") else 0
        if length == 0 and place == 0:
            length = 1
        if length <= 0:
            raise InputError(
                f"{name}, input {value.name!r}: length {place} of its shape is "
                f"{length if length else dim.dim_param or 'unknown'}; export with fixed shapes"
            )
        out.append(int(length))
    try:
        checked_size(out)
    except InputError as error:
        raise InputError(f"{name}, input {value.name!r}: {error}") from None
    return tuple(out)


def _take_input(builder: Builder, value: Any) -> None:
    from onnx import helper

    shape = input_shape(value, builder.name)
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
    except Exception:
        raise InputError(f"{builder.name}, input {value.name!r}: unknown element type") from None
    if dtype.kind == "f":
        builder.values[value.name] = outside(value.name, shape)
        return
    try:
        ends = ends_of(dtype)
    except Refusal as refusal:
        raise InputError(f"{builder.name}, input {value.name!r}: {refusal.reason}") from None
    held = builder.tensor(value.name, shape, dtype, *ends)
    builder.values[value.name] = held
    builder.inputs.append(held.name)


def _give_output(builder: Builder, name: str) -> str:
    value = builder.values.get(name)
    if value is None:
        raise InputError(f"{builder.name}: output {name!r} is made by no node")
    if isinstance(value, Constant):
        value = builder.materialised(value, name)
    if not isinstance(value, Held):
        try:
            value = quantised.output(builder, value, name)
        except Refusal as refusal:
            raise InputError(
                f"{builder.name}, output {name!r}: {refusal.reason}"
                + (f"; {refusal.remedy}" if refusal.remedy else "")
            ) from None
    return value.name
