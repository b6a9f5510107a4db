"""A network from plain arrays: weights, biases, shifts, one activation, input ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.network.network import Network
from revsim.network.operators import (
    ROUNDINGS,
    Argmax,
    Clamp,
    Dense,
    Integers,
    Operator,
    Relu,
    Requantise,
    Sign,
    Threshold,
)

ACTIVATIONS = ("relu", "sign", "threshold", "none")
OUTPUTS = ("argmax", "activation", "none")


def integers(values: npt.ArrayLike, what: str, dimensions: int | None = None) -> Integers:
    """Values as int64, or an InputError that says why not (NaN, fractions, text, ragged, shape)."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{what}: rows of unequal length") from error
    if array.dtype.kind not in "iubf":
        raise InputError(f"{what}: expected integers, got {array.dtype}")
    if array.dtype.kind == "f":
        _refuse(~np.isfinite(array), array, what, "NaN and infinity are no integers")
        _refuse(array != np.floor(array), array, what, "quantise to integers first")
    _refuse((array >= 1 << 62) | (array <= -(1 << 62)), array, what, "2^62 and more is too large")
    if dimensions is not None and array.ndim != dimensions:
        raise InputError(f"{what}: expected {dimensions} dimensions, got shape {array.shape}")
    return array.astype(np.int64)


def _refuse(bad: npt.NDArray[np.bool_], array: npt.NDArray[Any], what: str, why: str) -> None:
    if bool(bad.any()):
        place = tuple(int(v) for v in np.argwhere(bad)[0])
        raise InputError(f"{what}: {list(place) if place else 'it'} is {array[place]}; {why}")


def from_arrays(
    weights: Sequence[npt.ArrayLike],
    biases: Sequence[npt.ArrayLike] | None = None,
    shifts: Sequence[npt.ArrayLike] | None = None,
    *,
    activation: str = "relu",
    input_range: tuple[npt.ArrayLike, npt.ArrayLike] = (0, 1),
    activation_range: tuple[int, int] | None = None,
    output: str = "activation",
    thresholds: Sequence[npt.ArrayLike] | None = None,
    rounding: str = "half_up",
    accumulator_bits: int | None = None,
    name: str = "network",
) -> Network:
    """A dense network: each layer is weights, bias, activation, requantise, clamp.

    weights: per layer integers [outputs, inputs]; biases [outputs] (default 0); shifts: right
    shift per layer (a number or [outputs]; default 0: no requantisation); activation: "relu",
    "sign", "threshold" (with `thresholds`, default 0) or "none"; input_range: least and greatest
    input, numbers or [inputs]; activation_range: saturate activations to (low, high);
    output: "argmax" (the last layer gives logits and the class is the output), "none" (logits are
    the output) or "activation" (the last layer is activated like the others); rounding of the
    shifts: "half_up", "floor", "half_away" or "half_even"; accumulator_bits forces a width.
    Raises InputError on NaN, fractions, wrong shapes or sums that do not fit.

    >>> net = from_arrays([[[1, 1], [1, 1]], [[1, -2]]], [[0, -1], [0]], output="none", name="xor")
    >>> net
    Network('xor', 2-2-1, dense relu dense)
    """
    if activation not in ACTIVATIONS:
        raise InputError(f"unknown activation {activation!r}; choose one of {ACTIVATIONS}")
    if output not in OUTPUTS:
        known = output in ACTIVATIONS
        hint = '; for that give activation= and output="activation"' if known else ""
        raise InputError(f"unknown output {output!r}; choose one of {OUTPUTS}{hint}")
    if rounding not in ROUNDINGS:
        raise InputError(f"unknown rounding {rounding!r}; choose one of {', '.join(ROUNDINGS)}")
    layers = _layers(weights, "weights")
    if layers == 0:
        raise InputError("weights: at least one layer is needed")
    for what, given in (("biases", biases), ("shifts", shifts), ("thresholds", thresholds)):
        if given is not None and _layers(given, what) != layers:
            raise InputError(f"{what}: {len(given)} given for {layers} layers")
    if accumulator_bits is not None and accumulator_bits not in range(1, 63):
        raise InputError(f"accumulator_bits must lie in 1..62, got {accumulator_bits}")
    if activation_range is not None:
        activation_range = _two(activation_range, "activation_range")
    operators: list[Operator] = []
    for k, layer_weights in enumerate(weights):
        where = f"layer{k + 1}"
        w = integers(layer_weights, f"{where}: weights", 2)
        n = w.shape[0]
        bias = np.zeros(n, np.int64) if biases is None else integers(biases[k], f"{where}: bias", 1)
        operators.append(Dense(w, bias, accumulator_bits))
        last = k == layers - 1
        if last and output == "argmax":
            operators.append(Argmax())
        elif not (last and output == "none"):
            operators += _activation(k, n, where, activation, thresholds, shifts, rounding)
            if activation_range is not None and activation in ("relu", "none"):
                operators.append(Clamp(*activation_range))
    inputs = integers(weights[0], "layer1: weights", 2).shape[1]
    if not isinstance(input_range, Sequence | np.ndarray) or len(input_range) != 2:
        raise InputError(f"input_range: expected (least, greatest), got {input_range!r}")
    low, high = (
        np.broadcast_to(integers(v, "input_range"), (inputs,)).astype(np.int64)
        if np.ndim(v) == 0 or np.shape(v) == (inputs,)
        else _bad_range(v, inputs)
        for v in input_range
    )
    return Network(name, low, high, tuple(operators))


def _layers(given: Sequence[npt.ArrayLike], what: str) -> int:
    """How many layers are given, or an InputError where it is no list of them."""
    if not isinstance(given, Sequence) and np.ndim(given) == 0:
        raise InputError(f"{what}: expected a list with one entry a layer, got {given!r}")
    return len(given)


def _two(given: tuple[int, int], what: str) -> tuple[int, int]:
    """Least and greatest as Python integers, or an InputError."""
    ends = integers(given, what)
    if ends.shape != (2,):
        raise InputError(f"{what}: expected (least, greatest), got {given!r}")
    return int(ends[0]), int(ends[1])


def _bad_range(values: npt.ArrayLike, inputs: int) -> Integers:
    raise InputError(f"input_range: shape {np.shape(values)}; expected a number or [{inputs}]")


def _activation(
    k: int,
    outputs: int,
    where: str,
    activation: str,
    thresholds: Sequence[npt.ArrayLike] | None,
    shifts: Sequence[npt.ArrayLike] | None,
    rounding: str,
) -> list[Operator]:
    operators: list[Operator] = []
    if activation == "relu":
        operators.append(Relu())
    elif activation == "sign":
        return [Sign()]
    elif activation == "threshold":
        given = np.zeros(outputs, np.int64) if thresholds is None else thresholds[k]
        return [Threshold(_per_output(given, outputs, f"{where}: thresholds"))]
    if shifts is not None:
        shift = _per_output(shifts[k], outputs, f"{where}: shifts")
        if bool((shift != 0).any()):
            operators.append(Requantise(shift, rounding))
    return operators


def _per_output(values: npt.ArrayLike, outputs: int, what: str) -> Integers:
    array = integers(values, what)
    if array.ndim and array.shape != (outputs,):
        raise InputError(f"{what}: shape {array.shape}; expected a number or [{outputs}]")
    return np.broadcast_to(array, (outputs,)).astype(np.int64)
