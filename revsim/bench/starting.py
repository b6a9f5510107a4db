"""Threads, and how soon a new process has its first result."""

import os
import subprocess
import sys
import tempfile
import time
from statistics import median

from revsim.bench.goals import Asked
from revsim.bench.lists import adder_chain, random_list
from revsim.bench.rows import Found, at_least, at_most, medians, missing
from revsim.bench.runs import lanes_of
from revsim.circuit.definition import Definition
from revsim.circuit.program import gates_below
from revsim.errors import CheckError
from revsim.simulator.executors import EXECUTORS

THREADED_LANES = 131_072
WARM_RUNS = 5
FIRST_RESULT = """\
import numpy as np
from revsim.bench.lists import adder_chain
from revsim.simulator.apply import apply
print(apply(adder_chain(10_000), {"r0": np.arange(4096)}, executor="literal")["r1"].sum())
"""
"""A program that makes 10,028 gates, runs them on 4,096 samples and prints of them."""


def threads_and_start(asked: Asked) -> Found:
    """Goal 11: two threads against one, and the whole time of a process."""
    yield from _threads("literal", "L2", random_list(1024, 100_000))
    yield from _threads("literal", "L1", adder_chain(100_000, width=4))
    if "fused" in EXECUTORS:
        yield from _threads("fused", "L1", adder_chain(100_000, width=4))
    warm = []
    process_seconds()  # fills the cache of kernels where it is empty
    for _ in range(WARM_RUNS):
        warm.append(process_seconds())
    seconds, busy = (median(values) for values in zip(*warm, strict=True))
    bare, _ = process_seconds("pass")
    what = (
        f"s from the start of Python to the first result: 10,028 gates built and run on 4,096 "
        f"samples; processor {busy:.2f} s, Python alone {bare:.2f} s"
    )
    yield at_most("11.start_warm", 1.0, "s", seconds, f"{what}; kernels cached on disk")
    with tempfile.TemporaryDirectory() as folder:
        cold, _ = process_seconds(NUMBA_CACHE_DIR=folder)
    yield at_most("11.start_cold", 3.0, "s", cold, f"{what}; with no compiled kernels at all")


def _threads(executor: str, level: str, definition: Definition) -> Found:
    name, of = f"11.threads_{executor}_{level}", "times the rate of one thread on two"
    if (os.cpu_count() or 1) < 2:
        yield missing(name, f"at least 1.8 {of}", "needs two cores")
        return
    words = THREADED_LANES // 64
    # Not in turns: a thread that has slept through a turn of one may wake on the core of the other.
    one, two = (medians(lanes_of(definition, words, executor, threads))[0] for threads in (1, 2))
    gates = gates_below(definition)
    yield at_least(
        name, 1.8, of, one / two,
        f"{gates:,} gates on {definition.port_wires:,} wires, {THREADED_LANES:,} lanes: "
        f"{gates * THREADED_LANES / two:.2e} gate evaluations/s on two threads"
        f"{' (equivalent)' if executor == 'fused' else ''}",
    )  # fmt: skip


def process_seconds(program: str = FIRST_RESULT, **environment: str) -> tuple[float, float]:
    """Seconds of a whole Python process, and those that it kept a core busy."""
    before = os.times()
    started = time.perf_counter()
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise CheckError(f"a process of its own fails: {done.stderr.strip()[-200:]}")
    after = os.times()
    busy = after.children_user - before.children_user + after.children_system
    return seconds, busy - before.children_system
