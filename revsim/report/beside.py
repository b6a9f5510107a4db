"""What stands beside the four ledgers: groups, single rows, other priors, the headline heat."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from revsim.ledger.ledgers import SCOPES
from revsim.ledger.pointwise import POINTWISE_ROWS
from revsim.physics.cooling import WALL_K, wall_energy
from revsim.physics.landauer import energy_j, in_unit, negentropy_j_per_k
from revsim.report.report import Report
from revsim.report.tables import number, paragraph, plain_table, run_name

HEADS = {"bit": "its bit", "register": "its register", "layer": "its layer", "kept": "all kept"}
"""What a reset looks at, as a head of a column."""


def heat_lines(report: Report) -> Iterable[RenderableType]:
    """Least heat by what a reset looks at: the ledger of each scope, in joules."""
    kelvin = report.temperature_k
    bit = energy_j(1.0, kelvin) * 1e21
    ledgers = {scope: SCOPES[scope][0] for scope in SCOPES}
    table = plain_table(
        f"Least heat at {kelvin:g} K, by what a reset may look at (zJ)",
        "policy, input",
        *ledgers.values(),
    )
    heads = (f"{HEADS[scope]}{' *' * (scope == report.scope)}" for scope in SCOPES)
    table.add_row("a reset looks at", *heads, style="dim")
    for run in report.runs:
        heat = (heat_text(getattr(run.total, ledger) * bit) for ledger in ledgers.values())
        table.add_row(run_name(run), *heat)
    yield table
    yield paragraph(f"* Scope {report.scope}, chosen by --scope: {SCOPES[report.scope][1]}.")
    yield paragraph(
        f"1 bit is k_B T ln 2 = {bit:.6g} zJ, or {negentropy_j_per_k(1.0):.5e} J/K of negentropy "
        "at any temperature."
    )
    yield Text("")
    if report.efficiency is not None:
        yield _wall_table(report, report.efficiency)


def heat_text(value: float) -> str:
    """zJ as every figure from 1 on; below, four digits: a cold device's heat is small."""
    return number(value) if value >= 1 or value == 0 else f"{value:.4g}"


def _wall_table(report: Report, efficiency: float) -> RichTable:
    """Negentropy first, which no refrigerator changes; then what the wall pays for it."""
    kelvin = report.temperature_k
    table = plain_table(
        f"At the wall ({WALL_K:g} K), cooled to {kelvin:g} K at {efficiency:g} of Carnot",
        "policy, input",
        "per_bit,\nJ/K",
        "at the\nwall, J",
        "given_kept,\nJ/K",
        "at the\nwall, J",
    )
    for run in report.runs:
        cells = []
        for bits in (run.total.per_bit, run.total.given_kept):
            wall = wall_energy(energy_j(max(0.0, bits), kelvin), kelvin, efficiency)
            cells += [_exponent(negentropy_j_per_k(bits)), _exponent(wall)]
        table.add_row(run_name(run), *cells)
    return table


def _exponent(value: float) -> str:
    return f"{value:.3e}" if value else "0"


def beside_lines(report: Report, units: str) -> Iterable[RenderableType]:
    """Ledgers between and beside the four: joint erasure of a group, single rows, gates, flips."""
    single = any(run.pointwise is not None for run in report.runs)
    columns = ("one row: least", "median", "most") if single else ()
    table = plain_table(
        f"Between and beside them ({units})", "policy, input", "per_group", *columns
    )
    for run in report.runs:
        figures = [run.total.per_group]
        if run.pointwise is not None:
            figures += [run.pointwise.least, run.pointwise.median, run.pointwise.most]
        cells = (number(in_unit(v, units, report.temperature_k)) for v in figures)
        table.add_row(run_name(run), *cells)
    yield table
    yield paragraph("per_group: all that one layer erases for one cause, reset together.")
    if single:
        yield paragraph("one row: given_kept of a single row; its mean over rows is given_kept.")
    else:
        yield paragraph(
            f"given_kept of single rows is recorded up to {POINTWISE_ROWS:,} rows, and here are "
            f"{report.ensemble['rows']:,}."
        )
    for run in report.runs:
        if run.total.gate_local is not None:
            local = in_unit(run.total.gate_local, units, report.temperature_k)
            yield paragraph(
                f"gate_local (A4) of {run.policy}: {number(local)} {units}, each gate by itself, "
                "fan-out free."
            )
    flips = {run_name(run): run.switching for run in report.runs if run.switching is not None}
    if flips:
        said = "; ".join(f"{name} {number(sum(f.values()))}" for name, f in flips.items())
        yield paragraph(f"switching, flips of wires (no bits, no bound): {said}.")
    yield Text("")


def mismatch_lines(report: Report, units: str) -> Iterable[RenderableType]:
    """What a device tuned to another ensemble pays, and where that is infinite."""
    runs = [(run, run.mismatched) for run in report.runs if run.mismatched is not None]
    if not runs:
        return
    first = runs[0][1]
    local = any(found.gate_local is not None for _, found in runs)
    table = plain_table(
        f"Tuned to {first.tuned_to}, run on {first.data}: what resets then pay ({units})",
        "policy, input",
        "per_bit",
        "excess",
        "per_register",
        "excess",
        *(["gate_local"] if local else []),
    )
    for run, found in runs:
        pairs = (
            (found.per_bit, run.total.per_bit),
            (found.per_register, run.total.per_register),
        )
        cells: list[float | None] = [v for cost, least in pairs for v in (cost, cost - least)]
        if local:
            cells.append(found.gate_local)
        table.add_row(
            run_name(run),
            *(
                number(None if v is None else in_unit(v, units, report.temperature_k))
                for v in cells
            ),
        )
    yield table
    for run, found in runs:
        if found.infinite:
            yield Text(f"  {run_name(run)}: {found.infinite:,} infinite")
        for reason in found.reasons:
            yield paragraph(f"  {reason}")
        if found.infinite > len(found.reasons):
            yield Text(f"    and {found.infinite - len(found.reasons):,} more")
    if any(found.infinite for _, found in runs):
        yield Text("")
