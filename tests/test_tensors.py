"""Circuits of tensors: positions in lanes give the bits and the counts of positions one by one."""

import numpy as np
import pytest
from convolutions import convolution, expected

from revsim.circuit.unroll import unroll
from revsim.ledger.ledgers import LEDGERS, ledger_rows
from revsim.simulator.ensemble import Ensemble, data_set
from revsim.simulator.run import Run, simulate
from revsim.simulator.tally import Spectrum, Tally

SHAPES = [
    {},
    {"side": 5, "stride": 2, "channels": 3},
    {"side": 3, "kernel": 3, "pad": 0, "channels": 4},
    {"side": 3, "kernel": 1, "pad": 0},
    {"side": 4, "conventional": True},
    {"side": 5, "stride": 2, "conventional": True, "channels": 1},
]


def images(rows: int, side: int, seed: int = 0, weighted: bool = False) -> Ensemble:
    """Random images, some of them alike, with weights 0..5 on request."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 4, (rows, side * side))
    pixels[rows // 2 :] = pixels[: rows - rows // 2]
    return data_set(pixels, random.integers(0, 6, rows) if weighted and rows > 1 else None)


def plain(spectrum: Spectrum) -> tuple[list[int], list[int]]:
    """A spectrum in a form that can be compared."""
    return spectrum.weight.tolist(), spectrum.times.tolist()


def counted(tally: Tally) -> object:
    """Everything that a tally of tensors counts, in a form that can be compared."""
    return (
        tally.total,
        tally.gate_evaluations,
        plain(tally.initial),
        plain(tally.final),
        [
            (
                b.bank,
                b.ones.tolist(),
                plain(b.joint),
                [(s.positions, s.ones.tolist(), plain(s.joint)) for s in b.shared],
            )
            for b in tally.banks
        ],
        [
            (p.layer, p.cause, p.erased, plain(p.ones), [(n, plain(s)) for n, s in p.shared])
            for p in tally.positions
        ],
        [
            (
                g.layer,
                plain(g.inputs),
                plain(g.output),
                [(n, plain(i), plain(o)) for n, i, o in g.shared],
            )
            for g in tally.position_gates
        ],
        [
            (g.layer, g.cause, plain(g.before), plain(g.after), [plain(j) for j in g.joint])
            for g in tally.groups
        ],
        [str(v) for v in tally.violations],
    )


def same(first: Run, second: Run) -> None:
    """Two runs gave the same bits and counts."""
    assert np.array_equal(first.outputs, second.outputs)
    assert counted(first.tally) == counted(second.tally)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("rows", "weighted"), [(1, False), (7, True), (64, False), (130, True)])
def test_lanes_are_positions_one_by_one(shape: dict[str, int], rows: int, weighted: bool) -> None:
    circuit, reads, weights = convolution(**shape)
    ensemble = images(rows, shape.get("side", 4), weighted=weighted)
    seen = {}
    run = simulate(circuit, ensemble, threads=1, on_mark=lambda n, p, v: seen.update({n: (p, v)}))
    same(run, simulate(circuit, ensemble, executor="numpy"))
    same(run, simulate(circuit, ensemble, threads=3))
    places, values = seen["y"]
    assert places.tolist() == list(range(values.shape[1]))
    if not shape.get("conventional"):
        assert np.array_equal(values, expected(ensemble.rows, reads, weights))
    assert np.array_equal(run.outputs, values % 16)

    one_by_one = simulate(unroll(circuit), ensemble)
    assert np.array_equal(run.outputs, one_by_one.outputs)
    assert run.tally.gate_evaluations == one_by_one.tally.gate_evaluations
    assert plain(run.tally.final) == plain(one_by_one.tally.final)
    for here, there in zip(ledger_rows(run.tally), ledger_rows(one_by_one.tally), strict=True):
        assert (here.layer, here.cause) == (there.layer, there.cause)
        for name, _ in LEDGERS:
            assert getattr(here.ledgers, name) == pytest.approx(
                getattr(there.ledgers, name), abs=1e-9
            )
