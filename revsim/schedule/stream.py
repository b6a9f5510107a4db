"""One step of a device that keeps its neurons' states from one inference to the next.

The device starts with s(t-1), one bit per neuron, and the new input X(t). It ends with s(t) in the
place of s(t-1), the network's output and X(t). Everything else is uncomputed; only the old states
(or the flags that say which of them changed) are erased. Three ways to overwrite:

    reset   every state is reset, whatever is to come, then the new one is written
    known   the new state is computed beside the old one, which is then reset
    flag    flag = old xor new; where the flag is 1 the old state is swapped out and the new one
            written; what was swapped out is reset, and then the flag, which somebody must reset
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit, Definition
from revsim.circuit.registers import Register
from revsim.circuit.validate import validate
from revsim.errors import InputError
from revsim.lower.layer import lower
from revsim.lower.state import BIT
from revsim.network.network import Network
from revsim.schedule.device import Device
from revsim.schedule.policy import describe, erase_states, states_of
from revsim.schedule.steps import backward, copy_out, forward

WAYS: Final = {
    "reset": "reset, then write",
    "known": "overwrite, new value known",
    "flag": "conditional reset, flagged",
}
"""Ways to overwrite a state, in words."""


def compile_stream(network: Network, way: str = "reset") -> Circuit:
    """One step of the stream: inputs s(t-1) (one bit per neuron, layer by layer), then X(t).

    Outputs: s(t) in the same order, the network's outputs, X(t). Raises InputError for a network
    without neurons or a way that is none of reset, known, flag.

    >>> from revsim.network.arrays import from_arrays
    >>> circuit = compile_stream(from_arrays([[[1, 1]]]), "flag")
    >>> len(circuit.inputs), len(circuit.outputs)
    (3, 4)
    """
    if way not in WAYS:
        raise InputError(f"unknown way {way!r} to overwrite; choose one of {', '.join(WAYS)}")
    layers = lower(network)
    counts = [layer.source.neurons for layer in layers]
    if not sum(counts):
        raise InputError(f"network {network.name!r} has no neurons: there is no state to keep")
    device = Device([*[BIT] * sum(counts), *layers[0].inputs])
    registers = iter(device.inputs)
    old = [[next(registers) for _ in range(count)] for count in counts]
    x = list(registers)
    neural = [k for k, count in enumerate(counts) if count]
    for k in neural:
        device.layer = layers[k].name
        device.mark(f"{layers[k].name}.old", old[k])
        if way == "reset":
            erase_states(device, layers[k], old[k], "neuron_state")
    held = forward(device, layers, x)
    outputs = copy_out(device, held[-1])
    new: list[list[Register]] = [[] for _ in layers]
    moved: list[list[Register]] = [[] for _ in layers]
    flags: list[list[Register]] = [[] for _ in layers]
    for k in neural:
        layer, y = layers[k], held[k + 1]
        device.layer = layer.name
        new[k] = old[k] if way == "reset" else _bits(device, f"{layer.name}.new", counts[k])
        states_of(device, layer, y, new[k])
        if way == "flag":
            flags[k] = _bits(device, f"{layer.name}.flag", counts[k])
            moved[k] = _bits(device, f"{layer.name}.moved", counts[k])
            for wires in zip(old[k], new[k], flags[k], moved[k], strict=True):
                device.call(_where_changed(), *(r.wires for r in wires))
            states_of(device, layer, y, new[k], inverse=True)
            _free(device, new[k])
            new[k] = old[k]
            device.mark(f"{layer.name}.flag", flags[k])
            device.mark(f"{layer.name}.moved", moved[k])
        device.mark(f"{layer.name}.state", new[k])
    backward(device, layers, held)
    for k in neural:
        if way == "known":
            erase_states(device, layers[k], old[k], "neuron_state")
            _free(device, old[k])
        elif way == "flag":
            erase_states(device, layers[k], moved[k], "neuron_state")
            _free(device, moved[k])
            erase_states(device, layers[k], flags[k], "flag")
            _free(device, flags[k])
    states = [state for layer in new for state in layer]
    described = describe(layers, lambda layer: layer.copies)
    ends = zip(network.input_low.tolist(), network.input_high.tolist(), strict=True)
    circuit = device.circuit(
        f"{network.name}, one step",
        [*states, *outputs, *x],
        described,
        f"stream_{way}",
        "destroy",  # what stays, X(t) included, is named as output
        f"{WAYS[way]}; everything else is uncomputed, X(t) stays",
    )
    return validate(replace(circuit, ranges=(*[(0, 1)] * sum(counts), *ends)))


def _bits(device: Device, name: str, count: int) -> list[Register]:
    return [device.alloc(f"{name}[{j}]", BIT) for j in range(count)]


def _free(device: Device, registers: Sequence[Register]) -> None:
    for register in registers:
        device.free(register.name, register.wires)


@cache
def _where_changed() -> Definition:
    """old, new, 0, 0 -> new, new, old xor new, old and not new: 1 Fredkin, 1 Toffoli, 2 CNOT."""
    b = Builder("overwrite where changed")
    old, new = b.port("old", 1), b.port("new", 1)
    flag, moved = b.port("flag", 1, zero=True), b.port("moved", 1, zero=True)
    b.cx(old, flag)
    b.cx(new, flag)
    b.cswap(flag, old, moved)  # the conditional reset: where the flag says so, old becomes 0
    b.ccx(flag, new, old)  # and the new value is written
    return b.build()
