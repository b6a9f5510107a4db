"""ONNX's own node tests on gates: which pass, and why the others do not.

    python -m revsim.onnx_nodes [--group moves] [--all]

The official runner of the package onnx gives each model its inputs and compares the outputs of
`revsim.onnx_backend`. Its cases are sorted by what they need: `integers` (whole numbers and bits
alone), `quantised` (scales and zero points), `moves` (floats that only move) and `order` (floats
that are only compared); `--all` adds every other node test of the package.
"""

import argparse
import sys
import unittest
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from revsim.errors import InputError, missing
from revsim.onnx_backend import GateBackend, GateModel

QUANTISED: Final = {
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul",
    "ConvInteger", "MatMulInteger",
}  # fmt: skip
MOVES: Final = {
    "Compress", "Concat", "Constant", "ConstantOfShape", "DepthToSpace", "Expand", "EyeLike",
    "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "OneHot", "Pad", "Reshape",
    "ReverseSequence", "ScatterElements", "ScatterND", "Shape", "Size", "Slice", "SpaceToDepth",
    "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Where",
}  # fmt: skip
ORDER: Final = {
    "Abs", "ArgMax", "ArgMin", "Clip", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual",
    "Max", "MaxPool", "Min", "Neg", "ReduceMax", "ReduceMin", "Relu", "Sign", "TopK",
}  # fmt: skip
UNSHAPED: Final = {"NonZero", "Unique", "ImageDecoder", "OptionalHasElement"}
"""Operators on whole numbers that are left out: the shape of their output depends on the values, or
they read image files or optional values."""
GROUPS: Final = ("integers", "quantised", "moves", "order")
GATES, WIRING, CONSTANT, REFUSED, WRONG = "gates", "wiring", "constant", "refused", "wrong"


@dataclass(frozen=True)
class Outcome:
    """What became of one case. `kind`: `gates` or `wiring` (passed), `constant` (right, but no
    output depends on an input: nothing is left for a circuit), `refused` or `wrong`, with why."""

    name: str
    group: str
    kind: str
    gates: int = 0
    reason: str = ""


def group_of(model: Any) -> str:
    """The group of a ModelProto; `other` where it needs something else."""
    operators = {node.op_type for node in model.graph.node}
    values = [*model.graph.input, *model.graph.output]
    if not all(value.type.HasField("tensor_type") for value in values):
        return "other"
    types = {_type_name(value) for value in values}
    if any(name.startswith(("FLOAT8", "FLOAT4")) for name in types):
        return "other"
    if operators & QUANTISED:
        return "quantised"
    if all(name.startswith(("INT", "UINT", "BOOL")) for name in types):
        left_out = operators & UNSHAPED or operators == {"EyeLike"}
        return "other" if left_out else "integers"
    return "moves" if operators <= MOVES else "order" if operators <= ORDER else "other"


def _type_name(value: Any) -> str:
    from onnx import TensorProto

    return str(TensorProto.DataType.Name(value.type.tensor_type.elem_type))


class _Recorder(GateBackend):  # type: ignore[misc,unused-ignore]
    """The backend, remembering the model that the runner has just prepared."""

    latest: GateModel | None = None

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **kwargs: Any) -> GateModel:
        """As the backend does."""
        cls.latest = super().prepare(model, device, **kwargs)
        return cls.latest


def run_cases(groups: Iterable[str] = GROUPS, names: Iterable[str] | None = None) -> list[Outcome]:
    """The outcome of each official node test of some groups (of some names alone)."""
    wanted, chosen = set(groups), None if names is None else set(names)
    cases, tests = official()
    return [
        run_case(name, group, tests)
        for name, group in cases.items()
        if group in wanted and (chosen is None or name in chosen)
    ]


def official() -> tuple[dict[str, str], type[unittest.TestCase]]:
    """The group of each official node test by name, and the runner's tests of this backend."""
    try:
        from onnx.backend.test import BackendTest
        from onnx.backend.test.loader import load_model_tests
    except ImportError:
        raise missing("the node tests of ONNX", "onnx", "onnx") from None

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases are made with NumPy, overflows and all
        made = load_model_tests(kind="node")
        if any(case.model is None for case in made):
            raise InputError("the node tests of this onnx are files; install onnx 1.23 or newer")
        cases = {case.name: group_of(case.model) for case in made}
        suite = BackendTest(_Recorder, __name__).test_cases["OnnxBackendNodeModelTest"]
    return cases, suite


def run_case(name: str, group: str, tests: Any) -> Outcome:
    """One case by the official runner."""
    method = f"{name}_cpu"
    if not hasattr(tests, method):
        return Outcome(name, group, REFUSED, reason="the official runner has no test of this name")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            getattr(tests(method), method)()
    except unittest.SkipTest as skipped:
        return Outcome(name, group, REFUSED, reason=f"skipped by the official runner: {skipped}")
    except InputError as error:
        return Outcome(name, group, REFUSED, reason=_line(error))
    except Exception as error:  # whatever else goes wrong counts against the backend
        return Outcome(name, group, WRONG, reason=f"{type(error).__name__}: {_line(error)}")
    last = _Recorder.latest.last if _Recorder.latest is not None else None
    if last is None:
        return Outcome(name, group, WRONG, reason="nothing was run")
    return Outcome(name, group, last.kind, last.gates)


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text.split(" cannot be read ", 1)[-1][:200]


def table(outcomes: Sequence[Outcome]) -> str:
    """Totals by group, then every case that did not pass."""
    kinds = (GATES, WIRING, CONSTANT, REFUSED, WRONG)
    heads = ("group", "cases", "gates", "wiring", "constant", "no circuit", "wrong", "gates run")
    rows: list[tuple[str, ...]] = [heads]
    groups = list(dict.fromkeys(outcome.group for outcome in outcomes))
    for group in (*groups, "all"):
        of = [outcome for outcome in outcomes if group in (outcome.group, "all")]
        counts = [sum(outcome.kind == kind for outcome in of) for kind in kinds]
        run = sum(outcome.gates for outcome in of)
        rows.append((group, *(f"{n:,}" for n in (len(of), *counts, run))))
    widths = [max(len(row[k]) for row in rows) for k in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    for kind, words in ((CONSTANT, "constant: nothing to compute"), (REFUSED, "no circuit"),
                        (WRONG, "wrong")):  # fmt: skip
        those = [outcome for outcome in outcomes if outcome.kind == kind]
        lines += ["", f"{words} ({len(those)}):"] if those else []
        lines += [f"  {o.name}{': ' if o.reason else ''}{o.reason}" for o in those]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases and print the table; 0 unless an output is wrong."""
    parser = argparse.ArgumentParser(prog="python -m revsim.onnx_nodes", description=__doc__)
    parser.add_argument("--group", choices=GROUPS, help="this group alone")
    parser.add_argument("--all", action="store_true", help="every node test of the package onnx")
    asked = parser.parse_args(arguments)
    groups = (asked.group,) if asked.group else (*GROUPS, *(("other",) if asked.all else ()))
    try:
        outcomes = run_cases(groups)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    order = {group: place for place, group in enumerate((*GROUPS, "other"))}
    print(table(sorted(outcomes, key=lambda outcome: order[outcome.group])))
    return int(any(outcome.kind == WRONG for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
