"""Conventional netlists from forward reversible programs: the same function as AND and XOR gates.

A forward program is run on literals: a wire holds an input, a gate's output or its complement, so
that copies and NOTs are free and a gate that is undone later is the same gate, made once. What is
left are the two-input gates that an irreversible machine has to evaluate, each on a wire of its
own, and a reset of every gate output as soon as nothing reads it any more, with the TALLY rows of
lower/netlist.py.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from revsim.circuit.banks import Recipe
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Gates, Port
from revsim.circuit.kernels import fold_gates, netlist_rows
from revsim.circuit.program import control_lists, flatten
from revsim.circuit.validate import check_gates
from revsim.lower.netlist import CAUSE, FALSE

EmitForward = Callable[..., Any]
"""(builder, wires of each port) writes a forward program."""


def netlist_recipe(name: str, ports: tuple[Port, ...], emit: EmitForward, key: str = "") -> Recipe:
    """The netlist of a forward program, made on demand.

    emit(builder, *wires) gets the wires of each port in order; it must leave the results on the
    ports that arrive as 0 and may leave anything on its local wires and on the other ports.
    """

    def make() -> Definition:
        builder = Builder(name)
        wires = [builder.port(p.name, p.width, p.zero_in) for p in ports]
        emit(builder, *wires)
        return netlist_of(builder.build())

    return Recipe(name, ports, make, key)


def netlist_of(forward: Definition) -> Definition:
    """A definition that leaves its results on the ports that arrive as 0, as AND and XOR gates.

    The other ports are read only. What the definition undoes is not evaluated, so a clean
    computation (everything undone but the result) gives the same netlist as a forward one.

    >>> b = Builder("both, twice")
    >>> x, y = b.port("x", 2), b.port("y", 1, zero=True); t = b.local("t")
    >>> b.ccx(x[:1], x[1:], t); b.cx(t, y); b.ccx(x[:1], x[1:], t)
    >>> netlist_of(b.build()).body[0].table[:, 0].tolist()  # tally, ccx
    [8, 2]
    """
    flat = flatten(forward)
    starts, listed, positive = control_lists(flat.controls)
    zero = np.repeat([p.zero_in for p in forward.ports], [p.width for p in forward.ports])
    given = np.flatnonzero(~zero).astype(np.int32)
    targets = np.flatnonzero(zero).astype(np.int32)
    held = np.full(flat.wires, FALSE, dtype=np.int64)
    held[given] = 2 * np.arange(len(given))
    kind, ends, _ = fold_gates(np.ascontiguousarray(flat.table), starts, listed, positive, held)
    first = forward.port_wires
    table, locals_ = netlist_rows(kind, ends, given, held[targets], targets, first)
    gates = check_gates(Gates(table), first + locals_, forward.name)
    named = (("gate", first, locals_),) if locals_ else ()
    return Definition(forward.name, forward.ports, locals_, (gates,), named, (CAUSE,))
