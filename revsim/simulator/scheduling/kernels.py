"""Numba code of scheduling: complements out of the way, sums as ladders, slots by liveness."""

from typing import Any

import numpy as np

from revsim.circuit.kernels import jit

# Kinds stand below as literals, since a cached kernel freezes the globals that it reads: those of
# fused/netlist.py on the left of each branch, those of layout.py on the right. A test holds them.


@jit
def without_complements(
    order: Any, kind: Any, operands: Any, results: Any, summed: Any, rows: Any, flipped: Any
) -> None:
    """Operations as rows that read values as they stand.

    order: int32, the operations in an order in which they can run. kind, operands and results as
    in `adders.graph.Graph`. rows: int32 [operations, 6], written: kind of row and five values, read
    ones first. flipped: uint8 [values]: whether what stands for a value is its complement; given
    for constant and ports (0) and for results of the operations that are `summed` uint8
    [operations], which are skipped.
    """
    for i in order:
        if summed[i]:
            continue
        op = kind[i]
        x, y, z = operands[i, 0] >> 1, operands[i, 1] >> 1, operands[i, 2] >> 1
        not_x = (operands[i, 0] & 1) ^ flipped[x]
        not_y = (operands[i, 1] & 1) ^ flipped[y]
        not_z = np.int64(0)
        if z >= 0:
            not_z = (operands[i, 2] & 1) ^ flipped[z]
        third: Any = z
        row: Any = np.int64(0)
        flip: Any = np.int64(0)
        flip_second: Any = np.int64(0)
        if op == 0 or op == 1:  # XOR, XOR3
            row = 0 if op == 0 else 4
            flip = not_x ^ not_y ^ not_z
        elif op == 2 or op == 3 or op == 6:  # AND, AND_XOR, HALF
            row = 1 if op == 2 else 5 if op == 3 else 12
            row += not_x + not_y
            if not_x and not not_y:
                x, y = y, x
            flip = not_z if op == 3 else (not_x ^ not_y) if op == 6 else np.int64(0)
        elif op == 4:  # MUX
            if not_x:
                y, third, not_y, not_z = third, y, not_z, not_y
            row = 8 + (not_y ^ not_z)
            flip = not_z
        else:  # MAJORITY, FULL: a majority of complements is the complement of the majority
            row = 10 if op == 5 else 15
            flip = not_x ^ not_y ^ not_z
            if not_x + not_y + not_z >= 2:
                flip_second = np.int64(1)
                not_x, not_y, not_z = 1 - not_x, 1 - not_y, 1 - not_z
            row += not_x + not_y + not_z
            if not_y:
                x, y = y, x
            elif not_z:
                x, third = third, x
            if op == 5:
                flip = flip_second
        rows[i, 0] = row
        rows[i, 1] = x
        rows[i, 2] = y
        rows[i, 3] = third
        at = 3 if third < 0 else 4
        for k in range(2 if op >= 6 else 1):
            rows[i, at + k] = results[i, k]
            flipped[results[i, k]] = flip_second if k else flip


@jit
def order_nodes(node: Any, operands: Any, producer: Any, order: Any, ready: Any) -> int:
    """Nodes of operations so that each comes after those whose values it reads; those that wait for
    the node before them come next.

    node: int32 [operations], named by one of its operations; operands and producer as in
    `adders.graph.Graph`. order: int32 [operations], written;
    returns how many nodes it holds: fewer than there are where some wait for each other. ready:
    uint8 [operations], set for these nodes.
    """
    count = node.shape[0]
    waits = np.zeros(count, np.int32)
    starts = np.zeros(count + 1, np.int32)
    for op in range(count):
        for k in range(3):
            value = operands[op, k] >> 1
            if value >= 0 and producer[value] >= 0 and node[producer[value]] != node[op]:
                waits[node[op]] += 1
                starts[node[producer[value]] + 1] += 1
    for i in range(count):
        starts[i + 1] += starts[i]
    place = starts[:-1].copy()
    readers = np.empty(starts[count], np.int32)
    for op in range(count):
        for k in range(3):
            value = operands[op, k] >> 1
            if value >= 0 and producer[value] >= 0 and node[producer[value]] != node[op]:
                maker = node[producer[value]]
                readers[place[maker]] = node[op]
                place[maker] += 1
    stack = np.empty(count + 1, np.int32)
    done = np.int64(0)
    for first in range(count):
        if node[first] != first or waits[first] or ready[first]:
            continue
        stack[0] = first
        top = 1
        ready[first] = 1
        while top:
            top -= 1
            current = stack[top]
            order[done] = current
            done += 1
            for i in range(starts[current + 1] - 1, starts[current] - 1, -1):
                reader = readers[i]
                waits[reader] -= 1
                if waits[reader] == 0 and not ready[reader]:
                    ready[reader] = 1
                    stack[top] = reader
                    top += 1
    return int(done)


@jit
def last_uses(code: Any, shape: Any, last: Any) -> None:
    """Where each value is last read: `last` int32 [values] is raised to places in the code.

    shape: int64 [4, kinds], how many slots a row reads, writes, its numbers, and its ends.
    """
    at = 0
    while at < code.shape[0]:
        kind, count = code[at], code[at + 1]
        at += 2
        for k in range(shape[3, kind]):
            last[code[at + k]] = at
        at += shape[3, kind]
        for _ in range(count):
            for k in range(shape[0, kind]):
                last[code[at + k]] = at
            at += shape[0, kind] + shape[1, kind] + shape[2, kind]
        at += shape[3, kind]


@jit
def assign_slots(code: Any, shape: Any, last: Any, slot: Any, taken: int) -> int:
    """Put slots in the place of values, in place; returns how many slots there are.

    last: int32 [values] from `last_uses`. slot: int32 [values], given for values that stand in
    slots 0..taken-1 from the start, -1 for others; written. A value's slot is free for others once
    it has been read for the last time; a result takes the slot freed last, which the row read.
    """
    free = np.empty(last.shape[0] + taken + 1, np.int32)
    counts = np.array([taken, 0])  # slots so far, and how many of them are free
    at = 0
    while at < code.shape[0]:
        kind, count = code[at], code[at + 1]
        at += 2
        ends = shape[3, kind]
        _slots_read(code, at, ends, at, last, slot, free, counts)
        at += ends
        for _ in range(count):
            reads, writes = shape[0, kind], shape[1, kind]
            _slots_read(code, at, reads, at, last, slot, free, counts)
            _slots_written(code, at + reads, writes, last, slot, free, counts)
            at += reads + writes + shape[2, kind]
        _slots_written(code, at, ends, last, slot, free, counts)
        at += ends
    return int(counts[0])


@jit
def _slots_read(
    code: Any, first: int, count: int, at: int, last: Any, slot: Any, free: Any, counts: Any
) -> None:
    """Slots of `count` values from place `first` on, those free that are read there for the last
    time."""
    for k in range(first, first + count):
        value = code[k]
        code[k] = slot[value]
        if last[value] == at:
            last[value] = -2
            free[counts[1]] = slot[value]
            counts[1] += 1


@jit
def _slots_written(
    code: Any, first: int, count: int, last: Any, slot: Any, free: Any, counts: Any
) -> None:
    """Slots for `count` results from place `first` on; what nothing reads is free at once."""
    for k in range(first, first + count):
        value = code[k]
        if counts[1]:
            counts[1] -= 1
            slot[value] = free[counts[1]]
        else:
            slot[value] = counts[0]
            counts[0] += 1
    for k in range(first, first + count):
        value = code[k]
        code[k] = slot[value]
        if last[value] == -1:
            free[counts[1]] = slot[value]
            counts[1] += 1


@jit
def rows_looked_at(
    erased: Any, tallied: Any, free: Any, role: Any, flipped: Any, producer: Any, rank: Any,
    together: int,
) -> Any:  # fmt: skip
    """Rows int32 [rows, 5] that look at values, counts and checks that a value is 0, by the window
    of `together` nodes that they come after: (rows, starts int32 [windows + 2]).

    The first four arguments are literals; producer int32 [values]: the operation that makes a
    value, or -1; rank int32 [operations]: the place of its node. Window 0 is before all nodes.
    """
    counts, checks = erased.shape[0] + tallied.shape[0], free.shape[0] + role.shape[0]
    rows = np.full((counts + checks, 5), -1, np.int32)
    for i in range(erased.shape[0]):
        rows[i, 0], rows[i, 1], rows[i, 2] = 17, erased[i] >> 1, i
    at = erased.shape[0]
    for i in range(tallied.shape[0]):
        rows[at, 0], rows[at, 1], rows[at, 2] = 18, tallied[i, 0] >> 1, tallied[i, 1] >> 1
        rows[at, 3] = i
        at += 1
    for kind in range(19, 23):  # a kind after the other
        literals = free if kind < 21 else role
        for literal in literals:
            if ((literal & 1) ^ flipped[literal >> 1]) == (kind + 1 & 1):
                rows[at, 0], rows[at, 1] = kind, literal >> 1
                at += 1
    windows = (rank.shape[0] - 1) // together + 2
    starts = np.zeros(windows + 2, np.int32)
    for i in range(at):
        made = producer[rows[i, 1]]
        ready = np.int64(-1) if made < 0 else np.int64(rank[made])
        if rows[i, 0] == 18:
            made = producer[rows[i, 2]]
            if made >= 0:
                ready = max(ready, np.int64(rank[made]))
        rows[i, 4] = ready // together + 1
        starts[rows[i, 4] + 1] += 1
    for i in range(windows + 1):
        starts[i + 1] += starts[i]
    place = starts.copy()
    ordered = np.empty_like(rows)
    for i in range(at):
        window = rows[i, 4]
        ordered[place[window]] = rows[i]
        place[window] += 1
    return ordered, starts


@jit
def written(
    rows: Any, order: Any, looked_at: Any, starts: Any, together: int, widths: Any, flipped: Any,
    sum_of: Any, bounds: Any, results: Any, term_bounds: Any, terms: Any, weights: Any,
    constants: Any,
) -> Any:  # fmt: skip
    """(code on values, alias): rows and sums in the order of their nodes, in runs of one kind.

    rows as written by `without_complements`, looked_at and starts by `rows_looked_at`; widths int64
    [kinds], slots and numbers of a row; the last arguments as in `adders.sums.Sums`. alias int32
    [values]: what stands for a value in the end; there are more values than given.
    """
    alias = np.arange(flipped.shape[0]).astype(np.int32)
    fresh = np.int64(flipped.shape[0])
    code = np.empty(4 * rows.shape[0] + 64, np.int32)
    state = np.array([0, -1])  # where code ends, where its last run starts
    for i in range(order.shape[0]):
        if i % together == 0:
            for k in range(starts[i // together], starts[i // together + 1]):
                code = _append(code, state, looked_at[k], widths)
        number = sum_of[order[i]]
        if number < 0:
            code = _append(code, state, rows[order[i]], widths)
            continue
        first, last = bounds[number], bounds[number + 1]
        low, high = term_bounds[number], term_bounds[number + 1]
        code, fresh = _sum_up(
            code, state, terms[low:high], weights[low:high], constants[number], flipped,
            results[first:last], alias, fresh,
        )  # fmt: skip
        state[1] = -1
    for k in range(starts[(order.shape[0] + together - 1) // together], looked_at.shape[0]):
        code = _append(code, state, looked_at[k], widths)
    every = np.arange(fresh).astype(np.int32)
    for value in range(alias.shape[0]):  # a bit that passes a sum unchanged may be one of another
        total = alias[value]
        while total < alias.shape[0] and alias[total] != total:
            total = alias[total]
        every[value] = alias[value] = total
    return code[: state[0]].copy(), every


@jit
def _room(code: Any, size: int, more: int) -> Any:
    """The code, or where there is no room for `more` after `size`, a larger copy."""
    if size + more <= code.shape[0]:
        return code
    larger = np.empty(2 * (size + more), np.int32)
    larger[:size] = code[:size]
    return larger


@jit
def _append(code: Any, state: Any, row: Any, widths: Any) -> Any:
    """Code with one more row, kind first, in the last run if it is of its kind."""
    kind = row[0]
    width = widths[kind]
    code = _room(code, state[0], width + 2)
    if state[1] < 0 or code[state[1]] != kind:
        state[1] = state[0]
        code[state[0]], code[state[0] + 1] = kind, 0
        state[0] += 2
    code[state[1] + 1] += 1
    for k in range(width):
        code[state[0] + k] = row[1 + k]
    state[0] += width
    return code


# Bits that are still to be added stand in stacks: of each column k one of values as they stand,
# heads[0, k], and one of values whose complement counts, heads[1, k]. A stack is a list of nodes
# (value, the node below); those that are free are such a list too, heads[2, 0].


@jit
def _push(heads: Any, heights: Any, nodes: Any, side: int, column: int, value: int) -> None:
    node = heads[2, 0]
    heads[2, 0] = nodes[node, 1]
    nodes[node, 0], nodes[node, 1] = value, heads[side, column]
    heads[side, column] = node
    heights[side, column] += 1


@jit
def _pop(heads: Any, heights: Any, nodes: Any, side: int, column: int) -> int:
    """The value on top of a stack, or 0, that of constant 0, if there is none."""
    node = heads[side, column]
    if node < 0:
        return 0
    heads[side, column] = nodes[node, 1]
    heights[side, column] -= 1
    nodes[node, 1] = heads[2, 0]
    heads[2, 0] = node
    return int(nodes[node, 0])


@jit
def _sum_up(
    code: Any, state: Any, terms: Any, weights: Any, constant: int, flipped: Any, results: Any,
    alias: Any, fresh: int,
) -> Any:  # fmt: skip
    """(code, fresh): code with a sum, constant + sum of weights * terms, in ladders; new values are
    numbered from `fresh` on. alias is written for the results.

    Weights are written in signed digits, of which -b 2^k = ~b 2^k - 2^k.
    """
    width = results.shape[0]
    half = np.int64(1) << (width - 1)
    most, none = np.int64(width + 1), np.int64(0)
    for i in range(terms.shape[0]):
        size = abs(((weights[i] + half) & (2 * half - 1)) - half)
        digits = (size ^ (3 * size)) >> 1
        while digits:
            digits &= digits - 1
            most += 1
    heads = np.full((3, width), -1, np.int32)
    heights = np.zeros((2, width), np.int32)
    nodes = np.empty((most, 2), np.int32)
    for i in range(most):
        nodes[i, 1] = i - 1
    heads[2, 0] = most - 1
    for i in range(terms.shape[0]):
        weight = ((weights[i] + half) & (2 * half - 1)) - half
        size = abs(weight)
        digits = (size ^ (3 * size)) >> 1
        for k in range(width):
            if digits >> k & 1:
                negative = (size >> (k + 1) & 1) ^ (weight < 0)
                constant -= int(negative) << k
                side = np.int64(negative ^ flipped[terms[i]])
                _push(heads, heights, nodes, side, k, terms[i])
    for k in range(width):
        if constant >> k & 1:
            _push(heads, heights, nodes, np.int64(1), k, np.int32(0))
    totals = np.empty(width, np.int32)
    for k in range(width):
        totals[k] = _pop(heads, heights, nodes, np.int64(0), k)

    for size in range(3, -1, -1):
        chains = 1 << size
        while True:
            places, first = _longest(heights[1], chains)
            side = np.int64(1)
            if chains > 1:
                plain, plain_first = _longest(heights[0], chains)
                if plain > places or (plain == places and plain_first > first):
                    places, first, side = plain, plain_first, np.int64(0)
            if not places:
                break
            code = _ladder(
                code, state, heads, heights, nodes, totals, size, side, first, first + places, fresh
            )
            fresh += places + chains
    for first in range(width):  # a few bits are left: one of each column, and up to the top
        while heights[0, first]:
            code = _ladder(
                code, state, heads, heights, nodes, totals, none, none, first, width, fresh
            )
            fresh += width - first + 1
    for k in range(width):
        if results[k] >= 0:
            alias[results[k]] = totals[k]
    return code, fresh


@jit
def _ladder(
    code: Any, state: Any, heads: Any, heights: Any, nodes: Any, totals: Any, size: int, side: int,
    first: int, end: int, fresh: int,
) -> Any:  # fmt: skip
    """Code with a ladder of 2^size chains that take a bit each from columns first..end."""
    chains, at = 1 << size, state[0]
    code = _room(code, at, 2 + 2 * chains + (end - first) * (2 + chains))
    code[at], code[at + 1] = 23 + 4 * side + size, end - first
    given = chains if side else max(0, heights[0, first] - chains)
    at += 2
    for i in range(chains):
        code[at + i] = _pop(heads, heights, nodes, np.int64(0), first) if i < given else 0
    at += chains
    for k in range(first, end):
        code[at] = totals[k]
        for i in range(chains):
            code[at + 1 + i] = _pop(heads, heights, nodes, side, k)
        code[at + 1 + chains] = totals[k] = fresh
        fresh += 1
        at += chains + 2
    for i in range(chains):
        code[at + i] = fresh + i
        if end < totals.shape[0]:
            _push(heads, heights, nodes, np.int64(0), end, np.int32(fresh + i))
    state[0] = at + chains
    return code


@jit
def _longest(heights: Any, chains: int) -> Any:
    """(places, first) of the longest run of columns with a bit for each chain, or (0, 0): of one
    chain, of two places at least, or of one where the carries in are bits of the sum too."""
    best, first, start = 0, 0, 0
    for k in range(heights.shape[0] + 1):
        if k < heights.shape[0] and heights[k] >= chains:
            continue
        places = k - start
        enough = places > 1 or (places == 1 and (chains == 1 or heights[start] >= 2 * chains))
        if enough and places >= best:
            best, first = places, start
        start = k + 1
    return best, first


@jit
def rename(code: Any, shape: Any, alias: Any) -> None:
    """Write alias[v] for each value v that code reads."""
    at = 0
    while at < code.shape[0]:
        kind, count = code[at], code[at + 1]
        at += 2
        for k in range(at, at + shape[3, kind]):
            code[k] = alias[code[k]]
        at += shape[3, kind]
        for _ in range(count):
            for k in range(at, at + shape[0, kind]):
                code[k] = alias[code[k]]
            at += shape[0, kind] + shape[1, kind] + shape[2, kind]
        at += shape[3, kind]


@jit
def scaled(code: Any, shape: Any, block: int) -> Any:
    """The code with word offsets, in a frame of `block` words a slot, in the place of slots."""
    out = code.copy()
    at = 0
    while at < code.shape[0]:
        kind, count = code[at], code[at + 1]
        at += 2
        slots = shape[0, kind] + shape[1, kind]
        for k in range(shape[3, kind]):
            out[at + k] = code[at + k] * block
        at += shape[3, kind]
        for _ in range(count):
            for k in range(slots):
                out[at + k] = code[at + k] * block
            at += slots + shape[2, kind]
        for k in range(shape[3, kind]):
            out[at + k] = code[at + k] * block
        at += shape[3, kind]
    return out
