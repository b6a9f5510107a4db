"""The numbered goals, and one run through those that are asked for."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from revsim.bench.machine import Load, is_quiet, machine
from revsim.bench.roofline import roofline
from revsim.bench.rows import Point, Row
from revsim.errors import InputError


@dataclass(frozen=True)
class Goal:
    """One numbered goal: its title, and the function of `revsim.bench` that yields its rows."""

    title: str
    module: str
    function: str


GOALS = {
    1: Goal("literal kernel against an interpreter in C", "literal", "interpreted"),
    2: Goal("literal adders", "literal", "adders"),
    3: Goal("NOT/CNOT lists beside Stim", "peers.rows", "stim"),
    4: Goal("structured lists beside Verilator", "peers.rows", "verilator"),
    5: Goal("structured lists beside a C compiler", "peers.rows", "gcc"),
    6: Goal("other simulators of circuits, and NumPy rows", "peers.rows", "others"),
    7: Goal("fused executor against the literal one", "fusing", "fused_over_literal"),
    8: Goal("tallies", "tallying", "erased_bits"),
    9: Goal("whole networks", "networks", "whole_networks"),
    10: Goal("from definitions to programs", "building", "built"),
    11: Goal("threads and start", "starting", "threads_and_start"),
    12: Goal("cost grows linearly", "scaling", "doublings"),
}


@dataclass(frozen=True)
class Asked:
    """What the user gave: a folder of model files, or None."""

    models: Path | None = None

    def __post_init__(self) -> None:
        if self.models is not None and not self.models.is_dir():
            raise InputError(f"--models {self.models}: there is no such folder")


@dataclass(frozen=True)
class Bench:
    """The outcome of a run: the machine and its load, rows in order, points of the figure."""

    machine: dict[str, Any]
    rows: tuple[Row, ...]
    points: tuple[Point, ...]

    @property
    def quiet(self) -> bool:
        """Whether nothing else kept the machine busy."""
        return is_quiet(self.machine["load"])

    @property
    def missed(self) -> tuple[Row, ...]:
        """Rows whose goal is not reached."""
        return tuple(row for row in self.rows if row.holds is False)


def numbers_of(only: str | None) -> tuple[int, ...]:
    """The numbers of a list such as "1,3", all of them for None.

    >>> numbers_of("12,2")
    (12, 2)
    """
    if only is None:
        return tuple(GOALS)
    numbers = tuple(dict.fromkeys(_number(part) for part in only.split(",")))
    return numbers


def _number(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and int(text) in GOALS):
        raise InputError(
            f"--only {text[:20] or repr(text)}: there is no such row; those there are: "
            f"{', '.join(map(str, GOALS))}"
        )
    return int(text)


def run_goals(
    numbers: Iterable[int],
    asked: Asked,
    waiting: Callable[[Goal], AbstractContextManager[object]] = nullcontext,
    found: Callable[[Row], object] = lambda row: None,
) -> Bench:
    """Measure the goals of these numbers, in `waiting` while figures are taken; `found` is told of
    each row at once."""
    load = Load()
    rows, points = [], []
    for number in numbers:
        goal = GOALS[number]
        items = getattr(import_module(f"revsim.bench.{goal.module}"), goal.function)(asked)
        while True:
            with waiting(goal):
                item = next(items, None)
            if item is None:
                break
            if isinstance(item, Row):
                rows.append(item)
                found(item)
            else:
                points.append(item)
    kernels = roofline()
    about = machine()
    about["clock_ghz"] = None if kernels is None else round(kernels.clock_ghz(), 2)
    about["compiler"] = None if kernels is None else kernels.compiler
    about["load"] = load.ended()
    return Bench(about, tuple(rows), tuple(points))
