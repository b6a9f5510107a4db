"""Adders: in place, out of place, of a constant, controlled.

All carry the same idea. The carry into the next place is the majority of x, y and the carry into
this one, and a majority takes one Toffoli. In place, each carry must be made and unmade again (two
Toffolis per bit); out of place it is written straight into the next sum wire and stays (one).

Toffoli counts that look half as large in quantum papers unmake carries by measurement, which has
no classical counterpart. T = Toffoli, C = CNOT, N = NOT below, n = width.
"""

import numpy as np

from revsim.blocks.block import Block, Costs, Values, define, mask, ones, price, trailing_zeros
from revsim.blocks.check import distinct, equal_widths, single, width_is
from revsim.circuit.builder import Builder, WireLike
from revsim.circuit.definition import Port
from revsim.circuit.registers import Wires
from revsim.errors import InputError

NOTHING: Wires = np.zeros(0, dtype=np.int32)
NOTHING.setflags(write=False)


def add_in_place(
    b: Builder, x: Wires, y: Wires, carry: WireLike | None = None, variant: str = "cdkm"
) -> None:
    """y += x mod 2^n, both n wires (unsigned or two's complement alike); carry ^= carry out.

    "cdkm": 2n-2 T, 4n-2 C, or with carry 2n T, 4n+1 C; one clean ancilla. Cuccaro, Draper, Kutin,
    Moulton, quant-ph/0410184. "ttk": 2n-2 T, 5n-6 C, or with carry 2n-1 T, 5n-5 C; no ancilla.
    Takahashi, Tani, Kunihiro, arXiv:0910.2530. For n = 1 both are a half adder.
    Raises InputError for unequal widths, a wire given twice or an unknown variant.

    >>> from revsim.circuit.measures import counts
    >>> counts(define("add", add_in_place, Port("x", 8), Port("y", 8))).toffoli
    14
    """
    n = equal_widths(b, "add_in_place", x=x, y=y)
    out = NOTHING if carry is None else single(b, "add_in_place", "carry", carry)
    distinct(b, "add_in_place", x, y, out)
    if variant not in ("cdkm", "ttk"):
        raise InputError(f"{b.name}: add_in_place knows the variants cdkm and ttk, not {variant!r}")
    if n == 1:
        if len(out):
            b.ccx(x, y, out)
        b.cx(x, y)
    elif n > 1:
        (_add_cdkm if variant == "cdkm" else _add_ttk)(b, x, y, out)


def _add_cdkm(b: Builder, x: Wires, y: Wires, out: Wires) -> None:
    # The carry into place k travels through the wires of x: x[k-1] holds it while place k waits.
    incoming = np.concatenate([b.local("carry_in"), x[:-1]])
    places = len(x) if len(out) else len(x) - 1
    marks = []
    for k in range(places):
        b.cx(x[k], y[k])
        marks.append(b.mark())
        b.cx(x[k], incoming[k])
        b.ccx(incoming[k], y[k], x[k])  # x[k] is now the majority: the next carry
    if len(out):
        b.cx(x[-1], out)
    else:
        b.cx([x[-1], incoming[-1]], y[-1:])  # the top place needs its sum only
    for k in reversed(range(places)):
        b.undo(marks[k], marks[k] + 2)
        b.cx(incoming[k], y[k])


def _add_ttk(b: Builder, x: Wires, y: Wires, out: Wires) -> None:
    # y[k] becomes x ^ y and x[k] the sum of neighbouring x, so that a ladder of Toffolis leaves
    # the carries XORed onto x without any wire to hold the first of them.
    n = len(x)
    chain = np.concatenate([x, out])
    b.cx(x[1:], y[1:])
    b.cx(chain[1:-1][::-1], chain[2:][::-1])
    b.ccx(chain[:-1], y[: len(chain) - 1], chain[1:])
    for k in reversed(range(1, n)):
        b.cx(x[k], y[k])
        b.ccx(x[k - 1], y[k - 1], x[k])
    b.cx(x[1:-1], x[2:])
    b.cx(x, y)


def add_out_of_place(b: Builder, x: Wires, y: Wires, total: Wires) -> None:
    """total = x + y, where total is n wires (mod 2^n) or n+1 wires that hold 0.

    n-1 T, 5n-6 C for n wires; n T, 5n-3 C for n+1 wires; no ancilla and no garbage: carry k+1 is
    written into total[k+1], after which total[k] is finished with CNOTs. x and y are kept; x is
    only read, so it may name one wire several times (sign extension).
    Raises InputError for unequal widths or a wire given twice.

    >>> from revsim.circuit.measures import counts
    >>> ports = Port("x", 8), Port("y", 8), Port("total", 9, zero_in=True)
    >>> counts(define("add", add_out_of_place, *ports)).toffoli
    8
    """
    n = equal_widths(b, "add_out_of_place", x=x, y=y)
    width_is(b, "add_out_of_place", "total", total, n, n + 1)
    distinct(b, "add_out_of_place", np.unique(x), y, total)
    for k in range(n):
        if k + 1 == len(total):
            b.cx([x[k], y[k]], total[k : k + 1])
        elif k == 0:
            b.ccx(x[0], y[0], total[1])
            b.cx([x[0], y[0]], total[:1])
        else:
            b.cx(x[k], [y[k], total[k]])
            b.ccx(y[k], total[k], total[k + 1])
            b.cx(x[k], [total[k + 1], y[k]])
            b.cx(y[k], total[k])


def subtract(b: Builder, x: Wires, y: Wires, variant: str = "cdkm") -> None:
    """y -= x mod 2^n, as the complement of (complement of y) + x: `add_in_place` plus 2n N."""
    equal_widths(b, "subtract", x=x, y=y)
    b.x(y)
    add_in_place(b, x, y, variant=variant)
    b.x(y)


def constant_carries(b: Builder, x: Wires, odd: int) -> tuple[list[int], list[tuple[int, int]]]:
    """The carries of x + odd, one wire each: m-2 T on m wires x, and as many fresh locals.

    Item k-1 of the first list holds the carry into place k, k = 1..m-1; the first is x[0] itself,
    since odd has a one there. The second list gives the gates of carry k = 2..m-1 as (start, stop)
    marks for `b.undo`. A place where odd has a one needs the OR of bit and carry, otherwise AND.
    """
    fresh = b.local("carries", max(0, len(x) - 2))
    carries = [int(x[0])]
    spans = []
    for k in range(1, len(x) - 1):
        start = b.mark()
        if odd >> k & 1:
            b.cx([carries[-1], int(x[k])], fresh[k - 1])
        b.ccx(carries[-1], x[k], fresh[k - 1])
        carries.append(int(fresh[k - 1]))
        spans.append((start, b.mark()))
    return carries, spans


def add_constant(b: Builder, y: Wires, constant: int) -> None:
    """y += constant mod 2^n for any integer, negative or not.

    2(n-2-tz) T and n-2-tz clean ancillas, tz = trailing zeros of constant mod 2^n; n-1-tz C plus 4
    for each one strictly inside; one N per one. The carries of constant bits cost nothing, the
    others are made once and unmade from the top. In a network, fold constants instead.

    >>> from revsim.circuit.measures import counts
    >>> counts(define("add 3", lambda b, y: add_constant(b, y, 3), Port("y", 8))).toffoli
    12
    """
    constant %= 1 << len(y)
    if constant == 0:
        return
    shift = trailing_zeros(constant)
    y, odd = y[shift:], constant >> shift
    if len(y) > 1:
        carries, spans = constant_carries(b, y, odd)
        for k in range(len(y) - 1, 1, -1):
            b.cx(carries[k - 1], y[k])
            b.undo(*spans[k - 2])  # still possible: y[k-1] has not changed yet
        b.cx(y[0], y[1])
    b.x(y[ones(odd)])


def controlled_add(b: Builder, control: WireLike, x: Wires, y: Wires) -> None:
    """y += control * x mod 2^n: 3n-2 T, 4n-2 C, one clean ancilla (n = 1: one T).

    The carries of the CDKM adder are made and unmade whatever the control says; only the sums,
    one more Toffoli per bit, depend on it. Raises InputError as `add_in_place`.
    """
    n = equal_widths(b, "controlled_add", x=x, y=y)
    on = single(b, "controlled_add", "control", control)
    distinct(b, "controlled_add", on, x, y)
    if n == 1:
        b.ccx(on, x, y)
    if n <= 1:
        return
    incoming = np.concatenate([b.local("carry_in"), x[:-1]])
    marks = []
    for k in range(n - 1):
        b.cx(x[k], y[k])
        marks.append(b.mark())
        b.cx(x[k], incoming[k])
        b.ccx(incoming[k], y[k], x[k])
    top = b.mark()
    b.cx(x[-1], incoming[-1])
    b.ccx(on, incoming[-1], y[-1])
    b.undo(top, top + 1)
    for k in reversed(range(n - 1)):
        b.undo(marks[k] + 1, marks[k] + 2)
        b.ccx(on, incoming[k], y[k])  # incoming[k] is x ^ carry: turns x ^ y into carry ^ y
        b.undo(marks[k], marks[k] + 1)
        b.cx(x[k], y[k])


# --- promises -----------------------------------------------------------------------------------

CDKM = "Cuccaro, Draper, Kutin, Moulton, quant-ph/0410184"
TTK = "Takahashi, Tani, Kunihiro, arXiv:0910.2530"
_CONSTANTS = (1, 5, 8, -3)


def _add(n: int, v: Values) -> Values:
    return {**v, "y": (v["x"] + v["y"]) & mask(n)}


def _add_with_carry(n: int, v: Values) -> Values:
    return {**_add(n, v), "carry": v["carry"] ^ (v["x"] + v["y"]) >> n}


def _cdkm_cost(n: int, carry: bool) -> Costs:
    if n < 2:
        return price(toffoli=n * carry, cnot=n)
    return price(2 * n, 4 * n + 1, ancillas=1) if carry else price(2 * n - 2, 4 * n - 2, ancillas=1)


def _ttk_cost(n: int, carry: bool) -> Costs:
    if n < 2:
        return price(toffoli=n * carry, cnot=n)
    return price(2 * n - 1, 5 * n - 5) if carry else price(2 * n - 2, 5 * n - 6)


def _out_of_place_cost(n: int, carry: bool) -> Costs:
    if carry:
        return price(n, max(0, 5 * n - 3))
    return price(max(0, n - 1), 5 * n - 6 if n > 1 else 2 * n)


def constant_cost(n: int, constant: int) -> Costs:
    """What `add_constant` costs on n wires."""
    constant %= 1 << n
    if constant == 0:
        return price()
    odd = constant >> trailing_zeros(constant)
    m = n - trailing_zeros(constant)
    inside = (odd >> 1 & mask(max(0, m - 2))).bit_count()
    carries = max(0, m - 2)
    return price(2 * carries, m - 1 + 4 * inside, odd.bit_count(), ancillas=carries)


def _in_place_block(variant: str, carry: bool) -> Block:
    def body(b: Builder, x: Wires, y: Wires, out: Wires | None = None) -> None:
        add_in_place(b, x, y, out, variant)

    cost = _cdkm_cost if variant == "cdkm" else _ttk_cost
    extra = (Port("carry", 1),) if carry else ()
    return Block(
        f"add_in_place[{variant}{', carry' if carry else ''}]",
        "y += x, carry ^= carry out" if carry else "y += x mod 2^n",
        lambda n: define("add", body, Port("x", n), Port("y", n), *extra),
        _add_with_carry if carry else _add,
        lambda n: cost(n, carry),
        CDKM if variant == "cdkm" else TTK,
    )


def _out_of_place_block(carry: bool) -> Block:
    return Block(
        f"add_out_of_place[{'carry' if carry else 'mod'}]",
        f"total = x + y{'' if carry else ' mod 2^n'}, x and y kept",
        lambda n: define(
            "add", add_out_of_place, Port("x", n), Port("y", n), Port("total", n + carry, True)
        ),
        lambda n, v: {**v, "total": (v["x"] + v["y"]) & mask(n + carry)},
        lambda n: _out_of_place_cost(n, carry),
        "one Toffoli per carry, written into the next sum wire; folklore",
    )


def _constant_block(constant: int) -> Block:
    return Block(
        f"add_constant[{constant}]",
        f"y += {constant} mod 2^n",
        lambda n: define("add", lambda b, y: add_constant(b, y, constant), Port("y", n)),
        lambda n, v: {"y": (v["y"] + constant) & mask(n)},
        lambda n: constant_cost(n, constant),
        "ripple of non-constant carries; AND count of Fedoriaka, arXiv:2501.07060",
    )


BLOCKS = (
    _in_place_block("cdkm", False),
    _in_place_block("cdkm", True),
    _in_place_block("ttk", False),
    _in_place_block("ttk", True),
    _out_of_place_block(False),
    _out_of_place_block(True),
    Block(
        "subtract",
        "y -= x mod 2^n",
        lambda n: define("subtract", subtract, Port("x", n), Port("y", n)),
        lambda n, v: {**v, "y": (v["y"] - v["x"]) & mask(n)},
        lambda n: {**_cdkm_cost(n, False), "x": 2 * n},
        CDKM,
    ),
    *(_constant_block(constant) for constant in _CONSTANTS),
    Block(
        "controlled_add",
        "y += control * x mod 2^n",
        lambda n: define("add", controlled_add, Port("control", 1), Port("x", n), Port("y", n)),
        lambda n, v: {**v, "y": (v["y"] + v["control"] * v["x"]) & mask(n)},
        lambda n: price(3 * n - 2, 4 * n - 2, ancillas=1) if n > 1 else price(toffoli=n),
        CDKM + ", with the sums controlled",
    ),
)
