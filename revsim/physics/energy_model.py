"""A network as a physical system that is driven slowly: an energy whose minimum is the inference.

    E(a; x) = (kappa / 2) sum over layers l and neurons i of (a_li - phi(W_l a_(l-1) + b_l)_i)^2

with a_0 = x held from outside: the explicit Hamiltonian of a feed-forward network in the spirit of
Tkachenko, arXiv 2503.09980 v3. The least energy is 0 at the network's own values. Layer l has a_l
itself and only earlier ones inside phi, so that the integral of exp(-E) over all a is the same for
every x: the free energy does not depend on the input, and driving it slowly is free.

Units: energies in k_B T, mobility 1, so that a free neuron relaxes in the time 1 / kappa.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.physics.double_well import Floats, check_duration

STEP = 0.05
"""Time step in units of 1 / kappa."""


@dataclass(frozen=True, eq=False)
class EnergyModel:
    """Layers of (weights float64 [out, in], biases float64 [out], whether relu follows)."""

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    relu: tuple[bool, ...]
    stiffness: float = 50.0

    def __post_init__(self) -> None:
        if not self.weights or not len(self.weights) == len(self.biases) == len(self.relu):
            raise InputError(
                "an energy model needs weights, biases and relu for each of its layers"
            )
        if not 0 < self.stiffness < 1e6:
            raise InputError(f"the stiffness must lie in 0..1e6 k_B T, got {self.stiffness}")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of each layer."""
        return tuple(len(bias) for bias in self.biases)

    def infer(self, x: Floats) -> list[Floats]:
        """The minimum of the energy: each layer's values [rows, neurons] for inputs [rows, n].

        >>> xor = EnergyModel(
        ...     (np.array([[1.0, 1], [1, 1]]), np.array([[1.0, -2]])),
        ...     (np.array([0.0, -1]), np.array([0.0])),
        ...     (True, False),
        ... )
        >>> xor.infer(np.array([[0.0, 1], [1, 1]]))[-1].ravel().tolist()
        [1.0, 0.0]
        """
        values = []
        for k in range(len(self.weights)):
            x = self._phi(k, x)
            values.append(x)
        return values

    def _phi(self, layer: int, below: Floats) -> Floats:
        z = below @ self.weights[layer].T + self.biases[layer]
        return np.maximum(z, 0.0) if self.relu[layer] else z

    def held_energy(self, x: Floats, first: Floats) -> Floats:
        """The part of E that the input touches, in k_B T: float64 [rows]."""
        strain = first - self._phi(0, x)
        return np.asarray(0.5 * self.stiffness * (strain * strain).sum(axis=1))

    def forces(self, x: Floats, a: Sequence[Floats]) -> list[Floats]:
        """-dE/da of each layer [rows, neurons]: its own strain, and the next layer's sent back."""
        strain: list[Floats] = []
        back: list[Floats] = []
        for k, below in enumerate([x, *a[:-1]]):
            z = below @ self.weights[k].T + self.biases[k]
            strain.append(a[k] - (np.maximum(z, 0.0) if self.relu[k] else z))
            through = strain[k] * (z > 0) if self.relu[k] else strain[k]
            back.append(through @ self.weights[k])
        last = len(a) - 1
        return [
            self.stiffness * (back[k + 1] - strain[k] if k < last else -strain[k])
            for k in range(len(a))
        ]


@dataclass(frozen=True, eq=False)
class Driven:
    """`work` float64 [rows] of one closed cycle in k_B T; `outputs` float64 [rows, n], the last
    layer in the middle of the cycle, when the input stands at its value."""

    work: Floats
    outputs: Floats


def drive(
    model: EnergyModel,
    x: npt.ArrayLike,
    tau: float,
    temperature: float = 1.0,
    seed: int = 0,
    step: float = STEP,
) -> Driven:
    """Take the input from 0 to x (float64 [rows, n]) and back in a time tau / kappa; a path a row.

    Overdamped Langevin dynamics of all neurons at `temperature` (in units of k_B T; 0: no noise),
    from rest at input 0. The input moves along sin^2, at rest at both ends and in the middle. Work
    is what the input's jumps take at fixed neurons, heat what relaxes between them. step: largest
    time step in units of 1 / kappa; Heun's method, stable while step times the largest stiffness of
    the whole network (in kappa) is below 2.
    """
    check_duration(tau)
    if temperature < 0:
        raise InputError(f"the temperature must not be negative, got {temperature}")
    rows = np.asarray(x, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != model.weights[0].shape[1]:
        raise InputError(
            f"inputs: shape {rows.shape}; the model takes [rows, {model.weights[0].shape[1]}]"
        )
    steps = 2 * max(10, int(np.ceil(tau / step / 2)))
    dt = tau / steps / model.stiffness
    stream = np.random.default_rng(seed)
    held = np.zeros_like(rows)
    a: list[Floats] = []
    for k, neurons in enumerate(model.sizes):  # thermal equilibrium, layer by layer: exact
        noise = stream.standard_normal((len(rows), neurons))
        spread = np.sqrt(temperature / model.stiffness)
        a.append(model._phi(k, held if k == 0 else a[k - 1]) + spread * noise)
    size = np.sqrt(2 * temperature * dt)
    work, outputs = np.zeros(len(rows)), a[-1]
    for k in range(steps):
        before, held = held, rows * np.sin(np.pi * (k + 0.5) / steps) ** 2
        work += model.held_energy(held, a[0]) - model.held_energy(before, a[0])
        noises = [size * stream.standard_normal(v.shape) if temperature else 0.0 for v in a]
        here = model.forces(held, a)
        guess = [v + dt * f + n for v, f, n in zip(a, here, noises, strict=True)]
        there = model.forces(held, guess)
        halves = zip(a, here, there, noises, strict=True)
        a = [v + 0.5 * dt * (f + g) + n for v, f, g, n in halves]
        if k == steps // 2 - 1:
            outputs = a[-1]
    work += model.held_energy(0 * rows, a[0]) - model.held_energy(held, a[0])
    return Driven(work, outputs)


def slow_limit(model: EnergyModel, x: npt.ArrayLike, points: int = 4001) -> Floats:
    """Work times tau of a slow cycle without noise: kappa times the integral of |da/ds|^2 over the
    cycle s = 0..1, with a(s) the inference of the input as it moves. float64 [rows], in k_B T."""
    rows = np.asarray(x, dtype=np.float64)
    share = np.sin(np.pi * np.linspace(0, 1, points)) ** 2
    total = np.zeros(len(rows))
    for number, row in enumerate(rows):
        for layer in model.infer(share[:, None] * row):
            total[number] += float((np.diff(layer, axis=0) ** 2).sum()) * (points - 1)
    return np.asarray(model.stiffness * total)
