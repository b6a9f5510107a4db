"""Bad input of every kind: one message in the user's words, status 2, nothing left behind."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from revsim.cli import main
from revsim.network.bundled import bundled
from revsim.network.files import save

# --- files, made in the folder of the test when a case names them ---------------------------------

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
TEXTS = {
    "text.npy": "0,1\n1,0\n",
    "data.csv": "0,1\n1,0\n",
    "notzip.npz": "0,1\n",
    "empty.npy": "",
    "empty.qasm": "",
    "cut.qasm": HEAD + "qubit[2] a;\ncx a[0], a",
    "twice.qasm": HEAD + "qubit[2] a;\ncx a[1], a[1];\n",
    "itself.qasm": HEAD + "def f(qubit p) {\n f(p); }\nqubit a;\nf(a);\n",
    "unknown.qasm": HEAD + "qubit[2] a;\nfredkin a[0], a[1];\n",
    "index.qasm": HEAD + "qubit[2] a;\nx a[7];\n",
    "wide.qasm": HEAD + "qubit[17] a;\nx a[7];\n",
    "good.qasm": HEAD + "qubit[2] a;\ncx a[0], a[1];\n",
    "bytes.qasm": HEAD.encode() + b"qubit \xff\xfe;\n",
}
ARRAYS: dict[str, Any] = {
    "good.npy": [[0, 0], [0, 1], [1, 0], [1, 1]],
    "flat.npy": [0, 1],
    "wide.npy": np.zeros((2, 3), np.int64),
    "norows.npy": np.zeros((0, 2), np.int64),
    "outside.npy": [[0, 1], [1, 5]],
    "below.npy": [[-1, 0]],
    "nan.npy": [[0, 1], [np.nan, 0]],
    "inf.npy": [[0, np.inf]],
    "half.npy": [[0.5, 1]],
    "vast.npy": [[0, 1e300]],
    "uint64.npy": np.array([[0, 2**64 - 1]], np.uint64),
    "complex.npy": [[0, 1j]],
    "strings.npy": [["a", "b"]],
    "objects.npy": np.array([[0, None]], object),
    "negative.npy": [1, 1, -1, 1],
    "zero.npy": [0, 0, 0, 0],
    "short.npy": [1, 1, 1],
    "fraction.npy": [0.5, 1, 1, 1],
    "heavy.npy": [2**61] * 4,
    "labels.npz": {"rows": np.zeros((2, 64), np.int64), "labels": np.zeros(3, np.int64)},
    "words.npz": {"rows": np.zeros((2, 64), np.int64), "labels": np.array(["a", "b"])},
    "objects.npz": {"rows": np.array([[0, None]], object)},
    "nodata.npz": {"x": np.zeros((2, 2), np.int64)},
}


def cut(name: str, keep: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        make(name, path.parent)
        path.write_bytes((path.parent / name).read_bytes()[:keep])

    return write


def huge_header(path: Path) -> None:
    make("outside.npy", path.parent)
    content = (path.parent / "outside.npy").read_bytes()
    path.write_bytes(content.replace(b"(2, 2)", b"(9999999999999, 2)"))


def damaged_zip(path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 2, (5000, 2))
    np.savez_compressed(path, rows=rows)
    content = bytearray(path.read_bytes())
    content[100:140] = bytes(40)
    path.write_bytes(content)


def bad_header(path: Path) -> None:
    make("outside.npy", path.parent)
    content = (path.parent / "outside.npy").read_bytes()
    start = content.index(b"{")
    path.write_bytes(content[:start] + b"(" * 50 + content[start + 50 :])


def network(change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> Callable[[Path], None]:
    """The toy network with a change of its header or its arrays."""

    def write(path: Path) -> None:
        save(bundled("toy"), path)
        arrays: dict[str, Any] = dict(np.load(path))
        header = json.loads(str(arrays["network"]))
        text = change(header, arrays)
        if "network" in arrays:
            arrays["network"] = np.array(text if isinstance(text, str) else json.dumps(header))
        np.savez(path, **arrays)

    return write


def weights(value: object) -> Callable[[Path], None]:
    return network(lambda header, arrays: arrays.update(weights0=np.array(value)))


def array(name: str, value: object) -> Callable[[Path], None]:
    return network(lambda header, arrays: arrays.update({name: np.array(value)}))


def first(**fields: object) -> Callable[[Path], None]:
    return network(lambda header, arrays: header["operators"][0].update(fields))


def operator(*entry: object, place: int = 1, **arrays: object) -> Callable[[Path], None]:
    def change(header: dict[str, Any], known: dict[str, Any]) -> None:
        header["operators"][place:place] = entry
        known.update({name: np.array(value) for name, value in arrays.items()})

    return network(change)


def requantise(shift: object = (0, 0, 0), m: object = (1, 1, 1), **fields: object) -> Any:
    return operator({"kind": "requantise", "shift": "s", **fields}, s=shift, m=m)


MAKERS: dict[str, Callable[[Path], Any]] = {
    "folder": Path.mkdir,
    "folder.npy": Path.mkdir,
    "folder.npz": Path.mkdir,
    "folder.qasm": Path.mkdir,
    "folder.png": Path.mkdir,
    "loop.npy": lambda path: path.symlink_to(path.name),
    "loop.npz": lambda path: path.symlink_to(path.name),
    "cut.npy": cut("outside.npy", 140),
    "cuthead.npy": cut("outside.npy", 20),
    "cut.npz": cut("labels.npz", 300),
    "huge.npy": huge_header,
    "badhead.npy": bad_header,
    "damaged.npz": damaged_zip,
    "member.npz": lambda path: zipfile.ZipFile(path, "w").writestr("rows", "0,1"),
    "shape.npz": weights(np.ones((3, 5), np.int64)),
    "onedim.npz": weights([1, 2, 3]),
    "nanweights.npz": weights([[1, np.nan], [1, 1], [1, 1]]),
    "halfweights.npz": weights([[1, 1], [1, 0.5], [1, 1]]),
    "textweights.npz": weights([["a", "b"]] * 3),
    "hugeweights.npz": weights(np.full((3, 2), 2**60)),
    "leastweights.npz": weights(np.full((3, 2), -(2**63))),
    "nooutput.npz": network(
        lambda h, a: a.update(weights0=np.zeros((0, 2), int), bias0=np.zeros(0, int))
    ),
    "bias.npz": array("bias0", [0] * 7),
    "thresholds.npz": array("thresholds3", [1, 2, 3]),
    "emptyrange.npz": array("input_low", [0, 5]),
    "rangeshape.npz": array("input_low", [0]),
    "widerange.npz": network(
        lambda h, a: a.update(input_low=np.full(2, -(2**61)), input_high=np.full(2, 2**61))
    ),
    "noweights.npz": network(lambda h, a: a.pop("weights0")),
    "noheader.npz": network(lambda h, a: a.pop("network")),
    "notjson.npz": network(lambda h, a: "operators: []"),
    "deepjson.npz": network(lambda h, a: "[" * 100_000),
    "format.npz": network(lambda h, a: h.update(format="someone else's 7")),
    "nooperators.npz": network(lambda h, a: h.update(operators=[])),
    "nolist.npz": network(lambda h, a: h.pop("operators")),
    "kind.npz": operator({"kind": "softmax"}, place=4),
    "string.npz": operator("dense", place=4),
    "middle.npz": operator({"kind": "top_k", "k": "two"}),
    "image.npz": operator({"kind": "conv2d", "weights": "weights0", "bias": "bias0"}),
    "groups.npz": operator({"kind": "maximum"}),
    "entries.npz": operator({"kind": "table", "low": 0.5, "values": "bias0"}),
    "column.npz": operator({"kind": "relu", "columns": "nowhere"}),
    "state.npz": network(lambda h, a: h.update(state=[[0]])),
    "clamp.npz": operator({"kind": "clamp", "low": 3, "high": 1}),
    "clamplow.npz": operator({"kind": "clamp", "high": 1}),
    "narrow.npz": first(bits=2),
    "bits.npz": first(bits=99),
    "shift.npz": requantise([1, 2, 99]),
    "shiftbelow.npz": requantise([1, 2, -1]),
    "shiftshape.npz": requantise([1]),
    "rounding.npz": requantise(rounding="nearest"),
    "multiplier.npz": requantise(multiplier="m", m=[1, -1, 1]),
    "multipliers.npz": requantise(multiplier="m", m=[1, 1]),
    "double.npz": requantise(rounding="tflite_double"),
}


def make(name: str, folder: Path) -> None:
    """Write the named file where it is one of ours."""
    path = folder / name
    if name in TEXTS:
        text = TEXTS[name]
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    elif name in ARRAYS:
        if isinstance(ARRAYS[name], dict):
            np.savez(path, **ARRAYS[name])
        else:
            np.save(path, np.asarray(ARRAYS[name]), allow_pickle=True)
    elif name in MAKERS:
        MAKERS[name](path)


# --- commands: what is typed, and words that the message must hold --------------------------------

VERIFY = ("verify", "xor", "--data")
WEIGH = ("verify", "xor", "--data", "good.npy", "--ensemble")
RUN = ("run", "xor", "--output", "y.npy", "--input")
COMMANDS: list[tuple[tuple[str, ...], str]] = [
    # networks
    (("verify", "missing.npz"), "missing.npz: there is no such file"),
    (("verify", "mnist"), "mnist: neither a file nor a bundled network (digits,"),
    (("verify", "folder"), "folder: only .npz, .tflite and .onnx models"),
    (("verify", "folder.npz"), "folder.npz: is a folder"),
    (("verify", "loop.npz"), "loop.npz: cannot be read (Too many"),
    (("verify", "data.csv"), "data.csv: only .npz, .tflite and .onnx models"),
    (("verify", "notzip.npz"), "notzip.npz: is not a readable .npz file"),
    (("verify", "labels.npz"), "labels.npz: has no entry 'network'"),
    (("verify", "noheader.npz"), "noheader.npz: has no entry 'network'"),
    (("verify", "notjson.npz"), "notjson.npz: the header is not JSON"),
    (("verify", "deepjson.npz"), "deepjson.npz: the header is not JSON"),
    (("verify", "format.npz"), 'format.npz: format "someone else\'s 7" is not'),
    (("verify", "nolist.npz"), "nolist.npz: the header lists no operators"),
    (("verify", "nooperators.npz"), "nooperators.npz: network 'toy' has no operators"),
    (("verify", "noweights.npz"), "operator 0: weights: array 'weights0' is missing"),
    (("verify", "kind.npz"), "operator 4: unknown kind 'softmax'; known are dense"),
    (("verify", "string.npz"), "operator 4: is 'dense', not a JSON object"),
    (("verify", "shape.npz"), "layer1, operator dense: weights have shape (3, 5); expected"),
    (("verify", "onedim.npz"), "operator 0: weights: expected 2 dimensions, got shape (3,)"),
    (("verify", "nanweights.npz"), "operator 0: weights: [0, 1] is nan"),
    (("verify", "halfweights.npz"), "weights: [1, 1] is 0.5; quantise to integers first"),
    (("verify", "textweights.npz"), "weights: expected integers, got <U1"),
    (("verify", "hugeweights.npz"), "layer1, operator dense: sums leave the 62-bit range"),
    (("verify", "leastweights.npz"), "weights: [0, 0] is -9223372036854775808; 2^62 and more"),
    (("verify", "nooutput.npz"), "layer1, operator dense: a dense layer needs at least one"),
    (("verify", "bias.npz"), "layer1, operator dense: bias has shape (7,); expected [3]"),
    (("verify", "thresholds.npz"), "layer2, operator threshold: thresholds have shape (3,)"),
    (("verify", "emptyrange.npz"), "input 1 has the empty range 5..3"),
    (("verify", "rangeshape.npz"), "input ranges must be two lists of one length"),
    (("verify", "widerange.npz"), "input 0 leaves the 62-bit range"),
    (("verify", "middle.npz"), "operator 1: k must be an integer, got 'two'"),
    (("verify", "image.npz"), "operator 1: weights: expected 4 dimensions, got shape"),
    (("verify", "groups.npz"), "operator 1: groups: array None is missing"),
    (("verify", "entries.npz"), "operator 1: low must be an integer, got 0.5"),
    (("verify", "column.npz"), "operator 1: columns: array 'nowhere' is missing"),
    (("verify", "state.npz"), "state: expected 2 integers, got [0]"),
    (("verify", "clamp.npz"), "layer1, operator clamp: clamp from 3 to 1 is empty"),
    (("verify", "clamplow.npz"), "operator 1: clamp needs integers low and high"),
    (("verify", "narrow.npz"), "output 0 ranges over -3..3, which does not fit the forced width"),
    (("verify", "bits.npz"), "operator 0: bits must be an integer in 1..62, got 99"),
    (("verify", "shift.npz"), "operator requantise: shifts must lie in 0..62, got 1..99"),
    (("verify", "shiftbelow.npz"), "shifts must lie in 0..62, got -1..2"),
    (("verify", "shiftshape.npz"), "operator requantise: shifts have shape (1,); expected [3]"),
    (("verify", "rounding.npz"), "unknown rounding 'nearest'; choose one of floor"),
    (("verify", "multiplier.npz"), "multipliers must lie in 0..2^31-1"),
    (("verify", "multipliers.npz"), "multipliers have shape (2,); expected [3]"),
    (("verify", "double.npz"), "rounding tflite_double needs a multiplier"),
    # rows
    ((*VERIFY, "missing.npy"), "missing.npy: there is no such file"),
    ((*VERIFY, "folder.npy"), "folder.npy: is a folder"),
    ((*VERIFY, "loop.npy"), "loop.npy: cannot be read (Too many"),
    ((*VERIFY, "data.csv"), "data.csv: is not a readable .npy file"),
    ((*VERIFY, "text.npy"), "text.npy: is not a readable .npy file"),
    ((*VERIFY, "empty.npy"), "empty.npy: is not a readable .npy file"),
    ((*VERIFY, "cut.npy"), "cut.npy: is not a readable .npy file"),
    ((*VERIFY, "cuthead.npy"), "cuthead.npy: is not a readable .npy file"),
    ((*VERIFY, "badhead.npy"), "badhead.npy: is not a readable .npy file"),
    ((*VERIFY, "huge.npy"), "huge.npy: says that it holds more than the memory takes"),
    ((*VERIFY, "cut.npz"), "cut.npz: is not a readable .npz file"),
    ((*VERIFY, "damaged.npz"), "damaged.npz: is not a readable .npz file"),
    ((*VERIFY, "notzip.npz"), "notzip.npz: is not a readable .npz file"),
    ((*VERIFY, "member.npz"), "member.npz: shape (); network 'xor' takes [rows, 2]"),
    ((*VERIFY, "nodata.npz"), "nodata.npz: has no array 'rows'; it holds x"),
    ((*VERIFY, "objects.npz"), "objects.npz: holds Python objects"),
    ((*VERIFY, "objects.npy"), "objects.npy: holds Python objects"),
    ((*VERIFY, "flat.npy"), "flat.npy: shape (2,); network 'xor' takes [rows, 2]"),
    ((*VERIFY, "wide.npy"), "wide.npy: shape (2, 3); network 'xor' takes [rows, 2]"),
    ((*VERIFY, "norows.npy"), "norows.npy: there are no rows"),
    ((*VERIFY, "outside.npy"), "row 1, input 1 is 5, outside the declared 0..1"),
    ((*VERIFY, "below.npy"), "row 0, input 0 is -1, outside the declared 0..1"),
    ((*VERIFY, "nan.npy"), "nan.npy: row 1, input 0 is nan; values must be integers"),
    ((*VERIFY, "inf.npy"), "row 0, input 1 is inf; values must be integers"),
    ((*VERIFY, "half.npy"), "row 0, input 0 is 0.5; values must be integers"),
    ((*VERIFY, "vast.npy"), "row 0, input 1 is 1e+300, outside the declared 0..1"),
    ((*VERIFY, "uint64.npy"), "input 1 is 18446744073709551615, outside the declared"),
    ((*VERIFY, "complex.npy"), "values must be integers, got complex128"),
    ((*VERIFY, "strings.npy"), "values must be integers, got <U1"),
    (("verify", "digits", "--data", "labels.npz"), "labels.npz, labels: shape (3,); expected [2]"),
    (("verify", "digits", "--data", "words.npz"), "labels: expected integers, got <U1"),
    # ensembles
    (("verify", "xor", "--ensemble", "gauss"), "unknown ensemble 'gauss'; choose one of data"),
    (("verify", "xor", "--ensemble", ""), "unknown ensemble ''; choose one of data"),
    (("verify", "xor", "--ensemble", "uniform:3"), "unknown ensemble 'uniform:3'"),
    (("verify", "xor", "--ensemble", "weights:"), "unknown ensemble 'weights:'"),
    (("verify", "xor", "--ensemble", "product:1.5"), "the probability must lie in 0..1"),
    (("verify", "xor", "--ensemble", "product:abc"), "'abc' is no probability"),
    (("verify", "xor", "--ensemble", "product:nan"), "the probability must lie in 0..1"),
    (("verify", "toy", "--ensemble", "product:0.5"), "use uniform, product:data with data, a data"),
    (("verify", "digits", "--ensemble", "product:0.5"), "with two; use a data file or random:ROWS"),
    (("verify", "digits", "--tuned-to", "product:0.5"), "with two; use a data file or random:ROWS"),
    (("verify", "toy", "--tuned-to", "product:data"), "needs data: give --data FILE (or a file"),
    (("verify", "digits", "--ensemble", "product:data"), "ensemble product:data: the declared"),
    (("verify", "xor", "--ensemble", "product:data"), "this ensemble needs data: give --data"),
    (("verify", "xor", "--ensemble", "random:0"), "rows must lie in 1..2^24, got 0"),
    (("verify", "xor", "--ensemble", "random:abc"), "'abc' is no number of rows"),
    (("verify", "xor", "--ensemble", "random:-5"), "'-5' is no number of rows"),
    (("verify", "xor", "--ensemble", "random:5", "--seed", "-1"), "the seed must be 0 or more"),
    (("verify", "digits", "--ensemble", "uniform"), "span 2^261.6 rows, more than 2^24; use"),
    ((*WEIGH, "uniform"), "ensemble 'uniform' takes no data: leave --data out"),
    ((*WEIGH, "weights:missing.npy"), "missing.npy: there is no such file"),
    ((*WEIGH, "weights:negative.npy"), "row 2 has a negative weight"),
    ((*WEIGH, "weights:zero.npy"), "ensemble 'weights:zero.npy': all weights are 0"),
    ((*WEIGH, "weights:short.npy"), "weights have shape (3,); expected [4]"),
    ((*WEIGH, "weights:fraction.npy"), "weights must be whole numbers; multiply them up"),
    ((*WEIGH, "weights:heavy.npy"), "weights add up to 2^53 or more; divide them down"),
    # options
    (("verify", "xor", "--policy", "lazy"), "unknown policy 'lazy'; choose one of conventional"),
    (("verify", "xor", "--input", "burn"), "unknown input choice 'burn'; choose one of destroy"),
    (("verify", "xor", "--threads", "0"), "threads must be 1 or more, got 0"),
    (
        ("verify", "xor", "--temperature", "0"),
        "the temperature must lie in 1e-12..1e+12 K, got 0",
    ),
    (
        ("verify", "xor", "--temperature", "-1"),
        "the temperature must lie in 1e-12..1e+12 K, got -1",
    ),
    (
        ("verify", "xor", "--temperature", "nan"),
        "the temperature must lie in 1e-12..1e+12 K, got nan",
    ),
    (("verify", "xor", "--temperature", "inf"), "the temperature must lie in 1e-12..1e+12 K"),
    (
        ("verify", "xor", "--temperature", "4", "--efficiency", "1e-320", "--json"),
        "the efficiency, a fraction of Carnot, must lie in 1e-09..1, got 1e-320",
    ),
    (
        ("energy", "--temperature", "1e-300", "--efficiency", "1e-300", "--json"),
        "the temperature must lie in 1e-12..1e+12 K, got 1e-300",
    ),
    (
        ("energy", "--temperature", "1e-320", "--efficiency", "0.5"),
        "the temperature must lie in 1e-12..1e+12 K, got 1e-320",
    ),
    (("adiabatic", "xor", "--tick", "1e300", "--json"), "the tick must lie in 1e-15..1000 s"),
    (
        ("adiabatic", "xor", "--leakage", "1e300"),
        "the leakage power must lie in 0..1 W",
    ),
    # experiments
    (("experiment", "list", "--plot", "x.png"), "--plot is for what runs: name an experiment"),
    (("experiment", "list", "--folder", "F"), "--folder is for what runs: name an experiment"),
    (("experiment", "--folder", "F"), "--folder is for what runs: name an experiment"),
    (("experiment", "linear", "--folder", "F"), "--folder is for `revsim experiment all`"),
    (("experiment", "all", "--plot", "x.png"), "--plot is for one experiment; for all of them"),
    (("experiment", "all", "--folder", "a/b"), "a/b: there is no folder a; make it first"),
    (("experiment", "all", "--folder", "good.npy"), "good.npy: is a file, not a folder"),
    (("verify", "xor", "--temperature", "warm"), "--temperature: invalid float value: 'warm'"),
    (("verify", "xor", "--units", "calories"), "--units: invalid choice: 'calories'"),
    (("verify", "xor", "--plot", "p.doc"), "p.doc: end the name in one of .png"),
    (("verify", "xor", "--plot", "p"), "p: end the name in one of .png"),
    (("verify", "xor", "--plot", "no/p.png"), "no/p.png: there is no folder 'no'"),
    (("verify", "xor", "--plot", "folder.png"), "folder.png: is a folder"),
    (("verify", "xor", "--plot", "p.doc", "--neurons", "n.csv"), "p.doc: end the name"),
    (("verify", "xor", "--neurons", "no/n.csv"), "no/n.csv: there is no folder 'no'"),
    (("verify", "xor", "--erasures", "folder"), "folder: is a folder"),
    (("verify", "--speed"), "unrecognized arguments: --speed"),
    (("verify", "xor", "toy"), "unrecognized arguments: toy"),
    (("prove",), "invalid choice: 'prove'"),
    (
        ("verify", "xor", "--policy", "bennett", "--input", "keep", "--policy=uncompute"),
        "--policy is given twice; see `revsim verify --help`",
    ),
    (("energy", "--bits", "3", "--bit", "3"), "--bits is given twice"),
    # run
    ((*RUN, "missing.npy"), "missing.npy: there is no such file"),
    ((*RUN, "wide.npy"), "wide.npy: shape (2, 3); 'xor' takes [rows, 2]"),
    ((*RUN, "flat.npy"), "flat.npy: shape (2,); 'xor' takes [rows, 2]"),
    ((*RUN, "half.npy"), "half.npy: [0, 0] is 0.5; quantise to integers first"),
    ((*RUN, "norows.npy"), "'norows.npy': there are no rows"),
    ((*RUN, "outside.npy"), "row 1: register 'input[1]' is 5, it takes 0..1"),
    ((*RUN, "labels.npz"), "labels.npz: is not a readable .npy file"),
    ((*RUN, "good.npy", "--policy", "lazy"), "unknown policy 'lazy'"),
    ((*RUN, "good.npy", "--tensors", "no/t.npz"), "no/t.npz: there is no folder 'no'"),
    (("run", "xor", "--input", "good.npy", "--output", "no/y.npy"), "there is no folder 'no'"),
    (("run", "xor", "--input", "good.npy", "--output", "folder"), "folder: is a folder"),
    (("run", "xor", "--input", "good.npy", "--output", "y.csv"), "y.csv: end the name in .npy"),
    (("run", "xor", "--input", "good.npy", "--output", "y.npz"), "y.npz: end the name in .npy"),
    (
        ("run", "xor", "--input", "good.npy", "--output", "y.npy", "--tensors", "t.npy"),
        "t.npy: end the name in .npz",
    ),
    (("run", "xor", "--input", "good.npy"), "arguments are required: --output; see `revsim run"),
    # circuits
    (("table", "missing.qasm"), "missing.qasm: cannot be read: No such file"),
    (("table", "folder.qasm"), "folder.qasm: cannot be read: Is a directory"),
    (("table", "xor"), "xor: cannot be read"),
    (("table", "wide.qasm"), "'wide' has 17 input bits; tables go up to 16: use `revsim run`"),
    (("table", "empty.qasm"), "empty.qasm, line 1: the file holds no statement"),
    (("table", "twice.qasm"), "twice.qasm, line 4: gate 'cx' uses a[1] twice"),
    (("run", "cut.qasm", "--input", "good.npy", "--output", "y.npy"), "cut.qasm, line 4"),
    (("count", "cut.qasm"), "cut.qasm, line 4: ';' is missing"),
    (("count", "itself.qasm"), "itself.qasm, line 4: def 'f' calls itself"),
    (("count", "unknown.qasm"), "line 4: there is no gate or definition 'fredkin'"),
    (("count", "index.qasm"), "index.qasm, line 4: index 7 is out of range"),
    (("count", "bytes.qasm"), "bytes.qasm, line 3: byte 0xff is not UTF-8 text"),
    (("count", "labels.npz"), "labels.npz: has no entry 'network'"),
    (("count", "good.qasm", "--input", "keep"), "--input is for networks: good.qasm says"),
    (("count", "good.qasm", "--policy", "bennett"), "--policy is for networks: good.qasm says"),
    (("draw", "digits"), "a drawing of gates takes at most 120: draw the hierarchy"),
]


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize(("arguments", "words"), COMMANDS, ids=[" ".join(c) for c, _ in COMMANDS])
def test_a_bad_command_gives_one_message_and_leaves_nothing_behind(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for argument in arguments:
        make(argument.rpartition(":")[2], tmp_path)
    before = contents(tmp_path)
    try:
        status = main(arguments)
    except SystemExit as stop:  # argparse
        status = stop.code
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert err.startswith("revsim: ") and err.endswith("\n")
    assert words in err
    assert err.count("\n") == 1 and len(err) < 300 and str(tmp_path) not in err
    assert contents(tmp_path) == before
