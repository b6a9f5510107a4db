"""Policies: what is erased, uncomputed or kept, and when.

Each policy is a function from lowered layers to a circuit. How much each *cause* is charged in
`given_kept` depends on the order of the erasures (the total does not), so every policy says its
order in words, which reports print.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit, Definition, Layer
from revsim.circuit.registers import Encoding, Register, Wires
from revsim.circuit.validate import validate
from revsim.errors import InputError
from revsim.lower.layer import LoweredLayer, lower
from revsim.lower.netlist import joint_netlist, neuron_netlist
from revsim.network.network import Network
from revsim.network.operators import Argmax
from revsim.schedule.device import Device

INPUT_CHOICES: Final = ("destroy", "keep", "return")


def compile_network(
    network: Network, policy: str = "activation_reset", input: str = "destroy"
) -> Circuit:
    """Compile a network to a circuit under a policy.

    policy: conventional, activation_reset, uncompute or bennett; input: destroy (erased at its
    last use), keep (stays on the device) or return (stays, then exported: kept all the same).

    >>> from revsim.network.arrays import from_arrays
    >>> compile_network(from_arrays([[[1, 1]]]), "bennett", "keep").policy
    'bennett'
    """
    if policy not in POLICIES:
        raise InputError(f"unknown policy {policy!r}; choose one of {', '.join(POLICIES)}")
    if input not in INPUT_CHOICES:
        raise InputError(
            f"unknown input choice {input!r}; choose one of {', '.join(INPUT_CHOICES)}"
        )
    layers = lower(network)
    device = Device(layers[0].inputs)
    chosen = POLICIES[policy]
    outputs = chosen.build(device, layers, input)
    described = [
        Layer(
            layer.name,
            layer.source.kind,
            layer.source.macs,
            tuple(dict.fromkeys(chosen.linear(layer))),
            layer.source.neurons,
            layer.linear_toffolis,
        )
        for layer in layers
    ]
    circuit = device.circuit(network.name, outputs, described, policy, input, chosen.order)
    ends = zip(network.input_low.tolist(), network.input_high.tolist(), strict=True)
    return validate(replace(circuit, ranges=tuple(ends)))


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


def _bennett(device: Device, layers: Sequence[LoweredLayer], input: str) -> tuple[Register, ...]:
    held: list[Sequence[Register]] = [device.inputs]
    for layer in layers:
        device.layer = layer.name
        y = _outputs_of(device, layer)
        _compute_clean(device, layer, held[-1], y, inverse=False)
        device.mark(f"{layer.name}.y", y)
        held.append(y)
    outputs = [device.alloc(f"output[{j}]", e) for j, e in enumerate(layers[-1].outputs)]
    for source, target in zip(held[-1], outputs, strict=True):
        device.call(_copier(source.encoding), source.wires, target.wires)
    for layer, x, made in reversed(list(zip(layers, held[:-1], held[1:], strict=True))):
        device.layer = layer.name
        _compute_clean(device, layer, x, made, inverse=True)
        for register in made:
            device.free(register.name, register.wires)
    if input == "destroy":
        _erase_input(device, layers[0], device.inputs)
    return tuple(outputs)


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
    """A policy: how it builds a body, which definitions must erase nothing, its order in words."""

    name: str
    summary: str
    build: Callable[[Device, Sequence[LoweredLayer], str], tuple[Register, ...]]
    linear: Callable[[LoweredLayer], tuple[Definition, ...]]
    order: str


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
            "was swapped out, requantise, erase what it dropped; after an argmax, erase the logits",
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
        ),
    )
}
