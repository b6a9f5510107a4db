"""What a cold device costs at the wall: refrigerators as a fraction of Carnot.

Lifting heat Q from T_c to T_h takes the work Q (T_h/T_c - 1) / efficiency (Carnot 1824), and the
wall pays heat and work together. With an ideal refrigerator a bit erased at T_c costs
k_B T_c ln 2 x T_h/T_c = k_B T_h ln 2: the cold buys nothing. A real one makes it dearer. What cold
can save is everything that is not Landauer's: leakage, resistance, the energy of a signal.
"""

from typing import Final

from revsim.errors import InputError
from revsim.physics.landauer import check_temperature
from revsim.physics.quantities import not_negative, positive, within

WALL_K: Final = 300.0
"""Where refrigerators leave their heat unless said otherwise."""

EFFICIENCIES: Final = (1e-9, 1.0)
"""Least and greatest fraction of Carnot that is taken: 1 is ideal, the least far below any
refrigerator's."""


def specific_power(cold_k: float, efficiency: float = 1.0, wall_k: float = WALL_K) -> float:
    """Watts at the wall per watt lifted from `cold_k`: (T_h/T_c - 1) / efficiency.

    efficiency: fraction of Carnot, in `EFFICIENCIES`. Raises InputError outside, and for a
    device that is warmer than the wall.

    >>> round(specific_power(4.2), 6)
    70.428571
    """
    check_temperature(cold_k)
    check_temperature(wall_k)
    if cold_k > wall_k:
        raise InputError(
            f"a refrigerator cools: the device's {cold_k:g} K must not be above the wall's "
            f"{wall_k:g} K"
        )
    fraction = within(efficiency, EFFICIENCIES, "efficiency, a fraction of Carnot,")
    return (wall_k / cold_k - 1) / fraction


def check_refrigerator(cold_k: float, efficiency: float | None) -> None:
    """Refuse a temperature that is none, and a refrigerator that could not hold it (None: none).

    >>> check_refrigerator(4.2, 0.1)
    """
    check_temperature(cold_k)
    if efficiency is not None:
        specific_power(cold_k, efficiency)


def wall_energy(
    cold_j: float, cold_k: float, efficiency: float = 1.0, wall_k: float = WALL_K
) -> float:
    """Joules at the wall for `cold_j` of heat at `cold_k`: the heat itself and the work to lift it.

    >>> from revsim.physics.landauer import energy_j
    >>> [f"{wall_energy(energy_j(1, 4.2), 4.2, e):.6e}" for e in (0.155, 1.0)]
    ['1.830332e-20', '2.870979e-21']
    """
    return not_negative(cold_j, "heat") * (1 + specific_power(cold_k, efficiency, wall_k))


def green_efficiency(lift_kw: float, cold_k: float = 4.5) -> float:
    """Fraction of Carnot that a helium plant of that size reaches: 0.155 R^0.23, R in kW at 4.5 K.

    M. A. Green, "The cost of coolers for cooling superconducting devices at 4.2, 20, 40 and 77 K",
    2015, Eq. 2 (read in a text that quotes it). Fitted for 0.01 to 35 kW at 4 to 5 K; anything
    else raises InputError.

    >>> green_efficiency(1.0), round(green_efficiency(10.0), 6)
    (0.155, 0.263228)
    """
    if not 4 <= cold_k <= 5:
        raise InputError(f"Green's size law is for 4 to 5 K, not {cold_k:g} K")
    if not 0.01 <= positive(lift_kw, "lift", "kW") <= 35:
        raise InputError(f"Green's size law is fitted for 0.01 to 35 kW, not {lift_kw:g} kW")
    return float(0.155 * lift_kw**0.23)
