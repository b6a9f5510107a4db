"""Choices: argmax, top-k and maximum, which look at several values at once and close a layer.

A choice is computed by groups. Each group has a definition that keeps its values and XORs its
answer onto fresh registers; groups of one shape share a definition. A schedule decides what becomes
of the values: erased, or uncomputed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from revsim.blocks.maximum import argmax, maximum, one_hot
from revsim.blocks.top_k import top_k
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.registers import Encoding, Wires
from revsim.network.choices import Argmax, Choice, Maximum, TopK


@dataclass(frozen=True, eq=False)
class Group:
    """One group: ports of `definition` are the values `sources`, then the outputs `targets`."""

    definition: Definition
    sources: tuple[int, ...]
    targets: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Joint:
    """A choice as reversible parts; `passed` maps each value that goes through to its output."""

    operator: Choice
    signed: bool
    groups: tuple[Group, ...]
    passed: dict[int, int]
    outputs: tuple[Encoding, ...]


def is_signed(encoding: Encoding) -> bool:
    """Whether the top bit has a negative weight."""
    return bool(encoding.weights) and encoding.weights[-1] < 0


def joint_of(operator: Choice, values: Sequence[Encoding], layer: str) -> Joint:
    """The parts of a choice among values in these encodings.

    Values that compete have one offset and, where one of them is signed, one width, so that their
    registers compare as they do.
    """
    groups = operator.groups_of(len(values)).tolist()
    competing = [values[k] for group in groups for k in group]
    signed = any(is_signed(e) for e in competing)
    passed: dict[int, int] = {}
    if isinstance(operator, TopK):
        inside = {k for group in groups for k in group}
        passed = {k: k for k in range(len(values)) if k not in inside}
        outputs = [e if k in passed else Encoding(0, (1,)) for k, e in enumerate(values)]
        targets = [tuple(group) for group in groups]
    elif isinstance(operator, Maximum):
        outputs = [max((values[k] for k in group), key=lambda e: e.width) for group in groups]
        targets = [(k,) for k in range(len(groups))]
    else:
        outputs = [Encoding.unsigned(0, len(values) - 1)]
        targets = [(0,)]
    made: dict[tuple[int, ...], Definition] = {}
    found = []
    for group, target in zip(groups, targets, strict=True):
        widths = tuple(values[k].width for k in group)
        if widths not in made:
            out = [outputs[k].width for k in target]
            name = f"{layer} {operator.kind.replace('_', ' ')}"
            made[widths] = _definition(operator, widths, out, signed, name)
        found.append(Group(made[widths], tuple(group), target))
    return Joint(operator, signed, tuple(found), passed, tuple(outputs))


def _definition(
    operator: Choice, widths: Sequence[int], outputs: Sequence[int], signed: bool, name: str
) -> Definition:
    """Ports value_0 .. value_n, then the outputs; outputs ^= the choice, values kept."""
    b = Builder(name)
    values = [b.port(f"value_{k}", width) for k, width in enumerate(widths)]
    if isinstance(operator, Argmax):
        out = b.port("index", outputs[0], zero=True)
    elif isinstance(operator, Maximum):
        out = b.port("greatest", outputs[0], zero=True)
    else:
        marks = [b.port(f"mask_{k}", 1, zero=True) for k in range(len(outputs))]
        out = np.concatenate(marks)
    padded: list[Wires] = []
    for value in values:  # unsigned values of unequal width: zeros above
        missing = max(widths) - len(value)
        padded.append(np.concatenate([value, b.local("zero", missing)]) if missing else value)
    if isinstance(operator, Argmax):
        argmax(b, padded, out, signed)
    elif isinstance(operator, Maximum):
        maximum(b, padded, out, signed)
    elif operator.k == 1:
        one_hot(b, padded, out, signed)
    else:
        top_k(b, padded, out, operator.k, signed)
    return b.build()
