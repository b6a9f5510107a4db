"""What is said of a graph beside its circuit: entropies by definition, which checks see what."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from test_graph_verification import compiled, report_of, running_sum

from revsim.circuit.banks import BankErase, Calls, Recipe, TensorCircuit
from revsim.circuit.builder import Builder
from revsim.errors import InputError
from revsim.graph_known import GraphKnown, known_of_graph
from revsim.graph_rows import samples_of
from revsim.graph_run import run_graph_circuit
from revsim.graph_verification import cut_losses, graph_accuracy, graph_digest, samples_digest
from revsim.ledger.ledgers import ledger_rows
from revsim.ledger.reference import column_entropies
from revsim.network.graph import Graph, Linear, Node, Tensor, Wiring
from revsim.network.graph_reference import run_graph
from revsim.network.operators import Clamp
from revsim.schedule.graphs import schedule_graph
from revsim.schedule.views import views_of
from revsim.simulator.ensemble import data_set, uniform
from revsim.simulator.run import simulate
from tests.tensor_circuits import lower_by_tables, small_graph


@pytest.fixture(scope="module")
def known() -> GraphKnown:
    return known_of_graph(small_graph(), uniform([0] * 4, [3] * 4))


# --- entropies, activity --------------------------------------------------------------------------


def signed_graph() -> Graph:
    """x in -3..3 doubled and clamped; the output's zero point is -2."""
    tensors = {
        "x": Tensor("x", (1, 3), -3, 3, 0.5, 1),
        "y": Tensor("y", (1, 3), -4, 4, 0.5, -2),
    }
    operator = Linear("dense", np.array([[2]]), np.array([0]), np.arange(3).reshape(3, 1, 1))
    node = Node("double", operator, ("x",), "y", (Clamp(-4, 4),), True)
    return Graph("signed", tensors, (node,), ("x",), ("y",))


def test_active_is_above_the_zero_of_the_tensor() -> None:
    """An integer equal to the zero point stands for 0 and is not active."""
    found = known_of_graph(signed_graph(), data_set(np.array([[-3, -1, 0], [3, -2, 1]])))
    assert found.activity.active_neurons == (1 + 2) / 2


def test_separate_losses_are_sums_over_values(known: GraphKnown) -> None:
    """Weighted sums one by one: H(z) - H(y) of each; cells: all that their inputs hold."""
    for layer in known.layers:
        y = known.values[{n.name: n.output for n in known.graph.nodes}[layer.name]]
        z = known.values.get(f"{layer.name}.z")
        if z is not None:
            expected = (column_entropies(z, None) - column_entropies(y, None)).sum()
            assert layer.separate_loss == pytest.approx(expected)


def test_a_ceiling_is_the_rows_own_not_the_networks() -> None:
    """All distinct rows are a ceiling of the entropy unless they are all inputs there are."""
    graph = small_graph()
    every = uniform([0] * 4, [3] * 4)
    assert not known_of_graph(graph, data_set(every.rows)).ceiling
    assert known_of_graph(graph, data_set(every.rows[:50])).ceiling


def test_steps_of_a_stream_have_no_weights() -> None:
    weighted = replace(data_set(np.array([[0, 1], [1, 0]])), weights=np.array([2, 3]))
    with pytest.raises(InputError, match="no weights"):
        known_of_graph(running_sum(), weighted)


# --- what each check sees -------------------------------------------------------------------------


def with_calls(circuit: TensorCircuit, change: Callable) -> TensorCircuit:
    """The first call of a circuit replaced."""
    k = next(k for k, item in enumerate(circuit.body) if isinstance(item, Calls))
    body = (*circuit.body[:k], change(circuit.body[k]), *circuit.body[k + 1 :])
    return replace(circuit, body=body)


def first_value_flipped(calls: Calls) -> Calls:
    """The result is wrong wherever the second input of the definition is at its highest."""
    made = calls.recipe.make()
    b = Builder("spoilt")
    wires = [b.port(p.name, p.width, p.zero_in) for p in made.ports]
    b.call(made, *wires)
    b.mcx([(int(w), True) for w in wires[0][2:4]], int(wires[1][0]))
    spoilt = b.build()
    return replace(calls, recipe=Recipe("spoilt", spoilt.ports, lambda: spoilt))


def test_directed_inputs_are_held_too() -> None:
    """Wrong only where no row of data comes: found on the directed inputs, by name."""
    narrow = known_of_graph(small_graph(), data_set(np.zeros((3, 4), dtype=np.int64)))
    circuit = with_calls(compiled("uncompute"), first_value_flipped)
    outputs = next(c for c in report_of(circuit, narrow).circuit_checks if c.id == "outputs")
    assert not outputs.holds
    assert "a[" in str(outputs) and "on directed input" in str(outputs)


def test_violations_on_directed_inputs_count() -> None:
    """A wire that is dirty only where no row of data comes."""
    narrow = known_of_graph(small_graph(), data_set(np.zeros((3, 4), dtype=np.int64)))
    circuit = compiled("uncompute")
    inputs = {id(bank.wires) for bank in circuit.inputs}
    keep = [
        k
        for k, item in enumerate(circuit.body)
        if not (isinstance(item, BankErase) and id(item.bank.wires) in inputs)
    ]
    circuit = replace(
        circuit,
        body=tuple(circuit.body[k] for k in keep),
        layer_of=tuple(circuit.layer_of[k] for k in keep),
    )
    checks = {c.id: c.holds for c in report_of(circuit, narrow).circuit_checks}
    assert len(keep) < len(compiled("uncompute").body)
    assert checks["ancillas"] is False


def test_a_definition_that_is_not_its_own_way_back(known: GraphKnown) -> None:
    """A reset within a definition is no permutation, which `inverse` finds by running it."""

    def resets(calls: Calls) -> Calls:
        made = calls.recipe.make()
        b = Builder("resets")
        wires = [b.port(p.name, p.width, p.zero_in) for p in made.ports]
        t = b.local("t")
        b.ccx(wires[0][:1], wires[0][1:2], t)
        b.conventional_erase(t, "gate_output")
        b.call(made, *wires)
        reset = b.build()
        return replace(calls, recipe=Recipe("resets", reset.ports, lambda: reset))

    report = report_of(with_calls(compiled("uncompute"), resets), known)
    assert not next(c for c in report.circuit_checks if c.id == "inverse").holds


def test_losses_beside_the_nodes_and_of_values_apart(known: GraphKnown) -> None:
    """layer_sum holds what is erased beside every node, and that values apart lose no less."""
    tally = simulate(compiled("uncompute"), known.ensemble, threads=1).tally
    rows = ledger_rows(tally)
    assert cut_losses(known, rows).holds
    beside = [replace(r, layer="copies") if r.layer == "dense" else r for r in rows]
    still = replace(known, cuts=(*known.cuts[:-2], known.cuts[-1], known.cuts[-1]))
    assert not cut_losses(still, beside).holds
    little = replace(known.layers[0], separate_loss=0.0)
    assert not cut_losses(replace(known, layers=(little, *known.layers[1:])), rows).holds


# --- the head of a report -------------------------------------------------------------------------


def test_accuracy_of_one_value_is_the_value_itself() -> None:
    graph = running_sum()
    tensors = {n: Tensor(n, (1, 1), 0, 3) for n in ("x", "y")}
    node = Node("copy", Wiring("copy", np.array([0])), ("x",), "y")
    graph = Graph("one", tensors, (node,), ("x",), ("y",))
    found = known_of_graph(graph, data_set(np.array([[0], [3], [2], [2]])))
    accuracy = graph_accuracy(found, [0, 3, 2, 1])
    assert accuracy is not None and accuracy["share"] == 0.75
    assert graph_accuracy(found, None) is None


def test_digests_tell_graphs_and_streams_apart() -> None:
    """Any weight, read, range or index changes the digest; the order of steps changes a stream's,
    that of rows does not change data's."""
    graph = small_graph()
    digests = {graph_digest(graph), graph_digest(small_graph(1))}
    conv = graph.nodes[0]
    assert isinstance(conv.operator, Linear)
    changed = [
        replace(conv.operator, weights=conv.operator.weights + 1),
        replace(conv.operator, bias=conv.operator.bias + 1),
        replace(conv.operator, reads=conv.operator.reads[::-1]),
    ]
    for operator in changed:
        nodes = (replace(conv, operator=operator), *graph.nodes[1:])
        digests.add(graph_digest(replace(graph, nodes=nodes)))
    join = graph.nodes[4]
    assert isinstance(join.operator, Wiring)
    moved = replace(join, operator=replace(join.operator, index=join.operator.index[::-1]))
    digests.add(graph_digest(replace(graph, nodes=(*graph.nodes[:4], moved, graph.nodes[5]))))
    assert len(digests) == 6
    rows = np.array([[0, 1], [2, 3], [1, 1]])
    stream = running_sum()
    forward, back = data_set(rows), data_set(rows[::-1])
    assert samples_digest(stream, forward) != samples_digest(stream, back)
    pair = signed_graph()
    assert samples_digest(pair, forward) == samples_digest(pair, back)


# --- samples, running -----------------------------------------------------------------------------


def test_inputs_in_order_where_their_names_are_others() -> None:
    tensors = {n: Tensor(n, (2,), 0, 9) for n in ("p", "q", "y")}
    node = Node("n", Wiring("concat", np.array([0, 3])), ("p", "q"), "y")
    graph = Graph("two", tensors, (node,), ("p", "q"), ("y",))
    first, second = np.array([[1, 2]]), np.array([[3, 4]])
    found = samples_of(graph, {"one": first, "other": second})
    assert found["p"].tolist() == [[1, 2]] and found["q"].tolist() == [[3, 4]]
    found = samples_of(graph, {"q": second, "p": first})
    assert found["p"].tolist() == [[1, 2]] and found["q"].tolist() == [[3, 4]]


def test_every_tensor_of_more_rows_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows go through in batches; tensors are put together from the places they are read at."""
    monkeypatch.setattr("revsim.schedule.graphs.lower_graph", lower_by_tables)
    monkeypatch.setattr("revsim.graph_run.BATCH", 70)
    graph = small_graph()
    rows = uniform([0] * 4, [3] * 4).rows[:150]
    expected = run_graph(graph, {"x": rows})
    for policy in ("uncompute", "activation_reset"):
        found, _ = run_graph_circuit(graph, {"x": rows}, policy, tensors=True)
        for name in ("a", "b", "sum", "pool", "y"):
            assert (found[name] == expected[name]).all(), name


# --- liveness -------------------------------------------------------------------------------------


def test_a_tensor_lives_until_its_last_read_and_no_longer() -> None:
    """Registers, not names, are what is read: a view keeps what is read of it, padding nothing."""
    tensors = {n: Tensor(n, (2,), 0, 3) for n in ("p", "q")}
    tensors |= {"both": Tensor("both", (4,), 0, 3)}
    tensors |= {n: Tensor(n, (1,), 0, 6) for n in ("first", "second", "third")}

    def total(reads: list[int]) -> Linear:
        return Linear("dense", np.ones((1, len(reads)), int), np.array([0]), np.array([[reads]]))

    nodes = (
        Node("join", Wiring("concat", np.arange(4)), ("p", "q"), "both"),
        Node("one", total([2, 3]), ("both",), "first"),
        Node("two", total([0, -1]), ("both",), "second"),
        Node("three", total([1, -1]), ("both",), "third"),
    )
    graph = Graph("g", tensors, nodes, ("p", "q"), ("first", "second", "third"))
    views = views_of(graph)
    last = {r.name: int(n) for r, n in zip(views.roots, views.last, strict=True)}
    assert last == {"p": 3, "q": 1, "first": 4, "second": 4, "third": 4}
    circuit = schedule_graph(graph, lower_by_tables(graph), "uncompute", "destroy")
    erased = {i.value_of: i.layer for i in circuit.body if isinstance(i, BankErase)}
    assert erased == {"q": "one", "p": "three"}
