"""TensorFlow Lite models as graphs: `from_tflite`.

Every integer is computed as TensorFlow Lite's reference kernels compute it (two roundings per
requantisation); `rounding="single"` follows runtimes that round once.
"""

from pathlib import Path
from typing import Literal

from revsim.errors import InputError
from revsim.frontends.multipliers import ROUNDINGS
from revsim.frontends.tflite_draft import Draft
from revsim.frontends.tflite_file import ModelFile, read_model
from revsim.frontends.tflite_operators import MAKERS
from revsim.network.graph import Graph


def from_tflite(path: str | Path, rounding: Literal["double", "single"] = "double") -> Graph:
    """The graph of a quantised .tflite file."""
    if rounding not in ROUNDINGS:
        raise InputError(f"rounding {rounding!r} is unknown; choose double or single")
    return graph_of(read_model(path), rounding)


def graph_of(file: ModelFile, rounding: str = "double") -> Graph:
    """The graph of a file that has been read."""
    draft = Draft(file, rounding)
    main = file.subgraphs[0]
    inputs = tuple(draft.declare(n) for n in main.inputs)
    for operator in main.operators:
        MAKERS[operator.kind](draft, operator)
    outputs = tuple(draft.names[n] for n in main.outputs)
    return Graph(
        Path(file.path).stem,
        draft.tensors,
        tuple(draft.nodes),
        inputs,
        outputs,
        tuple(draft.state.values()),
        source=file.path,
        sha256=file.sha256,
    )
