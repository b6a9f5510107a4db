"""The command line: one function per verb, no mechanism.

Exit status: 0 checks and identities hold, 1 one of them fails, 2 input or usage is wrong.
"""

import argparse
import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import revsim
from revsim.errors import CheckError, InputError

BORDER = """\
basis fredkin: bits on two rails; Fredkins keep the number of ones. NOTs supply
constant ones and take them back, CNOTs split inputs into rails and join them"""
POLICY = (
    "conventional, activation_reset (default), uncompute, bennett, pebble:K (K layer registers), "
    "pebble:Ww (W wires), pebble or neuron_reset"
)
EPILOG = """\
MODEL is an .npz network or the name of a bundled one (digits, digits20, xor, toy);
CIRCUIT is a .qasm file in revsim's text form. Registers print high bit first; index 0
is the least significant bit. Exit status: 0 all holds, 1 a check or identity fails,
2 input or usage is wrong.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.verb is None:
        parser.print_help()
        return 2
    options.argv = ["revsim", *(sys.argv[1:] if arguments is None else arguments)]
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except InputError as error:
        return _say(error, 2)
    except CheckError as error:
        return _say(error, 1)
    except MemoryError:
        return _say("not enough memory: use fewer rows (--ensemble random:ROWS)", 2)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more can be said
        if isinstance(error, BrokenPipeError):  # the reader has seen enough
            return 0
        return _say(f"standard output cannot be written: {error.strerror}", 2)


def _say(message: object, status: int) -> int:
    print(f"revsim: {message}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a command line in the one form of all messages."""

    def error(self, message: str) -> NoReturn:
        """Leave with status 2."""
        self.exit(2, f"revsim: {message}; see `{self.prog} --help`\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = _Parser(
        prog="revsim",
        description="What a neural network's inference must cost in heat, gate by gate.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"revsim {revsim.__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")

    verify = _verb(verbs, "verify", _verify, "compile, run every gate on every row, check, compare")
    verify.add_argument("model", nargs="?", default="digits", metavar="MODEL")
    _policy(verify, "the first four, input destroyed, and bennett with it kept")
    _ensemble(verify)
    verify.add_argument(
        "--stream",
        action="store_true",
        help="rows are consecutive inputs of a device that keeps its neurons' states",
    )
    _temperature(verify)
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
    verify.add_argument("--plot", metavar="FILE", help="also write a figure (.png, .svg, .pdf)")
    verify.add_argument("--neurons", metavar="FILE", help="also write the neurons table (.csv)")
    verify.add_argument("--erasures", metavar="FILE", help="also write the erasures table (.csv)")

    run = _verb(verbs, "run", _run, "run gates on the rows of a .npy file")
    run.add_argument("model", metavar="MODEL|CIRCUIT")
    run.add_argument("--input", required=True, metavar="X.npy", dest="rows")
    run.add_argument("--output", required=True, metavar="Y.npy")
    run.add_argument("--tensors", metavar="T.npz", help="also write every readable tensor")
    run.add_argument("--policy", metavar="P", help=POLICY)

    count = _verb(verbs, "count", _count, "gates, width and depth, layer by layer")
    count.add_argument("model", metavar="MODEL|CIRCUIT")
    _policy(count, "activation_reset")
    _basis(count)

    table = _verb(verbs, "table", _table, "truth and erasure table of a circuit, up to 16 inputs")
    table.add_argument("circuit", metavar="CIRCUIT")

    draw = _verb(verbs, "draw", _draw, "draw a small circuit, or the hierarchy of any")
    draw.add_argument("model", metavar="MODEL|CIRCUIT")
    draw.add_argument("--policy", metavar="P", help=POLICY)
    draw.add_argument("--hierarchy", action="store_true", help="the tree of definitions")
    _basis(draw)

    adiabatic = _verb(
        verbs, "adiabatic", _adiabatic, "what adiabatic logic families make of a circuit"
    )
    adiabatic.add_argument("model", metavar="MODEL|CIRCUIT")
    _policy(adiabatic, "activation_reset")
    adiabatic.add_argument("--family", metavar="F", help="list what the circuit breaks in it")
    adiabatic.add_argument("--tick", type=float, default=1e-8, metavar="S", help="of one ramp")
    adiabatic.add_argument("--leakage", type=float, default=1e-12, metavar="W", help="of a cell")
    adiabatic.add_argument(
        "--switching",
        action="store_true",
        help="of a network: erased bits, and flips in a retractile cascade, from a simulation",
    )

    energy = _verb(verbs, "energy", _energy, "from one erased bit to a memory access, in joules")
    energy.add_argument("model", nargs="?", metavar="MODEL", help="also its inferences, as rungs")
    _ensemble(energy)
    energy.add_argument("--bits", type=float, default=1.0, metavar="B", help="erased (default: 1)")
    _temperature(energy)
    energy.add_argument("--recalled", action="store_true", help="with values that were not re-read")
    energy.add_argument("--plot", metavar="FILE", help="also write a figure (.png, .svg, .pdf)")

    explain = _verb(verbs, "explain", _explain, "one neuron: activity, heat, resets, drawing")
    explain.add_argument("model", nargs="?", default="digits", metavar="MODEL")
    explain.add_argument("--layer", required=True, metavar="L", help="layer1 or 1")
    explain.add_argument("--neuron", required=True, type=int, metavar="N", help="from 0")
    _policy(explain, "activation_reset")
    _ensemble(explain)
    explain.add_argument("--temperature", type=float, default=300.0, metavar="K", help="in kelvin")

    reproduce = _verb(
        verbs, "reproduce", _reproduce, "run a saved report again and compare every number"
    )
    reproduce.add_argument("report", metavar="REPORT.json", help="made by verify --json")
    reproduce.add_argument("--model", metavar="FILE", help="where the network is now")
    reproduce.add_argument("--data", metavar="FILE", help="where the rows are now")
    reproduce.add_argument("--threads", type=int, default=None, help="default: all cores")

    experiment = _verb(
        verbs, "experiment", _experiment, "one question asked of revsim: table, figure, outcome"
    )
    experiment.add_argument(
        "name", nargs="?", default="list", metavar="NAME", help="list (default), all, or a name"
    )
    experiment.add_argument("--plot", metavar="FILE", help="also write a figure (.png, .svg, .pdf)")
    experiment.add_argument("--folder", metavar="F", help="of all: write NAME.json and NAME.png")

    bit = _verb(verbs, "bit", _bit, "erase one bit in a double well: work, errors, Jarzynski")
    bit.add_argument("--tau", type=float, default=10.0, help="duration in length^2 / D")
    bit.add_argument("--paths", type=int, default=10_000, help="how often it is erased")
    bit.add_argument("--barrier", type=float, default=8.0, help="between the wells, in k_B T")
    bit.add_argument("--seed", type=int, default=0, help="of the noise")
    bit.add_argument("--threads", type=int, default=None, help="default: all cores")

    _verb(verbs, "warmup", _warmup, "compile the kernels once, so that the next run starts fast")
    return parser


def _verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="JSON alone on standard output")
    return parser


def _policy(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--policy",
        metavar="P",
        help="conventional, activation_reset, uncompute, bennett, pebble:K (K layer registers), "
        f"pebble:Ww (W wires), pebble or neuron_reset (default: {default})",
    )
    parser.add_argument("--input", metavar="I", help="destroy, keep or return the input")


def _temperature(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--temperature", type=float, default=300.0, metavar="K", help="of the device, in kelvin"
    )
    parser.add_argument(
        "--efficiency",
        type=float,
        metavar="E",
        help="of a refrigerator from there to 300 K, as a fraction of Carnot: adds wall energy",
    )


def _basis(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--basis",
        choices=("native", "fredkin"),
        default="native",
        help="fredkin: rewritten in controlled swaps on two rails, ones conserved",
    )


def _ensemble(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="FILE", help=".npy of rows, or .npz with rows and labels")
    parser.add_argument(
        "--ensemble",
        metavar="E",
        help="data (default), uniform, product:P, product:data, weights:W.npy, random:ROWS",
    )
    parser.add_argument("--seed", type=int, default=0, help="of random rows")
    parser.add_argument("--threads", type=int, default=None, help="default: all cores")


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, allow_nan=False))


@contextmanager
def _progress(text: str) -> Iterator[None]:
    """A spinner on a terminal, and only there, once the work has taken a second."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    status = Console(stderr=True).status(text)
    timer = threading.Timer(1.0, status.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        status.stop()


def _writable(*paths: str | None) -> None:
    """Refuse, before any work, a file that could not be written at the end."""
    for path in paths:
        if path is not None and not Path(path).absolute().parent.is_dir():
            raise InputError(f"{path}: there is no folder {Path(path).absolute().parent.name!r}")
        if path is not None and Path(path).is_dir():
            raise InputError(f"{path}: is a folder, not a file")


def _verify(options: argparse.Namespace) -> int:
    from revsim.ledger.ledgers import check_scope
    from revsim.physics.cooling import check_refrigerator

    check_refrigerator(options.temperature, options.efficiency)
    check_scope(options.scope)
    _writable(options.plot, options.neurons, options.erasures)
    if options.plot is not None:
        from revsim.report.plots import kind_of

        kind_of(options.plot)
    with _progress(f"running every gate of {options.model} (kernels are compiled on a first run)"):
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

        print(render_text(report, options.units, color=sys.stdout.isatty()), end="")
    return 0 if report.holds else 1


def report_of(options: argparse.Namespace) -> Any:
    """The `Report` of a parsed `verify` command line; writes nothing."""
    from revsim.inputs import make_ensemble, make_prior
    from revsim.pipeline import load, verify

    network = load(options.model)
    ensemble, labels = make_ensemble(network, options.ensemble, options.data, options.seed)
    return verify(
        network,
        ensemble,
        labels=labels,
        policy=options.policy,
        input=options.input,
        temperature_k=options.temperature,
        efficiency=options.efficiency,
        threads=options.threads,
        stream=options.stream,
        switching=options.switching,
        scope=options.scope,
        tuned_to=make_prior(network, options.tuned_to, options.seed),
        population=options.population,
        provenance={"argv": options.argv},
    )


def _circuit(options: argparse.Namespace, policy: str | None, input: str | None) -> Any:
    """A circuit from a text file, or compiled from a network; in the basis that is asked for."""
    circuit = _native(options, policy, input)
    if getattr(options, "basis", "native") == "native":
        return circuit
    from revsim.circuit.two_rails import in_fredkin_basis

    return in_fredkin_basis(circuit)


def _native(options: argparse.Namespace, policy: str | None, input: str | None) -> Any:
    from revsim.formats.qasm3 import load as load_circuit
    from revsim.pipeline import load
    from revsim.schedule.policy import compile_network

    if str(options.model).endswith(".qasm"):
        for option, value in (("--policy", policy), ("--input", input)):
            if value is not None:
                raise InputError(
                    f"{option} is for networks: {options.model} says itself what it erases"
                )
        return load_circuit(options.model)
    return compile_network(load(options.model), policy or "activation_reset", input or "destroy")


def _run(options: argparse.Namespace) -> int:
    from revsim.network.files import read_npy
    from revsim.pipeline import run_to_files

    _writable(options.output, options.tensors)
    circuit = _circuit(options, options.policy, None)
    rows = read_npy(options.rows)
    with _progress(f"running every gate of {circuit.name}"):
        summary = run_to_files(circuit, rows, options.output, options.tensors, options.rows)
    if options.json:
        _print_json(summary)
    else:
        print(
            f"{summary['rows']:,} rows, {summary['gate_evaluations']:,} gate evaluations -> "
            f"{options.output}"
        )
    return 0


def _count(options: argparse.Namespace) -> int:
    from revsim.report.counting import count_circuit, render_counts

    circuit = _circuit(options, options.policy, options.input)
    counted = count_circuit(circuit)
    if options.json:
        _print_json(counted)
    else:
        print(render_counts(counted), end="")
        if options.basis == "fredkin":
            print(BORDER)
    return 0


def _table(options: argparse.Namespace) -> int:
    from revsim.formats.qasm3 import load as load_circuit
    from revsim.report.truth import render_truth, truth_table

    table = truth_table(load_circuit(options.circuit))
    if options.json:
        _print_json(table)
    else:
        print(render_truth(table), end="")
    return 0


def _draw(options: argparse.Namespace) -> int:
    from revsim.draw.text import SYMBOLS, draw_gates, draw_hierarchy

    circuit = _circuit(options, options.policy, None)
    text = draw_hierarchy(circuit) if options.hierarchy else f"{draw_gates(circuit)}\n\n{SYMBOLS}"
    if options.json:
        _print_json({"drawing": text.splitlines()})
    else:
        print(text)
    return 0


def _adiabatic(options: argparse.Namespace) -> int:
    from revsim.physics.families import Cell, family_of
    from revsim.report.families import examine_families, render_families

    if options.family is not None:
        family_of(options.family)
    circuit = _circuit(options, options.policy, options.input)
    bits, flips = 0.0, None
    if options.switching:
        if not circuit.layers:
            raise InputError("--switching is for networks: a circuit has no data of its own")
        from revsim.pipeline import verify

        chosen = circuit.policy, circuit.input_choice
        with _progress(f"running every gate of {circuit.name}"):
            run = verify(options.model, policy=chosen[0], input=chosen[1], switching=True).runs[0]
        bits, flips = run.total.per_bit, sum((run.switching or {}).values())
    with _progress(f"examining every gate of {circuit.name}"):
        found = examine_families(
            circuit, Cell(leakage_w=options.leakage), options.tick, bits, flips
        )
    if options.json:
        _print_json(found)
    else:
        print(render_families(found, options.family), end="")
    return 0


def _energy(options: argparse.Namespace) -> int:
    from revsim.report.ladder import Erased, all_rungs, as_dict, network_rungs, plot_ladder, render
    from revsim.report.plots import kind_of, save

    erased = Erased(options.bits, options.temperature, options.efficiency)
    _writable(options.plot)
    if options.plot is not None:
        kind_of(options.plot)
    more = () if options.model is None else network_rungs(_erasing(options), options.temperature)
    rungs = all_rungs(erased, options.recalled, more)
    if options.plot is not None:
        save(plot_ladder(rungs, options.temperature), options.plot)
    if options.json:
        _print_json(as_dict(erased, rungs))
    else:
        print(render(erased, rungs), end="")
    return 0


def _erasing(options: argparse.Namespace) -> list[Any]:
    """A network in the paper's picture and with all layers uncomputed, its input destroyed."""
    from revsim.inputs import make_ensemble
    from revsim.pipeline import load, verify

    network = load(options.model)
    ensemble, _ = make_ensemble(network, options.ensemble, options.data, options.seed)
    with _progress(f"running every gate of {network.name}"):
        return [
            verify(network, ensemble, policy=policy, threads=options.threads)
            for policy in ("activation_reset", "bennett")
        ]


def _explain(options: argparse.Namespace) -> int:
    from revsim.explanation import explain, render
    from revsim.inputs import make_ensemble
    from revsim.pipeline import load

    network = load(options.model)
    ensemble, _ = make_ensemble(network, options.ensemble, options.data, options.seed)
    with _progress(f"running every gate of {network.name} (kernels are compiled on a first run)"):
        found = explain(
            network,
            ensemble,
            layer=options.layer,
            neuron=options.neuron,
            policy=options.policy or "activation_reset",
            input=options.input or "destroy",
            temperature_k=options.temperature,
            threads=options.threads,
        )
    if options.json:
        _print_json(found.as_dict())
    else:
        print(render(found, color=sys.stdout.isatty()), end="")
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    from revsim.reproduction import render, reproduce

    with _progress(f"running {options.report} again"):
        found = reproduce(
            options.report, model=options.model, data=options.data, threads=options.threads
        )
    if options.json:
        _print_json(found.as_dict())
    else:
        print(render(found), end="")
    return 0 if found.equal else 1


def _experiment(options: argparse.Namespace) -> int:
    from revsim.experiments.experiment import as_dict, figure_of
    from revsim.experiments.registry import NAMES, experiment
    from revsim.experiments.text import render, render_list

    chosen = [experiment(name) for name in (NAMES if options.name in ("list", "all") else ())]
    if options.name == "list":
        if options.json:
            _print_json([{"number": e.number, "name": e.name, "title": e.title} for e in chosen])
        else:
            print(render_list(chosen), end="")
        return 0
    if options.name == "all":
        return _all_experiments(options, chosen)
    if options.folder is not None:
        raise InputError("--folder is for `revsim experiment all`; here give --plot FILE")
    _writable(options.plot)
    found = experiment(options.name)
    with _progress(f"running experiment {found.name}"):
        outcome = found.run()
    if options.plot is not None:
        from revsim.report.plots import save

        save(figure_of(found, outcome), options.plot)
    if options.json:
        _print_json(as_dict(found, outcome))
    else:
        print(render(found, outcome, color=sys.stdout.isatty()), end="")
    return 0


def _all_experiments(options: argparse.Namespace, chosen: Sequence[Any]) -> int:
    from revsim.experiments.experiment import as_dict, figure_of
    from revsim.experiments.text import render_outcome
    from revsim.files import write_whole
    from revsim.report.plots import save

    if options.plot is not None:
        raise InputError("--plot is for one experiment; for all of them give --folder F")
    if options.folder is not None and not Path(options.folder).is_dir():
        raise InputError(f"{options.folder}: there is no such folder")
    everything = []
    for found in chosen:
        with _progress(f"running experiment {found.name}"):
            outcome = found.run()
        everything.append(as_dict(found, outcome))
        if options.folder is not None:
            folder = Path(options.folder)
            text = json.dumps(everything[-1], indent=1, allow_nan=False)
            write_whole(folder / f"{found.name}.json", f"{text}\n".encode())
            save(figure_of(found, outcome), folder / f"{found.name}.png")
        if not options.json:
            print(render_outcome(found, outcome), end="", flush=True)
    if options.json:
        _print_json(everything)
    return 0


def _bit(options: argparse.Namespace) -> int:
    from revsim.report.bit import measure_bit, render_bit

    with _progress("erasing one bit many times"):
        found = measure_bit(
            options.tau, options.paths, options.barrier, options.seed, options.threads
        )
    if options.json:
        _print_json(found)
    else:
        print(render_bit(found), end="")
    return 0


def _warmup(options: argparse.Namespace) -> int:
    import time

    from revsim.pipeline import verify

    started = time.perf_counter()
    verify("toy")
    seconds = time.perf_counter() - started
    if options.json:
        _print_json({"seconds": seconds})
    else:
        print(f"kernels are ready ({seconds:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
