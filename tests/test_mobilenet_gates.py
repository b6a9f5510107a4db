"""MobileNet v1 (uint8) at gate level, its softmax of 1,001 classes one linked definition."""

from pathlib import Path

import numpy as np
import pytest

from revsim.frontends.tflite.reader import from_tflite
from revsim.graphs.rows import flat_rows, samples_of
from revsim.network.graph_reference import run_graph
from revsim.schedule.graphs import compile_graph
from revsim.simulator.ensemble import data_set
from revsim.simulator.run import simulate


@pytest.mark.slow
def test_every_tensor_of_mobilenet(shared_data: Path) -> None:
    """14.4 billion gates on five images: every tensor of the reference, every stored output."""
    pytest.importorskip("tflite")
    name = "mobilenet_v1_0.25_128_quant"
    graph = from_tflite(shared_data / "tflite" / f"{name}.tflite")
    with np.load(shared_data / "tflite" / f"{name}.expected.npz", allow_pickle=False) as stored:
        x, y = stored["x"], stored["y_tflite214_ref"]
    samples = samples_of(graph, x)
    expected = run_graph(graph, samples)
    read: set[str] = set()

    def on_mark(tensor: str, places: np.ndarray, values: np.ndarray) -> None:
        assert (expected[tensor][:, places] == values).all(), tensor
        read.add(tensor)

    circuit = compile_graph(graph, "uncompute")
    run = simulate(circuit, data_set(flat_rows(graph, samples)), on_mark=on_mark)
    assert (run.outputs == y.reshape(len(x), -1)).all()
    assert {node.output for node in graph.nodes} <= read
