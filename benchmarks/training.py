"""Small float training for the bundled networks, in plain NumPy; see train_networks.py."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.network.operators import Integers

Floats = npt.NDArray[np.float64]
Generator = np.random.Generator


GROUP = 32
"""Neurons that compete where only the greatest stay on."""


@dataclass(frozen=True)
class Schedule:
    """How long and on what a network is trained."""

    epochs: int = 200
    decay: float = 0.1
    smoothing: float = 0.0
    movement: float = 0.3  # of each image, in pixels
    batch: int = 32
    rate: float = 3e-3
    seed: int = 0


@dataclass(frozen=True)
class Settings(Schedule):
    """How a network with one hidden layer is trained and quantised."""

    hidden: int = 32
    weight_bits: int = 8
    activation_limit: int = 63
    activation: str = "relu"  # or "sign"
    penalty: float = 0.0  # on the mean sum of activations, in units of the cross-entropy
    top: int = 0  # neurons of each group that stay on, the greatest; 0: all
    balance: float = 0.0  # how strongly neurons are driven to be on equally often


def moved(rows: Floats, movement: float, generator: Generator) -> Floats:
    """Images [n, 64], each moved by up to `movement` pixels each way, linearly interpolated."""
    images = rows.reshape(-1, 8, 8)
    for axis in (1, 2):
        move = generator.uniform(-movement, movement, (len(rows), 1, 1))
        padding = [(0, 0), (0, 0), (0, 0)]
        padding[axis] = (1, 1)
        padded = np.pad(images, padding)
        before, after = (np.take(padded, np.arange(8) + k, axis) for k in (0, 2))
        images = (
            (1 - np.abs(move)) * images
            + np.maximum(move, 0) * before
            + np.maximum(-move, 0) * after
        )
    return images.reshape(-1, 64)


Gradients = Callable[[list[Floats], Floats, Floats], list[Floats]]
"""Parameters, inputs [rows, n] and target shares [rows, 10] to the gradient of each parameter."""


def train(
    rows: Integers,
    labels: Integers,
    features: Callable[[Floats], Floats],
    settings: Settings,
) -> list[Floats]:
    """Weights and biases of both layers, in the units of `features(image)`."""
    generator = np.random.default_rng(settings.seed)
    images = rows.astype(np.float64)
    scale = float(np.max(features(images)))  # inputs are trained in 0..1
    inputs, hidden = features(images[:1]).shape[1], settings.hidden
    parameters = [
        generator.normal(0, np.sqrt(2 / inputs), (hidden, inputs)),
        np.zeros(hidden),
        generator.normal(0, np.sqrt(2 / hidden), (10, hidden)),
        np.zeros(10),
    ]

    def of_batch(given: list[Floats], x: Floats, targets: Floats) -> list[Floats]:
        used = [on_grid(p, settings.weight_bits) if p.ndim == 2 else p for p in given]
        return gradients(used, x, targets, settings)

    fit(parameters, of_batch, images, labels, lambda x: features(x) / scale, settings, generator)
    parameters[0] /= scale
    return parameters


def fit(
    parameters: list[Floats],
    of_batch: Gradients,
    images: Floats,
    labels: Integers,
    features: Callable[[Floats], Floats],
    schedule: Schedule,
    generator: Generator,
) -> None:
    """Adam with decoupled decay of the weights (not of vectors) and a cosine rate, in place."""
    smoothing = schedule.smoothing
    targets = np.eye(10)[labels] * (1 - smoothing) + smoothing / 10
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    step = 0
    for epoch in range(schedule.epochs):
        rate = schedule.rate * (1 + np.cos(np.pi * epoch / schedule.epochs)) / 2
        order = generator.permutation(len(images))
        for start in range(0, len(images) - schedule.batch + 1, schedule.batch):
            chosen = order[start : start + schedule.batch]
            x = features(moved(images[chosen], schedule.movement, generator))
            step += 1
            for k, gradient in enumerate(of_batch(parameters, x, targets[chosen])):
                first[k] += 0.1 * (gradient - first[k])
                second[k] += 0.001 * (gradient**2 - second[k])
                mean = first[k] / (1 - 0.9**step)
                spread = np.sqrt(second[k] / (1 - 0.999**step)) + 1e-8
                decay = schedule.decay * parameters[k] if parameters[k].ndim > 1 else 0.0
                parameters[k] -= rate * (mean / spread + decay)


def grid(weights: Floats, bits: int) -> tuple[Floats, float]:
    """Whole numbers of `bits` bits, and how many of them make a weight of 1.

    One bit: -1 or 1, worth the mean size of the weights (Rastegari et al., arXiv 1603.05279). Two:
    -1, 0 or 1, split at 0.7 of the mean size (Li, Zhang, Liu, arXiv 1605.04711). More: symmetric,
    the largest weight is the largest number.
    """
    size = np.abs(weights)
    if bits == 1:
        return np.where(weights >= 0, 1.0, -1.0), float(1 / size.mean())
    if bits == 2:
        kept = size > 0.7 * size.mean()
        return np.sign(weights) * kept, float(1 / size[kept].mean())
    scale = float(((1 << (bits - 1)) - 1) / size.max())
    return np.rint(weights * scale), scale


def on_grid(weights: Floats, bits: int) -> Floats:
    """Weights as they will be after quantisation; gradients pass straight through."""
    whole, scale = grid(weights, bits)
    return whole / scale


def gradients(
    parameters: list[Floats], x: Floats, targets: Floats, settings: Settings
) -> list[Floats]:
    """Of the mean cross-entropy and the penalty, by backpropagation.

    A sign passes gradients straight through where its sum is within 1 of the switch (Hubara et
    al., arXiv 1602.02830).
    """
    weights1, bias1, weights2, bias2 = parameters
    z = x @ weights1.T + bias1
    if settings.activation == "sign":
        hidden, slope = np.where(z >= 0, 1.0, -1.0), np.abs(z) <= 1
    else:
        slope = z > 0
        if settings.top:
            groups = z.reshape(len(z), -1, GROUP)
            least = np.sort(groups, axis=2)[:, :, [-settings.top]]
            slope &= (groups >= least).reshape(z.shape)
        hidden = z * slope
    logits = hidden @ weights2.T + bias2
    powers = np.exp(logits - logits.max(1, keepdims=True))
    error = (powers / powers.sum(1, keepdims=True) - targets) / len(x)
    back = (error @ weights2 + settings.penalty / len(x)) * slope
    bias = back.sum(0)
    if settings.top:  # a neuron on for more than its share is held back, in its bias
        bias += settings.balance * (slope.mean(0) - settings.top / GROUP)
    return [back.T @ x, bias, error.T @ hidden, error.sum(0)]


def select_pixels(binary: Integers, labels: Integers, count: int) -> list[int]:
    """Greedy conditional mutual information maximisation (Fleuret, JMLR 5, 2004).

    Each step takes the pixel that tells most about the label beyond the chosen pixel that comes
    nearest to telling the same: argmax over i of min over chosen s of I(label; i | s).
    """
    pixels = binary.shape[1]
    score = np.array([information(binary[:, i], labels) for i in range(pixels)])
    chosen: list[int] = []
    while len(chosen) < count:
        best = int(np.argmax(score))
        chosen.append(best)
        for i in range(pixels):
            if i not in chosen:
                split = binary[:, best] == 1
                beyond = sum(
                    part.mean() * information(binary[part, i], labels[part])
                    for part in (split, ~split)
                )
                score[i] = min(score[i], beyond)
        score[best] = -1.0
    return sorted(chosen)


def information(bit: Integers, labels: Integers) -> float:
    """Mutual information in bits between a 0/1 column and the labels, plug-in estimate."""
    joint = np.zeros((2, 10))
    np.add.at(joint, (bit, labels), 1 / len(bit))
    outer = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log2(joint[seen] / outer[seen])).sum())
