"""Experiments 2, 5 and 6: losses by operator, sparsity, routing; their headline facts."""

import numpy as np
import pytest

from revsim.experiments.losses import PART_OF, by_part, operator_losses, random_network
from revsim.experiments.losses import run as run_losses
from revsim.ledger.reference import joint_entropy
from revsim.network.bundled import bundled
from revsim.network.network import Network
from revsim.network.operators import Dense
from revsim.network.reference import run_reference
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
    outcome = run_losses()
    assert outcome.numbers["xor_linear"] == pytest.approx(1)
    assert outcome.numbers["xor_activation"] == 0
    assert outcome.numbers["xor_gates_against_reference"] < 1e-9
    assert 0.25 < outcome.numbers["random_linear_dominated_share"] < 0.37
    assert outcome.numbers["least_argmax_share_of_classifiers"] > 0.99
    assert outcome.holds is False
    assert set(PART_OF.values()) == {"linear", "argmax"}
