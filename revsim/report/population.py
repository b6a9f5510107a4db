"""Claims about a population as text: estimate, limits, verdict; what was refused and why."""

from collections import Counter
from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from revsim.ledger.population import UNRESOLVED, Claim, Population
from revsim.physics.landauer import CROSSING
from revsim.report.tables import number, paragraph, plain_table

VERDICT_STYLES = {"above": "green", "below": "bold red", UNRESOLVED: "dim"}


def population_lines(population: Population | None) -> Iterable[RenderableType]:
    """The section on the population of which the data is a sample; nothing without one."""
    if population is None:
        return
    share = f"{population.confidence:.0%}"
    yield Text("The rows as a sample: claims about their population", style="bold")
    yield paragraph(
        f"{population.rows:,} rows taken as drawn independently; estimator {population.estimator}; "
        f"{share} limits from a row bootstrap ({population.replicates:,} replicates, seed "
        f"{population.seed}). Verdict on quantity - reading, as a pair: above (lower limit > 0), "
        "below (upper limit < 0), not resolved."
    )
    if population.constant_neurons:
        yield paragraph(
            f"{population.constant_neurons} neurons are in one state in every row; the bootstrap "
            "takes them for constant."
        )
    crossing = Counter(neuron.crossing for neuron in population.neurons)
    yield paragraph(
        f"{crossing['above']} neurons have p above p* = {CROSSING:.4f}, {crossing['below']} below, "
        f"{crossing[UNRESOLVED]} not resolved (Wilson limits, neuron by neuron)."
    )
    table = plain_table("", "bits", "estimate", "lower", "upper", "verdict")
    for claim in population.readings:
        table.add_row(claim.quantity, *_figures(claim.estimate, claim.low, claim.high), "")
    table.add_row(Text("like with like: one-bit neuron states", style="bold"))
    _add(table, population.states)
    for policy, choice, claims in population.runs:
        table.add_row(Text(f"{policy}, {choice}", style="bold"))
        _add(table, claims)
    yield table
    notes: dict[str, list[str]] = {}
    for policy, choice, claims in (("", "", population.states), *population.runs):
        for claim in claims:
            if claim.note:
                where = f"{policy}, {choice}: {claim.quantity}" if policy else claim.quantity
                notes.setdefault(claim.note, []).append(where)
    for note, places in notes.items():
        yield paragraph(f"{'; '.join(places)}: {note}.")
    yield Text("")


def _add(table: Table, claims: Iterable[Claim]) -> None:
    for claim in claims:
        verdict = Text("refused" if claim.estimate is None else "", style="yellow")
        figures = _figures(claim.estimate, claim.low, claim.high)
        table.add_row(f"  {claim.quantity}", *figures, verdict)
        for found in claim.differences:
            table.add_row(
                f"    minus {found.reading}",
                *_figures(found.estimate, found.low, found.high),
                Text(found.verdict, style=VERDICT_STYLES[found.verdict]),
            )


def _figures(*values: float | None) -> list[str]:
    return [number(value) for value in values]
