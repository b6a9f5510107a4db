"""Samples of a graph: from arrays in the model's own shapes to rows of integers, and back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.graphs.media import is_media, read_media
from revsim.network.files import read_npy, read_npz
from revsim.network.graph import Graph, Tensor
from revsim.network.graph_reference import check_given, run_stream
from revsim.network.reals import quantise

Integers = npt.NDArray[np.int64]


def read_samples(
    graph: Graph, path: str | Path
) -> tuple[dict[str, Integers], npt.NDArray[Any] | None]:
    """Inputs by name, and labels: a .npy of samples, or an .npz with `rows` (or `x`) or one array
    per input (under its name, or in order where the names are others), and perhaps `labels` (or
    `y`); an image, a .wav or a folder of them (media.py)."""
    if is_media(path):
        rows, labels = read_media(graph, path)
        return samples_of(graph, rows, str(path)), labels
    if Path(path).suffix != ".npz":
        return samples_of(graph, read_npy(path), str(path)), None
    arrays = read_npz(path)
    labels = arrays.pop("labels", None)
    if labels is None and "y" not in graph.inputs and len(arrays) > len(graph.inputs):
        labels = arrays.pop("y", None)
    if len(graph.inputs) == 1:
        known = [n for n in (graph.inputs[0], "rows", "x") if n in arrays]
        if known:
            return samples_of(graph, arrays[known[0]], str(path)), labels
    return samples_of(graph, arrays, str(path)), labels


def samples_of(
    graph: Graph, given: npt.ArrayLike | Mapping[str, npt.ArrayLike], what: str = "samples"
) -> dict[str, Integers]:
    """Inputs by name as int64 [rows, size] from one array (a graph of one input) or several.

    Shapes are [rows, *shape of the input], with or without the leading 1 of a batch, or laid flat.
    Real numbers become integers by the scale and zero point of the input. Raises InputError for
    anything that does not fit.
    """
    if not isinstance(given, Mapping):
        if len(graph.inputs) != 1:
            raise InputError(
                f"{what}: {graph.name} has inputs {', '.join(graph.inputs)}; give an .npz with one "
                "array for each"
            )
        given = {graph.inputs[0]: given}
    if set(graph.inputs) - set(given) and len(given) == len(graph.inputs):
        given = dict(zip(graph.inputs, given.values(), strict=True))
    missing = [name for name in graph.inputs if name not in given]
    if missing:
        held = ", ".join(given)
        raise InputError(f"{what}: has no array {missing[0]!r}; it holds {held or 'nothing'}")
    rows = {n: _integers(graph.tensors[n], np.asarray(given[n]), what) for n in graph.inputs}
    return rows


def _integers(tensor: Tensor, array: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    shape = tensor.shape
    wanted = {shape, (tensor.size,), shape[1:] if shape[:1] == (1,) else shape}
    if array.ndim == 0 or array.shape[1:] not in wanted:
        expected = ", ".join(str(n) for n in ("rows", *shape))
        raise InputError(
            f"{what}: shape {list(array.shape)} for input {tensor.name!r}; expected [{expected}]"
        )
    if not len(array):
        raise InputError(f"{what}: there are no rows")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{what}: values of type {array.dtype}; give integers or real numbers")
    flat = array.reshape(len(array), tensor.size)
    if array.dtype.kind == "f":
        return quantised(tensor, flat, what)
    bad = np.argwhere((flat < tensor.low) | (flat > tensor.high))
    if len(bad):
        row, place = bad[0]
        raise InputError(
            f"{what}: row {row}, value {place} of input {tensor.name!r} is {flat[row, place]}; it "
            f"takes {tensor.low}..{tensor.high}"
        )
    return flat


def quantised(tensor: Tensor, values: npt.NDArray[Any], what: str) -> Integers:
    """Real numbers as integers of a tensor, by the model's own operations where it has some, else
    rint(x / scale) + zero in float32, cut off at the ends of its range (network/reals.py).

    >>> quantised(Tensor("x", (3,), 0, 255, 0.5, 10), np.array([[0.0, 0.75, 1e9]]), "x").tolist()
    [[10, 12, 255]]
    """
    if not bool(np.isfinite(values).all()):
        raise InputError(f"{what}: input {tensor.name!r} has values that are no number")
    if tensor.scale is None and not tensor.from_float:
        whole = np.rint(values)
        if bool((whole != values).any()):
            raise InputError(
                f"{what}: input {tensor.name!r} has no scale in the model: give its integers"
            )
        return np.asarray(whole, dtype=np.int64)
    return quantise(tensor, values)


def circuit_rows(graph: Graph, samples: Mapping[str, Integers]) -> dict[str, Integers]:
    """What a circuit of the graph is given, by name: the samples and, step by step, the states.

    The rows of a graph with a state are consecutive steps from its initial state.
    """
    if not graph.state:
        return check_given(graph, samples)
    return dict(run_stream(graph, samples)[0])


def flat_rows(graph: Graph, samples: Mapping[str, Integers]) -> npt.NDArray[Any]:
    """The samples side by side, int64 [rows, values of all inputs]."""
    return np.concatenate([samples[name] for name in graph.inputs], axis=1)


def unflat_rows(graph: Graph, rows: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Inverse of `flat_rows`."""
    sizes = [graph.tensors[name].size for name in graph.inputs]
    if rows.ndim != 2 or rows.shape[1] != sum(sizes):
        raise InputError(f"{graph.name}: rows of shape {rows.shape}; expected [rows, {sum(sizes)}]")
    cuts = np.cumsum(sizes)[:-1]
    return dict(zip(graph.inputs, np.split(rows, cuts, axis=1), strict=True))


def ends_of(graph: Graph) -> tuple[Integers, Integers]:
    """Least and greatest value of everything that is given, in order."""
    tensors = [graph.tensors[name] for name in graph.inputs]
    low, high = (
        np.concatenate([np.full(t.size, getattr(t, end), dtype=np.int64) for t in tensors])
        for end in ("low", "high")
    )
    return low, high


def directed_samples(graph: Graph, seed: int = 0) -> dict[str, Integers]:
    """Eight rows that reach what data do not: all inputs at their lowest, at their highest, twice
    alternating, and four seeded random ones.

    >>> from revsim.network.graph import Node, Wiring
    >>> pair = {n: Tensor(n, (2,), 0, 3) for n in "xy"}
    >>> node = Node("n", Wiring("copy", np.arange(2)), ("x",), "y")
    >>> g = Graph("g", pair, (node,), ("x",), ("y",))
    >>> directed_samples(g)["x"][:4].tolist()
    [[0, 0], [3, 3], [0, 3], [3, 0]]
    """
    low, high = ends_of(graph)
    even = np.arange(len(low)) % 2 == 0
    stream = np.random.default_rng(seed)
    rows = [low, high, np.where(even, low, high), np.where(even, high, low)]
    rows += list(stream.integers(low, high + 1, size=(4, len(low))))
    return unflat_rows(graph, np.stack(rows))


def shaped(tensor: Tensor, values: Integers) -> npt.NDArray[Any]:
    """Values [rows, size] in the tensor's own shape, in the smallest type of its range.

    >>> shaped(Tensor("x", (1, 2), -128, 127), np.array([[-3, 5]])).dtype
    dtype('int8')
    """
    kinds = (np.iinfo(k) for k in ("i1", "u1", "i2", "u2", "i4", "u4", "i8"))
    kind = next(k.dtype for k in kinds if k.min <= tensor.low and tensor.high <= k.max)
    return values.reshape(len(values), *tensor.shape).astype(kind)
