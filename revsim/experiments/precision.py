"""Experiment 4: what one relu throws away, against the number of bits that its sum is held in."""

from collections.abc import Mapping
from math import erfc, log2, sqrt
from typing import Any

import numpy as np

from revsim.experiments.experiment import Experiment, Outcome
from revsim.experiments.rounding import at_most, tolerance
from revsim.ledger.ledgers import Ledgers, ledger_rows, total_of
from revsim.network.network import Network
from revsim.network.operators import Dense, Integers, Relu
from revsim.network.reference import run_reference
from revsim.report.plots import LEDGER_STYLE
from revsim.report.report import Table
from revsim.schedule.policy import compile_network
from revsim.simulator.ensemble import Ensemble, data_set, uniform
from revsim.simulator.run import simulate

WIDTHS = tuple(range(2, 17))
STEEP = (8, 16)
"""Widths between which the slope is read."""
INPUTS = 5
"""Binary inputs of the neuron whose sum takes few values."""
REAL = (0.71, -0.93, 0.38, 0.57, -0.66)
"""Its weights before they are rounded to w bits."""
RESOLUTION = 2.0**40
"""Integer weight of all rows of a Gaussian ensemble."""
Point = Mapping[str, float]


def relu_entropy(width: int) -> float:
    """H(z | relu z) of a uniform two's complement z, in bits: theorem T10.

    Of 2^w values the 2^(w-1) + 1 that are not positive become 0.

    >>> round(relu_entropy(8), 6)
    3.533001
    """
    lost = (1 << (width - 1)) + 1
    return lost / (1 << width) * log2(lost)


def gaussian_weights(width: int) -> Integers:
    """Integer weights int64 [2^w] of round(N(0, 2^w / 6)) on -2^(w-1)..2^(w-1)-1, ends clipped."""
    half = 1 << (width - 1)
    cuts = (np.arange(-half, half + 1) - 0.5) / (2.0**width / 6)
    below = np.array([erfc(-c / sqrt(2)) / 2 for c in cuts])
    below[0], below[-1] = 0.0, 1.0
    return np.rint(np.diff(below) * RESOLUTION).astype(np.int64)


def neuron(width: int) -> Network:
    """A relu on a word of `width` bits."""
    half = 1 << (width - 1)
    return Network("relu", np.array([-half]), np.array([half - 1]), (Relu(),))


def small_neuron(width: int) -> Network:
    """A relu neuron on five binary inputs, its weights rounded to `width` bits."""
    scale = (1 << (width - 1)) - 1
    weights = np.rint(np.array(REAL) * scale).astype(np.int64)
    zeros = np.zeros(INPUTS, dtype=np.int64)
    sums = Dense(weights[None], np.zeros(1, dtype=np.int64))
    return Network("small", zeros, zeros + 1, (sums, Relu()))


def measure(network: Network, ensemble: Ensemble) -> Ledgers:
    """What the paper's own order of erasures charges to the activation."""
    tally = simulate(compile_network(network, "activation_reset"), ensemble).tally
    return total_of(row for row in ledger_rows(tally) if row.cause == "activation")


def _point(width: int, ledgers: Ledgers) -> dict[str, float]:
    return {
        "bits": width,
        "reset_count": ledgers.reset_count,
        "per_bit": ledgers.per_bit,
        "per_register": ledgers.per_register,
        "given_kept": ledgers.given_kept,
    }


def _words() -> list[dict[str, float]]:
    out = []
    for width in WIDTHS:
        network = neuron(width)
        rows = uniform(network.input_low, network.input_high)
        weights = gaussian_weights(width)
        active = int((rows.rows > 0).sum()) / len(rows.rows)
        out.append(
            {
                **_point(width, measure(network, rows)),
                "theorem": relu_entropy(width),
                "gaussian": measure(network, data_set(rows.rows, weights)).given_kept,
                "active": active,
            }
        )
    return out


def _small() -> list[dict[str, float]]:
    out = []
    for width in WIDTHS:
        network = small_neuron(width)
        rows = uniform(network.input_low, network.input_high)
        z = run_reference(network, rows.rows)[0].z[:, 0]
        found = _point(width, measure(network, rows))
        out.append({**found, "values": len(np.unique(z)), "active": float((z > 0).mean())})
    return out


def _slope(points: list[dict[str, float]], name: str) -> float:
    first, last = (next(p[name] for p in points if p["bits"] == w) for w in STEEP)
    return (last - first) / (STEEP[1] - STEEP[0])


def _run() -> Outcome:
    words, small = _words(), _small()
    deviation = max(abs(p["given_kept"] - p["theorem"]) for p in words)
    slope, bell = _slope(words, "given_kept"), _slope(words, "gaussian")
    apart = [p for p in small if p["values"] == 1 << INPUTS]
    flat = max(
        max(p[name] for p in apart) - min(p[name] for p in apart)
        for name in ("given_kept", "per_register")
    )
    holds = deviation < 1e-9 and abs(slope - 0.5) < 0.01 and flat < 1e-9
    top, most = apart[-1], max(p["active"] for p in words)
    names = ("reset_count", "per_bit", "per_register", "given_kept")
    grow = " and ".join(
        f"A{k}" for k, name in enumerate(names) if top[name] > apart[0][name] + 1e-9
    )
    sentence = (
        f"A compiled relu on a uniform word loses what T10 says (to "
        f"{tolerance(deviation)} bit), {slope:.3f} bit more per bit of precision (Gaussian "
        f"{bell:.3f}) while the paper counts at most {at_most(most, '.2f')}; where "
        f"{INPUTS} binary inputs make z, {top['given_kept']:.2f} bits are lost from "
        f"w = {apart[0]['bits']:.0f} on and only {grow} still grow."
    )
    return Outcome(
        holds=holds,
        sentence=sentence,
        numbers={
            "greatest_deviation_from_T10": deviation,
            "slope_uniform": slope,
            "slope_gaussian": bell,
            "small_lost": top["given_kept"],
            "small_settled_bits": apart[0]["bits"],
            "small_spread_once_settled": flat,
        },
        tables={
            "One relu on a word of w bits, uniform (and A3 of a Gaussian)": _table(
                words, ("theorem", "given_kept", "gaussian", "per_register", "per_bit")
            ),
            f"A relu on z of {INPUTS} binary inputs, weights of w bits": _table(
                small, ("values", "given_kept", "per_register", "per_bit")
            ),
        },
        series={"words": words, "small": small},
    )


HEADS = {
    "theorem": "T10",
    "given_kept": "A3",
    "gaussian": "A3 Gauss",
    "per_register": "A2",
    "per_bit": "A1",
    "values": "values of z",
}


def _table(points: list[dict[str, float]], names: tuple[str, ...]) -> Table:
    chosen = ("bits", *names, "reset_count", "active")
    whole = ("bits", "values", "reset_count")
    return Table(
        ("w", *(HEADS[name] for name in names), "A0", "active"),
        tuple(tuple(int(p[n]) if n in whole else p[n] for n in chosen) for p in points),
    )


def _draw(outcome: Outcome, figure: Any) -> None:
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, key, title in (
        (left, "words", "z uniform on all words"),
        (right, "small", f"z made by {INPUTS} binary inputs"),
    ):
        points = outcome.series[key]
        bits = [p["bits"] for p in points]
        for name, label, colour in LEDGER_STYLE:
            shown = {"color": colour, "label": label, "markersize": 4}
            axes.plot(bits, [p[name] for p in points], "o-", **shown)
        active = [p["active"] for p in points]
        axes.plot(bits, active, "v:", color="#54a24b", markersize=4, label="active neurons (B_R)")
        axes.set(xlabel="bits w of precision", ylabel="bits erased by the activation", title=title)
        axes.set_xticks(range(2, 17, 2))
        axes.grid(alpha=0.3)
    theorem = [p["theorem"] for p in outcome.series["words"]]
    left.plot(WIDTHS, theorem, "x", color="#e45756", zorder=5, label="theorem T10")
    left.legend(fontsize=8, loc="upper left")


EXPERIMENT = Experiment(
    number=4,
    name="precision",
    title="Bits lost by one relu against its precision",
    hypothesis=(
        "A relu on a uniform word of w bits loses ((2^(w-1) + 1) / 2^w) log2(2^(w-1) + 1) bits, "
        "half a bit more per bit of precision, where the paper counts at most one; once few inputs "
        "determine z, more precision loses nothing more."
    ),
    measurement=(
        f"One relu compiled at {WIDTHS[0]} to {WIDTHS[-1]} bits under activation_reset, every gate "
        "run on every word, uniform and Gaussian (deviation 2^w / 6), and on all inputs of a "
        f"neuron with {INPUTS} binary inputs: the cost of that erasure, ledger by ledger."
    ),
    failure="Garbage that is not what T10 says, another slope, or a loss that grows with w.",
    source="Theorem T10; Tkachenko, arXiv 2503.09980 v1, for the count of one per active neuron",
    run=_run,
    draw=_draw,
)
