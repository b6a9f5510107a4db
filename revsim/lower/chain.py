"""Operators on one value, one after the other, computed as the pieces of an activation.

An operator waits until its result is read, so that those which follow it join it: requantise,
offset and clamp become one monotone function (lower/pieces.py). The last piece of an output is
written straight to its register.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from revsim.circuit.registers import Encoding
from revsim.circuit.registers import Wires as WireArray
from revsim.lower.forms import Form, Waiting, reach
from revsim.lower.literals import positive, write
from revsim.lower.piece import Piece
from revsim.lower.pieces import pieces_of, runs_of
from revsim.network.operators import Single, parameters
from revsim.network.words import Word

if TYPE_CHECKING:
    from revsim.lower.words import Wires


class Chain(Waiting):
    """`operators` on a word, in order; low..high is the range of the result."""

    def __init__(
        self, ops: "Wires", word: Word[Form], operators: tuple[Single, ...], low: int, high: int
    ) -> None:
        super().__init__()
        self.ops, self.word, self.operators = ops, word, operators
        self.low, self.high = low, high

    def then(self, operator: Single, low: int, high: int) -> "Chain":
        """The chain with one more operator."""
        return Chain(self.ops, self.word, (*self.operators, operator), low, high)

    @property
    def ends(self) -> tuple[int, int]:
        """The range of the result."""
        return self.low, self.high

    def compute(self) -> Form:
        """The result on fresh wires."""
        after = Encoding.unsigned(self.low, self.high)
        result = self._start(after)
        wires = self.ops.b.local("result", after.width)
        result(wires)
        return Form.of_bits(positive(wires), after.offset)

    def writer(self, word: Word[Form], encoding: Encoding) -> Callable[[WireArray], None] | None:
        """Compute all but the last step; what it gives XORs the result onto given wires."""
        if self.computed or self.low < encoding.low or self.high > encoding.high:
            return None
        return self._start(encoding)

    def _start(self, after: Encoding) -> Callable[[WireArray], None]:
        ops, word = self.ops, self.word
        low, high = reach(word.value.resolve(), word.low, word.high)
        word = Word(word.value, low, high)
        held = None
        if ops.is_plain(word):
            offset, literals = ops.settled(word)
            held = Encoding(offset, tuple(1 << k for k in range(len(literals))))
        names = tuple(parameters(operator) for operator in self.operators)
        key = "pieces", names, low, high, held, after
        if key not in ops.shared:
            runs = runs_of(self.operators, np.array([low]), np.array([high]))
            ops.shared[key] = pieces_of(runs, 0, after, held)
        pieces: tuple[Piece, ...] = ops.shared[key]
        value = self._private(word, pieces[0].before.encoding)
        for piece in pieces[:-1]:
            value = piece.forward(ops.b, value)
        return pieces[-1].start(ops.b, value)

    def _private(self, word: Word[Form], encoding: Encoding) -> WireArray:
        """The word on wires of its own, since pieces may change their value until undone."""
        low, width = encoding.low, encoding.width  # two's complement but for its top bit
        literals = self.ops.register(word, low, width)
        if width and encoding.weights[-1] < 0:
            literals = literals.copy()
            literals[-1] ^= 1
        wires = self.ops.b.local("value", width)
        write(self.ops.b, literals, wires)
        return wires
