"""The driven double well, particle by particle: overdamped Langevin dynamics.

    dx = -U'(x; t) dt + sqrt(2) dB        (k_B T = D = 1)

Every path is a function of (seed, number of the path): the same with and without numba, on any
number of threads, and whatever other paths are run beside it.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from revsim.circuit.kernels import HAVE_NUMBA
from revsim.errors import InputError
from revsim.physics import kernels
from revsim.physics.double_well import DoubleWell, Floats, Protocol, check_duration
from revsim.physics.smoluchowski import REACH, equilibrium

STEP = 8e-3
"""Time step times the height of the barrier, in length^2 / D: 1e-3 for 8 k_B T."""
PATHS_LIMIT = 1 << 26
STEPS_LIMIT = 1 << 22
"""Steps of a path: their table takes 128 MiB."""
WORK_LIMIT = 1 << 35
"""Steps of all paths together: minutes on one core."""
SHORTEST = 1e-9
"""Least duration: nothing moves in it, and the least work, which grows as 1 / tau, is finite."""
STREAM = np.uint64(1)
"""Philox stream of the starting points; stream 0 is the noise."""


@dataclass(frozen=True)
class Estimate:
    """A mean over paths and its standard error."""

    value: float
    error: float

    def off(self, expected: float) -> float:
        """Distance from an expected value in standard errors (0 where both agree exactly)."""
        gap = self.value - expected
        return gap / self.error if self.error > 0 else math.copysign(math.inf, gap) if gap else 0.0


@dataclass(frozen=True, eq=False)
class Paths:
    """Work in k_B T, start and end of each path: float64 [paths] each."""

    work: Floats
    start: Floats
    end: Floats

    @property
    def mean_work(self) -> Estimate:
        """<W> in k_B T."""
        return estimate(self.work)

    @property
    def success(self) -> Estimate:
        """P(x > 0 at the end); its error by Laplace's rule, so that it never is 0."""
        right = self.end > 0
        smooth = (right.sum() + 1) / (len(right) + 2)
        return Estimate(float(right.mean()), math.sqrt(smooth * (1 - smooth) / len(right)))

    @property
    def right(self) -> Estimate:
        """E[exp(-W); ends on the right]: 1/2 at any speed for a closed cycle from two wells."""
        return estimate(np.exp(-self.work) * (self.end > 0))

    @property
    def everywhere(self) -> Estimate:
        """E[exp(-W)]: 1 for a closed cycle, but sampling misses the rare failures that carry it."""
        return estimate(np.exp(-self.work))


def estimate(values: Floats) -> Estimate:
    """Mean and standard error of independent values float64 [n], n >= 2."""
    return Estimate(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)))


def simulate(
    well: DoubleWell,
    protocol: Protocol,
    tau: float,
    paths: int,
    seed: int = 0,
    step: float | None = None,
    threads: int | None = None,
) -> Paths:
    """Drive `paths` particles from equilibrium for a time tau (in length^2 / D).

    step: largest time step, by default STEP over the barrier; threads: default all cores, never
    changes a number. Raises InputError for counts, steps or seeds out of range, and for more steps
    than STEPS_LIMIT a path or WORK_LIMIT in all.

    >>> from revsim.physics.double_well import ERASE
    >>> found = simulate(DoubleWell(), ERASE, 2.0, 512)
    >>> abs(found.mean_work.off(3.6408)) < 4
    True
    """
    check_duration(tau)
    if not 2 <= paths <= PATHS_LIMIT:
        raise InputError(f"paths must lie in 2..{PATHS_LIMIT}, got {paths}")
    if not 0 <= seed < 1 << 64:
        raise InputError(f"the seed must lie in 0..2^64 - 1, got {seed}")
    step = STEP / well.barrier if step is None else step
    if not 0 < step * well.barrier <= 0.05:
        raise InputError(
            f"the time step must be above 0 and at most {0.05 / well.barrier:.2g} for a barrier of "
            f"{well.barrier:g} k_B T, got {step}"
        )
    if threads is not None and threads < 1:
        raise InputError(f"threads must be 1 or more, got {threads}")
    longest = STEPS_LIMIT * step
    if not SHORTEST <= tau <= longest:
        raise InputError(
            f"the duration tau must lie in {SHORTEST:g}..{math.floor(longest):,} (steps of "
            f"{step:g} for a barrier of {well.barrier:g} k_B T), got {tau:g}"
        )
    steps = 4 * max(1, math.ceil(tau / step / 4))
    if steps * paths > WORK_LIMIT:
        raise InputError(
            f"{paths:,} paths of {steps:,} steps are too many: use at most {WORK_LIMIT // steps:,} "
            f"paths, or a tau of {0.99 * WORK_LIMIT / paths * step:.3g}"
        )
    dt = tau / steps
    k0, k1 = np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)
    start = _starts(well, protocol, paths, k0, k1)
    g, f = protocol.stepwise(steps)
    quadratic, linear = well.quadratic(g), well.linear(f)
    table = np.column_stack(
        [
            np.diff(quadratic)[:-1],
            np.diff(linear)[:-1],
            -2 * dt * quadratic[1:-1],
            -dt * linear[1:-1],
        ]
    )
    x, work = start.copy(), np.zeros(paths)
    cubic, size = -4 * dt * well.quartic, math.sqrt(2 * dt)
    if HAVE_NUMBA:
        share = _share(paths, threads)

        def part(first: int) -> None:
            piece = slice(first, first + share)
            kernels.drive(x[piece], work[piece], first, table, cubic, size, k0, k1)

        with ThreadPoolExecutor(-(-paths // share)) as pool:
            list(pool.map(part, range(0, paths, share)))
    else:
        _drive_plainly(x, work, table, cubic, size, k0, k1)
    work += x * (x * (quadratic[-1] - quadratic[-2]) + (linear[-1] - linear[-2]))
    return Paths(work, start, x)


def _share(paths: int, threads: int | None) -> int:
    """Paths per thread, whole groups of `kernels.LANES`."""
    threads = (os.cpu_count() or 1) if threads is None else threads
    return -(-paths // (threads * kernels.LANES)) * kernels.LANES


def _drive_plainly(
    x: Floats, work: Floats, table: Floats, cubic: float, size: float, k0: np.uint64, k1: np.uint64
) -> None:
    """What `kernels.drive` does, on all particles at once."""
    path = np.arange(len(x), dtype=np.uint64)
    for block in range(len(table) // 4):
        noise = kernels.normals(path, np.uint64(block), np.uint64(0), k0, k1)
        for normal, row in zip(noise, table[4 * block : 4 * block + 4], strict=True):
            x[:], work[:] = kernels.one_step(x, work, size * normal, *row, cubic)


def _starts(
    well: DoubleWell, protocol: Protocol, paths: int, k0: np.uint64, k1: np.uint64
) -> Floats:
    """Starting points float64 [paths] from the equilibrium of the protocol's start."""
    g, f = protocol.at(0.0)
    x = np.linspace(-REACH, REACH, 20001)
    mass = equilibrium(well, x, float(g), float(f))
    below = np.concatenate([[0.0], np.cumsum((mass[1:] + mass[:-1]) / 2)])
    path = np.arange(paths, dtype=np.uint64)
    word, *_ = kernels.philox(path, np.uint64(0), np.uint64(0), STREAM, k0, k1)
    return np.asarray(np.interp((word + 0.5) * 2.0**-32, below / below[-1], x))
