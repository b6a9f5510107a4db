"""Outcomes of experiments, each run once for all tests that look at it."""

from functools import cache

from revsim.experiments.experiment import Outcome
from revsim.experiments.registry import experiment


@cache
def outcome_of(name: str) -> Outcome:
    """What `revsim experiment NAME` finds."""
    return experiment(name).run()
