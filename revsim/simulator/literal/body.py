"""A program in the form that the literal kernel reads, and how it is run on lanes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from revsim.circuit.packed import SLOTS, Rows
from revsim.circuit.program import Program
from revsim.circuit.registers import Wires
from revsim.errors import InputError
from revsim.simulator.lanes import VECTOR, Words, aligned
from revsim.simulator.literal.layout import BLOCKS, END, SPARE

END_ROW = np.uint64(4 * END)
"""What follows the last row of code."""

CACHE_BYTES = 1 << 19
"""Size of a frame that lives in the level-2 cache together with code and state."""


SHORT = 1 << 13
"""Rows of code below which one word takes hardly longer in the kernel for vectors."""


@dataclass(frozen=True, eq=False)
class Literal:
    """`rows` uint64 [rows] on `slots` wires, ports first, the last one `END_ROW`; control lists as
    in `Program`. `changed` bool [slots]: all but those that rows restore by their form alone."""

    rows: Rows
    starts: npt.NDArray[np.int64]
    control_wires: Wires
    control_polarity: npt.NDArray[np.uint8]
    slots: int
    changed: npt.NDArray[np.bool_]

    @property
    def bytes(self) -> int:
        """Memory that the arrays take."""
        others = (self.starts, self.control_wires, self.control_polarity, self.changed)
        return sum(a.nbytes for a in (self.rows, *others))

    def block_words(self, words: int) -> int:
        """Words per block for a run on so many."""
        return block_words(self.slots, words, len(self.rows))


@lru_cache(maxsize=1 << 12)
def block_words(slots: int, words: int, rows: int = SHORT) -> int:
    """Words per block, one of `BLOCKS`: the least that holds `words`, as long as the frame
    fits the cache; a vector at least where there is more than one word, and for few rows of code,
    so that the kernel for single words is compiled only for those that gain by it."""
    if words <= 1 and rows >= SHORT:
        return 1
    block = VECTOR
    while block < min(words, BLOCKS[-1]) and 16 * block * slots <= CACHE_BYTES:
        block *= 2
    return block


def run(
    body: Literal,
    state: Words,
    wires: Wires,
    kept: Wires,
    restored: Wires,
    first: int,
    last: int,
    planes: Words,
    ones: npt.NDArray[np.int64],
    joint: npt.NDArray[np.int64],
    suspect: npt.NDArray[np.uint8],
    left_over: Words,
) -> None:
    """Run a body on lanes first..last; arguments as for `kernels.runner`.

    Blocks of several vectors only say that a promise broke in them: those run again, a vector at a
    time, to find the lane. What they counted is right already.
    """
    from revsim.simulator.literal import kernels

    block = body.block_words(last - first)
    if len(left_over):  # promises break all the time
        block = min(block, VECTOR)
    program = (
        *(body.rows, body.starts, body.control_wires, body.control_polarity),
        *(state, wires, kept, restored, body.slots),
    )
    frame = aligned((body.slots + SPARE) * block)
    runs = kernels.runner(block)
    runs(*program, first, last, frame, planes, ones, joint, suspect, left_over)
    if block <= VECTOR:
        return
    again = first + np.flatnonzero(suspect[first:last] == kernels.AGAIN)
    for start in again[again % block == first % block].tolist():
        end = min(start + block, last)
        suspect[start:end] = 0
        uncounted = np.zeros_like(ones), np.zeros_like(joint)
        runs = kernels.runner(VECTOR)
        runs(*program, start, end, frame, planes, *uncounted, suspect, left_over)


def body_of(program: Program) -> Literal:
    """The body of a program. Raises InputError where it needs more slots than a row can name."""
    from revsim.simulator.literal.grouping import kernels

    _check(program.slots)
    rows = kernels.group_rows(program.rows, program.slots)
    return Literal(
        rows,
        program.starts,
        program.control_wires,
        program.control_polarity,
        program.slots,
        kernels.changed_slots(rows, program.slots),
    )


def encode(rows: Rows, slots: int) -> Rows:
    """A row of code (see `layout`) for each packed gate on `slots` slots: uint64 [rows]."""
    from revsim.simulator.literal.grouping import kernels

    _check(slots)
    return np.asarray(kernels.encode_rows(rows, slots))


def _check(slots: int) -> None:
    if slots + SPARE > SLOTS:
        raise InputError(
            f"a program on {slots:,} wires at once; the fast executor takes {SLOTS - SPARE:,}: "
            'use smaller definitions, or executor="numpy"'
        )
