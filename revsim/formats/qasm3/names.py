"""Names in the text form: which identifiers are free, how a run of wires is spelled.

Shared by reader and writer, so that what one writes the other reads back under the same name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

WIRE_LIMIT: Final = 1 << 22
"""Most wires of one device or definition that the text form accepts."""

REGISTER_LIMIT: Final = 1 << 14
"""Most wires of one register: it stands for an integer, whose weights take memory squared."""

DEPTH_LIMIT: Final = 128
"""Most levels of definitions that call each other: every executor recurses once or more a level."""

SUPPORTED_GATES: Final = ("x", "cx", "ccx", "swap", "cswap")

_OTHER_GATES = (
    "p y z h s sdg t tdg sx rx ry rz cy cz cp crx cry crz ch cu CX phase cphase id u1 u2 u3 U "
    "gphase"
)
OTHER_GATES: Final = frozenset(_OTHER_GATES.split())
"""Gates of the language and of `stdgates.inc` that do not permute bits, or that are not ours."""

_KEYWORDS = (
    "OPENQASM include qubit let gate def reset barrier measure bit bool int uint float angle "
    "complex array if else for while in switch case default const input output return delay box "
    "ctrl negctrl inv pow qreg creg opaque extern cal defcal defcalgrammar duration durationof "
    "stretch end break continue mutable readonly pragma true false void sizeof popcount "
    "sin cos tan exp ln sqrt mod ceiling floor arccos arcsin arctan rotl rotr real imag "
    "pi tau euler im"
)
KEYWORDS: Final = frozenset(_KEYWORDS.split())

RESERVED: Final = KEYWORDS | OTHER_GATES | frozenset(SUPPORTED_GATES)
"""Names that nothing outside a definition may have."""

RESERVED_INSIDE: Final = KEYWORDS | frozenset(SUPPORTED_GATES)
"""Names that no port or local register may have; `t` or `z` may hide the gate that is not used."""

_NOT_WORD = re.compile(r"[^A-Za-z0-9_]+")


@dataclass
class Names:
    """Hands out identifiers that are valid, unique and depend only on the order of asking.

    >>> names = Names()
    >>> [names.new(n) for n in ("half adder", "half adder", "x", "3 bits")]
    ['half_adder', 'half_adder_2', 'x_', 'n3_bits']
    """

    taken: set[str] = field(default_factory=set)
    reserved: frozenset[str] = RESERVED
    _next: dict[str, int] = field(default_factory=dict)

    def new(self, wish: str) -> str:
        """A free identifier as close to `wish` as the language allows."""
        name = _NOT_WORD.sub("_", wish).strip("_") if _NOT_WORD.search(wish) else wish
        if not name or name[0].isdigit():
            name = "n" + name
        if name in self.reserved:
            name += "_"
        base = name
        number = self._next.get(base, 2)
        while name in self.taken:
            name = f"{base}_{number}"
            number += 1
        self._next[base] = number
        self.taken.add(name)
        return name


def indexed(name: str, indices: Sequence[int], width: int) -> str:
    """Wires of one register in the shortest spelling; slices include both ends, as in OpenQASM.

    >>> indexed("q", [0, 1, 2], 4), indexed("q", [3], 4), indexed("q", [2, 0], 4)
    ('q[0:2]', 'q[3]', 'q[{2, 0}]')
    >>> indexed("q", [0, 1], 2), indexed("flag", [0], 1)
    ('q', 'flag')
    """
    first, count = indices[0], len(indices)
    rising = list(indices) == list(range(first, first + count))
    if rising and count == width:
        return name
    if count == 1:
        return f"{name}[{first}]"
    if rising:
        return f"{name}[{first}:{first + count - 1}]"
    return f"{name}[{{{', '.join(map(str, indices))}}}]"
