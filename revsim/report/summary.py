"""The head of a report: what ran on what, and the answer in short."""

from collections.abc import Iterable
from math import log2
from textwrap import fill

from rich.console import RenderableType
from rich.text import Text

from revsim.ledger.comparison import LIKE_WITH_LIKE, OF_STATES, READINGS, Comparison
from revsim.ledger.intervals import wilson
from revsim.ledger.streams import compare_stream
from revsim.ledger.verdicts import in_words
from revsim.physics.landauer import energy_j
from revsim.report.beside import heat_text
from revsim.report.report import Report
from revsim.report.tables import FOUR, WIDTH, number, paragraph, run_name

MEANINGS = "every neuron is reset", "states are overwritten", "rows follow each other"
"""What the device does in each reading."""
FEW_ROWS = 256
"""Fewer distinct rows than values of an 8-bit register, so that its entropy is capped too."""


def heading_lines(report: Report) -> Iterable[RenderableType]:
    """The network, how well it does, the ensemble."""
    network, ensemble = report.network, report.ensemble
    yield Text(f"{network['name']}: {network['macs']:,} multiply-accumulates per inference", "bold")
    for layer in network["layers"]:
        yield Text(f"  {layer['name']}: {layer['kind'].replace('+', ' + ')}")
    if report.accuracy is not None:
        yield Text(f"{report.accuracy['share']:.1%} of {report.accuracy['rows']:,} labels right")
        test = report.accuracy.get("held_out")
        if test:
            low, high = wilson(round(test["share"] * test["rows"]), test["rows"])
            yield Text(
                f"{test['share']:.1%} of the {test['rows']:,} held out from training "
                f"(95% interval {float(low):.1%} to {float(high):.1%})"
            )
    yield Text(
        f"ensemble {ensemble['name']}: {ensemble['rows']:,} rows, {ensemble['distinct']:,} distinct"
    )
    ran = report.evaluated
    slower = " in plain NumPy, slower" if ran.executor == "numpy" else ""
    yield Text(fill(f"executor {ran.executor}: {ran}{slower}", WIDTH, subsequent_indent="  "))
    yield Text("")


def summary_lines(report: Report) -> Iterable[RenderableType]:
    """What is erased, the floor, and what becomes of the paper's claim, like with like."""
    yield Text("In short", style="bold")
    yield paragraph(_erased(report))
    floor = report.H_X - report.H_Y
    heat = heat_text(energy_j(max(0.0, floor), report.temperature_k) * 1e21)
    yield paragraph(
        "The least that a device must lose, in bits: if its input is destroyed, H(X given Y) = "
        f"{number(floor)} of H(X) = {number(report.H_X)} ({heat} zJ of heat at "
        f"{report.temperature_k:g} K); if it is kept, 0."
    )
    if report.ensemble["ceiling"]:
        yield paragraph(_ceiling(report), style="yellow")
    yield from _claim(report)
    if report.holds:
        yield paragraph("Every circuit check and every identity that applies holds.")
    else:
        yield paragraph("A circuit check or an identity FAILS: see the end.", style="bold red")
    yield Text(
        "Symbols in brackets, such as (A1) or (T1), are the theory's: see the README.\n",
        style="dim",
    )


def _ceiling(report: Report) -> str:
    """What mostly distinct rows cannot tell, the floor above included."""
    rows = report.ensemble["distinct"]
    words = (
        f"These data are at the log2 N ceiling: no joint entropy of {rows:,} distinct rows exceeds "
        f"{number(log2(rows))}, whatever the network. H, given_kept, pattern_entropy and the least "
        "loss above say nothing beyond these rows, so they are printed and not compared with the "
        "paper."
    )
    if rows < FEW_ROWS:
        words += (
            " So few rows also cap per_register at that for each register, and the share p of "
            f"inputs for which a neuron is on is a multiple of 1/{report.ensemble['rows']:,}."
        )
    return words


def _erased(report: Report) -> str:
    """Bits erased by each definition: of one run, or the span over several."""
    parts = []
    for name in FOUR:
        found = sorted(float(getattr(run.total, name)) for run in report.runs)
        ends = dict.fromkeys((number(found[0]), number(found[-1])))
        parts.append(f"{' to '.join(ends)} by {name}")
    words = f"{', '.join(parts[:-1])}, {parts[-1]}"
    if len(report.runs) == 1:
        return f"One inference ({run_name(report.runs[0])}) erases, in bits: {words}."
    return f"One inference erases, in bits and over {len(report.runs)} circuits: {words}."


def _claim(report: Report) -> Iterable[RenderableType]:
    """The paper's claim by each reading, like with like."""
    if not report.activity.neuron_states:
        yield paragraph("This network has no neurons, so the paper's counts do not apply.")
        return
    yield paragraph(
        "The paper (arXiv 2503.09980 v1) claims at least k_B T ln 2 per neuron that changes state. "
        "Like with like, one-bit states of neurons, in bits:"
    )
    like = [c for c in report.runs[0].comparison if c.quantity in LIKE_WITH_LIKE]
    for run in report.runs:
        like += [c for c in run.comparison if c.quantity in OF_STATES]
    for k, reading in enumerate(READINGS, start=1):
        yield _reading(k, reading, like, report)
    if report.stream is not None:
        compared = compare_stream(report.stream.stream)
        yield _reading(3, compared[0].reading, compared, report)


def _reading(k: int, reading: str, compared: Iterable[Comparison], report: Report) -> Text:
    words = MEANINGS[k - 1]
    return paragraph(
        f"Reading {k}, {words}: {in_words(reading, tuple(compared), report.activity)}."
    )
