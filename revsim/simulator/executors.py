"""Executors: ways to run the same gates on the same rows, to the same bits and the same counts."""

from dataclasses import dataclass
from typing import Any, Final

from revsim.circuit.kernels import HAVE_NUMBA, WHY_NO_NUMBA
from revsim.errors import InputError

EXECUTORS: Final = {
    "literal": "every gate evaluated on its own, in compiled kernels",
    "fused": "whole definitions by fewer operations that give the same, in compiled kernels",
    "numpy": "every gate evaluated on its own, in plain NumPy: the readable judge, slower",
}
"""What each of them does with gates; they differ in nothing else but time."""
EVERY_GATE: Final = ("literal", "numpy")
"""Those that hold the value of every wire after every gate, which some counts take."""


def executor_named(name: str | None) -> str:
    """The executor that runs where `name` is asked for; None: literal, numpy without Numba.

    Raises InputError for a name that is none, and for kernels that cannot be compiled here.

    >>> executor_named("numpy")
    'numpy'
    """
    if name is None:
        return "literal" if HAVE_NUMBA else "numpy"
    if name not in EXECUTORS:
        raise InputError(f"unknown executor {name!r}; choose one of {', '.join(EXECUTORS)}")
    if name != "numpy" and not HAVE_NUMBA:
        raise InputError(
            f"executor {name!r} is compiled by Numba, which cannot be used here ({WHY_NO_NUMBA}): "
            "choose numpy, which gives the same bits, slower"
        )
    return name


def check_every_gate(executor: str, **wanted: bool) -> None:
    """Refuse options that take the value of every wire in an executor that skips gates."""
    for option, given in wanted.items():
        if given and executor not in EVERY_GATE:
            raise InputError(
                f"{option} takes every gate, and executor {executor!r} runs whole definitions at "
                f"once: choose executor {' or '.join(EVERY_GATE)}"
            )


@dataclass(frozen=True)
class Evaluated:
    """Which executor ran, and gates times rows: those evaluated one by one, and those whose results
    came of fewer operations on whole definitions (`equivalent`). The two are never added up.

    >>> str(Evaluated("literal", 1234) + Evaluated("literal", 1000))
    '2,234 gate evaluations'
    """

    executor: str
    one_by_one: int
    equivalent: int = 0

    def __add__(self, other: "Evaluated") -> "Evaluated":
        return Evaluated(
            self.executor, self.one_by_one + other.one_by_one, self.equivalent + other.equivalent
        )

    def __str__(self) -> str:
        words = f"{self.one_by_one:,} gate evaluations"
        if self.equivalent:
            words += f"; the equivalent of {self.equivalent:,} more"
        return words

    def as_dict(self) -> dict[str, Any]:
        """Plain values, in the layout of `--json`."""
        return {
            "executor": self.executor,
            "gate_evaluations": self.one_by_one,
            "equivalent_gates": self.equivalent,
        }
