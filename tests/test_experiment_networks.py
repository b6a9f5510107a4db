"""Experiments 2, 5 and 6: losses by operator, sparsity, routing; their headline facts."""

import itertools
import re

import numpy as np
import pytest
from outcomes import outcome_of

from revsim.experiments.losses import PART_OF, by_part, operator_losses, random_network
from revsim.experiments.routing import TRAINED, every_choice, routing, stream, trained_masks
from revsim.experiments.sparsity import entropy_law, fit
from revsim.ledger.reference import joint_entropy
from revsim.network.bundled import bundled, bundled_data, bundled_seeds
from revsim.network.network import Network
from revsim.network.operators import Dense
from revsim.network.reference import run_reference
from revsim.physics.landauer import binary_entropy
from revsim.simulator.ensemble import uniform

# --- 2: losses ----------------------------------------------------------------------------------


def every_input(network: Network) -> np.ndarray:
    return uniform(network.input_low, network.input_high).rows


def test_losses_add_up_and_none_is_negative():
    random = np.random.default_rng(1)
    for _ in range(40):
        network = random_network(random)
        rows = every_input(network)
        losses = operator_losses(network, rows)
        out = run_reference(network, rows)[-1].y
        assert sum(x.bits for x in losses) == pytest.approx(
            joint_entropy(rows) - joint_entropy(out), abs=1e-9
        )
        assert by_part(losses).sum() == pytest.approx(sum(x.bits for x in losses), abs=1e-12)
        assert [x.kind for x in losses] == [operator.kind for operator in network.operators]


def test_weights_count_as_repeated_rows():
    network = bundled("toy")
    rows = every_input(network)
    weights = np.arange(1, len(rows) + 1)
    repeated = operator_losses(network, np.repeat(rows, weights, axis=0))
    for a, b in zip(operator_losses(network, rows, weights), repeated, strict=True):
        assert a.bits == pytest.approx(b.bits, abs=1e-12)


def test_an_injective_linear_layer_loses_nothing_and_a_sum_does():
    low, high = np.zeros(2, np.int64), np.full(2, 3, np.int64)
    shear = Network("shear", low, high, (Dense(np.array([[1, 1], [0, 1]]), np.zeros(2, np.int64)),))
    total = Network("sum", low, high, (Dense(np.array([[1, 1]]), np.zeros(1, np.int64)),))
    assert operator_losses(shear, every_input(shear))[0].bits == 0
    assert operator_losses(total, every_input(total))[0].bits == pytest.approx(4 - 2.65563906, 1e-6)


def test_losses_experiment():
    outcome = outcome_of("losses")
    assert outcome.numbers["xor_linear"] == pytest.approx(1)
    assert outcome.numbers["xor_activation"] == 0
    assert outcome.numbers["xor_gates_against_reference"] < 1e-9
    assert 0.25 < outcome.numbers["random_linear_dominated_share"] < 0.37
    least = outcome.numbers["least_argmax_share_of_classifiers"]
    said = re.search(r"at least ([0-9.]+)%", outcome.sentence)
    assert least > 0.99 and said and 0 <= 100 * least - float(said[1]) < 0.1
    for net in bundled_seeds("digits16"):  # of each seed, not of their mean
        losses = by_part(operator_losses(net, every_input(net)))
        assert losses[2] >= (least - 1e-12) * losses.sum()
    assert outcome.holds is False
    assert set(PART_OF.values()) == {"linear", "argmax"}


# --- 5: sparsity --------------------------------------------------------------------------------


def test_entropy_law_is_that_of_rare_neurons():
    for on in (1e-2, 1e-3, 1e-4):
        assert entropy_law(100, on) == pytest.approx(100 * binary_entropy(on), rel=on)


def test_fit_finds_a_factor_and_what_is_left():
    law = np.array([1.0, 2.0, 4.0])
    assert fit(3 * law, law) == pytest.approx((3.0, 0.0))
    assert fit(law * [2, 1, 0.5], law) == pytest.approx((1.0, np.sqrt(2 / 3)))


def test_sparsity_experiment():
    outcome = outcome_of("sparsity")
    for points in outcome.series["points"].values():
        for p in points:
            assert p["pattern_entropy"] <= p["in_eights"] <= p["neuron_entropy"] + 1e-9
            # concavity: neurons that are all on equally often have the most entropy
            assert p["neuron_entropy"] <= 64 * binary_entropy(p["on"]) + 1e-9
            assert p["pattern_entropy"] <= outcome.series["ceiling"]
    numbers = outcome.numbers
    assert outcome.holds
    for family in ("L1", "topk"):
        key = f"{family}_neuron_entropy"
        assert numbers[f"{key}_log_residual"] < numbers[f"{key}_linear_residual"] / 2
        assert numbers[f"{key}_exponent"] < 0.8
    assert numbers["topk_neuron_entropy_ratio"] < numbers["topk_activity_ratio"] / 2
    assert numbers["l1_dead_neurons"] > 32


# --- 6: routing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("experts", "k"), [(4, 1), (6, 3), (8, 6)])
def test_uniform_routing_by_formula(experts, k):
    found = routing(every_choice(experts, k))
    assert found.transitions == pytest.approx(k)
    assert found.toggles == pytest.approx(2 * k * (1 - k / experts))
    assert found.entropy == pytest.approx(np.log2(len(every_choice(experts, k))))
    assert found.bit_entropy == pytest.approx(experts * binary_entropy(k / experts))


@pytest.mark.parametrize("name", TRAINED)
def test_streams_lie_between_independent_and_alike(name):
    masks, k = trained_masks(name)
    _, labels = bundled_data(name)
    alone, free = routing(masks), stream(masks, labels, 0.0)
    assert (masks.sum(axis=1) == k).all()
    assert free.entropy == pytest.approx(alone.entropy)
    assert free.toggles == pytest.approx(alone.toggles)
    assert free.bit_entropy == pytest.approx(alone.bit_entropy)
    steps = [stream(masks, labels, c) for c in (0.0, 0.3, 0.6, 0.9, 1.0)]
    for a, b in itertools.pairwise(steps):
        assert b.entropy < a.entropy and b.toggles < a.toggles
    for step in steps:
        assert step.entropy <= step.bit_entropy + 1e-9


def test_a_stream_of_one_class_by_sampling():
    masks, _ = trained_masks("digits_moe_top2")
    _, labels = bundled_data("digits_moe_top2")
    random = np.random.default_rng(0)
    first = random.integers(0, len(masks), 100_000)
    of_class = [np.flatnonzero(labels == c) for c in range(10)]
    second = np.array([random.choice(of_class[c]) for c in labels[first]])
    toggles = (masks[first] != masks[second]).sum(axis=1).mean()
    assert stream(masks, labels, 1.0).toggles == pytest.approx(toggles, abs=0.02)


def test_routing_experiment():
    outcome = outcome_of("routing")
    numbers = outcome.numbers
    assert outcome.holds
    for name in ("moe_top1", "moe_top2", "moe_free"):
        assert numbers[f"{name}_transitions"] < numbers[f"{name}_entropy"]
        assert numbers[f"{name}_entropy"] < numbers[f"{name}_uniform_entropy"]
    assert numbers["moe_free_entropy"] < numbers["moe_top2_entropy"] - 1
    assert numbers["uniform_below_transitions"] == 1
