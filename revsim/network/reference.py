"""The network in plain NumPy integers: the reference that circuits must equal bit for bit."""

from dataclasses import dataclass

import numpy as np

from revsim.errors import InputError
from revsim.network.network import Network
from revsim.network.operators import Integers


@dataclass(frozen=True, eq=False)
class LayerValues:
    """What one layer saw: input int64 [rows, n], z (after the linear part) and output."""

    x: Integers
    z: Integers
    y: Integers


def check_rows(network: Network, rows: Integers, where: str = "data") -> Integers:
    """Rows as int64 [rows, inputs] inside the declared input ranges, or an InputError."""
    rows = np.asarray(rows)
    if rows.ndim != 2 or rows.shape[1] != network.inputs:
        raise InputError(
            f"{where}: shape {rows.shape}; network {network.name!r} takes [rows, {network.inputs}]"
        )
    if rows.shape[0] == 0:
        raise InputError(f"{where}: there are no rows")
    if rows.dtype.kind not in "iub":
        if rows.dtype.kind != "f" or not bool(np.isfinite(rows).all()):
            raise InputError(f"{where}: values must be finite integers, got {rows.dtype}")
        if bool((rows != np.floor(rows)).any()):
            raise InputError(f"{where}: values must be integers; quantise the data first")
    rows = rows.astype(np.int64)
    bad = np.argwhere((rows < network.input_low) | (rows > network.input_high))
    if len(bad):
        r, i = (int(v) for v in bad[0])
        raise InputError(
            f"{where}: row {r}, input {i} is {rows[r, i]}, outside the declared "
            f"{network.input_low[i]}..{network.input_high[i]}"
        )
    return rows


def run_reference(network: Network, rows: Integers) -> tuple[LayerValues, ...]:
    """Every layer's input, z and output for int64 [rows, inputs].

    >>> from revsim.network.arrays import from_arrays
    >>> net = from_arrays([[[1, -2]]], [[1]], activation="relu", input_range=(0, 3))
    >>> run_reference(net, np.array([[3, 1], [0, 3]]))[0].y.tolist()
    [[2], [0]]
    """
    values = check_rows(network, rows)
    out = []
    for layer in network.layers:
        z = values if layer.linear is None else layer.linear.apply(values)
        y = z
        for operator in layer.activations:
            y = operator.apply(y)
        out.append(LayerValues(values, z, y))
        values = y
    return tuple(out)
