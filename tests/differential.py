"""One harness for every way to run a circuit: executor, threads, words per block.

The plain NumPy executor judges. `same_everywhere` compares whole runs of circuits, `disagreements`
one definition at many positions, lane by lane, also where promises are broken.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise, product
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from revsim.circuit.banks import TensorCircuit
from revsim.circuit.definition import Circuit, Definition, Gates
from revsim.circuit.gates import ROLE, C
from revsim.circuit.program import flatten
from revsim.circuit.registers import Wires
from revsim.proof.mutants import gate_text
from revsim.simulator import plain
from revsim.simulator.code import Code, compile_code, find_restored, run_lanes
from revsim.simulator.counters import PositionCounters
from revsim.simulator.ensemble import Ensemble
from revsim.simulator.fused.body import VECTOR, Fused
from revsim.simulator.lanes import Words, planes_of
from revsim.simulator.literal import body as literal
from revsim.simulator.literal.layout import BLOCKS
from revsim.simulator.run import Run, simulate
from revsim.simulator.tally import Tally

EXECUTORS = ("literal", "fused")
"""The compiled ones."""


class Way(NamedTuple):
    """How to run something; words per block as the executor chooses, or forced."""

    executor: str = "literal"
    threads: int = 1
    block: int | None = None


WAYS = tuple(
    Way(executor, threads, block)
    for executor, threads, block in product(EXECUTORS, (1, 2), (None, *BLOCKS))
    if executor == "literal" or block is None or block <= VECTOR
)
"""Every executor, one thread and two, any block."""
JUDGE = Way("numpy")


def few_ways(seed: int, executors: Container[str] = EXECUTORS, count: int = 3) -> tuple[Way, ...]:
    """For each executor what it chooses by itself, and some of the others, by turns."""
    own = [way for way in WAYS if way[1:] == (1, None) and way.executor in executors]
    rest = [way for way in WAYS if way not in own and way.executor in executors]
    return *own, *(rest[(seed * count + k) % len(rest)] for k in range(count))


@contextmanager
def forced(way: Way) -> Iterator[None]:
    """Blocks are as wide as this way wants them."""
    if way.block is None:
        yield
        return
    width = way.block
    with (
        patch.object(literal, "block_words", lambda *_: width),
        patch.object(Fused, "block_words", lambda body, words: min(width, VECTOR)),
    ):
        yield


# --- whole runs -----------------------------------------------------------------------------------


def comparable(value: object) -> object:
    """Arrays, tuples and dataclasses of a tally as something that == compares."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return tuple(comparable(v) for v in value)
    if hasattr(value, "__dataclass_fields__"):
        return tuple(comparable(getattr(value, name)) for name in value.__dataclass_fields__)
    return value


def counted(tally: Tally) -> dict[str, object]:
    """All that a tally counts, by name, in a form that can be compared: gates evaluated are those
    one by one and those in whole sub-circuits."""
    names = set(Tally.__dataclass_fields__) - {"seconds", "gate_evaluations", "equivalent_gates"}
    found = {name: comparable(getattr(tally, name)) for name in sorted(names)}
    return {**found, "gates run": tally.gate_evaluations + tally.equivalent_gates}


def same(first: Run, second: Run) -> None:
    """Two runs gave the same bits and the same counts."""
    np.testing.assert_array_equal(first.outputs, second.outputs)
    mine, other = counted(first.tally), counted(second.tally)
    for name, value in mine.items():
        assert value == other[name], name


def run(circuit: Circuit | TensorCircuit, ensemble: Ensemble, way: Way, **options: Any) -> Run:
    """A run of a circuit in one way."""
    with forced(way):
        return simulate(circuit, ensemble, executor=way.executor, threads=way.threads, **options)


def marked(
    circuit: Circuit | TensorCircuit, ensemble: Ensemble, way: Way, **options: Any
) -> tuple[Run, list[object]]:
    """The same with every tensor that can be read on the way."""
    seen: list[object] = []

    def see(name: str, place: object, values: np.ndarray) -> None:
        seen.append((name, comparable(place), values.tolist()))

    return run(circuit, ensemble, way, on_mark=see, **options), seen


def same_everywhere(
    circuit: Circuit | TensorCircuit,
    ensemble: Ensemble,
    ways: Sequence[Way] = WAYS,
    judge: Way = JUDGE,
    **options: Any,
) -> Run:
    """Bits, counts and tensors read of one run in all these ways; returns that of the judge."""
    truth, seen = marked(circuit, ensemble, judge, **options)
    for way in ways:
        found, read = marked(circuit, ensemble, way, **options)
        same(truth, found)
        assert read == seen, way
        same(truth, run(circuit, ensemble, way, **options))  # where nobody reads
    return truth


# --- one definition, lane by lane -----------------------------------------------------------------


@dataclass
class Judge(PositionCounters):
    """Counters that also note on which lanes a promise is broken, whether the lane counts or not:
    of a wire released (`dirty`) or of a role (`broken`), uint64 [positions * words]."""

    dirty: Words = field(init=False)
    broken: Words = field(init=False)

    def __post_init__(self) -> None:
        self.dirty, self.broken = np.zeros((2, self.planes.shape[1]), dtype=np.uint64)

    def must_be_zero(self, wire: Words, check: str, definition: str, name: str) -> None:
        noted = self.dirty if check == "ancillas" else self.broken
        noted |= wire


@dataclass(frozen=True, eq=False)
class Case:
    """A definition at some positions: `wires` int32 [positions, ports] of `state` uint64 [device
    wires, words], weights of rows as `planes` uint64 [planes, words]."""

    definition: Definition
    inverse: bool
    state: Words
    wires: Wires
    planes: Words

    def lanes(self) -> Words:
        """What the ports hold: uint64 [ports, positions * words]."""
        held = np.swapaxes(self.state[self.wires], 0, 1)
        ports, positions, words = held.shape  # of a block of width 0 there may be no port
        return np.ascontiguousarray(held).reshape(ports, positions * words)


def written(definition: Definition) -> Wires:
    """Ports that some gate writes."""
    flat = flatten(definition)
    found = np.unique(flat.table[:, 2 : C + 1])  # the other wire of a swap stands in column B
    return found[(found >= 0) & (found < definition.port_wires)].astype(np.int32)


def random_case(
    definition: Definition, random: np.random.Generator, rows: int, positions: int
) -> Case:
    """The definition at positions that share wires which it only reads, in no order; wires that
    hold 1 on half of the rows, on few, on nearly all or on none; rows with weights or without."""
    ports, words = definition.port_wires, -(-rows // 64)
    width = ports * positions + 3
    own = random.permutation(width).astype(np.int32)
    wires = own[: ports * positions].reshape(positions, ports)
    shared = np.setdiff1d(np.arange(ports), written(definition))
    if random.integers(2):
        wires[:, shared] = wires[0, shared]
    state = random.integers(0, 1 << 64, (width, words), dtype=np.uint64)
    for wire in range(width):
        for _ in range(int(random.choice([0, 0, 0, 0, 1, 2, 6]))):
            state[wire] &= random.integers(0, 1 << 64, words, dtype=np.uint64)
    upside = random.integers(0, 4, width) == 0
    state[upside] = ~state[upside]
    zero = np.repeat([p.zero_in for p in definition.ports], [p.width for p in definition.ports])
    if random.integers(4):
        state[wires[:, zero]] = 0
    weights = None
    if random.integers(2):
        weights = random.integers(0, (4, 1 << 40)[int(random.integers(2))], rows)
    inverse = not definition.erases and bool(random.integers(2))
    return Case(definition, inverse, state, wires, planes_of(weights, rows, words))


@dataclass(frozen=True, eq=False)
class Truth:
    """What plain NumPy makes of a case: lanes `before` and `after` (uint64 [ports, lanes]), those
    on which a released wire is `dirty` or a role is `broken` (uint64 [lanes]), and the counts of
    `planes`, which leave out rows that are dirty at any position."""

    case: Case
    before: Words
    after: Words
    dirty: Words
    broken: Words
    planes: Words
    ones: np.ndarray
    joint: np.ndarray


def judged(case: Case) -> Truth:
    """Run a case in plain NumPy."""
    positions, words = len(case.wires), case.state.shape[1]
    before = case.lanes()
    after = before.copy()
    every = np.arange(len(before), dtype=np.int32)
    judge = Judge(np.tile(case.planes, positions), words=words)
    plain.run(case.definition, after, every, judge, case.inverse)
    planes = case.planes & ~np.bitwise_or.reduce(judge.dirty.reshape(positions, words), axis=0)
    clean = Judge(np.tile(planes, positions), words=words)
    plain.run(case.definition, before.copy(), every, clean, case.inverse)
    ones = np.array(clean.ones_at, np.int64).reshape(-1, positions)
    joint = np.array(clean.joint_at, np.int64).reshape(-1, positions, 3)
    return Truth(case, before, after, judge.dirty, judge.broken, planes, ones, joint)


def differences(truth: Truth, code: Code, way: Way) -> Iterator[str]:
    """What code gets wrong: lanes whose bits differ, counts, broken promises that are not noted.

    A wire that is released while it holds 1 spoils its lane: what stands there afterwards is
    nobody's promise, only that it is noted. So lanes are counted once without the spoiled ones,
    where all must be equal, and once with them.
    """
    case, dirty, restored = truth.case, truth.dirty, code.restored
    lanes, ones, joint, noted = lanes_in(code, case, truth.planes, way)
    expected = truth.after.copy()
    expected[restored] = truth.before[restored]
    wrong = ((lanes ^ expected) & ~dirty).any(axis=1)
    if wrong.any():
        ports = [case.definition.name_of(p) for p in np.flatnonzero(wrong).tolist()]
        yield f"{way}: bits of {', '.join(ports)}"
    if not np.array_equal(ones, truth.ones):
        yield f"{way}: ones {ones.tolist()} for {truth.ones.tolist()}"
    if not np.array_equal(joint, truth.joint):
        yield f"{way}: joint counts"

    def counting(lanes: Words, planes: Words) -> npt.NDArray[np.bool_]:
        rows = np.bitwise_or.reduce(planes, axis=0)
        return np.asarray(lanes & np.tile(rows, len(case.wires)) != 0)

    change = (truth.after ^ truth.before)[restored]
    moved = np.bitwise_or.reduce(np.vstack([change, np.zeros_like(dirty)]), axis=0)
    meant = 2 * counting(truth.broken, truth.planes) + 4 * counting(moved, truth.planes)
    if not np.array_equal(noted, meant):
        yield f"{way}: notes {noted.tolist()} for {meant.tolist()}"
    if dirty.any():
        *_, noted = lanes_in(code, case, case.planes, way)
        meant = counting(dirty | truth.broken | (moved & ~dirty), case.planes)
        sure = ~counting(moved & dirty, case.planes)
        if not np.array_equal((noted != 0)[sure], meant[sure]):
            yield f"{way}: notes of what is released {noted.tolist()} for {meant.tolist()}"


def disagreements(case: Case, ways: Sequence[Way]) -> Iterator[str]:
    """What each way gets wrong, a program that cannot be made or run among it."""
    truth = judged(case)
    for way in ways:
        try:
            code = compile_code(case.definition, case.inverse, way.executor)
            yield from differences(truth, find_restored(code, case.definition), way)
        except Exception as error:
            yield f"{way}: {type(error).__name__}: {error}"


def lanes_in(code: Code, case: Case, planes: Words, way: Way) -> tuple[np.ndarray, ...]:
    """Lanes after, ones [erased, positions], joint [tallies, positions, 3] and suspect [lanes]."""
    positions, words = len(case.wires), case.state.shape[1]
    lanes = positions * words
    state = case.state.copy()
    suspect = np.zeros(lanes, dtype=np.uint8)
    ones = np.zeros((code.erased, positions), dtype=np.int64)
    joint = np.zeros((code.tallies, positions, 3), dtype=np.int64)

    def part(first: int, last: int) -> tuple[int, np.ndarray, np.ndarray]:
        base, end = first // words, (last - 1) // words + 1
        mine = np.zeros_like(ones[:, base:end]), np.zeros_like(joint[:, base:end])
        run_lanes(code, state, case.wires, code.restored, first, last, planes, *mine, suspect)
        return base, *mine

    cuts = np.unique(np.linspace(0, lanes, 2 * way.threads if way.threads > 1 else 2).astype(int))
    with forced(way), ThreadPoolExecutor(way.threads) as pool:
        for base, some, pairs in pool.map(lambda cut: part(*cut), list(pairwise(cuts.tolist()))):
            ones[:, base : base + some.shape[1]] += some
            joint[:, base : base + pairs.shape[1]] += pairs
    return replace(case, state=state).lanes(), ones, joint, suspect


# --- what is left of a failing definition ---------------------------------------------------------


def shrunk(definition: Definition, fails: Callable[[Definition], bool]) -> Definition:
    """The definition flattened, with as many gates left out as still make it fail."""
    flat = flatten(definition)

    def with_rows(rows: np.ndarray) -> Definition:
        inner = flat.wires - definition.port_wires
        return replace(definition, locals=inner, body=(Gates(flat.table[rows], flat.controls),))

    rows = np.arange(len(flat.table))
    if not fails(with_rows(rows)):
        return definition
    size = max(1, len(rows) // 2)
    while size:
        first = 0
        while first < len(rows):
            fewer = np.delete(rows, np.s_[first : first + size])
            if fails(with_rows(fewer)):
                rows = fewer
            else:
                first += size
        size //= 2
    return with_rows(rows)


def text_of(definition: Definition) -> str:
    """The gates of a definition without calls, one a line."""
    names = [f"{definition.name_of(w)}" for w in range(definition.wires)]
    lines = []
    for item in definition.body:
        if not isinstance(item, Gates):
            return f"{definition.name}: calls"
        for row in item.table.tolist():
            role = ("", " (computes)", " (uncomputes)")[row[ROLE]]
            lines.append(gate_text(tuple(row), item.controls, names) + role)
    return "\n".join(lines)


def agrees(case: Case, ways: Sequence[Way] = WAYS) -> None:
    """A case is the same in all these ways, or a smaller one that is not is shown."""
    if not list(disagreements(case, ways)):
        return

    def fails(smaller: Definition) -> bool:
        return any(disagreements(replace(case, definition=smaller), ways))

    least = shrunk(case.definition, fails)
    said = list(disagreements(replace(case, definition=least), ways))
    raise AssertionError("\n".join([*said[:4], text_of(least)]))
