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


UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"))


def compact(count: int) -> str:
    """A count as it is below a million, above in four digits.

    >>> compact(718_004), compact(14_389_120), compact(20_938_406_244), compact(999_999_999)
    ('718,004', '14.39 M', '20.94 G', '1.000 G')
    """
    if count < 10**6:
        return f"{count:,}"
    size, unit = next(u for u in UNITS if count >= u[0] * (1 - 5e-5) or u[1] == "M")
    return f"{count / size:#.4g} {unit}"


def render_counts(counted: dict[str, Any]) -> str:
    """The counts as text, 80 columns wide; where a million is reached, in four digits."""
    console = Console(width=WIDTH, record=True, file=io.StringIO())
    written = counted["policy"] == "as_written"
    chosen = "" if written else f"; {counted['policy']}, {counted['input']}"
    rows = [*counted["layers"], {"name": "total", **counted["total"]}]
    if counted["border"] is not None and counted["border"]["gates"]:
        rows.insert(-1, {"name": "border", **counted["border"]})
    columns = {"Toffoli": "toffoli", "CNOT": "cnot", "NOT": "not", "Fredkin": "fredkin"}
    columns |= {"other": "other", "ERASE": "erase", "all gates": "gates"}
    found = [{**row, "other": row["swap"] + row["mcx"]} for row in rows]
    kept = {t: k for t, k in columns.items() if found[-1][k] or t not in ("Fredkin", "other")}
    large = found[-1]["gates"] >= 10**6
    table = plain_table(f"{counted['circuit']}: {TITLES[counted['basis']]}{chosen}", "layer", *kept)
    for row in found:
        style = "bold" if row["name"] == "total" else None
        figures = (compact(row[k]) if large else f"{row[k]:,}" for k in kept.values())
        table.add_row(row["name"], *figures, style=style)
    console.print(table)
    total = counted["total"]
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
    if large:
        words.append("M and G are rounded: --json has every count exactly")
    for line in words:
        console.print(paragraph(line))
    return console.export_text()
