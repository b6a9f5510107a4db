"""From network to report: every policy computes the reference and loses what it must, H(X | Y)."""

import json
import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest

import revsim as rs
from revsim.errors import InputError
from revsim.network.bundled import bundled_data
from revsim.network.network import Network
from revsim.network.operators import (
    ROUNDINGS,
    Argmax,
    Clamp,
    Dense,
    Operator,
    Relu,
    Requantise,
    Sign,
    Threshold,
)
from revsim.pipeline import DEFAULT_POLICIES, default_ensemble
from revsim.report.report import Report
from revsim.schedule.policy import INPUT_CHOICES, POLICIES
from revsim.simulator.ensemble import Ensemble

WAYS = [(policy, choice) for policy in POLICIES for choice in INPUT_CHOICES]
BUNDLED = ("digits", "toy", "xor")
TOLERANCE = 1e-9


@cache
def network(name: str) -> Network:
    return rs.load(name)


def ensemble_of(net: Network, rows: int = 200) -> Ensemble:
    """The first rows of the data, or every input of a small network, or random rows."""
    if net.name == "digits":
        return rs.data_set(bundled_data("digits")[0][:rows])
    try:
        return default_ensemble(net)[0]
    except InputError:
        return rs.random_rows(net.input_low, net.input_high, rows, 0)


def check_report(report: Report, keeps_input: bool) -> None:
    (run,) = report.runs
    checks = [(c.id, c.detail) for c in run.circuit_checks if c.holds is False]
    identities = [(i.id, i.residual) for i in run.identities if i.holds is False]
    assert not checks + identities
    assert report.holds
    lost = 0.0 if keeps_input else report.H_X - report.H_Y
    assert abs(run.total.given_kept - lost) < TOLERANCE


def check_tensors(net: Network, ensemble: Ensemble, policy: str, choice: str) -> set[str]:
    """Simulate and compare outputs and every marked tensor; returns the names of these."""
    known = {
        f"{layer.name}.{tensor}": value
        for layer, values in zip(net.layers, rs.run_reference(net, ensemble.rows), strict=True)
        for tensor, value in (("z", values.z), ("y", values.y), ("state", layer.active(values.y)))
    }
    seen: dict[str, dict[int, Any]] = {}

    def on_mark(name: str, element: int, values: Any) -> None:
        seen.setdefault(name, {})[element] = values

    run = rs.simulate(rs.compile(net, policy, choice), ensemble, on_mark=on_mark, threads=1)
    for name, columns in seen.items():
        found = np.stack([columns[k] for k in range(known[name].shape[1])], axis=1)
        np.testing.assert_array_equal(found, known[name], err_msg=name)
    np.testing.assert_array_equal(run.outputs, known[f"{net.layers[-1].name}.y"])
    return set(seen)


# --- bundled networks -----------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "choice"), WAYS)
@pytest.mark.parametrize("name", BUNDLED)
def test_every_policy_loses_exactly_what_its_input_choice_demands(name, policy, choice):
    net = network(name)
    ensemble = ensemble_of(net)
    report = rs.verify(net, ensemble, policy=policy, input=choice, threads=1)
    check_report(report, choice != "destroy")
    nothing_reset = POLICIES[policy].clean and choice != "destroy"
    assert (report.runs[0].total.reset_count == 0) == nothing_reset


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", BUNDLED)
def test_every_readable_tensor_equals_the_reference(name, policy):
    net = network(name)
    marked = check_tensors(net, ensemble_of(net), policy, "destroy")
    tensors = ("z", "y") if policy == "activation_reset" else ("y",)
    expected = {f"{layer.name}.{tensor}" for layer in net.layers for tensor in tensors}
    if policy == "neuron_reset":
        expected |= {f"{layer.name}.state" for layer in net.layers if layer.neurons}
    assert marked == expected


def test_all_digits_pass_under_every_default_run_and_most_are_recognised():
    report = rs.verify("digits")
    assert [(run.policy, run.input) for run in report.runs] == [
        *((policy, "destroy") for policy in DEFAULT_POLICIES),
        ("bennett", "keep"),
    ]
    assert report.holds
    assert report.ensemble["rows"] == 1797
    assert report.accuracy["share"] > 0.95 and report.accuracy["held_out"]["rows"] == 450
    for run in report.runs[:4]:
        assert abs(run.total.given_kept - (report.H_X - report.H_Y)) < TOLERANCE


# --- other networks -------------------------------------------------------------------------------


def ints(*values: int) -> Any:
    return np.array(values)


def dense(weights: Any, bias: Any, bits: int | None = None) -> Dense:
    return Dense(np.array(weights), np.array(bias), bits)


PAIR = dense([[2, -3], [1, 1]], [1, -2])
EIGHT_BIT = (ints(-128, -128), ints(127, 127))
SMALL = (ints(-2, 0), ints(1, 3))

FORMS: dict[str, tuple[tuple[Any, Any], tuple[Operator, ...]]] = {
    "eight bits as in TensorFlow Lite": (
        EIGHT_BIT,
        (
            dense([[5, -7], [3, 3], [-9, 4]], [88, -20, 7]),
            Requantise(ints(3, 2, 4), "tflite_double", ints(2**30 + 7, 2**31 - 1, 2**30)),
            Clamp(-128, 127),
            Argmax(),
        ),
    ),
    "logits of unequal shifts": (SMALL, (PAIR, Requantise(ints(0, 2), "half_away"), Argmax())),
    "logits of unequal inputs": ((ints(-5, 3), ints(5, 4)), (Argmax(),)),
    "logits clamped to a constant": (SMALL, (PAIR, Clamp(2, 2), Argmax())),
    "equal logits": (SMALL, (dense([[1, 1]] * 5, [0] * 5), Argmax())),
    "one logit": (SMALL, (dense([[1, 1]], [0]), Argmax())),
    "62 forced bits": (SMALL, (dense([[1, 2], [3, -4]], [0, 0], 62), Relu())),
    "62 forced bits, then a multiplier": (
        SMALL,
        (dense([[1, 2], [3, -4]], [0, 0], 62), Requantise(ints(2, 2), "half_up", ints(3, 5))),
    ),
    "forced bits, then argmax": (SMALL, (dense([[1, 2], [3, -4]], [0, 9], 9), Argmax())),
    "sums of 61 bits": (
        (ints(-(2**58)), ints(2**58)),
        (dense([[3], [-5]], [7, 7]), Threshold(ints(2**60, -(2**60)))),
    ),
    "a threshold out of reach": (SMALL, (PAIR, Threshold(ints(2**61, -(2**61))))),
    "the greatest shift": (SMALL, (PAIR, Requantise(ints(62, 0), "half_even"))),
    "a sign, then relu": (SMALL, (PAIR, Sign(), Relu())),
    "a sign, then a requantiser": (
        SMALL,
        (PAIR, Sign(), Requantise(ints(1, 0), "half_away", ints(3, 5))),
    ),
    "a sign, then a clamp": (SMALL, (PAIR, Sign(), Clamp(-5, 0), Threshold(ints(0, -1)))),
    "thresholds one after the other": (
        SMALL,
        (PAIR, Threshold(ints(2, -3)), Requantise(ints(1, 1), "half_up", ints(3, 1)), Sign()),
    ),
    "relu, then thresholds": (SMALL, (PAIR, Relu(), Threshold(ints(0, 2)))),
    "activations only": (SMALL, (Relu(),)),
    "activations only, some fixed": (
        (ints(-2, 1), ints(1, 1)),
        (Requantise(ints(0, 2), "half_away"), Relu()),
    ),
    "activations before sums": (SMALL, (Sign(), dense([[1, -1], [2, 2]], [0, 1]), Relu())),
    "a clamp that does nothing": (SMALL, (Clamp(-100, 100),)),
    "a clamp below every value": (SMALL, (PAIR, Clamp(-90, -80), dense([[1, 1]], [0]), Sign())),
    "a clamp to one negative value": (SMALL, (PAIR, Clamp(-3, -3), Sign())),
    "a clamp with a negative end": (SMALL, (PAIR, Clamp(-1, 2))),
    "an input fixed below zero": ((ints(-5, 3), ints(-5, 3)), (PAIR, Relu())),
    "no weight at all": (SMALL, (dense([[0, 0], [0, 1]], [-4, 0]), Relu())),
    "an offset whose sign bit comes twice": (
        (ints(1, -3, 1), ints(2, -1, 3)),
        (Requantise(ints(0, 3, 0), "half_away", ints(3, 0, 0)), Argmax()),
    ),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("form", FORMS)
def test_networks_of_every_form_hold(form, policy):
    (low, high), operators = FORMS[form]
    net = Network(form, low, high, operators)
    ensemble = ensemble_of(net)
    check_tensors(net, ensemble, policy, "return")
    for choice in ("destroy", "keep"):
        report = rs.verify(net, ensemble, policy=policy, input=choice, threads=1)
        check_report(report, choice != "destroy")


def random_operator(random: np.random.Generator, width: int) -> Operator:
    match int(random.integers(5)):
        case 0:
            return Relu()
        case 1:
            low = int(random.integers(-6, 3))
            return Clamp(low, low + int(random.integers(0, 12)))
        case 2:
            return Threshold(random.integers(-4, 5, width))
        case 3:
            return Sign()
    rounding = ROUNDINGS[random.integers(len(ROUNDINGS))]
    shift, multiplier = random.integers(0, 4, width), None
    if rounding == "tflite_double":
        multiplier = random.integers(1 << 28, 1 << 31, width)
    elif rounding != "half_even" and random.random() < 0.4:
        multiplier = random.integers(0, 8, width)
    return Requantise(shift, rounding, multiplier)


def random_network(seed: int) -> Network:
    """One to three inputs, up to three layers, any operators in any order."""
    random = np.random.default_rng(seed)
    width = int(random.integers(1, 4))
    low = random.integers(-3, 2, width)
    high = low + random.integers(0, 4, width)
    operators: list[Operator] = []
    for layer in range(random.integers(1, 4)):
        if layer or random.random() < 0.8:
            weights = random.integers(-3, 4, (int(random.integers(1, 4)), width))
            width = len(weights)
            bits = int(random.integers(14, 20)) if random.random() < 0.2 else None
            operators.append(Dense(weights, random.integers(-5, 6, width), bits))
        operators += [random_operator(random, width) for _ in range(random.integers(0, 4))]
    if random.random() < 0.4 or not operators:
        operators.append(Argmax())
    return Network(f"random {seed}", low, high, tuple(operators))


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_hold_under_every_policy_and_input_choice(seed):
    net = random_network(seed)
    for policy, choice in WAYS:
        report = rs.verify(net, policy=policy, input=choice, threads=1)
        check_report(report, choice != "destroy")


# --- what a report may depend on ------------------------------------------------------------------


def test_shuffled_data_give_the_same_json_byte_for_byte():
    rows, labels = (part[:300] for part in bundled_data("digits"))
    order = np.random.default_rng(3).permutation(len(rows))
    net = network("digits")
    reports = [
        rs.verify(net, rs.data_set(rows[p]), labels=labels[p], policy="activation_reset")
        for p in (np.arange(len(rows)), order)
    ]
    assert reports[0].accuracy is not None
    assert reports[0].to_json() == reports[1].to_json()


def test_threads_change_nothing():
    ensemble = rs.data_set(np.tile(bundled_data("digits")[0], (3, 1)))
    jsons = [
        rs.verify(network("digits"), ensemble, policy="conventional", threads=n).to_json()
        for n in (1, 2)
    ]
    assert jsons[0] == jsons[1]


def test_the_temperature_scales_energies_and_nothing_else():
    cold, hot = (rs.verify("toy", temperature_k=kelvin).as_dict() for kelvin in (150.0, 300.0))
    for one, two in zip(cold["runs"], hot["runs"], strict=True):
        low, high = one.pop("energy"), two.pop("energy")
        assert (low["temperature_k"], high["temperature_k"]) == (150.0, 300.0)
        assert low["negentropy_j_per_k"] == high["negentropy_j_per_k"]
        for name, joules in low["joules"].items():
            assert high["joules"][name] == pytest.approx(2 * joules, rel=1e-12)
    assert cold.pop("provenance")["argv"] != hot.pop("provenance")["argv"]  # as typed
    assert cold == hot


@pytest.mark.parametrize("policy", POLICIES)
def test_a_weight_counts_like_a_repeated_row(policy):
    rows = np.array([[0, 1], [3, 2], [1, 1], [2, 0], [3, 3]])
    weights = np.array([1, 4, 0, 2, 7])
    weighted, repeated = (
        rs.verify("toy", ensemble, policy=policy)
        for ensemble in (rs.data_set(rows, weights), rs.data_set(np.repeat(rows, weights, axis=0)))
    )
    assert weighted.holds and repeated.holds
    assert (weighted.H_X, weighted.H_Y) == (repeated.H_X, repeated.H_Y)
    assert weighted.layers == repeated.layers
    assert weighted.activity == repeated.activity
    assert weighted.runs[0].rows == repeated.runs[0].rows


# --- the package ----------------------------------------------------------------------------------


def test_importing_revsim_loads_no_heavy_package():
    code = "import sys, json, revsim; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"matplotlib", "numba", "rich", "networkx", "onnx", "torch", "scipy"}


def test_every_public_name_resolves():
    for name in rs.__all__:
        assert getattr(rs, name) is not None
    assert sorted(rs.__all__) == dir(rs)
    with pytest.raises(AttributeError, match="no attribute 'simulte'"):
        rs.simulte  # noqa: B018
