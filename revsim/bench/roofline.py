"""Kernels in C that bound what an interpreter of gates can do on this machine (roofline.c).

They are compiled for this processor when they are first asked for; without a C compiler there are
no bounds, and the rows that are held against them say so.
"""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from revsim.bench.rows import medians, size_in_words
from revsim.circuit.definition import Definition
from revsim.circuit.gates import OP
from revsim.circuit.program import flatten
from revsim.simulator.lanes import Words, aligned

COMPILERS = ("gcc", "clang", "cc")
WIDTHS = (1, 8, 16, 32, 64)
"""Words a wire for which there is an interpreter in C."""
NEEDED = "needs a C compiler: put gcc or clang on the path"

LOADS = np.array([1, 2, 3, 2, 3, 3, 1, 1, 2])
STORES = np.array([1, 1, 1, 2, 2, 1, 1, 0, 0])
"""Wires that a gate reads or changes, and changes, by opcode (an MCX as if it had two controls)."""

L1_BYTES = 16 << 10
"""A state that every first level of cache holds."""

Triples = npt.NDArray[np.uint32]


class Roofline:
    """The compiled kernels; every rate is a median, in units per second.

    compiler: name and version of what compiled them.
    """

    def __init__(self, library: ctypes.CDLL, compiler: str) -> None:
        self._library = library
        self.compiler = compiler
        library.load_all.restype = library.multiply.restype = ctypes.c_uint64
        library.count_ones.restype = ctypes.c_int64

    def interpret(self, state: Words, gates: Triples, words: int) -> None:
        """Run Toffolis uint32 [gates, 3] on a flat state of `words` words a wire, in place."""
        done = self._library.interpret(
            _pointer(state), _pointer(gates), ctypes.c_int64(len(gates)), ctypes.c_int(words)
        )
        assert done == 1, f"no interpreter for {words} words"

    def streamed(self, state_bytes: int) -> float:
        """Gate evaluations per second of c ^= a & b over three arrays, without a list of gates."""
        count = max(4, state_bytes // (3 * 64) // 4 * 4)
        # Arrays at equal distances share sets of the cache, and loads wait for stores that only
        # look alike in their low bits: each array starts 21 lines later than the one before.
        start = 8 * (count + 21)
        buffer = _filled(3 * start)
        turns = max(1, (1 << 17) // count)
        places = [ctypes.c_void_p(buffer.ctypes.data + 8 * k * start) for k in range(3)]
        (seconds,) = medians(
            lambda: self._library.stream(
                *places, ctypes.c_int64(count), ctypes.c_int64(turns)
            ),
            budget_s=0.1,
        )  # fmt: skip
        return 512 * count * turns / seconds

    @lru_cache(maxsize=64)  # noqa: B019
    def loaded(self, state_bytes: int) -> float:
        """Bytes per second that loads alone get from a state of this size."""
        return self._pass(self._library.load_all, state_bytes, 64, 8) * 64

    @lru_cache(maxsize=64)  # noqa: B019
    def stored(self, state_bytes: int) -> float:
        """Bytes per second that stores alone put into a state of this size."""
        return self._pass(self._library.store_all, state_bytes, 64, 8) * 64

    def counted(self, state_bytes: int) -> float:
        """Ones counted, in bits per second, in a state of this size."""
        return self._pass(self._library.count_ones, state_bytes, 8, 8) * 64

    def clock_ghz(self) -> float:
        """Clock, if a multiplication takes three cycles."""
        count = 1 << 20
        (seconds,) = medians(
            lambda: self._library.multiply(ctypes.c_uint64(3), ctypes.c_int64(count)), budget_s=0.1
        )
        return 3e-9 * count / seconds

    def _pass(self, function: Callable[..., object], size: int, item: int, step: int) -> float:
        """Items per second of a function that reads a state of `size` bytes."""
        count = max(step, size // item // step * step)
        state = _filled(count * item // 8)
        turns = max(1, (1 << 22) // (count * item))
        (seconds,) = medians(
            lambda: function(_pointer(state), ctypes.c_int64(count), ctypes.c_int64(turns)),
            budget_s=0.1,
        )
        return count * turns / seconds


@lru_cache(maxsize=1)
def roofline() -> Roofline | None:
    """The kernels, compiled once; None where no compiler is found or it refuses them."""
    compiler = next((c for c in map(shutil.which, COMPILERS) if c is not None), None)
    if compiler is None:
        return None
    source = resources.files("revsim.bench").joinpath("roofline.c").read_text()
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "roofline.so"
        options = ("-O3", "-march=native", "-shared", "-fPIC", "-x", "c", "-")
        command = [compiler, *options, "-o", str(library)]
        done = subprocess.run(command, input=source, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            return None
        told = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
        return Roofline(ctypes.CDLL(str(library)), told.stdout.partition("\n")[0])


def _filled(words: int) -> Words:
    """A state of random words on a 64-byte boundary."""
    state = aligned(words)
    state[:] = np.random.default_rng(0).integers(0, 1 << 64, words, dtype=np.uint64)
    return state


def _pointer(array: npt.NDArray[np.generic]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def bound_by(definition: Definition, rate: float, state_bytes: int) -> str:
    """What share of the loads and stores that this machine can do a rate of gates takes, in words.

    A gate loads each wire that it reads or changes and stores each that it changes; "" without a C
    compiler.
    """
    kernels = roofline()
    if kernels is None:
        return ""
    opcodes = flatten(definition).table[:, OP]
    loads, stores = (float(np.take(each, opcodes).mean()) for each in (LOADS, STORES))
    loaded, stored = rate / 8 * loads, rate / 8 * stores
    of_loads, of_stores = (
        " and ".join(
            f"{share / function(size):.0%} on {size_in_words(size)} ({function(size):.2e})"
            for size in (L1_BYTES, state_bytes)
            if size == L1_BYTES or share < function(size)  # what is in use may be less than all
        )
        for share, function in ((loaded, kernels.loaded), (stored, kernels.stored))
    )
    return (
        f"; a gate loads {loads:.2f} wires and stores {stores:.2f}, {loaded:.2e} and {stored:.2e} "
        f"bytes/s: of what loads alone reach {of_loads}, of what stores alone reach {of_stores}"
    )
