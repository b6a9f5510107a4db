"""Multiplication of two registers, with an addend: partial products summed in columns.

Bit p of x times bit q of y is one Toffoli on a fresh wire; from there on it is one more bit of a
weighted sum (columns.py), so that any number of products, single values and constants meet in the
same columns. T = Toffoli, C = CNOT.
"""

import numpy as np
import numpy.typing as npt

from revsim.blocks.block import Block, Costs, Values, define, mask, price, total
from revsim.blocks.columns import sum_columns, sum_columns_cost, weighted_bits
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Port
from revsim.circuit.registers import Wires

Int64s = npt.NDArray[np.int64]


def sum_of_products(
    b: Builder,
    x: Wires,
    weights: Int64s,
    pairs: Int64s,
    coefficients: Int64s,
    constant: int,
    width: int,
) -> Wires:
    """Wires of constant + sum weights[i] x[i] + sum coefficients[t] x[p] x[q] mod 2^width.

    weights int64 [len(x)]; pairs int64 [products, 2] are places (p, q) in x, p != q. One T a pair,
    then the columns of `sum_columns`. Forward only: the caller undoes it with `b.undo`.
    """
    products = b.local("product", len(pairs))
    b.ccx(x[pairs[:, 0]], x[pairs[:, 1]], products)
    wires = np.concatenate([x, products])
    terms = weighted_bits(wires, np.concatenate([weights, coefficients]), constant)
    return sum_columns(b, terms, width)


# --- promises -----------------------------------------------------------------------------------


def _bit_weights(n: int, signed: bool) -> Int64s:
    weights = np.int64(1) << np.arange(n, dtype=np.int64)
    weights[-1] *= -1 if signed else 1
    return weights


def _shape(n: int, signed: bool) -> tuple[Int64s, Int64s, Int64s]:
    """x y + 3 x as weights of the wires [x | y], places of the pairs, their coefficients."""
    value = _bit_weights(n, signed)
    first, second = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    pairs = np.stack([first.ravel(), n + second.ravel()], axis=1)
    return np.concatenate([3 * value, 0 * value]), pairs, np.outer(value, value).ravel()


def _multiply_block(signed: bool) -> Block:
    def body(b: Builder, x: Wires, y: Wires, z: Wires) -> None:
        weights, pairs, coefficients = _shape(len(x), signed)
        start = b.mark()
        both = np.concatenate([x, y])
        result = sum_of_products(b, both, weights, pairs, coefficients, -1, len(z))
        stop = b.mark()
        b.cx(result, z)
        b.undo(start, stop)

    def meaning(n: int, v: Values) -> Values:
        x, y = (np.where(v[name] >> (n - 1) & signed, v[name] - (1 << n), v[name]) for name in "xy")
        return {**v, "z": v["z"] ^ ((x * y + 3 * x - 1) & mask(2 * n))}

    def cost(n: int) -> Costs:
        weights, pairs, coefficients = _shape(n, signed)
        wires = np.arange(2 * n + len(pairs), dtype=np.int32)
        terms = weighted_bits(wires, np.concatenate([weights, coefficients]), -1)
        once = total(sum_columns_cost(terms, 2 * n), price(len(pairs), ancillas=len(pairs)))
        twice = {key: 2 * value for key, value in once.items()}
        return {**twice, "cnot": twice["cnot"] + 2 * n, "ancillas": once["ancillas"]}

    return Block(
        f"sum_of_products[{'signed' if signed else 'unsigned'}]",
        "z ^= x y + 3 x - 1 mod 2^2n",
        lambda n: define("multiply", body, Port("x", n), Port("y", n), Port("z", 2 * n)),
        meaning,
        cost,
        "partial products in the columns of Dadda 1965",
        least_width=1,
        most_width=16,
    )


BLOCKS = (_multiply_block(signed=False), _multiply_block(signed=True))
