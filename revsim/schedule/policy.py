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

from revsim.circuit.definition import Circuit, Definition, Layer
from revsim.circuit.registers import Register, Wires
from revsim.circuit.validate import validate
from revsim.errors import InputError
from revsim.lower.layer import LoweredLayer, lower
from revsim.lower.netlist import joint_netlist, neuron_netlist
from revsim.lower.state import BIT, state_definition
from revsim.network.network import Network
from revsim.network.operators import Argmax
from revsim.schedule.device import Device
from revsim.schedule.pebble import pebble, play
from revsim.schedule.pebbling import Move
from revsim.schedule.steps import (
    backward,
    compute_clean,
    copier,
    copy_out,
    erase_input,
    forward,
    inputs_of,
    outputs_of,
    wires_of,
)

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
        device.call(definition, *wires_of(values, group.sources), *wires_of(chosen, group.targets))
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
                device.call(definition, inputs_of(layer, j, x), z[j].wires)
            device.mark(f"{layer.name}.z", z)
            if destroyed:
                erase_input(device, layer, x)
        elif destroyed:
            z = list(x)
        else:
            z = [device.alloc(f"{layer.name}.z[{j}]", e) for j, e in enumerate(layer.z)]
            for source, target in zip(x, z, strict=True):
                device.call(copier(source.encoding), source.wires, target.wires)
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


def _uncompute(device: Device, layers: Sequence[LoweredLayer], input: str) -> tuple[Register, ...]:
    x: Sequence[Register] = device.inputs
    for number, layer in enumerate(layers):
        device.layer = layer.name
        y = outputs_of(device, layer)
        compute_clean(device, layer, x, y, inverse=False)
        device.mark(f"{layer.name}.y", y)
        if number > 0 or input == "destroy":
            erase_input(device, layer, x)
        x = y
    return tuple(x)


# --- bennett ------------------------------------------------------------------------------------


def _bennett(device: Device, layers: Sequence[LoweredLayer], input: str) -> tuple[Register, ...]:
    held = forward(device, layers, device.inputs)
    outputs = copy_out(device, held[-1])
    backward(device, layers, held)
    if input == "destroy":
        erase_input(device, layers[0], device.inputs)
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
        erase_input(device, layers[0], device.inputs)
    for layer, registers in zip(layers, states, strict=True):
        erase_states(device, layer, registers, "neuron_state")
        for state in registers:
            device.free(state.name, state.wires)
    return tuple(outputs)


# --- pebble -------------------------------------------------------------------------------------


def pebbled(moves: Sequence[Move]) -> "Policy":
    """The policy that plays given moves, erasures of checkpoints among them."""
    return replace(
        POLICIES["pebble"],
        build=partial(play, moves=moves),
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
            device.call(neuron_netlist(layer, j), inputs_of(layer, j, x), y[j].wires)
        if layer.joint is not None:
            definitions = [joint_netlist(layer, k) for k in range(len(layer.joint.groups))]
            y = _choose(device, layer, y, definitions, "gate_output")
        device.mark(f"{layer.name}.y", y)
        if number > 0 or input == "destroy":
            erase_input(device, layer, x)
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
    build = partial(pebble, budget=int(number), wires=wires)
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
            clean=True,
            layerwise=False,
        ),
        Policy(
            "pebble",
            "as bennett within a few layer registers: some layers are run again to free others",
            pebble,
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
