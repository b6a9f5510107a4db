"""Policies on graphs, judged by truth-table lowering and circuits unrolled position by position."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from revsim.circuit.banks import BankAlloc, BankErase, BankMark, BankSet, Calls, TensorCircuit
from revsim.circuit.unroll import unroll
from revsim.errors import InputError
from revsim.ledger.identities import ladder, telescoping
from revsim.ledger.ledgers import ledger_rows, total_of
from revsim.ledger.reference import joint_entropy
from revsim.network.graph import Cells, Graph, Linear, Node, State, Tensor, Wiring
from revsim.network.graph_reference import run_graph, run_stream
from revsim.network.operators import Clamp, Relu
from revsim.schedule.graphs import GRAPH_POLICIES, schedule_graph
from revsim.schedule.policy import INPUT_CHOICES
from revsim.simulator.ensemble import data_set, uniform
from revsim.simulator.run import Run, simulate
from tests.tensor_circuits import Add, lower_by_tables, small_graph

POLICIES = tuple(GRAPH_POLICIES)


def compiled(graph: Graph, policy: str, choice: str = "destroy") -> TensorCircuit:
    return schedule_graph(graph, lower_by_tables(graph), policy, choice)


def run_on(circuit: TensorCircuit, rows: np.ndarray, strict: bool = True) -> tuple[Run, dict]:
    """The run and every tensor that is marked."""
    tensors: dict[str, np.ndarray] = {}
    marks = [item for item in circuit.body if isinstance(item, BankMark)]
    sizes = {m.name: 1 + max(int(n.places.max()) for n in marks if n.name == m.name) for m in marks}
    queue = iter([(m.name, int(p)) for m in marks for p in m.places])

    def on_mark(name: str, element: int, values: np.ndarray) -> None:
        expected, place = next(queue)
        assert expected == name
        tensors.setdefault(name, np.zeros((len(rows), sizes[name]), np.int64))[:, place] = values

    return simulate(unroll(circuit), data_set(rows), strict=strict, on_mark=on_mark), tensors


def every_row(graph: Graph) -> np.ndarray:
    low = [graph.tensors[n].low for n in graph.inputs for _ in range(graph.tensors[n].size)]
    high = [graph.tensors[n].high for n in graph.inputs for _ in range(graph.tensors[n].size)]
    return uniform(low, high).rows.astype(np.int64)


def given(graph: Graph, rows: np.ndarray) -> Mapping[str, np.ndarray]:
    cuts = np.cumsum([graph.tensors[n].size for n in graph.inputs])[:-1]
    return dict(zip(graph.inputs, np.split(rows, cuts, axis=1), strict=True))


@pytest.mark.parametrize("choice", INPUT_CHOICES)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("low", [0, -2])
def test_a_small_graph(low: int, policy: str, choice: str) -> None:
    """Every tensor equals the reference on all inputs, all wires are released at 0, T1, T2, T4."""
    graph = small_graph(low)
    rows = every_row(graph)
    expected = run_graph(graph, given(graph, rows))
    run, tensors = run_on(compiled(graph, policy, choice), rows)
    assert (run.outputs == expected["y"]).all()
    for name, found in tensors.items():
        assert (found == expected[name]).all(), name
    assert {n.output for n in graph.nodes} <= set(tensors)
    found = ledger_rows(run.tally)
    assert telescoping(found, run.tally).holds
    assert ladder(found).holds
    loss = joint_entropy(rows) - joint_entropy(expected["y"])
    total = total_of(found)
    assert total.given_kept == pytest.approx(loss if choice == "destroy" else 0.0)
    if policy == "bennett":
        assert total.reset_count == (8 if choice == "destroy" else 0)


def test_erased_bits_by_definition() -> None:
    """Each tensor is erased once, where no later node reads it, and nothing else is."""
    graph = small_graph()
    expected = run_graph(graph, given(graph, every_row(graph)))
    run, _ = run_on(compiled(graph, "uncompute"), every_row(graph))
    found = {r.layer: r.ledgers for r in ledger_rows(run.tally)}
    assert all(r.cause == "layer_input" for r in ledger_rows(run.tally))
    # The pool reads `sum` last, the dense layer `pool` and, through the join, `a`.
    dead = {"conv": ["x"], "add": ["b"], "pool": ["sum"], "dense": ["a", "pool"]}
    assert list(found) == list(dead)
    values = {**expected, "x": every_row(graph)}
    for layer, names in dead.items():
        columns = np.concatenate([values[name] for name in names], axis=1)
        assert found[layer].reset_count == 2 * columns.shape[1]
        assert found[layer].per_register == pytest.approx(
            sum(joint_entropy(columns[:, [k]]) for k in range(columns.shape[1]))
        )
        assert found[layer].per_group == pytest.approx(joint_entropy(columns))


def test_activation_reset_erases_what_stages_swap_out() -> None:
    """Causes of one activation: the input given z, then what relu and clamp throw away."""
    graph = small_graph()
    run, _ = run_on(compiled(graph, "activation_reset"), every_row(graph))
    causes = {(r.layer, r.cause) for r in ledger_rows(run.tally)}
    assert {("conv", "layer_input"), ("conv", "activation"), ("conv", "clamp")} <= causes
    assert ("conv2", "layer_input") not in causes  # `a` is still needed by the sum


def wired(node: Wiring, outputs: tuple[str, ...] = ("y",)) -> Graph:
    """x of three 2-bit values, from -1 on, through one wiring."""
    size = len(node.index)
    tensors = {"x": Tensor("x", (3,), -1, 2), "y": Tensor("y", (size,), -1, 2)}
    return Graph("wired", tensors, (Node("move", node, ("x",), "y"),), ("x",), outputs)


WIRINGS = {
    "turned": (Wiring("reverse", np.array([2, 1, 0])), ("y",), 0),
    "part": (Wiring("slice", np.array([2, 1])), ("y",), 6),
    "twice": (Wiring("tile", np.array([0, 1, 2, 0])), ("y",), 6),
    "padded": (Wiring("pad", np.array([-1, 0, 1, 2, -2]), (2, 0)), ("y",), 6),
    "nothing of it": (Wiring("constant", np.array([-1, -1]), (2,)), ("y",), 6),
    "one twice, one left out": (Wiring("gather", np.array([0, 1, 1])), ("y",), 6),
    "one constant": (Wiring("constant", np.array([-1]), (2,)), ("y",), 6),
    "a constant that nobody reads": (Wiring("pad", np.array([0, -2, 1, 2]), (2, 1)), ("y",), 6),
    "two outputs": (Wiring("reverse", np.array([2, 1, 0])), ("y", "x"), 0),
    "one output twice": (Wiring("reverse", np.array([2, 1, 0])), ("y", "y"), 0),
}


@pytest.mark.parametrize("choice", INPUT_CHOICES)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("case", WIRINGS)
def test_wirings_alone(case: str, policy: str, choice: str) -> None:
    """An output that is a view: moved where all of a bank goes there, copied otherwise."""
    wiring, outputs, erased = WIRINGS[case]
    graph = wired(wiring, outputs)
    rows = every_row(graph)
    values = {"x": rows, "y": wiring.apply(rows)}
    circuit = compiled(graph, policy, choice)
    run, _ = run_on(circuit, rows)
    assert (run.outputs == np.concatenate([values[n] for n in outputs], axis=1)).all()
    stays = () if choice == "destroy" else circuit.inputs
    held = np.concatenate([bank.wires.ravel() for bank in (*circuit.outputs, *stays)])
    assert len(held) == len(np.unique(held))  # nothing is two things at once
    made = {
        i.bank.name for i in circuit.body if isinstance(i, BankAlloc) and "const" in i.bank.name
    }
    assert len(made) == len(np.unique(wiring.index[wiring.index < 0]))
    total = total_of(ledger_rows(run.tally))
    if choice != "destroy":
        assert total.reset_count == 0
    elif policy == "bennett":
        assert total.reset_count == 6
    else:
        assert total.reset_count == erased


@pytest.mark.parametrize("choice", INPUT_CHOICES)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_view_that_comes_too_late(policy: str, choice: str) -> None:
    """What is gone cannot be read in it, what is left can; its constants go at once."""
    tensors = {n: Tensor(n, (size,), 0, 3) for n, size in (("x", 3), ("y", 1), ("late", 5))}
    nodes = (
        Node("sum", Cells("add", Add(), np.array([[0, 1]])), ("x",), "y"),
        Node("view", Wiring("concat", np.array([3, 0, -1, 2, 1]), (2,)), ("x", "y"), "late"),
    )
    graph = Graph("late", tensors, nodes, ("x",), ("y",))
    rows = every_row(graph)
    expected = run_graph(graph, given(graph, rows))
    circuit = compiled(graph, policy, choice)
    run, tensors_read = run_on(circuit, rows)
    assert (run.outputs == expected["y"]).all()
    (mark,) = (i for i in circuit.body if isinstance(i, BankMark) and i.name == "late")
    gone = choice == "destroy" and policy != "bennett"
    assert mark.places.tolist() == ([0, 2] if gone else [0, 1, 2, 3, 4])
    assert (tensors_read["late"][:, mark.places] == expected["late"][:, mark.places]).all()


@pytest.mark.parametrize("policy", POLICIES)
def test_erasures_know_their_channels(policy: str) -> None:
    """Every register of a tensor is erased under its own place, in the shape of the tensor."""
    reads = np.array([[[p, p + 1]] for p in range(3)])
    operator = Linear("conv2d", np.array([[1, 1], [1, -1]]), np.array([-1, 0]), reads)
    tensors = {"x": Tensor("x", (2, 2), 0, 3), "y": Tensor("y", (3, 2), 0, 3)}
    node = Node("conv", operator, ("x",), "y", (Relu(), Clamp(0, 3)), neurons=True)
    graph = Graph("channels", tensors, (node,), ("x",), ("y",))
    circuit = compiled(graph, policy)
    erased = [item for item in circuit.body if isinstance(item, BankErase)]
    (x,) = (item for item in erased if item.value_of == "x")
    assert (x.shape, x.places.tolist()) == ((2, 2), [0, 1, 2, 3])
    inner = [item for item in erased if item.value_of != "x"]
    assert bool(inner) == (policy == "activation_reset")
    for cause in {item.cause for item in inner}:
        found = [item for item in inner if item.cause == cause]
        assert {item.shape for item in found} == {(3, 2)}
        for item in found:  # one channel's, at every position
            assert len(set((item.places % 2).tolist())) == 1
        assert len({tuple(item.places.tolist()) for item in found}) == len(found)


def residual() -> Graph:
    """A state that is added to, a view of two tensors, a node that nothing reads."""
    tensors = {
        t.name: t
        for t in (
            Tensor("x", (2,), 0, 3),
            Tensor("unread", (1,), 0, 1),
            Tensor("held", (3,), 0, 3),
            Tensor("window", (5,), 0, 3),
            Tensor("new", (3,), 0, 3),
            Tensor("y", (2,), 0, 3),
            Tensor("nobody", (1,), 0, 12),
        )
    }
    nodes = (
        Node("join", Wiring("concat", np.arange(5)), ("held", "x"), "window"),
        Node("keep", Wiring("slice", np.array([2, 3, 4])), ("window",), "new"),
        Node("sum", Cells("add", Add(), np.array([[0, 3], [1, 4]])), ("window",), "y"),
        Node(
            "waste",
            Linear("dense", np.array([[1, 1, 1, 1]]), np.array([0]), np.array([[[0, 1, 3, 4]]])),
            ("window",),
            "nobody",
        ),
    )
    state = (State("held", "new", np.array([1, 2, 3])),)
    return Graph("residual", tensors, nodes, ("x", "unread"), ("y",), state)


@pytest.mark.parametrize("choice", INPUT_CHOICES)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_state_on_a_stream(policy: str, choice: str) -> None:
    """Each step's circuit gives the output and the next state; unread and unused end clean."""
    graph = residual()
    rng = np.random.default_rng(0)
    steps = {"x": rng.integers(0, 4, (40, 2)), "unread": rng.integers(0, 2, (40, 1))}
    rows, expected = run_stream(graph, steps)
    circuit = compiled(graph, policy, choice)
    run, tensors = run_on(circuit, np.concatenate([rows[b.name] for b in circuit.inputs], axis=1))
    assert (run.outputs == np.concatenate([expected["y"], expected["new"]], axis=1)).all()
    assert (tensors["nobody"] == expected["nobody"]).all()
    assert telescoping(ledger_rows(run.tally), run.tally).holds
    causes = {r.cause for r in ledger_rows(run.tally)} - {"gate_output"}
    wasted = policy in ("conventional", "activation_reset")
    assert causes == ({"layer_input"} if choice == "destroy" else set()) | (
        {"unused"} if wasted else set()
    )


# --- what must be noticed -------------------------------------------------------------------------


def without(circuit: TensorCircuit, place: int) -> TensorCircuit:
    keep = [k for k in range(len(circuit.body)) if k != place]
    return replace(
        circuit,
        body=tuple(circuit.body[k] for k in keep),
        layer_of=tuple(circuit.layer_of[k] for k in keep),
    )


def places(circuit: TensorCircuit, kind: type) -> list[int]:
    return [k for k, item in enumerate(circuit.body) if isinstance(item, kind)]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", [BankErase, Calls, BankSet])
def test_a_dropped_item_is_noticed(policy: str, kind: type) -> None:
    """Without any one of its erasures, calls or constants a check fails."""
    graph = small_graph()
    rows = every_row(graph)
    expected = run_graph(graph, given(graph, rows))["y"]
    circuit = compiled(graph, policy)
    for place in places(circuit, kind):
        item = circuit.body[place]
        if isinstance(item, BankErase) and item.bank.wires.shape[1] == 0:
            continue
        run, _ = run_on(without(circuit, place), rows, strict=False)
        assert run.tally.violations or (run.outputs != expected).any(), (place, item)


def test_an_erasure_too_many_is_noticed() -> None:
    """Erased before its last use, or an output erased: outputs differ; and T5 no longer holds."""
    graph = small_graph()
    rows = every_row(graph)
    expected = run_graph(graph, given(graph, rows))["y"]
    circuit = compiled(graph, "uncompute")
    y = circuit.outputs[0]
    extra = BankErase(y, "layer_input", "dense", "y", np.arange(2), (1, 2))
    spoiled = replace(circuit, body=(*circuit.body, extra), layer_of=(*circuit.layer_of, "dense"))
    run, _ = run_on(spoiled, rows, strict=False)
    assert (run.outputs != expected).any()


def test_bad_choices() -> None:
    """Policies of chains and unknown input choices end in one message."""
    graph = small_graph()
    for policy in ("neuron_reset", "pebble", "pebble:3"):
        with pytest.raises(InputError, match="for chains of layers so far"):
            compiled(graph, policy)
    with pytest.raises(InputError, match="unknown policy"):
        compiled(graph, "hope")
    with pytest.raises(InputError, match="unknown input choice"):
        compiled(graph, "bennett", "burn")
