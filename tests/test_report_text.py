"""What `verify` prints, as a reader meets it: the answer first, one rule for figures."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import revsim as rs
from revsim.ledger.comparison import READINGS
from revsim.ledger.intervals import wilson
from revsim.network.bundled import bundled_data
from revsim.report.report import Report
from revsim.report.tables import MARKS, WIDTH, number, paragraph, render_text
from revsim.schedule.policy import POLICIES

ASKED: dict[str, Callable[[], Report]] = {
    "xor": lambda: rs.verify("xor", switching=True, temperature_k=4.2, efficiency=0.1),
    "kept": lambda: rs.verify("toy", policy="uncompute", scope="kept"),
    "device": lambda: rs.verify("digits20", policy="neuron_reset", input="keep"),
    "tuned": lambda: rs.verify("toy", policy="bennett", tuned_to=[[0, 0], [1, 1]]),
    "data": lambda: rs.verify("digits", policy="activation_reset"),
    "population": lambda: rs.verify("digits20", policy="uncompute", population="plug_in"),
    "stream": lambda: rs.verify(
        "digits20",
        bundled_data("digits20")[0][:300],
        policy="bennett",
        input="keep",
        stream=True,
    ),
}


@cache
def report_of(name: str) -> Report:
    return ASKED[name]()


def words_of(report: Report) -> str:
    return " ".join(render_text(report).split())


@pytest.mark.parametrize("name", ASKED)
def test_no_sentence_is_broken_at_the_margin(name: str) -> None:
    """Only heads and names begin at the margin; what goes on is indented."""
    text = render_text(report_of(name))
    assert max(map(len, text.splitlines())) <= WIDTH
    heads = (
        "ensemble ",
        "executor ",
        f"{report_of(name).network['name']}: ",
        "given_kept of a cause ",
    )
    for line in text.splitlines():
        if line and not line.startswith((" ", *heads)):
            assert re.match(r"[A-Z0-9]", line), line


@pytest.mark.parametrize("name", ASKED)
def test_the_answer_comes_first_and_names_ledger_reading_and_margin(name: str) -> None:
    report = report_of(name)
    short, _, details = render_text(report).partition("What one inference erases")
    short = " ".join(short.split())
    assert details and "In short" in short and "verified" not in short
    assert f"H(X given Y) = {number(report.H_X - report.H_Y)} of H(X)" in short
    most = max(run.total.reset_count for run in report.runs)
    assert f"{number(most)} by reset_count" in short
    for reading in READINGS:
        assert f"{reading}, " in short
    (like,) = {
        c.margin
        for c in report.runs[0].comparison
        if (c.quantity, c.reading) == ("neuron_entropy", READINGS[0])
    }
    assert like is not None and f"neuron_entropy ({like:+.3f})" in short
    assert ("abstain" in short or "not compared" in short) == bool(report.ensemble["ceiling"])
    assert "FAILS" not in short


@pytest.mark.parametrize("name", ["xor", "data", "device"])
def test_value_reading_and_margin_agree_as_they_are_printed(name: str) -> None:
    report = report_of(name)
    table = render_text(report).partition("Quantity against reading")[2]
    readings = [float(v) for v in re.search(r"the reading +(\S+) +(\S+)", table).groups()]
    rows = re.findall(
        r"^ +(\S+) +([\d.,]+) +(yes|NO|-)(?: \((\S+)\))? +(yes|NO|-)(?: \((\S+)\))? *$", table, re.M
    )
    assert len(rows) >= 7
    for _, value, *found in rows:
        for reading, mark, margin in zip(readings, found[::2], found[1::2], strict=True):
            if mark != "-" and float(value.replace(",", "")) < 1000:
                assert abs(float(value) - reading - float(margin)) < 0.0021
                assert (float(margin) >= 0) == (mark == "yes")


def test_one_rule_for_figures() -> None:
    assert [number(v) for v in (302.8041, 9.56, -2.0964)] == ["302.804", "9.560", "-2.096"]
    assert [number(v) for v in (1570.4, 320.0, 0)] == ["1,570", "320", "0"]


def test_what_does_not_apply_is_one_line_and_no_row() -> None:
    report = report_of("data")
    table = render_text(report).partition("Circuit checks and identities")[2]
    rows, _, left = table.partition("do not apply here: ")
    (run,) = report.runs
    for identity in run.identities:
        assert (f" {identity.id} " in rows) == (identity.holds is not None)
        assert (identity.id in left) == (identity.holds is None)
    assert not re.search(r"^ \S+( \(\w+\))? +- ", rows, re.M)
    whole = rs.verify("toy")
    assert "(applies to 2 of 5 circuits)" in words_of(whole), "bennett, destroyed and kept"


def test_single_rows_are_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "one row: least" in render_text(report_of("xor"))
    monkeypatch.setattr("revsim.verification.POINTWISE_ROWS", 3)
    monkeypatch.setattr("revsim.report.beside.POINTWISE_ROWS", 3)
    text = words_of(rs.verify("xor", policy="bennett"))
    assert "one row: least" not in text
    assert "given_kept of single rows is recorded up to 3 rows, and here are 4." in text


def test_the_order_of_erasures_is_printed_with_what_depends_on_it() -> None:
    text = words_of(report_of("xor"))
    assert "given_kept of a cause depends on the order of erasures" in text
    for run in report_of("xor").runs:
        assert f"{run.policy}: {POLICIES[run.policy].order}" in text


def test_registers_that_beat_the_paper_by_width_say_so() -> None:
    report = report_of("data")
    widths = [r[6] for r in report.erasures.rows if r[3] == "activation"]
    text = words_of(report)
    assert f"not like with like: what neurons swapped out, up to {max(widths)} bits each" in text
    assert "registers are wider than the one-bit states that the paper counts" in text


def test_held_out_rows_have_their_wilson_interval() -> None:
    report = report_of("data")
    assert report.accuracy is not None
    held = report.accuracy["held_out"]
    low, high = wilson(round(held["share"] * held["rows"]), held["rows"])
    assert low < held["share"] < high
    assert f"(95% interval {float(low):.1%} to {float(high):.1%})" in words_of(report)


def test_each_condition_is_stated_with_who_breaks_it() -> None:
    report = report_of("device")
    text = words_of(report)
    for condition in report.conditions:
        broken = len(condition.breaks)
        assert (
            f"{condition.statement}; {f'broken by {broken} of 12' if broken else 'holds'}" in text
        )
        assert all(name in text for name in condition.breaks)


def test_a_failure_stands_in_the_answer_and_by_run_at_the_end() -> None:
    report = report_of("kept")
    (run,) = report.runs
    wrong = replace(run.circuit_checks[0], holds=False, detail="row 3 differs")
    broken = replace(run, circuit_checks=(wrong, *run.circuit_checks[1:]))
    text = words_of(replace(report, runs=(broken,)))
    assert "A circuit check or an identity FAILS: see the end." in text
    assert "outputs NO row 3 differs" in text
    assert text.endswith("uncompute, destroy: outputs FAILS: row 3 differs")


def test_a_stream_is_a_third_reading() -> None:
    text = words_of(report_of("stream"))
    assert "Reading 3, rows follow each other: changed neurons in the stream, " in text


def test_a_network_without_neurons_says_that_the_counts_do_not_apply() -> None:
    weights = [np.array([[1, -1], [0, 1]])]
    net = rs.from_arrays(weights, input_range=(0, 1), output="argmax")
    text = words_of(rs.verify(net, policy="bennett"))
    assert "This network has no neurons, so the paper's counts do not apply." in text
    assert "Quantity against reading" not in text


def test_html_says_the_same_as_the_text() -> None:
    html = re.sub(r"<[^>]*>", "", report_of("xor")._repr_html_())
    for words in ("In short", "Least heat at 4.2 K", "Quantity against reading", MARKS[True]):
        assert words in html
    assert "Reading 1, every neuron is reset: active neurons, 1.000" in " ".join(html.split())


def test_formulas_are_not_torn() -> None:
    text = paragraph("word " * 14 + "H(X given Y) follows").plain
    assert "H(X given Y)" in text and len(text.splitlines()) == 2
