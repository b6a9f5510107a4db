"""The choice of executor by every verb: the same figures, said which ran, remembered, refused."""

import json
from pathlib import Path

import numpy as np
import pytest

import revsim as rs
from revsim.cli import main
from revsim.errors import InputError
from revsim.reproduction import reproduce
from revsim.simulator.executors import EVERY_GATE, EXECUTORS, Evaluated, executor_named
from revsim.warmup import small_convolution

CIRCUIT = Path(__file__).resolve().parents[1] / "circuits" / "relu8.qasm"
EVALUATED = ("executor", "gate_evaluations", "equivalent_gates")
CHOSEN = pytest.mark.parametrize("executor", EXECUTORS)


@pytest.fixture
def said(capsys):
    """Run a command line that must succeed in silence but for standard output; returns that."""

    def say(*arguments):
        assert main([str(a) for a in arguments]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return say


@pytest.fixture
def refused(capsys):
    """Run a command line that must end in one message; returns that."""

    def refuse(*arguments):
        assert main([str(a) for a in arguments]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and len(err) <= 300
        return err

    return refuse


def gates_of(report):
    """Gates times rows of all runs of a report in JSON, from its counts of gates."""
    gates = sum(run["total"]["gates"]["gates"] for run in report["runs"])
    return gates * report["ensemble"]["rows"]


@CHOSEN
def test_verify_says_which_ran_and_finds_the_same(executor, said):
    plain, report = (
        json.loads(said("verify", "toy", "--json", *more))
        for more in ((), ("--executor", executor))
    )
    ran = report["provenance"]
    assert ran["executor"] == executor and ran["argv"][-2:] == ["--executor", executor]
    assert ran["gate_evaluations"] + ran["equivalent_gates"] == gates_of(report)
    assert (ran["equivalent_gates"] == 0) == (executor in EVERY_GATE)
    assert {**plain, "provenance": 0} == {**report, "provenance": 0}
    text = said("verify", "toy", "--executor", executor)
    assert f"\nexecutor {executor}: {ran['gate_evaluations']:,} gate evaluations" in text


@CHOSEN
def test_python_remembers_the_executor_and_is_reproduced_in_any(executor, tmp_path, said):
    report = rs.verify("toy", policy="uncompute", executor=executor)
    assert report.provenance["argv"][-3:] == ["--executor", executor, "--json"]
    assert (
        f"executor {executor}: " in str(report) and f"executor {executor}: " in report._repr_html_()
    )
    report.to_json(tmp_path / "report.json")
    path = tmp_path / "report.json"
    assert reproduce(path).equal
    for other in EXECUTORS:
        assert reproduce(path, executor=other).executors == (executor, other)
        text = said("reproduce", path, "--executor", other)
        assert f" ({executor}) then, " in text and f" ({other}) now\n" in text
        assert "equal: all " in text


@CHOSEN
def test_a_graph_in_every_executor(executor):
    graph = small_convolution()
    rows = rs.random_rows([0] * 6, [15] * 6, 70, 0)
    literal, chosen = (
        rs.verify(graph, rows, policy="uncompute", executor=e) for e in (None, executor)
    )
    assert chosen.holds and chosen.evaluated.executor == executor
    found = [{**report.as_dict(), "provenance": 0} for report in (literal, chosen)]
    assert found[0] == found[1]


@CHOSEN
def test_run_table_explain_and_energy(executor, said, tmp_path):
    np.save(tmp_path / "x.npy", [[-3], [5], [127]])
    files = "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy"
    ran = json.loads(said("run", CIRCUIT, *files, "--executor", executor, "--json"))
    assert ran["executor"] == executor and np.load(tmp_path / "y.npy").ravel().tolist() == [
        0,
        5,
        127,
    ]
    assert f" gate evaluations ({executor}) -> " in said(
        "run", CIRCUIT, *files, "--executor", executor
    )
    tables = [
        json.loads(said("table", CIRCUIT, "--json", *more))
        for more in ((), ("--executor", executor))
    ]
    assert tables[1]["executor"] == executor
    for table in tables:
        for name in EVALUATED:
            del table[name]
    assert tables[0] == tables[1]
    for verb in (("explain", "xor", "--layer", "1", "--neuron", "1"), ("energy", "xor")):
        assert said(*verb) == said(*verb, "--executor", executor)


@CHOSEN
def test_options_that_take_more_runs(executor, said):
    for more in (
        ("toy", "--tuned-to", "random:99", "--seed", "3"),
        ("toy", "--ensemble", "random:90", "--stream", "--policy", "bennett"),
        ("toy", "--ensemble", "random:90", "--population", "--policy", "uncompute"),
    ):
        found = [json.loads(said("verify", *more, "--json"))]
        found.append(json.loads(said("verify", *more, "--executor", executor, "--json")))
        assert {**found[0], "provenance": 0} == {**found[1], "provenance": 0}


@pytest.mark.parametrize(
    "verb",
    [
        ("verify", "xor"),
        ("run", CIRCUIT, "--input", "nowhere.npy", "--output", "y.npy"),
        ("table", CIRCUIT),
        ("explain", "xor", "--layer", "1", "--neuron", "1"),
        ("energy", "xor"),
        ("reproduce", "nowhere.json"),
    ],
    ids=lambda verb: verb[0],
)
def test_an_unknown_executor_is_refused_before_any_work(verb, refused):
    message = f"revsim: unknown executor 'gpu'; choose one of {', '.join(EXECUTORS)}\n"
    assert refused(*verb, "--executor", "gpu") == message


def test_python_refuses_unknown_executors():
    for call in (
        lambda: rs.verify("xor", executor="gpu"),
        lambda: rs.explain("xor", layer=1, neuron=1, executor="gpu"),
        lambda: rs.simulate(rs.compile(rs.load("xor")), rs.uniform([0, 0], [1, 1]), executor="gpu"),
        lambda: executor_named("numba"),
    ):
        with pytest.raises(InputError, match="unknown executor"):
            call()


@pytest.mark.parametrize("executor", [e for e in EXECUTORS if e not in EVERY_GATE])
def test_what_takes_every_gate_is_refused_by_name(executor, refused):
    message = refused("verify", "xor", "--switching", "--executor", executor)
    assert "switching takes every gate" in message and "choose executor literal" in message


def test_gates_one_by_one_and_gates_covered_are_two_figures():
    both = Evaluated("some", 1_000, 70) + Evaluated("some", 234, 7)
    assert str(both) == "1,234 gate evaluations; the equivalent of 77 more"
    assert str(Evaluated("some", 5)) == "5 gate evaluations"
    assert both.as_dict() == {"executor": "some", "gate_evaluations": 1234, "equivalent_gates": 77}
