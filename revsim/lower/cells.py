"""Nodes of cells as tiles: one program, compiled once, at every position.

The `copy` recipe runs the program forward on fresh wires, XORs the results onto the output
registers and runs everything backward; the netlist is made of the forward half.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import numpy as np

from revsim.circuit.banks import Recipe
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Port
from revsim.circuit.registers import Encoding
from revsim.circuit.registers import Wires as WireArray
from revsim.errors import InputError
from revsim.lower.forward_netlist import netlist_recipe
from revsim.lower.tiles import LoweredNode, Tile
from revsim.lower.words import Shared, Wires
from revsim.network.cells import program_bytes
from revsim.network.graph import Cells, Graph, Node
from revsim.network.sums import Integers
from revsim.network.words import Program

VERSION: Final = "1"
"""Of the construction: part of every key, raised when its gates change."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A program on registers x, its results in registers of one encoding and range.

    `inputs`: encoding of each register; `arguments`: the register of each argument (two arguments
    may be one); `ends`: declared range of each register; `limits`: declared range of the results.
    """

    name: str
    program: Program
    inputs: tuple[Encoding, ...]
    ends: tuple[tuple[int, int], ...]
    arguments: tuple[int, ...]
    encoding: Encoding
    limits: tuple[int, int]
    results: int
    shared: Shared = field(default_factory=dict)

    @property
    def ports(self) -> tuple[Port, Port]:
        """Of the copy and of the netlist."""
        width = sum(e.width for e in self.inputs)
        return Port("x", width), Port("y", self.results * self.encoding.width, True)

    @property
    def key(self) -> str:
        """Names the gates beyond this process."""
        parts = repr((VERSION, self.inputs, self.ends, self.arguments, self.encoding, self.limits))
        return sha256(parts.encode() + program_bytes(self.program)).hexdigest()

    def forward(self, b: Builder, x: WireArray, y: WireArray) -> None:
        """y ^= program(x), nothing undone."""
        for result, target in zip(self._results(b, x), self._split(y), strict=True):
            result(target)

    def copy(self) -> Definition:
        """x, y -> x, y ^ program(x), everything else undone."""
        b = Builder(f"{self.name} copy")
        x, y = (b.port(p.name, p.width, p.zero_in) for p in self.ports)
        start = b.mark()
        results = self._results(b, x)
        stop = b.mark()
        for result, target in zip(results, self._split(y), strict=True):
            result(target)
        b.undo(start, stop)
        return b.build()

    def _results(self, b: Builder, x: WireArray) -> list[Callable[[WireArray], None]]:
        """Run the program on registers laid one behind the other, up to the last step of each
        result: what XORs it onto its register."""
        ops = Wires(b, self.shared)
        cuts = np.cumsum([e.width for e in self.inputs])[:-1]
        registers = np.split(x, cuts) if self.inputs else []
        words = [
            ops.given(wires, encoding, ends)
            for wires, encoding, ends in zip(registers, self.inputs, self.ends, strict=True)
        ]
        made = self.program(ops, *(words[k] for k in self.arguments))
        return [ops.writer(ops.narrowed(w, *self.limits), self.encoding) for w in made]

    def _split(self, y: WireArray) -> list[WireArray]:
        return np.split(y, self.results)

    def recipes(self) -> tuple[Recipe, Recipe]:
        """Copy and netlist."""
        key = self.key
        return (
            Recipe(f"{self.name} copy", self.ports, self.copy, f"copy {key}"),
            netlist_recipe(f"{self.name} netlist", self.ports, self.forward, f"netlist {key}"),
        )


def lower_cells(graph: Graph, node: Node) -> LoweredNode:
    """A node of cells as tiles: one for all positions whose arguments are alike.

    Arguments are alike where they come from the same tensors; positions that read one value for
    several arguments have a tile of their own, since a definition is never given a wire twice.
    """
    operator = node.operator
    assert isinstance(operator, Cells)
    tensors = [graph.tensors[name] for name in node.inputs]
    encodings = tuple(Encoding.unsigned(t.low, t.high) for t in tensors)
    target = graph.tensors[node.output]
    after = Encoding.unsigned(target.low, target.high)
    starts = np.cumsum([0, *(t.size for t in tensors)])
    source = np.searchsorted(starts, operator.reads, side="right") - 1
    kinds, which = np.unique(
        np.concatenate([source, _first_alike(operator.reads)], axis=1), axis=0, return_inverse=True
    )
    results = target.size // operator.positions
    tiles = []
    for number, kind in enumerate(kinds):
        sources, first = np.split(kind, 2)
        own = np.unique(first)
        cell = Cell(
            node.name,
            operator.program,
            tuple(encodings[s] for s in sources[own]),
            tuple((tensors[s].low, tensors[s].high) for s in sources[own]),
            tuple(np.searchsorted(own, first).tolist()),
            after,
            (target.low, target.high),
            results,
        )
        places = np.flatnonzero(which.ravel() == number)
        reads = np.ascontiguousarray(operator.reads[places][:, own])
        writes = places[:, None] * results + np.arange(results)
        try:
            tiles.append(Tile(reads, writes, *cell.recipes()))
        except InputError as error:
            raise InputError(f"{graph.name}, node {node.name!r}: {error}") from None
    return LoweredNode(node, encodings, after, tuple(tiles))


def _first_alike(reads: Integers) -> Integers:
    """For each argument the first one of its position that reads the same value."""
    out: Integers = np.empty(reads.shape, dtype=np.int64)
    for k in range(reads.shape[1]):
        out[:, k] = (reads[:, : k + 1] == reads[:, k : k + 1]).argmax(axis=1)
    return out
