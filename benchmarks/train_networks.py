"""Train the bundled networks and write them, with their data, to revsim/data.

    python benchmarks/train_networks.py            # about two minutes on one core
    python benchmarks/train_networks.py --check    # cross-validation on the training rows as well

Needs scikit-learn: for the handwritten digits (UCI optical recognition of handwritten digits, the
1,797 images that it ships) and for threadpoolctl, which comes with it. Training is plain NumPy in
double precision, seeded and single-threaded: the same NumPy on the same processor writes the same
bytes; another linear algebra library may round otherwise and end at slightly different weights.

Recipe. 450 of the 1,797 rows are held out by a seeded permutation and touch nothing: not the
training, not the choice of pixels, not the choice of settings (made by four-fold cross-validation
on the other 1,347 rows). Two dense layers with relu between, Adam with decoupled weight decay and a
cosine learning rate, cross-entropy (labels smoothed for `digits`), every image moved by a random
fraction of a pixel each time it is seen. Each weight matrix is scaled so that its largest weight is
the largest integer allowed and rounded to nearest, during training (gradients pass straight through
the rounding) and at its end; biases follow their layer's scale. The hidden layer is shifted right
by the least shift at which at most 1 in 500 positive sums of the training rows exceeds the clamp.
Accuracies printed are those of the integer network.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import threadpoolctl
from training import GROUP, Floats, Settings, grid, select_pixels, train

from revsim.network.files import save, save_many, write_npz
from revsim.network.network import Network
from revsim.network.operators import (
    Argmax,
    Clamp,
    Dense,
    Integers,
    Operator,
    Relu,
    Requantise,
    Sign,
    TopK,
    products,
)
from revsim.network.reference import run_reference

DATA = Path(__file__).resolve().parent.parent / "revsim" / "data"
SPLIT_SEED = 0
HELD_OUT = 450
PIXEL_THRESHOLD = 8
SEEDS = 20
SOURCE = (
    "Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, 1998), UCI Machine "
    "Learning Repository, https://archive.ics.uci.edu/dataset/80, doi 10.24432/C50P49; the 1,797 "
    "images shipped by scikit-learn as load_digits, pixels 0..16"
)
DATA_LICENCE = "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/"
NETWORK_LICENCE = f"weights: Apache-2.0, as revsim; trained on data under {DATA_LICENCE}"
DIGITS = Settings(smoothing=0.1, movement=0.5)
SMALL = Settings(hidden=12, weight_bits=4, activation_limit=15)
SPARSE = replace(SMALL, hidden=64, decay=0.0)
NETWORKS = {
    "digits": DIGITS,
    "digits20": SMALL,
    "digits_4bit": replace(DIGITS, weight_bits=4),
    "digits_2bit": replace(DIGITS, weight_bits=2),
    "digits_1bit": replace(DIGITS, weight_bits=1),
    "digits_sign": replace(DIGITS, weight_bits=1, hidden=64, activation="sign"),
    "digits_l1_50": replace(SPARSE, penalty=0.00015),
    "digits_l1_25": replace(SPARSE, penalty=0.0012),
    "digits_l1_10": replace(SPARSE, penalty=0.01),
    "digits_l1_5": replace(SPARSE, penalty=0.03),
    "digits_l1_2": replace(SPARSE, penalty=0.15),
    **{f"digits_top{k}": replace(SPARSE, decay=0.01, top=k, balance=1.0) for k in (16, 8, 4, 2, 1)},
}
"""One hidden layer each. On are about P % in `digits_l1_P`, K of 32 in `digits_topK`."""
SEEDED = {"digits": DIGITS, "digits16": SMALL}
"""Trained once more with each of 20 seeds."""
PIXELS = {"digits20": 20, "digits16": 16}
"""How many binary pixels a network sees, where it does not see the whole image."""


def load_rows() -> tuple[Integers, Integers]:
    """Pixels int64 [1797, 64] in 0..16 and labels int64 [1797]."""
    from sklearn.datasets import load_digits  # only here: everything else is NumPy

    digits = load_digits()
    return digits.data.astype(np.int64), digits.target.astype(np.int64)


def load_split() -> tuple[Integers, Integers, Integers, Integers]:
    """Pixels and labels of all rows, ascending indices of the held-out and of the used rows."""
    rows, labels = load_rows()
    permuted = np.random.default_rng(SPLIT_SEED).permutation(len(rows))
    return rows, labels, np.sort(permuted[:HELD_OUT]), np.sort(permuted[HELD_OUT:])


def quantise(
    name: str,
    parameters: list[Floats],
    x: Integers,
    pixel_high: int,
    settings: Settings,
    source: str,
) -> Network:
    """The integer network; `x` are the training inputs, which set the shift."""
    weights1, bias1, weights2, bias2 = parameters
    (whole1, scale1), (whole2, scale2) = (
        grid(w, settings.weight_bits) for w in (weights1, weights2)
    )
    dense1 = Dense(rounded(whole1), rounded(bias1 * scale1))
    activation: list[Operator] = [Sign()]
    unit = 1.0  # integer outputs of the hidden layer that make one
    if settings.activation == "relu":
        shift = least_shift(dense1.apply(x), settings.activation_limit)
        requantise = Requantise(np.full(settings.hidden, shift, np.int64))  # where shift is 0 too
        fires = (Relu(), Clamp(0, settings.activation_limit))
        activation = [fires[0], requantise, fires[1]]
        if settings.top:
            activation = [requantise, *greatest(settings.hidden, settings.top), *fires]
        unit = scale1 / 2**shift
    dense2 = Dense(rounded(whole2), rounded(bias2 * scale2 * unit))
    inputs = x.shape[1]
    return Network(
        name,
        np.zeros(inputs, np.int64),
        np.full(inputs, pixel_high, np.int64),
        (dense1, *activation, dense2, Argmax()),
        f"trained by benchmarks/train_networks.py on: {source}",
        NETWORK_LICENCE,
    )


def greatest(values: int, k: int) -> tuple[Operator, ...]:
    """The k greatest of each group stay, other values become 0: a mask times the values."""
    both = np.tile(np.eye(values, dtype=np.int64), (2, 1))
    mask = TopK(k, np.arange(values).reshape(-1, GROUP))
    return (
        Dense(both, np.zeros(2 * values, np.int64)),
        mask,
        products([[(1, i, values + i)] for i in range(values)]),
    )


def least_shift(z: Integers, limit: int) -> int:
    """The least right shift at which at most 1 in 500 positive sums exceeds the limit."""
    high, shift = np.quantile(z[z > 0], 1 - 1 / 500), 0
    while high / 2**shift >= limit + 0.5:
        shift += 1
    return shift


def rounded(values: Floats) -> Integers:
    """To the nearest integer, ties to even."""
    return np.rint(values).astype(np.int64)


def accuracy(network: Network, x: Integers, labels: Integers) -> float:
    """Share of rows that the integer network classifies right."""
    return float((run_reference(network, x)[-1].y[:, 0] == labels).mean())


def signed_digits(weight: int) -> list[tuple[int, int]]:
    """Canonical signed digits as (position, +1 or -1): 7 is [(0, -1), (3, 1)]."""
    digits, position = [], 0
    while weight:
        if weight & 1:
            digit = 2 - (weight & 3)
            digits.append((position, digit))
            weight -= digit
        weight >>= 1
        position += 1
    return digits


def estimated_toffolis(network: Network) -> int:
    """Column model of the dense layers, compute and uncompute (an estimate, not a circuit).

    Per output, bit k of input i enters column k + s for each signed digit s of its weight; a
    negative digit enters complemented, its correction joins the constant, which puts at most one
    bit in each column. A column of height h needs floor(h / 2) Toffolis and sends as many carries
    on; the top column of the accumulator needs none.
    """
    total = 0
    for layer in network.layers:
        if not isinstance(layer.linear, Dense):
            continue
        widths = [int(high).bit_length() for high in layer.input_high]
        for j, row in enumerate(layer.linear.weights):
            low, high = int(layer.z_low[j]), int(layer.z_high[j])
            width = max(high.bit_length(), (~low).bit_length() if low < 0 else 0) + 1
            constant, heights = int(layer.linear.bias[j]), [0] * width
            for bits, weight in zip(widths, row, strict=True):
                for position, digit in signed_digits(int(weight)):
                    for k in range(min(bits, width - position)):
                        heights[position + k] += 1
                    constant -= ((1 << bits) - 1 << position) if digit < 0 else 0
            carries = 0
            for k in range(width - 1):
                carries = (heights[k] + (constant >> k & 1) + carries) // 2
                total += 2 * carries
    return total


def features_of(pixels: list[int] | None) -> Callable[[Floats], Floats]:
    """What the network sees of an image: all of it, or the chosen pixels against the threshold."""
    if pixels is None:
        return lambda images: images
    return lambda images: (images[:, pixels] >= PIXEL_THRESHOLD).astype(np.float64)


def source_of(pixels: list[int] | None) -> str:
    """Where the data comes from and how they were changed, as their licence asks."""
    if pixels is None:
        return SOURCE
    return (
        f"{SOURCE}; reduced by revsim to {len(pixels)} pixels, each 1 where the original is "
        f"{PIXEL_THRESHOLD} or more"
    )


def build(
    name: str, rows: Integers, labels: Integers, settings: Settings
) -> tuple[Network, list[int] | None]:
    """Train and quantise one network on the rows given; returns it and the pixels it reads."""
    pixels = None
    if name in PIXELS:
        binary = (rows >= PIXEL_THRESHOLD).astype(np.int64)
        pixels = select_pixels(binary, labels, PIXELS[name])
    features = features_of(pixels)
    parameters = train(rows, labels, features, settings)
    x = features(rows.astype(np.float64)).astype(np.int64)
    high = 16 if pixels is None else 1
    return quantise(name, parameters, x, high, settings, source_of(pixels)), pixels


def cross_validate(name: str, rows: Integers, labels: Integers, settings: Settings) -> float:
    """Mean accuracy of four integer networks, each on the quarter that it was not trained on."""
    order, scores = np.random.default_rng(5).permutation(len(rows)), []
    for fold in range(4):
        mask = np.ones(len(rows), np.bool_)
        mask[order[fold::4]] = False
        network, pixels = build(name, rows[mask], labels[mask], settings)
        x = features_of(pixels)(rows[~mask].astype(np.float64)).astype(np.int64)
        scores.append(accuracy(network, x, labels[~mask]))
    return float(np.mean(scores))


def describe(network: Network, x: Integers, labels: Integers, test: Integers) -> None:
    """Print what was reached."""
    kept = np.ones(len(x), np.bool_)
    kept[test] = False
    toffolis = estimated_toffolis(network)
    print(f"{network!r}, {network.macs} multiply-accumulates")
    right = round(accuracy(network, x[test], labels[test]) * len(test))
    print(f"  held out: {right} of {len(test)} right, {right / len(test):.4f}")
    print(f"  training: {accuracy(network, x[kept], labels[kept]):.4f} of {kept.sum()}")
    for operator in network.operators:
        if isinstance(operator, Dense):
            w = operator.weights
            digits = np.mean([len(signed_digits(int(v))) for v in w.ravel()])
            print(
                f"  weights {w.min()}..{w.max()}, {np.mean(w != 0):.3f} not 0, "
                f"{np.mean(np.abs(w) > 63):.3f} beyond 63, {digits:.3f} signed digits each"
            )
        elif isinstance(operator, Requantise):
            print(f"  shift {operator.shift[0]}")
    print(f"  estimate: {toffolis} Toffolis, {toffolis / network.macs:.2f} per multiply-accumulate")


def activities(network: Network, x: Integers) -> None:
    """Print how often each hidden neuron of the binary network is above 0, under three priors."""
    ones = x.mean(0)
    numbers = np.arange(1 << network.inputs, dtype=np.int64)
    bits = np.arange(network.inputs)
    uniform, product = np.zeros((2, SMALL.hidden))
    for part in np.split(numbers, 64):
        rows = (part[:, None] >> bits) & 1
        active = run_reference(network, rows)[0].y > 0
        uniform += active.sum(0) / len(numbers)
        product += np.prod(np.where(rows == 1, ones, 1 - ones), axis=1) @ active
    data = (run_reference(network, x)[0].y > 0).mean(0)
    print("  hidden neuron above 0, share of inputs: uniform, product of pixel means, data")
    for j in range(SMALL.hidden):
        print(f"    {j:2d}  {uniform[j]:.4f}  {product[j]:.4f}  {data[j]:.4f}")


def write_all(names: Sequence[str], check: bool, folder: Path) -> None:
    """Train the networks, write the files, print what was reached."""
    rows, labels, test, used = load_split()
    for name in names:
        settings = NETWORKS[name]
        network, pixels = build(name, rows[used], labels[used], settings)
        x = features_of(pixels)(rows.astype(np.float64)).astype(np.int64)
        describe(network, x, labels, test)
        if check and name in ("digits", "digits20"):
            score = cross_validate(name, rows[used], labels[used], settings)
            print(f"  four-fold cross-validation on the training rows: {score:.4f}")
        if name == "digits20":
            activities(network, x)
        save(network, folder / f"{name}.npz")
        if name in ("digits", "digits20"):
            write_data(folder / f"{name}_data.npz", x, labels, test, pixels)


def write_seeds(folder: Path) -> None:
    """The same two networks from each of 20 seeds, all of one kind in one file."""
    rows, labels, test, used = load_split()
    for name, settings in SEEDED.items():
        networks, shares = [], []
        for seed in range(SEEDS):
            network, pixels = build(name, rows[used], labels[used], replace(settings, seed=seed))
            x = features_of(pixels)(rows.astype(np.float64)).astype(np.int64)
            networks.append(network)
            shares.append(accuracy(network, x[test], labels[test]))
        save_many(networks, folder / f"{name}_seeds.npz")
        if name not in NETWORKS:
            write_data(folder / f"{name}_data.npz", x, labels, test, pixels)
        print(f"{name}, {SEEDS} seeds, held out: {min(shares):.4f}..{max(shares):.4f}", end="")
        print(f", mean {np.mean(shares):.4f}, standard deviation {np.std(shares, ddof=1):.4f}")


def write_data(
    path: Path, x: Integers, labels: Integers, test: Integers, pixels: list[int] | None
) -> None:
    """What a network sees of all images, with their labels and the held-out rows."""
    data = {
        "rows": x.astype(np.uint8),
        "labels": labels.astype(np.uint8),
        "test": test.astype(np.uint16),
        "source": np.array(source_of(pixels)),
        "licence": np.array(DATA_LICENCE),
    }
    if pixels is not None:
        data["pixels"] = np.array(pixels, np.uint8)
        data["threshold"] = np.array(PIXEL_THRESHOLD, np.uint8)
        data["ones"] = x.sum(0).astype(np.uint16)
        data["count"] = np.array(len(x), np.uint16)
    write_npz(path, data)


def main() -> None:
    """Read the options and do it."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--check", action="store_true", help="cross-validate the settings too")
    parser.add_argument("--only", choices=[*NETWORKS, "seeds"], help="one network, or the seeds")
    parser.add_argument("--output", type=Path, default=DATA, help="folder to write to")
    options = parser.parse_args()
    with threadpoolctl.threadpool_limits(1):  # one thread, one order of sums
        if options.only != "seeds":
            names = [options.only] if options.only else list(NETWORKS)
            write_all(names, options.check, options.output)
        if options.only in (None, "seeds"):
            write_seeds(options.output)


if __name__ == "__main__":
    main()
