"""The fused executor against the literal one: the same definitions, states and counts."""

import numpy as np

from revsim.bench.building import neuron
from revsim.bench.goals import Asked
from revsim.bench.lists import multiply_accumulate
from revsim.bench.rows import Found, Point, at_least, medians, missing
from revsim.bench.runs import clean_state, kernel_of
from revsim.circuit.definition import Definition
from revsim.circuit.program import gates_below
from revsim.errors import CheckError
from revsim.simulator.executors import EXECUTORS

WORDS = 8
TAPS = (64, 128, 144, 288, 576, 640)
"""Inputs of the neurons of MLPerf Tiny's dense and convolution layers."""
KINDS = {
    "shift_and_add": (20.0, "lists of adders in place, one per signed digit of a weight"),
    "columns": (5.0, "columns of full adders, as the compiler emits them (12 would be better)"),
}
"""Goals, and what is run."""


def shapes(kind: str) -> dict[str, Definition]:
    """Definitions of a kind, by name."""
    if kind == "shift_and_add":
        return {f"{n} x {m}": multiply_accumulate(n, m) for n, m in ((16, 4), (64, 16))}
    return {f"{taps} inputs": neuron(taps) for taps in TAPS}


def fused_over_literal(asked: Asked) -> Found:
    """Goal 7: how many times the literal rate the fused executor has, on 512 lanes."""
    for kind, (goal, what) in KINDS.items():
        of = "times the rate of the literal executor"
        if "fused" not in EXECUTORS:
            yield missing(f"7.{kind}", f"at least {goal:g} {of}", "there is no fused executor here")
            continue
        gains, notes = [], []
        for name, definition in shapes(kind).items():
            literal, fused = compared(definition)
            evaluated = gates_below(definition) * 64 * WORDS
            yield Point(
                f"fused, {kind.replace('_', ' ')}",
                8 * WORDS * definition.port_wires,
                evaluated / fused,
                equivalent=True,
            )
            gains.append(literal / fused)
            notes.append(
                f"{name}: {literal / fused:.3g} ({evaluated / fused:.2e} equivalent gates/s "
                f"against {evaluated / literal:.2e} gate evaluations/s)"
            )
        yield at_least(
            f"7.{kind}", goal, of, min(gains),
            f"{what}, {64 * WORDS} lanes, same bits out; least of: {'; '.join(notes)}",
        )  # fmt: skip


def compared(definition: Definition) -> tuple[float, float]:
    """Seconds of the literal and of the fused executor on the same lanes; the bits are the same."""
    states = clean_state(definition, WORDS), clean_state(definition, WORDS)
    calls = [
        kernel_of(definition, WORDS, executor, state=state)
        for executor, state in zip(("literal", "fused"), states, strict=True)
    ]
    for call in calls:
        call()
    if not np.array_equal(*states):
        raise CheckError(f"literal and fused disagree about {definition.name}")
    literal, fused = medians(*calls)
    return literal, fused
