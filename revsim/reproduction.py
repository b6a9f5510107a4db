"""`reproduce`: a saved report is run again from its provenance, and every number compared.

The report's command line goes through revsim's own parser and may only be `verify`; options that
write files are dropped, nothing is evaluated, no shell is started. Model and rows are compared by
their digests before any gate runs. Numbers must be equal to the last bit: sums over rows are
integers, so that neither threads nor blocks may change them.
"""

import json
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final, NoReturn

import revsim
from revsim.cli.calibration import load_as_asked
from revsim.errors import InputError
from revsim.evidence import data_digest, model_digest
from revsim.graphs.verification import default_samples, graph_digest, samples_digest
from revsim.inputs import make_ensemble
from revsim.network.files import reading
from revsim.network.graph import Graph
from revsim.pipeline import default_ensemble
from revsim.report.report import SCHEMA
from revsim.streaming import stream_digest

SIZE_LIMIT: Final = 1 << 26
"""Bytes that a report may have."""
SHOWN: Final = 20
"""Differences that are printed; JSON lists them all."""
WRITING: Final = ("plot", "neurons", "erasures")
"""Options of `verify` that write files: a rerun writes nothing."""


@dataclass(frozen=True)
class Change:
    """One value that differs: its path in the JSON, then and now (`absent` where there is none)."""

    path: str
    then: str
    now: str


@dataclass(frozen=True)
class Reproduction:
    """What came of a rerun: the numbers compared and those that differ.

    made_by: the version of revsim then; executors: which ran then and now ("?": not said).
    """

    report: str
    argv: tuple[str, ...]
    made_by: str
    executors: tuple[str, str]
    compared: int
    changes: tuple[Change, ...]

    @property
    def equal(self) -> bool:
        """Whether every value is the same."""
        return not self.changes

    def as_dict(self) -> dict[str, Any]:
        """Plain values, in the layout of `revsim reproduce --json`."""
        return {"schema": "revsim reproduce 1", "equal": self.equal, **asdict(self)}


def reproduce(
    path: str | Path,
    *,
    model: str | Path | None = None,
    data: str | Path | None = None,
    executor: str | None = None,
    threads: int | None = None,
) -> Reproduction:
    """Run a report of `verify --json` again and compare all but its provenance.

    model, data: where the files are now, if they were moved. executor: another one than the
    report's, which must come to the same numbers (None: as its command line says). Raises
    InputError where the report cannot be read or does not say how it was made, or where model or
    rows are not the same.
    """
    then = _read(Path(path))
    options = _options(path, then["provenance"])
    moved = ("model", model), ("data", data), ("executor", executor), ("threads", threads)
    for name, given in moved:
        if given is not None or name == "threads":
            setattr(options, name, given if name == "threads" else str(given))
    _check_digests(path, options, then)
    from revsim.cli.reports import report_of

    now = json.loads(report_of(options).to_json())
    versions = then["provenance"].get("versions")
    before, after = (_short(str(r["provenance"].get("executor", "?")), 20) for r in (then, now))
    return Reproduction(
        str(path),
        tuple(options.argv),
        str(versions.get("revsim", "?")) if isinstance(versions, dict) else "?",
        (before, after),
        sum(1 for _ in _leaves(now)),
        tuple(_changes(_without(then), _without(now), "")),
    )


def _without(report: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key != "provenance"}


def _read(path: Path) -> dict[str, Any]:
    """The report as plain values, or an InputError."""
    with reading(path, "JSON"):
        if path.stat().st_size > SIZE_LIMIT:
            raise InputError(f"{path}: is larger than {SIZE_LIMIT >> 20} MiB")
        text = path.read_bytes()
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON ({_short(str(error))})") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise InputError(
            f"{path}: is no report of `revsim verify --json` (schema {SCHEMA!r} is missing)"
        )
    if not isinstance(found.get("provenance"), dict):
        raise InputError(f"{path}: has no provenance, so nothing says how it was made")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _options(path: str | Path, provenance: Mapping[str, Any]) -> Namespace:
    """The report's command line through revsim's own parser."""
    from revsim.cli.main import build_parser

    argv = provenance.get("argv")
    if not isinstance(argv, list) or not all(isinstance(a, str) for a in argv):
        raise InputError(f"{path}: provenance.argv is no list of words")
    if not argv:
        raise InputError(
            f"{path}: was made in Python from values that only its program knows; save them "
            "(rs.save, numpy.save) and make the report with "
            "`revsim verify MODEL.npz --data ROWS.npy --json`"
        )
    if argv[1:2] != ["verify"]:
        raise InputError(f"{path}: was not made by `revsim verify`, and only that is run again")
    said = StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            options = build_parser().parse_args(argv[1:])
    except SystemExit:
        raise InputError(
            f"{path}: its command line is not one of this version ({_short(' '.join(argv))})"
        ) from None
    for name in WRITING:
        setattr(options, name, None)
    options.argv = list(argv)
    return options


def _check_digests(path: str | Path, options: Namespace, report: Mapping[str, Any]) -> None:
    """Refuse another model or other rows before any gate runs."""
    then = report["provenance"].get("sha256")
    if not isinstance(then, dict):
        raise InputError(f"{path}: provenance.sha256 is missing")
    try:
        weights = str(options.ensemble).partition("weights:")[2]
        for name in (options.model, options.data, options.calibrate, weights, options.tuned_to):
            if name and os.path.exists(name) and not (os.path.isfile(name) or os.path.isdir(name)):
                raise InputError(f"{name}: is no file")
        network, _ = load_as_asked(options)
        if isinstance(network, Graph):
            _same("model", options.model, then, graph_digest(network))
        else:
            _same("model", options.model, then, model_digest(network))
        ensemble, _ = make_ensemble(network, options.ensemble, options.data, options.seed)
        if isinstance(network, Graph):
            samples = default_samples(network) if ensemble is None else ensemble
            _same("data", options.data or samples.name, then, samples_digest(network, samples))
            return
        chosen = default_ensemble(network)[0] if ensemble is None else ensemble
        name = options.data or chosen.name
        _same("data", name, then, data_digest(chosen))
        stream = report.get("stream")
        if options.stream and isinstance(stream, dict):
            _same(
                "data",
                f"{name} in its order",
                {"data": stream.get("sha256")},
                stream_digest(chosen),
            )
    except InputError as error:
        raise InputError(
            f"{path}: cannot be run again: {_short(str(error), 160)} (--model and --data say "
            "where files are now)"
        ) from error


def _same(kind: str, name: str, then: Mapping[str, Any], digest: str) -> None:
    if then.get(kind) != digest:
        raise InputError(
            f"the {kind} ({_short(name, 40)}) is not that of the report: sha256 was "
            f"{_short(str(then.get(kind)), 11)}, is {_short(digest, 11)}"
        )


def _changes(then: Any, now: Any, path: str) -> Iterator[Change]:
    """Every place where two JSON values differ, in order; 1 and 1.0 do."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*then, *now]):
            below = f"{path}.{_short(str(key))}".removeprefix(".")
            if key in then and key in now:
                yield from _changes(then[key], now[key], below)
            else:
                yield Change(below, _said(then, key), _said(now, key))
    elif isinstance(then, list) and isinstance(now, list):
        for k in range(max(len(then), len(now))):
            if k < len(then) and k < len(now):
                yield from _changes(then[k], now[k], f"{path}[{k}]")
            else:
                yield Change(f"{path}[{k}]", _said(then, k), _said(now, k))
    elif type(then) is not type(now) or then != now:
        yield Change(path, _value(then), _value(now))


def _said(holder: Any, key: Any) -> str:
    there = key in holder if isinstance(holder, dict) else key < len(holder)
    return _value(holder[key]) if there else "absent"


def _value(value: Any) -> str:
    """A value in a few characters; what holds others by its kind and size."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return _short(json.dumps(value))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            yield from _leaves(below)
    else:
        yield value


def _short(text: str, limit: int = 60) -> str:
    one_line = "".join(c if c.isprintable() else "?" for c in text)
    return one_line if len(one_line) <= limit else f"{one_line[: limit - 3]}..."


def render(found: Reproduction) -> str:
    """The outcome in lines of at most 80 columns where paths allow it."""
    before, after = found.executors
    head = f"{found.report}: revsim {found.made_by} ({before}) then, "
    head += f"{revsim.__version__} ({after}) now\n"
    head += f"  {_short(' '.join(found.argv), 76)}\n"
    if found.equal:
        return head + f"equal: all {found.compared:,} values, to the last bit\n"
    lines = [f"{len(found.changes):,} of {found.compared:,} values differ:"]
    for change in found.changes[:SHOWN]:
        lines += [f"  {change.path}", f"    then {change.then}", f"    now  {change.now}"]
    if len(found.changes) > SHOWN:
        lines.append(f"  ... and {len(found.changes) - SHOWN:,} more (--json lists them all)")
    return head + "\n".join(lines) + "\n"
