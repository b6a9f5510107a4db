"""Pictures as samples: pixel for pixel, labels by folder, and what is refused."""

import numpy as np
import pytest

from revsim.errors import InputError
from revsim.graphs.rows import read_samples
from revsim.network.graph import Graph, Node, Tensor, Wiring

Image = pytest.importorskip("PIL.Image")


def graph_of(shape, low):
    size = int(np.prod(shape))
    tensors = {n: Tensor(n, shape, low, low + 255) for n in "xy"}
    node = Node("n", Wiring("copy", np.arange(size)), ("x",), "y")
    return Graph("g", tensors, (node,), ("x",), ("y",))


def picture(path, shape=(4, 5, 3), seed=0):
    array = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(array).save(path)
    return array.astype(int)


@pytest.mark.parametrize("low", [0, -128])
@pytest.mark.parametrize("first", [False, True])
def test_pixels_in_the_order_of_the_model(tmp_path, low, first):
    array = picture(tmp_path / "a.png")
    graph = graph_of((1, 3, 4, 5) if first else (1, 4, 5, 3), low)
    samples, labels = read_samples(graph, tmp_path / "a.png")
    wanted = array.transpose(2, 0, 1) if first else array
    assert labels is None and np.array_equal(samples["x"], wanted.reshape(1, -1) + low)


def test_grey_pictures(tmp_path):
    array = picture(tmp_path / "a.png", (4, 5))
    samples, _ = read_samples(graph_of((1, 4, 5, 1), -128), tmp_path / "a.png")
    assert np.array_equal(samples["x"], array.reshape(1, -1) - 128)


def test_folders_give_rows_and_labels(tmp_path):
    for label, name in ((0, "cat"), (1, "dog")):
        (tmp_path / name).mkdir()
        for k in range(2):
            picture(tmp_path / name / f"{k}.png", seed=10 * label + k)
    graph = graph_of((1, 4, 5, 3), 0)
    samples, labels = read_samples(graph, tmp_path)
    assert labels.tolist() == [0, 0, 1, 1] and samples["x"].shape == (4, 60)
    alone, none = read_samples(graph, tmp_path / "dog")
    assert none is None and np.array_equal(alone["x"], samples["x"][2:])
    picture(tmp_path / "extra.png")
    with pytest.raises(InputError, match="it holds both"):
        read_samples(graph, tmp_path)


def damaged(path):
    picture(path)
    path.write_bytes(path.read_bytes()[:60])


MISTAKES = {
    "size": (lambda p: picture(p, (6, 5, 3)), "5 x 6 pixels of 3 channels; the model takes 5 x 4"),
    "grey": (lambda p: picture(p, (4, 5)), "of 1 channels; the model takes 5 x 4 of 3"),
    "alpha": (lambda p: picture(p, (4, 5, 4)), "pixels of kind RGBA"),
    "damaged": (damaged, "cannot be read as an image"),
    "text": (lambda p: p.write_text("hello"), "is no image"),
    "none": (lambda p: None, "no such file"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_end_in_one_message(tmp_path, case):
    make, words = MISTAKES[case]
    make(tmp_path / "a.png")
    with pytest.raises(InputError, match=words):
        read_samples(graph_of((1, 4, 5, 3), 0), tmp_path / "a.png")


def test_sounds_and_other_inputs_are_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"give its 60 features as \.npy"):
        read_samples(graph_of((1, 4, 5, 3), 0), tmp_path / "a.wav")
    picture(tmp_path / "a.png")
    with pytest.raises(InputError, match="takes no pictures"):
        read_samples(graph_of((1, 60), 0), tmp_path / "a.png")
    with pytest.raises(InputError, match="it holds neither"):
        (tmp_path / "empty").mkdir()
        read_samples(graph_of((1, 4, 5, 3), 0), tmp_path / "empty")
