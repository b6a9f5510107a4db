"""Every block with its promises, gathered from the files that define them.

>>> block_named("less_than").cost(8)["toffoli"]
15
"""

from revsim.blocks import (
    add,
    clamp,
    columns,
    compare,
    linear_in_place,
    lookup,
    maximum,
    multiply,
    popcount,
    requantise,
    select,
    top_k,
)
from revsim.blocks.block import Block
from revsim.errors import InputError

BLOCKS: tuple[Block, ...] = (
    *add.BLOCKS,
    *compare.BLOCKS,
    *popcount.BLOCKS,
    *columns.BLOCKS,
    *linear_in_place.BLOCKS,
    *select.BLOCKS,
    *clamp.BLOCKS,
    *maximum.BLOCKS,
    *requantise.BLOCKS,
    *lookup.BLOCKS,
    *multiply.BLOCKS,
    *top_k.BLOCKS,
)


def block_named(name: str) -> Block:
    """The block of this name. Raises InputError with the known names otherwise."""
    for block in BLOCKS:
        if block.name == name:
            return block
    raise InputError(f"no block {name!r}; there are {', '.join(b.name for b in BLOCKS)}")
