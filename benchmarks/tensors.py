"""Speed of circuits of tensors: layers as networks have them, every gate of every position.

    python benchmarks/tensors.py                 # all layers, about a minute
    python benchmarks/tensors.py --only conv64   # one of them; names are those below
    python benchmarks/tensors.py --json          # {"machine", "rows"}, alone on standard output

Each layer computes weighted sums with random int8 weights of 8-bit inputs, copies them out and
undoes the rest, neuron by neuron, on 64 rows. A gate evaluation is one gate on one row at one
position; none is skipped or fused, and every promise is checked. `compile` is the time a gate takes
to become a program, once; programs are then remembered. Times are the least of several runs, since
any other busy process takes the second core or its cache away.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from revsim.circuit.banks import Bank, BankAlloc, BankSet, Calls, Recipe, TensorCircuit
from revsim.circuit.registers import Encoding
from revsim.lower.linear import InputBits, linear_definition, weighted_sum
from revsim.network.sums import Terms
from revsim.simulator.code_cache import CODES
from revsim.simulator.ensemble import data_set
from revsim.simulator.run import simulate

ROWS = 64
BYTE = Encoding.unsigned(-128, 127)


@dataclass(frozen=True)
class Shape:
    """A convolution layer: `side` 1 and `kernel` 1 make it a dense layer of `depth` inputs.

    `made` of its `channels` neurons are run and timed; the others are alike.
    """

    name: str
    side: int
    kernel: int
    depth: int
    channels: int
    made: int


SHAPES = (
    Shape("conv16", 32, 3, 16, 16, 8),
    Shape("conv32", 16, 3, 32, 32, 8),
    Shape("conv64", 8, 3, 64, 64, 8),
    Shape("point64", 16, 1, 64, 64, 16),
    Shape("dense640", 1, 1, 640, 128, 32),
    Shape("dense128", 1, 1, 128, 128, 64),
)


@dataclass(frozen=True)
class Row:
    """Gate evaluations per second of one layer, in billions, and what it costs per row."""

    layer: str
    gates: int
    slots: int
    positions: int
    threads: int
    compile_ns_per_gate: float
    giga_gates_per_s: float
    ms_per_row: float


def layer(shape: Shape, seed: int = 0) -> TensorCircuit:
    """Some neurons of a layer on one image."""
    random = np.random.default_rng(seed)
    taps = shape.kernel**2 * shape.depth
    pixels = shape.side**2 * shape.depth
    pad = shape.kernel // 2
    wide = shape.side + 2 * pad
    image = np.full((wide, wide, shape.depth), pixels)
    image[pad : pad + shape.side, pad : pad + shape.side] = np.arange(pixels).reshape(
        shape.side, shape.side, shape.depth
    )
    windows = np.lib.stride_tricks.sliding_window_view(image, (shape.kernel,) * 2, axis=(0, 1))
    reads = windows.reshape(shape.side**2, shape.depth, -1).reshape(shape.side**2, taps)
    z = Encoding.twos_complement(int(np.log2(taps)) + 17)
    positions = shape.side**2
    wires = np.arange(8 * (pixels + 1) + positions * shape.made * z.width, dtype=np.int32)
    held = wires[: 8 * (pixels + 1)].reshape(-1, 8)
    out = wires[8 * (pixels + 1) :].reshape(positions, shape.made, z.width)
    x = held[reads].reshape(positions, -1)
    bits = InputBits.of([BYTE] * taps)
    calls = []
    for k in range(shape.made):
        weights = random.integers(-127, 128, taps)
        used = np.flatnonzero(weights)
        total = weighted_sum(Terms(used, weights[used], 7), bits, z)
        definition = linear_definition(total, f"{shape.name} neuron {k}")
        calls.append(
            Calls(
                Recipe(definition.name, definition.ports, lambda made=definition: made),
                (np.ascontiguousarray(x[:, total.wires]), out[:, k]),
            )
        )
    constant = Bank("padding", held[pixels:], BYTE)
    sums = Bank("z", out.reshape(-1, z.width), z)
    body = (BankAlloc(constant), BankSet(constant, 131), BankAlloc(sums), *calls,
            BankSet(constant, 131))  # fmt: skip
    inputs = (Bank("x", held[:pixels], BYTE),)
    return TensorCircuit(shape.name, len(wires), body, inputs, (sums,), input_choice="keep")


def measure(shape: Shape, threads: int, repeats: int) -> Row:
    """One layer, compiled once, then run from the start `repeats` times."""
    circuit = layer(shape)
    calls = [item for item in circuit.body if isinstance(item, Calls)]
    started = time.perf_counter()
    codes = [CODES.get(c.recipe, False) for c in calls]
    compiling = time.perf_counter() - started
    gates = sum(code.gates for code in codes)
    random = np.random.default_rng(1)
    rows = data_set(random.integers(-128, 128, (ROWS, circuit.inputs[0].size)))

    def once(items: tuple[object, ...]) -> float:
        part = TensorCircuit(
            circuit.name, circuit.width, items, circuit.inputs, circuit.outputs,
            input_choice="keep",
        )  # fmt: skip
        return least(lambda: simulate(part, rows, threads=threads, strict=False), repeats)

    empty = tuple(item for item in circuit.body if not isinstance(item, Calls))
    seconds = once(circuit.body) - once(empty)
    positions = shape.side**2
    return Row(
        shape.name,
        gates // len(codes),
        max(code.slots for code in codes),
        positions,
        threads,
        round(1e9 * compiling / gates, 1),
        round(gates * positions * ROWS / seconds / 1e9, 1),
        round(1e3 * seconds / ROWS * shape.channels / shape.made, 3),
    )


def least(function: Callable[[], object], repeats: int) -> float:
    """Least seconds that a call takes, after one that warms up."""
    function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[shape.name for shape in SHAPES])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [
        measure(shape, threads, options.repeats)
        for shape in SHAPES
        if options.only in (None, shape.name)
        for threads in (1, 2)
    ]
    machine = {"processor": platform.processor(), "cores": os.cpu_count(), "rows": ROWS}
    if options.json:
        print(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}))
        return
    print("layer       gates  wires  places threads  compile  10^9 gates/s   ms per image")
    for r in rows:
        print(
            f"{r.layer:9} {r.gates:7,} {r.slots:6,} {r.positions:7,} {r.threads:7}"
            f" {r.compile_ns_per_gate:5.0f} ns {r.giga_gates_per_s:13.1f} {r.ms_per_row:14.3f}"
        )


if __name__ == "__main__":
    main()
