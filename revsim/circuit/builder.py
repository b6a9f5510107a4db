"""The builder: gates go in, arrays of them as easily as single ones, and a `Definition` comes out.

Only bijections can be written. Roles are found, not declared: the first gate on a wire that is
known to hold 0 (a fresh local, a port promised to be 0) computes; its mirror image uncomputes.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import BodyItem, Call, Controls, Definition, Gates, Loop, Port, Table
from revsim.circuit.gates import (
    CCX,
    COLUMNS,
    CSWAP,
    CX,
    ERASE,
    EXTRA,
    GATES,
    MCX,
    OP,
    ROLE,
    SWAP,
    TALLY,
    A,
    B,
    C,
    X,
)
from revsim.circuit.registers import Wires, wires
from revsim.circuit.validate import check_gates
from revsim.errors import InputError

WireLike = int | np.integer | Sequence[int] | Wires


class Builder:
    """Collects gates of one definition. Ports first, then locals and gates in any order.

    >>> b = Builder("half adder")
    >>> x, y, carry = b.port("x", 1), b.port("y", 1), b.port("carry", 1, zero=True)
    >>> b.ccx(x, y, carry); b.cx(x, y)
    >>> b.build().ports[2].zero_in
    True
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._ports: list[Port] = []
        self._locals: list[tuple[str, int, int]] = []
        self._wires = 0
        self._items: list[Table | Call | Loop] = []
        self._controls: list[Controls] = []
        self._causes: list[str] = []
        self._tallies = 0
        self._fresh = np.zeros(64, dtype=np.bool_)

    # --- wires ------------------------------------------------------------------------------

    def port(self, name: str, width: int, zero: bool = False) -> Wires:
        """Add a port of `width` wires; `zero` promises that it arrives as 0."""
        if self._locals:
            raise InputError(f"{self.name}: port {name!r} must be declared before any local wire")
        if any(p.name == name for p in self._ports):
            raise InputError(f"{self.name}: there is already a port {name!r}")
        self._ports.append(Port(name, width, zero))
        return self._new(width, zero)

    def local(self, name: str, width: int = 1) -> Wires:
        """`width` fresh wires that hold 0 and must hold 0 again at the end."""
        first = self._wires
        out = self._new(width, True)
        self._locals.append((name, first, width))
        return out

    def _new(self, width: int, zero: bool) -> Wires:
        first = self._wires
        self._wires += width
        if self._wires > len(self._fresh):
            grown = np.zeros(max(self._wires, 2 * len(self._fresh)), dtype=np.bool_)
            grown[: len(self._fresh)] = self._fresh
            self._fresh = grown
        self._fresh[first : self._wires] = zero
        return np.arange(first, self._wires, dtype=np.int32)

    # --- gates ------------------------------------------------------------------------------
    # Wires may be single numbers or arrays; wires out of range or used twice in one gate are found
    # when the definition is built, all at once.

    def x(self, target: WireLike) -> None:
        """NOT on each target."""
        self._emit(X, -1, -1, target)

    def cx(self, control: WireLike, target: WireLike) -> None:
        """target ^= control."""
        self._emit(CX, control, -1, target)

    def ccx(self, first: WireLike, second: WireLike, target: WireLike) -> None:
        """target ^= first & second (Toffoli)."""
        self._emit(CCX, first, second, target)

    def swap(self, first: WireLike, second: WireLike) -> None:
        """Exchange two wires."""
        self._emit(SWAP, -1, first, second)

    def cswap(self, control: WireLike, first: WireLike, second: WireLike) -> None:
        """Exchange two wires where control is 1 (Fredkin)."""
        self._emit(CSWAP, control, first, second)

    def mcx(self, controls: Sequence[tuple[int, bool]], target: int) -> None:
        """target ^= 1 where every (wire, polarity) control agrees."""
        rows = self._emit(MCX, -1, -1, target)
        rows[:, EXTRA] = len(self._controls)
        self._controls.append(tuple((int(w), bool(p)) for w, p in controls))

    def _emit(self, opcode: int, a: WireLike, b: WireLike, c: WireLike) -> Table:
        columns = [np.asarray(v, dtype=np.int32).ravel() for v in (a, b, c)]
        lengths = [len(v) for v in columns]
        rows = np.zeros((max(lengths) if min(lengths) else 0, COLUMNS), dtype=np.int32)
        rows[:, OP] = opcode
        try:
            if len(rows):
                rows[:, A], rows[:, B], rows[:, C] = columns
            target = rows[:, C]
            # Only a NOT or XOR onto a wire that holds 0 computes; a swap moves a value.
            if opcode in (X, CX, CCX, MCX):
                fresh = self._fresh[target]
                if fresh.any():
                    rows[:, ROLE] = fresh & _first_of_each(target)
            self._fresh[target] = False
            if opcode in (SWAP, CSWAP):
                self._fresh[rows[:, B]] = False
        except ValueError as error:
            raise InputError(
                f"{self.name}: {GATES[opcode].name} got registers of unequal length: "
                f"{', '.join(str(n) for n in lengths)}"
            ) from error
        except IndexError as error:
            raise InputError(
                f"{self.name}: {GATES[opcode].name} uses a wire outside 0..{self._wires - 1}"
            ) from error
        self._items.append(rows)
        return rows

    # --- gates made elsewhere -----------------------------------------------------------------

    @property
    def wires(self) -> int:
        """Wires so far: the number of the next one."""
        return self._wires

    def fresh(self, room: int) -> npt.NDArray[np.bool_]:
        """Which wires are known to hold 0, bool [room], true for those that are yet to come."""
        out = np.ones(room, dtype=np.bool_)
        out[: self._wires] = self._fresh[: self._wires]
        return out

    def gates(self, rows: Table, locals_: Sequence[tuple[str, int]]) -> None:
        """Append a gate table with its roles; it writes all of the new `locals_` (name, width)."""
        for name, width in locals_:
            self.local(name, width)
        if len(rows):
            self._fresh[rows[:, C]] = False
            self._items.append(rows)

    # --- hierarchy --------------------------------------------------------------------------

    def call(self, definition: Definition, *registers: WireLike, inverse: bool = False) -> None:
        """Call a definition; `registers` follow its ports in order."""
        self._check_ports(definition, registers)
        if inverse and definition.erases:
            raise InputError(
                f"{self.name}: cannot call {definition.name!r} backward, it erases something"
            )
        flat = np.concatenate([wires(r) for r in registers]) if registers else wires([])  # type: ignore[arg-type]
        if len(np.unique(flat)) != len(flat):
            raise InputError(f"{self.name}: the call of {definition.name!r} gives one wire twice")
        if len(flat) and not 0 <= int(flat.min()) <= int(flat.max()) < self._wires:
            raise InputError(f"{self.name}: the call of {definition.name!r} uses an unknown wire")
        self._fresh[flat] = False
        self._items.append(Call(definition, flat, inverse))

    def _check_ports(self, definition: Definition, registers: Sequence[WireLike]) -> None:
        if len(registers) != len(definition.ports):
            raise InputError(
                f"{self.name}: {definition.name!r} has {len(definition.ports)} ports, "
                f"{len(registers)} registers were given"
            )
        for port, register in zip(definition.ports, registers, strict=True):
            given = len(wires(register))  # type: ignore[arg-type]
            if given != port.width:
                raise InputError(
                    f"{self.name}: port {port.name!r} of {definition.name!r} has {port.width} "
                    f"wires, {given} were given"
                )

    def loop(self, definition: Definition, count: int, base: WireLike, stride: WireLike) -> None:
        """Call a definition `count` times on base + i * stride (both flat, one per port wire)."""
        first, step = wires(base), wires(stride)  # type: ignore[arg-type]
        if len(first) != definition.port_wires or len(step) != definition.port_wires:
            raise InputError(
                f"{self.name}: the loop over {definition.name!r} needs {definition.port_wires} "
                f"base wires and strides, got {len(first)} and {len(step)}"
            )
        used = np.concatenate([first + i * step for i in range(count)] or [wires([])])
        if len(used) and not 0 <= int(used.min()) <= int(used.max()) < self._wires:
            raise InputError(f"{self.name}: the loop over {definition.name!r} uses an unknown wire")
        self._fresh[used] = False
        self._items.append(Loop(definition, count, first, step))

    def mark(self) -> int:
        """The present position, for `undo`."""
        return len(self._items)

    def undo(self, start: int, stop: int | None = None) -> None:
        """Append the inverse of everything emitted between two marks."""
        stop = len(self._items) if stop is None else stop
        for item in reversed(self._items[start:stop]):
            if isinstance(item, Call):
                self._items.append(Call(item.definition, item.wires, not item.inverse))
            elif isinstance(item, Loop):
                self._items.append(
                    Loop(item.definition, item.count, item.base, item.stride, not item.inverse)
                )
            else:
                self._items.append(Gates(item).inverse().table)

    # --- what only conventional netlists use ---------------------------------------------------

    def conventional_erase(self, target: WireLike, cause: str) -> None:
        """Reset wires inside a conventional netlist. Refused by the validator anywhere else."""
        if cause not in self._causes:
            self._causes.append(cause)
        self._emit(ERASE, -1, -1, target)[:, EXTRA] = self._causes.index(cause)

    def conventional_tally(self, first: WireLike, second: WireLike) -> None:
        """Count the joint values of two wires, for the gate-local ledger of a netlist."""
        rows = np.zeros((len(np.atleast_1d(first)), COLUMNS), dtype=np.int32)
        rows[:, OP], rows[:, A], rows[:, B], rows[:, C] = TALLY, first, second, -1
        rows[:, EXTRA] = np.arange(self._tallies, self._tallies + len(rows))
        self._tallies += len(rows)
        self._items.append(rows)

    # --- result -----------------------------------------------------------------------------

    def build(self) -> Definition:
        """The frozen definition; runs of gates are joined into one table each."""
        body: list[BodyItem] = []
        run: list[Table] = []

        def flush() -> None:
            if run:
                table = np.concatenate(run)
                mcx = table[:, OP] == MCX
                used, table[mcx, EXTRA] = np.unique(table[mcx, EXTRA], return_inverse=True)
                controls = tuple(self._controls[k] for k in used)
                body.append(check_gates(Gates(table, controls), self._wires, self.name))
                run.clear()

        for item in self._items:
            if isinstance(item, np.ndarray):
                run.append(item)
            else:
                flush()
                body.append(item)
        flush()
        return Definition(
            self.name,
            tuple(self._ports),
            self._wires - sum(p.width for p in self._ports),
            tuple(body),
            tuple(self._locals),
            tuple(self._causes),
        )


def _first_of_each(target: Wires) -> npt.NDArray[np.bool_]:
    """True at the first place of each wire: only that gate finds the wire at 0."""
    if len(target) == 1 or bool((target[1:] > target[:-1]).all()):
        return np.ones(len(target), dtype=np.bool_)
    first = np.zeros(len(target), dtype=np.bool_)
    first[np.unique(target, return_index=True)[1]] = True
    return first
