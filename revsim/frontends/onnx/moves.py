"""ONNX operators that move values: where each value of the output comes from.

What ONNX's reference evaluator does to the flat places of the inputs, the wiring does to their
values. What decides about places (shapes, axes, indices, pads) must be known.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from revsim.errors import InputError
from revsim.frontends.onnx.builder import Array, Builder, Refusal, Step
from revsim.frontends.onnx.evaluator import evaluated
from revsim.frontends.shapes import places, size_of
from revsim.network.sums import Integers

MOVES: Final[dict[str, tuple[int, ...] | None]] = {
    "Identity": (0,),
    "Dropout": (0,),
    "Reshape": (0,),
    "Flatten": (0,),
    "Squeeze": (0,),
    "Unsqueeze": (0,),
    "Transpose": (0,),
    "Expand": (0,),
    "Tile": (0,),
    "DepthToSpace": (0,),
    "SpaceToDepth": (0,),
    "Slice": (0,),
    "Split": (0,),
    "Concat": None,
    "Gather": (0,),
    "GatherElements": (0,),
    "GatherND": (0,),
    "Compress": (0,),
    "ReverseSequence": (0,),
    "Pad": (0, 2),
    "Trilu": (0,),
    "CenterCropPad": (0,),
    "ScatterElements": (0, 2),
    "ScatterND": (0, 2),
}
"""Which inputs of each operator are moved (None: all of them); the others must be known."""


@dataclass(frozen=True, eq=False)
class Placement:
    """output.flat[e] = inputs.flat[index[e]]; the inputs are those in `sources`, end to end.

    index: int64 of the output's shape; -1 is a 0 that the operator puts there.
    """

    index: Integers
    sources: tuple[int, ...]


def placements(builder: Builder, step: Step) -> list[Placement]:
    """One placement an output; raises Refusal where a parameter is not known or does not fit."""
    if step.operator == "Dropout" and (len(step.outputs) > 1 or builder.given(step, 2)):
        raise Refusal("what it drops is for training; export the model for inference")
    moving = MOVES[step.operator]
    sources: dict[str, int] = {}
    given: dict[str, Array] = {}
    start = 1  # so that a 0 is no place
    for place, name in enumerate(step.inputs):
        if not name or name in given:
            continue
        if moving is not None and place not in moving:
            given[name] = builder.constant(step, place, f"input {place}")
            continue
        shape = builder.value(step, place).shape
        given[name], sources[name] = places(shape, start), place
        start += size_of(shape)
    made = evaluated(step, given)[: len(step.outputs)]
    return [Placement(np.asarray(index) - 1, tuple(sources.values())) for index in made]


def axis_of(step: Step, rank: int, default: int = 0) -> int:
    """The attribute `axis`, counted from 0."""
    axis = int(step.attributes.get("axis", default))
    if not -rank <= axis < rank:
        raise Refusal(f"its axis {axis} does not fit {rank} dimensions")
    return axis % rank


def listed(builder: Builder, step: Step, name: str, place: int) -> list[int] | None:
    """A list of integers: an attribute of old versions, an input of new ones; None if absent."""
    if name in step.attributes:
        return [int(v) for v in np.atleast_1d(step.attributes[name])]
    if not builder.given(step, place):
        return None
    return [int(v) for v in np.atleast_1d(builder.constant(step, place, name))]


def rounds(builder: Builder, step: Step) -> list[Integers]:
    """ScatterElements and ScatterND: int64 [values of the data] a round, places in the updates.

    Each round holds at most one update a place, -1 elsewhere; what comes later is in later rounds.
    """
    data, updates = (places(builder.value(step, place).shape) for place in (0, 2))
    chosen = builder.constant(step, 1, "indices")
    try:
        if step.operator == "ScatterElements":
            axis = axis_of(step, data.ndim)
            grid: list[Array] = list(np.indices(chosen.shape))
            grid[axis] = np.where(chosen < 0, chosen + data.shape[axis], chosen)
            at = data[tuple(grid)]
        else:
            at = data[tuple(np.moveaxis(chosen, -1, 0))]
    except (IndexError, InputError) as error:
        raise Refusal(f"its indices do not fit ({str(error)[:80]})") from None
    if at.shape != updates.shape:
        raise Refusal(f"updates of shape {list(updates.shape)} do not fit {list(at.shape)}")
    out: list[Integers] = []
    seen = np.zeros(data.size, dtype=np.int64)
    for place, source in zip(at.ravel(), updates.ravel(), strict=True):
        number = int(seen[place])
        if number == len(out):
            out.append(np.full(data.size, -1, dtype=np.int64))
        out[number][place] = source
        seen[place] += 1
    return out


def known_shape(builder: Builder, step: Step) -> Any:
    """Shape and Size: what is known of an input that varies."""
    shape = builder.value(step, 0).shape
    if step.operator == "Size":
        return np.array(size_of(shape), dtype=np.int64)
    start = int(step.attributes.get("start", 0))
    end = int(step.attributes.get("end", len(shape)))
    return np.array(shape[slice(start, end)], dtype=np.int64)
