"""The gate table: every other module reads it and none repeats it.

All gates but ERASE are bijections and their own inverse. ERASE is the only gate that throws
information away. FREE is the release of a wire that must hold 0 and is checked on every lane.
TALLY is no gate: it marks two wires whose joint statistics a conventional netlist needs.

>>> GATES[CCX].name, GATES[CCX].arity, GATES[ERASE].reversible
('ccx', 3, False)
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Role(IntEnum):
    """What a gate promises about its target; the simulator checks it on every lane.

    COMPUTE: the target is 0 before. UNCOMPUTE: it is 0 after. Adiabatic designs live on the
    difference, since a target known to be 0 can be charged or discharged without loss.
    """

    IN_PLACE = 0
    COMPUTE = 1
    UNCOMPUTE = 2


INVERSE_ROLE: Final = (Role.IN_PLACE, Role.UNCOMPUTE, Role.COMPUTE)


@dataclass(frozen=True)
class Gate:
    """One row of the gate table.

    `controls` and `targets` are the numbers of wires read and written (-1: any number).
    `reversible` is false for ERASE alone; `counted` is false for rows that are no gates.
    `symbol` is drawn on the target wire, `qasm` is the spelling of the OpenQASM 3 text form.
    """

    opcode: int
    name: str
    controls: int
    targets: int
    symbol: str
    qasm: str
    reversible: bool = True
    counted: bool = True

    @property
    def arity(self) -> int:
        """Number of wires, or -1 where it varies."""
        return -1 if self.controls < 0 else self.controls + self.targets


X, CX, CCX, SWAP, CSWAP, MCX, ERASE, FREE, TALLY = range(9)

GATES: Final[tuple[Gate, ...]] = (
    Gate(X, "x", 0, 1, "X", "x"),
    Gate(CX, "cx", 1, 1, "+", "cx"),
    Gate(CCX, "ccx", 2, 1, "+", "ccx"),
    Gate(SWAP, "swap", 0, 2, "x", "swap"),
    Gate(CSWAP, "cswap", 1, 2, "x", "cswap"),
    Gate(MCX, "mcx", -1, 1, "+", "ctrl @ x"),
    Gate(ERASE, "erase", 0, 1, "0", "reset", reversible=False),
    Gate(FREE, "free", 0, 1, "|", "", counted=False),
    Gate(TALLY, "tally", 2, 0, "?", "", counted=False),
)

# Columns of a gate table row. Wires stand in A, B, C and are -1 where a gate has none; C is the
# (last) target. EXTRA: index of the control list for MCX, of the cause for ERASE, of the counter
# for TALLY.
OP, A, B, C, ROLE, EXTRA = range(6)
COLUMNS: Final = 6
