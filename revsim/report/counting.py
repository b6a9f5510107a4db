"""Gate counts of a circuit as JSON and as text: what a hardware designer asks first."""

import io
from typing import Any

from rich.console import Console

from revsim.circuit.banks import TensorCircuit
from revsim.circuit.definition import Circuit
from revsim.circuit.measures import Counts, circuit_depth, circuit_width, counts_of_item
from revsim.circuit.survey import counts_by_layer, linear_toffolis, tensor_width
from revsim.report.report import gate_counts
from revsim.report.tables import WIDTH, paragraph, plain_table

TITLES = {"native": "native gates", "fredkin": "gates in the Fredkin basis"}

KINDS = {
    "Toffoli": ("toffoli",),
    "CNOT": ("cnot",),
    "NOT": ("not",),
    "Fredkin": ("fredkin",),
    "other": ("swap", "mcx"),
    "ERASE": ("erase",),
    "all gates": ("gates",),
}
"""Columns of the table and what each adds up."""
MANY_GATES = 10**7
"""From here on columns of zeros make room for long figures."""


def count_circuit(circuit: Circuit, basis: str = "native") -> dict[str, Any]:
    """Counts per layer and in total, with width, depth and Toffolis per multiply-accumulate.

    `toffolis_per_mac_linear` is the linear part, computed and uncomputed, once, whatever the
    policy. `border`: gates of no layer, which supply constants and split rails in the Fredkin basis
    (None where there are no layers). basis: that of the circuit given. Depth lets gates that share
    no wire run at once, locals free at time 0.
    """
    layers: dict[str, Counts] = {}
    names = circuit.layer_of or ("",) * len(circuit.body)
    for item, name in zip(circuit.body, names, strict=True):
        layers[name] = layers.get(name, Counts()) + counts_of_item(item)
    linear = {layer.name: layer.linear_toffolis for layer in circuit.layers}
    measures = circuit_width(circuit), circuit_depth(circuit)
    return _counted(circuit, basis, layers, linear, measures)


def count_tensors(circuit: TensorCircuit) -> dict[str, Any]:
    """The same for a circuit of tensors, every position of every definition; no depth. Makes each
    definition once."""
    layers = counts_by_layer(circuit)
    linear = linear_toffolis(circuit.linear)
    return _counted(circuit, "native", layers, linear, (tensor_width(circuit), None))


def _counted(
    circuit: Circuit | TensorCircuit,
    basis: str,
    layers: dict[str, Counts],
    linear: dict[str, int],
    measures: tuple[int, int | None],
) -> dict[str, Any]:
    total = sum(layers.values(), Counts())
    macs = sum(layer.macs for layer in circuit.layers)
    named = {layer.name for layer in circuit.layers}
    border = sum((c for name, c in layers.items() if name not in named), Counts())
    return {
        "circuit": circuit.name,
        "basis": basis,
        "policy": circuit.policy,
        "input": circuit.input_choice,
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                **gate_counts(layers.get(layer.name, Counts())),
                "macs": layer.macs,
                "toffolis_per_mac_linear": linear.get(layer.name, 0) / layer.macs
                if layer.macs
                else None,
            }
            for layer in circuit.layers
        ],
        "border": gate_counts(border) if circuit.layers else None,
        "total": {
            **gate_counts(total),
            "toffoli_equivalent": total.toffoli_equivalent,
            "width": measures[0],
            "depth": measures[1],
            "macs": macs,
            "toffolis_per_mac_linear": sum(linear.values()) / macs if macs else None,
        },
    }


def render_counts(counted: dict[str, Any]) -> str:
    """The counts as text, 80 columns wide."""
    console = Console(width=WIDTH, record=True, file=io.StringIO())
    written = counted["policy"] == "as_written"
    chosen = "" if written else f"; {counted['policy']}, {counted['input']}"
    rows = [*counted["layers"], {"name": "total", **counted["total"]}]
    if counted["border"] is not None and counted["border"]["gates"]:
        rows.insert(-1, {"name": "border", **counted["border"]})
    total = counted["total"]
    crowded = total["gates"] >= MANY_GATES
    columns = [name for name, kinds in KINDS.items() if not crowded or _sum(total, kinds)]
    title = f"{counted['circuit']}: {TITLES[counted['basis']]}{chosen}"
    table = plain_table(title, "layer", *columns)
    for column in table.columns[1:]:
        column.no_wrap = True
    for row in rows:
        style = "bold" if row["name"] == "total" else None
        figures = (f"{_sum(row, KINDS[name]):,}" for name in columns)
        table.add_row(row["name"], *figures, style=style)
    console.print(table)
    left_out = [name for name in KINDS if name not in columns]
    depth = "" if total["depth"] is None else f", depth {total['depth']:,} steps"
    words = [
        f"width {total['width']:,} wires{depth}",
        f"{total['toffoli_equivalent']:,} Toffolis with each Fredkin as one",
    ]
    if total["macs"]:
        words.append(
            f"linear part, computed and uncomputed once: {total['toffolis_per_mac_linear']:.2f} "
            f"Toffolis per MAC (multiply-accumulate), of which there are {total['macs']:,}"
        )
    if left_out:
        words.append(f"no gates of these kinds: {', '.join(left_out)}")
    for line in words:
        console.print(paragraph(line))
    return console.export_text()


def _sum(row: dict[str, Any], kinds: tuple[str, ...]) -> int:
    return sum(int(row[kind]) for kind in kinds)
