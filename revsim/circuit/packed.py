"""A gate packed into a word: uint64 of 7 bits of kind (4 * opcode + role), then a, b, c, 19 each.

a, b and c are wires, 0 where a gate has none; but a is the counter of an ERASE and the control
list of an MCX, and c is the counter of a TALLY.
"""

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Table
from revsim.circuit.gates import COLUMNS, CX, ERASE, EXTRA, MCX, OP, ROLE, SWAP, TALLY, A, B, C, X

Rows = npt.NDArray[np.uint64]

KIND, SLOT = 7, 19
"""Bits of the kind and of each wire."""
SLOTS = 1 << SLOT
"""Wires that can be named."""
_SHIFTS = (0, KIND, KIND + SLOT, KIND + 2 * SLOT)


def pack(table: Table) -> Rows:
    """A gate table int32 [rows, 6] on fewer than `SLOTS` wires, packed; ERASEs are numbered.

    >>> [hex(row) for row in pack(np.array([[2, 3, 4, 5, 1, 0]], dtype=np.int32)).tolist()]
    ['0xa00010000189']
    """
    opcodes = table[:, OP]
    a, b, c = (np.maximum(table[:, column], 0) for column in (A, B, C))
    a[opcodes == ERASE] = np.arange(int((opcodes == ERASE).sum()))
    a[opcodes == MCX] = table[opcodes == MCX, EXTRA]
    c[opcodes == TALLY] = table[opcodes == TALLY, EXTRA]
    rows = np.zeros(len(table), dtype=np.uint64)
    fields = (4 * opcodes + np.maximum(table[:, ROLE], 0), a, b, c)
    for field, shift in zip(fields, _SHIFTS, strict=True):
        rows |= field.astype(np.uint64) << np.uint64(shift)
    return rows


def unpack(rows: Rows, cause_of: npt.NDArray[np.int64]) -> Table:
    """The gate table of packed rows; `cause_of` int64 [erased]: the cause of each ERASE."""
    table = np.full((len(rows), COLUMNS), -1, dtype=np.int32)
    kind, a, b, c = (
        (rows >> np.uint64(shift) & np.uint64((1 << bits) - 1)).astype(np.int32)
        for shift, bits in zip(_SHIFTS, (KIND, SLOT, SLOT, SLOT), strict=True)
    )
    opcodes = kind >> 2
    table[:, OP], table[:, A], table[:, B], table[:, C] = opcodes, a, b, c
    table[:, ROLE], table[:, EXTRA] = kind & 3, 0
    mcx, erase, tally = (opcodes == code for code in (MCX, ERASE, TALLY))
    table[mcx, EXTRA], table[erase, EXTRA], table[tally, EXTRA] = (
        a[mcx],
        cause_of[a[erase]],
        c[tally],
    )
    table[tally, C] = -1
    one = (opcodes == X) | (opcodes >= MCX) & ~tally
    table[one | (opcodes == SWAP), A] = -1
    table[one | (opcodes == CX), B] = -1
    return table
