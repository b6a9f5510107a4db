"""Cell programs of ONNX Runtime's quantised elementwise operators, found in exact integers.

QLinearAdd is defined in float32 arithmetic, rounded half to even. For given scales it is a function
of two bytes, and `affine_pair` finds whole numbers with (m1 a + m2 b + c) >> s equal to it on every
pair, saturated ends left free; the proof is that all pairs are compared.
"""

from dataclasses import dataclass

import numpy as np

from revsim.errors import InputError
from revsim.network.operators import Clamp
from revsim.network.sums import Integers
from revsim.network.words import Ops, V, Word


@dataclass(frozen=True)
class AffinePair:
    """out = clamp(((t + constant + parity) >> shift) + zero, low, high), t = first a + second b.

    `parity` is, where `even`, bit `shift` of t + bias (half to even: `constant` is then `bias` and
    one less than the half); elsewhere 0.
    """

    first: int
    second: int
    constant: int
    shift: int
    zero: int
    low: int
    high: int
    even: bool = False
    bias: int = 0

    def __call__(self, ops: Ops[V], a: Word[V], b: Word[V]) -> tuple[Word[V], ...]:
        """One word in low..high."""
        total = ops.sum([(self.first, a), (self.second, b)], self.constant)
        if self.even:
            centred = ops.sum([(self.first, a), (self.second, b)], self.bias)
            total = ops.add(total, ops.bit(centred, self.shift))
        quotient = ops.sum([(1, ops.shift_right(total, self.shift))], self.zero)
        return (ops.single(Clamp(self.low, self.high), quotient),)


def linear_sum(
    scales: tuple[float, float, float], zeros: tuple[int, int, int], low: int, high: int
) -> AffinePair:
    """QLinearAdd; `scales` (float32) and `zeros` of first, second, output; all in low..high.

    out = saturate(rint((a - za) * sa / sy + (b - zb) * sb / sy) + zy).

    >>> from revsim.network.cells import run_cells
    >>> program = linear_sum((0.5, 0.25, 0.5), (128, 128, 128), 0, 255)
    >>> run_cells(program, [(0, 255)] * 2, np.array([[130, 129], [130, 131]])).ravel().tolist()
    [130, 132]
    """
    first, second, out = (np.float32(s) for s in scales)
    ratios = first / out, second / out
    a, b = _grid(low, high)
    sums = (a - zeros[0]).astype(np.float32) * ratios[0]
    sums = sums + (b - zeros[1]).astype(np.float32) * ratios[1]
    wanted = np.clip(np.rint(sums).astype(np.int64) + zeros[2], low, high)
    return affine_pair(wanted, (float(ratios[0]), float(ratios[1])), zeros, low, high)


def affine_pair(
    wanted: Integers,
    slopes: tuple[float, float],
    zeros: tuple[int, int, int],
    low: int,
    high: int,
) -> AffinePair:
    """The program that equals `wanted` int64 [n, n] on all pairs of low..high, of these slopes.

    Entries equal to low or high count as saturated. Tried first are the shortest multipliers
    without a tie; then the exact slopes with ties to even. Raises InputError if none is found.
    """
    a, b = _grid(low, high)
    for shift in range(0, 32):
        centre = [round(slope * 2.0**shift) for slope in slopes]
        near = [(centre[0] + i, centre[1] + k) for i in (0, -1, 1) for k in (0, -1, 1)]
        for m in sorted(near, key=lambda m: _digits(m[0]) + _digits(m[1])):
            total = m[0] * a + m[1] * b
            least = int(((wanted << shift) - total)[wanted > low].max(initial=-(1 << 62)))
            most = int((((wanted + 1) << shift) - 1 - total)[wanted < high].min(initial=1 << 62))
            if least <= most:
                constant = _roundest(least, most)
                return AffinePair(m[0], m[1], constant, shift, 0, low, high)
    for shift in range(1, 40):
        exact = [slope * 2.0**shift for slope in slopes]
        if all(e.is_integer() for e in exact):
            first, second = (int(e) for e in exact)
            bias = -first * zeros[0] - second * zeros[1]
            constant = bias + (1 << (shift - 1)) - 1
            total = first * a + second * b
            odd = ((total + bias) >> shift) & 1
            found = ((total + constant + odd) >> shift) + zeros[2]
            if np.array_equal(np.clip(found, low, high), wanted):
                return AffinePair(first, second, constant, shift, zeros[2], low, high, True, bias)
    raise InputError(
        f"quantised sum: no multiply-and-shift equals the float32 rule for the slopes {slopes}"
    )


def _grid(low: int, high: int) -> tuple[Integers, Integers]:
    line = np.arange(low, high + 1, dtype=np.int64)
    return line[:, None], line[None, :]


def _digits(number: int) -> int:
    """Digits of the shortest signed form."""
    number = abs(number)
    return ((3 * number) ^ number).bit_count()


def _roundest(low: int, high: int) -> int:
    """The number in low..high with the most trailing zeros."""
    zeros = 0
    while zeros < 62 and (high >> (zeros + 1)) << (zeros + 1) >= low:
        zeros += 1
    return (high >> zeros) << zeros


@dataclass(frozen=True)
class ClampedSum:
    """clamp(constant + sum of weights * words, low, high): saturating addition."""

    weights: tuple[int, ...]
    constant: int
    low: int
    high: int

    def __call__(self, ops: Ops[V], *words: Word[V]) -> tuple[Word[V], ...]:
        """One word in low..high."""
        total = ops.sum(list(zip(self.weights, words, strict=True)), self.constant)
        return (ops.single(Clamp(self.low, self.high), total),)
