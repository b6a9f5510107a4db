"""Random definitions and circuits: every gate, promises kept and broken, what sums are made of.

Executors know structures (adders, comparators, selections, whole blocks of the registry), so these
come up often, whole and with one gate wrong: a near miss must be run as what it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
from oracle_circuits import bits

from revsim.blocks.columns import sum_columns, weighted_bits
from revsim.blocks.registry import BLOCKS
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Circuit, Definition, Gates, Table
from revsim.circuit.gates import CCX, CSWAP, CX, ERASE, MCX, OP, ROLE, SWAP, TALLY, A, B, C, X
from revsim.circuit.registers import Register, Wires
from revsim.lower.netlist import Netlist
from revsim.schedule.device import Device
from revsim.simulator.ensemble import Ensemble, data_set

Random = np.random.Generator
Motif = tuple[tuple[int, ...], ...]
"""Gates as (opcode, wire, ...), the target last, on wires 0 to 3, of which 3 may be fresh."""

MOTIFS: tuple[Motif, ...] = (
    # a full adder on a, b, c with a fresh carry d; one that only computes the carry
    ((CX, 0, 1), (CX, 0, 2), (CCX, 1, 2, 3), (CX, 0, 3), (CX, 0, 1), (CX, 1, 2)),
    ((CX, 0, 1), (CX, 0, 2), (CCX, 1, 2, 3), (CX, 0, 3), (CX, 0, 2), (CX, 0, 1)),
    ((CCX, 0, 1, 3), (CX, 0, 1), (CCX, 1, 2, 3), (CX, 1, 2)),
    # half adders, with and without a constant 1 coming in
    ((CCX, 0, 1, 3), (CX, 0, 1)),
    ((CCX, 0, 1, 3), (CX, 0, 3), (CX, 1, 3), (CX, 0, 1), (X, 1)),
    # majority in place and the two ways to undo it and add
    ((CX, 2, 1), (CX, 2, 0), (CCX, 0, 1, 2)),
    ((CCX, 0, 1, 2), (CX, 2, 0), (CX, 0, 1)),
    ((X, 1), (CX, 0, 1), (CCX, 0, 1, 2), (X, 1), (CX, 2, 0), (CX, 2, 1)),
    # selections: a Fredkin, the same from CNOTs and a Toffoli, a masked copy of either polarity
    ((CSWAP, 0, 1, 2),),
    ((CX, 2, 1), (CCX, 0, 1, 2), (CX, 2, 1)),
    ((CCX, 0, 1, 3), (X, 0), (CCX, 0, 2, 3), (X, 0)),
    ((SWAP, 0, 1), (CX, 0, 1), (SWAP, 1, 2)),
)


# --- pieces ---------------------------------------------------------------------------------------


def gates(b: Builder, pool: Wires, random: Random, count: int) -> None:
    """Gates of every kind on a pool of wires, of which there are at least three."""
    for _ in range(count):
        p, q, r, *rest = random.permutation(pool).tolist()
        polarity = random.integers(0, 2, 8).astype(bool).tolist()
        listed = list(zip([p, q, *rest], polarity, strict=False))[: int(random.integers(0, 7))]
        emit: list[Callable[[], None]] = [
            lambda r=r: b.x(r),
            lambda p=p, r=r: b.cx(p, r),
            lambda p=p, q=q, r=r: b.ccx(p, q, r),
            lambda q=q, r=r: b.swap(q, r),
            lambda p=p, q=q, r=r: b.cswap(p, q, r),
            lambda r=r, listed=listed: b.mcx(listed, r),
        ]
        emit[int(random.integers(len(emit)))]()


def put(b: Builder, gate: Sequence[int]) -> None:
    """One gate of a motif."""
    op, *used = gate
    {X: b.x, CX: b.cx, CCX: b.ccx, SWAP: b.swap, CSWAP: b.cswap}[op](*used)


def motifs(b: Builder, pool: Wires, random: Random) -> None:
    """Some motifs of one kind, forward or backward, one after the other or mixed as they come."""
    motif = MOTIFS[int(random.integers(len(MOTIFS)))]
    if random.integers(3) == 0:
        motif = motif[::-1]
    queues = []
    for _ in range(int(random.integers(1, 5))):
        wires = random.permutation(pool)[:4]
        if random.integers(3):
            wires[3] = b.local("fresh")[0]
        queue = [(op, *(int(wires[w]) for w in used)) for op, *used in motif]
        if random.integers(4) == 0:
            queue = near_miss(queue, random)
        queues.append([turned(gate, random) for gate in queue])
    order = random.integers(3)
    while queues:
        k = 0 if order == 0 else int(random.integers(len(queues)))
        if order == 2:  # gate by gate, as the compiler writes a column
            for queue in queues:
                put(b, queue.pop(0))
            queues = [queue for queue in queues if queue]
            continue
        put(b, queues[k].pop(0))
        queues = [queue for queue in queues if queue]


def turned(gate: tuple[int, ...], random: Random) -> tuple[int, ...]:
    """The same gate with its two controls, or the two wires of a swap, in either order."""
    op, *used = gate
    if op == CCX and random.integers(2):
        used[:2] = used[1::-1]
    if op in (SWAP, CSWAP) and random.integers(2):
        used[-2:] = used[:-3:-1]
    return op, *used


def near_miss(queue: list[tuple[int, ...]], random: Random) -> list[tuple[int, ...]]:
    """Gates of which one is left out, said twice, moved or given its wires in another order."""
    out = list(queue)
    k = int(random.integers(len(out)))
    match int(random.integers(4)):
        case 0:
            del out[k]
        case 1:
            out.insert(k, out[int(random.integers(len(out)))])
        case 2:
            out.insert(int(random.integers(len(out))), out.pop(k))
        case _:
            op, *used = out[k]
            out[k] = op, *random.permutation(used).tolist()
    return out or queue


def chain(b: Builder, pool: Wires, random: Random) -> None:
    """A ripple in place: majorities along the wires, something with the last carry, and back."""
    width = max(1, min(len(pool) // 2 - 1, int(random.integers(1, 6))))
    chosen = random.permutation(pool)
    carry, x, y = chosen[:1], chosen[1 : 1 + width], chosen[1 + width : 1 + 2 * width]
    incoming = np.concatenate([carry, x[:-1]])
    rows = [[(CX, p, q), (CX, p, c), (CCX, c, q, p)]
            for p, q, c in zip(x.tolist(), y.tolist(), incoming.tolist(), strict=True)]  # fmt: skip
    forth = [turned(gate, random) for row in rows for gate in row]
    back = forth[::-1]
    if random.integers(2):  # the sum instead of what was there: y[k] ^= carry
        back = []
        for row, c in zip(rows[::-1], incoming[::-1].tolist(), strict=True):
            back += [turned(row[2], random), row[1], (CX, c, row[0][2])]
    if random.integers(3) == 0:
        forth = near_miss(forth, random)
    if random.integers(3) == 0:
        back = near_miss(back, random)
    for gate in forth:
        put(b, gate)
    if len(chosen) > 1 + 2 * width:
        b.cx(x[-1:], chosen[-1:])
    for gate in back:
        put(b, gate)


def columns(b: Builder, pool: Wires, random: Random) -> None:
    """A weighted sum of bits in columns, as the compiler writes linear layers."""
    weights = random.integers(-9, 10, len(pool))
    terms = weighted_bits(pool, weights, int(random.integers(16)))
    total = sum_columns(b, terms, int(random.integers(2, 6)))
    if random.integers(2):
        gates(b, np.concatenate([total, pool]), random, 2)


@cache
def block(number: int, width: int) -> Definition:
    """A block of the registry."""
    return BLOCKS[number].build(width)


def call_block(b: Builder, pool: Wires, random: Random, sound: bool) -> None:
    """A block of the registry on wires of the pool, forward or backward, perhaps one gate wrong."""
    number = int(random.integers(len(BLOCKS)))
    width = max(BLOCKS[number].least_width, int(random.integers(0, 5)))
    callee = block(number, min(width, BLOCKS[number].most_width))
    if not sound and random.integers(3) == 0:
        callee = wrong(callee, random)
    call(b, callee, pool, random, sound)


def call(b: Builder, callee: Definition, pool: Wires, random: Random, sound: bool) -> None:
    """Call a definition on wires of the pool, on fresh ones where it wants zeros or needs more."""
    pool, registers = random.permutation(pool).astype(np.int32), []
    for port in callee.ports:
        given = pool[: port.width]
        if (port.zero_in and (sound or random.integers(2))) or len(given) < port.width:
            given = b.local(f"{port.name}{b.wires}", port.width)
        else:
            pool = pool[port.width :]
        registers.append(given)
    backward = not callee.erases and random.integers(3) == 0
    if backward and sound and any(p.zero_in for p in callee.ports):
        backward = False  # its zeros are promised to come out, and need not
    b.call(callee, *registers, inverse=bool(backward))


def loop(b: Builder, pool: Wires, random: Random) -> None:
    """A few gates on three wires, repeated along the pool where its wires follow each other."""
    step = Builder("step")
    gates(step, step.port("three", 3), random, 3)
    base = np.sort(random.permutation(pool)[:3]).astype(np.int32)
    stride = np.array(random.choice([0, 1, 2], 3), dtype=np.int32)
    count = 0
    while count < 4 and sound_wires(base + count * stride, pool):
        count += 1
    b.loop(step.build(), count, base, stride)


def sound_wires(used: Wires, pool: Wires) -> bool:
    """Whether these are wires of the pool, each once."""
    return len(np.unique(used)) == len(used) and bool(np.isin(used, pool).all())


def netlist(b: Builder, pool: Wires, random: Random) -> None:
    """Gates as a conventional netlist writes them: counted, reset when they die, or any ERASE."""
    for _ in range(int(random.integers(1, 4))):
        p, q, r = random.permutation(pool)[:3].tolist()
        output = b.local("gate")
        if random.integers(2):
            b.conventional_tally(p, q)
        b.ccx(p, q, output) if random.integers(2) else b.cx(p, output)
        b.cx(output, r)
        b.conventional_erase(output, f"cause {random.integers(3)}")
    if random.integers(2):
        b.conventional_erase(random.permutation(pool)[:2], "cause 0")


# --- whole definitions ----------------------------------------------------------------------------


def program(random: Random, sound: bool = False, erases: bool = True, depth: int = 1) -> Definition:
    """x, y, z -> something: computed on locals, used and undone, with calls and loops below.

    Where it is `sound`, locals end at 0 and roles hold whatever comes in, as long as y comes in 0.
    """
    b = Builder(f"depth {depth}")
    x, y = b.port("x", int(random.integers(3, 8))), b.port("y", int(random.integers(1, 5)), True)
    z = b.port("z", int(random.integers(0, 4)))
    inner = b.local("inner", int(random.integers(1, 6)))
    for _ in range(int(random.integers(1, 4))):
        pool = np.concatenate([x, inner])
        start = b.mark()
        for _ in range(int(random.integers(1, 4))):
            piece(b, pool, random, sound, depth)
        stop = b.mark()
        for target in random.permutation(np.concatenate([y, z]))[:3].tolist():
            p, q = random.permutation(pool)[:2].tolist()
            listed = [(p, True), (q, bool(random.integers(2)))][: int(random.integers(3))]
            b.ccx(p, q, target) if random.integers(2) else b.mcx(listed, target)
        if sound or random.integers(8):
            b.undo(start, stop)
        ports = np.concatenate([x, y, z])
        if erases and random.integers(3) == 0:
            netlist(b, ports, random)
        elif random.integers(2):
            gates(b, ports, random, 3)
    made = b.build()
    if not sound and random.integers(2):
        made = wrong(made, random)
    if not sound and random.integers(2):
        made = promised(made, random)
    return made


def piece(b: Builder, pool: Wires, random: Random, sound: bool, depth: int) -> None:
    """Something that can be undone."""
    match int(random.integers(7)):
        case 0:
            gates(b, pool, random, int(random.integers(1, 9)))
        case 1:
            motifs(b, pool, random)
        case 2:
            chain(b, pool, random)
        case 3:
            call_block(b, pool, random, sound)
        case 4:
            loop(b, pool, random)
        case 5:
            columns(b, pool, random)
        case _ if depth:
            call(b, program(random, sound, False, depth - 1), pool, random, sound)


def changed(definition: Definition, random: Random, change: Callable[[Table], Table]) -> Definition:
    """The definition with one of its gate tables changed, if it has any."""
    tables = [k for k, item in enumerate(definition.body) if isinstance(item, Gates)]
    if not tables:
        return definition
    chosen = int(random.choice(tables))
    item = definition.body[chosen]
    assert isinstance(item, Gates)
    body = list(definition.body)
    body[chosen] = Gates(change(item.table.copy()), item.controls)
    return replace(definition, body=tuple(body))


def wrong(definition: Definition, random: Random) -> Definition:
    """One gate left out, doubled, moved, or with its wires in another order."""

    def change(table: Table) -> Table:
        sound: npt.NDArray[np.intp] = np.flatnonzero(~np.isin(table[:, OP], (ERASE, TALLY, MCX)))
        if not len(sound):
            return table
        row = int(random.choice(sound))
        match int(random.integers(4)):
            case 0 if not np.isin(table[:, OP], TALLY).any():  # what a TALLY announces stays
                return np.delete(table, row, axis=0)
            case 1:
                return np.insert(table, row, table[row], axis=0)
            case 2:
                other = int(random.choice(sound))
                table[[row, other]] = table[[other, row]]
            case _:
                held = [k for k in (A, B, C) if table[row, k] >= 0]
                table[row, held] = random.permutation(table[row, held])
        return table

    return changed(definition, random, change)


def promised(definition: Definition, random: Random) -> Definition:
    """Some gates promise what may not be so of their target."""

    def change(table: Table) -> Table:
        for row in np.flatnonzero(table[:, OP] != TALLY).tolist():
            if random.integers(8) == 0:
                table[row, ROLE] = random.integers(3)
        table[table[:, OP] == TALLY, ROLE] = -1  # no gate, no role
        return table

    return changed(definition, random, change)


# --- circuits -------------------------------------------------------------------------------------


def and_xor_netlist(random: Random) -> Definition:
    """Twelve ANDs, ORs and XORs as the compiler writes them for the conventional policy."""
    net = Netlist("netlist")
    literals = [*net.port("x", 5).tolist()]
    y = net.port("y", 3, zero=True)
    for _ in range(12):
        p, q = (int(random.choice(literals)) ^ int(random.integers(2)) for _ in range(2))
        gate = (net.and_, net.or_, net.xor)[int(random.integers(3))]
        literals.append(gate(p, q))
        if literals[-1] < 0:
            literals.pop()
    return net.finish(literals[-3:], y)


def circuit(seed: int, sound: bool = True) -> Circuit:
    """Definitions in two layers, a netlist that erases inside, groups of one ERASE and of two, one
    of a register of 70 bits."""
    random = np.random.default_rng(seed)
    device = Device([bits(7), bits(7)])
    x, z = device.inputs

    def called() -> Register:
        definition = program(random, sound)
        taken = [port.width for port in definition.ports]
        y = device.alloc("y", bits(taken[1]))
        device.call(definition, x.wires[: taken[0]], y.wires, z.wires[: taken[2]])
        return y

    device.layer = "first"
    y = called()
    out = device.alloc("out", bits(3))
    device.call(and_xor_netlist(random), x.wires[:5], out.wires)
    device.erase("low", x.wires[:2], "input", "x")
    device.erase("high", x.wires[2:], "input", "x")
    device.layer = "second"
    again = called()
    device.mark("out", [out, again])
    for register in (y, again):
        device.erase("y", register.wires, "input", "y")
        device.free("y", register.wires)
    wide = device.alloc("wide", bits(70))
    b = Builder("spread")
    source, target = b.port("source", 3), b.port("target", 70, zero=True)
    b.cx(np.resize(source, 70), target)
    device.call(b.build(), out.wires, wide.wires)
    device.erase("wide", wide.wires, "copies", "out")
    device.free("wide", wide.wires)
    return device.circuit("random", [out, x], (), "as_written", "destroy", "")


def ensemble(seed: int, rows: int) -> Ensemble:
    """Rows for a random circuit; weights on two of three seeds, some of them 0."""
    random = np.random.default_rng([seed, rows])
    values = random.integers(0, 1 << 7, (rows, 2))
    if seed % 3 == 0:
        return data_set(values)
    weights = random.integers(0, (4, 1 << 40)[seed % 2], rows)
    weights[0] += 1  # the others may be 0
    return data_set(values, weights)
