"""Multiply-and-shift forms: formula, proof and gates, on every value of small ranges."""

from dataclasses import replace

import numpy as np
import pytest
from test_lower_linear import stage_on, through_stages

from revsim.circuit.registers import Encoding
from revsim.lower.piece import scaled
from revsim.lower.pieces import _stepped, direct, pieces_of, runs_of
from revsim.lower.scale import Scale, _agrees, shortest_scale
from revsim.lower.stage import Value
from revsim.lower.steps import Steps, steps_of, through
from revsim.network.operators import Clamp, Offset, Requantise, Single

EMPTY = np.zeros(0, dtype=np.int64)


def registers(rng: np.random.Generator, low: int, high: int) -> list[Encoding]:
    """Registers that hold low..high: unsigned from low or from below it on, from a power of two so
    that the top bit is the sign, two's complement."""
    below, half = low - int(rng.integers(0, 9)), 1 << max(-low, high).bit_length()
    return [
        Encoding.unsigned(low, high),
        Encoding.unsigned(below, high),
        Encoding.unsigned(-half, half - 1),
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
    if seed % 8 == 1:  # rounded half to even without a sign, in a register shorter than the shift
        low, high = 0, int(rng.integers(1, 1 << shift))
        v = np.arange(low, high + 1)
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


@pytest.mark.parametrize("seed", range(48))
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


@pytest.mark.parametrize("seed", range(8))
def test_forms_of_small_registers(seed: int) -> None:
    """The top bit is always added; a form that no clamp follows holds up to both ends."""
    rng = np.random.default_rng(seed)
    short = shortest_scale(Steps(0, 6, 0, 2, np.arange(1, 3), np.array([4, 5])))
    assert short is not None and short[0].cut < 3
    for _ in range(12):
        low, high = -int(rng.integers(0, 9)), int(rng.integers(2, 9))
        count = int(rng.integers(2, 6))
        positions = np.sort(rng.integers(low + 1, high + 1, count))
        steps = Steps(low, high, 0, count, np.arange(1, count + 1), positions)
        found, whole = shortest_scale(steps), shortest_scale(steps, 0, whole=True)
        assert found is None or found[0].cut < (high - low).bit_length()
        if whole is not None:
            v = np.arange(low, high + 1)
            assert (np.stack(whole[0].bounds(v)) == steps.at(v)).all()


@pytest.mark.parametrize("seed", range(90))
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


def test_many_channels_are_bisected_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too many steps for one array, each channel has its own range and rule."""
    chain = (Requantise(np.array([1, 3]), "half_up"), Offset(np.array([5, -2])))
    low, high = np.array([-40, -3]), np.array([20, 99])
    together = steps_of(chain, low, high)
    monkeypatch.setattr("revsim.lower.steps.CELLS", 8)
    for one, other in zip(together, steps_of(chain, low, high), strict=True):
        assert one is not None and other is not None
        assert (one.low, one.high, one.first, one.last) == (
            other.low, other.high, other.first, other.last
        )  # fmt: skip
        assert one.positions.tolist() == other.positions.tolist()


@pytest.mark.parametrize("seed", range(36))
def test_rules_taken_as_they_stand(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too many steps to look for a shorter form, a rule's own one is taken, in two
    pieces where it rounds twice: every rounding, offsets on both sides, on every value."""
    monkeypatch.setattr("revsim.lower.pieces.FEW", 3)
    rng = np.random.default_rng(seed)
    low, high = -int(rng.integers(0, 90)), int(rng.integers(20, 90))
    rule = ["floor", "half_up", "half_away", "half_even", "tflite_double", "half_even"][seed % 6]
    if rule == "tflite_double":
        m, shift = rng.integers(1 << 30, 1 << 31, 1), rng.integers(0, 3, 1)
    else:
        m, shift = rng.integers(1, 12, 1), rng.integers(1, 4, 1)
    left = rng.integers(1, 3, 1) if seed % 4 == 3 else None
    once = Requantise(shift, rule, None if seed % 12 == 5 else m, left)
    before = (Offset(rng.integers(-9, 9, 1)),) if seed % 3 == 0 else ()
    after = (Offset(rng.integers(-9, 9, 1)), Clamp(-150, 200)) if seed % 2 else ()
    stage_on((*before, once, *after), low, high, np.arange(low, high + 1))


@pytest.mark.parametrize("seed", range(24))
def test_a_shift_alone_is_a_choice_of_wires(seed: int) -> None:
    """In a register from which the form counts, of either sign, clipped or not."""
    rng = np.random.default_rng(seed)
    low, high = -int(rng.integers(0, 40)), int(rng.integers(1, 60))
    v = np.arange(low, high + 1)
    for encoding in (
        Encoding.unsigned(low, high),
        Encoding.unsigned(low - int(rng.integers(1, 9)), high),
        Encoding.signed(low, high, int(rng.integers(low, high))),
        Encoding.signed(low, high, low - 1),
    ):
        shift = int(rng.integers(0, (high - max(low, encoding.offset)).bit_length()))
        form = Scale(1, -encoding.offset, shift)
        y = (v - encoding.offset) >> shift
        first, last = int(rng.integers(0, 5)), int(rng.integers(5, 99))
        for floor, roof in ((first, last), (0, 127)):
            steps = Steps(low, high, floor, roof, EMPTY, EMPTY)
            floor, roof = max(floor, int(y.min())), min(roof, int(y.max()))
            if floor > roof:
                continue
            piece = scaled(Value(encoding, low, high), Encoding.unsigned(0, 127), form, steps)
            assert (on_gates(piece, v) == np.clip(y, floor, roof)).all(), (encoding, form)
            assert (piece.wires is not None) == ((floor, roof) == (int(y.min()), int(y.max())))


@pytest.mark.parametrize("seed", range(60))
def test_a_formula_of_operators_is_what_they_do(seed: int) -> None:
    """Offsets and roundings one after the other, where one formula says it all."""
    rng = np.random.default_rng(seed)
    v = np.arange(-300, 300)
    for _ in range(20):
        operators: list[Single] = []
        for _ in range(int(rng.integers(1, 4))):
            if rng.integers(2):
                operators.append(Offset(np.array([int(rng.integers(-9, 9))])))
                continue
            rule = str(rng.choice(["half_up", "half_away", "half_even", "floor"]))
            m = np.array([int(rng.integers(1, 4))]) if rng.integers(2) else None
            operators.append(Requantise(np.array([int(rng.integers(0, 4))]), rule, m))
        form = direct(operators)
        if form is not None:
            expected = through(tuple(operators), v[:, None])[:, 0]
            assert (np.stack(form.bounds(v)) == expected).all(), operators


@pytest.mark.parametrize("offset", [0, 1, 6])
@pytest.mark.parametrize("rule", ["half_up", "half_away", "half_even"])
def test_more_steps_than_are_looked_at(rule: str, offset: int) -> None:
    """A rounding taken as it stands, in a register that is given."""
    low, high = -9000 * (rule == "half_away"), 20000
    operators = (Requantise(np.array([1]), rule), Offset(np.array([5000])))
    ends = np.array([low]), np.array([high])
    after = Encoding.unsigned(0, 16383)
    held = Encoding.unsigned(low - offset, high)
    pieces = pieces_of(runs_of(operators, *ends), 0, after, held)
    v = np.arange(low, high + 1)
    raw = held.encode(v).astype(np.int64)
    found = through_stages(tuple(p.stage("activation") for p in pieces), raw)
    assert (found == through(operators, v[:, None])[:, 0]).all()
