"""The k greatest of several values as a mask, ties to the lowest index.

Every pair is compared once; a value belongs to the k greatest where fewer than k others beat it.
T = Toffoli, F = Fredkin, C = CNOT, n = width, K = number of values.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from revsim.blocks.block import Block, Costs, Values, define, price, total
from revsim.blocks.check import distinct, equal_widths, width_is
from revsim.blocks.compare import (
    at_least_constant_open,
    at_least_open_cost,
    less_than,
    less_than_cost,
)
from revsim.blocks.popcount import popcount
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Port
from revsim.circuit.measures import counts
from revsim.circuit.registers import Wires
from revsim.errors import InputError


def top_k(b: Builder, values: Sequence[Wires], mask: Wires, k: int, signed: bool = False) -> None:
    """mask[i] ^= 1 where value i is among the k greatest, 1 <= k < K; ties to the lowest index.

    The K registers have n wires each, unsigned, or two's complement where `signed`; they are kept.
    K(K-1)/2 comparisons of 2n-1 T, made and unmade, and per value a count of the K-1 that may beat
    it, compared with k. No garbage; K(K-1)/2 flags. Raises InputError for registers that do not
    fit, a wire given twice or another k.

    >>> from revsim.circuit.measures import counts
    >>> ports = *(Port(f"v{i}", 4) for i in range(4)), Port("mask", 4)
    >>> counts(define("best", lambda b, *r: top_k(b, r[:-1], r[-1], 2), *ports)).toffoli
    92
    """
    count = len(values)
    if not 1 <= k < count:
        raise InputError(f"{b.name}: top_k takes 1 <= k < {count} of {count} values, not {k}")
    width_is(b, "top_k", "mask", mask, count)
    equal_widths(b, "top_k", **{f"value {i}": value for i, value in enumerate(values)})
    distinct(b, "top_k", *values, mask)
    start = b.mark()
    if signed and len(values[0]):  # complementing the sign turns it into an unsigned order
        b.x([int(value[-1]) for value in values])
    pairs = list(combinations(range(count), 2))
    flags = b.local("later_wins", len(pairs))  # value i < value j, for i before j
    for flag, (i, j) in zip(flags, pairs, strict=True):
        less_than(b, values[i], values[j], flag)
    stop = b.mark()
    for i in range(count):
        beaten = [flag for flag, pair in zip(flags, pairs, strict=True) if i in pair]
        earlier = [flag for flag, pair in zip(flags, pairs, strict=True) if pair[1] == i]
        begin = b.mark()
        b.x(np.array(earlier, dtype=np.int32))  # an equal value before it comes first
        number = popcount(b, np.array(beaten, dtype=np.int32))
        outside = at_least_constant_open(b, number, k)
        end = b.mark()
        b.cx(outside, mask[i])
        b.x(mask[i])
        b.undo(begin, end)
    b.undo(start, stop)


# --- promises -----------------------------------------------------------------------------------


def top_k_cost(n: int, count: int, k: int, signed: bool) -> Costs:
    """What `top_k` of `count` registers of n wires costs."""
    compared = {key: count * (count - 1) // 2 * v for key, v in less_than_cost(n).items()}
    compared = total(compared, price(x=count * (signed and n > 0)))
    found = counts(define("count", popcount, Port("bits", count - 1)))
    ones = price(found.toffoli, found.cnot, found.x, ancillas=found.toffoli)
    once = total(ones, at_least_open_cost((count - 1).bit_length(), k))
    counted = {key: count * v for key, v in once.items()}
    counted["x"] += count * (count - 1) // 2
    both = total(compared, counted)
    twice = {key: 2 * v for key, v in both.items()}
    twice = total(twice, price(cnot=count, x=count))
    return {**twice, "ancillas": both["ancillas"] + count * (count - 1) // 2}


def _block(count: int, k: int, signed: bool) -> Block:
    names = [f"value_{i}" for i in range(count)]

    def body(b: Builder, *registers: Wires) -> None:
        top_k(b, registers[:-1], registers[-1], k, signed)

    def meaning(n: int, v: Values) -> Values:
        table = np.stack([v[name] for name in names], axis=1)
        if signed and n:
            table = np.where(table >> (n - 1) & 1, table - (1 << n), table)
        best = np.argsort(-table, axis=1, kind="stable")[:, :k]
        return {**v, "mask": v["mask"] ^ (np.int64(1) << best).sum(axis=1)}

    return Block(
        f"top_k[{k} of {count}, {'signed' if signed else 'unsigned'}]",
        f"mask ^= the {k} greatest of {count} values, ties to the lowest",
        lambda n: define("top k", body, *(Port(m, n) for m in names), Port("mask", count)),
        meaning,
        lambda n: top_k_cost(n, count, k, signed),
        "all pairs compared by CDKM, wins counted",
    )


BLOCKS = (
    _block(2, 1, signed=False),
    _block(3, 1, signed=False),
    _block(3, 2, signed=True),
    _block(4, 1, signed=True),
    _block(4, 2, signed=False),
    _block(5, 3, signed=False),
)
