"""The bundled networks: accuracy of the integer reference, ranges, files, data."""

import importlib.util
import itertools
import zipfile
from importlib import resources

import numpy as np
import pytest

import revsim as rs
from revsim.errors import InputError
from revsim.network.bundled import (
    BUNDLED,
    DATA_OF,
    SEEDED,
    STREAM,
    TRAINED,
    bundled,
    bundled_data,
    bundled_seeds,
    held_out,
)
from revsim.network.files import load_many, save, save_many
from revsim.network.operators import Argmax, Clamp, Dense, Relu, Requantise
from revsim.network.reference import run_reference, run_sequence
from revsim.pipeline import default_ensemble

DATA = resources.files("revsim") / "data"


@pytest.mark.parametrize(("name", "least"), [("digits", 0.97), ("digits20", 0.87)])
def test_accuracy_on_held_out_rows(name, least):
    network, (rows, labels), test = bundled(name), bundled_data(name), held_out(name)
    classes = run_reference(network, rows[test])[-1].y[:, 0]
    assert (classes == labels[test]).mean() >= least


@pytest.mark.parametrize("name", TRAINED)
def test_accuracies_are_those_of_the_data_notes(name):
    notes = (DATA / "README.md").read_text(encoding="utf-8")
    network, (rows, labels), test = bundled(name), bundled_data(name), held_out(name)
    said = run_reference(network, rows[test])[-1].y
    if name == STREAM:  # what it says after the last row of an image: one-hot, beside its state
        said, labels, test = said[7::8, 16:].argmax(1, keepdims=True), labels[7::8], test[7::8] // 8
    right = int((said[:, 0] == labels[test]).sum())
    line = next(x for x in notes.splitlines() if f"`{name}`" in x and "of 450" in x)
    assert f" {right} of {len(test)}" in line


def test_streams_are_what_a_sequence_says():
    network, (rows, _) = bundled(STREAM), bundled_data(STREAM)
    images, _ = bundled_data("digits")
    for k in (0, 1, 700):
        seen, _ = run_sequence(network, images[k].reshape(8, 8))
        assert np.array_equal(rows[8 * k : 8 * k + 8], seen)


@pytest.mark.parametrize(
    ("name", "shape", "limit", "input_high"),
    [("digits", (64, 32, 10), 127, 16), ("digits20", (20, 12, 10), 7, 1)],
)
def test_shape_and_weights(name, shape, limit, input_high):
    network = bundled(name)
    dense = [operator for operator in network.operators if isinstance(operator, Dense)]
    assert [d.weights.shape for d in dense] == [(shape[1], shape[0]), (shape[2], shape[1])]
    for operator in dense:
        assert np.abs(operator.weights).max() == limit
        assert (operator.weights != 0).mean() > 0.75
    assert network.input_low.tolist() == [0] * shape[0]
    assert network.input_high.tolist() == [input_high] * shape[0]
    kinds = [type(operator) for operator in network.operators]
    assert kinds == [Dense, Relu, Requantise, Clamp, Dense, Argmax]
    assert network.classifies


def test_digits_is_genuine_int8():
    for operator in bundled("digits").operators:
        if isinstance(operator, Dense):
            assert (np.abs(operator.weights) > 63).any()
            assert (operator.weights != 0).mean() > 0.95


@pytest.mark.parametrize("name", TRAINED)
def test_values_stay_in_the_declared_ranges(name):
    network, (rows, _) = bundled(name), bundled_data(name)
    for layer, values in zip(network.layers, run_reference(network, rows), strict=True):
        assert (layer.z_low <= values.z).all() and (values.z <= layer.z_high).all()
        assert (layer.output_low <= values.y).all() and (values.y <= layer.output_high).all()


@pytest.mark.parametrize("name", TRAINED)
def test_files_say_where_they_come_from(name):
    network = bundled(name)
    assert "archive.ics.uci.edu/dataset/80" in network.source
    assert "CC BY 4.0" in network.licence
    with (DATA / f"{DATA_OF[name]}_data.npz").open("rb") as file, np.load(file) as arrays:
        assert "archive.ics.uci.edu/dataset/80" in str(arrays["source"])
        assert "CC BY 4.0" in str(arrays["licence"])


def test_files_are_small_and_hold_plain_arrays():
    with resources.as_file(DATA) as folder:
        names = sorted(path.name for path in folder.glob("*.npz"))
        stems = {*TRAINED, *(f"{name}_seeds" for name in SEEDED)}
        stems |= {f"{name}_data" for name in (*DATA_OF.values(), *SEEDED)}
        assert names == sorted(f"{stem}.npz" for stem in stems)
        assert sum((folder / name).stat().st_size for name in names) < 1_500_000
        for name in names:
            assert zipfile.ZipFile(folder / name).testzip() is None
            with np.load(folder / name, allow_pickle=False) as arrays:
                kinds = {key: arrays[key].dtype.kind for key in arrays.files}
            assert set(kinds.values()) <= set("iuU"), name


def test_data_is_that_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    digits = datasets.load_digits()
    rows, labels = bundled_data("digits")
    assert np.array_equal(rows, digits.data)
    assert np.array_equal(labels, digits.target)


@pytest.mark.parametrize(("name", "pixels"), [("digits20", 20), ("digits16", 16)])
def test_reduced_data_follows_from_the_pixels(name, pixels):
    rows, labels = bundled_data("digits")
    reduced, same = bundled_data(name)
    with (DATA / f"{name}_data.npz").open("rb") as file, np.load(file) as arrays:
        assert len(set(arrays["pixels"].tolist())) == pixels
        assert np.array_equal(rows[:, arrays["pixels"]] >= arrays["threshold"], reduced == 1)
        assert np.array_equal(arrays["ones"], reduced.sum(0))
        assert int(arrays["count"]) == len(reduced) == 1797
    assert np.array_equal(labels, same)


def test_held_out_rows_are_the_same_for_all_and_seeded():
    expected = np.sort(np.random.default_rng(0).permutation(1797)[:450])
    for name in (*TRAINED, *SEEDED):
        steps = 8 if name == STREAM else 1
        assert np.array_equal(np.unique(held_out(name) // steps), expected)
        assert len(held_out(name)) == steps * len(expected)


@pytest.mark.parametrize(("name", "least"), [("digits", 0.97), ("digits16", 0.8)])
def test_seeds_differ_and_all_learned(name, least):
    networks, (rows, labels), test = bundled_seeds(name), bundled_data(name), held_out(name)
    assert [network.name for network in networks] == [f"{name}_{k}" for k in range(20)]
    weights = {network.operators[0].weights.tobytes() for network in networks}
    assert len(weights) == 20
    for network in networks:
        classes = run_reference(network, rows[test])[-1].y[:, 0]
        assert (classes == labels[test]).mean() >= least


def test_seed_0_is_the_bundled_network():
    first, known = bundled_seeds("digits")[0], bundled("digits")
    for a, b in zip(first.operators, known.operators, strict=True):
        assert a.kind == b.kind
        if isinstance(a, Dense):
            assert np.array_equal(a.weights, b.weights) and np.array_equal(a.bias, b.bias)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("digits_4bit", range(-7, 8)),
        ("digits_2bit", (-1, 0, 1)),
        ("digits_1bit", (-1, 1)),
        ("digits_sign", (-1, 1)),
    ],
)
def test_weights_fit_their_bits(name, values):
    for operator in bundled(name).operators:
        if isinstance(operator, Dense):
            assert set(np.unique(operator.weights)) <= set(values)
            assert np.abs(operator.weights).max() == max(values)


def test_activity_is_what_the_name_says():
    rows, _ = bundled_data("digits")
    for name in (name for name in TRAINED if name.startswith("digits_l1_")):
        percent = 100 * (run_reference(bundled(name), rows)[0].y > 0).mean()
        assert percent == pytest.approx(float(name.rpartition("_")[2]), rel=0.15), name
    for k in (16, 8, 4, 2, 1):
        kept = run_reference(bundled(f"digits_top{k}"), rows)[2].y.reshape(-1, 2, 32) > 0
        assert kept.sum(2).max() <= k
        assert kept.mean() == pytest.approx(k / 32, rel=0.03)


@pytest.mark.parametrize(("name", "k"), [("top1", 1), ("top2", 2), ("free", 2)])
def test_experts_that_are_not_chosen_say_nothing(name, k):
    rows, _ = bundled_data("digits")
    _, routed, gated, _ = run_reference(bundled(f"digits_moe_{name}"), rows)
    mask, hidden = routed.y[:, :16], routed.y[:, 16:].reshape(-1, 16, 4)
    assert set(np.unique(mask)) == {0, 1} and (mask.sum(1) == k).all()
    assert np.array_equal(gated.y.reshape(-1, 16, 4), hidden * mask[:, :, None])


def test_coupling_is_undone_by_subtraction():
    network = bundled("digits_coupling")
    rows = np.random.default_rng(0).integers(0, 17, (500, 64))
    first, second, third, _ = run_reference(network, rows)
    y1, y2 = third.y[:, :32].astype(int), third.y[:, 32:].astype(int)
    # G sees y1 only and F sees x2 only, so each can be computed again from what is left
    x2 = y2 - second.y[:, 64:]
    assert np.array_equal(second.y[:, :32], y1)
    assert np.array_equal(np.hstack([y1 - first.y[:, 64:], x2]), rows)


def test_tree_lights_one_leaf():
    rows, _ = bundled_data("digits_tree")
    leaves = run_reference(bundled("digits_tree"), rows)[1].y
    assert (leaves.sum(1) == 1).all() and (leaves.any(0)).all()


def test_networks_of_different_form_do_not_share_a_file(tmp_path):
    with pytest.raises(InputError, match="'toy' is not of the form of 'xor'"):
        save_many([bundled("xor"), bundled("toy")], tmp_path / "both.npz")
    save(bundled("xor"), tmp_path / "one.npz")
    with pytest.raises(InputError, match="no file of several networks"):
        load_many(tmp_path / "one.npz")
    with pytest.raises(InputError, match="no seeds of 'toy'; there are of digits, digits16"):
        bundled_seeds("toy")


def test_xor_and_toy_by_enumeration():
    pairs = np.array([[a, b] for a in range(4) for b in range(4)])
    small = pairs[(pairs < 2).all(1)]
    assert run_reference(bundled("xor"), small)[-1].y[:, 0].tolist() == [0, 1, 1, 0]
    a, b = pairs.T
    expected = np.maximum(a - b, 0) + np.maximum(b - a, 0) - np.maximum(a + b - 3, 0) > 0
    assert np.array_equal(run_reference(bundled("toy"), pairs)[-1].y[:, 0] == 1, expected)
    for name in ("xor", "toy"):
        assert bundled_data(name) is None and held_out(name) is None


@pytest.mark.parametrize("read", [bundled, bundled_data, held_out])
def test_unknown_name_lists_the_known_ones(read):
    with pytest.raises(InputError) as caught:
        read("mnist")
    variants = [name for name in BUNDLED if name.startswith("digits_")]
    assert all(name in str(caught.value) for name in BUNDLED if name not in variants)
    assert f"{len(variants)} whose names begin with digits_" in str(caught.value)
    with pytest.raises(InputError, match=r"did you mean .*digits_conv"):
        read("digits_cnv")


def test_estimate_of_the_training_script(monkeypatch):
    pytest.importorskip("threadpoolctl")
    script = resources.files("revsim").joinpath("..", "benchmarks", "train_networks.py")
    if not script.is_file():
        pytest.skip("benchmarks are not beside the package")
    monkeypatch.syspath_prepend(str(script.parent))
    spec = importlib.util.spec_from_file_location("train_networks", str(script))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for weight in range(-128, 128):
        digits = module.signed_digits(weight)
        assert sum(sign << position for position, sign in digits) == weight
        positions = [position for position, _ in digits]
        assert all(b - a > 1 for a, b in itertools.pairwise(positions))
    network = bundled("digits")
    assert module.estimated_toffolis(network) / network.macs < 24


def test_a_network_of_ones_own_may_have_a_bundled_name() -> None:
    mine = rs.from_arrays([[[1, -1, 1]]], input_range=(0, 1), name="digits")
    ensemble, labels = default_ensemble(mine)
    assert len(ensemble.rows) == 8 and labels is None
    theirs, labels = default_ensemble(bundled("digits"))
    assert len(theirs.rows) == 1797 and labels is not None
