"""Linear maps in place: every small matrix, by exhaustion; what cannot be done is refused."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from revsim.blocks.block import define
from revsim.blocks.linear_in_place import bits_lost, factors, linear_in_place, multiply_in_place
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Port
from revsim.circuit.measures import counts
from revsim.errors import InputError
from revsim.experiments.registry import experiment
from revsim.simulator.apply import apply


def every_input(size: int, width: int) -> np.ndarray:
    """All vectors [size, rows] of numbers of `width` bits."""
    return np.array(list(itertools.product(range(1 << width), repeat=size))).T


def every_matrix(size: int, width: int) -> list[np.ndarray]:
    entries = itertools.product(range(1 << width), repeat=size * size)
    return [np.array(e).reshape(size, size) for e in entries]


def entropy_lost(matrix: np.ndarray, width: int) -> float:
    """H(x) - H(Wx) of uniform x, counted."""
    x = every_input(matrix.shape[1], width)
    y = matrix @ x & ((1 << width) - 1)
    _, times = np.unique(y, axis=1, return_counts=True)
    return float((times / times.sum() * np.log2(times)).sum())


def determinant_is_odd(matrix: np.ndarray) -> bool:
    return round(np.linalg.det(matrix % 2)) % 2 == 1


@pytest.mark.parametrize(("size", "width"), [(1, 1), (1, 3), (2, 1), (2, 2), (3, 1)])
def test_every_small_matrix_is_done_in_place_or_loses_bits(size: int, width: int) -> None:
    x = every_input(size, width)
    names = [f"x{i}" for i in range(size)]
    done = 0
    for matrix in every_matrix(size, width):
        lost = bits_lost(matrix, width)
        assert lost == pytest.approx(entropy_lost(matrix, width), abs=1e-9)
        assert (lost == 0) == determinant_is_odd(matrix)
        if lost:
            with pytest.raises(InputError, match=f"the determinant is even.* loses {lost} bit"):
                factors(matrix, width)
            continue
        definition = define(
            "linear",
            lambda b, *r, matrix=matrix: linear_in_place(b, r, matrix),
            *(Port(name, width) for name in names),
        )
        assert counts(definition).erase == 0 and not definition.erases
        before = dict(zip(names, x, strict=True))
        after = apply(definition, before)
        y = matrix @ x & ((1 << width) - 1)
        np.testing.assert_array_equal(np.stack([after[n] for n in names]), y)
        back = apply(definition, after, inverse=True)
        np.testing.assert_array_equal(np.stack([back[n] for n in names]), x)
        done += 1
    assert done


@pytest.mark.parametrize("width", [1, 2, 7, 8, 33, 62])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_factors_multiply_to_the_matrix_at_any_width(size: int, width: int) -> None:
    random = np.random.default_rng([size, width])
    found = 0
    while found < 5:
        matrix = random.integers(-(1 << (width - 1)), 1 << (width - 1), (size, size))
        if not determinant_is_odd(matrix):
            continue
        found += 1
        order, lower, upper = factors(matrix, width)
        assert sorted(order) == list(range(size))
        assert (np.diag(lower) == 1).all() and (np.diag(upper) % 2 == 1).all()
        assert not np.triu(lower, 1).any() and not np.tril(upper, -1).any()
        product = lower.astype(object) @ upper.astype(object)
        np.testing.assert_array_equal((product - matrix[list(order)]) % (1 << width), 0)


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (2, 3), (3, 2)])
def test_bits_lost_of_matrices_that_are_not_square(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(shape)
    for _ in range(20):
        matrix = random.integers(-4, 5, shape)
        assert bits_lost(matrix, 3) == pytest.approx(entropy_lost(matrix, 3), abs=1e-9)


def test_ones_on_the_diagonal_need_no_ancilla() -> None:
    ports = Port("x0", 8), Port("x1", 8)
    sheared = define("sheared", lambda b, *x: linear_in_place(b, x, [[1, 0], [5, 1]]), *ports)
    assert sheared.locals == 0
    assert counts(sheared).toffoli == (2 * 8 - 2) + (2 * 6 - 2)  # 5 = 4 + 1


def test_bad_maps_are_refused_in_words() -> None:
    b = Builder("wrong")
    x, y = b.port("x", 4), b.port("y", 4)
    cases = [
        ([[1, 0, 0], [0, 1, 0]], (), "needs a square matrix, got shape"),
        ([[1]], (), "a matrix of 1 rows, 2 registers"),
        ([[1, 0], [0, 1]], (1,), "2 rows, 2 registers and 1 biases"),
        ([[1.0, 0], [0, 1]], (), "needs a matrix of integers"),
        ([1, 2], (), "needs a matrix of integers"),
        ([[2, 1], [2, 2]], (), "modulo 2\\^4 the matrix loses 1 bit of"),
    ]
    for matrix, bias, message in cases:
        with pytest.raises(InputError, match=message):
            linear_in_place(b, [x, y], matrix, bias)
    with pytest.raises(InputError, match="6 is even, so modulo 2\\^4 it cannot multiply"):
        multiply_in_place(b, x, 6, y)
    with pytest.raises(InputError, match="takes widths"):
        factors([[1]], 63)


def test_the_experiment_finds_the_known_losses_and_says_where_overflow_loses() -> None:
    known = json.loads(Path(__file__).with_name("oracle_cases.json").read_text())["cases"]
    value = {case["id"]: case["value"] for case in known}
    outcome = experiment("linear").run()
    assert outcome.holds
    for name, case in (("det 1", 51), ("det -2", 52), ("rank 1", 53), ("det -2_integers", 54)):
        assert outcome.numbers[f"lost_{name}"] == pytest.approx(value[case], abs=1e-9)
    done = {(row[0], row[1]): row for row in outcome.tables["Every input once"].rows}
    assert all(
        row[5] == 0 for (_, way), row in done.items() if way in ("in place", "beside, x kept")
    )
    assert ("det -2", "in place") not in done and ("det 51", "in place") in done
