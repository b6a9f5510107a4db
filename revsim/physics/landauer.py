"""k_B T ln 2: from bits to joules and to negentropy.

`k_B` is exact since the 2019 redefinition of the SI (BIPM, The International System of Units,
9th edition). Negentropy (J/K) does not depend on the temperature; energy (J) does.
"""

import math
from typing import Final

from revsim.errors import InputError
from revsim.physics.quantities import not_negative, within

BOLTZMANN: Final = 1.380649e-23
"""Boltzmann constant in J/K, exact."""

ELEMENTARY_CHARGE: Final = 1.602176634e-19
"""Elementary charge in C, exact: an electronvolt in joules."""

KELVIN: Final = (1e-12, 1e12)
"""Least and greatest temperature in K that are taken: far colder and far hotter than any device,
and narrow enough that no energy of a finite number of bits leaves the floating-point range."""

CROSSING: Final = 0.7729078047811322
"""Activity p at which the entropy h2(p) of a neuron equals p; above it, p is the larger."""


def energy_j(bits: float, temperature_k: float = 300.0) -> float:
    """Least heat in joules for erasing `bits` at `temperature_k`: bits k_B T ln 2 (Landauer 1961).

    bits: 0 or more; temperature_k: in `KELVIN`; InputError outside. A difference of bits, which may
    be negative, is put into joules by `in_unit`.

    >>> f"{energy_j(1.0):.6e}"
    '2.870979e-21'
    """
    return in_unit(not_negative(bits, "number of bits"), "J", temperature_k)


def negentropy_j_per_k(bits: float) -> float:
    """Least negentropy used for erasing `bits`, in J/K: bits k_B ln 2.

    >>> f"{negentropy_j_per_k(1.0):.6e}"
    '9.569930e-24'
    """
    return bits * BOLTZMANN * math.log(2)


def check_temperature(temperature_k: float) -> float:
    """The temperature, or an InputError where it does not lie in `KELVIN`.

    >>> check_temperature(4.2)
    4.2
    """
    return within(temperature_k, KELVIN, "temperature", "K")


def binary_entropy(p: float) -> float:
    """h2(p) in bits; 0 at p = 0 and 1.

    >>> binary_entropy(0.5), binary_entropy(0.0)
    (1.0, 0.0)
    """
    if p <= 0.0 or p >= 1.0:
        return 0.0
    return -(p * math.log2(p) + (1 - p) * math.log2(1 - p))


UNITS: Final = ("bits", "nats", "k_B", "J")


def in_unit(bits: float, unit: str, temperature_k: float = 300.0) -> float:
    """Bits in another unit: nats (= k_B, entropy in units of Boltzmann's constant) or joules.

    bits: of either sign, since differences are printed too.
    """
    if unit == "bits":
        return bits
    if unit in ("nats", "k_B"):
        return bits * math.log(2)
    if unit == "J":
        return bits * BOLTZMANN * check_temperature(temperature_k) * math.log(2)
    raise InputError(f"unknown unit {unit!r}; choose one of {', '.join(UNITS)}")
