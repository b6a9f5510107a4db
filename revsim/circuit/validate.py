"""What must hold of every circuit, checked once at the border and then trusted.

`validate` raises `InputError` for a body that cannot run. `linear_layers` lists the linear
definitions that erase something: an empty list is the proof behind the check of that name.
"""

import numpy as np

from revsim.circuit.definition import (
    Alloc,
    Call,
    Circuit,
    Definition,
    Erase,
    Free,
    Gates,
    Loop,
    Mark,
)
from revsim.circuit.gates import (
    ERASE,
    FREE,
    GATES,
    MCX,
    OP,
    SWAP,
    TALLY,
    A,
    B,
    C,
    X,
)
from revsim.errors import InputError


def validate(circuit: Circuit) -> Circuit:
    """Check ports, wires, gates, recursion and inverses of a whole circuit; returns it."""
    done: set[int] = set()
    for item in circuit.body:
        if isinstance(item, Gates):
            _gates(item, circuit.width, f"circuit {circuit.name!r}")
        elif isinstance(item, Call | Loop):
            _call(item, circuit.width, f"circuit {circuit.name!r}", done, ())
        else:
            registers = item.registers if isinstance(item, Mark) else (item.register,)
            for register in registers:
                _wires(register.wires, circuit.width, f"register {register.name!r}")
    for register in (*circuit.inputs, *circuit.outputs):
        _wires(register.wires, circuit.width, f"register {register.name!r}")
    return circuit


def validate_definition(definition: Definition) -> Definition:
    """The same for one definition and everything that it calls."""
    _definition(definition, set(), ())
    return definition


def linear_layers(circuit: Circuit) -> tuple[str, ...]:
    """Names (layer: definition) of linear definitions with an ERASE anywhere below them."""
    return tuple(
        f"{layer.name}: {definition.name}"
        for layer in circuit.layers
        for definition in layer.linear
        if definition.erases
    )


def _definition(definition: Definition, done: set[int], path: tuple[Definition, ...]) -> None:
    if any(d is definition for d in path):
        names = " -> ".join(d.name for d in (*path, definition))
        raise InputError(f"definition {definition.name!r} calls itself: {names}")
    if id(definition) in done:
        return
    where = f"definition {definition.name!r}"
    names = [p.name for p in definition.ports]
    if len(set(names)) != len(names):
        raise InputError(f"{where}: two ports have the same name")
    for item in definition.body:
        if isinstance(item, Gates):
            _gates(item, definition.wires, where)
        else:
            _call(item, definition.wires, where, done, (*path, definition))
    done.add(id(definition))


def _call(
    item: Call | Loop, width: int, where: str, done: set[int], path: tuple[Definition, ...]
) -> None:
    _definition(item.definition, done, path)
    name = item.definition.name
    if item.inverse and item.definition.erases:
        raise InputError(f"{where}: {name!r} is called backward but erases something")
    for call in item.calls() if isinstance(item, Loop) else (item,):
        if len(call.wires) != item.definition.port_wires:
            raise InputError(
                f"{where}: the call of {name!r} gives {len(call.wires)} wires, its ports have "
                f"{item.definition.port_wires}"
            )
        _wires(call.wires, width, f"{where}: the call of {name!r}")


def _wires(used: np.ndarray, width: int, where: str) -> None:  # type: ignore[type-arg]
    if len(used) and (int(used.min()) < 0 or int(used.max()) >= width):
        raise InputError(f"{where} uses a wire outside 0..{width - 1}")
    if len(np.unique(used)) != len(used):
        raise InputError(f"{where} uses a wire twice")


def _gates(gates: Gates, width: int, where: str) -> None:
    table = gates.table
    if table.ndim != 2 or table.shape[1] != 6:
        raise InputError(f"{where}: a gate table must have shape [gates, 6], got {table.shape}")
    opcode = table[:, OP]
    unknown = np.flatnonzero((opcode < X) | (opcode >= len(GATES)))
    if len(unknown):
        raise InputError(f"{where}: gate {unknown[0]} has unknown opcode {opcode[unknown[0]]}")
    if bool((opcode == FREE).any()):
        raise InputError(f"{where}: FREE is written by the compiler of programs, not in a body")
    used = {X: (C,), SWAP: (B, C), ERASE: (C,), TALLY: (A, B), 1: (A, C), 2: (A, B, C), 4: (A, B, C)}
    for code, columns in used.items():
        rows = table[opcode == code]
        for i, column in enumerate(columns):
            bad = np.flatnonzero((rows[:, column] < 0) | (rows[:, column] >= width))
            if len(bad):
                raise InputError(
                    f"{where}: {GATES[code].name} uses wire {rows[bad[0], column]}, "
                    f"outside 0..{width - 1}"
                )
            for other in columns[i + 1 :]:
                same = np.flatnonzero(rows[:, column] == rows[:, other])
                if len(same):
                    raise InputError(
                        f"{where}: {GATES[code].name} uses wire {rows[same[0], column]} twice"
                    )
    for row in table[opcode == MCX]:
        controls = gates.controls[row[5]]
        used_wires = np.array([w for w, _ in controls] + [row[C]], dtype=np.int32)
        _wires(used_wires, width, f"{where}: mcx")


def describe(item: object) -> str:
    """One word for a body item, for messages and drawings."""
    words = {Alloc: "alloc", Free: "free", Erase: "erase", Mark: "mark", Gates: "gates"}
    return words.get(type(item), "call")
