"""Experiment 8: erasing, uncomputing and running again, traded against each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from revsim.circuit.definition import Circuit
from revsim.circuit.measures import circuit_counts, circuit_width
from revsim.experiments.experiment import Experiment, Outcome
from revsim.ledger.ledgers import Ledgers, ledger_rows, total_of
from revsim.network.arrays import from_arrays
from revsim.network.network import Network
from revsim.network.operators import Integers
from revsim.network.reference import run_reference
from revsim.pipeline import default_ensemble, load_network
from revsim.report.report import Table
from revsim.schedule.pebbling import (
    Move,
    bennett_1989,
    fewest_runs,
    least_pebbles,
    played,
    schedule,
    unit_chain,
)
from revsim.schedule.policy import compile_network, pebbled
from revsim.simulator.ensemble import Ensemble, uniform
from revsim.simulator.run import simulate

SEED = 8
WIDTH, TOP = 3, 7
"""Neurons of a layer of the deep network, and their greatest value (three bits)."""
LENGTHS = (2, 4, 8, 16, 32)
SURFACE = 16
"""Layers of the network whose checkpoints are erased one after another."""
PRICES = (inf, 16.0, 9.0, 7.0, 5.5, 4.5, 3.5, 2.5, 1.5, 0.5)
"""Runs of a layer that the erasure of one output is taken to be worth."""
BUNDLED = ("xor", "toy", "kan", "attention", "coupling", "digits20", "digits")


def deep_network(layers: int, seed: int = SEED) -> Network:
    """`layers` dense layers of three neurons with values 0..7, input and all, named `deep L`.

    relu(Wx + b), clamped. Random layers soon give the same output for every input; so each is the
    one of 40 seeded draws that leaves the most different states. Shorter networks are the
    beginnings of longer ones.

    >>> deep_network(2)
    Network('deep 2', 3-3-3, dense relu clamp dense relu clamp)
    """
    random = np.random.default_rng(seed)
    states = uniform([0] * WIDTH, [TOP] * WIDTH).rows
    weights: list[Integers] = []
    biases: list[Integers] = []
    for _ in range(layers):
        draws = [
            (random.integers(-1, 2, (WIDTH, WIDTH)), random.integers(-2, TOP + 1, WIDTH))
            for _ in range(40)
        ]
        images = [np.unique(np.clip(states @ w.T + b, 0, TOP), axis=0) for w, b in draws]
        best = int(np.argmax([len(image) for image in images]))
        states = images[best]
        weights.append(draws[best][0])
        biases.append(draws[best][1])
    return from_arrays(
        weights, biases, input_range=(0, TOP), activation_range=(0, TOP), name=f"deep {layers}"
    )


@dataclass(frozen=True)
class Built:
    """A compiled circuit: how it was scheduled, what it costs, what it erases, whether it is clean.

    `registers`: layer outputs held at once; `runs`: layers run, forward or backward.
    """

    network: str
    way: str
    layers: int
    registers: int
    runs: int
    gates: int
    wires: int
    ledgers: Ledgers
    clean: bool


def measure(
    network: Network, circuit: Circuit, ensemble: Ensemble, way: str, runs: int, held: int
) -> Built:
    """Run every gate of a circuit on every row, and compare its outputs with the reference."""
    run = simulate(circuit, ensemble, strict=False)
    right = np.array_equal(run.outputs, run_reference(network, ensemble.rows)[-1].y)
    return Built(
        network.name,
        way,
        len(network.layers),
        held,
        runs,
        circuit_counts(circuit).gates,
        circuit_width(circuit),
        total_of(ledger_rows(run.tally)),
        right and not run.tally.violations,
    )


def scheduled(network: Network, moves: Sequence[Move], way: str, rows: Ensemble) -> Built:
    """The circuit of a schedule, its input kept, measured."""
    circuit = compile_network(network, pebbled(moves), "keep")
    runs, peak, _ = played(moves)
    return measure(network, circuit, rows, way, runs, peak)


def _lengths() -> list[Built]:
    """Every number of registers for every length, nothing erased."""
    out = []
    for layers in LENGTHS:
        network = deep_network(layers)
        rows = default_ensemble(network)[0]
        least = least_pebbles(layers)
        chosen = [*range(least, min(least + 4, layers) + 1), *(k for k in (12, 20) if k < layers)]
        for pebbles in dict.fromkeys([*chosen, layers]):
            moves = schedule(unit_chain(layers), pebbles)
            out.append(scheduled(network, moves, f"pebble:{pebbles}", rows))
    return out


def _surface() -> list[Built]:
    """Checkpoints erased instead of uncomputed, at falling prices, for several registers."""
    network = deep_network(SURFACE)
    rows = default_ensemble(network)[0]
    out: dict[tuple[int, ...], Built] = {}
    for pebbles in range(2, least_pebbles(SURFACE) + 2):
        for price in PRICES:
            if price == inf and pebbles < least_pebbles(SURFACE):
                continue
            moves = schedule(unit_chain(SURFACE), pebbles, price)
            key = (pebbles, *played(moves))
            if key not in out:
                out[key] = scheduled(network, moves, f"{pebbles} registers", rows)
    return list(out.values())


def _bundled() -> list[Built]:
    """The networks that come with revsim; bennett runs each layer twice and copies the output."""
    out = []
    for name in BUNDLED:
        network = load_network(name)
        rows = default_ensemble(network)[0]
        layers = len(network.layers)
        for way, runs, held in (
            ("uncompute", layers, min(layers, 2)),
            ("pebble", *played(schedule(unit_chain(layers), least_pebbles(layers)))[:2]),
            ("bennett", 2 * layers, layers + 1),
        ):
            circuit = compile_network(network, way, "keep")
            out.append(measure(network, circuit, rows, way, runs, held))
    return out


def _run() -> Outcome:
    lengths, surface, bundled = _lengths(), _surface(), _bundled()
    clean = all(b.clean for b in (*lengths, *surface, *bundled))
    nothing = all(b.ledgers.reset_count == 0 for b in lengths)
    held = {n: min(b.registers for b in lengths if b.layers == n) for n in LENGTHS}
    logarithmic = all(k == 1 + (n - 1).bit_length() for n, k in held.items())
    bennett, peak, _ = played(bennett_1989(2, 3))
    best = fewest_runs(8, peak)
    deepest = [b for b in lengths if b.layers == LENGTHS[-1]]
    few, many = deepest[0], deepest[-1]
    given = max(abs(b.ledgers.given_kept) for b in (*surface, *bundled))
    forward = min(surface, key=lambda b: b.gates)
    reversible = min((b for b in surface if b.ledgers.reset_count == 0), key=lambda b: b.wires)
    shorter = forward.gates < reversible.gates and forward.runs == SURFACE
    holds = clean and nothing and logarithmic and bennett > best and shorter
    holds = holds and few.wires < many.wires and few.gates > many.gates
    circuits = len(lengths) + len(surface) + len(bundled)
    wide = next(b for b in lengths if b.layers == b.registers == SURFACE)
    saved = [1 - forward.gates / b.gates for b in (reversible, wide)]
    sentence = (
        f"{'All' if clean else 'NOT all'} {circuits} circuits are right and clean. With no bit "
        f"erased {few.layers} layers fit {few.registers} registers, not {many.registers} "
        f"({few.wires} wires, not {many.wires}), at {few.gates / many.gates:.1f} times the gates; "
        f"{best} runs replace Bennett's {bennett}. Of {SURFACE} layers, erasing "
        f"{'all' if forward.runs == SURFACE else 'some'} checkpoints saves {saved[0]:.0%} of the "
        f"gates against {reversible.registers} registers, {saved[1]:.0%} against "
        f"{wide.registers}, for {forward.ledgers.reset_count:.0f} bits "
        f"({abs(forward.ledgers.given_kept):.1g} given the input)."
    )
    return Outcome(
        holds=holds,
        sentence=sentence,
        numbers={
            "circuits": circuits,
            "bennett_1989_runs": bennett,
            "best_runs": best,
            "deepest_layers": few.layers,
            "deepest_least_registers": few.registers,
            "deepest_least_wires": few.wires,
            "deepest_most_wires": many.wires,
            "deepest_gates_ratio": few.gates / many.gates,
            "all_erased_reset_count": forward.ledgers.reset_count,
            "all_erased_gates_saved_against_fewest_registers": saved[0],
            "all_erased_gates_saved_against_all_registers": saved[1],
            "all_erased_per_bit": forward.ledgers.per_bit,
            "greatest_given_kept": given,
        },
        tables={
            "Runs of layers: least (Knill) and in Bennett's schedule": _schedules(),
            "Nothing erased: registers against gates, deep networks": _table(lengths),
            f"Checkpoints erased instead: {SURFACE} layers": _table(surface),
            "Networks that come with revsim, input kept": _table(bundled),
        },
        series={
            "lengths": [_point(b) for b in lengths],
            "surface": [_point(b) for b in surface],
        },
    )


def _schedules() -> Table:
    rows = []
    for branching, levels in ((2, 1), (2, 2), (3, 1), (2, 3), (3, 2), (2, 4), (4, 2), (2, 5)):
        runs, peak, _ = played(bennett_1989(branching, levels))
        length = branching**levels
        rows.append((f"{branching}, {levels}", length, peak, runs, fewest_runs(length, peak)))
    return Table(("k, n", "layers", "checkpoints", "Bennett 1989", "least"), tuple(rows))


def _table(built: Sequence[Built]) -> Table:
    return Table(
        ("network", "way", "held", "runs", "gates", "wires", "A0", "A1", "A3"),
        tuple(
            (
                b.network,
                b.way,
                b.registers,
                b.runs,
                b.gates,
                b.wires,
                b.ledgers.reset_count,
                b.ledgers.per_bit,
                abs(round(b.ledgers.given_kept, 9)),
            )
            for b in built
        ),
    )


def _point(b: Built) -> dict[str, float]:
    return {
        "layers": b.layers,
        "registers": b.registers,
        "budget": int(b.way[7:]) if b.way.startswith("pebble") else int(b.way.split()[0]),
        "gates": b.gates,
        "wires": b.wires,
        "erased": float(b.ledgers.reset_count),
    }


SHADES = ("#9aa0a6", "#4c78a8", "#54a24b", "#f2a541", "#e45756")


def _draw(outcome: Outcome, figure: Any) -> None:
    left, right = figure.subplots(1, 2)
    for colour, layers in zip(SHADES, LENGTHS, strict=True):
        points = [p for p in outcome.series["lengths"] if p["layers"] == layers]
        wires = [p["wires"] for p in points]
        gates = [p["gates"] for p in points]
        left.plot(wires, gates, "o-", color=colour, markersize=4, label=f"{layers} layers")
        ends = (0, -1) if len(points) > 1 else (0,)
        for k in ends:
            left.annotate(
                f"{points[k]['registers']:.0f}",
                (wires[k], gates[k]),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    left.set(
        xscale="log",
        yscale="log",
        xlabel="peak wires",
        ylabel="gates of one inference",
        title="Nothing erased (number: registers held)",
    )
    left.set_xticks([40, 60, 100, 200, 300], ["40", "60", "100", "200", "300"])
    left.set_xticks([], minor=True)
    left.set_yticks([1000, 3000, 10_000, 30_000], ["1,000", "3,000", "10,000", "30,000"])
    left.set_yticks([], minor=True)
    left.margins(y=0.1)
    left.legend(fontsize=8, loc="lower right")
    budgets = sorted({p["budget"] for p in outcome.series["surface"]})
    for colour, budget in zip(SHADES, budgets, strict=True):
        points = [p for p in outcome.series["surface"] if p["budget"] == budget]
        points.sort(key=lambda p: (p["erased"], p["gates"]))
        label = f"{budget:.0f} registers, {max(p['wires'] for p in points):.0f} wires"
        erased, gates = [p["erased"] for p in points], [p["gates"] for p in points]
        # The curves meet on the right: smaller budgets get larger rings, so that each shows.
        ring = 14 - 2 * budget
        right.plot(
            erased, gates, "o-", color=colour, markersize=ring, fillstyle="none", label=label
        )
    right.set(
        xlabel="bits erased (reset_count)",
        ylabel="gates of one inference",
        title=f"Checkpoints of {SURFACE} layers erased instead",
    )
    right.set_ylim(bottom=0)
    right.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    right.legend(fontsize=8)


EXPERIMENT = Experiment(
    number=8,
    name="pebbling",
    title="Erase, uncompute or run again",
    hypothesis=(
        "A network of L layers runs without erasing a bit while about log2 L + 1 layer outputs are "
        "held, at the price of running layers again; Bennett's schedule of 1989 is not the "
        "shortest; erasing checkpoints buys those runs back."
    ),
    measurement=(
        f"Circuits of networks of {LENGTHS[0]} to {LENGTHS[-1]} layers of {WIDTH} neurons and of "
        "the bundled networks, every gate run on every input, the network's input kept: gates, "
        "peak wires, and the bits erased by three definitions."
    ),
    failure=(
        "A dirty ancilla, a wrong output, more registers than 1 + log2 L, no schedule shorter than "
        "Bennett's, or erasures that save no gates."
    ),
    source="Bennett 1989; Li and Vitanyi 1996; Knill, arXiv math/9508218",
    run=_run,
    draw=_draw,
    size=(10.5, 4.8),
)
