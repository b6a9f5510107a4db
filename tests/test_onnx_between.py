"""Float operators between two quantisers of ONNX read into integers, against formulas in NumPy."""

import numpy as np
import pytest

from revsim.frontends.onnx.reader import from_onnx
from revsim.network.graph_reference import run_graph
from revsim.network.operators import Rescale
from revsim.network.reals import dequantise, quantise
from revsim.schedule.graphs import compile_graph
from revsim.simulator.ensemble import data_set
from revsim.simulator.run import simulate

pytest.importorskip("onnx")
from onnx import TensorProto, helper
from onnx_models import f32, model, node, run, runtime, saturated


def between(nodes, constants=(), shape=(1, 4, 6, 6), zero=100, out=(0.05, 90), opset=13):
    """x, quantised to scale 0.04 and `zero`, then nodes from `d` to `r`, quantised again."""
    first = {"xs": f32(0.04), "xz": np.uint8(zero), "ys": f32(out[0]), "yz": np.uint8(out[1])}
    return model(
        [
            node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
            node("DequantizeLinear", ["q", "xs", "xz"], ["d"]),
            *nodes,
            node("QuantizeLinear", ["r", "ys", "yz"], ["p"]),
            node("DequantizeLinear", ["p", "ys", "yz"], ["y"]),
        ],
        {"x": (TensorProto.FLOAT, ["N", *shape[1:]])},
        {"y": TensorProto.FLOAT},
        {**first, **dict(constants)},
        opset,
    )


def levels(shape, zero=100):
    """Floats that reach every level of the input, and beyond both ends: [1, *shape]."""
    size = int(np.prod(shape))
    codes = np.linspace(-3, 258, size).astype(f32).reshape(1, *shape)
    return (codes - zero) * f32(0.04)


def at_gates(graph, samples):
    """Outputs of the graph's circuit, every gate evaluated, and of its reference."""
    circuit = compile_graph(graph, policy="uncompute", input="keep")
    rows = np.concatenate(
        [quantise(graph.tensors[n], samples[n]).reshape(len(samples[n]), -1) for n in graph.inputs],
        axis=1,
    )
    values = run_graph(graph, {n: quantise(graph.tensors[n], samples[n]) for n in graph.inputs})
    wanted = np.concatenate([values[name] for name in graph.outputs], axis=1)
    return np.asarray(simulate(circuit, data_set(rows)).outputs), wanted


FUNCTIONS = {
    "Relu": lambda x: np.maximum(x, 0),
    "LeakyRelu": lambda x: np.where(x < 0, x * f32(0.01), x),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x.astype(float))),
    "Tanh": lambda x: np.tanh(x.astype(float)),
    "Abs": np.abs,
    "Neg": np.negative,
    "Exp": lambda x: np.exp(x.astype(float)),
    "HardSwish": lambda x: x * np.clip(x / f32(6) + f32(0.5), 0, 1),
}


@pytest.mark.parametrize("operator", FUNCTIONS)
def test_functions_of_one_value(operator):
    x = levels((1, 4, 6, 16))
    proto = between([node(operator, ["d"], ["r"])], shape=(1, 4, 6, 16), opset=14)
    graph = from_onnx(proto)
    q = np.clip(np.rint(x / f32(0.04)) + 100, 0, 255)
    real = FUNCTIONS[operator](((q - 100).astype(f32) * f32(0.04)).astype(f32)).astype(f32)
    (made,) = run(graph, x=x)
    np.testing.assert_array_equal(made, saturated(real / f32(0.05), 90))
    theirs = runtime(proto, x=x)
    if theirs is not None:
        np.testing.assert_array_equal(dequantise(graph.tensors[graph.outputs[0]], made), theirs)


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div"])
def test_arithmetic_with_a_constant_per_channel(operator):
    constant = np.array([0.3, 1.7, -2.1, 5.0], f32).reshape(4, 1, 1)
    proto = between([node(operator, ["d", "c"], ["r"])], {"c": constant}, (1, 4, 6, 16))
    x = levels((1, 4, 6, 16))
    q = np.clip(np.rint(x / f32(0.04)) + 100, 0, 255)
    real = ((q - 100).astype(f32) * f32(0.04)).astype(f32)
    function = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}[operator]
    (made,) = run(from_onnx(proto), x=x)
    np.testing.assert_array_equal(made, saturated(function(real, constant) / f32(0.05), 90))


def test_folded_convolution_is_a_rescale_and_relu_a_limit():
    rng = np.random.default_rng(8)
    w = rng.integers(-128, 128, (5, 4, 3, 3)).astype(np.int8)
    bias = rng.integers(-500, 500, 5).astype(np.int32)
    product = f32(0.04) * f32(0.01)
    constants = {"w": w, "ws": f32(0.01), "wz": np.int8(0), "b": bias, "bs": product,
                 "bz": np.int32(0)}  # fmt: skip
    proto = between(
        [
            node("DequantizeLinear", ["w", "ws", "wz"], ["wd"]),
            node("DequantizeLinear", ["b", "bs", "bz"], ["bd"]),
            node("Conv", ["d", "wd", "bd"], ["c"]),
            node("Relu", ["c"], ["r"]),
        ],
        constants,
    )
    graph = from_onnx(proto)
    assert isinstance(graph.nodes[0].activations[0], Rescale)
    assert graph.nodes[0].neurons and len(graph.nodes) == 2
    x = levels((1, 4, 6, 6))
    q = np.clip(np.rint(x / f32(0.04)) + 100, 0, 255).astype(np.int64)[:, 0] - 100
    sums = np.zeros((1, 5, 4, 4), np.int64) + bias.reshape(5, 1, 1)
    for i in range(3):
        for j in range(3):
            sums += np.einsum("nchw,mc->nmhw", q[:, :, i : i + 4, j : j + 4], w[:, :, i, j])
    wanted = np.maximum(saturated(sums.astype(f32) * (product / f32(0.05)), 90), 90)
    (made,) = run(graph, x=x)
    np.testing.assert_array_equal(made.ravel(), wanted.ravel())
    theirs = runtime(proto, x=x)
    if theirs is not None:
        floats = dequantise(graph.tensors[graph.outputs[0]], made)
        np.testing.assert_array_equal(floats.ravel(), theirs.ravel())


def test_gates_of_a_folded_network():
    """Convolution, ReLU, a pool, two branches of different scales added: gates equal integers."""
    rng = np.random.default_rng(12)
    constants = {
        "w": rng.integers(-128, 128, (3, 2, 3, 3)).astype(np.int8), "ws": f32(0.01),
        "wz": np.int8(0), "as": f32(0.11), "az": np.uint8(0), "k": f32(0.37),
    }  # fmt: skip
    proto = between(
        [
            node("DequantizeLinear", ["w", "ws", "wz"], ["wd"]),
            node("Conv", ["d", "wd"], ["c"], pads=[1, 1, 1, 1]),
            node("Relu", ["c"], ["e"]),
            node("QuantizeLinear", ["e", "as", "az"], ["f"]),
            node("DequantizeLinear", ["f", "as", "az"], ["g"]),
            node("MaxPool", ["g"], ["h"], kernel_shape=[2, 2], strides=[1, 1]),
            node("Mul", ["h", "k"], ["i"]),
            node("QuantizeLinear", ["i", "xs", "az"], ["j"]),
            node("DequantizeLinear", ["j", "xs", "az"], ["l"]),
            node("Add", ["h", "l"], ["r"]),
        ],
        constants,
        (1, 2, 4, 4),
        out=(0.09, 5),
    )
    graph = from_onnx(proto)
    x = rng.uniform(-4, 7, (4, 1, 2, 4, 4)).astype(f32)
    made, wanted = at_gates(graph, {"x": x})
    np.testing.assert_array_equal(made, wanted)
    theirs = runtime(proto, x=x)
    if theirs is not None:
        floats = dequantise(graph.tensors[graph.outputs[0]], made)
        np.testing.assert_array_equal(floats.ravel(), theirs.ravel())


def test_moves_carry_operands_along():
    """A scale per channel, a transposition and a reshape between two quantisers."""
    scale = np.array([1.0, 2.0, 0.5, 3.0], f32).reshape(4, 1, 1)
    proto = between(
        [
            node("Mul", ["d", "c"], ["m"]),
            node("Transpose", ["m"], ["t"], perm=[0, 2, 3, 1]),
            node("Reshape", ["t", "s"], ["r"]),
        ],
        {"c": scale, "s": np.array([1, -1])},
    )
    x = levels((1, 4, 6, 6))
    q = np.clip(np.rint(x / f32(0.04)) + 100, 0, 255)
    real = ((q - 100).astype(f32) * f32(0.04)).astype(f32) * scale
    wanted = saturated(real / f32(0.05), 90).transpose(0, 1, 3, 4, 2)
    (made,) = run(from_onnx(proto), x=x)
    np.testing.assert_array_equal(made.ravel(), wanted.ravel())


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
def test_padding_of_floats(mode):
    proto = between(
        [node("Pad", ["d", "pads"], ["r"], mode=mode)], {"pads": np.array([0, 0, 1, 2, 0, 0, 0, 1])}
    )
    x = levels((1, 4, 6, 6))
    q = np.clip(np.rint(x / f32(0.04)) + 100, 0, 255)
    real = ((q - 100).astype(f32) * f32(0.04)).astype(f32)
    wide = np.pad(real, [(0, 0)] * 3 + [(1, 0), (2, 1)], mode=mode)
    (made,) = run(from_onnx(proto), x=x)
    np.testing.assert_array_equal(made.ravel(), saturated(wide / f32(0.05), 90).ravel())


def test_transposed_convolution():
    rng = np.random.default_rng(2)
    w = rng.integers(-128, 128, (4, 3, 3, 2)).astype(np.int8)
    proto = between(
        [
            node("DequantizeLinear", ["w", "ws", "wz"], ["wd"]),
            node("ConvTranspose", ["d", "wd"], ["r"], strides=[2, 1], pads=[1, 0, 0, 1],
                 output_padding=[1, 0]),
        ],
        {"w": w, "ws": f32(0.011), "wz": np.int8(0)},
        out=(0.7, 120),
    )  # fmt: skip
    x = levels((1, 4, 6, 6))
    q = np.clip(np.rint(x / f32(0.04)) + 100, 0, 255).astype(np.int64)[0, 0] - 100
    whole = np.zeros((3, 6 * 2 + 2, 6 + 1), np.int64)
    for i in range(3):
        for j in range(2):
            part = np.einsum("chw,cm->mhw", q, w[:, :, i, j].astype(np.int64))
            whole[:, i : i + 12 : 2, j : j + 6] += part
    sums = whole[:, 1:, :-1]
    multiplier = f32(0.04) * f32(0.011) / f32(0.7)
    (made,) = run(from_onnx(proto), x=x)
    np.testing.assert_array_equal(made[0, 0], saturated(sums.astype(f32) * multiplier, 120))
    theirs = runtime(proto, x=x)
    if theirs is not None:
        floats = theirs / f32(0.7) + 120
        assert np.abs(floats.ravel() - made.ravel()).max() < 1.01  # ConvTranspose runs in floats


def test_functions_of_the_model_are_written_out():
    double = helper.make_function(
        "own", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 13)],
    )  # fmt: skip
    proto = between([node("Twice", ["d"], ["r"], domain="own")])
    proto.functions.append(double)
    proto.opset_import.append(helper.make_opsetid("own", 1))
    x = levels((1, 4, 6, 6))
    q = np.clip(np.rint(x / f32(0.04)) + 100, 0, 255)
    (made,) = run(from_onnx(proto), x=x)
    exact = (q - 100) * 0.08 / 0.05 + 90
    assert np.abs(np.clip(exact, 0, 255) - made).max() < 0.5001
