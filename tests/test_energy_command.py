"""`revsim energy`, and wall energy in `verify`: what they print, and what they refuse."""

import json
from pathlib import Path

import pytest

from revsim.cli import main
from revsim.physics.adiabatic import ramp_energy
from revsim.physics.cooling import wall_energy
from revsim.physics.families import FAMILIES
from revsim.physics.landauer import energy_j, negentropy_j_per_k
from revsim.physics.reference import NOT_FOUND
from revsim.pipeline import verify
from revsim.report.tables import WIDTH, render_text


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments]) == 0
    return capsys.readouterr().out


def test_the_ladder_fits_the_page_and_names_its_sources(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = said(capsys, "energy", "--recalled")
    assert max(map(len, printed.splitlines())) <= WIDTH
    assert "…" not in printed
    for word in ("one bit at 300 K", "brain, per spike", "H100 fp8 MAC", "recall", "Horowitz"):
        assert word in printed
    assert all(word in " ".join(printed.split()) for word in NOT_FOUND)
    assert "int8 multiply, 7 nm" not in said(capsys, "energy")


def test_json_holds_bits_heat_wall_and_rungs(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--bits", "8", "--temperature", "4.2", "--efficiency", "0.155", "--json")
    found = json.loads(said(capsys, "energy", *options))
    assert found["erased"]["joules"] == energy_j(8, 4.2)
    assert found["erased"]["negentropy_j_per_k"] == negentropy_j_per_k(8)
    assert found["erased"]["wall_joules"] == pytest.approx(8 * 1.830332390238e-20, rel=1e-12, abs=0)
    rungs = {r["name"]: r for r in found["rungs"]}
    assert rungs["one bit at 4.2 K"]["times_k_t_ln2"] == 1
    assert all({"source", "status", "year"} <= r.keys() for r in found["rungs"])
    plain = json.loads(said(capsys, "energy", "--json"))
    assert plain["erased"]["wall_joules"] is None


def test_a_network_takes_its_place_on_the_ladder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    figure = tmp_path / "ladder.svg"
    found = json.loads(said(capsys, "energy", "xor", "--json", "--plot", str(figure)))
    joules = {r["name"]: r["joules"] for r in found["rungs"]}
    paper = verify("xor", policy="activation_reset").runs[0].total
    assert joules["xor, activation_reset"] == energy_j(paper.per_bit)
    assert joules["xor, bennett"] == energy_j(2)
    assert joules["xor, seeing all kept"] == pytest.approx(energy_j(1), rel=1e-9, abs=0)
    assert "activation_reset" in figure.read_text()


def test_the_figure_leaves_recalled_values_out_unless_asked(tmp_path: Path) -> None:
    for options, shown in (((), False), (("--recalled",), True)):
        assert main(["energy", *options, "--plot", str(tmp_path / "f.svg")]) == 0
        assert ("(recalled)" in (tmp_path / "f.svg").read_text()) is shown


def test_wall_energy_of_a_report() -> None:
    report = verify("xor", policy="bennett", temperature_k=4.2, efficiency=0.155)
    energy = report.as_dict()["runs"][0]["energy"]
    assert energy["wall_k"] == 300 and energy["efficiency"] == 0.155
    assert energy["wall_joules"].keys() == energy["joules"].keys()
    for name, heat in energy["joules"].items():
        assert energy["wall_joules"][name] == wall_energy(heat, 4.2, 0.155)
    assert energy["wall_joules"]["per_bit"] == pytest.approx(
        2 * 1.830332390238e-20, rel=1e-12, abs=0
    )
    text = render_text(report)
    assert "At the wall (300 K), cooled to 4.2 K at 0.155 of Carnot" in text
    assert "1.914e-23" in text and "3.661e-20" in text
    assert "At the wall" not in render_text(verify("xor", policy="bennett"))
    assert "wall_joules" not in verify("xor", policy="bennett").as_dict()["runs"][0]["energy"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("verify", "xor", "--temperature", "4", "--efficiency", "0"),
            "in 1e-09..1, got 0",
        ),
        (("verify", "xor", "--temperature", "4", "--efficiency", "1.2"), "got 1.2"),
        (("verify", "xor", "--temperature", "0", "--efficiency", "0.1"), "1e-12..1e+12 K"),
        (("verify", "xor", "--temperature", "310", "--efficiency", "0.1"), "310 K"),
        (("energy", "--temperature", "-1"), "1e-12..1e+12 K"),
        (("energy", "--efficiency", "nan"), "must lie in 1e-09..1"),
        (("energy", "--bits", "-3"), "number of bits"),
        (("energy", "nothing_of_that_name"), "nothing_of_that_name"),
        (("energy", "--plot", "ladder.txt"), "ladder.txt"),
        (("energy", "--plot", "no/such/folder/f.png"), "no folder"),
    ],
)
def test_bad_input_is_one_message(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments]) == 2
    message = capsys.readouterr().err
    assert words in message and len(message.splitlines()) == 1


CIRCUITS = Path(__file__).resolve().parents[1] / "circuits"


def test_a_circuit_family_by_family(capsys: pytest.CaptureFixture[str]) -> None:
    circuit = str(CIRCUITS / "half_adder_erasing.qasm")
    printed = said(capsys, "adiabatic", circuit, "--family", "2lal")
    assert max(map(len, printed.splitlines())) <= WIDTH and "…" not in printed
    assert "erases" in printed and "no bijection" in printed
    found = json.loads(said(capsys, "adiabatic", circuit, "--tick", "1e-7", "--json"))
    families = {f["name"]: f for f in found["families"]}
    assert families.keys() == FAMILIES.keys()
    assert families["2lal"]["broken"]["C3"] == 2 and "C3" not in families["retractile"]["broken"]
    cells = found["width"] * found["levels"]
    for name, interval in (("2lal", 4e-7), ("s2lal", 8e-7)):
        energy = families[name]["energy"]
        assert families[name]["interval_s"] == pytest.approx(interval)
        assert families[name]["cells"] == cells
        ramp = 2 * cells * ramp_energy(1e4, 1e-15, 1, 1e-7)
        assert energy["ramp_j"] == pytest.approx(ramp, rel=1e-9, abs=0)
        assert energy["leak_j"] == pytest.approx(cells * 1e-12 * interval, rel=1e-9, abs=0)
    assert families["aqfp"]["energy"] is None


def test_flips_and_erased_bits_of_a_network_are_simulated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--policy", "activation_reset", "--switching", "--json")
    found = json.loads(said(capsys, "adiabatic", "xor", *options))
    run = verify("xor", policy="activation_reset", switching=True).runs[0]
    assert run.switching is not None
    energy = found["families"][0]["energy"]
    assert found["families"][0]["name"] == "retractile"
    flips = sum(run.switching.values())
    assert energy["ramp_j"] == pytest.approx(
        flips * ramp_energy(1e4, 1e-15, 1, 1e-8), rel=1e-9, abs=0
    )
    assert all(
        f["energy"]["erase_j"] == pytest.approx(energy_j(run.total.per_bit), rel=1e-9, abs=0)
        for f in found["families"]
        if f["energy"]
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tick", "0"), "ramp time"),
        (("--leakage", "-1"), "leakage power"),
        (("--family", "scrl"), "no sourced phase table"),
        (("--family", "ttl"), "retractile, 2lal"),
        (("--switching",), "is for networks"),
    ],
)
def test_bad_input_to_adiabatic_is_one_message(
    options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["adiabatic", str(CIRCUITS / "relu8.qasm"), *options]) == 2
    message = capsys.readouterr().err
    assert words in message and len(message.splitlines()) == 1
