"""Small circuits and networks, simulated and measured: what the tests of known answers share.

`oracle_cases.json` holds numbers found by brute-force enumeration. Every circuit that is simulated
here must also telescope and keep the order of the ledgers, whatever is read from it.
"""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit
from revsim.circuit.registers import Encoding, Register
from revsim.ledger.ledgers import Ledgers, ledger_rows, total_of
from revsim.lower.netlist import Netlist
from revsim.network.network import Network
from revsim.network.operators import Dense, Operator
from revsim.schedule.device import Device
from revsim.schedule.policy import POLICIES, compile_network
from revsim.simulator.ensemble import Ensemble, data_set, uniform
from revsim.simulator.run import Run, simulate

Reading = Callable[[], float]
"""Builds a circuit, simulates it and reads one number."""

KNOWN = {
    case["id"]: case
    for case in json.loads(Path(__file__).with_name("oracle_cases.json").read_text())["cases"]
}


def named(readings: dict[int, Reading]) -> list[str]:
    """Ids such as `017-AND2`."""
    return [f"{number:03d}-{KNOWN[number]['name']}" for number in readings]


def agrees(number: int, reading: Reading) -> bool:
    """Whether the circuit gives the known answer to 1e-9."""
    return abs(reading() - KNOWN[number]["value"]) <= 1e-9 * max(1.0, KNOWN[number]["value"])


class Measured:
    """One simulation, with the checks that hold of every circuit and every ensemble."""

    def __init__(self, circuit: Circuit, ensemble: Ensemble) -> None:
        self.run: Run = simulate(circuit, ensemble, threads=1)
        tally = self.run.tally
        self.rows = ledger_rows(tally)
        self.start, self.end = tally.initial.entropy, tally.final.entropy
        total = self.total = total_of(self.rows)
        assert not tally.violations
        assert abs(total.given_kept - (self.start - self.end)) < 1e-9
        steps = total.reset_count, total.per_bit, total.per_register, total.given_kept, 0.0
        assert all(a >= b - 1e-9 for a, b in pairwise(steps))

    def of(self, layer: int, cause: str = "") -> Ledgers:
        """The ledgers of one layer, or of one cause in it."""
        name = f"layer{layer}"
        return total_of(r for r in self.rows if r.layer == name and r.cause in (cause or r.cause,))

    def after(self, layer: int, cause: str) -> float:
        """Entropy of the whole device once this group is erased."""
        groups = self.run.tally.groups
        key = f"layer{layer}", cause
        return next(g.after.entropy for g in groups if (g.layer, g.cause) == key)


def bits(width: int) -> Encoding:
    return Encoding(0, tuple(1 << k for k in range(width)))


def measured(
    body: Callable[..., object],
    inputs: Sequence[int],
    fresh: Sequence[int] = (),
    erase: Sequence[int] = (),
    weights: Sequence[int] | None = None,
    rows: np.ndarray | None = None,
) -> Measured:
    """`body` on registers of `inputs` and `fresh` zero bits, then one ERASE of those in `erase`."""
    device = Device([bits(width) for width in inputs])
    device.layer = "layer1"
    registers: list[Register] = list(device.inputs)
    registers += [device.alloc(f"fresh[{k}]", bits(width)) for k, width in enumerate(fresh)]
    b = Builder("gates")
    ports = [b.port(r.name, len(r.wires), k >= len(inputs)) for k, r in enumerate(registers)]
    body(b, *ports)
    device.call(b.build(), *(r.wires for r in registers))
    if erase:
        device.erase("erased", np.concatenate([registers[k].wires for k in erase]), "input", "x")
    circuit = device.circuit("oracle", registers, (), "as_written", "destroy", "")
    ensemble = uniform([0] * len(inputs), [(1 << w) - 1 for w in inputs]) if rows is None else None
    return Measured(circuit, data_set(ensemble.rows if ensemble else rows, weights))


def lost(
    body: Callable[..., object],
    inputs: Sequence[int],
    fresh: Sequence[int] = (),
    erase: Sequence[int] = (),
    weights: Sequence[int] | None = None,
    read: str = "given_kept",
) -> Reading:
    return lambda: getattr(measured(body, inputs, fresh, erase, weights).total, read)


def nothing(b: Builder, *registers: np.ndarray) -> None:
    """No gates at all."""


def gate_sum(inputs: int, outputs: int, gates: Callable[..., list[int]]) -> Reading:
    """gate_local of a conventional netlist with uniform inputs."""

    def read() -> float:
        net = Netlist("netlist")
        x = net.port("x", inputs)
        y = net.port("y", outputs, zero=True)
        definition = net.finish(gates(net, *x.tolist()), y)
        device = Device([bits(inputs)])
        out = device.alloc("out", bits(outputs))
        device.layer = "layer1"
        device.call(definition, device.inputs[0].wires, out.wires)
        circuit = device.circuit("netlist", [out], (), "conventional", "keep", "")
        local = Measured(circuit, uniform([0], [(1 << inputs) - 1])).total.gate_local
        assert local is not None
        return local

    return read


def dense(weights: Sequence[Sequence[int]], bias: Sequence[int] | None = None) -> Dense:
    matrix = np.array(weights, dtype=np.int64)
    return Dense(matrix, np.zeros(len(matrix), np.int64) if bias is None else np.array(bias))


def network(ranges: Sequence[tuple[int, int]], *operators: Operator) -> Network:
    low, high = np.array(ranges, dtype=np.int64).T
    return Network("oracle", low, high, operators)


def compiled(
    net: Network,
    policy: str = "activation_reset",
    input: str = "destroy",
    weights: Sequence[int] | None = None,
) -> Measured:
    """A network under a policy, on all its inputs."""
    rows = uniform(net.input_low, net.input_high).rows
    return Measured(compile_network(net, policy, input), data_set(rows, weights))


def loss_of(
    ranges: Sequence[tuple[int, int]],
    *operators: Operator,
    weights: Sequence[int] | None = None,
) -> Reading:
    """given_kept of a network whose input is destroyed: the same under every policy."""

    def read() -> float:
        net = network(ranges, *operators)
        found = [compiled(net, policy, weights=weights).total.given_kept for policy in POLICIES]
        assert max(found) - min(found) < 1e-9
        return found[0]

    return read
