"""Every experiment runs, says what came out in one sentence, and fits the page."""

import json
from pathlib import Path

import pytest
from outcomes import outcome_of

from revsim.cli import main
from revsim.experiments import registry
from revsim.experiments.experiment import as_dict, figure_of
from revsim.experiments.registry import NAMES, experiment
from revsim.experiments.text import render, render_list
from revsim.report.tables import WIDTH

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def test_numbers_follow_the_order_of_names() -> None:
    numbers = [experiment(name).number for name in NAMES]
    assert numbers == sorted(set(numbers))
    assert [experiment(name).name for name in NAMES] == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_outcome_is_complete_and_fits(name: str) -> None:
    found, outcome = experiment(name), outcome_of(name)
    text = render(found, outcome)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "…" not in text, "a table is cut off"
    assert outcome.tables and outcome.numbers
    assert outcome.sentence.endswith(".") and len(outcome.sentence) <= 300
    for table in outcome.tables.values():
        assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
    json.dumps(as_dict(found, outcome), allow_nan=False)


@pytest.mark.parametrize("name", NAMES)
def test_outcome_stands_in_the_readme(name: str) -> None:
    number, outcome = experiment(name).number, outcome_of(name)
    holds = {True: "yes", False: "no", None: "-"}[outcome.holds]
    row = f"| {number} | `revsim experiment {name}` | {holds} | {outcome.sentence} |"
    assert row in README.splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_figure_has_labels(name: str) -> None:
    figure = figure_of(experiment(name), outcome_of(name))
    axes = [a for a in figure.axes if a.axison and a.get_label() != "<colorbar>"]
    assert axes
    for a in axes:
        assert a.get_xlabel() or a.get_xticklabels(), a.get_title()
        assert a.get_ylabel() or a.get_yticklabels(), a.get_title()


def test_list_has_a_line_for_each_and_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment", "list"]) == 0
    printed = capsys.readouterr().out
    assert printed == render_list([experiment(name) for name in NAMES])
    assert all(len(line) <= WIDTH for line in printed.splitlines())


def test_all_of_them_make_the_folder_they_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "NAMES", ("temperature",))
    for _ in range(2):  # the second time it is there
        assert main(["experiment", "all", "--folder", str(tmp_path / "new")]) == 0
    written = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert written == ["temperature.json", "temperature.png"]


def test_an_unknown_name_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment", "perpetuum_mobile"]) == 2
    said = capsys.readouterr().err
    assert "perpetuum_mobile" in said and len(said.splitlines()) == 1
