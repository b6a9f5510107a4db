"""Numba code of folding: a gate list run on literals, and the nodes it makes covered by operations.

A node is a row (kind, x, y, z) of an int32 table: node 0 is constant 0, then come the ports, then
what gates compute, each from earlier ones. A literal is 2 * node + complement, so 0 and 1 are the
constants. Equal nodes are one node, found by hash, so what a circuit computes again or undoes makes
nothing new. Every rule below is an identity of Boolean algebra, stated beside it.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from revsim.circuit.kernels import jit

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

# Kinds of nodes and operations, as in fused/netlist.py; they and the opcodes below are written out,
# see circuit/kernels.py; a test holds them. Typed, since numba compiles a function once for each
# literal that it is called with.
_int64: Any = np.int64
_XOR, _XOR3, _AND, _AND_XOR, _MUX, _MAJORITY, _HALF, _FULL = (_int64(k) for k in range(8))
_GIVEN = _NONE = _int64(-1)

STEPS = 16
"""Most pairs that one XOR cancels: what is left is a node, right but longer than it need be."""
ROOM = 128
"""Rows of nodes that a gate may take, beside one for each control of an MCX."""


class Graph(NamedTuple):
    """Nodes and how they are found: `slots` int32, a power of two of them, is a hash table with -1
    where it is empty; made int64 [1]: nodes so far; todo int64: `scratch`."""

    nodes: Int32s
    slots: Int32s
    made: Int64s
    todo: Int64s


# --- nodes ---------------------------------------------------------------------------------------


@jit
def _slot(kind: int, x: int, y: int, z: int, nodes: Int32s, slots: Int32s) -> Any:
    """The slot of a node, or the empty one where it would go."""
    mask = slots.shape[0] - 1
    mixed = np.uint64(x) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(4 * y + kind)
    mixed = (mixed ^ (mixed >> np.uint64(32)) ^ np.uint64(z)) * np.uint64(0xBF58476D1CE4E5B9)
    place = np.int64(mixed >> np.uint64(33)) & mask
    while slots[place] >= 0:
        n = slots[place]
        if nodes[n, 1] == x and nodes[n, 2] == y and nodes[n, 0] == kind and nodes[n, 3] == z:
            break
        place = (place + 1) & mask
    return place


@jit
def _find(kind: int, x: int, y: int, z: int, graph: Graph) -> Any:
    """The literal of a node, or -1 where it was never made."""
    n = graph.slots[_slot(kind, x, y, z, graph.nodes, graph.slots)]
    return 2 * np.int64(n) if n >= 0 else _NONE


@jit
def _make(kind: int, x: int, y: int, z: int, graph: Graph) -> Any:
    """The literal of a node, made where it was not."""
    nodes, slots, made, _ = graph
    place = _slot(kind, x, y, z, nodes, slots)
    if slots[place] < 0:
        n = made[0]
        slots[place] = n
        nodes[n, 0], nodes[n, 1], nodes[n, 2], nodes[n, 3] = kind, x, y, z
        made[0] = n + 1
    return 2 * np.int64(slots[place])


@jit
def rehash(graph: Graph) -> None:
    """Fill an empty hash table with the nodes that have been made."""
    nodes, slots, made, _ = graph
    for n in range(made[0]):
        if nodes[n, 0] != _GIVEN:
            slots[_slot(nodes[n, 0], nodes[n, 1], nodes[n, 2], nodes[n, 3], nodes, slots)] = n


def scratch() -> Int64s:
    """Room for what waits to be XORed."""
    return np.empty(STEPS + 2, dtype=np.int64)


# --- Boolean algebra -----------------------------------------------------------------------------


@jit
def _and(p: int, q: int, graph: Graph) -> Any:
    """The literal of p AND q."""
    nodes = graph.nodes
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
            return _make(_AND, min(p, q), max(p, q), np.int64(0), graph)


@jit
def _majority(x: int, y: int, z: int, graph: Graph, new: bool) -> Any:
    """The literal of the majority of three literals of different nodes; -1 where it was never made
    and is not to be. It is self-dual, so that at most one of its operands is complemented."""
    dual = (x & 1) + (y & 1) + (z & 1) >= 2
    x, y, z = x ^ dual, y ^ dual, z ^ dual
    low, high = min(x, y), max(x, y)
    low, middle, high = min(low, z), max(low, min(high, z)), max(high, z)
    if new:
        return _make(_MAJORITY, low, middle, high, graph) ^ dual
    found = _find(_MAJORITY, low, middle, high, graph)
    return found ^ dual if found >= 0 else found


@jit
def _meet(p: Any, q: Any, graph: Graph) -> Any:
    """The literal of node p XOR node q where a rule makes it shorter, else -1."""
    nodes = graph.nodes
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
            apart = _make(_XOR, a & ~1, b & ~1, np.int64(0), graph)
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
                    return _and(u, v ^ 1, graph) ^ (u & 1)
                u, v = v, u
            if nodes[u >> 1, 0] == _XOR and nodes[v >> 1, 0] == _XOR:
                for i in range(1, 3):
                    for j in range(1, 3):
                        x = np.int64(nodes[u >> 1, i])
                        if x == nodes[v >> 1, j]:
                            y = np.int64(nodes[u >> 1, 3 - i]) ^ (u & 1)
                            z = np.int64(nodes[v >> 1, 3 - j]) ^ (v & 1)
                            if x >> 1 == p:  # x ^ ((x ^ y) & (x ^ z)) = majority of x, y, z
                                return _majority(x, y, z, graph, True)
                            if nodes[p, 0] == _MAJORITY:
                                found = _majority(x, y, z, graph, False)
                                if found >= 0 and found >> 1 == p:
                                    return x ^ (found & 1)
        p, q = q, p
    return _NONE


@jit
def _xor(p: int, q: int, graph: Graph) -> Any:
    """The literal of p XOR q. A pair that makes something shorter is looked for among the two and,
    where they are XORs, their operands: so what was added to a wire is taken off it again."""
    nodes, todo = graph.nodes, graph.todo
    flip = (p ^ q) & 1
    have = p >> 1
    todo[0] = q >> 1
    waiting, steps = 1, 0
    while waiting > 0:
        waiting -= 1
        other = todo[waiting]
        met = _NONE
        open_mine = nodes[have, 0] == _XOR and steps < STEPS
        open_theirs = nodes[other, 0] == _XOR and steps < STEPS
        for i in range(3 if open_mine else 1):  # 0: the whole, 1 and 2: an operand
            for j in range(3 if open_theirs else 1):
                mine = have if i == 0 else np.int64(nodes[have, i] >> 1)
                theirs = other if j == 0 else np.int64(nodes[other, j] >> 1)
                met = _meet(mine, theirs, graph)
                if met >= 0:
                    if i > 0:
                        todo[waiting] = nodes[have, 3 - i] >> 1
                        waiting += 1
                    if j > 0:
                        todo[waiting] = nodes[other, 3 - j] >> 1
                        waiting += 1
                    break
            if met >= 0:
                break
        if met < 0:
            met = _make(_XOR, 2 * min(have, other), 2 * max(have, other), np.int64(0), graph)
        steps += 1
        have = met >> 1
        flip ^= met & 1
    return 2 * have ^ flip


# --- gates ---------------------------------------------------------------------------------------


@jit
def run_rows(
    table: Int32s,
    first: int,
    starts: Int64s,
    listed: Int32s,
    positive: Bytes,
    held: Int64s,
    promised: Bytes,
    erased: Int32s,
    tallied: Int32s,
    counted: Int64s,
    graph: Graph,
) -> Any:
    """Run a gate table int32 [rows, 6] from row `first` on literals, as long as there is room for
    nodes; returns the row reached.

    held: int64 [slots], the literal on each slot; promised: uint8 per literal, 1 where it must be 0
    since a wire is released, 2 since a gate promises it, 3 both; erased: int32 [erased] literals;
    tallied: int32 [tallies, 2] literals; counted: int64 [1], ERASEs so far.
    """
    gate = first - 1  # the last row that is no FREE
    while gate >= 0 and table[gate, 0] == 7:
        gate -= 1
    for row in range(first, table.shape[0]):
        op, a, b, c = table[row, 0], table[row, 1], table[row, 2], table[row, 3]
        role = table[row, 4]
        room = graph.nodes.shape[0] - graph.made[0] - ROOM
        if room < 0 or (op == 5 and room < starts[table[row, 5] + 1] - starts[table[row, 5]]):
            return row
        if op == 7:  # FREE, checked already where the gate before it uncomputed the wire
            if gate < 0 or table[gate, 4] != 2 or table[gate, 3] != c:
                promised[held[c]] |= 1
            continue
        gate = row
        if op == 8:  # TALLY
            tallied[table[row, 5], 0], tallied[table[row, 5], 1] = held[a], held[b]
            continue
        if role == 1:
            promised[held[c]] |= 2
        if op == 0:
            held[c] ^= 1
        elif op == 1:
            held[c] = _xor(held[c], held[a], graph)
        elif op == 2:
            held[c] = _xor(held[c], _and(held[a], held[b], graph), graph)
        elif op == 3:
            held[b], held[c] = held[c], held[b]
        elif op == 4:
            change = _and(held[a], _xor(held[b], held[c], graph), graph)
            held[b] = _xor(held[b], change, graph)
            held[c] = _xor(held[c], change, graph)
        elif op == 5:
            every = np.int64(1)
            for i in range(starts[table[row, 5]], starts[table[row, 5] + 1]):
                every = _and(every, held[listed[i]] ^ 1 ^ np.int64(positive[i]), graph)
            held[c] = _xor(held[c], every, graph)
        elif op == 6:
            erased[counted[0]] = held[c]
            counted[0] += 1
            held[c] = 0
        if role == 2:
            promised[held[c]] |= 2
    return np.int64(table.shape[0])


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
def find_pairs(graph: Graph, given: int, uses: Int32s, solid: Int32s) -> Int32s:
    """For each node the one that is computed together with it, or -1: a majority and the sum of the
    same three, an AND and the XOR of the same two."""
    nodes, made = graph.nodes, graph.made[0]
    partner = np.full(made, -1, np.int32)
    for n in range(given, made):
        if uses[n] > 0 and nodes[n, 0] == _MAJORITY:
            x, y, z = _operands(n, nodes)
            x, y, z = x & ~1, y & ~1, z & ~1
            for _ in range(3):
                inner = _find(_XOR, min(x, y), max(x, y), np.int64(0), graph)
                if inner >= 0:
                    total = _find(_XOR, min(inner, z), max(inner, z), np.int64(0), graph) >> 1
                    if total >= 0 and uses[total] > 0 and partner[total] < 0:
                        partner[n], partner[total] = total, n
                        uses[inner >> 1] -= 1  # the sum is not made from it
                        break
                x, y, z = y, z, x
    for n in range(given, made):
        if (
            uses[n] > 0
            and nodes[n, 0] == _AND
            and not _goes_into_xors(n, nodes, uses, solid, partner)
        ):
            x, y = np.int64(nodes[n, 1] & ~1), np.int64(nodes[n, 2] & ~1)
            total = _find(_XOR, min(x, y), max(x, y), np.int64(0), graph) >> 1
            if total >= 0 and uses[total] > 0 and partner[total] < 0:
                partner[n], partner[total] = total, n
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


def cover(graph: Graph, given: int, roots: Int64s) -> Any:
    """The operations that make the roots (literals), see `write_operations`; the graph is used up.
    `given`: nodes that are no gates', constant and ports."""
    nodes = graph.nodes[: graph.made[0]]
    uses, solid = count_uses(nodes, given, roots)
    partner = find_pairs(graph, given, uses, solid)
    needed, operations = choose(nodes, given, roots, uses, solid, partner)
    return write_operations(nodes, given, needed, partner, operations)
