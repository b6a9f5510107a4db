"""What counting costs: every bit that is erased, joint histograms, states of the whole device."""

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from revsim.bench.goals import Asked
from revsim.bench.lists import adder_chain
from revsim.bench.rows import Found, at_most, known, medians, missing
from revsim.bench.runs import kernel_of, random_state
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.measures import counts
from revsim.circuit.program import gates_below
from revsim.simulator.executors import EXECUTORS
from revsim.simulator.lanes import Words, read, unpack
from revsim.simulator.statistics import spectrum_of_rows, spectrum_of_wires

ADDERS, LANES = 400, 4096
GOALS = {"literal": 1.4, "fused": 2.5}
HISTOGRAMS = (1, 2, 3, 4, 8, 16)
STATE_WIRES = 256
ROWS = 1 << 16


@cache
def erasing_adders(count: int, width: int = 16, registers: int = 16) -> Definition:
    """Adders whose carries stand on wires of their own and are erased instead of undone.

    15 of 75 rows of each adder are ERASEs.

    >>> counts(erasing_adders(1)).erase, counts(erasing_adders(1)).toffoli
    (15, 29)
    """
    b = Builder(f"{count:,} erasing adders")
    held = [b.port(f"r{k}", width) for k in range(registers)]
    for k in range(count):
        target = k % registers
        x, y = held[(target + 1 + k // registers % (registers - 1)) % registers], held[target]
        carry = b.local("carry", width - 1)
        for place in range(width):
            more = place < width - 1
            if more:
                b.ccx(x[place], y[place], carry[place])
            b.cx(x[place], y[place])
            if place:
                into = carry[place - 1]
                if more:
                    b.ccx(into, y[place], carry[place])
                b.cx(into, y[place])
                b.conventional_erase(into, "carry")
    return b.build()


def erased_bits(asked: Asked) -> Found:
    """Goal 8: the same circuit with every erased bit counted, and with none."""
    adders = erasing_adders(ADDERS)
    erased, gates = counts(adders).erase, gates_below(adders)
    for executor, goal in GOALS.items():
        name = f"8.{executor}"
        of = "times the run that counts nothing"
        if executor not in EXECUTORS:
            yield missing(name, f"at most {goal} {of}", f"there is no executor {executor} here")
            continue
        words = LANES // 64
        counting, bare = medians(
            kernel_of(adders, words, executor), kernel_of(adders, words, executor, counted=False)
        )
        yield at_most(
            name, goal, of, counting / bare,
            f"{erased:,} ERASEs among {gates:,} rows of 16-bit adders whose carries are erased, "
            f"{LANES:,} lanes: {counting * 1e3:.3g} ms against {bare * 1e3:.3g} ms; "
            f"{erased * LANES / counting:.2e} erased bits counted a second",
        )  # fmt: skip
    yield from _statistics()


def _statistics() -> Found:
    """Counts of registers and of whole states, beside NumPy, and in gates of the literal kernel."""
    state = random_state(STATE_WIRES, ROWS // 64)
    chain = adder_chain(10_000)
    gates = kernel_of(chain, LANES // 64)
    evaluated = gates_below(chain) * LANES

    def compared(name: str, width: int, peer: Callable[[], object], what: str) -> Found:
        wires = np.arange(width, dtype=np.int32)
        own, other, run = medians(
            lambda: spectrum_of_wires(state, wires, ROWS, None), peer, gates, budget_s=0.5
        )
        yield known(
            f"8.{name}", "samples/s", ROWS / own,
            f"{what}; {ROWS:,} samples; {other / own:.3g} times NumPy; a sample takes as long as "
            f"{own / ROWS * evaluated / run:.3g} gates of the literal kernel",
            "NumPy",
        )  # fmt: skip

    for width in HISTOGRAMS:
        yield from compared(
            f"joint_{width}", width,
            partial(_counted_by_numpy, state, width),
            f"joint histogram of {width} wires",
        )  # fmt: skip
    yield from compared(
        f"state_{STATE_WIRES}", STATE_WIRES,
        lambda: spectrum_of_rows(np.packbits(unpack(state, ROWS), axis=0).T, None),
        f"joint distribution of {STATE_WIRES} wires, by a 128-bit hash of each sample's state",
    )  # fmt: skip


def _counted_by_numpy(state: Words, width: int) -> object:
    values = read(state, np.arange(width, dtype=np.int32), ROWS)
    return np.bincount(values.astype(np.int64))
