"""`explain`: one neuron's figures are the rows of the ledger, and its drawing is its circuit."""

import json

import numpy as np
import pytest

import revsim as rs
from revsim.cli import main
from revsim.draw.neuron import draw_neuron
from revsim.errors import InputError
from revsim.explanation import Explanation, explain, render
from revsim.ledger.ledgers import Ledgers
from revsim.network.bundled import bundled, bundled_data
from revsim.network.reference import run_reference
from revsim.physics.landauer import binary_entropy, energy_j
from revsim.pipeline import DEFAULT_RUNS
from revsim.report.tables import number
from revsim.schedule.policy import POLICIES

FIGURES = ("reset_count", "per_bit", "per_register", "ones_flipped")


def small(name: str) -> rs.Report | None:
    """An ensemble that is quick to run; None for all inputs of a small network."""
    data = bundled_data(name)
    return None if data is None else rs.data_set(data[0][:150])


def figures_of(found: Explanation) -> list[tuple]:
    return [
        (r.layer, r.cause, r.register, r.value_of, *(getattr(r, f) for f in FIGURES))
        for r in found.resets
    ]


@pytest.mark.parametrize(("policy", "choice"), [*DEFAULT_RUNS, ("neuron_reset", "destroy")])
@pytest.mark.parametrize("name", ["xor", "toy", "digits20"])
def test_all_neurons_together_are_the_rows_of_the_ledger(name, policy, choice):
    """Cause by cause, what resets saw of the neurons of a layer adds up to the ledger's row."""
    network, ensemble = bundled(name), small(name)
    report = rs.verify(network, ensemble, policy=policy, input=choice)
    (run,) = report.runs
    first = network.layers[0]
    found = [
        explain(network, ensemble, layer=1, neuron=n, policy=policy, input=choice)
        for n in range(first.neurons)
    ]
    seen: dict[tuple[str, str], Ledgers] = {}
    for one in found:
        for r in one.resets:
            part = Ledgers(**{figure: float(getattr(r, figure)) for figure in FIGURES})
            seen[r.layer, r.cause] = seen.get((r.layer, r.cause), Ledgers()) + part
    of_neurons = {"activation", "requantise", "clamp", "gate_output", "neuron_state"}
    for row in run.rows:
        mine = row.layer == first.name and row.cause in of_neurons
        if mine or (row.layer == "layer2" and row.cause == "layer_input"):
            total = seen.pop((row.layer, row.cause))
            for figure in FIGURES:
                known = getattr(row.ledgers, figure)
                assert getattr(total, figure) == pytest.approx(known, rel=1e-12), row
    assert not seen
    every = [row[2:] for row in report.erasures.rows]
    for one in found:
        assert all(figures in every for figures in figures_of(one))


def test_figures_are_those_of_the_reference():
    rows = bundled_data("digits")[0]
    on = run_reference(bundled("digits"), rows)[0].y[:, 3]
    found = explain("digits", layer="layer1", neuron=3)
    p = float((on > 0).mean())
    assert found.activity == p and found.changed == pytest.approx(2 * p * (1 - p))
    assert found.state_entropy == pytest.approx(binary_entropy(p))
    counts = np.unique(on, return_counts=True)[1] / len(on)
    assert found.value_entropy == pytest.approx(float(-(counts * np.log2(counts)).sum()))
    assert found.above_p_star and found.rows == 1797
    assert [r.cause for r in found.resets] == ["activation", "requantise", "clamp", "layer_input"]
    first, second, third, fourth = found.derivation
    assert first.startswith(f"p = {p:.6g} ") and "p* = 0.7729" in first
    assert f"= {binary_entropy(p):.6g} bits" in second
    assert f"{sum(r.reset_count for r in found.resets)} bits: per_bit" in third
    for name in ("per_bit", "per_register"):
        assert f"{name} {number(sum(getattr(r, name) for r in found.resets))}" in third
    assert f"state {energy_j(found.state_entropy) * 1e21:.3f} zJ" in fourth


def test_layers_by_name_and_by_number_and_temperature():
    by_name = explain("toy", layer="layer2", neuron=0, temperature_k=4.2)
    assert by_name == explain("toy", layer=2, neuron=0, temperature_k=4.2)
    assert by_name == explain("toy", layer="2", neuron=0, temperature_k=4.2, threads=2)
    assert "(4.2 K)" in by_name.derivation[3]
    state = energy_j(by_name.state_entropy, 4.2) * 1e21
    assert f"state {number(state)} zJ" in by_name.derivation[3]


def test_each_neuron_of_each_layer_has_its_own_activity():
    network = bundled("toy")
    rows = rs.uniform(network.input_low, network.input_high).rows
    for layer, values in zip(network.layers, run_reference(network, rows), strict=True):
        for neuron, column in enumerate(layer.neuron_columns.tolist()):
            found = explain(network, layer=layer.name, neuron=neuron, policy="bennett")
            assert found.activity == (values.y[:, column] > 0).mean(), (layer.name, neuron)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("toy", "layer3", 0), "has no layer 'layer3'; it has layer1 (0..2), layer2 (0..0)"),
        (("toy", "0", 0), "has no layer '0'"),
        (("toy", "1", 3), "layer1 of 'toy' has no neuron 3; there are layer1 (0..2)"),
        (("toy", "1", -1), "has no neuron -1"),
        (("digits", "2", 0), "layer1 (0..31), layer2 (no neurons: dense+argmax)"),
    ],
)
def test_a_layer_or_neuron_that_is_not_there(arguments, words, capsys):
    model, layer, neuron = arguments
    assert main(["explain", model, "--layer", layer, f"--neuron={neuron}"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and err.count("\n") == 1


def test_other_bad_input():
    with pytest.raises(InputError, match="unknown policy 'lazy'"):
        explain("toy", layer=1, neuron=0, policy="lazy")
    with pytest.raises(InputError, match="explain takes a Network"):
        explain(3, layer=1, neuron=0)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("model", ["xor", "toy", "digits20"])
def test_the_text_fits_80_columns(model, policy, capsys):
    way = ("explain", model, "--layer", "1", "--neuron", "1", "--policy", policy)
    assert main(list(way)) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith(f"{model}: neuron 1 of layer1 (dense+relu")
    for line in ("  1. p = ", "  2. h2(p) = ", "  3. its resets", "  4. x k_B T ln 2 = "):
        assert line in text
    assert not any(line.startswith("zJ") for line in text.splitlines())


def test_json_holds_everything(capsys):
    way = ("explain", "toy", "--layer", "1", "--neuron", "2", "--input", "keep", "--json")
    assert main(list(way)) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "revsim explain 1" and found["input"] == "keep"
    assert len(found["derivation"]) == 4 and found["drawing"]
    for name in FIGURES:
        assert found["total"][name] == pytest.approx(sum(r[name] for r in found["resets"]))


# --- drawings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["xor", "toy", "digits20", "digits", "kan", "binary", "tree"])
def test_every_neuron_can_be_drawn(name, policy):
    network = bundled(name)
    for place, layer in enumerate(network.layers):
        for neuron in {0, layer.neurons - 1} if layer.neurons else ():
            lines = draw_neuron(network, place, neuron, policy, "destroy")
            assert len(lines) > 1 and max(map(len, lines)) <= 80


def test_a_drawing_erases_as_many_bits_as_the_table_says():
    found = explain("toy", layer=1, neuron=1)
    drawn = "\n".join(found.drawing[:-2])  # without the legend
    assert drawn.count("|0") == sum(r.reset_count for r in found.resets) == 5
    state = explain("toy", layer=1, neuron=1, policy="neuron_reset")
    drawn = "\n".join(state.drawing[:-3])
    assert drawn.count("|0") == state.resets[0].reset_count == 1 and "state" in drawn
    assert state.drawing[-3] == "these gates also run backward, to undo what they computed"
    netlist = explain("toy", layer=2, neuron=0, policy="conventional")
    assert "\n".join(netlist.drawing[:-2]).count("|0") == netlist.resets[0].reset_count == 13


def test_what_is_too_large_is_cut_and_said_so():
    part = draw_neuron(bundled("digits20"), 0, 3, "activation_reset", "destroy")
    assert part[0].startswith("the weighted sum before z (") and "is left out" in part[0]
    assert any(line.startswith("activation[4] 0 ") for line in part)
    tree = draw_neuron(bundled("digits"), 0, 3, "conventional", "destroy")
    assert tree[0].startswith("too large to draw") and "layer1 netlist 3" in tree[-1]


def test_nothing_is_reset_under_bennett():
    found = explain("xor", layer=1, neuron=0, policy="bennett", input="keep")
    assert found.resets == () and "resets nothing of this neuron" in render(found)
    assert found.state_entropy == pytest.approx(binary_entropy(0.75))
