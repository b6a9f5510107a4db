"""An attention head and a slice of an MLP on words: integers near the floats, gates equal them."""

import numpy as np
import pytest

import revsim as rs
from revsim.errors import InputError
from revsim.frontends.floats.ranges import Quantiser
from revsim.frontends.transformer import (
    Projection,
    attention_head,
    head_floats,
    mlp_slice,
    projection_of,
)
from revsim.network.graph_reference import run_graph


def projection(random, inputs, outputs):
    weights = random.integers(-127, 128, (inputs, outputs))
    scales = random.uniform(0.5, 1.5, outputs) / (127 * np.sqrt(inputs)) * 2
    return Projection(weights, scales, random.normal(0, 0.3, outputs))


def real_of(graph, tensor, values):
    held = graph.tensors[tensor]
    return Quantiser(held.scale, held.zero).real(values).reshape(held.shape)


def small_head(tokens=3, inputs=6, width=4, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(0, 1, (tokens, inputs))
    parts = [projection(random, inputs, width) for _ in range(3)]
    return x, parts, attention_head(x, *parts)


def quantised(graph, x):
    held = graph.tensors["x"]
    return Quantiser(held.scale, held.zero).quantise(x).reshape(1, -1)


def test_a_head_is_near_its_floats():
    x, parts, graph = small_head(tokens=7, inputs=48, width=16)
    made = run_graph(graph, {"x": quantised(graph, x)})
    for name, real in head_floats(x, *parts).items():
        found = real_of(graph, name, made[name])
        assert np.sqrt(((found - real) ** 2).mean()) < 0.05 * np.sqrt((real**2).mean()), name


def test_scores_and_context_are_the_products_of_the_integers():
    x, _, graph = small_head()
    made = run_graph(graph, {"x": quantised(graph, x)})
    q, k, v, p = (
        made[n].reshape(graph.tensors[n].shape) - graph.tensors[n].zero
        for n in ("query", "key", "value", "shares")
    )
    for name, sums, scales in (
        ("scores", q @ k.T, ("query", "key")),
        ("context", p @ v, ("shares", "value")),
    ):
        out = graph.tensors[name]
        factor = np.prod([graph.tensors[n].scale for n in scales]) / out.scale
        factor /= np.sqrt(4) if name == "scores" else 1
        wanted = np.clip(np.rint(sums * factor) + out.zero, -128, 127)
        assert np.abs(made[name].reshape(out.shape) - wanted).max() <= 1
        assert (made[name].reshape(out.shape) == wanted).mean() > 0.9


@pytest.mark.parametrize("which", ["head", "mlp"])
def test_gates_equal_the_reference(which):
    x, parts, graph = small_head(tokens=2, inputs=4, width=2)
    if which == "mlp":
        graph = mlp_slice(x, parts[0])
    report = rs.verify(graph, quantised(graph, x), policy="uncompute")
    assert report.holds


def test_missing_arrays_are_named():
    with pytest.raises(InputError, match="no array 'W_q_int8'"):
        projection_of({"other": np.zeros(3)}, "q")
    wrong = {"W_q_int8": np.zeros((2, 2)), "W_q_scale": np.ones((1, 2)), "b_q": np.zeros(2)}
    with pytest.raises(InputError, match="int8"):
        projection_of(wrong, "q")


@pytest.mark.parametrize("head", [0, 5])
def test_minilm_is_near_its_stored_floats(shared_data, head):
    arrays = np.load(shared_data / "transformer" / "minilm_layer0_int8.npz")
    parts = [projection_of(arrays, n).columns(32 * head, 32) for n in "qkv"]
    x = arrays["s0_q_in"]
    assert np.abs(head_floats(x, *parts)["shares"] - arrays["s0_softmax_out"][head]).max() < 1e-5
    graph = attention_head(x, *parts)
    made = run_graph(graph, {"x": quantised(graph, x)})
    wanted = arrays["s0_o_in"][:, 32 * head : 32 * head + 32]
    found = real_of(graph, "context", made["context"])
    assert np.sqrt(((found - wanted) ** 2).mean() / (wanted**2).mean()) < 0.05
    up = mlp_slice(arrays["s0_up_in"], projection_of(arrays, "up").columns(0, 32))
    hidden = real_of(up, "gelu", run_graph(up, {"x": quantised(up, arrays["s0_up_in"])})["gelu"])
    wanted = arrays["s0_down_in"][:, :32]
    assert np.sqrt(((hidden - wanted) ** 2).mean() / (wanted**2).mean()) < 0.3


@pytest.mark.slow
def test_minilm_through_the_gates(shared_data):
    arrays = np.load(shared_data / "transformer" / "minilm_layer0_int8.npz")
    parts = [projection_of(arrays, n).columns(0, 32) for n in "qkv"]
    x = arrays["s1_q_in"]
    graph = attention_head(x, *parts)
    assert rs.verify(graph, quantised(graph, x), policy="uncompute").holds
