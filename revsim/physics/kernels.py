"""Numba code of the physics package: Gaussian noise, driven particles, and driven densities.

`shared` functions are written once for numbers and for arrays: NumPy runs them on all particles at
once where numba is absent, numba inlines them into its loops. Nothing but IEEE +, -, *, / and
square roots is used, so that both give the same paths bit for bit, on any number of threads.

Noise is counter-based: the normal of a path at a step is a function of (seed, path, step). Random
words come from Philox4x32-10 (Salmon, Moraes, Dror and Shaw, SC 2011), normals from them by the
transform of Box and Muller (1958), all without a branch so that loops become vector instructions.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.circuit.kernels import HAVE_NUMBA, jit

Floats = npt.NDArray[np.float64]

LANES = 256
"""Particles that are carried together: their state stays in the level-1 cache."""


def shared(function: Callable[..., Any]) -> Any:
    """Plain Python where Python calls it, inlined by LLVM where a kernel does."""
    if not HAVE_NUMBA:
        return function
    from numba.extending import register_jitable

    return register_jitable(forceinline=True)(function)


_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ONE, _TWO = np.uint64(1), np.uint64(2)
_EXPONENT = np.uint64(52)
_FRACTION = np.uint64((1 << 52) - 1)
_UNIT = np.uint64(1023 << 52)
_ROOT2 = 2.0**0.5
_LN2 = 0.6931471805599453
_QUARTER = 0.7853981633974483  # pi / 4
_SHRINK = 2.0**-32


@shared
def _round(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    p0, p1 = c0 * _M0, c2 * _M1
    return (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW


@shared
def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Four random 32-bit words of a 128-bit counter and a 64-bit key; all are 32-bit words in
    uint64, numbers or arrays."""
    for _ in range(10):
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@shared
def _minus_log(u: Any) -> Any:
    """-ln u for 0 < u < 1, to 1e-13: the exponent by its bits, the rest by the series of atanh."""
    bits = np.float64(u).view(np.uint64)
    m = np.uint64((bits & _FRACTION) | _UNIT).view(np.float64)  # 1 <= m < 2
    s = (m - _ROOT2) / (m + _ROOT2)
    q = s * s
    t = 1 / 9 + q * (1 / 11 + q * (1 / 13 + q * (1 / 15)))
    t = 1.0 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * t)))
    return (1022.5 - (bits >> _EXPONENT)) * _LN2 - 2.0 * s * t


@shared
def gaussian_pair(first: Any, second: Any) -> Any:
    """Two independent standard normals of two 32-bit words: radius by the first; quadrant by two
    bits, and the angle within it by thirty bits, of the second."""
    radius = np.sqrt(_minus_log((first + 0.5) * _SHRINK))
    d = ((second >> _TWO) + 0.5) * (_QUARTER / 2.0**29) - _QUARTER  # -pi/4 .. pi/4
    q = d * d
    s = 1 / 362880 - q * (1 / 39916800 - q * (1 / 6227020800))
    s = d * (1.0 - q * (1 / 6 - q * (1 / 120 - q * (1 / 5040 - q * s))))
    c = 1 / 40320 - q * (1 / 3628800 - q * (1 / 479001600))
    c = 1.0 - q * (1 / 2 - q * (1 / 24 - q * (1 / 720 - q * c)))
    # c - s = sqrt(2) cos(pi/4 + d) and c + s = sqrt(2) sin(pi/4 + d): the 2 of sqrt(-2 ln u).
    right = 1.0 - 2.0 * (second & _ONE)
    above = 1.0 - 1.0 * (second & _TWO)
    return radius * right * (c - s), radius * above * (c + s)


@shared
def normals(path: Any, block: Any, stream: Any, k0: Any, k1: Any) -> Any:
    """Four standard normals of (path, block): the noise of four steps; all arguments uint64."""
    a, b, c, d = philox(path & _LOW, path >> _HALF, block, stream, k0, k1)
    n0, n1 = gaussian_pair(a, b)
    n2, n3 = gaussian_pair(c, d)
    return n0, n1, n2, n3


@shared
def one_step(
    x: Any, w: Any, noise: Any, work2: Any, work1: Any, linear: Any, constant: Any, cubic: Any
) -> Any:
    """One row of a schedule: the potential jumps (work), then the particle moves (Heun).

    Work per x^2 and per x; drift per x, constant drift and drift per x^3, each times dt; noise: the
    displacement by noise. Heun's predictor-corrector is of weak order 2 for additive noise (Kloeden
    and Platen 1992, section 15.1).
    """
    w = w + x * (work2 * x + work1)
    here = constant + x * (linear + cubic * (x * x))
    guess = x + here + noise
    there = constant + guess * (linear + cubic * (guess * guess))
    return x + 0.5 * (here + there) + noise, w


@jit
def drive(
    x: Floats, w: Floats, first: int, steps: Floats, cubic: float, size: float, k0: Any, k1: Any
) -> None:
    """All rows of a schedule float64 [4 n, 4] on particles x, w float64 [particles], in place;
    `first` is the path number of the first of them."""
    noise = np.empty((4, LANES))
    stream = np.uint64(0)
    for start in range(0, len(x), LANES):
        count = min(LANES, len(x) - start)
        for block in range(steps.shape[0] // 4):
            for i in range(count):
                noise[0, i], noise[1, i], noise[2, i], noise[3, i] = normals(
                    np.uint64(first + start + i), np.uint64(block), stream, k0, k1
                )
            for j in range(4):
                a, b, c, d = steps[4 * block + j]
                for i in range(count):
                    x[start + i], w[start + i] = one_step(
                        x[start + i], w[start + i], size * noise[j, i], a, b, c, d, cubic
                    )


@jit
def march(
    x: Floats, densities: Floats, quartic: float, quadratic: Floats, linear: Floats, dt: float
) -> None:
    """Carry densities over a grid through a driven potential, in place.

    x float64 [cells], evenly spaced; potential quartic x^4 + quadratic[k] x^2 + linear[k] x in
    step k, where index 0 is the potential before the first jump and the last one that after the
    last. densities float64 [4, cells]: p; E[W; x] and E[W^2; x]; E[exp(-W); x]. Each step is a jump
    of the potential, then Crank-Nicolson over dt on jump rates exp(-+dU/2) / h^2 between cells,
    which obey detailed balance exactly (the scheme of Scharfetter and Gummel in its simplest form).
    """
    cells = len(x)
    h = x[1] - x[0]
    right, left = np.zeros(cells), np.zeros(cells)
    upper, pivot = np.zeros(cells), np.zeros(cells)
    rhs = np.zeros(cells)
    for k in range(1, len(quadratic)):
        for i in range(cells):
            d = x[i] * (x[i] * (quadratic[k] - quadratic[k - 1]) + linear[k] - linear[k - 1])
            p, first = densities[0, i], densities[1, i]
            densities[2, i] += d * (2.0 * first + d * p)
            densities[1, i] += d * p
            densities[3, i] *= np.exp(-d)
        if k == len(quadratic) - 1:
            return
        for i in range(cells - 1):
            a, b = x[i], x[i + 1]
            rise = quartic * (b**4 - a**4) + quadratic[k] * (b * b - a * a) + linear[k] * (b - a)
            right[i] = 0.5 * dt / (h * h) * np.exp(-0.5 * rise)
            left[i + 1] = 0.5 * dt / (h * h) * np.exp(0.5 * rise)
        right[cells - 1] = left[0] = 0.0
        for i in range(cells):  # elimination of (1 - dt L / 2), once for all four
            pivot[i] = 1.0 + right[i] + left[i]
            if i:
                pivot[i] -= right[i - 1] * upper[i - 1]
            if i < cells - 1:
                upper[i] = left[i + 1] / pivot[i]
        for row in range(4):
            for i in range(cells):
                value = densities[row, i] * (1.0 - right[i] - left[i])
                if i:
                    value += right[i - 1] * (densities[row, i - 1] + rhs[i - 1])
                if i < cells - 1:
                    value += left[i + 1] * densities[row, i + 1]
                rhs[i] = value / pivot[i]
            densities[row, cells - 1] = rhs[cells - 1]
            for i in range(cells - 2, -1, -1):
                densities[row, i] = rhs[i] + upper[i] * densities[row, i + 1]
