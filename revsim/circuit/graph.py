"""networkx views on request: the graph of definitions of any circuit, the gates of a small one.

Gate lists are never kept as graphs; `gate_graph` refuses a circuit of more than `GATE_LIMIT` gates.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from revsim.circuit.definition import Call, Circuit, Definition, Erase, Gates, Loop, Mark
from revsim.circuit.gates import ERASE, GATES, MCX, ROLE, SWAP, TALLY, A, B, C, Role
from revsim.circuit.measures import circuit_counts, counts
from revsim.circuit.program import flatten
from revsim.circuit.registers import Wires
from revsim.errors import InputError

if TYPE_CHECKING:
    import networkx

GATE_LIMIT = 2000
"""Most gates that `gate_graph` takes."""


@dataclass(frozen=True)
class Step:
    """One gate of a flattened circuit: controls with polarity, then the wires that it writes.

    `cause` is given for ERASE only; `role` is what the gate promises about its target.
    """

    opcode: int
    controls: tuple[tuple[int, bool], ...]
    targets: tuple[int, ...]
    cause: str = ""
    role: int = Role.IN_PLACE

    @property
    def name(self) -> str:
        """Name in the gate table."""
        return GATES[self.opcode].name

    @property
    def wires(self) -> tuple[int, ...]:
        """Controls, then targets."""
        return (*(wire for wire, _ in self.controls), *self.targets)


def require_at_most(circuit: Circuit, limit: int, what: str, instead: str) -> None:
    """Refuse `what` for a circuit of more than `limit` gates."""
    gates = circuit_counts(circuit).gates
    if gates > limit:
        raise InputError(
            f"circuit {circuit.name!r} has {gates} gates, {what} takes at most {limit}: {instead}"
        )


def steps(circuit: Circuit) -> Iterator[Step]:
    """Every gate of a circuit in order, calls opened; for small circuits.

    Local wires of a call are numbered from `circuit.width` on, in each call again: they are 0
    before and after it.
    """
    for item in circuit.body:
        if isinstance(item, Gates):
            yield from _rows(item, np.arange(circuit.width, dtype=np.int32), ())
        elif isinstance(item, Call | Loop):
            for call in item.calls() if isinstance(item, Loop) else (item,):
                yield from _opened(call, circuit.width)
        elif isinstance(item, Erase):
            for wire in item.register.wires.tolist():
                yield Step(ERASE, (), (wire,), item.cause)


def _opened(call: Call, width: int) -> Iterator[Step]:
    flat = flatten(call.definition)
    gates = Gates(flat.table, flat.controls)
    extra = flat.wires - call.definition.port_wires
    inner = np.arange(width, width + extra, dtype=np.int32)
    mapping = np.concatenate([call.wires, inner])
    yield from _rows(gates.inverse() if call.inverse else gates, mapping, call.definition.causes)


def _rows(gates: Gates, mapping: Wires, causes: tuple[str, ...]) -> Iterator[Step]:
    lookup = mapping.tolist()
    for row in gates.table.tolist():
        opcode = row[0]
        if opcode == TALLY:
            continue
        if opcode == MCX:
            controls = tuple((lookup[w], p) for w, p in gates.controls[row[5]])
            yield Step(opcode, controls, (lookup[row[C]],), role=row[ROLE])
            continue
        swaps = GATES[opcode].targets == 2
        read = [row[A], *([] if swaps else [row[B]])] if opcode != SWAP else []
        written = [row[B], row[C]] if swaps else [row[C]]
        cause = causes[row[5]] if opcode == ERASE and row[5] < len(causes) else ""
        yield Step(
            opcode,
            tuple((lookup[w], True) for w in read if w >= 0),
            tuple(lookup[w] for w in written),
            cause,
            row[ROLE],
        )


def definition_graph(circuit: Circuit) -> "networkx.DiGraph[Any]":
    """Who calls whom: nodes are the circuit and its definitions, edges point to the called one.

    Edges carry `calls` and `inverse_calls` (loops counted out); nodes carry `label` and `gates`.

    >>> from revsim.circuit.builder import Builder
    >>> inner = Builder("not"); p = inner.port("p", 1); inner.x(p); inner = inner.build()
    >>> outer = Builder("twice"); q = outer.port("q", 1); outer.call(inner, q); outer.call(inner, q)
    >>> whole = Circuit("c", 1, (Call(outer.build(), q),), (), ())
    >>> [data["calls"] for _, _, data in definition_graph(whole).edges(data=True)]
    [1, 2]
    """
    import networkx

    graph: networkx.DiGraph[Any] = networkx.DiGraph()
    graph.add_node(circuit, label=circuit.name, gates=circuit_counts(circuit).gates)
    owners: tuple[Circuit | Definition, ...] = (circuit, *circuit.definitions())
    for definition in owners[1:]:
        assert isinstance(definition, Definition)
        graph.add_node(definition, label=definition.name, gates=counts(definition).gates)
    for owner in owners:
        forward, backward = calls_of(owner)
        for definition in {**forward, **backward}:
            graph.add_edge(
                owner,
                definition,
                calls=forward[definition] + backward[definition],
                inverse_calls=backward[definition],
            )
    return graph


def calls_of(owner: Circuit | Definition) -> tuple[Counter[Definition], Counter[Definition]]:
    """How often a body calls each definition itself: (forward, backward), loops counted out."""
    forward: Counter[Definition] = Counter()
    backward: Counter[Definition] = Counter()
    for item in owner.body:
        if isinstance(item, Call | Loop):
            times = item.count if isinstance(item, Loop) else 1
            (backward if item.inverse else forward)[item.definition] += times
    return forward, backward


def gate_graph(circuit: Circuit) -> "networkx.MultiDiGraph[Any]":
    """Gates of a small circuit as nodes 0, 1, ...; an edge is a wire between two gates.

    Nodes carry `name`, edges carry `wire`. Raises InputError above `GATE_LIMIT` gates.
    """
    import networkx

    require_at_most(circuit, GATE_LIMIT, "the graph of gates", "use definition_graph instead")
    graph: networkx.MultiDiGraph[Any] = networkx.MultiDiGraph()
    last: dict[int, int] = {}
    for number, step in enumerate(steps(circuit)):
        graph.add_node(number, name=step.name, cause=step.cause)
        for wire in step.wires:
            if wire in last:
                graph.add_edge(last[wire], number, wire=wire)
            last[wire] = number
    return graph


def wire_names(circuit: Circuit) -> dict[int, str]:
    """Device wires in the user's words: by register, inputs first; others are `wire 7`."""
    names: dict[int, str] = {}
    registers = [*circuit.registers, *circuit.inputs, *circuit.outputs]
    for item in circuit.body:
        if isinstance(item, Mark):
            registers += item.registers
        elif not isinstance(item, Gates | Call | Loop):
            registers.append(item.register)
    for register in registers:
        for k, wire in enumerate(register.wires.tolist()):
            single = len(register.wires) == 1
            names.setdefault(wire, register.name if single else f"{register.name}[{k}]")
    return {w: names.get(w, f"wire {w}") for w in range(circuit.width)}
