"""The body of a graph's circuit in the making: steps that the policies of graphs.py share.

A wiring has no items: what it makes is a view. A bank is erased after the last node that reads any
view of it, whatever the policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from revsim.circuit.banks import Bank, Recipe, WireTable
from revsim.circuit.definition import Port
from revsim.circuit.registers import Encoding
from revsim.lower.stage import Stage
from revsim.lower.tiles import LoweredNode
from revsim.network.graph import Graph, Node, Wiring
from revsim.schedule.steps import copier
from revsim.schedule.tensor_device import TensorDevice
from revsim.schedule.views import Integers, Views, encoding_of, inputs_of, outputs_of


@dataclass(eq=False)
class Build:
    """A body in the making: the device, and the bank of every root that is in use."""

    graph: Graph
    lowered: dict[str, LoweredNode]
    views: Views
    input: str
    device: TensorDevice = field(default_factory=TensorDevice)
    banks: dict[int, Bank] = field(default_factory=dict)
    tables: dict[tuple[str, int], WireTable] = field(default_factory=dict)
    stages: dict[Stage, Recipe] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for k, root in enumerate(self.views.roots[: len(inputs_of(self.graph))]):
            self.banks[k] = self.device.given(root.name, root.size, root.encoding)
        self.inputs = tuple(self.banks.values())
        self.roots = {r.maker: k for k, r in enumerate(self.views.roots) if r.constant is None}

    @property
    def computed(self) -> list[tuple[int, Node]]:
        """The nodes that compute, with their numbers."""
        return [
            (k, n) for k, n in enumerate(self.graph.nodes) if not isinstance(n.operator, Wiring)
        ]

    # --- wires ----------------------------------------------------------------------------------

    def wires(self, registers: Integers) -> WireTable:
        """Device wires of registers int64 [n]: int32 [n, width], -1 where a narrow one ends and
        for one that is not in use any more."""
        found = self.views.root_of(registers)
        kinds = [k for k in np.unique(found).tolist() if k in self.banks]
        width = max((self.banks[k].wires.shape[1] for k in kinds), default=0)
        out = np.full((len(registers), width), -1, dtype=np.int32)
        for k in kinds:
            own, held = found == k, self.banks[k].wires
            out[own, : held.shape[1]] = held[registers[own] - self.views.roots[k].start]
        return out

    def inputs_at(self, node: Node, reads: Integers, padding: Bank | None) -> WireTable:
        """Port `x` at every position: the registers read, argument after argument."""
        key = node.name, id(reads)
        if key not in self.tables:
            flat = np.concatenate([self.views.registers[name] for name in node.inputs])
            held = self.wires(flat)
            if padding is not None:
                held = np.concatenate([held, padding.wires])  # a read of -1 finds the last
            widths = (held >= 0).sum(axis=1)
            if int(widths.min()) == held.shape[1]:
                self.tables[key] = held[reads].reshape(len(reads), -1)
            else:
                columns = [held[c, : widths[c].max()] for c in reads.T]
                self.tables[key] = np.concatenate(columns, axis=1)
        return self.tables[key]

    # --- steps ----------------------------------------------------------------------------------

    def clean(self, number: int, part: str = "copy", inverse: bool = False) -> None:
        """y ^= node(x) by the tiles' `copy` or `netlist` recipes; or, inverse, y back to 0."""
        node = self.graph.nodes[number]
        low, root = self.lowered[node.name], self.roots[number]
        if not inverse:
            made = self.views.roots[root]
            self.banks[root] = self.device.alloc(made.name, made.size, made.encoding)
        padding = self.pad(low)
        wires = self.banks[root].wires
        for tile in reversed(low.tiles) if inverse else low.tiles:
            x = self.inputs_at(node, tile.reads, padding)
            y = wires[tile.writes].reshape(len(tile.writes), -1)
            self.device.calls(getattr(tile, part), x, y, inverse=inverse)
        self.unpad(low, padding)

    def pad(self, low: LoweredNode) -> Bank | None:
        """A register of the padding constant, where a tile reads one."""
        if not any(bool((tile.reads < 0).any()) for tile in low.tiles):
            return None
        name = f"{low.node.name}.padding"
        return self.device.constant(name, low.encodings[0], low.padding)

    def unpad(self, low: LoweredNode, padding: Bank | None) -> None:
        """The padding constant undone; tables that point to it are forgotten."""
        if padding is not None:
            self.device.undo_constant(padding, low.padding)
            self.tables = {k: v for k, v in self.tables.items() if k[0] != low.node.name}

    def wire(self, number: int) -> None:
        """A wiring: its constants are made, its output can be read."""
        made = [k for k, root in enumerate(self.views.roots) if root.maker == number and root.size]
        for k in made:
            root = self.views.roots[k]
            self.banks[k] = self.device.constant(root.name, root.encoding, root.constant or 0)
        self.mark_output(self.graph.nodes[number])
        self.end_of([k for k in made if self.views.last[k] == number])  # nothing computes with it

    def mark_output(self, node: Node) -> None:
        """Every tensor can be read when it is made, but for values that died before it was."""
        registers = self.views.registers[node.output]
        alive = np.flatnonzero(np.isin(self.views.root_of(registers), list(self.banks)))
        encoding = encoding_of(self.graph.tensors[node.output])
        bank = Bank(node.output, self.wires(registers[alive]), encoding)
        self.device.mark(node.output, bank, alive)

    def dying(self, number: int) -> list[int]:
        """Roots that no node after this one reads: inputs (where destroyed) and made tensors."""
        first = self.computed[0][0] if self.computed else len(self.graph.nodes)
        out = []
        for k in self.banks:
            root, last = self.views.roots[k], int(self.views.last[k])
            if root.maker < 0 and self.input != "destroy":
                continue
            if root.maker < 0:
                last = max(last, first)  # an input that nothing reads
            if last == number and root.maker != number:
                out.append(k)
        return out

    def end_of(self, numbers: Sequence[int], cause: str = "layer_input") -> None:
        """Erase roots as one group; constants among them are undone instead."""
        roots = [(self.views.roots[k], self.banks.pop(k)) for k in numbers]
        constants = [(r, b) for r, b in roots if r.constant is not None]
        self.device.erase_roots([(r, b) for r, b in roots if r.constant is None], cause)
        for root, bank in constants:
            self.device.undo_constant(bank, root.constant or 0)

    def unused(self, number: int) -> bool:
        """Whether nothing reads what a node makes."""
        return int(self.views.last[self.roots[number]]) == number

    # --- the end --------------------------------------------------------------------------------

    def outputs(self, copy: bool) -> tuple[Bank, ...]:
        """The outputs: tensors as they stand where that is possible, copies otherwise.

        A tensor stands where it is all of one bank, in whatever order, that is given to nobody
        else and is no input that stays. Banks of which copies were made are erased.
        """
        taken: set[int] = set()
        out = []
        for name in outputs_of(self.graph):
            registers = self.views.registers[name]
            self.device.layer = self._maker(name)
            roots = self.views.roots_of(registers).tolist()
            encoding = encoding_of(self.graph.tensors[name])
            wires = self.wires(registers)
            if not copy and self._whole(registers, roots, taken):
                taken.add(roots[0])
                out.append(Bank(name, wires, encoding))
                continue
            target = self.device.alloc(f"{name} copied", len(registers), encoding)
            self.device.calls(_copy(encoding), wires, target.wires)
            out.append(Bank(name, target.wires, encoding))
        if not copy:
            self.end_of([k for k in self.dying(len(self.graph.nodes)) if k not in taken])
        return tuple(out)

    def _maker(self, name: str) -> str:
        return next((n.name for n in self.graph.nodes if n.output == name), name)

    def _whole(self, registers: Integers, roots: list[int], taken: set[int]) -> bool:
        if len(roots) != 1 or roots[0] in taken:
            return False
        root = self.views.roots[roots[0]]
        stays = root.maker < 0 and self.input != "destroy"
        whole = len(registers) == root.size == len(np.unique(registers))
        return whole and not stays and root.constant is None


@cache
def _copy(encoding: Encoding) -> Recipe:
    ports = Port("source", encoding.width), Port("target", encoding.width, True)
    return Recipe(f"copy of {encoding.width} bits", ports, lambda: copier(encoding))
