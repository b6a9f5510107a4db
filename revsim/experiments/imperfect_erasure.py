"""Experiment 19: erasures that are given little time and now and then fail, in a whole network."""

import math
from typing import Any

import numpy as np

from revsim.experiments.experiment import Experiment, Outcome
from revsim.experiments.rounding import at_least, at_most
from revsim.ledger.ledgers import ledger_rows, total_of
from revsim.network.bundled import bundled_data
from revsim.physics.double_well import DoubleWell
from revsim.physics.ramp import Erasure, erase_to
from revsim.physics.transport import least_work, of_well
from revsim.physics.two_level import LN2, partial_erasure
from revsim.pipeline import load_network
from revsim.report.report import Table
from revsim.schedule.policy import compile_network
from revsim.simulator.ensemble import data_set
from revsim.simulator.faults import EraseFaults
from revsim.simulator.run import simulate

NETWORK = "digits"
POLICIES = {"uncompute": 4, "activation_reset": 4, "conventional": 1}
"""Circuits, and how often each is run with other failures."""
ERRORS = (1e-7, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1)
SPEEDS = (1.0, 10.0, 100.0)
"""Durations of one ERASE in units of 1 / k0."""
DURATIONS = (2.0, 10.0, 50.0)
"""Durations of one ERASE in a double well, in units of length^2 / D."""
CAREFUL = 1e-9
"""Error of the erasures that the tolerant ones are compared with."""
FACTOR = 10
"""Tolerated failures an inference are called alike where they differ by less than that."""
ALLOWED = 0.01
"""Loss of accuracy that is tolerated."""
SEED = 19


def _run() -> Outcome:
    network = load_network(NETWORK)
    data = bundled_data(NETWORK)
    assert data is not None
    rows, labels = data
    ensemble = data_set(rows)
    accuracy: dict[str, list[float]] = {}
    clean: dict[str, float] = {}
    erased: dict[str, int] = {}
    ones: dict[str, list[float]] = {}
    for policy, repeats in POLICIES.items():
        circuit = compile_network(network, policy)
        run = simulate(circuit, ensemble)
        erased[policy] = round(total_of(ledger_rows(run.tally)).reset_count)
        clean[policy] = float((run.outputs[:, 0] == labels).mean())
        accuracy[policy], ones[policy] = [], []
        for error in ERRORS:
            right, flipped = [], []
            for repeat in range(repeats):
                faulty = simulate(circuit, ensemble, faults=EraseFaults(error, SEED + repeat))
                right.append(float((faulty.outputs[:, 0] == labels).mean()))
                flipped.append(total_of(ledger_rows(faulty.tally)).ones_flipped)
            accuracy[policy].append(float(np.mean(right)))
            ones[policy].append(float(np.mean(flipped)))
    well = of_well(DoubleWell())
    ramps = {speed: [erase_to(error, speed) for error in ERRORS] for speed in SPEEDS}
    careful = {speed: erase_to(CAREFUL, speed).work() for speed in SPEEDS}
    tolerated = {p: _tolerated(accuracy[p], clean[p]) for p in POLICIES}
    products = {p: erased[p] * tolerated[p] for p in POLICIES}
    saved = {p: 1 - erase_to(tolerated[p], SPEEDS[1]).work() / careful[SPEEDS[1]] for p in POLICIES}
    heat = {
        p: {
            speed: [
                _heat(ramp, erased[p], count)
                for ramp, count in zip(ramps[speed], ones[p], strict=True)
            ]
            for speed in SPEEDS
        }
        for p in POLICIES
    }
    holds = max(products.values()) < FACTOR * min(products.values()) and min(saved.values()) > 0
    many, few = "conventional", "uncompute"
    least, most = (choose(products.values()) for choose in (min, max))
    sentence = (
        f"Losing one point of accuracy allows an error of {_two(tolerated[few])} in each of the "
        f"{erased[few]:,} ERASEs of {few}, {_two(tolerated[many])} in the {erased[many]:,} of "
        f"{many}: {at_least(least, '.2f')} to {at_most(most, '.2f')} failures an "
        f"inference; at k0 tau = {SPEEDS[1]:g} that saves {100 * saved[few]:.0f} and "
        f"{100 * saved[many]:.0f} % of the heat at an error of {_power(CAREFUL)}."
    )
    return Outcome(
        holds=holds,
        sentence=sentence,
        numbers={
            **{f"tolerated_error_{p}": tolerated[p] for p in POLICIES},
            **{f"tolerated_failures_{p}": products[p] for p in POLICIES},
            **{f"heat_saved_share_{p}": saved[p] for p in POLICIES},
            **{f"erased_bits_{p}": erased[p] for p in POLICIES},
        },
        tables={
            "Share of right digits, each ERASE failing with probability e": Table(
                ("e", *POLICIES),
                tuple(
                    (
                        _power(error) if error else "0",
                        *(f"{a:.4f}" for a in values),
                    )
                    for error, *values in zip(
                        (0.0, *ERRORS), *([clean[p], *accuracy[p]] for p in POLICIES), strict=True
                    )
                ),
            ),
            "Heat of one ERASE of a fair bit (k_B T ln 2) against its time": Table(
                ("e", *(f"k0 tau = {speed:g}" for speed in SPEEDS), "no hurry"),
                tuple(
                    (
                        _power(error),
                        *(ramps[speed][k].work() / LN2 for speed in SPEEDS),
                        partial_erasure(error) / LN2,
                    )
                    for k, error in enumerate(ERRORS)
                ),
            ),
            "Least work of one ERASE in a double well: ln 2 - h(e) + W2^2 / (D tau)": Table(
                ("e", *(f"D tau = {t:g}" for t in DURATIONS), "no hurry"),
                tuple(
                    (
                        _power(error),
                        *(least_work(well, t, error) / LN2 for t in DURATIONS),
                        partial_erasure(error) / LN2,
                    )
                    for error in ERRORS[::3]
                ),
            ),
            "Circuits: the error that costs one point, and the heat of an inference": Table(
                ("policy", "erased", "e", "failures", *(f"tau {speed:g}" for speed in SPEEDS)),
                tuple(
                    (
                        p,
                        erased[p],
                        _two(tolerated[p]),
                        products[p],
                        *(
                            _heat(erase_to(tolerated[p], s), erased[p], _at(ones[p], tolerated[p]))
                            for s in SPEEDS
                        ),
                    )
                    for p in POLICIES
                ),
            ),
        },
        series={
            "errors": list(ERRORS),
            "accuracy": accuracy,
            "clean": clean,
            "erased": erased,
            "heat": {p: {f"{s:g}": heat[p][s] for s in SPEEDS} for p in POLICIES},
        },
    )


def _tolerated(accuracy: list[float], clean: float) -> float:
    """The error at which the loss of accuracy passes ALLOWED, between two of ERRORS on a line in
    the logarithm of the error."""
    loss = [clean - a for a in accuracy]
    k = next(i for i, value in enumerate(loss) if value > ALLOWED)
    if k == 0:
        return ERRORS[0]
    share = (ALLOWED - loss[k - 1]) / (loss[k] - loss[k - 1])
    a, b = math.log(ERRORS[k - 1]), math.log(ERRORS[k])
    return math.exp(a + share * (b - a))


def _at(values: list[float], error: float) -> float:
    return float(np.interp(math.log(error), np.log(ERRORS), values))


def _heat(ramp: Erasure, bits: int, ones: float) -> float:
    """Heat in k_B T ln 2 of erasing `bits` bits of which `ones` are 1 on average: the same ramp for
    every bit, its work a straight line in P(1)."""
    return (bits * ramp.work_from[0] + ones * (ramp.work_from[1] - ramp.work_from[0])) / LN2


def _power(value: float) -> str:
    return f"{value:.0e}".replace("e-0", "e-")


def _two(value: float) -> str:
    """Two digits, rounded down: these are errors that are still allowed."""
    return at_least(value, ".1e")


COLOURS = {"uncompute": "#54a24b", "activation_reset": "#4c78a8", "conventional": "#e45756"}
DASHES = {"1": ":", "10": "--", "100": "-"}


def _draw(outcome: Outcome, figure: Any) -> None:
    series = outcome.series
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.2])
    for policy, values in series["accuracy"].items():
        colour, bits = COLOURS[policy], series["erased"][policy]
        left.plot(
            series["errors"],
            values,
            "o-",
            color=colour,
            markersize=4,
            label=f"{policy}, {bits:,} bits erased",
        )
        left.axvline(1 / bits, color=colour, linewidth=0.8, linestyle=":")
        for speed, heat in series["heat"][policy].items():
            each = np.array(heat) / bits
            right.plot(each, values, DASHES[speed], color=colour, marker="o", markersize=3)
    for speed, dashes in DASHES.items():
        right.plot([], [], dashes, color="black", label=f"k0 tau = {speed}")
    right.axvline(1, color="#9aa0a6", linewidth=0.8)
    right.text(1.02, 0.02, "k_B T ln 2", fontsize=8, color="#666666")
    left.axhline(0.1, color="#9aa0a6", linewidth=0.8)
    left.text(1e-7, 0.115, "guessing", fontsize=8, color="#666666")
    left.set(
        xscale="log",
        xlabel="probability that an ERASE fails (dotted: one failure an inference)",
        ylabel="share of digits right",
        ylim=(0, 1.03),
    )
    left.set_title("Accuracy against errors", fontsize=10)
    left.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 0.12))
    right.set(
        xlabel="heat of one ERASE, k_B T ln 2 (colours as on the left)",
        ylabel="share of digits right",
        ylim=(0, 1.03),
    )
    right.set_title("Accuracy against heat against speed", fontsize=10)
    right.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1, 0.08))


EXPERIMENT = Experiment(
    number=19,
    name="imperfect_erasure",
    title="Erasures in a hurry: heat, speed and errors",
    hypothesis=(
        "A circuit that erases n bits bears errors of the order of 1/n each: the failures an "
        f"inference that it tolerates agree between circuits within a factor of {FACTOR}; and at a "
        f"given speed that error saves heat against one of {_power(CAREFUL)}."
    ),
    measurement=(
        f"The {NETWORK} network in three circuits on all its images, every gate run, each erased "
        "bit left at 1 with probability e (seeded); heat of the two-state jump process whose level "
        "is raised, in a time tau, just as high as e demands, on the bits that were erased; beside "
        "it the least that any drive of a double well takes (optimal transport)."
    ),
    failure=(
        f"Tolerated failures that differ {FACTOR}-fold between circuits, or an error that saves no "
        "heat."
    ),
    source="Proesmans, Ehrich and Bechhoefer, arXiv 2006.03242; Landauer 1961",
    run=_run,
    draw=_draw,
    size=(11.5, 4.8),
)
