"""TensorFlow Lite models as gates: every tensor, read from the wires, equals the reference."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from revsim.graphs.run import run_graph_circuit
from revsim.network.graph_reference import run_graph, run_stream

pytest.importorskip("tflite", reason="package tflite is absent: pip install '.[tflite]'")

from test_tflite import OVERFLOWING
from tflite_cases import golden

from revsim.frontends.tflite.reader import from_tflite

CASES = [
    case
    for _, cases in itertools.groupby(
        (c for c in golden() if c.name not in OVERFLOWING and "(1, 300)" not in c.name),
        key=lambda case: case.name.split()[:2],
    )
    for case in itertools.islice(cases, 2)
]
"""Two of each operator and type."""
MODELS = {"hello_world_int8": 256, "alexa": 3, "hey_jarvis": 3, "micro_speech_quantized": 2}
LARGE = {
    "ad01_int8": 2,
    "kws_ref_model": 2,
    "pretrainedResnet_quant": 1,
    "vww_96_int8": 1,
    "mobilenet_v1_0.25_128_quant": 1,
}
"""Models and how many of their samples are run."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gates_equal_tflite_micro(case, tmp_path):
    (tmp_path / "model.tflite").write_bytes(case.model)
    graph = from_tflite(tmp_path / "model.tflite")
    found, gates = run_graph_circuit(graph, dict(zip(graph.inputs, case.inputs, strict=True)))
    for name, expected in zip(graph.outputs, case.outputs, strict=True):
        np.testing.assert_array_equal(found[name], expected)
    assert gates > 0 or all(node.operator.kind in MOVES for node in graph.nodes)


MOVES = {"transpose", "pad", "padv2", "concatenation", "pack", "unpack", "split", "split_v"}
MOVES |= {"slice", "strided_slice", "gather", "squeeze", "expand_dims", "quantize", "softmax"}


@pytest.mark.parametrize("policy", ["activation_reset", "uncompute", "bennett", "conventional"])
def test_policies_agree_on_an_operator_of_each_sort(policy, tmp_path):
    sorts = ("ADD", "MAX_POOL_2D", "LOGISTIC", "PAD")
    for sort in sorts:
        case = next(c for c in CASES if c.name.split()[0] == sort)
        (tmp_path / "model.tflite").write_bytes(case.model)
        graph = from_tflite(tmp_path / "model.tflite")
        given = dict(zip(graph.inputs, case.inputs, strict=True))
        found, _ = run_graph_circuit(graph, given, policy)
        np.testing.assert_array_equal(found[graph.outputs[0]], case.outputs[0], err_msg=sort)


def check_model(name: str, rows: int, folder) -> None:
    """Every tensor that is read from the gates equals the reference runtime's, or, beyond the
    samples whose tensors it stored, the integer reference."""
    graph = from_tflite(folder / "tflite" / f"{name}.tflite")
    last = graph.nodes[-1]
    wide = graph.tensors[last.inputs[0]].size > 1000  # its softmax is too large for one definition
    if wide:
        graph = replace(graph, nodes=graph.nodes[:-1], outputs=last.inputs)
    with np.load(folder / "tflite" / f"{name}.expected.npz") as held:
        stored = {key: held[key] for key in held.files if key != "tensors"}
    given = {graph.inputs[0]: stored["x"][:rows]}
    expected = run_stream(graph, given)[1] if stored["stateful"] else run_graph(graph, given)
    found, gates = run_graph_circuit(graph, given, "uncompute", tensors=True)
    assert {node.output for node in graph.nodes} <= found.keys()
    for tensor, values in found.items():
        np.testing.assert_array_equal(values, expected[tensor], err_msg=tensor)
        key = f"t{graph.tensors[tensor].number}" if tensor in graph.tensors else ""
        if key in stored:
            both = min(rows, len(stored[key]))
            truth = stored[key][:both].reshape(both, -1)
            np.testing.assert_array_equal(values[:both], truth, err_msg=tensor)
    answer = stored[f"y_{stored['primary']}"][:rows].reshape(rows, -1)
    if not wide:
        np.testing.assert_array_equal(found[graph.outputs[0]], answer)
    assert gates > 0


@pytest.mark.parametrize(("name", "rows"), MODELS.items())
def test_every_tensor_of_a_small_model(name, rows, shared_data):
    check_model(name, rows, shared_data)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rows"), LARGE.items())
def test_every_tensor_of_a_large_model(name, rows, shared_data):
    check_model(name, rows, shared_data)
