"""Windows of convolutions and pools against loops over every axis, tap and batch."""

from itertools import product

import numpy as np
import pytest

from revsim.frontends import shapes

pytest.importorskip("onnx")

from onnx_models import check, model, node

from revsim.frontends.onnx.builder import Step
from revsim.frontends.onnx.sums import window_of


def naive(size, kernel, strides, dilations, before, out):
    """What each window reads, tap by tap: flat places or -1."""
    rows = []
    for at in product(*map(range, out)):
        row = []
        for tap in product(*map(range, kernel)):
            place = [
                o * s + t * d - b
                for o, s, t, d, b in zip(at, strides, tap, dilations, before, strict=True)
            ]
            inside = all(0 <= p < n for p, n in zip(place, size, strict=True))
            row.append(int(np.ravel_multi_index(place, size)) if inside else -1)
        rows.append(row)
    return rows


@pytest.mark.parametrize("seed", range(12))
def test_windows_and_their_transposes(seed: int) -> None:
    """Any kernel, stride, dilation and padding; a transpose reads what the window writes."""
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(1, 3))
    size = tuple(rng.integers(3, 7, axes).tolist())
    kernel, strides, dilations = (tuple(rng.integers(1, 4, axes).tolist()) for _ in range(3))
    before = tuple(rng.integers(0, 3, axes).tolist())
    out = tuple(rng.integers(1, 5, axes).tolist())
    found = shapes.windows(size, kernel, strides, dilations, before, out)
    assert found.tolist() == naive(size, kernel, strides, dilations, before, out)
    # Output o of the transpose reads input i through tap k where window i reads o through tap k.
    turned = shapes.transposed_windows(out, kernel, strides, dilations, before, size)
    pairs = {(i, k, int(o)) for (i, k), o in np.ndenumerate(found) if o >= 0}
    assert pairs == {(int(i), k, o) for (o, k), i in np.ndenumerate(turned) if i >= 0}


@pytest.mark.parametrize("n", range(1, 12))
def test_padding_same_and_valid(n: int) -> None:
    """SAME: ceil(n / stride) windows, the lack of values spread with the odd one behind; VALID:
    the windows that fit."""
    for k, s, d in product(range(1, 5), range(1, 4), range(1, 3)):
        (before,), (out,) = shapes.same_padding((n,), (k,), (s,), (d,))
        lack = max((out - 1) * s + (k - 1) * d + 1 - n, 0)
        assert out == -(-n // s) and before == lack // 2
        (none,), (fit,) = shapes.valid_padding((n,), (k,), (s,), (d,))
        starts = [p for p in range(0, n, s) if p + (k - 1) * d < n]
        assert none == 0 and max(fit, 0) == len(starts)


def test_batches_and_channels() -> None:
    """Reads of several images: each in its own image, channels last or first."""
    flat = np.array([[0, 2], [1, -1]])
    image = np.arange(2 * 3 * 4)
    last, first = image.reshape(2, 3, 4), image.reshape(2, 4, 3)
    for reads, held in (
        (shapes.channels_last(flat, 2, 3, 4), last),
        (shapes.channels_first(flat, 2, 3, 4), first.transpose(0, 2, 1)),
    ):
        for b, w, t in product(range(2), range(2), range(2)):
            place = flat[w, t]
            expected = held[b, place].tolist() if place >= 0 else [-1] * 4
            assert reads[2 * b + w, t].tolist() == expected


def step(**attributes) -> Step:
    return Step("pool", "MaxPool", "", ("x",), ("y",), attributes, 11)


@pytest.mark.parametrize(
    ("attributes", "size", "kernel", "expected"),
    [
        ({"auto_pad": b"SAME_UPPER"}, 5, 2, ([0], [1], [5])),
        ({"auto_pad": b"SAME_LOWER"}, 5, 2, ([1], [0], [5])),
        ({"auto_pad": b"SAME_LOWER", "strides": [2]}, 6, 3, ([1], [0], [3])),
        ({"auto_pad": b"VALID", "pads": [1, 1]}, 5, 2, ([0], [0], [4])),
        ({"strides": [2]}, 5, 2, ([0], [0], [2])),
        ({"strides": [2], "ceil_mode": 1}, 5, 2, ([0], [0], [3])),
        ({"strides": [2], "ceil_mode": 1}, 6, 2, ([0], [0], [3])),
        ({"strides": [3], "ceil_mode": 1, "pads": [0, 1]}, 4, 1, ([0], [1], [2])),
        ({"strides": [1], "dilations": [2], "pads": [2, 0]}, 5, 3, ([2], [0], [3])),
    ],
)
def test_windows_of_onnx(attributes, size, kernel, expected) -> None:
    """auto_pad puts the odd value behind (UPPER) or before (LOWER); a window that ceil_mode adds
    starts within the input or the padding before it."""
    _, _, before, behind, out = window_of(step(**attributes), [size], [kernel])
    assert (before, behind, out) == expected


@pytest.mark.parametrize("padding", ["SAME_UPPER", "SAME_LOWER"])
def test_a_convolution_of_two_images(padding: str) -> None:
    """Batch 2, two groups, an even kernel: padding before and behind differ."""
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 256, (3, 2, 4, 5)), rng.integers(-128, 128, (4, 2, 2))
    zero = 7
    proto = model(
        [node("ConvInteger", ["x", "w", "zx"], group=2, auto_pad=padding)],
        {"x": (2, (2, 4, 5))},
        {"y": 6},
        {"w": w.astype(np.int8), "zx": np.array(zero, np.uint8)},
        opset=10,
    )
    held = x - zero
    wide = (0, 1) if padding == "SAME_UPPER" else (1, 0)
    held = np.pad(held, ((0, 0), (0, 0), (0, 0), wide))
    expected = np.stack(
        [
            sum(
                w[c, j, k] * held[:, :, c // 2 * 2 + j, k : k + 5]
                for j in range(2)
                for k in range(2)
            )
            for c in range(4)
        ],
        axis=2,
    )
    check(proto, expected, x=x.astype(np.uint8))
