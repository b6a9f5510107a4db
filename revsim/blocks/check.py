"""What every block asks of its registers: equal widths, distinct wires, single flags.

A wire given twice would still make a bijection, only not the one that was meant, and no later
stage could tell. So it is refused here, with the name of the block that was called.
"""

import numpy as np

from revsim.circuit.builder import Builder, WireLike
from revsim.circuit.registers import Wires
from revsim.errors import InputError


def equal_widths(b: Builder, block: str, **registers: Wires) -> int:
    """The common width of the named registers."""
    widths = {name: len(register) for name, register in registers.items()}
    if len(set(widths.values())) != 1:
        found = ", ".join(f"{name} has {width}" for name, width in widths.items())
        raise InputError(f"{b.name}: {block} needs registers of equal width: {found} wires")
    return next(iter(widths.values()))


def width_is(b: Builder, block: str, name: str, register: Wires, *widths: int) -> None:
    """Refuse a register whose width is none of `widths`."""
    if len(register) not in widths:
        wanted = " or ".join(str(width) for width in widths)
        raise InputError(f"{b.name}: {block} needs {wanted} wires in {name}, got {len(register)}")


def single(b: Builder, block: str, name: str, wire: WireLike) -> Wires:
    """One wire as an array of length 1."""
    register = np.atleast_1d(np.asarray(wire, dtype=np.int32))
    width_is(b, block, name, register, 1)
    return register


def not_empty(b: Builder, block: str, name: str, register: Wires) -> int:
    """The width of a register that must have a top bit."""
    if len(register) == 0:
        raise InputError(f"{b.name}: {block} needs at least one wire in {name}, got none")
    return len(register)


def distinct(b: Builder, block: str, *registers: Wires) -> None:
    """Refuse a wire that stands twice in these registers."""
    found, times = np.unique(np.concatenate(registers), return_counts=True)
    if len(found) and times.max() > 1:
        raise InputError(f"{b.name}: {block} is given wire {found[times.argmax()]} twice")
