"""Whole commands as users run them, beside their goals: time, memory, gates, start-up.

    python benchmarks/commands.py                   # all, about a minute
    python benchmarks/commands.py --only uniform    # one of them; the names are those below
    python benchmarks/commands.py --json            # {"machine", "rows"}, alone on standard output

Times are of whole processes, from the start of Python to the printed report. What kernels, peers
and networks reach is shown by `revsim bench`. Close other programs first.

  verify    `revsim verify`: every policy on all 1,797 digits, with warm and with empty caches
  uniform   `revsim verify digits20` on all 2^20 inputs, one policy
  toffolis  Toffolis per multiply-accumulate of the digits network, computed and uncomputed
  import    `import revsim` as a process, less an empty Python process
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict

import revsim as rs
from revsim.bench.machine import machine
from revsim.bench.rows import Row, at_most, medians
from revsim.bench.text import row_lines
from revsim.report.counting import count_circuit


def process(*arguments: str, **environment: str) -> tuple[float, float]:
    """Seconds and peak megabytes of a whole Python process."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, env={**os.environ, **environment}
    )
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"python {' '.join(arguments)}: exit status {child.returncode}")
    return seconds, usage.ru_maxrss / (1 if sys.platform == "darwin" else 1000) / 1.024


def figure_verify() -> Iterator[Row]:
    program = ("-m", "revsim.cli", "verify", "--json")
    process(*program)  # fills the cache of kernels where it is empty
    runs = [process(*program) for _ in range(3)]
    warm, memory = (statistics.median(values) for values in zip(*runs, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        cold, cold_memory = process(*program, NUMBA_CACHE_DIR=folder)
    what = "five runs of 1,797 digits, whole process"
    yield at_most("verify.warm", 10, "s", warm, what)
    yield at_most("verify.first_run", 40, "s", cold, f"{what}, with no compiled kernels at all")
    yield at_most("verify.memory", 1000, "MB", max(memory, cold_memory), "warm or first run")


def figure_uniform() -> Iterator[Row]:
    options = ("--ensemble", "uniform", "--policy", "activation_reset", "--json")
    runs = [process("-m", "revsim.cli", "verify", "digits20", *options) for _ in range(3)]
    seconds, memory = (statistics.median(values) for values in zip(*runs, strict=True))
    what = "digits20 on 1,048,576 inputs, activation_reset, whole process"
    yield at_most("uniform.seconds", 20, "s", seconds, what)
    yield at_most("uniform.memory", 1000, "MB", memory, what)


def figure_toffolis() -> Iterator[Row]:
    counted = count_circuit(rs.compile(rs.load("digits"), "activation_reset", "destroy"))["total"]
    detail = f"computed and uncomputed; {counted['macs']:,} multiply-accumulates of digits (int8)"
    reached = counted["toffolis_per_mac_linear"]
    yield at_most("toffolis.per_mac", 27, "Toffolis a multiply-accumulate", reached, detail)


def figure_import() -> Iterator[Row]:
    with_revsim, bare = medians(
        lambda: process("-c", "import revsim"), lambda: process("-c", ""), budget_s=3
    )
    detail = f"as a process; bare Python {bare:.3f} s, taken off"
    yield at_most("import.revsim", 0.4, "s", with_revsim - bare, detail)


FIGURES = {
    name.removeprefix("figure_"): f for name, f in globals().items() if name.startswith("figure_")
}


def main() -> None:
    first, _, rest = __doc__.partition("\n")
    parser = argparse.ArgumentParser(
        description=first, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=FIGURES, metavar="NAME", help=", ".join(FIGURES))
    parser.add_argument("--json", action="store_true", help="JSON alone on standard output")
    options = parser.parse_args()
    rows = []
    for name in [options.only] if options.only else FIGURES:
        for found in FIGURES[name]():
            rows.append(found)
            if not options.json:
                print(f"{name}\n{row_lines(found)}", end="", flush=True)
    if options.json:
        print(json.dumps({"machine": machine(), "rows": [asdict(r) for r in rows]}, indent=1))


if __name__ == "__main__":
    main()
