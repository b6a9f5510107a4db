"""What the calls of a node read: registers of its inputs, padding, and copies of what one position
reads more than once.

A definition is never given a wire twice, since it may change for a time what it reads. At the k-th
port that reads a register, a position reads the k-th copy of it: padding constants are made as
often as one position needs them, by NOTs, other registers copied by CNOTs, before the calls of the
node and undone after them. All positions share these copies.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from revsim.circuit.banks import Bank, Recipe, WireTable
from revsim.circuit.definition import Port
from revsim.circuit.registers import Encoding
from revsim.schedule.steps import copier
from revsim.schedule.views import Integers

PADDING = -1
"""Stands for the padding constant among numbers of registers."""


@dataclass(frozen=True, eq=False)
class Reads:
    """`tables`: port `x` of each tile at every position, by the identity of what the tile reads.

    `padding`: registers of the padding constant, `copies`: (wires of the sources, copies); to be
    undone after the calls.
    """

    tables: dict[int, WireTable]
    padding: Bank | None = None
    copies: tuple[tuple[WireTable, Bank], ...] = ()


@dataclass(frozen=True, eq=False)
class Repeats:
    """Which copies some calls need, and who reads which.

    `copied` int64 [copies]: the register that each copy is of; `padding`: how many registers hold
    the padding constant. `rows`: for each array of reads int64 [positions, arguments] the place of
    what is read in [elements of the inputs | padding | copies].
    """

    copied: Integers
    padding: int
    rows: dict[int, Integers]


def repeats(registers: Integers) -> Integers:
    """How often a register has been read before at its position: int64 [positions, arguments].

    >>> repeats(np.array([[5, 7, 5, 5], [7, 5, 5, 7]])).tolist()
    [[0, 0, 1, 2], [0, 0, 1, 1]]
    """
    order = np.argsort(registers, axis=1, kind="stable")
    ordered = np.take_along_axis(registers, order, axis=1)
    places = np.broadcast_to(np.arange(registers.shape[1]), registers.shape)
    again = np.zeros(registers.shape, dtype=np.bool_)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    first = np.maximum.accumulate(np.where(again, 0, places), axis=1)
    out = np.empty_like(registers)
    np.put_along_axis(out, order, places - first, axis=1)
    return out


def repeats_of(registers: Integers, reads: dict[int, Integers]) -> Repeats:
    """The copies that calls with these reads need.

    registers: int64 [elements], the register behind each element of the inputs; reads: arrays
    int64 [positions, arguments] of elements, -1 for padding.
    """
    held = np.append(registers, PADDING)
    asked = {name: held[own] for name, own in reads.items()}
    times = {name: repeats(own) for name, own in asked.items()}
    most = 1 + max((int(t.max(initial=0)) for t in times.values()), default=0)
    keys = {name: own * most + times[name] for name, own in asked.items()}
    again = [keys[name][(times[name] > 0) & (own >= 0)] for name, own in asked.items()]
    copied = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *again]))
    padding = max((1 + int(times[n][a < 0].max(initial=-1)) for n, a in asked.items()), default=0)
    rows = {}
    for name, own in reads.items():
        copy = len(registers) + padding + np.searchsorted(copied, keys[name])
        rows[name] = np.where(times[name] > 0, copy, own)
        rows[name] = np.where(own < 0, len(registers) + times[name], rows[name])
    return Repeats(copied // most, padding, rows)


@cache
def copy_of(encoding: Encoding) -> Recipe:
    """A copy of a register, by CNOTs."""
    ports = Port("source", encoding.width), Port("target", encoding.width, True)
    return Recipe(f"copy of {encoding.width} bits", ports, lambda: copier(encoding))
