"""T7 on the device: what one-bit neuron states cost when each is reset by itself (class L).

The theorem speaks of any circuit that holds each neuron's state in a register of its own and resets
these one by one, each reset looking at nothing else. What such a circuit erased is held here
against what the integer reference says of the same neurons.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from revsim.ledger.identities import Identity
from revsim.ledger.ledgers import LedgerRow, total_of
from revsim.ledger.reference import Neurons, joint_entropy

CAUSE: Final = "neuron_state"
"""The cause under which a neuron's one-bit state is erased."""
Integers = npt.NDArray[np.int64]


def neuron_states(
    rows: Sequence[LedgerRow],
    neurons: Sequence[Neurons],
    states: Mapping[str, Sequence[Integers]],
    weights: Integers | None,
) -> Identity:
    """T7: of the states erased one by one, layer by layer, four numbers are those of the neurons.

    reset_count = n, per_bit = sum of h2(p), ones_flipped = active neurons, and H of all states of a
    layer together, as read from the device before they die (`states`: per layer one int64 [rows]
    per neuron), = pattern_entropy. None where nothing is erased under this cause.
    """
    residual: float | None = None
    for layer in neurons:
        found = [r for r in rows if r.layer == layer.layer and r.cause == CAUSE]
        if not found:
            continue
        erased = total_of(found)
        together = joint_entropy(np.stack(states[layer.layer], axis=1), weights)
        gaps = (
            erased.reset_count - len(layer.activity),
            erased.per_bit - float(layer.state_entropy.sum()),
            erased.ones_flipped - float(layer.activity.sum()),
            together - layer.pattern_entropy,
        )
        residual = max(residual or 0.0, *(abs(gap) for gap in gaps))
    statement = "the device erases n, sum of h2, active; its states hold pattern_entropy"
    return Identity("neuron_states", "T7", statement, residual)
