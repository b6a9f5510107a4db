"""`run` for graphs: samples in, raw integers out, in the model's own shapes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from revsim.errors import CheckError, InputError
from revsim.graphs.rows import circuit_rows, shaped
from revsim.network.files import write_npy, write_npz
from revsim.network.graph import Graph, Tensor
from revsim.schedule.graphs import compile_graph
from revsim.schedule.views import inputs_of
from revsim.simulator.ensemble import data_set
from revsim.simulator.executors import Evaluated
from revsim.simulator.run import simulate

Integers = npt.NDArray[np.int64]
BATCH = 256
"""Rows that are run at a time."""


def run_graph_circuit(
    graph: Graph,
    samples: Mapping[str, Integers],
    policy: str = "uncompute",
    tensors: bool = False,
    executor: str | None = None,
) -> tuple[dict[str, Integers], Evaluated]:
    """Tensors by name, int64 [rows, size], read from the gates of a circuit, and how many ran.

    The outputs, or every tensor, the given ones included, and the weighted sums (NODE.z, of
    policies that hold them). A tensor that can never be read whole is left out. The rows of a graph
    with a state are consecutive steps. Raises CheckError where a wire is released while it is not
    0, and where a state that the gates made is not the one that the next step was given.
    """
    circuit = compile_graph(graph, policy)
    given = circuit_rows(graph, samples)
    rows = np.concatenate([given[name] for name in inputs_of(graph)], axis=1)
    sizes = {t.name: t.size for t in graph.tensors.values()}
    sizes |= {f"{node.name}.z": sizes[node.output] for node in graph.nodes}
    parts: list[dict[str, Integers]] = []
    evaluated = []
    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH]
        seen: dict[str, list[tuple[Integers, Integers]]] = {}

        def on_mark(name: str, places: Any, values: Any, seen: Any = seen) -> None:
            seen.setdefault(name, []).append((places, values))

        run = simulate(
            circuit, data_set(batch), executor=executor, on_mark=on_mark if tensors else None
        )
        found = {name: _joined(len(batch), sizes[name], pieces) for name, pieces in seen.items()}
        cuts = np.cumsum([bank.size for bank in circuit.outputs])[:-1]
        for bank, values in zip(circuit.outputs, np.split(run.outputs, cuts, axis=1), strict=True):
            found[bank.name] = values
        parts.append({name: values for name, values in found.items() if values is not None})
        evaluated.append(run.evaluated)
    out = {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}
    for state in graph.state:
        if not np.array_equal(out[state.output][:-1], given[state.input][1:]):
            raise CheckError(
                f"{graph.name}: state {state.output!r} as the gates made it is not what the next "
                "step was given"
            )
    return {**given, **out} if tensors else out, sum(evaluated[1:], evaluated[0])


def _joined(rows: int, size: int, pieces: Sequence[tuple[Integers, Integers]]) -> Integers | None:
    """A tensor from the places at which its parts were read, None where one never was."""
    out = np.zeros((rows, size), dtype=np.int64)
    held = np.zeros(size, dtype=np.bool_)
    for places, values in pieces:
        out[:, places] = values
        held[places] = True
    return out if held.all() else None


def run_graph_to_files(
    graph: Graph,
    samples: Mapping[str, Integers],
    output: str | Path,
    tensors: str | Path | None,
    policy: str = "uncompute",
    executor: str | None = None,
) -> dict[str, Any]:
    """Run a graph's gates and write its output (.npy; .npz by name where there are several), and
    every tensor (.npz): raw integers [rows, *shape]. Files are written at the end, whole."""
    if len(graph.outputs) > 1 and Path(output).suffix != ".npz":
        raise InputError(
            f"{output}: {graph.name} has {len(graph.outputs)} outputs; name an .npz file for them"
        )
    found, evaluated = run_graph_circuit(graph, samples, policy, tensors is not None, executor)
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
        **evaluated.as_dict(),
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
