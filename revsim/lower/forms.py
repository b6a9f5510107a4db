"""Forms: whole numbers as sums of weighted literals, added up only when their bits are needed.

A form is constant + sum of literal_i * 2^column_i (lower/literals.py). Sums, differences, constant
factors and offsets of forms cost no gate: they only join lists. `register` makes the bits, by
columns of full adders (blocks/columns.py), and every constant meets in one number on the way.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from revsim.blocks.columns import Terms, sum_columns
from revsim.circuit.builder import Builder
from revsim.circuit.registers import Encoding, Wires
from revsim.lower.literals import Literals, positive
from revsim.lower.netlist import FALSE, TRUE
from revsim.network.words import Word

Int64s = npt.NDArray[np.int64]


_NONE: Literals = np.zeros(0, dtype=np.int32)


class Form:
    """constant + sum of literals[i] * 2^columns[i]; literals are never constants.

    Its bits, once they are made, replace the sum by what is the same number: nothing is added up
    twice.
    """

    def __init__(self, columns: Int64s, literals: Literals, constant: int) -> None:
        self.columns = columns
        self.literals = literals
        self.constant = constant

    @classmethod
    def of_bits(cls, literals: Literals, offset: int) -> "Form":
        """offset + the unsigned number of these bits; known ones join the constant."""
        places = np.flatnonzero(literals >= 0)
        constant = offset + sum(1 << int(k) for k in np.flatnonzero(literals == TRUE))
        return cls(places, literals[places], constant)

    def resolve(self) -> "Form":
        """The form itself; one that waits is computed here."""
        return self

    def writer(self, word: Word["Form"], encoding: Encoding) -> Callable[[Wires], None] | None:
        """For results that are cheaper to write to their place than to compute and copy."""
        return None

    @property
    def is_plain(self) -> bool:
        """Whether it is one bit per column and a constant: no adder is needed to read it."""
        return len(np.unique(self.columns)) == len(self.columns)

    def become(self, literals: Literals, offset: int) -> None:
        """Take these bits for the sum that they hold."""
        other = Form.of_bits(literals, offset)
        self.columns, self.literals, self.constant = other.columns, other.literals, other.constant


class Waiting(Form):
    """A result that is computed when it is first read."""

    def __init__(self) -> None:
        super().__init__(_NONE.astype(np.int64), _NONE, 0)
        self._computed: Form | None = None

    @property
    def computed(self) -> bool:
        """Whether it has been read."""
        return self._computed is not None

    def resolve(self) -> Form:
        """The result."""
        if self._computed is None:
            self._computed = self.compute()
        return self._computed

    def compute(self) -> Form:
        """The gates."""
        raise NotImplementedError


def joined(parts: Sequence[tuple[int, Form]], constant: int) -> Form:
    """constant + sum of factor * form, where forms of several digits' factors are plain."""
    columns, literals = [_NONE.astype(np.int64)], [_NONE]
    for factor, form in parts:
        constant += factor * form.constant
        for place, negative in digits(factor):
            moved = form.columns + place
            columns.append(moved)
            literals.append(form.literals ^ negative)
            if negative:  # -bit = (1 - bit) - 1
                constant -= total(moved)
    column, literal = np.concatenate(columns), np.concatenate(literals)
    if _shared([form for _, form in parts]) or _collide(column, literal):
        column, literal, constant = _merged(column, literal, constant)
    return Form(column, literal, constant)


def digits(number: int) -> list[tuple[int, bool]]:
    """Non-adjacent form of any integer: (place, whether the digit is -1), lowest first.

    >>> digits(7), digits(-6)
    ([(0, True), (3, False)], [(1, False), (3, True)])
    """
    found, place = [], 0
    while number:
        if number & 1:
            digit = 2 - (number & 3)
            found.append((place, digit < 0))
            number -= digit
        number >>= 1
        place += 1
    return found


def total(columns: Int64s) -> int:
    """Sum of 2^column."""
    return sum(int(n) << k for k, n in enumerate(np.bincount(columns).tolist()))


def _shared(forms: Sequence[Form]) -> bool:
    """Whether two of the forms have a wire in common."""
    every = np.concatenate([np.unique(form.literals >> 1) for form in forms] or [_NONE])
    return len(np.unique(every)) < len(every)


def _collide(columns: Int64s, literals: Literals) -> bool:
    """Whether a wire stands twice in a column."""
    keys = columns << 32 | literals >> 1
    return len(np.unique(keys)) < len(keys)


def _merged(columns: Int64s, literals: Literals, constant: int) -> tuple[Int64s, Literals, int]:
    """One weight per wire, in signed digits, so that no wire stands twice in a column."""
    weights: dict[int, int] = {}
    for column, literal in zip(columns.tolist(), literals.tolist(), strict=True):
        weight = 1 << column
        if literal & 1:
            constant, weight = constant + weight, -weight
        weights[literal >> 1] = weights.get(literal >> 1, 0) + weight
    column_list, literal_list = [], []
    for wire, weight in weights.items():
        for place, negative in digits(weight):
            column_list.append(place)
            literal_list.append(2 * wire + negative)
            constant -= negative << place
    return (
        np.array(column_list, dtype=np.int64),
        np.array(literal_list, dtype=np.int32),
        constant,
    )


def bits(b: Builder, form: Form, offset: int, width: int) -> Literals:
    """The bits of (form - offset) mod 2^width: adders only from the first crowded column on."""
    constant = (form.constant - offset) % (1 << width)
    inside = form.columns < width
    columns, literals = form.columns[inside], form.literals[inside]
    counts = np.bincount(columns, minlength=width)
    out = np.full(width, FALSE, dtype=np.int32)
    ones = np.array([constant >> k & 1 for k in range(width)], dtype=np.int64)
    crowded = np.flatnonzero(counts + ones > 1)
    stop = int(crowded[0]) if len(crowded) else width
    below = columns < stop
    out[columns[below]] = literals[below]
    out[:stop][ones[:stop] == 1] = TRUE
    if stop == width - 1 and counts[-1] == 1:  # nothing is carried out of the top
        out[-1] = literals[columns == stop][0] ^ int(ones[-1])
    elif stop < width:
        rest = ~below
        terms = Terms(
            columns[rest] - stop,
            literals[rest] >> 1,
            (literals[rest] & 1).astype(np.bool_),
            constant >> stop,
        )
        out[stop:] = positive(sum_columns(b, terms, width - stop))
    return out


def reach(form: Form, low: int, high: int) -> tuple[int, int]:
    """The part of low..high that a form can express."""
    return max(low, form.constant), min(high, form.constant + total(form.columns))
