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

from revsim.ledger.ledgers import LedgerRow, total_of
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
    def margin(self) -> float | None:
        """Quantity minus reading in bits; None where the two are not compared."""
        return None if self.holds is None else self.quantity_bits - self.reading_bits


def activity(neurons: Sequence[Neurons]) -> Activity:
    """Totals over layers of neurons."""
    p = np.concatenate([n.activity for n in neurons]) if neurons else np.zeros(0)
    loud = tuple(
        f"{layer.layer}[{i}]" for layer in neurons for i in layer.columns[layer.activity > CROSSING]
    )
    return Activity(
        float(p.sum()),
        float((2 * p * (1 - p)).sum()),
        len(p),
        float(sum(layer.state_entropy.sum() for layer in neurons)),
        float(sum(layer.pattern_entropy for layer in neurons)),
        loud,
    )


READINGS = ("active neurons", "changed neurons")
"""Readings of the paper's neurons that change state."""
LIKE_WITH_LIKE = ("neuron_entropy", "pattern_entropy")
"""Quantities of one-bit neuron states, whatever the circuit."""
OF_ACTIVATIONS = ("activation.per_bit", "activation.per_register", "activation.given_kept")
"""What is erased by the cause `activation` alone: what neurons swapped out."""
OF_STATES = ("neuron_state.per_bit", "neuron_state.given_kept")
"""What is erased by the cause `neuron_state`: one-bit states, each reset by itself (class L)."""
OF_CIRCUIT = ("per_bit", "per_register", "given_kept", "reset_count")
"""Totals of the circuit: inputs, requantisers, logits and netlists included."""


def compare(
    rows: Sequence[LedgerRow], counted: Activity, at_ceiling: bool, keeps_input: bool
) -> tuple[Comparison, ...]:
    """Every quantity against both readings, in words a physicist would sign."""
    if counted.neuron_states == 0:
        return ()
    values = _quantities(rows, counted)
    out = []
    for reading, bound in zip(
        READINGS, (counted.active_neurons, counted.changed_neurons), strict=True
    ):
        for quantity, value in values.items():
            holds: bool | None = value >= bound - 1e-12
            note = _note(quantity, reading, counted, keeps_input)
            joint = quantity == "pattern_entropy" or quantity.endswith("given_kept")
            if quantity == "reset_count":
                holds = None
            elif joint and at_ceiling and not (keeps_input and quantity != "pattern_entropy"):
                holds, note = None, "not compared: a joint entropy of data at their log2 N ceiling"
            out.append(Comparison(reading, bound, quantity, value, holds, note))
    return tuple(out)


def _quantities(rows: Sequence[LedgerRow], counted: Activity) -> dict[str, float]:
    values = {
        "neuron_entropy": counted.neuron_entropy,
        "pattern_entropy": counted.pattern_entropy,
    }
    for names in (OF_ACTIVATIONS, OF_STATES):
        cause = names[0].partition(".")[0]
        erased = [row for row in rows if row.cause == cause]
        if erased:
            total = total_of(erased)
            values |= {name: getattr(total, name.partition(".")[2]) for name in names}
    total = total_of(rows)
    values.update({name: getattr(total, name) for name in OF_CIRCUIT})
    return values


def _note(quantity: str, reading: str, counted: Activity, keeps_input: bool) -> str:
    if quantity in ("neuron_entropy", "neuron_state.per_bit"):
        if reading == "changed neurons":
            return "like with like; theorem: at least twice the changed neurons"
        if counted.loud:
            loud = f"{len(counted.loud)} of {counted.neuron_states}"
            return f"like with like; {loud} neurons have p > p*, where h2(p) < p"
        return "like with like; every p <= p*, so the theorem applies"
    if quantity == "pattern_entropy":
        return "like with like; neurons of a layer taken together"
    if quantity == "reset_count":
        return "not compared: any circuit with one reset per neuron passes"
    if quantity == "neuron_state.given_kept":
        return "like with like; resets that may look at everything kept"
    if quantity.startswith("activation."):
        return "what neurons swapped out: registers wider than the one-bit states counted"
    if quantity == "given_kept" and keeps_input:
        return "the input is kept: nothing need be lost"
    return "not like with like: inputs, requantisers, logits and netlists are included"
