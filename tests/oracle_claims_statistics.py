"""Known answers 210 to 219: estimators, what a sample shows on average, how large it must be."""

from collections.abc import Callable

from revsim.ledger.estimators import (
    ceiling,
    chao_shen,
    expected_miller_madow,
    expected_plug_in,
    grassberger,
    miller_madow,
    nsb,
    plug_in,
    rows_needed,
)
from revsim.ledger.intervals import bit_standard_error

READINGS: dict[int, Callable[[], float]] = {
    210: lambda: plug_in([10, 5, 3, 2]),
    211: lambda: miller_madow([10, 5, 3, 2]),
    212: lambda: chao_shen([10, 5, 3, 1, 1]),
    213: lambda: grassberger([10, 5, 3, 1, 1]),
    214: lambda: nsb([10, 5, 3, 1, 1], 8),
    215: lambda: expected_plug_in([0.5, 0.5], 10),
    216: lambda: expected_miller_madow([0.5, 0.5], 10),
    217: lambda: bit_standard_error(0.1, 10_000),
    218: lambda: rows_needed(256),
    219: lambda: ceiling(10_000),
}
