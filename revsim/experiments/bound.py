"""Experiment 1: the bound by neurons that change state, against every ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from revsim.experiments.experiment import Experiment, Outcome
from revsim.experiments.losses import random_network
from revsim.ledger.bootstrap import interval, resampled
from revsim.ledger.comparison import Activity, activity, compare
from revsim.ledger.ledgers import LedgerRow, ledger_rows, total_of
from revsim.ledger.reference import Neurons, neuron_statistics
from revsim.network.bundled import bundled, bundled_data, bundled_seeds
from revsim.network.network import Network
from revsim.network.reference import run_reference
from revsim.report.report import Table
from revsim.schedule.policy import compile_network
from revsim.simulator.ensemble import Ensemble, data_set, uniform
from revsim.simulator.run import simulate

SEED, RANDOM, DEVICES, REPLICATES = 1, 500, 100, 2000
"""Networks drawn, how many of them also run as devices of class L, and bootstrap replicates."""
READINGS: Final = ("active neurons", "changed neurons")
STATES: Final = ("neuron_state.per_bit", "pattern_entropy")
"""Of one-bit neuron states: class L, reset one by one; and all of a layer together."""
SWAPPED: Final = ("activation.per_bit", "activation.per_register", "activation.given_kept")
WHOLE: Final = ("per_bit", "per_register", "given_kept")
QUANTITIES: Final = (*STATES, *SWAPPED, *WHOLE)
LAYERS_OF: Final = (
    "digits20",
    "digits",
    "digits_4bit",
    "digits_1bit",
    "digits_sign",
    "digits_conv",
)
PICTURES: Final = ("digits16", "digits")
"""Seeds that are also measured on real images."""
ENSEMBLES: Final = {
    "trained": ("16-12-10", "all 65,536"),
    "digits16": ("16-12-10", "1,797 images"),
    "digits": ("64-32-10", "1,797 images"),
}
"""Network and its inputs."""
SHORT: Final = 1e-9
"""Bits by which a quantity must fall short to count."""

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Measured:
    """One network: margins in bits over each reading, float64 [readings, quantities].

    `counted`: its activity.
    """

    margins: Floats
    counted: Activity

    @property
    def broken(self) -> bool:
        """Whether T7 fails on the device: at least twice the changed neurons, and at least the
        active ones where no neuron is on for more than p*."""
        device, counted = self.margins[:, 0], self.counted
        return bool(
            device[1] < counted.changed_neurons - SHORT or (not counted.loud and device[0] < -SHORT)
        )


def measure(network: Network, ensemble: Ensemble, device: bool = True) -> Measured:
    """Run a network in the paper's picture and as its device of class L, and compare.

    Quantities of activations and of the whole circuit are those of `activation_reset` with the
    input destroyed. The states are those of `neuron_reset` with the input kept, so that nothing
    else is erased; without `device` they are the reference's, which T7 says are the same.
    """
    neurons = _neurons(network, ensemble)
    counted = activity(neurons)
    rows = _erased(network, "activation_reset", "destroy", ensemble)
    values = {c.quantity: c.quantity_bits for c in compare(rows, counted, False, False)}
    for name in SWAPPED:  # nothing is swapped out where no sum can be negative
        values.setdefault(name, 0.0)
    values[STATES[0]] = counted.neuron_entropy
    if device:
        states = total_of(_erased(network, "neuron_reset", "keep", ensemble))
        values[STATES[0]] = states.per_bit
    bounds = counted.active_neurons, counted.changed_neurons
    return Measured(np.array([[values[q] - b for q in QUANTITIES] for b in bounds]), counted)


def _neurons(network: Network, ensemble: Ensemble) -> tuple[Neurons, ...]:
    values = run_reference(network, ensemble.rows)
    return tuple(
        neuron_statistics(
            layer.name, v.y, layer.active(v.y), ensemble.weights, layer.neuron_columns
        )
        for layer, v in zip(network.layers, values, strict=True)
        if layer.neurons
    )


def _erased(
    network: Network, policy: str, choice: str, ensemble: Ensemble
) -> tuple[LedgerRow, ...]:
    return ledger_rows(simulate(compile_network(network, policy, choice), ensemble).tally)


def every_input(network: Network) -> Ensemble:
    """All inputs of a small network, each equally likely."""
    return uniform(network.input_low, network.input_high)


def _limits(differences: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean over networks and its 95 % limits, networks drawn again as a whole (paired)."""
    counts = next(resampled(len(differences), REPLICATES, SEED)).astype(np.float64)
    means = counts @ differences / len(differences)
    mean = differences.mean(axis=0)
    both = [interval(float(m), means[:, k]) for k, m in enumerate(mean)]
    return mean, np.array([low for low, _ in both]), np.array([high for _, high in both])


def on_images(name: str) -> list[Activity]:
    """Neuron states of the 20 networks of `bundled_seeds` on their images, by the reference.

    No device need run: what class L erases of states is sum h2(p) of them (T7).
    """
    data = bundled_data(name)
    assert data is not None
    return [activity(_neurons(net, data_set(data[0]))) for net in bundled_seeds(name)]


def _run() -> Outcome:
    random = np.random.default_rng(SEED)
    small = [random_network(random) for _ in range(RANDOM)]
    drawn = [measure(net, every_input(net), k < DEVICES) for k, net in enumerate(small)]
    trained = [measure(net, every_input(net)) for net in bundled_seeds("digits16")]
    images = {name: on_images(name) for name in PICTURES}
    layered = _layers()
    margins = {"random": _stack(drawn), "trained": _stack(trained)}
    below = {name: (m < -SHORT).mean(axis=0) for name, m in margins.items()}
    broken = sum(m.broken for m in (*drawn, *trained))
    broken += sum(
        a.neuron_entropy < 2 * a.changed_neurons - SHORT for name in PICTURES for a in images[name]
    )
    numbers: dict[str, float] = {"random_networks": len(drawn), "trained_networks": len(trained)}
    for name, shares in below.items():
        for reading, row in zip(READINGS, shares, strict=True):
            for quantity, share in zip(QUANTITIES, row, strict=True):
                key = f"{name}_{quantity.replace('.', '_')}_below_{reading.split()[0]}_share"
                numbers[key] = float(share)
    numbers["class_l_theorem_broken"] = broken
    shares, given = below["random"], QUANTITIES.index("given_kept")
    states = {"trained": margins["trained"][:, :, 0]}
    states |= {name: _states(found) for name, found in images.items()}
    short = {name: float((m[:, 0] < -SHORT).mean()) for name, m in states.items()}
    for name in PICTURES:
        numbers[f"{name}_images_neuron_entropy_below_active_share"] = short[name]
        numbers[f"{name}_images_neuron_entropy_over_active_mean"] = float(states[name][:, 0].mean())
    quiet = sum(not m.counted.loud for m in drawn)
    few, many = (found[0].neuron_states for found in images.values())
    sentence = (
        f"Neuron states hold fewer bits (class L) than neurons are active in {shares[0, 0]:.0%} of "
        f"{len(drawn)} random networks; of {len(trained)} trained with {few} neurons in "
        f"{short['trained']:.0%} on all 65,536 inputs, {short['digits16']:.0%} on images; with "
        f"{many} neurons in {short['digits']:.0%} on images. In all, {shares[0, given]:.0%} of "
        f"random networks lose fewer. "
        + (
            "Twice the changed neurons is reached in all."
            if not broken
            else f"T7 fails in {broken}."
        )
    )
    return Outcome(
        holds=not any(bool((share > 0).any()) for share in below.values()),
        sentence=sentence,
        numbers={**numbers, "random_networks_without_loud_neurons": quiet},
        tables={
            f"{len(drawn)} random networks, readings 1: active, 2: changed (bits, 95 %)": _against(
                margins["random"]
            ),
            f"{len(trained)} trained networks of 16 pixels, {few} neurons, all 65,536 inputs: "
            "the same": _against(margins["trained"]),
            "neuron_state.per_bit, 20 seeds each (on images: integer reference, T7)": _trained(
                states
            ),
            "Layer by layer, activations of activation_reset (bits)": layered,
        },
        series={
            "below": {name: shares.tolist() for name, shares in below.items()},
            **{
                name: {
                    "active": [a.active_neurons for a in found],
                    "changed": [a.changed_neurons for a in found],
                    "states": [a.neuron_entropy for a in found],
                    "loud": [len(a.loud) for a in found],
                }
                for name, found in {
                    "random": [m.counted for m in drawn],
                    "trained": [m.counted for m in trained],
                    **images,
                }.items()
            },
        },
    )


def _states(found: Sequence[Activity]) -> Floats:
    """sum h2(p) over each reading, float64 [networks, readings]."""
    return np.array(
        [
            [a.neuron_entropy - bound for bound in (a.active_neurons, a.changed_neurons)]
            for a in found
        ]
    )


def _trained(states: Mapping[str, Floats]) -> Table:
    """Networks by ensemble: share below each reading, and the mean excess with its limits."""
    rows = []
    for name, (network, inputs) in ENSEMBLES.items():
        margins = states[name]
        below = (margins < -SHORT).sum(axis=0)
        mean, low, high = _limits(margins)
        cells: list[str] = []
        for r in range(2):
            around = max(high[r] - mean[r], mean[r] - low[r])
            cells += [f"{below[r]} of {len(margins)}", f"{mean[r]:+.2f} ± {around:.2f}"]
        rows.append((network, inputs, *cells))
    columns = "network", "inputs", "below 1", "over 1", "below 2", "over 2"
    return Table(columns, tuple(rows))


def _stack(found: Sequence[Measured]) -> Floats:
    return np.stack([m.margins for m in found])


def _against(margins: Floats) -> Table:
    """Share of networks below each reading, and the mean margin with its 95 % limits."""
    found = [_limits(margins[:, r]) for r in range(2)]
    below = (margins < -SHORT).mean(axis=0)
    rows = []
    for k, quantity in enumerate(QUANTITIES):
        cells: list[str] = []
        for r, (mean, low, high) in enumerate(found):
            digits = 1 if abs(mean[k]) >= 100 else 2
            around = max(high[k] - mean[k], mean[k] - low[k])
            cells += [f"{below[r, k]:.1%}", f"{mean[k]:+.{digits}f} ± {around:.{digits}f}"]
        rows.append((quantity, *cells))
    return Table(("quantity", "below 1", "over 1", "below 2", "over 2"), tuple(rows))


def _layers() -> Table:
    """Ledgers of what each hidden layer's activations swap out, of networks of several widths."""
    out = []
    for name in LAYERS_OF:
        network = bundled(name)
        data = bundled_data(name)
        assert data is not None
        all_inputs = name == "digits20"
        ensemble = every_input(network) if all_inputs else data_set(data[0])
        erased = _erased(network, "activation_reset", "destroy", ensemble)
        for layer in _neurons(network, ensemble):
            total = total_of(r for r in erased if (r.layer, r.cause) == (layer.layer, "activation"))
            p = layer.activity
            out.append(
                (
                    f"{name}, {layer.layer}",
                    total.reset_count,
                    total.per_bit,
                    total.per_register,
                    total.given_kept if all_inputs else None,
                    float(layer.state_entropy.sum()),
                    float(p.sum()),
                    float((2 * p * (1 - p)).sum()),
                )
            )
    columns = "network, layer", "A0", "A1", "A2", "A3", "states", "active", "changed"
    return Table(columns, tuple(out))


COLOURS: Final = {"random": "#a29cc8", "trained": "#e45756"}
WORDS: Final = {
    "random": "random, all inputs",
    "trained": "12 neurons, all inputs",
    "digits16": "12 neurons, images",
    "digits": "32 neurons, images",
}
DOTS: Final = {
    "random": (12, "o", COLOURS["random"]),
    "trained": (26, "o", COLOURS["trained"]),
    "digits16": (26, "^", "#f2a541"),
    "digits": (26, "s", "#4c78a8"),
}
"""Area, shape and colour of a network's mark."""


def _draw(outcome: Outcome, figure: Any) -> None:
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.1])
    _scatter(outcome, left)
    _bars(outcome, right)


def _scatter(outcome: Outcome, axes: Any) -> None:
    """Entropy of neuron states against active neurons, one dot a network."""
    for name, (size, shape, colour) in DOTS.items():
        series = outcome.series[name]
        loud = np.array(series["loud"]) > 0
        active, states = np.array(series["active"]), np.array(series["states"])
        for chosen, face, word in ((loud, colour, ""), (~loud, "white", ", every p ≤ p*")):
            if chosen.any():
                axes.scatter(
                    active[chosen],
                    states[chosen],
                    size,
                    marker=shape,
                    facecolor=face,
                    edgecolor=colour,
                    linewidth=0.9,
                    label=f"{WORDS[name]}{word}",
                )
    top = max(max(outcome.series[name]["active"]) for name in DOTS) + 0.4
    axes.plot([0, top], [0, top], "--", color="black", lw=1, label="one bit per active neuron")
    axes.set_xlabel("active neurons ($B_R$)")
    axes.set_ylabel("neuron_state.per_bit = sum h2(p) (bits)")
    axes.set_title("The paper's own device (class L); images: reference", fontsize=10.5)
    axes.set_xlim(0, top)
    axes.set_ylim(0, 1.04 * max(max(outcome.series[name]["states"]) for name in DOTS))
    axes.legend(fontsize=8.5, loc="upper left", frameon=False)


def _bars(outcome: Outcome, axes: Any) -> None:
    """Shares of networks in which each quantity is below each reading."""
    places = np.arange(len(QUANTITIES))[::-1]
    for k, (name, colour) in enumerate(COLOURS.items()):
        for r, reading in enumerate(READINGS):
            shares = 100 * np.array(outcome.series["below"][name])[r]
            bars = axes.barh(
                places + 0.3 - 0.2 * (2 * k + r),
                shares,
                0.19,
                color=colour,
                alpha=1.0 if r == 0 else 0.45,
                label=f"{WORDS[name]}: {reading}",
            )
            axes.bar_label(bars, [f"{v:.3g}" for v in shares], fontsize=6.5, padding=2)
    axes.set_yticks(places, QUANTITIES)
    axes.set_xlabel("networks in which the quantity is below the reading (%)")
    axes.set_xlim(0, 108)
    axes.set_title("How often the bound fails", fontsize=10.5)
    axes.legend(
        fontsize=8.5, loc="upper center", bbox_to_anchor=(0.3, -0.13), ncols=2, frameon=False
    )


EXPERIMENT = Experiment(
    number=1,
    name="bound",
    title="A bit per neuron that changes state? Every ledger",
    hypothesis=(
        "Whatever is meant by erased, an inference erases at least one bit per active neuron "
        "(every neuron is reset), and at least one per changed neuron (states are overwritten)."
    ),
    measurement=(
        f"{RANDOM} random integer ReLU networks and 20 trained ones (16 binary pixels, 12 neurons, "
        "one seed each), every input run through every gate, all inputs equally likely. "
        "neuron_state: one-bit states on a device of class L, reset one by one (of "
        f"{RANDOM - DEVICES} random networks, and of 20 seeds of two sizes on 1,797 images, by the "
        "integer reference, to which the others' devices are equal); activation: what neurons swap "
        "out in activation_reset; the rest: that whole circuit. Limits are of the mean over "
        "networks, differences taken network by network. Joint entropies of data sets at the "
        "ceiling are not compared (A3: -). "
        "Below 1: the share of networks where a quantity falls short of reading 1; over 1: its "
        "mean excess."
    ),
    failure=(
        "No quantity of any network falls below a reading: the claim holds for all ledgers. A "
        "device of class L below twice the changed neurons would be a bug (T7)."
    ),
    source="Tkachenko, arXiv 2503.09980 v1, in two readings of ours; theorem T7",
    run=_run,
    draw=_draw,
    size=(11.0, 5.4),
)
