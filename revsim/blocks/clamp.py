"""Clamp an unsigned number to [low, high], in place or as a copy.

In place, a side that acts swaps the value with a register that holds its bound, so that the value
goes there and nothing is lost. A copy leaves its argument alone and has no garbage. T = Toffoli,
C = CNOT, F = Fredkin, n = width.
"""

from collections.abc import Callable

import numpy as np

from revsim.blocks.block import Block, Costs, Values, define, mask, ones, price, total
from revsim.blocks.check import distinct, width_is
from revsim.blocks.compare import (
    at_least_constant,
    at_least_constant_open,
    at_least_cost,
    at_least_open_cost,
)
from revsim.circuit.builder import Builder, WireLike
from revsim.circuit.definition import Definition, Port
from revsim.circuit.registers import Wires
from revsim.errors import InputError


def clamped_width(width: int, high: int) -> int:
    """Wires of an unsigned `width`-bit value clamped to at most `high`."""
    return min(high, (1 << width) - 1).bit_length()


def clamp_in_place(
    b: Builder,
    v: Wires,
    low: int,
    high: int,
    garbage_high: Wires | None = None,
    garbage_low: Wires | None = None,
    flag_high: WireLike | None = None,
    flag_low: WireLike | None = None,
) -> Wires:
    """Clamp unsigned v (n wires) to [low, high]; returns v[:m], m = clamped_width(n, high).

    What is left over: the upper wires v[m:], which are not touched, and, all given as 0:

    * `garbage_high`, m wires, needed where the upper side binds (high < 2^n - 1). Where v > high it
      gets v[:m] ^ high, otherwise it stays 0.
    * `garbage_low`, low.bit_length() wires, needed where the lower side binds (low > 0). Where
      v < low it gets v ^ low, otherwise it stays 0.
    * `flag_high`, `flag_low`: whether the side acted. Leave a flag out and it is a local, cleaned
      by the same comparison of what was swapped out: c more T, one bit less to erase.

    Where high = 2^m - 1 the comparison is an OR of v[m:], which stay put; it is unmade instead of
    kept at one T more than a kept flag would cost, so `flag_high` is refused.

    Cost: m F and c(n, high + 1) T for the upper side, low.bit_length() F and c(m, low) T for the
    lower, with c(n, K) = 2(n-1-tz)-1 from `at_least_constant`; high = 2^m - 1: 2(n-1-m) T.
    Clean ancillas are those of the comparisons.
    Raises InputError for an empty or unreachable range and for registers of wrong width.
    """
    low, high = _bounds(b, "clamp_in_place", v, low, high)
    kept = clamped_width(len(v), high)
    result = v[:kept]
    upper_binds, upper_is_or = _upper_side(len(v), high)
    upper, lower = _optional(garbage_high), _optional(garbage_low)
    above, below = _optional(flag_high), _optional(flag_low)
    distinct(b, "clamp_in_place", v, upper, lower, above, below)
    width_is(b, "clamp_in_place", "garbage_high", upper, kept if upper_binds else 0)
    width_is(b, "clamp_in_place", "garbage_low", lower, low.bit_length())
    width_is(b, "clamp_in_place", "flag_high", above, *range(1 + (upper_binds and not upper_is_or)))
    width_is(b, "clamp_in_place", "flag_low", below, *range(1 + (low > 0)))
    if upper_is_or:
        start = b.mark()
        any_upper = at_least_constant_open(b, v, high + 1)
        stop = b.mark()
        b.x(upper)
        b.cswap(any_upper, result, upper)
        b.x(upper)
        b.undo(start, stop)
    elif upper_binds:
        flag = above if len(above) else b.local("above")
        at_least_constant(b, v, high + 1, flag)
        b.x(upper[ones(high)])
        b.cswap(flag, result, upper)
        if not len(above):
            # With the upper wires the register now holds v where v > high, `high` elsewhere.
            at_least_constant(b, np.concatenate([upper, v[kept:]]), high + 1, flag)
        b.x(upper[ones(high)])
    if low > 0:
        flag = below if len(below) else b.local("below")
        at_least_constant(b, result, low, flag)
        b.x(flag)
        b.x(lower[ones(low)])
        b.cswap(flag, result[: len(lower)], lower)
        if not len(below):
            b.x(flag)
            at_least_constant(b, lower, low, flag)
        b.x(lower[ones(low)])
    return result


def clamp_copy(b: Builder, v: Wires, y: Wires, low: int, high: int) -> None:
    """y ^= min(max(v, low), high); unsigned v (n wires) is kept, y has m = clamped_width(n, high).

    y is v where v lies in range (m T) and a constant elsewhere (C only). 2(n-1-tz) T for each side
    that binds, tz = trailing zeros of high + 1 and of low: the comparisons are held open while the
    value is copied, then undone. As many locals as those T halved, and one for "in range".
    If no side binds: n C. Raises InputError as `clamp_in_place`.
    """
    low, high = _bounds(b, "clamp_copy", v, low, high)
    kept = clamped_width(len(v), high)
    width_is(b, "clamp_copy", "y", y, kept)
    distinct(b, "clamp_copy", v, y)
    high_binds, _ = _upper_side(len(v), high)
    if kept == 0:
        return
    if not high_binds and low == 0:
        b.cx(v, y)
        return
    start = b.mark()
    inside = b.local("inside")
    above = at_least_constant_open(b, v, high + 1) if high_binds else -1
    reached = at_least_constant_open(b, v, low) if low > 0 else -1
    # v > high implies v >= low, so their sum is 1 exactly in between.
    b.cx([wire for wire in (above, reached) if wire >= 0], inside)
    if low == 0:
        b.x(inside)
    stop = b.mark()
    b.ccx(inside, v[:kept], y)
    if high_binds:
        b.cx(above, y[ones(high)])
    if low > 0:
        b.x(y[ones(low)])
        b.cx(reached, y[ones(low)])
    b.undo(start, stop)


def _bounds(b: Builder, block: str, v: Wires, low: int, high: int) -> tuple[int, int]:
    low, top = max(low, 0), (1 << len(v)) - 1
    if not low <= min(high, top):
        raise InputError(
            f"{b.name}: {block} to [{low}, {high}] leaves no value of {len(v)} unsigned bits; "
            f"give low <= high, high >= 0 and low <= {top}"
        )
    return low, min(high, top)


def _upper_side(width: int, high: int) -> tuple[bool, bool]:
    # Whether v > high can happen, and whether it is then the OR of the wires above the result.
    binds = high < (1 << width) - 1
    return binds, binds and high & (high + 1) == 0


def _optional(register: WireLike | None) -> Wires:
    if register is None:
        return np.zeros(0, dtype=np.int32)
    return np.atleast_1d(np.asarray(register, dtype=np.int32))


# --- promises -----------------------------------------------------------------------------------


def clamp_in_place_cost(width: int, low: int, high: int, keep_flags: bool) -> Costs:
    """What `clamp_in_place` costs; `keep_flags`: every flag that may be given is given."""
    kept = clamped_width(width, high)
    upper_binds, upper_is_or = _upper_side(width, high)
    comparisons = 1 if keep_flags else 2
    cost = price()
    if upper_binds:
        swap = price(fredkin=kept, x=2 * high.bit_count())
        compare = at_least_cost(width, high + 1)
        if upper_is_or:
            compare = at_least_open_cost(width, high + 1)
            unmade = {**compare, "ancillas": 0}
            cost = total(cost, swap, compare, unmade)
        else:
            flag = price(ancillas=not keep_flags)
            cost = total(cost, swap, flag, *[compare] * comparisons)
    if low > 0:
        swap = price(fredkin=low.bit_length(), x=2 * low.bit_count() + comparisons)
        cost = total(cost, swap, at_least_cost(kept, low))
        if not keep_flags:
            cost = total(cost, at_least_cost(low.bit_length(), low), price(ancillas=1))
    return cost


def clamp_copy_cost(width: int, low: int, high: int) -> Costs:
    """What `clamp_copy` costs."""
    kept = clamped_width(width, high)
    binds, _ = _upper_side(width, high)
    if kept == 0 or not (binds or low):
        return price(cnot=kept)
    cost = price(x=int(low == 0), ancillas=1)
    copies = price(toffoli=kept)
    if binds:
        cost = total(cost, at_least_open_cost(width, high + 1), price(cnot=1))
        copies = total(copies, price(cnot=high.bit_count()))
    if low:
        cost = total(cost, at_least_open_cost(width, low), price(cnot=1))
        copies = total(copies, price(cnot=low.bit_count(), x=low.bit_count()))
    return total(cost, {**cost, "ancillas": 0}, copies)


Bounds = Callable[[int], tuple[int, int]]
_CLAMPS: dict[str, Bounds] = {
    "to half the bits": lambda n: (0, mask(n // 2)),
    "above 7/10": lambda n: (0, (1 << n) * 7 // 10),
    "below 3/10": lambda n: ((1 << n) * 3 // 10, mask(n)),
    "3/10 to 7/10": lambda n: ((1 << n) * 3 // 10, (1 << n) * 7 // 10),
    "3/10 to 1/2": lambda n: ((1 << n) * 3 // 10, max((1 << n) // 2 - 1, 0)),
}


def _clamp_in_place_block(name: str, bounds: Bounds, keep_flags: bool) -> Block:
    def build(n: int) -> Definition:
        low, high = bounds(n)
        binds, is_or = _upper_side(n, high)
        ports = [Port("v", n)]
        if binds:
            ports.append(Port("garbage_high", clamped_width(n, high), zero_in=True))
        if low:
            ports.append(Port("garbage_low", low.bit_length(), zero_in=True))
        if keep_flags and binds and not is_or:
            ports.append(Port("flag_high", 1, zero_in=True))
        if keep_flags and low:
            ports.append(Port("flag_low", 1, zero_in=True))

        def body(b: Builder, v: Wires, *rest: Wires) -> None:
            given = dict(zip([p.name for p in ports[1:]], rest, strict=True))
            clamp_in_place(b, v, low, high, **given)

        return define("clamp", body, *ports)

    def meaning(n: int, v: Values) -> Values:
        low, high = bounds(n)
        kept = clamped_width(n, high)
        above, below = v["v"] > high, v["v"] < low
        after = {
            "v": (v["v"] >> kept << kept) + np.clip(v["v"], low, high),
            "garbage_high": np.where(above, (v["v"] ^ high) & mask(kept), 0),
            "garbage_low": np.where(below, v["v"] ^ low, 0),
            "flag_high": above.astype(np.int64),
            "flag_low": below.astype(np.int64),
        }
        return {name: after[name] for name in v}

    return Block(
        f"clamp_in_place[{name}, flags {'kept' if keep_flags else 'unmade'}]",
        "v clamped; what was swapped out is kept as garbage",
        build,
        meaning,
        lambda n: clamp_in_place_cost(n, *bounds(n), keep_flags),
        "comparison with a constant, then Fredkins",
    )


def _clamp_copy_block(name: str, bounds: Bounds) -> Block:
    return Block(
        f"clamp_copy[{name}]",
        "y ^= clamp(v), v kept",
        lambda n: define(
            "clamp",
            lambda b, v, y: clamp_copy(b, v, y, *bounds(n)),
            Port("v", n),
            Port("y", clamped_width(n, bounds(n)[1])),
        ),
        lambda n, v: {**v, "y": v["y"] ^ np.clip(v["v"], *bounds(n))},
        lambda n: clamp_copy_cost(n, *bounds(n)),
        "comparisons with constants held open while the value is copied",
    )


BLOCKS = (
    *(_clamp_in_place_block(name, bounds, False) for name, bounds in _CLAMPS.items()),
    *(_clamp_in_place_block(name, bounds, True) for name, bounds in _CLAMPS.items()),
    *(_clamp_copy_block(name, bounds) for name, bounds in _CLAMPS.items()),
)
