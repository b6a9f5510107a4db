"""Threads that stay from call to call, and lists of tasks that they share."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Lock
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@lru_cache(maxsize=4)
def pool(threads: int) -> ThreadPoolExecutor:
    """Threads that stay for the next call: starting them takes as long as a million gates."""
    return ThreadPoolExecutor(threads, "revsim")


if hasattr(os, "register_at_fork"):  # a forked process has the pool but not its threads
    os.register_at_fork(after_in_child=pool.cache_clear)


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> list[Result]:
    """Results of `function` on each item, in order; each thread takes the next item when free."""
    listed = list(items)
    results: list[Result | None] = [None] * len(listed)
    numbers = iter(range(len(listed)))
    lock = Lock()

    def drain() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            results[number] = function(listed[number])

    others = min(threads, len(listed)) - 1
    waiting = [pool(threads - 1).submit(drain) for _ in range(others)]
    drain()
    for other in waiting:
        other.result()
    return results  # type: ignore[return-value]
