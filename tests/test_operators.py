"""Operators beyond the dense chain: meaning, exact ranges, files, circuits under every policy."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from test_pipeline import SMALL, WAYS, check_report, check_tensors, dense, ensemble_of, ints

import revsim as rs
from revsim.circuit.measures import counts
from revsim.errors import InputError
from revsim.formats.qasm3 import dumps, loads
from revsim.lower.layer import lower
from revsim.lower.netlist import neuron_netlist
from revsim.network.files import load_npz, save
from revsim.network.network import Network
from revsim.network.operators import (
    Argmax,
    Clamp,
    Conv2d,
    Maximum,
    Operator,
    Part,
    Relu,
    Requantise,
    Sign,
    Table,
    Threshold,
    TopK,
    Wrap,
    parameters,
    pool_groups,
    products,
    table,
)
from revsim.schedule.policy import POLICIES

CAUSES = {"table", "wrap", "maximum", "top_k"}


def conv(
    seed: int, out: int, size: tuple[int, int], shape: tuple[int, int, int], **options: Any
) -> Conv2d:
    random = np.random.default_rng(seed)
    each = shape[2] // options.get("groups", 1)
    weights = random.integers(-3, 4, (out, *size, each))
    return Conv2d(weights, random.integers(-4, 5, out), shape, **options)


def image(shape: tuple[int, int, int], low: int, high: int) -> tuple[Any, Any]:
    pixels = int(np.prod(shape))
    return np.full(pixels, low), np.full(pixels, high)


CONVOLUTIONS = {
    "plain": conv(0, 2, (2, 2), (3, 3, 1)),
    "one by one": conv(1, 3, (1, 1), (2, 2, 2)),
    "padded": conv(2, 2, (3, 3), (3, 3, 1), padding=(1, 1, 1, 1)),
    "padded on one side with a zero point": conv(
        3, 2, (2, 2), (3, 3, 1), padding=(0, 0, 1, 1), pad_value=1
    ),
    "strided": conv(4, 2, (2, 2), (4, 4, 1), stride=(2, 2)),
    "strided unevenly": conv(5, 1, (2, 1), (5, 3, 1), stride=(3, 2), padding=(1, 0, 0, 0)),
    "dilated": conv(6, 2, (2, 2), (3, 4, 1), dilation=(2, 3)),
    "depthwise": conv(7, 2, (2, 2), (3, 2, 2), groups=2),
    "depthwise, two each": conv(8, 4, (2, 2), (2, 3, 2), groups=2),
    "two groups": conv(9, 2, (1, 2), (2, 2, 4), groups=2),
}

FORMS: dict[str, tuple[tuple[Any, Any], tuple[Operator, ...]]] = {
    "a table that loses": (SMALL, (dense([[2, -3], [1, 1]], [1, -2]), table(lambda z: z * z, -15))),
    "a table each": (
        SMALL,
        (
            dense([[2, -3], [1, 1]], [1, -2]),
            Table(-12, np.stack([np.arange(20) % 5 - 2, (np.arange(20) - 7) ** 3])),
        ),
    ),
    "a bijective table": (
        (ints(-8, 0), ints(7, 7)),
        (Part(table(lambda z: (z * 5 + 3) % 16 - 8, -8, 7), ints(0)),),
    ),
    "a table of a coarse value": (
        SMALL,
        (dense([[1, 1]], [0]), Sign(), table(lambda z: 3 * z, -1, 1)),
    ),
    "a table of forced bits": (
        SMALL,
        (dense([[1, 2], [3, -4]], [0, 0], 40), table(lambda z: z // 3, -20, 10), Relu()),
    ),
    "a constant table": (SMALL, (table(lambda z: -7), Relu())),
    "a table of a constant": ((ints(5, 2), ints(5, 3)), (table(lambda z: z - 9), Relu())),
    "tables, then argmax": (SMALL, (table(lambda z: -z * z), Argmax())),
    "tables one after the other": (
        SMALL,
        (table(lambda z: 20 * z), table(lambda z: z % 7, -60, 60), dense([[1, -1]], [0]), Sign()),
    ),
    "wrap": (SMALL, (dense([[5, -7], [9, 3]], [-3, 6]), Wrap(3))),
    "wrap of a short value": (SMALL, (Wrap(5),)),
    "wrap after a clamp": (SMALL, (dense([[5, -7]], [-3]), Clamp(-6, 6), Wrap(2), Relu())),
    "wrap after relu": (SMALL, (dense([[5, -7]], [-3]), Relu(), Wrap(2))),
    "wrap of a sign": (SMALL, (dense([[5, -7]], [-3]), Sign(), Wrap(4))),
    "relu on a part": (
        SMALL,
        (
            dense([[2, -3], [1, 1], [1, 0]], [1, -2, 0]),
            Part(Relu(), ints(1)),
            Part(Requantise(ints(1, 2), "half_up"), ints(0, 1)),
            dense([[1, 1, -1]], [0]),
        ),
    ),
    "different activations side by side": (
        SMALL,
        (
            dense([[2, -3], [1, 1], [1, 0], [0, 1]], [1, -2, 0, 0]),
            Part(Threshold(ints(-1, 2)), ints(0, 1)),
            Part(Sign(), ints(2)),
            Part(Clamp(0, 1), ints(3)),
            dense([[1, 2, 3, 4]], [-2]),
            Relu(),
        ),
    ),
    "a part, then argmax": (
        SMALL,
        (dense([[2, -3], [1, 1], [1, 0]], [1, -2, 0]), Part(Relu(), ints(2)), Argmax()),
    ),
    "product": (
        SMALL,
        (products([[(1, 0, 1)], [(-2, 0, 0), (1, 1)], [(3, 1, 1)]], [0, 4, -1]), Relu()),
    ),
    "product of offsets": ((ints(3, -5), ints(5, -2)), (products([[(1, 0, 1), (2, 1, 0)]]),)),
    "product of two's complement": ((ints(-4, -8), ints(3, 7)), (products([[(1, 0, 1)]]),)),
    "products that cancel": (
        SMALL,
        (products([[(1, 0, 1), (-1, 1, 0), (1, 0)], [(0, 0, 1)]]), Sign()),
    ),
    "product, then argmax": (SMALL, (products([[(1, 0, 1)], [(1, 0, 0)], [(1, 1)]]), Argmax())),
    "two of four": (
        (ints(-2, -1, 0, 0), ints(1, 1, 2, 1)),
        (TopK(2), dense([[1, 2, 4, 8]], [0])),
    ),
    "one of each group, one goes through": (
        (ints(-2, -1, 0, 0, -3), ints(1, 1, 2, 1, -1)),
        (TopK(1, np.array([[3, 0], [1, 2]])), Part(Relu(), ints(4))),
    ),
    "a router beside its experts": (
        (ints(0, 0), ints(3, 3)),
        (
            dense([[1, -1], [-1, 1], [0, 1], [1, 2], [3, -1]], [0, 0, 1, -3, -2]),
            Part(Relu(), ints(3, 4)),
            TopK(1, np.array([[0, 1, 2]])),
            products([[(1, 0, 3), (1, 1, 4), (2, 2, 3)]]),
        ),
    ),
    "argmax in the middle": (SMALL, (Argmax(), dense([[3]], [-1]), Relu())),
    "maximum": ((ints(-2, -1, 0), ints(1, 1, 2)), (Maximum(np.array([[0, 1], [2, 1]])),)),
    "maximum of sums": (
        SMALL,
        (
            dense([[2, -3], [1, 1], [-1, 0]], [1, -2, 0]),
            Maximum(np.array([[0, 1, 2], [1, 2, 0]])),
            Requantise(ints(1, 1), "half_even"),
        ),
    ),
    "maximum after relu": (
        SMALL,
        (
            dense([[2, -3], [1, 1]], [1, -2]),
            Relu(),
            Maximum(np.array([[1, 0]])),
            Threshold(ints(2)),
        ),
    ),
    "maximum of one": (SMALL, (Maximum(np.array([[1], [0], [1]])), Argmax())),
    "a small convolutional network": (
        image((4, 4, 1), 0, 2),  # too many inputs to enumerate
        (
            conv(10, 2, (3, 3), (4, 4, 1), padding=(1, 1, 1, 1)),
            Relu(),
            Maximum(pool_groups((4, 4, 2), (2, 2))),
            Requantise(np.full(8, 1), "half_up"),
            dense(np.random.default_rng(0).integers(-2, 3, (3, 8)), [0, 1, 2]),
            Argmax(),
        ),
    ),
    "convolution, multiplier": (
        image((2, 3, 1), -1, 1),
        (
            conv(11, 2, (2, 2), (2, 3, 1)),
            Requantise(np.full(4, 4), "half_away", np.tile([3, 5], 2)),
        ),
    ),
}


def network_of(form: str) -> Network:
    (low, high), operators = FORMS[form]
    return Network(form, low, high, operators)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("form", FORMS)
def test_circuits_hold_under_every_policy_and_input_choice(form: str, policy: str) -> None:
    net = network_of(form)
    ensemble = ensemble_of(net, 500)
    check_tensors(net, ensemble, policy, "return")
    for choice in ("destroy", "keep"):
        report = rs.verify(net, ensemble, policy=policy, input=choice, threads=1)
        check_report(report, choice != "destroy")


@pytest.mark.parametrize("policy", ["conventional", "activation_reset"])
@pytest.mark.parametrize(
    "form",
    ["a table that loses", "a router beside its experts", "maximum of sums", "product of offsets"],
)
def test_the_text_form_gives_the_same_circuit_back(form: str, policy: str) -> None:
    net = network_of(form)
    circuit = rs.compile(net, policy)
    ensemble = ensemble_of(net)
    first, second = (rs.simulate(c, ensemble, threads=1) for c in (circuit, loads(dumps(circuit))))
    np.testing.assert_array_equal(first.outputs, second.outputs)
    ones = [[e.ones.tolist() for e in run.tally.erasures] for run in (first, second)]
    assert ones[0] == ones[1] and first.tally.gate_evaluations == second.tally.gate_evaluations


@pytest.mark.parametrize("form", FORMS)
def test_ranges_hold(form: str) -> None:
    net = network_of(form)
    rows = ensemble_of(net, 2000).rows
    for layer, values in zip(net.layers, rs.run_reference(net, rows), strict=True):
        assert bool((values.z >= layer.z_low).all() and (values.z <= layer.z_high).all())
        assert bool((values.y >= layer.output_low).all() and (values.y <= layer.output_high).all())


@pytest.mark.parametrize("form", FORMS)
def test_files_give_the_same_network_back(form: str, tmp_path: Any) -> None:
    net = network_of(form)
    save(net, tmp_path / "net.npz")
    back = load_npz(tmp_path / "net.npz")
    assert list(map(parameters, back.operators)) == list(map(parameters, net.operators))
    assert (back.state, back.initial) == (net.state, net.initial)


def single_operators() -> list[tuple[Operator, Any, Any]]:
    low, high = ints(-3, 0, 2), ints(1, 2, 3)
    return [
        (operator, low, high)
        for operator in (
            table(lambda z: z * z - z, -3, 3),
            Wrap(1),
            Wrap(2),
            Part(Relu(), ints(0, 2)),
            products([[(1, 0, 1)], [(-2, 0, 0)], [(3, 2, 1), (1, 0)], [(-1, 0, 2), (1, 1)]]),
            Maximum(np.array([[0, 1], [1, 2], [2, 0]])),
            TopK(1, np.array([[0, 1]])),
            conv(12, 2, (1, 2), (1, 3, 1), padding=(0, 1, 0, 0), pad_value=-2),
        )
    ]


@pytest.mark.parametrize("case", single_operators(), ids=lambda c: c[0].kind)
def test_bounds_are_the_extremes_over_all_inputs(case: tuple[Operator, Any, Any]) -> None:
    operator, low, high = case
    rows = np.array(list(product(*(range(a, b + 1) for a, b in zip(low, high, strict=True)))))
    found = operator.apply(rows)
    least, greatest = operator.bounds(low, high)
    assert (least.tolist(), greatest.tolist()) == (found.min(0).tolist(), found.max(0).tolist())


# --- convolution ----------------------------------------------------------------------------------


def direct(operator: Conv2d, pixels: Any) -> Any:
    """One image by the definition, loop by loop."""
    height, width, channels = operator.shape
    top, left, bottom, right = operator.padding
    whole = pixels.reshape(operator.shape)
    outputs, kernel_high, kernel_wide, each = operator.weights.shape
    ends = height + top + bottom - 1, width + left + right - 1
    fits = [
        [p for p in range(end + 1) if p * stride + (size - 1) * dilation <= end]
        for end, stride, size, dilation in zip(
            ends, operator.stride, (kernel_high, kernel_wide), operator.dilation, strict=True
        )
    ]
    result = np.zeros((len(fits[0]), len(fits[1]), outputs), dtype=np.int64)
    for y, x, o in np.ndindex(*result.shape):
        first = o // (outputs // operator.groups) * each
        total = int(operator.bias[o])
        for i, j, c in np.ndindex(kernel_high, kernel_wide, each):
            row = y * operator.stride[0] + i * operator.dilation[0] - top
            column = x * operator.stride[1] + j * operator.dilation[1] - left
            inside = 0 <= row < height and 0 <= column < width
            value = int(whole[row, column, first + c]) if inside else operator.pad_value
            total += int(operator.weights[o, i, j, c]) * value
        result[y, x, o] = total
    assert channels == each * operator.groups
    return result.ravel()


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_is_its_definition_and_its_dense_form(name: str) -> None:
    operator = CONVOLUTIONS[name]
    pixels = int(np.prod(operator.shape))
    rows = np.random.default_rng(0).integers(-5, 6, (20, pixels))
    expected = np.stack([direct(operator, row) for row in rows])
    np.testing.assert_array_equal(operator.apply(rows), expected)
    matrix = operator.as_dense()
    np.testing.assert_array_equal(matrix.apply(rows), expected)
    low, high = np.full(pixels, -3), np.arange(pixels) % 4
    for ends in zip(operator.bounds(low, high), matrix.bounds(low, high), strict=True):
        np.testing.assert_array_equal(*ends)
    span = np.arange(pixels, dtype=np.float64)
    np.testing.assert_allclose(
        operator.magnitude(span) >= np.abs(operator.apply(span.astype(np.int64)[None])[0]), True
    )


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_compiles_to_what_its_dense_form_does(name: str, policy: str) -> None:
    operator = CONVOLUTIONS[name]
    low, high = image(operator.shape, -1, 2)
    forms = [Network(name, low, high, (o, Relu())) for o in (operator, operator.as_dense())]
    ensemble = rs.random_rows(low, high, 200, 0)
    reports = [rs.verify(net, ensemble, policy=policy, threads=1) for net in forms]
    for report in reports:
        check_report(report, False)
    first, second = (report.runs[0] for report in reports)
    assert (first.rows, first.counts, first.width) == (second.rows, second.counts, second.width)


def test_positions_of_a_convolution_share_their_definitions() -> None:
    operator = CONVOLUTIONS["padded"]
    low, high = image(operator.shape, 0, 3)
    (layer,) = lower(Network("shared", low, high, (operator, Relu())))
    # One channel at nine positions: each corner, edge and the middle see other weights.
    assert len(layer.linear) == 18 and len(set(layer.linear)) == 18
    inside = Network("inside", *image((6, 6, 1), 0, 3), (conv(2, 2, (3, 3), (6, 6, 1)), Relu()))
    (layer,) = lower(inside)
    assert len(layer.linear) == 32
    assert len(set(layer.linear)) == len(set(layer.copies)) == 2
    assert len({stage for chain in layer.stages for stage in chain}) == 2
    assert len({neuron_netlist(layer, j) for j in range(32)}) == 2


# --- tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("multiplier", [1, 3, 85])
def test_a_bijective_table_leaves_nothing_behind(multiplier: int) -> None:
    net = Network("permuted", ints(-128), ints(127), (table(lambda z: (z * multiplier + 7) % 256),))
    report = rs.verify(net, policy="activation_reset")
    assert report.runs[0].total.reset_count == report.runs[0].total.given_kept == 0


def test_what_a_table_throws_away_is_the_rank_among_equal_entries() -> None:
    net = Network("square", ints(-128), ints(127), (table(lambda z: abs(z)),))
    report = rs.verify(net, policy="activation_reset")
    (row,) = report.runs[0].rows
    assert (row.cause, row.ledgers.reset_count) == ("table", 1)
    assert row.ledgers.given_kept == pytest.approx(254 / 256, abs=1e-12)


def test_any_table_of_eight_bits_costs_at_most_116_toffolis() -> None:
    entries = np.random.default_rng(5).integers(0, 256, 256)
    net = Network("any", ints(0), ints(255), (Table(0, entries),))
    assert counts(lower(net)[0].copies[0]).toffoli <= 2 * 116


# --- state ----------------------------------------------------------------------------------------


def recurrent() -> Network:
    """s' = 5 s + x mod 256, y = s' >= 128; inputs (x, s), outputs (y, s')."""
    return Network(
        "recurrent",
        ints(0, 0),
        ints(3, 255),
        (dense([[1, 5], [1, 5]], [0, 0]), Wrap(8), Part(Threshold(ints(128)), ints(0))),
        state=((1, 1),),
        initial=(9,),
    )


def test_a_state_is_fed_back_step_by_step(tmp_path: Any) -> None:
    net = recurrent()
    steps = np.random.default_rng(0).integers(0, 4, (50, 1))
    rows, outputs = rs.run_sequence(net, steps)
    state = 9
    for t, x in enumerate(steps[:, 0].tolist()):
        assert rows[t].tolist() == [x, state]
        state = (5 * state + x) % 256
        assert outputs[t].tolist() == [int(state >= 128), state]
    save(net, tmp_path / "net.npz")
    np.testing.assert_array_equal(
        rs.run_sequence(load_npz(tmp_path / "net.npz"), steps)[1], outputs
    )
    with pytest.raises(InputError, match=r"takes \[steps, 1\], its 1 state inputs"):
        rs.run_sequence(net, rows)


@pytest.mark.parametrize(("policy", "choice"), WAYS)
def test_a_step_of_a_stream_compiles_like_any_network(policy: str, choice: str) -> None:
    net = recurrent()
    rows, outputs = rs.run_sequence(net, np.random.default_rng(1).integers(0, 4, (300, 1)))
    run = rs.simulate(rs.compile(net, policy, choice), rs.data_set(rows), threads=1)
    np.testing.assert_array_equal(run.outputs, outputs)
    check_report(rs.verify(net, rows, policy=policy, input=choice, threads=1), choice != "destroy")


# --- neurons --------------------------------------------------------------------------------------


def test_only_activated_columns_are_neurons() -> None:
    net = network_of("relu on a part")
    assert [layer.neurons for layer in net.layers] == [1, 0]
    report = rs.verify(net, policy="uncompute")
    assert [row[1] for row in report.neurons.rows] == [1]
    pooled = network_of("maximum after relu")
    assert [layer.kind for layer in pooled.layers] == ["dense+relu", "maximum", "threshold"]


# --- random networks ------------------------------------------------------------------------------


def random_operator(random: np.random.Generator, low: Any, high: Any) -> Operator:
    width = len(low)
    match int(random.integers(7)):
        case 0 if int((high - low).max()) < 200 and int(high.max() - low.min()) < 256:
            return Table(
                int(low.min()), random.integers(-9, 10, (width, int(high.max() - low.min()) + 1))
            )
        case 1:
            return Wrap(int(random.integers(1, 5)))
        case 2:
            columns = np.flatnonzero(random.random(width) < 0.6)
            return Part(Relu(), columns if len(columns) else np.arange(1))
        case 3 if width > 1:
            return TopK(int(random.integers(1, width)))
        case 4:
            size = int(random.integers(1, width + 1))
            return Maximum(np.stack([random.permutation(width)[:size] for _ in range(2)]))
        case 5:
            terms = [
                [
                    (int(random.integers(-3, 4)), *random.integers(0, width, 2).tolist())
                    for _ in range(random.integers(1, 4))
                ]
                for _ in range(int(random.integers(1, 4)))
            ]
            return products(terms, random.integers(-3, 4, len(terms)).tolist())
    return dense(random.integers(-3, 4, (2, width)), random.integers(-3, 4, 2))


@pytest.mark.parametrize("seed", range(20))
def test_random_networks_of_all_operators_hold(seed: int) -> None:
    random = np.random.default_rng(seed)
    width = int(random.integers(1, 4))
    first = random.integers(-3, 2, width)
    last = first + random.integers(0, 4, width)
    operators: list[Operator] = []
    low, high = first, last
    for _ in range(random.integers(1, 6)):
        operators.append(random_operator(random, low, high))
        low, high = operators[-1].bounds(low, high)
    net = Network(f"random {seed}", first, last, tuple(operators))
    for policy, choice in WAYS:
        report = rs.verify(net, policy=policy, input=choice, threads=1)
        check_report(report, choice != "destroy")
