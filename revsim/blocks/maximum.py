"""Maximum of two numbers in place; of several: the greatest, its index, its place in a mask.

T = Toffoli, C = CNOT, N = NOT, F = Fredkin, n = width. All registers have equal width.
"""

from collections.abc import Sequence

import numpy as np

from revsim.blocks.block import Block, Costs, Values, define, mask, ones, price, total
from revsim.blocks.check import distinct, equal_widths, single, width_is
from revsim.blocks.compare import (
    less_than,
    less_than_cost,
    less_than_open,
    less_than_open_cost,
)
from revsim.circuit.builder import Builder, WireLike
from revsim.circuit.definition import Port
from revsim.circuit.registers import Integers, Wires
from revsim.errors import InputError


def maximum_in_place(b: Builder, x: Wires, y: Wires, flag: WireLike, signed: bool = False) -> None:
    """y = max(x, y), x = min(x, y), flag (0 before) = whether they changed places.

    2n-1 T, n F, 4n+1 C, 2n N, one clean ancilla; unsigned, or two's complement where `signed`
    (4 N more). x and flag are what is left over. Raises InputError for unequal widths.

    >>> from revsim.circuit.measures import counts
    >>> ports = Port("x", 8), Port("y", 8), Port("flag", 1, zero_in=True)
    >>> found = counts(define("max", maximum_in_place, *ports)); found.toffoli, found.fredkin
    (15, 8)
    """
    out = single(b, "maximum_in_place", "flag", flag)
    equal_widths(b, "maximum_in_place", x=x, y=y)
    distinct(b, "maximum_in_place", x, y, out)
    # Complementing the sign turns two's complement into an unsigned order.
    tops = np.concatenate([x[-1:], y[-1:]]) if signed else x[:0]
    b.x(tops)
    less_than(b, y, x, out)
    b.cswap(out, x, y)
    b.x(tops)


def argmax(b: Builder, values: Sequence[Wires], index: Wires, signed: bool = False) -> None:
    """index ^= position of the greatest of K registers, the lowest where several are equal.

    All registers have n wires, unsigned, or two's complement where `signed`; they are kept. `index`
    has (K-1).bit_length() wires. A champion is carried along: each comparison leaves a flag, and
    the last flag that is set names the winner. (K-2)4n + 2n T and (K-2)2n F for K >= 2, no garbage,
    about 3K locals; K = 1 costs nothing. Values after the first change places on the way and are
    put back. Raises InputError for no register, unequal widths or a wire given twice.
    """
    if not values:
        raise InputError(f"{b.name}: argmax needs at least one register")
    width_is(b, "argmax", "index", index, (len(values) - 1).bit_length())
    n = equal_widths(b, "argmax", **{f"value {i}": value for i, value in enumerate(values)})
    distinct(b, "argmax", *values, index)
    if n == 0 or len(values) == 1:
        return
    start = b.mark()
    wins = _winners(b, values, signed)
    stop = b.mark()
    pairs = [(wins[k - 1], int(index[bit])) for k in range(1, len(values)) for bit in ones(k)]
    b.cx([win for win, _ in pairs], [bit for _, bit in pairs])
    b.undo(start, stop)


def one_hot(b: Builder, values: Sequence[Wires], mask: Wires, signed: bool = False) -> None:
    """mask[k] ^= 1 for the k that `argmax` would name, one wire of `mask` per register.

    As `argmax`, with 2K-2 C and one N for the copies. Raises InputError as `argmax`.
    """
    if not values:
        raise InputError(f"{b.name}: one_hot needs at least one register")
    width_is(b, "one_hot", "mask", mask, len(values))
    n = equal_widths(b, "one_hot", **{f"value {i}": value for i, value in enumerate(values)})
    distinct(b, "one_hot", *values, mask)
    b.x(mask[:1])  # the first wins unless another does
    if n == 0 or len(values) == 1:
        return
    start = b.mark()
    wins = _winners(b, values, signed)
    stop = b.mark()
    b.cx(wins, mask[1:])
    b.cx(wins, np.full(len(wins), mask[0]))
    b.undo(start, stop)


def _winners(b: Builder, values: Sequence[Wires], signed: bool) -> list[int]:
    # Forward only. Wire k-1 of the result: value k is the greatest, k = 1..K-1.
    if signed:
        b.x([int(value[-1]) for value in values])
    champion, last = values[0], len(values) - 1
    flags = b.local("beaten", last - 1)
    for k in range(1, last):
        less_than(b, champion, values[k], flags[k - 1])
        b.cswap(flags[k - 1], champion, values[k])
    return _last_set(b, [*map(int, flags), less_than_open(b, champion, values[last])])


def maximum(b: Builder, values: Sequence[Wires], y: Wires, signed: bool = False) -> None:
    """y ^= the greatest of K registers of n wires, as y has; unsigned, or two's complement.

    The champion of `maximum_in_place` is carried along, copied and put back: (K-1)(4n-2) T and
    (K-1)2n F, (K-1) flags. Raises InputError as `argmax`.
    """
    if not values:
        raise InputError(f"{b.name}: maximum needs at least one register")
    named = {f"value {i}": value for i, value in enumerate(values)}
    equal_widths(b, "maximum", **named, y=y)
    distinct(b, "maximum", *values, y)
    flags = b.local("beaten", len(values) - 1)
    start = b.mark()
    for k in range(1, len(values)):
        maximum_in_place(b, values[k - 1], values[k], flags[k - 1], signed)
    stop = b.mark()
    b.cx(values[-1], y)
    b.undo(start, stop)


def _last_set(b: Builder, flags: list[int]) -> list[int]:
    # Wire i of the result holds: flag i is set and no later one is. One Toffoli per flag but one.
    if len(flags) == 1:
        return flags
    none_later = b.local("none_later")
    wins = b.local("wins", len(flags) - 1)
    b.cx(flags[-1], none_later)
    b.x(none_later)
    for k in reversed(range(len(flags) - 1)):
        b.ccx(flags[k], none_later, wins[k])
        if k:
            b.cx(wins[k], none_later)
    return [*map(int, wins), flags[-1]]


# --- promises -----------------------------------------------------------------------------------


def _ordered(n: int, values: Integers, signed: bool) -> Integers:
    return np.where(values >> (n - 1) & 1, values - (1 << n), values) if signed and n else values


def _maximum_block(signed: bool) -> Block:
    def body(b: Builder, x: Wires, y: Wires, flag: Wires) -> None:
        maximum_in_place(b, x, y, flag, signed)

    def meaning(n: int, v: Values) -> Values:
        swap = _ordered(n, v["x"], signed) > _ordered(n, v["y"], signed)
        return {
            "x": np.where(swap, v["y"], v["x"]),
            "y": np.where(swap, v["x"], v["y"]),
            "flag": swap.astype(np.int64),
        }

    def cost(n: int) -> Costs:
        return total(less_than_cost(n), price(fredkin=n, x=4 * (signed and n > 0)))

    return Block(
        f"maximum_in_place[{'signed' if signed else 'unsigned'}]",
        "y = max, x = min, flag = they changed places",
        lambda n: define(
            "maximum", body, Port("x", n), Port("y", n), Port("flag", 1, zero_in=True)
        ),
        meaning,
        cost,
        "comparison by CDKM, then Fredkins",
    )


def argmax_cost(n: int, count: int, signed: bool) -> Costs:
    """What `argmax` of `count` registers of n wires costs."""
    copies = sum(k.bit_count() for k in range(count)) if n else 0
    return total(_winners_cost(n, count, signed), price(cnot=copies))


def one_hot_cost(n: int, count: int, signed: bool) -> Costs:
    """What `one_hot` of `count` registers of n wires costs."""
    copies = 2 * (count - 1) if n else 0
    return total(_winners_cost(n, count, signed), price(cnot=copies, x=1))


def _winners_cost(n: int, count: int, signed: bool) -> Costs:
    """The comparisons, there and back."""
    if n == 0 or count == 1:
        return price()
    inner = count - 2
    step = total(less_than_cost(n), price(toffoli=1, cnot=1, fredkin=n))
    once = {key: inner * value for key, value in step.items()}
    once = total(once, less_than_open_cost(n), price(x=count * signed + (inner > 0)))
    twice = {key: 2 * value for key, value in once.items()}
    # Flags and their chain: count - 2 each, and one wire that says "none later".
    return {**twice, "ancillas": once["ancillas"] + 2 * inner + (inner > 0)}


def _one_hot_block(count: int, signed: bool) -> Block:
    names = [f"value_{k}" for k in range(count)]

    def body(b: Builder, *registers: Wires) -> None:
        one_hot(b, registers[:-1], registers[-1], signed)

    def meaning(n: int, v: Values) -> Values:
        table = np.stack([_ordered(n, v[name], signed) for name in names])
        return {**v, "mask": v["mask"] ^ (np.int64(1) << table.argmax(axis=0))}

    return Block(
        f"one_hot[{count}, {'signed' if signed else 'unsigned'}]",
        f"mask ^= one bit at the greatest of {count} values, ties to the lowest",
        lambda n: define("one hot", body, *(Port(m, n) for m in names), Port("mask", count)),
        meaning,
        lambda n: one_hot_cost(n, count, signed),
        "sequential champion, comparisons by CDKM",
    )


def _argmax_block(count: int, signed: bool) -> Block:
    names = [f"value_{k}" for k in range(count)]
    index = (count - 1).bit_length()

    def body(b: Builder, *registers: Wires) -> None:
        argmax(b, registers[:-1], registers[-1], signed)

    def meaning(n: int, v: Values) -> Values:
        table = np.stack([_ordered(n, v[name], signed) for name in names])
        return {**v, "index": v["index"] ^ table.argmax(axis=0)}

    return Block(
        f"argmax[{count}, {'signed' if signed else 'unsigned'}]",
        f"index ^= position of the greatest of {count} values, ties to the lowest",
        lambda n: define("argmax", body, *(Port(m, n) for m in names), Port("index", index)),
        meaning,
        lambda n: argmax_cost(n, count, signed),
        "sequential champion, comparisons by CDKM",
    )


def maximum_cost(n: int, count: int, signed: bool) -> Costs:
    """What `maximum` of `count` registers of n wires costs."""
    step = total(less_than_cost(n), price(fredkin=n, x=4 * (signed and n > 0)))
    cost = {key: 2 * (count - 1) * value for key, value in step.items()}
    return {**cost, "cnot": cost["cnot"] + n, "ancillas": (count - 1) * (1 + step["ancillas"])}


def _greatest_block(count: int, signed: bool) -> Block:
    names = [f"value_{k}" for k in range(count)]

    def body(b: Builder, *registers: Wires) -> None:
        maximum(b, registers[:-1], registers[-1], signed)

    def meaning(n: int, v: Values) -> Values:
        table = np.stack([_ordered(n, v[name], signed) for name in names])
        return {**v, "y": v["y"] ^ (table.max(axis=0) & mask(n))}

    return Block(
        f"maximum[{count}, {'signed' if signed else 'unsigned'}]",
        f"y ^= the greatest of {count} values",
        lambda n: define("maximum", body, *(Port(m, n) for m in names), Port("y", n)),
        meaning,
        lambda n: maximum_cost(n, count, signed),
        "sequential champion, comparisons by CDKM",
    )


BLOCKS = (
    _one_hot_block(1, signed=False),
    _one_hot_block(2, signed=True),
    _one_hot_block(3, signed=False),
    _one_hot_block(4, signed=True),
    _greatest_block(1, signed=False),
    _greatest_block(3, signed=False),
    _greatest_block(3, signed=True),
    _maximum_block(signed=False),
    _maximum_block(signed=True),
    _argmax_block(1, signed=False),
    _argmax_block(2, signed=False),
    _argmax_block(3, signed=False),
    _argmax_block(3, signed=True),
    _argmax_block(4, signed=False),
    _argmax_block(4, signed=True),
)
