"""Annotations (`@revsim.word ...`): collected before a statement, used up by it, or an error."""

import re

from revsim.circuit.registers import Encoding
from revsim.formats.qasm3.tokens import Cursor, Token, shortened

Notes = dict[str, tuple[str, int]]
"""Annotations before a statement: word -> (rest of the line, line number)."""

ROLES = ("input", "output", "work", "left_over")
_KNOWN = frozenset(
    (*ROLES, "encoding", "device", "name", "ports", "zero", "causes", "roles", "erase", "tally")
) | {"inverse", "local"}
_ENCODING_KEYS = ("low", "high", "offset", "weights")


def read_notes(cursor: Cursor) -> Notes:
    """Annotations of the next statement; those of other programs are passed over."""
    notes: Notes = {}
    while cursor.now.kind == "note":
        token = cursor.take()
        word, _, rest = token.text[1:].partition(" ")
        space, _, word = word.strip().partition(".")
        if space != "revsim":
            continue
        if word not in _KNOWN:
            raise cursor.fail(
                f"unknown annotation @revsim.{word}; known are {', '.join(sorted(_KNOWN))}",
                token.line,
            )
        if word == "local" and word in notes:
            notes[word] = (f"{notes[word][0].split('//')[0]} {rest}", notes[word][1])
            continue
        if word in notes:
            raise cursor.fail(f"@revsim.{word} stands twice before one statement", token.line)
        notes[word] = (rest, token.line)
    if notes and cursor.now.kind in ("end", "pragma"):
        word, (_, line) = next(iter(notes.items()))
        raise cursor.fail(f"@revsim.{word} has no statement behind it", line)
    return notes


def all_used(cursor: Cursor, notes: Notes, token: Token) -> None:
    """Refuse an annotation that the statement at `token` has no use for."""
    for word, (_, line) in notes.items():
        raise cursor.fail(f"@revsim.{word} does not belong before {shortened(token.text)!r}", line)


def name_of(cursor: Cursor, notes: Notes, default: str) -> str:
    """What `@revsim.name "any text"` says, or the identifier itself."""
    if "name" not in notes:
        return default
    text, line = notes.pop("name")
    plain = cursor.arguments(text, line, ()).plain
    if len(plain) != 1:
        raise cursor.fail("@revsim.name needs one name in quotes", line)
    return plain[0]


def words(cursor: Cursor, notes: Notes, word: str) -> list[str]:
    """The words behind an annotation that lists names."""
    text, line = notes.pop(word, ("", 0))
    return cursor.arguments(text, line, ()).plain


def encoding_of(cursor: Cursor, text: str, line: int, width: int) -> Encoding | None:
    """`signed`, `low=-8 high=7`, `offset=-8` or `weights="1 2 -4"`; None where nothing is said."""
    found = cursor.arguments(text, line, _ENCODING_KEYS)
    unknown = [word for word in found.plain if word != "signed"]
    if unknown:
        raise cursor.fail(
            f"{unknown[0]!r} is no encoding: write signed, low= and high=, or offset=", line
        )
    values = {k: integers(cursor, v, line) for k, v in found.named.items()}
    if any(len(v) != 1 for k, v in values.items() if k != "weights"):
        raise cursor.fail("low, high and offset are one whole number each", line)
    if not values and not found.plain:
        return None
    if found.plain and not values:
        encoding = Encoding.twos_complement(width)
    elif set(values) == {"low", "high"} and not found.plain:
        low, high = values["low"][0], values["high"][0]
        if high < low:
            raise cursor.fail(f"low={low} is above high={high}", line)
        encoding = Encoding.natural(low, high)
    elif set(values) <= {"offset", "weights"} and not found.plain:
        weights = values.get("weights", tuple(1 << k for k in range(width)))
        encoding = Encoding(values.get("offset", (0,))[0], weights)
    else:
        raise cursor.fail("give one encoding: signed, low= with high=, or offset=", line)
    if encoding.width != width:
        raise cursor.fail(
            f"this encoding needs {encoding.width} bits, the register has {width}", line
        )
    return encoding


def integers(cursor: Cursor, text: str, line: int) -> tuple[int, ...]:
    """Whole numbers separated by spaces; at most 18 digits, so that they fit in 64 bits."""
    listed = text.split()
    if not all(re.fullmatch(r"-?[0-9]{1,18}", word) for word in listed):
        raise cursor.fail(f"{shortened(text)!r} is not a whole number in 64 bits", line)
    return tuple(int(word) for word in listed)
