"""`lower`: an integer network to one `LoweredLayer` per layer, reversible throughout.

A lowered layer offers the parts from which a schedule chooses: `linear` (x, z -> x, z ^ Wx + b),
the `stages` that activate a z in place and name their garbage, `copies` (x, y -> x, y ^ layer(x),
everything undone inside) and `joint` for operators that look at all neurons at once (argmax).
None of them erases anything.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from revsim.blocks.columns import sum_columns
from revsim.blocks.maximum import argmax
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.measures import counts
from revsim.circuit.registers import Encoding, Wires
from revsim.errors import InputError
from revsim.lower.activation import Stage, Value, chains
from revsim.lower.linear import WeightedSum, linear_definition, weighted_sum
from revsim.network.network import Network, NetworkLayer
from revsim.network.operators import Argmax, Dense, Operator, Relu, Requantise, Sign, Threshold


@dataclass(frozen=True, eq=False)
class LoweredLayer:
    """One layer of a network as reversible parts.

    `inputs`, `z`, `outputs`: encodings per value. `sums`: one weighted sum per neuron, empty where
    the layer has no linear part (then z is its input). `stages`: per neuron, in order.
    """

    source: NetworkLayer
    inputs: tuple[Encoding, ...]
    z: tuple[Encoding, ...]
    activated: tuple[Encoding, ...]
    outputs: tuple[Encoding, ...]
    sums: tuple[WeightedSum, ...]
    stages: tuple[tuple[Stage, ...], ...]

    @property
    def name(self) -> str:
        """Name of the layer."""
        return self.source.name

    @property
    def has_argmax(self) -> bool:
        """Whether an argmax over all neurons closes the layer."""
        return any(isinstance(a, Argmax) for a in self.source.activations)

    @cached_property
    def linear(self) -> tuple[Definition, ...]:
        """Per neuron: ports `x` (wires with a weight), `z`."""
        return tuple(
            linear_definition(total, f"{self.name} sum {j}") for j, total in enumerate(self.sums)
        )

    @cached_property
    def linear_toffolis(self) -> int:
        """Toffolis of the linear part, computed and uncomputed, once."""
        return sum(counts(d).toffoli for d in self.linear)

    @cached_property
    def copies(self) -> tuple[Definition, ...]:
        """Per neuron: ports `x` and `y`; y ^= activation(sum(x)), everything else undone."""
        return tuple(self._copy(j) for j in range(len(self.z)))

    def _copy(self, j: int) -> Definition:
        b = Builder(f"{self.name} neuron {j}")
        total = self.sums[j] if self.sums else None
        x = b.port("x", len(total.wires) if total else self.inputs[j].width)
        y = b.port("y", self.activated[j].width, zero=True)
        start = b.mark()
        value = sum_columns(b, total.terms(x), total.width) if total else x
        for stage in self.stages[j]:
            fresh = b.local("fresh", stage.fresh)
            stage.emit(b, value, fresh)
            value = np.concatenate([value, fresh])[list(stage.value)]
        stop = b.mark()
        b.cx(value, y)
        b.undo(start, stop)
        return b.build()

    @cached_property
    def joint(self) -> Definition:
        """Argmax: ports `value_0` .. `value_n`, `index`; index ^= the winner, values kept."""
        b = Builder(f"{self.name} argmax")
        values = [b.port(f"value_{k}", e.width) for k, e in enumerate(self.activated)]
        index = b.port("index", self.outputs[0].width, zero=True)
        widest = max(e.width for e in self.activated)
        padded: list[Wires] = []
        for value in values:  # unsigned values of unequal width: zeros above
            missing = widest - len(value)
            padded.append(np.concatenate([value, b.local("zero", missing)]) if missing else value)
        argmax(b, padded, index, signed=_is_signed(self.activated[0]))
        return b.build()


def _is_signed(encoding: Encoding) -> bool:
    return bool(encoding.weights) and encoding.weights[-1] < 0


@lru_cache(maxsize=64)
def lower(network: Network) -> tuple[LoweredLayer, ...]:
    """Every layer of a network as reversible parts; memoised by identity of the network.

    >>> from revsim.network.arrays import from_arrays
    >>> net = from_arrays([[[1, 1]]], input_range=(0, 1))
    >>> [e.weights for e in lower(net)[0].z]  # the activation needs the sign on top
    [(1, 2, -4)]
    """
    layers = []
    encodings = tuple(
        Encoding.natural(int(low), int(high))
        for low, high in zip(network.input_low, network.input_high, strict=True)
    )
    for source in network.layers:
        layer = _lower_layer(source, encodings)
        layers.append(layer)
        encodings = layer.outputs
    return tuple(layers)


def _lower_layer(source: NetworkLayer, inputs: tuple[Encoding, ...]) -> LoweredLayer:
    elementwise = tuple(a for a in source.activations if not isinstance(a, Argmax))
    closing = len(elementwise) < len(source.activations)
    sums: tuple[WeightedSum, ...] = ()
    z = inputs
    operators: list[tuple[Operator, ...]] = [elementwise] * len(source.z_low)
    if source.linear is not None:
        z, operators = _z_encodings(source, elementwise, closing)
        sums = tuple(
            weighted_sum(weights, int(bias), inputs, encoding)
            for weights, bias, encoding in zip(
                source.linear.weights, source.linear.bias, z, strict=True
            )
        )
    starts = []
    for j, encoding in enumerate(z):
        start = Value(encoding, int(source.z_low[j]), int(source.z_high[j]))
        if source.linear is not None and operators[j] is not elementwise:
            # A rounding constant is folded: the register stands for z plus that constant.
            start = Value(
                Encoding(0, encoding.weights),
                start.low - encoding.offset,
                start.high - encoding.offset,
            )
        starts.append(start)
    try:
        stages = chains(operators, starts, closing)
    except InputError as error:
        raise InputError(f"{source.name}, {error}") from None
    activated = tuple(s[-1].encoding if s else e for s, e in zip(stages, z, strict=True))
    outputs = (Encoding.unsigned(0, len(activated) - 1),) if closing else activated
    return LoweredLayer(source, inputs, z, activated, outputs, sums, stages)


def _z_encodings(
    source: NetworkLayer, elementwise: tuple[Operator, ...], closing: bool
) -> tuple[tuple[Encoding, ...], list[tuple[Operator, ...]]]:
    """How each z is held, and what is left to do per neuron once constants are folded into it."""
    linear = source.linear
    assert isinstance(linear, Dense)
    encodings: list[Encoding] = []
    operators: list[tuple[Operator, ...]] = []
    floor, ceiling = int(source.z_low.min()), int(source.z_high.max())
    for j, (low, high) in enumerate(
        zip(source.z_low.tolist(), source.z_high.tolist(), strict=True)
    ):
        left = elementwise
        if not elementwise:
            encoding = (
                Encoding.unsigned(floor, ceiling) if closing else Encoding.unsigned(low, high)
            )
        elif isinstance(elementwise[0], Threshold):
            encoding = Encoding.signed(low, high, int(elementwise[0].thresholds[j]))
        else:
            offset, left = _folded_rounding(elementwise, j)
            encoding = Encoding.signed(low, high, offset)
        if linear.bits is not None and encoding.width < linear.bits:
            offset = encoding.offset if elementwise else 0  # an unsigned offset is dropped
            encoding = Encoding(offset, Encoding.twos_complement(linear.bits).weights)
        encodings.append(encoding)
        operators.append(left)
    return tuple(encodings), operators


def _folded_rounding(
    operators: tuple[Operator, ...], neuron: int
) -> tuple[int, tuple[Operator, ...]]:
    """A power-of-two requantiser that rounds half up: its constant joins the bias, a shift is left.

    max(z, 0) may come before it: z + r is negative only where max(z, 0) + r rounds to 0 as well.
    The register then holds z + r, so its encoding's offset is -r.
    """
    place = 1 if operators and isinstance(operators[0], Relu) else 0
    if len(operators) <= place:
        return 0, operators
    operator = operators[place]
    after_relu = place == 1
    if not isinstance(operator, Requantise) or operator.multiplier is not None:
        return 0, operators
    if operator.rounding != "half_up" and not (after_relu and operator.rounding == "half_away"):
        return 0, operators
    shift = int(operator.shift[neuron])
    if shift == 0 or isinstance(operators[0], Sign):
        return 0, operators
    shifts = operator.shift.copy()
    floor = Requantise(shifts, "floor")
    return -(1 << (shift - 1)), (*operators[:place], floor, *operators[place + 1 :])
