"""A data set as a sample: what its rows show, run by run, for claims about their population.

`Sample` collects what each ERASE throws away, row by row, while `verify` runs; the ledgers
themselves need only counts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Circuit, Erase
from revsim.errors import InputError
from revsim.ledger.bootstrap import labels_of
from revsim.ledger.population import Joint, Population, Quantity, check_sample, claims
from revsim.network.network import Network
from revsim.network.reference import LayerValues
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
    runs: list[tuple[Circuit, Run, list[tuple[Erase, Bits]]]] = field(default_factory=list)
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
        self.runs.append((run.circuit, run, self._seen))

    def claims(self, reference: tuple[LayerValues, ...]) -> Population:
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
            (circuit.policy, circuit.input_choice, _quantities(run, seen, (x, y)))
            for circuit, run, seen in self.runs
        ]
        return claims(active, states, runs, self.estimator)


def _quantities(
    run: Run, seen: list[tuple[Erase, Bits]], ends: tuple[Joint, Joint]
) -> list[Quantity]:
    """The quantities that are compared with the paper, for one run."""
    rows = len(run.ensemble.rows)
    keeps = run.circuit.input_choice != "destroy"
    out: list[Quantity] = []
    swapped = [(erase, bits) for erase, bits in seen if erase.cause == "activation"]
    if swapped:
        out += _of_registers("activation.", swapped, rows)
        out.append(Quantity("activation.given_kept", refused=PART))
    if run.tally.inner:
        counted = [*(t.ones for t in run.tally.inner), *(t.ones for t in run.tally.erasures)]
        ones = np.concatenate(counted)
        out += [Quantity("per_bit", ones=ones), Quantity("per_register", refused=NETLIST)]
    else:
        out += _of_registers("", seen, rows)
    # T1: the total is H(X) - H(what is left), which is 0 while the input is kept.
    out.append(Quantity("given_kept", joint=() if keeps else ends))
    return out


def _of_registers(prefix: str, seen: list[tuple[Erase, Bits]], rows: int) -> list[Quantity]:
    bits = np.concatenate([np.zeros((0, rows), np.bool_), *(b for _, b in seen)])
    joint = tuple(Joint(erase.register.name, labels_of(b.T), 2.0 ** len(b)) for erase, b in seen)
    return [Quantity(f"{prefix}per_bit", bits), Quantity(f"{prefix}per_register", joint=joint)]
