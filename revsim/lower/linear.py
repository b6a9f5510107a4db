"""Linear parts: one neuron's weighted sum as columns of full adders, forward, copied out, undone.

Everything that a neuron adds (bias, offsets of its inputs, complements of negative digits, a folded
rounding constant or threshold) meets in one constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.blocks.columns import Terms, sum_columns, weighted_bits
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.registers import Encoding, Wires

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """One output of a dense layer on the wires of its layer's input.

    `wires`: which of the layer's input wires have a weight; `weights` int64, one per such wire;
    `constant`; `width`: bits of the result, taken mod 2^width; `encoding`: what these bits mean.
    """

    wires: Wires
    weights: Int64s
    constant: int
    width: int
    encoding: Encoding

    def terms(self, x: Wires) -> Terms:
        """The sum as column terms on registers `x` (one wire per entry of `wires`)."""
        return weighted_bits(x, self.weights, self.constant)


def weighted_sum(
    weights: Int64s, bias: int, inputs: Sequence[Encoding], encoding: Encoding
) -> WeightedSum:
    """sum of weights[i] * input i + bias, as it stands in a register of the given encoding.

    The encoding's offset is taken out: the register holds the sum minus that offset.
    """
    per_wire = [
        w * np.array(e.weights, dtype=np.int64) for w, e in zip(weights, inputs, strict=True)
    ]
    flat = np.concatenate(per_wire) if per_wire else np.zeros(0, dtype=np.int64)
    used = np.flatnonzero(flat)
    constant = bias - encoding.offset
    constant += sum(int(w) * e.offset for w, e in zip(weights, inputs, strict=True))
    return WeightedSum(used.astype(np.int32), flat[used], constant, encoding.width, encoding)


def linear_definition(total: WeightedSum, name: str) -> Definition:
    """x, z -> x, z ^ sum(x): columns forward, copy, columns backward; no garbage, nothing erased.

    Costs twice the forward Toffolis of `sum_columns`; ports `x` (the weighted wires), `z`.
    """
    b = Builder(name)
    x = b.port("x", len(total.wires))
    z = b.port("z", total.width, zero=True)
    start = b.mark()
    result = sum_columns(b, total.terms(x), total.width)
    stop = b.mark()
    b.cx(result, z)
    b.undo(start, stop)
    return b.build()
