"""What a run counts while gates execute: promises broken and bits thrown away inside netlists.

Sums are exact integers, so that they do not depend on how lanes were cut into blocks or threads.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from revsim.simulator.faults import FaultStream
from revsim.simulator.lanes import Words, weighted_ones

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Violation:
    """A broken promise: check "ancillas" (a wire released while not 0) or "roles"."""

    check: str
    layer: str
    definition: str
    wire: str
    row: int
    position: int | None = None

    def __str__(self) -> str:
        where = f"layer {self.layer!r}, " if self.layer else ""
        where += "" if self.position is None else f"position {self.position}, "
        what = (
            "is released but does not hold 0"
            if self.check == "ancillas"
            else "breaks the role of a gate: it should hold 0"
        )
        return f"{where}definition {self.definition!r}: {self.wire} {what}, first in row {self.row}"


@dataclass
class Counters:
    """Counters of one call: `planes` (uint64 [planes, words]) are the weights of its lanes.

    `ones` holds, per inner ERASE in order of execution, (cause, weight of lanes holding 1);
    `joint` holds, per TALLY, the weights of (a and b, a, b). `suspects` are words of
    lanes in which the fast executor saw a broken promise. `toggles` is the weight of all flips of
    wires by gates, or None where they are not counted. `faults`: erasures fail; nothing is then
    promised to be 0. `fused`: how many gates were replaced by fewer operations.
    """

    planes: Words
    layer: str = ""
    violations: list[Violation] = field(default_factory=list)
    ones: list[tuple[str, int]] = field(default_factory=list)
    joint: list[tuple[int, int, int]] = field(default_factory=list)
    suspects: set[int] = field(default_factory=set)
    toggles: int | None = None
    faults: FaultStream | None = None
    fused: int = 0

    def must_be_zero(self, wire: Words, check: str, definition: str, name: str) -> None:
        """Record a violation where a wire holds 1 on a lane that counts.

        A row of weight 0 has no lane that counts; there is at most one record per wire and call.
        """
        if self.faults is not None:
            return
        lanes = np.bitwise_or.reduce(self.planes, axis=0) & wire
        if lanes.any():
            word = int(np.flatnonzero(lanes)[0])
            bit = int(lanes[word] & (~lanes[word] + np.uint64(1))).bit_length() - 1
            found = self.violation(check, definition, name, 64 * word + bit)
            if found not in self.violations and len(self.violations) < 100:
                self.violations.append(found)

    def violation(self, check: str, definition: str, name: str, lane: int) -> Violation:
        """What is recorded of a wire that should be 0 and is not on `lane`."""
        return Violation(check, self.layer, definition, name, lane)

    def flipped(self, change: Words, wires: int = 1) -> None:
        """Count the lanes in which a gate flips `wires` wires, where toggles are counted."""
        if self.toggles is not None:
            self.toggles += wires * weighted_ones(change, self.planes)

    def erased(self, wire: Words, cause: str) -> None:
        """Count a wire that an inner ERASE is about to reset."""
        self.ones.append((cause, weighted_ones(wire, self.planes)))

    def tallied(self, first: Words, second: Words) -> None:
        """Count the joint values of two wires."""
        self.joint.append(
            (
                weighted_ones(first & second, self.planes),
                weighted_ones(first, self.planes),
                weighted_ones(second, self.planes),
            )
        )


@dataclass
class PositionCounters(Counters):
    """Counters of one definition at many positions, `words` words of rows each.

    `planes` are those of the rows, repeated for each position. `ones_at` holds, per inner ERASE,
    int64 [positions], `joint_at`, per TALLY, int64 [positions, 3].
    """

    words: int = 1
    causes: list[str] = field(default_factory=list)
    ones_at: list[Integers] = field(default_factory=list)
    joint_at: list[Integers] = field(default_factory=list)

    def violation(self, check: str, definition: str, name: str, lane: int) -> Violation:
        """As above, with the position and the row that a lane stands for."""
        position, row = divmod(lane, 64 * self.words)
        return Violation(check, self.layer, definition, name, row, position)

    def _at(self, wire: Words) -> Integers:
        """Weight of the rows where a wire is 1, at each position."""
        ones = np.bitwise_count(self.planes & wire).astype(np.int64)
        each = ones.reshape(len(self.planes), -1, self.words).sum(axis=2)
        return np.asarray((each << np.arange(len(each))[:, None]).sum(axis=0))

    def erased(self, wire: Words, cause: str) -> None:
        """Count a wire that an inner ERASE is about to reset."""
        self.causes.append(cause)
        self.ones_at.append(self._at(wire))

    def tallied(self, first: Words, second: Words) -> None:
        """Count the joint values of two wires."""
        self.joint_at.append(
            np.stack([self._at(wire) for wire in (first & second, first, second)], axis=1)
        )
