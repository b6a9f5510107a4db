"""How values of ONNX types are held as words, and nodes made of programs on them.

bool and integers of up to 32 bits are themselves. A float is held as its code, the whole number
that has its place in the order of floats (network/floats.py). int64, uint64 and float64 take two
words a value (network/wide.py), a `Pair`: their tensor has one more axis of length 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from revsim.frontends.onnx.builder import Array, Builder, Constant, Held, Refusal, Step
from revsim.network.cells_bits import Same
from revsim.network.floats import FORMATS, codes, from_codes
from revsim.network.sums import Integers
from revsim.network.wide import LIMB, PAIR, Wide
from revsim.network.words import Numbers, Program


@dataclass(frozen=True, eq=False)
class Pair(Held):
    """Values of 64 bits. `shape` is the model's, `size` the number of words."""

    @property
    def size(self) -> int:
        """Two words a value."""
        return 2 * int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Kind:
    """A type as whole numbers: bits, signed or not."""

    bits: int
    signed: bool

    @property
    def ends(self) -> tuple[int, int]:
        """Least and greatest."""
        half = 1 << (self.bits - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)

    @property
    def form(self) -> str:
        """As in `Wide`."""
        return ("signed" if self.signed else "unsigned") if self.bits > LIMB else "word"


def kind_of(dtype: Any) -> Kind:
    """The whole numbers of a NumPy type (of ml_dtypes too), floats by their codes.

    >>> kind_of(np.uint8).ends, kind_of(np.float64).form
    ((0, 255), 'signed')
    """
    name = np.dtype(dtype).name
    if name == "bool":
        return Kind(1, signed=False)
    if name in FORMATS:
        return Kind(FORMATS[name].bits, signed=True)
    stem = name.rstrip("0123456789")
    if stem not in ("int", "uint"):
        raise Refusal(f"values of type {name} are no numbers that a circuit holds")
    return Kind(int(name[len(stem) :]), stem == "int")


def is_float(dtype: Any) -> bool:
    """Whether values of a type are held as codes."""
    return np.dtype(dtype).name in FORMATS


def ends_of(dtype: Any, ordered: bool) -> tuple[int, int]:
    """Ends of the words of a type; `ordered` leaves NaN out, which has no place among numbers."""
    kind = kind_of(dtype)
    if kind.form != "word":
        return PAIR
    if ordered and is_float(dtype):
        return FORMATS[np.dtype(dtype).name].ordered
    return kind.ends


def to_words(array: Array) -> Integers:
    """An array as int64 [words], laid flat."""
    kind = kind_of(array.dtype)
    flat = np.ascontiguousarray(array).reshape(-1)
    if kind.form == "word":
        return codes(flat) if is_float(flat.dtype) else flat.astype(np.int64)
    numbers: Array = codes(flat) if is_float(flat.dtype) else flat
    low = (numbers & numbers.dtype.type(PAIR[1])).astype(np.int64)
    high = (numbers >> numbers.dtype.type(LIMB)).astype(np.int64)
    return np.stack([low, high + (1 << (LIMB - 1) if kind.signed else 0)], axis=1).reshape(-1)


def from_words(words: Integers, dtype: Any, shape: Sequence[int], paired: bool) -> Array:
    """The array that some words stand for."""
    kind = kind_of(dtype)
    numbers: Array = words
    if paired:
        low, high = words.reshape(-1, 2).astype(np.uint64).T
        half = np.uint64(1 << (LIMB - 1) if kind.signed else 0)
        numbers = ((high ^ half) << np.uint64(LIMB)) | low
        numbers = numbers.view(np.int64) if kind.signed else numbers
    made = from_codes(numbers, dtype) if is_float(dtype) else numbers.astype(dtype)
    return made.reshape(tuple(shape))


# --- inputs of a node ---------------------------------------------------------------------------


def held(builder: Builder, step: Step, place: int) -> Held:
    """An input of a node as words; a constant becomes a tensor wired from nothing."""
    value = builder.value(step, place)
    if isinstance(value, Constant):
        return materialised(builder, value, step.inputs[place])
    return value if isinstance(value, Held) else builder.held(step, place)


def materialised(builder: Builder, constant: Constant, name: str) -> Held:
    """A constant of any type as words that a wiring makes from nothing."""
    words = to_words(constant.array)
    levels, index = np.unique(words, return_inverse=True)
    paired = kind_of(constant.dtype).form != "word"
    return _wired(
        builder, name, "constant", [], -1 - index.reshape(-1), constant.shape, constant.dtype,
        tuple(int(v) for v in levels), paired,
    )  # fmt: skip


def _wired(
    builder: Builder,
    name: str,
    kind: str,
    sources: Sequence[Held],
    index: Integers,
    shape: Sequence[int],
    dtype: Any,
    constants: tuple[int, ...],
    paired: bool,
) -> Held:
    whole = (*shape, 2) if paired else tuple(shape)
    out = builder.wired(name, kind, sources, index, whole, dtype, constants)
    return Pair(out.name, tuple(shape), out.dtype, out.low, out.high) if paired else out


def alike(builder: Builder, values: Sequence[Held]) -> list[Held]:
    """The same values, all of them pairs where one is."""
    if not any(isinstance(value, Pair) for value in values):
        return list(values)
    return [v if isinstance(v, Pair) else paired(builder, v) for v in values]


def paired(builder: Builder, value: Held) -> Held:
    """A tensor of numbers of one word each as pairs."""
    each = np.arange(value.size)[:, None]
    return computed(builder, value.name, "widen", Same(), [value], [each], value.shape, value.dtype)


# --- nodes --------------------------------------------------------------------------------------


def moved(
    builder: Builder,
    name: str,
    kind: str,
    sources: Sequence[Held],
    index: Integers,
    shape: Sequence[int],
    constant: Array | None = None,
) -> Any:
    """Values of the sources, laid flat one behind the other, in new places (a wiring, no gate).

    An index of -1 finds `constant`, a single value of their type.
    """
    dtype = sources[0].dtype
    if index.size == 0:
        return Constant(np.zeros(tuple(shape), dtype))
    sources = alike(builder, sources)
    words = () if constant is None else tuple(int(v) for v in to_words(np.asarray(constant)))
    flat = np.asarray(index, dtype=np.int64).reshape(-1)
    if not isinstance(sources[0], Pair):
        return _wired(builder, name, kind, sources, flat, shape, dtype, words, False)
    both = np.where(flat[:, None] < 0, [[-1, -2]], 2 * flat[:, None] + [[0, 1]])
    return _wired(builder, name, kind, sources, both.reshape(-1), shape, dtype, words, True)


def computed(
    builder: Builder,
    name: str,
    kind: str,
    program: Program,
    sources: Sequence[Held],
    reads: Sequence[Integers],
    shape: Sequence[int],
    dtype: Any,
    *,
    wide: bool = False,
    results: int = 1,
    numbers: bool = False,
    neurons: bool = False,
) -> Held:
    """One program at many positions, whose result is of a model's type.

    reads: per source int64 [positions, values], places among its own values. `wide` says that
    numbers within the program may leave 62 bits, `numbers` that a result of a type of 64 bits is
    small enough for one word (an index).
    """
    out = kind_of(dtype)
    form = "word" if numbers else out.form
    pairs = [isinstance(source, Pair) for source in sources]
    columns, ends, forms, start = [], [], [], 0
    for source, places, is_pair in zip(sources, reads, pairs, strict=True):
        count = places.shape[1]
        forms += [kind_of(source.dtype).form if is_pair else "word"] * count
        ends += [PAIR if is_pair else (source.low, source.high)] * (count * (1 + is_pair))
        at = np.stack([2 * places, 2 * places + 1], axis=2) if is_pair else places
        columns.append(at.reshape(len(places), -1) + start)
        start += source.size
    if wide or any(pairs) or form != "word":
        program = Wide(program, tuple(forms), (form,) * results)
    low, high = PAIR if form != "word" else _reach(program, ends)
    whole = (*shape, 2) if form != "word" else tuple(shape)
    made = builder.computed(
        name, kind, program, sources, np.concatenate(columns, axis=1), whole, dtype, (low, high),
        neurons,
    )  # fmt: skip
    if form == "word":
        return made
    return Pair(made.name, tuple(shape), made.dtype, low, high)


def _reach(program: Program, ends: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Ends of the words that a program makes."""
    ops = Numbers()
    given = [ops.given(np.full(1, low), low, high) for low, high in ends]
    made = program(ops, *given)
    return min(word.low for word in made), max(word.high for word in made)
