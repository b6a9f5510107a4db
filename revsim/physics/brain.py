"""How many bits a second a brain turns over, by four readings, with the spread of the literature.

Sources: 8.61e10 neurons with a spread of 0.81e10 (Azevedo et al. 2009); 0.16 spikes per second
sustainable in cortex (Lennie 2003, quoted), 4 per second in a budget of rodent grey matter
(Attwell and Laughlin 2001); 1.5e14 cortical synapses (Pakkenberg et al. 2003); 20 W
(Balasubramanian 2021), of which 0.1 W computes and 3.5 W communicates (Levy and Calvert 2021).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.physics.quantities import positive

Floats = npt.NDArray[np.float64]

NEURONS: Final = 8.61e10
NEURONS_SPREAD: Final = 0.81e10
"""Mean and standard deviation of the number of neurons, Azevedo et al. 2009."""
RATE_HZ: Final = (0.1, 10.0)
SYNAPSES: Final = (1.5e14, 1e15)
SYNAPTIC_RATE_HZ: Final = (0.16, 4.0)
RELEASE: Final = (0.1, 1.0)
"""Ranges that the Monte-Carlo draws from: rates and synapses log-uniform, release uniform."""
POWER_W: Final = 20.0
COMPUTING_W: Final = 0.1
TEMPERATURE_K: Final = 310.0
BIN_S: Final = 1e-3

READINGS: Final = {
    "reset": "one bit per spike: every neuron returns to rest",
    "stream": "two changes of state per spike: up and down",
    "entropy": "entropy of spike or no spike in each bin",
    "synaptic": "one bit per released vesicle",
}


def brain_bits(
    neurons: npt.ArrayLike, rate_hz: npt.ArrayLike, reading: str, bin_s: float = BIN_S
) -> Floats:
    """Bits per second of `neurons` at a mean rate: N r, 2 N r or N h2(r bin) / bin.

    Arrays broadcast. reading: reset, stream or entropy (bins of `bin_s` seconds; the rate times
    the bin must be below 1). Synaptic events are `synaptic_events`.

    >>> float(brain_bits(8.61e10, 4.0, "stream"))
    688800000000.0
    """
    number, rate = np.asarray(neurons, dtype=np.float64), np.asarray(rate_hz, dtype=np.float64)
    for values, what in ((number, "number of neurons"), (rate, "rate in Hz")):
        positive(float(values.min()), what)
        positive(float(values.max()), what)
    if reading == "reset":
        return number * rate
    if reading == "stream":
        return 2 * number * rate
    if reading != "entropy":
        raise InputError(f"unknown reading {reading!r}; choose reset, stream or entropy")
    p = rate * positive(bin_s, "bin", "s")
    if bool((p >= 1).any()):
        raise InputError(
            f"a rate of {float(rate.max()):g} Hz fills bins of {bin_s:g} s: rate x bin must be "
            "below 1, take shorter bins"
        )
    entropy = -(p * np.log2(p) + (1 - p) * np.log1p(-p) / np.log(2))
    return np.asarray(number * entropy / bin_s)


def synaptic_events(
    synapses: npt.ArrayLike, rate_hz: npt.ArrayLike, release: npt.ArrayLike
) -> Floats:
    """Released vesicles per second: synapses x mean rate x probability of release.

    >>> float(synaptic_events(1.5e14, 0.16, 0.5))
    12000000000000.0
    """
    factors = [np.asarray(f, dtype=np.float64) for f in (synapses, rate_hz, release)]
    for values, what in zip(factors, ("number of synapses", "rate in Hz", "release"), strict=True):
        positive(float(values.min()), what)
        positive(float(values.max()), what)
    return np.asarray(factors[0] * factors[1] * factors[2])


@dataclass(frozen=True, eq=False)
class Draws:
    """Bits per second of one reading, one value per draw."""

    reading: str
    bits_per_s: Floats

    def quantiles(self, *at: float) -> tuple[float, ...]:
        """Quantiles of the bits per second."""
        return tuple(float(q) for q in np.quantile(self.bits_per_s, at))

    def share_above(self, threshold: float) -> float:
        """Share of the draws that reach a threshold."""
        return float((self.bits_per_s >= threshold).mean())


def brain_draws(draws: int, seed: int = 0, bin_s: float = BIN_S) -> Mapping[str, Draws]:
    """Monte-Carlo over what the literature leaves open, for every reading; same seed, same draws.

    Neurons are normal (8.61 +- 0.81)e10, rates log-uniform 0.1 to 10 Hz; synapses log-uniform
    1.5e14 to 1e15, their rate log-uniform 0.16 to 4 Hz, release uniform 0.1 to 1.

    >>> sorted(brain_draws(10))
    ['entropy', 'reset', 'stream', 'synaptic']
    """
    positive(draws, "number of draws")
    random = np.random.default_rng(seed)
    neurons = np.abs(random.normal(NEURONS, NEURONS_SPREAD, draws))  # ten sigma from 0
    rate = _log_uniform(random, RATE_HZ, draws)
    synapses = _log_uniform(random, SYNAPSES, draws)
    synaptic_rate = _log_uniform(random, SYNAPTIC_RATE_HZ, draws)
    events = synaptic_events(synapses, synaptic_rate, random.uniform(*RELEASE, draws))
    rates = {r: brain_bits(neurons, rate, r, bin_s) for r in ("reset", "stream", "entropy")}
    return {name: Draws(name, bits) for name, bits in {**rates, "synaptic": events}.items()}


def _log_uniform(random: np.random.Generator, ends: tuple[float, float], draws: int) -> Floats:
    return np.exp(random.uniform(np.log(ends[0]), np.log(ends[1]), draws))
