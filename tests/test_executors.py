"""Every way to run a circuit gives the same bits and the same counts.

The plain NumPy executor is the readable definition of the gates; the kernels, with any number of
threads, flattened or call by call, must agree with it on random circuits and ragged ensembles.
"""

from collections.abc import Callable

import numpy as np
import pytest
from oracle_circuits import bits
from test_oracle import READINGS

from revsim.circuit import gates, program
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit, Definition
from revsim.circuit.kernels import all_sound
from revsim.circuit.measures import depth
from revsim.circuit.registers import Wires
from revsim.errors import CheckError
from revsim.lower.netlist import Netlist
from revsim.schedule.device import Device
from revsim.simulator.apply import apply
from revsim.simulator.ensemble import Ensemble, data_set
from revsim.simulator.run import Run, simulate
from revsim.simulator.tally import Spectrum, Tally

ROWS = (1, 63, 64, 65, 513, 1000)
WIDTH = 5


# --- random circuits ----------------------------------------------------------------------------


def some_gates(b: Builder, wires: Wires, random: np.random.Generator, count: int) -> None:
    """Gates of every kind on these wires."""
    for _ in range(count):
        p, q, r, *rest = random.permutation(wires).tolist()
        polarity = random.integers(0, 2, 8).astype(bool).tolist()
        listed = list(zip([p, q, *rest], polarity, strict=False))[: int(random.integers(0, 5))]
        emit: list[Callable[[], None]] = [
            lambda r=r: b.x(r),
            lambda p=p, r=r: b.cx(p, r),
            lambda p=p, q=q, r=r: b.ccx(p, q, r),
            lambda q=q, r=r: b.swap(q, r),
            lambda p=p, q=q, r=r: b.cswap(p, q, r),
            lambda r=r, listed=listed: b.mcx(listed, r),
        ]
        emit[int(random.integers(len(emit)))]()


def random_definition(random: np.random.Generator, depth: int) -> Definition:
    """x, y -> something reversible: gates, clean locals, and calls, loops and inverses below."""
    b = Builder(f"depth {depth}")
    x, y = b.port("x", WIDTH), b.port("y", WIDTH)
    some_gates(b, np.concatenate([x, y]), random, 6)
    inner = b.local("inner", 3)
    start = b.mark()
    some_gates(b, np.concatenate([x, inner]), random, 8)
    if depth:
        ports = random.permutation(np.concatenate([x, inner])).astype(np.int32)
        callee = random_definition(random, 0)
        spare = b.local("spare", 2)
        pool = np.concatenate([ports, spare])
        b.call(callee, pool[:WIDTH], pool[WIDTH:], inverse=bool(random.integers(2)))
    stop = b.mark()
    b.cx(inner, y[:3])
    b.ccx(x[0], inner[0], y[4])
    b.undo(start, stop)
    if depth:
        callee = random_definition(random, depth - 1)
        both = random.permutation(np.concatenate([x, y])).astype(np.int32)
        b.call(callee, both[:WIDTH], both[WIDTH:])
        b.call(callee, x, y, inverse=True)
        step = Builder("step")
        some_gates(step, step.port("three", 3), random, 3)
        b.loop(step.build(), 3, x[:3], np.ones(3, dtype=np.int32))
        mark = b.mark()
        b.loop(step.build(), 2, y[:3], np.ones(3, dtype=np.int32))
        b.undo(mark)
    return b.build()


def random_netlist(random: np.random.Generator) -> Definition:
    net = Netlist("netlist")
    literals = [*net.port("x", WIDTH).tolist()]
    y = net.port("y", 3, zero=True)
    for _ in range(12):
        p, q = (int(random.choice(literals)) ^ int(random.integers(2)) for _ in range(2))
        gate = (net.and_, net.or_, net.xor)[int(random.integers(3))]
        literals.append(gate(p, q))
        if literals[-1] < 0:
            literals.pop()
    return net.finish(literals[-3:], y)


def random_circuit(seed: int) -> Circuit:
    """Definitions, a netlist that erases inside, one group of two ERASEs and a last one."""
    random = np.random.default_rng(seed)
    device = Device([bits(WIDTH), bits(WIDTH)])
    x, y = device.inputs
    device.layer = "first"
    reversible = random_definition(random, 2)
    device.call(reversible, x.wires, y.wires)
    out = device.alloc("out", bits(3))
    device.call(random_netlist(random), x.wires, out.wires)
    device.erase("low", x.wires[:2], "input", "x")
    device.erase("high", x.wires[2:], "input", "x")
    device.layer = "second"
    device.call(random_definition(random, 1), x.wires, y.wires, inverse=True)
    device.mark("out", [out])
    device.erase("y", y.wires, "input", "y")
    wide = device.alloc("wide", bits(70))
    b = Builder("spread")
    source, target = b.port("source", 3), b.port("target", 70, zero=True)
    b.cx(np.resize(source, 70), target)
    device.call(b.build(), out.wires, wide.wires)
    device.erase("wide", wide.wires, "copies", "out")
    device.free("wide", wide.wires)
    return device.circuit("random", [out, x], (), "as_written", "destroy", "")


def random_ensemble(seed: int, rows: int) -> Ensemble:
    random = np.random.default_rng([seed, rows])
    values = random.integers(0, 1 << WIDTH, (rows, 2))
    if seed % 3 == 0:
        return data_set(values)
    weights = random.integers(0, (4, 1 << 40)[seed % 2], rows)
    weights[0] += 1  # the others may be 0
    return data_set(values, weights)


# --- comparison ---------------------------------------------------------------------------------


def plain_values(value: object) -> object:
    """Spectra, arrays and tuples of tallies as something that == compares."""
    if isinstance(value, Spectrum):
        return value.weight.tolist(), value.times.tolist()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return tuple(plain_values(v) for v in value)
    if hasattr(value, "__dataclass_fields__"):
        return tuple(plain_values(getattr(value, name)) for name in value.__dataclass_fields__)
    return value


def counted(tally: Tally) -> dict[str, object]:
    names = [n for n in Tally.__dataclass_fields__ if n != "seconds"]
    return {name: plain_values(getattr(tally, name)) for name in names}


def same(first: Run, second: Run) -> None:
    np.testing.assert_array_equal(first.outputs, second.outputs)
    assert counted(first.tally) == counted(second.tally)


@pytest.mark.parametrize("seed", range(18))
def test_executors_threads_and_call_depth_make_no_difference(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    circuit = random_circuit(seed)
    ensemble = random_ensemble(seed, ROWS[seed % len(ROWS)])
    judge = simulate(circuit, ensemble, executor="numpy", switching=True)
    assert judge.tally.inner and judge.tally.gates and len(judge.tally.groups) == 4
    assert set(judge.tally.toggles or ()) == {"first", "second"}
    for threads in (1, 2, 3):
        same(judge, simulate(circuit, ensemble, threads=threads, switching=True))
    monkeypatch.setattr(program, "LEAF_GATES", 20)
    assert not all(program.is_leaf(definition) for definition in circuit.definitions())
    same(judge, simulate(circuit, ensemble, threads=2, switching=True))
    assert simulate(circuit, ensemble).tally.toggles is None


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_rows_makes_no_difference(seed: int) -> None:
    circuit, ensemble = random_circuit(seed), random_ensemble(seed, 1000)
    order = np.random.default_rng(seed).permutation(1000)
    weights = None if ensemble.weights is None else ensemble.weights[order]
    shuffled = Ensemble("shuffled", ensemble.rows[order], weights)
    first, second = simulate(circuit, ensemble), simulate(circuit, shuffled)
    np.testing.assert_array_equal(first.outputs[order], second.outputs)
    assert counted(first.tally) == counted(second.tally)


@pytest.mark.parametrize("seed", range(4))
def test_a_row_of_weight_three_counts_as_three_rows(seed: int) -> None:
    circuit, ensemble = random_circuit(seed), random_ensemble(0, 65)
    weights = np.random.default_rng(seed).integers(0, 4, 65)
    weights[0] = 3
    once = simulate(circuit, data_set(ensemble.rows, weights)).tally
    often = simulate(circuit, data_set(np.repeat(ensemble.rows, weights, axis=0))).tally
    differ = {"rows", "gate_evaluations"}
    for name, value in counted(once).items():
        assert name in differ or value == counted(often)[name], name


def test_oracle_circuits_give_the_same_counts_on_both_executors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tallies: dict[str, list[Tally]] = {"numpy": [], "literal": []}
    chosen = ""

    def recorded(circuit: Circuit, ensemble: Ensemble, **options: int) -> Run:
        found = simulate(circuit, ensemble, executor=chosen, **options)
        tallies[chosen].append(found.tally)
        return found

    monkeypatch.setattr("oracle_circuits.simulate", recorded)
    for chosen in tallies:  # noqa: B007
        for number in (17, 29, 36, 43, 49, 64, 80, 120, 122, 155, 170, 203):
            READINGS[number]()
    assert len(tallies["numpy"]) == 12
    for first, second in zip(*tallies.values(), strict=True):
        assert counted(first) == counted(second)


# --- gates one by one ---------------------------------------------------------------------------

TRUTH: dict[str, Callable[..., tuple[int, ...]]] = {
    "x": lambda a, b, c: (a, b, c ^ 1),
    "cx": lambda a, b, c: (a, b, c ^ a),
    "ccx": lambda a, b, c: (a, b, c ^ (a & b)),
    "swap": lambda a, b, c: (a, c, b),
    "cswap": lambda a, b, c: (a, c, b) if a else (a, b, c),
    "mcx": lambda a, b, c: (a, b, c ^ (a & (1 - b))),
}


def single_gate(name: str) -> Definition:
    b = Builder(name)
    p, q, r = b.port("w", 3).tolist()
    emit: dict[str, Callable[[], None]] = {
        "x": lambda: b.x(r),
        "cx": lambda: b.cx(p, r),
        "ccx": lambda: b.ccx(p, q, r),
        "swap": lambda: b.swap(q, r),
        "cswap": lambda: b.cswap(p, q, r),
        "mcx": lambda: b.mcx([(p, True), (q, False)], r),
    }
    emit[name]()
    return b.build()


@pytest.mark.parametrize("executor", ["literal", "fused", "numpy"])
@pytest.mark.parametrize("name", TRUTH)
def test_each_gate_has_its_truth_table(name: str, executor: str) -> None:
    states = np.arange(8)
    meant = [TRUTH[name](*(int(v) >> k & 1 for k in range(3))) for v in states]
    numbers = [a + 2 * b + 4 * c for a, b, c in meant]
    found = apply(single_gate(name), {"w": states}, executor=executor)
    assert found["w"].tolist() == numbers


@pytest.mark.parametrize("executor", ["literal", "numpy"])
@pytest.mark.parametrize("name", TRUTH)
def test_each_gate_switches_the_wires_that_it_changes(name: str, executor: str) -> None:
    device = Device([bits(3)])
    device.call(single_gate(name), device.inputs[0].wires)
    circuit = device.circuit(name, device.inputs, (), "as_written", "keep", "")
    weights = np.arange(8)
    run = simulate(
        circuit, data_set(np.arange(8)[:, None], weights), executor=executor, switching=True
    )
    flips = [
        sum(a != b for a, b in zip(before, TRUTH[name](*before), strict=True))
        for before in ((v & 1, v >> 1 & 1, v >> 2 & 1) for v in range(8))
    ]
    assert run.tally.toggles == {"": int(weights @ flips)}


@pytest.mark.parametrize("executor", ["literal", "numpy"])
def test_a_reset_switches_the_ones_it_finds(executor: str) -> None:
    device = Device([bits(3)])
    device.layer = "first"
    device.erase("x", device.inputs[0].wires, "layer_input", "x")
    circuit = device.circuit("reset", [], (), "as_written", "destroy", "")
    rows = data_set(np.arange(8)[:, None], np.arange(8))
    run = simulate(circuit, rows, executor=executor, switching=True)
    assert run.tally.toggles == {"first": sum(v * v.bit_count() for v in range(8))}


def test_every_gate_of_the_table_is_tested() -> None:
    reversible = {g.name for g in gates.GATES if g.reversible and g.counted}
    assert reversible == set(TRUTH)
    assert [g.opcode for g in gates.GATES] == list(range(len(gates.GATES)))


def test_literals_of_the_kernels_are_those_of_the_gate_table() -> None:
    assert (gates.X, gates.CX, gates.CCX, gates.SWAP, gates.CSWAP) == (0, 1, 2, 3, 4)
    assert (gates.MCX, gates.ERASE, gates.FREE, gates.TALLY) == (5, 6, 7, 8)
    assert tuple(range(6)) == (gates.OP, gates.A, gates.B, gates.C, gates.ROLE, gates.EXTRA)
    b = Builder("all")
    x, y = b.port("x", 3), b.port("y", 1)
    local = b.local("local")
    b.conventional_tally(x[0], x[1])
    b.mcx([(int(x[2]), False), (int(local[0]), False)], int(y[0]))
    b.ccx(x[0], x[1], local)
    b.conventional_erase(local, "gate_output")
    definition = b.build()
    ready = program.program_of(definition)
    names = [gates.GATES[op].name for op in ready.table[:, gates.OP]]
    assert names == ["tally", "mcx", "ccx", "erase", "free"]
    assert (ready.erased, ready.tallies) == (1, 1)
    assert depth(definition) == 3  # a tally is no gate; both controls of the mcx hold it up


def test_the_quick_check_of_gates_misses_no_fault() -> None:
    """Random rows, a third of them sound: the kernel agrees with the arities of the gate table."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(3000):
        row = np.full(6, -1, dtype=np.int32)
        row[gates.OP] = random.choice([-1, *range(10)])
        row[[gates.A, gates.B, gates.C]] = random.integers(-1, 5, 3)
        op = int(row[gates.OP])
        sound = op in range(len(gates.GATES)) and op not in (gates.MCX, gates.FREE)
        if sound:
            used = {"a": op in (1, 2, 4, 8), "b": op in (2, 3, 4, 8), "c": op != gates.TALLY}
            wires = [int(row[k]) for k, yes in zip((1, 2, 3), used.values(), strict=True) if yes]
            sound = all(0 <= w < 4 for w in wires) and len(set(wires)) == len(wires)
        assert bool(all_sound(row[None], 4)) == sound, row
        found.append(sound)
    assert 0.1 < np.mean(found) < 0.6


@pytest.mark.parametrize("weights", [None, [1, 2, 3, 4]])
def test_erase_and_tally_count_the_same_on_both_executors(weights: list[int] | None) -> None:
    net = Netlist("and")
    x, y = net.port("x", 2), net.port("y", 1, zero=True)
    inner = net.and_(*x.tolist())
    definition = net.finish([net.xor(inner, int(x[0]))], y)
    device = Device([bits(2)])
    out = device.alloc("out", bits(1))
    device.call(definition, device.inputs[0].wires, out.wires)
    circuit = device.circuit("and", [out], (), "conventional", "keep", "")
    ensemble = data_set([[0], [1], [2], [3]], weights)
    for executor in ("literal", "numpy"):
        tally = simulate(circuit, ensemble, executor=executor).tally
        w = weights or [1, 1, 1, 1]
        assert tally.inner[0].ones.tolist() == [w[3]]
        joint = [[w[3], w[1] + w[3], w[2] + w[3]], [w[3], w[3], w[1] + w[3]]]
        assert tally.gates[0].joint.tolist() == joint
        assert tally.gates[0].is_and.tolist() == [True, False]


@pytest.mark.parametrize("rows", [1, 64, 700])
def test_broken_promises_are_named_alike(rows: int) -> None:
    b = Builder("leaves a mess")
    x, dirty = b.port("x", 1), b.local("dirty")
    b.cx(x, dirty)
    device = Device([bits(1)])
    device.layer = "layer1"
    device.call(b.build(), device.inputs[0].wires)
    circuit = device.circuit("mess", device.inputs, (), "as_written", "keep", "")
    values = np.zeros((rows, 1), dtype=np.int64)
    values[rows - 1] = 1
    words = []
    for executor in ("literal", "numpy"):
        with pytest.raises(CheckError) as raised:
            simulate(circuit, data_set(values), executor=executor)
        words.append(str(raised.value))
    assert words[0] == words[1] and f"row {rows - 1}" in words[0] and "dirty[0]" in words[0]
    weights = np.ones(rows, dtype=np.int64)
    weights[rows - 1] = 0
    if rows > 1:  # a row that does not count breaks nothing
        for executor in ("literal", "numpy"):
            run = simulate(circuit, data_set(values, weights), executor=executor)
            assert not run.tally.violations
