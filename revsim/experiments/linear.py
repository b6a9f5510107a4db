"""Experiment 3: are linear layers free? In place, beside a kept input, with the input erased."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from revsim.blocks.block import define
from revsim.blocks.columns import copied_sum, weighted_bits
from revsim.blocks.linear_in_place import bits_lost, linear_in_place
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit, Definition, Port
from revsim.circuit.measures import circuit_counts, circuit_width
from revsim.circuit.registers import Encoding, Register, Wires
from revsim.errors import InputError
from revsim.experiments.experiment import Experiment, Outcome
from revsim.ledger.ledgers import Ledgers, ledger_rows, total_of
from revsim.network.operators import Integers
from revsim.report.plots import CAUSE_COLOURS
from revsim.report.report import Table
from revsim.schedule.device import Device
from revsim.simulator.ensemble import uniform
from revsim.simulator.run import simulate

MATRICES: tuple[tuple[str, tuple[tuple[int, ...], ...], int], ...] = (
    ("det 1", ((1, 2), (1, 3)), 4),
    ("det -2", ((1, 1), (1, -1)), 4),
    ("rank 1", ((1, 2), (2, 4)), 4),
    ("det 51", ((2, -1, 3), (1, 4, 0), (-3, 2, 1)), 4),
    ("det 12", ((2, 1, 0), (0, 3, 1), (2, 1, 2)), 4),
    ("sum of 4", ((1, 1, 1, 1),), 4),
)
"""Name, matrix, bits of each input (unsigned, every vector once)."""
SIZES = (2, 4, 8, 16)
COUNTED_BITS = 8
WAYS = ("in place", "beside, x kept", "beside, x erased", "integers, x erased")


@dataclass(frozen=True)
class Done:
    """One way to compute Wx: its gates and peak wires, what it erased, and whether it is right."""

    matrix: str
    way: str
    gates: int
    toffolis: int
    wires: int
    ledgers: Ledgers
    right: bool


def in_place(matrix: Integers, width: int) -> Circuit:
    """x becomes Wx modulo 2^width on its own wires. InputError where the determinant is even."""
    device = Device([Encoding.unsigned(0, (1 << width) - 1)] * len(matrix[0]))
    ports = [Port(f"x{i}", width) for i in range(len(device.inputs))]
    definition = define("in place", lambda b, *x: linear_in_place(b, x, matrix), *ports)
    device.call(definition, *(r.wires for r in device.inputs))
    return device.circuit("in place", device.inputs, (), "in_place", "destroy", "")


def beside(matrix: Integers, width: int, modulo: bool, erase: bool) -> Circuit:
    """Wx by columns of full adders into fresh registers, modulo 2^width or wide enough.

    The input is then erased, or kept.
    """
    device = Device([Encoding.unsigned(0, (1 << width) - 1)] * len(matrix[0]))
    device.layer = "linear"
    x = np.concatenate([r.wires for r in device.inputs])
    z: list[Register] = []
    top = (1 << width) - 1
    for j, row in enumerate(matrix):
        low, high = int(np.minimum(row, 0).sum()) * top, int(np.maximum(row, 0).sum()) * top
        encoding = Encoding.unsigned(0, top) if modulo else Encoding.unsigned(low, high)
        z.append(device.alloc(f"z[{j}]", encoding))
        device.call(_sum(row, width, encoding), x, z[-1].wires)
    for register in device.inputs if erase else ():
        device.erase(register.name, register.wires, "layer_input", register.name)
    choice = "destroy" if erase else "keep"
    return device.circuit("beside", z, (), "beside", choice, "erase x given Wx")


def _sum(row: Integers, width: int, encoding: Encoding) -> Definition:
    """x, z -> x, z ^ (row of the matrix times x), as it stands in a register of the encoding."""
    weights = np.repeat(row, width) << np.tile(np.arange(width), len(row))

    def body(b: Builder, x: Wires, z: Wires) -> None:
        copied_sum(b, weighted_bits(x, weights, -encoding.offset), z)

    return define("sum", body, Port("x", len(weights)), Port("z", encoding.width, zero_in=True))


def _ways(matrix: Integers, width: int) -> dict[str, Callable[[], Circuit]]:
    return {
        "in place": lambda: in_place(matrix, width),
        "beside, x kept": lambda: beside(matrix, width, True, False),
        "beside, x erased": lambda: beside(matrix, width, True, True),
        "integers, x erased": lambda: beside(matrix, width, False, True),
    }


def _measure(name: str, matrix: Integers, width: int) -> list[Done]:
    inputs = matrix.shape[1]
    rows = uniform([0] * inputs, [(1 << width) - 1] * inputs)
    out = []
    for way, build in _ways(matrix, width).items():
        try:
            circuit = build()
        except InputError:  # the determinant is even, or there is none
            continue
        run = simulate(circuit, rows, strict=False)
        y = rows.rows @ matrix.T
        right = np.array_equal(run.outputs, y if way.startswith("int") else y & ((1 << width) - 1))
        counted = circuit_counts(circuit)
        out.append(
            Done(
                name,
                way,
                counted.gates - counted.erase,
                counted.toffoli,
                circuit_width(circuit),
                total_of(ledger_rows(run.tally)),
                right and not run.tally.violations,
            )
        )
    return out


def _sizes() -> list[tuple[int, int, int, int, int]]:
    """Size, then Toffolis and wires in place, and beside; seeded matrices with entries -8..7."""
    random = np.random.default_rng(3)
    out = []
    for size in SIZES:
        while bits_lost(matrix := random.integers(-8, 8, (size, size)), 1):
            pass
        circuits = in_place(matrix, COUNTED_BITS), beside(matrix, COUNTED_BITS, True, False)
        costs = [(circuit_counts(c).toffoli, circuit_width(c)) for c in circuits]
        out.append((size, *costs[0], *costs[1]))
    return out


def _run() -> Outcome:
    done = [d for name, w, bits in MATRICES for d in _measure(name, np.array(w), bits)]
    sizes = _sizes()
    lost = {name: bits_lost(w, bits) for name, w, bits in MATRICES}
    found = {(d.matrix, d.way): d.ledgers for d in done}
    given = {name: found[name, "beside, x erased"].given_kept for name in lost}
    right = all(d.right for d in done)
    free = all(d.ledgers.reset_count == 0 for d in done if d.way in ("in place", "beside, x kept"))
    exact = all(
        abs(given[name] - lost[name]) < 1e-9
        and (((name, "in place") in found) == (lost[name] == 0))
        for name in lost
    )
    wide = found["det -2", "integers, x erased"].given_kept
    small, large = sizes[0], sizes[-1]
    losses = ", ".join(f"{bits:.4g} ({name})" for name, bits in given.items() if bits > 1e-9)
    clean = "no" if free and right else "SOME"
    sentence = (
        f"Modulo 2^4, {sum(d.way == 'in place' for d in done)} of {len(lost)} matrices have an odd "
        f"determinant and run in place with {clean} ERASE or dirty wire; erasing x given Wx loses "
        f"{losses} bits; over the integers det -2 loses {abs(wide):.4g}. In place: "
        f"{small[1] / small[3]:.1f} ({small[0]} x {small[0]}) to {large[1] / large[3]:.1f} "
        f"({large[0]} x {large[0]}) times the Toffolis, there {large[2]}, not {large[4]}, wires."
    )
    return Outcome(
        holds=right and free and exact and abs(wide) < 1e-9,
        sentence=sentence,
        numbers={
            **{f"lost_{name}": bits for name, bits in given.items()},
            "lost_det -2_integers": wide,
            **{f"in_place_over_beside_toffolis_{n}x{n}": a / b for n, a, _, b, _ in sizes},
        },
        tables={
            "Every input once": _table(done),
            f"Toffolis and peak wires, {COUNTED_BITS}-bit inputs, modulo 2^{COUNTED_BITS}": Table(
                ("size", "in place: Toffolis", "wires", "beside: Toffolis", "wires "),
                tuple((f"{n} x {n}", *rest) for n, *rest in sizes),
            ),
        },
        series={
            "lost": {
                name: [given[name], found[name, "integers, x erased"].given_kept] for name in lost
            },
            "sizes": [list(row) for row in sizes],
        },
    )


def _table(done: Sequence[Done]) -> Table:
    return Table(
        ("matrix", "way", "gates", "Toffolis", "wires", "A0", "A1", "A3"),
        tuple(
            (
                d.matrix,
                d.way,
                d.gates,
                d.toffolis,
                d.wires,
                d.ledgers.reset_count,
                d.ledgers.per_bit,
                abs(round(d.ledgers.given_kept, 9)),
            )
            for d in done
        ),
    )


def _draw(outcome: Outcome, figure: Any) -> None:
    left, right = figure.subplots(1, 2, width_ratios=[1.3, 1])
    lost = outcome.series["lost"]
    places = np.arange(len(lost))
    bars = (("modulo 2^4", -0.2, CAUSE_COLOURS["layer_input"]), ("integers", 0.2, "#9aa0a6"))
    for k, (label, offset, colour) in enumerate(bars):
        values = [max(0.0, round(v[k], 9)) for v in lost.values()]
        drawn = left.bar(places + offset, values, 0.38, label=label, color=colour)
        left.bar_label(drawn, [f"{v:.3g}" for v in values], fontsize=8, padding=2)
    left.set_xticks(places, list(lost))
    left.set(
        xlabel="matrix, inputs of 4 bits, all equally likely",
        ylabel="bits lost when the input is erased (given_kept)",
        title="What a linear layer loses",
    )
    left.margins(y=0.12)
    left.legend(fontsize=8, loc="upper left")
    for k, (label, colour) in enumerate((("in place", "#e45756"), ("beside, x kept", "#4c78a8"))):
        wires = [row[2 + 2 * k] for row in outcome.series["sizes"]]
        toffolis = [row[1 + 2 * k] for row in outcome.series["sizes"]]
        right.plot(wires, toffolis, "o-", color=colour, markersize=4, label=label)
        for row, x, y in zip(outcome.series["sizes"], wires, toffolis, strict=True):
            right.annotate(
                f"{row[0]} x {row[0]}",
                (x, y),
                xytext=(4, -11),
                textcoords="offset points",
                fontsize=8,
            )
    right.set(
        xscale="log",
        yscale="log",
        xlabel="peak wires",
        ylabel="Toffolis",
        title=f"What not losing it costs ({COUNTED_BITS}-bit inputs)",
    )
    right.set_xticks([20, 50, 100, 200, 500], ["20", "50", "100", "200", "500"])
    right.set_xticks([], minor=True)
    right.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    right.margins(x=0.2, y=0.1)
    right.legend(fontsize=8, loc="upper left")


EXPERIMENT = Experiment(
    number=3,
    name="linear",
    title="Are linear layers free?",
    hypothesis=(
        "A linear layer loses nothing where it is injective, modulo 2^w where its determinant is "
        "odd, and can then run in place without an ERASE; beside a kept input every layer can; "
        "erasing the input loses H(x given Wx), whatever the gates."
    ),
    measurement=(
        "Six matrices on all vectors of 4-bit inputs: P L U in place, columns of full adders "
        "beside the input with it kept and with it erased, modulo 2^4 and over the integers."
    ),
    failure=(
        "An ancilla left dirty, a wrong output, an ERASE in place, or a loss that differs from "
        "what the elementary divisors of the matrix say."
    ),
    source="Theorem T9; Cuccaro et al. 2004 and Takahashi et al. 2010 for the adders",
    run=_run,
    draw=_draw,
    size=(10.5, 4.6),
)
