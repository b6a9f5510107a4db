"""Numba code that finds adders and joins them."""

from typing import Any

import numpy as np

from revsim.circuit.kernels import jit

# Kinds of fused/netlist.py stand below as literals, since a cached kernel freezes the globals that
# it reads: XOR 0, XOR3 1, AND 2, AND_XOR 3, MUX 4, MAJORITY 5, HALF 6, FULL 7. A test holds them.

MOST = 62  # columns of a sum, whose bits are weighed in int64
COLUMNS = MOST + 4


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


@jit
def link(
    kind: Any, operands: Any, results: Any, others: Any, producer: Any, second: Any, uses: Any,
    readers: Any,
) -> None:  # fmt: skip
    """Write what makes and what reads each value; all arrays as in `graph.Graph`."""
    for op in range(kind.shape[0]):
        for k in range(2):
            value = results[op, k]
            if value >= 0:
                producer[value] = op
                second[value] = k == 1 or kind[op] == 5 or kind[op] == 2  # MAJORITY, AND
        for k in range(3):
            value = operands[op, k] >> 1
            if value >= 0:
                uses[value] += 1
                readers[value, 1] = op
                if readers[value, 0] < 0:
                    readers[value, 0] = op
    for literal in others:
        uses[literal >> 1] += 1


@jit
def find_sums(
    kind: Any, operands: Any, results: Any, second: Any, uses: Any, readers: Any, parent: Any,
    sign: Any, exponent: Any, joined: Any, torn: Any, least: int,
) -> Any:  # fmt: skip
    """The sums among joined operations, of `least` at least; see `sums.Sums`, whose arrays are
    returned. The first arguments are as in `graph.Graph`, the others as `join_adders` left them;
    sign and exponent become the weight of an operation in its sum.
    """
    count = kind.shape[0]
    starts = np.zeros(count + 1, np.int32)  # operations by origin
    for op in range(count):
        starts[parent[op] + 1] += 1
    for op in range(count):
        starts[op + 1] += starts[op]
    place = starts[:-1].copy()
    own = np.empty(count, np.int32)
    for op in range(count):
        own[place[parent[op]]] = op
        place[parent[op]] += 1

    sum_of = np.full(count, -1, np.int32)
    member = np.full(count, -1, np.int32)  # the origin of the sum that an operation was taken for
    found = (count + least - 1) // least + 1
    bounds, term_bounds = np.zeros(found, np.int32), np.zeros(found, np.int32)
    first, constants = np.empty(found, np.int32), np.empty(found, np.int64)
    values, negative = np.empty(2 * count, np.int32), np.zeros(2 * count, np.uint8)
    terms, weights = np.empty(3 * count, np.int32), np.empty(3 * count, np.int64)
    coefficient = np.zeros(uses.shape[0], np.int64)
    # bits that are left: in order, and of each value its sign and column, -1 where it is not left
    left, left_sign = np.empty(2 * count, np.int32), np.empty(uses.shape[0], np.uint8)
    column = np.full(uses.shape[0], -1, np.int32)
    draft = np.empty(count, np.int32)
    open_bits, dead = np.empty(COLUMNS, np.int32), np.empty(COLUMNS, np.int8)
    sizes = np.zeros(3, np.int64)  # bits ever left, top column, operations
    done = np.int64(0)
    for origin in range(count):
        size = starts[origin + 1] - starts[origin]
        if size < least or torn[origin]:
            continue
        lowest, highest, signs = exponent[origin], exponent[origin], np.int64(0)
        for i in range(starts[origin], starts[origin + 1]):
            op = own[i]
            lowest, highest = min(lowest, exponent[op]), max(highest, exponent[op])
            signs += sign[op]
        if highest - lowest >= MOST:
            continue
        flip = 2 * signs > size
        sizes[0], sizes[1], sizes[2] = 0, 0, size
        open_bits[:] = 0
        dead[:] = -1
        for i in range(size):
            op = own[starts[origin] + i]
            draft[i], member[op] = op, origin
            exponent[op] -= lowest
            sign[op] ^= flip
        for i in range(size):
            _leave(
                draft[i], kind, operands, results, second, uses, readers, sign, exponent, member,
                joined, left, left_sign, column, open_bits, dead, sizes,
            )  # fmt: skip
        width: Any = np.int64(0)
        while True:
            top, many = sizes[1], False
            for k in range(top + 1):
                many |= open_bits[k] > 1
            if not many:
                width = top + 1
                for k in range(width):
                    if open_bits[k] != 1:
                        width = 0
                        break
                break
            taken = np.int64(-1)
            for i in range(sizes[0]):
                value = left[i]
                if column[value] >= 0 and open_bits[column[value]] > 1:
                    taken = _take(
                        value, column[value] == top, kind, operands, uses, readers, sign,
                        exponent, member, joined, left_sign, column, open_bits,
                    )  # fmt: skip
                    if taken >= 0:
                        break
            if taken < 0:
                break
            member[taken] = origin
            draft[sizes[2]] = taken
            sizes[2] += 1
            _leave(
                taken, kind, operands, results, second, uses, readers, sign, exponent, member,
                joined, left, left_sign, column, open_bits, dead, sizes,
            )  # fmt: skip
            if sizes[1] >= MOST:
                break
        if 0 < width <= MOST:
            at, term = bounds[done], term_bounds[done]
            constant, terms_now = _add_up(
                draft[: sizes[2]], operands, sign, exponent, joined, left_sign, column, width,
                coefficient, terms[term:], weights[term:],
            )  # fmt: skip
            if terms_now >= 0:
                values[at : at + width] = -1
                for i in range(sizes[0]):
                    value = left[i]
                    if column[value] >= 0:
                        values[at + column[value]] = value
                        negative[at + column[value]] = left_sign[value]
                for k in range(width):
                    if values[at + k] < 0 and dead[k] >= 0:
                        negative[at + k] = dead[k]
                    constant += np.int64(negative[at + k]) << k
                first[done] = draft[: sizes[2]].min()
                for i in range(sizes[2]):
                    sum_of[draft[i]] = done
                constants[done] = constant
                bounds[done + 1], term_bounds[done + 1] = at + width, term + terms_now
                done += 1
        for i in range(sizes[0]):
            column[left[i]] = -1
    ends, term_ends = bounds[: done + 1], term_bounds[: done + 1]
    bits, last = ends[done], term_ends[done]
    return (
        sum_of, first[:done], ends, values[:bits], negative[:bits],
        term_ends, terms[:last].copy(), weights[:last].copy(), constants[:done],
    )  # fmt: skip


@jit
def _leave(
    op: int, kind: Any, operands: Any, results: Any, second: Any, uses: Any, readers: Any,
    sign: Any, exponent: Any, member: Any, joined: Any, left: Any, left_sign: Any, column: Any,
    open_bits: Any, dead: Any, sizes: Any,
) -> None:  # fmt: skip
    """Leave what an operation of a sum makes, if no operation of the sum adds it."""
    own = exponent[op]
    if kind[op] == 5 or kind[op] == 2:  # of MAJORITY and AND the sum bit is not wanted
        dead[own] = sign[op]
        open_bits[own] += 1
        sizes[1] = max(sizes[1], np.int64(own))
    for k in range(2):
        value = results[op, k]
        if value < 0:
            continue
        place = own + second[value]
        reader = readers[value, 1]
        if not joined[value] and uses[value] == 1 and reader >= 0 and member[reader] == member[op]:
            flip = np.int64(0)
            for j in range(2, -1, -1):
                if operands[reader, j] >> 1 == value:
                    flip = np.int64(operands[reader, j] & 1)
            alike = sign[reader] == sign[op] ^ flip or kind[reader] <= 1  # an XOR is at the top
            joined[value] = alike and exponent[reader] == place
        if not joined[value]:
            left[sizes[0]] = value
            sizes[0] += 1
            left_sign[value], column[value] = sign[op], place
            open_bits[place] += 1
            sizes[1] = max(sizes[1], np.int64(place))


@jit
def _take(
    value: int, at_top: bool, kind: Any, operands: Any, uses: Any, readers: Any, sign: Any,
    exponent: Any, member: Any, joined: Any, left_sign: Any, column: Any, open_bits: Any,
) -> int:  # fmt: skip
    """Let the operation that reads a bit that is left belong to the sum, if it can: an AND of two
    bits of one column, whose sum is not wanted, or an XOR in the top one. Returns it, or -1."""
    op = readers[value, 1]
    if uses[value] != 1 or op < 0 or member[op] >= 0:
        return -1
    place, signs, inside = column[value], np.int64(0), np.int64(0)
    for k in range(3):
        x = operands[op, k] >> 1
        if x >= 0 and column[x] >= 0 and uses[x] == 1:
            if column[x] != place:
                return -1
            signs += left_sign[x] ^ (operands[op, k] & 1)
            inside += 1
    own = np.int64(left_sign[value])
    if kind[op] == 2:
        if inside < 2 or signs == 1:
            return -1
        own = signs >> 1
    elif kind[op] > 1 or not at_top:
        return -1
    for k in range(3):
        x = operands[op, k] >> 1
        if x >= 0 and column[x] >= 0 and uses[x] == 1:
            column[x] = -1
            joined[x] = 1
            open_bits[place] -= 1
    sign[op], exponent[op] = own, place
    return int(op)


@jit
def _add_up(
    draft: Any, operands: Any, sign: Any, exponent: Any, joined: Any, left_sign: Any, column: Any,
    width: int, coefficient: Any, terms: Any, weights: Any,
) -> Any:  # fmt: skip
    """(constant, terms) of the equations of all operations of a sum, each times its weight; values
    and weights are written. Terms are -1 where the equation does not say what the bits left are.

    coefficient: int64 [values], 0 before and after.
    """
    constant, count = np.int64(0), np.int64(0)
    touched = np.empty(3 * draft.shape[0], np.int32)
    for op in draft:
        weight = np.int64(1) << exponent[op]
        if sign[op]:
            weight = -weight
        for k in range(3):
            literal = operands[op, k]
            if literal < 0:
                continue
            if literal & 1:
                constant += weight
            if not joined[literal >> 1]:
                touched[count] = literal >> 1
                count += 1
                coefficient[literal >> 1] += -weight if literal & 1 else weight
    touched = np.sort(touched[:count])
    written, mask = np.int64(0), (np.int64(1) << width) - 1
    for i in range(count):
        value = touched[i]
        if i and touched[i - 1] == value:
            continue
        weight = coefficient[value]
        coefficient[value] = 0
        if value == 0 or written < 0:
            continue
        if column[value] >= 0:  # counted on both sides: allowed if it still is a bit of the sum
            unit = np.int64(1) << column[value]
            rest = (-unit if left_sign[value] else unit) - weight
            if (rest - unit) & mask == 0:
                left_sign[value] = 0
            elif (rest + unit) & mask == 0:
                left_sign[value] = 1
            else:
                written = np.int64(-1)
            continue
        terms[written], weights[written] = value, weight
        written += 1
    return constant, written
