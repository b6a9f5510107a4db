"""Folded programs: the bits, counts and broken promises of their gates, by fewer operations."""

from dataclasses import replace

import numpy as np
import pytest
from random_programs import program as random_program

from revsim.bench.lists import SUM_BITS, layer_weights, multiply_accumulate
from revsim.blocks.block import define
from revsim.blocks.columns import (
    Terms,
    columns_of,
    copied_sum,
    heights_toffolis,
    signed_digits,
    weighted_bits,
)
from revsim.blocks.registry import BLOCKS, block_named
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Call, Definition, Gates, Loop, Port
from revsim.circuit.program import LEAF_GATES, Program, compile_program, flatten, gates_below
from revsim.errors import InputError
from revsim.network.bundled import bundled
from revsim.proof.mutants import mutants_of
from revsim.schedule.policy import compile_network
from revsim.simulator.code import NO_PORTS, code_of, run_lanes
from revsim.simulator.folding import symbolic
from revsim.simulator.folding.symbolic import fold
from revsim.simulator.fused import netlist as operations
from revsim.simulator.fused.netlist import (
    AND,
    AND_XOR,
    FULL,
    HALF,
    MAJORITY,
    MUX,
    XOR,
    XOR3,
    Netlist,
    evaluate,
)
from revsim.simulator.lanes import Words

pytest.importorskip("numba")

ALL = ~np.uint64(0)


def assert_folds(program: Program, before: Words, counting: np.uint64 = ALL) -> Netlist:
    """The netlist of a program does what the literal executor does on uint64 [ports, words], each
    word a position of its own with its own counts and promises; `counting`: the lanes that count.
    """
    netlist, code = fold(program), code_of(program)
    found = evaluate(netlist, before)
    ports, words = before.shape
    state = before.T.reshape(-1, 1).copy()
    wires = np.arange(words * ports, dtype=np.int32).reshape(words, ports)
    ones = np.zeros((code.erased, words), dtype=np.int64)
    joint = np.zeros((code.tallies, words, 3), dtype=np.int64)
    suspect = np.zeros(words, dtype=np.uint8)
    plane = np.full((1, 1), counting)
    run_lanes(code, state, wires, NO_PORTS, 0, words, plane, ones, joint, suspect)
    np.testing.assert_array_equal(found["ports"], state.reshape(words, ports).T)
    np.testing.assert_array_equal(np.bitwise_count(found["erased"] & counting), ones)
    first, second = found["tallied"][:, 0] & counting, found["tallied"][:, 1] & counting
    for k, both in enumerate((first & second, first, second)):
        np.testing.assert_array_equal(np.bitwise_count(both), joint[:, :, k])
    broken = np.zeros(words, dtype=np.uint8)
    for bit, name in ((1, "free"), (2, "role")):
        broken[(found[name] & counting).any(axis=0)] |= bit
    np.testing.assert_array_equal(broken, suspect)
    return netlist


def zero_ports(definition: Definition) -> np.ndarray:
    """Ports that are 0 by promise: bool [ports]."""
    return np.repeat([p.zero_in for p in definition.ports], [p.width for p in definition.ports])


def some_words(definition: Definition, random: np.random.Generator, words: int = 24) -> Words:
    """Random words of the ports; half of them keep the promise of 0, some are sparse."""
    ports = definition.port_wires
    state = random.integers(0, 1 << 64, (ports, words), dtype=np.uint64)
    state[:, ::3] &= random.integers(0, 1 << 64, state[:, ::3].shape, dtype=np.uint64)
    state[zero_ports(definition), ::2] = 0
    return state


def every_input(ports: int) -> Words:
    """All inputs, one in lane 0 of each word: uint64 [ports, 2^ports]."""
    return np.arange(1 << ports, dtype=np.uint64) >> np.arange(ports, dtype=np.uint64)[:, None]


def folds_everywhere(program: Program, random: np.random.Generator) -> Netlist:
    """`assert_folds` on some words and, up to 12 ports, on all inputs."""
    ports = program.definition.port_wires
    if ports <= 12:
        assert_folds(program, every_input(ports), np.uint64(1))
    return assert_folds(program, some_words(program.definition, random))


def count(netlist: Netlist) -> dict[int, int]:
    """How many operations there are of each kind that there is."""
    return {k: int(n) for k, n in enumerate(np.bincount(netlist.kind)) if n}


# --- the same function --------------------------------------------------------------------------


def test_kernels_know_the_kinds_of_operations() -> None:
    from revsim.simulator.folding import kernels

    for name in ("XOR", "XOR3", "AND", "AND_XOR", "MUX", "MAJORITY", "HALF", "FULL"):
        assert getattr(kernels, name) == getattr(operations, name)


def try_random(seeds: range) -> None:
    for seed in seeds:
        random = np.random.default_rng(seed)
        definition = random_program(random, sound=bool(random.integers(3) == 0))
        for inverse in (False, True)[: 1 if definition.erases else 2]:
            folds_everywhere(compile_program(definition, inverse), random)


@pytest.mark.parametrize("part", range(4))
def test_random_programs_fold(part: int) -> None:
    """Every gate, promises kept and broken, wires released dirty, ERASEs, TALLYs, adders with a
    gate wrong."""
    try_random(range(50 * part, 50 * (part + 1)))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_many_random_programs_fold(part: int) -> None:
    try_random(range(1000 + 300 * part, 1000 + 300 * (part + 1)))


def on_few_wires(random: np.random.Generator, wires: int, gates: int, linear: bool) -> Definition:
    """Random gates on so few wires that every rule of Boolean algebra finds something."""
    b = Builder("few")
    x = b.port("x", wires)
    for _ in range(gates):
        p, q, r = random.permutation(x)[:3].tolist()
        match int(random.integers(3 if linear else 8)):
            case 0:
                b.x(r)
            case 1 | 2:
                b.cx(p, r)
            case 3:
                b.cswap(p, q, r)
            case 4:
                b.mcx([(p, bool(random.integers(2))), (q, False)], r)
            case _:
                b.ccx(p, q, r)
    return b.build()


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("wires", [3, 4, 6])
def test_random_gates_on_few_wires_fold(wires: int, linear: bool) -> None:
    random = np.random.default_rng(wires)
    for _ in range(30):
        definition = on_few_wires(random, wires, int(random.integers(4, 60)), linear)
        folds_everywhere(compile_program(definition), random)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_blocks_fold(block) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(0)
    for width in (block.least_width, 3, 8, 13):
        if block.least_width <= width <= block.most_width:
            definition = block.build(width)
            for inverse in (False, True):
                assert_folds(compile_program(definition, inverse), some_words(definition, random))


def definitions_of(item: Definition | Call | Loop) -> list[Definition]:
    """What is called and small enough to be a program."""
    definition = item if isinstance(item, Definition) else item.definition
    if gates_below(definition) <= LEAF_GATES:
        return [definition]
    inner = [part for part in definition.body if isinstance(part, Call | Loop)]
    return [found for part in inner for found in definitions_of(part)]


def definitions_in(name: str, policy: str) -> list[Definition]:
    """The definitions that a bundled network calls."""
    body = compile_network(bundled(name), policy, "destroy").body
    found = [d for item in body if isinstance(item, Call | Loop) for d in definitions_of(item)]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("policy", ["conventional", "activation_reset", "uncompute", "bennett"])
def test_definitions_of_networks_fold(policy: str) -> None:
    random = np.random.default_rng(0)
    for name in ("toy", "xor", "digits_tree", "digits"):
        for definition in definitions_in(name, policy)[:: 7 if name.startswith("digits") else 1]:
            assert_folds(compile_program(definition), some_words(definition, random, 4))


MUTATED = (("add_in_place[cdkm]", 3), ("sum_columns[mixed signs]", 4), ("less_than", 3))


@pytest.mark.parametrize(("name", "width"), MUTATED)
def test_mutants_fold(name: str, width: int) -> None:
    """One gate wrong: folded to what it does on every input, which is the right thing for few."""
    random = np.random.default_rng(0)
    definition = block_named(name).build(width)
    flat, inputs = flatten(definition), every_input(definition.port_wires)
    right = evaluate(fold(compile_program(definition)), inputs)["ports"]
    mutants, lists = mutants_of(flat.table, flat.controls)
    same = 0
    for mutant in mutants:
        rows = np.array(mutant.rows, dtype=np.int32).reshape(-1, flat.table.shape[1])
        table = np.concatenate([flat.table[: mutant.row], rows, flat.table[mutant.row + 1 :]])
        inner = flat.wires - definition.port_wires
        wrong = replace(definition, locals=inner, body=(Gates(table, lists),))
        netlist = folds_everywhere(compile_program(wrong), random)
        promises = len(netlist.free) + len(netlist.role)
        same += not promises and bool((evaluate(netlist, inputs)["ports"] == right).all())
    assert same < len(mutants) / 4


# --- fewer operations ---------------------------------------------------------------------------


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("n", [3, 8, 33])
def test_an_adder_is_a_full_adder_a_place(n: int, inverse: bool) -> None:
    """Half adder, full adders, and the top sum or the carry out, however it is written."""
    modular = {HALF: 1, FULL: n - 2, XOR3: 1}
    carried = {HALF: 1, FULL: n - 1, XOR: 1}
    for variant in ("cdkm", "ttk"):
        for name, expected in ((variant, modular), (f"{variant}, carry", carried)):
            program = compile_program(block_named(f"add_in_place[{name}]").build(n), inverse)
            assert count(fold(program)) == {k: v for k, v in expected.items() if v}
    difference = compile_program(block_named("subtract").build(n), inverse)
    assert count(fold(difference)) == {k: v for k, v in modular.items() if v}


def test_shift_and_add_is_a_full_adder_a_place() -> None:
    """One adder in place per signed digit of each weight, on an accumulator of 20 wires; what an
    adder restores, and that its high addend bits are one register, makes nothing."""
    definition = multiply_accumulate(5, 3)
    _, shift, _ = signed_digits(layer_weights(5, 3).ravel())
    netlist = fold(compile_program(definition))
    found = count(netlist)
    assert found.pop(FULL) == (SUM_BITS - 1 - shift).sum()
    assert sum(found.values()) <= len(shift)  # the top sums
    changed = {definition.name_of(int(port)).split("[")[0] for port in netlist.outputs[:, 0]}
    assert changed == {"y0", "y1", "y2"}


def weighted_sum(weights: list[int], constant: int, width: int) -> tuple[Terms, Definition]:
    terms = weighted_bits(np.arange(len(weights), dtype=np.int32), np.array(weights), constant)
    ports = Port("x", len(weights)), Port("z", width)
    return terms, define("sum", lambda b, x, z: copied_sum(b, terms, z), *ports)


@pytest.mark.parametrize("seed", range(20))
def test_a_sum_in_columns_is_its_carries(seed: int) -> None:
    """floor(h / 2) operations with a carry for each column of h bits but the top, and sums alone
    for those of the top and one a bit of the result."""
    random = np.random.default_rng(seed)
    weights = random.integers(-127, 128, int(random.integers(1, 80))).tolist()
    constant, width = int(random.integers(-1000, 1000)), 18
    terms, definition = weighted_sum(weights, constant, width)
    found = count(fold(compile_program(definition)))
    heights = [len(wires) for wires, _ in columns_of(terms, width)]
    carries = heights_toffolis(heights, terms.constant % (1 << width))
    sums = found.pop(XOR, 0) + found.pop(XOR3, 0)
    assert sum(found.values()) == carries
    assert set(found) <= {HALF, FULL, MAJORITY, AND, AND_XOR}
    assert sums <= width + heights[-1] + 2


def test_a_fredkin_is_two_selections_and_undone_it_is_nothing() -> None:
    b = Builder("exchange")
    s, x, y = b.port("s", 1), b.port("x", 4), b.port("y", 4)
    b.cswap(np.repeat(s, 4), x, y)
    assert count(fold(compile_program(b.build()))) == {MUX: 8}
    b.cswap(np.repeat(s, 4), x, y)
    netlist = fold(compile_program(b.build()))
    assert not len(netlist.kind) and not len(netlist.outputs)


def test_what_is_read_by_three_xors_goes_into_them() -> None:
    b = Builder("shared")
    x, y = b.port("x", 2), b.port("y", 3)
    b.ccx(np.repeat(x[:1], 3), np.repeat(x[1:], 3), y)
    assert count(fold(compile_program(b.build()))) == {AND_XOR: 3}


def unproven(definition: Definition) -> int:
    """Promises of a definition, forward, that are left to be checked on each row; that a port which
    comes in as 0 by promise does so always is."""
    netlist = fold(compile_program(definition))
    given = np.flatnonzero(zero_ports(definition))
    return len(netlist.free) + int((~np.isin(netlist.role, 2 * given)).sum())


ARITHMETIC = ("linear_in_place[exchange]", "linear_in_place[3 by 3]", "multiply_in_place", "unmade")
"""In the names of blocks that clear a wire by a fact about integers: one divides another, or is
clamped where its flag says so."""


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_promises_of_blocks_are_proven(block) -> None:  # type: ignore[no-untyped-def]
    if not any(name in block.name for name in ARITHMETIC):
        for width in {max(block.least_width, 4), min(block.most_width, 9)}:
            assert unproven(block.build(width)) == 0


@pytest.mark.parametrize("policy", ["activation_reset", "uncompute", "bennett"])
def test_promises_of_networks_are_proven(policy: str) -> None:
    assert [unproven(d) for d in definitions_in("digits", policy)[::9]].count(0) > 1
    assert sum(unproven(d) for d in definitions_in("digits", policy)[::9]) == 0


# --- limits -------------------------------------------------------------------------------------


def test_room_grows_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """More nodes than expected: a larger table; more than there may be: refused."""
    random = np.random.default_rng(0)
    program = compile_program(on_few_wires(random, 50, 3000, False))
    plenty = fold(program)
    monkeypatch.setattr(symbolic, "LEAST_ROOM", 1 - 51 - 1500 + 256)
    small = assert_folds(program, some_words(program.definition, random))
    assert small.kind.tolist() == plenty.kind.tolist()
    monkeypatch.setattr(symbolic, "NODES", 1 << 10)
    with pytest.raises(InputError, match=r"'few' computes more than 1,024 different values"):
        fold(program)


def test_a_long_list_of_controls_makes_room() -> None:
    b = Builder("long")
    x, y = b.port("x", 3000), b.port("y", 1)
    b.mcx([(int(w), bool(w % 3)) for w in x], int(y[0]))
    program = compile_program(b.build())
    assert count(fold(program)) == {AND: 2998, AND_XOR: 1}
    before = np.full((3001, 2), ALL)
    before[:3000:3, 0] = 0
    assert_folds(program, before)
