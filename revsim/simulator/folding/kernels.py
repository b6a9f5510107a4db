"""Numba code of folding: a gate list run on literals, and the nodes it makes covered by operations.

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

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.uint64]

# Kinds of nodes and operations, as in fused/netlist.py; they and the opcodes below are written out,
# see circuit/kernels.py; a test holds them. Typed, since numba compiles a function once for each
# literal that it is called with.
_int64: Any = np.int64
_XOR, _XOR3, _AND, _AND_XOR, _MUX, _MAJORITY, _HALF, _FULL = (_int64(k) for k in range(8))
_GIVEN = _NONE = _int64(-1)
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
        if small[n, 0] != _GIVEN:
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
        shorter = _NONE
        for _ in range(2):
            n = q >> 1
            for end in range(1, 3):
                if nodes[n, end] >> 1 == p >> 1:
                    other = np.int64(nodes[n, 3 - end])
                    if nodes[n, 0] == _XOR:  # where p = 1, q is the rest of it or its complement
                        shorter = other ^ (q & 1) ^ (p & 1) ^ 1
                    elif nodes[n, 0] == _AND:  # where p = 1, q is the other operand, or constant
                        shorter = (other if nodes[n, end] == p else np.int64(0)) ^ (q & 1)
            if shorter >= 0:
                q = shorter
                break
            p, q = q, p
        if shorter < 0:
            return _node(_AND, min(p, q), max(p, q), np.int64(0), _MAKE, nodes)


@jit
def _majority(x: Any, y: Any, z: Any, new: Any, nodes: Int32s) -> Any:
    """The literal of the majority of three literals of different nodes, see `_node`. It is
    self-dual, so that at most one of its operands is complemented."""
    dual = np.int64((x & 1) + (y & 1) + (z & 1) >= 2)
    x, y, z = x ^ dual, y ^ dual, z ^ dual
    low, high = min(x, y), max(x, y)
    low, middle, high = min(low, z), max(low, min(high, z)), max(high, z)
    found = _node(_MAJORITY, low, middle, high, new, nodes)
    return found ^ dual if found >= 0 else found


@jit
def _fork(u: Any, v: Any, nodes: Int32s) -> Any:
    """Literals (x, y, z) where u and v are x ^ y and x ^ z, else zeros. x ^ (u & v) is then the
    majority of x, y, z; and the same holds of (y, ~z, x), since u & v = (y ^ ~z) & (y ^ x)."""
    if nodes[u >> 1, 0] == _XOR and nodes[v >> 1, 0] == _XOR:
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
        if nodes[q, 0] == _XOR:
            for end in range(1, 3):
                if nodes[q, end] >> 1 == p:
                    return np.int64(nodes[q, 3 - end] >> 1)
        p, q = q, p
    return _node(_XOR, 2 * min(p, q), 2 * max(p, q), np.int64(0), _FIND, nodes) >> 1


@jit
def _known(p: Any, q: Any, nodes: Int32s) -> Any:
    """The node that is p XOR q, also where it was made in another order, or -1."""
    found = _near(p, q, nodes)
    for _ in range(2):
        if found < 0 and nodes[q, 0] == _XOR:
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
            if nodes[u >> 1, 0] == _XOR and nodes[u >> 1, end] >> 1 == x:
                y = np.int64(nodes[u >> 1, 3 - end]) ^ (u & 1)
                z = _known(x, v >> 1, nodes)
                return _majority(2 * x, y, 2 * z ^ (v & 1), new, nodes) if z > 0 else _NONE
        u, v = v, u
    return _NONE


@jit
def _meet(p: Any, q: Any, nodes: Int32s) -> Any:
    """The literal of node p XOR node q where a rule makes it shorter, else -1."""
    if p == q:
        return np.int64(0)
    if p == 0 or q == 0:
        return 2 * (p | q)
    if nodes[p, 0] == _AND and nodes[q, 0] == _AND:
        a, b = np.int64(nodes[p, 1]), np.int64(nodes[p, 2])
        c, d = np.int64(nodes[q, 1]), np.int64(nodes[q, 2])
        if a >> 1 == c >> 1 and b >> 1 == d >> 1:
            if a == c:  # a b ^ a ~b = a
                return a
            if b == d:
                return b
            apart = _node(_XOR, a & ~1, b & ~1, np.int64(0), _MAKE, nodes)
            return apart ^ ((a ^ b ^ 1) & 1)  # a b ^ ~a ~b = ~(a ^ b)
    for _ in range(2):
        kind = nodes[q, 0]
        if kind == _XOR:  # p ^ (p ^ r) = r
            for end in range(1, 3):
                if nodes[q, end] >> 1 == p:
                    return np.int64(nodes[q, 3 - end])
        elif kind == _AND:
            u, v = np.int64(nodes[q, 1]), np.int64(nodes[q, 2])
            for _ in range(2):
                if u >> 1 == p:  # p ^ (p & v) = p & ~v; p ^ (~p & v) = ~(~p & ~v)
                    return _and(u, v ^ 1, nodes) ^ (u & 1)
                u, v = v, u
            x, y, z = _fork(u, v, nodes)
            if x > 0:
                for _ in range(3):
                    if x >> 1 == p or nodes[p, 0] == _MAJORITY:
                        whole = _majority(x, y, z, x >> 1 == p, nodes)
                        if x >> 1 == p:
                            return whole ^ (x & 1)
                        if whole >> 1 == p:  # -1 >> 1 is no node
                            return x ^ (whole & 1)
                    x, y, z = y, z ^ 1, x
        p, q = q, p
    return _NONE


@jit
def _meet_carry(p: Any, q: Any, nodes: Int32s) -> Any:
    """`_meet` of a bit and an AND, or a majority and an AND, where other sums made the operands of
    the latter shorter than those of a carry are."""
    if nodes[p, 0] == _AND:
        p, q = q, p
    if nodes[q, 0] != _AND or nodes[p, 0] == _AND:
        return _NONE
    u, v = np.int64(nodes[q, 1]), np.int64(nodes[q, 2])
    if nodes[p, 0] == _MAJORITY:
        for end in range(1, 4):
            x = np.int64(nodes[p, end] >> 1)
            whole = _carry(x, u, v, _FIND, nodes)
            if whole >> 1 == p:
                return 2 * x ^ (whole & 1)
        return _NONE
    return _carry(p, u, v, _MAKE, nodes)


@jit
def _cancel(p: Any, q: Any, nodes: Int32s) -> Any:
    """Where two nodes, or one of them and an operand of the other, an XOR, make something shorter:
    (its literal, what is left of that XOR, 0 where nothing is), else -1 first. To look deeper would
    take apart what is a sum elsewhere, too."""
    for first in range(2):
        for end in range(first, 3 if nodes[p, 0] == _XOR else 1):  # 0: p itself
            met = _meet(p if end == 0 else np.int64(nodes[p, end] >> 1), q, nodes)
            if met >= 0:
                return met, np.int64(nodes[p, 3 - end] >> 1) if end > 0 else np.int64(0)
        p, q = q, p
    return _NONE, np.int64(0)


@jit
def _xor(p: int, q: int, nodes: Int32s) -> Any:
    """The literal of p XOR q: what was added to a wire is taken off it again."""
    flip = np.int64(p ^ q) & 1
    have, other = np.int64(p >> 1), np.int64(q >> 1)
    steps = 0
    while other > 0:
        met, left = _NONE, np.int64(0)
        if steps < STEPS or have == other or have == 0:
            met, left = _cancel(have, other, nodes)
            if met < 0:
                met = _meet_carry(have, other, nodes)
        if met < 0:
            met = _node(_XOR, 2 * min(have, other), 2 * max(have, other), np.int64(0), _MAKE, nodes)
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


# --- covering ------------------------------------------------------------------------------------


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
            for end in range(1, 4 if kind == _MAJORITY else 3):
                uses[nodes[n, end] >> 1] += 1
                if kind != _XOR:
                    solid[nodes[n, end] >> 1] += 1
    return uses, solid


@jit
def _operands(n: int, nodes: Int32s) -> Any:
    return np.int64(nodes[n, 1]), np.int64(nodes[n, 2]), np.int64(nodes[n, 3])


@jit
def _goes_into_xors(n: int, nodes: Int32s, uses: Int32s, solid: Int32s, partner: Int32s) -> Any:
    """Whether an AND is read by few XORs and nothing else, each of which computes it as it goes."""
    return nodes[n, 0] == _AND and solid[n] == 0 and uses[n] <= 3 and partner[n] < 0


@jit
def find_pairs(nodes: Int32s, given: int, uses: Int32s, solid: Int32s) -> Int32s:
    """For each node the one that is computed together with it, or -1: a majority and the sum of the
    same three, an AND and the XOR of the same two."""
    made = uses.shape[0]
    partner = np.full(made, -1, np.int32)
    for kind in (_MAJORITY, _AND):
        for n in range(given, made):
            if uses[n] == 0 or nodes[n, 0] != kind:
                continue
            if _goes_into_xors(n, nodes, uses, solid, partner):
                continue
            x, y, z = _operands(n, nodes)
            x, y, z = x >> 1, y >> 1, z >> 1
            for _ in range(3 if kind == _MAJORITY else 1):
                inner = _known(x, y, nodes)
                total = inner
                if inner > 0 and kind == _MAJORITY:
                    total = _known(inner, z, nodes)
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
    found, p, q, r = _XOR, x, y, _NONE
    for _ in range(2):
        n = y >> 1
        if _goes_into_xors(n, nodes, uses, solid, partner):
            s, t, _ = _operands(n, nodes)
            found, p, q, r = _AND_XOR, s, t, x
            for _ in range(2):
                if nodes[t >> 1, 0] == _XOR:  # x ^ (s & (x ^ c)) = c where s, else x
                    for end in range(1, 3):
                        if nodes[t >> 1, end] == x:
                            return _MUX, s, np.int64(nodes[t >> 1, 3 - end]) ^ (t & 1), x
                s, t = t, s
        elif found == _XOR and nodes[n, 0] == _XOR and uses[n] == 1 and partner[n] < 0:
            s, t, _ = _operands(n, nodes)
            if not (
                _goes_into_xors(s >> 1, nodes, uses, solid, partner)
                or _goes_into_xors(t >> 1, nodes, uses, solid, partner)
            ):
                found, p, q, r = _XOR3, s, t, x
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
        if kind == _AND:
            z = _NONE
        elif kind == _XOR and partner[n] >= 0:  # of the operands of what is computed with it
            x, y, z = _operands(partner[n], nodes)
            x, y = x & ~1, y & ~1
            kind, z = (_XOR, _NONE) if nodes[partner[n], 0] == _AND else (_XOR3, z & ~1)
        elif kind == _XOR:
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
        if both and nodes[n, 0] != _AND and nodes[n, 0] != _MAJORITY:  # the sum stands first
            n, other = other, n
        what = np.int64(nodes[n, 0])
        x, y, z = _operands(n, nodes)
        odd = (x ^ y ^ z) & 1 if what == _MAJORITY else (x ^ y) & 1
        x = np.int64(made[x >> 1]) ^ (x & 1)
        y = np.int64(made[y >> 1]) ^ (y & 1)
        z = np.int64(made[z >> 1]) ^ (z & 1) if z >= 0 else np.int64(-3)
        flip = np.int64(0)
        if what in (_XOR, _XOR3):
            flip = (x ^ y) & 1
            x, y = x & ~1, y & ~1
            if what == _XOR3:
                flip ^= z & 1
                z &= ~1
        elif what == _MAJORITY:
            flip = np.int64((x & 1) + (y & 1) + (z & 1) >= 2)
            x, y, z = x ^ flip, y ^ flip, z ^ flip
            if y & 1:
                x, y = y, x
            elif z & 1:
                x, z = z, x
        elif what == _MUX:
            if x & 1:
                x, y, z = x ^ 1, z, y
            flip = z & 1
            y, z = y ^ flip, z ^ flip
        else:
            if y & 1:
                x, y = y, x
            if what == _AND_XOR:
                flip = z & 1
                z &= ~1
        if both:  # the sum is that of the nodes, without what complements its operands
            made[other] = 2 * value ^ odd ^ (flip if what == _MAJORITY else np.int64(0))
            what = _FULL if what == _MAJORITY else _HALF
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
