"""Numba code of scheduling: complements out of the way, slots by liveness."""

from typing import Any

import numpy as np

from revsim.circuit.kernels import jit

# Kinds stand below as literals, since a cached kernel freezes the globals that it reads: those of
# fused/netlist.py on the left of each branch, those of layout.py on the right. A test holds them.


@jit
def without_complements(kind: Any, operands: Any, rows: Any, flipped: Any) -> None:
    """Operations as rows that read values as they stand.

    kind: int8 [operations]; operands: int32 [operations, 3] literals 2 * value + complement, where
    value 0 is constant 0 and -1 is none. rows: int32 [operations, 6], written: kind of row and five
    values, read ones first. flipped: uint8 [values], zeros for constant and ports: whether what
    stands for a value is its complement.
    """
    value = flipped.shape[0]
    for i in range(kind.shape[0]):
        value -= 2 if kind[i] >= 6 else 1
    for i in range(kind.shape[0]):
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
        flipped[value] = flip
        at = 3 if third < 0 else 4
        rows[i, at] = value
        value += 1
        if op >= 6:
            rows[i, at + 1] = value
            flipped[value] = flip_second
            value += 1


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
def last_uses(code: Any, reads: Any, writes: Any, numbers: Any, last: Any) -> None:
    """Where each value is last read: `last` int32 [values] is raised to places in the code."""
    at = 0
    while at < code.shape[0]:
        kind = code[at]
        count = code[at + 1]
        at += 2
        width = reads[kind] + writes[kind] + numbers[kind]
        for _ in range(count):
            for k in range(reads[kind]):
                last[code[at + k]] = max(last[code[at + k]], at)
            at += width


@jit
def assign_slots(
    code: Any, reads: Any, writes: Any, numbers: Any, last: Any, slot: Any, taken: int
) -> int:
    """Put slots in the place of values, in place; returns how many slots there are.

    last: int32 [values] from `last_uses`. slot: int32 [values], given for values that stand in
    slots 0..taken-1 from the start, -1 for others; written. A value's slot is free for others once
    it has been read for the last time; a result takes the slot freed last, which the row read.
    """
    free = np.empty(last.shape[0] + taken + 1, np.int32)
    last_of_result = np.empty(8, np.int32)
    spare = 0
    slots = taken
    for v in range(last.shape[0]):
        if slot[v] > 0 and last[v] < 0:
            free[spare] = slot[v]
            spare += 1
    at = 0
    while at < code.shape[0]:
        kind = code[at]
        count = code[at + 1]
        at += 2
        first, second = reads[kind], reads[kind] + writes[kind]
        width = second + numbers[kind]
        for _ in range(count):
            for k in range(first):
                v = code[at + k]
                code[at + k] = slot[v]
                if last[v] == at:
                    last[v] = -1
                    free[spare] = slot[v]
                    spare += 1
            for k in range(first, second):
                v = code[at + k]
                last_of_result[k - first] = last[v]
                if spare:
                    spare -= 1
                    slot[v] = free[spare]
                else:
                    slot[v] = slots
                    slots += 1
                code[at + k] = slot[v]
            for k in range(first, second):
                if last_of_result[k - first] < 0:  # nothing reads it
                    free[spare] = code[at + k]
                    spare += 1
            at += width
    return slots


@jit
def scaled(code: Any, reads: Any, writes: Any, numbers: Any, block: int) -> Any:
    """The code with word offsets, in a frame of `block` words a slot, in the place of slots."""
    out = code.copy()
    at = 0
    while at < code.shape[0]:
        kind = code[at]
        count = code[at + 1]
        at += 2
        slots = reads[kind] + writes[kind]
        for _ in range(count):
            for k in range(slots):
                out[at + k] = code[at + k] * block
            at += slots + numbers[kind]
    return out
