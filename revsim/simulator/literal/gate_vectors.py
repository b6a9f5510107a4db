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


def _kind(width: int) -> Any:
    return _WORD if width == 1 else ir.VectorType(_WORD, width)


def _checked(width: int) -> Any:
    """An intrinsic (frame, a, b, c, d, before, after) on `width` words: c ^= a & b, and d
    collects c from before and from after it, where these are -1 and not 0. No branch."""
    kind = _kind(width)

    @intrinsic
    def gate(
        typing_context: Any, frame: Any, a: Any, b: Any, c: Any, d: Any, before: Any, after: Any
    ) -> Any:
        signature = types.void(frame, *[types.int64] * 6)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            base = context.make_array(signature.args[0])(context, builder, arguments[0]).data

            def at(offset: Any) -> Any:
                return builder.bitcast(builder.gep(base, [offset]), kind.as_pointer())

            def splat(mask: Any) -> Any:
                if width == 1:
                    return mask
                one = builder.insert_element(
                    ir.Constant(kind, ir.Undefined), mask, ir.IntType(32)(0)
                )
                zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
                return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)

            a, b, c, d = (at(offset) for offset in arguments[1:5])
            old = builder.load(c, align=8)
            both = builder.and_(builder.load(a, align=8), builder.load(b, align=8))
            new = builder.xor(old, both)
            seen = builder.or_(
                builder.and_(old, splat(arguments[5])), builder.and_(new, splat(arguments[6]))
            )
            builder.store(new, c, align=8)
            builder.store(builder.or_(builder.load(d, align=8), seen), d, align=8)
            return context.get_dummy_value()

        return signature, generate

    return gate


@intrinsic
def checked_word(
    typing_context: Any, frame: Any, a: Any, b: Any, c: Any, before: Any, after: Any
) -> Any:
    """c ^= a & b on single words; c from before and from after it where these are -1 and not 0,
    together. What is seen stays in a register, so that no gate waits for the one before it."""
    signature = types.uint64(frame, *[types.int64] * 5)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        a, b, c = (builder.gep(base, [offset]) for offset in arguments[1:4])
        old = builder.load(c)
        new = builder.xor(old, builder.and_(builder.load(a), builder.load(b)))
        builder.store(new, c)
        return builder.or_(builder.and_(old, arguments[4]), builder.and_(new, arguments[5]))

    return signature, generate


def _gate(body: Any, width: int) -> Any:
    """An intrinsic gate(frame, a, b, c) on `width` words: `body` gets the builder, load and store
    on word offsets."""
    kind = _kind(width)

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

            body(builder, load, store, *arguments[1:])
            return context.get_dummy_value()

        return signature, generate

    return gate


def _ccx(builder: Any, load: Any, store: Any, a: Any, b: Any, c: Any) -> None:
    store(builder.xor(load(c), builder.and_(load(a), load(b))), c)


def _swap(builder: Any, load: Any, store: Any, a: Any, b: Any, c: Any) -> None:
    first, second = load(b), load(c)
    store(second, b)
    store(first, c)


def _cswap(builder: Any, load: Any, store: Any, a: Any, b: Any, c: Any) -> None:
    first, second = load(b), load(c)
    change = builder.and_(load(a), builder.xor(first, second))
    store(builder.xor(first, change), b)
    store(builder.xor(second, change), c)


def _or_into(builder: Any, load: Any, store: Any, a: Any, b: Any, c: Any) -> None:
    store(builder.or_(load(c), load(a)), c)


def gates(width: int) -> tuple[Any, ...]:
    """The intrinsics ccx, ccx checked, swap, cswap and or_into (c |= a) on `width` words."""
    ccx, swap, cswap, or_into = (_gate(body, width) for body in (_ccx, _swap, _cswap, _or_into))
    return ccx, _checked(width), swap, cswap, or_into


@intrinsic
def popcount(typing_context: Any, word: Any) -> Any:
    """Number of ones in a uint64."""
    signature = types.int64(types.uint64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return signature, generate
