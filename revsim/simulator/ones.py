"""How many ones stand on the wires after every gate, row by row: what conservative logic keeps."""

from collections.abc import Iterator

import numpy as np

from revsim.circuit.definition import Call, Circuit, Definition, Erase, Gates, Loop
from revsim.circuit.gates import COLUMNS, ERASE, GATES, OP, C
from revsim.circuit.graph import GATE_LIMIT, require_at_most
from revsim.circuit.program import flatten
from revsim.circuit.registers import Integers
from revsim.errors import InputError
from revsim.simulator import plain
from revsim.simulator.counters import Counters
from revsim.simulator.ensemble import Ensemble
from revsim.simulator.lanes import Words, planes_of, unpack, words_for, write


def ones_by_gate(circuit: Circuit, ensemble: Ensemble) -> Iterator[tuple[str, Integers]]:
    """(gate, ones on all wires after it, int64 [rows]) for every gate; first ("start", ones).

    Gate by gate in plain NumPy, for small circuits. Raises InputError above 2,000 gates, or where
    rows have another number of values than the circuit has inputs.

    >>> from revsim.formats.qasm3 import loads
    >>> from revsim.simulator.ensemble import uniform
    >>> text = "OPENQASM 3.0;\\n@revsim.input\\n@revsim.output\\nqubit[2] q;\\ncx q[0], q[1];"
    >>> [(name, ones.tolist()) for name, ones in ones_by_gate(loads(text), uniform([0], [3]))]
    [('start', [0, 1, 1, 2]), ('cx', [0, 2, 1, 1])]
    """
    require_at_most(circuit, GATE_LIMIT, "counting ones gate by gate", "rewrite a smaller circuit")
    rows = len(ensemble.rows)
    if ensemble.rows.shape[1] != len(circuit.inputs):
        raise InputError(
            f"ensemble {ensemble.name!r} has {ensemble.rows.shape[1]} values per row, circuit "
            f"{circuit.name!r} takes {len(circuit.inputs)}"
        )
    inner = max((flatten(d).wires for d in circuit.definitions()), default=0)
    state = np.zeros((circuit.width + inner, words_for(rows)), dtype=np.uint64)
    for k, register in enumerate(circuit.inputs):
        write(state, register.wires, register.encoding.encode(ensemble.rows[:, k].astype(np.int64)))
    yield "start", _ones(state, rows)
    counters = Counters(planes_of(None, rows))
    names = Definition(circuit.name, (), len(state), ())
    for gates in _tables(circuit):
        for k in range(len(gates.table)):
            if gates.table[k, OP] == ERASE:
                state[gates.table[k, 3]] = 0
            else:
                plain.run_gates(
                    Gates(gates.table[k : k + 1], gates.controls), state, counters, names
                )
            yield GATES[gates.table[k, OP]].name, _ones(state, rows)


def _tables(circuit: Circuit) -> Iterator[Gates]:
    """All gates in order, calls opened onto device wires and, above them, locals."""
    for item in circuit.body:
        if isinstance(item, Gates):
            yield item
        elif isinstance(item, Erase):
            table = np.full((len(item.register.wires), COLUMNS), -1, dtype=np.int32)
            table[:, OP], table[:, C] = ERASE, item.register.wires
            yield Gates(table)
        elif isinstance(item, Call | Loop):
            for call in item.calls() if isinstance(item, Loop) else (item,):
                flat = flatten(call.definition)
                above = circuit.width + np.arange(flat.wires - len(call.wires), dtype=np.int32)
                gates = Gates(flat.table, flat.controls)
                gates = gates.inverse() if call.inverse else gates
                yield gates.mapped(np.concatenate([call.wires, above]))


def _ones(state: Words, rows: int) -> Integers:
    out: Integers = unpack(state, rows).sum(axis=0, dtype=np.int64)
    return out
