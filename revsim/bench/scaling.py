"""Whether cost grows linearly: gates, lanes and layers doubled four times each."""

import tracemalloc
from collections.abc import Callable

import numpy as np

from revsim.bench.goals import Asked
from revsim.bench.lists import adder_chain
from revsim.bench.rows import Found, at_most, figure, medians
from revsim.bench.runs import lanes_of, random_state
from revsim.circuit.definition import Definition
from revsim.circuit.program import gates_below
from revsim.network.arrays import from_arrays
from revsim.schedule.policy import compile_network
from revsim.simulator.code import NO_PORTS, compile_code, run_lanes
from revsim.simulator.ensemble import random_rows
from revsim.simulator.lanes import planes_of
from revsim.simulator.run import simulate

DOUBLINGS = 4
GOAL = 2.2
"""Most that twice the work may take, of time and of memory."""
GATES, LANES, LAYERS = 15_000, 4_096, 2
"""Where the doublings begin; gates end below what one program holds."""
SIZES = tuple(1 << k for k in range(DOUBLINGS + 1))


def doublings(asked: Asked) -> Found:
    """Goal 12: most of what any doubling multiplies time and memory by."""
    yield from _growth(
        "gates",
        [_built_and_run(adder_chain(GATES * times)) for times in SIZES],
        [f"{gates_below(adder_chain(GATES * times)):,}" for times in SIZES],
        "gates of 16-bit adders, definition to program to 512 lanes",
    )
    chain = adder_chain(GATES)
    yield from _growth(
        "lanes",
        [_on_lanes(chain, LANES * times) for times in SIZES],
        [f"{LANES * times:,}" for times in SIZES],
        f"lanes of {gates_below(chain):,} gates",
    )
    yield from _growth(
        "layers",
        [_layers(LAYERS * times) for times in SIZES],
        [f"{LAYERS * times}" for times in SIZES],
        "dense layers of 16 neurons, each with weights of its own, compiled (uncompute, input "
        "destroyed) and simulated on 512 rows, tallies included",
    )


def _growth(name: str, calls: list[Callable[[], object]], sizes: list[str], what: str) -> Found:
    """Two rows: time and memory of calls, each with twice the work of the one before."""
    seconds = np.array(medians(*calls, budget_s=3.0))
    peaks = np.array([_peak_bytes(call) for call in calls], dtype=np.float64)
    for measure, values, unit in (
        ("time", seconds * 1e3, "ms"),
        ("memory", peaks / (1 << 20), "MiB at the peak, of arrays and objects"),
    ):
        factors = values[1:] / values[:-1]
        listed = ", ".join(
            f"{size}: {figure(value)}" for size, value in zip(sizes, values, strict=True)
        )
        times = ", ".join(f"{factor:.2f}" for factor in factors)
        yield at_most(
            f"12.{name}_{measure}",
            GOAL,
            f"times the {measure} for twice the {name}",
            float(factors.max()),
            f"{what}; {unit}: {listed}; times {times}",
        )


def _peak_bytes(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _built_and_run(definition: Definition) -> Callable[[], object]:
    state = random_state(definition.port_wires, 8)
    wires = np.arange(definition.port_wires, dtype=np.int32)[None]
    planes = planes_of(None, 512, 8)
    none = np.zeros((0, 1), dtype=np.int64), np.zeros((0, 1, 3), dtype=np.int64)

    def call() -> None:
        code = compile_code(definition, False)
        run_lanes(code, state, wires, NO_PORTS, 0, 8, planes, *none, np.zeros(8, np.uint8))

    return call


def _on_lanes(definition: Definition, lanes: int) -> Callable[[], object]:
    def call() -> None:
        state = np.zeros((definition.port_wires, lanes // 64), dtype=np.uint64)
        lanes_of(definition, lanes // 64, state=state)()

    return call


def _layers(count: int) -> Callable[[], object]:
    stream = np.random.default_rng(count)
    network = from_arrays(
        list(stream.integers(-7, 8, (count, 16, 16))),
        shifts=[5] * count,
        input_range=(0, 15),
        activation_range=(0, 15),
        name=f"{count} layers",
    )
    rows = random_rows(network.input_low, network.input_high, 512, seed=0)

    def call() -> None:
        simulate(compile_network(network, "uncompute", "destroy"), rows, threads=1)

    return call
