"""Programs put together from the programs of what is called do what flattened ones do."""

import numpy as np
import pytest
from differential import agrees, random_case

from revsim.circuit import program
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.gates import EXTRA, OP, TALLY
from revsim.errors import InputError
from revsim.network.cells import Product
from revsim.network.graph import Cells, Graph, Node, Tensor
from revsim.network.graph_reference import run_graph
from revsim.schedule.graphs import compile_graph
from revsim.simulator import code, linked
from revsim.simulator.code import NO_PORTS, Code, code_of, compile_code, run_lanes
from revsim.simulator.ensemble import data_set
from revsim.simulator.run import simulate

WORDS = 8


def inner(dirty: bool) -> Definition:
    """y ^= x0 x1 on a local, with a control list; undone but where it is dirty."""
    b = Builder("inner")
    x, y, t = b.port("x", 3), b.port("y", 1), b.local("t")
    b.mcx([(int(x[0]), True), (int(x[1]), False), (int(x[2]), True)], int(t[0]))
    b.cx(t, y)
    if not dirty:
        b.mcx([(int(x[0]), True), (int(x[1]), False), (int(x[2]), True)], int(t[0]))
    return b.build()


def middle(dirty: bool = False) -> Definition:
    """Calls on locals of its own, there and back, and gates between them."""
    b = Builder("middle")
    x, y, t = b.port("x", 4), b.port("y", 2), b.local("sum", 2)
    one = inner(dirty)
    b.call(one, x[:3], t[:1])
    b.call(one, x[1:], t[1:])
    b.cx(t, y)
    b.mcx([(int(t[0]), False), (int(x[3]), True)], int(y[1]))
    b.call(one, x[1:], t[1:], inverse=True)
    b.call(one, x[:3], t[:1], inverse=True)
    return b.build()


def outer(dirty: bool = False) -> Definition:
    """Two levels of calls."""
    b = Builder("outer")
    x, y, t = b.port("x", 4), b.port("y", 2), b.local("held", 2)
    b.call(middle(dirty), x, t)
    b.ccx(t[:1], t[1:], y[:1])
    b.call(middle(), x[::-1], y, inverse=True)
    b.call(middle(dirty), x, t, inverse=True)
    return b.build()


def spoiled() -> Definition:
    """A local of a call inside a call is left dirty."""
    return outer(dirty=True)


def erasing() -> Definition:
    """A netlist's gates inside calls: ERASEs and TALLYs get counters of their own."""
    b = Builder("netlist part")
    x, y, t = b.port("x", 2), b.port("y", 1), b.local("and")
    b.conventional_tally(int(x[0]), int(x[1]))
    b.ccx(x[:1], x[1:], t)
    b.conventional_tally(int(t[0]), int(y[0]))
    b.cx(t, y)
    b.conventional_erase(t, "gate_output")
    part = b.build()
    b = Builder("netlists")
    x, y = b.port("x", 4), b.port("y", 2)
    for k in range(3):
        b.call(part, x[k : k + 2], y[k % 2 : k % 2 + 1])
    return b.build()


def interrupted() -> Definition:
    """Gates that are counted, with control lists, before and after a call of a part like it."""
    b = Builder("interrupted")
    x, y = b.port("x", 4), b.port("y", 2)
    part = erasing()
    for k in range(2):
        b.mcx([(int(x[k]), False), (int(x[k + 1]), True)], int(y[0]))
        b.conventional_tally(int(x[k]), int(x[k + 2]))
        b.ccx(x[k], x[k + 2], y[1])
        b.call(part, x, y)
    return b.build()


def run(made: Code, ports: int) -> tuple[np.ndarray, ...]:
    """State, counts and suspects after 512 random rows."""
    state = np.random.default_rng(1).integers(0, 1 << 64, (ports, WORDS), dtype=np.uint64)
    ones = np.zeros((made.erased, 1), dtype=np.int64)
    joint = np.zeros((made.tallies, 1, 3), dtype=np.int64)
    suspect = np.zeros(WORDS, dtype=np.uint8)
    every = np.arange(ports, dtype=np.int32)
    run_lanes(
        made, state, every[None], NO_PORTS, 0, WORDS,
        np.full((1, WORDS), ~np.uint64(0)), ones, joint, suspect,
    )  # fmt: skip
    return state, ones, joint, suspect


@pytest.mark.parametrize("leaf", [1 << 18, 8, 1])
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("make", [middle, outer, erasing, spoiled])
def test_linked_is_flattened(
    monkeypatch: pytest.MonkeyPatch, make, inverse: bool, leaf: int
) -> None:  # type: ignore[no-untyped-def]
    """States, counters and broken promises, whatever is small enough to be one program."""
    definition = make()
    if definition.erases and inverse:
        pytest.skip("an ERASE has no inverse")
    flat = code_of(program.program_of(definition, inverse))
    monkeypatch.setattr(program, "LEAF_GATES", leaf)
    put_together = code.linked_code(definition, inverse)
    found, truth = (run(c, definition.port_wires) for c in (put_together, flat))
    if make is spoiled:  # what is left on a wire meets whatever stands there next
        assert found[-1].all() and truth[-1].all()
        return
    for mine, theirs in zip(found, truth, strict=True):
        assert (mine == theirs).all()
    assert (put_together.writes == flat.writes).all()
    assert put_together.cause_of.tolist() == flat.cause_of.tolist()
    assert put_together.is_and.tolist() == flat.is_and.tolist()
    assert put_together.gates == flat.gates


@pytest.mark.parametrize("limit", [linked.LINKED_GATES, 0])
def test_counters_and_control_lists_go_on_after_a_call(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(linked, "LINKED_GATES", limit)
    flat = program.flatten(interrupted())
    assert flat.table[flat.table[:, OP] == TALLY, EXTRA].tolist() == list(range(flat.tallies))
    agrees(random_case(interrupted(), np.random.default_rng(0), 100, 2))


def test_a_cell_is_linked_where_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same outputs and erased bits, and one that has too many gates is refused."""
    tensors = {n: Tensor(n, (1, 4), -3, 4) for n in "ab"}
    tensors["y"] = Tensor("y", (1, 4), -12, 16)
    reads = np.array([[k, 4 + k] for k in range(4)])
    node = Node("times", Cells("times", Product(), reads), ("a", "b"), "y")
    graph = Graph("product", tensors, (node,), ("a", "b"), ("y",))
    rows = np.random.default_rng(0).integers(-3, 5, (70, 8))
    expected = run_graph(graph, {"a": rows[:, :4], "b": rows[:, 4:]})["y"]
    monkeypatch.setattr(linked, "LINKED_GATES", 0)
    assert (simulate(compile_graph(graph, "bennett"), data_set(rows)).outputs == expected).all()
    monkeypatch.setattr(code, "PROGRAM_GATES_LINKED", 10)
    with pytest.raises(InputError, match="has at most 10"):
        compile_code(outer(), False)
