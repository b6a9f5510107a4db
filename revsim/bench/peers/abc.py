"""Berkeley ABC's `&sim` on a gate list as an AIG whose wires are latches.

`&sim` takes sequential networks only, so every frame runs the list once more on what the frame
before left. It shows no bits but says in which frame an output is 1: an output that compares
all wires with what they should hold tells whether it computed the same.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from revsim.bench.peers.follow import follow
from revsim.bench.peers.ready import Absent, command
from revsim.circuit.definition import Table

Bits = npt.NDArray[np.bool_]
WORDS = 128
"""Words of 32 lanes that `&sim` takes at once: 4,096 lanes."""
FRAMES = 200
"""Frames by which two runs differ, so that start and reading do not count."""
LIMIT_S = 60


@dataclass(frozen=True, eq=False)
class Network:
    """ANDs of an AIG in AIGER's numbers: `pairs[k]` are the literals of variable `first` + k."""

    first: int
    pairs: list[tuple[int, int]] = field(default_factory=list)

    def both(self, p: int, q: int) -> int:
        """A literal of p & q."""
        self.pairs.append((max(p, q), min(p, q)))
        return 2 * (self.first + len(self.pairs) - 1)


@dataclass(frozen=True)
class Literal:
    """A literal of a network under the operators that gates are written in."""

    number: int
    network: Network

    def __and__(self, other: "Literal") -> "Literal":
        return Literal(self.network.both(self.number, other.number), self.network)

    def __invert__(self) -> "Literal":
        return Literal(self.number ^ 1, self.network)

    def __xor__(self, other: "Literal") -> "Literal":
        return ~(self & other) & ~(~self & ~other)


def aiger(table: Table, wires: int, before: Bits, after: Bits | None = None) -> bytes:
    """The list in the binary AIGER format: one input that nothing reads, a latch per wire.

    Latches start at 0, so wires that start at 1 are complements of theirs. before, after: bool
    [wires], what the wires hold at first and in the frame in which the one output is 1 (without
    `after` it is never 1).
    """
    network = Network(wires + 2)  # variable 0 is constant, 1 the input, then the latches
    starts = [Literal(2 * (wire + 2) ^ int(before[wire]), network) for wire in range(wires)]
    ends = [end.number ^ int(bit) for end, bit in zip(follow(table, starts), before, strict=True)]
    same = Literal(int(after is not None), network)
    for value, bit in zip(starts, () if after is None else after, strict=after is not None):
        same = same & (value if bit else ~value)
    ands = len(network.pairs)
    lines = [f"aig {wires + 1 + ands} 1 {wires} 1 {ands}", *map(str, ends), str(same.number), ""]
    steps = (
        step
        for variable, (p, q) in enumerate(network.pairs, wires + 2)
        for step in (2 * variable - p, p - q)
    )
    return "\n".join(lines).encode() + b"".join(map(_seven_bits, steps))


def _seven_bits(number: int) -> bytes:
    """A number in groups of seven bits, least first, with a mark on all but the last."""
    out = bytearray()
    while number >> 7:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


@contextmanager
def simulator(text: bytes) -> Iterator[tuple[str, Callable[..., str]]]:
    """(peer, simulate) on an AIGER file: `simulate(frames, *options)` is what a process prints."""
    program = shutil.which("berkeley-abc") or shutil.which("yosys-abc")
    if program is None:
        raise Absent("needs berkeley-abc (or yosys-abc) on the path")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (Path(folder) / "list.aig").write_bytes(text)
        version = re.search(r"ABC ([\d.]+)", command((program, "-c", "version"), folder))

        def simulate(frames: int, *options: str) -> str:
            how = " ".join((*options, f"-F {frames} -W {WORDS} -T {LIMIT_S}"))
            sim = f"&r list.aig; &sim {how}"
            return command((program, "-c", sim), folder, 2 * LIMIT_S)

        yield f"Berkeley ABC {version[1] if version else ''} &sim", simulate


def same_bits(table: Table, wires: int, before: Bits, after: Bits) -> bool:
    """Whether `&sim` finds the output at 1 in the second frame, and not before it."""
    with simulator(aiger(table, wires, before, after)) as (_, simulate):
        return "asserted in frame 1." in simulate(2, "-m")  # -m: look at outputs
