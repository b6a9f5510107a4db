"""Literal, fused and plain NumPy, one thread or two, any block: the same bits, counts, promises.

Every test here takes whatever `differential.WAYS` lists. What is quick runs in CI; the same at
length, over thousands of programs and on whole models, is marked slow.
"""

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import random_programs
from differential import (
    JUDGE,
    WAYS,
    Way,
    agrees,
    counted,
    few_ways,
    random_case,
    run,
    same_everywhere,
)
from random_programs import program
from tensor_circuits import lower_by_tables, small_graph

from revsim.blocks.block import Block
from revsim.blocks.registry import BLOCKS
from revsim.circuit import program as programs
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.formats.qasm3 import load
from revsim.network.bundled import BUNDLED, bundled
from revsim.network.graph import Graph
from revsim.network.handmade import HANDMADE
from revsim.network.network import Network
from revsim.pipeline import compile_model, default_ensemble
from revsim.pipeline import load as load_model
from revsim.schedule.graphs import GRAPH_POLICIES, compile_graph, schedule_graph
from revsim.schedule.policy import INPUT_CHOICES, POLICIES
from revsim.simulator.counters import Counters, Violation
from revsim.simulator.ensemble import Ensemble, data_set, uniform
from revsim.simulator.executors import EVERY_GATE
from revsim.simulator.faults import EraseFaults
from revsim.simulator.lanes import Words, unpack
from revsim.simulator.run import Run

CIRCUITS = sorted((Path(__file__).resolve().parents[1] / "circuits").glob("*.qasm"))
ROWS = (1, 63, 64, 65, 511, 512, 513)


# --- definitions at positions ---------------------------------------------------------------------


def try_programs(seeds: range) -> None:
    """Random programs on any rows at some positions."""
    for seed in seeds:
        random = np.random.default_rng(seed)
        definition = program(random, sound=seed % 3 == 0)
        rows = 4097 if seed % 50 == 0 else int(random.choice(ROWS))
        case = random_case(definition, random, rows, int(random.integers(1, 5)))
        try:
            agrees(case, few_ways(seed, count=4))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}\n{error}") from None


@pytest.mark.parametrize("part", range(6))
def test_random_programs(part: int) -> None:
    try_programs(range(25 * part, 25 * part + 25))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_many_random_programs(part: int) -> None:
    try_programs(range(1000 + 200 * part, 1000 + 200 * part + 200))


def test_counters_and_control_lists_go_on_after_a_call() -> None:
    """Gates that are counted and control lists, before and after a call of a part like it."""

    def part(name: str, inner: Definition | None) -> Definition:
        b = Builder(name)
        x, y = b.port("x", 4), b.port("y", 2)
        for k in range(2):
            b.mcx([(int(x[k]), False), (int(x[k + 1]), True)], int(y[0]))
            b.conventional_tally(int(x[k]), int(x[k + 2]))
            b.ccx(x[k], x[k + 2], y[1])
            b.conventional_erase(x[k], f"cause {k}")
            if inner is not None:
                b.call(inner, x, y)
        return b.build()

    agrees(random_case(part("outer", part("inner", None)), np.random.default_rng(0), 100, 2))


def try_block(block: Block, width: int, ways: tuple[Way, ...]) -> None:
    """A block, forward and backward, on states that keep its promises and on others."""
    random = np.random.default_rng(width)
    for rows in (65, 513):
        agrees(random_case(block.build(width), random, rows, 2), ways)


@pytest.mark.parametrize("block", BLOCKS, ids=[block.name for block in BLOCKS])
def test_blocks(block: Block) -> None:
    width = max(3, block.least_width)
    try_block(block, width, few_ways(BLOCKS.index(block)))


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS, ids=[block.name for block in BLOCKS])
def test_blocks_of_all_widths(block: Block) -> None:
    for width in (*range(block.least_width, 13), 16, 24):
        if width <= block.most_width:
            try_block(block, width, WAYS)


# --- circuits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaf", [programs.LEAF_GATES, 20])
@pytest.mark.parametrize("seed", range(7))
def test_random_circuits(seed: int, leaf: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flattened or call by call, with toggles counted, with values and what each row loses; and
    where erasures fail."""
    monkeypatch.setattr(programs, "LEAF_GATES", leaf)
    made, rows = random_programs.circuit(seed), random_programs.ensemble(seed, ROWS[seed])
    truth = same_everywhere(made, rows, few_ways(seed), values=True, pointwise=True).tally
    assert truth.inner and truth.gates and len(truth.groups) >= 4 and not truth.violations
    assert truth.toggles is None
    one_by_one = few_ways(seed, EVERY_GATE)
    toggles = same_everywhere(made, rows, one_by_one, switching=True).tally.toggles
    assert set(toggles or ()) == {"first", "second"}
    same_everywhere(made, rows, one_by_one, faults=EraseFaults(0.05, seed), strict=False)


def named(run: Run) -> set[Violation]:
    return set(run.tally.violations)


@pytest.mark.parametrize("leaf", [programs.LEAF_GATES, 20])
@pytest.mark.parametrize("seed", range(12))
def test_circuits_that_break_promises(
    seed: int, leaf: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first word of rows in which a compiled executor sees a broken promise is run again in
    NumPy: it names what NumPy names there. What no row that counts breaks is as if it held."""
    monkeypatch.setattr(programs, "LEAF_GATES", leaf)
    made, rows = random_programs.circuit(seed, sound=False), random_programs.ensemble(seed, 300)
    spoiled = np.zeros(320, dtype=np.bool_)
    note = Counters.must_be_zero

    def noted(counters: Counters, wire: Words, check: str, *names: str) -> None:
        if check == "ancillas":
            spoiled[:] |= unpack(wire, 320)
        note(counters, wire, check, *names)

    with patch.object(Counters, "must_be_zero", noted):
        truth = run(made, rows, JUDGE, strict=False)
    for way in few_ways(seed):
        found = run(made, rows, way, strict=False)
        assert bool(named(found)) == bool(named(truth))
        first = min((v.row // 64 for v in named(found)), default=0)
        assert named(found) <= named(truth)
        assert named(found) >= {v for v in named(truth) if v.row // 64 == first}
        whole = ~spoiled[:300]
        assert np.array_equal(found.outputs[whole], truth.outputs[whole])
    weights = np.where(spoiled[:300], 0, 2)
    if weights.any():
        kept = data_set(rows.rows, weights)
        truth = run(made, kept, JUDGE, strict=False)
        for way in few_ways(seed):
            found = run(made, kept, way, strict=False)
            assert bool(named(found)) == bool(named(truth))
            mine, other = counted(found.tally), counted(truth.tally)
            assert all(mine[name] == other[name] for name in mine if name != "violations")


def by_name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", CIRCUITS, ids=by_name)
def test_circuits_of_the_folder_on_all_inputs(path: Path) -> None:
    circuit = load(path)
    ends = [r.encoding for r in circuit.inputs]
    rows = uniform([e.low for e in ends], [e.high for e in ends])
    same_everywhere(circuit, rows, few_ways(len(rows.rows)))
    same_everywhere(circuit, rows, few_ways(len(rows.rows), EVERY_GATE), switching=True)


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
    for turn, choice in enumerate(INPUT_CHOICES):
        circuit = compile_model(network, policy, choice)
        same_everywhere(circuit, some_rows(network, 70), few_ways(turn))


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", BUNDLED)
def test_all_networks(name: str, policy: str) -> None:
    """NumPy on a few rows; on many, one executor judges the others."""
    network = bundled(name)
    for turn, choice in enumerate(INPUT_CHOICES):
        circuit = compile_model(network, policy, choice)
        same_everywhere(circuit, some_rows(network, 5), few_ways(turn))
        same_everywhere(circuit, some_rows(network, 4097), few_ways(turn), judge=WAYS[0])


# --- graphs of tensors ----------------------------------------------------------------------------


@pytest.mark.parametrize("policy", GRAPH_POLICIES)
@pytest.mark.parametrize("low", [0, -2])
def test_a_small_graph(low: int, policy: str) -> None:
    """Convolutions, a residual sum, a pool, padding, a dense layer; as sums and as truth tables."""
    rows = np.random.default_rng(0).integers(low, low + 4, (130, 4))
    graph, ensemble = small_graph(low), data_set(rows, np.arange(130) % 5)
    for turn, choice in enumerate(INPUT_CHOICES):
        same_everywhere(compile_graph(graph, policy, choice), ensemble, few_ways(turn))
        tables = schedule_graph(graph, lower_by_tables(graph), policy, choice)
        same_everywhere(tables, ensemble, few_ways(turn + 3))


MODELS = (
    *("tflite/hello_world_int8.tflite", "tflite/ad01_int8.tflite", "tflite/kws_ref_model.tflite"),
    "onnx/mnist_cnn_qdq_u8.onnx",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_models(name: str, shared_data: Path) -> None:
    """Real models on random rows: the literal executor judges the fused one."""
    pytest.importorskip(name.split("/")[0], reason="the reader's package is absent")
    graph = load_model(shared_data / name)
    assert isinstance(graph, Graph)
    given = [graph.tensors[tensor] for tensor in graph.inputs]
    random = np.random.default_rng(0)
    rows = np.concatenate([random.integers(t.low, t.high + 1, (20, t.size)) for t in given], axis=1)
    circuit = compile_model(graph, "uncompute", "keep")
    same_everywhere(circuit, data_set(rows), few_ways(0, ("fused",), 1), judge=WAYS[0])
