"""What must hold of a number before a formula of physics may use it."""

import math

from revsim.errors import InputError


def positive(value: float, what: str, unit: str = "") -> float:
    """The value, or an InputError where it is not above 0 and finite.

    >>> positive(1e-15, "capacitance", "F")
    1e-15
    """
    if not math.isfinite(value) or value <= 0:
        raise InputError(f"the {what} must be above 0{f' {unit}' if unit else ''}, got {value:g}")
    return value


def not_negative(value: float, what: str) -> float:
    """The value, or an InputError where it is negative or not finite.

    >>> not_negative(0.0, "leakage power")
    0.0
    """
    if not math.isfinite(value) or value < 0:
        raise InputError(f"the {what} must be 0 or more, got {value:g}")
    return value


def share(value: float, what: str) -> float:
    """The value, or an InputError where it does not lie in 0..1, 0 excluded.

    >>> share(0.1, "efficiency")
    0.1
    """
    if not 0 < value <= 1:
        raise InputError(f"the {what} must be above 0 and at most 1, got {value:g}")
    return value
