"""The code that the fused kernel reads: runs of rows of one kind, as uint32.

A run is its kind, the number of its rows, and the rows. A row names slots of the frame: what it
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
) = range(23)

READS = (2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 3, 3, 1, 2, 1, 1, 1, 1)
WRITES = (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0)
NUMBERS = (0,) * COUNT + (1, 1, 0, 0, 0, 0)
"""Of each kind: how many slots a row reads, how many it writes, how many plain numbers follow."""
