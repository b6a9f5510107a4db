"""The ladder from one erased bit to a memory access: what an elementary event costs, in joules.

Rungs are computed where there is a formula and quoted where there is a measurement; each carries
source, year and status. No two rungs do the same work: an operation is not a bit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from revsim.physics import brain
from revsim.physics.adiabatic import abrupt_energy, ramp_energy
from revsim.physics.cooling import wall_energy
from revsim.physics.families import ROUND_CELL
from revsim.physics.landauer import energy_j
from revsim.physics.reference import reference
from revsim.physics.superconducting import JUNCTION_J, TEMPERATURE_K

GROUPS: Final = ("limit", "superconducting", "adiabatic", "CMOS", "brain", "chip", "network")
DRAWS: Final = 100_000
RAMP_S: Final = 1e-7


@dataclass(frozen=True)
class Rung:
    """One event and its energy; `per` says what the event is."""

    name: str
    joules: float
    group: str
    per: str
    year: int | None
    source: str
    status: str

    def times_bit(self, temperature_k: float = 300.0) -> float:
        """The energy as a multiple of k_B T ln 2."""
        return self.joules / energy_j(1.0, temperature_k)


_QUOTED: Final = (
    ("transistor gate, 3 nm", "CMOS"),
    ("CMOS ceiling, fp4 operation", "CMOS"),
    ("int8 add", "CMOS"),
    ("int8 multiply", "CMOS"),
    ("float32 multiply", "CMOS"),
    ("B300 fp4 MAC", "chip"),
    ("B200 fp8 MAC", "chip"),
    ("H100 fp8 MAC", "chip"),
    ("H100 bf16 MAC", "chip"),
    ("HBM2, 64 bits", "chip"),
    ("DRAM, 32 bits", "chip"),
    ("int8 multiply, 7 nm", "CMOS"),
    ("float32 multiply, 7 nm", "CMOS"),
)


def ladder(temperature_k: float = 300.0, recalled: bool = False) -> tuple[Rung, ...]:
    """Rungs in order of energy; those recalled and not re-read only where asked for.

    >>> rungs = ladder()
    >>> rungs[0].name, rungs[-1].name
    ('AQFP junction at 4.2 K, before cooling', 'DRAM, 32 bits, 45 nm')
    """
    rungs = [*_limits(temperature_k), *_models(), *_brain(), *_quoted()]
    return ordered(r for r in rungs if recalled or r.status != "recall")


def ordered(rungs: Iterable[Rung]) -> tuple[Rung, ...]:
    """Rungs by energy, least first."""
    return tuple(sorted(rungs, key=lambda rung: rung.joules))


def _limits(temperature_k: float) -> list[Rung]:
    source = "Landauer 1961: k_B T ln 2"
    bit = energy_j(1.0, temperature_k)
    return [Rung(f"one bit at {temperature_k:g} K", bit, "limit", "bit", 1961, source, "derived")]


def _models() -> list[Rung]:
    cell = ROUND_CELL
    aqfp = reference("AQFP junction at 4.2 K")
    ramp = ramp_energy(cell.resistance_ohm, cell.capacitance_f, cell.voltage_v, RAMP_S)
    abrupt = abrupt_energy(cell.capacitance_f, cell.voltage_v)
    node = f"{cell.capacitance_f * 1e15:g} fF node"
    example = f"{cell.resistance_ohm:.0e} ohm, {cell.capacitance_f:.0e} F, {cell.voltage_v:g} V"
    junction, transition = "junction and cycle", "transition"
    helium = wall_energy(JUNCTION_J, TEMPERATURE_K, 0.155)
    return [
        Rung(
            "AQFP junction at 4.2 K, before cooling",
            JUNCTION_J,
            "superconducting",
            junction,
            aqfp.year,
            aqfp.source,
            aqfp.status,
        ),
        Rung(
            "AQFP junction, at the wall",
            helium,
            "superconducting",
            junction,
            2015,
            "the same with a 1 kW refrigerator at 15.5 % of Carnot (Green 2015, Eq. 2)",
            aqfp.status,
        ),
        Rung(
            f"{node}, ramp of {RAMP_S * 1e9:g} ns",
            ramp,
            "adiabatic",
            transition,
            1994,
            f"Athas et al. 1994; {example}, a round example",
            "derived",
        ),
        Rung(
            f"{node}, switched abruptly",
            abrupt,
            "CMOS",
            transition,
            1994,
            f"C V^2 / 2; {example}",
            "derived",
        ),
    ]


def _brain() -> list[Rung]:
    """20 W over the median rate of an event, rates as the literature leaves them open."""
    draws = brain.brain_draws(DRAWS)
    source = "20 W (Balasubramanian 2021) over the median of a Monte-Carlo"
    return [
        Rung(
            f"brain, per {event}",
            brain.POWER_W / draws[reading].quantiles(0.5)[0],
            "brain",
            event,
            2021,
            source,
            "derived",
        )
        for event, reading in (("synaptic event", "synaptic"), ("spike", "reset"))
    ]


def _quoted() -> list[Rung]:
    found = [(reference(name), group) for name, group in _QUOTED]
    return [
        Rung(
            r.name if r.node_nm is None or "nm" in r.name else f"{r.name}, {r.node_nm} nm",
            r.value_j,
            group,
            r.includes,
            r.year,
            r.source,
            r.status,
        )
        for r, group in found
    ]
