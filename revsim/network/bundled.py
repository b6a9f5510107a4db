"""The networks that come with revsim, their data, and which rows training never saw.

How they were trained: revsim/data/README.md. `xor` and `toy` are made by hand and have no data:
their inputs are few enough to enumerate. Many networks share the data that they were trained on.
"""

from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np

from revsim.errors import InputError
from revsim.network.arrays import from_arrays
from revsim.network.files import load_many, load_npz, read_npz
from revsim.network.handmade import HANDMADE
from revsim.network.network import Network
from revsim.network.operators import Dense, Integers, Relu, Threshold

DATA_OF: Final = {
    "digits": "digits",
    "digits20": "digits20",
    "digits_4bit": "digits",
    "digits_2bit": "digits",
    "digits_1bit": "digits",
    "digits_sign": "digits",
    "digits_l1_50": "digits",
    "digits_l1_25": "digits",
    "digits_l1_10": "digits",
    "digits_l1_5": "digits",
    "digits_l1_2": "digits",
}
"""Trained networks by name, and the data of each."""
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


def bundled_data(name: str) -> tuple[Integers, Integers] | None:
    """Rows int64 [n, inputs] and labels int64 [n] of a trained network; None for one made by hand.

    >>> rows, labels = bundled_data("digits")
    >>> rows.shape, int(rows.min()), int(rows.max()), labels[:5].tolist()
    ((1797, 64), 0, 16, [0, 1, 2, 3, 4])
    >>> bundled_data("xor") is None
    True
    """
    arrays = _arrays(name)
    if arrays is None:
        return None
    return arrays["rows"].astype(np.int64), arrays["labels"].astype(np.int64)


def held_out(name: str) -> Integers | None:
    """Ascending indices int64 of the rows of `bundled_data` that training never saw, or None.

    >>> len(held_out("digits"))
    450
    """
    arrays = _arrays(name)
    return None if arrays is None else arrays["test"].astype(np.int64)


def _known(name: str) -> None:
    if name not in BUNDLED:
        raise InputError(
            f"there is no bundled network {name!r}; the bundled ones are {', '.join(BUNDLED)}"
        )


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
