"""One list, two simulators in turns, the same bits: a row and a point of the figure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar

import numpy as np

from revsim.bench.peers.bounds import bound
from revsim.bench.peers.ready import Absent, Ready, ours
from revsim.bench.peers.turns import side_by_side
from revsim.bench.rows import Found, Point, Row, at_least, known, missing
from revsim.circuit.definition import Definition, Table
from revsim.circuit.program import LEAF_GATES, flatten, gates_below
from revsim.errors import CheckError

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """What is compared: a list on so many lanes, in one call of `passes` passes over it.

    goal: how many times the peer's rate is promised, None where nothing is. equivalent: the peer
    simplifies across gates. note: what else is to be known.
    """

    id: str
    goal: float | None
    peer: str
    definition: Definition
    lanes: int
    passes: int = 1
    executor: str = "literal"
    equivalent: bool = False
    note: str = ""

    @property
    def words(self) -> int:
        """Words a wire."""
        return -(-self.lanes // 64)

    @property
    def evaluated(self) -> int:
        """Gate evaluations of one call."""
        return gates_below(self.definition) * self.lanes * self.passes

    def row(self, reached: float, detail: str, peer: str) -> Row:
        """The row with what was reached."""
        of = f"times the rate of {self.peer}"
        if self.goal is None:
            return known(self.id, f"{of} (no goal)", reached, detail, peer)
        return at_least(self.id, self.goal, of, reached, detail, peer)

    def missing(self, why: Absent) -> Row:
        """The row where there is no such peer."""
        goal = "no goal" if self.goal is None else f"at least {self.goal:,g}"
        return missing(self.id, f"{goal} times the rate of {self.peer}", f"{why}.", self.peer)


def attempt(make: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | Absent:
    """What a peer makes of the arguments, or why it does not: whatever its code raises."""
    try:
        return make(*arguments, **named)
    except Absent as why:
        return why
    except Exception as error:
        return Absent(f"it failed with {type(error).__name__}: {str(error)[:100]}")


def table_of(definition: Definition) -> Table:
    """All gates in one table."""
    return flatten(definition).table


def passes_of(definition: Definition) -> int:
    """Passes in one call of a quarter of a million gates, an even number unless it is one: what a
    call costs in itself is then small on both sides."""
    return max(1, LEAF_GATES // gates_below(definition) // 2 * 2)


def against(case: Case, theirs: Ready | Absent, mine: Ready | None = None) -> Found:
    """The row and the point of one comparison; bits that differ are a CheckError."""
    if isinstance(theirs, Absent):
        yield case.missing(theirs)
        return
    if mine is None:
        mine = ours(case.definition, theirs.start, case.passes, case.executor)
    if not np.array_equal(mine.out, theirs.out):
        raise CheckError(f"{theirs.peer} and revsim disagree about {case.definition.name}")
    own, other = side_by_side(mine.run, theirs.run)
    detail = described(case, own, other, theirs.build_s) + "; same bits out"
    row = case.row(other / own, detail, theirs.peer)
    if row.holds is False and case.lanes > 1:
        why = bound(
            case.definition, case.executor, case.words, own / case.passes, other / case.passes
        )
        row = replace(row, detail=detail + why)
    yield row
    yield point(case, other, theirs.peer)


def described(case: Case, own: float, other: float, build_s: float = 0.0) -> str:
    """Both rates, and what of."""
    definition = case.definition
    lanes = "one sample" if case.lanes == 1 else f"{case.lanes:,} lanes"
    text = f"{definition.name} on {definition.port_wires:,} wires, {lanes}"
    if case.passes > 1:
        text += f", {case.passes} passes a call"
    text += f": {case.executor} {case.evaluated / own:.2e} gate evaluations/s"
    text += " (equivalent)" if case.executor == "fused" else ""
    text += f" against {case.evaluated / other:.2e}"
    text += " (equivalent)" if case.equivalent else ""
    if build_s > 0.1:
        text += f"; {build_s:.1f} s to make it ready there"
    return text + (f"; {case.note}" if case.note else "")


def point(case: Case, seconds: float, peer: str) -> Point:
    """The peer in the figure."""
    size = case.definition.port_wires * case.words * 8
    return Point(peer, size, case.evaluated / seconds, case.equivalent, peer=True)
