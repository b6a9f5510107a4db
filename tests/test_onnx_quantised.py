"""ONNX models read into integers, operator by operator, against plain formulas in NumPy (and
onnxruntime, where it is installed)."""

from pathlib import Path

import numpy as np
import pytest

from revsim.errors import InputError
from revsim.frontends.onnx.pairs import qlinear_add, qlinear_multiply
from revsim.frontends.onnx.reader import from_onnx
from revsim.network.graph_reference import run_graph
from revsim.network.operators import Rescale, Staircase, Threshold
from revsim.network.reals import dequantise, quantise
from revsim.schedule.graphs import compile_graph
from revsim.simulator.ensemble import data_set
from revsim.simulator.run import simulate

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FORMS = ("mnist_cnn_qoperator_u8", "mnist_cnn_qdq_u8")
MICROSOFT = "com.microsoft"
f32 = np.float32


def model(nodes, inputs, outputs, constants=(), opset=13):
    """A ModelProto; inputs: name -> (type, shape); constants: name -> array."""
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info(n, t, shape) for n, (t, shape) in inputs.items()],
        [helper.make_tensor_value_info(n, t, None) for n, t in outputs.items()],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in dict(constants).items()],
    )
    imports = [(MICROSOFT, 1), ("", opset), ("onnx.brevitas", 1)]
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid(*i) for i in imports], ir_version=9
    )


def node(operator, inputs, outputs=("y",), domain="", **attributes):
    return helper.make_node(operator, inputs, list(outputs), domain=domain, **attributes)


def run(graph, **given):
    """Outputs of a graph as the model gives them: floats where it has floats."""
    rows = {
        n: quantise(graph.tensors[n], x) if x.dtype.kind == "f" else x for n, x in given.items()
    }
    values = run_graph(graph, rows)
    out = []
    for name in graph.outputs:
        tensor, value = graph.tensors[name], values[name]
        out.append(value.reshape(len(value), *tensor.shape))
    return out


def runtime(proto, **given):
    """Rows of onnxruntime's first output, or None where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    count = len(next(iter(given.values())))
    rows = [session.run(None, {n: x[r] for n, x in given.items()})[0] for r in range(count)]
    return np.stack(rows)


def check(proto, expected, **given):
    """The graph equals a formula, and both equal onnxruntime."""
    (made,) = run(from_onnx(proto), **given)
    np.testing.assert_array_equal(made.ravel(), np.asarray(expected).ravel())
    theirs = runtime(proto, **given)
    if theirs is not None and theirs.dtype.kind in "iu":
        np.testing.assert_array_equal(made.ravel(), theirs.ravel())


def saturated(x, zero, dtype=np.uint8):
    ends = np.iinfo(dtype)
    return np.clip(np.rint(x).astype(np.int64) + int(zero), ends.min, ends.max)


# --- stored models ------------------------------------------------------------------------------


def test_finn_network_gives_its_published_answers(shared_data: Path):
    folder = shared_data / "onnx"
    graph = from_onnx(folder / "finn_tfc_multithreshold.onnx")
    rows = np.load(folder / "finn_tfc_multithreshold.input.npy")
    answers = np.load(folder / "finn_tfc_multithreshold.expected_output.npy")
    (made,) = run(graph, global_in=rows.reshape(-1, 1, 1, 28, 28).astype(np.float32))
    assert made.ravel().tolist() == answers.ravel().tolist() == [7, 2, 1, 0]
    assert [n.kind for n in graph.nodes[:3]] == ["matmul+threshold"] * 3
    assert all(n.neurons for n in graph.nodes[:3])


def test_both_forms_of_a_model_are_the_same_network(shared_data: Path):
    forms = [from_onnx(shared_data / "onnx" / f"{name}.onnx") for name in FORMS]
    rows = np.load(shared_data / "onnx" / f"{FORMS[0]}.expected.npz")["x"][:8]
    outputs = [run(graph, Input3=rows)[0] for graph in forms]
    np.testing.assert_array_equal(*outputs)


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


# --- quantised operators ------------------------------------------------------------------------


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("group", [1, 2, 4])
def test_qlinear_conv(group, per_channel):
    rng = np.random.default_rng(group)
    channels, kinds = 4, 8
    dtype = np.int8 if per_channel else np.uint8
    w = rng.integers(*((-128, 128) if per_channel else (0, 256)), (kinds, channels // group, 3, 2))
    scales = rng.uniform(0.002, 0.02, kinds if per_channel else 1).astype(f32)
    zero_w = np.zeros(kinds, dtype) if per_channel else dtype(11)
    bias = rng.integers(-900, 900, kinds).astype(np.int32)
    constants = {
        "xs": f32(0.03), "xz": np.uint8(77), "w": w.astype(dtype),
        "ws": scales if per_channel else scales[0], "wz": zero_w, "ys": f32(0.31),
        "yz": np.uint8(130), "b": bias,
    }  # fmt: skip
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
    attributes = {"group": group, "strides": [2, 1], "pads": [1, 0, 2, 1], "dilations": [1, 2]}
    proto = model(
        [node("QLinearConv", names, **attributes)],
        {"x": (TensorProto.UINT8, [1, channels, 7, 6])},
        {"y": TensorProto.UINT8},
        constants,
    )
    x = rng.integers(0, 256, (3, 1, channels, 7, 6)).astype(np.uint8)
    padded = np.full((3, channels, 10, 7), 77, np.int64)
    padded[:, :, 1:8, :6] = x[:, 0]
    wide, each = w.astype(np.int64) - np.int64(np.atleast_1d(zero_w)[0]), kinds // group
    sums = np.empty((3, kinds, 4, 5), np.int64)
    for m in range(kinds):
        own = padded[:, (m // each) * (channels // group) :][:, : channels // group] - 77
        for i in range(4):
            for j in range(5):
                window = own[:, :, 2 * i : 2 * i + 3, j : j + 3 : 2]
                sums[:, m, i, j] = (window * wide[m]).sum(axis=(1, 2, 3)) + bias[m]
    multiplier = (f32(0.03) * scales) / f32(0.31)
    scaled = sums.astype(f32) * multiplier.reshape(1, -1, 1, 1)
    check(proto, saturated(scaled, 130), x=x)


@pytest.mark.parametrize("operator", ["QLinearMatMul", "QGemm"])
@pytest.mark.parametrize("columns", [1, 5])
def test_quantised_matrix_products(operator, columns):
    rng = np.random.default_rng(columns)
    w = rng.integers(0, 256, (20, 5)).astype(np.uint8)
    scales = rng.uniform(0.002, 0.02, columns).astype(f32)
    zeros = rng.integers(0, 256, columns).astype(np.uint8)
    bias = rng.integers(-900, 900, 5).astype(np.int32) * (operator == "QGemm")
    single = columns == 1
    constants = {
        "xs": f32(0.03), "xz": np.uint8(77), "w": w, "ws": scales[0] if single else scales,
        "wz": zeros[0] if single else zeros, "ys": f32(0.31), "yz": np.uint8(130),
    }  # fmt: skip
    names, domain = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ""
    if operator == "QGemm":
        names.insert(6, "b")
        constants["b"], domain = bias.astype(np.int32), MICROSOFT
    proto = model(
        [node(operator, names, domain=domain)],
        {"x": (TensorProto.UINT8, [3, 20])},
        {"y": TensorProto.UINT8},
        constants,
    )
    x = rng.integers(0, 256, (6, 3, 20)).astype(np.uint8)
    sums = (x.astype(np.int64) - 77) @ (w.astype(np.int64) - zeros) + bias
    scaled = sums.astype(f32) * ((f32(0.03) * scales) / f32(0.31))
    check(proto, saturated(scaled, 130), x=x)


def test_integer_sums_are_not_rounded():
    rng = np.random.default_rng(4)
    w, x = (rng.integers(0, 256, s).astype(np.uint8) for s in ((20, 6), (2, 3, 20)))
    proto = model(
        [node("MatMulInteger", ["x", "w", "xz", "wz"])],
        {"x": (TensorProto.UINT8, [3, 20])},
        {"y": TensorProto.INT32},
        {"w": w, "xz": np.uint8(3), "wz": np.uint8(200)},
    )
    check(proto, (x.astype(np.int64) - 3) @ (w.astype(np.int64) - 200), x=x)
    w, x = (rng.integers(0, 256, s).astype(np.uint8) for s in ((2, 1, 2, 2), (2, 1, 1, 3, 3)))
    proto = model(
        [node("ConvInteger", ["x", "w", "xz"])],
        {"x": (TensorProto.UINT8, [1, 1, 3, 3])},
        {"y": TensorProto.INT32},
        {"w": w, "xz": np.uint8(5)},
    )
    wide = x[:, 0].astype(np.int64) - 5
    sums = np.zeros((2, 2, 2, 2), np.int64)
    for i in range(2):
        for j in range(2):
            sums += w[:, 0, i, j].reshape(1, 2, 1, 1) * wide[:, :, i : i + 2, j : j + 2]
    check(proto, sums, x=x)


RULES = {"QLinearAdd": qlinear_add, "QLinearMul": qlinear_multiply}


@pytest.mark.parametrize("operator", RULES)
@pytest.mark.parametrize(
    "scales", [(0.031, 0.017, 0.043), (0.02, 0.02, 0.04), (0.011, 0.049, 0.0021)]
)
def test_two_tensors_on_all_pairs(operator, scales):
    """Every pair of bytes; the exact middle of two results (equal scales) goes to the even one."""
    a, b = (v.ravel().astype(np.uint8) for v in np.meshgrid(*[np.arange(256)] * 2, indexing="ij"))
    sa, sb, sy = (f32(s) for s in scales)
    constants = {
        "as": sa, "az": np.uint8(9), "bs": sb, "bz": np.uint8(201), "ys": sy, "yz": np.uint8(101),
    }  # fmt: skip
    proto = model(
        [node(operator, ["a", "as", "az", "b", "bs", "bz", "ys", "yz"], domain=MICROSOFT)],
        {n: (TensorProto.UINT8, [len(a)]) for n in "ab"},
        {"y": TensorProto.UINT8},
        constants,
    )
    every = np.arange(256)
    wanted = RULES[operator](every, every, (sa, 9), (sb, 201), (sy, 101), (0, 255))
    real = (a - 9.0) * sa
    other = (b - 201.0) * sb
    exact = (real + other if operator == "QLinearAdd" else real * other) / float(sy) + 101
    assert np.abs(np.clip(exact, 0, 255) - wanted.ravel()).max() < 0.5001
    check(proto, wanted, a=a[None], b=b[None])


@pytest.mark.parametrize("zero", [0, 3])
def test_a_relu_in_a_quantiser_is_seen_where_it_cuts_something_off(zero):
    """A zero point at the lowest level stands for a relu, of a sum as of a layer; where nothing is
    below 0, as in sums and means of what a relu made, there are no neurons."""
    constants = {"s": f32(0.05), "z": np.uint8(zero), "ys": f32(0.1), "yz": np.uint8(0)}
    shape = TensorProto.UINT8, [1, 1, 2, 2]
    rule = {"domain": MICROSOFT, "kernel_shape": [2, 2]}
    mean = node("QLinearAveragePool", ["a", "s", "z", "ys", "yz"], **rule)
    add = node("QLinearAdd", ["a", "s", "z", "b", "s", "z", "ys", "yz"], domain=MICROSOFT)
    for made, inputs in ((mean, "a"), (add, "ab")):
        proto = model([made], dict.fromkeys(inputs, shape), {"y": TensorProto.UINT8}, constants)
        assert from_onnx(proto).nodes[-1].neurons == (zero > 0)


@pytest.mark.parametrize("padding", [0, 1])
def test_averages(padding):
    rng = np.random.default_rng(6)
    proto = model(
        [node("QLinearAveragePool", ["x", "xs", "xz", "ys", "yz"], domain=MICROSOFT,
              kernel_shape=[2, 2], strides=[2, 2], pads=[padding, 0, padding, 0])],
        {"x": (TensorProto.UINT8, [1, 3, 4, 6])},
        {"y": TensorProto.UINT8},
        {"xs": f32(0.05), "xz": np.uint8(31), "ys": f32(0.0293), "yz": np.uint8(2)},
    )  # fmt: skip
    x = rng.integers(0, 256, (4, 1, 3, 4, 6)).astype(np.uint8)
    wide = np.pad(x[:, 0].astype(np.int64) - 31, ((0, 0), (0, 0), (padding,) * 2, (0, 0)))
    sums = wide.reshape(4, 3, 2 + padding, 2, 3, 2).sum(axis=(3, 5))
    counts = np.full((2 + padding, 1), 4)
    if padding:
        counts[[0, -1]] = 2
    scaled = sums.astype(f32) * (f32(0.05) / counts.astype(f32) / f32(0.0293))
    check(proto, saturated(scaled, 2), x=x)


def test_concatenation_requantises_each_part():
    x = np.arange(256, dtype=np.uint8)[None]
    proto = model(
        [node("QLinearConcat", ["ys", "yz", "a", "as", "az", "b", "ys", "yz"], domain=MICROSOFT,
              axis=0)],
        {n: (TensorProto.UINT8, [256]) for n in "ab"},
        {"y": TensorProto.UINT8},
        {"ys": f32(0.05), "yz": np.uint8(9), "as": f32(0.03), "az": np.uint8(1)},
    )  # fmt: skip
    first = saturated(((x.astype(f32) - 1) * f32(0.03)) / f32(0.05), 9)
    check(proto, np.concatenate([first, x], axis=1), a=x, b=x)


def test_inputs_given_as_constants():
    rng = np.random.default_rng(9)
    x, w = (rng.integers(0, 256, s).astype(np.uint8) for s in ((2, 4), (4, 3)))
    proto = model(
        [node("MatMulInteger", ["x", "w"])],
        {"x": (TensorProto.UINT8, [2, 4]), "w": (TensorProto.UINT8, [4, 3])},
        {"y": TensorProto.INT32},
    )
    graph = from_onnx(proto, {"w": w})
    assert graph.inputs == ("x",)
    (made,) = run(graph, x=x[None])
    np.testing.assert_array_equal(made[0], x.astype(np.int64) @ w)
    (both,) = run(from_onnx(proto), x=x[None], w=w[None])  # a product of two variables
    np.testing.assert_array_equal(both, made)


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


# --- floats between quantisers ------------------------------------------------------------------


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


# --- QONNX --------------------------------------------------------------------------------------


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


# --- what is refused ----------------------------------------------------------------------------


def refused(proto, *words):
    with pytest.raises(InputError) as caught:
        from_onnx(proto)
    for word in words:
        assert word in str(caught.value), (word, str(caught.value))
    return str(caught.value)


def simple(constants=None, nodes=None, shape=(1, 4)):
    held = {"xs": f32(0.04), "xz": np.uint8(3), **(constants or {})}
    nodes = nodes or [node("QuantizeLinear", ["x", "xs", "xz"])]
    return model(nodes, {"x": (TensorProto.FLOAT, list(shape))}, {"y": TensorProto.UINT8}, held)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, 1e-40])
def test_bad_scales(scale):
    refused(simple({"xs": f32(scale)}), "scale 'xs' must be finite and above 0")


def test_bad_parameters():
    refused(simple({"xs": np.zeros(0, f32)}), "scale 'xs' is empty")
    refused(simple({"xs": np.ones(3, f32), "xz": np.zeros(3, np.uint8)}), "3 scales for 4 slices")
    refused(simple({"xz": f32(0)}), "float32 are not integers")
    refused(simple(shape=(1, "width")), "export with fixed shapes")
    refused(simple(shape=(1 << 20, 1 << 20)), "more than")
    refused(
        simple(nodes=[node("QuantizeLinear", ["x", "gone", "xz"])]), "'gone' is made by no node"
    )


def test_cycles_and_double_names():
    loop = [node("Relu", ["y"], ["a"]), node("Relu", ["a"], ["y"])]
    refused(simple(nodes=loop), "reads its own output")
    twice = [node("QuantizeLinear", ["x", "xs", "xz"])] * 2
    refused(simple(nodes=twice), "'y' is made twice")


def test_all_unreadable_nodes_are_named_at_once():
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        node("DequantizeLinear", ["q", "xs", "xz"], ["d"]),
        node("Softmax", ["d"], ["s"], name="last"),
        node("Nonesuch", ["d"], ["t"], name="odd"),
        node("QuantizeLinear", ["s", "xs", "xz"]),
    ]
    message = refused(simple(nodes=nodes), "2 nodes", "last (Softmax)", "odd (Nonesuch)")
    assert "largest logit" in message


def test_float_models_are_told_how_to_quantise():
    proto = model(
        [node("MatMul", ["x", "w"], ["m"]), node("Relu", ["m"])],
        {"x": (TensorProto.FLOAT, [1, 4])},
        {"y": TensorProto.FLOAT},
        {"w": np.random.default_rng(0).normal(size=(4, 2)).astype(f32)},
    )
    refused(proto, "float model", "quantize_static", "--calibrate")


def test_damaged_and_foreign_files(tmp_path: Path):
    whole = simple().SerializeToString()
    for k, data in enumerate([b"", b"no model at all", whole[: len(whole) // 2], whole[7:]]):
        path = tmp_path / f"{k}.onnx"
        path.write_bytes(data)
        refused(path, f"{k}.onnx")
    refused(tmp_path / "absent.onnx", "absent.onnx")


def test_initialisers_outside_the_file_and_of_wrong_length():
    proto = simple()
    proto.graph.initializer[0].raw_data = b"\0" * 7
    refused(proto, "initialiser 'xs'")
    proto = simple()
    proto.graph.initializer[0].data_location = TensorProto.EXTERNAL
    refused(proto, "another file")


@pytest.mark.parametrize("seed", range(100))
def test_mutants_end_in_one_error(seed):
    """Bits flipped in a model: it is read, or refused by an InputError."""
    rng = np.random.default_rng(seed)
    w = rng.integers(-128, 128, (4, 3)).astype(np.int8)
    names = ["q", "xs", "xz", "w", "xs", "wz", "xs", "xz"]
    nodes = [node("QuantizeLinear", ["x", "xs", "xz"], ["q"]), node("QLinearMatMul", names)]
    data = bytearray(simple({"w": w, "wz": np.int8(0)}, nodes).SerializeToString())
    for place in rng.integers(0, len(data), rng.integers(1, 4)):
        data[place] ^= 1 << int(rng.integers(8))
    try:
        from_onnx(bytes(data))
    except InputError as error:
        assert str(error)
