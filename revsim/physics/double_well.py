"""One bit as a particle in a double well, and the protocols that erase it.

Units throughout: energies in k_B T, lengths in half the distance of the wells, D = 1 (so times in
length^2 / D). The potential has the form used by Jun, Gavrilov and Bechhoefer (arXiv 1408.5089):

    U(x; g, f) = 4 E_b (-g x^2 / 2 + x^4 / 4 - A f x)

g = 1, f = 0: two wells at x = -1 and 1, a barrier of height E_b between; g = 0: one well; f tilts.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DoubleWell:
    """Height of the barrier E_b in k_B T and strength A of the tilt."""

    barrier: float = 8.0
    tilt: float = 0.5

    def __post_init__(self) -> None:
        if not 2 <= self.barrier <= 64 or not abs(self.tilt) <= 1:
            raise InputError(
                f"double well: the barrier must lie in 2..64 k_B T and the tilt in -1..1, got "
                f"{self.barrier} and {self.tilt}"
            )

    def energy(self, x: Any, g: float = 1.0, f: float = 0.0) -> Any:
        """U(x; g, f) in k_B T.

        >>> float(DoubleWell().energy(0.0) - DoubleWell().energy(1.0))
        8.0
        """
        return 4 * self.barrier * (x * x * (x * x / 4 - g / 2) - self.tilt * f * x)

    @property
    def quartic(self) -> float:
        """Coefficient of x^4 in U."""
        return self.barrier

    def quadratic(self, g: Floats) -> Floats:
        """Coefficient of x^2 in U, for each g."""
        return -2 * self.barrier * g

    def linear(self, f: Floats) -> Floats:
        """Coefficient of x in U, for each f."""
        return -4 * self.barrier * self.tilt * f


@dataclass(frozen=True)
class Protocol:
    """g and f over time, straight lines between `knots` (shares of the duration, 0 to 1)."""

    name: str
    knots: tuple[float, ...]
    g: tuple[float, ...]
    f: tuple[float, ...]

    def at(self, share: Any) -> tuple[Floats, Floats]:
        """g and f at shares of the duration.

        >>> [float(v) for v in ERASE.at(0.375)]
        [0.0, 0.5]
        """
        return np.interp(share, self.knots, self.g), np.interp(share, self.knots, self.f)

    def stepwise(self, steps: int) -> tuple[Floats, Floats]:
        """g and f before the first, in the middle of each, and after the last step: [steps + 2].

        A step is a jump of the potential at a fixed x, which is work, and then motion in the new
        potential, which is heat; n steps taken at their middles are the ramp to order 1 / n^2.
        """
        middles = (np.arange(steps) + 0.5) / steps
        return self.at(np.concatenate([[0.0], middles, [1.0]]))


_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
ERASE: Final = Protocol("erase", _QUARTERS, (1, 0, 0, 1, 1), (0, 0, 1, 1, 0))
"""Lower the barrier, tilt to the right, raise the barrier, untilt: a quarter of the time each."""
CONTROL: Final = Protocol("control", _QUARTERS, (1, 0, 0, 1, 1), (0, 0, 0, 0, 0))
"""The same without a tilt: nothing is erased."""
LATCH: Final = Protocol("latch", _QUARTERS, (1, 1, 1, 1, 1), (-1, 0, 1, 0, -1))
"""The barrier stays; the tilt pushes the particle from the left well to the right one and back."""
FOLLOW: Final = Protocol("follow", _QUARTERS, (0, 0, 0, 0, 0), (-1, 0, 1, 0, -1))
"""The same push with the barrier down: one well that follows the tilt."""


def check_duration(tau: float) -> float:
    """The duration, or an InputError where it is not a positive finite number."""
    if not np.isfinite(tau) or tau <= 0:
        raise InputError(f"the duration tau must be above 0 and finite, got {tau}")
    return tau
