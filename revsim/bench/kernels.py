"""Runs again and again, without Python between them."""

from typing import Any

from revsim.circuit.kernels import jit
from revsim.simulator.fused.kernels import run_lanes


@jit
def run_fused(
    passes: int, code: Any, state: Any, wires: Any, loaded: Any, changes: Any, slots: int,
    last: int, block: int, planes: Any, ones: Any, joint: Any, suspect: Any,
) -> None:  # fmt: skip
    """A schedule on lanes 0..last, so many times, each from what the last one stored."""
    for _ in range(passes):
        run_lanes(
            code, state, wires, loaded, changes, slots, 0, last, block, planes, ones, joint, suspect
        )
