"""Every circuit in circuits/ costs and erases exactly what circuits/golden.json records.

After a deliberate change: python tests/test_golden.py writes the file anew; read the difference.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from revsim.circuit.measures import circuit_counts, circuit_depth, circuit_width
from revsim.formats.qasm3 import load
from revsim.ledger.ledgers import ledger_rows, total_of
from revsim.report.report import gate_counts
from revsim.simulator.ensemble import uniform
from revsim.simulator.run import simulate

FOLDER = Path(__file__).resolve().parents[1] / "circuits"
GOLDEN = FOLDER / "golden.json"
NAMES = sorted(path.stem for path in FOLDER.glob("*.qasm"))


def measured(name: str) -> dict[str, Any]:
    """Counts, and ledgers in bits for uniform inputs."""
    circuit = load(FOLDER / f"{name}.qasm")
    ranges = [(r.encoding.low, r.encoding.high) for r in circuit.inputs]
    tally = simulate(circuit, uniform(*zip(*ranges, strict=True))).tally
    rows = ledger_rows(tally)
    return {
        "counts": gate_counts(circuit_counts(circuit)),
        "width": circuit_width(circuit),
        "depth": circuit_depth(circuit),
        "H_start": tally.initial.entropy,
        "H_end": tally.final.entropy,
        "erased": {f"{row.layer}, {row.cause}": asdict(row.ledgers) for row in rows},
        "total": asdict(total_of(rows)),
    }


def flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in flat(part, f"{path}/{key}").items()}
    return {path: value}


@pytest.mark.parametrize("name", NAMES)
def test_counts_and_ledgers_are_the_golden_ones(name: str) -> None:
    expected = flat(json.loads(GOLDEN.read_text(encoding="utf-8"))[name])
    assert flat(measured(name)) == pytest.approx(expected, abs=1e-9)


def test_no_golden_circuit_is_missing() -> None:
    assert sorted(json.loads(GOLDEN.read_text(encoding="utf-8"))) == NAMES


if __name__ == "__main__":
    text = json.dumps({name: measured(name) for name in NAMES}, indent=1)
    GOLDEN.write_text(text + "\n", encoding="utf-8")
