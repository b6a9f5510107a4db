"""Row bootstrap: 1,000 replicates of 10,000 rows of 256 correlated neurons. Goal: within 10 s.

    python benchmarks/bootstrap.py                 # about ten seconds in all
    python benchmarks/bootstrap.py --json          # {"machine", "rows"}, alone on standard output

Each replicate draws 10,000 rows again, counts the ones of every neuron and sums h2. Beside it the
same taken literally (rows drawn by index, a mean per neuron, h2; 20 replicates, scaled up), held to
equal numbers, and what `verify --population` adds to a run of digits20 on as many rows.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from functools import partial

import numpy as np

import revsim as rs
from revsim.ledger.bootstrap import resampled, resampled_bit_entropy
from revsim.ledger.intervals import h2
from revsim.network.bundled import bundled

ROWS, NEURONS, REPLICATES, GOAL = 10_000, 256, 1000, 10.0
LITERAL = 20


def neurons() -> np.ndarray:
    """States bool [neurons, rows]: thresholds of 16 shared normal inputs, so they correlate."""
    stream = np.random.default_rng(0)
    inputs, weights = stream.normal(size=(16, ROWS)), stream.normal(size=(NEURONS, 16))
    return weights @ inputs > stream.normal(scale=3.0, size=(NEURONS, 1))


def by_products(bits: np.ndarray) -> np.ndarray:
    blocks = resampled(ROWS, REPLICATES, 0)
    return np.concatenate([resampled_bit_entropy(counts, bits) for counts in blocks])


def literally(bits: np.ndarray, replicates: int) -> np.ndarray:
    out = []
    for number in range(replicates):
        stream = np.random.default_rng(np.random.SeedSequence([0, number]))
        chosen = stream.integers(0, ROWS, size=ROWS)
        out.append(h2(bits[:, chosen].mean(axis=1)).sum())
    return np.array(out)


def seconds(call: Callable[[], object], repeats: int = 3) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return sorted(times)[repeats // 2]


def measure() -> list[dict[str, object]]:
    bits = neurons()
    same = np.allclose(by_products(bits)[:LITERAL], literally(bits, LITERAL), rtol=1e-12, atol=0)
    fast = seconds(lambda: by_products(bits))
    slow = seconds(lambda: literally(bits, LITERAL), 1) * REPLICATES / LITERAL
    network = bundled("digits20")
    rows = rs.random_rows(network.input_low, network.input_high, ROWS, 0)
    verify = partial(rs.verify, network, rows, policy="activation_reset")
    runs = [seconds(partial(verify, population=name)) for name in ("miller_madow", None)]
    detail = f"{ROWS:,} rows x {NEURONS} neurons, {REPLICATES:,} replicates"
    return [
        row("bootstrap", GOAL, fast, fast <= GOAL and same, f"{slow:.1f} s row by row", detail),
        row(
            "population",
            None,
            runs[0] - runs[1],
            None,
            "",
            "added to one verify of digits20, 10,000 rows",
        ),
    ]


def row(name, goal, reached, holds, peer, detail) -> dict[str, object]:
    goal = None if goal is None else f"<= {goal:g}"
    return {"id": name, "goal": goal, "reached": reached, "holds": holds, "peer": peer} | {
        "detail": detail
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}"
    rows = measure()
    if options.json:
        print(json.dumps({"machine": machine, "rows": rows}, indent=1))
        return
    print(machine)
    for r in rows:
        goal = f" (goal {r['goal']}: {'yes' if r['holds'] else 'NO'})" if r["goal"] else ""
        peer = f"; {r['peer']}" if r["peer"] else ""
        print(f"{r['id']}: {r['reached']:.2f} s{goal}; {r['detail']}{peer}")


if __name__ == "__main__":
    main()
