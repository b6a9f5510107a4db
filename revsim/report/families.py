"""A circuit as adiabatic logic, family by family: what it breaks, its clocks, its heat."""

import io
from collections import Counter
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console

from revsim.circuit.adiabatic import examine
from revsim.circuit.definition import Circuit
from revsim.circuit.measures import circuit_width
from revsim.physics.families import (
    FAMILIES,
    ROUND_CELL,
    Cell,
    OperationEnergy,
    operation_energy,
    schedule,
    stage_cells,
)
from revsim.report.tables import WIDTH, paragraph, plain_table

SHOWN: Final = 20
"""Violations of one family that are listed; the JSON holds them all."""
RULES: Final = (
    "C1 a gate's target is 0 before; C2 what is computed is uncomputed; C3 levels are bijective; "
    "C4 controls are held; C5 paths have equal levels (buffers); C6 one reader a value; C7 no "
    "complement; series: at most 4 switches."
)


def examine_families(
    circuit: Circuit,
    cell: Cell = ROUND_CELL,
    tick_s: float = 1e-8,
    erased_bits: float = 0.0,
    transitions: float | None = None,
    temperature_k: float = 300.0,
) -> dict[str, Any]:
    """Plain values, in the layout of `revsim adiabatic --json`.

    Cells are width x levels in a pipeline, all of them pulsing (dual rails), and one per node in a
    retractile cascade. transitions: flips of wires per operation, counted by a simulation, for the
    cascade in place of two per node; a pipeline pulses anew at every level, so they are no use to
    it.
    """
    found = examine(circuit)
    depth, width = max(found.levels, 1), max(circuit_width(circuit), 1)
    families = []
    for name, family in FAMILIES.items():
        cells = stage_cells(width, depth) if family.pipelined else max(found.nodes, 1)
        energy: OperationEnergy | None = None
        if name != "aqfp":
            energy = operation_energy(
                name,
                cells,
                depth,
                cell,
                tick_s=tick_s,
                transitions=None if family.pipelined else transitions,
                erased_bits=erased_bits,
                temperature_k=temperature_k,
            )
        families.append(
            {
                "name": name,
                "source": family.source,
                "broken": dict(sorted(Counter(v.rule for v in found.of(name)).items())),
                "violations": [asdict(v) for v in found.of(name)],
                **asdict(schedule(name, depth, tick_s)),
                "cells": cells,
                "energy": None if energy is None else {**asdict(energy), "total_j": energy.total_j},
            }
        )
    return {
        "circuit": circuit.name,
        "policy": circuit.policy,
        "input": circuit.input_choice,
        "width": width,
        "levels": found.levels,
        "nodes": found.nodes,
        "cell": asdict(cell),
        "tick_s": tick_s,
        "families": families,
    }


def render_families(found: dict[str, Any], family: str | None = None) -> str:
    """What each family makes of the circuit, 80 columns wide; one family's violations if asked."""
    console = Console(width=WIDTH, record=True, file=io.StringIO())
    cell = found["cell"]
    table = plain_table(
        f"{found['circuit']} as adiabatic logic: {found['width']:,} wires, {found['levels']:,} "
        "levels",
        "family",
        "breaks",
        "every",
        "ramps, J",
        "leaks, J",
        "rest, J",
        "total, J",
        left=2,
    )
    for entry in found["families"]:
        broken = "\n".join(f"{rule} {count:,}" for rule, count in entry["broken"].items())
        energy = entry["energy"]
        figures = ["-"] * 4
        if energy is not None:
            rest = energy["residue_j"] + energy["resonator_j"] + energy["erase_j"]
            parts = energy["ramp_j"], energy["leak_j"], rest, energy["total_j"]
            figures = [f"{value:.2e}" if value else "0" for value in parts]
        table.add_row(entry["name"], broken or "nothing", f"{entry['interval_s']:.1e} s", *figures)
    console.print(table)
    for words in (
        "breaks: rule and how often; every: from one operation to the next, with ramps of "
        f"{found['tick_s']:g} s; rest: residues, resonator, erasures; -: no model of its heat.",
        f"Cells of {cell['resistance_ohm']:g} ohm, {cell['capacitance_f']:g} F, "
        f"{cell['voltage_v']:g} V, {cell['leakage_w']:g} W of leakage, all alike, no wires: orders "
        "of magnitude.",
        RULES,
    ):
        console.print(paragraph(words))
    if family is not None:
        entry = next(e for e in found["families"] if e["name"] == family)
        violations = entry["violations"]
        console.print(f"\n{family} ({entry['source']}): {len(violations):,} violations")
        for violation in violations[:SHOWN]:
            console.print(f"  {violation['rule']}: {violation['what']}")
        if len(violations) > SHOWN:
            console.print(f"  and {len(violations) - SHOWN:,} more (--json holds them all)")
    return console.export_text()
