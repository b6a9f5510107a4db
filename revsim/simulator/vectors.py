"""Vector instructions for the kernels, as Numba intrinsics: one gate on eight words (512 lanes).

LLVM does not vectorise `frame[c + k] ^= frame[a + k] & frame[b + k]` by itself (the rows may
overlap), so each gate is a small intrinsic that loads, combines and stores eight words at once.
The same gates on a single word serve runs of at most 64 rows.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

VECTOR = 8
"""Words per vector: 8 x 64 bits, one 512-bit register (two 256-bit ones on AVX2)."""

_WORD = ir.IntType(64)


def _gate(body: Any, width: int) -> Any:
    """An intrinsic gate(frame, a, b, c) on `width` words: `body` gets the builder, load and store
    on word offsets, and all ones."""
    kind = _WORD if width == 1 else ir.VectorType(_WORD, width)
    ones = ir.Constant(kind, -1 if width == 1 else [-1] * width)

    @intrinsic
    def gate(typing_context: Any, frame: Any, a: Any, b: Any, c: Any) -> Any:
        signature = types.void(frame, types.int64, types.int64, types.int64)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            base = context.make_array(signature.args[0])(context, builder, arguments[0]).data

            def pointer(offset: Any) -> Any:
                return builder.bitcast(builder.gep(base, [offset]), kind.as_pointer())

            def load(offset: Any) -> Any:
                return builder.load(pointer(offset), align=8)

            def store(value: Any, offset: Any) -> None:
                builder.store(value, pointer(offset), align=8)

            body(builder, load, store, ones, *arguments[1:])
            return context.get_dummy_value()

        return signature, generate

    return gate


def _x(builder: Any, load: Any, store: Any, ones: Any, a: Any, b: Any, c: Any) -> None:
    store(builder.xor(load(c), ones), c)


def _cx(builder: Any, load: Any, store: Any, ones: Any, a: Any, b: Any, c: Any) -> None:
    store(builder.xor(load(c), load(a)), c)


def _ccx(builder: Any, load: Any, store: Any, ones: Any, a: Any, b: Any, c: Any) -> None:
    store(builder.xor(load(c), builder.and_(load(a), load(b))), c)


def _swap(builder: Any, load: Any, store: Any, ones: Any, a: Any, b: Any, c: Any) -> None:
    first, second = load(b), load(c)
    store(second, b)
    store(first, c)


def _cswap(builder: Any, load: Any, store: Any, ones: Any, a: Any, b: Any, c: Any) -> None:
    first, second = load(b), load(c)
    change = builder.and_(load(a), builder.xor(first, second))
    store(builder.xor(first, change), b)
    store(builder.xor(second, change), c)


def _or_into(builder: Any, load: Any, store: Any, ones: Any, a: Any, b: Any, c: Any) -> None:
    store(builder.or_(load(c), load(a)), c)


def gates(width: int) -> tuple[Any, ...]:
    """The intrinsics x, cx, ccx, swap, cswap and or_into (c |= a) on `width` words."""
    return tuple(_gate(body, width) for body in (_x, _cx, _ccx, _swap, _cswap, _or_into))


@intrinsic
def popcount(typing_context: Any, word: Any) -> Any:
    """Number of ones in a uint64."""
    signature = types.int64(types.uint64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return signature, generate
