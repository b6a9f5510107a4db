"""Every figure that revsim promises, beside its goal: speed, memory, gates, start-up.

    python benchmarks/figures.py                   # all, about a minute and a half
    python benchmarks/figures.py --only uniform    # one of them; the names are those below
    python benchmarks/figures.py --json            # {"machine", "rows"}, alone on standard output

Times are medians of interleaved runs on this machine, in this process, or of whole processes with
everything from the start of Python to the printed report. Nothing is timed in the tests. A gate
evaluation is one gate on one row of the ensemble, and every gate of the list is evaluated on its
own, promises checked. Close other programs first: a shared core moves any of these by half.

  adders    literal simulation of 16-bit Cuccaro-Draper-Kutin-Moulton adders on 257 wires, 4,096
            lanes on one core, and two threads against one on blocks of 4,096 lanes (the
            least times, since any other busy process takes the second core away)
  numpy     the same adders by the readable executor (plain NumPy rows)
  sample    one sample, bits in to bits out of a ready circuit, against the classical simulator of
            cirq on the same gates. Timed for revsim: 257 bits written into a fresh state, the run
            with its checks, the bits read back. For cirq: simulate() with a list of bits, and
            its result. Making the circuit is timed for neither
  verify    `revsim verify`: every policy on all 1,797 digits, with warm and with empty caches
  uniform   `revsim verify digits20` on all 2^20 inputs, one policy
  toffolis  Toffolis per multiply-accumulate of the digits network, computed and uncomputed
  import    `import revsim` as a process, less an empty Python process
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

import revsim as rs
from revsim.blocks.add import add_in_place
from revsim.circuit.gates import CCX, CX, A, B, C
from revsim.circuit.program import gates_below, program_of
from revsim.report.counting import count_circuit
from revsim.simulator import fast, plain
from revsim.simulator.counters import Counters
from revsim.simulator.lanes import planes_of

WIDTH, REGISTERS = 16, 16
LONG, MIDDLE, SHORT = 2800, 550, 110
"""Adders in a chain of 257,600 gates, so that waking threads does not matter; 50,600; 10,120."""
AT_LEAST, AT_MOST = ">=", "<="


@dataclass(frozen=True)
class Row:
    """One figure; `holds` is None where it could not be measured. `detail` names units."""

    id: str
    goal: str
    reached: float | None
    holds: bool | None
    peer: str
    detail: str


def row(name: str, sign: str, goal: float, reached: float | None, detail: str, peer="") -> Row:
    holds = None
    if reached is not None:
        holds = reached >= goal if sign == AT_LEAST else reached <= goal
    return Row(name, f"{sign} {figure(goal)}", reached, holds, peer, detail)


def figure(value: float) -> str:
    return f"{value:.2e}" if value >= 1e6 else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def medians(
    *calls: Callable[[], object], repeats: int, choose: Callable[[list[float]], float] | None = None
) -> list[float]:
    """Median (or `choose`) seconds of each call; they take turns, after one untimed turn."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 1):
        for seconds, call in zip(times, calls, strict=True):
            started = time.perf_counter()
            call()
            if turn:
                seconds.append(time.perf_counter() - started)
    return [(choose or statistics.median)(seconds) for seconds in times]


# --- circuits and runs ----------------------------------------------------------------------------


@cache
def adders(count: int) -> rs.Definition:
    """A chain of adders, each from one of 16 registers into another, as one definition."""
    builder = rs.Builder(f"{count} adders")
    registers = [builder.port(f"r{k}", WIDTH) for k in range(REGISTERS)]
    for k in range(count):
        source, target = k % REGISTERS, (3 * k + 1 + k // REGISTERS % 2) % REGISTERS
        if source == target:
            target = (target + 1) % REGISTERS
        add_in_place(builder, registers[source], registers[target])
    return builder.build()


def runner(definition: rs.Definition, words: int, threads: int) -> Callable[[], None]:
    """A call that runs the definition on random lanes."""
    stream = np.random.default_rng(0)
    shape = (definition.port_wires, words)
    state = stream.integers(0, 1 << 64, size=shape, dtype=np.uint64)
    wires = np.arange(definition.port_wires, dtype=np.int32)
    counters = Counters(planes_of(None, 64 * words, words))
    return lambda: fast.run(definition, state, wires, counters, threads=threads)


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


# --- figures --------------------------------------------------------------------------------------


def figure_adders() -> Iterator[Row]:
    chain = adders(LONG)
    gates = gates_below(chain)
    (narrow,) = medians(runner(chain, 64, 1), repeats=51)
    shape = f"{gates:,} gates on {program_of(chain).slots} wires"
    yield row(
        "adders_one_core", AT_LEAST, 2e11, gates * 4096 / narrow,
        f"gate evaluations/s; {shape}, 4,096 lanes",
    )  # fmt: skip
    sizes = (256, 128, 64)
    pairs = [runner(chain, words, threads) for words in sizes for threads in (1, 2)]
    times = medians(*pairs, repeats=61, choose=min)
    gain, less, least = (one / two for one, two in zip(times[::2], times[1::2], strict=True))
    yield row(
        "adders_two_threads", AT_LEAST, 1.8, gain,
        f"times one thread on 16,384 lanes in blocks of 4,096, {gates * 16384 / times[1]:.2e}/s; "
        f"{less:.2f} on 8,192 lanes, where waking a thread shows, {least:.2f} on 4,096, where "
        "each thread has half a block (least of 61 turns each)",
    )  # fmt: skip


def figure_numpy() -> Iterator[Row]:
    chain = adders(SHORT)
    state = np.zeros((chain.port_wires, 64), dtype=np.uint64)
    wires = np.arange(chain.port_wires, dtype=np.int32)
    counters = Counters(planes_of(None, 4096, 64))
    slow, quick = medians(
        lambda: plain.run(chain, state, wires, counters), runner(chain, 64, 1), repeats=5
    )
    gates = gates_below(chain)
    yield row(
        "numba_over_numpy", AT_LEAST, 70, slow / quick,
        f"times the NumPy executor ({gates * 4096 / slow:.2e} gate evaluations/s); {gates:,} "
        "gates, 4,096 lanes, one thread",
        "revsim's plain executor",
    )  # fmt: skip


def figure_sample() -> Iterator[Row]:
    for name, count in (("one_sample", SHORT), ("one_sample_long_list", MIDDLE)):
        yield _sample(name, adders(count))


def _sample(name: str, chain: rs.Definition) -> Row:
    gates = gates_below(chain)
    bits = np.random.default_rng(1).integers(0, 2, chain.wires)
    bits[chain.port_wires :] = 0
    wires = np.arange(chain.port_wires, dtype=np.int32)
    counters = Counters(planes_of(None, 1))
    seen: dict[str, Any] = {}

    def ours() -> None:
        state = np.zeros((chain.port_wires, 1), dtype=np.uint64)
        state[:, 0] = bits[: chain.port_wires]
        fast.run(chain, state, wires, counters)
        seen["revsim"] = state[:, 0] & np.uint64(1)

    (own,) = medians(ours, repeats=99)
    detail = f"{gates:,} gates; revsim {gates / own:.2e} gate-samples/s"
    try:
        import cirq
    except ImportError:
        return row(name, AT_LEAST, 1e4, None, f"{detail}; cirq is not installed", "cirq")
    qubits = cirq.LineQubit.range(chain.wires)
    make = {CX: lambda r: cirq.CNOT(qubits[r[A]], qubits[r[C]])}
    make[CCX] = lambda r: cirq.TOFFOLI(qubits[r[A]], qubits[r[B]], qubits[r[C]])
    circuit = cirq.Circuit(make[r[0]](r) for r in chain.body[0].table.tolist())
    circuit.append(cirq.measure(*qubits, key="out"))
    simulator, start = cirq.ClassicalStateSimulator(), [int(b) for b in bits]

    def theirs() -> None:
        result = simulator.simulate(circuit, qubit_order=qubits, initial_state=start)
        seen["cirq"] = result.measurements["out"].ravel()

    (other,) = medians(theirs, repeats=2 if gates > 20_000 else 5)
    if seen["cirq"][: chain.port_wires].tolist() != seen["revsim"].tolist():
        raise SystemExit("cirq and revsim disagree about the adders")
    detail = f"times cirq {cirq.__version__} ({gates / other:.2e}); {detail}; same bits out"
    return row(name, AT_LEAST, 1e4, other / own, detail, "cirq.ClassicalStateSimulator")


def figure_verify() -> Iterator[Row]:
    program = ("-m", "revsim.cli", "verify", "--json")
    process(*program)  # fills the cache of kernels where it is empty
    runs = [process(*program) for _ in range(3)]
    warm, memory = (statistics.median(values) for values in zip(*runs, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        cold, cold_memory = process(*program, NUMBA_CACHE_DIR=folder)
    yield row("verify_warm", AT_MOST, 10, warm, "s; five runs of 1,797 digits, whole process")
    yield row("verify_first_run", AT_MOST, 40, cold, "s; the same with no compiled kernels at all")
    peak = max(memory, cold_memory)
    yield row("verify_memory", AT_MOST, 1000, peak, "MB at the peak, warm or first run")


def figure_uniform() -> Iterator[Row]:
    options = ("--ensemble", "uniform", "--policy", "activation_reset", "--json")
    runs = [process("-m", "revsim.cli", "verify", "digits20", *options) for _ in range(3)]
    seconds, memory = (statistics.median(values) for values in zip(*runs, strict=True))
    what = "digits20 on 1,048,576 inputs, activation_reset"
    yield row("uniform_seconds", AT_MOST, 20, seconds, f"s; {what}, whole process")
    yield row("uniform_memory", AT_MOST, 1000, memory, f"MB at the peak; {what}")


def figure_toffolis() -> Iterator[Row]:
    counted = count_circuit(rs.compile(rs.load("digits"), "activation_reset", "destroy"))["total"]
    reached, macs = counted["toffolis_per_mac_linear"], counted["macs"]
    detail = f"computed and uncomputed; {macs:,} multiply-accumulates of digits (int8)"
    yield row("toffolis_per_mac", AT_MOST, 27, reached, detail)


def figure_import() -> Iterator[Row]:
    with_revsim, bare = medians(
        lambda: process("-c", "import revsim"), lambda: process("-c", ""), repeats=9
    )
    yield row("import_revsim", AT_MOST, 0.4, with_revsim - bare, f"s; bare Python: {bare:.3f} s")


FIGURES = {
    name.removeprefix("figure_"): f for name, f in globals().items() if name.startswith("figure_")
}


# --- output ---------------------------------------------------------------------------------------


def machine() -> str:
    load = f", load {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""
    versions = (
        f"Python {platform.python_version()}, numpy {np.__version__}, revsim {rs.__version__}"
    )
    return f"{os.cpu_count()} cores {platform.machine()}{load}; {versions}"


def show(found: Row) -> None:
    marks = {True: "yes", False: "NO", None: "-"}
    reached = "-" if found.reached is None else figure(found.reached)
    print(f"{found.id:<24}{found.goal:>14}{reached:>14}{marks[found.holds]:>8}")
    print(textwrap.indent(textwrap.fill(found.detail, 76), " " * 4), flush=True)


def main() -> None:
    first, _, rest = __doc__.partition("\n")
    parser = argparse.ArgumentParser(
        description=first, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=FIGURES, metavar="NAME", help=", ".join(FIGURES))
    parser.add_argument("--json", action="store_true", help="JSON alone on standard output")
    options = parser.parse_args()
    if not options.json:
        print(f"{machine()}\n\n{'figure':<24}{'goal':>14}{'reached':>14}{'holds':>8}")
    rows = []
    for name in [options.only] if options.only else FIGURES:
        for found in FIGURES[name]():
            rows.append(found)
            if not options.json:
                show(found)
    if options.json:
        print(json.dumps({"machine": machine(), "rows": [asdict(r) for r in rows]}, indent=1))


if __name__ == "__main__":
    main()
