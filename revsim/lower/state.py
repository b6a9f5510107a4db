"""A neuron's one-bit state: active (its value is at least 1) or not."""

from functools import lru_cache

from revsim.blocks.compare import at_least_constant
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.registers import Encoding

BIT = Encoding(0, (1,))
"""A register of one bit."""


@lru_cache(maxsize=256)
def state_definition(encoding: Encoding) -> Definition:
    """value, state -> value, state ^ (value >= 1), for a value held in the given encoding.

    Ports `value` (any width, signed or not) and `state` (one bit that arrives as 0). A comparison
    with a constant: at most 2(n-1)-1 Toffolis for n bits, everything undone.

    >>> from revsim.simulator.apply import apply
    >>> signed = state_definition(Encoding.twos_complement(3))
    >>> apply(signed, {"value": [7, 0, 3], "state": 0})["state"].tolist()  # -1, 0, 3
    [0, 0, 1]
    """
    b = Builder(f"state of {encoding.width} bits")
    value = b.port("value", encoding.width)
    state = b.port("state", 1, zero=True)
    step = abs(encoding.weights[0]) if encoding.weights else 1
    least = -((encoding.offset - 1) // step)  # the least raw value that stands for 1 or more
    if encoding.weights and encoding.weights[-1] < 0:
        top = value[-1:]
        b.x(top)  # two's complement + 2^(n-1) is unsigned
        at_least_constant(b, value, least + (1 << (encoding.width - 1)), state)
        b.x(top)
    else:
        at_least_constant(b, value, least, state)
    return b.build()
