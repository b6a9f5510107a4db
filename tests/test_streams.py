"""Kept states: what overwriting them costs (T8), on paper and on the device."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import revsim as rs
from revsim.circuit.definition import Circuit, Erase
from revsim.cli import main
from revsim.errors import InputError
from revsim.ledger.identities import TOLERANCE
from revsim.ledger.stream_device import step_residual
from revsim.ledger.streams import compare_stream, drifting, stream_identity, stream_ledger
from revsim.network.bundled import bundled_data
from revsim.network.network import Network
from revsim.network.operators import Clamp, Dense, Relu, Requantise, Sign, Threshold
from revsim.physics.landauer import CROSSING
from revsim.schedule.stream import WAYS, compile_stream
from revsim.simulator.ensemble import Ensemble
from revsim.streaming import neuron_names, neuron_states, run_step, stream_of

# --- the theorem ----------------------------------------------------------------------------------


@st.composite
def any_pairs(draw: st.DrawFn) -> tuple[Ensemble, np.ndarray, np.ndarray]:
    """Pairs of inputs with weights, and states that are any function of the input."""
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    inputs, neurons, rows = random.integers(1, 4), random.integers(1, 6), random.integers(1, 40)
    pairs = random.integers(0, 3, (rows, 2 * inputs))
    weights = random.integers(0, 6, rows)
    weights[0] = 1
    table = random.random((3**inputs, neurons)) < random.random(neurons)
    place = 3 ** np.arange(inputs)
    before, after = (table[part @ place] for part in np.split(pairs, 2, axis=1))
    return Ensemble("pairs", pairs, weights), before, after


@given(any_pairs())
@settings(max_examples=150)
def test_t8_holds_for_any_states_of_any_pairs(
    case: tuple[Ensemble, np.ndarray, np.ndarray],
) -> None:
    pairs, before, after = case
    stream = stream_ledger([str(k) for k in range(before.shape[1])], before, after, pairs)
    assert stream_identity(stream).holds
    # Fano for one bit: a neuron costs no more than the entropy of its change.
    p = stream.changed
    fano = -sum(q * np.log2(q, out=np.zeros_like(q), where=q > 0) for q in (p, 1 - p))
    assert (stream.given_next <= fano + 1e-9).all()


def chain(p_up: float, p_down: float, rows: int, seed: int) -> np.ndarray:
    """A two-state neuron of given flip probabilities, started in its stationary state."""
    random = np.random.default_rng(seed)
    state = random.random() < p_up / (p_up + p_down)
    out = np.zeros((rows, 1), dtype=bool)
    for row, draw in enumerate(random.random(rows)):
        out[row] = state
        state = bool(state) != (draw < (p_down if state else p_up))
    return out


def test_alternation_breaks_the_toggle_bound_and_is_named() -> None:
    """A neuron that always changes costs nothing; one that flips at 95 % costs 0.286 bit."""
    for p, cost in ((1.0, 0.0), (0.95, 0.2864)):
        weights = np.array([round(100 * (1 - p)), round(100 * p)] * 2)
        pairs = Ensemble("chain", np.array([(0, 0), (0, 1), (1, 1), (1, 0)]), weights)
        stream = stream_ledger(["a"], pairs.rows[:, :1] > 0, pairs.rows[:, 1:] > 0, pairs)
        assert stream.changed_neurons_stream == pytest.approx(p)
        assert stream.given_next.sum() == pytest.approx(cost, abs=1e-4)
        assert stream.restless == ("a",) and p > CROSSING
        by_name = {c.quantity: c for c in compare_stream(stream)}
        assert by_name["given_next"].holds is False and "1 of 1" in by_name["given_next"].note
        assert stream_identity(stream).holds


def test_a_calm_neuron_below_its_toggle_rate_is_noticed() -> None:
    pairs = Ensemble("pairs", np.array([(0, 0), (0, 1), (1, 1), (1, 0)]))
    stream = stream_ledger(["a"], pairs.rows[:, :1] > 0, pairs.rows[:, 1:] > 0, pairs)
    assert stream_identity(stream).holds and not stream.restless
    assert not stream_identity(replace(stream, changed=stream.given_next + 0.1)).holds


# --- stationarity ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("up", "down"), [(0.5, 0.5), (0.02, 0.02), (0.01, 0.09), (0.95, 0.95), (1.0, 1.0)]
)
def test_stationary_chains_are_rarely_called_drifting(up: float, down: float) -> None:
    called = sum(bool(drifting(chain(up, down, 2000, seed))[0]) for seed in range(40))
    assert called <= 3


def test_a_stream_that_changes_half_way_is_called_drifting() -> None:
    random = np.random.default_rng(1)
    early, late = random.random((500, 3)) < 0.2, random.random((500, 3)) < [0.2, 0.4, 0.2]
    assert drifting(np.vstack([early, late])).tolist() == [False, True, False]
    assert drifting(np.repeat([[False], [True]], 50, axis=0)).tolist() == [True]


def test_many_calm_neurons_are_not_called_drifting_by_chance() -> None:
    """1 % for all of 300 neurons together: 20 streams should hold a fifth of a false call."""
    streams = np.random.default_rng(3).random((20, 400, 300)) < 0.3
    assert sum(bool(drifting(stream).any()) for stream in streams) <= 2


# --- the device -----------------------------------------------------------------------------------


def ints(*values: int) -> np.ndarray:
    return np.array(values)


def dense(weights: list[list[int]], bias: list[int]) -> Dense:
    return Dense(np.array(weights), np.array(bias))


PAIR = dense([[2, -3], [1, 1]], [1, -2])
FORMS = {
    "signs": (PAIR, Sign(), dense([[1, -1]], [0]), Sign()),
    "a shift and a clamp": (PAIR, Relu(), Requantise(ints(1, 0)), Clamp(0, 3)),
    "negative ends": (PAIR, Clamp(-3, 2), dense([[2, 1]], [1]), Relu()),
    "a layer without neurons": (PAIR, dense([[1, -1], [0, 1]], [0, 0]), Threshold(ints(0, 3))),
    "a constant neuron": (PAIR, Threshold(ints(90, -90)), dense([[1, 1]], [0]), Relu()),
}


def network(name: str) -> Network:
    if name in FORMS:
        return Network(name, ints(-2, 0), ints(1, 3), FORMS[name])
    return rs.load(name)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["xor", "toy", "digits", *FORMS])
def test_every_way_to_overwrite_costs_what_the_stream_says(name: str, way: str) -> None:
    net = network(name)
    random = np.random.default_rng(5)
    rows = (
        bundled_data("digits")[0][:120]
        if name == "digits"
        else random.integers(net.input_low, net.input_high + 1, (150, net.inputs))
    )
    reference = rs.run_reference(net, rows)
    states = neuron_states(net, reference)
    stream = stream_of(net, rows, states)
    step = run_step(net, way, states[:-1], rows[1:], states[1:], reference[-1].y[1:])
    assert not step.wrong
    assert step_residual(stream, step) < TOLERANCE
    assert len(stream.names) == len(neuron_names(net)) == states.shape[1]


def test_pairs_may_be_weighed() -> None:
    """All 16 x 16 pairs of independent inputs: the new states say nothing of the old ones."""
    net = rs.load("toy")
    rows = rs.uniform(net.input_low, net.input_high).rows
    first, second = np.divmod(np.arange(256), 16)
    reference = rs.run_reference(net, rows)
    states = neuron_states(net, reference)
    pairs = Ensemble("pairs", np.hstack([rows[first], rows[second]]), enumerated=True)
    stream = stream_ledger(neuron_names(net), states[first], states[second], pairs)
    assert not stream.ceiling
    assert stream.given_next == pytest.approx(stream.state_entropy)  # independent: nothing to see
    assert stream.changed_neurons_stream == pytest.approx(1.875)
    after = reference[-1].y[second]
    for way in WAYS:
        step = run_step(net, way, states[first], rows[second], states[second], after)
        assert not step.wrong and step_residual(stream, step) < TOLERANCE


def test_the_conditional_reset_is_free_and_its_flag_is_not() -> None:
    """A slow neuron: resets by a flag flip fewer bits, but given the new value nothing is saved."""
    rows = chain(0.1, 0.1, 4000, 7).astype(int)
    net = Network("copy", ints(0), ints(1), (dense([[1]], [0]), Threshold(ints(1))))
    report = rs.verify(net, rs.data_set(rows), policy="bennett", input="keep", stream=True)
    assert report.holds
    reset, known, flag = report.stream.steps
    assert flag.causes["neuron_state"].given_kept == 0
    assert flag.given_next == pytest.approx(known.given_next)
    assert flag.causes["flag"].ones_flipped == report.stream.stream.changed_neurons_stream
    assert flag.total.ones_flipped < known.total.ones_flipped == reset.total.ones_flipped
    assert flag.total.reset_count == 2 * known.total.reset_count
    assert known.given_next < 0.5 < 0.99 < reset.given_next


def test_a_flag_that_is_forgotten_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(net: Network, way: str) -> Circuit:
        circuit = compile_stream(net, way)
        kept = [not (isinstance(i, Erase) and i.cause == "flag") for i in circuit.body]
        body = tuple(i for i, k in zip(circuit.body, kept, strict=True) if k)
        layers = tuple(n for n, k in zip(circuit.layer_of, kept, strict=True) if k)
        return replace(circuit, body=body, layer_of=layers)

    monkeypatch.setattr("revsim.streaming.compile_stream", broken)
    rows = np.random.default_rng(0).integers(0, 4, (50, 2))
    report = rs.verify("toy", rows, policy="bennett", input="keep", stream=True)
    assert not report.holds
    assert [bool(step.wrong) for step in report.stream.steps] == [False, False, True]
    assert "FAILS" in str(report)


# --- the report -----------------------------------------------------------------------------------


def test_the_order_of_rows_matters_to_the_stream_alone() -> None:
    rows = bundled_data("digits")[0][:200]
    mixed = rows[np.random.default_rng(2).permutation(len(rows))]
    one, two = (
        rs.verify("digits", r, policy="bennett", input="keep", stream=True).as_dict()
        for r in (rows, mixed)
    )
    first, second = one.pop("stream"), two.pop("stream")
    assert first["sha256"] != second["sha256"]
    assert first["changed_neurons_stream"] != second["changed_neurons_stream"]
    assert one == two


def test_the_command_prints_the_stream_as_text_and_json(tmp_path, capsys) -> None:
    np.save(tmp_path / "rows.npy", np.random.default_rng(3).integers(0, 4, (400, 2)))
    arguments = ["verify", "toy", "--data", str(tmp_path / "rows.npy"), "--policy", "bennett"]
    assert main([*arguments, "--stream"]) == 0
    text = capsys.readouterr().out
    assert "Stream: states are kept" in text and "stationary" in text
    assert max(map(len, text.splitlines())) <= 80
    assert main([*arguments, "--stream", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {i["id"]: i["holds"] for i in found["runs"][0]["identities"]}["stream"] is True
    assert [s["way"] for s in found["stream"]["steps"]] == list(WAYS)
    assert all(s["holds"] for s in found["stream"]["steps"])
    assert main([*arguments, "--json"]) == 0
    assert "stream" not in json.loads(capsys.readouterr().out)


def test_a_stream_that_drifts_is_reported() -> None:
    random = np.random.default_rng(4)
    rows = np.vstack([random.integers(0, 2, (300, 2)), random.integers(2, 4, (300, 2))])
    report = rs.verify("toy", rows, policy="bennett", input="keep", stream=True)
    assert report.holds and report.stream.as_dict()["stationary"] is False
    assert "NOT stationary" in str(report)
    assert all("not stationary" in c.note for c in compare_stream(report.stream.stream))


@pytest.mark.parametrize(
    ("ensemble", "said"),
    [
        (lambda: rs.uniform([0, 0], [3, 3]), "enumerates inputs"),
        (lambda: rs.data_set([[0, 1], [1, 1]], [1, 2]), "weighs its rows"),
        (lambda: rs.data_set([[0, 1]]), "at least 2 rows"),
    ],
)
def test_what_has_no_order_is_no_stream(ensemble, said: str) -> None:
    with pytest.raises(InputError, match=said):
        rs.verify("toy", ensemble(), stream=True)


def test_a_stream_on_the_command_line_needs_data(capsys) -> None:
    assert main(["verify", "toy", "--stream"]) == 2
    assert "--data FILE" in capsys.readouterr().err


def test_a_network_without_neurons_keeps_no_state() -> None:
    net = Network("sums", ints(0), ints(1), (dense([[1]], [0]),))
    with pytest.raises(InputError, match="no neurons"):
        rs.verify(net, [[0], [1]], policy="bennett", stream=True)
    with pytest.raises(InputError, match="no neurons"):
        compile_stream(net)
    with pytest.raises(InputError, match="unknown way"):
        compile_stream(rs.load("toy"), "sideways")
