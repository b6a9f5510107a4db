"""`revsim warmup`: every kernel that a simulation takes, compiled once and kept on disk."""

import time

import numpy as np

from revsim.blocks.add import add_in_place
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Call, Circuit
from revsim.circuit.program import flatten
from revsim.circuit.registers import Register
from revsim.network.graph import Graph, Linear, Node, Tensor
from revsim.network.operators import Clamp, Relu
from revsim.pipeline import verify
from revsim.simulator.ensemble import random_rows
from revsim.simulator.executors import EXECUTORS
from revsim.simulator.literal.layout import BLOCKS
from revsim.simulator.run import simulate
from revsim.simulator.statistics import spectrum_of_wires


def warm_up() -> float:
    """Verify a small chain and a small graph under all policies in each executor, and run a long
    chain of sums on blocks of each width; returns the seconds it took."""
    started = time.perf_counter()
    graph, sums = small_convolution(), many_sums()
    ends = np.zeros(6, dtype=np.int64), np.full(6, 15)
    flatten(sums.definitions()[-1])
    for width in (1, 5):  # joint histograms of few wires and of more
        wires = np.arange(width, dtype=np.int32)
        spectrum_of_wires(np.zeros((width, 8), dtype=np.uint64), wires, 512, None)
    for executor in EXECUTORS:
        if executor != "numpy":
            verify("toy", executor=executor)
            verify(graph, random_rows(*ends, 65, seed=0), executor=executor)
            for words in BLOCKS:
                rows = random_rows([0, 0], [2**16 - 1] * 2, 64 * words, seed=0)
                simulate(sums, rows, executor=executor, threads=1)
    return time.perf_counter() - started


def many_sums() -> Circuit:
    """y += x in a loop: long enough that nothing stays uncompiled."""
    one, all_ = Builder("sum"), Builder("sums")
    add_in_place(one, one.port("x", 16), one.port("y", 16))
    registers = all_.port("x", 16), all_.port("y", 16)
    wires = np.arange(32, dtype=np.int32)
    all_.loop(one.build(), 400, wires, 0 * wires)
    x, y = (Register(name, w) for name, w in zip("xy", registers, strict=True))
    return Circuit("sums", 32, (Call(all_.build(), wires),), (x, y), (x, y))


def small_convolution() -> Graph:
    """Two channels over three pairs of 4-bit pixels, with ReLU: more wires than a table counts."""
    reads = np.array([[[0, 1], [2, 3], [4, 5]]]).reshape(3, 1, 2)
    sums = Linear("conv2d", np.array([[1, -2], [3, 1]]), np.array([1, -1]), reads)
    node = Node("conv", sums, ("x",), "y", (Relu(), Clamp(0, 15)), neurons=True)
    tensors = {"x": Tensor("x", (1, 6), 0, 15), "y": Tensor("y", (1, 3, 2), 0, 15)}
    return Graph("warmup", tensors, (node,), ("x",), ("y",))
