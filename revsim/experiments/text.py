"""An experiment and its outcome as text of 80 columns."""

import io
from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from revsim.experiments.experiment import Experiment, Outcome
from revsim.report.tables import MARKS, STYLES, WIDTH, number, plain_table


def render(experiment: Experiment, outcome: Outcome, color: bool = False) -> str:
    """Hypothesis, measurement, tables, outcome, and how it could have failed."""
    console = Console(width=WIDTH, record=True, file=io.StringIO(), force_terminal=color)
    console.print(Group(*_parts(experiment, outcome)))
    return console.export_text(styles=color)


def render_list(experiments: Sequence[Experiment]) -> str:
    """One line an experiment."""
    return "".join(f"{e.number:3d}  {e.name:<18}{e.title}\n" for e in experiments)


def render_outcome(experiment: Experiment, outcome: Outcome) -> str:
    """Number, name, whether the hypothesis holds, and the outcome in its sentence."""
    head = f"{experiment.number}. {experiment.name} (holds: {MARKS[outcome.holds]})"
    return (
        f"{head}\n{fill(outcome.sentence, WIDTH, initial_indent='   ', subsequent_indent='   ')}\n"
    )


def _parts(experiment: Experiment, outcome: Outcome) -> Iterable[RenderableType]:
    yield Text(f"{experiment.number}. {experiment.title}\n", style="bold")
    yield _paragraph("Hypothesis", experiment.hypothesis)
    yield _paragraph("Measured", experiment.measurement)
    for title, found in outcome.tables.items():
        table = plain_table(title, *found.columns)
        for row in found.rows:
            table.add_row(*(_cell(value) for value in row))
        yield table
    yield Text(f"Hypothesis holds: {MARKS[outcome.holds]}", style=STYLES[outcome.holds])
    yield _paragraph("Outcome", outcome.sentence)
    yield _paragraph("Could have failed", experiment.failure)
    yield _paragraph("Source", experiment.source)


def _paragraph(head: str, text: str) -> Text:
    return Text(fill(f"{head}: {text}", WIDTH, subsequent_indent="  ") + "\n")


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return MARKS[value]
    return value if isinstance(value, str) else number(value)
