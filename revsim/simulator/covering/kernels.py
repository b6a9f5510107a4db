"""Numba code of covering: which operations make the nodes that are needed (folding/kernels.py)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.circuit.kernels import jit
from revsim.simulator.folding.kernels import (
    AND,
    AND_XOR,
    FULL,
    HALF,
    MAJORITY,
    MUX,
    NONE,
    XOR,
    XOR3,
    known,
)

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


@jit
def count_uses(nodes: Int32s, given: int, roots: Int64s) -> tuple[Int32s, Int32s]:
    """How many nodes that some root (a literal) needs, or roots, use each node; and how many of
    these are no XORs."""
    uses = np.zeros(nodes.shape[0], np.int32)
    solid = np.zeros(nodes.shape[0], np.int32)
    for i in range(roots.shape[0]):
        uses[roots[i] >> 1] += 1
        solid[roots[i] >> 1] += 1
    for n in range(nodes.shape[0] - 1, given - 1, -1):
        if uses[n] > 0:
            kind = nodes[n, 0]
            for end in range(1, 4 if kind == MAJORITY else 3):
                uses[nodes[n, end] >> 1] += 1
                if kind != XOR:
                    solid[nodes[n, end] >> 1] += 1
    return uses, solid


@jit
def _operands(n: int, nodes: Int32s) -> Any:
    return np.int64(nodes[n, 1]), np.int64(nodes[n, 2]), np.int64(nodes[n, 3])


@jit
def _goes_into_xors(n: int, nodes: Int32s, uses: Int32s, solid: Int32s, partner: Int32s) -> Any:
    """Whether an AND is read by few XORs and nothing else, each of which computes it as it goes."""
    return nodes[n, 0] == AND and solid[n] == 0 and uses[n] <= 3 and partner[n] < 0


@jit
def find_pairs(nodes: Int32s, given: int, uses: Int32s, solid: Int32s) -> Int32s:
    """For each node the one that is computed together with it, or -1: a majority and the sum of the
    same three, an AND and the XOR of the same two."""
    made = uses.shape[0]
    partner = np.full(made, -1, np.int32)
    for kind in (MAJORITY, AND):
        for n in range(given, made):
            if uses[n] == 0 or nodes[n, 0] != kind:
                continue
            if _goes_into_xors(n, nodes, uses, solid, partner):
                continue
            x, y, z = _operands(n, nodes)
            x, y, z = x >> 1, y >> 1, z >> 1
            for _ in range(3 if kind == MAJORITY else 1):
                inner = known(x, y, nodes)
                total = inner
                if inner > 0 and kind == MAJORITY:
                    total = known(inner, z, nodes)
                if total > max(x, y, z) and uses[total] > 0 and partner[total] < 0:
                    partner[n], partner[total] = total, n
                    for end in range(1, 3):  # which is not what the sum is made from any more
                        uses[nodes[total, end] >> 1] -= 1
                    break
                x, y, z = y, z, x
    return partner


@jit
def _operation_for(
    x: int, y: int, nodes: Int32s, uses: Int32s, solid: Int32s, partner: Int32s
) -> Any:
    """The operation that makes x XOR y (literals): (kind, three literals)."""
    found, p, q, r = XOR, x, y, NONE
    for _ in range(2):
        n = y >> 1
        if _goes_into_xors(n, nodes, uses, solid, partner):
            s, t, _ = _operands(n, nodes)
            found, p, q, r = AND_XOR, s, t, x
            for _ in range(2):
                if nodes[t >> 1, 0] == XOR:  # x ^ (s & (x ^ c)) = c where s, else x
                    for end in range(1, 3):
                        if nodes[t >> 1, end] == x:
                            return MUX, s, np.int64(nodes[t >> 1, 3 - end]) ^ (t & 1), x
                s, t = t, s
        elif found == XOR and nodes[n, 0] == XOR and uses[n] == 1 and partner[n] < 0:
            s, t, _ = _operands(n, nodes)
            if not (
                _goes_into_xors(s >> 1, nodes, uses, solid, partner)
                or _goes_into_xors(t >> 1, nodes, uses, solid, partner)
            ):
                found, p, q, r = XOR3, s, t, x
        x, y = y, x
    return found, p, q, r


@jit
def choose(
    nodes: Int32s, given: int, roots: Int64s, uses: Int32s, solid: Int32s, partner: Int32s
) -> Any:
    """Write over each node that is needed the operation that makes it, on literals of nodes; from
    the last node to the first, since a node is needed where one after it reads it. Returns (needed
    bool [nodes], how many are)."""
    needed = np.zeros(nodes.shape[0], np.bool_)
    for i in range(roots.shape[0]):
        needed[roots[i] >> 1] = True
    operations = np.int64(0)
    for n in range(nodes.shape[0] - 1, given - 1, -1):
        if not needed[n]:
            continue
        operations += 1
        kind = np.int64(nodes[n, 0])
        x, y, z = _operands(n, nodes)
        if kind == AND:
            z = NONE
        elif kind == XOR and partner[n] >= 0:  # of the operands of what is computed with it
            x, y, z = _operands(partner[n], nodes)
            x, y = x & ~1, y & ~1
            kind, z = (XOR, NONE) if nodes[partner[n], 0] == AND else (XOR3, z & ~1)
        elif kind == XOR:
            kind, x, y, z = _operation_for(x, y, nodes, uses, solid, partner)
        nodes[n, 0], nodes[n, 1], nodes[n, 2], nodes[n, 3] = kind, x, y, z
        needed[x >> 1] = needed[y >> 1] = True
        if z >= 0:
            needed[z >> 1] = True
    return needed, operations


@jit
def write_operations(
    nodes: Int32s, given: int, needed: npt.NDArray[np.bool_], partner: Int32s, operations: int
) -> Any:
    """The operations in order of their nodes, pairs where the first of the two stands.

    Returns (kind int8 [operations], operands int32 [operations, 3], made int32 [nodes]: the literal
    of the netlist that each node is). Complements stand where they cost least: an XOR has none, a
    majority at most one, the first; of an AND's operands it is the first where it is one of them;
    a MUX has none but on what it gives where its first operand is 1.
    """
    kind = np.empty(operations, np.int8)
    operands = np.full((operations, 3), -3, np.int32)
    made = np.empty(nodes.shape[0], np.int32)
    for n in range(given):
        made[n] = 2 * n - 2
    value = np.int64(given - 1)
    k = np.int64(0)
    for n in range(given, nodes.shape[0]):
        if not needed[n]:
            continue
        other: Any = np.int64(partner[n])
        both = other >= 0 and needed[other]
        if both and other < n:
            continue
        if both and nodes[n, 0] != AND and nodes[n, 0] != MAJORITY:  # the sum stands first
            n, other = other, n
        what = np.int64(nodes[n, 0])
        x, y, z = _operands(n, nodes)
        odd = (x ^ y ^ z) & 1 if what == MAJORITY else (x ^ y) & 1
        x = np.int64(made[x >> 1]) ^ (x & 1)
        y = np.int64(made[y >> 1]) ^ (y & 1)
        z = np.int64(made[z >> 1]) ^ (z & 1) if z >= 0 else np.int64(-3)
        flip = np.int64(0)
        if what in (XOR, XOR3):
            flip = (x ^ y) & 1
            x, y = x & ~1, y & ~1
            if what == XOR3:
                flip ^= z & 1
                z &= ~1
        elif what == MAJORITY:
            flip = np.int64((x & 1) + (y & 1) + (z & 1) >= 2)
            x, y, z = x ^ flip, y ^ flip, z ^ flip
            if y & 1:
                x, y = y, x
            elif z & 1:
                x, z = z, x
        elif what == MUX:
            if x & 1:
                x, y, z = x ^ 1, z, y
            flip = z & 1
            y, z = y ^ flip, z ^ flip
        else:
            if y & 1:
                x, y = y, x
            if what == AND_XOR:
                flip = z & 1
                z &= ~1
        if both:  # the sum is that of the nodes, without what complements its operands
            made[other] = 2 * value ^ odd ^ (flip if what == MAJORITY else np.int64(0))
            what = FULL if what == MAJORITY else HALF
            value += 1
        made[n] = 2 * value ^ flip
        kind[k], operands[k, 0], operands[k, 1], operands[k, 2] = what, x, y, z
        k += 1
        value += 1
    return kind[:k].copy(), operands[:k].copy(), made


def cover(nodes: Int32s, given: int, roots: Int64s) -> Any:
    """The operations that make the roots (literals), see `write_operations`; the nodes are used up.
    `given`: nodes that are no gates', constant and ports."""
    made = int(nodes[0, 1])
    uses, solid = count_uses(nodes[:made], given, roots)
    partner = find_pairs(nodes, given, uses, solid)
    needed, operations = choose(nodes[:made], given, roots, uses, solid, partner)
    return write_operations(nodes[:made], given, needed, partner, operations)
