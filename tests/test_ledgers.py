"""Ledgers beyond the four: other priors, scopes, exports that are kept, gates one by one, words."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from oracle_circuits import bits
from random_programs import circuit as random_circuit
from random_programs import ensemble as random_ensemble

import revsim as rs
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit
from revsim.circuit.logic import Logic, adder, logic, logic_of
from revsim.cli import main
from revsim.formats.qasm3 import dumps
from revsim.ledger.comparison import READINGS
from revsim.ledger.gates import circuit_loss, gate_entropies
from revsim.ledger.ledgers import SCOPES, ledger_rows, total_of
from revsim.ledger.mismatch import cross_entropy, gate_mismatch, mismatch, relative_entropy
from revsim.ledger.reference import joint_entropy
from revsim.ledger.verdicts import listed, signed
from revsim.network.arrays import from_arrays
from revsim.schedule.device import Device
from revsim.simulator.executors import EXECUTORS
from revsim.simulator.logic import all_inputs, run_logic
from revsim.simulator.run import simulate

# --- A5: tuned to another ensemble ----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_tuned_to_itself_a_device_pays_its_own_ledgers(seed: int) -> None:
    circuit, ensemble = random_circuit(seed), random_ensemble(seed, 200)
    tally = simulate(circuit, ensemble, values=True).tally
    found, total = mismatch(tally, tally, "data", "data"), total_of(ledger_rows(tally))
    assert found.infinite == 0 and not found.reasons
    assert found.per_bit == pytest.approx(total.per_bit, abs=1e-9)
    assert found.per_register == pytest.approx(total.per_register, abs=1e-9)
    assert found.gate_local == pytest.approx(total.gate_local, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_tuned_elsewhere_each_row_of_the_ledger_costs_more_and_as_much_as_the_divergence(
    seed: int,
) -> None:
    circuit = random_circuit(seed)
    met, tuned = (
        simulate(circuit, random_ensemble(3 * k + 1, 1000), values=True).tally
        for k in (seed, seed + 9)
    )
    found = mismatch(met, tuned, "data", "design", pseudocount=0.5)
    least = {(r.layer, r.cause): r.ledgers for r in ledger_rows(met)}
    for row in found.rows:
        assert row.per_bit >= least[row.layer, row.cause].per_bit - 1e-9
        assert row.per_register >= least[row.layer, row.cause].per_register - 1e-9
    expected = 0.0
    for a, b in zip([*met.erasures, *met.inner], [*tuned.erasures, *tuned.inner], strict=True):
        for ones, prior in zip(a.ones.tolist(), b.ones.tolist(), strict=True):
            p, q = ones / met.total, (prior + 0.5) / (tuned.total + 1)
            expected += cross_entropy([1 - p, p], [1 - q, q])
    assert found.per_bit == pytest.approx(expected)


def test_an_infinite_cost_is_named_and_json_stays_valid() -> None:
    report = rs.verify("toy", tuned_to=[[0, 0], [1, 1]], policy="uncompute")
    (run,) = report.runs
    assert run.mismatched is not None and math.isinf(run.mismatched.per_bit)
    assert report.holds
    found = json.loads(report.to_json())["runs"][0]["mismatched"]
    assert found["per_bit"] is None and found["infinite"] == run.mismatched.infinite > 0
    assert "is 1 in uniform but never in tuned_to" in found["reasons"][0]
    text = str(report)
    words = "infinite: register layer1.layer_input[0] bit 1 of layer layer1 is 1 in uniform but"
    assert words in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    smooth = rs.verify("toy", tuned_to=[[0, 0], [1, 1]], policy="uncompute", pseudocount=0.5)
    assert smooth.runs[0].mismatched is not None
    assert math.isfinite(smooth.runs[0].mismatched.per_register)


def test_a_device_may_be_tuned_by_file_or_by_name(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "design.npy"
    np.save(rows, rs.load("toy").input_low + np.random.default_rng(0).integers(0, 4, (500, 2)))
    weights = tmp_path / "w.npy"
    np.save(weights, np.arange(1, 1798))
    for net, given, name in (
        ("toy", str(rows), "design.npy"),
        ("digits20", f"weights:{weights}", f"weights:{weights}"),
        ("toy", "uniform", "uniform"),
    ):
        asked = ["verify", net, "--policy", "uncompute", "--tuned-to", given, "--json"]
        assert main(asked) == 0
        found = json.loads(capsys.readouterr().out)["runs"][0]["mismatched"]
        assert found["tuned_to"] == name and found["infinite"] == 0
        assert found["per_bit_excess"] >= 0
    assert found["per_bit_excess"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: cross_entropy([0.5, 0.4], [0.5, 0.5]), "data: probabilities add up to 0.9"),
        (lambda: cross_entropy([0.5, 0.5], [0.7, 0.7]), "the prior: probabilities add up to 1.4"),
        (lambda: cross_entropy([0.5, 0.5], [1.5, -0.5]), "probability 1 is negative, got -0.5"),
        (lambda: cross_entropy([1.0], [0.5, 0.5]), "data has 1 cells, the prior has 2"),
        (lambda: cross_entropy([[1.0]], [[1.0]]), "expected a list of probabilities"),
        (lambda: gate_mismatch([0.5, 0.5], [0.5, 0.5], [0]), "needs as many outputs"),
        (lambda: rs.verify("xor", tuned_to=[[0, 2]]), "row 0"),
        (lambda: rs.verify("xor", tuned_to=[[0, 1]], pseudocount=-1), "pseudocount"),
        (lambda: rs.verify("xor", scope="planet"), "bit, register, layer, kept"),
        (lambda: logic("odd", 2, [("nor", 0, 1)], [2]), "gates are and, xor, majority"),
        (lambda: logic("odd", 2, [("and", 0, 3)], [2]), "signal 3, which is not made before it"),
        (lambda: logic("odd", 2, [("and", 0)], [2]), "reads 2 literals, got 1"),
        (lambda: all_inputs(40), "between 1 and 24 can be enumerated"),
        (lambda: adder(0), "at least one bit"),
        (lambda: adder(2, "nand"), "choose xor_and, aig or majority"),
    ],
)
def test_bad_input_is_one_message(call: Callable[[], object], says: str) -> None:
    with pytest.raises(rs.InputError) as raised:
        call()
    assert says in str(raised.value) and "\n" not in str(raised.value)


def test_two_circuits_have_no_mismatch() -> None:
    one, other = (
        simulate(rs.compile(rs.load("xor"), policy=p), rs.uniform([0, 0], [1, 1]), values=True)
        for p in ("uncompute", "bennett")
    )
    with pytest.raises(rs.InputError, match="two runs of one circuit"):
        mismatch(one.tally, other.tally, "a", "b")


def test_rows_added_to_a_prior_go_to_every_value_of_a_register() -> None:
    """Two bits, 0..3 alike, tuned to one row of 0: the others have half a row of 1 + 4 x 0.5."""
    device = Device([bits(2)])
    device.erase("x", device.inputs[0].wires, "layer_input", "x")
    circuit = device.circuit("reset", [], (), "as_written", "destroy", "")
    met, tuned = (
        simulate(circuit, rs.data_set(rows), values=True).tally
        for rows in ([[0], [1], [2], [3]], [[0]])
    )
    found = mismatch(met, tuned, "data", "design", pseudocount=0.5)
    assert found.per_register == pytest.approx(cross_entropy([0.25] * 4, [0.5, *[1 / 6] * 3]))
    assert found.per_bit == pytest.approx(2 * cross_entropy([0.5] * 2, [0.75, 0.25]))


def test_relative_entropy_and_infinity() -> None:
    assert relative_entropy([0.5, 0.5], [0.5, 0.5]) == 0
    assert math.isinf(relative_entropy([0.5, 0.5], [1, 0]))
    assert math.isinf(gate_mismatch([0.5, 0.5, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]))
    assert relative_entropy([1, 0], [0.25, 0.75]) == 2


# --- scopes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_chooses_the_headline(scope: str, capsys: pytest.CaptureFixture[str]) -> None:
    ledger, words = SCOPES[scope]
    assert main(["verify", "toy", "--policy", "uncompute", "--scope", scope]) == 0
    text = capsys.readouterr().out
    assert f"* Scope {scope}, chosen by --scope: {words}." in " ".join(text.split())
    heads, looks = text.partition("Least heat at 300 K")[2].splitlines()[2:5:2]
    assert heads.index(ledger) + len(ledger) == looks.index("*") + 1, "* under the chosen ledger"
    assert max(map(len, text.splitlines())) <= 80
    report = rs.verify("toy", policy="uncompute", scope=scope).as_dict()
    energy = report["runs"][0]["energy"]
    assert (energy["scope"], energy["headline"]) == (scope, ledger)
    assert ledger in energy["joules"]


def test_no_scope_means_bit_by_bit() -> None:
    """The default must not be the flattering one."""
    report = rs.verify("toy", policy="uncompute")
    ledger = SCOPES[report.scope][0]
    total = report.runs[0].total
    assert getattr(total, ledger) == max(getattr(total, name) for name, _ in SCOPES.values())


def test_per_group_is_the_joint_entropy_of_all_that_a_group_erases() -> None:
    net = rs.load("toy")
    every = rs.uniform(net.input_low, net.input_high)
    run = rs.verify(net, every, policy="uncompute").runs[0]
    found = {row.layer: row.ledgers.per_group for row in run.rows}
    hidden = np.maximum(every.rows @ [[1, -1, 1], [-1, 1, 1]] + [0, 0, -3], 0)
    assert found["layer1"] == pytest.approx(joint_entropy(every.rows))
    assert found["layer2"] == pytest.approx(joint_entropy(hidden))


# --- exports --------------------------------------------------------------------------------------


def exporting(kept: bool | None, whole: bool = False, choice: str = "destroy") -> Circuit:
    """AND of two bits; the AND (or the input) is exported or not; then both are erased."""
    device = Device([bits(2)])
    x = device.inputs[0]
    if whole:
        device.export(x, "input", kept=bool(kept))
    out = device.alloc("out", bits(1))
    b = Builder("and")
    p, q = b.port("x", 2), b.port("y", 1, zero=True)
    b.ccx(p[:1], p[1:], q)
    device.call(b.build(), x.wires, out.wires)
    device.layer = "layer1"
    if kept is not None and not whole:
        device.export(out, "y", kept=kept)
    device.erase("out", out.wires, "output", "y")
    device.erase("x", x.wires, "layer_input", "x")
    return device.circuit("and", [], (), "as_written", choice, "")


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(("kept", "left"), [(None, 0.0), (False, 0.0), (True, 0.811278)])
def test_only_what_is_declared_kept_is_kept(kept: bool | None, left: float, executor: str) -> None:
    tally = simulate(exporting(kept), rs.uniform([0], [3]), executor=executor).tally
    rows = {row.cause: row.ledgers for row in ledger_rows(tally)}
    total = total_of(ledger_rows(tally))
    assert tally.final.entropy == pytest.approx(left, abs=1e-6)
    assert total.given_kept == pytest.approx(2 - left, abs=1e-6)
    assert total.given_kept == pytest.approx(tally.initial.entropy - tally.final.entropy)
    assert rows["output"].given_kept == pytest.approx(0, abs=1e-12)  # x still tells it
    assert rows["output"].per_bit == pytest.approx(0.811278, abs=1e-6)


def test_everything_ever_seen_cannot_be_kept() -> None:
    with pytest.raises(rs.InputError, match="given_kept is 0 whatever the circuit does"):
        simulate(exporting(True, whole=True), rs.uniform([0], [3]))
    simulate(exporting(False, whole=True), rs.uniform([0], [3]))  # a record out of reach is allowed
    returned = simulate(exporting(True, whole=True, choice="return"), rs.uniform([0], [3]))
    assert total_of(ledger_rows(returned.tally)).given_kept == pytest.approx(0, abs=1e-12)


def test_a_copy_made_after_the_input_was_used_is_no_record_of_it() -> None:
    device = Device([bits(1), bits(1)])
    x, y = device.inputs
    b = Builder("sum")
    p, q = b.port("x", 1), b.port("y", 1)
    b.cx(p, q)
    device.call(b.build(), x.wires, y.wires)
    device.export(y, "sum", kept=True)
    device.layer = "layer1"
    device.erase("x", x.wires, "input", "x")
    device.erase("y", y.wires, "input", "y")
    circuit = device.circuit("sum", [], (), "as_written", "destroy", "")
    tally = simulate(circuit, rs.uniform([0, 0], [1, 1])).tally
    assert total_of(ledger_rows(tally)).given_kept == pytest.approx(1)


def test_exports_have_no_text_form() -> None:
    with pytest.raises(rs.InputError, match="no word for exports"):
        dumps(exporting(True))


# --- gates one by one -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["xor_and", "aig", "majority"])
@pytest.mark.parametrize("width", [1, 2, 5, 8])
def test_adders_add_whatever_they_are_made_of(form: str, width: int) -> None:
    found = adder(width, form)
    state = run_logic(found, all_inputs(2 * width))
    every = np.arange(1 << 2 * width)
    total = np.zeros_like(every)
    for k, literal in enumerate(found.outputs):
        words = ~state[~literal] if literal < 0 else state[literal]
        total += (words[every >> 6] >> (every & 63).astype(np.uint64) & np.uint64(1)).astype(
            np.int64
        ) << k
    assert (total == (every & (1 << width) - 1) + (every >> width)).all()


def by_truth_table(found: Logic) -> list[float]:
    """H(in) - H(out) of each gate, from integers, one input after the other."""
    rows = []
    for number in range(1 << found.inputs):
        values = [number >> k & 1 for k in range(found.inputs)]
        seen = []
        for kind, *literals in found.gates.tolist():
            a, b, c = (
                0 if p == 1 << 30 else 1 - values[~p] if p < 0 else values[p] for p in literals
            )
            out = (a & b, a ^ b, int(a + b + c > 1))[kind]
            seen.append((a, b, c, out))
            values.append(out)
        rows.append(seen)
    table = np.array(rows)
    return [
        joint_entropy(table[:, k, :3]) - joint_entropy(table[:, k, 3:])
        for k in range(len(found.gates))
    ]


@pytest.mark.parametrize("form", ["xor_and", "aig", "majority"])
def test_gate_losses_are_those_of_truth_tables(form: str) -> None:
    found = adder(3, form)
    loss = gate_entropies(found, all_inputs(6), 64).loss
    assert loss.tolist() == pytest.approx(by_truth_table(found), abs=1e-12)


def test_forwarding_an_input_saves_what_it_tells() -> None:
    found = gate_entropies(adder(1), all_inputs(2), 4)
    and_gate, xor_gate = 1, 0
    assert found.with_first[xor_gate] == pytest.approx(2)  # (a ^ b, a) is a bijection
    assert found.with_first[and_gate] == pytest.approx(1.5)
    assert found.with_second[and_gate] == pytest.approx(1.5)


def test_each_forwarded_input_saves_what_that_input_tells() -> None:
    """Inputs of different probabilities, so that the two must not be confused."""
    found, every = adder(2, "majority"), np.arange(16)
    weights = np.random.default_rng(0).integers(1, 9, 16)
    entropies = gate_entropies(found, all_inputs(4), 16, weights)
    state = run_logic(found, all_inputs(4))[:, 0]
    seen = [state[s] >> every.astype(np.uint64) & np.uint64(1) for s in range(found.signals)]
    for k, (kind, first, second, _) in enumerate(found.gates.tolist()):
        if min(first, second) >= 0 and max(first, second) < found.signals:
            for literal, value in ((first, entropies.with_first), (second, entropies.with_second)):
                both = np.stack([seen[found.inputs + k], seen[literal]], axis=1)
                assert value[k] == pytest.approx(joint_entropy(both, weights), abs=1e-12), kind
    assert not np.allclose(entropies.with_first, entropies.with_second)


def test_conventional_netlists_are_read_back_gate_by_gate() -> None:
    net = from_arrays([[[1, -2], [1, 1]], [[1, -1]]], output="none", input_range=(0, 3))
    every = rs.uniform(net.input_low, net.input_high)
    circuit = rs.compile(net, policy="conventional")
    run = rs.verify(net, every, policy="conventional").runs[0]
    assert run.circuit_loss is not None
    assert run.circuit_loss.free == pytest.approx(run.total.gate_local)
    assert len(logic_of(circuit).gates) == sum(
        len(gates.joint) for gates in simulate(circuit, every).tally.gates
    )
    assert run.circuit_loss.map_loss == pytest.approx(run.total.given_kept)


def test_signals_that_nobody_reads_are_what_copied_fan_out_adds() -> None:
    found = logic("wasteful", 3, [("and", 0, 1), ("xor", 0, 1)], [4])
    loss = circuit_loss(found, all_inputs(3), 8)
    thrown = [step for step in loss.steps if step.name == "reset"]
    assert [round(step.local, 6) for step in thrown] == [1.0, 0.811278]  # input 2 and the AND
    assert loss.copied - loss.free == pytest.approx(sum(step.local for step in thrown))
    assert loss.map_loss == pytest.approx(2) and loss.copies == 2


# --- words ----------------------------------------------------------------------------------------


def test_verdicts_name_ledgers_margins_neurons_and_reasons() -> None:
    report = rs.verify("digits20", policy="activation_reset").as_dict()
    first, second = report["runs"][0]["verdicts"]
    assert [first.partition(",")[0], second.partition(",")[0]] == list(READINGS)
    assert "neuron_entropy (-" in first and "not met by" in first
    assert "layer1[0]" in first and "break p <= p*" in first and "more" in first
    assert "log2 N ceiling" in first and "pattern_entropy" in first
    assert "met by neuron_entropy (+" in second
    for verdict, reading in ((first, READINGS[0]), (second, READINGS[1])):
        met, _, missed = verdict.partition(": ")[2].partition("not met by ")
        for compared in report["runs"][0]["comparison"]:
            if compared["reading"] == reading and compared["holds"] is not None:
                said = f"{compared['quantity']} ({signed(compared['margin'])})"
                assert (said in met, said in missed) == (compared["holds"], not compared["holds"])
    loud = next(c for c in report["conditions"] if c["id"] == "p_star")
    assert loud["holds"] is False and len(loud["breaks"]) == len(report["activity"]["loud"])


def test_a_reading_of_no_bits_has_nothing_to_compare() -> None:
    never = "nothing to compare: no neuron is ever active in these rows"
    for rows in ([[0, 0]], [[0, 0], [0, 0]]):
        report = rs.verify("xor", rows, policy="activation_reset")
        assert report.as_dict()["runs"][0]["verdicts"] == [f"{r}, 0.000: {never}" for r in READINGS]
        assert " ".join(str(report).split()).count(never) == 2
    active, changed = rs.verify("xor", [[1, 1]]).as_dict()["runs"][0]["verdicts"]
    assert "not met by neuron_entropy (-2.000)" in active  # always on: no entropy
    assert changed.endswith("nothing to compare: no neuron ever changes in these rows")


def test_a_neuron_that_is_always_on_breaks_both_conditions() -> None:
    net = from_arrays([[[1, 1], [1, -1]]], [[1, 0]], output="activation")
    found = {
        c["id"]: c["breaks"] for c in rs.verify(net, policy="uncompute").as_dict()["conditions"]
    }
    assert found == {"p_star": ["layer1[0]"], "varies": ["layer1[0]"]}


def test_long_lists_are_cut_with_a_count() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([f"n{k}" for k in range(100)]).endswith("n5 and 94 more")
    net = from_arrays([np.ones((40, 2), dtype=int)], [np.ones(40, dtype=int)], output="activation")
    text = str(rs.verify(net, policy="uncompute"))
    assert "and 16 more; --json and --neurons list them all" in text
    assert max(map(len, text.splitlines())) <= 80
