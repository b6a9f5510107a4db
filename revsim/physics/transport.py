"""How much a finite time costs: the optimal-transport bound on the work of an erasure.

    <W> >= (F_end - F_start) + W2^2 / (D tau)         in units of k_B T

where W2 is the Wasserstein-2 distance between the densities at the start and at the end (Aurell,
Gawedzki, Mejia-Monasterio, Mohayaee and Muratore-Ginanneschi 2012; Proesmans, Ehrich and
Bechhoefer, arXiv 2006.03242). On a line W2^2 is the integral over u of (Q_end(u) - Q_start(u))^2,
with Q the quantile functions.
"""

import math
from dataclasses import dataclass

import numpy as np

from revsim.errors import InputError
from revsim.physics.double_well import DoubleWell, Floats, check_duration
from revsim.physics.two_level import partial_erasure

_GAUSS = 0.5 / math.sqrt(3.0)
"""Two-point Gauss-Legendre nodes stand that far from the middle of a unit interval."""


@dataclass(frozen=True, eq=False)
class Quantiles:
    """A distribution by its quantile function: straight lines through (u, x), u from 0 to 1.

    u float64 [n] never falls. A step in u at one x is a mass point, a step in x at one u a gap.
    """

    u: Floats
    x: Floats

    def __post_init__(self) -> None:
        if self.u.shape != self.x.shape or len(self.u) < 2 or bool((np.diff(self.u) < 0).any()):
            raise InputError("quantiles: u and x must be lists of one length, u never falling")
        if self.u[0] != 0 or abs(self.u[-1] - 1) > 1e-9:
            raise InputError(f"quantiles: u must run from 0 to 1, not {self.u[0]} to {self.u[-1]}")

    def at(self, u: Floats) -> Floats:
        """Q(u), for u between the nodes.

        By the share of the interval that u has passed, which stays within 0..1 in the thinnest
        tail; a slope, as np.interp takes it, overflows where neighbouring u differ by 1e-308.
        """
        k = np.clip(np.searchsorted(self.u, u, side="right") - 1, 0, len(self.u) - 2)
        width = self.u[k + 1] - self.u[k]
        share = np.divide(u - self.u[k], width, out=np.ones_like(width), where=width > 0)
        return np.asarray(self.x[k] + share * (self.x[k + 1] - self.x[k]))


def of_cells(edges: Floats, mass: Floats) -> Quantiles:
    """Masses float64 [n], each spread evenly over its cell between edges float64 [n + 1]."""
    total = np.concatenate([[0.0], np.cumsum(mass)])
    if not total[-1] > 0 or bool((mass < 0).any()):
        raise InputError("quantiles: masses must not be negative and not all be 0")
    return Quantiles(total / total[-1], np.asarray(edges, dtype=np.float64))


def of_points(x: Floats, mass: Floats) -> Quantiles:
    """Mass points: masses float64 [n] at ascending places x float64 [n].

    >>> wells = of_points(np.array([-1.0, 1.0]), np.array([0.5, 0.5]))
    >>> wasserstein_squared(wells, right_half(wells))
    2.0
    """
    total = np.concatenate([[0.0], np.cumsum(mass)])
    return Quantiles(np.repeat(total / total[-1], 2)[1:-1], np.repeat(x, 2).astype(np.float64))


def of_well(well: DoubleWell, cells: int = 6000, reach: float = 3.0) -> Quantiles:
    """Equilibrium of a double well, on a grid of cells from -reach to reach."""
    edges = np.linspace(-reach, reach, cells + 1)
    return of_cells(edges, np.exp(-well.energy((edges[1:] + edges[:-1]) / 2)))


def right_half(start: Quantiles, error: float = 0.0) -> Quantiles:
    """Where a bit is put: the start's part at x > 0 weighs 1 - error, that at x < 0 error.

    This is the end in local equilibrium: each well as it was, only their shares changed.
    """
    if not 0 <= error < 1:
        raise InputError(f"the error of an erasure must lie in 0..1, got {error}")
    middle = float(np.interp(0.0, start.x, start.u))
    if not 0 < middle < 1:
        raise InputError("a bit to erase needs mass on both sides of x = 0")
    left, right = start.x < 0, start.x > 0
    below = np.append(start.u[left], middle) * (error / middle)
    above = error + (np.append(middle, start.u[right]) - middle) * ((1 - error) / (1 - middle))
    x = np.concatenate([start.x[left], [0.0, 0.0], start.x[right]])
    return Quantiles(np.concatenate([below, above]), x)


def pushed_right(start: Quantiles) -> Quantiles:
    """The cheapest end with all mass at x >= 0: what lay left of 0 is left at 0, not in a well."""
    return Quantiles(start.u, np.maximum(start.x, 0.0))


def wasserstein_squared(first: Quantiles, second: Quantiles) -> float:
    """W2^2 between two distributions on a line, exact for the straight lines given.

    >>> box = of_cells(np.array([-0.5, 0.0, 0.5]), np.array([0.5, 0.5]))
    >>> round(wasserstein_squared(box, right_half(box)) * 12, 9)
    1.0
    """
    u = np.unique(np.concatenate([first.u, second.u]))
    middle, width = (u[1:] + u[:-1]) / 2, np.diff(u)
    total = 0.0
    for node in (-_GAUSS, _GAUSS):  # inside the intervals: steps at their ends do not matter
        at = middle + node * width
        total += 0.5 * float(width @ (second.at(at) - first.at(at)) ** 2)
    return total


def variance(start: Quantiles) -> float:
    """Variance of a distribution, exact for the straight lines given."""
    mean = float((np.diff(start.u) * (start.x[1:] + start.x[:-1]) / 2).sum())
    point = Quantiles(np.array([0.0, 1.0]), np.array([mean, mean]))
    return wasserstein_squared(start, point)


def least_work(start: Quantiles, tau: float, error: float = 0.0, diffusion: float = 1.0) -> float:
    """Least mean work in k_B T of an erasure in a time tau that fails with probability `error`.

    ln 2 - h(error) + W2^2 / (D tau), from two equal halves to `right_half(start, error)`.
    """
    check_duration(tau)
    moved = wasserstein_squared(start, right_half(start, error))
    return partial_erasure(error) + moved / (diffusion * tau)
