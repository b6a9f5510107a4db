"""A gate list as straight-line text: C for gcc, Verilog for Verilator, with what calls it.

Every operation is assigned to a name of its own, so that the compilers are free to simplify across
gates as they please.
"""

from dataclasses import dataclass

from revsim.bench.peers.follow import follow
from revsim.circuit.definition import Table


@dataclass(frozen=True)
class Name:
    """A named value in a text; what is computed from it is appended to `made`."""

    text: str
    made: list[str]

    def _new(self, expression: str) -> "Name":
        self.made.append(expression)
        return Name(f"t{len(self.made) - 1}", self.made)

    def __xor__(self, other: "Name") -> "Name":
        return self._new(f"{self.text} ^ {other.text}")

    def __and__(self, other: "Name") -> "Name":
        return self._new(f"{self.text} & {other.text}")

    def __invert__(self) -> "Name":
        return self._new(f"~{self.text}")


def assignments(table: Table, wires: int) -> tuple[list[str], list[str]]:
    """(expressions, ends): expression k is the value of name `tk`; wire w starts as `xw` and
    ends as ends[w]. Both languages read them.

    >>> import numpy as np
    >>> assignments(np.array([[2, 0, 1, 2, 0, 0], [0, -1, -1, 2, 0, 0]]), 3)
    (['x0 & x1', 'x2 ^ t0', '~t1'], ['x0', 'x1', 't2'])
    """
    made: list[str] = []
    ends = follow(table, [Name(f"x{wire}", made) for wire in range(wires)])
    return made, [end.text for end in ends]


def c_text(table: Table, wires: int) -> str:
    """C on vectors of 512 lanes: `run(state, passes)` for an even number of passes, in place."""
    made, ends = assignments(table, wires)
    lines = [
        "typedef unsigned long long V __attribute__((vector_size(64)));",
        f"static V other[{wires}];",
        "static __attribute__((noinline)) void once(const V *restrict x, V *restrict y) {",
        *(f"V x{wire} = x[{wire}];" for wire in range(wires)),
        *(f"V t{k} = {expression};" for k, expression in enumerate(made)),
        *(f"y[{wire}] = {end};" for wire, end in enumerate(ends)),
        "}",
        "void run(V *state, long passes) {",
        "for (long k = 0; k < passes; k += 2) { once(state, other); once(other, state); }",
        "}\n",
    ]
    return "\n".join(lines)


def verilog_text(table: Table, wires: int) -> str:
    """Combinational Verilog on 64 lanes: inputs x0, x1, ... before, outputs y0, y1, ... after."""
    made, ends = assignments(table, wires)
    ports = (f"input [63:0] x{wire}, output [63:0] y{wire}" for wire in range(wires))
    lines = [
        f"module list ({', '.join(ports)});",
        *(f"wire [63:0] t{k} = {expression};" for k, expression in enumerate(made)),
        *(f"assign y{wire} = {end};" for wire, end in enumerate(ends)),
        "endmodule\n",
    ]
    return "\n".join(lines)


def verilator_driver(wires: int) -> str:
    """C++ around the Verilated module: `run(state, words, passes)` evaluates it for each word of 64
    lanes of `state` uint64 [wires, words], as often as asked, in place."""
    lines = [
        '#include "Vlist.h"',
        "static Vlist *list = nullptr;",
        'extern "C" void run(uint64_t *state, long words, long passes) {',
        "if (!list) list = new Vlist;",
        "for (long k = 0; k < words; k++) {",
        *(f"list->x{wire} = state[{wire} * words + k];" for wire in range(wires)),
        "list->eval();",
        "for (long pass = 1; pass < passes; pass++) {",
        *(f"list->x{wire} = list->y{wire};" for wire in range(wires)),
        "list->eval();",
        "}",
        *(f"state[{wire} * words + k] = list->y{wire};" for wire in range(wires)),
        "}",
        "}\n",
    ]
    return "\n".join(lines)
