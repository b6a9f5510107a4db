"""What a circuit of tensors costs, from one look at each of its definitions.

A definition that is made on demand is made here once, counted and forgotten again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from revsim.circuit.banks import (
    BankAlloc,
    BankErase,
    BankFree,
    BankSet,
    Calls,
    Recipe,
    TensorCircuit,
    TensorItem,
)
from revsim.circuit.definition import Definition
from revsim.circuit.measures import Counts, counts
from revsim.circuit.program import compile_program


@dataclass(frozen=True)
class Facts:
    """Of one definition: native gates of a call, wires beside its ports, and what it erases."""

    counts: Counts
    inner: int
    erases: bool


_KNOWN: WeakKeyDictionary[Recipe, Facts] = WeakKeyDictionary()
_BY_KEY: dict[str, Facts] = {}


def facts_of(recipe: Recipe) -> Facts:
    """Known from a run, or from making the definition once."""
    found = _BY_KEY.get(recipe.key) if recipe.key else _KNOWN.get(recipe)
    if found is None:
        definition = recipe.make()
        return note(recipe, definition, compile_program(definition).slots)
    return found


def note(recipe: Recipe, definition: Definition, wires: int) -> Facts:
    """Remember a definition's facts while it is at hand: it may be large, they are small. `wires`:
    those in use at once, ports among them."""
    found = Facts(counts(definition), wires - definition.port_wires, definition.erases)
    if recipe.key:
        _BY_KEY[recipe.key] = found
    else:
        _KNOWN[recipe] = found
    return found


def recipes_of(circuit: TensorCircuit) -> Mapping[Recipe, str]:
    """Every definition that is called, each once, with the first layer that calls it."""
    found: dict[Recipe, str] = {}
    for item, layer in zip(circuit.body, circuit.layer_of, strict=True):
        if isinstance(item, Calls):
            found.setdefault(item.recipe, layer)
    return found


def counts_of_tensor_item(item: TensorItem) -> Counts:
    """Native gates of one item of the body, all positions."""
    if isinstance(item, Calls):
        return facts_of(item.recipe).counts.times(item.positions)
    if isinstance(item, BankErase):
        return Counts(erase=item.bank.wires.size)
    if isinstance(item, BankSet):
        return Counts(x=item.bank.size * item.value.bit_count())
    return Counts()


def counts_by_layer(circuit: TensorCircuit) -> dict[str, Counts]:
    """Native gates of each layer, "" for items of none."""
    out: dict[str, Counts] = {}
    for item, layer in zip(circuit.body, circuit.layer_of, strict=True):
        out[layer] = out.get(layer, Counts()) + counts_of_tensor_item(item)
    return out


def linear_toffolis(parts: Iterable[tuple[str, Recipe, int]]) -> dict[str, int]:
    """Toffolis of the weighted sums of each layer, computed and uncomputed once."""
    out: dict[str, int] = {}
    for layer, recipe, positions in parts:
        out[layer] = out.get(layer, 0) + positions * facts_of(recipe).counts.toffoli
    return out


def tensor_width(circuit: TensorCircuit) -> int:
    """Wires in use at once, one call at a time: banks, and inside the widest definition called
    meanwhile."""
    live = np.zeros(circuit.width, dtype=np.bool_)
    for bank in circuit.inputs:
        live[bank.wires] = True
    held = peak = int(live.sum())
    for item in circuit.body:
        if isinstance(item, BankAlloc | BankFree):
            held += item.bank.wires.size * (1 if isinstance(item, BankAlloc) else -1)
            peak = max(peak, held)
        elif isinstance(item, Calls):
            peak = max(peak, held + facts_of(item.recipe).inner)
    return peak
