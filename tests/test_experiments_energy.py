"""Headlines of the experiments on temperature, negentropy and the brain, each found another way."""

import numpy as np
import pytest
from outcomes import outcome_of

from revsim.experiments.experiment import Outcome
from revsim.physics.landauer import BOLTZMANN
from revsim.pipeline import verify


@pytest.fixture
def temperature() -> Outcome:
    return outcome_of("temperature")


def test_an_ideal_refrigerator_leaves_nothing_to_gain(temperature: Outcome) -> None:
    assert temperature.holds
    assert temperature.series["wall"]["1"] == pytest.approx([1.0] * 241, rel=1e-12)
    cold = np.array(temperature.series["cold_k"])
    assert temperature.series["device"] == pytest.approx(cold / 300, rel=1e-12)
    for eta in (0.3, 0.1, 0.05):
        expected = cold / 300 * (1 + (300 / cold - 1) / eta)
        assert temperature.series["wall"][f"{eta:g}"] == pytest.approx(expected, rel=1e-12)


def test_only_leakage_makes_cooling_pay(temperature: Outcome) -> None:
    assert temperature.numbers["interior_optima"] > 0
    assert temperature.numbers["best_gain"] > 1
    for curve in temperature.series["paid"].values():
        k = int(np.argmin(curve))
        assert 0 < k < len(curve) - 1, "an optimum strictly inside"
    heat = temperature.series["heat"]
    assert heat == sorted(heat), "the device itself always gains from the cold"


def test_negentropy_is_bits_times_a_constant() -> None:
    outcome = outcome_of("negentropy")
    assert outcome.holds
    total = verify("digits", policy="activation_reset").runs[0].total
    for name, values in outcome.series["negentropy"].items():
        assert len(set(values)) == 1
        bits = getattr(total, name)
        assert values[0] == pytest.approx(bits * BOLTZMANN * np.log(2), rel=1e-12, abs=0)
        assert outcome.series["joules"][name] == pytest.approx(
            [values[0] * t for t in (4.2, 77.0, 300.0)], rel=1e-12, abs=0
        )


def test_shares_of_the_brain_follow_from_the_rates_alone() -> None:
    """Rates are log-uniform over two decades; the spread of neurons moves a share by little."""
    outcome = outcome_of("brain")
    assert outcome.holds is False
    stream = 1 - (np.log10(1e12 / (2 * 8.61e10)) + 1) / 2
    assert outcome.numbers["share_stream"] == pytest.approx(stream, abs=0.01)
    assert outcome.numbers["share_reset"] < 0.001
    assert outcome.numbers["share_entropy"] == pytest.approx(0.49, abs=0.01)
    assert outcome.numbers["share_synaptic"] == 1
    assert "reset and synaptic" in outcome.sentence
