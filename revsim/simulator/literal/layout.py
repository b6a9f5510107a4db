"""What stands behind the slots of a frame, and how wide a frame is; rows of code are packed gates
(circuit/packed.py)."""

SPARE = 5
"""Rows of a frame behind the slots: broken FREEs, broken roles, scratch, ones, zeros."""

BLOCKS = (1, 8, 16, 32, 64)
"""Words per block for which a gate loop is compiled; a single word needs no vectors."""
