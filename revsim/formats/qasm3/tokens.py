"""From characters to tokens: one lazy pass that keeps line numbers for every message."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from revsim.errors import InputError

# Annotations (`@word ...`) and pragmas take the rest of their line, as OpenQASM 3 says; a trailing
# comment is cut off by `arguments`.
_TOKEN = re.compile(
    r"""(?P<note>^[ \t]*@[A-Za-z_][\w.]*[^\n]*)
      | (?P<pragma>^[ \t]*\#?pragma\b[^\n]*)
      | (?P<space>[ \t\r\f]+)
      | (?P<newline>\n)
      | (?P<comment>//[^\n]*)
      | (?P<block>/\*.*?\*/)
      | (?P<open>/\*)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<number>\d[\w.]*)
      | (?P<string>"[^"\n]*")
      | (?P<symbol>\+\+|->|==|[-+*/%@;,(){}\[\]:=<>!&|^~.])
      """,
    re.VERBOSE | re.MULTILINE | re.DOTALL | re.ASCII,
)
_ARGUMENT = re.compile(r'(?:(\w+)=)?("(?:[^"\\]|\\.)*"|[^\s,"=]+)', re.ASCII)
_PLAIN_OPERANDS = re.compile(
    r"([A-Za-z_]\w*)(?:\[(\d{1,9})\])?"
    r"(?:,[ ]?([A-Za-z_]\w*)(?:\[(\d{1,9})\])?)?"
    r"(?:,[ ]?([A-Za-z_]\w*)(?:\[(\d{1,9})\])?)?;",
    re.ASCII,
)
_LONGEST_NUMBER = 12


class Token(NamedTuple):
    """A piece of text; kind is word, number, string, symbol, note, pragma or end.

    A tuple, because a large file makes millions of them.
    """

    kind: str
    text: str
    line: int
    start: int = 0


@dataclass
class Arguments:
    """What stands behind the word of an annotation or pragma: `"a" b key=value`."""

    plain: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)


class Cursor:
    """Tokens with one token of lookahead, and the errors that every statement shares."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self._text = text
        self._position = 0
        self._line = 1
        self.now = self._next()

    def _next(self) -> Token:
        """The token behind the present one."""
        text = self._text
        while self._position < len(text):
            start = self._position
            found = _TOKEN.match(text, start)
            kind = found.lastgroup if found else ""
            if found is None or kind == "open":
                raise self._unreadable(text[start])
            self._position = found.end()
            if kind == "newline":
                self._line += 1
            elif kind == "block":
                self._line += found[0].count("\n")
            elif kind not in ("space", "comment"):
                return Token(kind or "", found[0].strip(), self._line, start)
        return Token("end", "", self._line, len(text))

    def _unreadable(self, character: str) -> InputError:
        if character == "/":
            return self.fail("a comment opened by '/*' is never closed by '*/'", self._line)
        if character == '"':
            return self.fail("a quoted string is not closed on its line", self._line)
        return self.fail(f"the character {character!r} has no meaning here", self._line)

    def plain_operands(self) -> tuple[list[str | None], int]:
        """The shortcut for `a[0], b, c[2];` on one line: [name, index or None, ...] and its end.

        Gate lists of networks consist of such lines; anything else gives an empty list and is read
        token by token. Nothing is consumed: `skip_to` does that once the caller is content.
        """
        found = _PLAIN_OPERANDS.match(self._text, self.now.start)
        if found is None:
            return [], 0
        groups = found.groups()
        return list(groups[: 2 * sum(name is not None for name in groups[::2])]), found.end()

    def skip_to(self, position: int) -> None:
        """Go on behind what `plain_operands` found."""
        self._position = position
        self.now = self._next()

    def fail(self, message: str, line: int | None = None) -> InputError:
        """An InputError at a line (the present one by default), to be raised by the caller."""
        return InputError(f"{self.source}, line {line or self.now.line}: {message}")

    def take(self) -> Token:
        """The present token; moves on."""
        token = self.now
        if token.kind != "end":
            self.now = self._next()
        return token

    def at(self, text: str) -> bool:
        """Whether the present token is this symbol or word."""
        return self.now.text == text and self.now.kind in ("symbol", "word")

    def accept(self, text: str) -> bool:
        """Skip a symbol or word where it stands here; says whether it did."""
        found = self.at(text)
        if found:
            self.take()
        return found

    def expect(self, text: str, after: str, begun: int) -> None:
        """Skip a symbol that must stand here."""
        if not self.accept(text):
            raise self.fail(f"{text!r} is missing after {after}; {self.found(begun)}", begun)

    def found(self, begun: int) -> str:
        """What stands here instead, in words."""
        if self.now.kind == "end":
            return "the file ends here: it may be cut short"
        where = "" if self.now.line == begun else f" on line {self.now.line}"
        return f"found {shortened(self.now.text)!r}{where}"

    def word(self, what: str, begun: int) -> Token:
        """A name that must stand here."""
        if self.now.kind != "word":
            raise self.fail(f"{what} is missing; {self.found(begun)}", begun)
        return self.take()

    def number(self, what: str, begun: int) -> int:
        """A whole number, not negative, that must stand here."""
        token = self.now
        if token.kind != "number" or not token.text.replace("_", "").isdigit():
            raise self.fail(
                f"{what} must be a whole number written in digits; {self.found(begun)}", begun
            )
        digits = token.text.replace("_", "")
        if len(digits) > _LONGEST_NUMBER:
            raise self.fail(f"{what} is far too large: {shortened(digits)}", begun)
        self.take()
        return int(digits)

    def arguments(self, text: str, line: int, allowed: Sequence[str]) -> Arguments:
        """Split the text behind an annotation or pragma; `allowed` are the keys it may give."""
        out = Arguments()
        position = 0
        while position < len(text):
            if text[position] in " \t\r,":
                position += 1
                continue
            if text.startswith("//", position):
                break
            found = _ARGUMENT.match(text, position)
            if found is None:
                raise self.fail(f"cannot read {shortened(text[position:])!r} here", line)
            key, value = found[1], unquoted(found[2])
            if value is None:
                raise self.fail(f"cannot read the quoted text {shortened(found[2])}", line)
            if key is None:
                out.plain.append(value)
            elif key not in allowed or key in out.named:
                known = ", ".join(allowed) or "none"
                raise self.fail(
                    f"{key!r} is unknown or given twice here; known keys: {known}", line
                )
            else:
                out.named[key] = value
            position = found.end()
        return out


def shortened(text: str) -> str:
    """At most 40 characters of a text, for messages."""
    return text if len(text) <= 40 else text[:37] + "..."


def quoted(text: str) -> str:
    """A name as it stands in annotations: JSON, so that any character survives."""
    return json.dumps(text)


def unquoted(text: str) -> str | None:
    """Inverse of `quoted`; bare words stay as they are; None where the quoting is broken."""
    if not text.startswith('"'):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, str) else None
