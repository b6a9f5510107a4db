"""Every circuit of the folder computes what its comment says, on all inputs."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from revsim.circuit.definition import Circuit, Erase
from revsim.circuit.validate import linear_layers
from revsim.formats.qasm3 import dumps, load, loads
from revsim.simulator.ensemble import uniform
from revsim.simulator.run import simulate

FOLDER = Path(__file__).resolve().parents[1] / "circuits"
FILES = sorted(FOLDER.glob("*.qasm"))

MEANING: dict[str, Callable[..., tuple[int, ...]]] = {
    "half_adder_in_place": lambda a, b: (a ^ b, a & b),
    "half_adder_erasing": lambda a, b: (a ^ b, a & b),
    "half_adder_bennett": lambda a, b: (a, b, a ^ b, a & b),
    "full_adder": lambda a, b, c: (a, b, (a + b + c) % 2, (a + b + c) // 2),
    "majority": lambda a, b, c: (int(a + b + c > 1),),
    "adder4": lambda a, b: (a, a + b),
    "relu8": lambda value: (max(value, 0),),
    "neuron3": lambda a, b, c: (int(2 * a + b - c - 1 >= 0),),
    "argmax4": lambda *v: (*v, int(np.argmax(v))),
    "xor_network": lambda a, b: (a ^ b,),
}


def all_inputs(circuit: Circuit) -> list[tuple[int, ...]]:
    ranges = [range(r.encoding.low, r.encoding.high + 1) for r in circuit.inputs]
    return list(itertools.product(*ranges))


def test_each_file_has_a_meaning_and_a_line_in_the_table() -> None:
    assert {path.stem for path in FILES} == set(MEANING)
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{path.name}`" in table for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
@pytest.mark.parametrize("executor", ["numpy", "literal"])
def test_a_circuit_computes_what_it_says_on_all_inputs(path: Path, executor: str) -> None:
    circuit = load(path)
    rows = all_inputs(circuit)
    low = [r.encoding.low for r in circuit.inputs]
    high = [r.encoding.high for r in circuit.inputs]
    run = simulate(circuit, uniform(low, high), executor=executor)
    assert sorted(map(tuple, run.ensemble.rows.tolist())) == sorted(rows)
    for row, found in zip(run.ensemble.rows.tolist(), run.outputs.tolist(), strict=True):
        assert tuple(found) == MEANING[path.stem](*row), row


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_circuit_survives_a_round_trip(path: Path) -> None:
    text = dumps(load(path))
    assert dumps(loads(text)) == text
    assert linear_layers(load(path)) == ()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_circuit_begins_with_three_to_six_lines_of_comment(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = list(itertools.takewhile(lambda line: line.startswith("//"), lines))
    assert 3 <= len(comment) <= 6
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_circuit_is_openqasm_3(path: Path) -> None:
    openqasm3 = pytest.importorskip("openqasm3")
    openqasm3.parse(path.read_text(encoding="utf-8"))
    openqasm3.parse(dumps(load(path)))


def losses(name: str) -> dict[tuple[str, str], tuple[int, float]]:
    """(layer, cause) -> (bits reset, bits lost given everything kept), uniform inputs."""
    circuit = load(FOLDER / f"{name}.qasm")
    low = [r.encoding.low for r in circuit.inputs]
    high = [r.encoding.high for r in circuit.inputs]
    tally = simulate(circuit, uniform(low, high), executor="numpy").tally
    reset: dict[tuple[str, str], int] = {}
    for item in circuit.body:
        if isinstance(item, Erase):
            reset[item.group] = reset.get(item.group, 0) + len(item.register.wires)
    return {
        (g.layer, g.cause): (reset[g.layer, g.cause], g.before.entropy - g.after.entropy)
        for g in tally.groups
    }


def test_the_linear_layers_of_the_xor_network_lose_half_a_bit_and_the_relu_nothing() -> None:
    assert losses("xor_network") == pytest.approx(
        {
            ("linear 1", "layer_input"): pytest.approx((2, 0.5)),
            ("relu", "activation"): pytest.approx((2, 0.0)),
            ("linear 2", "layer_input"): pytest.approx((3, 0.5)),
        }
    )


def test_the_comments_about_loss_are_true() -> None:
    assert losses("half_adder_in_place") == {}
    assert losses("half_adder_bennett") == {}
    assert losses("full_adder") == {}
    assert losses("argmax4") == {}
    assert losses("half_adder_erasing")["", "inputs"] == pytest.approx((2, 0.5))
    assert losses("majority")["", "garbage"] == pytest.approx((2, 2.0))
    assert losses("relu8")["relu", "activation"] == pytest.approx((8, 3.533001), abs=1e-6)
