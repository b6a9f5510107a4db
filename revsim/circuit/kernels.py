"""Numba code of the circuit package: checks, depth and netlists, one pass over a gate table each.

`jit` is the one place that decides how kernels are compiled: cached on disk; where the install is
read-only and numba finds no place for its cache, again in each process; and where numba is absent,
broken or switched off (`HAVE_NUMBA`), not at all: these kernels then run as plain Python, slow but
right.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    import numba

    _off = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
    WHY_NO_NUMBA = "NUMBA_DISABLE_JIT is set" if _off else ""
except Exception as error:  # absent, or it does not fit the NumPy or llvmlite installed
    WHY_NO_NUMBA = " ".join(str(error).split())[:80] or type(error).__name__
HAVE_NUMBA = not WHY_NO_NUMBA

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


COMPILING = "compiling kernels: once, they are kept on disk (revsim warmup compiles all)"
NOT_KEPT = (
    "compiling kernels, in each run: numba finds no writable place to keep them (set "
    "NUMBA_CACHE_DIR to a writable folder)"
)
_kept = [True]


def jit(function: Callable[..., Any]) -> Any:
    """`numba.njit` without the global interpreter lock, cached on disk where that is possible."""
    if not HAVE_NUMBA:
        return np.errstate(over="ignore")(function)  # words wrap, as those of a machine do
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        _kept[0] = False
        return numba.njit(nogil=True)(function)


class Announcer:
    """Says on a terminal, once, that kernels are compiled, when that has taken a second."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.left, self.depth, self.began = seconds, 0, 0.0

    def notify(self, event: Any) -> None:
        """Numba starts or ends to compile a function; what it calls is compiled meanwhile."""
        if event.is_start and self.depth == 0:
            self.began = time.perf_counter()
        self.depth += 1 if event.is_start else -1
        spent = time.perf_counter() - self.began
        self._say(spent)
        if self.depth == 0:
            self.left -= spent

    def _say(self, spent: float) -> None:
        if self.left > 0 and spent > self.left:
            self.left = 0.0
            if sys.stderr.isatty():
                print(COMPILING if _kept[0] else NOT_KEPT, file=sys.stderr)


if HAVE_NUMBA:
    from numba.core import event

    event.Listener.register(Announcer)
    event.register("numba:compile", Announcer())


def gradual(kernel: Any, work: int = 2000) -> Callable[..., Any]:
    """A kernel as (how much is to be done, *its arguments) that stays plain Python until `work` in
    all has been done: a small circuit is ready before a compiler would be.

    >>> gradual(all_sound)(1, np.array([[0, -1, -1, 0, 0, 0]], dtype=np.int32), 1)
    True
    """
    left = [work if HAVE_NUMBA else 0]

    def run(size: int, *arguments: Any) -> Any:
        left[0] -= size
        return (kernel if left[0] < 0 or kernel.signatures else kernel.py_func)(*arguments)

    return run


# Opcodes and columns stand below as literals because a cached kernel freezes the globals it reads
# and would not notice a change elsewhere; a test holds them against gates.py.


@jit
def all_sound(table: Int32s, width: int) -> bool:
    """Whether every row is a gate, not an MCX, on different wires of 0..width-1."""
    for g in range(table.shape[0]):
        op, a, b, c = table[g, 0], table[g, 1], table[g, 2], table[g, 3]
        if op < 0 or op > 8 or op == 5 or op == 7:
            return False
        if op != 8 and (c < 0 or c >= width):
            return False
        if op in (1, 2, 4, 8) and (a < 0 or a >= width or (op != 8 and a == c)):
            return False
        if op in (2, 3, 4, 8) and (b < 0 or b >= width or (op != 8 and b == c)):
            return False
        if op in (2, 4, 8) and a == b:
            return False
    return True


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
def fold_gates(
    table: Int32s, starts: Int64s, listed: Int32s, positive: npt.NDArray[np.uint8], held: Int64s
) -> tuple[npt.NDArray[np.int8], Int32s, int]:
    """Run a flat gate table int32 [rows, 6] on literals: what ANDs and XORs it computes.

    Literals are 2 * signal + complement, -2 and -1 the constants 0 and 1. `held` int64 [wires] is
    the literal that each wire holds, changed in place; signals 0..inputs-1 are those in it at the
    start. Returns (kind int8 [gates], 0 AND, 1 XOR; operands int32 [gates, 2]; inputs): gate k
    makes signal inputs + k. Equal gates are made once, so that what is undone later costs nothing.
    """
    inputs = np.int64(0)  # typed, since numba compiles a function once for each literal
    for w in range(held.shape[0]):
        if held[w] >= 0:
            inputs += 1
    most = 0
    for row in range(table.shape[0]):
        op = table[row, 0]
        if op == 5:
            most += starts[table[row, 5] + 1] - starts[table[row, 5]] + 1
        elif op == 4:
            most += 4
        elif op == 1 or op == 2:
            most += op
    kind = np.empty(most, np.int8)
    ends = np.empty((most, 2), np.int32)
    size = 16
    while size < 2 * most:
        size *= 2
    slots = np.full(size, -1, np.int32)
    made = np.zeros(1, np.int64)
    for row in range(table.shape[0]):
        op, a, b, c = table[row, 0], table[row, 1], table[row, 2], table[row, 3]
        if op == 0:
            held[c] ^= 1
        elif op == 1:
            held[c] = _xor(held[c], held[a], kind, ends, slots, made, inputs)
        elif op == 2:
            both = _and(held[a], held[b], kind, ends, slots, made, inputs)
            held[c] = _xor(held[c], both, kind, ends, slots, made, inputs)
        elif op == 3:
            held[b], held[c] = held[c], held[b]
        elif op == 4:
            apart = _xor(held[b], held[c], kind, ends, slots, made, inputs)
            moved = _and(held[a], apart, kind, ends, slots, made, inputs)
            held[b] = _xor(held[b], moved, kind, ends, slots, made, inputs)
            held[c] = _xor(held[c], moved, kind, ends, slots, made, inputs)
        elif op == 5:
            every = np.int64(-1)
            for i in range(starts[table[row, 5]], starts[table[row, 5] + 1]):
                literal = held[listed[i]] ^ (0 if positive[i] else 1)
                every = _and(every, literal, kind, ends, slots, made, inputs)
            held[c] = _xor(held[c], every, kind, ends, slots, made, inputs)
    return kind[: made[0]].copy(), ends[: made[0]].copy(), int(inputs)


@jit
def _and(p: int, q: int, kind: Any, ends: Int32s, slots: Int32s, made: Int64s, inputs: int) -> Any:
    """The literal of p AND q."""
    if p == -2 or q == -2 or p == q ^ 1:
        return np.int64(-2)
    if p == -1 or p == q:
        return np.int64(q)
    if q == -1:
        return np.int64(p)
    return _gate(np.int64(0), min(p, q), max(p, q), kind, ends, slots, made, inputs)


@jit
def _xor(p: int, q: int, kind: Any, ends: Int32s, slots: Int32s, made: Int64s, inputs: int) -> Any:
    """The literal of p XOR q; what was added to an XOR is taken off again."""
    if p < 0:
        return np.int64(q ^ (p & 1))
    if q < 0:
        return np.int64(p ^ (q & 1))
    complement = (p ^ q) & 1
    first, second = min(p >> 1, q >> 1), max(p >> 1, q >> 1)
    if first == second:
        return np.int64(complement - 2)
    for one, other in ((first, second), (second, first)):
        if one >= inputs and kind[one - inputs] == 1:
            for end in range(2):
                if ends[one - inputs, end] >> 1 == other:
                    return np.int64(ends[one - inputs, 1 - end] ^ complement)
    return _gate(np.int64(1), 2 * first, 2 * second, kind, ends, slots, made, inputs) ^ complement


@jit
def _gate(
    what: int, p: int, q: int, kind: Any, ends: Int32s, slots: Int32s, made: Int64s, inputs: int
) -> Any:
    """The gate of this kind on these literals, made where it is not there yet."""
    mask = slots.shape[0] - 1
    mixed = np.uint64(p) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(q)
    mixed = (mixed ^ np.uint64(what)) * np.uint64(0xBF58476D1CE4E5B9)
    place = np.int64(mixed >> np.uint64(33)) & mask
    while slots[place] >= 0:
        k = slots[place]
        if kind[k] == what and ends[k, 0] == p and ends[k, 1] == q:
            return np.int64(2 * (inputs + k))
        place = (place + 1) & mask
    k = made[0]
    slots[place] = k
    kind[k], ends[k, 0], ends[k, 1] = what, p, q
    made[0] += 1
    return np.int64(2 * (inputs + k))


@jit
def netlist_rows(
    kind: npt.NDArray[np.int8],
    ends: Int32s,
    given: Int32s,
    outputs: Int64s,
    targets: Int32s,
    first_local: int,
) -> tuple[Int32s, int]:
    """Gates (see `fold_gates`) as rows of a gate table, each output reset when it is dead.

    given: int32 [inputs], the wire of each input signal; outputs: int64 [n] literals, targets:
    int32 [n] the wires, holding 0, that get them. Returns (table, number of local wires). An AND
    complements wires before it and back after it, an XOR is two XORs onto a fresh wire; before each
    stands a TALLY of its inputs. Gates that reach no output are left out.
    """
    inputs, gates = given.shape[0], kind.shape[0]
    last = np.full(inputs + gates, -1, np.int64)  # the last gate that reads a signal
    wire = np.full(inputs + gates, -1, np.int32)
    for i in range(inputs):
        wire[i] = given[i]
    for i in range(outputs.shape[0]):
        signal = outputs[i] >> 1
        if signal >= 0:
            last[signal] = gates
            if wire[signal] < 0:
                wire[signal] = targets[i]
    rows = 2 * outputs.shape[0]
    local = first_local
    for k in range(gates - 1, -1, -1):
        if last[inputs + k] < 0:
            continue
        rows += 7
        for end in range(2):
            signal = ends[k, end] >> 1
            last[signal] = max(last[signal], k)
    out = np.full((rows, 6), -1, np.int32)
    out[:, 4] = 0
    row = 0
    tallies = 0
    for k in range(gates):
        if last[inputs + k] < 0:
            continue
        if wire[inputs + k] < 0:
            wire[inputs + k] = local
            local += 1
        c = wire[inputs + k]
        a, b = wire[ends[k, 0] >> 1], wire[ends[k, 1] >> 1]
        for turn in range(2):
            for end in range(2):
                if ends[k, end] & 1:  # of an AND; an XOR takes none
                    out[row, 0], out[row, 3], out[row, 4] = 0, wire[ends[k, end] >> 1], 0
                    row += 1
            if turn == 1:
                break
            out[row, 0], out[row, 1], out[row, 2], out[row, 4] = 8, a, b, 0
            out[row, 5] = tallies
            row += 1
            tallies += 1
            if kind[k] == 0:
                out[row, 0], out[row, 1], out[row, 2], out[row, 3], out[row, 4] = 2, a, b, c, 1
                row += 1
            else:
                out[row, 0], out[row, 1], out[row, 3], out[row, 4] = 1, a, c, 1
                out[row + 1, 0], out[row + 1, 1], out[row + 1, 3], out[row + 1, 4] = 1, b, c, 0
                row += 2
        for end in range(2):
            signal = ends[k, end] >> 1
            if wire[signal] >= first_local and last[signal] == k:
                out[row, 0], out[row, 3], out[row, 4], out[row, 5] = 6, wire[signal], 0, 0
                row += 1
    for i in range(outputs.shape[0]):
        signal = outputs[i] >> 1
        if signal >= 0 and wire[signal] != targets[i]:
            out[row, 0], out[row, 1], out[row, 3], out[row, 4] = 1, wire[signal], targets[i], 1
            row += 1
    for i in range(outputs.shape[0]):  # last, when nothing else reads an output
        if outputs[i] & 1:
            out[row, 0], out[row, 3], out[row, 4] = 0, targets[i], 1 if outputs[i] < 0 else 0
            row += 1
    return out[:row].copy(), local - first_local
