"""Comparators: flag ^= (x < y), flag ^= (x >= constant), and both left open for the caller to undo.

A comparison is the last carry of a subtraction whose sum nobody wants. The carries below it are
made (one Toffoli each) and unmade again. The `_open` forms stop half way and return the wire with
the answer: a caller that undoes its own work later with `b.undo` saves the second half.
T = Toffoli, C = CNOT, N = NOT, n = width; all integers unsigned.
"""

from collections.abc import Callable

import numpy as np

from revsim.blocks.add import CDKM, constant_carries
from revsim.blocks.block import Block, Costs, Values, define, mask, price, total, trailing_zeros
from revsim.blocks.check import distinct, equal_widths, single
from revsim.circuit.builder import Builder, WireLike
from revsim.circuit.definition import Port
from revsim.circuit.registers import Wires


def less_than(b: Builder, x: Wires, y: Wires, flag: WireLike) -> None:
    """flag ^= x < y, both n wires, unsigned, kept: 2n-1 T, 4n+1 C, 2n N, one clean ancilla.

    The carry out of y + (complement of x) is x < y; it goes straight into the flag, so only n-1
    carries are unmade. For two's complement, complement both top bits around the call.
    For n = 1: one T and 2 N. Source: CDKM. Raises InputError for unequal widths.

    >>> from revsim.circuit.measures import counts
    >>> ports = Port("x", 8), Port("y", 8), Port("flag", 1)
    >>> counts(define("less", less_than, *ports)).toffoli
    15
    """
    out = single(b, "less_than", "flag", flag)
    n = equal_widths(b, "less_than", x=x, y=y)
    distinct(b, "less_than", x, y, out)
    if n:
        start = b.mark()
        last = _borrows(b, x, y)
        stop = b.mark()
        _last_borrow(b, x, y, last, out)
        b.undo(start, stop)


def less_than_open(b: Builder, x: Wires, y: Wires) -> int:
    """A fresh local that holds x < y: n T, 2n+1 C, n N, at most 2 locals.

    Forward only: x, y and the locals are scrambled until the caller undoes the call (`b.undo`).
    """
    n = equal_widths(b, "less_than_open", x=x, y=y)
    distinct(b, "less_than_open", x, y)
    out = b.local("less")
    if n:
        _last_borrow(b, x, y, _borrows(b, x, y), out)
    return int(out[0])


def _borrows(b: Builder, x: Wires, y: Wires) -> int:
    # Complement x and ripple the carries of x + y through the wires of y, as in the CDKM adder;
    # returns the wire that holds the carry into the top place.
    n = len(x)
    b.x(x)
    if n == 1:
        return -1
    incoming = np.concatenate([b.local("carry_in"), y[:-1]])
    for k in range(n):
        b.cx(y[k], [x[k], incoming[k]])
        if k < n - 1:
            b.ccx(incoming[k], x[k], y[k])
    return int(incoming[-1])


def _last_borrow(b: Builder, x: Wires, y: Wires, carry: int, out: Wires) -> None:
    if len(x) == 1:
        b.ccx(x, y, out)
    else:
        b.ccx(carry, x[-1], out)
        b.cx(y[-1], out)


def at_least_constant(b: Builder, x: Wires, constant: int, flag: WireLike) -> None:
    """flag ^= x >= constant; x is n wires, unsigned, kept.

    2(n-1-tz)-1 T and n-2-tz clean ancillas, tz = trailing zeros of the constant; 2^(n-1) is the
    top bit (one C, no T). A constant <= 0 is always reached (one N), one >= 2^n never (no gate).

    >>> from revsim.circuit.measures import counts
    >>> body = lambda b, x, flag: at_least_constant(b, x, 5, flag)
    >>> counts(define("at least 5", body, Port("x", 8), Port("flag", 1))).toffoli
    13
    """
    out = single(b, "at_least_constant", "flag", flag)
    distinct(b, "at_least_constant", x, out)
    if constant <= 0:
        b.x(out)
    elif constant < 1 << len(x):
        upper, addend = _carry_form(x, constant)
        start = b.mark()
        carry = constant_carries(b, upper, addend)[0][-1]
        stop = b.mark()
        _last_carry(b, upper, addend, carry, out)
        b.undo(start, stop)


def at_least_constant_open(b: Builder, x: Wires, constant: int) -> int:
    """A wire that holds x >= constant: n-1-tz T, as many locals, forward only.

    For the constant 2^(n-1) it is the top wire of x itself and there is no gate. x keeps its value
    (its wires are only read), so the caller may use it before it undoes the call with `b.undo`.
    """
    if len(x) and constant == 1 << (len(x) - 1):
        return int(x[-1])
    out = b.local("at_least")
    if constant <= 0:
        b.x(out)
    elif constant < 1 << len(x):
        upper, addend = _carry_form(x, constant)
        carry = constant_carries(b, upper, addend)[0][-1]
        _last_carry(b, upper, addend, carry, out)
    return int(out[0])


def _carry_form(x: Wires, constant: int) -> tuple[Wires, int]:
    # x >= K where x + (2^n - K) carries out; the trailing zeros of K take no part.
    shift = trailing_zeros(constant)
    return x[shift:], ((1 << len(x)) - constant) >> shift


def _last_carry(b: Builder, x: Wires, addend: int, carry: int, out: Wires) -> None:
    if len(x) == 1:
        b.cx(x, out)
        return
    if addend >> (len(x) - 1) & 1:
        b.cx([carry, int(x[-1])], out)
    b.ccx(carry, x[-1], out)


# --- promises -----------------------------------------------------------------------------------


def less_than_cost(n: int) -> Costs:
    """What `less_than` costs."""
    if n < 2:
        return price(toffoli=n, x=2 * n)
    return price(2 * n - 1, 4 * n + 1, 2 * n, ancillas=1)


def less_than_open_cost(n: int) -> Costs:
    """What `less_than_open` costs, its own flag included."""
    if n < 2:
        return price(toffoli=n, x=n, ancillas=1)
    return price(n, 2 * n + 1, n, ancillas=2)


def at_least_cost(n: int, constant: int) -> Costs:
    """What `at_least_constant` costs on n wires."""
    if constant <= 0 or constant >= 1 << n:
        return price(x=int(constant <= 0))
    m = n - trailing_zeros(constant)
    if m == 1:
        return price(cnot=1)
    inside, top = _addend_ones(n, constant)
    return price(2 * (m - 1) - 1, 4 * inside + 2 * top, ancillas=m - 2)


def at_least_open_cost(n: int, constant: int) -> Costs:
    """What `at_least_constant_open` costs on n wires, its own flag included."""
    if constant <= 0 or constant >= 1 << n:
        return price(x=int(constant <= 0), ancillas=1)
    m = n - trailing_zeros(constant)
    if m == 1:
        return price()
    inside, top = _addend_ones(n, constant)
    return price(m - 1, 2 * inside + 2 * top, ancillas=m - 1)


def _addend_ones(n: int, constant: int) -> tuple[int, int]:
    m = n - trailing_zeros(constant)
    addend = ((1 << n) - constant) >> (n - m)
    return (addend >> 1 & mask(m - 2)).bit_count(), addend >> (m - 1)


def _less(n: int, v: Values) -> Values:
    return {**v, "flag": v["flag"] ^ (v["x"] < v["y"])}


def _constant_block(name: str, constant_of: Callable[[int], int]) -> Block:
    return Block(
        f"at_least_constant[{name}]",
        f"flag ^= x >= {name}",
        lambda n: define(
            "at least",
            lambda b, x, flag: at_least_constant(b, x, constant_of(n), flag),
            Port("x", n),
            Port("flag", 1),
        ),
        lambda n, v: {**v, "flag": v["flag"] ^ (v["x"] >= constant_of(n))},
        lambda n: at_least_cost(n, constant_of(n)),
        "last carry of x + 2^n - constant; Cuccaro et al., quant-ph/0410184, section 4.1",
    )


def _less_open(b: Builder, x: Wires, y: Wires, flag: Wires) -> None:
    start = b.mark()
    less = less_than_open(b, x, y)
    stop = b.mark()
    b.cx(less, flag)
    b.undo(start, stop)


def _less_open_cost(n: int) -> Costs:
    there = less_than_open_cost(n)
    return total(there, {**there, "ancillas": 0}, price(cnot=1))


BLOCKS = (
    Block(
        "less_than_open",
        "flag ^= x < y by compute, copy, undo",
        lambda n: define("less", _less_open, Port("x", n), Port("y", n), Port("flag", 1)),
        _less,
        _less_open_cost,
        CDKM,
    ),
    Block(
        "less_than",
        "flag ^= x < y",
        lambda n: define("less", less_than, Port("x", n), Port("y", n), Port("flag", 1)),
        _less,
        less_than_cost,
        CDKM,
    ),
    _constant_block("5", lambda n: 5),
    _constant_block("0", lambda n: 0),
    _constant_block("2^n", lambda n: 1 << n),
    _constant_block("2^n/2", lambda n: (1 << n) // 2),
    _constant_block("2^n*3/10", lambda n: (1 << n) * 3 // 10),
    _constant_block("2^n-1", lambda n: (1 << n) - 1),
)
