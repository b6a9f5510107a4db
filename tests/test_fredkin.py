"""The Fredkin basis: same outputs and erasures, only controlled swaps, and the ones conserved."""

from pathlib import Path

import numpy as np
import pytest

import revsim as rs
from revsim.blocks.registry import block_named
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit, Definition, Gates
from revsim.circuit.fredkin import conservative, ones_of
from revsim.circuit.gates import CSWAP, OP
from revsim.circuit.measures import counts
from revsim.circuit.program import flatten
from revsim.circuit.registers import Register
from revsim.circuit.two_rails import in_fredkin_basis
from revsim.circuit.validate import validate, validate_definition
from revsim.cli import main
from revsim.errors import InputError
from revsim.formats.qasm3 import dumps, load, loads
from revsim.ledger.ledgers import ledger_rows
from revsim.schedule.policy import INPUT_CHOICES, POLICIES
from revsim.simulator.apply import apply
from revsim.simulator.ensemble import Ensemble, uniform
from revsim.simulator.ones import ones_by_gate
from revsim.simulator.run import simulate

FOLDER = Path(__file__).resolve().parents[1] / "circuits"
FILES = sorted(FOLDER.glob("*.qasm"))
REVERSIBLE = [policy for policy in POLICIES if policy != "conventional"]
BLOCKS = (
    ("add_in_place[cdkm, carry]", 4),
    ("add_in_place[ttk]", 4),
    ("controlled_add", 3),
    ("less_than", 4),
    ("popcount_copy", 6),
    ("relu_in_place", 5),
    ("maximum_in_place[unsigned]", 3),
    ("linear_in_place[exchange]", 3),
)


def all_rows(circuit: Circuit) -> Ensemble:
    ends = [(r.encoding.low, r.encoding.high) for r in circuit.inputs]
    return uniform([low for low, _ in ends], [high for _, high in ends])


def ones_are_conserved(circuit: Circuit, rows: Ensemble) -> int:
    """Every CSWAP keeps the number of ones on every row; returns how many there were."""
    swaps, before = 0, None
    for name, ones in ones_by_gate(circuit, rows):
        if name == "cswap":
            np.testing.assert_array_equal(ones, before)
            swaps += 1
        else:
            assert name in ("start", "x", "cx", "erase"), name
        before = ones
    return swaps


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
@pytest.mark.parametrize("executor", ["numpy", "literal"])
def test_every_small_circuit_computes_and_erases_the_same_and_conserves_ones(
    path: Path, executor: str
) -> None:
    circuit = load(path)
    rewritten = validate(in_fredkin_basis(circuit))
    rows = all_rows(circuit)
    one, two = (simulate(c, rows, executor=executor) for c in (circuit, rewritten))
    np.testing.assert_array_equal(two.outputs, one.outputs)
    for a, b in zip(ledger_rows(one.tally), ledger_rows(two.tally), strict=True):
        assert (a.layer, a.cause) == (b.layer, b.cause)
        assert (a.ledgers.reset_count, a.ledgers.per_bit) == (
            b.ledgers.reset_count,
            b.ledgers.per_bit,
        )
        assert b.ledgers.given_kept == pytest.approx(a.ledgers.given_kept, abs=1e-9)
    assert ones_are_conserved(rewritten, rows) > 0


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_rewritten_circuit_survives_a_round_trip(path: Path) -> None:
    text = dumps(in_fredkin_basis(load(path)))
    assert dumps(loads(text)) == text


def test_the_circuits_themselves_do_not_conserve_ones() -> None:
    circuit = load(FOLDER / "full_adder.qasm")
    ones = np.array([ones for _, ones in ones_by_gate(circuit, all_rows(circuit))])
    assert (np.diff(ones, axis=0) != 0).any()


def on_two_rails(definition: Definition, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Values of all ports of the rewritten definition: the ports, their complements, the ones."""
    rows = max(len(v) for v in values.values())
    out = {}
    for port in definition.ports:
        value = values.get(port.name, np.zeros(rows, dtype=np.int64))
        out[port.name] = value
        out[f"{port.name}_not"] = value ^ ((1 << port.width) - 1)
    lent = ones_of(conservative(definition))
    return out | ({"constant_ones": np.full(rows, (1 << lent) - 1)} if lent else {})


def agrees(definition: Definition, values: dict[str, np.ndarray]) -> None:
    rewritten = validate_definition(conservative(definition))
    table = flatten(rewritten).table
    assert set(table[:, OP].tolist()) <= {CSWAP}
    assert counts(rewritten).gates == counts(rewritten).fredkin == len(table)
    before = on_two_rails(definition, values)
    after = apply(rewritten, before)
    expected = on_two_rails(definition, apply(definition, values))
    for name in expected:
        np.testing.assert_array_equal(after[name], expected[name], err_msg=name)
    back = apply(rewritten, after, inverse=True)
    for name in before:
        np.testing.assert_array_equal(back[name], before[name], err_msg=name)


@pytest.mark.parametrize(("name", "width"), BLOCKS)
def test_blocks_in_the_fredkin_basis_have_clean_constants(name: str, width: int) -> None:
    definition = block_named(name).build(width)
    random = np.random.default_rng(width)
    values = {
        port.name: random.integers(0, 1 << port.width, 300)
        for port in definition.ports
        if not port.zero_in
    }
    agrees(definition, values)


@pytest.mark.parametrize("seed", range(12))
def test_any_gates_calls_and_loops_are_rewritten(seed: int) -> None:
    random = np.random.default_rng(seed)

    def scribble(b: Builder, wires: np.ndarray, gates: int) -> None:
        for _ in range(gates):
            a, c, d, e = random.permutation(wires)[:4].tolist()
            match int(random.integers(6)):
                case 0:
                    b.x(a)
                case 1:
                    b.cx(a, c)
                case 2:
                    b.ccx(a, c, d)
                case 3:
                    b.swap(a, c)
                case 4:
                    b.cswap(a, c, d)
                case _:
                    controls = [(a, bool(random.integers(2))), (c, False), (d, True)]
                    b.mcx(controls[: int(random.integers(4))], e)

    inner = Builder("inner")
    scribble(inner, inner.port("p", 4), 6)
    leaf = inner.build()
    b = Builder("outer")
    q, r = b.port("q", 5), b.port("r", 4)
    spare = b.local("spare", 1)
    both = np.concatenate([q, r])
    start = b.mark()
    scribble(b, np.concatenate([both, spare]), 5)
    stop = b.mark()
    b.undo(start, stop)
    b.call(leaf, random.permutation(both)[:4], inverse=bool(seed % 2))
    b.loop(leaf, 2, q[:4], np.ones(4, dtype=np.int32))
    scribble(b, both, 6)
    every = np.arange(1 << 9)
    agrees(b.build(), {"q": every & 31, "r": every >> 5})


@pytest.mark.parametrize("choice", INPUT_CHOICES)
@pytest.mark.parametrize("policy", REVERSIBLE)
@pytest.mark.parametrize("name", ["toy", "xor"])
def test_compiled_networks_end_as_clean_and_lose_the_same(
    name: str, policy: str, choice: str
) -> None:
    network = rs.load(name)
    circuit = rs.compile(network, policy, choice)
    rewritten = validate(in_fredkin_basis(circuit))
    rows = uniform(network.input_low, network.input_high)
    one, two = simulate(circuit, rows), simulate(rewritten, rows)  # strict: clean ancillas, roles
    np.testing.assert_array_equal(two.outputs, one.outputs)
    assert one.tally.initial.entropy == pytest.approx(two.tally.initial.entropy)
    assert one.tally.final.entropy == pytest.approx(two.tally.final.entropy)
    lost = [
        {(r.layer, r.cause): r.ledgers.given_kept for r in ledger_rows(t.tally)} for t in (one, two)
    ]
    assert lost[0] == pytest.approx(lost[1], abs=1e-9)
    assert ones_are_conserved(rewritten, rows) > 0
    for layer in rewritten.layers:
        assert all(not d.erases for d in layer.linear)


def test_a_toffoli_takes_three_swaps_and_a_cnot_one() -> None:
    b = Builder("gates")
    a, c, t = (b.port(name, 1) for name in "act")
    b.ccx(a, c, t)
    b.cx(a, t)
    b.x(t)
    assert counts(conservative(b.build())).fredkin == 3 + 1 + 1


def test_netlists_that_erase_inside_are_refused() -> None:
    with pytest.raises(InputError, match="erases inside: conservative logic has no ERASE"):
        in_fredkin_basis(rs.compile(rs.load("toy"), "conventional"))


def test_counting_ones_refuses_what_it_cannot_do() -> None:
    wires = np.arange(2, dtype=np.int32)
    table = np.array([[1, 0, -1, 1, 0, 0]] * 2001, dtype=np.int32)
    register = Register("q", wires)
    large = Circuit("large", 2, (Gates(table),), (register,), (register,))
    with pytest.raises(InputError, match="counting ones gate by gate takes at most 2000"):
        next(ones_by_gate(large, uniform([0], [3])))
    small = load(FOLDER / "full_adder.qasm")
    with pytest.raises(InputError, match="has 1 values per row, circuit 'full_adder' takes 3"):
        next(ones_by_gate(small, uniform([0], [3])))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_the_command_line_counts_and_draws_it(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["count", str(path), "--basis", "fredkin"]) == 0
    printed = capsys.readouterr().out
    assert "keep the number of ones" in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert main(["draw", str(path), "--basis", "fredkin", "--hierarchy"]) == 0
    assert "in Fredkins" in capsys.readouterr().out


def test_the_command_line_refuses_a_netlist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["count", "toy", "--policy", "conventional", "--basis", "fredkin"]) == 2
    said = capsys.readouterr().err
    assert "conservative logic has no ERASE" in said and len(said.splitlines()) == 1


def test_an_erasure_takes_the_ones_it_finds() -> None:
    text = """OPENQASM 3.0;
@revsim.input
@revsim.output
qubit[2] q;
cx q[0], q[1];
@revsim.erase cause="test"
reset q[0];"""
    steps = [(name, ones.tolist()) for name, ones in ones_by_gate(loads(text), uniform([0], [3]))]
    assert steps[1:] == [("cx", [0, 2, 1, 1]), ("erase", [0, 1, 1, 0])]
