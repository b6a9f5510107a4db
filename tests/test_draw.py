"""Drawings and graphs: complete where they fit, refused with an alternative where they do not."""

from pathlib import Path

import numpy as np
import pytest

from revsim.circuit.builder import Builder
from revsim.circuit.definition import Alloc, Call, Circuit, Free, Gates, Loop, Mark
from revsim.circuit.gates import TALLY
from revsim.circuit.graph import GATE_LIMIT, definition_graph, gate_graph, steps, wire_names
from revsim.circuit.measures import circuit_counts
from revsim.circuit.registers import Register, wires
from revsim.draw.text import draw_gates, draw_hierarchy
from revsim.errors import InputError
from revsim.formats.qasm3 import load, loads

FOLDER = Path(__file__).resolve().parents[1] / "circuits"
FILES = sorted(FOLDER.glob("*.qasm"))
HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def test_a_full_adder_is_drawn_gate_by_gate() -> None:
    assert draw_gates(load(FOLDER / "full_adder.qasm")).splitlines() == [
        "a           --*--*--------*--",
        "b           --*--+--*--*--+--",
        "carry_in    --|-----*--+-----",
        "carry_out 0 --+-----+--------",
    ]


def test_the_highest_bit_is_drawn_on_top() -> None:
    drawn = draw_gates(loads(HEAD + "qubit[3] q;\nx q[0];"))
    assert [line.split()[0] for line in drawn.splitlines()] == ["q[2]", "q[1]", "q[0]"]
    assert drawn.splitlines()[2] == "q[0] --X--"


def test_negative_controls_swaps_and_erasures_have_their_symbols() -> None:
    text = "qubit[2] q;\nnegctrl @ x q[0], q[1];\nswap q[0], q[1];\nreset q;"
    drawn = draw_gates(loads(HEAD + text))
    assert drawn.splitlines() == ["q[1] --+--x-|0--", "q[0] --o--x-|0--"]


def test_gates_that_do_not_touch_share_a_column() -> None:
    drawn = draw_gates(loads(HEAD + "qubit[4] q;\ncx q[0], q[1];\ncx q[2], q[3];"))
    assert {len(line) for line in drawn.splitlines()} == {len("q[0] --*--")}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_drawings_of_the_folder_fit_80_columns(path: Path) -> None:
    circuit = load(path)
    for text in (draw_gates(circuit), draw_hierarchy(circuit)):
        assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_steps_are_all_gates_of_the_circuit(path: Path) -> None:
    circuit = load(path)
    assert len(list(steps(circuit))) == circuit_counts(circuit).gates


def test_long_circuits_wrap_into_bands() -> None:
    drawn = draw_gates(loads(HEAD + "qubit q;\n" + "x q;\n" * 60))
    assert drawn.count("X") == 60
    assert drawn.count("\n\n") == 2


def test_an_empty_circuit_is_drawn_as_bare_wires() -> None:
    assert draw_gates(loads(HEAD + "qubit q;")) == "q --"


def test_drawing_too_many_wires_or_gates_names_the_limit_and_the_alternative() -> None:
    with pytest.raises(InputError, match=r"41 wires.*at most 40.*draw_hierarchy"):
        draw_gates(loads(HEAD + "qubit[41] q;"))
    with pytest.raises(InputError, match=r"121 gates.*at most 120.*draw_hierarchy"):
        draw_gates(loads(HEAD + "qubit q;\n" + "x q;\n" * 121))


def test_locals_of_calls_are_drawn_as_extra_wires() -> None:
    text = "@revsim.local t\ndef f(qubit p) { cx p, t; cx p, t; }\nqubit q;\nf(q);"
    assert "local 0 0 --+--+--" in draw_gates(loads(HEAD + text))


def deep(levels: int) -> Circuit:
    b = Builder("level 0")
    p = b.port("p", 1)
    b.x(p)
    inner = b.build()
    for level in range(1, levels):
        b = Builder(f"level {level}")
        p = b.port("p", 1)
        b.call(inner, p)
        b.call(inner, p, inverse=True)
        inner = b.build()
    return Circuit("deep", 1, (Call(inner, wires([0])),), (), ())


def test_the_hierarchy_of_a_circuit_of_a_billion_gates_is_drawn() -> None:
    lines = draw_hierarchy(deep(31)).splitlines()
    assert "1073741824" in lines[0]
    assert len(lines) == 32
    assert lines[1] == "`- 1 x level 30: 1073741824 gates (1073741824 x); ports p"


def test_the_hierarchy_counts_what_it_leaves_out() -> None:
    lines = draw_hierarchy(deep(31), lines=5).splitlines()
    assert len(lines) == 6
    assert lines[-1] == "... and 27 more lines"


def test_the_hierarchy_shows_calls_counts_and_ports() -> None:
    drawn = draw_hierarchy(load(FOLDER / "argmax4.qasm"))
    assert "2 x play: 6 gates (2 cx, 2 cswap, 2 mcx); ports early[2], late[2], flag" in drawn
    assert "1 x later_wins: see above" in drawn


def test_the_graph_of_definitions_counts_calls_both_ways() -> None:
    circuit = load(FOLDER / "argmax4.qasm")
    graph = definition_graph(circuit)
    labels = {graph.nodes[n]["label"]: n for n in graph}
    edge = graph.edges[circuit, labels["tournament"]]
    assert (edge["calls"], edge["inverse_calls"]) == (2, 1)
    assert graph.edges[labels["tournament"], labels["play"]]["calls"] == 2
    assert graph.nodes[labels["later_wins"]]["gates"] == 4


def test_the_graph_of_definitions_counts_loops_out() -> None:
    b = Builder("not")
    p = b.port("p", 1)
    b.x(p)
    circuit = Circuit("c", 5, (Loop(b.build(), 5, wires([0]), wires([1])),), (), ())
    ((_, _, data),) = definition_graph(circuit).edges(data=True)
    assert data["calls"] == 5
    assert gate_graph(circuit).number_of_nodes() == 5


def test_the_graph_of_gates_follows_the_wires() -> None:
    graph = gate_graph(load(FOLDER / "full_adder.qasm"))
    assert [graph.nodes[n]["name"] for n in graph] == ["ccx", "cx", "ccx", "cx", "cx"]
    assert {(a, b) for a, b, _ in graph.edges} == {(0, 1), (0, 2), (1, 2), (1, 4), (2, 3), (3, 4)}


def test_the_graph_of_gates_is_refused_above_its_limit() -> None:
    text = HEAD + "qubit q;\n" + "x q;\n" * (GATE_LIMIT + 1)
    with pytest.raises(InputError, match=rf"at most {GATE_LIMIT}.*definition_graph"):
        gate_graph(loads(text))


def test_wires_are_named_by_any_register_and_tallies_are_no_steps() -> None:
    register, one = Register("acc", wires([1, 2])), Register("flag", wires([3]))
    tally = Gates(np.array([[TALLY, 1, 2, -1, 0, 0]], np.int32))
    body = (Alloc(register), Mark("m", (one,)), tally, Free(register))
    circuit = Circuit("c", 4, body, (), ())
    assert wire_names(circuit) == {0: "wire 0", 1: "acc[0]", 2: "acc[1]", 3: "flag"}
    assert list(steps(circuit)) == []
