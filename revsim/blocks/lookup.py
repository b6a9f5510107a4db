"""Table lookup: target ^= values[address], any function of a few bits, without garbage.

Each output bit is a sum mod 2 of monomials of the address bits (its algebraic normal form). The
address is split: all monomials of the `high` bits and all of the low ones are made once (one
Toffoli each), and every output bit takes, for each high monomial, one Toffoli with the sum of the
low monomials that go with it, which costs CNOTs alone. 116 Toffolis serve any 8-bit table of 8
bits, where one unary iteration over 256 entries takes 508 (Babbush et al., arXiv:1805.03662).
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from revsim.blocks.block import Block, Costs, Values, define, mask, price
from revsim.blocks.check import distinct
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Port
from revsim.circuit.registers import Integers, Wires
from revsim.errors import InputError

ADDRESS_LIMIT = 16
"""Address bits of the largest table."""


def normal_form(values: Integers, outputs: int) -> npt.NDArray[np.bool_]:
    """Which monomials each output bit sums, bool [outputs, 2^n], for values int64 [2^n].

    Monomial m is the product of the address bits that are 1 in m (Moebius transform mod 2).

    >>> normal_form(np.array([0, 1, 1, 1]), 1).astype(int).tolist()  # a OR b = a + b + ab
    [[0, 1, 1, 1]]
    """
    bits = (np.asarray(values, dtype=np.int64) >> np.arange(outputs)[:, None]) & 1
    size = bits.shape[1]
    step = 1
    while step < size:
        halves = bits.reshape(outputs, size // (2 * step), 2, step)
        halves[:, :, 1] ^= halves[:, :, 0]
        step *= 2
    return bits.astype(np.bool_)


def split_of(form: npt.NDArray[np.bool_]) -> int:
    """How many of the address bits are best taken as high ones: fewest Toffolis, then fewest."""
    n = (form.shape[1] - 1).bit_length()
    return min(range(n + 1), key=lambda high: (_toffolis(form, high), high))


def _toffolis(form: npt.NDArray[np.bool_], high: int) -> int:
    n = (form.shape[1] - 1).bit_length()
    low = n - high
    made = sum((1 << k) - 1 - k for k in (high, low))
    return 2 * made + int(_mixed(form, low).sum())


def _mixed(form: npt.NDArray[np.bool_], low: int) -> npt.NDArray[np.bool_]:
    # [outputs, high monomials - 1]: whether a sum of low monomials multiplies a high one
    cells = form.reshape(len(form), form.shape[1] >> low, 1 << low)
    return np.asarray(cells[:, 1:, 1:].any(axis=2), dtype=np.bool_)


def lookup(b: Builder, address: Wires, target: Wires, values: Integers) -> None:
    """target ^= values[address], values int64 [2^n] in 0..2^m-1; address (n wires) is kept.

    Toffolis: 2 (2^k - 1 - k + 2^l - 1 - l), l = n - k, plus one for each of the m (2^k - 1) sums
    that is no constant; k is chosen for the fewest. 2^k + 2^l - 2 - n clean locals and one for
    sums, nothing left over. Raises InputError for a table that does not fit or a wire given twice.

    >>> from revsim.circuit.measures import counts
    >>> values = np.random.default_rng(1).integers(0, 256, 256)
    >>> ports = Port("address", 8), Port("target", 8)
    >>> counts(define("any", lambda b, x, y: lookup(b, x, y, values), *ports)).toffoli
    116
    """
    n, m = len(address), len(target)
    values = np.asarray(values, dtype=np.int64)
    if n > ADDRESS_LIMIT or values.shape != (1 << n,):
        raise InputError(
            f"{b.name}: lookup by {n} address wires (at most {ADDRESS_LIMIT}) needs {1 << n} "
            f"values, got shape {values.shape}"
        )
    if int(values.min()) < 0 or int(values.max()) >> m:
        raise InputError(f"{b.name}: lookup has values outside 0..{mask(m)} of its {m} wires")
    distinct(b, "lookup", address, target)
    form = normal_form(values, m)
    high = split_of(form)
    low = n - high
    start = b.mark()
    below = _monomials(b, address[:low])
    above = _monomials(b, address[low:])
    stop = b.mark()
    cells = form.reshape(m, 1 << high, 1 << low)
    b.x(target[cells[:, 0, 0]])
    for k in range(1, 1 << high):
        constant = cells[:, k, 0] & ~cells[:, k, 1:].any(axis=1)
        b.cx(np.full(int(constant.sum()), above[k]), target[constant])
    pairs = np.argwhere(cells[:, 0, 1:])
    b.cx(below[pairs[:, 1] + 1], target[pairs[:, 0]])
    total = b.local("sum") if bool(_mixed(form, low).any()) else None
    for bit in range(m):
        for k in range(1, 1 << high):
            summed = np.flatnonzero(cells[bit, k, 1:]) + 1
            if total is None or not len(summed):
                continue
            begin = b.mark()
            b.cx(below[summed], np.full(len(summed), total[0]))
            if cells[bit, k, 0]:
                b.x(total)
            end = b.mark()
            b.ccx(above[k], total, target[bit])
            b.undo(begin, end)
    b.undo(start, stop)


def _monomials(b: Builder, bits: Wires) -> Wires:
    """A wire for each product of some of `bits`, by the set as a number; the empty has none."""
    wires = np.full(1 << len(bits), -1, dtype=np.int32)
    for m in range(1, len(wires)):
        top = m.bit_length() - 1
        rest = m ^ (1 << top)
        if rest:
            wires[m] = b.local("monomial")[0]
            b.ccx(wires[rest], bits[top], wires[m])
        else:
            wires[m] = bits[top]
    return wires


# --- promises -----------------------------------------------------------------------------------


def lookup_cost(values: Integers, outputs: int) -> Costs:
    """What `lookup` costs, from the normal form alone."""
    form = normal_form(values, outputs)
    n, high = (form.shape[1] - 1).bit_length(), split_of(form)
    low = n - high
    cells = form.reshape(outputs, 1 << high, 1 << low)
    mixed = _mixed(form, low)
    above = cells[:, 1:]
    cnot = int(cells[:, 0, 1:].sum()) + int((above[:, :, 0] & ~mixed).sum())
    cnot += 2 * int(above[:, :, 1:].sum())
    x = int(cells[:, 0, 0].sum()) + 2 * int((above[:, :, 0] & mixed).sum())
    made = (1 << high) + (1 << low) - 2 - n
    return price(_toffolis(form, high), cnot, x, ancillas=made + bool(mixed.any()))


@cache
def _example(name: str, n: int) -> tuple[int, Integers]:
    # (output bits, entries) of the tables that the block is promised for
    place = np.arange(1 << n, dtype=np.int64)
    if name == "any":
        return n, np.random.default_rng(n).integers(0, 1 << n, 1 << n)
    if name == "square":
        return 2 * n, place * place
    if name == "bijection":
        return n, (place * 5 + 3) & mask(n)
    return 1, (place == mask(n)).astype(np.int64)


def _block(name: str) -> Block:
    def meaning(n: int, v: Values) -> Values:
        return {**v, "target": v["target"] ^ _example(name, n)[1][v["address"]]}

    return Block(
        f"lookup[{name}]",
        "target ^= values[address]",
        lambda n: define(
            "lookup",
            lambda b, x, y: lookup(b, x, y, _example(name, n)[1]),
            Port("address", n),
            Port("target", _example(name, n)[0]),
        ),
        meaning,
        lambda n: lookup_cost(_example(name, n)[1], _example(name, n)[0]),
        "algebraic normal form split over high and low address bits",
        most_width=10,
    )


BLOCKS = tuple(_block(name) for name in ("any", "square", "bijection", "all ones"))
