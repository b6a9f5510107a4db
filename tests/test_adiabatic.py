"""What adiabatic families demand of circuits: each rule broken and kept, on gates one can read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from revsim.circuit.adiabatic import DEMANDS, check_family, examine
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Call, Circuit, Definition, Erase
from revsim.circuit.registers import Register
from revsim.errors import InputError
from revsim.formats.qasm3 import load
from revsim.pipeline import load as load_network
from revsim.schedule.policy import compile_network
from revsim.simulator.apply import apply

CIRCUITS = Path(__file__).resolve().parents[1] / "circuits"
REVERSIBLE = ("2lal", "s2lal", "q2lal")


def rules(subject: Circuit | Definition, family: str) -> list[tuple[str, int]]:
    return [(v.rule, v.gate) for v in check_family(subject, family)]


def built(body: Callable[..., object], inputs: int, outputs: int) -> Definition:
    b = Builder("gates")
    body(b, b.port("x", inputs), b.port("y", outputs, zero=True))
    return b.build()


def test_a_copy_onto_a_fresh_wire_is_legal_in_every_family() -> None:
    copy = built(lambda b, x, y: b.cx(x, y), 1, 1)
    assert all(rules(copy, family) == [] for family in DEMANDS)


def test_writing_twice_breaks_c1_until_it_is_split_over_two_wires() -> None:
    twice = built(lambda b, x, y: (b.cx(x[:1], y), b.cx(x[1:], y)), 2, 1)
    split = built(lambda b, x, y: (b.cx(x[:1], y[:1]), b.cx(x[1:], y[1:])), 2, 2)
    assert rules(twice, "retractile") == [("C1", 1)]
    assert rules(split, "retractile") == []
    assert all(rules(twice, family) == [("C5", 1)] for family in REVERSIBLE)  # x[1] waits a level


def erasing() -> Circuit:
    """AND whose inputs are not kept."""
    b = Builder("and")
    x, y = b.port("x", 2), b.port("y", 1, zero=True)
    b.ccx(x[:1], x[1:], y)
    call = b.build()
    wires = np.arange(3, dtype=np.int32)
    first, out = Register("x", wires[:2]), Register("y", wires[2:])
    body = (Call(call, wires), Erase(first, "input", "layer1", "x"))
    return Circuit("and", 3, body, (first,), (out,))


def test_an_and_without_its_inputs_is_no_bijection_but_fits_a_retractile_cascade() -> None:
    assert rules(erasing(), "retractile") == []
    for family in REVERSIBLE:
        assert rules(erasing(), family) == [("C3", 1), ("C3", 2)]


def test_any_reset_fails_the_reversible_pipelines() -> None:
    for policy in ("conventional", "activation_reset", "uncompute"):
        circuit = compile_network(load_network("xor"), policy, "destroy")
        for family in REVERSIBLE:
            assert "C3" in {v.rule for v in check_family(circuit, family)}
    clean = compile_network(load_network("toy"), "bennett", "keep")
    assert {v.rule for v in check_family(clean, "q2lal")} == {"C5"}  # buffers are all it needs
    assert {v.rule for v in check_family(clean, "2lal")} == {"C5", "C7"}


def test_garbage_breaks_c2_and_uncomputing_mends_it() -> None:
    def garbage(b: Builder, x: np.ndarray, y: np.ndarray) -> None:
        t = b.local("t")
        b.ccx(x[:1], x[1:2], t)
        b.ccx(t, x[2:], y)

    def clean(b: Builder, x: np.ndarray, y: np.ndarray) -> None:
        garbage(b, x, y)
        b.ccx(x[:1], x[1:2], b.local("u"))
        b.undo(0, 1)
        b.undo(2, 3)

    dirty = check_family(built(garbage, 3, 1), "2lal")
    assert ("C2", 0) in [(v.rule, v.gate) for v in dirty]
    assert "never uncomputed" in next(v.what for v in dirty if v.rule == "C2")
    assert "C2" not in {v.rule for v in check_family(built(clean, 3, 1), "2lal")}


def test_an_in_place_adder_uncomputes_its_carries_as_the_gates_show() -> None:
    adder = load(CIRCUITS / "adder4.qasm")
    assert {v.rule for v in check_family(adder, "2lal")} == {"C5"}


def test_what_rests_on_a_wire_must_come_down_before_it_changes() -> None:
    def early(b: Builder, x: np.ndarray, y: np.ndarray) -> None:
        t, u = b.local("t"), b.local("u")
        b.ccx(x[:1], x[1:], t)
        b.cx(t, u)
        b.cx(u, y)
        b.ccx(x[:1], x[1:], t)  # t comes down while u rests on it
        b.ccx(x[:1], x[1:], u)  # the sum cancels, but not by u's own gate

    def nested(b: Builder, x: np.ndarray, y: np.ndarray) -> None:
        t, u = b.local("t"), b.local("u")
        b.ccx(x[:1], x[1:], t)
        b.cx(t, u)
        b.cx(u, y)
        b.undo(1, 2)
        b.undo(0, 1)

    assert ("C4", 3) in rules(built(early, 2, 1), "retractile")
    assert rules(built(nested, 2, 1), "retractile") == []


def test_one_reader_a_value_for_aqfp() -> None:
    fan = built(lambda b, x, y: b.cx(np.repeat(x, 2), y), 1, 2)
    assert rules(fan, "aqfp") == [("C6", 1)]
    assert all(rules(fan, family) == [] for family in DEMANDS if family != "aqfp")


def test_complements_need_a_second_pair_of_rails_in_2lal_alone() -> None:
    inverted = built(lambda b, x, y: b.x(x), 1, 0)
    negative = built(lambda b, x, y: b.mcx([(int(x[0]), False)], int(y[0])), 1, 1)
    for circuit in (inverted, negative):
        broken = {family for family in DEMANDS if rules(circuit, family)}
        assert broken == {"2lal", "s2lal"}


def test_too_many_switches_in_series() -> None:
    def wide(count: int) -> Definition:
        return built(lambda b, x, y: b.mcx([(int(w), True) for w in x], int(y[0])), count, 1)

    assert rules(wide(4), "s2lal") == []
    assert rules(wide(5), "s2lal") == [("series", 0)]


def test_swaps_are_wiring_and_fredkins_cancel_in_pairs() -> None:
    swap = built(lambda b, x, y: b.swap(x[0], x[1]), 2, 0)
    assert all(rules(swap, family) == [] for family in DEMANDS)

    def pair(b: Builder, x: np.ndarray, y: np.ndarray) -> None:
        t = b.local("t")
        b.cx(x[1], t)
        b.cswap(x[0], x[1], x[2])
        b.cswap(x[0], x[1], x[2])
        b.cx(x[1], t)

    found = check_family(built(pair, 3, 0), "2lal")
    assert "C2" not in {v.rule for v in found}


def test_buffers_are_shared_along_a_wire() -> None:
    def late(b: Builder, x: np.ndarray, y: np.ndarray) -> None:
        b.cx(x[0], y[0])
        b.cx(y[0], y[1])
        b.ccx(x[1], y[1], y[2])  # level 3: x[1] has waited 2
        b.ccx(x[1], y[2], y[3])  # level 4: one more

    found = [v.what for v in check_family(built(late, 2, 4), "pfal")]
    assert [w.rsplit("waits ")[-1] for w in found if "x[1]" in w] == ["2 levels", "1 level"]


@pytest.mark.parametrize("family", ["scrl", "dominoes"])
def test_unknown_families_are_refused(family: str) -> None:
    with pytest.raises(InputError, match=family):
        check_family(erasing(), family)


def test_violations_speak_of_the_users_wires() -> None:
    first = check_family(load(CIRCUITS / "half_adder_in_place.qasm"), "retractile")[0]
    assert first.rule == "C1" and "not known to be 0" in first.what and "gate" in first.what


def test_levels_and_nodes() -> None:
    def and_and_back(b: Builder, x: np.ndarray, y: np.ndarray) -> None:
        t = b.local("t")
        b.ccx(x[:1], x[1:], t)
        b.cx(t, y)
        b.undo(0, 1)

    found = examine(built(and_and_back, 2, 1))
    # t is read and taken back in one level, from the values of the level before; only t and y rise
    assert (found.levels, found.nodes) == (2, 2)


def random_gates(seed: int) -> tuple[Definition, list[tuple[str, tuple[int, ...]]]]:
    """Gates on three inputs and three fresh wires; later ones often repeat earlier ones."""
    random = np.random.default_rng(seed)
    b = Builder("random")
    wires = np.concatenate([b.port("x", 3), b.port("t", 3, zero=True)])
    listed: list[tuple[str, tuple[int, ...]]] = []
    for _ in range(int(random.integers(2, 14))):
        if listed and random.random() < 0.55:
            name, used = listed[int(random.integers(len(listed)))]
        else:
            name = str(random.choice(["cx", "ccx", "cswap", "swap", "x"]))
            arity = {"cx": 2, "ccx": 3, "cswap": 3, "swap": 2, "x": 1}[name]
            used = tuple(int(w) for w in random.choice(wires, arity, replace=False))
        listed.append((name, used))
        getattr(b, name)(*used)
    return b.build(), listed


def moved(name: str, used: tuple[int, ...], state: np.ndarray) -> None:
    """One gate on bits [wires, rows], written anew."""
    *controls, last = used
    if name in ("swap", "cswap"):
        *controls, first, last = used
        chosen = state[controls].all(axis=0) if controls else np.ones(state.shape[1], dtype=bool)
        state[np.ix_([first, last], np.flatnonzero(chosen))] = state[
            np.ix_([last, first], np.flatnonzero(chosen))
        ]
    else:
        state[last] ^= state[controls].all(axis=0) if controls else True


@pytest.mark.parametrize("seed", range(200))
def test_what_passes_as_known_zero_is_zero_on_every_input(seed: int) -> None:
    definition, listed = random_gates(seed)
    broken = {v.gate for v in examine(definition).violations if v.rule == "C1"}
    state = np.zeros((6, 8), dtype=bool)
    state[:3] = np.array([[row >> k & 1 for row in range(8)] for k in range(3)], dtype=bool)
    for gate, (name, used) in enumerate(listed):
        before = state.copy()
        moved(name, used, state)
        if name in ("swap", "x") or gate in broken:
            continue
        for wire in used[-2:] if name == "cswap" else used[-1:]:
            changed = (before[wire] != state[wire]).any()
            assert not (changed and before[wire].any() and state[wire].any()), (gate, name, used)


@pytest.mark.parametrize("seed", range(60))
def test_without_c2_every_local_ends_at_zero(seed: int) -> None:
    """The same gates on locals: either C2 is reported or the simulator finds them clean."""
    _, listed = random_gates(seed)
    b = Builder("locals")
    b.port("x", 3)
    b.local("t", 3)
    for name, used in listed + (listed[::-1] if seed % 2 else []):
        getattr(b, name)(*used)
    definition = b.build()
    if not any(v.rule == "C2" for v in examine(definition).violations):
        apply(definition, {"x": np.arange(8)})  # raises where a local is left behind


def test_a_bennett_circuit_makes_each_value_once() -> None:
    """Half of its gates take back what the other half wrote, but for the copy of the output."""
    circuit = load(CIRCUITS / "half_adder_bennett.qasm")
    assert examine(circuit).nodes == 3 + 2  # three gates forward, two copies
