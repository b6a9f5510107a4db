"""The figure of a benchmark: rate against the size of the state, beside the levels of cache."""

from itertools import cycle
from typing import Any

import numpy as np

from revsim.bench.goals import Bench
from revsim.bench.rows import Point, size_in_words

COLOURS = (
    "#b279a2", "#7367a8", "#3b2a6b", "#4c78a8", "#2f8f9d",
    "#9d755d", "#d37295", "#e45756", "#f2a541", "#54a24b",
)  # fmt: skip
"""Of own kernels; an interpreter in C of the same width has the colour of the kernel."""
STREAM_COLOUR = "#222222"
PEER_COLOURS = ("#e45756", "#f2a541", "#54a24b", "#4c78a8", "#b279a2", "#9d755d", "#76b7b2")
MARKERS = "sD^vP*X<>hp"
SLOW = 1e8
"""Rates below this stand in a panel of their own."""


def draw(bench: Bench) -> Any:
    """A matplotlib figure: own kernels as lines, bounds in C dashed, peers as markers.

    Hollow markers are equivalents: gates were not evaluated one by one. Simulators of one sample
    stand in a panel of their own, far below.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    figure = Figure(figsize=(11.5, 7), layout="constrained")
    slow = any(point.rate < SLOW for point in bench.points)
    heights = (6, 1) if slow else (6,)
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
    panels = panels[:, 0]
    series: dict[str, list[Point]] = {}
    for point in sorted(bench.points, key=lambda point: point.peer):
        series.setdefault(point.series, []).append(point)
    styles = _styles(series)
    for name, points in series.items():
        for low, panel in enumerate(panels):
            shown = [point for point in points if (point.rate < SLOW) == bool(low)]
            shown.sort(key=lambda point: point.state_bytes)
            if shown:
                sizes, rates = zip(*((p.state_bytes, p.rate) for p in shown), strict=True)
                label = name.partition(" (")[0] + " (equivalent)" * shown[0].equivalent
                panel.plot(sizes, rates, label=label, **styles[name])
    for panel in panels:
        panel.set_xscale("log", base=4)
        panel.set_yscale("log")
        panel.grid(True, which="major", color="#eeeeee", linewidth=0.8)
        panel.set_axisbelow(True)
        for size in bench.machine["caches"].values():
            panel.axvline(size, color="#888888", linewidth=1.0, linestyle="-.", zorder=1)
    if slow:
        least, most = np.log10(panels[1].get_ylim())
        panels[1].set_ylim(10 ** np.floor(least), 10 ** np.ceil(most))
        panels[1].yaxis.set_minor_formatter(NullFormatter())
    _name_caches(panels[0], bench.machine["caches"])
    panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda size, _: size_in_words(size)))
    panels[-1].xaxis.set_minor_locator(NullLocator())
    panels[-1].set_xlabel("state: wires x lanes / 8 (bytes)")
    panels[0].set_ylabel("gate evaluations a second, one thread (hollow: equivalent)")
    panels[0].set_title(
        f"{bench.machine['processor']}, vectors of {bench.machine['vector_bits']} bits", fontsize=10
    )
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return figure


def _styles(series: dict[str, list[Point]]) -> dict[str, dict[str, Any]]:
    """How each series is drawn."""
    colours, peers = cycle(COLOURS), cycle(zip(cycle(PEER_COLOURS), MARKERS, strict=False))
    of_width: dict[str, str] = {}
    styles: dict[str, dict[str, Any]] = {}
    for name, points in series.items():
        kind, _, width = name.partition(", ")
        style: dict[str, Any] = {"marker": "o", "markersize": 4, "linestyle": "-"}
        if points[0].peer:
            style["color"], style["marker"] = next(peers)
            style |= {"markersize": 8, "linestyle": "none"}
        elif not width:
            style |= {"color": STREAM_COLOUR, "linestyle": "--", "marker": None}
        else:
            if width not in of_width:
                of_width[width] = next(colours)
            style["color"] = of_width[width]
            if "in C" in kind:
                style |= {"linestyle": ":", "marker": None}
        if points[0].equivalent:
            style |= {"markerfacecolor": "white", "markersize": 8}
        styles[name] = style
    return styles


def _name_caches(axes: Any, caches: dict[str, int]) -> None:
    """What ends at each vertical line."""
    for level, size in caches.items():
        axes.annotate(
            f"{level} {size_in_words(size)}",
            (size, 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(-3, 4),
            textcoords="offset points",
            ha="right",
            va="bottom",
            rotation=90,
            color="#666666",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            zorder=5,
        )
