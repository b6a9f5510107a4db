"""What stands between a TensorFlow Lite file and its graph, all of it, before anything is made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from revsim.errors import InputError
from revsim.frontends.multipliers import CLAMPS, FUSED
from revsim.frontends.tflite.file import ITEMS, FileOperator, ModelFile, Subgraph
from revsim.frontends.tflite.operators import REFUSED, UNKNOWN, Rule, rule_of

MESSAGE_LIMIT: Final = 300
_QUANTISE: Final = "quantise the model fully to integers, inputs and outputs included"


@dataclass(frozen=True)
class Refusal:
    """One operator that cannot be made: its number and kind, the reason, what to do."""

    number: int
    kind: str
    reason: str
    remedy: str


def trimmed(graph: Subgraph) -> Subgraph:
    """The integer part of a model that is called with real numbers, and of that what is needed.

    A QUANTIZE of an input and a DEQUANTIZE of an output are dropped: the graph begins and ends with
    integers, whose scales the tensors carry. So is what no output and no variable depends on, such
    as the computation of shapes that are known, or an input that is only such a shape.
    """
    operators = list(graph.operators)
    inputs, outputs = list(graph.inputs), list(graph.outputs)
    for place, number in enumerate(inputs):
        readers = [op for op in operators if number in op.inputs]
        if _real(graph, number) and [op.kind for op in readers] == ["QUANTIZE"]:
            operators.remove(readers[0])
            inputs[place] = readers[0].outputs[0] if readers[0].outputs else number
    for place, number in enumerate(outputs):
        makers = [op for op in operators if number in op.outputs]
        followed = any(number in op.inputs for op in operators)
        if [op.kind for op in makers] == ["DEQUANTIZE"] and not followed and makers[0].inputs:
            operators.remove(makers[0])
            outputs[place] = makers[0].inputs[0]
    kept, needed = _needed(operators, outputs)
    read = {number for op in kept for number in op.inputs} - needed
    left = tuple(number for number in inputs if number not in read)
    return replace(graph, operators=kept, inputs=left, outputs=tuple(outputs))


def _needed(
    operators: Sequence[FileOperator], outputs: Iterable[int]
) -> tuple[tuple[FileOperator, ...], set[int]]:
    """The operators on which outputs and variables depend, and the tensors whose values flow."""
    needed, kept = set(outputs), []
    for operator in reversed(operators):
        lasting = operator.kind in ("CALL_ONCE", "VAR_HANDLE", "ASSIGN_VARIABLE")
        if lasting or not needed.isdisjoint(operator.outputs):
            kept.append(operator)
            rule = rule_of(operator.kind)
            places = range(len(operator.inputs)) if rule is None else _data(rule, operator)
            needed.update(operator.inputs[k] for k in places)
    return tuple(reversed(kept)), needed


def refusals(graph: Subgraph) -> list[Refusal]:
    """Every operator of a graph that cannot be made, in order."""
    found = []
    for operator in graph.operators:
        reason = _reason(graph, operator)
        if reason is not None:
            found.append(Refusal(operator.number, operator.kind, *reason))
    return found


def check(file: ModelFile, graph: Subgraph) -> None:
    """InputError naming every operator that cannot be made, with the reason and what to do."""
    found = refusals(graph)
    if not found:
        return
    if all(r.remedy == _QUANTISE for r in found) and len(found) > len(graph.operators) // 2:
        raise InputError(
            f"{file.path}: a float model; convert it again with optimizations="
            "[tf.lite.Optimize.DEFAULT], a representative_dataset, target_spec.supported_ops="
            "[tf.lite.OpsSet.TFLITE_BUILTINS_INT8] and inference_input_type=tf.int8"
        )
    groups: dict[tuple[str, str, str], list[int]] = {}
    for refusal in found:
        key = refusal.kind, refusal.reason, refusal.remedy
        groups.setdefault(key, []).append(refusal.number)
    parts = [
        f"{kind} ({_numbers(numbers)}): {reason}; {remedy}"
        for (kind, reason, remedy), numbers in groups.items()
    ]
    text = f"{file.path}: {len(found)} of {len(graph.operators)} operators cannot be made: "
    text += parts[0]
    for k, part in enumerate(parts[1:], start=1):
        if len(text) + len(part) > MESSAGE_LIMIT:
            names = ", ".join(dict.fromkeys(key[0] for key in list(groups)[k:]))
            text += f". Further: {names}"
            break
        text += f". {part}"
    raise InputError(text)


def _reason(graph: Subgraph, operator: FileOperator) -> tuple[str, str] | None:
    """(reason, what to do) for an operator that cannot be made."""
    kind = operator.kind
    rule = rule_of(kind)
    if rule is None:
        return REFUSED.get(kind, UNKNOWN)
    if len(operator.inputs) < rule.least:
        return f"has {len(operator.inputs)} inputs, needs {rule.least}", "fetch the file again"
    flowing = [operator.inputs[k] for k in _data(rule, operator)]
    if min([*operator.inputs[: rule.least], *flowing], default=0) < 0:
        return "an input is left out", "fetch the file again"
    types = [graph.tensors[number].type for number in (*flowing, *operator.outputs)]
    for found in types:
        if found in ("float32", "float16", "float64"):
            return f"computes in {found}", _QUANTISE
        if found not in rule.types:
            return f"type {found} is not supported", f"use {' or '.join(rule.types)}"
    if rule.alike and len(set(types)) > 1:
        return f"mixes {' and '.join(sorted(set(types)))}", "give them one type in the model"
    for place in rule.constants:
        number = operator.inputs[place] if place < len(operator.inputs) else -1
        if number < 0:
            continue
        tensor = graph.tensors[number]
        if tensor.type in ("float32", "float16"):
            return f"input {place} is {tensor.type}", _QUANTISE
        if tensor.type not in ITEMS:
            return f"input {place} is of type {tensor.type}", "store it as int8"
        if tensor.data is None:
            return f"input {place} is computed", "make it a constant of the model"
    fused = operator.options.get("FusedActivationFunction", 0)
    if FUSED.get(fused) not in CLAMPS:
        return f"fused {FUSED.get(fused, fused)}", "use an activation operator of its own"
    return None


def _data(rule: Rule, operator: FileOperator) -> list[int]:
    """Places of the inputs whose values flow."""
    count = len(operator.inputs)
    return [k for k in (range(count) if rule.data is None else rule.data) if k < count]


def _real(graph: Subgraph, number: int) -> bool:
    return graph.tensors[number].type == "float32"


def _numbers(numbers: Sequence[int]) -> str:
    listed = ", ".join(str(n) for n in numbers[:6])
    return listed if len(numbers) <= 6 else f"{listed} and {len(numbers) - 6} more"
