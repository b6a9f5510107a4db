"""Small convolutions as circuits of tensors, by hand: what the executor of tensors is tested on."""

import numpy as np
import numpy.typing as npt

from revsim.blocks.multiply import sum_of_products
from revsim.circuit.banks import (
    Bank,
    BankAlloc,
    BankErase,
    BankFree,
    BankMark,
    BankSet,
    Calls,
    Recipe,
    TensorCircuit,
    TensorItem,
)
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Port
from revsim.circuit.registers import Encoding

Integers = npt.NDArray[np.int64]
WIDTH = 6
"""Bits of the output: sums are taken modulo 64."""
PADDING = 2
"""What a read outside the image finds."""


def patches(side: int, kernel: int, stride: int, pad: int) -> Integers:
    """Pixels that each output reads, int64 [positions, taps]; -1 outside the image."""
    image = np.full((side + 2 * pad, side + 2 * pad), -1, dtype=np.int64)
    image[pad : pad + side, pad : pad + side] = np.arange(side * side).reshape(side, side)
    ends = range(0, side + 2 * pad - kernel + 1, stride)
    return np.array([image[r : r + kernel, c : c + kernel].ravel() for r in ends for c in ends])


def expected(images: Integers, reads: Integers, weights: Integers) -> Integers:
    """Outputs int64 [rows, positions * channels] of images int64 [rows, pixels]."""
    held = np.concatenate([images, np.full((len(images), reads.shape[1]), PADDING)], axis=1)
    sums = held[:, reads] @ weights.T % (1 << WIDTH)
    return np.asarray(sums.reshape(len(images), -1))


def neuron(weights: Integers) -> Recipe:
    """x (2 bits per tap), y -> x, y ^ (weights . x mod 64), everything else undone."""
    taps = len(weights)

    def make() -> Definition:
        b = Builder(f"neuron {weights.tolist()}")
        x, y = b.port("x", 2 * taps), b.port("y", WIDTH, zero=True)
        nothing = np.zeros((0, 2), np.int64)
        start = b.mark()
        bits = np.repeat(weights, 2) * np.tile([1, 2], taps)
        total = sum_of_products(b, x, bits, nothing, nothing[:, 0], 0, WIDTH)
        stop = b.mark()
        b.cx(total, y)
        b.undo(start, stop)
        return b.build()

    return Recipe(f"neuron {weights.tolist()}", (Port("x", 2 * taps), Port("y", WIDTH, True)), make)


def netlist(taps: int) -> Recipe:
    """x, y -> x, y ^ (low bits of neighbouring taps ANDed), each gate output reset as it dies."""

    def make() -> Definition:
        b = Builder("netlist")
        x, y = b.port("x", 2 * taps), b.port("y", WIDTH, zero=True)
        for k in range(WIDTH):
            local = b.local(f"and{k}")
            first, second = int(x[2 * k % (2 * taps)]), int(x[(2 * k + 3) % (2 * taps)])
            b.conventional_tally(first, second)
            b.ccx(first, second, local)
            b.conventional_tally(int(local[0]), second)
            b.cx(local, y[k])
            b.conventional_erase(local, "gate_output")
        b.mcx([(int(x[0]), False), (int(x[1]), True)], int(y[0]))
        return b.build()

    return Recipe("netlist", (Port("x", 2 * taps), Port("y", WIDTH, True)), make)


def convolution(
    side: int = 4,
    kernel: int = 3,
    stride: int = 1,
    pad: int = 1,
    channels: int = 2,
    conventional: bool = False,
    recipes: tuple[Recipe, ...] = (),
    seed: int = 0,
) -> tuple[TensorCircuit, Integers, Integers]:
    """A convolution whose output's top two bits are then thrown away; reads and weights.

    `recipes` instead of the neurons: one per channel.
    """
    reads = patches(side, kernel, stride, pad)
    positions, taps = reads.shape
    weights = np.random.default_rng(seed).integers(-4, 5, (channels, taps))
    given = recipes or tuple(netlist(taps) if conventional else neuron(row) for row in weights)
    two, three = Encoding.unsigned(0, 3), Encoding.unsigned(0, (1 << WIDTH) - 1)
    start = 2 * side * side
    wires = np.arange(start + 2 * taps + WIDTH * positions * channels, dtype=np.int32)
    pixels = Bank("pixels", wires[:start].reshape(-1, 2), two)
    constant = Bank("padding", wires[start : start + 2 * taps].reshape(-1, 2), two)
    out = wires[start + 2 * taps :].reshape(positions, channels, WIDTH)
    y = Bank("y", out.reshape(-1, WIDTH), three)
    held = np.concatenate([pixels.wires, constant.wires])  # each tap has its own padding
    reads = np.where(reads < 0, side * side + np.arange(taps), reads)
    places = np.arange(positions * channels)
    top = Bank("top", np.ascontiguousarray(y.wires[:, WIDTH - 2 :]), two)
    low = Bank("low", y.wires[:, : WIDTH - 2], Encoding.unsigned(0, 15))
    x = held[reads].reshape(positions, -1)
    body: tuple[TensorItem, ...] = (
        BankAlloc(constant),
        BankSet(constant, PADDING),
        BankAlloc(y),
        *(Calls(recipe, (x, out[:, k])) for k, recipe in enumerate(given)),
        BankMark("y", y, places),
        BankSet(constant, PADDING),
        BankFree(constant),
        BankErase(pixels, "input", "conv", "pixels", np.arange(side * side), (side * side, 1)),
        BankFree(pixels),
        BankErase(top, "requantise", "conv", "y", places, (positions, channels)),
        BankFree(top),
    )
    circuit = TensorCircuit(
        "convolution",
        len(wires),
        body,
        (pixels,),
        (low,),
        layer_of=("conv",) * len(body),
        policy="conventional" if conventional else "activation_reset",
        input_choice="destroy",
        ranges=((0, 3),),
    )
    return circuit, reads, weights
