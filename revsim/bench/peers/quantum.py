"""Simulators from quantum computing: Stim (frames, many lanes), cirq and qualtran (one sample)."""

from typing import Any

import numpy as np

from revsim.bench.peers.ready import Ready, package, work_s
from revsim.circuit.definition import Table
from revsim.circuit.gates import CCX, CSWAP, CX, OP, A, B, C, X
from revsim.simulator.lanes import Words


def stim(table: Table, wires: int, words: int, passes: int = 1) -> Ready:
    """Stim's FlipSimulator on NOTs and CNOTs, 64 * `words` lanes, from flips of its own drawing.

    A lane of it is a frame: the difference to a noiseless run. So NOTs change nothing there, and it
    costs nothing to run them: `out` is the image of `start` less the image of all zeros.
    """
    module, version = package("stim", "stim")
    started = work_s()
    text = [
        f"CX {row[A]} {row[C]}" if row[OP] == CX else f"X {row[C]}" for row in table.tolist()
    ]  # loading text is far quicker than appending gates
    circuit = module.Circuit("\n".join(text)) * passes
    build_s = work_s() - started
    simulator = module.FlipSimulator(
        batch_size=64 * words, disable_stabilizer_randomization=True, num_qubits=wires, seed=0
    )

    def flips() -> Words:
        octets = simulator.to_numpy(output_xs=True, bit_packed=True)[0]
        return np.ascontiguousarray(octets).view(np.uint64)

    simulator.do(module.Circuit("X_ERROR(0.5) " + " ".join(map(str, range(wires)))))
    start = flips()

    def run() -> None:
        simulator.do(circuit)

    run()
    peer = f"Stim {version} FlipSimulator (from its wheel: 128-bit kernels)"
    return Ready(peer, build_s, run, start, flips())


def cirq(table: Table, wires: int, start: Words) -> Ready:
    """cirq's ClassicalStateSimulator on the first lane: a list of bits in, measurements out."""
    module, version = package("cirq", "cirq-core")
    started = work_s()
    qubits = module.LineQubit.range(wires)
    operations: list[Any] = []
    for opcode, a, b, c in _gates(table):
        if opcode == X:
            operations.append(module.X(qubits[c]))
        elif opcode == CX:
            operations.append(module.CNOT(qubits[a], qubits[c]))
        else:
            operations.append(module.TOFFOLI(qubits[a], qubits[b], qubits[c]))
    operations.append(module.measure(*qubits, key="out"))
    circuit = module.Circuit(operations)
    build_s = work_s() - started
    simulator = module.ClassicalStateSimulator()
    bits = _bits(start)

    def run() -> Any:
        return simulator.simulate(circuit, qubit_order=qubits, initial_state=bits)

    out = np.asarray(run().measurements["out"]).reshape(wires, 1).astype(np.uint64)
    peer = f"cirq {version} ClassicalStateSimulator"
    return Ready(peer, build_s, run, start & np.uint64(1), out)


def qualtran(table: Table, wires: int, start: Words) -> Ready:
    """qualtran's call_classically on the first lane, gate by gate: bits in, bits out."""
    module, version = package("qualtran", "qualtran")
    basic, _ = package("qualtran.bloqs.basic_gates", "qualtran")
    started = work_s()
    builder = module.BloqBuilder()
    soquets = [builder.add_register(f"w{wire}", 1) for wire in range(wires)]
    for opcode, a, b, c in _gates(table):
        if opcode == X:
            soquets[c] = builder.add(basic.XGate(), q=soquets[c])
        elif opcode == CX:
            soquets[a], soquets[c] = builder.add(basic.CNOT(), ctrl=soquets[a], target=soquets[c])
        else:
            controls, soquets[c] = builder.add(
                basic.Toffoli(), ctrl=np.array([soquets[a], soquets[b]]), target=soquets[c]
            )
            soquets[a], soquets[b] = controls
    bloq = builder.finalize(**{f"w{wire}": soquet for wire, soquet in enumerate(soquets)})
    build_s = work_s() - started
    bits = {f"w{wire}": bit for wire, bit in enumerate(_bits(start))}

    def run() -> Any:
        return bloq.call_classically(**bits)

    out = np.array(run(), dtype=np.uint64).reshape(wires, 1)
    return Ready(f"qualtran {version} call_classically", build_s, run, start & np.uint64(1), out)


def _bits(start: Words) -> list[int]:
    """The first lane."""
    return [int(bit) for bit in start[:, 0] & np.uint64(1)]


def _gates(table: Table) -> list[tuple[int, int, int, int]]:
    """(opcode, a, b, c) without Fredkins, for which neither has a classical rule."""
    gates: list[tuple[int, int, int, int]] = []
    for row in table.tolist():
        opcode, a, b, c = row[OP], row[A], row[B], row[C]
        if opcode == CSWAP:
            gates += [(CX, c, -1, b), (CCX, a, b, c), (CX, c, -1, b)]
        else:
            gates.append((opcode, a, b, c))
    return gates
