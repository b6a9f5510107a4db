"""Numba code that finds adders and joins them."""

from typing import Any

import numpy as np

from revsim.circuit.kernels import jit

# Kinds of fused/netlist.py stand below as literals, since a cached kernel freezes the globals that
# it reads: XOR 0, XOR3 1, AND 2, AND_XOR 3, MUX 4, MAJORITY 5, HALF 6, FULL 7. A test holds them.


@jit
def share_sums(
    kind: Any, operands: Any, results: Any, producer: Any, uses: Any, readers: Any, instead: Any
) -> int:
    """Let bits that an adder adds be read by it alone, where another operation reads two of them.

    kind, operands, results, producer, uses and readers as in `graph.Graph`; the first three are
    changed, and uses and readers no longer hold. An XOR of two of the three bits of a full adder
    becomes that of its sum and the third; an XOR of two bits and an AND of them that is XORed into
    a third are a half adder and an XOR. instead int32 [values]: the literal to be read for a value.
    Returns how many values there are, of which there may be two more for each operation.
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
