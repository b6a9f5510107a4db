"""Circuits of tensors: banks of registers, definitions called at many positions at once.

A `Circuit` lists registers one by one; a `TensorCircuit` holds a tensor as one `Bank` and runs a
definition at all positions of a convolution as one `Calls`, whose positions a simulator puts into
lanes. Every gate of every position is still evaluated on its own. Definitions are made when they
are needed and forgotten afterwards (`Recipe`), so that a network may have more gates than memory.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Definition, Layer, Port
from revsim.circuit.measures import Counts, counts
from revsim.circuit.registers import Encoding

WireTable = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Bank:
    """Registers of one encoding: `wires` int32 [registers, width], index 0 least significant."""

    name: str
    wires: WireTable
    encoding: Encoding

    @property
    def size(self) -> int:
        """Number of registers."""
        return len(self.wires)


@dataclass(frozen=True, eq=False)
class Recipe:
    """A definition that is made on demand: its name and ports are known, its gates are not held.

    `make` gives the same gates every time. `key`, where there is one, names these gates beyond
    this process: what a cache on disk may hold them under.
    """

    name: str
    ports: tuple[Port, ...]
    make: Callable[[], Definition]
    key: str = ""

    @cached_property
    def counts(self) -> Counts:
        """Native gates of one call; makes the definition once."""
        return counts(self.make())


@dataclass(frozen=True, eq=False)
class Calls:
    """`recipe` at many positions: `wires`, one table int32 [positions, port width] per port.

    Positions may read the same wires; what a position writes is its own: two positions never share
    a wire that one of them changes for good, so that their order does not matter. As in any call no
    wire stands at two ports of one position: what is read twice (padding, mostly) has a copy for
    each port. `channels` int64 [positions]: which positions a device that shares its hardware
    serves one after the other with one piece of it (those of one channel); None: all of them.
    """

    recipe: Recipe
    wires: tuple[WireTable, ...]
    inverse: bool = False
    channels: npt.NDArray[np.int64] | None = None

    @property
    def positions(self) -> int:
        """How many calls these are."""
        return len(self.wires[0])

    @property
    def table(self) -> WireTable:
        """The wires of all ports, one behind the other: int32 [positions, port wires]."""
        return np.ascontiguousarray(np.concatenate(self.wires, axis=1), dtype=np.int32)


@dataclass(frozen=True, eq=False)
class BankAlloc:
    """The registers of a bank come into use; their wires hold 0."""

    bank: Bank


@dataclass(frozen=True, eq=False)
class BankSet:
    """NOTs that turn registers of zeros into a constant (bits of `value`, an unsigned number), or
    back: what padding reads."""

    bank: Bank
    value: int


@dataclass(frozen=True, eq=False)
class BankFree:
    """The wires of a bank go out of use; each must hold 0 on every lane."""

    bank: Bank


@dataclass(frozen=True, eq=False)
class BankErase:
    """Every register of a bank is set to 0 whatever it holds, as one group (layer, cause).

    `places` int64 [registers] says which value of the layer each register belongs to and `shape`
    (positions, channels) how they are arranged: a device that shares its hardware among positions
    pools registers of one channel.
    """

    bank: Bank
    cause: str
    layer: str
    value_of: str
    places: npt.NDArray[np.int64]
    shape: tuple[int, int]


@dataclass(frozen=True, eq=False)
class BankMark:
    """Values of a tensor can be read here: registers of `bank` are its elements `places`."""

    name: str
    bank: Bank
    places: npt.NDArray[np.int64]


TensorItem = Calls | BankAlloc | BankSet | BankFree | BankErase | BankMark


@dataclass(frozen=True, eq=False)
class TensorCircuit:
    """A body on `width` wires; inputs and outputs are banks by tensor name, in the model's order.

    At the start every wire but the inputs holds 0; at the end every wire that is neither in an
    output nor, where the input is kept, in an input. `ranges` are the declared ends of each input;
    `linear`: the weighted sums, whatever the policy makes of them, as (layer, recipe, positions).
    """

    name: str
    width: int
    body: tuple[TensorItem, ...]
    inputs: tuple[Bank, ...]
    outputs: tuple[Bank, ...]
    layers: tuple[Layer, ...] = ()
    layer_of: tuple[str, ...] = ()
    policy: str = "as_written"
    input_choice: str = "as_written"
    order: str = ""
    ranges: tuple[tuple[int, int], ...] = field(default=())
    linear: tuple[tuple[str, Recipe, int], ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        return (
            f"TensorCircuit({self.name!r}, policy={self.policy!r}, input={self.input_choice!r}, "
            f"{self.width:,} device wires, {len(self.body)} items)"
        )
