"""Sums of many shifted, signed bits by columns of full and half adders at exact widths.

A weighted sum of bits is written as a set of *terms*: bit `wire` counts 2^column, or, where its
weight is negative, its complement counts 2^column and a constant makes up for it
(-b 2^k = (1 - b) 2^k - 2^k). Signed digits (non-adjacent form) keep the terms few. Each column is
reduced by full adders to one bit; every adder sends one carry, on a fresh wire, to the next column.
A column of h bits costs floor(h / 2) Toffolis, the top one none, since no carry leaves it.

Inputs are used as controls only (or complemented for a while and put back), so one bit may stand
in any number of columns. What remains beside the result is undone by the caller.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from revsim.blocks.block import Block, Costs, Values, define, mask, price
from revsim.blocks.kernels import KINDS, column_gates
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Port
from revsim.circuit.registers import Wires

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Terms:
    """A sum of bits: term i counts bit `wire[i]` (complemented where `negative[i]`) at 2^column[i].

    `constant` is added; the whole is taken mod 2^width.
    """

    column: Int64s
    wire: Wires
    negative: npt.NDArray[np.bool_]
    constant: int

    def plus(self, other: "Terms") -> "Terms":
        """The sum of two sums."""
        return Terms(
            np.concatenate([self.column, other.column]),
            np.concatenate([self.wire, other.wire]),
            np.concatenate([self.negative, other.negative]),
            self.constant + other.constant,
        )


def signed_digits(values: Int64s) -> tuple[Int64s, Int64s, npt.NDArray[np.bool_]]:
    """Non-adjacent form: (index of the value, position, digit is -1), least position first.

    values = sum of +-2^position with no two neighbouring digits: the fewest signed digits
    (Reitwiesner 1960).

    >>> [list(map(int, v)) for v in signed_digits(np.array([7, -6]))]  # 8 - 1 and -8 + 2
    [[0, 1, 0, 1], [0, 1, 3, 3], [1, 0, 0, 1]]
    """
    magnitude = np.abs(values)
    triple = 3 * magnitude
    plus, minus = (triple & ~magnitude) >> 1, (magnitude & ~triple) >> 1
    places = np.arange(int(triple.max(initial=0)).bit_length(), dtype=np.int64)
    digits = (np.stack([plus, minus]) >> places[:, None, None]) & 1
    position, minuses, index = np.nonzero(digits)
    return index, position, (values[index] < 0) != (minuses == 1)


def weighted_bits(wires: Wires, weights: Int64s, constant: int = 0) -> Terms:
    """constant + sum of weights[i] * bit wires[i], in signed digits."""
    index, column, negative = signed_digits(np.asarray(weights, dtype=np.int64))
    lost = sum(count << k for k, count in enumerate(np.bincount(column[negative]).tolist()))
    return Terms(column, wires[index].astype(np.int32), negative, constant - lost)


def columns_of(terms: Terms, width: int) -> list[tuple[Wires, npt.NDArray[np.bool_]]]:
    """Bits of each column 0..width-1 as (wires, negative); columns above drop out mod 2^width."""
    order = np.argsort(terms.column, kind="stable")
    bounds = np.searchsorted(terms.column[order], np.arange(width + 1))
    return [
        (terms.wire[order[lo:hi]], terms.negative[order[lo:hi]])
        for lo, hi in pairwise(bounds.tolist())
    ]


def heights_toffolis(heights: list[int], constant: int) -> int:
    """Toffolis of `sum_columns` forward for given bits per column: the promised cost."""
    total = carries = 0
    for k, height in enumerate(heights):
        bits = height + carries
        top = k == len(heights) - 1
        total += 0 if top else bits // 2
        carries = bits // 2 + (1 if (constant >> k) & 1 and bits % 2 else 0)
    return total


def sum_columns_cost(terms: Terms, width: int) -> Costs:
    """What `sum_columns` costs: a column of h bits, p of them carries, has (h - 1) // 2 full adders
    of 5 CNOTs and, for even h, a half adder of 1 (3 where the constant adds a one)."""
    constant = terms.constant % (1 << width)
    heights = [len(wires) for wires, _ in columns_of(terms, width)]
    cnot = locals_ = private = 0
    for k, height in enumerate(heights):
        one, bits = (constant >> k) & 1, height + private
        if k == width - 1:
            cnot += bits - (private > 0)
            locals_ += private == 0
            break
        copies = max(0, max(1, bits // 3) - private) if bits else 0
        half, alone = bits > 0 and bits % 2 == 0, bits % 2 == 1
        cnot += copies + 5 * max(0, (bits - 1) // 2) + half * (1 + 2 * one) + alone * one
        private = bits // 2 + (alone and one)
        locals_ += copies + private + (bits == 0)
    flips = 0
    inside = terms.column < width
    for wire in np.unique(terms.wire[inside]):
        own = np.flatnonzero(inside & (terms.wire == wire))
        signs = terms.negative[own[np.argsort(terms.column[own])]].tolist()
        flips += sum(before != after for before, after in pairwise([False, *signs, False]))
    toffoli = heights_toffolis(heights, constant)
    return price(toffoli, cnot, constant.bit_count() + flips, ancillas=locals_)


def sum_columns(b: Builder, terms: Terms, width: int) -> Wires:
    """The sum mod 2^width on `width` private wires (index 0 lowest). Undo with `b.undo`.

    Costs sum over all columns but the top of floor(h / 2) Toffolis, h counting the carries that
    arrive (circuits of Dadda 1965; one Toffoli per full adder with the carry on a fresh wire).
    """
    constant = terms.constant % (1 << width)
    order = np.argsort(terms.column, kind="stable")
    bounds = np.searchsorted(terms.column[order], np.arange(width + 1))
    order = order[: bounds[-1]]
    start = b.wires
    rows, named, result = column_gates(
        terms.wire[order],
        terms.negative[order],
        bounds,
        np.array([constant >> k & 1 for k in range(width)], dtype=np.bool_),
        start,
        b.fresh(start + 4 * len(order) + 4 * width),
    )
    b.gates(rows, [(KINDS[kind], count) for kind, count in named.tolist()])
    return np.asarray(result)


def copied_sum(b: Builder, terms: Terms, target: Wires, drop: int = 0) -> None:
    """target ^= sum >> drop, everything else undone: twice `sum_columns`, one CNOT per wire."""
    start = b.mark()
    total = sum_columns(b, terms, len(target) + drop)
    stop = b.mark()
    b.cx(total[drop:], target)
    b.undo(start, stop)


def copied_sum_cost(terms: Terms, width: int, drop: int = 0) -> Costs:
    """What `copied_sum` to `width` wires costs."""
    once = sum_columns_cost(terms, width + drop)
    twice = {key: 2 * value for key, value in once.items()}
    return {**twice, "cnot": twice["cnot"] + width, "ancillas": once["ancillas"]}


# --- promises -----------------------------------------------------------------------------------


def _sum_block(name: str, cycle: tuple[int, ...], constant: int, spare: int) -> Block:
    # Bits x[i] of weight cycle[i % len(cycle)]; the result is `spare` wires wider than its range
    # needs, or, below 0, that many wires are cut off.
    def shape(n: int) -> tuple[Terms, int]:
        weights = np.array([cycle[i % len(cycle)] for i in range(n)], dtype=np.int64)
        low, high = int(np.minimum(weights, 0).sum()), int(np.maximum(weights, 0).sum())
        ends = [v if v >= 0 else ~v for v in (low + constant, high + constant)]
        width = max(1, max(ends).bit_length() + 1 + spare)
        return weighted_bits(np.arange(n, dtype=np.int32), weights, constant), width

    def build(n: int) -> Definition:
        terms, width = shape(n)
        return define(
            "sum", lambda b, x, z: copied_sum(b, terms, z), Port("x", n), Port("z", width)
        )

    def meaning(n: int, v: Values) -> Values:
        total = constant + sum(cycle[i % len(cycle)] * (v["x"] >> i & 1) for i in range(n))
        return {**v, "z": v["z"] ^ (total & mask(shape(n)[1]))}

    return Block(
        f"sum_columns[{name}]",
        f"z ^= {constant} + sum of weights {cycle} times bits of x, mod 2^width",
        build,
        meaning,
        lambda n: copied_sum_cost(*shape(n)),
        "Dadda 1965; signed digits of Reitwiesner 1960",
        least_width=1,
    )


BLOCKS = (
    _sum_block("ones", (1,), 0, -1),
    _sum_block("powers of two", (1, 2, 4, -8), 0, 0),
    _sum_block("mixed signs", (3, -5, 0, 8, -1, 2, 7), 0, 0),
    _sum_block("constant", (3, -5, 0, 8, -1, 2, 7), -9, 0),
    _sum_block("cut off", (6, -2, 4, 127), 5, -3),
    _sum_block("sign extended", (-3, 1), 11, 2),
    _sum_block("zero", (0,), 6, 0),
)
