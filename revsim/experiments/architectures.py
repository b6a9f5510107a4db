"""Experiment 15: what families of architectures lose, whichever circuit computes them."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from math import exp, gcd, log2
from typing import Any

import numpy as np

from revsim.experiments.experiment import Experiment, Outcome
from revsim.experiments.rounding import at_least, at_most, tolerance
from revsim.network.handmade import (
    attention,
    attention_scores,
    binary_net,
    coupling,
    edge,
    kan,
    layer_norm,
    mixture,
    recurrence,
    residual,
    shift_register,
    softmax_logits,
    tree,
)
from revsim.network.network import Network
from revsim.network.operators import Dense, Part, Relu
from revsim.network.operators import Table as Lookup
from revsim.pipeline import verify
from revsim.report.plots import LEDGER_STYLE
from revsim.report.report import RunReport, Table
from revsim.schedule.policy import POLICIES
from revsim.simulator.ensemble import uniform

Row = tuple[int, ...]


@dataclass(frozen=True)
class Family:
    """A network and, where it has a definition in a line, that definition on one input row."""

    label: str
    network: Network
    plain: Callable[[Row], Hashable] | None = None


def silu(z: int) -> int:
    """round(16 silu(z / 16)), silu(u) = u / (1 + e^-u)."""
    return round(z / (1 + exp(-z / 16)))


def _direction(row: Row) -> Hashable:
    first, second = row[0] - row[1], row[1] - row[2]
    common = gcd(first, second) or 1
    return first // common, second // common


def _coupled(network: Network, row: Row) -> Hashable:
    parts = [o.operator for o in network.operators if isinstance(o, Part)]
    first, second = (t.values.tolist() for t in parts if isinstance(t, Lookup))
    y = (row[0] + first[row[1]]) % 16
    return y, (row[1] + second[y]) % 16


def _next(row: Row) -> int:
    return (row[0] + 5 * row[1]) % 256


def _leaf(row: Row) -> int:
    return 2 * (row[0] >= 4) + (row[1] >= (6 if row[0] >= 4 else 2))


def _binary(row: Row) -> bool:
    return sum(sum(row[k : k + 3]) >= 2 for k in range(3)) >= 2


def families() -> tuple[Family, ...]:
    """Every family with an example small enough to enumerate."""
    block = coupling()
    square, swish = edge(lambda z: z * z, -8, 7, "square"), edge(silu, -128, 127, "silu")
    return (
        Family("softmax", softmax_logits(), lambda r: (r[0] - r[1], r[1] - r[2])),
        Family("layer norm", layer_norm(), _direction),
        Family("attention scores", attention_scores(), lambda r: r.index(max(r))),
        Family("attention head", attention()),
        Family("mixture, top 1", mixture()),
        Family("shift register", shift_register(), lambda r: (r[1] + 256 * r[0]) >> 1),
        Family("SSM, kept", recurrence(keep=True), lambda r: (_next(r), r[0])),
        Family("SSM, dropped", recurrence(), _next),
        Family("binary neurons", binary_net(), _binary),
        Family("coupling (RevNet)", block, lambda r: _coupled(block, r)),
        Family("plain residual", residual(), lambda r: max(r[0], 0)),
        Family("KAN edge, square", square, lambda r: r[0] ** 2),
        Family("KAN edge, SiLU", swish, lambda r: silu(r[0])),
        Family("KAN, two layers", kan()),
        Family("tree, leaf only", tree(), _leaf),
        Family("tree, all kept", tree(keep=True), lambda r: (r[0] >= 4, r[1] >= 2, r[1] >= 6)),
    )


def loss_of(function: Callable[[Row], Hashable], network: Network) -> float:
    """H(X | f(X)) for uniform inputs, by counting: bits.

    >>> round(loss_of(lambda row: max(row[0], 0), residual()), 6)
    1.783083
    """
    ends = zip(network.input_low.tolist(), network.input_high.tolist(), strict=True)
    rows: Iterable[Row] = product(*(range(low, high + 1) for low, high in ends))
    times = Counter(map(function, rows)).values()
    return sum(n * log2(n) for n in times) / sum(times)


@dataclass(frozen=True)
class Found:
    """What one family's network loses: `defined` by its plain definition, `runs` per policy.

    `kept` is reset_count with Bennett's order and the input kept. All in bits.
    """

    label: str
    H_X: float
    H_Y: float
    defined: float | None
    runs: Mapping[str, RunReport]
    kept: float
    active: float
    holds: bool

    @property
    def lost(self) -> float:
        """H(X) - H(Y), from the integer reference."""
        return self.H_X - self.H_Y

    @property
    def deviation(self) -> float:
        """How far any policy's given_kept, or the definition, is from `lost`."""
        known = [run.total.given_kept for run in self.runs.values()]
        known += [] if self.defined is None else [self.defined]
        return max(abs(value - self.lost) for value in known)


def measure(family: Family) -> Found:
    """The network on all its inputs under every policy, and under bennett with the input kept."""
    network = family.network
    ensemble = uniform(network.input_low, network.input_high)
    reports = {p: verify(network, ensemble, policy=p, threads=1) for p in POLICIES}
    kept = verify(network, ensemble, policy="bennett", input="keep", threads=1)
    one = reports["activation_reset"]
    return Found(
        family.label,
        one.H_X,
        one.H_Y,
        None if family.plain is None else loss_of(family.plain, network),
        {policy: report.runs[0] for policy, report in reports.items()},
        kept.runs[0].total.reset_count,
        one.activity.active_neurons,
        all(report.holds for report in (*reports.values(), kept)),
    )


def neurons_one_by_one() -> float:
    """Bits lost by the binary net's neurons, each by itself: more than the net loses (theory T6).

    Each neuron's H(inputs) - H(output): three on uniform windows, one on what these put out.

    >>> round(neurons_one_by_one(), 6)
    7.622556
    """
    net = binary_net()
    hidden = verify(net, policy="uncompute", threads=1).layers[1]
    window = binary_net().operators[0]
    assert isinstance(window, Dense)
    alone = Network("window", np.zeros(3, np.int64), np.ones(3, np.int64), (Relu(),))
    each = loss_of(lambda row: sum(row) >= 2, alone)
    return len(window.weights) * each + hidden.H_in - hidden.H_out


def _run() -> Outcome:
    found = [measure(family) for family in families()]
    deviation = max(f.deviation for f in found)
    kept = max(f.kept for f in found)
    holds = deviation < 1e-9 and kept == 0 and all(f.holds for f in found)
    least, most = min(found, key=lambda f: f.lost), max(found, key=lambda f: f.lost)
    wide = max(f.runs["conventional"].total.reset_count for f in found)
    free = [f for f in found if f.lost < 1e-9]
    dear = min(run.total.per_bit for f in free for run in f.runs.values())
    sentence = (
        f"{len(found)} examples lose H(X) - H(Y), {abs(least.lost):.0f} to "
        f"{at_most(most.lost, '.2f')} bits, under all {len(POLICIES)} policies (to "
        f"{tolerance(deviation)}); bennett with the input kept erases {kept:g}. The function "
        f"fixes the loss, the circuit what is counted: the {len(free)} that lose nothing pay "
        f"{at_least(dear, '.0f')} bits or more bit by bit under any policy, input destroyed; "
        f"of all, A0 reaches {wide:.0f}."
    )
    return Outcome(
        holds=holds,
        sentence=sentence,
        numbers={
            "examples": len(found),
            "policies": len(POLICIES),
            "greatest_deviation": deviation,
            "greatest_erased_with_input_kept": kept,
            "least_lost": abs(least.lost),
            "most_lost": most.lost,
            "least_per_bit_of_the_lossless": dear,
            "binary_neurons_one_by_one": neurons_one_by_one(),
            **{f"lost_{f.label}": abs(f.lost) for f in found},
        },
        tables={
            "What is lost: the same in every circuit": Table(
                ("example", "H(X)", "H(Y)", "lost", "by definition", "deviation"),
                tuple(
                    (f.label, f.H_X, f.H_Y, abs(f.lost), f.defined, f"{f.deviation:.0e}")
                    for f in found
                ),
            ),
            "What the circuit changes: A4 of the netlist, A1 and A0 of two policies": Table(
                ("example", "A3", "A4", "A1 reset", "A0 reset", "A1 unc.", "A0 unc.", "active"),
                tuple(_circuit_row(f) for f in found),
            ),
        },
        series={
            "labels": [f.label for f in found],
            "lost": [abs(f.lost) for f in found],
            **{
                name: [getattr(f.runs["activation_reset"].total, name) for f in found]
                for name in ("reset_count", "per_bit", "per_register")
            },
            "gate_local": [f.runs["conventional"].total.gate_local for f in found],
        },
    )


def _circuit_row(f: Found) -> tuple[Any, ...]:
    reset, uncompute = (f.runs[p].total for p in ("activation_reset", "uncompute"))
    local = f.runs["conventional"].total.gate_local
    counts = (reset.per_bit, int(reset.reset_count), uncompute.per_bit, int(uncompute.reset_count))
    return (f.label, abs(f.lost), local, *counts, f.active)


def _draw(outcome: Outcome, figure: Any) -> None:
    axes = figure.subplots()
    series = outcome.series
    places = range(len(series["labels"]))
    colours = {name: (label, colour) for name, label, colour in LEDGER_STYLE}
    label, colour = colours["given_kept"]
    axes.barh(places, series["lost"], color=colour, label=f"{label} = H(X) - H(Y)")
    for place, lost in zip(places, series["lost"], strict=True):
        shade = "white" if lost > 0.5 else colour
        axes.text(0.04, place, f"{lost:.2f}", va="center", fontsize=8, color=shade)
    for name, marker in (("per_register", "s"), ("per_bit", "o"), ("reset_count", "D")):
        label, colour = colours[name]
        axes.plot(series[name], places, marker, color=colour, markersize=6, label=label)
    axes.plot(series["gate_local"], places, "x", color="#e45756", label="gate_local (A4), netlist")
    axes.set_xscale("symlog", linthresh=1, linscale=0.5)
    ticks = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_yticks(places, series["labels"])
    axes.invert_yaxis()
    axes.set_xlabel(
        "bits per inference, inputs uniform (logarithmic beyond 1); A0 to A3: activation_reset"
    )
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.legend(fontsize=8, loc="lower right")


EXPERIMENT = Experiment(
    number=15,
    name="architectures",
    title="What families of architectures lose, and circuits erase",
    hypothesis=(
        "The bits lost are H(X) - H(Y) whatever the family: attention, recurrent, binary, "
        "residual, KAN or tree: the function fixes them; the circuit, the counts A0, A1, A4."
    ),
    measurement=(
        "A small network of each family compiled under every policy, every gate run on every "
        "input, all alike: given_kept against H(X) - H(Y), and against the loss of the family's "
        "definition, counted without any circuit."
    ),
    failure="Two policies that lose different amounts, or a loss that is not H(X) - H(Y) (T1).",
    source="Theorems T1, T5, T9; RevNet: Gomez et al. 2017; KAN: Liu et al. 2024",
    run=_run,
    draw=_draw,
    size=(9.0, 6.5),
)
