"""The command line: one function per verb, no mechanism.

Exit status: 0 checks and identities hold, 1 one of them fails, 2 input or usage is wrong.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import revsim
from revsim.cli import benchmark, circuits, models, physics, reports
from revsim.errors import CheckError, InputError

EPILOG = """\
MODEL is a .tflite or .onnx model, an .npz network or the name of a bundled one (digits,
digits20, xor, toy and more: an unknown name lists them);
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
        return _say(
            f"not enough memory for {options.verb}: ask for less, such as fewer rows or paths", 2
        )
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


class _Once(argparse.Action):
    """Store a value, but refuse an option that is given twice: neither of the two is meant less."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        given = vars(namespace).setdefault("given", set())
        if option_string is not None and self.dest in given:
            parser.error(f"{option_string} is given twice")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a command line in the one form of all messages."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register("action", None, _Once)

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

    for verb_group in (reports, circuits, models, physics, benchmark):
        verb_group.add_verbs(verbs)
    return parser
