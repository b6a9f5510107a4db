"""Codes of the definitions that stand at positions, remembered for the next batch."""

import os
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import replace
from mmap import mmap
from threading import Lock

import numpy as np

from revsim.circuit.banks import Recipe
from revsim.circuit.packed import Rows
from revsim.circuit.survey import note
from revsim.errors import InputError
from revsim.simulator.code import Code, compile_code, find_restored
from revsim.simulator.literal.body import Literal

CACHE_MEGABYTES = "REVSIM_PROGRAM_CACHE_MB"
"""Environment variable: how many megabytes of programs are kept for the next batch."""

PAGES = 1 << 16
"""Bytes from which rows are worth pages of their own."""


def _in_pages(rows: Rows) -> Rows:
    """Rows in memory that goes back to the system when they are forgotten: thousands of codes of
    all sizes that come and go leave a heap full of holes."""
    if rows.nbytes < PAGES:
        return rows
    held: Rows = np.frombuffer(mmap(-1, rows.nbytes), dtype=np.uint64)
    held[:] = rows
    return held


class CodeCache:
    """Codes of recipes, least recently used first out, bounded in bytes; safe among threads."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[Hashable, bool, str], Code] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @property
    def bytes(self) -> int:
        """Memory that the codes held take."""
        return self._bytes

    def get(self, recipe: Recipe, inverse: bool, executor: str = "literal") -> Code:
        """The code of a recipe, made if it is not held."""
        key = (recipe.key or recipe, inverse, executor)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        definition = recipe.make()
        code = find_restored(compile_code(definition, inverse, executor), definition)
        note(recipe, definition, code.wires)
        if code.bytes <= _limit() and isinstance(code.body, Literal):
            code = replace(code, body=replace(code.body, rows=_in_pages(code.body.rows)))
        with self._lock:
            if key not in self._held and code.bytes <= _limit():
                self._held[key] = code
                self._bytes += code.bytes
            while self._bytes > _limit():
                self._bytes -= self._held.popitem(last=False)[1].bytes
        return code


def _limit() -> int:
    given = os.environ.get(CACHE_MEGABYTES, "768")
    if not (given.isascii() and given.isdigit()):
        raise InputError(f"{CACHE_MEGABYTES} must be a whole number of megabytes, got {given!r}")
    return int(given) << 20


CODES = CodeCache()
"""Codes of this process."""
