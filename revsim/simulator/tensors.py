"""`simulate` for circuits of tensors: whole banks and all positions of a definition at a time.

The same meaning and the same counts as running every position as a call of its own and every
register as an ERASE of its own; what is counted per register or per position is folded at once.
"""

import time
from collections.abc import Sequence
from itertools import groupby
from weakref import WeakSet

import numpy as np

from revsim.circuit.banks import (
    Bank,
    BankAlloc,
    BankErase,
    BankFree,
    BankSet,
    Calls,
    TensorCircuit,
    TensorItem,
)
from revsim.circuit.registers import Wires
from revsim.errors import CheckError, InputError
from revsim.simulator.bank_device import (
    CUTS,
    Cuts,
    Device,
    Integers,
    OnTensor,
    left_behind,
    load,
    must_be_zero,
    read_mark,
)
from revsim.simulator.bank_statistics import read_bank, tally_of
from revsim.simulator.batches import call_fast, call_plain
from revsim.simulator.body import runs_of
from revsim.simulator.ensemble import Ensemble
from revsim.simulator.fold import fold_gates, fold_tallies
from revsim.simulator.tally import (
    Tally,
)


def simulate_tensors(
    circuit: TensorCircuit,
    ensemble: Ensemble,
    executor: str,
    threads: int,
    on_mark: OnTensor | None = None,
    strict: bool = True,
    pointwise: bool = False,
) -> tuple[Integers, Tally]:
    """Outputs int64 [rows, values of all outputs] and the tally; arguments as for `simulate`.

    Rows of the ensemble are the values of all inputs, tensor after tensor. Raises InputError where
    they do not fit or the state would not; CheckError as `simulate` does.
    """
    started = time.perf_counter()
    check(circuit)
    device = load(circuit, ensemble, executor, threads)
    device.pointwise = pointwise
    initial = device.spectrum()
    cuts = CUTS.setdefault(circuit, {})
    key = threads, device.state.shape[1], on_mark is None
    if key in cuts:
        device.cuts = Cuts(cuts[key], known=True)
    for run in runs_of(circuit):
        if isinstance(run.items[0], BankErase):
            _erase(device, run.items, on_mark)
        elif executor != "numpy" and any(isinstance(item, Calls) for item in run.items):
            call_fast(device, run, on_mark)
        else:
            for item in run.items:
                _step(device, item, run.layer, on_mark)
    if executor != "numpy":
        cuts[key] = device.cuts.answers
    device.enter(None)
    final = device.spectrum()
    left_behind(device, ensemble)
    if strict and device.violations:
        raise CheckError(str(device.violations[0]))
    outputs = [read_bank(device.state, b, device.rows, executor) for b in circuit.outputs]
    tally = Tally(
        device.total,
        device.rows,
        (),
        (),
        tuple(device.groups),
        (),
        initial,
        final,
        tuple(device.violations),
        device.evaluations * device.rows,
        None,
        time.perf_counter() - started,
        tuple(device.banks),
        fold_tallies(device.inner),
        fold_gates(device.gates),
        device.fused * device.rows,
    )
    return np.concatenate(outputs, axis=1), tally


_CHECKED: WeakSet[TensorCircuit] = WeakSet()


def check(circuit: TensorCircuit) -> None:
    """Raise InputError where tables do not fit their ports, banks or the device, or a position is
    given a wire twice; once a circuit."""
    if circuit in _CHECKED:
        return
    for item in circuit.body:
        if isinstance(item, Calls):
            widths = [port.width for port in item.recipe.ports]
            if [table.shape[1] for table in item.wires] != widths:
                raise InputError(
                    f"definition {item.recipe.name!r}: ports of {widths} wires, given tables of "
                    f"{[table.shape for table in item.wires]}"
                )
            _check_ports(item)
            tables: Sequence[Wires] = item.wires
        else:
            tables = (item.bank.wires,)
            if item.bank.wires.shape[1] != item.bank.encoding.width:
                raise InputError(f"bank {item.bank.name!r}: wires and encoding differ in width")
        for table in tables:
            if table.size and not 0 <= int(table.min()) <= int(table.max()) < circuit.width:
                raise InputError(f"{circuit.name!r}: a wire outside 0..{circuit.width - 1}")
    _CHECKED.add(circuit)


def _check_ports(calls: Calls) -> None:
    """Each wire at one port of a position, as in a call: a definition may change for a time what it
    reads, and wires that it takes for two would be one."""
    ordered = np.sort(calls.table, axis=1)
    twice = np.argwhere(ordered[:, 1:] == ordered[:, :-1])
    if len(twice):
        position, place = twice[0].tolist()
        raise InputError(
            f"definition {calls.recipe.name!r}: position {position} is given wire "
            f"{ordered[position, place]} at two ports; copy it first"
        )


def _step(device: Device, item: TensorItem, layer: str, on_mark: OnTensor | None) -> None:
    """One item by itself."""
    if isinstance(item, Calls):
        call_plain(device, item, layer)
    elif isinstance(item, BankAlloc | BankFree):
        must_be_zero(device, [item.bank], layer)
        device.live[item.bank.wires] = isinstance(item, BankAlloc)
    elif isinstance(item, BankSet):
        device.enter(None)
        chosen = [k for k in range(item.bank.wires.shape[1]) if item.value >> k & 1]
        device.state[item.bank.wires[:, chosen]] ^= ~np.uint64(0)
        device.evaluations += item.bank.size * len(chosen)
    elif isinstance(item, BankErase):
        device.state[item.bank.wires] = 0
        device.evaluations += item.bank.wires.size
    elif on_mark is not None:
        read_mark(device, item, on_mark)


def _erase(device: Device, items: Sequence[TensorItem], on_mark: OnTensor | None) -> None:
    """An unbroken run of ERASEs of one (layer, cause), bookkeeping among them.

    What they throw away is read before the first one, banks of one width together; should a wire be
    erased twice, which finds nothing the second time, bank by bank.
    """
    erased = [item for item in items if isinstance(item, BankErase)]
    group = device.enter((erased[0].layer, erased[0].cause))
    assert group is not None
    wires = np.concatenate([item.bank.wires.ravel() for item in erased])
    once = np.zeros(device.circuit.width, dtype=np.bool_)
    once[wires] = True
    group.joint.append(device.spectrum(np.flatnonzero(once).astype(np.int32)))
    together = int(once.sum()) == len(wires)

    def tally(some: Sequence[BankErase]) -> None:
        device.banks.append(
            tally_of(
                some,
                device.state,
                device.planes,
                device.rows,
                device.weights,
                device.executor,
                device.threads,
            )
        )

    if together:
        alike: dict[tuple[int, str, tuple[int, int]], list[BankErase]] = {}
        for item in erased:
            key = item.bank.wires.shape[1], item.value_of, item.shape
            alike.setdefault(key, []).append(item)
        for some in alike.values():
            tally(some)
    for frees, part in groupby(items, lambda one: isinstance(one, BankFree)):
        if frees:
            _free(device, [one.bank for one in part if isinstance(one, BankFree)])
            continue
        for one in part:
            if isinstance(one, BankErase) and not together:
                tally([one])
            _step(device, one, erased[0].layer, on_mark)


def _free(device: Device, banks: Sequence[Bank]) -> None:
    """Banks go out of use, all at once."""
    assert device.group is not None
    must_be_zero(device, banks, device.group.key[0])
    device.live[np.concatenate([bank.wires.ravel() for bank in banks])] = False
