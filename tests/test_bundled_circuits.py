"""Every trained network as a circuit: equal to its reference, all checks and identities hold."""

import pytest

import revsim as rs
from revsim.network.bundled import SEEDED, TRAINED, bundled, bundled_data, bundled_seeds
from revsim.schedule.policy import POLICIES

ROWS = 40
EVERY_POLICY = {"digits_4bit", "digits_sign", "digits_rows", "digits_tree"}
"""The others by one: policies and operators have tests of their own, this is about the networks."""
CASES = [
    (name, policy)
    for name in TRAINED
    for policy in (POLICIES if name in EVERY_POLICY else ("activation_reset",))
    if not policy.startswith("pebble")
]


@pytest.mark.parametrize(("name", "policy"), CASES)
def test_trained_network_holds_in_gates(name, policy):
    rows, labels = (part[:ROWS] for part in bundled_data(name))
    report = rs.verify(bundled(name), rows, labels=labels, policy=policy)
    assert report.holds
    assert {check.id for check in report.runs[0].circuit_checks} >= {"outputs", "ancillas"}


@pytest.mark.parametrize("name", SEEDED)
def test_seeds_hold_in_gates(name):
    rows, _ = bundled_data(name)
    for network in bundled_seeds(name)[::5]:
        assert rs.verify(network, rows[:ROWS], policy="activation_reset").holds
