"""Numba code of folding: a gate list run on literals.

A node is a row (kind, x, y, z) of an int32 table: node 0 is constant 0, then come the ports, then
what gates compute, each from earlier ones. A literal is 2 * node + complement, so 0 and 1 are the
constants. Equal nodes are one node, found by hash, so what a circuit computes again or undoes makes
nothing new. Every rule below is an identity of Boolean algebra, stated beside it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.circuit.kernels import jit
from revsim.circuit.packed import KIND, SLOT, SLOTS

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.uint64]

# Kinds of nodes and operations, as in fused/netlist.py; they and the opcodes below are written out,
# see circuit/kernels.py; a test holds them. Typed, since numba compiles a function once for each
# literal that it is called with.
_int64: Any = np.int64
XOR, XOR3, AND, AND_XOR, MUX, MAJORITY, HALF, FULL = (_int64(k) for k in range(8))
GIVEN = NONE = _int64(-1)
_MAKE, _FIND = np.bool_(True), np.bool_(False)

_KIND, _SLOT = np.uint64((1 << KIND) - 1), np.uint64(SLOTS - 1)
_A, _B, _C = (np.uint64(KIND + k * SLOT) for k in range(3))

# `nodes` is int32 [room, 6]: kind, x, y, z, and in the last two columns, read as one row, a hash
# table of 2 * room (a power of two) places: a node or -1. What node 0, the constant, has no use for
# says how many nodes there are. One array, since numba counts references in each call.

WINDOW, PROBES = 1023, 16
"""Places after that of its latest operand where a node is looked for, so that what is made about
the same time stands close together; and how many are tried before it may be anywhere."""
STEPS = 16
"""Most pairs that one XOR cancels: what is left is a node, right but longer than it need be."""
ROOM = 128
"""Rows of nodes that a gate may take, beside one for each control of an MCX."""


# --- nodes ---------------------------------------------------------------------------------------


@jit
def _place(kind: int, x: int, y: int, z: int, nodes: Int32s) -> Any:
    """Where a node stands in the hash table, or the empty place where it would."""
    mask = 2 * nodes.shape[0] - 1
    mixed = np.uint64(x) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(4 * y + kind)
    mixed = (mixed ^ (mixed >> np.uint64(32)) ^ np.uint64(z)) * np.uint64(0xBF58476D1CE4E5B9)
    anywhere = np.int64(mixed >> np.uint64(33))
    place = (max(y, z) + (anywhere & WINDOW)) & mask
    probes = 0
    while True:
        n = nodes[place >> 1, 4 + (place & 1)]
        if n < 0 or (
            nodes[n, 1] == x and nodes[n, 2] == y and nodes[n, 0] == kind and nodes[n, 3] == z
        ):
            return place
        probes += 1
        place = (place + 1 if probes != PROBES else anywhere) & mask


@jit
def _node(kind: int, x: int, y: int, z: int, new: Any, nodes: Int32s) -> Any:
    """The literal of a node; where it was never made it is made now, or is -1 if not `new`."""
    place = _place(kind, x, y, z, nodes)
    n = np.int64(nodes[place >> 1, 4 + (place & 1)])
    if n < 0 and new:
        n = np.int64(nodes[0, 1])
        nodes[0, 1] = n + 1
        nodes[n, 0], nodes[n, 1], nodes[n, 2], nodes[n, 3] = kind, x, y, z
        nodes[place >> 1, 4 + (place & 1)] = n
    return 2 * n if n >= 0 else n


@jit
def move_nodes(small: Int32s, nodes: Int32s) -> None:
    """Move nodes to a larger table, whose hash table is empty."""
    for n in range(small[0, 1]):
        for column in range(4):
            nodes[n, column] = small[n, column]
        if small[n, 0] != GIVEN:
            place = _place(nodes[n, 0], nodes[n, 1], nodes[n, 2], nodes[n, 3], nodes)
            nodes[place >> 1, 4 + (place & 1)] = n


# --- Boolean algebra -----------------------------------------------------------------------------


@jit
def _and(p: int, q: int, nodes: Int32s) -> Any:
    """The literal of p AND q."""
    while True:
        if p == 0 or q == 0 or p == q ^ 1:
            return np.int64(0)
        if p == 1 or p == q:
            return np.int64(q)
        if q == 1:
            return np.int64(p)
        shorter = NONE
        for _ in range(2):
            n = q >> 1
            for end in range(1, 3):
                if nodes[n, end] >> 1 == p >> 1:
                    other = np.int64(nodes[n, 3 - end])
                    if nodes[n, 0] == XOR:  # where p = 1, q is the rest of it or its complement
                        shorter = other ^ (q & 1) ^ (p & 1) ^ 1
                    elif nodes[n, 0] == AND:  # where p = 1, q is the other operand, or constant
                        shorter = (other if nodes[n, end] == p else np.int64(0)) ^ (q & 1)
            if shorter >= 0:
                q = shorter
                break
            p, q = q, p
        if shorter < 0:
            return _node(AND, min(p, q), max(p, q), np.int64(0), _MAKE, nodes)


@jit
def _majority(x: Any, y: Any, z: Any, new: Any, nodes: Int32s) -> Any:
    """The literal of the majority of three literals of different nodes, see `_node`. It is
    self-dual, so that at most one of its operands is complemented."""
    dual = np.int64((x & 1) + (y & 1) + (z & 1) >= 2)
    x, y, z = x ^ dual, y ^ dual, z ^ dual
    low, high = min(x, y), max(x, y)
    low, middle, high = min(low, z), max(low, min(high, z)), max(high, z)
    found = _node(MAJORITY, low, middle, high, new, nodes)
    return found ^ dual if found >= 0 else found


@jit
def _fork(u: Any, v: Any, nodes: Int32s) -> Any:
    """Literals (x, y, z) where u and v are x ^ y and x ^ z, else zeros. x ^ (u & v) is then the
    majority of x, y, z; and the same holds of (y, ~z, x), since u & v = (y ^ ~z) & (y ^ x)."""
    if nodes[u >> 1, 0] == XOR and nodes[v >> 1, 0] == XOR:
        for i in range(1, 3):
            for j in range(1, 3):
                if nodes[u >> 1, i] == nodes[v >> 1, j]:
                    y = np.int64(nodes[u >> 1, 3 - i]) ^ (u & 1)
                    z = np.int64(nodes[v >> 1, 3 - j]) ^ (v & 1)
                    return np.int64(nodes[u >> 1, i]), y, z
    return np.int64(0), np.int64(0), np.int64(0)


@jit
def _near(p: Any, q: Any, nodes: Int32s) -> Any:
    """The node that is p XOR q where that was made or one is an operand of the other, or -1."""
    if p == q:
        return np.int64(0)
    for _ in range(2):
        if nodes[q, 0] == XOR:
            for end in range(1, 3):
                if nodes[q, end] >> 1 == p:
                    return np.int64(nodes[q, 3 - end] >> 1)
        p, q = q, p
    return _node(XOR, 2 * min(p, q), 2 * max(p, q), np.int64(0), _FIND, nodes) >> 1


@jit
def known(p: Any, q: Any, nodes: Int32s) -> Any:
    """The node that is p XOR q, also where it was made in another order, or -1."""
    found = _near(p, q, nodes)
    for _ in range(2):
        if found < 0 and nodes[q, 0] == XOR:
            for end in range(1, 3):
                inner = _near(p, np.int64(nodes[q, end] >> 1), nodes)
                if inner > 0 and found < 0:
                    found = _near(inner, np.int64(nodes[q, 3 - end] >> 1), nodes)
        p, q = q, p
    return found


@jit
def _carry(x: Any, u: Any, v: Any, new: Any, nodes: Int32s) -> Any:
    """x ^ (u & v) is the majority of x, x ^ u and x ^ v, whatever they are: its literal where u or
    v is an XOR of x and the other one's XOR with x is known, else -1."""
    for _ in range(2):
        for end in range(1, 3):
            if nodes[u >> 1, 0] == XOR and nodes[u >> 1, end] >> 1 == x:
                y = np.int64(nodes[u >> 1, 3 - end]) ^ (u & 1)
                z = known(x, v >> 1, nodes)
                return _majority(2 * x, y, 2 * z ^ (v & 1), new, nodes) if z > 0 else NONE
        u, v = v, u
    return NONE


@jit
def _meet(p: Any, q: Any, nodes: Int32s) -> Any:
    """The literal of node p XOR node q where a rule makes it shorter, else -1."""
    if p == q:
        return np.int64(0)
    if p == 0 or q == 0:
        return 2 * (p | q)
    if nodes[p, 0] == AND and nodes[q, 0] == AND:
        a, b = np.int64(nodes[p, 1]), np.int64(nodes[p, 2])
        c, d = np.int64(nodes[q, 1]), np.int64(nodes[q, 2])
        if a >> 1 == c >> 1 and b >> 1 == d >> 1:
            if a == c:  # a b ^ a ~b = a
                return a
            if b == d:
                return b
            apart = _node(XOR, a & ~1, b & ~1, np.int64(0), _MAKE, nodes)
            return apart ^ ((a ^ b ^ 1) & 1)  # a b ^ ~a ~b = ~(a ^ b)
    for _ in range(2):
        kind = nodes[q, 0]
        if kind == XOR:  # p ^ (p ^ r) = r
            for end in range(1, 3):
                if nodes[q, end] >> 1 == p:
                    return np.int64(nodes[q, 3 - end])
        elif kind == AND:
            u, v = np.int64(nodes[q, 1]), np.int64(nodes[q, 2])
            for _ in range(2):
                if u >> 1 == p:  # p ^ (p & v) = p & ~v; p ^ (~p & v) = ~(~p & ~v)
                    return _and(u, v ^ 1, nodes) ^ (u & 1)
                u, v = v, u
            x, y, z = _fork(u, v, nodes)
            if x > 0:
                for _ in range(3):
                    if x >> 1 == p or nodes[p, 0] == MAJORITY:
                        whole = _majority(x, y, z, x >> 1 == p, nodes)
                        if x >> 1 == p:
                            return whole ^ (x & 1)
                        if whole >> 1 == p:  # -1 >> 1 is no node
                            return x ^ (whole & 1)
                    x, y, z = y, z ^ 1, x
        p, q = q, p
    return NONE


@jit
def _meet_carry(p: Any, q: Any, nodes: Int32s) -> Any:
    """`_meet` of a bit and an AND, or a majority and an AND, where other sums made the operands of
    the latter shorter than those of a carry are."""
    if nodes[p, 0] == AND:
        p, q = q, p
    if nodes[q, 0] != AND or nodes[p, 0] == AND:
        return NONE
    u, v = np.int64(nodes[q, 1]), np.int64(nodes[q, 2])
    if nodes[p, 0] == MAJORITY:
        for end in range(1, 4):
            x = np.int64(nodes[p, end] >> 1)
            whole = _carry(x, u, v, _FIND, nodes)
            if whole >> 1 == p:
                return 2 * x ^ (whole & 1)
        return NONE
    return _carry(p, u, v, _MAKE, nodes)


@jit
def _cancel(p: Any, q: Any, nodes: Int32s) -> Any:
    """Where two nodes, or one of them and an operand of the other, an XOR, make something shorter:
    (its literal, what is left of that XOR, 0 where nothing is), else -1 first. To look deeper would
    take apart what is a sum elsewhere, too."""
    for first in range(2):
        for end in range(first, 3 if nodes[p, 0] == XOR else 1):  # 0: p itself
            met = _meet(p if end == 0 else np.int64(nodes[p, end] >> 1), q, nodes)
            if met >= 0:
                return met, np.int64(nodes[p, 3 - end] >> 1) if end > 0 else np.int64(0)
        p, q = q, p
    return NONE, np.int64(0)


@jit
def _xor(p: int, q: int, nodes: Int32s) -> Any:
    """The literal of p XOR q: what was added to a wire is taken off it again."""
    flip = np.int64(p ^ q) & 1
    have, other = np.int64(p >> 1), np.int64(q >> 1)
    steps = 0
    while other > 0:
        met, left = NONE, np.int64(0)
        if steps < STEPS or have == other or have == 0:
            met, left = _cancel(have, other, nodes)
            if met < 0:
                met = _meet_carry(have, other, nodes)
        if met < 0:
            met = _node(XOR, 2 * min(have, other), 2 * max(have, other), np.int64(0), _MAKE, nodes)
        have, other, flip = met >> 1, left, flip ^ (met & 1)
        steps += 1
    return 2 * have ^ flip


# --- gates ---------------------------------------------------------------------------------------


@jit
def run_rows(
    rows: Rows,
    first: int,
    starts: Int64s,
    listed: Int32s,
    positive: Bytes,
    held: Int64s,
    promised: Bytes,
    erased: Int32s,
    tallied: Int32s,
    nodes: Int32s,
) -> Any:
    """Run packed gates from row `first` on literals, as long as there is room for nodes; returns
    the row reached.

    held: int64 [slots], the literal on each slot; promised: uint8 per literal, 1 where it must be 0
    since a wire is released, 2 since a gate promises it, 3 both; erased: int32 [erased] literals;
    tallied: int32 [tallies, 2] literals. A slot keeps what is on it when it is released.
    """
    for g in range(first, rows.shape[0]):
        row = rows[g]
        kind = np.int64(row & _KIND)
        a, b = np.int64((row >> _A) & _SLOT), np.int64((row >> _B) & _SLOT)
        c = np.int64(row >> _C)
        opcode, role = kind >> 2, kind & 3
        room = nodes.shape[0] - nodes[0, 1] - ROOM
        if room < 0 or (opcode == 5 and room < starts[a + 1] - starts[a]):
            return np.int64(g)
        if role == 1:
            promised[held[c]] |= 2
        if opcode == 3:
            held[b], held[c] = held[c], held[b]
        elif opcode == 6:  # ERASE
            erased[a] = held[c]
            held[c] = 0
        elif opcode == 7:  # FREE
            promised[held[c]] |= 1
        elif opcode == 8:  # TALLY
            tallied[c, 0], tallied[c, 1] = held[a], held[b]
        else:
            change = np.int64(1)
            if opcode == 5:  # MCX
                for i in range(starts[a], starts[a + 1]):
                    change = _and(change, held[listed[i]] ^ 1 ^ np.int64(positive[i]), nodes)
            elif opcode == 2:
                change = _and(held[a], held[b], nodes)
            elif opcode == 4:
                change = _and(held[a], _xor(held[b], held[c], nodes), nodes)
                held[b] = _xor(held[b], change, nodes)
            elif opcode == 1:
                change = held[a]
            held[c] = _xor(held[c], change, nodes)
        if role == 2:
            promised[held[c]] |= 2
    return np.int64(rows.shape[0])
