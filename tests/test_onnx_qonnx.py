"""QONNX: bipolar and low-bit quantisers after a normalisation become thresholds and staircases."""

import numpy as np
import pytest

from revsim.frontends.onnx.reader import from_onnx
from revsim.network.operators import Staircase, Threshold
from revsim.network.reals import dequantise

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402
from onnx_models import f32, model, node, run  # noqa: E402


def qonnx_layer(quantiser, constants, shape=(1, 12), kinds=6):
    """Bipolar input and weights, MatMul, BatchNormalization, then a quantiser from `n` to `y`."""
    rng = np.random.default_rng(3)
    parameters = {
        "gamma": rng.normal(size=kinds).astype(f32), "beta": rng.normal(size=kinds).astype(f32),
        "mean": rng.normal(scale=3, size=kinds).astype(f32),
        "variance": rng.uniform(4, 90, kinds).astype(f32),
    }  # fmt: skip
    weights = rng.normal(size=(shape[1], kinds)).astype(f32)
    proto = model(
        [
            node("BipolarQuant", ["x", "one"], ["b"], domain="onnx.brevitas"),
            node("BipolarQuant", ["w", "scale"], ["v"], domain="onnx.brevitas"),
            node("MatMul", ["b", "v"], ["m"]),
            node("BatchNormalization", ["m", "gamma", "beta", "mean", "variance"], ["n"]),
            quantiser,
        ],
        {"x": (TensorProto.FLOAT, list(shape))},
        {"y": TensorProto.FLOAT},
        {**parameters, "w": weights, "one": f32(1), "scale": f32(0.3), **constants},
        12,
    )
    rows = rng.normal(size=(200, *shape)).astype(f32)
    bits = np.where(rows >= 0, 1, -1) @ np.where(weights >= 0, 1, -1)
    slope = parameters["gamma"] / np.sqrt(parameters["variance"] + f32(1e-5))
    start = parameters["beta"] - parameters["mean"] * slope
    real = bits.astype(f32) * f32(0.3) * slope + start
    return proto, rows, real.astype(f32)


def test_sign_after_normalisation_is_a_threshold():
    proto, rows, real = qonnx_layer(
        node("BipolarQuant", ["n", "one"], domain="onnx.brevitas"), {}
    )  # fmt: skip
    graph = from_onnx(proto)
    (layer,) = graph.nodes
    assert isinstance(layer.activations[0], Threshold) and layer.neurons
    (made,) = run(graph, x=rows)
    np.testing.assert_array_equal(made, real >= 0)
    floats = dequantise(graph.tensors["y"], made)
    np.testing.assert_array_equal(floats, np.where(real >= 0, f32(1), f32(-1)))


@pytest.mark.parametrize("mode", ["ROUND", "FLOOR", "CEIL"])
def test_quant_after_normalisation_is_a_staircase(mode):
    quantiser = node("Quant", ["n", "s", "z", "bits"], domain="onnx.brevitas", signed=1, narrow=1,
                     rounding_mode=mode)  # fmt: skip
    constants = {"s": f32(0.25), "z": f32(0), "bits": f32(3)}
    proto, rows, real = qonnx_layer(quantiser, constants)
    graph = from_onnx(proto)
    assert isinstance(graph.nodes[0].activations[0], Staircase)
    rounding = {"ROUND": np.rint, "FLOOR": np.floor, "CEIL": np.ceil}[mode]
    wanted = rounding(np.clip(real / f32(0.25), -3, 3))
    (made,) = run(graph, x=rows)
    np.testing.assert_array_equal(made, wanted)
    assert len(np.unique(made)) > 4
    np.testing.assert_array_equal(dequantise(graph.tensors["y"], made), wanted * f32(0.25))


def test_thresholds_per_channel():
    steps = np.sort(np.random.default_rng(1).normal(size=(6, 3)), axis=1).astype(f32)
    quantiser = node("MultiThreshold", ["n", "t"], domain="qonnx.custom_op.general", out_scale=0.5,
                     out_bias=-1.0)  # fmt: skip
    proto, rows, real = qonnx_layer(quantiser, {"t": steps})
    proto.opset_import.append(helper.make_opsetid("qonnx.custom_op.general", 1))
    graph = from_onnx(proto)
    (made,) = run(graph, x=rows)
    wanted = (real[..., None] >= steps).sum(axis=-1)
    np.testing.assert_array_equal(made, wanted)
    np.testing.assert_array_equal(dequantise(graph.tensors["y"], made), wanted * 0.5 - 1)
