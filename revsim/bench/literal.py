"""The literal kernel: against an interpreter in C, and on adders."""

from functools import cache

import numpy as np

from revsim.bench.goals import Asked
from revsim.bench.lists import adder_chain
from revsim.bench.roofline import NEEDED, WIDTHS, Roofline, bound_by, roofline
from revsim.bench.rows import Found, Point, at_least, known, medians, missing, size_in_words
from revsim.bench.runs import kernel_of, random_state
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Gates
from revsim.circuit.gates import A, B, C
from revsim.circuit.program import gates_below
from revsim.errors import CheckError
from revsim.simulator.lanes import aligned
from revsim.simulator.literal.body import block_words

STATES = (24 << 10, 256 << 10, 1 << 20)
"""Bytes of the states of the first goal: in the first and the second level of cache."""
STREAMED = (8 << 10, 128 << 10, 4 << 20, 16 << 20, 128 << 20)
"""More sizes for the figure's line of what a core can do without a list of gates."""
WIDE, WIDE_GOAL = 32, 0.9
NARROW, NARROW_GOAL = 8, 0.75
"""Words a wire, and the share of the C interpreter's rate that is to be reached."""
GATES_A_WIRE, FEWEST, MOST = 64, 50_000, 1 << 20
"""Gates of a random list: enough for each wire that fetching and storing it does not matter."""


@cache
def random_toffolis(wires: int, gates: int) -> Definition:
    """Toffolis on three different wires each, drawn uniformly."""
    stream = np.random.default_rng(wires)
    first = stream.integers(0, wires, gates)
    steps = np.sort(stream.integers(1, wires - 1, (2, gates)), axis=0)
    steps[1] += 1  # two different steps from 1..wires-1
    builder = Builder(f"{gates:,} Toffolis on {wires:,} wires")
    every = builder.port("wires", wires)
    second, third = (every[(first + step) % wires] for step in steps)
    builder.ccx(every[first], second, third)
    return builder.build()


def interpreted(asked: Asked) -> Found:
    """Goal 1: random Toffolis on states of several sizes, at each width of a block."""
    kernels = roofline()
    if kernels is None:
        for words in WIDTHS:
            yield missing(f"1.words_{words}", _goal(words), NEEDED, "an interpreter in C")
        return
    bounds = {size: kernels.streamed(size) for size in (*STATES, *STREAMED)}
    for size, rate in bounds.items():
        yield Point("streamed Toffoli in C", size, rate)
    for words in WIDTHS:
        shares, notes = [], []
        for size in STATES:
            own, theirs, note = _against_c(kernels, words, size)
            yield Point(f"literal, {_width(words)}", size, own)
            yield Point(f"interpreter in C, {_width(words)}", size, theirs)
            shares.append(own / theirs)
            notes.append(
                f"{size_in_words(size)}: {own / theirs:.2f} ({own:.2e} of {theirs:.2e}/s; streamed "
                f"without a list {bounds[size]:.2e}){note}"
            )
        detail = (
            f"random Toffolis, {64 * words:,} lanes, same list and state, same bits out; least of: "
            f"{'; '.join(notes)}"
        )
        peer = f"an interpreter in C ({kernels.compiler})"
        least = min(shares)
        if words in (1, 16):
            yield known(f"1.words_{words}", _goal(words), least, detail, peer)
        else:
            goal = WIDE_GOAL if words >= WIDE else NARROW_GOAL
            yield at_least(
                f"1.words_{words}", goal, "of the C interpreter's rate", least, detail, peer
            )


def _width(words: int) -> str:
    return "1 word a wire" if words == 1 else f"{words} words a wire"


def _goal(words: int) -> str:
    if words in (1, 16):
        return "share of the C interpreter's rate (no goal)"
    goal = WIDE_GOAL if words >= WIDE else NARROW_GOAL
    return f"at least {goal} of the C interpreter's rate"


def _against_c(kernels: Roofline, words: int, size: int) -> tuple[float, float, str]:
    """Rates of the own kernel and the C interpreter on one state, and a note on the block."""
    wires = size // (8 * words)
    gates = min(max(FEWEST, GATES_A_WIRE * wires), MOST)
    definition = random_toffolis(wires, gates)
    (gates_of,) = definition.body
    assert isinstance(gates_of, Gates)
    listed = np.ascontiguousarray(gates_of.table[:, [A, B, C]].astype(np.uint32))
    state = random_state(wires, words)
    flat = aligned(wires * words)
    flat[:] = state.ravel()
    own = kernel_of(definition, words, state=state)

    def theirs() -> None:
        kernels.interpret(flat, listed, words)

    seconds = medians(own, theirs, budget_s=0.25)
    if not np.array_equal(state.ravel(), flat):
        raise CheckError("the literal kernel and the interpreter in C disagree")
    block = block_words(wires, words)
    note = (
        "" if block == words else f", run by the literal kernel in blocks of {block} words a wire"
    )
    evaluated = gates * words * 64
    return evaluated / seconds[0], evaluated / seconds[1], note


ADDER_GATES, ADDER_WORDS = 60_000, 64


def adders(asked: Asked) -> Found:
    """Goal 2: 16-bit adders on 4,096 lanes, gate by gate, and in groups whose values between gates
    stay in registers."""
    chain = adder_chain(ADDER_GATES)
    gates, size = gates_below(chain), chain.port_wires * 8 * ADDER_WORDS
    alone, grouped = medians(
        kernel_of(chain, ADDER_WORDS, grouped=False), kernel_of(chain, ADDER_WORDS)
    )
    what = (
        f"{gates:,} gates of 16-bit adders on {chain.port_wires} wires, {64 * ADDER_WORDS:,} lanes"
    )
    for name, goal, seconds, how in (
        ("gates", 7e11, alone, "each gate fetches and stores its wires"),
        ("groups", 1e12, grouped, "runs of MAJ and UMA are fetched and stored together, every "
         "gate of them evaluated"),
    ):  # fmt: skip
        rate = gates * 64 * ADDER_WORDS / seconds
        yield Point(f"literal, 16-bit adders, {name}", size, rate)
        bound = bound_by(chain, rate, size) if name == "gates" else ""
        yield at_least(f"2.{name}", goal, "gate evaluations/s", rate, f"{what}; {how}{bound}")
