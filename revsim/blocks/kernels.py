"""Numba code of the blocks: the gates of a sum in columns, which make up most of every network."""

import numpy as np
import numpy.typing as npt

from revsim.circuit.kernels import jit

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

KINDS = ("carry", "copy", "sum")
"""Names of the local registers, by number."""

# Opcodes and roles stand below as literals, see circuit/kernels.py: X 0, CX 1, CCX 2; compute 1.


@jit
def _put(rows: Int32s, n: int, op: int, a: int, b: int, c: int, fresh: Bools) -> int:
    """Write one gate; a gate on a wire that holds 0 computes."""
    rows[n, 0] = op
    rows[n, 1] = a
    rows[n, 2] = b
    rows[n, 3] = c
    rows[n, 4] = 1 if fresh[c] else 0
    rows[n, 5] = 0
    fresh[c] = False
    return n + 1


@jit
def column_gates(
    wire: Int32s, negative: Bools, bounds: Int64s, ones: Bools, start: int, fresh: Bools
) -> tuple[Int32s, Int32s, Int32s]:
    """Gates that add up columns: (rows int32 [gates, 6], locals (kind, width) in order, result).

    Column k holds the bits `wire[bounds[k]:bounds[k + 1]]`, complemented where `negative`, and one
    more where ones[k]. New wires are numbered from `start`; `fresh` says which hold 0 (it is
    written) and has room for all of them: 4 per bit and 4 per column.
    """
    width = len(ones)
    bits = len(wire)
    rows = np.empty((12 * bits + 16 * width + 16, 6), np.int32)
    named = np.empty((4 * bits + 4 * width + 4, 2), np.int32)
    result = np.empty(width, np.int32)
    flipped = np.zeros(start, np.bool_)
    carries = np.empty(2 * bits + 2 * width, np.int32)
    shared = np.empty(bits + 1, np.int32)
    private = np.empty(2 * bits + 2 * width + 2, np.int32)
    spare = np.empty(2 * bits + 2 * width + 2, np.int32)
    # Typed, since numba compiles a function once for each literal that it is called with.
    x, cx, ccx, none, n = np.int64(0), np.int64(1), np.int64(2), np.int64(-1), np.int64(0)
    m, free, arrived = 0, start, 0
    for k in range(width):
        h = bounds[k + 1] - bounds[k]
        p = arrived
        for i in range(p):  # a slice takes numba two seconds to compile
            private[i] = carries[i]
        arrived = 0
        # Complement in place whatever this column needs complemented; a later one flips back.
        for i in range(h):
            w = wire[bounds[k] + i]
            shared[i] = w
            if flipped[w] != negative[bounds[k] + i]:
                n = _put(rows, n, x, none, none, w, fresh)
                flipped[w] = negative[bounds[k] + i]
        if k == width - 1:  # the sum bit only, since the carry leaves the range
            if p:
                total = private[0]
            else:
                total = free
                named[m, 0], named[m, 1] = 2, 1
                m, free = m + 1, free + 1
            for i in range(h):
                n = _put(rows, n, cx, shared[i], none, total, fresh)
            for i in range(1, p):
                n = _put(rows, n, cx, private[i], none, total, fresh)
            if ones[k]:
                n = _put(rows, n, x, none, none, total, fresh)
            result[k] = total
            break
        first = 0  # shared bits before this one are used up
        while h - first + p >= 1:
            adders = (h - first + p) // 3
            missing = min(max(adders, 1) - p, h - first)
            if missing > 0:  # copy shared bits until enough are private
                for i in range(missing):
                    n = _put(rows, n, cx, shared[first + i], none, free + i, fresh)
                    private[p + i] = free + i
                named[m, 0], named[m, 1] = 1, missing
                m, free = m + 1, free + missing
                first, p = first + missing, p + missing
            if adders == 0:
                break
            # The pool: shared bits, then private ones beyond the first `adders`, which accumulate.
            s = h - first
            pool = s + p - adders
            for i in range(pool):
                spare[i] = shared[first + i] if i < s else private[adders + i - s]
            # Adder by adder, so that the six gates of each stand together when they are run.
            for i in range(adders):
                one, other, total, carry = spare[i], spare[adders + i], private[i], free + i
                n = _put(rows, n, cx, one, none, other, fresh)
                n = _put(rows, n, cx, one, none, total, fresh)
                n = _put(rows, n, ccx, other, total, carry, fresh)
                n = _put(rows, n, cx, one, none, carry, fresh)
                n = _put(rows, n, cx, one, none, other, fresh)
                n = _put(rows, n, cx, other, none, total, fresh)
                carries[arrived + i] = carry
            named[m, 0], named[m, 1] = 0, adders
            m, free, arrived = m + 1, free + adders, arrived + adders
            used = min(2 * adders, s)
            first += used
            left = pool - 2 * adders - (s - used)  # private bits that are left, then the sums
            for i in range(adders):
                spare[pool + i] = private[i]
            for i in range(left + adders):
                private[i] = spare[pool - left + i]
            p = left + adders
        if p == 0:
            total = free
            named[m, 0], named[m, 1] = 2, 1
            m, free = m + 1, free + 1
            if ones[k]:
                n = _put(rows, n, x, none, none, total, fresh)
            result[k] = total
            continue
        total = private[p - 1]
        result[k] = total
        other = -1
        if h - first:
            other = shared[first]
        elif p > 1:
            other = private[0]
        if other >= 0 or ones[k]:
            named[m, 0], named[m, 1] = 0, 1
            carries[arrived] = free
            if other >= 0:
                n = _put(rows, n, ccx, other, total, free, fresh)
                if ones[k]:  # a + b + 1: the carry is a OR b
                    n = _put(rows, n, cx, other, none, free, fresh)
                    n = _put(rows, n, cx, total, none, free, fresh)
                n = _put(rows, n, cx, other, none, total, fresh)
            else:  # a + 1: the carry is a itself
                n = _put(rows, n, cx, total, none, free, fresh)
            if ones[k]:
                n = _put(rows, n, x, none, none, total, fresh)
            m, free, arrived = m + 1, free + 1, arrived + 1
    for w in range(start):
        if flipped[w]:
            n = _put(rows, n, x, none, none, w, fresh)
    return rows[:n].copy(), named[:m].copy(), result
