"""The ladder of energies as text, JSON and figure: from one erased bit to a memory access."""

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console

from revsim.physics.cooling import WALL_K, check_refrigerator, specific_power, wall_energy
from revsim.physics.ladder import GROUPS, Rung, ladder, ordered
from revsim.physics.landauer import energy_j, negentropy_j_per_k
from revsim.physics.measured import MACS, MLPERF_TINY, measured_vs_bound
from revsim.physics.quantities import not_negative
from revsim.physics.reference import NOT_FOUND
from revsim.physics.superconducting import JUNCTION_J, TEMPERATURE_K
from revsim.report.report import Report
from revsim.report.tables import WIDTH, number, paragraph, plain_table

COLOURS: Final = dict(
    zip(
        GROUPS,
        ("#3b2a6b", "#4c78a8", "#54a24b", "#9aa0a6", "#e45756", "#f2a541", "#7367a8"),
        strict=True,
    )
)
SCHEMA: Final = "revsim energy 1"


@dataclass(frozen=True)
class Erased:
    """What erasing `bits` costs on a device at `temperature_k`; at the wall with a refrigerator.

    `efficiency` is the refrigerator's fraction of Carnot, None without one.
    """

    bits: float
    temperature_k: float
    efficiency: float | None = None

    def __post_init__(self) -> None:
        not_negative(self.bits, "number of bits")
        check_refrigerator(self.temperature_k, self.efficiency)

    def as_dict(self) -> dict[str, Any]:
        """Negentropy in J/K, heat and wall energy in J."""
        heat = energy_j(self.bits, self.temperature_k)
        wall = None
        if self.efficiency is not None:
            wall = wall_energy(heat, self.temperature_k, self.efficiency)
        return {
            "bits": self.bits,
            "negentropy_j_per_k": negentropy_j_per_k(self.bits),
            "temperature_k": self.temperature_k,
            "joules": heat,
            "efficiency": self.efficiency,
            "wall_k": None if wall is None else WALL_K,
            "wall_joules": wall,
        }


def network_rungs(reports: Sequence[Report], temperature_k: float) -> tuple[Rung, ...]:
    """Rungs of reports on one network, one run each: per_bit of each policy, and given_kept, the
    same for all.

    Runs that erase nothing have no rung: 0 J has no place on a logarithmic ladder.
    """
    name = reports[0].network["name"]
    runs = [report.runs[0] for report in reports]
    bits = {f"{name}, {run.policy}": run.total.per_bit for run in runs}
    bits[f"{name}, seeing all kept"] = runs[0].total.given_kept
    return tuple(
        Rung(
            label,
            energy_j(value, temperature_k),
            "network",
            f"inference: {number(value)} bits at {temperature_k:g} K, input destroyed",
            None,
            "simulated, gate by gate",
            "derived",
        )
        for label, value in bits.items()
        if value > 0
    )


def all_rungs(erased: Erased, recalled: bool, more: Sequence[Rung] = ()) -> tuple[Rung, ...]:
    """The ladder at the device's temperature with a network's rungs among it."""
    return ordered((*ladder(erased.temperature_k, recalled), *more))


def as_dict(erased: Erased, rungs: Sequence[Rung]) -> dict[str, Any]:
    """Plain values, in the layout of `revsim energy --json`."""
    kelvin = erased.temperature_k
    return {
        "schema": SCHEMA,
        "erased": erased.as_dict(),
        "rungs": [{**asdict(r), "times_k_t_ln2": r.times_bit(kelvin)} for r in rungs],
        "measured": [
            {"device": s.device, "release": s.release, "year": s.year, "joules": dict(s.joules)}
            for s in MLPERF_TINY
        ],
        "macs": dict(MACS),
        "not_found": list(NOT_FOUND),
    }


def render(erased: Erased, rungs: Sequence[Rung]) -> str:
    """The ladder, its sources and measured networks as text of 80 columns."""
    console = Console(width=WIDTH, record=True, file=io.StringIO())
    kelvin = erased.temperature_k
    console.print(_erased_lines(erased))
    table = plain_table(
        f"The ladder, in joules and in multiples of k_B T ln 2 at {kelvin:g} K",
        "event",
        "J",
        "k_B T ln 2",
        "year",
        "status",
    )
    for rung in rungs:
        figures = f"{rung.joules:.2e}", _multiple(rung.times_bit(kelvin))
        style = "bold" if rung.group in ("limit", "network") else None
        table.add_row(rung.name, *figures, str(rung.year or ""), rung.status, style=style)
    console.print(table)
    own = measured_vs_bound(JUNCTION_J, 1, TEMPERATURE_K)
    console.print(
        paragraph(
            f"An AQFP junction costs {own:.1f} k_B T ln 2 at its own {TEMPERATURE_K:g} K. A chip's "
            "figures are board power over peak rate, lower bounds; 1 MAC = 2 operations."
        )
    )
    console.print(
        paragraph(
            "Status, how a value was read: found in the source, secondary in a text that quotes "
            "it, derived here from such values, recall from memory and not re-read (printed with "
            "--recalled alone)."
        )
    )
    console.print()
    console.print("Sources", style="bold")
    for source in dict.fromkeys(r.source for r in rungs):
        names = "; ".join(r.name for r in rungs if r.source == source)
        console.print(paragraph(f"{names}: {source}"))
    console.print()
    _measured(console)
    console.print(paragraph(f"Looked for and not found, so not used: {'; '.join(NOT_FOUND)}."))
    return console.export_text()


def _multiple(value: float) -> str:
    """Two or three digits: the events span fourteen orders of magnitude."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}" if value < 1e4 else f"{value:.1e}"


def _erased_lines(erased: Erased) -> str:
    d = erased.as_dict()
    bits = f"{erased.bits:g} bit{'' if erased.bits == 1 else 's'}"
    lines = [
        f"Erasing {bits}: {d['negentropy_j_per_k']:.5e} J/K of negentropy, at any temperature",
        f"  at {erased.temperature_k:g} K: {d['joules']:.5e} J of heat",
    ]
    if erased.efficiency is not None:
        watts = specific_power(erased.temperature_k, erased.efficiency)
        lines += [
            f"  at the wall ({WALL_K:g} K): {d['wall_joules']:.5e} J, with a refrigerator at "
            f"{erased.efficiency:g} of",
            f"  Carnot that takes {watts:.4g} W per watt lifted",
        ]
    return "\n".join(lines) + "\n"


def _measured(console: Console) -> None:
    table = plain_table(
        "Measured per inference, microjoules (MLPerf Tiny)", "device", "year", *MACS
    )
    for submission in MLPERF_TINY:
        cells = [_microjoules(submission.joules.get(network)) for network in MACS]
        table.add_row(submission.device, str(submission.year), *cells)
    console.print(table)
    console.print(
        paragraph(
            "AD: autoencoder (anomaly detection); KWS: DS-CNN (keyword spotting); IC: ResNet-8 "
            "(image classification); VWW: MobileNetV1 0.25 (visual wake words)."
        )
    )
    best = min((s for s in MLPERF_TINY if "KWS" in s.joules), key=lambda s: s.joules["KWS"])
    joules, macs = best.joules["KWS"], MACS["KWS"]
    console.print(
        paragraph(
            f"KWS on {best.device}: {joules * 1e6:.2f} microjoules are "
            f"{measured_vs_bound(joules):.2e} k_B T ln 2 at 300 K, and "
            f"{measured_vs_bound(joules, 32 * macs):.1e} times the bound even if each of its "
            f"{macs:,} MACs erased 32 bits by itself."
        )
    )


def _microjoules(joules: float | None) -> str:
    """Four digits, whole from 1,000 on."""
    if joules is None:
        return "-"
    value = joules * 1e6
    return f"{value:,.0f}" if value >= 1000 else f"{value:#.4g}"


def plot_ladder(rungs: Sequence[Rung], temperature_k: float) -> Any:
    """The ladder as a figure: a rung a row on a logarithmic axis of joules; returns it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.6 + 0.3 * len(rungs)), layout="constrained")
    axes = figure.subplots()
    bit = energy_j(1.0, temperature_k)
    axes.axvline(bit, color=COLOURS["limit"], linewidth=1, linestyle="--")
    shown: set[str] = set()
    for place, rung in enumerate(rungs):
        colour = COLOURS[rung.group]
        recalled = rung.status == "recall"
        axes.plot([bit, rung.joules], [place, place], color=colour, linewidth=1, alpha=0.5)
        axes.plot(
            rung.joules,
            place,
            marker="o",
            markersize=8,
            linestyle="none",
            color=colour,
            markerfacecolor="white" if recalled else colour,
            label="_" if rung.group in shown or recalled else rung.group,
        )
        if not recalled:
            shown.add(rung.group)
        axes.annotate(
            _multiple(rung.times_bit(temperature_k)) + (" (recalled)" if recalled else ""),
            (max(rung.joules, bit), place),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_xscale("log")
    axes.set_xlim(rungs[0].joules / 3, rungs[-1].joules * 60)
    axes.set_ylim(-0.7, len(rungs) - 0.3)
    axes.set_yticks(range(len(rungs)), [rung.name for rung in rungs], fontsize=9)
    axes.set_xlabel(f"J per event (figures: multiples of k_B T ln 2 at {temperature_k:g} K)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    axes.set_title("From one erased bit to a memory access", fontweight="bold")
    return figure
