"""A benchmark as text of 80 columns, and as JSON."""

from dataclasses import asdict
from textwrap import fill
from typing import Any

from revsim.bench.goals import GOALS, Bench
from revsim.bench.rows import Row, figure, size_in_words
from revsim.report.tables import MARKS, WIDTH

INDENT = "    "
LEGEND = (
    "Medians of runs in turns, on one thread unless said. A gate evaluation is one gate on one "
    "sample. Literal: every gate is evaluated on its own. Equivalent: the rate of a list of gates "
    "with the same result, bit for bit, though gates were not evaluated one by one."
)


class Titles:
    """The title of a goal, before its first row."""

    def __init__(self) -> None:
        self._last = 0

    def before(self, row: Row) -> str:
        """What stands before this row."""
        if row.number == self._last:
            return ""
        self._last = row.number
        return f"\n{row.number}. {GOALS[row.number].title}\n"


def opening() -> str:
    """What the words mean."""
    return fill(LEGEND, WIDTH) + "\n"


def closing(bench: Bench) -> str:
    """The sum of it, and the machine."""
    return f"\n{summary(bench)}\n{machine_lines(bench)}"


def row_lines(row: Row) -> str:
    """One row: name, what was reached, whether it holds, the goal, how it was measured."""
    name = row.id.partition(".")[2].replace("_", " ")
    reached = "-" if row.reached is None else figure(row.reached)
    head = f"  {name:<38}{reached:>14}   {MARKS[row.holds]}"
    peer = f" Against {row.peer}." if row.peer else ""
    paragraphs = (f"Goal: {row.goal}.{peer}", row.detail)
    wrapped = (fill(p, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT) for p in paragraphs)
    return "\n".join([head.rstrip(), *wrapped, ""])


def machine_lines(bench: Bench) -> str:
    """What figures depend on, and a warning where the machine was busy."""
    about = bench.machine
    sizes = ", ".join(f"{level} {size_in_words(size)}" for level, size in about["caches"].items())
    clock = "" if about["clock_ghz"] is None else f", {about['clock_ghz']:.2f} GHz measured"
    memory = (
        "" if about["memory_bytes"] is None else f", memory {size_in_words(about['memory_bytes'])}"
    )
    versions = ", ".join(f"{name} {v}" for name, v in about["versions"].items() if v is not None)
    lines = [
        f"{about['processor']} ({about['architecture']}), {about['cores']} cores{clock}, "
        f"vectors of {about['vector_bits']} bits, caches {sizes or 'not known'}{memory}",
        f"{about['system']}; {versions}; C compiler: {about['compiler'] or 'none'}",
        _load_line(about["load"]),
    ]
    if not bench.quiet:
        lines.append(
            "WARNING: other processes kept the machine busy. These figures are not worth "
            "quoting: close other programs and run again."
        )
    return "".join(fill(line, WIDTH, subsequent_indent="  ") + "\n" for line in lines)


def summary(bench: Bench) -> str:
    """How many goals are reached, and which are not."""
    goals = [row for row in bench.rows if row.holds is not None]
    text = f"{sum(bool(row.holds) for row in goals)} of {len(goals)} goals reached"
    if bench.missed:
        text += f"; missed: {', '.join(row.id for row in bench.missed)}"
    left_out = [row.id for row in bench.rows if row.reached is None]
    if left_out:
        text += f"; not measured here: {', '.join(left_out)}"
    return fill(text + ".", WIDTH, subsequent_indent="  ") + "\n"


def as_dict(bench: Bench) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "machine": bench.machine,
        "rows": [asdict(row) for row in bench.rows],
        "points": [asdict(point) for point in bench.points],
        "quiet": bench.quiet,
    }


def _load_line(load: dict[str, float | None]) -> str:
    text = "load averages not known"
    if load["load_at_start"] is not None:
        text = f"load averages {load['load_at_start']:.2f} at the start, "
        text += f"{load['load_at_end']:.2f} at the end"
    if load["others"] is not None:
        text += f"; other processes used {load['others']:.2f} cores in between"
    return text
