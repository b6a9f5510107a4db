"""A circuit of tensors as a plain one: every position a call, every register by itself.

What it means, spelled out: for small circuits, tests, and whatever reads plain circuits only.
"""

from collections.abc import Iterator

import numpy as np

from revsim.circuit.banks import (
    Bank,
    BankAlloc,
    BankErase,
    BankFree,
    BankMark,
    BankSet,
    Calls,
    TensorCircuit,
    TensorItem,
)
from revsim.circuit.definition import (
    Alloc,
    Call,
    Circuit,
    CircuitItem,
    Erase,
    Free,
    Gates,
    Mark,
)
from revsim.circuit.gates import COLUMNS, OP, ROLE, C, X
from revsim.circuit.registers import Register
from revsim.errors import InputError

ITEMS = 1 << 20
"""Most items of an unrolled body."""


def registers_of(bank: Bank) -> tuple[Register, ...]:
    """The registers of a bank one by one, named `bank[k]`."""
    return tuple(
        Register(f"{bank.name}[{k}]", wires, bank.encoding) for k, wires in enumerate(bank.wires)
    )


def unroll(circuit: TensorCircuit) -> Circuit:
    """The plain circuit of a circuit of tensors. Raises InputError above 2^20 items.

    Marks give the registers of a bank in its order, whatever elements of the tensor they are.
    """
    items = sum(i.positions if isinstance(i, Calls) else i.bank.size for i in circuit.body)
    if items > ITEMS:
        raise InputError(
            f"{circuit.name!r} has {items:,} calls and registers; up to {ITEMS:,} are unrolled"
        )
    body: list[CircuitItem] = []
    layer_of: list[str] = []
    for place, item in enumerate(circuit.body):
        made = tuple(_items(item))
        body += made
        layer_of += [circuit.layer_of[place] if circuit.layer_of else ""] * len(made)
    ranges = [
        ends
        for bank, ends in zip(circuit.inputs, circuit.ranges, strict=False)
        for _ in range(bank.size)
    ]
    return Circuit(
        circuit.name,
        circuit.width,
        tuple(body),
        tuple(r for bank in circuit.inputs for r in registers_of(bank)),
        tuple(r for bank in circuit.outputs for r in registers_of(bank)),
        circuit.layers,
        tuple(layer_of),
        circuit.policy,
        circuit.input_choice,
        circuit.order,
        ranges=tuple(ranges),
    )


def _items(item: TensorItem) -> Iterator[CircuitItem]:
    if isinstance(item, Calls):
        definition = item.recipe.make()
        for wires in item.table:
            yield Call(definition, wires, item.inverse)
        return
    registers = registers_of(item.bank)
    if isinstance(item, BankSet):
        targets = [
            w for r in registers for k, w in enumerate(r.wires.tolist()) if item.value >> k & 1
        ]
        table = np.full((len(targets), COLUMNS), -1, dtype=np.int32)
        table[:, OP], table[:, C], table[:, ROLE] = X, targets, 0
        yield Gates(table)
    elif isinstance(item, BankMark):
        yield Mark(item.name, registers)
    else:
        for register in registers:
            if isinstance(item, BankAlloc):
                yield Alloc(register)
            elif isinstance(item, BankFree):
                yield Free(register)
            elif isinstance(item, BankErase):
                yield Erase(register, item.cause, item.layer, item.value_of)
