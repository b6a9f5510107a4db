"""Random bodies of tensor circuits, well-formed or not: all executors see and count the same."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from differential import EXECUTORS, comparable, counted
from test_tensors import shared_by_hand

from revsim.circuit.banks import (
    Bank,
    BankAlloc,
    BankErase,
    BankFree,
    BankMark,
    BankSet,
    Calls,
    Recipe,
    TensorCircuit,
    TensorItem,
)
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Port
from revsim.circuit.registers import Encoding
from revsim.circuit.unroll import unroll
from revsim.ledger.ledgers import LEDGERS, ledger_rows, of_positions, total_of
from revsim.simulator import bank_statistics, positions
from revsim.simulator.ensemble import data_set
from revsim.simulator.run import Run, simulate
from revsim.simulator.tally import Spectrum

WIDTH = 24
"""Device wires; those from `GIVEN` on hold 0 at the start."""
GIVEN = 10
BIT = Encoding.unsigned(0, 1)


def _recipe(name: str, write: Callable[[Builder, np.ndarray, np.ndarray], None]) -> Recipe:
    def make() -> Definition:
        b = Builder(name)
        write(b, b.port("x", 2), b.port("y", 2))
        return b.build()

    return Recipe(name, (Port("x", 2), Port("y", 2)), make)


def _mix(b: Builder, x: np.ndarray, y: np.ndarray) -> None:
    b.ccx(x[:1], x[1:], y[:1])
    b.cx(x[1:], y[1:])


def _turn(b: Builder, x: np.ndarray, y: np.ndarray) -> None:
    """Complements what it reads for a time."""
    b.x(x[:1])
    b.ccx(x[:1], y[:1], y[1:])
    b.x(x[:1])


def _gates(b: Builder, x: np.ndarray, y: np.ndarray) -> None:
    """An AND whose output is reset."""
    local = b.local("and")
    b.conventional_tally(int(x[0]), int(x[1]))
    b.ccx(x[:1], x[1:], local)
    b.cx(local, y[:1])
    b.conventional_erase(local, "gate_output")


RECIPES = _recipe("mix", _mix), _recipe("turn", _turn), _recipe("gates", _gates)


def random_calls(rng: np.random.Generator, wires: np.ndarray) -> Calls:
    """A definition at one to three positions, sharing what they read, not what they write."""
    kind, count = int(rng.integers(3)), int(rng.integers(1, 4))
    chosen = rng.permutation(wires).astype(np.int32)
    y, read = chosen[: 2 * count].reshape(-1, 2), chosen[2 * count :]
    x = np.array([rng.permutation(read)[:2] for _ in range(count)])
    channels = rng.integers(0, 2, count) if kind == 2 and rng.integers(2) else None
    return Calls(RECIPES[kind], (x, y), bool(kind < 2 and rng.integers(2)), channels)


def random_circuit(seed: int, sound: bool) -> TensorCircuit:
    """Some forty items in a few layers. Where it is not `sound`, calls write what is not in use and
    banks come into use and go while they hold anything."""
    rng = np.random.default_rng(seed)
    wires = np.arange(WIDTH, dtype=np.int32)
    used = wires < GIVEN
    body: list[TensorItem] = []
    layer_of: list[str] = []
    layer = "0"

    def bank(among: np.ndarray) -> Bank:
        size = min(len(among), int(rng.integers(1, 4)))
        return Bank(f"b{len(body)}", rng.permutation(among)[:size, None], BIT)

    def add(*items: TensorItem) -> None:
        body.extend(items)
        layer_of.extend([layer] * len(items))

    while len(body) < 40:
        layer = str(len(body) // 15)
        step = rng.choice(["calls", "alloc", "set", "mark", "erase"], p=[0.5, 0.2, 0.05, 0.15, 0.1])
        live = np.flatnonzero(used).astype(np.int32)
        free = np.flatnonzero(~used).astype(np.int32)
        if step == "calls":
            add(random_calls(rng, live if sound else wires))
        elif step == "alloc" and len(free):
            taken = bank(free if sound else wires)
            add(BankAlloc(taken))
            used[taken.wires] = True
        elif step == "set":
            add(BankSet(bank(live), 1))
        elif step == "mark":
            shown = bank(live)
            add(BankMark(shown.name, shown, np.arange(shown.size)))
        elif step == "erase" and len(live) > GIVEN + 3:
            cause = f"cause {rng.integers(2)}"
            for name in ("first", "second")[: rng.integers(1, 3)]:  # perhaps of the same wires
                gone = replace(bank(live), name=f"{name} b{len(body)}")
                at = rng.permutation(4)[: gone.size]
                add(BankErase(gone, cause, layer, gone.name, at, (2, 2)))
                used[gone.wires] = False
            add(BankFree(Bank("gone", live[~used[live], None], BIT)))
    if not sound:  # a bank goes while it holds what it holds
        add(BankFree(bank(np.flatnonzero(used).astype(np.int32))))
    kept = np.flatnonzero(used) if sound else wires[::2]
    given = Bank("given", wires[:GIVEN, None], BIT)
    outputs = (Bank("y", kept[:, None].astype(np.int32), BIT),)
    choice = "destroy" if sound else "keep"
    return TensorCircuit(
        f"random {seed}", WIDTH, tuple(body), (given,), outputs, (), tuple(layer_of), "", choice
    )


def seen(
    circuit: TensorCircuit, rows: np.ndarray, weights: np.ndarray, **options: object
) -> tuple[object, set[str]]:
    """Everything that a run shows, in a form that can be compared, and what it finds broken."""
    marked: list[object] = []
    run: Run = simulate(
        circuit,
        data_set(rows, weights),
        strict=False,
        on_mark=(lambda n, p, v: marked.append((n, v.tolist()))) if options.pop("marks") else None,
        **options,  # type: ignore[arg-type]
    )
    tally = counted(replace(run.tally, violations=()))
    return (run.outputs.tolist(), tally, marked), set(map(str, run.tally.violations))


@pytest.mark.parametrize("rows", [3, 150, 4200])
@pytest.mark.parametrize("sound", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_all_executors_see_the_same(
    monkeypatch: pytest.MonkeyPatch, seed: int, sound: bool, rows: int
) -> None:
    """Whatever runs together, in whatever tasks, with and without tensors that are read, and again
    where batches end as they did before."""
    monkeypatch.setattr(positions, "COUNTERS", 1)
    circuit = random_circuit(seed, sound)
    rng = np.random.default_rng(seed)
    table, weights = rng.integers(0, 2, (rows, GIVEN)), rng.integers(0, 3, rows)
    for marks in (False, True, False):
        expected, broken = seen(circuit, table, weights, executor="numpy", marks=marks)
        assert broken or sound
        for executor, threads in product(EXECUTORS, (1, 3, 1)):
            found, named = seen(
                circuit, table, weights, executor=executor, threads=threads, marks=marks
            )
            assert found == expected
            # Of banks that come into use or go together the first that breaks a promise is named.
            assert named <= broken and bool(named) == bool(broken)
    few = seen(circuit, table[:3], weights[:3] + 1, executor="numpy", marks=False)
    assert seen(circuit, table[:3], weights[:3] + 1, threads=1, marks=False)[0] == few[0]


@pytest.mark.parametrize("seed", range(12))
def test_as_one_position_and_one_register_at_a_time(seed: int) -> None:
    """Every ledger of the unrolled circuit; what positions share is what they have one by one."""
    circuit = random_circuit(seed, True)
    rng = np.random.default_rng(seed)
    ensemble = data_set(rng.integers(0, 2, (100, GIVEN)), rng.integers(1, 3, 100))
    run, one_by_one = simulate(circuit, ensemble), simulate(unroll(circuit), ensemble)
    assert np.array_equal(run.outputs, one_by_one.outputs)
    assert comparable(run.tally.final) == comparable(one_by_one.tally.final)
    for here, there in zip(ledger_rows(run.tally), ledger_rows(one_by_one.tally), strict=True):
        assert (here.layer, here.cause) == (there.layer, there.cause)
        for name, _ in LEDGERS:
            expected = pytest.approx(getattr(there.ledgers, name), abs=1e-9)
            assert getattr(here.ledgers, name) == expected, (here.layer, here.cause, name)

    shared, banks = total_of(ledger_rows(run.tally, "shared")), shared_by_hand(circuit, ensemble)
    gates = [of_positions(p, run.tally.total, "shared") for p in run.tally.positions]
    for name in ("per_bit", "per_register"):
        by_hand = getattr(banks, name) + sum(getattr(entry, name) for entry in gates)
        assert getattr(shared, name) == pytest.approx(by_hand, abs=1e-9)

    def ones(spectra: list) -> int:
        return sum(int(s.weight @ s.times) for s in spectra)

    for entry in run.tally.positions:
        assert ones([s for _, s in entry.shared]) == ones([entry.ones])
    for found in run.tally.position_gates:
        assert ones([i for _, i, _ in found.shared]) == ones([found.inputs])
        assert ones([o for _, _, o in found.shared]) == ones([found.output])


@pytest.mark.parametrize("executor", [*EXECUTORS, "numpy"])
def test_a_bank_comes_into_use_after_what_was_written_before(executor: str) -> None:
    """Among calls that run together; on a wire that one of them has made 1."""
    wires = np.arange(4, dtype=np.int32)
    given, late = Bank("x", wires[:2, None], BIT), Bank("late", wires[3:, None], BIT)
    calls = Calls(RECIPES[0], (wires[None, :2], wires[None, 2:]))
    outputs = (Bank("y", wires[:, None], BIT),)
    circuit = TensorCircuit("late", 4, (calls, BankAlloc(late)), (given,), outputs)
    for _ in range(2):
        run = simulate(circuit, data_set([[0, 0], [0, 1]]), executor=executor, strict=False)
        assert [(v.wire, v.row) for v in run.tally.violations] == [("late[0] bit 0", 1)]


@pytest.mark.parametrize("width", [1, 7, 16, 17, 40])
@pytest.mark.parametrize("values", [1 << 6, 1 << 22])
def test_pools_of_registers_of_any_width(
    monkeypatch: pytest.MonkeyPatch, width: int, values: int
) -> None:
    """However many are counted at once; some pools hold more values than there are rows."""
    monkeypatch.setattr(bank_statistics, "VALUES", values)
    rng = np.random.default_rng(width)
    state = rng.integers(0, 1 << 64, (width * 60, 3), dtype=np.uint64)
    wires = rng.permutation(width * 60).astype(np.int32).reshape(60, width)
    raw = bank_statistics.raw_values(state, wires, 150, "numpy")
    starts = np.array([0, 1, 2, 7, 60])
    for weights in (None, rng.integers(0, 4, 150)):
        given = np.ones(150, np.int64) if weights is None else weights
        times: list[int] = []
        for first, last in pairwise(starts.tolist()):
            held: Counter[int] = Counter()
            for weight, row in zip(given.tolist(), raw[:, first:last].tolist(), strict=True):
                held.update({value: weight * n for value, n in Counter(row).items()})
            times += held.values()
        expected = comparable(Spectrum.of(np.array(times)))
        for executor in ("numpy", "literal"):
            found = bank_statistics.pooled_spectrum(state, wires, starts, 150, weights, executor)
            assert comparable(found) == expected
