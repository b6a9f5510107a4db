"""What the paper claims against what was counted; either outcome is a result.

Tkachenko (arXiv 2503.09980 v1) sets the least energy of an inference at k_B T ln 2 times the mean
number of neurons that change state. Two readings of "change state" are compared:

    active neurons   every neuron returns to "off" between inferences: sum of p
    changed neurons  states stay from one independent inference to the next: sum of 2 p (1 - p)

Like is compared with like: the paper's counts with the entropy of one-bit neuron states, not only
with multi-bit registers that beat them by width. A bare count of resets proves nothing: it is at
least the number of active neurons in any circuit with one reset per neuron.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from revsim.ledger.ledgers import Ledgers
from revsim.ledger.reference import Neurons
from revsim.physics.landauer import CROSSING


@dataclass(frozen=True)
class Activity:
    """The paper's counts and their like: totals over all neurons of a network.

    active_neurons B_R = sum p; changed_neurons B_S = sum 2p(1-p); neuron_states n; neuron_entropy
    sum h2(p); pattern_entropy H of all neuron states of a layer, summed over layers; `loud`: names
    of the neurons with p above 0.7729, where h2(p) < p.
    """

    active_neurons: float
    changed_neurons: float
    neuron_states: int
    neuron_entropy: float
    pattern_entropy: float
    loud: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """One quantity against one reading. `holds` None: not compared, `note` says why."""

    reading: str
    reading_bits: float
    quantity: str
    quantity_bits: float
    holds: bool | None
    note: str

    @property
    def margin(self) -> float:
        """Quantity minus reading, in bits."""
        return self.quantity_bits - self.reading_bits


def activity(neurons: Sequence[Neurons]) -> Activity:
    """Totals over layers of neurons."""
    p = np.concatenate([n.activity for n in neurons]) if neurons else np.zeros(0)
    loud = tuple(
        f"{layer.layer}[{i}]"
        for layer in neurons
        for i in np.flatnonzero(layer.activity > CROSSING)
    )
    return Activity(
        float(p.sum()),
        float((2 * p * (1 - p)).sum()),
        len(p),
        float(sum(layer.state_entropy.sum() for layer in neurons)),
        float(sum(layer.pattern_entropy for layer in neurons)),
        loud,
    )


def compare(
    totals: Ledgers, counted: Activity, at_ceiling: bool, keeps_input: bool
) -> tuple[Comparison, ...]:
    """Every quantity against both readings, in words a physicist would sign."""
    if counted.neuron_states == 0:
        return ()
    readings = (
        ("active neurons", counted.active_neurons),
        ("changed neurons", counted.changed_neurons),
    )
    quantities = (
        ("neuron_entropy", counted.neuron_entropy, False),
        ("pattern_entropy", counted.pattern_entropy, True),
        ("per_bit", totals.per_bit, False),
        ("per_register", totals.per_register, False),
        ("given_kept", totals.given_kept, True),
        ("reset_count", totals.reset_count, False),
    )
    out = []
    for reading, bound in readings:
        for quantity, value, joint in quantities:
            holds: bool | None = value >= bound - 1e-12
            note = _note(quantity, reading, bool(holds), counted, keeps_input)
            if joint and at_ceiling:
                holds = None
                note = "not compared: at the log2 N ceiling of the data set"
            out.append(Comparison(reading, bound, quantity, value, holds, note))
    return tuple(out)


def _note(quantity: str, reading: str, holds: bool, counted: Activity, keeps_input: bool) -> str:
    if quantity == "neuron_entropy":
        if reading == "changed neurons":
            return "like with like; theorem: at least twice the changed neurons"
        if counted.loud:
            loud = f"{len(counted.loud)} of {counted.neuron_states}"
            return f"like with like; {loud} neurons have p > p*"
        return "like with like; every p <= p*, so the theorem applies"
    if quantity == "pattern_entropy":
        return "neurons of a layer taken together"
    if quantity == "reset_count":
        return "says little: any circuit with one reset per neuron passes"
    if quantity == "given_kept":
        return (
            "kept input: nothing need be lost" if keeps_input else "the exact floor of this circuit"
        )
    return (
        "resets of whole registers, wider than the neurons' states"
        if holds
        else "below the reading"
    )
