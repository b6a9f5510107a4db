"""Scales of known factors: one per channel, and biases that have a scale of their own."""

import numpy as np
import pytest

from revsim.errors import InputError

pytest.importorskip("onnx")

from onnx_models import f32, model, node, run, saturated

from revsim.frontends.onnx.reader import from_onnx


def dequantised(name: str, **attributes):
    return node("DequantizeLinear", [name, f"s{name}", f"z{name}"], [f"{name}f"], **attributes)


@pytest.mark.parametrize("inputs", [["xf", "wf"], ["wf", "xf"]])
def test_a_vector_with_a_scale_for_each_value_is_refused(inputs) -> None:
    """The values of a vector are summed up, so that no scale is left to a channel."""
    proto = model(
        [
            dequantised("x"),
            dequantised("w", axis=0),
            node("MatMul", inputs, ["m"]),
            node("QuantizeLinear", ["m", "sy", "zx"]),
        ],
        {"x": (2, (3, 3))},
        {"y": 2},
        {
            "sx": f32(0.5), "zx": np.uint8(0), "w": np.array([1, -2, 3], np.int8),
            "sw": np.float32([0.1, 0.2, 0.3]), "zw": np.zeros(3, np.int8), "sy": f32(0.25),
        },
    )  # fmt: skip
    with pytest.raises(InputError, match="'wf' have a scale for each element"):
        from_onnx(proto)


@pytest.mark.parametrize("factor", [1.0, 1.05, 0.93])
def test_a_bias_of_its_own_scale(factor: float) -> None:
    """A bias counts by its own scale, near to that of the sums or not."""
    rng = np.random.default_rng(0)
    w, b = rng.integers(-100, 100, (3, 2)), np.array([20_000, -15_000])
    scale = f32(0.005 * factor)
    proto = model(
        [
            dequantised("x"),
            dequantised("w"),
            dequantised("b"),
            node("Gemm", ["xf", "wf", "bf"], ["m"]),
            node("QuantizeLinear", ["m", "sy", "zy"]),
        ],
        {"x": (2, (2, 3))},
        {"y": 2},
        {
            "sx": f32(0.5), "zx": np.uint8(0), "w": w.astype(np.int8), "sw": f32(0.01),
            "zw": np.int8(0), "b": b.astype(np.int32), "sb": scale, "zb": np.int32(0),
            "sy": f32(2.1), "zy": np.uint8(128),
        },
    )  # fmt: skip
    x = rng.integers(0, 256, (40, 2, 3)).astype(np.uint8)
    exact = (x.astype(np.float64) @ w) * 0.005 + b * np.float64(scale)
    expected = saturated(exact / 2.1, 128)
    (made,) = run(from_onnx(proto), x=x)
    clear = np.abs((exact / 2.1) % 1 - 0.5) > 1e-3  # off the ties, where float32 decides
    assert (made == expected)[clear].all() and clear.mean() > 0.9
