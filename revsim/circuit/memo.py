"""Remembering what is known of a definition for as long as the definition itself is held."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

Result = TypeVar("Result")


def remembered(function: Callable[[Any], Result]) -> Callable[[Any], Result]:
    """A function of one object, computed once per object and forgotten with it."""
    known: WeakKeyDictionary[Any, Result] = WeakKeyDictionary()

    @wraps(function)
    def look_up(of: Any) -> Result:
        if of not in known:
            known[of] = function(of)
        return known[of]

    return look_up
