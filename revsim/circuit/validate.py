"""What must hold of every circuit, checked once at the border and then trusted.

`validate` raises `InputError` for a body that cannot run. `linear_layers` lists the linear
definitions that erase something: an empty list is the proof behind the check of that name.
"""

from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import (
    Call,
    Circuit,
    Definition,
    Erase,
    Export,
    Gates,
    Loop,
    Mark,
)
from revsim.circuit.gates import (
    CCX,
    COLUMNS,
    CSWAP,
    CX,
    ERASE,
    EXTRA,
    FREE,
    GATES,
    MCX,
    OP,
    SWAP,
    TALLY,
    A,
    C,
    X,
)
from revsim.circuit.kernels import all_sound, gradual
from revsim.errors import InputError

_USES: npt.NDArray[np.bool_] = np.zeros((len(GATES), 3), dtype=np.bool_)
"""Which of the columns A, B, C hold a wire, by opcode."""
for _opcode, _columns in {
    X: (2,),
    CX: (0, 2),
    CCX: (0, 1, 2),
    SWAP: (1, 2),
    CSWAP: (0, 1, 2),
    MCX: (2,),
    ERASE: (2,),
    TALLY: (0, 1),
}.items():
    _USES[_opcode, list(_columns)] = True

_all_sound = gradual(all_sound)

_VALID: "WeakSet[Definition]" = WeakSet()
"""Definitions already checked: they are frozen, so once is enough."""


def validate(circuit: Circuit) -> Circuit:
    """Check ports, wires, gates, recursion and inverses of a whole circuit; returns it."""
    where = f"circuit {circuit.name!r}"
    for item in circuit.body:
        if isinstance(item, Gates):
            check_gates(item, circuit.width, where)
            if bool((item.table[:, OP] == ERASE).any()):
                raise InputError(f"{where}: an ERASE among its gates; write it as an Erase item")
        elif isinstance(item, Call | Loop):
            _call(item, circuit.width, where, ())
        else:
            registers = item.registers if isinstance(item, Mark) else (item.register,)
            for register in registers:
                _wires(register.wires, circuit.width, f"register {register.name!r}")
    for register in (*circuit.inputs, *circuit.outputs):
        _wires(register.wires, circuit.width, f"register {register.name!r}")
    _kept_exports(circuit)
    return circuit


def _kept_exports(circuit: Circuit) -> None:
    """Refuse a circuit that declares everything kept that it is ever given.

    With a record of the whole input no reset loses anything: given_kept would be 0 whatever the
    circuit does. An input that is meant to go back says so (input choice `return`).
    """
    exports = any(isinstance(item, Export) and item.kept for item in circuit.body)
    if not exports or circuit.input_choice in ("keep", "return"):
        return
    untouched = {int(w) for r in circuit.inputs for w in r.wires}
    left = set(untouched)
    for item in circuit.body:
        if isinstance(item, Export):
            if item.kept:
                left -= {int(w) for w in item.register.wires} & untouched
        elif isinstance(item, Call):
            untouched -= set(item.wires.tolist())
        elif isinstance(item, Erase):
            untouched -= set(item.register.wires.tolist())
        elif isinstance(item, Gates | Loop):
            break
    if not left:
        raise InputError(
            f"circuit {circuit.name!r}: its whole input is exported and declared kept, so that "
            "everything ever seen is kept and given_kept is 0 whatever the circuit does: declare "
            "less of it kept, or choose input 'return' where it is meant to be handed back"
        )


def validate_definition(definition: Definition) -> Definition:
    """The same for one definition and everything that it calls."""
    _definition(definition, ())
    return definition


def linear_layers(circuit: Circuit) -> tuple[str, ...]:
    """Names (layer: definition) of linear definitions with an ERASE anywhere below them.

    Where layers have linear definitions, no other definition that is called may erase either.
    """
    named = [(x.name, d) for x in circuit.layers for d in x.linear]
    listed = {id(d) for _, d in named}
    if named:
        layers = circuit.layer_of or ("",) * len(circuit.body)
        called = [
            (layer, item.definition)
            for layer, item in zip(layers, circuit.body, strict=True)
            if isinstance(item, Call | Loop)
        ]
        named += [(layer, d) for layer, d in called if id(d) not in listed]
    return tuple(dict.fromkeys(f"{layer}: {d.name}" for layer, d in named if d.erases))


def _definition(definition: Definition, path: tuple[Definition, ...]) -> None:
    if any(d is definition for d in path):
        chain = " -> ".join(d.name for d in (*path, definition))
        raise InputError(f"definition {definition.name!r} calls itself: {chain}")
    if definition in _VALID:
        return
    where = f"definition {definition.name!r}"
    ports = [p.name for p in definition.ports]
    if len(set(ports)) != len(ports):
        raise InputError(f"{where}: two ports have the same name")
    for item in definition.body:
        if isinstance(item, Gates):
            check_gates(item, definition.wires, where)
            erased = item.table[item.table[:, OP] == ERASE, EXTRA]
            if len(erased) and not 0 <= int(erased.min()) <= int(erased.max()) < len(
                definition.causes
            ):
                raise InputError(f"{where}: erases without a cause; name it in `causes`")
        else:
            _call(item, definition.wires, where, (*path, definition))
    _VALID.add(definition)


def _call(item: Call | Loop, width: int, where: str, path: tuple[Definition, ...]) -> None:
    _definition(item.definition, path)
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


def _wires(used: npt.NDArray[np.int32], width: int, where: str) -> None:
    if len(used) and (int(used.min()) < 0 or int(used.max()) >= width):
        raise InputError(f"{where} uses a wire outside 0..{width - 1}")
    if len(np.unique(used)) != len(used):
        raise InputError(f"{where} uses a wire twice")


def check_gates(gates: Gates, width: int, where: str) -> Gates:
    """Check one gate table: known opcodes, wires inside 0..width-1, none twice in one gate."""
    table = gates.table
    if table.ndim != 2 or table.shape[1] != COLUMNS:
        raise InputError(f"{where}: a gate table must have shape [gates, 6], got {table.shape}")
    if _all_sound(len(table), table, width):
        return gates
    opcode = table[:, OP]  # an MCX or an error is among them: find it
    unknown = np.flatnonzero((opcode < X) | (opcode > TALLY) | (opcode == FREE))
    if len(unknown):
        raise InputError(
            f"{where}: gate {unknown[0]} has opcode {opcode[unknown[0]]}, which no body may hold"
        )
    needed, wires = _USES[opcode], table[:, A : C + 1]
    outside = (needed & ((wires < 0) | (wires >= width))).any(axis=1)
    twice = np.zeros(len(table), dtype=np.bool_)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        both = needed[:, first] & needed[:, second]
        twice |= both & (wires[:, first] == wires[:, second])
    for bad, what in ((outside, f"a wire outside 0..{width - 1}"), (twice, "a wire twice")):
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            used = ", ".join(str(w) for w in wires[row][needed[row]])
            name = GATES[opcode[row]].name
            raise InputError(f"{where}: gate {row} ({name}) uses {what}: {used}")
    for listed in table[opcode == MCX]:
        controls = [w for w, _ in gates.controls[listed[EXTRA]]]
        _wires(np.array([*controls, listed[C]], dtype=np.int32), width, f"{where}: mcx")
    return gates
