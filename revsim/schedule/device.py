"""A device being scheduled: registers come and go, wires are reused, ERASE is written.

This is the only place in revsim that makes an `Erase`.
"""

import heapq
from collections.abc import Sequence

import numpy as np

from revsim.circuit.definition import (
    Alloc,
    Call,
    Circuit,
    CircuitItem,
    Definition,
    Erase,
    Export,
    Free,
    Layer,
    Mark,
)
from revsim.circuit.registers import Encoding, Register, Wires


class Device:
    """Collects the body of a circuit; the lowest free wires are used first."""

    def __init__(self, inputs: Sequence[Encoding]) -> None:
        self.body: list[CircuitItem] = []
        self.layer_of: list[str] = []
        self.layer = ""
        self.width = 0
        self._free: list[int] = []
        self.inputs = tuple(
            Register(f"input[{i}]", self._take(e.width), e) for i, e in enumerate(inputs)
        )

    def _take(self, count: int) -> Wires:
        reused = [heapq.heappop(self._free) for _ in range(min(count, len(self._free)))]
        fresh = range(self.width, self.width + count - len(reused))
        self.width += len(fresh)
        return np.array([*reused, *fresh], dtype=np.int32)

    def _add(self, item: CircuitItem) -> None:
        self.body.append(item)
        self.layer_of.append(self.layer)

    def alloc(self, name: str, encoding: Encoding) -> Register:
        """A register of zeros."""
        register = Register(name, self._take(encoding.width), encoding)
        if encoding.width:
            self._add(Alloc(register))
        return register

    def scratch(self, name: str, width: int) -> Register:
        """A register of zeros whose bits have no integer meaning of their own."""
        return self.alloc(name, Encoding(0, tuple(1 << k for k in range(width))))

    def call(self, definition: Definition, *wires: Wires, inverse: bool = False) -> None:
        """Run a definition on device wires; one that does nothing is left out."""
        if definition.body:
            self._add(Call(definition, np.concatenate(wires).astype(np.int32), inverse))

    def free(self, name: str, wires: Wires) -> None:
        """Give wires back; the simulator checks that they hold 0."""
        if len(wires):
            self._add(Free(Register(name, wires)))
            for wire in wires.tolist():
                heapq.heappush(self._free, wire)

    def erase(self, name: str, wires: Wires, cause: str, value_of: str) -> None:
        """Erase wires; give them back with `free` once the whole group is erased."""
        if len(wires):
            self._add(Erase(Register(name, wires), cause, self.layer, value_of))

    def export(self, register: Register, name: str, *, kept: bool) -> None:
        """Let a copy of a register leave the device; `kept` says whether resets may use it."""
        self._add(Export(register, name, kept))

    def mark(self, name: str, registers: Sequence[Register]) -> None:
        """Say that a tensor can be read here."""
        self._add(Mark(name, tuple(registers)))

    def circuit(
        self,
        name: str,
        outputs: Sequence[Register],
        layers: Sequence[Layer],
        policy: str,
        input_choice: str,
        order: str,
    ) -> Circuit:
        """The finished circuit."""
        return Circuit(
            name,
            self.width,
            tuple(self.body),
            self.inputs,
            tuple(outputs),
            tuple(layers),
            tuple(self.layer_of),
            policy,
            input_choice,
            order,
        )
