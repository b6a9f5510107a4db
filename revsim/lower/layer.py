"""`lower`: an integer network to one `LoweredLayer` per layer, reversible throughout.

A lowered layer offers the parts from which a schedule chooses: `linear` (x, z -> x, z ^ Wx + b),
the `stages` that activate a z in place and name their garbage, `copies` (x, y -> x, y ^ layer(x),
everything undone inside) and `joint` for operators that look at several neurons at once. Neurons of
one shape (the positions of a convolution, above all) share their definitions. None erases anything.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.measures import counts
from revsim.circuit.registers import Encoding
from revsim.errors import InputError
from revsim.lower.activation import chains, threshold_of
from revsim.lower.joint import Joint, joint_of
from revsim.lower.linear import InputBits, WeightedSum, linear_definition, weighted_sum
from revsim.lower.stage import Stage, Value
from revsim.network.network import Network, NetworkLayer
from revsim.network.operators import Relu, Requantise, Single, Table, Wrap, single


@dataclass(frozen=True, eq=False)
class LoweredLayer:
    """One layer of a network as reversible parts.

    `inputs`, `z`, `outputs`: encodings per value. `sums`: one weighted sum per neuron, empty where
    the layer has no linear part (then z is its input). `stages`: per neuron, in order; `joint`:
    the choice that closes the layer, if one does.
    """

    source: NetworkLayer
    inputs: tuple[Encoding, ...]
    z: tuple[Encoding, ...]
    activated: tuple[Encoding, ...]
    outputs: tuple[Encoding, ...]
    sums: tuple[WeightedSum, ...]
    stages: tuple[tuple[Stage, ...], ...]
    joint: Joint | None

    @property
    def name(self) -> str:
        """Name of the layer."""
        return self.source.name

    @cached_property
    def linear(self) -> tuple[Definition, ...]:
        """Per neuron: ports `x` (the wires it reads), `z`."""
        made: dict[Hashable, Definition] = {}
        for j, total in enumerate(self.sums):
            if total.key not in made:
                made[total.key] = linear_definition(total, f"{self.name} sum {j}")
        return tuple(made[total.key] for total in self.sums)

    @cached_property
    def linear_toffolis(self) -> int:
        """Toffolis of the linear part, computed and uncomputed, once."""
        return sum(counts(d).toffoli for d in self.linear)

    @cached_property
    def alike(self) -> tuple[int, ...]:
        """Per neuron the first one that computes the same function, on whatever wires."""
        first: dict[Hashable, int] = {}
        return tuple(
            first.setdefault((self.sums[j].key if self.sums else self.inputs[j], *map(id, s)), j)
            for j, s in enumerate(self.stages)
        )

    @cached_property
    def copies(self) -> tuple[Definition, ...]:
        """Per neuron: ports `x` and `y`; y ^= activation(sum(x)), everything else undone."""
        made = {j: self._copy(j) for j in dict.fromkeys(self.alike)}
        return tuple(made[j] for j in self.alike)

    def _copy(self, j: int) -> Definition:
        b = Builder(f"{self.name} neuron {j}")
        total = self.sums[j] if self.sums else None
        x = b.port("x", len(total.wires) if total else self.inputs[j].width)
        y = b.port("y", self.activated[j].width, zero=True)
        start = b.mark()
        value = total.emit(b, x) if total else x
        for stage in self.stages[j]:
            fresh = b.local("fresh", stage.fresh)
            stage.compute(b, value, fresh)
            value = np.concatenate([value, fresh])[list(stage.value)]
        stop = b.mark()
        b.cx(value, y)
        b.undo(start, stop)
        return b.build()


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
    count, choice = len(source.z_low), source.choice
    compared = () if choice is None else tuple(np.unique(choice.groups_of(count)).tolist())
    operators: list[tuple[Single | None, ...]] = [
        tuple(single(a, j) for a in source.elementwise) for j in range(count)
    ]
    sums: tuple[WeightedSum, ...] = ()
    z = inputs
    lows, highs = source.z_low.tolist(), source.z_high.tolist()
    if source.linear is not None:
        bits = source.linear.bits
        z = _z_encodings(operators, lows, highs, bits, compared)
        read = InputBits.of(inputs)
        sums = tuple(
            weighted_sum(source.linear.terms(j), read, encoding) for j, encoding in enumerate(z)
        )
    starts = []
    for j, (encoding, low, high) in enumerate(zip(z, lows, highs, strict=True)):
        folded = _folded_rounding(operators[j]) if source.linear is not None else None
        if folded is not None:  # the register stands for z plus the rounding constant
            operators[j] = folded[1]
            low, high = low - encoding.offset, high - encoding.offset
            encoding = Encoding(0, encoding.weights)
        starts.append(Value(encoding, low, high))
    try:
        stages = chains(operators, starts, compared)
    except InputError as error:
        raise InputError(f"{source.name}, {error}") from None
    activated = tuple(s[-1].encoding if s else e for s, e in zip(stages, z, strict=True))
    joint = None if choice is None else joint_of(choice, activated, source.name)
    outputs = activated if joint is None else joint.outputs
    return LoweredLayer(source, inputs, z, activated, outputs, sums, stages, joint)


def _z_encodings(
    operators: Sequence[tuple[Single | None, ...]],
    lows: Sequence[int],
    highs: Sequence[int],
    bits: int | None,
    compared: Sequence[int],
) -> tuple[Encoding, ...]:
    """How each z is held: so that its first operator needs no further constant."""
    among = set(compared)
    floor, ceiling = (
        (min(lows[k] for k in compared), max(highs[k] for k in compared)) if compared else (0, 0)
    )
    encodings: list[Encoding] = []
    for j, (low, high) in enumerate(zip(lows, highs, strict=True)):
        first = next((o for o in operators[j] if o is not None), None)
        if first is None:
            ends = (floor, ceiling) if j in among else (low, high)
            encoding = Encoding.unsigned(*ends)
        elif isinstance(first, Table):
            encoding = Encoding.unsigned(low, high)
        elif isinstance(first, Wrap):
            encoding = Encoding.unsigned(low >> first.bits << first.bits, high)
        else:
            folded = _folded_rounding(operators[j])
            encoding = Encoding.signed(
                low, high, threshold_of(first) or (0 if folded is None else folded[0])
            )
        if bits is not None and encoding.width < bits:
            offset = 0 if first is None else encoding.offset  # an unsigned offset is dropped
            encoding = Encoding(offset, Encoding.twos_complement(bits).weights)
        encodings.append(encoding)
    return tuple(encodings)


def _folded_rounding(
    operators: tuple[Single | None, ...],
) -> tuple[int, tuple[Single | None, ...]] | None:
    """A power-of-two requantiser that rounds half up: its constant joins the bias, a shift is left.

    max(z, 0) may come before it: z + r is negative only where max(z, 0) + r rounds to 0 as well.
    The register then holds z + r, so its encoding's offset is -r. None where nothing is folded.
    """
    acting = [k for k, operator in enumerate(operators) if operator is not None]
    after_relu = bool(acting) and isinstance(operators[acting[0]], Relu)
    if len(acting) <= after_relu:
        return None
    place = acting[after_relu]
    operator = operators[place]
    if not isinstance(operator, Requantise) or operator.multiplier is not None:
        return None
    if operator.rounding != "half_up" and not (after_relu and operator.rounding == "half_away"):
        return None
    shift = int(operator.shift[0])
    if shift == 0:
        return None
    floor = Requantise(operator.shift.copy(), "floor")
    return -(1 << (shift - 1)), (*operators[:place], floor, *operators[place + 1 :])
