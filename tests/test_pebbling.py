"""Pebbling: schedules against a search of all schedules, and circuits compiled from them."""

import heapq
from functools import cache
from itertools import pairwise
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes import outcome_of

import revsim as rs
from revsim.circuit.definition import Erase
from revsim.circuit.measures import circuit_counts, circuit_width
from revsim.errors import InputError
from revsim.experiments.pebbling import deep_network
from revsim.ledger.ledgers import ledger_rows, total_of
from revsim.lower.layer import lower
from revsim.network.bundled import BUNDLED, TRAINED
from revsim.network.network import Network
from revsim.pipeline import default_ensemble
from revsim.schedule.pebble import chain_of
from revsim.schedule.pebbling import (
    Chain,
    Move,
    Segment,
    bennett_1989,
    fewest_runs,
    front,
    furthest_node,
    least_pebbles,
    played,
    schedule,
    unit_chain,
)
from revsim.schedule.policy import compile_network, pebbled

SEARCHED = 12
"""Longest chain whose every position is searched."""


def search(chain: Chain, budget: float, price: float = inf) -> dict[int, float]:
    """Least cost of every reachable position (a bit mask of held outputs), by Dijkstra."""
    best = {0: 0.0}
    waiting = [(0.0, 0)]
    while waiting:
        cost, held = heapq.heappop(waiting)
        if cost > best[held]:
            continue
        space = sum(s.size for i, s in enumerate(chain) if held >> i & 1)
        for i, segment in enumerate(chain):
            here = held >> i & 1
            steps = []
            needed = space + segment.working + (0 if here else segment.size)
            if needed <= budget and (i == 0 or held >> (i - 1) & 1):
                steps.append(float(segment.cost))
            if here:
                steps.append(price * segment.size)
            for step in steps:
                if cost + step < best.get(held ^ 1 << i, inf):
                    best[held ^ 1 << i] = cost + step
                    heapq.heappush(waiting, (cost + step, held ^ 1 << i))
    return best


def at(chain: Chain, budget: int, price: float = inf) -> float:
    return float(front(chain, price).at(np.array([float(budget)]))[0])


@pytest.mark.parametrize("length", range(1, SEARCHED + 1))
def test_the_table_of_least_runs_equals_a_search_of_all_schedules(length: int) -> None:
    for pebbles in range(1, length + 1):
        reached = search(unit_chain(length), pebbles)
        assert at(unit_chain(length), pebbles) == reached.get(1 << (length - 1), inf)
        if pebbles >= least_pebbles(length):
            assert fewest_runs(length, pebbles) == reached[1 << (length - 1)]


@pytest.mark.parametrize("pebbles", range(1, 4))
def test_the_furthest_node_is_that_of_a_search(pebbles: int) -> None:
    reached = search(unit_chain(SEARCHED), pebbles)
    assert max(held.bit_length() for held in reached) == furthest_node(pebbles) == 2**pebbles - 1


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 9, 16, 17, 32])
def test_clean_pebbling_takes_one_pebble_more_than_log2(length: int) -> None:
    assert least_pebbles(length) == 1 + (length - 1).bit_length()
    assert fewest_runs(length, length) == 2 * length - 1
    with pytest.raises(InputError, match=f"least that works is {least_pebbles(length)}"):
        fewest_runs(length, least_pebbles(length) - 1)


segments = st.builds(Segment, st.integers(1, 9), st.just(1), st.just(0))
uneven = st.builds(Segment, st.integers(1, 9), st.integers(1, 6), st.integers(0, 6))


@settings(max_examples=60, deadline=None)
@given(st.lists(segments, min_size=1, max_size=7), st.sampled_from([0.5, 1.0, 2.0, 5.0, inf]))
def test_layers_of_equal_size_are_scheduled_as_cheaply_as_can_be(
    layers: list[Segment], price: float
) -> None:
    chain = tuple(layers)
    for budget in range(1, len(chain) + 1):
        if price < inf and len({segment.cost for segment in chain}) > 1:
            chain = (chain[0],) * len(chain)  # a price is promised for equal layers
        assert at(chain, budget, price) == search(chain, budget, price).get(
            1 << (len(chain) - 1), inf
        )


@settings(max_examples=60, deadline=None)
@given(st.lists(uneven, min_size=1, max_size=6))
def test_layers_of_unequal_size_fit_the_budget_and_never_beat_the_search(
    layers: list[Segment],
) -> None:
    chain = tuple(layers)
    for budget in front(chain).budgets.astype(int).tolist():
        moves = schedule(chain, budget)
        played(moves)
        assert sum(chain[move.node].cost for move in moves) == at(chain, budget)
        held: set[int] = set()
        for node, _ in moves:
            inside = sum(chain[i].size for i in held | {node}) + chain[node].working
            assert inside <= budget
            held ^= {node}
        assert at(chain, budget) >= search(chain, budget)[1 << (len(chain) - 1)]


@settings(max_examples=60, deadline=None)
@given(st.lists(uneven, min_size=2, max_size=6), st.sampled_from([0.5, 1.0, 2.0, 5.0]))
def test_what_is_erased_is_paid_by_its_size(layers: list[Segment], price: float) -> None:
    chain = tuple(layers)
    for budget in front(chain, price).budgets.astype(int).tolist():
        moves = schedule(chain, budget, price)
        played(moves)
        paid = sum(
            price * chain[node].size if action == "erase" else chain[node].cost
            for node, action in moves
        )
        assert paid == pytest.approx(at(chain, budget, price))


@pytest.mark.parametrize(("branching", "levels"), [(2, 1), (2, 3), (2, 4), (3, 2), (4, 2), (2, 0)])
def test_bennetts_schedule_takes_his_runs_and_checkpoints(branching: int, levels: int) -> None:
    found = played(bennett_1989(branching, levels))
    assert found == ((2 * branching - 1) ** levels, levels * (branching - 1) + 1, 0)
    assert found.runs >= fewest_runs(branching**levels, found.peak)


def test_bennetts_schedule_is_not_the_shortest() -> None:
    runs, peak, _ = played(bennett_1989(2, 3))
    assert runs - fewest_runs(8, peak) == 27 - 25


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ([Move(1, "compute")], "move 0: layer 1 is run, but its input is not held"),
        ([Move(0, "compute"), Move(0, "compute")], "output is held already"),
        ([Move(0, "erase")], "output is not held"),
        ([Move(0, "compute"), Move(1, "compute")], r"ends with layers \[0, 1\] held, not 1 alone"),
    ],
)
def test_a_schedule_that_breaks_the_rules_is_refused(moves: list[Move], message: str) -> None:
    with pytest.raises(InputError, match=message):
        played(moves)


def test_no_layers_and_no_blocks_are_refused() -> None:
    with pytest.raises(InputError, match="a chain of 0 layers"):
        unit_chain(0)
    with pytest.raises(InputError, match="2 or more blocks"):
        bennett_1989(1, 2)


# --- compiled circuits ----------------------------------------------------------------------------


deep = cache(deep_network)


def test_deep_networks_tell_their_inputs_apart_to_the_last_layer() -> None:
    net = deep(32)
    values = rs.run_reference(net, default_ensemble(net)[0].rows)
    states = [len(np.unique(layer.y, axis=0)) for layer in values]
    assert states == sorted(states, reverse=True) and states[-1] >= 4
    early = rs.run_reference(deep(8), default_ensemble(net)[0].rows)
    np.testing.assert_array_equal(early[-1].y, values[7].y)


def cases() -> list[tuple[str, str, str]]:
    """Network, policy, input choice: every bundled network within every number of registers."""
    depth = {name: len(rs.load(name).layers) for name in BUNDLED} | {"6": 6, "8": 8}
    out = [(name, "pebble", "return") for name in depth if name not in TRAINED]
    for name, layers in depth.items():
        for pebbles in range(least_pebbles(layers), layers + 1 + name.isdigit()):
            choices = ("keep",) if name in TRAINED[1:] else ("keep", "destroy")
            out += [(name, f"pebble:{pebbles}", choice) for choice in choices]
    return out


def named(name: str) -> Network:
    return deep(int(name)) if name.isdigit() else rs.load(name)


@pytest.mark.parametrize(("name", "policy", "choice"), cases())
def test_every_pebbled_circuit_computes_the_reference_with_clean_ancillas(
    name: str, policy: str, choice: str
) -> None:
    net = named(name)
    ensemble, _ = default_ensemble(net)
    if len(ensemble.rows) > 200:
        ensemble = rs.data_set(ensemble.rows[:: len(ensemble.rows) // 200])
    report = rs.verify(net, ensemble, policy=policy, input=choice, threads=1)
    (run,) = report.runs
    assert report.holds and run.policy == policy
    assert {c.id: c.holds for c in run.circuit_checks}["ancillas"]
    assert {i.id: i.holds for i in run.identities}["bennett"]
    assert (run.total.reset_count == 0) == (choice != "destroy")


@pytest.mark.parametrize("layers", [6, 8])
def test_fewer_registers_take_more_gates_and_no_more_wires(layers: int) -> None:
    net = deep(layers)
    few, many = least_pebbles(layers), layers
    circuits = [compile_network(net, f"pebble:{k}", "keep") for k in range(few, many + 1)]
    gates = [circuit_counts(c).gates for c in circuits]
    assert gates == sorted(gates, reverse=True) and gates[0] > gates[-1]
    bennett = compile_network(net, "bennett", "keep")
    assert gates[-1] < circuit_counts(bennett).gates  # no copy, and the last layer once
    assert circuit_width(circuits[0]) < circuit_width(bennett)


@pytest.mark.parametrize("layers", [6, 8])
def test_a_budget_of_wires_is_kept_and_more_wires_cost_no_more_gates(layers: int) -> None:
    net = deep(layers)
    with pytest.raises(InputError, match="the least that works is") as caught:
        compile_network(net, "pebble:1w")
    least = int(str(caught.value).partition("works is ")[2].split()[0])
    with pytest.raises(InputError, match=f"within {least - 1} wires"):
        compile_network(net, f"pebble:{least - 1}w")
    gates = []
    for budget in range(least, least + 30, 6):
        circuit = compile_network(net, f"pebble:{budget}w", "keep")
        assert circuit_width(circuit) <= budget
        gates.append(circuit_counts(circuit).gates)
    assert gates == sorted(gates, reverse=True)
    assert circuit_width(compile_network(net, f"pebble:{least}w")) == least


def test_within_registers_the_dear_layers_run_least_often() -> None:
    """The middle layer is the widest: gates are the least of all schedules that fit."""
    random = np.random.default_rng(0)
    sizes = (2, 2, 2, 8, 2, 2)
    shapes = pairwise(sizes)
    net = rs.from_arrays(
        [random.integers(-1, 2, (after, before)) for before, after in shapes],
        activation_range=(0, 3),
        input_range=(0, 1),
    )
    chain = tuple(Segment(segment.cost) for segment in chain_of(lower(net)))
    unit = schedule(unit_chain(len(chain)), 4)
    for budget in range(least_pebbles(len(chain)), len(chain) + 1):
        gates = circuit_counts(compile_network(net, f"pebble:{budget}", "keep")).gates
        assert gates == search(chain, budget)[1 << (len(chain) - 1)]
    assert sum(chain[node].cost for node, _ in unit) > at(chain, 4)


@pytest.mark.parametrize("price", [0.1, 1.0, 3.0])
def test_erased_checkpoints_are_paid_bit_by_bit_but_not_given_the_input(price: float) -> None:
    net = deep(8)
    ensemble, _ = default_ensemble(net)
    moves = schedule(unit_chain(8), 4, price)
    circuit = compile_network(net, pebbled(moves), "keep")
    run = rs.simulate(circuit, ensemble)
    np.testing.assert_array_equal(run.outputs, rs.run_reference(net, ensemble.rows)[-1].y)
    total = total_of(ledger_rows(run.tally))
    erased = [item for item in circuit.body if isinstance(item, Erase)]
    assert bool(erased) == any(move.action == "erase" for move in moves)
    assert total.reset_count == sum(len(item.register.wires) for item in erased)
    assert abs(total.given_kept) < 1e-9  # the kept input says what they were


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("pebble:3", "8 layers cannot be pebbled within 3 registers; the least that works is 4"),
        ("pebble:0", "least that works is 4"),
        ("pebble:", "after the colon comes a number"),
        ("pebble:-1", "after the colon comes a number"),
        ("pebble:3x", "after the colon comes a number"),
        ("bennett:3", "unknown policy 'bennett:3'"),
        ("pebbles", "unknown policy 'pebbles'"),
    ],
)
def test_what_cannot_be_pebbled_is_said(policy: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compile_network(deep(8), policy)


def test_the_experiment_counts_what_the_theory_says() -> None:
    outcome = outcome_of("pebbling")
    assert outcome.holds
    for way, layers, pebbles, bennett, least in outcome.tables[
        "Runs of layers: least (Knill) and in Bennett's schedule"
    ].rows:
        branching, levels = (int(v) for v in way.split(", "))
        assert (layers, bennett) == (branching**levels, (2 * branching - 1) ** levels)
        assert least <= bennett
        if layers <= SEARCHED:
            assert least == search(unit_chain(layers), pebbles)[1 << (layers - 1)]
    assert outcome.numbers["greatest_given_kept"] == pytest.approx(0, abs=1e-9)
    for points in (outcome.series["lengths"], outcome.series["surface"]):
        assert all(p["erased"] >= 0 and p["registers"] <= p["budget"] for p in points)
