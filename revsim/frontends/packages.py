"""Operators that other packages add, by the entry point group `revsim.operators`.

    [project.entry-points."revsim.operators"]
    "com.example.Staircase" = "example.revsim:staircase"     # ONNX: domain.operator
    "tflite.Staircase" = "example.revsim:staircase"          # TensorFlow Lite: custom code

The object is a `Table` (`rs.table(function)`): the operator is that function of each value. Or it
is, for ONNX, a maker `(builder, step) -> None` (onnx_builder.py), which takes its inputs from the
builder and sets `builder.values` of its outputs; for TensorFlow Lite, a `Rule`
(tflite/operators.py). Packages are asked only for operators that revsim itself does not know.
"""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import numpy as np

from revsim.errors import InputError
from revsim.frontends.onnx.builder import Builder, Maker, Refusal, Step
from revsim.frontends.tflite.draft import Draft
from revsim.frontends.tflite.file import FileOperator
from revsim.frontends.tflite.operators import BYTES, Rule
from revsim.network.cells import Elementwise
from revsim.network.operators import Table
from revsim.network.sums import Integers

GROUP = "revsim.operators"


def added() -> Sequence[EntryPoint]:
    """Entry points of all installed packages, by name."""
    return sorted(entry_points(group=GROUP), key=lambda entry: entry.name)


def onnx_maker(domain: str, operator: str) -> Maker | None:
    """What a package gives for an operator of ONNX; None where none does."""
    found = _loaded(f"{domain}.{operator}" if domain else operator)
    if found is None or not isinstance(found[1], Table):
        return None if found is None else _callable(*found)
    table = found[1]

    def make(builder: Builder, step: Step) -> None:
        held = builder.held(step, 0)
        _check(table, held.low, held.high)
        reads = np.arange(held.size, dtype=np.int64)[:, None]
        ends = int(table.values.min()), int(table.values.max())
        kind = next(k for k in ("int8", "uint8", "int32") if _fits(ends, k))
        builder.values[step.outputs[0]] = builder.computed(
            step.outputs[0],
            operator.lower(),
            Elementwise((table,)),
            [held],
            reads,
            held.shape,
            kind,
            ends,
            neurons=True,
        )

    return make


def tflite_rule(custom_code: str) -> Rule | None:
    """What a package gives for a custom operator of TensorFlow Lite; None where none does."""
    found = _loaded(f"tflite.{custom_code}")
    if found is None or isinstance(found[1], Rule):
        return None if found is None else found[1]
    entry, table = found
    if not isinstance(table, Table):
        raise InputError(f"{_named(entry)}: must be a Table or a Rule, not {type(table).__name__}")

    def make(draft: Draft, operator: FileOperator) -> None:
        x = draft.input(operator, 0)
        low, high = (-128, 127) if x.type == "int8" else (0, 255)
        _check(table, low, high)
        reads: Integers = np.arange(x.size, dtype=np.int64)[:, None]
        draft.cells(operator, Elementwise((table,)), reads, operator.inputs)

    return Rule(make, BYTES, f"from {_named(entry)}")


def _loaded(name: str) -> tuple[EntryPoint, Any] | None:
    entries = [entry for entry in added() if entry.name == name]
    if not entries:
        return None
    if len(entries) > 1:
        packages = ", ".join(_named(entry) for entry in entries)
        raise InputError(f"operator {name!r} is given by several packages: {packages}")
    try:
        return entries[0], entries[0].load()
    except Exception as error:
        line = str(error).splitlines()[0][:120] if str(error) else ""
        raise InputError(
            f"{_named(entries[0])}: cannot be loaded ({type(error).__name__}: {line})"
        ) from error


def _callable(entry: EntryPoint, found: Any) -> Maker:
    if not callable(found):
        raise InputError(f"{_named(entry)}: must be a Table or a maker, not {type(found).__name__}")
    maker: Maker = found
    return maker


def _named(entry: EntryPoint) -> str:
    package = entry.dist.name if entry.dist is not None else "a package"
    return f"operator {entry.name!r} of {package}"


def _check(table: Table, low: int, high: int) -> None:
    end = table.low + table.values.shape[-1] - 1
    if low < table.low or high > end:
        raise Refusal(
            f"its input is in {low}..{high}, its table in {table.low}..{end}",
            "make the table with rs.table(function, low, high) for that range",
        )


def _fits(ends: tuple[int, int], kind: str) -> bool:
    info = np.iinfo(kind)
    return bool(info.min <= ends[0] and ends[1] <= info.max)
