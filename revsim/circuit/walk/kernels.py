"""Numba code that walks through a hierarchy (hierarchy.py): last uses of wires, slots, flat tables.

`_next_run` goes from one run of gates to the next; each kernel below it loops over such runs. A
definition that is being walked through has a stretch of `frame` int32: first an entry for "no
wire" (which gates name -1), then one for each of its wires, ports first. What an entry holds is up
to the kernel. A call copies the entries of its ports in, and out again when it is left, so a gate
looks up its wires in one place, however deep it stands.
"""

import numpy as np
import numpy.typing as npt

from revsim.circuit.kernels import jit
from revsim.circuit.packed import KIND, SLOT

Bytes = npt.NDArray[np.uint8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Rows = npt.NDArray[np.uint64]

_A, _B, _C = (np.uint64(KIND + k * SLOT) for k in range(3))

# Opcodes and columns of gate tables stand below as literals, see circuit/kernels.py. Columns of
# the other arrays:
#   definitions: 0 first item, 1 behind the last, 2 ports, 3 wires
#   items: 0 what is called or -1; a call: 1 its wires, 2 turns, 3 stride, 4 inverse;
#       gates: 1 first row, 2 rows, 3 first control list
#   stack, a row per level: 0 definition, 1 items done, 2 turns done, 3 place in frame, 4 backward
#   run: 0 level, 1 first row, 2 rows, 3 step, 4 place in frame, 5 backward, 6 first control list,
#       7 what the next local starts with


@jit
def _next_run(
    definitions: Int64s,
    items: Int64s,
    wires: Int32s,
    stack: Int64s,
    run: Int64s,
    frame: Int32s,
    no_wire: int,
    numbered: int,
) -> bool:
    """Go on to the next run of gates, or return False at the end.

    Locals of what is entered start with run[7], which grows by `numbered` (0 or 1) for each.
    """
    level = run[0]
    while True:
        definition, place, backward = stack[level, 0], stack[level, 3], stack[level, 4]
        size = definitions[definition, 1] - definitions[definition, 0]
        done = stack[level, 1]
        leaving = done == size
        if leaving:  # all items are done: back to the call
            if level == 0:
                return False
            level -= 1
            inner = place
            definition, place, backward = stack[level, 0], stack[level, 3], stack[level, 4]
            size = definitions[definition, 1] - definitions[definition, 0]
            done = stack[level, 1]
        item = definitions[definition, 0] + (size - 1 - done if backward else done)
        callee, start, count = items[item, 0], items[item, 1], items[item, 2]
        if callee < 0:
            run[0] = level
            run[1] = start + count - 1 if backward else start
            run[2] = count
            run[3] = -1 if backward else 1
            run[4], run[5], run[6] = place, backward, items[item, 3]
            stack[level, 1] = done + 1
            return True
        turn = stack[level, 2]
        if turn == count:
            stack[level, 1], stack[level, 2] = done + 1, 0
            continue
        inverse = backward ^ items[item, 4]
        if inverse:
            turn = count - 1 - turn
        ports, stride = definitions[callee, 2], items[item, 3]
        if leaving:
            for p in range(ports):
                frame[place + wires[start + p] + turn * wires[stride + p]] = frame[inner + p]
            stack[level, 2] += 1
            continue
        inner = place + definitions[definition, 3] + 1
        frame[inner - 1] = no_wire
        for p in range(ports):
            frame[inner + p] = frame[place + wires[start + p] + turn * wires[stride + p]]
        for w in range(ports, definitions[callee, 3]):
            frame[inner + w] = run[7]
            run[7] += numbered
        level += 1
        stack[level, 0], stack[level, 1], stack[level, 2] = callee, 0, 0
        stack[level, 3], stack[level, 4] = inner, inverse


@jit
def _role(role: int, backward: int) -> int:
    """The role of a gate: backward, what computes uncomputes; what is no gate (-1) has none."""
    if role < 0:
        return 0
    return ((role & 1) << 1 | role >> 1) if backward else role


@jit
def last_uses(
    definitions: Int64s,
    items: Int64s,
    wires: Int32s,
    table: Int32s,
    starts: Int64s,
    listed: Int32s,
    stack: Int64s,
    run: Int64s,
    frame: Int32s,
    ends: Bytes,
    control_ends: Bytes,
    found: Int64s,
) -> None:
    """Which wires each gate uses last: walk from the last gate to the first.

    An entry of the frame is 1 where a wire is used later on. ends: uint8 [gates], bits 0, 1, 2 for
    wires A, B, C; control_ends: uint8, one for each control of the control lists in order. found:
    int64 [3], the rows with a FREE for each last use (none where the gate promises that its target
    is 0 after it), ERASEs and TALLYs.
    """
    gate, control = len(ends), len(control_ends)
    frees, erased, tallies = np.int64(0), np.int64(0), np.int64(0)
    while _next_run(definitions, items, wires, stack, run, frame, np.int64(1), np.int64(0)):
        g, step, place, lists = run[1], run[3], run[4], run[6]
        promised = 1 if run[5] == 0 else 2  # UNCOMPUTE, once the walk goes forward
        for _ in range(run[2]):
            gate -= 1
            a, b, c = place + table[g, 1], place + table[g, 2], place + table[g, 3]
            in_a, in_b, in_c = 1 - frame[a], 1 - frame[b], 1 - frame[c]
            frame[a], frame[b], frame[c] = 1, 1, 1
            ends[gate] = in_a | in_b << 1 | in_c << 2
            frees += in_a + in_b + (0 if table[g, 4] == promised else in_c)
            opcode = table[g, 0]
            if opcode == 5:
                which = lists + table[g, 5]
                for i in range(starts[which + 1] - 1, starts[which] - 1, -1):
                    control -= 1
                    w = place + listed[i]
                    control_ends[control] = 1 - frame[w]
                    frees += 1 - frame[w]
                    frame[w] = 1
            erased += opcode == 6
            tallies += opcode == 8
            g += step
    found[0], found[1], found[2] = len(ends) + frees, erased, tallies


@jit
def _packed(kind: int, a: int, b: int, c: int) -> np.uint64:
    return np.uint64(kind) | np.uint64(a) << _A | np.uint64(b) << _B | np.uint64(c) << _C


@jit
def assign_slots(
    definitions: Int64s,
    items: Int64s,
    wires: Int32s,
    table: Int32s,
    starts: Int64s,
    listed: Int32s,
    positive: Bytes,
    stack: Int64s,
    run: Int64s,
    frame: Int32s,
    ends: Bytes,
    control_ends: Bytes,
    rows: Rows,
    new_starts: Int64s,
    new_listed: Int32s,
    new_positive: Bytes,
    cause_of: Int64s,
    is_and: npt.NDArray[np.bool_],
    writes: Int32s,
) -> int:
    """Write the gates on slots, packed, with FREEs (see `last_uses`); returns the number of slots.

    An entry of the frame is the slot of a wire, -1 while it has none. A wire gets a slot when it
    is used first and gives it back after its last use; a new slot is taken only while all are in
    use, so there are as many as wires live at once. `rows`, control lists, `cause_of`, `is_and`
    and `writes` are filled as `Program` says.
    """
    ports = len(writes)
    slots = np.int64(ports)
    free, waiting = np.empty(len(frame), np.int32), np.int64(0)  # slots given back, and how many
    row, gate, listing, control = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    erased, tallies, told = np.int64(0), np.int64(0), np.int64(0)
    while _next_run(definitions, items, wires, stack, run, frame, np.int64(0), np.int64(0)):
        g, step, place, backward, lists = run[1], run[3], run[4], run[5], run[6]
        for _ in range(run[2]):
            opcode, role = np.int64(table[g, 0]), _role(np.int64(table[g, 4]), backward)
            first = control
            if opcode == 5:  # its controls are used like A, B and C
                which = lists + table[g, 5]
                for i in range(starts[which], starts[which + 1]):
                    w = place + listed[i]
                    if frame[w] < 0:
                        if waiting:
                            waiting -= 1
                            frame[w] = free[waiting]
                        else:
                            frame[w] = slots
                            slots += 1
                    new_listed[control], new_positive[control] = frame[w], positive[i]
                    control += 1
                new_starts[listing + 1] = control
            at_a, at_b, at_c = place + table[g, 1], place + table[g, 2], place + table[g, 3]
            if (frame[at_a] | frame[at_b] | frame[at_c]) < 0:
                for k in range(1, 4):
                    w = place + table[g, k]
                    if frame[w] < 0:
                        if waiting:
                            waiting -= 1
                            frame[w] = free[waiting]
                        else:
                            frame[w] = slots
                            slots += 1
            a, b, c = np.int64(frame[at_a]), np.int64(frame[at_b]), np.int64(frame[at_c])
            if c < ports and opcode != 8:
                writes[c] += 1
            if b < ports and (opcode == 3 or opcode == 4):
                writes[b] += 1
            if opcode >= 5:
                if opcode == 5:
                    a, listing = listing, listing + 1
                elif opcode == 6:
                    cause_of[erased] = table[g, 5]
                    a, erased = erased, erased + 1
                else:
                    c, tallies = tallies, tallies + 1
            elif told < tallies and (opcode == 1 or opcode == 2):
                for k in range(told, tallies):
                    is_and[k] = opcode == 2
                told = tallies
            rows[row] = _packed(4 * opcode + role, a, b, c)
            row += 1
            over = ends[gate]
            if over:
                for k in range(3):
                    if over >> k & 1:
                        slot = frame[place + table[g, k + 1]]
                        free[waiting] = slot
                        waiting += 1
                        if k < 2 or role != 2:
                            rows[row] = _packed(28, 0, 0, slot)
                            row += 1
            for i in range(first, control):
                if control_ends[i]:
                    free[waiting] = new_listed[i]
                    waiting += 1
                    rows[row] = _packed(28, 0, 0, new_listed[i])
                    row += 1
            gate += 1
            g += step
    return int(slots)


@jit
def flat_rows(
    definitions: Int64s,
    items: Int64s,
    wires: Int32s,
    table: Int32s,
    starts: Int64s,
    listed: Int32s,
    positive: Bytes,
    stack: Int64s,
    run: Int64s,
    frame: Int32s,
    out: Int32s,
    new_starts: Int64s,
    new_listed: Int32s,
    new_positive: Bytes,
) -> int:
    """Write the gates into one table; an entry of the frame is a wire. Returns the TALLYs."""
    row, control, lists_done, tallies = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    while _next_run(definitions, items, wires, stack, run, frame, np.int64(-1), np.int64(1)):
        g, step, place, backward, lists = run[1], run[3], run[4], run[5], run[6]
        for _ in range(run[2]):
            out[row, 0] = table[g, 0]
            for column in range(1, 4):
                out[row, column] = frame[place + table[g, column]]
            out[row, 4] = _role(table[g, 4], backward)
            out[row, 5] = table[g, 5]
            if table[g, 0] == 5:
                out[row, 5] = lists_done
                which = lists + table[g, 5]
                for i in range(starts[which], starts[which + 1]):
                    new_listed[control] = frame[place + listed[i]]
                    new_positive[control] = positive[i]
                    control += 1
                lists_done += 1
                new_starts[lists_done] = control
            elif table[g, 0] == 8:
                out[row, 5] = tallies
                tallies += 1
            row += 1
            g += step
    return int(tallies)
