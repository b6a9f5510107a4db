"""Known answers of activations and networks, read from compiled and simulated circuits."""

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from oracle_circuits import (
    KNOWN,
    Measured,
    Reading,
    agrees,
    compiled,
    dense,
    loss_of,
    measured,
    named,
    network,
)

from revsim.blocks.compare import at_least_constant
from revsim.circuit.builder import Builder
from revsim.circuit.registers import Wires
from revsim.lower.layer import lower
from revsim.network.network import Network
from revsim.network.operators import Argmax, Clamp, Dense, Relu, Requantise, Threshold
from revsim.schedule.device import Device
from revsim.simulator.ensemble import uniform

READINGS: dict[int, Reading] = {}


def word(width: int) -> list[tuple[int, int]]:
    """The range of one two's complement word."""
    return [(-(1 << (width - 1)), (1 << (width - 1)) - 1)]


def shift(places: int, rounding: str = "floor") -> Requantise:
    return Requantise(np.array([places]), rounding)


def at_least(*thresholds: int) -> Threshold:
    return Threshold(np.array(thresholds))


# --- D: activations of uniform words ------------------------------------------------------------

READINGS |= {
    **{n: loss_of(word(w), Relu()) for n, w in ((55, 2), (56, 4), (57, 8), (58, 16))},
    59: loss_of(word(8), at_least(0)),
    60: loss_of(word(8), dense([[1], [1]]), at_least(0, 1)),
    61: loss_of(word(8), dense([[1], [-1]]), Relu(), dense([[1, 1]])),
    65: loss_of(word(8), Clamp(-8, 7)),
    66: loss_of(word(8), Clamp(0, 6)),
    67: loss_of(word(8), Clamp(-32, 31)),
    68: loss_of(word(8), shift(1)),
    69: loss_of(word(8), shift(4)),
    70: loss_of(word(8), shift(4, "half_up")),
    71: loss_of(word(16), shift(4, "half_up"), Clamp(-128, 127)),
    75: loss_of(word(8), at_least(11)),
    81: loss_of([(0, 3)] * 4, Argmax()),
    84: loss_of([(0, 3)] * 3, dense([[1, -1, 0], [0, 1, -1]])),
    209: loss_of([(0, 3)] * 3, Argmax()),
}

# --- E: Gaussian words, H: one neuron under every ledger ----------------------------------------


def gaussian(mean: float, deviation: float) -> list[int]:
    """Weights of clip(round(z)) = -128..127 in units of 2^-50."""

    def below(z: float) -> float:
        return math.erfc((mean - z) / (deviation * math.sqrt(2))) / 2

    cuts = [0.0, *(below(z - 0.5) for z in range(-127, 128)), 1.0]
    return [round(2.0**50 * (b - a)) for a, b in pairwise(cuts)]


def fires(b: Builder, z: Wires, state: Wires) -> None:
    """state ^= z > 0, z held as z + 128."""
    at_least_constant(b, z, 129, state)


@cache
def neuron_state(weights: tuple[int, ...] | None) -> Measured:
    """The one-bit state of a neuron on an 8-bit z, computed and reset."""
    return measured(fires, (8,), (1,), (1,), weights)


for first, mean, deviation in ((86, 0, 1), (90, 0, 20), (94, -20, 20), (98, 20, 20)):
    p = tuple(gaussian(mean, deviation))
    READINGS |= {
        first: lambda p=p: compiled(network(word(8), Relu()), weights=p).start,
        first + 1: loss_of(word(8), Relu(), weights=p),
        first + 2: lambda p=p: neuron_state(p).total.ones_flipped,
        first + 3: lambda p=p: neuron_state(p).total.per_bit,
    }
READINGS |= {
    102: loss_of(word(8), shift(4, "half_up"), weights=gaussian(0, 20)),
    103: loss_of(word(8), at_least(0), weights=gaussian(0, 20)),
}


@cache
def fredkin() -> list[float]:
    """A0 .. A3 of the garbage of one 8-bit ReLU."""
    total = compiled(network(word(8), Relu())).of(1, "activation")
    return [total.reset_count, total.per_bit, total.per_register, total.given_kept]


READINGS |= {
    **{124 + k: lambda k=k: fredkin()[k] for k in range(4)},
    128: lambda: neuron_state(None).total.ones_flipped,
    **{129 + k: lambda k=k: fredkin()[k] - fredkin()[k + 1] for k in range(3)},
}

# --- F: binary neurons --------------------------------------------------------------------------


def binary_neuron(inputs: int) -> tuple[Dense, Threshold]:
    return dense([[1] * inputs]), at_least((inputs + 2) // 2)


def part_of_nine(cause: str) -> Reading:
    net = network([(0, 1)] * 9, *binary_neuron(9))
    return lambda: compiled(net).of(1, cause).given_kept


READINGS |= {
    **{
        number: loss_of([(0, 1)] * n, *binary_neuron(n))
        for number, n in ((104, 3), (105, 5), (106, 8), (107, 9), (108, 16))
    },
    109: part_of_nine("layer_input"),
    110: part_of_nine("activation"),
}

# --- L, Q: toy networks -------------------------------------------------------------------------

PAIR = [(0, 3), (0, 3)]
HIDDEN = [[1, -1], [-1, 1], [1, 1]], [0, 0, -3]
TOY = network(PAIR, dense(*HIDDEN), Relu(), dense([[1, 1, -1]]), at_least(1))
# The states of the hidden neurons (active or not) feed a layer that only makes them die.
STATES = network(PAIR, dense(*HIDDEN), at_least(1, 1, 1), dense([[1, 1, 1]]), at_least(1))
FIVE = Dense(*(np.array(v) for v in HIDDEN), bits=5)
WIDE = network(PAIR, FIVE, Relu(), dense([[1, 1, -1]]), at_least(1))
BIT_PAIR = [(0, 1), (0, 1)]
XOR_HIDDEN = [[1, 1], [1, 1]], [0, -1]
XOR = network(BIT_PAIR, dense(*XOR_HIDDEN), Relu(), dense([[1, -2]]))
XOR_STATES = network(BIT_PAIR, dense(*XOR_HIDDEN), at_least(1, 1), dense([[1, 1]]), at_least(1))
WINDOWS = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1]]
BNN = network([(0, 1)] * 5, dense(WINDOWS), at_least(2, 2, 2), dense([[1, 1, 1]]), at_least(2))


@cache
def run(net: Network, input: str = "destroy") -> Measured:
    return compiled(net, "activation_reset", input)


def one_by_one() -> float:
    """ReLUs of the toy network each on a device of their own."""
    return sum(
        run(network(PAIR, dense([row], [bias]), Relu())).of(1, "activation").given_kept
        for row, bias in zip(*HIDDEN, strict=True)
    )


def changed() -> float:
    """Neurons whose state differs between two independent inputs: sum 2 p (1 - p)."""
    tally = run(STATES).run.tally
    dying = [e for e in tally.erasures if (e.layer, e.cause) == ("layer2", "layer_input")]
    p = np.concatenate([e.ones for e in dying]) / tally.total
    return float((2 * p * (1 - p)).sum())


def majorities() -> float:
    """Sum over the four neurons of H(inputs) - H(output), each hidden one on its own device."""
    alone = [
        run(network([(0, 1)] * 5, dense([row]), at_least(2))).of(1).given_kept - 2
        for row in WINDOWS  # each leaves two of the five inputs unread: 2 bits that are not its own
    ]
    return sum(alone) + run(BNN).of(2).given_kept


def given(net: Network, layer: int, cause: str = "", input: str = "destroy") -> Reading:
    return lambda: run(net, input).of(layer, cause).given_kept


def entropy_after(net: Network, layer: int, cause: str) -> Reading:
    return lambda: run(net).after(layer, cause)


def states(net: Network, read: str) -> Reading:
    return lambda: getattr(run(net).of(2, "layer_input"), read)


@cache
def whole_garbage() -> Measured:
    """The ReLU layer of the toy network with all its garbage erased as one register."""
    layer = lower(network(PAIR, FIVE, Relu()))[0]
    device = Device(layer.inputs)
    device.layer = layer.name
    z = [device.alloc(f"z[{j}]", encoding) for j, encoding in enumerate(layer.z)]
    x = np.concatenate([register.wires for register in device.inputs])
    for total, definition, register in zip(layer.sums, layer.linear, z, strict=True):
        device.call(definition, x[total.wires], register.wires)
    device.erase("x", x, "layer_input", "x")
    garbage = []
    for (stage,), register in zip(layer.stages, z, strict=True):
        fresh = device.scratch("fresh", stage.fresh)
        device.call(stage.definition, register.wires, fresh.wires)
        garbage.append(np.concatenate([register.wires, fresh.wires])[list(stage.garbage)])
    device.erase("garbage", np.concatenate(garbage), "activation", "all neurons")
    circuit = device.circuit("garbage", z, (), "activation_reset", "destroy", "")
    return Measured(circuit, uniform([0, 0], [3, 3]))


def garbage(read: str, input: str = "destroy") -> Reading:
    return lambda: getattr(run(WIDE, input).of(1, "activation"), read)


READINGS |= {
    180: lambda: run(TOY).start,
    181: entropy_after(TOY, 1, "layer_input"),
    182: entropy_after(TOY, 1, "activation"),
    183: entropy_after(TOY, 2, "layer_input"),
    184: lambda: run(TOY).end,
    185: given(TOY, 1, "activation"),
    186: one_by_one,
    187: given(TOY, 2, "layer_input"),
    188: given(TOY, 2, "activation"),
    189: loss_of(PAIR, *TOY.operators),
    190: states(STATES, "ones_flipped"),
    191: changed,
    192: entropy_after(STATES, 1, "activation"),
    193: states(STATES, "per_bit"),
    194: given(XOR, 1, "layer_input"),
    195: given(XOR, 1, "activation"),
    196: given(XOR, 2, "layer_input"),
    197: states(XOR_STATES, "ones_flipped"),
    198: entropy_after(BNN, 1, "activation"),
    199: states(BNN, "per_bit"),
    200: loss_of([(0, 1)] * 5, *BNN.operators),
    201: majorities,
    202: given(BNN, 2, "layer_input", input="keep"),
    265: lambda: run(TOY, "keep").total.given_kept,
    267: garbage("reset_count"),
    268: garbage("per_bit"),
    269: lambda: whole_garbage().of(1, "activation").per_register,
    270: garbage("given_kept"),
    271: garbage("given_kept", input="keep"),
}


@pytest.mark.parametrize("number", READINGS, ids=named(READINGS))
def test_a_compiled_network_gives_the_known_answer(number: int) -> None:
    assert agrees(number, READINGS[number])


def test_at_least_sixty_known_answers_come_out_of_networks() -> None:
    print(f"{len(READINGS)} of {len(KNOWN)}: {sorted(READINGS)}")
    assert len(READINGS) >= 60


@pytest.mark.parametrize("input", ["keep", "return"])
def test_bennett_erases_nothing_while_the_input_is_kept(input: str) -> None:
    networks: Sequence[Network] = (TOY, XOR, BNN, WIDE)
    assert [compiled(net, "bennett", input).total.reset_count for net in networks] == [0.0] * 4
