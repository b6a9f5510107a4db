"""A network as one driven physical system: its minimum, its forces, its work fast and slow."""

import math
from itertools import pairwise

import numpy as np
import pytest

from revsim.errors import InputError
from revsim.experiments.quasistatic import energy_model
from revsim.network.reference import run_reference
from revsim.physics.energy_model import EnergyModel, drive, slow_limit
from revsim.pipeline import default_ensemble, load

ONE = EnergyModel((np.array([[1.5]]),), (np.array([0.0]),), (False,), 20.0)
XOR = energy_model(load("xor"))
INPUTS = default_ensemble(load("xor"))[0].rows.astype(float)


def random_model(seed: int) -> tuple[EnergyModel, np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    sizes = [3, 4, 2, 2]
    weights = tuple(rng.normal(size=(b, a)) for a, b in pairwise(sizes))
    biases = tuple(rng.normal(size=b) for b in sizes[1:])
    model = EnergyModel(weights, biases, (True, True, False), 7.0)
    return model, rng.normal(size=(5, 3)), [rng.normal(size=(5, n)) for n in sizes[1:]]


def energy(model: EnergyModel, x: np.ndarray, a: list[np.ndarray]) -> np.ndarray:
    total = np.zeros(len(x))
    for weights, biases, relu, value in zip(
        model.weights, model.biases, model.relu, a, strict=True
    ):
        z = x @ weights.T + biases
        total += model.stiffness / 2 * ((value - (np.maximum(z, 0) if relu else z)) ** 2).sum(1)
        x = value
    return total


def test_the_minimum_is_the_inference() -> None:
    reference = run_reference(load("xor"), INPUTS.astype(int))
    for layer, values in zip(reference, XOR.infer(INPUTS), strict=True):
        assert (layer.y == values).all()
    model, x, _ = random_model(1)
    best = model.infer(x)
    assert np.allclose(energy(model, x, best), 0)
    assert all(np.allclose(force, 0) for force in model.forces(x, best))


@pytest.mark.parametrize("seed", range(4))
def test_forces_are_the_slope_of_the_energy(seed: int) -> None:
    model, x, a = random_model(seed)
    forces = model.forces(x, a)
    for layer, force in enumerate(forces):
        for neuron in range(force.shape[1]):
            moved = [[v.copy() for v in a] for _ in range(2)]
            for sign, values in zip((1, -1), moved, strict=True):
                values[layer][:, neuron] += sign * 1e-6
            slope = (energy(model, x, moved[0]) - energy(model, x, moved[1])) / 2e-6
            assert np.allclose(force[:, neuron], -slope, atol=1e-5)


@pytest.mark.parametrize("tau", [2.0, 30.0, 300.0])
def test_one_linear_neuron_follows_its_closed_form(tau: float) -> None:
    """a' = -(a - w x) in time of 1 / kappa; x = sin^2(pi t / tau): work by the Fourier mode."""
    w, kappa = 1.5, 20.0
    t = np.linspace(0, tau, 200_001)
    omega = 2 * math.pi / tau
    # a = w / 2 (1 - (cos + omega sin) / (1 + omega^2)) + c exp(-t), a(0) = 0
    settled = w / 2 * (1 - (np.cos(omega * t) + omega * np.sin(omega * t)) / (1 + omega**2))
    a = settled - settled[0] * np.exp(-t)
    x = np.sin(math.pi * t / tau) ** 2
    work = np.trapezoid(-kappa * (a - w * x) * w * np.gradient(x, t), t)
    found = drive(ONE, [[1.0]], tau, temperature=0.0)
    assert found.work[0] == pytest.approx(work, rel=3e-3)


def test_slow_work_falls_as_the_slow_limit_says() -> None:
    expected = slow_limit(XOR, INPUTS)
    assert slow_limit(ONE, [[1.0]])[0] == pytest.approx(20 * 1.5**2 * math.pi**2 / 2, rel=1e-5)
    gaps = [
        np.abs(drive(XOR, INPUTS, tau, 0.0, step=0.1).work * tau - expected).max()
        for tau in (400.0, 800.0)
    ]
    assert gaps[1] < 0.6 * gaps[0] < 0.1 * expected.max()


def test_the_free_energy_does_not_depend_on_the_input() -> None:
    """Jarzynski over noisy cycles: the mean of exp(-W) is 1, for linear and for relu layers."""
    soft = EnergyModel(XOR.weights, XOR.biases, XOR.relu, 1.0)
    work = drive(soft, np.tile([[1.0, 1.0]], (4000, 1)), 20.0, seed=1).work
    weighted = np.exp(-work)
    assert abs(weighted.mean() - 1) < 4 * weighted.std() / math.sqrt(len(work))
    assert work.mean() > 0


def test_noise_does_not_change_the_work_of_a_linear_network() -> None:
    still = drive(ONE, [[1.0]], 10.0, temperature=0.0).work[0]
    work = drive(ONE, np.ones((3000, 1)), 10.0, seed=2).work
    assert abs(work.mean() - still) < 4 * work.std() / math.sqrt(len(work))
    # Gaussian work: its variance is twice its mean (fluctuation and dissipation)
    assert work.var() == pytest.approx(2 * still, rel=0.15)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: drive(ONE, [[1.0, 2.0]], 1.0), "inputs"),
        (lambda: drive(ONE, [[1.0]], 0.0), "duration"),
        (lambda: drive(ONE, [[1.0]], 1.0, temperature=-1.0), "temperature"),
        (lambda: EnergyModel((), (), ()), "layers"),
        (lambda: EnergyModel(ONE.weights, ONE.biases, ONE.relu, 0.0), "stiffness"),
    ],
)
def test_what_cannot_be_is_said(call: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()  # type: ignore[operator]
