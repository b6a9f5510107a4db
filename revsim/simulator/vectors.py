"""Vectors of words as a Numba type, so that kernels read as plain Python: `c ^= a & b`.

LLVM does not vectorise `frame[c + k] ^= frame[a + k] & frame[b + k]` by itself (the rows may
overlap), so kernels load whole vectors, combine them with `&`, `|`, `^` and `~`, and store them.
A vector is a value in registers, for as long as a kernel has registers. Vectors of eight words are
one 512-bit register (two 256-bit ones on AVX2, four on SSE2 or NEON: LLVM splits them). Vectors of
one word are plain uint64, so the same kernel text serves runs of at most 64 rows.
"""

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.extending import (  # type: ignore[attr-defined]
    _Intrinsic,
    intrinsic,
    lower_builtin,
    models,
    register_model,
    type_callable,
)

_WORD = ir.IntType(64)


class VectorType(types.Type):
    """The Numba type of a vector of `width` words."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(f"Vector({width})")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: VectorType) -> None:
        super().__init__(manager, kind, ir.VectorType(_WORD, kind.width))


def _define(operation: Any, instruction: str) -> None:
    """An operator on two vectors of the same width."""

    @type_callable(operation)
    def typed(context: Any) -> Any:
        return lambda a, b: a if isinstance(a, VectorType) and a == b else None

    @lower_builtin(operation, VectorType, VectorType)
    def lowered(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, instruction)(*arguments)


for _operations, _instruction in (
    ((operator.and_, operator.iand), "and_"),
    ((operator.or_, operator.ior), "or_"),
    ((operator.xor, operator.ixor), "xor"),
):
    for _operation in _operations:
        _define(_operation, _instruction)


@type_callable(operator.invert)
def _typed_invert(context: Any) -> Any:
    return lambda a: a if isinstance(a, VectorType) else None


@lower_builtin(operator.invert, VectorType)
def _lowered_invert(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.not_(arguments[0])


def _llvm(width: int) -> Any:
    return _WORD if width == 1 else ir.VectorType(_WORD, width)


class _Instruction(_Intrinsic):  # type: ignore[misc]
    """An intrinsic that pickles as its name and width, where numba's own are pickled with a number
    that is new in each process.

    Numba keys its cache on disk by what a closure holds, so that a kernel made by a factory is
    found there only if this is numbers and these instructions, and no jitted function.
    """

    _width = 0

    def __reduce__(self) -> Any:
        return _named, (self._width, self._name)


def _named(width: int, name: str) -> Any:
    return instructions(width)[("load", "store", "splat").index(name)]


def _of_width(width: int) -> Callable[[Any], Any]:
    """The decorator that makes an instruction."""

    def made(definition: Any) -> Any:
        instruction = _Instruction(definition.__name__, definition)
        instruction._width = width
        instruction._register()
        return instruction

    return made


@lru_cache
def instructions(width: int) -> tuple[Any, ...]:
    """(load, store, splat) for vectors of `width` words.

    load(frame, at) is `width` words of a uint64 array from word offset `at` on, store(frame, at,
    vector) writes them back, neither looks at bounds or alignment; splat(word) is a vector of equal
    words: splat(0), splat(-1).
    """
    kind = types.uint64 if width == 1 else VectorType(width)
    llvm = _llvm(width)
    instruction = _of_width(width)

    def pointer(context: Any, builder: Any, array: Any, frame: Any, at: Any) -> Any:
        if array.layout != "C":
            raise TypeError("vectors are read from contiguous arrays only")
        base = context.make_array(array)(context, builder, frame).data
        return builder.bitcast(builder.gep(base, [at]), llvm.as_pointer())

    @instruction
    def load(typing_context: Any, frame: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = pointer(context, builder, signature.args[0], *arguments)
            return builder.load(place, align=8)

        return kind(frame, types.int64), generate

    @instruction
    def store(typing_context: Any, frame: Any, at: Any, vector: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = pointer(context, builder, signature.args[0], *arguments[:2])
            builder.store(arguments[2], place, align=8)
            return context.get_dummy_value()

        return types.void(frame, types.int64, kind), generate

    @instruction
    def splat(typing_context: Any, word: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            if width == 1:
                return arguments[0]
            empty = ir.Constant(llvm, ir.Undefined)
            one = builder.insert_element(empty, arguments[0], ir.IntType(32)(0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
            return builder.shuffle_vector(one, empty, zeros)

        return kind(types.int64), generate

    return load, store, splat


def _has_ternary_logic() -> bool:
    """Whether this processor has any function of three bits as one instruction on vectors."""
    if getattr(config, "CPU_NAME", "") or getattr(config, "CPU_FEATURES", ""):
        return False  # compiled for another one
    return bool(binding.get_host_cpu_features().get("avx512f", False))


TERNARY = _has_ternary_logic()


def ternary(table: int, formula: Any) -> Any:
    """A function of three vectors: bit 4 x + 2 y + z of `table` is its value.

    `formula` says the same to the builder, for processors that have no instruction for all of them
    (LLVM finds it for nests of two operators, but not for a majority).
    """

    @intrinsic
    def function(typing_context: Any, x: Any, y: Any, z: Any) -> Any:
        width = getattr(x, "width", 1)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            if width != 8 or not TERNARY:
                return formula(builder, *arguments)
            llvm, byte = _llvm(width), ir.IntType(32)
            kind = ir.FunctionType(llvm, [llvm, llvm, llvm, byte])
            name = "llvm.x86.avx512.pternlog.q.512"
            called = cgutils.get_or_insert_function(builder.module, kind, name)
            return builder.call(called, [*arguments, byte(table)])

        return x(x, y, z), generate

    return function


def _majority(b: Any, x: Any, y: Any, z: Any) -> Any:
    return b.or_(b.and_(y, z), b.and_(x, b.or_(y, z)))


parity = ternary(0x96, lambda b, x, y, z: b.xor(x, b.xor(y, z)))
"""x ^ y ^ z."""
parity_not = ternary(0x69, lambda b, x, y, z: b.xor(b.not_(x), b.xor(y, z)))
"""~x ^ y ^ z."""
majority = ternary(0xE8, _majority)
"""The majority of x, y, z."""
majority_not = ternary(0x8E, lambda b, x, y, z: _majority(b, b.not_(x), y, z))
"""The majority of ~x, y, z."""


@intrinsic
def number(typing_context: Any, code: Any, at: Any) -> Any:
    """code[at] of a uint32 array as int64, without a look at bounds: kernels read little else."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.zext(builder.load(builder.gep(base, [arguments[1]])), _WORD)

    return types.int64(code, types.int64), generate


@intrinsic
def fetch(typing_context: Any, words: Any, at: Any) -> Any:
    """words[at] of a uint64 array, without a look at bounds, by a load of its own: LLVM makes one
    instruction of eight loads from here and there, which takes longer than they do."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load_atomic(builder.gep(base, [arguments[1]]), "monotonic", align=8)

    return types.uint64(words, types.int64), generate


@intrinsic
def where(typing_context: Any, bits: Any, vector: Any) -> Any:
    """Word k of a vector of 64 where bit k of a uint64 is 1, else 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        mask = builder.bitcast(arguments[0], ir.VectorType(ir.IntType(1), 64))
        return builder.select(mask, arguments[1], ir.Constant(_llvm(64), None))

    return vector(types.uint64, vector), generate


@intrinsic
def popcount(typing_context: Any, vector: Any) -> Any:
    """Number of ones in a vector or a uint64, as int64."""
    width = getattr(vector, "width", 1)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        llvm = _llvm(width)
        if width == 1:
            return builder.ctpop(arguments[0])

        def call(name: str, result: Any, argument: Any) -> Any:
            kind = ir.FunctionType(result, [llvm])
            function = cgutils.get_or_insert_function(
                builder.module, kind, f"llvm.{name}.v{width}i64"
            )
            return builder.call(function, [argument])

        return call("vector.reduce.add", _WORD, call("ctpop", llvm, arguments[0]))

    return types.int64(vector), generate


@intrinsic
def add_counts(typing_context: Any, counts: Any, at: Any, vector: Any, plane: Any) -> Any:
    """counts[at + i] += 2^plane * ones of word i of a vector; `counts` int64, of any shape."""
    llvm = _llvm(vector.width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        counts, at, vector, plane = arguments
        base = context.make_array(signature.args[0])(context, builder, counts).data
        place = builder.bitcast(builder.gep(base, [at]), llvm.as_pointer())
        kind = ir.FunctionType(llvm, [llvm])
        name = f"llvm.ctpop.v{signature.args[2].width}i64"
        ones = builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [vector])
        shift = ir.Constant(llvm, ir.Undefined)
        for i in range(signature.args[2].width):
            shift = builder.insert_element(shift, plane, ir.IntType(32)(i))
        total = builder.add(builder.load(place, align=8), builder.shl(ones, shift))
        builder.store(total, place, align=8)
        return context.get_dummy_value()

    return types.void(counts, types.int64, vector, types.int64), generate


@intrinsic
def transpose(
    typing_context: Any, source: Any, starts: Any, target: Any, at: Any, stride: Any
) -> Any:
    """Eight words of uint64 `source` from each of eight word offsets `starts` (int64 [8]) on become
    eight columns of `target`: word j of run i is stored at `at + j * stride + i`."""
    llvm, eight = _llvm(8), range(8)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, starts, target, at, stride = arguments
        kinds = dict(zip((source, starts, target), signature.args[:3], strict=True))

        def base(array: Any) -> Any:
            return context.make_array(kinds[array])(context, builder, array).data

        def vector(array: Any, offset: Any) -> Any:
            return builder.bitcast(builder.gep(base(array), [offset]), llvm.as_pointer())

        def pick(first: Any, second: Any, lanes: list[int]) -> Any:
            kind = ir.VectorType(ir.IntType(32), 8)
            return builder.shuffle_vector(first, second, ir.Constant(kind, lanes))

        offsets = [builder.load(builder.gep(base(starts), [_WORD(i)])) for i in eight]
        rows = [builder.load(vector(source, offset), align=8) for offset in offsets]
        for step in (1, 2, 4):  # exchange ever larger squares across the diagonal
            low = [i if not i & step else 8 + i - step for i in eight]
            high = [i + step if not i & step else 8 + i for i in eight]
            pairs = [(i, i + step) for i in eight if not i & step]
            for i, j in pairs:
                rows[i], rows[j] = pick(rows[i], rows[j], low), pick(rows[i], rows[j], high)
        for j in eight:
            place = builder.add(at, builder.mul(stride, _WORD(j)))
            builder.store(rows[j], vector(target, place), align=8)
        return context.get_dummy_value()

    return types.void(source, starts, target, types.int64, types.int64), generate
