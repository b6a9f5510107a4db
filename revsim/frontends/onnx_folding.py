"""Chains of float32 operations that end in a quantiser, as operators on integers.

Between two quantisers a model computes in float32, value by value. What it decides there is a
function from one integer to another; it is found by carrying out the model's own chain on integers
(not by algebra on real numbers), and written as

    Rescale, Offset, Clamp   where that is the rule of the quantised operator
    Requantise, Clamp        of a multiple of a single value, where that has the same steps
    Threshold, Staircase     where a chain rises: thresholds by bisection over the reachable sums
    Table                    for the rest, on at most 8 bits
    ScaledSum, ScaledProduct for two variable arguments, checked on every pair
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.frontends.onnx_builder import Builder, Constant, Held, Refusal
from revsim.frontends.onnx_reals import (
    Outside,
    Pair,
    Parts,
    Real,
    Sums,
    direction,
    known,
    placed,
    settled,
    written,
)
from revsim.network.cells_onnx import fitted_product, fitted_sum
from revsim.network.graph import Linear
from revsim.network.operators import (
    TABLE_LIMIT,
    Clamp,
    Offset,
    Requantise,
    Rescale,
    Single,
    Staircase,
    Table,
    Threshold,
)
from revsim.network.reals import Floats, Stage, evaluate
from revsim.network.sums import Integers

LEVEL_LIMIT = 1 << 12
"""Most levels of a staircase."""
SHIFT_LIMIT = 36
"""Most places by which a multiple of a single value is shifted."""
UNREACHED = 1 << 60
PAIR_LIMIT = 1 << 18
"""Most pairs of two variable arguments whose results are compared one by one."""
NEURONS = ("relu", "clip", "sign", "leaky_relu", "elu", "hard_sigmoid", "sigmoid", "tanh")
Function = Callable[[Integers], Integers]
"""int64 [rows, channels] to int64 [rows, channels]: what becomes of each sum."""


@dataclass(frozen=True, eq=False)
class Quantiser:
    """The last stage of a chain: floats to integers in low..high of a type of the model."""

    stage: Stage
    dtype: Any
    low: int
    high: int
    fields: dict[str, Any]
    """Further fields of the tensor: scale and zero."""
    neurons: bool = False
    """Whether the quantiser itself is an activation function (a sign, thresholds)."""


def closed(builder: Builder, value: Real, quantiser: Quantiser, name: str) -> Held | Constant:
    """The integers that a quantiser makes of a float value, as a tensor of the graph."""
    base = value.base
    if isinstance(base, Constant):
        flat = known(base)
        made = evaluate((*value.stages, quantiser.stage), flat)
        return Constant(np.asarray(made, dtype=np.int64).reshape(value.shape))
    if isinstance(base, Outside):
        return _entered(builder, base, value, quantiser)
    if isinstance(base, Pair):
        return _paired(builder, base, value, quantiser, name)
    if isinstance(base, Parts):
        return _assembled(builder, base, value, quantiser, name)
    return _single(builder, value, quantiser, name)


# --- the edge of the network -----------------------------------------------------------------


def _entered(builder: Builder, base: Outside, value: Real, quantiser: Quantiser) -> Held:
    """The graph's input is the integer after the first quantiser; its tensor says how to get it."""
    stages = (*value.stages, quantiser.stage)
    known = builder.tensors.get(base.name)
    if known is None:
        ends = quantiser.low, quantiser.high
        builder.tensor(
            base.name, base.shape, quantiser.dtype, *ends, from_float=stages, **quantiser.fields
        )
        builder.inputs.append(base.name)
    elif written(known.from_float) != written(stages):
        raise Refusal(
            f"the float input {base.name!r} is quantised in two ways",
            "use the same scale and zero point for both",
        )
    return Held(base.name, value.shape, quantiser.dtype, quantiser.low, quantiser.high)


# --- one variable argument -------------------------------------------------------------------


def _single(builder: Builder, value: Real, quantiser: Quantiser, name: str) -> Held:
    stages, low, high, neurons = _limits(value.stages, quantiser)
    sums, places = _channels(builder, value, stages, name)
    ends = sums.linear.bounds(sums.source.low, sums.source.high)
    neurons = neurons or quantiser.neurons

    def function(z: Integers) -> Integers:
        made = evaluate((*stages, quantiser.stage), z, places)
        return np.clip(np.asarray(made, dtype=np.int64), low, high)

    if _is_rescale(value, stages, quantiser):
        activations = _rescaled(stages[0], quantiser, low, high, places)
        linear = sums.linear
    else:
        slope = None
        if sums.linear.weights.shape[1] == 1:
            slope = _slope(stages, quantiser.stage, ends, places)
        trend = _trend(stages, sums.linear.channels, places)
        linear, activations = _written_out(sums.linear, function, ends, trend, slope)
    if not activations and isinstance(value.base, Held) and _same(value.base, low, high, linear):
        return replace(value.base, shape=value.shape, dtype=quantiser.dtype)
    sums = replace(sums, linear=linear)
    return placed(
        builder, sums, value.shape, quantiser.dtype, (low, high), activations, neurons, name,
        **quantiser.fields,
    )  # fmt: skip


def _same(base: Held, low: int, high: int, linear: Linear) -> bool:
    within = low <= base.low and base.high <= high
    return within and bool((linear.weights == 1).all() and (linear.bias == 0).all())


def _limits(
    stages: Sequence[Stage], quantiser: Quantiser
) -> tuple[tuple[Stage, ...], int, int, bool]:
    """Relu and Clip just before a quantiser are its limits, since it never decreases."""
    kept, low, high = list(stages), quantiser.low, quantiser.high
    neurons = any(s.operation in NEURONS for s in kept)
    while kept and kept[-1].operation in ("relu", "clip"):
        stage = kept[-1]
        if any(len(o) > 1 for o in (*stage.operands, *quantiser.stage.operands)):
            break
        kept.pop()
        edges = stage.operands if stage.operands else (np.zeros(1, np.float32), None)
        ends = [None if e is None else int(quantiser.stage.apply(e)[0]) for e in edges]
        low = low if ends[0] is None else min(max(low, ends[0]), high)
        high = high if ends[1] is None else max(min(high, ends[1]), low)
    return tuple(kept), low, high, neurons


def _channels(
    builder: Builder, value: Real, stages: Sequence[Stage], name: str
) -> tuple[Sums, Integers | None]:
    """The value as sums whose channels have operands of their own: (sums, places of a channel).

    `places` says which value of the model's tensor stands for each channel, so that operands of
    one value each can be read; None where all operands are scalars.
    """
    varying = [o for s in stages for o in s.operands if len(o) > 1]
    if isinstance(value.base, Sums):
        sums = value.base
        back = np.argsort(sums.layout)
        first = back[: sums.linear.channels]
        uniform = all(_is_tiled(o[back], sums.linear.channels) for o in varying)
        if uniform:
            return sums, first if varying else None
        value = settled(builder, value)
    held = value.base
    assert isinstance(held, Held)
    if not varying:
        return _apart(held, np.arange(held.size)[None, :], name), None
    columns = np.stack([np.ascontiguousarray(o).view(_bits(o)) for o in varying], axis=1)
    _, kind, counts = np.unique(columns, axis=0, return_inverse=True, return_counts=True)
    if (counts == counts[0]).all():
        order = np.argsort(kind.ravel(), kind="stable").reshape(len(counts), -1)
    else:
        order = np.arange(held.size)[:, None]
    return _apart(held, order, name), order[:, 0]


def _bits(array: Floats) -> str:
    return f"u{array.itemsize}"


def _is_tiled(values: Floats, channels: int) -> bool:
    rows = values.reshape(-1, channels)
    return bool((rows == rows[0]).all())


def _apart(held: Held, order: Integers, name: str) -> Sums:
    """Each value by itself as a sum of one term: order[channel, position] is where it stands."""
    channels, positions = order.shape
    linear = Linear(
        "elementwise",
        np.ones((channels, 1), dtype=np.int64),
        np.zeros(channels, dtype=np.int64),
        np.ascontiguousarray(order.T)[:, :, None],
    )
    layout = np.empty(held.size, dtype=np.int64)
    layout[order.T.ravel()] = np.arange(positions * channels)
    return Sums(name, linear, held, layout)


def _is_rescale(value: Real, stages: Sequence[Stage], quantiser: Quantiser) -> bool:
    """Whether the chain is sums, times a scale, quantised: then it is a QLinear operator."""
    sums = isinstance(value.base, Sums) or (
        isinstance(value.base, Held) and value.base.dtype == np.int32
    )
    if not sums or quantiser.stage.operation != "quantise":
        return False
    if len(stages) != 1 or stages[0].operation != "grid":
        return False
    step, offset, scale = stages[0].operands
    return bool((step == 1).all() and (offset == 0).all() and (scale > 0).all())


def _rescaled(
    first: Stage, quantiser: Quantiser, low: int, high: int, places: Integers | None
) -> tuple[Single, ...]:
    """rint(float32(sum) * ((s_a * s_b) / s_y)) + z_y, saturated: onnxruntime's requantisation."""

    def chosen(o: Floats) -> Floats:
        return o if len(o) == 1 or places is None else o[places]

    scale, zero = quantiser.stage.operands[:2]
    multiplier = chosen(first.operands[2]) / chosen(scale)
    if not bool((np.isfinite(multiplier) & (multiplier > 0)).all()):
        raise Refusal("its scales give a multiplier that is not finite and above 0")
    return (
        Rescale(np.asarray(multiplier, dtype=np.float32)),
        Offset(chosen(zero).astype(np.int64)),
        Clamp(low, high),
    )


def _trend(stages: Sequence[Stage], channels: int, places: Integers | None) -> Integers | None:
    """+1 per channel where the chain never decreases, -1 where it never increases; or None."""
    trend = np.ones(channels, dtype=np.int64)
    for stage in stages:
        found = direction(stage)
        if found is None:
            return None
        trend = trend * (found if len(found) == 1 or places is None else found[places])
    return trend


def _slope(
    stages: Sequence[Stage], last: Stage, ends: tuple[Integers, Integers], places: Integers | None
) -> npt.NDArray[np.float64]:
    """How many levels of the quantiser a chain rises for each integer, on average, per channel."""
    low, high = (np.asarray(evaluate(stages, e[None], places), np.float64)[0] for e in ends)
    unit = last.operands[0].astype(np.float64) if last.operation != "reached" else np.ones(1)
    unit = unit if len(unit) == 1 or places is None else unit[places]
    return np.asarray(np.abs(high - low) / np.maximum(ends[1] - ends[0], 1) / unit)


def _written_out(
    linear: Linear,
    function: Function,
    ends: tuple[Integers, Integers],
    trend: Integers | None,
    slope: npt.NDArray[np.float64] | None,
) -> tuple[Linear, tuple[Single, ...]]:
    """A function of each sum as activations; channels in which it falls get their signs turned.

    `slope` is given where sums are single values: how steep the function is, [channels].
    """
    low, high = ends
    span = int((high - low).max()) + 1
    if trend is None:
        if span > TABLE_LIMIT:
            raise Refusal(
                f"a function that rises and falls acts on a value of {span} levels",
                "quantise its argument to 8 bits",
            )
        return linear, _tabulated(function, low, high)
    turned = linear
    if (trend < 0).any():
        turned = replace(linear, weights=linear.weights * trend[:, None], bias=linear.bias * trend)
        low, high = np.where(trend < 0, -high, low), np.where(trend < 0, -low, high)
    least, thresholds = _steps(lambda z: function(z * trend), low, high)
    if thresholds.shape[1] == 0:
        return turned, (Clamp(least, least),)
    if slope is not None:
        fitted = _multiple(turned, least, thresholds, low, high, slope)
        if fitted is not None:
            return fitted
        if span <= TABLE_LIMIT:
            return linear, _tabulated(function, *ends)
    raised: tuple[Single, ...] = (Offset(np.array([least])),) if least else ()
    if thresholds.shape[1] == 1:
        return turned, (Threshold(thresholds[:, 0]), *raised)
    return turned, (Staircase(thresholds), *raised)


def _tabulated(function: Function, low: Integers, high: Integers) -> tuple[Single, ...]:
    """A function of at most 8 bits as a table, one for all channels where they are equal."""
    first, last = int(low.min()), int(high.max())
    if last - first >= TABLE_LIMIT:
        raise Refusal("its channels have sums of different ranges", "quantise its argument")
    values = np.broadcast_to(
        function(np.arange(first, last + 1)[:, None]).T, (len(low), last - first + 1)
    )
    return (Table(first, np.array(values[0] if (values == values[0]).all() else values)),)


def _steps(function: Function, low: Integers, high: Integers) -> tuple[int, Integers]:
    """A function that never decreases on low..high of each channel: (least value, thresholds).

    thresholds: int64 [channels, levels - 1]: the first z at which each further level is reached,
    found by bisection; high + 1 where it is not.
    """
    least, most = int(function(low[None]).min()), int(function(high[None]).max())
    if (most - least) * len(low) > LEVEL_LIMIT * 256:
        raise Refusal(f"{most - least + 1} levels in {len(low)} channels are too many thresholds")
    levels = np.arange(least + 1, most + 1)[:, None]
    start = np.broadcast_to(low, (len(levels), len(low))).copy()
    stop = np.broadcast_to(high + 1, start.shape).copy()
    while bool((unknown := start < stop).any()):
        middle = (start + stop) >> 1
        reached = function(middle) >= levels
        stop = np.where(unknown & reached, middle, stop)
        start = np.where(unknown & ~reached, middle + 1, start)
    return least, np.ascontiguousarray(start.T)


def _multiple(
    linear: Linear,
    least: int,
    thresholds: Integers,
    low: Integers,
    high: Integers,
    slope: npt.NDArray[np.float64],
) -> tuple[Linear, tuple[Single, ...]] | None:
    """Single values whose steps are those of floor((m * z + c) / 2^s), limited; None if none are.

    With level y first reached at t, c must lie in y * 2^s - m * t .. y * 2^s - 1 - m * (t - 1) for
    every y. The smallest s at which all channels have such an m and c is taken.
    """
    most = least + thresholds.shape[1]
    levels = np.arange(least + 1, most + 1)
    inner = (thresholds > low[:, None]) & (thresholds <= high[:, None])
    count = inner.sum(axis=1)
    if int(count.max()) == 0:
        return None
    at, level = np.where(inner, thresholds, 0), np.where(inner, levels, 0)
    widest = int(np.maximum(np.abs(low), np.abs(high)).max())
    for shift in range(SHIFT_LIMIT + 1):
        if float(slope.max()) * 2.0**shift * widest >= 2.0**60:
            return None
        one = np.int64(1) << shift
        for nudge in (0, 1, -1):
            factor = np.maximum(np.rint(slope * one).astype(np.int64) + nudge, 1)[:, None]
            lower = np.max(level * one - factor * at, axis=1, where=inner, initial=-UNREACHED)
            upper = np.min(
                level * one - 1 - factor * (at - 1), axis=1, where=inner, initial=UNREACHED
            )
            # Levels out of reach at both ends are left to the limits below.
            if (lower <= upper).all():
                break
        else:
            continue
        constant = np.where(count > 0, lower, least * one - factor[:, 0] * low)
        made = replace(
            linear,
            weights=linear.weights * factor,
            bias=linear.bias * factor[:, 0] + constant,
        )
        shifts = np.full(len(low), shift)
        activations: list[Single] = [Requantise(shifts, "floor")] if shift else []
        ends = [(factor[:, 0] * z + constant) >> shift for z in (low, high)]
        if int(ends[0].min()) < least or int(ends[1].max()) > most:
            activations.append(Clamp(least, most))
        return made, tuple(activations)
    return None


# --- two variable arguments ------------------------------------------------------------------


def _paired(builder: Builder, pair: Pair, value: Real, quantiser: Quantiser, name: str) -> Held:
    stages, low, high, neurons = _limits(value.stages, quantiser)
    first, second = settled(builder, pair.first), settled(builder, pair.second)
    one, two = first.base, second.base
    assert isinstance(one, Held) and isinstance(two, Held)
    chains = (first.stages, second.stages, stages)
    if any(len(o) > 1 for chain in chains for s in chain for o in s.operands):
        raise Refusal("its two variable inputs have a scale for each channel")
    a, b = np.arange(one.low, one.high + 1), np.arange(two.low, two.high + 1)
    if len(a) * len(b) > PAIR_LIMIT:
        raise Refusal(
            f"its two variable inputs have {len(a)} and {len(b)} levels", "quantise both to 8 bits"
        )
    wanted = np.clip(_table(pair.operation, chains, quantiser, a, b), low, high)
    program = _formula(pair.operation, chains, quantiser, wanted, a, b)
    reads = pair.places + np.array([0, one.size])
    return builder.rescaled(
        builder.computed(
            name, f"q{pair.operation}", program, [one, two], reads, value.shape, quantiser.dtype,
            (low, high), neurons,
        ),
        **quantiser.fields,
    )  # fmt: skip


Chains = tuple[tuple[Stage, ...], tuple[Stage, ...], tuple[Stage, ...]]


def _table(
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
    x, y = evaluate(first, a[:, None]), evaluate(second, b[None, :])
    joined = {"add": x + y, "subtract": x - y, "multiply": x * y}[operation]
    made = evaluate((*after, quantiser.stage), joined)
    return np.asarray(made, dtype=np.int64)


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


def _formula(
    operation: str, chains: Chains, quantiser: Quantiser, wanted: Integers, a: Integers, b: Integers
) -> Any:
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


# --- tensors put together --------------------------------------------------------------------


def _assembled(builder: Builder, base: Parts, value: Real, quantiser: Quantiser, name: str) -> Held:
    """Concat of floats of different scales: each part is quantised by itself, then moved."""
    stages = (*value.stages, quantiser.stage)
    if any(len(o) > 1 for s in stages for o in s.operands):
        raise Refusal("tensors of different scales are put together and scaled for each channel")
    made = []
    for number, part in enumerate(base.parts):
        whole = replace(part, stages=(*part.stages, *value.stages))
        held = closed(builder, whole, quantiser, f"{name}.part{number}")
        if isinstance(held, Constant):
            held = builder.materialised(
                Constant(held.array.astype(np.int64)), f"{name}.part{number}"
            )
        made.append(held)
    out = builder.wired(name, "concat", made, base.index, value.shape, quantiser.dtype)
    return builder.rescaled(out, **quantiser.fields)
