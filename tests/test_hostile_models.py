"""Hostile model files: every one gives a graph or one InputError, in bounded time and memory."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hostile import KINDS, mutant

ROOT = Path(__file__).resolve().parents[1]


def outcomes(kind: str, model: Path, count: int, first: int = 0) -> dict[int, str]:
    """What reading each mutant came to; a worker that dies is started again behind the mutant."""
    found: dict[int, str] = {}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    at, last = first, first + count
    while at < last:
        command = [sys.executable, str(ROOT / "tests" / "hostile.py"), kind, str(model)]
        worker = subprocess.run(
            [*command, str(at), str(last)],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=1200,
        )
        lines = [json.loads(line) for line in worker.stdout.splitlines()]
        assert lines, worker.stderr[-2000:]
        for line in lines:
            found[line["seed"]] = line["outcome"]
        at = max(found) + 1
        if worker.returncode and found[at - 1] == "began":
            found[at - 1] = f"the process died ({worker.returncode}): {worker.stderr[-300:]}"
    return found


def check(kind: str, model: Path, count: int) -> None:
    found = outcomes(kind, model, count)
    wrong = {seed: text for seed, text in found.items() if text not in ("read", "refused")}
    assert not wrong, f"{len(wrong)} of {count}: {dict(list(wrong.items())[:5])}"
    assert len(found) == count and "refused" in found.values()


def small_tflite() -> bytes:
    pytest.importorskip("tflite")
    from tflite_models import Op, T, model_bytes

    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, (4, 3, 3, 2))
    tensors = [
        T((1, 6, 6, 2), scale=0.02),
        T((4, 3, 3, 2), data=weights, scale=[0.01, 0.02, 0.03, 0.04]),
        T((4,), "int32", data=rng.integers(-500, 500, 4), scale=[2e-4, 4e-4, 6e-4, 8e-4]),
        T((1, 4, 4, 4), scale=0.1, zero=-128),
        T((1, 2, 2, 4), scale=0.1, zero=-128),
        T((2,), "int32", data=[1, 16], scale=None),
        T((1, 16), scale=0.1, zero=-128),
        T((3, 16), data=rng.integers(-127, 128, (3, 16)), scale=0.01),
        T((1, 3), scale=0.5, zero=3),
        T((1, 3), scale=1 / 256, zero=-128),
    ]
    pool = {"Padding": 1, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}
    conv = {"Padding": 1, "StrideH": 1, "StrideW": 1, "FusedActivationFunction": 1}
    operators = [
        Op("CONV_2D", (0, 1, 2), (3,), conv),
        Op("MAX_POOL_2D", (3,), (4,), pool),
        Op("RESHAPE", (4, 5), (6,)),
        Op("FULLY_CONNECTED", (6, 7, -1), (8,)),
        Op("SOFTMAX", (8,), (9,), {"Beta": 1.0}),
    ]
    return model_bytes(tensors, operators, (0,), (9,))


def small_onnx() -> bytes:
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    rng = np.random.default_rng(0)
    constants = {
        "sx": np.float32(0.02), "zx": np.uint8(128), "w": rng.integers(-127, 128, (4, 2, 3, 3)),
        "sw": np.array([0.01, 0.02, 0.03, 0.04], np.float32), "zw": np.zeros(4, np.int8),
        "sc": np.float32(0.1), "zc": np.uint8(3), "shape": np.array([1, 16]),
        "m": rng.integers(-127, 128, (16, 3)), "sm": np.float32(0.01), "zm": np.int8(0),
        "sy": np.float32(0.5), "zy": np.uint8(7),
    }  # fmt: skip
    constants["w"], constants["m"] = constants["w"].astype("i1"), constants["m"].astype("i1")
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"]),
        helper.make_node("QLinearConv", ["q", "sx", "zx", "w", "sw", "zw", "sc", "zc"], ["c"]),
        helper.make_node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Reshape", ["p", "shape"], ["f"]),
        helper.make_node("QLinearMatMul", ["f", "sc", "zc", "m", "sm", "zm", "sy", "zy"], ["r"]),
        helper.make_node("DequantizeLinear", ["r", "sy", "zy"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", 1, [1, 2, 6, 6])],
        [helper.make_tensor_value_info("y", 1, [1, 3])],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )
    imports = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=imports).SerializeToString()


def small_float() -> bytes:
    pytest.importorskip("onnx")
    from test_calibration import residual

    return residual().SerializeToString()


def picture(kind: str) -> bytes:
    Image = pytest.importorskip("PIL.Image")
    array = np.random.default_rng(0).integers(0, 256, (6, 7, 3)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind)
    return out.getvalue()


SMALL = {
    "tflite": small_tflite,
    "onnx": small_onnx,
    "float": small_float,
    "png": lambda: picture("PNG"),
    "jpg": lambda: picture("JPEG"),
}


@pytest.mark.parametrize("kind", SMALL)
def test_two_hundred_mutants(kind, tmp_path):
    path = tmp_path / f"small.{kind}"
    path.write_bytes(SMALL[kind]())
    check(kind, path, 200)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SMALL)
def test_two_thousand_mutants(kind, tmp_path):
    path = tmp_path / f"small.{kind}"
    path.write_bytes(SMALL[kind]())
    check(kind, path, 2000)


REAL = [
    "tflite/hello_world_int8.tflite", "tflite/micro_speech_quantized.tflite", "tflite/alexa.tflite",
    "tflite/kws_ref_model.tflite", "onnx/mnist_cnn_qoperator_u8.onnx",
    "onnx/mnist_cnn_qdq_u8.onnx", "onnx/TFC_1W1A.onnx",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_mutants_of_real_models(name, shared_data):
    check(name.rpartition(".")[2], shared_data / name, 100)


def test_mutants_are_of_every_kind_and_the_same_for_a_seed():
    data = bytes(range(256)) * 4
    made = [mutant(data, seed) for seed in range(len(KINDS) * 4)]
    assert made == [mutant(data, seed) for seed in range(len(KINDS) * 4)]
    assert sum(m != data for m in made) >= len(made) - 4
    assert {len(m) - len(data) > 0 for m in made} == {False}


def onnx_case(change):
    """The small model with one thing wrong."""
    import onnx

    model = onnx.ModelProto()
    model.ParseFromString(small_onnx())
    change(model, onnx)
    return model.SerializeToString()


def initialiser(model, name):
    return next(t for t in model.graph.initializer if t.name == name)


def scale_of(value):
    def change(model, onnx):
        array = np.asarray(value, dtype=np.float32)
        initialiser(model, "sc").CopyFrom(onnx.numpy_helper.from_array(array, "sc"))

    return change


def cyclic(model, onnx):
    model.graph.node[2].input[0] = "f"


def no_initialiser(model, onnx):
    model.graph.initializer.remove(initialiser(model, "w"))


def negative_shape(model, onnx):
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = -6


def negative_weights(model, onnx):
    initialiser(model, "w").dims[0] = -4


def short_tensor(model, onnx):
    initialiser(model, "w").raw_data = b"123"


def enormous(model, onnx):
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 1 << 40


def made_twice(model, onnx):
    model.graph.node[3].output[0] = "c"


ONNX_CASES = {
    "cycle": (cyclic, "reads its own output"),
    "missing initialiser": (no_initialiser, "'w'"),
    "negative shape": (negative_shape, "x"),
    "negative weights": (negative_weights, "'w'"),
    "bytes do not match the shape": (short_tensor, "'w'"),
    "enormous shape": (enormous, "values|possible|fixed"),
    "made twice": (made_twice, "twice"),
    "scale of length 0": (scale_of([]), "scale|sc"),
    "scale 0": (scale_of(0.0), "scale|sc"),
    "scale NaN": (scale_of(np.nan), "scale|sc"),
    "scale infinite": (scale_of(np.inf), "scale|sc"),
    "scale negative": (scale_of(-0.5), "scale|sc"),
    "scale denormal": (scale_of(1e-42), "scale|sc"),
}


@pytest.mark.parametrize("case", ONNX_CASES)
def test_directed_onnx(case):
    from revsim.errors import InputError
    from revsim.frontends.onnx.reader import from_onnx

    change, words = ONNX_CASES[case]
    with pytest.raises(InputError, match=words):
        from_onnx(onnx_case(change))


def tflite_case(**change):
    """A dense layer with one thing wrong."""
    from tflite_models import Op, T, model_bytes

    weights = {"data": np.arange(12).reshape(3, 4), "scale": 0.5, **change.get("weights", {})}
    tensors = [
        T(change.get("shape", (1, 4))),
        T((3, 4), **weights),
        T((1, 3), scale=change.get("scale", 0.5)),
    ]
    operators = [Op("FULLY_CONNECTED", change.get("inputs", (0, 1, -1)), (2,))]
    return model_bytes(tensors, operators * change.get("times", 1), (0,), (2,))


TFLITE_CASES = {
    "cycle": {"inputs": (2, 1, -1)},
    "no such tensor": {"inputs": (0, 77, -1)},
    "negative shape": {"shape": (1, -4)},
    "enormous shape": {"shape": (1 << 15, 1 << 15)},
    "weights without data": {"weights": {"data": None}},
    "bytes do not match the shape": {"weights": {"raw": b"123"}},
    "made twice": {"times": 2},
    "scale of length 0": {"scale": ()},
    "scale 0": {"scale": 0.0},
    "scale NaN": {"scale": float("nan")},
    "scale infinite": {"scale": float("inf")},
    "scale negative": {"scale": -0.5},
    "scale denormal": {"scale": 1e-42},
    "weights of two scales": {"weights": {"scale": [0.5, 0.25]}},
}


@pytest.mark.parametrize("case", TFLITE_CASES)
def test_directed_tflite(case, tmp_path):
    pytest.importorskip("tflite")
    from revsim.errors import InputError
    from revsim.frontends.tflite.reader import from_tflite

    path = tmp_path / "model.tflite"
    path.write_bytes(tflite_case(**TFLITE_CASES[case]))
    with pytest.raises(InputError) as found:
        from_tflite(path)
    assert max(len(line) for line in str(found.value).splitlines()) <= 300
