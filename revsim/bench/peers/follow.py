"""The gates of the lists as ^, & and ~ of values of any kind: signals, names, literals."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from revsim.circuit.definition import Table
from revsim.circuit.gates import CCX, CSWAP, CX, GATES, OP, A, B, C, X


class Value(Protocol):
    """What stands on a wire."""

    def __xor__(self: "V", other: "V", /) -> "V": ...

    def __and__(self: "V", other: "V", /) -> "V": ...

    def __invert__(self: "V") -> "V": ...


V = TypeVar("V", bound=Value)


def follow(table: Table, values: Sequence[V]) -> list[V]:
    """What the wires hold after the gates, from what they hold before.

    >>> import numpy as np
    >>> follow(np.array([[2, 0, 1, 2, 0, 0]]), [True, True, False])  # a Toffoli
    [True, True, True]
    """
    on = list(values)
    for row in table.tolist():
        opcode, a, b, c = row[OP], row[A], row[B], row[C]
        if opcode == X:
            on[c] = ~on[c]
        elif opcode == CX:
            on[c] = on[c] ^ on[a]
        elif opcode == CCX:
            on[c] = on[c] ^ (on[a] & on[b])
        elif opcode == CSWAP:
            change = on[a] & (on[b] ^ on[c])
            on[b], on[c] = on[b] ^ change, on[c] ^ change
        else:
            raise ValueError(f"{GATES[opcode].name} is in none of these lists")
    return on
