"""Known answers, read from compiled and simulated circuits and never from a formula beside them.

`oracle_cases.json` holds numbers found by brute-force enumeration. Here each comes out of gates:
registers are erased on a device, the simulator counts, the ledgers add up. Every circuit that is
simulated on the way must also telescope and keep the order of the ledgers.
"""

import json
import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest

from revsim.blocks.add import add_in_place, controlled_add
from revsim.blocks.columns import copied_sum, weighted_bits
from revsim.blocks.compare import at_least_constant, less_than
from revsim.blocks.maximum import maximum_in_place
from revsim.blocks.select import relu_in_place
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit
from revsim.circuit.registers import Encoding, Register
from revsim.ledger.ledgers import Ledgers, ledger_rows, total_of
from revsim.lower.layer import lower
from revsim.lower.netlist import Netlist
from revsim.network.network import Network
from revsim.network.operators import Argmax, Clamp, Dense, Relu, Requantise, Threshold
from revsim.schedule.device import Device
from revsim.schedule.policy import POLICIES, compile_network
from revsim.simulator.ensemble import Ensemble, data_set, uniform
from revsim.simulator.run import Run, simulate

Reading = Callable[[], float]
KNOWN = {
    case["id"]: case
    for case in json.loads(Path(__file__).with_name("oracle_cases.json").read_text())["cases"]
}
READINGS: dict[int, Reading] = {}

# --- circuits that are measured -----------------------------------------------------------------


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
        assert all(a >= b - 1e-9 for a, b in zip(steps[:-1], steps[1:], strict=True))

    def of(self, layer: int, cause: str = "") -> Ledgers:
        """The ledgers of one layer, or of one cause in it."""
        name = f"layer{layer}"
        return total_of(r for r in self.rows if r.layer == name and r.cause in (cause or r.cause,))

    def after(self, layer: int, cause: str) -> float:
        """Entropy of the whole device once this group is erased."""
        groups = self.run.tally.groups
        return next(g for g in groups if (g.layer, g.cause) == (f"layer{layer}", cause)).after.entropy


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


# --- B: single gates ----------------------------------------------------------------------------


def either(b: Builder, x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    b.cx([*x, *y], out)
    b.ccx(x, y, out)


def majority(b: Builder, x: np.ndarray, y: np.ndarray, z: np.ndarray, out: np.ndarray) -> None:
    b.ccx([*x, *x, *y], [*y, *z, *z], out)


def parity(b: Builder, *registers: np.ndarray) -> None:
    b.cx(np.concatenate(registers[:-1]), registers[-1])


READINGS |= {
    17: lost(Builder.ccx, (1, 1), (1,), (0, 1)),
    18: lost(either, (1, 1), (1,), (0, 1)),
    19: lost(Builder.cx, (1, 1), (), (0,)),
    20: lost(Builder.x, (1,)),
    21: lost(Builder.cx, (1, 1)),
    22: lost(Builder.ccx, (1, 1, 1)),
    23: lost(Builder.cswap, (1, 1, 1)),
    24: lost(Builder.ccx, (1, 1), (1,), (1,)),
    25: lost(majority, (1, 1, 1), (1,), (0, 1, 2)),
    26: lost(parity, (1, 1, 1), (), (0, 1)),
    27: lost(Builder.cswap, (1, 1, 1), (), (0, 1)),
    28: lost(lambda b, x, y: b.mcx([(w, True) for w in x], y[0]), (8,), (1,), (0,)),
    29: lost(Builder.ccx, (1, 1), (1,), (0, 1), (81, 9, 9, 1)),
    30: lost(Builder.ccx, (1, 1), (1,), (0, 1), (1, 0, 0, 1)),
    31: lost(Builder.cx, (1, 1), (), (0,), (1, 0, 0, 1)),
}

# --- C: arithmetic ------------------------------------------------------------------------------


def half_adder(b: Builder, x: np.ndarray, y: np.ndarray, carry: np.ndarray) -> None:
    b.ccx(x, y, carry)
    b.cx(x, y)


def full_adder(b: Builder, x: np.ndarray, y: np.ndarray, z: np.ndarray, carry: np.ndarray) -> None:
    half_adder(b, x, y, carry)
    half_adder(b, y, z, carry)


def sums(matrix: Sequence[Sequence[int]], width: int) -> Callable[..., object]:
    """Fresh registers become the rows of matrix times the input registers, mod 2^width."""

    def body(b: Builder, *registers: np.ndarray) -> None:
        inputs, results = registers[: len(matrix[0])], registers[len(matrix[0]) :]
        for row, result in zip(matrix, results, strict=True):
            weights = [w << k for w, x in zip(row, inputs, strict=True) for k in range(len(x))]
            copied_sum(b, weighted_bits(np.concatenate(inputs), np.array(weights)), result)
            assert len(result) == width

    return body


def multiply(b: Builder, x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    """out += x y mod 2^len(out), by shifts and controlled additions."""
    y = np.concatenate([y, b.local("zeros", max(0, len(out) - len(y)))])
    for k, bit in enumerate(x):
        controlled_add(b, bit, y[: len(out) - k], out[k:])


def square(b: Builder, z: np.ndarray, out: np.ndarray) -> None:
    """out += z z mod 2^len(out), z two's complement: sign extended, copied, multiplied."""
    start = b.mark()
    long, copy = b.local("long", len(out)), b.local("copy", len(out))
    for register in (long, copy):
        b.cx(z, register[: len(z)])
        b.cx(np.repeat(z[-1:], len(out) - len(z)), register[len(z) :])
    stop = b.mark()
    multiply(b, long, copy, out)
    b.undo(start, stop)


def gate_sum(inputs: int, gates: Callable[..., list[int]]) -> Reading:
    """gate_local of a conventional netlist with uniform inputs."""

    def read() -> float:
        net = Netlist("netlist")
        x = net.port("x", inputs)
        y = net.port("y", len(gates(Netlist("dry"), *range(0, 2 * inputs, 2))), zero=True)
        definition = net.finish(gates(net, *x.tolist()), y)
        device = Device([bits(inputs)])
        out = device.alloc("out", bits(len(y)))
        device.layer = "layer1"
        device.call(definition, device.inputs[0].wires, out.wires)
        circuit = device.circuit("netlist", [out], (), "conventional", "keep", "")
        local = Measured(circuit, uniform([0], [(1 << inputs) - 1])).total.gate_local
        assert local is not None
        return local

    return read


def netlist_half(net: Netlist, a: int, b: int) -> list[int]:
    return [net.xor(a, b), net.and_(a, b)]


def netlist_full(net: Netlist, a: int, b: int, c: int) -> list[int]:
    p = net.xor(a, b)
    return [net.xor(p, c), net.or_(net.and_(a, b), net.and_(p, c))]
