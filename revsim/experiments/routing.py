"""Experiment 6: what choosing experts costs, against how many are switched."""

from dataclasses import dataclass
from itertools import combinations
from math import comb, log2
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.experiments.experiment import Experiment, Outcome
from revsim.experiments.rounding import at_most
from revsim.ledger.comparison import activity
from revsim.ledger.reference import neuron_statistics
from revsim.network.bundled import bundled, bundled_data, held_out
from revsim.network.operators import Integers, TopK
from revsim.network.reference import run_reference
from revsim.report.plots import LEDGER_STYLE
from revsim.report.report import Table

Floats = npt.NDArray[np.float64]
UNIFORM = ((8, 1), (8, 2), (16, 1), (16, 2), (64, 2), (256, 2), (16, 8), (8, 6))
TRAINED = ("digits_moe_top1", "digits_moe_top2", "digits_moe_free")
EXPERTS = 16
"""Experts of every trained network."""
CORRELATIONS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
PRINTED = (0.0, 0.5, 0.9, 1.0)
DARK, LIGHT = LEDGER_STYLE[3][2], LEDGER_STYLE[1][2]
RED, BLUE = "#e45756", "#4c78a8"


@dataclass(frozen=True)
class Routing:
    """Experts on and off, per inference.

    `transitions`: experts switched on, from all off; `toggles`: switched on or off between two
    independent inferences; `entropy` of the choice and `bit_entropy`, sum of h2 over the experts'
    one-bit states, in bits.
    """

    transitions: float
    toggles: float
    entropy: float
    bit_entropy: float


def routing(masks: Integers) -> Routing:
    """Of masks int64 [rows, experts], 1 where an expert is on; rows are equally likely.

    >>> one_of_four = routing(np.eye(4, dtype=np.int64))
    >>> one_of_four.transitions, one_of_four.toggles, one_of_four.entropy
    (1.0, 1.5, 2.0)
    """
    counted = activity([neuron_statistics("router", masks, masks > 0, None)])
    return Routing(
        counted.active_neurons,
        counted.changed_neurons,
        counted.pattern_entropy,
        counted.neuron_entropy,
    )


def every_choice(experts: int, k: int) -> Integers:
    """All masks of k of so many experts, int64 [choices, experts].

    >>> every_choice(3, 2).tolist()
    [[1, 1, 0], [1, 0, 1], [0, 1, 1]]
    """
    masks = np.zeros((comb(experts, k), experts), np.int64)
    for row, chosen in zip(masks, combinations(range(experts), k), strict=True):
        row[list(chosen)] = 1
    return masks


def trained_masks(name: str) -> tuple[Integers, int]:
    """What the router of a bundled network chose on every image, int64 [rows, experts], and k."""
    network, pair = bundled(name), bundled_data(name)
    assert pair is not None
    k = next(k for k, layer in enumerate(network.layers) if isinstance(layer.choice, TopK))
    choice = network.layers[k].choice
    assert isinstance(choice, TopK) and choice.groups is not None
    return run_reference(network, pair[0])[k].y[:, choice.groups[0]].astype(np.int64), choice.k


@dataclass(frozen=True)
class Stream:
    """A step of a stream of inferences: toggles, H(choice given the one before), in bits, and the
    same for every expert by itself, summed."""

    toggles: float
    entropy: float
    bit_entropy: float


def stream(masks: Integers, labels: Integers, correlation: float) -> Stream:
    """A stationary stream of images: the next one is of the same class with this probability,
    drawn among that class, and otherwise any image. Exact, nothing is sampled.

    >>> alike = stream(np.eye(2, dtype=np.int64), np.array([0, 1]), 1.0)
    >>> alike.toggles, alike.entropy
    (0.0, 0.0)
    """
    patterns, which = np.unique(masks, axis=0, return_inverse=True)
    share = np.zeros((int(labels.max()) + 1, len(patterns)))
    np.add.at(share, (labels, which), 1 / len(labels))
    used = share[share.sum(axis=1) > 0]
    alike = used.T @ (used / used.sum(axis=1, keepdims=True))
    each = share.sum(axis=0)
    joint = correlation * alike + (1 - correlation) * np.outer(each, each)
    toggles, bits = 0.0, 0.0
    for state in patterns.T:
        pairs = np.array(
            [[joint[np.ix_(state == a, state == b)].sum() for b in (0, 1)] for a in (0, 1)]
        )
        toggles += float(pairs[0, 1] + pairs[1, 0])
        bits += _entropy(pairs) - _entropy(pairs.sum(axis=1))
    return Stream(toggles, _entropy(joint) - _entropy(each), bits)


def _entropy(p: Floats) -> float:
    seen = p[p > 1e-15]
    return float(-(seen * np.log2(seen)).sum())


def run() -> Outcome:
    """Uniform choices, the trained routers, and the same routers on correlated streams."""
    pair, test = bundled_data("digits"), held_out("digits")
    assert pair is not None and test is not None
    labels = pair[1]
    uniform = [(e, k, routing(every_choice(e, k))) for e, k in UNIFORM]
    rows, streams = [], {}
    numbers: dict[str, float] = {}
    above = []
    for name in TRAINED:
        masks, k = trained_masks(name)
        found, short = routing(masks), name.removeprefix("digits_")
        right = run_reference(bundled(name), pair[0])[-1].y[:, 0] == labels
        assert masks.shape[1] == EXPERTS
        most = log2(comb(EXPERTS, k))
        load = 100 * float(masks.mean(axis=0).max()) / k
        rows.append(
            (
                short,
                found.transitions,
                found.toggles,
                most,
                found.entropy,
                found.bit_entropy,
                load,
                100 * float(right[test].mean()),
            )
        )
        streams[short] = [stream(masks, labels, c) for c in CORRELATIONS]
        above.append(found.entropy > max(found.transitions, found.toggles))
        numbers |= {
            f"{short}_transitions": found.transitions,
            f"{short}_toggles": found.toggles,
            f"{short}_entropy": found.entropy,
            f"{short}_uniform_entropy": most,
        }
    correlated = []
    for c, *steps in zip(CORRELATIONS, *streams.values(), strict=True):
        if c in PRINTED:
            correlated.append((f"{c:g}", *(v for s in steps for v in (s.toggles, s.entropy))))
    ends = {short: (found[0], found[-1]) for short, found in streams.items()}
    numbers |= {f"{short}_same_class_entropy": end.entropy for short, (_, end) in ends.items()}
    numbers |= {f"{short}_same_class_toggles": end.toggles for short, (_, end) in ends.items()}
    numbers["uniform_below_transitions"] = float(sum(r.entropy < k for _, k, r in uniform))
    lowered = [end.entropy < start.entropy for start, end in ends.values()]
    two, free, most_on = rows[1], rows[2], uniform[-1]
    last = ends["moe_top2"][1]
    sentence = (
        f"Choosing {two[1]:g} of {EXPERTS} experts makes {two[1]:g} transitions and has "
        f"{two[4]:.2f} bits of entropy (at most {at_most(two[3], '.2f')}), {free[4]:.2f} where the "
        f"load is uneven; in a stream of one class at a time {last.entropy:.2f} bits a step for "
        f"{last.toggles:.2f} toggles; "
        f"{most_on[1]} of {most_on[0]} experts are {most_on[2].entropy:.2f} bits for "
        f"{most_on[1]} transitions."
    )
    return Outcome(
        all(above) and all(lowered),
        sentence,
        numbers,
        {
            "All choices alike": Table(
                ("experts", "on: k", "toggles", "log2 C(E,k)", "sum h2", "entropy > k"),
                tuple(
                    (str(e), str(k), r.toggles, r.entropy, r.bit_entropy, r.entropy > k)
                    for e, k, r in uniform
                ),
            ),
            f"Trained routers, {EXPERTS} experts, {len(labels):,} images": Table(
                (
                    "network",
                    "k",
                    "toggles",
                    "log2 C",
                    "entropy",
                    "sum h2",
                    "top load, %",
                    "right, %",
                ),
                tuple(rows),
            ),
            "Streams: toggles and H(choice given the last), bits, by P(same class)": Table(
                ("P", *(f"{s[4:]} {what}" for s in streams for what in ("toggles", "bits"))),
                tuple(correlated),
            ),
        },
        {
            "names": list(streams),
            "trained": [list(row) for row in rows],
            "correlations": list(CORRELATIONS),
            "streams": {
                short: [[s.toggles, s.entropy] for s in found] for short, found in streams.items()
            },
        },
    )


def draw(outcome: Outcome, figure: Any) -> None:
    """Left: transitions and entropies of the trained routers; right: correlated streams."""
    left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
    rows = outcome.series["trained"]
    places = np.arange(len(rows))
    columns = (
        (1, "transitions, k", RED),
        (2, "toggles, independent inputs", BLUE),
        (4, "entropy of the choice, measured", DARK),
        (5, "experts one by one: sum of h2", LIGHT),
    )
    for n, (column, label, colour) in enumerate(columns):
        values = [row[column] for row in rows]
        bars = left.bar(places + 0.2 * (n - 1.5), values, 0.2, color=colour, label=label)
        left.bar_label(bars, [f"{v:.2f}" for v in values], fontsize=8, padding=2)
    for place, row in zip(places, rows, strict=True):
        left.plot(
            [place - 0.4, place + 0.4],
            [row[3]] * 2,
            color="black",
            linewidth=1,
            linestyle=":",
            label=f"most it could be: log2 C({EXPERTS}, k)" if place == 0 else "_",
        )
    left.set_xticks(
        places,
        [f"{name.removeprefix('moe_')}\nbusiest expert {load:.0f} %" for name, *_, load, _ in rows],
        fontsize=9,
    )
    left.set_ylabel("bits (or experts) per inference")
    left.set_ylim(0, 1.35 * max(row[5] for row in rows))
    left.legend(fontsize=8, ncols=2, loc="upper left")
    left.set_title(f"Trained routers, {EXPERTS} experts", fontsize=10)
    for name, dashes in zip(outcome.series["names"], ("-", "--", ":"), strict=True):
        steps = np.array(outcome.series["streams"][name])
        for column, colour, label in ((1, DARK, "bits"), (0, BLUE, "toggles")):
            right.plot(
                outcome.series["correlations"],
                steps[:, column],
                color=colour,
                linestyle=dashes,
                marker=".",
                label=f"{name.removeprefix('moe_')}: {label}",
            )
    right.set_xlabel("probability that the next image is of the same class")
    right.set_ylabel("per step of the stream")
    right.set_ylim(bottom=0)
    right.legend(fontsize=8, ncols=3, loc="upper center")
    right.set_ylim(top=1.3 * right.get_ylim()[1])
    right.set_title("Correlated streams: H(choice given the last) and toggles", fontsize=10)


EXPERIMENT = Experiment(
    6,
    "routing",
    "Routing to experts: transitions against entropy",
    "In trained networks the entropy of a router's choice is larger than the number of its "
    "transitions, k, and of its toggles between independent inputs, 2k(1-k/E) where the load is "
    "even; uneven load and correlated inputs lower it.",
    "All choices of k of E experts, by enumeration; the choices of three trained networks with 16 "
    "experts on 1,797 images; and their exact statistics in streams whose next image is of the "
    "same class with a given probability.",
    "With few experts, most of them on, or with one expert doing all the work, transitions exceed "
    "the entropy.",
    "revsim: log2 C(E,k), theorem T8; the count: A. V. Tkachenko, arXiv 2503.09980 v1.",
    run,
    draw,
    (11.0, 5.0),
)
