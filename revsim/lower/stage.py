"""A stage: one operator on one neuron's value, in place, with its garbage named.

A stage takes the wires that hold the neuron's value and some fresh wires, runs reversible gates on
them, and says which of these wires now hold the new value, which are garbage (and by which cause
they would have to be erased) and which hold 0 again. It erases nothing: only a schedule does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition
from revsim.circuit.registers import Encoding, Wires
from revsim.network.operators import Single

Emit = Callable[[Builder, Wires, Wires], None]


@dataclass(frozen=True)
class Value:
    """What is known of a neuron's value on its way: encoding of its wires and exact range."""

    encoding: Encoding
    low: int
    high: int

    @property
    def signed(self) -> bool:
        """Whether the top bit has a negative weight."""
        return bool(self.encoding.weights) and self.encoding.weights[-1] < 0


@dataclass(frozen=True, eq=False)
class Stage:
    """One operator of one neuron.

    `emit(builder, value, fresh)` writes the gates. `value`, `garbage` and `clean` index the wires
    [old value | fresh] (index 0 first): where the result, the garbage and the zeros are.
    `operator` is what the stage does to the integer, None where only the encoding changes;
    `before` is what is known of the value that comes in. `forward`: cheaper gates that make the
    value and leave the other wires as they please.
    """

    name: str
    cause: str
    width: int
    fresh: int
    emit: Emit
    value: tuple[int, ...]
    encoding: Encoding
    garbage: tuple[int, ...]
    clean: tuple[int, ...] = ()
    operator: Single | None = None
    before: Value = Value(Encoding(0, ()), 0, 0)
    forward: Emit | None = None

    def compute(self, b: Builder, value: Wires, fresh: Wires) -> None:
        """Gates that make the value, where everything is undone later: `emit` or less."""
        (self.forward or self.emit)(b, value, fresh)

    @cached_property
    def definition(self) -> Definition:
        """The stage on its own: ports `value` and `fresh`."""
        return self.build()

    def build(self) -> Definition:
        """`definition`, made afresh and not remembered."""
        b = Builder(self.name)
        value = b.port("value", self.width)
        fresh = b.port("fresh", self.fresh, zero=True)
        self.emit(b, value, fresh)
        return b.build()


def nothing(b: Builder, value: Wires, fresh: Wires) -> None:
    """A stage without gates: wires only change their meaning."""
