"""Experiment 9: one function, several netlists: what belongs to the function, what to its gates."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from revsim.circuit.logic import Logic, adder
from revsim.experiments.experiment import Experiment, Outcome
from revsim.experiments.rounding import at_least, at_most, tolerance
from revsim.ledger.gates import CircuitLoss, circuit_loss
from revsim.report.report import Table
from revsim.simulator.lanes import planes_of
from revsim.simulator.logic import all_inputs, run_logic

WIDTHS = (1, 2, 4, 8)
FORMS = {
    "aig": "AND",
    "majority": "majority",
    "xor_and": "XOR and AND",
}
"""Netlists by the gates they are made of; inverters are free."""
COLOURS = {"aig": "#4c78a8", "majority": "#f2a541", "xor_and": "#54a24b"}
FLOOR = "#3b2a6b"
RARE = 0.1
"""Probability of a 1 in the skewed inputs."""


@dataclass(frozen=True)
class Netlist:
    """One netlist on one ensemble; `summed` is A3 as the sum of what each gate really loses."""

    width: int
    form: str
    inputs: str
    logic: Logic
    loss: CircuitLoss

    @property
    def summed(self) -> float:
        """Sum of local losses less brackets: A3 by way of the gates."""
        return sum(step.local - step.bracket for step in self.loss.steps)


def measured(width: int, form: str, skewed: bool = False) -> Netlist:
    """An adder of two words on all inputs: uniform, or each bit 1 with probability 0.1."""
    logic = adder(width, form)
    inputs, rows = all_inputs(2 * width), 1 << 2 * width
    weights = None
    if skewed:  # 9 to 1 per bit, in whole numbers
        ones = np.bitwise_count(np.arange(rows, dtype=np.uint64)).astype(np.int64)
        weights = 9 ** (2 * width - ones)
    name = f"P(1) = {RARE}" if skewed else "uniform"
    return Netlist(width, form, name, logic, circuit_loss(logic, inputs, rows, weights))


def _run() -> Outcome:
    found = [measured(width, form) for width in WIDTHS for form in FORMS]
    found += [measured(4, form, skewed=True) for form in FORMS]
    uniform = [n for n in found if n.inputs == "uniform"]
    right = all(_adds(n) for n in found)
    groups: dict[tuple[int, str], list[Netlist]] = {}
    for n in found:
        groups.setdefault((n.width, n.inputs), []).append(n)
    apart = max(
        max(n.loss.map_loss for n in same) - min(n.loss.map_loss for n in same)
        for same in groups.values()
    )
    apart = max(apart, *(abs(n.summed - n.loss.map_loss) for n in found))
    residual = max(n.loss.residual for n in found)
    spread = min(
        max(n.loss.free for n in same) - min(n.loss.free for n in same) for same in groups.values()
    )
    half = {n.form: n.loss for n in found if n.width == 1}
    wide = {n.form: n.loss for n in found if n.width == 8}
    largest, smallest = (
        choose(wide.values(), key=lambda loss: loss.free).free for choose in (max, min)
    )
    floor = half["aig"].map_loss
    half_gates = sum(step.name == "and" for step in half["aig"].steps)
    best = [min((n for n in found if n.width == 4 and n.inputs == inputs), key=_gate_loss).form
            for inputs in dict.fromkeys(n.inputs for n in found)]  # fmt: skip
    depends = best[0] != best[1]
    sentence = (
        f"Gate by gate a half adder loses {half['aig'].free:.3f} bits as {half_gates} "
        f"ANDs, {half['xor_and'].free:.3f} as XOR and AND, an 8-bit adder "
        f"{at_least(smallest, '.1f')} to {at_most(largest, '.1f')}; as functions they lose "
        f"{floor:.3f} and {wide['aig'].map_loss:.3f}, whatever the netlist (to "
        f"{tolerance(apart)} bits). Which netlist is best "
        f"{'depends' if depends else 'does not depend'} on the inputs."
    )
    return Outcome(
        holds=right and apart < 1e-9 and residual < 1e-9 and spread > 0.1,
        sentence=sentence,
        numbers={
            "half_adder_aig": half["aig"].free,
            "half_adder_xor_and": half["xor_and"].free,
            "half_adder_majority": half["majority"].free,
            "half_adder_map": floor,
            "adder8_largest": largest,
            "adder8_smallest": smallest,
            "adder8_map": wide["aig"].map_loss,
            "largest_A3_difference": apart,
            "largest_T3_residual": residual,
            "smallest_A4_spread": spread,
        },
        tables={
            "Adders of two words: gates one by one, and as a whole (bits)": Table(
                ("bits", "netlist", "inputs", "gates", "copies", "A4", "A3", "A4 / A3"),
                tuple(
                    (
                        str(n.width),
                        FORMS[n.form],
                        n.inputs,
                        len(n.logic.gates),
                        n.loss.copies,
                        n.loss.copied,
                        n.loss.map_loss,
                        n.loss.copied / n.loss.map_loss,
                    )
                    for n in found
                ),
            ),
            "The half adder's gates: H(in) - H(out), and T3's brackets (bits)": Table(
                ("netlist", "gate", "local", "I(in; rest)", "I(out; rest)", "bracket"),
                tuple(
                    (FORMS[form], f"{k + 1} {s.name}", s.local, s.before, s.after, s.bracket)
                    for form, loss in half.items()
                    for k, s in enumerate(loss.steps)
                ),
            ),
        },
        series={
            "bars": {form: [n.loss.copied for n in uniform if n.form == form] for form in FORMS},
            "floor": [n.loss.map_loss for n in uniform if n.form == "aig"],
            "local": {f: np.cumsum([s.local for s in wide[f].steps]).tolist() for f in FORMS},
            "lost": {
                f: np.cumsum([s.local - s.bracket for s in wide[f].steps]).tolist() for f in FORMS
            },
        },
    )


def _gate_loss(n: Netlist) -> float:
    return n.loss.copied


def _adds(n: Netlist) -> bool:
    """Whether a netlist adds: every output bit of every row is that of the sum."""
    state = run_logic(n.logic, all_inputs(2 * n.width))
    rows = np.arange(1 << 2 * n.width)
    sums = (rows & (1 << n.width) - 1) + (rows >> n.width)
    planes = planes_of(None, len(rows))[0]
    for k, literal in enumerate(n.logic.outputs):
        words = ~state[~literal] if literal < 0 else state[literal]
        bits = np.unpackbits((words & planes).view(np.uint8), bitorder="little")[: len(rows)]
        if not np.array_equal(bits, sums >> k & 1):
            return False
    return True


def _draw(outcome: Outcome, figure: Any) -> None:
    left, right = figure.subplots(1, 2)
    places = np.arange(len(WIDTHS))
    for k, form in enumerate(FORMS):
        bars = left.bar(
            places + 0.26 * (k - 1),
            outcome.series["bars"][form],
            0.26,
            color=COLOURS[form],
            label=f"A4, {FORMS[form]}",
        )
        left.bar_label(bars, fmt="%.1f", fontsize=7)
    for place, floor in zip(places, outcome.series["floor"], strict=True):
        label = "A3, the function" if place == 0 else None
        left.hlines(floor, place - 0.42, place + 0.42, color=FLOOR, lw=2.5, label=label)
    left.set(
        yscale="log",
        xticks=places,
        xticklabels=[f"{w} bit{'s' if w > 1 else ''}" for w in WIDTHS],
        xlabel="adder of two words of",
        ylabel="bits lost per addition, uniform inputs",
        title="Gate by gate, and as a whole",
    )
    left.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    left.legend(fontsize=8, loc="upper left")
    for form in FORMS:
        local, lost = outcome.series["local"][form], outcome.series["lost"][form]
        share = np.linspace(0, 1, len(local) + 1)
        right.plot(share, [0, *local], color=COLOURS[form], label=f"A4, {FORMS[form]}")
        right.plot(share, [0, *lost], color=COLOURS[form], ls="--", lw=1.2)
    right.plot([], [], color="black", ls="--", lw=1.2, label="what is really lost so far")
    right.axhline(outcome.series["floor"][-1], color=FLOOR, lw=2.5, label="A3, the function")
    right.set(
        xlabel="share of the gates that have run",
        ylabel="bits lost so far",
        title="The 8-bit adder, gate after gate",
    )
    right.legend(fontsize=8, loc="upper left")


EXPERIMENT = Experiment(
    number=9,
    name="netlists",
    title="One function, several netlists",
    hypothesis=(
        "Netlists of one function differ in gate_local (A4), the loss of gates run as processes of "
        "their own, and agree in given_kept (A3), the loss of the function."
    ),
    measurement=(
        "Adders of 1, 2, 4 and 8 bits made of ANDs, of majorities and of XORs and ANDs, on every "
        "input: H(in) - H(out) of each gate with private copies of its inputs, and what each gate "
        "shares with the rest before and after it (theorem T3)."
    ),
    failure="A3 that depends on the netlist, a bracket of T3 below 0, a netlist that adds wrongly.",
    source="Wolpert and Kolchinsky, arXiv 1806.04103; half adder 4.066, 2.189 and 0.5 bits",
    run=_run,
    draw=_draw,
    size=(10.5, 4.8),
)
