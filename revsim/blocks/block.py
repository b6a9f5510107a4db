"""What a block promises, said twice: as integers and as a price, both apart from its gates.

Every file of this package ends with a tuple `BLOCKS` of these promises; `registry.py` joins them,
and one parametrised test holds the gates of each to its promise.
"""

from collections.abc import Callable
from dataclasses import dataclass

from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Port
from revsim.circuit.registers import Integers

Values = dict[str, Integers]
"""One unsigned integer array per port (int64 [rows]), whatever the port's bits mean."""

Costs = dict[str, int]


@dataclass(frozen=True)
class Block:
    """A construction with what it means and what it costs, at every width.

    `build(width)` makes the definition. `meaning(width, values)` maps the values of all ports
    before to those of all ports after; ports with `zero_in` are 0 before. `cost(width)` promises
    exact native counts (those of `price`) and an upper bound on `ancillas`.
    `least_width` is the smallest width that makes sense, `most_width` the largest that is promised.
    """

    name: str
    summary: str
    build: Callable[[int], Definition]
    meaning: Callable[[int, Values], Values]
    cost: Callable[[int], Costs]
    source: str
    least_width: int = 0
    most_width: int = 64


def define(name: str, body: Callable[..., object], *ports: Port) -> Definition:
    """The definition whose ports are handed to `body(builder, *registers)` in order.

    >>> flip = define("flip", lambda b, y: b.x(y), Port("y", 3))
    >>> flip.port_wires, flip.locals
    (3, 0)
    """
    b = Builder(name)
    body(b, *[b.port(port.name, port.width, zero=port.zero_in) for port in ports])
    return b.build()


def price(
    toffoli: int = 0,
    cnot: int = 0,
    x: int = 0,
    fredkin: int = 0,
    swap: int = 0,
    ancillas: int = 0,
) -> Costs:
    """A promise in which every native gate that is not named is absent."""
    return {
        "toffoli": toffoli,
        "cnot": cnot,
        "x": x,
        "fredkin": fredkin,
        "swap": swap,
        "ancillas": ancillas,
    }


def total(*costs: Costs) -> Costs:
    """The sum of prices; wires add up too, since a builder never hands out a local twice."""
    return {key: sum(cost[key] for cost in costs) for key in price()}


def mask(width: int) -> int:
    """The largest unsigned integer of `width` bits."""
    return (1 << width) - 1


def trailing_zeros(constant: int) -> int:
    """How often 2 divides a positive integer."""
    return (constant & -constant).bit_length() - 1


def ones(constant: int) -> list[int]:
    """Positions of the ones of a non-negative integer, lowest first.

    >>> ones(0b1011)
    [0, 1, 3]
    """
    return [k for k in range(constant.bit_length()) if constant >> k & 1]
