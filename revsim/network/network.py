"""`Network`: a chain of integer operators with exact ranges, and its layers.

A layer begins at each sum (dense, convolution, product); the elementwise operators that follow are
its activations, and a choice (argmax, top-k, maximum) closes it. A choice after neurons is a layer
of its own, so that a layer's output is its neurons' output. Activations before any sum form a layer
of their own as well.

A network on a stream carries a state: some of its inputs are what some of its outputs were a step
before. The chain itself is a plain function from (x_t, s_t-1) to (y_t, s_t).
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from revsim.errors import InputError
from revsim.network.operators import (
    NEURON_KINDS,
    Argmax,
    Choice,
    Elementwise,
    Integers,
    Operator,
    Part,
    Requantise,
    Sum,
    Table,
)

RANGE_LIMIT = 1 << 61
"""No value of a network may leave this range, so that int64 arithmetic stays exact."""


@dataclass(frozen=True, eq=False)
class NetworkLayer:
    """One layer: linear part (or none), activation part, ranges int64 [n] before and after each.

    The linear part may be a sum of products, which is not linear but computed in the same way.
    """

    name: str
    linear: Sum | None
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
    def elementwise(self) -> tuple[Elementwise, ...]:
        """The activations that act on each value by itself."""
        return tuple(a for a in self.activations if isinstance(a, Elementwise))

    @property
    def choice(self) -> Choice | None:
        """The operator that closes the layer by comparing values, if any."""
        last = self.activations[-1] if self.activations else None
        return last if isinstance(last, Choice) else None

    @cached_property
    def neuron_columns(self) -> Integers:
        """Which outputs are neurons: relu, clamp, sign or threshold act on them. Ascending."""
        whole = np.zeros(len(self.output_low), dtype=np.bool_)
        for operator in self.elementwise:
            inner = operator.operator if isinstance(operator, Part) else operator
            if inner.kind in NEURON_KINDS:
                whole[operator.columns if isinstance(operator, Part) else slice(None)] = True
        return np.flatnonzero(whole)

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return len(self.neuron_columns)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the linear part."""
        return 0 if self.linear is None else self.linear.macs

    def active(self, outputs: Integers) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Which neurons are active, bool [rows, neurons], from outputs [rows, n] of the layer.

        Requantised value above 0; sign and threshold: output 1.
        """
        return outputs[:, self.neuron_columns] > 0


@dataclass(frozen=True, eq=False)
class Network:
    """A quantised network: inputs are integers in [input_low, input_high] (int64 [n] each).

    `source` and `licence` say where weights and data come from. `state` names (input, output)
    pairs: on a stream, that input is what that output was a step before, `initial` (one integer a
    pair, default 0) at the first step; `run_sequence` is the reference.

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
    state: tuple[tuple[int, int], ...] = ()
    initial: tuple[int, ...] = ()
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
        object.__setattr__(self, "layers", self._layers())
        if self.state and not self.initial:
            object.__setattr__(self, "initial", (0,) * len(self.state))
        self._check_state()

    def _layers(self) -> tuple[NetworkLayer, ...]:
        layers: list[NetworkLayer] = []
        low, high = self.input_low, self.input_high
        position = 0
        while position < len(self.operators):
            start_low, start_high = low, high
            name = f"layer{len(layers) + 1}"
            first = self.operators[position]
            linear = first if isinstance(first, Sum) else None
            if linear is not None:
                low, high = self._step(linear, low, high, name)
                position += 1
            z_low, z_high = low, high
            activations: list[Operator] = []
            fires = False
            while position < len(self.operators):
                operator = self.operators[position]
                if isinstance(operator, Sum) or (isinstance(operator, Choice) and fires):
                    break
                low, high = self._step(operator, low, high, name)
                activations.append(operator)
                position += 1
                if isinstance(operator, Choice):
                    break
                fires = fires or operator.kind.removesuffix("_part") in NEURON_KINDS
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
        operator.check(len(low), where)
        span = np.maximum(np.abs(low), np.abs(high))
        # Sums in floating point, since int64 might overflow silently.
        if isinstance(operator, Sum) and bool(
            (operator.magnitude(span.astype(np.float64)) >= RANGE_LIMIT).any()
        ):
            raise InputError(f"{where}: sums leave the 62-bit range; scale the weights down")
        _check_reach(operator, low, high, where)
        low, high = operator.bounds(low, high)
        if isinstance(operator, Sum) and operator.bits is not None:
            limit = 1 << (operator.bits - 1)
            bad = np.flatnonzero((low < -limit) | (high >= limit))
            if len(bad):
                raise InputError(
                    f"{where}: output {bad[0]} ranges over {low[bad[0]]}..{high[bad[0]]}, which "
                    f"does not fit the forced width of {operator.bits} bits; force it wider or "
                    "make the weights smaller"
                )
        return low, high

    def _check_state(self) -> None:
        where = f"network {self.name!r}, state"
        low, high = self.layers[-1].output_low, self.layers[-1].output_high
        if len(self.initial) != len(self.state):
            raise InputError(f"{where}: {len(self.initial)} initial values for {len(self.state)}")
        if len({i for i, _ in self.state}) < len(self.state):
            raise InputError(f"{where}: one input is fed by two outputs")
        for (i, j), start in zip(self.state, self.initial, strict=True):
            if not (0 <= i < self.inputs and 0 <= j < self.outputs):
                raise InputError(
                    f"{where}: input {i} from output {j}; there are {self.inputs} inputs and "
                    f"{self.outputs} outputs"
                )
            least, most = int(self.input_low[i]), int(self.input_high[i])
            if int(low[j]) < least or int(high[j]) > most:
                raise InputError(
                    f"{where}: output {j} ranges over {low[j]}..{high[j]}, outside the declared "
                    f"{least}..{most} of input {i} that it feeds; clamp, wrap or requantise it"
                )
            if not least <= start <= most:
                raise InputError(f"{where}: input {i} starts at {start}, outside {least}..{most}")

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


def _check_reach(operator: Operator, low: Integers, high: Integers, where: str) -> None:
    """Refuse values that a requantiser's products or a table's entries do not cover."""
    inner, columns = operator, np.arange(len(low))
    if isinstance(operator, Part):
        inner, columns = operator.operator, operator.columns
        low, high = low[columns], high[columns]
    if isinstance(inner, Requantise) and inner.multiplier is not None:
        span = np.maximum(np.abs(low), np.abs(high)).astype(object)
        if any(int(w) >= RANGE_LIMIT for w in span * inner.multiplier.astype(object)):
            raise InputError(f"{where}: products leave the 62-bit range")
    if isinstance(inner, Table):
        last = inner.low + inner.values.shape[-1] - 1
        bad = np.flatnonzero((low < inner.low) | (high > last))
        if len(bad):
            k = int(bad[0])
            raise InputError(
                f"{where}: value {columns[k]} ranges over {low[k]}..{high[k]}, the table knows "
                f"{inner.low}..{last}; requantise or clamp before it, or give a wider table"
            )
