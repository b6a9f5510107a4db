"""`run` for graphs: samples in, raw integers out, in the model's own shapes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.graph_rows import circuit_rows, shaped
from revsim.network.files import write_npy, write_npz
from revsim.network.graph import Graph, Tensor
from revsim.schedule.graphs import compile_graph
from revsim.schedule.views import inputs_of
from revsim.simulator.ensemble import data_set
from revsim.simulator.run import simulate

BATCH = 256
"""Rows that are run at a time."""


def run_graph_circuit(
    graph: Graph,
    samples: Mapping[str, npt.NDArray[np.int64]],
    policy: str = "uncompute",
    tensors: bool = False,
) -> tuple[dict[str, npt.NDArray[np.int64]], int]:
    """Tensors by name, int64 [rows, size], read from the gates of a circuit, and gate evaluations.

    The outputs, or every tensor and the weighted sums (NODE.z, of policies that hold them) too. The
    rows of a graph with a state are consecutive steps. Raises CheckError where a wire is released
    while it is not 0.
    """
    circuit = compile_graph(graph, policy)
    given = circuit_rows(graph, samples)
    rows = np.concatenate([given[name] for name in inputs_of(graph)], axis=1)
    parts: list[dict[str, npt.NDArray[np.int64]]] = []
    evaluations = 0
    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH]
        seen: dict[str, list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]] = {}

        def on_mark(name: str, places: Any, values: Any, seen: Any = seen) -> None:
            seen.setdefault(name, []).append((places, values))

        run = simulate(circuit, data_set(batch), on_mark=on_mark if tensors else None)
        found = {name: _joined(len(batch), pieces) for name, pieces in seen.items()}
        cuts = np.cumsum([bank.size for bank in circuit.outputs])[:-1]
        for bank, values in zip(circuit.outputs, np.split(run.outputs, cuts, axis=1), strict=True):
            found[bank.name] = values
        parts.append(found)
        evaluations += run.tally.gate_evaluations
    return {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}, evaluations


def _joined(rows: int, pieces: list[tuple[Any, Any]]) -> npt.NDArray[np.int64]:
    """A tensor from the places at which its parts were read."""
    size = 1 + max(int(places.max(initial=-1)) for places, _ in pieces)
    out = np.zeros((rows, size), dtype=np.int64)
    for places, values in pieces:
        out[:, places] = values
    return out


def run_graph_to_files(
    graph: Graph,
    samples: Mapping[str, npt.NDArray[np.int64]],
    output: str | Path,
    tensors: str | Path | None,
    policy: str = "uncompute",
) -> dict[str, Any]:
    """Run a graph's gates and write its output (.npy; .npz by name where there are several), and
    every tensor (.npz): raw integers [rows, *shape]. Files are written at the end, whole."""
    if len(graph.outputs) > 1 and Path(output).suffix != ".npz":
        raise InputError(
            f"{output}: {graph.name} has {len(graph.outputs)} outputs; name an .npz file for them"
        )
    found, evaluations = run_graph_circuit(graph, samples, policy, tensors is not None)
    if tensors is not None:
        every = {
            n: shaped(graph.tensors[n], v) if n in graph.tensors else v for n, v in found.items()
        }
        write_npz(tensors, every)
    outputs = {n: shaped(graph.tensors[n], found[n]) for n in graph.outputs}
    if Path(output).suffix == ".npz":
        write_npz(output, outputs)
    else:
        write_npy(output, outputs[graph.outputs[0]])
    rows = len(next(iter(found.values())))
    return {
        "rows": rows,
        "outputs": sum(graph.tensors[n].size for n in graph.outputs),
        "gate_evaluations": evaluations,
        "reals": {n: rule for n in graph.outputs if (rule := scale_of(graph.tensors[n]))},
    }


def scale_of(tensor: Tensor) -> tuple[float, int] | None:
    """(scale, zero point) of the real numbers that a tensor's integers stand for in the model,
    scale * (q - zero); None where it has none, or other float operations follow.

    >>> scale_of(Tensor("y", (2,), 0, 255, scale=0.5, zero=3))
    (0.5, 3)
    """
    if tensor.scale is not None:
        return tensor.scale, tensor.zero
    if len(tensor.to_float) != 1 or tensor.to_float[0].operation != "grid":
        return None
    step, offset, scale = tensor.to_float[0].operands
    if max(step.size, offset.size, scale.size) > 1 or step[0] != 1:
        return None
    return float(scale[0]), -int(offset[0])
