"""Netlists from forward programs compute the same function and reset every gate output once."""

import numpy as np
import pytest

from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Port
from revsim.circuit.gates import ERASE, OP, ROLE, TALLY, Role, X
from revsim.circuit.measures import counts
from revsim.lower.forward_netlist import netlist_of, netlist_recipe
from revsim.lower.layer import lower
from revsim.lower.netlist import neuron_netlist
from revsim.network.arrays import from_arrays
from revsim.simulator.apply import apply

EXECUTORS = ("numpy", "literal")


def scrambled(seed: int) -> Definition:
    """A random forward program of all gates on 5 inputs, 6 locals and 4 outputs."""
    rng = np.random.default_rng(seed)
    b = Builder(f"scrambled {seed}")
    x, y = b.port("x", 5), b.port("y", 4, zero=True)
    wires = np.concatenate([x, b.local("t", 6)])
    for _ in range(60):
        a, c, e = (int(w) for w in rng.choice(wires, 3, replace=False))
        match rng.integers(6):
            case 0:
                b.x(a)
            case 1:
                b.cx(a, c)
            case 2:
                b.ccx(a, c, e)
            case 3:
                b.swap(a, c)
            case 4:
                b.cswap(a, c, e)
            case 5:
                b.mcx([(a, bool(rng.integers(2))), (c, bool(rng.integers(2)))], e)
    b.cx(rng.choice(wires, 4), y)
    b.x(y[1])
    return b.build()


@pytest.mark.parametrize("seed", range(20))
def test_any_forward_program(seed: int) -> None:
    """What stands on the outputs is what the program leaves there, whatever it leaves elsewhere."""
    forward = scrambled(seed)
    netlist = netlist_of(forward)
    xs = np.arange(32)
    expected = [_run(forward, int(x)) for x in xs]
    for executor in EXECUTORS:
        found = apply(netlist, {"x": xs}, executor=executor)
        assert found["y"].tolist() == expected
        assert found["x"].tolist() == xs.tolist()


def _run(definition: Definition, x: int) -> int:
    """The outputs of a definition that leaves its locals dirty, one gate at a time."""
    bits = [(x >> k) & 1 for k in range(5)] + [0] * (definition.wires - 5)
    for gates in definition.body:
        for op, a, b, c, _, extra in gates.table.tolist():  # type: ignore[union-attr]
            if op in (3, 4):
                if op == 3 or bits[a]:
                    bits[b], bits[c] = bits[c], bits[b]
                continue
            if op == 5:
                on = all(bits[w] == p for w, p in gates.controls[extra])  # type: ignore[union-attr]
            else:
                on = (op == 0) or bool(bits[a] and (op == 1 or bits[b]))
            bits[c] ^= on
    return sum(bit << k for k, bit in enumerate(bits[5:9]))


def test_what_is_undone_is_no_gate() -> None:
    """A clean computation has the netlist of its forward half."""

    def forward(b: Builder, x: np.ndarray, y: np.ndarray, clean: bool) -> None:
        start = b.mark()
        t = b.local("t", 2)
        b.ccx(x[0], x[1], t[0])
        b.cx(x[2], x[0])
        b.ccx(x[0], t[0], t[1])
        stop = b.mark()
        b.cx(t[1], y)
        if clean:
            b.undo(start, stop)

    ports = Port("x", 3), Port("y", 1, True)
    both = [
        netlist_recipe("f", ports, lambda b, x, y, c=clean: forward(b, x, y, c)).make()
        for clean in (False, True)
    ]
    tables = [d.body[0].table.tolist() for d in both]  # type: ignore[union-attr]
    assert tables[0] == tables[1]
    assert counts(both[0]).toffoli == 2


@pytest.mark.parametrize("seed", range(8))
def test_what_is_computed_again_is_the_same_gate(seed: int) -> None:
    """Ancillas computed, undone and computed again have the gates of once."""

    def rows(times: int) -> list:
        b, rng = Builder("again"), np.random.default_rng(seed)
        x, y = b.port("x", 5), b.port("y", 4, zero=True)
        wires = np.concatenate([x, b.local("t", 8)])
        pairs = [rng.choice(5 + k, 2, replace=False) for k in range(8)]

        def compute() -> None:
            for k, pair in enumerate(pairs):
                b.ccx(*wires[pair], wires[5 + k])

        start = b.mark()
        compute()
        stop = b.mark()
        for _ in range(times):
            b.undo(start, stop)
            compute()
        b.cx(wires[-4:], y)
        return netlist_of(b.build()).body[0].table.tolist()  # type: ignore[union-attr]

    assert rows(0) == rows(1) == rows(2)


def test_a_constant_output_is_written_once() -> None:
    """One NOT, which finds 0 as the first gate on any output does."""
    b = Builder("one")
    b.port("x", 1)
    y = b.port("y", 2, zero=True)
    b.x(y[1])
    table = netlist_of(b.build()).body[0].table  # type: ignore[union-attr]
    assert table[:, [OP, ROLE]].tolist() == [[X, Role.COMPUTE]]


@pytest.mark.parametrize("inputs", [3, 20])
def test_as_many_gates_as_the_adders_of_the_other_netlist(inputs: int) -> None:
    """A sum and its activation take about as many gates and resets as lower/netlist.py makes."""
    rng = np.random.default_rng(inputs)
    layer = lower(from_arrays([rng.integers(-127, 128, (1, inputs)).tolist()], input_range=(0, 9)))
    one = neuron_netlist(layer[0], 0)
    other = netlist_of(layer[0].copies[0])
    assert abs(counts(other).erase - counts(one).erase) <= 0.1 * counts(one).erase
    rows = {"x": rng.integers(0, 1 << one.ports[0].width, 64)} if one.ports[0].width < 62 else {}
    assert apply(one, rows)["y"].tolist() == apply(other, rows)["y"].tolist()


def test_every_gate_output_is_reset_once_and_tallied() -> None:
    """All locals are erased exactly once; every AND and XOR has its TALLY."""
    netlist = netlist_of(scrambled(3))
    (gates,) = netlist.body
    table = gates.table  # type: ignore[union-attr]
    assert int((table[:, OP] == ERASE).sum()) == netlist.locals
    assert len(np.unique(table[table[:, OP] == ERASE, 3])) == netlist.locals
    assert int((table[:, OP] == TALLY).sum()) >= netlist.locals
