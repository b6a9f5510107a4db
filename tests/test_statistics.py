"""Estimators, intervals and the row bootstrap: theorems, independent methods, coverage."""

import itertools
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revsim.errors import InputError
from revsim.ledger import bootstrap, intervals
from revsim.ledger.estimators import (
    ESTIMATORS,
    chao_shen,
    estimator,
    expected_miller_madow,
    expected_plug_in,
    grassberger,
    miller_madow,
    nsb,
    plug_in,
    plug_in_bias,
    rows_needed,
)
from revsim.ledger.intervals import h2

COUNTS = st.lists(st.integers(0, 60), min_size=1, max_size=12).filter(any)
NAMES = tuple(ESTIMATORS)


# --- estimators -----------------------------------------------------------------------------------


@given(COUNTS, st.randoms())
@pytest.mark.parametrize("name", NAMES)
def test_order_and_unseen_values_do_not_matter(name, counts, random):
    shuffled = [*counts, 0, 0]
    random.shuffle(shuffled)
    known = ESTIMATORS[name](counts, 20)
    assert ESTIMATORS[name](shuffled, 20) == pytest.approx(known, rel=1e-12, abs=1e-12)


@given(COUNTS)
def test_bounds(counts):
    seen = sum(c > 0 for c in counts)
    assert 0 <= plug_in(counts) <= math.log2(seen) + 1e-12
    excess = miller_madow(counts) - plug_in(counts)
    assert excess == pytest.approx((seen - 1) / (2 * sum(counts) * math.log(2)))
    assert chao_shen(counts) >= 0
    assert 0 <= nsb(counts, 20) <= math.log2(20)


@pytest.mark.parametrize("name", NAMES)
def test_consistent_on_a_large_sample(name):
    stream = np.random.default_rng(1)
    p = stream.dirichlet(np.full(16, 0.6))
    truth = float(-(p * np.log2(p)).sum())
    counts = stream.multinomial(400_000, p)
    error = intervals.standard_error(counts)
    assert ESTIMATORS[name](counts, 16) == pytest.approx(truth, abs=4 * error)
    assert error < 0.005


def test_every_correction_takes_away_most_of_the_plug_in_bias():
    stream = np.random.default_rng(2)
    p = np.full(64, 1 / 64)
    samples = stream.multinomial(100, p, size=300)
    bias = {n: np.mean([f(c, 64) for c in samples]) - 6 for n, f in ESTIMATORS.items()}
    assert bias["plug_in"] < bias["miller_madow"] < bias["grassberger"] < 0.05
    for name in ("miller_madow", "chao_shen", "grassberger", "nsb"):
        assert abs(bias[name]) < 0.6 * abs(bias["plug_in"]), bias
    assert bias["plug_in"] == pytest.approx(expected_plug_in(p, 100) - 6, abs=0.01)


@pytest.mark.parametrize(("p", "rows"), [((0.5, 0.5), 6), ((0.7, 0.2, 0.1), 5), ((1.0, 0.0), 4)])
def test_exact_expectations_against_all_samples_there_are(p, rows):
    plain = corrected = 0.0
    for drawn in itertools.product(range(len(p)), repeat=rows):
        chance = math.prod(p[v] for v in drawn)
        counts = np.bincount(drawn)
        plain += chance * plug_in(counts)
        corrected += chance * miller_madow(counts)
    assert expected_plug_in(p, rows) == pytest.approx(plain, abs=1e-12)
    assert expected_miller_madow(p, rows) == pytest.approx(corrected, abs=1e-12)


def test_the_leading_bias_is_that_of_the_exact_expectation():
    p = np.full(8, 1 / 8)
    for rows in (1000, 10_000):
        exact = expected_plug_in(p, rows) - 3
        assert exact == pytest.approx(plug_in_bias(8, rows), rel=5 / rows * 8)
    assert plug_in_bias(256, round(rows_needed(256))) == pytest.approx(-0.01, rel=1e-4)


def test_grassberger_by_the_recurrence_of_his_paper():
    g = {1: -np.euler_gamma - math.log(2)}
    g[2] = 2 + g[1]
    for n in range(3, 40):
        g[n] = g[n - 1] if n % 2 else g[n - 2] + 2 / (n - 1)
    counts = [1, 1, 2, 5, 8, 39]
    total = sum(counts)
    nats = math.log(total) - sum(n * g[n] for n in counts) / total
    assert grassberger(counts) == pytest.approx(nats / math.log(2), rel=1e-12)


def test_chao_shen_where_every_value_was_seen_once():
    """Coverage 1/N, not 0: of N values each has p = 1/N^2."""
    for n in (2, 10, 50):
        p = 1 / n**2
        known = -n * p * math.log2(p) / (1 - (1 - p) ** n)
        assert chao_shen([1] * n) == pytest.approx(known) and known > math.log2(n)
    assert chao_shen([1]) == 0.0


@pytest.mark.parametrize("counts", [(3, 1), (9, 1), (20, 7)])
def test_nsb_of_a_bit_by_integrating_over_every_coin_and_every_prior(counts):
    from scipy import special

    t = np.linspace(-40, 40, 4001)  # p = logistic(t)
    log_p, log_q = -np.logaddexp(0, -t), -np.logaddexp(0, t)
    entropy = h2(np.exp(log_p))
    u = np.linspace(-14, 14, 1401)
    above = below = 0.0
    for b in np.exp(u):
        slope = 2 * special.polygamma(1, 2 * b + 1) - special.polygamma(1, b + 1)
        logs = (counts[0] + b) * log_p + (counts[1] + b) * log_q - special.betaln(b, b)
        weight = np.exp(logs) * slope * b
        above += float((weight * entropy).sum())
        below += float(weight.sum())
    assert nsb(counts, 2) == pytest.approx(above / below, rel=1e-5)


def test_nsb_takes_vast_alphabets():
    assert 9.9 < nsb([1] * 1000, 2.0**64) < 64
    assert nsb([5], 1) == 0.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plug_in([]), "nothing was counted"),
        (lambda: plug_in([0, 0]), "nothing was counted"),
        (lambda: plug_in([1, -2]), "entry 1 is negative"),
        (lambda: plug_in([0.5, 1.0]), "whole numbers"),
        (lambda: nsb([1, 1, 1], 2), "at least the 3 seen; got 2"),
        (lambda: nsb([1, 1, 1]), "number of possible values"),
        (lambda: estimator("bayes"), "unknown estimator 'bayes'; choose one of plug_in"),
        (lambda: expected_plug_in([0.5, 0.6], 10), "add up to 1"),
        (lambda: rows_needed(4, 0.0), "above 0 bits"),
        (lambda: intervals.wilson([5], 4), "0..4"),
        (lambda: intervals.wilson([1], 4, 1.0), "between 0 and 1"),
        (lambda: intervals.bit_standard_error(1.5, 4), "0..1"),
        (lambda: next(bootstrap.resampled(0, 10, 0)), "1 to 1,048,576 rows, got 0"),
        (lambda: next(bootstrap.resampled(5, 1, 0)), "2 replicates or more"),
        (lambda: next(bootstrap.resampled(5, 10, -1)), "seed must be 0 or more"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize("name", ["grassberger", "nsb"])
def test_without_scipy_the_extra_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(InputError, match=r"pip install '\.\[stats\]' in its clone"):
        estimator(name)
    assert estimator("chao_shen")([2, 2], 2) > 0


# --- intervals ------------------------------------------------------------------------------------


def test_standard_errors_agree_and_vanish_for_a_fair_coin():
    for ones in (1, 250, 499):
        of_counts = intervals.standard_error([ones, 1000 - ones])
        assert intervals.bit_standard_error(ones / 1000, 1000) == pytest.approx(of_counts)
    assert intervals.standard_error([500, 500]) == 0
    assert intervals.bit_standard_error(0.5, 1000) == 0


def test_wilson_against_scipy():
    from scipy.stats import binomtest

    for ones, rows in ((0, 30), (1, 30), (15, 30), (30, 30), (433, 1797)):
        known = binomtest(ones, rows).proportion_ci(0.9, method="wilson")
        low, high = intervals.wilson([ones], rows, 0.9)
        assert (low[0], high[0]) == pytest.approx((known.low, known.high), abs=1e-12)


@given(st.integers(0, 200), st.floats(0, 1))
def test_limits_of_h2_hold_every_p_between_the_limits_of_p(ones, share):
    low, high = (v[0] for v in intervals.wilson([ones], 200))
    below, above = (v[0] for v in intervals.bit_entropy_limits([ones], 200))
    inside = float(h2(low + share * (high - low)))
    assert below - 1e-12 <= inside <= above + 1e-12
    assert below <= h2(ones / 200) <= above


@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.77])
def test_limits_of_h2_cover_as_often_as_they_say(p):
    """Exactly: the chance of every number of ones, no sampling."""
    rows = 400
    k = np.arange(rows + 1)
    chance = np.array([math.comb(rows, int(n)) * p**n * (1 - p) ** (rows - n) for n in k])
    low, high = intervals.bit_entropy_limits(k, rows)
    covered = chance[(low <= h2(p)) & (h2(p) <= high)].sum()
    assert 0.93 < covered < 0.985


def test_the_limit_for_any_distribution_solves_its_inequality():
    e = intervals.any_distribution(5000, 0.9)
    assert 2 * math.exp(-5000 * e**2 / (2 * math.log2(5000) ** 2)) == pytest.approx(0.1)


# --- the row bootstrap ----------------------------------------------------------------------------


@pytest.mark.parametrize("values", [5, 2000])
def test_replicates_are_those_of_rows_drawn_one_by_one(values, monkeypatch):
    stream = np.random.default_rng(3)
    rows = 900
    bits = stream.random((6, rows)) < 0.3
    labels = bootstrap.labels_of(stream.integers(0, values, (rows, 1)))
    assert (int(labels.max()) + 1 > bootstrap.FEW) == (values == 2000)
    (whole,) = bootstrap.resampled(rows, 7, 11)
    entropies = bootstrap.resampled_bit_entropy(whole, bits)
    joint = bootstrap.resampled_joint_entropy(whole, labels)
    for k in range(7):
        chosen = np.random.default_rng(np.random.SeedSequence([11, k])).integers(0, rows, rows)
        assert entropies[k] == pytest.approx(h2(bits[:, chosen].mean(axis=1)).sum(), rel=1e-12)
        assert joint[k] == pytest.approx(plug_in(np.bincount(labels[chosen])), rel=1e-12)
    monkeypatch.setattr(bootstrap, "CELLS", 2 * rows)  # other blocks, same numbers
    parts = list(bootstrap.resampled(rows, 7, 11))
    assert len(parts) == 4 and (np.concatenate(parts) == whole).all()
    again = np.concatenate([bootstrap.resampled_bit_entropy(part, bits) for part in parts])
    assert again == pytest.approx(entropies, rel=1e-12)


def test_rows_carry_the_correlations_of_neurons():
    """16 neurons that always agree move together: 16 times the spread of one, not 4 times."""
    rows, p = 2000, 0.2
    bit = np.random.default_rng(4).random(rows) < p
    (counts,) = bootstrap.resampled(rows, 400, 0)
    spread = float(np.std(bootstrap.resampled_bit_entropy(counts, np.tile(bit, (16, 1)))))
    known = intervals.bit_standard_error(float(bit.mean()), rows)
    assert spread == pytest.approx(16 * known, rel=0.1)


def test_pairs_move_together():
    """At p = 0.2 entropy rises by 2 bits per neuron: minus activity, 1 remains, not hypot(2, 1)."""
    rows = 2000
    bits = np.tile(np.random.default_rng(5).permutation(rows) < 400, (16, 1))
    (counts,) = bootstrap.resampled(rows, 400, 0)
    entropy = bootstrap.resampled_bit_entropy(counts, bits)
    active = bootstrap.resampled_ones(counts, bits).sum(axis=1) / rows
    paired = np.std(entropy - active) / (16 * math.sqrt(0.2 * 0.8 / rows))
    assert paired == pytest.approx(1, rel=0.1)
    assert np.hypot(np.std(entropy), np.std(active)) > 2 * np.std(entropy - active)


def test_a_tail_of_replicates_above_moves_the_lower_limit():
    """Where samples now and then show much more than there is, the truth may lie far below."""
    replicates = np.repeat([0.0, 10.0], [900, 100])
    assert bootstrap.interval(5.0, replicates) == pytest.approx((5 - 9, 5 + 1))


def test_coverage_on_a_known_distribution():
    """Eight correlated neurons of three fair bits: sum h2 - sum p is known exactly."""
    x = (np.arange(8)[:, None] >> np.arange(3)) & 1
    total = x.sum(axis=1)
    states = np.array(
        [*(total > k for k in range(3)), x[:, 0] > 0, *(total < 3 for _ in range(4))], np.bool_
    )
    p = states.mean(axis=1)
    truth = float(h2(p).sum() - p.sum())
    rows, samples, covered = 250, 150, 0
    for sample in range(samples):
        drawn = np.random.default_rng([7, sample]).integers(0, 8, rows)
        bits = states[:, drawn]
        (counts,) = bootstrap.resampled(rows, 200, sample)
        entropy = bootstrap.resampled_bit_entropy(counts, bits)
        active = bootstrap.resampled_ones(counts, bits).sum(axis=1) / rows
        ones = bits.sum(axis=1)
        value = sum(miller_madow([n, rows - n]) for n in ones) - ones.sum() / rows
        low, high = bootstrap.interval(float(value), entropy - active)
        covered += low <= truth <= high
    assert 0.88 * samples <= covered <= 0.995 * samples
