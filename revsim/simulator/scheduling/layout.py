"""The code that the fused kernel reads: runs of rows of one kind, as uint32.

A run is its kind, the number of its rows, and the rows (of a ladder, its carries before and after
them). A row names slots of the frame: what it
reads, then what it writes, then plain numbers. Values stand in slots as they are or complemented,
whichever needs no instruction of its own, so that a row complements what it reads as its kind says.
Slot 0 holds constant 0.
"""

(
    XOR,  # x ^ y
    AND,  # x & y
    AND_NOT,  # x & ~y
    NOR,  # ~x & ~y
    XOR3,  # x ^ y ^ z
    AND_XOR,  # z ^ (x & y)
    AND_NOT_XOR,  # z ^ (x & ~y)
    NOR_XOR,  # z ^ (~x & ~y)
    MUX,  # y where x, else z
    MUX_NOT,  # ~y where x, else z
    MAJORITY,  # of x, y, z
    MAJORITY_NOT,  # of ~x, y, z
    HALF,  # x ^ y and x & y
    HALF_NOT,  # x ^ y and x & ~y
    HALF_NOR,  # x ^ y and ~x & ~y
    FULL,  # x ^ y ^ z and their majority
    FULL_NOT,  # x ^ y ^ z and the majority of ~x, y, z
    COUNT,  # ones of x into a counter
    JOINT,  # ones of x & y, x and y into a counter
    FREE,  # x must be 0: a wire is released
    FREE_NOT,  # x must be 1
    ROLE,  # x must be 0: a promise of a gate
    ROLE_NOT,  # x must be 1
    LADDER,  # 1, 2, 4, 8 chains of full adders side by side, then the same of complements
) = range(24)

CHAINS = (1, 2, 4, 8)
"""Chains of a ladder of kind LADDER + k and LADDER + 4 + k.

A row of a ladder is a place: it reads a bit s and a bit x of each chain, and writes s after all of
them are added to it, one after the other. Each chain has a carry, which goes from place to place
in a register: it is read from a slot before the first row and written to one after the last. So an
adder costs little more than the load of its x. In the second four kinds each x is complemented.
"""
KINDS = LADDER + 2 * len(CHAINS)

_CHAINS = CHAINS + CHAINS
READS: tuple[int, ...] = (2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 3, 3, 1, 2, 1, 1, 1, 1)
READS += tuple(1 + chains for chains in _CHAINS)
WRITES: tuple[int, ...] = (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0) + (
    1,
) * 8
NUMBERS: tuple[int, ...] = (0,) * COUNT + (1, 1, 0, 0, 0, 0) + (0,) * 8
"""Of each kind: how many slots a row reads, how many it writes, how many plain numbers follow."""
ENDS: tuple[int, ...] = (0,) * LADDER + _CHAINS
"""Of each kind: how many slots are read before the first row and written after the last."""
