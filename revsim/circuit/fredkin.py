"""The Fredkin basis: any reversible circuit in controlled swaps and constants, ones conserved.

Fredkin and Toffoli, Int. J. Theor. Phys. 21, 219 (1982): a gate that only exchanges wires keeps the
number of ones, as elastic collisions keep the number of balls. NOT, CNOT and Toffoli do not. On two
rails they do: bit x travels as the pair (x, 1 - x), so that

    NOT x                 exchanges the rails of x: one CSWAP controlled by a constant 1
    CNOT c, x             exchanges them where c is 1: one CSWAP
    Toffoli a, b, x       CSWAP(a; b, 0) leaves a and b on the 0, which controls; undone: 3 in all
    Fredkin c; x, y       exchanges both rails: 2; SWAP likewise, controlled by the constant 1
    k controls            2k - 1, a negative control reads the other rail

There is no garbage: every constant, 0 or 1, is given back as it came. Constants 0 are locals,
constants 1 come in through a port `constant_ones`. `two_rails.py` rewrites whole circuits.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import BodyItem, Call, Controls, Definition, Gates, Loop, Port
from revsim.circuit.gates import CCX, COLUMNS, CSWAP, CX, EXTRA, MCX, OP, SWAP, A, B, C, X
from revsim.circuit.registers import Wires
from revsim.errors import InputError

Swap = tuple[int, int, int]
"""A controlled swap: (control, first, second)."""


@lru_cache(maxsize=10_000)
def conservative(definition: Definition) -> Definition:
    """The same definition on two rails, in CSWAPs alone.

    Ports: those of the definition, the complements of each (`x_not`), and `constant_ones`, which
    arrive as 1 and leave as 1 (absent where none is needed). Calls stay calls, loops are counted
    out. Raises InputError where the definition erases.

    >>> from revsim.circuit.builder import Builder
    >>> from revsim.circuit.measures import counts
    >>> b = Builder("and"); x, y, t = (b.port(n, 1) for n in "xyt"); b.ccx(x, y, t)
    >>> rewritten = conservative(b.build())
    >>> counts(rewritten).fredkin == counts(rewritten).gates == 3
    True
    """
    if definition.erases:
        raise InputError(
            f"{definition.name!r} erases inside: conservative logic has no ERASE; choose a policy "
            "whose definitions erase nothing (any but conventional)"
        )
    rails = _Rails(definition)
    body: list[BodyItem] = []
    for item in definition.body:
        if isinstance(item, Gates):
            body.append(_table([s for row in item.table.tolist() for s in rails.swaps(row, item)]))
            continue
        inner = conservative(item.definition)
        for call in item.calls() if isinstance(item, Loop) else (item,):
            body.append(Call(inner, rails.call(call.wires, ones_of(inner)), call.inverse))
    return Definition(
        f"{definition.name} in Fredkins",
        (
            *definition.ports,
            *(Port(f"{port.name}_not", port.width) for port in definition.ports),
            *((Port("constant_ones", rails.ones),) if rails.ones else ()),
        ),
        definition.locals + rails.zeros,
        tuple(body),
        tuple((n, rails.true(first), w) for n, first, w in definition.local_registers),
    )


def ones_of(rewritten: Definition) -> int:
    """How many constant ones a rewritten definition borrows."""
    last = rewritten.ports[-1] if rewritten.ports else None
    return last.width if last is not None and last.name == "constant_ones" else 0


def _table(swaps: list[Swap]) -> Gates:
    table = np.zeros((len(swaps), COLUMNS), dtype=np.int32)
    if swaps:
        table[:, OP] = CSWAP
        table[:, [A, B, C]] = swaps
    return Gates(table)


class _Rails:
    """Where the rails and constants of one rewritten definition lie.

    Wires: ports, their complements, ones (complements of locals, a constant 1, those lent to
    calls), locals, zeros (for products of controls).
    """

    def __init__(self, definition: Definition) -> None:
        self.ports, self.locals = definition.port_wires, definition.locals
        flips, products, lent = False, 0, 0
        for item in definition.body:
            if isinstance(item, Gates):
                flips |= bool(np.isin(item.table[:, OP], (X, SWAP)).any())
                flips |= any(len(item.controls[i]) == 0 for i in item.table[_is_mcx(item), EXTRA])
                products = max(products, *(int(v) for v in _controls_of(item) - 1), 0)
            else:
                lent = max(lent, ones_of(conservative(item.definition)))
        self.lent = 2 * self.ports + self.locals + flips
        self.one = self.lent - 1  # meaningful where a gate flips without a control
        self.ones = self.locals + flips + lent
        self.zeros = products
        self.zero = 2 * self.ports + self.ones + self.locals

    def true(self, wire: int) -> int:
        """The rail that holds the bit."""
        return wire if wire < self.ports else wire + self.ports + self.ones

    def other(self, wire: int) -> int:
        """The rail that holds its complement."""
        return wire + self.ports

    def call(self, wires: Wires, lent: int) -> Wires:
        """Wires of a call: rails, complements, ones."""
        given = wires.tolist()
        ones = range(self.lent, self.lent + lent)
        rails = [*map(self.true, given), *map(self.other, given), *ones]
        return np.array(rails, dtype=np.int32)

    def swaps(self, row: list[int], gates: Gates) -> list[Swap]:
        """One gate as controlled swaps."""
        opcode, a, b, c = row[OP], row[A], row[B], row[C]
        if opcode in (SWAP, CSWAP):
            control = self.one if opcode == SWAP else self.true(a)
            return [
                (control, self.true(b), self.true(c)),
                (control, self.other(b), self.other(c)),
            ]
        controls: Controls = {X: (), CX: ((a, True),), CCX: ((a, True), (b, True))}.get(
            opcode, gates.controls[row[EXTRA]] if opcode == MCX else ()
        )
        read = [self.true(w) if positive else self.other(w) for w, positive in controls]
        products: list[Swap] = []
        control = read[0] if read else self.one
        for number, wire in enumerate(read[1:]):
            products.append((control, wire, self.zero + number))
            control = self.zero + number
        return [*products, (control, self.true(c), self.other(c)), *reversed(products)]


def _is_mcx(gates: Gates) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = gates.table[:, OP] == MCX
    return found


def _controls_of(gates: Gates) -> Wires:
    """Number of controls of each gate that has a target of its own."""
    number = np.where(gates.table[:, OP] == CCX, 2, 1).astype(np.int32)
    mcx = _is_mcx(gates)
    number[mcx] = [len(gates.controls[i]) for i in gates.table[mcx, EXTRA]]
    return number
