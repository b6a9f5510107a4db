"""Experiment 16: counting resets confirms the bound for circuits that were wired at random."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit
from revsim.circuit.registers import Encoding
from revsim.experiments.experiment import Experiment, Outcome
from revsim.ledger.ledgers import Ledgers, ledger_rows, total_of
from revsim.report.report import Table
from revsim.schedule.device import Device
from revsim.simulator.ensemble import uniform
from revsim.simulator.run import simulate

SEED = 16
CIRCUITS = 300
INPUTS = 8
NEURONS = (4, 32)
"""Fewest and most neurons of a circuit."""
LITERALS = 5
"""Most literals in a product: the more, the rarer its ones."""


@dataclass(frozen=True)
class Wired:
    """One circuit: its ledgers, and the transitions of its neurons by both readings."""

    neurons: int
    active: float
    changed: float
    ledgers: Ledgers


def random_wiring(random: np.random.Generator, neurons: int) -> Circuit:
    """One-bit neurons, each the XOR of one to three random products of inputs or of the complement
    of all that, each reset by itself; the input is kept, so that nothing need be lost at all."""
    bit = Encoding(0, (1,))
    device = Device([bit] * INPUTS)
    device.layer = "layer1"
    given = np.concatenate([r.wires for r in device.inputs])
    states = [device.alloc(f"neuron[{j}]", bit) for j in range(neurons)]
    b = Builder("random wiring")
    x = b.port("x", INPUTS)
    for j in range(neurons):
        y = b.port(f"y{j}", 1, zero=True)
        for _ in range(int(random.integers(1, 4))):
            read = random.choice(x, int(random.integers(1, LITERALS + 1)), replace=False).tolist()
            b.mcx([(w, bool(random.integers(2))) for w in read], int(y[0]))
        if random.integers(2):
            b.x(y)
    device.call(b.build(), given, *(s.wires for s in states))
    for j, state in enumerate(states):
        device.erase(f"neuron[{j}]", state.wires, "neuron_state", f"neuron {j}")
    for j, state in enumerate(states):
        device.free(f"neuron[{j}]", state.wires)
    return device.circuit("random", device.inputs, (), "as_written", "keep", "")


def measure(random: np.random.Generator, neurons: int) -> Wired:
    """A random circuit on all inputs, every gate run."""
    every = uniform([0] * INPUTS, [1] * INPUTS)
    tally = simulate(random_wiring(random, neurons), every).tally
    p = np.array([e.ones[0] / tally.total for e in tally.erasures])
    changed = float((2 * p * (1 - p)).sum())
    return Wired(neurons, float(p.sum()), changed, total_of(ledger_rows(tally)))


TESTS = {
    "reset_count": "resets counted (A0)",
    "per_bit": "each bit's entropy (A1)",
    "per_group": "all states together",
    "given_kept": "given the kept input (A3)",
}


def _passes(value: float, bound: float) -> bool:
    return value >= bound - 1e-12


def _run() -> Outcome:
    random = np.random.default_rng(SEED)
    sizes = random.integers(NEURONS[0], NEURONS[1] + 1, CIRCUITS).tolist()
    found = [measure(random, n) for n in sizes]
    # Each circuit's resets against the transitions of another of at most its size.
    pairs = [(a, b) for a in found for b in found if a is not b and b.neurons <= a.neurons]
    strangers = [
        _passes(a.ledgers.reset_count, bound) for a, b in pairs for bound in (b.active, b.changed)
    ]
    strange = float(np.mean(strangers))
    passed = {
        name: tuple(
            float(np.mean([_passes(getattr(w.ledgers, name), getattr(w, r)) for w in found]))
            for r in ("active", "changed")
        )
        for name in TESTS
    }
    twice = float(np.mean([_passes(w.ledgers.per_bit, 2 * w.changed) for w in found]))
    powerless = min(*passed["reset_count"], strange) == 1
    holds = powerless and twice == 1 and passed["given_kept"] == (0, 0)
    verdict = "so the count tests nothing" if powerless else "yet the count can fail as a test"
    sentence = (
        f"{passed['reset_count'][0]:.0%} of {CIRCUITS} randomly wired circuits erase at least as "
        f"many bits as neurons are active, and {strange:.0%} even against the neurons of another "
        f"circuit, {verdict}; entropy reaches the active neurons in "
        f"{passed['per_bit'][0]:.0%} bit by bit, {passed['per_group'][0]:.0%} together, "
        f"{passed['given_kept'][0]:.0%} given the kept input."
    )
    return Outcome(
        holds=holds,
        sentence=sentence,
        numbers={
            "circuits": CIRCUITS,
            **{f"{name}_reaches_active": share[0] for name, share in passed.items()},
            **{f"{name}_reaches_changed": share[1] for name, share in passed.items()},
            "reset_count_reaches_strangers": strange,
            "per_bit_reaches_twice_changed": twice,
        },
        tables={
            "Share of the circuits that pass each test": Table(
                ("what is compared", "active neurons", "changed neurons"),
                (
                    *((words, *(f"{s:.0%}" for s in passed[n])) for n, words in TESTS.items()),
                    ("resets against another circuit", f"{strange:.0%}", f"{strange:.0%}"),
                ),
            ),
            "Means over the circuits (bits, neurons)": Table(
                ("neurons", "active", "changed", "A0", "A1", "together", "A3"),
                (
                    (
                        float(np.mean([w.neurons for w in found])),
                        float(np.mean([w.active for w in found])),
                        float(np.mean([w.changed for w in found])),
                        *(float(np.mean([getattr(w.ledgers, n) for w in found])) for n in TESTS),
                    ),
                ),
            ),
        },
        series={
            "active": [w.active for w in found],
            **{name: [float(getattr(w.ledgers, name)) for w in found] for name in TESTS},
        },
    )


COLOURS = {
    "reset_count": "#b3aed0",
    "per_bit": "#7367a8",
    "per_group": "#f2a541",
    "given_kept": "#3b2a6b",
}
MARKERS = {"reset_count": "^", "per_bit": "o", "per_group": "s", "given_kept": "x"}


def _draw(outcome: Outcome, figure: Any) -> None:
    left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
    active: npt.NDArray[np.float64] = np.array(outcome.series["active"])
    for name, words in TESTS.items():
        left.scatter(
            active,
            outcome.series[name],
            s=14,
            c=COLOURS[name],
            marker=MARKERS[name],
            label=words,
            alpha=0.8,
        )
    end = float(active.max())
    left.plot(
        [0, end], [0, end], color="#e45756", lw=2, label="the bound: one bit per active neuron"
    )
    left.set(
        xlabel="active neurons per inference",
        ylabel="bits per inference",
        title=f"{CIRCUITS} circuits wired at random",
    )
    left.legend(fontsize=8, loc="upper left")
    left.set_ylim(top=1.35 * NEURONS[1])
    places = np.arange(len(TESTS))
    for k, (reading, colour) in enumerate((("active", "#e45756"), ("changed", "#4c78a8"))):
        shares = [100 * outcome.numbers[f"{name}_reaches_{reading}"] for name in TESTS]
        bars = right.bar(
            places + 0.4 * k - 0.2, shares, 0.38, color=colour, label=f"{reading} neurons"
        )
        right.bar_label(bars, fmt="%.0f", fontsize=8)
    right.set_xticks(places, [words.replace(" (", "\n(") for words in TESTS.values()], fontsize=7.5)
    right.set(ylabel="circuits that reach it (%)", title="Which test can fail?", ylim=(0, 125))
    right.set_yticks(range(0, 101, 20))
    right.legend(fontsize=8, ncols=2, loc="upper center")


EXPERIMENT = Experiment(
    number=16,
    name="tautology",
    title="Counting resets proves nothing",
    hypothesis=(
        "With one reset per neuron the number of resets reaches the paper's transitions in any "
        "circuit, whatever it computes: as a test of the bound it has no power."
    ),
    measurement=(
        f"{CIRCUITS} circuits of {NEURONS[0]} to {NEURONS[1]} one-bit neurons, each the XOR of "
        f"random products of {INPUTS} inputs, reset one by one, run gate by gate on every input "
        "that is kept; ledgers against active and changed neurons of the same circuit, and resets "
        "against those of every other circuit that is no larger."
    ),
    failure="A randomly wired circuit whose resets fall below its transitions, or a stranger's.",
    source="A count of resets is n, and no sum of n probabilities exceeds n",
    run=_run,
    draw=_draw,
    size=(11.0, 4.8),
)
