"""Linear nodes of graphs as tiles: copies, sums and stages against the integers they stand for."""

import numpy as np
import numpy.typing as npt
import pytest

from revsim.circuit.registers import Encoding
from revsim.errors import InputError
from revsim.lower.graph import lower_graph
from revsim.lower.pieces import pieces_of, runs_of
from revsim.lower.scale import shortest_scale
from revsim.lower.stage import Stage
from revsim.lower.steps import steps_of, through
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
from revsim.simulator import fast
from revsim.simulator.apply import apply
from revsim.simulator.counters import Counters
from revsim.simulator.lanes import padded_words, planes_of, read, write

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


@pytest.mark.parametrize("seed", range(12))
def test_windows_groups_and_padding(seed: int) -> None:
    """Random taps at several positions: groups up to one per channel, reads of -1, zero weights."""
    rng = np.random.default_rng(seed)
    groups = int(rng.choice([1, 2, 4]))
    channels = groups * int(rng.integers(1, 3))
    taps, positions, size = int(rng.integers(1, 8)), int(rng.integers(1, 5)), 9
    low = int(rng.integers(-9, 3))
    high = low + int(rng.integers(1, 16))
    weights = rng.integers(-9, 10, (channels, taps)) * rng.integers(0, 2, (channels, taps))
    operator = Linear(
        "window",
        weights,
        rng.integers(-50, 50, channels),
        np.append(rng.integers(-1, size, (positions - 1, groups, taps)), [[[-1] * taps] * groups])
        .reshape(positions, groups, taps)
        .astype(np.int64),
        pad_value=int(rng.integers(low, high + 1)),
    )
    activations = [
        (),
        (Relu(),),
        (
            Requantise(
                rng.integers(0, 3, channels),
                "tflite_double",
                rng.integers(1 << 30, 1 << 31, channels),
            ),
            Offset(ONE - 3),
            Clamp(-16, 15),
        ),
    ][seed % 3]
    tensors = graph_of(operator, low, high, activations).tensors
    tensors = {"x": Tensor("x", (size,), low, high), "y": tensors["y"]}
    node = Node("node", operator, ("x",), "y", activations)
    graph = Graph("windows", tensors, (node,), ("x",), ("y",))
    lowered = check(graph, rng.integers(low, high + 1, (40, size)))
    assert len(lowered.tiles) == channels
    assert (
        np.sort(np.concatenate([t.writes.ravel() for t in lowered.tiles]))
        == np.arange(positions * channels)
    ).all()


def test_equal_channels_share_recipes() -> None:
    weights = np.array([[1, 2], [3, 4], [1, 2]])
    operator = Linear("dense", weights, np.zeros(3, dtype=np.int64), np.array([[[0, 1]]]))
    (node,) = lower_graph(graph_of(operator, 0, 3, (Clamp(0, 5),)))
    first, second, third = node.tiles
    assert first.copy is third.copy and first.stages is third.stages
    assert first.copy.key != second.copy.key
    assert [t.writes.tolist() for t in node.tiles] == [[[0]], [[1]], [[2]]]


def test_what_a_key_names() -> None:
    """Equal sums with parameters or encodings of their own are definitions of their own."""
    operator = Linear("dense", np.array([[1, 2]] * 3), np.array([0, 0, 1]), np.array([[[0, 1]]]))
    thresholds = (Threshold(np.array([2, 5, 2])),)
    (node,) = lower_graph(graph_of(operator, 0, 3, thresholds))
    keys = [tile.copy.key for tile in node.tiles]
    for more, low in ((1, 0), (0, 1)):
        (other,) = lower_graph(graph_of(operator, low, 3 + low, thresholds, more))
        keys += [tile.copy.key for tile in other.tiles]
    assert len(set(keys)) == 9


def stage_on(activations: tuple[Single, ...], low: int, high: int, v: Integers) -> list[str]:
    """Run the stages of one channel on values of low..high; returns their names."""
    runs = runs_of(activations, np.array([low]), np.array([high]))
    least, greatest = int(runs[-1].low_out[0]), int(runs[-1].high_out[0])
    pieces = pieces_of(runs, 0, Encoding.unsigned(least, greatest))
    raw = pieces[0].before.encoding.encode(v).astype(np.int64)
    assert (pieces[0].before.encoding.decode(raw.astype(np.uint64)) == v).all()
    got = through_stages(tuple(p.stage("activation") for p in pieces), raw) + least
    assert (got == through(activations, v[:, None])[:, 0]).all()
    return [p.name for p in pieces]


def marks_of(activations: tuple[Single, ...], low: int, high: int, seed: int) -> Integers:
    """Both sides of every step, the ends, both sides of 0 and random values between."""
    (steps,) = steps_of(activations, np.array([low]), np.array([high]))
    random = np.random.default_rng(seed).integers(low, high + 1, 500)
    known = () if steps is None else (steps.positions[:2000], steps.positions[:2000] - 1)
    ends = np.array([v for v in (low, low + 1, -1, 0, 1, high - 1, high) if low <= v <= high])
    return np.concatenate([*known, ends, random])


@pytest.mark.parametrize("seed", range(40))
def test_multipliers_of_real_size_at_every_step(seed: int) -> None:
    """Accumulators of 14 to 22 bits, any offset and clamp, every rounding."""
    rng = np.random.default_rng(seed)
    reach = int(2 ** rng.uniform(14, 22))
    low, high = -int(rng.integers(0, reach)), int(rng.integers(1, reach))
    zero = int(rng.integers(-128, 128))
    scale = rng.uniform(100, 1500) / reach
    m, exponent = np.frexp(scale)
    multiplier = np.array([int(m * (1 << 31))])
    rule: Single = [
        Requantise(np.array([max(-exponent, 0)]), "tflite_double", multiplier),
        Requantise(np.array([31 - exponent]), "half_up", multiplier),
        Requantise(np.array([15 - exponent]), "half_away", multiplier >> 16),
        Rescale(np.array([scale], np.float32)),
        Divide(np.array([int(1 / scale) + 1])),
    ][seed % 5]
    clamp = Clamp(max(-128, zero) if rng.integers(2) else -128, 127)
    activations = (rule, Offset(np.array([zero])), clamp)
    names = stage_on(activations, low, high, marks_of(activations, low, high, seed))
    assert len(names) == 1


def test_sixteen_bits_take_the_rule_as_it_stands() -> None:
    """65,536 steps of one rounding: the multiplier itself, no search."""
    rule = Requantise(np.array([24]), "half_up", np.array([23_456]))
    activations = (rule, Clamp(-32768, 32767))
    low, high = -(1 << 28), (1 << 28) + 77
    names = stage_on(activations, low, high, marks_of(activations, low, high, 0))
    assert names == ["scale 23456/2^24"]


@pytest.mark.parametrize("shift", [0, 3])
def test_two_roundings_without_a_clamp_are_two_pieces(shift: int) -> None:
    rule = Requantise(np.array([shift]), "tflite_double", np.array([1_234_567_891]))
    low, high = -(1 << 30), (1 << 30) - 3
    names = stage_on((rule,), low, high, marks_of((rule,), low, high, 1))
    assert len(names) == 2


def test_forms_leave_out_bits_and_still_step_where_they_must() -> None:
    """The form is checked on every value of 17 bits, not at its steps alone."""
    rule = Requantise(np.array([8]), "tflite_double", np.array([1_345_678_901]))
    activations = (rule, Offset(np.array([-7])), Clamp(-128, 127))
    (steps,) = steps_of(activations, np.array([-70_000]), np.array([61_071]))
    assert steps is not None
    found = shortest_scale(steps)
    assert found is not None and found[0].cut > 0
    stage_on(activations, -70_000, 61_071, np.arange(-70_000, 61_072))


def test_a_wide_neuron() -> None:
    """300 values of 8 bits: the copy on random rows and on the two that reach the ends."""
    rng = np.random.default_rng(3)
    weights = rng.integers(-127, 128, (1, 300))
    reads = np.arange(300)[None, None]
    operator = Linear("dense", weights, np.array([4_321]), reads)
    rule = Requantise(np.array([9]), "tflite_double", np.array([1_900_000_000]))
    activations = (rule, Offset(np.array([-20])), Clamp(-128, 127))
    graph = graph_of(operator, -128, 127, activations)
    rows = rng.integers(-128, 128, (64, 300))
    rows[0], rows[1] = np.where(weights[0] > 0, 127, -128), np.where(weights[0] > 0, -128, 127)
    want = through(activations, operator.apply(rows))[:, 0] - graph.tensors["y"].low
    (tile,) = lower_graph(graph)[0].tiles
    for recipe in (tile.copy, tile.netlist):
        state = np.zeros((300 * 8 + 8, padded_words(64)), dtype=np.uint64)
        for k in range(300):
            write(
                state,
                np.arange(8 * k, 8 * k + 8, dtype=np.int32),
                (rows[:, k] + 128).astype(np.uint64),
            )
        before = state.copy()
        counters = Counters(planes_of(None, 64, state.shape[1]))
        fast.run(recipe.make(), state, np.arange(2408, dtype=np.int32), counters, False)
        assert not counters.violations and not counters.suspects
        assert (state[:2400] == before[:2400]).all()
        assert (read(state, np.arange(2400, 2408, dtype=np.int32), 64) == want).all()


def test_refusals_name_the_node_and_what_to_do() -> None:
    operator = Linear("dense", np.array([[1 << 20]]), np.array([0]), np.array([[[0]]]))
    table = (Clamp(-8, 7), Table(0, np.arange(8)))
    tensors = {"x": Tensor("x", (1,), -128, 127), "y": Tensor("y", (1,), -9, 9)}

    def graph(*activations: Single) -> Graph:
        node = Node("node", operator, ("x",), "y", activations)
        return Graph("bad", tensors, (node,), ("x",), ("y",))

    with pytest.raises(InputError, match=r"node: gives .* declared -9\.\.9"):
        lower_graph(graph())
    with pytest.raises(InputError, match=r"node, channel 0 \(table\) has entries for 0\.\.7"):
        lower_graph(graph(*table))
    float_scale = (Rescale(np.array([0.3], np.float32)), Wrap(3))
    with pytest.raises(InputError, match=r"node, channel 0 \(rescale\) .*clamp what it gives"):
        lower_graph(graph(*float_scale))


@pytest.mark.parametrize("least", [1, 7, 8, 9, 16])
@pytest.mark.parametrize("rule", [(), (Requantise(np.array([1]), "half_up"),)])
def test_a_floor_above_what_the_output_can_hold_least(rule: tuple[Single, ...], least: int) -> None:
    """A clamp from a power of two on, in an output declared from 0 on: the top bit of the sum is
    the comparison and a bit of the result."""
    graph = graph_of(sums_of_two(), 0, 15, (*rule, Clamp(least, 31)), least)
    check(graph, np.stack(np.meshgrid(np.arange(16), np.arange(16)), axis=-1).reshape(-1, 2))


def sums_of_two() -> Linear:
    return Linear("dense", np.array([[1, 1]]), np.array([0]), np.array([[[0, 1]]]))
