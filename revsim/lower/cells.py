"""Nodes of cells as tiles: one program, compiled once, at every position.

The `copy` recipe runs the program forward on fresh wires, XORs the results onto the output
registers and runs everything backward; `forward` writes the first half alone.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import numpy as np

from revsim.circuit.banks import Recipe
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Port
from revsim.circuit.registers import Encoding
from revsim.circuit.registers import Wires as WireArray
from revsim.errors import InputError
from revsim.lower.forms import Form
from revsim.lower.forward_netlist import netlist_recipe
from revsim.lower.literals import write
from revsim.lower.tiles import Tile
from revsim.lower.units import Pending, stored
from revsim.lower.words import Wires
from revsim.network.cells import program_bytes
from revsim.network.graph import Cells, Node
from revsim.network.sums import Integers
from revsim.network.words import Program, Word

VERSION: Final = b"cells 1"
"""Changes whenever the same program is given other gates: part of every key."""
Ends = tuple[int, int]


def lower_cells(
    node: Node,
    sizes: Sequence[int],
    ends: Sequence[Ends],
    encodings: Sequence[Encoding],
    encoding: Encoding,
    out: Ends,
) -> tuple[Tile, ...]:
    """Tiles of a node of cells: one for all positions whose arguments are of the same kinds.

    Of each input tensor: number of values, declared range, encoding; `encoding` and range of the
    output. Positions that read one value twice have a tile of their own, since a definition is
    never given one wire twice.
    """
    operator = node.operator
    if not isinstance(operator, Cells):
        raise InputError(f"node {node.name!r} is {operator.kind}, not cells")
    starts = np.cumsum([0, *sizes])
    source = np.searchsorted(starts, operator.reads, side="right") - 1
    first = np.array([_first_reads(row) for row in operator.reads], dtype=np.int64)
    kinds, which = np.unique(
        np.concatenate([source, first], axis=1), axis=0, return_inverse=True
    )
    results = len(np.zeros(0)) if not len(operator.reads) else 0
    tiles = []
    for number, kind in enumerate(kinds):
        places = np.flatnonzero(which.ravel() == number)
        sources, firsts = np.split(kind, 2)
        own = np.unique(firsts)
        recipes = _recipes(
            f"{node.name} {operator.kind}",
            operator.program,
            [encodings[s] for s in sources[own]],
            [ends[s] for s in sources[own]],
            np.searchsorted(own, firsts),
            encoding,
            out,
        )
        results = recipes[0].ports[1].width // encoding.width if encoding.width else 1
        writes = places[:, None] * results + np.arange(results)
        tiles.append(Tile(operator.reads[places][:, own], writes, *recipes))
    return tuple(tiles)
