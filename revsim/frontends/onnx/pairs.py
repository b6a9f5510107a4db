"""Operators with two variable arguments between quantisers: sums and products of tensors.

What the model makes of every pair of integers is computed in its own float32 arithmetic, and a
short integer formula (network/cells_onnx.py) is fitted to that table. All pairs are compared.
"""

from typing import Any

import numpy as np

from revsim.frontends.onnx.builder import Refusal
from revsim.frontends.onnx.reals import Quantiser
from revsim.network.cells_onnx import ScaledProduct, ScaledSum, fitted_product, fitted_sum
from revsim.network.reals import Floats, Stage, evaluate
from revsim.network.sums import Integers

Chains = tuple[tuple[Stage, ...], tuple[Stage, ...], tuple[Stage, ...]]


def tabled(
    operation: str, chains: Chains, quantiser: Quantiser, a: Integers, b: Integers
) -> Integers:
    """What the model makes of every pair: int64 [values of a, values of b]."""
    first, second, after = chains
    grids = [c[0].operands for c in chains[:2]]
    plain = len(first) == len(second) == 1 and not after
    steps = all(g[0][0] == 1 for g in grids)
    if (
        plain
        and steps
        and operation in ("add", "multiply")
        and quantiser.stage.operation == "quantise"
    ):
        (_, za, sa), (_, zb, sb) = grids
        rule = qlinear_add if operation == "add" else qlinear_multiply
        ends = quantiser.low, quantiser.high
        scale, zero = quantiser.stage.operands[:2]
        return rule(a, b, (sa[0], -za[0]), (sb[0], -zb[0]), (scale[0], zero[0]), ends)
    made = evaluate((quantiser.stage,), joined(operation, chains, a, b))
    return np.asarray(made, dtype=np.int64)


def joined(operation: str, chains: Chains, a: Integers, b: Integers) -> Floats:
    """The float of every pair before the quantiser: [values of a, values of b]."""
    first, second, after = chains
    x, y = evaluate(first, a[:, None]), evaluate(second, b[None, :])
    return evaluate(after, {"add": x + y, "subtract": x - y, "multiply": x * y}[operation])


Rule = tuple[Any, Any]
"""(scale, zero point) of a quantised tensor."""


def qlinear_add(
    a: Integers, b: Integers, of_a: Rule, of_b: Rule, of_y: Rule, ends: tuple[int, int]
) -> Integers:
    """QLinearAdd of onnxruntime on every pair: int64 [n] and [m] to int64 [n, m].

    Zero points go into one constant and products are not rounded before they are added (fused
    multiply-add), as the vector kernels do it (onnxruntime, mlas/lib/qladd.cpp).
    """
    (sa, za), (sb, zb), (sy, zy) = of_a, of_b, of_y
    ra, rb = np.float32(sa / sy), np.float32(sb / sy)
    zeros = _fused(ra, np.float32(za), np.float32(rb * np.float32(zb)))
    fixed = np.float32(np.float32(zy) - zeros)
    of_b_alone = _fused(b[None, :].astype(np.float32), rb, fixed)
    total = _fused(a[:, None].astype(np.float32), ra, of_b_alone)
    return np.asarray(np.clip(np.rint(total), *ends), dtype=np.int64)


def _fused(x: Any, y: Any, z: Any) -> Any:
    """x * y + z rounded to float32 once (exact in float64 for factors of 8 and 24 bits)."""
    return (np.float64(x) * np.float64(y) + np.float64(z)).astype(np.float32)


def qlinear_multiply(
    a: Integers, b: Integers, of_a: Rule, of_b: Rule, of_y: Rule, ends: tuple[int, int]
) -> Integers:
    """QLinearMul of onnxruntime on every pair: rint(product * (s_a * s_b / s_y) + z_y)."""
    (sa, za), (sb, zb), (sy, zy) = of_a, of_b, of_y
    product = ((a[:, None] - za) * (b[None, :] - zb)).astype(np.float32)
    scale = np.float32(np.float32(sa * sb) / sy)
    scaled = np.rint(product * scale + np.float32(zy))
    return np.asarray(np.clip(scaled, *ends), dtype=np.int64)


def formula(
    operation: str, chains: Chains, quantiser: Quantiser, wanted: Integers, a: Integers, b: Integers
) -> ScaledSum | ScaledProduct:
    """The program that equals a table of all pairs."""
    *_, after = chains
    if any(len(c) != 1 for c in chains[:2]) or any(s.operation not in SCALINGS for s in after):
        raise Refusal(
            "float operations stand between its two variable inputs and their quantisers",
            "quantise both inputs and the result of the operator itself",
        )
    scale, zero = (float(o[0]) for o in quantiser.stage.operands[:2])
    slope, shift = 1 / scale, zero
    for stage in reversed(after):
        amount = float(stage.operands[0][0])
        if stage.operation in ("multiply", "divide"):
            slope *= amount if stage.operation == "multiply" else 1 / amount
        else:
            shift += slope * (amount if stage.operation == "add" else -amount)
    (step_a, offset_a, scale_a), (step_b, offset_b, scale_b) = (
        tuple(float(o[0]) for o in c[0].operands) for c in chains[:2]
    )
    if operation == "multiply":
        if step_a != 1 or step_b != 1:
            raise Refusal("its two variable inputs are bipolar")
        offsets = int(offset_a), int(offset_b)
        return fitted_product(wanted, a, b, offsets, slope * scale_a * scale_b, shift)
    sign = -1 if operation == "subtract" else 1
    slopes = slope * scale_a * step_a, sign * slope * scale_b * step_b
    at_zero = shift + slope * (scale_a * offset_a + sign * scale_b * offset_b)
    return fitted_sum(wanted, a, b, slopes, at_zero)


SCALINGS = ("add", "subtract", "multiply", "divide")
