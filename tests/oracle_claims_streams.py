"""Known answers of kept states: neurons in a stream, routers, networks overwritten whole (T8)."""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations

import numpy as np

from revsim.ledger.comparison import activity
from revsim.ledger.reference import neuron_statistics
from revsim.ledger.streams import Stream, conditional_entropy, stream_ledger
from revsim.network.bundled import bundled
from revsim.network.reference import run_reference
from revsim.simulator.ensemble import Ensemble, uniform

# Weights of (previous, next) = (0, 0), (1, 0), (0, 1), (1, 1) for flip probabilities up and down.
CHAINS = {168: (9, 1, 1, 9), 170: (891, 9, 9, 91), 172: (5, 95, 95, 5), 174: (0, 1, 1, 0)}
PAIRS = np.array([(0, 0), (1, 0), (0, 1), (1, 1)])


@cache
def chain(weights: Sequence[int], copies: int = 1) -> Stream:
    """A two-state neuron, and copies of it that always agree."""
    pairs = Ensemble("chain", PAIRS, np.array(weights))
    before, after = (np.repeat(PAIRS[:, [k]] > 0, copies, axis=1) for k in range(2))
    return stream_ledger([f"neuron {k}" for k in range(copies)], before, after, pairs)


def router() -> float:
    """64 experts, 2 of them on, every choice equally likely; tokens drawn independently."""
    rows = np.zeros((2016, 64), dtype=np.int64)
    for row, pair in enumerate(combinations(range(64), 2)):
        rows[row, list(pair)] = 1
    return activity([neuron_statistics("router", rows, rows > 0, None)]).changed_neurons


def all_nodes_of_the_toy_network() -> float:
    """Every internal value at t-1, forgotten with X(t) and all that follows from it at hand."""
    net = bundled("toy")
    x = uniform(net.input_low, net.input_high).rows
    first, second = np.divmod(np.arange(len(x) ** 2), len(x))
    layers = run_reference(net, x)
    nodes = np.hstack([v for layer in layers for v in (layer.x, layer.z, layer.y)])
    return conditional_entropy(nodes[first], nodes[second])


READINGS: dict[int, Callable[[], float]] = {
    **{n: lambda w=w: chain(w).changed_neurons_stream for n, w in CHAINS.items()},
    **{n + 1: lambda w=w: float(chain(w).given_next.sum()) for n, w in CHAINS.items()},
    179: router,
    266: all_nodes_of_the_toy_network,
    272: lambda: chain((1, 1, 1, 1), 16).changed_neurons_stream,
    273: lambda: chain((1, 1, 1, 1), 16).joint_given_next,
}
