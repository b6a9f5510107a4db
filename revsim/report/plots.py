"""The figure of a report: ledgers per layer beside the paper's counts, bits by cause, information."""

import io
from pathlib import Path
from typing import Any, cast

import numpy as np

from revsim.errors import InputError
from revsim.files import write_whole
from revsim.report.report import Report, RunReport

KINDS = ("png", "svg", "pdf")
LEDGER_STYLE = (
    ("reset_count", "reset_count (A0)", "#9aa0a6"),
    ("per_bit", "per_bit (A1)", "#4c78a8"),
    ("per_register", "per_register (A2)", "#72b7b2"),
    ("given_kept", "given_kept (A3)", "#e45756"),
)
CAUSE_COLOURS = {
    "layer_input": "#4c78a8",
    "activation": "#e45756",
    "requantise": "#f2a541",
    "clamp": "#b279a2",
    "gate_output": "#9aa0a6",
}


def plot_report(report: Report, path: str | Path | None = None) -> Any:
    """Two panels for one run (the paper's picture where it is among the runs); returns the figure.

    Upper: the four ledgers of each layer with its active and changed neurons. Lower left: bits by
    cause (per_bit) for every run; lower right: information lost by each operator.
    """
    from matplotlib.figure import Figure

    run = next((r for r in report.runs if r.policy == "activation_reset"), report.runs[0])
    figure = Figure(figsize=(10, 8), layout="constrained")
    top, bottom = cast(Any, figure.subfigures(2, 1))
    _ledgers(report, run, top.subplots())
    causes, losses = bottom.subplots(1, 2, width_ratios=[1.25, 1])
    _causes(report, causes)
    _losses(report, losses)
    figure.suptitle(
        f"{report.network['name']} on {report.ensemble['name']} "
        f"({report.ensemble['rows']:,} rows), {report.temperature_k:g} K",
        fontweight="bold",
    )
    if path is not None:
        save(figure, path)
    return figure


def save(figure: Any, path: str | Path) -> None:
    """Save a figure whole; an unknown ending or a folder that is not there is an InputError."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind_of(path), dpi=150)
    write_whole(path, buffer.getvalue())


def kind_of(path: str | Path) -> str:
    """The format that a file's ending names, or an InputError."""
    kind = Path(path).suffix.removeprefix(".").lower()
    if kind not in KINDS:
        raise InputError(f"{path}: end the name in one of {', '.join('.' + k for k in KINDS)}")
    return kind


def _ledgers(report: Report, run: RunReport, axes: Any) -> None:
    names = [layer.name for layer in report.layers]
    places = np.arange(len(names))
    width = 0.19
    for k, (field, label, colour) in enumerate(LEDGER_STYLE):
        values = [getattr(run.of_layer(name), field) for name in names]
        bars = axes.bar(places + (k - 1.5) * width, values, width, label=label, color=colour)
        axes.bar_label(bars, [f"{v:,.4g}" for v in values], fontsize=8, padding=2)
    counts = _neurons_by_layer(report)
    for name, marker, column in (("active neurons", "v", 0), ("changed neurons", "D", 1)):
        found = [(i, counts[n][column]) for i, n in enumerate(names) if n in counts]
        if found:
            axes.plot(
                [i for i, _ in found],
                [v for _, v in found],
                marker,
                color="black",
                markerfacecolor="white",
                markersize=8,
                label=f"{name} ({'B_R' if column == 0 else 'B_S'})",
                linestyle="none",
            )
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.margins(y=0.15)
    axes.set_xticks(places, [f"{x.name}\n{x.kind.replace('+', ' + ')}" for x in report.layers])
    axes.set_ylabel("bits (neurons) per inference")
    axes.set_title(f"Erased per layer: policy {run.policy}, input {run.input}")
    axes.legend(fontsize=8, ncols=2, loc="upper right")


def _neurons_by_layer(report: Report) -> dict[str, tuple[float, float]]:
    out: dict[str, tuple[float, float]] = {}
    for layer, _, p, changed, *_ in report.neurons.rows:
        active, toggled = out.get(layer, (0.0, 0.0))
        out[layer] = (active + p, toggled + changed)
    return out


def _causes(report: Report, axes: Any) -> None:
    labels = [f"{run.policy}\n{run.input}" for run in report.runs]
    left = np.zeros(len(labels))
    places = np.arange(len(labels))[::-1]
    for cause in dict.fromkeys(c for run in report.runs for c in run.causes()):
        values = np.array(
            [run.causes()[cause].per_bit if cause in run.causes() else 0.0 for run in report.runs]
        )
        axes.barh(places, values, left=left, label=cause, color=CAUSE_COLOURS.get(cause, "#54a24b"))
        left += values
    for place, total in zip(places, left, strict=True):
        axes.annotate(f" {total:,.4g}", (max(total, 0), place), va="center", fontsize=8)
    axes.set_xscale("symlog", linthresh=10)
    axes.set_xlim(0, max(float(left.max(initial=1.0)) * 8, 10))
    axes.set_yticks(places, labels, fontsize=8)
    axes.set_xlabel("per_bit (A1), bits per inference")
    axes.set_title("Bits by cause (log scale: compare lengths with care)", fontsize=10)
    axes.legend(fontsize=7, loc="lower right")


def _losses(report: Report, axes: Any) -> None:
    names = [layer.name for layer in report.layers]
    places = np.arange(len(names))
    linear = [max(0.0, layer.H_in - layer.H_z) for layer in report.layers]
    activation = [max(0.0, layer.H_z - layer.H_out) for layer in report.layers]
    for offset, values, label, colour in (
        (-0.2, linear, "linear part", "#4c78a8"),
        (0.2, activation, "activation part", "#e45756"),
    ):
        bars = axes.bar(places + offset, values, 0.38, label=label, color=colour)
        axes.bar_label(bars, [f"{v:.3g}" for v in values], fontsize=8, padding=2)
    axes.set_xticks(places, names)
    axes.margins(y=0.2)
    axes.set_ylabel("H(in) - H(out), bits")
    title = "Information lost by operator"
    axes.set_title(title + (" (at the ceiling)" if report.ensemble["ceiling"] else ""), fontsize=10)
    axes.legend(fontsize=8)
