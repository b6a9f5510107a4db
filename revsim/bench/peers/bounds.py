"""What bounds a goal that is missed, measured on the same list."""

from functools import partial

import numpy as np

from revsim.bench.peers.turns import side_by_side
from revsim.bench.roofline import WIDTHS, roofline
from revsim.bench.runs import random_state
from revsim.circuit.definition import Definition
from revsim.circuit.gates import CCX, CX, OP, A, B, C, X
from revsim.circuit.program import flatten, gates_below, program_of
from revsim.simulator.folding.symbolic import fold
from revsim.simulator.lanes import aligned


def bound(definition: Definition, executor: str, words: int, own: float, other: float) -> str:
    """In words, what our executor is up against; own, other: seconds of a pass here and there.

    Literal: the rate of an interpreter in C on the list. Fused: how many operations are left.
    """
    gates, blocks = gates_below(definition), max(1, words // 8)
    if executor == "literal":
        rate = interpreted(definition, words)
        if rate is None:
            return ""
        return (
            "; for comparison, an interpreter in C that runs this list gate by gate comes to "
            f"{rate:.2e} here, {rate * other / (64 * words * gates):.3g} times the peer"
        )
    left = operations(definition)
    return (
        f"; what bounds it: {left:,} operations are left of {gates:,} gates, at "
        f"{own / left / blocks * 1e9:.2g} ns each on a block; the peer takes "
        f"{other / left / blocks * 1e9:.2g} ns for as much"
    )


def operations(definition: Definition) -> int:
    """Operations that folding leaves of a leaf."""
    return len(fold(program_of(definition)).kind)


def interpreted(definition: Definition, words: int) -> float | None:
    """Best rate of an interpreter in C over blocks of up to `words` words a wire, in gate
    evaluations per second; None without a C compiler, and for lists with other gates than NOT,
    CNOT and Toffoli, all of which it runs as Toffolis that read a wire of ones."""
    kernels, table = roofline(), flatten(definition).table
    if kernels is None or not np.isin(table[:, OP], (X, CX, CCX)).all():
        return None
    wires = definition.port_wires
    gates = table[:, [A, B, C]].astype(np.uint32)
    gates[gates == np.uint32(0xFFFFFFFF)] = wires  # where there is no control, the wire of ones
    rates = []
    for width in WIDTHS:
        if width > max(1, words):
            continue
        state = aligned((wires + 1) * width)
        state[: wires * width] = random_state(wires, width).ravel()
        state[wires * width :] = ~np.uint64(0)
        call = partial(kernels.interpret, state, np.ascontiguousarray(gates), width)
        (seconds,) = side_by_side(call, budget_s=0.1)
        rates.append(len(gates) * 64 * width / seconds)
    return max(rates)
