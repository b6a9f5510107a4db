"""Known answers of gates, arithmetic, registers and streams, read from simulated circuits."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pytest
from oracle_circuits import (
    KNOWN,
    Measured,
    Reading,
    agrees,
    bits,
    gate_sum,
    lost,
    measured,
    named,
    nothing,
)

from revsim.blocks.add import add_in_place, controlled_add
from revsim.blocks.columns import copied_sum, weighted_bits
from revsim.blocks.compare import less_than
from revsim.blocks.maximum import maximum_in_place
from revsim.blocks.select import relu_in_place
from revsim.circuit.builder import Builder
from revsim.circuit.registers import Wires
from revsim.lower.netlist import Netlist
from revsim.schedule.device import Device
from revsim.simulator.ensemble import uniform

READINGS: dict[int, Reading] = {}


# --- B: single gates ----------------------------------------------------------------------------


def either(b: Builder, x: Wires, y: Wires, out: Wires) -> None:
    b.cx([*x, *y], out)
    b.ccx(x, y, out)


def majority(b: Builder, x: Wires, y: Wires, z: Wires, out: Wires) -> None:
    b.ccx([*x, *x, *y], [*y, *z, *z], out)


def parity(b: Builder, *registers: Wires) -> None:
    b.cx(np.concatenate(registers[:-1]), registers[-1])


READINGS |= {
    17: lost(Builder.ccx, (1, 1), (1,), (0, 1)),
    18: lost(either, (1, 1), (1,), (0, 1)),
    19: lost(Builder.cx, (1, 1), (), (0,)),
    20: lost(Builder.x, (1,)),
    21: lost(Builder.cx, (1, 1)),
    22: lost(Builder.ccx, (1, 1, 1)),
    23: lost(Builder.cswap, (1, 1, 1)),
    24: lost(Builder.ccx, (1, 1), (1,), (1,)),
    25: lost(majority, (1, 1, 1), (1,), (0, 1, 2)),
    26: lost(parity, (1, 1, 1), (), (0, 1)),
    27: lost(Builder.cswap, (1, 1, 1), (), (0, 1)),
    28: lost(lambda b, x, y: b.mcx([(w, True) for w in x], y[0]), (8,), (1,), (0,)),
    29: lost(Builder.ccx, (1, 1), (1,), (0, 1), (81, 9, 9, 1)),
    30: lost(Builder.ccx, (1, 1), (1,), (0, 1), (1, 0, 0, 1)),
    31: lost(Builder.cx, (1, 1), (), (0,), (1, 0, 0, 1)),
}

# --- C: arithmetic ------------------------------------------------------------------------------


def half_adder(b: Builder, x: Wires, y: Wires, carry: Wires) -> None:
    b.ccx(x, y, carry)
    b.cx(x, y)


def full_adder(b: Builder, x: Wires, y: Wires, z: Wires, carry: Wires) -> None:
    half_adder(b, x, y, carry)
    half_adder(b, y, z, carry)


def sums(matrix: Sequence[Sequence[int]], width: int) -> Callable[..., object]:
    """Fresh registers become the rows of matrix times the input registers, mod 2^width."""

    def body(b: Builder, *registers: Wires) -> None:
        inputs, results = registers[: len(matrix[0])], registers[len(matrix[0]) :]
        for row, result in zip(matrix, results, strict=True):
            weights = [w << k for w, x in zip(row, inputs, strict=True) for k in range(len(x))]
            copied_sum(b, weighted_bits(np.concatenate(inputs), np.array(weights)), result)
            assert len(result) == width

    return body


def multiply(b: Builder, x: Wires, y: Wires, out: Wires) -> None:
    """out += x y mod 2^len(out), by shifts and controlled additions."""
    y = np.concatenate([y, b.local("zeros", max(0, len(out) - len(y)))])
    for k, bit in enumerate(x):
        controlled_add(b, bit, y[: len(out) - k], out[k:])


def square(b: Builder, z: Wires, out: Wires) -> None:
    """out += z z mod 2^len(out), z two's complement: sign extended, copied, multiplied."""
    start = b.mark()
    long, copy = b.local("long", len(out)), b.local("copy", len(out))
    for register in (long, copy):
        b.cx(z, register[: len(z)])
        b.cx(np.repeat(z[-1:], len(out) - len(z)), register[len(z) :])
    stop = b.mark()
    multiply(b, long, copy, out)
    b.undo(start, stop)


def netlist_half(net: Netlist, a: int, b: int) -> list[int]:
    return [net.xor(a, b), net.and_(a, b)]


def netlist_full(net: Netlist, a: int, b: int, c: int) -> list[int]:
    p = net.xor(a, b)
    return [net.xor(p, c), net.or_(net.and_(a, b), net.and_(p, c))]


def netlist_aig(net: Netlist, a: int, b: int) -> list[int]:
    differ = net.or_(net.and_(a, b ^ 1), net.and_(a ^ 1, b))
    return [differ, net.and_(a, b)]


def netlist_ripple(net: Netlist, a0: int, a1: int, b0: int, b1: int) -> list[int]:
    low, carry = netlist_half(net, a0, b0)
    return [low, *netlist_full(net, a1, b1, carry)]


READINGS |= {
    32: lost(half_adder, (1, 1), (1,), (0,)),
    33: gate_sum(2, 2, netlist_aig),
    34: gate_sum(2, 2, netlist_half),
    35: lost(full_adder, (1, 1, 1), (1,), (0, 1)),
    36: gate_sum(3, 2, netlist_full),
    **{
        number: lost(add_in_place, (width, width), (1,), (0,))
        for number, width in ((37, 1), (38, 2), (39, 4), (40, 8))
    },
    41: lost(add_in_place, (4, 4), (), (0,)),
    42: lost(add_in_place, (4, 4)),
    43: gate_sum(4, 3, netlist_ripple),
    **{
        number: lost(sums([[factor]], 8), (8,), (8,), (0,))
        for number, factor in ((44, 3), (45, 2), (46, 6), (47, 12))
    },
    48: lost(multiply, (2, 2), (4,), (0, 1)),
    49: lost(multiply, (4, 4), (8,), (0, 1)),
    50: lost(sums([[1] * 8], 4), (1,) * 8, (4,), range(8)),
    51: lost(sums([[1, 2], [1, 3]], 4), (4, 4), (4, 4), (0, 1)),
    52: lost(sums([[1, 1], [1, -1]], 4), (4, 4), (4, 4), (0, 1)),
    53: lost(sums([[1, 2], [2, 4]], 4), (4, 4), (4, 4), (0, 1)),
    54: lost(sums([[1, 1], [1, -1]], 6), (4, 4), (6, 6), (0, 1)),
}

# --- D: words -----------------------------------------------------------------------------------


def leaky(b: Builder, z: Wires, out: Wires) -> None:
    """out = z where z >= 0, else z >> 3."""
    sign, low = z[-1], z[:-1]
    b.x(sign)
    b.ccx(sign, low, out[:-1])
    b.x(sign)
    b.ccx(sign, low[3:], out[: len(low) - 3])
    b.cx(sign, out[len(low) - 3 :])


def maximum_of_four(b: Builder, w: Wires, x: Wires, y: Wires, z: Wires, flags: Wires) -> None:
    for k, lesser in enumerate((w, x, y)):
        maximum_in_place(b, lesser, z, flags[k])


def table(values: Sequence[int]) -> Callable[..., object]:
    """out ^= values[x], one controlled NOT for each one of each entry."""

    def body(b: Builder, *registers: Wires) -> None:
        x, out = np.concatenate(registers[:-1]), registers[-1]
        for row, value in enumerate(values):
            for k in range(len(out)):
                if value >> k & 1:
                    b.mcx([(int(w), bool(row >> i & 1)) for i, w in enumerate(x)], int(out[k]))

    return body


SIGNED = [z - 256 if z > 127 else z for z in range(256)]
TANH = [round(127 * math.tanh(z / 32)) for z in SIGNED]
SILU = [round(z / (1 + math.exp(-z / 16))) for z in SIGNED]

READINGS |= {
    62: lost(relu_in_place, (8,), (7,), (1,)),
    64: lost(leaky, (8,), (8,), (0,)),
    72: lost(sums([[1]], 8), (16,), (8,), (0,)),
    73: lost(square, (4,), (7,), (0,)),
    74: lost(square, (8,), (8,), (0,)),
    76: lost(table(TANH), (8,), (8,), (0,)),
    **{
        number: lost(maximum_in_place, (width, width), (1,), (0, 2))
        for number, width in ((77, 2), (78, 4), (79, 8))
    },
    80: lost(maximum_of_four, (2, 2, 2, 2), (3,), (0, 1, 2, 4)),
    82: lost(maximum_in_place, (4, 4), (1,), (2,)),
    83: lost(less_than, (4, 4), (1,), (0, 1)),
    274: lost(table(SILU), (8,), (8,), (0,)),
}

# --- G, I, J: correlated registers, uncomputation, two ways to lose ------------------------------


def copies(b: Builder, x: Wires, rest: Wires) -> None:
    b.cx(np.repeat(x, len(rest)), rest)


def chain(b: Builder, x: Wires) -> None:
    """From the first state and the flips to the states of a Markov chain."""
    b.cx(x[:-1], x[1:])


def bennett(b: Builder, x: Wires, y: Wires, out: Wires) -> None:
    """Compute on an ancilla, copy out, uncompute."""
    ancilla = b.local("ancilla")
    b.ccx(x, y, ancilla)
    b.cx(ancilla, out)
    b.ccx(x, y, ancilla)


FLIPS = [9 ** (7 - (v >> 1).bit_count()) for v in range(256)]
ONE_HOT = table([1 << k for k in range(8)])
MARGINAL, JOINT = "per_bit", "per_register"

READINGS |= {
    111: lost(copies, (1,), (1,), (0, 1), read=MARGINAL),
    112: lost(copies, (1,), (1,), (0, 1), read=JOINT),
    113: lost(copies, (1,), (1,), (1,)),
    114: lost(copies, (1,), (7,), (0, 1), read=MARGINAL),
    115: lost(copies, (1,), (7,), (0, 1), read=JOINT),
    116: lost(copies, (1,), (7,), (1,)),
    117: lost(parity, (1, 1), (1,), (0, 1, 2), read=MARGINAL),
    118: lost(parity, (1, 1), (1,), (1, 2), read=JOINT),
    119: lost(parity, (1, 1), (1,), (0, 1, 2), read=JOINT),
    120: lost(ONE_HOT, (3,), (8,), (1,), read=MARGINAL),
    121: lost(ONE_HOT, (3,), (8,), (1,), read=JOINT),
    122: lost(chain, (8,), (), (0,), FLIPS, JOINT),
    123: lost(chain, (8,), (), (0,), FLIPS, MARGINAL),
    132: lost(bennett, (1, 1), (1,), read="reset_count"),
    133: lost(bennett, (1, 1), (1,), (0, 1)),
    134: lost(bennett, (1, 1), (1,), (0, 1), read=MARGINAL),
    239: lambda: math.log(2) * lost(Builder.cx, (1, 1), (), (0, 1), (1, 0, 0, 1), JOINT)(),
    240: lambda: math.log(2) * lost(nothing, (1, 1), (), (0, 1), (1, 0, 0, 1), MARGINAL)(),
}


def half_adder_steps(step: str) -> float:
    """gate_local - given_kept of a half adder: XOR eats one private copy of the input, AND another.

    The total of both is what the circuit loses beyond its function.
    """
    device = Device([bits(2)])
    x, copy = device.inputs[0], device.alloc("copy", bits(2))
    b = Builder("copy")
    b.cx(b.port("x", 2), b.port("copy", 2, zero=True))
    device.call(b.build(), x.wires, copy.wires)
    outputs = []
    for layer, source in (("xor", x), ("and", copy)):
        device.layer = layer
        net = Netlist(layer)
        a, y = net.port("x", 2), net.port("y", 1, zero=True)
        gate = net.xor if layer == "xor" else net.and_
        outputs.append(device.alloc(layer, bits(1)))
        device.call(net.finish([gate(*a.tolist())], y), source.wires, outputs[-1].wires)
        device.erase(layer, source.wires, "gate_output", layer)
    circuit = device.circuit("half adder", outputs, (), "conventional", "destroy", "")
    rows = Measured(circuit, uniform([0], [3])).rows
    chosen = [row.ledgers for row in rows if step in (row.layer, "both")]
    return sum((ledgers.gate_local or 0.0) - ledgers.given_kept for ledgers in chosen)


READINGS |= {
    153: lambda: half_adder_steps("both"),
    154: lambda: half_adder_steps("xor"),
    155: lambda: half_adder_steps("and"),
    156: lambda: (
        lost(copies, (1,), (1,), (0, 1), read=MARGINAL)()
        - lost(copies, (1,), (1,), (0, 1), read=JOINT)()
    ),
}

# --- K, Q: neurons in a stream, routers, recurrences ----------------------------------------------

# Weights of (previous, next) = (0, 0), (1, 0), (0, 1), (1, 1) for flip probabilities up and down.
STREAMS = {
    168: (9, 1, 1, 9),
    170: (891, 9, 9, 91),
    172: (5, 95, 95, 5),
    174: (0, 1, 1, 0),
}
for number, pairs in STREAMS.items():  # the previous state becomes what has changed and dies
    turned = (lambda b, before, after: b.cx(after, before), (1, 1), (), (0,), pairs)
    READINGS[number] = lost(*turned, read="ones_flipped")
    READINGS[number + 1] = lost(*turned)
for number, percent in zip(range(162, 168), (1, 5, 10, 50, 90, 99), strict=True):
    READINGS[number] = lost(nothing, (1,), (), (0,), (100 - percent, percent), MARGINAL)


def experts(read: str) -> float:
    """The 64 one-bit states of a router that switches 2 experts on, erased as one register."""
    rows = np.zeros((math.comb(64, 2), 64), dtype=np.int64)
    for row, pair in enumerate(combinations(range(64), 2)):
        rows[row, list(pair)] = 1
    return getattr(measured(nothing, (1,) * 64, (), range(64), rows=rows).total, read)


def sixteen(b: Builder, before: Wires, after: Wires, old: Wires, new: Wires) -> None:
    """16 neurons that always agree, at two times; the older ones become what has changed."""
    copies(b, before, old)
    copies(b, after, new)
    b.cx(np.concatenate([after, new]), np.concatenate([before, old]))


def coupling(b: Builder, x: Wires, y: Wires) -> None:
    """x += F(y), y += G(x) mod 16 for arbitrary tables."""
    stream = np.random.default_rng(0)
    for values in (stream.integers(0, 16, 16), stream.integers(0, 16, 16)):
        entry = b.local("entry", 4)
        start = b.mark()
        table(values.tolist())(b, y, entry)
        stop = b.mark()
        add_in_place(b, entry, x)
        b.undo(start, stop)
        x, y = y, x


LEAVES = [(0 if i >> 3 < 2 else 1) if i & 7 < 4 else (2 if i >> 3 < 6 else 3) for i in range(64)]

READINGS |= {
    176: lambda: experts(JOINT),
    177: lambda: experts(MARGINAL),
    178: lambda: experts("ones_flipped"),
    203: lost(coupling, (4, 4)),
    205: lost(nothing, (1, 7, 1), (), (0,)),
    206: lost(sums([[5, 1]], 8), (8, 2), (8,), (0,)),
    207: lost(sums([[5, 1]], 8), (8, 2), (8,), (0, 1)),
    208: lost(table(LEAVES), (3, 3), (2,), (0, 1)),
    272: lost(sixteen, (1, 1), (15, 15), (0, 2), read="ones_flipped"),
    273: lost(sixteen, (1, 1), (15, 15), (0, 2)),
}


@pytest.mark.parametrize("number", READINGS, ids=named(READINGS))
def test_a_simulated_circuit_gives_the_known_answer(number: int) -> None:
    assert agrees(number, READINGS[number])


def test_at_least_sixty_known_answers_come_out_of_circuits() -> None:
    print(f"{len(READINGS)} of {len(KNOWN)}: {sorted(READINGS)}")
    assert len(READINGS) >= 60
