"""Headline facts of the two experiments on slow driving: one bit, and a network as one energy."""

import math
from itertools import pairwise

import numpy as np
import pytest
from outcomes import outcome_of

from revsim.experiments.classroom import PATHS
from revsim.experiments.registry import experiment
from revsim.physics.landauer import binary_entropy
from revsim.physics.two_level import LN2, partial_erasure


def test_one_bit_at_five_speeds() -> None:
    outcome = outcome_of("classroom")
    numbers = outcome.numbers
    assert outcome.holds
    assert numbers["worst_deviation_standard_errors"] <= 3
    assert numbers["slowest_mean_work_kT"] > partial_erasure(1 - numbers["slowest_success"])
    assert numbers["excess_times_tau_at_50"] > numbers["least_excess_times_tau"]
    assert numbers["control_at_200_kT"] < 0.05
    excess = outcome.series["excess_grid"]
    assert all(a > b > 0 for a, b in pairwise(excess))
    scaled = dict(zip(outcome.series["tau"], np.array(excess) * outcome.series["tau"], strict=True))
    assert scaled[10.0] == pytest.approx(scaled[50.0], rel=0.1)
    assert scaled[200.0] < 0.8 * scaled[50.0]  # errors lower the work: the sentence says so
    assert "as 1/tau at 10 to 50" in outcome.sentence and "at 200, where" in outcome.sentence
    measurement = experiment("classroom").measurement
    assert all(f"{PATHS[tau]:,}" in measurement for tau in (min(PATHS), max(PATHS)))


def test_a_network_is_free_until_its_neurons_are_reset() -> None:
    outcome = outcome_of("quasistatic")
    numbers, series = outcome.numbers, outcome.series
    assert outcome.holds
    # xor: one neuron is on for three inputs of four, the other for one
    assert numbers["floor_kT"] == pytest.approx(2 * binary_entropy(0.25) * LN2)
    assert numbers["slowest_with_resets_kT"] > numbers["floor_kT"] > 100 * series["limit"][-1]
    times, works = series["simulated"]
    assert f"simulated {works[-1]:.3f} k_B T at tau = {times[-1]:,.0f}, extra" in outcome.sentence
    slope = math.log(works[-1] / works[-2]) / math.log(times[-1] / times[-2])
    assert slope == pytest.approx(-1, abs=0.02)
    latch_times, loops = series["latch"]
    slope = math.log(loops[-1] / loops[-2]) / math.log(latch_times[-1] / latch_times[-2])
    assert -0.2 < slope < 0  # hysteresis: hardly less for going slower
    assert numbers["training_lower_bound_2ND_kT"] == pytest.approx(2 * 9 * 4)
