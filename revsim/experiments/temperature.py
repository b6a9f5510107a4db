"""Experiment 11: does a colder device erase more cheaply, once the refrigerator is paid?"""

from dataclasses import replace
from typing import Any

import numpy as np

from revsim.circuit.measures import circuit_depth, circuit_width
from revsim.experiments.experiment import Experiment, Outcome
from revsim.experiments.rounding import at_most
from revsim.physics.adiabatic import leakage_power
from revsim.physics.cooling import WALL_K, wall_energy
from revsim.physics.families import Cell, OperationEnergy, operation_energy, stage_cells
from revsim.physics.landauer import energy_j
from revsim.pipeline import load_network, verify
from revsim.report.report import Table
from revsim.schedule.policy import compile_network

NETWORK, POLICY, FAMILY = "digits", "bennett", "s2lal"
EFFICIENCIES = (1.0, 0.3, 0.1, 0.05)
LEAKAGES_W = (1e-12, 1e-11, 1e-10, 1e-9)
"""Leakage of a cell at 300 K."""
TICK_S = 1e-7
COLD_K: list[float] = np.geomspace(4.2, WALL_K, 241).tolist()
COLOURS = ("#3b2a6b", "#4c78a8", "#f2a541", "#e45756")


def operation(
    cells: int, depth: int, bits: float, room_leakage_w: float, kelvin: float
) -> OperationEnergy:
    """Heat of one inference in the pipeline at a temperature: ramps, leakage, erased bits."""
    cell = replace(Cell(), leakage_w=leakage_power(room_leakage_w, kelvin))
    return operation_energy(
        FAMILY, cells, depth, cell, tick_s=TICK_S, erased_bits=bits, temperature_k=kelvin
    )


def run() -> Outcome:
    """Bits that the network erases, then the same network as a leaking pipeline, over T_c."""
    network = load_network(NETWORK)
    bits = verify(network, policy=POLICY).runs[0].total.per_bit
    circuit = compile_network(network, POLICY, "destroy")
    depth = circuit_depth(circuit)
    cells = stage_cells(circuit_width(circuit), depth)
    room = energy_j(bits, WALL_K)
    device = [energy_j(bits, t) / room for t in COLD_K]
    wall = {
        eta: [wall_energy(energy_j(bits, t), t, eta) / room for t in COLD_K] for eta in EFFICIENCIES
    }
    heats = {p: [operation(cells, depth, bits, p, t).total_j for t in COLD_K] for p in LEAKAGES_W}
    paid = {
        (eta, p): [wall_energy(j, t, eta) for j, t in zip(heats[p], COLD_K, strict=True)]
        for eta in EFFICIENCIES
        for p in LEAKAGES_W
    }
    best = {key: int(np.argmin(curve)) for key, curve in paid.items()}
    inside = {key: 0 < k < len(COLD_K) - 1 for key, k in best.items()}
    gains = {key: curve[-1] / curve[best[key]] for key, curve in paid.items()}
    flat = max(abs(w - 1) for w in wall[1.0])
    rising = all((np.diff(wall[eta]) < 0).all() for eta in EFFICIENCIES[1:])
    erase = operation(cells, depth, bits, LEAKAGES_W[0], WALL_K)
    least = min(min(curve) for curve in wall.values())
    holds = bool(flat < 1e-12 and rising and least >= 1 - 1e-12)
    top = max(gains, key=lambda key: gains[key])
    ideal = "pays" if flat < 1e-12 else "does NOT always pay"
    sentence = (
        f"For erased bits alone the wall {ideal} k_B {WALL_K:g} K ln 2 a bit at any temperature "
        f"with an ideal refrigerator, and {wall[0.1][0]:.1f} times that at {COLD_K[0]:g} K with "
        f"10 % of Carnot; a pipeline that leaks gains from cold in {sum(inside.values())} of "
        f"{len(inside)} cases, up to {at_most(gains[top], ',.0f')}-fold at "
        f"{COLD_K[best[top]]:.0f} K."
    )
    marks = [int(np.argmin(abs(np.array(COLD_K) - t))) for t in (4.2, 20, 77, 150, 300)]
    return Outcome(
        holds=holds,
        sentence=sentence,
        numbers={
            "erased_bits": bits,
            "cells": cells,
            "depth": depth,
            "largest_deviation_at_carnot": flat,
            "least_wall_over_room": least,
            "interior_optima": sum(inside.values()),
            "best_gain": gains[top],
            "share_of_erasure_at_room": erase.erase_j / erase.total_j,
            "best_temperature_k": COLD_K[best[top]],
        },
        tables={
            "Erased bits alone, in k_B 300 K ln 2 per bit": Table(
                ("T_c in K", "device", *(f"wall, {eta:.0%}" for eta in EFFICIENCIES)),
                tuple(
                    (f"{COLD_K[k]:.1f}", device[k], *(wall[eta][k] for eta in EFFICIENCIES))
                    for k in marks
                ),
            ),
            "With leakage: where the wall pays least, and how many times less": Table(
                ("of Carnot", *(f"{p:.0e} W a cell" for p in LEAKAGES_W)),
                tuple(
                    (
                        f"{eta:.0%}",
                        *(
                            f"{COLD_K[best[eta, p]]:.0f} K, {gains[eta, p]:.3g}x"
                            for p in LEAKAGES_W
                        ),
                    )
                    for eta in EFFICIENCIES
                ),
            ),
        },
        series={
            "cold_k": COLD_K,
            "device": device,
            "wall": {f"{eta:g}": wall[eta] for eta in EFFICIENCIES},
            "paid": {f"{eta:g}": paid[eta, LEAKAGES_W[2]] for eta in EFFICIENCIES},
            "heat": heats[LEAKAGES_W[2]],
        },
    )


def draw(outcome: Outcome, figure: Any) -> None:
    """Left: erased bits alone. Right: the leaking pipeline, its optima marked."""
    left, right = figure.subplots(1, 2)
    series = outcome.series
    cold = np.array(series["cold_k"])
    left.plot(cold, series["device"], color="black", linestyle=":", label="device alone")
    right.plot(cold, series["heat"], color="black", linestyle=":", label="device alone")
    for colour, (eta, curve) in zip(COLOURS, series["wall"].items(), strict=True):
        left.plot(cold, curve, color=colour, label=f"wall, {float(eta):.0%} of Carnot")
        paid = np.array(series["paid"][eta])
        right.plot(cold, paid, color=colour)
        k = int(paid.argmin())
        right.plot(cold[k], paid[k], "o", color=colour, label=f"least at {cold[k]:.0f} K")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks([5, 10, 20, 50, 100, 200, 300], ["5", "10", "20", "50", "100", "", "300"])
        axes.minorticks_off()
        axes.set_xlabel("temperature of the device, K")
    left.set_ylabel("energy per erased bit, in k_B 300 K ln 2")
    left.set_title("Erased bits alone", fontsize=10.5)
    left.legend(fontsize=8)
    right.set_ylabel("J per inference")
    right.set_title(f"A pipeline that leaks {LEAKAGES_W[2]:.0e} W a cell at 300 K", fontsize=10.5)
    right.legend(fontsize=8, loc="upper right", bbox_to_anchor=(0.86, 1.0))


EXPERIMENT = Experiment(
    number=11,
    name="temperature",
    title="Cooling moves Landauer's cost, it does not lower it",
    hypothesis="A colder device spends less on erasing, but the wall does not: with an ideal "
    "refrigerator it pays k_B 300 K ln 2 per bit at any temperature, with a real one more the "
    "colder it gets. Cooling can pay through leakage alone.",
    measurement=f"Bits that {NETWORK} erases under {POLICY} with its input destroyed, priced at "
    "the device and at the wall for four fractions of Carnot; then the same circuit as an S2LAL "
    f"pipeline (width x depth cells, 10 kOhm, 1 fF, 1 V, ramps of {TICK_S * 1e9:g} ns) with "
    "leakage that freezes out. Resistances are taken as constant: orders of magnitude.",
    failure="Wall energy below k_B 300 K ln 2 per bit at some temperature, a fall towards the "
    "cold, or no deviation from 1 that a refrigerator could explain.",
    source="Tkachenko, arXiv 2503.09980 v1 (temperature); Carnot 1824; leakage in its textbook "
    "form, recalled",
    run=run,
    draw=draw,
    size=(10.0, 4.6),
)
