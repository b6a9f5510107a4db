"""Registers: named runs of wires and the integers they stand for.

Index 0 is the least significant bit; a register is printed high bit first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Wires = npt.NDArray[np.int32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Encoding:
    """How the bits of a register make an integer: value = offset + sum of weights[k] * bit k.

    Unsigned with an offset covers every declared range; two's complement is the same form with a
    negative top weight, so that no later stage needs to know which of the two it sees.

    >>> Encoding.unsigned(-3, 9).weights, Encoding.unsigned(-3, 9).offset
    ((1, 2, 4, 8), -3)
    >>> Encoding.twos_complement(3).weights
    (1, 2, -4)
    """

    offset: int
    weights: tuple[int, ...]

    @classmethod
    def unsigned(cls, low: int, high: int) -> "Encoding":
        """The shortest encoding of [low, high] as an unsigned number plus the offset `low`."""
        return cls(low, tuple(1 << k for k in range((high - low).bit_length())))

    @classmethod
    def twos_complement(cls, width: int) -> "Encoding":
        """`width` bits, top bit negative."""
        return cls(0, (*(1 << k for k in range(width - 1)), -(1 << (width - 1))))

    @classmethod
    def natural(cls, low: int, high: int) -> "Encoding":
        """Two's complement where [low, high] is exactly its range, else unsigned with offset."""
        width = (high - low).bit_length()
        if width and low == -(1 << (width - 1)) and high == (1 << (width - 1)) - 1:
            return cls.twos_complement(width)
        return cls.unsigned(low, high)

    @classmethod
    def signed(cls, low: int, high: int, offset: int = 0) -> "Encoding":
        """Two's complement wide enough for [low, high] - offset, so that the top bit is the sign.

        >>> Encoding.signed(-3, 4).weights
        (1, 2, 4, -8)
        """
        bits = max((v if v >= 0 else ~v).bit_length() for v in (low - offset, high - offset))
        return cls(offset, cls.twos_complement(bits + 1).weights)

    @property
    def width(self) -> int:
        """Number of bits."""
        return len(self.weights)

    @property
    def low(self) -> int:
        """Least integer that the bits can express."""
        return self.offset + sum(min(w, 0) for w in self.weights)

    @property
    def high(self) -> int:
        """Greatest integer that the bits can express."""
        return self.offset + sum(max(w, 0) for w in self.weights)

    def encode(self, values: Integers) -> npt.NDArray[np.uint64]:
        """Bits of each value as an unsigned integer (bit k of the result = wire k).

        Works for the weights made here (powers of two times one common step, top one negative or
        not), which is what every register of a circuit has.
        """
        if not self.weights:
            return np.zeros(np.shape(values), dtype=np.uint64)
        step = abs(self.weights[0])
        raw = (np.asarray(values, dtype=np.int64) - self.offset) // step
        return (raw & np.int64((1 << self.width) - 1)).astype(np.uint64)

    def decode(self, raw: npt.NDArray[np.uint64]) -> Integers:
        """Inverse of `encode`."""
        values = np.full(np.shape(raw), self.offset, dtype=np.int64)
        for k, weight in enumerate(self.weights):
            values += np.int64(weight) * ((raw >> np.uint64(k)) & np.uint64(1)).astype(np.int64)
        return values


@dataclass(frozen=True, eq=False)
class Register:
    """A named run of wires (int32, index 0 least significant) and what its bits mean."""

    name: str
    wires: Wires
    encoding: Encoding = field(default_factory=lambda: Encoding(0, ()))

    def __post_init__(self) -> None:
        if not self.encoding.weights and len(self.wires):
            width = len(self.wires)
            object.__setattr__(self, "encoding", Encoding(0, tuple(1 << k for k in range(width))))


def wires(values: Sequence[int] | Wires | int) -> Wires:
    """One-dimensional int32 array of wires from an int, a sequence or an array."""
    return np.atleast_1d(np.asarray(values, dtype=np.int32))
