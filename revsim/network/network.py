"""`Network`: a chain of integer operators with exact ranges, and its layers.

A layer begins at each dense operator; what follows it up to the next one is its activation part.
Activations before any dense operator form a layer of their own.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from revsim.errors import InputError
from revsim.network.operators import (
    NEURON_KINDS,
    Argmax,
    Dense,
    Integers,
    Operator,
    Sign,
    check_operator,
)

RANGE_LIMIT = 1 << 61
"""No value of a network may leave this range, so that int64 arithmetic stays exact."""


@dataclass(frozen=True, eq=False)
class NetworkLayer:
    """One layer: linear part (or none), activation part, ranges int64 [n] before and after each."""

    name: str
    linear: Dense | None
    activations: tuple[Operator, ...]
    input_low: Integers
    input_high: Integers
    z_low: Integers
    z_high: Integers
    output_low: Integers
    output_high: Integers

    @property
    def kind(self) -> str:
        """Operators in order, such as `dense+relu+requantise`."""
        parts = [] if self.linear is None else [self.linear.kind]
        return "+".join([*parts, *(a.kind for a in self.activations)]) or "identity"

    @property
    def neurons(self) -> int:
        """Number of neurons: outputs of relu, clamp, sign or threshold."""
        return len(self.output_low) if any(a.kind in NEURON_KINDS for a in self.activations) else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the linear part (zero weights included, as is usual)."""
        return 0 if self.linear is None else int(self.linear.weights.size)

    def active(self, outputs: Integers) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Which neurons are active: requantised value above 0; sign and threshold: output 1."""
        return outputs >= 1 if any(isinstance(a, Sign) for a in self.activations) else outputs > 0


@dataclass(frozen=True, eq=False)
class Network:
    """A quantised network: inputs are integers in [input_low, input_high] (int64 [n] each).

    `source` and `licence` say where weights and data come from.

    >>> from revsim.network.arrays import from_arrays
    >>> net = from_arrays([[[1, -2]]], [[1]], activation="relu", input_range=(0, 3))
    >>> net.layers[0].z_low.tolist(), net.layers[0].z_high.tolist(), net.layers[0].kind
    ([-5], [4], 'dense+relu')
    """

    name: str
    input_low: Integers
    input_high: Integers
    operators: tuple[Operator, ...]
    source: str = ""
    licence: str = ""
    layers: tuple[NetworkLayer, ...] = field(init=False)

    def __post_init__(self) -> None:
        low, high = self.input_low, self.input_high
        if low.ndim != 1 or low.shape != high.shape or len(low) == 0:
            raise InputError(f"network {self.name!r}: input ranges must be two lists of one length")
        bad = np.flatnonzero(low > high)
        if len(bad):
            raise InputError(
                f"network {self.name!r}: input {bad[0]} has the empty range "
                f"{low[bad[0]]}..{high[bad[0]]}"
            )
        wide = np.flatnonzero((low <= -RANGE_LIMIT) | (high >= RANGE_LIMIT))
        if len(wide):
            raise InputError(
                f"network {self.name!r}: input {wide[0]} leaves the 62-bit range: "
                f"{low[wide[0]]}..{high[wide[0]]}"
            )
        if not self.operators:
            raise InputError(f"network {self.name!r} has no operators")
        for k, operator in enumerate(self.operators[:-1]):
            if isinstance(operator, Argmax):
                raise InputError(
                    f"network {self.name!r}: operator {k} is argmax, which can only be the last"
                )
        object.__setattr__(self, "layers", self._layers())

    def _layers(self) -> tuple[NetworkLayer, ...]:
        layers: list[NetworkLayer] = []
        low, high = self.input_low, self.input_high
        position = 0
        while position < len(self.operators):
            start_low, start_high = low, high
            name = f"layer{len(layers) + 1}"
            first = self.operators[position]
            linear = first if isinstance(first, Dense) else None
            if linear is not None:
                low, high = self._step(linear, low, high, name)
                position += 1
            z_low, z_high = low, high
            activations: list[Operator] = []
            while position < len(self.operators):
                operator = self.operators[position]
                if isinstance(operator, Dense):
                    break
                low, high = self._step(operator, low, high, name)
                activations.append(operator)
                position += 1
            layers.append(
                NetworkLayer(
                    name,
                    linear,
                    tuple(activations),
                    start_low,
                    start_high,
                    z_low,
                    z_high,
                    low,
                    high,
                )
            )
        return tuple(layers)

    def _step(
        self, operator: Operator, low: Integers, high: Integers, layer: str
    ) -> tuple[Integers, Integers]:
        where = f"network {self.name!r}, {layer}, operator {operator.kind}"
        check_operator(operator, len(low), where)
        if isinstance(operator, Dense):  # bounds in Python integers: int64 might overflow silently
            span = np.maximum(np.abs(low), np.abs(high)).astype(object)
            worst = np.abs(operator.weights.astype(object)) @ span
            worst = worst + np.abs(operator.bias.astype(object))
            if any(int(w) >= RANGE_LIMIT for w in worst):
                raise InputError(f"{where}: sums leave the 62-bit range; scale the weights down")
        multiplier = getattr(operator, "multiplier", None)
        if multiplier is not None:
            span = np.maximum(np.abs(low), np.abs(high)).astype(object)
            if any(int(w) >= RANGE_LIMIT for w in span * multiplier.astype(object)):
                raise InputError(f"{where}: products leave the 62-bit range")
        low, high = operator.bounds(low, high)
        if isinstance(operator, Dense) and operator.bits is not None:
            limit = 1 << (operator.bits - 1)
            bad = np.flatnonzero((low < -limit) | (high >= limit))
            if len(bad):
                raise InputError(
                    f"{where}: output {bad[0]} ranges over {low[bad[0]]}..{high[bad[0]]}, which "
                    f"does not fit the forced width of {operator.bits} bits; force it wider or "
                    "make the weights smaller"
                )
        return low, high

    @cached_property
    def inputs(self) -> int:
        """Number of input values."""
        return len(self.input_low)

    @cached_property
    def outputs(self) -> int:
        """Number of output values (1 for a classifier: the class)."""
        return len(self.layers[-1].output_low)

    @property
    def classifies(self) -> bool:
        """Whether the output is the index of the greatest logit."""
        return isinstance(self.operators[-1], Argmax)

    @property
    def macs(self) -> int:
        """Multiply-accumulates per inference."""
        return sum(layer.macs for layer in self.layers)

    def __repr__(self) -> str:
        shape = "-".join(str(len(n)) for n in (self.input_low, *(x.z_low for x in self.layers)))
        return f"Network({self.name!r}, {shape}, {' '.join(o.kind for o in self.operators)})"
