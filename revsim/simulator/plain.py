"""What the gates mean, in plain NumPy rows: the readable definition of the semantics.

Slow and simple on purpose. It walks the hierarchy without flattening, renames nothing and checks
each promise at the gate that makes it. It judges the kernels, and runs where Numba is absent.
"""

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Call, Definition, Gates, Loop
from revsim.circuit.gates import (
    CCX,
    CSWAP,
    CX,
    ERASE,
    EXTRA,
    FREE,
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
from revsim.circuit.program import Program, is_leaf, program_of
from revsim.circuit.registers import Wires
from revsim.errors import InputError
from revsim.simulator.counters import Counters, PositionCounters
from revsim.simulator.lanes import Words

# Names of an enumeration are slow to look up, which every gate would do.
COMPUTE, UNCOMPUTE = int(Role.COMPUTE), int(Role.UNCOMPUTE)


def run(
    definition: Definition,
    state: Words,
    wires: Wires,
    counters: Counters,
    inverse: bool = False,
) -> None:
    """Run a definition on `wires` of `state` (uint64 [device wires, words]), in place."""
    ports = definition.port_wires
    if counters.faults is not None and is_leaf(definition):  # a wire may pass its dirt on
        _run_program(program_of(definition, inverse), state, wires, counters)
        return
    frame = np.zeros((definition.wires, state.shape[1]), dtype=np.uint64)
    frame[:ports] = state[wires]
    for item in reversed(definition.body) if inverse else definition.body:
        if isinstance(item, Gates):
            run_gates(item.inverse() if inverse else item, frame, counters, definition)
            continue
        calls: tuple[Call, ...] = item.calls() if isinstance(item, Loop) else (item,)
        for call in reversed(calls) if inverse else calls:
            run(call.definition, frame, call.wires, counters, call.inverse != inverse)
    dirty = np.flatnonzero(frame[ports:].any(axis=1)) + ports
    for wire in dirty.tolist():
        counters.must_be_zero(frame[wire], "ancillas", definition.name, definition.name_of(wire))
    state[wires] = frame[:ports]


def run_positions(
    definition: Definition,
    state: Words,
    wires: Wires,
    counters: PositionCounters,
    inverse: bool = False,
) -> None:
    """Run a definition at every position: `wires` int32 [positions, ports], positions as lanes.

    Only ports that change are stored, so that positions may read the same wires.
    """
    positions, ports = wires.shape
    before = np.ascontiguousarray(np.swapaxes(state[wires], 0, 1)).reshape(ports, -1)
    after = before.copy()
    run(definition, after, np.arange(ports, dtype=np.int32), counters, inverse)
    changed = np.flatnonzero((before != after).any(axis=1))
    check_own(definition.name, wires, changed)
    for port in changed:
        state[wires[:, port]] = after[port].reshape(positions, -1)


def check_own(name: str, table: Wires, ports: npt.NDArray[np.integer]) -> None:
    """Raise InputError where two positions share a wire that one of them changes: `table` int32
    [positions, ports] of the definition `name`, which changes `ports`."""
    writes = table[:, ports].ravel()
    others = np.delete(table, ports, axis=1)
    if len(np.unique(writes)) < len(writes) or bool(np.isin(others, writes).any()):
        raise InputError(
            f"definition {name!r}: two positions share a wire that one of them changes"
        )


def _run_program(program: Program, state: Words, wires: Wires, counters: Counters) -> None:
    """Run a leaf on as few wires as the program needs, as hardware and the kernels do: where an
    erasure fails, the next value on that wire starts from what was left."""
    frame = np.zeros((program.slots, state.shape[1]), dtype=np.uint64)
    frame[: len(wires)] = state[wires]
    table = program.table[program.table[:, OP] != FREE]
    run_gates(Gates(table, program.controls), frame, counters, program.definition)
    state[wires] = frame[: len(wires)]


def run_gates(gates: Gates, frame: Words, counters: Counters, definition: Definition) -> None:
    """Run one gate table on a frame (uint64 [wires, words])."""
    every = ~np.uint64(0)
    for row in gates.table.tolist():
        a, b, c, role = row[A], row[B], row[C], row[ROLE]
        if role == COMPUTE:
            counters.must_be_zero(frame[c], "roles", definition.name, definition.name_of(c))
        match row[OP]:
            case opcode if opcode == X:
                change = np.full(frame.shape[1], every)
            case opcode if opcode == CX:
                change = frame[a].copy()
            case opcode if opcode == CCX:
                change = frame[a] & frame[b]
            case opcode if opcode == SWAP:
                change = frame[b] ^ frame[c]
            case opcode if opcode == CSWAP:
                change = frame[a] & (frame[b] ^ frame[c])
            case opcode if opcode == MCX:
                change = np.full(frame.shape[1], every)
                for wire, positive in gates.controls[row[EXTRA]]:
                    change &= frame[wire] if positive else ~frame[wire]
            case opcode if opcode == ERASE:
                counters.erased(frame[c], definition.causes[row[EXTRA]])
                change = frame[c].copy()
                if counters.faults is not None:
                    change ^= counters.faults.next(1, frame.shape[1])[0]
            case opcode if opcode == TALLY:
                counters.tallied(frame[a], frame[b])
                continue
        frame[c] ^= change
        if row[OP] in (SWAP, CSWAP):
            frame[b] ^= change
        counters.flipped(change, 2 if row[OP] in (SWAP, CSWAP) else 1)
        if role == UNCOMPUTE:
            counters.must_be_zero(frame[c], "roles", definition.name, definition.name_of(c))
