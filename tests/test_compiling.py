"""How kernels are compiled: once it pays, said once, also where nothing can be kept on disk."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import revsim
from revsim.circuit import kernels
from revsim.circuit.kernels import COMPILING, HAVE_NUMBA, NOT_KEPT, Announcer, gradual
from revsim.formats.qasm3 import load
from revsim.simulator.ensemble import uniform
from revsim.simulator.run import simulate


@pytest.mark.parametrize("work", [-1, 2, 5])
def test_a_gradual_kernel_is_compiled_once_enough_is_done(work: int) -> None:
    calls: list[str] = []

    class Kernel:
        signatures: tuple[str, ...] = ()

        def __call__(self, x: int) -> int:
            calls.append("compiled")
            return x

        def py_func(self, x: int) -> int:
            calls.append("plain")
            return x

    run = gradual(Kernel(), work)
    assert [run(2, x) for x in range(3)] == [0, 1, 2]
    plain = {-1: 0, 2: 1, 5: 2}[work] if HAVE_NUMBA else 0
    assert calls == ["plain"] * plain + ["compiled"] * (3 - plain)


class Clock:
    """Seconds that pass where they are told to."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.mark.parametrize(("terminal", "kept"), [(True, True), (True, False), (False, True)])
def test_compiling_is_said_once_when_it_has_taken_a_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool, kept: bool
) -> None:
    clock, said = Clock(), Announcer(1.0)
    monkeypatch.setattr(kernels, "time", clock)
    monkeypatch.setattr(kernels, "_kept", [kept])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    heard = []
    for seconds in (0.4, 0.4, 0.3, 5.0):  # one function, and one that it calls
        said.notify(SimpleNamespace(is_start=True))
        clock.now += seconds / 2
        said.notify(SimpleNamespace(is_start=True))
        clock.now += seconds / 2
        said.notify(SimpleNamespace(is_start=False))
        said.notify(SimpleNamespace(is_start=False))
        clock.now += 100.0  # what is not spent on compiling does not count
        heard.append(capsys.readouterr().err)
    line = (COMPILING if kept else NOT_KEPT) + "\n"
    assert heard == ["", "", line if terminal else "", ""]


UNKEPT = """
import numpy as np
from revsim.circuit import kernels
assert kernels.HAVE_NUMBA
table = np.array([[0, -1, -1, 0, 0, 0]], dtype=np.int32)
print(kernels.all_sound(table, 1), kernels.all_sound(table, 0), kernels._kept)
"""


@pytest.mark.skipif(not HAVE_NUMBA, reason="nothing is compiled")
def test_an_install_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    """No place for compiled kernels beside the code or in the home folder: a file stands there, as
    good as a folder that refuses writing (which would not stop an administrator)."""
    package = tmp_path / "site" / "revsim"
    shutil.copytree(
        Path(revsim.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "data")
    )
    for folder in [package, *(p for p in package.rglob("*") if p.is_dir())]:
        (folder / "__pycache__").write_text("")
    home = tmp_path / "home"
    home.write_text("")
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home), "IPYTHONDIR": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", UNKEPT],
        env={**environment, "PYTHONPATH": str(package.parent)},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    assert done.stdout == "True False [False]\n"
    assert done.stderr == ""


@pytest.mark.skipif(not HAVE_NUMBA, reason="nothing is compiled")
def test_what_is_kept_on_disk_names_no_class_of_ours() -> None:
    """Numba unpickles the index of a kernel before it looks whether its source is the same: one
    with a signature of our own types would end the next start after these are renamed."""
    from revsim.simulator.fused import kernels as fused
    from revsim.simulator.literal import kernels as literal

    circuit = load(Path(__file__).resolve().parents[1] / "circuits" / "full_adder.qasm")
    inputs = len(circuit.inputs)
    for executor in ("literal", "fused"):
        simulate(circuit, uniform([0] * inputs, [1] * inputs), executor=executor)
    looked = 0
    for module in (fused, literal):
        for name, kernel in vars(module).items():
            if hasattr(kernel, "py_func") and kernel.stats.cache_path is not None:
                place = f"kernels.{name}-{kernel.py_func.__code__.co_firstlineno}.*.nbi"
                for index in Path(kernel.stats.cache_path).glob(place):
                    assert b"revsim" not in index.read_bytes(), name
                    looked += 1
    assert looked or not kernels._kept[0]
