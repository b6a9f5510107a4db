"""The command line: every verb in text and JSON, files that it writes, exit status."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import revsim
from revsim import pipeline
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Call, Circuit, Definition, Erase, Free
from revsim.cli import main
from revsim.network.bundled import bundled, bundled_data
from revsim.network.reference import run_reference
from revsim.pipeline import DEFAULT_POLICIES
from revsim.schedule.policy import POLICIES
from revsim.schedule.policy import compile_network as original

CIRCUITS = sorted((Path(__file__).resolve().parents[1] / "circuits").glob("*.qasm"))
LEDGERS = {
    "ones_flipped",
    "reset_count",
    "per_bit",
    "per_register",
    "per_group",
    "given_kept",
    "gate_local",
}
GATES = {"toffoli", "cnot", "not", "fredkin", "swap", "mcx", "erase", "gates"}
EVALUATED = {"executor", "gate_evaluations", "equivalent_gates"}
ALL_RUNS = [*((policy, "destroy") for policy in DEFAULT_POLICIES), ("bennett", "keep")]


@pytest.fixture
def revsim_says(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command line that must succeed in silence but for standard output; returns that."""

    def say(*arguments: object, status: int = 0) -> str:
        assert main([str(a) for a in arguments]) == status
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return say


@pytest.fixture
def revsim_json(revsim_says: Callable[..., str]) -> Callable[..., Any]:
    """The same with --json, parsed."""
    return lambda *arguments, status=0: json.loads(revsim_says(*arguments, "--json", status=status))


def widest(text: str) -> int:
    return max(len(line) for line in text.splitlines())


# --- verify ---------------------------------------------------------------------------------------

TEXTS = (
    ("digits",),
    ("digits20", "--ensemble", "random:300"),
    ("digits20", "--ensemble", "random:100", "--policy", "conventional"),
    ("xor",),
    ("toy", "--units", "nats"),
    ("toy", "--units", "k_B", "--temperature", "4.2"),
    ("toy", "--units", "J", "--policy", "bennett", "--input", "return"),
)


@pytest.mark.parametrize("arguments", TEXTS, ids=" ".join)
def test_verify_prints_at_most_80_columns(arguments, revsim_says):
    text = revsim_says("verify", *arguments)
    assert widest(text) <= 80
    assert text.startswith(f"{arguments[0]}: ")
    for check in ("outputs", "ancillas", "linear_layers", "inverse", "roles", "telescoping (T1)"):
        assert check in text
    assert "FAILS" not in text


def test_verify_json_has_the_promised_layout(revsim_json):
    report = revsim_json("verify", "toy", "--seed", "7")
    assert set(report) == {
        *("schema", "provenance", "network", "accuracy", "ensemble", "activity", "conditions"),
        *("H_X", "H_Y", "runs"),
    }
    assert report["schema"] == "revsim verify 1"
    assert set(report["provenance"]) == {"versions", "argv", "seed", "sha256", *EVALUATED}
    assert report["provenance"]["versions"]["revsim"] == revsim.__version__
    assert set(report["provenance"]["sha256"]) == {"model", "data"}
    assert report["network"]["name"] == "toy" and report["network"]["macs"] == 9
    assert report["accuracy"] is None
    wanted = {"name": "uniform", "rows": 16, "distinct": 16, "ceiling": False, "seed": None}
    assert report["ensemble"] == wanted
    assert [(run["policy"], run["input"]) for run in report["runs"]] == ALL_RUNS
    for run in report["runs"]:
        check_run(run)


def check_run(run: dict[str, Any]) -> None:
    assert set(run) == {
        *("policy", "input", "kept", "order", "circuit_checks", "identities", "comparison"),
        *("layers", "total", "energy", "switching", "verdicts", "pointwise"),
        *("circuit_loss", "mismatched"),
    }
    ids = [check["id"] for check in run["circuit_checks"]]
    assert ids == ["outputs", "ancillas", "linear_layers", "inverse", "roles"]
    for check in run["circuit_checks"]:
        assert set(check) == {"id", "holds", "detail"}
        assert check["holds"] is True or run["policy"] == "conventional"
    ids = [identity["id"] for identity in run["identities"]]
    assert ids[:2] == ["telescoping", "ladder"] and len(ids) == len(set(ids))
    for identity in run["identities"]:
        assert set(identity) == {"id", "symbol", "statement", "holds", "residual"}
        assert (identity["holds"] is None) == (identity["residual"] is None)
        assert identity["holds"] is not False
    for compared in run["comparison"]:
        assert set(compared) == {
            *("reading", "reading_bits", "quantity", "quantity_bits", "holds", "note", "margin"),
        }
    for layer in run["layers"]:
        assert set(layer) == {"name", "kind", "H_in", "H_z", "H_out", "causes", "gates"} | LEDGERS
        assert set(layer["gates"]) == GATES
        assert all(set(ledgers) == LEDGERS for ledgers in layer["causes"].values())
    assert set(run["total"]) == LEDGERS | {"causes", "gates", "width"}
    for name in ("reset_count", "per_bit", "given_kept"):
        layers = sum(layer[name] for layer in run["layers"])
        assert layers == pytest.approx(run["total"][name])
    assert set(run["energy"]) == {
        *("temperature_k", "joules", "negentropy_j_per_k", "scope", "headline"),
    }
    bits, joules = run["total"]["per_bit"], run["energy"]["joules"]["per_bit"]
    assert joules == pytest.approx(bits * 2.870978885e-21, rel=1e-9, abs=0)


def test_switching_is_counted_on_request(revsim_json, revsim_says):
    asked = ("verify", "toy", "--policy", "uncompute")
    assert revsim_json(*asked)["runs"][0]["switching"] is None
    counted = revsim_json(*asked, "--switching")["runs"][0]["switching"]
    assert 0 < counted["total"] == pytest.approx(sum(counted["layers"].values()))
    assert set(counted["layers"]) == {"layer1", "layer2"}
    assert "flips of wires" in revsim_says(*asked, "--switching")


def test_verify_json_of_trained_networks_counts_labels(revsim_json):
    report = revsim_json("verify", "digits", "--policy", "uncompute")
    assert report["accuracy"]["rows"] == 1797 and report["ensemble"]["ceiling"] is True
    assert report["accuracy"]["share"] == report["accuracy"]["right"] / 1797
    assert set(report["accuracy"]["held_out"]) == {"rows", "right", "share"}


def test_verify_takes_rows_labels_and_weights_from_files(revsim_json, tmp_path):
    rows, labels = (part[:40] for part in bundled_data("digits"))
    np.savez(tmp_path / "d.npz", rows=rows, labels=labels)
    np.save(tmp_path / "w.npy", np.arange(40))
    way = ("verify", "digits", "--policy", "bennett", "--data", tmp_path / "d.npz")
    assert revsim_json(*way)["accuracy"]["rows"] == 40
    weighted = revsim_json(*way, "--ensemble", f"weights:{tmp_path / 'w.npy'}")
    assert weighted["ensemble"]["distinct"] == 39
    np.save(tmp_path / "x.npy", [[0, 1], [0, 1], [1, 1], [0, 0]])
    product = revsim_json(
        "verify", "xor", "--data", tmp_path / "x.npy", "--ensemble", "product:data"
    )
    assert product["H_X"] == pytest.approx(2 * 0.8112781244591328)


def test_verify_writes_figures_and_tables(revsim_says, tmp_path):
    neurons, erasures = tmp_path / "n.csv", tmp_path / "e.csv"
    revsim_says("verify", "toy", "--neurons", neurons, "--erasures", erasures)
    with neurons.open() as file:
        head, *rows = csv.reader(file)
    assert head == [
        *("layer", "neuron", "activity", "changed", "state_entropy", "value_entropy"),
        "above_p_star",
    ]
    assert [row[:2] for row in rows] == [
        ["layer1", "0"],
        ["layer1", "1"],
        ["layer1", "2"],
        ["layer2", "0"],
    ]
    with erasures.open() as file:
        head, *rows = csv.reader(file)
    assert head == [
        *("policy", "input", "layer", "cause", "register", "value_of"),
        *("reset_count", "per_bit", "per_register", "ones_flipped"),
    ]
    assert sum(float(r[6]) for r in rows if r[0] == "activation_reset") == 22
    for ending, start in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        figure = tmp_path / f"figure.{ending}"
        revsim_says("verify", "xor", "--policy", "activation_reset", "--plot", figure)
        assert figure.read_bytes().startswith(start)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("e.csv", "figure.pdf", "figure.png", "figure.svg", "n.csv"),
    ]


# --- run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["digits", "toy"])
def test_run_writes_the_outputs_and_tensors_of_the_reference(name, policy, revsim_says, tmp_path):
    net = bundled(name)
    given = bundled_data(name)
    rows = np.array([[a, b] for a in range(4) for b in range(4)]) if given is None else given[0][:9]
    x, y, t = (tmp_path / file for file in ("x.npy", "y.npy", "t.npz"))
    np.save(x, rows)
    text = revsim_says("run", name, "--input", x, "--output", y, "--tensors", t, "--policy", policy)
    assert text.startswith(f"{len(rows)} rows, ")
    reference = run_reference(net, rows)
    np.testing.assert_array_equal(np.load(y), reference[-1].y)
    with np.load(t) as tensors:
        for layer, values in zip(net.layers, reference, strict=True):
            np.testing.assert_array_equal(tensors[f"{layer.name}.y"], values.y)
            if policy == "activation_reset":
                np.testing.assert_array_equal(tensors[f"{layer.name}.z"], values.z)
        marked = {f"{layer.name}.y" for layer in net.layers}
        if policy == "activation_reset":
            marked |= {f"{layer.name}.z" for layer in net.layers}
        if policy == "neuron_reset":
            marked |= {f"{layer.name}.state" for layer in net.layers if layer.neurons}
        assert set(tensors.files) == marked


def test_run_of_a_circuit_file_adds_as_the_circuit_does(revsim_json, tmp_path):
    np.save(tmp_path / "x.npy", [[3, 5], [15, 15], [0, 9]])
    adder = next(path for path in CIRCUITS if path.stem == "adder4")
    summary = revsim_json(
        "run", adder, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy"
    )
    assert set(summary) == {"rows", "outputs", *EVALUATED} and summary["rows"] == 3
    assert np.load(tmp_path / "y.npy")[:, -1].tolist() == [8, 30, 9]


# --- count, table, draw, warmup -------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["digits", "digits20", "xor", "toy"])
def test_count_adds_up_for_every_policy(name, policy, revsim_says, revsim_json):
    way = ("count", name, "--policy", policy, "--input", "keep")
    assert widest(revsim_says(*way)) <= 80
    counted = revsim_json(*way)
    assert (counted["policy"], counted["input"]) == (policy, "keep")
    total = counted["total"]
    assert set(total) == GATES | {
        *("toffoli_equivalent", "width", "depth", "macs", "toffolis_per_mac_linear"),
    }
    for gate in GATES:
        assert total[gate] == sum(layer[gate] for layer in counted["layers"])
    assert total["macs"] == bundled(name).macs
    assert (total["erase"] == 0) == POLICIES[policy].clean


@pytest.mark.parametrize("name", ["xor", "toy"])
def test_count_adds_up_in_the_fredkin_basis_with_a_row_for_the_border(
    name, revsim_says, revsim_json
):
    way = ("count", name, "--basis", "fredkin")
    counted = revsim_json(*way)
    assert counted["border"]["not"] > 0 < counted["border"]["cnot"]
    for gate in GATES:
        layers = sum(layer[gate] for layer in counted["layers"])
        assert counted["total"][gate] == layers + counted["border"][gate]
    printed = revsim_says(*way)
    assert "gates in the Fredkin basis" in printed and " border " in printed
    assert "native" not in printed and widest(printed) <= 80
    plain = revsim_says("count", name)
    assert "native gates" in plain and "border" not in plain


@pytest.mark.parametrize("path", CIRCUITS, ids=lambda path: path.stem)
def test_table_count_and_draw_show_every_circuit_of_the_folder(path, revsim_says, revsim_json):
    for verb in (("table", path), ("count", path), ("draw", path, "--hierarchy")):
        assert widest(revsim_says(*verb)) <= 80
    table = revsim_json("table", path)
    assert set(table) == {
        *("circuit", "inputs", "outputs", "erased", "rows", "ledgers", "total"),
        *("H_start", "H_end", *EVALUATED),
    }
    assert table["total"]["given_kept"] == pytest.approx(table["H_start"] - table["H_end"])
    assert len({tuple(row["input"]) for row in table["rows"]}) == len(table["rows"])
    drawing = revsim_json("draw", path, "--hierarchy")
    assert list(drawing) == ["drawing"] and drawing["drawing"][0].startswith(table["circuit"])


def test_draw_shows_the_gates_of_a_small_circuit(revsim_says):
    text = revsim_says("draw", next(p for p in CIRCUITS if p.stem == "full_adder"))
    assert widest(text) <= 80 and "*" in text and "+" in text


def test_draw_shows_the_hierarchy_of_a_network(revsim_says):
    text = revsim_says("draw", "digits", "--hierarchy", "--policy", "uncompute")
    assert widest(text) <= 80 and "layer1 neuron 0" in text


def test_warmup_says_how_long_it_took(revsim_says, revsim_json):
    assert revsim_says("warmup").startswith("kernels are ready (")
    assert revsim_json("warmup")["seconds"] > 0


COMPILED = """
import pkgutil
from importlib import import_module

import revsim
from revsim.simulator.literal.layout import BLOCKS
from revsim.warmup import warm_up

warm_up()
for found in pkgutil.walk_packages(revsim.__path__, "revsim."):
    if found.name.endswith(".kernels") and not {"physics", "bench"} & set(found.name.split(".")):
        module = import_module(found.name)
        runners = {f"block {b}": module.runner(b) for b in BLOCKS if hasattr(module, "runner")}
        for name, kernel in {**vars(module), **runners}.items():
            own = getattr(kernel, "__module__", module.__name__) == module.__name__
            if name[0] != "_" and own and hasattr(kernel, "signatures") and not kernel.signatures:
                print(module.__name__.removeprefix("revsim."), name, sep=": ")
"""


def test_warmup_compiles_every_kernel_of_chains_and_tensors():
    found = subprocess.run(
        [sys.executable, "-c", COMPILED], capture_output=True, text=True, check=True
    )
    # Those that stand inside others are compiled with them.
    inside = {
        *(f"simulator.counting.kernels: {n}" for n in ("transpose", "transpose_bytes", "wire_key")),
        *(f"simulator.ports.kernels: {n}" for n in ("locate", "gather", "scatter")),
        *("simulator.covering.kernels: known", "simulator.folding.kernels: known"),
        "simulator.folding.kernels: move_nodes",
    }
    # Flips are counted on request only, gates are packed one by one for mutants, a table of nodes
    # grows once in a thousand definitions, and few networks erase registers of 17 wires.
    seldom = {
        "simulator.literal.kernels: count_toggles",
        "simulator.literal.grouping.kernels: encode_rows",
        "simulator.counting.kernels: count_values",
        "circuit.kernels: advance_depth",
        "simulator.folding.kernels: rehash",
    }
    assert set(found.stdout.splitlines()) - inside <= seldom


# --- exit status ----------------------------------------------------------------------------------


def inserted(circuit: Circuit, place: int, item: Any) -> Circuit:
    layers = circuit.layer_of
    return replace(
        circuit,
        body=(*circuit.body[:place], item, *circuit.body[place:]),
        layer_of=(*layers[:place], layers[place], *layers[place:]),
    )


def dirty_ancilla(circuit: Circuit) -> Circuit:
    """A NOT on the first wire that is freed, just before it is."""
    place = next(k for k, item in enumerate(circuit.body) if isinstance(item, Free))
    b = Builder("smuggled")
    b.x(b.port("q", 1))
    return inserted(circuit, place, Call(b.build(), circuit.body[place].register.wires[:1]))


def input_dropped(circuit: Circuit) -> Circuit:
    """The second layer's input, which its sums do not determine, is freed, yet never erased."""
    kept = [
        (item, layer)
        for item, layer in zip(circuit.body, circuit.layer_of, strict=True)
        if not (isinstance(item, Erase) and layer == "layer2" and item.cause == "layer_input")
    ]
    return replace(
        circuit, body=tuple(i for i, _ in kept), layer_of=tuple(name for _, name in kept)
    )


def linear_erase(circuit: Circuit) -> Circuit:
    """A linear definition of the first layer erases the first wire that it reads."""
    layer = circuit.layers[0]
    old = layer.linear[0]
    b = Builder("smuggled")
    wires = b.port("q", old.port_wires)
    b.conventional_erase(wires[:1], "gate_output")
    eraser = b.build()
    body = (*old.body, Call(eraser, np.arange(old.port_wires, dtype=np.int32)))
    new = Definition(old.name, old.ports, old.locals, body, old.local_registers, eraser.causes)
    items = tuple(
        replace(item, definition=new) if isinstance(item, Call) and item.definition is old else item
        for item in circuit.body
    )
    layers = (replace(layer, linear=(new, *layer.linear[1:])), *circuit.layers[1:])
    return replace(circuit, body=items, layers=layers)


@pytest.mark.parametrize(
    ("sabotage", "failing"),
    [
        (dirty_ancilla, {"ancillas"}),
        (input_dropped, {"ancillas", "telescoping"}),
        (linear_erase, {"linear_layers", "inverse", "outputs"}),
    ],
)
def test_a_failing_check_leaves_with_status_1_and_says_so(
    sabotage, failing, monkeypatch, revsim_says, revsim_json
):
    monkeypatch.setattr(pipeline, "compile_network", lambda *given: sabotage(original(*given)))
    way = ("verify", "toy", "--policy", "activation_reset")
    (run,) = revsim_json(*way, status=1)["runs"]
    failed = {check["id"] for check in run["circuit_checks"] if check["holds"] is False}
    failed |= {identity["id"] for identity in run["identities"] if identity["holds"] is False}
    assert failing <= failed
    text = revsim_says(*way, status=1)
    assert widest(text) <= 80
    for name in failing:
        assert f"{name} FAILS" in " ".join(text.split())


def test_a_broken_promise_of_a_circuit_file_leaves_with_status_1(capsys, tmp_path):
    text = "OPENQASM 3.0;\n@revsim.work\nqubit spare;\nqubit b;\ncx b, spare;\n"
    (tmp_path / "dirty.qasm").write_text(text)
    assert main(["table", str(tmp_path / "dirty.qasm")]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("revsim: ") and "spare" in err and "row 1" in err


def test_too_little_memory_is_one_message_that_fits_the_verb(monkeypatch, capsys):
    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr("revsim.report.bit.measure_bit", no_memory)
    assert main(["bit"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("revsim: not enough memory for bit: ask for less")
    assert "--ensemble" not in err


def test_without_a_verb_the_help_is_printed_and_the_status_is_2(capsys):
    assert main([]) == 2
    assert "verify" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"], ["--version"]])
def test_help_and_version_leave_with_status_0(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    assert "revsim" in capsys.readouterr().out
