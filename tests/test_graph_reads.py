"""What one position reads more than once: each of its ports has a register of its own."""

from dataclasses import replace

import numpy as np
import pytest

from revsim.circuit.banks import BankAlloc, BankSet, Calls, TensorCircuit
from revsim.circuit.definition import Gates
from revsim.circuit.program import flatten
from revsim.circuit.unroll import unroll
from revsim.errors import InputError
from revsim.ledger.ledgers import ledger_rows, total_of
from revsim.network.cells import Sum
from revsim.network.graph import Cells, Graph, Linear, Node, Tensor, Wiring
from revsim.network.graph_reference import run_graph
from revsim.network.operators import Clamp, Relu
from revsim.schedule.graphs import GRAPH_POLICIES, compile_graph
from revsim.schedule.reads import repeats_of
from revsim.simulator import plain
from revsim.simulator.counters import Counters
from revsim.simulator.ensemble import data_set
from revsim.simulator.executors import EXECUTORS
from revsim.simulator.lanes import padded_words, planes_of, read, write
from revsim.simulator.run import simulate
from tests.convolutions import patches

SIDE = 4
PIXELS = SIDE * SIDE


def padded() -> Graph:
    """A 3 x 3 convolution of two channels with padding that is not zero."""
    tensors = {
        "x": Tensor("x", (1, SIDE, SIDE, 1), -2, 1),
        "y": Tensor("y", (1, SIDE, SIDE, 2), 0, 7),
    }
    weights = np.array([[3, -1, -2, 1, -3, 2, -1, -1, 1], [-1, -2, -3, -1, 1, 2, -2, 3, -1]])
    reads = patches(SIDE, 3, 1, 1)[:, None, :]
    conv = Linear("conv2d", weights, np.array([2, -1]), reads, -1)
    node = Node("conv", conv, ("x",), "y", (Relu(), Clamp(0, 7)), neurons=True)
    return Graph("padded", tensors, (node,), ("x",), ("y",))


def doubled() -> Graph:
    """Sums of a window that reads one value twice, of x beside itself and of constants."""
    T = Tensor
    tensors = {
        t.name: t
        for t in (
            T("x", (1, 3), -2, 1),
            T("a", (1, 2), -20, 20),
            T("xx", (1, 8), -2, 3),
            T("b", (1, 4), -9, 9),
            T("y", (1, 6), -20, 20),
        )
    }
    window = Linear(
        "conv1d",
        np.array([[1, -2, -1, 3]]),
        np.array([1]),
        np.array([[[0, 1, 0, 0]], [[1, 2, 2, 1]]]),
        0,
    )
    beside = Wiring("concat", np.array([0, 1, 2, -1, 0, 1, 2, -1]), (3,))
    sums = Cells("sum", Sum((1, -2)), np.array([[k, 4 + k] for k in range(4)]))
    join = Wiring("concat", np.arange(6))
    return Graph(
        "doubled",
        tensors,
        (
            Node("window", window, ("x",), "a"),
            Node("beside", beside, ("x",), "xx"),
            Node("sums", sums, ("xx",), "b"),
            Node("join", join, ("a", "b"), "y"),
        ),
        ("x",),
        ("y",),
    )


GRAPHS = {"padded": padded, "doubled": doubled}


def rows_of(graph: Graph) -> np.ndarray:
    size = graph.tensors["x"].size
    return np.random.default_rng(0).integers(-2, 2, (40, size))


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("policy", GRAPH_POLICIES)
def test_positions_in_lanes_and_one_by_one(policy: str, name: str) -> None:
    """Both executors, and every position as a call of its own, which takes no wire twice."""
    graph = GRAPHS[name]()
    rows = rows_of(graph)
    expected = run_graph(graph, {"x": rows})["y"]
    circuit = compile_graph(graph, policy)
    fast = simulate(circuit, data_set(rows))
    one_by_one = simulate(unroll(circuit), data_set(rows), executor="numpy")
    assert (fast.outputs == expected).all()
    assert (one_by_one.outputs == expected).all()
    assert (simulate(circuit, data_set(rows), executor="numpy").outputs == expected).all()
    totals = [total_of(ledger_rows(run.tally)) for run in (fast, one_by_one)]
    assert totals[0].reset_count == totals[1].reset_count
    assert totals[0].given_kept == pytest.approx(totals[1].given_kept)


def literally(circuit: TensorCircuit, rows: np.ndarray) -> np.ndarray:
    """Outputs where every gate acts on the device's own wires, one gate after the other."""
    words = padded_words(len(rows))
    counters = Counters(planes_of(None, len(rows), words))
    state = np.zeros((circuit.width, words), dtype=np.uint64)
    given, made = (
        [(bank.encoding, wires) for bank in banks for wires in bank.wires]
        for banks in (circuit.inputs, circuit.outputs)
    )
    for (encoding, wires), column in zip(given, rows.T, strict=True):
        write(state, wires, encoding.encode(column))
    for item in circuit.body:
        if isinstance(item, BankSet):
            bits = [k for k in range(item.bank.wires.shape[1]) if item.value >> k & 1]
            state[item.bank.wires[:, bits]] ^= ~np.uint64(0)
        elif isinstance(item, Calls):
            definition = item.recipe.make()
            flat = flatten(definition)
            for wires in item.table:
                inner = np.arange(flat.wires - len(wires)) + circuit.width
                whole = np.concatenate([state, np.zeros((len(inner), words), dtype=np.uint64)])
                both = np.concatenate([wires, inner]).astype(np.int32)
                gates = Gates(flat.table, flat.controls).mapped(both)
                plain.run_gates(
                    gates.inverse() if item.inverse else gates, whole, counters, definition
                )
                state = whole[: circuit.width]
    return np.stack([e.decode(read(state, wires, len(rows))) for e, wires in made], axis=1)


def without_copies(circuit: TensorCircuit) -> TensorCircuit:
    """Every port reads the register itself, every read of padding one register."""
    reads = np.arange(circuit.width, dtype=np.int32)
    for item in circuit.body:
        if isinstance(item, BankSet):
            reads[item.bank.wires] = item.bank.wires[0]
        elif isinstance(item, Calls) and item.recipe.name.startswith("copy of"):
            reads[item.wires[1]] = item.wires[0]
    body = [
        replace(item, wires=tuple(reads[table] for table in item.wires))
        if isinstance(item, Calls)
        else item
        for item in circuit.body
        if not (isinstance(item, Calls) and item.recipe.name.startswith("copy of"))
    ]
    return replace(circuit, body=tuple(body), layer_of=())


@pytest.mark.parametrize("name", GRAPHS)
def test_gate_by_gate_on_the_wires_of_the_device(name: str) -> None:
    """What the executors promise is what the wires do; they refuse what would not be."""
    graph = GRAPHS[name]()
    rows = rows_of(graph)
    expected = run_graph(graph, {"x": rows})["y"]
    circuit = compile_graph(graph, "uncompute", "keep")
    assert (literally(circuit, rows) == expected).all()
    shared = without_copies(circuit)
    assert (literally(shared, rows) != expected).any()
    for executor in EXECUTORS:
        with pytest.raises(InputError, match="at two ports"):
            simulate(shared, data_set(rows), executor=executor)
    with pytest.raises(InputError, match="uses a wire twice"):
        simulate(unroll(shared), data_set(rows))


def test_copies_are_few() -> None:
    """A corner reads padding five times; all positions and both channels share five registers."""
    circuit = compile_graph(padded(), "bennett")
    banks = [i.bank for i in circuit.body if isinstance(i, BankAlloc) and "padding" in i.bank.name]
    assert [bank.size for bank in banks] == [5, 5]  # there and back
    copies = [i for i in compile_graph(doubled(), "uncompute").body if isinstance(i, Calls)]
    copies = [i for i in copies if i.recipe.name.startswith("copy of")]
    # x[0] twice more, x[1] and x[2] once more in a window; then x once more and the constant.
    assert sum(item.positions for item in copies if not item.inverse) == 4 + 4 + 6  # the output
    assert sum(item.positions for item in copies if item.inverse) == 4 + 4


def test_which_copies() -> None:
    """Padding by NOTs, other registers by copies, in the order of the ports."""
    reads = np.array([[0, -1, -1, 2], [1, 2, 0, 1]])  # elements 0 and 2 are one register
    found = repeats_of(np.array([7, 4, 7]), {1: reads})
    assert found.padding == 2
    assert found.copied.tolist() == [4, 7]
    assert found.rows[1].tolist() == [[0, 3, 4, 6], [1, 2, 6, 5]]
