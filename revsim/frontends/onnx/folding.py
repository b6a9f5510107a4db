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

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from revsim.frontends.onnx.builder import Builder, Constant, Held, Refusal
from revsim.frontends.onnx.pairs import formula, joined, tabled
from revsim.frontends.onnx.reals import (
    Outside,
    Pair,
    Parts,
    Quantiser,
    Real,
    Sums,
    direction,
    known,
    placed,
    settled,
    written,
)
from revsim.frontends.onnx.steps import activations_of, slope_of, trend_of
from revsim.network.graph import Linear
from revsim.network.operators import (
    Clamp,
    Offset,
    Rescale,
    Single,
)
from revsim.network.reals import Floats, Stage, evaluate
from revsim.network.sums import Integers

PAIR_LIMIT = 1 << 18
"""Most pairs of two variable arguments whose results are compared one by one."""
NEURONS = ("relu", "clip", "sign", "leaky_relu")
"""Stages that make neurons of a node's outputs; other functions of one value are tables."""


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
    if all(direction(s) is not None for s in stages):
        reals = [np.asarray(evaluate(stages, e[None], places)) for e in ends]
        neurons = neurons or _activates(quantiser, min(float(r.min()) for r in reals))
    else:
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
            slope = slope_of(stages, quantiser.stage, ends, places)
        trend = trend_of(stages, sums.linear.channels, places)
        linear, activations = activations_of(sums.linear, function, ends, trend, slope)
    if not activations and isinstance(value.base, Held) and _same(value.base, low, high, linear):
        return replace(value.base, shape=value.shape, dtype=quantiser.dtype)
    sums = replace(sums, linear=linear)
    return placed(
        builder, sums, value.shape, quantiser.dtype, (low, high), activations, neurons, name,
        **quantiser.fields,
    )  # fmt: skip


def _activates(quantiser: Quantiser, least: float) -> bool:
    """Whether a quantiser is an activation function of reals from `least` on. One whose zero point
    is its lowest level stands for a relu only where there is something below 0 to cut off: a mean
    or a sum of values that a relu made has none."""
    return quantiser.neurons and (quantiser.stage.operation != "quantise" or least < 0)


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


# --- two variable arguments, and tensors put together ----------------------------------------


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
    wanted = np.clip(tabled(pair.operation, chains, quantiser, a, b), low, high)
    least = float(joined(pair.operation, chains, a, b).min())
    neurons = neurons or _activates(quantiser, least)
    program = formula(pair.operation, chains, quantiser, wanted, a, b)
    reads = pair.places + np.array([0, one.size])
    return builder.rescaled(
        builder.computed(
            name, f"q{pair.operation}", program, [one, two], reads, value.shape, quantiser.dtype,
            (low, high), neurons,
        ),
        **quantiser.fields,
    )  # fmt: skip


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
