"""Joint histograms of wires: kernels against plain counting, rows that fill no word, weights."""

import numpy as np
import pytest

from revsim.circuit.kernels import HAVE_NUMBA
from revsim.simulator.lanes import padded_words, read, unpack
from revsim.simulator.statistics import FEW_ROWS, _hashes, spectrum_of_values, spectrum_of_wires

pytestmark = pytest.mark.skipif(not HAVE_NUMBA, reason="kernels take Numba")
WIRES = 24


@pytest.fixture(scope="module")
def state() -> np.ndarray:
    """Words of 24 wires, some of them alike, wire 7 constant."""
    random = np.random.default_rng(3)
    words = random.integers(0, 1 << 64, (WIRES, 700), dtype=np.uint64)
    words[5] = words[2] & words[9]
    words[7] = 0
    words[12] = ~words[11]
    return words


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 256 * 64, 256 * 64 + 5, 700 * 64])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 24])
def test_patterns_are_counted(state, width, rows):
    from revsim.simulator.counting import kernels

    wires = np.random.default_rng(width).permutation(WIRES)[:width].astype(np.int32)
    expected = np.bincount(read(state, wires, rows).astype(np.int64), minlength=1 << width)
    ways = (kernels.count_minterms, kernels.count_patterns)
    for count in ways if width <= 4 else ways[1:]:
        counts = np.zeros(1 << width, dtype=np.int64)
        count(state, wires, rows, counts)
        assert np.array_equal(counts, expected), count.__name__


def test_bytes_are_transposed():
    from revsim.simulator.counting import kernels

    planes = np.random.default_rng(0).integers(0, 1 << 64, 8, dtype=np.uint64)
    bits = np.unpackbits(planes.view(np.uint8), bitorder="little").reshape(8, 8, 8)
    kernels.transpose_bytes(planes, 0)
    turned = np.unpackbits(planes.view(np.uint8), bitorder="little").reshape(8, 8, 8)
    assert np.array_equal(turned, bits.transpose(2, 1, 0))


@pytest.mark.parametrize("rows", [5, FEW_ROWS, FEW_ROWS + 1, 30_000])
@pytest.mark.parametrize("width", [0, 1, 4, 6, 13, 20, 23])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_spectrum_is_the_same_whichever_way_it_is_counted(state, width, rows, weighted):
    wires = np.arange(width, dtype=np.int32)
    weights = np.random.default_rng(1).integers(0, 4, rows) if weighted else None
    found = spectrum_of_wires(state, wires, rows, weights)
    values = read(state, wires, rows)
    expected = spectrum_of_values(values, 64, weights)
    assert found.weight.tolist() == expected.weight.tolist()
    assert found.times.tolist() == expected.times.tolist()


@pytest.mark.parametrize(("wires", "rows"), [(1, 64), (63, 513), (130, 1000), (300, 64 * 17)])
def test_rows_are_hashed(wires, rows):
    """The XOR of the keys of the wires that are 1, for each row."""
    from revsim.simulator.counting.kernels import wire_key

    random = np.random.default_rng(wires)
    state = random.integers(0, 1 << 64, (wires + 9, padded_words(rows)), dtype=np.uint64)
    chosen = random.permutation(wires + 9)[:wires].astype(np.int32)
    expected = np.zeros((rows, 2), dtype=np.uint64)
    for wire in chosen.tolist():
        keys = np.array([wire_key(wire, half) for half in range(2)], dtype=np.uint64)
        expected ^= np.where(unpack(state[wire], rows)[:, None], keys, np.uint64(0))
    assert np.array_equal(_hashes(state, chosen, rows), expected)
