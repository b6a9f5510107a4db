"""Experiment 12: does negentropy say at every temperature what joules say at one?"""

from typing import Any

import numpy as np

from revsim.experiments.experiment import Experiment, Outcome
from revsim.pipeline import load_network, verify
from revsim.report.plots import LEDGER_STYLE
from revsim.report.report import Table

NETWORK, POLICY = "digits", "activation_reset"
TEMPERATURES_K = (4.2, 77.0, 300.0)
LEDGERS = ("per_bit", "per_register", "given_kept")


def run() -> Outcome:
    """The same network on the same data at three temperatures, by three ledgers."""
    network = load_network(NETWORK)
    energies: dict[float, Any] = {}
    total: dict[str, float] = {}
    for kelvin in TEMPERATURES_K:
        report = verify(network, policy=POLICY, temperature_k=kelvin)
        energies[kelvin] = report.as_dict()["runs"][0]["energy"]
        total = {n: getattr(report.runs[0].total, n) for n in ("reset_count", *LEDGERS)}
    negentropy = {
        n: [energies[t]["negentropy_j_per_k"][n] for t in TEMPERATURES_K] for n in LEDGERS
    }
    joules = {n: [energies[t]["joules"][n] for t in TEMPERATURES_K] for n in LEDGERS}
    identical = all(len(set(values)) == 1 for values in negentropy.values())
    off = max(
        abs(j / (t * negentropy[n][0]) - 1)
        for n in LEDGERS
        for t, j in zip(TEMPERATURES_K, joules[n], strict=True)
    )
    spread = max(v[-1] / v[0] for v in joules.values())
    first = negentropy["per_bit"]
    kelvins = ", ".join(f"{t:g}" for t in TEMPERATURES_K)
    ratios = {n: total[n] / total["given_kept"] for n in ("per_bit", "reset_count")}
    sentence = (
        f"One inference of {NETWORK} takes {first[0]:.3e} J/K of negentropy per_bit, "
        f"{'the same' if identical else 'NOT the same'} to the last digit at {kelvins} K, while "
        f"its heat differs {spread:.0f}-fold; the ledger still matters: against given_kept, "
        f"per_bit is {ratios['per_bit']:.0f}-fold, reset_count {ratios['reset_count']:.0f}-fold."
    )
    return Outcome(
        holds=bool(identical and off < 1e-12),
        sentence=sentence,
        numbers={
            "negentropy_per_bit_j_per_k": first[0],
            "negentropy_given_kept_j_per_k": negentropy["given_kept"][0],
            **{f"{n}_over_given_kept": ratio for n, ratio in ratios.items()},
            "largest_ratio_of_heats": spread,
            "largest_deviation_from_t_times_negentropy": off,
        },
        tables={
            "Negentropy per inference, J/K": Table(
                ("ledger", "bits", *(f"at {t:g} K" for t in TEMPERATURES_K)),
                tuple((n, total[n], *(f"{v:.3e}" for v in negentropy[n])) for n in LEDGERS),
            ),
            "Heat per inference, zJ": Table(
                ("ledger", "bits", *(f"at {t:g} K" for t in TEMPERATURES_K)),
                tuple((n, total[n], *(j * 1e21 for j in joules[n])) for n in LEDGERS),
            ),
        },
        series={"negentropy": negentropy, "joules": joules},
    )


def draw(outcome: Outcome, figure: Any) -> None:
    """Left: J/K, the same at every temperature. Right: J, proportional to it."""
    styles = {name: (label, colour) for name, label, colour in LEDGER_STYLE}
    places = np.arange(len(TEMPERATURES_K))
    for axes, key, what in zip(
        figure.subplots(1, 2),
        ("negentropy", "joules"),
        ("negentropy, J/K per inference", "heat, J per inference"),
        strict=True,
    ):
        for k, name in enumerate(LEDGERS):
            label, colour = styles[name]
            values = outcome.series[key][name]
            bars = axes.bar(places + 0.27 * (k - 1), values, 0.25, color=colour, label=label)
            axes.bar_label(bars, [f"{v:.1e}" for v in values], fontsize=7, padding=2)
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(low, 6 * high)
        axes.set_xticks(places, [f"{t:g} K" for t in TEMPERATURES_K])
        axes.set_xlabel("temperature of the device")
        axes.set_ylabel(what)
    axes.legend(fontsize=8, loc="upper left")


EXPERIMENT = Experiment(
    number=12,
    name="negentropy",
    title="Negentropy is the same at every temperature, heat is not",
    hypothesis="Negentropy is the more universal measure: the same network has the same J/K at "
    "any temperature, by any one definition of what is erased, and a heat in proportion to T.",
    measurement=f"{NETWORK} under {POLICY}, input destroyed, every gate on every image, reported "
    f"at {', '.join(f'{t:g}' for t in TEMPERATURES_K)} K by three ledgers.",
    failure="J/K that depend on the temperature, or heat that is not T times them.",
    source="Tkachenko, arXiv 2503.09980 v1 (negentropy as the natural unit)",
    run=run,
    draw=draw,
    size=(10.0, 4.4),
)
