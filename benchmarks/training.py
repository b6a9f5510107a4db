"""Small float training for the bundled networks, in plain NumPy; see train_networks.py."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.network.operators import Integers

Floats = npt.NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class Settings:
    """How one network is trained and quantised."""

    hidden: int
    weight_limit: int
    activation_limit: int
    epochs: int
    decay: float
    smoothing: float
    movement: float  # of each image, in pixels
    batch: int = 32
    rate: float = 3e-3
    seed: int = 0


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
    targets = np.eye(10)[labels] * (1 - settings.smoothing) + settings.smoothing / 10
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    step = 0
    for epoch in range(settings.epochs):
        rate = settings.rate * (1 + np.cos(np.pi * epoch / settings.epochs)) / 2
        order = generator.permutation(len(images))
        for start in range(0, len(images) - settings.batch + 1, settings.batch):
            chosen = order[start : start + settings.batch]
            x = features(moved(images[chosen], settings.movement, generator)) / scale
            step += 1
            used = [on_grid(p, settings.weight_limit) if p.ndim == 2 else p for p in parameters]
            for k, gradient in enumerate(gradients(used, x, targets[chosen])):
                first[k] += 0.1 * (gradient - first[k])
                second[k] += 0.001 * (gradient**2 - second[k])
                mean = first[k] / (1 - 0.9**step)
                spread = np.sqrt(second[k] / (1 - 0.999**step)) + 1e-8
                decay = settings.decay * parameters[k] if k % 2 == 0 else 0.0
                parameters[k] -= rate * (mean / spread + decay)
    parameters[0] /= scale
    return parameters


def on_grid(weights: Floats, limit: int) -> Floats:
    """Weights as they will be after quantisation; gradients pass straight through."""
    scale = limit / np.abs(weights).max()
    return np.rint(weights * scale) / scale


def gradients(parameters: list[Floats], x: Floats, targets: Floats) -> list[Floats]:
    """Of the mean cross-entropy, by backpropagation."""
    weights1, bias1, weights2, bias2 = parameters
    z = x @ weights1.T + bias1
    hidden = np.maximum(z, 0)
    logits = hidden @ weights2.T + bias2
    powers = np.exp(logits - logits.max(1, keepdims=True))
    error = (powers / powers.sum(1, keepdims=True) - targets) / len(x)
    back = error @ weights2 * (z > 0)
    return [back.T @ x, back.sum(0), error.T @ hidden, error.sum(0)]


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
