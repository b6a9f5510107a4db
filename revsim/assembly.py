"""A `Report` put together: what the reference knows of a model and what its circuits have shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from revsim.evidence import neuron_table, versions
from revsim.graphs.known import GraphKnown
from revsim.ledger.population import Population
from revsim.ledger.stream_device import StreamReport
from revsim.ledger.verdicts import conditions
from revsim.report.report import Report, RunReport, Table
from revsim.simulator.ensemble import Ensemble
from revsim.verification import Known


def assemble(
    known: Known | GraphKnown,
    ensemble: Ensemble,
    runs: Sequence[RunReport],
    erasures: Table,
    *,
    network: Mapping[str, Any],
    accuracy: Mapping[str, Any] | None,
    digests: Mapping[str, str],
    provenance: Mapping[str, Any] | None,
    temperature_k: float,
    efficiency: float | None,
    scope: str,
    stream: StreamReport | None = None,
    population: Population | None = None,
) -> Report:
    """The report on an ensemble as the user gave it; `digests`: sha256 of model and data.

    `provenance` overrides what is known of how a report is made: its command line, usually.
    """
    return Report(
        network=network,
        ensemble={
            "name": ensemble.name,
            "rows": len(known.ensemble.rows),
            "distinct": known.distinct,
            "ceiling": known.ceiling,
            "seed": ensemble.seed,
        },
        accuracy=accuracy,
        activity=known.activity,
        layers=known.layers,
        H_X=known.H_X,
        H_Y=known.H_Y,
        runs=tuple(runs),
        temperature_k=temperature_k,
        neurons=neuron_table(known.neurons),
        erasures=erasures,
        efficiency=efficiency,
        provenance={
            "versions": versions(),
            "argv": [],
            "seed": ensemble.seed,
            "sha256": dict(digests),
            **(provenance or {}),
        },
        scope=scope,
        conditions=conditions(known.neurons),
        stream=stream,
        population=population,
    )
