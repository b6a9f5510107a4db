"""A program as the netlist of what it computes, found by running its gates on literals.

Nothing is guessed: what no identity of Boolean algebra makes shorter is an operation of its own, so
a netlist gives the bits, counts and broken promises of its gates on every input. Most of a
reversible circuit is copies, and gates that undo others: nodes that are there already.
"""

import numpy as np
import numpy.typing as npt

from revsim.circuit.packed import SLOTS
from revsim.circuit.program import Program
from revsim.errors import InputError
from revsim.simulator.fused.netlist import Netlist

NODES = 1 << 24
"""Most nodes of one program: they take about 50 bytes each while it is folded."""
LEAST_ROOM = 1 << 9


def fold(program: Program) -> Netlist:
    """The netlist of a program. Raises InputError where it computes more than `NODES` different
    values, or on more slots than a row can name.

    >>> from revsim.blocks.registry import block_named
    >>> from revsim.circuit.program import program_of
    >>> adder = block_named("add_in_place[cdkm, carry]").build(8)
    >>> netlist = fold(program_of(adder))  # 49 gates: a half adder, 7 full adders, carry out
    >>> netlist.kind.tolist(), len(netlist.free)
    ([6, 7, 7, 7, 7, 7, 7, 7, 0], 0)
    """
    from revsim.simulator.covering.kernels import cover
    from revsim.simulator.folding import kernels

    name, ports = program.definition.name, program.definition.port_wires
    if program.slots > SLOTS:
        raise InputError(
            f"definition {name!r} is on {program.slots:,} wires at once; at most {SLOTS:,} are "
            'folded: use smaller definitions, or executor="numpy"'
        )
    given = ports + 1
    own = 2 * np.arange(1, given)
    held = np.zeros(program.slots, dtype=np.int64)
    held[:ports] = own
    nodes = _room(min(given + len(program.rows) // 2 + LEAST_ROOM, NODES))
    nodes[:given, :4] = -1, 0, 0, 0
    nodes[0, 1] = given
    promised = np.zeros(2 * len(nodes), dtype=np.uint8)
    erased = np.zeros(program.erased, dtype=np.int32)
    tallied = np.zeros((program.tallies, 2), dtype=np.int32)
    controls = program.starts, program.control_wires, program.control_polarity
    row = 0
    while True:
        row = kernels.run_rows(program.rows, row, *controls, held, promised, erased, tallied, nodes)
        if row == len(program.rows):
            break
        if len(nodes) >= NODES:
            raise InputError(
                f"definition {name!r} computes more than {NODES:,} different values, too many to "
                'fold: use smaller definitions, or executor="literal"'
            )
        small, nodes = nodes, _room(2 * len(nodes))
        kernels.move_nodes(small, nodes)
        promised = np.append(promised, np.zeros_like(promised))
    free, role = (np.flatnonzero(promised[: 2 * nodes[0, 1]] & bit) for bit in (1, 2))
    free, role = free[free > 0], role[role > 0]  # literal 0 is constant 0, as promised
    changed = np.flatnonzero(held[:ports] != own)
    roots = np.concatenate([held[changed], erased, tallied.ravel(), free, role])
    kind, operands, made = cover(nodes, given, roots)

    def named(literals: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
        return np.asarray(made[literals >> 1] ^ (literals & 1), dtype=np.int32)

    outputs = np.stack([changed.astype(np.int32), named(held[changed])], axis=1)
    return Netlist(
        ports, kind, operands, outputs, named(erased), named(tallied), named(free), named(role)
    )


def _room(nodes: int) -> npt.NDArray[np.int32]:
    """Room for so many nodes at least, a power of two, with an empty hash table."""
    return np.full((1 << (nodes - 1).bit_length(), 6), -1, dtype=np.int32)
