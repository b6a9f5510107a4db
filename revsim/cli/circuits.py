"""Verbs about circuits: run, count, table, draw, adiabatic."""

import argparse
from typing import Any

from revsim.cli.options import (
    POLICY,
    add_verb,
    basis_option,
    calibration_options,
    check_ending,
    check_executor,
    check_writable,
    circuit_of,
    executor_option,
    graph_of,
    policy_options,
    print_json,
    progress,
)
from revsim.errors import InputError

BORDER = """\
basis fredkin: bits on two rails; Fredkins keep the number of ones. NOTs supply
constant ones and take them back, CNOTs split inputs into rails and join them
(row border: those that belong to no layer)"""


def add_verbs(verbs: Any) -> None:
    """Register these verbs."""
    run = add_verb(verbs, "run", _run, "run gates on the rows of a .npy file")
    run.add_argument("model", metavar="MODEL|CIRCUIT")
    run.add_argument(
        "--input", required=True, metavar="X.npy", dest="rows", help="or .npz, an array per input"
    )
    run.add_argument("--output", required=True, metavar="Y.npy")
    run.add_argument("--tensors", metavar="T.npz", help="also write every readable tensor")
    run.add_argument("--policy", metavar="P", help=f"{POLICY}; of a .tflite or .onnx: uncompute")
    calibration_options(run)
    executor_option(run)

    count = add_verb(verbs, "count", _count, "gates, width and depth, layer by layer")
    count.add_argument("model", metavar="MODEL|CIRCUIT")
    policy_options(count, "activation_reset")
    basis_option(count)
    calibration_options(count)

    table = add_verb(
        verbs, "table", _table, "truth and erasure table of a circuit of up to 16 inputs"
    )
    table.add_argument("circuit", metavar="CIRCUIT")
    executor_option(table)

    draw = add_verb(verbs, "draw", _draw, "draw a small circuit, or the hierarchy of any")
    draw.add_argument("model", metavar="MODEL|CIRCUIT")
    draw.add_argument("--policy", metavar="P", help=POLICY)
    draw.add_argument("--hierarchy", action="store_true", help="the tree of definitions")
    basis_option(draw)

    adiabatic = add_verb(
        verbs, "adiabatic", _adiabatic, "what adiabatic logic families make of a circuit"
    )
    adiabatic.add_argument("model", metavar="MODEL|CIRCUIT")
    policy_options(adiabatic, "activation_reset")
    adiabatic.add_argument("--family", metavar="F", help="list what the circuit breaks in it")
    adiabatic.add_argument("--tick", type=float, default=1e-8, metavar="S", help="of one ramp")
    adiabatic.add_argument("--leakage", type=float, default=1e-12, metavar="W", help="of a cell")
    adiabatic.add_argument(
        "--switching",
        action="store_true",
        help="of a network: erased bits, and flips in a retractile cascade, from a simulation",
    )


def _run(options: argparse.Namespace) -> int:
    from revsim.network.files import read_npy
    from revsim.pipeline import run_to_files

    check_writable(options.output, options.tensors)
    check_ending(options.tensors, ".npz")
    check_executor(options)
    graph = graph_of(options)
    check_ending(options.output, *([".npy"] if graph is None else [".npy", ".npz"]))
    if graph is not None:
        return _run_graph(options, graph)
    circuit = circuit_of(options, options.policy, None)
    rows = read_npy(options.rows)
    with progress(f"running {circuit.name}"):
        summary = run_to_files(
            circuit, rows, options.output, options.tensors, options.rows, options.executor
        )
    return _ran(options, summary)


def _run_graph(options: argparse.Namespace, graph: Any) -> int:
    from revsim.graphs.rows import read_samples
    from revsim.graphs.run import run_graph_to_files

    samples, _ = read_samples(graph, options.rows)
    policy = options.policy or "uncompute"
    with progress(f"running {graph.name}"):
        summary = run_graph_to_files(
            graph, samples, options.output, options.tensors, policy, options.executor
        )
    return _ran(options, summary)


def _ran(options: argparse.Namespace, summary: dict[str, Any]) -> int:
    if options.json:
        print_json(summary)
    else:
        from revsim.simulator.executors import Evaluated

        names = "executor", "gate_evaluations", "equivalent_gates"
        evaluated = Evaluated(*(summary[name] for name in names))
        print(f"{summary['rows']:,} rows, {evaluated} ({evaluated.executor}) -> {options.output}")
        reals = summary.get("reals", {})
        for name, (scale, zero) in reals.items():
            shift = f"(integer {'-' if zero > 0 else '+'} {abs(zero)})" if zero else "integer"
            which = f" of {name}" if len(reals) > 1 else ""
            print(f"real number{which} = {scale:.9g} * {shift}")
    return 0


def _count(options: argparse.Namespace) -> int:
    from revsim.report.counting import count_circuit, count_tensors, render_counts

    graph = graph_of(options) if options.basis == "native" else None
    if graph is None:
        counted = count_circuit(circuit_of(options, options.policy, options.input), options.basis)
    else:
        from revsim.schedule.graphs import compile_graph

        with progress(f"counting every gate of {graph.name}"):
            policy, choice = options.policy or "activation_reset", options.input or "destroy"
            counted = count_tensors(compile_graph(graph, policy, choice))
    if options.json:
        print_json(counted)
    else:
        print(render_counts(counted), end="")
        if options.basis == "fredkin":
            print(BORDER)
    return 0


def _table(options: argparse.Namespace) -> int:
    from revsim.formats.qasm3 import load as load_circuit
    from revsim.report.truth import render_truth, truth_table

    check_executor(options)
    table = truth_table(load_circuit(options.circuit), options.executor)
    if options.json:
        print_json(table)
    else:
        print(render_truth(table), end="")
    return 0


def _draw(options: argparse.Namespace) -> int:
    from revsim.draw.text import SYMBOLS, draw_gates, draw_hierarchy

    circuit = circuit_of(options, options.policy, None)
    text = draw_hierarchy(circuit) if options.hierarchy else f"{draw_gates(circuit)}\n\n{SYMBOLS}"
    if options.json:
        print_json({"drawing": text.splitlines()})
    else:
        print(text)
    return 0


def _adiabatic(options: argparse.Namespace) -> int:
    from revsim.physics.families import Cell, family_of
    from revsim.report.families import examine_families, render_families

    if options.family is not None:
        family_of(options.family)
    circuit = circuit_of(options, options.policy, options.input)
    bits, flips = 0.0, None
    if options.switching:
        if not circuit.layers:
            raise InputError("--switching is for networks: a circuit has no data of its own")
        from revsim.pipeline import verify

        chosen = circuit.policy, circuit.input_choice
        with progress(f"running {circuit.name}"):
            run = verify(options.model, policy=chosen[0], input=chosen[1], switching=True).runs[0]
        bits, flips = run.total.per_bit, sum((run.switching or {}).values())
    with progress(f"examining every gate of {circuit.name}"):
        found = examine_families(
            circuit, Cell(leakage_w=options.leakage), options.tick, bits, flips
        )
    if options.json:
        print_json(found)
    else:
        print(render_families(found, options.family), end="")
    return 0
