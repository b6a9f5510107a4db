"""Mistakes with model files as a user meets them: one message, status 2, nothing half done."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tflite_models import Op, T, model_bytes

import revsim as rs
from revsim.cli import main
from revsim.frontends.shapes import VALUE_LIMIT

pytest.importorskip("tflite", reason="package tflite is absent: pip install '.[tflite]'")
onnx = pytest.importorskip("onnx", reason="package onnx is absent: pip install '.[onnx]'")

Says = Callable[..., str]


@pytest.fixture
def says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Says:
    """What a command line that must fail with status 2 says, in a folder with small models."""
    monkeypatch.chdir(tmp_path)
    weights = T((2, 3), data=[[1, -2, 3], [-3, 2, 1]], scale=0.25)
    bias = T((2,), "int32", data=[4, -5])
    tensors = [T((1, 3)), weights, bias, T((1, 2))]
    step = Op("FULLY_CONNECTED", (0, 1, 2), (3,), {"FusedActivationFunction": 1})
    dense = model_bytes(tensors, [step], (0,), (3,))
    Path("dense.tflite").write_bytes(dense)
    Path("dense.onnx").write_bytes(dense)
    relu = onnx_bytes([("Relu", ["x"], ["y"])], [1, 3])
    Path("relu.tflite").write_bytes(relu)
    unknown = [("Einsum", ["x"], ["a"]), ("Relu", ["a"], ["b"]), ("Loop", ["b"], ["y"])]
    Path("unknown.onnx").write_bytes(onnx_bytes(unknown, [1, 3]))
    Path("huge.onnx").write_bytes(onnx_bytes([("Relu", ["x"], ["y"])], [1, VALUE_LIMIT + 1]))
    for name in ("empty.tflite", "empty.onnx"):
        Path(name).write_bytes(b"")
    Path("folder.tflite").mkdir()
    rows = np.array([[0, 1, 2], [3, 4, 5]])
    np.save("rows.npy", rows)
    np.save("wide.npy", np.zeros((2, 4), int))
    np.save("complex.npy", rows * 1j)
    np.save("large.npy", rows * 100)
    np.save("nan.npy", rows * np.nan)
    np.savez("labels.npz", rows=rows, labels=np.zeros(3, int))

    def run(*arguments: str) -> str:
        assert main(list(arguments)) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("revsim: ") and "Traceback" not in err
        assert all(len(line) <= 320 for line in err.splitlines())
        return err

    return run


def onnx_bytes(nodes: list[tuple[str, list[str], list[str]]], shape: list[int]) -> bytes:
    """A model of int8 tensors from x to y."""
    helper, int8 = onnx.helper, onnx.TensorProto.INT8
    ends = [helper.make_tensor_value_info(name, int8, shape) for name in "xy"]
    made = [helper.make_node(kind, given, out) for kind, given, out in nodes]
    graph = helper.make_graph(made, "g", ends[:1], ends[1:])
    versions = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=versions).SerializeToString())


VERIFY = ("verify", "dense.tflite", "--policy", "uncompute")
RUN = ("run", "dense.tflite", "--input", "rows.npy", "--output", "o.npy")
MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "an ending of another format": (("verify", "dense.onnx"), "dense.onnx: not an ONNX model"),
    "the reverse": (("verify", "relu.tflite"), "relu.tflite: no TensorFlow Lite file"),
    "an empty .tflite": (("verify", "empty.tflite"), "empty.tflite: no TensorFlow Lite file"),
    "an empty .onnx": (("verify", "empty.onnx"), "empty.onnx: not an ONNX model"),
    "a folder": (("verify", "folder.tflite"), "folder.tflite: cannot be read: Is a directory"),
    "a huge tensor": (
        ("verify", "huge.onnx"),
        "huge.onnx, input 'x': a tensor of shape [1, 104",
    ),
    "no samples": (VERIFY, "give samples (--data FILE"),
    "another shape": ((*VERIFY, "--data", "wide.npy"), "wide.npy: shape [2, 4] for input 't0'"),
    "another type": ((*VERIFY, "--data", "complex.npy"), "complex.npy: values of type complex128"),
    "out of range": ((*VERIFY, "--data", "large.npy"), "row 0, value 2 of input 't0' is 200; it"),
    "no numbers": ((*VERIFY, "--data", "nan.npy"), "nan.npy: input 't0' has values that are no"),
    "too many labels": ((*VERIFY, "--data", "labels.npz"), "labels: shape (3,); expected [2]"),
    "a policy of chains": (
        ("verify", "dense.tflite", "--policy", "pebble:2", "--data", "rows.npy"),
        "policy 'pebble:2' is for chains of layers so far",
    ),
    "a device for a chain": (("verify", "xor", "--device", "shared"), "device is for graphs"),
    "an option of chains": ((*VERIFY, "--stream", "--data", "rows.npy"), "stream is for chain"),
    "no such folder": (
        (*RUN, "--tensors", "nowhere/t.npz"),
        "nowhere/t.npz: there is no folder 'nowhere'",
    ),
    "explain": (
        ("explain", "dense.tflite", "--layer", "1", "--neuron", "0"),
        "dense.tflite: a graph of tensors",
    ),
    "energy": (("energy", "dense.tflite"), "dense.tflite: a graph of tensors"),
    "a drawing of many gates": (("draw", "dense.tflite"), "draw the hierarchy instead"),
    "a table": (("table", "dense.tflite"), "dense.tflite"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_said_in_one_line(says: Says, name: str):
    command, expected = MISTAKES[name]
    message = says(*command)
    assert expected in message and message.count("\n") == 1
    assert not Path("o.npy").exists()


def test_every_operator_that_is_not_known_is_named_even_behind_another(says: Says):
    first, *lines = says("verify", "unknown.onnx").splitlines()
    assert first == "revsim: unknown.onnx: 2 nodes cannot be read"
    assert [line.split("(")[1].split(")")[0] for line in lines] == ["Einsum", "Loop"]


@pytest.mark.parametrize(("model", "package"), [("dense.tflite", "tflite"), ("dense.onnx", "onnx")])
def test_a_missing_package_is_named_with_its_extra(
    says: Says, monkeypatch: pytest.MonkeyPatch, model: str, package: str
):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    message = says("verify", model)
    assert f"needs {package}: pip install {package}" in message and f"'.[{package}]'" in message


def test_torch_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch):
    class Module:
        """Whatever it is: torch is asked for first."""

    given: Any = Module()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(rs.InputError, match=r"needs torch: .*'\.\[torch\]'"):
        rs.from_torch(given, np.zeros((2, 3)))


def test_a_wide_input_takes_memory_for_the_rows_that_are_asked_for():
    ends = np.zeros(100_000, int), np.full(100_000, 255)
    rows = rs.random_rows(*ends, 3, seed=1).rows  # 4,096 rows of it would take 3 GB
    assert rows.shape == (3, 100_000)
    assert np.array_equal(rs.random_rows(*ends, 5, seed=1).rows[:3], rows)
