"""Bits that may be complemented or known: literals, and the gates that join them.

A literal is 2 * wire + complement; FALSE and TRUE are constants (as in netlist.py). Complements and
constants cost nothing until a gate has to be made. Everything goes forward onto fresh locals; wires
that are read are complemented for a gate and put back at once. The caller undoes it all.
"""

import numpy as np
import numpy.typing as npt

from revsim.circuit.builder import Builder
from revsim.circuit.registers import Wires
from revsim.lower.netlist import FALSE, TRUE

Literals = npt.NDArray[np.int32]


def positive(wires: Wires) -> Literals:
    """The wires themselves."""
    return (2 * wires).astype(np.int32)


def known(number: int, width: int) -> Literals:
    """The bits of an unsigned number, lowest first."""
    bits = [TRUE if number >> k & 1 else FALSE for k in range(width)]
    return np.array(bits, dtype=np.int32)


def both(b: Builder, p: Literals, q: Literals) -> Literals:
    """p AND q, place by place: one Toffoli where neither is known and they differ."""
    out = np.where(p == TRUE, q, np.where(q == TRUE, p, FALSE)).astype(np.int32)
    same = (p == q) & (p >= 0)
    out[same] = p[same]
    made = np.flatnonzero((p >= 0) & (q >= 0) & (p >> 1 != q >> 1))
    if len(made):
        out[made] = positive(_and(b, p[made], q[made]))
    return out


def either(b: Builder, p: Literals, q: Literals) -> Literals:
    """p OR q."""
    return both(b, p ^ 1, q ^ 1) ^ 1


def _and(b: Builder, p: Literals, q: Literals) -> Wires:
    down = np.unique(np.concatenate([p[p & 1 == 1], q[q & 1 == 1]]) >> 1)
    up = np.concatenate([p[p & 1 == 0], q[q & 1 == 0]]) >> 1
    if np.isin(down, up).any():  # a wire that is read both ways: one gate after the other
        halves = [_and(b, p[i : i + 1], q[i : i + 1]) for i in range(len(p))]
        return np.concatenate(halves)
    out = b.local("and", len(p))
    b.x(down)
    b.ccx(p >> 1, q >> 1, out)
    b.x(down)
    return out


def differ(b: Builder, p: Literals, q: Literals) -> Literals:
    """p XOR q, place by place: two CNOTs where neither is known and they are of different wires."""
    out = np.where(p < 0, q ^ (p & 1), p ^ (q & 1)).astype(np.int32)
    same = (p >= 0) & (q >= 0) & (p >> 1 == q >> 1)
    out[same] = np.where(p[same] == q[same], FALSE, TRUE)
    made = np.flatnonzero((p >= 0) & (q >= 0) & (p >> 1 != q >> 1))
    if len(made):
        wires = b.local("differ", len(made))
        b.cx(p[made] >> 1, wires)
        b.cx(q[made] >> 1, wires)
        out[made] = positive(wires) | ((p[made] ^ q[made]) & 1)
    return out


def choose(b: Builder, condition: int, p: Literals, q: Literals) -> Literals:
    """p where the condition (one literal) is 1, else q: q ^ condition (p ^ q), one Toffoli each."""
    if condition < 0:
        return p if condition == TRUE else q
    conditions = np.full(len(p), condition, dtype=np.int32)
    changed = both(b, conditions, differ(b, p, q))
    # Where q is known, or p its complement, differ and both have left nothing for CNOTs to do.
    return differ(b, q, changed)


def all_of(b: Builder, literals: Literals) -> int:
    """The literal of whether all are 1: one Toffoli less than unknown literals, in a tree."""
    if (literals == FALSE).any():
        return FALSE
    left = np.unique(literals[literals >= 0])
    if (left[:-1] ^ 1 == left[1:]).any():
        return FALSE
    while len(left) > 1:
        half = len(left) // 2
        made = both(b, left[:half], left[half : 2 * half])
        left = np.concatenate([made, left[2 * half :]])
    return int(left[0]) if len(left) else TRUE


def write(b: Builder, literals: Literals, target: Wires) -> None:
    """target ^= literals."""
    read = literals >= 0
    b.cx(literals[read] >> 1, target[read])
    b.x(target[literals & 1 == 1])
