"""The network in plain NumPy integers: the reference that circuits must equal bit for bit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.network.network import Network
from revsim.network.operators import Integers


@dataclass(frozen=True, eq=False)
class LayerValues:
    """What one layer saw: input, z (after the linear part) and output, integers [rows, n] each."""

    x: npt.NDArray[Any]
    z: npt.NDArray[Any]
    y: npt.NDArray[Any]


def check_rows(
    network: Network, rows: npt.NDArray[Any], where: str = "data", first: int = 0
) -> Integers:
    """Rows as int64 [rows, inputs] inside the declared input ranges, or an InputError."""
    rows = np.asarray(rows)
    if rows.ndim != 2 or rows.shape[1] != network.inputs:
        raise InputError(
            f"{where}: shape {rows.shape}; network {network.name!r} takes [rows, {network.inputs}]"
        )
    if rows.shape[0] == 0:
        raise InputError(f"{where}: there are no rows")
    if rows.dtype.kind not in "iubf":
        raise InputError(f"{where}: values must be integers, got {rows.dtype}")
    if rows.dtype.kind == "f":
        bad = np.argwhere(~np.isfinite(rows) | (rows != np.floor(rows)))
        if len(bad):
            r, i = (int(v) for v in bad[0])
            raise InputError(
                f"{where}: row {first + r}, input {i} is {rows[r, i]}; values must be integers, "
                "so quantise the data first"
            )
    bad = np.argwhere((rows < network.input_low) | (rows > network.input_high))
    if len(bad):
        r, i = (int(v) for v in bad[0])
        raise InputError(
            f"{where}: row {first + r}, input {i} is {rows[r, i]}, outside the declared "
            f"{network.input_low[i]}..{network.input_high[i]}"
        )
    return rows.astype(np.int64)


CHUNK = 1 << 16


def run_reference(network: Network, rows: npt.NDArray[Any]) -> tuple[LayerValues, ...]:
    """Every layer's input, z and output for integers [rows, inputs].

    Computed in int64 in chunks of rows and held in the smallest type that fits the exact ranges,
    so that a million rows stay small.

    >>> from revsim.network.arrays import from_arrays
    >>> net = from_arrays([[[1, -2]]], [[1]], activation="relu", input_range=(0, 3))
    >>> run_reference(net, np.array([[3, 1], [0, 3]]))[0].y.tolist()
    [[2], [0]]
    """
    if not isinstance(network, Network):
        raise InputError(
            f"run_reference takes a chain of layers, not {type(network).__name__}; of a graph of "
            "tensors, revsim.network.graph_reference.run_graph gives every tensor"
        )
    count = len(rows)
    held = [
        LayerValues(
            np.empty((count, len(layer.input_low)), _smallest(layer.input_low, layer.input_high)),
            np.empty((count, len(layer.z_low)), _smallest(layer.z_low, layer.z_high)),
            np.empty(
                (count, len(layer.output_low)), _smallest(layer.output_low, layer.output_high)
            ),
        )
        for layer in network.layers
    ]
    for first in range(0, max(count, 1), CHUNK):
        part = slice(first, first + CHUNK)
        values = check_rows(network, rows[part], first=first)
        for layer, out in zip(network.layers, held, strict=True):
            z = values if layer.linear is None else layer.linear.apply(values)
            y = z
            for operator in layer.activations:
                y = operator.apply(y)
            out.x[part], out.z[part], out.y[part] = values, z, y
            values = y
    return tuple(held)


def _smallest(low: Integers, high: Integers) -> type[np.signedinteger[Any]]:
    for kind in (np.int8, np.int16, np.int32):
        if int(low.min()) >= np.iinfo(kind).min and int(high.max()) <= np.iinfo(kind).max:
            return kind
    return np.int64


def run_sequence(
    network: Network, steps: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """A network with a state on a stream: (rows [steps, inputs], outputs [steps, outputs]).

    steps: integers [steps, inputs that are no state], in order of time. The state inputs of each
    row are the outputs that feed them from the row before. The rows are what a circuit of the
    network is run on, one a step; in this order they are the stream.

    >>> from revsim.network.operators import Dense, Wrap
    >>> counter = Network("counter", np.zeros(2, np.int64), np.array([1, 3]),
    ...     (Dense(np.array([[1, 1]]), np.array([0])), Wrap(2)), state=((1, 0),))
    >>> run_sequence(counter, np.ones((5, 1)))[1].ravel().tolist()
    [1, 2, 3, 0, 1]
    """
    fed = [i for i, _ in network.state]
    free = np.setdiff1d(np.arange(network.inputs), fed)
    given = np.asarray(steps)
    if given.ndim != 2 or given.shape[1] != len(free):
        raise InputError(
            f"stream: shape {given.shape}; network {network.name!r} takes [steps, {len(free)}], "
            f"its {len(fed)} state inputs are its own"
        )
    rows = np.zeros((len(given), network.inputs), dtype=given.dtype)
    rows[:, free] = given
    rows[:, fed] = network.input_low[fed]  # any value in range: only the given ones are checked
    rows = check_rows(network, rows, "stream")
    outputs = np.zeros((len(rows), network.outputs), dtype=np.int64)
    state = np.array(network.initial, dtype=np.int64)
    source = [j for _, j in network.state]
    for t in range(len(rows)):
        rows[t, fed] = state
        values = rows[t : t + 1]
        for operator in network.operators:
            values = operator.apply(values)
        outputs[t] = values[0]
        state = outputs[t, source]
    return rows, outputs
