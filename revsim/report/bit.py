"""`revsim bit`: one bit in a double well, erased in a given time, by paths and exactly."""

import io
from typing import Any

from rich.console import Console

from revsim.physics.double_well import ERASE, DoubleWell
from revsim.physics.landauer import BOLTZMANN
from revsim.physics.langevin import simulate
from revsim.physics.smoluchowski import averages
from revsim.physics.transport import least_work, of_well
from revsim.physics.two_level import LN2, partial_erasure
from revsim.report.tables import WIDTH, plain_table

TEMPERATURE_K = 300.0
RARE = 0.1
"""Failures rarer than that hold much of the mean of exp(-W) in few paths."""
ROUNDOFF = 1e-9
"""Failures rarer than that are not told from none on the grid."""


def measure_bit(
    tau: float, paths: int, barrier: float = 8.0, seed: int = 0, threads: int | None = None
) -> dict[str, Any]:
    """Erase a bit in a time tau (length^2 / D): averages over paths beside the exact ones.

    Energies in k_B T; each sampled average is [value, standard error].

    >>> found = measure_bit(2.0, 1000)
    >>> sorted(found["exact"]) == sorted(found["paths"])
    True
    """
    well = DoubleWell(barrier)
    sampled = simulate(well, ERASE, tau, paths, seed, threads=threads)
    exact = averages(well, ERASE, tau)
    error = max(0.0, 1 - exact.success)
    pairs = {
        "mean_work": sampled.mean_work,
        "success": sampled.success,
        "jarzynski_right": sampled.right,
        "jarzynski_all": sampled.everywhere,
    }
    return {
        "schema": "revsim bit 1",
        "tau": tau,
        "paths_run": paths,
        "barrier_kT": barrier,
        "seed": seed,
        "paths": {name: [found.value, found.error] for name, found in pairs.items()},
        "exact": {
            "mean_work": exact.mean_work,
            "success": exact.success,
            "jarzynski_right": exact.right,
            "jarzynski_all": exact.everywhere,
        },
        "ln2": LN2,
        "least_work_given_errors": partial_erasure(error),
        "least_work": least_work(of_well(well), tau, error),
        "failed_paths": int((sampled.end <= 0).sum()),
        "below_ln2": float((sampled.work < LN2).mean()),
    }


NAMES = {
    "mean_work": "mean work <W>, k_B T",
    "success": "share that ends on the right",
    "jarzynski_right": "mean of exp(-W), ending on the right",
    "jarzynski_all": "mean of exp(-W), all",
}


def render_bit(found: dict[str, Any]) -> str:
    """The same as text of 80 columns."""
    title = (
        f"One bit erased in tau = {found['tau']:g} length^2 / D, "
        f"barrier {found['barrier_kT']:g} k_B T, {found['paths_run']:,} paths"
    )
    table = plain_table(title, "", "paths", "exact")
    for name, label in NAMES.items():
        value, error = found["paths"][name]
        table.add_row(label, f"{value:.4f} ± {error:.4f}", f"{found['exact'][name]:.4f}")
    console = Console(width=WIDTH, record=True, file=io.StringIO())
    console.print(table)
    heat = found["exact"]["mean_work"] * BOLTZMANN * TEMPERATURE_K
    return (
        f"{console.export_text()}\n"
        f"{_trap(found)}"
        f"Landauer: ln 2 = {found['ln2']:.4f} k_B T, which errors lower: ln 2 - h(e) = "
        f"{found['least_work_given_errors']:.4f} k_B T\n"
        f"least work in this time, with these errors: {found['least_work']:.4f} k_B T\n"
        f"{found['below_ln2']:.1%} of the paths cost less than ln 2; "
        f"the mean is {1e21 * heat:.4f} zJ at {TEMPERATURE_K:.0f} K\n"
    )


def _trap(found: dict[str, Any]) -> str:
    """Where failures are rare: why the mean of exp(-W) over all paths misses the exact one."""
    exact = found["exact"]
    error = 1 - exact["success"]
    if error >= RARE:
        return ""
    missing = exact["jarzynski_all"] - exact["jarzynski_right"]
    rare = f"{error:.1e}" if error > ROUNDOFF else f"less than {ROUNDOFF:.0e}"
    return (
        f"The trap: {missing:.4f} of the exact mean of exp(-W), all, sits in rare failures\n"
        f"({rare} of all, {found['failed_paths']:,} of these paths); "
        "a sample with few of them is off.\n"
    )
