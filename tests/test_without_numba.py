"""Where Numba is absent, broken or switched off: from every verb the same numbers or a message."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from tflite_models import Op, T, model_bytes

from revsim.cli import main

CIRCUIT = Path(__file__).resolve().parents[1] / "circuits" / "relu8.qasm"
PROGRAM = """
import json, sys
for name in json.loads(sys.argv[1]):
    sys.modules[name] = None  # importing it now fails
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from revsim.cli import main
said = []
for line in json.loads(sys.argv[2]):
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(line)
    said.append((status, out.getvalue(), err.getvalue()))
print(json.dumps(said))
"""
Said = list[tuple[int, str, str]]


def run_lines(
    lines: Sequence[Sequence[str]], absent: Sequence[str] = (), **environment: str
) -> Said:
    """Status, output and messages of command lines in one new process, warnings being errors."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, json.dumps(absent), json.dumps(lines)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert ran.returncode == 0 and ran.stderr == "", ran.stderr
    return [(status, out, err) for status, out, err in json.loads(ran.stdout)]


def without_way(found: str) -> Mapping[str, object]:
    """JSON but for what says how it was made."""
    ways = ("provenance", "executor", "gate_evaluations", "equivalent_gates")
    return {name: value for name, value in json.loads(found).items() if name not in ways}


@pytest.fixture
def files(tmp_path):
    """A model file, a row of it and rows of a circuit."""
    weights = np.array([[1, -2, 3, 0], [4, 1, -1, 2], [-3, 0, 2, 1]], np.int8)
    tensors = [T((2, 4)), T((3, 4), data=weights), T((2, 3))]
    dense = Op("FULLY_CONNECTED", (0, 1, -1), (2,), {"FusedActivationFunction": 1})
    (tmp_path / "model.tflite").write_bytes(model_bytes(tensors, [dense], (0,), (2,)))
    np.save(tmp_path / "samples.npy", np.arange(-40, 40, dtype=np.int8).reshape(10, 2, 4))
    np.save(tmp_path / "rows.npy", [[-3], [5], [127]])
    return tmp_path


def same_lines(files: Path) -> list[list[str]]:
    """Command lines whose JSON is the same with and without Numba."""
    model, samples, rows = (str(files / n) for n in ("model.tflite", "samples.npy", "rows.npy"))
    run = "--output", str(files / "y.npy"), "--tensors", str(files / "t.npz")
    lines = [
        ["verify", "toy"],
        ["verify", "toy", "--switching", "--tuned-to", "random:99", "--policy", "uncompute"],
        ["verify", model, "--data", samples, "--policy", "uncompute"],
        ["verify", model, "--data", samples, "--policy", "conventional"],
        ["run", model, "--input", samples, *run],
        ["run", str(CIRCUIT), "--input", rows, *run],
        ["table", str(CIRCUIT)],
        ["count", "digits20"],
        ["explain", "xor", "--layer", "1", "--neuron", "1"],
        ["adiabatic", "xor", "--switching"],
        ["energy", "xor"],
        ["experiment", "linear"],
    ]
    return [[*line, "--json"] for line in lines]


def test_every_verb_gives_the_same_numbers(files, capsys):
    lines = same_lines(files)
    for line, (status, out, err) in zip(lines, run_lines(lines, ["numba"]), strict=True):
        assert status == 0, (line, err)
        simulates = line[0] in ("verify", "run", "table", "explain", "energy")
        assert err.count("\n") == err.count("executor numpy runs every gate, slower") == simulates
        assert main(line) == 0
        assert without_way(out) == without_way(capsys.readouterr().out), line


def test_the_report_says_what_ran(capsys):
    asked = ["verify", "xor", "--executor", "numpy"]
    (status, out, err), *refused = run_lines(
        [asked, ["verify", "xor", "--executor", "literal"], ["warmup", "--json"], ["bench"]],
        ["numba"],
    )
    assert (status, err) == (0, "") and "gate evaluations in plain NumPy, slower" in out
    assert main(asked) == 0 and capsys.readouterr().out == out
    for status, out, err in refused:
        assert (status, out) == (2, "") and err.count("\n") == 1 and len(err) <= 300
        assert "Numba" in err


BROKEN = {
    "llvmlite is absent": (["llvmlite"], {}, "llvmlite"),
    "compiling is switched off": ([], {"NUMBA_DISABLE_JIT": "1"}, "NUMBA_DISABLE_JIT is set"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_keeps_numba_from_compiling_is_said(kind):
    absent, environment, why = BROKEN[kind]
    first, second = run_lines(
        [["verify", "xor", "--json"], ["verify", "xor", "--executor", "literal"]],
        absent,
        **environment,
    )
    assert first[0] == 0 and json.loads(first[1])["provenance"]["executor"] == "numpy"
    assert second[:2] == (2, "") and why in first[2] and why in second[2]


def test_a_numba_that_cannot_be_loaded_is_one_that_is_absent(tmp_path):
    """As where a shared library of llvmlite is missing, or NumPy is too new for it."""
    (tmp_path / "numba.py").write_text('raise OSError("libllvmlite.so: no such\\nfile")')
    ((status, out, err),) = run_lines([["verify", "xor", "--json"]], PYTHONPATH=str(tmp_path))
    assert status == 0 and json.loads(out)["runs"]
    assert err == (
        "revsim: no Numba (libllvmlite.so: no such file): executor numpy runs every gate, slower\n"
    )


def test_a_cache_that_cannot_be_written_changes_nothing(tmp_path):
    (tmp_path / "file").touch()
    there = str(tmp_path / "file" / "cache")
    ((status, out, err),) = run_lines([["verify", "xor", "--json"]], NUMBA_CACHE_DIR=there)
    assert (status, err) == (0, "") and json.loads(out)["provenance"]["executor"] == "literal"
