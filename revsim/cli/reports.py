"""Verbs that make a report of a network: verify, explain, reproduce."""

import argparse
import sys
from typing import Any

from revsim.cli.options import (
    add_verb,
    calibration_options,
    check_executor,
    check_writable,
    ensemble_options,
    executor_option,
    policy_options,
    print_json,
    progress,
    temperature_options,
)


def add_verbs(verbs: Any) -> None:
    """Register these verbs."""
    verify = add_verb(verbs, "verify", _verify, "run every gate on every row, check, compare")
    verify.add_argument("model", nargs="?", default="digits", metavar="MODEL")
    policy_options(verify, "the first four, input destroyed, and bennett with it kept")
    ensemble_options(verify)
    executor_option(verify)
    calibration_options(verify)
    verify.add_argument(
        "--stream",
        action="store_true",
        help="rows are consecutive inputs of a device that keeps its neurons' states",
    )
    temperature_options(verify)
    verify.add_argument(
        "--units",
        choices=("bits", "nats", "k_B", "J"),
        default="bits",
        help="of the erased-bits tables",
    )
    verify.add_argument(
        "--scope",
        default="bit",
        metavar="S",
        help="what a reset may look at, heading the heat: bit (default), register, layer, kept",
    )
    verify.add_argument(
        "--tuned-to",
        metavar="FILE|E",
        help="also what a device pays that is tuned to another ensemble (a file, or as --ensemble)",
    )
    verify.add_argument(
        "--switching", action="store_true", help="also count the flips of every wire, slower"
    )
    verify.add_argument(
        "--population",
        nargs="?",
        const="miller_madow",
        metavar="ESTIMATOR",
        help="take the rows for a sample and add estimates and intervals for its population: "
        "plug_in, miller_madow (default), chao_shen, grassberger, nsb",
    )
    verify.add_argument(
        "--device",
        choices=("dedicated", "shared"),
        help="of a graph: every position its own hardware (default), or one piece a channel",
    )
    verify.add_argument("--plot", metavar="FILE", help="also write a figure (.png, .svg, .pdf)")
    verify.add_argument("--neurons", metavar="FILE", help="also write the neurons table (.csv)")
    verify.add_argument("--erasures", metavar="FILE", help="also write the erasures table (.csv)")

    explain = add_verb(verbs, "explain", _explain, "one neuron: activity, heat, resets, drawing")
    explain.add_argument("model", nargs="?", default="digits", metavar="MODEL")
    explain.add_argument("--layer", required=True, metavar="L", help="layer1 or 1")
    explain.add_argument("--neuron", required=True, type=int, metavar="N", help="from 0")
    policy_options(explain, "activation_reset")
    ensemble_options(explain)
    executor_option(explain)
    explain.add_argument("--temperature", type=float, default=300.0, metavar="K", help="in kelvin")

    reproduce = add_verb(
        verbs, "reproduce", _reproduce, "run a saved report again and compare every number"
    )
    reproduce.add_argument("report", metavar="REPORT.json", help="made by verify --json")
    reproduce.add_argument("--model", metavar="FILE", help="where the network is now")
    reproduce.add_argument("--data", metavar="FILE", help="where the rows are now")
    reproduce.add_argument("--threads", type=int, default=None, help="default: all cores")
    executor_option(reproduce, default="that of the report")


def _verify(options: argparse.Namespace) -> int:
    from revsim.ledger.ledgers import check_scope
    from revsim.physics.cooling import check_refrigerator

    check_refrigerator(options.temperature, options.efficiency)
    check_scope(options.scope)
    check_executor(options)
    check_writable(options.plot, options.neurons, options.erasures)
    if options.plot is not None:
        from revsim.report.plots import kind_of

        kind_of(options.plot)
    with progress(f"running {options.model} (kernels are compiled on a first run)"):
        report = report_of(options)
    if options.plot is not None:
        report.plot(options.plot)
    if options.neurons is not None:
        report.neurons.to_csv(options.neurons)
    if options.erasures is not None:
        report.erasures.to_csv(options.erasures)
    if options.json:
        print(report.to_json())
    else:
        from revsim.report.tables import render_text

        if "calibration" in report.provenance:
            from textwrap import fill

            from revsim.cli.calibration import summary

            print(fill(f"{options.model}: {summary(report.provenance)}", 80))
        print(render_text(report, options.units, color=sys.stdout.isatty()), end="")
    return 0 if report.holds else 1


def report_of(options: argparse.Namespace) -> Any:
    """The `Report` of a parsed `verify` command line; writes nothing."""
    from revsim.cli.calibration import load_as_asked
    from revsim.errors import InputError
    from revsim.inputs import make_ensemble

    network, calibration = load_as_asked(options)
    ensemble, labels = make_ensemble(network, options.ensemble, options.data, options.seed)
    try:
        return _verified(options, network, ensemble, labels, calibration)
    except InputError as error:
        if not str(error).startswith("labels:"):
            raise
        raise InputError(f"{options.data}, {error}") from error


def _verified(
    options: argparse.Namespace, network: Any, ensemble: Any, labels: Any, calibration: Any
) -> Any:
    from revsim.inputs import make_prior
    from revsim.pipeline import verify

    return verify(
        network,
        ensemble,
        labels=labels,
        policy=options.policy,
        input=options.input,
        temperature_k=options.temperature,
        efficiency=options.efficiency,
        executor=options.executor,
        threads=options.threads,
        stream=options.stream,
        switching=options.switching,
        scope=options.scope,
        tuned_to=make_prior(network, options.tuned_to, options.seed),
        population=options.population,
        device=options.device,
        provenance={"argv": options.argv, **calibration},
    )


def _explain(options: argparse.Namespace) -> int:
    from revsim.explanation import explain, render
    from revsim.inputs import make_ensemble
    from revsim.pipeline import load_network

    check_executor(options)
    network = load_network(options.model)
    ensemble, _ = make_ensemble(network, options.ensemble, options.data, options.seed)
    with progress(f"running {network.name} (kernels are compiled on a first run)"):
        found = explain(
            network,
            ensemble,
            layer=options.layer,
            neuron=options.neuron,
            policy=options.policy or "activation_reset",
            input=options.input or "destroy",
            temperature_k=options.temperature,
            executor=options.executor,
            threads=options.threads,
        )
    if options.json:
        print_json(found.as_dict())
    else:
        print(render(found, color=sys.stdout.isatty()), end="")
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    from revsim.reproduction import render, reproduce

    check_executor(options)
    with progress(f"running {options.report} again"):
        found = reproduce(
            options.report,
            model=options.model,
            data=options.data,
            executor=options.executor,
            threads=options.threads,
        )
    if options.json:
        print_json(found.as_dict())
    else:
        print(render(found), end="")
    return 0 if found.equal else 1
