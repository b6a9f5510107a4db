"""The text form: what is written is read back, and what is wrong is refused with its line."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revsim.circuit.builder import Builder
from revsim.circuit.definition import (
    Alloc,
    Call,
    Circuit,
    Definition,
    Erase,
    Free,
    Gates,
    Layer,
    Loop,
    Mark,
)
from revsim.circuit.gates import COLUMNS, EXTRA, MCX, OP, ROLE, TALLY, Role
from revsim.circuit.measures import circuit_counts, circuit_depth, circuit_width
from revsim.circuit.program import flatten
from revsim.circuit.registers import Encoding, Register, wires
from revsim.circuit.validate import linear_layers
from revsim.errors import InputError
from revsim.formats.qasm3 import dumps, load, loads, save
from revsim.formats.qasm3.names import DEPTH_LIMIT
from revsim.simulator.ensemble import data_set, uniform
from revsim.simulator.run import simulate

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def flat(definition: Definition) -> list[object]:
    """All rows below a definition, control lists in place of their index."""
    program = flatten(definition)
    return [
        (row[:EXTRA], program.controls[row[EXTRA]]) if row[OP] == MCX else row
        for row in program.table.tolist()
    ]


def same_definition(first: Definition, second: Definition) -> None:
    assert first.name == second.name
    assert first.ports == second.ports
    assert first.locals == second.locals
    assert first.causes == second.causes
    assert flat(first) == flat(second)


def register_key(register: Register) -> tuple[object, ...]:
    return register.name, register.wires.tolist(), register.encoding


def item_key(item: object) -> list[object]:
    """What an item of a body says, in comparable values (loops call by call)."""
    if isinstance(item, Gates):
        return [("gates", item.table.tolist(), item.controls)]
    if isinstance(item, Call):
        return [("call", item.definition.name, item.wires.tolist(), item.inverse)]
    if isinstance(item, Loop):
        return [key for call in item.calls() for key in item_key(call)]
    if isinstance(item, Erase):
        erased = register_key(item.register)
        return [("erase", erased, item.cause, item.layer, item.value_of, item.group)]
    if isinstance(item, Mark):
        return [("mark", item.name, [register_key(r) for r in item.registers])]
    assert isinstance(item, Alloc | Free)
    return [(type(item).__name__, register_key(item.register))]


def round_trip(circuit: Circuit) -> Circuit:
    text = dumps(circuit)
    back = loads(text)
    assert dumps(back) == text
    assert dumps(circuit) == text
    assert circuit_counts(back) == circuit_counts(circuit)
    assert circuit_depth(back) == circuit_depth(circuit)
    assert circuit_width(back) == circuit_width(circuit)
    assert back.width == circuit.width
    assert (back.name, back.policy, back.input_choice, back.order) == (
        circuit.name,
        circuit.policy,
        circuit.input_choice,
        circuit.order,
    )
    for mine, theirs in ((back.inputs, circuit.inputs), (back.outputs, circuit.outputs)):
        assert [register_key(r) for r in mine] == [register_key(r) for r in theirs]
    ours = [key for item in back.body for key in item_key(item)]
    assert ours == [key for item in circuit.body for key in item_key(item)]
    for one, two in zip(back.definitions(), circuit.definitions(), strict=True):
        same_definition(one, two)
    return back


def whole(definition: Definition) -> Circuit:
    """A circuit that calls a definition once; every port is input and output."""
    registers = []
    start = 0
    for port in definition.ports:
        span = np.arange(start, start + port.width, dtype=np.int32)
        registers.append(Register(port.name, span))
        start += port.width
    call = Call(definition, wires(range(start)))
    every = tuple(registers)
    return Circuit(definition.name, start, (call,), every, every, registers=every)


# --- random circuits ------------------------------------------------------------


@st.composite
def definitions(draw: st.DrawFn, depth: int = 2) -> Definition:
    """A random definition: gates of all kinds, locals undone by a mirror image, nested calls."""
    names = st.sampled_from(["f", "g 1", "x", "layer/0", "été", "ctrl", "q"])
    b = Builder(draw(names))
    zero = draw(st.booleans())
    groups = [b.port("p", draw(st.integers(1, 4))), b.port("x", draw(st.integers(1, 3)), zero)]
    if draw(st.booleans()):
        groups.append(b.local("t", draw(st.integers(1, 3))))
        groups.append(b.local("t", 1))
    inner = draw(st.lists(definitions(depth=depth - 1), max_size=2)) if depth else []
    every = [int(w) for g in groups for w in g]
    ports = [w for g in groups[:2] for w in g.tolist()]
    start = b.mark()
    for _ in range(draw(st.integers(0, 8))):
        picked = draw(st.permutations(every))
        kind = draw(st.integers(0, 6))
        if kind == 0:
            b.x(picked[:2])
        elif kind == 1 and len(picked) > 1:
            b.cx(picked[0], picked[1])
        elif kind == 2 and len(picked) > 2:
            b.ccx(*picked[:3])
        elif kind == 3 and len(picked) > 1:
            b.swap(picked[0], picked[1])
        elif kind == 4 and len(picked) > 2:
            b.cswap(*picked[:3])
        elif kind == 5 and len(picked) > 1:
            count = draw(st.integers(1, min(4, len(picked) - 1)))
            b.mcx([(w, draw(st.booleans())) for w in picked[:count]], picked[count])
        elif inner:
            callee = draw(st.sampled_from(inner))
            if callee.port_wires <= len(picked):
                split = np.cumsum([p.width for p in callee.ports])[:-1]
                registers = np.split(np.array(picked[: callee.port_wires]), split)
                b.call(callee, *registers, inverse=draw(st.booleans()))
    stop = b.mark()
    if len(ports) > 1:
        b.cx(ports[0], ports[1])
    b.undo(start, stop)
    return b.build()


@settings(deadline=None, max_examples=60)
@given(definitions())
def test_a_random_hierarchy_is_read_back_gate_for_gate_and_role_for_role(d: Definition) -> None:
    round_trip(whole(d))


def test_what_is_written_parses_as_openqasm_3() -> None:
    openqasm3 = pytest.importorskip("openqasm3")

    @settings(deadline=None, max_examples=15)
    @given(definitions())
    def check(d: Definition) -> None:
        openqasm3.parse(dumps(whole(d)))

    check()
    openqasm3.parse(dumps(scheduled()))


# --- circuits of a schedule ------------------------------------------------------------


def scheduled() -> Circuit:
    """Registers that share wires over time, erasures in groups, a loop, layers, a constant."""
    b = Builder("dense 0")
    p, q = b.port("p", 2), b.port("q", 1, zero=True)
    b.ccx(p[:1], p[1:], q)
    dense = b.build()
    source = Register("in[0]", wires([0, 1]), Encoding.unsigned(-3, 0))
    shared = Register("acc", wires([4, 2]))
    later = Register("acc", wires([2, 3]), Encoding(1, (2, 4)))
    constant = Register("bias", wires([]), Encoding(7, ()))
    out = Register("out", wires([5]))
    body = (
        Alloc(shared),
        Call(dense, wires([0, 1, 4])),
        Mark("z/0", (shared, constant)),
        Erase(source, "layer_input", "dense 0", "in"),
        Erase(Register("device[3]", wires([3])), "layer_input", "dense 0", "bit"),
        Call(dense, wires([0, 1, 4]), inverse=True),
        Free(shared),
        Alloc(later),
        Alloc(out),
        Loop(dense, 2, wires([0, 2, 3]), wires([1, 1, 2])),
        Erase(later, "activation", "relu", "z"),
        Erase(constant, "activation", "relu", "z"),
        Free(later),
        Gates(np.array([[0, -1, -1, 4, Role.COMPUTE, 0], [0, -1, -1, 4, 0, 0]], np.int32)),
    )
    return Circuit(
        'a "schedule"',
        6,
        body,
        (source,),
        (out, constant),
        (Layer("dense 0", "dense", 8, (dense,), 0), Layer("relu", "relu", neurons=3)),
        ("dense 0",) * 7 + ("relu",) * 7,
        policy="activation_reset",
        input_choice="destroy",
        order="x before relu",
    )


def test_a_schedule_with_shared_wires_is_read_back() -> None:
    circuit = scheduled()
    text = dumps(circuit)
    assert "@revsim.device" in text
    back = round_trip(circuit)
    layers = [name for name in back.layer_of if name]
    assert set(layers) == {"dense 0", "relu"}
    assert [layer.name for layer in back.layers] == ["dense 0", "relu"]
    assert [d.name for d in back.layers[0].linear] == ["dense 0"]
    assert linear_layers(back) == ()


def test_erasures_keep_cause_layer_and_whose_value_dies() -> None:
    erasures = [i for i in round_trip(scheduled()).body if isinstance(i, Erase)]
    assert [(e.layer, e.cause, e.value_of) for e in erasures] == [
        ("dense 0", "layer_input", "in"),
        ("dense 0", "layer_input", "bit"),
        ("relu", "activation", "z"),
        ("relu", "activation", "z"),
    ]


def test_a_conventional_netlist_with_inner_erasures_and_tallies_is_read_back() -> None:
    b = Builder("and xor")
    p, q, out = b.port("p", 1), b.port("q", 1), b.port("out", 1, zero=True)
    t = b.local("t", 2)
    b.conventional_tally(p, q)
    b.ccx(p, q, t[:1])
    b.conventional_tally(q, t[:1])
    b.cx(t[:1], t[1:])
    b.cx(t[1:], out)
    b.conventional_erase(t[:1], "gate_output")
    b.conventional_erase(t[1:], "fan out")
    b.conventional_erase(p, "gate_output")
    netlist = b.build()
    back = round_trip(whole(netlist))
    found = back.definitions()[0]
    assert found.causes == ("gate_output", "fan out")
    table = flatten(found).table
    assert int((table[:, OP] == TALLY).sum()) == 2
    ensemble = uniform([0, 0, 0], [1, 1, 0])
    runs = [simulate(c, ensemble, executor="numpy") for c in (whole(netlist), back)]
    for one, two in zip(*(run.tally.inner for run in runs), strict=True):
        assert (one.cause, one.ones.tolist()) == (two.cause, two.ones.tolist())
    for first, second in zip(*(run.tally.gates for run in runs), strict=True):
        assert first.joint.tolist() == second.joint.tolist()


def test_a_circuit_read_back_computes_the_same() -> None:
    circuit = scheduled()
    rows = data_set(np.array([[-3], [-2], [-1], [0]]))
    first = simulate(circuit, rows, executor="numpy", strict=False)
    second = simulate(loads(dumps(circuit)), rows, executor="numpy", strict=False)
    assert first.outputs.tolist() == second.outputs.tolist()
    assert len(first.tally.erasures) == len(second.tally.erasures) == 4
    assert [g.before.entropy for g in first.tally.groups] == [
        g.before.entropy for g in second.tally.groups
    ]


def test_inputs_and_outputs_in_another_order_than_declared_keep_their_order() -> None:
    a, b = Register("a", wires([0])), Register("b", wires([1]))
    back = round_trip(Circuit("c", 2, (), (b, a), (a, b), registers=(a, b)))
    assert [r.name for r in back.inputs] == ["b", "a"]


def test_one_wire_run_may_be_signed_as_input_and_unsigned_as_output() -> None:
    before = Register("z", wires(range(4)), Encoding.twos_complement(4))
    after = Register("y", wires(range(4)))
    text = dumps(Circuit("c", 4, (), (before,), (after,)))
    assert "@revsim.input signed" in text
    round_trip(Circuit("c", 4, (), (before,), (after,)))


def test_ports_without_wires_survive() -> None:
    b = Builder("f")
    b.port("none", 0)
    p = b.port("p", 2)
    b.cx(p[:1], p[1:])
    d = b.build()
    registers = (Register("a", wires([0, 1])),)
    round_trip(Circuit("c", 2, (Call(d, wires([0, 1])),), registers, registers))


# --- roles ------------------------------------------------------------


def roles_of(text: str) -> list[int]:
    circuit = loads(HEAD + text)
    items = [*circuit.definitions()[0].body] if circuit.definitions() else [*circuit.body]
    return [r for i in items if isinstance(i, Gates) for r in i.table[:, ROLE].tolist()]


def test_roles_of_a_local_are_found_without_a_word_about_them() -> None:
    body = "@revsim.local t\ndef f(qubit[2] p) { cx p[0], t; cx t, p[1]; cx p[0], t; }\n"
    expected = [Role.COMPUTE, Role.IN_PLACE, Role.UNCOMPUTE]
    assert roles_of(body + "qubit[2] q; f(q);") == expected


def test_roles_of_a_circuit_follow_from_work_and_output() -> None:
    body = "@revsim.input\nqubit a;\n@revsim.work\nqubit w;\n@revsim.output\nqubit r;\n"
    expected = [Role.COMPUTE, Role.COMPUTE, Role.UNCOMPUTE]
    assert roles_of(body + "cx a, w; cx w, r; cx a, w;") == expected


def test_only_roles_that_differ_from_the_rule_are_written() -> None:
    b = Builder("f")
    p, t = b.port("p", 1), b.local("t")
    for _ in range(2):
        start = b.mark()
        b.cx(p, t)
        b.undo(start)
    text = dumps(whole(b.build()))
    assert "@revsim.roles 1=uncompute 3=in_place" in text
    round_trip(whole(b.build()))


# --- files ------------------------------------------------------------


def test_a_saved_file_is_loaded_and_no_temporary_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "adder.qasm"
    save(scheduled(), path)
    assert dumps(load(path)) == path.read_text(encoding="utf-8")
    assert os.listdir(tmp_path) == ["adder.qasm"]


def test_a_failed_save_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.qasm"
    save(scheduled(), path)
    before = path.read_bytes()
    bad = Circuit("c", 1, (Gates(np.array([[6, -1, -1, 0, 0, 0]], np.int32)),), (), ())
    with pytest.raises(InputError, match="Erase item"):
        save(bad, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["c.qasm"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        save(scheduled(), tmp_path / "none" / "c.qasm")
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "none.qasm")


def test_bytes_that_are_not_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "c.qasm"
    path.write_bytes(b"OPENQASM 3.0;\n// \xff\n")
    with pytest.raises(InputError, match=r"line 2: byte 0xff is not UTF-8"):
        load(path)


def test_a_file_names_the_circuit_where_the_text_does_not(tmp_path: Path) -> None:
    path = tmp_path / "toffoli.qasm"
    path.write_text(HEAD + "qubit[3] q;\nccx q[0], q[1], q[2];\n", encoding="utf-8")
    assert load(path).name == "toffoli"


# --- what the language allows ------------------------------------------------------------


def test_registers_without_annotation_are_input_and_output() -> None:
    circuit = loads(HEAD + "qubit[2] a; qubit b;")
    assert [r.name for r in circuit.inputs] == [r.name for r in circuit.outputs] == ["a", "b"]


def test_gates_broadcast_over_registers() -> None:
    circuit = loads(HEAD + "qubit[3] a; qubit[3] b; qubit c; x a; cx a, b; ccx c, a, b; reset b;")
    counts = circuit_counts(circuit)
    assert (counts.x, counts.cnot, counts.toffoli, counts.erase) == (3, 3, 3, 3)


def test_slices_include_both_ends_and_may_step() -> None:
    circuit = loads(HEAD + "qubit[8] a; x a[1:2:5]; x a[{0, 7}]; x a[2:3];")
    (gates,) = circuit.body
    assert isinstance(gates, Gates)
    assert gates.table[:, 3].tolist() == [1, 3, 5, 0, 7, 2, 3]
    assert gates.table.shape[1] == COLUMNS


def test_modifiers_combine_into_controls_of_either_polarity() -> None:
    circuit = loads(HEAD + "qubit[5] a; inv @ ctrl(2) @ negctrl @ cx a[0], a[1], a[2], a[3], a[4];")
    (gates,) = circuit.body
    assert isinstance(gates, Gates)
    assert gates.controls == (((0, True), (1, True), (2, False), (3, True)),)


def test_annotations_and_pragmas_of_other_programs_are_passed_over() -> None:
    text = "pragma other thing\n@other.note 1\nqubit a;\n@mine\nx a;\nbarrier a;\nbarrier;\n"
    assert circuit_counts(loads(HEAD + text)).gates == 1


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_but_never_fails_otherwise(data: st.DataObject) -> None:
    text = dumps(scheduled())
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 12)))
    put = data.draw(st.text('ab[]{}();,@.=0123456789"\n ctrlx', max_size=6))
    try:
        loads(text[:start] + put + text[stop:])
    except InputError as error:
        assert "<text>" in str(error)


def test_a_call_chain_at_the_limit_still_runs() -> None:
    chain = "gate f0 a { x a; }\n"
    chain += "".join(f"gate f{i + 1} a {{ f{i} a; }}\n" for i in range(DEPTH_LIMIT))
    circuit = loads(HEAD + chain + f"qubit a;\nf{DEPTH_LIMIT} a;")
    run = simulate(circuit, uniform([0], [1]), executor="numpy")
    assert run.outputs.ravel().tolist() == [1, 0]
