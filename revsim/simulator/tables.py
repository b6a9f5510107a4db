"""Wires of the ports of calls: a table for each call of a batch, in memory that is used again."""

from dataclasses import dataclass, field

from revsim.circuit.banks import Calls, WireTable


@dataclass
class Tables:
    """Tables of the calls that wait to be run; `done` when they have.

    The channels of a layer read the same wires and differ in what they write, the last port: of
    those that follow each other, only these columns are written again where a table is at hand.
    """

    read: tuple[object, ...] = ()
    held: list[WireTable] = field(default_factory=list)
    used: int = 0

    def of(self, calls: Calls) -> WireTable:
        """`calls.table`, which must not be looked at any more after `done`."""
        *others, last = calls.wires
        width = last.shape[1]
        read = (*(id(wires) for wires in others), width)
        if not others or read != self.read:
            self.read, self.held, self.used = read, [], 0
        if self.used == len(self.held):
            self.held.append(calls.table)
        else:
            table = self.held[self.used]
            table[:, table.shape[1] - width :] = last
        self.used += 1
        return self.held[self.used - 1]

    def done(self) -> None:
        """The calls have run."""
        self.used = 0
