"""Real models with what their own runtimes made of stored samples, and the comparison with them.

A folder of models holds NAME.tflite or NAME.onnx beside NAME.expected.npz (`x`, outputs `y...`, and
tensors `t<number>` or `t_<name>` of the first samples), one-operator models of SEANet with their
published inputs and outputs as text, and the weights and floats of MiniLM's first layer.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import minilm
import numpy as np
import numpy.typing as npt

from revsim.frontends.floats.ranges import Quantiser
from revsim.graphs.rows import samples_of
from revsim.graphs.run import run_graph_circuit
from revsim.network.files import read_npz
from revsim.network.graph import Graph
from revsim.network.graph_reference import run_graph, run_stream
from revsim.network.reals import dequantise
from revsim.pipeline import load

Array = npt.NDArray[np.generic]
Named = tuple[tuple[str, Array], ...]

STORED = (
    *(f"tflite/{n}.tflite" for n in ("hello_world_int8", "ad01_int8", "kws_ref_model")),
    *(f"tflite/{n}.tflite" for n in ("pretrainedResnet_quant", "vww_96_int8")),
    *(f"tflite/{n}.tflite" for n in ("micro_speech_quantized", "mobilenet_v1_0.25_128_quant")),
    *(f"tflite/{n}.tflite" for n in ("alexa", "hey_jarvis")),
    *(f"onnx/{n}.onnx" for n in ("TFC_1W1A", "finn_tfc_multithreshold")),
    *(f"onnx/{n}.onnx" for n in ("mnist_cnn_qoperator_u8", "mnist_cnn_qdq_u8")),
)
"""Models with an .expected.npz beside them."""
REFUSED = ("tflite/trained_lstm_int8.tflite",)
"""Models that have no one right result."""
SEANET = {"add": 9, "conv": 11, "leaky_relu": 12, "pad": 10}
SEANET |= {"quantize": 1, "strided_slice": 17, "sub": 3, "transpose_conv": 3}
"""Folders of one-operator models, int16, and how many each holds."""
MINILM = "transformer/minilm_layer0_int8.npz"
RENAMED = {f"BipolarQuant_{k}_out0": n for k, n in ((5, "45"), (6, "53"), (7, "61"))}
RENAMED |= {"global_out": "74", "BipolarQuant_4_out0": "0", "MultiThreshold_0_out0": "global_in"}
"""TFC_1W1A's tensors were stored from a copy with other names; inputs are held as quantised."""


@dataclass(frozen=True, eq=False)
class Case:
    """A graph, samples of its inputs by name, and what its runtime gave.

    `answers`: outputs of all samples; `tensors`: of the first samples, by the graph's tensor;
    integers, or floats where the model has floats there. `stored`: how many tensors the file holds,
    those among them that are weights or floats between integers of the graph included.
    """

    name: str
    graph: Graph
    given: Mapping[str, npt.NDArray[np.int64]]
    answers: Named
    tensors: Named = ()
    stored: int = 0

    @property
    def rows(self) -> int:
        """Number of samples, or of consecutive steps of a stream."""
        return len(next(iter(self.given.values())))


@dataclass(frozen=True)
class Comparison:
    """Outputs and tensors that were compared, their elements, and how many of those differ.

    `beyond` elements of tensors that no runtime's are stored for were held against the integer
    reference, from which `unlike` differ.
    """

    samples: int = 0
    tensors: int = 0
    elements: int = 0
    differences: int = 0
    beyond: int = 0
    unlike: int = 0
    gate_evaluations: int = 0

    def __add__(self, other: "Comparison") -> "Comparison":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Comparison(*(a + b for a, b in pairs))


# --- what is stored ------------------------------------------------------------------------------


def stored_case(path: Path) -> Case:
    """The case of a model with NAME.expected.npz beside it."""
    graph = load(path)
    held = read_npz(path.with_suffix(".expected.npz"))
    if path.suffix == ".tflite":
        key = f"y_{held['primary']}"
        names = {f"t{t.number}": name for name, t in graph.tensors.items()}
        answers = [held[key]]
    else:
        names = {f"t_{stored}": name for stored, name in onnx_names(path, graph).items()}
        answers = [held[key] for key in ("y0", "y_ort_noopt", "y_ort_default") if key in held]
        published = path.with_suffix(".expected_output.npy")
        if published.is_file():
            answers.append(np.load(published))
    tensors = [key for key in held if key[0] == "t" and key != "tensors"]
    return Case(
        path.stem,
        graph,
        samples_of(graph, held["x"]),
        tuple((graph.outputs[0], answer) for answer in answers),
        tuple((names[key], held[key]) for key in tensors if key in names),
        len(tensors),
    )


def onnx_names(path: Path, graph: Graph) -> dict[str, str]:
    """The tensor of the graph that holds each tensor of the model: itself, or one of the same
    integers on the other side of a QuantizeLinear, DequantizeLinear or Reshape."""
    import onnx

    names = {name: name for name in graph.tensors} | RENAMED
    steps = ("QuantizeLinear", "DequantizeLinear", "Reshape")
    nodes = [n for n in onnx.load(path).graph.node if n.op_type in steps]
    for node in nodes:
        if node.input[0] in names:
            names.setdefault(node.output[0], names[node.input[0]])
    for node in reversed(nodes):  # not what is quantised: that is a float between the integers
        if node.output[0] in names and node.op_type != "QuantizeLinear":
            names.setdefault(node.input[0], names[node.output[0]])
    return {stored: name for stored, name in names.items() if name in graph.tensors}


def seanet_cases(folder: Path) -> Iterator[Case]:
    """The one-operator models of a folder, with their published inputs and outputs."""
    for path in sorted(folder.glob("*.tflite")):
        graph = load(path)
        files = sorted(folder.glob(f"{path.stem}_input*.csv"))[-len(graph.inputs) :]
        given = {n: text_numbers(f)[None] for n, f in zip(graph.inputs, files, strict=True)}
        answer = text_numbers(next(folder.glob(f"{path.stem}_golden*.csv")))[None]
        yield Case(path.stem, graph, samples_of(graph, given), ((graph.outputs[0], answer),))


def text_numbers(path: Path) -> npt.NDArray[np.int64]:
    """The whole numbers of a text, between commas or blanks."""
    return np.array(path.read_text().replace(",", " ").split(), dtype=np.float64).astype(np.int64)


def minilm_case(path: Path, part: str) -> Case:
    """An attention head or a slice of the MLP on a real sentence: its reference is in integers."""
    arrays = read_npz(path)
    graph = minilm.graphs(arrays, "s0", 0, 64)[part]
    entry = graph.tensors["x"]
    floats = minilm.stored(arrays, "s0", 0, 64)[part]["x"]
    rows = Quantiser(entry.scale, entry.zero).quantise(floats).reshape(1, -1)
    values = run_graph(graph, {"x": rows})
    answers = tuple((name, values[name]) for name in graph.outputs)
    tensors = tuple((n.output, values[n.output]) for n in graph.nodes)
    return Case(f"MiniLM layer 0, {part}", graph, {"x": rows}, answers, tensors, len(tensors))


# --- the comparison ------------------------------------------------------------------------------


def integers(case: Case, rows: int | None = None) -> dict[str, npt.NDArray[np.int64]]:
    """Every tensor of the first `rows` samples, by the integer reference."""
    given = {name: values[:rows] for name, values in case.given.items()}
    if case.graph.state:
        return run_stream(case.graph, given)[1]
    return run_graph(case.graph, given)


def run_case(case: Case, rows: int | None = None) -> Comparison:
    """Every gate on the first `rows` samples, and all that can be read from the wires compared."""
    given = {name: values[:rows] for name, values in case.given.items()}
    found, gates = run_graph_circuit(case.graph, given, "uncompute", tensors=True)
    expected = integers(case, rows)
    beyond = unlike = 0
    seen = {name: len(values) for name, values in (*case.tensors, *case.answers)}
    for node in case.graph.nodes:
        made, wanted = (v[node.output][seen.get(node.output, 0) :] for v in (found, expected))
        beyond += wanted.size
        unlike += differing(made, wanted)
    more = Comparison(beyond=beyond, unlike=unlike, gate_evaluations=gates.one_by_one)
    return compare(case, found) + more


def compare(case: Case, found: Mapping[str, Array]) -> Comparison:
    """Tensors by name, [rows, ...] raw integers, against all that is stored of the same rows."""
    samples = len(found[case.graph.outputs[0]])
    elements = differences = 0
    for name, stored in (*case.answers, *case.tensors):
        rows = min(samples, len(stored))
        made, wanted = found[name][:rows].reshape(rows, -1), stored[:rows].reshape(rows, -1)
        if wanted.dtype.kind == "f":
            made = dequantise(case.graph.tensors[name], made)
        elements += wanted.size
        differences += differing(made, wanted)
    held = {name for name, _ in case.tensors}
    tensors = len(case.tensors) + sum(name not in held for name in case.graph.outputs)
    return Comparison(samples, tensors, elements, differences)


def differing(made: Array, wanted: Array) -> int:
    """Elements that differ; all of them where the shapes do."""
    return wanted.size if made.shape != wanted.shape else int((made != wanted).sum())


# --- all of them ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """A row of the table: its files in the folder, and its cases."""

    name: str
    files: tuple[str, ...]
    cases: Callable[[Path], Iterable[Case]]


def models_of(folder: Path) -> list[Model]:
    """Every model of a folder of public test data."""
    out = [
        Model(Path(f).stem, (f,), lambda d, f=f: [stored_case(d / f)]) for f in (*STORED, *REFUSED)
    ]
    for kind, count in SEANET.items():
        place = Path("seanet", kind)
        files = tuple(str(place / p.name) for p in sorted((folder / place).glob("*.tflite")))
        name = f"SEANet {kind}, {count} models"
        out.append(Model(name, files, lambda d, place=place: seanet_cases(d / place)))
    for part in ("head", "mlp"):
        name = f"MiniLM layer 0, {part}"
        out.append(Model(name, (MINILM,), lambda d, part=part: [minilm_case(d / MINILM, part)]))
    return out


def digest(paths: Iterable[Path]) -> str:
    """The first 16 digits of the sha256 of files, one behind the other."""
    sha = hashlib.sha256()
    for path in paths:
        sha.update(path.read_bytes())
    return sha.hexdigest()[:16]
