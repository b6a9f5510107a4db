"""Times of calls that may differ a thousandfold, taken in turns."""

import statistics
import time
from collections.abc import Callable

BUDGET_S, TURNS, TURN_S = 0.5, 3, 0.002
"""Seconds of one comparison, turns that each side has whatever they take, seconds of a turn."""


def side_by_side(
    *calls: Callable[[], object],
    clock: Callable[[], float] = time.thread_time,
    budget_s: float = BUDGET_S,
) -> list[float]:
    """Median seconds of each call; they take turns.

    What ran before has taken the caches: in its turn a short call is made once untimed, then again
    and again. Only time of this thread on a core counts, since on a busy machine the longer call
    would wait for others and the shorter would not.
    """
    times: list[list[float]] = [[] for _ in calls]
    ends = time.perf_counter() + budget_s
    turns = 0
    while turns < TURNS or time.perf_counter() < ends:
        for seconds, call in zip(times, calls, strict=True):
            if seconds and seconds[-1] < TURN_S:
                call()
            stop = time.perf_counter() + TURN_S
            while True:
                started = clock()
                call()
                seconds.append(clock() - started)
                if time.perf_counter() > stop:
                    break
        turns += 1
    return [statistics.median(seconds) for seconds in times]
