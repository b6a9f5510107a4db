"""Groups of gates: each is found, runs as its gates one by one do, and keeps their promises."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from revsim.circuit.gates import CCX, CSWAP, CX, FREE, SWAP, X
from revsim.circuit.packed import KIND, pack
from revsim.simulator.faults import NOTHING
from revsim.simulator.literal import body as literal
from revsim.simulator.literal.body import END_ROW, Literal, encode
from revsim.simulator.literal.grouping.kernels import changed_slots, group_rows
from revsim.simulator.literal.layout import (
    BLOCKS,
    CNOT,
    END,
    FULL,
    GATE,
    HALF,
    MAJ,
    UMA,
    UNFULL,
    UNHALF,
)

Words = npt.NDArray[np.uint64]
Gate = tuple[int, int, int, int, int]
"""(opcode, a, b, c, role)."""


def cx(a: int, c: int) -> Gate:
    return CX, a, -1, c, 0


def ccx(a: int, b: int, c: int, role: int = 0) -> Gate:
    return CCX, a, b, c, role


def full(s: int, o: int, p: int, f: int, role: int = 0) -> list[Gate]:
    return [cx(s, o), cx(s, p), ccx(o, p, f, role), cx(s, f), cx(s, o), cx(o, p)]


def maj(c: int, b: int, a: int) -> list[Gate]:
    return [cx(a, b), cx(a, c), ccx(c, b, a)]


def uma(c: int, b: int, a: int) -> list[Gate]:
    return [ccx(c, b, a), cx(a, c), cx(c, b)]


def undone(gates: list[Gate]) -> list[Gate]:
    return [(*gate[:4], (0, 2, 1)[gate[4]]) for gate in reversed(gates)]


GROUPS: dict[str, tuple[list[int], Callable[..., list[Gate]]]] = {
    "full": ([FULL], lambda w, role: full(*w[:4], role)),
    "unfull": ([UNFULL], lambda w, role: undone(full(*w[:4], role))),
    "half": ([HALF], lambda w, role: [ccx(w[0], w[1], w[2], role), cx(w[0], w[1])]),
    "half, other way": ([HALF], lambda w, role: [ccx(w[0], w[1], w[2], role), cx(w[1], w[0])]),
    "unhalf": ([UNHALF], lambda w, role: [cx(w[0], w[1]), ccx(w[1], w[0], w[2], role)]),
    "maj": ([MAJ], lambda w, role: maj(*w[:3])),
    "uma": ([UMA], lambda w, role: uma(*w[:3])),
    "majs": ([MAJ], lambda w, role: maj(*w[:3]) + maj(w[2], w[3], w[4]) + maj(w[4], w[0], w[1])),
    "umas": ([UMA], lambda w, role: uma(*w[:3]) + uma(w[4], w[3], w[0]) + uma(w[1], w[2], w[4])),
    "adder": (
        [MAJ, CNOT, UMA],
        lambda w, role: (
            maj(*w[:3]) + maj(w[2], w[3], w[4]) + [cx(w[4], w[5])] + uma(w[2], w[3], w[4])
            + uma(*w[:3])
        ),
    ),
    "two adders": ([FULL, FULL], lambda w, role: full(*w[:4], role) + full(w[3], w[4], w[0], w[5])),
}  # fmt: skip


def table_of(gates: list[Gate]) -> npt.NDArray[np.int32]:
    return np.array([[op, a, b, c, role, 0] for op, a, b, c, role in gates], dtype=np.int32)


def forms_of(rows: Words) -> list[int]:
    """The form of each group: rows that belong to the one before are skipped."""
    forms, g = [], 0
    while g < len(rows):
        kind, c = int(rows[g]) & (1 << KIND) - 1, int(rows[g]) >> 45
        forms.append(kind >> 2)
        g += 1 + (c if kind >> 2 in (MAJ, UMA) else kind >> 2 in (FULL, UNFULL))
    return forms


def judged(gates: list[Gate], state: Words) -> tuple[Words, npt.NDArray[np.uint8]]:
    """The state after the gates one by one, and per word 1 where a FREE, 2 where a role broke."""
    state, suspect = state.copy(), np.zeros(state.shape[1], dtype=np.uint8)
    for op, a, b, c, role in gates:
        if role == 1:
            suspect[state[c] != 0] |= 2
        if op == X:
            state[c] = ~state[c]
        elif op == CX:
            state[c] ^= state[a]
        elif op == CCX:
            state[c] ^= state[a] & state[b]
        elif op == FREE:
            suspect[state[c] != 0] |= 1
        else:
            change = (state[b] ^ state[c]) & (state[a] if op == CSWAP else ~np.uint64(0))
            state[b], state[c] = state[b] ^ change, state[c] ^ change
        if role == 2:
            suspect[state[c] != 0] |= 2
    return state, suspect


def executed(rows: Words, state: Words) -> tuple[Words, npt.NDArray[np.uint8]]:
    """The same from rows of code, all lanes at once."""
    state, (wires, words) = state.copy(), state.shape
    every, suspect = np.arange(wires, dtype=np.int32), np.zeros(state.shape[1], dtype=np.uint8)
    none = np.zeros(0, dtype=np.int32)
    literal.run(
        Literal(rows, np.zeros(1, np.int64), none, none.astype(np.uint8), wires, every == every),
        state, every[None], every, none, 0, words, np.full((1, words), ~np.uint64(0)),
        np.zeros((0, 1), np.int64), np.zeros((0, 1, 3), np.int64), suspect, NOTHING,
    )  # fmt: skip
    return state, suspect


def alike(gates: list[Gate], state: Words) -> None:
    """The gates in groups and one by one do what they should."""
    table, wires = table_of(gates), len(state)
    wanted, suspect = judged(gates, state)
    grouped = group_rows(pack(table), wires)
    assert changed_slots(grouped, wires)[(wanted != state).any(axis=1)].all()
    for rows in (grouped, np.append(encode(pack(table), wires), END_ROW)):
        got, found = executed(rows, state)
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(found, suspect)


def random_state(stream: np.random.Generator, wires: int, words: int, zeros: list[int]) -> Words:
    """Random words; wires of `zeros` are 0 but for one bit of one word, here and there."""
    state = stream.integers(0, 1 << 64, (wires, words), dtype=np.uint64)
    state[zeros] = 0
    for wire in zeros:
        if stream.random() < 0.5:
            state[wire, stream.integers(words)] = np.uint64(1 << int(stream.integers(64)))
    return state


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("role", range(3))
@pytest.mark.parametrize("block", BLOCKS)
def test_a_group_is_found_and_runs_as_its_gates(name: str, role: int, block: int) -> None:
    """On wires in any order, with the promise kept on all lanes but one, or on most broken."""
    forms, build = GROUPS[name]
    stream = np.random.default_rng([role, block])
    for trial in range(8):
        wires = stream.permutation(9).tolist()
        gates = build(wires, role)
        rows = group_rows(pack(table_of(gates)), 9)
        assert forms_of(rows) == [*forms, END]
        zeros = [] if trial % 4 == 3 else [wires[2], wires[3]]
        state = random_state(stream, 9, block, zeros)
        if role == 2 and zeros:  # what is 0 before is 0 after the gates and their inverse
            gates = undone(gates) + gates
        alike(gates, state)


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("promise", [0, 1])
def test_a_group_with_a_wrong_gate_is_what_its_gates_are(name: str, promise: int) -> None:
    """Each gate in turn loses a control, gets another wire, kind or promise, or is left out; also
    where the group promises nothing itself, which would hide that another gate's is not checked."""
    _, build = GROUPS[name]
    stream = np.random.default_rng(5)
    gates = build(list(range(6)), promise)
    state = random_state(stream, 8, 8, [2, 3])
    for place, (op, a, b, c, role) in enumerate(gates):
        for mutant in (
            *((op, w if a == v else a, w if b == v else b, w if c == v else c, role)
              for v in {a, b, c} - {-1} for w in range(8) if w not in (a, b, c)),
            *((op, a, b, c, other) for other in range(3)),
            (X, -1, -1, c, role), (CX, a, -1, c, role), (SWAP, -1, a, c, role),
            *((CX, w, -1, c, role) for w in range(8) if w != c),
            *((CCX, a, w, c, role) for w in range(8) if w not in (a, c)),
        ):  # fmt: skip
            alike([*gates[:place], mutant, *gates[place + 1 :]], state)
        alike(gates[:place] + gates[place + 1 :], state)


@pytest.mark.parametrize("seed", range(60))
def test_groups_and_gates_in_any_order(seed: int) -> None:
    """Groups that share wires, cut short, between other gates; regular lists and random ones."""
    stream = np.random.default_rng(seed)
    gates: list[Gate] = []
    for _ in range(stream.integers(1, 40)):
        wires = stream.permutation(8).tolist()
        role = int(stream.integers(3))
        if stream.random() < 0.6:
            _, build = GROUPS[str(stream.choice(list(GROUPS)))]
            new = build(wires, role)
            gates += new[: stream.integers(1, len(new) + 1)] if stream.random() < 0.3 else new
        else:
            op = int(stream.choice([X, CX, CCX, SWAP, CSWAP, FREE]))
            a = wires[0] if op in (CX, CCX, CSWAP) else -1
            b = wires[1] if op in (CCX, SWAP, CSWAP) else -1
            gates.append((op, a, b, wires[2], 0 if op == FREE else role))
    words = int(stream.choice([1, 8, 24, 64, 128]))
    alike(gates, stream.integers(0, 1 << 64, (8, words), dtype=np.uint64))


def test_a_cnot_is_a_form_of_its_own_where_forms_can_be_foretold() -> None:
    stream = np.random.default_rng(0)
    regular = table_of([cx(0, 1), cx(1, 2), cx(2, 3), ccx(5, 6, 4)] * 50)
    assert set(forms_of(group_rows(pack(regular), 8))) == {CNOT, GATE, END}
    shuffled = regular[stream.permutation(len(regular))]
    assert CNOT not in forms_of(group_rows(pack(shuffled), 8))
