"""`Wires`: the operations of cell programs (network/words.py) as reversible gates.

A word is a `Form` (forms.py): bits that count powers of two, and a constant. Everything is computed
forward on fresh locals, one Toffoli per carry, choice or product of bits, none for constants and
offsets; the caller copies the result and undoes the whole with `Builder.undo`.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from revsim.circuit.builder import Builder
from revsim.circuit.registers import Encoding
from revsim.circuit.registers import Wires as WireArray
from revsim.errors import InputError
from revsim.lower.chain import Chain
from revsim.lower.forms import Form, bits, joined, reach, total
from revsim.lower.literals import (
    Literals,
    all_of,
    both,
    choose,
    differ,
    either,
    known,
    positive,
    write,
)
from revsim.lower.netlist import FALSE, TRUE
from revsim.lower.units import Unit, unit_of
from revsim.network.operators import Offset, Single
from revsim.network.words import Ops, Program, Word

Shared = dict[Hashable, Any]
"""Definitions that are called more than once, by what they compute."""


class Wires(Ops[Form]):
    """Words on the wires of a builder; `shared` are definitions that other builders may call too.

    >>> from revsim.network.cells import Product
    >>> b = Builder("square"); ops = Wires(b); x = ops.given(b.port("x", 2), Encoding(0, (1, 2)))
    >>> square, = Product()(ops, x, x)
    >>> ops.register(square, 0, 4)[:2].tolist()  # x[0] itself; bit 1 of a square is 0
    [0, -2]
    """

    def __init__(self, b: Builder, shared: Shared | None = None) -> None:
        self.b = b
        self.shared: Shared = {} if shared is None else shared

    # --- bits of words --------------------------------------------------------------------------

    def given(
        self, wires: WireArray, encoding: Encoding, ends: tuple[int, int] | None = None
    ) -> Word[Form]:
        """A register as a word in the range of its encoding, or in `ends`, which lie within."""
        weights = np.array(encoding.weights, dtype=object)
        negative = np.array([w < 0 for w in encoding.weights], dtype=np.int32)
        columns = np.array([abs(w).bit_length() - 1 for w in encoding.weights], dtype=np.int64)
        constant = encoding.offset + int(sum(weights[negative == 1]))
        low, high = ends or (encoding.low, encoding.high)
        return Word(Form(columns, positive(wires) ^ negative, constant), low, high)

    def register(self, word: Word[Form], offset: int, width: int) -> Literals:
        """The `width` bits of word - offset, which must hold it whole."""
        form = word.value.resolve()
        low, high = reach(form, word.low, word.high)
        if low > high:  # promised to be what it never is, so nothing depends on it
            return known(0, width)
        if low < offset or (high - offset) >> width:
            raise InputError(f"{self.b.name}: {low}..{high} less {offset} exceeds {width} bits")
        if not form.is_plain:
            form.become(bits(self.b, form, offset, width), offset)
        place, literals = _trimmed(form, low, high)
        return bits(self.b, Form.of_bits(literals, place), offset, width)

    def settled(self, word: Word[Form], multiple: int = 1) -> tuple[int, Literals]:
        """(offset, bits): the word as a register whose offset is a multiple of a power of two."""
        if word.is_constant and multiple == 1:
            return word.low, known(0, 0)
        form = word.value.resolve()
        if _is_empty(form, word):
            return word.low // multiple * multiple, known(0, 0)
        if form.is_plain:
            place, literals = _trimmed(form, word.low, word.high)
            if place % multiple == 0:
                return place, literals
        # The form's own constant may leave nothing to be added, the least value no bit too many.
        offset = word.low // multiple * multiple
        own = form.constant // multiple * multiple
        width = (word.high - offset).bit_length()
        if own <= word.low and (word.high - own).bit_length() <= width:
            offset = own
        return offset, self.register(word, offset, width)

    def writer(self, word: Word[Form], encoding: Encoding) -> Callable[[WireArray], None]:
        """Compute what is needed; the function that is given then XORs the word onto wires."""
        own = word.value.writer(word, encoding)
        if own is not None:
            return own
        literals = self.register(word, encoding.offset, encoding.width)
        return lambda target: write(self.b, literals, target)

    def _around(self, word: Word[Form], middle: int) -> tuple[int, Literals]:
        """(literal of word < middle, bits of word - middle in two's complement but the sign)."""
        width = max(_length(word.low - middle), _length(word.high - middle))
        held = self.register(word, middle - (1 << width), width + 1)
        return int(held[-1]) ^ 1, held[:-1]

    def _together(self, a: Word[Form], b: Word[Form]) -> tuple[int, Literals, Literals]:
        """(offset, bits of a, bits of b): two registers of one offset and width."""
        (p, first), (q, second) = self.settled(a), self.settled(b)
        offset = min(p, q)
        if a.is_constant or b.is_constant:
            place, held = (q, second) if a.is_constant else (p, first)
            if offset < place:  # a constant one on top moves an offset down and takes no adder
                top = max(len(held), (place - offset - 1).bit_length())
                offset = place - (1 << top)
        width = (max(a.high, b.high) - offset).bit_length()
        return offset, self.register(a, offset, width), self.register(b, offset, width)

    # --- the operations -------------------------------------------------------------------------

    def _constant(self, number: int) -> Form:
        return joined([], number)

    def _sum(
        self,
        weights: Sequence[int],
        words: Sequence[Word[Form]],
        constant: int,
        low: int,
        high: int,
    ) -> Form:
        parts = []
        for weight, word in zip(weights, words, strict=True):
            if weight & (weight - 1 if weight > 0 else -weight - 1) and not self.is_plain(word):
                self.settled(word)  # one row of bits per digit of the weight
            parts.append((weight, self._form(word)))
        return joined(parts, constant)

    def _form(self, word: Word[Form]) -> Form:
        """A word's form, without bits that its range rules out."""
        form = word.value.resolve()
        if word.is_constant or _is_empty(form, word):
            return joined([], word.low)
        if not form.is_plain:
            return form
        offset, literals = _trimmed(form, word.low, word.high)
        return Form.of_bits(literals, offset)

    def is_plain(self, word: Word[Form]) -> bool:
        """Whether its bits are there already, or it is constant."""
        return word.is_constant or word.value.resolve().is_plain

    def _multiply(self, a: Word[Form], b: Word[Form], low: int, high: int) -> Form:
        if a.is_constant or b.is_constant:
            number, word = (a.low, b) if a.is_constant else (b.low, a)
            return self._sum([number], [word], 0, low, high)
        if a.value is b.value:
            return self._square(a)
        (p, first), (q, second) = self._factor(a), self._factor(b)
        rows, columns = np.indices((len(p), len(q))).reshape(2, -1)
        return _weighted(
            both(self.b, p[rows], q[columns]), rows + columns, first[rows] != second[columns]
        )

    def _square(self, a: Word[Form]) -> Form:
        held, negative = self._factor(a)
        rows, columns = np.triu_indices(len(held))
        product = both(self.b, held[rows], held[columns])
        twice = (rows != columns).astype(np.int64)  # each pair of different bits comes twice
        return _weighted(product, rows + columns + twice, negative[rows] != negative[columns])

    def _factor(self, word: Word[Form]) -> tuple[Literals, np.ndarray[Any, np.dtype[np.bool_]]]:
        """(bits, whether each counts negative): two's complement, or unsigned where it may be."""
        if word.low >= 0:
            held = self.register(word, 0, word.high.bit_length())
            return held, np.zeros(len(held), dtype=np.bool_)
        sign, low_bits = self._around(word, 0)
        held = np.append(low_bits, np.int32(sign))
        return held, np.arange(len(held)) == len(low_bits)

    def _shift_right(self, a: Word[Form], places: int, low: int, high: int) -> Form:
        offset, held = self.settled(a, 1 << places)
        return Form.of_bits(held[places:], offset >> places)

    def _less(self, a: Word[Form], b: Word[Form]) -> Form:
        if b.is_constant:
            return _bit(self._around(a, b.low)[0])
        if a.is_constant:
            return _bit(self._around(b, a.low + 1)[0] ^ 1)
        for word in (a, b):
            self.settled(word)
        return _bit(self._around(self.subtract(a, b), 0)[0])

    def _equal(self, a: Word[Form], b: Word[Form]) -> Form:
        _, first, second = self._together(a, b)
        return _bit(all_of(self.b, differ(self.b, first, second) ^ 1))

    def _select(
        self, condition: Word[Form], a: Word[Form], b: Word[Form], low: int, high: int
    ) -> Form:
        if a.is_constant and b.is_constant:
            return self._sum([a.low - b.low], [condition], b.low, low, high)
        chosen = int(self.register(condition, 0, 1)[0])
        offset, first, second = self._together(a, b)
        return Form.of_bits(choose(self.b, chosen, first, second), offset)

    def _bitwise(self, rule: str, a: Word[Form], b: Word[Form], low: int, high: int) -> Form:
        width = high.bit_length()
        first, second = (self._twos_complement(word, width, low < 0) for word in (a, b))
        join = {"and": both, "or": either, "xor": differ}[rule]
        made = join(self.b, first, second)
        if low < 0:
            made[-1] ^= 1
        return Form.of_bits(made, low)

    def _twos_complement(self, word: Word[Form], width: int, signed: bool) -> Literals:
        if not signed:
            return self.register(word, 0, width)
        held = self.register(word, -(1 << width), width + 1).copy()
        held[-1] ^= 1
        return held

    def _low_bits(self, a: Word[Form], bits_kept: int) -> Form:
        return Form.of_bits(bits(self.b, self._form(a), 0, bits_kept), 0)

    def _single(self, operator: Single, a: Word[Form], low: int, high: int) -> Form:
        if low == high:
            return joined([], low)
        chain = a.value
        if isinstance(chain, Chain) and not chain.computed and chain.ends == (a.low, a.high):
            return chain.then(operator, low, high)
        if isinstance(operator, Offset):
            return joined([(1, self._form(a))], int(operator.amount[0]))
        return Chain(self, a, (operator,), low, high)

    # --- programs as units ----------------------------------------------------------------------

    def call(self, program: Program, *words: Word[Form]) -> tuple[Word[Form], ...]:
        """A definition that is called; nothing is written before a result is needed."""
        unit: Unit = unit_of(self, program, words)
        return unit.results()


def _length(number: int) -> int:
    """Bits of a two's complement number beside its sign."""
    return (number if number >= 0 else ~number).bit_length()


def _is_empty(form: Form, word: Word[Form]) -> bool:
    """Whether a word is promised to lie where its form never is: a branch that is never chosen."""
    low, high = reach(form, word.low, word.high)
    return low > high


def _bit(literal: int) -> Form:
    return Form.of_bits(np.array([literal], dtype=np.int32), 0)


def _weighted(literals: Literals, columns: Any, negative: Any) -> Form:
    """Sum of +-literal * 2^column; several in a column, known ones in the constant."""
    places = columns.astype(np.int64)
    ones, unknown = literals == TRUE, literals >= 0
    constant = total(places[ones & ~negative]) - total(places[ones & negative])
    constant -= total(places[unknown & negative])  # -bit = (1 - bit) - 1
    turned = literals ^ negative.astype(np.int32)
    return joined([(1, Form(places[unknown], turned[unknown], constant))], 0)


def _trimmed(form: Form, low: int, high: int) -> tuple[int, Literals]:
    """(offset, bits) of a plain form, without top bits that are the same on all of low..high."""
    width = int(form.columns.max(initial=-1)) + 1
    literals = np.full(width, FALSE, dtype=np.int32)
    literals[form.columns] = form.literals
    offset = form.constant
    least, most = (end - offset for end in reach(form, low, high))
    width = most.bit_length()
    while width and least >> (width - 1):
        one = 1 << (width - 1)
        offset, least, most = offset + one, least - one, most - one
        width = most.bit_length()
    return offset, literals[:width]
