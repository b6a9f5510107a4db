"""Numba code of scheduling: complements out of the way, slots by liveness."""

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
def packed(rows: Any, order: Any, widths: Any) -> Any:
    """Rows int32 [rows, 6], kind first, in the order given, as code: runs of one kind."""
    total = 0
    for i in range(order.shape[0]):
        total += widths[rows[order[i], 0]] + 2
    code = np.empty(total, np.int32)
    at, run = 0, -1
    for i in range(order.shape[0]):
        row = order[i]
        kind = rows[row, 0]
        if run < 0 or code[run] != kind:
            run = at
            code[run] = kind
            code[run + 1] = 0
            at += 2
        code[run + 1] += 1
        for k in range(widths[kind]):
            code[at + k] = rows[row, 1 + k]
        at += widths[kind]
    return code[:at].copy()


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
