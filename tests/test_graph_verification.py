"""Reports of graphs: what holds, what is noticed, and what users see on the command line."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import revsim as rs
from revsim.circuit.banks import BankErase, Calls, Recipe, TensorCircuit
from revsim.circuit.builder import Builder
from revsim.errors import InputError
from revsim.graphs.known import GraphKnown, known_of_graph
from revsim.graphs.rows import quantised, read_samples, samples_of
from revsim.graphs.run import _joined, run_graph_circuit, run_graph_to_files
from revsim.graphs.verification import cut_losses, graph_run_report
from revsim.ledger.ledgers import LedgerRow, Ledgers
from revsim.ledger.reference import column_entropies, joint_entropy
from revsim.network.graph import Cells, Graph, Node, State, Tensor, Wiring
from revsim.network.graph_reference import run_graph, run_stream
from revsim.network.reals import Stage, stages_of
from revsim.pipeline import DEFAULT_RUNS
from revsim.report.report import RunReport
from revsim.schedule.graphs import schedule_graph
from revsim.simulator.ensemble import uniform
from tests.tensor_circuits import Add, lower_by_tables, small_graph

RUNS = (*DEFAULT_RUNS, ("uncompute", "keep"), ("activation_reset", "return"))


@pytest.fixture(scope="module")
def known() -> GraphKnown:
    return known_of_graph(small_graph(), uniform([0] * 4, [3] * 4))


def report_of(circuit: TensorCircuit, known: GraphKnown) -> RunReport:
    return graph_run_report(circuit, known, threads=1)[0]


def compiled(policy: str, choice: str = "destroy") -> TensorCircuit:
    graph = small_graph()
    return schedule_graph(graph, lower_by_tables(graph), policy, choice)


@pytest.mark.parametrize(("policy", "choice"), RUNS)
def test_a_report_holds(policy: str, choice: str, known: GraphKnown) -> None:
    """Every check and every identity that applies, on all inputs; and which apply."""
    report = report_of(compiled(policy, choice), known)
    assert report.holds, [c for c in (*report.circuit_checks, *report.identities) if not c.holds]
    applies = {i.id for i in report.identities if i.holds}
    assert {"telescoping", "ladder", "circuit_end", "neuron_reset", "linear_loss"} <= applies
    assert ("layer_sum" in applies) == (choice == "destroy" and policy != "bennett")
    assert ("bennett" in applies) == (policy == "bennett")
    checks = {c.id: c.holds for c in report.circuit_checks}
    assert checks["outputs"] and checks["ancillas"] and checks["roles"]
    assert checks["linear_layers"] is (None if policy == "conventional" else True)


def test_figures_of_the_reference(known: GraphKnown) -> None:
    """Entropies by their definition; active neurons are those above zero."""
    values = run_graph(small_graph(), {"x": known.ensemble.rows})
    layers = {layer.name: layer for layer in known.layers}
    assert list(layers) == ["conv", "conv2", "add", "pool", "dense"]
    assert layers["add"].H_in == pytest.approx(
        joint_entropy(np.concatenate([values["a"], values["b"]], axis=1))
    )
    assert layers["conv"].H_z == pytest.approx(joint_entropy(values["conv.z"]))
    assert known.cuts[-1] == known.H_Y == pytest.approx(joint_entropy(values["y"]))
    both = np.concatenate([values["a"], values["b"]], axis=1)
    assert known.activity.active_neurons == pytest.approx((both > 0).mean(axis=0).sum())
    assert known.activity.neuron_states == 8


def spoiled(policy: str, change: Callable[[list, list], None]) -> TensorCircuit:
    circuit = compiled(policy)
    body, layer_of = list(circuit.body), list(circuit.layer_of)
    change(body, layer_of)
    return replace(circuit, body=tuple(body), layer_of=tuple(layer_of))


def first(body: list, kind: type) -> int:
    return next(k for k, item in enumerate(body) if isinstance(item, kind))


def drop_erase(body: list, layer_of: list) -> None:
    k = first(body, BankErase)
    del body[k], layer_of[k]


def drop_call(body: list, layer_of: list) -> None:
    k = [j for j, item in enumerate(body) if isinstance(item, Calls)][-1]
    del body[k], layer_of[k]


def erase_early(body: list, layer_of: list) -> None:
    """`a` is erased when the first of its two readers has run."""
    late = [
        j for j, item in enumerate(body) if isinstance(item, BankErase) and item.bank.name == "a"
    ]
    k = [j for j, name in enumerate(layer_of) if name == "conv2"][-1]
    body.insert(k + 1, body[late[0]])
    layer_of.insert(k + 1, "conv2")


def book_elsewhere(body: list, layer_of: list) -> None:
    for j, item in enumerate(body):
        if isinstance(item, BankErase) and item.layer == "dense":
            body[j] = replace(item, layer="pool")


def erase_inside(body: list, layer_of: list) -> None:
    """A definition of a policy without netlists that resets its ancilla."""
    b = Builder("resets")
    x, t = b.port("x", 2), b.local("t")
    b.ccx(x[:1], x[1:], t)
    b.conventional_erase(t, "gate_output")
    made = b.build()
    k = first(body, Calls)
    body.insert(k, Calls(Recipe("resets", made.ports, lambda: made), (body[k].wires[0][:, :2],)))
    layer_of.insert(k, layer_of[k])


SPOILED = {
    "an erasure is dropped": (drop_erase, {"ancillas"}),
    "a call is dropped": (drop_call, {"outputs"}),
    "a tensor is erased too early": (erase_early, {"outputs"}),
    "an erasure is booked on another layer": (book_elsewhere, {"layer_sum"}),
    "a definition erases": (erase_inside, {"linear_layers"}),
}


@pytest.mark.parametrize("case", SPOILED)
def test_what_is_wrong_is_noticed(case: str, known: GraphKnown) -> None:
    """Each spoiled circuit fails the check or identity that is there for it."""
    change, fails = SPOILED[case]
    report = report_of(spoiled("uncompute", change), known)
    broken = {c.id for c in report.circuit_checks if c.holds is False}
    broken |= {i.id for i in report.identities if i.holds is False}
    assert fails <= broken


@pytest.mark.parametrize("layer", ["conv", "dense", "beside the nodes"])
def test_what_any_node_or_none_loses_is_held(layer: str, known: GraphKnown) -> None:
    """T6 fails for a loss that is another one in any layer, or beside them where none is due."""
    rows = report_of(compiled("uncompute"), known).rows
    assert cut_losses(known, rows).holds
    more = LedgerRow(layer, "layer_input", Ledgers(given_kept=0.25))
    assert cut_losses(known, (*rows, more)).residual == pytest.approx(0.25)


def test_what_is_erased_beside_the_nodes() -> None:
    """An output that is a part of a tensor is copied; what stays behind is then erased."""
    small = small_graph()
    tensors = {**small.tensors, "part": Tensor("part", (1,), *ends_of(small))}
    nodes = (*small.nodes, Node("slice", Wiring("slice", np.array([1])), ("y",), "part"))
    graph = Graph("part of it", tensors, nodes, ("x",), ("part",))
    own = known_of_graph(graph, uniform([0] * 4, [3] * 4))
    assert own.cuts[-1] > own.H_Y
    for policy in ("uncompute", "activation_reset", "conventional"):
        circuit = schedule_graph(graph, lower_by_tables(graph), policy, "destroy")
        report = report_of(circuit, own)
        assert report.holds, policy


def ends_of(graph: Graph) -> tuple[int, int]:
    return graph.tensors["y"].low, graph.tensors["y"].high


def test_a_tensor_read_in_parts() -> None:
    """Each part at its own places, the last reading of a place counting; none where a place was
    never read."""
    parts = [
        (np.array([3, 0]), np.array([[1, 2], [3, 4]])),
        (np.array([2]), np.array([[5], [6]])),
        (np.array([1, 2]), np.array([[7, 8], [9, 10]])),
    ]
    found = _joined(2, 4, parts)
    assert found is not None
    assert found.tolist() == [[2, 7, 8, 1], [4, 9, 10, 3]]
    assert _joined(2, 4, parts[:2]) is None


def test_an_uncompute_that_is_forgotten(known: GraphKnown) -> None:
    """Without one of bennett's backward calls a wire is released while it is not 0."""

    def forget(body: list, layer_of: list) -> None:
        k = next(j for j, item in enumerate(body) if isinstance(item, Calls) and item.inverse)
        del body[k], layer_of[k]

    report = report_of(spoiled("bennett", forget), known)
    assert not next(c for c in report.circuit_checks if c.id == "ancillas").holds


# --- streams --------------------------------------------------------------------------------------


def running_sum() -> Graph:
    """y = state + x, clamped; the state a step later is y."""
    tensors = {n: Tensor(n, (1, 2), 0, 3) for n in ("x", "held", "y", "next")}
    nodes = (
        Node("sum", Cells("add", Add(), np.array([[0, 2], [1, 3]])), ("held", "x"), "y"),
        Node("back", Wiring("copy", np.arange(2)), ("y",), "next"),
    )
    state = (State("held", "next", np.array([0, 0])),)
    return Graph("running", tensors, nodes, ("x",), ("y",), state)


def test_a_stream_is_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are consecutive steps; the circuit's states are those of the reference."""
    monkeypatch.setattr("revsim.schedule.graphs.lower_graph", lower_by_tables)
    graph = running_sum()
    steps = np.array([[0, 1], [1, 0], [0, 0], [3, 1], [0, 1]])
    _, expected = run_stream(graph, {"x": steps})
    found, _ = run_graph_circuit(graph, {"x": steps})
    assert (found["y"] == expected["y"]).all()
    assert found["y"].tolist()[-1] == [3, 3]
    report = rs.verify(graph, steps, policy="uncompute")
    assert report.holds
    assert report.ensemble["rows"] == 5


# --- samples --------------------------------------------------------------------------------------


def test_samples_in_every_shape() -> None:
    """With or without the batch axis, flat, by name; real numbers by scale and zero point."""
    tensors = {
        "x": Tensor("x", (1, 2, 2), -128, 127, 0.5, -1),
        "y": Tensor("y", (4,), -128, 127),
    }
    graph = Graph(
        "g", tensors, (Node("n", Wiring("copy", np.arange(4)), ("x",), "y"),), ("x",), ("y",)
    )
    rows = np.arange(8).reshape(2, 4)
    for shape in ((2, 1, 2, 2), (2, 2, 2), (2, 4)):
        assert (samples_of(graph, rows.reshape(shape))["x"] == rows).all()
    assert (samples_of(graph, {"x": rows})["x"] == rows).all()
    real = samples_of(graph, np.array([[[0.0, 0.5], [0.75, 99.0]]]))["x"]
    assert real.tolist() == [[-1, 0, 1, 127]]
    for bad in (np.zeros((2, 3)), np.zeros(4), np.zeros((0, 4)), np.full((1, 4), np.nan)):
        with pytest.raises(InputError):
            samples_of(graph, bad)
    with pytest.raises(InputError, match="no scale"):
        quantised(Tensor("z", (1,), 0, 3), np.array([[0.5]]), "samples")


def dense_output(to_float: tuple[Stage, ...] = (), **held: object) -> Graph:
    """Two values that come out as they went in."""
    tensors = {
        "x": Tensor("x", (1, 2), 0, 7),
        "y": replace(Tensor("y", (1, 2), 0, 7, to_float=to_float), **held),
    }
    node = Node("n", Wiring("copy", np.arange(2)), ("x",), "y")
    return Graph("g", tensors, (node,), ("x",), ("y",))


def test_the_class_is_the_greatest_of_the_models_floats() -> None:
    """A bias of each class that follows the last integers may change which is greatest."""
    scale = Stage("grid", (np.ones(1, np.int64), np.zeros(1, np.int64), np.float32([0.5])))
    graph = dense_output((scale, Stage("add", (np.float32([0, 3]),))))
    rows, labels = np.array([[5, 0], [7, 2], [7, 0]]), [1, 1, 0]
    report = rs.verify(graph, rows, labels=labels, policy="uncompute")
    assert report.accuracy is not None and report.accuracy["right"] == 3
    plain = rs.verify(dense_output(), rows, labels=labels, policy="uncompute")
    assert plain.accuracy is not None and plain.accuracy["right"] == 1


def test_labels_of_a_file_of_samples(tmp_path: Path) -> None:
    graph = dense_output()
    for name in ("labels", "y"):
        np.savez(tmp_path / "s.npz", **{"x": np.ones((3, 2), int), name: np.arange(3)})
        samples, labels = read_samples(graph, tmp_path / "s.npz")
        assert samples["x"].shape == (3, 2) and labels is not None and labels.tolist() == [0, 1, 2]


def test_run_says_which_real_numbers_integers_are(tmp_path: Path) -> None:
    given = {"x": np.array([[1, 2]])}
    for held, rule in (
        ({"scale": 0.5, "zero": 3}, (0.5, 3)),
        ({"to_float": stages_of(0.25, -2)}, (0.25, -2)),
        ({"to_float": (*stages_of(0.25, 0), Stage("add", (np.float32([0, 3]),)))}, None),
    ):
        summary = run_graph_to_files(dense_output(**held), given, tmp_path / "y.npy", None)
        assert summary["reals"].get("y") == rule


def test_what_is_for_chains_says_so(tmp_path: Path) -> None:
    graph = dense_output()
    with pytest.raises(InputError, match="run_graph gives every tensor"):
        rs.run_reference(graph, np.ones((1, 2), int))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="keep the model file"):
        rs.save(graph, tmp_path / "g.npz")  # type: ignore[arg-type]


def test_column_entropies_are_those_of_each_column() -> None:
    """Vectorised, with weights of rows and with weights of each column's own."""
    rng = np.random.default_rng(0)
    values, weights = rng.integers(0, 4, (50, 9)), rng.integers(0, 3, 50)
    own = rng.integers(0, 2, (50, 9))
    for given in (None, weights):
        one = [joint_entropy(values[:, [k]], given) for k in range(9)]
        assert column_entropies(values, given) == pytest.approx(one)
    one = [joint_entropy(values[:, [k]], own[:, k]) for k in range(9)]
    assert column_entropies(values, own) == pytest.approx(one)


# --- a real model on the command line -------------------------------------------------------------


def test_a_real_model(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """run gives the runtime's own bytes; verify holds and is reproduced; count counts."""
    from revsim.cli import main

    model = str(shared_data / "tflite" / "hello_world_int8.tflite")
    stored = np.load(shared_data / "tflite" / "hello_world_int8.expected.npz")
    x, y, t = (str(tmp_path / n) for n in ("x.npy", "y.npy", "t.npz"))
    np.save(x, stored["x"])
    assert main(["run", model, "--input", x, "--output", y, "--tensors", t]) == 0
    found = np.load(y)
    assert found.dtype == stored["y_tflm"].dtype
    assert (found == stored["y_tflm"]).all()
    assert len(np.load(t).files) == 4  # the input among them
    capsys.readouterr()
    assert main(["verify", model, "--data", x, "--policy", "uncompute", "--json"]) == 0
    saved = tmp_path / "report.json"
    saved.write_text(capsys.readouterr().out)
    report = json.loads(saved.read_text())
    assert report["schema"] == "revsim verify 1"
    assert report["runs"][0]["total"]["reset_count"] == 8 + 2 * 16 * 8
    assert main(["reproduce", str(saved)]) == 0
    assert main(["count", model, "--policy", "bennett", "--json"]) == 0
    assert main(["verify", model, "--data", x, "--policy", "pebble"]) == 2
    assert main(["verify", model, "--data", x, "--stream"]) == 2


def test_the_price_of_shared_hardware(known: GraphKnown) -> None:
    """One reset tuned to all positions of a channel never costs less than one tuned to each, and
    resets as many bits; the device that is asked for is the one in every other figure."""
    circuit = compiled("uncompute")
    reports = {d: graph_run_report(circuit, known, 1, d)[0] for d in ("dedicated", "shared")}
    for device, report in reports.items():
        assert report.hardware is not None
        assert report.hardware[device] == report.total
        assert report.hardware == reports["shared"].hardware
        assert report.holds
    apart, shared = (reports[d].total for d in ("dedicated", "shared"))
    assert apart.reset_count == shared.reset_count
    assert apart.per_bit <= shared.per_bit
    assert apart.per_register < shared.per_register
