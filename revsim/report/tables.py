"""Reports as text that reads well in 80 columns, and the same as HTML: the answer, then why."""

import io
from collections.abc import Iterable
from math import isinf
from textwrap import fill

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from revsim.ledger.ledgers import Ledgers
from revsim.physics.landauer import in_unit
from revsim.report.report import Report, RunReport

WIDTH = 80
MARKS = {True: "yes", False: "NO", None: "-"}
STYLES = {True: "green", False: "bold red", None: "dim"}
FOUR = {"reset_count": "nothing", "per_bit": "its bit", "per_register": "its register"}
FOUR["given_kept"] = "all kept"
"""The ledgers of the first table and what a reset looks at in each."""
SYMBOLS = {"reset_count": "(A0)", "per_bit": "(A1)", "per_register": "(A2)", "given_kept": "(A3)"}


def number(value: float | None) -> str:
    """A figure with three decimals, none from 1,000 on or where it is whole, four below 0.01.

    One rule in every table, so that figures can be added and subtracted by eye.

    >>> number(132728.0), number(302.8041), number(7.4899), number(0.0), number(0.00294)
    ('132,728', '302.804', '7.490', '0', '0.0029')
    """
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if isinf(value):
        return "infinite"
    if abs(value) >= 1000 or float(value).is_integer():
        return f"{value:,.0f}"
    if abs(value) >= 0.01:
        return f"{value:.3f}"
    return f"{value:.4f}" if abs(value) >= 0.0001 else f"{value:.3e}"


def render_text(report: Report, units: str = "bits", color: bool = False) -> str:
    """The whole report as text, 80 columns wide."""
    console = Console(width=WIDTH, record=True, file=io.StringIO(), force_terminal=color)
    console.print(renderable(report, units))
    return console.export_text(styles=color)


def render_html(report: Report) -> str:
    """The report as HTML for notebooks."""
    console = Console(width=WIDTH + 20, record=True, file=io.StringIO())
    console.print(renderable(report))
    return console.export_html(
        inline_styles=True, code_format='<pre style="line-height:1.25">{code}</pre>'
    )


def renderable(report: Report, units: str = "bits") -> RenderableType:
    """Everything in reading order: the answer, what is erased, the comparison, where, checks."""
    from revsim.report.beside import beside_lines, heat_lines, mismatch_lines
    from revsim.report.checks import check_lines
    from revsim.report.paper import comparison_lines, neuron_lines
    from revsim.report.population import population_lines
    from revsim.report.summary import heading_lines, summary_lines

    return Group(
        *heading_lines(report),
        *summary_lines(report),
        _ledger_table(report, units),
        *_hardware(report, units),
        *heat_lines(report),
        *beside_lines(report, units),
        *mismatch_lines(report, units),
        *neuron_lines(report),
        *comparison_lines(report),
        *_stream(report),
        *population_lines(report.population),
        _cause_table(report, units),
        *_orders(report),
        _layer_table(report),
        *check_lines(report),
    )


def _stream(report: Report) -> Iterable[RenderableType]:
    if report.stream is None:
        return ()
    from revsim.report.streams import stream_section

    return stream_section(report.stream)


def plain_table(title: str, *columns: str, left: int = 1) -> RichTable:
    """A table with a rule under its head; the first `left` columns are text, the others figures."""
    table = RichTable(
        title=title,
        min_width=min(WIDTH, len(title)),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 0, 0, 1),
    )
    for k, column in enumerate(columns):
        table.add_column(column, justify="left" if k < left else "right", overflow="fold")
    return table


UNBROKEN = ("H(X given Y)", "p <= p*", "p* =", "k_B T ln 2", "log2 N", "sum of 2p(1-p)")
"""Formulas that stay on one line."""


def paragraph(text: str, style: str = "") -> Text:
    """A sentence or two, folded to 80 columns, indented by two and its further lines by four."""
    for formula in UNBROKEN:
        text = text.replace(formula, formula.replace(" ", "\N{NO-BREAK SPACE}"))
    folded = fill(
        text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )
    return Text(folded.replace("\N{NO-BREAK SPACE}", " "), style=style)


def run_name(run: RunReport) -> str:
    """A run in the first column of a table: policy, input."""
    return f"{run.policy}, {run.input}"


def _figures(ledgers: Ledgers, units: str, temperature_k: float) -> list[str]:
    return [number(in_unit(getattr(ledgers, f), units, temperature_k)) for f in FOUR]


def _ledger_table(report: Report, units: str) -> RichTable:
    table = plain_table(
        f'What one inference erases, by four definitions of "erased" ({units})',
        "policy, input",
        *FOUR,
    )
    table.add_row("", *(SYMBOLS[name] for name in FOUR), style="dim")
    table.add_row("a reset looks at", *FOUR.values(), style="dim")
    for run in report.runs:
        table.add_row(run_name(run), *_figures(run.total, units, report.temperature_k))
    return table


def _hardware(report: Report, units: str) -> Iterable[RenderableType]:
    """What it costs that the positions of a channel share their hardware, graph by graph."""
    runs = [run for run in report.runs if run.hardware is not None and run.total.reset_count]
    if not runs:
        return
    table = plain_table(
        f"The price of time-shared hardware, positions of a channel ({units})",
        "policy, input",
        "its bit",
        "shared",
        "its register",
        "shared ",
    )
    for run in runs:
        figures = [
            number(in_unit(getattr(found, name), units, report.temperature_k))
            for name in ("per_bit", "per_register")
            for found in (run.hardware or {}).values()
        ]
        table.add_row(run_name(run), *figures)
    yield table
    chosen = report.network.get("device", "dedicated")
    yield paragraph(f"All other tables: {chosen} hardware, chosen by --device.", style="dim")
    yield Text("")


def _cause_table(report: Report, units: str) -> RichTable:
    table = plain_table(f"By layer and cause ({units})", "layer, cause", *FOUR)
    for run in report.runs:
        table.add_row(Text(run_name(run), style="bold"))
        if not run.rows:
            table.add_row("  nothing is erased")
        labels = [f"  {row.layer}, {row.cause}" for row in run.rows]
        figures = [_figures(row.ledgers, units, report.temperature_k) for row in run.rows]
        columns = zip(FOUR, *figures, strict=True)
        room = WIDTH - 2 - sum(2 + max(map(len, column)) for column in columns)
        above = ""
        for row, label, found in zip(run.rows, labels, figures, strict=True):
            if max(map(len, labels)) <= room:
                table.add_row(label, *found)
                continue
            if row.layer != above:
                table.add_row(f"  {row.layer}")
            above = row.layer
            table.add_row(f"    {row.cause}", *found)
    return table


def _orders(report: Report) -> Iterable[RenderableType]:
    """The order of erasures, which shares given_kept out among causes."""
    runs = [run for run in report.runs if run.rows]
    if not runs:
        return
    yield Text("given_kept of a cause depends on the order of erasures (its total does not):")
    for policy, order in {run.policy: run.order for run in runs}.items():
        yield paragraph(f"{policy}: {order}")
    yield Text("")


def _layer_table(report: Report) -> RichTable:
    table = plain_table(
        "Where information goes (bits; from the integer reference)"
        + (", at the ceiling" if report.ensemble["ceiling"] else ""),
        "layer",
        "H(in)",
        "H(z)",
        "H(out)",
        "linear loses",
        "activation loses",
    )
    for layer in report.layers:
        entropies = layer.H_in, layer.H_z, layer.H_out
        losses = layer.H_in - layer.H_z, layer.H_z - layer.H_out
        table.add_row(layer.name, *(number(_clean(value)) for value in (*entropies, *losses)))
    return table


def _clean(value: float) -> float:
    """Without the rounding of a logarithm: a loss of nothing is 0, an entropy of 20 bits 20."""
    return float(round(value)) if abs(value - round(value)) < 1e-9 else value
