"""One neuron of a compiled network, drawn alone: its gates where they fit, else its definitions.

What is drawn are items of the compiled circuit, in its order, on wires of their own; nothing is
built for the drawing.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from revsim.circuit.definition import Alloc, Call, Circuit, CircuitItem, Definition, Erase
from revsim.circuit.measures import counts
from revsim.circuit.registers import Register, Wires
from revsim.draw.text import SYMBOLS, draw_gates, draw_hierarchy
from revsim.errors import InputError
from revsim.lower.layer import lower
from revsim.lower.netlist import neuron_netlist
from revsim.network.network import Network
from revsim.schedule.policy import compile_network

LINES = 12
"""Lines of the hierarchy that stands for a neuron too large to draw."""


def draw_neuron(
    network: Network, layer: int, neuron: int, policy: str, input: str
) -> tuple[str, ...]:
    """Lines of text: gates and ERASEs of one neuron as a policy runs them.

    layer: index from 0. A weighted sum that does not fit is left out, and said so; where the rest
    is too large as well, the tree of definitions stands instead.

    >>> from revsim.pipeline import load
    >>> print("\\n".join(draw_neuron(load("xor"), 0, 0, "bennett", "keep")[:3]))
    input[1]   -----*--*-----------------*--*-----
    input[0]   --*--|--|-----------------|--|--*--
    y[1]     0 --|--|--|--------+--------|--|--|--
    """
    circuit = compile_network(network, policy, input)
    lowered = lower(network)[layer]
    sums = lowered.linear[neuron : neuron + 1]
    stages = tuple(stage.definition for stage in lowered.stages[neuron])
    whole = (*sums, *stages, lowered.copies[neuron], neuron_netlist(lowered, neuron))
    values = values_of(network, layer, neuron)
    own = f"{lowered.name}.", f"[{neuron}]"
    undone = any(isinstance(i, Call) and i.inverse and i.definition in whole for i in circuit.body)
    again = ("these gates also run backward, to undo what they computed",) if undone else ()
    left_out = (
        f"the weighted sum before z ({sum(counts(d).gates for d in sums):,} gates, all undone)"
    )
    for wanted, note in ((whole, ()), (stages, (f"{left_out} is left out:",))):
        part = _part(circuit, wanted, values, own)
        if part is not None:
            try:
                drawn = draw_gates(part).splitlines()
                return (*note, *drawn, "", *again, *SYMBOLS.splitlines())
            except InputError:
                continue
    part = _part(circuit, whole, values, own)
    if part is None:
        return ("this policy has no gates of this neuron alone",)
    named = replace(part, name=f"{lowered.name} neuron {neuron}")
    return (
        "too large to draw gate by gate; its definitions:",
        *draw_hierarchy(named, LINES).splitlines(),
    )


def values_of(network: Network, layer: int, neuron: int) -> Callable[[str], bool]:
    """Whether the value that an ERASE throws away is one of a neuron's, by its `value_of`.

    Its own values, a state or a logit of it, and its output as an input of the next layer.
    """
    name = network.layers[layer].name
    whose = [f"neuron {neuron} of {name}", f"logit {neuron} of {name}", f"{name} netlist {neuron}"]
    if layer + 1 < len(network.layers):
        whose.append(f"input {neuron} of {network.layers[layer + 1].name}")
    return lambda value: any(f" {value}".endswith(f" {own}") for own in whose)


def _part(
    circuit: Circuit, wanted: Sequence[Definition], its: Callable[[str], bool], own: tuple[str, str]
) -> Circuit | None:
    """The wanted calls (each once), calls on the neuron's own registers alone, and the erasures of
    its values; None where nothing is called.

    `own`: prefix and index of the neuron's registers, which go without saying in names.
    """
    left = {id(definition) for definition in wanted}
    row_of: dict[int, int] = {}
    name_of: dict[int, str] = {}
    its_own: set[int] = set()
    names: list[str] = []
    inputs: list[int] = []
    body: list[CircuitItem] = []

    def hold(register: Register) -> None:
        """A register comes into use: wires that are used again are drawn as other wires."""
        prefix, index = own
        name = register.name.replace(".fresh", "")
        mine = name.startswith(prefix) and name.endswith(index)
        if mine:
            name = name.removeprefix(prefix).removesuffix(index)
        (its_own.update if mine else its_own.difference_update)(register.wires.tolist())
        for k, wire in enumerate(register.wires.tolist()):
            row_of.pop(wire, None)
            name_of[wire] = name if len(register.wires) == 1 else f"{name}[{k}]"

    def moved(wires: Wires) -> Wires:
        for wire in wires.tolist():
            if wire not in row_of:
                row_of[wire] = len(names)
                names.append(name_of[wire])
        return np.array([row_of[w] for w in wires.tolist()], dtype=np.int32)

    for register in circuit.inputs:
        hold(register)
    for item in circuit.body:
        if isinstance(item, Alloc):
            hold(item.register)
        elif isinstance(item, Call) and not item.inverse:
            if id(item.definition) not in left and not its_own.issuperset(item.wires.tolist()):
                continue
            left.discard(id(item.definition))
            widths = [port.width for port in item.definition.ports]
            zero = np.repeat([port.zero_in for port in item.definition.ports], widths)
            given = [w for w in item.wires[~zero].tolist() if w not in row_of]
            body.append(replace(item, wires=moved(item.wires)))
            inputs += [row_of[w] for w in given]
        elif isinstance(item, Erase) and its(item.value_of):
            known = np.array([w for w in item.register.wires.tolist() if w in row_of], np.int32)
            if len(known):
                body.append(replace(item, register=Register(item.register.name, moved(known))))
    if not any(isinstance(item, Call) for item in body):
        return None
    registers = tuple(Register(n, np.array([k], np.int32)) for k, n in enumerate(names))
    starts = tuple(registers[k] for k in inputs)
    return Circuit(circuit.name, len(names), tuple(body), starts, (), registers=registers)
