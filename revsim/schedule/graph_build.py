"""The body of a graph's circuit in the making: steps that the policies of graphs.py share.

A wiring has no items: what it makes is a view. A bank is erased after the last node that reads any
view of it, whatever the policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from revsim.circuit.banks import Bank, Recipe, WireTable
from revsim.lower.stage import Stage
from revsim.lower.tiles import LoweredNode
from revsim.network.graph import Graph, Node, Wiring
from revsim.schedule.reads import Reads, copy_of, repeats_of
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
    ready: dict[str, Reads] = field(default_factory=dict)
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

    # --- steps ----------------------------------------------------------------------------------

    def clean(self, number: int, part: str = "copy", inverse: bool = False) -> None:
        """y ^= node(x) by the tiles' `copy` or `netlist` recipes; or, inverse, y back to 0."""
        low, root = self.lowered[self.graph.nodes[number].name], self.roots[number]
        if not inverse:
            made = self.views.roots[root]
            self.banks[root] = self.device.alloc(made.name, made.size, made.encoding)
        reads = self.begin(low)
        wires = self.banks[root].wires
        for tile in low.tiles:
            x = reads.tables[id(tile.reads)]
            y = wires[tile.writes].reshape(len(tile.writes), -1)
            self.device.calls(getattr(tile, part), x, y, inverse=inverse)
        self.end(low, reads)

    def begin(self, low: LoweredNode) -> Reads:
        """What the tiles of a node read, made ready: port `x` is the registers read, argument
        after argument. `end` undoes it."""
        name = low.node.name
        if name in self.ready:
            return self.ready[name]
        flat = np.concatenate([self.views.registers[n] for n in low.node.inputs])
        again = repeats_of(flat, {id(tile.reads): tile.reads for tile in low.tiles})
        padding = None
        if again.padding:
            encoding = low.encodings[0]
            padding = self.device.constant(f"{name}.padding", encoding, low.padding, again.padding)
        copies, held = [], self.wires(np.concatenate([flat, again.copied]))
        parts = [held[: len(flat)], _wide(padding, held.shape[1])]
        roots = self.views.root_of(again.copied)
        for k in np.unique(roots).tolist():  # in the order of the registers
            source, encoding = self.wires(again.copied[roots == k]), self.views.roots[k].encoding
            copy = self.device.alloc(f"{name}.copies", len(source), encoding)
            self.device.calls(copy_of(encoding), source, copy.wires)
            copies.append((source, copy))
            parts.append(_wide(copy, held.shape[1]))
        held = np.concatenate(parts)
        tables = {key: _table(held, rows) for key, rows in again.rows.items()}
        made = Reads(tables, padding, tuple(copies))
        if padding is None and not copies:  # the same wires at every time
            self.ready[name] = made
        return made

    def end(self, low: LoweredNode, made: Reads) -> None:
        """Padding and copies undone."""
        for source, copy in reversed(made.copies):
            self.device.calls(copy_of(copy.encoding), source, copy.wires, inverse=True)
            self.device.free(copy)
        if made.padding is not None:
            self.device.undo_constant(made.padding, low.padding)

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
            self.device.calls(copy_of(encoding), wires, target.wires)
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
        return whole and not stays


def _wide(bank: Bank | None, width: int) -> WireTable:
    """The wires of a bank as a table of a width that may be greater, or an empty one."""
    out = np.full((bank.size if bank else 0, width), -1, dtype=np.int32)
    if bank:
        out[:, : bank.wires.shape[1]] = bank.wires
    return out


def _table(held: WireTable, rows: Integers) -> WireTable:
    """Registers that a port reads, side by side: int32 [positions, wires]."""
    widths = (held >= 0).sum(axis=1)
    if int(widths.min(initial=held.shape[1])) == held.shape[1]:
        return held[rows].reshape(len(rows), -1)
    return np.concatenate([held[c, : widths[c].max(initial=0)] for c in rows.T], axis=1)
