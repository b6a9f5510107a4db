"""The body of a circuit of tensors cut into runs of items that are executed together."""

from collections.abc import Iterator
from dataclasses import dataclass

from revsim.circuit.banks import (
    BankAlloc,
    BankErase,
    BankFree,
    BankMark,
    Calls,
    TensorCircuit,
    TensorItem,
)

CALLS = 32
"""Calls that are made ready together."""


@dataclass(frozen=True, eq=False)
class BodyRun:
    """Items of one layer: calls with banks that come into use and tensors that can be read among
    them; or an unbroken run of ERASEs of one (layer, cause) with bookkeeping; or one other item."""

    items: tuple[TensorItem, ...]
    layer: str


def runs_of(circuit: TensorCircuit) -> Iterator[BodyRun]:
    """The runs of a body, in order."""
    body, place = circuit.body, 0
    while place < len(body):
        layer = circuit.layer_of[place] if circuit.layer_of else ""
        last = place + 1
        item = body[place]
        if isinstance(item, BankErase):
            last = _end_of_erases(circuit, place)
        elif isinstance(item, Calls | BankAlloc | BankMark):
            last = _end_of_calls(circuit, place)
        yield BodyRun(body[place:last], layer)
        place = last


def _end_of_erases(circuit: TensorCircuit, place: int) -> int:
    first = circuit.body[place]
    assert isinstance(first, BankErase)
    last = place + 1
    for number in range(place + 1, len(circuit.body)):
        item = circuit.body[number]
        if isinstance(item, BankErase):
            if (item.layer, item.cause) != (first.layer, first.cause):
                break
            last = number + 1
        elif isinstance(item, BankFree):
            last = number + 1
        elif not isinstance(item, BankAlloc | BankMark):
            break
    return last


def _end_of_calls(circuit: TensorCircuit, place: int) -> int:
    calls = 0
    for number in range(place, len(circuit.body)):
        item = circuit.body[number]
        calls += isinstance(item, Calls)
        other = circuit.layer_of and circuit.layer_of[number] != circuit.layer_of[place]
        if other or calls > CALLS or not isinstance(item, Calls | BankAlloc | BankMark):
            return number
    return len(circuit.body)
