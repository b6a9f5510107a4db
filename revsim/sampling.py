"""A data set as a sample: what its rows show, run by run, for claims about their population.

`Sample` collects what each ERASE throws away, row by row, while `verify` runs; the ledgers
themselves need only counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Circuit, Erase
from revsim.errors import InputError
from revsim.ledger.bootstrap import labels_of
from revsim.ledger.comparison import LIKE_WITH_LIKE
from revsim.ledger.population import Joint, Population, Quantity, check_sample, claims
from revsim.network.network import Network
from revsim.network.reference import LayerValues
from revsim.report.report import RunReport
from revsim.simulator.ensemble import Ensemble
from revsim.simulator.run import Run

Bits = npt.NDArray[np.bool_]
KEPT_LIMIT: Final = 1 << 31
"""Bytes that the erased bits of all rows and runs may take."""
NETLIST: Final = "single resets inside a netlist are counted, not kept row by row"
PART: Final = "a part of given_kept depends on the order of erasures; only the total is estimated"


@dataclass
class Sample:
    """One sample of a network's inputs while its runs are watched; lives inside `verify` only."""

    network: Network
    ensemble: Ensemble
    estimator: str
    runs: list[tuple[Run, list[tuple[Erase, Bits]]]] = field(default_factory=list)
    kept: int = 0
    _seen: list[tuple[Erase, Bits]] = field(default_factory=list)

    @classmethod
    def of(cls, network: Network, ensemble: Ensemble, estimator: str) -> "Sample":
        """The sample, or an InputError where the ensemble is none."""
        check_sample(ensemble, estimator)
        if not any(layer.neurons for layer in network.layers):
            raise InputError(
                f"network {network.name!r} has no neurons: there is no claim of the paper to test "
                "on a population"
            )
        return cls(network, ensemble, estimator)

    def watch(self, circuit: Circuit) -> Callable[[Erase, Bits], None]:
        """What `simulate` shall call at each ERASE of one circuit."""
        bits = sum(len(item.register.wires) for item in circuit.body if isinstance(item, Erase))
        self.kept += bits * len(self.ensemble.rows)
        if self.kept > KEPT_LIMIT:
            raise InputError(
                f"{len(self.ensemble.rows):,} rows are too many to keep every erased bit of "
                "each for a claim about a population: use fewer rows, or one policy"
            )
        self._seen = []
        return lambda erase, erased: self._seen.append((erase, erased))

    def saw(self, run: Run) -> None:
        """Note what one run has erased."""
        self.runs.append((run, self._seen))

    def claims(
        self, reference: tuple[LayerValues, ...], reports: Sequence[RunReport]
    ) -> Population:
        """Estimates, intervals and verdicts for every compared quantity."""
        layers = [
            (layer, layer.active(values.y))
            for layer, values in zip(self.network.layers, reference, strict=True)
            if layer.neurons
        ]
        active = np.concatenate([on for _, on in layers], axis=1).T
        patterns = tuple(
            Joint(f"the pattern of {layer.name}", labels_of(on), 2.0**layer.neurons)
            for layer, on in layers
        )
        states = (
            Quantity("neuron_entropy", active),
            Quantity("pattern_entropy", joint=patterns),
        )
        span = (self.network.input_high - self.network.input_low + 1).astype(np.float64)
        last = self.network.layers[-1]
        ends = last.output_high - last.output_low + 1
        x = Joint("the input", labels_of(reference[0].x), float(span.prod()))
        y = Joint("the output", labels_of(reference[-1].y), float(ends.prod(dtype=float)), -1)
        runs = [
            (report.policy, report.input, _quantities(report, run, seen, (x, y)))
            for report, (run, seen) in zip(reports, self.runs, strict=True)
        ]
        names = [f"{layer.name}[{i}]" for layer, _ in layers for i in range(layer.neurons)]
        return claims(active, states, runs, self.estimator, names=names)


def _quantities(
    report: RunReport, run: Run, seen: list[tuple[Erase, Bits]], ends: tuple[Joint, Joint]
) -> list[Quantity]:
    """The quantities of one run that are compared with the paper."""
    compared = dict.fromkeys(c.quantity for c in report.comparison)
    out = []
    for name in compared:
        cause, _, ledger = name.rpartition(".")
        erased = [(erase, bits) for erase, bits in seen if cause in ("", erase.cause)]
        if name not in (*LIKE_WITH_LIKE, "reset_count"):
            out.append(_quantity(name, cause, ledger, run, erased, ends))
    return out


def _quantity(
    name: str,
    cause: str,
    ledger: str,
    run: Run,
    erased: list[tuple[Erase, Bits]],
    ends: tuple[Joint, Joint],
) -> Quantity:
    if ledger == "given_kept":
        if cause:
            return Quantity(name, refused=PART)
        # T1: the total is H(X) - H(what is left), which is 0 while the input is kept.
        return Quantity(name, joint=() if run.circuit.input_choice != "destroy" else ends)
    if run.tally.inner and not cause:
        if ledger == "per_register":
            return Quantity(name, refused=NETLIST)
        counted = [*(t.ones for t in run.tally.inner), *(t.ones for t in run.tally.erasures)]
        return Quantity(name, ones=np.concatenate(counted))
    if ledger == "per_bit":
        rows = len(run.ensemble.rows)
        none = np.zeros((0, rows), np.bool_)
        return Quantity(name, np.concatenate([none, *(bits for _, bits in erased)]))
    if ledger == "per_register":
        return Quantity(
            name,
            joint=tuple(
                Joint(erase.register.name, labels_of(bits.T), 2.0 ** len(bits))
                for erase, bits in erased
            ),
        )
    return Quantity(name, refused=f"there is no way to estimate {ledger} from a sample")
