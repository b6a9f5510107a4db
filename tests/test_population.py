"""Claims about a population: what is refused and why, what is resolved, and what stays exact."""

import json
from functools import partial

import numpy as np
import pytest

import revsim as rs
from revsim.cli import main
from revsim.errors import InputError
from revsim.ledger.estimators import ESTIMATORS, miller_madow, rows_needed
from revsim.ledger.intervals import bit_entropy_limits
from revsim.ledger.population import (
    LEAST_ROWS,
    Claim,
    Difference,
    Joint,
    Quantity,
    claims,
)
from revsim.ledger.reference import joint_entropy
from revsim.network.bundled import bundled
from revsim.network.reference import run_reference
from revsim.physics.landauer import CROSSING
from revsim.report.tables import render_text
from revsim.simulator.ensemble import Ensemble


def by_name(found: tuple[Claim, ...]) -> dict[str, Claim]:
    return {claim.quantity: claim for claim in found}


def sample_of(network: str, rows: int, seed: int = 0) -> Ensemble:
    net = bundled(network)
    return rs.random_rows(net.input_low, net.input_high, rows, seed)


@pytest.fixture(scope="module")
def digits20() -> rs.Report:
    return rs.verify("digits20", sample_of("digits20", 3000, 1), population="miller_madow")


def test_a_report_says_nothing_of_a_population_unless_asked(digits20):
    plain = rs.verify("digits20", sample_of("digits20", 3000, 1)).as_dict()
    asked = digits20.as_dict()
    assert "population" not in plain and "sample" not in render_text(rs.verify("xor"))
    added = asked.pop("population")
    for report in (plain, asked):
        report.pop("provenance")
    assert asked == plain  # exact figures stay as they are
    assert set(added) == {
        *("estimator", "rows", "confidence", "bootstrap", "constant_neurons", "neurons"),
        "any_distribution_bits",
        *("readings", "states", "runs"),
    }


def test_intervals_of_a_sample_hold_the_population():
    """All 2^10 inputs of a small network are known, so the truth is; 3,000 are drawn."""
    stream = np.random.default_rng(6)
    weights = [stream.integers(-7, 8, (8, 10)), stream.integers(-7, 8, (3, 8))]
    net = rs.from_arrays(weights, shifts=[2, 0], input_range=(0, 1), output="argmax", name="small")
    exact = rs.verify(net, rs.uniform(net.input_low, net.input_high))
    sample = rs.random_rows(net.input_low, net.input_high, 3000, 1)
    found = rs.verify(net, sample, population="miller_madow").population
    p = np.array([row[2] for row in exact.neurons.rows])
    bounds = {"active neurons": p.sum(), "changed neurons": (2 * p * (1 - p)).sum()}
    truth = {claim.quantity: bounds[claim.quantity] for claim in found.readings}
    held = [c.low <= truth[c.quantity] <= c.high for c in found.readings]
    for run, (_, _, drawn) in zip(exact.runs, found.runs, strict=True):
        known = {c.quantity: c.quantity_bits for c in run.comparison}
        for claim in (*found.states, *drawn):
            if claim.estimate is not None:
                held.append(claim.low - 1e-9 <= known[claim.quantity] <= claim.high + 1e-9)
                for d in claim.differences:
                    difference = known[claim.quantity] - bounds[d.reading]
                    held.append(d.low - 1e-9 <= difference <= d.high + 1e-9)
                    assert abs(d.estimate - difference) < 6 * (d.high - d.low)
    assert len(held) > 40 and sum(held) >= 0.9 * len(held)
    for neuron, q in zip(found.neurons, p, strict=True):
        assert abs(neuron.activity - q) < 0.04
        assert neuron.entropy_low <= neuron.state_entropy <= neuron.entropy_high + 1e-3
        assert neuron.crossing in ("above" if q > CROSSING else "below", "not resolved")
    assert [n.name for n in found.neurons] == [f"layer1[{i}]" for i in range(8)]
    assert sum(n.low <= q <= n.high for n, q in zip(found.neurons, p, strict=True)) >= 7


def test_the_bundled_network_is_told_below_and_above(digits20):
    """As on all 2^20 inputs: below the active neurons, above the changed ones."""
    entropy = by_name(digits20.population.states)["neuron_entropy"]
    assert [d.verdict for d in entropy.differences] == ["below", "above"]
    assert entropy.high - entropy.low < 0.5


def test_estimates_of_all_runs_stand_beside_the_exact_figures(digits20):
    for run, (policy, choice, found) in zip(digits20.runs, digits20.population.runs, strict=True):
        assert (run.policy, run.input) == (policy, choice)
        total = by_name(found)["per_bit"]
        bias = run.total.reset_count / (2 * 3000 * np.log(2))  # at most, Miller and Madow's
        assert run.total.per_bit - 1e-9 <= total.estimate <= run.total.per_bit + bias + 1e-9
        assert total.low <= total.estimate <= total.high
        if policy == "conventional":
            assert total.method == "simultaneous Wilson" and "wider" in total.note
        elif run.total.reset_count:
            assert total.method == "row bootstrap" and total.low < total.high
    keep = by_name(digits20.population.runs[-1][2])
    assert (keep["given_kept"].low, keep["given_kept"].high) == (0, 0)  # nothing is erased, ever
    assert {d.verdict for d in keep["given_kept"].differences} == {"below"}


@pytest.mark.parametrize("policy", ["conventional", "activation_reset", "neuron_reset"])
def test_every_compared_quantity_has_its_claim(policy):
    report = rs.verify("digits20", sample_of("digits20", 200), policy=policy, population="plug_in")
    compared = {c.quantity for c in report.runs[0].comparison} - {"reset_count"}
    population = report.population
    found = {c.quantity: c for c in (*population.states, *population.runs[0][2])}
    assert found.keys() == compared
    for c in report.runs[0].comparison:  # the plug-in estimate is the exact figure of the rows
        claim = found.get(c.quantity)
        if claim is not None and claim.estimate is not None:
            assert claim.estimate == pytest.approx(c.quantity_bits, rel=1e-12)


def test_joint_entropies_are_refused_with_the_rows_they_need(digits20):
    (bennett,) = (
        by_name(c) for p, i, c in digits20.population.runs if (p, i) == ("bennett", "destroy")
    )
    claim = bennett["given_kept"]
    distinct = digits20.ensemble["distinct"]
    assert claim.estimate is None and claim.method == "refused" and not claim.differences
    assert f"the input takes {distinct:,} values in 3,000 rows" in claim.note
    assert f"needs {int(np.ceil(rows_needed(distinct))):,} or more" in claim.note
    pattern = by_name(digits20.population.states)["pattern_entropy"]
    values = run_reference(bundled("digits20"), sample_of("digits20", 3000, 1).rows)
    on = values[0].y > 0
    seen = len(np.unique(on, axis=0))
    assert f"{seen:,} values" in pattern.note


def test_joint_entropies_are_estimated_where_rows_suffice():
    sample = sample_of("toy", 4000)
    found = rs.verify("toy", sample, policy="uncompute", population="miller_madow").population
    loss = by_name(found.runs[0][2])["given_kept"]
    assert loss.low <= 3.0455659 <= loss.high  # H(X given Y) of the toy network on all inputs
    values = run_reference(bundled("toy"), sample.rows)
    x, y = values[0].x, values[-1].y
    known = [miller_madow(np.unique(v, axis=0, return_counts=True)[1]) for v in (x, y)]
    assert loss.estimate == pytest.approx(known[0] - known[1], rel=1e-12)
    pattern = by_name(found.states)["pattern_entropy"]
    plain = sum(joint_entropy(v.y > 0) for v in values)
    assert plain < pattern.estimate < plain + 0.01


@pytest.mark.parametrize("name", ["chao_shen", "grassberger", "nsb"])
def test_estimators_of_coverage_need_fewer_rows_and_say_when_they_doubt(name):
    stream = np.random.default_rng(0)
    active = stream.random((4, 900)) < 0.5
    joint = [Joint("few", stream.integers(0, 200, 900), 200)]
    joint += [Joint("many", np.arange(900) // 2 % 449, 1e6), Joint("all", np.arange(900), 1e6)]
    joint = [Joint(j.name, np.unique(j.labels, return_inverse=True)[1], j.cells) for j in joint]
    quantities = [Quantity(j.name, joint=(j,)) for j in joint]
    found = by_name(claims(active, quantities, [], name, replicates=50).states)
    assert found["few"].estimate == pytest.approx(np.log2(200), abs=0.1)
    assert found["few"].note.startswith("doubtful: 22% of the rows")
    assert found["many"].estimate is not None and "50%" in found["many"].note
    assert found["all"].estimate is None and "needs 1,800 or more" in found["all"].note
    plain = by_name(claims(active, quantities, [], "plug_in", replicates=50).states)
    assert [plain[j.name].estimate for j in joint] == [None] * 3


def test_verdicts():
    verdicts = [Difference("r", 0.0, *limits).verdict for limits in ((1, 2), (-2, -1), (-1, 1))]
    assert verdicts == ["above", "below", "not resolved"]


def test_differences_are_taken_in_pairs():
    """16 neurons that agree, p = 0.2: entropy rises by 2 a neuron, activity by 1, changes by 1.2.

    So the differences spread 1 and 0.8 times as much as p, and without pairs hypot(2, 1) times.
    """
    rows, p = 2000, 0.2
    bits = np.tile(np.random.default_rng(5).permutation(rows) < p * rows, (16, 1))
    (claim,) = claims(bits, [Quantity("neuron_entropy", bits)], []).states
    once = 2 * 1.96 * 16 * np.sqrt(p * (1 - p) / rows)
    active, changed = ((d.high - d.low) / once for d in claim.differences)
    assert active == pytest.approx(1, rel=0.15) and changed == pytest.approx(0.8, rel=0.15)


def test_changed_neurons_are_those_between_two_different_rows():
    """Mean over all ordered pairs of rows, none with itself: unbiased for independent rows."""
    bits = np.random.default_rng(8).random((5, 90)) < 0.3
    _, changed = claims(bits, [], []).readings
    differ = (bits[:, :, None] != bits[:, None, :]).sum()
    assert changed.estimate == pytest.approx(differ / (90 * 89))


def test_limits_of_many_resets_hold_all_at_once():
    """40 resets and 3 neurons at 95 %: each interval must hold at 1 - 0.05 / 43."""
    rows, ones = 500, np.arange(20, 60)
    bits = np.random.default_rng(9).random((3, rows)) < 0.3
    (claim,) = claims(bits, [Quantity("per_bit", ones=ones)], []).states
    low, high = bit_entropy_limits(ones, rows, 1 - 0.05 / 43)
    assert (claim.low, claim.high) == pytest.approx((low.sum(), high.sum()))
    alone = bit_entropy_limits(ones, rows, 0.95)
    assert claim.high - claim.low > 1.5 * (alone[1] - alone[0]).sum()


def test_near_the_crossing_a_small_sample_does_not_resolve():
    bits = np.zeros((1, 200), np.bool_)
    bits[0, :154] = True  # p = 0.77, where h2(p) = p within 0.01
    quantity = Quantity("neuron_entropy", bits)
    found = claims(bits, [quantity], [])
    active, changed = found.states[0].differences
    assert active.verdict == "not resolved" and changed.verdict == "above"
    assert found.constant_neurons == 0


def test_neurons_that_never_change_are_counted():
    bits = np.zeros((3, 100), np.bool_)
    bits[1], bits[2, :50] = True, True
    assert claims(bits, [Quantity("neuron_entropy", bits)], []).constant_neurons == 2


def test_threads_and_repetition_change_nothing():
    sample = sample_of("digits20", 300)
    verify = partial(
        rs.verify, "digits20", sample, policy="activation_reset", population="chao_shen"
    )
    texts = {json.dumps(verify(threads=n).as_dict()) for n in (1, 2, 2)}
    assert len(texts) == 1


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_the_text_fits_80_columns_and_names_estimator_and_refusals(name, capsys):
    way = ("verify", "digits20", "--ensemble", "random:400", "--policy", "activation_reset")
    assert main([*way, "--population", name]) == 0
    text = capsys.readouterr().out
    section = text[text.index("The rows as a sample") :]
    assert max(map(len, section.splitlines())) <= 80
    assert f"estimator {name}" in section and "refused" in section and "above" in section


def test_the_default_estimator_is_miller_and_madows(capsys):
    assert main(["verify", "digits", "--policy", "uncompute", "--json", "--population"]) == 0
    population = json.loads(capsys.readouterr().out)["population"]
    assert population["estimator"] == "miller_madow" and population["rows"] == 1797
    entropy = population["states"][0]
    assert [d["verdict"] for d in entropy["differences"]] == ["above", "above"]


BAD = (
    (("xor",), "'uniform' holds every input: it is the population"),
    (("digits20", "--ensemble", "product:0.3"), "'product:0.3' holds every input"),
    (("digits20", "--ensemble", "weights:w.npy"), "has weights"),
    (("digits20", "--stream"), "leave --stream or --population out"),
    (("digits20", "--ensemble", "random:72"), f"needs {LEAST_ROWS} for a bias below 0.01 bit"),
)


@pytest.mark.parametrize(("arguments", "words"), BAD)
def test_what_is_no_sample_is_refused(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("w.npy", np.arange(1797))
    assert main(["verify", *arguments, "--population"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and err.count("\n") == 1


def test_an_unknown_estimator_and_a_network_without_neurons_are_refused():
    with pytest.raises(InputError, match="unknown estimator 'bayes'"):
        rs.verify("digits", population="bayes")
    linear = rs.from_arrays([np.array([[1, -1]])], input_range=(0, 255), name="line", output="none")
    assert not linear.layers[0].neurons
    with pytest.raises(InputError, match="'line' has no neurons"):
        rs.verify(linear, np.zeros((100, 2), int), population="plug_in")


def test_too_many_rows_to_keep_are_refused(monkeypatch):
    monkeypatch.setattr("revsim.sampling.KEPT_LIMIT", 1000)
    with pytest.raises(InputError, match="use fewer rows, or one policy"):
        rs.verify("digits20", sample_of("digits20", 100), population="plug_in")
