"""The driven double well without noise: work and success from the Smoluchowski equation.

The reference for `langevin.py`. Densities weighted by W, W^2 and exp(-W) are carried along with the
probability density, so that moments of the work and Jarzynski's averages come without sampling.
"""

import math
from dataclasses import dataclass

import numpy as np

from revsim.physics import kernels
from revsim.physics.double_well import DoubleWell, Floats, Protocol, check_duration

CELLS = 882
REACH = 2.2
EDGE = 118.0
"""Energy in k_B T above the wells at which the grid ends: that of a barrier of 8 k_B T at REACH.
Far above it there is only roundoff, which exp(-W) magnifies faster than a stiff step damps it."""
STEPS = 4000
"""Grid and steps: twice as fine changes the mean work of theory's protocol by less than 1e-4."""


@dataclass(frozen=True, eq=False)
class Averages:
    """Exact averages over all paths of a protocol; work in k_B T.

    `mean_work`, `deviation` (its standard deviation), `success` P(x > 0 at the end), `right`
    E[exp(-W); x > 0 at the end], `everywhere` E[exp(-W)]; the end's `density` on the grid `x`.
    """

    mean_work: float
    deviation: float
    success: float
    right: float
    everywhere: float
    x: Floats
    density: Floats


def averages(
    well: DoubleWell,
    protocol: Protocol,
    tau: float,
    steps: int = STEPS,
    cells: int = CELLS,
    reach: float | None = None,
) -> Averages:
    """Drive the equilibrium of the protocol's start for a time tau (in length^2 / D).

    Crank-Nicolson on `cells` cells over -reach..reach (by default where the two wells rise to EDGE,
    at most REACH), in `steps` steps with parameters taken at their middles. Jarzynski (1997):
    E[exp(-W)] = Z_end / Z_start at any speed; restricted to the paths that end on the right it is
    Z_right / Z_start.

    >>> from revsim.physics.double_well import ERASE
    >>> found = averages(DoubleWell(), ERASE, 2.0, steps=400, cells=221)
    >>> round(found.right, 4), round(found.everywhere, 4)
    (0.5, 1.0)
    """
    check_duration(tau)
    if reach is None:  # U = E_b (x^2 - 1)^2 above the wells
        reach = min(REACH, math.sqrt(1 + math.sqrt(EDGE / well.barrier)))
    x = np.linspace(-reach, reach, cells)
    g, f = protocol.stepwise(steps)
    start = equilibrium(well, x, float(g[0]), float(f[0]))
    densities = np.stack([start, 0 * start, 0 * start, start])
    kernels.march(x, densities, well.quartic, well.quadratic(g), well.linear(f), tau / steps)
    p, first, second, weighted = densities
    mean = float(first.sum())
    return Averages(
        mean,
        math.sqrt(max(0.0, float(second.sum()) - mean * mean)),
        float(p[x > 0].sum()),
        float(weighted[x > 0].sum()),
        float(weighted.sum()),
        x,
        p,
    )


def equilibrium(well: DoubleWell, x: Floats, g: float = 1.0, f: float = 0.0) -> Floats:
    """Boltzmann's distribution over a grid float64 [cells], as masses that sum to 1."""
    energy = well.energy(x, g, f)
    mass = np.exp(energy.min() - energy)
    return np.asarray(mass / mass.sum())
