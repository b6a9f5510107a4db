"""What the four networks of MLPerf Tiny cost in erased bits, beside what chips take.

    python benchmarks/mlperf_tiny.py DIR [--only AD KWS IC VWW] [--policies P ...] [--rows N]

DIR holds the models of github.com/mlcommons/tiny and stored samples (NAME.tflite and
NAME.expected.npz with `x` and the outputs of tflite-micro, `y_tflm`). Every gate runs on every
sample; the tables are Markdown. A joint entropy of a few samples is at its ceiling, log2 of their
number, and marked so.
"""

import argparse
import hashlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from revsim.frontends.tflite.reader import from_tflite
from revsim.graphs.rows import samples_of
from revsim.graphs.verification import verify_graph
from revsim.network.graph_reference import run_graph
from revsim.physics.landauer import energy_j
from revsim.physics.measured import MLPERF_TINY
from revsim.pipeline import DEFAULT_POLICIES
from revsim.report.report import Report
from revsim.report.tables import number

TRAINED = "mlcommons/tiny benchmark/training"


@dataclass(frozen=True)
class Model:
    """A network of the benchmark: its file, and where that is in the public repository."""

    task: str
    name: str
    folder: str

    @property
    def source(self) -> str:
        """Repository and path."""
        return f"{TRAINED}/{self.folder}/trained_models/{self.name}.tflite"


MODELS = (
    Model("AD", "ad01_int8", "anomaly_detection"),
    Model("KWS", "kws_ref_model", "keyword_spotting"),
    Model("IC", "pretrainedResnet_quant", "image_classification"),
    Model("VWW", "vww_96_int8", "visual_wake_words"),
)


def main() -> int:
    """Print the tables; exit status 1 where a check or identity fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--only", nargs="+", choices=[m.task for m in MODELS])
    parser.add_argument("--policies", nargs="+", default=DEFAULT_POLICIES)
    parser.add_argument("--rows", type=int, help="first so many samples (default: all)")
    options = parser.parse_args()
    chosen = [m for m in MODELS if options.only is None or m.task in options.only]
    for model in chosen:
        for ending in (".tflite", ".expected.npz"):
            if not (options.folder / f"{model.name}{ending}").is_file():
                parser.error(f"{options.folder} has no {model.name}{ending}")
    found = []
    for model in chosen:
        found.append((model, *measure(model, options.folder, options.policies, options.rows)))
    print("\n".join(tables(found)))
    return 0 if all(report.holds for _, report, _ in found) else 1


def measure(
    model: Model, folder: Path, policies: list[str], rows: int | None
) -> tuple[Report, str]:
    """The report of a model on its stored samples, and the sha256 of its file."""
    started = time.perf_counter()
    file = folder / f"{model.name}.tflite"
    with np.load(folder / f"{model.name}.expected.npz", allow_pickle=False) as stored:
        x, y = stored["x"][:rows], stored["y_tflm"][:rows]
        labels = stored["labels"][:rows] if "labels" in stored.files else None
    graph = from_tflite(file)
    runs = [(policy, "destroy") for policy in policies]
    report = verify_graph(graph, x, runs, labels=labels)
    mine = run_graph(graph, samples_of(graph, x))[graph.outputs[0]]
    different = int((mine != y.reshape(mine.shape)).sum())
    seconds = time.perf_counter() - started
    held = "all checks hold" if report.holds else "A CHECK FAILS"
    print(
        f"{model.task}: {len(x)} samples, {different} outputs differ from tflite-micro, {held}, "
        f"{seconds:.0f} s",
        file=sys.stderr,
    )
    return report, hashlib.sha256(file.read_bytes()).hexdigest()


def tables(found: list[tuple[Model, Report, str]]) -> list[str]:
    """Networks; erased bits by policy; erased bits by cause."""
    out = [
        "| | network | samples | MACs | neurons | active | changed | accuracy | measured, least |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for model, report, _ in found:
        a, least = report.activity, min(s.joules.get(model.task, np.inf) for s in MLPERF_TINY)
        right = "-" if report.accuracy is None else f"{report.accuracy['share']:.1%}"
        out.append(
            f"| {model.task} | {model.name} | {report.ensemble['rows']} | "
            f"{report.network['macs']:,} | {a.neuron_states:,} | {number(a.active_neurons)} | "
            f"{number(a.changed_neurons)} | {right} | {least * 1e6:.4g} µJ |"
        )
    out += [
        "",
        "| | policy | reset_count | per_bit | per_register | given_kept | Toffolis, ANDs | "
        "heat at 300 K (per_bit) | measured / heat |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for model, report, _ in found:
        least = min(s.joules.get(model.task, np.inf) for s in MLPERF_TINY)
        mark = "*" if report.ensemble["ceiling"] else ""
        for run in report.runs:
            total, heat = run.total, energy_j(run.total.per_bit, 300.0)
            ratio = "-" if heat == 0 else f"{least / heat:.2g}"
            out.append(
                f"| {model.task} | {run.policy} | {number(total.reset_count)} | "
                f"{number(total.per_bit)} | {number(total.per_register)} | "
                f"{number(total.given_kept)}{mark} | {run.counts.toffoli:,} | {heat:.3g} J | "
                f"{ratio} |"
            )
    out += ["", "| | policy | cause | reset_count | per_bit |", "|---|---|---|--:|--:|"]
    for model, report, _ in found:
        for run in report.runs:
            for cause, ledgers in run.causes().items():
                out.append(
                    f"| {model.task} | {run.policy} | {cause} | {number(ledgers.reset_count)} | "
                    f"{number(ledgers.per_bit)} |"
                )
    if any(report.ensemble["ceiling"] for _, report, _ in found):
        out += ["", "\\* at the log2 N ceiling of so few samples: says nothing beyond them."]
    out += ["", *(f"- {m.task}: {m.source}, sha256 {digest}" for m, _, digest in found)]
    return out


if __name__ == "__main__":
    sys.exit(main())
