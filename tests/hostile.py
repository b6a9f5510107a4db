"""Damaged model files, made by a seed, and what reading them comes to.

Run as a program it is the worker of tests/test_hostile_models.py: it reads FORMAT MODEL FIRST LAST
from the command line, reads every mutant FIRST..LAST-1 of the file MODEL within 1 GB more memory
than it has at the start and 10 seconds each, and prints one JSON line per mutant.
"""

import json
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import numpy as np

MEMORY = 1 << 30
SECONDS = 10
NUMBERS = (0, 1, -1, 2, 127, 255, 1 << 15, 1 << 24, 2**31 - 1, -(2**31), 0x7FC00000, 0x7F800000)
KINDS = ("truncate", "flip", "splice", "swap", "number", "remove")


def mutant(data: bytes, seed: int) -> bytes:
    """The file with one kind of damage: cut off, bits flipped, a piece copied elsewhere, two fields
    exchanged, a field set to a number that is hard to take, or a piece left out."""
    random = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    size = len(data)
    if kind == "truncate":
        return data[: int(random.integers(0, size))]
    out = bytearray(data)
    if kind == "flip":
        for place in random.integers(0, size, int(random.integers(1, 9))):
            out[place] ^= 1 << int(random.integers(8))
    elif kind == "splice":
        length = int(random.integers(1, min(64, size // 2)))
        start, end = (int(n) for n in random.integers(0, size - length, 2))
        out[end : end + length] = data[start : start + length]
    elif kind == "swap":
        first, second = (4 * int(n) for n in random.integers(0, size // 4, 2))
        out[first : first + 4], out[second : second + 4] = (
            data[second : second + 4],
            data[first : first + 4],
        )
    elif kind == "number":
        place = 4 * int(random.integers(0, size // 4))
        number = NUMBERS[int(random.integers(len(NUMBERS)))] & 0xFFFFFFFF
        out[place : place + 4] = number.to_bytes(4, "little")
    else:
        start = int(random.integers(0, size))
        del out[start : start + int(random.integers(1, 9))]
    return bytes(out)


def outcome(read, path: Path) -> str:
    """`read`, `refused`, or what went wrong."""
    from revsim.errors import InputError

    try:
        read(path)
        return "read"
    except InputError as error:
        lines = str(error).splitlines()
        if not lines or max(len(line) for line in lines) > 400 or "Traceback" in str(error):
            return f"message: {str(error)[:300]!r}"
        return "refused"
    except BaseException:
        return "escaped: " + " | ".join(traceback.format_exc().splitlines()[-4:])[:400]


def reader(kind: str):
    """What reads a file of this kind: quantised models, float models, pictures."""
    from revsim.frontends.floats.onnx import floats_from_onnx
    from revsim.frontends.onnx.reader import from_onnx
    from revsim.frontends.tflite.reader import from_tflite
    from revsim.graphs.media import pixels
    from revsim.network.graph import Tensor

    if kind in ("png", "jpg"):
        return lambda path: pixels(Tensor("x", (1, 6, 7, 3), 0, 255), path)
    return {"tflite": from_tflite, "onnx": from_onnx, "float": floats_from_onnx}[kind]


class TooLong(BaseException):
    """Reading took more than its time."""


def _alarm(*_):
    raise TooLong


def main() -> None:
    """The worker."""
    kind, model, first, last = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    warnings.simplefilter("error")
    data = model.read_bytes()
    read = reader(kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"mutant.{kind}"
        path.write_bytes(data)
        read(path)  # the model itself is read, and every library is loaded before memory is bounded
        held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (held + MEMORY, held + MEMORY))
        signal.signal(signal.SIGALRM, _alarm)
        for seed in range(first, last):
            path.write_bytes(mutant(data, seed))
            print(json.dumps({"seed": seed, "outcome": "began"}), flush=True)
            signal.alarm(SECONDS)
            found = outcome(read, path)
            signal.alarm(0)
            print(json.dumps({"seed": seed, "outcome": found}), flush=True)


if __name__ == "__main__":
    main()
