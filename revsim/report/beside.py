"""What stands beside the four ledgers: groups, single rows, other priors, the headline heat."""

from collections.abc import Iterable
from textwrap import fill

from rich.console import RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from revsim.ledger.ledgers import SCOPES
from revsim.physics.landauer import energy_j, in_unit
from revsim.report.report import Report
from revsim.report.tables import WIDTH, number, plain_table, run_name

HEADS = {
    "bit": "tuned bit by bit",
    "register": "register by register",
    "layer": "group by group",
    "kept": "seeing all kept",
}
"""What a reset may look at, as a head of a column."""


def heat_lines(report: Report) -> Iterable[RenderableType]:
    """Least heat by the ledger of the chosen scope, beside the least and the most usual one."""
    kelvin = report.temperature_k
    bit = energy_j(1.0, kelvin) * 1e21
    chosen = list(dict.fromkeys((report.scope, "kept" if report.scope != "kept" else "bit")))
    table = plain_table(
        f"Least heat at {kelvin:g} K: {bit:.6g} zJ per bit (k_B T ln 2)",
        "policy, input",
        *(HEADS[scope] for scope in chosen),
    )
    table.add_row("", *(f"{SCOPES[scope][0]}, zJ" for scope in chosen), style="dim")
    for run in report.runs:
        heat = (f"{getattr(run.total, SCOPES[scope][0]) * bit:,.6g}" for scope in chosen)
        table.add_row(run_name(run), *heat)
    yield table
    yield Text(f"Scope {report.scope}: {SCOPES[report.scope][1]}.")


def further_table(report: Report, units: str) -> RichTable:
    """Ledgers between and beside the four: joint erasure of a group, single rows, flips."""
    table = plain_table(
        f"Between and beside them ({units})",
        "policy, input",
        "per_group",
        "one row: least",
        "median",
        "most",
    )
    for run in report.runs:
        spread = run.pointwise
        found = (None,) * 3 if spread is None else (spread.least, spread.median, spread.most)
        figures = [
            number(None if v is None else in_unit(v, units, report.temperature_k))
            for v in (run.total.per_group, *found)
        ]
        table.add_row(run_name(run), *figures)
    return table


def mismatch_lines(report: Report, units: str) -> Iterable[RenderableType]:
    """What a device tuned to another ensemble pays, and where that is infinite."""
    runs = [(run, run.mismatched) for run in report.runs if run.mismatched is not None]
    if not runs:
        return
    first = runs[0][1]
    table = plain_table(
        f"Tuned to {first.tuned_to}, run on {first.data}: what resets then pay ({units})",
        "policy, input",
        "per_bit",
        "excess",
        "per_register",
        "excess",
        "gate_local",
    )
    for run, found in runs:
        pairs = (
            (found.per_bit, run.total.per_bit),
            (found.per_register, run.total.per_register),
        )
        cells = [v for cost, least in pairs for v in (cost, cost - least)]
        table.add_row(
            run_name(run),
            *(
                number(None if v is None else in_unit(v, units, report.temperature_k))
                for v in (*cells, found.gate_local)
            ),
        )
    yield table
    for run, found in runs:
        if found.infinite:
            yield Text(f"  {run_name(run)}: {found.infinite:,} infinite")
        for reason in found.reasons:
            yield Text(fill(reason, WIDTH, initial_indent="    ", subsequent_indent="      "))
        if found.infinite > len(found.reasons):
            yield Text(f"    and {found.infinite - len(found.reasons):,} more")
    yield Text("")
