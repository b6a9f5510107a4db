"""Multiply-and-shift forms: formula, proof and gates, on every value of small ranges."""

from dataclasses import replace

import numpy as np
import pytest
from test_lower_linear import through_stages

from revsim.circuit.registers import Encoding
from revsim.lower.piece import scaled
from revsim.lower.pieces import _stepped
from revsim.lower.scale import Scale, _agrees, shortest_scale
from revsim.lower.stage import Value
from revsim.lower.steps import Steps, steps_of
from revsim.network.operators import Clamp, Offset, Requantise

EMPTY = np.zeros(0, dtype=np.int64)


def registers(rng: np.random.Generator, low: int, high: int) -> list[Encoding]:
    """Registers that hold low..high: unsigned from low or from below it on, two's complement."""
    below = low - int(rng.integers(0, 9))
    return [
        Encoding.unsigned(low, high),
        Encoding.unsigned(below, high),
        Encoding.signed(low, high),
    ]


def on_gates(piece, v: np.ndarray) -> np.ndarray:
    raw = piece.before.encoding.encode(v).astype(np.int64)
    return through_stages((piece.stage("activation"),), raw)


@pytest.mark.parametrize("seed", range(40))
def test_a_form_is_what_its_formula_says(seed: int) -> None:
    """Any multiplier, sign-dependent offset, parity and cut, in any register: the gates give the
    clipped formula, and what they leave out stays within `errors`."""
    rng = np.random.default_rng(seed)
    low, high = -int(rng.integers(0, 40)), int(rng.integers(1, 40))
    v = np.arange(low, high + 1)
    shift = int(rng.integers(1, 6))
    kind = seed % 4
    m = 1 if kind == 1 else int(rng.integers(1, 40))
    cut = int(rng.integers(1, min(shift, (high - low).bit_length() - 1) + 1)) if kind > 1 else 0
    b = int(rng.integers(-60, 300))
    b_negative = int(rng.integers(-9, 9)) << cut if kind != 2 and low < 0 else 0
    form = Scale(m, b, shift, b_negative, even=kind == 1, cut=cut)
    parity = v >> shift & 1 if form.even else 0
    exact = (m * v + b + np.where(v < 0, b_negative, 0) + parity) >> shift
    least, most = form.bounds(v)
    assert (least <= exact).all() and (exact <= most).all()
    assert cut or ((least == exact).all() and (most == exact).all())
    first, last = sorted(rng.integers(0, 40, 2).tolist())
    steps = Steps(low, high, first, last, EMPTY, EMPTY)
    for encoding in registers(rng, low, high):
        if form.even and encoding.offset % (2 << shift):
            continue
        piece = scaled(Value(encoding, low, high), Encoding.unsigned(0, 63), form, steps)
        ends = np.concatenate(form.bounds(v))
        floor, roof = max(first, int(ends.min())), min(last, int(ends.max()))
        if floor > roof:
            continue
        got = on_gates(piece, v)
        assert (np.clip(least, floor, roof) <= got).all(), (form, encoding)
        assert (got <= np.clip(most, floor, roof)).all(), (form, encoding)


@pytest.mark.parametrize("seed", range(60))
def test_any_monotone_function_in_any_register(seed: int) -> None:
    """Random steps, near a line or not, found by whatever is cheapest, on every value."""
    rng = np.random.default_rng(seed)
    low, high = -int(rng.integers(0, 70)), int(rng.integers(2, 70))
    v = np.arange(low, high + 1)
    if seed % 3:
        count = int(rng.integers(1, 12))
        positions = np.sort(rng.integers(low + 1, high + 1, count))
        steps = Steps(low, high, 0, count, np.arange(1, count + 1), positions)
    else:
        rule = ["half_up", "half_away", "half_even"][seed // 3 % 3]
        ends = Clamp(-int(rng.integers(1, 9)), int(rng.integers(1, 9)))
        chain = (Requantise(np.array([int(rng.integers(1, 5))]), rule), ends)
        (found,) = steps_of(chain, np.array([low]), np.array([high]))
        assert found is not None
        steps = found.minus(found.first)
    for held in (None, *registers(rng, low, high)):
        piece = _stepped(steps, held, Encoding.unsigned(0, max(1, steps.last)))
        assert (on_gates(piece, v) == steps.at(v)).all(), (piece.name, held)


@pytest.mark.parametrize("seed", range(150))
def test_the_proof_is_what_brute_force_finds(seed: int) -> None:
    """A form as it is found agrees; one spoilt in any number agrees only where every value does."""
    rng = np.random.default_rng(seed)
    low, high = -int(rng.integers(20, 3000)), int(rng.integers(20, 3000))
    rule = ["half_up", "half_away", "tflite_double"][seed % 3]
    bits = int(rng.integers(3, 31))
    chain = (
        Requantise(
            np.array([int(rng.integers(0, 6)) + (0 if rule == "tflite_double" else bits)]),
            rule,
            np.array([int(rng.integers(1 << 30, 1 << 31)) >> (31 - bits) if rule != "tflite_double"
                      else int(rng.integers(1 << 30, 1 << 31))]),
        ),
        Offset(np.array([int(rng.integers(-20, 20))])),
        Clamp(-int(rng.integers(1, 100)), int(rng.integers(1, 100))),
    )  # fmt: skip
    (steps,) = steps_of(chain, np.array([low]), np.array([high]))
    assert steps is not None
    if not len(steps.targets):
        return
    found = shortest_scale(steps)
    if found is None:
        return
    v = np.arange(low, high + 1)
    form = found[0]
    assert form.b_negative % (1 << form.cut) == 0
    assert form.cut < (high - low).bit_length()
    one = 1 << form.shift
    for spoilt in (
        form,
        replace(form, b=form.b + int(rng.integers(-one, one))),
        replace(form, b=form.b + int(rng.integers(0, 9))),
        replace(form, b=form.b - int(rng.integers(0, 9))),
        replace(form, b_negative=form.b_negative + int(rng.integers(-one, one))),
        replace(form, m=form.m + 1),
        replace(form, cut=min(form.cut + 1, form.shift)),
    ):
        least, most = (np.clip(y, steps.first, steps.last) for y in spoilt.bounds(v))
        every = bool((least == steps.at(v)).all() and (most == steps.at(v)).all())
        assert _agrees(spoilt, steps) == every
