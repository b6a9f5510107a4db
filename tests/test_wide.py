"""Programs on numbers of 64 bits, and floats in whole numbers, on integers and on gates."""

from collections.abc import Sequence

import numpy as np
import pytest

from revsim.network.cells import Bitwise, Compare, Overflow, Product, Sum, run_cells
from revsim.network.cells_bits import AnyShift, Power
from revsim.network.cells_division import Quotient, Remainder
from revsim.network.cells_order import Greatest
from revsim.network.floats import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    Dequantise,
    FloatProduct,
    FloatQuotient,
    FloatRound,
    FloatSum,
    FloatToInteger,
    IntegerToFloat,
    Quantise,
    codes,
    from_codes,
)
from revsim.network.graph import Cells, Graph, Node, Tensor
from revsim.network.wide import PAIR, Wide
from revsim.schedule.graphs import compile_graph
from revsim.simulator.ensemble import data_set
from revsim.simulator.run import simulate


def on_gates(program: object, ends: Sequence[tuple[int, int]], rows: np.ndarray) -> np.ndarray:
    """A program as a circuit at one position, on every row: int64 [rows, results]."""
    expected = run_cells(program, ends, rows)
    out = int(expected.min()), int(expected.max())
    names = [f"x{k}" for k in range(len(ends))]
    tensors = {n: Tensor(n, (1,), *e) for n, e in zip(names, ends, strict=True)}
    tensors["y"] = Tensor("y", (expected.shape[1],), *out)
    cells = Cells("cell", program, np.arange(len(ends))[None, :])
    node = Node("cell", cells, tuple(names), "y")
    graph = Graph("cell", tensors, (node,), tuple(names), ("y",))
    run = simulate(compile_graph(graph, policy="uncompute", input="keep"), data_set(rows))
    assert (run.outputs == expected).all()
    return run.outputs


def same(found: Sequence[int], wanted: Sequence[int]) -> None:
    wrong = [k for k, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b]
    assert not wrong, (wrong[0], found[wrong[0]], wanted[wrong[0]])


# --- numbers of 64 bits -------------------------------------------------------------------------

FORMS = ("signed", "unsigned")
EDGES = {"signed": [0, 1, -1, 2, (1 << 63) - 1, -(1 << 63), 1 << 32, -(1 << 32)],
         "unsigned": [0, 1, 2, (1 << 64) - 1, 1 << 63, 1 << 32, (1 << 32) - 1]}  # fmt: skip


def numbers(form: str, count: int, seed: int) -> list[int]:
    """Numbers of all lengths, the ends of the type among them."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        number = int.from_bytes(rng.bytes(8), "little") >> int(rng.integers(0, 64))
        made.append(wrapped(number, form) * (-1 if form == "signed" and rng.random() < 0.5 else 1))
    return [wrapped(n, form) for n in [*EDGES[form], *made][:count]]


def wrapped(number: int, form: str) -> int:
    number &= (1 << 64) - 1
    return number - (1 << 64) if form == "signed" and number >> 63 else number


def split(given: Sequence[int], form: str) -> np.ndarray:
    half = 1 << 31 if form == "signed" else 0
    return np.array([[n & 0xFFFFFFFF, (n >> 32) + half] for n in given], dtype=np.int64)


def joined(words: np.ndarray, form: str) -> list[int]:
    half = 1 << 31 if form == "signed" else 0
    return [int(low) + ((int(high) - half) << 32) for low, high in words]


def towards_zero(a: int, b: int) -> int:
    return abs(a) // abs(b) * (-1 if (a < 0) != (b < 0) else 1)


OPERATIONS = {
    "add": (lambda o: Sum((), 0, o), lambda a, b: a + b),
    "subtract": (lambda o: Sum((1, -1), 0, o), lambda a, b: a - b),
    "multiply": (Product, lambda a, b: a * b),
    "divide": (lambda o: Quotient(False, o), towards_zero),
    "floor": (lambda o: Remainder(True), lambda a, b: a % b),
    "fmod": (lambda o: Remainder(False), lambda a, b: a - b * towards_zero(a, b)),
    "greatest": (lambda o: Greatest(), max),
    "xor": (lambda o: Bitwise("xor"), lambda a, b: a ^ b),
    "or": (lambda o: Bitwise("or"), lambda a, b: a | b),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_numbers_of_64_bits_wrap_around_as_python_says(name: str, form: str) -> None:
    make, meaning = OPERATIONS[name]
    a, b = numbers(form, 300, 1), [n or 3 for n in reversed(numbers(form, 300, 2))]
    program = Wide(make(Overflow(64, form == "signed")), (form, form), (form,))
    rows = np.concatenate([split(a, form), split(b, form)], axis=1)
    made = run_cells(program, [PAIR] * 4, rows)
    same(joined(made, form), [wrapped(meaning(x, y), form) for x, y in zip(a, b, strict=True)])


@pytest.mark.parametrize("name", ["add", "multiply", "fmod", "greatest", "xor"])
def test_numbers_of_64_bits_on_gates(name: str) -> None:
    a, b = numbers("signed", 64, 3), [n or 7 for n in numbers("signed", 64, 4)]
    rows = np.concatenate([split(a, "signed"), split(b, "signed")], axis=1)
    program = Wide(OPERATIONS[name][0](Overflow(64, True)), ("signed", "signed"), ("signed",))
    on_gates(program, [PAIR] * 4, rows)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("relation", ["less", "equal", "greater_or_equal"])
def test_comparisons_of_64_bits(relation: str, form: str) -> None:
    a, b = numbers(form, 200, 5), numbers(form, 200, 5)
    b[100:] = numbers(form, 100, 6)
    rows = np.concatenate([split(a, form), split(b, form)], axis=1)
    program = Wide(Compare(relation), (form, form), ("word",))
    meaning = {"less": int.__lt__, "equal": int.__eq__, "greater_or_equal": int.__ge__}[relation]
    made = on_gates(program, [PAIR] * 4, rows).ravel().tolist()
    same(made, [int(meaning(x, y)) for x, y in zip(a, b, strict=True)])


@pytest.mark.parametrize("right", [False, True], ids=["left", "right"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_shifts_by_any_amount(right: bool, signed: bool) -> None:
    ends = (-128, 127) if signed else (0, 255)
    x, y = (
        v.ravel()
        for v in np.meshgrid(
            np.arange(ends[0], ends[1] + 1), [0, 1, 3, 7, 8, 100, -1 % 256 if not signed else -1]
        )
    )
    rows = np.stack([x, y], axis=1)
    made = on_gates(AnyShift(8, signed, right), [ends, ends], rows).ravel()
    beyond = (y < 0) | (y > 7)
    moved = x >> np.where(beyond, 0, y) if right else x << np.where(beyond, 0, y)
    moved = np.where(beyond, np.where(x < 0, -1, 0) if right else 0, moved)
    kept = moved.astype(np.int8 if signed else np.uint8).astype(np.int64)
    assert (made == kept).all()


def test_powers_wrap_around() -> None:
    x = np.arange(-128, 128)[:, None]
    made = on_gates(Power(5, 8, True), [(-128, 127)], x)
    assert (made[:, 0] == (x[:, 0] ** 5).astype(np.int8)).all()


# --- floats -------------------------------------------------------------------------------------

FORMATS = {"float16": FLOAT16, "bfloat16": BFLOAT16, "float32": FLOAT32}


def patterns(name: str, count: int, seed: int) -> np.ndarray:
    """Floats of every exponent, subnormal ones and zeros among them; no NaN, no infinity."""
    form, rng = FORMATS[name], np.random.default_rng(seed)
    exponent = rng.integers(0, (1 << form.exponent) - 1, count)
    exponent[: count // 2] = rng.integers(form.bias - 3, form.bias + 9, count // 2)
    fraction = rng.integers(0, 1 << form.fraction, count)
    fraction[rng.random(count) < 0.3] &= ~((1 << (form.fraction - 3)) - 1)
    magnitude = (exponent << form.fraction) | fraction
    magnitude[:4] = [0, 0, 1, (1 << form.fraction) - 1]
    sign = rng.integers(0, 2, count)
    sign[:2] = [0, 1]
    return np.where(sign == 1, -1 - magnitude, magnitude)


BINARY = {
    "add": (FloatSum, np.add),
    "subtract": (lambda form: FloatSum(form, minus=True), np.subtract),
    "multiply": (FloatProduct, np.multiply),
    "divide": (FloatQuotient, np.divide),
}


@pytest.mark.parametrize("name", ["float16", "float32"])
@pytest.mark.parametrize("operation", BINARY)
def test_float_arithmetic_is_that_of_ieee_754(operation: str, name: str) -> None:
    form = FORMATS[name]
    make, meaning = BINARY[operation]
    x, y = patterns(name, 4000, 1), patterns(name, 4000, 2)
    y[2000:2100] = -1 - x[2000:2100]  # sums that cancel
    with np.errstate(all="ignore"):
        wanted = meaning(from_codes(x, name), from_codes(y, name))
    number = ~np.isnan(wanted)
    made = run_cells(make(form), [form.ordered] * 2, np.stack([x, y], axis=1))[:, 0]
    assert (made[number] == codes(wanted)[number]).all()


@pytest.mark.parametrize("operation", BINARY)
def test_float_arithmetic_on_gates(operation: str) -> None:
    x, y = patterns("float32", 128, 3), patterns("float32", 128, 4)
    y[y == 0] = y[y == -1] = FLOAT32.one
    on_gates(BINARY[operation][0](FLOAT32), [FLOAT32.ordered] * 2, np.stack([x, y], axis=1))


def test_brain_floats_multiply_as_rounded_floats() -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x, y = patterns("bfloat16", 3000, 5), patterns("bfloat16", 3000, 6)
    with np.errstate(all="ignore"):
        wanted = codes(from_codes(x, bfloat16) * from_codes(y, bfloat16))
    made = run_cells(FloatProduct(BFLOAT16), [BFLOAT16.ordered] * 2, np.stack([x, y], axis=1))
    assert (made[:, 0] == wanted).all()


def test_rounding_and_casts() -> None:
    x = patterns("float32", 4000, 7)
    floats = from_codes(x, np.float32)
    made = run_cells(FloatRound(FLOAT32), [FLOAT32.ordered], x[:, None])[:, 0]
    assert (made == codes(np.rint(floats))).all()
    small = x[np.abs(floats) < 1e9]
    cut = run_cells(FloatToInteger(FLOAT32, 8, True), [FLOAT32.ordered], small[:, None])[:, 0]
    whole = np.trunc(from_codes(small, np.float32)).astype(np.int64)
    assert (cut == whole.astype(np.int8)).all() and len(small) > 2000
    on_gates(FloatToInteger(FLOAT32, 8, False), [FLOAT32.ordered], small[:128, None])
    rng = np.random.default_rng(8)
    whole = rng.integers(-(1 << 31), 1 << 31, 2000) >> rng.integers(0, 31, 2000)
    back = run_cells(IntegerToFloat(FLOAT32), [(-(1 << 31), (1 << 31) - 1)], whole[:, None])[:, 0]
    assert (back == codes(whole.astype(np.float32))).all()
    on_gates(FloatRound(FLOAT32), [FLOAT32.ordered], x[:128, None])


@pytest.mark.parametrize("ends", [(0, 255), (-128, 127), (0, 65535), (-8, 7)], ids=str)
def test_quantisers_divide_and_round_as_numpy_does(ends: tuple[int, int]) -> None:
    rng, scale, zero = np.random.default_rng(9), np.float32(0.0173), ends[0] + 3
    x = (rng.normal(size=3000) * rng.choice([0.1, 2, 300], 3000)).astype(np.float32)
    x[:200] = (np.arange(200) - 100 + 0.5).astype(np.float32) * scale  # ties, and beside them
    x[200:203] = np.inf, -np.inf, -0.0
    program = Quantise(FLOAT32, *ends, int(codes(scale[None])[0]), zero)
    made = run_cells(program, [FLOAT32.ordered], codes(x)[:, None])[:, 0]
    wanted = np.clip(np.rint(x / scale) + zero, *ends)
    assert (made == wanted).all()
    on_gates(program, [FLOAT32.ordered], codes(x)[:256, None])
    q = rng.integers(ends[0], ends[1] + 1, 500)
    back = Dequantise(FLOAT32, int(codes(scale[None])[0]), zero)
    floats = on_gates(back, [ends], q[:, None])[:, 0]
    assert (floats == codes((q - zero).astype(np.float32) * scale)).all()


def test_codes_keep_every_bit_and_the_order() -> None:
    floats = np.array([-np.inf, -1.5, -1e-45, -0.0, 0.0, 1e-45, 2.0, np.inf], np.float32)
    numbers = codes(floats)
    assert (np.diff(numbers) > 0).all()
    assert from_codes(numbers, np.float32).tobytes() == floats.tobytes()
