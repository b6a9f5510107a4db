"""Gate entropies of adders by exhaustive simulation: revsim against the package `landauer`.

    python benchmarks/gate_entropy.py               # an 8-bit adder, 7 pairs of runs
    python benchmarks/gate_entropy.py --bits 4 --runs 3

The circuit is a ripple adder of AND gates and inverters, the form that `landauer` (PyPI 0.0.1,
2022) works on: 67 gates at 8 bits. For each gate both give the joint entropies of its inputs and of
its output with every subset of its inputs, for uniform inputs, all 2^16 of them: 305 different sets
of signals. The values are compared; then the times of interleaved runs, and the median of their
ratios, each time from the circuit to a dictionary of entropies. A run of revsim is too short to be
timed once between two of the peer's, which leave the caches cold: it is the median of five.

Where `landauer.simulate` can be imported (it needs networkx and tqdm; its other requirements are
for reading Verilog and for drawing) its own `simulate` runs:

    pip install --no-deps --target peer landauer==0.0.1 tqdm
    PYTHONPATH=peer python benchmarks/gate_entropy.py

Elsewhere its published algorithm is timed in an implementation of ours, said in the output: 64 rows
at a time, every gate on Python integers, and each set counted minterm by minterm.
"""

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from itertools import combinations, product
from math import log2

from revsim.circuit.logic import Logic, adder
from revsim.ledger.gates import gate_entropies
from revsim.simulator.logic import all_inputs

GOAL = 1000
Entropies = dict[frozenset[int], float]


def ours(found: Logic) -> Entropies:
    """From the input patterns of each gate; inputs included in the time, as for the others."""
    entropies = gate_entropies(found, all_inputs(found.inputs), 1 << found.inputs)
    out: Entropies = {}
    columns = (
        entropies.inputs.tolist(),
        entropies.output.tolist(),
        entropies.with_first.tolist(),
        entropies.with_second.tolist(),
    )
    for k, (_, a, b, _) in enumerate(found.gates.tolist()):
        a, b, gate = max(a, ~a), max(b, ~b), found.inputs + k
        sets = ((a, b), (gate,), (gate, a), (gate, b))
        out |= {frozenset(s): column[k] for s, column in zip(sets, columns, strict=True)}
        out[frozenset((gate, a, b))] = columns[0][k]
    return out


def published(found: Logic) -> Entropies:
    """The published algorithm, 64 rows at a time; written from its description."""
    every = (1 << 64) - 1
    gates = [(max(a, ~a), a < 0, max(b, ~b), b < 0) for _, a, b, _ in found.gates.tolist()]
    sets = {frozenset((a, b)) for a, _, b, _ in gates}
    for k, (a, _, b, _) in enumerate(gates):
        for size in range(3):
            sets |= {frozenset((found.inputs + k, *c)) for c in combinations((a, b), size)}
    counts: dict[frozenset[int], Counter[tuple[int, ...]]] = {s: Counter() for s in sets}
    low = [sum(1 << r for r in range(64) if r >> k & 1) for k in range(6)]
    for word in range(max(1, (1 << found.inputs) >> 6)):
        value = [low[k] if k < 6 else every * (word >> (k - 6) & 1) for k in range(found.inputs)]
        for a, not_a, b, not_b in gates:
            value.append((value[a] ^ every * not_a) & (value[b] ^ every * not_b))
        for signals, counter in counts.items():
            for pattern in product((0, 1), repeat=len(signals)):
                rows = every if found.inputs >= 6 else (1 << (1 << found.inputs)) - 1
                for signal, bit in zip(signals, pattern, strict=True):
                    rows &= value[signal] if bit else ~value[signal]
                counter[pattern] += rows.bit_count()
    total = 1 << found.inputs
    return {
        signals: -sum(n / total * log2(n / total) for n in counter.values() if n)
        for signals, counter in counts.items()
    }


def peer(found: Logic) -> tuple[str, Callable[[], Entropies]]:
    """The package's own function where it can be imported, else the published algorithm."""
    try:
        import networkx
        from landauer.simulate import simulate
    except ImportError:
        return "the published algorithm of landauer, implemented here", lambda: published(found)
    graph = networkx.DiGraph()  # node 0 is the package's constant; signals count from 1
    graph.add_node(0)
    for k, (_, a, b, _) in enumerate(found.gates.tolist()):
        for literal in (a, b):
            gate = found.inputs + k + 1
            graph.add_edge(max(literal, ~literal) + 1, gate, inverter=literal < 0)
    for k, literal in enumerate(found.outputs):
        graph.add_edge(max(literal, ~literal) + 1, f"out{k}", inverter=literal < 0)

    def run() -> Entropies:
        return {frozenset(s - 1 for s in key): h for key, h in simulate(graph).items()}

    return "landauer 0.0.1, landauer.simulate.simulate", run


def timed(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bits", type=int, default=8)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = adder(options.bits, "aig")
    name, theirs = peer(found)
    mine, other = ours(found), theirs()
    apart = max(abs(other[key] - h) for key, h in mine.items())
    pairs = [
        (statistics.median(timed(lambda: ours(found)) for _ in range(5)), timed(theirs))
        for _ in range(options.runs)
    ]
    fast, slow = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    result = {
        "circuit": found.name,
        "gates": len(found.gates),
        "sets": len(mine),
        "same_sets": set(mine) == set(other),
        "largest_difference_bits": apart,
        "peer": name,
        "revsim_seconds": fast,
        "peer_seconds": slow,
        "median_ratio": ratio,
        "goal": GOAL,
        "holds": set(mine) == set(other) and apart < 1e-9 and ratio >= GOAL,
    }
    if options.json:
        print(json.dumps(result, indent=1))
        return
    print(f"{found.name}: {len(found.gates)} gates, {len(mine)} sets of signals")
    print(f"peer: {name}")
    print(f"largest difference {apart:.1e} bits, same sets: {result['same_sets']}")
    print(
        f"revsim {fast * 1e3:.3f} ms, peer {slow * 1e3:,.1f} ms: {ratio:,.0f} times (goal {GOAL:,})"
    )


if __name__ == "__main__":
    main()
