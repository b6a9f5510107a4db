"""A list that a simulator is ready to run, ours or another's, with the bits that it gave."""

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from typing import Any

import numpy as np

from revsim.bench.runs import lanes_of
from revsim.circuit.definition import Definition, Loop
from revsim.simulator.code import compile_code
from revsim.simulator.fused.body import Fused
from revsim.simulator.lanes import Words, planes_of

BUILD_LIMIT_S = 300
"""Longest that a compiler may take."""


def work_s() -> float:
    """Seconds that this process and what it started have computed so far, to a hundredth: what the
    other programs of a busy machine take away does not count."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


class Absent(Exception):
    """A peer is not on this machine; the message says what to install."""


@dataclass(frozen=True, eq=False)
class Ready:
    """A loaded list: `run` does what was asked for once more, on the state that it left.

    peer: with its version. build_s: seconds of work from gate table to here. start, out: uint64
    [wires, words], the state before the first run and after it.
    """

    peer: str
    build_s: float
    run: Callable[[], object]
    start: Words
    out: Words


def ours(definition: Definition, start: Words, passes: int = 1, executor: str = "literal") -> Ready:
    """The definition on one thread, `passes` times in a row in one call.

    Fused, a pass is a run of its own, which loads and stores its wires: what several passes compute
    together is not to be simplified. build_s: to the first result, with compiled kernels at hand.
    """
    if passes > 1 and executor == "fused":
        return _fused(definition, start, passes)
    if passes > 1:
        wires = np.arange(definition.port_wires, dtype=np.int32)
        again = Loop(definition, passes, wires, np.zeros_like(wires))
        definition = Definition(definition.name, definition.ports, 0, (again,))
    state = start.copy()
    run = lanes_of(definition, start.shape[1], executor, state=state)
    started = work_s()
    run()
    return Ready(f"revsim, {executor}", work_s() - started, run, start, state.copy())


def _fused(definition: Definition, start: Words, passes: int) -> Ready:
    from revsim.bench.kernels import run_fused

    state, words = start.copy(), start.shape[1]
    started = work_s()
    body = compile_code(definition, False, "fused").body
    assert isinstance(body, Fused)
    block = body.block_words(words)
    run = partial(
        run_fused, passes, body.narrow if block == 1 else body.wide, state,
        np.arange(definition.port_wires, dtype=np.int32)[None], body.plan.loaded, body.changes,
        body.plan.slots, words, block, planes_of(None, 64 * words, words),
        np.zeros((0, 1), np.int64), np.zeros((0, 1, 3), np.int64), np.zeros(words, np.uint8),
    )  # fmt: skip
    run()
    return Ready("revsim, fused", work_s() - started, run, start, state.copy())


def package(module: str, distribution: str) -> tuple[Any, str]:
    """(module, version) of a Python package, or Absent."""
    try:
        return import_module(module), metadata.version(distribution)
    except ImportError as error:
        raise Absent(f"needs {distribution}: python3 -m pip install {distribution}") from error


def command(arguments: Sequence[str], folder: str, limit_s: float = BUILD_LIMIT_S) -> str:
    """Standard output of a program run in `folder`; it and all that it started end with the limit.

    Raises Absent where it does not exist, fails or takes too long.
    """
    try:
        child = subprocess.Popen(
            arguments, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Absent(f"needs {arguments[0]} on the path") from error
    try:
        output, _ = child.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        raise Absent(f"{arguments[0]} took more than {limit_s:,.0f} s") from error
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    if child.returncode:
        raise Absent(f"{arguments[0]} failed: {output.strip()[-120:]}")
    return output
