"""Numba code of the circuit package: liveness of wires and depth, one pass over a gate table each.

`jit` is the one place that decides how kernels are compiled: cached on disk; where the install is
read-only and numba finds no place for its cache, again in each process; and where numba is absent
(`HAVE_NUMBA`), not at all: these kernels then run as plain Python, slow but right.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    import numba

    HAVE_NUMBA = True
except ImportError:
    HAVE_NUMBA = False

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


def jit(function: Callable[..., Any]) -> Any:
    """`numba.njit` without the global interpreter lock, cached on disk where that is possible."""
    if not HAVE_NUMBA:
        return function
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        warnings.warn(
            "numba found no writable place for its cache; kernels are compiled in each process "
            "(set NUMBA_CACHE_DIR to a writable folder to avoid it)",
            stacklevel=2,
        )
        return numba.njit(nogil=True)(function)


# Opcodes and columns stand below as literals because a cached kernel freezes the globals it reads
# and would not notice a change elsewhere; a test holds them against gates.py.


@jit
def advance_depth(table: Int32s, starts: Int64s, listed: Int32s, times: Int64s) -> None:
    """Let arrival `times` (int64, per wire) flow through a gate table int32 [gates, 6]."""
    for g in range(table.shape[0]):
        latest = np.int64(0)
        for column in range(1, 4):
            w = table[g, column]
            if w >= 0 and times[w] > latest:
                latest = times[w]
        if table[g, 0] == 5:
            for i in range(starts[table[g, 5]], starts[table[g, 5] + 1]):
                if times[listed[i]] > latest:
                    latest = times[listed[i]]
        if table[g, 0] == 8:  # TALLY is no gate
            continue
        for column in range(1, 4):
            w = table[g, column]
            if w >= 0:
                times[w] = latest + 1
        if table[g, 0] == 5:
            for i in range(starts[table[g, 5]], starts[table[g, 5] + 1]):
                times[listed[i]] = latest + 1


@jit
def assign_slots(
    table: Int32s, starts: Int64s, listed: Int32s, ports: int, wires: int
) -> tuple[Int32s, Int32s, Int32s, int]:
    """Rename wires to slots by liveness and write a FREE after the last use of each local.

    Ports keep slots 0..ports-1. Returns (table with FREE rows, renamed control wires, the wire
    that each row of the new table releases or -1, number of slots).
    """
    gates = table.shape[0]
    last = np.full(wires, -1, np.int64)
    for g in range(gates):
        for column in range(1, 4):
            w = table[g, column]
            if w >= 0:
                last[w] = g
        if table[g, 0] == 5:
            for i in range(starts[table[g, 5]], starts[table[g, 5] + 1]):
                last[listed[i]] = g
    frees = 0
    for w in range(ports, wires):
        if last[w] >= 0:
            frees += 1
    out = np.full((gates + frees, 6), -1, np.int32)
    released = np.full(gates + frees, -1, np.int32)
    renamed = listed.copy()
    slot = np.full(wires, -1, np.int32)
    for w in range(ports):
        slot[w] = w
    stack = np.empty(wires + 1, np.int32)
    top = 0
    slots = ports
    row = 0
    touched = np.empty(64 + len(listed), np.int32)
    for g in range(gates):
        n = 0
        for column in range(1, 4):
            w = table[g, column]
            if w >= 0:
                touched[n] = w
                n += 1
        if table[g, 0] == 5:
            for i in range(starts[table[g, 5]], starts[table[g, 5] + 1]):
                touched[n] = listed[i]
                n += 1
        for i in range(n):
            w = touched[i]
            if slot[w] < 0:
                if top > 0:
                    top -= 1
                    slot[w] = stack[top]
                else:
                    slot[w] = slots
                    slots += 1
        out[row, 0] = table[g, 0]
        out[row, 4] = table[g, 4]
        out[row, 5] = table[g, 5]
        for column in range(1, 4):
            w = table[g, column]
            if w >= 0:
                out[row, column] = slot[w]
        if table[g, 0] == 5:
            for i in range(starts[table[g, 5]], starts[table[g, 5] + 1]):
                renamed[i] = slot[listed[i]]
        row += 1
        for i in range(n):
            w = touched[i]
            if w >= ports and last[w] == g:
                last[w] = -2  # once, even where a wire stands twice in one gate
                out[row, 0] = 7
                out[row, 3] = slot[w]
                out[row, 4] = 0
                out[row, 5] = 0
                released[row] = w
                row += 1
                stack[top] = slot[w]
                top += 1
    return out, renamed, released, slots
