"""The operators of an integer network: what each computes, and the exact range of its result.

Every operator is a frozen dataclass with three methods. `apply(x)` takes int64 [rows, n] and gives
int64 [rows, m]; `bounds(low, high)` takes int64 [n] each and gives the exact range of every output
for inputs anywhere in the given ranges; `check(n, where)` refuses what does not fit n inputs and
gives m. Rounding is part of an operator, never a global choice.

There are three families: sums (sums.py), choices among values (choices.py) and, here, operators
that act on each value by itself, on all of them or, inside a `Part`, on some columns.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from numbers import Integral
from typing import Final

import numpy as np

from revsim.errors import InputError
from revsim.network.choices import Argmax as Argmax
from revsim.network.choices import Choice as Choice
from revsim.network.choices import Maximum as Maximum
from revsim.network.choices import TopK as TopK
from revsim.network.choices import pool_groups as pool_groups
from revsim.network.scales import Divide as Divide
from revsim.network.scales import Offset as Offset
from revsim.network.scales import Rescale as Rescale
from revsim.network.scales import Staircase as Staircase
from revsim.network.sums import Bounds as Bounds
from revsim.network.sums import Conv2d as Conv2d
from revsim.network.sums import Dense as Dense
from revsim.network.sums import Integers as Integers
from revsim.network.sums import Product as Product
from revsim.network.sums import Sum as Sum
from revsim.network.sums import products as products

ROUNDINGS: Final = ("floor", "half_up", "half_away", "half_even", "tflite_double")


@dataclass(frozen=True)
class Relu:
    """max(z, 0)."""

    kind = "relu"

    def apply(self, x: Integers) -> Integers:
        """Elementwise."""
        return np.maximum(x, 0)

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Both ends clipped at 0."""
        return np.maximum(low, 0), np.maximum(high, 0)

    def check(self, width: int, where: str) -> int:
        """As many outputs as inputs."""
        return width


@dataclass(frozen=True, eq=False)
class Requantise:
    """round(multiplier * z / 2^shift), shift and multiplier int64 [n].

    rounding: `floor`; `half_up` (ties up, the add-then-shift of most integer kernels); `half_away`
    (ties away from 0); `half_even` (ONNX); `tflite_double` (TensorFlow Lite's reference: a
    saturating rounding doubling high multiply by a 31-bit `multiplier`, then a rounding right
    shift by `shift`, two roundings; gemmlowp fixedpoint.h). `left`, int64 [n], multiplies z by
    2^left first (scales above 1).
    """

    shift: Integers
    rounding: str = "half_up"
    multiplier: Integers | None = None
    left: Integers | None = None
    kind = "requantise"

    def apply(self, x: Integers) -> Integers:
        """Elementwise, columns in order."""
        x = x if self.left is None else x << self.left
        product = x if self.multiplier is None else x * self.multiplier
        if self.rounding == "tflite_double":
            nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
            high = np.sign(nudged) * (np.abs(nudged) >> 31)  # C++ division truncates toward 0
            remainder = high & ((np.int64(1) << self.shift) - 1)
            threshold = (((np.int64(1) << self.shift) - 1) >> 1) + (high < 0)
            rounded: Integers = (high >> self.shift) + (remainder > threshold)
            return rounded
        return round_shift(product, self.shift, self.rounding)

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """All rules are monotone for a multiplier >= 0 (checked when a network is made)."""
        return self.apply(low[None, :])[0], self.apply(high[None, :])[0]

    def check(self, width: int, where: str) -> int:
        """As many outputs as inputs, one shift and multiplier each."""
        if self.rounding not in ROUNDINGS:
            raise InputError(
                f"{where}: unknown rounding {self.rounding!r}; choose one of {', '.join(ROUNDINGS)}"
            )
        shift, multiplier = self.shift, self.multiplier
        if shift.shape != (width,):
            raise InputError(f"{where}: shifts have shape {shift.shape}; expected [{width}]")
        if int(shift.min()) < 0 or int(shift.max()) > 62:
            raise InputError(f"{where}: shifts must lie in 0..62, got {shift.min()}..{shift.max()}")
        if multiplier is not None and multiplier.shape != (width,):
            raise InputError(
                f"{where}: multipliers have shape {multiplier.shape}; expected [{width}]"
            )
        if multiplier is not None and (
            int(multiplier.min()) < 0 or int(multiplier.max()) >= 1 << 31
        ):
            raise InputError(f"{where}: multipliers must lie in 0..2^31-1")
        if self.rounding == "tflite_double" and multiplier is None:
            raise InputError(f"{where}: rounding tflite_double needs a multiplier per value")
        return width


def round_shift(x: Integers, shift: Integers, rounding: str) -> Integers:
    """x / 2^shift rounded to an integer by one of the single-rounding rules, elementwise.

    >>> x, shift = np.array([-3, -2, -1, 1, 2, 3]), np.array(1)
    >>> [round_shift(x, shift, r).tolist() for r in ("floor", "half_up", "half_away")]
    [[-2, -1, -1, 0, 1, 1], [-1, -1, 0, 1, 1, 2], [-2, -1, -1, 1, 1, 2]]
    >>> round_shift(x, shift, "half_even").tolist()
    [-2, -1, 0, 0, 1, 2]
    """
    one = np.int64(1)
    half = np.where(shift > 0, one << np.maximum(shift - 1, 0), 0)
    if rounding == "floor":
        return x >> shift
    if rounding == "half_up":
        return (x + half) >> shift
    if rounding == "half_away":
        return (x + half - ((x < 0) & (shift > 0))) >> shift
    odd = (x >> shift) & 1  # half_even: a tie goes up only from an odd quotient
    return (x + half - np.where(shift > 0, 1 - odd, 0)) >> shift


@dataclass(frozen=True)
class Clamp:
    """min(max(z, low), high)."""

    low: int
    high: int
    kind = "clamp"

    def apply(self, x: Integers) -> Integers:
        """Elementwise."""
        return np.clip(x, self.low, self.high)

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Both ends clipped."""
        return np.clip(low, self.low, self.high), np.clip(high, self.low, self.high)

    def check(self, width: int, where: str) -> int:
        """As many outputs as inputs; an empty range is refused."""
        if self.low > self.high:
            raise InputError(f"{where}: clamp from {self.low} to {self.high} is empty")
        return width


@dataclass(frozen=True, eq=False)
class Threshold:
    """1 where z >= threshold, else 0; thresholds int64 [n]."""

    thresholds: Integers
    kind = "threshold"

    def apply(self, x: Integers) -> Integers:
        """Elementwise, columns in order."""
        return (x >= self.thresholds).astype(np.int64)

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """0 or 1, constant where the threshold is out of reach."""
        return self.apply(low[None, :])[0], self.apply(high[None, :])[0]

    def check(self, width: int, where: str) -> int:
        """As many outputs as inputs, one threshold each."""
        if self.thresholds.shape != (width,):
            raise InputError(
                f"{where}: thresholds have shape {self.thresholds.shape}; expected [{width}]"
            )
        return width


@dataclass(frozen=True)
class Sign:
    """+1 where z >= 0, else -1 (binary neurons)."""

    kind = "sign"

    def apply(self, x: Integers) -> Integers:
        """Elementwise."""
        return np.where(x >= 0, np.int64(1), np.int64(-1))

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """-1 or +1."""
        return self.apply(low), self.apply(high)

    def check(self, width: int, where: str) -> int:
        """As many outputs as inputs."""
        return width


@dataclass(frozen=True)
class Wrap:
    """The low `bits` bits of a value: z mod 2^bits, in 0..2^bits-1 (unsigned overflow)."""

    bits: int
    kind = "wrap"

    def apply(self, x: Integers) -> Integers:
        """Elementwise."""
        return x & np.int64((1 << self.bits) - 1)

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """The ends where nothing wraps between them, else all residues."""
        same = low >> self.bits == high >> self.bits
        top = np.int64((1 << self.bits) - 1)
        return np.where(same, self.apply(low), 0), np.where(same, self.apply(high), top)

    def check(self, width: int, where: str) -> int:
        """As many outputs as inputs."""
        if not 1 <= self.bits <= 61:
            raise InputError(f"{where}: bits must lie in 1..61, got {self.bits}")
        return width


@dataclass(frozen=True, eq=False)
class Table:
    """Any function of a value of at most 8 bits: z becomes values[z - low].

    values: int64 [m] for all columns, or [columns, m] for one table per column; 2 <= m <= 256.
    Inputs must lie in low..low+m-1, which a network checks. `table` makes one from a function.

    >>> table(lambda z: z * z, -2, 3).apply(np.array([[-2, 3]])).tolist()
    [[4, 9]]
    """

    low: int
    values: Integers
    kind = "table"

    def apply(self, x: Integers) -> Integers:
        """Elementwise, columns in order."""
        if self.values.ndim == 1:
            return self.values[x - self.low]
        return self.values[np.arange(x.shape[-1]), x - self.low]

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """Least and greatest entry between the ends."""
        rows = np.broadcast_to(self.values, (len(low), self.values.shape[-1]))
        place = np.arange(self.values.shape[-1]) + self.low
        reached = (place >= low[:, None]) & (place <= high[:, None])
        top = np.iinfo(np.int64).max
        return (
            np.where(reached, rows, top).min(axis=1),
            np.where(reached, rows, -top).max(axis=1),
        )

    def check(self, width: int, where: str) -> int:
        """As many outputs as inputs; at most 256 entries of at most 32 bits."""
        values = self.values
        if values.ndim not in (1, 2) or (values.ndim == 2 and len(values) != width):
            raise InputError(
                f"{where}: values have shape {values.shape}; expected [entries] or "
                f"[{width}, entries]"
            )
        if not 1 <= values.shape[-1] <= TABLE_LIMIT:
            raise InputError(
                f"{where}: {values.shape[-1]} entries; a table has 1 to {TABLE_LIMIT}, so that "
                "its argument has at most 8 bits: requantise or clamp before it"
            )
        if int(np.abs(values).max()) >= 1 << 31:
            raise InputError(f"{where}: entries must fit 32 bits")
        return width


TABLE_LIMIT: Final = 256


def table(function: Callable[[int], int], low: int = -128, high: int = 127) -> Table:
    """The `Table` of a Python function on the integers low..high (at most 256 of them).

    Raises InputError where the function gives no integer, or one of 2^62 and more in size.

    >>> half = table(lambda z: z // 2, 0, 7)
    >>> half.values.tolist()
    [0, 0, 1, 1, 2, 2, 3, 3]
    """
    if not callable(function):
        raise InputError(f"a table is made of a function, not of {function!r}")
    if not (isinstance(low, Integral) and isinstance(high, Integral)):
        raise InputError(f"a table goes from one integer to another, not {low!r}..{high!r}")
    if not 1 <= high - low + 1 <= TABLE_LIMIT:
        raise InputError(f"a table takes 1 to {TABLE_LIMIT} integers, {low}..{high} are others")
    entries = []
    for z in range(low, high + 1):
        value = function(z)
        try:
            whole = int(value)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"the table's function gives {value!r} for {z}, no integer") from None
        if whole != value:
            raise InputError(f"the table's function gives {value!r} for {z}; round it first")
        if abs(whole) >= 1 << 62:
            raise InputError(f"the table's function leaves -2^62..2^62 at {z}: too large")
        entries.append(whole)
    return Table(low, np.array(entries, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Part:
    """An operator on some columns; the others go through unchanged (skip connections, states).

    columns: int64 [part], ascending; arrays of the inner operator have one entry per column of the
    part, in that order.

    >>> Part(Relu(), np.array([0])).apply(np.array([[-3, -3]])).tolist()
    [[0, -3]]
    """

    operator: "Single"
    columns: Integers

    @property
    def kind(self) -> str:
        """The inner kind, marked."""
        return f"{self.operator.kind}_part"

    def apply(self, x: Integers) -> Integers:
        """The inner operator on its columns."""
        y = x.copy()
        y[:, self.columns] = self.operator.apply(x[:, self.columns])
        return y

    def bounds(self, low: Integers, high: Integers) -> Bounds:
        """The inner operator's on its columns."""
        low, high = low.copy(), high.copy()
        inner = self.operator.bounds(low[self.columns], high[self.columns])
        low[self.columns], high[self.columns] = inner
        return low, high

    def check(self, width: int, where: str) -> int:
        """As many outputs as inputs."""
        columns = self.columns
        if columns.ndim != 1 or len(columns) == 0 or bool((np.diff(columns) <= 0).any()):
            raise InputError(f"{where}: columns must be an ascending list of at least one")
        if int(columns[0]) < 0 or int(columns[-1]) >= width:
            raise InputError(
                f"{where}: columns {columns[0]}..{columns[-1]} are named; there are 0..{width - 1}"
            )
        self.operator.check(len(columns), where)
        return width


Single = (
    Relu
    | Requantise
    | Clamp
    | Threshold
    | Sign
    | Wrap
    | Table
    | Offset
    | Divide
    | Rescale
    | Staircase
)
"""Operators on each value by itself."""
Elementwise = Single | Part
Operator = Sum | Elementwise | Choice
NEURON_KINDS: Final = ("relu", "clamp", "sign", "threshold")
"""Operators whose scalar outputs are neurons; logits, tables and requantised sums are none."""


def single(operator: Elementwise, column: int) -> Single | None:
    """The operator as it acts on one column alone; None where it lets the column through."""
    if isinstance(operator, Part):
        place = int(np.searchsorted(operator.columns, column))
        if place == len(operator.columns) or int(operator.columns[place]) != column:
            return None
        return single(operator.operator, place)
    own = slice(column, column + 1)
    if isinstance(operator, Requantise):
        multiplier = operator.multiplier
        left = operator.left
        return Requantise(
            operator.shift[own] if len(operator.shift) > 1 else operator.shift,
            operator.rounding,
            multiplier if multiplier is None or len(multiplier) == 1 else multiplier[own],
            left if left is None or len(left) == 1 else left[own],
        )
    if isinstance(operator, Threshold):
        return Threshold(operator.thresholds[own]) if len(operator.thresholds) > 1 else operator
    if isinstance(operator, Table) and operator.values.ndim == 2:
        return Table(operator.low, operator.values[column if len(operator.values) > 1 else 0])
    if isinstance(operator, Offset | Divide | Rescale | Staircase):
        name = fields(operator)[0].name
        values = getattr(operator, name)
        return operator if len(values) == 1 else replace(operator, **{name: values[own]})
    return operator


def parameters(operator: Operator) -> bytes:
    """Kind and parameters of an operator, arrays in full: equal bytes, equal function."""
    out = operator.kind.encode()
    for name in sorted(field.name for field in fields(operator)):
        value = getattr(operator, name)
        if isinstance(value, np.ndarray):
            out += value.tobytes()
        else:
            out += parameters(value) if is_dataclass(value) else repr(value).encode()  # type: ignore[arg-type]
    return out
