"""Peers of `revsim bench`: the same bits out of each, and what is said where there is none."""

import shutil
import sys
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest

from revsim.bench.goals import Asked
from revsim.bench.lists import adder_chain, linear_list, random_list
from revsim.bench.peers import abc, bounds, compiled, logic, quantum, ready, rows
from revsim.bench.peers.compare import Case, against, attempt, passes_of
from revsim.bench.peers.follow import follow
from revsim.bench.peers.ready import Absent, command, ours
from revsim.bench.peers.straight_line import c_text, verilog_text
from revsim.bench.peers.turns import side_by_side
from revsim.bench.rows import Point, Row
from revsim.bench.runs import lanes_of, random_state
from revsim.circuit.builder import Builder
from revsim.circuit.program import gates_below
from revsim.errors import CheckError

WIRES = 9
LIST = random_list(WIRES, 120, seed=5)
TABLE = LIST.body[0].table


def judged(start, definition=LIST, passes=1):
    """The bits after, by the plain executor."""
    state = start.copy()
    for _ in range(passes):
        lanes_of(definition, start.shape[1], "numpy", state=state)()
    return state


def first_lane(words):
    return (words[:, 0] & np.uint64(1)).astype(bool)


def installed(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(module)


def has(*programs):
    return pytest.mark.skipif(not any(map(shutil.which, programs)), reason=f"no {programs[0]}")


# --- lists in other forms -------------------------------------------------------------------------


def test_gates_as_operators_mean_what_the_plain_executor_does():
    start = random_state(WIRES, 3)
    assert (np.array(follow(TABLE, list(start))) == judged(start)).all()


def test_numpy_rows_and_our_readable_executor_give_the_same_bits():
    start = random_state(WIRES, 3)
    for made in (logic.numpy_rows(TABLE, start), logic.readable(LIST, start)):
        assert (made.out == judged(start)).all() and (made.start == start).all()
    assert (logic.numpy_rows(TABLE, start, passes=3).out == judged(start, passes=3)).all()


def test_a_gate_that_no_list_has_is_refused():
    builder = Builder("swap")
    builder.swap(*builder.port("x", 2))
    with pytest.raises(ValueError, match="swap is in none of these lists"):
        follow(builder.build().body[0].table, [True, False])


def test_straight_line_texts_of_three_gates():
    table = np.array([[2, 0, 1, 2, 0, 0], [1, 2, -1, 0, 0, 0], [0, -1, -1, 1, 0, 0]])
    assert "V t1 = x2 ^ t0;\nV t2 = x0 ^ t1;\nV t3 = ~x1;\ny[0] = t2;" in c_text(table, 3)
    assert "assign y1 = t3;\nassign y2 = t1;" in verilog_text(table, 3)


def value_of(aig, state):
    """Next latches and the output of a binary AIGER file, from latches (bool [latches])."""
    header, rest = aig.split(b"\n", 1)
    _, inputs, latches, _, ands = map(int, header.split()[1:])
    *lines, rest = rest.split(b"\n", latches + 1)
    values = [False, *[False] * inputs, *state.tolist()]
    octets = iter(rest)

    def number():
        total = shift = 0
        for octet in octets:
            total |= (octet & 127) << shift
            shift += 7
            if octet < 128:
                return total

    def literal(n):
        return values[n >> 1] ^ bool(n & 1)

    for _ in range(ands):
        p = 2 * len(values) - number()
        q = p - number()
        values.append(literal(p) and literal(q))
    assert next(octets, None) is None
    *ends, out = (literal(int(line)) for line in lines)
    return np.array(ends), out


def test_aig_steps_as_the_list_and_sees_the_bits_it_waits_for():
    start = random_state(WIRES, 1)
    before, after = first_lane(start), first_lane(judged(start))
    aig = abc.aiger(TABLE, WIRES, before, after)
    latches, out = value_of(aig, np.zeros(WIRES, dtype=bool))
    assert (latches ^ before == after).all() and not out
    again, out = value_of(aig, latches)
    assert (again ^ before == first_lane(judged(start, passes=2))).all() and out
    never = abc.aiger(TABLE, WIRES, before)
    assert not value_of(never, latches)[1]


# --- the peers that are here ----------------------------------------------------------------------


@has("gcc")
def test_gcc_gives_the_same_bits_after_every_pass():
    start = random_state(WIRES, 8)
    module = compiled.gcc(TABLE, WIRES)
    for passes in (2, 6):
        made = module.ready(start, passes)
        assert (made.out == judged(start, passes=passes)).all()
        made.run()
        assert (made.start == start).all()
    with pytest.raises(ValueError, match="even number"):
        module.ready(start, 3)


@pytest.mark.slow
@has("verilator")
def test_verilator_gives_the_same_bits():
    module = compiled.verilator(TABLE, WIRES)
    for words, passes in ((1, 1), (1, 4), (3, 2)):
        start = random_state(WIRES, words)
        assert (module.ready(start, passes).out == judged(start, passes=passes)).all()


@has("berkeley-abc", "yosys-abc")
def test_abc_tells_right_bits_from_wrong_ones():
    start = random_state(WIRES, 1)
    before, after = first_lane(start), first_lane(judged(start))
    assert abc.same_bits(TABLE, WIRES, before, after)
    for wire in (0, WIRES - 1):
        wrong = after.copy()
        wrong[wire] = ~wrong[wire]
        assert not abc.same_bits(TABLE, WIRES, before, wrong)


def test_stim_gives_the_same_flips():
    installed("stim")
    definition = linear_list(WIRES, 200)
    for words, passes in ((1, 1), (4, 3)):
        case = Case("3.x", None, "Stim", definition, 64 * words, passes)
        made = rows._frames(case)
        assert (made.out == judged(made.start, definition, passes)).all()


@pytest.mark.parametrize(("module", "adapter"), [("cirq", "cirq"), ("qualtran", "qualtran")])
def test_one_sample_gives_the_same_bits(module, adapter):
    installed(module)
    start = random_state(WIRES, 1) & np.uint64(1)
    made = getattr(quantum, adapter)(TABLE, WIRES, start)
    assert (made.out == judged(start) & np.uint64(1)).all()


def test_pyrtl_gives_the_same_bits():
    installed("pyrtl")
    start = random_state(WIRES, 2)
    assert (logic.pyrtl(TABLE, WIRES, start).out == judged(start)).all()


def test_aigverse_gives_the_same_bits_on_all_inputs():
    installed("aigverse")
    made = logic.aigverse(TABLE, WIRES)
    assert made.start.shape == (WIRES, 8)
    assert (made.out == judged(made.start)).all()


@pytest.mark.parametrize("executor", ["literal", "fused"])
def test_ours_gives_the_same_bits_after_every_pass(executor):
    start = random_state(WIRES, 2)
    for passes in (1, 4):
        assert (ours(LIST, start, passes, executor).out == judged(start, passes=passes)).all()


def test_our_side_of_one_sample_gives_its_bits():
    start = random_state(WIRES, 1) & rows.ONE
    assert (rows._sample(LIST, start).out == judged(start) & rows.ONE).all()


# --- what is compared -----------------------------------------------------------------------------

CASE = Case("6.some", 2.0, "somebody", LIST, 128)


def test_a_row_has_the_ratio_of_times_and_the_figure_a_point():
    theirs = logic.readable(LIST, random_state(WIRES, 2))

    def works():
        ends = time.thread_time() + 0.005
        while time.thread_time() < ends:
            pass

    slow = replace(theirs, run=works)
    row, point = against(CASE, slow)
    assert isinstance(row, Row) and row.holds and row.reached > 2 and "same bits" in row.detail
    assert isinstance(point, Point) and point.peer and point.state_bytes == WIRES * 16
    assert point.rate == pytest.approx(120 * 128 / 0.005, rel=0.5)
    quick = replace(theirs, run=lambda: None)
    assert next(iter(against(CASE, quick))).holds is False
    assert next(iter(against(replace(CASE, goal=None), quick))).holds is None


@has("gcc", "clang", "cc")
def test_a_missed_goal_says_what_bounds_it():
    chain = adder_chain(500)
    theirs = replace(logic.readable(chain, random_state(chain.port_wires, 8)), run=lambda: None)
    for executor, words in (
        ("literal", "an interpreter in C that runs this list gate by gate comes to"),
        ("fused", f"operations are left of {gates_below(chain):,} gates"),
    ):
        case = Case("6.some", 2.0, "somebody", chain, 512, executor=executor)
        assert words in next(iter(against(case, theirs))).detail
    assert 0 < bounds.operations(chain) < gates_below(chain)
    assert bounds.interpreted(LIST, 8) is None  # it has Fredkins


def test_waiting_for_others_does_not_count():
    def waits():
        time.sleep(0.01)

    (seconds,) = side_by_side(waits, budget_s=0.0)
    assert seconds < 0.005


def test_bits_that_differ_are_no_row():
    theirs = logic.readable(LIST, random_state(WIRES, 2))
    wrong = theirs.out.copy()
    wrong[-1, -1] ^= np.uint64(1 << 63)
    with pytest.raises(CheckError, match="disagree"):
        list(against(CASE, replace(theirs, out=wrong)))


def test_short_lists_are_run_several_times_in_a_call():
    assert passes_of(random_list(8, 10_000)) == 104
    assert passes_of(random_list(8, 600_000)) == 1
    assert passes_of(random_list(8, 500_000)) == 2


# --- where there is no peer -----------------------------------------------------------------------


def test_programs_that_are_not_there_fail_or_take_long():
    with pytest.raises(Absent, match="needs no-such-program on the path"):
        command(("no-such-program",), ".")
    with pytest.raises(Absent, match=r"failed: .*boom"):
        command((sys.executable, "-c", "raise SystemExit('boom')"), ".")
    sleeps = "import time; time.sleep(60)"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {sleeps!r}])"
    started = time.perf_counter()
    with pytest.raises(Absent, match="took more than"):
        command((sys.executable, "-c", nested), ".", limit_s=0.3)
    assert time.perf_counter() - started < 5


def test_every_row_is_there_without_any_peer(monkeypatch, tmp_path):
    def nothing(name):
        raise ImportError(name)

    monkeypatch.setattr(ready, "import_module", nothing)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(rows, "GATES", 100)
    monkeypatch.setattr(rows, "LINEAR", ((8, 30), (16, 30), (32, 30)))
    rows._gcc.cache_clear()
    found = [
        row
        for goal in (rows.stim, rows.verilator, rows.gcc, rows.others)
        for row in goal(Asked())
        if isinstance(row, Row)
    ]
    rows._gcc.cache_clear()
    assert len({row.id for row in found}) == len(found)
    measured = [row.id for row in found if row.reached is not None]
    assert measured == [*(f"6.numpy_lanes_{lanes}" for lanes in rows.PYTHON_ROWS), "6.readable"]
    by_id = {row.id: row for row in found}
    assert by_id["3.wires_8_lanes_64"].goal.startswith("at least 12 times the rate of Stim")
    assert by_id["3.wires_8_lanes_64"].detail == "needs stim: python3 -m pip install stim."
    assert by_id["4.build_and_run"].goal.startswith("at least 10,000 times")
    assert by_id["5.fused_mac"].detail == "needs gcc on the path."
    assert by_id["6.abc_adders"].holds is None and "berkeley-abc" in by_id["6.abc_adders"].detail


def test_a_peer_that_fails_is_a_row_without_a_ratio():
    assert attempt(lambda x: x + 1, 2) == 3
    why = attempt(lambda: {}["no such signal"])
    assert isinstance(why, Absent)
    (row,) = against(CASE, why)
    assert row.reached is None and row.holds is None
    assert row.detail == "it failed with KeyError: 'no such signal'."
