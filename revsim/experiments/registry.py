"""Every experiment by name, in order; each is imported when it is asked for."""

from importlib import import_module
from typing import Final

from revsim.errors import InputError
from revsim.experiments.experiment import Experiment

NAMES: Final[tuple[str, ...]] = (
    "bound",
    "losses",
    "linear",
    "precision",
    "sparsity",
    "routing",
    "streams",
    "pebbling",
    "netlists",
    "mismatch",
    "temperature",
    "negentropy",
    "brain",
    "quasistatic",
    "architectures",
    "tautology",
    "classroom",
    "atlas",
    "imperfect_erasure",
)
"""Names in order of number; `NAME` is `EXPERIMENT` of the module `revsim.experiments.NAME`."""


def experiment(name: str) -> Experiment:
    """The experiment of that name, or an InputError that lists the names there are."""
    if name not in NAMES:
        raise InputError(f"there is no experiment {name!r}; the names are {', '.join(NAMES)}")
    found: Experiment = import_module(f"revsim.experiments.{name}").EXPERIMENT
    return found
