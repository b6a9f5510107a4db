"""Experiment 7: states that stay from one frame of a video to the next, and are overwritten."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from revsim.experiments.experiment import Experiment, Outcome
from revsim.ledger.identities import TOLERANCE
from revsim.ledger.stream_device import Step, step_residual
from revsim.ledger.streams import Stream, stream_ledger
from revsim.network.arrays import from_arrays
from revsim.network.bundled import bundled, bundled_data
from revsim.network.network import Network
from revsim.network.reference import run_reference
from revsim.report.report import Table
from revsim.schedule.stream import WAYS
from revsim.simulator.ensemble import Ensemble, uniform
from revsim.streaming import neuron_names, neuron_states, run_step, stream_of

PIXELS: Final = 8
FLIPS: Final = (1, 2, 4, 8, 12, 16, 20, 24, 26, 27, 28, 30, 31, 32)
"""Chance that a pixel flips between frames, in 32nds."""
CUTS: Final = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02)
"""Chance that a video of digits cuts to another image between frames."""
FRAMES: Final = 6000
SEED: Final = 7


@dataclass(frozen=True, eq=False)
class Point:
    """One video: its ledgers, and the device that keeps states, each way to overwrite them."""

    knob: float
    stream: Stream
    steps: tuple[Step, ...]

    @property
    def residual(self) -> float:
        """How far devices and theorem are apart, in bits; infinite where a promise is broken."""
        broken = any(step.wrong for step in self.steps)
        return np.inf if broken else max(step_residual(self.stream, s) for s in self.steps)


def ring() -> Network:
    """Eight binary pixels in a ring, a neuron over each three neighbours: on where two are lit."""
    eye = np.eye(PIXELS, dtype=np.int64)
    windows = sum(np.roll(eye, shift, axis=1) for shift in (-1, 0, 1))
    return from_arrays([windows], activation="threshold", thresholds=[2], name="ring")


def flicker(network: Network) -> list[Point]:
    """Every pair of frames whose pixels flip with a given chance, exactly: 2^16 weighted pairs."""
    frames = uniform(network.input_low, network.input_high).rows
    first, second = np.divmod(np.arange(len(frames) ** 2), len(frames))
    reference = run_reference(network, frames)
    states, y = neuron_states(network, reference), reference[-1].y
    rows = np.hstack([frames[first], frames[second]])
    flips = (frames[first] != frames[second]).sum(axis=1)
    names = neuron_names(network)
    points = []
    for k in FLIPS:
        weights = np.int64(k) ** flips * np.int64(32 - k) ** (PIXELS - flips)
        pairs = Ensemble("flicker", rows, weights, enumerated=True)
        stream = stream_ledger(names, states[first], states[second], pairs)
        some = weights > 0
        now = second[some]
        steps = tuple(
            run_step(
                network, way, states[first[some]], frames[now], states[now], y[now], weights[some]
            )
            for way in WAYS
        )
        points.append(Point(k / 32, stream, steps))
    return points


def film(network: Network, images: np.ndarray[Any, Any], cut: float) -> Point:
    """Frames that hold an image until a cut to another, drawn at random."""
    random = np.random.default_rng([SEED, round(1000 * cut)])
    scene = np.cumsum(random.random(FRAMES) < cut)
    rows = images[random.integers(0, len(images), FRAMES + 1)[scene]]
    reference = run_reference(network, rows)
    states = neuron_states(network, reference)
    stream = stream_of(network, rows, states)
    y = reference[-1].y
    steps = tuple(run_step(network, way, states[:-1], rows[1:], states[1:], y[1:]) for way in WAYS)
    return Point(cut, stream, steps)


def _run() -> Outcome:
    exact = flicker(ring())
    digits, images = bundled("digits"), bundled_data("digits")
    assert images is not None
    films = [film(digits, images[0], cut) for cut in CUTS]
    every = [*exact, *films]
    active = [float(p.stream.activity.sum()) for p in every]
    toggles = [p.stream.changed_neurons_stream for p in every]
    cost = [float(p.stream.given_next.sum()) for p in every]
    reset = [float(p.stream.state_entropy.sum()) for p in every]
    calmer = [t < a for t, a in zip(toggles, active, strict=True)]
    wins = [c < r for c, r, calm in zip(cost, reset, calmer, strict=True) if calm]
    short = [k for k in range(len(exact)) if cost[k] < toggles[k] - 1e-12]
    residual = max(p.residual for p in every)
    still, last = len(exact) - 1, exact[-1]
    independent = next(p for p in exact if p.knob == 0.5)
    sentence = (
        f"Overwriting kept states, new value known, costs less than resetting them in "
        f"{sum(wins)} of {len(wins)} videos with fewer changes than active neurons; "
        f"{below_a_bit(short)}, and where every frame is "
        f"the negative of the last, {toggles[still]:.0f} changes cost {_exact(cost[still])} bits."
    )
    return Outcome(
        holds=all(wins) and not short and residual < TOLERANCE,
        sentence=sentence,
        numbers={
            "videos": len(every),
            "videos_with_fewer_changes_than_active_neurons": sum(calmer),
            "videos_below_a_bit_per_change": len(short),
            "independent_frames_given_next": float(independent.stream.given_next.sum()),
            "negative_frames_changed_neurons": last.stream.changed_neurons_stream,
            "negative_frames_given_next": float(last.stream.given_next.sum()),
            "slowest_digits_given_next": float(films[-1].stream.given_next.sum()),
            "slowest_digits_state_entropy": float(films[-1].stream.state_entropy.sum()),
            "digits_videos_not_stationary": sum(bool(p.stream.drifting) for p in films),
            "device_residual": residual,
        },
        tables={
            "Ring of 8 pixels, 8 neurons; every pair of frames, exact (bits)": _table(
                exact, "flips", joint=True
            ),
            f"Digits network, 32 neurons; {FRAMES:,} frames of real digits (bits)": _table(
                films, "cuts", joint=False
            ),
            "Flips of the ring at 1/4: the device, three ways": _devices(exact[FLIPS.index(8)]),
        },
        series={
            "exact": _series(exact),
            "films": _series(films),
        },
    )


def below_a_bit(short: Sequence[int]) -> str:
    """Which of the exact videos cost less than a bit per change, by their places in `FLIPS`.

    >>> below_a_bit([])
    'it never costs less than a bit per change'
    >>> below_a_bit([0, 5])
    'but at 3%, 50% flips it costs less than a bit per change'
    """
    if not short:
        return "it never costs less than a bit per change"
    where = ", ".join(f"{FLIPS[k] / 32:.0%}" for k in short)
    if [*short] == [*range(short[0], len(FLIPS))]:
        return f"but from {FLIPS[short[0]] / 32:.0%} flips on it costs less than a bit per change"
    return f"but at {where} flips it costs less than a bit per change"


def _exact(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3f}"


def _table(points: Sequence[Point], knob: str, joint: bool) -> Table:
    """`flagged`: per_bit of the conditional reset, flags included; `joint`: not at a ceiling."""
    rows = []
    for p in points:
        s = p.stream
        flagged = next(step for step in p.steps if step.way == "flag").total.per_bit
        row = [
            f"{p.knob:.4g}",
            float(s.activity.sum()),
            s.changed_neurons_stream,
            float(s.state_entropy.sum()),
            flagged,
            float(s.given_next.sum()),
        ]
        rows.append((*row, *((s.joint_given_next, s.joint_given_input) if joint else ())))
    columns = (knob, "active", "changed", "reset", "flagged", "own new")
    return Table((*columns, *(("all new", "X(t)") if joint else ())), tuple(rows))


def _devices(point: Point) -> Table:
    rows = []
    for step in point.steps:
        t = step.total
        rows.append((step.title, t.reset_count, t.ones_flipped, t.per_bit, step.given_next))
    return Table(("way to overwrite", "resets", "ones", "per_bit", "own new"), tuple(rows))


def _series(points: Sequence[Point]) -> dict[str, list[float]]:
    return {
        "knob": [p.knob for p in points],
        "active": [float(p.stream.activity.sum()) for p in points],
        "changed": [p.stream.changed_neurons_stream for p in points],
        "state_entropy": [float(p.stream.state_entropy.sum()) for p in points],
        "given_next": [float(p.stream.given_next.sum()) for p in points],
        "joint_given_next": [p.stream.joint_given_next for p in points],
        "joint_given_input": [p.stream.joint_given_input for p in points],
    }


STYLE: Final = (
    ("state_entropy", "reset each time: sum of $h_2$", "#a29cc8", "-", "o"),
    ("given_next", "overwrite, own new value seen", "#7367a8", "-", "s"),
    ("joint_given_next", "overwrite, all new values seen", "#3b2a6b", "-", "^"),
    ("joint_given_input", "overwrite, $X(t)$ seen", "#4c78a8", "-", "P"),
    ("active", "active neurons ($B_R$)", "black", "--", "v"),
    ("changed", "changed in the stream", "black", ":", "D"),
)


def _draw(outcome: Outcome, figure: Any) -> None:
    left, right = figure.subplots(1, 2)
    for axes, name in ((left, "exact"), (right, "films")):
        series = outcome.series[name]
        for key, label, colour, dashes, marker in STYLE:
            if name == "films" and key.startswith("joint"):
                continue  # at the ceiling
            axes.plot(
                series["knob"],
                series[key],
                dashes,
                color=colour,
                marker=marker,
                markersize=4.5,
                markerfacecolor="white" if colour == "black" else colour,
                label=label,
            )
        axes.set_ylim(bottom=0)
        axes.set_ylabel("bits (or neurons) per frame")
    x, cost, changed = (
        np.array(outcome.series["exact"][k]) for k in ("knob", "given_next", "changed")
    )
    left.fill_between(
        x, cost, changed, where=changed >= cost, interpolate=True, color="#e45756", alpha=0.2, lw=0
    )
    left.annotate(
        "less than a bit\nper change",
        (0.9, 6.1),
        xytext=(0.70, 9.0),
        fontsize=9,
        color="#b03a3a",
        ha="center",
        arrowprops={"arrowstyle": "-", "color": "#b03a3a", "lw": 0.8},
    )
    left.set_ylim(0, 10.2)
    left.set_xlabel("chance that a pixel flips between frames")
    left.set_title("Ring of 8 pixels, 8 neurons: every pair, exact", fontsize=10.5)
    right.set_xscale("log")
    cuts = outcome.series["films"]["knob"]
    right.set_xticks(cuts, [f"{c:g}" for c in cuts])
    right.minorticks_off()
    right.set_xlabel("chance of a cut to another image (1: independent frames)")
    right.set_title("Digits network, 32 neurons: videos of real digits", fontsize=10.5)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)


EXPERIMENT = Experiment(
    number=7,
    name="streams",
    title="Kept states in a stream: what overwriting costs",
    hypothesis=(
        "Keeping neuron states from frame to frame and overwriting them costs less than resetting "
        "them where fewer neurons change than are active, and never less than one bit per change."
    ),
    measurement=(
        "Active and changed neurons, and what it costs to forget s(t-1): reset each time; "
        "overwritten while each neuron sees its own new value, all new values, or X(t). A ring of "
        "8 pixels that flip with a given chance, all 2^16 pairs of frames, exact; and the digits "
        "network on videos of real digits with cuts. Every number also read from a circuit, three "
        "ways to overwrite, one of them a conditional reset by a flag."
    ),
    failure=(
        "Keeping costs no less than resetting in a calm video, or a circuit disagrees with T8. A "
        "video that is not stationary would be marked so."
    ),
    source="Theorem T8; Tkachenko, arXiv 2503.09980 v1, in the reading of states that are kept",
    run=_run,
    draw=_draw,
    size=(10.5, 5.2),
)
