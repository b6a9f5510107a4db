"""Verbs about physics: experiment, energy, bit; and warmup."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from revsim.cli.options import (
    add_verb,
    check_executor,
    check_kernels,
    check_writable,
    ensemble_options,
    executor_option,
    print_json,
    progress,
    temperature_options,
)
from revsim.errors import InputError


def add_verbs(verbs: Any) -> None:
    """Register these verbs."""
    experiment = add_verb(
        verbs, "experiment", _experiment, "one question asked of revsim: table, figure, outcome"
    )
    experiment.add_argument(
        "name", nargs="?", default="list", metavar="NAME", help="list (default), all, or a name"
    )
    experiment.add_argument("--plot", metavar="FILE", help="also write a figure (.png, .svg, .pdf)")
    experiment.add_argument("--folder", metavar="F", help="of all: NAME.json and NAME.png in it")

    energy = add_verb(verbs, "energy", _energy, "from one erased bit to a memory access, in joules")
    energy.add_argument("model", nargs="?", metavar="MODEL", help="also its inferences, as rungs")
    ensemble_options(energy)
    executor_option(energy)
    energy.add_argument("--bits", type=float, default=1.0, metavar="B", help="erased (default: 1)")
    temperature_options(energy)
    energy.add_argument("--recalled", action="store_true", help="with values that were not re-read")
    energy.add_argument("--plot", metavar="FILE", help="also write a figure (.png, .svg, .pdf)")

    bit = add_verb(verbs, "bit", _bit, "erase one bit in a double well: work, errors, Jarzynski")
    bit.add_argument("--tau", type=float, default=10.0, help="duration in length^2 / D")
    bit.add_argument("--paths", type=int, default=10_000, help="how often it is erased")
    bit.add_argument("--barrier", type=float, default=8.0, help="between the wells, in k_B T")
    bit.add_argument("--seed", type=int, default=0, help="of the noise")
    bit.add_argument("--threads", type=int, default=None, help="default: all cores")

    add_verb(verbs, "warmup", _warmup, "compile the kernels once, so that the next run starts fast")


def _experiment(options: argparse.Namespace) -> int:
    from revsim.experiments.experiment import as_dict, figure_of
    from revsim.experiments.registry import NAMES, experiment
    from revsim.experiments.text import render, render_list

    chosen = [experiment(name) for name in (NAMES if options.name in ("list", "all") else ())]
    if options.name == "list":
        for option, value in (("--plot", options.plot), ("--folder", options.folder)):
            if value is not None:
                raise InputError(f"{option} is for what runs: name an experiment, or all of them")
        if options.json:
            print_json([{"number": e.number, "name": e.name, "title": e.title} for e in chosen])
        else:
            print(render_list(chosen), end="")
        return 0
    if options.name == "all":
        return _all_experiments(options, chosen)
    if options.folder is not None:
        raise InputError("--folder is for `revsim experiment all`; here give --plot FILE")
    check_writable(options.plot)
    found = experiment(options.name)
    with progress(f"running experiment {found.name}"):
        outcome = found.run()
    if options.plot is not None:
        from revsim.report.plots import save

        save(figure_of(found, outcome), options.plot)
    if options.json:
        print_json(as_dict(found, outcome))
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
    if options.folder is not None:
        _make_folder(Path(options.folder))
    everything = []
    for found in chosen:
        with progress(f"running experiment {found.name}"):
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
        print_json(everything)
    return 0


def _make_folder(folder: Path) -> None:
    """The folder as a new one where there is none, its parent being there."""
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError:
        raise InputError(f"{folder}: there is no folder {folder.parent}; make it first") from None
    except FileExistsError:
        raise InputError(f"{folder}: is a file, not a folder") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}") from error


def _energy(options: argparse.Namespace) -> int:
    from revsim.report.ladder import Erased, all_rungs, as_dict, network_rungs, plot_ladder, render
    from revsim.report.plots import kind_of, save

    erased = Erased(options.bits, options.temperature, options.efficiency)
    check_writable(options.plot)
    if options.plot is not None:
        kind_of(options.plot)
    more = () if options.model is None else network_rungs(_erasing(options), options.temperature)
    rungs = all_rungs(erased, options.recalled, more)
    if options.plot is not None:
        save(plot_ladder(rungs, options.temperature), options.plot)
    if options.json:
        print_json(as_dict(erased, rungs))
    else:
        print(render(erased, rungs), end="")
    return 0


def _erasing(options: argparse.Namespace) -> list[Any]:
    """A network in the paper's picture and with all layers uncomputed, its input destroyed."""
    from revsim.inputs import make_ensemble
    from revsim.pipeline import load_network, verify

    check_executor(options)
    network = load_network(options.model)
    ensemble, _ = make_ensemble(network, options.ensemble, options.data, options.seed)
    with progress(f"running {network.name}"):
        return [
            verify(
                network,
                ensemble,
                policy=policy,
                executor=options.executor,
                threads=options.threads,
            )
            for policy in ("activation_reset", "bennett")
        ]


def _bit(options: argparse.Namespace) -> int:
    from revsim.report.bit import measure_bit, render_bit

    with progress("erasing one bit many times"):
        found = measure_bit(
            options.tau, options.paths, options.barrier, options.seed, options.threads
        )
    if options.json:
        print_json(found)
    else:
        print(render_bit(found), end="")
    return 0


def _warmup(options: argparse.Namespace) -> int:
    from revsim.warmup import warm_up

    check_kernels("warmup")
    with progress("compiling the kernels"):
        seconds = warm_up()
    if options.json:
        print_json({"seconds": seconds})
    else:
        print(f"kernels are ready ({seconds:.1f} s)")
    return 0
