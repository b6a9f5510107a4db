"""Rows of code from packed gates, one by one or in groups.

In a group every gate is still evaluated on its own and each promise checked, but a value that one
gate writes and the next one reads stays in a register: a full adder is 4 loads and 2 stores, its
six gates by themselves are 13 and 6. Gates make a group only where they stand one behind the other.
"""

from typing import Any

import numpy as np

from revsim.circuit.gates import CSWAP, FREE, SWAP, TALLY
from revsim.circuit.kernels import jit
from revsim.circuit.packed import KIND, SLOT, SLOTS
from revsim.simulator.literal.layout import CNOT, END, FULL, GATE, HALF, MAJ, UMA, UNFULL, UNHALF

_KIND, _SLOT = np.uint64((1 << KIND) - 1), np.uint64(SLOTS - 1)
_A, _B, _C = (np.uint64(KIND + k * SLOT) for k in range(3))
_CX, _CCX = np.uint64(4), np.uint64(8)  # packed kinds 4 * opcode + role of gates without a promise
_NONE = ~np.uint64(0)  # in no gate that is packed

HISTORY = 4
"""Rows before a row from which its form is guessed."""
WRONG = 8
"""A branch may be guessed wrong once in so many rows, or NOTs, CNOTs and Toffolis are one form."""


@jit
def encode_rows(rows: Any, one: int) -> Any:
    """A row of code for each packed gate: NOTs, CNOTs and Toffolis become one form, the former
    reading slot `one`, which holds 1, where they have no control."""
    code = np.empty_like(rows)
    second = np.uint64(one) << _B
    both = second | np.uint64(one) << _A
    for g in range(rows.shape[0]):
        row = rows[g]
        kind = row & _KIND
        if kind < 12:
            row ^= kind & ~np.uint64(3)
            row |= both if kind < 4 else second if kind < 8 else np.uint64(0)
        code[g] = row
    return code


@jit
def _row(kind: int, a: Any, b: Any, c: Any) -> Any:
    return np.uint64(kind) | a << _A | b << _B | c << _C


@jit
def _cx(a: Any, c: Any) -> Any:
    return _row(4, a, np.uint64(0), c)


@jit
def _fields(row: Any) -> Any:
    return row & _KIND, (row >> _A) & _SLOT, (row >> _B) & _SLOT, row >> _C


@jit
def _is_toffoli(row: Any, x: Any, y: Any) -> Any:
    """Whether a row is a Toffoli with these controls."""
    kind, a, b, _ = _fields(row)
    return kind >> np.uint64(2) == 2 and ((a == x and b == y) or (a == y and b == x))


@jit
def _ladder(rows: Any, g: int) -> Any:
    """(form, wire handed on, bit, wire handed to) of a MAJ or UMA whose first gate is g."""
    if g + 3 <= rows.shape[0]:
        kind, a, b, c = _fields(rows[g])
        second, third = rows[g + 1], rows[g + 2]
        carry = second >> _C
        if kind == _CX and second == _cx(a, carry):  # MAJ: cx a, c; cx a, carry; ccx c, carry, a
            if third & _KIND == _CCX and _is_toffoli(third, c, carry) and third >> _C == a:
                return np.int64(MAJ), carry, c, a
        elif kind == _CCX:  # UMA: ccx a, b, c; cx c, a; cx a, b
            for before, bit in ((a, b), (b, a)):
                if second == _cx(c, before) and third == _cx(before, bit):
                    return np.int64(UMA), c, bit, before
    return np.int64(0), _NONE, _NONE, _NONE


@jit
def changed_slots(code: Any, slots: int) -> Any:
    """Slots that rows of code may leave other than they found them, whatever they hold: bool
    [slots]. Those that are only complemented, and that an even number of times, are not among them.
    """
    changed, flipped = np.zeros(slots, np.bool_), np.zeros(slots, np.bool_)
    handing = np.int64(0)  # rows that are left of a ladder
    for g in range(code.shape[0]):
        kind, a, b, c = _fields(code[g])
        form = kind >> np.uint64(2)
        if (kind == 4 * CNOT and a == slots) or (kind == 4 * GATE and a == slots and b == slots):
            flipped[c] = not flipped[c]
            continue
        if handing == 0 and form in (MAJ, UMA):
            handing = np.int64(c)
            changed[a] = True
            continue
        handing -= handing > 0
        if form not in (FREE, TALLY, END):
            changed[c] = True
        if form in (SWAP, CSWAP, HALF, UNHALF, MAJ, UMA):
            changed[b] = True
    return changed | flipped


@jit
def group_rows(rows: Any, one: int) -> Any:
    """Rows of code from packed gates, in groups where these are found (see `layout`).

    A CNOT is a form of its own, which loads one wire less, where a processor that guesses forms
    from those before is seldom wrong, as in adders; in a list in no order a wrong guess costs more.
    """
    gates = rows.shape[0]
    code = np.empty(gates + 1, np.uint64)
    ones, zero = np.uint64(one), np.uint64(0)
    guesses = np.zeros(1 << 4 * HISTORY, np.uint8)
    past = np.int64(0)
    wrong = forms = n = g = np.int64(0)
    while g < gates:
        row = rows[g]
        kind, a, b, c = _fields(row)
        role = np.int64(kind & np.uint64(3))
        opcode = np.int64(kind >> np.uint64(2))
        form = opcode
        left = gates - g
        code[n] = row
        taken = np.int64(1)
        if opcode == 0:
            form = np.int64(CNOT)
            code[n] = _row(4 * CNOT + role, ones, zero, c)
        elif opcode == 1 or opcode == 2:
            if opcode == 1:
                form = np.int64(CNOT)
                code[n] = _row(4 * CNOT + role, a, zero, c)
            else:
                form = np.int64(GATE)
                code[n] = _row(role, a, b, c)
            following = rows[g + 1] if left > 1 else _NONE
            # A ladder goes on with a CNOT from the wire that its first gate reads or writes.
            near = a if opcode == 1 else c
            ladder, start, bit, end = np.int64(0), _NONE, _NONE, _NONE
            if following & _KIND == _CX and (following >> _A) & _SLOT == near:
                ladder, start, bit, end = _ladder(rows, g)
            if ladder:
                form, header = ladder, n
                n += 1
                while ladder == form:
                    code[n] = _row(4 * form, zero, bit, end)
                    n += 1
                    g += 3
                    handed = end
                    ladder, following, bit, end = _ladder(rows, g)
                    if following != handed:
                        break
                code[header] = _row(4 * form, start, zero, np.uint64(n - header - 1))
                taken, n = np.int64(0), n - 1
            elif opcode == 2 and (following == _cx(a, b) or following == _cx(b, a)):
                form, taken = np.int64(HALF), np.int64(2)
                code[n] = _row(4 * HALF + role, a + b - (following >> _C), following >> _C, c)
            elif kind == _CX and _is_toffoli(following, a, c):
                form, taken = np.int64(UNHALF), np.int64(2)
                role = np.int64(following & np.uint64(3))
                code[n] = _row(4 * UNHALF + role, a, c, following >> _C)
            elif kind == _CX and left >= 6 and following & _KIND == _CX:
                _, source, _, target = _fields(following)
                second, third = rows[g + 2], rows[g + 3]
                if source == a:  # cx a, b; cx a, sum; ccx b, sum, carry; cx a, carry; ...
                    carry = second >> _C
                    if (
                        _is_toffoli(second, c, target)
                        and third == _cx(a, carry)
                        and rows[g + 4] == row
                        and rows[g + 5] == _cx(c, target)
                    ):
                        form, taken = np.int64(FULL), np.int64(6)
                        kind = np.uint64(4 * FULL) | second & np.uint64(3)
                        code[n] = _row(kind, a, c, target)
                        code[n + 1] = _row(kind, zero, zero, carry)
                elif target == a:  # cx b, sum; cx a, b; cx a, carry; ccx b, sum, carry; ...
                    carry = third >> _C
                    if (
                        second == _cx(source, carry)
                        and _is_toffoli(third, a, c)
                        and rows[g + 4] == _cx(source, c)
                        and rows[g + 5] == following
                    ):
                        form, taken = np.int64(UNFULL), np.int64(6)
                        kind = np.uint64(4 * UNFULL) | third & np.uint64(3)
                        code[n] = _row(kind, source, a, c)
                        code[n + 1] = _row(kind, zero, zero, carry)
                if taken == 6:
                    n += 1
        forms += 1
        wrong += guesses[past] != form + 1 and guesses[past] != 0
        guesses[past] = form + 1
        past = (past << 4 | form) & (guesses.shape[0] - 1)
        g += taken
        n += 1
    if wrong * WRONG > forms:
        for k in range(n):
            if (code[k] & _KIND) >> np.uint64(2) == CNOT:
                kind, a, b, c = _fields(code[k])
                code[k] = _row(kind & np.uint64(3), a, ones, c)
    code[n] = _row(4 * END, zero, zero, zero)
    return code[: n + 1].copy()
