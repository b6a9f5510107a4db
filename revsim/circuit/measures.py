"""What a circuit costs: gate counts, width and depth, over the hierarchy, never over a flat list.

Counts and width are memoised sums over calls. Depth lets arrival times flow through the calls.
Derived cost: a Fredkin is one Toffoli (and two CNOTs); an AND of k > 1 controls takes 2k - 3
Toffolis with k - 2 clean ancillas (Barenco et al., Phys. Rev. A 52, 3457, 1995).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import (
    Alloc,
    Call,
    Circuit,
    CircuitItem,
    Definition,
    Erase,
    Free,
    Gates,
    Loop,
)
from revsim.circuit.gates import CCX, CSWAP, CX, ERASE, GATES, MCX, OP, SWAP, X
from revsim.circuit.kernels import advance_depth
from revsim.circuit.memo import remembered
from revsim.circuit.program import compile_program, control_lists


@dataclass(frozen=True)
class Counts:
    """Native gates of a body. `toffoli` and so on are native counts; `toffoli_equivalent` prices
    Fredkins and multi-controlled gates as well (see the module)."""

    x: int = 0
    cnot: int = 0
    toffoli: int = 0
    swap: int = 0
    fredkin: int = 0
    mcx: int = 0
    erase: int = 0
    mcx_toffolis: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(self._all(), other._all(), strict=True)))

    def times(self, factor: int) -> "Counts":
        """All counts multiplied."""
        return Counts(*(a * factor for a in self._all()))

    def _all(self) -> tuple[int, ...]:
        return (
            self.x,
            self.cnot,
            self.toffoli,
            self.swap,
            self.fredkin,
            self.mcx,
            self.erase,
            self.mcx_toffolis,
        )

    @property
    def gates(self) -> int:
        """All native gates, ERASE included."""
        return sum(self._all()[:7])

    @property
    def toffoli_equivalent(self) -> int:
        """Toffolis after writing Fredkins and multi-controlled gates in Toffolis."""
        return self.toffoli + self.fredkin + self.mcx_toffolis


def counts_of_gates(gates: Gates) -> Counts:
    """Counts of one gate table."""
    histogram = np.bincount(gates.table[:, OP], minlength=len(GATES)).tolist()
    priced = 0
    for row in gates.table[gates.table[:, OP] == MCX] if histogram[MCX] else ():
        controls = len(gates.controls[row[5]])
        priced += max(0, 2 * controls - 3) if controls > 1 else 0
    return Counts(
        histogram[X],
        histogram[CX],
        histogram[CCX],
        histogram[SWAP],
        histogram[CSWAP],
        histogram[MCX],
        histogram[ERASE],
        priced,
    )


@remembered
def counts(definition: Definition) -> Counts:
    """Native gate counts of a definition with everything that it calls; memoised.

    >>> from revsim.circuit.builder import Builder
    >>> b = Builder("and"); a, t = b.port("a", 2), b.port("t", 1); b.ccx(a[:1], a[1:], t)
    >>> counts(b.build()).toffoli
    1
    """
    total = Counts()
    for item in definition.body:
        total += counts_of_item(item)
    return total


def counts_of_item(item: CircuitItem) -> Counts:
    """Native gate counts of one body item; an Erase of n bits counts as n ERASE gates."""
    if isinstance(item, Gates):
        return counts_of_gates(item)
    if isinstance(item, Call):
        return counts(item.definition)
    if isinstance(item, Loop):
        return counts(item.definition).times(item.count)
    if isinstance(item, Erase):
        return Counts(erase=len(item.register.wires))
    return Counts()


def circuit_counts(circuit: Circuit) -> Counts:
    """Native gate counts of a whole circuit."""
    total = Counts()
    for item in circuit.body:
        total += counts_of_item(item)
    return total


@remembered
def frame_width(definition: Definition) -> int:
    """Wires in use at once inside a definition: by liveness in a leaf, ports + locals + the widest
    callee's locals otherwise."""
    calls = [item for item in definition.body if isinstance(item, Call | Loop)]
    if not calls:
        return compile_program(definition).slots
    deepest = max(frame_width(c.definition) - c.definition.port_wires for c in calls)
    return definition.wires + max(0, deepest)


def circuit_width(circuit: Circuit) -> int:
    """Device wires in use at once plus the locals of the widest definition called meanwhile."""
    in_use = {int(w) for r in circuit.inputs for w in r.wires}
    peak = len(in_use)
    allocates = any(isinstance(item, Alloc) for item in circuit.body)
    if not allocates:
        in_use = set(range(circuit.width))
        peak = circuit.width
    for item in circuit.body:
        if isinstance(item, Alloc):
            in_use.update(int(w) for w in item.register.wires)
            peak = max(peak, len(in_use))
        elif isinstance(item, Free | Erase) and allocates:
            if isinstance(item, Free):
                in_use.difference_update(int(w) for w in item.register.wires)
        elif isinstance(item, Call | Loop):
            inner = frame_width(item.definition) - item.definition.port_wires
            peak = max(peak, len(in_use) + inner)
    return peak


def depth(definition: Definition) -> int:
    """Gate depth: gates that share no wire may run in one step.

    Arrival times run through the hierarchy call by call, so the figure is exact; local wires are
    free at time 0 (reusing one wire for two locals would add an ordering that is left out here).
    """
    arrival = np.zeros(definition.port_wires, dtype=np.int64)
    return max(_through(definition, arrival, inverse=False), int(arrival.max(initial=0)))


def circuit_depth(circuit: Circuit) -> int:
    """Gate depth of a whole circuit; an ERASE of n bits is one step on its n wires."""
    arrival = np.zeros(circuit.width, dtype=np.int64)
    latest = 0
    for item in circuit.body:
        latest = max(latest, _item(item, arrival, inverse=False))
    return max(latest, int(arrival.max(initial=0)))


def _through(definition: Definition, arrival: npt.NDArray[np.int64], inverse: bool) -> int:
    """Advance the arrival times of the ports through one call; returns the latest time inside."""
    times = np.zeros(definition.wires, dtype=np.int64)
    times[: definition.port_wires] = arrival
    latest = 0
    for item in reversed(definition.body) if inverse else definition.body:
        latest = max(latest, _item(item, times, inverse))
    arrival[:] = times[: definition.port_wires]
    return max(latest, int(times.max(initial=0)))


def _item(item: CircuitItem, times: npt.NDArray[np.int64], inverse: bool) -> int:
    if isinstance(item, Gates):
        table = item.table[::-1] if inverse else item.table
        starts, listed, _ = control_lists(item.controls)
        advance_depth(np.ascontiguousarray(table), starts, listed, times)
    elif isinstance(item, Call | Loop):
        latest = 0
        calls = item.calls() if isinstance(item, Loop) else (item,)
        for call in reversed(calls) if inverse else calls:
            inner = times[call.wires]
            latest = max(latest, _through(call.definition, inner, call.inverse != inverse))
            times[call.wires] = inner
        return latest
    elif isinstance(item, Erase) and len(item.register.wires):
        times[item.register.wires] = times[item.register.wires].max() + 1
    return 0
