"""Policies on graphs: what is erased, uncomputed or kept on a DAG of tensors, and when.

As in policy.py each policy is a function from lowered nodes to a body; its steps are in
graph_build.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from revsim.circuit.banks import Bank, Recipe, TensorCircuit, WireTable
from revsim.circuit.definition import Layer, Port
from revsim.circuit.registers import Encoding
from revsim.errors import InputError
from revsim.lower.graph import lower_graph
from revsim.lower.stage import Stage, nothing
from revsim.lower.tiles import LoweredNode, Tile
from revsim.network.graph import Graph, Linear, Node, Wiring
from revsim.schedule.graph_build import Build
from revsim.schedule.policy import INPUT_CHOICES, policy_named
from revsim.schedule.views import Integers, inputs_of, views_of


def compile_graph(
    graph: Graph, policy: str = "activation_reset", input: str = "destroy"
) -> TensorCircuit:
    """Compile a graph of tensors to a circuit under a policy.

    policy: conventional, activation_reset, uncompute or bennett; input: destroy (erased at its last
    use), keep or return (stays on the device to the end). Raises InputError for names that are not
    known and for policies of chains alone.
    """
    _chosen(policy, input)
    return schedule_graph(graph, lower_graph(graph), policy, input)


def schedule_graph(
    graph: Graph, lowered: Sequence[LoweredNode], policy: str, input: str
) -> TensorCircuit:
    """The circuit of nodes that are lowered already (wirings among them or left out)."""
    chosen = _chosen(policy, input)
    build = Build(graph, {low.node.name: low for low in lowered}, views_of(graph), input)
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


# --- policies -----------------------------------------------------------------------------------


def _activation_reset(build: Build) -> tuple[Bank, ...]:
    device = build.device
    for number, node in enumerate(build.graph.nodes):
        device.layer = node.name
        if isinstance(node.operator, Wiring):
            build.wire(number)
        elif any(t.linear is None for t in build.lowered[node.name].tiles):
            build.clean(number)
            build.mark_output(node)
            build.end_of(build.dying(number))
        else:
            _activate(build, number)
        if not isinstance(node.operator, Wiring) and build.unused(number):
            build.end_of([build.roots[number]], "unused")
    return build.outputs(copy=False)


def _activate(build: Build, number: int) -> None:
    """z clean, the inputs erased, then stage by stage over all channels in place."""
    device, node = build.device, build.graph.nodes[number]
    low = build.lowered[node.name]
    reads = build.begin(low)
    values: list[WireTable] = []
    for tile in low.tiles:
        assert tile.linear is not None and tile.z is not None
        z = device.alloc(f"{node.name}.z", len(tile.writes), tile.z)
        x = reads.tables[id(tile.reads)]
        device.calls(tile.linear, x, z.wires)
        device.mark(f"{node.name}.z", z, tile.writes.ravel())
        values.append(z.wires)
    build.end(low, reads)
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
    build: Build,
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


def _uncompute(build: Build) -> tuple[Bank, ...]:
    return _node_by_node(build, "copy")


def _conventional(build: Build) -> tuple[Bank, ...]:
    return _node_by_node(build, "netlist")


def _node_by_node(build: Build, part: str) -> tuple[Bank, ...]:
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


def _bennett(build: Build) -> tuple[Bank, ...]:
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

    build: Callable[[Build], tuple[Bank, ...]]
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
