"""Operators that an installed package adds, tried with a distribution made here, and the tables
that `revsim supported` prints."""

import json

import numpy as np
import pytest

import revsim as rs
from revsim.cli import main
from revsim.errors import InputError
from revsim.frontends.supported import supported
from revsim.network.graph_reference import run_graph

CODE = """
import revsim as rs

staircase = rs.table(lambda z: z // 16, -128, 127)
narrow = rs.table(lambda z: z, 0, 3)

def doubled(builder, step):
    held = builder.held(step, 0)
    import numpy as np
    from revsim.network.cells import Sum
    builder.values[step.outputs[0]] = builder.computed(
        step.outputs[0], "doubled", Sum((2,)), [held], np.arange(held.size)[:, None],
        held.shape, "int32", (2 * held.low, 2 * held.high))

number = 7
"""
ENTRIES = """[revsim.operators]
com.example.Staircase = example_operators:staircase
com.example.Narrow = example_operators:narrow
com.example.Doubled = example_operators:doubled
com.example.Number = example_operators:number
com.example.Broken = example_operators:missing
tflite.Staircase = example_operators:staircase
tflite.Number = example_operators:number
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with entry points, as an installer would leave it."""
    (tmp_path / "example_operators.py").write_text(CODE)
    info = tmp_path / "example_operators-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: example-operators\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(tmp_path)


def onnx_model(operator):
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], name="own", domain="com.example")],
        "own",
        [helper.make_tensor_value_info("x", onnx.TensorProto.INT8, [1, 3])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.INT8, [1, 3])],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    return helper.make_model(graph, opset_imports=imports)


def read(operator):
    from revsim.frontends.onnx.reader import from_onnx

    return from_onnx(onnx_model(operator))


def test_a_table_becomes_an_operator_of_onnx(installed):
    graph = read("Staircase")
    made = run_graph(graph, {"x": np.array([[-128, 15, 127]])})[graph.outputs[0]]
    assert made.tolist() == [[-8, 0, 7]] and graph.nodes[0].neurons
    report = rs.verify(graph, np.array([[-128, 15, 127], [3, 4, 99]]), policy="uncompute")
    assert report.holds


def test_a_maker_becomes_an_operator_of_onnx(installed):
    graph = read("Doubled")
    made = run_graph(graph, {"x": np.array([[-128, 15, 127]])})[graph.outputs[0]]
    assert made.tolist() == [[-256, 30, 254]]


def test_a_table_becomes_an_operator_of_tensorflow_lite(installed, tmp_path):
    pytest.importorskip("tflite")
    from tflite_models import Op, T, model_bytes

    from revsim.frontends.tflite.reader import from_tflite

    path = tmp_path / "own.tflite"
    path.write_bytes(model_bytes([T((1, 3)), T((1, 3))], [Op("Staircase", (0,), (1,))], (0,), (1,)))
    graph = from_tflite(path)
    made = run_graph(graph, {graph.inputs[0]: np.array([[-128, 15, 127]])})[graph.outputs[0]]
    assert made.tolist() == [[-8, 0, 7]]
    path.write_bytes(model_bytes([T((1, 3)), T((1, 3))], [Op("Number", (0,), (1,))], (0,), (1,)))
    with pytest.raises(InputError, match="must be a Table or a Rule, not int"):
        from_tflite(path)


@pytest.mark.parametrize(
    "operator, words",
    [
        ("Narrow", "its input is in -128..127, its table in 0..3"),
        ("Number", "of example-operators: must be a Table or a maker, not int"),
        ("Broken", "of example-operators: cannot be loaded"),
        ("Unknown", "not known"),
    ],
)
def test_what_a_package_can_get_wrong(installed, operator, words):
    with pytest.raises(InputError, match=words):
        read(operator)


def test_supported_lists_what_the_readers_read(installed, capsys):
    assert main(["supported", "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)
    assert tables == supported()
    by_name = {row["operator"]: row for row in tables["onnx"] if row["domain"] == ""}
    assert by_name["Conv"]["calibrated"] and by_name["QLinearConv"]["integers"]
    assert not by_name["QLinearConv"]["calibrated"]
    assert any(row["operator"] == "CONV_2D" and row["made"] for row in tables["tflite"])
    assert {"name": "tflite.Staircase", "package": "example-operators"} in tables["packages"]
    assert main(["supported"]) == 0
    text = capsys.readouterr().out
    assert "com.example.Staircase" in text and max(map(len, text.splitlines())) <= 80
