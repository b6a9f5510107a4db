"""Literal, fused and plain NumPy, one thread or two, any block: the same bits, counts, promises.

Every test here takes whatever `differential.WAYS` lists. What is quick runs in CI; the same at
length, over thousands of programs and on whole models, is marked slow.
"""

from pathlib import Path

import numpy as np
import pytest
from differential import WAYS, Way, agrees, random_case, same_everywhere
from oracle_circuits import bits
from random_programs import gates, program
from tensor_circuits import lower_by_tables, small_graph

from revsim.blocks.block import Block
from revsim.blocks.registry import BLOCKS
from revsim.circuit import program as programs
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit
from revsim.formats.qasm3 import load
from revsim.network.bundled import BUNDLED, bundled
from revsim.network.handmade import HANDMADE
from revsim.network.network import Network
from revsim.pipeline import compile_model, default_ensemble
from revsim.schedule.device import Device
from revsim.schedule.graphs import GRAPH_POLICIES, compile_graph, schedule_graph
from revsim.schedule.policy import INPUT_CHOICES, POLICIES
from revsim.simulator import linked
from revsim.simulator.ensemble import Ensemble, data_set, uniform
from revsim.simulator.faults import EraseFaults

CIRCUITS = sorted((Path(__file__).resolve().parents[1] / "circuits").glob("*.qasm"))
ROWS = (1, 63, 64, 65, 511, 512, 513)
FEW = WAYS[0], WAYS[-1]
"""As the executor chooses, and two threads on wide blocks."""


# --- definitions at positions ---------------------------------------------------------------------


def try_programs(seeds: range, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random programs on any rows at some positions, flattened or linked call by call."""
    for seed in seeds:
        random = np.random.default_rng(seed)
        definition = program(random, sound=seed % 3 == 0)
        rows = 4097 if seed % 50 == 0 else int(random.choice(ROWS))
        case = random_case(definition, random, rows, int(random.integers(1, 5)))
        monkeypatch.setattr(linked, "LINKED_GATES", (linked.LINKED_GATES, 0)[seed % 4 == 1])
        monkeypatch.setattr(programs, "LEAF_GATES", (programs.LEAF_GATES, 20)[seed % 8 == 1])
        try:
            agrees(case)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}\n{error}") from None
        finally:
            monkeypatch.undo()


@pytest.mark.parametrize("part", range(6))
def test_random_programs(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    try_programs(range(25 * part, 25 * part + 25), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_many_random_programs(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    try_programs(range(1000 + 200 * part, 1000 + 200 * part + 200), monkeypatch)


def try_block(block: Block, width: int, ways: tuple[Way, ...]) -> None:
    """A block, forward and backward, on states that keep its promises and on others."""
    random = np.random.default_rng(width)
    for rows in (65, 513):
        agrees(random_case(block.build(width), random, rows, 2), ways)


@pytest.mark.parametrize("block", BLOCKS, ids=[block.name for block in BLOCKS])
def test_blocks(block: Block) -> None:
    try_block(block, max(3, block.least_width), FEW)


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS, ids=[block.name for block in BLOCKS])
def test_blocks_of_all_widths(block: Block) -> None:
    for width in (*range(block.least_width, 13), 16, 24):
        if width <= block.most_width:
            try_block(block, width, WAYS)


# --- circuits -------------------------------------------------------------------------------------


def random_circuit(seed: int) -> Circuit:
    """Sound definitions in two layers, erasures of registers in groups, among them a wide one."""
    random = np.random.default_rng(seed)
    device = Device([bits(7), bits(4)])
    x, z = device.inputs

    def called(layer: str) -> None:
        device.layer = layer
        definition = program(random, sound=True)
        taken = [port.width for port in definition.ports]
        y = device.alloc("y", bits(taken[1]))
        device.call(definition, x.wires[: taken[0]], y.wires, z.wires[: taken[2]])
        device.mark(f"{layer}.y", [y])
        for name in ("low", "high")[: 1 + len(y.wires) // 3]:
            half = y.wires[:2] if name == "low" else y.wires[2:]
            device.erase(name, half, f"cause {random.integers(2)}", "y")
        device.free("y", y.wires if len(y.wires) > 2 else y.wires[:2])

    called("first")
    wide = device.alloc("wide", bits(70))
    b = Builder("spread")
    source, target = b.port("source", 4), b.port("target", 70, zero=True)
    gates(b, source, random, 4)
    b.cx(np.resize(source, 70), target)
    device.call(b.build(), z.wires, wide.wires)
    device.erase("wide", wide.wires, "copies", "z")
    device.free("wide", wide.wires)
    called("second")
    device.erase("x", x.wires[:3], "input", "x")
    return device.circuit("random", [z, x], (), "as_written", "destroy", "")


def random_ensemble(seed: int, rows: int) -> Ensemble:
    """Rows of a random circuit; weights on two of three seeds, some of them 0."""
    random = np.random.default_rng([seed, rows])
    values = random.integers(0, (1 << 7, 1 << 4), (rows, 2))
    if seed % 3 == 0:
        return data_set(values)
    weights = random.integers(0, (4, 1 << 40)[seed % 2], rows)
    weights[0] += 1
    return data_set(values, weights)


@pytest.mark.parametrize("leaf", [programs.LEAF_GATES, 20])
@pytest.mark.parametrize("seed", range(8))
def test_random_circuits(seed: int, leaf: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flattened or call by call, with toggles counted, with values and what each row loses; and
    where erasures fail."""
    monkeypatch.setattr(programs, "LEAF_GATES", leaf)
    circuit, ensemble = random_circuit(seed), random_ensemble(seed, (*ROWS, 1000)[seed % 8])
    truth = same_everywhere(circuit, ensemble, switching=True, values=True, pointwise=True)
    assert len(truth.tally.erasures) >= 4 and not truth.tally.violations
    same_everywhere(circuit, ensemble, faults=EraseFaults(0.05, seed), strict=False)


def by_name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", CIRCUITS, ids=by_name)
def test_circuits_of_the_folder_on_all_inputs(path: Path) -> None:
    circuit = load(path)
    ends = [r.encoding for r in circuit.inputs]
    rows = uniform([e.low for e in ends], [e.high for e in ends])
    same_everywhere(circuit, rows, switching=True)


# --- networks -------------------------------------------------------------------------------------

SMALL = ("xor", "toy", *HANDMADE)


def some_rows(network: Network, rows: int) -> Ensemble:
    """A few rows of what a network is run on by default, with weights that repeat."""
    given = default_ensemble(network)[0].rows
    chosen = np.random.default_rng(0).integers(0, len(given), rows)
    return data_set(given[chosen], np.arange(rows) % 4 + 1)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", SMALL)
def test_small_networks(name: str, policy: str) -> None:
    network = bundled(name)
    for choice in INPUT_CHOICES:
        circuit = compile_model(network, policy, choice)
        same_everywhere(circuit, some_rows(network, 70), FEW)


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", BUNDLED)
def test_all_networks(name: str, policy: str) -> None:
    """NumPy on a few rows; on many, one executor judges the others."""
    network = bundled(name)
    for choice in INPUT_CHOICES:
        circuit = compile_model(network, policy, choice)
        same_everywhere(circuit, some_rows(network, 5), FEW)
        same_everywhere(circuit, some_rows(network, 4097), WAYS[1:], judge=WAYS[0])


# --- graphs of tensors ----------------------------------------------------------------------------


@pytest.mark.parametrize("policy", GRAPH_POLICIES)
@pytest.mark.parametrize("low", [0, -2])
def test_a_small_graph(low: int, policy: str) -> None:
    """Convolutions, a residual sum, a pool, padding, a dense layer; as sums and as truth tables."""
    rows = np.random.default_rng(0).integers(low, low + 4, (130, 4))
    graph, ensemble = small_graph(low), data_set(rows, np.arange(130) % 5)
    for choice in INPUT_CHOICES:
        same_everywhere(compile_graph(graph, policy, choice), ensemble, FEW)
        tables = schedule_graph(graph, lower_by_tables(graph), policy, choice)
        same_everywhere(tables, ensemble, FEW)
