"""Definitions ready for the compiled executors: which ports they change, what they count."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Definition
from revsim.circuit.measures import counts
from revsim.circuit.program import Program, compile_program, gates_below
from revsim.circuit.registers import Wires
from revsim.errors import InputError
from revsim.simulator.faults import NOTHING
from revsim.simulator.fused import body as fused
from revsim.simulator.fused.body import Fused
from revsim.simulator.lanes import Words
from revsim.simulator.literal import body as literal
from revsim.simulator.literal.body import Literal

NO_PORTS: Wires = np.zeros(0, dtype=np.int32)

PROGRAM_GATES = 1 << 25
"""Most gates of one definition that stands at positions: its program takes 8 bytes a gate."""


FUSED_GATES = 1 << 22
"""Most gates of a program that is folded, which takes a few dozen bytes each meanwhile."""


@dataclass(frozen=True, eq=False)
class Code:
    """A definition, forward or inverse, in the form that a compiled executor runs.

    `body` is what its kernel reads: every gate, or operations that give the same. `writes` int32
    [ports]: how many gates write each port; those `restored` int32 are changed back in the end.
    `cause_of` int64 [erased]: the cause of each ERASE among `causes`; `is_and` bool [tallies]:
    whether the gate that a TALLY announces is an AND (else an XOR). `gates`: gates of one call, on
    `wires` in use at once.
    """

    name: str
    body: Literal | Fused
    writes: npt.NDArray[np.int32]
    restored: Wires
    causes: tuple[str, ...]
    cause_of: npt.NDArray[np.int64]
    is_and: npt.NDArray[np.bool_]
    gates: int
    wires: int

    @cached_property
    def bytes(self) -> int:
        """Memory that the arrays take."""
        ports = (self.writes, self.restored, self.kept)
        return self.body.bytes + sum(a.nbytes for a in (*ports, self.cause_of, self.is_and))

    @cached_property
    def kept(self) -> Wires:
        """Ports that are changed for good."""
        return np.setdiff1d(np.flatnonzero(self.writes), self.restored).astype(np.int32)

    @cached_property
    def checked(self) -> Wires:
        """Those of the restored ports that must be looked at after a run."""
        if isinstance(self.body, Fused):
            return self.restored
        return self.restored[self.body.changed[self.restored]]

    @property
    def erased(self) -> int:
        """Number of ERASEs."""
        return len(self.cause_of)

    @property
    def tallies(self) -> int:
        """Number of TALLYs."""
        return len(self.is_and)


def run_lanes(
    code: Code,
    state: Words,
    wires: Wires,
    restored: Wires,
    first: int,
    last: int,
    planes: Words,
    ones: npt.NDArray[np.int64],
    joint: npt.NDArray[np.int64],
    suspect: npt.NDArray[np.uint8],
    left_over: Words = NOTHING,
) -> None:
    """Run code on lanes first..last in the executor that it was made for.

    A lane here is one word of one position: lane = position * words + word, where `state` is
    uint64 [device wires, words] and `wires` int32 [positions, ports] the device wires of the ports
    at each position. planes: uint64 [planes, words], the weights of rows in binary. Counts of the
    positions from that of lane `first` on: ones int64 [erased, positions], joint int64 [tallies,
    positions, 3] (of both, of the first, of the second). suspect: uint8 [lanes], set where an
    ancilla (bit 0), a role (bit 1) or a `restored` port (bit 2) was not as promised on a row that
    counts. left_over: uint64 [erased, words], what each ERASE leaves where erasures fail, or [0, 0]
    where it leaves 0 (as in fused code it must).
    """
    if isinstance(code.body, Fused):
        assert left_over.size == 0
        fused.run(code.body, state, wires, restored, first, last, planes, ones, joint, suspect)
        return
    literal.run(
        code.body, state, wires, code.kept, restored, first, last,
        planes, ones, joint, suspect, left_over,
    )  # fmt: skip


def code_of(program: Program, executor: str = "literal") -> Code:
    """The code of a program; where it is too large to be fused, for the literal executor."""
    definition = program.definition
    body: Literal | Fused
    if executor == "fused" and len(program.rows) <= FUSED_GATES:
        from revsim.simulator.folding.symbolic import fold

        body = fused.fused(fold(program))
    else:
        body = literal.body_of(program)
    return Code(
        definition.name,
        body,
        program.writes,
        NO_PORTS,
        definition.causes,
        program.cause_of,
        program.is_and,
        counts(definition).gates,
        program.slots,
    )


def compile_code(definition: Definition, inverse: bool, executor: str = "literal") -> Code:
    """The code of a definition of at most `PROGRAM_GATES` gates, remembered nowhere."""
    gates = gates_below(definition)
    if gates > PROGRAM_GATES:
        raise InputError(
            f"definition {definition.name!r} has {gates:,} gates; one that stands at positions has "
            f"at most {PROGRAM_GATES:,}: split the layer into smaller definitions"
        )
    return code_of(compile_program(definition, inverse), executor)


TRIALS = 8
"""Words of random rows on which a definition is tried: one vector."""


def find_restored(code: Code, definition: Definition) -> Code:
    """The code with the ports found that it changes and changes back, such as a wire that is
    complemented while it is read.

    A port counts as restored where an even number of gates writes it, it does not start at 0 by
    promise, and 512 random runs leave it as it was. Every run checks that it is.
    """
    ports = definition.port_wires
    zero = np.repeat([p.zero_in for p in definition.ports], [p.width for p in definition.ports])
    even = (code.writes > 0) & (code.writes % 2 == 0) & ~zero
    if not even.any():
        return code
    if isinstance(code.body, Fused) and not even[code.body.plan.changed].any():
        return replace(code, restored=np.flatnonzero(even).astype(np.int32))  # never written
    state = np.random.default_rng(0).integers(0, 1 << 64, (ports, TRIALS), dtype=np.uint64)
    state[zero] = 0
    before = state.copy()
    every = np.arange(ports, dtype=np.int32)
    run_lanes(
        replace(code, restored=NO_PORTS),
        state,
        every[None],
        NO_PORTS,
        0,
        TRIALS,
        np.zeros((1, TRIALS), dtype=np.uint64),
        np.zeros((code.erased, 1), dtype=np.int64),
        np.zeros((code.tallies, 1, 3), dtype=np.int64),
        np.zeros(TRIALS, dtype=np.uint8),
    )
    restored = np.flatnonzero(even & (state == before).all(axis=1))
    return replace(code, restored=restored.astype(np.int32))
