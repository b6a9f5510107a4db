"""revsim as an ONNX backend: what runs a model is a reversible circuit, every gate of it.

    import revsim.onnx_backend as backend
    outputs = backend.prepare(model).run(inputs)

The circuit is compiled when the inputs are there, since scales, zero points, weights, shapes, axes
and the like may be among them and must be known (frontends/onnx/numbers.py). The official tests of
ONNX run against this class; `python -m revsim.onnx_backend` runs those of its node tests that are
about whole numbers, moves and order, and prints a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import CheckError, InputError, missing
from revsim.frontends.onnx.numbers import knows, read_numbers
from revsim.network.graph_reference import run_graph
from revsim.schedule.graphs import compile_graph
from revsim.simulator.ensemble import data_set
from revsim.simulator.run import simulate

try:
    from onnx.backend.base import Backend, BackendRep
except ImportError:  # `prepare` says so
    Backend = BackendRep = object  # type: ignore[assignment,misc]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Inference:
    """One run of a model. `kind`: `gates`, `wiring` (values only move) or `constant` (no circuit);
    `gates` counts the gates that were evaluated."""

    outputs: tuple[Array, ...]
    kind: str
    gates: int


class GateModel(BackendRep):  # type: ignore[misc,unused-ignore]
    """A model that is to be run on gates; `last` is its latest inference."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.last: Inference | None = None

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Array, ...]:
        """The model's outputs, in its types and shapes.

        inputs: one array for each input of the model that is no initialiser, in order (or by name
        in a dict). Raises InputError, naming each node or input that has no circuit.
        """
        del kwargs
        self.last = infer(self.model, _arrays(self.model, inputs))
        return self.last.outputs


class GateBackend(Backend):  # type: ignore[misc,unused-ignore]
    """`onnx.backend.base.Backend` on reversible gates."""

    @classmethod
    def is_compatible(cls, model: Any, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether every operator of a model is known; its types and values are looked at later."""
        del kwargs
        return cls.supports_device(device) and all(knows(node) for node in model.graph.node)

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **kwargs: Any) -> GateModel:
        """A model made ready; nothing is compiled yet."""
        del kwargs
        if Backend is object:
            raise missing("the ONNX backend", "onnx", "onnx")
        if not cls.supports_device(device):
            raise InputError(f"device {device!r}; circuits are simulated on CPU")
        return GateModel(model)

    @classmethod
    def run_node(
        cls, node: Any, inputs: Any, device: str = "CPU", outputs_info: Any = None, **kwargs: Any
    ) -> tuple[Array, ...]:
        """One node on arrays; `opset_version` in kwargs chooses the operator set."""
        del outputs_info
        try:
            from onnx import helper
        except ImportError:
            raise missing("the ONNX backend", "onnx", "onnx") from None
        arrays = [np.asarray(array) for array in inputs]
        names = [name for name in node.input if name]
        given = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in zip(names, arrays, strict=True)
        ]
        made = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = helper.make_graph([node], node.op_type, given, made)
        version = kwargs.get("opset_version")
        sets = [helper.make_opsetid(node.domain, version)] if version else None
        return cls.prepare(helper.make_model(graph, opset_imports=sets), device).run(arrays)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """CPU alone."""
        return device.split(":")[0] == "CPU"


prepare = GateBackend.prepare
run_node = GateBackend.run_node
supports_device = GateBackend.supports_device
is_compatible = GateBackend.is_compatible


def infer(model: Any, inputs: Sequence[Array]) -> Inference:
    """Compile a model for some inputs, run every gate, read the outputs off the wires.

    The integer reference is run beside it; gates that differ from it raise CheckError.
    """
    read = read_numbers(model, inputs)
    if not read.graph.nodes:
        return Inference(tuple(read.made(read.given())), read.kind, 0)
    reference = run_graph(read.graph, read.given())
    read.check(reference)
    circuit = compile_graph(read.graph, policy="uncompute", input="keep")
    rows = np.concatenate(list(read.given().values()), axis=1)
    run = simulate(circuit, data_set(rows))
    sizes = [read.graph.tensors[name].size for name in read.graph.outputs]
    parts = np.split(run.outputs, np.cumsum(sizes)[:-1], axis=1)
    values = dict(zip(read.graph.outputs, parts, strict=True))
    for name, part in values.items():
        if not np.array_equal(part, reference[name]):
            raise CheckError(f"{read.graph.name}: gates and reference differ in {name!r}")
    return Inference(tuple(read.made(values)), read.kind, run.tally.gate_evaluations)


def _arrays(model: Any, inputs: Any) -> list[Array]:
    if isinstance(inputs, dict):
        held = {tensor.name for tensor in model.graph.initializer}
        names = [value.name for value in model.graph.input if value.name not in held]
        absent = [name for name in names if name not in inputs]
        if absent:
            raise InputError(f"{model.graph.name}: no values were given for input {absent[0]!r}")
        inputs = [inputs[name] for name in names]
    try:
        return [np.asarray(array) for array in inputs]
    except ValueError:
        raise InputError(f"{model.graph.name}: an input is no array (a sequence?)") from None


__all__ = ["GateBackend", "GateModel", "Inference", "infer"]
