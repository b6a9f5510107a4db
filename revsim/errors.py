"""The two ways revsim says no.

`InputError` is for what a user can mend: a file, a shape, a value, an option. Its message names the
file, layer, operator, register, wire or row in the user's words and says what to do.
`CheckError` is for a circuit that does something other than it promised (a dirty ancilla, a broken
role): a mistake of a circuit's author, found by the simulator.
"""


class RevsimError(Exception):
    """Base of both kinds; the command line prints one message and leaves with status 2 or 1."""


class InputError(RevsimError, ValueError):
    """Something the user gave cannot be used; the message says what and what to do."""


def missing(what: str, package: str, extra: str) -> InputError:
    """The error of a package that is not installed; `extra` is revsim's extra that brings it.

    >>> print(missing("nsb", "scipy", "stats"))
    nsb needs scipy: pip install scipy, or revsim's extra: pip install '.[stats]' in its clone
    """
    return InputError(
        f"{what} needs {package}: pip install {package}, or revsim's extra: "
        f"pip install '.[{extra}]' in its clone"
    )


class CheckError(RevsimError):
    """A circuit broke a promise that it made: the message names wire, definition, layer and row."""
