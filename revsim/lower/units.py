"""Units: programs inside programs as definitions that are called, one for all equal calls.

A softmax of a thousand classes is a thousand calls of two definitions. Where a result is read by
other gates, the call leaves its intermediate values on scratch wires, which the caller's undo takes
back: each gate runs once forward and once backward. Where a result is an output of the whole
program, one clean call (forward, copy, backward) writes it to its place, and nothing is left over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Port
from revsim.circuit.registers import Encoding
from revsim.circuit.registers import Wires as WireArray
from revsim.lower.forms import Form, Waiting
from revsim.network.cells import program_bytes
from revsim.network.words import Program, Word

if TYPE_CHECKING:
    from revsim.lower.words import Wires


@dataclass(frozen=True)
class Argument:
    """A word as bits of the call's wires: literals are numbered within the call."""

    literals: tuple[int, ...]
    offset: int
    low: int
    high: int


@dataclass(frozen=True, eq=False)
class Made:
    """`definition`: ports x and scratch; per result its form on these wires and its ends."""

    definition: Definition
    results: tuple[tuple[Form, int, int], ...]


class Result(Waiting):
    """Result `index` of a unit."""

    def __init__(self, unit: "Unit", index: int) -> None:
        super().__init__()
        self.unit, self.index = unit, index

    def compute(self) -> Form:
        """The result on scratch wires."""
        return self.unit.forms()[self.index]

    def writer(self, word: Word[Form], encoding: Encoding) -> Callable[[WireArray], None] | None:
        """One clean call, where the unit has not been called yet."""
        if self.unit.is_called:
            return None
        return lambda target: self.unit.write(self.index, word, encoding, target)


class Unit:
    """A program, called with the wires that its arguments stand on."""

    def __init__(
        self, ops: "Wires", program: Program, arguments: tuple[Argument, ...], wires: WireArray
    ) -> None:
        self.ops, self.program, self.arguments, self.wires = ops, program, arguments, wires
        self.key = program_bytes(program), arguments
        self._forms: tuple[Form, ...] | None = None

    def results(self) -> tuple[Word[Form], ...]:
        """Words of known ranges; no gate yet."""
        return tuple(
            Word(Result(self, k), low, high)
            for k, (_, low, high) in enumerate(self._made().results)
        )

    def forms(self) -> tuple[Form, ...]:
        """All results on scratch wires; the first time, the call is written."""
        if self._forms is None:
            made, b = self._made(), self.ops.b
            scratch = b.local(made.definition.name, made.definition.ports[1].width)
            b.call(made.definition, self.wires, scratch)
            place = np.concatenate([self.wires, scratch])
            self._forms = tuple(
                Form(f.columns, 2 * place[f.literals >> 1] + (f.literals & 1), f.constant)
                for f, _, _ in made.results
            )
        return self._forms

    def write(self, index: int, word: Word[Form], encoding: Encoding, target: WireArray) -> None:
        """target ^= a result in an encoding, by one clean call."""
        key = "clean", *self.key, index, word.low, word.high, encoding
        if key not in self.ops.shared:
            self.ops.shared[key] = self._clean(index, word, encoding)
        self.ops.b.call(self.ops.shared[key], self.wires, target)

    @property
    def is_called(self) -> bool:
        """Whether its results are there already."""
        return self._forms is not None

    def _made(self) -> Made:
        key = "unit", *self.key
        if key not in self.ops.shared:
            self.ops.shared[key] = self._scratch()
        made: Made = self.ops.shared[key]
        return made

    def _run(self, b: Builder, x: WireArray) -> "tuple[Wires, Sequence[Word[Form]]]":
        ops = type(self.ops)(b, self.ops.shared)
        words = []
        for argument in self.arguments:
            numbered = np.array(argument.literals, dtype=np.int32)
            literals = np.where(numbered < 0, numbered, 2 * x[numbered >> 1] + (numbered & 1))
            form = Form.of_bits(literals.astype(np.int32), argument.offset)
            words.append(Word(form, argument.low, argument.high))
        return ops, self.program(ops, *words)

    def _scratch(self) -> Made:
        b = Builder(_name(self.program))
        ops, words = self._run(b, b.port("x", len(self.wires)))
        results = []
        for word in words:
            offset, literals = ops.settled(word)
            results.append((Form.of_bits(literals, offset), word.low, word.high))
        made = b.build()
        ports = *made.ports, Port("scratch", made.locals, zero_in=True)
        return Made(Definition(made.name, ports, 0, made.body), tuple(results))

    def _clean(self, index: int, outer: Word[Form], encoding: Encoding) -> Definition:
        b = Builder(f"{_name(self.program)} written")
        x, y = b.port("x", len(self.wires)), b.port("y", encoding.width)
        start = b.mark()
        ops, words = self._run(b, x)
        result = ops.writer(ops.narrowed(words[index], outer.low, outer.high), encoding)
        stop = b.mark()
        result(y)
        b.undo(start, stop)
        return b.build()


def unit_of(ops: "Wires", program: Program, words: Sequence[Word[Form]]) -> Unit:
    """A program on words: their unknown bits become the wires of the call, each once."""
    number: dict[int, int] = {}
    arguments = []
    for word in words:
        offset, literals = ops.settled(word)
        numbered = tuple(
            literal
            if literal < 0
            else 2 * number.setdefault(literal >> 1, len(number)) + (literal & 1)
            for literal in literals.tolist()
        )
        arguments.append(Argument(numbered, offset, word.low, word.high))
    return Unit(ops, program, tuple(arguments), np.array(list(number), dtype=np.int32))


def _name(program: Program) -> str:
    return type(program).__name__.lower()
