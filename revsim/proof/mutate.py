"""Mutation: does a wrong gate show? Every single-gate mutant, run on all inputs as lanes.

A mutant is *noticed* when, on some row, a result differs (`value`), a wire is released while not 0
(`ancilla`), a gate's promise about its target breaks (`role`), or when what is counted differs:
ones under ERASE, the spectrum of an erased register or of the whole device (`tally`). One that
differs in nothing is *equal* where the rows are all possible inputs, which proves that it is the
same function with the same losses; otherwise it *survives*: these rows cannot tell it apart.

Nothing masks a wrong gate in a circuit of bijections: whatever a mutant does differently on a row
is still there at the end, in a result or in a wire that should be 0. So without an ERASE behind it
a mutant is equal or survives only where its gate does the same on every state that reaches it, such
as a Toffoli one of whose controls is 1 whenever the other is: then a smaller gate would have done.

Gates before a mutant run once and are shared, so a mutant costs only what follows it. All mutants
first meet a sample of rows; those that give no wrong value there meet all of them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Circuit, Controls, Definition
from revsim.circuit.gates import ERASE, OP, TALLY
from revsim.circuit.packed import Rows, pack
from revsim.circuit.program import control_lists
from revsim.circuit.registers import Wires
from revsim.errors import CheckError
from revsim.proof.mutants import LONGEST, Mutant, mutant_text, mutants_of
from revsim.proof.subject import Bits, Subject, subject_of_circuit, subject_of_definition
from revsim.simulator.faults import NOTHING
from revsim.simulator.lanes import Words, planes_of
from revsim.simulator.literal import body as literal
from revsim.simulator.literal.body import END_ROW, Literal, encode
from revsim.simulator.statistics import spectrum_of_wires
from revsim.simulator.tally import Spectrum

Integers = npt.NDArray[np.int64]

SAMPLE_WORDS = 8
"""Words of the first pass: one vector, 512 rows."""
PAD = LONGEST - 1
"""Spare rows before the code, so that a longer replacement can end where the old gate ended."""


@dataclass(frozen=True)
class Finding:
    """A mutant that nothing told from the original: row of the gate table, kind, in words."""

    row: int
    kind: str
    description: str


@dataclass(frozen=True)
class MutationReport:
    """What became of all mutants of one subject; `noticed_by` counts the noticed ones by sign."""

    name: str
    gates: int
    rows: int
    exhaustive: bool
    mutants: int
    noticed_by: tuple[tuple[str, int], ...]
    equal: tuple[Finding, ...]
    survivors: tuple[Finding, ...]

    @property
    def noticed(self) -> int:
        """Number of mutants that were noticed."""
        return sum(count for _, count in self.noticed_by)

    def line(self) -> str:
        """The counts as one line of text.

        >>> MutationReport("and", 1, 4, True, 2, (("value", 2),), (), ()).line()
        'and: 2 mutants, 2 noticed, 0 equal, 0 survive'
        """
        return (
            f"{self.name}: {self.mutants} mutants, {self.noticed} noticed, "
            f"{len(self.equal)} equal, {len(self.survivors)} survive"
        )

    def text(self) -> str:
        """The line, what gave the noticed ones away, and every other mutant in words."""
        signs = ", ".join(f"{count} by {sign}" for sign, count in self.noticed_by)
        rows = f"all {self.rows}" if self.exhaustive else str(self.rows)
        lines = [f"{self.line()} ({self.gates} gates, {rows} rows; {signs or 'none noticed'})"]
        lines += [f"  equal on all inputs: row {f.row}, {f.description}" for f in self.equal]
        lines += [f"  survives: row {f.row}, {f.description}" for f in self.survivors]
        return "\n".join(lines)


def mutate_definition(definition: Definition, bits: Bits | None = None) -> MutationReport:
    """All single-gate mutants of a definition.

    bits: bool [rows, wires of the ports that are not promised to be 0]; None tries all inputs.

    >>> from revsim.circuit.builder import Builder
    >>> b = Builder("and"); x, y, t = b.port("x", 1), b.port("y", 1), b.port("t", 1, zero=True)
    >>> b.ccx(x, y, t)
    >>> mutate_definition(b.build()).line()
    'and: 7 mutants, 7 noticed, 0 equal, 0 survive'
    """
    return mutation_report(subject_of_definition(definition, bits))


def mutate_circuit(circuit: Circuit, bits: Bits | None = None) -> MutationReport:
    """All single-gate mutants of a circuit, every call's gates taken one by one.

    bits: bool [rows, wires of the input registers, in order]; None tries all inputs.
    """
    return mutation_report(subject_of_circuit(circuit, bits))


def mutation_report(subject: Subject) -> MutationReport:
    """All single-gate mutants of a subject, judged on its rows.

    Raises CheckError where the original itself releases a wire that is not 0 or breaks a role.
    """
    mutants, lists = mutants_of(subject.table, subject.controls)
    signs = [""] * len(mutants)
    if subject.start.shape[1] > SAMPLE_WORDS:
        sample = _bench(subject, lists, SAMPLE_WORDS)
        signs = _judge(sample, mutants)
    left = [k for k, sign in enumerate(signs) if not sign]
    whole = _bench(subject, lists, subject.start.shape[1])
    for k, sign in zip(left, _judge(whole, [mutants[k] for k in left]), strict=True):
        signs[k] = sign
    found = tuple(
        Finding(m.row, m.kind, mutant_text(m, subject.table, lists, subject.names))
        for m, sign in zip(mutants, signs, strict=True)
        if not sign
    )
    return MutationReport(
        subject.name,
        len({m.row for m in mutants}),
        subject.rows,
        subject.exhaustive,
        len(mutants),
        tuple(sorted(Counter(sign for sign in signs if sign).items())),
        found if subject.exhaustive else (),
        () if subject.exhaustive else found,
    )


# --- running -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Bench:
    """A subject on its first words of rows, ready to run; `tallied`: all rows stand on it."""

    subject: Subject
    code: Rows
    starts: Integers
    control_wires: Wires
    control_polarity: npt.NDArray[np.uint8]
    state: Words
    planes: Words
    erase_rows: Integers
    tally_rows: Integers
    tallied: bool


@dataclass(frozen=True, eq=False)
class _Seen:
    """What can be seen of a run that began at some gate: see `Subject` and the module."""

    values: Words
    broken: int
    ones: Integers
    joint: Integers
    spectra: tuple[Spectrum, ...]


def _bench(subject: Subject, lists: tuple[Controls, ...], words: int) -> _Bench:
    wires, all_words = subject.start.shape
    return _Bench(
        subject,
        np.concatenate([np.zeros(PAD, np.uint64), encode(pack(subject.table), wires)]),
        *control_lists(lists),
        np.ascontiguousarray(subject.start[:, :words]),
        np.ascontiguousarray(planes_of(None, subject.rows, all_words)[:, :words]),
        np.flatnonzero(subject.table[:, OP] == ERASE),
        np.flatnonzero(subject.table[:, OP] == TALLY),
        words == all_words,
    )


def _judge(bench: _Bench, mutants: Sequence[Mutant]) -> list[str]:
    """For each mutant (in order of rows) the sign by which it is noticed, or ""."""
    original = _observe(bench, bench.code, PAD, 0, bench.state.copy())
    if original.broken:
        what = "releases a wire that is not 0" if original.broken & 1 else "breaks a role"
        raise CheckError(f"{bench.subject.name}: the circuit without any mutation {what}")
    rows = [row for mutant in mutants for row in mutant.rows]
    table = np.array(rows, dtype=np.int32).reshape(-1, 6)
    encoded = encode(pack(table), len(bench.state))
    work, state, scratch = bench.code.copy(), bench.state.copy(), np.empty_like(bench.state)
    signs: list[str] = []
    position = used = 0
    for mutant in mutants:
        if mutant.row > position:  # the unmutated gates up to here
            _execute(bench, bench.code[PAD + position : PAD + mutant.row], state)
            position = mutant.row
        last = PAD + mutant.row + 1
        first = last - len(mutant.rows)
        work[first:last] = encoded[used : used + len(mutant.rows)]  # earlier rows are done with
        used += len(mutant.rows)
        scratch[:] = state
        seen = _observe(bench, work, first, mutant.row + 1, scratch)
        signs.append(_sign(bench, original, seen, mutant.row))
    return signs


def _observe(bench: _Bench, work: Rows, first: int, after: int, state: Words) -> _Seen:
    """Run `work` from row `first`, which stands for the table from its row `after` on."""
    tally = (
        np.zeros(len(bench.erase_rows), dtype=np.int64),
        np.zeros((len(bench.tally_rows), 3), dtype=np.int64),
    )
    broken = 0
    spectra = []
    for probe in bench.subject.probes if bench.tallied else ():
        if probe.position >= after:
            broken |= _execute(bench, work[first : PAD + probe.position], state, tally)
            first = PAD + probe.position
            spectra.append(spectrum_of_wires(state, probe.wires, bench.subject.rows, None))
    broken |= _execute(bench, work[first:], state, tally)
    return _Seen(state[bench.subject.watched], broken, *tally, tuple(spectra))


def _execute(
    bench: _Bench, code: Rows, state: Words, tally: tuple[Integers, Integers] | None = None
) -> int:
    """Run rows on `state` in place; bits 0 and 1 of the result: a dirty FREE, a broken role."""
    if len(code) == 0:
        return 0
    wires, words = state.shape
    ones, joint = tally or (
        np.zeros(len(bench.erase_rows), dtype=np.int64),
        np.zeros((len(bench.tally_rows), 3), dtype=np.int64),
    )
    suspect = np.zeros(words, dtype=np.uint8)
    every = np.arange(wires, dtype=np.int32)
    literal.run(
        Literal(
            np.append(code, END_ROW),
            bench.starts,
            bench.control_wires,
            bench.control_polarity,
            wires,
            np.ones(wires, dtype=np.bool_),
        ),
        state,
        every[None],
        every,
        every[:0],
        0,
        words,
        bench.planes,
        ones[:, None],
        joint[:, None],
        suspect,
        NOTHING,
    )
    return int(np.bitwise_or.reduce(suspect))


def _sign(bench: _Bench, original: _Seen, seen: _Seen, row: int) -> str:
    """What tells a mutant of gate `row` from the original; counts of gates before it are shared."""
    if bool(((seen.values ^ original.values) & bench.planes[0]).any()):
        return "value"
    if seen.broken:
        return "ancilla" if seen.broken & 1 else "role"
    if not bench.tallied:  # what a sample counts is not what the whole counts
        return ""
    later = bench.erase_rows >= row
    if bool((seen.ones[later] != original.ones[later]).any()):
        return "tally"
    later = bench.tally_rows >= row
    if bool((seen.joint[later] != original.joint[later]).any()):
        return "tally"
    expected = original.spectra[len(original.spectra) - len(seen.spectra) :]
    return "" if all(map(_same, expected, seen.spectra)) else "tally"


def _same(first: Spectrum, second: Spectrum) -> bool:
    return np.array_equal(first.weight, second.weight) and np.array_equal(first.times, second.times)
