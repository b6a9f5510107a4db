"""TensorFlow Lite models as graphs: `from_tflite`.

Every integer is what TensorFlow Lite's reference kernels compute (two roundings per
requantisation); `rounding="single"` follows runtimes that round once, such as XNNPACK.
"""

from pathlib import Path
from typing import Literal

from revsim.errors import InputError
from revsim.frontends.multipliers import ROUNDINGS
from revsim.frontends.tflite.check import check, trimmed
from revsim.frontends.tflite.draft import Draft
from revsim.frontends.tflite.file import RANGES, ModelFile, read_model
from revsim.frontends.tflite.operators import rule_of
from revsim.network.graph import Graph


def from_tflite(path: str | Path, rounding: Literal["double", "single"] = "double") -> Graph:
    """The graph of a quantised .tflite file: int8, uint8, or int16 activations with int8 weights.

    Tensors keep their names, shapes, scales and numbers; those of a model that is called with real
    numbers begin and end with integers. `rounding`: "double" is what the reference kernels do,
    "single" what runtimes do that round a requantisation once.

    Raises InputError where package tflite is absent, the file is damaged or too large, or an
    operator cannot be made; all of those are named at once, with the reason and what to do.

    >>> from_tflite("model.tflite", rounding="up")
    Traceback (most recent call last):
    revsim.errors.InputError: rounding 'up' is unknown; choose double or single
    """
    if rounding not in ROUNDINGS:
        raise InputError(f"rounding {rounding!r} is unknown; choose double or single")
    return graph_of(read_model(path), rounding)


def graph_of(file: ModelFile, rounding: str = "double") -> Graph:
    """The graph of a file that has been read."""
    main = trimmed(file.subgraphs[0])
    check(file, main)
    draft = Draft(file, main, rounding)
    inputs = []
    for number in main.inputs:
        tensor = draft.tensor(number)
        if tensor.type not in RANGES:
            raise InputError(f"{tensor.where}: an input of type {tensor.type}; use int8")
        inputs.append(draft.declare(number))
    for operator in main.operators:
        rule = rule_of(operator.kind)
        if rule is not None:  # `check` has refused the others
            rule.make(draft, operator)
    outputs = tuple(draft.given(number) for number in main.outputs)
    if not inputs or not outputs:
        raise InputError(f"{file.path}: has no input or no output")
    try:
        return Graph(
            Path(file.path).stem,
            draft.tensors,
            tuple(draft.nodes),
            tuple(inputs),
            outputs,
            tuple(draft.state.values()),
            source=file.path,
            sha256=file.sha256,
        )
    except InputError as error:
        raise InputError(f"{file.path}: {error}") from None
