"""Functions of a number in fixed point, bit for bit as gemmlowp's fixedpoint.h, on plain integers.

Qm.n is an integer of m integer and n fractional bits, 31 together. TensorFlow Lite's reference
kernels compute exp, logistic and tanh of quantised numbers with these; of 8-bit numbers they
become tables.
"""

from typing import Final

ONE: Final = (1 << 31) - 1
"""1 in Q0.31, as near as 32 bits come."""
UNIT: Final = 1 << 29
"""1 in Q2.29."""


def high_product(a: int, b: int) -> int:
    """a * b / 2^31, nearest integer, ties up: SaturatingRoundingDoublingHighMul."""
    return (a * b + (1 << 30)) >> 31


def rounded(a: int, places: int) -> int:
    """a / 2^places, nearest integer, ties away from 0: RoundingDivideByPOT."""
    return (a + (1 << (places - 1)) - (a < 0)) >> places


def exponential(a: int, integer_bits: int) -> int:
    """exp of a <= 0 in Q(integer_bits), in Q0.31: exp_on_negative_values.

    >>> round(exponential(-1 << 26, 5) / 2**31, 6), exponential(0, 5) == ONE
    (0.36788, True)
    """
    if a == 0:
        return ONE
    quarter = 1 << (29 - integer_bits)
    remainder = (a & (quarter - 1)) - quarter
    result = _near_zero(remainder << integer_bits)
    rest = remainder - a
    factors = 1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242
    for place, factor in enumerate(factors):  # exp(-2^(place - 2)) in Q0.31
        if rest >> (29 - integer_bits + place) & 1:
            result = high_product(result, factor)
    return result


def _near_zero(a: int) -> int:
    """exp(a / 2^31) for -1/4 <= a / 2^31 < 0: a Taylor series of four terms around -1/8."""
    centre, third = 1895147668, 715827883  # exp(-1/8), 1/3
    x = a + (1 << 28)
    square = high_product(x, x)
    quarter = rounded(high_product(square, square), 2)
    tail = rounded(high_product(quarter + high_product(square, x), third) + square, 1)
    return centre + high_product(centre, x + tail)


def _inverse(a: int) -> int:
    """2 / (1 + a) in Q2.29 for a in Q0.31, 0 <= a: three Newton steps from 48/17 - 32/17 d."""
    half = (a + ONE + 1) >> 1
    x = 1515870810 + high_product(half, -1010580540)
    for _ in range(3):
        x += 4 * high_product(x, UNIT - high_product(half, x))
    return x


def logistic(a: int, integer_bits: int) -> int:
    """1 / (1 + exp(-a)) in Q0.31 for a in Q(integer_bits).

    >>> logistic(0, 4) / 2**31, round(logistic(1 << 27, 4) / 2**31, 6)
    (0.5, 0.731059)
    """
    if a == 0:
        return 1 << 30
    above = min(_inverse(exponential(-abs(a), integer_bits)) << 1, ONE)
    return above if a > 0 else ONE - above


def tanh(a: int, integer_bits: int) -> int:
    """tanh in Q0.31 for a in Q(integer_bits).

    >>> tanh(0, 4), round(tanh(-1 << 27, 4) / 2**31, 6)
    (0, -0.761594)
    """
    if a == 0:
        return 0
    # exp(-2 |a|): the same bits, read with one integer bit more.
    above = min((_inverse(exponential(-abs(a), integer_bits + 1)) - UNIT) << 2, ONE)
    return above if a > 0 else -above
