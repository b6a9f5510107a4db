"""The conventional form of a neuron: two-input AND and XOR gates, each on a wire of its own, and a
reset of every gate output as soon as nothing reads it any more.

This is the irreversible baseline, with the same adder graph as the reversible form: 5 gates per
full adder, 2 per half adder. Complements are free (an inverter is a bijection) and so is fan-out.
Before each gate a TALLY row asks for the joint statistics of its two inputs, from which the
gate-local ledger is computed.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from revsim.blocks.columns import Terms, columns_of, weighted_bits
from revsim.blocks.lookup import normal_form, split_of
from revsim.blocks.requantise import requantise_terms
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Gates
from revsim.circuit.gates import COLUMNS, ERASE, EXTRA, OP, ROLE, A, B, C
from revsim.circuit.registers import Encoding, Integers, Wires
from revsim.lower.activation import affine_of
from revsim.lower.layer import LoweredLayer
from revsim.lower.stage import Stage
from revsim.lower.table import reached, spread
from revsim.network.operators import Argmax, Clamp, Maximum, Relu, Requantise, Table, TopK, Wrap

Literals = npt.NDArray[np.int32]
"""2 * wire + complement; FALSE and TRUE stand for constants."""

FALSE, TRUE = -2, -1
CAUSE = "gate_output"


class Netlist:
    """AND/XOR gates written through a `Builder`; constants are folded away."""

    def __init__(self, name: str) -> None:
        self.builder = Builder(name)
        self.ports = 0

    def port(self, name: str, width: int, zero: bool = False) -> Literals:
        """A port as positive literals."""
        wires = self.builder.port(name, width, zero)
        self.ports += width
        return (2 * wires).astype(np.int32)

    def both(self, first: Literals, second: Literals) -> Literals:
        """AND of two arrays of non-constant literals, one gate each."""
        ends = np.concatenate([first, second])
        down = ends[ends & 1 == 1] >> 1
        if len(first) > 1 and len(down):
            down = np.unique(down)  # a shared wire is complemented once for all gates
        if len(first) > 1 and bool(np.isin(down, ends[ends & 1 == 0] >> 1).any()):
            return np.concatenate(
                [self.both(a[None], b[None]) for a, b in zip(first, second, strict=True)]
            )
        out = self.builder.local("and", len(first))
        if len(down):
            self.builder.x(down)
        self.builder.conventional_tally(first >> 1, second >> 1)
        self.builder.ccx(first >> 1, second >> 1, out)
        if len(down):
            self.builder.x(down)
        return (2 * out).astype(np.int32)

    def either(self, first: Literals, second: Literals) -> Literals:
        """OR of two arrays of non-constant literals: an AND with all ends complemented."""
        return self.both(first ^ 1, second ^ 1) ^ 1

    def differ(self, first: Literals, second: Literals) -> Literals:
        """XOR of two arrays of non-constant literals; complements move to the output."""
        out = self.builder.local("xor", len(first))
        self.builder.conventional_tally(first >> 1, second >> 1)
        self.builder.cx(first >> 1, out)
        self.builder.cx(second >> 1, out)
        return (2 * out + ((first ^ second) & 1)).astype(np.int32)

    # --- single literals, constants allowed -----------------------------------------------------

    def and_(self, p: int, q: int) -> int:
        """AND of two literals."""
        if FALSE in (p, q) or p == q ^ 1:
            return FALSE
        if p in (TRUE, q):
            return q
        return p if q == TRUE else int(self.both(_one(p), _one(q))[0])

    def or_(self, p: int, q: int) -> int:
        """OR of two literals."""
        return self.and_(p ^ 1, q ^ 1) ^ 1

    def xor(self, p: int, q: int) -> int:
        """XOR of two literals."""
        if p < 0 or q < 0:
            constant, other = (p, q) if p < 0 else (q, p)
            return other ^ (constant & 1)
        if p >> 1 == q >> 1:
            return TRUE if p != q else FALSE
        return int(self.differ(_one(p), _one(q))[0])

    def mux(self, choose: int, when_one: int, when_zero: int) -> int:
        """choose ? when_one : when_zero, three gates."""
        if when_one < 0:
            return (
                self.or_(when_zero, choose)
                if when_one == TRUE
                else self.and_(when_zero, choose ^ 1)
            )
        return self.xor(when_zero, self.and_(choose, self.xor(when_zero, when_one)))

    # --- arithmetic -----------------------------------------------------------------------------

    def sum_columns(self, terms: Terms, value: Sequence[int], width: int) -> list[int]:
        """A sum of terms mod 2^width; term wires index `value`, whose literals may be constant."""
        literals = np.array(value, dtype=np.int32)
        constant = terms.constant
        carries = np.zeros(0, dtype=np.int32)
        result: list[int] = []
        for k, (index, negative) in enumerate(columns_of(terms, width)):
            bits, twice, ones = _merged(np.concatenate([literals[index] ^ negative, carries]))
            constant += ones << k
            arrived: list[Literals] = [twice] if len(twice) else []
            top = k == width - 1
            while len(bits) >= 3:
                n = len(bits) // 3
                a, b, c = bits[:n], bits[n : 2 * n], bits[2 * n : 3 * n]
                half = self.differ(a, b)
                total = self.differ(half, c)
                if not top:
                    arrived.append(self.either(self.both(a, b), self.both(half, c)))
                bits = np.concatenate([bits[3 * n :], total])
            one = (constant >> k) & 1
            if len(bits) == 2:
                if not top:
                    join = self.either if one else self.both
                    arrived.append(join(bits[:1], bits[1:]))
                result.append(int(self.differ(bits[:1], bits[1:])[0]) ^ one)
            elif len(bits) == 1:
                if one and not top:
                    arrived.append(bits)
                result.append(int(bits[0]) ^ one)
            else:
                result.append(FALSE ^ one)
            carries = np.concatenate(arrived) if arrived else np.zeros(0, dtype=np.int32)
        return result

    def at_least(self, value: Sequence[int], constant: int) -> int:
        """value >= constant, unsigned: the carry out of value + 2^n - constant."""
        if constant <= 0:
            return TRUE
        if constant >> len(value):
            return FALSE
        carry = FALSE
        for k, bit in enumerate(value):
            added = ((1 << len(value)) - constant) >> k & 1
            carry = self.or_(bit, carry) if added else self.and_(bit, carry)
        return carry

    def less(self, first: Sequence[int], second: Sequence[int]) -> int:
        """first < second, unsigned, equal widths: the carry out of second + complement of first."""
        carry = FALSE
        for a, b in zip(first, second, strict=True):
            half = self.xor(a ^ 1, b)
            carry = self.or_(self.and_(a ^ 1, b), self.and_(half, carry))
        return carry

    def lookup(self, address: Sequence[int], values: Integers, width: int) -> list[int]:
        """values[address] as `width` literals: the split normal form of blocks/lookup.py."""
        form = normal_form(values, width)
        high = split_of(form)
        low = len(address) - high
        below, above = self._monomials(address[:low]), self._monomials(address[low:])
        result = []
        for cells in form.reshape(width, 1 << high, 1 << low):
            bit = FALSE
            for factor, cell in zip(above, cells, strict=True):
                total = FALSE
                for k in np.flatnonzero(cell).tolist():
                    total = self.xor(total, below[k])
                bit = self.xor(bit, self.and_(factor, total))
            result.append(bit)
        return result

    def _monomials(self, bits: Sequence[int]) -> list[int]:
        """A literal for each product of some of `bits`, indexed by which."""
        made = [TRUE]
        for bit in bits:
            made += [self.and_(bit, m) for m in made]
        return made

    def top_k(self, values: Sequence[Sequence[int]], k: int) -> list[int]:
        """Whether each value is among the k greatest, ties to the lowest index."""
        count = len(values)
        later = {
            (i, j): self.less(values[i], values[j]) for j in range(count) for i in range(j)
        }  # value i < value j
        result = []
        for i in range(count):
            beaten = [later[i, j] for j in range(i + 1, count)]
            beaten += [later[j, i] ^ 1 for j in range(i)]
            wires = np.arange(count - 1, dtype=np.int32)
            terms = weighted_bits(wires, np.ones(count - 1, dtype=np.int64))
            number = self.sum_columns(terms, beaten, (count - 1).bit_length())
            result.append(self.at_least(number, k) ^ 1)
        return result

    # --- result ---------------------------------------------------------------------------------

    def finish(self, outputs: Sequence[int], y: Literals) -> Definition:
        """Let the gates that make the outputs write them on the port `y`, reset all others."""
        wires = y >> 1
        rename: dict[int, int] = {}
        for literal, wire in zip(outputs, wires.tolist(), strict=True):
            source = literal >> 1
            if source >= self.ports and source not in rename:
                rename[source] = wire
            elif literal >= 0:
                self.builder.cx(source, wire)
        # Complements come last, when nothing else reads an output; TRUE is a complemented 0.
        for literal, wire in zip(outputs, wires.tolist(), strict=True):
            if literal & 1:
                self.builder.x(wire)
        built = self.builder.build()
        gates = [item.table for item in built.body if isinstance(item, Gates)]
        table = gates[0].copy() if gates else np.zeros((0, COLUMNS), dtype=np.int32)
        lookup = np.arange(-1, built.wires, dtype=np.int32)
        for source, wire in rename.items():
            lookup[source + 1] = wire
        table[:, A : C + 1] = lookup[table[:, A : C + 1] + 1]
        table[:, ROLE] = _roles(table, self.ports, built.wires, wires)
        table = _reset_when_dead(table, self.ports, built.wires)
        return Definition(
            built.name, built.ports, built.locals, (Gates(table),), built.local_registers, (CAUSE,)
        )


def _one(literal: int) -> Literals:
    return np.array([literal], dtype=np.int32)


def _merged(bits: Literals) -> tuple[Literals, Literals, int]:
    """One column with each wire at most once, what that carries, and how often it is sure to be 1.

    b + b is b in the next column, b + (1 - b) is 1, a constant is a constant.
    """
    if len(np.unique(bits >> 1)) == len(bits) and int(bits.min(initial=0)) >= 0:
        return bits, bits[:0], 0
    standing = Counter(bits.tolist())
    ones = standing.pop(TRUE, 0)
    standing.pop(FALSE, 0)
    for p in [p for p in standing if p & 1 and p ^ 1 in standing]:
        pairs = min(standing[p], standing[p ^ 1])
        standing.subtract({p: pairs, p ^ 1: pairs})
        ones += pairs
    once = [p for p, n in standing.items() if n & 1]
    twice = [p for p, n in standing.items() for _ in range(n // 2)]
    return np.array(once, dtype=np.int32), np.array(twice, dtype=np.int32), ones


def _roles(
    table: npt.NDArray[np.int32], ports: int, wires: int, zero: Wires
) -> npt.NDArray[np.int32]:
    """Compute where a row is the first to write a wire that starts at 0, in place elsewhere."""
    starts_zero = np.arange(wires) >= ports
    starts_zero[zero] = True
    writes = np.flatnonzero(table[:, C] >= 0)
    first = writes[np.unique(table[writes, C], return_index=True)[1]]
    roles = np.zeros(len(table), dtype=np.int32)
    roles[first] = starts_zero[table[first, C]]
    return roles


def _reset_when_dead(table: npt.NDArray[np.int32], ports: int, wires: int) -> npt.NDArray[np.int32]:
    """Insert an ERASE right after the last row that touches each local wire."""
    last = np.full(wires, -1)
    rows = np.arange(len(table))
    for column in (A, B, C):
        used = table[:, column] >= 0
        np.maximum.at(last, table[used, column], rows[used])
    dead = np.flatnonzero((last >= 0) & (np.arange(wires) >= ports))
    resets = np.full((len(dead), 6), -1, dtype=np.int32)
    resets[:, OP], resets[:, C], resets[:, ROLE], resets[:, EXTRA] = ERASE, dead, 0, 0
    order = np.argsort(np.concatenate([2 * rows, 2 * last[dead] + 1]), kind="stable")
    return np.concatenate([table, resets])[order]


def neuron_netlist(layer: LoweredLayer, j: int) -> Definition:
    """One neuron of a layer as a netlist: ports `x` (the wires it reads) and `y`.

    Neurons of one shape share it, under the name of the first.
    """
    return _neuron_netlist(layer, layer.alike[j])


@lru_cache(maxsize=65536)
def _neuron_netlist(layer: LoweredLayer, j: int) -> Definition:
    net = Netlist(f"{layer.name} netlist {j}")
    total = layer.sums[j] if layer.sums else None
    x = net.port("x", len(total.wires) if total else layer.inputs[j].width)
    y = net.port("y", layer.activated[j].width, zero=True)
    if total is None:
        value = x.tolist()
    else:
        first, second = total.pairs[:, 0], total.pairs[:, 1]
        products = net.both(x[first], x[second]) if len(first) else x[:0]
        bits = np.concatenate([x, products])
        weights = np.concatenate([total.weights, total.coefficients])
        terms = weighted_bits(np.arange(len(bits), dtype=np.int32), weights, total.constant)
        value = net.sum_columns(terms, bits.tolist(), total.width)
    for stage in layer.stages[j]:
        value = _through(net, value, stage)
    return net.finish(value, y)


def _through(net: Netlist, value: list[int], stage: Stage) -> list[int]:
    """One stage as gates: the same integer function as the reversible stage."""
    operator, encoding, after = stage.operator, stage.before.encoding, stage.encoding
    signed = stage.before.signed
    if operator is None:  # another offset
        if after == encoding:
            return value
        terms = _weighted(encoding, encoding.offset - after.offset)
        return net.sum_columns(terms, value, after.width)
    if isinstance(operator, Relu):
        if not signed or not value:
            return value
        return [net.and_(value[-1] ^ 1, v) for v in value[: after.width]]
    if isinstance(operator, Requantise):
        affine = affine_of(operator, stage.before.low, stage.before.high)
        if (affine.m, affine.b, affine.b_negative, affine.even) == (1, 0, 0, False):
            return value[len(value) - after.width :]
        wires = np.arange(len(value), dtype=np.int32)
        sign = wires[-1] if signed else None
        terms = requantise_terms(wires, encoding, affine, sign)
        return net.sum_columns(terms, value, affine.shift + after.width)[affine.shift :]
    if isinstance(operator, Clamp):
        bias = 1 << (len(value) - 1) if signed else 0
        if bias:
            value = [*value[:-1], value[-1] ^ 1]
        high, low = operator.high + bias, operator.low + bias
        above = net.at_least(value, high + 1)
        below = net.at_least(value, low) ^ 1
        for flag, constant in ((above, high), (below, low)):
            if flag != FALSE:
                value = [
                    net.mux(flag, TRUE if constant >> k & 1 else FALSE, v)
                    for k, v in enumerate(value)
                ]
        return value[: after.width]
    if isinstance(operator, Wrap):
        top = value[-1] if signed else FALSE
        return [*value, *[top] * after.width][: after.width]
    if isinstance(operator, Table):
        raw, entries, _, bits = reached(operator, stage.before)
        return net.lookup(value[:bits], spread(raw, entries, bits), after.width)
    return [value[-1] ^ 1]  # threshold or sign: the complement of the sign


def _weighted(encoding: Encoding, constant: int) -> Terms:
    wires = np.arange(len(encoding.weights), dtype=np.int32)
    return weighted_bits(wires, np.array(encoding.weights), constant)


@lru_cache(maxsize=65536)
def joint_netlist(layer: LoweredLayer, number: int) -> Definition:
    """One group of the choice that closes a layer: ports as in `Group.definition`."""
    joint = layer.joint
    assert joint is not None
    operator, group = joint.operator, joint.groups[number]
    net = Netlist(f"{layer.name} {operator.kind.replace('_', ' ')} netlist {number}")
    ports = [
        net.port(f"value_{k}", layer.activated[source].width).tolist()
        for k, source in enumerate(group.sources)
    ]
    marks = [
        net.port(f"output_{k}", joint.outputs[target].width, zero=True)
        for k, target in enumerate(group.targets)
    ]
    outputs = np.concatenate(marks)
    widest = max(len(p) for p in ports)
    flip = [[*p[:-1], p[-1] ^ 1] if joint.signed else p for p in ports]
    values = [[*p, *[FALSE] * (widest - len(p))] for p in flip]
    if isinstance(operator, TopK):
        return net.finish(net.top_k(values, operator.k), outputs)
    best, winner = values[0], [FALSE] * len(outputs)
    for k, value in enumerate(values[1:], start=1):
        beaten = net.less(best, value)
        if k < len(values) - 1 or isinstance(operator, Maximum):
            best = [net.mux(beaten, v, b) for v, b in zip(value, best, strict=True)]
        if isinstance(operator, Argmax):
            winner = [
                net.mux(beaten, TRUE if k >> i & 1 else FALSE, w) for i, w in enumerate(winner)
            ]
    if isinstance(operator, Maximum):
        winner = [*best[:-1], best[-1] ^ 1] if joint.signed else best
    return net.finish(winner, outputs)
