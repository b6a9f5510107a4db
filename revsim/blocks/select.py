"""Nonlinear functions that choose by a sign: relu and threshold, each in place or as a copy.

In place, a Fredkin swaps the value with what it is to become, so that nothing is lost: what was
swapped out lies in a garbage register that the caller names, and only a schedule may erase it. A
copy leaves its argument alone and has no garbage. T = Toffoli, C = CNOT, N = NOT, F = Fredkin.
"""

import numpy as np

from revsim.blocks.block import Block, Values, define, mask, price
from revsim.blocks.check import distinct, not_empty, single, width_is
from revsim.circuit.builder import Builder, WireLike
from revsim.circuit.definition import Port
from revsim.circuit.registers import Wires


def relu_in_place(b: Builder, z: Wires, garbage: Wires) -> None:
    """The n-1 low bits of z become relu(z); z is n-bit two's complement, its sign bit is kept.

    `garbage`: n-1 wires that hold 0; they get the low bits of a negative z and stay 0 otherwise.
    n-1 F, no ancilla. After it, sign and garbage are what is left over.

    >>> from revsim.simulator.apply import apply
    >>> relu = define("relu", relu_in_place, Port("z", 4), Port("garbage", 3, zero_in=True))
    >>> {k: v.tolist() for k, v in apply(relu, {"z": [5, 16 - 3]}).items()}  # 13 = sign 8, rest 5
    {'z': [5, 8], 'garbage': [0, 5]}
    """
    n = not_empty(b, "relu_in_place", "z", z)
    width_is(b, "relu_in_place", "garbage", garbage, n - 1)
    distinct(b, "relu_in_place", z, garbage)
    b.cswap(z[-1:], z[:-1], garbage)


def relu_copy(b: Builder, z: Wires, y: Wires) -> None:
    """y ^= relu(z); z is n-bit two's complement and kept, y has n-1 wires: n-1 T, 2 N, no ancilla.

    y may be shorter where the top bits of relu(z) are known to be 0; each wire less saves a T.
    """
    n = not_empty(b, "relu_copy", "z", z)
    width_is(b, "relu_copy", "y", y, *range(n))
    distinct(b, "relu_copy", z, y)
    start = b.mark()
    b.x(z[-1:])
    stop = b.mark()
    b.ccx(z[-1:], z[: len(y)], y)
    b.undo(start, stop)


def threshold_copy(b: Builder, z: Wires, y: WireLike) -> None:
    """y ^= (z >= 0); z is two's complement and kept: one C, one N."""
    not_empty(b, "threshold_copy", "z", z)
    out = single(b, "threshold_copy", "y", y)
    distinct(b, "threshold_copy", z, out)
    b.cx(z[-1:], out)
    b.x(out)


def threshold_in_place(b: Builder, z: Wires) -> None:
    """The top bit of z (two's complement) becomes z >= 0: one N. The lower bits are left over."""
    not_empty(b, "threshold_in_place", "z", z)
    b.x(z[-1:])


# --- promises -----------------------------------------------------------------------------------


def _relu(n: int, v: Values) -> Values:
    sign = v["z"] >> (n - 1)
    return {"z": np.where(sign, 1 << (n - 1), v["z"]), "garbage": sign * (v["z"] & mask(n - 1))}


BLOCKS = (
    Block(
        "relu_in_place",
        "low bits of z = relu(z), sign kept, garbage = low bits of a negative z",
        lambda n: define("relu", relu_in_place, Port("z", n), Port("garbage", n - 1, zero_in=True)),
        _relu,
        lambda n: price(fredkin=n - 1),
        "one Fredkin per bit, controlled by the sign",
        least_width=1,
    ),
    Block(
        "relu_copy",
        "y ^= relu(z)",
        lambda n: define("relu", relu_copy, Port("z", n), Port("y", n - 1)),
        lambda n, v: {**v, "y": v["y"] ^ np.where(v["z"] >> (n - 1), 0, v["z"])},
        lambda n: price(toffoli=n - 1, x=2),
        "one Toffoli per bit, controlled by the complement of the sign",
        least_width=1,
    ),
    Block(
        "threshold_copy",
        "y ^= z >= 0",
        lambda n: define("threshold", threshold_copy, Port("z", n), Port("y", 1)),
        lambda n, v: {**v, "y": v["y"] ^ (v["z"] >> (n - 1)) ^ 1},
        lambda n: price(cnot=1, x=1),
        "the sign bit",
        least_width=1,
    ),
    Block(
        "threshold_in_place",
        "top bit of z = z >= 0",
        lambda n: define("threshold", threshold_in_place, Port("z", n)),
        lambda n, v: {"z": (v["z"] + (1 << (n - 1))) & mask(n)},
        lambda n: price(x=1),
        "the sign bit",
        least_width=1,
    ),
)
