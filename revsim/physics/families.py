"""Clocks of adiabatic logic families, and what one operation costs in each, in named parts.

A tick is one ramp of a power clock. A circuit of D levels delivers a result after D ticks and takes
the next operation after the initiation interval, which is what leakage is paid for. What each
family demands of a circuit stands in `circuit/adiabatic.py`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from revsim.errors import InputError
from revsim.physics.adiabatic import ramp_energy, resonator_loss, threshold_residue
from revsim.physics.landauer import energy_j
from revsim.physics.quantities import not_negative, positive, share, within

TICKS: Final = (1e-15, 1e3)
"""Least and greatest tick in s that are taken: far shorter and far longer than any clock's."""

LEAKAGES: Final = (0.0, 1.0)
"""Least and greatest leakage power of a cell in W that are taken."""


@dataclass(frozen=True)
class Family:
    """One family: `interval` and `phases` in ticks and power clocks from the number of levels.

    `pipelined`: every level holds an operation of its own, idle wires included. `semi_adiabatic`:
    a threshold voltage is not recovered. `shift_transistors`: of one wire through one level.
    """

    name: str
    interval: Callable[[int], int]
    phases: Callable[[int], int]
    pipelined: bool
    semi_adiabatic: bool
    shift_transistors: int | None
    source: str


FAMILIES: Final = {
    family.name: family
    for family in (
        Family(
            "retractile",
            lambda depth: 2 * depth + 2,
            lambda depth: depth,
            False,
            False,
            None,
            "Hall 1992; state counter of a Bennett-clocked processor (nnguye24/AdiabaticProcessor)",
        ),
        Family(
            "2lal",
            lambda _: 4,
            lambda _: 4,
            True,
            False,
            8,
            "Frank 2003 (abstract); SPICE reconstruction with tick list",
        ),
        Family(
            "s2lal",
            lambda _: 8,
            lambda _: 8,
            True,
            False,
            20,
            "Frank et al., arXiv 2009.00448 (abstract); netlists of erikdebenedictis/Shift",
        ),
        Family(
            "q2lal",
            lambda _: 8,
            lambda _: 8,
            True,
            False,
            None,
            "DeBenedictis, ZF007 (2020); netlists of erikdebenedictis/Shift",
        ),
        Family(
            "ecrl",
            lambda _: 4,
            lambda _: 4,
            True,
            True,
            None,
            "Moon and Jeong 1996 (recalled); technology records of Renesis",
        ),
        Family(
            "pfal",
            lambda _: 4,
            lambda _: 4,
            True,
            True,
            None,
            "Vetuli et al. 1996 (recalled); technology records of Renesis",
        ),
        Family(
            "aqfp",
            lambda _: 4,
            lambda _: 4,
            True,
            False,
            None,
            "mapping rules of mockturtle; Ayala et al. 2021 (quoted)",
        ),
    )
}
"""Families with a sourced phase table. SCRL has none: of Younis and Knight's 2-, 3- and 6-phase
variants no table was found."""


def family_of(name: str) -> Family:
    """The family of that name, or an InputError that says which there are.

    >>> family_of("2lal").shift_transistors
    8
    """
    if name == "scrl":
        raise InputError("scrl: no sourced phase table was found, so it has no clock schedule here")
    if name not in FAMILIES:
        raise InputError(f"unknown logic family {name!r}; choose one of {', '.join(FAMILIES)}")
    return FAMILIES[name]


@dataclass(frozen=True)
class Schedule:
    """Seconds to a valid result and between operations, power clocks, operations in flight."""

    latency_s: float
    interval_s: float
    phases: int
    in_flight: int


def schedule(family: str, depth: int, tick_s: float) -> Schedule:
    """Clock schedule of a circuit of `depth` levels with ramps of `tick_s`.

    >>> schedule("s2lal", 50, 1e-8)
    Schedule(latency_s=5e-07, interval_s=8e-08, phases=8, in_flight=7)
    """
    chosen = family_of(family)
    positive(depth, "depth")
    within(tick_s, TICKS, "tick", "s")
    interval = chosen.interval(depth)
    return Schedule(depth * tick_s, interval * tick_s, chosen.phases(depth), -(-depth // interval))


def stage_cells(width: int, depth: int) -> int:
    """Cells of a reversible pipeline: every wire passes every level, as a gate or as a buffer.

    >>> stage_cells(32, 50)
    1600
    """
    return int(positive(width, "width")) * int(positive(depth, "depth"))


def pad_count(edges: Iterable[tuple[int, int]]) -> int:
    """Buffers that make all paths equally long; `edges` are (level of source, level of reader).

    >>> pad_count([(0, 1), (0, 3), (1, 2), (2, 3)])
    2
    """
    pads = 0
    for start, end in edges:
        if end <= start:
            raise InputError(f"an edge leads from level {start} to level {end}: levels must grow")
        pads += end - start - 1
    return pads


@dataclass(frozen=True)
class Cell:
    """One cell: resistance, load, supply, leakage of the whole cell, threshold.

    Defaults: 10 kOhm, 1 fF, 1 V, 1 pW, 0.3 V, a round example and no technology.
    """

    resistance_ohm: float = 1e4
    capacitance_f: float = 1e-15
    voltage_v: float = 1.0
    leakage_w: float = 1e-12
    threshold_v: float = 0.3
    residue_factor: float = 0.5


ROUND_CELL: Final = Cell()


@dataclass(frozen=True)
class OperationEnergy:
    """Heat of one operation in J, by where it arises."""

    ramp_j: float
    leak_j: float
    residue_j: float
    resonator_j: float
    erase_j: float

    @property
    def total_j(self) -> float:
        """Sum of all parts."""
        return self.ramp_j + self.leak_j + self.residue_j + self.resonator_j + self.erase_j


def operation_energy(
    family: str,
    cells: int,
    depth: int,
    cell: Cell = ROUND_CELL,
    *,
    tick_s: float,
    activity: float = 1.0,
    transitions: float | None = None,
    erased_bits: float = 0.0,
    temperature_k: float = 300.0,
    stored_j: float | None = None,
    quality: float | None = None,
    loaded: bool = False,
) -> OperationEnergy:
    """Heat of one operation of `cells` cells in `depth` levels of an adiabatic CMOS family.

    activity: share of cells that rise and fall; 1 for dual rails that return to zero, whatever the
    data, else the mean value of a signal. transitions: rises and falls per operation counted
    elsewhere (the simulator's toggles), in place of 2 x cells x activity. erased_bits cost
    k_B T ln 2 each. stored_j and quality: energy that circulates in the clock's resonator and its
    Q; with a `loaded` Q the ramps are in it and are not added. Equal cells, no wires: order of
    magnitude. Raises InputError for aqfp, which has no capacitances: see `superconducting.py`.

    >>> parts = operation_energy("s2lal", 1600, 50, tick_s=1e-8)
    >>> f"{parts.ramp_j:.4e} {parts.leak_j:.2e}"
    '3.1968e-15 1.28e-16'
    """
    chosen = family_of(family)
    if family == "aqfp":
        raise InputError("aqfp is no CMOS family: use aqfp_energy for its junctions")
    if (stored_j is None) != (quality is None):
        raise InputError("a resonator needs both its stored energy and its quality factor")
    if loaded and quality is None:
        raise InputError("a loaded resonator needs its stored energy and its quality factor")
    positive(cells, "number of cells")
    share(activity, "activity")
    moves = 2 * cells * activity if transitions is None else transitions
    not_negative(moves, "number of transitions")
    ramp = ramp_energy(cell.resistance_ohm, cell.capacitance_f, cell.voltage_v, tick_s)
    residue = threshold_residue(cell.capacitance_f, cell.threshold_v, cell.residue_factor)
    held = schedule(family, depth, tick_s).interval_s
    resonator = 0.0 if stored_j is None or quality is None else resonator_loss(stored_j, quality)
    return OperationEnergy(
        ramp_j=0.0 if loaded else moves * ramp,
        leak_j=cells * within(cell.leakage_w, LEAKAGES, "leakage power", "W") * held,
        residue_j=moves / 2 * residue if chosen.semi_adiabatic else 0.0,
        resonator_j=resonator,
        erase_j=energy_j(not_negative(erased_bits, "number of erased bits"), temperature_k),
    )
