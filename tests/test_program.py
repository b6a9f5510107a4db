"""Programs against a slow clear reference: the gates in order, as few slots as live wires."""

from collections.abc import Iterator

import numpy as np
import pytest

from revsim.circuit import program
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Call, Definition, Gates, Loop, Port
from revsim.circuit.gates import (
    COLUMNS,
    CX,
    ERASE,
    EXTRA,
    FREE,
    INVERSE_ROLE,
    MCX,
    OP,
    ROLE,
    TALLY,
    A,
    B,
    C,
    Role,
    X,
)  # fmt: skip
from revsim.circuit.packed import pack, unpack
from revsim.circuit.program import (
    Program,
    compile_program,
    flatten,
    gates_below,
    tallied_ands,
)
from revsim.circuit.walk import kernels
from revsim.errors import InputError
from revsim.network.cells import Product
from revsim.network.graph import Cells, Graph, Node, Tensor
from revsim.network.graph_reference import run_graph
from revsim.pipeline import load_network
from revsim.schedule.graphs import compile_graph
from revsim.schedule.policy import compile_network
from revsim.simulator import code
from revsim.simulator.code import compile_code
from revsim.simulator.ensemble import data_set
from revsim.simulator.literal.grouping.kernels import group_rows
from revsim.simulator.run import simulate

Step = tuple[int, int, tuple[int, ...], tuple[tuple[int, bool], ...], int]
"""Opcode, role, wires in order of A, B, C, control list, EXTRA of an ERASE."""
USED = {MCX: (C,), ERASE: (C,), X: (C,), CX: (A, C), 2: (A, B, C), 3: (B, C), 4: (A, B, C),
        TALLY: (A, B)}  # fmt: skip


def steps(d: Definition, wires: list[int], backward: bool, fresh: Iterator[int]) -> Iterator[Step]:
    """The gates of a definition on these wires, in order; each call gets locals of its own."""
    for item in reversed(d.body) if backward else d.body:
        if isinstance(item, Gates):
            for row in item.table[::-1] if backward else item.table:
                role = INVERSE_ROLE[row[ROLE]] if backward else row[ROLE]
                named = tuple(wires[row[k]] for k in USED[row[OP]])
                lists = item.controls[row[EXTRA]] if row[OP] == MCX else ()
                controls = tuple((wires[w], bool(p)) for w, p in lists)
                yield int(row[OP]), int(role), named, controls, int(row[EXTRA])
            continue
        calls = item.calls() if isinstance(item, Loop) else (item,)
        for call in reversed(calls) if backward else calls:
            given = [wires[w] for w in call.wires]
            given += [next(fresh) for _ in range(call.definition.locals)]
            yield from steps(call.definition, given, call.inverse != backward, fresh)


def all_steps(d: Definition, inverse: bool = False) -> list[Step]:
    return list(steps(d, list(range(d.wires)), inverse, iter(range(d.wires, 1 << 30))))


def last_uses(listed: list[Step], ports: int) -> dict[int, int]:
    """The last gate that uses each local."""
    return {
        w: place
        for place, (_, _, wires, controls, _) in enumerate(listed)
        for w in (*wires, *(c for c, _ in controls))
        if w >= ports
    }


def peak(listed: list[Step], ports: int) -> int:
    """Most wires that are live at once: ports, and each local from its first use to its last."""
    last = last_uses(listed, ports)
    live: set[int] = set()
    most = 0
    for place, (_, _, wires, controls, _) in enumerate(listed):
        live |= {w for w in (*wires, *(c for c, _ in controls)) if w >= ports}
        most = max(most, len(live))
        live -= {w for w in live if last[w] == place}
    return ports + most


def check(program: Program) -> None:
    """Row by row: each slot is held by the wire that the reference names, and given back at its
    last use, unless the gate has checked it there."""
    ports = program.definition.port_wires
    listed = all_steps(program.definition, program.inverse)
    assert program.slots == peak(listed, ports)
    last = last_uses(listed, ports)
    held = {w: w for w in range(ports)}  # the slot of each live wire
    rows, row = program.table, 0
    erased = tallies = lists = 0
    ands: list[int] = []
    for place, (op, role, wires, controls, extra) in enumerate(listed):
        made = rows[row]
        assert (made[OP], made[ROLE]) == (op, role)
        row += 1
        slots = [int(made[k]) for k in USED[op]]
        named = list(wires)
        if op == MCX:
            assert made[EXTRA] == lists
            found = program.controls[lists]
            assert [p for _, p in found] == [p for _, p in controls]
            slots += [s for s, _ in found]
            named += [w for w, _ in controls]
            lists += 1
        for wire, slot in zip(named, slots, strict=True):
            assert held.setdefault(wire, slot) == slot
        assert len(set(held.values())) == len(held)
        if op == ERASE:
            assert made[EXTRA] == program.cause_of[erased] == extra
            erased += 1
        if op == TALLY:
            assert made[EXTRA] == tallies
            tallies += 1
        elif op in (CX, 2):
            ands += [op == 2] * (tallies - len(ands))
        over = {w for w in named if last.get(w) == place}
        frees = set()
        while row < len(rows) and rows[row, OP] == FREE:
            frees.add(int(rows[row, C]))
            row += 1
        checked = {wires[-1]} if role == Role.UNCOMPUTE else set()
        assert frees == {held[w] for w in over - checked}
        for w in over:
            del held[w]
    assert row == len(rows)
    assert set(held) == set(range(ports))
    assert (program.erased, program.tallies) == (erased, tallies)
    assert tallied_ands(program.definition, program.inverse).tolist() == program.is_and.tolist()
    assert program.is_and.tolist() == ands
    changed = [w for op, _, wires, _, _ in listed if op != TALLY
               for w in (wires[-2:] if op in (3, 4) else wires[-1:])]  # fmt: skip
    assert program.writes.tolist() == [changed.count(w) for w in range(ports)]


def random_gates(random: np.random.Generator, wires: int, gates: int, erases: bool) -> Gates:
    """Every opcode; roles as they come, since nothing is run."""
    table = np.full((gates, COLUMNS), -1, dtype=np.int32)
    controls = []
    kinds = [0, 1, 2, 3, 4, 5] + ([6, 8] if erases else [])
    for k in range(gates):
        op = int(random.choice(kinds))
        used = random.choice(wires, min(wires, 5), replace=False).tolist()
        table[k, [OP, ROLE, EXTRA]] = op, random.integers(3) * (op in (0, 1, 2, 5)), 0
        table[k, list(USED[op])] = used[: len(USED[op])]
        if op == MCX:
            table[k, EXTRA] = len(controls)
            size = int(random.integers(len(used)))
            controls.append(tuple((w, bool(random.integers(2))) for w in used[1 : size + 1]))
        if op == ERASE:
            table[k, EXTRA] = random.integers(3)
    if erases:  # what a TALLY announces
        table = np.concatenate([table, [[CX, 0, -1, 1, 0, 0]]]).astype(np.int32)
    return Gates(table, tuple(controls))


def random_definition(random: np.random.Generator, depth: int, erases: bool) -> Definition:
    """Gates, calls and loops, forward and backward, some of nothing."""
    ports, locals_ = int(random.integers(3, 8)), int(random.integers(0, 9))
    wires = ports + locals_
    body = []
    for _ in range(int(random.integers(0, 4))):
        body.append(random_gates(random, wires, int(random.integers(0, 9)), erases))
        if depth == 0:
            continue
        inner = random_definition(random, depth - 1, erases)
        backward = bool(random.integers(2)) and not inner.erases
        if inner.port_wires > wires:
            continue
        given = random.choice(wires, inner.port_wires, replace=False).astype(np.int32)
        if random.integers(2):
            body.append(Call(inner, given, backward))
        else:
            count = int(random.integers(0, 4))
            room = wires - inner.port_wires
            base = np.arange(inner.port_wires, dtype=np.int32)
            stride = np.full(inner.port_wires, 1 if count <= room + 1 else 0, dtype=np.int32)
            body.append(Loop(inner, count, base, stride, backward))
    return Definition("random", (Port("p", ports),), locals_, tuple(body), causes=("a", "b", "c"))


@pytest.mark.parametrize("seed", range(60))
def test_a_program_is_the_gates_of_its_definition(seed: int) -> None:
    """Three levels of calls and loops, each opcode, forward and backward."""
    definition = random_definition(np.random.default_rng(seed), seed % 4, seed % 3 == 0)
    for inverse in (False, True):
        if inverse and definition.erases:
            with pytest.raises(InputError, match="has no inverse"):
                compile_program(definition, inverse)
            continue
        program = compile_program(definition, inverse)
        check(program)
        assert (
            group_rows(pack(program.table), program.slots)
            == compile_code(definition, inverse).body.rows
        ).all()


def test_small_programs_are_written_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows from the kernels as plain Python, which small circuits take."""
    definition = random_definition(np.random.default_rng(3), 3, False)
    compiled, flat = compile_program(definition, True), flatten(definition)
    for name in ("last_uses", "assign_slots", "flat_rows"):
        function = getattr(kernels, name)
        plain = getattr(function, "py_func", function)
        monkeypatch.setattr(program, f"_{name}", lambda size, *a, plain=plain: plain(*a))
    check(compile_program(definition, True))
    assert (compile_program(definition, True).rows == compiled.rows).all()
    assert (flatten(definition).table == flat.table).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_flat_table_is_the_gates_of_its_definition(seed: int) -> None:
    definition = random_definition(np.random.default_rng(seed), 3, seed % 3 == 0)
    flat = flatten(definition)
    assert len(flat.table) == gates_below(definition)
    tallies = 0
    for row, (op, role, wires, controls, extra) in zip(
        flat.table, all_steps(definition), strict=True
    ):
        assert (row[OP], row[ROLE], tuple(row[list(USED[op])])) == (op, role, wires)
        if op == MCX:
            assert flat.controls[row[EXTRA]] == controls
        elif op == TALLY:
            assert row[EXTRA] == tallies
            tallies += 1
        else:
            assert row[EXTRA] == extra
    assert flat.tallies == tallies


@pytest.mark.parametrize(
    ("name", "policy"),
    [("toy", "conventional"), ("digits", "uncompute"), ("digits_sign", "activation_reset")],
)
def test_compiled_networks_stand_on_no_more_slots_than_live_wires(name: str, policy: str) -> None:
    definitions = compile_network(load_network(name), policy).definitions()
    for definition in definitions[:: max(1, len(definitions) // 6)]:
        made = compile_program(definition)
        assert peak(all_steps(definition), definition.port_wires) == made.slots


def test_packing_loses_nothing() -> None:
    random = np.random.default_rng(0)
    table = random_gates(random, 9, 200, True).table
    erase, tally = table[:, OP] == ERASE, table[:, OP] == TALLY
    table[tally, EXTRA] = np.arange(tally.sum())
    table[~(erase | tally | (table[:, OP] == MCX)), EXTRA] = 0
    assert (unpack(pack(table), table[erase, EXTRA].astype(np.int64)) == table).all()


def test_tables_that_share_control_lists_and_read_only_ones() -> None:
    """A table may be a view, and two tables may point into the same control lists."""
    b = Builder("shared")
    x, y = b.port("x", 3), b.port("y", 1)
    b.mcx([(int(x[0]), True), (int(x[1]), False)], int(y[0]))
    inner = Builder("not")
    inner.x(inner.port("p", 1))
    b.call(inner.build(), y)
    b.mcx([(int(x[2]), False), (int(x[1]), True)], int(y[0]))
    definition = b.build()
    lists = (((0, True), (1, False)), ((2, False), (1, True)))
    second = Gates(np.array([[MCX, -1, -1, 3, 0, 1]], dtype=np.int32), lists)
    shared = (Gates(np.array([[MCX, -1, -1, 3, 0, 0]], dtype=np.int32), lists), second, second)
    check(compile_program(Definition("shared", definition.ports, 0, shared)))
    check(compile_program(definition))
    for item in definition.body:
        if isinstance(item, Gates):
            item.table.flags.writeable = False
    check(compile_program(definition, True))
    table = np.asfortranarray(np.array([[X, -1, -1, 0, 0, 0]] * 3, dtype=np.int32))
    table.flags.writeable = False
    check(compile_program(Definition("view", (Port("p", 1),), 0, (Gates(table[::2]),))))


def test_a_definition_with_too_many_gates_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = {n: Tensor(n, (1, 4), -3, 4) for n in "ab"}
    tensors["y"] = Tensor("y", (1, 4), -12, 16)
    reads = np.array([[k, 4 + k] for k in range(4)])
    node = Node("times", Cells("times", Product(), reads), ("a", "b"), "y")
    graph = Graph("product", tensors, (node,), ("a", "b"), ("y",))
    rows = np.random.default_rng(0).integers(-3, 5, (70, 8))
    expected = run_graph(graph, {"a": rows[:, :4], "b": rows[:, 4:]})["y"]
    assert (simulate(compile_graph(graph, "bennett"), data_set(rows)).outputs == expected).all()
    monkeypatch.setattr(code, "PROGRAM_GATES", 10)
    b = Builder("eleven")
    p = b.port("p", 11)
    b.x(p)
    with pytest.raises(InputError, match="has at most 10"):
        compile_code(b.build(), False)
