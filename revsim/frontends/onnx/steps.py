"""A function from one integer to another as activations: thresholds, multiples, tables.

The function is given as NumPy code on integers, per channel; what is written down equals it on the
whole range of each channel.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from revsim.frontends.onnx.builder import Refusal
from revsim.frontends.onnx.reals import direction
from revsim.network.graph import Linear
from revsim.network.operators import (
    TABLE_LIMIT,
    Clamp,
    Offset,
    Requantise,
    Single,
    Staircase,
    Table,
    Threshold,
)
from revsim.network.reals import Stage, evaluate
from revsim.network.sums import Integers

LEVEL_LIMIT = 1 << 12
"""Most levels of a staircase."""
SHIFT_LIMIT = 36
"""Most places by which a multiple of a single value is shifted."""
UNREACHED = 1 << 60
Function = Callable[[Integers], Integers]
"""int64 [rows, channels] to int64 [rows, channels]: what becomes of each sum."""


def trend_of(stages: Sequence[Stage], channels: int, places: Integers | None) -> Integers | None:
    """+1 per channel where the chain never decreases, -1 where it never increases; or None."""
    trend = np.ones(channels, dtype=np.int64)
    for stage in stages:
        found = direction(stage)
        if found is None:
            return None
        trend = trend * (found if len(found) == 1 or places is None else found[places])
    return trend


def slope_of(
    stages: Sequence[Stage], last: Stage, ends: tuple[Integers, Integers], places: Integers | None
) -> npt.NDArray[np.float64]:
    """How many levels of the quantiser a chain rises for each integer, on average, per channel."""
    low, high = (np.asarray(evaluate(stages, e[None], places), np.float64)[0] for e in ends)
    unit = last.operands[0].astype(np.float64) if last.operation != "reached" else np.ones(1)
    unit = unit if len(unit) == 1 or places is None else unit[places]
    return np.asarray(np.abs(high - low) / np.maximum(ends[1] - ends[0], 1) / unit)


def activations_of(
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
