"""Networks of logic gates: what a conventional netlist computes, gate by gate, before any wiring.

Signals 0 .. inputs-1 are the inputs; gate k makes signal inputs + k. A literal is a signal or, as
Python's ~signal, its complement; complements are free. Fan-out is whatever the literals say: how it
is paid for is a question for the ledgers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Alloc, Call, Circuit, Erase, Free, Gates, Loop
from revsim.circuit.gates import CCX, CX, ERASE, OP, TALLY, A, B, C, X
from revsim.circuit.program import flatten, gates_below
from revsim.errors import InputError

AND, XOR, MAJORITY = range(3)
KINDS = ("and", "xor", "majority")
NONE = 1 << 30
"""The literal of a constant 0; its complement is a constant 1."""
LIMIT = 1 << 16
"""Most gates that are read from a circuit."""


@dataclass(frozen=True, eq=False)
class Logic:
    """`gates` int32 [gates, 4]: kind, then three literals (of two-input gates the third is NONE).

    `outputs`: literals that are used in the end; whatever else is never read is thrown away.
    """

    name: str
    inputs: int
    gates: npt.NDArray[np.int32]
    outputs: tuple[int, ...]

    @property
    def signals(self) -> int:
        """Inputs and gate outputs."""
        return self.inputs + len(self.gates)

    @property
    def readers(self) -> npt.NDArray[np.int64]:
        """How often each signal is read, by gates and as an output: int64 [signals]."""
        read = self.gates[:, 1:].ravel()
        read = np.concatenate([read, np.array(self.outputs, dtype=np.int32)])
        read = np.where(read < 0, ~read, read)
        return np.bincount(read[read != NONE], minlength=self.signals)


def logic(
    name: str, inputs: int, gates: Sequence[tuple[str, *tuple[int, ...]]], outputs: Sequence[int]
) -> Logic:
    """A network from gates as tuples of a kind (and, xor, majority) and its literals, in order.

    Raises InputError for an unknown kind, a wrong number of literals or a signal that is not made
    before it is read.

    >>> half_adder = logic("half adder", 2, [("xor", 0, 1), ("and", 0, 1)], [2, 3])
    >>> half_adder.readers.tolist()
    [2, 2, 1, 1]
    """
    table = np.full((len(gates), 4), NONE, dtype=np.int32)
    for k, (kind, *literals) in enumerate(gates):
        where = f"logic {name!r}: gate {k}"
        if kind not in KINDS:
            raise InputError(f"{where} is {kind!r}; gates are {', '.join(KINDS)}")
        wanted = 3 if kind == "majority" else 2
        if len(literals) != wanted:
            raise InputError(f"{where} ({kind}) reads {wanted} literals, got {len(literals)}")
        _check(where, literals, inputs + k)
        table[k, 0] = KINDS.index(kind)
        table[k, 1 : 1 + wanted] = literals
    _check(f"logic {name!r}: an output", outputs, inputs + len(gates))
    return Logic(name, inputs, table, tuple(outputs))


def _check(where: str, literals: Sequence[int], made: int) -> None:
    for literal in literals:
        signal = ~literal if literal < 0 else literal
        if signal >= made and signal != NONE:
            raise InputError(f"{where} reads signal {signal}, which is not made before it")


def adder(width: int, form: str = "xor_and") -> Logic:
    """a + b of two words of `width` bits (signals: a, then b, low bit first), carry out last.

    form: `xor_and` (5 gates per full adder), `aig` (ANDs and free complements alone: 9) or
    `majority` (3, Amaru et al. 2014, arXiv-free textbook form M(~M(abc), M(ab~c), c)).

    >>> [len(adder(8, form).gates) for form in ("xor_and", "aig", "majority")]
    [37, 67, 24]
    """
    if form not in ("xor_and", "aig", "majority"):
        raise InputError(f"adder form {form!r}; choose xor_and, aig or majority")
    if width < 1:
        raise InputError(f"an adder needs at least one bit, got {width}")
    gates: list[tuple[str, *tuple[int, ...]]] = []

    def gate(kind: str, *literals: int) -> int:
        gates.append((kind, *literals))
        return 2 * width + len(gates) - 1

    def differ(p: int, q: int) -> int:
        if form == "xor_and":
            return gate("xor", p, q)
        return ~gate("and", ~gate("and", p, ~q), ~gate("and", ~p, q))

    outputs: list[int] = []
    carry = NONE
    for k in range(width):
        a, b = k, width + k
        if carry == NONE and form == "majority":
            carry = gate("and", a, b)
            outputs.append(gate("and", ~carry, ~gate("and", ~a, ~b)))
        elif carry == NONE:
            outputs.append(differ(a, b))
            carry = gate("and", a, b)
        elif form == "majority":
            following = gate("majority", a, b, carry)
            either = gate("majority", a, b, ~carry)
            outputs.append(gate("majority", ~following, either, carry))
            carry = following
        else:
            half = differ(a, b)
            outputs.append(differ(half, carry))
            carry = ~gate("and", ~gate("and", a, b), ~gate("and", half, carry))
    return logic(f"{width}-bit adder, {form}", 2 * width, gates, [*outputs, carry])


def random_logic(
    inputs: int, gates: int, outputs: int, random: np.random.Generator, kinds: Sequence[str] = KINDS
) -> Logic:
    """A randomly wired network: each gate reads earlier signals, each literal complemented or not;
    the last `outputs` signals are used."""
    made: list[tuple[str, *tuple[int, ...]]] = []
    for k in range(gates):
        kind = kinds[int(random.integers(len(kinds)))]
        read = random.choice(inputs + k, 3 if kind == "majority" else 2, replace=False).tolist()
        made.append((kind, *(~s if random.integers(2) else s for s in read)))
    return logic("random logic", inputs, made, range(inputs + gates - outputs, inputs + gates))


def logic_of(circuit: Circuit) -> Logic:
    """The AND/XOR network of a circuit made of conventional netlists.

    Inputs are the bits of the input registers; outputs those of the output registers and of an
    input that is kept. Raises InputError where a gate is no part of such a netlist, or where there
    are more than 65,536 gates.
    """
    size = sum(
        gates_below(i.definition) * (i.count if isinstance(i, Loop) else 1)
        for i in circuit.body
        if isinstance(i, Call | Loop)
    )
    if size > LIMIT:
        raise InputError(f"{circuit.name!r} has {size:,} rows of gates; at most {LIMIT:,} are read")
    given = [int(w) for r in circuit.inputs for w in r.wires]
    reader = _Reader(circuit.name, len(given), {w: k for k, w in enumerate(given)})
    for item in circuit.body:
        if isinstance(item, Gates):
            reader.rows(item.table)
        elif isinstance(item, Call | Loop):
            for call in item.calls() if isinstance(item, Loop) else (item,):
                flat = flatten(call.definition)
                inner = np.arange(flat.wires - len(call.wires), dtype=np.int32) + circuit.width
                wires = np.concatenate([call.wires, inner]).astype(np.int32)
                gates = Gates(flat.table, flat.controls)
                reader.rows((gates.inverse() if call.inverse else gates).mapped(wires).table)
                reader.clear(inner)
        elif isinstance(item, Alloc | Erase | Free):
            reader.clear(item.register.wires)
    kept = circuit.inputs if circuit.input_choice in ("keep", "return") else ()
    ends = [reader.literal(int(w)) for r in (*circuit.outputs, *kept) for w in r.wires]
    return logic(
        circuit.name, len(given), reader.gates, [e for e in ends if e not in (NONE, ~NONE)]
    )


class _Reader:
    """Follows which literal stands on which wire while a netlist is read row by row."""

    def __init__(self, name: str, inputs: int, standing: dict[int, int]) -> None:
        self.name, self.inputs, self.standing = name, inputs, standing
        self.gates: list[tuple[str, *tuple[int, ...]]] = []

    def literal(self, wire: int) -> int:
        return self.standing.get(wire, NONE)

    def clear(self, wires: npt.NDArray[np.int32]) -> None:
        for wire in wires.tolist():
            self.standing.pop(wire, None)

    def rows(self, table: npt.NDArray[np.int32]) -> None:
        for row in table.tolist():
            a, b, target = (self.literal(row[k]) for k in (A, B, C))
            written = row[C] in self.standing
            if row[OP] == TALLY:
                continue
            if row[OP] == X:
                made = ~target
            elif row[OP] == ERASE:
                made = NONE
            elif row[OP] == CX and not written:  # a copy, or the first half of an XOR
                made = a
            elif row[OP] == CX:
                made = self._gate("xor", target, a)
            elif row[OP] == CCX and not written:
                made = self._gate("and", a, b)
            else:
                raise InputError(
                    f"{self.name!r} is no netlist of AND and XOR gates; only those have gate losses"
                )
            self.standing[row[C]] = made

    def _gate(self, kind: str, p: int, q: int) -> int:
        self.gates.append((kind, p, q))
        return self.inputs + len(self.gates) - 1
