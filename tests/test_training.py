"""Training in benchmarks/: gradients against differences, forward passes against the networks."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from revsim.network.bundled import as_streams
from revsim.network.network import Network
from revsim.network.reference import run_reference

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
NAMES = (
    *("digits_conv", "digits_rows", "digits_coupling", "digits_attention", "digits_kan"),
    *("digits_moe_top1", "digits_moe_top2", "digits_moe_free"),
)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    if not BENCHMARKS.is_dir():
        pytest.skip("benchmarks are not beside the package")
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name: str) -> ModuleType:
        return import_module(name)

    return load


def test_gradients_are_those_of_differences(script):
    a = script("autograd")
    random = np.random.default_rng(0)
    index = random.integers(-1, 6, (5, 4))
    x, targets = random.normal(size=(6, 4)), np.eye(10)[random.integers(0, 10, 6)]
    parameters = [random.normal(size=s) for s in ((2, 3), (7, 10), (5,))]

    def loss(p, x, targets):
        h = a.relu(a.Node(x) @ a.spread(p[0], index).T + p[2])
        s = a.softmax(h.reshape(-1, 1, 5) * 0.3 + (h.reshape(-1, 5, 1) * p[2].reshape(5, 1)).T)
        s = s.reshape(-1, 5) + a.clip(h, 0.2, 0.9)
        both = a.join(h.columns(0, 2) * s.columns(1, 3), s) @ p[1]
        return a.cross_entropy(both, targets) + s.sum(0).sum(0).reshape(1) * 0.1

    found = a.of_batches(loss)(parameters, x, targets)
    for parameter, gradient in zip(parameters, found, strict=True):
        for place in np.ndindex(parameter.shape):
            ends, here = [], parameter[place]
            for step in (1e-6, -1e-6):
                parameter[place] = here + step
                ends.append(loss([a.Node(p) for p in parameters], x, targets).value[0])
            parameter[place] = here
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(gradient[place], abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_forward_pass_is_the_integer_network(name, script):
    families, autograd = script("families"), script("autograd")
    assert {family.name for family in families.FAMILIES} == set(NAMES)
    family = next(f for f in families.FAMILIES if f.name == name)
    random = np.random.default_rng(1)
    parameters = families.initial(family.shapes, random)
    for p in parameters:
        if p.ndim == 1:
            p += random.normal(0, 1, p.shape)
    images = random.integers(0, 17, (50, 64))
    logits = family.logits([autograd.Node(p) for p in parameters], images.astype(float)).value
    inputs = 64 if not family.state else 8 + len(family.state)
    low, high = np.zeros(inputs, np.int64), np.full(inputs, 16)
    network = Network(name, low, high, family.operators(parameters), state=family.state)
    if family.state:
        last = run_reference(network, as_streams(network, images))[-1]
        assert np.array_equal(last.z[7::8, len(family.state) :], logits)
    else:
        assert np.array_equal(run_reference(network, images)[-1].z, logits)


def test_tree_as_thresholds_decides_as_the_tree(script):
    tree = script("tree")
    random = np.random.default_rng(2)
    rows, labels = random.integers(0, 17, (300, 6)), random.integers(0, 10, 300)
    grown = tree.grow(rows, labels, 5)
    low, high = np.zeros(6, np.int64), np.full(6, 16)
    network = Network("tree", low, high, tree.as_layers(grown, 6))
    fresh = random.integers(0, 17, (200, 6))
    said = run_reference(network, fresh)[-1].y[:, 0]
    assert said.tolist() == [tree.decide(grown, row) for row in fresh]
    right = np.mean(
        [tree.decide(grown, row) == label for row, label in zip(rows, labels, strict=True)]
    )
    assert right > 0.3  # ten classes by chance: 0.1


@pytest.mark.parametrize(("bits", "values"), [(1, 2), (2, 3), (4, 15), (8, 255)])
def test_grid_has_that_many_values_and_its_scale(bits, values, script):
    grid = script("training").grid
    weights = np.random.default_rng(3).normal(size=100_000)
    whole, scale = grid(weights, bits)
    found = np.unique(whole)
    assert 0.8 * values < len(found) <= values and np.array_equal(found, np.rint(found))
    assert np.abs(whole / scale - weights).mean() < (0.5 if bits < 4 else 0.2)
