"""Steps that policies share: layers run clean, forward and backward; copies; erasing an input."""

from collections.abc import Sequence

import numpy as np

from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.registers import Encoding, Register, Wires
from revsim.lower.layer import LoweredLayer
from revsim.schedule.device import Device


def erase_input(device: Device, layer: LoweredLayer, x: Sequence[Register]) -> None:
    """Erase the input of a layer, as one group, and give its wires back."""
    for i, register in enumerate(x):
        name = f"{layer.name}.layer_input[{i}]"
        device.erase(name, register.wires, "layer_input", f"input {i} of {layer.name}")
    for i, register in enumerate(x):
        device.free(f"{layer.name}.layer_input[{i}]", register.wires)


def inputs_of(layer: LoweredLayer, j: int, x: Sequence[Register]) -> Wires:
    """The device wires that neuron j reads."""
    if not layer.sums:
        return x[j].wires
    return np.concatenate([r.wires for r in x])[layer.sums[j].wires]


def wires_of(registers: Sequence[Register], chosen: Sequence[int]) -> list[Wires]:
    """The wires of the chosen registers."""
    return [registers[k].wires for k in chosen]


def copier(encoding: Encoding) -> Definition:
    """source, target -> source, target ^ source, for registers of an encoding."""
    b = Builder(f"copy of {encoding.width} bits")
    source = b.port("source", encoding.width)
    target = b.port("target", encoding.width, zero=True)
    b.cx(source, target)
    return b.build()


def compute_clean(
    device: Device, layer: LoweredLayer, x: Sequence[Register], y: Sequence[Register], inverse: bool
) -> None:
    """y ^= layer(x) with every intermediate undone; or, inverse, y back to 0."""
    passed = layer.joint.passed if layer.joint else {j: j for j in range(len(y))}
    for j, target in passed.items():
        device.call(layer.copies[j], inputs_of(layer, j, x), y[target].wires, inverse=inverse)
    if layer.joint is None:
        return
    lost = [j for j in range(len(layer.activated)) if j not in passed]
    logits = {j: device.alloc(f"{layer.name}.logit[{j}]", layer.activated[j]) for j in lost}
    for j in lost:
        device.call(layer.copies[j], inputs_of(layer, j, x), logits[j].wires)
    for group in layer.joint.groups:
        values = [logits[j].wires for j in group.sources]
        device.call(group.definition, *values, *wires_of(y, group.targets), inverse=inverse)
    for j in reversed(lost):
        device.call(layer.copies[j], inputs_of(layer, j, x), logits[j].wires, inverse=True)
    for register in logits.values():
        device.free(register.name, register.wires)


def outputs_of(device: Device, layer: LoweredLayer) -> list[Register]:
    """Registers of zeros for a layer's output."""
    return [device.alloc(f"{layer.name}.y[{j}]", e) for j, e in enumerate(layer.outputs)]


def forward(
    device: Device, layers: Sequence[LoweredLayer], x: Sequence[Register]
) -> list[Sequence[Register]]:
    """All layers forward, each output held: the network's input x, then every layer's output."""
    held: list[Sequence[Register]] = [x]
    for layer in layers:
        device.layer = layer.name
        y = outputs_of(device, layer)
        compute_clean(device, layer, held[-1], y, inverse=False)
        device.mark(f"{layer.name}.y", y)
        held.append(y)
    return held


def copy_out(device: Device, held: Sequence[Register]) -> list[Register]:
    """A copy of the network's output."""
    outputs = [device.alloc(f"output[{j}]", r.encoding) for j, r in enumerate(held)]
    for source, target in zip(held, outputs, strict=True):
        device.call(copier(source.encoding), source.wires, target.wires)
    return outputs


def backward(
    device: Device, layers: Sequence[LoweredLayer], held: Sequence[Sequence[Register]]
) -> None:
    """All layers backward: what `forward` made is undone and released."""
    for layer, x, made in reversed(list(zip(layers, held[:-1], held[1:], strict=True))):
        device.layer = layer.name
        compute_clean(device, layer, x, made, inverse=True)
        for register in made:
            device.free(register.name, register.wires)
