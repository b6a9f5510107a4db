"""Networks pebbled: from a budget of layer registers or wires to moves, from moves to gates."""

from collections.abc import Sequence

from revsim.circuit.measures import circuit_counts, circuit_width
from revsim.circuit.registers import Register
from revsim.errors import InputError
from revsim.lower.layer import LoweredLayer
from revsim.schedule.device import Device
from revsim.schedule.pebbling import Chain, Move, Segment, front, schedule
from revsim.schedule.steps import compute_clean, erase_input, outputs_of


def chain_of(layers: Sequence[LoweredLayer]) -> Chain:
    """A network as a chain to pebble: cost = gates of a run, size and working = wires."""
    return tuple(_segment(layer) for layer in layers)


def _segment(layer: LoweredLayer) -> Segment:
    device = Device(layer.inputs)
    y = outputs_of(device, layer)
    compute_clean(device, layer, device.inputs, y, inverse=False)
    alone = device.circuit(layer.name, y, (), "", "", "")
    held = sum(e.width for e in layer.outputs)
    working = circuit_width(alone) - held - sum(e.width for e in layer.inputs)
    return Segment(circuit_counts(alone).gates, held, working)


def pebble(
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
    return play(device, layers, input, schedule(chain, (budget or least) - taken))


def play(
    device: Device, layers: Sequence[LoweredLayer], input: str, moves: Sequence[Move]
) -> tuple[Register, ...]:
    """Play the moves; the last layer's register is the output, so that nothing need be copied."""
    held: dict[int, Sequence[Register]] = {-1: device.inputs}
    marked: set[int] = set()
    for node, action in moves:
        layer = layers[node]
        device.layer = layer.name
        if action == "compute":
            held[node] = outputs_of(device, layer)
            compute_clean(device, layer, held[node - 1], held[node], inverse=False)
            if node not in marked:
                device.mark(f"{layer.name}.y", held[node])
                marked.add(node)
            continue
        made = held.pop(node)
        if action == "uncompute":
            compute_clean(device, layer, held[node - 1], made, inverse=True)
        else:
            for j, register in enumerate(made):
                name = f"{layer.name}.checkpoint[{j}]"
                value = f"output {j} of {layer.name}"
                device.erase(name, register.wires, "checkpoint", value)
        for register in made:
            device.free(register.name, register.wires)
    if input == "destroy":
        device.layer = layers[0].name
        erase_input(device, layers[0], device.inputs)
    return tuple(held[len(layers) - 1])
