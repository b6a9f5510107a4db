"""What it costs to charge a node slowly: ramps, sine supplies, leakage, residues, resonators.

A node of capacitance C behind a resistance R costs C V^2 / 2 when it is switched abruptly and
about (RC/t) C V^2 when its supply takes the time t to rise, so that slow logic can be cheap. What
speed cannot remove is leakage, which is paid for as long as an operation lasts.
Constant R and C, no wires: orders of magnitude.
"""

import math

from revsim.errors import InputError
from revsim.physics.landauer import BOLTZMANN, ELEMENTARY_CHARGE, check_temperature
from revsim.physics.quantities import not_negative, positive


def abrupt_energy(capacitance_f: float, voltage_v: float) -> float:
    """Heat in J of one abrupt transition, C V^2 / 2, whatever the resistance.

    >>> abrupt_energy(1e-15, 1.0)
    5e-16
    """
    return (
        positive(capacitance_f, "capacitance", "F") * positive(voltage_v, "voltage", "V") ** 2 / 2
    )


def ramp_energy(
    resistance_ohm: float, capacitance_f: float, voltage_v: float, ramp_s: float
) -> float:
    """Heat in J of one transition whose supply rises linearly in `ramp_s` and then holds.

    C V^2 x (1 - x (1 - exp(-1/x))) with x = RC/t: (RC/t) C V^2 for slow ramps, C V^2 / 2 for fast
    ones. Athas, Svensson, Koller, Tzartzanis, Chou, IEEE Trans. VLSI Systems 2, 398 (1994), by way
    of implementations that credit it; exact by quadrature.

    >>> f"{ramp_energy(1e4, 1e-15, 1.0, 1e-7):.6e}"
    '9.999000e-20'
    """
    full = 2 * abrupt_energy(capacitance_f, voltage_v)
    x = positive(resistance_ohm, "resistance", "ohm") * capacitance_f
    x /= positive(ramp_s, "ramp time", "s")
    if x > 100:  # the closed form subtracts nearly equal numbers here
        return full * sum((-1.0) ** n * x ** (2 - n) / math.factorial(n) for n in range(2, 9))
    return full * x * (1 + x * math.expm1(-1 / x))


def sine_cycle_energy(
    resistance_ohm: float, capacitance_f: float, voltage_v: float, period_s: float
) -> float:
    """Heat in J per period of a sinusoidal supply between 0 and V.

    (pi/4) w RC C V^2 / (1 + (w RC)^2), w = 2 pi / period: pi^2 / 8 = 1.23 times a trapezoid with
    two ramps of half a period. Derived from the power in the resistance.

    >>> f"{sine_cycle_energy(1e4, 1e-15, 1.0, 1e-6):.6e}"
    '4.934802e-20'
    """
    full = 2 * abrupt_energy(capacitance_f, voltage_v)
    x = positive(resistance_ohm, "resistance", "ohm") * capacitance_f
    x *= 2 * math.pi / positive(period_s, "period", "s")
    return math.pi / 4 * x * full / (1 + x * x)


def leakage_optimum(
    resistance_ohm: float,
    capacitance_f: float,
    voltage_v: float,
    leakage_w: float,
    transitions: int = 1,
    ticks: int = 1,
) -> tuple[float, float]:
    """Ramp time in s and energy in J per cycle where slowness and leakage balance.

    A cycle of n ticks with m transitions costs m (RC/t) C V^2 + P n t; least at
    t = C V sqrt(m R / (n P)), where it is 2 C V sqrt(m n R P). 2LAL has m = 2, n = 4, S2LAL
    m = 2, n = 8. Raises InputError where t is below 10 RC: the slow-ramp law does not hold there.

    >>> [f"{v:.4e}" for v in leakage_optimum(1e4, 1e-15, 1.0, 1e-12, 2, 8)]
    ['5.0000e-08', '8.0000e-19']
    """
    charge = positive(capacitance_f, "capacitance", "F") * positive(voltage_v, "voltage", "V")
    resistance = positive(resistance_ohm, "resistance", "ohm")
    leakage = positive(leakage_w, "leakage power", "W")
    m = positive(transitions, "number of transitions per cycle")
    n = positive(ticks, "number of ticks per cycle")
    ramp = charge * math.sqrt(m * resistance / (n * leakage))
    if ramp < 10 * resistance * capacitance_f:
        raise InputError(
            f"with {leakage_w:g} W of leakage the optimum ramp of {ramp:.3g} s is below 10 RC = "
            f"{10 * resistance * capacitance_f:.3g} s, where slow-ramp formulas fail: lower the "
            "leakage power or the resistance"
        )
    return ramp, 2 * charge * math.sqrt(m * n * resistance * leakage)


def threshold_residue(capacitance_f: float, threshold_v: float, factor: float = 0.5) -> float:
    """Heat in J per cycle that diode-like recovery leaves behind: factor x C x V_th^2.

    Semi-adiabatic families (ECRL, PFAL) pay it at any speed. Sources differ on the factor: 1/2 in
    textbooks (recalled), 1 in technology records of 2026 (Thornton, Renesis). Fully adiabatic
    families have none.

    >>> f"{threshold_residue(1e-15, 0.3):.3e}"
    '4.500e-17'
    """
    positive(capacitance_f, "capacitance", "F")
    positive(threshold_v, "threshold voltage", "V")
    positive(factor, "residue factor")
    return factor * capacitance_f * threshold_v**2


def resonator_loss(stored_j: float, quality: float) -> float:
    """Heat in J per cycle of the resonator that supplies the clock: 2 pi E / Q.

    A supply that swings between 0 and V as a sine stores C V^2 / 8; a full C V^2 / 2 circulates
    only if all of it does. With a loaded Q the resistance of the logic is in it already: do not
    add the ramps again (`operation_energy(loaded=True)`). The definition of Q.

    >>> f"{resonator_loss(5e-16, 100):.6e}"
    '3.141593e-17'
    """
    stored = positive(stored_j, "stored energy", "J")
    return 2 * math.pi * stored / positive(quality, "quality factor")


def leakage_power(
    room_w: float, temperature_k: float, threshold_v: float = 0.35, slope: float = 1.5
) -> float:
    """Subthreshold leakage in W at a temperature, from its value at 300 K.

    (T/300)^2 exp((q V_th / (slope k_B)) (1/300 - 1/T)), the textbook form for a transistor that is
    off (recalled, not re-read). Threshold taken as constant; tunnelling, which does not freeze
    out, is left aside.

    >>> f"{leakage_power(1e-10, 300.0):.1e}", f"{leakage_power(1e-10, 77.0):.1e}"
    ('1.0e-10', '2.9e-23')
    """
    not_negative(room_w, "leakage power")
    check_temperature(temperature_k)
    barrier = positive(threshold_v, "threshold voltage", "V") / positive(slope, "slope factor")
    inverse = 1 / 300 - 1 / temperature_k
    exponent = ELEMENTARY_CHARGE * barrier / BOLTZMANN * inverse
    return room_w * (temperature_k / 300) ** 2 * math.exp(min(exponent, 700.0))
