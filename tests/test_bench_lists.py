"""The circuits that benchmarks run: how many gates of which kind, and what they compute."""

import numpy as np
import pytest

from revsim.bench import lists
from revsim.circuit.definition import Call, Definition, Gates
from revsim.circuit.gates import CCX, CSWAP, CX, OP, ROLE, A, B, C, X
from revsim.circuit.program import flatten, gates_below, is_leaf
from revsim.simulator import plain
from revsim.simulator.counters import Counters
from revsim.simulator.lanes import planes_of, read, write

ROWS = 64


def first_wires(definition: Definition) -> dict[str, np.ndarray]:
    """The wires of each port."""
    ends = np.cumsum([port.width for port in definition.ports])
    return {
        port.name: np.arange(end - port.width, end, dtype=np.int32)
        for port, end in zip(definition.ports, ends, strict=True)
    }


def after(definition: Definition, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Values of all ports after the plain executor ran on `values` (0 where none is given)."""
    state = np.zeros((definition.port_wires, 1), dtype=np.uint64)
    ports = first_wires(definition)
    for name, value in values.items():
        write(state, ports[name], value.astype(np.uint64))
    every = np.arange(definition.port_wires, dtype=np.int32)
    plain.run(definition, state, every, Counters(planes_of(None, ROWS)))
    return {name: read(state, wires, ROWS) for name, wires in ports.items()}


@pytest.mark.parametrize(
    ("made", "shares"),
    [
        (lists.random_list(40, 20_000), {X: 0.1, CX: 0.4, CCX: 0.4, CSWAP: 0.1}),
        (lists.linear_list(40, 20_000), {X: 0.2, CX: 0.8}),
    ],
)
def test_drawn_lists_have_their_mix_and_three_different_wires(made, shares):
    (gates,) = made.body
    table = gates.table
    assert set(np.unique(table[:, OP])) == set(shares)
    for opcode, share in shares.items():
        assert abs((table[:, OP] == opcode).mean() - share) < 0.02
    for p, q in ((A, B), (A, C), (B, C)):
        assert not ((table[:, p] == table[:, q]) & (table[:, p] >= 0)).any()
    assert set(np.unique(table[:, C])) == set(range(40))
    assert not table[:, ROLE].any()


def test_a_seed_draws_the_same_list_again_and_another_seed_another():
    one, same, other = (lists.random_list(9, 50, seed) for seed in (1, 1, 2))
    assert (one.body[0].table == same.body[0].table).all()
    assert (one.body[0].table != other.body[0].table).any()


def test_adder_chain_adds_register_by_register():
    width, registers, seed = 5, 4, 3
    chain = lists.adder_chain(300, width, registers, seed)
    assert gates_below(chain) == 12 * (6 * width - 4)
    stream = np.random.default_rng(0)
    values = {f"r{k}": stream.integers(0, 1 << width, ROWS) for k in range(registers)}
    expected = [values[f"r{k}"].copy() for k in range(registers)]
    sources = np.random.default_rng(seed).integers(0, registers, size=12)
    for k, source in enumerate(sources.tolist()):
        target = k % registers
        source = (target + 1) % registers if source == target else source
        expected[target] = (expected[target] + expected[source]) % (1 << width)
    found = after(chain, values)
    assert all((found[f"r{k}"] == expected[k]).all() for k in range(registers))
    assert not found["carry"].any()


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 2), (5, 3)])
def test_layer_multiplies_and_accumulates(inputs, outputs):
    layer = lists.multiply_accumulate(inputs, outputs, seed=4)
    stream = np.random.default_rng(1)
    x = stream.integers(0, 256, size=(inputs, ROWS))
    y = stream.integers(0, 1 << 20, size=(outputs, ROWS))
    values = {f"x{k}": row for k, row in enumerate(x)} | {f"y{k}": row for k, row in enumerate(y)}
    found = after(layer, values)
    expected = (y + lists.layer_weights(inputs, outputs, seed=4) @ x) % (1 << 20)
    assert all((found[f"y{k}"] == expected[k]).all() for k in range(outputs))
    assert all((found[f"x{k}"] == x[k]).all() for k in range(inputs))
    assert not found["zero"].any() and not found["carry"].any()


def test_layer_costs_about_267_gates_a_multiply_accumulate():
    assert gates_below(lists.multiply_accumulate(64, 32)) / (64 * 32) == pytest.approx(267, abs=3)


def test_long_lists_are_cut_into_leaves_between_adders(monkeypatch):
    most = 1 << 18
    monkeypatch.setattr(lists, "LEAF_GATES", most)
    layer = lists.multiply_accumulate(64, 32)
    assert gates_below(layer) > most
    assert all(isinstance(item, Call) and is_leaf(item.definition) for item in layer.body)
    assert len(flatten(layer).table) == gates_below(layer)
    for item in layer.body[1:]:
        (gates,) = item.definition.body
        assert isinstance(gates, Gates)
        first = gates.table[0]  # of an adder that subtracts, or one that adds
        assert first[OP] == X or (first[OP] == CX and gates.table[2, OP] == CCX)
    cut = lists.linear_list(8, most + 1)
    assert [len(item.definition.body[0].table) for item in cut.body] == [most, 1]
