"""A stream through a network: its ledgers from the reference, and the device that keeps states."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from revsim.errors import InputError
from revsim.ledger.ledgers import Ledgers, ledger_rows
from revsim.ledger.reference import joint_entropy
from revsim.ledger.stream_device import Step, StreamReport
from revsim.ledger.streams import Stream, conditional_entropy, drifting, stream_ledger
from revsim.network.network import Network
from revsim.network.reference import LayerValues
from revsim.schedule.stream import WAYS, compile_stream
from revsim.simulator.ensemble import Ensemble, data_set
from revsim.simulator.run import simulate

Bits = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


def check_stream(ensemble: Ensemble) -> None:
    """Refuse ensembles whose rows have no order, or too few of them."""
    if ensemble.enumerated or ensemble.weights is not None:
        why = "enumerates inputs" if ensemble.enumerated else "weighs its rows"
        raise InputError(
            f"a stream needs rows in order, one after the other; ensemble {ensemble.name!r} {why}, "
            "so no row follows another: give --data FILE with the rows as they come"
        )
    if len(ensemble.rows) < 2:
        raise InputError(
            f"a stream needs at least 2 rows, ensemble {ensemble.name!r} has {len(ensemble.rows)}"
        )


def neuron_names(network: Network) -> tuple[str, ...]:
    """Names of all neurons, layer by layer."""
    return tuple(f"{layer.name}[{j}]" for layer in network.layers for j in layer.neuron_columns)


def neuron_states(network: Network, reference: Sequence[LayerValues]) -> Bits:
    """One-bit states of all neurons, layer by layer: bool [rows, neurons]."""
    columns = [
        np.asarray(layer.active(values.y), dtype=np.bool_)
        for layer, values in zip(network.layers, reference, strict=True)
        if layer.neurons
    ]
    if not columns:
        raise InputError(f"network {network.name!r} has no neurons: there is no state to keep")
    return np.hstack(columns)


def stream_of(network: Network, rows: npt.NDArray[np.generic], states: Bits) -> Stream:
    """The ledgers of a stream: rows [rows, inputs] and states bool [rows, neurons], in order."""
    names = neuron_names(network)
    pairs = data_set(np.hstack([rows[:-1], rows[1:]]), name="consecutive pairs")
    moving = [names[k] for k in np.flatnonzero(drifting(states))]
    return stream_ledger(names, states[:-1], states[1:], pairs, moving)


def run_step(
    network: Network,
    way: str,
    before: Bits,
    rows: npt.NDArray[np.generic],
    after: Bits,
    y: npt.NDArray[np.generic],
    weights: Integers | None = None,
    executor: str | None = None,
    threads: int | None = None,
) -> Step:
    """Compile one step of a stream, run it on every pair (s(t-1), X(t)), and read its ledgers.

    before, after: states bool [pairs, neurons] at t-1 and t; rows: X(t), integers [pairs, inputs];
    y: the network's outputs at t, against which (with `after`) the device is checked.
    """
    circuit = compile_stream(network, way)
    seen: dict[str, list[Integers]] = {}

    def on_mark(name: str, element: int, values: Integers) -> None:
        seen.setdefault(name.rpartition(".")[2], []).append(values)

    ensemble = data_set(np.hstack([before, rows]).astype(np.int64), weights, "pairs")
    run = simulate(
        circuit, ensemble, executor=executor, on_mark=on_mark, threads=threads, strict=False
    )
    wrong = str(run.tally.violations[0]) if run.tally.violations else ""
    expected = np.hstack([after, y, rows]).astype(np.int64)
    different = np.argwhere(run.outputs != expected)
    if len(different) and not wrong:
        row, output = (int(v) for v in different[0])
        wrong = f"output {output} of the device differs from the reference in pair {row}"
    causes: dict[str, Ledgers] = {}
    for row_ in ledger_rows(run.tally):
        causes[row_.cause] = causes.get(row_.cause, Ledgers()) + row_.ledgers
    return Step(way, WAYS[way], causes, _given_next(way, seen, weights), wrong)


def _given_next(way: str, seen: dict[str, list[Integers]], weights: Integers | None) -> float:
    """Bits erased where each reset may look at its neuron's new value, from device registers."""
    if way == "reset":  # there is no new value yet
        return sum(joint_entropy(old[:, None], weights) for old in seen["old"])
    total = 0.0
    for j, new in enumerate(seen["state"]):
        known = new[:, None]
        if way == "known":
            total += conditional_entropy(seen["old"][j][:, None], known, weights)
        else:  # first what was swapped out, the flag still at hand, then the flag
            flag = seen["flag"][j][:, None]
            both = np.hstack([flag, known])
            total += conditional_entropy(seen["moved"][j][:, None], both, weights)
            total += conditional_entropy(flag, known, weights)
    return total


def stream_report(
    network: Network,
    ensemble: Ensemble,
    reference: Sequence[LayerValues],
    executor: str | None = None,
    threads: int | None = None,
) -> StreamReport:
    """The stream of an ensemble's rows in their order: ledgers, and all three ways in gates."""
    check_stream(ensemble)
    states = neuron_states(network, reference)
    stream = stream_of(network, ensemble.rows, states)
    y = reference[-1].y[1:]
    pairs = states[:-1], ensemble.rows[1:], states[1:], y
    steps = tuple(
        run_step(network, way, *pairs, executor=executor, threads=threads) for way in WAYS
    )
    return StreamReport(stream, steps, stream_digest(ensemble))


def stream_digest(ensemble: Ensemble) -> str:
    """sha256 of the rows in their order."""
    rows = np.ascontiguousarray(ensemble.rows, dtype=np.int64)
    return hashlib.sha256(rows.tobytes()).hexdigest()
