"""Sums of bits found among the operations of a netlist, to be added up in another order.

An adder says x + y + z = sum + 2 carry. Where each sum and carry goes on to one adder only, the
equations of all of them, each times its weight, add up to one: bits that come in from outside, with
weights +-2^k, are what the bits that are left are worth. If one bit is left in each column 0..n-1,
and no carry is dropped below the top one, these are the binary digits of that sum mod 2^n, in
whatever order it is added up; and bits that come in often can be counted once, with all weights.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.simulator.scheduling.adders import kernels
from revsim.simulator.scheduling.adders.graph import Bytes, Graph, Int32s

Int64s = npt.NDArray[np.int64]

LEAST_ADDERS = 3
"""Sums of fewer adders stay as they are."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums of bits. of: int32 [operations], the sum that each belongs to, or -1; first: int32
    [sums], the first operation of each.

    Bits of columns 0, 1, ... of sum i are `results[bounds[i]:bounds[i + 1]]`, values, or -1 for a
    bit that is not wanted; the complement of the value where `negative` uint8. They are
    `constants[i]` + sum of weights int64 * terms (values), mod 2^columns, from `term_bounds[i]` on.
    """

    of: Int32s
    first: Int32s
    bounds: Int32s
    results: Int32s
    negative: Bytes
    term_bounds: Int32s
    terms: Int32s
    weights: Int64s
    constants: Int64s


def sums_of(graph: Graph) -> Sums:
    """The sums among the operations."""
    count = len(graph.kind)
    parent = np.arange(count, dtype=np.int32)
    sign, torn = np.zeros(count, dtype=np.uint8), np.zeros(count, dtype=np.uint8)
    exponent = np.zeros(count, dtype=np.int32)
    joined = np.zeros(len(graph.uses), dtype=np.uint8)
    weighed = parent, sign, exponent, joined, torn
    kernels.join_adders(
        graph.kind, graph.operands, graph.producer, graph.second, graph.uses, *weighed
    )
    return Sums(
        *kernels.find_sums(
            graph.kind, graph.operands, graph.results, graph.second, graph.uses, graph.readers,
            *weighed, LEAST_ADDERS,
        )
    )  # fmt: skip
