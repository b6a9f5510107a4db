"""Float ONNX models as a `FloatNetwork`: what `--calibrate` quantises.

The file is opened, ordered and checked by the reader of quantised models (onnx/reader.py); every
operator becomes a step on real numbers (onnx_layers.py). Images are [1, channels, ...], as ONNX has
them.
"""

from hashlib import sha256
from typing import Any

from revsim.errors import InputError
from revsim.frontends.floats import layers as layers
from revsim.frontends.floats.network import FloatNetwork
from revsim.frontends.floats.onnx_layers import CALIBRATED, Reading
from revsim.frontends.onnx.builder import Builder, Constant, Refusal, Step
from revsim.frontends.onnx.evaluator import evaluated
from revsim.frontends.onnx.reader import (
    input_shape,
    numbers,
    opened,
    ordered,
    refusals,
    step_of,
)

DAMAGE = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)
SOFTMAX = ("Softmax", "LogSoftmax")
QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "Quant")
"""Operators that no float model has."""


def floats_from_onnx(model: Any) -> FloatNetwork:
    """A path, bytes or ModelProto of a float model with one input and one output.

    The last softmax is left out, with a note: it changes no order. Raises InputError as from_onnx
    does, once for all nodes that cannot be read.
    """
    proto, data, name = opened(model)
    graph = proto.graph
    known = Builder(name)
    for tensor in graph.initializer:
        known.values[tensor.name] = Constant(numbers(tensor, name))
    inputs = [value for value in graph.input if value.name not in known.values]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise InputError(
            f"{name}: {len(inputs)} inputs and {len(graph.output)} outputs; calibration takes "
            "networks with one of each"
        )
    entry = inputs[0].name
    network = FloatNetwork(
        name,
        entry,
        {entry: input_shape(inputs[0], name)},
        source=name,
        sha256=sha256(data).hexdigest() if data else "",
    )
    reading = Reading(network, known, {entry: entry})
    versions = {("" if o.domain == "ai.onnx" else o.domain): o.version for o in proto.opset_import}
    steps = [step_of(node, versions, number) for number, node in enumerate(graph.node)]
    refused: list[tuple[Step, Refusal]] = []
    for step in ordered(steps, {entry, *known.values}, name):
        try:
            _take(reading, step, graph.output[0].name)
        except Refusal as refusal:
            refused.append((step, refusal))
        except InputError as error:
            refused.append((step, Refusal(str(error))))
        except DAMAGE as error:  # attributes of another type or length than the operator has
            refused.append((step, Refusal(f"its attributes do not fit ({type(error).__name__})")))
    if refused:
        raise InputError(refusals(name, refused))
    if graph.output[0].name not in reading.tensors:
        raise InputError(f"{name}: its output does not depend on its input")
    network.output = reading.tensors[graph.output[0].name]
    return network


def _take(reading: Reading, step: Step, last: str) -> None:
    known, tensors = reading.known.values, reading.tensors
    behind = any(n and n not in tensors and n not in known for n in step.inputs)  # a refused node
    if not behind and not any(name in tensors for name in step.inputs):
        given = {name: known[name].array for name in step.inputs if name}
        for out, array in zip(step.outputs, evaluated(step, given), strict=False):
            known[out] = Constant(array)
        return
    softmax = step.operator in SOFTMAX and step.outputs[0] == last
    maker = CALIBRATED.get(step.operator) if step.domain == "" else None
    if maker is None and step.operator in QUANTISED:
        raise Refusal(
            f"operator {step.operator} makes it a quantised model", "leave --calibrate out"
        )
    if maker is None and not softmax:
        raise Refusal(
            f"operator {step.operator} is not among those that can be calibrated",
            "quantise the model with its own tools and give the quantised file",
        )
    if behind:
        return
    if maker is None:
        tensors[last] = reading.tensor(step)
        reading.network.notes.append(
            f"the last {step.operator} is left out: outputs are scores before it, in the same order"
        )
        return
    tensors[step.outputs[0]] = maker(reading, step)
