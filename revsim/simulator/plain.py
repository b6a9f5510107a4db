"""What the gates mean, in plain NumPy rows: the readable definition of the semantics.

Slow and simple on purpose. It walks the hierarchy without flattening, renames nothing and checks
each promise at the gate that makes it. It judges the kernels, and runs where Numba is absent.
"""

import numpy as np

from revsim.circuit.definition import Call, Definition, Gates, Loop
from revsim.circuit.gates import (
    CCX,
    CSWAP,
    CX,
    ERASE,
    EXTRA,
    MCX,
    OP,
    ROLE,
    SWAP,
    TALLY,
    A,
    B,
    C,
    Role,
    X,
)
from revsim.circuit.registers import Wires
from revsim.simulator.counters import Counters
from revsim.simulator.lanes import Words


def run(
    definition: Definition,
    state: Words,
    wires: Wires,
    counters: Counters,
    inverse: bool = False,
) -> None:
    """Run a definition on `wires` of `state` (uint64 [device wires, words]), in place."""
    frame = np.zeros((definition.wires, state.shape[1]), dtype=np.uint64)
    ports = definition.port_wires
    frame[:ports] = state[wires]
    for item in reversed(definition.body) if inverse else definition.body:
        if isinstance(item, Gates):
            run_gates(item.inverse() if inverse else item, frame, counters, definition)
            continue
        calls: tuple[Call, ...] = item.calls() if isinstance(item, Loop) else (item,)
        for call in reversed(calls) if inverse else calls:
            run(call.definition, frame, call.wires, counters, call.inverse != inverse)
    for wire in range(ports, definition.wires):
        counters.must_be_zero(frame[wire], "ancillas", definition.name, definition.name_of(wire))
    state[wires] = frame[:ports]


def run_gates(gates: Gates, frame: Words, counters: Counters, definition: Definition) -> None:
    """Run one gate table on a frame (uint64 [wires, words])."""
    every = ~np.uint64(0)
    for row in gates.table:
        a, b, c = row[A], row[B], row[C]
        if row[ROLE] == Role.COMPUTE:
            counters.must_be_zero(frame[c], "roles", definition.name, definition.name_of(c))
        match row[OP]:
            case opcode if opcode == X:
                frame[c] ^= every
            case opcode if opcode == CX:
                frame[c] ^= frame[a]
            case opcode if opcode == CCX:
                frame[c] ^= frame[a] & frame[b]
            case opcode if opcode == SWAP:
                frame[[b, c]] = frame[[c, b]]
            case opcode if opcode == CSWAP:
                change = frame[a] & (frame[b] ^ frame[c])
                frame[b] ^= change
                frame[c] ^= change
            case opcode if opcode == MCX:
                agree = np.full(frame.shape[1], every)
                for wire, positive in gates.controls[row[EXTRA]]:
                    agree &= frame[wire] if positive else ~frame[wire]
                frame[c] ^= agree
            case opcode if opcode == ERASE:
                counters.erased(frame[c], definition.causes[row[EXTRA]])
                frame[c] = 0
            case opcode if opcode == TALLY:
                counters.tallied(frame[a], frame[b])
        if row[ROLE] == Role.UNCOMPUTE:
            counters.must_be_zero(frame[c], "roles", definition.name, definition.name_of(c))
