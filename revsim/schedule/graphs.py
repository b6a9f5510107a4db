"""Policies on graphs: what is erased, uncomputed or kept on a DAG of tensors, and when.

As in policy.py each policy is a function from lowered nodes to a body. A wiring has no items: what
it makes is a view. A bank is erased after the last node that reads any view of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np

from revsim.circuit.banks import Bank, Recipe, TensorCircuit, WireTable
from revsim.circuit.definition import Layer, Port
from revsim.circuit.registers import Encoding
from revsim.errors import InputError
from revsim.lower.stage import Stage, nothing
from revsim.lower.tiles import LoweredNode, Tile
from revsim.network.graph import Graph, Linear, Node, Wiring
from revsim.schedule.policy import INPUT_CHOICES, policy_named
from revsim.schedule.steps import copier
from revsim.schedule.tensor_device import TensorDevice
from revsim.schedule.views import (
    Integers,
    Views,
    encoding_of,
    inputs_of,
    outputs_of,
    views_of,
)


def compile_graph(
    graph: Graph, policy: str = "activation_reset", input: str = "destroy"
) -> TensorCircuit:
    """Compile a graph of tensors to a circuit under a policy.

    policy: conventional, activation_reset, uncompute or bennett; input: destroy (erased at its last
    use), keep or return (stays on the device to the end). Raises InputError for names that are not
    known and for policies of chains alone.
    """
    from revsim.lower.graph import lower_graph  # type: ignore[import-not-found,unused-ignore]

    _chosen(policy, input)
    return schedule_graph(graph, lower_graph(graph), policy, input)


def schedule_graph(
    graph: Graph, lowered: Sequence[LoweredNode], policy: str, input: str
) -> TensorCircuit:
    """The circuit of nodes that are lowered already (wirings among them or left out)."""
    chosen = _chosen(policy, input)
    build = _Build(graph, {low.node.name: low for low in lowered}, views_of(graph), input)
    outputs = chosen.build(build)
    tensors = [graph.tensors[name] for name in inputs_of(graph)]
    computed = [node for node in graph.nodes if not isinstance(node.operator, Wiring)]
    return TensorCircuit(
        graph.name,
        build.device.width,
        tuple(build.device.body),
        build.inputs,
        outputs,
        tuple(_layer(graph, node) for node in computed),
        tuple(build.device.layer_of),
        policy,
        input,
        chosen.order,
        tuple((t.low, t.high) for t in tensors),
        tuple(part for node in computed for part in _linear(build.lowered[node.name])),
    )


def _chosen(policy: str, input: str) -> "GraphPolicy":
    name = policy_named(policy).name
    if name not in GRAPH_POLICIES:
        raise InputError(
            f"policy {policy!r} is for chains of layers so far; for a graph of tensors choose one "
            f"of {', '.join(GRAPH_POLICIES)}"
        )
    if input not in INPUT_CHOICES:
        raise InputError(
            f"unknown input choice {input!r}; choose one of {', '.join(INPUT_CHOICES)}"
        )
    return GRAPH_POLICIES[name]


def _layer(graph: Graph, node: Node) -> Layer:
    neurons = graph.tensors[node.output].size if node.neurons else 0
    return Layer(node.name, node.kind, node.macs, (), neurons)


def _linear(low: LoweredNode) -> list[tuple[str, Recipe, int]]:
    """The sums of a linear node: (layer, recipe, positions)."""
    if not isinstance(low.node.operator, Linear):
        return []
    return [(low.node.name, t.linear or t.copy, len(t.writes)) for t in low.tiles]


@dataclass(eq=False)
class _Build:
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


# --- policies -----------------------------------------------------------------------------------


def _activation_reset(build: _Build) -> tuple[Bank, ...]:
    device = build.device
    for number, node in enumerate(build.graph.nodes):
        device.layer = node.name
        if isinstance(node.operator, Wiring):
            build.wire(number)
        elif build.lowered[node.name].tiles[0].linear is None:
            build.clean(number)
            build.mark_output(node)
            build.end_of(build.dying(number))
        else:
            _activate(build, number)
        if not isinstance(node.operator, Wiring) and build.unused(number):
            build.end_of([build.roots[number]], "unused")
    return build.outputs(copy=False)


def _activate(build: _Build, number: int) -> None:
    """z clean, the inputs erased, then stage by stage over all channels in place."""
    device, node = build.device, build.graph.nodes[number]
    low = build.lowered[node.name]
    padding = build.pad(low)
    values: list[WireTable] = []
    for tile in low.tiles:
        assert tile.linear is not None and tile.z is not None
        z = device.alloc(f"{node.name}.z", len(tile.writes), tile.z)
        x = build.inputs_at(node, tile.reads, padding)
        device.calls(tile.linear, x, z.wires)
        device.mark(f"{node.name}.z", z, tile.writes.ravel())
        values.append(z.wires)
    build.unpad(low, padding)
    build.end_of(build.dying(number))
    root = build.roots[number]
    shape = build.views.roots[root].shape
    for step in range(max(len(tile.stages) for tile in low.tiles)):
        values = _stage(build, low.tiles, step, values, shape)
    made = build.views.roots[root]
    wires = np.empty((made.size, made.encoding.width), dtype=np.int32)
    for tile, value in zip(low.tiles, values, strict=True):
        wires[tile.writes.ravel()] = value
    build.banks[root] = Bank(made.name, wires, made.encoding)
    build.mark_output(node)


def _stage(
    build: _Build,
    tiles: Sequence[Tile],
    step: int,
    values: Sequence[WireTable],
    shape: tuple[int, int],
) -> list[WireTable]:
    """One stage of every channel: run the gates, erase what they left over, free the zeros."""
    device, out = build.device, list(values)
    garbage: dict[str, list[tuple[Bank, Integers]]] = {}
    clean: list[Bank] = []
    for k, tile in enumerate(tiles):
        if step >= len(tile.stages):
            continue
        stage, places = tile.stages[step], tile.writes.ravel()
        name = f"{device.layer}.{stage.cause}"
        fresh = device.alloc(f"{name}.fresh", len(places), _bits(stage.fresh))
        if stage.emit is not nothing:
            recipe = build.stages.setdefault(stage, _stage_recipe(stage))
            device.calls(recipe, values[k], fresh.wires)
        both = np.concatenate([values[k], fresh.wires], axis=1)
        out[k] = both[:, list(stage.value)]
        for chosen, banks in ((stage.garbage, None), (stage.clean, clean)):
            bank = Bank(name, both[:, list(chosen)], _bits(len(chosen)))
            if banks is None:
                garbage.setdefault(stage.cause, []).append((bank, places))
            else:
                banks.append(bank)
    for cause, swapped_out in garbage.items():
        for bank, places in swapped_out:
            device.erase(bank, cause, device.layer, places, shape)
        for bank, _ in swapped_out:
            device.free(bank)
    for bank in clean:
        device.free(bank)
    return out


def _bits(width: int) -> Encoding:
    return Encoding(0, tuple(1 << k for k in range(width)))


def _stage_recipe(stage: Stage) -> Recipe:
    ports = Port("value", stage.width), Port("fresh", stage.fresh, True)
    return Recipe(stage.name, ports, stage.build)


def _uncompute(build: _Build) -> tuple[Bank, ...]:
    return _node_by_node(build, "copy")


def _conventional(build: _Build) -> tuple[Bank, ...]:
    return _node_by_node(build, "netlist")


def _node_by_node(build: _Build, part: str) -> tuple[Bank, ...]:
    for number, node in enumerate(build.graph.nodes):
        build.device.layer = node.name
        if isinstance(node.operator, Wiring):
            build.wire(number)
            continue
        build.clean(number, part)
        build.mark_output(node)
        if build.unused(number):
            root = build.roots[number]
            if part == "copy":
                build.clean(number, inverse=True)
                build.device.free(build.banks.pop(root))
            else:
                build.end_of([root], "unused")
        build.end_of(build.dying(number))
    return build.outputs(copy=False)


def _bennett(build: _Build) -> tuple[Bank, ...]:
    for number, node in enumerate(build.graph.nodes):
        build.device.layer = node.name
        if isinstance(node.operator, Wiring):
            build.wire(number)
            continue
        build.clean(number)
        build.mark_output(node)
    outputs = build.outputs(copy=True)
    for number, node in reversed(build.computed):
        build.device.layer = node.name
        build.clean(number, inverse=True)
        build.device.free(build.banks.pop(build.roots[number]))
    inputs = [k for k in build.banks if build.views.roots[k].maker < 0]
    build.end_of([k for k in build.banks if k not in inputs])
    if build.input == "destroy":
        build.end_of(inputs)
    return outputs


@dataclass(frozen=True)
class GraphPolicy:
    """How a policy builds the body of a graph, and its order in words."""

    build: Callable[[_Build], tuple[Bank, ...]]
    order: str


GRAPH_POLICIES: Final[dict[str, GraphPolicy]] = {
    "conventional": GraphPolicy(
        _conventional,
        "per node: gate outputs as they die, then the tensors that no later node reads",
    ),
    "activation_reset": GraphPolicy(
        _activation_reset,
        "per node: compute z clean, erase the tensors that no later node reads given z, activate "
        "in place, stage by stage: erase what it swapped out or dropped",
    ),
    "uncompute": GraphPolicy(
        _uncompute,
        "per node: compute, copy the output, uncompute, erase the tensors that no later node reads",
    ),
    "bennett": GraphPolicy(
        _bennett,
        "all nodes forward, copy the outputs, all nodes backward; the input is erased last, if at "
        "all",
    ),
}
