"""The figure of a report: ledgers per layer and the paper's counts, bits by cause, information."""

import io
from pathlib import Path
from textwrap import wrap
from typing import Any, cast

import numpy as np

from revsim.errors import InputError
from revsim.files import write_whole
from revsim.report.report import Report, RunReport
from revsim.report.tables import number

KINDS = ("png", "svg", "pdf")
LEDGER_STYLE = (
    ("reset_count", "reset_count (A0)", "#d0cfe0"),
    ("per_bit", "per_bit (A1)", "#a29cc8"),
    ("per_register", "per_register (A2)", "#7367a8"),
    ("given_kept", "given_kept (A3)", "#3b2a6b"),
)
NEURON_STYLE = (("active neurons (B_R)", "v", "-"), ("changed neurons (B_S)", "D", ":"))
CAUSE_COLOURS = {
    "layer_input": "#4c78a8",
    "activation": "#e45756",
    "argmax": "#9d755d",
    "requantise": "#f2a541",
    "clamp": "#b279a2",
    "gate_output": "#9aa0a6",
    "neuron_state": "#d37295",
    "table": "#76b7b2",
}
OTHER_COLOUR = "#54a24b"
SYMLOG = {"linthresh": 1, "linscale": 0.5}
"""Logarithmic from 1 bit on and linear below, so that 0 has a place."""


def plot_report(report: Report, path: str | Path | None = None) -> Any:
    """The figure of a report, also saved where a path is given; returns it.

    Upper panel: the four ledgers of each layer for one run (the paper's picture where it is among
    the runs), with lines at the layer's active and changed neurons. Lower left: per_bit by cause
    for every run, one bar each, none stacked: the axis is logarithmic. Lower right: information
    lost by the linear and the activation part of each layer.
    """
    from matplotlib.figure import Figure

    run = next((r for r in report.runs if r.policy == "activation_reset"), report.runs[0])
    figure = Figure(figsize=(min(max(10.0, 1.6 * len(report.layers)), 40), 9), layout="constrained")
    top, bottom = cast(Any, figure.subfigures(2, 1, height_ratios=[1, 1.1]))
    _ledgers(report, run, top.subplots())
    causes, losses = bottom.subplots(1, 2, width_ratios=[1.35, 1])
    _causes(report, causes)
    _losses(report, losses)
    figure.suptitle(
        f"{report.network['name']}, ensemble {report.ensemble['name']}: "
        f"{report.ensemble['rows']:,} rows",
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
        _bar_labels(axes, bars, values, crowded=len(names) > 3)
    counts = _neurons_by_layer(report)
    for column, (label, marker, dashes) in enumerate(NEURON_STYLE):
        for place, name in enumerate(names):
            if name not in counts:
                continue
            value = counts[name][column]
            axes.plot(
                [place - 0.4, place + 0.43],
                [value, value],
                color="black",
                linestyle=dashes,
                linewidth=1,
                marker=marker,
                markevery=[1],
                markerfacecolor="white",
                label=label,
            )
            crowded = len(names) > 3  # then the figure stands over the layer's own highest bar
            axes.annotate(
                number(value) if crowded else f"  {number(value)}",
                (place + (-0.38 if crowded else 0.44), value),
                xytext=(0, (2, -2)[column]),
                textcoords="offset points",
                ha="left",
                va=("bottom", "top")[column],
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0} if crowded else None,
            )
            label = "_"  # one entry in the legend
    axes.set_yscale("symlog", **SYMLOG)
    axes.yaxis.set_major_formatter(_plain)
    axes.set_ylim(0, (2.5 if len(names) <= 3 else 40) * axes.get_ylim()[1])
    axes.set_xlim(-0.55, len(names) - 0.35)
    kinds = [layer.kind.replace("+", " + ") for layer in report.layers]
    slot = max(18, 72 // len(names))
    axes.set_xticks(
        places,
        [
            "\n".join((*wrap(name, slot), *wrap(kind, slot)))
            for name, kind in zip(names, kinds, strict=True)
        ],
        fontsize=10 if len(names) <= 3 else 8,
    )
    axes.set_ylabel("bits (or neurons) per inference")
    _head(axes, f"Erased per layer: policy {run.policy}, input {run.input}", columns=6)


def _bar_labels(axes: Any, bars: Any, values: Any, crowded: bool) -> None:
    """Figures above bars, upright where they would run into each other."""
    turned = {"rotation": 90, "padding": 3} if crowded else {"padding": 2}
    axes.bar_label(bars, [number(v) for v in values], fontsize=8, **turned)


def _plain(value: float, _: int | None = None) -> str:
    return f"{value:,.0f}"


def _head(axes: Any, title: str, columns: int) -> None:
    """The title with the legend between it and the axes, where it can cover nothing."""
    handles, labels = axes.get_legend_handles_labels()
    rows = -(-len(labels) // columns)
    axes.set_title(title, fontsize=10.5, pad=10 + 14 * rows)
    axes.legend(
        handles,
        labels,
        fontsize=8,
        ncols=columns,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        frameon=False,
        columnspacing=1.2,
        handlelength=1.4,
    )


def _neurons_by_layer(report: Report) -> dict[str, tuple[float, float]]:
    out: dict[str, tuple[float, float]] = {}
    for layer, _, p, changed, *_ in report.neurons.rows:
        active, toggled = out.get(layer, (0.0, 0.0))
        out[layer] = (active + p, toggled + changed)
    return out


def _causes(report: Report, axes: Any) -> None:
    place, largest = 0.0, 1.0
    ticks, labels = [], []
    seen: set[str] = set()
    for run in report.runs:
        first = place
        causes = run.causes()
        for cause, ledgers in causes.items():
            axes.barh(
                place,
                ledgers.per_bit,
                0.8,
                color=CAUSE_COLOURS.get(cause, OTHER_COLOUR),
                label=cause if cause not in seen else "_",
            )
            seen.add(cause)
            text = f" {number(ledgers.per_bit)}" if ledgers.per_bit else f" {cause}: 0"
            axes.annotate(text, (ledgers.per_bit, place), va="center", fontsize=8)
            largest = max(largest, ledgers.per_bit)
            place += 1
        if not causes:
            axes.annotate(" nothing is erased", (0, place), va="center", fontsize=8)
            place += 1
        ticks.append((first + place - 1) / 2)
        labels.append(f"{run.policy}, {run.input}\ntotal {number(run.total.per_bit)}")
        place += 0.8
    axes.set_xscale("symlog", **SYMLOG)
    axes.xaxis.set_major_formatter(_plain)
    axes.set_xlim(0, 6 * largest)
    axes.set_ylim(max(place, 4.0) - 0.9, -0.9)
    axes.set_yticks(ticks, labels, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlabel("per_bit (A1), bits per inference (logarithmic from 1 on)")
    _head(axes, "Erased by cause", columns=3)


def _losses(report: Report, axes: Any) -> None:
    names = [layer.name for layer in report.layers]
    places = np.arange(len(names))
    linear = [max(0.0, layer.H_in - layer.H_z) for layer in report.layers]
    activation = [max(0.0, layer.H_z - layer.H_out) for layer in report.layers]
    for offset, values, label, colour in (
        (-0.2, linear, "linear part", CAUSE_COLOURS["layer_input"]),
        (0.2, activation, "activation part", CAUSE_COLOURS["activation"]),
    ):
        values = [0.0 if value < 1e-9 else value for value in values]
        bars = axes.bar(places + offset, values, 0.38, label=label, color=colour)
        _bar_labels(axes, bars, values, crowded=len(names) > 5)
    if sum(map(len, names)) <= 30:  # they stand beside one another
        axes.set_xticks(places, names)
    else:
        short = [n if len(n) <= 26 else f"{n[:12]}...{n[-11:]}" for n in names]
        axes.set_xticks(places, short, rotation=90, fontsize=8)
    axes.set_ylim(0, 1.15 * max(axes.get_ylim()[1], 0.1))
    axes.set_ylabel("H(in) - H(out), bits")
    title = "Information lost by operator"
    _head(axes, title + (" (at the ceiling)" if report.ensemble["ceiling"] else ""), columns=2)
