"""What counting costs: every bit that is erased, joint histograms, states of the whole device."""

from collections.abc import Callable
from functools import cache

import numpy as np

from revsim.bench.goals import Asked
from revsim.bench.lists import adder_chain
from revsim.bench.rows import Found, Row, at_most, known, medians, missing
from revsim.bench.runs import kernel_of, random_state
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.measures import counts
from revsim.circuit.program import gates_below
from revsim.circuit.registers import Wires
from revsim.errors import CheckError
from revsim.simulator.executors import EXECUTORS
from revsim.simulator.lanes import Words, read, unpack
from revsim.simulator.statistics import spectrum_of_rows, spectrum_of_wires
from revsim.simulator.tally import Spectrum

ADDERS, LANES = 400, 4096
GOALS = {"literal": 1.4, "fused": 2.5}
HISTOGRAMS = (1, 2, 3, 4, 8, 16)
STATE_WIRES = 256
ROWS, STATE_ROWS = 1 << 18, 1 << 15


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

    def compared(
        name: str, width: int, rows: int, peer: Callable[[Words, Wires, int], Spectrum], what: str
    ) -> Row:
        wires = np.arange(width, dtype=np.int32)
        found, expected = spectrum_of_wires(state, wires, rows, None), peer(state, wires, rows)
        if not np.array_equal(found.weight, expected.weight):
            raise CheckError(f"NumPy and revsim count the values of {width} wires differently")
        own, other, run = medians(
            lambda: spectrum_of_wires(state, wires, rows, None),
            lambda: peer(state, wires, rows),
            gates,
            budget_s=0.5,
        )
        return known(
            f"8.{name}", "samples/s", rows / own,
            f"{what}; {rows:,} samples; {other / own:.3g} times NumPy; a sample takes as long as "
            f"{own / rows * evaluated / run:.3g} gates of the literal kernel",
            "NumPy",
        )  # fmt: skip

    for width in HISTOGRAMS:
        what = f"joint histogram of {width} wire{'s' * (width > 1)}"
        yield compared(f"joint_{width}", width, ROWS, _patterns_by_numpy, what)
    what = f"joint distribution of {STATE_WIRES} wires, by a 128-bit hash of each sample's state"
    yield compared(f"state_{STATE_WIRES}", STATE_WIRES, STATE_ROWS, _states_by_numpy, what)


def _patterns_by_numpy(state: Words, wires: Wires, rows: int) -> Spectrum:
    return Spectrum.of(np.bincount(read(state, wires, rows).astype(np.int64)))


def _states_by_numpy(state: Words, wires: Wires, rows: int) -> Spectrum:
    return spectrum_of_rows(np.packbits(unpack(state[wires], rows), axis=0).T, None)
