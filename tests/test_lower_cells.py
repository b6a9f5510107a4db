"""Nodes of cells as tiles: every position of a node, arguments of several tensors, real models."""

from pathlib import Path

import numpy as np
import pytest
from test_words import rows_of

from revsim.circuit.banks import Recipe
from revsim.circuit.gates import ERASE, OP
from revsim.circuit.measures import counts
from revsim.circuit.program import flatten
from revsim.circuit.registers import Encoding
from revsim.lower.cells import lower_cells
from revsim.lower.tiles import LoweredNode, Tile
from revsim.network.cells import Composed, Elementwise, Product, Sum, run_cells
from revsim.network.cells_order import Greatest, TopIndices
from revsim.network.cells_tflite import quantised_sum
from revsim.network.graph import Cells, Graph, Node, Tensor
from revsim.network.graph_reference import run_graph
from revsim.network.operators import Clamp, Divide, Table
from revsim.network.softmax import softmax
from revsim.simulator import fast
from revsim.simulator.counters import Counters
from revsim.simulator.lanes import padded_words, planes_of, read, write


def run_recipe(recipe: Recipe, x: np.ndarray, encodings: list[Encoding], after: Encoding):
    """int64 [rows, arguments] to int64 [rows, results]; every wire must end clean."""
    definition = recipe.make()
    assert definition.ports == recipe.ports
    rows, words = len(x), padded_words(len(x))
    state = np.zeros((definition.port_wires, words), dtype=np.uint64)
    wires = np.arange(definition.port_wires, dtype=np.int32)
    cuts = np.cumsum([0, *(e.width for e in encodings)])
    for k, encoding in enumerate(encodings):
        write(state, wires[cuts[k] : cuts[k + 1]], encoding.encode(x[:, k]))
    before = state[: cuts[-1]].copy()
    counters = Counters(planes_of(None, rows, words))
    fast.run(definition, state, wires, counters)
    assert not counters.violations
    assert (state[: cuts[-1]] == before).all()
    y = np.split(wires[cuts[-1] :], recipe.ports[1].width // after.width)
    return np.stack([after.decode(read(state, w, rows)) for w in y], axis=1)


def run_tiles(lowered: LoweredNode, sizes: list[int], values: np.ndarray, part: str = "copy"):
    """Output int64 [rows, size] of a node from its inputs laid flat, int64 [rows, values]."""
    starts = np.cumsum([0, *sizes])
    out = np.full((len(values), sum(t.writes.size for t in lowered.tiles)), 1 << 62)
    for tile in lowered.tiles:
        source = np.searchsorted(starts, tile.reads[0], side="right") - 1
        encodings = [lowered.encodings[s] for s in source]
        x = values[:, tile.reads].reshape(-1, tile.reads.shape[1])
        found = run_recipe(getattr(tile, part), x, encodings, lowered.encoding)
        out[:, tile.writes] = found.reshape(len(values), *tile.writes.shape)
    return out


def one_node(program, tensors: list[Tensor], reads: np.ndarray, out: Tensor) -> Graph:
    node = Node("n", Cells("cells", program, reads), tuple(t.name for t in tensors), out.name)
    named = {t.name: t for t in (*tensors, out)}
    return Graph("g", named, (node,), tuple(t.name for t in tensors), (out.name,))


TWO = [Tensor("a", (4,), -8, 7), Tensor("b", (3,), 0, 9)]
READS = np.array([[0, 4, 1], [0, 0, 5], [2, 6, 2], [3, 3, 3], [5, 5, 0], [1, 1, 6]])


@pytest.mark.parametrize("part", ["copy", "netlist"])
@pytest.mark.parametrize(
    ("program", "results", "ends"),
    [(Sum((1, -2, 3)), 1, (-60, 60)), (Product(), 1, (-9999, 9999)), (TopIndices(2), 2, (0, 2))],
    ids=str,
)
def test_positions(program, results: int, ends, part: str) -> None:
    """Positions read both tensors in any order, and one value several times."""
    graph = one_node(program, TWO, READS, Tensor("y", (len(READS), results), *ends))
    rng = np.random.default_rng(0)
    given = {t.name: rng.integers(t.low, t.high, (70, t.size), endpoint=True) for t in TWO}
    lowered = lower_cells(graph, graph.nodes[0])
    assert len(lowered.tiles) == 5  # two positions read in the same way
    values = np.concatenate(list(given.values()), axis=1)
    found = run_tiles(lowered, [4, 3], values, part)
    assert (found == run_graph(graph, given)["y"]).all()


def test_alike_positions_share_one_tile() -> None:
    tensors = [Tensor("a", (100,), -8, 7), Tensor("b", (100,), 0, 9)]
    reads = np.stack([np.arange(100), 100 + np.arange(100)], axis=1)
    graph = one_node(Sum(), tensors, reads, Tensor("y", (100,), -8, 16))
    (tile,) = lower_cells(graph, graph.nodes[0]).tiles
    assert tile.reads.tolist() == reads.tolist()
    assert tile.writes.ravel().tolist() == list(range(100))


def test_keys_tell_gates_apart() -> None:
    """Equal keys, equal gates: program, ranges, output and the pattern of reads all count."""
    keys = set()
    for program in (Sum(), Sum(constant=1), Product()):
        for low in (-8, -7):
            for reads in ([[0, 1]], [[0, 0]]):
                tensor = Tensor("a", (2,), low, 7)
                for top in (98, 99):
                    graph = one_node(
                        program, [tensor], np.array(reads), Tensor("y", (1,), -99, top)
                    )
                    (tile,) = lower_cells(graph, graph.nodes[0]).tiles
                    keys |= {tile.copy.key, tile.netlist.key}
                    again = lower_cells(graph, graph.nodes[0]).tiles[0].copy
                    assert again.key == tile.copy.key
                    first, second = flatten(again.make()), flatten(tile.copy.make())
                    assert (first.table == second.table).all()
    assert len(keys) == 2 * 3 * 2 * 2 * 2


PROGRAMS = [
    (quantised_sum((0.02, 0.05, 0.06), (3, -4, 5), -128, 127), [(-128, 127)] * 2, (-128, 127)),
    (softmax(0.1), [(-128, 127)] * 4, (-128, 127)),
    (Greatest(), [(0, 15)] * 4, (0, 15)),
    (Composed((Sum(), Elementwise((Divide(np.array([3])),)))), [(-4, 4)] * 3, (-4, 4)),
    (Elementwise((Table(0, np.arange(16) ** 2 % 23), Clamp(3, 9))), [(0, 15)], (3, 9)),
]


@pytest.mark.parametrize(("program", "ranges", "ends"), PROGRAMS, ids=lambda v: str(v)[:30])
def test_netlist_is_the_same_function(program, ranges, ends) -> None:
    """The conventional netlist of the forward half; what is undone in the copy is no gate of it."""
    tensor = Tensor("a", (len(ranges),), *ranges[0])
    rows = rows_of(ranges)[::97]
    results = run_cells(program, ranges, rows)
    size = results.shape[1]
    graph = one_node(program, [tensor], np.arange(len(ranges))[None], Tensor("y", (size,), *ends))
    lowered = lower_cells(graph, graph.nodes[0])
    for part in ("copy", "netlist"):
        assert (run_tiles(lowered, [len(ranges)], rows, part) == results).all()
    (tile,) = lowered.tiles
    netlist = tile.netlist.make()
    erased = sum(int((g.table[:, OP] == ERASE).sum()) for g in netlist.body)  # type: ignore[union-attr]
    assert erased == netlist.locals
    assert counts(netlist).toffoli <= counts(tile.copy.make()).toffoli
    assert not tile.copy.make().erases


def test_constants_cost_nothing() -> None:
    """Arguments of one possible value have no wire, and a constant program has no Toffoli."""
    tensors = [Tensor("a", (1,), 5, 5), Tensor("b", (1,), 0, 7)]
    graph = one_node(Sum((3, 1)), tensors, np.array([[0, 1]]), Tensor("y", (1,), 15, 22))
    (tile,) = lower_cells(graph, graph.nodes[0]).tiles
    found = counts(tile.copy.make())
    assert (tile.copy.ports[0].width, found.toffoli, found.cnot) == (3, 0, 3)


# --- real models ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "kinds"),
    [
        ("kws_ref_model", {"softmax", "average_pool_2d"}),
        ("pretrainedResnet_quant", {"softmax", "average_pool_2d", "add"}),
        ("vww_96_int8", {"softmax", "average_pool_2d"}),
        ("micro_speech_quantized", {"softmax"}),
        ("alexa", {"logistic", "quantize"}),
    ],
)
def test_cells_of_real_models(shared_data: Path, model: str, kinds: set[str]) -> None:
    """Circuits of a model's nodes of cells give the stored tensors of the reference runtime."""
    pytest.importorskip("tflite", reason="package tflite is absent: pip install '.[tflite]'")
    from revsim.frontends.tflite.reader import from_tflite

    graph = from_tflite(shared_data / "tflite" / f"{model}.tflite")
    stored = np.load(shared_data / "tflite" / f"{model}.expected.npz")
    seen = set()
    for node in graph.nodes:
        names = [f"t{graph.tensors[n].number}" for n in (*node.inputs, node.output)]
        if not isinstance(node.operator, Cells) or not all(n in stored for n in names):
            continue
        *inputs, output = (stored[n].reshape(len(stored[n]), -1).astype(np.int64) for n in names)
        lowered = lower_cells(graph, node)
        few = [sample(tile) for tile in lowered.tiles]
        lowered = LoweredNode(node, lowered.encodings, lowered.encoding, tuple(few))
        sizes = [graph.tensors[n].size for n in node.inputs]
        values = np.concatenate(inputs, axis=1)
        for tile in lowered.tiles:
            found = run_tiles(renumbered(lowered, tile), sizes, values)
            assert (found == output[:, tile.writes].reshape(len(output), -1)).all()
        seen.add(node.operator.kind)
    assert kinds <= seen, seen


def sample(tile: Tile) -> Tile:
    """At most 500 of its positions, evenly chosen."""
    step = -(-len(tile.reads) // 500)
    return Tile(tile.reads[::step], tile.writes[::step], tile.copy, tile.netlist)


def renumbered(lowered: LoweredNode, tile: Tile) -> LoweredNode:
    """One tile alone, its results laid one behind the other."""
    places = np.arange(tile.writes.size).reshape(tile.writes.shape)
    alone = Tile(tile.reads, places, tile.copy, tile.netlist)
    return LoweredNode(lowered.node, lowered.encodings, lowered.encoding, (alone,))
