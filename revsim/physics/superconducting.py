"""Adiabatic quantum-flux-parametron logic (AQFP): junctions, energy, and the reversible RQFP.

A junction switches once in a cycle of the excitation clock and dissipates in proportion to its
frequency. 1.4 zJ per junction at 5 GHz and 4.2 K: Ayala et al., "MANA", IEEE J. Solid-State
Circuits 56 (2021), as quoted in three independent places. That is 34.8 k_B T ln 2 at 4.2 K, where
it is dissipated; set against 300 K (0.49) it says nothing before cooling is paid (`cooling.py`).

RQFP gates are reversible both logically and physically: in simulation their dissipation falls
below k_B T ln 2 as the clock slows down (Takeuchi, Yamanashi, Yoshikawa, Sci. Rep. 7, 75 (2017),
abstract), and with flip-flops the least dissipation is set by the data that is erased (Yamae,
Takeuchi, Yoshikawa, J. Appl. Phys. 2024, abstract): the ledger `given_kept`.
"""

from collections.abc import Mapping
from typing import Final

from revsim.errors import InputError
from revsim.physics.quantities import positive

JUNCTIONS: Final = {"maj3": 6, "maj5": 10, "buffer": 2, "splitter": 2}
"""Josephson junctions per cell (mockturtle, aqfp_assumptions.hpp and aqfp_flow_date.cpp)."""
SPLITTER_OUTPUTS: Final = 3
"""Readers that one splitter serves (same source)."""
JUNCTION_J: Final = 1.4e-21
"""Energy per junction and cycle at the design frequency, quoted from Ayala et al. 2021."""
DESIGN_HZ: Final = 5e9
TEMPERATURE_K: Final = 4.2


def junctions(cells: Mapping[str, int]) -> int:
    """Junctions of so many cells of each kind.

    >>> junctions({"maj3": 10, "splitter": 4})
    68
    """
    for kind, count in cells.items():
        if kind not in JUNCTIONS:
            raise InputError(f"unknown AQFP cell {kind!r}; choose one of {', '.join(JUNCTIONS)}")
        if count < 0:
            raise InputError(f"the number of {kind} cells must be 0 or more, got {count}")
    return sum(JUNCTIONS[kind] * count for kind, count in cells.items())


def aqfp_energy(count: float, clock_hz: float = DESIGN_HZ, junction_j: float = JUNCTION_J) -> float:
    """Heat in J per clock cycle of `count` junctions, cold: count x junction_j x clock / 5 GHz.

    The adiabatic law, so valid up to the design frequency only; faster raises InputError.

    >>> f"{aqfp_energy(20000, 2.5e9):.2e}"
    '1.40e-17'
    """
    positive(count, "number of junctions")
    if positive(clock_hz, "clock frequency", "Hz") > DESIGN_HZ:
        raise InputError(
            f"the adiabatic law holds up to {DESIGN_HZ:g} Hz, got a clock of {clock_hz:g} Hz"
        )
    return count * positive(junction_j, "energy per junction", "J") * clock_hz / DESIGN_HZ
