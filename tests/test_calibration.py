"""Float networks quantised by revsim: the float pass against ONNX's own evaluator, the integers
against the rule as it is written, and what a user can get wrong."""

import json
import math

import numpy as np
import pytest

import revsim as rs
from revsim.cli import main
from revsim.cli.calibration import real_rows
from revsim.errors import InputError
from revsim.frontends.floats.calibrate import calibrate
from revsim.frontends.floats.folding import folded
from revsim.frontends.floats.layers import FUNCTIONS, window_reads
from revsim.frontends.floats.network import run_floats
from revsim.frontends.floats.onnx import floats_from_onnx
from revsim.network.graph import Linear
from revsim.network.graph_reference import run_graph

onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper


def model_of(nodes, inputs, constants, output="y", version=20):
    """A ModelProto; nodes are (operator, inputs, output, attributes)."""
    made = [helper.make_node(o, i, [out], name=out, **a) for o, i, out, a in nodes]
    graph = helper.make_graph(
        made,
        "made",
        [helper.make_tensor_value_info("x", 1, inputs)],
        [helper.make_tensor_value_info(output, 1, None)],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])


def residual(seed=0):
    """Convolutions, normalisation, depthwise, residual addition, pools, dense, softmax."""
    rng = np.random.default_rng(seed)

    def weights(*shape):
        return rng.normal(0, 1 / math.sqrt(math.prod(shape[1:])), shape).astype(np.float32)

    positive = rng.uniform(0.5, 2, 6).astype(np.float32)
    constants = {
        "w1": weights(6, 2, 3, 3), "b1": weights(6), "gamma": weights(6), "beta": weights(6),
        "mean": weights(6), "variance": positive, "w2": weights(6, 1, 3, 3),
        "shift": weights(6, 1, 1),
        "w3": weights(5, 54), "b3": weights(5), "half": np.float32(0.5),
    }  # fmt: skip
    nodes = [
        ("Conv", ["x", "w1", "b1"], "c", {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], "n", {}),
        ("Relu", ["n"], "r", {}),
        ("Conv", ["r", "w2"], "d", {"group": 6, "auto_pad": "SAME_UPPER", "dilations": [1, 1]}),
        ("Add", ["d", "shift"], "e", {}),
        ("Add", ["r", "e"], "s", {}),
        ("Clip", ["s", "zero", "six"], "k", {}),
        ("MaxPool", ["k"], "p", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ("Mul", ["p", "half"], "m", {}),
        ("Flatten", ["m"], "f", {}),
        ("Gemm", ["f", "w3", "b3"], "g", {"transB": 1}),
        ("Softmax", ["g"], "y", {}),
    ]  # fmt: skip
    constants |= {"zero": np.float32(0), "six": np.float32(1.5)}
    return model_of(nodes, ["batch", 2, 6, 6], constants)


def rows_of(seed, rows=24):
    return np.random.default_rng(seed).normal(0, 1, (rows, 2, 6, 6)).astype(np.float32)


def test_the_float_pass_is_that_of_onnx():
    from onnx.reference import ReferenceEvaluator

    model, rows = residual(), rows_of(1)
    network = floats_from_onnx(model)
    mine = run_floats(network, rows)
    wanted = [n for n in mine if n not in ("x", "f")]
    graph = onnx.ModelProto()
    graph.CopyFrom(model)
    del graph.graph.output[:]
    graph.graph.output.extend(helper.make_tensor_value_info(n, 1, None) for n in wanted)
    theirs = ReferenceEvaluator(graph).run(None, {"x": rows})
    for name, value in zip(wanted, theirs, strict=True):
        assert np.allclose(mine[name], value.reshape(len(rows), -1), atol=2e-5), name
    assert network.output == "g" and len(network.notes) == 1


def test_folding_keeps_the_function():
    network = floats_from_onnx(residual(3))
    ready = folded(network)
    rows = rows_of(4)
    kinds = [type(node.step).__name__ for node in ready.nodes]
    assert "Affine" not in kinds and len(ready.nodes) < len(network.nodes)
    before, after = run_floats(network, rows), run_floats(ready, rows)
    assert np.allclose(before["g"], after["g"])


@pytest.mark.parametrize("power_of_two", [False, True])
def test_integers_stay_near_the_floats(power_of_two):
    rows = rows_of(5, 200)
    labels = run_floats(floats_from_onnx(residual()), rows)["g"].argmax(axis=1)
    found = calibrate(residual(), rows, labels, power_of_two=power_of_two)
    assert found.error < 0.06 and found.accuracy_before == 1
    assert found.accuracy_after > 0.9
    assert any("softmax" in line.lower() for line in found.summary())
    scales = {t.scale for t in found.graph.tensors.values()}
    assert power_of_two == all(math.frexp(scale)[0] == 0.5 for scale in scales)
    assert [n.name for n in found.graph.nodes if n.neurons] == ["c", "s"]


def test_sums_follow_the_rule_as_written():
    """One layer recomputed in Python's integers: rule 2 of TensorFlow Lite's reference kernels."""
    rng = np.random.default_rng(7)
    weights, bias = rng.normal(0, 1, (4, 6)), rng.normal(0, 1, 4)
    model = model_of(
        [("Gemm", ["x", "w", "b"], "h", {"transB": 1}), ("Relu", ["h"], "y", {})],
        [1, 6],
        {"w": weights.astype(np.float32), "b": bias.astype(np.float32)},
    )
    rows = rng.normal(0, 1, (50, 6))
    found = calibrate(model, rows)
    entry, leaving = found.quantiser, found.graph.tensors["y"]
    whole = found.quantise(rows)
    made = run_graph(found.graph, {"x": whole})["y"]
    w32, b32 = weights.astype(np.float32), bias.astype(np.float32)
    for channel in range(4):
        scale = max(abs(float(w)) for w in w32[channel]) / 127
        row = [round(float(w) / scale) for w in w32[channel]]
        start = round(float(b32[channel]) / (entry.scale * scale))
        fraction, exponent = math.frexp(entry.scale * scale / leaving.scale)
        multiplier = math.floor(fraction * 2**31 + 0.5)
        assert exponent <= 0
        for k in range(len(rows)):
            total = start + sum(
                w * (int(q) - entry.zero) for w, q in zip(row, whole[k], strict=True)
            )
            product = total * multiplier
            nudged = product + (2**30 if product >= 0 else 1 - 2**30)
            high = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)
            scaled = math.floor(abs(high) / 2**-exponent + 0.5) * (1 if high >= 0 else -1)
            wanted = min(max(scaled + leaving.zero, leaving.zero), 127)
            assert made[k, channel] == wanted


OPERATORS = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "gelu": "Gelu", "softplus": "Softplus",
    "softsign": "Softsign", "mish": "Mish", "hard_swish": "HardSwish", "abs": "Abs",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_functions_become_tables_of_the_nearest_integers(name):
    rows = np.linspace(-4, 4, 300)[:, None]
    found = calibrate(model_of([(OPERATORS[name], ["x"], "y", {})], [1, 1], {}, version=22), rows)
    out = found.graph.tensors["y"]
    real = FUNCTIONS[name].apply(found.quantiser.real(found.quantise(rows)))
    made = run_graph(found.graph, {"x": found.quantise(rows)})["y"]
    error = np.abs(out.scale * (made - out.zero) - real)
    assert error.max() <= out.scale * (0.5 + 1e-6)


def test_parametrised_functions_and_averages():
    nodes = [
        ("LeakyRelu", ["x"], "a", {"alpha": 0.25}),
        ("Elu", ["a"], "b", {}),
        ("AveragePool", ["b"], "c", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("HardSigmoid", ["c"], "d", {}),
        ("GlobalAveragePool", ["d"], "e", {}),
        ("Reshape", ["e", "shape"], "y", {}),
    ]
    model = model_of(nodes, [1, 2, 6, 6], {"shape": np.array([0, -1])})
    from onnx.reference import ReferenceEvaluator

    rows = rows_of(8)
    network = floats_from_onnx(model)
    theirs = np.concatenate([ReferenceEvaluator(model).run(None, {"x": r[None]})[0] for r in rows])
    assert np.allclose(run_floats(network, rows)["y"], theirs, atol=1e-6)
    assert calibrate(network, rows).error < 0.01


def test_percentiles_drop_outliers():
    rows = np.concatenate([np.random.default_rng(0).normal(0, 1, (2000, 1)), [[1000.0]]])
    model = model_of([("Relu", ["x"], "y", {})], [1, 1], {})
    all_of_it = calibrate(model, rows).quantiser.scale
    most = calibrate(model, rows, percentile=99.9).quantiser.scale
    assert all_of_it > 3.9 and most < 0.05 * all_of_it


def test_windows_of_one_axis_that_hang_over():
    reads, lengths = window_reads((2, 4), (3,), (2,), (0,), (0,), (1,), ceil=True)
    assert lengths == (2,) and reads[1].tolist() == [[2, 3, -1], [6, 7, -1]]


def test_a_tensor_that_is_always_zero_keeps_a_scale():
    model = model_of(
        [("Gemm", ["x", "w"], "h", {}), ("Relu", ["h"], "y", {})],
        [1, 2],
        {"w": np.zeros((2, 2), np.float32)},
    )
    found = calibrate(model, np.ones((3, 2)))
    (linear,) = [n.operator for n in found.graph.nodes if isinstance(n.operator, Linear)]
    assert not linear.weights.any() and found.error == 0


def test_rs_calibrate_is_this_function():
    assert rs.calibrate is calibrate


BAD = [
    (
        lambda: calibrate(residual(), np.zeros((3, 5))),
        r"data of shape \[3, 5\]; expected \[rows, 1",
    ),
    (lambda: calibrate(residual(), np.full((2, 72), np.nan)), "row 0, value 0 is not finite"),
    (lambda: calibrate(residual(), rows_of(0), np.zeros(3)), "24 rows and labels of shape"),
    (lambda: calibrate(residual(), rows_of(0), percentile=20), "percentile"),
    (lambda: calibrate(residual(), np.array(["a"])), "numbers"),
    (lambda: calibrate(b"nonsense", rows_of(0)), "not an ONNX model"),
]


@pytest.mark.parametrize("call, words", BAD)
def test_mistakes_end_in_one_message(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_all_unknown_nodes_are_named_at_once():
    nodes = [
        ("Sin", ["x"], "a", {}),
        ("Relu", ["x"], "r", {}),
        ("Mul", ["r", "r"], "b", {}),
        ("Add", ["b", "r"], "y", {}),
    ]
    with pytest.raises(InputError) as found:
        floats_from_onnx(model_of(nodes, [1, 3], {}))
    text = str(found.value)
    assert "a (Sin)" in text and "b (Mul)" in text and "y (Add)" not in text


@pytest.mark.parametrize("power_of_two", [False, True])
def test_gates_equal_the_integers(power_of_two):
    found = calibrate(residual(), rows_of(5, 32), power_of_two=power_of_two)
    samples = found.quantise(rows_of(6, 8))
    assert rs.verify(found.graph, samples, policy="uncompute").holds


@pytest.fixture
def files(tmp_path):
    """A float model and rows with labels, saved."""
    rng = np.random.default_rng(0)
    model = model_of(
        [("Gemm", ["x", "w", "b"], "h", {"transB": 1}), ("Relu", ["h"], "r", {}),
         ("Gemm", ["r", "v"], "g", {}), ("Softmax", ["g"], "y", {})],
        ["batch", 5],
        {"w": rng.normal(size=(4, 5)).astype("f4"), "b": rng.normal(size=4).astype("f4"),
         "v": rng.normal(size=(4, 3)).astype("f4")},
    )  # fmt: skip
    rows = rng.normal(size=(30, 5))
    labels = run_floats(floats_from_onnx(model), rows)["g"].argmax(axis=1)
    onnx.save(model, tmp_path / "float.onnx")
    np.savez(tmp_path / "rows.npz", rows=rows, labels=labels)
    np.save(tmp_path / "rows.npy", rows[:7])
    return tmp_path


def test_verify_calibrates_says_so_and_can_be_reproduced(files, capsys):
    words = ["verify", str(files / "float.onnx"), "--calibrate", str(files / "rows.npz")]
    words += ["--policy", "uncompute"]
    assert main(words) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "accuracy on them 100.00% in floats" in said and "Softmax is left out" in said
    more = ["--data", str(files / "rows.npy"), "--power-of-two", "--percentile", "99.9", "--json"]
    assert main([*words, *more]) == 0
    report = capsys.readouterr().out
    calibration = json.loads(report)["provenance"]["calibration"]
    assert calibration["rows"] == 30 and calibration["accuracy_before"] == 1
    (files / "report.json").write_text(report)
    assert main(["reproduce", str(files / "report.json")]) == 0
    assert "equal" in capsys.readouterr().out


def test_run_and_count_calibrate_too(files, capsys, monkeypatch):
    monkeypatch.chdir(files)
    words = ["float.onnx", "--calibrate", "rows.npz"]
    given = ["--input", "rows.npy", "--output", "y.npy", "--tensors", "t.npz"]
    assert main(["run", *words, *given]) == 0
    found = calibrate(files / "float.onnx", *np.load("rows.npz").values())
    made = run_graph(found.graph, {"x": found.quantise(np.load("rows.npy"))})
    assert np.array_equal(np.load("y.npy").reshape(7, 3), made["g"])
    assert np.array_equal(np.load("t.npz")["r"].reshape(7, 4), made["r"])
    assert main(["count", *words]) == 0
    assert "r" in capsys.readouterr().out


CALLS = [
    (["--calibrate", "rows.npz", "--percentile", "7"], "percentile must lie in"),
    (["--percentile", "99"], "--percentile goes with --calibrate DATA"),
    (["--power-of-two"], "--power-of-two goes with --calibrate DATA"),
    (["--calibrate", "nothing.npz"], "no such file"),
    ([], "--calibrate"),
]


@pytest.mark.parametrize("words, said", CALLS)
def test_command_lines_that_do_not_fit(files, capsys, monkeypatch, words, said):
    monkeypatch.chdir(files)
    assert main(["verify", "float.onnx", *words]) == 2
    assert said in capsys.readouterr().err


def test_only_onnx_files_are_calibrated(files, capsys, monkeypatch):
    monkeypatch.chdir(files)
    assert main(["verify", "rows.npz", "--calibrate", "rows.npz"]) == 2
    assert "quantises float .onnx models" in capsys.readouterr().err


def test_a_quantised_model_needs_no_calibration(files, capsys, monkeypatch):
    monkeypatch.chdir(files)
    x, y = (helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 2]) for n in "xy")
    held = [numpy_helper.from_array(np.float32(0.5), "s"), numpy_helper.from_array(np.int8(0), "z")]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [x], [y], held)), "quantised.onnx")
    np.save("pairs.npy", np.zeros((3, 1, 2), np.float32))
    assert main(["verify", "quantised.onnx", "--calibrate", "pairs.npy"]) == 2
    assert "leave --calibrate out" in capsys.readouterr().err


@pytest.mark.parametrize("names", [("rows", "labels"), ("x", "y"), ("x", "labels"), ("rows", "y")])
def test_labels_are_found_by_either_name(files, tmp_path, names):
    rows, labels = np.load(files / "rows.npz").values()
    np.savez(tmp_path / "named.npz", **dict(zip(names, (rows, labels), strict=True)))
    found = real_rows(tmp_path / "named.npz")
    assert np.array_equal(found[0], rows) and np.array_equal(found[1], labels)
