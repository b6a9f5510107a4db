"""TensorFlow Lite operators as gates: what is read from the wires equals tflite-micro."""

import itertools

import numpy as np
import pytest

from revsim.graphs.run import run_graph_circuit

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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gates_equal_tflite_micro(case, tmp_path):
    (tmp_path / "model.tflite").write_bytes(case.model)
    graph = from_tflite(tmp_path / "model.tflite")
    found, gates = run_graph_circuit(graph, dict(zip(graph.inputs, case.inputs, strict=True)))
    for name, expected in zip(graph.outputs, case.outputs, strict=True):
        np.testing.assert_array_equal(found[name], expected)
    assert gates.one_by_one or all(node.operator.kind in MOVES for node in graph.nodes)


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
