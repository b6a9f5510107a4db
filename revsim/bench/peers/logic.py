"""Simulators of logic in Python packages, NumPy rows and our own readable executor."""

from typing import Any

import numpy as np

from revsim.bench.peers.follow import follow
from revsim.bench.peers.ready import Ready, package, work_s
from revsim.bench.runs import lanes_of
from revsim.circuit.definition import Definition, Table
from revsim.circuit.gates import CCX, CSWAP, CX, OP, A, B, C, X
from revsim.simulator.lanes import Words


def numpy_rows(table: Table, start: Words, passes: int = 1) -> Ready:
    """One NumPy row a wire and one call or two a gate, in place: the least that Python can do."""
    state = start.copy()
    rows = list(state)
    gates = table[:, [OP, A, B, C]].tolist() * passes

    def run() -> None:
        change = np.empty_like(rows[0])
        for opcode, a, b, c in gates:
            target = rows[c]
            if opcode == CX:
                np.bitwise_xor(target, rows[a], out=target)
            elif opcode == CCX:
                np.bitwise_and(rows[a], rows[b], out=change)
                np.bitwise_xor(target, change, out=target)
            elif opcode == X:
                np.bitwise_not(target, out=target)
            else:
                assert opcode == CSWAP
                np.bitwise_xor(rows[b], target, out=change)
                np.bitwise_and(rows[a], change, out=change)
                np.bitwise_xor(rows[b], change, out=rows[b])
                np.bitwise_xor(target, change, out=target)

    run()
    return Ready(f"NumPy {np.__version__} rows", 0.0, run, start, state.copy())


def readable(definition: Definition, start: Words) -> Ready:
    """Our own plain executor, which also checks every promise at its gate."""
    state = start.copy()
    run = lanes_of(definition, start.shape[1], "numpy", state=state)
    run()
    return Ready("revsim, numpy", 0.0, run, start, state.copy())


def pyrtl(table: Table, wires: int, start: Words) -> Ready:
    """pyrtl's FastSimulation with one wide integer a wire: a dictionary in, integers out."""
    module, version = package("pyrtl", "pyrtl")
    lanes = 64 * start.shape[1]
    started = work_s()
    with module.set_working_block(module.Block(), no_sanity_check=True):
        ins = [module.Input(lanes, f"x{wire}") for wire in range(wires)]
        for wire, end in enumerate(follow(table, ins)):
            out = module.Output(lanes, f"y{wire}")
            out <<= end
        simulation = module.FastSimulation(tracer=None)
    build_s = work_s() - started
    given = {f"x{wire}": int.from_bytes(row.tobytes(), "little") for wire, row in enumerate(start)}

    def run() -> None:
        simulation.step(given)

    run()
    octets = b"".join(
        simulation.inspect(f"y{wire}").to_bytes(lanes // 8, "little") for wire in range(wires)
    )
    out = np.frombuffer(octets, dtype="<u8").reshape(start.shape).astype(np.uint64)
    return Ready(f"pyrtl {version} FastSimulation", build_s, run, start, out)


def aigverse(table: Table, wires: int) -> Ready:
    """aigverse (mockturtle) on all 2^wires inputs at once, as truth tables of an AIG."""
    networks, version = package("aigverse.networks", "aigverse")
    algorithms, _ = package("aigverse.algorithms", "aigverse")
    started = work_s()
    network = networks.Aig()

    class Signal:
        """A signal of the network under the operators that gates are written in."""

        def __init__(self, signal: Any) -> None:
            self.signal = signal

        def __xor__(self, other: "Signal") -> "Signal":
            return Signal(network.create_xor(self.signal, other.signal))

        def __and__(self, other: "Signal") -> "Signal":
            return Signal(network.create_and(self.signal, other.signal))

        def __invert__(self) -> "Signal":
            return Signal(~self.signal)

    ins = [Signal(network.create_pi()) for _ in range(wires)]
    for end in follow(table, ins):
        network.create_po(end.signal)
    build_s = work_s() - started

    def run() -> Any:
        return algorithms.simulate(network)

    out = np.array([_words(truth, 1 << wires) for truth in run()])
    rows = np.arange(1 << wires)
    bits = (rows >> np.arange(wires)[:, None] & 1).astype(np.uint8)
    start = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
    return Ready(f"aigverse {version} simulate", build_s, run, start, out)


def _words(truth: Any, rows: int) -> Words:
    return np.frombuffer(int(truth.to_hex(), 16).to_bytes(rows // 8, "little"), dtype="<u8")
