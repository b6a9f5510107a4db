"""revsim: what a neural network's inference must cost in heat, gate by gate.

    import revsim as rs
    net = rs.load("digits")                                  # bundled, or .npz, .tflite, .onnx
    circuit = rs.compile(net, policy="activation_reset", input="destroy")
    run = rs.simulate(circuit, rs.data_set(rows))            # outputs and a tally
    report = rs.verify(net, temperature_k=300.0)             # checks, identities, the paper

Names are loaded when they are first used, so that importing revsim is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from revsim.circuit.builder import Builder as Builder
    from revsim.circuit.definition import Circuit as Circuit
    from revsim.circuit.definition import Definition as Definition
    from revsim.errors import CheckError as CheckError
    from revsim.errors import InputError as InputError
    from revsim.errors import RevsimError as RevsimError
    from revsim.explanation import explain as explain
    from revsim.frontends.floats.calibrate import calibrate as calibrate
    from revsim.frontends.onnx.reader import from_onnx as from_onnx
    from revsim.frontends.tflite.reader import from_tflite as from_tflite
    from revsim.frontends.torch.reader import from_torch as from_torch
    from revsim.network.arrays import from_arrays as from_arrays
    from revsim.network.files import save as save
    from revsim.network.graph import Graph as Graph
    from revsim.network.graph_reference import run_graph as run_graph
    from revsim.network.graph_reference import run_stream as run_stream
    from revsim.network.network import Network as Network
    from revsim.network.operators import table as table
    from revsim.network.reference import run_reference as run_reference
    from revsim.network.reference import run_sequence as run_sequence
    from revsim.physics.landauer import energy_j as energy_j
    from revsim.pipeline import compile_model as compile  # noqa: F401
    from revsim.pipeline import load as load
    from revsim.pipeline import verify as verify
    from revsim.report.report import Report as Report
    from revsim.reproduction import reproduce as reproduce
    from revsim.simulator.apply import apply as apply
    from revsim.simulator.ensemble import data_set as data_set
    from revsim.simulator.ensemble import product as product
    from revsim.simulator.ensemble import random_rows as random_rows
    from revsim.simulator.ensemble import uniform as uniform
    from revsim.simulator.run import simulate as simulate

_PUBLIC = {
    "Builder": "revsim.circuit.builder",
    "Circuit": "revsim.circuit.definition",
    "Definition": "revsim.circuit.definition",
    "CheckError": "revsim.errors",
    "InputError": "revsim.errors",
    "RevsimError": "revsim.errors",
    "explain": "revsim.explanation",
    "calibrate": "revsim.frontends.floats.calibrate",
    "from_onnx": "revsim.frontends.onnx.reader",
    "from_tflite": "revsim.frontends.tflite.reader",
    "from_torch": "revsim.frontends.torch.reader",
    "Graph": "revsim.network.graph",
    "run_graph": "revsim.network.graph_reference",
    "run_stream": "revsim.network.graph_reference",
    "from_arrays": "revsim.network.arrays",
    "save": "revsim.network.files",
    "Network": "revsim.network.network",
    "run_reference": "revsim.network.reference",
    "run_sequence": "revsim.network.reference",
    "energy_j": "revsim.physics.landauer",
    "load": "revsim.pipeline",
    "verify": "revsim.pipeline",
    "Report": "revsim.report.report",
    "reproduce": "revsim.reproduction",
    "compile": "revsim.pipeline:compile_model",
    "apply": "revsim.simulator.apply",
    "data_set": "revsim.simulator.ensemble",
    "product": "revsim.simulator.ensemble",
    "random_rows": "revsim.simulator.ensemble",
    "uniform": "revsim.simulator.ensemble",
    "simulate": "revsim.simulator.run",
    "table": "revsim.network.operators",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'revsim' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(import_module(module), attribute or name)


def __dir__() -> list[str]:
    return sorted(__all__)
