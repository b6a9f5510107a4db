"""A netlist in the form that the fused kernel reads, and how it is run on lanes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from revsim.circuit.registers import Wires
from revsim.simulator.fused.netlist import Netlist
from revsim.simulator.lanes import Words
from revsim.simulator.scheduling.schedule import Schedule, in_words, schedule

Counts = npt.NDArray[np.int64]
VECTOR = 8
"""Words of a block where there is more than one: what a row works on at once."""


@dataclass(frozen=True, eq=False)
class Fused:
    """What a definition computes, as a schedule of fewer operations than it has gates."""

    plan: Schedule

    @property
    def slots(self) -> int:
        """Values that a frame holds at once."""
        return self.plan.slots

    @cached_property
    def bytes(self) -> int:
        """Memory that the arrays take, those for both block widths."""
        return sum(a.nbytes for a in (*self.plan.arrays, self.plan.code, self.plan.code))

    def block_words(self, words: int) -> int:
        """Words per block for a run on so many."""
        return 1 if words <= 1 else VECTOR

    @cached_property
    def flips(self) -> bool:
        """Whether something is counted by its complement."""
        return bool(self.plan.erased_flipped.any() or self.plan.tallied_flipped.any())

    @cached_property
    def changes(self) -> Wires:
        """int32 [4, changed]: ports, slots, whether complemented, whether restored (here: none)."""
        plan = self.plan
        rows = (plan.changed, plan.results, plan.results_flipped, 0 * plan.changed)
        return np.array(rows, dtype=np.int32)

    @cached_property
    def narrow(self) -> npt.NDArray[np.uint32]:
        """The code for blocks of one word."""
        return in_words(self.plan, 1)

    @cached_property
    def wide(self) -> npt.NDArray[np.uint32]:
        """The code for blocks of a vector."""
        return in_words(self.plan, VECTOR)


def fused(netlist: Netlist) -> Fused:
    """A netlist ready to run."""
    return Fused(schedule(netlist))


def run(
    body: Fused,
    state: Words,
    wires: Wires,
    restored: Wires,
    first: int,
    last: int,
    planes: Words,
    ones: Counts,
    joint: Counts,
    suspect: npt.NDArray[np.uint8],
) -> None:
    """Run a body on lanes first..last; arguments as for `code.run_lanes`."""
    from revsim.simulator.fused import kernels

    plan, block = body.plan, body.block_words(last - first)
    counted = (np.zeros_like(ones), np.zeros_like(joint)) if body.flips else (ones, joint)
    changes = body.changes
    if len(restored):
        changes = changes.copy()
        stays = np.zeros(wires.shape[1], dtype=np.int32)
        stays[restored] = 1
        changes[3] = stays[plan.changed]
    kernels.run_lanes(
        body.narrow if block == 1 else body.wide, state, wires, plan.loaded, changes,
        plan.slots, first, last, block, planes, *counted, suspect,
    )  # fmt: skip
    if body.flips:
        total = _weights(planes, state.shape[1], first, last, ones.shape[1])
        ones += _unflipped(counted[0], plan.erased_flipped, total)
        joint += _joint_unflipped(counted[1], plan.tallied_flipped, total)


def _weights(planes: Words, words: int, first: int, last: int, positions: int) -> Counts:
    """Weight of the lanes first..last of each position, int64 [positions]."""
    shifts = np.arange(len(planes))[:, None]
    each = (np.bitwise_count(planes).astype(np.int64) << shifts).sum(axis=0)
    lanes = np.arange(first, last)
    total = np.zeros(positions, dtype=np.int64)
    np.add.at(total, lanes // words - first // words, each[lanes % words])
    return total


def _unflipped(ones: Counts, flipped: npt.NDArray[np.uint8], total: Counts) -> Counts:
    """Ones of values from those of what stood for them."""
    return np.where(flipped[:, None] == 1, total - ones, ones)


def _joint_unflipped(joint: Counts, flipped: npt.NDArray[np.uint8], total: Counts) -> Counts:
    """Counts of (a and b, a, b) where one or both were counted as complements."""
    both, a, b = joint[..., 0], joint[..., 1], joint[..., 2]
    not_a, not_b = (flipped[:, k, None] == 1 for k in range(2))
    both = np.where(not_a, b - both, both)
    a = _unflipped(a, flipped[:, 0], total)
    both = np.where(not_b, a - both, both)
    return np.stack([both, a, _unflipped(b, flipped[:, 1], total)], axis=2)
