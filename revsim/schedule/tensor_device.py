"""A device of banks being scheduled: tensors come and go, wires are reused, ERASE is written.

Beside schedule/device.py this is the only place in revsim that makes an erasure.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from revsim.circuit.banks import (
    Bank,
    BankAlloc,
    BankErase,
    BankFree,
    BankMark,
    BankSet,
    Calls,
    Recipe,
    TensorItem,
    WireTable,
)
from revsim.circuit.registers import Encoding
from revsim.errors import InputError
from revsim.schedule.views import Root

Integers = npt.NDArray[np.int64]


class TensorDevice:
    """Collects the body of a tensor circuit; the lowest free wires are used first."""

    def __init__(self) -> None:
        self.body: list[TensorItem] = []
        self.layer_of: list[str] = []
        self.layer = ""
        self._used = np.zeros(0, dtype=np.bool_)

    @property
    def width(self) -> int:
        """Device wires that were ever in use."""
        return len(self._used)

    def _take(self, count: int) -> npt.NDArray[np.int32]:
        free = np.flatnonzero(~self._used)[:count]
        fresh = np.arange(self.width, self.width + count - len(free))
        self._used = np.concatenate([self._used, np.ones(len(fresh), dtype=np.bool_)])
        self._used[free] = True
        return np.concatenate([free, fresh]).astype(np.int32)

    def _add(self, item: TensorItem) -> None:
        self.body.append(item)
        self.layer_of.append(self.layer)

    def given(self, name: str, size: int, encoding: Encoding) -> Bank:
        """A bank that holds an input from the start."""
        wires = self._take(size * encoding.width).reshape(size, encoding.width)
        return Bank(name, wires, encoding)

    def alloc(self, name: str, size: int, encoding: Encoding) -> Bank:
        """A bank of zeros."""
        bank = self.given(name, size, encoding)
        if bank.wires.size:
            self._add(BankAlloc(bank))
        return bank

    def constant(self, name: str, encoding: Encoding, value: int, size: int = 1) -> Bank:
        """Registers that hold a constant, its bits as an unsigned number, made by NOTs."""
        bank = self.alloc(name, size, encoding)
        if value and bank.wires.size:
            self._add(BankSet(bank, value))
        return bank

    def undo_constant(self, bank: Bank, value: int) -> None:
        """The NOTs again; the registers are given back."""
        if value and bank.wires.size:
            self._add(BankSet(bank, value))
        self.free(bank)

    def calls(self, recipe: Recipe, *wires: WireTable, inverse: bool = False) -> None:
        """Run a definition at every position; none where no wire is given to it."""
        given = [table.shape[1] for table in wires]
        if given != [port.width for port in recipe.ports]:
            raise InputError(f"{self.layer}: {recipe.name!r} got ports of {given} wires")
        if len(wires[0]) and any(table.shape[1] for table in wires):
            self._add(Calls(recipe, wires, inverse))

    def free(self, bank: Bank) -> None:
        """Give the wires of a bank back; the simulator checks that they hold 0."""
        if bank.wires.size:
            self._add(BankFree(bank))
            self._used[bank.wires] = False

    def erase(
        self, bank: Bank, cause: str, value_of: str, places: Integers, shape: tuple[int, int]
    ) -> None:
        """Erase a bank; give it back with `free` once the whole group is erased."""
        if bank.wires.size:
            self._add(BankErase(bank, cause, self.layer, value_of, places, shape))

    def erase_roots(self, erased: Sequence[tuple[Root, Bank]], cause: str) -> None:
        """Erase whole tensors as one group and give their wires back."""
        for root, bank in erased:
            self.erase(bank, cause, root.name, np.arange(root.size, dtype=np.int64), root.shape)
        for _, bank in erased:
            self.free(bank)

    def mark(self, name: str, bank: Bank, places: Integers) -> None:
        """Say that values of a tensor can be read here."""
        self._add(BankMark(name, bank, places))
