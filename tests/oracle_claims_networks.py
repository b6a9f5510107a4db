"""Known answers of routing (cases 176 to 178): k of E experts, every choice alike."""

from collections.abc import Callable
from functools import cache

from revsim.experiments.routing import Routing, every_choice, routing


@cache
def two_of_64() -> Routing:
    return routing(every_choice(64, 2))


READINGS: dict[int, Callable[[], float]] = {
    176: lambda: two_of_64().entropy,
    177: lambda: two_of_64().bit_entropy,
    178: lambda: two_of_64().transitions,
}
