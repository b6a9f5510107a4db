"""The networks that come with revsim, their data, and which rows training never saw.

How they were trained: revsim/data/README.md. `xor` and `toy` are made by hand and have no data:
their inputs are few enough to enumerate. Many networks share the data that they were trained on.
"""

from contextlib import AbstractContextManager
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np

from revsim.errors import InputError
from revsim.network.arrays import from_arrays
from revsim.network.files import load_many, load_npz, read_npz
from revsim.network.handmade import HANDMADE
from revsim.network.network import Network
from revsim.network.operators import Dense, Integers, Relu, Threshold, parameters

SAME_DATA: Final = (
    *("digits_4bit", "digits_2bit", "digits_1bit", "digits_sign"),
    *("digits_l1_50", "digits_l1_25", "digits_l1_10", "digits_l1_5", "digits_l1_2"),
    *("digits_top16", "digits_top8", "digits_top4", "digits_top2", "digits_top1"),
    *("digits_moe_top1", "digits_moe_top2", "digits_moe_free"),
    *("digits_conv", "digits_rows", "digits_coupling", "digits_attention", "digits_kan"),
    "digits_tree",
)
DATA_OF: Final = {"digits": "digits", "digits20": "digits20", **dict.fromkeys(SAME_DATA, "digits")}
"""Trained networks by name, and the data of each."""
STREAM, STEPS = "digits_rows", 8
"""The network with a state, and how many rows an image gives it."""
SEEDED: Final = ("digits", "digits16")
"""Networks trained from many seeds, and the data of each."""
TRAINED: Final = tuple(DATA_OF)
BUNDLED: Final = (*TRAINED, "xor", "toy", *HANDMADE)


def bundled(name: str) -> Network:
    """A bundled network by its name, one of `BUNDLED`.

    >>> bundled("digits")
    Network('digits', 64-32-10, dense relu requantise clamp dense argmax)
    >>> bundled("toy").operators[-1].apply(np.array([[0], [1]])).tolist()
    [[0], [1]]
    """
    _known(name)
    if name == "xor":
        return _xor()
    if name == "toy":
        return _toy()
    if name in HANDMADE:
        return HANDMADE[name]()
    with _file(name) as path:
        return load_npz(path)


def bundled_seeds(name: str) -> tuple[Network, ...]:
    """20 networks alike but for the seed of their training: `digits` (8 bits) or `digits16`.

    Number k is called NAME_k. `digits16` sees 16 binary pixels: all of its inputs can be run, and
    the real ones are `bundled_data("digits16")`. Raises InputError for another name.

    >>> seeds = bundled_seeds("digits16")
    >>> len(seeds), seeds[3]
    (20, Network('digits16_3', 16-12-10, dense relu requantise clamp dense argmax))
    """
    if name not in SEEDED:
        raise InputError(f"there are no seeds of {name!r}; there are of {', '.join(SEEDED)}")
    with _file(f"{name}_seeds") as path:
        return load_many(path)


def is_bundled(network: Network) -> bool:
    """Whether this is the bundled network of its name, and not a user's that is called the same.

    >>> is_bundled(bundled("toy")), is_bundled(from_arrays([[[1]]], name="toy"))
    (True, False)
    """
    if network.name not in BUNDLED:
        return False
    own = bundled(network.name)
    return (
        np.array_equal(network.input_low, own.input_low)
        and np.array_equal(network.input_high, own.input_high)
        and [*map(parameters, network.operators)] == [*map(parameters, own.operators)]
    )


def bundled_data(name: str) -> tuple[Integers, Integers] | None:
    """Rows int64 [n, inputs] and labels int64 [n] of a trained network; None for one made by hand.

    A network with a state sees each image as a stream: one row a step, with the state that it has
    there, the label repeated.

    >>> rows, labels = bundled_data("digits")
    >>> rows.shape, int(rows.min()), int(rows.max()), labels[:5].tolist()
    ((1797, 64), 0, 16, [0, 1, 2, 3, 4])
    >>> bundled_data("digits_rows")[0].shape  # eight rows of eight pixels, and 16 of state
    (14376, 24)
    >>> bundled_data("xor") is None
    True
    """
    arrays = _arrays(name)
    if arrays is None:
        return None
    rows, labels = arrays["rows"].astype(np.int64), arrays["labels"].astype(np.int64)
    if name != STREAM:
        return rows, labels
    rows = as_streams(bundled(name), rows)
    return rows, np.repeat(labels, len(rows) // len(labels))


def as_streams(network: Network, samples: Integers) -> Integers:
    """What a network with a state sees of samples that it reads in equal steps, one row a step.

    samples: int64 [samples, steps * (inputs that are no state)]. The state starts anew with each
    sample. Returns int64 [samples * steps, inputs], the steps of a sample together, in order.
    """
    fed, source = (list(places) for places in zip(*network.state, strict=True))
    free = np.setdiff1d(np.arange(network.inputs), fed)
    steps = samples.reshape(len(samples), -1, len(free))
    rows = np.zeros((*steps.shape[:2], network.inputs), np.int64)
    rows[:, :, free] = steps
    rows[:, 0, fed] = network.initial
    for t in range(1, steps.shape[1]):
        values = rows[:, t - 1]
        for operator in network.operators:
            values = operator.apply(values)
        rows[:, t, fed] = values[:, source]
    return rows.reshape(-1, network.inputs)


def held_out(name: str) -> Integers | None:
    """Ascending indices int64 of the rows of `bundled_data` that training never saw, or None.

    >>> len(held_out("digits"))
    450
    """
    arrays = _arrays(name)
    if arrays is None:
        return None
    test = arrays["test"].astype(np.int64)
    return test if name != STREAM else (STEPS * test[:, None] + np.arange(STEPS)).ravel()


def _known(name: str) -> None:
    if name not in BUNDLED:
        raise InputError(f"there is no bundled network {name!r} ({names_for(name)})")


def names_for(name: str) -> str:
    """What to say to someone who asked for `name`: names like it, or else all, in short.

    >>> names_for("digits_cnv")
    'did you mean digits_conv, digits_kan, digits_sign?'
    >>> names_for("mnist")[:58]
    'digits, digits20, 23 whose names begin with digits_, xor, '
    """
    like = get_close_matches(name, BUNDLED, 3)
    if like:
        return f"did you mean {', '.join(like)}?"
    family = f"{len(SAME_DATA)} whose names begin with digits_"
    own = [known for known in BUNDLED if known not in SAME_DATA]
    return ", ".join([*own[:2], family, *own[2:]])


def _arrays(name: str) -> dict[str, np.ndarray[Any, np.dtype[Any]]] | None:
    if name not in SEEDED:
        _known(name)
    data = name if name in SEEDED else DATA_OF.get(name)
    if data is None:
        return None
    with _file(f"{data}_data") as path:
        return read_npz(path)


def _file(stem: str) -> AbstractContextManager[Path]:
    return resources.as_file(resources.files("revsim") / "data" / f"{stem}.npz")


def _xor() -> Network:
    """h = relu(x1 + x2, x1 + x2 - 1), y = h1 - 2 h2, which is x1 xor x2."""
    return from_arrays(
        [[[1, 1], [1, 1]], [[1, -2]]], [[0, -1], [0]], input_range=(0, 1), output="none", name="xor"
    )


def _toy() -> Network:
    """Two inputs 0..3, three relu neurons, one threshold neuron: small enough to do by hand."""
    hidden = Dense(np.array([[1, -1], [-1, 1], [1, 1]]), np.array([0, 0, -3]))
    last = Dense(np.array([[1, 1, -1]]), np.array([0]))
    return Network(
        "toy",
        np.zeros(2, np.int64),
        np.full(2, 3, np.int64),
        (hidden, Relu(), last, Threshold(np.array([1]))),
    )
