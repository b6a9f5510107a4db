"""Linear parts: one neuron's weighted sum as columns of full adders, forward, copied out, undone.

Everything that a neuron adds (bias, offsets of its inputs, complements of negative digits, a folded
rounding constant or threshold) meets in one constant. A product of two values is a weighted sum of
products of their bits, so it goes the same way.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.blocks.multiply import sum_of_products
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.registers import Encoding, Wires
from revsim.network.sums import Terms

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class InputBits:
    """The wires of a layer's input, value by value: int64 arrays.

    Per value its `start` wire, `width` and `offset`; per wire its `weight` in that value.
    """

    start: Int64s
    width: Int64s
    offset: Int64s
    weight: Int64s

    @classmethod
    def of(cls, inputs: Sequence[Encoding]) -> "InputBits":
        """The bits of registers of these encodings, one behind the other."""
        width = np.array([e.width for e in inputs], dtype=np.int64)
        return cls(
            np.cumsum(width) - width,
            width,
            np.array([e.offset for e in inputs], dtype=np.int64),
            np.array([w for e in inputs for w in e.weights], dtype=np.int64),
        )

    def wires(self, values: Int64s) -> Int64s:
        """The wires of these values, in order."""
        width = self.width[values]
        first = np.repeat(self.start[values] - (np.cumsum(width) - width), width)
        return first + np.arange(int(width.sum()))


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """One output of a sum on the wires of its layer's input.

    `wires`: which of the layer's input wires it reads; `weights` int64, one per such wire;
    `pairs` int64 [products, 2]: places in `wires` of bits that are multiplied, `coefficients`
    int64 [products]; `constant`; `width`: bits of the result, taken mod 2^width; `encoding`: what
    these bits mean.
    """

    wires: Wires
    weights: Int64s
    pairs: Int64s
    coefficients: Int64s
    constant: int
    width: int
    encoding: Encoding

    @property
    def key(self) -> Hashable:
        """Equal keys, equal gates: sums of the same shape on other wires share a definition."""
        arrays = self.weights.tobytes(), self.pairs.tobytes(), self.coefficients.tobytes()
        return (*arrays, self.constant, self.width)

    def emit(self, b: Builder, x: Wires) -> Wires:
        """The wires of the sum, computed forward from registers `x` (one wire per entry)."""
        return sum_of_products(
            b, x, self.weights, self.pairs, self.coefficients, self.constant, self.width
        )


def weighted_sum(terms: Terms, inputs: InputBits, encoding: Encoding) -> WeightedSum:
    """One output of a sum, as it stands in a register of the given encoding.

    The encoding's offset is taken out: the register holds the sum minus that offset.
    """
    constant = terms.bias - encoding.offset
    constant += sum(map(int, terms.weights * inputs.offset[terms.inputs]))
    read = inputs.wires(terms.inputs)
    of_wire = dict(
        zip(
            read.tolist(),
            (np.repeat(terms.weights, inputs.width[terms.inputs]) * inputs.weight[read]).tolist(),
            strict=True,
        )
    )
    of_pair: dict[tuple[int, int], int] = {}
    for i, k, c in zip(
        terms.left.tolist(), terms.right.tolist(), terms.coefficients.tolist(), strict=True
    ):
        constant += c * int(inputs.offset[i]) * int(inputs.offset[k])
        first, second = (
            [(w, int(inputs.weight[w])) for w in inputs.wires(np.array([v])).tolist()]
            for v in (i, k)
        )
        for bits, other in ((first, k), (second, i)):
            for wire, weight in bits:
                more = c * int(inputs.offset[other]) * weight
                of_wire[wire] = of_wire.get(wire, 0) + more
        for p, weight in first:
            for q, factor in second:
                if p == q:  # a bit times itself is the bit
                    of_wire[p] += c * weight * factor
                else:
                    pair = (min(p, q), max(p, q))
                    of_pair[pair] = of_pair.get(pair, 0) + c * weight * factor
    pairs = [(p, q, c) for (p, q), c in sorted(of_pair.items()) if c]
    multiplied = {p for p, _, _ in pairs} | {q for _, q, _ in pairs}
    used = sorted(w for w, weight in of_wire.items() if weight or w in multiplied)
    place = {w: k for k, w in enumerate(used)}
    return WeightedSum(
        np.array(used, dtype=np.int32),
        np.array([of_wire[w] for w in used], dtype=np.int64),
        np.array([(place[p], place[q]) for p, q, _ in pairs], dtype=np.int64).reshape(-1, 2),
        np.array([c for _, _, c in pairs], dtype=np.int64),
        constant,
        encoding.width,
        encoding,
    )


def linear_definition(total: WeightedSum, name: str) -> Definition:
    """x, z -> x, z ^ sum(x): columns forward, copy, columns backward; no garbage, nothing erased.

    Costs twice the forward Toffolis of the products and of `sum_columns`; ports `x` (the wires
    that are read), `z`.
    """
    b = Builder(name)
    x = b.port("x", len(total.wires))
    z = b.port("z", total.width, zero=True)
    start = b.mark()
    result = total.emit(b, x)
    stop = b.mark()
    b.cx(result, z)
    b.undo(start, stop)
    return b.build()
