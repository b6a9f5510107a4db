"""Theorems of the ledgers as properties: random programs with skewed inputs, random networks.

T7 on the device and T8 have files of their own (test_class_l.py, test_streams.py).
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_circuits import bits
from random_programs import gates as some_gates

import revsim as rs
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit, Erase
from revsim.circuit.logic import logic as rs_logic
from revsim.circuit.logic import logic_of, random_logic
from revsim.circuit.registers import Register
from revsim.ledger import identities
from revsim.ledger.closed_forms import bijective_in_place, relu_loss_uniform
from revsim.ledger.gates import circuit_loss, gate_entropies
from revsim.ledger.ledgers import LADDER, LedgerRow, Ledgers, ledger_rows, total_of
from revsim.ledger.mismatch import mismatch
from revsim.ledger.pointwise import pointwise_rows, pointwise_spread, spread
from revsim.ledger.reference import joint_entropy, layer_entropies, neuron_statistics, relu_gap
from revsim.network.arrays import from_arrays
from revsim.network.network import Network
from revsim.network.operators import Clamp, Relu, Requantise, Threshold
from revsim.pipeline import DEFAULT_POLICIES
from revsim.schedule.device import Device
from revsim.simulator.ensemble import Ensemble, data_set
from revsim.simulator.logic import all_inputs
from revsim.simulator.run import simulate
from revsim.simulator.tally import Tally

SEEDS = st.integers(0, 2**32 - 1)
PROGRAMS = settings(max_examples=60)
NETWORKS = settings(max_examples=12)


def random_program(random: np.random.Generator) -> Circuit:
    """Gates of every kind on 6 bits between ERASEs of random registers, one or more at a time."""
    device = Device([bits(3), bits(3)])
    wires = np.concatenate([r.wires for r in device.inputs])
    for step in range(int(random.integers(1, 5))):
        device.layer = f"layer{step}"
        b = Builder(f"gates {step}")
        some_gates(b, b.port("x", 6), random, int(random.integers(1, 9)))
        device.call(b.build(), wires)
        chosen = random.permutation(wires)[: int(random.integers(1, 5))]
        for k, part in enumerate(np.array_split(chosen, int(random.integers(1, 3)))):
            device.erase(f"part {k}", part, "some", "x")
    out = Register("out", wires)
    return device.circuit("program", [out], (), "as_written", "destroy", "")


def skewed(random: np.random.Generator) -> Ensemble:
    """All 64 inputs with weights between 0 and about 10,000, far from uniform."""
    weights = (random.pareto(0.7, 64) * 3).clip(0, 10**4).astype(np.int64)
    weights[int(random.integers(64))] += 1
    every = np.arange(64)
    return data_set(np.stack([every % 8, every // 8], axis=1), weights)


def ran(seed: int) -> tuple[Circuit, Ensemble, Tally, tuple[LedgerRow, ...]]:
    random = np.random.default_rng(seed)
    circuit, ensemble = random_program(random), skewed(random)
    tally = simulate(circuit, ensemble, threads=1, pointwise=True, values=True).tally
    return circuit, ensemble, tally, ledger_rows(tally)


# --- T1, T2, T11: any program, any ensemble -------------------------------------------------------


@PROGRAMS
@given(SEEDS)
def test_programs_telescope_climb_the_ladder_and_average(seed: int) -> None:
    _, ensemble, tally, rows = ran(seed)
    for identity in (
        identities.telescoping(rows, tally),
        identities.ladder(rows),
        identities.pointwise(tally, ensemble.weights),
    ):
        assert identity.holds, identity


@PROGRAMS
@given(SEEDS)
def test_splitting_erasures_moves_only_what_registers_see(seed: int) -> None:
    """Into single bits: per_bit, per_group and given_kept stay, per_register can only grow."""
    circuit, ensemble, _, rows = ran(seed)
    body, layers = [], []
    for item, layer in zip(circuit.body, circuit.layer_of, strict=True):
        parts = [item]
        if isinstance(item, Erase):
            parts = [
                replace(item, register=Register(f"{item.register.name} {w}", np.array([w])))
                for w in item.register.wires.tolist()
            ]
        body += parts
        layers += [layer] * len(parts)
    split = replace(circuit, body=tuple(body), layer_of=tuple(layers))
    whole, single = total_of(rows), total_of(ledger_rows(simulate(split, ensemble).tally))
    for name in ("reset_count", "per_bit", "per_group", "given_kept", "ones_flipped"):
        assert getattr(single, name) == pytest.approx(getattr(whole, name), abs=1e-9)
    assert single.per_register == pytest.approx(single.per_bit, abs=1e-9)
    assert single.per_register >= whole.per_register - 1e-9


@PROGRAMS
@given(SEEDS)
def test_reversible_garbage_that_is_uncomputed_costs_nothing(seed: int) -> None:
    circuit, ensemble, _, rows = ran(seed)
    random = np.random.default_rng(seed)
    b = Builder("and back")
    x, spare = b.port("x", 6), b.local("spare", 2)
    some_gates(b, np.concatenate([x, spare]), random, 6)
    b.undo(0)
    device = Device([bits(3), bits(3)])
    device.call(b.build(), np.arange(6, dtype=np.int32))
    longer = replace(circuit, body=(*device.body, *circuit.body), layer_of=("", *circuit.layer_of))
    found = total_of(ledger_rows(simulate(longer, ensemble).tally))
    for name in LADDER:
        assert getattr(found, name) == pytest.approx(getattr(total_of(rows), name), abs=1e-9)


def test_the_ladder_has_its_gaps() -> None:
    """Two equal bits in two registers of one group, a copy kept: every gap is what T2 names."""
    device = Device([bits(2)])
    device.layer = "layer1"
    first, second = device.alloc("first", bits(2)), device.alloc("second", bits(2))
    b = Builder("copies")
    x, y, z = b.port("x", 2), b.port("y", 2, zero=True), b.port("z", 2, zero=True)
    b.cx(x, y)
    b.cx(x, z)
    device.call(b.build(), device.inputs[0].wires, first.wires, second.wires)
    device.erase("first", first.wires, "some", "x")
    device.erase("second", second.wires, "some", "x")
    circuit = device.circuit("gaps", [device.inputs[0]], (), "as_written", "keep", "")
    h = float(-(np.array([7, 1]) / 8 @ np.log2(np.array([7, 1]) / 8)))  # both bits are equal
    total = total_of(ledger_rows(simulate(circuit, data_set([[0], [3]], [7, 1])).tally))
    assert [getattr(total, name) for name in LADDER] == pytest.approx([4, 4 * h, 2 * h, h, 0])


def test_identities_notice_what_is_wrong() -> None:
    _, ensemble, tally, rows = ran(3)
    more = LedgerRow("layer9", "some", Ledgers(1, 1, 1, 1, 0.5))
    assert not identities.telescoping((*rows, more), tally).holds
    upside_down = LedgerRow("layer9", "some", Ledgers(1, 1, 0.5, 0.75, 0.5))
    assert not identities.ladder((*rows, upside_down)).holds
    group = tally.groups[0]
    assert group.pointwise is not None
    wrong = replace(tally, groups=(replace(group, pointwise=group.pointwise + 0.1),))
    assert not identities.pointwise(wrong, ensemble.weights).holds


def test_identities_of_reports_notice_what_is_wrong() -> None:
    report = rs.verify("toy", policy="uncompute")
    rows, loss = report.runs[0].rows, report.H_X - report.H_Y
    assert identities.layer_sum(report.layers, report.H_X, report.H_Y, rows).holds
    elsewhere = tuple(replace(row, layer="layer2") for row in rows)
    assert not identities.layer_sum(report.layers, report.H_X, report.H_Y, elsewhere).holds
    assert identities.floor(rows, False, loss).holds
    low = (LedgerRow("layer1", "some", Ledgers(9, 9, 9, loss - 0.1, loss - 0.1)),)
    assert not identities.floor(low, False, loss).holds
    tally = ran(3)[2]
    assert identities.circuit_end(tally, tally.final.entropy).holds
    assert not identities.circuit_end(tally, tally.final.entropy + 0.1).holds
    own = ledger_rows(tally)
    found = mismatch(tally, tally, "data", "data")
    assert identities.tuned_elsewhere(found, own).holds
    dearer = LedgerRow("layer9", "some", Ledgers(1, 1, 0, 0, 0))
    assert not identities.tuned_elsewhere(found, (*own, dearer)).holds


# --- T11: rows ------------------------------------------------------------------------------------


def test_a_row_loses_what_its_merger_hides() -> None:
    """AND with the inputs erased: three of four rows end in one state, one keeps itself."""
    device = Device([bits(2)])
    device.layer = "layer1"
    out = device.alloc("out", bits(1))
    b = Builder("and")
    x, y = b.port("x", 2), b.port("y", 1, zero=True)
    b.ccx(x[:1], x[1:], y)
    device.call(b.build(), device.inputs[0].wires, out.wires)
    device.erase("x", device.inputs[0].wires, "layer_input", "x")
    circuit = device.circuit("and", [out], (), "as_written", "destroy", "")
    ensemble = data_set(np.arange(4)[:, None], [1, 1, 2, 4])
    tally = simulate(circuit, ensemble, pointwise=True).tally
    (rows,) = pointwise_rows(tally).values()
    assert rows.tolist() == pytest.approx([2, 2, 1, 0])
    found = pointwise_spread(tally, ensemble.weights)
    assert found is not None
    assert (found.least, found.median, found.most) == (0, 0, 2)
    assert found.mean == pytest.approx(total_of(ledger_rows(tally)).given_kept)
    with pytest.raises(rs.InputError, match="pointwise=True"):
        pointwise_rows(simulate(circuit, ensemble).tally)


def test_a_spread_is_that_of_the_rows_written_out() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        n = int(random.integers(1, 9))
        values, weights = random.normal(size=n).round(1), random.integers(0, 4, n)
        weights[0] += 1
        rows = np.sort(np.repeat(values, weights))
        found = spread(values, weights)
        median = rows[(len(rows) - 1) // 2]
        assert (found.least, found.median, found.most) == (rows[0], median, rows[-1])
        assert found.mean == pytest.approx(rows.mean())


# --- T3: networks of gates ------------------------------------------------------------------------


@PROGRAMS
@given(SEEDS)
def test_random_logic_loses_gate_by_gate_what_brackets_say(seed: int) -> None:
    random = np.random.default_rng(seed)
    inputs, gates = int(random.integers(3, 7)), int(random.integers(1, 13))
    found = random_logic(inputs, gates, int(random.integers(1, gates + 1)), random)
    weights = random.integers(0, 5, 1 << inputs)
    weights[0] += 1
    loss = circuit_loss(found, all_inputs(inputs), 1 << inputs, weights)
    assert loss.residual < 1e-9
    assert loss.copied >= loss.free >= 0
    assert loss.copied - loss.map_loss > -1e-9  # sum of gate losses >= global loss
    local = gate_entropies(found, all_inputs(inputs), 1 << inputs, weights).loss
    named = [step.local for step in loss.steps if step.name != "reset"]
    assert named == pytest.approx(local.tolist(), abs=1e-9)


@PROGRAMS
@given(SEEDS)
def test_a_tree_on_independent_inputs_loses_nothing_beyond_its_function(seed: int) -> None:
    random = np.random.default_rng(seed)
    open_signals, made = list(range(5)), []
    while len(open_signals) > 1:
        a, b = (open_signals.pop(int(random.integers(len(open_signals)))) for _ in range(2))
        made.append((("and", "xor")[int(random.integers(2))], a, ~b if random.integers(2) else b))
        open_signals.append(4 + len(made))
    tree = rs_logic("tree", 5, made, open_signals)
    shares = random.integers(1, 9, (5, 2))
    weights = np.ones(32, dtype=np.int64)
    for k in range(5):
        weights *= shares[k][np.arange(32) >> k & 1]
    loss = circuit_loss(tree, all_inputs(5), 32, weights)
    assert loss.copies == 0 and loss.residual < 1e-9
    assert loss.copied == pytest.approx(loss.map_loss, abs=1e-9)


# --- T4, T5, T6, T7, T9, T10: networks ------------------------------------------------------------


def random_network(seed: int) -> Network:
    """Two dense layers on a few small inputs, with a random activation."""
    random = np.random.default_rng(seed)
    inputs, hidden, outputs = (int(v) for v in random.integers(1, 4, 3))
    shapes = ((hidden, inputs), (outputs, hidden))
    net = from_arrays(
        [random.integers(-3, 4, shape) for shape in shapes],
        [random.integers(-3, 4, shape[0]) for shape in shapes],
        activation="relu",
        input_range=(-int(random.integers(0, 3)), int(random.integers(1, 4))),
        output=("none", "argmax")[int(random.integers(2))] if outputs > 1 else "none",
        name=f"random {seed}",
    )
    other = (Relu(), Clamp(-2, 2), Threshold(np.full(hidden, 1)))[int(random.integers(3))]
    operators = tuple(other if isinstance(o, Relu) else o for o in net.operators)
    assert not any(isinstance(o, Requantise) for o in operators)
    return Network(net.name, net.input_low, net.input_high, operators)


@NETWORKS
@given(SEEDS)
def test_every_identity_holds_on_random_networks(seed: int) -> None:
    net = random_network(seed)
    every = rs.uniform(net.input_low, net.input_high)
    weights = np.random.default_rng(seed).integers(0, 9, len(every.rows))
    weights[0] += 1
    ensemble = data_set(every.rows, weights)
    for policy in DEFAULT_POLICIES:
        for choice in ("destroy", "return"):
            report = rs.verify(
                net, ensemble, policy=policy, input=choice, tuned_to=every, threads=1
            )
            assert report.holds, [i for i in report.runs[0].identities if i.holds is False]
            known = {i.id: i.holds for i in report.runs[0].identities}
            expected = {"telescoping", "ladder", "layer_sum", "linear_loss", "mismatched"}
            expected |= {"floor"} if choice == "destroy" else set()
            expected |= {"bennett"} if policy == "bennett" else set()
            expected |= {"circuit_loss"} if policy == "conventional" else set()
            relu = any(isinstance(o, Relu) for o in net.operators)
            expected |= {"relu_loss"} if relu else set()
            assert all(known[name] for name in expected)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_relu_of_a_uniform_word_is_the_closed_form(width: int) -> None:
    z = np.arange(-(1 << width - 1), 1 << width - 1)
    lost = joint_entropy(z[:, None]) - joint_entropy(np.maximum(z, 0)[:, None])
    assert lost == pytest.approx(relu_loss_uniform(width), abs=1e-12)


@PROGRAMS
@given(SEEDS)
def test_relu_loses_what_it_hides(seed: int) -> None:
    random = np.random.default_rng(seed)
    z, weights = random.integers(-6, 5, 30), random.integers(0, 4, 30)
    weights[0] += 1
    assert relu_gap(z, weights) < 1e-9
    assert relu_gap(z) < 1e-9


@PROGRAMS
@given(SEEDS)
def test_in_place_is_bijective_just_where_the_determinant_is_odd(seed: int) -> None:
    random = np.random.default_rng(seed)
    n, width = int(random.integers(1, 4)), int(random.integers(1, 4))
    weights = random.integers(-4, 5, (n, n))
    every = rs.uniform([0] * n, [(1 << width) - 1] * n).rows.astype(np.int64)
    images = every @ weights.T % (1 << width)
    lossless = joint_entropy(every) - joint_entropy(images) < 1e-12
    assert bijective_in_place(weights) == lossless == bool(round(np.linalg.det(weights)) % 2)


@PROGRAMS
@given(SEEDS)
def test_a_linear_layer_is_free_just_where_it_tells_inputs_apart(seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(0, 3, (20, 3))
    z = x @ random.integers(-2, 3, (2, 3)).T
    weights = random.integers(0, 3, 20)
    weights[0] += 1
    layer = layer_entropies("layer1", "dense", x, z, z, weights)
    held = weights > 0
    apart = len(np.unique(x[held], axis=0)) == len(np.unique(np.hstack([z])[held], axis=0))
    assert layer.injective == apart
    assert identities.linear_loss([layer]).holds
    assert not identities.linear_loss([replace(layer, injective=not apart)]).holds


@PROGRAMS
@given(SEEDS)
def test_class_l_bounds_hold_for_any_activity(seed: int) -> None:
    random = np.random.default_rng(seed)
    states = random.random((40, 5)) < random.random(5)
    weights = random.integers(0, 5, 40)
    weights[0] += 1
    values = states * random.integers(1, 4, states.shape)
    neurons = neuron_statistics("layer1", values, states, weights)
    assert identities.neuron_reset([neurons]).holds


# --- logic read from a compiled network -----------------------------------------------------------


def test_only_netlists_are_read_as_logic() -> None:
    net = rs.load("xor")
    assert len(logic_of(rs.compile(net, policy="conventional")).gates) > 0
    with pytest.raises(rs.InputError, match="no netlist of AND and XOR gates"):
        logic_of(rs.compile(net, policy="activation_reset"))
