"""Peers that compile the list: gcc (straight-line C, 512 lanes) and Verilator (64-bit lanes)."""

import ctypes
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from revsim.bench.peers.ready import Ready, command, work_s
from revsim.bench.peers.straight_line import c_text, verilator_driver, verilog_text
from revsim.circuit.definition import Table
from revsim.simulator.lanes import Words, aligned

GCC = ("gcc", "-O2", "-march=native", "-w", "-shared", "-fPIC", "list.c", "-o", "list.so")
VERILATOR = (
    "verilator", "--cc", "--exe", "--build", "-j", "1", "-O3", "--x-assign", "fast",
    "-Wno-lint", "-Wno-fatal", "-CFLAGS", "-O2 -fPIC -march=native", "-LDFLAGS", "-shared",
    "--Mdir", ".", "-o", "list.so", "list.v", "driver.cpp",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Compiled:
    """A loaded list: `call(state, passes)` runs it in place on uint64 [wires, words]."""

    peer: str
    build_s: float
    call: Callable[[Words, int], object]

    def ready(self, start: Words, passes: int = 1) -> Ready:
        """The list from a state, `passes` times in a row."""
        state = aligned(start.size).reshape(start.shape)
        state[:] = start
        self.call(state, passes)
        out = state.copy()
        return Ready(self.peer, self.build_s, lambda: self.call(state, passes), start, out)


def gcc(table: Table, wires: int) -> Compiled:
    """Straight-line C for 512 lanes, `start` uint64 [wires, 8] and an even number of passes."""
    version = command(("gcc", "-dumpfullversion"), ".").strip()
    started = work_s()
    library = _library(GCC, {"list.c": c_text(table, wires)})
    library.run.argtypes = (ctypes.c_void_p, ctypes.c_long)
    build_s = work_s() - started

    def call(state: Words, passes: int) -> None:
        if state.shape != (wires, 8) or passes % 2:
            raise ValueError("the C is for 512 lanes and an even number of passes")
        library.run(state.ctypes.data, passes)

    return Compiled(f"gcc {version} -O2 (512-bit vectors, simplifies across gates)", build_s, call)


def verilator(table: Table, wires: int) -> Compiled:
    """A Verilated module of 64-bit signals, evaluated once per word of lanes."""
    version = command(("verilator", "--version"), ".").split()[1]
    started = work_s()
    files = {"list.v": verilog_text(table, wires), "driver.cpp": verilator_driver(wires)}
    library = _library(VERILATOR, files)
    library.run.argtypes = (ctypes.c_void_p, ctypes.c_long, ctypes.c_long)
    build_s = work_s() - started

    def call(state: Words, passes: int) -> None:
        library.run(state.ctypes.data, state.shape[1], passes)

    return Compiled(f"Verilator {version} (64-bit signals, simplifies across gates)", build_s, call)


def _library(arguments: tuple[str, ...], files: dict[str, str]) -> Any:
    """What a compiler makes of these files, loaded; the folder is gone when this returns."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        command(arguments, folder)
        return ctypes.CDLL(str(Path(folder) / "list.so"))
