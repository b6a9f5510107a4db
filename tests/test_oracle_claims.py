"""Known answers that need no network: constants, mismatch, estimators, pebbling, wells, hardware.

Each `oracle_claims_*.py` beside this file holds `READINGS`: case id -> a function of no arguments
that returns the value from product code.
"""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CASES = {c["id"]: c for c in json.loads((HERE / "oracle_cases.json").read_text())["cases"]}
READINGS: dict[int, Callable[[], float]] = {}
for found in sorted(HERE.glob("oracle_claims_*.py")):
    read = import_module(found.stem).READINGS
    assert not READINGS.keys() & read.keys(), f"{found.name} repeats a case"
    READINGS |= read


@pytest.mark.parametrize("case", sorted(READINGS), ids=lambda n: f"{n:03d}-{CASES[n]['name']}")
def test_known_answer(case: int) -> None:
    expected = CASES[case]
    rounding = 1e-9 if expected["value"] == 0 else 0.0  # joules are small: no other slack
    value = READINGS[case]()
    assert value == pytest.approx(expected["value"], rel=expected["rtol"], abs=rounding)


def test_every_case_is_computed_somewhere() -> None:
    circuits = import_module("test_oracle").READINGS.keys()
    networks = import_module("test_oracle_networks").READINGS.keys()
    assert CASES.keys() == READINGS.keys() | circuits | networks
