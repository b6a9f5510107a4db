"""Real factors as integers: limits, saturation, ties of TensorFlow Lite's own rules."""

from types import SimpleNamespace

import numpy as np
import pytest

from revsim.frontends.multipliers import clamp_ends, requantise
from revsim.network.cells_tflite import fixed_multiplier
from revsim.network.operators import Requantise


def test_factors_below_the_limit_are_zero() -> None:
    """QuantizeMultiplier gives 0 where the shift would be below -31; -31 itself is kept."""
    value = np.array([[1 << 31]])
    for exponent, expected in ((-31, 1), (-32, 0), (-40, 0)):
        rule = requantise([0.75 * 2.0**exponent], "double", "here")
        assert rule.multiplier is not None
        assert (int(rule.multiplier[0]) > 0) == (expected > 0)
        assert int(rule.shift[0]) == (31 if expected else 0)
        assert int(rule.apply(value)[0, 0]) == expected


def test_sums_of_64_bits_have_multipliers_of_16() -> None:
    """The 31-bit multiplier rounded to 15 bits, at most 2^15 - 1: 1 - 2^-20 would be 2^15."""
    for factor, short in ((0.75, 0x6000), (1 - 2.0**-20, 0x7FFF), (0.5 + 2.0**-16, 0x4001)):
        rule = requantise([factor], "double", "here", 64)
        assert rule.multiplier is not None and rule.multiplier.tolist() == [short]
        assert (rule.rounding, rule.shift.tolist()) == ("half_up", [15])


def test_the_fraction_is_rounded_to_31_bits() -> None:
    """Half up; a fraction that rounds to 1 becomes the next power of two."""
    assert fixed_multiplier(0.5 + 2.0**-32) == ((1 << 30) + 1, 0)
    assert fixed_multiplier(0.5 + 2.0**-33) == (1 << 30, 0)
    assert fixed_multiplier(1 - 2.0**-40) == (1 << 30, 1)
    assert fixed_multiplier(2.0**-7) == (1 << 30, -6)


def test_left_shifts_come_before() -> None:
    rule = requantise([3.0, 0.25], "double", "here", extra=20)
    assert rule.left is not None and rule.left.tolist() == [22, 20]
    assert rule.shift.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("scale", "zero", "fused", "expected"),
    [
        (2.4, -3, 3, (-3, 0)),  # 6 / 2.4 = 2.5 becomes 3
        (4.0, 5, 3, (5, 7)),  # 1.5 becomes 2
        (2.0, 0, 2, (-1, 1)),  # -0.5 becomes -1, 0.5 becomes 1
        (0.5, 10, 2, (8, 12)),
        (0.5, -9, 1, (-9, 127)),
        (0.5, 100, 3, (100, 112)),
        (0.1, 0, 3, (0, 60)),
    ],
)
def test_ends_of_fused_activations(scale: float, zero: int, fused: int, expected) -> None:
    """Rounded half away from 0 around the zero point."""
    tensor = SimpleNamespace(scale=np.float32(scale), zero=zero)
    assert clamp_ends(tensor, fused, (-128, 127), "here") == expected  # type: ignore[arg-type]


def test_quotients_of_ends_are_float32() -> None:
    """6 / scale in float32 is a tie where the exact quotient lies just off it."""
    halves = np.float32(np.arange(1, 200) + 0.5)
    for half in halves:
        scale = np.float32(6) / half
        quotient = np.float32(6) / scale
        tensor = SimpleNamespace(scale=scale, zero=-128)
        _, high = clamp_ends(tensor, 3, (-128, 127), "here")  # type: ignore[arg-type]
        assert high == min(127, -128 + int(np.floor(float(quotient) + 0.5)))
    exact = 6.0 / (np.float32(6) / halves).astype(np.float64)
    assert (np.floor(exact + 0.5) != np.floor(halves + 0.5)).any()  # else nothing was tested


def test_rounding_single_is_one_rounding() -> None:
    rule = requantise([0.5, 2.0**-3], "single", "here")
    assert isinstance(rule, Requantise) and rule.rounding == "half_up"
    assert rule.apply(np.array([[-1, -4], [3, 4], [-3, -12]])).tolist() == [
        [0, 0],
        [2, 1],
        [-1, -1],
    ]


def test_which_products_of_scales_are_float32() -> None:
    """Dense layers of one scale and unsigned 8-bit layers round s_x s_w to float32 first, all
    others form the factor in double (GetQuantizedConvolutionMultipler and its callers)."""
    pytest.importorskip("tflite")
    from revsim.frontends.tflite.sums import _factors

    one, two = np.float32([0.1]), np.float32([0.1, 0.3])
    x_scale, out_scale = np.float32(0.7), np.float32(0.9)
    for kind, type_, scales, short in (
        ("FULLY_CONNECTED", "int8", one, True),
        ("FULLY_CONNECTED", "int8", two, False),
        ("FULLY_CONNECTED", "int16", one, True),
        ("CONV_2D", "int8", one, False),
        ("CONV_2D", "uint8", one, True),
        ("DEPTHWISE_CONV_2D", "uint8", one, True),
        ("CONV_2D", "int8", two, False),
    ):
        x = SimpleNamespace(scale=x_scale, type=type_)
        found = _factors(
            SimpleNamespace(kind=kind),  # type: ignore[arg-type]
            x,  # type: ignore[arg-type]
            SimpleNamespace(scales=scales),  # type: ignore[arg-type]
            scales,
            SimpleNamespace(scale=out_scale),  # type: ignore[arg-type]
        )
        double = np.float64(x_scale) * scales.astype(np.float64)
        single = (x_scale * scales).astype(np.float64)
        assert (double != single).any()
        assert found.tolist() == ((single if short else double) / np.float64(out_scale)).tolist()
