"""Known answers on pebbling (group I): each computed by `revsim.schedule.pebbling`."""

from collections.abc import Callable

from revsim.schedule.pebbling import (
    Played,
    bennett_1989,
    fewest_runs,
    furthest_node,
    least_pebbles,
    played,
)


def bennett(branching: int, levels: int) -> Played:
    return played(bennett_1989(branching, levels))


READINGS: dict[int, Callable[[], float]] = {
    135: lambda: furthest_node(2),
    136: lambda: furthest_node(3),
    137: lambda: furthest_node(4),
    138: lambda: fewest_runs(4, 3),
    139: lambda: fewest_runs(8, 4),
    140: lambda: fewest_runs(8, 5),
    141: lambda: fewest_runs(12, 5),
    142: lambda: fewest_runs(8, 8),
    143: lambda: least_pebbles(4),
    144: lambda: least_pebbles(8),
    145: lambda: least_pebbles(16),
    146: lambda: bennett(2, 3).runs,
    147: lambda: bennett(2, 3).peak,
    148: lambda: bennett(3, 2).runs,
    149: lambda: bennett(3, 2).peak,
    150: lambda: bennett(2, 4).runs,
    151: lambda: bennett(2, 4).peak,
    152: lambda: bennett(2, 3).runs - fewest_runs(8, bennett(2, 3).peak),
}
