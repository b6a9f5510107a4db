"""What stands behind the slots of a frame, and how many words of each it holds.

Rows of code are packed gates (circuit/packed.py), on these slots.
"""

SPARE = 2
"""Rows of a frame behind the slots: ones, zeros."""

BLOCKS = (1, 8, 16, 32, 64)
"""Words per block for which a gate loop is compiled; a single word needs no vectors."""
