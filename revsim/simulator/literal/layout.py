"""How a gate is packed into a word, and what stands behind the slots of a frame.

A row of code is one uint64: 7 bits of kind (4 * opcode + role), then slots a, b, c of 19 bits each.
"""

KIND, SLOT = 7, 19
"""Bits of the kind and of each slot."""
SLOTS = 1 << SLOT
"""Slots that can be named."""
SPARE = 2
"""Rows of a frame behind the slots: ones, zeros."""

BLOCKS = (1, 8, 16, 32, 64)
"""Words per block for which a gate loop is compiled; a single word needs no vectors."""
