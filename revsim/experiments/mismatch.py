"""Experiment 10: resets tuned to the training rows, run on others; heat as a sign of novelty."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Circuit, Erase
from revsim.experiments.experiment import Experiment, Outcome
from revsim.experiments.rounding import at_least, at_most
from revsim.ledger.ledgers import ledger_rows, total_of
from revsim.ledger.mismatch import Mismatch, mismatch
from revsim.network.bundled import bundled, bundled_data, held_out
from revsim.network.reference import run_reference
from revsim.report.report import Table
from revsim.schedule.policy import compile_network
from revsim.simulator.ensemble import data_set
from revsim.simulator.run import simulate
from revsim.simulator.tally import Tally

POLICY = "activation_reset"
PSEUDOCOUNT = 0.5
"""Rows added to each value of each bit of the prior: no cost is infinite."""
SEED = 10
SIDE, TOP = 8, 16
"""The digits are 8 x 8 pixels of 0..16."""
COLOURS = ("#3b2a6b", "#4c78a8", "#54a24b", "#f2a541", "#e45756", "#9d755d")
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Met:
    """One set of rows on the tuned device: A5 and the ledgers, and the heat of every single row."""

    tuned: Mismatch
    per_bit: float
    heat: Floats
    margin: Floats

    @property
    def excess(self) -> float:
        """Cross entropy less entropy, bit by bit: the sum of D(p||q)."""
        return self.tuned.per_bit - self.per_bit


def sets() -> tuple[Rows, dict[str, Rows]]:
    """The training rows and what the device meets: test rows, the same shifted, and stranger."""
    found, test = bundled_data("digits"), held_out("digits")
    assert found is not None and test is not None
    rows = found[0].astype(np.int64)
    training = np.ones(len(rows), dtype=np.bool_)
    training[test] = False
    images = rows[test].reshape(-1, SIDE, SIDE)
    random = np.random.default_rng(SEED)
    shuffled = random.permuted(images.reshape(len(test), -1), axis=1)
    return rows[training], {
        "training rows": rows[training],
        "test rows": rows[test],
        "test, 1 pixel right": np.roll(images, 1, axis=2).reshape(len(test), -1),
        "test, turned by 90 degrees": np.rot90(images, axes=(1, 2)).reshape(len(test), -1),
        "test, black for white": (TOP - images).reshape(len(test), -1),
        "test, pixels shuffled": shuffled,
    }


def row_heat(circuit: Circuit, rows: Rows, tuned: Tally) -> Floats:
    """Bits of heat of each row, float64 [rows]: sum over erased bits of -log2 q(its value).

    q is the share of the tuned ensemble's rows in which the bit has that value, with half a row
    added to each of the two. The mean over the rows is `mismatch(...).per_bit`.
    """
    heat = np.zeros(len(rows))
    erasures = iter(tuned.erasures)

    def on_erase(item: Erase, bits: npt.NDArray[np.bool_]) -> None:
        prior = next(erasures)
        one = (prior.ones + PSEUDOCOUNT) / (tuned.total + 2 * PSEUDOCOUNT)
        costs = np.where(bits, -np.log2(one)[:, None], -np.log2(1 - one)[:, None])
        heat[:] += costs.sum(axis=0)

    simulate(circuit, data_set(rows), on_erase=on_erase)
    return heat


def told_apart(usual: Floats, strange: Floats) -> float:
    """Chance that a strange row scores above a usual one, ties by half (area under the curve)."""
    order = np.sort(usual)
    below = np.searchsorted(order, strange, "left") + np.searchsorted(order, strange, "right")
    return float(below.mean() / (2 * len(usual)))


def measure() -> tuple[dict[str, Met], int]:
    """Every set on the device tuned to the training rows, and the number of bits it erases."""
    network = bundled("digits")
    circuit = compile_network(network, POLICY)
    training, others = sets()
    tuned = simulate(circuit, data_set(training), values=True).tally
    out = {}
    for name, rows in others.items():
        tally = simulate(circuit, data_set(rows), values=True).tally
        logits = np.sort(run_reference(network, rows)[-1].z, axis=1)
        out[name] = Met(
            mismatch(tally, tuned, name, "training rows", PSEUDOCOUNT),
            total_of(ledger_rows(tally)).per_bit,
            row_heat(circuit, rows, tuned),
            (logits[:, -2] - logits[:, -1]).astype(np.float64),  # low margins score high
        )
    return out, sum(len(e.ones) for e in tuned.erasures)


def _run() -> Outcome:
    found, erased = measure()
    usual, *_ = (found[name] for name in ("test rows", "training rows"))
    strange = {
        name: met for name, met in found.items() if name not in ("training rows", "test rows")
    }
    auc = {name: told_apart(usual.heat, met.heat) for name, met in strange.items()}
    by_margin = {name: told_apart(usual.margin, met.margin) for name, met in strange.items()}
    apart = max(abs(met.heat.mean() - met.tuned.per_bit) for met in found.values())
    least = min(strange, key=lambda name: strange[name].excess)
    most = max(strange, key=lambda name: strange[name].excess)
    wins = sum(auc[name] > by_margin[name] for name in strange)
    never = min(met.excess for met in found.values()) > -1e-9
    holds = never and apart < 1e-6 and usual.excess < min(met.excess for met in strange.values())
    sentence = (
        f"Tuned bit by bit to training rows, the device pays {usual.excess:.1f} bits too much on "
        f"test rows ({usual.excess / usual.per_bit:.1%}), {strange[least].excess:.0f} on those "
        f"{_short(least)} and {strange[most].excess:.0f} {_short(most)}. One row's heat tells "
        f"these from test rows with AUC {at_least(min(auc.values()), '.2f')} to "
        f"{at_most(max(auc.values()), '.2f')}, better than the logit margin in {wins} of "
        f"{len(strange)} sets."
    )
    return Outcome(
        holds=holds,
        sentence=sentence,
        numbers={
            "bits_erased": erased,
            "test_excess": usual.excess,
            "least_strange_excess": strange[least].excess,
            "most_strange_excess": strange[most].excess,
            "least_auc": min(auc.values()),
            "greatest_auc": max(auc.values()),
            "wins_over_margin": wins,
            "largest_gap_row_mean": apart,
        },
        tables={
            "Resets tuned to the training rows (bits per inference, bit by bit)": Table(
                ("rows met", "rows", "per_bit", "tuned", "excess", "AUC: heat", "margin"),
                tuple(
                    (
                        name,
                        len(met.heat),
                        met.per_bit,
                        met.tuned.per_bit,
                        0.0 if abs(met.excess) < 0.005 else met.excess,
                        auc.get(name),
                        by_margin.get(name),
                    )
                    for name, met in found.items()
                ),
            ),
            "What each cause costs above the training rows (bits per inference)": _by_cause(found),
        },
        series={
            "heat": {name: met.heat.tolist() for name, met in found.items()},
            "excess": {name: met.excess for name, met in found.items()},
        },
    )


def _short(name: str) -> str:
    return name.partition(", ")[2]


def _by_cause(found: Mapping[str, Met]) -> Table:
    """Cost above that of the training rows, by layer and cause."""
    base = {(r.layer, r.cause): r.per_bit for r in found["training rows"].tuned.rows}
    names = [name for name in found if name != "training rows"]
    rows = []
    for key, own in base.items():
        costs = [
            next(r.per_bit for r in found[name].tuned.rows if (r.layer, r.cause) == key) - own
            for name in names
        ]
        rows.append((f"{key[0]}, {key[1]}", own, *costs))
    heads = ("test", "right", "turned", "inverted", "shuffled")
    return Table(("layer, cause", "training", *(f"{h} +" for h in heads)), tuple(rows))


def _draw(outcome: Outcome, figure: Any) -> None:
    left, right = figure.subplots(1, 2, width_ratios=[1.45, 1])
    heat = {name: np.array(values) for name, values in outcome.series["heat"].items()}
    low = min(values.min() for values in heat.values())
    high = max(np.quantile(values, 0.995) for values in heat.values())
    cells = np.linspace(low, high, 46)
    for colour, (name, values) in zip(COLOURS, heat.items(), strict=True):
        share, _ = np.histogram(values, cells)
        left.stairs(share / len(values), cells, color=colour, lw=1.6, label=name)
    left.set(
        xlabel="heat of one row on the tuned device (bits)",
        ylabel="share of the rows",
        title="Each row's heat",
    )
    left.set_ylim(0, 1.35 * left.get_ylim()[1])  # room for the legend
    left.legend(fontsize=8, ncols=2, loc="upper center")
    excess = outcome.series["excess"]
    names = [name for name in excess if name != "training rows"]
    bars = right.barh(
        range(len(names)), [excess[name] for name in names], color=COLOURS[1:], height=0.65
    )
    right.bar_label(bars, fmt="%.1f", fontsize=8, padding=2)
    right.set_yticks(range(len(names)), [name.replace(", ", ",\n") for name in names], fontsize=8)
    right.invert_yaxis()
    right.margins(x=0.15)
    right.set(xlabel="excess, sum of D(p||q) over erased bits", title="What the wrong prior costs")


EXPERIMENT = Experiment(
    number=10,
    name="mismatch",
    title="Tuned to yesterday's data",
    hypothesis=(
        "A device whose resets are tuned to the training rows pays little more on test rows and "
        "much more on rows of another kind, so that its heat is a score of novelty."
    ),
    measurement=(
        f"The digits network under {POLICY}: cross entropy of every erased bit with its share of "
        "ones on the training rows (half a row added to each value), on the test rows and on four "
        "changes of them; and the same sum for each row by itself."
    ),
    failure="An excess below 0 (a bug), test rows as costly as others, or rows not told apart.",
    source="Kolchinsky and Wolpert, mismatch cost: arXiv 1806.04103",
    run=_run,
    draw=_draw,
    size=(11.0, 4.8),
)
