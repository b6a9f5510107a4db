"""Energies that others report, each with node, year, bits, what is included, source and status.

Status says how a value was read: `found` in the source itself, `secondary` in a text that quotes
it, `derived` here from found values, `recall` from memory and not re-read: such a value is printed
with that word and kept out of figures unless asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from revsim.errors import InputError

STATUSES: Final = ("found", "secondary", "derived", "recall")


@dataclass(frozen=True)
class Reference:
    """One energy per operation; `bits` 0 where an operation has no width of its own."""

    name: str
    value_j: float
    node_nm: int | None
    year: int
    bits: int
    includes: str
    source: str
    status: str


_HOROWITZ = "Horowitz, ISSCC 2014, doi 10.1109/ISSCC.2014.6757323"
_JOUPPI = "Jouppi et al., ISCA 2021, Table 2, doi 10.1109/ISCA52012.2021.00010"
_UNIT = "arithmetic unit alone"
_PEAK = "board power over peak rate: a lower bound per operation"
_ANTEPARA = "Antepara et al., SC 2025"
_pJ: Final = 1e-12

_REFERENCES: Final = (
    Reference("int8 add", 0.03 * _pJ, 45, 2014, 8, _UNIT, _HOROWITZ, "secondary"),
    Reference("int16 add", 0.05 * _pJ, 45, 2014, 16, _UNIT, _HOROWITZ, "secondary"),
    Reference("int32 add", 0.1 * _pJ, 45, 2014, 32, _UNIT, _HOROWITZ, "secondary"),
    Reference("int8 multiply", 0.2 * _pJ, 45, 2014, 8, _UNIT, _HOROWITZ, "secondary"),
    Reference("int32 multiply", 3.1 * _pJ, 45, 2014, 32, _UNIT, _HOROWITZ, "secondary"),
    Reference("float16 add", 0.4 * _pJ, 45, 2014, 16, _UNIT, _HOROWITZ, "secondary"),
    Reference("float32 add", 0.9 * _pJ, 45, 2014, 32, _UNIT, _HOROWITZ, "secondary"),
    Reference("float16 multiply", 1.1 * _pJ, 45, 2014, 16, _UNIT, _HOROWITZ, "secondary"),
    Reference("float32 multiply", 3.7 * _pJ, 45, 2014, 32, _UNIT, _HOROWITZ, "secondary"),
    Reference("cache 8 kB, 64 bits", 10 * _pJ, 45, 2014, 64, "one access", _HOROWITZ, "secondary"),
    Reference(
        "DRAM, 32 bits",
        640 * _pJ,
        45,
        2014,
        32,
        "one access, 45 nm era",
        "Horowitz 2014 by way of Dally, Hot Chips 2023",
        "secondary",
    ),
    Reference(
        "DRAM, 64 bits",
        1300 * _pJ,
        45,
        2014,
        64,
        "one access, lower end of 1.3 to 2.6 nJ",
        _HOROWITZ,
        "recall",
    ),
    Reference("SRAM 8 kB, 64 bits", 7.5 * _pJ, 7, 2021, 64, "one access", _JOUPPI, "secondary"),
    Reference("SRAM 32 kB, 64 bits", 8.5 * _pJ, 7, 2021, 64, "one access", _JOUPPI, "secondary"),
    Reference("SRAM 1 MB, 64 bits", 14 * _pJ, 7, 2021, 64, "one access", _JOUPPI, "secondary"),
    Reference(
        "HBM2, 64 bits",
        250 * _pJ,
        7,
        2021,
        64,
        "only the I/O, lower end of 250 to 450 pJ",
        _JOUPPI,
        "secondary",
    ),
    Reference("int8 add, 7 nm", 0.007 * _pJ, 7, 2021, 8, _UNIT, _JOUPPI, "recall"),
    Reference("int8 multiply, 7 nm", 0.07 * _pJ, 7, 2021, 8, _UNIT, _JOUPPI, "recall"),
    Reference("int32 add, 7 nm", 0.03 * _pJ, 7, 2021, 32, _UNIT, _JOUPPI, "recall"),
    Reference("int32 multiply, 7 nm", 1.48 * _pJ, 7, 2021, 32, _UNIT, _JOUPPI, "recall"),
    Reference("bf16 add, 7 nm", 0.11 * _pJ, 7, 2021, 16, _UNIT, _JOUPPI, "recall"),
    Reference("bf16 multiply, 7 nm", 0.21 * _pJ, 7, 2021, 16, _UNIT, _JOUPPI, "recall"),
    Reference("float32 add, 7 nm", 0.38 * _pJ, 7, 2021, 32, _UNIT, _JOUPPI, "recall"),
    Reference("float32 multiply, 7 nm", 1.31 * _pJ, 7, 2021, 32, _UNIT, _JOUPPI, "recall"),
    Reference(
        "HBM2 device, 1 bit",
        3.97 * _pJ,
        None,
        2017,
        1,
        "device",
        "O'Connor et al., MICRO 2017",
        "secondary",
    ),
    Reference(
        "A100 L1, 1 bit", 1.59 * _pJ, 7, 2025, 1, "whole chip, measured", _ANTEPARA, "secondary"
    ),
    Reference(
        "A100 L2, 1 bit", 4.71 * _pJ, 7, 2025, 1, "whole chip, measured", _ANTEPARA, "secondary"
    ),
    Reference(
        "A100 HBM, 1 bit", 13.1 * _pJ, 7, 2025, 1, "whole chip, measured", _ANTEPARA, "secondary"
    ),
    *(
        Reference(
            f"{chip} {kind} MAC", 2 * watts / rate, None, year, bits, _PEAK, source, "derived"
        )
        for chip, kind, bits, watts, rate, year, source in (
            ("H100", "bf16", 16, 700.0, 989e12, 2022, "maker's tables, H100 SXM, dense"),
            ("H100", "fp8", 8, 700.0, 1979e12, 2022, "maker's tables, H100 SXM, dense"),
            ("B200", "bf16", 16, 1000.0, 2.25e15, 2024, "maker's tables, B200, dense"),
            ("B200", "fp8", 8, 1000.0, 4.5e15, 2024, "maker's tables, B200, dense"),
            ("B200", "fp4", 4, 1000.0, 9e15, 2024, "maker's tables, B200, dense"),
            ("B300", "fp4", 4, 1400.0, 15e15, 2025, "maker's tables, B300, dense, about 15e15/s"),
        )
    ),
    Reference(
        "transistor gate, 3 nm",
        5e-18,
        3,
        2023,
        1,
        "gate of a FinFET, about 5 aJ",
        "Frank, Tierney, Lewis, Sandia HPC Annual Report 2023",
        "found",
    ),
    Reference(
        "CMOS ceiling, fp4 operation",
        1 / 4.7e15,
        None,
        2023,
        4,
        "geometric mean of an estimated limit",
        "Ho, Erdil, Besiroglu, arXiv 2312.08595",
        "found",
    ),
    Reference(
        "AQFP junction at 4.2 K",
        1.4e-21,
        None,
        2021,
        0,
        "one junction and cycle, 5 GHz, before cooling",
        "Ayala et al., IEEE J. Solid-State Circuits 56 (2021)",
        "secondary",
    ),
)

NOT_FOUND: Final = (
    "full text and energy plots of arXiv 2009.00448 (abstract and netlists only)",
    "SCRL phase tables of Younis and Knight",
    "result tables of arXiv 1809.02421",
    "node, clock and absolute energies of Vaire Computing",
    "arithmetic cells of the 7 nm table in the original of Jouppi et al. 2021",
    "Horowitz's slide in the original",
    "the adder paper of Takeuchi et al. 2019",
    "the cooler table of Holmes, Ripple, Manheimer 2013",
    "measured refrigerators of the LHC",
    "a measured 77 K figure",
    "full texts of Berut et al. 2012 and Hong et al. 2016 (numbers are through quotations)",
)
"""What was looked for and not found; no value here rests on it."""


def reference_energies(recalled: bool = True) -> tuple[Reference, ...]:
    """Every reported energy, those recalled and not re-read only where asked for.

    >>> {r.status for r in reference_energies(recalled=False)} == set(STATUSES) - {"recall"}
    True
    """
    return tuple(r for r in _REFERENCES if recalled or r.status != "recall")


def reference(name: str) -> Reference:
    """The reported energy of that name, or an InputError.

    >>> reference("int8 multiply").value_j
    2e-13
    """
    found = {r.name: r for r in _REFERENCES}
    if name not in found:
        raise InputError(f"no reported energy of {name!r}; there are {', '.join(found)}")
    return found[name]


def operations_energy(counts: Mapping[str, float]) -> float:
    """Joules of so many operations of each name; technologies are not mixed in one sum.

    Raises InputError where two nodes (45 nm with 7 nm) would be added.

    >>> f"{operations_energy({'int8 multiply': 1000, 'int32 add': 1000}):.1e}"
    '3.0e-10'
    """
    chosen = {name: reference(name) for name in counts}
    nodes = {r.node_nm for r in chosen.values()}
    if len(nodes) > 1:
        listed = ", ".join(f"{n} ({r.node_nm or 'no one'} nm)" for n, r in chosen.items())
        raise InputError(f"energies of different technologies are not added: {listed}")
    return sum(chosen[name].value_j * count for name, count in counts.items())
