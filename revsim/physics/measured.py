"""Measured energies against the bound: four small networks on real chips, and erasures of one bit.

Energies per inference: medians of the benchmark's energy runner, closed division, read from the
result logs of mlcommons/tiny_results_v0.5 to v1.3 (MLPerf Tiny, Banbury et al., arXiv 2106.07597).
The supply rail of the device during inference, memory, clocks and leakage included, host excluded;
the network is the reference one, quantisation and deployment are the submitter's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from revsim.physics.landauer import energy_j
from revsim.physics.quantities import positive


def measured_vs_bound(measured_j: float, bits: float = 1.0, temperature_k: float = 300.0) -> float:
    """How many times the bound for erasing `bits` an energy (or power, for bits per second) is.

    >>> f"{measured_vs_bound(18.561e-6):.4e}"
    '6.4650e+15'
    """
    positive(measured_j, "measured energy", "J")
    return measured_j / energy_j(positive(bits, "number of bits"), temperature_k)


@dataclass(frozen=True)
class Submission:
    """Measured joules per inference of one device, by network."""

    device: str
    release: str
    year: int
    joules: Mapping[str, float]


MACS: Final = {"AD": 264_192, "KWS": 2_656_768, "IC": 12_501_632, "VWW": 7_489_664}
"""Multiply-accumulates: autoencoder (fully connected), DS-CNN, ResNet-8, MobileNetV1 0.25."""


def _submission(device: str, release: str, year: int, *microjoules: float | None) -> Submission:
    joules = {n: u * 1e-6 for n, u in zip(MACS, microjoules, strict=True) if u is not None}
    return Submission(device, release, year, joules)


MLPERF_TINY: Final = (
    _submission("STM32L4R5 (reference)", "v0.5", 2021, 416.3, 7373.7, 29207.0, 24312.6),
    _submission("Renesas RA6M4", "v0.7", 2022, 324.1, 3797.0, 17723.8, 11851.8),
    _submission("STM32H7A3", "v1.2", 2024, 165.7, 1375.6, 5090.3, 2965.5),
    _submission("STM32L4R5", "v1.3", 2025, 160.4, 1430.7, 5495.9, 3029.8),
    _submission("STM32U575", "v1.3", 2025, 77.24, 664.4, 2565.2, 1372.2),
    _submission("Silicon Labs xG24", "v1.0", 2022, 47.30, 401.9, 1234.7, 1139.2),
    _submission("STM32U385", "v1.3", 2025, 31.83, 245.3412, 965.6, 519.0),
    _submission("Syntiant NDP9120", "v1.0", 2022, None, 31.537, 101.8, 71.71),
    _submission("GreenWaves GAP9", "v1.0", 2022, 5.252, 18.561, 27.71, 40.80),
)
"""Dearest first. Syntiant's entries of v1.1 to v1.3 repeat the measurement of v1.0."""


@dataclass(frozen=True)
class Erasure:
    """A measured erasure of one bit: `multiple` of k_B T ln 2, with what must be said of it."""

    device: str
    multiple: float
    duration: str
    caveat: str
    source: str
    status: str


ERASURES: Final = (
    Erasure(
        "colloidal particle in a double well",
        1.04,
        "limit of slow runs: fit A + B/duration, A = 0.72 k_B T",
        "mean over runs that erased (95 to 99 %); single runs may lie below",
        "Berut et al., Nature 483, 187 (2012); arXiv 1503.06537",
        "secondary",
    ),
    Erasure(
        "particle in a feedback trap",
        1.02,
        "limit of slow runs: 0.71 k_B T",
        "virtual potential; work is measured; 0.05 k_B T without erasure",
        "Jun, Gavrilov, Bechhoefer, PRL 113, 190601 (2014)",
        "secondary",
    ),
    Erasure(
        "nanomagnets",
        2.1,
        "quasi-static hysteresis",
        "about 1e4 magnets; 2.2 sigma above the bound; initial state not randomised",
        "Hong et al., Science Advances 2, e1501492 (2016)",
        "secondary",
    ),
    Erasure(
        "micro-cantilever",
        1.00,
        "protocols as short as 100 ms",
        "underdamped; double well made by feedback; 1 % uncertainty",
        "Dago et al., PRL 126, 170601 (2021)",
        "found",
    ),
)
