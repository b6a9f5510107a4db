"""What the experiment on imperfect erasure stands on, beside what every experiment must do."""

import numpy as np
from outcomes import outcome_of

from revsim.experiments.experiment import Outcome
from revsim.experiments.imperfect_erasure import CAREFUL, ERRORS, FACTOR, SPEEDS
from revsim.experiments.registry import experiment
from revsim.physics.two_level import LN2, partial_erasure


def outcome() -> Outcome:
    return outcome_of("imperfect_erasure")


def test_rare_failures_change_nothing_and_frequent_ones_leave_guessing() -> None:
    series = outcome().series
    for policy, values in series["accuracy"].items():
        rare = [
            a for a, e in zip(values, ERRORS, strict=True) if e * series["erased"][policy] < 0.1
        ]
        assert rare and all(abs(a - series["clean"][policy]) < 0.01 for a in rare)
        assert values[-1] < 0.25


def test_heat_falls_with_time_and_with_the_error_but_not_below_its_least() -> None:
    for policy, by_speed in outcome().series["heat"].items():
        heats = np.array([by_speed[f"{speed:g}"] for speed in SPEEDS])
        assert (np.diff(heats, axis=0) < 0).all(), policy
        assert (np.diff(heats, axis=1) < 0).all(), policy
        least = np.array([partial_erasure(e) for e in ERRORS]) / LN2
        slow = heats[-1] / outcome().series["erased"][policy]
        assert (slow > least - 0.02).all()  # of a fair bit; biased ones may pay a little less


def test_circuits_that_erase_more_must_erase_better() -> None:
    numbers = outcome().numbers
    few, many = numbers["tolerated_error_uncompute"], numbers["tolerated_error_conventional"]
    assert numbers["erased_bits_conventional"] > 100 * numbers["erased_bits_uncompute"]
    assert few > 10 * many
    assert f"{few:.1e}".replace("e-0", "e-") in outcome().sentence


def test_the_hypothesis_is_what_is_tested() -> None:
    failures = [v for k, v in outcome().numbers.items() if k.startswith("tolerated_failures_")]
    saved = [v for k, v in outcome().numbers.items() if k.startswith("heat_saved_share_")]
    assert outcome().holds == (max(failures) < FACTOR * min(failures) and min(saved) > 0)
    assert f"within a factor of {FACTOR}" in experiment("imperfect_erasure").hypothesis
    assert f"error of {CAREFUL:.0e}".replace("e-0", "e-") in outcome().sentence
