"""ONNX's official node tests against gates: a quick part always, all of them with -m slow."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from revsim.errors import InputError

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

from revsim.onnx_backend import GateBackend, infer  # noqa: E402
from revsim.onnx_nodes import (  # noqa: E402
    CONSTANT,
    GATES,
    GROUPS,
    REFUSED,
    WIRING,
    WRONG,
    official,
    run_case,
    table,
)

QUICK = {
    "test_add_int8": GATES,
    "test_sub_uint64": GATES,
    "test_mul_uint32": GATES,
    "test_div_int32_trunc": GATES,
    "test_mod_mixed_sign_int8": GATES,
    "test_and_bcast3v2d": GATES,
    "test_xor4d": GATES,
    "test_bitshift_left_int32_negative_shift": GATES,
    "test_bitshift_right_uint64": GATES,
    "test_bitwise_not_3d": GATES,
    "test_equal_uint64": GATES,
    "test_greater_equal_uint16_expanded": GATES,
    "test_max_int64": GATES,
    "test_where_long_example": GATES,
    "test_cumsum_1d_int32_exclusive": GATES,
    "test_maxpool_2d_uint8": GATES,
    "test_top_k_uint64": GATES,
    "test_cast_INT4_to_INT8": GATES,
    "test_castlike_UINT2_to_UINT8_expanded": GATES,
    "test_clip_default_int8_min_expanded": GATES,
    "test_tril_pos": WIRING,
    "test_reflect_pad": WIRING,
    "test_constantofshape_int_zeros": CONSTANT,
    "test_range_int32_type_negative_delta_expanded": REFUSED,
    "test_quantizelinear_axis": GATES,
    "test_dequantizelinear_blocked": GATES,
    "test_dynamicquantizelinear_expanded": GATES,
    "test_qlinearmatmul_3D_int8_float32": GATES,
    "test_qlinearconv": GATES,
    "test_convinteger_with_padding": GATES,
    "test_transpose_all_permutations_3": WIRING,
    "test_slice_neg_steps": WIRING,
    "test_gather_elements_negative_indices": WIRING,
    "test_scatter_elements_with_duplicate_indices": GATES,
    "test_scatternd_multiply": GATES,
    "test_onehot_negative_indices": GATES,
    "test_compress_bfloat16": WIRING,
    "test_shape_clip_end": CONSTANT,
    "test_argmax_keepdims_random_select_last_index": GATES,
    "test_clip_min_greater_than_max": GATES,
    "test_max_float64": GATES,
    "test_maxpool_with_argmax_2d_precomputed_strides": GATES,
    "test_reduce_min_negative_axes_keepdims_random": GATES,
    "test_top_k_smallest": GATES,
    "test_sign": GATES,
    "test_equal_string": REFUSED,
}


@pytest.fixture(scope="module")
def suite():
    """Groups of the official cases, and the official runner's tests of this backend."""
    try:
        return official()
    except InputError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", QUICK)
def test_quick_cases_of_the_official_runner(name: str, suite) -> None:
    groups, tests = suite
    if name not in groups:
        pytest.skip(f"onnx {onnx.__version__} has no {name}")
    outcome = run_case(name, groups[name], tests)
    assert outcome.kind == QUICK[name], outcome
    assert outcome.gates > 0 or outcome.kind in (CONSTANT, REFUSED)
    assert bool(outcome.reason) == (outcome.kind == REFUSED)


@pytest.mark.slow
def test_all_cases_of_the_official_runner(suite) -> None:
    groups, tests = suite
    outcomes = [run_case(n, g, tests) for n, g in groups.items() if g in GROUPS]
    of = {group: Counter(o.kind for o in outcomes if o.group == group) for group in GROUPS}
    passed = {group: kinds[GATES] + kinds[WIRING] for group, kinds in of.items()}
    print(table(outcomes))
    assert not any(o.kind == WRONG for o in outcomes)
    assert passed["integers"] + passed["quantised"] >= 250
    assert passed["moves"] + of["moves"][CONSTANT] >= 140 and passed["moves"] >= 119
    assert passed["order"] >= 100


def test_groups_are_those_of_the_public_list(suite, shared_data: Path) -> None:
    names = {
        "integer": "integers", "quant": "quantised", "movement_float": "moves",
        "order_float": "order", "skip": "other",
    }  # fmt: skip
    rows = (shared_data / "onnx" / "onnx_integer_cases.tsv").read_text().splitlines()[1:]
    listed = {row.split("\t")[1]: names[row.split("\t")[0]] for row in rows}
    found = suite[0]
    assert {name: found[name] for name in listed} == listed
    assert {n for n, g in found.items() if g in GROUPS} <= set(listed)


# --- the backend itself -------------------------------------------------------------------------


def node(operator: str, count: int = 2, **attributes: object):
    outputs = ["y", "scale", "zero"] if operator == "DynamicQuantizeLinear" else ["y"]
    return helper.make_node(operator, [f"x{k}" for k in range(count)], outputs, **attributes)


def test_one_node_on_arrays() -> None:
    x, y = np.array([250, 7], np.uint8), np.array([10, 9], np.uint8)
    (out,) = GateBackend.run_node(node("Add"), [x, y])
    assert out.dtype == np.uint8 and out.tolist() == [4, 16]
    assert GateBackend.supports_device("CPU") and not GateBackend.supports_device("CUDA")


def test_models_of_known_operators_are_compatible() -> None:
    graph = helper.make_graph([node("Add")], "g", [], [])
    assert GateBackend.is_compatible(helper.make_model(graph))
    assert not GateBackend.is_compatible(helper.make_model(graph), "CUDA")
    graph = helper.make_graph([node("Add"), node("Softmax", 1)], "g", [], [])
    assert not GateBackend.is_compatible(helper.make_model(graph))


def test_indices_that_are_floats_are_cut_off() -> None:
    x, depth = np.array([1.9, -1.0, 5.0], np.float32), np.array(3)
    one_hot = helper.make_node("OneHot", ["x", "d", "v"], ["y"])
    (out,) = GateBackend.run_node(one_hot, [x, depth, np.array([0, 7], np.int8)])
    assert out.tolist() == [[0, 7, 0], [0, 0, 7], [0, 0, 0]]


def test_casts_of_64_bits() -> None:
    x = np.array([1 << 62, -(1 << 53) - 1, 123456789, -3, 0])
    to = [("FLOAT", np.float32), ("INT8", np.int8), ("UINT32", np.uint32), ("BOOL", np.bool_)]
    for name, dtype in to:
        cast = node("Cast", 1, to=getattr(TensorProto, name))
        (out,) = GateBackend.run_node(cast, [x])
        assert out.dtype == dtype and (out == x.astype(dtype)).all()


def test_inputs_by_name() -> None:
    x = helper.make_tensor_value_info("x", TensorProto.INT8, [2])
    y = helper.make_tensor_value_info("y", TensorProto.INT8, [2])
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "turn", [x], [y])
    model = GateBackend.prepare(helper.make_model(graph))
    (out,) = model.run({"x": np.array([-128, 3], np.int8)})
    assert out.tolist() == [-128, -3]
    with pytest.raises(InputError, match="no values were given for input 'x'"):
        model.run({"z": np.zeros(2, np.int8)})


def test_the_inputs_are_wires_and_what_must_be_known_is_not() -> None:
    from revsim.frontends.onnx.numbers import read_numbers

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])
    axes = helper.make_tensor_value_info("axes", TensorProto.INT64, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(
        [helper.make_node("ReduceMax", ["x", "axes"], ["y"])], "greatest", [x, axes], [y]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    read = read_numbers(model, [np.zeros((2, 3), np.float32), np.array([1])])
    assert read.graph.inputs == ("x",) and read.kind == GATES


@pytest.mark.parametrize(
    ("operator", "arrays", "message"),
    [
        ("Div", [np.array([3], np.int8), np.array([0], np.int8)], "division by 0"),
        ("Mod", [np.array([3], np.int64), np.array([0], np.int64)], "division by 0"),
        ("Div", [np.zeros(1, np.float32), np.zeros(1, np.float32)], "no number"),
        ("Max", [np.array([np.nan], np.float32), np.zeros(1, np.float32)], "NaN has no place"),
        ("DynamicQuantizeLinear", [np.zeros(3, np.float32)], "no number"),
        ("Tan", [np.zeros(1, np.float32)], "Tan is not known"),
        ("Pow", [np.array([2], np.int32), np.array([-1], np.int32)], "whole powers from 0 on"),
        ("Reshape", [np.zeros(6, np.int8), np.array([4])], "cannot be computed"),
        ("TopK", [np.zeros(3, np.int8), np.array([5])], "best 5 of 3"),
    ],
)
def test_what_has_no_circuit_ends_in_one_message(operator, arrays, message) -> None:
    with pytest.raises(InputError, match=message) as caught:
        GateBackend.run_node(node(operator, len(arrays)), arrays)
    assert all(len(line) <= 300 for line in str(caught.value).splitlines())


@pytest.mark.parametrize("operator", ["Relu", "Abs", "Neg", "Sign"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_zeros_and_infinities_of_floats(operator: str, dtype: type) -> None:
    x = np.array([-np.inf, -2.5, -1e-7, -0.0, 0.0, 3.0, np.inf], dtype)
    meaning = {
        "Relu": lambda v: np.maximum(v, 0),
        "Abs": np.abs,
        "Neg": np.negative,
        "Sign": np.sign,
    }
    (out,) = GateBackend.run_node(node(operator, 1), [x])
    assert (out == meaning[operator](x)).all() and out.dtype == dtype


def test_zeros_are_equal_and_nan_may_be_moved() -> None:
    x, y = np.array([-0.0, 0.0], np.float32), np.array([0.0, -0.0], np.float32)
    assert GateBackend.run_node(node("Equal"), [x, y])[0].tolist() == [True, True]
    assert GateBackend.run_node(node("Less"), [x, y])[0].tolist() == [False, False]
    odd = np.array([[np.nan, -0.0], [1.0, -np.nan]], np.float32)
    (moved,) = GateBackend.run_node(node("Transpose", 1), [odd])
    assert moved.tobytes() == np.ascontiguousarray(odd.T).tobytes()


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div", "Max", "BitwiseXor"])
def test_the_far_ends_of_64_bits(operator: str, dtype: type) -> None:
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    x = np.array([least, most, most, 5, 12345678901234567], dtype)
    y = np.array([7, most, 2, most, 98765], dtype)
    meaning = {
        "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Max": np.maximum,
        "Div": lambda a, b: np.array([abs(int(p)) // int(q) * (-1 if p < 0 else 1)
                                      for p, q in zip(a, b, strict=True)], dtype),
        "BitwiseXor": np.bitwise_xor,
    }[operator]  # fmt: skip
    with np.errstate(over="ignore"):
        wanted = meaning(x, y)
    (out,) = GateBackend.run_node(node(operator), [x, y])
    assert out.dtype == dtype and out.tolist() == wanted.tolist()


def test_a_model_of_several_nodes() -> None:
    x = helper.make_tensor_value_info("x", TensorProto.INT32, [3])
    y = helper.make_tensor_value_info("y", TensorProto.INT32, [1])
    nodes = [
        helper.make_node("Constant", [], ["two"], value_ints=[2]),
        helper.make_node("Cast", ["two"], ["c"], to=TensorProto.INT32),
        helper.make_node("Mul", ["x", "c"], ["z"]),
        helper.make_node("ReduceMax", ["z"], ["y"]),
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "several", [x], [y]), opset_imports=[helper.make_opsetid("", 13)]
    )
    made = infer(model, [np.array([3, -9, 5], np.int32)])
    assert made.outputs[0].tolist() == [10] and made.kind == GATES
