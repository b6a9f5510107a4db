"""Train the bundled networks of other families and write them to revsim/data.

    python benchmarks/train_families.py                    # about two minutes on one core
    python benchmarks/train_families.py --only digits_conv

A convolutional network, one that reads the image row by row and keeps a state, additive coupling,
attention, tables on edges, mixtures of experts (families.py) and a decision tree (tree.py), on the
rows that train_networks.py uses, with its optimiser. Before a network is written, its integer
reference is held against what training computed: the same logits' winner on every image.
"""

import argparse
from pathlib import Path

import numpy as np
import threadpoolctl
from autograd import Node, cross_entropy, of_batches
from families import FAMILIES, Family, initial
from train_networks import DATA, NETWORK_LICENCE, SOURCE, load_split
from training import Floats, fit
from tree import as_layers, decide, grow

from revsim.network.bundled import as_streams
from revsim.network.files import save
from revsim.network.network import Network
from revsim.network.operators import Integers, Operator
from revsim.network.reference import run_reference

TREE, DEPTH = "digits_tree", 8
WRITTEN_BY = f"trained by benchmarks/train_families.py on: {SOURCE}"


def train_family(
    family: Family, rows: Integers, labels: Integers, used: Integers
) -> list[Integers]:
    """Parameters of a family after training on the used rows."""
    generator = np.random.default_rng(family.schedule.seed)
    parameters = initial(family.shapes, generator)

    def loss(nodes: list[Node], x: Floats, targets: Floats) -> Node:
        return cross_entropy(family.logits(nodes, x) * (1 / family.temperature), targets)

    images = rows[used].astype(np.float64)
    fit(parameters, of_batches(loss), images, labels[used], np.rint, family.schedule, generator)
    return parameters


def network_of(family: Family, operators: tuple[Operator, ...]) -> Network:
    """The finished network: pixels 0..16, and below them the state 0..15 where there is one."""
    inputs = 64 if not family.state else 8 + len(family.state)
    high = np.full(inputs, 16, np.int64)
    high[[i for i, _ in family.state]] = 15
    low = np.zeros(inputs, np.int64)
    return Network(
        family.name, low, high, operators, WRITTEN_BY, NETWORK_LICENCE, state=family.state
    )


def classes_of(network: Network, rows: Integers) -> Integers:
    """What a network says of whole images; of a stream of rows, its last one-hot answer."""
    if not network.state:
        return run_reference(network, rows)[-1].y[:, 0]
    answers = run_reference(network, as_streams(network, rows))[-1].y
    steps = len(answers) // len(rows)
    return answers[steps - 1 :: steps, len(network.state) :].argmax(1)


def report(network: Network, said: Integers, labels: Integers, test: Integers) -> None:
    right, kept = said == labels, np.setdiff1d(np.arange(len(labels)), test)
    print(f"{network!r}, {network.macs} multiply-accumulates")
    print(f"  held out: {right[test].sum()} of {len(test)} right, {right[test].mean():.4f}")
    print(f"  training: {right[kept].mean():.4f} of {len(kept)}", flush=True)


def write_all(only: str | None, folder: Path) -> None:
    """Train, compare, print, write."""
    rows, labels, test, used = load_split()
    for family in FAMILIES:
        if only not in (None, family.name):
            continue
        parameters = train_family(family, rows, labels, used)
        network = network_of(family, family.operators(parameters))
        logits = family.logits([Node(p) for p in parameters], rows.astype(np.float64)).value
        said = classes_of(network, rows)
        assert np.array_equal(said, logits.argmax(1)), f"{family.name}: not what was trained"
        report(network, said, labels, test)
        save(network, folder / f"{family.name}.npz")
    if only in (None, TREE):
        tree = grow(rows[used], labels[used], DEPTH)
        pixels = rows.shape[1]
        low, high = np.zeros(pixels, np.int64), np.full(pixels, 16, np.int64)
        layers = as_layers(tree, pixels)
        network = Network(TREE, low, high, layers, WRITTEN_BY, NETWORK_LICENCE)
        said = classes_of(network, rows)
        assert said.tolist() == [decide(tree, row) for row in rows]
        report(network, said, labels, test)
        save(network, folder / f"{TREE}.npz")


def main() -> None:
    """Read the options and do it."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    names = [*(family.name for family in FAMILIES), TREE]
    parser.add_argument("--only", choices=names, help="one network")
    parser.add_argument("--output", type=Path, default=DATA, help="folder to write to")
    options = parser.parse_args()
    with threadpoolctl.threadpool_limits(1):  # one thread, one order of sums
        write_all(options.only, options.output)


if __name__ == "__main__":
    main()
