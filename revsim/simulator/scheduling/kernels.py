"""Numba code of scheduling: complements out of the way, slots by liveness."""

from typing import Any

import numpy as np

from revsim.circuit.kernels import jit

# Kinds stand below as literals, since a cached kernel freezes the globals that it reads: those of
# fused/netlist.py on the left of each branch, those of layout.py on the right. A test holds them.


@jit
def share_sums(
    kind: Any, operands: Any, results: Any, producer: Any, uses: Any, readers: Any, instead: Any
) -> int:
    """Let bits that an adder adds be read by it alone, where another operation reads two of them.

    kind, operands, results, producer, uses and readers as in `sums.Graph`; the first two and `results` are
    changed, and uses no longer hold. An XOR of two of the three bits of a full adder becomes that
    of its sum and the third; an XOR of two bits and an AND of them that is XORed into a third are
    a half adder and an XOR. instead int32 [values]: the literal to be read for a value. Returns how
    many values there are, of which there may be one more for each operation.
    """
    values = uses.shape[0]
    for op in range(kind.shape[0]):
        if kind[op] == 7:
            for third in range(3):
                i, j = (third + 1) % 3, (third + 2) % 3
                p, q, r = operands[op, i], operands[op, j], operands[op, third]
                x, y = p >> 1, q >> 1
                if uses[x] != 2 or uses[y] != 2 or x == y or x == r >> 1 or y == r >> 1:
                    continue
                other = readers[x, 0] + readers[x, 1] - op
                if other != readers[y, 0] + readers[y, 1] - op or kind[other] > 1:
                    continue
                if producer[r >> 1] >= other:  # it may come of the XOR itself
                    continue
                flip = (p ^ q ^ r) & 1
                for k in range(3):
                    literal = operands[other, k]
                    if literal >> 1 == x:
                        operands[other, k] = 2 * results[op, 0] + ((literal & 1) ^ flip)
                    elif literal >> 1 == y:
                        operands[other, k] = 2 * (r >> 1) + (literal & 1)
                uses[x] = uses[y] = 1
                uses[r >> 1] += 1
                uses[results[op, 0]] += 1
        elif kind[op] == 3:
            p, q = operands[op, 0], operands[op, 1]
            x, y = p >> 1, q >> 1
            if uses[x] != 2 or uses[y] != 2 or x == y or x == 0 or y == 0:
                continue
            other = readers[x, 0] + readers[x, 1] - op
            if other != readers[y, 0] + readers[y, 1] - op or other == op or kind[other] != 0:
                continue
            flip = (p ^ q ^ operands[other, 0] ^ operands[other, 1]) & 1
            total, carry = results[other, 0], values
            values += 1
            if flip:
                instead[total] = 2 * values + 1
                results[other, 0] = values
                values += 1
            results[other, 1] = carry
            kind[other], kind[op] = 6, 0
            operands[other, 0], operands[other, 1] = p, q
            operands[op, 0], operands[op, 1] = 2 * carry, operands[op, 2]
            operands[op, 2] = -1
            uses[x] = uses[y] = 1
    return int(values)


@jit
def _place(value: int, op: int, operands: Any) -> int:
    """Which operand of an operation a value is, or -1."""
    for k in range(3):
        if operands[op, k] >> 1 == value:
            return k
    return -1


@jit
def add_twice(
    kind: Any, operands: Any, results: Any, producer: Any, uses: Any, readers: Any, instead: Any,
    values: int,
) -> int:  # fmt: skip
    """Bring out the sum bits of adders that add a bit z which another one has added before.

    The second sum, a ^ b ^ z ^ z ^ c, needs no z; so the first was never made, and the second carry
    is c where a ^ b, else z, or the other way round. Arguments as for `share_sums`; new values are
    numbered from `values` on; returns how many there are then.
    """
    for op in range(kind.shape[0]):
        if kind[op] == 4:  # MUX of u = a ^ b
            u = operands[op, 0] >> 1
            xor = producer[u]
            if xor < 0 or kind[xor] != 0:
                continue
            a, b = operands[xor, 0] >> 1, operands[xor, 1] >> 1
            adder, third = -1, -1
            for k in range(4):
                other = readers[a if k & 1 else b, k >> 1]
                if other < 0 or kind[other] < 5 or kind[other] == 6:
                    continue
                i, j = _place(a, other, operands), _place(b, other, operands)
                if i >= 0 and j >= 0 and i != j:
                    adder, third = other, 3 - i - j
            if adder < 0:
                continue
            z = operands[adder, third] >> 1
            one, zero = operands[op, 1], operands[op, 2]
            if operands[op, 0] & 1:
                one, zero = zero, one
            differ = (operands[xor, 0] ^ operands[xor, 1]) & 1
            for k in range(3):
                differ ^= operands[adder, k] & 1
            if one >> 1 == z and zero >> 1 != z:
                mine, carried = one, zero
                flip = (mine & 1) ^ 1 ^ differ
            elif zero >> 1 == z and one >> 1 != z:
                mine, carried = zero, one
                flip = (mine & 1) ^ differ
            else:
                continue
            if kind[adder] == 5:
                kind[adder] = 7
                results[adder, 1] = results[adder, 0]
                results[adder, 0] = values
                values += 1
            kind[op] = 7
            results[op, 1] = results[op, 0]
            results[op, 0] = values
            operands[op, 0] = 2 * results[adder, 0] + flip
            operands[op, 1], operands[op, 2] = mine, carried
            for k in range(2):  # u ^ carried is the sum
                other = readers[u, k]
                i = _place(carried >> 1, other, operands)
                if kind[other] == 0 and i >= 0:
                    bits = operands[other, 0] ^ operands[other, 1] ^ flip ^ mine ^ carried
                    instead[results[other, 0]] = 2 * values + ((bits ^ differ) & 1)
            values += 1
        elif kind[op] == 5:  # majority of a ^ b ^ z, z and c
            for k in range(3):
                first = producer[operands[op, k] >> 1]
                if first < 0 or kind[first] != 7 or results[first, 0] != operands[op, k] >> 1:
                    continue
                for m in range(1, 3):
                    z = _place(operands[op, (k + m) % 3] >> 1, first, operands)
                    c = operands[op, (k + 3 - m) % 3] >> 1
                    if z < 0 or kind[op] != 5:
                        continue
                    a, b = operands[first, (z + 1) % 3] >> 1, operands[first, (z + 2) % 3] >> 1
                    for i in range(4):
                        other = readers[a if i & 1 else b, i >> 1]
                        if (
                            other < 0
                            or kind[other] != 1
                            or _place(a, other, operands) < 0
                            or _place(b, other, operands) < 0
                            or _place(c, other, operands) < 0
                            or kind[op] != 5
                        ):
                            continue
                        bits = np.int64(0)
                        for j in range(3):
                            bits ^= operands[op, j] ^ operands[first, j] ^ operands[other, j]
                        kind[op] = 7
                        results[op, 1] = results[op, 0]
                        results[op, 0] = values
                        instead[results[other, 0]] = 2 * values + (bits & 1)
                        values += 1
    return int(values)


@jit
def drop_unread(kind: Any, operands: Any, results: Any, uses: Any, alive: Any) -> None:
    """Clear `alive` uint8 [operations] where nothing reads what an operation makes."""
    changed = True
    while changed:
        changed = False
        for op in range(kind.shape[0] - 1, -1, -1):
            if not alive[op] or uses[results[op, 0]]:
                continue
            if results[op, 1] >= 0 and uses[results[op, 1]]:
                continue
            alive[op] = 0
            changed = True
            for k in range(3):
                if operands[op, k] >= 0:
                    uses[operands[op, k] >> 1] -= 1


@jit
def without_complements(
    order: Any, kind: Any, operands: Any, results: Any, summed: Any, rows: Any, flipped: Any
) -> None:
    """Operations as rows that read values as they stand.

    order: int32, the operations in an order in which they can run. kind, operands and results as
    in `sums.Graph`. rows: int32 [operations, 6], written: kind of row and five values, read ones
    first. flipped: uint8 [values]: whether what stands for a value is its complement; given for
    constant and ports (0) and for results of the operations that are `summed` uint8 [operations],
    which are skipped.
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
def _origin(op: int, parent: Any, sign: Any, exponent: Any) -> int:
    """The first of the operations that `op` is joined with; its own weight in units of that one's
    is brought up to date: (-1)^sign * 2^exponent."""
    first = op
    total_sign, total = np.int64(0), np.int64(0)
    while parent[first] != first:
        total_sign ^= sign[first]
        total += exponent[first]
        first = parent[first]
    while op != first:
        following, own_sign, own = parent[op], sign[op], exponent[op]
        parent[op], sign[op], exponent[op] = first, total_sign, total
        total_sign ^= own_sign
        total -= own
        op = following
    return first


@jit
def join_adders(
    kind: Any, operands: Any, producer: Any, second: Any, uses: Any, parent: Any, sign: Any,
    exponent: Any, joined: Any, torn: Any,
) -> None:  # fmt: skip
    """Join full adders, half adders and majorities where one reads, alone, what another one makes.

    An adder says x + y + z = sum + 2 carry. operands: as above; producer int32 [values]: the
    operation that makes a value, or -1; second uint8 [values]: whether it counts twice what the
    operands count (a carry); uses int32 [values]. Written: parent int32, sign uint8 and exponent
    int32 [operations], see `_origin`; joined uint8 [values]: whether its one use is in an adder
    joined with its producer; torn uint8 [operations]: set for the origin of operations of which one
    would have two weights.
    """
    for op in range(kind.shape[0]):
        if kind[op] < 5:
            continue
        for k in range(3):
            value = operands[op, k] >> 1
            if value < 0 or uses[value] != 1 or producer[value] < 0:
                continue
            maker = producer[value]
            if kind[maker] < 5:
                continue
            flip = np.int64(operands[op, k] & 1)
            own, other = (
                _origin(op, parent, sign, exponent), _origin(maker, parent, sign, exponent)
            )  # fmt: skip
            # weight(op) = (-1)^flip 2^second weight(maker)
            to_sign = flip ^ sign[maker] ^ sign[op]
            to_exponent = second[value] + exponent[maker] - exponent[op]
            joined[value] = 1
            if own == other:
                if to_sign or to_exponent:
                    torn[own] = 1
                continue
            parent[own], sign[own], exponent[own] = other, to_sign, to_exponent
            torn[other] |= torn[own]
    for op in range(kind.shape[0]):
        _origin(op, parent, sign, exponent)


@jit
def order_nodes(node: Any, operands: Any, producer: Any, order: Any, ready: Any) -> int:
    """Nodes of operations so that each comes after those whose values it reads; those that wait for
    the node before them come next.

    node: int32 [operations], named by one of its operations. order: int32 [operations], written;
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
