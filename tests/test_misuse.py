"""Misuse from Python: an `InputError` that names layer, operator, definition or wire, and why."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import revsim as rs
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Call, Circuit, Definition, Gates, Port
from revsim.circuit.gates import CX
from revsim.circuit.registers import Register
from revsim.circuit.validate import validate, validate_definition
from revsim.errors import InputError
from revsim.ledger.mismatch import relative_entropy
from revsim.network.network import Network
from revsim.network.operators import (
    Conv2d,
    Dense,
    Maximum,
    Part,
    Relu,
    Requantise,
    TopK,
    products,
    table,
)
from revsim.physics.landauer import energy_j, in_unit
from revsim.simulator.ensemble import Ensemble

ZEROS, THREES = np.zeros(2, np.int64), np.full(2, 3)


def net(weights: Any = ([[1, 1]],), **options: Any) -> Callable[[], object]:
    return lambda: rs.from_arrays(weights, **options)


def layers(
    *operators: Any, low: Any = ZEROS, high: Any = THREES, **options: Any
) -> Callable[[], object]:
    return lambda: Network("mine", low, high, operators, **options)


def verified(*values: Any, **options: Any) -> Callable[[], object]:
    return lambda: rs.verify("xor", *values, **options)


def marginal(probabilities: Any) -> Callable[[], object]:
    return lambda: rs.product([0], [probabilities], "mine")


def built(write: Callable[[Builder], object], width: int = 3) -> Callable[[], object]:
    """A definition `mine` with one port of `width` wires, 0 to width - 1."""

    def build() -> object:
        b = Builder("mine")
        b.port("p", width)
        write(b)
        return validate_definition(b.build())

    return build


def inner(width: int = 2) -> Definition:
    b = Builder("inner")
    b.cx(*b.port("q", width)[:2])
    return b.build()


def erasing() -> Definition:
    b = Builder("eraser")
    b.conventional_erase(b.port("q", 1), "gate_output")
    return b.build()


def endless() -> object:
    endless = Definition("endless", (Port("q", 1),), 0, ())
    object.__setattr__(endless, "body", (Call(endless, np.array([0], np.int32)),))
    return validate_definition(endless)


def gates_outside() -> object:
    table = np.array([[CX, 0, -1, 7, 0, 0]], np.int32)
    return validate(Circuit("mine", 2, (Gates(table),), (), ()))


def register_outside() -> object:
    return validate(Circuit("mine", 2, (), (Register("x", np.array([0, 5], np.int32)),), ()))


def rows_for(circuit: str, rows: Any) -> Callable[[], object]:
    return lambda: rs.simulate(rs.compile(rs.load(circuit)), rs.data_set(rows))


HALF_EVEN = Requantise(np.array([1]), "half_even", np.array([3]))

MISUSES: dict[str, tuple[Callable[[], object], str]] = {
    "no list of weights": (net(weights=None), "weights: expected a list with one entry a layer"),
    "a number as weights": (net(weights=3), "weights: expected a list with one entry a layer"),
    "weights by name": (net(weights={"layer1": [[1]]}), "weights: expected a list with one entry"),
    "a number as biases": (net(biases=3), "biases: expected a list with one entry a layer, got 3"),
    "a number as shifts": (net(shifts=3), "shifts: expected a list with one entry a layer, got 3"),
    "a rounding of nothing": (net(rounding="x"), "unknown rounding 'x'; choose one of floor"),
    "a width in words": (net(accumulator_bits="x"), "accumulator_bits must lie in 1..62, got x"),
    "half a clamp": (net(activation_range=3), "activation_range: expected (least, greatest)"),
    "a clamp of fractions": (net(activation_range=(0, 1.5)), "activation_range: [1] is 1.5"),
    "no layer": (net(weights=[]), "weights: at least one layer"),
    "ragged weights": (net(weights=[[[1, 2], [3]]]), "layer1: weights: rows of unequal length"),
    "fractions": (net(weights=[[[1, 0.5]]]), "layer1: weights: [0, 1] is 0.5; quantise"),
    "NaN": (net(weights=[[[1, np.nan]]]), "layer1: weights: [0, 1] is nan"),
    "an infinite bias": (net(biases=[[np.inf]]), "layer1: bias: [0] is inf"),
    "text": (net(weights=[[["a", "b"]]]), "layer1: weights: expected integers, got <U1"),
    "a flat layer": (net(weights=[[1, 1]]), "layer1: weights: expected 2 dimensions"),
    "layers that do not meet": (
        net(weights=[[[1, 1]], [[1, 1]]]),
        "layer2, operator dense: weights have shape (1, 2); expected [outputs, 1]",
    ),
    "biases for one layer of two": (
        net(weights=[[[1, 1]], [[1]]], biases=[[0]]),
        "biases: 1 given for 2 layers",
    ),
    "a bias too long": (net(biases=[[0, 1]]), "bias has shape (2,); expected [1]"),
    "shifts too long": (net(shifts=[[1, 2]]), "layer1: shifts: shape (2,); expected a number"),
    "a negative shift": (net(shifts=[-1]), "operator requantise: shifts must lie in 0..62"),
    "a long shift": (net(shifts=[63]), "operator requantise: shifts must lie in 0..62"),
    "an unknown rounding": (net(shifts=[1], rounding="up"), "unknown rounding 'up'"),
    "an unknown activation": (net(activation="tanh"), "unknown activation 'tanh'; choose"),
    "an unknown output": (net(output="softmax"), "unknown output 'softmax'; choose"),
    "an empty clamp": (net(activation_range=(3, 1)), "operator clamp: clamp from 3 to 1 is empty"),
    "an empty input range": (net(input_range=(2, 1)), "input 0 has the empty range 2..1"),
    "input ranges too long": (net(input_range=(0, [1, 2, 3])), "input_range: shape (3,)"),
    "a fraction of a range": (net(input_range=(0, 1.5)), "input_range: it is 1.5; quantise"),
    "a width too narrow": (
        net(accumulator_bits=2),
        "output 0 ranges over 0..2, which does not fit the forced width of 2 bits; force it wider",
    ),
    "a width of no bits": (net(accumulator_bits=0), "accumulator_bits must lie in 1..62"),
    "weights beyond 62 bits": (net(weights=[[[2**60, 2**60]]]), "sums leave the 62-bit range"),
    "weights beyond 64 bits": (net(weights=[[[2**63, 1]]]), "2^62 and more is too large"),
    "thresholds too long": (
        net(activation="threshold", thresholds=[[1, 2]]),
        "layer1: thresholds: shape (2,)",
    ),
    "no operators": (layers(), "network 'mine' has no operators"),
    "all of them the greatest": (layers(TopK(2)), "operator top_k: k = 2 of 2 values chooses no"),
    "a column in two groups": (
        layers(TopK(1, np.array([[0, 1], [1, 0]]))),
        "column 0 stands in two places of the groups",
    ),
    "a maximum of nothing there": (layers(Maximum(np.array([[0, 9]]))), "groups name columns 0..9"),
    "a table too small": (
        layers(table(abs, 1, 2)),
        "value 0 ranges over 0..3, the table knows 1..2",
    ),
    "a table of many": (lambda: table(abs, 0, 256), "takes 1 to 256 integers"),
    "a table beyond 62 bits": (
        lambda: table(lambda z: 10**21, 0, 3),
        "the table's function leaves -2^62..2^62 at 0",
    ),
    "a table between fractions": (lambda: table(abs, 0.5, 3), "from one integer to another"),
    "a table of no function": (lambda: table(3), "a table is made of a function, not of 3"),
    "a table of fractions": (lambda: table(lambda z: z / 2, 0, 3), "gives 0.5 for 1; round it"),
    "a part that is not there": (
        layers(Part(Relu(), np.array([1, 2]))),
        "columns 1..2 are named; there are 0..1",
    ),
    "a product of nothing there": (
        layers(products([[(1, 0, 5)]])),
        "right of term 0 is 5; expected -1..1",
    ),
    "an image of another size": (
        layers(Conv2d(np.ones((1, 1, 1, 1), np.int64), np.zeros(1, np.int64), (2, 2, 1))),
        "an image of shape (2, 2, 1) [height, width, channels] does not hold the 2 values",
    ),
    "a kernel larger than its image": (
        layers(Conv2d(np.ones((1, 3, 3, 1), np.int64), np.zeros(1, np.int64), (1, 2, 1))),
        "a kernel of 3 x 3 does not fit",
    ),
    "a state that outgrows its input": (
        layers(Dense(np.array([[9, 0]]), np.zeros(1, np.int64)), state=((0, 0),)),
        "output 0 ranges over 0..27, outside the declared 0..3 of input 0",
    ),
    "an input beyond 62 bits": (
        layers(Relu(), high=np.full(2, 1 << 61)),
        "input 0 leaves the 62-bit range",
    ),
    "products beyond 62 bits": (
        layers(
            Dense(np.array([[1 << 40, 1]]), np.array([0])),
            Requantise(np.array([1]), "floor", np.array([1 << 30])),
        ),
        "operator requantise: products leave the 62-bit range",
    ),
    "a rounding without a formula": (
        lambda: rs.compile(
            Network("mine", np.array([-7]), np.array([7]), (HALF_EVEN, Relu())), "uncompute"
        ),
        "layer1, operator requantise, value 0 (half_even): ",
    ),
    "an unknown policy": (verified(policy="lazy"), "unknown policy 'lazy'; choose one of"),
    "an unknown input choice": (verified(input="burn"), "unknown input choice 'burn'"),
    "no kelvin": (
        verified(temperature_k=0),
        "the temperature must lie in 1e-12..1e+12 K, got 0",
    ),
    "rows outside": (verified([[0, 2]]), "data: row 0, input 1 is 2, outside the declared 0..1"),
    "rows too narrow": (verified([[0]]), "data: shape (1, 1); network 'xor' takes [rows, 2]"),
    "an ensemble of another width": (
        verified(rs.data_set(np.zeros((2, 3), int))),
        "data: shape (2, 3); network 'xor' takes",
    ),
    "labels too long": (
        lambda: rs.verify("digits", rs.data_set(np.zeros((2, 64), int)), labels=[1, 2, 3]),
        "labels: shape (3,); expected [2]",
    ),
    "no data for a large network": (
        lambda: rs.verify(rs.from_arrays([np.ones((1, 64), int)], input_range=(0, 255))),
        "has too many inputs to enumerate; give data",
    ),
    "an unknown bundled name": (lambda: rs.load("mnist"), "mnist: neither a file nor a bundled"),
    "no rows": (lambda: rs.data_set(np.zeros((0, 2), int)), "there are no rows"),
    "negative weights": (lambda: rs.data_set([[0], [1]], [1, -1]), "row 1 has a negative weight"),
    "weights of 0": (lambda: rs.data_set([[0], [1]], [0, 0]), "all weights are 0"),
    "weights that are no numbers": (
        lambda: rs.data_set([[0], [1]], [1, np.nan]),
        "the weight of row 1 is nan, not a number",
    ),
    "rows that are no numbers": (lambda: rs.data_set([[0, np.nan]]), "row 0, input 1 is nan"),
    "ragged rows": (lambda: rs.data_set([[0], [1, 2]]), "ensemble 'data': rows of unequal length"),
    "a marginal of more than 1": (
        marginal([0.5, 0.6]),
        "ensemble mine: the marginal of input 0: probabilities add up to 1.1, not to 1",
    ),
    "a marginal of NaN": (marginal([np.nan, 1]), "probability 0 is no number in 0..1, got nan"),
    "a negative marginal": (marginal([1.5, -0.5]), "probability 1 is negative, got -0.5"),
    "a marginal of text": (marginal("ab"), "input 0: expected a list of probabilities, got 'ab'"),
    "no marginals": (lambda: rs.product([0], None, "mine"), "one marginal an input, got None"),
    "a prior of more than 1": (
        lambda: relative_entropy([0.5, 0.5], [0.5, 0.6]),
        "the prior: probabilities add up to 1.1, not to 1",
    ),
    "a prior of NaN": (
        lambda: relative_entropy([0.5, 0.5], [0.5, np.nan]),
        "the prior: probability 1 is no number in 0..1, got nan",
    ),
    "a negative prior": (
        lambda: relative_entropy([0.5, 0.5], [-1, 2]),
        "the prior: probability 0 is negative, got -1",
    ),
    "too many inputs to enumerate": (
        lambda: rs.uniform([0] * 64, [1] * 64),
        "span 2^64.0 rows, more than 2^24",
    ),
    "half a random row": (lambda: rs.random_rows([0], [1], 0.5, 0), "1..2^24, got 0.5"),
    "no random rows": (lambda: rs.random_rows([0], [1], 0, 0), "must lie in 1..2^24, got 0"),
    "a row beyond its register": (rows_for("xor", [[0, 0], [2, 0]]), "row 1: register 'input[0]'"),
    "rows of another circuit": (rows_for("xor", [[0, 0, 1]]), "has 3 values per row, circuit"),
    "an unknown executor": (
        lambda: rs.simulate(
            rs.compile(rs.load("xor")), Ensemble("mine", np.zeros((1, 2), int)), executor="gpu"
        ),
        "unknown executor 'gpu'",
    ),
    "half a neuron": (
        lambda: rs.explain("xor", layer=1, neuron=0.5),
        "neuron must be a whole number, counted from 0; got 0.5",
    ),
    "fewer bits than none": (lambda: energy_j(-1), "the number of bits must be 0 or more, got -1"),
    "heat where nothing is so cold": (
        lambda: energy_j(1.0, 1e-320),
        "the temperature must lie in 1e-12..1e+12 K, got 1e-320",
    ),
    "no temperature": (
        verified(temperature_k=None),
        "the temperature must be a number, got None",
    ),
    "heat below 0 K": (
        lambda: energy_j(1.0, -3.0),
        "the temperature must lie in 1e-12..1e+12 K, got -3",
    ),
    "an unknown unit": (lambda: in_unit(1.0, "calories"), "unknown unit 'calories'"),
    "a wire twice in a cx": (
        built(lambda b: b.cx(1, 1)),
        "mine: gate 0 (cx) uses a wire twice: 1, 1",
    ),
    "a wire twice in a ccx": (built(lambda b: b.ccx(0, 1, 0)), "(ccx) uses a wire twice"),
    "a wire outside": (built(lambda b: b.cx(0, 9)), "mine: gate 0 (cx) uses a wire outside 0..2"),
    "a wire far outside": (built(lambda b: b.x(900)), "mine: x uses a wire outside 0..2"),
    "registers of unequal length": (
        built(lambda b: b.cx([0, 1], [2, 1, 0])),
        "mine: cx got registers of unequal length",
    ),
    "a mcx on its control": (built(lambda b: b.mcx([(0, True)], 0)), "mine: mcx uses a wire twice"),
    "a port after a local": (
        built(lambda b: (b.local("l"), b.port("q", 1))),
        "mine: port 'q' must be declared before any local",
    ),
    "two ports of one name": (built(lambda b: b.port("p", 1)), "mine: there is already a port 'p'"),
    "a call with too few registers": (
        built(lambda b: b.call(inner())),
        "mine: 'inner' has 1 ports, 0 registers were given",
    ),
    "a call of wrong width": (
        built(lambda b: b.call(inner(), [0, 1, 2])),
        "mine: port 'q' of 'inner' has 2 wires, 3 were given",
    ),
    "a call with one wire twice": (
        built(lambda b: b.call(inner(), [0, 0])),
        "mine: the call of 'inner' gives one wire twice",
    ),
    "a call outside": (built(lambda b: b.call(inner(), [0, 8])), "'inner' uses an unknown wire"),
    "a loop outside": (
        built(lambda b: b.loop(inner(), 3, [0, 1], [1, 1])),
        "mine: the loop over 'inner' uses an unknown wire",
    ),
    "an erasure called backward": (
        built(lambda b: b.call(erasing(), [0], inverse=True)),
        "mine: cannot call 'eraser' backward, it erases something",
    ),
    "a definition that calls itself": (endless, "definition 'endless' calls itself: endless ->"),
    "a table of gates outside": (gates_outside, "circuit 'mine': gate 0 (cx) uses a wire outside"),
    "a register outside": (register_outside, "register 'x' uses a wire outside 0..1"),
}


@pytest.mark.parametrize("case", MISUSES)
def test_misuse_is_refused_in_the_words_of_its_user(case: str) -> None:
    attempt, words = MISUSES[case]
    with pytest.raises(InputError) as caught:
        attempt()
    message = str(caught.value)
    assert words in message
    assert len(message) < 300 and "\n" not in message
