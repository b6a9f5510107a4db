"""`Report`: everything that `verify` found, as frozen values, JSON and flat tables."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from revsim.circuit.measures import Counts
from revsim.errors import missing
from revsim.files import write_whole
from revsim.ledger.comparison import Activity, Comparison
from revsim.ledger.gates import CircuitLoss
from revsim.ledger.identities import Identity
from revsim.ledger.ledgers import LADDER, SCOPES, LedgerRow, Ledgers, total_of
from revsim.ledger.mismatch import Mismatch
from revsim.ledger.pointwise import Spread
from revsim.ledger.population import Population
from revsim.ledger.reference import LayerEntropies
from revsim.ledger.stream_device import StreamReport
from revsim.ledger.verdicts import Condition, in_words
from revsim.physics.cooling import WALL_K, wall_energy
from revsim.physics.landauer import in_unit, negentropy_j_per_k
from revsim.simulator.executors import Evaluated

SCHEMA = "revsim verify 1"


@dataclass(frozen=True)
class Check:
    """A circuit check: `holds` None where it does not apply."""

    id: str
    holds: bool | None
    detail: str


@dataclass(frozen=True)
class RunReport:
    """One policy with one input choice on the whole ensemble.

    `switching`: expected flips of all wires per inference, by layer; `pointwise`: bits thrown away
    of single rows; `circuit_loss`: theorem T3 of a small netlist; `mismatched`: what a device tuned
    to another ensemble pays. None where not asked for or not applicable.
    """

    policy: str
    input: str
    order: str
    kept: str
    circuit_checks: tuple[Check, ...]
    identities: tuple[Identity, ...]
    comparison: tuple[Comparison, ...]
    rows: tuple[LedgerRow, ...]
    gates: Mapping[str, Counts]
    width: int
    evaluated: Evaluated
    switching: Mapping[str, float] | None = None
    pointwise: Spread | None = None
    circuit_loss: CircuitLoss | None = None
    mismatched: Mismatch | None = None
    hardware: Mapping[str, Ledgers] | None = None
    """Totals of a graph by device: every position its own hardware, or one piece a channel."""

    @property
    def total(self) -> Ledgers:
        """Ledgers of the whole inference."""
        return total_of(self.rows)

    @property
    def counts(self) -> Counts:
        """Native gates of the whole circuit."""
        total = Counts()
        for counts in self.gates.values():
            total += counts
        return total

    def of_layer(self, layer: str) -> Ledgers:
        """Ledgers of one layer."""
        return total_of(row for row in self.rows if row.layer == layer)

    def causes(self, layer: str | None = None) -> dict[str, Ledgers]:
        """Ledgers by cause, of one layer or of all."""
        out: dict[str, Ledgers] = {}
        for row in self.rows:
            if layer is None or row.layer == layer:
                out[row.cause] = out.get(row.cause, Ledgers()) + row.ledgers
        return out

    @property
    def holds(self) -> bool:
        """Whether no check and no identity fails."""
        return all(c.holds is not False for c in self.circuit_checks) and all(
            i.holds is not False for i in self.identities
        )


@dataclass(frozen=True)
class Table:
    """A flat table: `columns` and one tuple per row; `to_csv`, `to_pandas`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def to_csv(self, path: str | Path | None = None) -> str:
        """The table as CSV text, also written to `path` where one is given."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        if path is not None:
            write_whole(path, text.getvalue().encode())
        return text.getvalue()

    def to_pandas(self) -> Any:
        """The table as a pandas DataFrame (package pandas, an extra)."""
        try:
            import pandas
        except ImportError as error:
            raise missing("to_pandas", "pandas", "pandas") from error
        return pandas.DataFrame(list(self.rows), columns=list(self.columns))

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Report:
    """What `verify` found for one network on one ensemble, policy by policy."""

    network: Mapping[str, Any]
    ensemble: Mapping[str, Any]
    accuracy: Mapping[str, Any] | None
    activity: Activity
    layers: tuple[LayerEntropies, ...]
    H_X: float
    H_Y: float
    runs: tuple[RunReport, ...]
    temperature_k: float
    neurons: Table
    erasures: Table
    efficiency: float | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    scope: str = "bit"
    """What a reset may look at; the ledger that follows is the headline (`SCOPES`)."""
    conditions: tuple[Condition, ...] = ()
    stream: StreamReport | None = None
    population: Population | None = None
    """Claims about the population of which the rows are a sample; asked for."""

    @property
    def holds(self) -> bool:
        """Whether every circuit check and every identity that applies holds."""
        return all(run.holds for run in self.runs) and (self.stream is None or self.stream.holds)

    @property
    def evaluated(self) -> Evaluated:
        """Gates that ran on the ensemble, in all circuits."""
        first, *others = (run.evaluated for run in self.runs)
        return sum(others, first)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, in the layout of `--json`.

        Which executor ran is provenance, as versions are: what is found does not depend on it.
        """
        return {
            "schema": SCHEMA,
            "provenance": {**self.provenance, **self.evaluated.as_dict()},
            "network": dict(self.network),
            "accuracy": None if self.accuracy is None else dict(self.accuracy),
            "ensemble": dict(self.ensemble),
            "activity": asdict(self.activity),
            "conditions": [
                {"id": c.id, "statement": c.statement, "holds": c.holds, "breaks": list(c.breaks)}
                for c in self.conditions
            ],
            "H_X": self.H_X,
            "H_Y": self.H_Y,
            "runs": [self._run(run) for run in self.runs],
            **({} if self.stream is None else {"stream": self.stream.as_dict()}),
            **({} if self.population is None else {"population": self.population.as_dict()}),
        }

    def _run(self, run: RunReport) -> dict[str, Any]:
        layers = []
        for layer in self.layers:
            layers.append(
                {
                    "name": layer.name,
                    "kind": layer.kind,
                    "H_in": layer.H_in,
                    "H_z": layer.H_z,
                    "H_out": layer.H_out,
                    **asdict(run.of_layer(layer.name)),
                    "causes": {c: asdict(v) for c, v in run.causes(layer.name).items()},
                    "gates": gate_counts(run.gates.get(layer.name, Counts())),
                }
            )
        return {
            "policy": run.policy,
            "input": run.input,
            "kept": run.kept,
            "order": run.order,
            "circuit_checks": [asdict(c) for c in run.circuit_checks],
            "identities": [
                {
                    "id": i.id,
                    "symbol": i.symbol,
                    "statement": i.statement,
                    "holds": i.holds,
                    "residual": i.residual,
                }
                for i in run.identities
            ],
            "comparison": [{**asdict(c), "margin": c.margin} for c in run.comparison],
            "verdicts": [
                in_words(reading, run.comparison, self.activity)
                for reading in dict.fromkeys(c.reading for c in run.comparison)
            ],
            "layers": layers,
            "total": {
                **asdict(run.total),
                "causes": {c: asdict(v) for c, v in run.causes().items()},
                "gates": gate_counts(run.counts),
                "width": run.width,
            },
            "switching": None
            if run.switching is None
            else {"total": sum(run.switching.values()), "layers": dict(run.switching)},
            "energy": self._energy(run.total),
            **(
                {}
                if run.hardware is None
                else {"hardware": {k: asdict(v) for k, v in run.hardware.items()}}
            ),
            "pointwise": None if run.pointwise is None else asdict(run.pointwise),
            "circuit_loss": None if run.circuit_loss is None else _loss(run.circuit_loss),
            "mismatched": None
            if run.mismatched is None
            else _mismatched(run.mismatched, run.total),
        }

    def _energy(self, total: Ledgers) -> dict[str, Any]:
        bits = {name: getattr(total, name) for name in LADDER}
        bits["active_neurons"] = self.activity.active_neurons
        bits["changed_neurons"] = self.activity.changed_neurons
        joules = {k: in_unit(v, "J", self.temperature_k) for k, v in bits.items()}
        out: dict[str, Any] = {
            "temperature_k": self.temperature_k,
            "scope": self.scope,
            "headline": SCOPES[self.scope][0],
            "joules": joules,
            "negentropy_j_per_k": {k: negentropy_j_per_k(v) for k, v in bits.items()},
        }
        if self.efficiency is not None:
            lift = self.temperature_k, self.efficiency
            out["wall_k"], out["efficiency"] = WALL_K, self.efficiency
            out["wall_joules"] = {k: wall_energy(max(0.0, v), *lift) for k, v in joules.items()}
        return out

    def to_json(self, path: str | Path | None = None) -> str:
        """JSON text (sorted as in the layout, numbers in full), also written to `path` if given."""
        text = json.dumps(self.as_dict(), indent=1, allow_nan=False)
        if path is not None:
            write_whole(path, (text + "\n").encode())
        return text

    def plot(self, path: str | Path | None = None) -> Any:
        """A figure of the ledgers per layer and of bits by cause; saved to `path` if given."""
        from revsim.report.plots import plot_report

        return plot_report(self, path)

    def __str__(self) -> str:
        from revsim.report.tables import render_text

        return render_text(self)

    def __repr__(self) -> str:
        runs = ", ".join(f"{run.policy}/{run.input}" for run in self.runs)
        held = "all holds" if self.holds else "a check or identity FAILS"
        return f"Report({self.network['name']!r}, {self.ensemble['rows']:,} rows, {runs}: {held})"

    def _repr_html_(self) -> str:
        from revsim.report.tables import render_html

        return render_html(self)


def _loss(found: CircuitLoss) -> dict[str, Any]:
    return {
        "gate_local_free_fan_out": found.free,
        "gate_local_copied_fan_out": found.copied,
        "copies": found.copies,
        "map_loss": found.map_loss,
        "sum_of_brackets": sum(step.bracket for step in found.steps),
    }


def _mismatched(found: Mismatch, tuned: Ledgers) -> dict[str, Any]:
    """Infinite costs are null: JSON has no infinity; `reasons` says where they come from."""
    out: dict[str, Any] = {"tuned_to": found.tuned_to, "data": found.data}
    for name in ("per_bit", "per_register", "gate_local"):
        cost, least = getattr(found, name), getattr(tuned, name)
        known = cost is not None and isfinite(cost)
        out[name] = cost if known else None
        out[f"{name}_excess"] = cost - (least or 0.0) if known else None
    out["infinite"] = found.infinite
    out["reasons"] = list(found.reasons)
    out["rows"] = [
        {
            "layer": row.layer,
            "cause": row.cause,
            "per_bit": row.per_bit if isfinite(row.per_bit) else None,
            "per_register": row.per_register if isfinite(row.per_register) else None,
        }
        for row in found.rows
    ]
    return out


def gate_counts(counts: Counts) -> dict[str, int]:
    """Gate counts by the names of the command line."""
    return {
        "toffoli": counts.toffoli,
        "cnot": counts.cnot,
        "not": counts.x,
        "fredkin": counts.fredkin,
        "swap": counts.swap,
        "mcx": counts.mcx,
        "erase": counts.erase,
        "gates": counts.gates,
    }


def neuron_columns() -> tuple[str, ...]:
    """Columns of the neurons table."""
    return (
        "layer",
        "neuron",
        "activity",
        "changed",
        "state_entropy",
        "value_entropy",
        "above_p_star",
    )


def erasure_table(rows: Sequence[tuple[Any, ...]], banks: bool = False) -> Table:
    """The erasures table: one row per ERASE of a register (netlist resets: one per definition).

    banks: one row per ERASE of a bank, with the number of its registers (netlist resets: one per
    layer, the number of single bits).
    """
    return Table(
        (
            "policy",
            "input",
            "layer",
            "cause",
            "register",
            "value_of",
            "reset_count",
            "per_bit",
            "per_register",
            "ones_flipped",
            *(("registers",) if banks else ()),
        ),
        tuple(rows),
    )
