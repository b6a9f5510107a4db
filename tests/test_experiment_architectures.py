"""Experiments on precision and architectures: their headline facts against known answers."""

import pytest
from oracle_circuits import KNOWN
from outcomes import outcome_of

from revsim.experiments.architectures import families
from revsim.experiments.experiment import Outcome
from revsim.experiments.precision import gaussian_weights
from revsim.network.bundled import bundled
from revsim.network.handmade import HANDMADE

CASES = {
    "softmax": 84,
    "layer norm": 85,
    "attention scores": 209,
    "shift register": 205,
    "SSM, kept": 206,
    "SSM, dropped": 207,
    "binary neurons": 200,
    "coupling (RevNet)": 203,
    "plain residual": 204,
    "KAN edge, square": 73,
    "KAN edge, SiLU": 274,
    "tree, leaf only": 208,
}


def architectures() -> Outcome:
    return outcome_of("architectures")


def precision() -> Outcome:
    return outcome_of("precision")


@pytest.mark.parametrize("label", CASES)
def test_each_family_loses_the_known_answer(label: str) -> None:
    lost = architectures().numbers[f"lost_{label}"]
    assert lost == pytest.approx(KNOWN[CASES[label]]["value"], abs=1e-9)


def test_every_policy_loses_the_same_and_the_counts_differ() -> None:
    outcome = architectures()
    assert outcome.holds
    assert outcome.numbers["greatest_erased_with_input_kept"] == 0
    assert outcome.numbers["binary_neurons_one_by_one"] == pytest.approx(
        KNOWN[201]["value"], abs=1e-9
    )
    # What loses nothing and destroys its input resets all of it, 8 bits of the coupling's.
    assert outcome.numbers["least_per_bit_of_the_lossless"] == pytest.approx(8, abs=1e-9)
    # The counts do not tell how much is lost: what loses most is not what resets most.
    lost, reset = outcome.series["lost"], outcome.series["per_bit"]
    places = range(len(lost))
    assert sorted(places, key=lambda k: lost[k]) != sorted(places, key=lambda k: reset[k])


def test_all_families_are_enumerated() -> None:
    assert {f.network.name for f in families()} >= set(HANDMADE)
    for name in HANDMADE:
        assert bundled(name).name == name


@pytest.mark.parametrize(("width", "case"), [(2, 55), (4, 56), (8, 57), (16, 58)])
def test_a_relu_of_w_bits_loses_the_known_answer(width: int, case: int) -> None:
    words = {p["bits"]: p for p in precision().series["words"]}
    known = pytest.approx(KNOWN[case]["value"], abs=1e-9)
    assert words[width]["given_kept"] == known == words[width]["theorem"]


def test_precision_costs_half_a_bit_a_bit_until_few_inputs_make_the_sum() -> None:
    outcome = precision()
    assert outcome.holds
    assert outcome.numbers["slope_uniform"] == pytest.approx(0.5, abs=0.01)
    settled = [p for p in outcome.series["small"] if p["bits"] >= 8]
    assert len({round(p["given_kept"], 9) for p in settled}) == 1
    assert len({p["reset_count"] for p in settled}) == len(settled)


@pytest.mark.parametrize("width", [4, 6, 8])
def test_a_gaussian_ensemble_has_its_moments(width: int) -> None:
    weights = gaussian_weights(width)
    half = 1 << (width - 1)
    assert len(weights) == 2 * half and int(weights.min()) >= 0
    values = range(-half, half)
    total = int(weights.sum())
    mean = sum(v * int(w) for v, w in zip(values, weights, strict=True)) / total
    square = sum(v * v * int(w) for v, w in zip(values, weights, strict=True)) / total
    assert mean == pytest.approx(0, abs=0.01)
    # Rounding adds 1/12; clipping at three deviations takes about 1 % off.
    assert square == pytest.approx((2**width / 6) ** 2 + 1 / 12, rel=0.03)
