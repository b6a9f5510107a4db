"""The section of a report on a stream: what it costs to overwrite the states that were kept."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from revsim.ledger.identities import TOLERANCE
from revsim.ledger.stream_device import StreamReport, step_residual
from revsim.ledger.streams import Stream, compare_stream
from revsim.physics.landauer import CROSSING
from revsim.report.paper import verdict
from revsim.report.tables import MARKS, STYLES, number, paragraph, plain_table


def stream_section(report: StreamReport) -> Iterable[RenderableType]:
    """The stream in words and tables of 80 columns."""
    stream = report.stream
    yield Text("Stream: states are kept from one row to the next", style="bold")
    yield paragraph(
        f"{stream.pairs:,} pairs of consecutive rows, {stream.distinct:,} distinct; reading 3: "
        f"{number(stream.changed_neurons_stream)} neurons change from one row to the next"
    )
    yield from _stationarity(stream)
    if stream.ceiling:
        yield paragraph(
            "at the log2 N ceiling: what looks at all neurons or at X(t) is printed, not compared",
            style="yellow",
        )
    yield Text("")
    table = plain_table(
        "One step on the device: what it erases (bits)",
        "way to overwrite",
        "resets",
        "ones",
        "per_bit",
        "new value\nknown",
        "all\nkept",
        "T8\nholds",
    )
    table.add_row("", "(A0)", "(A6)", "(A1)", "", "(A3)", "", style="dim")
    for step in report.steps:
        total = step.total
        holds = not step.wrong and step_residual(stream, step) <= TOLERANCE
        figures = (
            total.reset_count,
            total.ones_flipped,
            total.per_bit,
            step.given_next,
            total.given_kept,
        )
        mark = Text(MARKS[holds], style=STYLES[holds])
        table.add_row(step.title, *(number(v) for v in figures), mark)
    yield table
    for step in report.steps:
        if step.wrong:
            yield paragraph(f"{step.title} FAILS: {step.wrong}", style="red")
    yield paragraph(
        "A conditional reset is free where the flag is at hand, but then the flag holds what was "
        "forgotten and must be reset: given its new value it costs as much."
    )
    yield Text("")
    compared = plain_table("To forget s(t-1), against the neurons that change", *HEADS)
    for c in compare_stream(stream):
        compared.add_row(c.quantity, WORDS[c.quantity], number(c.quantity_bits), verdict(c))
    yield compared
    if stream.restless:
        yield paragraph(
            f"{len(stream.restless)} of {len(stream.names)} neurons leave one of their values "
            f"more often than p* = {CROSSING:.4f}: for them the theorem does not promise a bit per "
            "change"
        )
    yield Text("")


HEADS = "bits", "each reset sees", "value", "3: changed in stream"
WORDS = {
    "state_entropy": "nothing",
    "given_next": "its neuron's new value",
    "joint_given_next": "all new values",
    "joint_given_input": "X(t), everything kept",
}


def _stationarity(stream: Stream) -> Iterable[RenderableType]:
    if not stream.drifting:
        yield paragraph("stationary: no neuron's activity differs between the halves beyond chance")
        return
    some = " ".join(stream.drifting[:6]) + (" ..." if len(stream.drifting) > 6 else "")
    yield paragraph(
        f"NOT stationary: {len(stream.drifting)} of {len(stream.names)} neurons differ in activity "
        f"between the halves of the stream ({some}); the figures are averages over a stream that "
        "changes, not a steady cost",
        style="yellow",
    )
