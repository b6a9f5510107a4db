"""What users give on the command line: data files and the names of ensembles."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Circuit
from revsim.errors import InputError
from revsim.graphs.rows import ends_of, flat_rows, read_samples
from revsim.network.bundled import bundled_data, is_bundled
from revsim.network.files import read_npy, read_npz
from revsim.network.graph import Graph
from revsim.network.network import Network
from revsim.network.reference import check_rows
from revsim.simulator.ensemble import (
    ENUMERATION_LIMIT,
    Ensemble,
    data_set,
    inputs_in_all,
    product,
    random_rows,
    uniform,
)

Integers = npt.NDArray[np.int64]
KINDS = {"data": False, "uniform": False, "product": True, "weights": True, "random": True}
"""Kinds of ensembles and whether a parameter follows, after a colon."""
ENSEMBLES = "data, uniform, product:P, product:data, weights:FILE, random:ROWS"


def read_data(path: str | Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Rows and labels: a .npy of rows, or an .npz with `rows` and perhaps `labels`."""
    if Path(path).suffix == ".npz":
        arrays = read_npz(path)
        if "rows" not in arrays:
            raise InputError(f"{path}: has no array 'rows'; it holds {', '.join(arrays)}")
        return arrays["rows"], arrays.get("labels")
    return read_npy(path), None


def ranges_of(subject: Network | Graph | Circuit) -> tuple[Integers, Integers]:
    """Least and greatest value of each input of a network, a graph or a circuit."""
    if isinstance(subject, Graph):
        return ends_of(subject)
    if isinstance(subject, Network):
        return subject.input_low, subject.input_high
    encodings = [register.encoding for register in subject.inputs]
    return np.array([e.low for e in encodings]), np.array([e.high for e in encodings])


def make_ensemble(
    subject: Network | Graph | Circuit,
    spec: str | None,
    data: str | Path | None,
    seed: int = 0,
) -> tuple[Ensemble | None, npt.NDArray[Any] | None]:
    """The ensemble that a user named, with labels where the data has them.

    None where nothing was named: the caller then takes its own default. product:P gives every
    binary input the probability P of being 1; product:data takes each input's own distribution
    from the data; weights:FILE weighs the data rows by whole numbers from a .npy file.
    """
    low, high = ranges_of(subject)
    kind, _, parameter = ("data" if spec is None else spec).partition(":")
    if kind not in KINDS or bool(parameter) != KINDS[kind]:
        raise InputError(f"unknown ensemble {spec!r}; choose one of {ENSEMBLES}")
    from_data = kind in ("data", "weights") or parameter == "data"
    if data is not None and not from_data:
        raise InputError(f"ensemble {spec!r} takes no data: leave --data out")
    if kind == "uniform":
        return uniform(low, high), None
    if kind == "random":
        return random_rows(low, high, _whole(parameter, spec), seed), None
    if kind == "product" and parameter != "data":
        return _product(low, high, parameter, spec), None
    if kind == "data" and data is None and (spec is None or _has_data(subject)):
        return None, None
    rows, labels = _rows(subject, data)
    if kind == "product":
        return product(low, _marginals(rows, low, high), "product:data"), None
    if kind == "weights":
        return data_set(rows, read_npy(parameter), str(spec)), labels
    return data_set(rows), labels


def make_prior(network: Network | Graph, spec: str | None, seed: int = 0) -> Ensemble | None:
    """The ensemble to which a device is tuned: a data file, or the name of an ensemble."""
    if spec is None:
        return None
    if spec.partition(":")[0] not in KINDS and spec.endswith((".npy", ".npz")):
        rows, _ = _rows(network, spec)
        return data_set(rows, name=Path(spec).name)
    found, _ = make_ensemble(network, spec, None, seed)
    if found is not None:
        return found
    return data_set(_rows(network, None)[0])


def _rows(
    subject: Network | Graph | Circuit, data: str | Path | None
) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    if data is not None and isinstance(subject, Graph):
        samples, labels = read_samples(subject, data)
        return flat_rows(subject, samples), labels
    if data is not None:
        rows, labels = read_data(data)
        return (
            (check_rows(subject, rows, str(data)), labels)
            if isinstance(subject, Network)
            else (rows, labels)
        )
    if isinstance(subject, Network) and is_bundled(subject):
        found = bundled_data(subject.name)
        if found is not None:
            return found
    raise InputError(
        "this ensemble needs data: give --data FILE (or a file itself, as in --tuned-to FILE)"
    )


def _has_data(subject: Network | Graph | Circuit) -> bool:
    if not isinstance(subject, Network) or not is_bundled(subject):
        return False
    return bundled_data(subject.name) is not None


def _marginals(rows: npt.NDArray[Any], low: Integers, high: Integers) -> list[Any]:
    return [
        np.bincount(rows[:, k].astype(np.int64) - low[k], minlength=int(high[k] - low[k]) + 1)
        / len(rows)
        for k in range(rows.shape[1])
    ]


def _product(low: Integers, high: Integers, parameter: str, spec: str | None) -> Ensemble:
    try:
        p = float(parameter)
    except ValueError as error:
        raise InputError(f"ensemble {spec!r}: {parameter!r} is no probability") from error
    if not 0 <= p <= 1:
        raise InputError(f"ensemble {spec!r}: the probability must lie in 0..1")
    wide = np.flatnonzero(high - low != 1)
    if len(wide):
        raise InputError(
            f"ensemble {spec!r}: input {wide[0]} has {high[wide[0]] - low[wide[0]] + 1} values, "
            f"product:P is for inputs with two; use {_instead(low, high)}"
        )
    return product(low, [[1 - p, p]] * len(low), str(spec))


def _instead(low: Integers, high: Integers) -> str:
    """What to use in place of product:P: enumerated ensembles only where the inputs allow them."""
    listed = inputs_in_all(low, high) <= ENUMERATION_LIMIT
    few = "uniform, product:data with data, " if listed else ""
    return f"{few}a data file or random:ROWS"


def _whole(text: str, spec: str | None) -> int:
    if not text.isdigit():
        raise InputError(f"ensemble {spec!r}: {text!r} is no number of rows")
    return int(text)
