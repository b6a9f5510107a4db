"""From definitions to programs: how fast, and on how few slots."""

from collections.abc import Iterable
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from revsim.bench.goals import Asked
from revsim.bench.lists import adder_chain, random_list
from revsim.bench.rows import Found, at_least, at_most, figure, medians
from revsim.blocks.add import add_in_place
from revsim.blocks.block import define
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Port
from revsim.circuit.gates import EXTRA, MCX, OP, A, C
from revsim.circuit.program import compile_program, flatten, gates_below
from revsim.circuit.registers import Encoding
from revsim.lower.linear import InputBits, linear_definition, weighted_sum
from revsim.network.sums import Terms
from revsim.simulator.code import compile_code

BYTE = Encoding.unsigned(-128, 127)
TAPS = 144
ADDERS = 430


@cache
def neuron(taps: int, seed: int = 0) -> Definition:
    """A weighted sum of `taps` 8-bit inputs with random int8 weights, as the compiler emits it:
    columns forward, copied out, columns backward."""
    weights = np.random.default_rng(seed).integers(-127, 128, taps)
    used = np.flatnonzero(weights)
    z = Encoding.twos_complement(int(np.log2(taps)) + 17)
    total = weighted_sum(Terms(used, weights[used], 7), InputBits.of([BYTE] * taps), z)
    return linear_definition(total, f"neuron of {taps} inputs")


@cache
def called_adders(count: int, width: int = 16) -> Definition:
    """As many calls of one adder, whose carry is a local wire: one definition, many places."""
    adder = define("adder", add_in_place, Port("x", width), Port("y", width))
    b = Builder(f"{count:,} calls of an adder")
    x, y = b.port("x", width), b.port("y", width)
    for k in range(count):
        b.call(adder, *((x, y) if k % 2 else (y, x)))
    return b.build()


def built(asked: Asked) -> Found:
    """Goal 10: gates a second from a definition to what a kernel runs; slots and their peak."""
    shapes = {
        "a list of adders": adder_chain(40_000),
        "a random list on 1,024 wires": random_list(1024, 40_000),
        f"{ADDERS:,} calls of an adder": called_adders(ADDERS),
        f"columns of a neuron of {TAPS} inputs": neuron(TAPS),
    }
    gates = np.array([gates_below(definition) for definition in shapes.values()])
    every = [
        partial(function, definition, False)
        for function in (compile_code, compile_program)
        for definition in shapes.values()
    ]
    seconds = np.array(medians(*every, budget_s=3.0)).reshape(2, -1)
    rates, slots_ns = gates / seconds[0], 1e9 * seconds[1] / gates
    yield at_least(
        "10.build", 1e8, "gates/s from a definition to its program", float(rates.min()),
        f"slots allocated and everything encoded, least of: {_listed(shapes, rates)}",
    )  # fmt: skip
    yield at_most(
        "10.slots_time", 20, "ns a gate", float(slots_ns.max()),
        f"the walk over all calls and the writing of gates on slots, most of: "
        f"{_listed(shapes, slots_ns)}; the rest of the time above is the executor's own form",
    )  # fmt: skip
    peaks = np.array([
        compile_program(definition).slots / peak_of_live_wires(definition)
        for definition in shapes.values()
    ])  # fmt: skip
    yield at_most(
        "10.slots_peak", 1.1, "times the peak of live wires", float(peaks.max()),
        f"slots of a program over the most wires between first and last use at once, most of: "
        f"{_listed(shapes, peaks)}",
    )  # fmt: skip


def _listed(names: Iterable[str], values: npt.NDArray[np.float64]) -> str:
    return "; ".join(f"{name} {figure(value)}" for name, value in zip(names, values, strict=True))


def peak_of_live_wires(definition: Definition) -> int:
    """Most wires in use at once: ports always, others from their first gate to their last.

    >>> peak_of_live_wires(called_adders(3))
    33
    """
    flat = flatten(definition)
    gates, columns = np.nonzero(flat.table[:, A : C + 1] >= 0)
    wires = flat.table[gates, A + columns]
    listed = np.flatnonzero(flat.table[:, OP] == MCX)
    for gate in listed.tolist():
        controls = np.array([w for w, _ in flat.controls[flat.table[gate, EXTRA]]], np.int32)
        gates, wires = np.append(gates, np.full(len(controls), gate)), np.append(wires, controls)
    first = np.full(flat.wires, len(flat.table), dtype=np.int64)
    last = np.full(flat.wires, -1, dtype=np.int64)
    np.minimum.at(first, wires, gates)
    np.maximum.at(last, wires, gates)
    local = np.arange(flat.wires) >= definition.port_wires
    used = local & (last >= 0)
    change = np.zeros(len(flat.table) + 1, dtype=np.int64)
    np.add.at(change, first[used], 1)
    np.add.at(change, last[used] + 1, -1)
    return definition.port_wires + int(np.cumsum(change).max(initial=0))
