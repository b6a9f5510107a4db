"""`revsim warmup`: every kernel that a simulation takes, compiled once and kept on disk."""

import time

import numpy as np

from revsim.network.graph import Graph, Linear, Node, Tensor
from revsim.network.operators import Clamp, Relu
from revsim.pipeline import verify
from revsim.simulator.ensemble import random_rows


def warm_up() -> float:
    """Verify a small chain and a small graph under all policies; returns the seconds it took."""
    started = time.perf_counter()
    verify("toy")
    graph = small_convolution()
    ends = np.zeros(6, dtype=np.int64), np.full(6, 15)
    verify(graph, random_rows(*ends, 65, seed=0))
    return time.perf_counter() - started


def small_convolution() -> Graph:
    """Two channels over three pairs of 4-bit pixels, with ReLU: more wires than a table counts."""
    reads = np.array([[[0, 1], [2, 3], [4, 5]]]).reshape(3, 1, 2)
    sums = Linear("conv2d", np.array([[1, -2], [3, 1]]), np.array([1, -1]), reads)
    node = Node("conv", sums, ("x",), "y", (Relu(), Clamp(0, 15)), neurons=True)
    tensors = {"x": Tensor("x", (1, 6), 0, 15), "y": Tensor("y", (1, 3, 2), 0, 15)}
    return Graph("warmup", tensors, (node,), ("x",), ("y",))
