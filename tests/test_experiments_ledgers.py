"""Experiments 9, 10 and 16: what their outcomes must say if the theorems behind them are true."""

import json
from pathlib import Path

import numpy as np
import pytest
from outcomes import outcome_of as outcome

from revsim.experiments import mismatch, netlists, tautology

KNOWN = {
    case["name"]: case["value"]
    for case in json.loads(Path(__file__).with_name("oracle_cases.json").read_text())["cases"]
}


def test_netlists_agree_on_the_function_and_on_nothing_else() -> None:
    found = outcome("netlists")
    assert found.holds
    for number, name in (
        ("half_adder_aig", "half_adder_gatesum_4AND_AIG"),
        ("half_adder_xor_and", "half_adder_gatesum_XOR_AND"),
        ("half_adder_map", "half_adder_block"),
    ):
        assert found.numbers[number] == pytest.approx(KNOWN[name], rel=1e-9)
    rows = next(iter(found.tables.values())).rows
    for width in "1248":
        losses = {round(row[6], 9) for row in rows if row[0] == width and row[2] == "uniform"}
        gates = {round(row[5], 9) for row in rows if row[0] == width and row[2] == "uniform"}
        assert len(losses) == 1 and len(gates) == len(netlists.FORMS)


def test_the_best_netlist_depends_on_the_inputs() -> None:
    uniform = {form: netlists.measured(4, form).loss.copied for form in netlists.FORMS}
    sparse = {form: netlists.measured(4, form, skewed=True).loss.copied for form in netlists.FORMS}
    assert min(uniform, key=lambda f: uniform[f]) != min(sparse, key=lambda f: sparse[f])
    assert "depends on the inputs" in outcome("netlists").sentence


def test_a_wrong_prior_never_helps_and_single_rows_add_up() -> None:
    found, erased = mismatch.measure()
    assert outcome("mismatch").holds and erased > 1000
    for met in found.values():
        assert met.excess >= 0
        assert met.heat.mean() == pytest.approx(met.tuned.per_bit, rel=1e-12)
    own = found["training rows"]
    assert own.excess < 1  # half a row added to each value, no more
    assert own.excess < found["test rows"].excess
    strange = [met for name, met in found.items() if name.startswith("test, ")]
    assert all(met.excess > 10 * found["test rows"].excess for met in strange)


def test_area_under_the_curve() -> None:
    usual, strange = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0])
    assert mismatch.told_apart(usual, strange) == pytest.approx((1.5 + 3) / 6)
    assert mismatch.told_apart(usual, usual) == 0.5


def test_counting_resets_passes_whatever_is_wired() -> None:
    found = outcome("tautology")
    assert found.holds
    for reading in ("active", "changed"):
        assert found.numbers[f"reset_count_reaches_{reading}"] == 1
        assert found.numbers[f"given_kept_reaches_{reading}"] == 0
    assert found.numbers["reset_count_reaches_strangers"] == 1
    assert found.numbers["per_bit_reaches_twice_changed"] == 1  # theorem T7b
    assert 0 < found.numbers["per_group_reaches_active"] < 1  # a test that can fail


def test_the_ladder_holds_for_every_random_wiring() -> None:
    random = np.random.default_rng(1)
    for neurons in (1, 7, 20):
        wired = tautology.measure(random, neurons)
        ledgers = wired.ledgers
        assert ledgers.reset_count == neurons >= wired.active
        assert ledgers.per_bit >= ledgers.per_group >= 0
        assert ledgers.per_group <= tautology.INPUTS + 1e-9
        assert ledgers.given_kept == pytest.approx(0, abs=1e-9)
        assert ledgers.ones_flipped == pytest.approx(wired.active)
