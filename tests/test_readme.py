"""The README is true: its code runs, and the commands it names print what it shows."""

import re
from pathlib import Path

import pytest

from revsim.cli import main

README = Path(__file__).resolve().parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
SHOWN = (
    ["verify"],
    ["verify", "digits20", "--ensemble", "uniform", "--policy", "activation_reset"],
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.S | re.M)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    list(zip(SHOWN, blocks("text"), strict=True)),
    ids=[" ".join(arguments) for arguments in SHOWN],
)
def test_every_line_of_output_shown_in_the_readme_is_printed(arguments, shown, capsys):
    command = "revsim " + " ".join(arguments)
    assert command in " ".join(TEXT.split()), "the README must name the command"
    assert main(arguments) == 0
    printed = {line.rstrip() for line in capsys.readouterr().out.splitlines()}
    for line in shown.splitlines():
        if line.strip() not in ("", "..."):
            assert line.rstrip() in printed, line


@pytest.mark.parametrize("code", blocks("python"))
def test_code_in_the_readme_runs(code, capsys):
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("True ")


def test_the_first_two_shell_blocks_are_the_two_commands():
    first, second = blocks("sh")[:2]
    assert "pip install" in first and "revsim verify" in first
    assert "pip install" in second and "pytest" in second


def test_links_in_the_readme_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert target.startswith("http") or (README.parent / target).exists(), target
