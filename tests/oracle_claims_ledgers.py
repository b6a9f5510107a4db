"""Known answers on mismatch costs (group J), and on entropy against activity (K, Q).

153 to 156 are in test_oracle.py, out of gates that run; here stands mismatch, the same way.
"""

from collections.abc import Callable, Sequence

import numpy as np
from oracle_circuits import bits

from revsim.ledger.mismatch import Mismatch, gate_mismatch, mismatch
from revsim.lower.netlist import Netlist
from revsim.physics.landauer import CROSSING, binary_entropy
from revsim.schedule.device import Device
from revsim.simulator.ensemble import data_set
from revsim.simulator.run import simulate


def reset(p: Sequence[int], q: Sequence[int]) -> Mismatch:
    """One bit, erased: rows 0 and 1 of weights p, by a device tuned to weights q."""
    device = Device([bits(1)])
    device.layer = "reset"
    device.erase("bit", device.inputs[0].wires, "bit", "x")
    circuit = device.circuit("reset", [], (), "as_written", "destroy", "")
    tallies = [simulate(circuit, data_set([[0], [1]], w), values=True).tally for w in (p, q)]
    return mismatch(*tallies, "p", "q")


def gate() -> float:
    """What an AND tuned to uniform inputs pays on inputs that are 1 with probability 0.1."""
    net = Netlist("and")
    x, y = net.port("x", 2), net.port("y", 1, zero=True)
    definition = net.finish([net.and_(*x.tolist())], y)
    device = Device([bits(2)])
    out = device.alloc("out", bits(1))
    device.call(definition, device.inputs[0].wires, out.wires)
    circuit = device.circuit("and", [out], (), "conventional", "keep", "")
    rows = np.arange(4)[:, None]
    tallies = [
        simulate(circuit, data_set(rows, w), values=True).tally for w in ((81, 9, 9, 1), (1,) * 4)
    ]
    found = mismatch(*tallies, "p", "uniform").gate_local
    assert found is not None
    return found


def least_above_twice_the_changes() -> float:
    """The least of h2(p) - 4p(1-p), on a fine grid that holds 0, 1/2 and 1."""
    return min(binary_entropy(p) - 4 * p * (1 - p) for p in np.linspace(0, 1, 2001).tolist())


READINGS: dict[int, Callable[[], float]] = {
    157: lambda: reset((9, 1), (1, 1)).per_bit,
    158: lambda: reset((9, 1), (4, 1)).per_register,
    159: lambda: gate_mismatch([0.81, 0.09, 0.09, 0.01], [0.25] * 4, [0, 0, 0, 1]),
    160: gate,
    161: lambda: CROSSING,
    277: least_above_twice_the_changes,
    278: lambda: binary_entropy(0.01) / 0.01,
}
