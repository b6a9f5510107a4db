"""What rows of code say, and what stands behind the slots of a frame.

A row is packed as a gate is (circuit/packed.py), on slots: 7 bits of kind (4 * form + role), then
a, b, c. SWAP, CSWAP, MCX, ERASE, FREE and TALLY have their opcode as form; others are below. The
role is a promise about the target, in a group about that of its Toffoli.
"""

GATE = 0
"""c ^= a & b: a Toffoli; a CNOT and a NOT too, whose missing controls are the slot of ones."""
CNOT = 9
"""c ^= a: a CNOT, or a NOT, where a is the slot of ones."""
FULL, UNFULL = 10, 11
"""A full adder with its carry on a wire of its own, and its inverse, six gates: bits a, b, the sum
c, and the carry in field c of the row behind it. a and b are restored, so not written."""
HALF, UNHALF = 12, 13
"""c ^= a & b, then b ^= a; and the inverse."""
MAJ, UMA = 14, 15
"""Runs of the two halves of an adder in place (Cuccaro, Draper, Kutin, Moulton, quant-ph/0410184),
three gates each. a: the wire that the run starts from, c: its number of rows, which follow. The
wire that one hands to the next stays in a register: MAJ: b the bit, c the wire of the next carry;
UMA: b the bit, c the wire of the carry before."""
END = 16
"""Behind the last row."""

SPARE = 2
"""Rows of a frame behind the slots: ones, zeros."""

BLOCKS = (1, 8, 16, 32, 64)
"""Words per block for which a gate loop is compiled; a single word needs no vectors."""
