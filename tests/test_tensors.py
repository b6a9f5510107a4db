"""Circuits of tensors: positions in lanes give the bits and the counts of positions one by one."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from convolutions import WIDTH, convolution, expected, netlist
from differential import comparable, counted, few_ways, same, same_everywhere

from revsim.circuit.banks import (
    Bank,
    BankErase,
    BankFree,
    BankSet,
    Calls,
    Recipe,
    TensorCircuit,
)
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Erase, Gates, Port
from revsim.circuit.gates import ROLE, Role
from revsim.circuit.registers import Encoding
from revsim.circuit.unroll import unroll
from revsim.errors import CheckError, InputError
from revsim.ledger.ledgers import (
    LEDGERS,
    Ledgers,
    ledger_rows,
    of_position_gates,
    of_positions,
    total_of,
)
from revsim.simulator import positions
from revsim.simulator.code_cache import CACHE_MEGABYTES, CodeCache
from revsim.simulator.ensemble import Ensemble, data_set
from revsim.simulator.executors import EXECUTORS
from revsim.simulator.lanes import unpack
from revsim.simulator.literal import kernels
from revsim.simulator.run import simulate
from revsim.simulator.statistics import spectrum_of_rows, spectrum_of_wires

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


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("rows", "weighted"), [(1, False), (7, True), (64, False), (130, True)])
def test_lanes_are_positions_one_by_one(shape: dict[str, int], rows: int, weighted: bool) -> None:
    circuit, reads, weights = convolution(**shape)
    ensemble = images(rows, shape.get("side", 4), weighted=weighted)
    seen = {}
    same_everywhere(circuit, ensemble, few_ways(rows))
    run = simulate(circuit, ensemble, on_mark=lambda n, p, v: seen.update({n: (p, v)}))
    places, values = seen["y"]
    assert places.tolist() == list(range(values.shape[1]))
    if not shape.get("conventional"):
        assert np.array_equal(values, expected(ensemble.rows, reads, weights))
    assert np.array_equal(run.outputs, values % 16)

    one_by_one = simulate(unroll(circuit), ensemble)
    assert np.array_equal(run.outputs, one_by_one.outputs)
    assert run.tally.gate_evaluations == one_by_one.tally.gate_evaluations
    assert comparable(run.tally.final) == comparable(one_by_one.tally.final)
    for here, there in zip(ledger_rows(run.tally), ledger_rows(one_by_one.tally), strict=True):
        assert (here.layer, here.cause) == (there.layer, there.cause)
        for name, _ in LEDGERS:
            assert getattr(here.ledgers, name) == pytest.approx(
                getattr(there.ledgers, name), abs=1e-9
            )


# --- threads, blocks, batches ---------------------------------------------------------------------


@pytest.mark.parametrize("conventional", [False, True])
def test_any_block_size_gives_the_same(conventional: bool) -> None:
    circuit, _, _ = convolution(side=5, channels=2, conventional=conventional)
    same_everywhere(circuit, images(200, 5, weighted=True))


def test_a_task_holds_few_counters_and_the_sums_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    circuit, _, _ = convolution(side=6, channels=1, conventional=True)
    channels = np.arange(36) % 5
    body = tuple(
        replace(item, channels=channels) if isinstance(item, Calls) else item
        for item in circuit.body
    )
    circuit, ensemble = replace(circuit, body=body), images(100, 6)
    whole = simulate(circuit, ensemble, executor="numpy")
    same(simulate(circuit, ensemble, threads=1), whole)
    monkeypatch.setattr(positions, "COUNTERS", 1)
    monkeypatch.setattr("revsim.simulator.fold.MERGED", 2)
    same(simulate(circuit, ensemble, threads=2), whole)


def chain(links: int) -> TensorCircuit:
    """Each link copies a bit onto the next wire, so that none may run before the one before it."""
    bit = Encoding.unsigned(0, 1)

    def make() -> Definition:
        b = Builder("copy")
        x, y = b.port("x", 1), b.port("y", 1, zero=True)
        b.cx(x, y)
        return b.build()

    copy = Recipe("copy", (Port("x", 1), Port("y", 1, True)), make)
    wires = np.arange(links + 1, dtype=np.int32)[:, None]
    steps = [Calls(copy, (wires[k : k + 1], wires[k + 1 : k + 2])) for k in range(links)]
    body = (*steps, *[Calls(c.recipe, c.wires, inverse=True) for c in reversed(steps[:-1])])
    ends = Bank("x", wires[:1], bit), Bank("y", wires[links:], bit)
    return TensorCircuit(
        "chain", links + 1, body, ends[:1], ends[1:], input_choice="keep", ranges=((0, 1),)
    )


@pytest.mark.parametrize("links", [1, 2, 40, 100])
def test_calls_wait_for_what_they_read(links: int) -> None:
    circuit, ensemble = chain(links), data_set([[0], [1], [1]])
    for _ in range(2):  # the second run knows where the batches end
        run = simulate(circuit, ensemble, threads=3)
        assert run.outputs.ravel().tolist() == [0, 1, 1]
        same(run, simulate(circuit, ensemble, executor="numpy"))


def test_a_program_cache_of_any_size_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit, _, _ = convolution(channels=4)
    ensemble = images(20, 4)
    whole = simulate(circuit, ensemble)
    for megabytes in ("0", "1"):
        monkeypatch.setenv(CACHE_MEGABYTES, megabytes)
        monkeypatch.setattr(positions, "CODES", CodeCache())
        same(simulate(circuit, ensemble), whole)
        assert positions.CODES.bytes <= int(megabytes) << 20
    monkeypatch.setenv(CACHE_MEGABYTES, "much")
    with pytest.raises(InputError, match="whole number of megabytes"):
        CodeCache().get(chain(1).body[0].recipe, False)  # type: ignore[union-attr]


# --- tallies --------------------------------------------------------------------------------------


def shared_by_hand(circuit: TensorCircuit, ensemble: Ensemble) -> Ledgers:
    """What shared hardware pays for the ERASEs of banks: pool all positions of a channel."""
    held: dict[str, list[tuple[Erase, np.ndarray]]] = {}
    simulate(
        unroll(circuit),
        ensemble,
        on_erase=lambda item, bits: held.setdefault(item.register.name.split("[")[0], []).append(
            (item, bits)
        ),
    )
    weights = np.ones(len(ensemble.rows)) if ensemble.weights is None else ensemble.weights
    per_bit = per_register = 0.0
    for item in circuit.body:
        if isinstance(item, BankErase):
            # [registers, width, rows]
            erased = np.array([bits for _, bits in held[item.bank.name]])
            for channel in range(item.shape[1]):
                mine = erased[item.places % item.shape[1] == channel]
                given = np.tile(weights, len(mine))
                values = (mine * (1 << np.arange(mine.shape[1]))[:, None]).sum(axis=1).ravel()
                per_register += len(mine) * entropy(np.bincount(values, given))
                for bit in np.swapaxes(mine, 0, 1).reshape(mine.shape[1], -1):
                    per_bit += len(mine) * entropy(np.bincount(bit.astype(int), given))
    return Ledgers(per_bit=per_bit, per_register=per_register)


def entropy(counts: np.ndarray) -> float:
    """In bits, of a distribution in proportion to these counts."""
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum())


@pytest.mark.parametrize("weighted", [False, True])
def test_shared_hardware_pools_the_positions_of_a_channel(weighted: bool) -> None:
    circuit, _, _ = convolution(side=5, stride=2, channels=3)
    ensemble = images(50, 5, weighted=weighted)
    tally = simulate(circuit, ensemble).tally
    shared, by_hand = total_of(ledger_rows(tally, "shared")), shared_by_hand(circuit, ensemble)
    assert shared.per_bit == pytest.approx(by_hand.per_bit, abs=1e-9)
    assert shared.per_register == pytest.approx(by_hand.per_register, abs=1e-9)
    own = total_of(ledger_rows(tally))
    assert shared.per_bit > own.per_bit and shared.per_register > own.per_register
    assert (shared.reset_count, shared.given_kept) == (own.reset_count, own.given_kept)
    with pytest.raises(InputError, match="choose one of dedicated, shared"):
        ledger_rows(tally, "borrowed")


def test_shared_netlists_pool_their_gates() -> None:
    circuit, reads, _ = convolution(side=4, channels=1, conventional=True)
    ensemble = images(40, 4)
    tally = simulate(circuit, ensemble).tally
    (netlists,), (gates,) = tally.positions, tally.position_gates
    held = np.concatenate([ensemble.rows, np.full((40, 9), 2)], axis=1)
    taps = held[:, reads].reshape(-1, 9)  # one row per (row, position)
    bits = np.stack([taps & 1, taps >> 1], axis=2).reshape(len(taps), 18)
    pairs = [(bits[:, 2 * k], bits[:, 2 * k + 3]) for k in range(6)]
    per_bit = sum(16 * entropy(np.bincount(a & b)) for a, b in pairs)
    lost = 0.0
    for a, b in pairs:  # an AND, then an XOR of it with b
        lost += 16 * (entropy(np.bincount(2 * a + b)) - entropy(np.bincount(a & b)))
        lost += 16 * (entropy(np.bincount(2 * (a & b) + b)) - entropy(np.bincount(a & b ^ b)))
    found = of_positions(netlists, tally.total, "shared")
    assert found.per_bit == pytest.approx(per_bit, abs=1e-9)
    assert of_position_gates(gates, tally.total, "shared").gate_local == pytest.approx(lost)
    assert found.per_bit > of_positions(netlists, tally.total).per_bit


def test_channels_say_what_a_netlist_serves() -> None:
    """Positions of two channels in one call are two pools."""
    circuit, _, _ = convolution(side=4, channels=1, conventional=True)
    halves = np.arange(16) % 2
    body = tuple(
        replace(item, channels=halves) if isinstance(item, Calls) else item for item in circuit.body
    )
    ensemble = images(40, 4)
    both = replace(circuit, body=body)
    one, two = (simulate(c, ensemble).tally for c in (circuit, both))
    same(simulate(both, ensemble), simulate(both, ensemble, executor="numpy"))
    assert [n for n, _ in one.positions[0].shared] == [16]
    assert [n for n, _ in two.positions[0].shared] == [8]
    own = of_positions(one.positions[0], 40)
    assert own == of_positions(two.positions[0], 40)
    costs = [of_positions(t.positions[0], 40, "shared").per_bit for t in (one, two)]
    assert costs[0] >= costs[1] >= own.per_bit


def test_hash_of_many_wires_tells_states_apart() -> None:
    random = np.random.default_rng(5)
    state = random.integers(0, 1 << 64, (700, 4), dtype=np.uint64)
    for count in (21, 64, 65, 700):
        wires = random.permutation(700)[:count].astype(np.int32)
        rows = np.packbits(unpack(state[wires], 200), axis=0).T
        rows[100:] = rows[:100]
        held = state.copy()
        held[:, 0], held[:, 1] = state[:, 0], state[:, 0]
        expected_rows = np.packbits(unpack(held[wires], 128), axis=0).T
        assert comparable(spectrum_of_wires(held, wires, 128, None)) == comparable(
            spectrum_of_rows(expected_rows, None)
        )
    one = np.zeros((1 << 12, 1), dtype=np.uint64)
    one[np.arange(64), 0] = np.uint64(1) << np.arange(64, dtype=np.uint64)
    found = spectrum_of_wires(one, np.arange(1 << 12, dtype=np.int32), 64, None)
    assert comparable(found) == ([1], [64])


# --- broken promises ------------------------------------------------------------------------------


def broken(kind: str) -> Recipe:
    """A neuron that breaks a promise where the low bits of its third and fourth tap are 1."""

    def make() -> Definition:
        b = Builder(f"breaks {kind}")
        x, y = b.port("x", 18), b.port("y", WIDTH, zero=True)
        if kind == "ancilla":
            local = b.local("dirty")
            b.ccx(x[4], x[6], local)
        elif kind == "role":
            b.ccx(x[4], x[6], y[0])
            again = b.local("again")
            b.ccx(x[4], x[6], again)
            start = b.mark()
            b.cx(y[0], again)
            stop = b.mark()
            b.undo(start, stop)
            b.ccx(x[4], x[6], again)
            broken_table = b.build().body[0]
            assert isinstance(broken_table, Gates)
            table = broken_table.table.copy()
            table[0, ROLE], table[-1, ROLE] = Role.UNCOMPUTE, Role.UNCOMPUTE
            return replace(b.build(), body=(Gates(table),))
        else:  # a wire that is read is left changed now and then
            b.mcx([(int(x[k]), True) for k in range(2, 18)], int(x[0]))
            b.mcx([(int(x[k]), True) for k in range(4, 18)], int(x[0]))
        return b.build()

    return Recipe(f"breaks {kind}", (Port("x", 18), Port("y", WIDTH, True)), make)


@pytest.mark.parametrize("kind", ["ancilla", "role"])
@pytest.mark.parametrize("rows", [1, 64, 300])
def test_broken_promises_name_position_row_and_wire(kind: str, rows: int) -> None:
    circuit, reads, _ = convolution(side=4, channels=2, recipes=(netlist(9), broken(kind)))
    pixels = np.zeros((rows, 16), dtype=np.int64)
    position = int(np.flatnonzero((reads[:, 2] < 16) & (reads[:, 3] < 16))[-1])
    pixels[rows - 1, reads[position, 2:4]] = 1
    said = []
    for executor in EXECUTORS:
        with pytest.raises(CheckError) as raised:
            simulate(circuit, data_set(pixels), executor=executor)
        said.append(str(raised.value))
    wire = {"ancilla": "dirty[0] is released", "role": "y[0] breaks the role"}[kind]
    assert len(set(said)) == 1
    assert f"layer 'conv', position {position}, definition 'breaks {kind}': {wire}" in said[0]
    assert f"row {rows - 1}" in said[0]
    weights = np.ones(rows, dtype=np.int64)
    weights[rows - 1] = 0
    if rows > 1 and kind == "ancilla":  # a row that does not count breaks nothing
        silent = simulate(circuit, data_set(pixels, weights), strict=False).tally.violations
        assert not [v for v in silent if v.definition == "breaks ancilla"]


def test_a_wire_that_is_read_must_be_left_as_it_was() -> None:
    circuit, _, _ = convolution(side=3, pad=0, channels=1, recipes=(broken("restored"),))
    pixels = np.zeros((70, 9), dtype=np.int64)
    pixels[66] = 3
    pixels[66, 1] = 0  # both controls of the second, not of the first
    with pytest.raises(CheckError, match=r"position 0.*x\[0\] \(read, changed\).*row 66"):
        simulate(circuit, data_set(pixels))
    weights = np.ones(70, dtype=np.int64)
    weights[66] = 0  # a row that does not count breaks nothing there
    silent = simulate(circuit, data_set(pixels, weights), strict=False).tally.violations
    assert not [v for v in silent if v.definition == "breaks restored"]


def test_positions_that_write_one_wire_are_refused() -> None:
    circuit, _, _ = convolution()
    for executor in EXECUTORS:
        calls = next(item for item in circuit.body if isinstance(item, Calls))
        x, y = calls.wires
        wrong = Calls(calls.recipe, (x, np.repeat(y[:1], len(y), axis=0)))
        body = tuple(wrong if item is calls else item for item in circuit.body)
        with pytest.raises(InputError, match="two positions share a wire"):
            simulate(replace(circuit, body=body), images(3, 4), executor=executor)


def test_a_position_with_one_wire_at_two_ports_is_refused() -> None:
    """Padding that all taps of a position share, which sums complement for a time."""
    circuit, reads, _ = convolution()
    first = int(np.flatnonzero((reads >= 16).sum(axis=1) > 1)[0])
    start = next(b.bank.wires[0] for b in circuit.body if isinstance(b, BankSet))
    body = tuple(
        replace(item, wires=(_one_padding(item.wires[0], reads, start), item.wires[1]))
        if isinstance(item, Calls)
        else item
        for item in circuit.body
    )
    shared = replace(circuit, body=body)
    for executor in EXECUTORS:
        with pytest.raises(InputError, match=f"position {first} is given wire .* at two ports"):
            simulate(shared, images(3, 4), executor=executor)
    with pytest.raises(InputError, match="uses a wire twice"):
        simulate(unroll(shared), images(3, 4))


def _one_padding(x: np.ndarray, reads: np.ndarray, register: np.ndarray) -> np.ndarray:
    taps = x.reshape(*reads.shape, -1).copy()
    taps[reads >= 16] = register
    return taps.reshape(x.shape)


def test_what_is_freed_or_left_dirty_is_named() -> None:
    circuit, _, _ = convolution()
    for executor in EXECUTORS:
        early = [item for item in circuit.body if not isinstance(item, BankErase)]
        with pytest.raises(CheckError, match=r"pixels\[\d+\] bit \d is released"):
            simulate(replace(circuit, body=tuple(early), layer_of=()), images(3, 4))
        kept = [item for item in early if not isinstance(item, BankFree)]
        with pytest.raises(CheckError, match=r"device wire \d+ at the end"):
            simulate(
                replace(circuit, body=tuple(kept), layer_of=()), images(3, 4), executor=executor
            )


def test_rows_of_what_is_left_dirty_are_named() -> None:
    """The first row that counts, in whatever word: of a bank that goes, a wire at the end, and an
    input that should have stayed."""
    bit = Encoding.unsigned(0, 1)
    x = Bank("x", np.arange(2, dtype=np.int32)[:, None], bit)
    one = replace(x, name="one", wires=x.wires[1:])
    rows = np.zeros((200, 2), dtype=np.int64)
    rows[[70, 150, 190], 1] = 1
    weights = np.ones(200, dtype=np.int64)
    weights[70] = 0
    gone = TensorCircuit("gone", 2, (BankFree(one),), (x,), (x,))
    ends = (replace(x, wires=x.wires[:1]),)
    left = TensorCircuit("left", 2, (), (x,), ends, input_choice="destroy")
    for circuit, named in ((gone, r"one\[0\] bit 0"), (left, "device wire 1 at the end")):
        for executor in EXECUTORS:
            with pytest.raises(CheckError, match=f"{named} is released.*row 150"):
                simulate(circuit, data_set(rows, weights), executor=executor)
    erased = BankErase(one, "", "", "", np.arange(1), (1, 1))
    kept = TensorCircuit("kept", 2, (erased,), (x,), (x,), input_choice="keep")
    with pytest.raises(CheckError, match=r"x\[1\] \(kept input, changed\).*row 70"):
        simulate(kept, data_set(rows))


def test_inputs_and_tables_that_do_not_fit_are_refused() -> None:
    circuit, _, _ = convolution()
    with pytest.raises(InputError, match="has 15 values per row"):
        simulate(circuit, data_set(np.zeros((1, 15), dtype=int)))
    wrong = np.zeros((2, 16), dtype=int)
    wrong[1, 5] = 4
    with pytest.raises(InputError, match="row 1: value 5 of 'pixels' is 4"):
        simulate(circuit, data_set(wrong))
    with pytest.raises(InputError, match="a wire outside"):
        simulate(replace(circuit, width=20), images(1, 4))
    with pytest.raises(InputError, match="no switching"):
        simulate(circuit, images(1, 4), switching=True)
    with pytest.raises(InputError, match="use fewer rows"):
        simulate(replace(circuit, width=1 << 31), images(64, 4))
    with pytest.raises(InputError, match="are unrolled"):
        unroll(replace(circuit, body=circuit.body * (1 << 16)))


# --- the kernels, mutated -------------------------------------------------------------------------


@pytest.mark.parametrize("place", range(4))
def test_a_wrong_kernel_is_noticed(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """The readable executor judges: no lane, plane, stored port or gate goes wrong unseen."""
    circuit, _, _ = convolution(side=5, conventional=True)
    ensemble = images(150, 5, weighted=True)
    truth = simulate(circuit, ensemble, executor="numpy")
    right = kernels.runner

    def wrong(block: int, *given: object) -> None:
        arguments = list(given)
        if place == 0:  # the last lane is left out
            arguments[10] = max(int(arguments[9]), int(arguments[10]) - 1)  # type: ignore[call-overload]
        elif place == 1:  # a port is not stored
            arguments[6] = arguments[6][1:]  # type: ignore[index]
        elif place == 2:  # the weights of the first word count everywhere
            arguments[12] = np.roll(arguments[12], 1, axis=1)  # type: ignore[call-overload]
        else:  # one gate too few
            arguments[0] = arguments[0][1:]  # type: ignore[index]
        right(block)(*arguments)

    monkeypatch.setattr(kernels, "runner", lambda block: partial(wrong, block))
    run = simulate(circuit, ensemble, strict=False, threads=1)
    alike = np.array_equal(run.outputs, truth.outputs) and counted(run.tally) == counted(
        truth.tally
    )
    assert not alike
