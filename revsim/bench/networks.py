"""Whole networks as compiled: time, memory, and outputs held against the integer reference."""

import json
import resource
import subprocess
import sys
import time
from cProfile import Profile
from importlib.util import find_spec
from pathlib import Path
from pstats import Stats
from statistics import median
from typing import Any

import numpy as np

from revsim.bench.goals import Asked
from revsim.bench.rows import Found, at_most, figure, missing
from revsim.errors import CheckError
from revsim.simulator.executors import EXECUTORS

AUTOENCODER, AUTOENCODER_ROWS, AUTOENCODER_GOAL_MS = "ad01_int8", 512, 150.0
RESNET, RESNET_ROWS, RESNET_GOAL_MS, RESNET_GOAL_BYTES = "pretrainedResnet_quant", 512, 15.0, 2e9
FUSED_GOAL = 5.0
"""How many times faster the fused executor is to be than the literal goal."""
POLICY, INPUT = "uncompute", "destroy"
RUNS = 3
PARTS = {
    ("code.py", "run_lanes"): "gates and counts of what they erase",
    ("tensors.py", "_erase"): "counts of erased registers",
    ("bank_device.py", "spectrum"): "states of the whole device",
}
"""Functions that a simulation spends its time in, and what they do."""
WHERE = (
    "give --models DIR, a folder with {file} (github.com/mlcommons/tiny, benchmark/training/"
    "{folder}/trained_models)"
)
FOLDERS = {AUTOENCODER: "anomaly_detection", RESNET: "image_classification"}


def whole_networks(asked: Asked) -> Found:
    """Goal 9: MLPerf Tiny's autoencoder and ResNet-8, one thread."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name, rows in ((AUTOENCODER, AUTOENCODER_ROWS), (RESNET, RESNET_ROWS)):
        for executor in ("literal", "fused"):
            why = _why_not(asked.models, name, executor)
            if why:
                yield missing(f"9.{_short(name)}_{executor}", _goal(name, executor), why)
                continue
            assert asked.models is not None
            one = found[name, executor] = _alone(asked.models / f"{name}.tflite", executor, rows)
            literal = found.get((name, "literal"))
            yield _row(name, executor, one, literal)
            if name == RESNET:
                yield at_most(
                    f"9.resnet8_{executor}_memory", RESNET_GOAL_BYTES / 1e9, "GB at the peak",
                    one["peak_bytes"] / 1e9, f"the whole process, {rows} images in one batch",
                )  # fmt: skip


def _short(name: str) -> str:
    return "ad01" if name == AUTOENCODER else "resnet8"


def _limit_ms(name: str, executor: str) -> float:
    literal = AUTOENCODER_GOAL_MS if name == AUTOENCODER else RESNET_GOAL_MS
    return literal if executor == "literal" else literal / FUSED_GOAL


def _unit(name: str) -> str:
    return f"ms for {AUTOENCODER_ROWS} samples" if name == AUTOENCODER else "ms an image"


def _goal(name: str, executor: str) -> str:
    return f"at most {figure(_limit_ms(name, executor))} {_unit(name)}"


def _why_not(models: Path | None, name: str, executor: str) -> str:
    """Why a network cannot be measured here, "" where it can."""
    if models is not None and not (models / f"{name}.tflite").is_file():
        return f"{name}.tflite is not in {models}"
    if models is None:
        return WHERE.format(file=f"{name}.tflite", folder=FOLDERS[name])
    if find_spec("tflite") is None:
        return "needs tflite: pip install tflite"
    if executor not in EXECUTORS:
        return f"there is no executor {executor} here"
    return ""


def _row(name: str, executor: str, one: dict[str, Any], literal: dict[str, Any] | None) -> Any:
    share = 1 if name == AUTOENCODER else one["rows"]
    kind = "equivalent gates" if executor == "fused" else "gate evaluations"
    ratio = ""
    if executor == "fused" and literal is not None:
        ratio = f"; {literal['seconds'] / one['seconds']:.3g} times as fast as literal"
    shares = ", ".join(f"{share:.0%} {what}" for what, share in one["shares"].items())
    return at_most(
        f"9.{_short(name)}_{executor}", _limit_ms(name, executor), _unit(name),
        1e3 * one["seconds"] / share,
        f"{one['rows']} random inputs, policy {POLICY}, input destroyed, all tallies, outputs as "
        f"the integer reference gives them{ratio}; {one['gates'] / one['seconds']:.2e} {kind}/s; "
        f"programs made on the first run, which takes {one['first_s']:.1f} s, and kept "
        f"({figure(one['code_bytes'] / 1e6)} MB); median of {RUNS} more, processor time "
        f"{1e3 * one['busy_s'] / share:.3g} ms; of it {shares}",
    )  # fmt: skip


def _alone(file: Path, executor: str, rows: int) -> dict[str, Any]:
    """`measure` in a process of its own, so that memory is its own."""
    command = [sys.executable, "-m", "revsim.bench.networks", str(file), executor, str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CheckError(f"{file.name} on executor {executor}: {last[:200]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def measure(file: Path, executor: str, rows: int) -> dict[str, Any]:
    """Median seconds of a simulation whose programs are made, and the peak of the process.

    Raises CheckError where an output is not that of the integer reference.
    """
    from revsim.frontends.tflite.reader import from_tflite
    from revsim.network.graph_reference import run_graph
    from revsim.schedule.graphs import compile_graph
    from revsim.simulator.code_cache import CODES
    from revsim.simulator.ensemble import data_set
    from revsim.simulator.run import simulate

    graph = from_tflite(file)
    circuit = compile_graph(graph, POLICY, INPUT)
    (given,) = (graph.tensors[name] for name in graph.inputs)
    x = np.random.default_rng(0).integers(given.low, given.high + 1, (rows, given.size))
    rows_of = data_set(x)
    taken, busy = [], []
    for _ in range(RUNS + 1):
        started, worked = time.perf_counter(), time.process_time()
        run = simulate(circuit, rows_of, executor=executor, threads=1)
        taken.append(time.perf_counter() - started)
        busy.append(time.process_time() - worked)
    profile = Profile()
    profile.runcall(simulate, circuit, rows_of, executor=executor, threads=1)
    expected = run_graph(graph, {graph.inputs[0]: x.reshape(rows, *given.shape[1:])})
    if not np.array_equal(run.outputs, expected[graph.outputs[0]].reshape(rows, -1)):
        raise CheckError(f"{file.name} on {executor}: outputs are not those of the reference")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "rows": rows,
        "first_s": taken[0],
        "seconds": median(taken[1:]),
        "busy_s": median(busy[1:]),
        "shares": _shares(profile),
        "gates": run.tally.gate_evaluations + run.tally.equivalent_gates,
        "code_bytes": CODES.bytes,
        "peak_bytes": peak if sys.platform == "darwin" else peak << 10,
    }


def _shares(profile: Profile) -> dict[str, float]:
    """Shares of a simulation's time that some functions take, with all that they call."""
    seconds: dict[tuple[str, str], float] = {}
    for (file, _, name), (_, _, _, cumulative, _) in Stats(profile).stats.items():  # type: ignore[attr-defined]
        seconds[Path(file).name, name] = cumulative
    whole = seconds["run.py", "simulate"]
    return {what: seconds.get(part, 0.0) / whole for part, what in PARTS.items()}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
