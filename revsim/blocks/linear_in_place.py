"""Square linear maps in place: x becomes Wx + b modulo 2^n, and nothing is left over.

Modulo 2^n a matrix is a bijection where its determinant is odd. Then W = P L U with odd numbers on
the diagonal of U and ones on that of L (some entry of each column stays odd, and odd numbers have
inverses). U is applied from the first row down, L from the last row up: each row reads only rows
that it has not changed, or has changed already as it should. A row is a few shifted additions; an
odd factor on the diagonal is lifted through one scratch register; P exchanges registers.

With an even determinant two inputs share an output and no such circuit exists; `bits_lost` says by
how many bits. T = Toffoli, C = CNOT, N = NOT, S = SWAP below, n = width.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from revsim.blocks.add import TTK, add_constant, add_in_place, constant_cost
from revsim.blocks.block import Block, Costs, Values, define, mask, price, total, trailing_zeros
from revsim.blocks.check import distinct, equal_widths, not_empty
from revsim.blocks.columns import signed_digits
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Port
from revsim.circuit.registers import Wires
from revsim.errors import InputError

Int64s = npt.NDArray[np.int64]
WIDEST = 62


class Factors(NamedTuple):
    """W = P L U modulo 2^n: row `order[i]` of W is row i of L U; int64 in 0..2^n - 1."""

    order: tuple[int, ...]
    lower: Int64s
    upper: Int64s


def factors(matrix: npt.ArrayLike, width: int) -> Factors:
    """P L U of a square integer matrix modulo 2^width, width 1..62; exact.

    Raises InputError where the determinant is even, with the bits that the matrix loses.

    >>> factors([[0, 1], [3, 5]], 4).order
    (1, 0)
    """
    upper = _reduced(matrix, width)
    size = len(upper)
    if upper.shape != (size, size):
        raise InputError(f"a linear map in place needs a square matrix, got shape {upper.shape}")
    lower, order = np.eye(size, dtype=np.int64), list(range(size))
    for c in range(size):
        odd = [r for r in range(c, size) if upper[r, c] & 1]
        if not odd:
            lost = bits_lost(matrix, width)
            raise InputError(
                f"the determinant is even: modulo 2^{width} the matrix loses {lost} "
                f"{'bit' if lost == 1 else 'bits'} of a uniform input, so nothing computes it in "
                "place; keep the input and compute the output beside it"
            )
        pivot = min(odd, key=lambda r: abs(_centred(int(upper[r, c]), width)) != 1)  # 1 is free
        for rows in (upper, lower[:, :c]):
            rows[[c, pivot]] = rows[[pivot, c]]
        order[c], order[pivot] = order[pivot], order[c]
        below = upper[c + 1 :, c] * pow(int(upper[c, c]), -1, 1 << width) & mask(width)
        lower[c + 1 :, c] = below
        upper[c + 1 :] = upper[c + 1 :] - below[:, None] * upper[c] & mask(width)
    return Factors(tuple(order), lower, upper)


def bits_lost(matrix: npt.ArrayLike, width: int) -> int:
    """H(x) - H(Wx) modulo 2^width for uniform x: 0 exactly where the determinant is odd.

    Elimination with the entry that 2 divides least; a pivot divisible by 2^v loses v bits, a row
    that is missing or 0 loses `width`. Any shape [outputs, inputs].

    >>> [bits_lost(m, 4) for m in ([[1, 2], [1, 3]], [[1, 1], [1, -1]], [[1, 2], [2, 4]])]
    [0, 1, 4]
    """
    left = _reduced(matrix, width)
    kept = 0
    inputs = left.shape[1]
    while left.any():
        twos = np.where(left == 0, width, [[trailing_zeros(int(v) or 1) for v in r] for r in left])
        r, c = divmod(int(np.argmin(twos)), left.shape[1])
        v = int(twos[r, c])
        inverse = pow(int(left[r, c]) >> v, -1, 1 << width)
        left = left - (left[:, c] >> v)[:, None] * inverse * left[r] & mask(width)
        left = np.delete(np.delete(left, r, axis=0), c, axis=1)
        kept += width - v
    return int(inputs * width - kept)


def _reduced(matrix: npt.ArrayLike, width: int) -> Int64s:
    given = np.asarray(matrix)
    if given.ndim != 2 or given.dtype.kind not in "iu":
        raise InputError("a linear map needs a matrix of integers, [outputs, inputs]")
    if not 1 <= width <= WIDEST:
        raise InputError(f"a linear map in place takes widths 1..{WIDEST}, got {width}")
    return given.astype(np.int64) & mask(width)


def _centred(factor: int, width: int) -> int:
    """The representative modulo 2^width that lies nearest to 0."""
    half = 1 << (width - 1)
    return half - (half - factor) % (1 << width)


def _digits(factor: int, width: int) -> tuple[list[int], list[int]]:
    """Shifts of the positive and of the negative signed digits of a factor modulo 2^width."""
    _, shifts, negative = signed_digits(np.array([_centred(factor, width)]))
    inside = shifts < width
    return shifts[inside & ~negative].tolist(), shifts[inside & negative].tolist()


def add_multiple(b: Builder, x: Wires, y: Wires, factor: int, fresh: bool = False) -> None:
    """y += factor * x mod 2^n for any integer; x kept. `fresh`: y holds 0, one digit is copied.

    One in-place addition of n - k places per signed digit 2^k of the factor: 2(n-k)-2 T, 5(n-k)-6 C
    (1 C for the last place), 2n N where a digit is negative; no ancilla. Raises InputError for
    unequal widths or a wire given twice.
    """
    n = equal_widths(b, "add_multiple", x=x, y=y)
    not_empty(b, "add_multiple", "x", x)
    distinct(b, "add_multiple", x, y)
    positive, negative = _digits(factor, n)
    for number, k in enumerate(positive):
        if fresh and number == 0:
            b.cx(x[: n - k], y[k:])
        else:
            add_in_place(b, x[: n - k], y[k:], variant="ttk")
    if negative:  # y - v is the complement of (complement of y) + v
        b.x(y)
        for k in negative:
            add_in_place(b, x[: n - k], y[k:], variant="ttk")
        b.x(y)


def multiply_in_place(b: Builder, x: Wires, factor: int, scratch: Wires) -> None:
    """x *= factor mod 2^n for an odd factor; `scratch`: n wires that hold 0, and do so again.

    Lifted: scratch += factor x, then x -= scratch / factor, which is 0, then they change places.
    Two `add_multiple` onto 0 and n S. Raises InputError for an even factor.

    >>> from revsim.simulator.apply import apply
    >>> ports = Port("x", 4), Port("scratch", 4, zero_in=True)
    >>> triple = define("triple", lambda b, x, s: multiply_in_place(b, x, 3, s), *ports)
    >>> apply(triple, {"x": [1, 5, 7]})["x"].tolist()
    [3, 15, 5]
    """
    n = equal_widths(b, "multiply_in_place", x=x, scratch=scratch)
    if factor % 2 == 0:
        raise InputError(f"{b.name}: {factor} is even, so modulo 2^{n} it cannot multiply in place")
    if _centred(factor, n) == 1:
        return
    inverse = pow(factor, -1, 1 << n)
    back = define(
        f"times {_centred(inverse, n)}",
        lambda c, source, target: add_multiple(c, source, target, inverse, fresh=True),
        Port("source", n),
        Port("target", n, zero_in=True),
    )
    add_multiple(b, x, scratch, factor, fresh=True)
    b.call(back, scratch, x, inverse=True)
    b.swap(x, scratch)


def linear_in_place(
    b: Builder, x: Sequence[Wires], matrix: npt.ArrayLike, bias: Sequence[int] = ()
) -> None:
    """Registers x become Wx + b mod 2^n: register i holds output i; n wires each, W odd.

    Cost: `linear_cost`. At most n clean ancillas besides those of the constants, none where the
    diagonal of U is all ones. Raises InputError where the determinant is even.
    """
    n = equal_widths(b, "linear_in_place", **{f"x{i}": r for i, r in enumerate(x)})
    distinct(b, "linear_in_place", *x)
    order, lower, upper = factors(matrix, n)
    size = len(order)
    if len(x) != size or len(bias) not in (0, size):
        raise InputError(
            f"{b.name}: linear_in_place has a matrix of {size} rows, {len(x)} registers and "
            f"{len(bias)} biases"
        )
    diagonal = [int(v) for v in np.diag(upper)]
    scratch = b.local("scratch", n) if any(v != 1 for v in diagonal) else x[0][:0]
    for i in range(size):
        if diagonal[i] != 1:
            multiply_in_place(b, x[i], diagonal[i], scratch)
        for j in range(i + 1, size):
            add_multiple(b, x[j], x[i], int(upper[i, j]))
    for i in reversed(range(size)):
        for j in range(i):
            add_multiple(b, x[j], x[i], int(lower[i, j]))
    for i, j in _exchanges(order):
        b.swap(x[i], x[j])
    for register, constant in zip(x, bias, strict=False):
        add_constant(b, register, constant)


def _exchanges(order: Sequence[int]) -> list[tuple[int, int]]:
    """Exchanges of registers after which what stood in i stands in order[i]."""
    out = []
    waiting = set(range(len(order)))
    while waiting:
        cycle = [min(waiting)]
        while order[cycle[-1]] != cycle[0]:
            cycle.append(order[cycle[-1]])
        waiting -= set(cycle)
        out += [(cycle[0], i) for i in cycle[1:]]
    return out


# --- promises -----------------------------------------------------------------------------------


def multiple_cost(n: int, factor: int, fresh: bool = False) -> Costs:
    """What `add_multiple` costs."""
    positive, negative = _digits(factor, n)
    copied = positive[:1] if fresh else []
    places = [n - k for k in (*positive[len(copied) :], *negative)]
    return price(
        toffoli=sum(2 * m - 2 for m in places),
        cnot=sum(5 * m - 6 if m > 1 else 1 for m in places) + sum(n - k for k in copied),
        x=2 * n if negative else 0,
    )


def multiply_cost(n: int, factor: int) -> Costs:
    """What `multiply_in_place` costs; its scratch register is the caller's."""
    if _centred(factor, n) == 1:
        return price()
    inverse = pow(factor, -1, 1 << n)
    both = multiple_cost(n, factor, True), multiple_cost(n, inverse, True)
    return total(*both, price(swap=n))


def linear_cost(n: int, matrix: npt.ArrayLike, bias: Sequence[int] = ()) -> Costs:
    """What `linear_in_place` costs."""
    order, lower, upper = factors(matrix, n)
    diagonal = [int(v) for v in np.diag(upper)]
    off = [*upper[np.triu_indices(len(order), 1)], *lower[np.tril_indices(len(order), -1)]]
    return total(
        *(multiply_cost(n, v) for v in diagonal),
        *(multiple_cost(n, int(v)) for v in off),
        *(constant_cost(n, v) for v in bias),
        price(swap=n * len(_exchanges(order)), ancillas=n if any(v != 1 for v in diagonal) else 0),
    )


LIFTING = "shifted additions of signed digits, lifting; adders of " + TTK


def _multiple_block(factor: int) -> Block:
    return Block(
        f"add_multiple[{factor}]",
        f"y += {factor} x mod 2^n",
        lambda n: define(
            "multiple", lambda b, x, y: add_multiple(b, x, y, factor), Port("x", n), Port("y", n)
        ),
        lambda n, v: {**v, "y": (v["y"] + factor * v["x"]) & mask(n)},
        lambda n: multiple_cost(n, factor),
        LIFTING,
        least_width=1,
        most_width=WIDEST,
    )


def _multiply_block(factor: int) -> Block:
    return Block(
        f"multiply_in_place[{factor}]",
        f"x = {factor} x mod 2^n",
        lambda n: define(
            "multiply",
            lambda b, x, s: multiply_in_place(b, x, factor, s),
            Port("x", n),
            Port("scratch", n, zero_in=True),
        ),
        lambda n, v: {**v, "x": (factor * v["x"]) & mask(n)},
        lambda n: multiply_cost(n, factor),
        LIFTING,
        least_width=1,
        most_width=WIDEST,
    )


def _linear_block(name: str, matrix: Sequence[Sequence[int]], bias: Sequence[int] = ()) -> Block:
    names = [f"x{i}" for i in range(len(matrix))]

    def meaning(n: int, v: Values) -> Values:
        x = np.stack([v[name] for name in names])
        y = np.array(matrix) @ x + np.array(bias or [0] * len(x))[:, None]
        return dict(zip(names, y & mask(n), strict=True))

    return Block(
        f"linear_in_place[{name}]",
        f"x = Wx + b mod 2^n, W = {[list(row) for row in matrix]}",
        lambda n: define(
            "linear",
            lambda b, *x: linear_in_place(b, x, matrix, bias),
            *(Port(name, n) for name in names),
        ),
        meaning,
        lambda n: linear_cost(n, matrix, bias),
        "P L U modulo 2^n; " + LIFTING,
        least_width=1,
        most_width=32,
    )


BLOCKS = (
    *(_multiple_block(factor) for factor in (1, -3, 6)),
    *(_multiply_block(factor) for factor in (3, -5)),
    _linear_block("det 1", ((1, 2), (1, 3))),
    _linear_block("exchange", ((2, 1), (5, 0)), (3, -1)),
    _linear_block("3 by 3", ((2, -1, 3), (1, 4, 0), (-3, 2, 1))),
)
