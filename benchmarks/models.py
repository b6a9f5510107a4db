"""Real models through the gates: every tensor that their own runtimes stored, compared.

    python benchmarks/models.py DIR [--only NAME ...] [--rows N]

DIR is a folder of public test data (references.py says how it is laid out). Each model is read,
compiled with everything uncomputed, and run, every gate of every position on every stored sample;
what is read from the wires is compared with the runtime's outputs of all samples and with the
tensors stored of the first ones; all other tensors with the integer reference. The table is
Markdown. Each model runs in a process of its own, so that memory is its own; exit status 1 where
anything differs.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from revsim.report.counting import compact

HEADER = """\
| model | samples | tensors | elements | differ | gates run | seconds | MiB | sha256 |
|---|--:|--:|--:|--:|--:|--:|--:|---|"""


def main() -> int:
    """Print the table; exit status 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="models whose names begin so")
    parser.add_argument("--rows", type=int, metavar="N", help="first so many samples")
    parser.add_argument("--one", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.folder, options.one, options.rows)))
        return 0
    names = run_alone(options, "--one", "names")
    found = []
    for name in names:
        if options.only is None or any(name.startswith(begin) for begin in options.only):
            found.append(run_alone(options, "--one", name))
            print(line(found[-1]), file=sys.stderr)
    print("\n".join(table(found)))
    return int(any(f["differences"] or f["unlike"] for f in found if "refused" not in f))


def run_alone(options: argparse.Namespace, *more: str) -> Any:
    """What this script prints in a process of its own."""
    rows = [] if options.rows is None else ["--rows", str(options.rows)]
    command = [sys.executable, __file__, str(options.folder), *rows, *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def measure(folder: Path, name: str, rows: int | None) -> Any:
    """Everything about one model; the names of all for `names`."""
    from references import Comparison, digest, models_of, run_case

    from revsim.errors import InputError

    models = {model.name: model for model in models_of(folder)}
    if name == "names":
        return list(models)
    model = models[name]
    found = {"name": name, "sha256": digest(folder / file for file in model.files)}
    started, total, stored = time.perf_counter(), Comparison(), 0
    try:
        for case in model.cases(folder):
            total += run_case(case, rows)
            stored += case.stored
    except InputError as error:
        return {**found, "refused": str(error)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mib = peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    seconds = time.perf_counter() - started
    return {**found, **vars(total), "stored": stored, "seconds": seconds, "mib": mib}


def table(found: list[dict[str, Any]]) -> list[str]:
    """The table, and in words what it leaves open."""
    run = [f for f in found if "refused" not in f]
    beyond, unlike = (sum(f[key] for f in run) for key in ("beyond", "unlike"))
    out = [HEADER, *(line(f) for f in found), ""]
    out.append(
        f"Of tensors and samples that no runtime's are stored for, {beyond:,} elements more were "
        f"held against the integer reference: {unlike:,} differ."
    )
    if any(f["stored"] > f["tensors"] for f in run):
        out.append("n/m: the other m - n stored are weights, or floats between integers of gates.")
    out += [f"{f['name']}: {f['refused']}" for f in found if "refused" in f]
    return out


def line(f: dict[str, Any]) -> str:
    """A row of the table."""
    if "refused" in f:
        return f"| {f['name']} | | | | | refused | | | {f['sha256']} |"
    tensors = f"{f['tensors']}" + f"/{f['stored']}" * (f["stored"] > f["tensors"])
    return (
        f"| {f['name']} | {f['samples']} | {tensors} | {f['elements']:,} | {f['differences']} | "
        f"{compact(f['gate_evaluations'])} | {f['seconds']:.1f} | {f['mib']:.0f} | {f['sha256']} |"
    )


if __name__ == "__main__":
    sys.exit(main())
