"""Limits in sentences, rounded so that they stay true: minima down, maxima up."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext


def at_least(value: float, form: str) -> str:
    """A minimum in the format `form` (kinds f, e and %), rounded down.

    >>> at_least(0.996676, ".1%"), at_least(12.66, ".0f"), at_least(0.3, ".1f")
    ('99.6%', '12', '0.3')
    """
    return _rounded(value, form, ROUND_FLOOR)


def at_most(value: float, form: str) -> str:
    """A maximum in the format `form` (kinds f, e and %), rounded up.

    >>> at_most(0.101397, ".2f"), at_most(1.69e-14, ".0e"), at_most(0.1 + 0.2, ".1f")
    ('0.11', '2e-14', '0.3')
    """
    return _rounded(value, form, ROUND_CEILING)


def tolerance(bits: float) -> str:
    """How far an identity is from holding: rounding noise below 1e-12 is said as that.

    The noise itself differs from machine to machine; a sentence must not.

    >>> tolerance(8.9e-16), tolerance(3e-5)
    ('1e-12', '3e-5')
    """
    return at_most(max(bits, 1e-12), ".0e")


def _rounded(value: float, form: str, way: str) -> str:
    """Twelve digits are taken as exact: the rest is what floating point left."""
    with localcontext() as context:
        context.rounding = way
        return format(Decimal(f"{value:.12g}"), form)
