"""A program as the netlist of what it computes, found by running its gates on literals.

Nothing is guessed: what no identity of Boolean algebra makes shorter is an operation of its own, so
a netlist gives the bits, counts and broken promises of its gates on every input. Most of a
reversible circuit is copies, and gates that undo others: nodes that are there already.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Table
from revsim.circuit.program import Program
from revsim.circuit.registers import Wires
from revsim.errors import InputError
from revsim.simulator.fused.netlist import Netlist

Part = tuple[Table, npt.NDArray[np.int64], Wires, npt.NDArray[np.uint8]]
"""Rows of gates on slots with their control lists (starts, wires, polarity), as in `Program`."""

NODES = 1 << 24
"""Most nodes of one definition: they take 34 bytes each while it is folded."""
FIRST_NODES = 1 << 12


def fold(program: Program) -> Netlist:
    """The netlist of a program.

    >>> from revsim.blocks.registry import block_named
    >>> from revsim.circuit.program import program_of
    >>> adder = block_named("add_in_place[cdkm, carry]").build(8)
    >>> netlist = fold(program_of(adder))  # 57 gates: a half adder, 7 full adders, carry out
    >>> netlist.kind.tolist(), len(netlist.free)
    ([6, 7, 7, 7, 7, 7, 7, 7, 0], 0)
    """
    part = program.table, program.starts, program.control_wires, program.control_polarity
    ports = program.definition.port_wires
    return fold_parts(
        program.definition.name, ports, program.slots, program.erased, program.tallies, [part]
    )


def fold_parts(
    name: str, ports: int, slots: int, erased: int, tallies: int, parts: Iterable[Part]
) -> Netlist:
    """The netlist of gate tables that follow each other on the same slots, the first `ports` of
    which are ports; `erased` and `tallies`: ERASEs and TALLYs in all of them.

    Raises InputError where the definition `name` computes more than `NODES` different values.
    """
    from revsim.simulator.folding import kernels

    given = ports + 1
    held = np.zeros(slots, dtype=np.int64)
    held[:ports] = 2 * np.arange(1, given)
    graph = kernels.Graph(*_room(2 * given + FIRST_NODES), np.array([given]), kernels.scratch())
    graph.nodes[:given] = -1, 0, 0, 0
    promised = np.zeros(2 * len(graph.nodes), dtype=np.uint8)
    counts = np.zeros(erased, np.int32), np.zeros((tallies, 2), np.int32), np.zeros(1, np.int64)
    for table, starts, listed, positive in parts:
        row = 0
        while row < len(table):
            row = kernels.run_rows(
                table, row, starts, listed, positive, held, promised, *counts, graph
            )
            if row < len(table):
                if len(graph.nodes) >= NODES:
                    raise InputError(
                        f"definition {name!r} computes more than {NODES:,} different values: too "
                        'many to fold; use executor="literal"'
                    )
                nodes, found = _room(2 * len(graph.nodes))
                nodes[: len(graph.nodes)] = graph.nodes
                promised = np.append(promised, np.zeros_like(promised))
                graph = kernels.Graph(nodes, found, graph.made, graph.todo)
                kernels.rehash(graph)
    made = int(graph.made[0])
    changed = np.flatnonzero(held[:ports] != 2 * np.arange(1, given))
    free, role = (np.flatnonzero(promised[: 2 * made] & bit) for bit in (1, 2))
    free, role = free[free > 0], role[role > 0]
    roots = np.concatenate([held[changed], counts[0], counts[1].ravel(), free, role])
    kind, operands, literal = kernels.cover(graph, given, roots)

    def named(literals: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
        return np.asarray(literal[literals >> 1] ^ (literals & 1), dtype=np.int32)

    return Netlist(
        ports,
        kind,
        operands,
        np.stack([changed.astype(np.int32), named(held[changed])], axis=1),
        named(counts[0]),
        named(counts[1]),
        named(free),
        named(role),
    )


def _room(nodes: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Room for so many nodes at least, a power of two, and an empty hash table for them."""
    size = 1 << (nodes - 1).bit_length()
    return np.empty((size, 4), dtype=np.int32), np.full(2 * size, -1, dtype=np.int32)
