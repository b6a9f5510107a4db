"""Logic networks on many rows at once, and what each gate finds at its inputs."""

import numpy as np
import numpy.typing as npt

from revsim.circuit.logic import MAJORITY, NONE, XOR, Logic
from revsim.errors import InputError
from revsim.simulator.lanes import Words, pack

Integers = npt.NDArray[np.int64]
CACHED_WORDS = 1 << 13
"""Words that are counted at a time."""


def all_inputs(inputs: int) -> Words:
    """Every input once, signal 0 counting fastest: uint64 [inputs, words], at most 24 inputs."""
    if not 0 < inputs <= 24:
        raise InputError(f"all inputs of {inputs} signals: between 1 and 24 can be enumerated")
    within = np.arange(min(1 << inputs, 64), dtype=np.uint64)
    words = np.arange(max(1, (1 << inputs) >> 6), dtype=np.uint64)
    state = np.empty((inputs, len(words)), dtype=np.uint64)
    for k in range(inputs):
        if k < 6:
            state[k] = pack(within >> np.uint64(k) & np.uint64(1) == 1)[0]
        else:
            state[k] = -(words >> np.uint64(k - 6) & np.uint64(1))  # all ones where it is 1
    return state


def run_logic(logic: Logic, inputs: Words) -> Words:
    """Every signal: uint64 [signals + 1, words] from the inputs [inputs, words]; the last row is 0.

    >>> from revsim.circuit.logic import adder
    >>> run_logic(adder(1), all_inputs(2))[2:4, 0].tolist()  # sum 0110, carry 1000
    [6, 8]
    """
    if len(inputs) != logic.inputs:
        raise InputError(f"{logic.name!r} takes {logic.inputs} inputs, got {len(inputs)}")
    state = np.zeros((logic.signals + 1, inputs.shape[1]), dtype=np.uint64)
    state[: logic.inputs] = inputs
    for k, (kind, *literals) in enumerate(logic.gates.tolist(), start=logic.inputs):
        a, b, c = (_value(state, p) for p in literals)
        if kind == XOR:
            np.bitwise_xor(a, b, out=state[k])
        else:
            np.bitwise_and(a, b, out=state[k])
            if kind == MAJORITY:
                state[k] |= (a | b) & c
    return state


def _value(state: Words, literal: int) -> Words:
    if literal < 0:
        return np.bitwise_not(_value(state, ~literal))
    chosen: Words = state[-1 if literal == NONE else literal]
    return chosen


def gate_cells(logic: Logic, state: Words, planes: Words) -> Integers:
    """Weight of the rows in which the inputs of each gate hold each pattern: int64 [gates, 8].

    Cell 4c + 2b + a counts the patterns of the literals (a, b, c); gates of two inputs have c = 0.
    state: as from `run_logic`; planes: as from `lanes.planes_of`.
    """
    read = logic.gates[:, 1:]
    signal = np.where(read < 0, ~read, read)
    place = np.where(signal == NONE, logic.signals, signal)
    three = logic.gates[:, 0] == MAJORITY
    a, b, c = place[:, 0], place[:, 1], place[three, 2]
    sums = np.zeros((len(read), 8), dtype=np.int64)
    for p, plane in enumerate(planes):
        counted = state if bool((plane == ~np.uint64(0)).all()) else state & plane
        single = _ones(counted)
        sums[:, 0] += int(np.bitwise_count(plane).sum()) << p
        sums[:, 1] += single[a] << p
        sums[:, 2] += single[b] << p
        sums[:, 3] += _ones(counted, a, b) << p
        sums[three, 4] += single[c] << p
        sums[three, 5] += _ones(counted, a[three], c) << p
        sums[three, 6] += _ones(counted, b[three], c) << p
        sums[three, 7] += _ones(counted, a[three], b[three], c) << p
    for k in (1, 2, 4):  # from "at least these ones" to "exactly these ones"
        without = [cell for cell in range(8) if not cell & k]
        sums[:, without] -= sums[:, [cell | k for cell in without]]
    # A complemented literal exchanges the cells in which its signal is 0 and 1.
    flipped = (read < 0) @ np.array([1, 2, 4])
    return np.take_along_axis(sums, np.arange(8) ^ flipped[:, None], axis=1)


def _ones(state: Words, *places: npt.NDArray[np.integer]) -> Integers:
    """Ones of each signal, or of each product of signals at the same entry of `places`.

    A few rows at a time, so that they stay in the cache: three times as fast.
    """
    rows = len(places[0]) if places else len(state)
    out = np.empty(rows, dtype=np.int64)
    step = max(1, CACHED_WORDS // state.shape[1])
    for first in range(0, rows, step):
        part = slice(first, first + step)
        product = state[places[0][part]] if places else state[part]
        for place in places[1:]:
            product &= state[place[part]]
        np.sum(np.bitwise_count(product), axis=1, dtype=np.int64, out=out[part])
    return out
