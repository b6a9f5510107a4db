"""What a report holds beside its ledgers: checks of the circuit, flat tables, provenance."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import revsim
from revsim.circuit.banks import TensorCircuit
from revsim.circuit.definition import Circuit
from revsim.circuit.logic import logic_of
from revsim.circuit.measures import circuit_counts
from revsim.circuit.validate import linear_layers
from revsim.errors import InputError
from revsim.ledger.gates import CircuitLoss, circuit_loss
from revsim.ledger.identities import tuned_elsewhere
from revsim.ledger.ledgers import Ledgers, of_bank, of_erasure, of_inner, of_positions
from revsim.ledger.mismatch import mismatch
from revsim.ledger.reference import Neurons
from revsim.network.arrays import integers as whole_rows
from revsim.network.bundled import BUNDLED
from revsim.network.network import Network
from revsim.network.operators import parameters
from revsim.network.reference import LayerValues
from revsim.physics.landauer import CROSSING
from revsim.report.report import Check, RunReport, Table, neuron_columns
from revsim.simulator.apply import reversible_both_ways
from revsim.simulator.ensemble import Ensemble
from revsim.simulator.lanes import padded_words, write
from revsim.simulator.run import Run, simulate
from revsim.simulator.tally import Tally

INVERSE_STATES = 512
CIRCUIT_LOSS_WORK = 1 << 20
"""Most gates times rows for which theorem T3 is evaluated on a report (about two seconds)."""


def circuit_checks(
    circuit: Circuit, run: Run, extra: Run, wrong: Sequence[str]
) -> tuple[Check, ...]:
    """The five circuit checks. `extra` is the run on directed inputs, `wrong` lists differences
    from the reference."""
    broken = [*run.tally.violations, *extra.tally.violations]
    dirty = [str(v) for v in broken if v.check == "ancillas"]
    roles = [str(v) for v in broken if v.check == "roles"]
    rows = f"{len(run.ensemble.rows):,} rows, {len(extra.ensemble.rows)} directed inputs"
    return (
        circuit_check("outputs", wrong, f"readable tensors equal the reference on {rows}"),
        circuit_check("ancillas", dirty, f"all wires released at 0 on {rows}"),
        *_linear_checks(circuit),
        circuit_check("roles", roles, f"computes and uncomputes as promised on {rows}"),
    )


def circuit_loss_of(circuit: Circuit, ensemble: Ensemble) -> CircuitLoss | None:
    """Theorem T3 of a small circuit of netlists, gate by gate; None for others and large ones."""
    work = circuit_counts(circuit).gates * len(ensemble.rows)
    if circuit.policy != "conventional" or work > CIRCUIT_LOSS_WORK:
        return None
    words = padded_words(len(ensemble.rows))
    state = np.zeros((circuit.width, words), dtype=np.uint64)
    for k, register in enumerate(circuit.inputs):
        write(state, register.wires, register.encoding.encode(ensemble.rows[:, k]))
    given = np.concatenate([register.wires for register in circuit.inputs])
    return circuit_loss(logic_of(circuit), state[given], len(ensemble.rows), ensemble.weights)


def tuned_report(
    report: RunReport,
    circuit: Circuit,
    ensemble: Ensemble,
    tuned_to: Ensemble,
    pseudocount: float,
    executor: str | None,
    threads: int | None,
) -> RunReport:
    """A report with what resets and gates pay that are tuned to another ensemble (A5)."""
    met, tuned = (
        simulate(circuit, rows, executor=executor, threads=threads, strict=False, values=True).tally
        for rows in (ensemble, tuned_to)
    )
    found = mismatch(met, tuned, ensemble.name, tuned_to.name, pseudocount)
    held = tuned_elsewhere(found, report.rows)
    others = tuple(held if i.id == held.id else i for i in report.identities)
    return replace(report, mismatched=found, identities=others)


def circuit_check(name: str, failures: Sequence[str], otherwise: str) -> Check:
    """A check that holds where nothing failed; else its detail is the first failure."""
    return Check(name, not failures, failures[0] if failures else otherwise)


def _linear_checks(circuit: Circuit) -> tuple[Check, Check]:
    definitions = list({id(d): d for layer in circuit.layers for d in layer.linear}.values())
    if not definitions:
        why = "does not apply: no linear definitions (netlists erase inside their layers)"
        return Check("linear_layers", None, why), Check("inverse", None, why)
    erasing = [f"ERASE inside {name}" for name in linear_layers(circuit)]
    one_way = [
        f"{d.name} is not undone by its inverse" for d in definitions if not reversible_both_ways(d)
    ]
    count = f"{len(definitions)} definitions"
    return (
        circuit_check("linear_layers", erasing, f"no ERASE in {count}"),
        circuit_check("inverse", one_way, f"{count} undone on {INVERSE_STATES} random states"),
    )


def erasures_of(circuit: Circuit, tally: Tally) -> list[tuple[Any, ...]]:
    """Rows of the erasures table for one run; the resets inside a netlist make one row each."""
    where = (circuit.policy, circuit.input_choice)
    out: list[tuple[Any, ...]] = []
    for inner in tally.inner:
        figures = _figures(of_inner(inner, tally.total))
        out.append((*where, inner.layer, inner.cause, inner.definition, inner.definition, *figures))
    for e in tally.erasures:
        figures = _figures(of_erasure(e, tally.total))
        out.append((*where, e.layer, e.cause, e.register, e.value_of, *figures))
    return out


def bank_erasures(circuit: TensorCircuit, tally: Tally, device: str) -> list[tuple[Any, ...]]:
    """The same for a circuit of tensors: one row per ERASE of a bank, one per layer of netlists."""
    where = (circuit.policy, circuit.input_choice)
    out: list[tuple[Any, ...]] = []
    for inner in tally.positions:
        figures = _figures(of_positions(inner, tally.total, device))
        out.append(
            (*where, inner.layer, inner.cause, inner.layer, inner.layer, *figures, inner.erased)
        )
    for e in tally.banks:
        figures = _figures(of_bank(e, tally.total, device))
        out.append((*where, e.layer, e.cause, e.bank, e.value_of, *figures, len(e.ones)))
    return out


def _figures(ledgers: Ledgers) -> tuple[float, ...]:
    return (
        int(ledgers.reset_count),
        ledgers.per_bit,
        ledgers.per_register,
        ledgers.ones_flipped,
    )


def neuron_table(neurons: Sequence[Neurons]) -> Table:
    """The neurons table: activity, 2p(1-p), entropies in bits, whether p > p*."""
    rows = []
    for layer in neurons:
        for i, p in enumerate(layer.activity.tolist()):
            entropies = float(layer.state_entropy[i]), float(layer.value_entropy[i])
            where = layer.layer, int(layer.columns[i])
            rows.append((*where, p, 2 * p * (1 - p), *entropies, p > CROSSING))
    return Table(neuron_columns(), tuple(rows))


def describe_network(network: Network) -> dict[str, Any]:
    """A network in plain values."""
    return {
        "name": network.name,
        "inputs": network.inputs,
        "outputs": network.outputs,
        "layers": [
            {"name": x.name, "kind": x.kind, "macs": x.macs, "neurons": x.neurons}
            for x in network.layers
        ],
        "macs": network.macs,
        "source": network.source,
        "licence": network.licence,
    }


def accuracy_of(
    network: Network,
    reference: Sequence[LayerValues],
    labels: npt.ArrayLike | None,
    test: npt.NDArray[Any] | None,
) -> dict[str, Any] | None:
    """Share of rows whose class is the label, and of the `test` rows among them; None without.

    Raises InputError for labels of another shape or outside the classes.
    """
    if labels is None or not network.classifies:
        return None
    given = whole_rows(labels, "labels", 1)
    predicted = reference[-1].y[:, 0]
    return shares_right(predicted, given, int(network.layers[-1].output_high[0]) + 1, test)


def shares_right(
    predicted: npt.NDArray[Any],
    given: npt.NDArray[Any],
    classes: int,
    test: npt.NDArray[Any] | None = None,
) -> dict[str, Any]:
    """Share of rows whose predicted class is the given label, and of the `test` rows among them.

    Raises InputError for labels of another shape or outside 0..classes-1.
    """
    if given.shape != predicted.shape:
        raise InputError(f"labels: shape {given.shape}; expected [{len(predicted)}]")
    bad = np.flatnonzero((given < 0) | (given >= classes))
    if len(bad):
        raise InputError(
            f"labels: row {bad[0]} is {given[bad[0]]}; the network tells classes 0..{classes - 1}"
        )
    right = predicted == given
    out: dict[str, Any] = {
        "rows": len(right),
        "right": int(right.sum()),
        "share": float(right.mean()),
    }
    if test is not None:
        out["held_out"] = {
            "rows": len(test),
            "right": int(right[test].sum()),
            "share": float(right[test].mean()),
        }
    return out


def model_digest(network: Network) -> str:
    """sha256 of a network's ranges and operators."""
    model = hashlib.sha256()
    model.update(network.input_low.tobytes() + network.input_high.tobytes())
    for operator in network.operators:
        model.update(parameters(operator))
    if network.state:
        model.update(repr((network.state, network.initial)).encode())
    return model.hexdigest()


def data_digest(ensemble: Ensemble) -> str:
    """sha256 of the sorted rows with their weights: an ensemble has no order."""
    rows = np.ascontiguousarray(ensemble.rows, dtype=np.int64)
    if ensemble.weights is not None:
        rows = np.column_stack([rows, ensemble.weights])
    if not ensemble.enumerated:
        rows = rows[np.lexsort(rows.T[::-1])]
    return hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()


def versions() -> dict[str, str]:
    """Of revsim and of what it computes with."""
    return {
        "revsim": revsim.__version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in ("numpy", "numba")},
    }


def _version(package: str) -> str:
    """Installed version of a package, "absent" without it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def command_of(
    model: object, ensemble: Ensemble | None, options: Mapping[str, object]
) -> list[str]:
    """The command line that makes the same report, for one made in Python.

    Empty where none does: networks and rows that are only in memory. Digests tell whether a name
    says the truth.

    >>> command_of("xor", None, {"temperature": 1.0, "input": None, "switching": True})
    ['revsim', 'verify', 'xor', '--temperature', '1.0', '--switching', '--json']
    """
    name = model.name if isinstance(model, Network) else str(model)
    if not isinstance(model, str | Path) and name not in BUNDLED:
        return []
    words = ["revsim", "verify", name]
    if ensemble is not None:
        if ensemble.name.partition(":")[0] not in ("uniform", "product", "random"):
            return []
        words += ["--ensemble", ensemble.name]
        words += [] if ensemble.seed is None else ["--seed", str(ensemble.seed)]
    for option, value in options.items():
        if value is True:  # a switch
            words.append(f"--{option}")
        elif value is not None and value is not False:
            words += [f"--{option}", str(value)]
    return [*words, "--json"]
