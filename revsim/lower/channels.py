"""A linear node as tiles: one definition per channel, called at every position.

A channel is a weighted sum in columns, then its activations as pieces. The copy computes both
forward, writes the result and undoes everything; the stages do the pieces in place on a sum that
stands in a register. Gates are made when a recipe is asked for them and not before.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from revsim.circuit.banks import Recipe
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Port
from revsim.circuit.registers import Encoding, Wires
from revsim.errors import InputError
from revsim.lower.forward_netlist import netlist_recipe
from revsim.lower.linear import WeightedSum
from revsim.lower.piece import Piece, Write
from revsim.lower.pieces import Run, pieces_of, runs_of
from revsim.lower.tiles import LoweredNode, Tile
from revsim.network.graph import Graph, Linear, Node
from revsim.network.operators import parameters, single
from revsim.network.sums import Integers

VERSION = "1"
"""Of the construction: part of every recipe's key, raised when its gates change."""


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel: `inputs` wires in, the sum as `total`, the pieces, `encoding` out.

    `key` names its gates; port x has every wire of every tap, whether a weight reads it or not.
    """

    name: str
    inputs: int
    total: WeightedSum
    pieces: tuple[Piece, ...]
    encoding: Encoding
    key: str

    @property
    def ports(self) -> tuple[Port, Port]:
        """Of the copy and of the netlist."""
        return Port("x", self.inputs), Port("y", self.encoding.width, True)

    def forward(self, b: Builder, x: Wires, y: Wires) -> None:
        """y ^= activations(sum(x)), nothing undone: what a netlist is made from."""
        self._start(b, x)(y)

    def copy(self) -> Definition:
        """x, y -> x, y ^ activations(sum(x)), everything else undone."""
        b = Builder(f"{self.name} copy")
        x, y = (b.port(p.name, p.width, p.zero_in) for p in self.ports)
        start = b.mark()
        write = self._start(b, x)
        stop = b.mark()
        write(y)
        b.undo(start, stop)
        return b.build()

    def linear(self) -> Definition:
        """x, z -> x, z ^ sum(x)."""
        b = Builder(f"{self.name} sum")
        x, z = b.port("x", self.inputs), b.port("z", self.total.width, zero=True)
        start = b.mark()
        value = self.total.emit(b, x[self.total.wires])
        stop = b.mark()
        b.cx(value, z)
        b.undo(start, stop)
        return b.build()

    def _start(self, b: Builder, x: Wires) -> Write:
        if not self.pieces:
            total = self.total.emit(b, x[self.total.wires])
            return lambda y: b.cx(total, y)
        if self.pieces[0].reads:
            value = self.total.emit(b, x[self.total.wires])
        else:
            value = b.local("unread", self.total.width)
        for piece in self.pieces[:-1]:
            value = piece.forward(b, value)
        return self.pieces[-1].start(b, value)

    def tile(self, reads: Integers, writes: Integers, cause: str) -> Tile:
        """The recipes, standing at the given places."""
        z = Port("z", self.total.width, True)
        copy = Recipe(f"{self.name} copy", self.ports, self.copy, f"copy {self.key}")
        netlist = netlist_recipe(
            f"{self.name} netlist", self.ports, self.forward, f"netlist {self.key}"
        )
        if not self.pieces:
            return Tile(reads, writes, copy, netlist)
        linear = Recipe(f"{self.name} sum", (self.ports[0], z), self.linear, f"linear {self.key}")
        stages = tuple(piece.stage(cause) for piece in self.pieces)
        return Tile(reads, writes, copy, netlist, linear, self.total.encoding, stages)


def lower_linear(graph: Graph, node: Node) -> LoweredNode:
    """Tiles of a linear node, one per channel; equal channels share recipes and stages.

    Raises InputError, naming node and channel, for activations that no circuit is known for.
    """
    operator = node.operator
    assert isinstance(operator, Linear)
    source, target = graph.tensors[node.inputs[0]], graph.tensors[node.output]
    encoding = Encoding.unsigned(source.low, source.high)
    after = Encoding.unsigned(target.low, target.high)
    low, high = operator.bounds(source.low, source.high)
    try:
        runs = runs_of(node.activations, low, high)
    except InputError as error:
        raise InputError(f"{node.name}: {error}") from None
    ends = (runs[-1].low_out, runs[-1].high_out) if runs else (low, high)
    if int(ends[0].min()) < target.low or int(ends[1].max()) > target.high:
        raise InputError(
            f"{node.name}: gives {ends[0].min()}..{ends[1].max()}, tensor {target.name!r} is "
            f"declared {target.low}..{target.high}"
        )
    made: dict[str, Tile] = {}
    tiles = []
    reads = [np.ascontiguousarray(operator.reads[:, g]) for g in range(operator.reads.shape[1])]
    places = np.arange(operator.positions)[:, None] * operator.channels
    cause = "activation" if node.neurons else "requantise"
    for c, group in enumerate(operator.group_of.tolist()):
        key = _key(node, c, encoding, after)
        if key not in made:
            channel = _channel(node, c, runs, encoding, after, key)
            made[key] = channel.tile(reads[group], places + c, cause)
        shared = made[key]
        tiles.append(
            Tile(
                reads[group],
                places + c,
                shared.copy,
                shared.netlist,
                shared.linear,
                shared.z,
                shared.stages,
            )
        )
    padding = int(encoding.encode(np.array([operator.pad_value]))[0]) if _pads(operator) else 0
    return LoweredNode(node, (encoding,), after, tuple(tiles), padding)


def _pads(operator: Linear) -> bool:
    return bool(operator.reads.size) and int(operator.reads.min()) < 0


def _key(node: Node, c: int, encoding: Encoding, after: Encoding) -> str:
    operator = node.operator
    assert isinstance(operator, Linear)
    digest = hashlib.sha256(f"{VERSION} {encoding} {after}".encode())
    digest.update(operator.weights[c].astype(np.int64).tobytes())
    digest.update(int(operator.bias[c]).to_bytes(8, "little", signed=True))
    for activation in node.activations:
        own = single(activation, c)
        assert own is not None
        digest.update(parameters(own) + b";")
    return digest.hexdigest()


def _channel(
    node: Node, c: int, runs: tuple[Run, ...], encoding: Encoding, after: Encoding, key: str
) -> Channel:
    operator = node.operator
    assert isinstance(operator, Linear)
    try:
        pieces = pieces_of(runs, c, after)
    except InputError as error:
        raise InputError(f"{node.name}, channel {c} {error}") from None
    z = pieces[0].before.encoding if pieces else after
    row = operator.weights[c]
    bits = np.outer(row, np.array(encoding.weights, dtype=np.int64)).ravel()
    wires = np.flatnonzero(bits)
    nothing = np.zeros(0, dtype=np.int64)
    total = WeightedSum(
        wires.astype(np.int32),
        bits[wires],
        nothing.reshape(0, 2),
        nothing,
        int(operator.bias[c]) + int(row.sum()) * encoding.offset - z.offset,
        z.width,
        z,
    )
    return Channel(f"{node.name} {c}", len(bits), total, pieces, after, key)
