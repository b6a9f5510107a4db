"""The executors themselves, mutated: does the differential test notice wrong code?

What the kernels read is altered one number at a time, each kind of number by itself: a wire, a
counter, the form of a row, a promise, the length of a run, a polarity, what stands complemented.
Nothing is altered beyond what the arrays allow, since a kernel trusts its code.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from differential import Truth, Way, differences, judged, random_case
from random_programs import program

from revsim.circuit.gates import CSWAP, ERASE, FREE, MCX, SWAP, TALLY
from revsim.circuit.packed import KIND, SLOT
from revsim.simulator.code import Code, compile_code, find_restored
from revsim.simulator.fused.body import Fused
from revsim.simulator.literal.body import Literal
from revsim.simulator.literal.layout import (
    CNOT,
    FULL,
    GATE,
    HALF,
    MAJ,
    UMA,
    UNFULL,
    UNHALF,
)
from revsim.simulator.scheduling import layout

PROGRAMS, PER_KIND = 30, 3
Mutant = tuple[str, Code]

SHIFTS = (KIND, KIND + SLOT, KIND + 2 * SLOT)
WIRES = {
    **dict.fromkeys((GATE, CSWAP, FULL, UNFULL, HALF, UNHALF), (0, 1, 2)),
    **{CNOT: (0, 2), SWAP: (1, 2), MCX: (2,), ERASE: (2,), FREE: (2,), TALLY: (0, 1)},
    **{MAJ: (0,), UMA: (0,)},
}
"""Which of the fields a, b, c of a literal row are wires, by form."""
COUNTERS = {ERASE: 0, TALLY: 2, MCX: 0}
"""The field that is the number of a counter or a control list."""
TWINS = {FULL: UNFULL, HALF: UNHALF, MAJ: UMA, CSWAP: HALF, GATE: UNHALF}
TWINS |= {other: form for form, other in TWINS.items()}
"""Forms whose rows have the same fields."""


# --- literal --------------------------------------------------------------------------------------


def literal_mutants(code: Code, random: np.random.Generator) -> Iterator[Mutant]:
    """One number of a literal body altered, of each kind where there is one."""
    body = code.body
    assert isinstance(body, Literal)
    heads, behind = rows_of(body.rows)

    def with_row(place: int, row: int) -> Code:
        rows = body.rows.copy()
        rows[place] = row
        return replace(code, body=replace(body, rows=rows))

    def other(number: int, limit: int) -> int:
        return int((number + random.integers(1, max(2, limit))) % limit)

    for place in random.permutation(heads).tolist():
        row = int(body.rows[place])
        kind, fields = row & ((1 << KIND) - 1), [row >> s & ((1 << SLOT) - 1) for s in SHIFTS]
        form = kind >> 2

        def with_field(field: int, value: int, fields=fields, kind=kind, place=place) -> Code:
            changed = [value if k == field else old for k, old in enumerate(fields)]
            packed = kind | sum(v << s for v, s in zip(changed, SHIFTS, strict=True))
            return with_row(place, packed)

        for field in WIRES[form]:
            yield f"wire of form {form}", with_field(field, other(fields[field], body.slots))
        if form in COUNTERS:
            limit = {ERASE: code.erased, TALLY: code.tallies, MCX: len(body.starts) - 1}[form]
            field = COUNTERS[form]
            if limit > 1:
                yield f"counter of form {form}", with_field(field, other(fields[field], limit))
        if form in TWINS:
            yield "form", with_row(place, row ^ kind | TWINS[form] << 2 | kind & 3)
        if form not in (FREE, TALLY):
            yield "promise", with_row(place, row ^ kind | form << 2 | other(kind & 3, 3))
        if form in (MAJ, UMA) and fields[2] > 1:  # one row less, since what follows would be a head
            shorter = with_field(2, fields[2] - 1).body
            rows = np.delete(shorter.rows, place + fields[2])
            yield "length of a run", replace(code, body=replace(shorter, rows=rows))
    for place in random.permutation(behind).tolist():
        row = int(body.rows[place])
        held = row >> SHIFTS[2]
        changed = row ^ (held << SHIFTS[2]) | other(held, body.slots) << SHIFTS[2]
        yield "wire behind a group", with_row(place, changed)
    for k in random.permutation(len(body.control_wires)).tolist():
        wires, polarity = body.control_wires.copy(), body.control_polarity.copy()
        wires[k] = other(int(wires[k]), body.slots)
        polarity[k] ^= 1
        yield "control", replace(code, body=replace(body, control_wires=wires))
        yield "polarity", replace(code, body=replace(body, control_polarity=polarity))


def rows_of(rows: np.ndarray) -> tuple[list[int], list[int]]:
    """Places of rows, and of what stands behind the first row of a group."""
    heads, behind, place = [], [], 0
    while place < len(rows) - 1:  # the last one ends the code
        form = int(rows[place]) >> 2 & 31
        more = 1 if form in (FULL, UNFULL) else int(rows[place]) >> SHIFTS[2]
        more = more if form in (FULL, UNFULL, MAJ, UMA) else 0
        heads.append(place)
        behind += range(place + 1, place + 1 + more)
        place += 1 + more
    return heads, behind


# --- fused ----------------------------------------------------------------------------------------


PROMISES = {
    layout.FREE: layout.FREE_NOT,
    layout.FREE_NOT: layout.FREE,
    layout.ROLE: layout.ROLE_NOT,
    layout.ROLE_NOT: layout.ROLE,
}


def fused_mutants(code: Code, random: np.random.Generator) -> Iterator[Mutant]:
    """One number of a schedule altered, of each kind where there is one."""
    body = code.body
    assert isinstance(body, Fused)
    plan = body.plan

    def changed(**arrays: np.ndarray) -> Code:
        return replace(code, body=Fused(replace(plan, **arrays)))

    def with_number(at: int, value: int) -> Code:
        numbers = plan.code.copy()
        numbers[at] = value
        return changed(code=numbers)

    at = 0
    while at < len(plan.code):
        kind, count = plan.code[at : at + 2].tolist()
        reads, writes, numbers = layout.READS[kind], layout.WRITES[kind], layout.NUMBERS[kind]
        shape, ends = (reads, writes, numbers), layout.ENDS[kind]
        alike = [k for k in range(layout.KINDS) if k != kind and shape_of(k) == shape_of(kind)]
        if kind in PROMISES:  # of a value or of its complement
            alike = [PROMISES[kind]]
        if alike:
            yield f"kind {kind}", with_number(at, int(random.choice(alike)))
        row = at + 2 + ends + int(random.integers(count)) * sum(shape)
        for k in range(reads + writes):
            old, word = int(plan.code[row + k]), "read" if k < reads else "written"
            new = int((old + random.integers(1, max(2, plan.slots))) % plan.slots)
            yield f"slot {word} by kind {kind}", with_number(row + k, new)
        if numbers:
            limit = code.erased if kind == layout.COUNT else code.tallies
            number = int((plan.code[row + reads] + 1) % limit)
            if limit > 1:
                yield f"counter of kind {kind}", with_number(row + reads, number)
        at += 2 + 2 * ends + count * sum(shape)
    for name in ("results_flipped", "erased_flipped", "tallied_flipped"):
        flags = getattr(plan, name)
        for k in range(flags.size):
            flipped = flags.copy()
            flipped.flat[k] ^= 1
            yield name, changed(**{name: flipped})
    for name, limit in (("loaded", len(code.writes)), ("results", plan.slots)):
        held = getattr(plan, name)
        for k in range(len(held)):
            moved = held.copy()
            moved[k] = (moved[k] + 1) % limit
            yield name, changed(**{name: moved})
    for k in range(len(plan.changed)):
        yield (
            "a port that is not stored",
            changed(
                changed=np.delete(plan.changed, k),
                results=np.delete(plan.results, k),
                results_flipped=np.delete(plan.results_flipped, k),
            ),
        )


def shape_of(kind: int) -> tuple[int, int, int, int]:
    return layout.READS[kind], layout.WRITES[kind], layout.NUMBERS[kind], layout.ENDS[kind]


# --- both -----------------------------------------------------------------------------------------

MUTANTS = {"literal": literal_mutants, "fused": fused_mutants}


@cache
def truths() -> list[Truth]:
    """Random programs on 513 rows at two positions, judged."""
    found = []
    for seed in range(PROGRAMS):
        random = np.random.default_rng(seed)
        definition = program(random, sound=seed % 2 == 0)
        found.append(judged(random_case(definition, random, 513, 2)))
    return found


@pytest.mark.parametrize("executor", MUTANTS)
def test_wrong_code_is_noticed(executor: str) -> None:
    """Some of each kind of mistake, more than half of all: the others change nothing that anything
    depends on (a promise that holds is left out, a value is read that is the same)."""
    seen: Counter[str] = Counter()
    noticed: Counter[str] = Counter()
    for number, truth in enumerate(truths()):
        case, way = truth.case, Way(executor)
        code = find_restored(compile_code(case.definition, case.inverse, executor), case.definition)
        assert not list(differences(truth, code, way))
        here: Counter[str] = Counter()
        for kind, mutant in MUTANTS[executor](code, np.random.default_rng(number)):
            here[kind] += 1
            if here[kind] <= PER_KIND:
                seen[kind] += 1
                noticed[kind] += any(True for _ in differences(truth, mutant, way))
    assert len(seen) > 20 and sum(seen.values()) > 500
    assert sum(noticed.values()) > 0.5 * sum(seen.values())
    assert not [kind for kind, n in seen.items() if n > 3 and noticed[kind] < n / 8]
