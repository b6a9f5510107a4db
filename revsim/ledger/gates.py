"""Gate by gate: the gate-local ledger A4 and theorem T3, exactly, for small logic networks.

A gate run as a process of its own throws away H(in) - H(out) (Wolpert and Kolchinsky, arXiv
1806.04103). Two conventions for fan-out:

    free    a signal may be read any number of times, and nothing is charged for one never read
            (what the package `landauer` counts)
    copied  each reader has a private copy, a CNOT onto a known 0, which loses nothing and without
            which "the rest of the circuit" is not defined; a signal that nobody reads is reset

The gates cost the same in both; resets of signals never read are the difference.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.circuit.logic import KINDS, NONE, Logic
from revsim.simulator.lanes import Words, planes_of, unpack
from revsim.simulator.logic import gate_cells, run_logic
from revsim.simulator.statistics import (
    DIRECT_BITS,
    HASH_SEED,
    spectrum_of_keys,
    spectrum_of_wires,
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GateEntropies:
    """Entropies in bits, float64 [gates] each: of a gate's inputs, of its output, and of the output
    with one forwarded input beside it (a partly reversible gate)."""

    inputs: Floats
    output: Floats
    with_first: Floats
    with_second: Floats

    @property
    def loss(self) -> Floats:
        """H(in) - H(out)."""
        return self.inputs - self.output


def _outputs() -> npt.NDArray[np.bool_]:
    """Output of each kind of gate on each pattern 4c + 2b + a: bool [kinds, 8]."""
    a, b, c = (np.arange(8) >> k & 1 == 1 for k in range(3))
    return np.stack([a & b, (a ^ b) & ~c, (a & b) | (a & c) | (b & c)])


def entropies_of_cells(cells: Integers, kinds: npt.NDArray[np.int32]) -> GateEntropies:
    """Entropies of gates of these kinds from the weights of their input patterns [gates, 8]."""
    total = max(int(cells[0].sum()), 1) if len(cells) else 1
    out = _outputs()[kinds]
    a, b = (np.arange(8) >> k & 1 == 1 for k in range(2))
    on, off = cells * out, cells * ~out
    split = [
        np.stack(
            [part[:, where].sum(axis=1) for part in (on, off) for where in (bit, ~bit)], axis=1
        )
        for bit in (a, b)
    ]
    output = np.stack([on.sum(axis=1), off.sum(axis=1)], axis=1)
    return GateEntropies(*(_entropy(found / total) for found in (cells, output, *split)))


def _entropy(p: Floats) -> Floats:
    """Entropy of each row of probabilities."""
    logs = np.log2(p, out=np.zeros_like(p), where=p > 0)
    return np.asarray(-(p * logs).sum(axis=1) + 0.0)


def gate_entropies(
    logic: Logic, inputs: Words, rows: int, weights: Integers | None = None
) -> GateEntropies:
    """Entropies of every gate, from the inputs uint64 [inputs, words] of `rows` rows.

    >>> from revsim.circuit.logic import adder
    >>> from revsim.simulator.logic import all_inputs
    >>> gate_entropies(adder(1), all_inputs(2), 4).loss.round(6).tolist()
    [1.0, 1.188722]
    """
    planes = planes_of(weights, rows, inputs.shape[1])
    return entropies_of_cells(
        gate_cells(logic, run_logic(logic, inputs), planes), logic.gates[:, 0]
    )


@dataclass(frozen=True)
class Step:
    """One gate, or the reset of a signal that nobody reads, with private copies of its inputs.

    `local` = H(in) - H(out); `before` = I(in; rest), `after` = I(out; rest), in bits; `rest` is
    everything else that is still needed. T3: local minus what is really lost = before - after >= 0.
    """

    name: str
    local: float
    before: float
    after: float

    @property
    def bracket(self) -> float:
        """I(in; rest) - I(out; rest): what this step charges above its part of H(X) - H(Y)."""
        return self.before - self.after


@dataclass(frozen=True)
class CircuitLoss:
    """T3 of one network: `free` and `copied` are gate_local (A4) under the two conventions,
    `copies` how many CNOTs the second needs, `map_loss` = H(X) - H(Y) (A3), all in bits."""

    steps: tuple[Step, ...]
    free: float
    copied: float
    copies: int
    map_loss: float

    @property
    def residual(self) -> float:
        """How far A4 - A3 is from the sum of the brackets, or a bracket below 0."""
        brackets = [step.bracket for step in self.steps]
        return max(abs(self.copied - self.map_loss - sum(brackets)), *(-b for b in brackets), 0.0)


def circuit_loss(
    logic: Logic, inputs: Words, rows: int, weights: Integers | None = None
) -> CircuitLoss:
    """T3, gate by gate: A4 - A3 = sum of I(in; rest) - I(out; rest), each from joint entropies of
    all signals that are needed. Time grows as gates x rows, about 0.2 ms a gate at least.

    >>> from revsim.circuit.logic import adder
    >>> from revsim.simulator.logic import all_inputs
    >>> found = circuit_loss(adder(1), all_inputs(2), 4)
    >>> round(found.copied, 6), found.map_loss, [round(s.bracket, 6) for s in found.steps]
    (2.188722, 0.5, [1.0, 0.688722])
    """
    state = run_logic(logic, inputs)
    last = np.full(logic.signals, -1)
    for k, row in enumerate(logic.gates[:, 1:].tolist()):
        for signal in _signals(row):
            last[signal] = k
    ends = _signals(logic.outputs)
    last[sorted(ends)] = len(logic.gates)

    # Sets of many signals follow each other gate by gate: their 128-bit XOR hash per row, as in the
    # simulator, is kept up by the few signals that come and go.
    keys = np.random.default_rng(HASH_SEED).integers(0, 1 << 64, (logic.signals, 2), np.uint64)
    held: set[int] = set()
    hashes = np.zeros((rows, 2), dtype=np.uint64)

    def entropy(signals: set[int]) -> float:
        nonlocal held, hashes
        if len(signals) <= DIRECT_BITS:
            wires = np.array(sorted(signals), dtype=np.int32)
            return spectrum_of_wires(state, wires, rows, weights).entropy
        for signal in held ^ signals:
            hashes = hashes ^ unpack(state[signal], rows)[:, None] * keys[signal]
        held = signals
        return spectrum_of_keys(hashes, weights).entropy

    live = set(range(logic.inputs))
    start = content = entropy(live)
    steps: list[Step] = []
    free = 0.0

    def step(name: str, at: int, consumed: set[int], made: set[int]) -> None:
        nonlocal live, content
        kept = live - {s for s in consumed if last[s] <= at}
        live = kept | made
        into, outof, rest, left = entropy(consumed), entropy(made), entropy(kept), entropy(live)
        steps.append(Step(name, into - outof, into + rest - content, outof + rest - left))
        content = left

    for signal in np.flatnonzero(last[: logic.inputs] < 0).tolist():
        step("reset", -1, {signal}, set())
    for k, (kind, *literals) in enumerate(logic.gates.tolist()):
        made = logic.inputs + k
        step(KINDS[kind], k, _signals(literals), {made})
        free += steps[-1].local
        if last[made] < 0:
            step("reset", k, {made}, set())
    return CircuitLoss(
        tuple(steps),
        free,
        sum(s.local for s in steps),
        int(np.maximum(logic.readers - 1, 0).sum()),
        start - entropy(ends),
    )


def _signals(literals: tuple[int, ...] | list[int]) -> set[int]:
    return {~p if p < 0 else p for p in literals if p not in (NONE, ~NONE)}
