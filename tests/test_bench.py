"""`revsim bench`: rows and medians, machine and load, text, JSON, the figure, what is refused.

Nothing here says how fast anything is.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from revsim.bench import goals, text
from revsim.bench.goals import GOALS, Asked, Bench, numbers_of, run_goals
from revsim.bench.machine import Load, is_quiet, machine
from revsim.bench.roofline import WIDTHS, roofline
from revsim.bench.rows import Point, Row, at_least, at_most, known, medians, missing
from revsim.cli import main
from revsim.errors import InputError
from revsim.simulator.lanes import aligned

QUIET = {"load_at_start": 0.0, "load_at_end": 0.9, "others": 0.01}
BUSY = {"load_at_start": 3.0, "load_at_end": 3.0, "others": 1.5}
MACHINE = {
    "processor": "a processor", "architecture": "x86_64", "cores": 2, "vector_bits": 512,
    "caches": {"L1": 32768, "L2": 1 << 20, "L3": 1 << 25}, "memory_bytes": 1 << 34,
    "system": "Linux 6", "versions": {"revsim": "0", "numpy": "2"}, "clock_ghz": 3.7,
    "compiler": None, "load": QUIET,
}  # fmt: skip
ROWS = (
    at_least("1.words_8", 0.75, "of the C interpreter's rate", 0.9, "24 KiB: 0.90", "C"),
    at_most("12.gates_time", 2.2, "times the time", 2.5, "times 2.50"),
    known("8.joint", "samples/s", 1e9, "four wires"),
    missing("3.stim", "at least 12 times Stim", "pip install stim", "Stim"),
)
POINTS = (
    Point("literal, 8 words a wire", 1 << 15, 2e11),
    Point("literal, 8 words a wire", 1 << 18, 1e11),
    Point("interpreter in C, 8 words a wire", 1 << 15, 3e11),
    Point("Verilator", 1 << 12, 2e11, equivalent=True, peer=True),
)


# --- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reached", "holds"), [(1.9, False), (2.0, True), (2.1, True)])
def test_a_goal_holds_from_its_number_on(reached, holds):
    assert at_least("4.flat", 2.0, "times", reached, "").holds is holds


@pytest.mark.parametrize(("reached", "holds"), [(1.9, True), (2.0, True), (2.1, False)])
def test_a_limit_holds_up_to_its_number(reached, holds):
    assert at_most("4.flat", 2.0, "times", reached, "").holds is holds


def test_what_has_no_goal_or_was_not_measured_neither_holds_nor_fails():
    assert known("8.a", "samples/s", 1.0, "").holds is None
    row = missing("3.stim", "at least 12", "pip install stim", "Stim")
    assert row.holds is None and row.reached is None and row.number == 3


def test_medians_take_turns():
    order = []
    found = medians(
        lambda: order.append("a"), lambda: order.append("b"), budget_s=0.0, least=3, most=3
    )
    assert order == ["a", "b"] * 4  # one turn is not timed
    assert len(found) == 2 and min(found) > 0


def test_there_are_as_many_turns_as_fit_and_an_odd_number():
    calls = []
    medians(lambda: calls.append(1), budget_s=0.0, least=4, most=9)
    assert len(calls) == 1 + 5
    calls.clear()
    medians(lambda: calls.append(1), budget_s=60.0, least=1, most=9)
    assert len(calls) == 1 + 9


def test_every_goal_names_a_function_that_is_there():
    from importlib import import_module

    for goal in GOALS.values():
        assert callable(getattr(import_module(f"revsim.bench.{goal.module}"), goal.function))


def test_numbers_are_taken_once_in_the_order_given():
    assert numbers_of("12, 2,12") == (12, 2)
    assert numbers_of(None) == tuple(GOALS)


# --- machine --------------------------------------------------------------------------------------


def test_the_machine_is_described():
    about = machine()
    assert about["cores"] >= 1 and about["processor"]
    assert list(about["caches"]) == sorted(about["caches"])
    json.dumps(about, allow_nan=False)


def test_own_work_is_no_load():
    load = Load()
    medians(lambda: np.sort(np.random.default_rng(0).random(100_000)), budget_s=0.3)
    others = load.ended()["others"]
    assert others is None or others >= 0


@pytest.mark.parametrize(
    ("load", "quiet"),
    [
        (QUIET, True),
        (BUSY, False),
        ({"load_at_start": 0.0, "load_at_end": 5.0, "others": None}, True),
        ({"load_at_start": 3.0, "load_at_end": 0.0, "others": None}, False),
        ({"load_at_start": None, "load_at_end": None, "others": None}, True),
    ],
)
def test_when_a_machine_is_quiet(load, quiet):
    assert is_quiet(load) is quiet


# --- kernels in C ---------------------------------------------------------------------------------


@pytest.mark.parametrize("words", WIDTHS)
def test_the_interpreter_in_c_evaluates_toffolis(words):
    kernels = roofline()
    if kernels is None:
        pytest.skip("no C compiler")
    random = np.random.default_rng(words)
    gates = np.array([random.permutation(7)[:3] for _ in range(50)], dtype=np.uint32)
    state = aligned(7 * words)
    state[:] = random.integers(0, 1 << 64, 7 * words, dtype=np.uint64)
    expected = state.reshape(7, words).copy()
    for a, b, c in gates:
        expected[c] ^= expected[a] & expected[b]
    kernels.interpret(state, gates, words)
    assert (state.reshape(7, words) == expected).all()


def test_bounds_are_measured():
    kernels = roofline()
    if kernels is None:
        pytest.skip("no C compiler")
    size = 1 << 14
    rates = kernels.streamed(size), kernels.loaded(size), kernels.counted(size), kernels.clock_ghz()
    assert min(rates) > 0


def test_without_a_compiler_the_rows_say_so(monkeypatch):
    from revsim.bench import literal

    monkeypatch.setattr(literal, "roofline", lambda: None)
    rows = list(literal.interpreted(Asked()))
    assert [row.holds for row in rows] == [None] * len(WIDTHS)
    assert all("gcc" in row.detail for row in rows)


# --- text, JSON, figure ---------------------------------------------------------------------------


@pytest.fixture
def measured(monkeypatch):
    """A run that takes no time: one row of each kind."""

    def run(numbers, asked, waiting, found):
        for row in ROWS:
            found(row)
        return Bench(MACHINE, ROWS, POINTS)

    monkeypatch.setattr(goals, "run_goals", run)
    monkeypatch.setattr(text, "GOALS", dict.fromkeys((1, 3, 8, 12), GOALS[1]))


def test_text_is_80_columns_wide_and_says_what_is_missed(measured, capsys):
    assert main(["bench"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and max(map(len, out.splitlines())) <= 80
    assert "1 of 2 goals reached; missed: 12.gates_time; not measured here: 3.stim." in out
    assert "words 8                                          0.9   yes" in out
    assert "WARNING" not in out


def test_a_busy_machine_is_warned_of(measured, monkeypatch, capsys):
    monkeypatch.setitem(MACHINE, "load", BUSY)
    main(["bench"])
    assert "WARNING" in capsys.readouterr().out


def test_json_has_machine_and_rows(measured, capsys):
    assert main(["bench", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["machine"]["cores"] == 2
    assert list(found["rows"][0]) == ["id", "goal", "reached", "holds", "peer", "detail"]
    assert [row["holds"] for row in found["rows"]] == [True, False, None, None]
    assert len(found["points"]) == len(POINTS) and found["quiet"] is True


def test_the_figure_shows_every_series_and_cache(measured, tmp_path):
    path = tmp_path / "bench.png"
    assert main(["bench", "--json", "--plot", str(path)]) == 0
    assert path.stat().st_size > 10_000
    from revsim.bench.figure import draw

    (axes,) = draw(Bench(MACHINE, ROWS, POINTS)).axes
    labels = axes.get_legend_handles_labels()[1]
    assert "Verilator (equivalent)" in labels and len(labels) == 3
    assert {t.get_text() for t in axes.texts} == {"L1 32 KiB", "L2 1 MiB", "L3 32 MiB"}


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--only", "99"), "--only 99: there is no such row"),
        (("--only", ""), "there is no such row"),
        (("--only", "1;2"), "there is no such row"),
        (("--models", "/nowhere/at/all"), "there is no such folder"),
        (("--plot", "figure.txt"), "end the name in one of"),
        (("--plot", "/nowhere/at/all/figure.png"), "there is no folder"),
    ],
)
def test_usage_is_refused_in_one_line(arguments, words, capsys):
    assert main(["bench", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and err.count("\n") == 1 and len(err) < 300


# --- one real row ---------------------------------------------------------------------------------


def test_a_real_row_from_end_to_end(capsys):
    assert main(["bench", "--only", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] and all(row["id"].startswith("2.") for row in found["rows"])
    assert all(row["reached"] > 0 for row in found["rows"] if row["reached"] is not None)
    assert found["machine"]["load"].keys() == QUIET.keys()


def test_rows_are_told_as_they_are_found(monkeypatch):
    told = []
    monkeypatch.setitem(GOALS, 99, goals.Goal("none", "literal", "unknown"))
    from revsim.bench import literal

    monkeypatch.setattr(literal, "unknown", lambda asked: iter((*ROWS[:2], POINTS[0])), False)
    bench = run_goals([99], Asked(), found=told.append)
    assert told == list(ROWS[:2]) == list(bench.rows) and bench.points == POINTS[:1]
    assert bench.missed == (ROWS[1],)
    with pytest.raises(InputError, match="no such folder"):
        Asked(models=Path("/nowhere"))


def test_a_row_is_a_plain_value():
    assert Row("1.a", "g", 1.0, True, "", "d") == Row("1.a", "g", 1.0, True, "", "d")
