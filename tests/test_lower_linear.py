"""Linear nodes of graphs as tiles: copies, sums and stages against the integers they stand for."""

import numpy as np
import numpy.typing as npt
import pytest

from revsim.lower.graph import lower_graph
from revsim.lower.stage import Stage
from revsim.lower.tiles import LoweredNode
from revsim.network.graph import Graph, Linear, Node, Tensor
from revsim.network.operators import (
    Clamp,
    Divide,
    Offset,
    Relu,
    Requantise,
    Rescale,
    Sign,
    Single,
    Staircase,
    Table,
    Threshold,
    Wrap,
)
from revsim.simulator.apply import apply

Integers = npt.NDArray[np.int64]
CHANNELS = 3


def graph_of(
    operator: Linear, low: int, high: int, activations: tuple[Single, ...], more: int = 0
) -> Graph:
    """One node on an input of the given range; the output's is `more` wider than it needs."""
    ends = operator.bounds(low, high)
    for activation in activations:
        ends = activation.bounds(*ends)
    size = int(operator.reads.max()) + 1
    count = operator.positions * operator.channels
    output = Tensor("y", (count,), int(ends[0].min()) - more, int(ends[1].max()) + more)
    tensors = {"x": Tensor("x", (size,), low, high), "y": output}
    node = Node("node", operator, ("x",), "y", activations)
    return Graph("one node", tensors, (node,), ("x",), ("y",))


def packed(values: Integers, low: int, width: int) -> Integers:
    """[rows, taps] as the contents of port x."""
    return ((values - low) << (width * np.arange(values.shape[1]))).sum(axis=1)


def through_stages(stages: tuple[Stage, ...], z: Integers) -> Integers:
    """The wires of the value after all stages; what a stage calls clean must be 0."""
    for stage in stages:
        after = apply(stage.definition, {"value": z})
        wires = after["value"] | after["fresh"] << stage.width
        assert sorted((*stage.value, *stage.garbage, *stage.clean)) == list(
            range(stage.width + stage.fresh)
        )
        assert all(not (wires >> w & 1).any() for w in stage.clean)
        z = sum(((wires >> w & 1) << k for k, w in enumerate(stage.value)), 0 * wires)
    return z


def check(graph: Graph, rows: Integers) -> LoweredNode:
    """Every tile on every row at every position: copy, sum and stages."""
    (node,) = lower_graph(graph)
    operator = node.node.operator
    assert isinstance(operator, Linear)
    sums = operator.apply(rows)
    want = sums
    for activation in node.node.activations:
        want = activation.apply(want.reshape(-1, operator.channels)).reshape(want.shape)
    low, width = node.encodings[0].offset, node.encodings[0].width
    held = np.append(rows, np.full((len(rows), 1), operator.pad_value), axis=1)
    assert node.padding == operator.pad_value - low or int(operator.reads.min()) >= 0
    for tile in node.tiles:
        taps = held[:, tile.reads].reshape(-1, tile.reads.shape[1])
        x, results = packed(taps, low, width), want[:, tile.writes[:, 0]].ravel()
        for recipe in (tile.copy, tile.netlist):
            after = apply(recipe.make(), {"x": x})
            assert (after["x"] == x).all()
            assert (after["y"] == results - node.encoding.offset).all()
        assert [p.width for p in tile.copy.ports] == [taps.shape[1] * width, node.encoding.width]
        if tile.linear is None:
            continue
        assert tile.z is not None
        z = apply(tile.linear.make(), {"x": x})["z"]
        assert (tile.z.decode(z.astype(np.uint64)) == sums[:, tile.writes[:, 0]].ravel()).all()
        assert tile.stages[-1].encoding == node.encoding
        assert (through_stages(tile.stages, z) == results - node.encoding.offset).all()
    return node


def every_row(low: int, high: int, taps: int) -> Integers:
    """Every input of so few values."""
    return np.stack(
        np.meshgrid(*[np.arange(low, high + 1)] * taps, indexing="ij"), axis=-1
    ).reshape(-1, taps)


def shifts(rng: np.random.Generator) -> Integers:
    return rng.integers(2, 6, CHANNELS)


def multipliers(rng: np.random.Generator) -> Integers:
    return rng.integers(1 << 30, 1 << 31, CHANNELS)


def thresholds(rng: np.random.Generator, steps: int) -> Integers:
    return np.sort(rng.integers(-300, 300, (CHANNELS, steps)), axis=1)


def scales(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    return rng.uniform(0.01, 0.3, CHANNELS).astype(np.float32)


ONE = np.array([0])
CHAINS = {
    "none": lambda rng: (),
    "relu": lambda rng: (Relu(),),
    "clamp": lambda rng: (Clamp(-20, 100),),
    "shift": lambda rng: (Requantise(shifts(rng), "floor"),),
    "shift half up, clamp": lambda rng: (Requantise(shifts(rng), "half_up"), Clamp(-8, 7)),
    "shift half away": lambda rng: (Requantise(shifts(rng), "half_away"),),
    "shift half even": lambda rng: (Requantise(shifts(rng), "half_even"),),
    "TFLite": lambda rng: (
        Requantise(shifts(rng), "tflite_double", multipliers(rng)),
        Offset(ONE - 5),
        Clamp(-8, 7),
    ),
    "TFLite, relu": lambda rng: (
        Requantise(shifts(rng), "tflite_double", multipliers(rng)),
        Offset(ONE + 2),
        Clamp(2, 7),
    ),
    "TFLite, left": lambda rng: (
        Requantise(np.zeros(CHANNELS, dtype=np.int64), "tflite_double", multipliers(rng), ONE + 2),
        Clamp(-128, 127),
    ),
    "TFLite, no clamp": lambda rng: (
        Requantise(np.zeros(CHANNELS, dtype=np.int64), "tflite_double", multipliers(rng)),
    ),
    "one rounding": lambda rng: (
        Requantise(shifts(rng) + 16, "half_up", multipliers(rng) >> 15),
        Clamp(-99, 30),
    ),
    "half away": lambda rng: (Requantise(shifts(rng) + 16, "half_away", multipliers(rng) >> 15),),
    "divide by 7": lambda rng: (Divide(ONE + 7),),
    "divide by 6, clamp": lambda rng: (Divide(ONE + 6), Clamp(-5, 5)),
    "float": lambda rng: (Rescale(scales(rng)), Offset(ONE + 3), Clamp(0, 15)),
    "float power of two": lambda rng: (Rescale(np.array([0.125], np.float32)), Clamp(-9, 9)),
    "float with ties": lambda rng: (Rescale(np.array([0.375], np.float32)),),
    "float above 1": lambda rng: (Rescale(np.array([3.7], np.float32)), Clamp(-100, 100)),
    "staircase of 3": lambda rng: (Staircase(thresholds(rng, 3)),),
    "staircase of 20": lambda rng: (Staircase(thresholds(rng, 20)), Offset(ONE - 3)),
    "threshold": lambda rng: (Threshold(rng.integers(-300, 300, CHANNELS)),),
    "sign": lambda rng: (Sign(),),
    "wrap": lambda rng: (Wrap(4),),
    "wrap, divide": lambda rng: (Wrap(6), Divide(ONE + 4), Clamp(2, 9)),
    "offset": lambda rng: (Offset(ONE + 1000),),
    "table": lambda rng: (
        Requantise(shifts(rng), "half_up"),
        Clamp(-8, 7),
        Table(-8, rng.integers(-50, 50, (CHANNELS, 16))),
        Wrap(5),
    ),
}


@pytest.mark.parametrize("more", [0, 77])
@pytest.mark.parametrize("name", CHAINS)
def test_every_activation_on_every_input(name: str, more: int) -> None:
    """Two 4-bit values, random weights and parameters, output ranges tight and loose."""
    rng = np.random.default_rng(len(name) + more)
    weights = rng.integers(-40, 41, (CHANNELS, 2))
    reads = np.array([[[0, 1]]])
    operator = Linear("dense", weights, rng.integers(-300, 301, CHANNELS), reads)
    graph = graph_of(operator, -8, 7, CHAINS[name](rng), more)
    check(graph, every_row(-8, 7, 2))
