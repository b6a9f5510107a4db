"""What a benchmark yields: rows (a goal and what was reached) and points of the figure.

Times are taken in turns: each turn calls everything that is compared once, so that a machine that
slows down slows all of them down, and the median of the turns is what counts.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BUDGET_S = 1.0
"""Seconds that one comparison may take, as long as each call had its `LEAST` turns."""
UNITS = ("B", "KiB", "MiB", "GiB")
LEAST, MOST = 5, 101
"""Timed turns of one comparison."""


@dataclass(frozen=True)
class Row:
    """One figure. `id` begins with the number of its goal, as in `3.stim_64_wires`.

    goal: in words, with the number; reached: in the unit that the goal names, None where it could
    not be measured here; holds: None then, and where a figure has no goal; peer: what it is a ratio
    to, "" if none; detail: how it was measured, and for a goal that is missed, what bounds it.
    """

    id: str
    goal: str
    reached: float | None
    holds: bool | None
    peer: str
    detail: str

    @property
    def number(self) -> int:
        """The number of the goal that it is about."""
        return int(self.id.partition(".")[0])


@dataclass(frozen=True)
class Point:
    """A rate in the figure: gate evaluations per second on a state of so many bytes.

    Points of one `series` are joined where there are several. equivalent: gates were not evaluated
    one by one; the rate is that of a list of gates with the same result.
    """

    series: str
    state_bytes: int
    rate: float
    equivalent: bool = False
    peer: bool = False


Found = Iterator[Row | Point]


def at_least(id: str, goal: float, of: str, reached: float, detail: str, peer: str = "") -> Row:
    """A row that holds from the goal on; `of` says in words what has to reach it.

    >>> at_least("2.adders", 7e11, "gate evaluations/s", 8e11, "one thread").goal
    'at least 7e+11 gate evaluations/s'
    """
    return Row(id, f"at least {figure(goal)} {of}", reached, reached >= goal, peer, detail)


def at_most(id: str, goal: float, of: str, reached: float, detail: str, peer: str = "") -> Row:
    """A row that holds up to the goal."""
    return Row(id, f"at most {figure(goal)} {of}", reached, reached <= goal, peer, detail)


def known(id: str, of: str, reached: float, detail: str, peer: str = "") -> Row:
    """A figure without a goal."""
    return Row(id, of, reached, None, peer, detail)


def missing(id: str, goal: str, detail: str, peer: str = "") -> Row:
    """A row that cannot be measured here; `detail` says what to install or to give."""
    return Row(id, goal, None, None, peer, detail)


def figure(value: float) -> str:
    """A number in few characters.

    >>> figure(7.04e11), figure(20000), figure(0.9), figure(12.04)
    ('7.04e+11', '20,000', '0.9', '12')
    """
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def size_in_words(size: float) -> str:
    """Bytes in the unit that fits.

    >>> size_in_words(32768), size_in_words(48), size_in_words(1 << 26)
    ('32 KiB', '48 B', '64 MiB')
    """
    power = 0
    while size >= 1024 and power < len(UNITS) - 1:
        size, power = size / 1024, power + 1
    return f"{size:.3g} {UNITS[power]}"


def medians(
    *calls: Callable[[], object], budget_s: float = BUDGET_S, least: int = LEAST, most: int = MOST
) -> list[float]:
    """Median seconds of each call; they take turns, after one turn that is not timed.

    There are as many turns as fit `budget_s`, an odd number from `least` to `most`. A call in
    which the system gave this thread's core to another process is left out, as long as `least`
    calls are left.
    """
    for call in calls:
        call()
    times: list[list[float]] = [[] for _ in calls]
    undisturbed: list[list[float]] = [[] for _ in calls]
    ends = time.perf_counter() + budget_s
    turns = 0
    while turns < least or turns % 2 == 0 or (turns < most and time.perf_counter() < ends):
        for all_of, quiet, call in zip(times, undisturbed, calls, strict=True):
            switches = _switches()
            started = time.perf_counter()
            call()
            seconds = time.perf_counter() - started
            all_of.append(seconds)
            if _switches() == switches:
                quiet.append(seconds)
        turns += 1
    return [
        statistics.median(quiet if len(quiet) >= least else all_of)
        for all_of, quiet in zip(times, undisturbed, strict=True)
    ]


def _switches() -> int:
    """How often the system took the core away from this thread; 0 where it does not tell."""
    if sys.platform != "linux":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw
