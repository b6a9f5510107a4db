"""What must hold of a number before a formula of physics may use it."""

import math

from revsim.errors import InputError


def finite(value: float, what: str) -> bool:
    """Whether a number is finite; an InputError where it is no number, or too long for a float.

    >>> finite(1e-15, "capacitance"), finite(math.inf, "capacitance")
    (True, False)
    """
    try:
        return math.isfinite(value)
    except TypeError as error:
        raise InputError(f"the {what} must be a number, got {value!r:.30}") from error
    except OverflowError as error:
        raise InputError(f"the {what} must be a number below 1e308") from error


def positive(value: float, what: str, unit: str = "") -> float:
    """The value, or an InputError where it is not above 0 and finite.

    >>> positive(1e-15, "capacitance", "F")
    1e-15
    """
    if not finite(value, what) or value <= 0:
        raise InputError(f"the {what} must be above 0{f' {unit}' if unit else ''}, got {value:g}")
    return value


def not_negative(value: float, what: str) -> float:
    """The value, or an InputError where it is negative or not finite.

    >>> not_negative(0.0, "leakage power")
    0.0
    """
    if not finite(value, what) or value < 0:
        raise InputError(f"the {what} must be 0 or more, got {value:g}")
    return value


def share(value: float, what: str) -> float:
    """The value, or an InputError where it does not lie in 0..1, 0 excluded.

    >>> share(0.1, "efficiency")
    0.1
    """
    if not finite(value, what) or not 0 < value <= 1:
        raise InputError(f"the {what} must be above 0 and at most 1, got {value:g}")
    return value


def within(value: float, limits: tuple[float, float], what: str, unit: str = "") -> float:
    """The value, or an InputError where it does not lie between the limits, both included.

    >>> within(4.2, (1e-12, 1e12), "temperature", "K")
    4.2
    """
    if not finite(value, what) or not limits[0] <= value <= limits[1]:
        ends = f"{limits[0]:g}..{limits[1]:g}{f' {unit}' if unit else ''}"
        raise InputError(f"the {what} must lie in {ends}, got {value}")
    return value
