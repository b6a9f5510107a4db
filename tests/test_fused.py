"""The fused executor gives what a netlist means, and simulations give what they give literally."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import test_tensors_random as tensors
from differential import counted
from random_programs import circuit as random_circuit
from random_programs import ensemble as random_ensemble

from revsim.bench.lists import multiply_accumulate
from revsim.circuit.program import compile_program
from revsim.errors import InputError
from revsim.simulator.faults import EraseFaults
from revsim.simulator.folding.symbolic import fold
from revsim.simulator.fused import netlist as operations
from revsim.simulator.fused.body import Fused, fused, run
from revsim.simulator.fused.netlist import OPERANDS, RESULTS, Netlist, evaluate
from revsim.simulator.lanes import Words
from revsim.simulator.run import simulate
from revsim.simulator.scheduling import layout
from revsim.simulator.scheduling.layout import ENDS, NUMBERS, READS, WRITES

Ports = npt.NDArray[np.int32]


def random_netlist(random: np.random.Generator, ports: int, count: int) -> Netlist:
    """Operations of all kinds on recent and old literals, now and then on a constant."""
    kind = random.integers(0, len(OPERANDS), count).astype(np.int8)
    operands = np.full((count, 3), -3, dtype=np.int32)
    values = ports
    for i, k in enumerate(kind.tolist()):
        for j in range(OPERANDS[k]):
            recent = max(0, values - 1 - int(random.integers(12)))
            value = recent if random.integers(2) else int(random.integers(values))
            constant = random.integers(30) == 0
            operands[i, j] = -1 - random.integers(2) if constant else 2 * value + random.integers(2)
        values += RESULTS[k]

    def some(count: int) -> Ports:
        return random.integers(-2, 2 * values, count).astype(np.int32)

    changed = random.permutation(ports)[: ports // 2].astype(np.int32)
    promised = [some(1) if random.integers(2) else np.full(2, -2, dtype=np.int32) for _ in range(2)]
    return Netlist(
        ports,
        kind,
        operands,
        np.stack([changed, some(len(changed))], axis=1),
        some(count // 3),
        some(2 * (count // 6)).reshape(-1, 2),
        *promised,
    )


def weight(words: Words, planes: Words) -> int:
    """Total weight of the lanes that hold 1."""
    return sum(int(np.bitwise_count(words & p).sum()) << k for k, p in enumerate(planes))


def agrees(netlist: Netlist, body: Fused, random: np.random.Generator, words: int) -> bool:
    """Whether a body does what a netlist means: some positions of a state of so many words."""
    positions, ports = int(random.integers(1, 12)), netlist.ports
    device = ports * positions + 3
    state = random.integers(0, 1 << 64, (device, words), dtype=np.uint64)
    wires = random.permutation(device)[: ports * positions].reshape(positions, ports)
    planes = random.integers(0, 1 << 64, (int(random.integers(1, 4)), words), dtype=np.uint64)
    planes &= random.integers(0, 1 << 64, words, dtype=np.uint64)
    restored = random.permutation(ports)[: ports // 3].astype(np.int32)
    cut = int(random.integers(positions + 1)) * words  # two tasks, each whole positions
    found, counts, suspect = state.copy(), [], np.zeros(positions * words, dtype=np.uint8)
    for first, last in ((0, cut), (cut, positions * words)):
        here = (last - first) // words
        ones = np.zeros((len(netlist.erased), here), dtype=np.int64)
        joint = np.zeros((len(netlist.tallied), here, 3), dtype=np.int64)
        tables = wires.astype(np.int32), restored
        run(body, found, *tables, first, last, planes, ones, joint, suspect)
        counts.append((ones, joint))
    ones, joint = (np.concatenate([c[k] for c in counts], axis=1) for k in range(2))
    counting = np.bitwise_or.reduce(planes, axis=0)
    meant, same = state.copy(), True
    for p, own in enumerate(wires):
        given = state[own]
        result = evaluate(netlist, given)
        back = np.isin(np.arange(ports), restored)
        meant[own[~back]] = result["ports"][~back]
        broken = (result["free"], result["role"], (result["ports"] ^ given)[back])
        flags = [np.bitwise_or.reduce(b, axis=0) & counting != 0 for b in broken]
        here = suspect[p * words : (p + 1) * words]
        same &= bool((here == sum(f.astype(np.uint8) << k for k, f in enumerate(flags))).all())
        same &= ones[:, p].tolist() == [weight(w, planes) for w in result["erased"]]
        pairs = [(a & b, a, b) for a, b in result["tallied"]]
        same &= joint[:, p].tolist() == [[weight(w, planes) for w in pair] for pair in pairs]
    return same and bool((found == meant).all())


@pytest.mark.parametrize("words", [1, 3, 8, 24])
def test_random_netlists_do_what_they_mean(words: int) -> None:
    random = np.random.default_rng(words)
    for size in (0, 1, 2, *random.integers(3, 90, 40).tolist()):
        netlist = random_netlist(random, int(random.integers(1, 12)), size)
        assert agrees(netlist, fused(netlist), random, words), size


def adders(random: np.random.Generator, ports: int, columns: int, bits: int) -> Netlist:
    """Ports and their complements summed in columns, by adders in random order, mod 2^columns."""
    kind: list[int] = []
    operands: list[tuple[int, int, int]] = []
    values = ports
    heaps = [[int(x) for x in random.integers(0, 2 * ports, bits)] for _ in range(columns)]
    ends = []
    for k, heap in enumerate(heaps):
        while len(heap) > 1:
            random.shuffle(heap)
            x, y, z = heap.pop(), heap.pop(), heap.pop() if heap else -3
            top = k == columns - 1
            if top:
                kind.append(operations.XOR if z == -3 else operations.XOR3)
            else:
                kind.append(operations.HALF if z == -3 else operations.FULL)
                heaps[k + 1].append(2 * values + 2)
            flip = int(random.integers(2)) if top else 0
            operands.append((x ^ flip, y, z))
            heap.append(2 * values ^ flip)
            values += RESULTS[kind[-1]]
        ends.append(heap[0] ^ int(random.integers(2)))
    changed = np.stack([np.arange(columns), ends], axis=1).astype(np.int32)
    none = np.zeros(0, dtype=np.int32)
    erased = np.array(ends[: columns // 2], dtype=np.int32)
    table = np.array(operands, dtype=np.int32).reshape(-1, 3)
    pairs = np.zeros((0, 2), dtype=np.int32)
    return Netlist(ports, np.array(kind, np.int8), table, changed, erased, pairs, none, none)


def shared_bits(random: np.random.Generator, count: int) -> Netlist:
    """Adders and ANDs two of whose bits an XOR reads, too, before or after them, and nothing else;
    the third bit may come of that XOR itself, or the AND's may."""
    ports, kind, operands = 40, list[int](), list[tuple[int, ...]]()
    unread = list(range(ports))

    def add(what: int, *given: int) -> None:
        start = ports + sum(RESULTS[k] for k in kind)
        kind.append(what)
        literals = [2 * value + int(random.integers(2)) for value in given]
        operands.append((*literals, -3)[:3])
        unread.extend(range(start, start + RESULTS[what]))

    for _ in range(count):
        random.shuffle(unread)
        if len(unread) < 4:
            break
        x, y, z, w = (unread.pop() for _ in range(4))
        both = [int(v) for v in random.permutation([x, y])]
        reader = (operations.XOR, *both)
        if random.integers(3) == 0:
            reader = (operations.XOR3, *(int(v) for v in random.permutation([x, y, w])))
        else:
            unread.append(w)
        adder = (operations.FULL, *(int(v) for v in random.permutation([x, y, z])))
        if random.integers(2):
            adder = (operations.AND_XOR, *both, z)
        if random.integers(4) == 0:  # the bit beside the two is made of them
            unread.append(z)
            add(*reader)
            made = unread.pop()
            add(adder[0], *(made if v == z else v for v in adder[1:]))
        else:
            for one in (reader, adder) if random.integers(2) else (adder, reader):
                add(*one)
    changed = [(port, 2 * value) for port, value in zip(range(ports), unread, strict=False)]
    none = np.zeros(0, dtype=np.int32)
    erased = np.array(unread[ports:], dtype=np.int32) * 2
    table, outputs = np.array(operands, dtype=np.int32), np.array(changed, dtype=np.int32)
    pairs = none.reshape(0, 2)
    return Netlist(ports, np.array(kind, np.int8), table, outputs, erased, pairs, none, none)


def test_bits_that_an_xor_reads_beside_an_adder() -> None:
    random = np.random.default_rng(0)
    for count in (*range(1, 5), *(int(n) for n in random.integers(5, 30, 60))):
        netlist = shared_bits(random, count)
        assert agrees(netlist, fused(netlist), random, 1), count


def adders_of(body: Fused) -> tuple[int, int]:
    """(adders in ladders, other rows that compute)."""
    code, at, ladders, others = body.plan.code, 0, 0, 0
    while at < len(code):
        kind, count = code[at : at + 2].tolist()
        ladders += count * ENDS[kind]
        others += count * (kind < layout.COUNT)
        at += 2 + 2 * ENDS[kind] + count * (READS[kind] + WRITES[kind] + NUMBERS[kind])
    return ladders, others


@pytest.mark.parametrize("words", [1, 8])
@pytest.mark.parametrize("bits", [2, 3, 7, 40])
def test_sums_are_added_up_in_another_order(bits: int, words: int) -> None:
    random = np.random.default_rng(bits)
    for columns in (3, 4, 9, 17):
        netlist = adders(random, 30, columns, bits)
        body = fused(netlist)
        assert agrees(netlist, body, random, words), columns
        ladders, others = adders_of(body)
        # Few adders stay as they are, and XORs in the top column that read ports alone.
        assert columns < 9 or bits < 7 or (others <= bits // 3 and ladders)
        if bits == 40:  # hardly more adders than there were: a port added twice is added once
            assert ladders < 1.2 * len(netlist.kind)


def test_adders_in_place_one_after_the_other_are_one_sum() -> None:
    """Each adds wires that are never cleared, which in the end are added once."""
    netlist = fold(compile_program(multiply_accumulate(8, 1)))
    body = fused(netlist)
    ladders, others = adders_of(body)
    assert others == 0 and ladders < 0.8 * len(netlist.kind)
    assert agrees(netlist, body, np.random.default_rng(0), 8)


def test_one_word_takes_the_narrow_kernel() -> None:
    random = np.random.default_rng(0)
    netlist = random_netlist(random, 5, 60)
    ports = random.integers(0, 1 << 64, (5, 1), dtype=np.uint64)
    meant, every = evaluate(netlist, ports), np.arange(5, dtype=np.int32)
    ones = np.zeros((len(netlist.erased), 1), dtype=np.int64)
    joint = np.zeros((len(netlist.tallied), 1, 3), dtype=np.int64)
    body, mask = fused(netlist), np.full((1, 1), ~np.uint64(0))
    assert body.block_words(1) == 1
    run(body, ports, every[None], every[:0], 0, 1, mask, ones, joint, np.zeros(1, dtype=np.uint8))
    np.testing.assert_array_equal(ports, meant["ports"])
    assert ones[:, 0].tolist() == [weight(w, mask) for w in meant["erased"]]


def test_a_wrong_row_is_noticed() -> None:
    """Mutants of the code: another kind of the same shape, or another slot read."""
    random = np.random.default_rng(1)
    noticed = tried = 0
    shapes = list(zip(READS, WRITES, NUMBERS, strict=True))
    for _ in range(30):
        netlist = random_netlist(random, 6, 25)
        body = fused(netlist)
        code, at = body.plan.code.copy(), 0
        heads = []
        while at < len(code):
            heads.append(at)
            at += 2 + int(code[at + 1]) * sum(shapes[code[at]]) + 2 * ENDS[code[at]]
        head = int(random.choice(heads))
        if random.integers(2):
            alike = [k for k in range(layout.COUNT) if shapes[k] == shapes[code[head]]]
            others = [k for k in alike if k != code[head]] or [int(code[head])]
            code[head] = random.choice(others)
        else:
            code[head + 2] = (code[head + 2] + 1) % body.slots
        tried += 1
        mutant = Fused(replace(body.plan, code=code))
        noticed += not agrees(netlist, mutant, np.random.default_rng(2), 8)
    assert noticed >= 0.6 * tried  # what nothing looks at is not noticed


def test_kernels_know_the_kinds() -> None:
    """Kinds stand as literals in the kernels of scheduling and of the executor."""
    names = ("XOR", "XOR3", "AND", "AND_XOR", "MUX", "MAJORITY", "HALF", "FULL")
    assert [getattr(operations, n) for n in names] == list(range(8))
    assert [getattr(layout, n) for n in names] == [0, 4, 1, 5, 8, 10, 12, 15]
    assert (layout.COUNT, layout.JOINT, layout.FREE, layout.ROLE) == (17, 18, 19, 21)
    assert (layout.LADDER, layout.CHAINS) == (23, (1, 2, 4, 8))


@pytest.mark.parametrize("seed", range(6))
def test_circuits_give_the_same_fused(seed: int) -> None:
    circuit = random_circuit(seed)
    ensemble = random_ensemble(seed, (1, 63, 64, 65, 513, 1000)[seed % 6])
    judge = simulate(circuit, ensemble, executor="numpy")
    for threads in (1, 2):
        found = simulate(circuit, ensemble, executor="fused", threads=threads)
        np.testing.assert_array_equal(found.outputs, judge.outputs)
        assert counted(found.tally) == counted(judge.tally)
        assert found.tally.equivalent_gates > 0
        assert found.executor == "fused"
    assert judge.tally.equivalent_gates == 0


@pytest.mark.parametrize("rows", [3, 150])
@pytest.mark.parametrize("sound", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_circuits_of_tensors_give_the_same_fused(seed: int, sound: bool, rows: int) -> None:
    circuit = tensors.random_circuit(seed, sound)
    random = np.random.default_rng(seed)
    table, weights = random.integers(0, 2, (rows, tensors.GIVEN)), random.integers(0, 3, rows)
    expected, broken = tensors.seen(circuit, table, weights, executor="numpy", marks=True)
    for threads in (1, 2):
        found, named = tensors.seen(
            circuit, table, weights, executor="fused", threads=threads, marks=True
        )
        assert found == expected
        assert named <= broken and bool(named) == bool(broken)


def test_what_needs_every_gate_is_refused() -> None:
    circuit, ensemble = random_circuit(0), random_ensemble(0, 4)
    with pytest.raises(InputError, match="every gate"):
        simulate(circuit, ensemble, executor="fused", switching=True)
    with pytest.raises(InputError, match="every gate"):
        simulate(circuit, ensemble, executor="fused", faults=EraseFaults(0.5))
