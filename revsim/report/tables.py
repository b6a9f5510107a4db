"""Reports as text that reads well in 80 columns, and the same tables as HTML."""

import io
from collections.abc import Iterable
from math import isinf
from textwrap import fill

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from revsim.ledger.comparison import (
    LIKE_WITH_LIKE,
    OF_ACTIVATIONS,
    OF_STATES,
    READINGS,
    Comparison,
)
from revsim.ledger.ledgers import Ledgers
from revsim.ledger.verdicts import in_words
from revsim.physics.cooling import WALL_K, wall_energy
from revsim.physics.landauer import CROSSING, energy_j, in_unit, negentropy_j_per_k
from revsim.report.report import Report, RunReport

WIDTH = 80
NAMED = 24
"""Most neurons that are named in the text."""
MARKS = {True: "yes", False: "NO", None: "-"}
STYLES = {True: "green", False: "bold red", None: "dim"}


def number(value: float | None) -> str:
    """A figure in at most nine characters: thousands separated, small values with decimals.

    >>> number(132728.0), number(7.4899), number(0.0), number(None), number(0.00294)
    ('132,728', '7.490', '0', '-', '0.0029')
    """
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if isinf(value):
        return "infinite"
    if abs(value) >= 1000 or (float(value).is_integer() and abs(value) >= 100):
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.1f}"
    if float(value).is_integer():
        return f"{value:.0f}"
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
    """Everything in reading order."""
    from revsim.report.beside import further_table, mismatch_lines  # which build on this module
    from revsim.report.population import population_lines

    return Group(
        *_heading(report),
        _ledger_table(report, units),
        further_table(report, units),
        *_energy_lines(report),
        *mismatch_lines(report, units),
        _cause_table(report, units),
        _layer_table(report),
        *_activity_lines(report),
        _check_table(report),
        *_legend(report),
        *_failures(report),
        *_comparison(report),
        *_stream(report),
        *population_lines(report.population),
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


def _heading(report: Report) -> Iterable[RenderableType]:
    network, ensemble = report.network, report.ensemble
    yield Text(f"{network['name']}: {network['macs']:,} multiply-accumulates per inference", "bold")
    for layer in network["layers"]:
        yield Text(f"  {layer['name']}: {layer['kind'].replace('+', ' + ')}")
    if report.accuracy is not None:
        line = f"{report.accuracy['share']:.1%} of {report.accuracy['rows']:,} labels right"
        test = report.accuracy.get("held_out")
        if test:
            line += f"; {test['share']:.1%} of the {test['rows']:,} held out from training"
        yield Text(line)
    yield Text(
        f"ensemble {ensemble['name']}: {ensemble['rows']:,} rows, {ensemble['distinct']:,} distinct"
    )
    yield Text(
        f"H(X) = {report.H_X:.4f}, H(Y) = {report.H_Y:.4f}, H(X given Y) = "
        f"{report.H_X - report.H_Y:.4f} bits: the last is the least\n"
        "that any device must lose if the input is destroyed"
    )
    if ensemble["ceiling"]:
        yield Text(
            "  at the log2 N ceiling: with so many distinct rows joint entropies say nothing\n"
            "  beyond this data set; they are printed, not compared with the paper",
            style="yellow",
        )
    yield Text("")


FOUR = ("reset_count", "per_bit", "per_register", "given_kept")


def _ledger_table(report: Report, units: str) -> RichTable:
    table = plain_table(
        f'What one inference erases, by four definitions of "erased" ({units})',
        "policy, input",
        *FOUR,
    )
    table.add_row("", "(A0)", "(A1)", "(A2)", "(A3)", style="dim")
    for run in report.runs:
        table.add_row(run_name(run), *_figures(run.total, units, report.temperature_k))
    return table


def run_name(run: RunReport) -> str:
    """A run in the first column of a table: policy, input."""
    return f"{run.policy}, {run.input}"


def _figures(ledgers: Ledgers, units: str, temperature_k: float) -> list[str]:
    return [number(in_unit(getattr(ledgers, f), units, temperature_k)) for f in FOUR]


def _energy_lines(report: Report) -> Iterable[RenderableType]:
    from revsim.report.beside import heat_lines  # which builds on this module

    for run in report.runs:
        if run.total.gate_local is not None:
            yield Text(
                f"gate_local (A4), each gate as a process of its own, fan-out free: "
                f"{number(run.total.gate_local)} bits"
            )
    for run in report.runs:
        if run.switching is not None:
            flips = number(sum(run.switching.values()))
            yield Text(f"switching, {run_name(run)}: {flips} flips of wires (no bits, no bound)")
    yield Text("")
    yield from heat_lines(report)
    yield Text(f"In negentropy: {negentropy_j_per_k(1.0):.5e} J/K per bit, at any temperature.\n")
    if report.efficiency is not None:
        yield _wall_table(report, report.efficiency)


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
            cells += [f"{negentropy_j_per_k(bits):.4g}", f"{wall:.4g}"]
        table.add_row(run_name(run), *cells)
    return table


def _cause_table(report: Report, units: str) -> RichTable:
    table = plain_table(f"By layer and cause ({units})", "layer, cause", *FOUR)
    for run in report.runs:
        table.add_row(Text(run_name(run), style="bold"))
        if not run.rows:
            table.add_row("  nothing is erased")
        for row in run.rows:
            figures = _figures(row.ledgers, units, report.temperature_k)
            table.add_row(f"  {row.layer}, {row.cause}", *figures)
    return table


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
        table.add_row(
            layer.name,
            f"{layer.H_in:.4f}",
            f"{layer.H_z:.4f}",
            f"{layer.H_out:.4f}",
            number(_clean(layer.H_in - layer.H_z)),
            number(_clean(layer.H_z - layer.H_out)),
        )
    return table


def _clean(value: float) -> float:
    return 0.0 if abs(value) < 1e-9 else value


def _activity_lines(report: Report) -> Iterable[RenderableType]:
    a = report.activity
    if not a.neuron_states:
        yield Text("This network has no neurons, so the paper's counts do not apply.\n")
        return
    yield Text("Neurons, per inference", style="bold")
    yield Text(
        f"  {a.neuron_states} neurons; active {a.active_neurons:.4f} (B_R), changed "
        f"{a.changed_neurons:.4f} (B_S);\n"
        f"  neuron_entropy {a.neuron_entropy:.4f} bits (sum of h2), "
        f"pattern_entropy {a.pattern_entropy:.4f} bits"
    )
    yield Text(
        f"  {len(a.loud)} of {a.neuron_states} have an activity above p* = {CROSSING:.4f}, where "
        "entropy is below activity"
    )
    for k in range(0, min(len(a.loud), NAMED), 6):
        yield Text("    " + " ".join(a.loud[k : k + 6]))
    if len(a.loud) > NAMED:
        yield Text(f"    and {len(a.loud) - NAMED:,} more; --json and --neurons list them all")
    yield Text("")


def _check_table(report: Report) -> RichTable:
    runs = report.runs
    short = {"conventional": "conven-\ntional", "activation_reset": "activation\n_reset"}
    heads = [f"{short.get(r.policy, r.policy)}\n{r.input}" for r in runs]
    table = plain_table("Circuit checks and identities (largest residual in bits)", "", *heads)
    for k, check in enumerate(runs[0].circuit_checks):
        marks = [run.circuit_checks[k].holds for run in runs]
        table.add_row(check.id, *(Text(MARKS[m], style=STYLES[m]) for m in marks))
    table.add_section()
    for k, identity in enumerate(runs[0].identities):
        cells = []
        for run in runs:
            found = run.identities[k]
            text = _residual(found.residual, found.holds)
            cells.append(Text(text, style=STYLES[found.holds]))
        table.add_row(f"{identity.id} ({identity.symbol})", *cells)
    return table


def _legend(report: Report) -> Iterable[RenderableType]:
    """What each check and identity says, in a line."""
    passed = [c for run in reversed(report.runs) for c in run.circuit_checks if c.holds]
    for name, detail in {check.id: check.detail for check in passed}.items():
        yield Text(f"  {name}: {detail}", style="dim")
    for identity in report.runs[0].identities:
        yield Text(f"  {identity.id}: {identity.statement}", style="dim")
    yield Text("")


def _residual(residual: float | None, holds: bool | None) -> str:
    if residual is None:
        return "-"
    return f"{MARKS[holds]} {'0' if residual == 0 else f'{residual:.0e}'}"


def _failures(report: Report) -> Iterable[RenderableType]:
    for run in report.runs:
        for check in run.circuit_checks:
            if check.holds is False:
                yield Text(f"{run_name(run)}: {check.id} FAILS: {check.detail}", style="red")
        for identity in run.identities:
            if identity.holds is False:
                yield Text(
                    f"{run_name(run)}: {identity.id} FAILS by {identity.residual:.3g} bits",
                    style="red",
                )


def _comparison(report: Report) -> Iterable[RenderableType]:
    activity = report.activity
    if not activity.neuron_states:
        return
    yield Text("Comparison with the paper (arXiv 2503.09980 v1)", style="bold")
    yield Text(
        "  Claim: an inference costs at least k_B T ln 2 per neuron that changes state.\n"
        f"  Reading 1, every neuron is reset: {activity.active_neurons:.4f} active neurons.\n"
        f"  Reading 2, states are overwritten: {activity.changed_neurons:.4f} changed neurons.\n"
        "  Does a quantity reach a reading, and by how much? Either answer is a result.\n"
    )
    table = plain_table("Quantity against reading", "bits", "value", "1: active", "2: changed")
    table.add_row(Text("like with like: one-bit neuron states", style="bold"))
    for quantity in LIKE_WITH_LIKE:
        table.add_row(f"  {quantity}", *_pair(report.runs[0], quantity))
    for title, quantities in (
        ("like with like: states of the device", OF_STATES),
        ("what neurons swapped out", OF_ACTIVATIONS),
    ):
        for run in report.runs:
            if any(c.quantity in quantities for c in run.comparison):
                table.add_row(Text(title, style="bold"))
                table.add_row(f" {run_name(run)}")
                for quantity in quantities:
                    table.add_row(f"  {quantity}", *_pair(run, quantity))
    table.add_row(Text("not like with like: whole circuits", style="bold"))
    for run in report.runs:
        table.add_row(f" {run_name(run)}")
        for quantity in ("per_bit", "per_register", "given_kept"):
            table.add_row(f"  {quantity}", *_pair(run, quantity))
    yield table
    if report.ensemble["ceiling"]:
        yield Text('  "-": not compared, a joint entropy at the log2 N ceiling of the data.')
    yield Text(
        "  Whole circuits include inputs, requantisers, logits and netlists: a yes there\n"
        "  is no evidence for a cost per neuron. reset_count is not compared: any circuit\n"
        "  with one reset per neuron passes.\n"
    )
    like = [c for c in report.runs[0].comparison if c.quantity in LIKE_WITH_LIKE]
    yield Text("So, like with like", style="bold")
    for reading in READINGS:
        yield Text(
            fill(
                in_words(reading, like, activity),
                WIDTH,
                initial_indent="  ",
                subsequent_indent="    ",
            )
        )


def _pair(run: RunReport, quantity: str) -> list[str | Text]:
    found = [c for c in run.comparison if c.quantity == quantity]
    verdicts = [Text(verdict(c), style=STYLES[c.holds]) for c in found]
    return [number(found[0].quantity_bits), *verdicts]


def verdict(c: Comparison) -> str:
    """Whether a quantity reaches a reading, and by how much."""
    if c.margin is None:
        return "-"
    return f"{MARKS[c.holds]} ({'+' if c.margin >= 0 else '-'}{number(abs(c.margin))})"
