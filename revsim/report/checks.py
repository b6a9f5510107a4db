"""Circuit checks and identities, each with what it says, over all runs of a report."""

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.text import Text

from revsim.report.report import Check, Report
from revsim.report.tables import MARKS, STYLES, paragraph, plain_table, run_name


def check_lines(report: Report) -> Iterable[RenderableType]:
    """A table of what applies to at least one run, the rest in a sentence, failures by run."""
    runs = report.runs
    table = plain_table("Circuit checks and identities (with the largest residual, bits)", left=0)
    for _ in range(3):
        table.add_column("", overflow="fold")
    table.show_header = False
    left_out = []
    for k, check in enumerate(runs[0].circuit_checks):
        of_runs = [run.circuit_checks[k] for run in runs]
        holds = _together([found.holds for found in of_runs])
        if holds is None:
            left_out.append(check.id)
        else:
            mark = Text(MARKS[holds], style=STYLES[holds])
            table.add_row(check.id, mark, _said(of_runs) + _share([c.holds for c in of_runs]))
    table.add_section()
    for k, identity in enumerate(runs[0].identities):
        found = [run.identities[k] for run in runs]
        holds = _together([i.holds for i in found])
        name = identity.id + (f" ({identity.symbol})" if identity.symbol != "-" else "")
        if holds is None:
            left_out.append(name)
        else:
            worst = max(i.residual for i in found if i.residual is not None)
            mark = Text(f"{MARKS[holds]} {_residual(worst)}", style=STYLES[holds])
            table.add_row(name, mark, identity.statement + _share([i.holds for i in found]))
    yield table
    yield paragraph(
        "directed inputs: the extremes of each neuron and of each input, where rows hardly go",
        style="dim",
    )
    if left_out:
        yield paragraph(f"do not apply here: {', '.join(left_out)}", style="dim")
    yield from _failures(report)


def _together(holds: Sequence[bool | None]) -> bool | None:
    """False where one is, True where one is and none is False, None where none applies."""
    return False if False in holds else True if True in holds else None


def _said(checks: Sequence[Check]) -> str:
    """What the check found: a failure first."""
    return next(c.detail for holds in (False, True) for c in checks if c.holds is holds)


def _share(holds: Sequence[bool | None]) -> str:
    """To how many runs it applies, where not to all."""
    applies = sum(h is not None for h in holds)
    return "" if applies == len(holds) else f" (applies to {applies} of {len(holds)} circuits)"


def _residual(residual: float) -> str:
    return "0" if residual == 0 else f"{residual:.0e}"


def _failures(report: Report) -> Iterable[RenderableType]:
    for run in report.runs:
        for check in run.circuit_checks:
            if check.holds is False:
                yield paragraph(f"{run_name(run)}: {check.id} FAILS: {check.detail}", style="red")
        for identity in run.identities:
            if identity.holds is False:
                yield paragraph(
                    f"{run_name(run)}: {identity.id} FAILS by {identity.residual:.3g} bits",
                    style="red",
                )
