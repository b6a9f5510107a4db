"""Real models as gates: every tensor that is read from the wires equals what their own runtimes
gave (benchmarks/references.py), from Python and through `revsim run`."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from tflite_models import Op, T, model_bytes

from revsim.cli import main

for package in ("tflite", "onnx"):
    pytest.importorskip(package, reason=f"package {package} is absent: pip install '.[{package}]'")

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
QUICK = {
    "hello_world_int8": 256,
    "micro_speech_quantized": 2,
    "alexa": 3,
    "hey_jarvis": 3,
    "TFC_1W1A": 40,
    "finn_tfc_multithreshold": 4,
    "SEANet add, 9 models": 1,
    "SEANet leaky_relu, 12 models": 1,
    "SEANet pad, 10 models": 1,
    "SEANet quantize, 1 models": 1,
    "SEANet strided_slice, 17 models": 1,
    "SEANet sub, 3 models": 1,
}
"""Models and how many of their samples are run in a few seconds."""
LARGE = {
    "alexa": 48,
    "hey_jarvis": 48,
    "micro_speech_quantized": 4,
    "ad01_int8": 19,
    "kws_ref_model": 3,
    "pretrainedResnet_quant": 6,
    "vww_96_int8": 6,
    "mobilenet_v1_0.25_128_quant": 5,
    "mnist_cnn_qoperator_u8": 40,
    "mnist_cnn_qdq_u8": 40,
    "SEANet conv, 11 models": 1,
    "SEANet transpose_conv, 3 models": 1,
    "MiniLM layer 0, head": 1,
    "MiniLM layer 0, mlp": 1,
}


@pytest.fixture
def references(monkeypatch: pytest.MonkeyPatch):
    if not BENCHMARKS.is_dir():
        pytest.skip("benchmarks are not beside the package")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return import_module("references")


def check(references, folder: Path, name: str, rows: int) -> None:
    """No element differs, and something was compared: outputs of all samples at least."""
    model = next(m for m in references.models_of(folder) if m.name == name)
    for case in model.cases(folder):
        found = references.run_case(case, rows)
        assert (found.differences, found.unlike) == (0, 0), case.name
        assert found.samples == rows and found.elements >= rows, case.name
        assert found.tensors >= len(case.graph.outputs)
        moves = {"pad", "strided_slice"}  # whose gates supply constants, or erase
        kinds = {node.operator.kind for node in case.graph.nodes}
        assert found.gate_evaluations > 0 or kinds <= moves


@pytest.mark.parametrize(("name", "rows"), QUICK.items())
def test_every_tensor_of_a_small_model(name, rows, shared_data, references):
    check(references, shared_data, name, rows)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rows"), LARGE.items())
def test_every_tensor_of_a_large_model(name, rows, shared_data, references):
    check(references, shared_data, name, rows)


def test_the_table_leaves_out_no_model(shared_data, references):
    models = references.models_of(shared_data)
    refused = [Path(file).stem for file in references.REFUSED]
    assert {m.name for m in models} == {*QUICK, *LARGE, *refused}
    listed = {shared_data / file for model in models for file in model.files}
    held = {p for p in shared_data.rglob("*") if p.suffix in (".tflite", ".onnx")}
    assert held == {p for p in listed if p.suffix != ".npz"}
    counts = {
        k: len(list((shared_data / "seanet" / k).glob("*.tflite"))) for k in references.SEANET
    }
    assert counts == references.SEANET


def through_the_command(references, folder: Path, file: str, tmp_path: Path) -> None:
    """`revsim run` writes raw integers of the output and every tensor under its name."""
    case = references.stored_case(folder / file)
    given, made, every = (tmp_path / n for n in ("x.npz", "y.npy", "t.npz"))
    with np.load((folder / file).with_suffix(".expected.npz")) as held:
        np.save(given.with_suffix(".npy"), held["x"])
    command = ["run", str(folder / file), "--input", str(given.with_suffix(".npy"))]
    assert main([*command, "--output", str(made), "--tensors", str(every)]) == 0
    with np.load(every) as held:
        found = dict(held)
    (output,) = case.graph.outputs
    np.testing.assert_array_equal(found[output], np.load(made))
    assert {node.output for node in case.graph.nodes} <= found.keys()
    for name, values in found.items():
        tensor = case.graph.tensors[name]
        assert values.shape == (case.rows, *tensor.shape) and values.dtype.kind in "iu"
    compared = references.compare(case, found)
    assert compared.differences == 0 and compared.elements > 0


@pytest.mark.parametrize(
    "file",
    [
        "tflite/hello_world_int8.tflite",
        "tflite/micro_speech_quantized.tflite",
        "tflite/alexa.tflite",
        "onnx/TFC_1W1A.onnx",
        "onnx/mnist_cnn_qoperator_u8.onnx",
        *(
            pytest.param(f"{file}", marks=pytest.mark.slow)
            for file in (
                "tflite/ad01_int8.tflite",
                "tflite/kws_ref_model.tflite",
                "tflite/pretrainedResnet_quant.tflite",
                "tflite/vww_96_int8.tflite",
                "tflite/mobilenet_v1_0.25_128_quant.tflite",
                "tflite/hey_jarvis.tflite",
                "onnx/finn_tfc_multithreshold.onnx",
                "onnx/mnist_cnn_qdq_u8.onnx",
            )
        ),
    ],
)
def test_raw_integers_through_the_command_line(file, shared_data, references, tmp_path):
    through_the_command(references, shared_data, file, tmp_path)


def run_made(tmp_path: Path, tensors, steps, outputs, rows) -> dict:
    """The tensors that `revsim run` writes for a made .tflite model of one input, tensor 0."""
    (tmp_path / "made.tflite").write_bytes(model_bytes(tensors, steps, (0,), outputs))
    np.save(tmp_path / "x.npy", np.array(rows))
    model, x, y, t = (str(tmp_path / n) for n in ("made.tflite", "x.npy", "y.npy", "t.npz"))
    assert main(["run", model, "--input", x, "--output", y, "--tensors", t]) == 0
    with np.load(t) as held:
        return dict(held)


def test_tensors_of_any_name_are_written(tmp_path):
    names = ["twin", "twin", "file", "a/b;c:0", "../up.npy"]
    tensors = [T((1, 2), name=name) for name in names]
    turned = T((2,), "int32", data=(1, 0), scale=None, name="twin")
    steps = [Op("RELU6", (k,), (k + 1,)) for k in range(3)]
    steps.append(Op("TRANSPOSE", (3, 5), (4,)))
    tensors[4].shape = (2, 1)
    found = run_made(tmp_path, [*tensors, turned], steps, (4,), [[[-3, 9]]])
    assert set(found) == {"twin", "twin #1", "file", "a/b;c:0", "../up_npy"}
    assert found["twin"].tolist() == [[[-3, 9]]] and found["file"].tolist() == [[[0, 9]]]
    assert found["../up_npy"].tolist() == [[[0], [9]]]  # a wiring alone


def test_a_tensor_that_is_never_whole_is_left_out(tmp_path):
    """The first half of `both` dies before its second half is made, and nothing reads it."""
    tensors = [T((1, 2), name="x"), T((1, 2), name="a"), T((1, 2), name="b")]
    tensors += [T((1, 4), name="both"), T((1, 2), name="y")]
    tensors += [T((2,), "int32", data=d, scale=None) for d in ((0, 2), (1, 4), (1, 1))]
    steps = [
        Op("RELU6", (0,), (1,)),
        Op("RELU6", (1,), (2,)),
        Op("CONCATENATION", (1, 2), (3,), {"Axis": 1}),
        Op("STRIDED_SLICE", (3, 5, 6, 7), (4,)),
    ]
    found = run_made(tmp_path, tensors, steps, (4,), [[[-3, 9]]])
    assert set(found) == {"x", "a", "b", "y"}
    assert found["y"].tolist() == [[[0, 9]]]
