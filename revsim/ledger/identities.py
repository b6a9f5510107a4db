"""Identities that must hold on every report, evaluated and never assumed.

Each is a theorem of the ledgers; a residual above 1e-9 is a bug of revsim, not a result. `holds` is
None where an identity does not apply to the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from revsim.ledger.gates import CircuitLoss
from revsim.ledger.ledgers import LADDER, LedgerRow, total_of
from revsim.ledger.mismatch import Mismatch
from revsim.ledger.pointwise import spread
from revsim.ledger.reference import Integers, LayerEntropies, Neurons
from revsim.physics.landauer import CROSSING
from revsim.simulator.tally import Tally

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Identity:
    """One identity: `residual` is how far it is from holding (0 is perfect), in bits."""

    id: str
    symbol: str
    statement: str
    residual: float | None

    @property
    def holds(self) -> bool | None:
        """Whether the residual is below 1e-9; None where the identity does not apply."""
        return None if self.residual is None else self.residual <= TOLERANCE


def telescoping(rows: Sequence[LedgerRow], tally: Tally) -> Identity:
    """T1: given_kept adds up to H(start) - H(end) of the device and its kept exports."""
    given = total_of(rows).given_kept
    change = tally.initial.entropy - tally.final.entropy
    return Identity("telescoping", "T1", "given_kept = H(start) - H(end)", abs(given - change))


def ladder(rows: Sequence[LedgerRow]) -> Identity:
    """T2: each ledger is at least the next, down to 0, for every cause.

    The gaps are divergence from a fair coin, total correlation inside registers, total correlation
    among the registers of a group, and what the group shares with what is kept: none is negative.
    """
    worst = 0.0
    for row in rows:
        steps = [*(getattr(row.ledgers, name) for name in LADDER), 0.0]
        worst = max(worst, *(b - a for a, b in pairwise(steps)))
    return Identity("ladder", "T2", f"{' >= '.join(LADDER)} >= 0", worst)


def circuit_loss(found: CircuitLoss | None, rows: Sequence[LedgerRow]) -> Identity:
    """T3: A4 - A3 = sum over gates of I(in; rest) - I(out; rest), no term below 0; and the gates
    read from the netlist cost what the gates that ran were counted to cost."""
    residual: float | None = None
    if found is not None:
        counted = total_of(rows).gate_local or 0.0
        residual = max(found.residual, abs(found.free - counted))
    statement = "gate_local - given_kept = sum of I(in; rest) - I(out; rest)"
    return Identity("circuit_loss", "T3", statement, residual)


def bennett(rows: Sequence[LedgerRow], applies: bool, keeps_input: bool, loss: float) -> Identity:
    """T4: compute, copy, uncompute erases nothing; erasing the input then costs H(X given Y)."""
    total = total_of(rows)
    residual: float | None = None
    if applies:
        residual = total.reset_count if keeps_input else abs(total.given_kept - loss)
    return Identity("bennett", "T4", "nothing erased, or H(X given Y) with the input", residual)


def floor(rows: Sequence[LedgerRow], keeps_input: bool, loss: float) -> Identity:
    """T5: with only Y left, every ledger is at least H(X given Y)."""
    total = total_of(rows)
    least = min(getattr(total, name) for name in LADDER)
    residual = None if keeps_input else max(0.0, loss - least)
    return Identity("floor", "T5", "every ledger >= H(X given Y)", residual)


def layer_sum(
    layers: Sequence[LayerEntropies], H_X: float, H_Y: float, rows: Sequence[LedgerRow] | None
) -> Identity:
    """T6: losses of layers add up to H(X) - H(Y); neurons taken one by one lose no less.

    `rows`, where the policy works layer by layer and destroys the input: then given_kept of each
    layer is its H(in) - H(out), so that an erasure booked on a wrong layer shows.
    """
    total = sum(layer.H_in - layer.H_out for layer in layers)
    chained = max((abs(a.H_out - b.H_in) for a, b in pairwise(layers)), default=0.0)
    separate = max((layer.H_z - layer.H_out - layer.separate_loss for layer in layers), default=0.0)
    booked = 0.0
    for layer in layers if rows is not None else ():
        given = total_of(r for r in rows or () if r.layer == layer.name).given_kept
        booked = max(booked, abs(given - (layer.H_in - layer.H_out)))
    residual = max(abs(total - (H_X - H_Y)), chained, separate, booked, 0.0)
    return Identity("layer_sum", "T6", "layer losses add up to H(X) - H(Y)", residual)


def neuron_reset(neurons: Sequence[Neurons]) -> Identity:
    """T7: one-bit neuron states reset one by one.

    sum h2(p) >= sum 2 min(p, 1 - p); >= 2 changed neurons; >= active neurons where every
    p <= 0.7729; and H(value) = h2(p) + H(value given state) for each neuron.
    """
    residual: float | None = None
    for layer in neurons:
        p, states = layer.activity, layer.state_entropy
        gaps = [
            2 * float(sum(min(v, 1 - v) for v in p.tolist())) - float(states.sum()),
            float((4 * p * (1 - p)).sum()) - float(states.sum()),
            float(abs(layer.value_entropy - states - layer.given_state).max(initial=0.0)),
        ]
        if float(p.max(initial=0.0)) <= CROSSING:
            gaps.append(float(p.sum()) - float(states.sum()))
        residual = max(residual or 0.0, *gaps, 0.0)
    return Identity(
        "neuron_reset",
        "T7",
        "neuron_entropy >= 2 min(p, 1-p), >= 2 changed, >= active if p <= p*",
        residual,
    )


def linear_loss(layers: Sequence[LayerEntropies]) -> Identity:
    """T9: H(x) - H(Wx) is 0 where W tells all inputs of the ensemble apart, and only there: two
    rows that meet lose at least 2 / (total weight) bits."""
    residual = 0.0
    for layer in layers:
        loss = layer.H_in - layer.H_z
        residual = max(residual, abs(loss) if layer.injective else layer.least_merge - loss)
    return Identity("linear_loss", "T9", "H(x) - H(z) = 0 just where z tells x apart", residual)


def relu_loss(layers: Sequence[LayerEntropies]) -> Identity:
    """T10: H(z) - H(relu z) = P(z <= 0) H(z given z <= 0) for each neuron."""
    gaps = [layer.relu_gap for layer in layers if layer.relu_gap is not None]
    statement = "H(z) - H(relu z) = P(z <= 0) H(z given z <= 0), neuron by neuron"
    return Identity("relu_loss", "T10", statement, max(gaps, default=None))


def pointwise(tally: Tally, weights: Integers | None) -> Identity:
    """T11: bits thrown away of single rows are never negative and average to given_kept, group by
    group; None where the run did not record them."""
    residual: float | None = None
    for group in tally.groups:
        if group.pointwise is not None:
            found = spread(group.pointwise, weights)
            given = group.before.entropy - group.after.entropy
            residual = max(residual or 0.0, abs(found.mean - given), -found.least)
    statement = "mean over rows of log2 p(after) / p(before) = given_kept"
    return Identity("pointwise", "T11", statement, residual)


def tuned_elsewhere(found: Mismatch | None, rows: Sequence[LedgerRow]) -> Identity:
    """A5: resets and gates tuned to another ensemble never cost less than tuned to this one."""
    residual: float | None = None
    if found is not None:
        total = total_of(rows)
        pairs = [(found.per_bit, total.per_bit), (found.per_register, total.per_register)]
        if found.gate_local is not None:
            pairs.append((found.gate_local, total.gate_local or 0.0))
        residual = max(0.0, *(tuned - cost for cost, tuned in pairs))
    statement = "tuned to another ensemble, no ledger is smaller"
    return Identity("mismatched", "A5", statement, residual)


def circuit_end(tally: Tally, H_kept: float) -> Identity:
    """The device ends with the entropy of what it should hold, hashes against exact counting.

    H_kept is H(Y) where only the output is left, H(X) where the input is kept (the output is then a
    function of it), both from the integer reference.
    """
    residual = abs(tally.final.entropy - H_kept)
    return Identity("circuit_end", "-", "H(device at end) = H(what is kept)", residual)
