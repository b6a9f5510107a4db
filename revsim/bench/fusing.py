"""The fused executor against the literal one: the same definitions, states and counts."""

import numpy as np

from revsim.bench.building import neuron
from revsim.bench.goals import Asked
from revsim.bench.lists import multiply_accumulate
from revsim.bench.rows import Found, Point, at_least, medians, missing
from revsim.bench.runs import clean_state, kernel_of
from revsim.circuit.definition import Definition
from revsim.circuit.program import compile_program, gates_below
from revsim.errors import CheckError
from revsim.simulator.executors import EXECUTORS
from revsim.simulator.folding.symbolic import fold

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
        of = "times the rate of the literal kernel, each gate by itself"
        if "fused" not in EXECUTORS:
            yield missing(f"7.{kind}", f"at least {goal:g} {of}", "there is no fused executor here")
            continue
        gains, notes = [], []
        for name, definition in shapes(kind).items():
            alone, grouped, fused = compared(definition)
            evaluated = gates_below(definition) * 64 * WORDS
            size = 8 * WORDS * definition.port_wires
            series = f"fused, {kind.replace('_', ' ')}"
            yield Point(series, size, evaluated / fused, equivalent=True)
            gains.append(alone / fused)
            each = gates_below(definition) / len(fold(compile_program(definition)).kind)
            notes.append(
                f"{name} {alone / fused:.3g} ({grouped / fused:.3g} times literal in groups; "
                f"{evaluated / fused:.2e} equivalent gates/s against {evaluated / alone:.2e} and "
                f"{evaluated / grouped:.2e} gate evaluations/s; {each:.1f} gates an operation, so "
                f"{evaluated / fused / each:.2e} operations/s)"
            )
        yield at_least(
            f"7.{kind}", goal, of, min(gains),
            f"{what}, {64 * WORDS} lanes, same bits out; least of: {'; '.join(notes)}",
        )  # fmt: skip


def compared(definition: Definition) -> tuple[float, ...]:
    """Seconds on the same lanes of the literal kernel, gate by gate and in groups, and of the
    fused one; the bits are the same."""
    states = [clean_state(definition, WORDS) for _ in range(3)]
    calls = (
        kernel_of(definition, WORDS, state=states[0], grouped=False),
        kernel_of(definition, WORDS, state=states[1]),
        kernel_of(definition, WORDS, "fused", state=states[2]),
    )
    for call in calls:
        call()
    if not all(np.array_equal(states[0], state) for state in states[1:]):
        raise CheckError(f"literal and fused disagree about {definition.name}")
    return tuple(medians(*calls))
