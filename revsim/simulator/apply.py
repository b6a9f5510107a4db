"""Run one definition by itself: on integers, for tests and the curious, or there and back."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from revsim.circuit.definition import Definition
from revsim.circuit.kernels import HAVE_NUMBA
from revsim.circuit.registers import Wires
from revsim.errors import CheckError, InputError
from revsim.simulator import plain
from revsim.simulator.counters import Counters
from revsim.simulator.executors import executor_named
from revsim.simulator.lanes import padded_words, planes_of, read, write


def apply(
    definition: Definition,
    values: Mapping[str, npt.ArrayLike],
    inverse: bool = False,
    executor: str = "numpy",
) -> dict[str, npt.NDArray[np.int64]]:
    """Port values after a definition has run on every row; ports not named start at 0.

    Values are unsigned integers of at most 62 bits, shape [rows] each; `executor` is "numpy"
    (the readable one) or another of `simulate`. Raises CheckError where a local or a role is not
    clean.

    >>> from revsim.circuit.builder import Builder
    >>> b = Builder("xor"); x, t = b.port("x", 2), b.port("t", 1)
    >>> b.cx(x[:1], t); b.cx(x[1:], t)
    >>> apply(b.build(), {"x": [0, 1, 2, 3]})["t"].tolist()
    [0, 1, 1, 0]
    """
    executor = executor_named(executor)
    arrays = {k: np.atleast_1d(np.asarray(v, dtype=np.int64)) for k, v in values.items()}
    names = [p.name for p in definition.ports]
    for name in arrays:
        if name not in names:
            raise InputError(f"{definition.name!r} has no port {name!r}; it has {', '.join(names)}")
    rows = max((len(v) for v in arrays.values()), default=1)
    words = padded_words(rows)
    state = np.zeros((definition.port_wires, words), dtype=np.uint64)
    start = 0
    spans = {}
    for port in definition.ports:
        spans[port.name] = np.arange(start, start + port.width, dtype=np.int32)
        start += port.width
        if port.name in arrays:
            column = np.broadcast_to(arrays[port.name], (rows,))
            if column.min(initial=0) < 0 or int(column.max(initial=0)) >> port.width:
                raise InputError(
                    f"{definition.name!r}: port {port.name!r} has {port.width} bits; values "
                    f"{column.min()}..{column.max()} do not fit"
                )
            write(state, spans[port.name], column.astype(np.uint64))
    counters = Counters(planes_of(None, rows, words))
    every = np.arange(definition.port_wires, dtype=np.int32)
    if executor != "numpy":
        from revsim.simulator import fast

        before = state.copy()
        fast.run(definition, state, every, counters, inverse)
        if counters.suspects:  # find the wire in the readable executor
            plain.run(definition, before, every, counters, inverse)
    else:
        plain.run(definition, state, every, counters, inverse)
    if counters.violations:
        raise CheckError(str(counters.violations[0]))
    return {name: read(state, span, rows).astype(np.int64) for name, span in spans.items()}


def reversible_both_ways(definition: Definition, seed: int = 0, keep: bool = True) -> bool:
    """Whether a definition and then its inverse leave everything as it was, on 512 random states.

    Ports start random (those promised to be 0 at 0), every promise about locals and roles is held
    to on the way there and back. A definition that erases is not a bijection. `keep` False: the
    definition was made for this alone, so its program is not remembered.
    """
    if definition.erases:
        return False
    state = np.random.default_rng(seed).integers(
        0, 1 << 64, size=(definition.port_wires, 8), dtype=np.uint64
    )
    zero = np.repeat([p.zero_in for p in definition.ports], [p.width for p in definition.ports])
    state[zero] = 0
    before = state.copy()
    counters = Counters(planes_of(None, 512))
    every: Wires = np.arange(definition.port_wires, dtype=np.int32)
    for inverse in (False, True):
        if HAVE_NUMBA:
            from revsim.simulator import fast

            fast.run(definition, state, every, counters, inverse, keep=keep and not inverse)
        else:
            plain.run(definition, state, every, counters, inverse)
    clean = not counters.suspects and not counters.violations
    return clean and bool((state == before).all())
