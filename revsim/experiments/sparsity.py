"""Experiment 5: what sparse neurons cost, against how many of them are on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from revsim.experiments.experiment import Experiment, Outcome
from revsim.experiments.rounding import at_most
from revsim.ledger.comparison import activity
from revsim.ledger.reference import joint_entropy, neuron_statistics
from revsim.network.bundled import bundled, bundled_data, held_out
from revsim.network.operators import Integers
from revsim.network.reference import run_reference
from revsim.report.plots import LEDGER_STYLE
from revsim.report.report import Table

FAMILIES = {
    "L1": ("l1_50", "l1_25", "l1_10", "l1_5", "l1_2"),
    "top-k": ("top16", "top8", "top4", "top2", "top1"),
}
GROUP = 8
"""Neurons of one register where states are reset eight at a time."""
QUANTITIES = (
    ("neuron_entropy", "one by one: sum of h2(p)"),
    ("in_eights", "eight at a time: joint entropies"),
    ("pattern_entropy", "all together: pattern entropy"),
)
STYLE = dict(zip(FAMILIES, (("o", "-"), ("s", "--")), strict=True))
COLOURS = dict(zip((q for q, _ in QUANTITIES), (c for _, _, c in LEDGER_STYLE[1:]), strict=True))
RED = "#e45756"


@dataclass(frozen=True)
class Sparse:
    """The hidden neurons of one network on the images.

    `on`: mean share that is on; `dead`: neurons that never are; entropies in bits per inference.
    """

    name: str
    neurons: int
    on: float
    active: float
    changed: float
    neuron_entropy: float
    in_eights: float
    pattern_entropy: float
    dead: int
    accuracy: float


def sparse(name: str, rows: Integers, labels: Integers, test: Integers) -> Sparse:
    """Measure the layer of neurons of one network."""
    network = bundled(name)
    reference = run_reference(network, rows)
    k = next(k for k, layer in enumerate(network.layers) if layer.neurons)
    on = network.layers[k].active(reference[k].y)
    neurons = neuron_statistics(name, reference[k].y, on, None)
    counted = activity([neurons])
    groups = [on[:, i : i + GROUP] for i in range(0, on.shape[1], GROUP)]
    right = reference[-1].y[:, 0] == labels
    return Sparse(
        name.removeprefix("digits_"),
        on.shape[1],
        float(on.mean()),
        counted.active_neurons,
        counted.changed_neurons,
        counted.neuron_entropy,
        float(sum(joint_entropy(group) for group in groups)),
        counted.pattern_entropy,
        int((neurons.activity == 0).sum()),
        float(right[test].mean()),
    )


def entropy_law(neurons: float, on: Any) -> Any:
    """n p log2(e / p), in bits: n h2(p) for small p.

    >>> round(float(entropy_law(64, 1 / 64)), 4)
    7.4427
    """
    return neurons * on * np.log2(np.e / on)


def fit(values: Any, law: Any) -> tuple[float, float]:
    """(factor, residual) of values = factor * law by least squares of logarithms.

    The residual is the root mean square of log2(value / fitted): 1 is a factor of two.

    >>> fit(np.array([2.0, 8.0]), np.array([1.0, 1.0]))
    (4.0, 1.0)
    """
    ratio = np.log2(np.asarray(values) / np.asarray(law))
    return float(2 ** ratio.mean()), float(np.sqrt(np.mean((ratio - ratio.mean()) ** 2)))


def run() -> Outcome:
    """Both families at five activities each."""
    pair, test = bundled_data("digits"), held_out("digits")
    assert pair is not None and test is not None
    found = {
        family: [sparse(f"digits_{name}", *pair, test) for name in names]
        for family, names in FAMILIES.items()
    }
    fits, better = [], []
    numbers: dict[str, float] = {}
    for family, points in found.items():
        on = np.array([p.on for p in points])
        size = points[0].neurons
        for quantity, label in QUANTITIES:
            values = np.array([getattr(p, quantity) for p in points])
            log = fit(values, entropy_law(size, on))
            line = fit(values, size * on)
            slope = float(np.polyfit(np.log(on), np.log(values), 1)[0])
            fits.append((family, label.partition(":")[0], *log, *line, slope))
            key = f"{family}_{quantity}".replace("-", "")
            numbers |= {f"{key}_log_residual": log[1], f"{key}_linear_residual": line[1]}
            numbers |= {f"{key}_exponent": slope}
            if quantity == "neuron_entropy":
                better.append(log[1] < line[1])
    first, last = found["top-k"][0], found["top-k"][-1]
    numbers |= {
        "topk_activity_ratio": first.on / last.on,
        "topk_neuron_entropy_ratio": first.neuron_entropy / last.neuron_entropy,
        "topk_bits_per_active_neuron": last.neuron_entropy / last.active,
        "l1_dead_neurons": float(found["L1"][-1].dead),
        "ceiling": float(np.log2(len(pair[0]))),
    }
    (top, topped), (penalty, penalised) = (
        [
            at_most(numbers[f"{family}_neuron_entropy_{law}_residual"], ".2f")
            for law in ("log", "linear")
        ]
        for family in ("topk", "L1")
    )
    sentence = (
        f"Neuron states one by one follow n p log2(e/p) within {top} octaves rms (top-k) and "
        f"{penalty} (L1), n p alone within {topped} and {penalised}: "
        f"{numbers['topk_activity_ratio']:.0f} times fewer active neurons have only "
        f"{numbers['topk_neuron_entropy_ratio']:.1f} times less entropy, "
        f"{last.neuron_entropy / last.active:.1f} bits each."
    )
    return Outcome(
        all(better),
        sentence,
        numbers,
        {
            f"{first.neurons} hidden neurons on {len(pair[0]):,} images (bits, or neurons)": Table(
                ("network", "on, %", "active", "changed", "sum h2", "in 8s", "together", "dead"),
                tuple(
                    (
                        p.name,
                        100 * p.on,
                        p.active,
                        p.changed,
                        p.neuron_entropy,
                        p.in_eights,
                        p.pattern_entropy,
                        str(p.dead),
                    )
                    for points in found.values()
                    for p in points
                ),
            ),
            "Fits: factor and residual in octaves (root mean square of log2)": Table(
                ("family", "states", "c np log2(e/p)", "residual", "c np", "residual", "exponent"),
                tuple(fits),
            ),
        },
        {
            "neurons": first.neurons,
            "ceiling": float(np.log2(len(pair[0]))),
            "points": {
                family: [
                    {
                        "on": p.on,
                        "accuracy": p.accuracy,
                        **{q: getattr(p, q) for q, _ in QUANTITIES},
                    }
                    for p in points
                ]
                for family, points in found.items()
            },
        },
    )


def draw(outcome: Outcome, figure: Any) -> None:
    """Left: entropies against activity; right: bits per active neuron."""
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    size, ceiling = outcome.series["neurons"], outcome.series["ceiling"]
    grid = np.geomspace(0.017, 0.6, 100)
    left.plot(100 * grid, entropy_law(size, grid), color="black", linewidth=1)
    left.plot(100 * grid, size * grid, color=RED, linewidth=1.2)
    left.axhline(ceiling, color="#9aa0a6", linestyle=":", linewidth=1)
    left.annotate(
        rf"ceiling $\log_2$ {2**ceiling:,.0f}",
        (60, ceiling),
        xytext=(0, -14),
        ha="right",
        textcoords="offset points",
        fontsize=8,
        color="#5f6368",
    )
    left.annotate(r"$n\,p\,\log_2(e/p)$", (11, 46), fontsize=9, ha="right")
    left.annotate("active neurons, $n\\,p$", (9, 4.2), fontsize=9, color=RED)
    right.plot(100 * grid, np.log2(np.e / grid), color="black", linewidth=1)
    right.annotate(r"$\log_2(e/p)$", (3.2, 6.6), fontsize=9)
    right.axhline(1, color=RED, linewidth=1.2)
    right.annotate(
        "one bit a transition",
        (60, 1),
        xytext=(0, 4),
        ha="right",
        textcoords="offset points",
        fontsize=9,
        color=RED,
    )
    for family, points in outcome.series["points"].items():
        marker, dashes = STYLE[family]
        on = np.array([p["on"] for p in points])
        for quantity, label in QUANTITIES:
            values = np.array([p[quantity] for p in points])
            style = {
                "color": COLOURS[quantity],
                "marker": marker,
                "linestyle": dashes,
                "linewidth": 0.8,
                "markersize": 5.5,
                "label": f"{family}, {label}",
            }
            left.plot(100 * on, values, **style)
            if quantity != "pattern_entropy":
                right.plot(100 * on, values / (size * on), **style)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
        axes.minorticks_off()
        axes.set_xlabel("neurons on, % (p)")
    left.set_yscale("log")
    left.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    left.minorticks_off()
    left.set_ylabel("bits (or neurons) per inference")
    left.set_title(f"{size} hidden neurons", fontsize=10)
    left.legend(fontsize=7.5, loc="lower right")
    right.set_ylabel("bits per active neuron")
    right.set_ylim(bottom=0)
    right.set_title("What one transition stands for", fontsize=10)


EXPERIMENT = Experiment(
    5,
    "sparsity",
    "Entropy of sparse neurons against their activity",
    "The entropy of neuron states reset one by one falls as n p log2(e/p), more slowly than the "
    "activity n p.",
    "Active and changed neurons, entropy of the 64 hidden states one by one, eight at a time and "
    "together, of networks trained with an L1 penalty and with the k greatest of each 32 neurons, "
    "on the 1,797 images. Both laws fitted with one factor, by least squares of logarithms.",
    "If neurons died instead of sharing the work, the entropy would be linear in p. Joint "
    "entropies near log2 1,797 say nothing.",
    "revsim: h2(p) = p log2(e/p) + O(p^2), theorem T7; the count: A. V. Tkachenko, arXiv "
    "2503.09980 v1.",
    run,
    draw,
    (10.5, 5.0),
)
