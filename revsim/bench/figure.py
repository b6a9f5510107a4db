"""The figure of a benchmark: rate against the size of the state, beside the levels of cache."""

from itertools import cycle
from typing import Any

from revsim.bench.goals import Bench
from revsim.bench.rows import Point

OWN = ("#3b2a6b", "#5b4a9b", "#7367a8", "#a29cc8", "#c3bedd")
BOUND = ("#9aa0a6", "#b8bcc0", "#7f858b", "#5f6368", "#d0d4d8")
PEERS = ("#e45756", "#f2a541", "#54a24b", "#4c78a8", "#b279a2", "#9d755d", "#76b7b2", "#d37295")
MARKERS = "osD^vP*Xhp<>"


def draw(bench: Bench) -> Any:
    """A matplotlib figure; lines are own kernels and bounds in C, single points are peers.

    Hollow points are equivalents: gates were not evaluated one by one.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    series: dict[str, list[Point]] = {}
    for point in bench.points:
        series.setdefault(point.series, []).append(point)
    colours = {kind: cycle(c) for kind, c in (("own", OWN), ("bound", BOUND), ("peer", PEERS))}
    markers = cycle(MARKERS)
    for name, points in series.items():
        kind = _kind(points[0])
        points.sort(key=lambda point: point.state_bytes)
        colour = next(colours[kind])
        axes.plot(
            [point.state_bytes for point in points],
            [point.rate for point in points],
            label=f"{name} (equivalent)" if points[0].equivalent else name,
            color=colour,
            marker=next(markers) if kind == "peer" else "o" if kind == "own" else None,
            markersize=7,
            markerfacecolor="none" if points[0].equivalent else colour,
            linestyle="--" if kind == "bound" else "-" if kind == "own" else "none",
        )
    _cache_levels(axes, bench.machine["caches"])
    axes.set_xlabel("state: live wires x lanes (bytes)")
    axes.set_ylabel("gate evaluations per second, one core")
    return figure


def _kind(point: Point) -> str:
    return "peer" if point.peer else "bound" if " in C" in point.series else "own"


def _cache_levels(axes: Any, caches: dict[str, int]) -> None:
    """Vertical lines where a level of cache ends, named at the top."""
    for level, size in caches.items():
        axes.axvline(size, color="#888888", linewidth=0.8, linestyle=":")
        axes.annotate(
            level,
            (size, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-3, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            color="#666666",
        )
