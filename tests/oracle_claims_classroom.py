"""Known answers of one bit: two levels, finite-time bounds, and the driven double well."""

import math
from collections.abc import Callable
from functools import cache, partial

import numpy as np

from revsim.physics import transport
from revsim.physics.double_well import CONTROL, ERASE, DoubleWell
from revsim.physics.smoluchowski import Averages, averages
from revsim.physics.two_level import (
    drive,
    partial_erasure,
    raise_slowly,
    reset_separately,
    reset_together,
    szilard_cycle,
    szilard_work,
)

READINGS: dict[int, Callable[[], float]] = {}

for case, error in ((220, 0.01), (221, 0.1), (222, 0.25)):
    READINGS[case] = partial(partial_erasure, error)
for case, top in ((223, 5.0), (224, 20.0)):
    READINGS[case] = partial(raise_slowly, top)
for case, jumps in ((225, 10), (227, 100), (229, 1000)):
    staircase = partial(drive, np.linspace(0, 20, jumps + 1), math.inf)
    READINGS[case] = lambda staircase=staircase: staircase().work
    READINGS[case + 1] = lambda staircase=staircase: staircase().weighted

BOX = transport.of_cells(np.array([-0.5, 0.0, 0.5]), np.array([0.5, 0.5]))
WELLS = transport.of_points(np.array([-1.0, 1.0]), np.array([0.5, 0.5]))
PAIR = np.array([[0.5, 0.0], [0.0, 0.5]])


@cache
def quartic(barrier: float) -> transport.Quantiles:
    edges = np.linspace(-3, 3, 20001)
    middles = (edges[1:] + edges[:-1]) / 2
    return transport.of_cells(edges, np.exp(-DoubleWell(barrier).energy(middles)))


def erased(start: transport.Quantiles) -> float:
    return transport.wasserstein_squared(start, transport.right_half(start))


def in_local_equilibrium_or_not(start: transport.Quantiles) -> float:
    return erased(start) / transport.wasserstein_squared(start, transport.pushed_right(start))


READINGS |= {
    231: lambda: erased(BOX),
    232: lambda: erased(WELLS),
    233: lambda: in_local_equilibrium_or_not(WELLS),
    234: lambda: erased(quartic(4.0)),
    235: lambda: transport.variance(quartic(4.0)),
    236: lambda: szilard_work(0.0),
    237: lambda: szilard_work(0.1),
    238: lambda: szilard_cycle(0.1),
    239: lambda: reset_together(PAIR),
    240: lambda: reset_separately(PAIR),
    247: lambda: erased(quartic(8.0)),
    264: lambda: round(averages(DoubleWell(), CONTROL, 200.0).mean_work, 4),  # stated to 4 decimals
}


@cache
def driven(tau: float) -> Averages:
    return averages(DoubleWell(), ERASE, tau)


for case, tau in ((248, 2.0), (252, 10.0), (256, 50.0), (260, 200.0)):
    READINGS |= {
        case: lambda tau=tau: driven(tau).mean_work,
        case + 1: lambda tau=tau: driven(tau).success,
        case + 2: lambda tau=tau: driven(tau).right,
        case + 3: lambda tau=tau: driven(tau).everywhere,
    }
