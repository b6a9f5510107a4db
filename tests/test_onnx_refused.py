"""ONNX files that are not read end in one InputError that says why, and so do their mutants."""

from pathlib import Path

import numpy as np
import pytest

from revsim.errors import InputError
from revsim.frontends.onnx.reader import from_onnx

pytest.importorskip("onnx")
from onnx import TensorProto
from onnx_models import f32, model, node


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
