"""`reproduce`: equal to the last bit on any number of threads; hostile reports, one message."""

import json
from pathlib import Path

import numpy as np
import pytest

import revsim as rs
from revsim.cli import main
from revsim.errors import InputError
from revsim.evidence import model_digest
from revsim.network.bundled import bundled
from revsim.network.files import save
from revsim.reproduction import Change, render, reproduce

COMMANDS = (
    ("xor",),
    ("toy", "--temperature", "4.2", "--tuned-to", "random:99", "--scope", "kept", "--switching"),
    ("toy", "--ensemble", "random:100", "--seed", "3", "--population", "chao_shen"),
    ("digits20", "--ensemble", "random:300", "--input", "keep"),
    ("xor", "--ensemble", "product:0.3", "--policy", "bennett"),
    ("digits", "--policy", "activation_reset", "--population"),
)


@pytest.fixture
def made(tmp_path, monkeypatch, capsys):
    """Write a report with `verify --json` and give its path and its values."""
    monkeypatch.chdir(tmp_path)

    def make(*arguments):
        assert main(["verify", *arguments, "--json"]) == 0
        text = capsys.readouterr().out
        Path("report.json").write_text(text)
        return Path("report.json"), json.loads(text)

    return make


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_equal_on_one_thread_and_on_two(arguments, made, capsys):
    path, _ = made(*arguments, "--threads", "1")
    for threads in ("1", "2"):
        assert main(["reproduce", str(path), "--threads", threads]) == 0
        out, err = capsys.readouterr()
        assert err == "" and "equal: all " in out and "revsim verify" in out


def test_json_of_an_equal_report(made, capsys):
    path, report = made("toy", "--policy", "uncompute")
    assert main(["reproduce", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["equal"] is True and found["changes"] == [] and found["compared"] > 200
    assert found["argv"] == report["provenance"]["argv"]
    assert found["argv"] == ["revsim", "verify", "toy", "--policy", "uncompute", "--json"]


def test_one_changed_bit_is_found(made, capsys):
    path, report = made("toy", "--policy", "uncompute")
    value = report["runs"][0]["total"]["per_bit"]
    report["runs"][0]["total"]["per_bit"] = float(np.nextafter(value, 9.0))
    report["runs"][0]["layers"].pop()
    report["accuracy"] = {"rows": 1}
    report["more"] = [[]]
    path.write_text(json.dumps(report))
    assert main(["reproduce", str(path)]) == 1
    out = capsys.readouterr().out
    then = float(np.nextafter(value, 9.0))
    assert f"runs[0].total.per_bit\n    then {then!r}\n    now  {value!r}\n" in out
    found = reproduce(path)
    paths = [change.path for change in found.changes]
    assert paths == ["accuracy", "runs[0].layers[1]", "runs[0].total.per_bit", "more"]
    assert found.changes[0] == Change("accuracy", "an object of 1", "null")
    assert found.changes[1].then == "absent" and found.changes[3].now == "absent"
    assert float(found.changes[2].then) != float(found.changes[2].now) == value


def test_an_integer_is_not_a_float(made):
    path, report = made("xor", "--policy", "uncompute")
    report["runs"][0]["energy"]["temperature_k"] = 300
    path.write_text(json.dumps(report))
    assert reproduce(path).changes == (Change("runs[0].energy.temperature_k", "300", "300.0"),)


def test_many_differences_are_counted(made):
    path, report = made("xor", "--policy", "uncompute")
    report["more"] = {str(k): k for k in range(5)}
    report["runs"] += [1] * 50
    path.write_text(json.dumps(report))
    text = render(reproduce(path))
    assert "51 of " in text and "... and 31 more" in text


def test_reports_made_in_python():
    report = rs.verify("toy", policy="bennett", input="keep", temperature_k=77)
    words = "revsim verify toy --policy bennett --input keep --temperature 77.0 --scope bit --json"
    assert report.provenance["argv"] == words.split()
    tuned = rs.verify("xor", policy="bennett", tuned_to=[[0, 1], [1, 0], [1, 1], [0, 0]])
    assert tuned.provenance["argv"] == []
    network = bundled("digits20")
    rows = rs.random_rows(network.input_low, network.input_high, 100, 4)
    argv = rs.verify(network, rows, policy="bennett").provenance["argv"]
    assert argv[2:7] == ["digits20", "--ensemble", "random:100", "--seed", "4"]
    assert rs.verify("xor", [[0, 1]], policy="bennett").provenance["argv"] == []
    mine = rs.from_arrays([[[1, 1]]], name="mine")
    assert rs.verify(mine, policy="bennett").provenance["argv"] == []


def test_a_report_made_in_python_is_reproduced(tmp_path):
    path = tmp_path / "report.json"
    rs.verify("digits20", rs.random_rows([0] * 20, [1] * 20, 200, 9), policy="uncompute").to_json(
        path
    )
    assert reproduce(path).equal
    rs.verify("xor", [[0, 1]], policy="bennett").to_json(path)
    with pytest.raises(InputError, match="was made in Python from values that only its") as caught:
        reproduce(path)
    assert "(rs.save, numpy.save)" in str(caught.value)


def test_what_the_refusal_says_makes_a_report_that_is_reproduced(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rs.save(rs.from_arrays([[[1, 1]]], name="mine"), "MODEL.npz")
    np.save("ROWS.npy", [[0, 1], [1, 1]])
    assert main(["verify", "MODEL.npz", "--data", "ROWS.npy", "--json"]) == 0
    Path("report.json").write_text(capsys.readouterr().out)
    assert reproduce("report.json").equal


# --- files that moved or changed ------------------------------------------------------------------


def test_files_that_moved_or_changed(made, capsys):
    Path("a").mkdir()
    save(bundled("toy"), "a/net.npz")
    np.save("a/rows.npy", np.array([[0, 1], [2, 3], [1, 1], [3, 0]]))
    np.save("a/weights.npy", np.array([1, 2, 3, 4]))
    path, _ = made("a/net.npz", "--data", "a/rows.npy", "--ensemble", "weights:a/weights.npy")
    assert main(["reproduce", str(path)]) == 0
    Path("a/net.npz").rename("net.npz")
    Path("a/rows.npy").rename("rows.npy")
    capsys.readouterr()
    assert main(["reproduce", str(path)]) == 2
    err = capsys.readouterr().err
    assert "a/net.npz" in err and "--model and --data say where files are now" in err
    moved = ["reproduce", str(path), "--model", "net.npz", "--data", "rows.npy"]
    assert main(moved) == 0
    np.save("rows.npy", np.array([[0, 1], [2, 3], [1, 1], [3, 1]]))
    capsys.readouterr()
    assert main(moved) == 2
    err = capsys.readouterr().err
    assert "the data (rows.npy) is not that of the report: sha256 was" in err
    save(bundled("xor"), "net.npz")
    assert main(moved) == 2
    assert "the model (net.npz) is not that of the report" in capsys.readouterr().err


def test_a_stream_has_an_order(made, capsys):
    rows = np.array([[0, 1], [2, 3], [1, 1], [3, 0], [0, 0]])
    np.save("rows.npy", rows)
    path, _ = made("toy", "--data", "rows.npy", "--stream", "--policy", "bennett")
    assert main(["reproduce", str(path)]) == 0
    np.save("rows.npy", rows[::-1])
    capsys.readouterr()
    assert main(["reproduce", str(path)]) == 2
    words = "the data (rows.npy in its order) is not that of the report"
    assert words in capsys.readouterr().err


def test_another_model_of_the_same_name_is_noticed(made, capsys):
    path, report = made("toy", "--policy", "bennett")
    report["provenance"]["argv"][2] = "xor"
    path.write_text(json.dumps(report))
    assert main(["reproduce", str(path)]) == 2
    assert "the model (xor) is not that of the report" in capsys.readouterr().err


def test_a_rerun_writes_nothing(made):
    path, _ = made("toy", "--policy", "bennett", "--plot", "p.png", "--neurons", "n.csv")
    for name in ("p.png", "n.csv"):
        Path(name).unlink()
    assert reproduce(path).equal
    assert sorted(p.name for p in Path().iterdir()) == ["report.json"]


# --- hostile reports ------------------------------------------------------------------------------

GOOD = {
    "schema": "revsim verify 1",
    "provenance": {
        "argv": ["revsim", "verify", "xor"],
        "sha256": {"model": model_digest(bundled("xor")), "data": "0"},
    },
}


def with_argv(*argv):
    return json.dumps(GOOD | {"provenance": GOOD["provenance"] | {"argv": list(argv)}})


HOSTILE = {
    "empty": ("", "is not JSON"),
    "cut": (json.dumps(GOOD)[:40], "is not JSON"),
    "bytes": (b"\xff\xfe\x00{", "is not JSON"),
    "deep": ("[" * 100_000, "is not JSON"),
    "nan": ('{"schema": NaN}', "NaN is no number"),
    "long": ('{"schema": ' + "9" * 5000 + "}", "is not JSON"),
    "list": ("[1, 2]", "is no report of"),
    "other": ('{"schema": "revsim explain 1"}', "is no report of"),
    "bare": ('{"schema": "revsim verify 1"}', "has no provenance"),
    "words": (json.dumps(GOOD | {"provenance": {"argv": "verify"}}), "argv is no list of words"),
    "numbers": (with_argv("revsim", "verify", 3), "argv is no list of words"),
    "absent": (json.dumps(GOOD | {"provenance": {}}), "argv is no list of words"),
    "memory": (with_argv(), "was made in Python"),
    "run": (with_argv("revsim", "run", "xor", "--input", "x"), "was not made by `revsim verify`"),
    "shell": (with_argv("sh", "-c", "touch owned"), "was not made by `revsim verify`"),
    "self": (with_argv("revsim", "reproduce", "r.json"), "was not made by `revsim verify`"),
    "help": (with_argv("revsim", "verify", "--help"), "is not one of this version"),
    "option": (with_argv("revsim", "verify", "--speed"), "is not one of this version"),
    "type": (with_argv("revsim", "verify", "--seed", "9" * 5000), "is not one of this version"),
    "nul": (with_argv("revsim", "verify", "a\0b.npz"), "cannot be run again"),
    "surrogate": (with_argv("revsim", "verify", "\ud800"), "cannot be run again"),
    "lines": (with_argv("revsim", "verify", "a\nb" * 99), "cannot be run again"),
    "device": (with_argv("revsim", "verify", "xor", "--data", "/dev/zero"), "is no file"),
    "rows": (with_argv("revsim", "verify", "xor", "--ensemble", "random:99999999"), "1..2^24"),
    "digest": (with_argv("revsim", "verify", "toy"), "the model (toy) is not that of the report"),
    "rows changed": (with_argv("revsim", "verify", "xor"), "the data (uniform) is not that of"),
    "digests": (
        json.dumps(GOOD | {"provenance": {"argv": ["revsim", "verify", "xor"], "sha256": 3}}),
        "provenance.sha256 is missing",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_reports_end_in_one_message(name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, words = HOSTILE[name]
    Path("r.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["reproduce", "r.json"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err, err
    assert err.startswith("revsim: r.json: ") and err.count("\n") == 1 and len(err) < 400
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_a_report_that_is_not_there(capsys):
    assert main(["reproduce", "missing.json"]) == 2
    assert "missing.json: there is no such file" in capsys.readouterr().err
    assert main(["reproduce", "."]) == 2
    assert "is a folder" in capsys.readouterr().err
