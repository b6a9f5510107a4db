"""What each gate does in every executor, and what no run may depend on.

That all executors agree on whole programs, circuits and networks: test_differential.py.
"""

from collections.abc import Callable

import numpy as np
import pytest
import random_programs
from differential import EXECUTORS as COMPILED
from differential import Way, agrees, counted, lanes_in, random_case
from oracle_circuits import bits
from test_oracle import READINGS

from revsim.blocks.registry import block_named
from revsim.circuit import gates, program
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit, Definition
from revsim.circuit.kernels import all_sound
from revsim.circuit.measures import depth
from revsim.errors import CheckError
from revsim.lower.netlist import Netlist
from revsim.schedule.device import Device
from revsim.simulator.apply import apply
from revsim.simulator.code import compile_code, find_restored
from revsim.simulator.ensemble import Ensemble, data_set
from revsim.simulator.executors import EVERY_GATE, EXECUTORS
from revsim.simulator.literal import kernels
from revsim.simulator.run import Run, simulate
from revsim.simulator.tally import Tally


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_rows_makes_no_difference(seed: int) -> None:
    circuit, ensemble = random_programs.circuit(seed), random_programs.ensemble(seed, 1000)
    order = np.random.default_rng(seed).permutation(1000)
    weights = None if ensemble.weights is None else ensemble.weights[order]
    shuffled = Ensemble("shuffled", ensemble.rows[order], weights)
    first, second = simulate(circuit, ensemble), simulate(circuit, shuffled)
    np.testing.assert_array_equal(first.outputs[order], second.outputs)
    assert counted(first.tally) == counted(second.tally)


@pytest.mark.parametrize("seed", range(4))
def test_a_row_of_weight_three_counts_as_three_rows(seed: int) -> None:
    circuit, ensemble = random_programs.circuit(seed), random_programs.ensemble(0, 65)
    weights = np.random.default_rng(seed).integers(0, 4, 65)
    weights[0] = 3
    once = simulate(circuit, data_set(ensemble.rows, weights)).tally
    often = simulate(circuit, data_set(np.repeat(ensemble.rows, weights, axis=0))).tally
    differ = {"rows", "gates run"}
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


@pytest.mark.parametrize("executor", EVERY_GATE)
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


@pytest.mark.parametrize("executor", EVERY_GATE)
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
    for executor in EXECUTORS:
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
    for executor in EXECUTORS:
        with pytest.raises(CheckError) as raised:
            simulate(circuit, data_set(values), executor=executor)
        words.append(str(raised.value))
    assert len(set(words)) == 1 and f"row {rows - 1}" in words[0] and "dirty[0]" in words[0]
    weights = np.ones(rows, dtype=np.int64)
    weights[rows - 1] = 0
    if rows > 1:  # a row that does not count breaks nothing
        for executor in EXECUTORS:
            run = simulate(circuit, data_set(values, weights), executor=executor)
            assert not run.tally.violations


@pytest.mark.parametrize("words", [1, 8, 9, 24, 64, 70])
def test_a_short_block_breaks_no_promise_of_its_own(
    words: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block in which something breaks runs again; what stands behind the last lane is none."""
    definition = block_named("add_out_of_place[carry]").build(5)
    case = random_case(definition, np.random.default_rng(0), 64 * words, 1)
    case.state[case.wires[:, 10:]] = 0
    code = compile_code(definition, False)
    blocks = []
    runner = kernels.runner
    monkeypatch.setattr(kernels, "runner", lambda block: blocks.append(block) or runner(block))
    *_, suspect = lanes_in(code, case, case.planes, Way("literal", 1, 64))
    assert blocks == [64] and not suspect.any()


@pytest.mark.parametrize("executor", COMPILED)
def test_ports_that_are_changed_back(executor: str) -> None:
    """Those written an even number of times that hold what they held: not one that is changed after
    all, nor one written three times, nor one that starts at 0 by promise and may be somebody's."""
    b = Builder("ports")
    read, back, changed, odd = (b.port(name, 1) for name in ("read", "back", "changed", "odd"))
    left, right, one, other = (b.port(name, 1) for name in ("left", "right", "one", "other"))
    zero, both = b.port("zero", 1, zero=True), b.local("both")
    for port in (back, zero, both):
        b.cx(read, port)
    b.cx(back, changed)
    b.cx(read, changed)
    b.cx(left, both)
    for source in (read, left, both):  # three times, for nothing
        b.cx(source, odd)
    b.cx(left, both)
    for port in (back, zero, both):
        b.cx(read, port)
    b.cswap(read, left, right)
    b.cswap(read, left, right)
    b.swap(one, other)
    b.swap(one, other)
    definition = b.build()
    code = find_restored(compile_code(definition, False, executor), definition)
    names = [definition.name_of(port)[:-3] for port in range(definition.port_wires)]
    assert [names[p] for p in code.restored] == ["back", "left", "right", "one", "other"]
    assert [names[p] for p in code.kept] == ["changed", "odd", "zero"]
    agrees(random_case(definition, np.random.default_rng(0), 70, 3))
