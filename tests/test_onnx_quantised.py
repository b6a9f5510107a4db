"""Quantised operators of ONNX read into integers, one by one, against plain formulas in NumPy (and
onnxruntime, where it is installed)."""

from pathlib import Path

import numpy as np
import pytest

from revsim.frontends.onnx.pairs import qlinear_add, qlinear_multiply
from revsim.frontends.onnx.reader import from_onnx

pytest.importorskip("onnx")
from onnx import TensorProto
from onnx_models import MICROSOFT, check, f32, model, node, run, saturated

FORMS = ("mnist_cnn_qoperator_u8", "mnist_cnn_qdq_u8")


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
