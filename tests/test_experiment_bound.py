"""Experiments 1, 7 and 18: the bound by neurons that change state, streams, and the atlas."""

from itertools import combinations, pairwise, product

import numpy as np
import pytest
from outcomes import outcome_of

import revsim as rs
from revsim.experiments.atlas import confirm, formula, network_of, neurons_of, search
from revsim.experiments.bound import PICTURES, QUANTITIES, every_input, measure, on_images
from revsim.experiments.losses import random_network
from revsim.experiments.streams import film, flicker, ring
from revsim.ledger.comparison import activity
from revsim.ledger.reference import joint_entropy, neuron_statistics
from revsim.network.bundled import bundled, bundled_data, bundled_seeds
from revsim.physics.landauer import CROSSING, binary_entropy

# --- 1: bound -------------------------------------------------------------------------------------


def test_shares_of_the_pilot_come_out_of_the_ledgers() -> None:
    """The 500 networks of theory 2.4: 64, 46, 86, 13 and 0 per cent fall below."""
    random = np.random.default_rng(7)
    rows = []
    for _ in range(500):
        inputs, values = int(random.integers(2, 5)), int(random.choice([2, 3, 4]))
        widths = [inputs, *(int(random.integers(2, 6)) for _ in range(2)), 1]
        weights, biases = [], []
        for before, after in pairwise(widths):
            weights.append(random.integers(-2, 3, (after, before)))
            biases.append(random.integers(-2, 3, after))
        net = rs.from_arrays(weights, biases, input_range=(0, values - 1), output="none")
        x = every_input(net).rows
        layers = rs.run_reference(net, x)
        counted = activity([neuron_statistics("", v.y, v.y > 0, None) for v in layers[:-1]])
        together = joint_entropy(np.hstack([v.y > 0 for v in layers[:-1]]))
        lost = joint_entropy(x) - joint_entropy(layers[-1].y)
        rows.append(
            (
                lost < counted.active_neurons - 1e-9,
                counted.neuron_entropy < counted.active_neurons - 1e-9,
                together < counted.active_neurons - 1e-9,
                together < counted.changed_neurons - 1e-9,
                counted.neuron_entropy < 2 * counted.changed_neurons - 1e-9,
            )
        )
    shares = np.array(rows).mean(axis=0)
    assert shares.round(2).tolist() == [0.64, 0.46, 0.86, 0.13, 0.0]


@pytest.mark.parametrize("net", [*bundled_seeds("digits16")[:2], rs.load("toy"), rs.load("xor")])
def test_margins_are_those_of_a_report(net) -> None:
    ensemble = every_input(net)
    found = measure(net, ensemble)
    assert not found.broken
    picture = rs.verify(net, ensemble, policy="activation_reset")
    device = rs.verify(net, ensemble, policy="neuron_reset", input="keep")
    margins = {
        (c.quantity, c.reading): c.margin
        for report in (device, picture)  # the picture's totals win
        for c in report.runs[0].comparison
    }
    for r, reading in enumerate(("active neurons", "changed neurons")):
        for k, quantity in enumerate(QUANTITIES):
            known = margins.get(
                (quantity, reading), -getattr(found.counted, f"{reading[:-8]}_neurons")
            )
            assert found.margins[r, k] == pytest.approx(known, abs=1e-9)


def test_the_reference_stands_for_the_device() -> None:
    random = np.random.default_rng(3)
    for _ in range(5):
        net = random_network(random)
        one, two = (measure(net, every_input(net), device=d) for d in (True, False))
        np.testing.assert_allclose(one.margins, two.margins, atol=1e-12)


@pytest.mark.parametrize("name", PICTURES)
def test_states_on_images_are_those_of_plain_counting(name: str) -> None:
    images = bundled_data(name)[0]
    for net, found in zip(bundled_seeds(name), on_images(name), strict=True):
        p = (rs.run_reference(net, images)[0].y > 0).mean(axis=0)
        entropy = sum(map(binary_entropy, p))
        assert found.active_neurons == pytest.approx(p.sum(), abs=1e-9)
        assert found.neuron_entropy == pytest.approx(entropy, abs=1e-9)


def test_the_ensemble_and_the_size_decide_whether_trained_networks_fall_short() -> None:
    outcome = outcome_of("bound")
    share = outcome.numbers.__getitem__
    everywhere = share("trained_neuron_state_per_bit_below_active_share")
    assert everywhere == 1 > share("digits16_images_neuron_entropy_below_active_share") > 0.5
    assert share("digits_images_neuron_entropy_below_active_share") == 0
    assert share("digits_images_neuron_entropy_over_active_mean") > 0
    assert all(word in outcome.sentence for word in ("12 neurons", "65,536", "images"))


# --- 7: streams -----------------------------------------------------------------------------------


def test_the_ring_flickers_as_the_noise_stability_of_majority_says() -> None:
    """Majority of three: E[f(x) f(y)] = 3/4 r + 1/4 r^3 for bits of correlation r."""
    for point in flicker(ring()):
        r = 1 - 2 * point.knob
        flip = (1 - 0.75 * r - 0.25 * r**3) / 2
        stream = point.stream
        assert stream.changed_neurons_stream == pytest.approx(8 * flip, abs=1e-12)
        assert stream.given_next.sum() == pytest.approx(8 * binary_entropy(flip), abs=1e-9)
        assert stream.activity.sum() == 4 and stream.state_entropy.sum() == 8
        below = stream.given_next.sum() < stream.changed_neurons_stream - 1e-9
        assert below == (flip > CROSSING)
        assert point.residual < 1e-9


def test_a_video_of_digits_costs_less_to_overwrite_than_to_reset() -> None:
    point = film(bundled("digits"), bundled_data("digits")[0], 0.1)
    assert point.residual < 1e-9
    assert point.stream.given_next.sum() < 0.5 * point.stream.state_entropy.sum()


# --- 18: atlas ------------------------------------------------------------------------------------


def test_every_threshold_function_of_three_inputs_is_met() -> None:
    """4, 14 and 104 of them (Winder 1965), each by its smallest weights."""
    assert [len(neurons_of(n)) for n in (1, 2, 3)] == [4, 14, 104]
    for neuron in neurons_of(2):
        rows = rs.uniform([0, 0], [1, 1]).rows
        states = rows @ np.array(neuron.weights) + neuron.bias > 0
        assert tuple(states.tolist()) == neuron.states


def below(neurons, quantity: str, reading: str) -> bool:
    """By plain counting of the states, not by the ledgers."""
    states = np.array([n.states for n in neurons]).T
    p = states.mean(axis=0)
    shares = np.unique(states, axis=0, return_counts=True)[1] / len(states)
    value = {
        "neuron_entropy": sum(map(binary_entropy, p)),
        "pattern_entropy": float(-(shares * np.log2(shares)).sum()),
    }[quantity]
    bound = p.sum() if reading == "active" else (2 * p * (1 - p)).sum()
    return value < bound - 1e-9


def test_the_finds_are_the_smallest_and_their_circuits_agree() -> None:
    found = {(b.quantity, b.reading): b for b in search(distinct=True)}
    assert [formula(n) for n in found["neuron_entropy", "active"].neurons] == ["a + b + c"]
    assert len(found["pattern_entropy", "active"].neurons) == 2
    assert len(found["pattern_entropy", "changed"].neurons) == 4
    assert not found["neuron_entropy", "changed"].neurons  # T7: h2(p) >= 4 p (1 - p)
    for broken in found.values():
        if broken.neurons:
            assert confirm(broken) < 1e-9
    for pair in product(("neuron_entropy", "pattern_entropy"), ("active", "changed")):
        best = found[pair].neurons
        for inputs in (1, 2):  # nothing with fewer inputs, or as many and fewer neurons
            varied = [n for n in neurons_of(inputs) if len(set(n.states)) == 2]
            for count in range(1, min(5, len(varied) + 1)):
                size = (inputs, count)
                if not best or size < (len(best[0].weights), len(best)):
                    assert not any(below(c, *pair) for c in combinations(varied, count))


def test_copies_and_constants_break_more() -> None:
    found = {(b.quantity, b.reading): b for b in search(distinct=False)}
    assert [n.bias for n in found["neuron_entropy", "active"].neurons] == [1]
    assert len(found["pattern_entropy", "changed"].neurons) == 3
    (neuron,) = found["H(X given Y)", "changed"].neurons
    assert network_of([neuron]).layers[0].kind == "dense+relu" and formula(neuron) == "a"
