"""Numba code that goes through a hierarchy (hierarchy.py): runs of gates, last uses, slots.

`walk` opens the calls: it lists the runs of gates in order, each a stretch of the gate table, and
the flat wires that the wires of each call are. The others go through these runs.
"""

import numpy as np
import numpy.typing as npt

from revsim.circuit.kernels import jit
from revsim.circuit.packed import KIND, SLOT

Bytes = npt.NDArray[np.uint8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Uint32s = npt.NDArray[np.uint32]
Rows = npt.NDArray[np.uint64]

_A, _B, _C = (np.uint64(KIND + k * SLOT) for k in range(3))

# Opcodes and columns of gate tables stand below as literals, see circuit/kernels.py. Columns of
# the other arrays:
#   definitions: 0 first item, 1 behind the last, 2 ports, 3 wires
#   items: 0 what is called or -1; a call: 1 its wires, 2 turns, 3 stride, 4 inverse;
#       gates: 1 first row, 2 rows, 3 first control list
#   runs: 0 first row, 1 rows, 2 step (-1 backward), 3 place of wire 0 in `flat`, 4 control list
# `flat` uint32 holds, of each call, 0 for "no wire" (which gates name -1), then for each of its
# wires 1 + the flat wire that it is. Indices are unsigned where every gate is looked at: numba asks
# of signed ones whether they count from the end, which takes twice the time.


@jit
def walk(
    definitions: Int64s,
    items: Int64s,
    wires: Int32s,
    definition: int,
    place: int,
    backward: int,
    runs: Int64s,
    flat: Uint32s,
    made: Int64s,
) -> int:
    """Write the runs of gates of a call whose flat wires stand at `place`; made: int64 [3], how
    many runs, entries of `flat` and flat wires there are. Returns 0."""
    first = definitions[definition, 0]
    size = definitions[definition, 1] - first
    for done in range(size):
        item = first + (size - 1 - done if backward else done)
        callee, start, count = items[item, 0], items[item, 1], items[item, 2]
        if callee < 0:
            run = made[0]
            runs[run, 0] = start + count - 1 if backward else start
            runs[run, 1] = count
            runs[run, 2] = -1 if backward else 1
            runs[run, 3] = place
            runs[run, 4] = items[item, 3]
            made[0] = run + 1
            continue
        inverse = backward ^ items[item, 4]
        for turn in range(count):
            moved = count - 1 - turn if inverse else turn
            inner = made[1] + 1
            flat[inner - 1] = 0
            for p in range(definitions[callee, 2]):
                wire = wires[start + p] + moved * wires[items[item, 3] + p]
                flat[inner + p] = flat[place + wire]
            for w in range(definitions[callee, 2], definitions[callee, 3]):
                made[2] += 1
                flat[inner + w] = made[2]
            made[1] = inner + definitions[callee, 3]
            walk(definitions, items, wires, callee, inner, inverse, runs, flat, made)
    return 0


@jit
def last_uses(
    runs: Int64s,
    flat: Uint32s,
    table: Int32s,
    starts: Int64s,
    listed: Int32s,
    last: Int32s,
) -> tuple[int, int]:
    """Write into last int32 [1 + flat wires] which gate uses each wire last ("no wire" first);
    returns (ERASEs, TALLYs)."""
    gate, erased, tallies = np.int64(0), np.int64(0), np.int64(0)
    for run in range(runs.shape[0]):
        g, step, place = runs[run, 0], runs[run, 2], runs[run, 3]
        for _ in range(runs[run, 1]):
            at = np.uint64(g)
            last[flat[np.uint64(place + table[at, 1])]] = gate
            last[flat[np.uint64(place + table[at, 2])]] = gate
            last[flat[np.uint64(place + table[at, 3])]] = gate
            if table[at, 0] == 5:
                which = runs[run, 4] + table[at, 5]
                for i in range(starts[which], starts[which + 1]):
                    last[flat[place + listed[i]]] = gate
            erased += table[at, 0] == 6
            tallies += table[at, 0] == 8
            gate += 1
            g += step
    return int(erased), int(tallies)


@jit
def assign_slots(
    runs: Int64s,
    flat: Uint32s,
    table: Int32s,
    starts: Int64s,
    listed: Int32s,
    positive: Bytes,
    last: Int32s,
    slot: Int32s,
    rows: Rows,
    new_starts: Int64s,
    new_listed: Int32s,
    new_positive: Bytes,
    cause_of: Int64s,
    is_and: npt.NDArray[np.bool_],
    writes: Int32s,
) -> tuple[int, int]:
    """Write the gates on slots, packed, with FREEs; returns (rows, slots).

    last: as above, -1 for "no wire" and ports. slot: int32 [1 + flat wires], 0 for "no wire", those
    of ports, then -1. A wire gets a slot when it is used first and gives it back after its last
    use; a new slot is taken only while all are in use, so there are as many as wires live at once.
    `rows`, control lists, `cause_of`, `is_and` and `writes` are filled as `Program` says, but
    `writes` ends with the writes of all that is no port.
    """
    ports = np.int64(writes.shape[0] - 1)
    slots, row, gate = ports, np.int64(0), np.int64(0)
    free, waiting = np.empty(slot.shape[0], np.int32), np.int64(0)  # slots given back, how many
    using = np.empty(3 + new_listed.shape[0], np.uint32)
    listing, control, erased, tallies, told = (
        np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(0),
    )  # fmt: skip
    for run in range(runs.shape[0]):
        g, step, place = runs[run, 0], runs[run, 2], runs[run, 3]
        for _ in range(runs[run, 1]):
            at = np.uint64(g)
            opcode = np.int64(table[at, 0])
            role = max(np.int64(table[at, 4]), np.int64(0))  # what is no gate has none
            if step < 0:  # what computes uncomputes
                role = (role & 1) << 1 | role >> 1
            at_a = flat[np.uint64(place + table[at, 1])]
            at_b = flat[np.uint64(place + table[at, 2])]
            at_c = flat[np.uint64(place + table[at, 3])]
            over = (last[at_a] == gate) | (last[at_b] == gate) | (last[at_c] == gate)
            over |= opcode == 5
            used = np.int64(0)
            if over | ((slot[at_a] | slot[at_b] | slot[at_c]) < 0):
                using[0] = at_a
                using[1] = at_b
                using[2] = at_c
                used = np.int64(3)
                if opcode == 5:
                    which = runs[run, 4] + table[at, 5]
                    for i in range(starts[which], starts[which + 1]):
                        using[used] = flat[place + listed[i]]
                        used += 1
                for k in range(used):
                    if slot[using[k]] < 0:
                        if waiting:
                            waiting -= 1
                            slot[using[k]] = free[waiting]
                        else:
                            slot[using[k]] = slots
                            slots += 1
            a = np.int64(slot[at_a])
            b = np.int64(slot[at_b])
            c = np.int64(slot[at_c])
            writes[np.uint64(min(c, ports))] += opcode != 8
            if opcode == 3 or opcode == 4:
                writes[min(b, ports)] += 1
            if opcode == 5:
                which = runs[run, 4] + table[g, 5]
                for k in range(3, used):
                    new_listed[control] = slot[using[k]]
                    new_positive[control] = positive[starts[which] + k - 3]
                    control += 1
                a = listing
                listing += 1
                new_starts[listing] = control
            elif opcode == 6:
                a = erased
                cause_of[erased] = table[g, 5]
                erased += 1
            elif opcode == 8:
                c = tallies
                tallies += 1
            elif told < tallies and (opcode == 1 or opcode == 2):
                while told < tallies:
                    is_and[told] = opcode == 2
                    told += 1
            rows[np.uint64(row)] = (
                np.uint64(4 * opcode + role)
                | np.uint64(a) << _A
                | np.uint64(b) << _B
                | np.uint64(c) << _C
            )
            row += 1
            if over:
                for k in range(used):
                    if last[using[k]] == gate:
                        last[using[k]] = -1  # once, even where a control stands twice
                        free[waiting] = slot[using[k]]
                        waiting += 1
                        if k != 2 or role != 2:
                            rows[row] = np.uint64(28) | np.uint64(slot[using[k]]) << _C
                            row += 1
            gate += 1
            g += step
    return int(row), int(slots)


@jit
def flat_rows(
    runs: Int64s,
    flat: Uint32s,
    table: Int32s,
    starts: Int64s,
    listed: Int32s,
    positive: Bytes,
    out: Int32s,
    new_starts: Int64s,
    new_listed: Int32s,
    new_positive: Bytes,
) -> int:
    """Write the gates on flat wires into one table; returns the number of TALLYs."""
    row, control, listing, tallies = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for run in range(runs.shape[0]):
        g, step, place = runs[run, 0], runs[run, 2], runs[run, 3]
        for _ in range(runs[run, 1]):
            for column in range(6):
                out[row, column] = table[g, column]
            for column in range(1, 4):
                out[row, column] = np.int64(flat[place + table[g, column]]) - 1
            if step < 0:
                out[row, 4] = (table[g, 4] & 1) << 1 | table[g, 4] >> 1
            if table[g, 0] == 5:
                which = runs[run, 4] + table[g, 5]
                for i in range(starts[which], starts[which + 1]):
                    new_listed[control] = np.int64(flat[place + listed[i]]) - 1
                    new_positive[control] = positive[i]
                    control += 1
                out[row, 5] = listing
                listing += 1
                new_starts[listing] = control
            elif table[g, 0] == 8:
                out[row, 5] = tallies
                tallies += 1
            row += 1
            g += step
    return int(tallies)
