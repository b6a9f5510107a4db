"""What a node of a graph becomes: tiles, each one definition at many positions.

A linear node has one tile per channel (equal channels share one), a node of cells has one in all,
a wiring none: its output is a view of the registers that hold its inputs.
"""

from dataclasses import dataclass

from revsim.circuit.banks import Recipe
from revsim.circuit.registers import Encoding
from revsim.lower.stage import Stage
from revsim.network.graph import Node
from revsim.network.sums import Integers


@dataclass(frozen=True, eq=False)
class Tile:
    """One definition and where it stands.

    reads: int64 [positions, arguments], elements of the node's inputs laid flat one behind the
    other, -1 for the padding constant. writes: int64 [positions, results], elements of its output.
    Port `x` of every recipe is the registers read, argument after argument; `y` those written.

    copy: x, y -> x, y ^ f(x), everything else undone. netlist: the same as AND/XOR gates, each
    output reset when it dies. Only where weighted sums are followed by activations: linear, x, z ->
    x, z ^ sum, and `stages`, which work on z in place and name their garbage; the last one ends in
    the encoding of the output.
    """

    reads: Integers
    writes: Integers
    copy: Recipe
    netlist: Recipe
    linear: Recipe | None = None
    z: Encoding | None = None
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, eq=False)
class LoweredNode:
    """A node as tiles; `encodings`, one per input tensor, and the encoding of its output.

    Tensors are held unsigned with their declared lowest value as offset. `padding` is the bits
    that a read of -1 finds, as an unsigned number.
    """

    node: Node
    encodings: tuple[Encoding, ...]
    encoding: Encoding
    tiles: tuple[Tile, ...]
    padding: int = 0
