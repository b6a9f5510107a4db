"""Truth and erasure table of a small circuit: what comes out and what each ERASE throws away."""

import io
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from revsim.circuit.definition import Circuit, CircuitItem, Erase, Mark
from revsim.errors import InputError
from revsim.ledger.ledgers import ledger_rows, total_of
from revsim.report.tables import WIDTH, number, plain_table
from revsim.simulator.ensemble import uniform
from revsim.simulator.run import simulate

BIT_LIMIT = 16


def truth_table(circuit: Circuit, executor: str | None = None) -> dict[str, Any]:
    """Every input of a circuit of at most 16 input bits, its output, and the value at each ERASE.

    Values are integers in their register's encoding. `ledgers` are for uniform inputs, in bits.
    """
    bits = sum(register.encoding.width for register in circuit.inputs)
    if bits > BIT_LIMIT:
        raise InputError(
            f"{circuit.name!r} has {bits} input bits; tables go up to {BIT_LIMIT}: "
            "use `revsim run` on chosen rows"
        )
    watched: list[CircuitItem] = []
    erased: list[str] = []
    for item in circuit.body:
        if isinstance(item, Erase):
            watched.append(Mark(f"{len(erased)}", (item.register,)))
            erased.append(f"{item.register.name} ({item.cause})")
        watched.append(item)
    # A circuit compiled from a network has marks of its own; a mark changes nothing.
    values: dict[str, Any] = {}
    probed = replace(circuit, body=tuple(watched), layer_of=_layers(circuit, watched))
    ensemble = uniform(
        [r.encoding.low for r in circuit.inputs], [r.encoding.high for r in circuit.inputs]
    )

    def on_mark(name: str, element: int, seen: Any) -> None:
        if name.isdigit():
            values[name] = seen

    run = simulate(probed, ensemble, executor=executor, on_mark=on_mark)
    rows = ledger_rows(run.tally)
    return {
        "circuit": circuit.name,
        **run.evaluated.as_dict(),
        "inputs": [r.name for r in circuit.inputs],
        "outputs": [r.name for r in circuit.outputs],
        "erased": erased,
        "rows": [
            {
                "input": [int(v) for v in ensemble.rows[r]],
                "output": [int(v) for v in run.outputs[r]],
                "erased": [int(values[str(k)][r]) for k in range(len(erased))],
            }
            for r in range(len(ensemble.rows))
        ],
        "ledgers": [
            {"layer": row.layer, "cause": row.cause, **asdict(row.ledgers)} for row in rows
        ],
        "total": asdict(total_of(rows)),
        "H_start": run.tally.initial.entropy,
        "H_end": run.tally.final.entropy,
    }


def _layers(circuit: Circuit, watched: list[CircuitItem]) -> tuple[str, ...]:
    known = {id(item): name for item, name in zip(circuit.body, circuit.layer_of, strict=False)}
    return tuple(known.get(id(item), "") for item in watched) if circuit.layer_of else ()


def render_truth(table: dict[str, Any]) -> str:
    """The table as text, 80 columns wide."""
    console = Console(width=WIDTH, record=True, file=io.StringIO())
    erased = [f"erases\n{name.partition(' (')[0]}" for name in table["erased"]]
    columns = (*table["inputs"], *(f"out\n{n}" for n in table["outputs"]), *erased)
    console.print(Text(f"{table['circuit']}: every input", "bold"))  # wider than a narrow table
    truth = plain_table("", *columns, left=0)
    for row in table["rows"]:
        truth.add_row(*(str(v) for v in (*row["input"], *row["output"], *row["erased"])))
    console.print(truth)
    ledgers = plain_table(
        "Bits erased, uniform inputs",
        "layer",
        "cause",
        "reset_count",
        "per_bit",
        "per_register",
        "given_kept",
        left=2,
    )
    for row in (*table["ledgers"], {"layer": "total", "cause": "", **table["total"]}):
        names = ("reset_count", "per_bit", "per_register", "given_kept")
        ledgers.add_row(row["layer"], row["cause"], *(number(row[n]) for n in names))
    console.print(ledgers)
    console.print(
        f"H(device) {'falls' if table['H_end'] < table['H_start'] else 'stays'}: "
        f"{np.round(table['H_start'], 6):g} bits at the start, "
        f"{np.round(table['H_end'], 6):g} at the end; given_kept is the difference."
    )
    return console.export_text()
