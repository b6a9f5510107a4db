"""Experiment 17: one bit in a double well, erased at five speeds, by paths and without noise."""

from typing import Any

import numpy as np

from revsim.experiments.experiment import Experiment, Outcome
from revsim.experiments.rounding import at_most
from revsim.physics import transport
from revsim.physics.double_well import CONTROL, ERASE, DoubleWell
from revsim.physics.langevin import Estimate, Paths, simulate
from revsim.physics.smoluchowski import Averages, averages
from revsim.physics.two_level import LN2, partial_erasure
from revsim.report.report import Table

WELL = DoubleWell()
SEED = 17
STEP = 2e-3
PATHS = {2.0: 60_000, 10.0: 20_000, 20.0: 10_000, 50.0: 6_000, 200.0: 4_000}
"""Paths for each duration: more where they are short and the work is scattered."""
MIDDLE = (10.0, 20.0, 50.0)
"""Durations long enough for 1/tau and short enough that hardly an erasure fails."""
HALVED = 2.0
"""Duration at which the time step is halved: the forces are swept fastest there."""
SIGMAS = 3.0
EDGES = np.linspace(-6, 14, 101)


def _bound(tau: float, error: float) -> float:
    return transport.least_work(transport.of_well(WELL), tau, error)


def _run() -> Outcome:
    exact = {tau: averages(WELL, ERASE, tau) for tau in PATHS}
    sampled = {
        tau: simulate(WELL, ERASE, tau, paths, seed=SEED, step=STEP) for tau, paths in PATHS.items()
    }
    halved = simulate(WELL, ERASE, HALVED, PATHS[HALVED], seed=SEED + 1, step=STEP / 2)
    bounds = {tau: _bound(tau, 1 - exact[tau].success) for tau in PATHS}
    control = {tau: averages(WELL, CONTROL, tau).mean_work for tau in PATHS}
    off = [
        gap
        for tau in PATHS
        for gap in (
            sampled[tau].mean_work.off(exact[tau].mean_work),
            sampled[tau].success.off(exact[tau].success),
            sampled[tau].right.off(0.5),
        )
    ]
    off.append(halved.mean_work.off(exact[HALVED].mean_work))
    worst = max(abs(gap) for gap in off)
    kept = all(
        exact[tau].mean_work > bounds[tau] and sampled[tau].mean_work.off(bounds[tau]) > -SIGMAS
        for tau in PATHS
    )
    least = transport_coefficient()
    slow = exact[200.0]
    scaled = {tau: (exact[tau].mean_work - LN2) * tau for tau in PATHS}
    tail = [scaled[tau] for tau in MIDDLE]
    straight = 0 < max(tail) < 1.1 * min(tail)
    # over durations that differ a hundredfold
    inverse = straight and 0 < max(scaled.values()) < 2 * min(scaled.values())
    holds = worst <= SIGMAS and kept and inverse
    sentence = (
        f"Work falls from {exact[2.0].mean_work:.2f} to {slow.mean_work:.3f} k_B T (ln 2 = "
        f"{LN2:.3f}) at tau 2 to 200: {'as' if straight else 'NOT as'} 1/tau at 10 to 50, "
        f"{tail[-1] / least:.1f} times the least excess; {scaled[200.0] / least:.1f} at 200, where "
        f"{1 - slow.success:.1%} fail. All {len(off)} sampled averages lie within "
        f"{at_most(worst, '.1f')} standard errors, E[exp(-W); right] = 1/2 too; the finite-time "
        f"bound {'holds' if kept else 'is VIOLATED'}; without tilt {control[200.0]:.3f} remain."
    )
    return Outcome(
        holds=holds,
        sentence=sentence,
        numbers={
            "slowest_mean_work_kT": slow.mean_work,
            "slowest_success": slow.success,
            "slowest_least_work_given_errors_kT": partial_erasure(1 - slow.success),
            "excess_times_tau_at_50": scaled[50.0],
            "excess_times_tau_at_200": scaled[200.0],
            "excess_times_tau_greatest_over_least": max(scaled.values()) / min(scaled.values()),
            "least_excess_times_tau": least,
            "control_at_200_kT": control[200.0],
            "worst_deviation_standard_errors": worst,
            "halved_step_deviation_standard_errors": off[-1],
        },
        tables={
            "Mean work (k_B T) and success, grid and paths": Table(
                ("tau", "<W> grid", "<W> paths", "off", "success grid", "paths", "off"),
                tuple(_first(tau, exact[tau], sampled[tau]) for tau in PATHS),
            ),
            "Jarzynski's averages (grid: 0.5 and 1) and the finite-time bound": Table(
                ("tau", "right, paths", "off", "all, paths", "bound", "<W> - bound", "control"),
                tuple(
                    (
                        f"{tau:g}",
                        _pm(sampled[tau].right),
                        f"{sampled[tau].right.off(0.5):+.1f}",
                        _pm(sampled[tau].everywhere),
                        bounds[tau],
                        exact[tau].mean_work - bounds[tau],
                        control[tau],
                    )
                    for tau in PATHS
                ),
            ),
        },
        series={
            "tau": list(PATHS),
            "excess_grid": [exact[tau].mean_work - LN2 for tau in PATHS],
            "excess_paths": [sampled[tau].mean_work.value - LN2 for tau in PATHS],
            "error_paths": [sampled[tau].mean_work.error for tau in PATHS],
            "least_excess": [least / tau for tau in PATHS],
            "control": [control[tau] for tau in PATHS],
            "right": [[s.right.value, s.right.error] for s in sampled.values()],
            "all": [[s.everywhere.value, s.everywhere.error] for s in sampled.values()],
            "edges": EDGES.tolist(),
            "histograms": {
                f"{tau:g}": np.histogram(sampled[tau].work, EDGES, density=True)[0].tolist()
                for tau in (2.0, 10.0, 50.0)
            },
        },
    )


def transport_coefficient() -> float:
    """W2^2 of the wells: least excess work times tau, in k_B T length^2 / D."""
    return _bound(1.0, 0.0) - LN2


def _counts() -> str:
    (short, many), *_, (long, few) = PATHS.items()
    return (
        f"{many:,} paths at tau = {short:g} down to {few:,} at {long:g} "
        f"({sum(PATHS.values()):,} at all speeds together)"
    )


def _first(tau: float, exact: Averages, sampled: Paths) -> tuple[Any, ...]:
    return (
        f"{tau:g}",
        f"{exact.mean_work:.4f}",
        _pm(sampled.mean_work),
        f"{sampled.mean_work.off(exact.mean_work):+.1f}",
        f"{exact.success:.5f}",
        f"{sampled.success.value:.5f}",
        f"{sampled.success.off(exact.success):+.1f}",
    )


def _pm(found: Estimate) -> str:
    return f"{found.value:.3f}±{found.error:.3f}"


COLOURS = {"2": "#e45756", "10": "#f2a541", "50": "#4c78a8"}
DARK, GREY = "#3b2a6b", "#9aa0a6"


def _draw(outcome: Outcome, figure: Any) -> None:
    series = outcome.series
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.1, 1.1, 0.9])
    for tau, density in series["histograms"].items():
        left.stairs(
            density, series["edges"], color=COLOURS[tau], label=f"tau = {tau}", linewidth=1.5
        )
    left.axvline(LN2, color="black", linestyle="--", linewidth=1, label="ln 2")
    left.axvline(0, color=GREY, linewidth=0.8)
    left.set(xlabel="work of one erasure, k_B T", ylabel="density of paths", xlim=(-4, 12))
    left.set_ylim(bottom=0)
    left.set_title("Single erasures: some cost less than ln 2", fontsize=10)
    left.legend(fontsize=8)
    tau = np.array(series["tau"])
    middle.plot(tau, series["excess_grid"], color=DARK, label="density on a grid")
    middle.errorbar(
        tau,
        series["excess_paths"],
        series["error_paths"],
        fmt="o",
        color=COLOURS["2"],
        markersize=4,
        capsize=3,
        label="paths",
    )
    middle.plot(tau, series["control"], ":", color=GREY, label="control, no tilt (<W>)")
    middle.plot(tau, series["least_excess"], "--", color="black", label="least: W2^2 / (D tau)")
    middle.set(xscale="log", yscale="log", xlabel="duration tau, length^2 / D")
    middle.set_xticks(tau, [f"{t:g}" for t in tau])
    middle.set_xticks([], minor=True)
    middle.set_ylabel("<W> - ln 2, k_B T")
    middle.set_title("Excess work falls as 1 / tau while few fail", fontsize=10)
    middle.legend(fontsize=8)
    places = np.arange(len(tau))
    for name, shift, marker, colour, label in (
        ("right", -0.08, "o", COLOURS["50"], "ending on the right"),
        ("all", 0.08, "s", COLOURS["10"], "all paths"),
    ):
        values = np.array(series[name])
        right.errorbar(
            places + shift,
            values[:, 0],
            values[:, 1],
            fmt=marker,
            color=colour,
            markersize=4,
            capsize=3,
            label=label,
        )
    for level in (0.5, 1.0):
        right.axhline(level, color="black", linestyle="--", linewidth=0.8)
    right.text(0.0, 0.99, "exact, all paths: 1", fontsize=8, va="top")
    right.text(0.0, 0.465, "exact, ending on the right: 1/2", fontsize=8, va="top")
    note = "at tau = 200 some erasures fail,\nand so less than ln 2 is owed"
    middle.text(0.04, 0.05, note, fontsize=8, transform=middle.transAxes)
    right.set_xticks(places, [f"{t:g}" for t in tau])
    right.set_xlim(-0.4, len(tau) - 0.6)
    right.set(xlabel="duration tau", ylabel="mean of exp(-W) over paths", ylim=(0.4, 1.12))
    right.set_title("Jarzynski's average, and its pitfall", fontsize=10)
    right.legend(fontsize=8, loc="center")


EXPERIMENT = Experiment(
    number=17,
    name="classroom",
    title="One bit in a double well, erased at five speeds",
    hypothesis=(
        "The mean work of an erasure falls to k_B T ln 2 as 1/tau while few fail, E[exp(-W); "
        "right] is 1/2 at every speed, and no average falls below the finite-time bound."
    ),
    measurement=(
        "Overdamped Langevin paths (Heun, seeded) against the Smoluchowski equation on a grid, "
        f"barrier 8 k_B T, four equal stages; {_counts()}, tau in "
        "length^2 / D; 'off' in standard errors; the time step is halved once."
    ),
    failure=(
        "An excess work times tau that differs by a tenth between tau = 10 and 50 or twofold "
        "between any two, an average more than "
        f"{SIGMAS:g} standard errors off (step too long: halve it), or a mean below the bound."
    ),
    source="Jun, Gavrilov and Bechhoefer, arXiv 1408.5089; Proesmans et al., arXiv 2006.03242",
    run=_run,
    draw=_draw,
    size=(13.5, 4.6),
)
