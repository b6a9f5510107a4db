"""TensorFlow Lite: operators against tflite-micro, variables, what is refused."""

import re
from pathlib import Path

import numpy as np
import pytest

from revsim.errors import InputError
from revsim.network.graph import Graph, Linear
from revsim.network.graph_reference import run_graph, run_stream

pytest.importorskip("tflite", reason="package tflite is absent: pip install '.[tflite]'")

from tflite_cases import golden
from tflite_models import Op, T, model_bytes

from revsim.frontends.tflite.check import refusals
from revsim.frontends.tflite.file import read_model
from revsim.frontends.tflite.operators import RULES, SUPPORTED
from revsim.frontends.tflite.reader import from_tflite

OVERFLOWING = {"QUANTIZE int32 int8 0.5", "QUANTIZE int32 int16 0.5"}
"""Cases in which the kernels overflow 32 bits, and which are refused."""


def load(folder: Path, content: bytes, rounding: str = "double") -> Graph:
    path = folder / "model.tflite"
    path.write_bytes(content)
    return from_tflite(path, rounding)


# --- operators -----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", golden(), ids=lambda case: case.name)
def test_operator_equals_tflite_micro(case, tmp_path):
    if case.name in OVERFLOWING:
        with pytest.raises(InputError, match="may leave 32 bits"):
            load(tmp_path, case.model)
        return
    graph = load(tmp_path, case.model)
    values = run_graph(graph, dict(zip(graph.inputs, case.inputs, strict=True)))
    for name, expected in zip(graph.outputs, case.outputs, strict=True):
        np.testing.assert_array_equal(values[name], expected)


def test_every_operator_has_a_case():
    made = {op.kind for case in golden() for op in _operators(case.model)}
    elsewhere = {"RESHAPE", "CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"}
    assert set(RULES) - made - elsewhere == {"NEG", "RELU_N1_TO_1"}


def _operators(content: bytes):
    import tflite

    model = tflite.Model.GetRootAs(content, 0)
    names = {v: k for k, v in vars(tflite.BuiltinOperator).items()}
    for k in range(model.OperatorCodesLength()):
        yield Op(names[model.OperatorCodes(k).BuiltinCode()], (), ())


def test_neg_is_modulo_2_to_the_32(tmp_path):
    pair = [T((1, 3), "int32", scale=None), T((1, 3), "int32", scale=None)]
    graph = load(tmp_path, model_bytes(pair, [Op("NEG", (0,), (1,))], (0,), (1,)))
    values = run_graph(graph, {"t0": np.array([[5, -7, -(1 << 31)]])})
    assert values["t1"].tolist() == [[-5, 7, -(1 << 31)]]


def test_unsigned_weights_carry_their_zero_point(tmp_path):
    weights = np.array([[0, 128, 255]])
    tensors = [
        T((1, 3), "uint8", zero=10),
        T((1, 3), "uint8", data=weights, zero=128),
        T((1,), "int32", data=[7]),
        T((1, 1), "uint8", scale=64.0, zero=3),
    ]
    step = Op("FULLY_CONNECTED", (0, 1, 2), (3,))
    graph = load(tmp_path, model_bytes(tensors, [step], (0,), (3,)))
    x = np.array([[1, 2, 3], [255, 255, 255], [0, 9, 250]])
    sums = ((x - 10) * (weights - 128)).sum(axis=1) + 7
    expected = np.clip(np.round(sums / 256) + 3, 0, 255)  # 0.5 * 0.5 / 64, no tie in these
    assert run_graph(graph, {"t0": x})["t3"].ravel().tolist() == expected.tolist()
    assert isinstance(graph.nodes[0].operator, Linear)
    assert graph.nodes[0].operator.weights.tolist() == [[-128, 0, 127]]


def test_single_rounding_differs_by_at_most_one_and_somewhere(tmp_path):
    random = np.random.default_rng(2)
    tensors = [
        T((1, 16), scale=0.02),
        T((8, 16), data=random.integers(-127, 128, (8, 16)), scale=0.01),
        T((8,), "int32", data=random.integers(-900, 900, 8)),
        T((1, 8), scale=0.03),
    ]
    content = model_bytes(tensors, [Op("FULLY_CONNECTED", (0, 1, 2), (3,))], (0,), (3,))
    x = random.integers(-128, 128, (4000, 16))
    double, single = (
        run_graph(load(tmp_path, content, rounding), {"t0": x})["t3"]
        for rounding in ("double", "single")
    )
    assert int((double != single).sum()) > 0 and int(np.abs(double - single).max()) == 1


def test_ranges_and_neurons_follow_the_fused_activation(tmp_path):
    def graph(fused: int) -> Graph:
        tensors = [
            T((1, 2)),
            T((1, 2), data=[[1, 2]], scale=0.25),
            T((1,), "int32", data=[0]),
            T((1, 1), scale=0.1, zero=-10),
        ]
        step = Op("FULLY_CONNECTED", (0, 1, 2), (3,), {"FusedActivationFunction": fused})
        return load(tmp_path, model_bytes(tensors, [step], (0,), (3,)))

    ends = {f: (graph(f).tensors["t3"].low, graph(f).tensors["t3"].high) for f in (0, 1, 2, 3)}
    assert ends == {0: (-128, 127), 1: (-10, 127), 2: (-20, 0), 3: (-10, 50)}
    assert [graph(f).nodes[0].neurons for f in (0, 1)] == [False, True]


# --- models called with real numbers, variables, what is not needed ------------------------------


def test_real_ends_are_dropped_and_known_shapes_are_not_computed(tmp_path):
    tensors = [
        T((1, 4), "float32", scale=None),
        T((1, 4), scale=0.5, zero=3),
        T((2,), "int32", scale=None),
        T((2, 2), scale=0.5, zero=3),
        T((2, 2), "float32", scale=None),
    ]
    steps = [
        Op("QUANTIZE", (0,), (1,)),
        Op("SHAPE", (1,), (2,)),
        Op("RESHAPE", (1, 2), (3,)),
        Op("DEQUANTIZE", (3,), (4,)),
    ]
    graph = load(tmp_path, model_bytes(tensors, steps, (0,), (4,)))
    assert graph.inputs == ("t1",) and graph.outputs == ("t3",)
    assert [node.name for node in graph.nodes] == ["reshape_2"]
    assert (graph.tensors["t3"].scale, graph.tensors["t3"].zero) == (0.5, 3)


def variables(more_reads: bool = False) -> bytes:
    """A line of two values: out = what came two steps before, state starts at 4 and 5."""
    handle = T((), "resource", scale=None)
    name = {"Container": "", "SharedName": "line"}
    main = [handle, T((1, 1)), T((1, 2)), T((1, 3)), T((1, 2)), T((1, 1))]
    main += [T((2,), "int32", data=d, scale=None) for d in ((0, 1), (1, 3), (1, 1), (0, 0))]
    main += [T((2,), "int32", data=(0, 1), scale=None), T((1, 2)), T((1, 2))]
    steps = [
        Op("CALL_ONCE", (), (), {"InitSubgraphIndex": 1}),
        Op("VAR_HANDLE", (), (0,), name),
        Op("READ_VARIABLE", (0,), (2,)),
        Op("CONCATENATION", (2, 1), (3,), {"Axis": 1}),
        Op("STRIDED_SLICE", (3, 6, 7, 8), (4,)),
        Op("ASSIGN_VARIABLE", (0, 4), ()),
        Op("STRIDED_SLICE", (3, 9, 10, 8), (5,), {"BeginMask": 1, "EndMask": 1}),
    ]
    if more_reads:
        steps.append(Op("READ_VARIABLE", (0,), (11,)))
    first = [handle, T((1, 2), data=[4, 5])]
    begin = [Op("VAR_HANDLE", (), (0,), name), Op("ASSIGN_VARIABLE", (0, 1), ())]
    outputs = (5, 11) if more_reads else (5,)
    return model_bytes(main, steps, (1,), outputs, [(first, begin)])


def test_variables_are_the_state_of_a_stream(tmp_path):
    graph = load(tmp_path, variables(more_reads=True))
    assert len(graph.state) == 1 and graph.state[0].initial.tolist() == [4, 5]
    given, made = run_stream(graph, {"t1": np.array([[10], [20], [30]])})
    assert given["t2"].tolist() == [[4, 5], [5, 10], [10, 20]]
    assert made["t5"].ravel().tolist() == [4, 5, 10]
    assert made["t11"].tolist() == [[5, 10], [10, 20], [20, 30]]


# --- what is refused -----------------------------------------------------------------------------


def refused(tmp_path: Path, content: bytes, *words: str) -> str:
    with pytest.raises(InputError) as caught:
        load(tmp_path, content)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message and len(message) - len(str(tmp_path)) <= 330
    return message


def chain(*kinds: str, type_: str = "int8") -> bytes:
    tensors = [T((1, 4), type_) for _ in range(len(kinds) + 1)]
    steps = [Op(kind, (k,), (k + 1,)) for k, kind in enumerate(kinds)]
    return model_bytes(tensors, steps, (0,), (len(kinds),))


def test_all_unsupported_operators_are_named_at_once(tmp_path):
    content = chain("SVDF", "RELU6", "HARD_SWISH", "HARD_SWISH", "FLOOR")
    message = refused(tmp_path, content, "4 of 5 operators", "SVDF (0)", "disagree", "HARD_SWISH")
    assert "RELU6" not in message
    path = tmp_path / "model.tflite"
    found = refusals(read_model(path).subgraphs[0])
    assert [(r.number, r.kind) for r in found] == [
        (0, "SVDF"),
        (2, "HARD_SWISH"),
        (3, "HARD_SWISH"),
        (4, "FLOOR"),
    ]
    assert all(r.reason and r.remedy for r in found)


def test_a_float_model_is_told_how_to_quantise(tmp_path):
    content = chain("RELU", "RELU6", type_="float32")
    refused(tmp_path, content, "float model", "representative_dataset", "TFLITE_BUILTINS_INT8")


def test_the_table_says_what_and_why_not():
    assert all(bool(what) or bool(why) for what, why in SUPPORTED.values())
    assert SUPPORTED["UNIDIRECTIONAL_SEQUENCE_LSTM"][0] == ""
    assert "int16" in SUPPORTED["CONV_2D"][0]


def dense(**changes) -> bytes:
    """A dense layer of three inputs and two outputs, some part of it changed."""
    tensors = {
        "x": T((1, 3)),
        "weights": T((2, 3), data=[[1, 2, 3], [4, 5, 6]]),
        "bias": T((2,), "int32", data=[0, 0]),
        "y": T((1, 2)),
    }
    step = {"kind": "FULLY_CONNECTED", "inputs": (0, 1, 2), "outputs": (3,)}
    for key, value in changes.items():
        if key in tensors:
            vars(tensors[key]).update(value)
        else:
            step[key] = value
    return model_bytes(list(tensors.values()), [Op(**step)], (0,), (3,))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights": {"scale": 0.0}}, "tensor 1 .*scale 0.0"),
        ({"weights": {"scale": float("nan")}}, "scale nan"),
        ({"x": {"scale": float("inf")}}, "scale inf"),
        ({"y": {"scale": 1e-40}}, "no positive normal number"),
        ({"y": {"scale": None}}, "has no quantisation scale"),
        ({"weights": {"scale": [0.1, 0.2, 0.3]}}, "3 scales"),
        ({"weights": {"scale": [0.1, 0.2], "axis": 1}}, "axis 1"),
        ({"y": {"scale": [0.1, 0.2]}}, "one quantisation scale"),
        ({"x": {"zero": 300}}, "zero point lies outside"),
        ({"x": {"shape": (1, -3)}}, r"shape \[1, -3\]"),
        ({"x": {"shape": (1, 1 << 30)}}, "shape"),
        ({"x": {"shape": (1, 4)}}, "do not fit"),
        ({"x": {"shape": (0, 3)}}, r"shape \[0, 3\]"),
        ({"y": {"shape": (1, 5)}}, "makes 2 values"),
        ({"weights": {"raw": b"12345"}}, "5 bytes for 6 values"),
        ({"bias": {"raw": b""}}, "input 2 is computed"),
        ({"bias": {"data": [0]}}, "4 bytes for 2 values"),
        ({"bias": {"type": "int8", "data": [0, 0]}}, "bias of type int8; the kernels take int32"),
        ({"weights": {"type": "uint8"}}, "weights of type uint8"),
        ({"inputs": (0, -1, 2)}, "an input is left out"),
        ({"inputs": (0,)}, "has 1 inputs"),
        ({"inputs": (0, 1, 9)}, "tensor 9 does not exist"),
        ({"outputs": ()}, "read before any operator makes it"),
        ({"table": "Conv2DOptions"}, "FullyConnectedOptions"),
        ({"options": {"FusedActivationFunction": 4}}, "fused TANH"),
        ({"options": {"WeightsFormat": 1}}, "shuffled"),
    ],
)
def test_contradictions_name_the_tensor_or_the_operator(changes, words, tmp_path):
    message = refused(tmp_path, dense(**changes))
    assert re.search(words, message), message
    assert "model.tflite" in message


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([(1, 2), (0, 1)], "tensor 1 .*read before"),
        ([(0, 1), (2, 2)], "tensor 2 .*read before"),
        ([(2, 1), (1, 2)], "tensor 2 .*read before"),
        ([(0, 1), (0, 1), (1, 2)], "tensor 1 .*made twice"),
        ([(0, 0), (0, 2)], "tensor 0 .*made twice"),
    ],
)
def test_graphs_out_of_order(steps, words, tmp_path):
    ops = [Op("RELU6", (a,), (b,)) for a, b in steps]
    message = refused(tmp_path, model_bytes([T((1, 2))] * 3, ops, (0,), (2,)))
    assert re.search(words, message), message


def test_files_that_are_none(tmp_path):
    refused(tmp_path, b"", "no TensorFlow Lite file")
    refused(tmp_path, b"PK\x03\x04 some archive", "no TensorFlow Lite file")
    refused(tmp_path, dense()[:200], "damaged or cut off")
    refused(tmp_path, model_bytes([T((1,))], [], (0,), (0,), version=9), "schema version 9")
    with pytest.raises(InputError, match="cannot be read"):
        from_tflite(tmp_path / "absent.tflite")
    with pytest.raises(InputError, match="cannot be read"):
        from_tflite(tmp_path)
    with pytest.raises(InputError, match="rounding 'up'"):
        from_tflite(tmp_path, "up")  # type: ignore[arg-type]


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tflite", None)
    with pytest.raises(InputError, match=r"needs tflite: pip install tflite.*\[tflite\]"):
        from_tflite(tmp_path / "model.tflite")


def test_altered_files_end_in_one_message(tmp_path):
    """Cuts and hundreds of changed bytes: an InputError of one line, or another graph."""
    content = variables()
    random = np.random.default_rng(3)
    altered = [content[:n] for n in range(8, len(content), 17)]
    for _ in range(400):
        changed = bytearray(content)
        for place in random.integers(8, len(content), random.integers(1, 4)):
            changed[place] = random.integers(0, 256)
        altered.append(bytes(changed))
    for mutant in altered:
        try:
            graph = load(tmp_path, mutant)
        except InputError as error:
            assert "\n" not in str(error) and "model.tflite" in str(error)
        else:
            assert isinstance(graph, Graph)
