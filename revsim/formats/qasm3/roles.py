"""Roles of gates in the text form: found again by the reader, written only where that fails.

The rule that both sides apply, and why it is sound:

    compute     the first gate on a wire that holds 0 (a local, a port promised to be 0, a device
                wire that is no input or was just erased or freed)
    uncompute   the last gate on a wire that must hold 0 afterwards (a local at the end of its
                definition, a register that is freed)
    in place    every other gate

Only X, CX, CCX and MCX can compute or uncompute; a swap or a call ends what is known of a wire.
Where a circuit says otherwise the writer adds one line of corrections such as

    @revsim.roles 3-5=uncompute 9=in_place

whose numbers count the gates of that body from 0, calls left out.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Alloc, Call, CircuitItem, Erase, Free, Gates, Loop
from revsim.circuit.gates import CCX, CSWAP, CX, MCX, OP, ROLE, SWAP, TALLY, Role, X
from revsim.errors import InputError

Roles = npt.NDArray[np.int32]
Flags = npt.NDArray[np.uint8]

_XORS = frozenset((X, CX, CCX, MCX))
_SWAPS = frozenset((SWAP, CSWAP))
_WORDS = {role.name.lower(): role for role in Role}
_CORRECTION = re.compile(r"(\d{1,12})(?:-(\d{1,12}))?=(\w+)")


def inferred(items: Sequence[CircuitItem], zero_before: Flags, zero_after: Flags) -> Roles:
    """Roles int32 [gates of all tables, in order] under the rule above.

    `zero_before` and `zero_after` say for each wire whether it must hold 0 at the start and at
    the end of the body. Rows of TALLY are counted in here, and are in place.
    """
    known = bytearray(zero_before.astype(np.uint8).tobytes())
    roles: list[int] = []
    for item in items:
        if isinstance(item, Gates):
            for op, _, b, c, _, _ in item.table.tolist():
                if op == TALLY:
                    roles.append(Role.IN_PLACE)
                    continue
                computes = op in _XORS and known[c]
                roles.append(Role.COMPUTE if computes else Role.IN_PLACE)
                known[c] = 0
                if op in _SWAPS:
                    known[b] = 0
        else:
            _through(item, known, after_erase=1)
    known = bytearray(zero_after.astype(np.uint8).tobytes())
    place = len(roles)
    for item in reversed(items):
        if isinstance(item, Gates):
            for op, _, b, c, _, _ in reversed(item.table.tolist()):
                place -= 1
                if op == TALLY:
                    continue
                if op in _XORS and known[c] and roles[place] == Role.IN_PLACE:
                    roles[place] = Role.UNCOMPUTE
                known[c] = 0
                if op in _SWAPS:
                    known[b] = 0
        else:
            _through(item, known, after_erase=0)
    return np.array(roles, dtype=np.int32)


def _through(item: CircuitItem, known: bytearray, after_erase: int) -> None:
    """What one item that is no gate table does to the wires known to hold 0."""
    flags = np.frombuffer(known, dtype=np.uint8)
    if isinstance(item, Alloc | Free):
        flags[item.register.wires] = 1
    elif isinstance(item, Erase):
        flags[item.register.wires] = after_erase
    elif isinstance(item, Call):
        flags[item.wires] = 0
    elif isinstance(item, Loop):
        for call in item.calls():
            flags[call.wires] = 0


def stored(items: Sequence[CircuitItem]) -> Roles:
    """Roles that the gate tables of a body hold."""
    columns = [item.table[:, ROLE] for item in items if isinstance(item, Gates)]
    return np.concatenate(columns) if columns else np.zeros(0, dtype=np.int32)


def with_roles(items: Sequence[CircuitItem], roles: Roles) -> list[CircuitItem]:
    """The same body with other roles."""
    out: list[CircuitItem] = []
    start = 0
    for item in items:
        if isinstance(item, Gates):
            table = item.table.copy()
            table[:, ROLE] = roles[start : start + len(table)]
            start += len(table)
            item = Gates(table, item.controls)
        out.append(item)
    return out


def corrections(items: Sequence[CircuitItem], expected: Roles) -> str:
    """Where a body differs from the rule, as text; "" where it does not."""
    rows = _numbered(items)
    actual, expected = stored(items)[rows], expected[rows]
    wrong = np.flatnonzero(actual != expected)
    runs: list[tuple[int, int, int]] = []
    for place in wrong.tolist():
        role = int(actual[place])
        if runs and runs[-1][1] == place - 1 and runs[-1][2] == role:
            runs[-1] = (runs[-1][0], place, role)
        else:
            runs.append((place, place, role))
    return " ".join(
        f"{first if first == last else f'{first}-{last}'}={Role(role).name.lower()}"
        for first, last, role in runs
    )


def corrected(items: Sequence[CircuitItem], roles: Roles, text: str) -> Roles:
    """`roles` with the corrections of one line applied; raises InputError for a bad line."""
    rows = _numbered(items)
    opcodes = [item.table[:, OP] for item in items if isinstance(item, Gates)]
    opcode = np.concatenate(opcodes) if opcodes else np.zeros(0, dtype=np.int32)
    out = roles.copy()
    for word in text.split():
        found = _CORRECTION.fullmatch(word)
        if found is None or found[3] not in _WORDS:
            raise InputError(
                f"cannot read the role correction {word!r}: write first-last=role or "
                f"gate=role with a role of {', '.join(_WORDS)}"
            )
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last or last >= len(rows):
            raise InputError(f"the role correction {word!r} names gates outside 0..{len(rows) - 1}")
        chosen = rows[first : last + 1]
        if _WORDS[found[3]] != Role.IN_PLACE and not np.isin(opcode[chosen], list(_XORS)).all():
            raise InputError(
                f"the role correction {word!r} names a gate that can only be in_place "
                "(swap, cswap, reset)"
            )
        out[chosen] = _WORDS[found[3]]
    return out


def _numbered(items: Sequence[CircuitItem]) -> npt.NDArray[np.intp]:
    """Rows that corrections count: every gate, ERASE included, TALLY left out."""
    columns = [item.table[:, OP] for item in items if isinstance(item, Gates)]
    if not columns:
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(np.concatenate(columns) != TALLY)
