"""What verbs share: options, JSON on standard output, a spinner, a circuit from what users name."""

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from revsim.errors import InputError

POLICY = (
    "conventional, activation_reset (default), uncompute, bennett, pebble:K (K layer registers), "
    "pebble:Ww (W wires), pebble or neuron_reset"
)


def add_verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    """A verb with its function and `--json`."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="JSON alone on standard output")
    return parser


def policy_options(parser: argparse.ArgumentParser, default: str) -> None:
    """`--policy` and `--input`."""
    parser.add_argument(
        "--policy",
        metavar="P",
        help="conventional, activation_reset, uncompute, bennett, pebble:K (K layer registers), "
        f"pebble:Ww (W wires), pebble or neuron_reset (default: {default})",
    )
    parser.add_argument("--input", metavar="I", help="destroy, keep or return the input")


def temperature_options(parser: argparse.ArgumentParser) -> None:
    """`--temperature` of the device and `--efficiency` of its refrigerator."""
    parser.add_argument(
        "--temperature", type=float, default=300.0, metavar="K", help="of the device, 1e-12..1e12 K"
    )
    parser.add_argument(
        "--efficiency",
        type=float,
        metavar="E",
        help="of a refrigerator from there to 300 K, as a fraction of Carnot, 1e-9..1: adds wall "
        "energy",
    )


def basis_option(parser: argparse.ArgumentParser) -> None:
    """`--basis`."""
    parser.add_argument(
        "--basis",
        choices=("native", "fredkin"),
        default="native",
        help="fredkin: rewritten in controlled swaps on two rails, ones conserved",
    )


def executor_option(parser: argparse.ArgumentParser, default: str = "literal") -> None:
    """`--executor`; `default` says in words what runs without it."""
    parser.add_argument(
        "--executor",
        metavar="E",
        help="literal: every gate evaluated on its own; fused: whole definitions by fewer "
        "operations, faster; numpy: every gate in plain NumPy, slower; the same figures from "
        f"each (default: {default}; numpy without Numba)",
    )


def check_executor(options: argparse.Namespace) -> None:
    """Refuse, before any work, an executor that cannot run; where Numba is absent and none is
    named, one line on standard error says what that costs."""
    from revsim.circuit.kernels import WHY_NO_NUMBA
    from revsim.simulator.executors import executor_named

    chosen = executor_named(options.executor)
    if WHY_NO_NUMBA and options.executor is None:
        print(
            f"revsim: no Numba ({WHY_NO_NUMBA}): executor {chosen} runs every gate, slower",
            file=sys.stderr,
        )


def check_kernels(what: str) -> None:
    """Refuse what cannot do without kernels, where Numba cannot be used."""
    from revsim.circuit.kernels import WHY_NO_NUMBA

    if WHY_NO_NUMBA:
        raise InputError(f"{what} takes Numba, which cannot be used here ({WHY_NO_NUMBA})")


def ensemble_options(parser: argparse.ArgumentParser) -> None:
    """What rows, which of them, and on how many threads."""
    parser.add_argument(
        "--data",
        metavar="FILE",
        help=".npy of rows, .npz with rows and labels, an image, a .wav, or a folder of them",
    )
    parser.add_argument(
        "--ensemble",
        metavar="E",
        help="data (default), uniform, product:P, product:data, weights:W.npy, random:ROWS",
    )
    parser.add_argument("--seed", type=int, default=0, help="of random rows")
    parser.add_argument("--threads", type=int, default=None, help="default: all cores")


def calibration_options(parser: argparse.ArgumentParser) -> None:
    """`--calibrate` of float models and how."""
    parser.add_argument(
        "--calibrate",
        metavar="DATA",
        help="quantise a float .onnx model to int8 on these real rows (.npy, or .npz with labels)",
    )
    parser.add_argument(
        "--power-of-two", action="store_true", help="scales are powers of two: shifts requantise"
    )
    parser.add_argument(
        "--percentile",
        type=float,
        default=100.0,
        metavar="P",
        help="of a tensor's values that its range must hold, in %% (default: 100)",
    )


def print_json(value: Any) -> None:
    """JSON alone on standard output."""
    print(json.dumps(value, indent=1, allow_nan=False))


@contextmanager
def progress(text: str) -> Iterator[None]:
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


def check_writable(*paths: str | None) -> None:
    """Refuse, before any work, a file that could not be written at the end."""
    for path in paths:
        if path is not None and not Path(path).absolute().parent.is_dir():
            raise InputError(f"{path}: there is no folder {Path(path).absolute().parent.name!r}")
        if path is not None and Path(path).is_dir():
            raise InputError(f"{path}: is a folder, not a file")


def check_ending(path: str | None, *endings: str) -> None:
    """Refuse a file name whose ending belies what is written."""
    if path is not None and Path(path).suffix not in endings:
        raise InputError(f"{path}: end the name in {' or '.join(endings)}")


def circuit_of(options: argparse.Namespace, policy: str | None, input: str | None) -> Any:
    """A circuit from a text file, or compiled from a network or a small graph; in the basis that
    is asked for."""
    circuit = _native(options, policy, input)
    if getattr(options, "basis", "native") == "native":
        return circuit
    from revsim.circuit.two_rails import in_fredkin_basis

    return in_fredkin_basis(circuit)


def graph_of(options: argparse.Namespace) -> Any:
    """The graph that a user names, None where it is a chain network or a circuit."""
    from revsim.cli.calibration import load_as_asked
    from revsim.network.graph import Graph

    if str(options.model).endswith(".qasm"):
        return None
    found, _ = load_as_asked(options)
    return found if isinstance(found, Graph) else None


def _native(options: argparse.Namespace, policy: str | None, input: str | None) -> Any:
    from revsim.circuit.unroll import unroll
    from revsim.formats.qasm3 import load as load_circuit
    from revsim.network.graph import Graph
    from revsim.pipeline import load
    from revsim.schedule.graphs import compile_graph
    from revsim.schedule.policy import compile_network

    if str(options.model).endswith(".qasm"):
        for option, value in (("--policy", policy), ("--input", input)):
            if value is not None:
                raise InputError(
                    f"{option} is for networks: {options.model} says itself what it erases"
                )
        return load_circuit(options.model)
    found = load(options.model)
    chosen = policy or "activation_reset", input or "destroy"
    if isinstance(found, Graph):
        return unroll(compile_graph(found, *chosen))
    return compile_network(found, *chosen)
