"""Sums of bits found among the operations of a netlist, to be added up in another order.

An adder says x + y + z = sum + 2 carry. Where each sum and carry goes on to one adder only, the
equations of all of them, each times its weight, add up to one: bits that come in from outside, with
weights +-2^k, are what the bits that are left are worth. If one bit is left in each column 0..n-1,
and no carry is dropped below the top one, these are the binary digits of that sum mod 2^n, in
whatever order it is added up; and bits that come in often can be counted once, with all weights.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.simulator.fused.netlist import AND, MAJORITY, RESULTS, XOR, XOR3
from revsim.simulator.scheduling.adders import kernels
from revsim.simulator.scheduling.adders.graph import Bytes, Graph, Int32s

Int64s = npt.NDArray[np.int64]

LEAST_ADDERS = 3
"""Sums of fewer adders stay as they are."""
MOST_COLUMNS = 62

DEAD = -1
"""Stands for a sum bit that is not wanted."""


@dataclass(frozen=True, eq=False)
class Sum:
    """Bits `results` (value, or DEAD) of columns 0, 1, ...; the complement of the value where
    `negative`. They are `constant` + sum of weight * value over `terms`, mod 2^columns."""

    operations: Int32s
    results: list[int]
    negative: list[bool]
    terms: list[tuple[int, int]]
    constant: int


def sums_of(graph: Graph) -> list[Sum]:
    """The sums among the operations."""
    count = len(graph.kind)
    parent = np.arange(count, dtype=np.int32)
    sign, torn = np.zeros(count, dtype=np.uint8), np.zeros(count, dtype=np.uint8)
    exponent = np.zeros(count, dtype=np.int32)
    joined = np.zeros(len(graph.uses), dtype=np.uint8)
    kernels.join_adders(
        graph.kind, graph.operands, graph.producer, graph.second, graph.uses,
        parent, sign, exponent, joined, torn,
    )  # fmt: skip
    order = np.argsort(parent, kind="stable").astype(np.int32)
    bounds = np.flatnonzero(np.diff(parent[order], prepend=-1, append=count))
    found = []
    for lo, hi in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if hi - lo >= LEAST_ADDERS and not torn[parent[order[lo]]]:
            own = order[lo:hi]
            draft = _Draft(graph, own, sign[own].astype(np.int64), exponent[own], joined)
            total = draft.sum()
            if total is not None:
                found.append(total)
    return found


class _Draft:
    """A sum in the making; lives inside `sums_of` only.

    `weights` (sign, exponent) of its operations; `open`: bits that are left, as (column, value).
    """

    def __init__(
        self, graph: Graph, own: Int32s, sign: Int64s, exponent: Int32s, joined: Bytes
    ) -> None:
        self.graph, self.joined = graph, joined
        lowest = int(exponent.min())
        flip = int(2 * sign.sum() > len(sign))
        weights = zip((sign ^ flip).tolist(), (exponent - lowest).tolist(), strict=True)
        self.weights = dict(zip(own.tolist(), weights, strict=True))
        self.open: Counter[int] = Counter()  # bits left of each column
        self.left: dict[int, tuple[int, int]] = {}  # value: (sign, column)
        self.dead: dict[int, int] = {}  # column: unwanted sum bits
        for op in self.weights:
            self._results(op)

    def _results(self, op: int) -> None:
        graph, (sign, column) = self.graph, self.weights[op]
        kind = int(graph.kind[op])
        if kind in (MAJORITY, AND):
            self.dead[column] = sign
            self.open[column] += 1
        for value in graph.results[op, : RESULTS[kind]].tolist():
            place = column + int(graph.second[value])
            reader = int(graph.readers[value, 1])
            if not self.joined[value] and graph.uses[value] == 1 and reader in self.weights:
                given = graph.operands[reader]
                flip = int(given[given >> 1 == value][0] & 1)
                own_sign, own_place = self.weights[reader]
                alike = own_sign == sign ^ flip or graph.kind[reader] in (XOR, XOR3)
                self.joined[value] = alike and own_place == place  # an XOR is in the top column
            if not self.joined[value]:
                self.left[value] = sign, place
                self.open[place] += 1

    def sum(self) -> Sum | None:
        """The sum, or None where more than one bit is left in some column."""
        while True:
            top = max(self.open)
            many = {k for k, bits in self.open.items() if bits > 1}
            if not many:
                break
            if not any(
                self._take(value, place == top)
                for value, (_, place) in list(self.left.items())
                if place in many
            ):
                return None
        width = top + 1
        if width > MOST_COLUMNS or any(self.open[k] != 1 for k in range(width)):
            return None
        return self._finished(width)

    def _take(self, value: int, at_top: bool) -> bool:
        """Let the operation that reads a bit that is left belong to the sum, if it can: an AND of
        two bits of one column, whose sum is not wanted, or an XOR in the top one."""
        graph = self.graph
        op = int(graph.readers[value, 1])
        if graph.uses[value] != 1 or op < 0 or op in self.weights:
            return False
        kind = int(graph.kind[op])
        sign, place = self.left[value]
        given = [int(x) for x in graph.operands[op] if x >= 0]
        inside = [x for x in given if x >> 1 in self.left and graph.uses[x >> 1] == 1]
        if any(self.left[x >> 1][1] != place for x in inside):
            return False
        if kind == AND:
            signs = {self.left[x >> 1][0] ^ (x & 1) for x in inside}
            if len(inside) < 2 or len(signs) > 1:
                return False
            sign = signs.pop()
        elif kind not in (XOR, XOR3) or not at_top:
            return False
        for x in inside:
            del self.left[x >> 1]
            self.joined[x >> 1] = 1
            self.open[place] -= 1
        self.weights[op] = sign, place
        self._results(op)
        return True

    def _finished(self, width: int) -> Sum | None:
        graph = self.graph
        own = np.array(sorted(self.weights), dtype=np.int32)
        signs, columns = np.array([self.weights[op] for op in own.tolist()]).T
        weight = np.where(signs == 1, -1, 1) << columns
        given = graph.operands[own]
        flips = np.where(given >= 0, given & 1, 0)
        constant = int((flips * weight[:, None]).sum())
        outside = (given >= 0) & (self.joined[given >> 1] == 0)
        values = (given >> 1)[outside]
        each = (np.where(flips == 1, -1, 1) * weight[:, None])[outside]
        distinct, place = np.unique(values, return_inverse=True)
        coefficients = np.zeros(len(distinct), dtype=np.int64)
        np.add.at(coefficients, place, each)
        terms = [t for t in zip(distinct.tolist(), coefficients.tolist(), strict=True) if t[0]]
        for value, weight in terms:
            if value in self.left:  # counted on both sides: allowed if it still is a bit of the sum
                sign, column = self.left[value]
                rest = ((-1 if sign else 1) << column) - weight
                if (rest - (1 << column)) % (1 << width) == 0:
                    self.left[value] = 0, column
                elif (rest + (1 << column)) % (1 << width) == 0:
                    self.left[value] = 1, column
                else:
                    return None
        terms = [t for t in terms if t[0] not in self.left]
        results, negative = [DEAD] * width, [False] * width
        for value, (sign, column) in self.left.items():
            results[column], negative[column] = value, bool(sign)
        for column, sign in self.dead.items():
            if results[column] == DEAD:
                negative[column] = bool(sign)
        constant += sum(1 << k for k in range(width) if negative[k])
        return Sum(own, results, negative, terms, constant)
