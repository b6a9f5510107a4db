"""Experiment 13: by which count does a brain turn over 10^12 bits a second, and how often?"""

from typing import Any

import numpy as np

from revsim.experiments.experiment import Experiment, Outcome
from revsim.physics.brain import (
    BIN_S,
    NEURONS,
    POWER_W,
    RATE_HZ,
    READINGS,
    TEMPERATURE_K,
    brain_bits,
    brain_draws,
)
from revsim.physics.landauer import energy_j
from revsim.physics.measured import measured_vs_bound
from revsim.report.report import Table

CLAIM = 1e12
"""Bits per second, the figure of the paper's first version, by way of a summary."""
DRAWS = 400_000
BINS_S = (1e-4, 1e-3, 5e-3, 2e-2)
COLOURS = {"reset": "#4c78a8", "stream": "#3b2a6b", "entropy": "#f2a541", "synaptic": "#e45756"}
RATES = ((0.16, "Lennie 2003"), (4.0, "Attwell, Laughlin 2001"))


def run() -> Outcome:
    """Draw neurons, rates, synapses, release; count by four readings; vary the bin."""
    draws = brain_draws(DRAWS)
    middle = {r: draws[r].quantiles(0.025, 0.5, 0.975) for r in READINGS}
    share = {r: draws[r].share_above(CLAIM) for r in READINGS}
    within = {r: middle[r][0] <= CLAIM <= middle[r][2] for r in READINGS}
    binned = {b: brain_draws(DRAWS, bin_s=b)["entropy"] for b in BINS_S}
    budget = measured_vs_bound(POWER_W, middle["synaptic"][1], TEMPERATURE_K)
    missed = [r for r in READINGS if not within[r]]
    out = f"outside the central 95 % of {' and '.join(missed)}" if missed else "inside every range"
    sentence = (
        f"{CLAIM:.0e} bit/s is reached in {share['reset']:.2%} of draws with one bit a spike, "
        f"{share['stream']:.0%} with two, {share['entropy']:.0%} by the entropy of "
        f"{BIN_S * 1e3:g} ms bins and {share['synaptic']:.0%} counted at synapses; it lies {out}, "
        f"so the figure {'depends' if missed else 'does not depend'} on what is counted."
    )
    rows = []
    for reading in READINGS:
        watts = energy_j(middle[reading][1], TEMPERATURE_K)
        figures = [f"{q:.1e}" for q in middle[reading]]
        rows.append((reading, *figures, f"{share[reading]:.2%}", f"{watts:.1e}"))
    return Outcome(
        holds=not missed,
        sentence=sentence,
        numbers={
            **{f"share_{r}": share[r] for r in READINGS},
            **{f"median_{r}_per_s": middle[r][1] for r in READINGS},
            "power_over_bound_at_synapses": budget,
            **{f"share_entropy_{b * 1e3:g}_ms": d.share_above(CLAIM) for b, d in binned.items()},
        },
        tables={
            f"Bits per second, {DRAWS:,} draws, {BIN_S * 1e3:g} ms bins": Table(
                ("reading", "2.5 %", "median", "97.5 %", f">= {CLAIM:.0e}", "W, median"),
                tuple(rows),
            ),
            "The entropy reading by its bin": Table(
                ("bin", "median", f">= {CLAIM:.0e}"),
                tuple(
                    (f"{b * 1e3:g} ms", f"{d.quantiles(0.5)[0]:.1e}", f"{d.share_above(CLAIM):.0%}")
                    for b, d in binned.items()
                ),
            ),
            "Round numbers, as in a reconstruction of the claim": Table(
                ("neurons, rate, reading", "bits per second"),
                (
                    ("1e11, 10 Hz, reset", f"{float(brain_bits(1e11, 10, 'reset')):.2e}"),
                    ("8.6e10, 1 Hz, entropy", f"{float(brain_bits(8.6e10, 1, 'entropy')):.2e}"),
                ),
            ),
        },
        series={
            r: np.histogram(np.log10(draws[r].bits_per_s), bins=np.linspace(9, 16, 141))[0].tolist()
            for r in READINGS
        },
    )


def draw(outcome: Outcome, figure: Any) -> None:
    """Left: how often each rate of bits is drawn. Right: what it takes in spikes per second."""
    left, right = figure.subplots(1, 2)
    edges = np.linspace(9, 16, 141)
    widths = np.diff(edges)
    for reading in READINGS:
        density = np.array(outcome.series[reading]) / DRAWS / widths
        share = outcome.numbers[f"share_{reading}"]
        left.stairs(
            density,
            10**edges,
            color=COLOURS[reading],
            fill=True,
            alpha=0.35,
            label=f"{reading}: {share:.2%} above"
            if share < 0.01
            else f"{reading}: {share:.0%} above",
        )
    left.axvline(CLAIM, color="black", linestyle="--", linewidth=1)
    left.set_xscale("log")
    left.set_ylim(0, 1.3 * left.get_ylim()[1])
    left.set_xlabel("bits per second")
    left.set_ylabel("density of draws per decade")
    left.set_title("Monte-Carlo over the literature", fontsize=10.5)
    left.legend(fontsize=8, ncols=2, loc="upper center")
    rate = np.geomspace(*RATE_HZ, 200)
    for reading in ("reset", "stream", "entropy"):
        bits = brain_bits(NEURONS, rate, reading)
        text = f"{reading}, {BIN_S * 1e3:g} ms bins" if reading == "entropy" else reading
        right.plot(rate, bits, color=COLOURS[reading], label=text)
    long = brain_bits(NEURONS, rate, "entropy", BINS_S[-1])
    text = f"entropy, {BINS_S[-1] * 1e3:g} ms bins"
    right.plot(rate, long, color=COLOURS["entropy"], linestyle=":", label=text)
    right.axhline(CLAIM, color="black", linestyle="--", linewidth=1)
    right.annotate(f"{CLAIM:.0e} bit/s", (RATE_HZ[0], CLAIM), (3, 3), textcoords="offset points")
    right.set_xscale("log")
    right.set_yscale("log")
    low = right.get_ylim()[0] / 4
    right.set_ylim(low, 12 * right.get_ylim()[1])
    for value, name in RATES:
        right.axvline(value, color="#9aa0a6", linewidth=0.8)
        right.annotate(
            name, (value, low), (3, 4), textcoords="offset points", rotation=90, fontsize=8
        )
    right.set_xlabel("mean rate, spikes per second and neuron")
    right.set_ylabel(f"bits per second of {NEURONS:.2e} neurons")
    right.set_title("What each reading makes of a rate", fontsize=10.5)
    right.legend(fontsize=8, ncols=2, loc="upper center")


EXPERIMENT = Experiment(
    number=13,
    name="brain",
    title="Which count of a brain reaches 10^12 bits a second?",
    hypothesis="A brain performs about 10^12 irreversible operations a second, whichever way they "
    "are counted.",
    measurement="Monte-Carlo: neurons (8.61 +- 0.81)e10, rates log-uniform 0.1 to 10 Hz; one bit a "
    "spike (reset), two (stream), the entropy of bins; synapses log-uniform 1.5e14 to 1e15 at 0.16 "
    "to 4 Hz with release 0.1 to 1. The claim is met where 10^12 lies in the central 95 % of every "
    "reading.",
    failure="A range of some reading that leaves 10^12 out, on either side.",
    source="Tkachenko, arXiv 2503.09980 v1, by way of a summary: the paper's own inputs were not "
    "available; Azevedo et al. 2009, Lennie 2003 (quoted), Attwell and Laughlin 2001, Pakkenberg "
    "et al. 2003",
    run=run,
    draw=draw,
    size=(10.5, 4.6),
)
