"""revsim's native text form: a strict subset of OpenQASM 3 that any editor can change.

    OPENQASM 3.0;
    include "stdgates.inc";
    @revsim.input
    qubit a;
    @revsim.input signed
    @revsim.output
    qubit[4] sum;
    @revsim.work
    qubit carry;
    ccx a, sum[0], carry;

Registers. `@revsim.input`, `@revsim.output`, both (an input that is overwritten), `@revsim.work`
(0 before, freed and checked after the last statement) or `@revsim.left_over` (0 before, anything
after). A register without any is input and output. Behind the role may stand how bits make an
integer: `signed`, `low=-8 high=6`, `offset=-8`, `weights="2 4 8"`. `let name = a[0:2] ++ b;` names
wires again; an alias can be input or output too.

Gates. x cx ccx swap cswap, `ctrl(2) @ negctrl @ x`, indices q[0], q[0:3] (both ends), q[{0, 2}],
broadcasting. `gate f a, b {..}` is called `f q[0], q[1];` and backward `inv @ f ...`.
`def f(qubit[4] p) {..}` is called `f(q);`, backward with `@revsim.inverse` on the line before. It
may have wires of its own, 0 before and after: `@revsim.local sum[4] carry` on the line before it
(or `qubit[4] sum;` inside, which we read but which OpenQASM itself allows outside only).
`@revsim.zero p` promises that port p arrives as 0. In a circuit, names of standard gates (t, z)
are taken; in a definition they are free.

ERASE. `reset q[1];` with an optional `@revsim.erase cause="activation" layer="relu" value_of="z"`
on the line before. Inside a `def` it stands in conventional netlists only, with a cause.

Pragmas say what a schedule adds: `pragma revsim.free t`, `.alloc`, `.mark "z" z0 z1`, `.layer`,
`.begin "layer"`, `.circuit name=".."`, `.roles` (see `roles.py`), `.constant c value=5`,
`.inputs b a` (where the order is not that of declaration).

A `Loop` is written call by call. Comments are not kept by a round trip.
"""

import os
from pathlib import Path

from revsim.circuit.definition import Circuit
from revsim.errors import InputError
from revsim.files import write_whole
from revsim.formats.qasm3.reader import read
from revsim.formats.qasm3.writer import write


def dumps(circuit: Circuit) -> str:
    """The text form of a circuit; the same circuit always gives the same text.

    >>> text = 'OPENQASM 3.0; qubit a; qubit b; cx a, b;'
    >>> dumps(loads(text)) == dumps(loads(dumps(loads(text))))
    True
    """
    lines: list[str] = []
    for line in write(circuit):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).rstrip("\n") + "\n"


def loads(text: str, source: str = "<text>") -> Circuit:
    """The circuit that a text describes; `source` names it in messages.

    Raises InputError with source, line and what to do for anything outside the subset.

    >>> loads('OPENQASM 3.0;\\nqubit q;\\nh q;')
    Traceback (most recent call last):
    revsim.errors.InputError: <text>, line 3: gate 'h' is not supported: revsim runs circuits \
that permute bits, with x, cx, ccx, swap, cswap, ctrl @ x and negctrl @ x
    """
    name = "circuit" if source == "<text>" else Path(source).stem
    return read(text, source, name)


def load(path: str | os.PathLike[str]) -> Circuit:
    """Read a file; its name without ending names the circuit where the text gives no name."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: byte {data[error.start]:#04x} is not UTF-8 text; is this a "
            "circuit file?"
        ) from None
    return loads(text, os.fspath(path))


def save(circuit: Circuit, path: str | os.PathLike[str]) -> None:
    """Write a file whole or not at all."""
    write_whole(Path(path), dumps(circuit).encode())
