"""Experiment 18: the smallest networks that break each reading of the bound."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product
from typing import Any, Final

import numpy as np

from revsim.experiments.experiment import Experiment, Outcome
from revsim.ledger.comparison import Activity, activity
from revsim.ledger.reference import joint_entropy, neuron_statistics
from revsim.network.arrays import from_arrays
from revsim.network.network import Network
from revsim.network.operators import Integers
from revsim.pipeline import verify
from revsim.report.report import Table
from revsim.simulator.ensemble import uniform

INPUTS: Final = 3
"""Most binary inputs of a network that is searched."""
NEURONS: Final = {1: 4, 2: 5, 3: 2}
"""Most neurons, by number of inputs."""
LARGEST: Final = 3
"""Largest weight or bias: with it every threshold function of three inputs is met."""
QUANTITIES: Final = ("neuron_entropy", "pattern_entropy", "H(X given Y)", "given_kept")
SUMMED: Final = "neuron_entropy"
"""A sum over neurons, as both readings are: it is broken first by a single neuron, or never."""
READINGS: Final = ("active", "changed")
BELOW: Final = 1e-9


@dataclass(frozen=True)
class Neuron:
    """relu(weights x + bias) on binary inputs; `states` over all inputs, the first counting
    fastest."""

    weights: tuple[int, ...]
    bias: int
    states: tuple[bool, ...]

    @property
    def size(self) -> tuple[int, int, tuple[int, ...]]:
        """Largest number in it, their sum, and for equals the larger weights first."""
        numbers = (*self.weights, self.bias)
        return max(map(abs, numbers)), sum(map(abs, numbers)), tuple(-n for n in numbers)


def neurons_of(inputs: int) -> tuple[Neuron, ...]:
    """The smallest neuron of each state function of `inputs` binary inputs, smallest first.

    Neurons with equal states differ in their values, which matters to H(X given Y) alone; the
    smallest network of all that loses too little, relu(a), is among these.

    >>> [len(neurons_of(n)) for n in (1, 2, 3)]  # all threshold functions there are
    [4, 14, 104]
    """
    found: dict[tuple[bool, ...], Neuron] = {}
    rows = uniform([0] * inputs, [1] * inputs).rows
    numbers = range(-LARGEST, LARGEST + 1)
    for weights in product(numbers, repeat=inputs):
        sums = rows @ np.array(weights)
        for bias in numbers:
            states = tuple((sums + bias > 0).tolist())
            neuron = Neuron(weights, bias, states)
            if states not in found or neuron.size < found[states].size:
                found[states] = neuron
    return tuple(sorted(found.values(), key=lambda n: n.size))


@dataclass(frozen=True, eq=False)
class Broken:
    """A network whose quantity is below a reading, in bits and neurons; `neurons` empty: none."""

    quantity: str
    reading: str
    allowed: str
    neurons: tuple[Neuron, ...]
    value: float
    bound: float
    searched: int

    @property
    def network(self) -> Network:
        """The network itself: one layer of relu neurons."""
        return network_of(self.neurons)


def network_of(neurons: Sequence[Neuron]) -> Network:
    """One layer of relu neurons on binary inputs; its outputs are their values."""
    return from_arrays([[n.weights for n in neurons]], [[n.bias for n in neurons]], name="atlas")


def _values(neurons: Sequence[Neuron], rows: Integers) -> dict[str, float]:
    """Every quantity and both readings, all inputs equally likely."""
    weights = np.array([n.weights for n in neurons])
    y = np.maximum(rows @ weights.T + np.array([n.bias for n in neurons]), 0)
    counted: Activity = activity([neuron_statistics("layer1", y, y > 0, None)])
    return {
        "neuron_entropy": counted.neuron_entropy,
        "pattern_entropy": counted.pattern_entropy,
        "H(X given Y)": rows.shape[1] - joint_entropy(y),
        "given_kept": 0.0,  # of a device that keeps its input
        "active": counted.active_neurons,
        "changed": counted.changed_neurons,
    }


def _networks(distinct: bool) -> Iterator[tuple[int, int, list[tuple[Neuron, ...]]]]:
    """All networks with so many inputs and neurons, the smallest numbers first."""
    for inputs in range(1, INPUTS + 1):
        all_neurons = neurons_of(inputs)
        varied = [n for n in all_neurons if len(set(n.states)) == 2]
        for count in range(1, NEURONS[inputs] + 1):
            chosen = (
                combinations(varied, count)
                if distinct
                else combinations_with_replacement(all_neurons, count)
            )
            yield inputs, count, sorted(chosen, key=_size)


def _size(neurons: Sequence[Neuron]) -> tuple[int, int, list[tuple[int, ...]]]:
    sizes = [n.size for n in neurons]
    return max(s[0] for s in sizes), sum(s[1] for s in sizes), [s[2] for s in sizes]


def search(distinct: bool) -> tuple[Broken, ...]:
    """For each quantity and reading the smallest network that breaks it, by exhaustive search.

    Smallest: fewest inputs, then fewest neurons, then smallest numbers. `distinct`: no neuron is
    constant and no two have the same states.
    """
    wanted = [(q, r) for q in QUANTITIES for r in READINGS]
    allowed = "distinct" if distinct else "any"
    found: dict[tuple[str, str], Broken] = {}
    searched = 0
    for inputs, count, networks in _networks(distinct):
        rows = uniform([0] * inputs, [1] * inputs).rows
        for neurons in networks:
            missing = [p for p in wanted if p not in found and (count == 1 or p[0] != SUMMED)]
            if not missing:
                break
            values = _values(neurons, rows)
            searched += 1
            for quantity, reading in missing:
                if values[quantity] < values[reading] - BELOW:
                    bound, value = values[reading], values[quantity]
                    found[quantity, reading] = Broken(
                        quantity, reading, allowed, neurons, value, bound, searched
                    )
    none = {p: Broken(*p, allowed, (), 0.0, 0.0, searched) for p in wanted}
    return tuple(found.get(pair, none[pair]) for pair in wanted)


def confirm(broken: Broken) -> float:
    """Compile and simulate the network: how far its circuits are from the search, in bits."""
    network = broken.network
    device = verify(network, policy="neuron_reset", input="keep")
    destroyed = verify(network, policy="activation_reset", input="destroy")
    assert device.holds and destroyed.holds
    of_device = device.runs[0].causes().get("neuron_state")
    readings = {
        "neuron_entropy": 0.0 if of_device is None else of_device.per_bit,
        "pattern_entropy": device.activity.pattern_entropy,  # read from the device: T7 holds
        "H(X given Y)": destroyed.runs[0].total.given_kept,
        "given_kept": device.runs[0].total.given_kept,
        "active": 0.0 if of_device is None else of_device.ones_flipped,
        "changed": device.activity.changed_neurons,
    }
    return max(
        abs(readings[broken.quantity] - broken.value), abs(readings[broken.reading] - broken.bound)
    )


def _run() -> Outcome:
    plain, strict = search(False), search(True)
    every = _merged(plain, strict)
    found = [b for b in every if b.neurons]
    by_size = sorted({b.neurons for b in found}, key=lambda n: (len(n[0].weights), _size(n)))
    plates = {neurons: "ABCDEFGHIJKLMNOP"[k] for k, neurons in enumerate(by_size)}
    gap = max(confirm(b) for b in found)
    distinct = {(b.quantity, b.reading): b for b in strict}
    loud, joint = (
        distinct["neuron_entropy", "active"],
        distinct["pattern_entropy", "changed"],
    )
    lossless = distinct["H(X given Y)", "active"]
    none = [b for b in strict if not b.neurons]
    sentence = (
        f"One neuron, {_in_words(loud)}, is on in {loud.bound:.1%} of inputs, its state "
        f"holds {loud.value:.3f} bit; {len(joint.neurons)} distinct neurons on {_inputs(joint)} "
        f"bits change {joint.bound:g} states and hold {joint.value:g} bits; {_in_words(lossless)} "
        f"loses {lossless.value or 'nothing'}. "
        f"Of the four quantities only neuron_entropy against changed neurons has no "
        f"counter-example."
        if [(b.quantity, b.reading) for b in none] == [("neuron_entropy", "changed")]
        else f"{len(none)} of {len(strict)} pairs of quantity and reading have no counter-example."
    )
    return Outcome(
        holds=not found,
        sentence=sentence,
        numbers={
            "networks_searched": max(b.searched for b in plain) + max(b.searched for b in strict),
            "counter_examples": len(found),
            "pairs_without_one": len(none),
            "or_neuron_bits": loud.value,
            "or_neuron_active": loud.bound,
            "distinct_pattern_bits": joint.value,
            "distinct_pattern_changed": joint.bound,
            "largest_gap_to_circuits": gap,
        },
        tables={
            "Smallest networks below each reading (relu, all inputs equally likely)": Table(
                ("quantity", "reading", "neurons", "network", "value", "bound"),
                tuple(_row(b, plates) for b in every),
            ),
            "The networks": Table(
                ("network", "inputs", "neurons", "each relu of"),
                tuple(
                    (name, len(n[0].weights), len(n), "; ".join(map(formula, n)))
                    for n, name in plates.items()
                ),
            ),
        },
        series={
            "plates": [
                {
                    "name": name,
                    "formulas": [formula(n) for n in neurons],
                    "states": [[int(s) for s in n.states] for n in neurons],
                    "breaks": [
                        f"{b.quantity} {b.value:.3g} < {b.bound:.3g} {b.reading}"
                        for b in every
                        if b.neurons == neurons
                    ],
                }
                for neurons, name in plates.items()
            ]
        },
    )


def _inputs(broken: Broken) -> int:
    return len(broken.neurons[0].weights)


def _in_words(broken: Broken) -> str:
    return " and ".join(f"relu({formula(neuron)})" for neuron in broken.neurons)


def formula(neuron: Neuron) -> str:
    """The sum in a neuron's relu.

    >>> formula(Neuron((2, 0, -1), 1, ()))
    '2a - c + 1'
    """
    terms = [(w, "abc"[k]) for k, w in enumerate(neuron.weights) if w]
    terms += [(neuron.bias, "")] if neuron.bias or not terms else []
    text = ""
    for value, name in terms:
        sign = ("- " if value < 0 else "+ ") if text else ("-" if value < 0 else "")
        number = "" if name and abs(value) == 1 else str(abs(value))
        text += f"{' ' if text else ''}{sign}{number}{name}"
    return text


def _merged(plain: Sequence[Broken], strict: Sequence[Broken]) -> list[Broken]:
    """Both searches, where they found the same network once."""
    out = []
    for first, second in zip(plain, strict, strict=True):
        same = first.neurons == second.neurons
        kept = Broken(
            first.quantity,
            first.reading,
            "any, distinct" if same else first.allowed,
            first.neurons,
            first.value,
            first.bound,
            first.searched,
        )
        out += [kept] if same else [kept, second]
    return out


def _row(broken: Broken, plates: Mapping[tuple[Neuron, ...], str]) -> tuple[Any, ...]:
    where = broken.quantity, broken.reading, broken.allowed
    if not broken.neurons:
        return (*where, "none", None, None)
    return (*where, plates[broken.neurons], broken.value, broken.bound)


def _draw(outcome: Outcome, figure: Any) -> None:
    plates = outcome.series["plates"]
    columns = 3
    axes = figure.subplots(-(-len(plates) // columns), columns, squeeze=False)
    for k, a in enumerate(axes.flat):
        if k >= len(plates):
            a.set_axis_off()
            continue
        plate = plates[k]
        states = np.array(plate["states"])
        a.imshow(states, cmap="Purples", vmin=0, vmax=1.4, aspect="auto")
        for row, column in np.argwhere(states >= 0):
            on = states[row, column]
            a.text(
                column, row, on, ha="center", va="center", fontsize=9, color="w" if on else "gray"
            )
        bits = int(np.log2(states.shape[1]))
        names = [format(v, f"0{bits}b") for v in range(states.shape[1])]
        a.set_xticks(range(states.shape[1]), names, fontsize=8.5)
        a.set_yticks(range(len(states)), [f"relu({f})" for f in plate["formulas"]], fontsize=8.5)
        a.set_xticks(np.arange(states.shape[1] - 1) + 0.5, minor=True)
        a.set_yticks(np.arange(len(states) - 1) + 0.5, minor=True)
        a.grid(which="minor", color="white", linewidth=2)
        a.tick_params(which="both", length=0)
        a.set_title("\n".join([f"{plate['name']}", *plate["breaks"]]), fontsize=9)
        a.set_xlabel("inputs " + " ".join("cba"[3 - bits :]), fontsize=8.5)


EXPERIMENT = Experiment(
    number=18,
    name="atlas",
    title="Atlas: the smallest networks that break each reading",
    hypothesis=(
        "No network of relu neurons is below a bit per active, or per changed, neuron, in any of "
        "four quantities."
    ),
    measurement=(
        "Exhaustive search: one layer of relu neurons on binary inputs, all equally likely; "
        "weights and biases -3..3, which meet all 4, 14 and 104 state functions of 1, 2, 3 inputs. "
        "Smallest: fewest inputs, neurons, then numbers. Any neurons (copies, constants), or "
        "distinct ones. given_kept: the input kept. Each find compiled, simulated and confirmed."
    ),
    failure=(
        "The search finds nothing for some pair: then the claim may hold for it, as theorem T7 "
        "says of neuron_entropy against changed neurons; or a circuit disagrees with the search."
    ),
    source="Theorem T7; the readings are ours of Tkachenko, arXiv 2503.09980 v1",
    run=_run,
    draw=_draw,
    size=(10.5, 6.8),
)
