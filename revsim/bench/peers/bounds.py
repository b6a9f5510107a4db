"""What bounds a goal that is missed, measured on the same list."""

from functools import partial

import numpy as np

from revsim.bench.roofline import WIDTHS, roofline
from revsim.bench.rows import medians
from revsim.bench.runs import random_state
from revsim.circuit.definition import Definition
from revsim.circuit.gates import CCX, CX, OP, A, B, C, X
from revsim.circuit.program import flatten, gates_below, program_of
from revsim.simulator.folding.symbolic import fold
from revsim.simulator.lanes import aligned


def bound(definition: Definition, executor: str, words: int, own: float, other: float) -> str:
    """In words, what our executor would need; own, other: seconds of a pass here and of the peer.

    Literal: the rate of an interpreter in C on the list. Fused: how many operations are left.
    """
    if executor == "literal":
        rate = interpreted(definition, words)
        if rate is None:
            return ""
        theirs = gates_below(definition) * 64 * words / other
        return (
            f"; what bounds it: an interpreter of this list in C comes to {rate:.2e} here, "
            f"{rate / theirs:.3g} times the peer"
        )
    left = operations(definition)
    blocks = max(1, words // 8)
    return (
        f"; what bounds it: {left:,} operations are left of {gates_below(definition):,} gates, at "
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
        (seconds,) = medians(call, budget_s=0.1, least=3)
        rates.append(len(gates) * 64 * width / seconds)
    return max(rates)
