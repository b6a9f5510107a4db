"""Networks on disk: one .npz, integer arrays plus a JSON header, no pickle.

The header (key `network`, a text) lists the operators in order and names the arrays that hold
their parameters; everything else in the file is integer arrays.
"""

import io
import json
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from revsim.errors import InputError
from revsim.files import write_whole
from revsim.network.arrays import integers
from revsim.network.network import Network
from revsim.network.operators import (
    Argmax,
    Clamp,
    Conv2d,
    Dense,
    Integers,
    Maximum,
    Operator,
    Part,
    Product,
    Relu,
    Requantise,
    Sign,
    Single,
    Table,
    Threshold,
    TopK,
    Wrap,
)

FORMAT = "revsim network 1"
SIZE_LIMIT = 1 << 30
"""Bytes that the arrays of one file may take in memory."""
NAME_LIMIT = 10_000
"""Characters of an array's name in a file; a zip takes 65,535 bytes."""
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    EOFError,
    KeyError,
    RuntimeError,
    SyntaxError,
    ValueError,
)
"""What NumPy and zipfile raise on bytes that are no array."""


def save(network: Network, path: str | Path) -> None:
    """Write a network; a file that cannot be finished is not left behind."""
    if not isinstance(network, Network):
        raise InputError(
            f"{path}: only chains of layers are saved, not {type(network).__name__}; keep the "
            "model file that a graph was read from"
        )
    header, arrays = _packed(network)
    write_npz(path, {"network": np.array(json.dumps(header)), **_smaller(arrays)})


def save_many(networks: Sequence[Network], path: str | Path) -> None:
    """Write networks that differ in their numbers alone, each array stacked: [networks, ...].

    Raises InputError where operators, shapes or texts differ; the first one's name is kept.
    """
    packed = [_packed(network) for network in networks]
    header, first = packed[0]
    for other, arrays in packed[1:]:
        same = {**other, "name": header["name"]} == header and arrays.keys() == first.keys()
        if not same or any(arrays[key].shape != first[key].shape for key in first):
            raise InputError(f"{path}: {other['name']!r} is not of the form of {header['name']!r}")
    stacked = {key: np.stack([arrays[key] for _, arrays in packed]) for key in first}
    write_npz(path, {"network": np.array(json.dumps(header)), **_smaller(stacked)})


def _packed(network: Network) -> tuple[dict[str, Any], dict[str, Integers]]:
    header: dict[str, Any] = {
        "format": FORMAT,
        "name": network.name,
        "source": network.source,
        "licence": network.licence,
        "operators": [],
    }
    arrays: dict[str, Integers] = {"input_low": network.input_low, "input_high": network.input_high}
    if network.state:
        header["state"] = [list(pair) for pair in network.state]
        header["initial"] = list(network.initial)
    for k, operator in enumerate(network.operators):
        inner = operator.operator if isinstance(operator, Part) else operator
        entry: dict[str, Any] = {"kind": inner.kind}
        given = {field.name: getattr(inner, field.name) for field in fields(inner)}
        if isinstance(operator, Part):  # written as the inner operator with its columns
            given["columns"] = operator.columns
        for name, value in given.items():
            if isinstance(value, np.ndarray):
                entry[name] = f"{name}{k}"
                arrays[f"{name}{k}"] = value
            elif value is not None:
                entry[name] = value
        header["operators"].append(entry)
    return header, arrays


def _smaller(arrays: dict[str, Integers]) -> dict[str, Any]:
    return {key: small(value) for key, value in arrays.items()}


def small(values: Integers) -> np.ndarray[Any, np.dtype[Any]]:
    """The same integers in the smallest signed type that holds them."""
    for kind in (np.int8, np.int16, np.int32):
        info = np.iinfo(kind)
        if values.size == 0 or (values.min() >= info.min and values.max() <= info.max):
            return values.astype(kind)
    return values


def write_npz(path: str | Path, arrays: dict[str, Any]) -> None:
    """Write a compressed .npz, whole or not at all, under any names (`entry_names`)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, array in zip(entry_names(arrays), arrays.values(), strict=True):
            with archive.open(f"{entry}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
    write_whole(path, buffer.getvalue())


def entry_names(names: Iterable[str]) -> list[str]:
    """Names as an .npz can hold them: themselves, but for a zero character, an ending .npy, and
    lengths beyond what a zip takes; two that have become one are numbered. (`np.savez` itself
    would take a tensor named `file` for its own argument.)

    >>> entry_names(["a/b;c:0", "file", "d" + chr(0), "d?", "e.npy"])
    ['a/b;c:0', 'file', 'd?', 'd? #1', 'e_npy']
    """
    out: list[str] = []
    taken: set[str] = set()
    for name in names:
        entry = name.replace("\0", "?")[:NAME_LIMIT]
        if entry.endswith(".npy"):
            entry = entry[:-4] + "_npy"
        base, count = entry, 0
        while entry in taken:
            count += 1
            entry = f"{base} #{count}"
        taken.add(entry)
        out.append(entry)
    return out


def write_npy(path: str | Path, array: Integers) -> None:
    """Write one array as .npy, whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_whole(path, buffer.getvalue())


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Whatever a missing, damaged or foreign file provokes becomes one InputError that names it."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a folder, not a file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except MemoryError as error:
        raise InputError(f"{path}: says that it holds more than the memory takes") from error
    except DAMAGE as error:
        if "Object arrays" in str(error):
            raise InputError(f"{path}: holds Python objects; only plain arrays are read") from error
        raise InputError(f"{path}: is not a readable {kind} file ({error})") from error


def read_npy(path: str | Path) -> np.ndarray[Any, np.dtype[Any]]:
    """The array of a .npy, pickled objects refused, memory bounded."""
    path = Path(path)
    with reading(path, ".npy"), path.open("rb") as file:
        if path.stat().st_size > SIZE_LIMIT:
            raise InputError(f"{path}: is larger than {SIZE_LIMIT >> 20} MiB")
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def read_npz(path: str | Path) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """All arrays of an .npz, pickled objects refused, memory bounded."""
    path = Path(path)
    with reading(path, ".npz"):
        with zipfile.ZipFile(path) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
        if total > SIZE_LIMIT:
            raise InputError(f"{path}: unpacks to {total} bytes, more than {SIZE_LIMIT}")
        with np.load(path, allow_pickle=False) as data:
            return {key: np.asarray(data[key]) for key in data.files}


def load_npz(path: str | Path) -> Network:
    """Read a network written by `save`, checking every shape and value on the way."""
    return _unpacked(read_npz(path), path)


def load_many(path: str | Path) -> tuple[Network, ...]:
    """Read the networks written by `save_many`; number k of NAME is called NAME_k."""
    data = read_npz(path)
    stacked = {key: value for key, value in data.items() if key != "network"}
    counts = {len(value) if value.ndim else 0 for value in stacked.values()}
    if len(counts) != 1:
        raise InputError(f"{path}: is no file of several networks; its arrays are not stacked")
    networks = (
        _unpacked({**data, **{key: value[k] for key, value in stacked.items()}}, path)
        for k in range(counts.pop())
    )
    return tuple(replace(network, name=f"{network.name}_{k}") for k, network in enumerate(networks))


def _unpacked(data: dict[str, np.ndarray[Any, np.dtype[Any]]], path: str | Path) -> Network:
    if "network" not in data:
        raise InputError(f"{path}: has no entry 'network'; it was not written by revsim")
    try:
        header = json.loads(str(data["network"]))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: the header is not JSON: {error}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        found = header.get("format") if isinstance(header, dict) else header
        raise InputError(f"{path}: format {found!r} is not {FORMAT!r}")
    entries = header.get("operators")
    if not isinstance(entries, list):
        raise InputError(f"{path}: the header lists no operators")

    def array(key: object, dimensions: int, what: str) -> Integers:
        if not isinstance(key, str) or key not in data:
            raise InputError(f"{what}: array {key!r} is missing")
        return integers(data[key], what, None if dimensions < 0 else dimensions)

    try:
        return Network(
            str(header.get("name", Path(path).stem)),
            array("input_low", 1, "input_low"),
            array("input_high", 1, "input_high"),
            tuple(_operator(entry, array, f"operator {k}") for k, entry in enumerate(entries)),
            str(header.get("source", "")),
            str(header.get("licence", "")),
            tuple(_whole(pair, 2, "state") for pair in _list(header.get("state", []), "state")),  # type: ignore[misc]
            tuple(_list(header.get("initial", []), "initial")),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


Array = Callable[[object, int, str], Integers]


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{where}: expected a list, got {value!r}")
    return value


def _whole(value: object, count: int, where: str) -> tuple[int, ...]:
    """A JSON list of `count` integers."""
    if not isinstance(value, list) or len(value) != count or not all(_is_whole(v) for v in value):
        raise InputError(f"{where}: expected {count} integers, got {value!r}")
    return tuple(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62


def _number(entry: dict[str, Any], name: str, where: str, default: int | None = None) -> int:
    value = entry.get(name, default)
    if not _is_whole(value):
        raise InputError(f"{where}: {name} must be an integer, got {value!r}")
    assert isinstance(value, int)
    return value


def _operator(entry: Any, array: Array, where: str) -> Operator:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: is {entry!r}, not a JSON object with a kind")

    def given(name: str, dimensions: int) -> Integers:
        return array(entry.get(name), dimensions, f"{where}: {name}")

    def given_or_none(name: str, dimensions: int) -> Integers | None:
        return None if entry.get(name) is None else given(name, dimensions)

    bits = entry.get("bits")
    if bits is not None and not (isinstance(bits, int) and 1 <= bits <= 62):
        raise InputError(f"{where}: bits must be an integer in 1..62, got {bits!r}")
    match entry.get("kind"):
        case "dense":
            return Dense(given("weights", 2), given("bias", 1), bits)
        case "conv2d":
            return Conv2d(
                given("weights", 4),
                given("bias", 1),
                _whole(entry.get("shape"), 3, f"{where}: shape"),  # type: ignore[arg-type]
                _whole(entry.get("stride", [1, 1]), 2, f"{where}: stride"),  # type: ignore[arg-type]
                _whole(entry.get("padding", [0] * 4), 4, f"{where}: padding"),  # type: ignore[arg-type]
                _whole(entry.get("dilation", [1, 1]), 2, f"{where}: dilation"),  # type: ignore[arg-type]
                _number(entry, "groups", where, 1),
                _number(entry, "pad_value", where, 0),
                bits,
            )
        case "product":
            return Product(
                given("left", 1),
                given("right", 1),
                given("coefficients", 1),
                given("target", 1),
                given("bias", 1),
                bits,
            )
        case "argmax":
            return Argmax()
        case "top_k":
            return TopK(_number(entry, "k", where), given_or_none("groups", 2))
        case "maximum":
            return Maximum(given("groups", 2))
    operator = _single(entry, given, given_or_none, where)
    columns = given_or_none("columns", 1)
    return operator if columns is None else Part(operator, columns)


def _single(
    entry: dict[str, Any],
    given: Callable[[str, int], Integers],
    given_or_none: Callable[[str, int], Integers | None],
    where: str,
) -> Single:
    match entry.get("kind"):
        case "relu":
            return Relu()
        case "requantise":
            rounding = str(entry.get("rounding", "half_up"))
            return Requantise(given("shift", 1), rounding, given_or_none("multiplier", 1))
        case "clamp":
            low, high = entry.get("low"), entry.get("high")
            if not isinstance(low, int) or not isinstance(high, int):
                raise InputError(f"{where}: clamp needs integers low and high")
            return Clamp(low, high)
        case "threshold":
            return Threshold(given("thresholds", 1))
        case "sign":
            return Sign()
        case "wrap":
            return Wrap(_number(entry, "bits", where))
        case "table":
            # one table for all columns (one dimension) or one each (two)
            values = given("values", -1)
            return Table(_number(entry, "low", where), values)
        case kind:
            raise InputError(f"{where}: unknown kind {kind!r}; known are {', '.join(KINDS)}")


KINDS = (
    *("dense", "conv2d", "product", "relu", "requantise", "clamp", "threshold", "sign", "wrap"),
    *("table", "argmax", "top_k", "maximum"),
)
