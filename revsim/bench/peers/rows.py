"""Goals 3 to 6: the rows of every peer."""

from dataclasses import replace
from functools import cache

import numpy as np

from revsim.bench.goals import Asked
from revsim.bench.lists import adder_chain, linear_list, multiply_accumulate, random_list
from revsim.bench.peers import abc, compiled, logic, quantum
from revsim.bench.peers.compare import (
    Case,
    against,
    attempt,
    described,
    passes_of,
    point,
    table_of,
)
from revsim.bench.peers.ready import Absent, Ready, ours, work_s
from revsim.bench.peers.turns import side_by_side
from revsim.bench.rows import Found, Row, at_least, missing
from revsim.bench.runs import random_state
from revsim.circuit.definition import Definition, Gates
from revsim.circuit.program import LEAF_GATES
from revsim.errors import CheckError
from revsim.simulator import fast
from revsim.simulator.counters import Counters
from revsim.simulator.lanes import Words, planes_of

GATES, SAMPLE_GATES = 10_000, 20_000
"""Gates of most lists, and of the adders on one sample: so many that the gates are what is timed
and not the call."""
ONE = np.uint64(1)

# --- 3: Stim --------------------------------------------------------------------------------------

LINEAR = ((64, 10_000), (1_024, 100_000), (16_384, 1_000_000))
"""Wires and gates of the linear lists."""
STIM_GOALS = {1: 12.0, 8: 8.0, 64: 3.5, 1_024: 3.5}
"""Times Stim's rate at so many words of lanes; at one word up to 1,024 wires."""
MEAN_FROM, MEAN_GOAL = 64, 5.0
MEAN_OF = "geometric mean of the six rows at 4,096 and 65,536 lanes; these say what bounds them"


def stim(asked: Asked) -> Found:
    """Goal 3: NOT/CNOT lists against Stim's frames."""
    ratios = []
    for wires, gates in LINEAR:
        definition = linear_list(wires, gates)
        for words, goal in STIM_GOALS.items():
            case = Case(
                f"3.wires_{wires}_lanes_{64 * words}",
                None if words == 1 and wires > 1_024 else goal,
                "Stim's FlipSimulator", definition, 64 * words,
                passes_of(definition) if words <= 8 else 1,
            )  # fmt: skip
            made = _frames(case)
            for found in against(case, made):
                yield found
                if isinstance(found, Row) and words >= MEAN_FROM and found.reached:
                    ratios.append(found.reached)
            if words <= 8 and gates <= LEAF_GATES:
                fused = replace(case, id=f"{case.id}_fused", goal=None, executor="fused")
                yield from against(fused, made)
    of = "times the rate of Stim's FlipSimulator"
    if len(ratios) < 2 * len(LINEAR):
        yield missing("3.mean", f"at least {MEAN_GOAL:g} {of}", "needs stim", "Stim")
        return
    mean = float(np.exp(np.mean(np.log(ratios))))
    yield at_least("3.mean", MEAN_GOAL, of, mean, MEAN_OF)


def _frames(case: Case) -> Ready | Absent:
    """Stim, with what NOTs add put back into the bits."""
    definition, passes = case.definition, case.passes
    wires = definition.port_wires
    made = attempt(quantum.stim, table_of(definition), wires, case.words, passes)
    if isinstance(made, Absent):
        return made
    zeros = np.zeros((wires, 1), dtype=np.uint64)
    return replace(made, out=made.out ^ ours(definition, zeros, passes).out)


# --- 4, 5: compilers ------------------------------------------------------------------------------


def verilator(asked: Asked) -> Found:
    """Goal 4: structured lists against Verilator."""
    chain, layer = adder_chain(GATES), multiply_accumulate(16, 4)
    modules = {
        id(d): attempt(compiled.verilator, table_of(d), d.port_wires) for d in (chain, layer)
    }
    for name, goal, definition, words, executor in (
        ("literal_adders_lanes_4096", 3.5, chain, 64, "literal"),
        ("literal_mac_lanes_4096", 3.5, layer, 64, "literal"),
        ("literal_mac_lanes_64", None, layer, 1, "literal"),
        ("fused_mac_lanes_64", 2.5, layer, 1, "fused"),
        ("fused_mac_lanes_512", 18.0, layer, 8, "fused"),
        ("fused_adders_lanes_512", None, chain, 8, "fused"),
    ):
        passes = passes_of(definition) if words <= 8 else 1
        case = Case(
            f"4.{name}", goal, "Verilator", definition, 64 * words, passes, executor,
            equivalent=True,
        )  # fmt: skip
        yield from against(case, _started(modules[id(definition)], case))
    yield _build_and_run(chain, modules[id(chain)])


def _started(module: compiled.Compiled | Absent, case: Case) -> Ready | Absent:
    if isinstance(module, Absent):
        return module
    return module.ready(random_state(case.definition.port_wires, case.words), case.passes)


def _build_and_run(definition: Definition, module: compiled.Compiled | Absent) -> Row:
    """From a gate table to 64 lanes of results, once."""
    case = Case("4.build_and_run", 10_000.0, "Verilator", definition, 64, equivalent=True)
    if isinstance(module, Absent):
        return case.missing(module)
    start = random_state(definition.port_wires, 1)
    theirs = module.ready(start)
    (once,) = side_by_side(theirs.run)
    state = start.copy()
    wires = np.arange(definition.port_wires, dtype=np.int32)
    table = table_of(definition)

    def build_and_run() -> None:
        anew = Definition(definition.name, definition.ports, 0, (Gates(table),))
        fast.run(anew, state, wires, Counters(planes_of(None, 64)), keep=False)

    (own,) = side_by_side(build_and_run)
    other = theirs.build_s + once
    detail = (
        f"{definition.name} on {definition.port_wires} wires, from gate table to 64 lanes of "
        f"results, once: {own * 1e3:.3g} ms against {other:.3g} s, kernels compiled before"
    )
    return case.row(other / own, detail, theirs.peer)


def gcc(asked: Asked) -> Found:
    """Goal 5: fused against straight-line code of a compiler."""
    layer, chain = multiply_accumulate(16, 4), adder_chain(GATES)
    for name, goal, definition, executor in (
        ("fused_mac", 1.8, layer, "fused"),
        ("literal_mac", None, layer, "literal"),
        ("fused_adders", None, chain, "fused"),
    ):
        case = Case(
            f"5.{name}", goal, "gcc's code", definition, 512, passes_of(definition), executor,
            equivalent=True,
        )  # fmt: skip
        yield from against(case, _started(_gcc(definition), case))


@cache
def _gcc(definition: Definition) -> compiled.Compiled | Absent:
    return attempt(compiled.gcc, table_of(definition), definition.port_wires)


# --- 6: the rest ----------------------------------------------------------------------------------

PYTHON_ROWS = {512: 300.0, 4_096: 70.0, 65_536: 7.0}
"""Times NumPy's rate at so many lanes."""


def others(asked: Asked) -> Found:
    """Goal 6: simulators of one sample, of wide integers, of networks, and NumPy rows."""
    chain, drawn = adder_chain(GATES), random_list(1_024, GATES)
    long = adder_chain(SAMPLE_GATES)
    for name, goal, definition in (("adders", 10_000.0, long), ("random", None, drawn)):
        yield from _one_sample(f"6.cirq_{name}", goal, "cirq", definition)
    yield from _one_sample("6.qualtran_adders", 20_000.0, "qualtran", long)
    case = Case("6.pyrtl_adders", 30.0, "pyrtl's FastSimulation", chain, 4_096)
    start = random_state(chain.port_wires, case.words)
    made = attempt(logic.pyrtl, table_of(chain), chain.port_wires, start)
    yield from against(case, made)
    for name, definition in (("adders", chain), ("random", drawn)):
        yield from _abc(f"6.abc_{name}", definition)
    for lanes, goal in PYTHON_ROWS.items():
        passes = passes_of(chain) if lanes <= 512 else 1
        case = Case(f"6.numpy_lanes_{lanes}", goal, "NumPy rows", chain, lanes, passes)
        start = random_state(chain.port_wires, case.words)
        yield from against(case, logic.numpy_rows(table_of(chain), start, passes))
    case = Case("6.readable", None, "our executor numpy", chain, 4_096)
    yield from against(case, logic.readable(chain, random_state(chain.port_wires, case.words)))
    small = random_list(12, GATES)
    case = Case(
        "6.aigverse", None, "aigverse", small, 4_096, equivalent=True,
        note="all inputs, as truth tables of an AIG with equal nodes shared",
    )  # fmt: skip
    yield from against(case, attempt(logic.aigverse, table_of(small), 12))


def _one_sample(id: str, goal: float | None, peer: str, definition: Definition) -> Found:
    """Bits in to bits out of a ready circuit; making it ready is not timed."""
    case = Case(id, goal, peer, definition, 1, note="bits in to bits out of a ready circuit")
    wires = definition.port_wires
    start = random_state(wires, 1) & ONE
    make = {"cirq": quantum.cirq, "qualtran": quantum.qualtran}
    made = attempt(make[peer], table_of(definition), wires, start)
    yield from against(case, made, _sample(definition, start))


def _sample(definition: Definition, start: Words) -> Ready:
    """Ours for one sample: bits written into a state, the run, bits read from it."""
    bits = start[:, 0].astype(np.uint8)
    every = np.arange(len(bits), dtype=np.int32)
    planes = planes_of(None, 1)

    def run() -> Words:
        state = np.zeros((len(bits), 1), dtype=np.uint64)
        state[:, 0] = bits
        fast.run(definition, state, every, Counters(planes))
        return state & ONE

    return Ready("revsim, literal", 0.0, run, start, run())


def _abc(id: str, definition: Definition) -> Found:
    """ABC in processes of its own: two that differ by frames; one lane's bits compared."""
    case = Case(
        id, 12.0, "ABC's &sim", definition, 32 * abc.WORDS, equivalent=True,
        note="state fed back from frame to frame, equal nodes shared",
    )  # fmt: skip
    wires, table = definition.port_wires, table_of(definition)
    start = random_state(wires, case.words)
    mine = ours(definition, start)
    before, after = ((words[:, 0] & ONE).astype(np.bool_) for words in (start, mine.out))
    try:
        started = work_s()
        text = abc.aiger(table, wires, before)
        build_s = work_s() - started
        if not abc.same_bits(table, wires, before, after):
            raise CheckError(f"ABC and revsim disagree about {definition.name}")
        with abc.simulator(text) as (peer, simulate):
            one, many = side_by_side(
                lambda: simulate(1), lambda: simulate(1 + abc.FRAMES), clock=work_s
            )
    except Absent as why:
        yield case.missing(why)
        return
    (own,) = side_by_side(mine.run)
    other = (many - one) / abc.FRAMES
    detail = described(case, own, other, build_s) + "; same bits out of the first lane"
    yield case.row(other / own, detail, peer)
    yield point(case, other, peer)
