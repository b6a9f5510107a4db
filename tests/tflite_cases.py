"""One-operator models and what tflite-micro makes of them: tests/tflite_golden.npz.

The file holds models, inputs and outputs, so that tests need only package tflite. It is made by

    python tests/tflite_cases.py

which needs tflite-micro (PyPI, development builds; 0.dev20261023182759 made the file): it builds
every model below with seeded weights and scales, runs the reference kernels on the least, the
greatest and random inputs, and writes all three.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from tflite_models import TYPES, Op, T, model_bytes

GOLDEN = Path(__file__).with_name("tflite_golden.npz")
ROWS = 4
Case = tuple[str, list[T], list[Op], Sequence[int], Sequence[int]]


def cases() -> Iterator[Case]:
    """Name, tensors, operators, inputs, outputs."""
    random = np.random.default_rng(5)
    yield from elementwise(random)
    yield from pools()
    yield from curves()
    yield from dense(random)
    yield from convolutions(random)
    yield from transposed(random)
    yield from moves()


def numbers(*values: int) -> T:
    return T((len(values),), "int32", data=values, scale=None)


def elementwise(random: np.random.Generator) -> Iterator[Case]:
    settings = [
        ((3, -7, 11), (0.5, 0.25, 0.7), 0),
        ((0, 0, -128), (0.1, 0.02, 0.05), 1),
        ((-128, 127, 0), (0.013, 0.4, 0.3), 3),
    ]
    for kind in ("ADD", "SUB", "MUL"):
        for zeros, scales, fused in settings:
            options = {"FusedActivationFunction": fused}
            for type_, part in (("int8", 1.0), ("int16", 0.01)):
                z = zeros if type_ == "int8" else (0, 0, 0)
                a, b, out = (
                    T((1, 6, 5), type_, scale=s * part, zero=v)
                    for s, v in zip(scales, z, strict=True)
                )
                name = f"{kind} {type_} fused {fused}"
                yield name, [a, b, out], [Op(kind, (0, 1), (2,), options)], (0, 1), (2,)
                high = 127 if type_ == "int8" else 32767
                row = random.integers(-high, high, 5)
                spread = T((5,), type_, data=row, scale=scales[1] * part, zero=z[1])
                step = Op(kind, (0, 1), (2,), options)
                yield f"{name}, broadcast constant", [a, spread, out], [step], (0,), (2,)
    for kind in ("MAXIMUM", "MINIMUM"):
        for other in ((1, 2, 6, 5), (1, 1, 6, 1)):
            tensors = [T((1, 2, 6, 5)), T(other), T((1, 2, 6, 5))]
            yield f"{kind} {other}", tensors, [Op(kind, (0, 1), (2,))], (0, 1), (2,)
    for source, zero in (("int8", 4), ("uint8", 77), ("int16", 0), ("int32", 0)):
        for target, to in (("int8", -3), ("uint8", 100), ("int16", 0)):
            for scale in (0.5, 0.011):
                pair = [
                    T((1, 60), source, scale=scale, zero=zero),
                    T((1, 60), target, scale=0.05, zero=to),
                ]
                name = f"QUANTIZE {source} {target} {scale}"
                yield name, pair, [Op("QUANTIZE", (0,), (1,))], (0,), (1,)
    for kind, table in (("ARG_MAX", "ArgMaxOptions"), ("ARG_MIN", "ArgMinOptions")):
        for axis, shape in ((1, (2, 5)), (2, (2, 4)), (-1, (2, 4))):
            tensors = [T((2, 4, 5)), numbers(axis), T(shape, "int32", scale=None)]
            step = Op(kind, (0, 1), (2,), {"OutputType": 2}, table)
            yield f"{kind} {axis}", tensors, [step], (0,), (2,)


def pools() -> Iterator[Case]:
    shapes = [(0, (3, 2), (2, 1), 0), (1, (2, 3), (1, 2), 1), (0, (5, 5), (1, 1), 3)]
    for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        for type_, scale, zero in (("int8", 0.05, -4), ("int16", 0.001, 0)):
            for padding, kernel, strides, fused in shapes:
                out = output_size(padding, (7, 6), kernel, strides)
                options = {
                    "Padding": padding,
                    "StrideH": strides[0],
                    "StrideW": strides[1],
                    "FilterHeight": kernel[0],
                    "FilterWidth": kernel[1],
                    "FusedActivationFunction": fused,
                }
                pair = [T(s, type_, scale=scale, zero=zero) for s in ((1, 7, 6, 3), (1, *out, 3))]
                name = f"{kind} {type_} padding {padding} window {kernel}"
                yield name, pair, [Op(kind, (0,), (1,), options)], (0,), (1,)
    for type_, scales, zeros in (
        ("int8", (0.5, 0.5), (3, -9)),
        ("int8", (0.31, 0.07), (-100, 100)),
        ("int16", (0.01, 0.9), (0, 0)),
        ("int16", (0.31, 0.07), (0, 0)),
    ):
        for axes, shape, keep in (
            ((1, 2), (1, 1, 1, 4), True),
            ((1, 2), (1, 4), False),
            ((3,), (1, 7, 5), False),
            ((2,), (1, 7, 1, 4), True),
        ):
            source = T((1, 7, 5, 4), type_, scale=scales[0], zero=zeros[0])
            out = T(shape, type_, scale=scales[1], zero=zeros[1])
            step = Op("MEAN", (0, 1), (2,), {"KeepDims": keep})
            name = f"MEAN {type_} {axes} {keep} {scales}"
            yield name, [source, numbers(*axes), out], [step], (0,), (2,)


def curves() -> Iterator[Case]:
    every = (1, 256)
    for scale, zero in ((0.04, 0), (0.1, -20), (0.0005, 3), (1.3, 60)):
        for kind, to, at in (("LOGISTIC", 1 / 256, -128), ("TANH", 1 / 128, 0)):
            pair = [T(every, scale=scale, zero=zero), T(every, scale=to, zero=at)]
            yield f"{kind} {scale}", pair, [Op(kind, (0,), (1,))], (0,), (1,)
        for shape, beta in (((1, 10), 1.0), ((2, 3, 5), 0.7), ((1, 1), 1.0), ((1, 300), 1.0)):
            pair = [T(shape, scale=scale, zero=zero), T(shape, scale=1 / 256, zero=-128)]
            step = Op("SOFTMAX", (0,), (1,), {"Beta": beta})
            yield f"SOFTMAX {shape} {scale}", pair, [step], (0,), (1,)
    for type_, zero, to in (("int8", 5, -12), ("int16", 0, 0)):
        for before, after in ((0.02, 0.02), (0.05, 0.03), (0.01, 0.4)):
            for kind, options in (("RELU", {}), ("LEAKY_RELU", {"Alpha": 0.3}), ("ABS", {})):
                pair = [
                    T(every, type_, scale=before, zero=zero),
                    T(every, type_, scale=after, zero=to),
                ]
                step = Op(kind, (0,), (1,), options)
                yield f"{kind} {type_} {before} {after}", pair, [step], (0,), (1,)
        scale = 0.06 if type_ == "int8" else 0.001
        pair = [T(every, type_, scale=scale, zero=zero)] * 2
        yield f"RELU6 {type_}", pair, [Op("RELU6", (0,), (1,))], (0,), (1,)


def dense(random: np.random.Generator) -> Iterator[Case]:
    for type_, scales, zeros in (("int8", (0.05, 0.4), (-5, 3)), ("int16", (0.001, 0.003), (0, 0))):
        wide = "int64" if type_ == "int16" else "int32"
        for biased in (2, -1):
            for shape, to, keep in (
                ((1, 12), (1, 7), False),
                ((4, 3), (1, 7), False),
                ((2, 3, 12), (2, 3, 7), True),
            ):
                for channels in (False, True) if type_ == "int8" else (False,):
                    factors = random.random(7) * 0.02 + 0.001 if channels else 0.02
                    tensors = [
                        T(shape, type_, scale=scales[0], zero=zeros[0]),
                        T((7, 12), data=random.integers(-127, 128, (7, 12)), scale=factors),
                        T((7,), wide, data=random.integers(-3000, 3000, 7), scale=scales[0] * 0.02),
                        T(to, type_, scale=scales[1], zero=zeros[1]),
                    ]
                    options = {"FusedActivationFunction": 1, "KeepNumDims": keep}
                    step = Op("FULLY_CONNECTED", (0, 1, biased), (3,), options)
                    name = f"FULLY_CONNECTED {type_} {shape} bias {biased} channels {channels}"
                    yield name, tensors, [step], (0,), (3,)


def convolutions(random: np.random.Generator) -> Iterator[Case]:
    for padding in (0, 1):
        for kind, multiplier in (
            ("CONV_2D", 1),
            ("DEPTHWISE_CONV_2D", 1),
            ("DEPTHWISE_CONV_2D", 8),
        ):
            yield convolution(random, kind, "int8", "int32", padding, multiplier, True)
            yield convolution(random, kind, "int8", "int32", padding, multiplier, False)
            yield convolution(random, kind, "int16", "int64", padding, multiplier, True)
            yield convolution(random, kind, "int16", "int64", padding, multiplier, False)
        for type_, wide in (("int16", "int32"), ("int16", ""), ("int8", "")):
            yield convolution(random, "CONV_2D", type_, wide, padding, 1, True)


def convolution(
    random: np.random.Generator,
    kind: str,
    type_: str,
    wide: str,
    padding: int,
    multiplier: int,
    channels: bool,
) -> Case:
    """One convolution; `channels` with a scale each and strides, else dilated; wide "": no bias."""
    size, depth, plain = (8, 7), 3, kind == "CONV_2D"
    kernel, stride, dilation, fused = ((3, 2), 2, 1, 1) if channels else ((3, 3), 1, 2, 3)
    reach = tuple((k - 1) * dilation + 1 for k in kernel)
    out = output_size(padding, size, reach, (stride, stride))
    count = 5 if plain else depth * multiplier
    shape = (count, *kernel, depth) if plain else (1, *kernel, count)
    scales = (0.05, 0.3) if type_ == "int8" else (0.0005, 0.002)
    zeros = (4, -9) if type_ == "int8" else (0, 0)
    factors = random.random(count) * 0.02 + 0.001 if channels else 0.01
    bias = random.integers(-2000, 2000, count)
    tensors = [
        T((1, *size, depth), type_, scale=scales[0], zero=zeros[0]),
        T(shape, data=random.integers(-127, 128, shape), scale=factors, axis=0 if plain else 3),
        T((count,), wide or "int32", data=bias, scale=0.01),
        T((1, *out, count), type_, scale=scales[1], zero=zeros[1]),
    ]
    options = {
        "Padding": padding,
        "StrideH": stride,
        "StrideW": stride,
        "DilationHFactor": dilation,
        "DilationWFactor": dilation,
        "FusedActivationFunction": fused,
    }
    if not plain:
        options["DepthMultiplier"] = multiplier
    step = Op(kind, (0, 1, 2 if wide else -1), (3,), options)
    name = f"{kind} x{multiplier} {type_} bias {wide or 'none'} padding {padding} {kernel}"
    return name, tensors, [step], (0,), (3,)


def transposed(random: np.random.Generator) -> Iterator[Case]:
    for type_, wide, scales, zeros in (
        ("int8", "int32", (0.05, 0.3), (7, -3)),
        ("int16", "int64", (0.0005, 0.002), (0, 0)),
    ):
        for padding in (0, 1):
            for stride, k in ((2, 3), (1, 3), (3, 2), (2, 2)):
                size = (4, 5)
                grown = [n * stride for n in size]
                if padding == 1 and k >= stride:
                    grown = [(n - 1) * stride + k for n in size]
                tensors = [
                    numbers(1, *grown, 6),
                    T(
                        (6, k, k, 3),
                        data=random.integers(-127, 128, (6, k, k, 3)),
                        scale=random.random(6) * 0.02 + 0.001,
                    ),
                    T((1, *size, 3), type_, scale=scales[0], zero=zeros[0]),
                    T((6,), wide, data=random.integers(-900, 900, 6), scale=0.001),
                    T((1, *grown, 6), type_, scale=scales[1], zero=zeros[1]),
                ]
                options = {"Padding": padding, "StrideH": stride, "StrideW": stride}
                step = Op("TRANSPOSE_CONV", (0, 1, 2, 3), (4,), options)
                name = f"TRANSPOSE_CONV {type_} padding {padding} stride {stride} window {k}"
                yield name, tensors, [step], (2,), (4,)


def moves() -> Iterator[Case]:
    around = T((2, 2), "int32", data=[[1, 0], [2, 3]], scale=None)
    block, padded = T((2, 3), zero=9), T((3, 8), zero=9)
    yield (
        "TRANSPOSE",
        [T((2, 3, 4)), numbers(2, 0, 1), T((4, 2, 3))],
        [Op("TRANSPOSE", (0, 1), (2,))],
        (0,),
        (2,),
    )
    yield "PAD", [block, around, padded], [Op("PAD", (0, 1), (2,))], (0,), (2,)
    value = T((1,), data=[-4], zero=9)
    yield "PADV2", [block, around, value, padded], [Op("PADV2", (0, 1, 2), (3,))], (0,), (3,)
    step = Op("CONCATENATION", (0, 1), (2,), {"Axis": -1})
    yield "CONCATENATION", [T((2, 3)), T((2, 4)), T((2, 7))], [step], (0, 1), (2,)
    step = Op("PACK", (0, 1), (2,), {"Axis": 1, "ValuesCount": 2})
    yield "PACK", [T((2, 3)), T((2, 3)), T((2, 2, 3))], [step], (0, 1), (2,)
    step = Op("UNPACK", (0,), (1, 2, 3), {"Axis": 1, "Num": 3})
    yield "UNPACK", [T((2, 3)), T((2,)), T((2,)), T((2,))], [step], (0,), (1, 2, 3)
    step = Op("SPLIT", (0, 1), (2, 3, 4), {"NumSplits": 3}, "SplitOptions")
    yield "SPLIT", [numbers(1), T((2, 6)), *[T((2, 2))] * 3], [step], (1,), (2, 3, 4)
    step = Op("SPLIT_V", (0, 1, 2), (3, 4), {"NumSplits": 2}, "SplitVOptions")
    parts = [T((2, 6)), numbers(1, 5), numbers(1), T((2, 1)), T((2, 5))]
    yield "SPLIT_V", parts, [step], (0,), (3, 4)
    step = Op("SLICE", (0, 1, 2), (3,))
    yield "SLICE", [T((3, 5)), numbers(1, 2), numbers(2, -1), T((2, 3))], [step], (0,), (3,)
    for k, (begin, end, strides, shape, masks) in enumerate(
        [
            ((0, 1), (3, 5), (2, 2), (2, 2), {}),
            ((2, 4), (-4, 0), (-1, -2), (3, 2), {"EndMask": 1}),
            ((1, 0), (2, 4), (1, 1), (4,), {"ShrinkAxisMask": 1}),
            ((0, -3), (99, 99), (1, 1), (3, 3), {"BeginMask": 1}),
        ]
    ):
        tensors = [T((3, 5)), numbers(*begin), numbers(*end), numbers(*strides), T(shape)]
        step = Op("STRIDED_SLICE", (0, 1, 2, 3), (4,), masks)
        yield f"STRIDED_SLICE {k}", tensors, [step], (0,), (4,)
    step = Op("GATHER", (0, 1), (2,), {"Axis": 1})
    yield "GATHER", [T((3, 5)), numbers(4, 0, 0), T((3, 3))], [step], (0,), (2,)
    step = Op("SQUEEZE", (0,), (1,), {"SqueezeDims": [0, 2]}, "SqueezeOptions")
    yield "SQUEEZE", [T((1, 3, 1)), T((3,))], [step], (0,), (1,)
    yield (
        "EXPAND_DIMS",
        [T((3,)), numbers(0), T((1, 3))],
        [Op("EXPAND_DIMS", (0, 1), (2,))],
        (0,),
        (2,),
    )


def output_size(
    padding: int, size: Sequence[int], reach: Sequence[int], strides: Sequence[int]
) -> tuple[int, ...]:
    return tuple(
        -(-n // s) if padding == 0 else (n - r) // s + 1
        for n, r, s in zip(size, reach, strides, strict=True)
    )


def inputs_of(tensor: T, random: np.random.Generator) -> Any:
    """ROWS inputs of a tensor: all least, all greatest, every value in turn, random."""
    item = TYPES[tensor.type][1]
    low, high, size = np.iinfo(item).min, np.iinfo(item).max, int(np.prod(tensor.shape))
    rows = random.integers(low, high, (ROWS, size), dtype=np.int64, endpoint=True)
    rows[0], rows[1] = low, high
    rows[2] = np.linspace(low, high, max(size, 2)).round().astype(np.int64)[:size]
    return rows.reshape(ROWS, *tensor.shape).astype(item)


@dataclass
class Golden:
    """A model, its inputs and what tflite-micro makes of them, each int64 [ROWS, values]."""

    name: str
    model: bytes
    inputs: list[Any]
    outputs: list[Any]


def golden() -> list[Golden]:
    """The cases of the file: all models in one array, all numbers in another."""
    with np.load(GOLDEN) as held:
        models, numbers = held["models"].tobytes(), held["numbers"].astype(np.int64)
        places, counts = held["places"], held["counts"]
        names = [str(name) for name in held["names"]]
    out = [
        Golden(name, models[start:stop], [], [])
        for name, (start, stop) in zip(names, pairwise(places), strict=True)
    ]
    start = 0
    for case, role, size in counts.tolist():
        values = numbers[start : start + ROWS * size].reshape(ROWS, size)
        (out[case].outputs if role else out[case].inputs).append(values)
        start += ROWS * size
    return out


def main() -> None:
    """Write the file."""
    from tflite_micro.python.tflite_micro import runtime

    random = np.random.default_rng(6)
    names: list[str] = []
    models, numbers, places, counts = b"", [], [0], []
    for name, tensors, operators, inputs, outputs in cases():
        content = model_bytes(tensors, operators, inputs, outputs)
        given = [inputs_of(tensors[k], random) for k in inputs]
        interpreter = runtime.Interpreter.from_bytes(content, arena_size=1 << 20)
        made: list[list[Any]] = [[] for _ in outputs]
        try:
            for row in range(ROWS):
                for k, values in enumerate(given):
                    interpreter.set_input(values[row], k)
                interpreter.invoke()
                for k in range(len(outputs)):
                    made[k].append(np.array(interpreter.get_output(k)))
        except RuntimeError:
            print(f"not in tflite-micro: {name}")
            continue
        for role, arrays in enumerate((given, [np.stack(rows) for rows in made])):
            for values in arrays:
                counts.append((len(names), role, values.size // ROWS))
                numbers.append(values.reshape(-1).astype(np.int32))
        names.append(name)
        models += content
        places.append(len(models))
    np.savez_compressed(
        GOLDEN,
        names=np.array(names),
        models=np.frombuffer(models, dtype=np.uint8),
        places=np.array(places),
        numbers=np.concatenate(numbers),
        counts=np.array(counts),
    )
    print(f"{len(names)} cases, {GOLDEN.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
