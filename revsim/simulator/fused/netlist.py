"""What a definition computes, as operations on values: same bits and same counts as its gates.

Values are numbered: 0..ports-1 are what the ports hold before, then the results of the operations
in order. A literal is 2 * value + complement; -2 is constant 0 and -1 constant 1.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.simulator.lanes import Words

Int32s = npt.NDArray[np.int32]

XOR, XOR3, AND, AND_XOR, MUX, MAJORITY, HALF, FULL = range(8)
"""Kinds of operations on literals x, y, z:

XOR x ^ y; XOR3 x ^ y ^ z; AND x & y; AND_XOR z ^ (x & y); MUX y where x, else z; MAJORITY;
HALF two results, x ^ y and x & y; FULL two results, x ^ y ^ z and their majority.
"""
ZERO, ONE = -2, -1
OPERANDS = (2, 3, 2, 3, 3, 3, 2, 3)
RESULTS = (1, 1, 1, 1, 1, 1, 2, 2)


@dataclass(frozen=True, eq=False)
class Netlist:
    """Operations `kind` int8 [operations] on `operands` int32 [operations, 3] (literals, -3 where
    there is none); first results are numbered in order of operations, HALF and FULL have two.

    outputs: int32 [n, 2] of (port, literal), what ports hold after where that differs from before;
    erased: int32 [erased] literals, what each ERASE throws away, in order; tallied: int32
    [tallies, 2] literals, what each TALLY looks at; free, role: int32 literals that must be 0 on
    every row that counts, since a wire is released or a promise is made of a gate's target.
    """

    ports: int
    kind: npt.NDArray[np.int8]
    operands: Int32s
    outputs: Int32s
    erased: Int32s
    tallied: Int32s
    free: Int32s
    role: Int32s


def evaluate(netlist: Netlist, ports: Words) -> dict[str, Words]:
    """The meaning of a netlist: words of all literals it speaks of, from uint64 [ports, words].

    Returns "ports" (after), "erased", "tallied" [tallies, 2, words], "free", "role".
    """
    values = [np.asarray(row) for row in ports]

    def word(literal: int) -> Words:
        if literal < 0:
            return np.full(ports.shape[1], -(literal & 1), dtype=np.int64).view(np.uint64)
        return ~values[literal >> 1] if literal & 1 else values[literal >> 1]

    for kind, given in zip(netlist.kind.tolist(), netlist.operands.tolist(), strict=True):
        x, y, z = (word(literal) if literal > -3 else None for literal in given)
        assert x is not None and y is not None
        if kind == XOR:
            values.append(x ^ y)
        elif kind == AND:
            values.append(x & y)
        elif kind == HALF:
            values += [x ^ y, x & y]
        else:
            assert z is not None
            if kind == XOR3:
                values.append(x ^ y ^ z)
            elif kind == AND_XOR:
                values.append(z ^ (x & y))
            elif kind == MUX:
                values.append((x & y) | (~x & z))
            else:
                if kind == FULL:
                    values.append(x ^ y ^ z)
                values.append((x & y) | (z & (x | y)))
    after = ports.copy()
    for port, literal in netlist.outputs.tolist():
        after[port] = word(literal)

    def words(literals: Int32s) -> Words:
        found = [word(literal) for literal in literals.ravel().tolist()]
        return np.array(found, dtype=np.uint64).reshape(*literals.shape, ports.shape[1])

    return {
        "ports": after,
        "erased": words(netlist.erased),
        "tallied": words(netlist.tallied),
        "free": words(netlist.free),
        "role": words(netlist.role),
    }
