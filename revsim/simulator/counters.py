"""What a run counts while gates execute: promises broken and bits thrown away inside netlists.

Sums are exact integers, so that they do not depend on how lanes were cut into blocks or threads.
"""

from dataclasses import dataclass, field

import numpy as np

from revsim.simulator.faults import FaultStream
from revsim.simulator.lanes import Words, weighted_ones


@dataclass(frozen=True)
class Violation:
    """A broken promise: check "ancillas" (a wire released while not 0) or "roles"."""

    check: str
    layer: str
    definition: str
    wire: str
    row: int

    def __str__(self) -> str:
        where = f"layer {self.layer!r}, " if self.layer else ""
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
    promised to be 0.
    """

    planes: Words
    layer: str = ""
    violations: list[Violation] = field(default_factory=list)
    ones: list[tuple[str, int]] = field(default_factory=list)
    joint: list[tuple[int, int, int]] = field(default_factory=list)
    suspects: set[int] = field(default_factory=set)
    toggles: int | None = None
    faults: FaultStream | None = None

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
            found = Violation(check, self.layer, definition, name, 64 * word + bit)
            if found not in self.violations and len(self.violations) < 100:
                self.violations.append(found)

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
