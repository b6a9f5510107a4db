"""`explain`: one neuron from its activity to its heat, with what every reset of it saw.

Nothing is computed here a second time: the figures are the rows of `verify`'s neurons and erasures
tables, and the drawing shows the items of the compiled circuit that belong to the neuron.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt
from rich.console import Console, Group, RenderableType
from rich.text import Text

from revsim.draw.neuron import draw_neuron, values_of
from revsim.errors import InputError
from revsim.network.network import Network
from revsim.physics.landauer import CROSSING, energy_j
from revsim.pipeline import load_network, verify
from revsim.report.report import Report
from revsim.report.tables import WIDTH, number, plain_table
from revsim.simulator.ensemble import Ensemble

SCHEMA: Final = "revsim explain 1"


@dataclass(frozen=True)
class Reset:
    """One row of the erasures table: what a reset threw away of this neuron, in bits."""

    layer: str
    cause: str
    register: str
    value_of: str
    reset_count: int
    per_bit: float
    per_register: float
    ones_flipped: float


@dataclass(frozen=True)
class Explanation:
    """One neuron under one policy.

    activity p; changed 2p(1-p); state_entropy h2(p) and value_entropy in bits; `resets` as in the
    erasures table of `verify`; `derivation`: four lines; `drawing`: lines of text.
    """

    network: str
    ensemble: str
    rows: int
    layer: str
    kind: str
    neuron: int
    policy: str
    input: str
    activity: float
    changed: float
    state_entropy: float
    value_entropy: float
    above_p_star: bool
    temperature_k: float
    resets: tuple[Reset, ...]
    derivation: tuple[str, ...]
    drawing: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, in the layout of `revsim explain --json`."""
        total = {
            name: sum(getattr(reset, name) for reset in self.resets)
            for name in ("reset_count", "per_bit", "per_register", "ones_flipped")
        }
        return {"schema": SCHEMA, **asdict(self), "total": total}


def explain(
    network: Network | str | Path,
    ensemble: Ensemble | npt.ArrayLike | None = None,
    *,
    layer: str | int,
    neuron: int,
    policy: str = "activation_reset",
    input: str = "destroy",
    temperature_k: float = 300.0,
    executor: str | None = None,
    threads: int | None = None,
) -> Explanation:
    """One neuron of a network: activity, entropies, garbage, what each reset of it saw, a drawing.

    layer: `layer1` or 1; neuron: index from 0; the rest as for `verify`. Raises InputError where
    there is no such layer or neuron, and lists those there are.

    >>> found = explain("xor", layer=1, neuron=1)
    >>> found.activity, round(found.state_entropy, 4), [r.register for r in found.resets]
    (0.25, 0.8113, ['layer1.activation[1]', 'layer2.layer_input[1]'])
    """
    network = load_network(network) if isinstance(network, str | Path) else network
    if not isinstance(network, Network):
        raise InputError(f"explain takes a Network, a file or a name, not {type(network).__name__}")
    number_of_layer = _find(network, layer, neuron)
    source = network.layers[number_of_layer]
    report = verify(
        network,
        ensemble,
        policy=policy,
        input=input,
        temperature_k=temperature_k,
        executor=executor,
        threads=threads,
    )
    run = report.runs[0]
    row = next(r for r in report.neurons.rows if r[:2] == (source.name, neuron))
    activity, changed, state, value, above = row[2:]
    resets = _resets(report, network, number_of_layer, neuron)
    return Explanation(
        network.name,
        str(report.ensemble["name"]),
        int(report.ensemble["rows"]),
        source.name,
        source.kind,
        neuron,
        run.policy,
        run.input,
        activity,
        changed,
        state,
        value,
        above,
        temperature_k,
        resets,
        _derivation(activity, state, resets, temperature_k),
        draw_neuron(network, number_of_layer, neuron, run.policy, run.input),
    )


def _find(network: Network, layer: str | int, neuron: int) -> int:
    """Index of the layer, or an InputError that lists layers and neurons."""
    there = ", ".join(
        f"{x.name} (0..{x.neurons - 1})" if x.neurons else f"{x.name} (no neurons: {x.kind})"
        for x in network.layers
    )
    names = [x.name for x in network.layers]
    name = f"layer{layer}" if str(layer).isdigit() else str(layer)
    if name not in names:
        raise InputError(f"network {network.name!r} has no layer {layer!r}; it has {there}")
    place = names.index(name)
    if not isinstance(neuron, Integral):
        raise InputError(f"neuron must be a whole number, counted from 0; got {neuron!r}")
    if not 0 <= neuron < network.layers[place].neurons:
        raise InputError(f"{name} of {network.name!r} has no neuron {neuron}; there are {there}")
    return place


def _resets(report: Report, network: Network, place: int, neuron: int) -> tuple[Reset, ...]:
    """Rows of the erasures table about this neuron, its output as the next layer's input last."""
    its = values_of(network, place, neuron)
    return tuple(Reset(*row[2:]) for row in report.erasures.rows if its(row[5]))


def _derivation(p: float, state: float, resets: Sequence[Reset], kelvin: float) -> tuple[str, ...]:
    """From p to h2 to bits to zJ."""
    bit = energy_j(1.0, kelvin) * 1e21
    erased = sum(r.reset_count for r in resets)
    per_bit = sum(r.per_bit for r in resets)
    per_register = sum(r.per_register for r in resets)
    above = f" (above p* = {CROSSING:.4f}: h2(p) < p)" if p > CROSSING else ""
    return (
        f"p = {p:.6g} of the inputs activate it{above}",
        f"h2(p) = -p log2 p - (1 - p) log2(1 - p) = {state:.6g} bits: its one-bit state",
        f"its resets, {erased:,} bit{'s' * (erased != 1)}: per_bit {number(per_bit)}, "
        f"per_register {number(per_register)} bits",
        f"x k_B T ln 2 = {bit:.6g} zJ ({kelvin:g} K): state {number(state * bit)} zJ, "
        f"its resets {number(per_bit * bit)} zJ",
    )


# --- as text --------------------------------------------------------------------------------------


def render(found: Explanation, color: bool = False) -> str:
    """The explanation as text, 80 columns wide."""
    console = Console(width=WIDTH, record=True, file=io.StringIO(), force_terminal=color)
    console.print(Group(*_parts(found)))
    drawing = "\n".join(found.drawing)  # as it is: no wrapping
    return f"{console.export_text(styles=color)}\n{drawing}\n"


def _parts(found: Explanation) -> Iterable[RenderableType]:
    yield Text(f"{found.network}: neuron {found.neuron} of {found.layer} ({found.kind})", "bold")
    yield Text(
        f"ensemble {found.ensemble}, {found.rows:,} rows; {found.policy}, input {found.input}\n"
    )
    for name, value, meaning in (
        ("activity", found.activity, "p: share of inputs on which it is active"),
        ("changed", found.changed, "2p(1 - p): chance to differ between two inputs"),
        ("state_entropy", found.state_entropy, "bits: h2(p) of its one-bit state"),
        ("value_entropy", found.value_entropy, "bits: H of its whole output"),
    ):
        yield Text(f"  {name:<15}{value:<9.6g} {meaning}")
    yield Text("\nFrom activity to heat", style="bold")
    for number_of_line, line in enumerate(found.derivation, start=1):
        yield Text(f"  {number_of_line}. {line}")
    yield Text("")
    if found.resets:
        yield _reset_table(found)
    else:
        yield Text(f"{found.policy}, {found.input} resets nothing of this neuron by itself.")
    yield Text(f"The neuron under {found.policy}", style="bold")


def _reset_table(found: Explanation) -> RenderableType:
    table = plain_table(
        "What each reset of it saw (bits; the rows of verify's erasures table)",
        "register",
        "reset_count",
        "per_bit",
        "per_register",
        "ones_flipped",
    )
    for r in (*found.resets, None):
        total = found.as_dict()["total"]
        figures = total if r is None else vars(r)
        table.add_row(
            "all" if r is None else r.register,
            *(
                number(figures[n])
                for n in ("reset_count", "per_bit", "per_register", "ones_flipped")
            ),
        )
    return table
