"""Every block of the registry against its integer meaning, its inverse and its promised cost."""

from collections.abc import Callable, Iterable
from functools import cache

import numpy as np
import pytest

from revsim.blocks.add import add_in_place, add_out_of_place
from revsim.blocks.block import Block, Values, define
from revsim.blocks.clamp import clamp_in_place
from revsim.blocks.compare import less_than
from revsim.blocks.maximum import argmax
from revsim.blocks.popcount import popcount
from revsim.blocks.registry import BLOCKS, block_named
from revsim.blocks.select import relu_copy, relu_in_place
from revsim.circuit.builder import Builder
from revsim.circuit.definition import Definition, Gates, Port
from revsim.circuit.gates import ROLE, Role
from revsim.circuit.measures import counts, depth
from revsim.circuit.program import flatten
from revsim.circuit.validate import validate_definition
from revsim.errors import InputError
from revsim.lower.activation import affine_of
from revsim.network.operators import Requantise
from revsim.simulator.apply import apply

EXHAUSTIVE_BITS = 20
LARGE = (8, 16, 32, 60)
PORT_BITS = 60

Formula = Callable[[int], int]


@cache
def built(block: Block, width: int) -> Definition:
    return validate_definition(block.build(width))


def free_ports(definition: Definition) -> list[Port]:
    return [port for port in definition.ports if not port.zero_in]


def enumerable_widths(block: Block) -> list[int]:
    """Widths, from the least on, at which every input can be listed."""
    widths = []
    width = block.least_width
    while width <= min(EXHAUSTIVE_BITS, block.most_width):
        if sum(port.width for port in free_ports(built(block, width))) > EXHAUSTIVE_BITS:
            break
        widths.append(width)
        width += 1
    return widths


def every_value(definition: Definition) -> Values:
    rows = np.arange(1 << sum(port.width for port in free_ports(definition)), dtype=np.int64)
    values = {}
    for port in definition.ports:
        values[port.name] = np.zeros_like(rows) if port.zero_in else rows & ((1 << port.width) - 1)
        rows = rows if port.zero_in else rows >> port.width
    return values


def random_and_extreme_values(definition: Definition, seed: int) -> Values:
    """4,096 rows: half uniform, half with every port at or next to an end of a range."""
    random = np.random.default_rng(seed)
    values = {}
    for port in definition.ports:
        top = (1 << port.width) - 1
        half = 1 << max(0, port.width - 1)
        ends = np.unique(
            [min(e, top) for e in (0, 1, half - 1, half, half + 1, top - 1, top) if e >= 0]
        )
        uniform = random.integers(0, top, 2048, endpoint=True)
        values[port.name] = np.concatenate([uniform, random.choice(ends, 2048)])
        if port.zero_in:
            values[port.name] = np.zeros(4096, dtype=np.int64)
    return values


def agrees_with_meaning(block: Block, width: int, before: Values) -> None:
    """Forward gives the meaning, backward gives the inputs back; locals and roles are checked."""
    definition = built(block, width)
    meant = block.meaning(width, before)
    after = apply(definition, before)
    assert set(meant) == set(after)
    for name in after:
        np.testing.assert_array_equal(after[name], meant[name], err_msg=f"port {name}")
    returned = apply(definition, after, inverse=True)
    for name in before:
        np.testing.assert_array_equal(returned[name], before[name], err_msg=f"port {name}")


def with_every_wire_a_port(definition: Definition) -> Definition:
    """The same gates with the locals promoted to ports, so that any state may enter."""
    flat = flatten(definition)
    table = flat.table.copy()
    table[:, ROLE] = Role.IN_PLACE
    ports = tuple(
        Port(f"wires_{start}", min(PORT_BITS, flat.wires - start))
        for start in range(0, flat.wires, PORT_BITS)
    )
    return Definition(definition.name, ports, 0, (Gates(table, flat.controls),))


def each_block_at(widths: Callable[[Block], Iterable[int]]) -> pytest.MarkDecorator:
    cases = [(block, width) for block in BLOCKS for width in widths(block)]
    return pytest.mark.parametrize(
        ("block", "width"), cases, ids=[f"{block.name}-{width}" for block, width in cases]
    )


def test_names_of_blocks_are_unique() -> None:
    assert len({block.name for block in BLOCKS}) == len(BLOCKS)


@each_block_at(enumerable_widths)
def test_gates_compute_the_integer_meaning_on_every_input(block: Block, width: int) -> None:
    agrees_with_meaning(block, width, every_value(built(block, width)))


@each_block_at(lambda block: [width for width in LARGE if width <= block.most_width])
def test_gates_compute_the_integer_meaning_at_large_widths(block: Block, width: int) -> None:
    agrees_with_meaning(block, width, random_and_extreme_values(built(block, width), seed=width))


@each_block_at(lambda block: [width for width in (1, 2, 3, 5, 8, 16) if width <= block.most_width])
def test_the_inverse_undoes_the_gates_on_random_states_of_all_wires(
    block: Block, width: int
) -> None:
    open_form = with_every_wire_a_port(built(block, width))
    random = np.random.default_rng(width)
    before = {
        port.name: random.integers(0, (1 << port.width) - 1, 512, endpoint=True)
        for port in open_form.ports
    }
    for first in (False, True):
        between = apply(open_form, before, inverse=first)
        after = apply(open_form, between, inverse=not first)
        for name in before:
            np.testing.assert_array_equal(after[name], before[name])


@pytest.mark.parametrize("block", BLOCKS, ids=[block.name for block in BLOCKS])
def test_counted_gates_are_the_promised_ones_at_all_promised_widths(block: Block) -> None:
    for width in range(block.least_width, block.most_width + 1):
        definition = built(block, width)
        found = counts(definition)
        promised = dict(block.cost(width))
        assert definition.locals <= promised.pop("ancillas"), f"ancillas at width {width}"
        assert {key: getattr(found, key) for key in promised} == promised, f"at width {width}"
        assert found.mcx == found.erase == 0


@pytest.mark.parametrize(
    ("name", "toffolis"),
    [
        ("add_in_place[cdkm]", lambda n: 2 * n - 2),
        ("add_in_place[cdkm, carry]", lambda n: 2 * n),
        ("add_in_place[ttk]", lambda n: 2 * n - 2),
        ("add_in_place[ttk, carry]", lambda n: 2 * n - 1),
        ("add_out_of_place[mod]", lambda n: n - 1),
        ("add_out_of_place[carry]", lambda n: n),
        ("controlled_add", lambda n: 3 * n - 2),
        ("add_constant[5]", lambda n: 2 * (n - 2)),
        ("less_than", lambda n: 2 * n - 1),
        ("at_least_constant[5]", lambda n: 2 * (n - 1) - 1),
        ("popcount_copy", lambda n: 2 * (n - n.bit_count())),
        ("relu_copy", lambda n: n - 1),
        ("maximum_in_place[unsigned]", lambda n: 2 * n - 1),
    ],
)
def test_toffolis_are_those_of_the_best_known_constructions(name: str, toffolis: Formula) -> None:
    for width in (4, 8, 16, 32, 64):
        assert counts(built(block_named(name), width)).toffoli == toffolis(width)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("add_in_place[cdkm]", lambda n: 5 * n - 3),
        ("add_in_place[cdkm, carry]", lambda n: 5 * n + 2),
        ("add_in_place[ttk]", lambda n: 5 * n - 5),
        ("add_in_place[ttk, carry]", lambda n: 5 * n - 3),
        ("add_out_of_place[mod]", lambda n: 3 * n - 3),
        ("add_out_of_place[carry]", lambda n: 3 * n),
        ("controlled_add", lambda n: 5 * n),
        ("less_than", lambda n: 4 * n + 4),
    ],
)
def test_depth_is_no_greater_than_that_of_the_best_known_constructions(
    name: str, expected: Formula
) -> None:
    for width in (8, 16, 32):
        assert depth(built(block_named(name), width)) <= expected(width)


def test_popcount_has_logarithmic_depth() -> None:
    for exponent in range(3, 12):
        assert depth(define("ones", popcount, Port("bits", 1 << exponent))) <= 10 * exponent


@pytest.mark.parametrize("seed", range(40))
def test_a_multiply_and_shift_equals_the_rule_up_to_both_ends_of_its_range(seed: int) -> None:
    random = np.random.default_rng(seed)
    multiplier, shift = int(random.integers(1 << 30, 1 << 31)), int(random.integers(0, 8))
    rule = Requantise(np.array([shift]), "tflite_double", np.array([multiplier]))
    low = int(random.integers(-300, 1))
    values = np.arange(low, low + int(random.integers(2, 400)))
    affine = affine_of(rule, int(values[0]), int(values[-1]))
    np.testing.assert_array_equal(affine.apply(values), rule.apply(values[:, None])[:, 0])


def test_blocks_refuse_registers_that_do_not_fit_and_name_themselves() -> None:
    cases: list[tuple[Callable[..., None], tuple[int, ...], str]] = [
        (add_in_place, (3, 4), "add_in_place needs registers of equal width: x has 3, y has 4"),
        (add_out_of_place, (3, 3, 5), "add_out_of_place needs 3 or 4 wires in total, got 5"),
        (less_than, (3, 3, 2), "less_than needs 1 wires in flag, got 2"),
        (relu_in_place, (0, 0), "relu_in_place needs at least one wire in z"),
        (relu_copy, (3, 3), "relu_copy needs 0 or 1 or 2 wires in y, got 3"),
    ]
    for body, widths, message in cases:
        ports = [Port(f"p{i}", width) for i, width in enumerate(widths)]
        with pytest.raises(InputError, match=message):
            define("refused", body, *ports)


def test_blocks_refuse_a_wire_given_twice() -> None:
    b = Builder("twice")
    x = b.port("x", 4)
    with pytest.raises(InputError, match="twice: add_in_place is given wire 1 twice"):
        add_in_place(b, x[:2], x[1:3])


def test_other_mistakes_are_refused_in_words() -> None:
    b = Builder("wrong")
    x, y = b.port("x", 4), b.port("y", 4)
    with pytest.raises(InputError, match="knows the variants cdkm and ttk, not 'qft'"):
        add_in_place(b, x, y, variant="qft")
    with pytest.raises(InputError, match=r"clamp_in_place to \[5, 3\] leaves no value"):
        clamp_in_place(b, x, 5, 3)
    with pytest.raises(InputError, match="needs 3 wires in garbage_high, got 0"):
        clamp_in_place(b, x, 0, 6)
    with pytest.raises(InputError, match="argmax needs at least one register"):
        argmax(b, [], y[:0])
    with pytest.raises(InputError, match="argmax needs 1 wires in index, got 2"):
        argmax(b, [x, y], y[:2])
