"""Pebbling of a chain: computing the last of many layers within a budget, everything else undone.

A pebble on node k means that layer k's output is held. It may be put there or taken away only while
node k-1 holds one (node 0, the input, always does): that is one run of layer k, forward or
backward. The game ends clean when the last node alone is pebbled. Bennett, SIAM J. Comput. 18, 766
(1989); Li and Vitanyi (1996); the recursion is Knill's, arXiv math/9508218.

Knill counts pebbles and runs. Here each layer may have a size (of what it holds), a cost (of one
run) and working space (needed only during a run), so that the same recursion serves layer registers
and wires. A checkpoint may also be erased instead of uncomputed, at a price.

For layers of equal size the recursion finds the best of all schedules, whatever they cost and with
or without a price (the tests search them all). For unequal sizes it finds the best in which each
checkpoint is taken away as it was made; now and then a freer schedule saves a run or two more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError

Numbers = npt.NDArray[np.float64]
Action = Literal["compute", "uncompute", "erase"]


class Move(NamedTuple):
    """One run of a layer (compute or uncompute its output), or the erasure of its output.

    `node` is the layer's index, from 0.
    """

    node: int
    action: Action


@dataclass(frozen=True)
class Segment:
    """One layer of a chain: cost of a run, size of what it leaves, space needed during a run."""

    cost: int = 1
    size: int = 1
    working: int = 0


Chain = tuple[Segment, ...]


@dataclass(frozen=True, eq=False)
class Front:
    """The least cost for every budget: `costs[i]` from `budgets[i]` on; budgets rise, costs fall.

    Both float64 [points], whole numbers where no price is involved.
    """

    budgets: Numbers
    costs: Numbers

    def at(self, budgets: Numbers) -> Numbers:
        """Least costs within the given budgets, infinite where a budget is too small."""
        place = np.searchsorted(self.budgets, budgets, side="right") - 1
        return np.where(place >= 0, self.costs[place], inf)

    @property
    def least(self) -> int:
        """The smallest budget that works at all."""
        return int(self.budgets[0])


def unit_chain(length: int) -> Chain:
    """`length` equal layers: budgets are pebbles and costs are runs."""
    if length < 1:
        raise InputError(f"a chain of {length} layers cannot be pebbled; give 1 or more")
    return (Segment(),) * length


@lru_cache(maxsize=20_000)
def front(chain: Chain, price: float = inf) -> Front:
    """What every budget costs, for ending with the last layer's output and nothing else.

    F(chain, S) = min over m of F(chain[:m], S) + F(chain[m:], S - s) + F(chain[:m], S - t), where s
    is the size of checkpoint m and t that of the end: make the checkpoint, go on from it, take it
    away. Knill's recursion for unit sizes and costs. `price`: what erasing a checkpoint costs per
    unit of its size; then it is erased where that is cheaper than the last of the three terms.

    >>> [(int(b), int(c)) for b, c in zip(front(unit_chain(8)).budgets, front(unit_chain(8)).costs)]
    [(4, 25), (5, 21), (6, 19), (7, 17), (8, 15)]
    """
    if len(chain) == 1:
        (only,) = chain
        return Front(np.array([float(only.size + only.working)]), np.array([float(only.cost)]))
    budgets, costs = zip(*(_split(chain, m, price) for m in range(1, len(chain))), strict=True)
    return _pareto(np.concatenate(budgets), np.concatenate(costs))


def _split(chain: Chain, m: int, price: float) -> tuple[Numbers, Numbers]:
    """Budgets and costs with the first checkpoint that is taken away last after layer m."""
    held, end = float(chain[m - 1].size), float(chain[-1].size)
    make, onward, undo = front(chain[:m], price), front(chain[m:], price), front(chain[:m])
    budgets = np.concatenate([make.budgets, onward.budgets + held, undo.budgets + end])
    away = np.minimum(undo.at(budgets - end), price * held)
    return budgets, make.at(budgets) + onward.at(budgets - held) + away


def _pareto(budgets: Numbers, costs: Numbers) -> Front:
    order = np.lexsort((costs, budgets))
    budgets, costs = budgets[order], costs[order]
    before = np.minimum.accumulate(np.concatenate([[inf], costs[:-1]]))
    better = costs < before
    return Front(budgets[better], costs[better])


def schedule(chain: Chain, budget: int, price: float = inf) -> tuple[Move, ...]:
    """The moves of least cost within a budget. Raises InputError that says the least that works.

    >>> [f"{move.action} {move.node}" for move in schedule(unit_chain(2), 2)]
    ['compute 0', 'compute 1', 'uncompute 0']
    """
    least = front(chain, price).least
    if budget < least:
        raise InputError(
            f"no pebbling of {len(chain)} layers fits a budget of {budget}; "
            f"the least that works is {least}"
        )
    return tuple(_moves(chain, 0, float(budget), price))


def _moves(chain: Chain, start: int, budget: float, price: float) -> list[Move]:
    if len(chain) == 1:
        return [Move(start, "compute")]
    within = np.array([budget])
    costs = [float(_at(chain, m, within, price)[0]) for m in range(1, len(chain))]
    m = int(np.argmin(costs)) + 1
    held, end = chain[m - 1].size, chain[-1].size
    out = _moves(chain[:m], start, budget, price)
    out += _moves(chain[m:], start + m, budget - held, price)
    if price * held < float(front(chain[:m]).at(within - end)[0]):
        return [*out, Move(start + m - 1, "erase")]
    return [*out, *backward(_moves(chain[:m], start, budget - end, inf))]


def _at(chain: Chain, m: int, budgets: Numbers, price: float) -> Numbers:
    held, end = chain[m - 1].size, chain[-1].size
    away = np.minimum(front(chain[:m]).at(budgets - end), price * held)
    onward = front(chain[m:], price).at(budgets - held)
    total: Numbers = front(chain[:m], price).at(budgets) + onward + away
    return total


def backward(moves: Iterable[Move]) -> list[Move]:
    """The moves that undo these; an erasure has none."""
    other: dict[Action, Action] = {"compute": "uncompute", "uncompute": "compute"}
    return [Move(move.node, other[move.action]) for move in reversed(list(moves))]


def fewest_runs(length: int, pebbles: int) -> int:
    """Knill's F(L, S): least runs that end with node L alone, never more than S pebbles.

    Raises InputError below `least_pebbles(length)`.

    >>> fewest_runs(4, 3), fewest_runs(8, 4), fewest_runs(12, 5), fewest_runs(8, 8)
    (9, 25, 39, 15)
    """
    return len(schedule(unit_chain(length), pebbles))


def least_pebbles(length: int) -> int:
    """Fewest pebbles that end clean on node `length`: 1 + log2 of it, rounded up.

    >>> [least_pebbles(length) for length in (1, 2, 4, 8, 9, 16)]
    [1, 2, 3, 4, 5, 5]
    """
    return front(unit_chain(length)).least


def furthest_node(pebbles: int) -> int:
    """The furthest node that `pebbles` pebbles can reach, clean or not: 2^n - 1 (Li, Vitanyi).

    One pebble is left on the furthest clean node, 2^(n-1), and the game goes on from there with
    one pebble less.

    >>> furthest_node(4)
    15
    """
    clean = 0
    while pebbles and least_pebbles(clean + 1) <= pebbles:
        clean += 1
    return clean + furthest_node(pebbles - 1) if pebbles else 0


def bennett_1989(branching: int, levels: int, start: int = 0) -> tuple[Move, ...]:
    """Bennett's own schedule for k^n layers: (2k-1)^n runs with n(k-1) + 1 checkpoints.

    At each level k blocks are run forward, then all but the last are taken away, latest first.

    >>> played(bennett_1989(2, 3))
    Played(runs=27, peak=4, erased=0)
    """
    if levels < 0 or branching < 2:
        raise InputError(
            f"Bennett's schedule takes 2 or more blocks at 0 or more levels, "
            f"not {branching} at {levels}"
        )
    if levels == 0:
        return (Move(start, "compute"),)
    length = branching ** (levels - 1)
    blocks = [bennett_1989(branching, levels - 1, start + i * length) for i in range(branching)]
    out = [move for block in blocks for move in block]
    for block in reversed(blocks[:-1]):
        out += backward(block)
    return tuple(out)


class Played(NamedTuple):
    """What a schedule took: runs of layers, most outputs held at once, outputs erased."""

    runs: int
    peak: int
    erased: int


def played(moves: Sequence[Move]) -> Played:
    """Play a schedule by the rules. Raises InputError at a move that breaks them or a dirty end."""
    held: set[int] = set()
    peak = 0
    for number, (node, action) in enumerate(moves):
        if action != "erase" and node > 0 and node - 1 not in held:
            raise InputError(f"move {number}: layer {node} is run, but its input is not held")
        if (action == "compute") == (node in held):
            raise InputError(
                f"move {number}: {action} of layer {node}, whose output is "
                f"{'held already' if node in held else 'not held'}"
            )
        held ^= {node}
        peak = max(peak, len(held))
    last = max((move.node for move in moves), default=-1)
    if held != {last}:
        raise InputError(f"the schedule ends with layers {sorted(held)} held, not {last} alone")
    erased = sum(move.action == "erase" for move in moves)
    return Played(len(moves) - erased, peak, erased)
