"""What every experiment has: a hypothesis, a measurement, an outcome, and how it could have failed.

An experiment holds no mechanism: it calls the product, puts numbers into tables and says in one
sentence what came out, whichever way. It is deterministic: same version, same numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from revsim.report.report import Table


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came out.

    `holds`: whether the hypothesis, as stated, does (None: it is no yes-or-no question);
    `sentence`: the outcome with its figures, for a reader who reads nothing else; `numbers`:
    headline figures by name, units in the name where they are no bits; `tables` by title;
    `series`: what only the figure needs, as plain lists.
    """

    holds: bool | None
    sentence: str
    numbers: Mapping[str, float]
    tables: Mapping[str, Table]
    series: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Experiment:
    """One experiment. `run()` measures; `draw(outcome, figure)` fills a matplotlib figure.

    `measurement` says what is measured on what; `failure` how it could have come out otherwise;
    `source` where the hypothesis comes from.
    """

    number: int
    name: str
    title: str
    hypothesis: str
    measurement: str
    failure: str
    source: str
    run: Callable[[], Outcome]
    draw: Callable[[Outcome, Any], None]
    size: tuple[float, float] = (9.0, 5.0)
    """Width and height of the figure in inches."""


def figure_of(experiment: Experiment, outcome: Outcome) -> Any:
    """The experiment's figure, titled; a matplotlib Figure of its own, no global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=experiment.size, layout="constrained")
    experiment.draw(outcome, figure)
    figure.suptitle(experiment.title, fontweight="bold")
    return figure


def as_dict(experiment: Experiment, outcome: Outcome) -> dict[str, Any]:
    """Plain values, in the layout of `revsim experiment NAME --json`."""
    return {
        "schema": "revsim experiment 1",
        "number": experiment.number,
        "name": experiment.name,
        "title": experiment.title,
        "hypothesis": experiment.hypothesis,
        "measurement": experiment.measurement,
        "failure": experiment.failure,
        "source": experiment.source,
        "holds": outcome.holds,
        "sentence": outcome.sentence,
        "numbers": dict(outcome.numbers),
        "tables": {
            title: {"columns": list(table.columns), "rows": [list(row) for row in table.rows]}
            for title, table in outcome.tables.items()
        },
        "series": dict(outcome.series),
    }
