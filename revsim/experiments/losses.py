"""Experiment 2: which operators of a network lose information."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from revsim.experiments.experiment import Experiment, Outcome
from revsim.experiments.rounding import at_least
from revsim.ledger.reference import joint_entropy
from revsim.network.arrays import from_arrays
from revsim.network.bundled import bundled, bundled_data, bundled_seeds
from revsim.network.network import Network
from revsim.network.operators import Integers
from revsim.pipeline import verify
from revsim.report.plots import CAUSE_COLOURS
from revsim.report.report import Table
from revsim.report.tables import number
from revsim.simulator.ensemble import uniform

SEED, RANDOM = 2, 500
HIDDEN = (1, 2, 3, 4, 6, 8)
PER_WIDTH = 200
HANDMADE = ("xor", "toy")
PARTS = ("linear", "activation", "argmax")
COLOURS = (CAUSE_COLOURS["layer_input"], CAUSE_COLOURS["activation"], CAUSE_COLOURS["argmax"])
PART_OF = {"dense": "linear", "argmax": "argmax"}
"""Every other operator (relu, requantise, clamp, sign, threshold) is of the activation."""


@dataclass(frozen=True)
class Loss:
    """What one operator loses on an ensemble, in bits."""

    layer: str
    kind: str
    bits: float


def operator_losses(
    network: Network, rows: Integers, weights: Integers | None = None
) -> tuple[Loss, ...]:
    """H(before) - H(after) of each operator, in bits, on integers [rows, inputs].

    Joint entropies of all values of a layer, by exact counting; the losses add up to H(X) - H(Y)
    (theorem T6).

    >>> xor = bundled("xor")
    >>> [f"{x.kind} {x.bits:g}" for x in operator_losses(xor, uniform([0, 0], [1, 1]).rows)]
    ['dense 0.5', 'relu 0', 'dense 0.5']
    """
    values, before = rows, joint_entropy(rows, weights)
    out = []
    for layer in network.layers:
        for operator in (*(() if layer.linear is None else (layer.linear,)), *layer.activations):
            values = operator.apply(values)
            after = joint_entropy(values, weights)
            out.append(Loss(layer.name, operator.kind, max(before - after, 0.0)))
            before = after
    return tuple(out)


def by_part(losses: Sequence[Loss]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The losses of linear parts, activations and argmax, float64 [3], in bits.

    >>> by_part(operator_losses(bundled("xor"), uniform([0, 0], [1, 1]).rows)).tolist()
    [1.0, 0.0, 0.0]
    """
    parts = [PART_OF.get(loss.kind, "activation") for loss in losses]
    return np.array(
        [sum(x.bits for x, q in zip(losses, parts, strict=True) if q == p) for p in PARTS]
    )


def random_network(random: np.random.Generator, hidden: int | None = None) -> Network:
    """A small ReLU network with two hidden layers and one linear output, all inputs few.

    2 to 4 inputs of 2 to 4 values; weights and biases -2..2; 2 to 5 neurons a layer, or `hidden`.
    """
    inputs, values = int(random.integers(2, 5)), int(random.integers(2, 5))
    middle = [int(random.integers(2, 6)) if hidden is None else hidden for _ in range(2)]
    widths = [inputs, *middle, 1]
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    return from_arrays(
        [random.integers(-2, 3, shape) for shape in shapes],
        [random.integers(-2, 3, shape[0]) for shape in shapes],
        input_range=(0, values - 1),
        output="none",
    )


def _random_losses(count: int, seed: Sequence[int], hidden: int | None = None) -> Any:
    """Linear and activation loss of random networks on all of their inputs, float64 [count, 2]."""
    random = np.random.default_rng(seed)
    networks = [random_network(random, hidden) for _ in range(count)]
    rows = [uniform(net.input_low, net.input_high).rows for net in networks]
    found = [by_part(operator_losses(n, r)) for n, r in zip(networks, rows, strict=True)]
    return np.array(found)[:, :2]


def _trained() -> list[tuple[str, str, np.ndarray[Any, np.dtype[np.float64]]]]:
    """(network, ensemble, losses by part float64 [seeds, parts])."""
    out = []
    for name in (*HANDMADE, "digits20"):
        network = bundled(name)
        rows = uniform(network.input_low, network.input_high).rows
        out.append((name, f"all {len(rows):,}", by_part(operator_losses(network, rows))[None]))
    seeds = bundled_seeds("digits16")
    every = uniform(seeds[0].input_low, seeds[0].input_high).rows
    data = bundled_data("digits16")
    assert data is not None
    for label, rows in ((f"all {len(every):,}", every), (f"{len(data[0]):,} images", data[0])):
        found = np.array([by_part(operator_losses(network, rows)) for network in seeds])
        out.append(("digits16, 20x", label, found))
    for name in ("digits", "digits_2bit", "digits_sign"):
        pair = bundled_data(name)
        assert pair is not None
        out.append(
            (
                name,
                f"{len(pair[0]):,} images",
                by_part(operator_losses(bundled(name), pair[0]))[None],
            )
        )
    return out


def _in_gates() -> float:
    """Greatest difference between what xor's parts lose and what its circuit erases for them."""
    report = verify("xor", policy="activation_reset")
    erased = {(row.layer, row.cause): row.ledgers.given_kept for row in report.runs[0].rows}
    losses = {(x.name, "layer_input"): x.H_in - x.H_z for x in report.layers}
    losses |= {(x.name, "activation"): x.H_z - x.H_out for x in report.layers}
    return max(abs(erased.get(key, 0.0) - bits) for key, bits in losses.items())


def run() -> Outcome:
    """Losses by operator of trained and random networks."""
    seeds = _trained()
    trained = [(name, label, losses.mean(axis=0)) for name, label, losses in seeds]
    pilot = _random_losses(RANDOM, [SEED])
    linear = pilot[:, 0] > pilot[:, 1] + 1e-9
    tied = np.abs(pilot[:, 0] - pilot[:, 1]) <= 1e-9
    widths = []
    for hidden in HIDDEN:
        found = _random_losses(PER_WIDTH, [SEED, hidden], hidden)
        share = float((found[:, 0] > found[:, 1] + 1e-9).mean())
        widths.append((f"{hidden}", *found.mean(axis=0).tolist(), f"{share:.1%}"))
    shares = [float(losses[1] / losses.sum()) for _, _, losses in trained]
    lossy = bool((pilot[:, 0] > 1e-9).any()) or any(losses[0] > 1e-9 for _, _, losses in trained)
    gap = _in_gates()
    decided = [  # of each seed: a mean over seeds would hide the least
        float((losses[:, 2] / losses.sum(axis=1)).min())
        for name, _, losses in seeds
        if name not in HANDMADE
    ]
    sentence = (
        f"In the XOR network the linear layers lose {trained[0][2][0]:g} bit, the ReLU "
        f"{trained[0][2][1]:g}; of {RANDOM} random small networks {linear.mean():.0%} lose more in "
        f"linear layers than in activations; in the trained classifiers argmax loses at least "
        f"{at_least(min(decided), '.1%')} of all that is lost."
    )
    return Outcome(
        min(shares) > 0.5 and not lossy and gap < 1e-9,
        sentence,
        {
            "xor_linear": float(trained[0][2][0]),
            "xor_activation": float(trained[0][2][1]),
            "xor_gates_against_reference": gap,
            "random_linear_dominated_share": float(linear.mean()),
            "random_tied_share": float(tied.mean()),
            "random_activation_lossless_share": float((pilot[:, 1] <= 1e-9).mean()),
            "least_argmax_share_of_classifiers": min(decided),
        },
        {
            "Information lost, bits": Table(
                ("network", "inputs", *PARTS, "activation, %"),
                tuple(
                    (name, label, *losses.tolist(), f"{100 * share:.1f}")
                    for (name, label, losses), share in zip(trained, shares, strict=True)
                ),
            ),
            f"Random networks by neurons a layer ({PER_WIDTH} each)": Table(
                ("neurons", "linear, bits", "activation, bits", "linear loses more"), tuple(widths)
            ),
        },
        {
            "trained": [(name, label, losses.tolist()) for name, label, losses in trained],
            "random": pilot.tolist(),
        },
    )


def draw(outcome: Outcome, figure: Any) -> None:
    """Left: parts of the loss of trained networks; right: random networks, one dot each."""
    left, right = figure.subplots(1, 2, width_ratios=[1.35, 1])
    trained = outcome.series["trained"]
    places = np.arange(len(trained))[::-1]
    start = np.zeros(len(trained))
    losses = np.array([row[2] for row in trained])
    for part, colour, values in zip(PARTS, COLOURS, losses.T, strict=True):
        left.barh(places, values, 0.7, left=start, color=colour, label=part)
        start = start + values
    for place, row in zip(places, losses, strict=True):
        text = ", ".join(f"{part} {number(v)}" for part, v in zip(PARTS, row, strict=True) if v)
        inside = row.sum() > 0.6 * losses.sum(axis=1).max()
        left.text(
            row.sum() - 0.2 if inside else row.sum() + 0.2,
            place,
            text,
            ha="right" if inside else "left",
            va="center",
            fontsize=8,
            color="white" if inside else "black",
        )
    left.set_yticks(places, [f"{name}\n{label}" for name, label, _ in trained], fontsize=8)
    left.set(xlabel="lost, bits per inference: H(X) - H(Y) by part")
    left.set_title(
        f"Networks made by hand ({', '.join(HANDMADE)}) and trained", fontsize=10, pad=24
    )
    left.legend(fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    points = np.array(outcome.series["random"])
    top = 1.04 * float(points.max())
    right.plot([0, top], [0, top], color="#9aa0a6", linewidth=1, linestyle=":")
    above = points[:, 1] > points[:, 0]
    for mask, colour in ((above, COLOURS[1]), (~above, COLOURS[0])):
        right.scatter(points[mask, 0], points[mask, 1], s=9, color=colour, alpha=0.5, linewidths=0)
    right.plot([1], [0], marker="*", markersize=13, color="black", clip_on=False, linestyle="")
    right.annotate("XOR", (1, 0), xytext=(9, 7), textcoords="offset points", fontsize=9)
    over = {"transform": right.transAxes, "bbox": {"facecolor": "white", "edgecolor": "none"}}
    right.text(0.35, 0.94, "activations lose more", color=COLOURS[1], **over)
    right.text(0.97, 0.1, "linear layers lose more", color=COLOURS[0], ha="right", **over)
    right.set(
        xlabel="lost in linear layers, bits",
        ylabel="lost in activations, bits",
        xlim=(-0.1, top),
        ylim=(-0.1, top),
    )
    right.set_title(f"{len(points)} random small networks, all inputs", fontsize=10)


EXPERIMENT = Experiment(
    2,
    "losses",
    "Where is information lost?",
    "Activations lose most of the information in every network; linear layers lose none.",
    "H(before) - H(after) of every operator, by exact counting: on all inputs of xor, toy, "
    "digits20 and digits16 (20 seeds), on the images of digits (where log2 1,797 caps every "
    f"entropy), and on all inputs of {RANDOM} random ReLU networks with 2 to 5 neurons in each of "
    "two hidden layers and one linear output.",
    "If activations dominated everywhere, the picture of free linear layers would be right for "
    "whole networks. The losses of xor must equal, part by part, what its circuit erases.",
    "revsim, theorems T6 and T9: a linear map loses H(x given Wx), nothing where it is injective; "
    "the claim: A. V. Tkachenko, arXiv 2503.09980 v1.",
    run,
    draw,
    (10.5, 5.2),
)
