"""Particle-steps per second of the driven double well: a billion steps within 30 s on two cores.

    python benchmarks/langevin.py            # about half a minute
    python benchmarks/langevin.py --json     # {"machine", "rows"}, alone on standard output

One particle-step is one Gaussian number, two evaluations of the force (Heun) and the work of one
jump of the potential, in float64. The time is the median of whole runs of the protocol that erases
a bit, with compiled kernels, start and statistics included. User time counts both cores.
"""

import argparse
import json
import os
import platform
import statistics
import time

from revsim.physics.double_well import ERASE, DoubleWell
from revsim.physics.langevin import STEP, simulate

PATHS, TAU = 100_000, 10.0
"""A billion particle-steps at the default time step."""
GOAL_SECONDS = 30.0
THREADS = 2


def run(repeats: int) -> dict[str, object]:
    simulate(DoubleWell(), ERASE, 0.1, 1000)  # compiles
    seconds, user = [], []
    for _ in range(repeats):
        started, used = time.perf_counter(), time.process_time()
        paths = simulate(DoubleWell(), ERASE, TAU, PATHS, threads=THREADS)
        seconds.append(time.perf_counter() - started)
        user.append(time.process_time() - used)
    steps = PATHS * round(TAU / (STEP / DoubleWell().barrier))
    reached = statistics.median(seconds)
    work = paths.mean_work
    return {
        "id": "langevin",
        "goal": f"<= {GOAL_SECONDS:.0f}",
        "reached": reached,
        "holds": reached <= GOAL_SECONDS,
        "peer": "",
        "detail": f"s for {steps:.0e} particle-steps on {THREADS} threads; {steps / reached:.2e} "
        f"particle-steps/s; user time {statistics.median(user):.1f} s; <W> = {work.value:.4f} "
        f"+- {work.error:.4f} k_B T",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    row = run(options.repeats)
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    if options.json:
        print(json.dumps({"machine": machine, "rows": [row]}, indent=1))
    else:
        print(f"{machine}\n{row['reached']:.2f} {row['detail']} (goal {row['goal']} s)")


if __name__ == "__main__":
    main()
