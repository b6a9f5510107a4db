"""Which erasures belong together: groups for `given_kept`, batches for `per_group`."""

from dataclasses import dataclass

import numpy as np

from revsim.circuit.definition import Alloc, Call, Circuit, Erase, Free, Loop, Mark
from revsim.circuit.memo import remembered
from revsim.circuit.registers import Wires


@dataclass(frozen=True, eq=False)
class Group:
    """One run of erasures of one (layer, cause): its key, its first and last item of the body.

    `batches` maps the first ERASE of each unbroken run of ERASEs inside the group to all the wires
    that the run resets: what a reset that sees its whole group finds there at once.
    """

    key: tuple[str, str]
    first: int
    last: int
    batches: dict[int, Wires]


@remembered
def groups_of(circuit: Circuit) -> dict[int, Group]:
    """The group of every erasing item of the body, by position.

    Only bookkeeping (Alloc, Free, Mark) may stand inside a run: any gate closes it, so that a gate
    that is not a bijection falls between two readings and breaks the telescoping identity.
    """
    runs: list[tuple[tuple[str, str], list[int]]] = []
    current: tuple[tuple[str, str], list[int]] | None = None
    for position, item in enumerate(circuit.body):
        if isinstance(item, Alloc | Free | Mark):
            continue
        key: tuple[str, str] | None = None
        if isinstance(item, Erase):
            key = item.group
        elif isinstance(item, Call | Loop) and item.definition.causes:
            layer = circuit.layer_of[position] if circuit.layer_of else ""
            key = (layer, "+".join(item.definition.causes))
        if key is None:
            current = None
        elif current is not None and current[0] == key:
            current[1].append(position)
        else:
            current = (key, [position])
            runs.append(current)
    out: dict[int, Group] = {}
    for key, places in runs:
        group = Group(key, places[0], places[-1], _batches(circuit, places))
        out.update(dict.fromkeys(places, group))
    return out


def _batches(circuit: Circuit, places: list[int]) -> dict[int, Wires]:
    """Unbroken runs of ERASEs; a netlist between two of them, which computes, ends a run."""
    runs: dict[int, list[Wires]] = {}
    first = -1
    for position in places:
        item = circuit.body[position]
        if not isinstance(item, Erase):
            first = -1
            continue
        if first < 0:
            first = position
        runs.setdefault(first, []).append(item.register.wires)
    return {first: np.unique(np.concatenate(found)) for first, found in runs.items()}
