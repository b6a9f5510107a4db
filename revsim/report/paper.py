"""The paper's neurons and its claim: which ledger meets which reading, by how much, and who not."""

from collections.abc import Iterable
from textwrap import wrap

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from revsim.ledger.comparison import LIKE_WITH_LIKE, OF_ACTIVATIONS, OF_STATES, Comparison
from revsim.ledger.verdicts import signed
from revsim.report.report import Report, RunReport
from revsim.report.tables import MARKS, STYLES, WIDTH, number, paragraph, plain_table, run_name

NAMED = 24
"""Most neurons that are named in the text."""
WHOLE = ("per_bit", "per_register", "given_kept")
SHOWN = (*LIKE_WITH_LIKE, *OF_STATES, *OF_ACTIVATIONS, *WHOLE)


def neuron_lines(report: Report) -> Iterable[RenderableType]:
    """The paper's counts beside their entropies; each condition with the neurons that break it."""
    a = report.activity
    if not a.neuron_states:
        return
    yield Text("Neurons, per inference", style="bold")
    yield paragraph(
        f"{a.neuron_states:,} neurons; active {number(a.active_neurons)} (B_R, sum of p), "
        f"changed {number(a.changed_neurons)} (B_S, sum of 2p(1-p))"
    )
    yield paragraph(
        f"neuron_entropy {number(a.neuron_entropy)} bits (sum of h2(p)), "
        f"pattern_entropy {number(a.pattern_entropy)} bits (joint)"
    )
    for condition in report.conditions:
        broken = len(condition.breaks)
        found = f"broken by {broken:,} of {a.neuron_states:,}" if broken else "holds"
        yield paragraph(f"Condition of reading 1: {condition.statement}; {found}")
        if broken:
            names = " ".join(condition.breaks[:NAMED])
            for line in wrap(names, WIDTH - 6, break_on_hyphens=False):
                yield Text(f"      {line}")
        if broken > NAMED:
            yield Text(f"      and {broken - NAMED:,} more; --json and --neurons list them all")
    yield Text("")


def comparison_lines(report: Report) -> Iterable[RenderableType]:
    """Every quantity against both readings, like with like first."""
    activity = report.activity
    if not activity.neuron_states:
        return
    table = plain_table(
        "Quantity against reading: is it reached, by how much (bits)",
        "",
        "value",
        "1: active",
        "2: changed",
    )
    counts = activity.active_neurons, activity.changed_neurons
    table.add_row("the reading", "", *map(number, counts), style="dim")
    table.add_row(Text("like with like: one-bit neuron states", style="bold"))
    for quantity in LIKE_WITH_LIKE:
        table.add_row(f"  {quantity}", *_pair(report.runs[0], quantity))
    for run in report.runs:
        if any(c.quantity in OF_STATES for c in run.comparison):
            table.add_row(Text("like with like: states of the device", style="bold"))
            _add(table, run, OF_STATES)
    for run in report.runs:
        if any(c.quantity in OF_ACTIVATIONS for c in run.comparison):
            wide = _widest(report, run)
            words = f"not like with like: what neurons\nswapped out, up to {wide} bits each"
            table.add_row(Text(words, style="bold"))
            _add(table, run, OF_ACTIVATIONS)
    table.add_row(Text("not like with like: whole circuits", style="bold"))
    for run in report.runs:
        _add(table, run, WHOLE)
    yield table
    if any(c.holds is None for run in report.runs for c in run.comparison if c.quantity in SHOWN):
        yield paragraph('"-": not compared, a joint entropy of data at their log2 N ceiling.')
    yield paragraph(
        "A yes that is not like with like is no evidence for a cost per neuron: registers are "
        "wider than the one-bit states that the paper counts, and whole circuits include inputs, "
        "requantisers, logits and netlists. reset_count is not compared: any circuit with one "
        "reset per neuron passes."
    )
    yield Text("")


def _add(table: Table, run: RunReport, quantities: Iterable[str]) -> None:
    table.add_row(f" {run_name(run)}")
    for quantity in quantities:
        table.add_row(f"  {quantity}", *_pair(run, quantity))


def _widest(report: Report, run: RunReport) -> int:
    """Bits of the widest register that neurons swapped out."""
    columns = report.erasures.columns
    named = (dict(zip(columns, row, strict=True)) for row in report.erasures.rows)
    about = run.policy, run.input, "activation"
    return max(
        int(r["reset_count"]) // int(r.get("registers", 1))
        for r in named
        if (r["policy"], r["input"], r["cause"]) == about
    )


def _pair(run: RunReport, quantity: str) -> list[str | Text]:
    found = [c for c in run.comparison if c.quantity == quantity]
    verdicts = [Text(verdict(c), style=STYLES[c.holds]) for c in found]
    return [number(found[0].quantity_bits), *verdicts]


def verdict(c: Comparison) -> str:
    """Whether a quantity reaches a reading, and by how much."""
    return "-" if c.margin is None else f"{MARKS[c.holds]} ({signed(c.margin)})"
