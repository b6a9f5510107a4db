"""Policies: what is erased, uncomputed or kept, and when.

Each policy is a function from lowered layers to a circuit. How much each *cause* is charged in
`given_kept` depends on the order of the erasures (the total does not), so every policy says its
order in words, which reports print.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit, Definition, Layer
from revsim.circuit.measures import circuit_counts, circuit_width
from revsim.circuit.registers import Encoding, Register, Wires
from revsim.circuit.validate import validate
from revsim.errors import InputError
from revsim.lower.layer import LoweredLayer, lower
from revsim.lower.netlist import joint_netlist, neuron_netlist
from revsim.lower.state import BIT, state_definition
from revsim.network.network import Network
from revsim.network.operators import Argmax
from revsim.schedule.device import Device
from revsim.schedule.pebbling import Chain, Move, Segment, front, schedule

INPUT_CHOICES: Final = ("destroy", "keep", "return")


def compile_network(
    network: Network, policy: "str | Policy" = "activation_reset", input: str = "destroy"
) -> Circuit:
    """Compile a network to a circuit under a policy.

    policy: conventional, activation_reset, uncompute, bennett, pebble:K (within K layer
    registers), pebble:Ww (within W wires), pebble (as few registers as work) or neuron_reset;
    input: destroy (erased at its last use), keep (stays on the device) or return (stays, then
    exported: kept all the same). Raises InputError for names that are not known and budgets that
    are too small.

    >>> from revsim.network.arrays import from_arrays
    >>> compile_network(from_arrays([[[1, 1]]]), "bennett", "keep").policy
    'bennett'
    """
    chosen = policy_named(policy) if isinstance(policy, str) else policy
    if input not in INPUT_CHOICES:
        raise InputError(
            f"unknown input choice {input!r}; choose one of {', '.join(INPUT_CHOICES)}"
        )
    layers = lower(network)
    device = Device(layers[0].inputs)
    outputs = chosen.build(device, layers, input)
    described = describe(layers, chosen.linear)
    circuit = device.circuit(network.name, outputs, described, chosen.name, input, chosen.order)
    ends = zip(network.input_low.tolist(), network.input_high.tolist(), strict=True)
    return validate(replace(circuit, ranges=tuple(ends)))


def describe(
    layers: Sequence[LoweredLayer], linear: Callable[[LoweredLayer], tuple[Definition, ...]]
) -> list[Layer]:
    """What a circuit says of its layers; `linear` gives the definitions that must not erase."""
    return [
        Layer(
            layer.name,
            layer.source.kind,
            layer.source.macs,
            tuple(dict.fromkeys(linear(layer))),
            layer.source.neurons,
            layer.linear_toffolis,
        )
        for layer in layers
    ]


def _erase_input(device: Device, layer: LoweredLayer, x: Sequence[Register]) -> None:
    for i, register in enumerate(x):
        name = f"{layer.name}.layer_input[{i}]"
        device.erase(name, register.wires, "layer_input", f"input {i} of {layer.name}")
    for i, register in enumerate(x):
        device.free(f"{layer.name}.layer_input[{i}]", register.wires)


def _inputs_of(layer: LoweredLayer, j: int, x: Sequence[Register]) -> Wires:
    """The device wires that neuron j reads."""
    if not layer.sums:
        return x[j].wires
    return np.concatenate([r.wires for r in x])[layer.sums[j].wires]


def _wires(registers: Sequence[Register], chosen: Sequence[int]) -> list[Wires]:
    return [registers[k].wires for k in chosen]


def _choose(
    device: Device,
    layer: LoweredLayer,
    values: Sequence[Register],
    definitions: Sequence[Definition],
    cause: str,
) -> list[Register]:
    """The choice that closes a layer; the values among which it chose are erased, by `cause`."""
    joint = layer.joint
    assert joint is not None
    chosen = _chosen(device, layer, {target: values[j] for j, target in joint.passed.items()})
    for group, definition in zip(joint.groups, definitions, strict=True):
        device.call(definition, *_wires(values, group.sources), *_wires(chosen, group.targets))
    lost = [(j, r) for j, r in enumerate(values) if j not in joint.passed]
    for j, register in lost:
        name = f"{layer.name}.logit[{j}]"
        device.erase(name, register.wires, cause, f"logit {j} of {layer.name}")
    for j, register in lost:
        device.free(f"{layer.name}.logit[{j}]", register.wires)
    return chosen


def _chosen(device: Device, layer: LoweredLayer, passed: dict[int, Register]) -> list[Register]:
    """The registers of a choice's outputs: fresh ones, but for values that go through."""
    assert layer.joint is not None
    single = "class" if isinstance(layer.joint.operator, Argmax) else ""
    return [
        passed.get(k) or device.alloc(f"{layer.name}.{single or f'y[{k}]'}", encoding)
        for k, encoding in enumerate(layer.outputs)
    ]


def _copier(encoding: Encoding) -> Definition:
    b = Builder(f"copy of {encoding.width} bits")
    source = b.port("source", encoding.width)
    target = b.port("target", encoding.width, zero=True)
    b.cx(source, target)
    return b.build()


# --- activation_reset ---------------------------------------------------------------------------


def _activation_reset(
    device: Device, layers: Sequence[LoweredLayer], input: str
) -> tuple[Register, ...]:
    x: Sequence[Register] = device.inputs
    for number, layer in enumerate(layers):
        device.layer = layer.name
        destroyed = number > 0 or input == "destroy"
        if layer.sums:
            z = [device.alloc(f"{layer.name}.z[{j}]", e) for j, e in enumerate(layer.z)]
            for j, definition in enumerate(layer.linear):
                device.call(definition, _inputs_of(layer, j, x), z[j].wires)
            device.mark(f"{layer.name}.z", z)
            if destroyed:
                _erase_input(device, layer, x)
        elif destroyed:
            z = list(x)
        else:
            z = [device.alloc(f"{layer.name}.z[{j}]", e) for j, e in enumerate(layer.z)]
            for source, target in zip(x, z, strict=True):
                device.call(_copier(source.encoding), source.wires, target.wires)
        y = _activate_in_place(device, layer, z)
        if layer.joint is not None:
            definitions = [group.definition for group in layer.joint.groups]
            y = _choose(device, layer, y, definitions, layer.joint.operator.kind)
        device.mark(f"{layer.name}.y", y)
        x = y
    return tuple(x)


def _activate_in_place(
    device: Device, layer: LoweredLayer, z: Sequence[Register]
) -> list[Register]:
    """Stage by stage over all neurons: run the gates, erase what they left over, free the zeros."""
    value = list(z)
    for step in range(max((len(s) for s in layer.stages), default=0)):
        garbage: list[tuple[int, Wires]] = []
        clean: list[tuple[int, Wires]] = []
        causes = {chain[step].cause for chain in layer.stages if chain[step].operator is not None}
        cause = causes.pop() if causes else layer.stages[0][step].cause
        for j, chain in enumerate(layer.stages):
            stage = chain[step]
            fresh = device.scratch(f"{layer.name}.{cause}.fresh[{j}]", stage.fresh)
            device.call(stage.definition, value[j].wires, fresh.wires)
            both = np.concatenate([value[j].wires, fresh.wires])
            garbage.append((j, both[list(stage.garbage)]))
            clean.append((j, both[list(stage.clean)]))
            value[j] = Register(f"{layer.name}[{j}]", both[list(stage.value)], stage.encoding)
        for j, wires in garbage:
            device.erase(f"{layer.name}.{cause}[{j}]", wires, cause, f"neuron {j} of {layer.name}")
        for j, wires in (*garbage, *clean):
            device.free(f"{layer.name}.{cause}[{j}]", wires)
    return value


# --- uncompute ----------------------------------------------------------------------------------


def _compute_clean(
    device: Device, layer: LoweredLayer, x: Sequence[Register], y: Sequence[Register], inverse: bool
) -> None:
    """y ^= layer(x) with every intermediate undone; or, inverse, y back to 0."""
    passed = layer.joint.passed if layer.joint else {j: j for j in range(len(y))}
    for j, target in passed.items():
        device.call(layer.copies[j], _inputs_of(layer, j, x), y[target].wires, inverse=inverse)
    if layer.joint is None:
        return
    lost = [j for j in range(len(layer.activated)) if j not in passed]
    logits = {j: device.alloc(f"{layer.name}.logit[{j}]", layer.activated[j]) for j in lost}
    for j in lost:
        device.call(layer.copies[j], _inputs_of(layer, j, x), logits[j].wires)
    for group in layer.joint.groups:
        values = [logits[j].wires for j in group.sources]
        device.call(group.definition, *values, *_wires(y, group.targets), inverse=inverse)
    for j in reversed(lost):
        device.call(layer.copies[j], _inputs_of(layer, j, x), logits[j].wires, inverse=True)
    for register in logits.values():
        device.free(register.name, register.wires)


def _outputs_of(device: Device, layer: LoweredLayer) -> list[Register]:
    return [device.alloc(f"{layer.name}.y[{j}]", e) for j, e in enumerate(layer.outputs)]


def _uncompute(device: Device, layers: Sequence[LoweredLayer], input: str) -> tuple[Register, ...]:
    x: Sequence[Register] = device.inputs
    for number, layer in enumerate(layers):
        device.layer = layer.name
        y = _outputs_of(device, layer)
        _compute_clean(device, layer, x, y, inverse=False)
        device.mark(f"{layer.name}.y", y)
        if number > 0 or input == "destroy":
            _erase_input(device, layer, x)
        x = y
    return tuple(x)


# --- bennett ------------------------------------------------------------------------------------


def forward(
    device: Device, layers: Sequence[LoweredLayer], x: Sequence[Register]
) -> list[Sequence[Register]]:
    """All layers forward, each output held: the network's input x, then every layer's output."""
    held: list[Sequence[Register]] = [x]
    for layer in layers:
        device.layer = layer.name
        y = _outputs_of(device, layer)
        _compute_clean(device, layer, held[-1], y, inverse=False)
        device.mark(f"{layer.name}.y", y)
        held.append(y)
    return held


def copy_out(device: Device, held: Sequence[Register]) -> list[Register]:
    """A copy of the network's output."""
    outputs = [device.alloc(f"output[{j}]", r.encoding) for j, r in enumerate(held)]
    for source, target in zip(held, outputs, strict=True):
        device.call(_copier(source.encoding), source.wires, target.wires)
    return outputs


def backward(
    device: Device, layers: Sequence[LoweredLayer], held: Sequence[Sequence[Register]]
) -> None:
    """All layers backward: what `forward` made is undone and released."""
    for layer, x, made in reversed(list(zip(layers, held[:-1], held[1:], strict=True))):
        device.layer = layer.name
        _compute_clean(device, layer, x, made, inverse=True)
        for register in made:
            device.free(register.name, register.wires)


def _bennett(device: Device, layers: Sequence[LoweredLayer], input: str) -> tuple[Register, ...]:
    held = forward(device, layers, device.inputs)
    outputs = copy_out(device, held[-1])
    backward(device, layers, held)
    if input == "destroy":
        _erase_input(device, layers[0], device.inputs)
    return tuple(outputs)


# --- neuron_reset: the paper's own device ---------------------------------------------------------


def states_of(
    device: Device,
    layer: LoweredLayer,
    y: Sequence[Register],
    states: Sequence[Register],
    inverse: bool = False,
) -> None:
    """Each state ^= its neuron is active, for the neurons of a layer whose output is y; or back."""
    neurons = [y[j] for j in layer.source.neuron_columns]
    for register, state in zip(neurons, states, strict=True):
        found = state_definition(register.encoding)
        device.call(found, register.wires, state.wires, inverse=inverse)


def erase_states(
    device: Device, layer: LoweredLayer, states: Sequence[Register], cause: str
) -> None:
    """One-bit registers of a layer's neurons, each erased by itself; the wires stay in use."""
    device.layer = layer.name
    for j, state in zip(layer.source.neuron_columns.tolist(), states, strict=True):
        name = f"{layer.name}.{cause}[{j}]"
        device.erase(name, state.wires, cause, f"{cause} of neuron {j} of {layer.name}")


def _neuron_reset(
    device: Device, layers: Sequence[LoweredLayer], input: str
) -> tuple[Register, ...]:
    held = forward(device, layers, device.inputs)
    states: list[list[Register]] = []
    for layer, y in zip(layers, held[1:], strict=True):
        device.layer = layer.name
        count = layer.source.neurons
        states.append([device.alloc(f"{layer.name}.state[{j}]", BIT) for j in range(count)])
        if count:
            states_of(device, layer, y, states[-1])
            device.mark(f"{layer.name}.state", states[-1])
    outputs = copy_out(device, held[-1])
    backward(device, layers, held)
    if input == "destroy":
        _erase_input(device, layers[0], device.inputs)
    for layer, registers in zip(layers, states, strict=True):
        erase_states(device, layer, registers, "neuron_state")
        for state in registers:
            device.free(state.name, state.wires)
    return tuple(outputs)


# --- pebble -------------------------------------------------------------------------------------


def chain_of(layers: Sequence[LoweredLayer]) -> Chain:
    """A network as a chain to pebble: cost = gates of a run, size and working = wires."""
    return tuple(_segment(layer) for layer in layers)


def _segment(layer: LoweredLayer) -> Segment:
    device = Device(layer.inputs)
    y = _outputs_of(device, layer)
    _compute_clean(device, layer, device.inputs, y, inverse=False)
    alone = device.circuit(layer.name, y, (), "", "", "")
    held = sum(e.width for e in layer.outputs)
    working = circuit_width(alone) - held - sum(e.width for e in layer.inputs)
    return Segment(circuit_counts(alone).gates, held, working)


def _pebble(
    device: Device,
    layers: Sequence[LoweredLayer],
    input: str,
    budget: int | None = None,
    wires: bool = False,
) -> tuple[Register, ...]:
    """Within `budget` layer registers, or wires; the fewest registers that work without one."""
    chain = chain_of(layers)
    taken = sum(e.width for e in layers[0].inputs) if wires else 0
    if not wires:  # registers of any width, and working space for nothing
        chain = tuple(Segment(segment.cost) for segment in chain)
    least = front(chain).least + taken
    if budget is not None and budget < least:
        unit, name = ("wires", f"pebble:{least}w") if wires else ("registers", f"pebble:{least}")
        raise InputError(
            f"{len(layers)} layers cannot be pebbled within {budget} {unit}; "
            f"the least that works is {least} ({name})"
        )
    return _pebbled(device, layers, input, schedule(chain, (budget or least) - taken))


def _pebbled(
    device: Device, layers: Sequence[LoweredLayer], input: str, moves: Sequence[Move]
) -> tuple[Register, ...]:
    """Play the moves; the last layer's register is the output, so that nothing need be copied."""
    held: dict[int, Sequence[Register]] = {-1: device.inputs}
    marked: set[int] = set()
    for node, action in moves:
        layer = layers[node]
        device.layer = layer.name
        if action == "compute":
            held[node] = _outputs_of(device, layer)
            _compute_clean(device, layer, held[node - 1], held[node], inverse=False)
            if node not in marked:
                device.mark(f"{layer.name}.y", held[node])
                marked.add(node)
            continue
        made = held.pop(node)
        if action == "uncompute":
            _compute_clean(device, layer, held[node - 1], made, inverse=True)
        else:
            for j, register in enumerate(made):
                name = f"{layer.name}.checkpoint[{j}]"
                value = f"output {j} of {layer.name}"
                device.erase(name, register.wires, "checkpoint", value)
        for register in made:
            device.free(register.name, register.wires)
    if input == "destroy":
        device.layer = layers[0].name
        _erase_input(device, layers[0], device.inputs)
    return tuple(held[len(layers) - 1])


def pebbled(moves: Sequence[Move]) -> "Policy":
    """The policy that plays given moves, erasures of checkpoints among them."""
    return replace(
        POLICIES["pebble"],
        build=partial(_pebbled, moves=moves),
        clean=all(move.action != "erase" for move in moves),
    )


# --- conventional -------------------------------------------------------------------------------


def _conventional(
    device: Device, layers: Sequence[LoweredLayer], input: str
) -> tuple[Register, ...]:
    x: Sequence[Register] = device.inputs
    for number, layer in enumerate(layers):
        device.layer = layer.name
        y = [device.alloc(f"{layer.name}.y[{j}]", e) for j, e in enumerate(layer.activated)]
        for j in range(len(y)):
            device.call(neuron_netlist(layer, j), _inputs_of(layer, j, x), y[j].wires)
        if layer.joint is not None:
            definitions = [joint_netlist(layer, k) for k in range(len(layer.joint.groups))]
            y = _choose(device, layer, y, definitions, "gate_output")
        device.mark(f"{layer.name}.y", y)
        if number > 0 or input == "destroy":
            _erase_input(device, layer, x)
        x = y
    return tuple(x)


@dataclass(frozen=True)
class Policy:
    """A policy: how it builds a body, which definitions must erase nothing, its order in words.

    `clean`: nothing but the input is ever erased, and that last of all; `layerwise`: each layer
    erases what it loses before the next one runs.
    """

    name: str
    summary: str
    build: Callable[[Device, Sequence[LoweredLayer], str], tuple[Register, ...]]
    linear: Callable[[LoweredLayer], tuple[Definition, ...]]
    order: str
    clean: bool = False
    layerwise: bool = True


def policy_named(policy: str) -> Policy:
    """The policy of a name such as `bennett`, `pebble`, `pebble:4` or `pebble:900w`.

    >>> policy_named("pebble:4").name
    'pebble:4'
    """
    name, colon, budget = policy.partition(":")
    if name not in POLICIES or (colon and name != "pebble"):
        raise InputError(f"unknown policy {policy!r}; choose one of {', '.join(POLICIES)}")
    chosen = POLICIES[name]
    if not colon:
        return chosen
    number, wires = budget.removesuffix("w"), budget.endswith("w")
    if not (number.isascii() and number.isdigit()):
        raise InputError(
            f"policy {policy!r}: after the colon comes a number of layer registers (pebble:4) or "
            "of wires (pebble:900w)"
        )
    build = partial(_pebble, budget=int(number), wires=wires)
    return replace(chosen, name=policy, build=build)


POLICIES: Final[dict[str, Policy]] = {
    policy.name: policy
    for policy in (
        Policy(
            "conventional",
            "AND/XOR netlist; every gate output is reset when nothing reads it any more",
            _conventional,
            lambda layer: (),
            "per layer: gate outputs as they die, then the layer's input",
        ),
        Policy(
            "activation_reset",
            "the paper's picture: reversible linear layers, activations reset what they swap out",
            _activation_reset,
            lambda layer: layer.linear,
            "per layer: compute z clean, erase the input given z, activate in place, erase what "
            "was swapped out, requantise, erase what it dropped; after a choice, erase its values",
        ),
        Policy(
            "uncompute",
            "compute each layer, copy its output, uncompute everything, erase its input",
            _uncompute,
            lambda layer: layer.copies,
            "per layer: compute, copy the output, uncompute, erase the layer's input",
        ),
        Policy(
            "bennett",
            "all layers forward, copy the output, all layers backward",
            _bennett,
            lambda layer: layer.copies,
            "all layers forward, copy, all layers backward; the input is erased last, if at all",
            clean=True,
            layerwise=False,
        ),
        Policy(
            "pebble",
            "as bennett within a few layer registers: some layers are run again to free others",
            _pebble,
            lambda layer: layer.copies,
            "the moves of an optimal pebbling; the input is erased last, if at all",
            clean=True,
            layerwise=False,
        ),
        Policy(
            "neuron_reset",
            "the paper's own device: one-bit neuron states, each reset looking at nothing else",
            _neuron_reset,
            lambda layer: layer.copies,
            "all layers forward, copy the output and each neuron's state (active or not), all "
            "layers backward, erase the input, then the states one by one",
            layerwise=False,
        ),
    )
}
